"""Modules of torch go in as they are: their fixed points rest under torch's own step."""

import numpy as np
import pytest
import torch

from widelimit.numerics import cycles, gru


@pytest.mark.parametrize("kind", [torch.nn.GRU, torch.nn.RNN, torch.nn.LSTM])
def test_fixed_points_rest_in_torch(kind):
    torch.manual_seed(3)
    module = kind(2, 2).double()
    with torch.no_grad():
        for one in module.parameters():
            one.mul_(4.0)
    inputs = np.array([0.3, -0.2])
    found = gru.portrait(module, inputs=inputs, time="step")
    assert found.complete
    for h in found.fixed_points:
        state = torch.from_numpy(found.cell.full(h))
        x = torch.from_numpy(inputs).reshape(1, 1, 2)
        if kind is torch.nn.LSTM:
            given = (state[:2].reshape(1, 1, 2), state[2:].reshape(1, 1, 2))
            after = torch.cat([one.reshape(-1) for one in module(x, given)[1]])
        else:
            after = module(x, state.reshape(1, 1, 2))[1].reshape(-1)
        assert after.detach().numpy() == pytest.approx(state.numpy(), abs=1e-10)


def test_a_cycle_of_a_cell_of_torch():
    cell = torch.nn.RNNCell(1, 2).double()
    with torch.no_grad():
        cell.weight_hh.copy_(torch.tensor([[0.9, -0.9], [0.9, 0.9]]))
        cell.bias_hh.zero_()
        cell.bias_ih.zero_()
    found = cycles.find(cell, start=[0.5, 0.0])
    assert found.kind in ("invariant circle", "locked")
    if found.kind == "locked":
        assert (np.abs(found.multipliers) < 1).all()
