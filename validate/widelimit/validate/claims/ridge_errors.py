"""Claims about errors: on new data, on training data, split into bias and variance, along the learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claim import Choice, Claim, Counterfactual, Inputs, Interval
from widelimit.validate.claims.ridge_shared import (
    PAPER,
    SAMPLES,
    TWO_SCALES,
    derivation,
    isotropic,
    point,
    population,
    presets,
    samples,
    shuffled,
    wrong,
)

if TYPE_CHECKING:
    from widelimit.validate.backend import Backend

PENALTIES = (0.01, 0.1, 1.0)
_MARGIN = 0.03  # of an error; finite-size terms are about 1/N before they are extrapolated away
_TINY = 1e-4


def _solve(
    inputs: Inputs, penalty: float | Sequence[float], sample_ratio: float | Sequence[float] | None = None
):
    from widelimit.numerics import ridge

    ratio = inputs["sample_ratio"] if sample_ratio is None else sample_ratio
    return ridge.solve(**population(inputs), sample_ratio=ratio, penalty=penalty)


# --- ridge.test-error ---------------------------------------------------------------------------------------------


def penalty_rows(inputs: Inputs) -> Sequence[Inputs]:
    """One row a penalty; all fits of a replicate share its data."""
    return tuple({"penalty": penalty} for penalty in PENALTIES)


def predict_test_error(inputs: Inputs) -> np.ndarray:
    """E at each penalty."""
    return np.asarray(_solve(inputs, PENALTIES).test_error)


def simulate_test_error(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Errors of ridge fits on new Gaussian data."""
    from widelimit.validate.simulate.ridge import Population, test_errors

    return test_errors(Population.two_scales(inputs, size), samples(inputs, size), PENALTIES, seeds, backend)


def _ridgeless(inputs: Inputs) -> np.ndarray:
    """What a penalty that is not multiplied by N amounts to in the limit: nothing."""
    return np.asarray(_solve(inputs, [_TINY**2] * len(PENALTIES)).test_error)


def _same(inputs: Inputs) -> Inputs:
    return inputs


_ERROR_POINTS = (
    point(0.25, 0.1, 0.8, 0.1, sample_ratio=0.5),
    point(0.5, 0.2, 0.3, 0.3, sample_ratio=2.0),
)
_MORE_POINTS = (
    point(0.1, 0.05, 0.9, 0.05, sample_ratio=0.25),
    point(0.25, 0.5, 0.1, 0.5, sample_ratio=1.0),
    point(0.5, 0.02, 0.5, 0.1, sample_ratio=0.75),
    point(0.1, 0.3, 0.6, 1.0, sample_ratio=3.0),
)

TEST_ERROR = Claim(
    id="ridge.test-error",
    title="Test error on anisotropic data",
    statement=(
        "Test error depends on data and target only through the covariance eigenvalues, the signal on "
        "each, and noise."
    ),
    paper=f"{PAPER}, section 3",
    domain={**TWO_SCALES, "sample_ratio": SAMPLES},
    plans=presets(_ERROR_POINTS, _MORE_POINTS),
    predict=predict_test_error,
    simulate=simulate_test_error,
    rows=penalty_rows,
    derivation=derivation("test-error"),
    margin=_MARGIN,
    size_name="dimensions",
    quantity="E",
    observable="sum s (w^ - w)^2 + sigma^2 of a fit",
    counterfactuals=(
        Counterfactual(
            "penalty not scaled by N",
            "the penalty taken for that of the plain sum of squares, which many samples outweigh",
            _ridgeless,
        ),
        wrong("shuffled", "the signal sits on the other scale", predict_test_error, shuffled, _MARGIN),
        wrong(
            "isotropic",
            "one eigenvalue, the mean, for correlated data",
            predict_test_error,
            isotropic,
            _MARGIN,
        ),
    ),
)

# --- ridge.training-error -----------------------------------------------------------------------------------------


def training_rows(inputs: Inputs) -> Sequence[Inputs]:
    """Training error and cross-validation score at each penalty."""
    return tuple(
        {"quantity": name, "penalty": penalty}
        for name in ("training error", "cross-validation")
        for penalty in PENALTIES
    )


def predict_training(inputs: Inputs) -> np.ndarray:
    """(lambda/kappa)^2 E, and E again for the cross-validation score."""
    found = _solve(inputs, PENALTIES)
    return np.concatenate([found.training_error, found.test_error])


