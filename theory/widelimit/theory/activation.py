"""Activations: a SymPy expression in `x` with its kinks and its derivatives, distributional part included.

An activation comes from the catalogue (``Activation.of("leaky_relu(0.1)")``), from text
(``Activation.parse("x*tanh(x)")``) or from a SymPy expression in `widelimit.theory.activation.x`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

from sympy import (
    Abs,
    Expr,
    Max,
    Min,
    Piecewise,
    Pow,
    Rational,
    S,
    exp,
    expand,
    log,
    pi,
    sqrt,
    sympify,
)

from sympy import erf as _erf  # isort: skip
from sympy import atan, sin, tanh, zoo, nan  # isort: skip

from widelimit.theory.errors import ArgumentError, ParseError, shown
from widelimit.theory.parsing import parse, syntax_tree, x
from widelimit.theory.pieces import KINKED, Pieces, reduced, split

__all__ = ["ALIASES", "CATALOGUE", "Activation", "Entry", "Generalized", "x"]

SMOOTH_ORDER = 6  # a break is no kink if the derivatives up to this order do not jump there


@dataclass(frozen=True)
class Generalized:
    """A derivative in the sense of distributions: `regular` + sum of `weight * delta(x - location)` + `higher`.

    `deltas`: pairs (location, weight). `higher`: triples (location, weight, order) of derivatives of delta.
    """

    regular: Pieces
    deltas: tuple[tuple[Expr, Expr], ...] = ()
    higher: tuple[tuple[Expr, Expr, int], ...] = ()

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

    @staticmethod
    def parse(text: str) -> Activation:
        """Read an expression in `x`, such as ``x*tanh(x)`` or ``relu(x - 1)``; `ParseError` if it is none."""
        expr = parse(text, _CALLABLE)
        name = " ".join(text.split())
        return Activation(name, _checked(stable(expr), name))

    @staticmethod
    def of(activation: str | Activation | Expr) -> Activation:
        """Return an activation from a catalogue name (with parameters), an expression as text, or SymPy.

        >>> Activation.of("leaky_relu(0.1)").expr
        Piecewise((x, x > 0), (x/10, True))
        >>> Activation.of("tanhh")
        Traceback (most recent call last):
        ...
        widelimit.theory.errors.ParseError: 'tanhh' is not a name that widelimit knows; the variable is `x`. ...
        """
        if isinstance(activation, Activation):
            return activation
        if isinstance(activation, Expr):
            return Activation(str(activation), _checked(activation, str(activation)))
        if not isinstance(activation, str):
            raise ArgumentError("activation", "must be a name, an expression or an Activation", activation)
        return _of_text(activation)

    @cached_property
    def pieces(self) -> Pieces:
        """Breaks and the smooth expression between them."""
        return split(self.expr, x)

    @cached_property
    def kinks(self) -> tuple[Expr, ...]:
        """Points where phi or one of its first derivatives jumps."""
        found: set[Expr] = set()
        pieces = self.pieces
        for _ in range(SMOOTH_ORDER + 1):
            found |= {location for location, _ in pieces.jumps()}
            pieces = pieces.diff()
        return tuple(b for b in self.pieces.breaks if b in found)

    @property
    def is_smooth(self) -> bool:
        """Whether there is no kink."""
        return not self.kinks

    @cached_property
    def is_odd(self) -> bool:
        """Whether phi(-x) = -phi(x)."""
        sides = split(self.expr + self.expr.subs(x, -x), x)
        return all(_vanishes(e) for e in sides.exprs)

    @property
    def parameters(self) -> frozenset:
        """Free symbols other than `x`."""
        return frozenset(self.expr.free_symbols - {x})

    @lru_cache(maxsize=256)  # noqa: B019 - activations are few, immutable and compared by value
    def derivative(self, n: int = 1) -> Generalized:
        """Return the n-th derivative with its distributional part: jumps give deltas, deltas give their derivatives.

        >>> Activation.of("abs").derivative(2)
        Generalized(regular=Pieces(variable=x, breaks=(), exprs=(0,)), deltas=((0, 2),), higher=())
        """
        if not isinstance(n, int) or n < 0:
            raise ArgumentError("n", "must be a whole number, 0 or more", n)
        regular = self.pieces
        singular: list[tuple[Expr, Expr, int]] = []
        for _ in range(n):
            jumps = regular.jumps()
            singular = [(b, w, order + 1) for b, w, order in singular] + [(b, w, 0) for b, w in jumps]
            regular = regular.diff()
        deltas = tuple((b, w) for b, w, order in singular if order == 0)
        return Generalized(regular, deltas, tuple(entry for entry in singular if entry[2] > 0))

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Entry:
    """A line of the catalogue: ``entry(*parameters)`` is an Activation, ``entry.build(u, *parameters)`` phi(u)."""

    name: str
    build: Callable[..., Expr]
    defaults: tuple[Expr | None, ...] = ()
    check: Callable[..., None] = lambda *_: None

    def at(self, argument: Expr, *parameters: Expr) -> Expr:
        """Return phi(argument)."""
        return self.build(argument, *self.filled(parameters))

    def filled(self, parameters: tuple) -> tuple[Expr, ...]:
        """Complete parameters by defaults and check them."""
        if len(parameters) > len(self.defaults):
            raise ParseError(f"Activation '{self.name}' takes {len(self.defaults)} parameter(s).")
        values = tuple(map(sympify, parameters)) + self.defaults[len(parameters) :]
        if None in values:
            raise ParseError(f"Activation '{self.name}' needs a parameter: write '{self.name}(3)'.")
        self.check(*values)
        return values

    def __call__(self, *parameters: object) -> Activation:
        """Return the activation with these parameters (numbers or symbols)."""
        values = self.filled(parameters)
        given = values[: len(parameters)]
        name = f"{self.name}({', '.join(map(str, given))})" if given else self.name
        return Activation(name, self.build(x, *values))


def _check_order(n: Expr) -> None:
    if not (n.is_Integer and 1 <= n <= 64):
        raise ParseError(f"The order of 'monomial' must be a whole number from 1 to 64, but is {n}.")


def _check_slope(a: Expr) -> None:
    if a.is_number and not (a.is_extended_real and a.is_finite):
        raise ParseError(f"The slope of 'leaky_relu' must be a finite number, but is {a}.")


def _softplus(u: Expr) -> Expr:
    return Piecewise((u + log(1 + exp(-u)), u > 0), (log(1 + exp(u)), True))  # no overflow on either side


CATALOGUE: Mapping[str, Entry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Entry("linear", lambda u: u),
            Entry("relu", lambda u: Max(u, 0)),
            Entry(
                "leaky_relu",
                lambda u, a: Piecewise((u, u > 0), (a * u, True)),
                (Rational(1, 100),),
                _check_slope,
            ),
            Entry("hard_tanh", lambda u: Max(-1, Min(1, u))),
            Entry("shifted_relu", lambda u: Max(u + S.Half, 0) - S.Half),
            Entry("erf", lambda u: _erf(u)),
            Entry("erf_s", lambda u: _erf(sqrt(pi) * u / 2)),
            Entry("tanh", lambda u: tanh(u)),
            Entry("arctan", lambda u: atan(u)),
            Entry("sin", lambda u: sin(u)),
            Entry("sigmoid", lambda u: (1 + tanh(u / 2)) / 2),
            Entry("softplus", _softplus),
            Entry("elu", lambda u: Piecewise((u, u > 0), (exp(u) - 1, True))),
            Entry("gelu", lambda u: u * (1 + _erf(u / sqrt(2))) / 2),
            Entry("swish", lambda u: u * (1 + tanh(u / 2)) / 2),
            Entry("abs", lambda u: Abs(u)),
            Entry("monomial", lambda u, n: u**n, (None,), _check_order),
        )
    }
)
ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "hardtanh": "hard_tanh", "silu": "swish", "logistic": "sigmoid", "identity": "linear", "atan": "arctan",
        "leakyrelu": "leaky_relu", "shiftedrelu": "shifted_relu", "erfs": "erf_s",
    }
)  # fmt: skip


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
    return expr.replace(
        lambda e: (
            isinstance(e, log) and exponent(e.args[0]) is not None and exponent(e.args[0]).is_polynomial(x)
        ),
        lambda e: _softplus(exponent(e.args[0])),
    )


@lru_cache(maxsize=256)
def _of_text(text: str) -> Activation:
    name = _canonical(text)
    if name in CATALOGUE:
        return CATALOGUE[name]()
    tree = syntax_tree(text)
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and not tree.keywords:
        entry = CATALOGUE.get(_canonical(tree.func.id))
        if (
            entry
            and entry.defaults
            and not any(isinstance(n, ast.Name) for a in tree.args for n in ast.walk(a))
        ):
            return entry(*(parse(ast.unparse(argument)) for argument in tree.args))
    return Activation.parse(text)


def _canonical(name: str) -> str:
    name = name.strip().lower().replace("-", "_")
    return ALIASES.get(name, name)


def _callable(entry: Entry) -> tuple[Callable, tuple[int, int]]:
    needed = sum(default is None for default in entry.defaults)
    return entry.at, (needed, len(entry.defaults))


_CALLABLE = {name: _callable(entry) for name, entry in CATALOGUE.items()}
_CALLABLE |= {alias: _CALLABLE[name] for alias, name in ALIASES.items()}


def _vanishes(expr: Expr) -> bool:
    if expr == 0 or expand(expr) == 0:
        return True
    return expr.is_number and reduced(expr) == 0


def _checked(expr: Expr, name: str) -> Expr:
    """Refuse what is no real, finite function of `x`; the samples catch poles, roots of negatives and logarithms."""
    if x not in expr.free_symbols:
        raise ParseError(f"The activation {shown(name)} must depend on `x`.")
    pieces = split(expr, x)  # raises where kinks cannot be found
    if expr.free_symbols != {x}:
        return expr
    samples = [
        S.Zero,
        *pieces.breaks,
        *(s * Rational(v) for v in ("0.37", "1", "2.9", "11") for s in (1, -1)),
    ]
    for point in samples:
        value = expr.subs(x, point)
        value = value if value in (zoo, nan) else value.evalf(15)
        if not (value.is_number and value.is_extended_real and value.is_finite):
            raise ParseError(
                f"The activation {shown(name)} must be real and finite, but is {value} at x = {point}."
            )
    for factor in expr.atoms(Pow):
        if factor.exp.is_number and factor.exp < 0 and factor.base.has(x) and not factor.base.has(*KINKED):
            signs = {bool(factor.base.subs(x, point).evalf(15) > 0) for point in samples}
            if len(signs) > 1:
                raise ParseError(
                    f"The activation {shown(name)} must be finite, but divides by zero somewhere."
                )
    return expr
