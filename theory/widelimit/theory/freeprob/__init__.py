"""Free probability: spectral laws as objects with free sums, products and powers.

    law          `Law`: transforms, free operations, moments, atoms, all symbolic
    known        the laws that have names
    algebraic    the polynomial P(m, z) of an algebraic law; sums and products by resultants
    conversion   from one transform to the others, and to moments
    series       moments, free cumulants, non-crossing partitions: exact conversions of power series
    atoms        atoms and intervals, and what becomes of them under free operations
    derivations  `derive`: the transforms of a known law
    fluctuations `statistic_variance`, `statistic_shift`: sums over all eigenvalues; `derive_fluctuations`
    genus        exact moments of sample covariances of finite size, and what they tend to
    finite       `rotation_shift`, `gaussian_shift`: spectra of real matrices of finite size; `derive_at_size`
    meaning      moments of the matrices that laws are named after

>>> from widelimit.theory import freeprob
>>> (freeprob.marchenko_pastur() ** 2).polynomial
m**3 + 3*m**2 - m*z + 3*m + 1
"""

from widelimit.theory.freeprob.atoms import Atom
from widelimit.theory.freeprob.derivations import LAWS, derive
from widelimit.theory.freeprob.finite import derive as derive_at_size
from widelimit.theory.freeprob.fluctuations import (
    ORDER,
    derive_fluctuations,
    statistic_shift,
    statistic_variance,
)
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
from widelimit.theory.freeprob.law import Law, Made, g, m, z
from widelimit.theory.freeprob.series import noncrossing_partitions

__all__ = [
    "LAWS",
    "ORDER",
    "Atom",
    "Law",
    "Made",
    "arcsine",
    "bernoulli",
    "derive",
    "derive_at_size",
    "derive_fluctuations",
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
    "statistic_shift",
    "statistic_variance",
    "wishart_product",
    "z",
]
