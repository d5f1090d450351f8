"""Limit cycles of recurrent cells: multipliers, phase response, what they keep, locking and diffusion.

finding  `find`: the cycle that a start leads to
maps     invariant circles and locked orbits of the map itself
driven   `entrainment`, `diffusion`, the normal form, `predict`
"""

from widelimit.numerics.cycles.driven import (
    Entrainment,
    StuartLandau,
    diffusion,
    entrainment,
    predict,
    stuart_landau,
)
from widelimit.numerics.cycles.finding import Cycle, find

__all__ = [
    "Cycle",
    "Entrainment",
    "StuartLandau",
    "diffusion",
    "entrainment",
    "find",
    "predict",
    "stuart_landau",
]
