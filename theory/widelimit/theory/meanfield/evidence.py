"""What the names on the left of the theory's equations mean, in numbers that owe nothing to the formulas.

A unit below whose weight and bias run through all signs, over Gaussian pre-activations; back-propagation through it;
masks of dropout, summed; the depth at which a deviation has fallen by e. Averages over one Gaussian are mpmath's own
quadrature between the kinks of phi. Averages over two are trapezoidal sums for smooth phi, whose error falls
exponentially in the inverse of the step, and sums between kinks for others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

import mpmath
from sympy import Expr, Symbol

from widelimit.theory.calculus.activation import Activation, x
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.gaussian.expectation import branched
from widelimit.theory.calculus.gaussian.quadrature import legendre
from widelimit.theory.calculus.precision import evaluate
from widelimit.theory.errors import DerivationError
from widelimit.theory.meanfield import formulas as m
from widelimit.theory.meanfield.moments import c, nodes, q, q_1, q_2

Values = Mapping[Symbol, Any]
ABOVE = 2  # units that send a gradient back


def over_one(f: Callable[[Any], Any], q: Any, breaks: Sequence[Any] = ()) -> Any:
    """Return E f(u), u ~ N(0, q), at mpmath's precision.

    >>> print(mpmath.nstr(over_one(lambda u: u**2, 3), 10))
    3.0
    """
    reach = mpmath.sqrt(2 * mpmath.log(10) * (mpmath.mp.dps + 5) * q)
    inner = sorted({mpmath.mpf(0), *(b for b in breaks if abs(b) < reach)})
    root = mpmath.sqrt(q)
    return mpmath.quad(lambda u: f(u) * mpmath.npdf(u, 0, root), [-reach, *inner, reach])


def over_two(
    f: Callable[[Any, Any], Any],
    covariance: Sequence[Any],
    breaks: Sequence[Any],
    dps: int,
    steep: bool = False,
) -> Any:
    """Return E f(u, v) to about `dps` digits, of variances and correlation (q_1, q_2, c); kinks in u and v at `breaks`.

    `steep` says that next to a kink a slope may be infinite.

    >>> print(mpmath.nstr(over_two(lambda u, v: u * v, (1, 4, mpmath.mpf("0.5")), (), 15), 10))
    1.0
    """
    return _panels(f, covariance, breaks, dps, steep) if breaks else _trapezoid(f, covariance, dps)


def _trapezoid(f: Callable[[Any, Any], Any], covariance: Sequence[Any], dps: int) -> Any:
    """Shrink the step until two sums agree well enough: the error is exp(-a/step), that of the last one known."""
    q_1, q_2, c = covariance
    first, second = mpmath.sqrt(q_1), mpmath.sqrt(q_2)
    across = mpmath.sqrt((1 - c) * (1 + c))
    reach = mpmath.sqrt(2 * mpmath.log(10) * (dps + 3))
    least = mpmath.mpf(10) ** (-dps - 3)
    ratio, step, before = mpmath.mpf("1.4"), mpmath.mpf("0.7"), None
    while True:
        count = int(reach / step)
        nodes = [(k * step, step * mpmath.npdf(k * step)) for k in range(-count, count + 1)]
        total = mpmath.mpf(0)
        for s, w in nodes:
            u, along = first * s, second * c * s
            total += w * mpmath.fsum(v * f(u, along + second * across * t) for t, v in nodes if w * v > least)
        if before is not None and abs(total - before) <= mpmath.mpf(10) ** (-(dps - 2) / ratio) * abs(total):
            return total
        step, before = step / ratio, total


def _panels(
    f: Callable[[Any, Any], Any], covariance: Sequence[Any], breaks: Sequence[Any], dps: int, steep: bool
) -> Any:
    """Sum over u between kinks, and over v at that u between the kinks as they lie there."""
    q_1, q_2, c = covariance
    first, second = mpmath.sqrt(q_1), mpmath.sqrt(q_2)
    across = mpmath.sqrt((1 - c) * (1 + c))
    total = mpmath.mpf(0)
    for s, weight in _rule([b / first for b in breaks], dps, steep):
        inner = [(b / second - c * s) / across for b in breaks]
        u = first * s
        total += weight * mpmath.fsum(
            v * f(u, second * (c * s + across * t)) for t, v in _rule(inner, dps, steep)
        )
    return total


def _rule(breaks: Sequence[Any], dps: int, steep: bool) -> Iterator[tuple[Any, Any]]:
    """Yield nodes and weights for N(0, 1) between breaks: double-exponential where phi rises like a root from them."""
    reach = mpmath.sqrt(2 * mpmath.log(10) * (dps + 1))
    ends = [-reach, *sorted(b for b in breaks if abs(b) < reach), reach]
    for low, high in pairwise(ends):
        panels = 1 if steep else int(mpmath.ceil((high - low) / 3))
        half = (high - low) / (2 * panels)
        for k in range(panels):
            for t, w in _double_exponential(dps) if steep else legendre(max(dps - 2, 8), mpmath.mp.prec):
                z = low + half * (2 * k + 1 + t)
                yield z, w * half * mpmath.npdf(z)


@lru_cache(maxsize=8)
def _double_exponential(dps: int) -> tuple[tuple[Any, Any], ...]:
    """Return nodes on [-1, 1] and weights of the rule x = tanh(pi/2 sinh t), for about `dps` digits."""
    step = mpmath.mpf("1.5") / (dps + 3)
    last = int(mpmath.asinh(mpmath.log(10) * (dps + 3) / mpmath.pi) / step)
    rule = []
    for k in range(-last, last + 1):
        inner = mpmath.pi / 2 * mpmath.sinh(k * step)
        weight = step * mpmath.pi / 2 * mpmath.cosh(k * step) / mpmath.cosh(inner) ** 2
        rule.append((mpmath.tanh(inner), weight))
    return tuple(rule)


# --- an activation and its layers


@lru_cache(maxsize=64)
def _functions(a: Activation, order: int, dps: int) -> tuple[Callable[[Any], Any], tuple[Any, ...]]:
    """Return phi or phi' as a function of mpmath's numbers, and where either has a kink."""
    f = a.derivative(order).expr if order else a.expr
    compiled, bent = branched(f, x, dps), branched(a.derivative(1).expr, x, dps)
    return compiled, tuple(sorted({*compiled.breaks, *bent.breaks}))


def moment(a: Activation, order: int, values: Values, dps: int) -> Any:
    """Return E phi^2 (`order` 0) or E phi'^2 (1)."""
    f, breaks = _functions(a, order, mpmath.mp.dps)
    return over_one(lambda u: f(u) ** 2, _at(values, q, dps), breaks)


