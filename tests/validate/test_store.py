"""The store under ill treatment: kills, damage, full disks and other processes."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from widelimit.theory.errors import ArgumentError, StoreError
from widelimit.validate import atomic
from widelimit.validate.backend import Backend
from widelimit.validate.cells import Cell, Done
from widelimit.validate.claims import Source
from widelimit.validate.run import validate
from widelimit.validate.store import NAME, Store

TOY = str(Path(__file__).with_name("toy_claims.py"))


def cell(start=0, **changes):
    standard = {"inputs": {"a": 1.0, "b": 2}, "size": 50, "start": start, "count": 8, "backend": Backend()}
    return Cell(claim=Source(TOY, "toy.true"), **(standard | changes))


def done(number=0):
    return Done(np.random.default_rng(number).standard_normal((8, 2)), 0.25)


def filled(folder, count=40):
    with Store(folder) as store:
        for number in range(count):
            store.put(cell(8 * number), done(number))
    return folder / NAME


def test_samples_come_back_bit_for_bit(tmp_path):
    filled(tmp_path, 3)
    with Store(tmp_path) as store:
        assert len(store) == 3 and store.set_aside is None
        found = store.get(cell(8))
        np.testing.assert_array_equal(found.samples, done(1).samples)
        assert found.seconds == 0.25
        assert store.get(cell(800)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 51},
        {"start": 8},
        {"count": 7},
        {"inputs": {"a": 1.0, "b": 3}},
        {"backend": Backend("cpu", "float32")},
        {"backend": Backend("cuda")},
        {"run_seed": 1},
        {"code": "other"},
        {"claim": Source(TOY, "toy.false")},
    ],
)
def test_key_is_what_samples_depend_on(changes):
    standard = {
        "claim": Source(TOY, "toy.true"),
        "inputs": {"a": 1.0, "b": 2},
        "size": 50,
        "start": 0,
        "count": 8,
    }
    assert Cell(**({"backend": Backend()} | standard | changes)).key != cell().key
    assert Cell(**standard, backend=Backend()).key == cell().key
    assert cell(inputs={"b": 2, "a": 1}).key == cell().key


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def scribble(path):
    path.write_bytes(b"not a database at all" * 500)


def flip(path):
    """Change one sample in place, which SQLite itself cannot notice."""
    data = path.read_bytes()
    where = data.index(done(7).samples.tobytes()[:64]) + 20
    path.write_bytes(data[:where] + bytes([data[where] ^ 1]) + data[where + 1 :])


def another_program(path):
    import sqlite3

    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
    connection.close()


@pytest.mark.parametrize("harm", [truncate, empty, scribble, flip, another_program])
def test_damaged_database_is_set_aside_and_never_read(tmp_path, harm):
    path = filled(tmp_path)
    harm(path)
    harmed = path.read_bytes()
    with Store(tmp_path) as store:
        assert store.set_aside == tmp_path / f"{NAME}.damaged-1"
        assert store.damage
        assert len(store) == 0
        store.put(cell(), done())
    assert (tmp_path / f"{NAME}.damaged-1").read_bytes() == harmed
    scribble(path)
    with Store(tmp_path) as store:
        assert store.set_aside == tmp_path / f"{NAME}.damaged-2"


def test_run_reports_damage_and_computes_again(tmp_path, caplog):
    first = validate("toy.true", out=tmp_path, device="cpu", jobs=1, claims_from=[TOY], report=False)
    truncate(tmp_path / NAME)
    again = validate("toy.true", out=tmp_path, device="cpu", jobs=1, claims_from=[TOY], report=False)
    assert "damaged" in caplog.text and "moved to" in again.manifest["warnings"][0]
    assert again.manifest["cells"]["reused"] == 0
    assert [row.measured for row in again.claims[0].rows] == [row.measured for row in first.claims[0].rows]


def test_full_disk_loses_nothing(tmp_path):
    with Store(tmp_path) as store:
        store.put(cell(), done())
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(
            StoreError, match=r"could not be stored in .*: the disk is full\. What was stored"
        ) as caught:
            for number in range(1, 1000):
                store.put(cell(8 * number), done(number))
        assert "\n" not in str(caught.value)
        kept = len(store)
    assert 1 <= kept == number
    with Store(tmp_path) as store:
        assert store.set_aside is None and len(store) == kept
        np.testing.assert_array_equal(store.get(cell()).samples, done().samples)


def test_one_writer_at_a_time(tmp_path):
    with Store(tmp_path), pytest.raises(StoreError, match="Another run has"):
        Store(tmp_path)
    with Store(tmp_path) as store:
        assert len(store) == 0


@pytest.mark.parametrize("where", ["file/below", "file"])
def test_folder_that_cannot_be_written(tmp_path, where):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArgumentError, match="Argument `out` must be a folder that can be written to, but"):
        Store(tmp_path / where)


def test_killed_run_goes_on_where_it_was(tmp_path):
    """Kill -9 in the middle of a run; at most the cell that was under way is computed again."""
    code = (
        "import sys; from widelimit.validate.run import validate\n"
        "validate('toy.slow', out=sys.argv[1], device='cpu', jobs=1, claims_from=[sys.argv[2]], report=False,\n"
        "         progress=lambda done, *_: print(done, flush=True))"
    )
    command = [sys.executable, "-c", code, str(tmp_path), TOY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) == 4:
                process.kill()
                break
        process.stdout.close()
    assert process.returncode == -signal.SIGKILL
    again = validate("toy.slow", out=tmp_path, device="cpu", jobs=2, claims_from=[TOY], report=False)
    assert again.manifest["cells"]["reused"] in (4, 5)
    assert again.claims[0].verdict == "agrees"
    assert not list(tmp_path.glob("*.damaged*"))


def test_files_are_replaced_whole(tmp_path):
    path = tmp_path / "deep" / "page.html"
    atomic.write_text(path, "old")

    def half():
        with atomic.replacing(path) as temporary:
            temporary.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert path.read_text() == "old"
    assert [one.name for one in path.parent.iterdir()] == ["page.html"]
    atomic.write_text(path, "new")
    assert path.read_text() == "new"


def test_full_disk_while_a_file_is_written(tmp_path, monkeypatch):
    import errno
    import os

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    atomic.write_text(tmp_path / "a", "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="could not be written: the disk is full"):
        atomic.write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
