"""Feedback at rest, on its way and in noise: worked values, integrated flows, exact second moments, drawn batches."""

import time

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from widelimit.numerics import alignment
from widelimit.theory.errors import ArgumentError

W = np.array([[1, 0.5, -0.3], [0.2, -1, 0.8]])
C = np.diag([2, 1, 0.5])
ROOT = np.array([[1, 0.5, 0], [0, 0.75, 0.25], [0.5, 0, 1]])
MIXED = ROOT @ ROOT.T
GIVEN = {"alpha": 1.3, "beta": 0.7, "gamma": 0.25}


def descent(rule, b, w=W, c=MIXED, alpha=1.3, beta=0.7, gamma=0.25):
    """The table of the note, by hand."""
    return {
        "symmetric": lambda: -alpha * b + beta * w.T,
        "mirror": lambda: -alpha * b + beta * c @ w.T,
        "activation": lambda: c @ (-alpha * b + beta * w.T),
        "information": lambda: alpha * c @ w.T - beta * b @ w @ c @ w.T - gamma * b,
        "kolen_pollack": lambda: -alpha * (b - w.T),
    }[rule]()


RULES = ("symmetric", "mirror", "activation", "information", "kolen_pollack")


def test_worked_values():
    given = {"covariance": C, "alpha": 1, "beta": 0.5, "gamma": 0.2}
    found = alignment.fixed_point("information", W, **given)
    assert found.cosine == pytest.approx(0.913702097736902, abs=1e-14)  # 40 digits of mpmath
    assert found.backward[0, 0] == pytest.approx(1.5358347561737, abs=1e-13)
    assert alignment.fixed_point("mirror", W, **given).cosine == pytest.approx(0.8990999528036, abs=1e-13)
    noisy = alignment.fixed_point("mirror", W, covariance=C, alpha=1, beta=1, learning_rate=0.1, batch=8)
    assert noisy.floor == pytest.approx(0.121875, abs=1e-15)


@pytest.mark.parametrize("rule", RULES)
def test_nothing_moves_at_rest(rule):
    found = alignment.fixed_point(rule, W, covariance=MIXED, **GIVEN)
    assert np.abs(descent(rule, found.backward)).max() < 1e-14
    rates = np.linalg.eigvalsh(MIXED if rule == "activation" else W @ MIXED @ W.T)
    expected = {"activation": 1.3 * rates, "information": 0.25 + 0.7 * rates}.get(rule, [1.3])
    assert found.rates == pytest.approx(np.sort(expected), rel=1e-13)
    assert found.largest_step == pytest.approx(2 / max(expected), rel=1e-13)


@pytest.mark.parametrize("rule", RULES)
def test_the_way_there_is_that_of_the_integrated_flow(rule):
    start = np.array([[0.3, -1.0], [2.0, 0.1], [-0.4, 0.5]])
    times = np.array([0.0, 0.3, 2.0])
    flow = solve_ivp(
        lambda _, b: descent(rule, b.reshape(3, 2)).ravel(),
        (0, 2),
        start.ravel(),
        t_eval=times,
        rtol=1e-11,
        atol=1e-12,
    )
    found = alignment.trajectory(rule, W, start, times, covariance=MIXED, **GIVEN)
    assert found.shape == (3, 3, 2)
    assert found == pytest.approx(flow.y.T.reshape(3, 3, 2), abs=1e-9)
    assert alignment.trajectory(rule, W, start, 0.3, covariance=MIXED, **GIVEN) == pytest.approx(found[1])


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (1, 1), (4, 4)])
def test_information_is_exact_for_all_shapes(shape):
    generator = np.random.default_rng(3)
    w, root = generator.standard_normal(shape), generator.standard_normal((shape[1], shape[1] + 1))
    c = root @ root.T
    found = alignment.fixed_point("information", w, covariance=c, **GIVEN)
    with mpmath.workdps(30):
        a, b = mpmath.matrix(c.tolist()) * mpmath.matrix(w.T.tolist()), mpmath.matrix(w.tolist())
        inner = 0.7 * b * a + mpmath.mpf(0.25) * mpmath.eye(shape[0])
        exact = 1.3 * a * mpmath.inverse(inner)
    expected = np.array(exact.tolist(), dtype=float)
    assert found.backward == pytest.approx(expected, rel=1e-11, abs=1e-12)


