"""Fixed points, eigenvalues and thresholds of modes, against polynomial roots, matrices and the note's values."""

import math
import time

import mpmath
import numpy as np
import pytest

from widelimit.numerics import ssl
from widelimit.theory.errors import ArgumentError, DomainError, WidelimitError

GIVEN = {"weight_decay": 0.04, "augmentation": 0.5}
CASES = [
    {},
    {"weight_decay": 0.1, "augmentation": 0.3, "signal": 0.8, "target_scale": 0.9, "predictor_rate": 3.0},
    {"weight_decay": 1e-7, "augmentation": 2.0, "signal": 1.5, "predictor_rate": 0.2},
    {"weight_decay": 0.0, "augmentation": 0.0, "signal": 2.0},
    {"weight_decay": 0.16666, "augmentation": 0.5},
]


def jacobian(p, s, eta, spread, x=1.0, tau=1.0, rate=1.0):
    c = x + spread
    grown = tau * x - c * p
    return np.array([[-rate * s * c - eta, rate * grown], [2 * s * (grown - c * p), 2 * (p * grown - eta)]])


def test_values_of_the_note():
    p = ssl.fixed_points(**GIVEN)
    assert p.predictor == pytest.approx(0.62392659623604, rel=1e-13)
    assert p.predictor_unstable == pytest.approx(0.042740070430622, rel=1e-13)
    assert p.covariance == pytest.approx(0.3892843974907, rel=1e-12)
    assert p.critical_weight_decay == pytest.approx(1 / 6, rel=1e-15) and p.collapses is False
    np.testing.assert_allclose(p.eigenvalues, [-0.54392659623604, -0.08], rtol=1e-12)
    np.testing.assert_allclose(p.eigenvalues_unstable, [0.0372599295694, -0.08], rtol=1e-11)
    d = ssl.direct_pred(**GIVEN, epsilon=0.12653310324855)
    assert d.critical_epsilon == pytest.approx(0.12653310324855, rel=1e-12)
    assert d.largest == pytest.approx(0.337777777777, rel=1e-9)
    for rule, covariance in (("directpred", 0.09), ("directcopy", 0.3)):
        one = ssl.fixed_points(weight_decay=0.12, augmentation=1.0, rule=rule)
        assert (one.predictor, one.covariance) == pytest.approx((0.3, covariance), rel=1e-13)
        assert one.critical_weight_decay == 0.125


@pytest.mark.parametrize("case", CASES)
def test_roots_and_eigenvalues_by_other_means(case):
    given = {**GIVEN, **case}
    x, tau, rate = (given.get(name, 1.0) for name in ("signal", "target_scale", "predictor_rate"))
    c = x + given["augmentation"]
    p = ssl.fixed_points(**given)
    with mpmath.workdps(40):
        low, high = sorted(
            mpmath.re(r) for r in mpmath.polyroots([-c, tau * x, -given["weight_decay"]], extraprec=200)
        )
    assert p.predictor == pytest.approx(float(high), rel=1e-13)
    assert p.predictor_unstable == pytest.approx(float(low), rel=1e-11, abs=1e-300)
    for at, found in ((high, p.eigenvalues), (low, p.eigenvalues_unstable)):
        j = jacobian(
            float(at), float(at) ** 2 / rate, given["weight_decay"], given["augmentation"], x, tau, rate
        )
        np.testing.assert_allclose(np.sort(found), np.sort(np.linalg.eigvals(j).real), rtol=1e-8, atol=1e-12)
    aligned = (
        c * (rate * p.covariance / 2 + p.predictor**2) - tau * x * p.predictor + 1.5 * given["weight_decay"]
    )
    assert p.alignment_rate == pytest.approx(2 * aligned, rel=1e-10)
    if given["weight_decay"] == 0.04:
        assert p.largest_learning_rate == pytest.approx(2 / 0.54392659623604, rel=1e-12)


