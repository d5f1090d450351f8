"""Functions of one variable that are smooth between finitely many breaks.

``split(expr, x)`` turns `Max`, `Min`, `Abs`, `sign`, `Heaviside` and `Piecewise` into breaks and one smooth
expression an interval. Everything that meets a kink (derivatives, quadrature, closed forms) starts here.
Zeros under a power that is no whole positive number are breaks too: sqrt(x**2 + x**4) has a kink at 0, and the slope
of abs(x)**0.7 has a pole there. Values at a break are limits from one side; `exponent` says how fast a pole grows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import mpmath
from sympy import (
    Abs,
    Add,
    CRootOf,
    Dummy,
    Expr,
    Heaviside,
    Integer,
    Max,
    Min,
    Mul,
    Piecewise,
    Poly,
    Pow,
    Rational,
    S,
    Symbol,
    nan,
    oo,
    zoo,
)

from sympy import asinh, atan, erf, exp, expand, factor, limit, log, sign, simplify, sinh, tanh  # isort: skip
from sympy.logic.boolalg import Boolean, BooleanFunction, BooleanTrue

from sympy.core.relational import Relational  # isort: skip

from widelimit.theory.calculus import sampling
from widelimit.theory.errors import ParseError, shown

KINKED = (Abs, sign, Max, Min, Heaviside, Piecewise)
_ODD = (tanh, sinh, asinh, atan, erf)  # increasing, with their only zero at zero


@dataclass(frozen=True)
class Pieces:
    """`exprs[i]` holds between `breaks[i - 1]` and `breaks[i]`; breaks increase.

    >>> x = Symbol("x", real=True)
    >>> split(Max(x, 0), x)
    Pieces(variable=x, breaks=(0,), exprs=(0, x))
    """

    variable: Symbol
    breaks: tuple[Expr, ...]
    exprs: tuple[Expr, ...]

    @property
    def expr(self) -> Expr:
        """The function as one SymPy expression."""
        if not self.breaks:
            return self.exprs[0]
        cases = [(e, self.variable < b) for e, b in zip(self.exprs, self.breaks, strict=False)]
        return Piecewise(*cases, (self.exprs[-1], True))

    def map(self, function: Callable[[Expr], Expr]) -> Pieces:
        """Apply a function to each smooth expression."""
        return merged(self.variable, self.breaks, tuple(function(e) for e in self.exprs))

    def diff(self) -> Pieces:
        """Differentiate between the breaks."""
        return self.map(lambda e: _slope(e, self.variable))

    def jumps(self) -> tuple[tuple[Expr, Expr], ...]:
        """Return (break, height of the jump there), without the jumps of height zero and without poles."""
        found = []
        for b, left, right in self._ends():
            if left.is_infinite or right.is_infinite:
                continue
            height = reduced(right - left)
            if height != 0:
                found.append((b, height))
        return tuple(found)

    def poles(self) -> tuple[Expr, ...]:
        """Return the breaks at which the function is infinite from one side or both.

        >>> x = Symbol("x", real=True)
        >>> split(Abs(x)**S("1/2"), x).diff().poles()
        (0,)
        """
        return tuple(b for b, left, right in self._ends() if left.is_infinite or right.is_infinite)

    def branches(self) -> tuple[Expr, ...]:
        """Return the breaks at which the expression on one side holds a fractional power of something that vanishes.

        >>> x = Symbol("x", real=True)
        >>> split(Abs(x)**S("3/2") + Abs(x - 1), x).branches()
        (0,)
        """
        neighbours = zip(self.breaks, self.exprs, self.exprs[1:], strict=False)
        return tuple(
            b for b, *sides in neighbours if any(_rough(e, self.variable, b, fractional=True) for e in sides)
        )

    def _ends(self) -> list[tuple[Expr, Expr, Expr]]:
        """Return each break with the limits from the left and from the right."""
        return [
            (b, one_sided(left, self.variable, b, -1), one_sided(right, self.variable, b, 1))
            for b, left, right in zip(self.breaks, self.exprs, self.exprs[1:], strict=False)
        ]


def _slope(expr: Expr, variable: Symbol) -> Expr:
    """Differentiate; (-x)**(3/2) gives -3/2 (-x)**(1/2), where SymPy's 3 (-x)**(3/2)/(2 x) is 0/0 at zero."""
    bases = {
        node.base: Dummy(positive=True)
        for node in expr.atoms(Pow)
        if node.base.has(variable)
        and node.base != variable
        and node.exp.is_number
        and not node.exp.is_Integer
    }
    if not bases:
        return expr.diff(variable)
    outer = expr.xreplace(bases)
    inner = {name: base for base, name in bases.items()}
    parts = [
        outer.diff(variable),
        *(outer.diff(name) * _slope(base, variable) for base, name in bases.items()),
    ]
    return Add(*parts).xreplace(inner)


