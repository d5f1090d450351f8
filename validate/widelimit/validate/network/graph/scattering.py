"""What masks of whole inputs make of single draws: all units at once scatter by them.

Few draws may all have kept everything; their own standard errors say nothing of what they did not see.
"""

from __future__ import annotations

import numpy as np

from widelimit.validate.network.graph.states import State
from widelimit.validate.network.graph.walking import Walk

NORMALISING = frozenset({"batch_norm", "layer_norm", "rms_norm", "group_norm", "instance_norm"})
_SUMS = frozenset({"add", "sub", "rsub"})


Scatter = dict[str, float]  # by key of a mask: relative deviation that it makes of a mean square in one draw


def of_units(walk: Walk) -> dict[str, Scatter]:
    """What masks make of the mean square of what comes out of steps, by key.

    Sums have the shares of their parts, normalisations nothing, and what else acts on units passes it on.
    """
    found: dict[str, Scatter] = {}
    for step in walk.program.steps:
        done = walk.done.get(step.key)
        if done is None or not isinstance(done.value, State):
            continue
        out: Scatter = {step.key: done.scatter} if done.scatter > 0 else {}
        whole = square(done.value)
        for origin, _ in done.pulls if step.op not in NORMALISING else ():
            share = square(walk.known.get(origin)) / whole if step.op in _SUMS and whole > 0 else 1.0
            add(out, found.get(origin, {}), share)
        if out:
            found[step.key] = out
    return found


def add(to: Scatter, more: Scatter, share: float) -> None:
    """Add what masks make of a part."""
    for mask, deviation in more.items():
        to[mask] = to.get(mask, 0.0) + share * deviation


def variance(scatter: Scatter) -> float:
    """Relative variance by all masks, which are independent."""
    return sum(one**2 for one in scatter.values())


def square(value: object) -> float:
    """Mean square of units."""
    return float(np.mean(np.diagonal(value.gram))) if isinstance(value, State) else 0.0
