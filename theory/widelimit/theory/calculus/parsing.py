"""Text to SymPy by a whitelist over Python's `ast`: the text is never evaluated.

The language: numbers, `x`, `pi`, `e`, ``+ - * / **`` (also ``^``), functions and activations by the names that NumPy,
`math`, PyTorch, JAX and SymPy give them (`vocabulary`, `catalogue`), conditions in ``where(x > 0, x, x/10)`` or
``x if x > 0 else x/10``, and one ``lambda``. Everything else is a `ParseError` with one sentence.
"""

from __future__ import annotations

import ast
import re
import unicodedata
import warnings
from collections.abc import Mapping

from sympy import Expr, Float, Pow, Symbol

from widelimit.theory.calculus import catalogue, vocabulary
from widelimit.theory.calculus.vocabulary import Term, x
from widelimit.theory.errors import ParseError, shown

MAX_LENGTH = 1000  # characters
MAX_DEPTH = 60  # nested operations
MAX_NODES = 250  # numbers, names, operations and calls

_OPERATORS: Mapping[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_RELATIONS: Mapping[type, str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_LOGIC: Mapping[type, str] = {ast.And: "and", ast.Or: "or", ast.BitAnd: "and", ast.BitOr: "or"}
_LANGUAGE = "is not part of the language: use numbers, x, pi, e, + - * / ** and functions"


def parse(text: str) -> Expr:
    """Read one expression in `x`.

    >>> parse("x*np.tanh(x) - 1/2"), parse("where(x > 0, x, 0.1*x)")
    (x*tanh(x) - 1/2, Piecewise((x, x > 0), (x/10, True)))
    >>> parse("__import__('os')")
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ParseError: '__import__' is not a function that widelimit knows. Write ...
    """
    tree = syntax_tree(text)
    variable = "x"
    if isinstance(tree, ast.Lambda):
        variable, tree = _parameter(tree), tree.body
    expr = _Reader(variable).number(tree)
    if expr.has(Float) or not expr.free_symbols <= {x}:
        raise ParseError(f"{shown(text)} does not read as an expression in `x`.")
    limit = vocabulary.MAX_EXPONENT
    if any(p.exp.is_number and abs(p.exp) > limit for p in expr.atoms(Pow)):
        raise ParseError(f"{shown(text)} has a power above {limit}.")
    return expr


def parameters(tree: ast.expr) -> tuple[str, str, list[Expr], dict[str, object]] | None:
    """Read a bare name or a call without `x`, such as ``nn.ReLU`` or ``elu(alpha=2)``: (root, name, given, named)."""
    function = tree.func if isinstance(tree, ast.Call) else tree
    place = _place(function)
    if place is None or not (vocabulary.known(place[1]) and (place[0] or place[1] != "x")):
        return None
    if not isinstance(tree, ast.Call):
        return (*place, [], {})
    given = [*tree.args, *(keyword.value for keyword in tree.keywords)]
    if any(isinstance(n, ast.Name) and n.id not in ("pi", "e") for arg in given for n in ast.walk(arg)):
        return None
    reader = _Reader("x")
    return (*place, reader.arguments(tree.args), reader.keywords(tree.keywords))


def syntax_tree(text: str) -> ast.expr:
    """Return the syntax tree of one expression, refusing what is too long, too deep or no expression."""
    if not isinstance(text, str):
        raise ParseError(f"An expression must be text, but is {shown(text)}.")
    if len(text) > MAX_LENGTH:
        raise ParseError(f"The expression has {len(text)} characters; at most {MAX_LENGTH} are read.")
    if not text.strip():
        raise ParseError("The expression is empty. Write one in `x`, such as 'x*tanh(x)'.")
    plain = ascii_form(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # "2if x" and the like
            tree = ast.parse(plain, mode="eval").body
    except (SyntaxError, ValueError, SyntaxWarning, DeprecationWarning):
        raise ParseError(f"{shown(text)} is not an expression{_remedy(plain)}") from None
    except (RecursionError, MemoryError):
        raise ParseError(f"The expression is nested deeper than {MAX_DEPTH} levels.") from None
    if depth(tree) > MAX_DEPTH:
        raise ParseError(f"The expression is nested deeper than {MAX_DEPTH} levels.")
    if sum(not isinstance(node, ast.operator | ast.expr_context) for node in ast.walk(tree)) > MAX_NODES:
        raise ParseError(f"The expression has more than {MAX_NODES} numbers, names and operations.")
    return tree


_SIGNS = {
    "−": "-", "–": "-", "·": "*", "⋅": "*", "×": "*", "∙": "*", "∗": "*", "÷": "/", "∕": "/", "⁄": "/", "π": "pi",
    "ℯ": "e", "≤": "<=", "≥": ">=", "½": "(1/2)", "¼": "(1/4)", "¾": "(3/4)",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ",
}  # fmt: skip
_SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
_PLAIN_DIGITS = str.maketrans(_SUPERSCRIPT, "0123456789-")


def ascii_form(text: str) -> str:
    """Write mathematical signs as Python does: ``x²`` as ``x**(2)``, ``−`` as ``-``, ``√x`` as ``sqrt(x)``.

    >>> ascii_form("x² − √2·x^3")
    'x**(2) - sqrt(2)*x**3'
    """
    if text.isascii() and "\0" not in text:
        return text.strip().replace("^", "**")
    text = re.sub(f"[{_SUPERSCRIPT}]+", lambda m: f"**({m[0].translate(_PLAIN_DIGITS)})", text)
    text = re.sub(r"√\s*([A-Za-z0-9_.]+)(?![\w(])", r"sqrt(\1)", text).replace("√", "sqrt")
    text = "".join(_SIGNS.get(letter, _letter(letter)) for letter in text)
    for letter in text:
        if not letter.isascii() or letter == "\0":
            name = unicodedata.name(letter, f"U+{ord(letter):04X}")
            raise ParseError(
                f"The expression {shown(text)} has a character outside plain ASCII text: {name}."
            )
    return text.strip().replace("^", "**")


def _letter(letter: str) -> str:
    """A letter of another font as itself: 𝑥 is x. A letter of another alphabet stays what it is."""
    plain = unicodedata.normalize("NFKC", letter)
    return plain if len(plain) == 1 and plain.isascii() and plain.isalnum() else letter


def _remedy(text: str) -> str:
    """What to write instead of text that Python does not read."""
    if re.search(r"(?<![\w.])\d+\.?\d*\s*[A-Za-z_(]", text) or re.search(r"\)\s*[\w(]", text):
        return ": a product needs its '*', as in '2*x'."
    if "|" in text:
        return ": write 'abs(x)' for an absolute value."
    if "=" in text:
        return ": write the right side of the equation alone."
    if text.count("(") != text.count(")"):
        return ": its brackets do not match."
    if re.search(r"[A-Za-z]\s+[A-Za-z0-9]", text):
        return ": write 'tanh(x)' and 'x*x', with brackets and '*'."
    return ". Write one like 'x*tanh(x)'."


def depth(tree: ast.AST) -> int:
    """Return the height of a syntax tree, without recursion."""
    level, height = [tree], 0
    while level:
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        height += 1
    return height


def _place(node: ast.expr) -> tuple[str, str] | None:
    """(module, name) of ``relu``, ``np.tanh`` or ``torch.nn.functional.gelu``; None for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    if not names:
        return "", node.id
    if node.id not in vocabulary.MODULES or any(name.startswith("_") for name in names):
        return None
    root = "functional" if "functional" in names[1:] else node.id
    return root, names[0]


def _parameter(tree: ast.Lambda) -> str:
    arguments = tree.args
    if (
        len(arguments.args) != 1
        or arguments.vararg
        or arguments.kwarg
        or arguments.kwonlyargs
        or arguments.defaults
    ):
        raise ParseError("A 'lambda' must have one argument, as in 'lambda x: x*tanh(x)'.")
    return arguments.args[0].arg


class _Reader:
    """One pass over the syntax tree; `variable` is what the text calls x."""

    def __init__(self, variable: str) -> None:
        self.variable = variable

    def number(self, node: ast.AST) -> Expr:
        """A term that counts as a number."""
        return vocabulary.finite(vocabulary.indicator(self.term(node)))

    def term(self, node: ast.AST) -> Term:
        match node:
            case ast.Constant(value=value):
                return vocabulary.number(value)
            case ast.Name(id=name):
                return self.name(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.number(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.number(operand)
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
                return vocabulary.apply("not", [self.term(operand)])
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return vocabulary.combine(_OPERATORS[type(op)], self.term(left), self.term(right))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _LOGIC:
                return vocabulary.apply(_LOGIC[type(op)], [self.term(left), self.term(right)])
            case ast.BoolOp(op=op, values=values):
                return vocabulary.apply(_LOGIC[type(op)], [self.term(value) for value in values])
            case ast.Compare():
                return self.condition(node)
            case ast.IfExp(test=ast.Compare() | ast.BoolOp() as test, body=body, orelse=other):
                return vocabulary.apply("where", [self.term(part) for part in (test, body, other)])
            case ast.Call():
                return self.call(node)
            case ast.Attribute(attr=name):
                place = _place(node)
                if place and place[1] in vocabulary.CONSTANTS and place[1] != "x":
                    return vocabulary.CONSTANTS[place[1]]
                if place and vocabulary.known(name):
                    raise ParseError(f"'{name}' is a function: write '{name}(x)'.")
                raise ParseError(f"Attribute access ('.{name}') is not part of the language of expressions.")
        raise ParseError(f"{_kind(node)} {_LANGUAGE}.")

    def name(self, name: str) -> Term:
        if name == self.variable:
            return x
        if name in vocabulary.CONSTANTS and name not in ("x", "tau", "inf"):
            return vocabulary.CONSTANTS[name]
        if vocabulary.known(name):
            raise ParseError(f"'{name}' is a function: write '{name}({self.variable})'.")
        raise ParseError(
            f"'{name}' is not a name that widelimit knows; the variable is `{self.variable}`."
            + vocabulary.suggest(name)
        )

    def condition(self, node: ast.Compare) -> Term:
        if unknown := [op for op in node.ops if type(op) not in _RELATIONS]:
            sign = {ast.Eq: "'=='", ast.NotEq: "'!='"}.get(type(unknown[0]), "This comparison")
            raise ParseError(f"{sign} is not part of the language: conditions use <, <=, > and >=.")
        sides = [self.term(side) for side in (node.left, *node.comparators)]
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        found = [vocabulary.compare(_RELATIONS[type(op)], left, right) for left, op, right in pairs]
        return found[0] if len(found) == 1 else vocabulary.apply("and", found)

    def call(self, node: ast.Call) -> Term:
        function = node.func
        if isinstance(function, ast.Call) and (module := parameters(function)) is not None:  # nn.ELU(2)(x)
            root, name, given, named = module
            args = self.arguments(node.args)
            return vocabulary.apply(name, [*args, *given], {**named, **self.keywords(node.keywords)}, root)
        place = _place(function)
        if place is not None:
            root, name = place
            if not root and name in (self.variable, "pi", "e"):
                raise ParseError(f"'{name}(...)' is no call: write '{name}*(...)' for a product.")
            if name == "Piecewise":
                return self.piecewise(node)
            if any(isinstance(arg, ast.Starred) for arg in node.args):
                raise ParseError(f"Function '{name}' must be called with plain arguments.")
            if not node.args and vocabulary.known(name):
                raise ParseError(
                    f"'{name}' is a function of `{self.variable}`: write '{name}({self.variable})'."
                )
            if not vocabulary.known(name):
                return vocabulary.apply(name, [])  # says so
            return vocabulary.apply(name, self.arguments(node.args), self.keywords(node.keywords), root)
        if isinstance(function, ast.Attribute):  # x.tanh()
            if not vocabulary.known(function.attr) or function.attr in ("max", "min"):
                raise ParseError(
                    f"Attribute access ('.{function.attr}') is not part of the language of expressions."
                )
            args = [self.term(function.value), *self.arguments(node.args)]
            return vocabulary.apply(function.attr, args, self.keywords(node.keywords))
        if isinstance(function, ast.Constant):
            raise ParseError("A number is no function: write '2*(x + 1)' for a product.")
        raise ParseError(f"{_kind(function)} {_LANGUAGE}.")

    def arguments(self, nodes: list[ast.expr]) -> list[Term]:
        """Arguments by position, without a trailing True or False (`inplace`)."""
        while nodes and isinstance(nodes[-1], ast.Constant) and isinstance(nodes[-1].value, bool):
            nodes = nodes[:-1]
        return [None if _is_none(node) else self.term(node) for node in nodes]

    def keywords(self, nodes: list[ast.keyword]) -> dict[str, object]:
        """Arguments by name: numbers, and words such as approximate='tanh'."""
        found: dict[str, object] = {}
        for node in nodes:
            if node.arg is None:
                raise ParseError("A function must be called with plain arguments.")
            plain = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str | bool | None)
            found[node.arg] = node.value.value if plain else self.term(node.value)  # type: ignore[attr-defined]
        return found

    def piecewise(self, node: ast.Call) -> Term:
        """SymPy's own spelling, ``Piecewise((x, x > 0), (x/10, True))``."""
        term: Term | None = None
        for case in reversed(node.args):
            if not isinstance(case, ast.Tuple) or len(case.elts) != 2:
                raise ParseError("'Piecewise' takes pairs (value, condition).")
            value, condition = case.elts
            last = isinstance(condition, ast.Constant) and condition.value is True
            if (term is None) != last:
                raise ParseError("The last pair of 'Piecewise' must be (value, True), and no other.")
            term = (
                self.number(value)
                if term is None
                else vocabulary.apply("where", [self.term(condition), self.term(value), term])
            )
        if term is None:
            raise ParseError("'Piecewise' takes pairs (value, condition).")
        return term


_KINDS: Mapping[type, str] = {
    ast.FloorDiv: "'//'", ast.Mod: "'%'", ast.MatMult: "'@'", ast.LShift: "'<<'", ast.RShift: "'>>'",
    ast.Lambda: "A 'lambda' inside",
    ast.IfExp: "'if' without a comparison", ast.Subscript: "'[...]'", ast.List: "A list",
    ast.Tuple: "A tuple (a comma)",
    ast.Dict: "A dictionary", ast.Set: "A set", ast.NamedExpr: "':='", ast.JoinedStr: "An f-string",
    ast.Starred: "'*' before a name",
    ast.Await: "'await'", ast.Yield: "'yield'", ast.ListComp: "'for'", ast.SetComp: "'for'", ast.DictComp: "'for'",
    ast.GeneratorExp: "'for'", ast.BitXor: "'^'", ast.Call: "A call of a call",
}  # fmt: skip


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None  # np.clip(x, None, 1)


def _kind(node: ast.AST) -> str:
    """What a reader calls a node that Python calls FloorDiv or Subscript."""
    kind = type(node.op) if isinstance(node, ast.BinOp | ast.UnaryOp) else type(node)
    return _KINDS.get(kind, "This")


__all__ = ["MAX_DEPTH", "MAX_LENGTH", "Symbol", "catalogue", "parameters", "parse", "syntax_tree", "x"]
