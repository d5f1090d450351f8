"""One formula of `theory` wrong by one per cent, in a process of its own: what notices?

    python altered.py TOPIC FORMULA...

The formula's function is altered where it is defined, by a decorator that the import adds to the source's syntax tree,
so that everything that is built from it at import is altered too. The machine code of solvers may come from a cache
(its keys are the expressions); what was derived may not (its keys are the sources), so that the folder of
``WIDELIMIT_CACHE`` must hold no derivations.

Prints one JSON object: for each of the formulas what moved (predictions) and what went red (derivations).
"""

from __future__ import annotations

import ast
import dataclasses
import doctest
import functools
import importlib
import importlib.abc
import importlib.machinery
import inspect
import json
import os
import pkgutil
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FORMULA = ("Expr", "Eq", "Sum", "Law", "Expectation", "CriticalLine", "CriticalLimit", "DecayLaw", "Rule")
PLAIN = ("Derivation", "Iterator", "bool", "str", "Step")


def formulas(package: Path) -> Iterator[tuple[Path, str]]:
    """Public functions that return mathematics, by file and name, wherever they stand in a topic's room."""
    files = sorted(package.rglob("*.py")) if package.is_dir() else [package.with_suffix(".py")]
    for file in files:
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef) and is_formula(node):
                yield file, node.name


def is_formula(node: ast.FunctionDef) -> bool:
    """Whether a function's annotation says that it returns an expression, an equation, a law."""
    if node.name.startswith("_") or node.returns is None:
        return False
    words = {one.id for one in ast.walk(node.returns) if isinstance(one, ast.Name)}
    return bool(words & set(FORMULA)) and not words & set(PLAIN)


