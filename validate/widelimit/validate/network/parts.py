"""Torch modules of layers, with weights drawn as theory assumes.

The scales stand in the weights (`standard`), or in front of standard-normal weights (`ntk`), whose gradients are those
of the tangent kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from widelimit.theory import architecture as arch
from widelimit.theory.calculus.activation import Activation

_ADAPTIVE: tuple[Callable[..., torch.Tensor], ...] = (
    F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d,
)  # fmt: skip
_LARGEST: tuple[Callable[..., torch.Tensor], ...] = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
_ADAPTIVE_LARGEST: tuple[Callable[..., torch.Tensor], ...] = (
    F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d,
)  # fmt: skip
_AVERAGE: tuple[Callable[..., torch.Tensor], ...] = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)


class Shortcut(nn.Module):
    """x + branch(x)."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the branch to its input."""
        return x + self.branch(x)


class LastStep(nn.Module):
    """The last output (n, width) of a recurrent module over sequences (n, time, features).

    ``nn.RNN`` returns its history and its state; in an ``nn.Sequential`` this takes what the next layer reads.

    >>> LastStep(nn.RNN(3, 8, batch_first=True))(torch.zeros(2, 5, 3)).shape
    torch.Size([2, 8])
    """

    def __init__(self, recurrent: nn.Module) -> None:
        super().__init__()
        self.recurrent = recurrent

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run over the sequence."""
        return self.recurrent(x)[0][:, -1]


class Weighted(nn.Module):
    """A dense layer (dimensions 0) or convolution; `gain_w` and `gain_b` multiply the parameters on use."""

    def __init__(
        self, fan_out: int, channels: int, layer: arch.Dense | arch.Convolution, ntk: bool, draw: Draw
    ) -> None:
        super().__init__()
        conv = layer if isinstance(layer, arch.Convolution) else None
        self.dimensions = 0 if conv is None else conv.dimensions
        self.sizes, self.pads = ((), ()) if conv is None else (conv.sizes, conv.pads)
        self.padding = "zeros" if conv is None else conv.padding
        self.groups = channels if conv is not None and conv.depthwise else 1
        steps = (1, 1) if conv is None else (conv.stride, conv.dilation)
        self.stride, self.dilation = (arch.per_dimension(one, self.dimensions) for one in steps)
        read = channels // self.groups
        shape = (fan_out, read, *self.sizes)
        scale_w = layer.sigma_w / math.sqrt(read * math.prod(self.sizes))
        self.gain_w, self.gain_b = (scale_w, layer.sigma_b) if ntk else (1.0, 1.0)
        weight = draw(shape) * (1.0 if ntk else scale_w)
        self.weight = nn.Parameter(weight, requires_grad=layer.trained_w)
        self.bias: nn.Parameter | None = None
        if layer.sigma_b > 0:
            bias = draw((fan_out,)) * (1.0 if ntk else layer.sigma_b)
            self.bias = nn.Parameter(bias, requires_grad=layer.trained_b)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the scaled weights."""
        weight = self.weight * self.gain_w
        bias = None if self.bias is None else self.bias * self.gain_b
        if self.dimensions == 0:
            return F.linear(x, weight, bias)
        if any(self.pads):
            mode = "constant" if self.padding == "zeros" else self.padding
            x = F.pad(x, [one for pad in reversed(self.pads) for one in (pad, pad)], mode=mode)
        run = (F.conv1d, F.conv2d, F.conv3d)[self.dimensions - 1]
        return run(x, weight, bias, stride=self.stride, dilation=self.dilation, groups=self.groups)


class Pointwise(nn.Module):
    """An activation of widelimit's catalogue or a parsed one."""

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        from widelimit.validate.harness.drawing.functions import torch_function

        self.function = torch_function(activation.pieces)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply phi to every unit."""
        return self.function(x)


class Cell(nn.Module):
    """h_t = phi(W h_(t-1) + V x_t + b) over a sequence (n, time, features), from zero; returns the last h_t."""

    def __init__(self, features: int, width: int, layer: arch.Recurrent, ntk: bool, draw: Draw) -> None:
        super().__init__()
        frozen = {"trained_w": layer.trained, "trained_b": layer.trained}
        self.recurrent = Weighted(width, width, arch.Dense(layer.sigma_w, 0.0, **frozen), ntk, draw)
        self.read = Weighted(width, features, arch.Dense(layer.sigma_v, layer.sigma_b, **frozen), ntk, draw)
        self.phi = Pointwise(layer.activation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run over the sequence."""
        h = self.phi(self.read(x[:, 0]))
        for t in range(1, x.shape[1]):
            h = self.phi(self.recurrent(h) + self.read(x[:, t]))
        return h


class Pool(nn.Module):
    """The average over all positions."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Average everything behind the channels."""
        return x.flatten(2).mean(-1)


