"""How each layer of torch is read as a layer of `widelimit.theory.architecture`, or refused by its name.

`read(places, declared)` follows the units from layer to layer, so that layers that do not fit each other are refused
here. What it refuses it collects: one message says all that is in the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import nn

from widelimit.theory import architecture as arch
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import WidelimitError
from widelimit.validate.network.modules import LastStep, Shortcut
from widelimit.validate.network.walk import (
    CONVOLUTIONS,
    DROPPING,
    NORMALISATIONS,
    POINTWISE,
    POOLS,
    Place,
    flat,
    kind_of,
    tensor_problem,
    unknown,
)
from widelimit.validate.network.weights import Declared, Weights, numbers, recurrent_weights, scaled

SMALLEST_GROUP = 8  # channels of a group whose variance fluctuates by 2/8 = 1/4


@dataclass(frozen=True)
class Read:
    """A layer as theory knows it; `layer` is None for one that does nothing. `weights`: what it holds, if anything."""

    place: Place
    layer: arch.Layer | None
    weights: Weights | None = None
    branch: tuple[Read, ...] = ()


@dataclass
class Flow:
    """The units between two layers, None where they are not known, and the place that gave them.

    `spatial`: dimensions of positions; `positions`: how many there are, if a layer says so. `flattened`: units of every
    position stand in one vector. `ones`: how many axes of length 1 pooling left behind.
    `features`, `dimensions`: units and dimensions of positions of an input; `largest`: the longest filter.
    """

    units: int | None = None
    source: Place | None = None
    spatial: int = 0
    positions: int | None = None
    shape: tuple[int, ...] | None = None
    flattened: bool = False
    ones: int = 0
    features: int | None = None
    dimensions: int = 0
    largest: int = 1
    problems: list[str] = field(default_factory=list)

    def take(self, place: Place, units: int, what: str = "features") -> None:
        """A layer reads `units` of them: refused if the layer before gives another number."""
        given, where = self.units, _lower(self.source)
        if given is not None and self.flattened:
            count = units // given if units % given == 0 else None
            if count is None or (self.positions is not None and self.positions != count):
                of = f"{self.positions} positions" if self.positions else "every position"
                self.misfit(place, f"reads {units} {what}, but {where} gives {given} at {of}")
            self.positions = self.positions or count
        elif given is not None and given != units:
            self.misfit(place, f"reads {units} {what}, but {where} gives {given}")
        if self.features is None:
            self.features = units
        self.units, self.source, self.flattened = units, place, False

    def misfit(self, place: Place, text: str) -> None:
        """Note that a layer does not fit those before."""
        self.problems.append(f"Layer '{place.name}' ({type(place.layer).__name__}) {text}")


def read(places: list[Place], declared: Declared) -> tuple[list[Read], Flow]:
    """Read all layers; `Flow.problems` holds what is in the way."""
    spatial = _spatial(places)
    largest = max(
        (place.layer.kernel_size[0] for place in flat(places) if place.kind in CONVOLUTIONS), default=1
    )
    flow = Flow(spatial=spatial, dimensions=spatial, largest=largest)
    return _read_all(places, declared, flow), flow


def _read_all(places: list[Place] | tuple[Place, ...], declared: Declared, flow: Flow) -> list[Read]:
    found = []
    for place in places:
        try:
            found.append(_READERS[place.kind](place, declared, flow))
        except _Unknown as refusal:
            flow.problems.append(str(refusal))
            flow.units = None
        except WidelimitError as refusal:  # a layer of theory that cannot be
            flow.problems.append(
                unknown(place.name, place.layer, str(refusal)[:1].lower() + str(refusal)[1:].rstrip("."))
            )
            flow.units = None
    return found


class _Unknown(Exception):
    """A layer that theory does not know."""


def _refuse(place: Place, why: str) -> _Unknown:
    return _Unknown(unknown(place.name, place.layer, why))


def _spatial(places: list[Place]) -> int:
    """How many dimensions of positions the inputs have."""
    for place in flat(places):
        if place.kind in CONVOLUTIONS:
            return len(place.layer.kernel_size)
        if place.kind in (nn.Linear, nn.Flatten, LastStep):
            return 0
    return 0


def _nothing(place: Place, declared: Declared, flow: Flow) -> Read:
    return Read(place, None)


def _linear(place: Place, declared: Declared, flow: Flow) -> Read:
    layer = place.layer
    weight, bias = _tensors(place, 2)
    if flow.spatial:
        raise _refuse(
            place, "it reads the last axis of images or signals; put Flatten or AdaptiveAvgPool before it"
        )
    if flow.ones:
        raise _refuse(
            place, "it reads the axis of length 1 that pooling leaves behind; put Flatten before it"
        )
    flow.take(place, layer.weight.shape[1])
    flow.units = layer.weight.shape[0]
    weights = _scaled(place, weight, bias, declared)
    trained = (layer.weight.requires_grad, bias is None or layer.bias.requires_grad)
    return Read(place, arch.Dense(weights.sigma_w, weights.sigma_b, weight.shape[0], *trained), weights)


def _convolution(place: Place, declared: Declared, flow: Flow) -> Read:
    layer = place.layer
    sizes, dimensions = set(layer.kernel_size), len(layer.kernel_size)
    size = layer.kernel_size[0]
    if len(sizes) != 1 or size % 2 == 0:
        raise _refuse(place, f"kernel size {layer.kernel_size} is not one odd number")
    for setting, plain in (("stride", 1), ("dilation", 1)):
        if set(getattr(layer, setting)) != {plain}:
            raise _refuse(place, f"{setting} {getattr(layer, setting)} is not {plain}")
    if layer.groups != 1:
        raise _refuse(place, f"groups {layer.groups} is not 1")
    if (
        layer.padding != "same"
        and not (layer.padding == "valid" and size == 1)
        and set(layer.padding) != {size // 2}
    ):
        raise _refuse(place, f"padding {layer.padding} does not keep the size")
    if layer.padding_mode not in ("zeros", "circular"):
        raise _refuse(place, f"padding mode {layer.padding_mode!r}")
    weight, bias = _tensors(place, 2 + dimensions)
    if tuple(layer.weight.shape[2:]) != tuple(layer.kernel_size):
        raise _refuse(
            place, f"its weight has the shape {tuple(layer.weight.shape)}, not that of its kernel size"
        )
    if flow.spatial != dimensions or flow.flattened:
        raise _refuse(
            place,
            f"it needs {dimensions} dimension(s) of positions, which {_lower(flow.source)} does not give",
        )
    flow.take(place, layer.weight.shape[1], "channels")
    flow.units = layer.weight.shape[0]
    weights = _scaled(place, weight, bias, declared)
    trained = (layer.weight.requires_grad, bias is None or layer.bias.requires_grad)
    return Read(
        place,
        arch.Convolution(
            size,
            weights.sigma_w,
            weights.sigma_b,
            dimensions,
            layer.padding_mode,
            layer.weight.shape[0],
            *trained,
        ),
        weights,
    )


def _lower(source: Place | None) -> str:
    return "the input" if source is None else str(source)


def _tensors(place: Place, dimensions: int) -> tuple[Any, Any]:
    """Weight as (fan-out, fan-in) and bias of a layer, in double precision; refused where they cannot be read."""
    layer = place.layer
    for name in ("weight", "bias"):
        if problem := tensor_problem(layer, name):
            raise _refuse(place, problem)
    if layer.weight.dim() != dimensions or (
        layer.bias is not None and layer.bias.shape != layer.weight.shape[:1]
    ):
        raise _refuse(place, f"its weight has the shape {tuple(layer.weight.shape)}")
    weight = _finite(place, "weight")
    return weight.reshape(len(weight), -1), None if layer.bias is None else _finite(place, "bias")


def _scaled(place: Place, weight: np.ndarray, bias: np.ndarray | None, declared: Declared) -> Weights:
    if not weight.any() and not declared.next_is_declared:
        raise _refuse(
            place, "its weight holds zero alone: there is no scale to read off; draw it, or declare `sigma_w`"
        )
    return scaled(place, weight, bias, declared)


def _finite(place: Place, name: str) -> np.ndarray:
    """The numbers of a parameter, refused if one of them is none."""
    values = numbers(place.layer._parameters[name])
    for bad, what in ((np.isnan(values), "NaN"), (np.isinf(values), "inf")):
        if bad.any():
            raise _Unknown(
                f"Argument `module` must hold finite numbers, but layer {place.name}: {name} holds {what} "
                f"({int(bad.sum())} of {bad.size})"
            )
    return values


def _recurrent(place: Place, declared: Declared, flow: Flow) -> Read:
    layer = place.layer.recurrent if place.kind is LastStep else place.layer
    kind, why = kind_of(layer)
    if kind is not nn.RNN:
        raise _refuse(Place(place.name, layer, nn.Module), why or "of recurrent modules only nn.RNN")
    place = Place(place.name, layer, place.kind)
    wrong = [
        f"{setting}={plain}"
        for setting, plain in (("num_layers", 1), ("bidirectional", False), ("batch_first", True))
        if getattr(layer, setting) != plain
    ]
    if place.kind is not LastStep:
        wrong_too = f" (and only with {', '.join(wrong)})" if wrong else ""
        raise _refuse(
            place, f"it returns its history and its state; put it into widelimit's LastStep{wrong_too}"
        )
    if wrong:
        raise _refuse(place, f"only with {', '.join(wrong)}")
    if flow.source is not None or flow.units is not None:
        raise _refuse(place, "it reads a sequence and has to be the first layer")
    names = [
        name
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        if name in layer._parameters
    ]
    for name in names:
        if problem := tensor_problem(layer, name):
            raise _refuse(place, problem)
    trained = {layer._parameters[name].requires_grad for name in names}
    if len(trained) > 1:
        raise _refuse(place, "some of its parameters are frozen and some are trained; freeze all or none")
    flow.take(place, layer.input_size)
    flow.units = layer.hidden_size
    weights = recurrent_weights(place, {name: _finite(place, name) for name in names}, declared)
    return Read(
        place,
        arch.Recurrent(
            Activation.of(layer.nonlinearity), weights.sigma_w, weights.sigma_v, weights.sigma_b, layer.hidden_size,
            trained.pop(),
        ),
        weights,
    )  # fmt: skip


def _shortcut(place: Place, declared: Declared, flow: Flow) -> Read:
    before, source = flow.units, flow.source
    spatial, problems = flow.spatial, len(flow.problems)
    branch = _read_all(place.branch, declared, flow)
    if len(flow.problems) > problems or not place.branch:
        if not place.branch:
            raise _refuse(place, "its branch holds no layer that theory knows")
        return Read(place, None, None, tuple(branch))
    if before is None and source is None:
        before = flow.features
    if before is not None and (flow.units != before or flow.spatial != spatial or flow.flattened):
        flow.misfit(place, f"adds a branch that gives {flow.units} units to the {before} of {_lower(source)}")
    layers = tuple(one.layer for one in branch if one.layer is not None)
    flow.source = place
    return Read(place, arch.Residual(layers), None, tuple(branch))


def _dropout(place: Place, declared: Declared, flow: Flow) -> Read:
    if not place.layer.training or place.layer.p == 0:
        return Read(place, None)
    if place.kind is not nn.Dropout:
        raise _refuse(
            place, "it drops whole channels or shifts units; in evaluation, behind eval(), it does nothing"
        )
    if place.layer.p == 1.0:
        raise _refuse(place, "it drops every unit")
    return Read(place, arch.Dropout(1.0 - place.layer.p))


def _normalisation(place: Place, declared: Declared, flow: Flow) -> Read:
    layer = place.layer
    affine = _affine(place)
    if place.kind is nn.LayerNorm:
        if len(layer.normalized_shape) != 1 + flow.spatial:
            raise _refuse(
                place, f"over {layer.normalized_shape}, not over everything behind the batch, its statistics are "
                "those of a position"
            )  # fmt: skip
        if flow.ones:
            raise _refuse(
                place, "it reads the axis of length 1 that pooling leaves behind; put Flatten before it"
            )
        flow.take(place, layer.normalized_shape[0], "units")
        if flow.spatial:
            _positions(place, tuple(layer.normalized_shape[1:]), flow)
        return Read(place, arch.LayerNorm(affine=affine))
    if place.kind is nn.GroupNorm:
        flow.take(place, layer.num_channels, "channels")
        group = layer.num_channels // layer.num_groups
        if group < SMALLEST_GROUP:
            raise _refuse(
                place, f"statistics of groups of {group} channels fluctuate from group to group; they need "
                f"{SMALLEST_GROUP} at least"
            )  # fmt: skip
        return Read(place, arch.LayerNorm(affine=affine))
    if not layer.training and layer.running_mean is not None:
        raise _refuse(place, "in evaluation it divides by running averages; call train() on the module")
    if (place.kind is nn.BatchNorm2d) != (flow.spatial + flow.ones == 2):
        raise _refuse(place, f"it does not read units with {flow.spatial} dimension(s) of positions")
    flow.take(place, layer.num_features, "channels")
    return Read(place, arch.BatchNorm(affine=affine))


def _positions(place: Place, shape: tuple[int, ...], flow: Flow) -> None:
    """A normalisation over images says how large they are."""
    if flow.shape is not None and flow.shape != shape:
        flow.misfit(place, f"reads positions {shape}, but a normalisation before it reads {flow.shape}")
    flow.shape, flow.positions = shape, math.prod(shape)


def _affine(place: Place) -> bool:
    """Whether gain and shift are trained; they have to start as gain 1 and shift 0, as theory assumes."""
    layer, trained = place.layer, []
    for name, plain in (("weight", 1.0), ("bias", 0.0)):
        if problem := tensor_problem(layer, name):
            raise _refuse(place, problem)
        value = layer._parameters.get(name)
        if value is not None and not bool((value.detach() == plain).all()):
            raise _refuse(place, f"its {'gain is not 1' if plain else 'shift is not 0'} everywhere")
        trained.append(value is not None and value.requires_grad)
    if trained[0] != trained[1]:
        raise _refuse(place, "of its gain and its shift one is trained alone; train or freeze both")
    return trained[0]


def _flatten(place: Place, declared: Declared, flow: Flow) -> Read:
    layer = place.layer
    if (layer.start_dim, layer.end_dim) != (1, -1):
        raise _refuse(place, f"from {layer.start_dim} to {layer.end_dim}, not everything behind the batch")
    flow.flattened = flow.flattened or (flow.spatial > 0 and flow.units is not None)
    flow.spatial = flow.ones = 0
    return Read(place, arch.Flatten())


def _pool(place: Place, declared: Declared, flow: Flow) -> Read:
    if place.layer.output_size not in (1, (1,), (1, 1), [1], [1, 1]):
        raise _refuse(place, "only with output size 1, the average over all positions")
    dimensions = 1 if place.kind is nn.AdaptiveAvgPool1d else 2
    if flow.spatial != dimensions:
        raise _refuse(
            place, f"it averages over {dimensions} dimension(s) of positions, and finds {flow.spatial}"
        )
    flow.spatial, flow.ones = 0, dimensions
    return Read(place, arch.GlobalAveragePool())


def _act(place: Place, declared: Declared, flow: Flow) -> Read:
    return Read(place, arch.Act(_activation(place)))


def _activation(place: Place) -> Activation:
    """What a pointwise module does to a unit, by the catalogue that all doors share."""
    layer, kind = place.layer, place.kind
    if kind is nn.PReLU:
        if problem := tensor_problem(layer, "weight"):
            raise _refuse(place, problem)
        if layer.weight.requires_grad:
            raise _refuse(
                place, "its slope is trained, which adds a term of its own to the tangent kernel; freeze it"
            )
        if layer.weight.numel() > 1:
            raise _refuse(place, "it has a slope for every channel; write one slope as LeakyReLU")
    if kind is nn.Hardtanh and math.inf in (-layer.min_val, layer.max_val):
        text = "x" if layer.min_val == -math.inf else f"max(x, {float(layer.min_val)!r})"
        return Activation.of(text if layer.max_val == math.inf else f"min({text}, {float(layer.max_val)!r})")
    try:
        return Activation.of(layer)
    except WidelimitError as error:
        raise _refuse(place, str(error).rstrip(".")) from None


_READERS: dict[type[nn.Module], Callable[[Place, Declared, Flow], Read]] = {
    nn.Linear: _linear, nn.RNN: _recurrent, LastStep: _recurrent, Shortcut: _shortcut, nn.Flatten: _flatten,
    nn.Identity: _nothing, **dict.fromkeys(CONVOLUTIONS, _convolution), **dict.fromkeys(NORMALISATIONS, _normalisation),
    **dict.fromkeys(POOLS, _pool), **dict.fromkeys(DROPPING, _dropout), **dict.fromkeys(POINTWISE, _act),
}  # fmt: skip


def gains_of_positions(found: list[Read]) -> list[str]:
    """Gains of ``nn.LayerNorm`` over images belong to a position; those that the kernels know are shared by all."""
    why = (
        "its gain of every position, in a network that pools; use elementwise_affine=False or GroupNorm, whose gains "
        "belong to channels"
    )
    return [
        unknown(one.place.name, one.place.layer, why)
        for one in every(found)
        if one.place.kind is nn.LayerNorm
        and len(one.place.layer.normalized_shape) > 1
        and one.place.layer.elementwise_affine
    ]


def every(found: list[Read] | tuple[Read, ...]) -> Iterator[Read]:
    """All layers that were read, those inside branches too."""
    for one in found:
        yield one
        yield from every(one.branch)
