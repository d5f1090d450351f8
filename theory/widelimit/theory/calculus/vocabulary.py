"""The functions that expressions of activations are made of, by the names that Python's libraries give them.

`apply` is what a call means, whoever reads it: the parser of text and the tracer of callables. Every operation keeps
its result small: numbers below 10**24, powers up to 64, so that no tower is ever evaluated.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from sympy import E, Expr, Heaviside, Integer, Max, Min, Piecewise, Pow, Rational, S, Symbol, pi, sqrt

from sympy import Abs, asinh, atan, cos, cosh, erf, erfc, exp, log, sign, sin, sinh, tanh  # isort: skip
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, Boolean, Not, Or

from widelimit.theory.calculus import catalogue, sampling
from widelimit.theory.errors import ParseError, shown

x = Symbol("x", real=True)

MAX_EXPONENT = 64
MAX_NUMBER = 10**12
MAX_SHOWN = 300  # operations of an expression that is printed as its name

Term: TypeAlias = Expr | Boolean
Function = tuple[Callable[..., Term], int, int]  # what it builds, fewest and most arguments

CONSTANTS: Mapping[str, Expr] = MappingProxyType(
    {"x": x, "pi": pi, "e": E, "E": E, "tau": 2 * pi, "inf": S.Infinity}
)
JAX = ("jax", "jnp", "lax", "flax")
KERAS = ("tf", "tensorflow", "keras")
MODULES = frozenset(
    {
        "np",
        "numpy",
        "math",
        "torch",
        "F",
        "nn",
        "functional",
        "scipy",
        "special",
        "sp",
        "sympy",
        "mpmath",
        *JAX,
        *KERAS,
    }
)
IGNORED = frozenset({"inplace", "dtype", "out", "name", "training"})  # keywords that change no value


def number(value: object) -> Expr:
    """Return a finite number of reasonable size; decimals become exact rationals."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ParseError(f"{shown(value)} is not a real number.")
    if not abs(value) <= MAX_NUMBER:
        raise ParseError(f"The number {shown(value)} is larger than 10**12.")
    return Integer(value) if isinstance(value, int) else Rational(repr(value))


rounded = catalogue.rounded


def finite(expr: Expr) -> Expr:
    """Refuse constants that are not real or too large; checked at every node, so no tower is ever evaluated."""
    if not expr.is_number:
        return expr
    value = sampling.value(expr)
    if value is not None and not sampling.is_real(value):
        raise ParseError(f"The expression contains {shown(str(expr))}, which is not a finite real number.")
    if value is None or abs(value) > MAX_NUMBER**2:
        raise ParseError(f"The expression contains {shown(str(expr))}, which is larger than 10**24.")
    return expr


def divide(left: Expr, right: Expr) -> Expr:
    """Return left/right."""
    if right.is_zero:
        raise ParseError("The expression divides by zero.")
    return left / right


def power(base: Expr, exponent: Expr) -> Expr:
    """Return base**exponent where it stays small enough to be worked with."""
    if exponent.is_number:
        total = exponent * (base.exp if isinstance(base, Pow) and base.exp.is_number else 1)
        if abs(total) > MAX_EXPONENT:
            raise ParseError(
                f"The exponent {shown(str(total))} is outside -{MAX_EXPONENT} ... {MAX_EXPONENT}."
            )
        if base.is_number and exponent.is_Integer and base.is_Rational:
            size = max(abs(base.p), base.q)
            if size ** abs(int(exponent)) > MAX_NUMBER**2:
                raise ParseError(f"The number {shown(f'({base})**({exponent})')} is larger than 10**24.")
    elif base is not E and not base.is_positive:
        raise ParseError(
            "A power with a variable exponent must have a positive base, such as 'exp(-x)' or '2**x'."
        )
    return base**exponent


