"""Path integrals of gradients, importances of parameters, and what a penalty on them keeps.

Near an optimum the loss is E = x' H x / 2, with eigenvalues lambda. Along a training path omega_k = - sum_t g_k Delta_k
is parameter k's share of the loss that was lost; synaptic intelligence (zenke2017continual) takes
Omega_k = omega_k / (Delta_k^2 + xi), Delta the whole displacement, and penalises c sum_k Omega_k (theta_k - start_k)^2.
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol, pi, sqrt
from sympy.codegen.cfunctions import expm1, log1p

CURVATURE = Symbol("lambda", positive=True)
FIRST, SECOND = Symbol("lambda_a", positive=True), Symbol("lambda_b", positive=True)
START_A, START_B = Symbol("d_a", real=True), Symbol("d_b", real=True)
START = Symbol("d", real=True)
RATE = Symbol("eta", nonnegative=True)  # learning rate, 0 for the gradient flow
MOMENTUM = Symbol("b", nonnegative=True)
DAMPING = Symbol("xi", positive=True)
WIDTH = Symbol("w", positive=True)  # root of the damping
NOISE = Symbol("s", positive=True)  # standard deviation of the gradient's noise
STEPS = Symbol("T", integer=True, positive=True)
BETA_1 = Symbol("beta_1", positive=True)
DENSITY = Symbol("p_0", positive=True)  # of the displacement at 0
ROOT_MEAN = Symbol("r", positive=True)  # E sqrt|q|
PATH = Symbol("q", real=True)  # omega where the displacement is 0
THRESHOLD = Symbol("x", positive=True)
ANGLE = Symbol("u", positive=True)
REAL_PART = Symbol("C", real=True)  # of a characteristic function
OPTIMUM_A, OPTIMUM_B = Symbol("theta_A", real=True), Symbol("theta_B", real=True)
SHARE = Symbol("mu", nonnegative=True)  # of the new task's curvature in that of task and penalty
ASPECT = Symbol("gamma", positive=True)  # parameters over samples
PENALTY = Symbol("kappa", positive=True)
FITTED, EDGE = Symbol("f", positive=True), Symbol("R", positive=True)


def path_entry() -> Expr:
    """Return the entry (a, b) of omega in the eigenbasis of H: the loss lost along a path of gradient descent.

    l_a l_b d_a d_b (1 - b) (1 - b^2 + b eta (l_a + l_b)/2)
    / ((1 - b)^2 (1 + b) (l_a + l_b) - eta (1 + b^2) l_a l_b + b eta (l_a^2 + l_b^2)),
    for heavy-ball momentum b; omega_k = sum_ab V_ka V_kb of it.

    >>> path_entry().subs({RATE: 0, MOMENTUM: 0})
    d_a*d_b*lambda_a*lambda_b/(lambda_a + lambda_b)
    """
    b, eta, total = MOMENTUM, RATE, FIRST + SECOND
    above = (1 - b) * (1 - b**2 + b * eta * total / 2)
    below = (
        (1 - b) ** 2 * (1 + b) * total - eta * (1 + b**2) * FIRST * SECOND + b * eta * (FIRST**2 + SECOND**2)
    )
    return FIRST * SECOND * START_A * START_B * above / below


def importance() -> Expr:
    """Return Omega = omega / (Delta^2 + xi)."""
    return PATH / (START**2 + DAMPING)


def diagonal_importance() -> Expr:
    """Return Omega = lambda (1 - b^2 + b eta lambda) / ((1 - b) (2 (1 + b) - eta lambda)) of a diagonal H, xi = 0.

    lambda / 2 for the flow, so that c = 1 restores the loss of the old task.
    """
    b, step = MOMENTUM, RATE * CURVATURE
    return CURVATURE * (1 - b**2 + b * step) / ((1 - b) * (2 * (1 + b) - step))


def tail() -> Expr:
    """Return P(|Omega| > x) = 2 p(0) E sqrt|q| / sqrt(x) for large x: the mean of |Omega| is infinite."""
    return 2 * DENSITY * ROOT_MEAN / sqrt(THRESHOLD)


def damped_mean() -> Expr:
    """Return E Omega = pi p(0) E[q] / sqrt(xi) for small xi: the damping sets the scale of Omega."""
    return pi * DENSITY * PATH / sqrt(DAMPING)


def root_mean_density() -> Expr:
    """Return sqrt(2/pi) (1 - C) / u^2, whose integral over u > 0 is E sqrt|q|: C = Re E exp(i q u^2)."""
    return sqrt(2 / pi) * (1 - REAL_PART) / ANGLE**2


def noisy_path() -> Expr:
    """Return E omega of T steps with gradient noise: eta (lambda^2 (d^2 S + v (T - S)) + T s^2).

    S = (1 - a^(2T)) / (1 - a^2), v = eta^2 s^2 / (1 - a^2), a = 1 - eta lambda; 1 - a^2 = eta lambda (2 - eta lambda)
    and powers by log1p and expm1, so that small steps keep their digits.
    """
    step = RATE * CURVATURE
    lost = step * (2 - step)
    total = -expm1(STEPS * log1p(-lost)) / lost
    spread = RATE**2 * NOISE**2 / lost
    return RATE * (CURVATURE**2 * (START**2 * total + spread * (STEPS - total)) + STEPS * NOISE**2)


def noise_rate() -> Expr:
    """Return what gradient noise adds to omega in a step, in the long run: 2 eta s^2 / (2 - eta lambda)."""
    return 2 * RATE * NOISE**2 / (2 - RATE * CURVATURE)


def adam_rate() -> Expr:
    """Return what gradient noise adds to omega in a step of Adam: eta (1 - beta_1) s, not its square."""
    return RATE * (1 - BETA_1) * NOISE


def pull() -> Expr:
    """Return theta - theta_A = mu (theta_B - theta_A), where a new loss and a penalty have their optimum.

    mu = h_B / (h_B + 2 c O) in coordinates in which both are diagonal; theta - theta_B is the same with the penalty's
    share 1 - mu, and A and B exchanged.
    """
    return SHARE * (OPTIMUM_B - OPTIMUM_A)


def loss() -> Expr:
    """Return lambda d^2 / 2."""
    return CURVATURE * START**2 / 2


def edge() -> Expr:
    """Return R = sqrt((1 - gamma)^2 + 2 kappa (1 + gamma) + kappa^2), the root in the resolvent of a Wishart matrix."""
    return sqrt((1 - ASPECT) ** 2 + 2 * PENALTY * (1 + ASPECT) + PENALTY**2)


def fitted() -> Expr:
    """Return f = E h/(h + kappa) = 2 / (1 + gamma + kappa + R) of a Wishart matrix of mean I.

    The root of gamma f^2 - (1 + gamma + kappa) f + 1 = 0; f = 1 - kappa G of the resolvent G.
    """
    return 2 / (1 + ASPECT + PENALTY + EDGE)


def forgetting_price() -> Expr:
    """Return E (h/(h + kappa))^2 / 2, the old loss behind a new task with a diagonal penalty kappa.

    (f + kappa f')/2 = f ((1 - gamma)^2 + 2 kappa (1 + gamma)) / (2 R (R + kappa)), as f' = - f/R.
    """
    return FITTED * ((1 - ASPECT) ** 2 + 2 * PENALTY * (1 + ASPECT)) / (2 * EDGE * (EDGE + PENALTY))


def new_loss_price() -> Expr:
    """Return kappa^2 E h/(h + kappa)^2 / 2 = kappa^2 f / (2 R), the loss of the new task."""
    return PENALTY**2 * FITTED / (2 * EDGE)


def joint_price() -> Expr:
    """Return (1 - gamma/2) / 4, the sum of both losses at their joint optimum."""
    return Rational(1, 4) * (1 - ASPECT / 2)
