"""Text to SymPy by a whitelist over Python's `ast`: the text is never evaluated.

The language: numbers, `x`, `pi`, `e`, ``+ - * / **``, unary minus, the functions of `FUNCTIONS`, and activations of the
catalogue called by name, as in ``relu(x - 1) + tanh(x)/2``. Everything else is a `ParseError` with one sentence.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Mapping

from sympy import E, Expr, Float, Integer, Max, Min, Pow, Rational, Symbol, pi, sqrt

from sympy import Abs, asinh, atan, cos, cosh, erf, erfc, exp, log, sign, sin, sinh, tanh  # isort: skip

from widelimit.theory.errors import ParseError, shown

x = Symbol("x", real=True)

MAX_LENGTH = 1000  # characters
MAX_DEPTH = 60  # nested operations
MAX_EXPONENT = 64
MAX_NUMBER = 10**12

FUNCTIONS: Mapping[str, tuple[Callable, int]] = {
    "exp": (exp, 1), "log": (log, 1), "sqrt": (sqrt, 1), "sin": (sin, 1), "cos": (cos, 1), "sinh": (sinh, 1),
    "cosh": (cosh, 1), "tanh": (tanh, 1), "arctan": (atan, 1), "atan": (atan, 1), "asinh": (asinh, 1),
    "arcsinh": (asinh, 1), "erf": (erf, 1), "erfc": (erfc, 1), "abs": (Abs, 1), "sign": (sign, 1),
    "max": (Max, 2), "min": (Min, 2),
}  # fmt: skip
CONSTANTS = {"x": x, "pi": pi, "e": E}
_OPERATORS: Mapping[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


def parse(text: str, activations: Mapping[str, tuple[Callable, tuple[int, int]]] | None = None) -> Expr:
    """Read one expression in `x`; `activations` maps a name to ``(f(argument, *parameters), (fewest, most))``.

    >>> parse("x*tanh(x) - 1/2")
    x*tanh(x) - 1/2
    >>> parse("__import__('os')")
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ParseError: '__import__' is not a function that widelimit knows. Write ...
    """
    return _Reader(activations or {}).read(text)


def syntax_tree(text: str) -> ast.expr:
    """Return the syntax tree of one expression, refusing what is too long, too deep or no expression."""
    if not isinstance(text, str):
        raise ParseError(f"An expression must be text, but is {shown(text)}.")
    if len(text) > MAX_LENGTH:
        raise ParseError(f"The expression has {len(text)} characters; at most {MAX_LENGTH} are read.")
    if not text.strip():
        raise ParseError("The expression is empty. Write one in `x`, such as 'x*tanh(x)'.")
    if not text.isascii() or "\0" in text:
        raise ParseError(f"The expression {shown(text)} has characters outside plain ASCII text.")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        detail = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ParseError(
            f"{shown(text)} is not an expression: {detail}. Write one like 'x*tanh(x)'."
        ) from None
    except (RecursionError, MemoryError):
        raise ParseError(f"The expression is nested deeper than {MAX_DEPTH} levels.") from None
    if depth(tree) > MAX_DEPTH:
        raise ParseError(f"The expression is nested deeper than {MAX_DEPTH} levels.")
    return tree


def depth(tree: ast.AST) -> int:
    """Return the height of a syntax tree, without recursion."""
    level, height = [tree], 0
    while level:
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        height += 1
    return height


def number(value: object) -> Expr:
    """Return a finite number of reasonable size; decimals become exact rationals."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ParseError(f"{shown(value)} is not a real number.")
    if not abs(value) <= MAX_NUMBER:
        raise ParseError(f"The number {shown(value)} is larger than 10**12.")
    return Integer(value) if isinstance(value, int) else Rational(repr(value))


def nearest(name: str, known: object) -> str:
    """Return ` Did you mean 'tanh'?` or nothing."""
    close = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)  # type: ignore[call-overload]
    return f" Did you mean '{close[0]}'?" if close else ""


