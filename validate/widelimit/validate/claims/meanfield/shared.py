"""What the modules of mean-field claims share: the domain of networks, the derivation, counterfactuals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from widelimit.theory.errors import DomainError
from widelimit.validate.harness.claim import Choice, Counterfactual, Inputs, Integers, Interval

if TYPE_CHECKING:
    from widelimit.theory.calculus.derivation import Derivation

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
