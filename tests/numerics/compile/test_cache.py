"""The cache: keys that hold every source, files that are used only as written, a folder that is nobody else's."""

import ast
import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import sympy
from sympy import Symbol

from widelimit.numerics.compile import cache, request
from widelimit.numerics.compile.cache import private, trees
from widelimit.numerics.meanfield import maps
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.gaussian.special import BivariateNormalCDF, erfcx
from widelimit.theory.errors import ArgumentError, InternalError

ROOT = Path(__file__).parents[3]
x = Symbol("x", real=True)
NUMBER = "def number():\n    return 7\n"
FAST = """
from numba import njit

@njit(cache=True)
def number():
    return 7
"""
ROOTLESS = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)


@pytest.fixture
def place(monkeypatch, tmp_path):
    """An empty cache folder; modules that are imported from it are forgotten by `again`."""
    monkeypatch.setenv("WIDELIMIT_CACHE", str(tmp_path / "cache"))
    yield cache.folder()
    forget()


def forget():
    for name in [name for name in sys.modules if name.startswith("widelimit_generated_test")]:
        del sys.modules[name]


def again(key="test", text=NUMBER):
    """What a process finds that starts now."""
    forget()
    return cache.module(key, lambda: text)


# --- keys


CHANGES = """
import sys
from pathlib import Path
from widelimit.numerics.compile import cache
root = Path(sys.argv[1])
for floor in ("theory", "numerics"):
    package = root / floor / "widelimit" / floor
    before = cache.sources(f"widelimit.{floor}")
    for folder in [package, *sorted(p for p in package.rglob("*") if p.is_dir() and any(p.glob("*.py")))]:
        file = sorted(folder.glob("*.py"))[-1]
        text = file.read_text()
        file.write_text(text[:-1] + " ")
        cache.sources.cache_clear()
        print(floor, folder.relative_to(package), cache.sources(f"widelimit.{floor}") != before)
        file.write_text(text)
    cache.sources.cache_clear()
    print(floor, "restored", cache.sources(f"widelimit.{floor}") == before)
"""


