"""The statistics of Fisher matrices layer by layer, up and down a network: activities, gradients, their pairs."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.kernel.maps import moments
from widelimit.numerics.results import by_value
from widelimit.theory import fisher as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, DomainError

SECONDS = 0.02  # of a layer
_ROUNDING = 1e-9  # of overlaps taken from data


@by_value
@dataclass(frozen=True)
class Propagation:
    """Forward and backward statistics per layer; entry l-1 of each list belongs to the weights of layer l.

    `forward` (of the activities below the weights) and `backward` for one input, `_pair` for two different ones.
    `sigma_w2`: sigma_w^2 of the weights. Of the hidden layers, one entry less: `activations`, `lengths` q of the
    pre-activations, `correlations` of two inputs, `slope_pair` = E phi'(u) phi'(v).
    """

    activations: tuple[Activation, ...]
    widths: np.ndarray
    forward: np.ndarray
    forward_pair: np.ndarray
    backward: np.ndarray
    backward_pair: np.ndarray
    sigma_w2: np.ndarray
    lengths: np.ndarray
    correlations: np.ndarray
    slope_pair: np.ndarray


def propagation(
    activation: str | Activation | Sequence[str | Activation],
    *,
    sigma_w: Any,
    sigma_b: Any,
    widths: Any,
    input_moment: float,
    input_overlap: float,
) -> Propagation:
    """Run the statistics up and down a network with `widths` (input, hidden layers ...), karakida2019universal
    eqs. (6-10). `activation`: one, or one for each hidden layer ("linear" where none stands). `sigma_w`, `sigma_b`:
    numbers, or one for each weighted layer, the readout last.

    Raises `ArgumentError` for wrong arguments, `DomainError` where a variance vanishes or overflows.

    >>> run = propagation("relu", sigma_w=2**0.5, sigma_b=0.0, widths=[100, 50], input_moment=1.0, input_overlap=0.0)
    >>> run.forward.round(6).tolist(), run.forward_pair.round(6).tolist()  # two orthogonal inputs: 1/pi
    ([1.0, 1.0], [0.0, 0.31831])
    >>> run.backward.round(6).tolist(), run.backward_pair.round(6).tolist()
    ([1.0, 1.0], [0.5, 1.0])
    """
    moment = arguments.positive_number("input_moment", input_moment)
    overlap = arguments.number_within("input_overlap", input_overlap, -moment, moment)
    widths = arguments.positive("widths", arguments.vector("widths", widths))
    arguments.squared("widths", widths)
    sw2 = _each_layer(
        "sigma_w", arguments.squared("sigma_w", arguments.positive("sigma_w", sigma_w)), len(widths)
    )
    sb2 = _each_layer(
        "sigma_b", arguments.squared("sigma_b", arguments.non_negative("sigma_b", sigma_b)), len(widths)
    )
    phis = _each_hidden(activation, len(widths) - 1)
    forward, forward_pair, slopes, slopes_pair = [moment], [overlap], [], []
    lengths: list[float] = []
    correlations: list[float] = []
    following, below = _recursions()
    for phi, w, b in zip(phis, np.sqrt(sw2[:-1]).tolist(), np.sqrt(sb2[:-1]).tolist(), strict=True):
        q = following.njit(w, b, forward[-1])
        if not 0.0 < q < math.inf:
            raise DomainError(
                f"The pre-activations of hidden layer {len(lengths) + 1} have the variance {q:.3g}: there is no "
                "Fisher matrix to predict. Change `sigma_w`, `sigma_b` or the activation."
            )
        lengths.append(q)
        correlations.append(max(-1.0, min(1.0, following.njit(w, b, forward_pair[-1]) / q)))
        layer = moments(phi, q, correlations[-1])
        forward.append(layer.v)
        forward_pair.append(layer.t)
        slopes.append(layer.p)
        slopes_pair.append(layer.tdot)
    backward, backward_pair = [1.0], [1.0]
    for w, rate, rate_pair in zip(np.sqrt(sw2[:0:-1]).tolist(), slopes[::-1], slopes_pair[::-1], strict=True):
        backward.insert(0, below.njit(w, backward[0], rate))
        backward_pair.insert(0, below.njit(w, backward_pair[0], rate_pair))
    run = Propagation(
        phis, widths, np.array(forward), np.array(forward_pair), np.array(backward), np.array(backward_pair), sw2,
        np.array(lengths), np.array(correlations), np.array(slopes_pair),
    )  # fmt: skip
    if not (np.isfinite(run.backward).all() and np.isfinite(run.forward).all()):
        raise DomainError(
            f"Gradients or activities of {named(phis)} overflow over {len(lengths)} hidden layers. Lower `sigma_w` or "
            "the depth."
        )
    return run


@functools.cache
def _recursions() -> tuple[Compiled, Compiled]:
    """Up a layer and down a layer, for one input and for two."""
    t = theory
    return (
        compile(t.pre_activation(), (t.SIGMA_W, t.SIGMA_B, t.FORWARD), name="pre_activation"),
        compile(t.gradient_below(), (t.SIGMA_W, t.BACKWARD, t.SLOPES), name="gradient_below"),
    )


def require_possible(run: Propagation, samples: int) -> None:
    """Refuse an overlap that all pairs of `samples` inputs cannot have at once.

    Raises `ArgumentError`, as the squared length of the sum of all inputs, T v + T (T - 1) overlap, would be negative.
    """
    moment, overlap = float(run.forward[0]), float(run.forward_pair[0])
    least = _smallest_overlap(moment, samples)
    if overlap < least * (1 + _ROUNDING) - 1e-15 * moment:
        raise ArgumentError(
            "input_overlap",
            f"must be at least {least:.6g} = -input_moment / (samples - 1) for {samples} inputs that all overlap alike",
            overlap,
            "Their sum would have a negative squared length: take fewer samples, or a larger overlap.",
        )


def _smallest_overlap(moment: float, samples: int) -> float:
    return (
        -moment
        if samples < 3
        else float(theory.smallest_overlap().subs({theory.MOMENT: moment, theory.SAMPLES: samples}))
    )


def _each_hidden(
    activation: str | Activation | Sequence[str | Activation], hidden: int
) -> tuple[Activation, ...]:
    """The activation of each hidden layer."""
    if not isinstance(activation, list | tuple):
        return (Activation.of(activation),) * hidden
    if len(activation) != hidden:
        raise ArgumentError(
            "activation",
            f"must be one, or {hidden}, one for each hidden layer",
            but=f"holds {len(activation)}",
        )
    return tuple(Activation.of(one) for one in activation)


def named(activations: tuple[Activation, ...]) -> str:
    """The names of the activations, each once."""
    return ", ".join(dict.fromkeys(one.name for one in activations)) or "linear"


def _each_layer(name: str, value: np.ndarray, layers: int) -> np.ndarray:
    if value.shape not in ((), (layers,)):
        raise ArgumentError(
            name,
            f"must be a number or {layers} of them, one for each weighted layer",
            but=f"has shape {value.shape}",
        )
    return np.broadcast_to(value, (layers,))
