"""Recurrent layers, whose last step is read."""

from __future__ import annotations

from torch import nn

from widelimit.theory import architecture as arch
from widelimit.theory.calculus.activation import Activation
from widelimit.validate.network.kinds.tensors import finite
from widelimit.validate.network.kinds.weighted import with_weights
from widelimit.validate.network.parts import UNSET, Cell, LastStep
from widelimit.validate.network.registry import Drawing, Flow, Kind, Read, Space, refuse, register
from widelimit.validate.network.walk import Place, kind_of, tensor_problem
from widelimit.validate.network.weights import Declared, recurrent_weights


def _recurrent(place: Place, declared: Declared, flow: Flow) -> Read:
    layer = place.layer.recurrent if place.kind is LastStep else place.layer
    kind, why = kind_of(layer)
    if kind is not nn.RNN:
        raise refuse(Place(place.name, layer, nn.Module), why or "of recurrent modules only nn.RNN")
    place = Place(place.name, layer, place.kind)
    wrong = [
        f"{setting}={plain}"
        for setting, plain in (("num_layers", 1), ("bidirectional", False), ("batch_first", True))
        if getattr(layer, setting) != plain
    ]
    if place.kind is not LastStep:
        wrong_too = f" (and only with {', '.join(wrong)})" if wrong else ""
        raise refuse(
            place, f"it returns its history and its state; put it into widelimit's LastStep{wrong_too}"
        )
    if wrong:
        raise refuse(place, f"only with {', '.join(wrong)}")
    if flow.source is not None or flow.units is not None:
        raise refuse(place, "it reads a sequence and has to be the first layer")
    names = [
        name
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        if name in layer._parameters
    ]
    for name in names:
        if problem := tensor_problem(layer, name):
            raise refuse(place, problem)
    trained = {layer._parameters[name].requires_grad for name in names}
    if len(trained) > 1:
        raise refuse(place, "some of its parameters are frozen and some are trained; freeze all or none")
    flow.take(place, layer.input_size)
    flow.units = layer.hidden_size
    weights = recurrent_weights(place, {name: finite(place, name) for name in names}, declared)
    return Read(
        place,
        arch.Recurrent(
            Activation.of(layer.nonlinearity), weights.sigma_w, weights.sigma_v, weights.sigma_b, layer.hidden_size,
            trained.pop(),
        ),
        weights,
    )  # fmt: skip


def _drawn(
    layer: arch.Recurrent, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    out = layer.width or drawing.width
    return Cell(space.channels, out, layer, drawing.ntk, drawing.draw), Space(out)


def _rebuilt(one: Read, place: Place) -> nn.Module:
    assert isinstance(one.layer, arch.Recurrent)
    rnn = place.layer.recurrent
    own = Cell(rnn.input_size, rnn.hidden_size, one.layer, False, UNSET)
    own.recurrent = with_weights(arch.Dense(), rnn.weight_hh_l0, None)
    own.read = with_weights(
        arch.Dense(), rnn.weight_ih_l0, rnn.bias_ih_l0 + rnn.bias_hh_l0 if rnn.bias else None
    )
    return own


register(
    Kind(
        arch.Recurrent,
        torch=(nn.RNN, LastStep),
        listed="",
        read=_recurrent,
        drawn=_drawn,
        rebuilt=_rebuilt,
        example=((arch.Recurrent(Activation.of("tanh"), 1.2, 0.9, 0.2),), (4, 5)),
        spatial=lambda module: 0,
    )
)
