"""NNGP and tangent kernels as falsifiable claims (arXiv:1711.00165, 1806.07572, 1902.06720, 2010.15110).

kernels    both kernels at birth, and their fluctuation
training   drift, linearisation, trained networks against the Gaussian process
digits     class decisions on real images
evolution  kernels of networks while they learn
turning    what `evolution` measures
shared     points and scales that several use
"""

from widelimit.validate.claims.kernel.evolution import (
    GALLERY,
)
from widelimit.validate.claims.kernel.kernels import (
    CLAIMS,
)

__all__ = [
    "CLAIMS",
    "GALLERY",
]
