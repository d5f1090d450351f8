"""From an activation's SymPy expression in ``x`` to a torch function, and to its almost-everywhere derivative.

A small printer of closures: one line a node, fused torch functions where they exist, an error that names the node
where they do not. Shared subexpressions are computed once. The branches of a Piecewise are computed at a harmless
point wherever they are not selected, so that neither values nor autograd gradients see a NaN from the other side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import sympy
import torch
from sympy.core.relational import Relational

from widelimit.theory.activation import Activation, x
from widelimit.theory.errors import InputError

Function = Callable[[torch.Tensor], torch.Tensor]

_UNARY: dict[type, Callable[[torch.Tensor], torch.Tensor]] = {
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
    sympy.sech: lambda a: 1 / torch.cosh(a),
    sympy.csch: lambda a: 1 / torch.sinh(a),
    sympy.coth: lambda a: 1 / torch.tanh(a),
    sympy.erf: torch.erf,
    sympy.erfc: torch.erfc,
    sympy.erfinv: torch.erfinv,
    sympy.sinc: lambda a: torch.sinc(a / math.pi),
    sympy.Abs: torch.abs,
    sympy.sign: torch.sign,
    sympy.floor: torch.floor,
    sympy.ceiling: torch.ceil,
}
_COMPARE: dict[type, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    sympy.StrictGreaterThan: torch.gt,
    sympy.GreaterThan: torch.ge,
    sympy.StrictLessThan: torch.lt,
    sympy.LessThan: torch.le,
    sympy.Equality: torch.eq,
    sympy.Unequality: torch.ne,
}


@lru_cache(maxsize=256)
def activation_function(activation: str) -> Function:
    """The torch function of a catalogue name or an expression in ``x``; elementwise, any shape, any device.

    >>> activation_function("relu")(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    >>> activation_function("x*tanh(x)")(torch.tensor([0.0]))
    tensor([0.])
    """
    return torch_function(Activation.of(activation).expr)


@lru_cache(maxsize=256)
def derivative_function(activation: str) -> Function:
    """phi' almost everywhere, from the symbolic derivative (at a kink: one of the one-sided values or their mean).

    >>> derivative_function("hard_tanh")(torch.tensor([-2.0, 0.5]))
    tensor([0., 1.])
    """
    regular = Activation.of(activation).derivative().regular
    return torch_function(regular if isinstance(regular, sympy.Expr) else regular.as_piecewise())


def torch_function(expr: sympy.Expr) -> Function:
    """A torch function of one tensor from an expression in `x`; raises InputError for a node that it does not know.

    >>> torch_function(sympy.Piecewise((x, x > 0), (sympy.exp(x) - 1, True)))(torch.tensor([-1.0, 3.0]))
    tensor([-0.6321,  3.0000])
    """
    stray = expr.free_symbols - {x}
    if stray:
        raise InputError(
            f"An activation is a function of x alone, but {expr} also holds {sorted(map(str, stray))}."
        )
    evaluate(expr, torch.zeros(1, dtype=torch.float64))  # an unknown node is refused now, not during a run
    return lambda h: evaluate(expr, h)


def evaluate(expr: sympy.Expr, h: torch.Tensor) -> torch.Tensor:
    """The value of `expr` at x = h, with the dtype, device and shape of h."""
    value = _Printer(h).value(expr)
    return value if isinstance(value, torch.Tensor) else torch.full_like(h, value)


class _Printer:
    """Evaluates nodes at one tensor; numbers stay Python floats until they meet it."""

    def __init__(self, h: torch.Tensor) -> None:
        self.h = h
        self.known: dict[sympy.Basic, torch.Tensor | float] = {x: h}

    def value(self, node: sympy.Basic) -> torch.Tensor | float:
        if node not in self.known:
            self.known[node] = float(node) if node.is_number and not node.free_symbols else self.compute(node)
        return self.known[node]

    def tensor(self, node: sympy.Basic) -> torch.Tensor:
        value = self.value(node)
        return value if isinstance(value, torch.Tensor) else torch.full_like(self.h, value)

    def compute(self, node: sympy.Basic) -> torch.Tensor | float:
        if isinstance(node, sympy.Add):
            return self.sum(node)
        if isinstance(node, sympy.Mul):
            return _fold(lambda a, b: a * b, [self.value(a) for a in node.args])
        if isinstance(node, sympy.Pow):
            return self.power(node)
        if isinstance(node, sympy.log):
            return self.logarithm(node.args[0])
        if isinstance(node, (sympy.Max, sympy.Min)):
            return self.extremum(node)
        if isinstance(node, sympy.Piecewise):
            return self.piecewise(node)
        if isinstance(node, sympy.Heaviside):
            at_zero = torch.tensor(float(node.args[1]), dtype=self.h.dtype, device=self.h.device)
            return torch.heaviside(self.tensor(node.args[0]), at_zero)
        function = _UNARY.get(type(node))
        if function is None:
            raise InputError(
                f"The simulator has no torch function for {type(node).__name__}, which {node} needs. "
                f"Known are {', '.join(sorted(known.__name__ for known in _UNARY))}, Max, Min, Heaviside, Piecewise."
            )
        return function(self.tensor(node.args[0]))

    def sum(self, node: sympy.Add) -> torch.Tensor | float:
        rest = [a for a in node.args if not isinstance(a, sympy.exp)]
        if len(node.args) == 2 and rest == [sympy.Integer(-1)]:  # exp(a) - 1
            return torch.expm1(self.tensor((node + 1).args[0]))
        return _fold(lambda a, b: a + b, [self.value(a) for a in node.args])

    def power(self, node: sympy.Pow) -> torch.Tensor | float:
        base, exponent = node.args
        if exponent == -1 and isinstance(base, sympy.Add) and (base - 1).func is sympy.exp:  # 1/(1 + exp(a))
            return torch.sigmoid(-self.tensor((base - 1).args[0]))
        if exponent == sympy.Rational(1, 2):
            return torch.sqrt(self.tensor(base))
        if exponent == sympy.Rational(-1, 2):
            return torch.rsqrt(self.tensor(base))
        if exponent.is_number:
            return self.tensor(base) ** (int(exponent) if exponent.is_Integer else float(exponent))
        return torch.pow(self.tensor(base), self.tensor(exponent))

    def logarithm(self, inner: sympy.Expr) -> torch.Tensor:
        if (
            isinstance(inner, sympy.Add) and (inner - 1).func is sympy.exp
        ):  # log(1 + exp(a)) must not overflow
            return torch.logaddexp(self.tensor((inner - 1).args[0]), torch.zeros_like(self.h))
        return torch.log(self.tensor(inner))

    def extremum(self, node: sympy.Max | sympy.Min) -> torch.Tensor | float:
        largest = isinstance(node, sympy.Max)
        if largest and node == sympy.Max(x, 0):
            return torch.relu(self.h)
        numbers = [float(a) for a in node.args if a.is_number]
        others = [self.tensor(a) for a in node.args if not a.is_number]
        result = _fold(torch.maximum if largest else torch.minimum, others)
        if not numbers:
            return result
        return result.clamp(min=max(numbers)) if largest else result.clamp(max=min(numbers))

    def piecewise(self, node: sympy.Piecewise) -> torch.Tensor:
        result = torch.full_like(self.h, math.nan)  # shows where no condition holds
        free = torch.ones_like(self.h, dtype=torch.bool)
        region: sympy.Basic = sympy.true
        for branch, condition in node.args:
            chosen = free & self.condition(condition)
            harmless = _point_inside(sympy.And(region, condition))
            inside = self.h if branch.is_number else torch.where(chosen, self.h, harmless)
            result = torch.where(chosen, _Printer(inside).tensor(branch), result)
            free = free & ~chosen
            region = sympy.And(region, sympy.Not(condition))
        return result

    def condition(self, node: sympy.Basic) -> torch.Tensor:
        if node in (sympy.true, sympy.false):
            return torch.full_like(self.h, node == sympy.true, dtype=torch.bool)
        if isinstance(node, (sympy.And, sympy.Or)):
            parts = [self.condition(a) for a in node.args]
            return _fold(torch.logical_and if isinstance(node, sympy.And) else torch.logical_or, parts)
        if isinstance(node, sympy.Not):
            return ~self.condition(node.args[0])
        compare = _COMPARE.get(type(node))
        if compare is None:
            raise InputError(f"The simulator cannot decide the condition {node} of a Piecewise.")
        return compare(self.tensor(node.args[0]), self.tensor(node.args[1]))


def _fold(operation: Callable, values: list):
    result = values[0]
    for value in values[1:]:
        result = operation(result, value)
    return result


@lru_cache(maxsize=1024)
def _point_inside(condition: sympy.Basic) -> float:
    """A point where the condition holds, so that its branch is finite there; 1 where none is found."""
    sides = [a for relation in condition.atoms(Relational) for a in relation.args if a.is_number]
    breaks = sorted({float(a) for a in sides}) or [0.0]
    middles = [(a + b) / 2 for a, b in zip(breaks, breaks[1:], strict=False)]
    for point in [1.0, -1.0, *middles, breaks[0] - 1, breaks[-1] + 1]:
        if condition.subs(x, point) == sympy.true:
            return point
    return 1.0
