"""Closed forms and cycles of a GRU in the plane against the note's values, mpmath and SciPy's integrator."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from widelimit.numerics import gru
from widelimit.theory.errors import ArgumentError, DomainError, WidelimitError

WORKED = {
    1.2: (0.065615494357, 0.585685543457),
    1.5: (0.147822070679, 0.841068670568),
    2.0: (0.252459163565, 1.047197551197),
    3.0: (0.385126154341, 1.230959417341),
}


@pytest.mark.parametrize("gain", WORKED)
def test_worked_borders(gain):
    found = gru.boundaries(gain)
    assert found.snic == pytest.approx(WORKED[gain][0], abs=6e-13)
    assert found.hopf == pytest.approx(WORKED[gain][1], abs=6e-13)


@pytest.mark.parametrize("gain", ["1.001", "1.7", "14", "1000"])
def test_snic_is_a_fixed_point_with_a_singular_jacobian(gain):
    """Three equations in three unknowns, solved by mpmath from a start nearby; and the passage by differences."""
    g = float(gain)
    found = gru.boundaries(g, update_gate=0.25)
    with mpmath.workdps(40):
        m = mpmath.mpf(gain)

        def equations(y1, y2, angle):
            c, s = m * mpmath.cos(angle), m * mpmath.sin(angle)
            h1, h2 = mpmath.tanh(y1), mpmath.tanh(y2)
            d1, d2 = 1 - h1**2, 1 - h2**2
            return [c * h1 - s * h2 - y1, s * h1 + c * h2 - y2, (1 - c * d1) * (1 - c * d2) + s * s * d1 * d2]

        from widelimit.numerics.gru.borders import _snic

        angle, h1, h2 = _snic(g)
        c, s = g * math.cos(angle), g * math.sin(angle)
        y1, y2, angle = mpmath.findroot(
            equations, (c * h1 - s * h2, s * h1 + c * h2, angle), tol=1e-50, verify=False
        )
        assert found.snic == pytest.approx(float(angle), rel=1e-11)
        h = mpmath.tanh(y1), mpmath.tanh(y2)
        c, s = m * mpmath.cos(angle), m * mpmath.sin(angle)
        d = [1 - x**2 for x in h]
        w, q = mpmath.matrix([[c * d[1] - 1, s * d[0]]]), mpmath.matrix([1 - c * d[1], s * d[1]])
        overlap = (w * q)[0]

        def pushed(t, x):
            a, b = h[0] + x * q[0], h[1] + x * q[1]
            v = (
                mpmath.tanh(m * (mpmath.cos(t) * a - mpmath.sin(t) * b)) - a,
                mpmath.tanh(m * (mpmath.sin(t) * a + mpmath.cos(t) * b)) - b,
            )
            return (w[0] * v[0] + w[1] * v[1]) / overlap

        push = mpmath.diff(lambda t: pushed(t, 0), angle) * mpmath.diff(lambda x: pushed(angle, x), 0, 2) / 2
        assert found.snic_period == pytest.approx(
            float(4 * mpmath.pi / mpmath.sqrt(abs(push)) / 0.75), rel=1e-9
        )


def test_borders_broadcast_and_are_nan_where_absent():
    found = gru.boundaries([0.7, 1.0, 1.5, 3.5])
    assert (
        np.isnan(found.snic[:2]).all() and np.isnan(found.hopf[:2]).all() and np.isnan(found.torus[:2]).all()
    )
    assert np.isnan(found.torus[3]) and found.bogdanov_takens[3] > 0
    assert gru.boundaries(1.5).torus == pytest.approx(1.318116071653, abs=6e-13)
    far = gru.boundaries(1.5, update_gate=0.9, step=0.01)  # small steps: the map is the differential equation
    assert far.torus == pytest.approx(far.hopf, abs=2e-3) and far.torus > far.hopf


def test_worked_double_zero():
    found = gru.bogdanov_takens(2.0, math.pi / 6)
    assert sorted(found.slopes[0]) == pytest.approx([0.2886751, 0.8660254], abs=1e-7)
    want = [
        ((0.3660254, -0.8434008), (-1.0935495, -0.1380512)),
        ((0.3660254, 0.8434008), (0.5932520, -0.5939996)),
    ]
    for state, bias in want:
        k = int(np.abs(found.states - state).max(1).argmin())
        assert found.states[k] == pytest.approx(np.array(state), abs=1e-7)
        assert found.biases[k] == pytest.approx(np.array(bias), abs=1e-7)
    turned = np.array([[0, -1], [1, 0]])
    for state in found.states:  # quarter turns map the eight points onto themselves
        assert np.abs(found.states - turned @ state).max(1).min() < 1e-12


@pytest.mark.parametrize("gain,angle", [(1.2, 0.2), (5.0, 1.4)])
def test_no_double_zero_below_the_gain(gain, angle):
    assert gain < math.tan(math.pi / 4 + angle / 2)
    with pytest.raises(DomainError, match="no Bogdanov-Takens point"):
        gru.bogdanov_takens(gain, angle)


def _reference(gain, angle, near, z):
    """The cycle by SciPy: a long transient, then two crossings of the first axis."""
    c, s = gain * math.cos(angle), gain * math.sin(angle)

    def velocity(t, h):
        return (1 - z) * (np.tanh([c * h[0] - s * h[1], s * h[0] + c * h[1]]) - h)

    def crossing(t, h):
        return h[1]

    crossing.direction = 1.0
    found = solve_ivp(velocity, (0, 400), [near, 0.0], "DOP853", rtol=1e-12, atol=1e-13, events=crossing)
    times = found.t_events[0]
    return times[-1] - times[-2]


@pytest.mark.parametrize("gain,angle,z", [(1.5, math.radians(40), 0.5), (3.0, 0.9, 0.2), (1.3, 0.3, 0.7)])
def test_period_against_scipy(gain, angle, z):
    found = gru.oscillation(gain, angle, update_gate=z)
    assert found.phase == "cycle"
    assert found.period == pytest.approx(_reference(gain, angle, found.radius, z), rel=1e-9)


def test_worked_cycles():
    near = gru.oscillation(1.5, math.radians(40), update_gate=0.5)
    assert near.period / 2 == pytest.approx(7.517867433654, abs=4e-12)
    assert math.exp(near.floquet_exponent * near.period) == pytest.approx(0.15619736, abs=1e-8)
    assert near.radius == pytest.approx(0.52819, abs=5e-6)
    weak = gru.oscillation(1.5, math.pi / 4)
    assert 4 * math.pi / weak.period == pytest.approx(0.999417, abs=5e-7)
    assert 2 * weak.floquet_exponent == pytest.approx(-0.11209, abs=5e-6)
    assert weak.radius == pytest.approx(0.33178, abs=5e-6)


def test_second_order_beats_first():
    """At delta = .057: omega to 4e-5, the exponent to 1e-3, as the note measured."""
    found = gru.oscillation(1.5, math.pi / 4)
    assert found.weak.period == pytest.approx(found.period, rel=6e-5)
    assert found.weak.floquet_exponent == pytest.approx(found.floquet_exponent, rel=2e-3)
    margin = 1.5 * math.cos(math.pi / 4) - 1
    assert (
        abs(-margin / found.floquet_exponent - 1) > 0.05
    )  # first order, as it is usually written: -2 margin (1 - z)


def test_phases():
    found = gru.oscillation([0.9, 1.5, 1.5, 1.5], [0.5, 0.9, 0.5, 0.1])
    assert found.phase.tolist() == ["rest", "rest", "cycle", "corners"]
    assert np.isnan(found.period).tolist() == [True, True, False, True]


def test_sign_limit():
    periods = gru.oscillation([50.0, 100.0], math.pi / 3)
    assert periods.period / 2 == pytest.approx(np.array([5.0694, 5.1657]), abs=5e-5)
    assert 2 * periods.floquet_exponent == pytest.approx(np.array([-0.98, -0.99]), abs=1e-5)
    assert periods.strong.period[0] / 2 == pytest.approx(5.2678315876, abs=1e-9)
    assert periods.crossing[0] == pytest.approx(1.0)


@pytest.mark.parametrize("angle,off", [(75.4, 0.002), (75.0, 0.005), (74.0, 0.015)])
def test_circle_of_the_map(angle, off):
    t = math.radians(angle)
    found = gru.circle(1.5, t)
    turn, h, radii = (
        1.5 * np.array([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]]),
        np.array([0.1, 0.0]),
        [],
    )
    for k in range(60_000):
        h = 0.5 * h + 0.5 * np.tanh(turn @ h)
        if k >= 50_000:
            radii.append(h @ h)
    assert found.radius == pytest.approx(math.sqrt(np.mean(radii)), rel=off)
    assert found.rotation == pytest.approx(np.angle(0.5 + 0.75 * np.exp(1j * t)), rel=1e-14)


def _walked(gain, angle):
    """Radius and rotation of the map itself, h' = (h + tanh(g R h))/2 of complex h, over many turns of eight starts."""
    h = 0.1 * np.exp(0.7j * np.arange(8))
    squares, turns = 0.0, 0.0
    for k in range(24_000):
        u = gain * np.exp(1j * angle) * h
        after = 0.5 * h + 0.5 * (np.tanh(u.real) + 1j * np.tanh(u.imag))
        if k >= 4_000:
            squares, turns = squares + np.abs(h) ** 2, turns + np.angle(after / h)
        h = after
    return math.sqrt(np.mean(squares) / 20_000), np.mean(turns) / 20_000


