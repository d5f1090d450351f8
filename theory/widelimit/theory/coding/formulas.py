"""Predictive coding in a balanced network: what is decoded, how noise and chaos are suppressed, what a delay costs.

dh_i = [-h_i + g sum_j J_ij phi(h_j(t - d)) + b w_i (x - x_hat(t - d))] dt + sigma dW_i with x_hat = (1/N) sum_i w_i
phi(h_i), J_ij of variance 1/N, w_i = +-1, time in units of the membrane constant. A unit has the mean w_i m and the
variance Delta_0 about it, half of sigma^2 where there is no disorder. Averages are over that Gaussian and both signs of
w, which are alike for odd phi. Variances of x_hat are times N.
"""

from __future__ import annotations

from sympy import Eq, Expr, Rational, Symbol, cos, exp, sin, sqrt

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian import Expectation
from widelimit.theory.dynamics import DISORDER, NOISE, VARIANCE

BALANCE = Symbol("b", positive=True)
SIGNAL = Symbol("x_0", real=True)
DRIVE = Symbol("m", real=True)
ESTIMATE = Symbol("x_hat", real=True)
GAIN = Symbol("A", positive=True)
SQUARE = Symbol("B", positive=True)
LOOP = Symbol("G", nonnegative=True)
DELAY = Symbol("d", positive=True)
MODE = Symbol("k", positive=True)
COSINE, SINE = Symbol("c_l", real=True), Symbol("s_l", real=True)  # cos(l d), sin(l d)/l, l^2 = G^2 - 1
RATES = Symbol("C_0", positive=True)  # variance of phi within a network
FADING = Symbol("J", nonnegative=True)  # integral of -exp(-a tau) C'(tau)
STILL = Symbol("C_oo", nonnegative=True)  # what does not fade of E phi phi
FREQUENCY = Symbol("omega", positive=True)
HARMONIC = Symbol("a_1", positive=True)
AMPLITUDE = Symbol("R", positive=True)
PHASE = Symbol("y", positive=True)  # G d


def _both(f: Expr, sign: int) -> Expr:
    """(f(m + h) + sign f(-m + h))/2 averaged over h."""
    there, back = (Expectation(f.subs(X, s * DRIVE + X), X, VARIANCE) for s in (1, -1))
    return (there + sign * back) / 2


def estimate(activation: str | Activation = "tanh") -> Expr:
    """Return x_hat = E w phi(w m + sqrt(Delta_0) z), what the network decodes.

    >>> estimate("linear").doit()
    m
    """
    phi = Activation.of(activation)
    if phi.is_odd:
        return Expectation(phi.expr.subs(X, DRIVE + X), X, VARIANCE)
    return _both(phi.expr, -1)


def gain(activation: str | Activation = "tanh") -> Expr:
    """Return A = E phi'(w m + sqrt(Delta_0) z)."""
    phi = Activation.of(activation)
    slope = phi.derivative().expr
    if phi.is_odd:
        return Expectation(slope.subs(X, DRIVE + X), X, VARIANCE)
    return _both(slope, 1)


def slope_square(activation: str | Activation = "tanh") -> Expr:
    """Return B = E phi'(w m + sqrt(Delta_0) z)^2."""
    phi = Activation.of(activation)
    slope = phi.derivative().expr
    if phi.is_odd:
        return Expectation(slope.subs(X, DRIVE + X) ** 2, X, VARIANCE)
    return _both(slope**2, 1)


def rate_square(activation: str | Activation = "tanh") -> Expr:
    """Return E phi(w m + sqrt(Delta_0) z)^2."""
    phi = Activation.of(activation)
    if phi.is_odd:
        return Expectation(phi.expr.subs(X, DRIVE + X) ** 2, X, VARIANCE)
    return _both(phi.expr**2, 1)


def drive() -> Expr:
    """Return b (x - x_hat), which a unit's drive m has to be."""
    return BALANCE * (SIGNAL - ESTIMATE)


def bias() -> Expr:
    """Return m/b = x - x_hat."""
    return DRIVE / BALANCE


def loop_gain() -> Expr:
    """Return G = b A."""
    return BALANCE * GAIN


def mode_variance() -> Expr:
    """Return (1 + k a)/(a (a + k)), a = 1 + G: the share of rates' fluctuations exp(-k tau) that the loop lets pass.

    >>> mode_variance().subs({LOOP: 0, MODE: 2})
    1
    """
    a = 1 + LOOP
    return (1 + MODE * a) / (a * (a + MODE))


