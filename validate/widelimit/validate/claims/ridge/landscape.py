"""The claim about the loss landscape: where the Hessian's spectrum splits, and into what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.ridge.shared import (
    PAPER,
    SAMPLES,
    TWO_SCALES,
    derivation,
    point,
    presets,
    samples,
    spectrum,
)
from widelimit.validate.harness.claim import Claim, Counterfactual, Inputs, Interval

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

# --- ridge.hessian-gap --------------------------------------------------------------------------------------------


def gap_rows(inputs: Inputs) -> Sequence[Inputs]:
    """The gap's width; where it is open, its two edges."""
    rows = (
        {"quantity": "log width"},
        {"quantity": "log end of the upper bulk"},
        {"quantity": "log start of the lower bulk"},
    )
    return rows if _open(inputs) else rows[:1]


def _open(inputs: Inputs) -> bool:
    from widelimit.numerics import ridge

    given = spectrum(inputs)
    threshold = ridge.gap_thresholds(given["eigenvalues"], given["weights"])[0]
    return float(inputs["sample_ratio"]) > float(threshold)


def _edges(inputs: Inputs, weights: Sequence[float]) -> np.ndarray:
    from widelimit.numerics import ridge

    given = spectrum(inputs)
    gaps = ridge.hessian_gaps(given["eigenvalues"], list(weights), sample_ratio=float(inputs["sample_ratio"]))
    if gaps.fractions.size == 1:
        return np.zeros(3)
    above, below = np.log(gaps.lower[0]), np.log(gaps.upper[1])
    return np.array([above - below, above, below])


def predict_gap(inputs: Inputs) -> np.ndarray:
    """log of the ratio of the gap's edges (0 if it is closed), and of the edges."""
    return _edges(inputs, spectrum(inputs)["weights"])[: len(gap_rows(inputs))]


def simulate_gap(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Eigenvalues number pP and pP + 1: theory says exactly pP lie above the gap."""
    from widelimit.validate.simulate.ridge import Population, neighbours

    place = round(float(inputs["fraction"]) * size)
    found = np.log(
        neighbours(Population.two_scales(inputs, size), samples(inputs, size), place, seeds, backend)
    )
    return np.column_stack([found[:, 0] - found[:, 1], found])[:, : len(gap_rows(inputs))]


def _swapped_gap(inputs: Inputs) -> np.ndarray:
    return _edges(inputs, spectrum(inputs)["weights"][::-1])[: len(gap_rows(inputs))]


def _classical_gap(inputs: Inputs) -> np.ndarray:
    above, below = 0.0, np.log(float(inputs["separation"]))
    return np.array([above - below, above, below])[: len(gap_rows(inputs))]


HESSIAN_GAP = Claim(
    id="ridge.hessian-gap",
    title="Gaps of the loss landscape",
    statement=(
        "The Hessian's spectrum splits at alpha_gap = [(p1 s1^2)^(1/3) + (p2 s2^2)^(1/3)]^3/(s1 - "
        "s2)^2; exactly p1 P eigenvalues lie above."
    ),
    paper=f"{PAPER}, section 4",
    domain={**TWO_SCALES, "separation": Interval(0.02, 0.4, simplest=0.1), "sample_ratio": SAMPLES},
    plans=presets(
        (
            point(0.25, 0.1, 0.5, 0.1, sample_ratio=1.5),
            point(0.5, 0.1, 0.5, 0.1, sample_ratio=0.75),
        ),
        (point(0.5, 0.2, 0.5, 0.1, sample_ratio=3.0), point(0.25, 0.02, 0.5, 0.1, sample_ratio=0.75)),
        sizes=((80, 160, 320), (160, 320, 640), (400, 800, 1600)),
        most=(192, 192, 192),
    ),
    predict=predict_gap,
    simulate=simulate_gap,
    rows=gap_rows,
    derivation=derivation("hessian-gap"),
    exponent=2 / 3,
    margin=0.05,
    scale=np.ones_like,
    valid=lambda inputs: (
        float(inputs["sample_ratio"]) > float(inputs["fraction"])
    ),  # else the upper bulk is cut short
    size_name="dimensions",
    quantity="log edges",
    observable="logarithms of the eigenvalues number p1 P and p1 P + 1 of X^T X/N",
    notes=(
        "Eigenvalues at an edge are off by N^(-2/3) (Tracy and Widom), where the gap is closed by N^-1; "
        "the larger is used."
    ),
    counterfactuals=(
        Counterfactual(
            "scales swapped",
            "the threshold and the edges with the fractions of the two scales swapped",
            _swapped_gap,
            lambda inputs: bool(np.abs(_swapped_gap(inputs) - predict_gap(inputs)).max() > 0.15),
        ),
        Counterfactual(
            "population spectrum",
            "the gap of the population covariance, open whatever the number of samples",
            _classical_gap,
        ),
    ),
)

LANDSCAPE_CLAIMS = (HESSIAN_GAP,)
