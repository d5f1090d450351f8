"""Gaussian expectations.

expectation    `Expectation`, an unevaluated node
closed, rules, terms    its closed form by rules
quadrature, lattice    its value to any number of digits; nodes for functions without kinks
growth    whether it exists
special    special functions that SymPy lacks
"""

import widelimit.theory.calculus.gaussian.closed  # noqa: F401 - closed forms register themselves with `Expectation`
from widelimit.theory.calculus.gaussian.expectation import Expectation

__all__ = ["Expectation"]
