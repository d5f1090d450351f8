"""Kernels of wide networks on spheres, mode by mode: eigenvalues, multiplicities, and how fast they fall with rank.

A unit max(0, w.x)^s with w on the sphere S^(d-1) has the Funk-Hecke coefficient l_k(s) at spherical harmonics of degree
k, of which there are N(d, k). Its random-feature kernel, one at equal inputs, has the eigenvalues `kernel_eigenvalue`;
training adds u times the kernel of the slope (`tangent_eigenvalue`). By rank n ~ 2 k^D/D!, D = d - 1, both fall as a
power: n^-(1 + (2s + 1)/D) and n^-(1 + (2s - 1)/D). Eigenvalues are those of the integral operator with the uniform
measure of mass one. Source: Bach (2017), appendix D; Bietti and Bach (2021).
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol, gamma, pi, sqrt

DEGREE = Symbol("k", integer=True, nonnegative=True)
INPUTS = Symbol("d", integer=True, positive=True)  # dimension of the inputs, which lie on S^(d-1)
POWER = Symbol("s", integer=True, nonnegative=True)  # of the unit: 0 a step, 1 ReLU
DIMENSION = Symbol("D", positive=True)  # of the manifold that the stimuli lie on
KERNEL, BELOW, ABOVE = (
    Symbol("mu_k", nonnegative=True),  # eigenvalue of the kernel of the unit at degree k ...
    Symbol("mu_below", nonnegative=True),  # ... and those of its slope at k - 1 and k + 1
    Symbol("mu_above", nonnegative=True),
)


def multiplicity() -> Expr:
    """Number of spherical harmonics of degree k on S^(d-1), (2k + d - 2)/k C(k + d - 3, k - 1) for k > 0.

    >>> multiplicity().subs({INPUTS: 3, DEGREE: 4})
    9
    """
    return (2 * DEGREE + INPUTS - 2) * gamma(DEGREE + INPUTS - 2) / (gamma(DEGREE + 1) * gamma(INPUTS - 1))


def multiplicity_ratio() -> Expr:
    """N(d, k + 1)/N(d, k), for k > 0."""
    top = (2 * DEGREE + INPUTS) * (DEGREE + INPUTS - 2)
    return top / ((2 * DEGREE + INPUTS - 2) * (DEGREE + 1))


def coefficient() -> Expr:
    """Funk-Hecke coefficient l_k(s) of max(0, t)^s on S^(d-1).

    >>> coefficient().subs({INPUTS: 3, POWER: 1, DEGREE: 0})
    1/4
    """
    below = gamma(1 + (POWER - DEGREE) / 2) * gamma((POWER + DEGREE + INPUTS) / 2)
    return gamma(INPUTS / 2) * gamma(POWER + 1) / (2 ** (POWER + 1) * below)


def coefficient_ratio() -> Expr:
    """l_(k + 2)(s)/l_k(s) = (s - k)/(s + k + d): past the power s only every other degree is left."""
    return (POWER - DEGREE) / (POWER + DEGREE + INPUTS)


def kernel_scale() -> Expr:
    """What makes the kernel of max(0, w.x)^s one at equal inputs: 2 for the step, 2d for ReLU.

    >>> kernel_scale().subs(POWER, 1).expand(func=True)
    2*d
    """
    return 2 * sqrt(pi) * gamma(INPUTS / 2 + POWER) / (gamma(INPUTS / 2) * gamma(POWER + Rational(1, 2)))


def kernel_eigenvalue() -> Expr:
    """mu_k = `kernel_scale` l_k(s)^2: of one hidden layer whose readout alone learns (NNGP), weights of gain two.

    >>> kernel_eigenvalue().subs({INPUTS: 3, POWER: 1, DEGREE: 2})
    3/128
    """
    return kernel_scale() * coefficient() ** 2


def tangent_eigenvalue() -> Expr:
    """mu_k + s^2/(2s - 1) [k mu'_(k-1) + (k + d - 2) mu'_(k+1)]/(2k + d - 2), mu' those of the power s - 1.

    The tangent kernel is kappa_s + s^2/(2s - 1) u kappa_(s-1), and u P_k is a sum of P_(k-1) and P_(k+1).
    """
    mixed = (DEGREE * BELOW + (DEGREE + INPUTS - 2) * ABOVE) / (2 * DEGREE + INPUTS - 2)
    return KERNEL + POWER**2 / (2 * POWER - 1) * mixed


def kernel_exponent() -> Expr:
    """alpha = 1 + (2s + 1)/D of the eigenvalues of the kernel of max(0, w.x)^s by rank."""
    return 1 + (2 * POWER + 1) / DIMENSION


def tangent_exponent() -> Expr:
    """alpha = 1 + (2s - 1)/D of the tangent kernel, which is as rough as the unit's slope."""
    return 1 + (2 * POWER - 1) / DIMENSION
