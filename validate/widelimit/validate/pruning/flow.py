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

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.pruning.nested import leaves, mapped, tensors
from widelimit.validate.pruning.tracing import BATCH, NORMS, PRUNED, called, layers, named, shared, traced

_SUMS = (torch.add, operator.add, operator.iadd, torch.cat, torch.concat, torch.stack)
_SHIFT = 2.0**20  # a homogeneous function follows scales of this size, up and down
_CLOSE = 1e-3
_SMALL = 1e-12
_FAR = 1000  # powers of two beyond are 0 or infinite in any case


@by_value
@dataclass(frozen=True)
class Scaled:
    """A tensor times two to the power of `exponent`."""

    value: Tensor
    exponent: int = 0

    def at(self, exponent: int) -> Tensor:
        """The tensor that is to be multiplied by this other power."""
        more = max(-_FAR, min(_FAR, self.exponent - exponent))
        return self.value * 2.0**more if more else self.value

    def lowered(self, power: int) -> Scaled:
        """The same number, with a smaller value and a larger exponent."""
        return Scaled(self.value * 2.0**-power, self.exponent + power)

    def power(self) -> int:
        """The power of two that brings its largest number between a half and one."""
        largest = float(self.value.detach().abs().max()) if self.value.numel() else 0.0
        return math.frexp(largest)[1] if math.isfinite(largest) else 0


class SynapticFlow(torch.fx.Interpreter):
    """The graph of a module with other weights, run on scaled values.

    `inhomogeneous` collects the names of operations that do not scale with their input.
    """

    def __init__(self, module: nn.Module) -> None:
        graph = traced(module, evaluation=True)
        super().__init__(graph)
        self.extra_traceback = False  # of fx, behind our own sentences
        self._shared = shared(module)
        if hidden := [name for name in layers(module) if name not in called(graph)]:
            but = f"uses the weights of {hidden[0]} in another way, or not at all"
            raise ArgumentError("module", "must call the layers that are to be pruned", but=but)
        self.weights: Mapping[str, Tensor] = {}
        self.inhomogeneous: dict[str, str] = {}
        self._degrees: dict[str, int | None] = {}  # of operations, as the first run found them
        self._powers: dict[str, int] = {}  # of two, by which weights of layers are lowered
        self._found: dict[str, int] = {}
        self._gains: dict[str, Tensor | None] = {}
        self._node, self._checked = "", False

    def scores(self, sizes: Mapping[str, Tensor], ones: Tensor) -> tuple[dict[str, Tensor], Scaled]:
        """Return w dR/dw by layer, over two to the power of R's exponent, and R.

        `ArgumentError` names the operation where the flow is not finite.
        """
        flow = self._flow(sizes, ones)
        if (
            not _SMALL < float(flow.value.detach()) < 1 / _SMALL
        ):  # of order one no more: look at all of it anew
            self._powers, self._checked = {}, True
            flow = self._flow(sizes, ones)
            self._checked = False
        parts = torch.autograd.grad(flow.value, list(self.weights.values()), allow_unused=True)
        found = {
            name: torch.zeros_like(weight) if part is None else part * weight.detach()
            for (name, weight), part in zip(self.weights.items(), parts, strict=True)
        }
        self._powers |= self._found
        return found, Scaled(flow.value.detach(), flow.exponent)

    def _flow(self, sizes: Mapping[str, Tensor], ones: Tensor) -> Scaled:
        self.weights = {
            name: (size * 2.0 ** -self._powers.get(name, 0)).requires_grad_() for name, size in sizes.items()
        }
        self._found = {}
        out = self.run(Scaled(ones))
        parts = [part for part in leaves(out) if isinstance(part, Scaled)]
        if not parts:
            raise ArgumentError("module", "must return tensors", but=f"returns {type(out).__name__}")
        top = max(part.exponent for part in parts)
        total = torch.stack([part.at(top).sum() for part in parts]).sum()
        return Scaled(total, top)

    def run_node(self, n: torch.fx.Node) -> Any:
        """Run one operation; where it is not finite for the first time, say which one it is."""
        self._node = n.name
        found = super().run_node(n)
        for one in leaves(found) if self._checked else ():
            if isinstance(one, Scaled) and not math.isfinite(float(one.value.detach().sum())):
                but = f"{_called(n)} makes it infinite or NaN"
                raise ArgumentError("module", "must have a finite flow", but=but)
        return found

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a layer: weights by their sizes, normalisation by its gain, the rest as it is."""
        module, name = self.fetch_attr(target), named(str(target))
        if isinstance(module, PRUNED):
            found = _layer(module, self.weights[self._shared[name]], args[0])
            own = self._shared[name]
            if own in self._powers:  # the weights are lowered already
                return Scaled(found.value, found.exponent + self._powers[own])
            self._found[own] = found.power()
            return found.lowered(self._found[own])
        if isinstance(module, NORMS):
            if not isinstance(module, BATCH):
                self.inhomogeneous[name] = type(module).__name__
            if name not in self._gains:
                self._gains[name] = _gain(module, args[0].value)
            gain = self._gains[name]
            return args[0] if gain is None else Scaled(args[0].value * gain, args[0].exponent)
        return self._run(module, args, kwargs, name, type(module).__name__)

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function: sums at a common exponent, others by how they scale."""
        inputs = _inputs(args, kwargs)
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
        inputs = _inputs(args, kwargs)
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
        return _scaled(found, top * (1 if degree is None else degree))