def delayed_mode() -> Expr:
    """Return the same with a delay d, by cos(l d) and sin(l d)/l, l = sqrt(G^2 - 1) (imaginary for G below 1).

    2k [V_w - (k^2 - 1) V_k], V_w = (1 + G sin(ld)/l)/(2 (1 + G cos ld)), V_k the solution of the lag equation
    K' = -K - G K(d - tau) + c exp(-k tau) at zero.
    """
    k, g, d = MODE, LOOP, DELAY
    white = (1 + g * SINE) / (2 * (1 + g * COSINE))
    c = 1 / (2 * k * (1 + k + g * exp(-k * d)))
    scale = k**2 + g**2 - 1
    start = (-c * (1 + k) + c * g * exp(-k * d)) / scale
    end = (-c * (1 + k) * exp(-k * d) + c * g) / scale
    slope = (c * (1 + k) * k + c * g * k * exp(-k * d)) / scale
    alpha = (c - start - g * end + g * slope * SINE) / (1 + g * COSINE)
    return 2 * k * (white - (k**2 - 1) * (alpha + start))


def closed_loop() -> Expr:
    """Return C_0/a^2 + (1 - 1/a^2) J, a = 1 + G: N Var x_hat without delay, of any fluctuations of rates.

    J is the integral of -exp(-a tau) C'(tau): C(0) - (a - 1/a) times C's Laplace transform, without its cancellation.
    """
    a = 1 + LOOP
    return RATES / a**2 + (1 - 1 / a**2) * FADING


def quenched_variance() -> Expr:
    """Return (C_oo - x_hat^2)/(1 + G)^2, N times the variance of the mean of x_hat between networks."""
    return (STILL - ESTIMATE**2) / (1 + LOOP) ** 2


def noise_coefficient() -> Expr:
    """Return sigma^2 B/(2 A), the limit of b N Var x_hat: the same law for any disorder.

    >>> noise_coefficient().subs({SQUARE: 1, GAIN: 1})
    sigma**2/2
    """
    return NOISE**2 * SQUARE / (2 * GAIN)


def chaos_coefficient() -> Expr:
    """Return (C_0 - C_oo - C'')/A^2, C'' = B (Delta_0 - g^2 C_0): the limit of b^2 N Var x_hat without noise.

    C_0 is E phi^2 here, C_oo what does not fade of it.
    """
    return (RATES - STILL - SQUARE * (VARIANCE - DISORDER**2 * RATES)) / GAIN**2


def hopf_gain() -> Expr:
    """Return sqrt(1 + omega^2), the loop gain at which a delayed loop starts to oscillate."""
    return sqrt(1 + FREQUENCY**2)


def hopf_condition() -> Eq:
    """Return omega cos(omega d) = -sin(omega d), which holds at the frequency of that oscillation."""
    return Eq(FREQUENCY * cos(FREQUENCY * DELAY), -sin(FREQUENCY * DELAY), evaluate=False)


def harmonic_balance() -> Eq:
    """Return b a_1/R = G, which holds at the amplitude R of h; a_1 is the first coefficient of rates at R cos p."""
    return Eq(BALANCE * HARMONIC / AMPLITUDE, LOOP, evaluate=False)


def onset_condition(activation: str | Activation = "tanh") -> Eq:
    """Return Delta_0 E phi'^2 = E phi^2, which holds where chaos sets in at infinite balance.

    The static state Delta_0 = g^2 E phi^2 loses its stability at g^2 E phi'^2 = 1.
    """
    return Eq(VARIANCE * slope_square(activation), rate_square(activation), evaluate=False)


def onset_disorder() -> Expr:
    """Return B^(-1/2), the disorder at which a static state loses its stability."""
    return SQUARE ** Rational(-1, 2)


def delay_floor() -> Expr:
    """Return Delta_0 B d (1 + sin y)/(y cos y), N Var x_hat for small delays at G = y/d."""
    return VARIANCE * SQUARE * DELAY * (1 + sin(PHASE)) / (PHASE * cos(PHASE))


def best_phase() -> Eq:
    """Return y = cos y, which holds where `delay_floor` is least.

    >>> best_phase()
    Eq(y, cos(y))
    """
    return Eq(PHASE, cos(PHASE), evaluate=False)
