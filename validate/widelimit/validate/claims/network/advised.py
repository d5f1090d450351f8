"""Whether advice helps."""

from __future__ import annotations

import numpy as np

from widelimit.validate.harness.claim import Choice, Plan
from widelimit.validate.harness.declare import declare, row, wrong
from widelimit.validate.simulate.network import advised as simulate

_POINT: dict[str, str | int] = {"activation": "relu", "depth": 20}

ADVICE = declare(
    "network.advice",
    title="Advice on the initialisation helps",
    statement="Deep networks with the advised scales learn digits faster than torch's default, and than with the "
    "advice for another activation.",
    paper="new (edge of chaos, applied)",
    domain={"activation": Choice(("relu",)), "depth": Choice((15, 20, 30))},
    rows={"over the default": row(0.3), "over advice for tanh": row(0.3)},
    compare={"over the default": "at least", "over advice for tanh": "at least"},
    simulate=simulate.losses,
    plans={"reference": Plan((_POINT,), (), 4, 4, 2), "deep": Plan((_POINT,), (), 8, 16, 4)},
    within=0.1,
    scale=1.0,
    derivation=None,
    quantity="training loss less that with advice",
    observable="last 20 of 120 steps of Adam, the better of two rates; width 64, the same draw and batches",
    notes="Empirical: margins are a tenth of a nat.",
    wrong=wrong("no difference", "all three learn alike", lambda: np.array([0.0, 0.0]), beyond=2.0),
)
CLAIMS = (ADVICE,)
