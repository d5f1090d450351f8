"""Gaussian layers, moving weights and signals: worked values, quadrature, drawn matrices, integrated flows."""

import time

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from widelimit.numerics import alignment
from widelimit.theory.errors import ArgumentError, DomainError


@pytest.mark.parametrize(
    ("r", "s", "z", "value"),
    [(0.5, 1, 0.1, 0.798329733736), (1, 2**0.5, 0.05, 0.520448959066), (1, 1, 0.5, 3**0.5 / 2)],
)
def test_worked_cosines_of_information(r, s, z, value):
    assert alignment.cosine("information", aspect=r, sigma_w=s, ratio=z) == pytest.approx(value, abs=2e-12)


def by_quadrature(r, s, z):
    """The same cosine from the law of singular values, in 40 digits."""
    r, s, z = (mpmath.mpf(v) for v in (r, s, z))
    if r > 1:
        r, s = 1 / r, s * mpmath.sqrt(r)

    def mean(function):
        def at(theta):
            x = 1 + r + 2 * mpmath.sqrt(r) * mpmath.cos(theta)
            return function(s**2 * x) * 2 * mpmath.sin(theta) ** 2 / (mpmath.pi * x)

        return mpmath.quad(at, mpmath.linspace(0, mpmath.pi, 9))

    return float(mean(lambda x: x / (x + z)) / mpmath.sqrt(s**2 * mean(lambda x: x / (x + z) ** 2)))


@pytest.mark.parametrize("r", [0.02, 0.7, 1.6, 30.0])
@pytest.mark.parametrize(("s", "z"), [(1.3, 0.4), (0.2, 50.0), (3.0, 1e-3), (1.0, 1e9)])
def test_cosines_of_information_are_those_of_the_law(r, s, z):
    with mpmath.workdps(40):
        expected = by_quadrature(r, s, z)
    assert alignment.cosine("information", aspect=r, sigma_w=s, ratio=z) == pytest.approx(expected, rel=1e-13)


def test_ends_of_the_ratio():
    assert alignment.cosine("information", aspect=0.36, ratio=0) == pytest.approx(
        0.8, abs=1e-15
    )  # pseudo-inverse
    assert alignment.cosine("information", aspect=1 / 0.36, ratio=0) == pytest.approx(0.8, abs=1e-15)
    assert alignment.cosine("information", aspect=1, ratio=0) == 0.0
    assert alignment.cosine("information", aspect=1, ratio=1e-8) == pytest.approx(2**0.5 * 1e-2, rel=1e-3)
    assert alignment.cosine("information", aspect=0.5, ratio=1e50) == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(("m", "n", "value"), [(900, 600, None), (300, 900, None)])
def test_cosines_of_drawn_matrices(m, n, value):
    w = np.random.default_rng(m).standard_normal((m, n)) * 1.4 / n**0.5
    found = alignment.fixed_point("information", w, alpha=1, beta=1, gamma=0.3).cosine
    assert alignment.cosine("information", aspect=m / n, sigma_w=1.4, ratio=0.3) == pytest.approx(
        found, abs=2e-3
    )


def relu_moment(n):
    a, b = 0.5 - 1 / (2 * np.pi), 1 / (2 * np.pi)
    return a * np.eye(n) + b * np.ones((n, n))


@pytest.mark.parametrize("n", [50, 100, 400])
def test_the_mirror_loses_alignment_behind_a_relu(n):
    modes = np.linalg.eigvalsh(relu_moment(n))
    found = alignment.cosine("mirror", inputs="relu", fan_in=n)
    assert found == pytest.approx(modes.mean() / np.sqrt((modes**2).mean()), rel=1e-12)
    assert found == pytest.approx(np.pi / n**0.5, rel=12 / n)
    assert alignment.cosine("mirror", inputs="relu", fan_in=n, centred=True) == 1.0
    if n == 100:
        assert found == pytest.approx(0.3010901515538, abs=1e-13)
        w = np.random.default_rng(0).standard_normal((2000, n))
        drawn = alignment.fixed_point("mirror", w, covariance=relu_moment(n), alpha=1, beta=1).cosine
        assert found == pytest.approx(drawn, rel=0.05)


