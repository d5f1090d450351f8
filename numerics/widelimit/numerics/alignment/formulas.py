"""What theory states of alignment, compiled; functions of floats and arrays."""

from __future__ import annotations

import functools

from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import alignment as theory
from widelimit.theory.alignment import signals

_COEFFICIENTS = (theory.ALPHA, theory.BETA, theory.GAMMA)
_STEP = (theory.STEP, theory.RATE, theory.NOISY, theory.BATCH)


@functools.cache
def entry(rule: str) -> Compiled:
    """Rate, noisy rate and value at rest of an entry: (c, mu, alpha, beta, gamma)."""
    formulas = (theory.rate(rule), theory.noisy_rate(rule), theory.fixed_point(rule))
    return compile(formulas, (theory.MODE, theory.IMAGE, *_COEFFICIENTS), name="entry")


@functools.cache
def course() -> Compiled:
    """An entry on its way: (at rest, at the start, rate, t)."""
    arguments = (signals.AT_REST, signals.BEGUN, signals.SPEED, signals.TIME)
    return compile(theory.course(), arguments, name="course")


@functools.cache
def excess() -> Compiled:
    """What a batch adds to C M C: (C M C, C, tr M C, K)."""
    return compile(
        theory.excess(), (theory.ROUND_TRIP, theory.ENTRY_OF_C, theory.TRACE, theory.BATCH), name="excess"
    )


@functools.cache
def balance() -> Compiled:
    """Mean square of an entry without feed, its feed, what it passes on: (eta, rho, nu, K, q)."""
    formulas = (theory.alone(), theory.feed(), theory.passed_on(), theory.damping())
    return compile(formulas, (*_STEP, theory.PUT_IN), name="balance")


@functools.cache
def largest_step() -> Compiled:
    """The step at which an error turns round: (rho)."""
    return compile(theory.largest_step(), (theory.RATE,), name="largest_step")


@functools.cache
def information_cosine() -> Compiled:
    """Cosine for Gaussian weights: (r, sigma_w, gamma/beta), r at most 1."""
    arguments = (theory.ASPECT, theory.SIGMA_W, theory.RATIO)
    return compile(theory.information_cosine(), arguments, name="information_cosine")


@functools.cache
def mirror_cosine() -> Compiled:
    """Cosine of the mirror: (mean, mean square of the eigenvalues of C)."""
    return compile(theory.mirror_cosine(), (theory.MEAN, theory.MEAN_SQUARE), name="mirror_cosine")


@functools.cache
def relu() -> Compiled:
    """Cosine of the mirror behind a ReLU, and the variance of its centred inputs: (n)."""
    return compile((theory.relu_cosine(), theory.relu_spread()), (theory.FAN_IN,), name="relu")


@functools.cache
def steps_for_white() -> Compiled:
    """Largest steps of information and, with batches, of activation: (r, sigma_w, alpha, beta, gamma, n, K)."""
    arguments = (theory.ASPECT, theory.SIGMA_W, *_COEFFICIENTS, theory.DIMENSION, theory.BATCH)
    return compile((theory.information_step(), theory.activation_step()), arguments, name="white")


@functools.cache
def edge() -> Compiled:
    """Largest eigenvalue of W W^T: (r, sigma_w)."""
    return compile(theory.edge(), (theory.ASPECT, theory.SIGMA_W), name="edge")


@functools.cache
def growth(rule: str) -> Compiled:
    """Linear and cubic coefficient of a singular value: (alpha, beta, gamma)."""
    return compile((theory.growth(rule), theory.saturation(rule)), _COEFFICIENTS, name="growth")


@functools.cache
def squared_value() -> Compiled:
    """Square of a singular value: (start, g, h, t)."""
    arguments = (theory.START, theory.GROWTH, theory.SATURATION, signals.TIME)
    return compile(theory.squared_value(), arguments, name="squared_value")


@functools.cache
def resting_value() -> Compiled:
    """What singular values come to: (g, h)."""
    return compile(theory.resting_value(), (theory.GROWTH, theory.SATURATION), name="resting_value")


@functools.cache
def imbalance(rule: str) -> Compiled:
    """What is left of W W^T - B^T B: (alpha, gamma, t)."""
    arguments = (theory.ALPHA, theory.GAMMA, signals.TIME)
    return compile(theory.imbalance(rule), arguments, name="imbalance")


@functools.cache
def below() -> Compiled:
    """Cosine below a layer, and its variance: (its own, above, variance above, units)."""
    arguments = (signals.LAYER, signals.ABOVE, signals.VARIANCE, signals.UNITS)
    return compile((theory.below(), theory.scatter_below()), arguments, name="below")


@functools.cache
def kolen_pollack() -> Compiled:
    """Cosine after t steps: (t, eta, lambda, sigma_g, v_0)."""
    arguments = (signals.STEPS, theory.STEP, signals.DECAY, signals.NOISE, signals.INITIAL)
    return compile(theory.kolen_pollack_cosine(), arguments, name="kolen_pollack")


@functools.cache
def estimated() -> Compiled:
    """Cosine of weights with errors: (error, spread)."""
    return compile(theory.estimated_cosine(), (signals.ERROR, signals.SPREAD), name="estimated")
