"""What theory states of learning rules, compiled; functions of floats and arrays."""

from __future__ import annotations

import functools

from sympy import exp

from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import rules as theory


@functools.cache
def flow(rule: str) -> Compiled:
    """v', w', b' of a mode: (v, w, b, s, lambda)."""
    arguments = (theory.FIRST, theory.SECOND, theory.FEEDBACK, theory.STRENGTH, theory.DECAY)
    return compile(theory.flow(rule), arguments, name="flow")


@functools.cache
def sgd_product() -> Compiled:
    """w v of gradient descent: (s, u_0, lambda, t)."""
    arguments = (theory.STRENGTH, theory.START, theory.DECAY, theory.TIME)
    return compile(theory.sgd_product(), arguments, name="sgd_product")


@functools.cache
def sgd_times() -> Compiled:
    """Passage to a share, and the delay: (s, u_0, x)."""
    formulas = (theory.sgd_passage(), theory.sgd_delay())
    return compile(formulas, (theory.STRENGTH, theory.START, theory.SHARE), name="sgd_times")


@functools.cache
def clock() -> Compiled:
    """F and its slope in z at x = 1 - e^z: (x, z)."""
    whole = theory.feedback_clock()
    slope = whole.diff(theory.REMAINING) - exp(theory.REMAINING) * whole.diff(theory.SHARE)
    return compile((whole, slope), (theory.SHARE, theory.REMAINING), name="feedback_clock")


@functools.cache
def feedback_scales() -> Compiled:
    """Where v ends, and the unit of time: (b, s)."""
    formulas = (theory.feedback_end(), theory.feedback_unit())
    return compile(formulas, (theory.FEEDBACK, theory.STRENGTH), name="feedback_scales")


@functools.cache
def feedback_second() -> Compiled:
    """w of v: (v, b)."""
    return compile(theory.feedback_second(), (theory.FIRST, theory.FEEDBACK), name="feedback_second")


@functools.cache
def imbalance() -> Compiled:
    """What is left of w - b: (lambda, t)."""
    return compile(theory.imbalance(), (theory.DECAY, theory.TIME), name="imbalance")


@functools.cache
def rests() -> Compiled:
    """Where weights rest, and the feedback of a weight s: (s, lambda)."""
    formulas = (theory.resting_weight(), theory.information_rest())
    return compile(formulas, (theory.STRENGTH, theory.DECAY), name="rests")


@functools.cache
def momentum() -> Compiled:
    """Sum and squared difference of the roots, and both edges of h: (beta, h)."""
    formulas = (theory.momentum_trace(), theory.momentum_discriminant(), *theory.momentum_edges())
    return compile(formulas, (theory.MOMENTUM, theory.DROP), name="momentum")


@functools.cache
def adam() -> Compiled:
    """How far: (eta, n, g, epsilon)."""
    arguments = (theory.RATE, theory.STEPS, theory.GRADIENT, theory.DAMPING)
    return compile(theory.adam_distance(), arguments, name="adam_distance")


@functools.cache
def hebb() -> Compiled:
    """A component: (a, l, t)."""
    return compile(
        theory.hebb_component(), (theory.COMPONENT, theory.EIGENVALUE, theory.TIME), name="hebb_component"
    )


@functools.cache
def oja_term() -> Compiled:
    """What an eigenvector adds: (a, l, l_max, t)."""
    arguments = (theory.COMPONENT, theory.EIGENVALUE, theory.LARGEST, theory.TIME)
    return compile(theory.oja_term(), arguments, name="oja_term")


@functools.cache
def oja_component() -> Compiled:
    """A component: (a, l, l_max, t, A)."""
    arguments = (theory.COMPONENT, theory.EIGENVALUE, theory.LARGEST, theory.TIME, theory.TOTAL)
    return compile(theory.oja_component(), arguments, name="oja_component")


@functools.cache
def accuracy() -> Compiled:
    """Of a distance: (D)."""
    return compile(theory.accuracy(), (theory.DISTANCE,), name="accuracy")


@functools.cache
def separation() -> Compiled:
    """Squared distance: (delta, Sigma, N, m)."""
    arguments = (theory.DIFFERENCE, theory.BETWEEN, theory.NOISE, theory.UNITS)
    return compile(theory.separation(), arguments, name="separation")


@functools.cache
def variance_error() -> Compiled:
    """Relative error of a variance: (kappa, m)."""
    return compile(theory.variance_error(), (theory.KURTOSIS, theory.UNITS), name="variance_error")
