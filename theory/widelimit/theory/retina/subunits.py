"""Cells of rectified subunits: their filters in any ensemble, covariances of subunits, and adaptation to contrast."""

from __future__ import annotations

from sympy import Expr, Symbol, exp, pi, sqrt

from widelimit.theory.calculus.gaussian.special import BivariateNormalCDF, normal_cdf, normal_density

FIRST, SECOND = Symbol("t_1", real=True), Symbol("t_2", real=True)  # thresholds over standard deviations
CORRELATION = Symbol("rho", real=True)
PRODUCT = Symbol("m_12", nonnegative=True)
FEEDBACK = Symbol("w", real=True)
TAU = Symbol("tau", positive=True)
PASSED = Symbol("Phi_q", nonnegative=True)  # share of the time above threshold
WIDTH = Symbol("c", nonnegative=True)  # of a static nonlinearity
DRIVE_DEVIATION = Symbol("sigma", positive=True)


def passing() -> Expr:
    """Return P(z > t) = Phi(-t): the slope of a rectifier, averaged, and the gain of a subunit."""
    return normal_cdf(-FIRST)


def rectified_product() -> Expr:
    """Return E [y - t_1]_+ [z - t_2]_+ at correlation rho, with sums of squares and multiples of 1 - rho.

    (rho + t_1 t_2) Phi_2(-t_1, -t_2) - t_1 pdf(t_2) Phi(-a) - t_2 pdf(t_1) Phi(-b) + R/(2 pi) exp(-E),
    R = sqrt(1 - rho^2), a = (t_1 - rho t_2)/R, b = (t_2 - rho t_1)/R, E = (t_1^2 - 2 rho t_1 t_2 + t_2^2)/(2 R^2).
    """
    a, b, below, above = FIRST, SECOND, 1 - CORRELATION, 1 + CORRELATION
    root = sqrt(below * above)
    both = (CORRELATION + a * b) * BivariateNormalCDF(-a, -b, CORRELATION)
    one = a * normal_density(b) * normal_cdf(-(a - b + b * below) / root)
    two = b * normal_density(a) * normal_cdf(-(b - a + a * below) / root)
    power = (a - b) ** 2 / (2 * below * above) + a * b / above
    return both - one - two + root * exp(-power) / (2 * pi)


def reflected_product() -> Expr:
    """Return the same at -rho from that with -t_2 at rho, m_12: less E [y - t_1]_+ (z' + t_2), z' = -z."""
    mean = normal_density(FIRST) - FIRST * normal_cdf(-FIRST)
    return PRODUCT - CORRELATION * normal_cdf(-FIRST) - SECOND * mean


def recovery() -> Expr:
    """Return tau / (1 + w Phi(-q)), the time in which an adapted state comes back."""
    return TAU / (1 + FEEDBACK * PASSED)


def static_gain() -> Expr:
    """Return sqrt(2/pi) / sqrt(c^2 + sigma^2): the mean slope of erf(u/(c sqrt 2)), which falls without adaptation."""
    return sqrt(2 / pi) / sqrt(WIDTH**2 + DRIVE_DEVIATION**2)
