"""Gradient explosion by batch normalisation as a falsifiable claim (arXiv:1902.08129)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Inputs, Integers, Plan
from widelimit.validate.simulate import batchnorm as simulate

if TYPE_CHECKING:
    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.validate.harness.backend import Backend


def derivation(inputs: Inputs) -> Derivation:
    """The growth per layer for the point's activation."""
    from widelimit.theory import batchnorm as theory

    return theory.derive(str(inputs["activation"]))


def growth(inputs: Inputs) -> np.ndarray:
    """Factor of the mean square gradient per layer."""
    from widelimit.numerics import batchnorm

    activation = str(inputs["activation"])
    batch = int(inputs["batch"]) if activation == "linear" else None
    return np.array([batchnorm.predict(activation, batch=batch).factor])


def simulate_growth(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The mean over the lower half of the layers."""
    return np.array([np.exp(simulate.batch_gradient(inputs, size, seed, backend)) for seed in seeds])


def _no_explosion(inputs: Inputs) -> np.ndarray:
    return np.ones(1)


_QUICK: tuple[Inputs, ...] = (
    {"activation": "linear", "batch": 8, "depth": 8},
    {"activation": "relu", "batch": 256, "depth": 6},
)
_ALL: tuple[Inputs, ...] = (
    *_QUICK,
    {"activation": "linear", "batch": 16, "depth": 8},
    {"activation": "relu", "batch": 512, "depth": 6},
)
GRADIENT = Claim(
    id="batchnorm.gradient",
    title="Gradient explosion by batch normalisation",
    statement="Gradients grow per layer by pi/(pi-1) for ReLU at large batches, by (B-2)/(B-3) for linear networks.",
    paper="arXiv:1902.08129, theorem 3.9",
    domain={"activation": Choice(("relu", "linear")), "batch": Integers(256, 512), "depth": Integers(6, 8)},
    plans={
        "quick": Plan(_QUICK, (64, 128, 256), pilot=8, most=24, block=8),
        "reference": Plan(_ALL, (128, 256, 512), pilot=16, most=64, block=8),
        "deep": Plan(_ALL, (256, 512, 1024), pilot=16, most=128, block=16),
    },
    predict=growth,
    simulate=simulate_growth,
    derivation=derivation,
    margin=0.06,
    quantity="growth of the mean square gradient per layer",
    observable="exact gradients through batch normalisation, averaged over the lower half of the layers",
    counterfactuals=(
        Counterfactual(
            "no explosion", "gradients kept, as at the edge of chaos without normalisation", _no_explosion
        ),
    ),
)
CLAIMS = (GRADIENT,)
