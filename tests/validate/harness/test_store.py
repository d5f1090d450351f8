"""The store under ill treatment: kills, damage, full disks and other processes."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from widelimit.theory.errors import ArgumentError, StoreError
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.finding import Source
from widelimit.validate.harness.running import atomic
from widelimit.validate.harness.running.cells import Cell, Done
from widelimit.validate.harness.running.store import NAME, Store
from widelimit.validate.run import validate

TOY = str(Path(__file__).parents[1] / "toy_claims.py")


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
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
    connection.close()


def change(column, value):
    """Change what one row says, as an editor of databases would."""

    def harm(path):
        with sqlite3.connect(path) as connection:
            connection.execute(f"UPDATE cells SET {column} = {value} WHERE key = ?", (cell(56).key,))
        connection.close()

    harm.__name__ = column
    return harm


def swap_samples(path):
    """Two cells with each other's samples and checksums."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT key, samples, checksum FROM cells LIMIT 2").fetchall()
        for (key, _, _), (_, samples, checksum) in zip(rows, rows[::-1], strict=True):
            connection.execute(
                "UPDATE cells SET samples = ?, checksum = ? WHERE key = ?", (samples, checksum, key)
            )
    connection.close()


def point_elsewhere(path):
    """The index says that a cell is in the row of another; `quick_check` does not notice."""
    data = bytearray(path.read_bytes())
    key, row = cell(56).key.encode(), 8  # cells were stored in order: rows count from 1
    where = next(i + 64 for i in places(data, key) if data[i + 64] == row)
    data[where] = 20
    path.write_bytes(data)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
    connection.close()


def places(data, what):
    found = data.find(what)
    while found >= 0:
        yield found
        found = data.find(what, found + 1)


def not_text(path):
    """A name that is no UTF-8, which SQLite hands out only when it is asked for."""
    data = path.read_bytes()
    where = data.index(b"toy.true")
    path.write_bytes(data[:where] + b"\xff\xfe" + data[where + 2 :])


def another_version(path):
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()


def another_table(path):
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE cells ADD COLUMN more INTEGER")
    connection.close()


