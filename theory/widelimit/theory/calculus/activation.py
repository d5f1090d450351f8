"""Activations: a SymPy expression in `x` with its kinks and its derivatives, distributional part included.

An activation comes from the catalogue (``Activation.of("leaky_relu(0.1)")``), from text
(``Activation.parse("x*tanh(x)")``), from a SymPy expression in any symbol called x, or from a callable: ``np.tanh``,
``lambda x: x*np.tanh(x)``, ``torch.nn.functional.gelu``, ``nn.LeakyReLU(0.2)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

from sympy import Expr, Poly, S, Symbol, expand
from sympy.core.function import FunctionClass
from sympy.core.relational import Relational

from widelimit.theory.calculus import catalogue, vocabulary
from widelimit.theory.calculus.budget import Exhausted, within
from widelimit.theory.calculus.catalogue import ALIASES
from widelimit.theory.calculus.parsing import parameters, parse, syntax_tree
from widelimit.theory.calculus.pieces import Pieces, exponent, smooth_across, split
from widelimit.theory.calculus.sampling import mirrored
from widelimit.theory.calculus.soundness import checked, in_x, stable
from widelimit.theory.calculus.tracing import from_callable
from widelimit.theory.calculus.vocabulary import x
from widelimit.theory.errors import ArgumentError, DomainError, ParseError, shown

__all__ = ["ALIASES", "CATALOGUE", "Activation", "Entry", "Generalized", "x"]

MIRRORED = (0, "0.1357", "0.7193", "1.618", "2.718", "4.669", "7.389")  # seven points tell an odd function
SMOOTH_ORDER = 6  # a break is no kink if the derivatives up to this order do not jump there
BUDGET = 900_000  # calls and returns of one reading: half a second or so


@dataclass(frozen=True)
class Generalized:
    """A derivative in the sense of distributions: `regular` + sum of `weight * delta(x - location)` + `higher`.

    `deltas`: pairs (location, weight). `higher`: triples (location, weight, order) of derivatives of delta.
    `divergent`: where one derivative less has a pole, so that this one is no function and no delta there.
    """

    regular: Pieces
    deltas: tuple[tuple[Expr, Expr], ...] = ()
    higher: tuple[tuple[Expr, Expr, int], ...] = ()
    divergent: tuple[Expr, ...] = ()

    @property
    def expr(self) -> Expr:
        """The part that is a function, as one SymPy expression in `x`."""
        return self.regular.expr


@dataclass(frozen=True)
class Activation:
    """An activation function phi(x), real and finite on the whole line.

    >>> Activation.of("relu").derivative(2).deltas
    ((0, 1),)
    >>> Activation.parse("x*tanh(x)").is_smooth
    True
    >>> Activation.of("hard_tanh").kinks
    (-1, 1)
    """

    name: str
    expr: Expr

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ArgumentError("name", "must be text", self.name)
        if not isinstance(self.expr, Expr) or isinstance(self.expr, Relational):
            raise ArgumentError(
                "expr", "must be a SymPy expression", self.expr, "Text is read by Activation.of."
            )
        object.__setattr__(self, "expr", in_x(self.expr))

    @staticmethod
    def parse(text: str) -> Activation:
        """Read an expression in `x`, such as ``x*tanh(x)`` or ``relu(x - 1)``; `ParseError` if it is none."""
        return _bounded(lambda: _parsed(text), text)

    @staticmethod
    def of(activation: str | Activation | Expr | Callable[..., Any]) -> Activation:
        """Return an activation from a catalogue name (with parameters), an expression as text, SymPy, or a callable.

        Callables are followed with a symbol in place of a number (`tracing`), torch modules included. Raises
        `ParseError` for what is no real function of one unit, or too complicated to be worked out; it ends within a
        second.

        >>> Activation.of("leaky_relu(0.1)").expr
        Piecewise((x, x > 0), (x/10, True))
        >>> Activation.of(lambda h: h * abs(h)).expr
        x*Abs(x)
        >>> Activation.of("tanhh")
        Traceback (most recent call last):
        ...
        widelimit.theory.errors.ParseError: 'tanhh' is not a name that widelimit knows; the variable is `x`. ...
        """
        if isinstance(activation, Activation):
            return activation
        if isinstance(activation, str):
            return _of_text(str(activation))
        if isinstance(activation, Poly):
            activation = activation.as_expr()
        if isinstance(activation, Expr) and not isinstance(activation, Relational):
            return _of_expression(activation)
        if callable(activation):
            return _of_callable(activation)
        raise ArgumentError(
            "activation", "must be a name, an expression, a function or an Activation", activation
        )

    @cached_property
    def pieces(self) -> Pieces:
        """Breaks and the smooth expression between them."""
        return split(self.expr, x)

    @cached_property
    def kinks(self) -> tuple[Expr, ...]:
        """Points where phi or one of its first derivatives jumps."""
        sides = zip(self.pieces.breaks, self.pieces.exprs, self.pieces.exprs[1:], strict=False)
        rough = self.pieces.branches()  # a fractional power of what vanishes there
        return tuple(
            b for b, left, right in sides if b in rough or not smooth_across(left, right, x, b, SMOOTH_ORDER)
        )

    @property
    def is_smooth(self) -> bool:
        """Whether there is no kink."""
        return not self.kinks

    @cached_property
    def is_odd(self) -> bool:
        """Whether phi(-x) = -phi(x)."""
        if self.parameters:
            sides = split(self.expr + self.expr.subs(x, -x), x)
            return all(expand(e) == 0 for e in sides.exprs)
        return all(mirrored(self.expr, x, point) for point in MIRRORED)

    @cached_property
    def steep(self) -> tuple[tuple[Expr, Expr], ...]:
        """Points (b, r) where phi' grows like abs(x - b)**r with r <= -1/2, so that E phi'^2 is infinite.

        >>> Activation.of("sqrt(abs(x))").steep, Activation.of("abs(x)**0.7").steep
        (((0, -1/2),), ())
        """
        slope = self.pieces.diff()
        found = []
        for b in slope.poles():
            k = slope.breaks.index(b)
            rate = min(exponent(slope.exprs[k + side], x, b, 2 * side - 1) for side in (0, 1))
            if rate <= -S.Half:
                found.append((b, rate))
        return tuple(found)

    @property
    def parameters(self) -> frozenset[Symbol]:
        """Free symbols other than `x`."""
        return frozenset(self.expr.free_symbols - {x})

    @lru_cache(maxsize=256)  # noqa: B019 - activations are few, immutable and compared by value
    def derivative(self, n: int = 1) -> Generalized:
        """Return the n-th derivative with its distributional part: jumps give deltas, deltas give their derivatives.

        >>> Activation.of("abs").derivative(2)
        Generalized(regular=Pieces(variable=x, breaks=(), exprs=(0,)), deltas=((0, 2),), higher=(), divergent=())
        """
        if not isinstance(n, int) or n < 0:
            raise ArgumentError("n", "must be a whole number, 0 or more", n)
        regular = self.pieces
        singular: list[tuple[Expr, Expr, int]] = []
        divergent: dict[Expr, None] = {}
        for _ in range(n):
            jumps = regular.jumps()
            divergent |= dict.fromkeys(regular.poles())
            singular = [(b, w, order + 1) for b, w, order in singular] + [(b, w, 0) for b, w in jumps]
            regular = regular.diff()
        deltas = tuple((b, w) for b, w, order in singular if order == 0)
        return Generalized(
            regular, deltas, tuple(entry for entry in singular if entry[2] > 0), tuple(divergent)
        )

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Entry:
    """A line of the catalogue: ``entry(*parameters)`` is an Activation, ``entry.at(u, *parameters)`` phi(u)."""

    rule: catalogue.Rule

    @property
    def at(self) -> Callable[..., Expr]:
        """phi(argument) with parameters by position or by name."""
        return self.rule.at

    def __call__(self, *parameters: object, **named: object) -> Activation:
        """Return the activation with these parameters (numbers or symbols)."""
        values = self.rule.filled(parameters, named)
        if not parameters and not named:
            return Activation(self.rule.name, self.rule.build(x, *values))
        given = zip(values, self.rule.parameters, strict=True)
        shown_ = [str(v) for v, _ in given][: len(parameters) if not named else None]
        return Activation(f"{self.rule.name}({', '.join(shown_)})", self.rule.build(x, *values))


CATALOGUE: Mapping[str, Entry] = MappingProxyType(
    {name: Entry(rule) for name, rule in catalogue.CATALOGUE.items()}
)


@lru_cache(maxsize=256)
def _of_text(text: str) -> Activation:
    return _bounded(lambda: _read(text), text)


def _read(text: str) -> Activation:
    """A name of the catalogue, a module such as ``nn.LeakyReLU(0.2)``, or an expression in x."""
    if (rule := catalogue.find(text)) is not None:
        return _settled(CATALOGUE[rule.name]())
    if (call := parameters(syntax_tree(text))) is None:
        return _parsed(text)
    root, name, given, named = call
    rule = catalogue.find(name)
    if rule is not None and not root and "approximate" not in named and (given or named or rule.name == name):
        return _settled(CATALOGUE[rule.name](*given, **named))
    return _named(stable(vocabulary.indicator(vocabulary.apply(name, [x, *given], named, root))), text)


def _parsed(text: str) -> Activation:
    return _settled(Activation(" ".join(text.split()), stable(parse(text))))


def _of_expression(expr: Expr) -> Activation:
    name = str(expr) if expr.count_ops() < vocabulary.MAX_SHOWN else "an expression"
    return _bounded(lambda: _named(in_x(expr), name), name)


def _of_callable(function: Any) -> Activation:
    def read() -> Activation:
        expr = function(x) if isinstance(function, FunctionClass) else from_callable(function)
        return _named(stable(in_x(expr)), str(expr))

    return _bounded(read, str(getattr(function, "__name__", type(function).__name__)))


def _named(expr: Expr, name: str) -> Activation:
    """The activation of an expression, by its name in the catalogue where it has one there."""
    for rule in catalogue.CATALOGUE.values():
        if None not in rule.parameters.values() and rule.at(x) == expr:
            return _settled(CATALOGUE[rule.name]())
    return _settled(Activation(" ".join(name.split()), expr))


def _settled(activation: Activation) -> Activation:
    """Check an activation and work out, within the budget, what every theory asks of it."""
    checked(activation.expr, activation.name)
    if not activation.parameters:
        _ = activation.kinks, activation.is_odd
        with suppress(DomainError):  # a slope that is infinite somewhere concerns those who need it
            activation.derivative(1)
    return activation


@lru_cache(maxsize=1)
def _warm() -> None:
    """Do what SymPy does once in a process outside the budget: a first reading may need as much as any other."""
    rules = [rule.at(x) for rule in catalogue.CATALOGUE.values() if None not in rule.parameters.values()]
    _ = split(rules[0], x), split(catalogue.softplus(x), x).diff()


def _bounded(read: Callable[[], Activation], what: str) -> Activation:
    """Read within the budget of work, and refuse what needs more."""
    _warm()
    try:
        return within(BUDGET, read)
    except Exhausted:
        raise ParseError(
            f"The activation {shown(what)} is too complicated: its kinks and derivatives are not worked out within "
            f"{BUDGET} steps. Write it in a simpler form."
        ) from None
    except (RecursionError, MemoryError, OverflowError):
        raise ParseError(f"The activation {shown(what)} is too deep or too large to be worked out.") from None
