"""How the error that a sample leaves divides into signal and noise, and how far that is known.

The level ``B + sigma^2`` of a population, ``sum_j u_j (kappa/(s_j + kappa))^2 + sigma^2``, is measured at all effective
ridges that the sample resolves (`sample`). Near interpolation few components of y measure it, and by chance they
can be as good as zero: an estimate of no noise is not knowledge of none. So noise is not estimated but averaged over.
At each noise sigma^2 of a grid the best non-negative signals minimise the deviance

    D = e^T C^-1 e,    e^2/2 = m/v - 1 - log(m/v)        level m as measured, v as fitted, e with the sign of m - v

of scaled chi-squares, which know that a small measured level does not exclude a larger one. The relative covariance C
is that of levels which share components of y (for Gaussian rows it follows from the sample eigenvalues) and rows (what
heavy tails add, as measured), more where a fit costs much more than the best one, and a few per cent for what no
population explains. ``exp(-D/2)`` and a prior in noise, flat below a twentieth of the variance of y and flat in log
above, weigh the noises. Test errors are linear in signals and noise: their average over all that the data leave
possible is the test error at averaged signals and noise.

That average predicts; it does not choose. Where noise could be much or little, its mean is that of the noisy cases, and
the penalty that suits them spoils the others, of small errors, by a large factor. So the penalty is chosen by errors in
units of what is to be had in each case, about noise and `_LEAST_ERROR` of the variance of y.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import chdtri

from widelimit.numerics.results import by_value
from widelimit.numerics.ridge.penalty import optimal_penalty
from widelimit.numerics.ridge.sample import Level, Resolved, Sample, non_negative, resolve, spectrum_of
from widelimit.numerics.ridge.solving import solved
from widelimit.numerics.ridge.spectrum import Spectrum

Array = np.ndarray
_FAR = 12.0  # logarithm of a ratio of likelihoods that settles a question
_FINE = 20  # noises where they are likely
_SPAN = 1e-4  # the least noise of the grid, in units of the variance of y, unless lower levels were measured
_TINY = 1e-14  # in the same units: rounding
_FLAT = 0.05  # in the same units: below it no noise is likelier than another
_UNEXPLAINED = 0.05  # relative error of levels as theory has them
_UNSHARED = 0.4  # of the variance of levels, which nearly equal ones are not held to share
_REMOTE = 20.0  # times its variance is the most that a level is distrusted for a test error far from the best
_STEPS = 6  # of Gauss and Newton at each noise
_SETTLED = 1e-3  # change of the deviance
_LEAST = 0.02  # of a level that is drawn
_INAUDIBLE = 1e-3  # of the noise that is left in a mean over all samples
_LEAST_ERROR = 0.2  # of the variance of y: at half of it one draw in sixty is caught by interpolation
_FEW = 0.999  # chance that the error is not above four times what is predicted for rows so few
_CAUTION = 0.7  # of degrees of freedom, calibrated on the table of tests/numerics/test_ridge_interpolation.py


@by_value
@dataclass(frozen=True)
class Posterior:
    """Signals on given eigenvalues and noise, as far as a level tells: a grid of noises, each with its best signals."""

    noises: Array
    chances: Array  # of the noises, adding up to 1
    signals: Array  # noises x eigenvalues
    fit: Fit

    @property
    def noise(self) -> float:
        """Mean noise."""
        return float(self.chances @ self.noises)

    @property
    def signal(self) -> Array:
        """Mean signals."""
        return np.asarray(self.chances @ self.signals)

    @property
    def balanced(self) -> Posterior:
        """The same, each noise weighed by the inverse of the error that it allows: for choices by relative error."""
        chances = self.chances / (self.noises + _LEAST_ERROR * self.fit.measured[-1])
        return replace(self, chances=chances / chances.sum())


@by_value
@dataclass(frozen=True)
class Fit:
    """Non-negative coefficients of columns (and a noise) that suit measured levels of known relative covariance."""

    columns: Array
    measured: Array
    white: Array  # inverse Cholesky factor of the covariance

    def least_squares(self, fitted: Array, slope: Array, residual: Array, noise: float) -> Array:
        """Coefficients that suit residuals which change with the fitted levels by minus `slope`."""
        rows = self.white @ (slope[:, None] * self.columns)
        return non_negative(rows, self.white @ (residual + slope * (fitted - noise)))

    def deviance(self, coefficients: Array, noise: float) -> tuple[Array, Array, float]:
        """Levels, residuals of unit variance and the deviance."""
        fitted = np.maximum(self.columns @ coefficients + noise, _TINY * self.measured[-1])
        ratio = self.measured / fitted
        residual = np.sign(ratio - 1) * np.sqrt(np.maximum(2 * (ratio - 1 - np.log(ratio)), 0.0))
        return fitted, residual, float(((self.white @ residual) ** 2).sum())

    def descend(self, coefficients: Array, noise: float, steps: int) -> tuple[Array, Array, float]:
        """Coefficients, levels and deviance after Gauss-Newton steps, none of which raises the deviance."""
        fitted, residual, deviance = self.deviance(coefficients, noise)
        for _ in range(steps):
            near = np.abs(residual) < 1e-4  # where the slope is a ratio of two zeros
            slope = np.where(near, 1.0, (self.measured / fitted - 1) / np.where(near, 1.0, residual)) / fitted
            move = self.least_squares(fitted, slope, residual, noise) - coefficients
            before = deviance
            for share in (1.0, 1 / 3, 1 / 9, 1 / 27, 1 / 81):
                tried = coefficients + share * move
                found = self.deviance(tried, noise)
                if found[2] < deviance:
                    coefficients, (fitted, residual, deviance) = tried, found
                    break
            if before - deviance < _SETTLED:
                break
        return coefficients, fitted, deviance


def posterior(atoms: Array, resolved: Resolved, level: Level) -> Posterior:
    """Weigh every noise, with the signals on `atoms` that suit it best."""
    columns = (resolved.kappa[:, None] / (atoms + resolved.kappa[:, None])) ** 2
    measured = np.maximum(level.residual, _TINY * level.residual.max())
    fitted = np.asarray(
        isotonic_regression(measured, weights=level.relative**-2.0).x
    )  # levels grow with kappa
    both, weights = np.column_stack([columns, np.ones(fitted.size)]), 1 / (level.relative * fitted)
    point = non_negative(both * weights[:, None], measured * weights)
    for _ in range(3):
        covariance, own = _covariance(resolved, level, fitted)
        white = np.linalg.inv(np.linalg.cholesky(covariance + np.diag(own)))
        point, fitted, best = Fit(both, measured, white).descend(point, 0.0, 3)
    readings = float(np.trace(np.linalg.solve(covariance + np.diag(own), covariance)))
    misfit = max(1.0, best / max(1.0, readings - np.count_nonzero(point)))  # where no such population fits
    fit = Fit(columns, measured, white)
    noises = _grid(measured)
    _, deviances = _profile(fit, noises, point)
    noises = _refined(noises, deviances - deviances.min() < 2 * misfit * _FAR)
    signals, deviances = _profile(fit, noises, point)
    chances = np.exp((deviances.min() - deviances) / (2 * misfit)) * _prior(noises, float(measured[-1]))
    return Posterior(noises, chances / chances.sum(), signals, fit)


def _covariance(resolved: Resolved, level: Level, fitted: Array) -> tuple[Array, Array]:
    """Relative covariance of measured levels: what they share, and the variance that each has for itself.

    Penalties of small test error count most. Where no such population fits (inputs with heavy tails) the best penalty
    is then still that of the data.
    """
    components = resolved.gaussian[:, None] * resolved.parts
    tails = np.sqrt(np.maximum(0.0, level.relative**2 - resolved.gaussian**2))
    error = fitted / resolved.ridge_slope
    remote = np.minimum((error / error.min()) ** 2 - 1, _REMOTE)
    own = _UNSHARED * resolved.gaussian**2 + level.relative**2 * remote + _UNEXPLAINED**2
    return components @ components.T + tails[:, None] * tails * level.rows, own


def _profile(fit: Fit, noises: Array, point: Array) -> tuple[Array, Array]:
    """Best signals and deviance at each noise, from the nearest to the best fit outwards."""
    signals, deviances = np.empty((noises.size, point.size - 1)), np.empty(noises.size)
    start = min(int(np.searchsorted(noises, point[-1])), noises.size - 1)
    for path in (range(start, noises.size), range(start - 1, -1, -1)):
        signal = point[:-1]
        for k in path:
            signal, _, deviances[k] = fit.descend(signal, noises[k], _STEPS)
            signals[k] = signal
    return signals, deviances


def _grid(measured: Array) -> Array:
    """Noises from none to more than all of the variance of y, evenly spaced in log."""
    top = 1.2 * float(measured[-1])
    low = min(_SPAN * top, max(float(measured.min()) / 10, _TINY * top))
    return np.concatenate([[0.0], np.geomspace(low, top, 2 + int(np.log(top / low)))])


def _refined(noises: Array, likely: Array) -> Array:
    """Noises so close where they are likely that sums over them are integrals."""
    kept = np.flatnonzero(likely)
    low, high = max(kept[0] - 1, 0), min(kept[-1] + 1, noises.size - 1)
    fine = np.geomspace(noises[max(low, 1)], noises[max(high, 2)], _FINE)
    return fine if low > 0 else np.concatenate([[0.0], fine])


def _prior(noises: Array, variance: float) -> Array:
    """Trapezoidal weights of the prior over the grid."""
    gaps = np.diff(noises)
    width = np.concatenate([[gaps[0]], gaps[:-1] + gaps[1:], [gaps[-1]]]) / 2
    return np.asarray(width / (noises + _FLAT * variance))


def draws(
    posterior: Posterior, resolved: Resolved, level: Level, times: int, seed: int
) -> tuple[Array, Array]:
    """Signals (one row each) and noises from all that the data leave possible.

    Noises are drawn by their chances; signals are fitted to levels whose components are redrawn as chi-squares.
    """
    random = np.random.default_rng(seed)
    freedom = np.ones(resolved.parts.shape[1])
    freedom[-1] = max(1, resolved.zeros)
    strewn = (random.chisquare(freedom, (times, freedom.size)) - freedom) / np.sqrt(2 * freedom)
    even = (random.permutation(times) + random.random(times)) / times
    place = np.minimum(np.searchsorted(np.cumsum(posterior.chances), even), posterior.noises.size - 1)
    signals = np.empty((times, posterior.signals.shape[1]))
    for k, which in enumerate(place):
        noise = posterior.noises[which]
        fitted, _, _ = posterior.fit.deviance(posterior.signals[which], noise)
        moved = np.maximum(level.relative * (resolved.parts @ strewn[k]), _LEAST - 1)
        signals[k] = posterior.fit.least_squares(fitted, 1 / fitted, moved, noise)
    return signals, posterior.noises[place]


@by_value
@dataclass(frozen=True)
class Choice:
    """A penalty, and what is predicted for the fit with it (infinite: no fit at all)."""

    penalty: float
    effective_ridge: float
    test_error: float
    unexplained: float


@by_value
@dataclass(frozen=True)
class Population:
    """What a sample says of the population behind it: covariance eigenvalues, and a posterior for each target."""

    eigenvalues: Array
    multiplicities: Array
    resolved: Resolved
    posteriors: tuple[Posterior, ...]
    samples: int
    grown: float  # factor of a test error that the fit of the intercept adds

    @classmethod
    def of(cls, sample: Sample) -> Population:
        """Estimate it."""
        resolved = resolve(sample)
        atoms, count = spectrum_of(sample, resolved)
        found = tuple(posterior(atoms, resolved, level) for level in resolved.levels)
        return cls(atoms, count, resolved, found, sample.samples, sample.grown)

    @property
    def caution(self) -> float:
        """Factor of predicted errors that few rows cost: 11 for 5 rows, 2 for 10, 1.2 for 15, 1 from 18 on.

        A predicted error is a mean of n squares. The true one is below ``n/q`` times it with a chance of 0.999, q the
        0.001-quantile of chi-square: what is told is at least a quarter of that.
        """
        return max(1.0, self.samples / 4 / float(chdtri(self.samples, _FEW)))

    @property
    def dimensions(self) -> float:
        """Number of dimensions."""
        return float(self.multiplicities.sum())

    def spectrum(self, target: int = 0) -> Spectrum:
        """Covariance spectrum with the mean signal of a target; a signal that no such sample could show is none."""
        return self._spectrum(self.posteriors[target])

    def _spectrum(self, posterior: Posterior) -> Spectrum:
        found = posterior.signal
        if found.sum() < _INAUDIBLE * posterior.noise / self.samples:
            found = np.zeros_like(found)
        return Spectrum(self.eigenvalues, self.multiplicities / self.dimensions, found)

    def penalty(self, ratio: Any, target: int = 0) -> Any:
        """Best penalty by relative errors, at these numbers of samples per dimension."""
        balanced = self.posteriors[target].balanced
        return optimal_penalty(self._spectrum(balanced), noise=balanced.noise, sample_ratio=ratio).penalty

    def choice(self, target: int = 0) -> Choice:
        """The penalty for this sample, and the mean test error with it, times `caution`."""
        ratio = self.samples / self.dimensions
        penalty, mean, noise = (
            float(self.penalty(ratio, target)),
            self.spectrum(target),
            self.posteriors[target].noise,
        )
        if not np.isfinite(penalty):
            error = float(self.posteriors[target].signal.sum()) + noise
            return Choice(np.inf, np.inf, self.caution * error, self.caution)
        values = solved(mean, np.full(1, noise), np.full(1, ratio), np.full(1, penalty))
        error, unexplained = (self.caution * float(values[k].item()) for k in ("test_error", "unexplained"))
        return Choice(penalty, float(values["effective_ridge"].item()), error, unexplained)

    def interval(self, test_error: float, effective_ridge: float, target: int = 0) -> tuple[float, float]:
        """Interval that holds the error of the fit on new data with a chance of 95 per cent or more.

        The error on left-out rows is a scaled chi-square of ``2/r^2`` degrees of freedom, r its relative standard
        error; fewer are taken, `_CAUTION` of them, for what the penalty's choice and the spread of such fits add. The
        lower end starts from the smaller of predicted (without `caution`) and measured error, the upper end from the
        larger.
        """
        kappa, level = self.resolved.kappa, self.resolved.levels[target]
        place = np.log(np.clip(effective_ridge, kappa[0], kappa[-1]))
        freedom = _CAUTION * 2 / np.interp(place, np.log(kappa), level.relative) ** 2
        measured = (
            float(np.interp(place, np.log(kappa), level.residual / self.resolved.ridge_slope)) * self.grown
        )
        mean = test_error / self.caution
        few, many = chdtri(freedom, [0.975, 0.025])
        low, high = min(mean, measured) * freedom / many, max(mean, measured) * freedom / few
        return float(low), float(max(high, test_error))
