"""`derive`: what is known of recurrent dynamics, one step a formula."""

from __future__ import annotations

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.dynamics import fixed_steps, random_steps, similarity_steps

_ASSUMPTIONS = (
    "random networks have independent weights of variance g^2/N, and N goes to infinity",
    "signals that chance is asked of are independent Gaussians, many of them in many samples",
)


def derive(activation: str | Activation = "tanh") -> Derivation:
    """Random networks, fixed points of trained ones, and canonical correlations that chance gives.

    Args:
        activation: a catalogue name or an expression in x.

    >>> derive()["spectrum"].kind
    'derived'
    """
    steps = (*fixed_steps.steps(), *random_steps.steps(activation), *similarity_steps.steps())
    return Derivation("Recurrent dynamics", steps, _ASSUMPTIONS)
