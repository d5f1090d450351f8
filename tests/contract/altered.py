"""One formula of `theory` wrong by one per cent, in a process of its own: what notices?

    python altered.py PATH/TO/widelimit/theory TOPIC[,USER...] SCRATCH [FORMULA...]

Alters each formula of TOPIC (or those named), where it is defined: a function by a decorator that the import adds to
the source's syntax tree, an entry of a table (``TERMS[fitted]``) in the tree itself, so that everything that is built
from it at import is altered too. USERs are topics that stand on TOPIC; their predictions are asked where TOPIC's own do
not move. Caches of compiled code are kept where their keys are expressions; what was derived, and machine code of the
rooms in question, whose keys are source files, is made anew by every process.

Prints a JSON object a line. First the baseline: what each prediction costs, and what is red before anything is altered.
Then one for each formula: "red", the first derivation that fails; "moved", the first prediction that differs; "error"
where the process died or took longer than its limit (of CPU time).
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
import re
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
            for name, key, _ in entries(node):
                yield file, f"{name}[{key}]"


def entries(node: ast.stmt) -> Iterator[tuple[str, str, tuple[ast.Dict, int]]]:
    """Entries of a table of formulas: a public constant that maps text to arithmetic; where each stands in the tree."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target, value = node.targets[0], node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        target, value = node.target, node.value
    else:
        return
    if isinstance(value, ast.Call) and len(value.args) == 1:  # MappingProxyType({...})
        value = value.args[0]
    if not isinstance(target, ast.Name) or target.id.startswith("_") or not isinstance(value, ast.Dict):
        return
    for place, (key, one) in enumerate(zip(value.keys, value.values, strict=True)):
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and isinstance(one, ast.BinOp):
            yield target.id, key.value, (value, place)


def is_formula(node: ast.FunctionDef) -> bool:
    """Whether a function's annotation says that it returns an expression, an equation, a law."""
    if node.name.startswith("_") or node.returns is None:
        return False
    words = set(_names(node.returns))
    return bool(words & set(FORMULA)) and not words & set(PLAIN)


def _names(annotation: ast.AST) -> Iterator[str]:
    """Names in an annotation, but those inside ``Callable[...]``: a function is no formula."""
    if isinstance(annotation, ast.Subscript) and getattr(annotation.value, "id", "") == "Callable":
        return
    if isinstance(annotation, ast.Name):
        yield annotation.id
    for one in ast.iter_child_nodes(annotation):
        yield from _names(one)


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
            for name, key, (table, place) in entries(node):
                if f"{name}[{key}]" == self.name:
                    scale = ast.parse("__import__('altered').scaled", mode="eval").body
                    table.values[place] = ast.Call(scale, [table.values[place]], [])
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
            "law": getattr(room, "LAWS", ()),
            "activation": ("relu", "tanh"),
        }.get(parameter.name, ())
        found = [{**one, parameter.name: option} for one in found for option in options] or found
    return found


def red(topic: str, texts: dict[str, list[str]]) -> str:
    """The first derivation that fails its check or cannot be made, "" for none.

    `texts` is what the steps of each showed before: steps that show something else are asked first, as each that fails
    fails its derivation. Derivations that `texts` does not know of are added to it.
    """
    from widelimit.theory.errors import InfiniteMomentError

    made = {}
    for name, make in derivations(topic):
        try:
            made[name] = make()
        except InfiniteMomentError:  # no such theory of this activation, altered or not
            continue
        except Exception as error:
            return f"{name}: {type(error).__name__}"
        changed = fresh(made[name], texts.get(name, []))
        if found := failing(name, changed) if name in texts else "":
            return found
    for name, derivation in made.items():
        if found := failing(name, derivation):
            return found
        texts.setdefault(name, [str(step.equation) for step in derivation])
    return ""


