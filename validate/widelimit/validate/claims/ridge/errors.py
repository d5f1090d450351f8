"""Claims about errors: on new data, on training data, split into bias and variance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.ridge.shared import (
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
from widelimit.validate.harness.claim import Claim, Counterfactual, Inputs, Interval

if TYPE_CHECKING:
    from widelimit.numerics.ridge import RidgeSolution
    from widelimit.validate.harness.backend import Backend

PENALTIES = (0.01, 0.1, 1.0)
_MARGIN = 0.03  # of an error; finite-size terms are about 1/N before they are extrapolated away
_TINY = 1e-4


def solved(
    inputs: Inputs, penalty: float | Sequence[float], sample_ratio: float | Sequence[float] | None = None
) -> RidgeSolution:
    """Solve a point's population, at its own sample ratio or at others."""
    from widelimit.numerics import ridge

    ratio = inputs["sample_ratio"] if sample_ratio is None else sample_ratio
    return ridge.solve(**population(inputs), sample_ratio=ratio, penalty=penalty)


# --- ridge.test-error ---------------------------------------------------------------------------------------------


def penalty_rows(inputs: Inputs) -> Sequence[Inputs]:
    """One row a penalty; all fits of a replicate share its data."""
    return tuple({"penalty": penalty} for penalty in PENALTIES)


def predict_test_error(inputs: Inputs) -> np.ndarray:
    """E at each penalty."""
    return np.asarray(solved(inputs, PENALTIES).test_error)


def simulate_test_error(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Errors of ridge fits on new Gaussian data."""
    from widelimit.validate.simulate.ridge import Population, test_errors

    return test_errors(Population.two_scales(inputs, size), samples(inputs, size), PENALTIES, seeds, backend)


def _ridgeless(inputs: Inputs) -> np.ndarray:
    """What a penalty that is not multiplied by N amounts to in the limit: nothing."""
    return np.asarray(solved(inputs, [_TINY**2] * len(PENALTIES)).test_error)


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
    found = solved(inputs, PENALTIES)
    return np.concatenate([found.training_error, found.test_error])


def simulate_training(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Training errors of ridge fits, and their generalised cross-validation scores."""
    from widelimit.validate.simulate.ridge import Population, training_errors

    return training_errors(
        Population.two_scales(inputs, size), samples(inputs, size), PENALTIES, seeds, backend
    )


def _first_power(inputs: Inputs) -> np.ndarray:
    found = solved(inputs, PENALTIES)
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
    found = solved(inputs, float(inputs["penalty"]))
    return np.array([found.bias, found.variance_of_inputs, found.variance_of_noise])


def simulate_parts(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Unbiased estimates of the parts from pairs of training sets."""
    from widelimit.validate.simulate.ridge import Population, parts

    return parts(
        Population.two_scales(inputs, size), samples(inputs, size), float(inputs["penalty"]), seeds, backend
    )


def _all_variance_from_noise(inputs: Inputs) -> np.ndarray:
    found = solved(inputs, float(inputs["penalty"]))
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

ERROR_CLAIMS = (TEST_ERROR, TRAINING_ERROR, BIAS_VARIANCE)