def test_one_byte_in_any_folder_changes_the_key(tmp_path):
    for floor in ("theory", "numerics"):
        shutil.copytree(ROOT / floor, tmp_path / floor, ignore=shutil.ignore_patterns("__pycache__"))
    path = os.pathsep.join(str(tmp_path / floor) for floor in ("theory", "numerics"))
    said = subprocess.run(
        [sys.executable, "-B", "-c", CHANGES, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert {"theory freeprob True", "numerics freeprob True", "theory . True", "numerics . True"} <= set(said)
    assert all(line.endswith("True") for line in said), said


def test_sources_of_some_modules():
    every = [
        cache.sources("widelimit.theory", *names)
        for names in ((), ("calculus/pieces",), ("freeprob",), ("freeprob/law",))
    ]
    assert len(set(every)) == 4
    with pytest.raises(InternalError, match="has no module no-such"):
        cache.sources("widelimit.theory", "calculus/pieces", "no-such")


def test_what_makes_generated_code_is_in_its_key(monkeypatch):
    """The whole room that writes modules and whose machine code is inlined; outside it only what runs around them."""
    room = ROOT / "numerics" / "widelimit" / "numerics" / "compile"
    around = {"widelimit.numerics.threads", "widelimit.numerics.results"}
    for file in room.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("widelimit.numerics"):
                names = {f"{node.module}.{one.name}" for one in node.names}
                inside = node.module.startswith("widelimit.numerics.compile") or names == {
                    "widelimit.numerics.compile"
                }
                assert inside or names <= around or node.module in around, (file.name, node.module)
    asked = []
    monkeypatch.setattr(request.cache, "sources", lambda *names: asked.append(names) or "same")
    x = sympy.Symbol("x")
    assert request.Request((x,), (x,), "f", False, True).key
    assert asked == [("widelimit.numerics", "compile"), ("widelimit.theory", "calculus/pieces")]


# --- generated modules


def test_module_is_written_once(place):
    assert again().number() == 7
    assert again(text="no Python at all").number() == 7
    assert again().SOURCE == NUMBER
    assert "return 7" in (place / "widelimit_generated_test.py").read_text()


def truncate(path):
    path.write_bytes(path.read_bytes()[:-5])


def empty(path):
    path.write_bytes(b"")


def change(path):
    path.write_text(path.read_text().replace("return 7", "return 8"))


def append(path):
    path.write_text(path.read_text() + "number = lambda: 8\n")


def junk(path):
    path.write_bytes(bytes(range(256)) * 20)


def swap(path):
    """The whole file of another key, seal and all."""
    cache.module("test-other", lambda: NUMBER.replace("7", "8"))
    shutil.copy(path.with_name("widelimit_generated_test-other.py"), path)


def bytecode(path):
    """What Python itself would keep beside the file, of another source with the same time and size."""
    import importlib.util
    import py_compile

    stamp, text = path.stat(), path.read_text()
    path.write_text(text.replace("return 7", "return 8"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    py_compile.compile(str(path), importlib.util.cache_from_source(str(path)))
    path.write_text(text)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def link(path):
    other = path.with_name("elsewhere.py")
    other.write_text(path.read_text())
    change(other)
    path.unlink()
    path.symlink_to(other)


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [truncate, empty, change, append, junk, swap, bytecode, link, pipe, folder])
def test_damaged_module_is_never_run_and_written_again(place, harm):
    again()
    path = place / "widelimit_generated_test.py"
    harm(path)
    assert again().number() == 7
    if harm is not folder:  # which cannot be replaced by a file: a temporary one serves
        assert again(text="not called").number() == 7


@pytest.mark.parametrize("harm", [truncate, empty, junk])
@pytest.mark.parametrize("kind", ["*.nbi", "*.nbc"])
def test_damaged_machine_code_is_compiled_again(place, harm, kind):
    def hits():
        function = again(text=FAST).number
        assert function() == 7
        return sum(function.stats.cache_hits.values())

    assert (hits(), hits()) == (0, 1)
    (file,) = (place / "machine").glob(kind)
    harm(file)
    assert (hits(), hits()) == (0, 1)


def test_machine_code_of_another_function_is_not_taken(place):
    again(text=FAST).number()
    (index,), (data,) = ((place / "machine").glob(kind) for kind in ("*.nbi", "*.nbc"))
    kept = index.read_bytes(), data.read_bytes()
    again("test-eight", FAST.replace("7", "8")).number()
    for kind, content in zip(("*eight*.nbi", "*eight*.nbc"), kept, strict=True):
        (file,) = (place / "machine").glob(kind)
        file.write_bytes(content)
    assert again("test-eight", FAST.replace("7", "8")).number() == 8


def test_machine_code_lies_with_the_modules_whatever_numba_is_told(place, monkeypatch, tmp_path):
    from numba import config

    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "shared"))
    again(text=FAST).number()
    assert list((place / "machine").glob("*.nbc"))
    assert not list((tmp_path / "shared").rglob("*.nb?"))


def test_full_disk_costs_time_only(place, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    module = again(text=FAST)
    monkeypatch.setattr(private, "replace", full)
    assert module.number() == 7
    assert "machine code could not be kept" in caplog.text


TOGETHER = """
import os, sys, time
from widelimit.numerics.compile import cache
FAST = sys.argv[1]
start = time.time() + 0.3
children = []
for child in range(6):
    if (pid := os.fork()) == 0:
        time.sleep(max(0.0, start - time.time()))
        right = cache.module("test", lambda: FAST).number() == 7 and cache.remembered("entry", lambda: [1]) == [1]
        os._exit(0 if right else 1)
    children.append(pid)
print([os.waitpid(pid, 0)[1] for pid in children])
"""


def test_processes_that_start_together(tmp_path):
    said = subprocess.run(
        [sys.executable, "-c", TOGETHER, FAST],
        env={**os.environ, "WIDELIMIT_CACHE": str(tmp_path / "cache")}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.strip() == str([0] * 6), said.stderr
    assert not list((tmp_path / "cache").rglob("*.tmp"))


# --- what was derived


@dataclass(frozen=True)
class Record:
    value: sympy.Basic
    scale: float = 1.0


def test_remembered_survives_a_damaged_entry(place):
    assert cache.remembered("entry", lambda: [1]) == [1]
    assert cache.remembered("entry", lambda: [2]) == [1]
    (place / "entry.json").write_bytes(b"cut")
    assert cache.remembered("entry", lambda: [3]) == [3]
    assert cache.remembered("entry", lambda: [4]) == [3]


def test_records_are_known_by_the_caller_only(place):
    record = Record(sympy.tanh(x) / 3, 0.1)
    assert cache.remembered("record", lambda: record, Record) == record
    assert cache.remembered("record", lambda: None, Record) == record
    assert cache.remembered("record", lambda: "derived", Activation) == "derived"


def test_what_has_no_form_is_derived_each_time(place):
    for found in ({1, 2}, sympy.Integral(x, x), [lambda: 0], (x, sympy.nan)):
        assert cache.remembered("odd", lambda found=found: found) is found
    assert not (place / "odd.json").exists()


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 0.1, float("inf"), 1e-320, "text", [], (1, [2.5, (x,)]),
        sympy.Integer(10) ** 4000, sympy.Rational(-7, 3), sympy.Float("0.1", 50), sympy.Float(-2.5),
        sympy.oo, -sympy.oo, sympy.pi, sympy.E, sympy.I, sympy.S.true, sympy.S.Half,
        (sympy.Integer(1), sympy.Float(1.0), sympy.Float(1, 40)),
        sympy.Symbol("q", positive=True) * sympy.Symbol("q") + sympy.Dummy("d", real=True),
        sympy.Piecewise((x, x > 0), (sympy.exp(x) - 1, sympy.And(x < 0, sympy.Ne(x, -3))), (0, True)),
        sympy.Max(x, 0, x**2) - sympy.Min(x, 1) + sympy.Abs(x) + sympy.Heaviside(x) + sympy.sign(x),
        erfcx(x) + BivariateNormalCDF(x, 1, sympy.Symbol("r", real=True)),
        Expectation(sympy.tanh(x) * sympy.Symbol("a"), x, sympy.Symbol("q", positive=True)),
    ],
)  # fmt: skip
def test_values_come_back_as_they_were(value):
    found = trees.loads(trees.dumps(value))
    assert found == value and type(found) is type(value)
    assert sympy.srepr(found) == sympy.srepr(value)


def test_deep_expressions_come_back():
    deep = x
    for _ in range(100):
        deep = sympy.sin(deep) + 1
    assert trees.loads(trees.dumps(deep)) == deep
    assert trees.dumps(deep).count("sin") == 100


@pytest.mark.parametrize(
    "text",
    [
        '{"nodes":[["system","echo"]],"value":["tree",0]}',
        '{"nodes":[["Symbol","x",{}],["__import__",0]],"value":["tree",1]}',
        '{"nodes":[["sympify",0]],"value":1}',
        '{"nodes":[],"value":["record","Path",{}]}',
        '{"nodes":[],"value":["set",1]}',
        '{"nodes":[["Add",5]],"value":["tree",0]}',
        '{"value":1}',
        "[]",
        "__import__('os').system('echo')",
    ],
)
def test_nothing_but_known_nodes_is_built(text):
    with pytest.raises((ValueError, TypeError, KeyError, IndexError)):
        trees.loads(text)


@pytest.mark.parametrize("name", ["relu", "tanh", "elu", "hard_tanh", "x*tanh(x)"])
def test_formulas_of_activations_are_kept(place, name):
    """What a process reads back is what was derived."""
    derived = maps.derive(Activation.of(name))
    records = (maps.Formulas, maps.Features)
    assert cache.remembered("formulas", lambda: derived, *records) == derived
    kept = cache.remembered("formulas", lambda: None, *records)
    assert kept == derived and sympy.srepr(kept.moments) == sympy.srepr(derived.moments)


# --- whose folder it is


def test_folder_is_made_for_its_user_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("WIDELIMIT_CACHE", str(tmp_path / "new" / "cache"))
    assert cache.folder().stat().st_mode & 0o777 == 0o700
    loose = tmp_path / "loose"
    loose.mkdir(mode=0o755)
    monkeypatch.setenv("WIDELIMIT_CACHE", str(loose))
    assert cache.folder().stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777, 0o720, 0o702])
