"""What callers pass, made exact: numbers and SymPy expressions become SymPy, text is refused and never read.

``sympify`` evaluates text as Python code, and so do SymPy's own functions (``exp("...")``, ``Tuple("...")``,
``expr.subs(x, "...")``). A caller's value therefore enters `theory` by one of the two doors here and by no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from functools import wraps
from inspect import signature
from math import isinf
from numbers import Integral, Rational, Real
from typing import Any, Literal, TypeVar

import mpmath
from sympy import Expr, Float, I, Integer, Piecewise, Symbol, nan, oo, zoo
from sympy import Rational as Ratio
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational

from widelimit.theory.calculus import sampling
from widelimit.theory.errors import ArgumentError

LARGEST = 1024  # bits: from 2**1024 on a number is infinity as a float
SPAN = mpmath.mpf(10) ** 30
F = TypeVar("F", bound=Callable[..., Any])
_TEXT = "Text is not evaluated."


def number(
    name: str, value: object, help: str = "", *, symbols: bool = False, infinite: bool = False
) -> Expr:
    """Return a real number as an exact SymPy number: 0.1 becomes the float 0.1, 1/3 of `fractions` the rational 1/3.

    Python's, NumPy's and mpmath's real numbers, ``Fraction``, ``Decimal``, arrays of one number and SymPy numbers are
    read; with ``symbols=True`` also SymPy expressions in symbols. Raises `ArgumentError` for anything else: text,
    booleans, NaN, complex numbers, infinities (unless ``infinite=True``), what a float cannot hold, lists and arrays.

    >>> from fractions import Fraction
    >>> number("ratio", Fraction(1, 3)), number("ratio", 0.5)
    (1/3, 0.500000000000000)
    >>> number("ratio", "1/3")
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ArgumentError: Argument `ratio` must be a real number, but is '1/3'. Text is not evaluated.
    """
    must = "must be a real number" + (" or a SymPy expression" if symbols else "")
    found = _exact(value)
    if found is None:
        raise ArgumentError(name, must, value, _with_text(value, help))
    if found is nan or found.has(nan):
        raise ArgumentError(name, "must be a number", but="is NaN", help=help)
    if found.free_symbols or found.has(AppliedUndef):
        _complete(name, found)
        if not symbols or found.has(AppliedUndef):
            raise ArgumentError(name, must, value, help)
        if found.has(zoo):
            raise ArgumentError(name, "must be finite", value, help)
        return found
    if found in (oo, -oo):
        if infinite:
            return found
        raise ArgumentError(name, "must be finite", value, help)
    if found.has(oo, -oo, zoo) or (size := _size(found)) == "large":
        raise ArgumentError(name, "must be finite", value, help)
    if size == "complex":
        raise ArgumentError(name, must, value, help)
    return found


def positive(name: str, value: object, help: str = "", *, symbols: bool = False) -> Expr:
    """Return `number` of a value above zero.

    >>> positive("variance", -1)
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ArgumentError: Argument `variance` must be positive, but is -1.
    """
    found = number(name, value, help, symbols=symbols)
    if found.is_positive is False if found.free_symbols else size(found) <= 0:
        raise ArgumentError(name, "must be positive", value, help)
    return found


def scaled(name: str, value: object, *, symbols: bool = False) -> Expr:
    """Return `positive` of a value within `SPAN` of 1: transforms hold its powers, which have to be numbers, too.

    >>> scaled("radius", 1e-290)
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ArgumentError: Argument `radius` must lie between 1e-30 and 1e30, but is 1e-290. Choose ...
    """
    found = positive(name, value, symbols=symbols)
    if not found.free_symbols:
        between(name, found, value)
    return found


def between(name: str, found: Expr, value: object) -> None:
    """Refuse the size of a number that is not zero where it is not within `SPAN` of 1."""
    if not 1 / SPAN <= abs(size(found)) <= SPAN:
        raise ArgumentError(
            name, "must lie between 1e-30 and 1e30", value, "Choose units in which it is near 1."
        )


def non_negative(name: str, value: object, help: str = "", *, symbols: bool = False) -> Expr:
    """Return `number` of a value that is not below zero."""
    found = number(name, value, help, symbols=symbols)
    if not found.free_symbols and size(found) < 0:
        raise ArgumentError(name, "must not be negative", value, help)
    return found


def at_least(name: str, value: object, least: float, help: str = "", *, symbols: bool = False) -> Expr:
    """Return `number` of a value that is not below `least`."""
    found = number(name, value, help, symbols=symbols)
    if not found.free_symbols and size(found) < least:
        raise ArgumentError(name, f"must be at least {least:g}", value, help)
    return found


def fraction(name: str, value: object, help: str = "", *, symbols: bool = False) -> Expr:
    """Return `number` of a value in (0, 1], and not below 1e-30: a trace, a share."""
    found = number(name, value, help, symbols=symbols)
    if not found.free_symbols and not 0 < size(found) <= 1:
        raise ArgumentError(name, "must lie in (0, 1]", value, help)
    if not found.free_symbols and size(found) < 1 / SPAN:
        raise ArgumentError(name, "must lie between 1e-30 and 1", value, help)
    return found


def size(found: Expr) -> Any:
    """Return a checked constant as an mpf of 20 digits (a sign is that of the exact number)."""
    return sampling.value(found)


def expression(name: str, value: object, variables: Iterable[Symbol] | None = None, help: str = "") -> Expr:
    """Return a number or SymPy expression; symbols that are called like one of `variables` are taken for it.

    Raises `ArgumentError` for text and for what is no expression or holds an undefined value or, where `variables` are
    given, an undefined function.

    >>> t = Symbol("t", positive=True)
    >>> expression("S", 1 / (1 + Symbol("t")), [t]).free_symbols == {t}
    True
    """
    found = _exact(value)
    if found is None and isinstance(value, complex) and not isinstance(value, bool):
        found = Float(value.real) + Float(value.imag) * I
    if found is None:
        raise ArgumentError(name, "must be a SymPy expression", value, _with_text(value, help))
    if found.has(nan, zoo):
        raise ArgumentError(name, "must be finite", value, help)
    _complete(name, found)
    if variables is not None and found.has(AppliedUndef):
        raise ArgumentError(name, "must be made of functions that SymPy defines", value, help)
    known = {symbol.name: symbol for symbol in variables or ()}
    return found.xreplace({s: known[s.name] for s in found.free_symbols if known.get(s.name, s) != s})


def plain(name: str, value: object, help: str = "") -> Expr:
    """Return a SymPy expression as it is, whatever it holds, and a number made exact; refuse all else.

    >>> plain("metric", 2)
    2
    """
    found = value if isinstance(value, Expr) else _exact(value)
    if found is None:
        raise ArgumentError(name, "must be a SymPy expression", value, _with_text(value, help))
    if found.has(nan, zoo):
        raise ArgumentError(name, "must be an expression that is defined", value, help)
    return found


def takes(**doors: Callable[[str, Any], Any]) -> Callable[[F], F]:
    """Let a function pass each named argument through a door of this module first.

    >>> @takes(metric=plain)
    ... def doubled(metric):
    ...     return 2 * metric
    >>> doubled(3)
    6
    """

    def decorate(function: F) -> F:
        names = list(signature(function).parameters)

        @wraps(function)
        def checked(*args: Any, **named: Any) -> Any:
            given = [doors[n](n, v) if n in doors else v for n, v in zip(names, args, strict=False)]
            given += args[len(names) :]  # too many: the function says so
            return function(*given, **{n: doors[n](n, v) if n in doors else v for n, v in named.items()})

        return checked  # type: ignore[return-value]

    return decorate


def order(least: int, most: int | None = None) -> Callable[[str, Any], int]:
    """The door of whole numbers of at least `least` for `takes`; of at most `most`, where a formula has so many terms.

    >>> order(1, 200)("k", 10**6)
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ArgumentError: Argument `k` must be at most 200, but is 1000000. The formula has as many ...
    """

    def checked(name: str, value: object) -> int:
        found = whole(name, value, least)
        if most is not None and found > most:
            raise ArgumentError(
                name, f"must be at most {most}", value, "The formula has as many terms: use a smaller one."
            )
        return found

    return checked


def whole(name: str, value: object, least: int, help: str = "") -> int:
    """Return a whole number of at least `least` as an int; `ArgumentError` for anything else."""
    found = _exact(value)
    if found is None or not found.is_Integer or found < least or isinstance(value, float):
        raise ArgumentError(
            name, f"must be a whole number of at least {least}", value, _with_text(value, help)
        )
    return int(found)


def flag(name: str, value: object, help: str = "") -> bool:
    """Return `value` if it is True or False: the text 'False' would count as true."""
    if not isinstance(value, bool):
        raise ArgumentError(name, "must be True or False", value, help)
    return value


def one_of(name: str, value: object, options: Iterable[str]) -> str:
    """Return text that is one of some names; `ArgumentError` for anything else, whatever it is.

    >>> one_of("weights", "gaussian", ("gaussian", "orthogonal"))
    'gaussian'
    """
    known = tuple(options)
    if not isinstance(value, str) or value not in known:
        raise ArgumentError(name, f"must be one of {', '.join(known)}", value)
    return str(value)


def numbers(name: str, value: object, help: str = "", *, symbols: bool = False) -> list[Expr]:
    """Return the numbers of a list, tuple, set-free iterable or array of one dimension, each made exact."""
    return [
        number(name, one, help, symbols=symbols)
        for one in members(name, value, "must be a list of numbers", help)
    ]


def members(name: str, value: object, must: str, help: str = "") -> list[Any]:
    """Return what a list, an array or another iterable holds; `ArgumentError` for text and what does not hold anything.

    >>> members("ratios", (1, 2), "must be a list of numbers")
    [1, 2]
    """
    if isinstance(value, str | bytes | dict | Expr) or not isinstance(value, Iterable):
        raise ArgumentError(name, must, value, _with_text(value, help))
    try:
        return list(value)
    except Exception:  # an array without dimensions, a foreign iterable: whatever it raises
        raise ArgumentError(name, must, value, help) from None


def pairs(
    name: str, value: object, must: str, help: str = "", *, infinite: bool = False
) -> list[tuple[Expr, Expr]]:
    """Return a list of pairs of exact numbers or expressions, such as atoms (location, mass) or ends of intervals."""
    found = []
    for one in members(name, value, must, help):
        pair = members(name, one, must, help)
        if len(pair) != 2:
            raise ArgumentError(name, must, one, help)
        left, right = (number(name, v, help, symbols=True, infinite=infinite) for v in pair)
        found.append((left, right))
    return found


def _complete(name: str, found: Expr) -> None:
    """Refuse cases that leave a gap, in which SymPy has NaN."""
    if any(cases.args[-1][1] != True for cases in found.atoms(Piecewise)):  # noqa: E712 - SymPy's own truth
        raise ArgumentError(
            name,
            "must be defined everywhere",
            but="holds cases that leave a gap",
            help="Add a case `(..., True)`.",
        )


def too_large(value: Expr) -> bool:
    """Whether a number is infinite as a float, told without computing its digits where SymPy has not done so."""
    if value.is_Rational:
        bits = abs(value.p).bit_length() - value.q.bit_length()
        if abs(bits - LARGEST) > 2:
            return bool(bits > LARGEST)
        try:
            return isinf(int(value.p) / int(value.q))
        except OverflowError:
            return True
    if isinstance(value, Float):
        return (
            bool(value != 0) and value._mpf_[2] + value._mpf_[3] > LARGEST
        )  # exponent + bits of the mantissa
    return False


def _exact(value: object) -> Expr | None:
    """SymPy's exact form of a number or an expression, None for what is neither."""
    if isinstance(value, Expr):
        return None if isinstance(value, Relational) else value
    if isinstance(value, bool | str | bytes | bytearray) or type(value).__name__ in ("bool", "bool_"):
        return None  # NumPy calls its booleans bool
    if isinstance(value, Integral):
        return Integer(int(value))
    if isinstance(value, Fraction | Rational):
        return Ratio(int(value.numerator), int(value.denominator))
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, mpmath.mpf):
        return _mpf(value)
    if isinstance(value, Real):
        return _float(float(value))
    return _of_array(value)


