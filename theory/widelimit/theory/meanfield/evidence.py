"""What the names on the left of the theory's equations mean, in numbers that owe nothing to the formulas.

A unit below whose weight and bias run through all signs, over Gaussian pre-activations; back-propagation through it;
masks of dropout, summed; the depth at which a deviation has fallen by e. Averages over one Gaussian are mpmath's own
quadrature between the kinks of phi. Averages over two are trapezoidal sums for smooth phi, whose error falls
exponentially in the inverse of the step, and sums between kinks for others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

import mpmath
from sympy import Expr

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.gaussian.quadrature import legendre
from widelimit.theory.calculus.layers import by_number, depth_of_decay, over_unit
from widelimit.theory.calculus.precision import Values, evaluate
from widelimit.theory.meanfield import formulas as m
from widelimit.theory.meanfield.moments import c, nodes, q, q_1, q_2

ABOVE = 2  # units that send a gradient back


def over_two(
    f: Callable[[Any], Any],
    g: Callable[[Any], Any],
    covariance: Sequence[Any],
    breaks: Sequence[Any],
    dps: int,
    steep: bool = False,
) -> Any:
    """Return E f(u) g(v) to about `dps` digits, of variances and correlation (q_1, q_2, c); kinks of both at `breaks`.

    `steep` says that next to a kink a slope may be infinite.

    >>> print(mpmath.nstr(over_two(lambda u: u, lambda v: v, (1, 4, mpmath.mpf("0.5")), (), 15), 10))
    1.0
    """
    return _panels(f, g, covariance, breaks, dps, steep) if breaks else _trapezoid(f, g, covariance, dps)


def _trapezoid(f: Callable[[Any], Any], g: Callable[[Any], Any], covariance: Sequence[Any], dps: int) -> Any:
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
            along = second * c * s
            inner = mpmath.fsum(v * g(along + second * across * t) for t, v in nodes if w * v > least)
            total += w * f(first * s) * inner
        if before is not None and abs(total - before) <= mpmath.mpf(10) ** (-(dps - 2) / ratio) * abs(total):
            return total
        step, before = step / ratio, total


def _panels(
    f: Callable[[Any], Any],
    g: Callable[[Any], Any],
    covariance: Sequence[Any],
    breaks: Sequence[Any],
    dps: int,
    steep: bool,
) -> Any:
    """Sum over u between kinks, and over v at that u between the kinks as they lie there."""
    q_1, q_2, c = covariance
    first, second = mpmath.sqrt(q_1), mpmath.sqrt(q_2)
    across = mpmath.sqrt((1 - c) * (1 + c))
    total = mpmath.mpf(0)
    for s, weight in _rule([b / first for b in breaks], dps, steep):
        inner = [(b / second - c * s) / across for b in breaks]
        below = mpmath.fsum(v * g(second * (c * s + across * t)) for t, v in _rule(inner, dps, steep))
        total += weight * f(first * s) * below
    return total


def _rule(breaks: Sequence[Any], dps: int, steep: bool) -> Iterator[tuple[Any, Any]]:
    """Yield nodes and weights for N(0, 1) between breaks: double-exponential where phi rises like a root from them."""
    reach = mpmath.sqrt(2 * mpmath.log(10) * (dps + 1))
    ends = [-reach, *sorted(b for b in breaks if abs(b) < reach), reach]
    if steep:
        return over_panels(ends, 2 * reach, _double_exponential(dps))
    return over_panels(ends, mpmath.mpf(3), legendre(max(dps - 2, 8), mpmath.mp.prec))


def over_panels(
    ends: Sequence[Any], longest: Any, rule: Sequence[tuple[Any, Any]]
) -> Iterator[tuple[Any, Any]]:
    """Yield nodes and weights for N(0, 1) between `ends`, by a rule on [-1, 1] on panels no longer than `longest`.

    >>> nodes = list(over_panels([mpmath.mpf(0), mpmath.mpf(8)], 1, legendre(15, mpmath.mp.prec)))
    >>> print(mpmath.nstr(mpmath.fsum(w for _, w in nodes), 10))
    0.5
    """
    for low, high in pairwise(ends):
        panels = int(mpmath.ceil((high - low) / longest)) or 1
        half = (high - low) / (2 * panels)
        for k in range(panels):
            for t, w in rule:
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
    slope = a.derivative(1).expr
    return by_number(slope if order else a.expr, dps, slope)


def moment(a: Activation, order: int, values: Values, dps: int) -> Any:
    """Return E phi^2 (`order` 0) or E phi'^2 (1)."""
    f, breaks = _functions(a, order, mpmath.mp.dps)
    return over_unit(lambda u: f(u) ** 2, evaluate(q, values, dps), breaks)


def length(a: Activation, values: Values, dps: int) -> Any:
    """Return the mean square of a pre-activation over all signs of weight and bias and, under dropout, masks."""
    f, breaks = _functions(a, 0, mpmath.mp.dps)
    layer = _Layer(values, dps)
    return over_unit(lambda u: layer.mean(f(u), f(u)), evaluate(q, values, dps), breaks)


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
    where = (evaluate(q_1, values, dps), evaluate(q_2, values, dps), evaluate(c, values, dps))
    return silent + (heard - silent) * over_two(f, f, where, breaks, dps, steep)


class _Layer:
    """Each unit above hears every one of N below by a weight of variance sigma_w^2/N: their mean is that of one."""

    def __init__(self, values: Values, dps: int) -> None:
        self.scales = (evaluate(m.sigma_w, values, dps), evaluate(m.sigma_b, values, dps))
        self.masks = [(mpmath.mpf(1), mpmath.mpf(1))]  # chance, factor
        if m.keep in values:
            rho = evaluate(m.keep, values, dps)
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
    keep = evaluate(m.keep, values, dps) if m.keep in values else mpmath.mpf(1)
    above = evaluate(m.gradient, values, dps) if m.gradient in values else mpmath.mpf(1)
    sent = _sent_back(values, dps, mpmath.sqrt(above) / keep, mpmath.sqrt(above) / keep)
    return keep * sent * moment(a, 1, values, dps)  # a unit is kept with probability rho and divided by it


def gradient_overlap(a: Activation, values: Values, dps: int) -> Any:
    """Return the mean product of what is sent back for two inputs, whose gradients above have the product g_12."""
    sent = _sent_back(values, dps, mpmath.mpf(1), evaluate(m.gradient_overlap, values, dps))
    return sent * evaluate(nodes(a)["S"], values, dps)


def _sent_back(values: Values, dps: int, one: Any, two: Any) -> Any:
    """Return the mean of (sum_i W_i one)(sum_i W_i two) over signs of W_i, of variance sigma_w^2/N, N = ABOVE/alpha."""
    ratio = evaluate(m.width_ratio, values, dps) if m.width_ratio in values else mpmath.mpf(1)
    scale = evaluate(m.sigma_w, values, dps) * mpmath.sqrt(ratio / ABOVE)
    return over_signs(
        lambda signs: scale**2 * sum(s * one for s in signs) * sum(s * two for s in signs), ABOVE
    )


# --- depth


def depth(slope: Expr, values: Values, dps: int) -> Any:
    """Return the depth at which a deviation has fallen by e, for its factor a layer."""
    return depth_of_decay(evaluate(slope, values, dps), dps)
