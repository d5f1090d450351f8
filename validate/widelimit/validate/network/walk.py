"""The layers of a user's module in the order in which they run, each known by its type, none changed on the way.

`walk(module)` gives a `Place` for every layer of nested ``nn.Sequential`` and ``Shortcut``, repeated ones repeatedly,
and what is in the way as sentences. A subclass is read as its parent only if it overrides nothing that runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.utils import parametrize

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.validate.network.known import KNOWN, WEIGHTED
from widelimit.validate.network.parts import Shortcut

_HARMLESS = {
    "__init__", "__repr__", "__str__", "reset_parameters", "_reset_parameters", "extra_repr", "train", "eval",
    "__doc__", "__module__", "__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__",
    "__qualname__", "__static_attributes__", "__firstlineno__", "__orig_bases__", "__parameters__", "__type_params__",
    "__weakref__", "__dict__", "__constants__", "__slots__", "__abstractmethods__", "_version", "cls_to_become",
}  # fmt: skip
_HOOKS = {
    "_forward_hooks": "a forward hook", "_forward_pre_hooks": "a forward pre-hook",
    "_backward_hooks": "a backward hook", "_backward_pre_hooks": "a backward pre-hook",
}  # fmt: skip


COMPUTED = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_VOWELS = ("A", "E", "I", "RNN", "RRe")  # of the names of KNOWN: an RNN, an ELU
_WRITE = "write the network as nn.Sequential of known layers, a shortcut as Shortcut(branch)"


class ModuleError(ArgumentError, DomainError):
    """The module is none that theory can read as it stands; the message says what is in the way, layer by layer."""

    def __init__(self, sentence: str) -> None:
        DomainError.__init__(self, sentence)
        self.argument = "module"


@by_value
@dataclass(frozen=True)
class Place:
    """A layer where it runs: its name as torch gives it, itself, the torch class that it is, a shortcut's branch."""

    name: str
    layer: Any
    kind: type[nn.Module]
    branch: tuple[Place, ...] = ()

    def __str__(self) -> str:
        return f"layer '{self.name}' ({type(self.layer).__name__})"


def unknown(name: str, layer: object, why: str) -> str:
    """The sentence that refuses a layer."""
    return f"Layer '{name}' ({type(layer).__name__}) is not known to the theory: {why}"


def walk(module: nn.Module) -> tuple[list[Place], list[str]]:
    """The places of a module, and what is in the way of reading them."""
    problems = _everywhere()
    return list(_walk(module, "", (), problems)), problems


def _everywhere() -> list[str]:
    """Hooks that torch calls at every module, whatever it is: none of them is seen in a layer."""
    held = {what: getattr(torch.nn.modules.module, f"_global{name}", None) for name, what in _HOOKS.items()}
    return [
        f"Argument `module` must run as its layers do, but torch holds {what} of all modules ({_called(hook)}), which "
        "may change what each of them computes; remove it"
        for what, hooks in held.items()
        for hook in (hooks or {}).values()
    ][:1]


def _called(hook: Any) -> str:
    return str(getattr(hook, "__qualname__", type(hook).__name__))


def flat(places: tuple[Place, ...] | list[Place]) -> Iterator[Place]:
    """All places, those inside branches too."""
    for place in places:
        yield place
        yield from flat(place.branch)


def _walk(module: Any, name: str, above: tuple[Any, ...], problems: list[str]) -> Iterator[Place]:
    shown = name or type(module).__name__
    kind, why = kind_of(module)
    if any(module is one for one in above):
        kind, why = None, "it contains itself"
    if kind is None:
        problems.append(unknown(shown, module, why))
    elif kind is nn.Sequential:
        for key, child in module._modules.items():  # named_children() drops what stands there twice
            yield from _walk(child, f"{name}.{key}" if name else key, (*above, module), problems)
    elif kind is Shortcut:
        branch = tuple(
            _walk(module.branch, f"{name}.branch" if name else "branch", (*above, module), problems)
        )
        yield Place(shown, module, kind, branch)
    else:
        yield Place(shown, module, kind)


def kind_of(layer: Any) -> tuple[type[nn.Module] | None, str]:
    """The known class whose forward runs when `layer` is called, or None and why there is none."""
    if not isinstance(layer, nn.Module):
        return None, "it is no torch module"
    if isinstance(layer, LazyModuleMixin) and layer.has_uninitialized_params():
        return None, "it is lazy and has no weights yet; run the module once on data"
    if parametrize.is_parametrized(layer):
        names = ", ".join(str(name) for name in layer.parametrizations)  # type: ignore[union-attr]
        return (
            None,
            f"its {names} is parametrised (weight or spectral normalisation, pruning, ...), not drawn as it is",
        )
    kind = next((base for base in type(layer).__mro__ if base in KNOWN), None)
    if kind is None:
        return None, _why_unknown(layer)
    for base in type(layer).__mro__[: type(layer).__mro__.index(kind)]:
        own = [n for n in vars(base) if n not in _HARMLESS and (hasattr(kind, n) or n.startswith("__"))]
        if own:
            article = "an" if kind.__name__.startswith(_VOWELS) else "a"
            return (
                None,
                f"it is {article} {kind.__name__} with a {own[0]} of its own, which is not read; {_WRITE}",
            )
    return _unchanged(layer, kind)