def merged(variable: Symbol, breaks: Iterable[Expr], exprs: Iterable[Expr]) -> Pieces:
    """Build Pieces, forgetting breaks between equal expressions that are smooth there."""
    exprs = tuple(exprs)
    kept_breaks: list[Expr] = []
    kept = [exprs[0]]
    for b, e in zip(breaks, exprs[1:], strict=True):
        if e != kept[-1] or _rough(e, variable, b):
            kept_breaks.append(b)
            kept.append(e)
    return Pieces(variable, tuple(kept_breaks), tuple(kept))


def reduced(value: Expr) -> Expr:
    """Return a number, exactly zero if it is zero to fifty digits."""
    value = value if value.has(CRootOf) else expand(value)
    if value.is_Rational or not value.is_number or value.has(nan, zoo, oo, -oo):
        return value
    return value if clearly(value) else S.Zero


def smooth_across(left: Expr, right: Expr, variable: Symbol, place: Expr, order: int) -> bool:
    """Whether two expressions and their first derivatives up to `order` agree at a point.

    Numbers decide where there are no other symbols: the derivatives are differences with sixty digits, one-sided.

    >>> x = Symbol("x", real=True)
    >>> smooth_across(x + log(1 + exp(-x)), log(1 + exp(x)), x, S.Zero, 6), smooth_across(-x, x, x, S.Zero, 6)
    (True, False)
    """
    difference = right - left
    if difference.free_symbols != {variable}:
        for _ in range(order + 1):
            if reduced(difference.subs(variable, place)) != 0:
                return False
            difference = difference.diff(variable)
        return True
    with mpmath.workdps(sampling.FINE):
        at, step = sampling.value(place, digits=sampling.FINE), mpmath.mpf(10) ** -8
        size = _size((left, right), variable, at)
        for n in range(order + 1):
            nodes = [at + (2 * k - n) * step for k in range(n + 1)]
            values = [sampling.value(difference, variable, node, digits=sampling.FINE) for node in nodes]
            if any(value is None or not mpmath.isfinite(value) for value in values):
                return False
            rise = mpmath.fsum((-1) ** (n - k) * mpmath.binomial(n, k) * v for k, v in enumerate(values))
            if abs(rise) > (2 * step) ** n * size * mpmath.mpf(10) ** -10:
                return False
    return True


def _size(functions: tuple[Expr, ...], variable: Symbol, at: Any) -> Any:
    """The largest value of functions near a point."""
    values = [sampling.value(f, variable, at + side) for f in functions for side in (-1, 0, 1)]
    return max((abs(v) for v in values if sampling.is_real(v)), default=mpmath.mpf(1))


def clearly(value: Expr) -> int:
    """Return the sign of a constant; 0 where it vanishes to forty digits."""
    number = sampling.value(value)
    if number is None or (sampling.is_real(number) and abs(number) < 1e-9):
        number = sampling.value(value, digits=60)
    if number is None or not sampling.is_real(number):
        raise ParseError(f"The sign of {shown(str(value))} cannot be told.")
    return 0 if abs(number) < 1e-40 else (1 if number > 0 else -1)


