"""Machine code is made anew when any file that it rests on changes, and lies outside the package."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from widelimit.numerics.compile.cache import files

ROOT = Path(__file__).parents[3]
FLOORS = ("theory", "numerics", "validate")

CALLER = """
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.freeprob.probe_middle import twice

@njit(cache=True)
def asked(x):
    return twice(x) + 1.0

@njit("float64(float64)", cache=True)
def at_once(x):
    return twice(x) + 2.0
"""
MIDDLE = """
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.probe_constant import FACTOR

@njit(cache=True)
def twice(x):
    return FACTOR * x
"""
ASK = "from widelimit.numerics.probe import asked, at_once; print(asked(10.0), at_once(10.0), *(sum(one.stats.cache_hits.values()) for one in (asked, at_once)))"  # noqa: E501


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A copy of the lower floors with a caller, a callee in another room and a constant in a third file."""
    root = tmp_path_factory.mktemp("house")
    for floor in FLOORS[:2]:
        shutil.copytree(ROOT / floor, root / floor, ignore=shutil.ignore_patterns("__pycache__"))
    floor = root / "numerics" / "widelimit" / "numerics"
    (floor / "probe.py").write_text(CALLER)
    (floor / "freeprob" / "probe_middle.py").write_text(MIDDLE)
    (floor / "probe_constant.py").write_text("FACTOR = 2.0\n")
    return root


def ask(root):
    """What a process says that starts now: two values, and how often machine code was found."""
    path = os.pathsep.join(str(root / floor) for floor in FLOORS[:2])
    env = {**os.environ, "PYTHONPATH": path, "WIDELIMIT_CACHE": str(root / "cache")}
    said = subprocess.run(
        [sys.executable, "-B", "-c", ASK], env=env, capture_output=True, text=True, check=True
    )
    return said.stdout.split()


def test_a_change_two_files_below_is_compiled_in(house):
    assert ask(house) == ["21.0", "22.0", "0", "0"]
    assert ask(house) == ["21.0", "22.0", "1", "1"]  # kept
    constant = house / "numerics" / "widelimit" / "numerics" / "probe_constant.py"
    constant.write_text("FACTOR = 3.0\n")
    assert ask(house) == ["31.0", "32.0", "0", "0"]
    middle = house / "numerics" / "widelimit" / "numerics" / "freeprob" / "probe_middle.py"
    middle.write_text(MIDDLE.replace("FACTOR * x", "FACTOR * x * x"))
    assert ask(house) == ["301.0", "302.0", "0", "0"]
    elsewhere = house / "numerics" / "widelimit" / "numerics" / "recurrence" / "gated.py"
    elsewhere.write_text(elsewhere.read_text() + "# elsewhere\n")
    assert ask(house) == ["301.0", "302.0", "1", "1"]  # what they do not rest on changes nothing
    assert not [
        file for floor in FLOORS[:2] for file in (house / floor).rglob("*.nb*")
    ]  # the package is left alone
    assert list((house / "cache" / "machine").rglob("probe.asked-*.nbc"))


def test_no_loop_is_kept_by_numba_itself():
    """Where code is cached, `njit` is ours; generated modules are one file each, sealed after they were made."""
    for file in (ROOT / "numerics").rglob("*.py"):
        text = file.read_text()
        if "cache=True" in text and file.name not in ("code.py", "compiler.py"):
            assert not re.search(r"^from numba import .*\bnjit\b", text, re.M), file
            assert "from widelimit.numerics.compile.cache import njit" in text, file


def by_syntax(text):
    names = []
    tree = ast.parse(text)
    for_types = {
        inner
        for node in tree.body
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for one in node.body
        for inner in ast.walk(one)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            names += [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names += [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
        elif isinstance(node, ast.ImportFrom):
            names.append("a relative import, which is not followed")
    return {name for name in names if name.startswith(("widelimit.", "a relative"))}


def test_imports_are_read_as_python_reads_them():
    for floor in FLOORS:
        for file in (ROOT / floor).rglob("*.py"):
            text = file.read_bytes()
            assert by_syntax(text) <= set(files.imported(text)), file


def test_closure_follows_all_floors():
    loops = files.closure([Path(files.file_of("widelimit.numerics.ridge.loops"))])
    names = {f"{file.parent.name}/{file.name}" for file in loops}
    assert {"ridge/terms.py", "theory/errors.py", "ridge/loops.py", "ridge/formulas.py"} <= names
    assert not {"meanfield", "fisher"} & {file.parent.name for file in loops}
