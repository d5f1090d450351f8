"""Steps and evidence of lengths at finite width.

The evidence takes a length of the layer below that has two values with equal chances, q + a/N +- sqrt(v/N), lets the
layer do exactly what it does (`evidence.length`, sums over signs, quadrature of mpmath's own), and follows N to
infinity.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import mpmath
from sympy import Derivative, Eq, Function, Symbol, oo

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Step
from widelimit.theory.calculus.layers import by_number, over_unit
from widelimit.theory.calculus.precision import Values, evaluate
from widelimit.theory.errors import InfiniteMomentError
from widelimit.theory.meanfield import evidence
from widelimit.theory.meanfield import formulas as m
from widelimit.theory.meanfield import moments as g
from widelimit.theory.meanfield import widths as w

ROBERTS = "roberts2022principles, running of the four-point vertex"
GIVEN = (
    "pre-activations of a layer are independent N(0, K) given the layer below, K being q at infinite width"
)
LOST = 8  # digits that differences over lengths lose
ENOUGH = 20  # digits that show the ratio of a limit approach one
_AT = {g.q: (0.3, 2.0), m.sigma_w: (0.5, 2.0), m.sigma_b: (0.1, 1.0), m.keep: (0.3, 1.0)}
_SCATTERED = _AT | {w.shift: (0.1, 1.0), w.spread: (0.1, 1.0)}


def steps(a: Activation) -> list[Step]:
    """Return the steps of an activation whose fourth moment is finite, none of others."""
    where = (w.width, oo, 1)
    try:
        w.square_variance(a)
    except InfiniteMomentError:
        return []
    return [
        Step(
            "length-curvature",
            _equal(Derivative(m.dropout_length_map(a), (g.q, 2)), w.length_curvature(a)),
            "The derivatives of a Gaussian density by its variance are those by its variable: d/dq = (1/2) d^2/du^2, "
            "so that d^2/dq^2 E f = E f (z^4 - 6 z^2 + 3)/(4 q^2) with u = sqrt(q) z.",
            "price1958useful",
            domain=_AT,
        ),
        Step(
            "square-variance",
            _equal(Function("Var")((Symbol("m") * Function("phi")(Symbol("u")) / m.keep) ** 2), w.square_variance(a)),
            "What one unit adds to the spread of the next length; a mask m keeps it with probability rho.",
            domain={g.q: (0.3, 2.0), m.keep: (0.3, 1.0)},
            left=partial(square_variance, a),
        ),
        Step(
            "length-shift",
            _equal(Symbol("a_{l+1}"), w.length_shift_map(a)),
            "The mean of F over a length that scatters: Taylor's series to second order. The check follows two "
            "lengths q + a/N +- sqrt(v/N) through the layer.",
            ROBERTS,
            (GIVEN, "all hidden layers have N units"),
            _SCATTERED,
            "limit",
            where,
            left=partial(length_shift, a),
        ),
        Step(
            "length-spread",
            _equal(Symbol("v_{l+1}"), w.length_spread_map(a)),
            "Variance of the mean, which the layer carries on, plus mean of the variance, which its N units add.",
            ROBERTS,
            (GIVEN, "all hidden layers have N units"),
            _SCATTERED,
            "limit",
            where,
            left=partial(length_spread, a),
        ),
        Step(
            "sample-length-variance",
            _equal(Function("Var")(Symbol("mean(h_l^2)")), w.sample_length_variance()),
            "The mean square of N Gaussian numbers of variance K varies by 2 K^2/N around K, which varies by v/N.",
            assumptions=(GIVEN,),
            domain={g.q: (0.3, 2.0), w.spread: (0.1, 1.0)},
            kind="limit",
            limit=where,
            left=sample_length_variance,
        ),
    ]  # fmt: skip


def _equal(left: Any, right: Any) -> Eq:
    return Eq(left, right, evaluate=False)


def square_variance(a: Activation, values: Values, dps: int) -> Any:
    """Return the variance of (m phi/rho)^2, as the mean square of what it deviates by, over the mask's two values."""
    length, rho = evaluate(g.q, values, dps), evaluate(m.keep, values, dps)
    f, breaks = by_number(a.expr, mpmath.mp.dps)
    mean = over_unit(lambda u: rho * (f(u) / rho) ** 2, length, breaks)

    def deviation(u: Any) -> Any:
        return rho * ((f(u) / rho) ** 2 - mean) ** 2 + (1 - rho) * mean**2

    return over_unit(deviation, length, breaks)


def length_shift(a: Activation, values: Values, dps: int) -> Any:
    """Return N (mean of the next length less that of the length q)."""
    with mpmath.workdps(_digits(a, dps)):
        width = evaluate(w.width, values, dps)
        after = [_length(a, one, values, dps) for one in _two(values, dps)]
        return width * (mpmath.fsum(after) / 2 - _length(a, evaluate(g.q, values, dps), values, dps))


def length_spread(a: Activation, values: Values, dps: int) -> Any:
    """Return N times the variance of the next length: of its mean over both lengths, and mean of that of N units."""
    width, weight = evaluate(w.width, values, dps), evaluate(m.sigma_w, values, dps)
    with mpmath.workdps(_digits(a, dps)):
        lengths = _two(values, dps)
        after = [_length(a, one, values, dps) for one in lengths]
        added = [square_variance(a, {**values, g.q: one}, dps) * weight**4 for one in lengths]
        return width * ((after[0] - after[1]) / 2) ** 2 + mpmath.fsum(added) / 2


def sample_length_variance(values: Values, dps: int) -> Any:
    """Return the same variance for a length of two values: E (mean h^2)^2 - (E mean h^2)^2 by E h^4 = 3 K^2."""
    width = evaluate(w.width, values, dps)
    lengths = _two({**values, w.shift: 0}, dps)
    square = mpmath.fsum((3 * k**2 + (width - 1) * k**2) / width for k in lengths) / 2
    return square - (mpmath.fsum(lengths) / 2) ** 2


def _digits(a: Activation, dps: int) -> int:
    """Where F is linear the limit is no limit: both sides are equal at every N, to all digits asked for."""
    return ENOUGH if w.length_curvature(a) else dps + LOST


def _two(values: Values, dps: int) -> tuple[Any, Any]:
    """Return q + a/N +- sqrt(v/N)."""
    length, a, v, width = (evaluate(one, values, dps) for one in (g.q, w.shift, w.spread, w.width))
    scatter = mpmath.sqrt(v / width)
    return length + a / width + scatter, length + a / width - scatter


def _length(a: Activation, length: Any, values: Values, dps: int) -> Any:
    scales = tuple((s, values[s]) for s in (m.sigma_w, m.sigma_b, m.keep))
    return _remembered(a, length, scales, dps)


@lru_cache(maxsize=64)
def _remembered(a: Activation, length: Any, scales: tuple[tuple[Symbol, Any], ...], dps: int) -> Any:
    return evidence.length(a, {g.q: length, **dict(scales)}, dps)
