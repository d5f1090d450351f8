"""`derive`: the mean field of gated networks, of vanilla ones, of a bypass and of the reciprocal gated cell."""

from __future__ import annotations

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.recurrence.bypass import bypass_steps
from widelimit.theory.recurrence.gated import ASSUMPTIONS, gated_steps, vanilla_steps
from widelimit.theory.recurrence.reciprocal_steps import reciprocal_steps


def derive(activation: str | Activation = "tanh") -> Derivation:
    """The cells with sigmoid gates, and the vanilla network and the bypass for `activation`.

    Args:
        activation: a catalogue name or an expression in x.

    >>> derive()["memory"].kind
    'identity'
    """
    phi = Activation.of(activation)
    steps = (*gated_steps(), *vanilla_steps(phi), *bypass_steps(phi), *reciprocal_steps())
    return Derivation(
        f"Mean field of gated networks, and of vanilla ones with {phi.name}", steps, ASSUMPTIONS
    )
