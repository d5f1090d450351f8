"""Distances of spike trains against sums over all pairs and quadrature, from all that a train can be."""

import math
import time

import mpmath
import numpy as np
import pytest

from widelimit.numerics import spiking
from widelimit.theory.errors import ArgumentError

A, B = 0.010, 0.005


def overlap(lag, a, b):
    if a == b:
        return a * a / 4 * (a + lag) * np.exp(-lag / a)
    return (a * b) ** 2 / (2 * (a * a - b * b)) * (a * np.exp(-lag / a) - b * np.exp(-lag / b))


def over_pairs(x, y, a, b):
    """Half the sum of q_i q_j C(t_i - t_j)."""
    times, charge = np.r_[x, y], np.r_[np.ones(len(x)), -np.ones(len(y))]
    return 0.5 * charge @ overlap(np.abs(times[:, None] - times), a, b) @ charge


def test_worked_value():
    found = spiking.van_rossum([0.010, 0.035, 0.090], [0.012, 0.033], decay=A, rise=B)
    assert found == pytest.approx(4.7788526890255e-8, rel=1e-13)


@pytest.mark.parametrize(
    ("a", "b"), [(A, B), (0.01, 0.01), (0.01, 0.00999999), (1.0, 1e-4), (3e-4, 2e-4), (5.0, 0.01)]
)
def test_sums_over_pairs(a, b):
    rng = np.random.default_rng(3)
    x, y = np.sort(rng.uniform(0, 2, 60)), np.sort(rng.uniform(0, 2, 45))
    x[3] = x[2]  # coincident in a train
    y[7] = x[9]  # and between both
    y = np.sort(y)
    found = spiking.van_rossum(x, y, decay=a, rise=b)
    exact = float(over_pairs(x, y, a, b)) if abs(a - b) > 1e-6 or a == b else float(over_pairs(x, y, a, a))
    assert found == pytest.approx(exact, rel=1e-5 if 0 < a - b < 1e-6 else 1e-11)
    assert spiking.van_rossum(y, x, decay=a, rise=b) == pytest.approx(found, rel=1e-12)


def test_elephants_distance_is_its_limit():
    """D^2 of elephant, kernel exp(-t/a), one spike = 1: 1/2 ... 4 L/(a b^2) as b goes to 0."""
    x, y = [0.01, 0.035, 0.09], [0.012, 0.033]
    times, charge = np.r_[x, y], np.array([1, 1, 1, -1, -1.0])
    squared = charge @ np.exp(-np.abs(times[:, None] - times) / A) @ charge
    assert 4 * spiking.van_rossum(x, y, decay=A, rise=1e-9) / (A * 1e-18) == pytest.approx(squared, rel=1e-6)


def test_equal_empty_and_nearly_equal_trains():
    x = np.sort(np.random.default_rng(1).uniform(0, 30, 700))
    assert spiking.van_rossum(x, x) == 0.0 and spiking.van_rossum([], []) == 0.0
    zero = (A * B) ** 2 / (2 * (A + B))
    assert spiking.van_rossum([], [0.5], decay=A, rise=B) == pytest.approx(zero / 2, rel=1e-13)
    assert spiking.van_rossum([0.5], [], decay=A, rise=B) == pytest.approx(zero / 2, rel=1e-13)
    assert spiking.van_rossum([0.5], [900.5], decay=A, rise=B) == pytest.approx(zero, rel=1e-13)
    for lag in (1e-9, 1e-7, 1e-5, 1e-3):  # far below what a difference of sums could see
        with mpmath.workdps(40):
            a, b, d = mpmath.mpf(A), mpmath.mpf(B), mpmath.mpf(1 + lag) - 1
            exact = (
                (a * b) ** 2
                / (2 * (a * a - b * b))
                * (a - b - a * mpmath.exp(-d / a) + b * mpmath.exp(-d / b))
            )
        assert spiking.van_rossum([1.0], [1.0 + lag], decay=A, rise=B) == pytest.approx(
            float(exact), rel=1e-10
        )


def test_matrices_of_distances_are_fast_and_the_same():
    rng = np.random.default_rng(2)
    trains = [np.sort(rng.uniform(0, 50, 1000)) for _ in range(24)]
    trains += [trains[0] + 1e-6, trains[0].copy(), np.array([]), np.array([3.0])]
    found = spiking.distances(trains, decay=A, rise=B)
    assert (found == found.T).all() and (np.diag(found) == 0).all() and found[0, 25] == 0
    for i, j in [(0, 1), (3, 17), (0, 24), (2, 26), (26, 27), (5, 27), (24, 25)]:
        each = spiking.van_rossum(trains[i], trains[j], decay=A, rise=B)
        assert found[i, j] == pytest.approx(each, rel=1e-11)
    start = time.process_time()
    spiking.distances(trains, decay=A, rise=B)
    assert (time.process_time() - start) / 378 < 150e-6  # 20 us alone; elephant takes 440
    alike = spiking.distances(trains[:3], decay=A, rise=A)
    assert alike[0, 1] == pytest.approx(float(over_pairs(trains[0], trains[1], A, A)), rel=1e-11)


