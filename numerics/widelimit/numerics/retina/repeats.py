"""What repeats of a stimulus tell: signal power, the ceiling of any model, and the noise inside a cell."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.retina import checks, formulas
from widelimit.numerics.retina.noise import standard
from widelimit.theory.errors import ArgumentError

Array = np.ndarray


@by_value
@dataclass(frozen=True)
class Reliability:
    """`signal_power`: variance of the response that the stimulus explains, without bias (below 0 only by chance).

    `noise_power`: variance of one trial about it. `ceiling`: correlation of a perfect model with the mean over trials,
    0 where no signal is left. `standard_error` of the signal power, by leaving out one trial at a time.
    """

    signal_power: float
    noise_power: float
    ceiling: float
    standard_error: float


@by_value
@dataclass(frozen=True)
class FanoCurve:
    """Variance against mean over trials: `mean`, `variance`, `fano` of each bin of the curve, and what fits it.

    `noise`: eta of latent noise before the rectifier, [u + eta z]_+, with `noise_error`; `predicted`: its Fano factors
    at the curve's means. `deviance` of that fit and `poisson_deviance` of Poisson counts (Fano factor 1), lower being
    better; `counted` says whether a Poisson stage after the noise was fitted. `skipped`: time bins of mean 0, which
    have no Fano factor.
    """

    mean: Array
    variance: Array
    fano: Array
    noise: float
    noise_error: float
    predicted: Array
    deviance: float
    poisson_deviance: float
    counted: bool
    skipped: int


def reliability(trials: Any) -> Reliability:
    """Return the signal power of repeats, (T Var r_mean - mean Var r_i)/(T - 1), and the ceiling sqrt(SP/Var r_mean).

    Variances are over time (sahani2003linear; the ceiling is that of schoppe2016measuring).

    Args:
        trials: responses, (trials, bins); an array, or a file.

    Raises `ArgumentError` for one trial only, or responses that do not vary in time.

    >>> rng = np.random.default_rng(0)
    >>> found = reliability(np.sin(np.arange(3000)) + rng.standard_normal((5, 3000)))
    >>> round(found.signal_power, 1), round(found.ceiling, 1)
    (0.5, 0.8)
    """
    array = checks.trials(trials)
    mean = array.mean(0)
    spread, single = float(mean.var()), float(array.var(1).mean())
    if spread == 0:
        raise ArgumentError("trials", "must vary in time", but="have a constant mean")
    count = len(array)
    power = float(formulas.power()(count, spread, single))
    best = float(formulas.ceiling()(min(max(power, 0.0), spread), spread))
    left = [_power(np.delete(array, k, axis=0)) for k in range(count)] if count > 2 else [power]
    error = float(np.sqrt((count - 1) * np.var(left))) if count > 2 else float("inf")
    return Reliability(power, single - power, best, error)


def normalized_correlation(prediction: Any, trials: Any) -> float:
    """Return cov(y, r_mean)/sqrt(Var y SP): the correlation of a model with the signal, 1 for a perfect one.

    Args:
        prediction: y, one number for each bin.
        trials: responses, (trials, bins).

    Raises `ArgumentError` for lengths that differ, a constant prediction, or trials without signal power.

    >>> signal = np.sin(np.arange(2000))
    >>> noisy = signal + np.random.default_rng(0).standard_normal((8, 2000))
    >>> round(normalized_correlation(signal, noisy), 1)
    1.0
    """
    array = checks.trials(trials)
    y = checks.response(prediction, array.shape[1], "prediction")
    power = reliability(array).signal_power
    if power <= 0:
        help = "Noise hides the signal: record more trials."
        raise ArgumentError("trials", "must have signal power above 0", power, help)
    mean = array.mean(0)
    cross = float((y - y.mean()) @ (mean - mean.mean())) / len(y)
    return cross / float(np.sqrt(y.var() * power))


def fano_curve(trials: Any, *, counted: bool = False, bins: int = 12) -> FanoCurve:
    """Fit latent noise eta to how variances over trials go with their means, bin by bin.

    At a mean m the drive follows, m = eta h(u/eta), and from it the variance eta^2 v(u/eta). Estimated variances
    scatter as their squares: eta minimises sum log V + v/V.

    Args:
        trials: counts or rates, (trials, bins), not negative.
        counted: whether a Poisson stage follows, whose variance, the mean, is added.
        bins: of the curve.

    Raises `ArgumentError` for one trial only, negative counts, or a cell that is silent or never varies.

    >>> rng = np.random.default_rng(0)
    >>> drive = rng.uniform(-0.5, 3.0, 400)
    >>> found = fano_curve(np.maximum(drive + 0.6 * rng.standard_normal((60, 400)), 0))
    >>> abs(found.noise - 0.6) < 4 * found.noise_error < 0.05
    True
    """
    array = checks.trials(trials, counts=True)
    stage, wanted = arguments.flag("counted", counted), arguments.count("bins", bins)
    mean, variance = array.mean(0), array.var(0, ddof=1)
    alive = mean > 0
    if not alive.any():
        raise ArgumentError("trials", "must hold a mean above 0", but="are all 0: there is no Fano factor")
    m, v = mean[alive], variance[alive]
    if not v.any():
        raise ArgumentError(
            "trials", "must differ from each other", but="are all the same: there is no noise"
        )
    degrees = len(array) - 1
    curve = _Curve(m, v, degrees, stage)
    eta, error = curve.fit()
    order = np.array_split(np.argsort(m), min(wanted, len(m)))
    centre, spread = (np.array([one[part].mean() for part in order]) for one in (m, v))
    fitted = _variance(centre, eta) + (centre if stage else 0.0)
    return FanoCurve(
        centre, spread, spread / centre, eta, error, fitted / centre, curve.deviance(eta), curve.of(m), stage,
        int((~alive).sum()),
    )  # fmt: skip


@by_value
@dataclass(frozen=True)
class _Curve:
    """Means and variances of time bins, of so many degrees of freedom."""

    mean: Array
    variance: Array
    degrees: int
    counted: bool

    def of(self, expected: Array) -> float:
        """The deviance of expected variances, per degree of freedom as of a gamma law."""
        ratio = self.variance / expected
        logs = np.log(np.where(ratio > 0, ratio, 1.0))
        return float(self.degrees * np.sum(ratio - 1 - logs))

    def deviance(self, eta: float) -> float:
        """The deviance at a noise."""
        return self.of(_variance(self.mean, eta) + (self.mean if self.counted else 0.0))

    def fit(self) -> tuple[float, float]:
        """The noise of least deviance, and its error from the expected curvature."""
        ratio = float(np.sqrt(max(self.variance.mean(), 1e-300)))
        centre = np.log(max(ratio, 1e-3 * float(self.mean.mean())))
        grid = centre + np.linspace(-8, 4, 49)
        values = [self._loss(g) for g in grid]
        best = int(np.argmin(values))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        found = minimize_scalar(self._loss, bounds=(low, high), method="bounded", options={"xatol": 1e-10})
        eta, step = float(np.exp(found.x)), 1e-4
        more = _variance(self.mean, eta * np.exp(step)) - _variance(self.mean, eta * np.exp(-step))
        slope = more / (2 * step) / (_variance(self.mean, eta) + (self.mean if self.counted else 0.0))
        told = self.degrees / 2 * float(np.sum(slope**2))  # about log eta
        return eta, eta / float(np.sqrt(told)) if told > 0 else float("inf")

    def _loss(self, log_eta: float) -> float:
        expected = _variance(self.mean, float(np.exp(log_eta))) + (self.mean if self.counted else 0.0)
        return float(np.sum(np.log(expected) + self.variance / expected))


def _power(array: Array) -> float:
    return float(formulas.power()(len(array), float(array.mean(0).var()), float(array.var(1).mean())))


def _variance(mean: Array, eta: float) -> Array:
    """The variance of latent noise at a mean, between points of a curve that is exact at those."""
    height, spread = _table()
    y = np.clip(np.log(mean / eta), height[0], height[-1])
    return np.asarray(eta**2 * np.exp(np.interp(y, height, spread)))


@functools.cache
def _table() -> tuple[Array, Array]:
    """Logs of mean and variance of [q + z]_+ along q; below q = -37 the mean is no float."""
    q = np.concatenate([np.linspace(-37.0, 6.0, 3000), np.geomspace(6.01, 1e8, 1500)])
    mean, variance, _ = standard(q)
    good = (mean > 0) & (variance > 0)
    return np.log(mean[good]), np.log(variance[good])
