r"""Ridge regression at a finite number N of samples: what means over training sets exceed their limits by, times N.

For real Gaussian inputs the mean of log det(C + tau Sigma + lambda + eps D), C = X^T X/N and D any matrix diagonal with
Sigma, exceeds its deterministic equivalent by

    L = (1/2) log(1 - gamma),    gamma = (1/N) sum_i (s_i eta/(lambda + eps d_i + s_i (eta + tau)))^2,

up to O(1/N) (bai2004clt, theorem 1.1). Sums run over the P dimensions, eta solves eta + (1/N) sum_i s_i eta/(...) = 1
and without sources is lambda/kappa, so that gamma = rho. Every mean is a derivative of the mean of log det: tr R by
lambda, diagonal elements of R by eps, those of R Sigma R by tau and eps. So every correction is a derivative of L.

They are written in rho = df2/N, ``FALL = (df2 - df3)/N``, ``NEXT = (df3 - df4)/N``, and three sums of the signal, of
which ``MISSED[k]`` is sum_j u_j kappa^2 s_j^k/(s_j + kappa)^(2+k). All of them change with log kappa among themselves
(`by_log_kappa`), and so they do with a source along Sigma (`by_source`).

The largest of the next terms are by 1/(N (1 - rho)^3) smaller: near a peak of the learning curve N has to be large.
"""

from __future__ import annotations

from sympy import Expr, Float, Rational, Symbol, cbrt, diff, log, symbols

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.ridge.formulas import (
    FITTED_BEND,
    MISSED_BEND,
    RATIO,
    RHO,
    SLOPE,
    SUMS,
    alpha,
    expected_error,
    kappa,
    noise,
    p,
    s,
)

SAMPLES = Symbol("N", positive=True)
FALL, NEXT = symbols("fall next", real=True)
MISSED = symbols("missed_0:3", real=True)
TRACY_WIDOM_MEAN = Float("-1.2065335745820", 14)  # of the real law (bornemann2010numerical, table 6)

# what the names stand for, in sums over the spectrum
NAMED = {
    FALL: kappa * SUMS["fitted_slope"] / alpha,
    NEXT: kappa * (SUMS["fitted_slope"] - kappa * FITTED_BEND) / alpha,
    MISSED[0]: SUMS["missed"],
    MISSED[1]: kappa**2 * SUMS["missed_slope"],
    MISSED[2]: kappa**2 * (SUMS["missed_slope"] - kappa * MISSED_BEND),
}

_BY_LOG_KAPPA = {
    RHO: -2 * FALL,
    SLOPE: 2 * FALL,
    FALL: -2 * FALL + 3 * NEXT,
    MISSED[0]: 2 * MISSED[1],
    MISSED[1]: -MISSED[1] + 3 * MISSED[2],
}
_THRICE = RHO - FALL  # df3/N
_SOURCED_RHO = 2 * (RHO * RHO - _THRICE) / SLOPE
_BY_SOURCE = {
    RHO: _SOURCED_RHO,
    SLOPE: -_SOURCED_RHO,
    FALL: _SOURCED_RHO - 3 * (RHO * _THRICE - (_THRICE - NEXT)) / SLOPE,
    MISSED[0]: 2 * (RHO * MISSED[0] - MISSED[1]) / SLOPE,
    MISSED[1]: 3 * (RHO * MISSED[1] - MISSED[2]) / SLOPE,
}


@exact.takes(expression=exact.plain)
def by_log_kappa(expression: Expr) -> Rewritten:
    """Return the derivative by log kappa of an expression of `RHO`, `SLOPE`, `FALL` and the first two of `MISSED`.

    >>> by_log_kappa(RHO), by_log_kappa(MISSED[0])
    (-2*fall, 2*missed_1)
    """
    return sum(diff(expression, one) * change for one, change in _BY_LOG_KAPPA.items())


@exact.takes(expression=exact.plain)
def by_source(expression: Expr) -> Rewritten:
    """Return eta times the derivative of the same by a source tau Sigma, without the signal's own kappa^2.

    >>> by_source(MISSED[0])
    (2*missed_0*rho - 2*missed_1)/ridge_slope
    """
    return sum(diff(expression, one) * change for one, change in _BY_SOURCE.items())


ANGLE_TERM = p * log(1 + s / kappa)
ANGLE = Symbol("angle", complex=True)  # the sum over the spectrum of `ANGLE_TERM`


