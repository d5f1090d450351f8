"""The batched trainer: torch's own cells, tasks as they are told, and files that are kept by content."""

import numpy as np
import pytest
import torch

from widelimit.validate.simulate.dynamics import training
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
