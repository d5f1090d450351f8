"""A bypass and the reciprocal gated cell, against mpmath, explicit recursions, drawn cells, and bad input."""

import math
import warnings

import mpmath
import numpy as np
import pytest
from scipy import integrate

from widelimit.numerics import meanfield, recurrence
from widelimit.theory.errors import ArgumentError, DomainError, NoFixedPointError, WidelimitError


def average(f, v):
    """E f(sqrt(v) z) by scipy."""
    root = math.sqrt(v)
    inside = lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi) * f(root * z)  # noqa: E731
    return integrate.quad(inside, -12, 12, epsabs=1e-13, limit=400)[0]


def shut(x):
    return 1 / (1 + math.exp(x))


def s(v):
    return average(lambda x: shut(x) ** 2, v)


def d(v):
    return average(lambda x: (shut(x) * (1 - shut(x))) ** 2, v)


@pytest.mark.parametrize(("keep", "w", "b"), [(0.3, 1.7, 0.4), (0.6, 2.8, 0.2), (0.0, 1.3, 0.0)])
def test_a_bypass_with_fresh_weights_is_its_recursion(keep, w, b):
    found = recurrence.bypass("tanh", keep=keep, sigma_w=w, sigma_b=b)
    q = 1.0
    for _ in range(250):
        q = keep**2 * q + (1 - keep) ** 2 * (w**2 * average(lambda x: math.tanh(x) ** 2, q) + b**2)
    steep = average(lambda x: (1 - math.tanh(x) ** 2) ** 2, q)
    assert found.q_star == pytest.approx(q, rel=1e-9)
    chi = keep**2 + (1 - keep) ** 2 * w**2 * steep
    assert found.chi_1 == pytest.approx(chi, rel=1e-9)
    assert found.time_scale == pytest.approx(-1 / math.log(chi), rel=1e-7)
    assert found.radius == pytest.approx(math.sqrt(chi), rel=1e-9)
    assert found.mean_square(7) == pytest.approx(chi**7, rel=1e-9)
    assert found.slope == pytest.approx(w * math.sqrt(steep), rel=1e-9)


@pytest.mark.parametrize("phi", ["tanh", "relu"])
def test_the_edge_with_fresh_weights(phi):
    b = 0.0 if phi == "relu" else 0.25
    edge = recurrence.bypass(phi, keep=0.6, sigma_w=1.0, sigma_b=b).edge
    assert recurrence.bypass(phi, keep=0.6, sigma_w=edge, sigma_b=b).chi_1 == pytest.approx(1, abs=1e-9)
    assert recurrence.bypass(phi, keep=0.6, sigma_w=0.9 * edge, sigma_b=b).chi_1 < 1


def test_the_edge_without_biases_is_a_closed_form():
    found = recurrence.bypass("tanh", keep=np.array([0.0, 0.5, 0.9]), sigma_w=0.5)
    assert found.edge == pytest.approx([1, math.sqrt(3), math.sqrt(19)], rel=1e-12)
    assert (found.q_star == 0).all() and found.stable.all()


def test_tied_weights_keep_the_threshold_and_move_the_time():
    found = recurrence.bypass("tanh", keep=np.array([0.0, 0.5, 0.9]), sigma_w=0.95, tied=True)
    assert (found.edge == 1).all()
    assert found.radius == pytest.approx([0.95, 0.975, 0.995], rel=1e-14)
    assert found.time_scale == pytest.approx([20, 40, 200], rel=1e-12)
    grows = recurrence.bypass("tanh", keep=0.5, sigma_w=1.2, tied=True)
    assert grows.radius == pytest.approx(1.1) and grows.time_scale == pytest.approx(-10) and not grows.stable
    assert recurrence.bypass("tanh", keep=0.5, sigma_w=1.0, tied=True).time_scale == math.inf


def test_a_tied_rest_with_biases_is_the_layers():
    layer = meanfield.solve("tanh", sigma_w=1.2, sigma_b=0.4)
    found = recurrence.bypass("tanh", keep=0.7, sigma_w=1.2, sigma_b=0.4, tied=True)
    assert found.q_star == pytest.approx(layer.q_star, rel=1e-12)
    assert found.radius == pytest.approx(0.7 + 0.3 * math.sqrt(layer.chi_1), rel=1e-12)
    assert found.edge == pytest.approx(meanfield.critical_line("tanh", sigma_b=0.4).sigma_w, rel=1e-12)


