"""How many samples the filter of a cell takes, by spike-triggered averages and by maximum likelihood."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import integrate

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.retina import checks, formulas
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, InfiniteMomentError

Array = np.ndarray
_WIDE = 12.0  # standard deviations of a drive that a density is looked at
_PANELS = np.array([-9.0, -6, -4, -2.5, -1.25, 0, 1.25, 2.5, 4, 6, 9])


@by_value
@dataclass(frozen=True)
class Accuracy:
    """How well n samples tell a filter. Every attribute is one number, or an array where arguments are.

    `cosine`: expected, of the spike-triggered average; `likelihood_cosine` of maximum likelihood. `variance_ratio`: of
    the average's entries over those of maximum likelihood, infinite where a kink of f at 0, or the lack of noise, tells
    the drive exactly. `snr` of one sample; `length` of the average, s^2 kappa E f'; `standard_error` of its entries
    across the filter; `likelihood_error` of those of maximum likelihood, in units of a filter. `rate`: E f;
    `response_variance`: Var r; `slope`: E f'; `dimensions`: P.
    """

    cosine: Any
    likelihood_cosine: Any
    variance_ratio: Any
    snr: Any
    length: Any
    standard_error: Any
    likelihood_error: Any
    rate: Any
    response_variance: Any
    slope: Any
    dimensions: Any

    def samples_for(self, cosine: Any) -> Any:
        """Return how many samples the average takes for a cosine, (P - 1) c^2 / (SNR (1 - c^2)).

        Infinite where E f' = 0: the average of an even f tells nothing. Raises `ArgumentError` for a cosine outside
        [0, 1).

        >>> round(sta_accuracy("exp(x - 1)", gain=0.7, dimensions=60, samples=4000).samples_for(0.95), 2)
        3076.07
        """
        return needed(self.dimensions, self.snr, cosine)


def sta_accuracy(
    activation: Any, *, gain: Any, dimensions: Any, samples: Any, noise: Any = "poisson", input_std: Any = 1
) -> Accuracy:
    """Return how well n samples tell the filter of a cell of rate f(kappa u), u the stimulus along it.

    E cos = (1 + (P - 1)/(n SNR))^(-1/2), SNR = s^2 kappa^2 (E f')^2 / Var r (chichilnisky2001simple has the average).

    Args:
        activation: f, an expression in x.
        gain: kappa; arrays broadcast.
        dimensions: P of the stimulus.
        samples: n.
        noise: "poisson": counts of mean f; "none"; or the variance of Gaussian noise of any mean.
        input_std: s, standard deviation of the white stimulus.

    Raises `ArgumentError` for an f that is negative somewhere (Poisson counts) or constant (without noise), and
    `InfiniteMomentError` where moments of f do not exist.

    >>> found = sta_accuracy("exp(0.7*x - 1)", gain=1.0, dimensions=60, samples=4000)
    >>> round(found.cosine, 12), round(found.variance_ratio, 10)
    (0.960881519206, 1.2971953352)
    >>> round(found.standard_error, 6), round(found.likelihood_error, 6)
    (0.012346, 0.032947)
    >>> round(found.likelihood_cosine, 9)  # E f'^2/f is 0.49 exp(0.245 - 1)
    0.969437713
    >>> round(sta_accuracy("erf(x)", gain=1.0, dimensions=9, samples=90, noise=0.5).variance_ratio, 6)
    2.588184
    """
    f = _activation(activation)
    k, s = checks.scale("gain", gain), checks.scale("input_std", input_std)
    p, n = checks.whole("dimensions", dimensions, 1), checks.whole("samples", samples, 1)
    kind, extra = _noise(noise)
    k, s, p, n = arguments.broadcast(gain=k, input_std=s, dimensions=p, samples=n)
    q = (k * s) ** 2
    rate, slope = (np.asarray(one) for one in formulas.moments(f)(q))
    spread = np.asarray(formulas.variance(f)(q, rate))
    if kind == "poisson":
        _require_rate(f, float(np.sqrt(q.max(initial=0.0))))
        total = np.asarray(formulas.counted()(rate, spread))
    else:
        total = spread + extra
    if (total <= 0).any():
        raise ArgumentError("activation", "must vary, or have noise", str(f))
    snr, length = (np.asarray(one) for one in formulas.quality()(s, k, slope, total))
    error = np.sqrt(formulas.off_filter()(s, total, n))
    told = _information(f, q, kind, extra)
    ratio, best, spread_best = _likelihood(s, k, slope, total, told, n)
    best_cosine = np.where(np.isinf(best), 1.0, _cosine(p, n, np.where(np.isinf(best), 1.0, best)))
    parts = (_cosine(p, n, snr), best_cosine, ratio, snr, length, error, spread_best, rate, total, slope, p)
    return Accuracy(*(arguments.scalar(np.asarray(one)) for one in parts))


def overfitting(dimensions: Any, samples: Any) -> Any:
    """Return (P + 1)/(2 n): nats a bin by which the training likelihood of maximum likelihood lies above the truth.

    The test likelihood lies below it by as much: the gap between both is twice this. The next order is (P/n)^2.

    Args:
        dimensions: P of the filter, one parameter more being the level; arrays broadcast.
        samples: n.

    Raises `ArgumentError` for numbers that are not whole or not positive.

    >>> round(overfitting(40, 1500), 6)
    0.013667
    """
    p, n = checks.whole("dimensions", dimensions, 1), checks.whole("samples", samples, 1)
    p, n = arguments.broadcast(dimensions=p, samples=n)
    return arguments.scalar(np.asarray(formulas.excess()(p, n)))


def needed(dimensions: Any, snr: Any, cosine: Any) -> Any:
    """Return samples for a cosine at an SNR; infinite where that is 0."""
    c = arguments.within("cosine", cosine, 0.0, 1.0)
    if (c == 1).any():
        raise ArgumentError("cosine", "must be below 1", 1.0, "No number of samples is enough.")
    p, r, c = np.broadcast_arrays(np.asarray(dimensions, float), np.asarray(snr, float), c)
    safe = np.where(r > 0, r, 1.0)
    found = np.where(r > 0, formulas.samples()(p, safe, c), np.where((p > 1) & (c > 0), np.inf, 0.0))
    return arguments.scalar(np.asarray(found))


def _cosine(p: Array, n: Array, snr: Array) -> Array:
    safe = np.where(snr > 0, snr, 1.0)
    return np.where(snr > 0, formulas.cosine()(p, n, safe), np.where(p > 1, 0.0, 1.0))


def _activation(activation: Any) -> Activation:
    f = Activation.of(activation)
    if f.parameters:
        raise ArgumentError("activation", "must hold no symbol but x", str(f))
    return f


def _noise(noise: Any) -> tuple[str, float]:
    if isinstance(noise, str):
        return arguments.choice("noise", noise, ("poisson", "none")), 0.0
    variance = float(arguments.near_one("noise", np.asarray(arguments.non_negative_number("noise", noise))))
    return ("gaussian" if variance else "none"), variance


def _require_rate(f: Activation, deviation: float) -> None:
    """Raise unless f is a rate where the drive is."""
    drive = np.linspace(-8.0, 8.0, 1601) * deviation
    with np.errstate(all="ignore"):
        value = np.asarray(formulas.local(f)(drive)[0])
    lowest = int(np.nanargmin(value)) if not np.isnan(value).all() else 0
    if value[lowest] < -1e-12 * np.nanmax(np.abs(value)):
        help = "Counts have no negative mean: rectify it, or pass noise='none' or a variance."
        but = f"is {value[lowest]:.4g} at x = {drive[lowest]:.4g}"
        raise ArgumentError("activation", "must not be negative", but=but, help=help)


def _information(f: Activation, q: Array, kind: str, extra: float) -> Array:
    """The Fisher information about the drive; infinite without noise, and where it diverges."""
    if kind == "none":
        return np.full(q.shape, np.inf)
    if kind == "gaussian":
        if f.derivative(1).deltas or f.steep:
            return np.full(q.shape, np.inf)
        return np.asarray(formulas.slope_square(f)(q)) / extra
    values, place = np.unique(q, return_inverse=True)
    return np.array([_density(f, float(one)) for one in values], dtype=float)[place].reshape(q.shape)


def _density(f: Activation, variance: float) -> float:
    """E f'^2/f over N(0, variance), panel by panel; infinite where it does not converge."""
    if f.derivative(1).deltas:
        return float("inf")
    deviation = float(np.sqrt(variance))
    local, told = formulas.local(f), formulas.density()
    kinks = [float(b) / deviation for b in f.pieces.breaks]
    ends = np.unique([*_PANELS, *(b for b in kinks if abs(b) < _WIDE), -_WIDE, _WIDE])

    def at(z: float) -> float:
        rate, slope = local(deviation * z)
        if not rate > 0 or slope == 0:  # where f vanishes smoothly f'^2/f does, or is bounded
            return 0.0
        return float(told(rate, slope) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi))

    total = 0.0
    for low, high in itertools.pairwise(ends):
        value, error, *rest = integrate.quad(
            at, low, high, epsabs=0.0, epsrel=1e-13, limit=200, full_output=1
        )
        if not np.isfinite(value) or (
            len(rest) > 1 and error > 1e-9 * (abs(value) + 1e-300) and value > 1e-6 * total
        ):
            return float("inf")
        total += value
    if at(_WIDE) > 1e-9 * total or at(-_WIDE) > 1e-9 * total:
        raise InfiniteMomentError(
            f"The Fisher information E f'^2/f of {f} is not resolved at the drive's variance {variance:g}. "
            "Use a smaller gain."
        )
    return total


def _likelihood(
    s: Array, k: Array, slope: Array, total: Array, told: Array, n: Array
) -> tuple[Array, Array, Array]:
    """Ratio of variances, SNR and error of maximum likelihood; the first two are infinite where the information is."""
    fine = np.isfinite(told) & (told > 0)
    safe, even = np.where(fine, told, 1.0), slope == 0
    ratio, snr, variance = formulas.likelihood()(s, k, np.where(even, 1.0, slope), total, safe, n)
    ratio = np.where(fine & ~even, ratio, np.inf)
    none, exact = np.where(told == 0, 0.0, np.inf), np.where(told == 0, np.inf, 0.0)
    return ratio, np.where(fine, snr, none), np.where(fine, np.sqrt(variance), exact)
