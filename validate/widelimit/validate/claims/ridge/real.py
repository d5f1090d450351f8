"""Claims about real data, which is not Gaussian: where the theory holds on it, and by how much it is off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from widelimit.validate.claims.ridge.shared import derivation
from widelimit.validate.harness.claim import Choice, Inputs, Integers, Interval, Plan, Preset
from widelimit.validate.harness.declare import altered, another, declare, presets, table, wrong
from widelimit.validate.harness.declare.points import Points

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend


def _plans(points: Points, most: tuple[int, int, int]) -> Mapping[Preset, Plan]:
    return presets(points, ((), (), ()), pilot=(32, 64, 128), most=most, block=(32, 64, 128))


# --- ridge.digits -------------------------------------------------------------------------------------------------


class Pool(NamedTuple):
    """What second moments say about fits to rows of a pool: the spectrum of its inputs, their signal, the rest."""

    eigenvalues: np.ndarray
    signal: np.ndarray
    noise: float

    @classmethod
    def of(cls, X: np.ndarray, y: np.ndarray) -> Pool:
        """Centred inputs and targets, whose directions of no variance are left out."""
        s, V = np.linalg.eigh(X.T @ X / len(y))
        kept = s > 1e-9 * s[-1]
        s, V = s[kept], V[:, kept]
        u = (V.T @ (X.T @ y) / len(y)) ** 2 / s
        return cls(s, u, max(float(np.mean(y**2) - u.sum()), 1e-12))

    def error(self, samples: int, penalty: float) -> float:
        """The error of a fit to so many rows."""
        from widelimit.numerics import ridge

        given: dict[str, Any] = {"signal": self.signal, "noise": self.noise, "penalty": penalty}
        ratio = samples / self.eigenvalues.size
        return float(ridge.solve(self.eigenvalues, sample_ratio=ratio, **given).test_error)


def log_pool_error(
    task: str, samples: int, penalty: float, reverse: bool = False, isotropic: bool = False
) -> float:
    """log E of N draws from the pool, whose own second moments are the population's."""
    from widelimit.numerics import ridge
    from widelimit.validate.simulate.ridge.real import digits

    pool = Pool.of(*digits(task))
    mean, ratio = float(pool.eigenvalues.mean()), samples / pool.eigenvalues.size
    if isotropic:
        found = ridge.solve(
            mean, signal=pool.signal.sum(), noise=pool.noise, sample_ratio=ratio, penalty=penalty * mean
        )
        return float(np.log(found.test_error))
    signal = pool.signal[::-1] if reverse else pool.signal
    return float(np.log(pool._replace(signal=signal).error(samples, penalty * mean)))


