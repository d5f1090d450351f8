"""Growth in residual networks as a falsifiable claim (arXiv:1712.08969)."""

from __future__ import annotations

import numpy as np

from widelimit.validate.harness.claim import Choice, Integers, Interval
from widelimit.validate.harness.declare import another, declare, table, wrong
from widelimit.validate.simulate import residual as simulate

RATES = declare(
    "residual.rates",
    title="Growth in residual networks",
    statement=(
        "Second moments and gradients follow p' = p + sigma_v^2 E phi^2 and 1 + sigma_v^2 "
        "sigma_w^2 E phi'^2 per block."
    ),
    paper="arXiv:1712.08969, theorems 2 and 5",
    domain={
        "activation": Choice(("tanh", "relu", "erf")),
        "sigma_w": Interval(0.7, 1.5, simplest=1.0),
        "sigma_b": Interval(0.0, 0.5, simplest=0.0),
        "sigma_v": Interval(0.5, 1.2, simplest=1.0),
        "depth": Integers(5, 30),
    },
    solver="residual.predict",
    rows={"log p": lambda found: np.log(found.second_moment[-1]), "log gradient": "log_gradient_ratio"},
    simulate=simulate.residual,
    points=table(
        "activation sigma_w sigma_b sigma_v depth",
        [("tanh", 1.0, 0.2, 1.0, 20)],
        [("relu", 1.0, 0.2, 0.8, 10), ("erf", 1.5, 0.2, 1.0, 40)],
    ),
    sizes=(64, 128, 256),
    within=0.04,
    closer=2.8,
    noise=0.6,
    quantity="log of the growth over all blocks",
    observable="logs of mean squares over units and four inputs",
    wrong=wrong(
        "exponential growth",
        "the factor of the first block for all blocks",
        another(
            "residual.predict",
            {
                "log p": lambda one, inputs: inputs["depth"] * np.log(one.second_moment[-1]),
                "log gradient": lambda one, inputs: inputs["depth"] * one.log_gradient_ratio,
            },
            depth=1,
        ),
        only=lambda activation: activation in ("tanh", "erf"),
    ),
)
CLAIMS = (RATES,)
