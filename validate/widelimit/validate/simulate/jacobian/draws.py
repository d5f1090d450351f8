"""Input-output Jacobians of random deep networks, J = D_L W_L ... D_1 W_1, and statistics of their spectra.

J is built by applying every layer to the columns of the last product, so that Haar weights cost reflections and no
factorisation. Moments tr (J^T J)^k / N_0 come from the Gram matrix, whose entries keep the relative accuracy that a
trace needs however ill-conditioned J is. Anything that looks at single values (distribution, atom, largest) takes the
singular values of J itself in double precision: a Gram matrix would lose those below 1e-8 of the largest. The rank is
counted where it is decided, as the smallest number of active units of a layer, and by no threshold.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.drawing.functions import activation_function, derivative_function
from widelimit.validate.harness.drawing.networks import in_batches
from widelimit.validate.harness.drawing.weights import Draws, weights

Measure = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def widths_of(inputs: Mapping, size: int) -> list[int]:
    """Layer widths N_0 ... N_L: all `size`, or the multiples of it that ``inputs["shape"]`` lists ("1 2 0.5 1")."""
    if "shape" in inputs:
        return [max(1, round(float(part) * size)) for part in str(inputs["shape"]).split()]
    return [size] * (int(inputs["depth"]) + 1)


def spectrum_statistics(
    inputs: Mapping, q1: float, size: int, seeds: Sequence[int], backend: Backend, measure: Measure
) -> np.ndarray:
    """`measure(J, active)` for one network a seed, shape (len(seeds), k).

    inputs: activation, sigma_w, sigma_b, depth, weights, and shape for rectangular layers; with `branch` true every
    layer is a residual branch, x + phi(W x + b). q1: second moment of the first layer's pre-activations; the input has
    exactly the length that gives it. J is (R, N_L, N_0); `active` (R,) the smallest share of units of non-zero
    slope, times N_l/N_0.
    """
    widths = widths_of(inputs, size)
    bytes_each = 8 * 6 * max(widths) ** 2

    def group(part: Sequence[int]) -> torch.Tensor:
        return measure(*jacobians(inputs, q1, widths, part, backend))

    return in_batches(group, seeds, bytes_each, backend)


def jacobians(
    inputs: Mapping, q1: float, widths: Sequence[int], seeds: Sequence[int], backend: Backend
) -> tuple[torch.Tensor, torch.Tensor]:
    """Jacobians (R, N_L, N_0) of the networks of these seeds, and the smallest share of active units."""
    draws = Draws(seeds, backend)
    sigma_w, sigma_b = float(inputs["sigma_w"]), float(inputs["sigma_b"])
    phi, slope = (
        activation_function(str(inputs["activation"])),
        derivative_function(str(inputs["activation"])),
    )
    x = draws.normal(widths[0], 1)
    x = x * (
        max(q1 - sigma_b**2, 0.0) ** 0.5
        / sigma_w
        * widths[0] ** 0.5
        / torch.linalg.vector_norm(x, dim=1, keepdim=True)
    )
    product = (
        torch.eye(widths[0], dtype=backend.dtype, device=backend.device)
        .expand(len(seeds), -1, -1)
        .contiguous()
    )
    branch = bool(inputs.get("branch", False))
    active = torch.ones(len(seeds), dtype=backend.dtype, device=backend.device)
    for before, after in itertools.pairwise(widths):
        w = weights(str(inputs["weights"]), draws, after, before, sigma_w)
        both = w.apply(torch.cat([product, x], dim=2))
        h = both[..., -1:]
        if sigma_b > 0:
            h = h + sigma_b * draws.normal(after, 1)
        d = slope(h).to(both.dtype)
        active = torch.minimum(active, (d != 0).to(both.dtype).sum(dim=(1, 2)) / widths[0])
        product = product + d * both[..., :-1] if branch else d * both[..., :-1]
        x = x + phi(h) if branch else phi(h)
    return product, active


def moments(jacobian: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
    """log m_1, m_2/m_1^2, m_3/m_1^3 of J^T J, per network."""
    size = jacobian.shape[2]
    short = jacobian if jacobian.shape[1] <= jacobian.shape[2] else jacobian.mT
    gram = short @ short.mT
    first = gram.diagonal(dim1=1, dim2=2).sum(1) / size
    second = (gram * gram).sum((1, 2)) / size
    third = ((gram @ gram) * gram).sum((1, 2)) / size
    return torch.stack([first.log(), second / first**2, third / first**3], dim=1)


def distribution(points: Sequence[float]) -> Measure:
    """Share of squared singular values (of N_0) at or below each point."""

    def measure(jacobian: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
        values = torch.linalg.svdvals(jacobian) ** 2
        missing = jacobian.shape[2] - values.shape[1]
        at = torch.tensor(list(points), dtype=values.dtype, device=values.device)
        return ((values[:, :, None] <= at).sum(1) + missing) / jacobian.shape[2]

    return measure


def largest(jacobian: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
    """Log of the largest singular value, per network."""
    return torch.linalg.matrix_norm(jacobian, ord=2).log()[:, None]


def atom(jacobian: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
    """Share of squared singular values within rounding of the largest, and log of the largest singular value."""
    values = torch.linalg.svdvals(jacobian)
    near = ((values / values[:, :1]) ** 2 - 1.0).abs() < 1e-9
    return torch.stack([near.to(values.dtype).mean(1), values[:, 0].log()], dim=1)


def singular_values(
    inputs: Mapping, q1: float, size: int, seeds: Sequence[int], backend: Backend
) -> Iterator[np.ndarray]:
    """Singular values of one network after another, for pictures."""
    for seed in seeds:
        with torch.no_grad():
            product, _ = jacobians(inputs, q1, widths_of(inputs, size), [seed], backend)
            yield torch.linalg.svdvals(product)[0].cpu().numpy()