def fresh(derivation: Any, before: Sequence[str]) -> Any | None:
    """The steps of a derivation that show something new, but derived ones, which need others; None for none."""
    shown = {step.name: str(step.equation) for step in derivation}
    new = [step for step in derivation if shown[step.name] not in before and step.kind != "derived"]
    return dataclasses.replace(derivation, steps=tuple(new)) if new else None


def failing(name: str, derivation: Any | None) -> str:
    """What a check says against a derivation, "" where it passes or where there is none."""
    try:
        if derivation is not None:
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
    """What the claims of a topic predict at the points of the quick preset, in the limit and at the least size.

    Two points a claim.
    """
    from widelimit.theory.topics import TOPICS
    from widelimit.validate import claims

    for claim in claims.load(topic) if topic in TOPICS else ():
        plan = claim.plans.get("quick") or next(iter(claim.plans.values()))
        for index in sorted({0, len(plan.points) - 1}):
            point = plan.points[index]
            yield f"{claim.id} {index}", functools.partial(claim.predict, point)
            if claim.predict_at is not None:
                yield (
                    f"{claim.id} {index} at size",
                    functools.partial(claim.predict_at, point, min(plan.sizes)),
                )


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


ENGINE = (  # what takes long to import and stands below all topics
    "numba", "scipy.special", "scipy.optimize", "scipy.stats", "sympy", "torch", "sklearn.base", "xarray",
    "widelimit.theory.calculus.derivation", "widelimit.theory.calculus.ensembles", "widelimit.numerics.compile",
    "widelimit.validate.harness.claim",
)  # fmt: skip


def prepared() -> None:
    """Import what takes long before any process is forked; nothing of a topic may be among it."""
    for name in ENGINE:
        importlib.import_module(name)
    from widelimit.theory.topics import EXTENDS, TOPICS

    rooms = tuple(f"widelimit.theory.{topic}" for topic in (*TOPICS, *EXTENDS))
    early = [name for name in sys.modules if name.startswith(rooms)]
    assert not early, f"imported before anything was altered: {early}"


def baseline(topics: Sequence[str]) -> dict[str, Any]:
    """What right theory predicts, each with its seconds; of the first topic also what is red, and what it shows."""
    texts: dict[str, list[str]] = {}
    found: dict[str, Any] = {"red": red(topics[0], texts), "texts": texts}
    return found | {name: one for topic in topics for name, one in predicted(topic).items()}


def predicted(topic: str) -> dict[str, tuple[Any, float]]:
    """What the examples and claims of a topic say, each with its seconds; nothing of those that fail."""
    found: dict[str, tuple[Any, float]] = {}
    for name, compute in (*predictions(topic), *doctests(topic)):
        start = time.process_time()
        value = outcome(compute)
        if not isinstance(value, str):
            found[f"{topic} {name}"] = (value, time.process_time() - start)
    return found


