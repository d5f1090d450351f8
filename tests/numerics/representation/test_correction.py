"""Corrected exponents of drawn recordings, and recordings from files."""

import os
import pickle

import numpy as np
import pytest
from scipy.io import savemat

from widelimit.numerics import representation
from widelimit.theory.errors import ArgumentError, DataWarning, DomainError


def recording(stimuli, units, exponent, noise, seed):
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((stimuli, units)) * np.arange(1, units + 1.0) ** (-exponent / 2)
    return np.stack([signal + noise**0.5 * rng.standard_normal(signal.shape) for _ in range(2)])


def test_the_truth_is_found_where_the_raw_exponent_is_off():
    found = [
        representation.corrected(*recording(150, 200, 1.1, 0.02, seed), first_rank=5, last_rank=50, draws=8)
        for seed in range(8)
    ]
    exponents = np.array([one.exponent for one in found])
    raw = np.array([one.raw_exponent for one in found])
    error = exponents.std(ddof=1) / 8**0.5
    assert abs(exponents.mean() - 1.1) < 4 * error
    assert 1.1 - raw.mean() > 5 * error
    # the scatter of 400 such recordings is 0.0294(10); here of 64 draws
    assert np.sqrt(np.mean([one.standard_error**2 for one in found])) == pytest.approx(0.0294, rel=0.35)
    assert np.mean([one.noise for one in found]) == pytest.approx(0.02, rel=0.02)
    assert all(one.flatness > 0.9 and one.visible > 20 for one in found)


@pytest.mark.sweep
def test_intervals_cover_the_truth_in_200_draws():
    inside = [
        one.interval[0] < 1.04 < one.interval[1]
        for seed in range(200)
        for one in [
            representation.corrected(*recording(100, 120, 1.04, 0.03, seed), first_rank=5, last_rank=40)
        ]
    ]
    assert 0.90 <= np.mean(inside) <= 0.98


def test_units_and_seed():
    data = recording(60, 50, 1.3, 0.02, 0)
    options = {"first_rank": 3, "last_rank": 25, "draws": 5}
    one = representation.corrected(*data, **options)
    assert representation.corrected(*data, **options) == one
    scaled = representation.corrected(*(1e6 * data), **options)
    assert scaled.exponent == pytest.approx(one.exponent, rel=1e-6)
    assert scaled.noise == pytest.approx(one.noise * 1e12)
    assert pickle.loads(pickle.dumps(one)) == one
    halves = representation.corrected(*data, **options, resample="stimuli")
    assert halves.exponent == one.exponent and halves.standard_error > 0


def test_verdict_against_the_bound():
    found = representation.corrected(*recording(150, 200, 1.4, 0.005, 3), first_rank=5, last_rank=50, draws=8)
    assert found.verdict(2) == "rough" and found.verdict(1e6) == "smooth"  # 2 and 1
    assert found.verdict(2 / (found.exponent - 1)) == "undecided"
    near, far = found.deciding_stimuli(2 / (found.exponent - 0.99)), found.deciding_stimuli(2)
    assert far < 150 and far < near
    with pytest.raises(ArgumentError):
        found.verdict(0.5)


def test_noise_that_is_not_white_is_said():
    data = recording(80, 60, 1.2, 0.01, 0)
    data[1] += 2 * np.random.default_rng(1).standard_normal((80, 1))  # all units together, in one repeat
    with pytest.warns(DataWarning, match="far from white"):
        representation.corrected(*data, first_rank=3, last_rank=25, draws=5)


def test_nothing_but_noise_has_no_exponent():
    data = np.random.default_rng(0).standard_normal((2, 40, 200))
    with pytest.raises((DomainError, ArgumentError)):
        representation.corrected(*data, first_rank=3, last_rank=20)


