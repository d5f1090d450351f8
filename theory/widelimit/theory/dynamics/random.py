"""Random recurrent networks: variance, correlation, Lyapunov exponents, and the whole spectrum of a discrete one.

dx/dt = -x + J phi(x) + noise, or x' = J phi(x) + noise, J of independent entries N(0, g^2/N). Delta(tau) is the
autocovariance of x (not of phi), Delta_0 its variance, Delta_inf what does not fade; C(Delta) = E phi phi over two
Gaussians of variance Delta_0 and covariance Delta. Noise in continuous time is sigma dW; a step adds variance sigma^2.
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol, log, sqrt

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian import Expectation

DISORDER = Symbol("g", positive=True)
NOISE = Symbol("sigma", nonnegative=True)
VARIANCE = Symbol("Delta_0", positive=True)
FROZEN = Symbol("Delta_oo", nonnegative=True)
SHARE = Symbol("Q", nonnegative=True)  # what `pace` takes of C, see there
SLOPE = Symbol("c_1", nonnegative=True)  # dC/dDelta = E phi' phi'
LEVEL = Symbol("E_0", real=True)
STEP = Symbol("alpha", positive=True)  # of Euler, 1 for a network in discrete time
BEFORE, HERE, BEHIND = (Symbol(name, real=True) for name in ("Delta_km", "Delta_k", "Delta_kp"))
RATES = Symbol("C_k", real=True)  # C at Delta_k
FRACTION = Symbol("t", positive=True)  # of exponents that lie below
ZETA = Symbol("zeta", negative=True)
OVERLAP = Symbol("sigma_mn", positive=True)
LOG_SLOPE = Symbol("ell", real=True)  # E log |phi'|
KAPPA = Symbol("kappa", nonnegative=True)  # standard deviation of x in a network of rank one


def kick() -> Expr:
    """Return (sigma^2/2)^2 / (Delta_0 - Delta_inf)^2, the square of the pace at which noise sets out.

    White noise has Delta'(0+) = -sigma^2/2; Delta_0 is where this is the `pace` that energy kept gives there.

    >>> kick().subs({FROZEN: 0, VARIANCE: NOISE**2 / 2})
    1
    """
    return (NOISE**2 / 2) ** 2 / (VARIANCE - FROZEN) ** 2


def pace() -> Expr:
    """Return 1 - 2 g^2 Q / Delta_0, the square of -d log(Delta - Delta_inf)/dtau.

    Q(rho) is what is left of the integral of C = sum_k s_k rho^k, rho = Delta/Delta_0, behind its value and slope at
    rho_inf, over (rho - rho_inf)^2: all its terms are positive, so that no digits are lost where Delta comes to rest.
    """
    return 1 - 2 * DISORDER**2 * SHARE / VARIANCE


def tail_rate() -> Expr:
    """Return sqrt(1 - g^2 c_1), c_1 = dC/dDelta at Delta_inf: the rate at which the correlation fades at last."""
    return sqrt(1 - DISORDER**2 * SLOPE)


def well() -> Expr:
    """Return 1 - g^2 c_1, c_1 = dC/dDelta at Delta(tau): the potential whose lowest level is E_0."""
    return 1 - DISORDER**2 * SLOPE


def continuous_exponent() -> Expr:
    """Return -1 + sqrt(1 - E_0), the largest Lyapunov exponent in continuous time.

    >>> continuous_exponent().subs(LEVEL, 0)
    0
    """
    return -1 + sqrt(1 - LEVEL)


def lattice_balance() -> Expr:
    """Return what covariances of Euler's steps alpha have to make zero, at a lag of one step or more.

    [1 + (1 - alpha)^2] Delta_k - (1 - alpha)(Delta_{k+1} + Delta_{k-1}) - alpha^2 g^2 C(Delta_k); at lag 0 noise adds
    alpha sigma^2 to the last term.
    """
    kept = 1 - STEP
    return (1 + kept**2) * HERE - kept * (BEFORE + BEHIND) - STEP**2 * DISORDER**2 * RATES


def step_exponent(activation: str | Activation = "tanh") -> Expr:
    """Return log(g^2 E phi'^2)/2, the largest Lyapunov exponent a step in discrete time.

    >>> step_exponent("linear").doit()
    log(g**2)/2
    """
    slope = Activation.of(activation).derivative().expr
    return log(DISORDER**2 * Expectation(slope**2, X, VARIANCE)) / 2


def spectrum_exponent() -> Expr:
    """Return log(g^2 (t - 1) zeta)/2, the exponent above a share t of all, where E d/(zeta - d) = t - 1 at zeta < 0.

    d = phi'^2 has the law of the slopes. t = 1 is the largest exponent.
    """
    return log(DISORDER**2 * (FRACTION - 1) * ZETA) / 2


def mean_exponent() -> Expr:
    """Return log g - 1/2 + ell, the mean of all exponents a step, ell = E log |phi'|."""
    return log(DISORDER) - Rational(1, 2) + LOG_SLOPE


def noise_edge(activation: str | Activation = "tanh") -> Expr:
    """Return Delta_0 - g^2 E phi^2, the variance sigma^2 of noise that keeps Delta_0 in discrete time.

    Where g^2 E phi'^2 = 1 at Delta_0, noise of more variance suppresses chaos.

    >>> noise_edge("linear").doit()
    -Delta_0*g**2 + Delta_0
    """
    return VARIANCE - DISORDER**2 * Expectation(Activation.of(activation).expr ** 2, X, VARIANCE)


def rank_one_excess(activation: str | Activation = "tanh") -> Expr:
    """Return sigma_mn E phi'(kappa z) - 1, zero at the fixed points of a network of rank one besides rest.

    dx/dt = -x + m n' phi(x)/N, overlap sigma_mn = m.n/N of Gaussian m, n; x = kappa m/|m| with |m|^2 = N.
    """
    slope = Activation.of(activation).derivative().expr
    return OVERLAP * Expectation(slope, X, KAPPA**2) - 1


def rank_one_time() -> Expr:
    """Return 1/(1 - sigma_mn), the time constant of rest in a network of rank one, phi'(0) = 1."""
    return 1 / (1 - OVERLAP)
