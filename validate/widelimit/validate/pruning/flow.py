"""SynFlow: scores abs(w) dR/dabs(w) of R = 1' f(1), f the module with sizes in place of weights and without shifts.

Each value on the way carries an exponent of two of its own, so that R may be as large as it likes: what a layer puts
out is brought back to numbers of order one, sums align exponents, and scores matter up to a common factor only.
Normalisation layers act as in evaluation: a gain a channel, by the running variance; biases and shifts are left out, so
that every cut has the same flow. Operations that are not homogeneous see the true numbers, and are reported.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from widelimit.theory.errors import ArgumentError
from widelimit.validate.pruning.tracing import BATCH, NORMS, PRUNED, called, layers, named, traced

_SUMS = (torch.add, operator.add, operator.iadd, torch.cat, torch.concat, torch.stack)
_SHIFT = 2.0**20  # a homogeneous function follows scales of this size, up and down
_CLOSE = 1e-3
_FAR = 1000  # powers of two beyond are 0 or infinite in any case


@dataclass(frozen=True)
class Scaled:
    """A tensor times two to the power of `exponent`."""

    value: Tensor
    exponent: int = 0

    def at(self, exponent: int) -> Tensor:
        """The tensor that is to be multiplied by this other power."""
        more = max(-_FAR, min(_FAR, self.exponent - exponent))
        return self.value * 2.0**more if more else self.value

    def near_one(self) -> Scaled:
        """The same, with its largest number between a half and one."""
        largest = float(self.value.detach().abs().max()) if self.value.numel() else 0.0
        if largest == 0 or not math.isfinite(largest):
            return self
        power = math.frexp(largest)[1]
        return Scaled(self.value * 2.0**-power, self.exponent + power)


class SynapticFlow(torch.fx.Interpreter):
    """The graph of a module with other weights, run on scaled values.

    `inhomogeneous` collects the names of operations that do not scale with their input.
    """

    def __init__(self, module: nn.Module) -> None:
        graph = traced(module).eval()
        super().__init__(graph)
        if hidden := [name for name in layers(module) if name not in called(graph)]:
            but = f"uses the weights of {hidden[0]} in another way, or not at all"
            raise ArgumentError("module", "must call the layers that are to be pruned", but=but)
        self.weights: Mapping[str, Tensor] = {}
        self.inhomogeneous: dict[str, str] = {}
        self._degrees: dict[str, int | None] = {}  # of operations, as the first run found them
        self._node = ""

    def flow(self, weights: Mapping[str, Tensor], ones: Tensor) -> Scaled:
        """Return R for sizes of weights by layer; `ArgumentError` names the operation where it is not finite."""
        self.weights = weights
        out = self.run(Scaled(ones))
        parts = [part for part in _leaves(out) if isinstance(part, Scaled)]
        if not parts:
            raise ArgumentError("module", "must return tensors", but=f"returns {type(out).__name__}")
        top = max(part.exponent for part in parts)
        total = torch.stack([part.at(top).sum() for part in parts]).sum()
        return Scaled(total, top)

    def run_node(self, n: torch.fx.Node) -> Any:
        """Run one operation; where it is not finite for the first time, say which one it is."""
        self._node = n.name
        found = super().run_node(n)
        for one in _leaves(found):
            if isinstance(one, Scaled) and not math.isfinite(float(one.value.detach().sum())):
                but = f"{_called(n)} makes it infinite or NaN"
                raise ArgumentError("module", "must have a finite flow", but=but)
        return found

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a layer: weights by their sizes, normalisation by its gain, the rest as it is."""
        module, name = self.fetch_attr(target), named(str(target))
        if isinstance(module, PRUNED):
            return _layer(module, self.weights[name], args[0])
        if isinstance(module, NORMS):
            if not isinstance(module, BATCH):
                self.inhomogeneous[name] = type(module).__name__
            return _gain(module, args[0])
        return self._run(module, args, kwargs, name, type(module).__name__)

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function: sums at a common exponent, others by how they scale."""
        inputs = [one for one in _leaves((args, kwargs)) if isinstance(one, Scaled)]
        if target in _SUMS and len(inputs) > 1:
            top = max(one.exponent for one in inputs)
            return Scaled(target(*_each(args, top), **_each(kwargs, top)), top)
        name = getattr(target, "__name__", str(target))
        return self._run(target, args, kwargs, name, name)

    def call_method(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a method of a tensor."""
        if target in ("add", "add_"):
            return self.call_function(torch.add, args, kwargs)
        return self._run(
            lambda one, *rest, **more: getattr(one, target)(*rest, **more), args, kwargs, target, target
        )

    def _run(self, function: Any, args: Any, kwargs: Any, name: str, kind: str) -> Any:
        """Run what is homogeneous on scaled values, products with exponents summed, the rest on the true numbers."""
        inputs = [one for one in _leaves((args, kwargs)) if isinstance(one, Scaled)]
        if not inputs:
            return function(*args, **kwargs)
        top = max(one.exponent for one in inputs)
        if self._node not in self._degrees:
            self._degrees[self._node] = _degree(function, args, kwargs, top)
        degree = self._degrees[self._node]
        if degree is None:
            self.inhomogeneous[name] = kind
            top = 0
        found = function(*_each(args, top), **_each(kwargs, top))
        return _wrapped(found, top * (1 if degree is None else degree))


