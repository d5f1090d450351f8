"""A network as it runs on a batch: its weighted layers, their inputs, and error signals through given feedback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.alignment.layers import Linear
from widelimit.validate.harness.copies import copied

_KINDS = (nn.Linear, nn.Conv2d, Linear)
_SEED = 0  # of the error signal at the outputs


@by_value
@dataclass
class Layer:
    """A weighted layer: W as a matrix, and sums over its inputs (of convolutions: their patches)."""

    name: str
    module: nn.Module
    weights: np.ndarray
    count: int = 0
    square: np.ndarray = field(default_factory=lambda: np.zeros(()))
    total: np.ndarray = field(default_factory=lambda: np.zeros(()))

    def see(self, x: Tensor) -> None:
        """Add a batch of inputs."""
        rows = patches(self.module, x).detach().double().cpu().numpy()
        if not np.isfinite(rows).all():
            raise ArgumentError("x", "must give finite activities", but=f"layer '{self.name}' gets others")
        self.count += len(rows)
        self.square = self.square + rows.T @ rows
        self.total = self.total + rows.sum(0)

    def covariance(self, centred: bool = False) -> np.ndarray:
        """The mean of x x^T, or that about the mean."""
        mean = self.total / self.count
        return self.square / self.count - (np.outer(mean, mean) if centred else 0.0)


def patches(module: nn.Module, x: Tensor) -> Tensor:
    """Inputs of the layer's matrix, a row each."""
    if isinstance(module, nn.Conv2d):
        x = x if x.ndim == 4 else x[None]
        sides = [p for pair in reversed(_padding(module)) for p in pair]
        unfolded = functional.unfold(
            functional.pad(x, sides), module.kernel_size, dilation=module.dilation, stride=module.stride
        )
        return unfolded.mT.reshape(-1, unfolded.shape[1])
    return x.reshape(-1, x.shape[-1])


def _padding(module: nn.Conv2d) -> list[tuple[int, int]]:
    """Zeros in front and behind in both directions."""
    if module.padding == "same":
        wide = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        return [(w // 2, w - w // 2) for w in wide]
    if module.padding == "valid":
        return [(0, 0), (0, 0)]
    return [(int(p), int(p)) for p in module.padding]


def run(module: Any, x: Any) -> tuple[nn.Module, list[Layer], Tensor]:
    """A copy of the network in evaluation mode, its layers in the order in which they run, and the inputs.

    Raises `ArgumentError` for what is no module, has no weighted layer that runs, or does not take `x`.
    """
    if not isinstance(module, nn.Module):
        raise ArgumentError("module", "must be a torch module", module)
    inputs = _tensor(x, module)
    whole = copied(module).train(False)
    found: dict[nn.Module, Layer] = {}

    def hook(layer: nn.Module, given: tuple[Any, ...], _: Any) -> None:
        if layer not in found:
            name = next(n for n, one in whole.named_modules() if one is layer)
            weight = layer.weight.detach().double().cpu()  # type: ignore[operator]
            found[layer] = Layer(name, layer, weight.flatten(1).numpy())
        found[layer].see(given[0])

    handles = [one.register_forward_hook(hook) for one in whole.modules() if _known(one)]
    try:
        with torch.no_grad():
            whole(inputs)
    except ArgumentError:
        raise
    except Exception as error:  # whatever a user's module raises
        text = " ".join(str(error).split())[:200]
        raise ArgumentError("x", "must be a batch that the module takes", but=f"it raises: {text}") from None
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise ArgumentError("module", "must have linear or plain convolution layers that run", but="has none")
    return whole, list(found.values()), inputs


def _known(module: nn.Module) -> bool:
    plain = not isinstance(module, nn.Conv2d) or (module.groups == 1 and module.padding_mode == "zeros")
    return isinstance(module, _KINDS) and plain


def _tensor(x: Any, module: nn.Module) -> Tensor:
    """Inputs in the precision and on the device of the network."""
    if not isinstance(x, Tensor):
        from widelimit.numerics import arguments

        x = torch.from_numpy(arguments.real("x", x))
    if x.ndim == 0 or x.numel() == 0:
        raise ArgumentError("x", "must be a batch of inputs", but=f"has shape {tuple(x.shape)}")
    if x.is_floating_point() and not bool(torch.isfinite(x).all()):
        raise ArgumentError("x", "must be finite", but="holds NaN or infinities")
    like = next(module.parameters(), None)
    if like is None:
        return x
    return x.to(device=like.device, dtype=like.dtype if x.is_floating_point() else x.dtype)


def signal(
    whole: nn.Module, layers: list[Layer], x: Tensor, feedback: Mapping[str, np.ndarray] | None
) -> Tensor:
    """The error signal at the outputs of the first layer, for a random one at the network's outputs.

    `feedback` maps names of layers to B; None: backpropagation. Outputs are those of the network itself either way.
    """
    known = {layer.module: layer for layer in layers}
    kept: list[Tensor] = []

    def hook(module: nn.Module, given: tuple[Any, ...], out: Tensor) -> Tensor:
        layer = known[module]
        if layer is layers[0] and not kept:
            kept.append(out.detach().requires_grad_())
            return kept[0].clone()  # what follows may change it in place
        inner = given[0]
        w = layer.weights if feedback is None else feedback[layer.name].T
        through = _apply(module, inner, torch.from_numpy(w).to(inner))
        return out.detach() + through - through.detach()

    handles = [one.register_forward_hook(hook) for one in known]
    try:
        with torch.enable_grad():
            out = whole(x)
            if not isinstance(out, Tensor):
                raise ArgumentError("module", "must return one tensor", out)
            generator = torch.Generator().manual_seed(_SEED)
            delta = torch.randn(out.shape, generator=generator, dtype=torch.float64).to(out)
            found = torch.autograd.grad(out, kept, delta, allow_unused=True)[0] if out.requires_grad else None
    finally:
        for handle in handles:
            handle.remove()
    return torch.zeros_like(kept[0]) if found is None else found  # the outputs may not depend on that layer


def _apply(module: nn.Module, x: Tensor, w: Tensor) -> Tensor:
    """The layer's map with other weights, without its bias."""
    if isinstance(module, nn.Conv2d):
        sides = [p for pair in reversed(_padding(module)) for p in pair]
        kernel = w.reshape(module.weight.shape)
        return functional.conv2d(functional.pad(x, sides), kernel, None, module.stride, 0, module.dilation)
    return x @ w.mT
