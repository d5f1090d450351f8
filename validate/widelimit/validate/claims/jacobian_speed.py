"""Dynamical isometry and the speed of learning (1711.04735, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claim import Claim, Counterfactual, Inputs, Integers, Plan

if TYPE_CHECKING:
    from widelimit.validate.backend import Backend

TENTH = 10.0


def predict(inputs: Inputs) -> np.ndarray:
    """Steps of Gaussian tanh and of ReLU networks over ten times those of orthogonal tanh networks, cut at one."""
    return np.ones(2)


def simulate(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The same, measured: min(1, steps ratio / 10)."""
    return np.minimum(1.0, ratios(inputs, seeds, backend) / TENTH)


def ratios(inputs: Inputs, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Steps of Gaussian tanh and of ReLU networks over those of orthogonal tanh networks, a row for each seed."""
    from widelimit.validate.simulate.jacobian_training import Race, Start, steps_to_loss

    sigma_w, sigma_b = float(inputs["sigma_w"]), float(inputs["sigma_b"])
    starts = (
        Start("tanh", sigma_w, sigma_b, "orthogonal"),
        Start("tanh", sigma_w, sigma_b, "gaussian"),
        Start("relu", 2**0.5, 0.0, "gaussian"),
    )
    race = Race(depth=int(inputs["depth"]), width=int(inputs["width"]), steps=int(inputs["steps"]))
    steps = steps_to_loss(starts, race, seeds, backend)
    return steps[:, 1:] / steps[:, :1]


def _rows(inputs: Inputs) -> Sequence[Inputs]:
    return ({"against": "Gaussian tanh"}, {"against": "ReLU"})


def _no_gain(inputs: Inputs) -> np.ndarray:
    return np.full(2, 1 / TENTH)


_POINTS = (
    {"depth": 100, "width": 200, "steps": 1500, "sigma_w": 1.0247, "sigma_b": 0.00448},  # sigma_w^2 = 1.05
    {"depth": 200, "width": 200, "steps": 1500, "sigma_w": 1.0247, "sigma_b": 0.00448},
)

_SMALL = ({**_POINTS[0], "width": 100},)  # two minutes a replicate on one core

LEARNING_SPEED = Claim(
    id="jacobian.learning-speed",
    title="Isometric networks learn in a tenth of the steps",
    statement="On digits, deep tanh networks with orthogonal critical weights reach half the initial "
    "loss in a tenth of the "
    "steps, or fewer, of Gaussian critical and of ReLU networks, each at its best learning rate.",
    paper="arXiv:1711.04735, section 3 (CIFAR-10 there, digits here)",
    domain={"depth": Integers(100, 200), "width": Integers(100, 400), "steps": Integers(500, 3000)},
    plans={
        "reference": Plan(_SMALL, (), pilot=6, most=6, block=1),
        "deep": Plan(_POINTS, (), pilot=6, most=6, block=6),
    },
    predict=predict,
    simulate=simulate,
    rows=_rows,
    margin=0.15,
    valid=lambda inputs: False,  # minutes a point: nothing to draw at random
    quantity="min(1, ratio of steps / 10)",
    observable="steps of SGD until the smoothed minibatch loss is half of log 10, the best of five learning rates",
    float32="counts of steps that differ by factors",
    counterfactuals=(Counterfactual("no gain", "orthogonal weights learn as fast as the others", _no_gain),),
    notes="One-sided: a ratio above ten counts as ten. `ratios` in this module gives the ratio itself.",
)
