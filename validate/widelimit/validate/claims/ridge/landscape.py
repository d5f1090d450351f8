"""The claim about the loss landscape: where the Hessian's spectrum splits, and into what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from widelimit.validate.claims.ridge.shared import (
    NAMES,
    PAPER,
    SAMPLES,
    SPECTRUM,
    TWO_SCALES,
    derivation,
    plans,
    samples,
)
from widelimit.validate.harness.claim import Inputs, Interval
from widelimit.validate.harness.declare import another, declare, table, wrong

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend


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
    angle = np.linspace(0.0, np.pi / 2, 4001)[1:-1]  # x = low + (high - low) sin^2: roots at both edges go
    low, span = gaps.lower[0], gaps.upper[0] - gaps.lower[0]
    x = low + span * np.sin(angle) ** 2
    density = ridge.hessian_density(x, eigenvalues, weights, sample_ratio=sample_ratio)
    each = (density * span * np.sin(2 * angle) * (angle[1] - angle[0]))[::-1]
    mass = np.cumsum(each) - each / 2
    place = float(np.log(np.interp(weights[0], mass, x[::-1])))
    return Beside(0.0, place, place)


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
        (192, 192, 192),
        ((80, 160, 320), (160, 320, 640), (400, 800, 1600)),
    ),
    derivation=derivation("hessian-gap"),
    exponent=2 / 3,
    within=0.05,
    scale=np.ones_like,
    # else the upper bulk is cut short
    valid=lambda sample_ratio, fraction: sample_ratio > fraction,
    size_name="dimensions",
    quantity="log edges",
    observable="logarithms of the eigenvalues number p1 P and p1 P + 1 of X^T X/N",
    notes="Eigenvalues at an edge are off by N^(-2/3) (Tracy and Widom), where the gap is closed by N^-1; the larger "
    "is used. Where there is no gap, both eigenvalues lie where the density has the share p1 above it.",
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
