"""Graphs and likeness of networks, on trajectories and cells whose answers are known."""

import numpy as np
import pytest
import torch

from widelimit.validate.simulate.dynamics import alike
from widelimit.validate.simulate.dynamics.training import Networks


def test_networks_of_one_kind_that_share_a_plane_are_closer():
    rng = np.random.default_rng(0)
    common = rng.standard_normal((400, 6))
    paths = [("a", common @ rng.standard_normal((6, 16))) for _ in range(2)]
    paths += [("b", rng.standard_normal((400, 16))) for _ in range(2)]
    found = alike._closer([(kind, alike._components(one)) for kind, one in paths])
    chance = 6 / 400
    assert found == pytest.approx((1 + chance) / 2 - chance, abs=0.02)  # one pair of two is alike
    assert alike._closer([(kind, alike._components(one)) for kind, one in paths[:2]]) == 0.0


def test_pulses_set_the_bits_of_two_latches():
    """Two units that each hold a sign, h' = tanh(3 h + 6 x), are a flip-flop of two bits."""
    one = {
        "weight_hh": 3 * np.eye(2), "weight_ih": 6 * np.eye(2), "bias_hh": np.zeros(2), "bias_ih": np.zeros(2),
        "readout": np.eye(2, 3),
    }  # fmt: skip
    weights = {name: np.repeat(array[None], alike._NETS, 0).astype(np.float32) for name, array in one.items()}
    p = {name: torch.from_numpy(array) for name, array in weights.items()}
    read = np.sign(alike._after_pulses("rnn", p, Networks(weights, np.zeros(alike._NETS))))
    rows = iter(read[0])
    for corner in alike._CORNERS:
        for pulse in alike._PULSES:
            before, after = next(rows), next(rows)
            assert (before == corner).all()
            assert (after == np.where(pulse != 0, pulse, corner)).all()