def test_growth_with_tied_weights_is_that_of_drawn_ones():
    rng, n, keep, w = np.random.default_rng(3), 400, 0.6, 1.3
    found = recurrence.bypass("tanh", keep=keep, sigma_w=w, tied=True)
    sizes = []
    for _ in range(6):
        weights = w * rng.standard_normal((n, n)) / math.sqrt(n)
        h = rng.standard_normal((n, 16))
        start = (h**2).sum()
        for _ in range(8):
            h = keep * h + (1 - keep) * weights @ h
        sizes.append((h**2).sum() / start)
    right = found.mean_square(8)
    assert np.mean(sizes) == pytest.approx(right, rel=0.06)
    assert abs(np.mean(sizes) / found.chi_1**8 - 1) > 0.3  # which is above it by a root of the steps
    assert right == pytest.approx(
        math.fsum(
            math.comb(8, k) ** 2 * keep ** (2 * (8 - k)) * ((1 - keep) * w) ** (2 * k) for k in range(9)
        ),
        rel=1e-12,
    )


@pytest.mark.parametrize(("w", "r"), [(1.0, 1.0), (4.0, 1.0), (0.7, 2.5), (3.0, 0.2)])
def test_fresh_weights_of_a_reciprocal_cell(w, r):
    for kind in ("constant", "fresh"):
        q = r
        for _ in range(80):
            q = s(w * w * q) * (r + q) + (r / 2 if kind == "constant" else 0)
        found = recurrence.reciprocal_gated(sigma_w=w, input_moment=r, inputs=kind)
        assert found.q_star == pytest.approx(q, rel=1e-9)
        chi = s(w * w * q) + w * w * d(w * w * q) * (q + r)
        assert found.chi_1 == pytest.approx(chi, rel=1e-9)
        assert found.runaway == math.inf and found.spectral is None


def test_worked_values_of_the_note():
    one = recurrence.reciprocal_gated(sigma_w=4.0, input_moment=1.0)
    assert (one.q_star, one.chi_1) == (pytest.approx(1.612829, abs=1e-6), pytest.approx(0.960001, abs=1e-6))
    fresh = recurrence.reciprocal_gated(sigma_w=1.0, input_moment=1.0, inputs="fresh")
    assert (fresh.q_star, fresh.chi_1) == (pytest.approx(0.36923, abs=1e-5), pytest.approx(0.34311, abs=1e-5))
    tied = recurrence.reciprocal_gated(sigma_w=0.5, input_moment=1.0, tied=True)
    assert (tied.q_star, tied.spectral) == (
        pytest.approx(1.486931, abs=1e-6),
        pytest.approx(0.215698, abs=1e-6),
    )
    assert tied.runaway == pytest.approx(0.31363248301667, rel=1e-13)


@pytest.mark.parametrize("strength", [1e-9, 0.1, 0.3136])
def test_tied_weights_of_a_reciprocal_cell_rest_where_mpmath_says(strength):
    found = recurrence.reciprocal_gated(sigma_w=math.sqrt(strength / 1.7), input_moment=1.7, tied=True)
    with mpmath.workdps(25):
        half = lambda v, f: mpmath.quad(  # noqa: E731
            lambda z: mpmath.npdf(z) * f(mpmath.sqrt(v) * z), [-12, 0, 12]
        )
        rest = lambda v: (  # noqa: E731
            v
            / (half(v, lambda x: 1 / (1 + mpmath.exp(x)) ** 2) * half(v, lambda x: (1 + mpmath.exp(-x)) ** 2))
        )
        v = mpmath.findroot(lambda one: rest(one) - strength, (strength, 0.73), solver="anderson", tol=1e-20)
    assert found.q_star == pytest.approx(float(v / strength * 1.7), rel=1e-8)
    v = float(v)
    back = 1 + 2 * math.exp(v / 2) + math.exp(2 * v)
    assert found.spectral == pytest.approx(strength * (s(v) * math.exp(2 * v) + d(v) * back), rel=1e-7)
    assert found.chi_1 == pytest.approx(s(v) + strength * (s(v) ** 2 + d(v)), rel=1e-7)


def test_beyond_the_fold_nothing_rests():
    with pytest.raises(NoFixedPointError, match=r"0\.3136324830"):
        recurrence.reciprocal_gated(sigma_w=0.57, input_moment=1.0, tied=True)
    both = recurrence.reciprocal_gated(sigma_w=np.array([0.5, 0.6]), input_moment=1.0, tied=True)
    assert both.q_star[0] == pytest.approx(1.486931, abs=1e-6)
    assert [one[1] for one in (both.q_star, both.chi_1, both.spectral)] == [math.inf] * 3


