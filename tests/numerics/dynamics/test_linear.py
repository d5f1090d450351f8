"""Linearisation against small perturbations and turns that are known; the line attractor against lines and no lines."""

import numpy as np
import pytest
import torch

from widelimit.numerics import cells, dynamics
from widelimit.theory.errors import DomainError, WidelimitError


def test_inputs_leave_what_small_inputs_leave():
    """A pulse in a trained-size LSTM, GRU and RNN: the error is quadratic in its size."""
    torch.manual_seed(3)
    readout = np.random.default_rng(0).normal(size=5)
    for kind in (torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN):
        module = kind(2, 5)
        found = dynamics.fixed_points(module, starts=np.zeros((1, 5)))
        state = found.states[0]
        linear = dynamics.linearize(module, state)
        assert linear.residual < 1e-14
        product = linear.right @ np.diag(linear.eigenvalues) @ linear.left
        assert np.allclose(product, linear.jacobian, atol=1e-12) and linear.condition < 1e6
        still = cells.read(module)
        errors = []
        for size in (1e-2, 1e-3):
            kicked = still.at([size, -2 * size]).step(state)
            after = still.step(kicked, 4)
            effect = readout @ (after - state)[:5]
            errors.append(abs(effect - size * linear.input_effect(4, readout) @ [1.0, -2.0]))
        assert errors[1] < 0.015 * errors[0] + 1e-15


def test_turns_have_their_period():
    angle, radius = 2 * np.pi / 9, 0.8
    turn = radius * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = dynamics.linearize({"weight_hh": turn}, [0.0, 0.0])
    assert np.allclose(found.periods, 9) and np.allclose(found.time_constants, 1 / np.log(1 / 0.8))
    flips = dynamics.linearize({"weight_hh": np.diag([-0.5, 0.5, 0.0])}, np.zeros(3))
    assert sorted(flips.periods)[0] == 2 and np.isinf(flips.periods).sum() == 2


def test_shears_have_powers_without_eigenvectors():
    shear = dynamics.linearize(
        {"weight_hh": [[0.5, 1.0], [0.0, 0.5]], "weight_ih": [[0.0], [1.0]]}, [0.0, 0.0]
    )
    assert shear.condition > 1e12
    assert shear.input_effect(3, [1.0, 0.0])[0] == pytest.approx(3 * 0.25)


def along(units=16, slope=1.0, seed=0, others=0.3):
    """A network that sums along u with this slope and forgets everything else."""
    generator = np.random.default_rng(seed)
    u = generator.choice([-1.0, 1.0], units) / np.sqrt(units)
    rest = np.eye(units) - np.outer(u, u)
    weights = slope * np.outer(u, u) + others * rest @ generator.normal(size=(units, units)) @ rest / np.sqrt(
        units
    )
    inward = 0.2 * u[:, None] + 0.3 * generator.normal(size=(units, 1)) / np.sqrt(units)
    starts = np.linspace(-0.15, 0.15, 31)[:, None] * u * np.sqrt(units) + 0.02 * generator.normal(
        size=(31, units)
    )
    return {"weight_hh": weights, "weight_ih": inward}, starts, u


def test_an_integrator_is_a_line():
    cell, starts, u = along(slope=1.001)
    found = dynamics.fixed_points(cell, starts=starts, slow_speed=0.02)
    assert len(found) + len(found.slow) > 10
    line = dynamics.line_attractor(found, task_steps=25)
    assert line.is_line and line.fails == ()
    assert line.length == pytest.approx(0.3 * 4, rel=0.3) and line.gap > 5 and line.alignment > 0.99
    assert line.top > 25 and line.top_range[0] == line.top and line.drift * 25 < line.kick
    direction = line.states[-1] - line.states[0]
    assert abs(direction @ u) / np.linalg.norm(direction) > 0.99
    assert line.spread == pytest.approx(5, rel=0.1)  # twenty-five inputs without loss


def test_no_lines():
    cell, starts, _ = along(slope=1.3)
    pitchfork = dynamics.fixed_points(cell, starts=starts, slow_speed=0.02)
    assert len(pitchfork) == 3
    found = dynamics.line_attractor(pitchfork, task_steps=25)
    assert not found.is_line and any("drift" in word for word in found.fails)
    units = 16
    plane = np.linalg.qr(np.random.default_rng(1).normal(size=(units, 2)))[0]
    starts = np.random.default_rng(2).uniform(-0.6, 0.6, (60, 2)) @ plane.T
    flat = dynamics.fixed_points(
        {"weight_hh": plane @ plane.T, "weight_ih": plane[:, :1]}, starts=starts, slow_speed=0.02
    )
    assert any("gap" in word for word in dynamics.line_attractor(flat, task_steps=25).fails)


def test_lines_that_cannot_be_judged():
    one = dynamics.fixed_points({"weight_hh": [[0.5]]}, starts=[[0.1]])
    with pytest.raises(DomainError, match="three fixed or slow points"):
        dynamics.line_attractor(one, task_steps=5)
    three = dynamics.fixed_points({"weight_hh": [[2.0]]}, starts=[[0.1], [0.5], [-0.5]])
    with pytest.raises(DomainError, match="no inputs"):
        dynamics.line_attractor(three, task_steps=5)
    assert not dynamics.line_attractor(three, task_steps=5, kick=0.1).is_line
    for wrong in ({"task_steps": 0}, {"task_steps": 5, "gap": -1}, {"task_steps": 5, "kick": 0}):
        with pytest.raises(WidelimitError, match="must"):
            dynamics.line_attractor(three, **wrong)
    with pytest.raises(WidelimitError, match="fixed_points"):
        dynamics.line_attractor("x", task_steps=5)
