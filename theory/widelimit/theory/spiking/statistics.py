"""What the loss is between trains that know nothing of each other, and between a train and its jittered copy."""

from __future__ import annotations

from sympy import Expr, Symbol, exp, pi, sqrt

from widelimit.theory.calculus.gaussian.special import erfcx
from widelimit.theory.spiking.kernels import DECAY, RISE, overlap_at_zero

RATE_A, RATE_B = Symbol("r_1", nonnegative=True), Symbol("r_2", nonnegative=True)
JITTER = Symbol("s", positive=True)
FREQUENCY = Symbol("omega", nonnegative=True)


def overlap_square() -> Expr:
    """Return I = int C(D)^2 dD = (ab)^4 (a^2 + 3ab + b^2)/(4 (a + b)^3)."""
    a, b = DECAY, RISE
    return (a * b) ** 4 * (a**2 + 3 * a * b + b**2) / (4 * (a + b) ** 3)


def poisson_mean() -> Expr:
    """Return (R C(0) + (d ab)^2)/2, the mean loss a second of Poisson trains, R and d sum and difference of rates."""
    total, bias = RATE_A + RATE_B, (RATE_A - RATE_B) * DECAY * RISE
    return (total * overlap_at_zero() + bias**2) / 2


def poisson_variance() -> Expr:
    """Return its variance a second, (R C(0)^2 + 2 R^2 I + 4 m^2 R (ab)^2 + 4 m d ab C(0))/4 with m = d ab."""
    total, area, square = RATE_A + RATE_B, DECAY * RISE, overlap_at_zero()
    bias = (RATE_A - RATE_B) * area
    return (
        total * square**2
        + 2 * total**2 * overlap_square()
        + 4 * bias**2 * total * area**2
        + 4 * bias**2 * square
    ) / 4


def jitter_loss() -> Expr:
    """Return C(0) (1 - (a F(a) - b F(b))/(a - b)), F(t) = exp(s^2/2t^2) erfc(s/(t sqrt 2)).

    What it costs to move a spike by N(0, s^2).
    """
    a, b = DECAY, RISE
    return overlap_at_zero() * (1 - (a * _mean_decay(a) - b * _mean_decay(b)) / (a - b))


def _mean_decay(time: Expr) -> Expr:
    """E exp(-|D|/t) over D ~ N(0, s^2)."""
    return erfcx(JITTER / (sqrt(2) * time))


def jitter_density() -> Expr:
    """Return the same by frequency: its integral over omega from 0 on, a sum of positive parts for every a and b."""
    a, b, w = DECAY, RISE, FREQUENCY
    gone = 1 - exp(-(w**2) * JITTER**2 / 2)
    return (a * b) ** 2 * gone / (pi * (1 + a**2 * w**2) * (1 + b**2 * w**2))
