"""Second moments of a batch of vectors, and vectors that have prescribed ones; shapes are (R, N, k)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.drawing.weights import Draws


def length(h: torch.Tensor) -> torch.Tensor:
    """q = N^-1 sum_i h_i^2 of each vector, shape (R, k)."""
    return h.square().mean(dim=1)


@by_value
@dataclass(frozen=True)
class PairMoments:
    """Lengths, correlation and its distance from 1 of the k pairs of two batches of vectors, each (R, k)."""

    q_a: torch.Tensor
    q_b: torch.Tensor
    c: torch.Tensor
    one_minus_c: torch.Tensor


def pair_moments(a: torch.Tensor, b: torch.Tensor) -> PairMoments:
    """q_a, q_b, c = a.b / (N sqrt(q_a q_b)) and 1 - c of the columns of a and b, each (R, N, k).

    1 - c comes from the difference d = b - a, which rounding leaves exact where a and b are close:
    1 - c = (|d|^2 - (|b| - |a|)^2) / (2 |a| |b|) with |b| - |a| = d.(a + b) / (|a| + |b|). Its relative
    error stays near 1e-15 / sqrt(1 - c) where 1 - c itself has lost every digit.
    """
    q_a, q_b = length(a), length(b)
    size_a, size_b = q_a.sqrt(), q_b.sqrt()
    difference = b - a
    stretch = (difference * (a + b)).mean(dim=1) / (size_a + size_b)
    one_minus_c = (length(difference) - stretch.square()) / (2 * size_a * size_b)
    return PairMoments(q_a, q_b, (a * b).mean(dim=1) / (size_a * size_b), one_minus_c)


def gram(h: torch.Tensor) -> torch.Tensor:
    """N^-1 h^T h, shape (R, k, k)."""
    return h.mT @ h / h.shape[1]


def cross_correlation(h: torch.Tensor) -> torch.Tensor:
    """The correlation averaged over all pairs of a vector of the first half and one of the second, (R,)."""
    k = h.shape[2] // 2
    products = h[..., :k].mT @ h[..., k:] / h.shape[1]
    size = length(h).sqrt()
    return (products / (size[:, :k].unsqueeze(2) * size[:, k:].unsqueeze(1))).mean(dim=(1, 2))


def orthonormal(draws: Draws, width: int, count: int) -> torch.Tensor:
    """Random directions with z_i.z_j / N = delta_ij exactly: whitened normal vectors, shape (R, N, count)."""
    if count > width:
        raise ArgumentError("size", f"must be at least {count}, the number of input vectors", width)
    z = draws.normal(width, count)
    factor = torch.linalg.cholesky(gram(z))
    return torch.linalg.solve_triangular(factor, z.mT, upper=False).mT


def pairs(
    draws: Draws, width: int, count: int, q: float, one_minus_c: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """`count` pairs of vectors with second moment q and correlation c exactly, orthogonal between pairs.

    a = sqrt(q) z_1 and b = sqrt(q) (c z_1 + sqrt(1 - c^2) z_2), where 1 - c is the argument, so that it may
    be tiny.
    """
    z = orthonormal(draws, width, 2 * count)
    first, second = z[..., :count], z[..., count:]
    other = (1 - one_minus_c) * first + (one_minus_c * (2 - one_minus_c)) ** 0.5 * second
    return q**0.5 * first, q**0.5 * other


def family(directions: torch.Tensor, q: float, c: float) -> torch.Tensor:
    """k vectors of second moment q in two halves, any two from different halves at correlation c exactly.

    sqrt(q) (+-sqrt(|c|) z_0 + sqrt(1 - |c|) z_i), from the k + 1 directions of `orthonormal`, k even; the
    second half takes the sign of c, so that c may be negative.
    """
    common, own = directions[..., :1], directions[..., 1:]
    sign = torch.ones(own.shape[2], dtype=own.dtype, device=own.device)
    sign[own.shape[2] // 2 :] = -1.0 if c < 0 else 1.0
    return q**0.5 * (abs(c) ** 0.5 * common * sign + (1 - abs(c)) ** 0.5 * own)