class Quantity(np.ndarray):
    """An array with units as neo has them, in milliseconds."""

    def rescale(self, unit):
        assert unit == "s"
        return np.asarray(self).view(Plain) / 1000

    @property
    def magnitude(self):
        return np.asarray(self)


class Plain(np.ndarray):
    @property
    def magnitude(self):
        return np.asarray(self)


class Train:
    """A neo spike train, as far as its doors go."""

    def __init__(self, times, end):
        self.times = np.array(times).view(Quantity)
        self.t_stop = np.array(end).view(Quantity)


def test_trains_from_files_and_objects(tmp_path):
    x, y = [0.010, 0.035, 0.090], [0.012, 0.033]
    whole = spiking.van_rossum(x, y)
    np.save(tmp_path / "x.npy", x)
    np.savetxt(tmp_path / "y.txt", y)
    (tmp_path / "x.csv").write_text("time\n0.010\n0.035\n0.090\n")
    assert spiking.van_rossum(tmp_path / "x.npy", str(tmp_path / "y.txt")) == whole
    assert spiking.van_rossum(tmp_path / "x.csv", np.array(y)[:, None]) == whole
    found = spiking.compare(Train([10.0, 35, 90], 400.0), Train([12.0, 33], 400.0))
    assert found.loss == pytest.approx(whole, rel=1e-12) and found.spikes == (3, 2)
    assert found == spiking.compare(x, y, duration=0.4) or found.loss == pytest.approx(whole)
    assert found.expected == pytest.approx(0.4 * spiking.poisson_loss(3 / 0.4, 2 / 0.4).mean, rel=1e-9)
    assert spiking.predict(str(tmp_path / "x.npy"), str(tmp_path / "y.txt"))["loss"] == whole
    np.save(tmp_path / "two.npy", np.zeros((2, 3)))
    for name, words in (
        ("none.npy", "a file that exists"),
        ("x.png", "must be a"),
        ("two.npy", "one column"),
    ):
        with pytest.raises(ArgumentError, match=words):
            spiking.van_rossum(tmp_path / name, y)


def test_comparison_of_a_jittered_copy():
    rng = np.random.default_rng(4)
    target = np.arange(0.1, 200, 0.1)
    found = spiking.compare(target, np.sort(target + rng.normal(0, 0.003, target.size)), duration=200.0)
    assert found.jitter == pytest.approx(0.003, rel=0.08) and found.z_score < -20
    other = np.sort(rng.uniform(0, 500, 5000)), np.sort(rng.uniform(0, 500, 5000))
    chance = spiking.compare(*other, duration=500.0)
    assert abs(chance.z_score) < 4
    missing = spiking.compare(target, target[5:], duration=200.0)
    zero = 2 * spiking.van_rossum([0.0], [])
    assert missing.jitter < 1e-5 and missing.loss == pytest.approx(
        2.5 * zero, rel=1e-3
    )  # neighbours: exp(-10)
    nothing = spiking.compare([], [])
    assert nothing.jitter == 0.0 and nothing.z_score is None and nothing.loss == 0.0
    alone = spiking.compare([0.5], [], duration=1.0)
    assert alone.jitter == math.inf and math.isfinite(alone.z_score)


@pytest.mark.parametrize(
    "value",
    [
        [0.2, 0.1],
        [-0.1, 0.2],
        [math.nan],
        [math.inf],
        [True],
        "no.mat",
        [[0.1, 0.2], [0.3, 0.4]],
        0.1,
        None,
        [10**400],
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        lambda v: spiking.van_rossum(v, [0.1]),
        lambda v: spiking.van_rossum([0.1], v),
        lambda v: spiking.compare(v, [0.1]),
        lambda v: spiking.distances([[0.1], v]),
    ],
)
def test_trains_that_are_none(call, value):
    forms = [value]
    if isinstance(value, list) and not isinstance(value[0], list | bool | int):
        forms.append(np.array(value))
    for form in forms:
        with pytest.raises(ArgumentError, match="Argument `"):
            call(form)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: spiking.van_rossum([], [], decay=0.005, rise=0.01),
            "`decay` must be at least `rise`.*Swap them",
        ),
        (lambda: spiking.van_rossum([], [], decay=0.0), "`decay` must be positive"),
        (lambda: spiking.van_rossum([], [], rise=-1), "`rise` must be positive"),
        (lambda: spiking.van_rossum([], [], rise=1e-200), "`rise` must lie between"),
        (lambda: spiking.van_rossum([], [], decay=[0.1, 0.2]), "`decay` must be a single number"),
        (lambda: spiking.van_rossum([0.2, 0.1], []), "`first` must hold times in order.*numpy.sort"),
        (lambda: spiking.van_rossum(np.array([0.2, 0.1]), []), "`first` must hold times in order"),
        (lambda: spiking.van_rossum([], [-0.1]), "`second` must not be negative"),
        (lambda: spiking.compare([1.0], [2.0], duration=1.5), "`duration` must reach the last spike"),
        (lambda: spiking.distances([]), "`trains` must be a list"),
        (lambda: spiking.distances("trains"), "`trains` must be a list"),
        (lambda: spiking.distances([[1e12]]), "`trains` must end within"),
        (lambda: spiking.predict("x.npy"), "`second` must be given"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()
