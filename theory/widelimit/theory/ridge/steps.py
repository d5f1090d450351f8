"""Steps of the ridge derivations: sums over a spectrum are printed in general and checked on three random scales."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import mpmath
from sympy import Eq, Expr, Indexed, Integer, Rational, Symbol, lambdify, symbols

from widelimit.theory.calculus.derivation import Evaluator, Step
from widelimit.theory.ridge.formulas import D, S, U, W, alpha, kappa, noise

MEL = "mel2021anisotropic"
MARCHENKO = "marchenko1967distribution; silverstein1995empirical"
SCALES = 3

_s = symbols("s_1:4", positive=True)
_p = symbols("p_1:3", positive=True)
_u = symbols("u_1:4", positive=True)
_third = 1 - _p[0] - _p[1]

DRAWN: Mapping[Symbol, tuple[float, float]] = {
    **dict.fromkeys(_s, (0.1, 2.0)),
    **dict.fromkeys(_p, (0.1, 0.4)),
    **dict.fromkeys(_u, (0.1, 1.0)),
    kappa: (0.2, 1.5),
    alpha: (0.3, 3.0),
    noise: (0.05, 0.5),
}
"""Where checks draw the spectrum and the other parameters."""


def on_three_scales(expression: Expr) -> Expr:
    """Write every sum over the spectrum out for three scales whose fractions add up to one."""
    written = expression.subs(D, Integer(SCALES)).doit()
    values: dict[Expr, Expr] = {}
    for index in range(SCALES):
        values[S[index + 1]] = _s[index]
        values[W[index + 1]] = (*_p, _third)[index]
        values[U[index + 1]] = _u[index]
    written = written.subs(values)
    if left := written.atoms(Indexed):
        raise AssertionError(f"sums that were not written out: {left}")
    return written


def both(left: Expr, right: Expr) -> Evaluator:
    """Return a function that evaluates two expressions of the drawn symbols by mpmath."""
    return partial(_both, left, right)


def _both(left: Expr, right: Expr, values: Mapping[Symbol, Any], dps: int) -> tuple[mpmath.mpf, mpmath.mpf]:
    used = sorted(left.free_symbols | right.free_symbols, key=str)
    function = lambdify(used, [left, right], "mpmath")
    with mpmath.workdps(dps + 10):
        one, other = function(*(number(values[symbol]) for symbol in used))
        return mpmath.mpf(one), mpmath.mpf(other)


def number(value: Any) -> mpmath.mpf:
    """Convert a drawn rational to the working precision."""
    exact = Rational(value)
    return mpmath.mpf(exact.p) / exact.q


def spectral(
    name: str,
    lhs: Expr,
    rhs: Expr,
    because: str,
    *,
    source: str = MEL,
    where: Mapping[Symbol, Expr] | None = None,
    domain: Mapping[Symbol, tuple[float, float]] | None = None,
    **more: Any,
) -> Step:
    """Make a step about spectral sums, checked on three random scales with every derivative carried out.

    `where` says what the names in the equation stand for (formulas of earlier steps); they are put in on both sides.
    """
    drawn = {**DRAWN, **(domain or {})}
    left, right = (on_three_scales(side.subs(where or {})) for side in (lhs, rhs))
    used = sorted(left.free_symbols | right.free_symbols, key=str)
    return Step(
        name=name,
        equation=Eq(lhs, rhs, evaluate=False),
        because=because,
        source=source,
        domain={symbol: drawn[symbol] for symbol in used},
        evaluate=both(left, right),
        **more,
    )
