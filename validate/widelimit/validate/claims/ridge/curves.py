"""Claims about whole learning curves: their peaks, and how alignment shortens them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.ridge.errors import solved
from widelimit.validate.claims.ridge.shared import (
    PAPER,
    derivation,
    isotropic,
    point,
    population,
    presets,
    shuffled,
    wrong,
)
from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Inputs, Interval

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

# --- ridge.multiple-descent ---------------------------------------------------------------------------------------

_DESCENT_RATIOS = (0.15, 0.25, 0.5, 0.75, 1.0, 1.5)
_DESCENT_PENALTY = 1e-4  # keeps the second moment of the error finite at both peaks


def ratio_rows(inputs: Inputs) -> Sequence[Inputs]:
    """One row a sample ratio along the learning curve."""
    return tuple({"sample_ratio": ratio} for ratio in _DESCENT_RATIOS)


def predict_descent(inputs: Inputs) -> np.ndarray:
    """log E along the learning curve of an almost ridgeless fit."""
    return np.log(solved(inputs, _DESCENT_PENALTY, _DESCENT_RATIOS).test_error)


def simulate_descent(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """log test errors; every sample ratio has its own data."""
    from widelimit.validate.simulate.ridge import Population, test_errors

    population_ = Population.two_scales(inputs, size)
    columns = [
        test_errors(
            population_, round(ratio * size), [_DESCENT_PENALTY], [seed + k for seed in seeds], backend
        )
        for k, ratio in enumerate(_DESCENT_RATIOS)
    ]
    return np.log(np.concatenate(columns, axis=1))


MULTIPLE_DESCENT = Claim(
    id="ridge.multiple-descent",
    title="Multiple descent",
    statement=(
        "Separated covariance scales give the error a peak at each cumulative fraction of dimensions, "
        "not at N = P only."
    ),
    paper=f"{PAPER}, section 4",
    domain={
        "fraction": Choice((0.25, 0.5)),
        "separation": Interval(0.005, 0.05, simplest=0.01),
        "share": Interval(0.2, 0.8, simplest=0.5),
        "noise": Interval(0.02, 0.3, simplest=0.1),
    },
    plans=presets(
        (point(0.25, 0.01, 0.7, 0.1),),
        (point(0.5, 0.01, 0.4, 0.05), point(0.25, 0.03, 0.3, 0.2)),
        sizes=((60, 120, 240), (80, 160, 320), (400, 800, 1600)),
        most=(256, 320, 384),
    ),
    predict=predict_descent,
    simulate=simulate_descent,
    rows=ratio_rows,
    derivation=derivation("separated-scales"),
    margin=0.08,
    scale=np.ones_like,  # an absolute margin on a logarithm: eight per cent of an error
    location="median",
    size_name="dimensions",
    quantity="log E",
    observable="log test error at penalty 1e-4",
    notes=(
        "Near a peak errors are heavy-tailed: the median of the logarithm is compared, at a small "
        "penalty, not the mean."
    ),
    counterfactuals=(
        wrong(
            "isotropic",
            "one eigenvalue, the mean: a single peak at N = P",
            predict_descent,
            isotropic,
            0.05,
            floor=1.0,
        ),
        wrong("shuffled", "the signal sits on the other scale", predict_descent, shuffled, 0.08, floor=1.0),
    ),
)

# --- ridge.alignment ----------------------------------------------------------------------------------------------

_ALIGNED_RATIOS = (0.1, 0.25, 0.5)


def aligned_rows(inputs: Inputs) -> Sequence[Inputs]:
    """One row a sample ratio."""
    return tuple({"sample_ratio": ratio} for ratio in _ALIGNED_RATIOS)


def _best_penalties(inputs: Inputs) -> np.ndarray:
    from widelimit.numerics import ridge

    return np.asarray(ridge.optimal_penalty(**population(inputs), sample_ratio=_ALIGNED_RATIOS).penalty)


def predict_alignment(inputs: Inputs) -> np.ndarray:
    """E at the best penalty for the true population."""
    return np.array(
        [
            solved(inputs, penalty, ratio).test_error
            for penalty, ratio in zip(_best(inputs), _ALIGNED_RATIOS, strict=True)
        ]
    )


def _best(inputs: Inputs) -> np.ndarray:
    true = {name: value for name, value in inputs.items() if name != "isotropic"}
    return _best_penalties(true)


def simulate_alignment(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Test errors at the best penalties."""
    from widelimit.validate.simulate.ridge import Population, test_errors

    population_ = Population.two_scales(inputs, size)
    columns = [
        test_errors(population_, round(ratio * size), [penalty], [seed + k for seed in seeds], backend)
        for k, (ratio, penalty) in enumerate(zip(_ALIGNED_RATIOS, _best(inputs), strict=True))
    ]
    return np.concatenate(columns, axis=1)


def _isotropic_samples(inputs: Inputs) -> np.ndarray:
    """The best an isotropic problem does with as many samples a dimension: no gain from alignment."""
    from widelimit.numerics import ridge

    return np.asarray(
        ridge.optimal_penalty(1.0, signal=1.0, noise=inputs["noise"], sample_ratio=_ALIGNED_RATIOS).test_error
    )


ALIGNMENT = Claim(
    id="ridge.alignment",
    title="Alignment lowers the sample complexity",
    statement=(
        "A target on a fraction p of strong directions is learnt like an isotropic one of N/(pP) "
        "samples a dimension."
    ),
    paper=f"{PAPER}, section 4",
    domain={
        "fraction": Choice((0.25, 0.1)),
        "separation": Interval(0.001, 0.1, simplest=0.01),
        "share": Choice((1.0,)),
        "noise": Interval(0.02, 0.5, simplest=0.1),
    },
    plans=presets(
        (point(0.25, 0.01, 1.0, 0.1),),
        (point(0.1, 0.02, 1.0, 0.05), point(0.1, 0.005, 1.0, 0.3)),
        most=(512, 1536, 1024),
    ),
    predict=predict_alignment,
    simulate=simulate_alignment,
    rows=aligned_rows,
    derivation=derivation("alignment"),
    margin=0.05,
    size_name="dimensions",
    quantity="E at the best penalty",
    observable="test error at the penalty that theory finds best",
    counterfactuals=(
        Counterfactual(
            "no gain", "an isotropic target needs samples for all P dimensions", _isotropic_samples
        ),
        Counterfactual(
            "misaligned", "the signal sits on the weak directions", lambda inputs: _misaligned(inputs)
        ),
    ),
)


def _misaligned(inputs: Inputs) -> np.ndarray:
    from widelimit.numerics import ridge

    return np.asarray(
        ridge.optimal_penalty(**population(shuffled(inputs)), sample_ratio=_ALIGNED_RATIOS).test_error
    )


CURVE_CLAIMS = (MULTIPLE_DESCENT, ALIGNMENT)