class Windows(nn.Module):
    """Averages or maxima over windows of positions."""

    def __init__(self, layer: arch.AveragePool | arch.MaxPool) -> None:
        super().__init__()
        self.largest = isinstance(layer, arch.MaxPool)
        self.windows = layer.windows if isinstance(layer, arch.MaxPool) else layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Average, or take the largest."""
        one, place = self.windows, self.windows.dimensions - 1
        if one.outputs is not None:
            adaptive = (_ADAPTIVE_LARGEST if self.largest else _ADAPTIVE)[place]
            return adaptive(x, list(arch.per_dimension(one.outputs, one.dimensions)))
        size, pad = (list(arch.per_dimension(z, one.dimensions)) for z in (one.size, one.pad))
        if self.largest:
            return _LARGEST[place](x, size, list(one.strides), pad)
        return _AVERAGE[place](x, size, list(one.strides), pad, False, one.counts_pads)


class SelfAttention(nn.Module):
    """Softmax attention of heads of `head` units, over positions behind the channels; four weights without biases."""

    def __init__(self, layer: arch.Attention, weights: Sequence[nn.Module], head: int) -> None:
        super().__init__()
        self.weights, self.head, self.causal = nn.ModuleList(weights), head, layer.causal

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attend."""
        n, _, count = x.shape
        q, k, v = (
            w(x.transpose(1, 2)).view(n, count, -1, self.head).transpose(1, 2) for w in self.weights[:3]
        )
        out = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.weights[3](out.transpose(1, 2).reshape(n, count, -1)).transpose(1, 2)


class RootMeanSquare(nn.Module):
    """Units divided by the root of their mean square, times gains."""

    def __init__(self, channels: int, affine: bool, eps: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, dtype=torch.float64)) if affine else None
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise over axis 1."""
        out = x / (x.pow(2).mean(1, keepdim=True) + self.eps).sqrt()
        return out if self.gain is None else out * self.gain.view(-1, *[1] * (x.dim() - 2))


class Scaled(nn.Module):
    """Units times a number, then gains and shifts."""

    def __init__(self, channels: int, factor: float, trained: bool) -> None:
        super().__init__()
        self.factor = factor
        self.gain = nn.Parameter(torch.ones(channels, dtype=torch.float64)) if trained else None
        self.shift = nn.Parameter(torch.zeros(channels, dtype=torch.float64)) if trained else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply."""
        if self.gain is None or self.shift is None:
            return x * self.factor
        each = (-1, *[1] * (x.dim() - 2))
        return x * self.factor * self.gain.view(each) + self.shift.view(each)


class Sum(nn.Module):
    """The sum of several tensors."""

    def forward(self, *parts: torch.Tensor) -> torch.Tensor:
        """Add."""
        return torch.stack(torch.broadcast_tensors(*parts)).sum(0)


class Beside(nn.Module):
    """Units of several tensors side by side."""

    def forward(self, *parts: torch.Tensor) -> torch.Tensor:
        """Join axis 1."""
        return torch.cat(parts, 1)


class Wired(nn.Sequential):
    """Modules that read the outputs of others: `inputs` are their numbers, -1 for the input."""

    def __init__(self, modules: list[nn.Module], inputs: tuple[tuple[int, ...], ...]) -> None:
        super().__init__(*modules)
        self.inputs = inputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run them in order."""
        held = {-1: x}
        for place, (module, reads) in enumerate(zip(self, self.inputs, strict=True)):
            held[place] = module(*(held[one] for one in reads))
        return held[len(self.inputs) - 1]


class Normalise(nn.Module):
    """Zero mean and unit variance over the units of an input, positions included, or (`batch`) over the batch.

    Over the batch means over positions too. A trained gain and shift belong to a channel. `groups` of channels have
    means and variances of their own, `each` every position; `eps` is added to variances, 0 as theory has it.
    """

    def __init__(
        self, batch: bool, channels: int = 0, affine: bool = False, groups: int = 1, eps: float = 0.0,
        each: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.batch, self.groups, self.eps, self.each = batch, groups, eps, each
        self.gain = nn.Parameter(torch.ones(channels, dtype=torch.float64)) if affine else None
        self.shift = nn.Parameter(torch.zeros(channels, dtype=torch.float64)) if affine else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise."""
        parts = x if self.batch or self.groups == 1 else x.unflatten(1, (self.groups, -1))
        kept = (1,) if self.batch else (0,) if self.groups == 1 else (0, 1)
        axes = (1,) if self.each else tuple(axis for axis in range(parts.dim()) if axis not in kept)
        centred = parts - parts.mean(axes, keepdim=True)
        variance = centred.pow(2).mean(axes, keepdim=True) + self.eps
        out = (centred / variance.sqrt()).reshape(x.shape)
        if self.gain is None or self.shift is None:
            return out
        each = (-1, *[1] * (x.dim() - 2))
        return out * self.gain.view(each) + self.shift.view(each)


class Draw:
    """Standard-normal tensors from one generator, in order."""

    def __init__(self, generator: torch.Generator, dtype: torch.dtype) -> None:
        self.generator, self.dtype = generator, dtype

    def __call__(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Draw a tensor of this shape."""
        return torch.randn(shape, generator=self.generator, dtype=self.dtype, device=self.generator.device)


class _Unset(Draw):
    """Weights that are set afterwards."""

    def __init__(self) -> None:
        pass

    def __call__(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.empty(shape, device="meta")


UNSET = _Unset()
