"""Modes, heavy balls, Hebb and Oja against integrated flows, explicit steps and sampled networks; bad input."""

import math

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.stats import norm

from widelimit.numerics import rules
from widelimit.theory.errors import ArgumentError, ConvergenceError, DomainError, WidelimitError


def test_worked_values():
    found = rules.mode("feedback_alignment", 1.2, strength=1.7, feedback=0.8)
    assert found.first == pytest.approx(1.23650894753, abs=5e-12)
    assert found.second == pytest.approx(0.955596485819, abs=5e-13)
    assert found.product == pytest.approx(found.first * found.second, rel=1e-15)
    assert rules.mode("sgd", 2, strength=1.7, start=0.01).product == pytest.approx(1.43070185185, abs=5e-12)
    place = rules.descent(50, 0.8, learning_rate=0.01, momentum=0.9)
    assert place == pytest.approx(-0.0853389396990, abs=5e-14)


def flow(rule, s, decay):
    """The four flows, by hand."""

    def moved(_, y):
        v, w, b = y
        e = s - v * w
        if rule == "sgd":
            return [w * e - decay * v, v * e - decay * w, 0]
        if rule == "information_alignment":
            return [b * e, v * e, w - w * w * b - decay * b]
        back = v * e - decay * b if rule == "kolen_pollack" else 0
        return [b * e - decay * v, v * e - decay * w, back]

    return moved


@pytest.mark.parametrize("rule", ["sgd", "feedback_alignment", "kolen_pollack", "information_alignment"])
@pytest.mark.parametrize(
    ("s", "start", "b", "decay"), [(1.3, 0.0, 0.6, 0.0), (0.7, 0.04, -0.5, 0.2), (2.5, 0.3, 1.4, 0.05)]
)
def test_modes_against_their_flows(rule, s, start, b, decay):
    times = np.array([2.5, 0.0, 0.3, 1.0])
    given = {} if rule == "sgd" else {"feedback": b}
    found = rules.mode(rule, times, strength=s, start=start, decay=decay, **given)
    begun = [math.sqrt(start)] * 2 + [b]
    options = {"rtol": 1e-12, "atol": 1e-14, "method": "DOP853", "t_eval": [0.0, 0.3, 1.0, 2.5]}
    v, w, back = solve_ivp(flow(rule, s, decay), (0, 2.5), begun, **options).y[:, [3, 0, 1, 2]]
    assert found.first == pytest.approx(v, rel=1e-10, abs=1e-12)
    assert found.second == pytest.approx(w, rel=1e-10, abs=1e-12)
    assert found.product == pytest.approx(v * w, rel=1e-10, abs=1e-12)
    if rule != "sgd":
        assert found.feedback == pytest.approx(back, rel=1e-10, abs=1e-12)


def test_feedback_alignment_at_early_and_late_times_and_other_signs():
    s, b = 1.7, 0.8
    early = rules.mode("feedback_alignment", 1e-12, strength=s, feedback=b)
    assert early.first == pytest.approx(b * s * 1e-12, rel=1e-14)  # no plateau
    end = rules.mode("feedback_alignment", np.inf, strength=s, feedback=b)
    assert end.first == pytest.approx((2 * b * s) ** (1 / 3), rel=1e-15) and end.product == pytest.approx(
        s, rel=1e-15
    )
    other = rules.mode("feedback_alignment", 0.9, strength=s, feedback=-b)
    same = rules.mode("feedback_alignment", 0.9, strength=s, feedback=b)
    assert (other.first, other.second) == (-same.first, -same.second)
    late = rules.mode("feedback_alignment", 6.0, strength=s, feedback=b).first
    with mpmath.workdps(40):  # the time that it took, by quadrature, moves by less than rounding of v allows
        took = mpmath.quad(lambda v: 1 / (b * s - v**3 / 2), mpmath.linspace(0, mpmath.mpf(late), 9))
        slope = 1 / (b * s - mpmath.mpf(late) ** 3 / 2)
    assert abs(took - 6) < 4 * float(slope) * np.spacing(late)


def test_kolen_pollack_is_exact_in_what_is_left():
    times = np.linspace(0, 30, 7)
    found = rules.mode("kolen_pollack", times, strength=1.1, start=0.09, feedback=0.9, decay=0.15)
    assert found.second - found.feedback == pytest.approx(
        np.exp(-0.15 * times) * (0.3 - 0.9), rel=1e-9, abs=1e-15
    )
    assert rules.mode("kolen_pollack", 400, strength=1.1, feedback=0.9, decay=0.15).first == pytest.approx(
        math.sqrt(0.95), rel=1e-9
    )
    dying = rules.mode("kolen_pollack", 400, strength=0.1, feedback=0.9, decay=0.15)
    assert abs(dying.first) < 1e-7


