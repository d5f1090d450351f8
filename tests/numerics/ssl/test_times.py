"""Times by quadrature, trajectories and basins by scipy's integrators, and the values of the note."""

import math
import time

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from widelimit.numerics import ssl
from widelimit.theory.errors import ArgumentError, ConvergenceError

GIVEN = {"weight_decay": 0.04, "augmentation": 0.5}


def flow(eta, spread, x=1.0, tau=1.0, rate=1.0, ema=None):
    c = x + spread

    def velocity(t, y):
        p, s, target = y
        grown = p * (target * x - c * p) - eta
        moving = 0.0 if ema is None else ema * (1 - target) - target * grown
        return [rate * s * (target * x - c * p) - eta * p, 2 * s * grown, moving]

    return velocity


def by_quadrature(start, stop, eta, spread, x=1.0, tau=1.0):
    with mpmath.workdps(30):
        points = [mpmath.mpf(start) + (mpmath.mpf(stop) - start) * k / 16 for k in range(17)]
        return float(mpmath.quad(lambda p: 1 / (p * (p * (tau * x - (x + spread) * p) - eta)), points))


@pytest.mark.parametrize(
    ("start", "stop", "eta", "spread", "x", "tau"),
    [
        (0.05, 0.5, 0.04, 0.5, 1.0, 1.0),
        (0.9, 0.63, 0.04, 0.5, 1.0, 1.0),
        (0.04, 0.001, 0.04, 0.5, 1.0, 1.0),
        (0.02, 0.3, 1e-9, 0.5, 1.0, 1.0),
        (0.02, 0.3, 0.0, 0.5, 1.0, 1.0),
        (0.9, 0.34, (1 - 1e-12) / 6, 0.5, 1.0, 1.0),
        (0.9, 0.35, 1 / 6, 0.5, 1.0, 1.0),
        (0.8, 0.1, (1 + 1e-3) / 6, 0.5, 1.0, 1.0),
        (0.5, 0.1, 0.7, 0.3, 1.4, 0.8),
        (0.3, 0.6, 0.1, 0.2, 1.3, 0.9),
    ],
)
def test_passage_times_by_quadrature(start, stop, eta, spread, x, tau):
    found = ssl.passage_time(start, stop, weight_decay=eta, augmentation=spread, signal=x, target_scale=tau)
    assert found == pytest.approx(by_quadrature(start, stop, eta, spread, x, tau), rel=3e-11)
    given = {"weight_decay": eta, "augmentation": spread, "signal": x, "target_scale": tau}
    twice = ssl.passage_time(start, stop, **given, rule="directcopy")
    assert twice == pytest.approx(found / 2, rel=1e-14)


def test_values_of_the_note():
    assert ssl.passage_time(0.05, 0.5, **GIVEN) == pytest.approx(56.4420884942, abs=2e-10)
    assert ssl.passage_time(0.9, 0.63, **GIVEN) == pytest.approx(5.7816096934, abs=1e-10)
    border = ssl.basin(predictor=[0.0, 0.01, 0.1], **GIVEN)
    np.testing.assert_allclose(border, [0.0043251250022, 0.0035806355099, 0.000473404915717], rtol=3e-11)
    np.testing.assert_allclose(
        ssl.critical_predictor(ema_rate=[0.05, 0.4, 2.0], target_scale=0.0, **GIVEN),
        [0.0752181138, 0.0471569911, 0.0436464661], atol=1e-10,
    )  # fmt: skip


def test_what_is_never_reached_takes_for_ever():
    p = ssl.fixed_points(**GIVEN)
    never = [(0.03, 0.05), (0.1, 0.05), (0.1, 0.7), (0.9, 0.6), (0.9, 1.0)]
    never += [(0.1, p.predictor), (0.9, p.predictor), (p.predictor, 0.5)]
    assert ssl.passage_time(*np.transpose(never), **GIVEN).tolist() == [math.inf] * len(never)
    assert ssl.passage_time(0.3, 0.3, **GIVEN) == 0.0
    assert ssl.passage_time(0.1, 0.2, weight_decay=0.5, augmentation=0.5) == math.inf
    with pytest.raises(ArgumentError, match="`start` must not be the unstable fixed point"):
        ssl.passage_time([0.5, p.predictor_unstable], 0.55, **GIVEN)
    for wrong in (0.0, -0.1):
        with pytest.raises(ArgumentError, match="`start` must be positive"):
            ssl.passage_time(wrong, 0.5, **GIVEN)


