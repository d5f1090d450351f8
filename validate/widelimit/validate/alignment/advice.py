"""Advice for a network of a user's: what local feedback will come to in every layer, and what has to be tuned again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from widelimit.numerics import alignment, arguments
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError, WidelimitError
from widelimit.validate.alignment import measured
from widelimit.validate.alignment.change import RULES, Coefficients

_UNEVEN = 2.0  # factor between the largest steps of layers above which one learning rate does not suit all
_POOR = 0.9  # cosine below which centring is worth a word


@by_value
@dataclass(frozen=True)
class LayerAdvice:
    """What each rule comes to in one layer, for the layer's weights and the inputs measured on the batch.

    `covariance`: C, the mean of x x^T over inputs (of a convolution: over patches). By rule: `cosine` of the feedback
    at rest with W^T; `centred` the same if means are taken off the inputs; `largest_step`, the learning rate of the
    feedback beyond which it diverges, with batches of the size asked for; `floor` = E|B - B*|^2 by the noise of such
    batches, for Gaussian inputs, and `noisy_cosine` what it leaves of the cosine (0 beyond the largest step).
    """

    name: str
    fan_in: int
    fan_out: int
    covariance: np.ndarray
    cosine: Mapping[str, float]
    centred: Mapping[str, float]
    largest_step: Mapping[str, float]
    floor: Mapping[str, float]
    noisy_cosine: Mapping[str, float]


@by_value
@dataclass(frozen=True)
class Advice:
    """Advice for a network, layer by layer in the order in which they run.

    By rule: `signal`, the predicted cosine of the error signal at the first layer with that of backpropagation: the
    product of the cosines of the layers above it; `measured_signal`, the same measured on this network and batch with
    feedback at rest. `retune`: sentences on what has to be tuned again.
    """

    layers: tuple[LayerAdvice, ...]
    signal: Mapping[str, float]
    measured_signal: Mapping[str, float]
    retune: tuple[str, ...]


def advise(
    module: nn.Module,
    x: Any,
    *,
    batch: int | None = None,
    learning_rate: float = 0.01,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 0.1,
) -> Advice:
    """Predict what five local rules of feedback will come to in the linear and convolution layers of a network.

    The network runs once, as a copy in evaluation mode, to measure the inputs of every layer; it stays as it is.

    Args:
        module: any torch module with ``torch.nn.Linear`` or plain ``torch.nn.Conv2d`` layers, its weights as they are.
        x: a batch of inputs that the module takes, a tensor or an array.
        batch: inputs in each step of training, for noise and largest steps (default: as many as `x` has).
        learning_rate: of the feedback.
        alpha, beta, gamma: coefficients of the rules (`numerics.alignment.fixed_point`).

    Raises `ArgumentError` for what is no such module, inputs that it does not take, coefficients that are not positive.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> net = torch.nn.Sequential(torch.nn.Linear(20, 100), torch.nn.ReLU(), torch.nn.Linear(100, 5)).double()
    >>> advice = advise(net, torch.randn(2000, 20), batch=50)
    >>> behind = advice.layers[1]
    >>> behind.cosine["mirror"] < 0.4 < behind.centred["mirror"]  # the mean of ReLU's outputs is in the way
    True
    """
    step = arguments.positive_number("learning_rate", learning_rate)
    checked = [Coefficients(rule, alpha, beta, gamma) for rule in RULES]
    whole, layers, inputs = measured.run(module, x)
    drawn = len(inputs) if batch is None else arguments.count("batch", batch)
    told, feedback = [], []
    for layer in layers:
        advice, rests = _layer(layer, checked, step, drawn)
        told.append(advice)
        feedback.append(rests)
    names = [layer.name for layer in layers]
    above = {rule: [one.cosine[rule] for one in told[1:]] for rule in RULES}
    signal = {rule: alignment.depth(cosines) if cosines else 1.0 for rule, cosines in above.items()}
    true = measured.signal(whole, layers, inputs, None).double()
    seen = {}
    for rule in RULES:
        given = {name: rests[rule] for name, rests in zip(names, feedback, strict=True)}
        fed = measured.signal(whole, layers, inputs, given).double()
        norm = float(true.norm() * fed.norm())
        seen[rule] = min(1.0, float((true * fed).sum()) / norm) if norm > 0 else 0.0
    return Advice(tuple(told), signal, seen, tuple(_retune(told, step)))


def _layer(
    layer: measured.Layer, rules: list[Coefficients], step: float, batch: int
) -> tuple[LayerAdvice, dict[str, np.ndarray]]:
    """Advice for one layer, and the feedback at rest of each rule."""
    w = layer.weights
    plain, middle = layer.covariance(), layer.covariance(centred=True)
    found: dict[str, dict[str, float]] = {
        name: {} for name in ("cosine", "centred", "step", "floor", "noisy")
    }
    rests = {}
    for one in rules:
        given = {"alpha": one.alpha, "beta": one.beta, "gamma": one.gamma}
        rest = _fixed(layer.name, one.rule, w, plain, given | {"learning_rate": step, "batch": batch})
        rests[one.rule] = rest.backward
        found["cosine"][one.rule] = rest.cosine
        found["centred"][one.rule] = _centred(one.rule, w, middle, given)
        found["step"][one.rule] = rest.largest_step
        floor = found["floor"][one.rule] = float(rest.floor if rest.floor is not None else 0.0)
        size = float(np.sum(rest.backward**2))
        found["noisy"][one.rule] = rest.cosine / float(np.sqrt(1 + floor / size)) if size > 0 else 0.0
    advice = LayerAdvice(
        layer.name, w.shape[1], w.shape[0], plain, found["cosine"], found["centred"], found["step"], found["floor"],
        found["noisy"],
    )  # fmt: skip
    return advice, rests


def _fixed(name: str, rule: str, w: np.ndarray, c: np.ndarray, given: dict[str, Any]) -> alignment.FixedPoint:
    """Feedback at rest; what is wrong with a layer is told by its name."""
    try:
        return alignment.fixed_point(rule, w, covariance=c, **given)
    except WidelimitError as error:
        raise ArgumentError(
            "module", "must have layers that pass something on", but=f"layer '{name}' does not: {error}"
        ) from None


def _centred(rule: str, w: np.ndarray, c: np.ndarray, given: dict[str, Any]) -> float:
    """The cosine about the mean; 0 where nothing but the mean is there."""
    try:
        return alignment.fixed_point(rule, w, covariance=c, **given).cosine
    except WidelimitError:
        return 0.0


def _retune(layers: list[LayerAdvice], step: float) -> list[str]:
    """What has to be tuned again, in sentences."""
    said = []
    for rule in RULES:
        steps = {one.name: one.largest_step[rule] for one in layers}
        low, high = min(steps, key=steps.__getitem__), max(steps, key=steps.__getitem__)
        over = [name for name, largest in steps.items() if step >= largest]
        if over:
            where = f"layer{'s' * (len(over) > 1)} {', '.join(map(repr, over))}"
            said.append(
                f"{rule}: the learning rate {step:.3g} diverges in {where}; stay below {steps[low]:.3g}."
            )
        if steps[high] > _UNEVEN * steps[low]:
            said.append(
                f"{rule}: the largest step is {steps[low]:.3g} in layer {low!r} and {steps[high]:.3g} in {high!r}; "
                "tune the learning rate of the feedback for each layer."
            )
    for one in layers:
        if one.cosine["mirror"] < min(_POOR, one.centred["mirror"]):
            said.append(
                f"mirror: the cosine in layer {one.name!r} is {one.cosine['mirror']:.3g}, and would be "
                f"{one.centred['mirror']:.3g} with centred inputs; take off their mean."
            )
        if one.cosine["information"] < _POOR:
            said.append(
                f"information: the cosine in layer {one.name!r} is {one.cosine['information']:.3g}; a larger "
                "gamma/beta brings the feedback nearer to the transpose, a smaller one nearer to the pseudo-inverse."
            )
    return said
