"""SynFlow: scores abs(w) dR/dabs(w) of R = 1' f(1), f the module with sizes in place of weights and without shifts.

Each value on the way carries an exponent of two of its own, so that R may be as large as it likes: what a layer puts
out is brought back to numbers of order one, sums align exponents, and scores matter up to a common factor only. The
first round finds the exponents; the others play its tape (`tape`), and look again where the flow left order one.
Normalisation layers act as in evaluation: a gain a channel, by the running variance; biases and shifts are left out, so
that every cut has the same flow. Operations that are not homogeneous see the true numbers, and are reported.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.pruning.nested import leaves, mapped, tensors
from widelimit.validate.pruning.tape import Tape, constant
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
        factor = self.factor(exponent)
        return self.value * factor if factor != 1 else self.value

    def factor(self, exponent: int) -> float:
        """What its value is multiplied by to be at this other power."""
        return 2.0 ** max(-_FAR, min(_FAR, self.exponent - exponent))

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

    def __init__(self, module: nn.Module, sizes: Mapping[str, Tensor]) -> None:
        graph = traced(module, evaluation=True)
        super().__init__(graph)
        self.extra_traceback = False  # of fx, behind our own sentences
        self._shared = shared(module)
        if hidden := [name for name in layers(module) if name not in called(graph)]:
            but = f"uses the weights of {hidden[0]} in another way, or not at all"
            raise ArgumentError("module", "must call the layers that are to be pruned", but=but)
        self._sizes = {name: size.clone() for name, size in sizes.items()}
        self.weights: dict[str, Tensor] = {}
        self.inhomogeneous: dict[str, str] = {}
        self._degrees: dict[str, int | None] = {}  # of operations, as the first run found them
        self._found: dict[str, int] = {}  # powers of two, by which weights of layers are to be lowered
        self._gains: dict[str, Tensor | None] = {}
        self._node: Any = None
        self._checked = False
        self._tape: Tape | None = None
        self._folded: dict[str, Tensor] = {}  # gains that the tape has in the weights of layers
        self._made: tuple[Any, int | None] = (None, None)  # a function, and the exponent of its inputs

    def drop(self, name: str, places: Tensor) -> None:
        """Set weights of a layer to nothing, by their places in a row."""
        self._sizes[name].view(-1).index_fill_(0, places, 0.0)
        if self._tape is not None:
            self.weights[name].detach().view(-1).index_fill_(0, places, 0.0)

    def scores(self, ones: Tensor) -> tuple[dict[str, Tensor], Scaled]:
        """Return w dR/dw by layer, over two to the power of R's exponent, and R.

        `ArgumentError` names the operation where the flow is not finite.
        """
        flow = self._look(ones) if self._tape is None else self._play(self._tape, ones)
        if not _SMALL < float(flow.value.detach()) < 1 / _SMALL:
            self._checked = True  # of order one no more: look at all of it anew
            flow = self._look(ones)
            self._checked = False
        parts = torch.autograd.grad(flow.value, list(self.weights.values()), allow_unused=True)
        found = {
            name: torch.zeros_like(weight) if part is None else part * weight.detach()
            for (name, weight), part in zip(self.weights.items(), parts, strict=True)
        }
        if self._found:
            self._lower()
        return found, Scaled(flow.value.detach(), flow.exponent)

    def _look(self, ones: Tensor) -> Scaled:
        """Run the graph, find exponents, and keep its tape."""
        self._tape, self._found, self._folded = Tape(), {}, {}
        self.weights = {name: size.clone().requires_grad_() for name, size in self._sizes.items()}
        out = self.run(Scaled(ones))
        parts = [part for part in leaves(out) if isinstance(part, Scaled)]
        if not parts:
            raise ArgumentError("module", "must return tensors", but=f"returns {type(out).__name__}")
        return _sum(parts)

    def _play(self, tape: Tape, ones: Tensor) -> Scaled:
        out = zip(tape.play(ones), tape.exponents, strict=True)
        return _sum([Scaled(one, exponent) for one, exponent in out if exponent is not None])

    def _lower(self) -> None:
        """Put powers and gains into the weights: scores w dR/dw do not mind factors of weights."""
        for name, size in self._sizes.items():
            factor = self._folded.get(name, 1.0) * 2.0 ** -self._found.get(name, 0)
            self.weights[name] = (size * factor).requires_grad_()
        self._found = {}

    def run_node(self, n: torch.fx.Node) -> Any:
        """Run one operation and note it; where it is not finite for the first time, say which one it is."""
        self._node, self._made = n, (None, None)
        found = super().run_node(n)
        self._note(n, found)
        for one in leaves(found) if self._checked else ():
            if isinstance(one, Scaled) and not math.isfinite(float(one.value.detach().sum())):
                but = f"{_called(n)} makes it infinite or NaN"
                raise ArgumentError("module", "must have a finite flow", but=but)
        return found

    def _note(self, n: torch.fx.Node, found: Any) -> None:
        """Keep an operation on the tape, with what brings its inputs to their common exponent."""
        assert self._tape is not None
        function, top = self._made
        if n.op in ("placeholder", "get_attr"):
            function = constant(found)
        elif n.op == "output":
            function = _itself
            self._tape.exponents = [
                one.exponent if isinstance(one, Scaled) else None for one in leaves(found)
            ]
        factors = {}
        for one in () if top is None else n.all_input_nodes:
            found = mapped(partial(_factor, top), self.env[one])
            if any(each not in (None, 1.0) for each in leaves(found)):
                factors[one] = found
        self._tape.note(n, function, factors)

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a layer: weights by their sizes, normalisation by its gain, the rest as it is."""
        module, name = self.fetch_attr(target), named(str(target))
        if isinstance(module, PRUNED):
            own = self._shared[name]
            found = Scaled(_layer(module, self.weights[own], args[0].value), args[0].exponent)
            self._found.setdefault(own, found.power())
            self._made = (lambda x: _layer(module, self.weights[own], x)), None
            return found.lowered(self._found[own])
        if isinstance(module, NORMS):
            if not isinstance(module, BATCH):
                self.inhomogeneous[name] = type(module).__name__
            if name not in self._gains:
                self._gains[name] = _gain(module, args[0].value)
            gain = self._gains[name]
            if (
                isinstance(module, BATCH)
                and gain is not None
                and (before := self._layer_before(self._node, args[0].value.dim()))
            ):
                self._folded[before] = _beside(gain, self.weights[before].dim())
                self._made = _itself, None
            else:
                self._made = (torch.clone if gain is None else partial(torch.mul, gain)), None
            return args[0] if gain is None else Scaled(args[0].value * gain, args[0].exponent)
        return self._run(module, args, kwargs, name, type(module).__name__)

    def _layer_before(self, node: torch.fx.Node, sides: int) -> str | None:
        """The layer whose weights may have a gain of its outputs as factor: used once, for this alone."""
        before = node.args[0] if node.args else None
        if not isinstance(before, torch.fx.Node) or before.op != "call_module" or len(before.users) > 1:
            return None
        module, name = self.fetch_attr(str(before.target)), named(str(before.target))
        own = self._shared.get(name)
        uses = [one for one in before.graph.nodes if one.op == "call_module"]
        again = sum(self._shared.get(named(str(one.target))) == own for one in uses)
        plain = isinstance(module, nn.Linear) or type(module) in _PLAIN
        return own if plain and again == 1 and sides == module.weight.dim() else None

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function: sums at a common exponent, others by how they scale."""
        inputs = _inputs(args, kwargs)
        if target in _SUMS and len(inputs) > 1:
            top = max(one.exponent for one in inputs)
            sum_of = operator.add if target is operator.iadd else target
            self._made = sum_of, top
            return Scaled(sum_of(*_each(args, top), **_each(kwargs, top)), top)
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
            self._made = function, None
            return function(*args, **kwargs)
        top = max(one.exponent for one in inputs)
        if self._node not in self._degrees:
            self._degrees[self._node] = _degree(function, args, kwargs, top)
        degree = self._degrees[self._node]
        if degree is None:
            self.inhomogeneous[name] = kind
            top = 0
        given, words = _each(args, top), _each(kwargs, top)
        before = _versions(given, words)
        found = function(*given, **words)
        self._made = partial(_on_copies, function) if _versions(given, words) != before else function, top
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


def _layer(module: Any, weight: Tensor, x: Tensor) -> Tensor:
    """What a layer makes of its input with these weights, without bias."""
    if isinstance(module, nn.Linear):
        return nn.functional.linear(x, weight)
    if (plain := _PLAIN.get(type(module))) is not None and module.padding_mode == "zeros":
        return plain(x, weight, None, module.stride, module.padding, module.dilation, module.groups)
    given = {"weight": weight} | ({} if module.bias is None else {"bias": torch.zeros_like(module.bias)})
    found: Tensor = torch.func.functional_call(module, given, (x,))
    return found


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


def _sum(parts: list[Scaled]) -> Scaled:
    top = max(part.exponent for part in parts)
    return Scaled(torch.stack([part.at(top).sum() for part in parts]).sum(), top)


def _itself(value: Any) -> Any:
    return value


def _versions(*values: Any) -> list[int]:
    """How often tensors were written to: an operation that works in place changes it."""
    return [one._version for one in tensors(values)]  # noqa: SLF001 - torch documents it


def _on_copies(function: Any, *args: Any, **kwargs: Any) -> Any:
    return function(*mapped(_copy, args), **mapped(_copy, kwargs))


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def _factor(exponent: int | None, value: Any) -> float | None:
    return value.factor(exponent) if isinstance(value, Scaled) and exponent is not None else None


def _beside(gain: Tensor, sides: int) -> Tensor:
    """A gain of outputs in the shape of weights."""
    return gain.reshape(-1, *(1,) * (sides - 1)) if gain.numel() > 1 else gain.reshape(())


def _called(node: torch.fx.Node) -> str:
    return named(str(node.target)) if node.op == "call_module" else node.name
