"""The spectrum of the loss landscape: bulks and gaps of the Hessian, their thresholds, the density.

The non-zero eigenvalues x of the sample covariance ``X^T X/N`` (the Hessian of the loss is twice that) lie where the
effective ridge of penalty -x is complex. Outside, kappa is real with rho < 1; edges are at rho = 1. Between two scales
rho is convex in kappa, so a gap opens at ``alpha_gap = min over -s_d < kappa < -s_(d+1) of mean_j s_j^2/(s_j
+ kappa)^2``;
the bulk above it then holds exactly the fraction ``p_1 + ... + p_d`` of the dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.ridge import kernel
from widelimit.numerics.ridge.spectrum import Spectrum
from widelimit.numerics.ridge.terms import GAP
from widelimit.theory.errors import DomainError

if TYPE_CHECKING:
    import xarray

Array = np.ndarray
_ROOM = 1 / 3  # of a bulk and of a gap, that an outermost eigenvalue may be from its edge


@by_value
@dataclass(frozen=True)
class HessianGaps:
    """Bulks of the sample covariance at one sample ratio, from the top down.

    `lower` and `upper` are the edges of each bulk (where `samples` are given, the means of its least and its largest
    eigenvalue), `fractions` the exact fraction of the (non-zero) dimensions in it;
    with fewer samples than dimensions the lowest bulk holds N/P less what is above it, and the rest is exactly zero.
    """

    lower: Array
    upper: Array
    fractions: Array


def gap_thresholds(
    eigenvalues: ArrayLike | Spectrum, weights: ArrayLike | None = None, *, below: float = np.inf
) -> Array:
    """Sample ratios above which the gap under each scale (in decreasing order) is open: one fewer than the scales.

    Two scales: ``[(p_1 s_1^2)^(1/3) + (p_2 s_2^2)^(1/3)]^3/(s_1 - s_2)^2``, exactly. Thresholds above `below` may be
    returned as infinity, which is much faster for thousands of scales. Ratios count all dimensions, zero ones too.

    >>> gap_thresholds([1, 0.1], [0.5, 0.5]).round(8)
    array([1.10838153])
    """
    spectrum = Spectrum.of(eigenvalues, weights)
    below = arguments.single("below", arguments.real("below", below, infinite=True))
    s, p = _weighty(spectrum)
    if s.size == 1:
        return np.empty(0)
    # the two scales beside the gap alone: a bound from below, and the threshold itself where there are no others
    least = np.asarray(GAP(s[:-1], p[:-1], s[1:], p[1:]))
    found = np.full(s.size - 1, np.inf)
    if s.size == 2:
        return least * spectrum.rank_fraction
    close = np.flatnonzero(least <= below / spectrum.rank_fraction)
    kernel.loops().gap_minima(s, p, close, found)
    return found * spectrum.rank_fraction


@overload
def hessian_gaps(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    *,
    sample_ratio: float,
    samples: float | None = None,
) -> HessianGaps: ...


@overload
def hessian_gaps(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    *,
    sample_ratio: Sequence[float] | Array,
    samples: float | None = None,
) -> xarray.Dataset: ...


def hessian_gaps(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    *,
    sample_ratio: Any,
    samples: float | None = None,
) -> HessianGaps | xarray.Dataset:
    """Edges and exact eigenvalue counts of every bulk of ``X^T X/N`` at this sample ratio.

    A list of sample ratios gives a dataset over `sample_ratio` and `gap` (number d lies below the d-th scale from the
    top): whether it is `open`, its edges `lower` and `upper` (NaN where it is closed), the fraction of dimensions
    `above` it, and the `smallest` and `largest` edge of the whole spectrum.

    `samples`: of so many real Gaussian samples, edges are the means of the outermost eigenvalues of the bulks, up to
    O(N^(-4/3)): the Tracy-Widom law's mean and the shift of order 1/N (`theory.ridge.derive("finite-samples")`).
    `DomainError` where they are farther from an edge than a third of its bulk or of the gap beside it; nan for the
    least of all where it is nearer to zero than that, with about as many samples as dimensions.

    >>> gaps = hessian_gaps([1, 0.1], [0.5, 0.5], sample_ratio=2.0)
    >>> gaps.fractions, gaps.lower.round(4)
    (array([0.5, 0.5]), array([0.2813, 0.0129]))
    >>> hessian_gaps([1, 0.1], [0.5, 0.5], sample_ratio=2.0, samples=200).lower.round(4)
    array([0.2998, 0.0142])
    >>> hessian_gaps([1, 0.1], [0.5, 0.5], sample_ratio=[1.0, 2.0]).open.values
    array([[False],
           [ True]])
    """
    spectrum = Spectrum.of(eigenvalues, weights)
    ratio = arguments.positive("sample_ratio", sample_ratio)
    size = None if samples is None else arguments.positive_number("samples", samples)
    if ratio.ndim == 0:
        return _bulks(spectrum, float(ratio), gap_thresholds(spectrum, below=float(ratio)), size)
    from widelimit.numerics.labelled import Labelled

    arguments.vector("sample_ratio", ratio)
    thresholds = gap_thresholds(spectrum, below=float(ratio.max()))
    bulks = [_bulks(spectrum, one, thresholds, size) for one in ratio]
    is_open = thresholds < ratio[:, None]
    lower, upper = np.full(is_open.shape, np.nan), np.full(is_open.shape, np.nan)
    for row, bulk in enumerate(bulks):
        lower[row, is_open[row]], upper[row, is_open[row]] = bulk.upper[1:], bulk.lower[:-1]
    axes = ("sample_ratio", "gap")
    return Labelled(
        {
            "open": (axes, is_open),
            "lower": (axes, lower),
            "upper": (axes, upper),
            "above": ("gap", np.cumsum(_weighty(spectrum)[1])[:-1]),
            "threshold": ("gap", thresholds),
            "smallest": ("sample_ratio", [bulk.lower[-1] for bulk in bulks]),
            "largest": ("sample_ratio", [bulk.upper[0] for bulk in bulks]),
        },
        coords={"sample_ratio": ratio, "gap": np.arange(1, thresholds.size + 1)},
    )


def _weighty(spectrum: Spectrum) -> tuple[Array, Array]:
    """Scales that have some weight, in units of the largest."""
    inside, _ = spectrum.in_units()
    return inside.eigenvalues[inside.weights > 0], inside.weights[inside.weights > 0]


def _bulks(spectrum: Spectrum, ratio: float, thresholds: Array, samples: float | None) -> HessianGaps:
    s, p = _weighty(spectrum)
    unit = spectrum.in_units()[1]
    alpha = ratio / spectrum.rank_fraction
    open_ = np.flatnonzero(thresholds < ratio)
    loops = kernel.loops()
    # rows: the lower edge of the bulk above, the upper edge of the bulk below, each with its effective ridge
    inner = np.empty((4, open_.size))
    loops.gap_edges(s, p, alpha, open_, inner)
    top, top_ridge = loops.top_edge(s, p, alpha)
    bottom_ridge, bottom = (one[0] for one in kernel.edges(s, p, np.array([alpha])))
    lower, upper = np.append(inner[0], -bottom), np.insert(inner[2], 0, top)
    if samples is not None:
        ridges = (np.append(inner[1], bottom_ridge), np.insert(inner[3], 0, top_ridge))
        lower, upper = _moved(s, p, alpha, samples, (lower, upper), ridges)
    above = np.concatenate([np.cumsum(p)[open_], [min(1.0, alpha)]])
    with np.errstate(over="ignore"):
        lower, upper = lower * unit, upper * unit
    if np.isinf(lower).any() or np.isinf(upper).any() or (samples is None and np.isnan(lower).any()):
        raise DomainError(
            f"No float holds the edges of the spectrum at sample_ratio {ratio:g}: at most eigenvalues of the mean over "
            "the ratio can be told. Rescale eigenvalues, or raise the ratio."
        )
    return HessianGaps(
        lower=lower,
        upper=upper,
        fractions=np.diff(above, prepend=0.0),
    )


def _moved(
    s: Array, p: Array, alpha: float, samples: float, edges: tuple[Array, Array], ridges: tuple[Array, Array]
) -> tuple[Array, Array]:
    """Means of the least and the largest eigenvalue of each bulk, from its edges and their effective ridges."""
    (lower, upper), moves = edges, []
    for ridge, side in zip(ridges, (-1.0, 1.0), strict=True):
        out = np.empty(ridge.size)
        kernel.loops().edge_moves(
            s, p, np.zeros_like(s), alpha, samples, ridge, np.full(ridge.size, side), out
        )
        moves.append(out)
    gaps = lower[:-1] - upper[1:]
    room = [np.minimum(upper - lower, gap) for gap in (np.append(gaps, np.inf), np.insert(gaps, 0, np.inf))]
    far = [~(np.abs(move) < _ROOM * one) for move, one in zip(moves, room, strict=True)]
    if not moves[0][-1] < _ROOM * lower[-1]:  # the edge is hard, or not far from zero
        moves[0][-1] = np.nan
        far[0][-1] = False
    if np.any(far):
        raise DomainError(
            f"With {samples:g} samples the outermost eigenvalues of a bulk are farther from its edge than a third of "
            "the bulk, or of the gap beside it: how they lie there is not known. Ask for more samples."
        )
    return lower + moves[0], upper + moves[1]


def hessian_share(
    x: ArrayLike,
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    *,
    sample_ratio: float,
    samples: float | None = None,
) -> Any:
    """Share of eigenvalues of ``X^T X/N`` above x > 0, per (non-zero) dimension; of N samples the mean of it.

    ``Im log det(X^T X/N - x - i0)/pi``: the equivalent of log det in the limit, log(1 - rho)/2 more for real Gaussian
    samples, up to O(1/N) of one eigenvalue. Within N^(-2/3) of an edge that does not hold: see `hessian_gaps`.

    >>> round(hessian_share(1.0, 1.0, sample_ratio=1.0), 6)  # Marchenko-Pastur: 2/3 - sqrt(3)/(2 pi)
    0.391002
    >>> [round(hessian_share(1.0, 1.0, sample_ratio=2.0, samples=n), 6) for n in (None, 100)]
    [0.423996, 0.422846]
    """
    spectrum = Spectrum.of(eigenvalues, weights)
    points = arguments.positive("x", x)
    alpha = arguments.positive_number("sample_ratio", sample_ratio) / spectrum.rank_fraction
    size = np.inf if samples is None else arguments.positive_number("samples", samples)
    out = np.empty(points.size)
    (s, p), unit = _weighty(spectrum), spectrum.in_units()[1]
    with np.errstate(over="ignore", divide="ignore"):
        scaled = points.ravel() / unit
    beyond = _beyond(scaled, s, alpha)
    kernel.loops().share_above(s, p, alpha, size, np.where(beyond, 1.0, scaled), out)
    return arguments.scalar(np.where(beyond, 0.0, out).reshape(points.shape))


def _beyond(x: Array, s: Array, alpha: float) -> Array:
    """Where x is beyond all edges."""
    return np.asarray(x > 4 * s[0] * (1 + 1 / math.sqrt(alpha)) ** 2)


def hessian_density(
    x: ArrayLike, eigenvalues: ArrayLike | Spectrum, weights: ArrayLike | None = None, *, sample_ratio: float
) -> Any:
    """Density at x > 0 of the eigenvalues of ``X^T X/N``, per (non-zero) dimension: it integrates to min(1, N/P).

    ``alpha Im(1/kappa)/pi`` with ``lambda(kappa) = -x - i0``: Newton's method along a path down to the real axis.

    >>> round(hessian_density(1.0, 1.0, sample_ratio=1.0), 6)  # sqrt(3)/(2 pi), Marchenko-Pastur
    0.275664
    """
    spectrum = Spectrum.of(eigenvalues, weights)
    points = arguments.positive("x", x)
    alpha = arguments.positive_number("sample_ratio", sample_ratio)
    alpha /= spectrum.rank_fraction
    out = np.empty(points.size)
    (s, p), unit = _weighty(spectrum), spectrum.in_units()[1]
    with np.errstate(over="ignore", divide="ignore"):
        scaled = points.ravel() / unit
    beyond = _beyond(scaled, s, alpha)
    kernel.loops().density(s, p, alpha, np.where(beyond, 1.0, scaled), out)
    out = np.where(beyond, 0.0, out) / unit
    if not np.isfinite(out).all():
        raise DomainError(
            f"No float holds the density at sample_ratio {sample_ratio:g} somewhere. Rescale eigenvalues."
        )
    return arguments.scalar(out.reshape(points.shape))