def _degree(function: Any, args: Any, kwargs: Any, top: int) -> int | None:
    """1 for what scales with its inputs, 2 for products of two, 0 for what does not mind; None for the rest."""
    with torch.no_grad():
        base = _tensors(function(*_each(args, top), **_each(kwargs, top)))
        for degree in (1, 2, 0):
            scales = (_SHIFT, 1 / _SHIFT)
            if all(_same(base, function, args, kwargs, top, factor, degree) for factor in scales):
                return degree
    return None


def _same(
    base: list[Tensor], function: Any, args: Any, kwargs: Any, top: int, factor: float, degree: int
) -> bool:
    other = _tensors(function(*_each(args, top, factor), **_each(kwargs, top, factor)))
    pairs = zip(base, other, strict=False)
    return len(base) == len(other) and all(
        one.shape == two.shape and torch.allclose(one * factor**degree, two, rtol=_CLOSE, atol=0.0)
        for one, two in pairs
        if one.is_floating_point()
    )


def _layer(module: nn.Module, weight: Tensor, x: Scaled) -> Scaled:
    """What a layer makes of its input with these weights, without bias."""
    bias = module.bias
    given = {"weight": weight} | ({} if bias is None else {"bias": torch.zeros_like(bias)})
    found = torch.func.functional_call(module, given, (x.value,))
    return Scaled(found, x.exponent).near_one()


def _gain(module: Any, x: Scaled) -> Scaled:
    """The gain of a normalisation layer in evaluation, a channel each, without its shift."""
    weight = getattr(module, "weight", None)
    variance = getattr(module, "running_var", None)
    if weight is None and variance is None:
        return x
    size = (
        torch.ones((), device=x.value.device, dtype=x.value.dtype)
        if weight is None
        else weight.detach().abs()
    )
    if variance is not None:
        size = size / torch.sqrt(variance + module.eps)
    if not isinstance(module, nn.LayerNorm) and x.value.dim() > 2:
        size = size.reshape(-1, *(1,) * (x.value.dim() - 2))
    return Scaled(x.value * size.to(x.value.dtype), x.exponent)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [leaf for one in value for leaf in _leaves(one)]
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    return [value]


def _each(value: Any, exponent: int, factor: float = 1.0) -> Any:
    """Scaled values as tensors at an exponent, times a factor, wherever they stand."""
    if isinstance(value, Scaled):
        return value.at(exponent) * factor if factor != 1.0 else value.at(exponent)
    if isinstance(value, tuple | list):
        return type(value)(_each(one, exponent, factor) for one in value)
    if isinstance(value, dict):
        return {name: _each(one, exponent, factor) for name, one in value.items()}
    return value


def _wrapped(value: Any, exponent: int) -> Any:
    if isinstance(value, Tensor) and value.is_floating_point():
        return Scaled(value, exponent)
    if isinstance(value, tuple | list):
        return type(value)(_wrapped(one, exponent) for one in value)
    return value


def _tensors(value: Any) -> list[Tensor]:
    return [one for one in _leaves(value) if isinstance(one, Tensor)]


def _called(node: torch.fx.Node) -> str:
    return named(str(node.target)) if node.op == "call_module" else node.name