def simulate_training(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Training errors of ridge fits, and their generalised cross-validation scores."""
    from widelimit.validate.simulate.ridge import Population, training_errors

    return training_errors(
        Population.two_scales(inputs, size), samples(inputs, size), PENALTIES, seeds, backend
    )


def _first_power(inputs: Inputs) -> np.ndarray:
    found = _solve(inputs, PENALTIES)
    slack = np.asarray(PENALTIES) / found.effective_ridge
    return np.concatenate([slack * found.test_error, found.test_error])


TRAINING_ERROR = Claim(
    id="ridge.training-error",
    title="Training error and cross-validation",
    statement=(
        "Training error is (lambda/kappa)^2 times test error, so that generalised cross-validation "
        "finds the latter."
    ),
    paper=f"{PAPER}, section 3",
    domain={**TWO_SCALES, "sample_ratio": SAMPLES},
    plans=presets(_ERROR_POINTS, _MORE_POINTS, most=(768, 1024, 1024)),
    predict=predict_training,
    simulate=simulate_training,
    rows=training_rows,
    derivation=derivation("training-error"),
    margin=0.05,
    size_name="dimensions",
    quantity="training error, GCV",
    observable="mean squared residual, alone and over (lambda tr(K + lambda)^-1/N)^2",
    counterfactuals=(
        Counterfactual("first power", "lambda/kappa in place of its square", _first_power),
        wrong("shuffled", "the signal sits on the other scale", predict_training, shuffled, _MARGIN),
    ),
)

# --- ridge.bias-variance ------------------------------------------------------------------------------------------


def part_rows(inputs: Inputs) -> Sequence[Inputs]:
    """The three parts of the error beyond the label noise."""
    return tuple({"part": name} for name in ("squared bias", "variance over inputs", "variance over noise"))


def predict_parts(inputs: Inputs) -> np.ndarray:
    """B, B rho/(1 - rho), sigma^2 rho/(1 - rho)."""
    found = _solve(inputs, float(inputs["penalty"]))
    return np.array([found.bias, found.variance_of_inputs, found.variance_of_noise])


def simulate_parts(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Unbiased estimates of the parts from pairs of training sets."""
    from widelimit.validate.simulate.ridge import Population, parts

    return parts(
        Population.two_scales(inputs, size), samples(inputs, size), float(inputs["penalty"]), seeds, backend
    )


def _all_variance_from_noise(inputs: Inputs) -> np.ndarray:
    found = _solve(inputs, float(inputs["penalty"]))
    return np.array([found.bias + found.variance_of_inputs, 0.0, found.variance_of_noise])


BIAS_VARIANCE = Claim(
    id="ridge.bias-variance",
    title="Bias and variance",
    statement=(
        "The mean fit is a population ridge of penalty kappa; variance over inputs is B rho/(1 - rho), "
        "over noise sigma^2 rho/(1 - rho)."
    ),
    paper=f"{PAPER}, section 3",
    domain={**TWO_SCALES, "sample_ratio": SAMPLES, "penalty": Interval(0.02, 1.0, simplest=0.1)},
    plans=presets(
        (
            point(0.25, 0.1, 0.8, 0.2, sample_ratio=0.5, penalty=0.05),
            point(0.5, 0.2, 0.3, 0.3, sample_ratio=1.0, penalty=0.1),
        ),
        (
            point(0.1, 0.05, 0.9, 0.05, sample_ratio=0.25, penalty=0.05),
            point(0.25, 0.5, 0.2, 0.5, sample_ratio=2.0, penalty=0.3),
        ),
        most=(256, 256, 512),
    ),
    predict=predict_parts,
    simulate=simulate_parts,
    rows=part_rows,
    derivation=derivation("bias-variance"),
    margin=0.05,
    # parts smaller than a twentieth of the whole are compared with that
    scale=lambda predicted: np.maximum(np.abs(predicted), 0.2 * np.abs(predicted).sum()),
    size_name="dimensions",
    quantity="parts of E",
    observable="products and squares of the errors of two fits",
    counterfactuals=(
        Counterfactual(
            "fixed inputs",
            "the classical split at fixed inputs, which counts the variance over inputs as bias",
            _all_variance_from_noise,
        ),
        wrong(
            "isotropic",
            "one eigenvalue, the mean, for correlated data",
            predict_parts,
            isotropic,
            0.05,
            floor=0.1,
        ),
    ),
)

# --- ridge.multiple-descent ---------------------------------------------------------------------------------------

_DESCENT_RATIOS = (0.15, 0.25, 0.5, 0.75, 1.0, 1.5)
_DESCENT_PENALTY = 1e-4  # keeps the second moment of the error finite at both peaks


def ratio_rows(inputs: Inputs) -> Sequence[Inputs]:
    """One row a sample ratio along the learning curve."""
    return tuple({"sample_ratio": ratio} for ratio in _DESCENT_RATIOS)


def predict_descent(inputs: Inputs) -> np.ndarray:
    """log E along the learning curve of an almost ridgeless fit."""
    return np.log(_solve(inputs, _DESCENT_PENALTY, _DESCENT_RATIOS).test_error)


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
            _solve(inputs, penalty, ratio).test_error
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


ERROR_CLAIMS = (TEST_ERROR, TRAINING_ERROR, BIAS_VARIANCE, MULTIPLE_DESCENT, ALIGNMENT)