def length(a: Activation, values: Values, dps: int) -> Any:
    """Return the mean square of a pre-activation over all signs of weight and bias and, under dropout, masks."""
    f, breaks = _functions(a, 0, mpmath.mp.dps)
    layer = _Layer(values, dps)
    return over_one(lambda u: layer.mean(f(u), f(u)), _at(values, q, dps), breaks)


def covariance(a: Activation, values: Values, dps: int) -> Any:
    """Return the mean product of two inputs' pre-activations over all signs of weight and bias."""
    f, breaks = _functions(a, 0, mpmath.mp.dps)
    layer = _Layer(values, dps)
    slope = a.pieces.diff()
    steep = bool(slope.poles() or slope.diff().poles())
    silent, heard = (
        layer.mean(0, 0),
        layer.mean(1, 1),
    )  # over signs it is linear in the product of the outputs
    where = (_at(values, q_1, dps), _at(values, q_2, dps), _at(values, c, dps))
    return silent + (heard - silent) * over_two(lambda u, v: f(u) * f(v), where, breaks, dps, steep)


class _Layer:
    """Each unit above hears every one of N below by a weight of variance sigma_w^2/N: their mean is that of one."""

    def __init__(self, values: Values, dps: int) -> None:
        self.scales = (_at(values, m.sigma_w, dps), _at(values, m.sigma_b, dps))
        self.masks = [(mpmath.mpf(1), mpmath.mpf(1))]  # chance, factor
        if m.keep in values:
            rho = _at(values, m.keep, dps)
            self.masks = [(rho, 1 / rho), (1 - rho, mpmath.mpf(0))]

    def mean(self, one: Any, two: Any) -> Any:
        """Return the mean of h_1 h_2 for outputs of the unit below; both inputs have one mask if there is dropout."""
        weight, bias = self.scales
        return sum(
            chance
            * sum(
                mean * (weight * kept * one, bias)[j] * (weight * kept * two, bias)[k]
                for j, k, mean in _sign_products()
            )
            for chance, kept in self.masks
        )


