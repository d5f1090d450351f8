"""Floor 1, symbolic: what is true, and why. Only SymPy, mpmath and the standard library."""

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.lazily import rooms

__all__ = ["Activation", "Derivation", "Expectation", "Step"]

__getattr__, __dir__ = rooms(__name__)
