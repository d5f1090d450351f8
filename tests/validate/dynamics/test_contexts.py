"""Networks that add up by context, on cells and Jacobians whose answers are known."""

import math

import numpy as np
import pytest
import torch

from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate.dynamics import contexts
from widelimit.validate.simulate.dynamics.contexts import Context
from widelimit.validate.simulate.dynamics.training import Networks


def test_steps_of_a_tanh_network_are_linearised():
    rng = np.random.default_rng(0)
    w, v = rng.standard_normal((3, 3)), rng.standard_normal((3, 4))
    p = {"weight_hh": w, "weight_ih": v, "bias_hh": np.zeros(3), "bias_ih": rng.standard_normal(3)}
    h, x = rng.standard_normal((5, 3)), rng.standard_normal((5, 4))
    given = {name: torch.tensor(one)[None] for name, one in p.items()}
    of_state, of_inputs = contexts.linearised("rnn", given, torch.tensor(x), torch.tensor(h))
    slope = 1 - np.tanh(h @ w.T + x @ v.T + p["bias_ih"]) ** 2
    assert of_state == pytest.approx(slope[:, :, None] * w, rel=1e-12)
    assert of_inputs == pytest.approx(slope[:, :, None] * v, rel=1e-12)


def test_steps_of_an_lstm_are_torchs():
    torch.manual_seed(0)
    module, x, state = torch.nn.LSTMCell(4, 3), torch.randn(5, 4), torch.randn(5, 6)
    p = {name: one[None] for name, one in module.named_parameters()}
    after = torch.cat(module(x, tuple(state.chunk(2, 1))), 1)
    assert torch.allclose(contexts.stepped("lstm", p, x, state), after, atol=1e-6)
    p = {name: one.double().detach() for name, one in p.items()}
    of_state, of_inputs = contexts.linearised("lstm", p, x.double(), state.double())
    small = 1e-5 * torch.randn(5, 6, dtype=torch.float64)
    moved = contexts.stepped("lstm", p, x.double(), state.double() + small)
    still = contexts.stepped("lstm", p, x.double(), state.double())
    assert (moved - still).numpy() == pytest.approx(
        np.einsum("tij,tj->ti", of_state, small.numpy()), abs=1e-9
    )
    assert of_inputs.shape == (5, 6, 4)


def test_left_vectors_and_memories():
    """The first unit keeps 0.98 of itself and takes 0.24 of the second: l = (1, 0.24/0.48)."""
    step = np.array([[0.98, 0.24], [0.0, 0.5]])
    into = np.array([[0.0, 2.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    states = torch.zeros(3, 2)
    one = contexts._context(states, np.tile(step, (3, 1, 1)), np.tile(into, (3, 1, 1)), [1, 0])
    assert one.memory == pytest.approx(-1 / math.log(0.98)) and one.kicks == pytest.approx([2.0, 1.0])
    assert one.overlaps == pytest.approx([2.0, 0.5]) and one.selects and one.moved
    other = contexts._context(states, np.tile(step, (3, 1, 1)), np.tile(into, (3, 1, 1)), [0, 1])
    assert other.overlaps == pytest.approx([0.5, 2.0]) and not other.selects


def test_each_context_asks_for_its_own_signal():
    """Unit 1 is slow and sees the first signal alone, unit 2 forgets and sees a fifth of the second."""
    w, v = np.diag([0.95, 0.5]), np.zeros((2, 4))
    v[0, 0], v[1, 1] = 0.05, 0.01
    weights = {
        "weight_hh": w[None], "weight_ih": v[None], "bias_hh": np.zeros((1, 2)), "bias_ih": np.zeros((1, 2)),
        "readout": np.zeros((1, 1, 3)),
    }  # fmt: skip
    first, second = contexts.contexts("rnn", Networks(weights, np.zeros(1)), 0, 3)
    assert first.selects and not first.moved and not second.selects and second.moved
    assert first.kicks[0] / first.kicks[1] == pytest.approx(5, rel=0.05)
    assert first.states.shape == (40, 2) and 5 < first.memory < -1 / math.log(0.95) + 1e-9


@pytest.mark.parametrize("kind, shares", [("gru", [2 / 3] * 3), ("lstm", [2 / 3] * 3), ("rnn", [2 / 3] * 2)])
def test_shares_are_of_solved_networks_and_of_both_contexts(monkeypatch, kind, shares):
    line = np.stack([np.arange(5.0), np.zeros(5)], 1)
    good = Context(line, 30.0, np.array([1.0, 0.1]), np.array([1.0, 0.9]))
    away = Context(line + np.array([0, 9]), 30.0, np.array([1.0, 0.1]), np.array([1.0, 0.9]))
    alike = Context(line + np.array([0, 9]), 30.0, np.array([1.0, 0.9]), np.array([1.0, 0.1]))
    found = {0: (good, away), 2: (good, good), 3: (good, alike)}
    monkeypatch.setattr(
        contexts, "trained", lambda asked: Networks({}, np.array([0.001, 0.02, 0.001, 0.001]))
    )
    monkeypatch.setattr(contexts, "contexts", lambda kind, nets, net, seed: found[net])
    assert contexts.integrators({"architecture": kind}, 0, 1, Backend()) == pytest.approx(shares)
    monkeypatch.setattr(contexts, "trained", lambda asked: Networks({}, np.ones(2)))
    assert not contexts.integrators({"architecture": kind}, 0, 1, Backend()).any()
