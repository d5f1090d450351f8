"""Claims about real data, which is not Gaussian: where the theory holds on it, and by how much it is off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.ridge.shared import derivation
from widelimit.validate.harness.claim import (
    Choice,
    Claim,
    Counterfactual,
    Inputs,
    Integers,
    Interval,
    Plan,
    Preset,
)

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_TASKS = ("value", "parity", "zero or not")


def _plans(quick: Sequence[Inputs], more: Sequence[Inputs], most: tuple[int, int, int]) -> dict[Preset, Plan]:
    everything = (*quick, *more)
    return {
        "quick": Plan(tuple(quick), (), pilot=32, most=most[0], block=32),
        "reference": Plan(everything, (), pilot=64, most=most[1], block=64),
        "deep": Plan(everything, (), pilot=128, most=most[2], block=128),
    }


# --- ridge.digits -------------------------------------------------------------------------------------------------


def pool(inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """All images of scikit-learn's digits, centred, and the centred target of a task."""
    from widelimit.validate.simulate.ridge.real import digits

    return digits(str(inputs["task"]))


def predict_digits(inputs: Inputs) -> np.ndarray:
    """log E of N draws from the pool, whose own second moments are the population's."""
    return np.log([_pool_theory(inputs, shuffle=False)])


def _pool_theory(inputs: Inputs, *, shuffle: bool, isotropic: bool = False) -> float:
    from widelimit.numerics import ridge

    X, y = pool(inputs)
    s, V = np.linalg.eigh(X.T @ X / len(y))
    kept = s > 1e-9 * s[-1]
    s, V = s[kept], V[:, kept]
    u = (V.T @ (X.T @ y) / len(y)) ** 2 / s
    noise = float(np.mean(y**2) - u.sum())
    penalty = float(inputs["penalty"]) * s.mean()
    if shuffle:
        u = u[::-1]
    ratio = int(inputs["samples"]) / s.size
    if isotropic:
        return float(
            ridge.solve(s.mean(), signal=u.sum(), noise=noise, sample_ratio=ratio, penalty=penalty).test_error
        )
    return float(ridge.solve(s, signal=u, noise=noise, sample_ratio=ratio, penalty=penalty).test_error)


def simulate_digits(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """log of the mean squared error over the pool of a fit to N rows drawn with replacement, no intercept."""
    from widelimit.validate.simulate.ridge.real import pool_errors

    X, y = pool(inputs)
    scale = float((X**2).sum(1).mean()) / np.linalg.matrix_rank(X)
    penalty = float(inputs["penalty"]) * scale
    return np.log(pool_errors(X, y, int(inputs["samples"]), [penalty], seeds, backend))


def _task(task: str, samples: int, penalty: float) -> Inputs:
    return {"task": task, "samples": samples, "penalty": penalty}


DIGITS = Claim(
    id="ridge.digits",
    title="Real images: Gaussian equivalence",
    statement=(
        "The learning curve of ridge regression on images follows from their second moments alone, as "
        "if they were Gaussian."
    ),
    paper="Loureiro et al., NeurIPS 2021; Mel & Ganguli, ICML 2021",
    domain={
        "task": Choice(_TASKS),
        "samples": Integers(50, 600),
        "penalty": Interval(0.15, 2.0, simplest=1.0),
    },
    plans=_plans(
        (_task("parity", 100, 0.15), _task("value", 400, 0.5)),
        (
            _task("zero or not", 50, 0.15),
            _task("parity", 400, 0.15),
            _task("value", 100, 1.0),
            _task("value", 75, 0.02),
            _task("value", 75, 0.005),
        ),
        (512, 1024, 4096),
    ),
    predict=predict_digits,
    simulate=simulate_digits,
    derivation=derivation("test-error"),
    margin=0.1,
    scale=np.ones_like,  # absolute, on a logarithm: ten per cent of an error
    quantity="log E",
    observable="log of the mean squared error over all 1797 images",
    notes=(
        "No size is extrapolated: N and P are those of the data. Penalties are in units of the mean eigenvalue. "
        "At penalties of 0.15 and above theory and fits differ by two or three per cent, at 0.005 by "
        "up to ten with 50 to "
        "100 samples: pixels that are dark in almost all images are not Gaussian."
    ),
    counterfactuals=(
        Counterfactual(
            "shuffled",
            "the same spectrum with the target's signal in reverse order",
            lambda inputs: np.log([_pool_theory(inputs, shuffle=True)]),
        ),
        Counterfactual(
            "isotropic",
            "one eigenvalue, the mean, for correlated pixels",
            lambda inputs: np.log([_pool_theory(inputs, shuffle=False, isotropic=True)]),
            lambda inputs: (
                abs(
                    np.log(
                        _pool_theory(inputs, shuffle=False, isotropic=True)
                        / _pool_theory(inputs, shuffle=False)
                    )
                )
                > 0.2
            ),
        ),
    ),
)

# --- ridge.from-data ----------------------------------------------------------------------------------------------


def ratio_rows(inputs: Inputs) -> Sequence[Inputs]:
    """Measured over predicted error, at the penalty that theory finds best."""
    return ({"quantity": "log measured/predicted"}, {"quantity": "log over cross-validation"})


def predict_ratios(inputs: Inputs) -> np.ndarray:
    """No difference between prediction and fit, nor between the theory's penalty and a cross-validated one."""
    return np.zeros(2)


def simulate_ratios(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """One half of the data predicts fits to N rows of the other half, which are tested on the rest of it."""
    from widelimit.validate.simulate.ridge.real import halves

    return halves(str(inputs["data"]), int(inputs["samples"]), seeds)


def _naive(inputs: Inputs) -> np.ndarray:
    from widelimit.validate.simulate.ridge.real import naive_log_ratio

    return np.array([naive_log_ratio(str(inputs["data"]), int(inputs["samples"])), 0.0])


def _data(data: str, samples: int) -> Inputs:
    return {"data": data, "samples": samples}


FROM_DATA = Claim(
    id="ridge.from-data",
    title="Learning curves predicted from data",
    statement=(
        "One half of a data set predicts the error of ridge fits on the other half, and the best "
        "penalty, without cross-validation."
    ),
    paper="Mel & Ganguli, ICML 2021; Ledoit & Peche, PTRF 2011",
    domain={"data": Choice(("diabetes", "digits", "digits features")), "samples": Integers(50, 200)},
    plans=_plans(
        (_data("diabetes", 60), _data("digits", 200)),
        (
            _data("diabetes", 150),
            _data("digits", 60),
            _data("digits features", 150),
            _data("digits features", 300),
        ),
        (96, 256, 512),
    ),
    predict=predict_ratios,
    simulate=simulate_ratios,
    rows=ratio_rows,
    derivation=derivation("training-error"),
    margin=0.1,
    scale=lambda predicted: np.array([1.0, 0.5]),  # ten per cent of the error, five against cross-validation
    quantity="log ratios",
    observable="log of measured over predicted error, and over that of 5-fold cross-validation",
    notes=(
        "Replicates are random halves of one data set: the error bars are about the split, not about "
        "other data sets. The estimated population takes each row's own leverage, so that heavy tails cost it "
        "little; how the error changes with the number of samples is Gaussian theory."
    ),
    counterfactuals=(
        Counterfactual(
            "sample eigenvalues",
            "the sample covariance and its least-squares fit taken for the population",
            _naive,
            lambda inputs: abs(float(_naive(inputs)[0])) > 0.2,
        ),
    ),
)

REAL_CLAIMS = (DIGITS, FROM_DATA)
