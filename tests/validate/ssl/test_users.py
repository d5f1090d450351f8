"""What a user does: two files on the command line, and features of a trained encoder."""

import json

import numpy as np
import pytest
import torch

from widelimit.numerics import ssl
from widelimit.validate.cli import main
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate.ssl import digits
from widelimit.validate.simulate.ssl.networks import Setting, State, learn


def test_two_files_on_the_command_line(tmp_path, capsys):
    rng = np.random.default_rng(0)
    clean = rng.standard_normal((500, 4)) * [1.0, 0.8, 0.5, 0.2]
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", clean + 0.4 * rng.standard_normal(clean.shape))
    files = ["--view1", str(tmp_path / "a.npy"), "--view2", str(tmp_path / "b.npy")]
    assert main(["predict", "ssl", *files, "--weight-decay", "0.1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    expected = ssl.from_views(tmp_path / "a.npy", tmp_path / "b.npy", weight_decay=0.1)
    assert found["critical_weight_decay"] == expected.critical_weight_decay and found["features"] == 4
    assert found["dimensions"] == expected.dimensions and found["thresholds"] == expected.thresholds.tolist()
    assert main(["predict", "ssl", *files[:2]]) == 2
    assert "Argument `view2` must be given" in capsys.readouterr().err


def test_derivations_on_the_command_line(capsys):
    assert main(["derive", "ssl", "--result", "basin", "--check"]) == 0
    assert "border" in capsys.readouterr().out


@pytest.fixture(scope="module")
def features():
    """Two views of digits, shifted and noisy, behind the first layer of an encoder that has learned for a while."""
    encoder = digits.encoder("learned", 100, 0.05, 0.005, 1)
    return [digits.penultimate(encoder, seed) for seed in (2, 3)]


def test_features_of_a_trained_encoder_collapse_where_two_views_say(features):
    found = ssl.from_views(*(views[0] for views in features), weight_decay=0.0)
    again = ssl.from_views(*(views[1] for views in features))
    assert again.critical_weight_decay == pytest.approx(found.critical_weight_decay, rel=0.05)
    eta, dtype = found.critical_weight_decay, torch.float64
    moments = tuple(torch.tensor(one, dtype=dtype)[None] for one in (found.signal, found.augmentation))
    top = np.linalg.eigvalsh(found.signal + found.augmentation)[-1]
    torch.manual_seed(0)
    start = State(torch.randn(1, 3, 64, dtype=dtype) / (8 * top**0.5), 0.3 * torch.eye(3, dtype=dtype)[None])
    lengths = []
    for factor in (0.9, 1.05):
        setting = Setting(decay=factor * eta)
        end = learn(
            start, moments, Setting(), 0.5 / top, 400
        )  # without decay first: in the basin if there is one
        end = learn(end, moments, setting, 0.5 / top, int(60 * top / eta))
        lengths.append(float((end.online**2).sum()))
    assert lengths[0] > 1e-3 / top and lengths[1] < 1e-6 * lengths[0]


def test_backends_are_those_of_runs():
    run = digits.train("no predictor", 3, 0.1, 0.01, (1, 2), Backend())
    assert run.spread.shape == (2,) and (run.spread < 1).all() and run.accuracy.shape == (2,)
