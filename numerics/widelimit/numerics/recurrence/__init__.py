"""Mean field of recurrent networks: gated ones, vanilla ones, a bypass, the reciprocal gated cell.

gated        `predict`, `memory_from_rest`: the minimalRNN; `two_time`, `vanilla_slope`: the vanilla network
bypassed     `bypass`: a share of the state is kept, weights fresh or tied
reciprocal   `reciprocal_gated`, `reciprocal_unequal`: two states that gate each other's input
"""

from widelimit.numerics.recurrence.bypassed import Bypass, bypass
from widelimit.numerics.recurrence.gated import (
    Gated,
    TwoTime,
    memory_from_rest,
    predict,
    two_time,
    vanilla_slope,
)
from widelimit.numerics.recurrence.reciprocal import (
    Reciprocal,
    Unequal,
    reciprocal_gated,
    reciprocal_unequal,
)

__all__ = [
    "Bypass",
    "Gated",
    "Reciprocal",
    "TwoTime",
    "Unequal",
    "bypass",
    "memory_from_rest",
    "predict",
    "reciprocal_gated",
    "reciprocal_unequal",
    "two_time",
    "vanilla_slope",
]
