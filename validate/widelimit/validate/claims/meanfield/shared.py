"""What the modules of mean-field claims share: the domain of networks, rows by layer, counterfactuals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING

import numpy as np

from widelimit.theory.errors import DomainError
from widelimit.validate.harness.claim import Choice, Counterfactual, Inputs, Integers, Interval

if TYPE_CHECKING:
    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.harness.drawing.networks import Architecture
    from widelimit.validate.simulate.meanfield import ForwardStatistics

Prediction = Callable[[Inputs], np.ndarray]
FLOAT32 = "1 - c below 1e-6 is rounding; lengths and gradients keep five digits"
ODD = ("tanh", "erf_s", "hard_tanh", "sin", "arctan")
NETWORK: dict[str, Interval | Integers | Choice] = {
    "activation": Choice((*ODD, "relu", "gelu", "x/sqrt(1 + x**2)")),
    "sigma_w": Interval(0.5, 2.5, simplest=1.0),
    "sigma_b": Interval(0.05, 1.0, simplest=0.5),
    "weights": Choice(("gaussian", "orthogonal")),
}


def derivation(inputs: Inputs) -> Derivation:
    """The derivation that the predictions at this point come from."""
    from widelimit.theory.meanfield import derive

    return derive(str(inputs["activation"]))


def architecture(inputs: Inputs, **changes: float) -> Architecture:
    """The networks of a point, some of its inputs replaced."""
    from widelimit.validate.harness.drawing.networks import Architecture

    return Architecture.of({**inputs, **changes})


def statistics(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> ForwardStatistics:
    """Forward moments of a point's networks, from its synthetic or real inputs."""
    from widelimit.validate.simulate.meanfield import forward_statistics

    if "data" in inputs:
        return forward_statistics(architecture(inputs), size, seeds, backend, data=str(inputs["data"]))
    q0, one_minus_c0 = float(inputs.get("q0", 1.0)), float(inputs.get("one_minus_c0", 1.0))
    return forward_statistics(architecture(inputs), size, seeds, backend, q0=q0, one_minus_c0=one_minus_c0)


def layers(inputs: Inputs) -> Sequence[Inputs]:
    """One row a layer."""
    return tuple({"layer": layer} for layer in range(1, int(inputs["depth"]) + 1))


def where_defined(valid: Callable[[Inputs], bool]) -> Callable[[Inputs], bool]:
    """A condition on points that is false where the theory has no fixed point to speak about."""

    @wraps(valid)
    def checked(inputs: Inputs) -> bool:
        try:
            return valid(inputs)
        except DomainError:
            return False

    return checked


def bounded(inputs: Inputs) -> bool:
    """Whether lengths stay of order one: those of ReLU-like activations grow without end where sigma_w^2 is above 2."""
    return str(inputs["activation"]) not in ("relu", "gelu") or float(inputs["sigma_w"]) < 1.3


def counterfactual(
    name: str,
    explanation: str,
    right: Prediction,
    wrong: Prediction,
    margin: float,
    floor: float = 1e-9,
    only: Callable[[Inputs], bool] = lambda inputs: True,
) -> Counterfactual:
    """A wrong theory, applied where `only` says and where some row is off by three margins of max(|truth|, floor).

    Where it is closer to the truth than that, it is no other theory for this claim to reject.
    """

    def applies(inputs: Inputs) -> bool:
        if not only(inputs):
            return False
        truth = right(inputs)
        try:
            predicted = wrong(inputs)
        except DomainError:  # the wrong theory has nothing to say here
            return False
        return bool(np.max(np.abs(predicted - truth) / np.maximum(np.abs(truth), floor)) > 3 * margin)

    return Counterfactual(name, explanation, wrong, applies)
