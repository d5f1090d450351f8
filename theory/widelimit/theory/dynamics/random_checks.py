"""What the names of random networks stand for, by numbers: filters, sums over lags, ensembles of signs."""

from __future__ import annotations

from typing import Any

import mpmath

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.layers import by_number, mean_square, over_unit
from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.dynamics import random as f

_SHARES = (mpmath.mpf(3) / 10, mpmath.mpf(1) / 5)  # of a correlation with terms of first and third order


def _correlation(rho: Any) -> Any:
    return _SHARES[0] * rho + _SHARES[1] * rho**3


def set_out(values: Values, dps: int) -> Any:
    """Return the square of Delta'(0+)/(Delta_0 - Delta_inf), the correlation of filtered white noise by quadrature."""
    sigma, top, low = numbers(values, dps, f.NOISE, f.VARIANCE, f.FROZEN)

    def correlation(lag: Any) -> Any:  # of what noise alone makes; the rest is smooth and even
        return mpmath.quad(lambda s: sigma**2 * mpmath.exp(-2 * s - lag), [0, 1, 5, mpmath.inf])

    with mpmath.workdps(2 * dps + 10):
        step = mpmath.mpf(10) ** -(dps + 5)
        slope = (correlation(step) - correlation(0)) / step
    return (slope / (top - low)) ** 2


def share(values: Values, dps: int) -> Any:
    """Return Q of the correlation 3/10 rho + rho^3/5 at rho = 1, Delta_inf = 0."""
    return _SHARES[0] / 2 + _SHARES[1] / 4


def paced(values: Values, dps: int) -> Any:
    """Return (Delta'/Delta)^2 at Delta_0, of energy kept: Delta^2 less twice g^2 times the integral of C."""
    g, top = numbers(values, dps, f.DISORDER, f.VARIANCE)
    work = mpmath.quad(lambda delta: _correlation(delta / top), [0, top])
    return (top**2 - 2 * g**2 * work) / top**2


def pace_of_terms(values: Values, dps: int) -> Any:
    """Return the formula with Q of those two terms."""
    g, top = numbers(values, dps, f.DISORDER, f.VARIANCE)
    expr = f.pace().subs({f.DISORDER: g, f.VARIANCE: top, f.SHARE: share(values, dps)})
    return mpmath.mpmathify(expr.evalf(dps + 10)._to_mpmath(mpmath.mp.prec))


def force_slope(values: Values, dps: int) -> Any:
    """Return d/dDelta of the force Delta - g^2 C of a straight C, by a difference."""
    g, slope = numbers(values, dps, f.DISORDER, f.SLOPE)
    return mpmath.diff(lambda delta: delta - g**2 * slope * delta, 1)


def fading(values: Values, dps: int) -> Any:
    """Return the rate of y'' = (1 - g^2 c_1) y that fades, from the eigenvalues of its matrix."""
    g, slope = numbers(values, dps, f.DISORDER, f.SLOPE)
    found, _ = mpmath.eig(mpmath.matrix([[0, 1], [1 - g**2 * slope, 0]]))
    return max(mpmath.re(v) for v in found)


def growth_of_pair(values: Values, dps: int) -> Any:
    """Return the larger root of (1 + lambda)^2 = 1 - E_0: a pair of times grows with both of them, e^(lambda 2t)."""
    (level,) = numbers(values, dps, f.LEVEL)
    return max(mpmath.re(r) for r in mpmath.polyroots([1, 2, level], maxsteps=200, extraprec=200))


def lattice(values: Values, dps: int) -> Any:
    """Return the covariance of x' - (1 - alpha) x at a lag, product by product, less that of alpha g phi."""
    before, here, behind, alpha, g, rates = numbers(
        values, dps, f.BEFORE, f.HERE, f.BEHIND, f.STEP, f.DISORDER, f.RATES
    )
    kept = 1 - alpha
    lags = {-1: before, 0: here, 1: behind}
    total = mpmath.mpf(0)
    for i, left in ((1, 1), (0, -kept)):
        for j, right in ((1, 1), (0, -kept)):
            total += left * right * lags[j - i]
    return total - (alpha * g) ** 2 * rates


def noise_kept(activation: str | Activation, values: Values, dps: int) -> Any:
    """Return a variance less that of two units' sum with signs of J, by quadrature and all signs."""
    g, variance = numbers(values, dps, f.DISORDER, f.VARIANCE)
    return variance - mean_square(Activation.of(activation).expr, variance, dps, weight=g)


def stepped_growth(activation: str | Activation, values: Values, dps: int) -> Any:
    """Return half the log of what a small difference's square is multiplied by in a step, by signs of J."""
    g, variance = numbers(values, dps, f.DISORDER, f.VARIANCE)
    slope = Activation.of(activation).derivative().expr
    return mpmath.log(mean_square(slope, variance, dps, weight=g)) / 2


def mean_of_linear(values: Values, dps: int) -> Any:
    """Return E log |det J|/N of J alone, of Newman's law log(g^2 t)/2 averaged over t, and E log |phi'|."""
    g, slope = numbers(values, dps, f.DISORDER, f.LOG_SLOPE)
    return mpmath.quad(lambda t: mpmath.log(g**2 * t) / 2, [0, 1]) + slope


def rank_one_pull(activation: str | Activation, values: Values, dps: int) -> Any:
    """Return n.phi(x)/N over kappa, less 1, of Gaussian x = kappa z and n = sigma_mn z + what is independent."""
    overlap, kappa = numbers(values, dps, f.OVERLAP, f.KAPPA)
    function, breaks = by_number(Activation.of(activation).expr, dps)
    pull = over_unit(lambda z: overlap * z * function(kappa * z), 1, [b / kappa for b in breaks])
    return pull / kappa - 1


def rank_one_rest(values: Values, dps: int) -> Any:
    """Return the time in which a small kappa' = (sigma_mn - 1) kappa falls by e, by an exponential."""
    (overlap,) = numbers(values, dps, f.OVERLAP)
    return mpmath.findroot(lambda t: mpmath.exp((overlap - 1) * t) - mpmath.exp(-1), 1 / (1 - overlap) * 1.01)
