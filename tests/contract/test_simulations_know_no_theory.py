"""Simulations know nothing of theory but activations as functions: what both sides share, no run can find wrong.

Read from the sources: files under `validate/simulate`, whatever of `validate` they import, and the functions of claims
that simulate, with all that these call. `DEBTS` are claims whose simulation still asks theory for something; a line
that is no longer needed fails.
"""

import ast
import functools
import inspect
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
import torch

from widelimit.theory.topics import EXTENDS, TOPICS
from widelimit.validate.harness.drawing.functions import activation_function, derivative_function
from widelimit.validate.harness.finding import load
from widelimit.validate.harness.replicates import Replicates

ROOT = Path(__file__).parents[2] / "validate/widelimit/validate"
# the records of layers that networks are described by, and the modules that torch builds from them
RECORDS = {
    "widelimit.theory.architecture": "simulate/architecture.py and network: kinds of layers, no kernels"
}
# tools for users that simulations run because they are what is tested, and what these read
TOOLS = {
    "alignment/change.py": "rules of learning, whose checks of arguments are those of numerics",
    "network/advice_rules.py": "advice, which is what is tested",
    "network/graph/attention.py": "what advice reads modules by",
    "network/graph/functions.py": "what advice reads modules by",
    "network/rates.py": "stands in the room of users' networks",
    "network/result.py": "stands in the room of users' networks",
    "pruning/methods.py": "methods of pruning, whose schedule is that of numerics",
    "recurrence/cells.py": "cells that are tested, whose expectations and checks are those of numerics",
    "representation/penalty.py": "a penalty whose codes are those of theory",
    "representation/recorded.py": "an estimator from recordings, which numerics holds",
    "robustness/first_layer.py": "a report on modules, whose statistics of weights are those of numerics",
    "spiking/neurons.py": "layers, whose checks of time constants are those of numerics",
}
DEBTS = {
    "representation.corrected-exponent": "the estimator that is tested is one of numerics",
    "alignment.divergence": "asks numerics where learning diverges",
    "meanfield.depth-scale": "networks start at the fixed point of theory, and are followed for a share of its xi_c",
    "meanfield.gradient-norm": "networks run at the fixed point of theory",
    "meanfield.trainability": "the regression is on the xi_c of theory",
    "network.exponents": "what is ranked are networks by the exponents of theory, against what they learn",
    "shaping.targets": "the activation that is tested has the parameters of numerics",
    "shaping.limit-map": "the activation that is tested has the parameters of numerics",
    "shaping.leaky": "the activation that is tested has the parameters of numerics",
    "shaping.trains-deep": "the activation that is tested has the parameters of numerics",
    "spectra.edge": "largest eigenvalues are counted from the edge of theory",
    "spectra.detection": "the test that is tested has the critical eigenvalue of numerics",
    "freeprob.addition": "the distribution is read at shares of the support of theory",
    "freeprob.multiplication": "the distribution is read at shares of the support of theory",
    "freeprob.compression": "the distribution is read at shares of the support of theory",
}  # fmt: skip


def forbidden(module: str) -> bool:
    """Whether a module of widelimit is a topic of theory or numerics."""
    floor, _, rest = module.removeprefix("widelimit.").partition(".")
    topics = {*TOPICS, *EXTENDS}
    known = any(module == one or module.startswith(f"{one}.") for one in RECORDS)
    return floor in ("theory", "numerics") and rest.partition(".")[0] in topics and not known


def imported(tree: ast.AST) -> Iterator[str]:
    """Modules that a piece of code imports, `from a import b` as both a and a.b; not those for types alone."""
    skipped = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(module: str) -> Path | None:
    """The file of a module of `widelimit.validate`, None for others."""
    if not module.startswith("widelimit.validate."):
        return None
    path = ROOT.joinpath(*module.split(".")[2:])
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


@functools.cache
def reached(file: Path) -> frozenset[Path]:
    """A file, and those of `validate` that it imports, directly or by way of others."""
    found, waiting = {file}, [file]
    while waiting:
        for module in imported(ast.parse(waiting.pop().read_text(encoding="utf-8"))):
            further = file_of(module)
            if further is not None and further not in found:
                found.add(further)
                waiting.append(further)
    return frozenset(found)


def asks(file: Path) -> set[str]:
    """Topics that a file imports."""
    return {one for one in imported(ast.parse(file.read_text(encoding="utf-8"))) if forbidden(one)}


def test_no_simulation_imports_what_draws():
    """`provenance.code` does not follow imports there: a page can change without a sample being drawn again."""
    drawing = {ROOT / "report", ROOT / "pictures"}
    reaching = {
        str(one.relative_to(ROOT))
        for file in (ROOT / "simulate").rglob("*.py")
        for one in reached(file)
        if drawing & set(one.parents)
    }
    assert reaching == {"report/machine.py"}  # strict JSON, which advice on a user's network is written in


