"""What the names of balanced coding stand for, by numbers: quadrature over units, spectra, lag equations, loops."""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Expr

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.layers import by_number, over_unit
from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.coding import formulas as f


def _average(expr: Expr, odd: bool, power: int, m: Any, variance: Any, dps: int) -> Any:
    """Mean over signs w of (w if odd) function(w m + h)^power, h ~ N(0, variance)."""
    function, breaks = by_number(expr, dps)

    def one(w: int) -> Any:
        places = [b - w * m for b in breaks]
        return (w if odd else 1) * over_unit(lambda h: function(w * m + h) ** power, variance, places)

    return over_signs(lambda w: one(w[0]), 1)


def decoded(phi: Activation, values: Values, dps: int) -> Any:
    """Return E w phi(w m + h), both signs."""
    m, variance = numbers(values, dps, f.DRIVE, f.VARIANCE)
    return _average(phi.expr, True, 1, m, variance, dps)


def slope(phi: Activation, power: int, values: Values, dps: int) -> Any:
    """Return E phi'(w m + h)^power, both signs."""
    m, variance = numbers(values, dps, f.DRIVE, f.VARIANCE)
    return _average(phi.derivative().expr, False, power, m, variance, dps)


def decoded_slope(phi: Activation, values: Values, dps: int) -> Any:
    """Return d/dm of what is decoded, the Gaussian's density differentiated: E w phi(w m + h) w h/variance."""
    m, variance = numbers(values, dps, f.DRIVE, f.VARIANCE)
    function, breaks = by_number(phi.expr, dps)

    def one(w: int) -> Any:
        places = [b - w * m for b in breaks]
        return over_unit(lambda h: function(w * m + h) * h / variance, variance, places)

    return over_signs(lambda w: one(w[0]), 1)


def square(phi: Activation, values: Values, dps: int) -> Any:
    """Return E phi(w m + h)^2, both signs."""
    m, variance = numbers(values, dps, f.DRIVE, f.VARIANCE)
    return _average(phi.expr, False, 2, m, variance, dps)


def onset(phi: Activation, values: Values, dps: int) -> Any:
    """Return Delta_0 E phi'^2 - E phi^2."""
    (variance,) = numbers(values, dps, f.VARIANCE)
    return variance * slope(phi, 2, values, dps) - square(phi, values, dps)


def error_of_units(values: Values, dps: int) -> Any:
    """Return the mean of w_i (b w_i (x - x_hat)) over units of either sign."""
    b, x, found = numbers(values, dps, f.BALANCE, f.SIGNAL, f.ESTIMATE)
    return over_signs(lambda w: w[0] * (b * w[0] * x - b * w[0] * found), 1)


def error(values: Values, dps: int) -> Any:
    """Return x - x_hat where b (x - x_hat) = m, by a root."""
    m, b = numbers(values, dps, f.DRIVE, f.BALANCE)
    return mpmath.findroot(lambda e: b * e - m, m)


def response(values: Values, dps: int) -> Any:
    """Return -d/dx_hat of what units decode of b (x - x_hat), to first order in a small step."""
    b, a = numbers(values, dps, f.BALANCE, f.GAIN)
    return mpmath.diff(lambda e: a * b * e, 0)


def _passed(k: Any, loop: Any) -> Any:
    """The spectrum of exp(-k tau), through |1 + G/(1 + i w)|^-2, integrated."""

    def density(w: Any) -> Any:
        return 2 * k / (k**2 + w**2) / abs(1 + loop / mpmath.mpc(1, w)) ** 2

    return mpmath.quad(density, [0, 1, k + 1, loop + 2, mpmath.inf]) / mpmath.pi


def passed(values: Values, dps: int) -> Any:
    """Return the variance of x_hat for rates of correlation exp(-k tau), from its spectrum."""
    k, loop = numbers(values, dps, f.MODE, f.LOOP)
    return _passed(k, loop)


def passed_of_any(values: Values, dps: int) -> Any:
    """Return the same of C_0 exp(-k tau), k such that the integral of -exp(-a tau) C' is J."""
    loop, rates, fading = numbers(values, dps, f.LOOP, f.RATES, f.FADING)
    return rates * _passed((1 + loop) * fading / (rates - fading), loop)


def lagged(values: Values, dps: int) -> Any:
    """Return the variance of y = eta - G w(t - d), w' = -w + y, eta of correlation exp(-k tau), by its lag equation.

    K(tau) = E w(t) w(t + tau) on [0, d] solves K' = -K - G K(d - tau) + F(tau), F(tau) = E w(t) eta(t + tau) =
    exp(-k tau)/(1 + k + G exp(-k d)), and K'(0) = 0: here for a polynomial K, at Chebyshev's nodes.
    """
    k, loop, d = numbers(values, dps, f.MODE, f.LOOP, f.DELAY)
    count = int(0.9 * dps) + 14
    factor = 1 / (1 + k + loop * mpmath.exp(-k * d))

    def row(tau: Any, weight: Any) -> list[Any]:
        u = 2 * tau / d - 1
        return [weight * mpmath.chebyt(n, u) for n in range(count)]

    def slopes(tau: Any) -> list[Any]:
        u = 2 * tau / d - 1
        return [n * mpmath.chebyu(n - 1, u) * 2 / d if n else mpmath.mpf(0) for n in range(count)]

    matrix, right = mpmath.zeros(count), mpmath.zeros(count, 1)
    for j, entry in enumerate(slopes(mpmath.mpf(0))):  # w is smooth, so that K is flat at zero
        matrix[count - 1, j] = entry
    for i in range(count - 1):
        tau = d / 2 * (1 + mpmath.cos(mpmath.pi * (i + mpmath.mpf(1) / 2) / (count - 1)))
        parts = zip(slopes(tau), row(tau, 1), row(d - tau, loop), strict=True)
        for j, (a, b, c) in enumerate(parts):
            matrix[i, j] = a + b + c
        right[i] = factor * mpmath.exp(-k * tau)
    found = mpmath.lu_solve(matrix, right)
    start = mpmath.fsum(c * v for c, v in zip(found, row(mpmath.mpf(0), 1), strict=True))
    return 1 - 2 * loop * factor * mpmath.exp(-k * d) + loop**2 * start


