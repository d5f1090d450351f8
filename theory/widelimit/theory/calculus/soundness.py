"""Whether an expression is an activation: a real function of `x`, finite everywhere, of functions with known kinks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy
from sympy import Add, Expr, Lambda, Mul, Piecewise, Pow, Rational, S, exp, log, preorder_traversal, tanh
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean

from widelimit.theory.calculus import catalogue, sampling
from widelimit.theory.calculus.pieces import KINKED, Pieces, degree, real_roots, split
from widelimit.theory.calculus.vocabulary import x
from widelimit.theory.errors import ParseError, shown

MAX_NODES = 600
MAX_POWER = 128  # a power of a power counts as their product
_NEAR = ("0.37", "1", "2.9", "11")
_FAR = ("37", "150", "1000")  # only what is undefined there is refused, not what is too large to be told
_ENTIRE = (  # real and finite where their arguments are, and smooth
    exp, sympy.sin, sympy.cos, sympy.sinh, sympy.cosh, tanh, sympy.atan, sympy.asinh, sympy.erf, sympy.erfc, sympy.erfi,
    sympy.besselj, sympy.besseli, sympy.airyai, sympy.airybi, sympy.sinc, sympy.Si, sympy.fresnels, sympy.fresnelc,
)  # fmt: skip
_PARTIAL = (log, sympy.asin, sympy.acos, sympy.acosh, sympy.atanh)  # checked at the samples


def checked(expr: Expr, name: str) -> Expr:
    """Return the expression, or refuse what is no real, finite function of `x` with finitely many kinks."""
    if x not in expr.free_symbols:
        raise ParseError(f"The activation {shown(name)} must depend on `x`.")
    _refuse_foreign(expr, name)
    pieces = split(expr, x)  # raises where kinks cannot be found
    if expr.free_symbols != {x}:
        return expr
    for point in _samples(pieces):
        _refuse_value(expr, name, point, far=False)
    for number, (low, high) in enumerate(zip((None, *pieces.breaks), (*pieces.breaks, None), strict=True)):
        _refuse_poles(pieces.exprs[number], name, low, high)
    for point in _signed(_FAR):
        _refuse_value(expr, name, point, far=True)
    return expr


def _signed(numbers: tuple[str, ...]) -> Iterator[Rational]:
    for text in numbers:
        yield from (Rational(text), -Rational(text))


def _samples(pieces: Pieces) -> Iterator[Expr]:
    yield S.Zero
    yield from pieces.breaks
    yield from _signed(_NEAR)


def _refuse_value(expr: Expr, name: str, point: Expr, *, far: bool) -> None:
    value = sampling.value(expr, x, sampling.value(point))
    if value is None and far:
        return
    if not sampling.is_real(value):
        found = "too large to be computed" if value is None else f"is {sampling.shown(value)}"
        place = shown(str(point), 20).strip("'")
        raise ParseError(f"The activation {shown(name)} must be real and finite, but {found} at x = {place}.")


def _refuse_foreign(expr: Expr, name: str) -> None:
    """Refuse functions whose kinks, jumps or poles are not known here, and expressions too large to be worked with."""
    allowed = (Add, Mul, Pow, sympy.Symbol, *_ENTIRE, *_PARTIAL, *KINKED)
    if _height(expr) > MAX_POWER:
        raise ParseError(f"The activation {shown(name)} has powers of powers, beyond {MAX_POWER} in all.")
    for count, node in enumerate(preorder_traversal(expr), 1):
        if count > MAX_NODES:
            raise ParseError(
                f"The activation {shown(name)} has more than {MAX_NODES} terms; write a simpler one."
            )
        if isinstance(node, AppliedUndef):
            raise ParseError(f"The function '{node.func}' is not defined, it only has a name.")
        if isinstance(node, Boolean | Relational | sympy.functions.elementary.piecewise.ExprCondPair):
            continue
        if isinstance(node, Expr) and not isinstance(node, allowed) and node.has(x):
            raise ParseError(
                f"The function '{type(node).__name__}' is not one that activations may be made of: it has poles, jumps "
                "without end, or no derivative that is known here."
            )
        if node in (S.NaN, S.ComplexInfinity, S.Infinity, S.NegativeInfinity, S.ImaginaryUnit):
            raise ParseError(f"The activation {shown(name)} must be real and finite, but holds {node}.")


def _height(node: Any) -> int:
    """The product of the whole exponents on the steepest way down an expression."""
    below = max((_height(arg) for arg in node.args), default=1)
    if isinstance(node, Pow) and node.exp.is_number:
        return below * max(1, int(abs(node.exp))) if node.has(x) else below
    return below


def _refuse_poles(expr: Expr, name: str, low: Expr | None, high: Expr | None) -> None:
    """Refuse divisions by what vanishes, and logarithms of it, on the interval where a piece holds."""
    for node in expr.atoms(Pow, log):
        inner = node.args[0]
        if (isinstance(node, Pow) and not (node.exp.is_number and node.exp < 0)) or not inner.has(x):
            continue
        if _vanishes_between(inner, low, high):
            what = (
                "divides by zero somewhere"
                if isinstance(node, Pow)
                else "takes the logarithm of zero somewhere"
            )
            raise ParseError(f"The activation {shown(name)} must be finite, but {what}.")


def _vanishes_between(inner: Expr, low: Expr | None, high: Expr | None) -> bool:
    if inner.is_positive or inner.is_negative:
        return False
    ends = [None if end is None else sampling.value(end) for end in (low, high)]
    if inner.is_polynomial(x) and degree(inner, x) <= catalogue.NEGLIGIBLE:
        roots = [sampling.value(root) for root in real_roots(inner, x)]
        return any((ends[0] is None or r >= ends[0]) and (ends[1] is None or r <= ends[1]) for r in roots)
    points = [sampling.value(p) for p in (*_signed(_NEAR), *_signed(_FAR), S.Zero)]
    values = [
        sampling.value(inner, x, p)
        for p in points
        if (ends[0] is None or p >= ends[0]) and (ends[1] is None or p <= ends[1])
    ]
    signs = {bool(value > 0) for value in values if sampling.is_real(value)}
    return len(signs) > 1


def in_x(expr: Expr) -> Expr:
    """Read every symbol that is called x, whatever SymPy knows of it, as the real `x` of activations."""
    if isinstance(expr, Lambda):
        if len(expr.signature) != 1:
            raise ParseError("A function of one variable is needed, but this Lambda has more.")
        expr = expr(x)
    return expr.xreplace({symbol: x for symbol in expr.free_symbols if symbol.name == "x" and symbol != x})


def stable(expr: Expr) -> Expr:
    """Rewrite logistic factors by tanh and log(1 + exp) by pieces: derivatives then never read infinity/infinity.

    >>> stable(1/(1 + exp(-x)))
    tanh(x/2)/2 + 1/2
    """

    def exponent(e: Expr) -> Any:
        rest = e - 1
        return rest.args[0] if isinstance(rest, exp) else None

    expr = expr.replace(
        lambda e: isinstance(e, Pow) and e.exp.is_Integer and e.exp < 0 and exponent(e.base) is not None,
        lambda e: ((1 - tanh(exponent(e.base) / 2)) / 2) ** (-e.exp),
    )
    if expr.has(Piecewise):  # a softplus that is in pieces already stays so
        return expr
    return expr.replace(
        lambda e: (
            isinstance(e, log) and exponent(e.args[0]) is not None and exponent(e.args[0]).is_polynomial(x)
        ),
        lambda e: catalogue.softplus(exponent(e.args[0])),
    )
