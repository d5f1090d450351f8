"""Networks that read digits: sizes, cells written out by hand, training that repeats, shares of pairs."""

import numpy as np
import pytest
import torch

from widelimit.validate.harness.backend import Backend
from widelimit.validate.recurrence import unrolled
from widelimit.validate.simulate.recurrence import digits
from widelimit.validate.simulate.recurrence.nets import CHANNELS, ConvLstm, Reader


def test_kinds_have_about_as_many_weights():
    sizes = {kind: sum(one.numel() for one in Reader(kind, 4).parameters()) for kind in CHANNELS}
    assert min(sizes.values()) == sizes["gated"] == 2474 and max(sizes.values()) == 2746


def test_a_convolutional_lstm_with_windows_of_one_pixel_is_torch_s():
    """Only the middles of its windows are not zero: each pixel is then an LSTM of its own."""
    torch.manual_seed(0)
    cell, module = ConvLstm(3), torch.nn.LSTMCell(3, 3)
    with torch.no_grad():
        cell.gates.weight.zero_()
        cell.gates.weight[:, :3, 1, 1], cell.gates.weight[:, 3:, 1, 1] = module.weight_ih, module.weight_hh
        cell.gates.bias.copy_(module.bias_ih + module.bias_hh)
        cell.gates.bias[3:6] -= 1  # which the cell adds
    x, h, c = torch.randn(3, 2, 3, 4, 4)
    found = cell(x, (h, c))
    right = module(*(one.permute(0, 2, 3, 1).reshape(-1, 3) for one in (x,)), tuple(
        one.permute(0, 2, 3, 1).reshape(-1, 3) for one in (h, c)
    ))  # fmt: skip
    for one, other in zip(found, right, strict=True):
        assert torch.allclose(one.permute(0, 2, 3, 1).reshape(-1, 3), other, atol=1e-6)


@pytest.mark.parametrize("kind", CHANNELS)
def test_what_is_read_out(kind):
    torch.manual_seed(1)
    net, images = Reader(kind, 3), torch.rand(5, 1, 8, 8)
    x = torch.relu(net.features(images))
    assert x.shape == (5, CHANNELS[kind], 4, 4)
    if kind == "feedforward":
        h = x
        for layer in net.layers:
            h = torch.tanh(layer(h))
    elif kind == "lstm":
        h = net.cell(x, net.cell(x, net.cell(x, None)))[0]
    else:
        h = unrolled(net.cell, x, 3)
        h = torch.tanh(h) if kind == "vanilla" else h
    assert torch.allclose(net(images), net.readout(h.mean((2, 3))), atol=1e-6)


def test_a_gated_cell_passes_all_of_its_input_at_first():
    net, x = Reader("gated", 1), torch.rand(2, 8, 4, 4)
    assert torch.allclose(net.cell(x)[0], x)


def test_training_learns_and_repeats():
    one = digits.accuracies("feedforward", 4, 7, Backend(), nets=2, updates=200)
    assert (one > 0.4).all() and one[0] != one[1]
    torch.randn(3)
    assert (digits.accuracies("feedforward", 4, 7, Backend(), nets=2, updates=200) == one).all()
    assert (digits.accuracies("feedforward", 4, 8, Backend(), nets=2, updates=0) < 0.25).all()


def test_shares_of_pairs(monkeypatch):
    read = {
        "gated": [0.9, 0.8, 0.7, 0.6], "vanilla": [0.1, 0.1, 0.1, 0.1], "lstm": [0.9, 0.8, 0.7, 0.6],
        "feedforward": [0.95, 0.7, 0.7, 0.9],
    }  # fmt: skip
    monkeypatch.setattr(digits, "accuracies", lambda kind, steps, seed, backend: np.array(read[kind]))
    assert digits.better({"steps": 4}, 0, 1, Backend()).tolist() == [1.0, 0.5, 0.375]
