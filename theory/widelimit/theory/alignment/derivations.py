"""`derive`: a result of the topic by its name, every step of it checked."""

from __future__ import annotations

from widelimit.theory.alignment import steps_coupled, steps_fixed, steps_noise, steps_signals
from widelimit.theory.calculus import exact
from widelimit.theory.calculus.derivation import Derivation

RESULTS: tuple[str, ...] = ("fixed-point", "cosine", "noise", "coupled", "signals")

_ASSUMPTIONS = {
    "fixed-point": ("only B moves; steps are small (gradient flow)",),
    "cosine": ("weights are Gaussian, independent of the inputs", "the width goes to infinity at fixed m/n"),
    "noise": ("only B moves", "a fresh batch of Gaussian inputs every step"),
    "coupled": ("W and B descend the same primitives", "steps are small (gradient flow)"),
    "signals": ("errors of the feedback are independent between layers and of the signal",),
}


def derive(result: str = "fixed-point") -> Derivation:
    """Derive a result of alignment.

    Args:
        result: fixed-point, cosine, noise, coupled or signals.

    >>> derive("signals")["below"].equation.rhs
    c*k
    """
    name = exact.one_of("result", result, RESULTS)
    steps = {
        "fixed-point": steps_fixed.fixed_point,
        "cosine": steps_fixed.cosine,
        "noise": steps_noise.noise,
        "coupled": steps_coupled.coupled,
        "signals": steps_signals.signals,
    }[name]
    return Derivation(f"Alignment of feedback: {name}", tuple(steps()), _ASSUMPTIONS[name])