def noticed(
    topics: Sequence[str], right: Mapping[str, tuple[Any, float]], texts: dict[str, list[str]] | None,
    likely: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """What an altered theory moves, and what goes red (not asked without `texts`).

    Predictions are asked until one moves: those that are `likely` to, in this order, then the others, cheapest first.
    """
    said: dict[str, Any] = {"red": "" if texts is None else red(topics[0], texts), "moved": "", "tried": 0}
    said["seconds_red"] = round(time.process_time(), 1)  # of CPU time, as is "seconds_moved"
    every = {
        f"{topic} {name}": compute
        for topic in topics
        for name, compute in (*predictions(topic), *doctests(topic))
    }
    known = sorted(set(every) & set(right), key=lambda name: right[name][1])
    for name in sorted(known, key=lambda name: likely.index(name) if name in likely else len(likely)):
        said["tried"] += 1
        if differs(right[name][0], outcome(every[name])):
            said["moved"] = name
            break
    return said | {"seconds_moved": round(time.process_time() - said["seconds_red"], 1)}


def child(alteration: tuple[Path, str] | None, work: Callable[[], Any], cache: Path, limit: float) -> Any:
    """Do `work` in a forked process with a formula altered; what it returns, or {"error": ...} if it dies."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        try:
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_PROF, limit)
            os.environ["WIDELIMIT_CACHE"] = str(cache)
            if alteration is not None:
                sys.meta_path.insert(0, Altering(*alteration))
            with os.fdopen(writing, "w") as out:
                json.dump(work(), out)
        except BaseException as error:
            sys.stderr.write(f"{alteration}: {error!r}\n")
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    _, status = os.waitpid(pid, 0)
    if status or not text:
        late = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF
        return {"error": f"more than {limit:g} s of CPU time" if late else f"died with status {status}"}
    return json.loads(text)


def seeded(base: Path, cache: Path, topics: Sequence[str]) -> None:
    """Link what `base` keeps by expression: no derivations, no loops that compiled formulas are part of."""
    stale = ["*.json", "numerics-*", *(f"{topic}-*" for topic in topics if holds_formulas(topic))]
    shutil.rmtree(cache, ignore_errors=True)
    shutil.copytree(base, cache, copy_function=os.link, ignore=shutil.ignore_patterns(*stale))


def holds_formulas(topic: str) -> bool:
    """Whether machine code of a room's own functions calls compiled formulas, by their ``.njit``."""
    spec = importlib.machinery.PathFinder.find_spec("widelimit.numerics", _parents())
    places = spec.submodule_search_locations if spec is not None else None
    files = [file for place in places or () for file in Path(place, topic).rglob("*.py")]
    return any(re.search(r"(?<!numba)(?<!cache)\.njit\b", file.read_text()) for file in files)


def _parents() -> list[str]:
    import widelimit

    return list(widelimit.__path__)


def judged(
    where: tuple[Path, str], topics: Sequence[str], right: Mapping[str, tuple[Any, float]], place: Path,
    texts: dict[str, list[str]] | None, likely: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """What notices that one formula is altered."""
    cache = place / "altered"
    seeded(place / "base", cache, topics)
    try:
        return child(where, functools.partial(noticed, topics, right, texts, likely), cache, LIMIT)
    finally:
        shutil.rmtree(cache, ignore_errors=True)


LIMIT, BASELINE_LIMIT = 240.0, 900.0  # seconds of CPU time


def main(theory: str, topics: str, scratch: str, *names: str) -> None:
    """Alter each of the formulas `names` (none: all) of the first of `topics`, one after the other."""
    (own, *users), place = topics.split(","), Path(scratch)
    prepared()
    base = place / "base"
    base.mkdir(parents=True, exist_ok=True)
    base.chmod(0o700)
    right = child(None, functools.partial(baseline, [own]), base, BASELINE_LIMIT)
    if "error" in right:
        print(json.dumps({"baseline": {}, "red": f"the baseline {right['error']}"}), flush=True)
        return
    wrong, texts = right.pop("red"), right.pop("texts")
    print(json.dumps({"baseline": {k: v[1] for k, v in right.items()}, "red": wrong}), flush=True)
    theirs: dict[str, Any] | None = None
    likely: list[str] = []  # what moved for formulas before, the last first
    for where in formulas(Path(theory) / own):
        label = f"{where[0].stem}.{where[1]}"
        if names and not {where[1], label} & set(names):
            continue
        start = time.time()
        said = judged(where, [own], right, place, texts, likely)
        if users and not said.get("moved") and "error" not in said:
            if theirs is None:
                theirs = child(None, functools.partial(predicted_of, users), base, BASELINE_LIMIT)
            more = judged(where, [own, *users], theirs, place, None)
            said |= {"moved": more.get("moved", ""), "tried": said["tried"] + more.get("tried", 0)}
        likely = (
            [said["moved"], *(one for one in likely if one != said["moved"])] if said.get("moved") else likely
        )
        print(json.dumps({"formula": label, "seconds": round(time.time() - start, 1), **said}), flush=True)


def predicted_of(topics: Sequence[str]) -> dict[str, tuple[Any, float]]:
    """What several topics predict."""
    return {name: one for topic in topics for name, one in predicted(topic).items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