def _float(value: float) -> Expr:
    return (
        nan
        if value != value
        else (oo if value == float("inf") else -oo if value == float("-inf") else Float(value))
    )


def _mpf(value: Any) -> Expr:
    if not mpmath.isfinite(value):
        return _float(float(value))
    return Float._new(value._mpf_, max(53, value._mpf_[3]))  # every bit of it


def _decimal(value: Decimal) -> Expr:
    if value.is_nan():
        return nan
    if value.is_infinite():
        return oo if value > 0 else -oo
    if value and abs(value.adjusted()) > 400:  # its digits would fill the memory
        return oo if value.adjusted() > 0 else Integer(0)
    return Ratio(*value.as_integer_ratio())


def _of_array(value: Any) -> Expr | None:
    """The one number of a NumPy array or tensor without dimensions."""
    if getattr(value, "shape", None) != () or not callable(getattr(value, "item", None)):
        return None
    try:
        inner = value.item()
    except Exception:  # a tensor without data, a foreign object: no number
        return None
    return _exact(inner) if isinstance(inner, int | float | Fraction | Decimal | Expr) else None


def _size(value: Expr) -> Literal["real", "large", "complex"]:
    """Whether a constant is a real number that a float holds: 20 digits of it tell."""
    if value.is_Rational or isinstance(value, Float):
        return "large" if too_large(value) else "real"
    found = sampling.value(value)
    if found is None or (sampling.is_real(found) and mpmath.mag(found) > LARGEST):
        return "large"
    if isinstance(found, mpmath.mpc):  # three real roots of a cubic in radicals leave a trace of i
        return "real" if abs(found.imag) < 1e-15 * abs(found.real) else "complex"
    return "real" if sampling.is_real(found) else "complex"


def _with_text(value: object, help: str) -> str:
    return " ".join(part for part in (_TEXT if isinstance(value, str | bytes) else "", help) if part)
