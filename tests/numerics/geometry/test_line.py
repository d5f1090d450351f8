"""Lines next to the origin and through it, circles off the fixed point: angles, exact limits, plain Monte Carlo."""

import math

import numpy as np
import pytest
from scipy import integrate

from widelimit.numerics import geometry
from widelimit.theory.errors import ArgumentError, DomainError

A = np.array([1.0, 0.2, -0.4])
SLOPES = {
    "relu": (lambda h: np.maximum(h, 0.0), lambda h: (h > 0) * 1.0),
    "x*tanh(x)": (lambda h: h * np.tanh(h), lambda h: np.tanh(h) + h / np.cosh(h) ** 2),
    "elu": (lambda h: np.where(h > 0, h, np.expm1(h)), lambda h: np.where(h > 0, 1.0, np.exp(h))),
    "hard_tanh": (lambda h: np.clip(h, -1, 1), lambda h: (np.abs(h) < 1) * 1.0),
}


def angle(a, b):
    return math.atan2(np.linalg.norm(np.cross(a, b)), a @ b)


@pytest.mark.parametrize("miss", [1e-1, 1e-3, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu(1/5)"])
def test_a_line_next_to_the_origin_crosses_an_angle(activation, miss):
    """Homogeneous units without biases turn by the same angle in every layer; fixed nodes saw 7.96 crossings of 1."""
    end = -A + miss * np.array([0.0, 0.4, 0.2])
    out = geometry.line(A, end, activation=activation, sigma_w=2**0.5, depth=3)
    assert np.allclose(out.crossings, angle(A, end) / math.pi, rtol=1e-9)
    assert (out.crossings_error < 1e-9).all() and (out.length_error < 1e-9).all()
    stretch = math.sqrt(2) * math.sqrt((1 + (0.2 if "leaky" in activation else 0.0) ** 2) / 2)
    length = math.sqrt(2 / 3) * np.linalg.norm(end - A)
    assert np.allclose(out.length, length * stretch ** np.arange(4), rtol=1e-9)


def test_random_lines_cross_angles():
    rng = np.random.default_rng(3)
    for scale in (1e-130, 1e-6, 1.0, 1e6, 1e70):
        a, b = rng.standard_normal((2, 3)) * scale
        out = geometry.line(a, b, activation="relu", sigma_w=1.3, depth=2)
        assert np.allclose(out.crossings, angle(a / scale, b / scale) / math.pi, rtol=1e-9)


@pytest.mark.parametrize(
    ("start", "end", "activation", "crossings"),
    [
        (A, -A, "relu", [1.0, 0.5, math.acos(1 / math.pi) / math.pi]),
        (A, -3 * A, "abs(x)", [1.0, 0.0, 0.0]),
        (A, 2 * A, "relu", [0.0, 0.0, 0.0]),
        (A, 0 * A, "relu", [0.0, 0.0, 0.0]),
        (0 * A, A, "leaky_relu(1/10)", [0.0, 0.0, 0.0]),
        (A, A, "relu", [0.0, 0.0, 0.0]),
        (0 * A, 0 * A, "relu", [0.0, 0.0, 0.0]),
    ],
)
def test_lines_on_a_ray(start, end, activation, crossings):
    """Through the origin the units of layer l change sign with probability arccos(rho_l)/pi, rho of opposite inputs."""
    out = geometry.line(start, end, activation=activation, sigma_w=1.7, depth=3)
    assert np.allclose(out.crossings, crossings, atol=1e-9)
    assert np.isfinite(out.metric).all() and np.isfinite(out.length).all()


def test_a_ray_crosses_other_levels_in_closed_form():
    """h = t g along a ray: |b| is passed where |g| reaches |b|/t, on either side of 0 with probability 1/2."""
    out = geometry.line(0 * A, A, activation="hard_tanh", sigma_w=2.0)
    sd = 2.0 * np.linalg.norm(A) / math.sqrt(3)
    assert math.isclose(out.crossings[0], math.erfc(1 / sd / math.sqrt(2)), rel_tol=1e-9)


def test_biases_round_off_the_turn():
    """A unit with biases, in the space with one dimension more, crosses the angle there."""
    for miss in (0.0, 1e-5):
        end = -A + miss
        out = geometry.line(A, end, activation="relu", sigma_w=1.5, sigma_b=1e-4)
        lift = 1e-4 * math.sqrt(3) / 1.5
        first, last = np.append(A, lift), np.append(end, lift)
        turned = 2 * math.asin(
            0.5 * np.linalg.norm(first / np.linalg.norm(first) - last / np.linalg.norm(last))
        )
        assert math.isclose(out.crossings[0], turned / math.pi, rel_tol=1e-9)


@pytest.mark.parametrize(("activation", "sigma_b"), [("elu", 0.1), ("hard_tanh", 0.0)])
def test_crossings_against_drawn_networks(activation, sigma_b):
    phi, _ = SLOPES[activation]
    end, rng, counts = np.array([-0.9, 0.1, 0.6]), np.random.default_rng(0), []
    t = np.linspace(0, 1, 1001)[:, None]
    levels = (0.0,) if activation == "elu" else (-1.0, 1.0)
    for _ in range(30):
        x, rows = A + t * (end - A), []
        for _ in range(2):
            h = x @ (rng.standard_normal((x.shape[1], 200)) * 1.5 / math.sqrt(x.shape[1]))
            h += sigma_b * rng.standard_normal(200)
            rows.append(sum(float(((h[1:] > b) != (h[:-1] > b)).sum()) / 200 for b in levels))
            x = phi(h)
        counts.append(rows)
    out = geometry.line(A, end, activation=activation, sigma_w=1.5, sigma_b=sigma_b, depth=2)
    error = np.std(counts, axis=0, ddof=1) / math.sqrt(len(counts))
    assert (np.abs(np.mean(counts, axis=0) - out.crossings) < 4 * error + 0.002).all()


def gaussian_mean(f, q):
    return integrate.quad(
        lambda z: f(math.sqrt(q) * z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi), -12, 12, limit=200
    )[0]


def test_circles_off_the_fixed_point_follow_the_length():
    """chi_1 falls with the circle: metric .1338, where chi_1 of the first layer gives .2685."""
    phi, slope = SLOPES["x*tanh(x)"]
    q, g, metric = 0.5, 0.5, [0.5]
    for _ in range(4):
        g *= 1.21 * gaussian_mean(lambda x: float(slope(x)) ** 2, q)
        q = 1.21 * gaussian_mean(lambda x: float(phi(x)) ** 2, q) + 0.04
        metric.append(g)
    c = geometry.predict("x*tanh(x)", 1.1, 0.2, 4, 0.5)
    assert np.allclose(c.metric, metric, rtol=1e-9) and math.isclose(c.q[-1], q, rel_tol=1e-9)
    assert c.chi_1 == c.stretch[0] and c.stretch[0] > c.stretch[-1]


def test_curvature_off_the_fixed_point_against_drawn_networks():
    """First and second derivative of a circle carried through networks of width 500."""
    width, q, sw, sb = 500, 2.5, 1.3, 0.2
    rows, rng = [], np.random.default_rng(1)
    for _ in range(12):
        u = np.linalg.qr(rng.standard_normal((width, 2)))[0].T * math.sqrt(width * q)
        h, first, second = u[0], u[1], -u[0]
        row = []
        for _ in range(3):
            slope = np.cosh(h) ** -2
            bend = -2 * np.tanh(h) * slope
            w = rng.standard_normal((width, width)) * sw / math.sqrt(width)
            second, first = w @ (slope * second + bend * first**2), w @ (slope * first)
            h = w @ np.tanh(h) + sb * rng.standard_normal(width)
            g = first @ first / width
            row.append(
                (
                    g,
                    ((second @ second) * (first @ first) - (first @ second) ** 2)
                    * width
                    / (first @ first) ** 3,
                )
            )
        rows.append(row)
    c = geometry.predict("tanh", sw, sb, 3, q)
    assert np.allclose(np.mean(rows, axis=0)[:, 0], c.metric[1:], rtol=0.12)
    assert np.allclose(np.mean(rows, axis=0)[:, 1], c.curvature[1:], rtol=0.12)
    frozen = [q * c.chi_1 ** (k + 1) for k in range(3)]
    assert abs(frozen[-1] / c.metric[-1] - 1) > 0.5


def test_limit_of_curvature_is_that_of_the_fixed_point():
    away = geometry.predict("tanh", 2.5, 0.3, 200, q=0.1)
    there = geometry.predict("tanh", 2.5, 0.3, 5)
    assert math.isclose(away.curvature_limit, there.curvature_limit, rel_tol=1e-6)
    assert math.isclose(away.curvature[-1], away.curvature_limit, rel_tol=1e-6)


def test_what_cannot_be_is_refused():
    with pytest.raises(ArgumentError, match="`depth` must be at most"):
        geometry.predict("tanh", depth=10**9, q=1.0)
    with pytest.raises(ArgumentError, match="`depth` must be at most"):
        geometry.line(A, 2 * A, sigma_w=1.0, depth=10**9)
    with pytest.raises(ArgumentError, match="`points` must be at most"):
        geometry.line(A, 2 * A, sigma_w=1.0, points=10**7)
    with pytest.raises(DomainError, match="shrinks to a point"):
        geometry.predict("relu", sigma_w=0.1, q=1.0, depth=1000)
    with pytest.raises(DomainError, match="grows beyond any float"):
        geometry.predict("relu", sigma_w=10.0, q=1.0, depth=1000)
    with pytest.raises(DomainError, match="overflow"):
        geometry.line(A, 2 * A, activation="relu", sigma_w=10.0, depth=1000)
    with pytest.raises(DomainError, match="overflow"):
        geometry.line(1e160 * A, 2e160 * A, activation="relu", sigma_w=1.0)