@pytest.mark.parametrize(
    "file", sorted((ROOT / "simulate").rglob("*.py")), ids=lambda file: str(file.relative_to(ROOT))
)
def test_no_simulation_imports_a_topic(file):
    asking = {str(one.relative_to(ROOT)): asks(one) for one in reached(file) if asks(one)}
    assert {name: topics for name, topics in asking.items() if name not in TOOLS} == {}


def test_tools_are_still_asking():
    assert {name for name in TOOLS if not asks(ROOT / name)} == set(), "no exceptions by now"


def parts(value: Any) -> Iterator[Any]:
    """The functions that a claim's `simulate` is made of."""
    if isinstance(value, Replicates):
        yield from parts(value.simulate)
        yield from parts(value.start)
    elif isinstance(value, functools.partial):
        yield from parts(value.func)
        for one in (*value.args, *value.keywords.values()):
            yield from parts(one)
    elif hasattr(value, "__wrapped__"):
        yield from parts(value.__wrapped__)
    elif isinstance(value, FunctionType):
        yield value


def named(function: FunctionType) -> Iterator[Any]:
    """What a function names of its module: functions, and attributes of modules."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield function.__globals__.get(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = function.__globals__.get(node.value.id)
            if isinstance(owner, ModuleType):
                yield getattr(owner, node.attr, None)


def of_theory(claim: Any) -> set[str]:
    """Topics of theory and numerics that the simulation of a claim imports, in all that it calls of the claims."""
    waiting, seen, found = list(parts(claim.simulate)), set(), set()
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        own = [
            one for one in imported(ast.parse(textwrap.dedent(inspect.getsource(function)))) if forbidden(one)
        ]
        found |= set(own)
        for value in named(function):
            module = (
                value.__name__ if isinstance(value, ModuleType) else str(getattr(value, "__module__", ""))
            )
            if module.startswith("widelimit.") and forbidden(module):
                found.add(module)
            if ".claims." in module:
                waiting += parts(value)
    return found


def test_simulations_of_claims_ask_no_theory():
    asking = {claim.id for claim in load(("*",)) if of_theory(claim)}
    assert asking - set(DEBTS) == set()
    assert set(DEBTS) - asking == set(), "paid by now"


def _asks_inside(inputs, size, seed, backend):
    from widelimit.numerics import ridge

    return ridge.solve(1.0, sample_ratio=1.0).test_error


def test_what_asks_is_found():
    import widelimit.validate.claims.meanfield.started as started

    one = types.SimpleNamespace(simulate=functools.partial(Replicates(_asks_inside)))
    assert of_theory(one) == {"widelimit.numerics.ridge"}
    by_others = of_theory(types.SimpleNamespace(simulate=started.rates))  # by way of `solution` beside it
    assert by_others == {"widelimit.numerics.meanfield"}


# --- the second road to torch ---------------------------------------------------------------------------------------

F = torch.nn.functional
OWN = {
    "tanh": torch.tanh, "relu": torch.relu, "gelu": F.gelu, "silu": F.silu, "erf": torch.erf, "sin": torch.sin,
    "hard_tanh": F.hardtanh, "arctan": torch.atan, "leaky_relu(0.3)": lambda x: F.leaky_relu(x, 0.3),
    "leaky_relu(0.2)": lambda x: F.leaky_relu(x, 0.2),
    "erf_s": lambda x: torch.erf(x * torch.pi**0.5 / 2), "x/sqrt(1 + x**2)": lambda x: x * (1 + x * x).rsqrt(),
    "x*tanh(x)": lambda x: x * torch.tanh(x), "linear": lambda x: 1.0 * x,
    "erf(x)": torch.erf, "exp": torch.exp, "softplus": lambda x: F.softplus(x, threshold=700),
    "relu(x - 0.5)": lambda x: torch.relu(x - 0.5), "exp(0.7*x - 1)": lambda x: torch.exp(0.7 * x - 1),
    "heaviside(x - 0.3)": lambda x: (x > 0.3).to(x) + 0 * x,
}  # fmt: skip


def test_activations_of_claims_are_torch_s_own():
    """What is printed from SymPy for simulations, against functions that torch has: values and slopes."""
    used = {
        str(inputs["activation"])
        for claim in load(("*",))
        for plan in claim.plans.values()
        for inputs in plan.points
        if "activation" in inputs
    }
    points = torch.cat([torch.linspace(-6, 6, 97, dtype=torch.float64) + 0.01, torch.tensor([-300.0, 300.0])])
    missing = {name for name in used if name not in OWN}
    assert missing <= {"shifted_relu"}, missing
    for name in used - missing:
        own = points.clone().requires_grad_()
        OWN[name](own).sum().backward()
        assert torch.allclose(activation_function(name)(points), OWN[name](points), rtol=1e-12, atol=1e-13), (
            name
        )
        assert torch.allclose(derivative_function(name)(points), own.grad, rtol=1e-10, atol=1e-12), name