def simulate_digits(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """log of the mean squared error over the pool of a fit to N rows drawn with replacement, no intercept."""
    from widelimit.validate.simulate.ridge.real import digits, mean_eigenvalue, pool_errors

    X, y = digits(str(inputs["task"]))
    penalty = float(inputs["penalty"]) * mean_eigenvalue(X)
    return np.log(pool_errors(X, y, int(inputs["samples"]), [penalty], seeds, backend))


DIGITS = declare(
    "ridge.digits",
    title="Real images: Gaussian equivalence",
    statement="The learning curve of ridge regression on images follows from their second moments alone, as if they "
    "were Gaussian.",
    paper="Loureiro et al., NeurIPS 2021; Mel & Ganguli, ICML 2021",
    domain={
        "task": Choice(("value", "parity", "zero or not")),
        "samples": Integers(50, 600),
        "penalty": Interval(0.15, 2.0, simplest=1.0),
    },
    solver=log_pool_error,
    rows=lambda found: found,
    simulate=simulate_digits,
    plans=_plans(
        table(
            "task samples penalty",
            [("parity", 100, 0.15), ("value", 400, 0.5)],
            [
                ("zero or not", 50, 0.15),
                ("parity", 400, 0.15),
                ("value", 100, 1.0),
                ("value", 75, 0.02),
                ("value", 75, 0.005),
            ],
        ),
        (512, 1024, 4096),
    ),
    derivation=derivation("test-error"),
    within=0.1,
    scale=np.ones_like,  # absolute, on a logarithm: ten per cent of an error
    quantity="log E",
    observable="log of the mean squared error over all 1797 images",
    notes="No size is extrapolated: N and P are those of the data. Penalties are in units of the mean eigenvalue. "
    "At penalties of 0.15 and above theory and fits differ by two or three per cent, at 0.005 by up to ten with 50 to "
    "100 samples: pixels that are dark in almost all images are not Gaussian.",
    wrong=(
        wrong(
            "shuffled",
            "the same spectrum with the target's signal in reverse order",
            altered(reverse=True),
            beyond=0.0,
        ),
        wrong(
            "isotropic",
            "one eigenvalue, the mean, for correlated pixels",
            altered(isotropic=True),
            beyond=2.0,
        ),
    ),
)

# --- ridge.from-data ----------------------------------------------------------------------------------------------

_SPLITS = 4  # into halves, either of which predicts: what one half has too much, the other has too little
_FITS = 8  # a replicate, each to a part of a random half; where their mean error is least is looked for


class Predicted(NamedTuple):
    """What halves of a data set say about fits, in the mean over splits."""

    log_penalty: float
    log_error: float


@lru_cache(maxsize=32)
def from_halves(data: str, samples: int) -> Predicted:
    """Best penalty (over the mean eigenvalue) and its error, predicted from one half of the data."""
    from widelimit.numerics.ridge import from_data
    from widelimit.validate.simulate.ridge.real import data_set, mean_eigenvalue

    X, y = data_set(data)
    found = []
    for split in range(_SPLITS):
        order = np.random.default_rng(split).permutation(len(y))
        for half in np.array_split(order, 2):
            theory = from_data(X[half], y[half], redrawn=2)
            penalty = float(theory.best_penalty(samples))
            error = theory.learning_curve(samples=samples, penalty=penalty).test_error.item()
            found.append((np.log(penalty / mean_eigenvalue(X - X.mean(0))), np.log(error)))
    return Predicted(*(float(mean) for mean in np.mean(found, axis=0)))


@lru_cache(maxsize=32)
def from_sample(data: str, samples: int) -> Predicted:
    """The same if a few rows' own covariance and least-squares fit were the population's."""
    from widelimit.validate.simulate.ridge.real import data_set, mean_eigenvalue

    X, y = data_set(data)
    few = np.random.default_rng(0).permutation(len(y))[:samples]
    pool = Pool.of(X[few] - X[few].mean(0), y[few] - y[few].mean())
    right = from_halves(data, samples)
    penalty = float(np.exp(right.log_penalty)) * mean_eigenvalue(X - X.mean(0))
    return right._replace(log_error=float(np.log(pool.error(samples, penalty))))


def simulate_halves(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Fit N rows of random halves, and look where a scan of penalties errs least on the rest of these halves."""
    from widelimit.validate.simulate.ridge.real import best_of_halves

    return best_of_halves(str(inputs["data"]), int(inputs["samples"]), seeds, fits=_FITS)


FROM_DATA = declare(
    "ridge.from-data",
    title="Learning curves predicted from data",
    statement="One half of a data set predicts the error of ridge fits on the other half, and the best penalty, "
    "without cross-validation.",
    paper="Mel & Ganguli, ICML 2021; Ledoit & Peche, PTRF 2011",
    domain={"data": Choice(("diabetes", "digits", "digits features")), "samples": Integers(50, 200)},
    solver=from_halves,
    rows={"log best penalty": "log_penalty", "log error": "log_error"},
    simulate=simulate_halves,
    plans=_plans(
        table(
            "data samples",
            [("diabetes", 60), ("digits", 200)],
            [("diabetes", 150), ("digits", 60), ("digits features", 150), ("digits features", 300)],
        ),
        (96, 512, 1024),  # the best penalty for 150 patients scatters by a factor of four
    ),
    derivation=derivation("training-error"),
    within=0.1,
    scale=lambda predicted: np.array([3.0, 1.0]),  # thirty per cent of a penalty, ten of an error
    quantity="log of the best penalty and of its error",
    observable="place and depth of the least mean error of eight fits to N rows of a random half, tested on its other "
    "rows, by a scan of penalties",
    notes="Theory reads one half of a data set, fits are made and tested on the other; both are averaged over random "
    "halves of the same data set: the error bars are about the split, not about "
    "other data sets. The estimated population takes each row's own leverage, so that heavy tails cost it "
    "little; how the error changes with the number of samples is Gaussian theory.",
    wrong=wrong(
        "sample eigenvalues",
        "the sample covariance and its least-squares fit taken for the population",
        another(from_sample),
        beyond=2.0,
    ),
)
REAL_CLAIMS = (DIGITS, FROM_DATA)
