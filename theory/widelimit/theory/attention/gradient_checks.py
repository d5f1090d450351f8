"""What the derivatives of averages stand for by numbers: Gauss-Hermite sums over logits, and differences of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
from sympy import Expr, Symbol

from widelimit.theory.attention import gradients as g
from widelimit.theory.attention import layer_gradients as lg
from widelimit.theory.attention import maps as m
from widelimit.theory.attention import overlaps as o
from widelimit.theory.attention.checks import logistic
from widelimit.theory.calculus.ensembles import over_gaussian
from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.calculus.precision import Values, evaluate, numbers

S3, SQUARED = Symbol("S_3", positive=True), Symbol("Q_2", positive=True)  # E sum A^3, E (sum A^2)^2


def within_growth() -> Rewritten:
    """Return dS_2/d(a^2) = R_2 + 2 [E (sum A^2)^2 - S_3], which is S_2 - 4 S_3 + 3 E (sum A^2)^2.

    Half of the sum over j of the second derivatives of sum_m A_m^2 by the logits (Stein's lemma): tr J^2 from two
    first derivatives, and 2 A_m (sum A^2 - A_m) is the sum of a weight's second derivatives. A second road to what
    `gradients.within_heating` gives by integrals.
    """
    return o.SLOPES + 2 * (SQUARED - S3)


def temperature_growth(values: Values, dps: int, formula: bool = False) -> Any:
    """The derivative in a^2 of S_2 of two tokens, or R_2 + 2 [E (sum A^2)^2 - S_3], by Gauss-Hermite sums."""
    (std,) = numbers(values, dps, o.LOGIT_STD)

    def mean(function: Callable[[Any], Any], variance: Any) -> Any:
        return over_gaussian(lambda x: function(logistic(x)), [[2 * variance]], 30)

    def squares(s: Any) -> Any:
        return s**2 + (1 - s) ** 2

    if not formula:
        return mpmath.diff(lambda variance: mean(squares, variance), std**2)
    known = {
        o.SLOPES: mean(lambda s: 4 * (s * (1 - s)) ** 2, std**2),
        SQUARED: mean(lambda s: squares(s) ** 2, std**2),
        S3: mean(lambda s: s**3 + (1 - s) ** 3, std**2),
    }
    return evaluate(within_growth(), known, dps)


def single_heating(values: Values, dps: int, power: int, formula: bool = False) -> Any:
    """The derivative in a^2 of m_j at a place, or its formula, by Gauss-Hermite sums over one logit."""
    std, place = numbers(values, dps, o.LOGIT_STD, o.PLACE)

    if not formula:
        return mpmath.diff(lambda variance: _single(place, power, variance), std**2)
    return evaluate(g.variance_change(power), _singles(place, std**2), dps)


def pair_heating(
    values: Values, dps: int, powers: tuple[int, int], together: bool, formula: bool = False
) -> Any:
    """The derivative of psi_jk in two logits' covariance, or twice that in the first's variance; or its formula."""
    std, rho, place = numbers(values, dps, o.LOGIT_STD, m.RHO, o.PLACE)

    def mean(j: int, k: int, first: Any, shared: Any) -> Any:
        return _pair((place, place - 1), (j, k), [[first, shared], [shared, std**2]], dps)

    here = std**2, rho * std**2
    if formula:
        known = {one: mean(*at, *here) for at, one in g.PAIRS.items() if at != (0, 0)}
        known[o.LOG] = mpmath.log(mean(0, 0, *here))
        change = g.covariance_change if together else g.row_change
        return evaluate(change(*powers), known, dps)
    if together:
        return mpmath.diff(lambda shared: mean(*powers, here[0], shared), here[1])
    return 2 * mpmath.diff(lambda first: mean(*powers, first, here[1]), here[0])


def within_heating(integrand: Callable[[], Expr], values: Values, dps: int, formula: bool = False) -> Any:
    """The derivative in a^2 of an integrand over one row at a place, or its formula, by sums over one logit."""
    std, place = numbers(values, dps, o.LOGIT_STD, o.PLACE)

    def at(expression: Expr, variance: Any) -> Any:
        return evaluate(expression, {**values, **_singles(place, variance)}, mpmath.mp.dps)

    if formula:
        return at(g.within_heating(integrand()), std**2)
    return mpmath.diff(lambda variance: at(integrand(), variance), std**2)


def across_change(
    integrand: Callable[[], Expr], values: Values, dps: int, together: bool, formula: bool = False
) -> Any:
    """The derivative in the covariance of two rows' logits of an integrand over both, or its formula.

    Not `together`: in both variances, which moves the integrand and its mirror image by twice as much.
    """
    std, rho, place = numbers(values, dps, o.LOGIT_STD, m.RHO, o.PLACE)
    places = (place, place - 1)

    def at(expression: Expr, variance: Any, shared: Any, mirrored: bool = False) -> Any:
        at_both = places[::-1] if mirrored else places
        covariance = [[variance, shared], [shared, variance]]
        needed = [powers for powers in g.PAIRS if g.PAIRS[powers] in expression.free_symbols]
        known = {g.PAIRS[powers]: _pair(at_both, powers, covariance, dps) for powers in needed}
        bare = _pair(at_both, (0, 0), covariance, dps)
        return evaluate(expression, {**values, **known, o.LOG: mpmath.log(bare)}, mpmath.mp.dps)

    variance, shared = std**2, rho * std**2
    if not formula:
        if together:
            return mpmath.diff(lambda c: at(integrand(), variance, c), shared)
        return 2 * mpmath.diff(lambda v: at(integrand(), v, shared), variance)
    if together:
        return at(g.across_coupling(integrand()), variance, shared)
    heating = g.across_heating(integrand())
    return at(heating, variance, shared) + at(heating, variance, shared, mirrored=True)


def overlap_change(values: Values, dps: int, by: Symbol, formula: bool = False) -> Any:
    """The derivative of S_rho of two tokens in a or rho, or its formula from those in variances and covariance."""
    std, rho = numbers(values, dps, o.LOGIT_STD, m.RHO)

    def overlap(variance: Any, shared: Any) -> Any:
        covariance = [[2 * variance, 2 * shared], [2 * shared, 2 * variance]]
        return over_gaussian(
            lambda x, y: logistic(x) * logistic(y) + logistic(-x) * logistic(-y), covariance, _nodes(dps)
        )

    if formula:
        known = {
            g.HEATING: mpmath.diff(lambda v: overlap(v, rho * std**2), std**2),
            g.COUPLING: mpmath.diff(lambda c: overlap(std**2, c), rho * std**2),
        }
        change = g.temperature_change() if by == o.LOGIT_STD else g.correlation_change()
        return evaluate(change, {o.LOGIT_STD: std, g.SHARED: rho, **known}, dps)
    if by == o.LOGIT_STD:
        return mpmath.diff(lambda a: overlap(a**2, rho * a**2), std)
    return mpmath.diff(lambda c: overlap(std**2, c * std**2), rho)


def gap_change(values: Values, dps: int, by: Symbol, formula: bool = False) -> Any:
    """The derivative of S_2 - S_rho in a or in T where weights are nearly even, or its formula.

    R = (T - 1)/T^2 + c a^2 stands for the mean slope.
    """
    std, distance, tokens = numbers(values, dps, o.LOGIT_STD, m.DISTANCE, o.TOKENS)

    def mean_slope(a: Any, count: Any) -> Any:
        return (count - 1) / count**2 - a**2 / 4

    def gap(a: Any, count: Any) -> Any:
        return a**2 * distance * mean_slope(a, count)

    if not formula:
        if by == o.LOGIT_STD:
            return mpmath.diff(lambda a: gap(a, tokens), std)
        return mpmath.diff(lambda count: gap(std, count), tokens)
    known = {
        o.SLOPES: mean_slope(std, tokens),
        g.MOVE: mpmath.diff(lambda a: mean_slope(a, tokens), std),
        g.TOKEN_MOVE: mpmath.diff(lambda count: mean_slope(std, count), tokens),
    }
    return evaluate(g.gap_changes()[by == o.TOKENS], {**values, **known}, dps)


def masked_change(
    integrand: Callable[[], Expr], values: Values, dps: int, together: bool, formula: bool = False
) -> Any:
    """The derivative in both variances, or in the covariance, of an integrand over rows of different lengths."""
    std, rho, place = numbers(values, dps, o.LOGIT_STD, m.RHO, o.PLACE)
    later = place - 1

    def at(expression: Expr, variance: Any, shared: Any) -> Any:
        covariance = [[variance, shared], [shared, variance]]

        def two(j: int, k: int) -> Any:
            return over_gaussian(
                lambda x, y: _kept(place + x, j) * _kept(later + y, k), covariance, _nodes(dps)
            )

        def one(k: int) -> Any:
            return over_gaussian(lambda y: _kept(later + y, k), [[variance]], 30)

        symbols = expression.free_symbols
        known = {name: two(*powers) for powers, name in g.MASKED_PAIRS.items() if name in symbols}
        alone = {o.FIRST: 1, g.M2_SECOND: 2, g.M3_SECOND: 3}
        known |= {name: one(k) for name, k in alone.items() if name in symbols}
        known |= {o.LOG: mpmath.log(two(0, 0)), o.LOG_SECOND: mpmath.log(one(0))}
        return evaluate(expression, {**values, **known}, mpmath.mp.dps)

    variance, shared = std**2, rho * std**2
    if formula:
        change = g.across_coupling if together else g.masked_heating
        return at(change(integrand()), variance, shared)
    if together:
        return mpmath.diff(lambda c: at(integrand(), variance, c), shared)
    return mpmath.diff(lambda v: at(integrand(), v, shared), variance)


def pair_change(values: Values, dps: int, formula: bool = False) -> Any:
    """The derivative of E s(x) s(y)^2 along changes of variances and covariance, or its formula, by sums."""
    std, rho, *moves = numbers(values, dps, o.LOGIT_STD, m.RHO, lg.MOVE_I, lg.MOVE_K, lg.MOVE_IK)

    def mean(i: int, k: int, step: Any = 0) -> Any:
        by_i, by_k, by_both = (step * one for one in moves)
        shared = rho * std**2 + by_both
        return over_gaussian(
            lambda x, y: _slope(x, i) * _slope_of_square(y, k),
            [[std**2 + by_i, shared], [shared, std**2 + by_k]],
            _nodes(dps),
        )

    if not formula:
        return mpmath.diff(lambda step: mean(0, 0, step), 0)
    known = {lg.CURVED_I: mean(2, 0), lg.CURVED_K: mean(0, 2), lg.STEEP: mean(1, 1)}
    return evaluate(lg.pair_change(), {**values, **known}, dps)


def _slope(z: Any, order: int) -> Any:
    s = logistic(z)
    return (s, s * (1 - s), s * (1 - s) * (1 - 2 * s))[order]


def _slope_of_square(z: Any, order: int) -> Any:
    s, once, twice = (_slope(z, j) for j in range(3))
    return (s**2, 2 * s * once, 2 * once**2 + 2 * s * twice)[order]


def _single(place: Any, power: int, variance: Any) -> Any:
    """m_j at a place."""
    return over_gaussian(lambda x: _kept(place + x, power), [[variance]], 30)


def _singles(place: Any, variance: Any) -> dict[Symbol, Any]:
    """The log of m_0, and m_1 to m_4."""
    bare, *means = (_single(place, power, variance) for power in range(5))
    return {o.LOG: mpmath.log(bare)} | dict(zip((o.M1, o.M2, g.M3, g.M4), means, strict=True))


def _pair(places: tuple[Any, Any], powers: tuple[int, int], covariance: list[list[Any]], dps: int) -> Any:
    """psi_jk at two places."""
    (one, two), (j, k) = places, powers
    return over_gaussian(lambda x, y: _kept(one + x, j) * _kept(two + y, k), covariance, _nodes(dps))


def _nodes(dps: int) -> int:
    """How many points a logit of standard deviation .15 or less takes."""
    return 2 + 2 * dps // 3


def _kept(place: Any, power: int) -> Any:
    return mpmath.exp(power * place - mpmath.exp(place))
