"""Shaped activations: four numbers that let a plain network of any depth train, and the gains of standardised weights.

solving     `shape`: scales and shifts by deep kernel shaping or for tailored activations, all solutions
unit_maps   `maps`, `variance_gain`, `limit_map`
leaky       `leaky_time` and the slope of a tailored leaky ReLU
smooth, moments   the equations of smooth activations, and the means in them
"""

from widelimit.numerics.shaping.leaky import leaky_time
from widelimit.numerics.shaping.solving import Branch, FarPoint, Shaped, asymptotic, predict, shape
from widelimit.numerics.shaping.unit_maps import Maps, VarianceGain, limit_map, maps, variance_gain

__all__ = [
    "Branch",
    "FarPoint",
    "Maps",
    "Shaped",
    "VarianceGain",
    "asymptotic",
    "leaky_time",
    "limit_map",
    "maps",
    "predict",
    "shape",
    "variance_gain",
]
