"""Callables and modules as expressions: a symbol is sent through them, and what happens to it is written down.

``np.tanh``, ``lambda x: x*np.tanh(x)``, ``torch.nn.functional.gelu``, ``nn.LeakyReLU(0.2)`` and modules with a
`forward` of their own are read this way, so that what is read is what runs. The symbol answers NumPy's and PyTorch's
protocols for foreign numbers (``__array_ufunc__``, ``__torch_function__``); neither library is imported here. What
looks at the value of the symbol, or draws random numbers, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sympy import Expr
from sympy.core.function import AppliedUndef
from sympy.logic.boolalg import Boolean

from widelimit.theory.calculus import exact, vocabulary
from widelimit.theory.calculus.vocabulary import Term, x
from widelimit.theory.errors import ArgumentError, ParseError, WidelimitError, shown

BY_NAME = (
    "math",
    "jax",
    "tensorflow",
    "keras",
    "mpmath",
)  # libraries whose functions take no foreign numbers
_CERTAIN = "Write the activation as an expression in `x`, such as 'x*tanh(x)'."


def from_callable(function: Callable[..., Any]) -> Expr:
    """Return what a callable does to `x`, as an expression.

    Raises `ParseError` where the callable cannot be followed: it branches on a value, is no function of one unit, is
    random, or fails.

    >>> from_callable(lambda x: x * abs(x) / 2)
    x*Abs(x)/2
    """
    what = _described(function)
    if (named := _by_name(function)) is not None:
        return named
    first, second = (_run(function, what) for _ in range(2))
    if first != second:
        raise ParseError(f"{what} is random: two calls differ. {_CERTAIN}")
    return first


def from_module(module: Any) -> Expr:
    """Return what a torch module, such as ``nn.Softplus(beta=2)``, does to each unit; refuses as `from_callable`."""
    return from_callable(module)


def _run(function: Callable[..., Any], what: str) -> Expr:
    try:
        found = function(_Traced(x))
    except ParseError as error:
        raise ParseError(f"{what} cannot be read as an activation: {error}") from None
    except WidelimitError as error:
        raise ParseError(f"{what} cannot be read as an activation: {error}") from None
    except Exception as error:  # the caller's own code, whatever it raises
        detail = " ".join(str(error).split())[:80]
        raise ParseError(
            f"{what} cannot be followed as a function of one unit ({type(error).__name__}: {detail}). {_CERTAIN}"
        ) from None
    return vocabulary.indicator(_term(found, what))


def _described(function: Any) -> str:
    name = getattr(function, "__name__", None)
    return f"The function {shown(name)}" if isinstance(name, str) else f"The module {type(function).__name__}"


def _by_name(function: Any) -> Expr | None:
    """Functions of libraries that compute with their own numbers only, by module and name."""
    module, name = getattr(function, "__module__", None), getattr(function, "__name__", None)
    root = module.partition(".")[0] if isinstance(module, str) else ""
    if not isinstance(name, str) or not vocabulary.known(name):
        return None
    by_class = isinstance(function, type) and root == "torch"  # nn.ReLU without brackets
    if (
        root not in BY_NAME and not by_class and type(function).__name__ != "method_descriptor"
    ):  # torch.Tensor.tanh
        return None
    return vocabulary.indicator(vocabulary.apply(name, [x], {}, root))


def _term(value: Any, what: str = "") -> Term:
    """What a traced value, a number or an array of one number stands for."""
    if isinstance(value, _Traced):
        return value.term
    if isinstance(value, Expr | Boolean):
        return value
    if getattr(value, "numel", None) is not None and callable(value.numel) and value.numel() == 1:
        value = value.item()  # a parameter of one number, as nn.PReLU has
    try:
        number = exact.number("activation", value, infinite=True)
    except ArgumentError:
        raise ParseError(
            f"{what + ' uses' if what else 'it uses'} {shown(value)}, which is neither a number nor a function of `x`."
        ) from None
    return vocabulary.rounded(number)


def _applied(name: str, args: Iterable[Any], named: dict[str, Any] | None = None) -> _Traced:
    """A library's function of traced values."""
    args = list(args)
    if name in ("max", "min", "amax", "amin") and (len(args) < 2 or isinstance(args[1], int)):
        raise ParseError(
            f"'{name}' with a dimension looks at other units; the larger of two values is 'maximum'."
        )
    given = [_argument(arg) for arg in args]
    while given and isinstance(given[-1], bool):  # `inplace` by position
        given.pop()
    keywords = {key: _argument(value) for key, value in (named or {}).items()}
    return _Traced(vocabulary.apply(_bare(name), given, keywords))