def test_decay_above_the_strength_ends_in_nothing():
    found = rules.mode("sgd", [1.0, np.inf], strength=0.5, start=0.2, decay=[0.8])
    assert found.product[1] == 0 and 0 < found.product[0] < 0.2
    stays = rules.mode("sgd", np.inf, strength=0.5, start=0.2, decay=0.5)
    assert stays.product == 0
    assert rules.mode("sgd", np.inf, strength=0.5, start=0.0).product == 0.0  # a plateau for ever
    assert rules.mode("sgd", np.inf, strength=0.5, start=1e-9).product == pytest.approx(0.5, rel=1e-15)


def test_passage_times_invert_modes():
    s, b = 0.9, 1.3
    shares = np.array([1e-9, 0.01, 0.5, 0.9999999])
    times = rules.passage_time("feedback_alignment", shares, strength=s, feedback=b)
    assert rules.mode("feedback_alignment", times, strength=s, feedback=b).product == pytest.approx(
        s * shares, rel=1e-12
    )
    shares = np.array([0.01, 0.5, 0.999])
    times = rules.passage_time("sgd", shares, strength=s, start=1e-3)
    assert rules.mode("sgd", times, strength=s, start=1e-3).product == pytest.approx(s * shares, rel=1e-12)
    assert rules.passage_time("sgd", 0.5, strength=s) == math.inf
    gap = rules.passage_time("sgd", 0.5, strength=s, start=1e-9) - rules.delay(s, 1e-9)
    assert abs(gap) < 1e-8


def test_short_names():
    full = rules.mode("feedback_alignment", 1.2, strength=1.7, feedback=0.8)
    for name in ("fa", "FA", "feedback alignment", "Feedback-alignment"):
        assert rules.mode(name, 1.2, strength=1.7, feedback=0.8) == full
    assert rules.signature("Kolen-Pollack").rule == rules.signature("kp").rule == "kolen_pollack"
    assert rules.predict("IA", feedback=0.5).rule == "information_alignment"


def test_exponents_are_those_of_the_ends():
    for rule in ("feedback_alignment", "sgd"):
        given = {"feedback": 0.7} if rule == "feedback_alignment" else {"start": 1e-3}
        ends = [rules.mode(rule, np.inf, strength=s, **given).first for s in (0.5, 4.0)]
        assert math.log(ends[1] / ends[0], 8) == pytest.approx(rules.signature(rule).exponent, rel=1e-12)
    told = {
        name: rules.signature(name) for name in ("sgd", "momentum", "adam", "kolen_pollack", "oja", "hebb")
    }
    assert [told[name].plateau for name in told] == [True, True, False, False, True, True]
    assert [name for name in told if told[name].scale_free] == ["adam"]
    assert told["oja"].exponent == 0 and told["hebb"].exponent == math.inf


def test_feedback_at_rest():
    assert rules.resting_feedback([0.5, 2.0], damping=0.3) == pytest.approx([0.5 / 0.55, 2 / 4.3], rel=1e-15)
    moving = rules.mode("information_alignment", 60, strength=1.7, start=0.1, feedback=0.4, decay=0.3)
    assert moving.feedback == pytest.approx(rules.resting_feedback(moving.second, damping=0.3), rel=1e-8)


@pytest.mark.parametrize(
    ("h", "b"), [(0.008, 0.9), (1e-6, 0.9), (3.7, 0.9), (3.9, 0.9), (0.3, 0.0), (1.0, 0.0), (2.5, 0.2)]
)
def test_momentum_against_its_matrix(h, b):
    found = rules.momentum(h, learning_rate=1.0, momentum=b)
    matrix = np.array([[1 - h, b], [-h, b]])
    roots = np.sort_complex(np.linalg.eigvals(matrix))
    assert np.sort_complex(found.roots) == pytest.approx(roots, rel=1e-9, abs=1e-9)
    assert found.oscillates == bool(abs(roots[0].imag) > 0)
    assert found.modulus == pytest.approx(abs(roots).max(), rel=1e-12) and found.stable == (found.modulus < 1)
    assert np.prod(found.roots) == pytest.approx(b, rel=1e-12, abs=1e-15)
    if found.oscillates:
        assert found.modulus == pytest.approx(math.sqrt(b), rel=1e-14)
        assert found.period == pytest.approx(2 * math.pi / np.angle(found.roots[0]), rel=1e-9)
    x, v = 0.7, -0.2
    for _ in range(17):
        v = b * v - h * x
        x = x + v
    place = rules.descent(17, h, learning_rate=1.0, momentum=b, start=0.7, velocity=-0.2)
    assert place == pytest.approx(x, rel=1e-10)