@lru_cache(maxsize=2048)
def split(expr: Expr, variable: Symbol) -> Pieces:
    """Find the breaks of an expression and its smooth form between them; `ParseError` if it has no finite list.

    >>> x = Symbol("x", real=True)
    >>> split(Abs(x - 1)*Max(-1, Min(1, x)), x).breaks
    (-1, 1)
    """
    if not expr.has(variable):
        return Pieces(variable, (), (expr,))
    if not expr.has(*KINKED):
        return _cut(Pieces(variable, (), (expr,)))
    return _cut(_split(expr, variable))


def _split(expr: Expr, variable: Symbol) -> Pieces:
    if isinstance(expr, Piecewise):
        return _split_piecewise(expr, variable)
    parts = [split(arg, variable) for arg in expr.args]
    breaks = sorted_breaks(b for part in parts for b in part.breaks)
    cells = cells_of(breaks)
    if isinstance(expr, KINKED):  # new breaks where the sign of an argument, or of a difference, changes
        more = []
        for low, high in cells:
            args = [before(part, high) for part in parts]
            differences = [args[0]] if len(args) == 1 or isinstance(expr, Heaviside) else _pairs(args)
            for difference in differences:
                more += [r for r in real_roots(difference, variable) if inside(r, low, high)]
        breaks = sorted_breaks([*breaks, *more])
        cells = cells_of(breaks)
    exprs = []
    for low, high in cells:
        args = [before(part, high) for part in parts]
        exprs.append(_resolve(expr, args, variable, low, high))
    return merged(variable, breaks, exprs)


def _cut(pieces: Pieces) -> Pieces:
    """Add the branch points of the smooth expressions to the breaks."""
    x, more = pieces.variable, []
    for (low, high), e in zip(cells_of(pieces.breaks), pieces.exprs, strict=True):
        more += [r for base in _powers(e, x) for r in _zeros(base, x) if inside(r, low, high)]
    if not more:
        return pieces
    breaks = sorted_breaks([*pieces.breaks, *more])
    return merged(x, breaks, [before(pieces, high) for _, high in cells_of(breaks)])


def _powers(e: Expr, x: Symbol, fractional: bool = False) -> set[Expr]:
    """Return the bases in x of the powers that are no whole positive ones: a zero is a branch point or a pole."""
    powers = {p for p in e.atoms(Pow) if p.base.has(x) and p.exp.is_number}
    return {p.base for p in powers if not (p.exp.is_Integer and (fractional or p.exp.is_positive))}


def _zeros(base: Expr, x: Symbol) -> list[Expr]:
    if base.free_symbols != {x} or base.is_positive:
        return []
    try:
        return real_roots(base, x)
    except ParseError:  # none that the rules can find: is there any?
        if sampling.apart_from_zero(base, x):
            return []
        raise


def _rough(e: Expr, x: Symbol, b: Expr, fractional: bool = False) -> bool:
    """Say whether a power in e has its branch point (or, unless only `fractional` ones count, its pole) at b."""
    bases = _powers(e, x, fractional)
    return any(reduced(base.subs(x, b)) == 0 for base in bases if base.free_symbols == {x})


def one_sided(e: Expr, x: Symbol, b: Expr, side: int) -> Expr:
    """Return the limit of a smooth expression at b from below (side -1) or above (1); infinite at a pole.

    >>> x = Symbol("x", real=True)
    >>> one_sided(x / (x**2)**S("1/2"), x, S.Zero, -1), one_sided(x**S("-1/2"), x, S.Zero, 1)
    (-1, oo)
    """
    value = e.subs(x, b)
    if not value.has(nan, zoo, oo, -oo):
        return value
    return _limit(e, x, b, side)


@lru_cache(maxsize=512)
def _limit(e: Expr, x: Symbol, b: Expr, side: int) -> Expr:
    try:
        value = limit(e, x, b, "+" if side > 0 else "-")
    except Exception as error:  # SymPy's limits raise whatever their parts raise
        raise ParseError(f"The limit of {shown(str(e))} at x = {b} cannot be found: {error}.") from error
    if value.is_finite or value.is_infinite:
        return value
    raise ParseError(f"The limit of {shown(str(e))} at x = {b} cannot be found.")