OPERATORS: Mapping[str, Callable[[Expr, Expr], Expr]] = MappingProxyType(
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": divide, "**": power}
)
RELATIONS: Mapping[str, Callable[[Expr, Expr], Boolean]] = MappingProxyType(
    {"<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}
)


def combine(operator: str, left: Term, right: Term) -> Expr:
    """Return what an arithmetic operator makes of two terms; a condition counts as 1 where it holds."""
    return finite(OPERATORS[operator](indicator(left), indicator(right)))


def compare(operator: str, left: Term, right: Term) -> Boolean:
    """Return the condition left < right, and the like."""
    return RELATIONS[operator](indicator(left), indicator(right))


def is_condition(term: Term) -> bool:
    """Whether a term holds or does not; SymPy counts symbols among both kinds."""
    return isinstance(term, Boolean) and not isinstance(term, Expr)


def indicator(term: Term) -> Expr:
    """A term as a number: a condition is 1 where it holds and 0 elsewhere."""
    return term if isinstance(term, Expr) else Piecewise((S.One, term), (S.Zero, True))


def _where(condition: Term, one: Term, other: Term) -> Expr:
    if not is_condition(condition):
        raise ParseError("'where' takes a condition such as x > 0, a value where it holds, and another one.")
    return Piecewise((indicator(one), condition), (indicator(other), True))


def _clip(u: Expr, low: Expr | None = None, high: Expr | None = None) -> Expr:
    u = u if high is None or high is S.Infinity else Min(u, high)
    return u if low is None or low is S.NegativeInfinity else Max(u, low)


def _logical(kind: Any) -> Callable[..., Boolean]:
    def build(*conditions: Term) -> Boolean:
        if not all(map(is_condition, conditions)):
            raise ParseError("'and', 'or' and 'not' combine conditions such as x > 0.")
        return kind(*conditions)

    return build


_MANY = 64
_PLAIN: dict[str, Function] = {
    name: (function, 1, 1)
    for name, function in {
        "exp": exp, "log": log, "ln": log, "sqrt": sqrt, "sin": sin, "cos": cos, "sinh": sinh, "cosh": cosh,
        "tanh": tanh, "arctan": atan, "atan": atan, "asinh": asinh, "arcsinh": asinh, "erf": erf, "erfc": erfc,
        "abs": Abs, "fabs": Abs, "absolute": Abs, "sign": sign, "sgn": sign,
        "square": lambda u: power(u, Integer(2)), "expm1": lambda u: exp(u) - 1, "log1p": lambda u: log(1 + u),
        "exp2": lambda u: 2**u, "log2": lambda u: log(u) / log(2), "log10": lambda u: log(u) / log(10),
        "reciprocal": lambda u: divide(S.One, u), "rsqrt": lambda u: divide(S.One, sqrt(u)),
        "negative": lambda u: -u, "neg": lambda u: -u, "positive": lambda u: u,
        "ndtr": lambda u: (1 + erf(u / sqrt(2))) / 2, "not": _logical(Not), "logicalnot": _logical(Not),
    }.items()
}  # fmt: skip
_BINARY: dict[str, Function] = {
    name: (lambda a, b, o=operator: combine(o, a, b), 2, 2)
    for operator, names in {
        "+": ("add",), "-": ("sub", "subtract"), "*": ("mul", "multiply"), "**": ("pow", "power", "floatpower"),
        "/": ("div", "divide", "truediv", "truedivide"),
    }.items()
    for name in names
}  # fmt: skip
_COMPARED: dict[str, Function] = {
    name: (lambda a, b, o=operator: compare(o, a, b), 2, 2)
    for operator, names in {
        "<": ("lt", "less"), "<=": ("le", "lessequal"), ">": ("gt", "greater"), ">=": ("ge", "greaterequal"),
    }.items()
    for name in names
}  # fmt: skip
FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    _PLAIN | _BINARY | _COMPARED | {
        "max": (Max, 2, _MANY), "maximum": (Max, 2, _MANY), "fmax": (Max, 2, 2),
        "min": (Min, 2, _MANY), "minimum": (Min, 2, _MANY), "fmin": (Min, 2, 2),
        "where": (_where, 3, 3), "clip": (_clip, 1, 3), "clamp": (_clip, 1, 3),
        "rsub": (lambda a, b: b - a, 2, 2), "heaviside": (lambda u, *_: Heaviside(u), 1, 2),
        "hypot": (lambda a, b: sqrt(a**2 + b**2), 2, 2),
        "logaddexp": (lambda a, b: b + catalogue.softplus(a - b), 2, 2),
        "and": (_logical(And), 2, _MANY), "logicaland": (_logical(And), 2, 2), "bitwiseand": (_logical(And), 2, 2),
        "or": (_logical(Or), 2, _MANY), "logicalor": (_logical(Or), 2, 2), "bitwiseor": (_logical(Or), 2, 2),
    }
)  # fmt: skip
_KEYWORDS: Mapping[str, tuple[str, ...]] = {  # names of arguments behind the first
    "clip": ("min", "max"), "clamp": ("min", "max"), "pow": ("exponent",), "heaviside": ("values",),
}  # fmt: skip
_SYNONYMS = {"a_min": "min", "a_max": "max", "other": "max", "alpha": "negative_slope", "lambda_": "lambd"}
NOT_POINTWISE = frozenset(
    {
        "softmax", "logsoftmax", "softmin", "glu", "swiglu", "geglu", "reglu", "layernorm", "batchnorm", "rmsnorm",
        "groupnorm",
        "normalize", "sum", "mean", "std", "var", "cumsum", "linear2d", "maxpool", "gumbelsoftmax", "sparsemax", "norm",
    }
)  # fmt: skip


ENDLESS = frozenset(
    {"floor", "ceil", "ceiling", "round", "rint", "trunc", "fix", "mod", "fmod", "frac", "remainder"}
)


def known(name: str) -> bool:
    """Whether a call of this name means something."""
    return catalogue.squashed(name) in FUNCTIONS or catalogue.find(name) is not None