@pytest.mark.parametrize("through_a_link", [False, True])
def test_folder_that_others_write_to_is_refused(monkeypatch, tmp_path, mode, through_a_link):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    (tmp_path / "link").symlink_to(shared)
    monkeypatch.setenv("WIDELIMIT_CACHE", str(tmp_path / "link" if through_a_link else shared))
    with pytest.raises(
        ArgumentError, match=r"Argument `WIDELIMIT_CACHE` must be a folder that nobody else .* others\."
    ):
        cache.folder()
    assert shared.stat().st_mode & 0o7777 == mode and not list(shared.iterdir())


@ROOTLESS
def test_folder_and_files_of_another_user_are_not_used(monkeypatch, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 1234, 1234)
    monkeypatch.setenv("WIDELIMIT_CACHE", str(theirs))
    with pytest.raises(ArgumentError, match="belongs to another user"):
        cache.folder()
    monkeypatch.setenv("WIDELIMIT_CACHE", str(tmp_path / "mine"))
    planted = private.write("widelimit_generated_test.py", b"number = lambda: 8\n")
    os.chown(planted, 1234, 1234)  # the seal is right, the owner is not
    assert again().number() == 7


def test_the_users_own_folder_left_open_is_told_and_not_used(monkeypatch, tmp_path, caplog):
    monkeypatch.delenv("WIDELIMIT_CACHE", raising=False)
    monkeypatch.setattr(private.platformdirs, "user_cache_dir", lambda *_, **__: str(tmp_path / "open"))
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with caplog.at_level(logging.WARNING):
        assert cache.folder().name.startswith("widelimit-")
    assert "can be written to by others; using a temporary one" in caplog.text


