"""Ridge regression with a finite number of samples: means over training sets to order 1/N (`theory.ridge.sizes`)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.numerics.ridge import kernel
from widelimit.numerics.ridge.penalty import optimal_penalty
from widelimit.numerics.ridge.solving import RidgeSolution, solve, with_signal
from widelimit.numerics.ridge.spectrum import Spectrum
from widelimit.theory import ridge as theory
from widelimit.theory.errors import DomainError
from widelimit.theory.ridge import sizes as formulas

_MOST = 0.5  # of the error in the limit: beyond that the next orders are no smaller
_AROUND = 4.0  # the best penalty is looked for within this factor of that of the limit
_SHIFTS = (
    "test_error", "training_error", "cross_validation", "bias", "variance_of_inputs", "variance_of_noise",
    "degrees_of_freedom",
)  # fmt: skip


@by_value
@dataclass(frozen=True)
class RidgeAtSamples:
    """Means over training sets of N samples, of error O(1/N^2): floats, or arrays of the shape of the arguments.

    `limit` is what `solve` says of infinitely many samples and dimensions; the fields of its names exceed it by their
    correction. cross_validation: the mean of the generalised cross-validation score, in the limit the test error.
    degrees_of_freedom: of the mean hat matrix, per (non-zero) dimension.
    """

    samples: Any
    penalty: Any
    test_error: Any
    training_error: Any
    cross_validation: Any
    bias: Any
    variance: Any
    variance_of_inputs: Any
    variance_of_noise: Any
    degrees_of_freedom: Any
    limit: RidgeSolution


def at_samples(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    signal: ArrayLike | None = None,
    noise: ArrayLike = 0.0,
    *,
    sample_ratio: ArrayLike,
    samples: ArrayLike,
    penalty: ArrayLike = 0.0,
) -> RidgeAtSamples:
    """Mean errors of ridge regression with N Gaussian samples in N/sample_ratio dimensions, to order 1/N.

    Arguments as of `solve`, whose weights have to be those of the very spectrum in so many dimensions; `samples`
    broadcasts with them. Corrections are derivatives of log(1 - rho)/2, by which the mean of log det of the sample
    covariance exceeds its equivalent (`theory.ridge.derive("finite-samples")`). They hold for real Gaussian inputs, a
    target of fixed weights and label noise drawn with the inputs.

    The next order is smaller by about 1/(N (1 - rho)^3). `DomainError` where a correction is above half of the test
    error in the limit: few samples, or a peak of the learning curve nearby.

    >>> found = at_samples(1.0, signal=1.0, noise=0.2, sample_ratio=2.0, samples=100)
    >>> round(found.variance_of_noise, 6), round(0.2 * 50 / (100 - 50 - 1), 6)  # least squares: P/(N - P - 1)
    (0.204, 0.204082)
    >>> found = at_samples([1, 0.1], [0.5, 0.5], [0.5, 0.5], 0.2, sample_ratio=2.0, samples=100, penalty=0.1)
    >>> [round(score, 6) for score in (found.test_error, found.training_error, found.cross_validation)]
    [0.502811, 0.231853, 0.499465]
    """
    spectrum = with_signal(eigenvalues, weights, signal)
    size, sigma2, ratio, lam = arguments.broadcast(
        samples=arguments.positive("samples", samples),
        noise=arguments.non_negative("noise", noise),
        sample_ratio=arguments.positive("sample_ratio", sample_ratio),
        penalty=arguments.finite("penalty", penalty),
    )
    limit = solve(spectrum, None, None, sigma2, sample_ratio=ratio, penalty=lam)
    shift = dict(zip(_SHIFTS, _shifts(spectrum, limit, size, sigma2, ratio, lam), strict=True))
    _refuse(size, np.asarray(limit.test_error), shift["test_error"])
    means = {name: arguments.scalar(np.asarray(_limit(limit, name) + moved)) for name, moved in shift.items()}
    variance = means["variance_of_inputs"] + means["variance_of_noise"]
    return RidgeAtSamples(
        samples=arguments.scalar(size), penalty=arguments.scalar(lam), variance=variance, limit=limit, **means
    )


def optimal_at_samples(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    signal: ArrayLike | None = None,
    noise: float = 0.0,
    *,
    sample_ratio: float,
    samples: float,
) -> RidgeAtSamples:
    """The penalty of least mean test error with N samples, to order 1/N: the limit's best penalty, which moves.

    Arguments as of `at_samples`, one number each. `DomainError` where the limit has no best penalty that is finite and
    not zero, and where that of N samples lies beyond four times or a quarter of it.

    >>> target = ([1, 0.1], [0.2, 0.8], [0.5, 0.5], 0.2)
    >>> few = optimal_at_samples(*target, sample_ratio=1.0, samples=50)
    >>> round(few.penalty, 4), round(optimal_penalty(*target, sample_ratio=1.0).penalty, 4)
    (0.0351, 0.0349)
    """
    spectrum = with_signal(eigenvalues, weights, signal)
    best = float(optimal_penalty(spectrum, None, None, noise, sample_ratio=sample_ratio).penalty)
    if not np.isfinite(best) or best == 0:
        raise DomainError(
            f"The best penalty in the limit is {best:g}, around which none can be looked for. Give some signal and "
            "noise, or a penalty of your own to `at_samples`."
        )

    def at(penalty: float) -> RidgeAtSamples:
        return at_samples(
            spectrum, None, None, noise, sample_ratio=sample_ratio, samples=samples, penalty=penalty
        )

    if best > 0:
        ends = (np.log(best / _AROUND), np.log(best * _AROUND))
        found = minimize_scalar(lambda x: float(at(np.exp(x)).test_error), bounds=ends, **_SEARCH)
        place = float(np.exp(found.x))
    else:
        alpha = np.array([float(sample_ratio) / spectrum.rank_fraction])
        edge = float(kernel.edges(spectrum.eigenvalues, spectrum.weights, alpha)[1][0])
        reach = min(-best, 0.75 * (best - edge))
        ends = (best - reach, best + reach)
        found = minimize_scalar(lambda x: float(at(x).test_error), bounds=ends, **_SEARCH)
        place = float(found.x)
    if min(found.x - ends[0], ends[1] - found.x) < 1e-3 * (ends[1] - ends[0]):
        raise DomainError(
            f"With {samples:g} samples the best penalty is far from {best:g}, that of the limit: corrections of order "
            "1/N do not tell where. Ask for more samples."
        )
    return at(place)


_SEARCH = {"method": "bounded", "options": {"xatol": 1e-9}}


def _shifts(
    spectrum: Spectrum, limit: RidgeSolution, size: Any, noise: Any, ratio: Any, penalty: Any
) -> tuple[np.ndarray, ...]:
    """The corrections themselves, in the order of `_SHIFTS`."""
    inside, unit = spectrum.in_units()
    shape = np.shape(size)
    n, sigma2, alpha, lam, kappa = (
        np.ascontiguousarray(one, dtype=float).reshape(-1)
        for one in (
            size, noise, ratio / spectrum.rank_fraction, penalty / unit, np.asarray(limit.effective_ridge) / unit,
        )
    )  # fmt: skip
    names = _names()
    out = np.empty((2 + len(names), kappa.size))
    kernel.loops().gradient(inside.eigenvalues, inside.weights, inside.signal, alpha, lam, kappa, out)
    free, slope, *sums = out
    rho = sums[2] / alpha
    with np.errstate(all="ignore"):
        rows = _compiled()(kappa, alpha, sigma2, n, free, slope, rho, *sums)
    return tuple(np.broadcast_to(np.asarray(row, float), kappa.shape).reshape(shape) for row in rows)


def _limit(limit: RidgeSolution, name: str) -> Any:
    return np.asarray(getattr(limit, "test_error" if name == "cross_validation" else name))


def _refuse(size: np.ndarray, error: np.ndarray, shift: np.ndarray) -> None:
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(shift) <= _MOST * error)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        n, whole, moved = (float(np.ravel(one)[first]) for one in (size, error, shift))
        raise DomainError(
            f"With {n:g} samples the correction of order 1/N to the test error is {moved:.3g}, against {whole:.3g} in "
            "the limit: the next orders are no smaller. Ask for more samples, or a larger penalty near a peak."
        )


def _names() -> tuple[Any, ...]:
    from widelimit.numerics.ridge import terms  # with `loops`, half a second

    return terms.GRADIENT_NAMES


@functools.cache
def _compiled() -> Compiled:
    per_dimension = formulas.freedom_shift() * theory.alpha  # df1/P, P = N/alpha
    shifts = (
        formulas.error_shift(), formulas.training_shift(), formulas.cross_validation_shift(), formulas.bias_shift(),
        formulas.inputs_shift(), formulas.noise_shift(), per_dimension,
    )  # fmt: skip
    symbols = (
        theory.kappa,
        theory.alpha,
        theory.noise,
        formulas.SAMPLES,
        theory.RATIO,
        theory.SLOPE,
        theory.RHO,
    )
    each = [one.subs(formulas.NAMED) / formulas.SAMPLES for one in shifts]
    return compile(each, (*symbols, *_names()), name="ridge_sizes")
