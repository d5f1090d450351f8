"""Free probability: spectral laws as objects with free sums, products and powers.

>>> from widelimit.theory import freeprob
>>> (freeprob.marchenko_pastur() ** 2).polynomial
m**3 + 3*m**2 - m*z + 3*m + 1
"""

from widelimit.theory.freeprob.derivations import derive
from widelimit.theory.freeprob.known import (
    arcsine,
    bernoulli,
    free_poisson,
    fuss_catalan,
    haar_orthogonal,
    marchenko_pastur,
    mixture,
    multiplicative_brownian,
    point_mass,
    semicircle,
    wishart_product,
)
from widelimit.theory.freeprob.law import Atom, Law, Made, g, m, z
from widelimit.theory.freeprob.series import noncrossing_partitions

__all__ = [
    "Atom",
    "Law",
    "Made",
    "arcsine",
    "bernoulli",
    "derive",
    "free_poisson",
    "fuss_catalan",
    "g",
    "haar_orthogonal",
    "m",
    "marchenko_pastur",
    "mixture",
    "multiplicative_brownian",
    "noncrossing_partitions",
    "point_mass",
    "semicircle",
    "wishart_product",
    "z",
]
