"""Claims about errors: on new data, on training data, split into bias and variance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.claims.ridge.shared import (
    AT_SIZE,
    FINITE_SIZES,
    NAMES,
    PAPER,
    POPULATION,
    SAMPLES,
    TWO_SCALES,
    derivation,
    expands,
    isotropic,
    plans,
    samples,
    shuffled,
)
from widelimit.validate.harness.claim import Inputs, Interval
from widelimit.validate.harness.declare import another, at_size, declare, instead, table, wrong

if TYPE_CHECKING:
    from widelimit.numerics.ridge import RidgeSolution
    from widelimit.validate.harness.backend import Backend

PENALTIES = (0.01, 0.1, 1.0)
_NOTHING = 1e-8


def simulate_test_error(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Errors of ridge fits on new Gaussian data."""
    from widelimit.validate.simulate.ridge import Population, mean_errors

    return mean_errors(Population.two_scales(inputs, size), samples(inputs, size), PENALTIES, seeds, backend)


def simulate_training(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Training errors of ridge fits, and their generalised cross-validation scores."""
    from widelimit.validate.simulate.ridge import Population, mean_training_errors

    return mean_training_errors(
        Population.two_scales(inputs, size), samples(inputs, size), PENALTIES, seeds, backend
    )


def simulate_parts(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Unbiased estimates of the parts from pairs of training sets."""
    from widelimit.validate.simulate.ridge import Population, parts

    return parts(
        Population.two_scales(inputs, size), samples(inputs, size), float(inputs["penalty"]), seeds, backend
    )


_POINTS = table(
    f"{NAMES} sample_ratio",
    [(0.25, 0.1, 0.8, 0.1, 0.5), (0.5, 0.2, 0.3, 0.3, 2.0)],
    [
        (0.1, 0.05, 0.9, 0.05, 0.25),
        (0.25, 0.5, 0.1, 0.5, 1.0),
        (0.5, 0.02, 0.5, 0.1, 0.75),
        (0.1, 0.3, 0.6, 1.0, 3.0),
    ],
)
_FITS: dict[str, Any] = {  # all fits of a replicate share its inputs
    "domain": {**TWO_SCALES, "sample_ratio": SAMPLES},
    "solver": "ridge.solve",
    "given": {**POPULATION, "penalty": PENALTIES},
    "over": {"penalty": PENALTIES},
    "valid": expands,
    "size_name": "dimensions",
}
_AT_SIZE: dict[str, Any] = AT_SIZE | {"penalty": PENALTIES}
TEST_ERROR = declare(
    "ridge.test-error",
    title="Test error on anisotropic data",
    statement="Test error depends on data and target only through the covariance eigenvalues, the signal on each, and "
    "noise.",
    paper=f"{PAPER}, section 3",
    rows="test_error",
    simulate=simulate_test_error,
    plans=plans(_POINTS, (1024, 4096, 2048), FINITE_SIZES, target=0.005),
    derivation=derivation("test-error", "finite-samples"),
    finite=at_size(solver="ridge.at_samples", **_AT_SIZE),
    within=0.005,  # of an error; theory is right to order 1/N^2
    quantity="E",
    observable="sum s (w^ - w)^2 + sigma^2 of a fit, averaged exactly over label noise and signs of w",
    wrong=(
        wrong(
            "penalty not scaled by N",
            "the penalty taken for that of the plain sum of squares, which many samples outweigh",
            another("ridge.solve", **POPULATION, penalty=(_NOTHING,) * len(PENALTIES)),
            beyond=0.0,
        ),
        shuffled(),
        isotropic(),
    ),
    **_FITS,
)


def _first_power(found: RidgeSolution) -> np.ndarray:
    return np.asarray(PENALTIES / found.effective_ridge * found.test_error)


TRAINING_ERROR = declare(
    "ridge.training-error",
    title="Training error and cross-validation",
    statement="Training error is (lambda/kappa)^2 times test error, so that generalised cross-validation finds the "
    "latter.",
    paper=f"{PAPER}, section 3",
    rows={"training error": "training_error", "cross-validation": "test_error"},
    simulate=simulate_training,
    plans=plans(_POINTS, (1024, 4096, 2048), FINITE_SIZES, target=0.01),
    derivation=derivation("training-error", "finite-samples"),
    finite=at_size({"cross-validation": "cross_validation"}, solver="ridge.at_samples", **_AT_SIZE),
    within=0.01,
    quantity="training error, GCV",
    observable="mean squared residual, averaged exactly over label noise and signs of w, alone and over "
    "(lambda tr(K + lambda)^-1/N)^2",
    wrong=(
        wrong(
            "first power",
            "lambda/kappa in place of its square",
            instead({"training error": _first_power}),
            beyond=0.0,
        ),
        shuffled(),
    ),
    **_FITS,
)
BIAS_VARIANCE = declare(
    "ridge.bias-variance",
    title="Bias and variance",
    statement="The mean fit is a population ridge of penalty kappa; variance over inputs is B rho/(1 - rho), over "
    "noise sigma^2 rho/(1 - rho).",
    paper=f"{PAPER}, section 3",
    domain={**TWO_SCALES, "sample_ratio": SAMPLES, "penalty": Interval(0.02, 1.0, simplest=0.1)},
    solver="ridge.solve",
    given=POPULATION,
    named="part",
    rows={
        "squared bias": "bias",
        "variance over inputs": "variance_of_inputs",
        "variance over noise": "variance_of_noise",
    },
    simulate=simulate_parts,
    plans=plans(
        table(
            f"{NAMES} sample_ratio penalty",
            [(0.25, 0.1, 0.8, 0.2, 0.5, 0.05), (0.5, 0.2, 0.3, 0.3, 1.0, 0.1)],
            [(0.1, 0.05, 0.9, 0.05, 0.25, 0.05), (0.25, 0.5, 0.2, 0.5, 2.0, 0.3)],
        ),
        (1024, 4096, 2048),
        FINITE_SIZES,
        target=0.01,
    ),
    derivation=derivation("bias-variance", "finite-samples"),
    finite=at_size(solver="ridge.at_samples", **AT_SIZE),
    within=0.01,
    valid=expands,
    # parts smaller than a fifth of the whole are compared with that
    scale=lambda predicted: np.maximum(np.abs(predicted), 0.2 * np.abs(predicted).sum()),
    size_name="dimensions",
    quantity="parts of E",
    observable="products and squares of the errors of two fits, averaged exactly over label noise and signs of w",
    wrong=(
        wrong(
            "fixed inputs",
            "the classical split at fixed inputs, which counts the variance over inputs as bias",
            instead(
                {
                    "squared bias": lambda found: found.bias + found.variance_of_inputs,
                    "variance over inputs": 0.0,
                }
            ),
            beyond=0.0,
        ),
        isotropic(),
    ),
)
ERROR_CLAIMS = (TEST_ERROR, TRAINING_ERROR, BIAS_VARIANCE)
