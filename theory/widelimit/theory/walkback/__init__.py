"""Variational walkback: entropy production of transition operators, its bound, and what annealing costs.

formulas    entropy production, densities, costs of a schedule
derivation  `derive`; what its names stand for by numbers is in `checks`
"""

from widelimit.theory.walkback.derivation import derive
from widelimit.theory.walkback.formulas import (
    ANGLE,
    BACK,
    CONTRACTION,
    DETERMINANT,
    DIMENSION,
    DRIVE,
    FACTOR,
    GAP,
    RATIO,
    SQUARE,
    STATIONARY_I,
    STATIONARY_J,
    STEPS,
    THERE,
    TRACE,
    annealing_cost,
    diffusion_entropy,
    edge_entropy,
    end_cost,
    log_density,
    rotation_entropy,
    rotation_residual,
    steady_ratio,
    steps_needed,
    way_back,
)

__all__ = [
    "ANGLE",
    "BACK",
    "CONTRACTION",
    "DETERMINANT",
    "DIMENSION",
    "DRIVE",
    "FACTOR",
    "GAP",
    "RATIO",
    "SQUARE",
    "STATIONARY_I",
    "STATIONARY_J",
    "STEPS",
    "THERE",
    "TRACE",
    "annealing_cost",
    "derive",
    "diffusion_entropy",
    "edge_entropy",
    "end_cost",
    "log_density",
    "rotation_entropy",
    "rotation_residual",
    "steady_ratio",
    "steps_needed",
    "way_back",
]
