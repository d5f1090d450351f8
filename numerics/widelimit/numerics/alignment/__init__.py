"""Alignment of feedback without weight transport: where local rules take it, how fast, how exactly, how deep.

resting    `fixed_point`: B at rest, its cosine, rates, largest step, noise; `trajectory`: B(t)
gaussian   `cosine`, `largest_step`: of Gaussian layers by their shape
moving     `coupled`: singular values where W and B move; `invariant`; `depth`, `scatter`; `kolen_pollack`; `estimated`
formulas, noise, checks    compiled formulas; sums over modes; what callers pass

Time is steps times learning rate; W is outputs by inputs, B inputs by outputs; C is the mean of x x^T.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.alignment.gaussian import cosine, largest_step
from widelimit.numerics.alignment.moving import coupled, depth, estimated, invariant, kolen_pollack, scatter
from widelimit.numerics.alignment.resting import FixedPoint, fixed_point, trajectory
from widelimit.numerics.results import by_value

__all__ = [
    "FixedPoint", "Prediction", "cosine", "coupled", "depth", "estimated", "fixed_point", "invariant", "kolen_pollack",
    "largest_step", "predict", "scatter", "trajectory",
]  # fmt: skip

Rule = Literal["symmetric", "mirror", "activation", "information", "kolen_pollack"]


@by_value
@dataclass(frozen=True)
class Prediction:
    """Feedback of a Gaussian network of equal layers: `cosine` of one layer's feedback at rest with its transposed
    weights, `signal` = the cosine of the error signal below all layers, `largest_step` = the learning rate of the
    feedback beyond which it diverges.
    """

    cosine: float
    signal: float
    largest_step: float


def predict(
    rule: Rule = "information",
    fan_in: int = 512,
    fan_out: int | None = None,
    layers: int = 1,
    sigma_w: float = 1.0,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 0.1,
    inputs: Literal["white", "relu"] = "white",
    centred: bool = False,
    batch: int | None = None,
) -> Prediction:
    """Predict how well a local rule aligns the feedback of Gaussian layers, and what learning rate it bears.

    Args:
        rule: symmetric, mirror, activation, information or kolen_pollack.
        fan_in: inputs of a layer.
        fan_out: outputs of a layer (default: as many).
        layers: number of layers that the error signal passes.
        sigma_w: standard deviation of the weights times the root of the fan-in.
        alpha: decay of symmetric, mirror, kolen_pollack; strength of activation and information.
        beta: strength; in information that of the term that bounds B.
        gamma: decay of information.
        inputs: white, or relu.
        centred: whether means are taken off the inputs.
        batch: inputs in each step (default: all there are).

    >>> p = predict("information", fan_in=512, layers=3, gamma=0.5)
    >>> round(p.cosine, 6), round(p.signal, 6), round(p.largest_step, 6)
    (0.866025, 0.649519, 0.444444)
    """
    n = arguments.count("fan_in", fan_in)
    m = n if fan_out is None else arguments.count("fan_out", fan_out)
    passed = costs.affordable("layers", arguments.count("layers", layers), seconds=2e-5)
    b = arguments.positive_number("beta", beta)
    g = arguments.non_negative_number("gamma", gamma)
    with np.errstate(over="ignore"):
        ratio = np.float64(g) / b
    c = cosine(
        rule, aspect=m / n, sigma_w=arguments.positive_number("sigma_w", sigma_w), ratio=ratio, fan_in=n, inputs=inputs,
        centred=centred,
    )  # fmt: skip
    step = largest_step(rule, fan_in=n, fan_out=m, sigma_w=sigma_w, alpha=alpha, beta=b, gamma=g, batch=batch)
    return Prediction(float(c), depth(np.full(passed, c)), float(step))
