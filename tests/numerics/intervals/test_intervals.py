"""Interval arithmetic holds the true value: against exact fractions, and mpmath at 40 digits."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from widelimit.numerics import intervals as iv

WILD = [
    0.0,
    -0.0,
    5e-324,
    -3e-310,
    1e-300,
    2.0**-53,
    0.1,
    -1 / 3,
    1.0,
    7.5,
    -1e10,
    1e160,
    -1e300,
    1.7976931348623157e308,
]


@pytest.mark.parametrize("value", WILD)
def test_rounding_reaches_the_neighbour_and_not_far_beyond(value):
    assert iv.up(value) >= math.nextafter(value, math.inf) and iv.down(value) <= math.nextafter(
        value, -math.inf
    )
    assert iv.up(value) <= math.nextafter(math.nextafter(value, math.inf), math.inf)
    assert iv.down(value) >= math.nextafter(math.nextafter(value, -math.inf), -math.inf)


def test_what_is_no_number_has_no_end():
    assert iv.up(math.nan) == math.inf and iv.down(math.nan) == -math.inf
    assert iv.down(math.inf) < math.inf and iv.up(-math.inf) > -math.inf
    assert iv.mul(1e300, 1e300, -1e300, 1e300) == (-math.inf, math.inf)
    assert iv.mul(0.0, 0.0, -math.inf, math.inf) == (-math.inf, math.inf)
    assert iv.div(1.0, 2.0, 0.0, 1.0) == (-math.inf, math.inf)
    assert iv.dot(np.array([1e300, 1.0]), np.array([1e300, 0.0]), np.array([1e300, 0.0])) == (
        -math.inf,
        math.inf,
    )
    for name, whole in [
        ("exp", (0, math.inf)),
        ("sigmoid", (0, 1)),
        ("tanh", (-1, 1)),
        ("tanh_slope", (0, 1)),
    ]:
        low, high = getattr(iv, name)(math.nan, math.nan)
        assert low <= whole[0] and high >= whole[1]
        low, high = getattr(iv, name)(-math.inf, math.inf)
        assert low <= whole[0] and high >= whole[1]


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
def test_arithmetic_holds_exact_fractions(name):
    exact = {
        "add": Fraction.__add__,
        "sub": Fraction.__sub__,
        "mul": Fraction.__mul__,
        "div": Fraction.__truediv__,
    }[name]
    rng = np.random.default_rng(3)
    for _ in range(400):
        a, b = np.sort(rng.standard_normal((2, 2)) * 10.0 ** rng.integers(-12, 12, (2, 1)), axis=1)
        if name == "div" and b[0] <= 0 <= b[1]:
            continue
        low, high = getattr(iv, name)(*a, *b)
        corners = [exact(Fraction(float(x)), Fraction(float(y))) for x in a for y in b]
        assert Fraction(low) < min(corners) and max(corners) < Fraction(high)
        size = max(abs(float(c)) for c in corners)
        assert high - float(max(corners)) <= 1e-15 * size and float(min(corners)) - low <= 1e-15 * size


def test_squares_and_multiples():
    assert iv.sqr(-2.0, 1.0)[0] == 0.0 and iv.sqr(-2.0, 1.0)[1] > 4.0
    third = Fraction(1 / 3)
    assert Fraction(iv.sqr(1 / 3, 1 / 3)[0]) < third**2 < Fraction(iv.sqr(1 / 3, 1 / 3)[1])
    assert (
        Fraction(iv.scale(-0.1, 1 / 3, 1 / 3)[0])
        < Fraction(-0.1) * third
        < Fraction(iv.scale(-0.1, 1 / 3, 1 / 3)[1])
    )


SECH = lambda x: 1 / mpmath.cosh(x) ** 2  # noqa: E731
LOGISTIC = lambda x: 1 / (1 + mpmath.exp(-x))  # noqa: E731
TRUE = {
    "exp_at": mpmath.exp,
    "sigmoid_at": LOGISTIC,
    "tanh_at": mpmath.tanh,
}


@pytest.mark.parametrize("name", list(TRUE))
def test_functions_hold_mpmath(name):
    rng = np.random.default_rng(5)
    points = np.concatenate([
        rng.uniform(-1, 1, 400), rng.uniform(-40, 40, 400), 10.0 ** rng.uniform(-300, 2.8, 200),
        0.35 + 1e-9 * rng.standard_normal(50), math.log(2) * (np.arange(-40, 40) + 0.5),
        [0.0, -0.35, 0.35, 690.0, -690.0, 20.0],
    ])  # fmt: skip
    inside, worst = getattr(iv, name), 0.0
    with mpmath.workdps(350):
        for x in points.tolist():
            low, high = inside(x)
            true = TRUE[name](mpmath.mpf(x))
            assert low <= true <= high
            if true:
                worst = max(worst, float((mpmath.mpf(high) - low) / abs(true)))
    assert worst < 3e-14  # relative width


def test_far_arguments():
    low, high = iv.tanh_at(1e300)
    assert 1.0 - 4e-16 < low < 1.0 == high
    assert iv.exp_at(800.0)[1] == math.inf and iv.exp_at(-800.0)[0] == 0.0
    assert iv.exp_at(-800.0)[1] >= 1e-307 and iv.exp_at(800.0)[0] <= 1.7e308
    low, high = iv.sigmoid_at(-750.0)
    assert 0.0 <= low < high < 1e-300


@pytest.mark.parametrize(
    "name,true,top",
    [("sigmoid_slope", lambda x: LOGISTIC(x) * LOGISTIC(-x), 0.25), ("tanh_slope", SECH, 1.0)],
)
def test_slopes_hold_their_extremes(name, true, top):
    rng = np.random.default_rng(8)
    for _ in range(300):
        a, b = np.sort(rng.standard_normal(2) * 5.0)
        low, high = getattr(iv, name)(a, b)
        with mpmath.workdps(40):
            ends = [true(mpmath.mpf(x)) for x in (a, b)]
            most = mpmath.mpf(top) if a <= 0 <= b else max(ends)
            assert low <= min(ends) and most <= high
            assert (
                most - low < 1.1 and float(high - most) < 1e-13 * top and float(min(ends) - low) < 1e-13 * top
            )


def test_sums_hold_exact_fractions():
    rng = np.random.default_rng(2)
    for n in (1, 3, 40):
        matrix = rng.standard_normal((4, n)) * 10.0 ** rng.integers(-8, 8, (4, n))
        middle = rng.standard_normal((n, 3))
        low, high = middle - 1e-3 * rng.random((n, 3)), middle + 1e-3 * rng.random((n, 3))
        out = np.empty((4, 3)), np.empty((4, 3))
        iv.matmul(matrix, low, high, *out)
        vector = np.empty(4), np.empty(4)
        iv.matvec(matrix, low[:, 0].copy(), high[:, 0].copy(), *vector)
        boxes = np.empty(4), np.empty(4)
        iv.box_matvec(matrix, matrix, low[:, 0].copy(), high[:, 0].copy(), *boxes)
        for i in range(4):
            for k in range(3):
                ends = [
                    [Fraction(matrix[i, j]) * Fraction(x) for x in (low[j, k], high[j, k])] for j in range(n)
                ]
                least, most = sum(map(min, ends)), sum(map(max, ends))
                assert Fraction(out[0][i, k]) < least and most < Fraction(out[1][i, k])
                size = float(sum(max(map(abs, pair)) for pair in ends))
                assert float(least) - out[0][i, k] < (n + 4) * 2e-15 * np.abs(matrix[i]).sum() * 4
                if k == 0:
                    for box in (vector, boxes):
                        assert Fraction(box[0][i]) < least and most < Fraction(box[1][i])
                        assert float(least) - box[0][i] < (n + 4) * 1e-15 * size
