"""Gaussian moments of powers of abs(x), whole or not: E abs(x)**s = (2 q)**(s/2) Gamma((s + 1)/2)/sqrt(pi), s > -1."""

from __future__ import annotations

from sympy import Add, Expr, Pow, S, Symbol, expand, gamma, pi, sqrt

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.pieces import split
from widelimit.theory.errors import ParseError


@exact.takes(power=exact.plain, q=exact.plain)
def absolute_moment(power: Expr, q: Expr) -> Expr:
    """Return E abs(x)**power for x ~ N(0, q); infinity from power -1 downwards.

    >>> absolute_moment(S(2), Symbol("q", positive=True))
    q
    """
    if power <= -1:
        return S.Infinity
    return (2 * q) ** (power / 2) * gamma((power + 1) / 2) / sqrt(pi)


@exact.takes(f=exact.plain)
def half_lines(f: Expr, x: Symbol) -> tuple[dict[Expr, Expr], dict[Expr, Expr]] | None:
    """Return {power: coefficient} of f in abs(x) left and right of 0, or None if f is no such sum of powers.

    >>> x = Symbol("x", real=True)
    >>> half_lines(3 * abs(x) ** S("3/2"), x)
    ({3/2: 3}, {3/2: 3})
    """
    try:
        pieces = split(f, x)
    except ParseError:
        return None
    if any(not b.is_zero for b in pieces.breaks):
        return None
    t = Symbol("t", positive=True)
    sides = [_powers(e.subs(x, side * t), t) for side, e in ((-1, pieces.exprs[0]), (1, pieces.exprs[-1]))]
    return None if None in sides else (sides[0], sides[1])  # type: ignore[return-value]


def _powers(e: Expr, t: Symbol) -> dict[Expr, Expr] | None:
    found: dict[Expr, Expr] = {}
    for term in Add.make_args(expand(e)):
        if term == 0:
            continue
        coefficient, rest = term.as_independent(t, as_Add=False)
        power = S.Zero if rest == 1 else S.One if rest == t else None
        if isinstance(rest, Pow) and rest.base == t and rest.exp.is_real and not rest.exp.has(t):
            power = rest.exp
        if power is None:
            return None
        found[power] = found.get(power, S.Zero) + coefficient
    return found


@exact.takes(f=exact.plain, q=exact.plain)
def closed_power(f: Expr, x: Symbol, q: Expr) -> Expr | None:
    """Return E f of a sum of powers with a fractional exponent among them, or None if f is none."""
    if not any(not p.exp.is_Integer for p in f.atoms(Pow) if p.has(x)):
        return None
    sides = half_lines(f, x)
    if sides is None:
        return None
    return Add(*(c * absolute_moment(s, q) / 2 for side in sides for s, c in side.items() if c != 0))
