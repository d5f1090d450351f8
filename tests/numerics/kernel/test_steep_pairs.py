"""Steep slopes and oscillation through kernels and spectra, by composite Gauss-Legendre that shares nothing.

Every number is right to 1e-6, or refused by a sentence.
"""

import math

import numpy as np
import pytest
from scipy.special import erf, expit

from widelimit.numerics import jacobian, kernel
from widelimit.theory.errors import DomainError, WidelimitError

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
REACH = 9.0  # standard deviations
STEPS = np.array([0.0, 0.1, 0.5, 1, 2, 4, 8, 16, 40])  # of the scale of a place, to both sides


def squared_sech(x):
    return 1 / np.cosh(np.clip(x, -300, 300)) ** 2


def bell(x):
    return np.exp(-np.minimum(10 * x * x, 700))


CASES = {  # phi, phi', places where it is steep or kinked with their scale, angular frequency
    "tanh(50*x)": (lambda x: np.tanh(50 * x), lambda x: 50 * squared_sech(50 * x), [(0, 0.02)], 0),
    "erf(20*x)": (
        lambda x: erf(20 * x),
        lambda x: 40 / math.sqrt(math.pi) * np.exp(-np.minimum((20 * x) ** 2, 700)),
        [(0, 0.05)],
        0,
    ),
    "sin(5*x)": (lambda x: np.sin(5 * x), lambda x: 5 * np.cos(5 * x), [], 5),
    "sin(20*x)": (lambda x: np.sin(20 * x), lambda x: 20 * np.cos(20 * x), [], 20),
    "cos(x)": (np.cos, lambda x: -np.sin(x), [], 1),
    "tanh(x)*sin(10*x)": (
        lambda x: np.tanh(x) * np.sin(10 * x),
        lambda x: squared_sech(x) * np.sin(10 * x) + 10 * np.tanh(x) * np.cos(10 * x),
        [(0, 0.5)],
        11,
    ),
    "x*exp(-x**2*10)": (lambda x: x * bell(x), lambda x: (1 - 20 * x * x) * bell(x), [(0, 0.3)], 0),
    "softplus(30*x)/30": (
        lambda x: np.logaddexp(0, 30 * x) / 30,
        lambda x: expit(30 * x),
        [(0, 0.05)],
        0,
    ),
    "abs(x-1)+max(x+0.5,0)-0.3*abs(x-3)": (
        lambda x: abs(x - 1) + np.maximum(x + 0.5, 0) - 0.3 * abs(x - 3),
        lambda x: np.sign(x - 1) + (x > -0.5) - 0.3 * np.sign(x - 3),
        [(1, 0.3), (-0.5, 0.3), (3, 0.3)],
        0,
    ),
    "max(x,0)+min(exp(x)-1,0)*0.7": (
        lambda x: np.maximum(x, 0) + 0.7 * np.expm1(np.minimum(x, 0)),
        lambda x: np.where(x > 0, 1.0, 0.7 * np.exp(np.minimum(x, 0))),
        [(0, 1.0)],
        0,
    ),
    "clip(8*x,-1,1)": (
        lambda x: np.clip(8 * x, -1, 1),
        lambda x: 8.0 * (abs(x) < 0.125),
        [(0.125, 0.1), (-0.125, 0.1)],
        0,
    ),
}


def rule(places, frequency):
    """Nodes and weights of a standard Gaussian, split at places (in its units) and fine enough for a frequency."""
    edges = [np.linspace(-REACH, REACH, 19 + int(18 * frequency / 6))]
    for at, scale in places:
        edges += [at + scale * STEPS, at - scale * STEPS]
    cuts = np.unique(np.clip(np.concatenate(edges), -REACH, REACH))
    half, middle = 0.5 * np.diff(cuts)[:, None], 0.5 * (cuts[1:] + cuts[:-1])[:, None]
    z = (middle + half * NODES).ravel()
    return z, (half * WEIGHTS).ravel() * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def mean(f, q, places, frequency):
    s = math.sqrt(q)
    z, w = rule([(a / s, d / s) for a, d in places], 2 * frequency * s)
    return float(w @ f(s * z))


