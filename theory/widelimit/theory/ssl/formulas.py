"""Flows of matrices, of their modes, and what follows: fixed points, times, thresholds.

Matrices are words of symbols that do not commute (`W`, `W_p`, their transposes `W^T`, `W_p^T`, `W_a`, `X`, `X_a`); one
mode is what becomes of a word where all of them commute (`as_mode`). ``x`` is an eigenvalue of the signal, ``x_a`` of
the augmentation noise, ``c = x + x_a``; ``p`` of the predictor, ``s`` of the covariance of features, and the target is
``tau`` times the online network. A rule that sets the predictor to a power ``a`` of the covariance moves ``u = s^a``;
a learned predictor on its parabola ``s = p^2/alpha_p`` moves as if a were 1/2.
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol, atan2, diff, exp, log, pi, sqrt

from widelimit.theory.calculus.equations import Rewritten

W, WT = Symbol("W", commutative=False), Symbol("W^T", commutative=False)
WP, WPT = Symbol("W_p", commutative=False), Symbol("W_p^T", commutative=False)
WA = Symbol("W_a", commutative=False)
X, XA = Symbol("X", commutative=False), Symbol("X_a", commutative=False)
F, L = Symbol("F", commutative=False), Symbol("L", commutative=False)

P, U = Symbol("p", positive=True), Symbol("u", positive=True)
S = Symbol("s", positive=True)
TAU = Symbol("tau", nonnegative=True)
SIGNAL, SPREAD = Symbol("x", positive=True), Symbol("x_a", nonnegative=True)
RATE = Symbol("alpha_p", positive=True)
DECAY = Symbol("eta", nonnegative=True)
EMA = Symbol("beta", positive=True)
GAP = Symbol("g", real=True)  # how far weight decay is below the critical one
EXPONENT = Symbol("a", positive=True)
TIME = Symbol("t", nonnegative=True)
START = Symbol("p_0", positive=True)
ELL_1, ELL_2 = Symbol("ell_1", positive=True), Symbol("ell_2", positive=True)  # log(y)/(y - 1)
FROM, TO = Symbol("y_0", real=True), Symbol("y", real=True)
MU = Symbol("mu", real=True)
EPSILON = Symbol("epsilon", positive=True)
CROSS, NORM, TOTAL = Symbol("A", positive=True), Symbol("N", positive=True), Symbol("B", positive=True)
KAPPA, TOP = Symbol("kappa", positive=True), Symbol("mu_1", positive=True)
EIGENVALUE = Symbol("lambda", negative=True)

C = SIGNAL + SPREAD
"""Second moment of one view along a mode."""


# --- matrices


def predictor_flow() -> Expr:
    """Return the velocity of the predictor: alpha_p times minus the gradient of the loss, and decay (tian2021, 2).

    >>> predictor_flow().has(WT)
    True
    """
    return RATE * (-WP * W * (X + XA) + WA * X) * WT - DECAY * WP


def encoder_flow() -> Expr:
    """Return the velocity of the online network; the target counts as a constant (tian2021, 3)."""
    return WPT * (-WP * W * (X + XA) + WA * X) - DECAY * W


def target_flow() -> Expr:
    """Return the velocity of the target, a moving average of the online network (tian2021, 4)."""
    return EMA * (W - WA)


def invariant_drift() -> Expr:
    """Return the velocity of W W^T - W_p^T W_p/alpha_p, which is -2 eta times itself for any data and any target."""
    return -2 * DECAY * (W * WT - WPT * WP / RATE)


def no_stop_gradient_flow() -> Expr:
    """Return the velocity of W where the target is W and gradients reach it, too: all terms shrink W."""
    return -(WPT * WP * W * XA + W * XA + (WPT - 1) * (WP - 1) * W * X + DECAY * W)


def alignment_matrix() -> Expr:
    """Return K of ``L' = -L K - K L``, L = [F, W_p], for isotropic data and a symmetrised predictor (tian2021, 9)."""
    return C * (RATE * F / 2 + WP**2) - TAU * SIGNAL * WP + Rational(3, 2) * DECAY