def _degree(function: Any, args: Any, kwargs: Any, top: int) -> int | None:
    """1 for what scales with its inputs, 2 for products of two, 0 for what does not mind; None for the rest."""
    with torch.no_grad():
        base = tensors(function(*_each(args, top), **_each(kwargs, top)))
        for degree in (1, 2, 0):
            scales = (_SHIFT, 1 / _SHIFT)
            if all(_same(base, function, args, kwargs, top, factor, degree) for factor in scales):
                return degree
    return None


def _same(
    base: list[Tensor], function: Any, args: Any, kwargs: Any, top: int, factor: float, degree: int
) -> bool:
    other = tensors(function(*_each(args, top, factor), **_each(kwargs, top, factor)))
    pairs = zip(base, other, strict=False)
    return len(base) == len(other) and all(
        one.shape == two.shape and torch.allclose(one * factor**degree, two, rtol=_CLOSE, atol=0.0)
        for one, two in pairs
    )


def _layer(module: Any, weight: Tensor, x: Scaled) -> Scaled:
    """What a layer makes of its input with these weights, without bias."""
    if isinstance(module, nn.Linear):
        found = nn.functional.linear(x.value, weight)
    elif (plain := _PLAIN.get(type(module))) is not None and module.padding_mode == "zeros":
        found = plain(x.value, weight, None, module.stride, module.padding, module.dilation, module.groups)
    else:
        given = {"weight": weight} | ({} if module.bias is None else {"bias": torch.zeros_like(module.bias)})
        found = torch.func.functional_call(module, given, (x.value,))
    return Scaled(found, x.exponent)


_PLAIN = {
    nn.Conv1d: nn.functional.conv1d,
    nn.Conv2d: nn.functional.conv2d,
    nn.Conv3d: nn.functional.conv3d,
}


def _gain(module: Any, x: Tensor) -> Tensor | None:
    """The gain of a normalisation layer in evaluation, a channel each; its shift is left out."""
    weight = getattr(module, "weight", None)
    variance = getattr(module, "running_var", None)
    if weight is None and variance is None:
        return None
    size = torch.ones((), device=x.device, dtype=x.dtype) if weight is None else weight.detach().abs()
    if variance is not None:
        size = size / torch.sqrt(variance + module.eps)
    if not isinstance(module, nn.LayerNorm) and x.dim() > 2:
        size = size.reshape(-1, *(1,) * (x.dim() - 2))
    return size.to(x.dtype)


def _each(value: Any, exponent: int, factor: float = 1.0) -> Any:
    """Scaled values as tensors at an exponent, times a factor, wherever they stand."""

    def plain(one: Any) -> Any:
        return one.at(exponent) * factor if isinstance(one, Scaled) else one

    return mapped(plain, value)


def _scaled(value: Any, exponent: int) -> Any:
    """Tensors of numbers with an exponent, wherever they stand."""
    return mapped(
        lambda one: Scaled(one, exponent) if isinstance(one, Tensor) and one.is_floating_point() else one,
        value,
    )


def _inputs(args: Any, kwargs: Any) -> list[Scaled]:
    return [one for one in leaves((args, kwargs)) if isinstance(one, Scaled)]


def _called(node: torch.fx.Node) -> str:
    return named(str(node.target)) if node.op == "call_module" else node.name
