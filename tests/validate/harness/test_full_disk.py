"""Disks that fill up at every stage of a run: one sentence, exit status 2, and what was stored is kept."""

import errno
import os
from pathlib import Path

import pytest

from widelimit.theory.errors import StoreError
from widelimit.validate.harness import dataset
from widelimit.validate.harness.running import atomic
from widelimit.validate.run import validate

TOY = str(Path(__file__).parents[1] / "toy_claims.py")


def run(folder):
    return validate("toy.true", out=folder, device="cpu", jobs=1, claims_from=[TOY])


@pytest.mark.parametrize("name", ["manifest.json", "results.nc", "report.json", "report.md", "index.html"])
def test_disk_that_fills_up_while_a_file_is_written(tmp_path, monkeypatch, name):
    real = atomic.write_bytes

    def full(path, data):
        if path.name == name:
            raise StoreError(f"File {path} could not be written: {atomic.reason(OSError(errno.ENOSPC, ''))}.")
        return real(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(atomic, "write_bytes", full)
        with pytest.raises(
            StoreError, match=rf"File .*{name} could not be written: the disk is full; free some space"
        ):
            run(tmp_path)
    again = run(tmp_path)
    assert again.manifest["cells"]["computed"] == (
        again.manifest["cells"]["all"] if name == "manifest.json" else 0
    )


def test_results_reach_the_disk_through_one_writer(tmp_path, monkeypatch):
    """HDF5 itself never touches a disk: on a full one it ends the process with a segmentation fault."""
    written = []
    monkeypatch.setattr(os, "replace", lambda source, target: written.append(Path(target).name))
    monkeypatch.setattr(
        dataset.atomic, "write_bytes", lambda path, data: written.append((path.name, data[:8]))
    )
    dataset.write(tmp_path, (), (), {})
    assert written == [("results.nc", b"\x89HDF\r\n\x1a\n")] and not list(tmp_path.iterdir())
