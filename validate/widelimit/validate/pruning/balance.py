"""Flow w dR/dw through a module: the same through every cut, but where a node breaks the law.

The flow of a value v is <dR/dv, v>. A node that is homogeneous (ReLU, pooling, sums) passes on what comes in; what is
affine adds the flow of its shift, <dR/dy, f(0)>; normalisation by statistics of its own input lets nothing in, and its
gain and shift carry all that goes out. A layer's weights carry the flow that comes into it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from widelimit.numerics.results import by_value, pictured
from widelimit.theory.errors import ArgumentError
from widelimit.validate.pruning.nested import mapped, tensors
from widelimit.validate.pruning.tracing import NORMS, RUNNING, layers, named, traced

_SHOWN = 2  # reasons a cut
TOLERANCE = 1e-9  # of a residual over the sizes of what is summed, in float64


@dataclass(frozen=True)
class Node:
    """One operation: the flow that comes `into` it, is `added` by shifts, goes `out`; `residual` = into + added - out.

    `why` says what adds flow (a bias, a normalisation) or what breaks the law, "" where all is passed on.
    """

    name: str
    kind: str
    into: float
    added: float
    out: float
    residual: float
    why: str


@dataclass(frozen=True)
class Cut:
    """The cut before a layer: flow of its `weights` and `beside` it (skips), and what is `added` from there on.

    weights + beside + added is `expected`, the flow y dR/dy out of the module, but for `residual`; `why` names the
    nodes from there on that add flow or break the law, so that the weights of two layers do not carry the same.
    """

    layer: str
    weights: float
    beside: float
    added: float
    expected: float
    residual: float
    why: str


@pictured
@dataclass(frozen=True)
class Conservation:
    """Flow through every cut of a module, and through every node; printed as a table.

    `output`: y dR/dy. `holds`: whether all cuts carry it. `broken`: names of the nodes that break the law.
    """

    cuts: tuple[Cut, ...]
    nodes: tuple[Node, ...]
    output: float
    holds: bool
    broken: tuple[str, ...]

    def __str__(self) -> str:
        width = max(5, *(len(cut.layer) for cut in self.cuts))
        head = f"{'layer':{width}}  {'weights':>11} {'beside':>11} {'added':>11} {'out':>11} {'residual':>9}  why"
        rows = [
            f"{cut.layer:{width}}  {cut.weights:11.4g} {cut.beside:11.4g} {cut.added:11.4g} {cut.expected:11.4g} "
            f"{cut.residual:9.1e}  {cut.why}".rstrip()
            for cut in self.cuts
        ]
        return "\n".join([head, *rows])


def conservation(module: nn.Module, x: Any, loss: Callable[[Any], Tensor] | None = None) -> Conservation:
    """Return the flow of scores w dR/dw through every cut of a module, and the nodes that break its conservation.

    R = loss(module(x)), by default the sum of all outputs; computed in float64 on a copy, each part in its own mode
    (training or evaluation).

    Args:
        module: any that torch.fx can trace.
        x: a batch of inputs.
        loss: of the module's output; a number.

    Raises `ArgumentError` for a module that cannot be traced or has no layers with weights, or a loss that is no finite
    number.

    >>> _ = torch.manual_seed(0)
    >>> net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
    >>> found = conservation(net, torch.randn(8, 3))
    >>> found.holds, found.broken, found.cuts[1].why
    (False, ('1',), '2: the shift of Linear adds flow; 4: the shift of Linear adds flow')
    """
    names = layers(module)
    recorder = _Recorder(traced(module).double().requires_grad_())
    inputs = x.double() if isinstance(x, Tensor) and x.is_floating_point() else x
    try:
        out = recorder.run(inputs)
    except (RuntimeError, TypeError, ValueError) as error:
        said = str(error).split("\n")[0][:120]
        raise ArgumentError("x", "must be a batch of inputs of the module", x, f"It says: {said}") from None
    if loss is None and not isinstance(out, Tensor):
        raise ArgumentError("loss", "must be given", but=f"the module returns {type(out).__name__}")
    reward = out.sum() if loss is None else loss(out)
    if not isinstance(reward, Tensor) or reward.numel() != 1 or not bool(torch.isfinite(reward.detach())):
        raise ArgumentError("loss", "must be a finite number", reward)
    recorder.slopes(reward.reshape(()))
    nodes = tuple(recorder.node(one) for one in recorder.order)
    cuts = tuple(recorder.cut(index, nodes) for index in range(len(nodes)) if nodes[index].name in names)
    broken = tuple(dict.fromkeys(one.name for one in nodes if _off(one.residual, recorder.size)))
    holds = all(not _off(cut.residual, recorder.size) for cut in cuts)
    return Conservation(cuts, nodes, recorder.outflow, holds, broken)


def _off(residual: float, size: float) -> bool:
    return abs(residual) > TOLERANCE * max(size, 1e-300)


@by_value
@dataclass
class _Ran:
    """What a node did: its inputs, each a copy of its own, its output, and its function of tensors."""

    name: str
    kind: str
    module: nn.Module | None
    edges: list[tuple[torch.fx.Node, Tensor]]
    out: list[Tensor]
    zero: list[Tensor] | None


class _Recorder(torch.fx.Interpreter):
    """Runs a graph, with a copy of every value for each node that takes it."""

    def __init__(self, graph: torch.fx.GraphModule) -> None:
        super().__init__(graph)
        self.extra_traceback = False  # of fx, behind our own sentences
        self.order: list[torch.fx.Node] = []
        self.ran: dict[torch.fx.Node, _Ran] = {}
        self.ends: list[tuple[torch.fx.Node, Tensor]] = []
        self.grads: dict[int, Tensor] = {}
        self.outflow = 0.0
        self.size = 0.0

    def run_node(self, n: torch.fx.Node) -> Any:
        """Run one operation on copies of its inputs, and on nothing at all."""
        if n.op not in ("call_module", "call_function", "call_method", "output"):
            return super().run_node(n)
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        edges: list[tuple[torch.fx.Node, Tensor]] = []

        def copied(node: Any, value: Any) -> Any:
            """Copies of all tensors of numbers that a node put out, noted with it."""
            return mapped(partial(_edge, edges, node), value) if isinstance(node, torch.fx.Node) else value

        args, kwargs = mapped(copied, (n.args, dict(n.kwargs)), (args, kwargs))
        if n.op == "output":
            self.ends = edges
            return args[0]
        module = self.fetch_attr(str(n.target)) if n.op == "call_module" else None
        call = getattr(self, n.op)
        zero = None
        if edges and module is not None and not _own_statistics(module):
            still = copy.deepcopy(module)
            with torch.no_grad():
                zero = tensors(still(*mapped(_zero, args), **mapped(_zero, kwargs)))
        out = call(n.target, args, kwargs)
        name = named(str(n.target)) if n.op == "call_module" else n.name
        kind = type(module).__name__ if module is not None else getattr(n.target, "__name__", str(n.target))
        self.order.append(n)
        self.ran[n] = _Ran(name, kind, module, edges, tensors(out), zero)
        return out

    def slopes(self, reward: Tensor) -> None:
        """Differentiate by all copies, outputs and parameters."""
        tensors = [edge for one in self.ran.values() for _, edge in one.edges]
        tensors += [out for one in self.ran.values() for out in one.out]
        tensors += [edge for _, edge in self.ends]
        tensors += list(self.module.parameters())
        wanted = {id(one): one for one in tensors if one.requires_grad}
        found = torch.autograd.grad(reward, list(wanted.values()), allow_unused=True)
        self.grads = {key: part for key, part in zip(wanted, found, strict=True) if part is not None}
        self.outflow = sum(self._flow(edge) for _, edge in self.ends)
        self.size = sum(
            float((self.grads[id(e)] * e.detach()).abs().sum()) for _, e in self.ends if id(e) in self.grads
        )

    def _flow(self, value: Tensor) -> float:
        slope = self.grads.get(id(value))
        return 0.0 if slope is None else float((slope * value.detach()).sum())

    def node(self, n: torch.fx.Node) -> Node:
        """The balance of one node."""
        one = self.ran[n]
        into = sum(self._flow(edge) for _, edge in one.edges)
        out = sum(self._flow(value) for value in one.out)
        added = self._added(one)
        if one.module is not None and _own_statistics(one.module):
            added -= into  # what the constant beside the variance lets in
        if not one.edges:  # made of no numbers: an embedding, a parameter
            added = out
        residual = into + added - out
        return Node(one.name, one.kind, into, added, out, residual, self._why(one, into, added, out))

    def _why(self, one: _Ran, into: float, added: float, out: float) -> str:
        if _off(into + added - out, self.size):
            product = len(one.edges) > 1 and not _off(into - 2 * out, self.size)
            return f"{one.kind} is a product of signals" if product else f"{one.kind} is not homogeneous"
        if one.module is not None and _own_statistics(one.module):
            return f"{one.kind} lets nothing in: its gain and shift carry the flow"
        return f"the shift of {one.kind} adds flow" if _off(added, self.size) else ""

    def _added(self, one: _Ran) -> float:
        """Flow of shifts: what the operation makes of nothing; of a normalisation, that of its gain and shift."""
        if one.module is not None and _own_statistics(one.module):
            own: list[Any] = [p for p in (one.module.weight, one.module.bias) if p is not None]
            return sum(self._flow(p) for p in own or one.out)
        total = 0.0
        for value, nothing in zip(one.out, one.zero or [], strict=False):
            slope = self.grads.get(id(value))
            if slope is not None and slope.shape == nothing.shape:
                total += float((slope * nothing).sum())
        return total

    def cut(self, index: int, nodes: tuple[Node, ...]) -> Cut:
        """The cut before a node: edges from before it to it and after it."""
        later = set(self.order[index:])
        edges = [edge for n in self.order[index:] for edge in self.ran[n].edges]
        edges += self.ends
        crossing = [edge for source, edge in edges if source not in later]
        through = {id(edge) for _, edge in self.ran[self.order[index]].edges}
        weights = nodes[index].into  # of this use of the layer, also where it is used twice
        beside = sum(self._flow(edge) for edge in crossing if id(edge) not in through)
        added = sum(one.added for one in nodes[index:])
        residual = weights + beside + added - self.outflow
        said = [f"{one.name}: {one.why}" for one in nodes[index:] if one.why]
        more = [f"and {len(said) - _SHOWN} more"] if len(said) > _SHOWN else []
        why = "; ".join(said[:_SHOWN] + more)
        return Cut(nodes[index].name, weights, beside, added, self.outflow, residual, why)


def _own_statistics(module: nn.Module) -> bool:
    """Whether a layer divides by statistics of the values at hand."""
    if isinstance(module, RUNNING):
        return module.training or module.running_mean is None
    return isinstance(module, NORMS)


def _edge(edges: list[tuple[torch.fx.Node, Tensor]], node: torch.fx.Node, value: Any) -> Any:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    edge = value.clone() if value.requires_grad else value.detach().clone().requires_grad_()
    edges.append((node, edge))
    return edge


def _zero(value: Any) -> Any:
    return torch.zeros_like(value) if isinstance(value, Tensor) and value.is_floating_point() else value