def test_circle_to_second_order():
    """What is left falls as the square of the distance from the border (the rotation has no order 0: as the cube).

    Of the radius to first order and of arg lambda it falls as the distance.
    """
    border = 2 * math.atan(math.sqrt((0.5 * 2.25) / (2.5 * 0.75)))  # gain 1.5, share 1/2: |lambda| = 1
    assert abs(0.5 + 0.75 * np.exp(1j * border)) == pytest.approx(1, abs=1e-15)
    left = []
    for gap in (0.02, 0.04):
        found, (radius, turn) = gru.circle(1.5, border - gap), _walked(1.5, border - gap)
        right = np.array([radius, turn])
        left.append(
            np.array([[found.weak_radius, found.weak_rotation], [found.radius, found.rotation]]) / right - 1
        )
    ratio = left[1] / left[0]
    assert ratio[0] == pytest.approx([4, 8], rel=0.1) and ratio[1] == pytest.approx([2, 2], rel=0.1)
    assert np.abs(left[0][0]).max() < 4e-4


def test_no_circle_has_no_second_order():
    found = gru.circle([1.5, 1.5], [1.3, 1.4])
    assert found.phase.tolist() == ["circle", "rest"]
    assert np.isnan(found.weak_radius).tolist() == np.isnan(found.weak_rotation).tolist() == [False, True]


