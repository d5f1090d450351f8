"""Eigenvalues of the Fisher information matrix of wide networks, in numbers.

matrices  `predict`: mean, second moment, largest eigenvalue, the largest learning rate
depths    what is carried through the layers: moments, overlaps, slopes
slopes, spread    slopes of users' layers; edges of the bulk at finite width
bound     `jacobian_bound`: bounds of the largest eigenvalue from Jacobians
"""

from widelimit.numerics.fisher.bound import (
    JacobianBound,
    jacobian_bound,
)
from widelimit.numerics.fisher.depths import (
    Propagation,
    propagation,
)
from widelimit.numerics.fisher.matrices import (
    Statistics,
    predict,
    statistics,
)
from widelimit.numerics.fisher.spread import (
    Spread,
    blocks,
)

__all__ = [
    "JacobianBound",
    "Propagation",
    "Spread",
    "Statistics",
    "blocks",
    "jacobian_bound",
    "predict",
    "propagation",
    "statistics",
]
