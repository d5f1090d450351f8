"""Whether exponents at initialisation say what transformers learn."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Plan
from widelimit.validate.harness.declare import declare, row, wrong
from widelimit.validate.simulate.network import transformers as simulate

_POINT: dict[str, str] = {"activation": "tanh"}
_POOL = 400
_LOW, _HIGH = (0.3, 0.1, 0.5, 0.1, 0.3), (2.0, 2.0, 4.0, 2.0, 1.2)  # of sigma_qk, _vo, _1, _2 and of skips


def _start(inputs: Mapping[str, Any]) -> dict[str, Any]:
    settings, sizes = _pool(str(inputs["activation"]))
    return {"settings": settings, "sizes": sizes}


@cache
def _pool(activation: str) -> tuple[list[tuple[float, ...]], list[float]]:
    """Settings, log-uniform, and the sum of the sizes of both exponents at each."""
    from widelimit.numerics.attention import Block, exponents

    low, high = np.log(_LOW), np.log(_HIGH)
    drawn = np.exp(low + (high - low) * np.random.default_rng(2403).random((_POOL, 5)))
    settings, sizes = list[tuple[float, ...]](), list[float]()
    for one in drawn:
        qk, vo, first, second, skip = (float(x) for x in one)
        found = exponents(Block("post", qk, vo, activation, first, second, residual=skip))
        settings.append((qk, vo, first, second, skip))
        sizes.append(abs(found.angle) + abs(found.gradient_mean))
    return settings, sizes


EXPONENTS = declare(
    "network.exponents",
    title="Two exponents say how well a transformer learns",
    statement="Over Post-LN transformers with random scales, the final loss has a rank correlation above 1/2 with the "
    "sum of the sizes of the angle exponent and of the gradient exponent at initialisation.",
    paper="arXiv:2403.02579 (its abstract: both exponents predict the final loss), at small scale",
    domain={"activation": Choice(("tanh",))},
    rows={"rank correlation": row(0.5)},
    compare="at least",
    start=_start,
    simulate=simulate.rank_correlation,
    plans={"reference": Plan((_POINT,), (), 10, 10, 2), "deep": Plan((_POINT,), (), 8, 24, 4)},
    within=0.1,
    scale=1.0,
    derivation=None,
    quantity="Spearman's rank correlation",
    observable="20 transformers of 8 blocks and width 32, digits as 8 tokens of 8 pixels, 300 steps of Adam at 0.001",
    notes="Empirical, with blocks and ranges of our own: margin a tenth. Twenty networks scatter by a fifth where "
    "nothing is to be seen.",
    wrong=wrong(
        "shuffled exponents", "loss and exponents have nothing to do with each other", lambda: 0.0, beyond=2.0
    ),
)
CLAIMS = (EXPONENTS,)
