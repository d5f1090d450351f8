"""Gradient explosion by batch normalisation as a falsifiable claim (arXiv:1902.08129)."""

from __future__ import annotations

from widelimit.validate.harness.claim import Choice, Integers
from widelimit.validate.harness.declare import declare, table, wrong
from widelimit.validate.simulate import batchnorm as simulate

GRADIENT = declare(
    "batchnorm.gradient",
    title="Gradient explosion by batch normalisation",
    statement="Gradients grow per layer by pi/(pi-1) for ReLU at large batches, by (B-2)/(B-3) for linear networks.",
    paper="arXiv:1902.08129, theorem 3.9",
    domain={"activation": Choice(("relu", "linear")), "batch": Integers(256, 512), "depth": Integers(6, 8)},
    solver="batchnorm.predict",
    given={"batch": lambda activation, batch: batch if activation == "linear" else None},
    rows="factor",
    simulate=simulate.batch_gradient,
    points=table(
        "activation batch depth",
        [("linear", 8, 8), ("relu", 256, 6)],
        [("linear", 16, 8), ("relu", 512, 6)],
    ),
    sizes=(64, 128, 256),
    within=0.06,
    target=0.035,
    noise=0.65,
    quantity="growth of the mean square gradient per layer",
    observable="exact gradients through batch normalisation, averaged over the lower half of the layers",
    wrong=wrong(
        "no explosion",
        "gradients kept, as at the edge of chaos without normalisation",
        lambda: 1.0,
        beyond=1.0,  # seven per cent at a batch of 16
    ),
)
CLAIMS = (GRADIENT,)