def test_information_does_not_mind_the_mean_of_relu_inputs():
    """New: the direction in which all inputs agree is one of n, and the decoder takes it off."""
    n = 1200
    w = np.random.default_rng(0).standard_normal((n // 2, n)) / n**0.5
    drawn = alignment.fixed_point(
        "information", w, covariance=relu_moment(n), alpha=1, beta=1, gamma=0.1
    ).cosine
    found = alignment.cosine("information", aspect=0.5, ratio=0.1, inputs="relu")
    assert found == pytest.approx(drawn, abs=2e-3)
    white = alignment.cosine("information", aspect=0.5, ratio=0.1)
    assert abs(found - white) > 0.02  # the inputs' variance is not 1
    assert found == alignment.cosine("information", aspect=0.5, ratio=0.1, inputs="relu", centred=True)


def test_others_reach_the_transpose():
    for rule in ("symmetric", "activation", "kolen_pollack"):
        assert alignment.cosine(rule, inputs="relu", aspect=[0.5, 2.0]).tolist() == [1.0, 1.0]
    assert alignment.cosine("mirror") == 1.0


def test_a_map_of_ten_thousand_takes_ten_milliseconds():
    r, z = np.linspace(0.1, 3, 100)[:, None], np.geomspace(0.01, 10, 100)
    alignment.cosine("information", aspect=r, ratio=z)
    shortest = np.inf
    for _ in range(5):
        start = time.process_time()
        found = alignment.cosine("information", aspect=r, ratio=z)
        shortest = min(shortest, time.process_time() - start)
    assert found.shape == (100, 100) and shortest < 0.01


# --- the largest step


def test_worked_largest_steps():
    step = alignment.largest_step("information", fan_in=512, fan_out=512, sigma_w=1.0, beta=1.0, gamma=0.1)
    assert step == pytest.approx(0.4878048780, abs=1e-10)
    wide = alignment.largest_step(
        "information", fan_in=400, fan_out=100, sigma_w=[1.0, 2.0], beta=0.5, gamma=0.2
    )
    assert wide == pytest.approx([2 / (0.2 + 0.5 * 2.25), 2 / (0.2 + 0.5 * 4 * 2.25)])
    for batch, n in ((1, 10), (7, 3)):
        found = alignment.largest_step("activation", fan_in=n, fan_out=5, batch=batch, alpha=0.5)
        assert found == pytest.approx(2 / (0.5 * (1 + (n + 1) / batch)), rel=1e-14)
        matrix = alignment.fixed_point("activation", np.ones((5, n)), alpha=0.5, beta=1, batch=batch)
        assert found == pytest.approx(matrix.largest_step, rel=1e-10)
    for rule in ("symmetric", "mirror", "kolen_pollack"):
        assert alignment.largest_step(rule, fan_in=9, fan_out=3, alpha=4.0, batch=2) == 0.5


@pytest.mark.parametrize(("m", "n", "batch"), [(300, 600, 500), (600, 300, 2000), (200, 200, 10**9)])
def test_largest_steps_are_those_of_drawn_matrices(m, n, batch):
    w = np.random.default_rng(n).standard_normal((m, n)) * 1.2 / n**0.5
    drawn = alignment.fixed_point("information", w, alpha=1, beta=0.8, gamma=0.3, batch=batch).largest_step
    found = alignment.largest_step(
        "information", fan_in=n, fan_out=m, sigma_w=1.2, beta=0.8, gamma=0.3, batch=batch
    )
    assert found == pytest.approx(drawn, rel=0.02)


# --- both moving


def flows(rule, y, alpha, beta, gamma, c):
    n = len(c)
    w, b = y[: y.size // 2].reshape(-1, n), y[y.size // 2 :].reshape(n, -1)
    if rule == "symmetric":
        dw, db = -alpha * w + beta * b.T, -alpha * b + beta * w.T
    elif rule == "mirror":
        dw, db = -alpha * w + beta * b.T @ c, -alpha * b + beta * c @ w.T
    elif rule == "activation":
        dw, db = -alpha * w @ c + beta * b.T @ c, -alpha * c @ b + beta * c @ w.T
    else:
        dw = alpha * b.T @ c - beta * b.T @ b @ w @ c - gamma * w
        db = alpha * c @ w.T - beta * b @ w @ c @ w.T - gamma * b
    return np.concatenate([dw.ravel(), db.ravel()])


def integrated(rule, w, b, t, given, c):
    y0 = np.concatenate([w.ravel(), b.ravel()])
    found = solve_ivp(lambda _, y: flows(rule, y, *given, c), (0, t), y0, rtol=1e-11, atol=1e-13).y[:, -1]
    return found[: w.size].reshape(w.shape), found[w.size :].reshape(b.shape)


@pytest.mark.parametrize("rule", ["symmetric", "mirror", "activation", "information"])
def test_singular_values_of_integrated_flows(rule):
    w = np.random.default_rng(5).standard_normal((3, 4))
    moved, _ = integrated(rule, w, w.T, 1.5, (1.1, 0.8, 0.3), np.eye(4))
    start = np.linalg.svd(w, compute_uv=False)
    found = alignment.coupled(rule, start, 1.5, alpha=1.1, beta=0.8, gamma=0.3)
    assert found == pytest.approx(np.linalg.svd(moved, compute_uv=False), rel=1e-8)


@pytest.mark.parametrize("rule", ["symmetric", "mirror", "information"])
def test_the_invariant_holds_for_any_inputs(rule):
    generator = np.random.default_rng(6)
    w, b, root = (generator.standard_normal(s) for s in ((2, 3), (3, 2), (3, 3)))
    moved, back = integrated(rule, w, b, 0.7, (1.1, 0.8, 0.3), root @ root.T / 3)
    left = alignment.invariant(rule, 0.7, alpha=1.1, gamma=0.3)
    assert moved @ moved.T - back.T @ back == pytest.approx(left * (w @ w.T - b.T @ b), abs=1e-8)


def test_worked_singular_values():
    value = alignment.coupled("information", 0.2, 3, alpha=1, beta=0.5, gamma=0.6)
    assert value == pytest.approx(0.5419635176760, abs=1e-13)


@pytest.mark.parametrize(
    ("alpha", "gamma"), [(1.0, 1.0), (1.0, 1.0 + 1e-13), (1.0, 0.4), (0.4, 1.0), (1.0, 1.0 - 1e-9)]
)
def test_singular_values_keep_their_digits(alpha, gamma):
    for s, t in ((0.3, 2.0), (5.0, 100.0), (1e-8, 1e-3)):
        with mpmath.workdps(40):
            r, x = mpmath.mpf(alpha) - mpmath.mpf(gamma), mpmath.mpf(s) ** 2
            grown = mpmath.expm1(2 * r * t) / r if r else mpmath.mpf(2 * t)
            exact = float(mpmath.sqrt(x * mpmath.exp(2 * r * t) / (1 + mpmath.mpf(0.7) * x * grown)))
        assert alignment.coupled("information", s, t, alpha=alpha, beta=0.7, gamma=gamma) == pytest.approx(
            exact, rel=1e-12
        )


def test_ends_of_time():
    end = {"alpha": 1.0, "beta": 0.5, "gamma": 0.6}
    assert alignment.coupled("information", [0.0, 1e-9, 3.0], np.inf, **end) == pytest.approx(
        [0, 0.8**0.5, 0.8**0.5]
    )
    assert alignment.coupled("information", 2.0, np.inf, alpha=0.5, beta=1, gamma=0.6) == 0.0
    assert alignment.coupled("information", 2.0, np.inf, alpha=0.6, beta=1, gamma=0.6) == 0.0
    assert alignment.coupled("symmetric", 2.0, np.inf, alpha=1, beta=1) == 2.0
    assert alignment.coupled("mirror", 2.0, 1e5, alpha=2, beta=1) == 0.0
    for t in (1e5, np.inf):
        with pytest.raises(DomainError, match="beyond any float"):
            alignment.coupled("mirror", 2.0, t, alpha=1, beta=2)
    with pytest.raises(DomainError, match="follow the task"):
        alignment.coupled("kolen_pollack", 2.0, 1.0, alpha=1)


# --- signals, Kolen and Pollack


def test_signals_through_layers():
    assert alignment.depth([0.9, 0.8, -0.5]) == pytest.approx(-0.36)
    with pytest.raises(ArgumentError, match="`cosines`"):
        alignment.depth([1.2])
    with pytest.raises(ArgumentError, match="`cosines`"):
        alignment.depth([])


@pytest.mark.parametrize(("active", "layers", "cosine"), [(1.0, 4, 0.9), (0.5, 3, 0.8)])
def test_signals_of_one_network_scatter(active, layers, cosine):
    """Drawn networks, by hand: not in proportion to depth over the root of the width."""
    generator = np.random.default_rng(0)
    n, found = 100, []
    for _ in range(300):
        true = fed = generator.standard_normal(n)
        for _ in range(layers):
            mask = generator.random(n) < active
            w, other = generator.standard_normal((2, n, n))
            b = cosine * w + (1 - cosine**2) ** 0.5 * other
            true, fed = (true * mask) @ w, (fed * mask) @ b
        found.append(true @ fed / np.linalg.norm(true) / np.linalg.norm(fed))
    predicted = alignment.scatter([cosine] * layers, width=n, active=active)
    assert np.std(found) == pytest.approx(predicted, rel=0.15)  # 4 % is one standard error
    assert np.mean(found) == pytest.approx(cosine**layers, abs=0.02)


def test_scatter_of_layers_that_are_exact_or_lost():
    assert alignment.scatter([1.0, 1.0], width=50) == 0.0
    assert alignment.scatter([0.5, 0.0], width=25) == pytest.approx(0.2)
    many = [alignment.scatter([0.9] * k, width=100) for k in (20, 40, 80)]
    assert max(many) < 0.25 and many[2] == pytest.approx(many[1], rel=0.01)  # it comes to rest
    for given, words in (({"width": 0}, "`width`"), ({"width": 9, "active": 1.5}, "`active`")):
        with pytest.raises(ArgumentError, match=words):
            alignment.scatter([0.5], **given)


@pytest.mark.parametrize(("eta", "decay"), [(0.1, 0.5), (0.3, 5.0), (1e-9, 1e-7), (0.2, 0.0), (0.5, 3.9)])
def test_kolen_pollack_is_the_recursion_of_variances(eta, decay):
    with mpmath.workdps(40):
        a2 = (1 - mpmath.mpf(eta) * mpmath.mpf(decay)) ** 2
        common, own = mpmath.mpf(0), mpmath.mpf(0.7)
        for _ in range(25):
            common, own = a2 * common + (mpmath.mpf(eta) * mpmath.mpf(1.3)) ** 2, a2 * own
        exact = float(common / (common + own))
    found = alignment.kolen_pollack(25, learning_rate=eta, decay=decay, noise=1.3, initial=0.7)
    assert found == pytest.approx(exact, rel=1e-12)


def test_kolen_pollack_by_drawn_weights():
    generator = np.random.default_rng(0)
    w, b = (generator.standard_normal(300_000) * 0.5 for _ in range(2))
    for _ in range(20):
        step = 0.1 * 0.4 * generator.standard_normal(w.size)
        w, b = 0.95 * w + step, 0.95 * b + step
    drawn = w @ b / np.sqrt((w @ w) * (b @ b))
    assert alignment.kolen_pollack(
        20, learning_rate=0.1, decay=0.5, noise=0.4, initial=0.25
    ) == pytest.approx(drawn, abs=6e-3)


def test_ends_of_kolen_pollack():
    at = {"learning_rate": 0.1, "decay": 0.1, "noise": 1.0, "initial": 1.0}
    assert alignment.kolen_pollack(0, **at) == 0.0
    assert alignment.kolen_pollack(10**12, **at) == pytest.approx(1.0)
    assert alignment.kolen_pollack(3, **{**at, "initial": 0.0}) == 1.0
    assert alignment.kolen_pollack([0, 5], **{**at, "noise": 0.0}).tolist() == [0.0, 0.0]
    for change, words in (
        ({"decay": 20.0}, "`learning_rate` must be below"),
        ({"initial": 0.0, "noise": 0.0}, "`initial` must be positive"),
        ({"noise": -1.0}, "`noise` must not be negative"),
    ):
        with pytest.raises(ArgumentError, match=words):
            alignment.kolen_pollack(3, **{**at, **change})
    with pytest.raises(ArgumentError, match="`steps` must be a whole number"):
        alignment.kolen_pollack(2.5, **at)


def test_estimated_weights():
    assert alignment.estimated([0.0, 3.0], 4.0) == pytest.approx([1.0, 0.8])
    with pytest.raises(ArgumentError, match="`sigma` must be positive"):
        alignment.estimated(1.0, 0.0)


@pytest.mark.parametrize(
    ("function", "given", "words"),
    [
        (alignment.cosine, {"rule": "information"}, "`ratio` must be given"),
        (alignment.cosine, {"rule": "information", "ratio": -1}, "`ratio` must not be negative"),
        (alignment.cosine, {"rule": "mirror", "inputs": "relu"}, "`fan_in` must be given"),
        (alignment.cosine, {"rule": "mirror", "inputs": "tanh"}, "`inputs` must be one of"),
        (alignment.cosine, {"rule": "mirror", "centred": "no"}, "`centred` must be True or False"),
        (alignment.cosine, {"rule": "mirror", "fan_in": 2.5, "inputs": "relu"}, "`fan_in` must be a whole"),
        (alignment.cosine, {"rule": "mirror", "aspect": 0}, "`aspect` must be positive"),
        (alignment.largest_step, {"rule": "information", "fan_in": 0, "fan_out": 3}, "`fan_in` must be positive"),
        (alignment.largest_step, {"rule": "information", "fan_in": 3.5, "fan_out": 3}, "`fan_in` must be a whole"),
        (alignment.largest_step, {"rule": "mirror", "fan_in": 3, "fan_out": 3, "alpha": 0}, "`alpha` must be positive"),
        (alignment.coupled, {"rule": "mirror", "singular_values": -1, "t": 1, "alpha": 1, "beta": 1}, "`singular"),
        (alignment.predict, {"beta": 0.0}, "`beta` must be positive"),
        (alignment.predict, {"fan_in": 0}, "`fan_in` must be an integer"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(function, given, words):
    with pytest.raises(ArgumentError, match=words):
        function(**given)