def test_edges_of_oscillation():
    found = rules.momentum(2.0, learning_rate=[0.001, 0.01, 0.1], momentum=0.81)
    assert found.lowest == pytest.approx([0.01 / 2] * 3, rel=1e-13) and found.highest[0] == pytest.approx(
        1.9**2 / 2
    )
    assert found.oscillates.tolist() == [False, True, True] and found.roots.shape == (3, 2)


def test_small_roots_keep_their_digits():
    found = rules.momentum(1.0, learning_rate=1e-20, momentum=1e-25)
    assert found.roots[1].real == pytest.approx(1e-25, rel=1e-12)


def test_adam_by_hand():
    place, mean, square, g = 0.0, 0.0, 0.0, 3e-8
    for n in range(1, 8):
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g * g
        place -= 1e-3 * mean / (1 - 0.9**n) / (math.sqrt(square / (1 - 0.999**n)) + 1e-8)
    assert rules.adam(7, learning_rate=1e-3, gradient=-g) == pytest.approx(-place, rel=1e-12)
    assert rules.adam(7, learning_rate=1e-3, gradient=[1.0, 1e6]) == pytest.approx([7e-3] * 2, rel=1e-7)


def test_hebb_and_oja_against_matrix_exponentials():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((50, 4)) * [2.0, 1.0, 0.5, 0.0]
    c, w = x.T @ x / 50, rng.standard_normal(4)
    for t in (0.0, 0.7, 3.0):
        grown = expm(c * t) @ w
        assert rules.hebb(c, w, t) == pytest.approx(grown, rel=1e-11)
        below = 1 + w @ (expm(2 * c * t) - np.eye(4)) @ w
        assert rules.oja(c, w, t) == pytest.approx(grown / math.sqrt(below), rel=1e-11)
    late = rules.oja(c, w, [1e4, 1e25])
    assert np.linalg.norm(late, axis=1) == pytest.approx([1, 1], rel=1e-12)
    assert abs(late[0] @ np.linalg.eigh(c)[1][:, -1]) == pytest.approx(1, rel=1e-12)
    assert rules.oja(np.diag([2.0, 1.0]), [0.0, 0.1], 1e6).tolist() == [0.0, 1.0]  # no part of the top one
    assert rules.oja(c, np.zeros(4), [1.0]).tolist() == [[0.0] * 4]
    with pytest.raises(DomainError, match="Oja"):
        rules.hebb(c, w, 1e4)


def test_accuracy_against_networks_that_are_sampled():
    rng = np.random.default_rng(0)
    d, inner, outer, n = np.array([0.8, -0.3]), np.array([[0.5, 0.2], [0.2, 0.4]]), np.diag([3.0, 1.0]), 6
    whole = inner + outer / n
    draws = rng.multivariate_normal(np.zeros(2), inner, 200_000) + rng.multivariate_normal(
        np.zeros(2), outer / n, 200_000
    )
    side = rng.random(200_000) < 0.5
    seen = draws + np.where(side, 0.5, -0.5)[:, None] * d
    right = ((seen @ np.linalg.solve(whole, d) > 0) == side).mean()
    found = rules.accuracy(d, inner, noise=outer, units=n)
    assert abs(found - right) < 4 * math.sqrt(found * (1 - found) / 200_000)
    assert found == pytest.approx(norm.cdf(0.5 * math.sqrt(d @ np.linalg.solve(whole, d))), rel=1e-13)


def test_accuracy_at_its_ends():
    assert rules.accuracy(0.0, 1.0, noise=1.0, units=5) == 0.5
    assert rules.accuracy(1.0, 0.0, noise=1.0, units=np.inf) == 1.0
    assert rules.accuracy([0.0, 0.0], np.eye(2), noise=np.eye(2), units=[1, np.inf]).tolist() == [0.5, 0.5]
    tiny = rules.accuracy(1e-20, 1e-40 * 1e15, noise=0.0, units=1)
    assert tiny == pytest.approx(norm.cdf(0.5 * math.sqrt(1e-15)), rel=1e-13)
    many = rules.accuracy(1.0, 0.25, noise=4.0, units=[16, 1600, 1e12])
    assert (np.diff(many) > 0).all() and many[2] == pytest.approx(norm.cdf(1), rel=1e-9)


def test_pilots_come_back():
    truth = lambda n: rules.accuracy(0.9, 0.3, noise=7.0, units=n)  # noqa: E731
    found = rules.from_pilots([5, 50], [truth(5), truth(50)])
    assert found.limit == pytest.approx(truth(np.inf), rel=1e-10) and found.half == pytest.approx(
        7 / 0.3, rel=1e-9
    )
    assert found.accuracy([7, 700]) == pytest.approx(truth([7, 700]), rel=1e-10)
    assert truth(found.needed) - 0.5 == pytest.approx(0.95 * (found.limit - 0.5), rel=1e-9)
    with pytest.raises(DomainError, match="does not rise"):
        rules.from_pilots([5, 50], [0.8, 0.7])
    with pytest.raises(DomainError, match="faster"):
        rules.from_pilots([5, 6], [0.6, 0.95])