def overlap(f, q, c, places, frequency):
    """E f(u) f(v) of variance q and correlation c: of independent a and b, u, v = sqrt(q) (cos t a +- sin t b)."""
    s = math.sqrt(q)
    t = 0.5 * math.acos(c)
    long, short = s * math.cos(t), s * math.sin(t)
    # given b, u is where phi is steep at a = (place - short b)/long, v at (place + short b)/long: where two such meet,
    # the integral over a turns
    meet = [(0.5 * (p - r) / short, d / short) for p, d in places for r, _ in places]
    b, wb = rule([*meet, (0, min(1.0, long / short))], 2 * frequency * short)
    total = 0.0
    for y, weight in zip(b, wb, strict=True):
        inner = [((a - sign * short * y) / long, d / long) for a, d in places for sign in (1, -1)]
        z, w = rule(inner, 2 * frequency * long)
        total += weight * float(w @ (f(long * z + short * y) * f(long * z - short * y)))
    return total


def check_pair(text, q, c):
    """T and Tdot of one layer from both kernels."""
    value, slope, places, frequency = CASES[text]
    x = math.sqrt(2 * q) * np.array([[1.0, 0.0], [c, math.sqrt(1 - c * c)]])
    try:
        found = kernel.nngp_ntk(x, activation=text, sigma_w=1.0, depth=1)
    except WidelimitError as error:
        return f"refused: {error}"
    t, both = found.nngp[0, 1], found.ntk[0, 1]
    exact, rate = (overlap(f, q, c, places, frequency) for f in (value, slope))
    top = mean(lambda x: value(x) ** 2, q, places, frequency)
    steep = mean(lambda x: slope(x) ** 2, q, places, frequency)
    assert t == pytest.approx(exact, abs=1e-6 * top)
    assert found.nngp[0, 0] == pytest.approx(top, rel=1e-6)
    assert (both - t) / q == pytest.approx(c * rate, abs=1e-6 * steep)
    assert (found.ntk[0, 0] - found.nngp[0, 0]) / q == pytest.approx(steep, rel=1e-6)
    return "right"


def check_spectrum(text, q):
    """Mass, first two moments of one layer's Jacobian and, with orthogonal weights, its distribution function."""
    _, slope, places, frequency = CASES[text]
    try:
        law = jacobian.spectrum(text, sigma_w=1.3, depth=1, q0=q, weights="orthogonal")
        wide = jacobian.spectrum(text, sigma_w=1.3, depth=1, q0=q, weights="gaussian")
    except WidelimitError as error:
        return f"refused: {error}"
    one = mean(lambda x: 1.69 * slope(x) ** 2, q, places, frequency)
    two = mean(lambda x: (1.69 * slope(x) ** 2) ** 2, q, places, frequency)
    for found, second in ((law, two), (wide, two + one**2)):
        assert found.error < 1e-6
        assert found.mass == pytest.approx(1, abs=1e-6)
        assert found.moment(1) == pytest.approx(one, rel=1e-6)
        assert found.moment(2) == pytest.approx(second, rel=1e-6)
    z = np.linspace(-REACH, REACH, 2_000_001)
    weight = np.exp(-z * z / 2) / np.exp(-z * z / 2).sum()
    squares = 1.69 * slope(math.sqrt(q) * z) ** 2
    for share in (0.03, 0.2, 0.7):
        level = share * squares.max()
        assert law.cdf(level) == pytest.approx(weight[squares <= level].sum(), abs=1e-4)
    return "right"


@pytest.mark.parametrize(("text", "q", "c"), [("tanh(50*x)", 1.0, 0.6), ("sin(5*x)", 2.0, 0.98)])
def test_a_steep_and_an_oscillating_pair(text, q, c):
    assert check_pair(text, q, c) == "right"


@pytest.mark.parametrize(("text", "q"), [("cos(x)", 1.0), ("clip(8*x,-1,1)", 50.0)])
def test_spectra_of_steep_slopes(text, q):
    assert check_spectrum(text, q) == "right"


@pytest.mark.parametrize("text", ["erf(20*x)", "softplus(30*x)/30"])
def test_slopes_that_no_float_holds_are_refused_by_what_they_are(text):
    with pytest.raises(DomainError, match=r"fall below any float within 13 standard deviations.*less steep"):
        jacobian.spectrum(text, sigma_w=1.3, depth=1, q0=1.0)


@pytest.mark.sweep
@pytest.mark.parametrize("text", CASES)
@pytest.mark.parametrize("q", [1e-3, 1.0, 50.0])
def test_pairs_at_all_variances(text, q):
    for c in (-0.3, 0.6, 0.98):
        found = check_pair(text, q, c)
        print(text, q, c, found)
        assert found == "right"


@pytest.mark.sweep
@pytest.mark.parametrize("text", CASES)
@pytest.mark.parametrize("q", [1e-3, 1.0, 50.0])
def test_spectra_at_all_variances(text, q):
    found = check_spectrum(text, q)
    print(text, q, found)
    assert found == "right" or "fall below any float within 13 standard deviations" in found
