"""What masks of whole inputs make of single draws: all units at once scatter by them.

Few draws may all have kept everything; their own standard errors say nothing of what they did not see.
"""

from __future__ import annotations

import numpy as np

from widelimit.validate.network.graph.states import State
from widelimit.validate.network.graph.walking import Walk

NORMALISING = frozenset({"batch_norm", "layer_norm", "rms_norm", "group_norm", "instance_norm"})
_SUMS = frozenset({"add", "sub", "rsub"})


def of_units(walk: Walk) -> dict[str, float]:
    """Relative variance of the mean square of what comes out of steps, in one draw, by key.

    Sums have that of their parts, normalisations have none, and what else acts on units passes it on.
    """
    found: dict[str, float] = {}
    for step in walk.program.steps:
        done = walk.done.get(step.key)
        if done is None or not isinstance(done.value, State):
            continue
        parts = [(square(walk.known.get(origin)), found.get(origin, 0.0)) for origin, _ in done.pulls]
        whole = square(done.value)
        before = max((one for _, one in parts), default=0.0)
        if step.op in NORMALISING:
            before = 0.0
        elif step.op in _SUMS and whole > 0:
            before = sum(q**2 * one for q, one in parts) / whole**2
        if before + done.scatter > 0:
            found[step.key] = before + done.scatter**2
    return found


def square(value: object) -> float:
    """Mean square of units."""
    return float(np.mean(np.diagonal(value.gram))) if isinstance(value, State) else 0.0
