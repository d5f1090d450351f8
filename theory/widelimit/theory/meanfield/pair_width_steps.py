"""Steps and evidence of two inputs at finite width.

The evidence is a network of quartic units, phi(u) = u + u^2/2 - u^3/6 + u^4/24, whose Gaussian averages are finite
sums, exact to all digits. A covariance matrix below that scatters is one with a few values, whose signed weights give
it the mean a/N and the covariances v/N; the layer does to each what it does, and N goes to infinity. The formulas know
phi by its moments alone, so that what holds here holds for every phi that has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache, partial
from itertools import combinations
from typing import Any

import mpmath
from sympy import Eq, Expr, Function, Symbol, oo

from widelimit.theory.calculus.derivation import Step
from widelimit.theory.calculus.precision import Values, evaluate
from widelimit.theory.meanfield import formulas as m
from widelimit.theory.meanfield import moments as g
from widelimit.theory.meanfield import pair_widths as p
from widelimit.theory.meanfield import widths as w
from widelimit.theory.meanfield.width_steps import GIVEN, ROBERTS

_SPARE = 25  # digits that differences over scattered values lose, N being up to 10^10
_AT = {g.q_1: (0.3, 1.0), g.q_2: (0.3, 1.0), g.c: (-0.8, 0.8)}
_LAYER = _AT | {m.sigma_w: (0.5, 1.5), m.keep: (0.4, 1.0)}
_SCATTERED = dict.fromkeys(p.shifts.values(), (0.1, 1.0)) | dict.fromkeys(p.spreads.values(), (0.1, 1.0))
_HELD = dict.fromkeys(p.held.values(), (0.1, 1.0))
_WHERE = (w.width, oo, 1)
Matrix = tuple[Any, Any, Any]  # K_11, K_12, K_22
Polynomial = tuple[Fraction, ...]
X: Polynomial = (Fraction(0), Fraction(1))
UNIT: Polynomial = (Fraction(0), Fraction(1), Fraction(1, 2), Fraction(-1, 6), Fraction(1, 24))


def steps() -> list[Step]:
    """Return the steps; they hold for every activation with the moments that they name."""
    gamma, spread = p.sample_covariances(), p.covariance_spread_map()
    return [
        *(
            Step(
                f"sample-covariance-{both}",
                _equal(Function("Cov")(*map(_mean_of, both.split(","))), gamma[both]),
                "N times the covariance of two means over N independent pairs: the fourth moments of a pair less the "
                "products of its second moments (Isserlis).",
                assumptions=(GIVEN,),
                domain=_AT,
                left=partial(_sample, both),
                right=partial(_shown, gamma[both]),
            )
            for both in ("11,12", "11,22", "12,12")
        ),
        Step(
            "covariance-shift",
            _equal(Symbol("a_{12, l+1}"), p.covariance_shift_map()),
            "Taylor's series of E phi(u_1) phi(u_2) in the covariance matrix of u_1 and u_2, whose derivatives are "
            "expectations of derivatives of phi.",
            f"price1958useful; {ROBERTS}",
            (GIVEN, "all hidden layers have N units"),
            _LAYER | _SCATTERED,
            "limit",
            _WHERE,
            left=_shift,
            right=partial(_shown, p.covariance_shift_map()),
        ),
        *(
            Step(
                f"covariance-spread-{both}",
                _equal(Symbol(f"v_{{{both}, l+1}}"), spread[both]),
                "Covariance of the means, which the layer carries on, plus mean of the covariance, which its N units "
                "add; masks of the two inputs are independent.",
                ROBERTS,
                (GIVEN, "all hidden layers have N units"),
                _LAYER | _SCATTERED,
                "limit",
                _WHERE,
                left=partial(_spread, both),
                right=partial(_shown, spread[both]),
            )
            for both in spread
        ),
        Step(
            "held-spread",
            _equal(Symbol("v - Gamma(U)"), p.held_spreads()["11,11"]),
            "A vector of exactly the length U is uniform on a sphere: its fourth moments are N/(N + 2) of the Gaussian "
            "ones. That is what a length with the variance v/N - 2 U^2/N would give.",
            domain={g.q_1: (0.3, 1.0), p.held["11"]: (0.1, 1.0), p.spreads["11,11"]: (0.1, 1.0)},
            kind="limit",
            limit=_WHERE,
            left=_held,
        ),
        Step(
            "correlation-shift",
            _equal(Function("N*E")(Symbol("K_12/sqrt(K_11*K_22) - c")), p.correlation_shift()),
            "Taylor's series of the correlation in lengths and covariance. Of a network's own pre-activations, whose "
            "means over units are taken, v + Gamma stands in place of v.",
            domain=_AT | _SCATTERED,
            kind="limit",
            limit=_WHERE,
            left=_correlation_shift,
        ),
        Step(
            "correlation-spread",
            _equal(Function("N*Var")(Symbol("K_12/sqrt(K_11*K_22)")), p.correlation_spread()),
            "The first order of the same series, squared.",
            domain=_AT | _SCATTERED,
            kind="limit",
            limit=_WHERE,
            left=_correlation_spread,
        ),
    ]  # fmt: skip


def _equal(left: Any, right: Any) -> Eq:
    return Eq(left, right, evaluate=False)


def _mean_of(one: str) -> Symbol:
    return Symbol(f"mean(u_{one[0]}*u_{one[1]})")


# --- a quartic unit -----------------------------------------------------------------------------------------------


def _times(one: Polynomial, other: Polynomial) -> Polynomial:
    out = [Fraction(0)] * (len(one) + len(other) - 1)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            out[i + j] += a * b
    return tuple(out)


@lru_cache(maxsize=64)
def _power(base: Polynomial, times: int) -> Polynomial:
    return (Fraction(1),) if times == 0 else _times(_power(base, times - 1), base)


@lru_cache(maxsize=256)
def _slope(f: Polynomial, order: int = 1) -> Polynomial:
    return f if order == 0 else _slope(tuple(k * a for k, a in enumerate(f))[1:] or (Fraction(0),), order - 1)


def _alone(f: Polynomial, q: Any) -> Any:
    """E f(u): E u^2k = (2k - 1)!! q^k."""
    return mpmath.fsum(
        mpmath.mpf(a.numerator) / a.denominator * mpmath.fac2(k - 1) * q ** (k // 2)
        for k, a in enumerate(f)
        if k % 2 == 0 and a
    )


def _mean(f: Polynomial, g: Polynomial, k: Matrix) -> Any:
    """E f(u) g(v) = sum_n K_12^n/n! E f^(n)(u) E g^(n)(v), the pairings of Isserlis sorted by those that mix."""
    return mpmath.fsum(
        k[1] ** n / mpmath.factorial(n) * _alone(_slope(f, n), k[0]) * _alone(_slope(g, n), k[2])
        for n in range(min(len(f), len(g)))
    )


def _next(k: Matrix, values: Values) -> Matrix:
    """The covariance matrix one layer on, without biases."""
    weight, rho = values[m.sigma_w] ** 2, values[m.keep]
    square = _power(UNIT, 2)
    return (
        weight / rho * _alone(square, k[0]),
        weight * _mean(UNIT, UNIT, k),
        weight / rho * _alone(square, k[2]),
    )


# --- scattered covariances ----------------------------------------------------------------------------------------


def _numbers(values: Values, dps: int) -> tuple[dict[Symbol, Any], Matrix]:
    found = {symbol: evaluate(symbol, values, dps) for symbol in values}
    first, second = found[g.q_1], found[g.q_2]
    return found, (first, found[g.c] * mpmath.sqrt(first * second), second)


def _scattered(values: Values, k: Matrix) -> Iterator[tuple[Any, Matrix]]:
    """Signed weights and values of a covariance matrix of mean K + a/N and covariances v/N."""
    width = values[w.width]
    shifted = [one + values[p.shifts[name]] / width for one, name in zip(k, p.ENTRIES, strict=True)]
    v = {(i, j): values[p.spreads[p.PAIRS[p.place(i, j)]]] for i in range(3) for j in range(3)}
    step, rest = 1 / mpmath.sqrt(width), mpmath.mpf(1)
    along = {(i,): v[i, i] - sum(v[i, j] for j in range(3) if j != i) for i in range(3)}
    for places, weight in (along | {both: v[both] for both in combinations(range(3), 2)}).items():
        rest -= weight
        for sign in (1, -1):
            yield weight / 2, tuple(one + sign * step * (i in places) for i, one in enumerate(shifted))
    yield rest, tuple(shifted)


def _shift(values: Values, dps: int) -> Any:
    with mpmath.workdps(dps + _SPARE):
        found, k = _numbers(values, mpmath.mp.dps)
        mean = mpmath.fsum(weight * _next(one, found)[1] for weight, one in _scattered(found, k))
        return found[w.width] * (mean - _next(k, found)[1])


def _spread(both: str, values: Values, dps: int) -> Any:
    i, j = p.entry(both)
    with mpmath.workdps(dps + _SPARE):
        found, k = _numbers(values, mpmath.mp.dps)
        law = [(weight, _next(one, found)) for weight, one in _scattered(found, k)]
        first, second = (mpmath.fsum(weight * one[e] for weight, one in law) for e in (i, j))
        between = mpmath.fsum(weight * (one[i] - first) * (one[j] - second) for weight, one in law)
        return found[w.width] * between + _added(both, k, found)


def _added(both: str, k: Matrix, values: Values) -> Any:
    """What one unit adds: the covariance of two of its products, over both masks."""
    rho, products = values[m.keep], {"11": (2, 0), "12": (1, 1), "22": (0, 2)}
    first, second = (products[one] for one in both.split(","))

    def masked(powers: Sequence[int]) -> Any:
        kept = rho ** (sum(one > 0 for one in powers) - sum(powers))
        return kept * _mean(_power(UNIT, powers[0]), _power(UNIT, powers[1]), k)

    joint = masked([one + other for one, other in zip(first, second, strict=True)])
    return values[m.sigma_w] ** 4 * (joint - masked(first) * masked(second))


def _sample(both: str, values: Values, dps: int) -> Any:
    i, j = p.entry(both)
    with mpmath.workdps(dps + _SPARE):
        _, k = _numbers(values, mpmath.mp.dps)
        one, other = (2 - i, i), (2 - j, j)  # powers of u_1 and u_2
        joint = _mean(_power(X, one[0] + other[0]), _power(X, one[1] + other[1]), k)
        return joint - k[i] * k[j]


def _held(values: Values, dps: int) -> Any:
    """N times what u^4/3 has on average for u = x + y, x on a sphere of length U, y of the length q +- sqrt(v/N) - U.

    E u^4/3 = q^2 for a Gaussian u of length q; here it is q^2 + v/N - U^2 2/(N + 2) to the order 1/N.
    """
    with mpmath.workdps(dps + _SPARE):
        q, on, v, width = (
            evaluate(s, values, dps) for s in (g.q_1, p.held["11"], p.spreads["11,11"], w.width)
        )
        total = mpmath.mpf(0)
        for sign in (1, -1):
            rest = q + sign * mpmath.sqrt(v / width) - on
            total += (3 * on**2 * width / (width + 2) + 6 * on * rest + 3 * rest**2) / 6
        return width * (total - q**2)


def _correlations(values: Values, dps: int) -> tuple[Any, Any, list[tuple[Any, Any]]]:
    found, k = _numbers(values, dps)
    law = [(weight, b / mpmath.sqrt(a * d)) for weight, (a, b, d) in _scattered(found, k)]
    return found[w.width], found[g.c], law


def _correlation_shift(values: Values, dps: int) -> Any:
    with mpmath.workdps(dps + _SPARE):
        width, c, law = _correlations(values, mpmath.mp.dps)
        return width * (mpmath.fsum(weight * one for weight, one in law) - c)


def _correlation_spread(values: Values, dps: int) -> Any:
    with mpmath.workdps(dps + _SPARE):
        width, _, law = _correlations(values, mpmath.mp.dps)
        mean = mpmath.fsum(weight * one for weight, one in law)
        return width * mpmath.fsum(weight * (one - mean) ** 2 for weight, one in law)


def _shown(formula: Expr, values: Values, dps: int) -> Any:
    """The formula, with the moments of the quartic unit in place of their names."""
    with mpmath.workdps(dps + _SPARE):
        found, k = _numbers(values, mpmath.mp.dps)
        named: dict[Symbol, Any] = {
            symbol: _mean(_slope(UNIT, i), _slope(UNIT, j), k) for (i, j), symbol in p.mixed.items()
        }
        named |= {symbol: _mean(_power(UNIT, i), _power(UNIT, j), k) for (i, j), symbol in p.powers.items()}
        square = _power(UNIT, 2)
        named |= {
            m.second_1: _alone(square, k[0]),
            m.second_2: _alone(square, k[2]),
            p.second_slope_1: _alone(_slope(square, 2), k[0]) / 2,
            p.second_slope_2: _alone(_slope(square, 2), k[2]) / 2,
            p.covariance: k[1],
        }
        return evaluate(formula, {**found, **named}, mpmath.mp.dps)