def log_determinant() -> Expr:
    """Return the equivalent of log det(C + lambda) per dimension, less log lambda; eta = lambda/kappa is `RATIO`.

    >>> log_determinant()
    alpha*(ridge_ratio - log(ridge_ratio) - 1) + angle
    """
    return ANGLE + alpha * (RATIO - log(RATIO) - 1)


def log_determinant_shift() -> Expr:
    """Return L = (1/2) log(1 - rho): what the mean of log det(C + lambda) exceeds its equivalent by.

    At lambda = -x - i0 the imaginary part of log det counts eigenvalues: pi times how many are below x, less all.

    >>> log_determinant_shift()
    log(ridge_slope)/2
    """
    return log(SLOPE) / 2


def freedom_shift() -> Expr:
    """Return -lambda dL/dlambda: what the mean of the degrees of freedom df1 exceeds their limit by.

    >>> freedom_shift()
    -fall*ridge_ratio/ridge_slope**2
    """
    return -RATIO * FALL / SLOPE**2


def noise_shift() -> Expr:
    """Return sigma2 d/dlambda (lambda dL/dtau): the shift of the variance over noise, times N."""
    pulled = (_THRICE - RHO**2) / SLOPE**2  # lambda dL/dtau/kappa
    return noise / SLOPE * (pulled + by_log_kappa(pulled))


def bias_shift() -> Expr:
    """Return the shift of the squared bias: the mean fit has weights w_i (1 - lambda d log det/d eps_i).

    >>> bias_shift()
    (-2*fall*missed_1/ridge_slope + 2*missed_2)/ridge_slope
    """
    return -2 * (FALL * MISSED[1] / SLOPE - MISSED[2]) / SLOPE


def signal_shift() -> Expr:
    """Return -lambda^2 d^2 L/(dtau deps): the shift of the test error without noise."""
    by_eps = 2 * (FALL * MISSED[0] / SLOPE - MISSED[1])  # N eta dgamma/deps, times kappa^2
    both = by_source(by_eps) - RHO / SLOPE * by_eps  # the second term: eta, too, moves with the source
    return (both + by_eps * _SOURCED_RHO / SLOPE) / (2 * SLOPE)


def inputs_shift() -> Expr:
    """Return the shift of the variance over inputs: what signal and bias leave."""
    return signal_shift() - bias_shift()


def error_shift() -> Expr:
    """Return the shift of the test error, times N."""
    return signal_shift() + noise_shift()


def training_shift() -> Expr:
    """Return -sigma2 lambda^2 d^2 L/dlambda^2 + lambda^2 d/dlambda (lambda dL/deps): that of the training error."""
    freedom = FALL / SLOPE**2  # kappa dL/dlambda
    signal = (FALL * MISSED[0] / SLOPE - MISSED[1]) / SLOPE
    return -(RATIO**2) / SLOPE * (noise * (by_log_kappa(freedom) - freedom) + by_log_kappa(signal) - signal)


def cross_validation_shift() -> Expr:
    """Return the shift of generalised cross-validation: the training error over (1 - df1/N)^2.

    The trace scatters by O(1/N) and is as good as its mean, to this order.
    """
    return training_shift() / RATIO**2 - 2 * expected_error() * FALL / SLOPE**2


@exact.takes(side=exact.plain)
def edge_move(side: Expr) -> Expr:
    """Return by how much the mean of the outermost eigenvalue of a bulk is away from the edge, up to O(N^(-4/3)).

    `side` is 1 at its upper end and -1 at its lower one.
    """
    return side * TRACY_WIDOM_MEAN * edge_scale() * SAMPLES ** Rational(-2, 3) + edge_shift() / SAMPLES


def edge_scale() -> Expr:
    """Return kappa^(4/3) |lambda''/2|^(1/3) at an edge: eigenvalues there scatter by it times N^(-2/3).

    >>> edge_scale()
    Abs(fitted_slope)**(1/3)*Abs(kappa)**(4/3)/alpha**(1/3)
    """
    return cbrt(kappa**4) * cbrt(abs(SUMS["fitted_slope"]) / alpha)


def edge_shift() -> Expr:
    """Return -kappa^2 lambda'''/(6 lambda''): how far edges of X^T X/N are moved, times N.

    >>> edge_shift()
    fitted_bend*kappa**2/(2*fitted_slope)
    """
    return kappa**2 * FITTED_BEND / (2 * SUMS["fitted_slope"])