def lag_formula(values: Values, dps: int) -> Any:
    """Return the formula with cos(l d) and sin(l d)/l."""
    k, loop, d = numbers(values, dps, f.MODE, f.LOOP, f.DELAY)
    root = mpmath.sqrt(loop**2 - 1)
    at = {f.MODE: k, f.LOOP: loop, f.DELAY: d}
    at |= {f.COSINE: mpmath.re(mpmath.cos(root * d)), f.SINE: mpmath.re(mpmath.sin(root * d) / root)}
    return mpmath.mpmathify(f.delayed_mode().subs(at).evalf(dps + 10)._to_mpmath(mpmath.mp.prec))


def loop_of_networks(values: Values, dps: int) -> Any:
    """Return the mean square of y = e - G y over networks whose static rates differ by e, e^2 = C_oo - x_hat^2."""
    still, found, loop = numbers(values, dps, f.STILL, f.ESTIMATE, f.LOOP)
    size = mpmath.sqrt(still - found**2)
    return over_signs(lambda s: mpmath.findroot(lambda y: s[0] * size - loop * y - y, s[0] * size) ** 2, 1)


def noisy_loop(values: Values, dps: int) -> Any:
    """Return b times the exact variance of two modes with -C'(0) = B sigma^2/2, at the loop gain b A."""
    b, a, c, sigma = numbers(values, dps, f.BALANCE, f.GAIN, f.SQUARE, f.NOISE)
    kick = c * sigma**2 / 2
    loop = 1 + b * a

    def variance(k: Any) -> Any:
        return (1 + k * loop) / (loop * (loop + k))

    return b * kick * (variance(1) / 2 + variance(3) / 6)


def smooth_loop(values: Values, dps: int) -> Any:
    """Return b^2 times the exact variance of modes with C'(0) = 0 and the right C''(0)."""
    b, a, c, variance, g, rates, still = numbers(
        values, dps, f.BALANCE, f.GAIN, f.SQUARE, f.VARIANCE, f.DISORDER, f.RATES, f.STILL
    )
    loop, fades = 1 + b * a, rates - still
    bend = c * (variance - g**2 * rates)  # C'' of Delta'' = Delta - g^2 C along dC/dDelta = B
    # p e^-t + q e^-2t + r e^-3t: p + q + r = fades, p + 2 q + 3 r = 0, p + 4 q + 9 r = bend
    parts = mpmath.lu_solve(mpmath.matrix([[1, 1, 1], [1, 2, 3], [1, 4, 9]]), mpmath.matrix([fades, 0, bend]))
    return b**2 * mpmath.fsum(parts[k - 1] * (1 + k * loop) / (loop * (loop + k)) for k in (1, 2, 3))


def turned(values: Values, dps: int) -> Any:
    """Return |1 + i omega|, which G has to be where 1 + lambda + G exp(-lambda d) vanishes at i omega."""
    (w,) = numbers(values, dps, f.FREQUENCY)
    return abs(mpmath.mpc(1, w))


def turned_phase(values: Values, dps: int) -> Any:
    """Return the imaginary part of (1 + i omega) exp(i omega d), which has to be -G."""
    w, d = numbers(values, dps, f.FREQUENCY, f.DELAY)
    return mpmath.im(mpmath.mpc(1, w) * mpmath.expj(w * d))


def harmonic(values: Values, dps: int) -> Any:
    """Return b a_1/R - G of rates a_1 cos p in answer to R cos p, by the Fourier integral over p."""
    b, a, r, loop = numbers(values, dps, f.BALANCE, f.HARMONIC, f.AMPLITUDE, f.LOOP)
    first = mpmath.quad(lambda p: a * mpmath.cos(p) ** 2, [0, mpmath.pi]) * 2 / mpmath.pi
    return b * first / r - loop


def unstable(values: Values, dps: int) -> Any:
    """Return g at which g^2 B = 1."""
    (c,) = numbers(values, dps, f.SQUARE)
    return mpmath.findroot(lambda g: g**2 * c - 1, 1 / mpmath.sqrt(c) * 1.01)


def short_delay(values: Values, dps: int) -> Any:
    """Return the exact variance at G = y/d of two modes k with sum of k s_k = Delta_0 B."""
    variance, c, d, y = numbers(values, dps, f.VARIANCE, f.SQUARE, f.DELAY, f.PHASE)
    loop = y / d
    whole = mpmath.mpf(0)
    for k in (1, 3):
        at = {f.MODE: mpmath.mpf(k), f.LOOP: loop, f.DELAY: d}
        whole += variance * c / (2 * k) * lag_formula(at, dps)
    return whole
