"""How each layer of torch is read as a layer of `widelimit.theory.architecture`, or refused by its name."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from torch import nn

from widelimit.theory import architecture as arch
from widelimit.theory.activation import Activation
from widelimit.theory.errors import DomainError
from widelimit.validate.modules import LastStep, Shortcut

SMALLEST_GROUP = 8  # channels of a group whose variance fluctuates by 2/8 = 1/4


def leaves(module: nn.Module, prefix: str) -> Iterator[tuple[str, Any]]:
    """The layers of nested ``nn.Sequential`` in order, with the names that torch gives them."""
    if isinstance(module, nn.Sequential):
        for name, child in module.named_children():
            yield from leaves(child, f"{prefix}.{name}" if prefix else name)
    else:
        yield prefix or type(module).__name__, module


def spatial_behind(layer: arch.Layer, before: int) -> int:
    """How many dimensions of positions units have behind a layer."""
    if isinstance(layer, arch.Convolution):
        return layer.dimensions
    return 0 if isinstance(layer, arch.Flatten | arch.GlobalAveragePool) else before


def read(
    name: str, layer: Any, sigma_w: float | None, sigma_b: float | None, spatial: int
) -> arch.Layer | None:
    """The layer as theory knows it, None for one that does nothing; `spatial` dimensions of positions come in.

    Scales that are None are estimated from the weights. Raises `DomainError` naming the layer.
    """
    if isinstance(layer, Shortcut):
        branch = tuple(
            one
            for n, child in leaves(layer.branch, name)
            if (one := read(n, child, sigma_w, sigma_b, spatial)) is not None
        )
        return arch.Residual(branch)
    if isinstance(layer, LastStep):
        return _read_recurrent(name, layer.recurrent, sigma_w, sigma_b)
    if isinstance(layer, nn.RNNBase):
        raise _unknown(name, layer, "it returns its history and its state; put it into widelimit's LastStep")
    if isinstance(layer, nn.Linear):
        return arch.Dense(*_scales(layer, layer.in_features, sigma_w, sigma_b), width=layer.out_features)
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return _read_convolution(name, layer, sigma_w, sigma_b)
    if isinstance(layer, nn.Dropout):
        if layer.p == 1.0:
            raise _unknown(name, layer, "it drops every unit")
        return arch.Dropout(1.0 - layer.p) if layer.training else None
    if isinstance(layer, nn.LayerNorm | nn.GroupNorm | nn.BatchNorm1d | nn.BatchNorm2d):
        return _read_normalisation(name, layer, spatial)
    if isinstance(layer, nn.InstanceNorm1d | nn.InstanceNorm2d):
        raise _unknown(name, layer, "a channel's statistics over its positions stay random in wide networks")
    if isinstance(layer, nn.Flatten):
        if (layer.start_dim, layer.end_dim) != (1, -1):
            raise _unknown(
                name, layer, f"from {layer.start_dim} to {layer.end_dim}, not everything behind the batch"
            )
        return arch.Flatten()
    if isinstance(layer, nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d):
        if layer.output_size not in (1, (1,), (1, 1)):
            raise _unknown(name, layer, "only with output size 1, the average over all positions")
        return arch.GlobalAveragePool()
    if isinstance(layer, nn.Identity):
        return None
    return arch.Act(_read_activation(name, layer))


def _unknown(name: str, layer: Any, why: str) -> DomainError:
    return DomainError(
        f"Layer '{name}' ({type(layer).__name__}) is not known to the theory: {why}. Known are Linear, Conv1d, Conv2d, "
        "Dropout, LayerNorm, GroupNorm, BatchNorm1d, BatchNorm2d, Flatten, AdaptiveAvgPool, Identity, pointwise "
        "activations, nested "
        "Sequential and, from widelimit.validate.modules, Shortcut(branch) and LastStep(nn.RNN)."
    )


def _read_normalisation(name: str, layer: Any, spatial: int) -> arch.LayerNorm | arch.BatchNorm:
    if isinstance(layer, nn.LayerNorm):
        if len(layer.normalized_shape) != 1 + spatial:
            raise _unknown(
                name, layer, f"over {layer.normalized_shape}, not over everything behind the batch, its statistics are "
                "those of one channel or position",
            )  # fmt: skip
        return arch.LayerNorm(affine=layer.elementwise_affine)
    if isinstance(layer, nn.GroupNorm):
        group = layer.num_channels // layer.num_groups
        if group < SMALLEST_GROUP:
            raise _unknown(
                name, layer, f"statistics of groups of {group} channels fluctuate from group to group; they need "
                f"{SMALLEST_GROUP} at least"
            )  # fmt: skip
        return arch.LayerNorm(affine=layer.affine)
    if not layer.training and layer.running_mean is not None:
        raise _unknown(
            name, layer, "in evaluation it divides by running averages; call train() on the module"
        )
    return arch.BatchNorm(affine=layer.affine)


def refuse_gains_of_positions(module: nn.Module) -> None:
    """Gains of ``nn.LayerNorm`` over images belong to a position; those that the kernels know are shared by all."""
    for name, layer in module.named_modules():
        if isinstance(layer, nn.LayerNorm) and len(layer.normalized_shape) > 1 and layer.elementwise_affine:
            raise _unknown(
                name, layer, "its gain of every position, in a network that pools; use elementwise_affine=False or "
                "GroupNorm, whose gains belong to channels"
            )  # fmt: skip


def _read_recurrent(
    name: str, layer: nn.Module, sigma_w: float | None, sigma_b: float | None
) -> arch.Recurrent:
    if not isinstance(layer, nn.RNN):
        raise _unknown(name, layer, "of recurrent modules only nn.RNN")
    for setting, plain in (("num_layers", 1), ("bidirectional", False), ("batch_first", True)):
        if getattr(layer, setting) != plain:
            raise _unknown(name, layer, f"only with {setting}={plain}")
    parameters = {key: value.detach().double() for key, value in layer.named_parameters()}
    read, kept = parameters["weight_ih_l0"], parameters["weight_hh_l0"]
    sigma_v = sigma_w
    if sigma_w is None or sigma_v is None:
        sigma_w = math.sqrt(layer.hidden_size * float(kept.pow(2).mean()))
        sigma_v = math.sqrt(layer.input_size * float(read.pow(2).mean()))
    if not layer.bias:
        sigma_b = 0.0
    elif sigma_b is None:  # torch has two biases, which add
        biases = (parameters["bias_ih_l0"], parameters["bias_hh_l0"])
        sigma_b = math.sqrt(sum(float(b.pow(2).mean()) for b in biases))
    return arch.Recurrent(Activation.of(layer.nonlinearity), sigma_w, sigma_v, sigma_b, layer.hidden_size)


def _read_convolution(
    name: str, layer: Any, sigma_w: float | None, sigma_b: float | None
) -> arch.Convolution:
    sizes, dimensions = set(layer.kernel_size), len(layer.kernel_size)
    size = layer.kernel_size[0]
    if len(sizes) != 1 or size % 2 == 0:
        raise _unknown(name, layer, f"kernel size {layer.kernel_size} is not one odd number")
    for setting, plain in (("stride", 1), ("dilation", 1)):
        if set(getattr(layer, setting)) != {plain}:
            raise _unknown(name, layer, f"{setting} {getattr(layer, setting)} is not {plain}")
    if layer.groups != 1:
        raise _unknown(name, layer, f"groups {layer.groups} is not 1")
    if layer.padding != "same" and set(layer.padding) != {size // 2}:
        raise _unknown(name, layer, f"padding {layer.padding} does not keep the size")
    if layer.padding_mode not in ("zeros", "circular"):
        raise _unknown(name, layer, f"padding mode {layer.padding_mode!r}")
    fan_in = layer.in_channels * size**dimensions
    scales = _scales(layer, fan_in, sigma_w, sigma_b)
    return arch.Convolution(
        size, *scales, dimensions=dimensions, padding=layer.padding_mode, width=layer.out_channels
    )


def _scales(layer: Any, fan_in: int, sigma_w: float | None, sigma_b: float | None) -> tuple[float, float]:
    if sigma_w is None:
        sigma_w = math.sqrt(fan_in * float(layer.weight.detach().double().pow(2).mean()))
    if layer.bias is None:
        return sigma_w, 0.0
    if sigma_b is None:
        sigma_b = math.sqrt(float(layer.bias.detach().double().pow(2).mean()))
    return sigma_w, sigma_b


def _read_activation(name: str, layer: Any) -> Activation:
    plain = {
        nn.ReLU: "relu", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid", nn.SiLU: "swish", nn.ReLU6: "min(max(x, 0), 6)",
        nn.Softsign: "x/(1 + abs(x))", nn.Tanhshrink: "x - tanh(x)", nn.Mish: "x*tanh(log(1 + exp(x)))",
        nn.SELU: "1.0507009873554805*(max(x, 0) + 1.6732632423543773*(exp(min(x, 0)) - 1))",
    }  # fmt: skip
    if type(layer) in plain:
        return Activation.of(plain[type(layer)])
    if isinstance(layer, nn.LeakyReLU):
        return Activation.of(f"leaky_relu({layer.negative_slope!r})")
    if isinstance(layer, nn.GELU):
        if layer.approximate != "none":
            return Activation.of("x/2*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))")
        return Activation.of("gelu")
    if isinstance(layer, nn.ELU):
        return Activation.of(
            "elu" if layer.alpha == 1.0 else f"max(x, 0) + {layer.alpha!r}*(exp(min(x, 0)) - 1)"
        )
    if isinstance(layer, nn.Softplus):
        return Activation.of(
            "softplus" if layer.beta == 1.0 else f"log(1 + exp({layer.beta!r}*x))/{layer.beta!r}"
        )
    if isinstance(layer, nn.Hardtanh):
        return Activation.of(f"min(max(x, {layer.min_val!r}), {layer.max_val!r})")
    raise _unknown(name, layer, "no rule for its kernels")
