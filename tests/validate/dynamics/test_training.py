"""The batched trainer: torch's own cells, tasks as they are told, and files that are kept by content."""

import numpy as np
import pytest
import torch

from widelimit.validate.simulate.dynamics import training
from widelimit.validate.simulate.dynamics.trained import _rest, distinct
from widelimit.validate.simulate.dynamics.training import Training


@pytest.mark.parametrize("kind", training.BLOCKS)
def test_outputs_are_torchs(kind):
    torch.manual_seed(0)
    asked = Training(kind, "flip-flop", units=4, steps=0, nets=2, seed=1)
    found = training._train(asked)
    x = torch.randn(2, 3, 5, 2)
    p = {name: torch.tensor(array) for name, array in found.weights.items()}
    h = training.outputs(kind, p, x)
    for net in range(2):
        module = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[kind](
            2, 4, batch_first=True
        )
        module.load_state_dict({f"{name}_l0": p[name][net] for name in p if name != "readout"})
        assert torch.allclose(module(x[net])[0], h[net], atol=1e-6)


def test_tasks_ask_for_what_they_say():
    generator = torch.Generator().manual_seed(0)
    x, aim, _ = training.flip_flop(generator, 2, 5, 30)
    last = np.zeros((2, 5, 2))
    for t in range(30):
        pulse = x[:, :, t].numpy()
        last = np.where(pulse != 0, pulse, last)
        assert np.array_equal(aim[:, :, t].numpy(), last)
    words, sums, _ = training.sentiment(generator, 1, 4, 20)
    values = words[..., 0] - words[..., 1]
    assert torch.allclose(10 * sums[..., 0], values.cumsum(2), atol=1e-5) and set(
        values.unique().tolist()
    ) <= {-1, 0, 1}


def test_context_asks_for_one_of_two_signals():
    generator = torch.Generator().manual_seed(1)
    x, aim, _ = training.context(generator, 2, 6, 30)
    for net in range(2):
        for trial in range(6):
            signals, asked = x[net, trial, :, :2], x[net, trial, :, 2:]
            assert sorted(asked[0].tolist()) == [0.0, 1.0] and (asked == asked[0]).all()
            which = int(asked[0].argmax())
            assert torch.allclose(10 * aim[net, trial, :, 0], signals[:, which].cumsum(0), atol=1e-5)
    means = training.context(generator, 1, 400, 50)[0][..., :2].mean(2).abs()
    assert float(means.mean()) == pytest.approx(0.2, abs=0.02)


def test_sines_have_the_rate_that_is_told():
    generator = torch.Generator().manual_seed(2)
    told, aim, _ = training.sine(generator, 1, 20, 40)
    for trial in range(20):
        rate = 0.4 + float(told[0, trial, 0, 0]) / 2.5
        number = (rate - training.LOWEST_RATE) / training.RATE_STEP
        assert number == pytest.approx(round(number), abs=1e-5) and 0 <= round(number) < training.RATES
        right = np.sin(rate * np.arange(1, 41))
        assert aim[0, trial, :, 0].numpy() == pytest.approx(right, abs=1e-5)


@pytest.mark.parametrize("kind", training.BLOCKS)
def test_outputs_go_on_from_a_state(kind):
    p = {
        name: torch.tensor(one)
        for name, one in training._train(Training(kind, "sine", 4, 0, 1, 2)).weights.items()
    }
    x = torch.zeros(1, 1, 3, 1)
    if kind != "lstm":  # whose c is not among the outputs
        whole = training.outputs(kind, p, x)
        rest = training.outputs(kind, p, x[:, :, 1:], whole[:, :, 0])
        assert torch.allclose(rest, whole[:, :, 1:], atol=1e-6)
    assert training.outputs(kind, p, x, torch.full((1, 1, 4), 0.5)).shape == (1, 1, 3, 4)


def test_distinct_states():
    states = np.array([[0.0, 0.0], [0.001, 0.0], [1.0, 0.0], [1.0, 0.02]])
    assert len(distinct(states, 0.01)) == 3 and len(distinct(states, 0.1)) == 2


def test_newton_comes_to_rest_and_says_how_it_moves():
    """A tanh unit pair that turns: rest at zero, with the eigenvalues of its weights."""
    c, s = 1.2 * np.cos(0.5), 1.2 * np.sin(0.5)
    p = {
        "weight_hh": [[[c, -s], [s, c]]], "weight_ih": [[[0.0], [0.0]]], "bias_hh": [[0.0, 0.0]],
        "bias_ih": [[0.0, 0.0]],
    }  # fmt: skip
    p = {name: torch.tensor(one, dtype=torch.float64) for name, one in p.items()}
    rests, jacobian = _rest(
        "rnn",
        p,
        torch.zeros(1, 1, 1, 1, dtype=torch.float64),
        torch.tensor([0.1, -0.05], dtype=torch.float64),
    )
    values = torch.linalg.eigvals(jacobian)
    assert rests and values.abs().numpy() == pytest.approx(1.2, rel=1e-9)
    assert values.angle().abs().numpy() == pytest.approx(0.5, rel=1e-9)


def test_training_learns_repeats_and_is_kept(monkeypatch):
    asked = Training("rnn", "flip-flop", units=8, steps=60, nets=2, seed=3)
    before = training._train(Training("rnn", "flip-flop", units=8, steps=0, nets=2, seed=3))
    one = training.trained(asked)
    assert (one.loss < 0.7 * before.loss).all()
    monkeypatch.setattr(training, "_train", None)  # what is read needs no training
    other = training.trained(asked)
    assert np.array_equal(one.loss, other.loss)
    assert all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)
    assert one.cell(1)["weight_hh"].shape == (8, 8) and one.readout(0).shape == (2, 9)
