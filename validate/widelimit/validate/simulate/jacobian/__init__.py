"""Jacobians of drawn networks.

draws     their singular values and statistics
training  how fast drawn networks learn
"""

from widelimit.validate.simulate.jacobian.draws import (
    Measure,
    atom,
    distribution,
    jacobians,
    largest,
    moments,
    singular_values,
    spectrum_statistics,
    widths_of,
)

__all__ = [
    "Measure",
    "atom",
    "distribution",
    "jacobians",
    "largest",
    "moments",
    "singular_values",
    "spectrum_statistics",
    "widths_of",
]