def exponent(e: Expr, x: Symbol, b: Expr, side: int) -> Expr:
    """Return r where a smooth expression behaves like abs(x - b)**r next to b: below 0 at a pole.

    >>> x = Symbol("x", real=True)
    >>> exponent(x**S("-3/10") + 1, x, S.Zero, 1)
    -3/10
    """
    t = Symbol("t", positive=True)
    near = e.subs(x, b + side * t)
    if near == 0:
        return oo
    return _limit(simplify(t * near.diff(t) / near), t, S.Zero, 1)


def before(pieces: Pieces, high: Expr) -> Expr:
    """Return the smooth expression of `pieces` on a cell that ends at `high` and that none of its breaks cuts."""
    for b, e in zip(pieces.breaks, pieces.exprs, strict=False):
        if not less(b, high):
            return e
    return pieces.exprs[-1]


def cells_of(breaks: tuple[Expr, ...]) -> list[tuple[Expr, Expr]]:
    """Return the intervals between breaks."""
    ends = (S.NegativeInfinity, *breaks, S.Infinity)
    return list(pairwise(ends))


def middle(low: Expr, high: Expr) -> Expr:
    """Return a point inside a cell."""
    if low is S.NegativeInfinity:
        return S.Zero if high is S.Infinity else _plain(high) - 1
    if high is S.Infinity:
        return _plain(low) + 1
    point = (_plain(low) + _plain(high)) / 2
    return point if inside(point, low, high) else (low + high) / 2


def _plain(end: Expr) -> Expr:
    """A root without a short form as a rational next to it."""
    return Rational(str(sampling.value(end))) if end.has(CRootOf) else end


def less(a: Expr, b: Expr) -> bool:
    """Compare two ends, symbols allowed where the answer does not depend on them."""
    if a is S.NegativeInfinity or b is S.Infinity:
        return bool(a != b)
    if a is S.Infinity or b is S.NegativeInfinity:
        return False
    return _sign(b - a) > 0


def inside(point: Expr, low: Expr, high: Expr) -> bool:
    """Say whether a point lies strictly inside a cell."""
    return less(low, point) and less(point, high)


def sorted_breaks(points: Iterable[Expr]) -> tuple[Expr, ...]:
    """Sort points and drop what is there twice."""
    ordered: list[Expr] = []
    for point in points:
        place = 0
        while place < len(ordered) and less(ordered[place], point):
            place += 1
        if place == len(ordered) or _sign(ordered[place] - point) != 0:
            ordered.insert(place, point)
    return tuple(ordered)


MAX_DEGREE = 24  # of polynomials whose roots are looked for


def degree(expr: Expr, variable: Symbol) -> int:
    """Return a bound on the degree of a polynomial, from its form: nothing is expanded."""
    if not expr.has(variable):
        return 0
    if isinstance(expr, Add):
        return max(degree(arg, variable) for arg in expr.args)
    if isinstance(expr, Mul):
        return sum(degree(arg, variable) for arg in expr.args)
    return degree(expr.base, variable) * int(expr.exp) if isinstance(expr, Pow) else 1