class _Reader:
    """One pass over the syntax tree."""

    def __init__(self, activations: Mapping[str, tuple[Callable, tuple[int, int]]]) -> None:
        self.activations = activations

    def read(self, text: str) -> Expr:
        expr = self.visit(syntax_tree(text))
        if expr.has(Float) or not expr.free_symbols <= {x}:
            raise ParseError(f"{shown(text)} does not read as an expression in `x`.")
        if any(p.exp.is_number and abs(p.exp) > MAX_EXPONENT for p in expr.atoms(Pow)):
            raise ParseError(f"{shown(text)} has a power above {MAX_EXPONENT}.")
        return expr

    def visit(self, node: ast.AST) -> Expr:
        match node:
            case ast.Constant(value=value):
                return number(value)
            case ast.Name(id=name):
                return self.name(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.visit(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.visit(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return self.binary(_OPERATORS[type(op)], self.visit(left), self.visit(right))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self.call(name, args)
            case ast.Call(func=ast.Name(id=name)):
                raise ParseError(f"Function '{name}' must be called without keyword arguments.")
            case ast.Attribute(attr=name):
                raise ParseError(f"Attribute access ('.{name}') is not part of the language of expressions.")
        kind = type(node.op).__name__ if isinstance(node, ast.BinOp | ast.UnaryOp) else type(node).__name__
        raise ParseError(
            f"'{kind}' is not part of the language: use numbers, x, pi, e, + - * / ** and functions."
        )

    def name(self, name: str) -> Expr:
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name in FUNCTIONS or name in self.activations:
            raise ParseError(f"'{name}' is a function: write '{name}(x)'.")
        raise ParseError(
            f"'{name}' is not a name that widelimit knows; the variable is `x`." + self.suggest(name)
        )

    def call(self, name: str, args: list[ast.expr]) -> Expr:
        if any(isinstance(arg, ast.Starred) for arg in args):
            raise ParseError(f"Function '{name}' must be called with plain arguments.")
        if name in FUNCTIONS:
            function, arity = FUNCTIONS[name]
            if len(args) != arity and not (arity == 2 and len(args) > 2):
                raise ParseError(f"Function '{name}' takes {arity} argument(s), but has {len(args)}.")
            return self.finite(function(*map(self.visit, args)))
        if name in self.activations:
            function, (fewest, most) = self.activations[name]
            if not fewest <= len(args) - 1 <= most:
                raise ParseError(f"Activation '{name}' takes `x` and {fewest} to {most} parameters here.")
            return self.finite(function(*map(self.visit, args)))
        raise ParseError(f"'{name}' is not a function that widelimit knows." + (self.suggest(name) or _WRITE))

    def binary(self, operator: str, left: Expr, right: Expr) -> Expr:
        match operator:
            case "+":
                return self.finite(left + right)
            case "-":
                return self.finite(left - right)
            case "*":
                return self.finite(left * right)
            case "/":
                if right.is_zero:
                    raise ParseError("The expression divides by zero.")
                return self.finite(left / right)
        return self.finite(power(left, right))

    def finite(self, expr: Expr) -> Expr:
        """Refuse constants that are not real or too large; checked at every node, so no tower is ever evaluated."""
        if not expr.is_number:
            return expr
        value = expr.evalf(15)
        if not (value.is_number and value.is_extended_real and value.is_finite):
            raise ParseError(
                f"The expression contains {shown(str(expr))}, which is not a finite real number."
            )
        if abs(value) > MAX_NUMBER**2:
            raise ParseError(f"The expression contains {shown(str(expr))}, which is larger than 10**24.")
        return expr

    def suggest(self, name: str) -> str:
        return nearest(name, [*FUNCTIONS, *self.activations])


_WRITE = " Write an expression in `x` such as 'x*tanh(x)', or the name of an activation."


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
