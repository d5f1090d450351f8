"""Kernels and phases of networks made of layers (`theory.architecture`).

propagation   `kernels`: NNGP and tangent kernel of an architecture on given inputs
rules     what each kind of layer does with them
state     what travels between layers
phase     `stack_phase`: chi_1, depth scale and phase of the hidden stack
"""

from widelimit.numerics.architecture.propagation import (
    kernels,
)
from widelimit.numerics.architecture.state import (
    State,
)

__all__ = [
    "State",
    "kernels",
]
