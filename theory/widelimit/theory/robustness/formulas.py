"""How often a perturbation flips a linear unit or a deep random network, and what saturation does to slopes.

A unit ``y = w . x + c`` sees inputs x ~ N(0, s^2 I); an attack of radius epsilon moves x by at most that in an l_p
norm, and y by at most epsilon |w|_q, q the dual power. Networks have the conventions of `meanfield`: weights of
variance sigma_w^2 / fan-in, biases of variance sigma_b^2, the linear readout like every layer.
"""

from __future__ import annotations

from math import factorial

from sympy import Abs, Expr, Max, Rational, Symbol, erf, erfc, exp, gamma, log, pi, sign, sqrt
from sympy.functions.special.polynomials import hermite_prob

from widelimit.theory.calculus import exact
from widelimit.theory.meanfield import sigma_b, sigma_w

RADIUS = Symbol("epsilon", positive=True)
POWER = Symbol("p", positive=True)  # of the norm of the attack
STD = Symbol("s", positive=True)  # of an input
BIAS = Symbol("c", nonnegative=True)  # its size: the law of x does not know its sign
DUAL = Symbol("w_q", positive=True)  # |w|_q
LENGTH = Symbol("w_2", positive=True)  # |w|_2
OVERLAP = Symbol("m", real=True)  # w . mu
REACH = Symbol("t", positive=True)  # what an attack moves y by, in standard deviations of y
OFFSET = Symbol("u", nonnegative=True)  # the bias in the same
LOW, HIGH = Symbol("a", real=True), Symbol("b", real=True)
DEFICIT = Symbol("d", real=True)
MEAN = Symbol("mu", real=True)  # of an input in its class
ORDER, SHAPE = Symbol("r", positive=True), Symbol("beta", positive=True)
M_1, M_2, M_3, M_4 = (Symbol(f"m_{k}", positive=True) for k in (1, 2, 3, 4))  # E |w|^k
KURTOSIS, SIZE = Symbol("k", positive=True), Symbol("N", positive=True)
INPUTS = Symbol("n", integer=True, positive=True)
LOG_GAIN = Symbol("G", real=True)  # sum of log chi over the layers, less log of q at the output
MARGIN = Symbol("m", positive=True)  # least size of a pre-activation
SLOPE, DEPTH = Symbol("S", positive=True), Symbol("L", positive=True)
LOG_NORM = Symbol("Lambda", real=True)  # log of the product of the norms of all weights
SQUARED_SLOPES, ENDS = Symbol("I", positive=True), Symbol("E", positive=True)
SHIFT_MEAN, SHIFT_SQUARE = Symbol("a_1", real=True), Symbol("a_2", positive=True)

LAWS = ("gaussian", "laplace", "generalized_gaussian", "student", "sparse")
SATURATING = ("tanh", "sigmoid", "erf")


def dual_power() -> Expr:
    """Return q = p/(p - 1): the largest w . delta over ``|delta|_p <= 1`` is ``|w|_q``.

    >>> dual_power().subs(POWER, 2)
    2
    """
    return POWER / (POWER - 1)


def reach() -> Expr:
    """Return epsilon |w|_q / (s |w|_2), what the attack moves y by over the standard deviation of y."""
    return RADIUS * DUAL / (STD * LENGTH)


def offset() -> Expr:
    """Return |c| / (s |w|_2), the bias over the standard deviation of y."""
    return BIAS / (STD * LENGTH)


def between() -> Expr:
    """Return the probability that z ~ N(0, 1) lies between a and b, which is that of a flip at u - t and u + t.

    >>> between().subs({LOW: -1, HIGH: 1})
    erf(sqrt(2)/2)
    """
    return (erf(HIGH / sqrt(2)) - erf(LOW / sqrt(2))) / 2


def between_tails() -> Expr:
    """Return the same by complements, which keep their digits far out."""
    return (erfc(LOW / sqrt(2)) - erfc(HIGH / sqrt(2))) / 2


def between_near() -> Expr:
    """Return the same for u - t and u + t with small t, without cancellation: Hermite's series to order t^11."""
    terms = [hermite_prob(2 * k, OFFSET) * REACH ** (2 * k) / factorial(2 * k + 1) for k in range(6)]
    return 2 * REACH * exp(-(OFFSET**2) / 2) / sqrt(2 * pi) * sum(terms[1:], start=terms[0])


def deficit() -> Expr:
    """Return (epsilon |w|_q - w . mu) / (s |w|_2): by how much an attacked class mean is on the wrong side."""
    return (RADIUS * DUAL - OVERLAP) / (STD * LENGTH)


def accuracy() -> Expr:
    """Return the accuracy Phi(-d) of classes N(+-mu, s^2 I) under attack, which keeps its digits on both sides.

    >>> accuracy().subs(DEFICIT, 0)
    1/2
    """
    return erfc(DEFICIT / sqrt(2)) / 2


def soft_threshold() -> Expr:
    """Return sign(mu) (|mu| - epsilon)_+, the weight of an input that is best under an attack by epsilon.

    >>> soft_threshold().subs({MEAN: -3, RADIUS: 1})
    -2
    """
    return sign(MEAN) * Max(Abs(MEAN) - RADIUS, 0)


