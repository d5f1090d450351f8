"""Mutation testing by sample: does any test of a room see that one operator or number of the room is wrong?

    python sample.py SCRATCH [--count 30] [--seed 0] [--only PART-OF-A-PATH ...] [--seconds 300] [--jobs 1]

Draws mutants from all floors (each file as often as its size says), writes each into a copy of the tree under SCRATCH
and runs the tests that import its room, and its doctests, until one goes red. Prints a line a mutant: killed, survived,
or undecided (time ran out before its tests did: the mutant may have no end, or live), and the share that was killed
among those that were decided.

A survivor is a missing test, or code that nobody needs, or a mutant that changes no value (a tolerance, a number of
nodes): read it. Text, annotations, decorators, raised errors, logging and `__all__` are not touched.
"""

from __future__ import annotations

import argparse
import ast
import os
import queue
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLOORS = ("theory", "numerics", "validate")
SWAPS: dict[type[ast.AST], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.Pow: "*", ast.FloorDiv: "*", ast.Mod: "*",
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in", ast.And: "or", ast.Or: "and",
}  # fmt: skip
_SKIPPED = (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Mutant:
    """Text `old` of a file, from `start` to `end` (characters of the whole text), becomes `new`."""

    file: Path
    start: int
    end: int
    old: str
    new: str

    def written(self, text: str) -> str:
        """The file's text with the mutant in it."""
        return text[: self.start] + self.new + text[self.end :]

    def described(self, text: str) -> str:
        """Where it stands, and its line before and after."""
        line = text.count("\n", 0, self.start)
        before, after = text.split("\n")[line].strip(), self.written(text).split("\n")[line].strip()
        return f"{self.file}:{line + 1}\n    {before}\n    {after}"


def mutants(file: Path, text: str) -> list[Mutant]:
    """All mutants of a file whose text still parses."""
    return [Mutant(file, *place) for place in _places(ast.parse(text), text)]


def _places(tree: ast.AST, text: str) -> Iterator[tuple[int, int, str, str]]:
    starts = [0]
    for line in text.encode().split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    data = text.encode()

    def at(line: int, column: int) -> int:
        return len(data[: starts[line - 1] + column].decode())

    for node in _nodes(tree):
        if isinstance(node, ast.Constant):
            if new := _number(node.value):
                start, end = at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)
                yield start, end, text[start:end], new
        else:
            yield from _operators(node, text, at)


def _number(value: object) -> str:
    if isinstance(value, bool):
        return repr(not value)
    if isinstance(value, int):
        return repr(value + 1)
    return repr(value * 1.5 if value else 1.0) if isinstance(value, float) else ""


def _operators(node: ast.AST, text: str, at) -> Iterator[tuple[int, int, str, str]]:
    """Operators between operands: found in the text between them, which holds nothing else but brackets."""
    if isinstance(node, ast.BinOp):
        pairs = [(node.left, node.op, node.right)]
    elif isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        pairs = list(zip(operands, node.ops, operands[1:], strict=False))
    elif isinstance(node, ast.BoolOp):
        pairs = [(a, node.op, b) for a, b in zip(node.values, node.values[1:], strict=False)]
    else:
        return
    for left, operator, right in pairs:
        if (new := SWAPS.get(type(operator))) is None:
            continue
        start, end = at(left.end_lineno, left.end_col_offset), at(right.lineno, right.col_offset)
        between = text[start:end]
        old = between.strip("() \n\t\\")
        if old and "#" not in between:
            start += between.index(old)
            yield start, start + len(old), old, new


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes of code that computes: no text, annotations, decorators, errors or logging."""
    if isinstance(node, _SKIPPED):
        return
    if isinstance(node, ast.Call) and "log" in ast.unparse(node.func).lower().split(".")[0]:
        return
    if isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Assign) and any(getattr(one, "id", "") == "__all__" for one in node.targets)
    ):
        return
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _nodes(child)


def room(file: Path) -> str:
    """The module of a file's room: ``widelimit.numerics.ridge`` for a file or folder of this name."""
    return ".".join(file.with_suffix("").parts[1:4])


