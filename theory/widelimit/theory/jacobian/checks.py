"""What names in the derivations of Jacobian spectra stand for, by quadrature, series and roots of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mpmath
from sympy import Expr, Integer

from widelimit.theory.calculus.layers import atom, marchenko_pastur, mean_square
from widelimit.theory.calculus.precision import Values, evaluate, named
from widelimit.theory.freeprob.series import moments_from_s, multiply, power, s_from_moments

CATALAN = (1, 2, 5, 14)  # moments of W W' for square Gaussian W


def _drawn(values: Values, name: str) -> Any:
    """One of the values as it was drawn, a fraction."""
    return next(value for symbol, value in values.items() if symbol.name == name)


def slopes(slope: Expr, values: Values, dps: int) -> Any:
    """The mean square of a function of u ~ N(0, q), by quadrature."""
    return mean_square(slope, named(values)["q"], dps)


def value(expr: Expr, values: Values, dps: int) -> Any:
    """An expression that was come to by another way."""
    return evaluate(expr, values, dps)


def weights(kind: str, values: Values, dps: int) -> Any:
    """S = (1 + m)/(m z) of W W' where its M-transform is m: an atom, or Marchenko and Pastur's law of ratio one."""
    v = named(values)
    square = v["sigma_w"] ** 2
    z = (marchenko_pastur if kind == "gaussian" else atom)(square, 1, v["m"])
    return (1 + v["m"]) / (v["m"] * z)


def _product_moment(
    order: int, weights: str, slopes_of: Sequence[Expr], layers: Expr, scale: Any, dps: int
) -> Any:
    """m_k of a free product of `layers` factors, of squared slopes with these moments and of W W', by series of S.

    Those of W W' are Catalan numbers where W is Gaussian. Each layer's W W' counts `scale` times.
    """
    unit = power(s_from_moments(slopes_of, order), layers, order)
    if weights == "gaussian":
        own = s_from_moments([Integer(c) for c in CATALAN[:order]], order)
        unit = multiply(unit, power(own, layers, order), order)
    found = evaluate(moments_from_s(unit, order)[order - 1], {}, dps)
    return found * scale ** (order * mpmath.mpmathify(layers))


def moment(order: int, weights: str, values: Values, dps: int) -> Any:
    """The same for mu_1, mu_2, mu_3 as they are drawn, times sigma_w^2 a layer."""
    v = named(values)
    known = [values[s] for s in sorted(values, key=lambda s: s.name) if s.name.startswith("mu_")]
    return _product_moment(order, weights, known[:order], _drawn(values, "L"), v["sigma_w"] ** 2, dps)


def bernoulli_moment(order: int, weights: str, values: Values, dps: int) -> Any:
    """The same for slopes of 0 or 1/p, the latter with the probability p."""
    p = _drawn(values, "p")
    moments = [p ** (1 - k) for k in range(1, order + 1)]
    return _product_moment(order, weights, moments, _drawn(values, "L"), 1, dps)


def spread(slope: Expr, weights: str, values: Values, dps: int) -> Any:
    """Second moment over the squared first, less one, of `L` layers, from S to first order in m by differences."""
    v = named(values)
    first, second = (mean_square(power_of, v["q"], dps) for power_of in (slope, slope**2))
    layers = v["L"]

    def ratio(
        t: Any,
    ) -> Any:  # ((1 + m)/S)^2 in units of the mean; S_D = 1 - (b/a^2 - 1) m + ... by reversion
        layer = (1 - (second / first**2 - 1) * t) * (1 / (1 + t) if weights == "gaussian" else 1)
        return ((1 + t) / layer**layers) ** 2

    return mpmath.taylor(ratio, 0, 1)[1] / 2 - 1


def smallest(weights: str, values: Values, dps: int) -> Any:
    """The smallest z(m) on m > 0 of critical layers whose slopes are 0 or 1, by bisection of its logarithmic slope."""
    v = named(values)
    p, layers = v["p"], v["L"]
    common = 0 if weights == "gaussian" else 1  # powers of 1 + m in the denominator

    def log_place(m: Any) -> Any:
        return mpmath.log((1 + m) / m) + layers * mpmath.log((m + p) / (p * (1 + m) ** common))

    def rising(m: Any) -> Any:
        return 1 / (1 + m) - 1 / m + layers / (m + p) - common * layers / (1 + m)

    low, high = mpmath.mpf("1e-9"), mpmath.mpf(200)
    for _ in range(4 * dps + 80):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return mpmath.exp(log_place(low))


def linear_network(which: str, values: Values, dps: int) -> Any:
    """Squared singular value, or density of the singular value, of n Gaussian layers where arg(1 + m) = t.

    1 + m = r exp(i t) solves x m = (1 + m)^(n + 1) for a real x; the density is 2 sqrt(x)/pi times -Im (1 + m)/x.
    """
    v = named(values)
    angle, n = v["t"], v["n"]
    turn = mpmath.exp(1j * angle)

    def place(r: Any) -> Any:
        return (r * turn) ** (n + 1) / (r * turn - 1)

    start = 1 / mpmath.cos(angle) if n == 1 else mpmath.mpf(1 + 1 / n)
    r = mpmath.findroot(lambda r: mpmath.im(place(r)), start * mpmath.mpf("1.01"))
    x = mpmath.re(place(r))
    return x if which == "value" else 2 * mpmath.sqrt(x) / mpmath.pi * abs(r * mpmath.sin(angle)) / x


def one_rectangular_layer(values: Values, dps: int) -> Any:
    """z(m) of J'J, J = D W of N_1 rows and N_0 = Lambda N_1 columns: a share p of its rows is not zero."""
    v = named(values)
    return marchenko_pastur(v["sigma_w"] ** 2 * v["p"] / v["Lambda"], v["Lambda"] / v["p"], v["m"])
