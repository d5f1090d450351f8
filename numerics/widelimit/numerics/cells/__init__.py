"""Recurrent cells that users hand over: read by names of attributes, stepped and differentiated without torch.

reading  `read`: a torch module, cell or dictionary of arrays becomes a `Cell`
cell     `Cell`: step, Jacobians and resting map
loops    the same as numba functions of plain arrays
boxes    the resting map over boxes, rounded outward
units    compiled units with their slopes, from `theory.calculus.cells`
"""

from widelimit.numerics.cells.cell import (
    KINDS,
    Cell,
)
from widelimit.numerics.cells.reading import (
    read,
)

__all__ = [
    "KINDS",
    "Cell",
    "read",
]