def test_dead_modes_are_zero_and_say_so():
    p = ssl.fixed_points(weight_decay=[0.2, 0.04, 0.0], augmentation=[0.5, 0.5, 0.3], signal=[1.0, 0.0, 0.0])
    assert p.collapses.tolist() == [True] * 3
    for name in ("predictor", "predictor_unstable", "covariance", "covariance_unstable"):
        assert getattr(p, name).tolist() == [0.0] * 3
    np.testing.assert_allclose(p.eigenvalues, [[-0.2, -0.4], [-0.04, -0.08], [0.0, 0.0]])
    edge = ssl.fixed_points(weight_decay=1 / 6, augmentation=0.5)
    assert not edge.collapses and edge.predictor == edge.predictor_unstable == pytest.approx(1 / 3)
    nothing = ssl.fixed_points(weight_decay=0.0, augmentation=0.0, signal=0.0)
    assert (
        nothing.collapses
        and nothing.critical_weight_decay == 0.0
        and nothing.largest_learning_rate == math.inf
    )


def test_rules_share_the_roots_and_change_speed():
    learned = ssl.fixed_points(weight_decay=0.1, augmentation=0.4)
    for power in (0.5, 0.7, 2.0):
        rule = ssl.fixed_points(weight_decay=0.1, augmentation=0.4, rule="direct", exponent=power)
        assert rule.predictor == learned.predictor
        assert rule.covariance == pytest.approx(learned.predictor ** (1 / power), rel=1e-13)
        assert rule.eigenvalues[0] == pytest.approx(2 * power * learned.eigenvalues[0], rel=1e-13)
        assert rule.eigenvalues[1] == -math.inf and rule.alignment_rate == math.inf
        dead = ssl.fixed_points(weight_decay=0.3, augmentation=0.4, rule="direct", exponent=power)
        assert dead.eigenvalues[0] == pytest.approx(-2 * power * 0.3)


def test_a_moving_target_has_the_eigenvalues_of_its_matrix():
    cases = ((0.4, 0.04, 0.5, 1.0, 0.5), (3.0, 0.1, 0.2, 1.3, 1.0), (0.02, 0.01, 1.0, 0.7, 0.5))
    for ema, eta, spread, x, power in cases:
        c = x + spread
        rule = {"rule": "direct", "exponent": power}
        p = ssl.fixed_points(weight_decay=eta, augmentation=spread, signal=x)
        found = ssl.moving_target(ema_rate=ema, weight_decay=eta, augmentation=spread, signal=x, **rule)
        for at, eigenvalues in ((p.predictor, found.eigenvalues), (p.predictor_unstable, None)):
            lean = x - 2 * c * at
            j = np.array([[2 * power * at * lean, 2 * power * x * at**2], [-lean, -ema - x * at]])
            values, vectors = np.linalg.eig(j)
            if eigenvalues is not None:
                np.testing.assert_allclose(np.sort_complex(eigenvalues), np.sort_complex(values), rtol=1e-10)
                assert found.stable
            else:
                down = vectors[:, np.argmin(values.real)].real
                assert found.critical_slope == pytest.approx(down[0] / down[1], rel=1e-9)


def test_the_floor_of_direct_pred_by_its_flow():
    """Two modes by scipy: the small one grows beyond the critical epsilon only."""
    from scipy.integrate import solve_ivp

    given = {"weight_decay": 0.05, "augmentation": 0.4}
    critical = ssl.direct_pred(**given, epsilon=0.0).critical_epsilon
    for epsilon, grows in ((0.96 * critical, False), (1.04 * critical, True)):

        def flow(t, s, epsilon=epsilon):
            s = np.maximum(s, 0.0)
            p = np.sqrt(s) + epsilon * s.max()
            return 2 * s * (p * (1 - 1.4 * p) - 0.05)

        end = solve_ivp(flow, (0, 4000), [0.3, 1e-7], method="LSODA", rtol=1e-10, atol=1e-14).y[:, -1]
        d = ssl.direct_pred(**given, epsilon=epsilon)
        assert d.survives is grows and end[0] == pytest.approx(d.largest, rel=1e-7)
        assert bool(end[1] > 0.9 * end[0]) is grows and (grows or end[1] < 1e-8)
        assert d.normalised_epsilon == pytest.approx(epsilon * math.sqrt(d.largest))
    dead = ssl.direct_pred(weight_decay=0.5, augmentation=0.4, epsilon=1.0)
    assert (dead.largest, dead.critical_epsilon, dead.survives) == (0.0, math.inf, False)
    assert ssl.direct_pred(weight_decay=0.0, augmentation=0.4, epsilon=0.0).survives