def judges(file: Path, root: Path = ROOT) -> list[str]:
    """Tests that import a file's room, those that import the file first; claims' by the topic's name."""
    name = room(file)
    floor, topic = name.split(".")[1], file.with_suffix("").parts[-1 if floor_of_topics(file) else 3]
    found = []
    for test in sorted((root / "tests").rglob("test_*.py")):
        imported = imports(test.read_text())
        near = any(one == name or one.startswith(f"{name}.") for one in imported)
        if near or (floor == "validate" and topic in test.relative_to(root).parts):
            exact = any(one.startswith(".".join(file.with_suffix("").parts[1:])) for one in imported)
            found.append((not exact, str(test.relative_to(root))))
    return [test for _, test in sorted(found)]


def floor_of_topics(file: Path) -> bool:
    """Whether a file of the validate floor stands in a room of topics: claims, simulate."""
    return len(file.parts) > 4 and file.parts[3] in ("claims", "simulate")


def imports(text: str) -> set[str]:
    """Modules and names that a file imports, with dots."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
        elif isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
    return found


def judged(mutant: Mutant, tree: Path, seconds: float) -> str:
    """Write a mutant into a copy of the tree, run its tests, mend it; what is red must not have been red before."""
    file = tree / mutant.file
    text = file.read_text()
    try:
        file.write_text(mutant.written(text))
        found, output = tested([str(mutant.file), *judges(mutant.file, tree)], tree, seconds)
    finally:
        file.write_text(text)
    if found != "red":
        return {"green": "survived", "none": f"not judged: no test imports {room(mutant.file)}"}.get(
            found, found
        )
    named = re.search(r"^(FAILED|ERROR) (\S+)", output, re.MULTILINE)
    if named and tested([named[2].split("[")[0]], tree, seconds)[0] == "red":
        return f"not judged: {named[2]} is red without it"
    return "killed"


def tested(what: Sequence[str], tree: Path, seconds: float) -> tuple[str, str]:
    """Run tests until one is red: "green", "red", "none" (nothing to run) or "undecided", and what pytest printed."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "--doctest-modules",
        *what,
    ]
    roots = os.pathsep.join(str(tree / floor) for floor in FLOORS)
    try:
        done = subprocess.run(
            command,
            cwd=tree,
            env={**os.environ, "PYTHONPATH": roots},
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return "undecided", ""
    return {0: "green", 5: "none"}.get(done.returncode, "red"), done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge a sample; the exit status is 0 whatever survives."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args(arguments)
    trees = [given.scratch / f"tree{job}" for job in range(given.jobs)]
    for tree in trees:
        copied(tree)
    chosen, total = sampled(trees[0], given.only, given.count, given.seed)
    print(f"{len(chosen)} of {total} mutants", flush=True)
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for tree in trees:
        free.put(tree)

    def judge(mutant: Mutant) -> str:
        tree = free.get()
        try:
            end = judged(mutant, tree, given.seconds)
            print(f"{end}: {mutant.described((tree / mutant.file).read_text())}", flush=True)
            return end
        finally:
            free.put(tree)

    with ThreadPoolExecutor(given.jobs) as pool:
        ends = list(pool.map(judge, chosen))
    dead, alive = ends.count("killed"), ends.count("survived")
    print(f"killed {dead} of {dead + alive} that were decided; {len(ends) - dead - alive} were not")
    return 0


def copied(tree: Path) -> None:
    """Copy what the tests need into a scratch folder, anew."""
    shutil.rmtree(tree, ignore_errors=True)
    for part in (*FLOORS, "tests"):
        shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "pyproject.toml", tree)


def sampled(tree: Path, only: Sequence[str], count: int, seed: int) -> tuple[list[Mutant], int]:
    """Draw mutants from files whose path has one of the parts; how many there are in all."""
    files = [one for floor in FLOORS for one in sorted((tree / floor / "widelimit").rglob("*.py"))]
    pool = [
        one
        for path in files
        if any(part in str(path.relative_to(tree)) for part in only)
        for one in mutants(path.relative_to(tree), path.read_text())
    ]
    return random.Random(seed).sample(pool, min(count, len(pool))), len(pool)


if __name__ == "__main__":
    sys.exit(main())
