"""SymPy to presentation MathML that is valid XML: every entity by number, every sign escaped, cases as a table."""

from __future__ import annotations

import re
from html.entities import html5
from typing import Any

from sympy import Expr, Piecewise, Symbol
from sympy.printing.mathml import MathMLPresentationPrinter

_SCRIPTS = ("msub", "msup", "msubsup", "munder", "mover", "munderover")
_FENCES = "()[]{}|"
_TERM = re.compile(r"[\w&;#\s']+([+\-,=*][\w&;#\s']+)+")  # names and numbers with signs between them
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
    '<msub><mi>V</mi><mrow><mi>l</mi><mo>+</mo><mn>1</mn></mrow></msub>'
    >>> mathml(Symbol("sigma_w")**2)
    '<msubsup><mi>σ</mi><mi>w</mi><mn>2</mn></msubsup>'
    >>> mathml(Symbol("<b>"))
    '<mi>&lt;b&gt;</mi>'
    """
    root = _Printer().dom.createElement("mrow")
    root.appendChild(_Printer()._print(expr))
    _tidy(root, root.ownerDocument)
    _escape(root)
    text = "".join(child.toxml() for child in root.childNodes)
    return re.sub(r"&(\w+);", _numbered, text.replace("<mo>-</mo>", "<mo>&#8722;</mo>"))


def _tidy(node: Any, document: Any, script: bool = False) -> None:
    """Set names as rows of their parts, index and power on one letter, and brackets in scripts at their own size."""
    for child in list(node.childNodes):
        if child.nodeType == child.TEXT_NODE:
            continue
        within = script or (node.tagName in _SCRIPTS and child is not node.firstChild)
        _tidy(child, document, within)
        if child.tagName == "mi" and (row := _row(child, document)) is not None:
            node.replaceChild(row, child)
        elif child.tagName == "mo" and within and child.firstChild.data in _FENCES:
            child.setAttribute("stretchy", "false")
        elif child.tagName == "msup" and child.firstChild.tagName == "msub":
            base, index = child.firstChild.childNodes
            both = document.createElement("msubsup")
            for part in (base, index, child.lastChild):
                both.appendChild(part)
            node.replaceChild(both, child)


def _row(name: Any, document: Any) -> Any:
    """A name that is a term, such as l+1, 12,l or {i j}, as a row of letters, numbers and signs; None for others."""
    text = "".join(part.data for part in name.childNodes)
    grouped = re.fullmatch(r"\{([^{}]*)\}", text)
    text = grouped[1] if grouped else text
    parts = re.findall(r"&#?\w+;|\d+|[^\W\d]+['′]*|[+\-,()=*]", text)
    term = "".join(parts) == text.replace(" ", "") and len(parts) > 1 and _TERM.fullmatch(text)
    if not term:
        if grouped:
            name.firstChild.data = text
        return None
    row = document.createElement("mrow")
    for part in parts:
        tag = "mo" if part in "+-,()=*" else "mn" if part.isdigit() else "mi"
        element = document.createElement(tag)
        element.appendChild(document.createTextNode(part))
        row.appendChild(element)
    return row


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
