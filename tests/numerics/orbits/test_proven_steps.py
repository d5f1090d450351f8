"""Proven steps in the plane hold the true flow: against mpmath's Taylor integrator at 30 digits, both ways in time."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from widelimit.numerics.orbits import saddles, sections, taylor

MATRIX = np.array([[1.7320508, -1.0], [1.0, 1.7320508]])
BIAS = np.array([-1.0942, -0.16])
START = np.array([0.4, -0.8])


def field(matrix=MATRIX, bias=BIAS):
    rows = np.hstack([matrix, bias[:, None]])
    return np.stack([rows, rows])


def exact(start, sign, time):
    """The flow by mpmath, at 30 digits, of floats taken exactly."""
    with mpmath.workdps(30):
        a, b = mpmath.matrix(MATRIX.tolist()), mpmath.matrix(BIAS.tolist())

        def velocity(_, h):
            return [sign * (mpmath.tanh(a[i, 0] * h[0] + a[i, 1] * h[1] + b[i]) - h[i]) for i in range(2)]

        return mpmath.odefun(
            velocity, 0, [mpmath.mpf(float(one)) for one in start], tol=mpmath.mpf(10) ** -26
        )(mpmath.mpf(time))


def coordinates(frame, middle, point):
    """r of point = middle + frame r, at 30 digits."""
    with mpmath.workdps(30):
        off = [point[i] - mpmath.mpf(float(middle[i])) for i in range(2)]
        return mpmath.lu_solve(mpmath.matrix(frame.tolist()), mpmath.matrix(off))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_steps_hold_the_flow_and_little_else(sign):
    """Corners of a parallelogram, three steps of 1/4: each inside, and none further than its size allows."""
    frame, reach = taylor.along(field(), sign, START), np.array([1e-9, 2e-10])
    corners = [
        START + frame @ (reach * np.array(side)) for side in ((0.99, 0.99), (-0.99, 0.99), (0.5, -0.99))
    ]
    middle, sides, far = START, frame, reach
    for _ in range(3):
        fine, held, rest, middle, sides, far = taylor.moved(field(), sign, middle, sides, far, 0.25)
        assert fine and rest < 1e-16 and (held[0] <= middle).all() and (middle <= held[1]).all()
    for corner in corners:
        r = coordinates(sides, middle, exact(corner, sign, 0.75))
        assert all(abs(r[k]) <= far[k] for k in range(2))
    single = taylor.moved(field(), sign, START, frame, np.zeros(2), 0.25)
    r = coordinates(single[4], single[3], exact(START, sign, 0.25))
    assert all(abs(r[k]) <= single[5][k] < 1e-14 for k in range(2))


def test_coefficients_hold_those_of_mpmath():
    """Of tanh(w) with w' = 1 - w^2 known in closed form: h' = tanh(h + b) - h from a field that is diagonal."""
    start = np.array([0.3, -0.2])
    box = np.stack([start, start]).reshape(2, 1, 2)
    found = taylor.series(field(np.eye(2), np.array([0.1, 0.0])), 1.0, box, 6)
    with mpmath.workdps(40):
        for i, shift in ((0, mpmath.mpf(0.1)), (1, mpmath.mpf(0))):
            h = mpmath.mpf(float(start[i]))
            rates = [lambda x, shift=shift: mpmath.tanh(x + shift) - x]  # derivatives by t, D = v d/dh
            for _ in range(3):
                rates.append(lambda x, f=rates[-1], v=rates[0]: mpmath.diff(f, x) * v(x))
            for k, rate in enumerate(rates, 1):
                true = rate(h) / mpmath.factorial(k)
                assert found[0, k, 0, i] <= true + 1e-20 and true - 1e-20 <= found[1, k, 0, i], k
                assert found[1, k, 0, i] - found[0, k, 0, i] < 1e-14


def test_directions_are_derivatives():
    """Rows beyond the first against differences of the first, to their second order."""
    start = np.zeros((2, 2, 2))
    start[:, 0], start[:, 1] = START, np.array([0.6, 0.8])
    found = taylor.series(field(), 1.0, start, 8)
    shifted = [
        taylor.series(field(), 1.0, np.stack([START + way * 1e-5 * start[0, 1]] * 2).reshape(2, 1, 2), 8)
        for way in (1, -1)
    ]
    slope = (shifted[0][0, :, 0] - shifted[1][0, :, 0]) / 2e-5
    assert found[0, :, 1] == pytest.approx(slope, abs=2e-8)


def test_a_step_too_long_is_not_proven():
    assert not taylor.moved(field(), 1.0, START, np.eye(2), np.full(2, 0.1), 5.0)[0]
    assert not taylor.moved(field(), 1.0, START, np.eye(2), np.zeros(2), -0.1)[0]
    assert not taylor.moved(field(), -1.0, np.array([math.nan, 0.0]), np.eye(2), np.zeros(2), 0.1)[0]


def saddle():
    with mpmath.workdps(30):
        a, b = mpmath.matrix(MATRIX.tolist()), mpmath.matrix(BIAS.tolist())

        def rest(x, y):
            return [mpmath.tanh(a[i, 0] * x + a[i, 1] * y + b[i]) - (x, y)[i] for i in range(2)]

        found = mpmath.findroot(rest, (mpmath.mpf("0.304"), mpmath.mpf("-0.8816")))
        here = np.array([float(one) for one in found])
        slopes = (1 - here**2)[:, None] * MATRIX - np.eye(2)
    values, vectors = np.linalg.eig(slopes)
    order = np.argsort(-values.real)
    return found, here, values.real[order], np.ascontiguousarray(vectors.real[:, order])


def test_the_cone_holds_the_saddle_and_its_manifold():
    """The fixed point and its eigenvalues by mpmath; the point where the manifold leaves, followed back, falls in."""
    found, here, values, p = saddle()
    size = 1e-5
    fine, steep, fixed, _ = saddles.cone(field(), 1.0, here, p, size)
    assert fine and 0 < steep < 1e-2
    box, rates = saddles.resting(field(), here, p, fixed)
    assert all(box[0, i] <= found[i] <= box[1, i] and box[1, i] - box[0, i] < 1e-13 for i in range(2))
    assert all(rates[0, i] < values[i] < rates[1, i] for i in range(2))
    middle, reach = saddles.departs(
        here, p, size, steep, fixed, taylor.along(field(), 1.0, here + size * p[:, 0])
    )
    back = exact(middle, -1.0, 6.0)  # exp(-0.366 6) of the way; what was off grows exp(0.408 6) times
    y = np.linalg.solve(p, np.array([float(back[i] - found[i]) for i in range(2)]))
    assert 0.10 * size < y[0] < 0.12 * size and abs(y[1]) < 12 * reach.max()


def test_no_cone_where_there_is_no_saddle():
    _, here, _, p = saddle()
    assert not saddles.cone(field(), 1.0, START, p, 1e-5)[0]  # nothing rests there
    assert not saddles.cone(field(), 1.0, here, np.ascontiguousarray(p[:, ::-1]), 1e-5)[
        0
    ]  # the directions swapped
    assert not saddles.cone(field(), -1.0, here, p, 1e-5)[0]  # time backwards
    assert not saddles.cone(field(), 1.0, here + 1e-4, p, 1e-5)[0]  # beside it


def test_crossings_hold_those_of_mpmath():
    frame = taylor.along(field(), 1.0, START)
    start = sections.Enclosure(START, frame, np.full(2, 1e-12))
    there = exact(START, 1.0, 0.7)
    ahead = np.array([float(one) for one in exact(START, 1.0, 0.71)]) - np.array(
        [float(one) for one in there]
    )
    ray = np.array([-ahead[1], ahead[0]]) / np.linalg.norm(ahead)
    line = sections.Line(np.array([float(one) for one in there]) - 0.1 * ray, ray)
    crossing = sections.first(field(), 1.0, start, line)
    assert crossing is not None
    low, high = sections.again(field(), 1.0, sections.Enclosure(START, frame, np.zeros(2)), line, crossing)
    wide = sections.again(field(), 1.0, start, line, crossing)
    with mpmath.workdps(30):
        across = [mpmath.mpf(float(one)) for one in line.across]
        origin = [mpmath.mpf(float(one)) for one in line.origin]

        def side(t):
            return sum(n * (h - o) for n, h, o in zip(across, exact(START, 1.0, t), origin, strict=True))

        when = mpmath.findroot(side, (mpmath.mpf("0.69"), mpmath.mpf("0.71")), tol=1e-40)
        met = sum(
            mpmath.mpf(float(r)) * (h - o)
            for r, h, o in zip(ray, exact(START, 1.0, when), origin, strict=True)
        )
    assert wide[0] < low <= met <= high < wide[1] and high - low < 1e-14 and wide[1] - wide[0] < 1e-11
    away = sections.Line(line.origin + 50 * ray, ray)  # the same line, whose section lies elsewhere
    assert sections.first(field(), 1.0, start, away) is None