data = recording(20, 12, 1.2, 0.02, 0)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"last_rank": 8, "first_rank": 5}, "`last_rank` must be 4 or more above `first_rank`"),
        ({}, "20 stimuli of 12 units have 12 ranks"),
        ({"first_rank": 2, "level": 1.0}, "`level` must lie in [0.5, 0.999]"),
        ({"first_rank": 2, "draws": 2}, "`draws` must be an integer of at least 5"),
        ({"first_rank": 2, "resample": "rows"}, "`resample` must be one of 'model', 'stimuli'"),
        ({"first_rank": 0}, "`first_rank` must be an integer of at least 1"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ArgumentError) as caught:
        representation.corrected(*data, **options)
    assert message in str(caught.value)


def kept(path, array):
    """Write a recording in the format of a file's name."""
    import h5py

    if path.name == "seven.mat":
        with h5py.File(path, "w", userblock_size=512) as file:
            file["resp"] = array.T  # MATLAB stores its axes in reverse
            file["text"] = h5py.ExternalLink("/etc/passwd", "x")
    elif path.suffix == ".mat":
        savemat(path, {"resp": array, "name": "mouse", "cells": np.array([[1], ["a"]], dtype=object)})
    elif path.name == "two.npz":
        np.savez(path, first=array[0], second=array[1])
    elif path.suffix == ".npz":
        np.savez_compressed(path, resp=array, other=np.arange(3))
    else:
        np.save(path, array)
    return path


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "two.npz", "a.mat", "seven.mat"])
def test_files_come_back_as_they_were(tmp_path, name):
    one, other = representation.read(str(kept(tmp_path / name, data)))
    assert (one == data[0]).all() and (other == data[1]).all()


class Evil:
    def __reduce__(self):
        return (os.system, ("touch /tmp/widelimit_was_here",))


def test_files_that_are_refused(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    np.save(tmp_path / "flat.npy", np.zeros((3, 4)))
    np.savez(tmp_path / "many.npz", a=np.zeros((2, 3, 4)), b=np.zeros((2, 3, 4)))
    (tmp_path / "broken.mat").write_bytes(b"MATLAB 5.0 MAT-file" + b"\0" * 200)
    (tmp_path / "seven.mat").write_bytes(b"\0" * 512 + b"\x89HDF\r\n\x1a\n" + b"\0" * 99)
    savemat(tmp_path / "text.mat", {"name": "mouse"})
    (tmp_path / "cut.mat").write_bytes((kept(tmp_path / "a.mat", data)).read_bytes()[:900])
    (tmp_path / "table.csv").write_text("1,2\n")
    for name, message in {
        "objects.npy": "never unpickled",
        "flat.npy": "(2, stimuli, units), but has shape (3, 4)",
        "many.npz": "must hold one array of shape (2, stimuli, units)",
        "broken.mat": "must be a readable .mat file",
        "seven.mat": "must be a readable .mat file",
        "cut.mat": "must be a readable .mat file",
        "text.mat": "holds no array of real numbers",
        "table.csv": "must be a .npy, .npz or .mat file",
        "none.mat": "must be a file that exists",
    }.items():
        with pytest.raises(ArgumentError) as caught:
            representation.read(str(tmp_path / name))
        assert message in str(caught.value), name
    assert not os.path.exists("/tmp/widelimit_was_here")


def test_command_line(tmp_path, capsys):
    from widelimit.validate.cli import main

    path = kept(tmp_path / "a.mat", recording(80, 60, 1.2, 0.02, 1))
    options = [
        "--recording",
        str(path),
        "--first-rank",
        "3",
        "--last-rank",
        "30",
        "--draws",
        "5",
        "--dimension",
        "2",
    ]
    assert main(["predict", "representation", *options, "--json"]) == 0
    import json

    found = json.loads(capsys.readouterr().out)
    assert found["low"] < found["exponent"] < found["high"] and found["verdict"] == "rough"
    assert (found["stimuli"], found["units"], found["bound"], found["last_rank"]) == (80, 60, 2.0, 30)
    assert main(["predict", "representation", "--last-rank", "100", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert round(found["cross_validated"], 4) == 0.8881 and found["bound"] is None
    assert main(["predict", "representation", "--recording", "x.csv"]) == 2