def test_the_bottleneck_is_what_the_time_of_collapse_tends_to():
    for excess, off in ((1e-3, 6e-3), (1e-5, 6e-4)):
        given = {"weight_decay": (1 + excess) / 6 * 0.81, "augmentation": 0.5, "target_scale": 0.9}
        waited = ssl.passage_time(20.0, 1e-2, **given)
        tail = by_quadrature(0.02, 0.01, 0.81 / 6, 0.5, 1.0, 0.9)
        assert ssl.bottleneck_time(**given) == pytest.approx(waited - tail, rel=20 * off)
        formula = math.pi / (0.3 * math.sqrt(1.5 * excess * 0.135))
        assert ssl.bottleneck_time(**given) == pytest.approx(formula, rel=1e-9)
    assert ssl.bottleneck_time(**GIVEN) == math.inf


@pytest.mark.parametrize(
    ("start", "more"),
    [
        ((0.05, 0.01, 1.0), {}),
        ((0.3, 2.0, 0.7), {"predictor_rate": 3.0, "signal": 1.2}),
        ((-0.2, 0.3, 1.0), {"ema_rate": 0.3}),
        ((0.5, 0.2, 0.0), {"ema_rate": 0.4, "predictor_rate": 0.5}),
        ((0.1, 0.0, 1.0), {}),
    ],
)
def test_trajectories_by_scipy(start, more):
    times = np.array([30.0, 0.0, 2.0, 100.0])
    found = ssl.trajectory(
        times, predictor=start[0], covariance=start[1], target_scale=start[2], **GIVEN, **more
    )
    velocity = flow(
        0.04, 0.5, more.get("signal", 1.0), rate=more.get("predictor_rate", 1.0), ema=more.get("ema_rate")
    )
    other = solve_ivp(
        velocity, (0, 100), start, method="DOP853", t_eval=np.sort(times), rtol=1e-12, atol=1e-16
    ).y
    back = np.argsort(np.argsort(times))
    for values, expected in zip((found.predictor, found.covariance, found.target_scale), other, strict=True):
        np.testing.assert_allclose(values, expected[back], rtol=2e-9, atol=1e-13)
    invariant = other[1] - other[0] ** 2 / more.get("predictor_rate", 1.0)
    np.testing.assert_allclose(found.invariant, invariant[back], rtol=1e-6, atol=1e-12)
    assert (found.time == times).all()


def test_misalignment_is_the_integral_of_its_rate():
    times = np.linspace(0, 10, 2001)
    found = ssl.trajectory(times, predictor=0.3, covariance=0.2, predictor_rate=2.0, **GIVEN)
    rate = 1.5 * (found.covariance + found.predictor**2) - found.predictor + 0.06
    integral = np.trapezoid(rate, times)
    assert found.misalignment[-1] == pytest.approx(math.exp(-integral), rel=1e-5)


def test_rules_move_as_their_power_does():
    found = ssl.trajectory(
        [0.0, 5.0, 80.0], covariance=[0.2, 0.01], rule="direct", exponent=0.8, ema_rate=0.5, **GIVEN
    )
    assert found.predictor.shape == (2, 3)
    for k, s in enumerate((0.2, 0.01)):

        def velocity(t, y):
            u = y[0] ** 0.8
            grown = u * (y[1] - 1.5 * u) - 0.04
            return [2 * y[0] * grown, 0.5 * (1 - y[1]) - y[1] * grown]

        other = solve_ivp(
            velocity, (0, 80), (s, 1.0), method="DOP853", t_eval=[0, 5, 80], rtol=1e-12, atol=1e-18
        ).y
        np.testing.assert_allclose(found.covariance[k], other[0], rtol=1e-9)
        np.testing.assert_allclose(found.target_scale[k], other[1], rtol=1e-9)
        np.testing.assert_allclose(found.predictor[k], other[0] ** 0.8, rtol=1e-9)
    assert not found.invariant.any() and not found.misalignment.any()


