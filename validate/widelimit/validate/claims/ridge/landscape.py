"""The claim about the loss landscape: where the Hessian's spectrum splits, and into what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from widelimit.validate.claims.ridge.shared import (
    AT_SIZE,
    NAMES,
    PAPER,
    SAMPLES,
    SPECTRUM,
    TWO_SCALES,
    counted,
    derivation,
    plans,
    samples,
)
from widelimit.validate.harness.claim import Inputs, Interval
from widelimit.validate.harness.declare import another, at_size, declare, table, wrong

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend


_SIZES = ((160, 320), (160, 320, 640), (400, 800, 1600))
_GIVEN = ("eigenvalues", "weights", "sample_ratio", "samples")
_CLOSED = 0.8  # of the threshold: nearer to it the density nearly vanishes where the gap is about to open


class Beside(NamedTuple):
    """Logarithms of the eigenvalues on either side of the p P-th from the top, and of their ratio: 0 without a gap."""

    width: float
    above: float
    below: float


def beside(eigenvalues: Sequence[float], weights: Sequence[float], sample_ratio: float) -> Beside:
    """Edges of the gap where it is open; else both are where the spectrum has the share `weights[0]` above."""
    from widelimit.numerics import ridge

    gaps = ridge.hessian_gaps(eigenvalues, weights, sample_ratio=sample_ratio)
    if gaps.fractions.size > 1:
        above, below = np.log(gaps.lower[0]), np.log(gaps.upper[1])
        return Beside(above - below, above, below)
    ends = gaps.lower[0], gaps.upper[0]
    place = share_place(weights[0], ends, eigenvalues, weights, sample_ratio)
    return Beside(0.0, place, place)


def beside_at(
    eigenvalues: Sequence[float], weights: Sequence[float], sample_ratio: float, samples: float
) -> Beside:
    """The same of means over draws of so many samples; at a closed gap k - 1/2 eigenvalues lie above number k."""
    from widelimit.numerics import ridge

    given = (eigenvalues, weights)
    limit = ridge.hessian_gaps(*given, sample_ratio=sample_ratio)
    if limit.fractions.size > 1:
        gaps = ridge.hessian_gaps(*given, sample_ratio=sample_ratio, samples=samples)
        above, below = np.log(gaps.lower[0]), np.log(gaps.upper[1])
    else:
        ends, half = (limit.lower[0], limit.upper[0]), 0.5 * sample_ratio / samples
        above, below = (
            share_place(weights[0] + side * half, ends, *given, sample_ratio, samples) for side in (-1, 1)
        )
    return Beside(above - below, above, below)


def share_place(
    share: float,
    ends: tuple[float, float],
    eigenvalues: Sequence[float],
    weights: Sequence[float],
    sample_ratio: float,
    samples: float | None = None,
) -> float:
    """log of where a share of the eigenvalues lies above: the lower end of the spectrum where all are fewer."""
    from scipy.optimize import brentq

    from widelimit.numerics import ridge

    def excess(x: float) -> float:
        return (
            ridge.hessian_share(x, eigenvalues, weights, sample_ratio=sample_ratio, samples=samples) - share
        )

    inside = 1e-6 * (ends[1] - ends[0])
    low, high = ends[0] + inside, ends[1] - inside
    return float(np.log(low if excess(low) <= 0 else brentq(excess, low, high, xtol=1e-12)))


def population_gap(separation: float) -> Beside:
    """The gap of the population covariance."""
    return Beside(-float(np.log(separation)), 0.0, float(np.log(separation)))


def simulate_gap(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Eigenvalues number pP and pP + 1: theory says exactly pP lie above the gap."""
    from widelimit.validate.simulate.ridge import Population, neighbours

    place = round(float(inputs["fraction"]) * size)
    found = np.log(
        neighbours(Population.two_scales(inputs, size), samples(inputs, size), place, seeds, backend)
    )
    return np.column_stack([found[:, 0] - found[:, 1], found])


def _clear(fraction: float, separation: float, sample_ratio: float) -> bool:
    """Whether the upper bulk is whole, and the gap clearly open or clearly closed at the least size of the plans."""
    from widelimit.numerics import ridge

    scales = ((1.0, separation), (fraction, 1 - fraction))
    if sample_ratio <= fraction:
        return False
    if sample_ratio > float(ridge.gap_thresholds(*scales)[0]):
        ridge.hessian_gaps(*scales, sample_ratio=sample_ratio, samples=counted(sample_ratio, min(_SIZES[0])))
        return True
    return sample_ratio < _CLOSED * float(ridge.gap_thresholds(*scales)[0])


HESSIAN_GAP = declare(
    "ridge.hessian-gap",
    title="Gaps of the loss landscape",
    statement="The Hessian's spectrum splits at alpha_gap = [(p1 s1^2)^(1/3) + (p2 s2^2)^(1/3)]^3/(s1 - s2)^2; exactly "
    "p1 P eigenvalues lie above.",
    paper=f"{PAPER}, section 4",
    domain={**TWO_SCALES, "separation": Interval(0.02, 0.4, simplest=0.1), "sample_ratio": SAMPLES},
    solver=beside,
    given=SPECTRUM,
    rows={"log width": "width", "log end of the upper bulk": "above", "log start of the lower bulk": "below"},
    simulate=simulate_gap,
    plans=plans(
        table(
            f"{NAMES} sample_ratio",
            [(0.25, 0.1, 0.5, 0.1, 1.5), (0.5, 0.1, 0.5, 0.1, 0.75)],
            [(0.5, 0.2, 0.5, 0.1, 3.0), (0.25, 0.02, 0.5, 0.1, 0.75)],
        ),
        (512, 512, 192),
        _SIZES,
        target=0.02,
    ),
    derivation=derivation("hessian-gap", "finite-samples"),
    finite=at_size(solver=beside_at, **{name: AT_SIZE[name] for name in _GIVEN}),
    exponent=2 / 3,
    within=0.02,
    scale=np.ones_like,
    valid=_clear,
    size_name="dimensions",
    quantity="log edges",
    observable="logarithms of the eigenvalues number p1 P and p1 P + 1 of X^T X/N",
    notes="Eigenvalues at an edge are off by the mean of the Tracy-Widom law, of order N^(-2/3), and by a shift of "
    "order 1/N; what is left is of order N^(-4/3). Where there is no gap, both eigenvalues lie where the density has "
    "the share p1 above it, half an eigenvalue to either side of it.",
    wrong=(
        wrong(
            "scales swapped",
            "the threshold and the edges with the fractions of the two scales swapped",
            another(beside, **SPECTRUM | {"weights": lambda fraction: (1 - fraction, fraction)}),
        ),
        wrong(
            "population spectrum",
            "the gap of the population covariance, open whatever the number of samples",
            another(population_gap),
            beyond=0.0,
        ),
    ),
)
LANDSCAPE_CLAIMS = (HESSIAN_GAP,)
