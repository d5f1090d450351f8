"""Steps of the ridge derivations: sums over a spectrum are shown in general and checked on three random scales."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import mpmath
from sympy import Eq, Expr, Indexed, Integer, Integral, Sum, Symbol, lambdify, symbols

from widelimit.theory.calculus.derivation import Step
from widelimit.theory.calculus.equations import Rewritten
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


def on_three_scales(expression: Expr, where: Mapping[Expr, Expr] | None = None) -> Rewritten:
    """Write every sum over the spectrum out for three scales whose fractions add up to one.

    `where` says what names stand for, which are put in first.
    """
    written = expression.subs(where or {}).subs(D, Integer(SCALES))
    written = written.replace(lambda node: isinstance(node, Sum), lambda node: node.doit())
    values: dict[Expr, Expr] = {}
    for index in range(SCALES):
        values[S[index + 1]] = _s[index]
        values[W[index + 1]] = (*_p, _third)[index]
        values[U[index + 1]] = _u[index]
    written = written.subs(values)
    if left := written.atoms(Indexed):
        raise AssertionError(f"sums that were not written out: {left}")
    return written


def scales(values: Mapping[Symbol, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return fractions and eigenvalues of the three scales at a drawn point."""
    fractions = (values[_p[0]], values[_p[1]], 1 - values[_p[0]] - values[_p[1]])
    return fractions, tuple(values[x] for x in _s)


def power_sum(values: Mapping[Symbol, Any], power: int) -> Any:
    """Return ``sum p_j s_j^power`` of the three scales at a drawn point."""
    return sum(w * x**power for w, x in zip(*scales(values), strict=True))


def integrated(shown: Integral, values: Mapping[Symbol, Any], dps: int) -> Any:
    """Evaluate an integral over spectral sums as it is shown, compiled for mpmath: there are many nodes."""
    over, *ends = shown.limits[0]
    with mpmath.workdps(dps):
        here = {symbol: mpmath.mpf(value.p) / value.q for symbol, value in values.items()}
        f = lambdify([over, *here], on_three_scales(shown.function), "mpmath")
        return mpmath.quad(lambda x: f(x, *here.values()), [here[end] for end in ends])


def spectral(
    name: str,
    lhs: Expr,
    rhs: Expr,
    because: str,
    *,
    source: str = MEL,
    where: Mapping[Expr, Expr] | None = None,
    domain: Mapping[Symbol, tuple[float, float]] | None = None,
    **more: Any,
) -> Step:
    """Make a step about spectral sums, checked on three random scales with every derivative carried out.

    `where` says what the names in the equation stand for (formulas of earlier steps); they are put in on both sides.
    """
    drawn = {**DRAWN, **(domain or {})}
    written = partial(on_three_scales, where=where)
    shown = [rhs, lhs] if more.get("left") is None else [rhs]
    used = set().union(*(written(side).free_symbols for side in shown))
    if more.get("left") is not None:  # it may look at the whole problem
        used |= {*_s, *_p, *_u, alpha, noise}
    return Step(
        name=name,
        equation=Eq(lhs, rhs, evaluate=False),
        because=because,
        source=source,
        domain={symbol: drawn[symbol] for symbol in sorted(used, key=str)},
        written=written,
        **more,
    )