def test_unequal_gates():
    sigmas = {"hidden": 0.5, "cell_to_hidden": 2.0, "hidden_to_cell": 1.0, "cell": 1.5}
    for kind in ("constant", "fresh"):
        h = c = 1.0
        more = 0.5 if kind == "constant" else 0.0
        for _ in range(80):
            h, c = s(4 * c) + s(0.25 * h) * h + more, s(h) + s(2.25 * c) * c + more
        found = recurrence.reciprocal_unequal(**sigmas, input_moment=1.0, inputs=kind)
        matrix = [
            [s(0.25 * h) + 0.25 * d(0.25 * h) * h, 4 * d(4 * c)],
            [d(h), s(2.25 * c) + 2.25 * d(2.25 * c) * c],
        ]
        assert (found.hidden, found.cell) == (pytest.approx(h, rel=1e-9), pytest.approx(c, rel=1e-9))
        assert found.matrix == pytest.approx(np.array(matrix), rel=1e-9)
        assert found.chi_1 == pytest.approx(max(np.linalg.eigvals(matrix)), rel=1e-9)
    same = dict.fromkeys(sigmas, 1.3)
    one = recurrence.reciprocal_gated(sigma_w=1.3, input_moment=0.6)
    all_alike = recurrence.reciprocal_unequal(**same, input_moment=0.6)
    assert (all_alike.hidden, all_alike.chi_1) == (pytest.approx(one.q_star), pytest.approx(one.chi_1))


def test_modes_of_a_convolutional_cell():
    cell = recurrence.reciprocal_gated(sigma_w=2.0, input_moment=1.0)
    v = 4 * cell.q_star
    right = [abs(s(v) + 4 * d(v) * (cell.q_star + 1) * hat) for hat in (1.0, 0.2, -1 / 3)]
    assert cell.mode([1.0, 0.2, -1 / 3]) == pytest.approx(right, rel=1e-9)


EXTREME = [
    0.0,
    -1.0,
    1e-300,
    1e300,
    10**400,
    math.nan,
    math.inf,
    True,
    "1",
    [],
    np.ones((2, 3)),
    None,
    0.999999,
]


@pytest.mark.parametrize(
    ("function", "right"),
    [
        (lambda **k: recurrence.bypass("tanh", **k), {"keep": 0.5, "sigma_w": 1.2, "sigma_b": 0.1}),
        (lambda **k: recurrence.bypass("tanh", **k, tied=True), {"keep": 0.5, "sigma_w": 0.9, "sigma_b": 0.0}),
        (recurrence.reciprocal_gated, {"sigma_w": 1.0, "input_moment": 1.0}),
        (lambda **k: recurrence.reciprocal_gated(**k, tied=True), {"sigma_w": 0.3, "input_moment": 1.0}),
        (
            recurrence.reciprocal_unequal,
            {"hidden": 1.0, "cell_to_hidden": 1.0, "hidden_to_cell": 1.0, "cell": 1.0, "input_moment": 1.0},
        ),
    ],
)  # fmt: skip
def test_only_our_errors_leave_and_no_nan(function, right):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in right:
            for value in EXTREME:
                try:
                    found = function(**{**right, name: value})
                except WidelimitError:
                    continue
                for field, number in vars(found).items():
                    if isinstance(number, float | np.ndarray):
                        assert not np.isnan(number).any(), (name, value, field)
                assert np.all(np.asarray(found.chi_1) >= 0)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: recurrence.bypass("tanh", keep=1.0, sigma_w=1.0), ArgumentError),
        (lambda: recurrence.bypass("relu", keep=0.5, sigma_w=1.0, tied=True), DomainError),
        (lambda: recurrence.bypass("relu", keep=0.5, sigma_w=9.0, sigma_b=0.1), NoFixedPointError),
        (lambda: recurrence.bypass("tanh", keep=0.5, sigma_w=1.0, tied="yes"), ArgumentError),
        (lambda: recurrence.bypass("tanh", keep=0.5, sigma_w=1.0).mean_square(0), ArgumentError),
        (lambda: recurrence.bypass("tanh", keep=0.5, sigma_w=9, tied=True).mean_square(10**5), DomainError),
        (lambda: recurrence.reciprocal_gated(sigma_w=1.0, input_moment=0.0), ArgumentError),
        (lambda: recurrence.reciprocal_gated(sigma_w=1.0, input_moment=1.0, inputs="image"), ArgumentError),
        (
            lambda: recurrence.reciprocal_gated(sigma_w=0.3, input_moment=1, inputs="fresh", tied=True),
            ArgumentError,
        ),
        (lambda: recurrence.reciprocal_gated(sigma_w=1.0, input_moment=1.0).mode(1.5), ArgumentError),
    ],
)
def test_bad_input(call, error):
    with pytest.raises(error):
        call()
