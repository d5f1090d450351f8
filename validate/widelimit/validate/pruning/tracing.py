"""Modules as graphs, and the weights of them that are pruned."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from widelimit.theory.errors import ArgumentError

CONVOLUTIONS = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip
PRUNED = (nn.Linear, *CONVOLUTIONS)
BATCH = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
RUNNING = (*BATCH, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)  # may keep statistics
NORMS = (*RUNNING, nn.LayerNorm, nn.GroupNorm)


def layers(module: Any) -> dict[str, Any]:
    """Return the layers whose weights are pruned, by name, each once; `ArgumentError` where there are none."""
    if not isinstance(module, nn.Module):
        raise ArgumentError("module", "must be a torch.nn.Module", module)
    found: dict[str, Any] = {name: one for name, one in module.named_modules() if isinstance(one, PRUNED)}
    lazy = [name for name, one in module.named_modules() if isinstance(one, nn.modules.lazy.LazyModuleMixin)]
    if any(
        isinstance(one.weight, nn.UninitializedParameter) for one in found.values() if hasattr(one, "weight")
    ):
        help = "Call it once on an input."
        raise ArgumentError("module", "must have weights", but=f"has none yet in {lazy[0]}", help=help)
    if not found:
        raise ArgumentError("module", "must have linear or convolutional layers to prune", but="has none")
    return {name: found[name] for name in dict.fromkeys(shared(module).values())}


def shared(module: nn.Module) -> dict[str, str]:
    """Return for each layer the name of the first one that has the same weights."""
    first: dict[int, str] = {}
    found = {}
    for name, one in module.named_modules(remove_duplicate=False):
        if isinstance(one, PRUNED):  # weights that are computed when asked for are a layer's own
            own = one.weight if isinstance(one.weight, nn.Parameter) else one
            found[name] = first.setdefault(id(own), name)
    return found


def key(name: str) -> str:
    """Return the name of a layer's weights, as `named_parameters` has it."""
    return f"{name}.weight" if name else "weight"


def traced(module: nn.Module, *, evaluation: bool = False) -> torch.fx.GraphModule:
    """Return the graph of a copy of a module, each part in its own mode, or all of it in evaluation.

    Raises `ArgumentError` where its code branches on values, or does what torch.fx cannot follow.
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise ArgumentError("module", "must be a plain module", but="is compiled by TorchScript")
    try:
        copied = copy.deepcopy(module)
        graph = torch.fx.symbolic_trace(_Whole(copied.train(False) if evaluation else copied))
    except Exception as error:  # whatever the module's own code raises on a proxy
        said = str(error).split("\n")[0][:120]
        help = "Prune the parts that can be traced one by one."
        raise ArgumentError(
            "module", "must be one that torch.fx can trace", but=f"cannot be ({said})", help=help
        ) from None
    return graph


class _Whole(nn.Module):
    """A module inside another one, so that a single layer is a node of a graph too."""

    def __init__(self, whole: nn.Module) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, x: Any) -> Any:
        return self.whole(x)


def called(graph: torch.fx.GraphModule) -> set[str]:
    """Return the names of the modules that a graph calls."""
    return {named(str(node.target)) for node in graph.graph.nodes if node.op == "call_module"}


def named(target: str) -> str:
    """Return the name that a node's module has in the user's own module."""
    return target.removeprefix("whole").lstrip(".")
