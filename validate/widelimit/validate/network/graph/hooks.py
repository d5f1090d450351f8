"""Modules that cannot be exported: their layers seen through hooks, all measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from widelimit.numerics.results import by_value
from widelimit.validate.network.graph.measuring import Draws, NotFinite, cotangents, moments, seed_of
from widelimit.validate.network.graph.programs import untouched
from widelimit.validate.network.graph.records import Node
from widelimit.validate.network.graph.states import laid_out
from widelimit.validate.network.graph.walking import roles

WHY = "seen through hooks: the module cannot be exported"


@by_value
@dataclass(frozen=True)
class Hooked:
    """The layers that run, in order, as nodes."""

    nodes: tuple[Node, ...]


def hooked(copy: nn.Module, args: tuple[Any, ...]) -> Hooked:
    """Run a copy once and note which layers give a floating tensor."""
    nodes: list[Node] = []
    for key, module, out in _outputs(copy, args, grad=False):
        name, kind = key.rsplit("#", 1)[0], type(module).__name__
        nodes.append(Node(name, kind, "measured", WHY, key, (), tuple(out.shape), name, kind))
    return Hooked(tuple(nodes))


def _outputs(
    module: nn.Module, args: tuple[Any, ...], grad: bool
) -> list[tuple[str, nn.Module, torch.Tensor]]:
    found: list[tuple[str, nn.Module, torch.Tensor]] = []
    handles = []
    runs: dict[str, int] = {}

    def look(name: str) -> Any:
        def hook(one: nn.Module, _inputs: Any, out: Any) -> None:
            first = _first(out)
            if first is not None:
                runs[name] = runs.get(name, 0) + 1
                found.append((f"{name}#{runs[name]}", one, first))

        return hook

    for name, one in module.named_modules():
        if not list(one.children()):
            handles.append(one.register_forward_hook(look(name or type(one).__name__)))
    try:
        with torch.set_grad_enabled(grad):
            out = _first(module(*args))
    finally:
        for handle in handles:
            handle.remove()
    if out is not None:
        found.append(("output#1", module, out))
    return found


def _first(value: Any) -> torch.Tensor | None:
    if isinstance(value, torch.Tensor):
        return value if value.is_floating_point() and value.numel() else None
    if isinstance(value, tuple | list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            found = _first(one)
            if found is not None:
                return found
    return None


def measure(
    module: nn.Module,
    states: list[dict[str, torch.Tensor]],
    args: tuple[Any, ...],
    *,
    seed: int,
    backward: bool,
) -> Draws:
    """Moments of what layers give, over draws; layers that do not run in one of them have fewer."""
    out = Draws()
    with untouched():
        for number, state in enumerate(states):
            torch.manual_seed(seed_of(seed, number))
            with torch.no_grad():
                for name, value in (
                    *module.named_parameters(remove_duplicate=False),
                    *module.named_buffers(remove_duplicate=False),
                ):
                    value.copy_(state[name])
            seen = _outputs(module, args, backward)
            for key, _, value in seen:
                rows = _rows(value)
                if np.isnan(rows).any():
                    raise NotFinite(key)
                q, p = moments(rows)
                out.q.setdefault(key, []).append(q)
                out.p.setdefault(key, []).append(p)
            if backward:
                _gradients(seen, out)
            out.count += 1
    return out


def _rows(value: torch.Tensor) -> np.ndarray:
    axes = roles(tuple(value.shape), [])
    array = value.detach().double().cpu().numpy()
    return array.reshape(1, -1) if axes is None else laid_out(array, axes)


def _gradients(seen: list[tuple[str, nn.Module, torch.Tensor]], out: Draws) -> None:
    end = seen[-1][2]
    if not end.requires_grad:
        return
    live = [(key, value) for key, _, value in seen if value.requires_grad]
    found = torch.autograd.grad(end, [value for _, value in live], cotangents(end), allow_unused=True)
    for (key, _), value in zip(live, found, strict=True):
        if value is not None:
            out.g.setdefault(key, []).append(float(np.mean(_rows(value) ** 2)))
