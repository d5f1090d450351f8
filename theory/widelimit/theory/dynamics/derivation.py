"""`derive`: what is known of recurrent dynamics, one step a formula."""

from __future__ import annotations

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.dynamics import random_steps

_ASSUMPTIONS = ("random networks have independent weights of variance g^2/N, and N goes to infinity",)


def derive(activation: str | Activation = "tanh") -> Derivation:
    """Random recurrent networks: correlation, Lyapunov exponents, and the spectrum in discrete time.

    Args:
        activation: a catalogue name or an expression in x.

    >>> derive()["spectrum"].kind
    'derived'
    """
    return Derivation("Recurrent dynamics", random_steps.steps(activation), _ASSUMPTIONS)