def test_vanilla():
    found = gru.vanilla(1.25)
    assert found.four_cycle == pytest.approx(1.00467, abs=5e-6)
    assert found.describing == pytest.approx(0.833, abs=5e-4)
    h = np.array([0.5, 0.5])
    for _ in range(400):
        h = np.tanh(1.25 * np.array([-h[1], h[0]]))
    assert np.linalg.norm(h) == pytest.approx(found.four_cycle, abs=1e-12)
    assert gru.vanilla(0.8) == gru.Vanilla(0.0, 0.0, 0.0)


BAD = [0.0, -1.0, 1e300, 10**400, math.nan, math.inf, True, "1", [], None]


@pytest.mark.parametrize("value", BAD, ids=repr)
def test_bad_input(value):
    for call in (
        lambda v: gru.boundaries(v),
        lambda v: gru.boundaries(1.5, update_gate=v),
        lambda v: gru.boundaries(1.5, step=v),
        lambda v: gru.oscillation(1.5, v),
        lambda v: gru.oscillation(v, 0.5),
        lambda v: gru.bogdanov_takens(v, 0.2),
        lambda v: gru.bogdanov_takens(2.0, v),
        lambda v: gru.circle(v, 0.5),
        lambda v: gru.vanilla(v),
    ):
        try:
            call(value)
        except WidelimitError as error:
            assert str(error).startswith("Argument `")
        else:
            assert value == []  # no numbers, no results


@pytest.mark.parametrize(
    "call,words",
    [
        (lambda: gru.boundaries(-1.0), "Argument `gain` must be positive"),
        (lambda: gru.oscillation(1.5, 1.6), "Argument `angle` must lie between 0 and pi/2"),
        (lambda: gru.boundaries(1.5, step=1.5), "Argument `step` must be above 0 and at most 1"),
        (lambda: gru.boundaries(1.5, update_gate=1.0), "Argument `update_gate` must lie between 0 and 1"),
        (lambda: gru.boundaries(1 + 1e-7), "Argument `gain` must not lie between"),
        (lambda: gru.boundaries([1.5, 2.0], update_gate=[0.1, 0.2, 0.3]), "must broadcast"),
    ],
)
def test_messages(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()
