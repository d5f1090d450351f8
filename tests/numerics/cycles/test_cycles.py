"""Cycles against worked values, SciPy's integrator, simulations of noise, and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from widelimit.numerics import cycles
from widelimit.theory.errors import ArgumentError, DomainError


def turned(gain, angle, gate=0.5):
    """A GRU in the papers' form that is a rotation with a gain."""
    c, s = 2 * gain * math.cos(angle), 2 * gain * math.sin(angle)
    logit = math.log(gate / (1 - gate))
    return {"U_r": np.zeros((2, 2)), "U_z": np.zeros((2, 2)), "U_h": [[c, -s], [s, c]], "b_z": [logit, logit]}


@pytest.fixture(scope="module")
def worked():
    return cycles.find(turned(1.5, math.radians(40)), start=[0.5, 0.0], time="continuous")


def test_worked_cycle(worked):
    assert worked.kind == "cycle" and worked.neutral_directions == 1
    assert worked.period / 2 == pytest.approx(7.517867433654, abs=4e-12)
    assert worked.multipliers == pytest.approx(np.array([1.0, 0.15619736]), abs=1e-8)
    assert worked.exponents[1] == pytest.approx(math.log(0.15619736) / worked.period, rel=1e-7)


def test_response_is_a_covector_of_the_flow(worked):
    """Z.f is the frequency at every phase, and Z at a phase between samples predicts the shift of a kick."""
    assert (worked.responses * worked.velocities).sum(1) == pytest.approx(
        np.full(len(worked.responses), worked.frequency), rel=1e-9
    )
    cell = turned(1.5, math.radians(40))
    turn = np.array(cell["U_h"])

    def velocity(t, h):
        return 0.5 * (np.tanh(turn @ h / 2) - h)

    phase = 1.234
    times = [0, phase / worked.frequency]
    base = solve_ivp(velocity, times, worked.orbit[0], "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    ends = []
    for kick in ([0.0, 0.0], [1e-5, 0.0], [0.0, 1e-5]):
        h = solve_ivp(velocity, [0, 12 * worked.period], base + kick, "DOP853", rtol=1e-12, atol=1e-13).y[
            :, -1
        ]
        ends.append(h)
    speed = velocity(0, ends[0])
    shifts = [(end - ends[0]) @ speed / (speed @ speed) * worked.frequency / 1e-5 for end in ends[1:]]
    assert worked.phase_response(phase) == pytest.approx(np.array(shifts), rel=2e-4, abs=1e-4)


def test_kept_singular_value(worked):
    """dh(t)/dh(0) after twenty periods has one singular value |f||w_0|: the note's eight digits."""
    from widelimit.numerics.cells import read
    from widelimit.numerics.orbits import integration as flow

    cell = read(turned(1.5, math.radians(40)))
    states, transfers = np.empty((101, 2)), np.empty((100, 2, 2))
    flow.segments(
        cell.code, cell.weights, cell.offsets, worked.orbit[0].copy(), 20 * worked.period, states, transfers
    )
    singular = np.linalg.svd(flow.product(transfers), compute_uv=False)
    kept = np.linalg.norm(worked.velocities[0]) * np.linalg.norm(worked.neutral)
    assert singular[0] == pytest.approx(kept, rel=1e-8) and singular[1] < 1e-12
    assert kept <= worked.gradient_bound


def test_entrainment_and_diffusion(worked):
    driven = cycles.entrainment(worked, [1.0, 0.0])
    assert 2 * driven.coupling / 2 == pytest.approx(
        1.266524, abs=1e-6
    )  # dt of the worked value is half of ours ...
    assert driven.multiplier(0.01) == pytest.approx(
        0.82660, abs=5e-6
    )  # ... so that half its forcing does the same
    assert driven.multiplier(0.01, 1.0) == 1.0 and driven.half_width(0.0) == 0.0
    assert driven.multiplier(0.01, driven.half_width(0.01) / 2) > driven.multiplier(0.01)
    assert cycles.diffusion(worked, 1.0) == pytest.approx(3.217742, abs=2e-6)


def test_quarter_turn_of_a_vanilla_network_locks():
    found = cycles.find({"weight_hh": [[0.0, -1.25], [1.25, 0.0]]}, start=[0.5, 0.4])
    assert found.kind == "locked" and found.period == 4
    assert np.linalg.norm(found.orbit[0]) == pytest.approx(1.00467, abs=5e-6)
    steep = 1.25 * (1 - found.orbit[0, 0] ** 2)
    assert found.multipliers == pytest.approx(np.full(2, steep**4), rel=1e-9)
    with pytest.raises(DomainError, match="no phase response"):
        found.phase_response(0.0)
    with pytest.raises(ArgumentError, match="must keep its phase"):
        cycles.entrainment(found, [1.0, 0.0])


def test_invariant_circle():
    """Rotation and radius against a long run; the response against a kick followed for long."""
    cell = turned(1.5, math.radians(74))
    found = cycles.find(cell, start=[0.2, 0.0])
    assert found.kind == "invariant circle" and abs(found.exponents[0]) < 2e-7 and found.exponents[1] < -1e-3
    assert (found.responses * found.velocities).sum(1) == pytest.approx(
        np.full(128, found.frequency), rel=1e-4
    )
    turn, h = np.array(cell["U_h"]) / 2, found.orbit[0].copy()
    angle, last, many = 0.0, math.atan2(h[1], h[0]), 40_000
    for _ in range(many):
        h = 0.5 * h + 0.5 * np.tanh(turn @ h)
        now = math.atan2(h[1], h[0])
        angle += (now - last) % (2 * math.pi)
        last = now
    assert found.frequency == pytest.approx(angle / many, abs=2e-4 / many * 1e4)


def test_torch_form_and_inputs_are_read():
    rng = np.random.default_rng(4)
    weights = np.zeros((6, 2))
    weights[4:] = [[3.0, -3.0], [3.0, 3.0]]
    cell = {"weight_hh_l0": weights, "weight_ih_l0": 0.01 * rng.standard_normal((6, 3))}
    found = cycles.find(cell, start=[0.3, 0.1], inputs=[1.0, 0.0, 0.0], time="continuous")
    assert found.neutral_directions == 1 and found.period > 0
    with pytest.raises(ArgumentError, match="inputs"):
        cycles.find(cell, start=[0.3, 0.1], inputs=[1.0])


@pytest.mark.parametrize(
    "call,words",
    [
        (lambda: cycles.find({"weight_hh": [[0.5]]}, start=[0.2]), "falls into the fixed point"),
        (
            lambda: cycles.find({"weight_hh": [[0.5]]}, start=[0.2], time="continuous"),
            "falls into the fixed point",
        ),
        (lambda: cycles.find({"weight_hh": [[0.5]]}, start=[0.2, 0.1]), "Argument `start`"),
        (lambda: cycles.find({"weight_hh": [[0.5]]}, start=[[0.2], [0.3]]), "must be one state"),
        (lambda: cycles.find({"weight_hh": [[0.5]]}, start=[math.nan]), "Argument `start`"),
        (lambda: cycles.find({"weight_hh": [[0.5]]}, start=[0.2], time="discrete"), "Argument `time`"),
        (lambda: cycles.entrainment(3.0, [1.0]), "Argument `cycle`"),
        (lambda: cycles.stuart_landau(-1.0, 1.0), "Argument `growth` must be positive"),
        (lambda: cycles.stuart_landau(1.0, 0.5, 0.5), "nothing turns"),
        (lambda: cycles.stuart_landau(1.0, 10**400), "Argument `frequency`"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


def test_arguments_of_driven_cycles(worked):
    with pytest.raises(ArgumentError, match="direction"):
        cycles.entrainment(worked, [1.0, 0.0, 0.0])
    with pytest.raises(ArgumentError, match="noise"):
        cycles.diffusion(worked, -1.0)
    with pytest.raises(ArgumentError, match="strength"):
        cycles.entrainment(worked, [1.0, 0.0]).half_width(True)


def test_normal_form_is_what_an_oscillation_near_onset_is():
    """Z of w' = (mu + i omega) w - (1 + i beta)|w|^2 w by two integrations that start an isochron apart."""
    mu, omega, beta = 0.7, 2.0, 0.6
    form = cycles.stuart_landau(mu, omega, beta)

    def velocity(t, y):
        w = complex(*y)
        v = (mu + 1j * omega) * w - (1 + 1j * beta) * abs(w) ** 2 * w
        return [v.real, v.imag]

    ends = []
    for start in ([form.radius, 0.0], [form.radius + 1e-6, 0.0], [form.radius, 1e-6]):
        y = solve_ivp(velocity, [0, 30], start, "DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
        ends.append(math.atan2(y[1], y[0]))
    assert (ends[1] - ends[0]) / 1e-6 == pytest.approx(form.response_radial, rel=1e-4)
    assert (ends[2] - ends[0]) / 1e-6 == pytest.approx(form.response_angular, rel=1e-4)
    assert form.multiplier == pytest.approx(math.exp(-2 * mu * 2 * math.pi / form.frequency), rel=1e-12)