def _argument(value: Any) -> Any:
    return value if value is None or isinstance(value, str | bool) else _term(value)


def _bare(name: str) -> str:
    """``__radd__``, ``special_erf``, ``relu_`` and ``true_divide`` by the name that `vocabulary` knows."""
    bare = name.strip("_").removeprefix("special_")
    return bare[1:] if bare in ("radd", "rmul") else bare


def _operator(sign: str, *, swapped: bool = False) -> Any:
    def method(self: _Traced, other: Any) -> _Traced:
        left, right = (_term(other), self.term) if swapped else (self.term, _term(other))
        act = vocabulary.combine if sign in vocabulary.OPERATORS else vocabulary.compare
        return _Traced(act(sign, left, right))

    return method


class _Traced:
    """The symbol, or what has become of it."""

    __array_priority__ = 1000.0

    def __init__(self, term: Term) -> None:
        self.term = term

    __add__, __radd__ = _operator("+"), _operator("+", swapped=True)
    __sub__, __rsub__ = _operator("-"), _operator("-", swapped=True)
    __mul__, __rmul__ = _operator("*"), _operator("*", swapped=True)
    __truediv__, __rtruediv__ = _operator("/"), _operator("/", swapped=True)
    __pow__, __rpow__ = _operator("**"), _operator("**", swapped=True)
    __lt__, __le__, __gt__, __ge__ = (_operator(sign) for sign in ("<", "<=", ">", ">="))

    def __neg__(self) -> _Traced:
        return _Traced(-vocabulary.indicator(self.term))

    def __pos__(self) -> _Traced:
        return self

    def __abs__(self) -> _Traced:
        return _applied("abs", [self])

    def __and__(self, other: Any) -> _Traced:
        return _applied("and", [self, other])

    def __or__(self, other: Any) -> _Traced:
        return _applied("or", [self, other])

    def __invert__(self) -> _Traced:
        return _applied("not", [self])

    def __bool__(self) -> bool:
        raise ParseError("it branches on the value of x; write a case as where(x > 0, x, 0).")

    def __float__(self) -> float:
        raise ParseError(
            "it asks for the value of x, as functions of `math` do; write np.tanh for math.tanh."
        )

    __int__ = __index__ = __complex__ = __float__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not vocabulary.known(name.rstrip("_")):
            raise AttributeError(f"it asks for .{name} of x")
        return lambda *args, **named: _applied(name, [self, *args], named)

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **named: Any) -> _Traced:
        if method != "__call__":
            raise ParseError(f"'{ufunc.__name__}.{method}' is no function of one unit.")
        return _applied(ufunc.__name__, args, named)

    def __array_function__(self, function: Any, types: Any, args: Any, named: Any) -> _Traced:
        return _applied(function.__name__, args, named)

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> _Traced:
        return _applied(function.__name__, args, kwargs)


def refuse_undefined(expr: Expr) -> None:
    """Refuse functions that only have a name."""
    if unknown := sorted(map(str, expr.atoms(AppliedUndef))):
        raise ParseError(f"The function {shown(unknown[0])} is not defined, it only has a name. {_CERTAIN}")