def survives(p0, s0, eta, spread, x=1.0, tau=1.0, rate=1.0):
    velocity = flow(eta, spread, x, tau, rate)
    end = solve_ivp(velocity, (0, 60 / eta), (p0, s0, tau), method="LSODA", rtol=1e-11, atol=1e-15)
    return bool(end.y[1, -1] * rate > 0.01 * (tau * x / (x + spread)) ** 2)


@pytest.mark.parametrize(
    ("p0", "more"),
    [
        (0.0, {}),
        (0.2, {}),
        (-0.4, {}),
        (0.9, {}),
        (0.02, {"predictor_rate": 2.5, "signal": 1.3, "target_scale": 0.8}),
    ],
)
def test_the_basin_parts_what_survives_from_what_collapses(p0, more):
    given = {"weight_decay": 0.06, "augmentation": 0.4, **more}
    border = ssl.basin(predictor=p0, **given)
    names = {"x": "signal", "tau": "target_scale", "rate": "predictor_rate"}
    other = {short: given.get(name, 1.0) for short, name in names.items()}
    assert survives(p0, border * 1.001, 0.06, 0.4, **other) and not survives(
        p0, border * 0.999, 0.06, 0.4, **other
    )


def test_the_basin_falls_up_to_the_stable_fixed_point_and_rises_beyond():
    p = ssl.fixed_points(**GIVEN)
    at = np.linspace(-1.0, 2.0, 301)
    border = ssl.basin(predictor=at, **GIVEN)
    assert (np.diff(border[at < p.predictor]) < 0).all() and (np.diff(border[at > p.predictor]) > 0).all()
    assert ssl.basin(predictor=p.predictor_unstable, **GIVEN) == pytest.approx(
        p.covariance_unstable, rel=1e-13
    )
    h = 1e-5
    below, above = ssl.basin(predictor=[p.predictor_unstable - h, p.predictor_unstable + h], **GIVEN)
    slope = (above - below) / (2 * h)
    assert slope == pytest.approx(p.separatrix_slope, rel=1e-5)
    np.testing.assert_allclose(ssl.basin(predictor=at, predictor_rate=0.5, **GIVEN), 2 * border, rtol=1e-12)


def test_basins_at_the_ends_of_weight_decay():
    assert ssl.basin(predictor=0.1, weight_decay=0.2, augmentation=0.5) == math.inf
    free = ssl.basin(predictor=[0.3, -0.3], weight_decay=0.0, augmentation=0.5, predictor_rate=2.0)
    assert free.tolist() == [0.0, 0.045]
    assert 0 < ssl.basin(predictor=0.0, weight_decay=1 / 6, augmentation=0.5) < 1
    assert ssl.basin(predictor=0.6, weight_decay=1e-3, augmentation=0.5) < 1e-90


def test_a_moving_target_moves_the_critical_predictor_only_if_it_starts_elsewhere():
    p = ssl.fixed_points(**GIVEN)
    at_one = ssl.critical_predictor(ema_rate=[0.01, 1.0, 50.0], **GIVEN)
    np.testing.assert_allclose(at_one, p.predictor_unstable, rtol=1e-14)
    for scale, ema, rate in ((0.0, 0.4, 1.0), (0.5, 0.1, 2.0), (1.5, 0.3, 1.0)):
        border = ssl.critical_predictor(ema_rate=ema, target_scale=scale, **GIVEN)
        assert survives_from(border * 1.0005, scale, ema, rate)
        assert not survives_from(border * 0.9995, scale, ema, rate)
    near = ssl.critical_predictor(ema_rate=0.4, target_scale=1 - 1e-5, **GIVEN)
    slope = ssl.moving_target(ema_rate=0.4, **GIVEN).critical_slope
    assert (near - p.predictor_unstable) / -1e-5 == pytest.approx(slope, rel=1e-4)


def survives_from(start, scale, ema, rate=1.0):
    velocity = flow(0.04, 0.5, ema=ema, rate=rate)
    begin = (start, start**2 / rate, scale)
    end = solve_ivp(velocity, (0, 1500), begin, method="LSODA", rtol=1e-11, atol=1e-16)
    return bool(end.y[1, -1] * rate > 1e-2)