def real_roots(expr: Expr, variable: Symbol) -> list[Expr]:
    """Return every real zero of a smooth expression, or raise `ParseError` if rules do not find them all."""
    if not expr.has(variable):
        return []
    if expr.is_polynomial(variable) and degree(expr, variable) <= MAX_DEGREE:
        poly = Poly(expr, variable)
        if poly.degree() == 1:
            a, b = poly.all_coeffs()
            return [expand(-b / a)]
        if not expr.free_symbols - {variable} and all(c.is_Rational for c in poly.all_coeffs()):
            return list(dict.fromkeys(poly.real_roots()))
    if isinstance(expr, Mul):
        return [r for factor in expr.args for r in real_roots(factor, variable)]
    if isinstance(expr, Pow):
        if expr.exp.has(variable) or (expr.exp.is_number and expr.exp < 0):
            return []  # a positive base to any power, or one over something, is never zero
        return real_roots(expr.base, variable)
    if isinstance(expr, exp):
        return []
    if isinstance(expr, _ODD):
        return real_roots(expr.args[0], variable)
    if isinstance(expr, log):
        return real_roots(expr.args[0] - 1, variable)
    if isinstance(expr, Add):
        constant, rest = expr.as_independent(variable, as_Add=True)
        scale, core = rest.as_independent(variable, as_Add=False)
        level = -constant / scale
        inverse = {exp: log, **{f: f(Symbol("t")).inverse() for f in (tanh, sinh, asinh, atan)}}
        if type(core) in inverse:
            preimage = inverse[type(core)](level)
            return real_roots(core.args[0] - preimage, variable) if preimage.is_real else []
    if expr.is_positive or expr.is_negative:
        return []
    if isinstance(expr, Add) and isinstance(factored := factor(expr), Mul):  # exp(2*x) - exp(x)
        return real_roots(factored, variable)
    raise ParseError(
        f"The places where {shown(str(expr))} changes sign cannot be found; write the kinks explicitly."
    )


def _sign(value: Expr) -> int:
    if value.is_number:
        return clearly(value)
    value = expand(value)
    if value.is_zero:
        return 0
    if value.is_positive:
        return 1
    if value.is_negative:
        return -1
    raise ParseError(f"The order of the kinks depends on the unknown sign of {shown(str(value))}.")


def _pairs(args: list[Expr]) -> list[Expr]:
    return [a - b for i, a in enumerate(args) for b in args[i + 1 :] if a != b]


def _resolve(expr: Expr, args: list[Expr], variable: Symbol, low: Expr, high: Expr) -> Expr:
    """Rebuild a node on a cell where no argument changes sign and none overtakes another."""
    point = middle(low, high)

    def side(difference: Expr) -> int:
        return _sign(difference.subs(variable, point))

    if isinstance(expr, Abs):
        return args[0] * side(args[0])
    if isinstance(expr, sign):
        return Integer(side(args[0]))
    if isinstance(expr, Heaviside):
        return S.One if side(args[0]) > 0 else S.Zero
    if isinstance(expr, Max | Min):
        best = args[0]
        for arg in args[1:]:
            if (side(arg - best) > 0) == isinstance(expr, Max):
                best = arg
        return best
    return expr.func(*args)


def _split_piecewise(expr: Piecewise, variable: Symbol) -> Pieces:
    conditions = [c for _, c in expr.args]
    relations = {r for c in conditions for r in c.atoms(Relational)}
    breaks = sorted_breaks(r for rel in relations for r in real_roots(rel.lhs - rel.rhs, variable))
    branches = []
    for low, high in cells_of(breaks):
        point = middle(low, high)
        branch = next((e for e, c in expr.args if _holds(c, variable, point)), None)
        if branch is None:
            raise ParseError(f"The cases of {shown(str(expr))} leave {variable} = {point} without a value.")
        branches.append(branch)
    inner = [split(e, variable) for e in branches]
    all_breaks = list(breaks)
    for (low, high), part in zip(cells_of(breaks), inner, strict=True):
        all_breaks += [b for b in part.breaks if inside(b, low, high)]
    finest = sorted_breaks(all_breaks)
    exprs = []
    for low, high in cells_of(finest):
        index = next(i for i, (a, b) in enumerate(cells_of(breaks)) if not less(low, a) and not less(b, high))
        exprs.append(before(inner[index], high))
    return merged(variable, finest, exprs)


def _holds(condition: Boolean, variable: Symbol, point: Expr) -> bool:
    if isinstance(condition, BooleanTrue):
        return True
    if isinstance(condition, Relational):
        difference = _sign((condition.lhs - condition.rhs).subs(variable, point))
        return bool(condition.func(difference, 0))
    if isinstance(condition, BooleanFunction):
        return bool(condition.func(*(_holds(arg, variable, point) for arg in condition.args)))
    return False