@exact.takes(order=exact.plain)
def absolute_moment(law: str, order: Expr | int = ORDER) -> Expr:
    """Return E |w|^r of a law of weights, up to a scale^r that drops out of every ratio.

    `law`: "gaussian", "laplace", "generalized_gaussian" (density exp(-|w|^beta)), "student" (beta degrees of freedom)
    or "sparse" (Gaussian with probability beta, else 0). Raises `ArgumentError` for another.

    >>> absolute_moment("laplace", 4)
    24
    """
    exact.one_of("law", law, LAWS)
    if law == "laplace":
        return gamma(order + 1)
    if law == "generalized_gaussian":
        return gamma((order + 1) / SHAPE) / gamma(1 / SHAPE)
    normal = 2 ** (order * Rational(1, 2)) * gamma((order + 1) * Rational(1, 2)) / sqrt(pi)
    if law == "gaussian":
        return normal
    if law == "sparse":
        return SHAPE * normal
    tails = gamma((SHAPE - order) / 2) / gamma(SHAPE / 2)
    return (SHAPE / 2) ** (order * Rational(1, 2)) * tails * normal


def size_ratio() -> Expr:
    """Return rho = E |w| / sqrt(E w^2), which |w|_1 / (sqrt(N) |w|_2) comes to for many independent weights."""
    return M_1 / sqrt(M_2)


def kurtosis() -> Expr:
    """Return k = E w^4 / (E w^2)^2."""
    return M_4 / M_2**2


def finite_ratio() -> Expr:
    """Return rho (1 + [3 (k-1)/8 - (E|w|^3/(E|w| E w^2) - 1)/2]/N), E |w|_1 / (sqrt(N) |w|_2) to order 1/N.

    >>> normal = {one: absolute_moment("gaussian", k) for k, one in enumerate((M_1, M_2, M_3, M_4), 1)}
    >>> (finite_ratio() / size_ratio()).subs(normal).expand()
    1 + 1/(4*N)
    """
    spread = Rational(3, 8) * (kurtosis() - 1) - (M_3 / (M_1 * M_2) - 1) / 2
    return size_ratio() * (1 + spread / SIZE)


def least_ratio() -> Expr:
    """Return k^(-1/2), the least rho that weights of kurtosis k can have (Hoelder); the largest is 1 for all k > 1."""
    return KURTOSIS ** Rational(-1, 2)


def network_reach() -> Expr:
    """Return epsilon sigma_w sqrt(2 n / pi) exp(G / 2): what an l_inf attack moves the output by, over its deviation.

    G is the sum of log chi_l over the hidden layers less log q of the output; gradients with respect to n inputs are
    independent Gaussians of variance (sigma_w^2 / n) prod chi.
    """
    return RADIUS * sigma_w * sqrt(2 * INPUTS / pi) * exp(LOG_GAIN / 2)


def saturated_slope(activation: str) -> Expr:
    """Return the largest slope of a saturating activation where pre-activations are m or more in size.

    `activation`: "tanh", "sigmoid" or "erf". Raises `ArgumentError` for another.

    >>> saturated_slope("erf")
    2*exp(-m**2)/sqrt(pi)
    """
    exact.one_of("activation", activation, SATURATING)
    if activation == "tanh":
        return 4 * exp(-2 * MARGIN) / (1 + exp(-2 * MARGIN)) ** 2
    if activation == "sigmoid":
        return exp(-MARGIN) / (1 + exp(-MARGIN)) ** 2
    return 2 * exp(-(MARGIN**2)) / sqrt(pi)


def saturation_bound() -> Expr:
    """Return S^L prod |W_l|, a bound on |dy/dx| for L layers whose slopes are at most S; Lambda = sum log |W_l|."""
    return exp(LOG_NORM + DEPTH * log(SLOPE))


def slope_integral(activation: str) -> Expr:
    """Return the integral of phi'(u)^2 over the line: all that a saturated unit has of slopes.

    >>> slope_integral("tanh")
    4/3
    """
    exact.one_of("activation", activation, SATURATING)
    if activation == "tanh":
        return Rational(4, 3)
    if activation == "sigmoid":
        return Rational(1, 6)
    return 4 / sqrt(2 * pi)


def end_square(activation: str) -> Expr:
    """Return the mean square of a saturated unit, (phi(oo)^2 + phi(-oo)^2) / 2."""
    exact.one_of("activation", activation, SATURATING)
    return Rational(1, 2) if activation == "sigmoid" else Rational(1)


def saturated_gain() -> Expr:
    """Return what chi_1 comes to at large sigma_w: sigma_w^2 I / sqrt(2 pi (sigma_w^2 E + sigma_b^2)).

    I is the integral of phi'^2, E the mean square of saturated units. For tanh and sigma_b = 0 it is sigma_w (4/3) /
    sqrt(2 pi): saturation of random weights makes slopes rare, and not small.
    """
    return sigma_w**2 * SQUARED_SLOPES / sqrt(2 * pi * (sigma_w**2 * ENDS + sigma_b**2))


def divergence() -> Expr:
    """Return half of the variance, over classes, of the shift of the logits: KL(p || p') to second order.

    a_1, a_2: mean and mean square of the shift under p. With a shift J delta it is delta' F delta / 2, F = J' (diag p -
    p p') J, the input Fisher matrix.
    """
    return (SHIFT_SQUARE - SHIFT_MEAN**2) / 2