def test_rates_of_collapse_are_eigenvalues_of_the_whole_matrix():
    rng = np.random.default_rng(0)
    p, x, spread, eta = rng.uniform(0.2, 1.5, (4, 3))
    pieces = np.kron(np.diag(spread), np.diag(p**2 + 1)) + np.kron(np.diag(x), np.diag((p - 1) ** 2))
    for k in range(3):
        found = ssl.collapse_rates(weight_decay=eta[k], augmentation=spread[k], signal=x[k], predictor=p[k])
        assert found.no_stop_gradient == pytest.approx(pieces[4 * k, 4 * k] + eta[k], rel=1e-13)
        assert found.no_predictor == pytest.approx(spread[k] + eta[k], rel=1e-15)


def test_a_phase_diagram_of_200_by_200_takes_less_than_a_tenth_of_a_second():
    decay, spread = np.linspace(0.0, 0.4, 200), np.linspace(0.0, 2.0, 200)
    ssl.phase_diagram(weight_decay=decay, augmentation=spread)
    spent = []
    for _ in range(3):
        start = time.process_time()
        grid = ssl.phase_diagram(weight_decay=decay, augmentation=spread)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.1
    inside = decay[:, None] <= 1 / (4 * (1 + spread))
    assert (grid["collapses"].values == ~inside).all()
    one = ssl.fixed_points(weight_decay=decay[17], augmentation=spread[90])
    assert (
        float(grid["predictor"][17, 90]) == one.predictor
        and float(grid["tangent"][17, 90]) == one.eigenvalues[0]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_decay": -0.1}, "`weight_decay` must not be negative, but is -0.1"),
        ({"augmentation": -1e-9}, "`augmentation` must not be negative"),
        ({"predictor_rate": 0.0}, "`predictor_rate` must be positive, but is 0.0"),
        ({"predictor_rate": -2}, "`predictor_rate` must be positive"),
        ({"signal": -1.0}, "`signal` must not be negative"),
        ({"target_scale": float("nan")}, "`target_scale` must be a number, but is NaN"),
        ({"exponent": 0.0, "rule": "direct"}, "`exponent` must be positive"),
        ({"exponent": -1.0, "rule": "direct"}, "`exponent` must be positive"),
        ({"exponent": 1.0}, "`exponent` must be left out with rule='learned'"),
        ({"rule": "simsiam"}, "`rule` must be one of 'learned', 'direct'"),
        ({"weight_decay": 1e200}, "`weight_decay` must lie between"),
        ({"weight_decay": [0.1, 0.2], "augmentation": [0.1, 0.2, 0.3]}, "must broadcast"),
        ({"weight_decay": "0.1"}, "`weight_decay` must be a real number"),
    ],
)
def test_bad_input_is_told(change, message):
    with pytest.raises(ArgumentError, match=message.replace("(", r"\(")):
        ssl.fixed_points(**{**GIVEN, **change})


def test_bad_input_of_the_others():
    with pytest.raises(ArgumentError, match="`epsilon` must not be negative"):
        ssl.direct_pred(**GIVEN, epsilon=-1.0)
    with pytest.raises(ArgumentError, match="`ema_rate` must be positive"):
        ssl.moving_target(**GIVEN, ema_rate=0.0)
    with pytest.raises(DomainError, match="at most the critical one"):
        ssl.moving_target(weight_decay=1.0, augmentation=0.5, ema_rate=1.0)
    with pytest.raises(ArgumentError, match="strictly increasing"):
        ssl.phase_diagram(weight_decay=[0.2, 0.1], augmentation=[0.5])
    with pytest.raises(WidelimitError, match="must be a single number"):
        ssl.phase_diagram(weight_decay=[0.1, 0.2], augmentation=[0.5], signal=[1.0, 2.0])
