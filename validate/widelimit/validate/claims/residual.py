"""Growth in residual networks as a falsifiable claim (arXiv:1712.08969)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Inputs, Integers, Interval, Plan
from widelimit.validate.simulate import residual as simulate

if TYPE_CHECKING:
    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.validate.harness.backend import Backend


def derivation(inputs: Inputs) -> Derivation:
    """The recursions for the point's activation."""
    from widelimit.theory import residual as theory

    return theory.derive(str(inputs["activation"]))


def growth(inputs: Inputs) -> np.ndarray:
    """log p_top / p_bottom and log of the gradient at the bottom over that at the top, per square root of the depth."""
    from widelimit.numerics import residual

    out = residual.predict(
        str(inputs["activation"]), sigma_w=float(inputs["sigma_w"]), sigma_b=float(inputs["sigma_b"]),
        sigma_v=float(inputs["sigma_v"]), depth=int(inputs["depth"]),
    )  # fmt: skip
    return np.array([np.log(out.second_moment[-1]), out.log_gradient_ratio])


def rows(inputs: Inputs) -> Sequence[Inputs]:
    """Names of the two rows."""
    return ({"quantity": "log p"}, {"quantity": "log gradient"})


def simulate_growth(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """From four inputs and four random gradients a network."""
    return np.array([simulate.residual(inputs, size, seed, backend) for seed in seeds])


def _exponential(inputs: Inputs) -> np.ndarray:
    """The first block's factors for all blocks: what a feed-forward network would do."""
    from widelimit.numerics import residual

    one = residual.predict(
        str(inputs["activation"]), sigma_w=float(inputs["sigma_w"]), sigma_b=float(inputs["sigma_b"]),
        sigma_v=float(inputs["sigma_v"]), depth=1,
    )  # fmt: skip
    return int(inputs["depth"]) * np.array([np.log(one.second_moment[-1]), one.log_gradient_ratio])


def _saturates(inputs: Inputs) -> bool:
    return inputs["activation"] in ("tanh", "erf")


def point(activation: str, sigma_w: float, sigma_b: float, sigma_v: float, depth: int) -> Inputs:
    """A point of the domain."""
    return {
        "activation": activation,
        "sigma_w": sigma_w,
        "sigma_b": sigma_b,
        "sigma_v": sigma_v,
        "depth": depth,
    }


_QUICK = (point("tanh", 1.0, 0.2, 1.0, 20),)
_ALL = (*_QUICK, point("relu", 1.0, 0.2, 0.8, 10), point("erf", 1.5, 0.2, 1.0, 40))
RATES = Claim(
    id="residual.rates",
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
    plans={
        "quick": Plan(_QUICK, (64, 128, 256), pilot=8, most=32, block=8),
        "reference": Plan(_ALL, (128, 256, 512), pilot=16, most=96, block=8),
        "deep": Plan(_ALL, (256, 512, 1024), pilot=16, most=192, block=16),
    },
    predict=growth,
    simulate=simulate_growth,
    rows=rows,
    derivation=derivation,
    margin=0.04,
    quantity="log of the growth over all blocks",
    observable="logs of mean squares over units and four inputs",
    counterfactuals=(
        Counterfactual(
            "exponential growth", "the factor of the first block for all blocks", _exponential, _saturates
        ),
    ),
)
CLAIMS = (RATES,)
