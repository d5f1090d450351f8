"""From an activation's SymPy expression in ``x`` to a torch function, and to its almost-everywhere
derivative.

Theory splits an activation into smooth pieces; here each piece is printed, one line a node, into torch
calls, with an error that names the node where there is none. A piece is computed at arguments clamped to its
own interval, so that neither values nor autograd gradients see an overflow or a NaN from the other side of a
kink.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import sympy
import torch

from widelimit.theory.calculus.activation import Activation, x
from widelimit.theory.calculus.pieces import Pieces
from widelimit.theory.errors import InputError

Function = Callable[[torch.Tensor], torch.Tensor]
Value = torch.Tensor | float

_UNARY: dict[type, Function] = {
    sympy.exp: torch.exp,
    sympy.log: torch.log,
    sympy.sin: torch.sin,
    sympy.cos: torch.cos,
    sympy.tan: torch.tan,
    sympy.sinh: torch.sinh,
    sympy.cosh: torch.cosh,
    sympy.tanh: torch.tanh,
    sympy.asin: torch.asin,
    sympy.acos: torch.acos,
    sympy.atan: torch.atan,
    sympy.asinh: torch.asinh,
    sympy.acosh: torch.acosh,
    sympy.atanh: torch.atanh,
    sympy.erf: torch.erf,
    sympy.erfc: torch.erfc,
}


@lru_cache(maxsize=256)
def activation_function(activation: str) -> Function:
    """The torch function of a catalogue name or an expression in ``x``; elementwise, any shape, any device.

    >>> activation_function("relu")(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    >>> activation_function("x*tanh(x)")(torch.tensor([0.0]))
    tensor([0.])
    """
    return torch_function(Activation.of(activation).pieces)


@lru_cache(maxsize=256)
def derivative_function(activation: str) -> Function:
    """phi' almost everywhere, from the symbolic derivative; at a kink its value is the one to the right.

    >>> derivative_function("hard_tanh")(torch.tensor([-2.0, 0.5]))
    tensor([0., 1.])
    """
    return torch_function(Activation.of(activation).derivative().regular)


def torch_function(pieces: Pieces) -> Function:
    """A torch function of one tensor; raises InputError for a node without a torch counterpart.

    >>> torch_function(Pieces(x, (sympy.Integer(0),), (sympy.exp(x) - 1, x)))(torch.tensor([-1.0, 3.0]))
    tensor([-0.6321,  3.0000])
    """
    stray = set().union(*(expr.free_symbols for expr in pieces.exprs)) - {x}
    if stray:
        names = ", ".join(sorted(map(str, stray)))
        raise InputError(
            f"A network needs an activation with numbers for its parameters, but {names} is free."
        )
    if pieces == Pieces(x, (sympy.Integer(0),), (sympy.Integer(0), x)):
        return torch.relu
    breaks = [float(b) for b in pieces.breaks]
    ends = list(pairwise([None, *breaks, None]))

    def function(h: torch.Tensor) -> torch.Tensor:
        result = h
        for expr, (low, high) in zip(pieces.exprs, ends, strict=True):
            inside = h if low is None and high is None else h.clamp(low, high)
            value = _Printer(inside).tensor(expr)
            result = value if low is None else torch.where(h < low, result, value)
        return result

    function(torch.zeros(1, dtype=torch.float64))  # an unknown node is refused now, not during a run
    return function


class _Printer:
    """Evaluates nodes at one tensor, each once; numbers stay Python floats until they meet it."""

    def __init__(self, h: torch.Tensor) -> None:
        self.h = h
        self.known: dict[sympy.Basic, Value] = {x: h}

    def tensor(self, node: sympy.Basic) -> torch.Tensor:
        value = self.value(node)
        return value if isinstance(value, torch.Tensor) else torch.full_like(self.h, value)

    def value(self, node: sympy.Basic) -> Value:
        if node not in self.known:
            self.known[node] = self.compute(node) if node.free_symbols else float(sympy.N(node))
        return self.known[node]

    def compute(self, node: sympy.Basic) -> Value:
        if isinstance(node, sympy.Add):
            if len(node.args) == 2 and node.args[0] == -1 and isinstance(node.args[1], sympy.exp):
                return torch.expm1(self.tensor(node.args[1].args[0]))
            first, *rest = (self.value(a) for a in node.args)
            for value in rest:
                first = first + value
            return first
        if isinstance(node, sympy.Mul):
            first, *rest = (self.value(a) for a in node.args)
            for value in rest:
                first = first * value
            return first
        if isinstance(node, sympy.Pow):
            base, exponent = node.args
            if exponent.is_Integer:
                return self.value(base) ** int(exponent)
            return torch.pow(self.tensor(base), self.value(exponent))
        function = _UNARY.get(type(node))
        if function is None:
            known = ", ".join(sorted(kind.__name__ for kind in _UNARY))
            raise InputError(
                f"{type(node).__name__} in {node} has no torch counterpart here; known are {known}."
            )
        return function(self.tensor(node.args[0]))
