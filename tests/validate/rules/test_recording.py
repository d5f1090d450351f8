"""A recorder of a torch module sees what the bank records of the same network, and leaves the module as it was."""

import csv
import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.theory.errors import ArgumentError, WidelimitError
from widelimit.validate import rules
from widelimit.validate.cli import main
from widelimit.validate.rules import banks, training
from widelimit.validate.rules.recording import record


def chain(*widths, bias=False):
    parts = []
    for below, above in pairwise(widths):
        parts += [nn.Linear(below, above, bias=bias), nn.Tanh()]
    return nn.Sequential(*parts[:-1])


def test_the_same_numbers_as_the_bank():
    nets = training.Networks(2, 6, torch.Generator().manual_seed(0), torch.device("cpu"))
    module = chain(64, 6, 6, 10)
    recorder = record(module, nets.images[: training.PROBES])
    rows, before = [], None
    for _ in range(3):
        for layer, weights in zip(module[::2], nets.weights, strict=True):
            layer.weight.data.copy_(weights[0])
        recorder.snapshot()
        now = nets.snapshot()
        if before is not None:
            rows.append(
                banks._record(now, before, None, 0.0, np.random.default_rng(0), rules.observables.FUNCTIONS)[
                    0
                ]
            )
        before = now
        nets.step()
    table = recorder.table
    assert list(table)[1:] == list(rules.columns())
    assert np.stack(list(table.values())[1:], axis=1) == pytest.approx(np.array(rows), rel=1e-4, abs=1e-6)


def test_a_network_of_ones_own_is_identified(tmp_path, capsys):
    """Trained by torch's own Adam at the bank's rates, on the bank's images."""
    torch.manual_seed(5)
    images, labels = (torch.as_tensor(one) for one in training.digits())
    module = chain(64, 20, 20, 10)
    for layer in module[::2]:
        layer.weight.data.normal_(0, layer.in_features**-0.5)
    optimizer = torch.optim.Adam(module.parameters(), lr=3 * training.RATES["adam"])
    recorder = record(module, images[: training.PROBES])
    recorder.snapshot()
    for step in range(1, 61):
        rows = torch.randint(training.PROBES, len(images), (32,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(images[rows]), labels[rows]).backward()
        optimizer.step()
        if step % 20 == 0:
            recorder.snapshot(step)
    found = rules.identify(recorder.table, bank=rules.bank(10, widths=(20,), steps=60, snapshots=3))
    assert found.rule == "adam" and found.snapshots == 3
    recorder.write(tmp_path / "run.csv")
    with open(tmp_path / "run.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line["time"]) for line in lines] == [20, 40, 60]
    assert float(lines[2]["act.raw.var.1"]) == recorder.table["act.raw.var.1"][2]
    assert main(["identify", str(tmp_path / "run.csv"), "--networks", "6", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said["probabilities"]) == set(training.RULES) and said["networks"] <= 40
    assert main(["identify", str(tmp_path / "none.csv")]) == 2


def test_convolutions_are_recorded_too():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv1d(2, 3, 3), nn.Tanh(), nn.Conv1d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 4, 5)
    )
    x = torch.randn(7, 2, 8)
    recorder = record(module, x)
    recorder.snapshot()
    recorder.snapshot()
    kernel, hidden = module[2].weight.detach().numpy(), module[:2](x).detach().numpy()
    assert recorder.layers == ("0", "2", "5")
    assert recorder.table["weight.raw.norm.2"][0] == pytest.approx(np.sqrt((kernel**2).sum()), rel=1e-6)
    assert recorder.table["act.raw.mean.1"][0] == pytest.approx(hidden.mean(), rel=1e-5)
    assert recorder.table["act.abs.mean.2"][0] == pytest.approx(
        float(module[:4](x).detach().abs().mean()), rel=1e-5
    )


def test_the_module_stays_what_it_was():
    module = nn.Sequential(
        nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2)
    )
    module[2].train(False)
    before = {name: one.clone() for name, one in module.state_dict().items()}
    state = torch.random.get_rng_state()
    recorder = record(module, torch.randn(7, 4, generator=torch.Generator().manual_seed(0)))
    recorder.snapshot()
    recorder.snapshot()
    assert all(torch.equal(one, before[name]) for name, one in module.state_dict().items())
    assert torch.equal(state, torch.random.get_rng_state())
    assert module.training and module[1].training and not module[2].training
    assert not any(one._forward_pre_hooks for one in module.modules())
    assert recorder.table["change.raw.norm.1"].tolist() == [0.0]


@pytest.mark.parametrize(
    ("module", "x", "layers", "says"),
    [
        ("net", torch.eye(4), None, "torch module"),
        (chain(4, 5, 2), torch.eye(4), None, "3 layers nn.Linear"),
        (chain(4, 5, 5, 5, 2), torch.eye(4), None, "has 4: 0, 2, 4, 6"),
        (chain(4, 5, 5, 2), torch.eye(3), None, "running it raises"),
        (chain(4, 5, 5, 2), torch.zeros(0, 4), None, "batch"),
        (chain(4, 5, 5, 2), [[1.0] * 4], None, "batch"),
        (chain(4, 5, 5, 5, 2), torch.eye(4), ("0", "2", "9"), "among 0, 2, 4, 6"),
        (chain(4, 5, 5, 5, 2), torch.eye(4), ("0", "2", "2"), "different"),
    ],
)
def test_bad_input(module, x, layers, says):
    with pytest.raises(ArgumentError, match=says):
        record(module, x, layers=layers)


def test_times_rise_and_two_are_needed():
    recorder = record(chain(4, 5, 5, 5, 2), torch.eye(4), layers=("0", "2", "6"))
    with pytest.raises(WidelimitError, match="two snapshots"):
        recorder.table  # noqa: B018
    recorder.snapshot(3)
    for bad in (3, 2.5, float("nan"), "4", True):
        with pytest.raises(ArgumentError, match="time"):
            recorder.snapshot(bad)
