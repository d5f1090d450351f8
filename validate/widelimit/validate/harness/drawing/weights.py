"""Random numbers and random weight matrices for a batch of independent replicates.

`Draws` holds one generator per replicate: what replicate r draws depends on ``seeds[r]`` alone, however
replicates are grouped into batches. `gaussian` and `haar` make the weight matrices of one layer for the
whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.backend import Backend

Ensemble = Literal["gaussian", "orthogonal"]
ENSEMBLES: tuple[str, ...] = ("gaussian", "orthogonal")


class Draws:
    """Random numbers for R replicates, each from a generator of its own.

    On the CPU normal numbers are drawn in single precision and used in double: torch's vectorised
    single-precision generator is five times faster (3.3 against 17 ns a number), rounding moves a weight by
    at most 6e-8 of itself, and the tail that it cannot reach, beyond 5.77 standard deviations, holds 3e-7 of
    the variance. Torch's CPU generator takes the low 32 bits of a seed.

    >>> split = [Draws([seed], Backend()).normal(2) for seed in (5, 6)]
    >>> bool((torch.cat(split) == Draws([5, 6], Backend()).normal(2)).all())
    True
    """

    def __init__(self, seeds: Sequence[int], backend: Backend) -> None:
        self.backend = backend
        self.generators = [backend.generator(int(seed)) for seed in seeds]
        self._buffer: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.generators)

    def normal(self, *shape: int, out: torch.Tensor | None = None) -> torch.Tensor:
        """Independent standard normal numbers, shape (R, *shape); written into `out` if given."""
        device, dtype = self.backend.device, self.backend.dtype
        result = torch.empty((len(self), *shape), dtype=dtype, device=device) if out is None else out
        single = device.type == "cpu" and dtype == torch.float64
        for row, generator in zip(result, self.generators, strict=True):
            if single:
                row.copy_(self._scratch(row.numel()).normal_(generator=generator).view(row.shape))
            else:
                row.normal_(generator=generator)
        return result

    def kept(self, keep: float, *shape: int) -> torch.Tensor:
        """Masks of inverted dropout, shape (R, *shape): 1/keep with probability `keep`, else 0."""
        device, dtype = self.backend.device, self.backend.dtype
        result = torch.empty((len(self), *shape), dtype=dtype, device=device)
        for row, generator in zip(result, self.generators, strict=True):
            row.bernoulli_(keep, generator=generator)
        return result.div_(keep)

    def _scratch(self, count: int) -> torch.Tensor:
        if self._buffer is None or self._buffer.numel() < count:
            self._buffer = torch.empty(count, dtype=torch.float32)
        return self._buffer[:count]


@by_value
@dataclass(frozen=True)
class GaussianWeights:
    """W = (sigma_w / sqrt(fan_in)) G with independent standard normal G, shape (R, fan_out, fan_in)."""

    normal: torch.Tensor
    scale: float

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """W x for x of shape (R, fan_in, k)."""
        return torch.bmm(self.normal, x * self.scale)

    def transposed(self, delta: torch.Tensor) -> torch.Tensor:
        """W^T delta for delta of shape (R, fan_out, k)."""
        return torch.bmm(self.normal.mT, delta * self.scale)

    def matrix(self) -> torch.Tensor:
        """The weights themselves, shape (R, fan_out, fan_in)."""
        return self.normal * self.scale


@by_value
@dataclass(frozen=True)
class HaarWeights:
    """W = scale Q, Q a Haar-distributed matrix with orthonormal columns (or rows), as a product of
    reflections.

    Multiplying by the reflections costs 4 N^2 operations a column and needs no factorisation; the matrix
    itself is only formed when it is asked for.
    """

    reflectors: torch.Tensor  # (R, long, short), Householder vectors below the diagonal
    tau: torch.Tensor  # (R, short)
    signs: torch.Tensor  # (R, short, 1)
    scale: float
    wide: bool  # fan_out < fan_in: W is the transpose of the tall matrix

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """W x for x of shape (R, fan_in, k)."""
        return self._shorten(x) if self.wide else self._lengthen(x)

    def transposed(self, delta: torch.Tensor) -> torch.Tensor:
        """W^T delta for delta of shape (R, fan_out, k)."""
        return self._lengthen(delta) if self.wide else self._shorten(delta)

    def matrix(self) -> torch.Tensor:
        """The weights themselves, shape (R, fan_out, fan_in)."""
        tall = torch.linalg.householder_product(self.reflectors, self.tau) * self.signs.mT * self.scale
        return tall.mT if self.wide else tall

    def _lengthen(self, x: torch.Tensor) -> torch.Tensor:
        long, short = self.reflectors.shape[-2:]
        padded = torch.nn.functional.pad(self.signs * x, (0, 0, 0, long - short))
        return torch.ormqr(self.reflectors, self.tau, padded) * self.scale

    def _shorten(self, x: torch.Tensor) -> torch.Tensor:
        short = self.reflectors.shape[-1]
        rotated = torch.ormqr(self.reflectors, self.tau, x, transpose=True)[..., :short, :]
        return self.signs * rotated * self.scale


Weights = GaussianWeights | HaarWeights


def gaussian(
    draws: Draws, fan_out: int, fan_in: int, sigma_w: float, out: torch.Tensor | None = None
) -> GaussianWeights:
    """Independent weights of variance sigma_w^2 / fan_in; `out` is a buffer of that shape."""
    return GaussianWeights(draws.normal(fan_out, fan_in, out=out), sigma_w / fan_in**0.5)


def haar(
    draws: Draws, fan_out: int, fan_in: int, sigma_w: float, out: torch.Tensor | None = None
) -> HaarWeights:
    """Haar-distributed weights whose entries have variance sigma_w^2 / fan_in, so that a square W has W^T W
    = sigma_w^2.

    QR of a Gaussian matrix, with the signs that make R's diagonal positive, is Haar distributed. Its
    Householder vectors are independent: the j-th reflects a fresh Gaussian vector of length N - j + 1
    (Stewart 1980, SIAM J. Numer. Anal. 17, 403). They are drawn directly, so nothing is factorised.
    """
    long, short = max(fan_out, fan_in), min(fan_out, fan_in)
    if out is not None:
        out = out.view(len(draws), long, short)
    columns = draws.normal(long, short, out=out).tril_()
    head = torch.diagonal(columns, dim1=-2, dim2=-1)
    sign = torch.where(head < 0, -1.0, 1.0).to(columns.dtype)
    reflected = -sign * torch.linalg.vector_norm(columns, dim=-2)
    tau = (reflected - head) / reflected
    columns /= (head - reflected).unsqueeze(-2)
    # Q has entries of variance 1/long; a tall W is stretched so that W x has the size that fan-in scaling
    # gives it
    scale = sigma_w * (long / fan_in) ** 0.5
    return HaarWeights(columns, tau, -sign.unsqueeze(-1), scale, wide=fan_out < fan_in)


def weights(
    ensemble: str, draws: Draws, fan_out: int, fan_in: int, sigma_w: float, out: torch.Tensor | None = None
) -> Weights:
    """One layer's weight matrices for every replicate of `draws`; ArgumentError for an unknown ensemble."""
    if ensemble == "gaussian":
        return gaussian(draws, fan_out, fan_in, sigma_w, out)
    if ensemble == "orthogonal":
        return haar(draws, fan_out, fan_in, sigma_w, out)
    raise ArgumentError("weights", "must be gaussian or orthogonal", ensemble)