def test_shared_folder_is_no_way_in(tmp_path):
    """A module planted under the right name, for whoever computes next."""
    here, shared, hit = tmp_path / "here", tmp_path / "shared", tmp_path / "hit"
    code = (
        "import sympy; from widelimit.numerics.compile import compile\n"
        "q = sympy.Symbol('q'); f = compile(q**3 + 1, [q]); print(f._request.key, f(2.0))"
    )

    def process(folder):
        environment = {**os.environ, "WIDELIMIT_CACHE": str(folder)}
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )

    key = process(here).stdout.split()[0]
    shared.mkdir()
    shared.chmod(0o777)
    (shared / f"widelimit_generated_{key}.py").write_text(f"open({str(hit)!r}, 'w')\n")
    said = process(shared)
    assert not hit.exists()
    assert said.returncode == 1 and "must be a folder that nobody else can write to" in said.stderr
    shared.chmod(0o700)  # as the message advises; what lies there is still not what was written
    assert process(shared).stdout.split() == [key, "9.0"] and not hit.exists()


def test_scratch_of_killed_processes_is_swept(monkeypatch, tmp_path):
    place = tmp_path / "cache"
    place.mkdir(mode=0o700)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    old, fresh, alive = (
        place / f".{pid}-a{i}.tmp" for i, pid in enumerate((dead.pid, dead.pid, os.getpid()))
    )
    for file in (old, fresh, alive, place / "entry.json"):
        file.write_text("half")
    for file in (old, alive):
        os.utime(file, (1e9, 1e9))
    monkeypatch.setenv("WIDELIMIT_CACHE", str(place))
    cache.folder()
    assert sorted(place.iterdir()) == sorted([fresh, alive, place / "entry.json"])


def test_every_file_of_the_cache_is_sealed(place):
    again(text=FAST).number()
    cache.remembered("entry", lambda: {"no": "form"})
    cache.remembered("entry", lambda: [x])
    for file in place.glob("*.*"):
        first, _, body = file.read_bytes().partition(b"\n")
        assert private.sealed(file.name, body).startswith(first + b"\n")
    assert json.loads((place / "entry.json").read_text().partition("\n")[2])["value"] == ["list", ["tree", 0]]
