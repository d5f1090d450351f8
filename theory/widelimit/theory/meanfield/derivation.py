"""`derive`: everything that the mean-field theory says about an activation, as one derivation."""

from __future__ import annotations

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.meanfield.formulas import ASSUMPTIONS, Kind
from widelimit.theory.meanfield.steps import steps


def derive(activation: Kind) -> Derivation:
    """Return the theory of one activation as ordered, self-checking steps, from the length map to the decay law.

    Args:
        activation: a catalogue name or an expression in x.

    >>> print(derive("relu")["critical-line-weights"].equation.rhs)
    2
    """
    a = Activation.of(activation)
    return Derivation(f"Signal propagation in wide random networks: {a}", steps(a), ASSUMPTIONS)
