"""SymPy to presentation MathML that is valid XML: every entity by number, every sign escaped, cases as a table."""

from __future__ import annotations

import re
from html.entities import html5
from typing import Any

from sympy import Expr, Piecewise, Symbol
from sympy.printing.mathml import MathMLPresentationPrinter

_KEPT = {"amp", "lt", "gt", "quot", "apos"}


class _Printer(MathMLPresentationPrinter):  # type: ignore[misc]  # SymPy is untyped
    """SymPy's printer with `Piecewise` as cases, names of functions as they are, sums differentiated in brackets."""

    def _print_AppliedUndef(self, expr: Any) -> Any:
        row = self.dom.createElement("mrow")
        row.appendChild(self._print_Symbol(Symbol(expr.func.__name__)))
        row.appendChild(self._paren_comma_separated(*expr.args))
        return row

    def _print_Derivative(self, expr: Any) -> Any:
        row = super()._print_Derivative(expr)
        if expr.expr.is_Add:
            row.replaceChild(self._paren_comma_separated(expr.expr), row.lastChild)
        return row

    def _print_Piecewise(self, expr: Piecewise) -> Any:
        table = self.dom.createElement("mtable")
        table.setAttribute("columnalign", "left left")
        for value, condition in expr.args:
            row = self.dom.createElement("mtr")
            words = self._text("mtext", "otherwise") if condition is True or condition == True else None  # noqa: E712
            for content in (self._print(value), words or self._print(condition)):
                cell = self.dom.createElement("mtd")
                cell.appendChild(content)
                row.appendChild(cell)
            table.appendChild(row)
        cases = self.dom.createElement("mrow")
        cases.appendChild(self._text("mo", "{"))
        cases.appendChild(table)
        return cases

    def _text(self, tag: str, text: str) -> Any:
        element = self.dom.createElement(tag)
        element.appendChild(self.dom.createTextNode(text))
        return element


def mathml(expr: Expr) -> str:
    """Return presentation MathML of an expression, without the enclosing ``<math>``.

    >>> from sympy import Symbol
    >>> mathml(2*Symbol("q"))
    '<mrow><mn>2</mn><mo>&#8290;</mo><mi>q</mi></mrow>'
    >>> mathml(Symbol("V_{l+1}"))
    '<msub><mi>V</mi><mi>l+1</mi></msub>'
    >>> mathml(Symbol("<b>"))
    '<mi>&lt;b&gt;</mi>'
    """
    element = _Printer()._print(expr)
    _escape(element)
    text = element.toxml()
    text = re.sub(
        r"<mi>\{([^{}]*)\}</mi>", r"<mi>\1</mi>", text
    )  # braces that group an index in a symbol's name
    return re.sub(r"&(\w+);", _numbered, text.replace("<mo>-</mo>", "<mo>&#8722;</mo>"))


def _escape(node: Any) -> None:
    """Escape the signs in all text below a node: SymPy writes it raw, names of symbols too, for the entities in it."""
    for child in node.childNodes:
        if child.nodeType == child.TEXT_NODE:
            text = re.sub(r"&(?!\w+;|#\w+;)", "&amp;", child.data)
            child.data = text.replace("<", "&lt;").replace(">", "&gt;")
        else:
            _escape(child)


def _numbered(match: re.Match[str]) -> str:
    name = match.group(1)
    if name in _KEPT or f"{name};" not in html5:
        return match.group(0)
    return "".join(f"&#{ord(character)};" for character in html5[f"{name};"])
