"""The two expectations of a dense layer against two-dimensional quadrature, and the derivation's own checks."""

import itertools

import mpmath as mp
import numpy as np
import pytest
from scipy import special

from widelimit.theory import kernel
from widelimit.theory.calculus.precision import evaluate
from widelimit.theory.errors import InfiniteMomentError
from widelimit.theory.kernel import PAIR_SYMBOLS

POINT = (0.7, 1.9, 0.35)


def quadrature(f):
    """E f(u) f(v) at POINT in polar coordinates: Gauss-Legendre between the rays where u or v is 0 (the only kinks)."""
    q1, q2, rho = POINT
    angle = np.arccos(rho)
    rays = np.sort(np.mod([np.pi / 2, 3 * np.pi / 2, angle + np.pi / 2, angle + 3 * np.pi / 2], 2 * np.pi))
    edges = np.append(rays, rays[0] + 2 * np.pi)
    nodes, weights = np.polynomial.legendre.leggauss(80)
    radius, weight = 5.5 * (1 + nodes), 5.5 * weights  # the density is 1e-26 at 11
    total = 0.0
    for low, high in itertools.pairwise(edges):
        a = low + 0.5 * (high - low) * (1 + nodes)
        u = np.sqrt(q1) * np.outer(np.cos(a), radius)
        v = np.sqrt(q2) * np.outer(np.cos(a - angle), radius)
        radial = (f(u) * f(v)) @ (weight * radius * np.exp(-(radius**2) / 2)) / (2 * np.pi)
        total += 0.5 * (high - low) * weights @ radial
    return total


CASES = {
    "relu": (lambda x: np.maximum(x, 0), lambda x: 1.0 * (x > 0)),
    "leaky_relu(0.1)": (lambda x: np.maximum(x, x / 10), lambda x: np.where(x > 0, 1.0, 0.1)),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(x)), lambda x: np.where(x > 0, 1.0, np.exp(x))),
    "erf": (special.erf, lambda x: 2 / np.sqrt(np.pi) * np.exp(-(x**2))),
    "erf_s": (lambda x: special.erf(np.sqrt(np.pi) * x / 2), lambda x: np.exp(-np.pi * x**2 / 4)),
    "sin": (np.sin, np.cos),
    "gelu": (
        lambda x: x * special.ndtr(x),
        lambda x: special.ndtr(x) + x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi),
    ),
    "abs": (np.abs, np.sign),
    "monomial(3)": (lambda x: x**3, lambda x: 3 * x**2),
}


@pytest.mark.parametrize("name", CASES)
def test_closed_forms_are_the_integrals(name):
    values = dict(zip(PAIR_SYMBOLS, POINT, strict=True))
    for expr, f in zip(kernel.pair(name), CASES[name], strict=True):
        assert kernel.is_closed(expr)
        assert (
            abs(float(evaluate(expr, values, 20)) - quadrature(f)) < 1e-12
        )  # analytic between the rays: to rounding


def test_relu_is_the_arc_cosine_kernel():
    values = dict(zip(PAIR_SYMBOLS, POINT, strict=True))
    t, tdot = (evaluate(e, values, 30) for e in kernel.pair("relu"))
    with mp.workdps(30):
        rho = mp.mpf(POINT[2])
        k0 = (mp.pi - mp.acos(rho)) / mp.pi  # cho2009kernel, eqs. (3) and (6)
        k1 = (rho * (mp.pi - mp.acos(rho)) + mp.sqrt(1 - rho**2)) / mp.pi
        assert mp.almosteq(t, mp.sqrt(mp.mpf(POINT[0]) * mp.mpf(POINT[1])) * k1 / 2, 1e-13)
        assert mp.almosteq(tdot, k0 / 2, 1e-13)  # the point is rounded to doubles in one of the two


def test_equal_and_opposite_inputs_are_the_ends_of_the_pair():
    for name in ("erf", "relu", "gelu"):
        ends = [evaluate(e, {PAIR_SYMBOLS[0]: 0.7}, 20) for e in kernel.equal_pair(name)]
        at = [
            evaluate(e, dict(zip(PAIR_SYMBOLS, (0.7, 0.7, rho), strict=True)), 20)
            for rho in (1, -1)
            for e in kernel.pair(name)
        ]
        assert all(abs(a - b) < 1e-15 for a, b in zip(ends, at, strict=True))


@pytest.mark.parametrize("name", ["relu", "erf"])
def test_derivation_checks_itself(name):
    checks = kernel.derive(name).check(dps=20, points=1)
    assert all(check.passed for check in checks)
    assert {"price", "kernel-closed-form", "slope-closed-form"} <= {check.name for check in checks}


def test_a_jump_has_no_tangent_kernel():
    with pytest.raises(InfiniteMomentError, match="jumps at 0"):
        kernel.pair("sign(x)")


def test_every_source_is_in_the_references():
    from widelimit.theory import architecture, batchnorm, convolution, fisher, geometry, recurrence, residual

    del architecture
    for module in (kernel, fisher, geometry, convolution, recurrence, residual, batchnorm):
        assert module.derive("tanh").latex()
