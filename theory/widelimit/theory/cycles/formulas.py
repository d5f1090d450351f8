"""Stable limit cycles: a normal form, entrainment by a weak rhythm, and diffusion of the phase.

The phase response Z is the gradient of the phase, Z.f = omega = 2 pi/T: perturbations along f are kept for ever, all
others die. A forcing epsilon v cos(Omega t) moves the phase by epsilon K cos(psi), K = |<v.Z exp(-i omega t)>|.
"""

from __future__ import annotations

from sympy import Abs, Expr, Symbol, exp, pi, sqrt

GROWTH = Symbol("mu", positive=True)
FREQUENCY, SHEAR = Symbol("omega", real=True), Symbol("beta", real=True)
PERIOD = Symbol("T", positive=True)
STRENGTH = Symbol("epsilon", positive=True)  # of the forcing, or of the noise in a component
COUPLING = Symbol("K", positive=True)
DETUNING = Symbol("Delta", real=True)  # Omega - omega
SQUARE = Symbol("S", positive=True)  # mean of |Z|^2 over the cycle


def landau_radius() -> Expr:
    """Return sqrt(mu), the radius of the cycle of w' = (mu + i omega) w - (1 + i beta)|w|^2 w."""
    return sqrt(GROWTH)


def landau_frequency() -> Expr:
    """Return omega - beta mu, radians per unit of time."""
    return FREQUENCY - SHEAR * GROWTH


def landau_multiplier() -> Expr:
    """Return exp(-2 mu T), T = 2 pi/|omega - beta mu|, what a radial perturbation is multiplied by in a turn."""
    return exp(-4 * pi * GROWTH / Abs(landau_frequency()))


def landau_response() -> tuple[Expr, Expr]:
    """Return the radial and angular parts of Z, (-beta, 1)/sqrt(mu)."""
    return -SHEAR / sqrt(GROWTH), 1 / sqrt(GROWTH)


def half_width() -> Expr:
    """Return epsilon K, the largest detuning at which the forcing locks the cycle."""
    return STRENGTH * COUPLING


def locked_multiplier() -> Expr:
    """Return exp(-T sqrt(epsilon^2 K^2 - Delta^2)), what becomes of the multiplier 1 of a locked cycle.

    >>> locked_multiplier().subs({DETUNING: STRENGTH * COUPLING})
    1
    """
    edge = STRENGTH * COUPLING
    return exp(-PERIOD * sqrt((edge - DETUNING) * (edge + DETUNING)))


def phase_diffusion() -> Expr:
    """Return epsilon^2 <|Z|^2>/2: the variance of the phase grows by twice that per unit of time."""
    return STRENGTH**2 * SQUARE / 2