def scaled(value: Any) -> Any:
    """What a function returned, one per cent larger: expressions, right sides, fields, laws."""
    from sympy import Basic, Eq, Expr, Rational
    from sympy.logic.boolalg import Boolean

    more = Rational(101, 100)
    if isinstance(value, Eq):
        return Eq(value.lhs, value.rhs * more, evaluate=False)
    if isinstance(value, Expr):
        return value * more
    if isinstance(value, Boolean | Basic) or value is None:
        return value
    if hasattr(value, "scale"):  # a law
        return value.scale(more)
    if isinstance(value, Mapping):
        return {key: scaled(one) for key, one in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(scaled, value))
    if isinstance(value, list | tuple):
        return type(value)(map(scaled, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: scaled(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
        return dataclasses.replace(value, **changed)
    return value


def altered(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, one per cent larger; counted when it is called."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        wrapper.calls += 1  # type: ignore[attr-defined]
        return scaled(function(*args, **kwargs))

    for name in ("cache_clear", "cache_info"):
        if hasattr(function, name):
            setattr(wrapper, name, getattr(function, name))
    wrapper.calls = 0  # type: ignore[attr-defined]
    return wrapper


class Altering(importlib.abc.MetaPathFinder):
    """Imports the module at `file` with one function decorated by `altered`."""

    def __init__(self, file: Path, name: str) -> None:
        self.file, self.name = file, name

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if not fullname.startswith("widelimit.theory."):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None or Path(spec.origin) != self.file:
            return None
        spec.loader = _Loader(fullname, spec.origin, self.name)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, name: str) -> None:
        super().__init__(fullname, path)
        self.name = name

    def get_code(self, fullname: str) -> Any:
        tree = ast.parse(Path(self.path).read_text(), self.path)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == self.name:
                node.decorator_list.insert(0, ast.parse("__import__('altered').altered", mode="eval").body)
        return compile(ast.fix_missing_locations(tree), self.path, "exec")


def topic_of(file: Path) -> str:
    """The room under ``widelimit/theory`` that a file stands in."""
    parts = file.with_suffix("").parts
    return parts[len(parts) - 1 - parts[::-1].index("theory") + 1]


# --- what can notice


def derivations(topic: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """All derivations that a topic gives without being asked for more: ``derive`` and its like."""
    room = importlib.import_module(f"widelimit.theory.{topic}")
    for name in sorted(vars(room)):
        function = getattr(room, name)
        if name.startswith("derive") and callable(function):
            for arguments in choices(room, function):
                yield f"{name}{arguments}", functools.partial(function, **arguments)


def choices(room: Any, function: Callable[..., Any]) -> list[dict[str, Any]]:
    """Arguments to try: every named result or kind, activations with a kink and without."""
    found: list[dict[str, Any]] = [{}]
    for parameter in inspect.signature(function).parameters.values():
        options = {
            "result": getattr(room, "RESULTS", ()),
            "kind": getattr(room, "CLASSES", ()),
            "activation": ("relu", "tanh"),
        }.get(parameter.name, ())
        found = [{**one, parameter.name: option} for one in found for option in options] or found
    return found


def red(topic: str) -> str:
    """The first derivation that fails its check or cannot be made, "" for none."""
    from widelimit.theory.errors import InfiniteMomentError

    for name, make in derivations(topic):
        try:
            derivation = make()
        except InfiniteMomentError:  # no such theory of this activation, altered or not
            continue
        except Exception as error:
            return f"{name}: {type(error).__name__}"
        try:
            derivation.check(dps=15, points=2)
        except Exception as error:
            return f"{name}: {str(error)[:100]}"
    return ""


def doctests(topic: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The examples of a topic's solvers, as predictions: what they print."""
    try:
        room = importlib.import_module(f"widelimit.numerics.{topic}")
    except ModuleNotFoundError:
        return
    names = [room.__name__]
    if hasattr(room, "__path__"):
        names += [f"{room.__name__}.{one.name}" for one in pkgutil.iter_modules(room.__path__)]
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in names:
        for test in finder.find(importlib.import_module(name)):
            if test.examples:
                yield test.name, functools.partial(printed, test)


def printed(test: doctest.DocTest) -> list[str]:
    """What the examples of one docstring print."""
    said: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    runner.report_success = lambda out, test, example, got: said.append(got)  # type: ignore[method-assign]
    runner.report_failure = lambda out, test, example, got: said.append(got)  # type: ignore[method-assign]
    runner.report_unexpected_exception = lambda out, test, example, info: said.append(repr(info[1]))  # type: ignore
    runner.run(test, out=lambda text: None, clear_globs=False)
    return said


def predictions(topic: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What the claims of a topic predict at the points of the quick preset: two points a claim."""
    from widelimit.theory.topics import TOPICS
    from widelimit.validate import claims

    for claim in claims.load(topic) if topic in TOPICS else ():
        plan = claim.plans.get("quick") or next(iter(claim.plans.values()))
        for index in sorted({0, len(plan.points) - 1}):
            yield f"{claim.id} {index}", functools.partial(claim.predict, plan.points[index])


def outcome(compute: Callable[[], Any]) -> Any:
    """A prediction as plain numbers or text; an error by its kind."""
    try:
        found = compute()
    except Exception as error:
        return f"{type(error).__name__}"
    if isinstance(found, list):
        return found
    return [float(one) for one in np.ravel(found)]


def differs(one: Any, other: Any) -> bool:
    """Whether two outcomes differ by more than rounding."""
    if type(one) is not type(other) or len(one) != len(other):
        return True
    if isinstance(one, list) and one and isinstance(one[0], float):
        return not np.allclose(one, other, rtol=1e-6, atol=1e-300, equal_nan=True)
    return one != other


# --- one process a formula


def prepared() -> None:
    """Import what takes long and is not widelimit's, before any process is forked."""
    for name in ("numba", "scipy.special", "scipy.optimize", "sympy", "torch", "sklearn.base"):
        importlib.import_module(name)


def baseline(topics: Sequence[str]) -> dict[str, tuple[Any, float]]:
    """What right theory predicts, each with its seconds."""
    found = {"red": (red(topics[0]), 0.0)}
    for topic in topics:
        for name, compute in (*doctests(topic), *predictions(topic)):
            start = time.process_time()
            value = outcome(compute)
            found[f"{topic} {name}"] = (value, time.process_time() - start)
    return found


def noticed(topics: Sequence[str], right: Mapping[str, tuple[Any, float]], limit: float) -> dict[str, Any]:
    """What an altered theory moves, cheapest predictions first, and what goes red."""
    own = topics[0]
    said = {"red": red(own), "moved": "", "tried": 0}
    every = {
        f"{topic} {name}": compute
        for topic in topics
        for name, compute in (*doctests(topic), *predictions(topic))
    }
    start = time.process_time()
    order = sorted(every, key=lambda name: (not name.startswith(own), right.get(name, (0, 1e9))[1]))
    for name in order:
        if name in right:
            said["tried"] += 1
            if differs(right[name][0], outcome(every[name])):
                said["moved"] = name
                break
        if time.process_time() - start > limit:
            said["moved_unknown"] = True
            break
    return said


def child(
    file: Path | None, name: str, work: Callable[[], Any], cache: Path, base: Path | None, limit: float
) -> Any:
    """Do `work` in a forked process in which a formula is altered (None: none); its JSON, or None if it dies."""
    if base is not None:
        shutil.copytree(base, cache, copy_function=os.link, ignore=shutil.ignore_patterns("*.json"))
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        try:
            signal.alarm(int(4 * limit))
            os.environ["WIDELIMIT_CACHE"] = str(cache)
            if file is not None:
                sys.meta_path.insert(0, Altering(file, name))
            with os.fdopen(writing, "w") as out:
                json.dump(work(), out)
        except BaseException as error:
            sys.stderr.write(f"{name}: {error!r}\n")
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    if base is not None:
        shutil.rmtree(cache, ignore_errors=True)
    return json.loads(text) if text else None


def main(theory: str, topics: str, scratch: str, *names: str) -> None:
    """Alter each of the formulas `names` (file:name; none: all) of the first of `topics`, one after the other."""
    rooms = topics.split(",")
    place = Path(scratch)
    prepared()
    base = place / "base"
    base.mkdir(parents=True, exist_ok=True)
    base.chmod(0o700)
    right = child(None, "", functools.partial(baseline, rooms), base, None, 1000)
    wrong, _ = right.pop("red")
    print(json.dumps({"baseline": {k: v[1] for k, v in right.items()}, "red": wrong}), flush=True)
    for file, name in formulas(Path(theory) / rooms[0]):
        if names and name not in names:
            continue
        start = time.time()
        said = child(file, name, functools.partial(noticed, rooms, right, 60), place / name, base, 60)
        print(
            json.dumps(
                {
                    "formula": f"{file.stem}.{name}",
                    "seconds": round(time.time() - start, 1),
                    **(said or {"died": True}),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