@lru_cache(maxsize=1)
def _sign_products() -> tuple[tuple[int, int, Any], ...]:
    """Return (j, k, mean of s_j s_k) over all signs of a weight and a bias, where it is not 0."""
    pairs = ((0, 0), (0, 1), (1, 0), (1, 1))
    means = [(j, k, over_signs(partial(_product, j, k), 2)) for j, k in pairs]
    return tuple(one for one in means if one[2])


def _product(j: int, k: int, signs: tuple[int, ...]) -> int:
    return signs[j] * signs[k]


# --- backwards


def gradient(a: Activation, values: Values, dps: int) -> Any:
    """Return the mean square of what the units above send back to one below, over all signs of the weights."""
    keep = _at(values, m.keep, dps) if m.keep in values else mpmath.mpf(1)
    above = _at(values, m.gradient, dps) if m.gradient in values else mpmath.mpf(1)
    sent = _sent_back(values, dps, mpmath.sqrt(above) / keep, mpmath.sqrt(above) / keep)
    return keep * sent * moment(a, 1, values, dps)  # a unit is kept with probability rho and divided by it


def gradient_overlap(a: Activation, values: Values, dps: int) -> Any:
    """Return the mean product of what is sent back for two inputs, whose gradients above have the product g_12."""
    sent = _sent_back(values, dps, mpmath.mpf(1), _at(values, m.gradient_overlap, dps))
    return sent * evaluate(nodes(a)["S"], values, dps)


def _sent_back(values: Values, dps: int, one: Any, two: Any) -> Any:
    """Return the mean of (sum_i W_i one)(sum_i W_i two) over signs of W_i, of variance sigma_w^2/N, N = ABOVE/alpha."""
    ratio = _at(values, m.width_ratio, dps) if m.width_ratio in values else mpmath.mpf(1)
    scale = _at(values, m.sigma_w, dps) * mpmath.sqrt(ratio / ABOVE)
    return over_signs(
        lambda signs: scale**2 * sum(s * one for s in signs) * sum(s * two for s in signs), ABOVE
    )


# --- depth


def depth_of_decay(slope: Expr, values: Values, dps: int) -> Any:
    """Return the depth l at which slope^l has fallen to 1/e, by bisection; negative where it grows."""
    rate = evaluate(slope, values, dps)
    if not rate > 0 or rate == 1:
        raise DerivationError(f"A deviation is multiplied by {mpmath.nstr(rate, 5)} a layer: no depth scale.")
    sign = 1 if rate < 1 else -1
    low, high = mpmath.mpf(0), mpmath.mpf(1)
    with mpmath.workdps(dps + 10):
        target = mpmath.exp(-1)
        while rate ** (sign * high) > target:
            low, high = high, 2 * high
        for _ in range(int(mpmath.mp.prec)):
            middle = (low + high) / 2
            low, high = (middle, high) if rate ** (sign * middle) > target else (low, middle)
        return sign * high


def _at(values: Values, symbol: Symbol, dps: int) -> Any:
    return evaluate(symbol, values, dps)