def a_trigger(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON cells BEGIN DELETE FROM cells; END")
    connection.close()


def no_table(path):
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE cells")
    connection.close()


HARMS = [
    truncate, empty, scribble, flip, another_program, change("size", 100), change("start", 8), change("count", 16),
    change("columns", 1), change("claim", "'toy.false'"), change("inputs", "'{}'"), change("seconds", 0.5),
    change("stored", 1.0), change("checksum", "'00'"), change("samples", "zeroblob(128)"), change("key", "'00'"),
    swap_samples, point_elsewhere, not_text, another_version, another_table, a_trigger, no_table,
]  # fmt: skip


@pytest.mark.parametrize("harm", HARMS)
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


@pytest.mark.parametrize("harm", [point_elsewhere, swap_samples, change("start", 8), change("columns", 4)])
def test_another_cells_samples_are_never_handed_out(tmp_path, monkeypatch, harm):
    """Not even where the check on opening has missed the damage."""
    from widelimit.validate.harness.running import store as module

    harm(filled(tmp_path))
    monkeypatch.setattr(module, "_check", lambda connection: None)
    with Store(tmp_path) as store:
        hands_out_its_own(store, [done(number).samples for number in range(40)])


def hands_out_its_own(store, right):
    """Whatever the store finds is what was stored under that key; return how many cells it finds."""
    found = [store.get(cell(8 * number)) for number in range(len(right))]
    for one, samples in zip(found, right, strict=True):
        if one is not None:
            np.testing.assert_array_equal(one.samples, samples)
    return sum(one is not None for one in found)


def test_random_damage_never_changes_a_sample(tmp_path):
    """Two hundred files with a few bytes changed anywhere: each is set aside, or hands out what was stored."""
    whole = filled(tmp_path / "whole", 12)
    right, data, chance = [done(number).samples for number in range(12)], whole.read_bytes(), random.Random(0)
    aside = 0
    for trial in range(200):
        harmed = bytearray(data)
        for _ in range(chance.choice((1, 1, 3, 40))):
            harmed[chance.randrange(len(harmed))] ^= 1 << chance.randrange(8)
        if trial % 10 == 0:
            del harmed[chance.randrange(len(harmed)) :]
        folder = tmp_path / "harmed"
        folder.mkdir()
        (folder / NAME).write_bytes(harmed)
        with Store(folder) as store:
            aside += store.set_aside is not None
            assert hands_out_its_own(store, right) == (0 if store.set_aside else len(right))
        shutil.rmtree(folder)
    assert 100 < aside < 200  # free pages and unused bytes matter to nobody


def folder_in_its_place(path):
    path.mkdir()
    (path / "inside").touch()


def dead_link(path):
    path.symlink_to(path.with_name("nowhere"))


def pipe(path):
    os.mkfifo(path)


@pytest.mark.parametrize("what", [folder_in_its_place, dead_link, pipe])
def test_what_is_no_file_is_set_aside(tmp_path, what):
    what(tmp_path / NAME)
    with Store(tmp_path) as store:
        assert store.set_aside.name == f"{NAME}.damaged-1" and store.damage == "it is no file"
        store.put(cell(), done())
    assert os.path.lexists(tmp_path / f"{NAME}.damaged-1") and (tmp_path / NAME).is_file()
    with Store(tmp_path) as store:
        assert len(store) == 1 and store.set_aside is None


@pytest.mark.parametrize("gone", ["folder", "file", "replaced"])
def test_folder_that_is_deleted_meanwhile(tmp_path, gone):
    folder = tmp_path / "run"
    with Store(folder) as store:
        store.put(cell(), done())
        (folder / NAME).unlink() if gone == "file" else shutil.rmtree(folder)
        if gone == "replaced":
            filled(folder, 1)
        with pytest.raises(
            StoreError, match=r"Folder .*run was removed or replaced while a run wrote to it.*\.$"
        ):
            store.put(cell(8), done(1))


@contextmanager
def nobody():
    """Be a user who may not write to what belongs to root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_may_not_be_written_is_refused_and_left_alone(tmp_path):
    for one in (tmp_path, *tmp_path.parents):  # pytest's own folders, one more of them on several cores
        if "pytest-" in str(one):
            one.chmod(0o755)
    folder = tmp_path / "run"
    path = filled(folder)
    path.chmod(0o444)
    folder.chmod(0o777)
    with (
        nobody(),
        pytest.raises(StoreError, match=r"Database .* cannot be read and written: permission"),
    ):
        Store(folder)
    folder.chmod(0o555)
    with (
        nobody(),
        pytest.raises(ArgumentError, match="Argument `out` must be a folder that can be written to, but"),
    ):
        Store(folder)
    folder.chmod(0o755)
    path.chmod(0o644)
    assert [one.name for one in folder.iterdir()] == [NAME]
    with Store(folder) as store:
        assert len(store) == 40


def test_temporary_files_of_killed_runs_are_swept(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    left = [f".index.html.{dead.pid}.tmp", f".results.nc.{os.getpid()}.tmp", f".{NAME}.{dead.pid}.tmp"]
    others = [f".index.html.{os.getppid()}.tmp", "notes.tmp", ".index.html.tmp", "index.html"]
    for name in (*left, *others):
        (tmp_path / name).touch()
    with Store(tmp_path):
        pass
    assert {one.name for one in tmp_path.iterdir()} == {NAME, *others}


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


def test_links_and_pipes_stay_what_they_are(tmp_path):
    """A link goes on leading to its file, and a pipe such as /dev/stdout is written to, not replaced."""
    import os
    import threading

    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    atomic.write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    heard = []
    reader = threading.Thread(target=lambda: heard.append((tmp_path / "pipe").read_text()), daemon=True)
    reader.start()
    atomic.write_text(tmp_path / "pipe", "told")
    reader.join(10)
    assert heard == ["told"] and (tmp_path / "pipe").is_fifo()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "pipe", "real"]


def test_all_files_are_written_whole():
    """No `write_text` of a path, and no file opened to be written, but by `atomic` or under `replacing`."""
    import ast

    root = Path(atomic.__file__).parents[5]
    found = []
    for file in sorted(root.glob("*/widelimit/**/*.py")):
        tree = ast.parse(file.read_text())
        held = {
            id(inside)
            for node in ast.walk(tree)
            if isinstance(node, ast.With) and "replacing(" in ast.unparse(node.items[0])
            for inside in ast.walk(node)
        }
        for call in (one for one in ast.walk(tree) if isinstance(one, ast.Call) and id(one) not in held):
            text = ast.unparse(call)
            writes = isinstance(call.func, ast.Attribute) and call.func.attr in ("write_text", "write_bytes")
            opens = ast.unparse(call.func).split(".")[-1] in ("open", "fdopen") and "'w" in text
            if (writes and not text.startswith("atomic.")) or opens:
                found.append(f"{file.relative_to(root)}: {text[:60]}")
    known = ("devnull", "compile/cache/private.py")  # the second replaces files too
    assert len(found) >= len(known)
    assert [one for one in found if not any(name in one for name in known)] == []


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