def test_a_target_that_starts_at_zero_can_be_too_slow_for_any_start():
    slow = ssl.critical_predictor(ema_rate=[0.005, 0.02], target_scale=0.0, **GIVEN)
    assert slow[0] == math.inf and math.isfinite(slow[1])
    assert not survives_from(1e3, 0.0, 0.005) and survives_from(1e3, 0.0, 0.02)


def test_direct_rules_have_their_own_border_with_a_moving_target():
    border = ssl.critical_predictor(ema_rate=0.4, target_scale=0.0, rule="directcopy", **GIVEN)
    for factor, alive in ((1.0005, True), (0.9995, False)):

        def velocity(t, y):
            grown = y[0] * (y[1] - 1.5 * y[0]) - 0.04
            return [2 * y[0] * grown, 0.4 * (1 - y[1]) - y[1] * grown]

        end = solve_ivp(
            velocity, (0, 1500), (border * factor, 0.0), method="LSODA", rtol=1e-11, atol=1e-16
        ).y[0, -1]
        assert (end > 0.1) is np.bool_(alive)


@pytest.mark.slow
def test_a_basin_is_200_times_faster_than_bisection_of_solve_ivp():
    points = np.linspace(0.0, 0.5, 200)
    ssl.basin(predictor=points, **GIVEN)
    start = time.process_time()
    ours = ssl.basin(predictor=points, **GIVEN)
    mine = (time.process_time() - start) / 200
    start = time.process_time()
    low, high = 1e-4, 1e-2
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        end = solve_ivp(flow(0.04, 0.5), (0, 800), (0.0, middle, 1.0), rtol=1e-9, atol=1e-12).y[1, -1]
        low, high = (low, middle) if end > 0.01 else (middle, high)
    theirs = time.process_time() - start
    assert ours[0] == pytest.approx(low, rel=1e-6)
    assert theirs / mine > 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t": [-1.0]}, "`t` must not be negative"),
        ({"covariance": -0.1}, "`covariance` must not be negative"),
        ({"predictor": None}, "`predictor` must be given"),
        ({"rule": "directpred"}, "`predictor` must be left out with rule='directpred'"),
        ({"ema_rate": -1.0}, "`ema_rate` must be positive"),
        ({"ema_rate": 0.0}, "`ema_rate` must be positive"),
        ({"predictor": float("inf")}, "`predictor` must be finite"),
        ({"t": 1e20}, "`t` must be at most"),
    ],
)
def test_bad_input_of_trajectories(change, message):
    given = {"t": [0.0, 1.0], "predictor": 0.1, "covariance": 0.1, **GIVEN}
    with pytest.raises(ArgumentError, match=message):
        ssl.trajectory(**{**given, **change})


def test_a_start_at_the_unstable_fixed_point_is_refused():
    p = ssl.fixed_points(**GIVEN)
    given = {"predictor": p.predictor_unstable, "covariance": p.covariance_unstable}
    for more in ({}, {"ema_rate": 0.3}):
        with pytest.raises(ArgumentError, match="`predictor` must not be that of the unstable fixed point"):
            ssl.trajectory([0.0, 2000.0], **given, **more, **GIVEN)
    with pytest.raises(ArgumentError, match="`covariance` must not be that of the unstable fixed point"):
        ssl.trajectory(1.0, covariance=p.predictor_unstable, rule="directcopy", **GIVEN)
    beside = ssl.trajectory(2000.0, **{**given, "covariance": p.covariance_unstable * (1 + 1e-9)}, **GIVEN)
    assert beside.predictor == pytest.approx(p.predictor)
    assert np.isfinite(ssl.trajectory(9.0, **given, ema_rate=0.3, target_scale=0.5, **GIVEN).predictor)


def test_what_is_too_stiff_is_told():
    with pytest.raises(ConvergenceError, match="100000 steps"):
        ssl.trajectory(1e6, predictor=0.5, covariance=0.1, ema_rate=1e6, **GIVEN)
    with pytest.raises(ArgumentError, match="`predictor` must lie between"):
        ssl.basin(predictor=1e100, **GIVEN)
    with pytest.raises(ArgumentError, match="`signal` must be positive"):
        ssl.basin(predictor=0.1, signal=0.0, **GIVEN)
