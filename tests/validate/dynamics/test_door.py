"""The command line reads a trained network and its trajectories, and nothing that could run."""

import json

import numpy as np
import pytest
import torch

from widelimit.theory.errors import ArgumentError
from widelimit.validate.cli import main
from widelimit.validate.dynamics import predict, weights


@pytest.fixture
def files(tmp_path):
    torch.manual_seed(0)
    module = torch.nn.GRU(2, 3)
    torch.save(module.state_dict(), tmp_path / "model.pt")
    np.savez(tmp_path / "model.npz", **{name: array.numpy() for name, array in module.state_dict().items()})
    states = module(torch.randn(20, 4, 2))[0].detach().numpy()
    np.save(tmp_path / "states.npy", states)
    return tmp_path


def test_a_trained_network_from_files(files, capsys):
    cell, states = str(files / "model.pt"), str(files / "states.npy")
    assert main(["predict", "dynamics", "--cell", cell, "--trajectories", states, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["units"], told["points"], told["sinks"]) == ("gru", 3, 1, 1)
    assert max(told["radii"]) < 1e-14 and np.shape(told["states"]) == (1, 3)
    # torch itself stays there
    module = torch.nn.GRU(2, 3).double()
    module.load_state_dict(torch.load(cell, weights_only=True))
    h = torch.tensor(told["states"], dtype=torch.float64)[None]
    after = module(torch.zeros(1, 1, 2, dtype=torch.float64), h)[1]
    assert torch.allclose(after, h, atol=1e-14)
    same = predict(cell=str(files / "model.npz"), trajectories=states)
    assert np.array_equal(same.states, np.array(told["states"]))
    moved = predict(cell=cell, trajectories=states, inputs=[1.0, -1.0])
    assert np.abs(moved.states - same.states).max() > 1e-3


def test_random_networks_are_still_asked_by_numbers(capsys):
    assert main(["predict", "dynamics", "--g", "1.5", "--time", "step", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["variance"] == pytest.approx(0.7933540426, rel=1e-9)


class Evil:
    def __reduce__(self):
        return (print, ("this ran",))


def test_files_that_are_refused(files, capsys):
    states = str(files / "states.npy")
    torch.save(torch.nn.GRU(2, 3), files / "whole.pt")
    torch.save({"weight_hh_l0": Evil()}, files / "evil.pt")
    (files / "torn.pt").write_bytes((files / "model.pt").read_bytes()[:200])
    (files / "empty.npz").write_bytes(b"")
    torch.save([1, 2], files / "list.pt")
    for name, text in (
        ("whole.pt", "never run"), ("evil.pt", "never run"), ("torn.pt", "no tensors"), ("none.pt", "exists"),
        ("states.npy", "[.]npz"), ("empty.npz", "readable|archive"), ("list.pt", "arrays by name"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=text):
            weights(files / name)
    assert "this ran" not in capsys.readouterr().out
    for options, text in (
        ({"cell": str(files / "model.pt")}, "`trajectories` must be given"),
        ({"trajectories": states}, "`cell` must be given"),
        ({"inputs": [1.0]}, "`cell` must be given"),
        ({"cell": str(files / "model.pt"), "trajectories": str(files / "none.npy")}, "exists"),
        ({"cell": str(files / "model.pt"), "trajectories": states, "inputs": [1.0]}, "`inputs` must"),
    ):
        with pytest.raises(ArgumentError, match=text):
            predict(**options)
    assert main(["predict", "dynamics", "--cell", str(files / "whole.pt"), "--trajectories", states]) == 2