def test_error_of_a_variance():
    rng = np.random.default_rng(1)
    draws = rng.laplace(size=(20_000, 50))  # kurtosis 6
    square = (draws**2).mean(1)
    assert rules.variance_error(6, 50) == pytest.approx(square.std() / square.mean(), rel=0.03)


FINE = {
    "mode": {"rule": "feedback_alignment", "t": 1.0, "strength": 1.0, "feedback": 0.5},
    "passage_time": {"rule": "sgd", "share": 0.5, "strength": 1.0, "start": 0.1},
    "delay": {"strength": 1.0, "start": 0.1},
    "resting_feedback": {"strength": 1.0, "damping": 0.1},
    "adam": {"steps": 3, "learning_rate": 0.1, "gradient": 1.0, "epsilon": 1e-8},
    "hebb": {"covariance": [[1.0]], "start": [0.1], "t": 1.0},
    "oja": {"covariance": [[1.0]], "start": [0.1], "t": 1.0},
    "momentum": {"curvature": 1.0, "learning_rate": 0.1, "momentum": 0.5},
    "descent": {"steps": 3, "curvature": 1.0, "learning_rate": 0.1, "momentum": 0.5, "start": 1.0, "velocity": 0.1},
    "accuracy": {"difference": 1.0, "covariance": 1.0, "noise": 1.0, "units": 5},
    "from_pilots": {"units": [5, 50], "accuracies": [0.6, 0.7], "target": 0.9},
    "variance_error": {"kurtosis": 3.0, "entries": 10},
    "signature": {"rule": "sgd"},
    "predict": {"rule": "sgd", "t": 1.0, "strength": 1.0, "start": 0.1, "decay": 0.1},
}  # fmt: skip
EXTREMES = [
    float("nan"), float("inf"), -1.0, True, "1", None, [], 10**400, 1e300, 1e-300, 1e31, [[1.0, 2.0]], [float("nan")],
    {}, 0.0, 1e-30, 1e30, [1.0, 0.5], object(), 1j,
]  # fmt: skip


@pytest.mark.parametrize("name", FINE)
def test_extremes_end_in_a_sentence_or_in_numbers(name):
    extremes(getattr(rules, name), FINE[name])


@pytest.mark.slow
def test_extremes_of_an_integrated_mode():
    extremes(rules.mode, {**FINE["mode"], "rule": "kolen_pollack", "start": 0.1, "decay": 0.1})


def extremes(function, fine):
    function(**fine)
    for argument in fine:
        for value in EXTREMES:
            try:
                found = function(**{**fine, argument: value})
            except WidelimitError as error:
                assert str(error)
                continue
            for one in vars(found).values() if hasattr(found, "__dict__") else [found]:
                if not isinstance(one, str | bool):
                    assert not np.isnan(np.asarray(one)).any(), (argument, value)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: rules.mode("feedback_alignment", 1, strength=1), "must be given"),
        (lambda: rules.mode("sgd", 1, strength=1, feedback=1), "left out"),
        (lambda: rules.mode("hebb", 1, strength=1), "one of"),
        (lambda: rules.mode("kolen_pollack", np.inf, strength=1, feedback=1, decay=0.1), "finite"),
        (lambda: rules.mode("sgd", [1, 2], strength=[1, 2, 3]), "broadcast"),
        (lambda: rules.passage_time("sgd", 0.01, strength=1, start=0.5), "below start"),
        (lambda: rules.passage_time("feedback_alignment", 0.1, strength=1, start=0.5, feedback=1), "must be 0"),
        (lambda: rules.delay(1, 2), "below the strength"),
        (lambda: rules.oja([[1, 0.5], [0, 1]], [1, 1], 1), "symmetric"),
        (lambda: rules.oja(-np.eye(2), [1, 1], 1), "negative eigenvalues"),
        (lambda: rules.momentum(1, learning_rate=1, momentum=1), "below 1"),
        (lambda: rules.accuracy([1, 2], np.ones((2, 2)), noise=np.zeros((2, 2)), units=1), "positive definite"),
        (lambda: rules.from_pilots([5, 5], [0.6, 0.7]), "different"),
        (lambda: rules.from_pilots([5, 50], [0.5, 0.7]), "above 1/2"),
        (lambda: rules.variance_error(0.5, 5), "at least 1"),
    ],
)  # fmt: skip
def test_bad_input(call, says):
    with pytest.raises(ArgumentError, match=says):
        call()


@pytest.mark.slow
def test_what_takes_too_long_says_so():
    with pytest.raises(ConvergenceError, match=r"evaluations|followed"):
        rules.mode("feedback_alignment", 1e25, strength=1.0, start=0.1, feedback=1e12, decay=1e-3)
