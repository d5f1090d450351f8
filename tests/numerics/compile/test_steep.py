"""Steep slopes: moments against quadrature with break points at every scale, by code that shares nothing."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erf

from widelimit.numerics import meanfield
from widelimit.numerics.meanfield.maps import maps


def squared_sech(x):
    return 1 / np.cosh(np.clip(x, -350, 350)) ** 2


CASES = {  # phi, phi', where it is steep, on which scale
    "tanh(50*x)": (lambda x: np.tanh(50 * x), lambda x: 50 * squared_sech(50 * x), [0], 0.02),
    "sigmoid(100*x)": (
        lambda x: (1 + np.tanh(50 * x)) / 2,
        lambda x: 25 * squared_sech(50 * x),
        [0],
        0.01,
    ),
    "erf(200*x)": (
        lambda x: erf(200 * x),
        lambda x: 400 / math.sqrt(math.pi) * math.exp(-min((200 * x) ** 2, 700)),
        [0],
        0.005,
    ),
    "tanh(50*(x-1))+x": (
        lambda x: np.tanh(50 * (x - 1)) + x,
        lambda x: 1 + 50 * squared_sech(50 * (x - 1)),
        [1],
        0.02,
    ),
    "tanh(1000*x)*abs(x-.5)": (
        lambda x: np.tanh(1000 * x) * abs(x - 0.5),
        lambda x: 1000 * squared_sech(1000 * x) * abs(x - 0.5) + np.tanh(1000 * x) * np.sign(x - 0.5),
        [0, 0.5],
        0.001,
    ),
    "clip(1000*x,-1,1)": (
        lambda x: np.clip(1000 * x, -1, 1),
        lambda x: 1000.0 * (abs(x) < 1e-3),
        [-1e-3, 1e-3],
        1e-3,
    ),
}


def expectation(f, q, places, scale):
    reach = 10 * math.sqrt(q)
    steps = [s * scale * m for s in (-1, 1) for m in (0, 0.001, 0.1, 1, 3, 10, 30, 100, 1000, 1e4)]
    edges = sorted({-reach, reach, *(p + step for p in places for step in steps if abs(p + step) < reach)})
    ends = pairwise(edges)
    weighted = [
        quad(lambda x: f(x) * math.exp(-x * x / 2 / q), a, b, limit=200, epsrel=1e-12)[0] for a, b in ends
    ]
    return sum(weighted) / math.sqrt(2 * math.pi * q)


@pytest.mark.slow
@pytest.mark.parametrize("text", CASES)
@pytest.mark.parametrize("q", [1e-3, 0.3, 5.0, 1e3])
def test_moments(text, q):
    value, slope, places, scale = CASES[text]
    (v, p, _), _ = maps(text).moments(np.array([q]))
    assert v[0] == pytest.approx(expectation(lambda x: value(x) ** 2, q, places, scale), rel=1e-9)
    assert p[0] == pytest.approx(expectation(lambda x: slope(x) ** 2, q, places, scale), rel=1e-8)


def test_a_slope_that_is_infinite_at_a_kink_is_bisected_around():
    """1 - exp(-x^2) is 0 in floats next to 0, and the slope divides by its root: c* came out as 0.99."""
    point = meanfield.solve("sqrt(1-exp(-x**2))", sigma_w=1.5, sigma_b=0.3)
    q, c = point.q_star, point.c_star
    value = lambda x: np.sqrt(-np.expm1(-x * x))  # noqa: E731
    x, w = np.polynomial.legendre.leggauss(100)
    ends = np.array([-10, -5, -2, -1, -0.3, -0.1, -0.01, 0, 0.01, 0.1, 0.3, 1, 2, 5, 10])
    z = np.concatenate([(a + b) / 2 + (b - a) / 2 * x for a, b in pairwise(ends)])
    weight = np.concatenate([(b - a) / 2 * w for a, b in pairwise(ends)])
    own = math.sqrt(q * (1 - c * c))
    total = 0.0
    for u, share in zip(math.sqrt(q) * z, weight * np.exp(-z * z / 2) / math.sqrt(2 * math.pi), strict=True):
        kink = -c * u / own  # where the second unit is 0, given the first
        edges = np.sort(np.clip(np.concatenate([kink + ends, [-10, 10]]), -10, 10))
        inner = sum(
            (b - a)
            / 2
            * w
            @ (np.exp(-((y := (a + b) / 2 + (b - a) / 2 * x) ** 2) / 2) * value(c * u + own * y))
            for a, b in pairwise(edges)
            if b > a
        ) / math.sqrt(2 * math.pi)
        total += share * value(u) * inner
    assert 1.5**2 * total + 0.09 == pytest.approx(c * q, rel=1e-9)
