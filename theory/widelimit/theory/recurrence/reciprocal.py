"""The reciprocal gated cell (nayebi2018task): state h and cell c, each of which gates the other's input, and itself.

h' = (1 - sigmoid(W_ch c)) x + (1 - sigmoid(W_hh h)) h and c' = (1 - sigmoid(W_hc h)) x + (1 - sigmoid(W_cc c)) c, no
biases, weights of variance sigma_w^2/N, an input x of mean square R. A gate's pre-activation has variance v =
sigma_w^2 Q, Q = E h^2 = E c^2.

With fresh weights h and gates are independent. With tied weights and an input that does not change, the cell comes to
rest at h = x (1 - u_c)/u_h, which is in balance up to a fold of sigma_w^2 R only: beyond it activity runs away.
"""

from __future__ import annotations

from sympy import Abs, Expr, Rational, Symbol, exp

from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.kernel import SIGMA_W
from widelimit.theory.recurrence.gated import MEMORY, R

GATE = Symbol("v", positive=True)  # variance of a gate's pre-activation
PASSED = Symbol("s", positive=True)  # E (1 - u)^2
INPUT_PASSED = Symbol("s_x", positive=True)  # of the gate of the input, which is the same where weights are
STEEP = Symbol("d", positive=True)  # E u'^2
PROFILE = Symbol("v_kappa", real=True)  # transform of a kernel's profile of variances, 1 at wave number 0


def _open() -> Expr:
    """1 - u as a logistic function of its own, which is as good: u(-x)."""
    return 1 / (1 + exp(X))


def passed_share() -> Expr:
    """s(v) = E (1 - u)^2, the mean square of a factor of the cell: 1/4 at v = 0, 1/2 at infinite v."""
    return Expectation(_open() ** 2, X, GATE)


def gate_steepness() -> Expr:
    """d(v) = E u'^2: 1/16 at v = 0."""
    return Expectation((_open() * (1 - _open())) ** 2, X, GATE)


def passed_slope() -> Expr:
    """ds/dv = E x f'(x)/(2 v), f = (1 - u)^2."""
    return Expectation(-X * _open() ** 2 * (1 - _open()) / GATE, X, GATE)


def inverse_square() -> Expr:
    """E 1/u^2 = 1 + 2 e^(v/2) + e^(2v), by which a gate at rest amplifies.

    >>> inverse_square().subs(GATE, 0)
    4
    """
    return 1 + 2 * exp(GATE / 2) + exp(2 * GATE)


def next_state() -> Expr:
    """E h'^2 = s_x R + s Q where the input is independent of the state: fresh at each step."""
    return INPUT_PASSED * R + PASSED * MEMORY


def constant_input_gain() -> Expr:
    """2 E (1 - u_c)(1 - u_h) E x h = R/2, which an input that stays adds: E x h = R, and both gates are half open."""
    return R * Rational(1, 2)


def kept_growth() -> Expr:
    """Mean square of what a perturbation of h becomes in h: s + sigma_w^2 d Q."""
    return PASSED + SIGMA_W**2 * STEEP * MEMORY


def crossed_growth() -> Expr:
    """Mean square of what a perturbation of c becomes in h: sigma_w^2 d R."""
    return SIGMA_W**2 * STEEP * R


def mode_growth() -> Expr:
    """Growth of a perturbation's mean square with wave number kappa in a convolutional cell of weights alike.

    s acts site by site, what comes through gates is weighted by the kernel's profile of variances: |s + sigma_w^2 d (Q
    + R) v(kappa)|, v(0) = 1, so that uniform perturbations grow fastest.
    """
    return Abs(PASSED + SIGMA_W**2 * STEEP * (MEMORY + R) * PROFILE)


def rest_strength() -> Expr:
    """sigma_w^2 R = v/(s(v) E 1/u^2) at which a cell with tied weights rests with gates of variance v.

    It has a maximum: beyond it there is no rest.
    """
    return GATE / (PASSED * inverse_square())


def rest_elasticity() -> Expr:
    """d log(E h^2/R)/d log v along resting cells, v s'/s + v (log E 1/u^2)'; at the fold it is 1.

    sigma_w^2 R = v R/E h^2 grows with v as long as this is below 1.
    """
    rest = inverse_square()
    return GATE * (passed_slope() / PASSED + rest.diff(GATE) / rest)


def rest_spectral() -> Expr:
    """sigma_w^2 R (s(v) e^(2v) + d(v) E 1/u^2), which is below 1 where a resting cell with tied weights is stable.

    A perturbation's step is a diagonal of 1 - u_h beside weights times u_h' h and u_c' x; the sum of the variances in a
    row over u_h^2 has to be below 1 on average, for no eigenvalue to be beyond 1.
    """
    return SIGMA_W**2 * R * (PASSED * exp(2 * GATE) + STEEP * inverse_square())


def rest_growth() -> Expr:
    """chi_1 = s + sigma_w^2 R (s^2 + d) of one step at rest with tied weights, h there being x (1 - u_c)/u_h."""
    return PASSED + SIGMA_W**2 * R * (PASSED**2 + STEEP)
