"""Covariance matrices with the sample's eigenvectors and better eigenvalues: which, and at what risk.

Risks are mean squared errors of all entries, summed, per dimension: E tr (C - Sigma)^2 / p.
"""

from __future__ import annotations

from sympy import Abs, Expr, Max, Rational, Symbol, log, pi, sqrt

from widelimit.theory.spectra.bulk import DIMENSIONS, RATIO, SAMPLES, VALUE

REAL, IMAGINARY = (
    Symbol("R", real=True),
    Symbol("I", real=True),
)  # of M(x + i0), the mean of t/(x - t) over the sample
MEAN, SQUARE = Symbol("m_1", positive=True), Symbol("m_2", positive=True)  # of population eigenvalues
SAMPLE_SQUARE = Symbol("s_2", positive=True)  # mean squared eigenvalue of the sample
DISPERSION, SCATTER = (
    Symbol("a", nonnegative=True),
    Symbol("b", positive=True),
)  # alpha^2, beta^2 of Ledoit and Wolf
INVERSE = Symbol("g", positive=True)  # mean of 1/x over the n eigenvalues of X X'/n
ARGUMENT = Symbol("u", real=True)


def shrunk() -> Expr:
    """Return x/((1 + c R)^2 + (c I)^2), the mean of u' Sigma u for the sample's eigenvectors u at x (Ledoit and Peche).

    >>> shrunk().subs({IMAGINARY: 0, REAL: Rational(1, 2), RATIO: 1, VALUE: Rational(9, 2)})
    2
    """
    return VALUE / ((1 + RATIO * REAL) ** 2 + (RATIO * IMAGINARY) ** 2)


def shrunk_zero() -> Expr:
    """Return 1/((c - 1) g), the same for the zeros that p > n leaves; g is the mean inverse of the others."""
    return 1 / ((RATIO - 1) * INVERSE)


def sample_scatter() -> Expr:
    """Return (m_2 + p m_1^2)/n, the risk of the sample covariance itself, Gaussian samples."""
    return (SQUARE + DIMENSIONS * MEAN**2) / SAMPLES


def second_from() -> Expr:
    """Return m_2 = n^2 (s_2 - p m_1^2/n)/((n - 1)(n + 2)), without bias; m_1 is the mean eigenvalue of the sample."""
    return SAMPLES**2 * (SAMPLE_SQUARE - DIMENSIONS * MEAN**2 / SAMPLES) / ((SAMPLES - 1) * (SAMPLES + 2))


def intensity() -> Expr:
    """Return b/(a + b), the best share of the mean eigenvalue in a mixture with the sample's (Ledoit and Wolf).

    >>> intensity().subs({DISPERSION: 1, SCATTER: 1})
    1/2
    """
    return SCATTER / (DISPERSION + SCATTER)


def linear_risk() -> Expr:
    """Return a b/(a + b), the risk of the best mixture."""
    return DISPERSION * SCATTER / (DISPERSION + SCATTER)


def kernel_density() -> Expr:
    """Return max(0, 1 - u^2/5) 3/(4 sqrt 5), Epanechnikov's kernel of variance one."""
    return Max(0, 1 - ARGUMENT**2 / 5) * 3 / (4 * sqrt(5))


def kernel_hilbert() -> Expr:
    """Return its Hilbert transform, the principal value of the integral of k(t)/(t - u), over pi."""
    inside = (1 - ARGUMENT**2 / 5) * log(Abs((sqrt(5) - ARGUMENT) / (sqrt(5) + ARGUMENT)))
    return (-3 * ARGUMENT * Rational(1, 10) + 3 * inside / (4 * sqrt(5))) / pi