def as_mode(word: Expr) -> Rewritten:
    """Return a word where all matrices commute: W is the root of s, the target tau times as large."""
    root = sqrt(S)
    mode = {W: root, WT: root, WP: P, WPT: P, WA: TAU * root, X: SIGNAL, XA: SPREAD, F: S}
    return word.subs(mode).expand()


# --- modes


def predictor_mode() -> Expr:
    """Return p' = alpha_p s (tau x - c p) - eta p."""
    return as_mode(predictor_flow())


def covariance_mode() -> Expr:
    """Return s' = 2 s [p (tau x - c p) - eta]."""
    return (2 * sqrt(S) * as_mode(encoder_flow())).expand()


def target_mode() -> Expr:
    """Return tau' = beta (1 - tau) - tau [p (tau x - c p) - eta]: the target over a network that itself grows."""
    return ((as_mode(target_flow()) - TAU * as_mode(encoder_flow())) / sqrt(S)).expand()


def direct_mode() -> Expr:
    """Return u' = 2 a u [u (tau x - c u) - eta] of u = s^a where the rule sets the predictor to F^a (wang2021)."""
    growth = (covariance_mode() / S).expand()
    return EXPONENT * U * growth.subs(P, U)


def invariant_decay() -> Expr:
    """Return the factor exp(-2 eta t) by which s - p^2/alpha_p has shrunk at time t."""
    rate = (as_mode(invariant_drift()) / (S - P**2 / RATE)).simplify()
    return exp(rate * TIME)


def alignment_rate() -> Expr:
    """Return the eigenvalue of K on a mode; a commutator's entry (i, j) shrinks at the rate K_i + K_j."""
    return as_mode(alignment_matrix())


def no_stop_gradient_rate() -> Expr:
    """Return the rate x_a (p^2 + 1) + x (p - 1)^2 + eta at which a mode dies without the stop-gradient."""
    return (-as_mode(no_stop_gradient_flow()) / sqrt(S)).expand()


def no_predictor_rate() -> Expr:
    """Return the rate x_a + eta at which a mode dies without a predictor."""
    return (-as_mode(encoder_flow()) / sqrt(S)).expand().subs({P: 1, TAU: 1}).expand()


# --- fixed points


def parabola() -> Expr:
    """Return p^2/alpha_p, the covariance on the parabola that attracts at the rate 2 eta."""
    return P**2 / RATE


def direct_covariance() -> Expr:
    """Return s = u^(1/a) of the rule that sets the predictor to F^a."""
    return U ** (1 / EXPONENT)


def critical_weight_decay() -> Expr:
    """Return the decay tau^2 x^2/(4 c) above which a mode collapses."""
    return TAU**2 * SIGNAL**2 / (4 * C)


def gap() -> Expr:
    """Return g, how far weight decay is below the critical one; tau^2 x^2 - 4 eta c = 4 c g."""
    return critical_weight_decay() - DECAY


def upper() -> Expr:
    """Return the stable fixed point p_+ = [tau x + root(tau^2 x^2 - 4 eta c)]/(2 c)."""
    return (TAU * SIGNAL + 2 * sqrt(C * GAP)) / (2 * C)


def lower() -> Expr:
    """Return the unstable fixed point p_- = eta/(c p_+), the smallest predictor on the parabola that escapes."""
    return DECAY / (C * upper())


def tangent() -> Expr:
    """Return the eigenvalue 2 a p (tau x - 2 c p) along the parabola at a fixed point p; a = 1/2 if learned."""
    return 2 * EXPONENT * P * (TAU * SIGNAL - 2 * C * P)


def transverse() -> Expr:
    """Return the eigenvalue -2 eta across the parabola."""
    return -2 * DECAY


def slope() -> Expr:
    """Return the derivative of u' in u, at any u: -2 a eta at a dead mode."""
    return diff(direct_mode(), U)


def largest_step() -> Expr:
    """Return the learning rate 2/|lambda| up to which steps follow a mode of eigenvalue lambda < 0."""
    return -2 / EIGENVALUE


# --- times