def apply(name: str, args: Sequence[Term], named: Mapping[str, Any] | None = None, root: str = "") -> Term:
    """Return what ``root.name(*args, **named)`` means; raises `ParseError` where that is not certain.

    >>> apply("maximum", [x, S.Zero]), apply("leaky_relu", [x], {"negative_slope": Rational(1, 5)})
    (Max(0, x), Piecewise((x, x > 0), (x/5, True)))
    """
    keywords = {
        key: value for key, value in (named or {}).items() if key not in IGNORED and value is not None
    }
    key = catalogue.squashed(name)
    if (named or {}).get("training") is True and key == "rrelu":
        raise ParseError("'rrelu' draws its slopes at random while training; call eval() on the module.")
    if key in ("max", "min") and root:
        raise ParseError(
            f"'{root}.{name}' runs over a dimension: write '{name}imum(x, 0)' or '{name}(x, 0)'."
        )
    torchs_class = root == "nn" and name[:1].isupper()  # nn.GELU is torch's, nn.gelu may be flax's
    key = _variant(key, keywords, len(args), "torch" if torchs_class else root)
    rule = catalogue.find(key)
    if key in FUNCTIONS and not (rule and rule.parameters):
        return _called(name, key, list(args), keywords)
    if rule is not None:
        if None in args:
            raise ParseError(f"Activation '{name}' takes numbers and functions of x, not None.")
        return finite(rule.at(indicator(args[0]), *args[1:], **_renamed(rule, keywords)))
    if key in NOT_POINTWISE:
        raise ParseError(
            f"'{name}' is no function of one unit: its value depends on the other units of the layer."
        )
    raise ParseError(f"'{name}' is not a function that widelimit knows." + (suggest(name) or WRITE))


def _called(name: str, key: str, args: list[Any], keywords: dict[str, Any]) -> Term:
    function, fewest, most = FUNCTIONS[key]
    if None in args and key not in ("clip", "clamp"):
        raise ParseError(f"Function '{name}' takes numbers and functions of x, not None.")
    for place, keyword in enumerate(_KEYWORDS.get(key, ()), 1):
        word = next((k for k in keywords if _SYNONYMS.get(k, k) == keyword), None)
        if word is not None:
            args += [None] * (place - len(args)) + [keywords.pop(word)]
    if keywords:
        raise ParseError(
            f"Function '{name}' must be called without the keyword argument `{next(iter(keywords))}`."
        )
    if not fewest <= len(args) <= most:
        count = fewest if fewest == most else f"{fewest} or more"
        raise ParseError(f"Function '{name}' takes {count} argument(s), but has {len(args)}.")
    if key not in (
        "where",
        "and",
        "or",
        "not",
        "logicaland",
        "logicalor",
        "logicalnot",
        "bitwiseand",
        "bitwiseor",
    ):
        args = [arg if arg is None else indicator(arg) for arg in args]
    found = function(*args)
    return finite(found) if isinstance(found, Expr) else found


def _variant(key: str, keywords: dict[str, Any], count: int, root: str) -> str:
    """Where a library's default differs from PyTorch's: the tanh form of gelu, slopes of leaky_relu."""
    if key == "gelu":
        exact = {"none": True, "tanh": False, False: True, True: False}
        default = None if root == "nn" else (True if root in JAX else "none")
        approximate = keywords.pop("approximate", default)
        if approximate not in ("none", "tanh", True, False):
            raise ParseError("'gelu' is meant in two ways: write 'gelu' for the exact one or 'gelu_tanh'.")
        return "gelu" if exact[approximate] else "gelutanh"
    if root in KERAS and (key == "hardsigmoid" or (key == "leakyrelu" and count == 1 and not keywords)):
        raise ParseError(
            f"'{root}' changed the meaning of '{key}' between versions: write the formula or its slope."
        )
    return key


def _renamed(rule: catalogue.Rule, keywords: dict[str, Any]) -> dict[str, Any]:
    return {
        key if key in rule.parameters else _SYNONYMS.get(key, key): value for key, value in keywords.items()
    }


def nearest(name: str, known: object) -> str:
    """Return ` Did you mean 'tanh'?` or nothing."""
    close = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)  # type: ignore[call-overload]
    return f" Did you mean '{close[0]}'?" if close else ""


def suggest(name: str) -> str:
    """Suggest the nearest of all names."""
    if catalogue.squashed(name) in NOT_POINTWISE:
        return " Its value depends on the other units of the layer, so it is no function of one unit."
    if catalogue.squashed(name) in ENDLESS:
        return " It jumps without end, and no theory here counts that many kinks."
    return nearest(name, [*catalogue.CATALOGUE, *catalogue.ALIASES, *_PLAIN, "max", "min", "where", "clip"])


WRITE = " Write an expression in `x` such as 'x*tanh(x)', or the name of an activation."

__all__ = [
    "CONSTANTS",
    "FUNCTIONS",
    "MODULES",
    "Relational",
    "apply",
    "combine",
    "compare",
    "finite",
    "number",
    "x",
]