def _unchanged(layer: nn.Module, kind: type[nn.Module]) -> tuple[type[nn.Module] | None, str]:
    """The kind, unless this instance was given another method or a hook."""
    for name, value in vars(layer).items():
        if name == "_compiled_call_impl" and value is not None:
            return None, "it was compiled; read it before compile()"
        if callable(value) and hasattr(type(layer), name):
            return None, f"its {name} was replaced"
    for attribute, what in _HOOKS.items():
        for hook in (getattr(layer, attribute, None) or {}).values():
            return None, f"it has {what} ({_called(hook)}), which may change what it computes; remove it"
    return kind, ""


def _why_unknown(layer: nn.Module) -> str:
    if isinstance(layer, nn.RNNBase | nn.RNNCellBase):
        return (
            "of recurrent modules only nn.RNN is known, of one layer and one direction, with batch_first=True and "
            "inside widelimit's LastStep"
        )
    if isinstance(layer, nn.ModuleList | nn.ModuleDict | nn.ParameterList | nn.ParameterDict):
        return "it has no forward; put its layers into an nn.Sequential"
    if isinstance(layer, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return "it is a wrapper; pass its .module"
    if type(layer).__name__ == "OptimizedModule":
        return "it was compiled; read it before torch.compile"
    if isinstance(layer, nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d):
        return "a channel's statistics over its positions stay random in wide networks"
    if isinstance(layer, torch.jit.ScriptModule | torch.fx.GraphModule):
        return "it is a traced program; pass the module that it came from"
    if type(layer).__module__.startswith("torch."):
        return "no rule for its kernels"
    return f"its forward is its own, which is not read; {_WRITE}"


def tensor_problem(layer: nn.Module, name: str) -> str:
    """Why the numbers of a parameter cannot be read, "" if they can (or if there is none)."""
    value = layer._parameters.get(name)
    if getattr(layer, name, None) is not value:
        return f"its {name} is not a parameter of it"
    if value is None:
        return ""
    if value._backward_hooks or getattr(value, "_post_accumulate_grad_hooks", None):
        return f"its {name} has a hook on its gradient; remove it"
    if type(value) is not nn.Parameter or type(value.data) is not torch.Tensor:
        return f"its {name} is a {type(value.data).__name__}, no plain tensor"
    if value.is_meta:
        return f"its {name} is on the meta device and holds no numbers"
    if value.layout is not torch.strided:
        return f"its {name} is stored as {value.layout}; pass a dense one"
    if not value.is_floating_point():
        return f"its {name} holds {'complex' if value.is_complex() else value.dtype} numbers; real ones are known"
    if value.dtype not in COMPUTED:
        return f"its {name} holds {value.dtype}, in which torch multiplies no matrices; convert it, as by float()"
    if value.numel() == 0:
        return f"its {name} is empty"
    return ""


def shared(places: list[Place]) -> list[str]:
    """Weights that stand in two places: neither independent of one another nor trained apart."""
    problems: list[str] = []
    seen: list[tuple[Place, torch.device, int, int]] = []
    for place in flat(places):
        if place.kind is Shortcut:
            continue
        for value in place.layer.parameters():
            first, last = _memory(value)
            for other, device, low, high in seen:
                if device == value.device and first < high and low < last:
                    problems.append(_twice(other, place))
                    break
            seen.append((place, value.device, first, last))
    return list(dict.fromkeys(problems))[:3]


def mixed(places: list[Place]) -> list[str]:
    """Weighted layers in different precision or on different devices: torch itself cannot run them in a row."""
    held = [
        (place, value)
        for place in flat(places)
        if place.kind in WEIGHTED
        for value in place.layer.parameters()
    ]
    for place, value in held[1:]:
        first, one = held[0]
        theirs, ours = ((str(each.dtype), str(each.device)) for each in (one, value))
        if theirs != ours:
            which = 0 if theirs[0] != ours[0] else 1
            other = "others" if first is place else str(first)
            return [
                f"Layer '{place.name}' ({type(place.layer).__name__}) holds numbers of {ours[which]}, but {other} of "
                f"{theirs[which]}: torch cannot run them in a row; convert the module, as by module.float().cpu()"
            ]
    return []


def _twice(other: Place, place: Place) -> str:
    if other.layer is place.layer:
        return (
            f"Layers '{other.name}' and '{place.name}' are one and the same {type(place.layer).__name__}: theory "
            "assumes that every layer has weights of its own, independent of the others"
        )
    return (
        f"Layers '{other.name}' and '{place.name}' share memory (tied weights): theory assumes that "
        "every layer has weights of its own, independent of the others"
    )


def _memory(value: torch.Tensor) -> tuple[int, int]:
    """First address and end of a tensor's numbers; (0, 0) without any."""
    if value.is_meta or value.layout is not torch.strided or value.numel() == 0:
        return 0, 0
    reach = sum((size - 1) * stride for size, stride in zip(value.shape, value.stride(), strict=True))
    return value.data_ptr(), value.data_ptr() + (reach + 1) * value.element_size()
