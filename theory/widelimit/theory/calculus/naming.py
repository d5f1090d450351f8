"""Equations written with the names of earlier steps: what V, P or rho stand for is not written out again and again.

Only what is shown changes: a step is checked as it was stated. A name is taken from a step before that says what it
stands for, V(q) with its arguments, so that the same expectation at q_1 is V(q_1). What a long equation repeats
besides (sums, expectations) gets a letter of its own and is written once, behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sympy import Add, Basic, Eq, Expr, Sum, Symbol, preorder_traversal
from sympy.core.function import AppliedUndef

from widelimit.theory.calculus.gaussian.expectation import Expectation

_SHORT = 5  # parts; what has fewer is as short as its name
_LONG = 120  # characters of an equation, beyond which what it repeats gets letters
_WORD = re.compile(r"[A-Za-z]\w*'*(_\{[^{}]*\})?\*?")  # a name that needs no brackets in a product
_LETTERS = ("A", "H", "T", "Y", "Z")
Pair = tuple[Expr, Expr]


class Shown(NamedTuple):
    """Both sides of an equation as they are shown, and the letters in it that stand for longer parts."""

    left: Expr
    right: Expr
    where: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class Name:
    """What a name stands for; `free` are its arguments, whatever they are called elsewhere."""

    name: Expr
    meaning: Expr
    free: tuple[Symbol, ...] = ()

    def within(self, expr: Expr) -> Expr:
        """Return the expression with the name in place of its meaning."""
        if not self.free:
            return expr.xreplace(dict(self._plain()))
        kind, found = type(self.meaning), {}
        for part in preorder_traversal(expr):
            if type(part) is kind and part not in found:
                given = dict(_match(self.meaning, part, frozenset(self.free), {}) or {})
                if len(given) == len(self.free) and self.meaning.xreplace(given) == part:
                    found[part] = self.name.xreplace(given)
        return expr.xreplace(found) if found else expr

    def _plain(self) -> Iterator[Pair]:
        yield self.meaning, self.name
        if isinstance(self.meaning, Add):
            yield -self.meaning, -self.name  # SymPy writes the minus into the sum


def shown(steps: Iterable[tuple[Eq, str]]) -> tuple[Shown, ...]:
    """Return both sides of each equation (with the kind of its step) as they are to be shown.

    >>> from sympy import Function, exp, sin
    >>> q, p = Symbol("q"), Symbol("p")
    >>> V = Function("V")
    >>> first = Eq(V(q), sin(exp(q) + 1), evaluate=False)
    >>> then = Eq(p, 1 / sin(exp(2 * p) + 1), evaluate=False)
    >>> shown([(first, "notation"), (then, "identity")])[1].right
    1/V(2*p)
    """
    listed = list(steps)
    left = [equation.lhs for equation, _ in listed]
    taken = {symbol.name for equation, _ in listed for symbol in equation.atoms(Symbol)}
    letter = next((one for one in _LETTERS if not any(name.startswith(one) for name in taken)), "AA")
    known: list[Name] = []
    out: list[Shown] = []
    for equation, kind in listed:
        out.append(_lettered(*_renamed(equation, known), letter))
        if kind != "limit" and left.count(equation.lhs) == 1:
            known += _names(equation)
            known.sort(key=lambda name: -_parts(name.meaning))  # the longest first: it has the others in it
    return tuple(out)


def _renamed(equation: Eq, known: Sequence[Name]) -> Pair:
    """Both sides with names; as they are where names would leave nothing to say."""
    lhs, rhs = equation.lhs, equation.rhs
    for name in known:
        lhs = lhs if isinstance(lhs, Symbol | AppliedUndef) else name.within(lhs)
        rhs = name.within(rhs)
    return (equation.lhs, equation.rhs) if lhs == rhs else (lhs, rhs)


def _names(equation: Eq) -> list[Name]:
    """The names that an equation gives: its left side, if that is one, or rho where 1 - rho is said."""
    lhs, rhs = equation.lhs, equation.rhs
    if _parts(rhs) < _SHORT:
        return []
    if isinstance(lhs, Symbol) and (one := re.fullmatch(r"1 ?- ?(\w+)", lhs.name)):
        lhs = 1 - Symbol(one[1])
    if isinstance(lhs, AppliedUndef):
        free = tuple(one for one in lhs.args if isinstance(one, Symbol))
        whole = len(set(free)) == len(lhs.args) and set(free) <= rhs.free_symbols
        return [Name(lhs, rhs, free)] if whole else []
    if isinstance(lhs, Symbol):
        return [Name(lhs, rhs)] if _WORD.fullmatch(lhs.name) and lhs not in rhs.free_symbols else []
    if isinstance(lhs, Add) and len(symbols := lhs.free_symbols) == 1 and not symbols & rhs.free_symbols:
        (symbol,) = symbols
        inside = 1 - rhs
        single = lhs == 1 - symbol and _parts(inside) >= _SHORT
        return [Name(lhs, rhs), *([Name(symbol, inside)] if single else [])]
    return []


def _parts(expr: Expr) -> int:
    return sum(1 for _ in preorder_traversal(expr))


def _lettered(left: Expr, right: Expr, letter: str) -> Shown:
    """Give letters to sums and expectations that stand in a long equation twice or more."""
    if len(str(left)) + len(str(right)) <= _LONG:
        return Shown(left, right)
    seen: dict[Expr, int] = {}
    for side in (left, right):
        for part in preorder_traversal(side):
            if isinstance(part, Sum | Expectation):
                seen[part] = seen.get(part, 0) + 1
    repeated = [part for part, times in seen.items() if times > 1]
    outer = [part for part in repeated if not any(part != other and other.has(part) for other in repeated)]
    where = {part: Symbol(f"{letter}_{number}") for number, part in enumerate(outer, 1)}
    if not where:
        return Shown(left, right)
    named = [
        side if isinstance(side, Symbol | AppliedUndef) else side.xreplace(where) for side in (left, right)
    ]
    return Shown(named[0], named[1], tuple((symbol, part) for part, symbol in where.items()))


def _match(
    meaning: Basic, part: Basic, free: frozenset[Symbol], given: Mapping[Basic, Basic]
) -> dict[Basic, Basic] | None:
    """What the free symbols have to be for the two to be the same, argument by argument; None where nothing is."""
    if meaning in free:
        return None if given.get(meaning, part) != part else {**given, meaning: part}
    if not meaning.args:
        return dict(given) if meaning == part else None
    if type(meaning) is not type(part) or len(meaning.args) != len(part.args):
        return None
    found: dict[Basic, Basic] | None = dict(given)
    for one, other in zip(meaning.args, part.args, strict=True):
        if found is None:
            return None
        found = _match(one, other, free, found)
    return found