def test_decoder_is_regression_on_samples():
    """With alpha = beta information alignment guesses x from y = W x + noise as least squares do."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((400_000, 3)) @ ROOT.T
    y = x @ W.T + np.sqrt(0.25 / 0.7) * generator.standard_normal((len(x), 2))
    fitted = np.linalg.lstsq(y, x, rcond=None)[0].T
    found = alignment.fixed_point("information", W, covariance=MIXED, alpha=0.7, beta=0.7, gamma=0.25)
    assert found.backward == pytest.approx(fitted, abs=6e-3)  # sampling


def test_gamma_of_zero_gives_the_pseudo_inverse_and_says_so():
    w = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 1.0, 1.0]])  # of rank 2
    found = alignment.fixed_point("information", w, alpha=1, beta=1, gamma=0)
    assert found.pseudo_inverse and found.backward == pytest.approx(np.linalg.pinv(w), abs=1e-14)
    assert found.rates[0] == 0.0 and np.isfinite(found.cosine)
    limit = alignment.fixed_point("information", w, alpha=1, beta=1, gamma=1e-9)
    assert not limit.pseudo_inverse and limit.backward == pytest.approx(found.backward, abs=1e-7)
    regular = alignment.fixed_point("information", W, alpha=1, beta=1, gamma=0)
    assert not regular.pseudo_inverse and regular.backward == pytest.approx(np.linalg.pinv(W), abs=1e-13)
    tall = alignment.fixed_point("information", W.T, alpha=2, beta=1, gamma=0)  # more outputs than inputs
    assert tall.pseudo_inverse and tall.backward == pytest.approx(2 * np.linalg.pinv(W.T), abs=1e-13)
    moved = alignment.trajectory("information", w, np.zeros((3, 3)), 500.0, alpha=1, beta=1, gamma=0)
    assert moved == pytest.approx(found.backward, abs=1e-12)


def test_directions_without_variance_stay_where_they_start():
    c = np.diag([1.0, 0.0, 2.0])
    start = np.full((3, 2), 0.5)
    moved = alignment.trajectory("activation", W, start, 300.0, covariance=c, alpha=1, beta=1)
    assert moved[1] == pytest.approx(start[1]) and moved[[0, 2]] == pytest.approx(W.T[[0, 2]])
    assert alignment.fixed_point("activation", W, covariance=c, alpha=1, beta=1).rates.tolist() == [
        0.0,
        1.0,
        2.0,
    ]
    mirror = alignment.fixed_point("mirror", W, covariance=c, alpha=1, beta=1)
    assert mirror.backward[1] == pytest.approx(0.0, abs=1e-15)


# --- noise


def second_moment(w, c, batch, step, rule, alpha, beta, gamma):
    """The linear map of E e e^T (activation) or E e^T e (information) over one step, entry by entry, from Isserlis."""
    m = w @ c @ w.T if rule == "information" else c
    size = len(m)
    scale = step * (beta if rule == "information" else alpha)
    kept = (1 - step * gamma if rule == "information" else 1.0) * np.eye(size)
    columns = []
    for k in range(size * size):
        s = np.zeros((size, size))
        s.flat[k] = 1.0
        transposed = (s + s.T) / 2  # the moment is symmetric
        fourth = m @ transposed @ m + (m @ transposed @ m + np.trace(transposed @ m) * m) / batch
        out = (
            kept @ transposed @ kept
            - scale * (kept @ transposed @ m + m @ transposed @ kept)
            + scale**2 * fourth
        )
        columns.append(out.ravel())
    return np.array(columns).T


@pytest.mark.parametrize("rule", ["activation", "information"])
@pytest.mark.parametrize("batch", [1, 3, 40])
def test_the_largest_step_is_where_the_second_moment_stops_shrinking(rule, batch):
    def radius(step):
        return np.abs(np.linalg.eigvals(second_moment(W, MIXED, batch, step, rule, **GIVEN))).max() - 1

    exact = brentq(radius, 1e-3, 5.0, xtol=1e-13)
    found = alignment.fixed_point(rule, W, covariance=MIXED, batch=batch, **GIVEN)
    assert found.largest_step == pytest.approx(exact, rel=1e-9)


def test_the_floor_of_information_solves_the_second_moment():
    step, batch = 0.15, 5
    rest = alignment.fixed_point("information", W, covariance=MIXED, **GIVEN).backward
    p = 1.3 * np.eye(3) - 0.7 * rest @ W
    put_in = W @ (MIXED @ p.T @ p @ MIXED + np.trace(p @ MIXED @ p.T) * MIXED) @ W.T * step**2 / batch
    operator = second_moment(W, MIXED, batch, step, "information", **GIVEN)
    exact = np.trace(np.linalg.solve(np.eye(4) - operator, put_in.ravel()).reshape(2, 2))
    found = alignment.fixed_point(
        "information", W, covariance=MIXED, learning_rate=step, batch=batch, **GIVEN
    )
    assert found.floor == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize("rule", ["mirror", "information", "activation", "symmetric"])
def test_floors_are_those_of_drawn_batches(rule):
    step, batch, chains = 0.1, 4, 5_000
    generator = np.random.default_rng(1)
    found = alignment.fixed_point(rule, W, covariance=MIXED, learning_rate=step, batch=batch, **GIVEN)
    b = np.broadcast_to(found.backward, (chains, 3, 2))
    for _ in range(60):
        x = generator.standard_normal((chains, batch, 3)) @ ROOT.T
        c = np.einsum("rki,rkj->rij", x, x) / batch
        b = b + step * descent(rule, b, c=c)
    spread = ((b - found.backward) ** 2).sum((1, 2))
    error = spread.std() / chains**0.5 + 1e-28
    remembered = (1 - step * found.rates[0]) ** 120
    assert abs(spread.mean() - found.floor) <= 4 * error + 2 * remembered * found.floor
    if rule in ("mirror", "information"):
        assert found.floor > 20 * error
    else:
        assert found.floor == 0.0


def test_the_white_formula_is_another_floor():
    """A5 at general C is not that of white inputs."""
    at = {"alpha": 1, "beta": 1, "learning_rate": 0.1, "batch": 8}
    general = alignment.fixed_point("mirror", W, covariance=C, **at).floor
    white = alignment.fixed_point("mirror", W, covariance=np.trace(C) / 3 * np.eye(3), **at).floor
    assert abs(general / white - 1) > 0.05


def test_beyond_the_largest_step_there_is_no_floor():
    at = {"covariance": MIXED, "alpha": 1, "beta": 1, "batch": 8}
    for rule in RULES:
        edge = alignment.fixed_point(rule, W, **at).largest_step
        assert alignment.fixed_point(rule, W, learning_rate=1.01 * edge, **at).floor == np.inf
        assert alignment.fixed_point(rule, W, learning_rate=0.99 * edge, **at).floor < np.inf


# --- bad input


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"covariance": [[1, 0.5, 0], [0.4, 1, 0], [0, 0, 1]]}, "`covariance` must be symmetric"),
        ({"covariance": np.diag([1, 1, -0.1])}, "`covariance` must have no negative eigenvalues"),
        ({"covariance": np.eye(2)}, "`covariance` must have the shape"),
        ({"covariance": np.zeros((3, 3))}, "`covariance` must not vanish"),
        ({"covariance": [[np.nan] * 3] * 3}, "`covariance`"),
        ({"alpha": 0}, "`alpha` must be positive"),
        ({"alpha": -1}, "`alpha` must be positive"),
        ({"beta": 0}, "`beta` must be positive"),
        ({"beta": None}, "`beta` must be given"),
        ({"gamma": -0.1}, "`gamma` must not be negative"),
        ({"gamma": float("nan")}, "`gamma` must be a number"),
        ({"weights": [1.0, 2.0]}, "`weights` must be a matrix"),
        ({"weights": np.zeros((2, 3))}, "`weights` must not vanish"),
        ({"weights": [[]]}, "`weights` must be a matrix"),
        ({"weights": "1 2"}, "`weights`"),
        ({"rule": "hebb"}, "`rule` must be one of"),
        ({"learning_rate": 0.1}, "`batch` must be given"),
        ({"learning_rate": -0.1, "batch": 4}, "`learning_rate` must be positive"),
        ({"batch": 0}, "`batch` must be an integer"),
        ({"batch": 2.5}, "`batch` must be an integer"),
        ({"weights": [[1.0, 1e200]]}, "`weights` must have entries of at most"),
    ],
)
def test_bad_input_gets_one_sentence(change, words):
    given = {"rule": "information", "weights": W, "covariance": MIXED, **GIVEN, **change}
    with pytest.raises(ArgumentError, match=words):
        alignment.fixed_point(**given)


def test_feedback_of_another_shape_is_refused():
    with pytest.raises(ArgumentError, match="`backward` must have the shape"):
        alignment.trajectory("mirror", W, np.zeros((2, 3)), 1.0, alpha=1, beta=1)
    with pytest.raises(ArgumentError, match="`t` must not be negative"):
        alignment.trajectory("mirror", W, np.zeros((3, 2)), -1.0, alpha=1, beta=1)


def test_weights_that_pass_no_variance_are_refused():
    with pytest.raises(ArgumentError, match="`weights` must pass some"):
        alignment.fixed_point("information", [[0.0, 1.0]], covariance=np.diag([1.0, 0.0]), alpha=1, beta=1)


# --- speed


def test_a_thousand_times_faster_than_integrating_to_rest():
    """By process time, a small layer, Euler steps of 1e-3 until nothing moves."""

    def integrated():
        b = np.zeros((3, 2))
        for _ in range(60_000):
            change = C @ W.T - 0.5 * b @ W @ C @ W.T - 0.2 * b
            b = b + 1e-3 * change
        return b

    def ours():
        return alignment.fixed_point("information", W, covariance=C, alpha=1, beta=0.5, gamma=0.2).backward

    ours()
    start = time.process_time()
    slow = integrated()
    taken = time.process_time() - start
    shortest = np.inf
    for _ in range(20):
        start = time.process_time()
        for _ in range(5):
            fast = ours()
        shortest = min(shortest, (time.process_time() - start) / 5)
    assert fast == pytest.approx(slow, abs=1e-9)
    assert taken > 1000 * shortest
