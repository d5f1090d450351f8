"""Limit cycles: what is kept for ever along them, locking and diffusion.

formulas    the Stuart-Landau cycle, locking, diffusion of the phase
derivation  `derive`; what its names stand for by numbers is in `checks`
"""

from widelimit.theory.cycles.derivation import derive
from widelimit.theory.cycles.formulas import (
    COUPLING,
    DETUNING,
    FREQUENCY,
    GROWTH,
    PERIOD,
    SHEAR,
    SQUARE,
    STRENGTH,
    half_width,
    landau_frequency,
    landau_multiplier,
    landau_radius,
    landau_response,
    locked_multiplier,
    phase_diffusion,
)

__all__ = [
    "COUPLING",
    "DETUNING",
    "FREQUENCY",
    "GROWTH",
    "PERIOD",
    "SHEAR",
    "SQUARE",
    "STRENGTH",
    "derive",
    "half_width",
    "landau_frequency",
    "landau_multiplier",
    "landau_radius",
    "landau_response",
    "locked_multiplier",
    "phase_diffusion",
]