def passage_weights() -> tuple[Expr, Expr]:
    """Return what multiplies log(y)/(y - 1) of the two ratios in the time law, without the poles of its terms."""
    away = P - START
    return -away / (START * (P - lower())), away / ((START - upper()) * (P - lower()))


def passage_ratios() -> tuple[Expr, Expr]:
    """Return the ratios y of distances to 0, p_- and p_+ at both ends that the time law takes logarithms of."""
    low, high = lower(), upper()
    return (
        P * (START - low) / (START * (P - low)),
        (P - high) * (START - low) / ((START - high) * (P - low)),
    )


def passage_excesses() -> tuple[Expr, Expr]:
    """Return the same ratios less one, without the difference: weights times the poles that they have lost."""
    first, second = passage_weights()
    return first * lower(), second * (upper() - lower())


def passage_time() -> Expr:
    """Return the time from p_0 to p on the parabola, where weight decay allows fixed points.

    ``ell_1`` and ``ell_2`` are log(y)/(y - 1) of `passage_ratios`: finite also where two fixed points meet.
    """
    first, second = passage_weights()
    return -(first * ELL_1 + second * ELL_2) / (2 * EXPONENT * C * upper())


def excess() -> Expr:
    """Return e = 4 c eta - tau^2 x^2, positive beyond the critical decay: minus the discriminant."""
    return -4 * C * GAP


def collapse_time() -> Expr:
    """Return the time from y_0 to y = 2 c p - tau x beyond the critical decay, where every start collapses."""
    root = sqrt(excess())
    inside = 2 / root * atan2(root * (TO - FROM), TO * FROM + excess())
    shrunk = log((TO + TAU * SIGNAL) / (FROM + TAU * SIGNAL))
    shrunk -= log((TO**2 + excess()) / (FROM**2 + excess())) / 2
    return -(shrunk + TAU * SIGNAL / 2 * inside) / (2 * EXPONENT * DECAY)


def bottleneck_time() -> Expr:
    """Return pi/(2 a p_c root(c (eta - eta_c))), p_c = tau x/(2 c): how long collapse waits just above eta_c."""
    return pi / (2 * EXPONENT * TAU * SIGNAL / (2 * C) * sqrt(-C * GAP))


# --- basins


def separatrix_slope() -> Expr:
    """Return d log s/d p of the border of the basin at its fixed point, -(tau x - 2 c p_-)/eta at p = p_-."""
    return -(TAU * SIGNAL - 2 * C * P) / DECAY


def ema_trace() -> Expr:
    """Return the trace lambda - beta - x p of the Jacobian of (p, tau) at a fixed point, lambda being `tangent`."""
    return tangent().subs(TAU, 1) - EMA - SIGNAL * P


def ema_determinant() -> Expr:
    """Return its determinant -lambda beta: the rate of the average changes no fixed point's stability."""
    return -tangent().subs(TAU, 1) * EMA


def ema_slope() -> Expr:
    """Return d p/d tau of the direction that belongs to an eigenvalue mu of the Jacobian of (p, tau)."""
    return 2 * EXPONENT * SIGNAL * P**2 / (MU - tangent().subs(TAU, 1))


# --- any data


def rank_one_threshold() -> Expr:
    """Return A^2/(4 N B): the decay that one direction w survives; A = w X w, B = w (X + X_a) w, N = |w|^2."""
    return CROSS**2 / (4 * NORM * TOTAL)


def pencil_threshold() -> Expr:
    """Return kappa mu_1^2, mu_1 the top eigenvalue of X against 1 + kappa (X + X_a): its maximum is the threshold."""
    return KAPPA * TOP**2


def largest_root() -> Expr:
    """Return root(s_max) = 2 p_+/(1 + root(1 + 4 epsilon p_+)), where root(s) + epsilon s is p_+."""
    return 2 * upper() / (1 + sqrt(1 + 4 * EPSILON * upper()))


def critical_epsilon() -> Expr:
    """Return p_-/(p_+ - p_-)^2, the epsilon beyond which DirectPred leaves no mode behind."""
    return lower() * C / (4 * GAP)
