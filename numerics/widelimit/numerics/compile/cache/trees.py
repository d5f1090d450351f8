"""Expressions, numbers and records as JSON and back: reading builds nodes of known classes and runs nothing else.

A file holds the nodes of all expressions once, children before parents, each ``[class, index, index, ...]``, and the
value that refers to them. What is not listed here cannot be written, and is derived again by every process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import sympy
from sympy import Basic, S

from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.gaussian.special import BivariateNormalCDF, erfcx

_CONSTANTS: dict[str, Basic] = {
    "pi": S.Pi, "e": S.Exp1, "i": S.ImaginaryUnit, "oo": S.Infinity, "-oo": S.NegativeInfinity,
    "zoo": S.ComplexInfinity, "true": S.true, "false": S.false, "gamma": S.EulerGamma, "catalan": S.Catalan,
}  # fmt: skip
_CLASSES: dict[str, Callable[..., Basic]] = {
    one.__name__: one
    for one in (
        sympy.Add, sympy.Mul, sympy.Pow, sympy.Tuple, sympy.Abs, sympy.sign, sympy.Heaviside, sympy.DiracDelta,
        sympy.Max, sympy.Min, sympy.Piecewise, sympy.functions.elementary.piecewise.ExprCondPair,
        sympy.Eq, sympy.Ne, sympy.Lt, sympy.Le, sympy.Gt, sympy.Ge, sympy.And, sympy.Or, sympy.Not,
        sympy.exp, sympy.log, sympy.LambertW, sympy.sin, sympy.cos, sympy.tan, sympy.asin, sympy.acos, sympy.atan,
        sympy.atan2, sympy.sinh, sympy.cosh, sympy.tanh, sympy.asinh, sympy.acosh, sympy.atanh, sympy.erf, sympy.erfc,
        sympy.erfi, sympy.erfinv, sympy.gamma, sympy.loggamma, sympy.digamma, sympy.polygamma, sympy.lowergamma,
        sympy.uppergamma, sympy.factorial, sympy.binomial, sympy.floor, sympy.ceiling, sympy.re, sympy.im,
        sympy.conjugate, sympy.besseli, sympy.besselj, sympy.besselk, sympy.bessely, sympy.hyper, sympy.polylog,
        sympy.zeta, sympy.elliptic_e, sympy.elliptic_k, Expectation, BivariateNormalCDF, erfcx,
    )
}  # fmt: skip


class NotKept(TypeError):
    """A value that has no form here."""


def dumps(value: Any) -> str:
    """Return a value as text: expressions, numbers, text, lists, tuples and dataclasses of these.

    Raises `NotKept` for everything else.

    >>> x = sympy.Symbol("x", real=True)
    >>> loads(dumps((1, sympy.tanh(x) / 2)))
    (1, tanh(x)/2)
    """
    writer = _Writer()
    plain = writer.value(value)
    return json.dumps({"nodes": writer.nodes, "value": plain}, separators=(",", ":"))


def loads(text: str, records: Sequence[type] = ()) -> Any:
    """Undo `dumps`; dataclasses must be among `records`.

    Raises ValueError, TypeError, KeyError or IndexError for a text that `dumps` did not write.
    """
    found = json.loads(text)
    nodes: list[Basic] = []
    for head, *parts in found["nodes"]:
        nodes.append(_node(head, parts, nodes))
    return _value(found["value"], nodes, {one.__name__: one for one in records})


class _Writer:
    """Collects the nodes of expressions, equal ones once."""

    def __init__(self) -> None:
        self.nodes: list[list] = []
        self.known: dict[tuple[type, Basic, int], int] = {}

    def value(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, Basic):
            return ["tree", self.tree(value)]
        if isinstance(value, list | tuple):
            return [type(value).__name__, *map(self.value, value)]
        if is_dataclass(value) and not isinstance(value, type):
            return [
                "record",
                type(value).__name__,
                {field.name: self.value(getattr(value, field.name)) for field in fields(value)},
            ]
        raise NotKept(f"{type(value).__name__} has no form in the cache")

    def tree(self, root: Basic) -> int:
        for node in sympy.postorder_traversal(root):
            if (key := _key(node)) not in self.known:
                self.nodes.append(self._entry(node))
                self.known[key] = len(self.nodes) - 1
        return self.known[_key(root)]

    def _entry(self, node: Basic) -> list:
        if isinstance(node, sympy.Symbol):
            assumptions = dict(node._assumptions_orig)
            if isinstance(node, sympy.Dummy):
                return ["Dummy", node.name, node.dummy_index, assumptions]
            return ["Symbol", node.name, assumptions]
        if isinstance(node, sympy.Rational):  # Integer, Half, One ... among them
            return ["Rational", hex(node.p), hex(node.q)]
        if isinstance(node, sympy.Float):
            negative, mantissa, exponent, bits = node._mpf_
            return ["Float", int(negative), hex(int(mantissa)), int(exponent), int(bits), node._prec]
        for name, constant in _CONSTANTS.items():
            if node is constant:
                return ["constant", name]
        name = type(node).__name__
        if _CLASSES.get(name) is not type(node) or not node.args:
            raise NotKept(f"{type(node).__name__} has no form in the cache")
        return [name, *(self.known[_key(argument)] for argument in node.args)]


def _key(node: Basic) -> tuple[type, Basic, int]:
    """What tells nodes apart that SymPy may call equal: 1 and 1.0, numbers of another precision."""
    return type(node), node, getattr(node, "_prec", 0)


def _node(head: str, parts: list, nodes: list[Basic]) -> Basic:
    if head == "Symbol":
        return sympy.Symbol(parts[0], **parts[1])
    if head == "Dummy":
        return sympy.Dummy(parts[0], dummy_index=parts[1], **parts[2])
    if head == "Rational":
        return sympy.Rational(int(parts[0], 16), int(parts[1], 16))
    if head == "Float":
        negative, mantissa, exponent, bits, precision = parts
        return sympy.Float((negative, int(mantissa, 16), exponent, bits), precision=precision)
    if head == "constant":
        return _CONSTANTS[parts[0]]
    return _CLASSES[head](*(nodes[index] for index in parts))


def _value(plain: Any, nodes: list[Basic], records: dict[str, type]) -> Any:
    if not isinstance(plain, list):
        return plain
    kind, *parts = plain
    if kind == "tree":
        return nodes[parts[0]]
    if kind == "record":
        name, content = parts
        return records[name](**{field: _value(one, nodes, records) for field, one in content.items()})
    return {"list": list, "tuple": tuple}[kind](_value(one, nodes, records) for one in parts)
