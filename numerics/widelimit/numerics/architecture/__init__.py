"""Kernels and phases of networks made of layers (`theory.architecture`).

propagation   `kernels`: NNGP and tangent kernel of an architecture on given inputs
rules     the registry: one rule a kind of layer; they stand in
units, positions, normalising, joining, tokens    single units, sums over positions, normalisations, sums, attention
sampling  units that are not Gaussian, by samples: maxima, activations behind sums with shortcuts
compiled  the formulas of theory, which rules are made of
state     what travels between layers
repeating `repeated`: depth scale, power and phase of a repeated block, shortcuts and normalisations included
phase     `stack_phase`: chi_1, depth scale and phase of the hidden stack
"""

from widelimit.numerics.architecture.propagation import (
    kernels,
)
from widelimit.numerics.architecture.repeating import (
    BlockPhase,
    repeated,
)
from widelimit.numerics.architecture.state import (
    State,
)

__all__ = [
    "BlockPhase",
    "State",
    "kernels",
    "repeated",
]
