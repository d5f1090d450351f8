"""A user's claims: whatever their samples are made by, in whichever file, a change of it draws their cells anew."""

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from widelimit.numerics.compile.cache import files
from widelimit.validate.harness import finding
from widelimit.validate.harness.provenance import code as provenance
from widelimit.validate.harness.provenance import fingerprint
from widelimit.validate.run import validate

TOY = str(Path(__file__).parents[1] / "toy_claims.py")
CLAIMS = """
import numpy as np
from functools import partial
from widelimit.validate.claim import Choice, Claim, Counterfactual, Plan
import near_helper
from near_package.inner import deep


def predict(inputs):
    return np.array([2.0])


def simulate(inputs, size, seeds, backend):
    import near_late

    return np.array([[near_helper.number(seed) + deep.shift() + near_late.nothing()] for seed in seeds])


CLAIMS = (
    Claim("near.mean", "t", "s", "p", {"a": Choice((1.0,))},
          {"quick": Plan(points=({"a": 1.0},), sizes=(), pilot=2, most=2, block=2)}, predict, simulate,
          (Counterfactual("w", "e", lambda inputs: np.array([3.0])),), margin=0.5),
)
"""
FILES = {
    "near_claims.py": CLAIMS,
    "near_helper.py": "import near_below\n\n\ndef number(seed):\n    return near_below.TWO + seed % 7 * 1e-3\n",
    "near_below.py": "TWO = 2.0  # two\n",
    "near_late.py": "def nothing():\n    return 0.0\n",
    "near_package/__init__.py": "LEVEL = 0\n",
    "near_package/inner/__init__.py": "",
    "near_package/beside.py": "import importlib as i\n\ndata = i.import_module('near_' + 'named')\nZERO = data.ZERO\n",
    "near_named.py": "ZERO = 0.0\n",
    "near_unrelated.py": "X = 1\n",
}
FILES["near_package/inner/deep.py"] = "from .. import beside\n\n\ndef shift():\n    return beside.ZERO\n"


def forget():
    for name in [name for name in sys.modules if name.startswith(("near_", "widelimit_claims_"))]:
        del sys.modules[name]
    sys.path_importer_cache.clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, text in FILES.items():
        path = tmp_path / "claims" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    forget()
    yield tmp_path / "claims"
    forget()


def run(folder):
    """What a process finds that starts now: how many cells are computed, and the number measured."""
    forget()
    out = validate(
        "near.*",
        out=folder.parent / "out",
        device="cpu",
        jobs=1,
        claims_from=[str(folder / "near_claims.py")],
        report=False,
    )
    return out.manifest["cells"]["computed"], round(out.claims[0].rows[0].measured, 2)


def test_a_helper_of_a_helper_draws_cells_anew(folder):
    assert run(folder) == (1, 2.0)
    assert run(folder) == (0, 2.0)
    (folder / "near_below.py").write_text("TWO = 2.1  # two\n")
    assert run(folder) == (1, 2.1)
    assert run(folder) == (0, 2.1)


def test_one_byte_in_any_file_that_was_imported(folder):
    def now():
        forget()
        return fingerprint(finding.find("near.mean", [str(folder / "near_claims.py")]))

    before = now()
    for name in FILES:
        path = folder / name
        text = path.read_text()
        path.write_text(text + "#")
        assert (now() != before) == (name != "near_unrelated.py"), name
        path.write_text(text)
    assert now() == before


def test_the_folder_itself_does_not_matter(folder):
    before = fingerprint(finding.find("near.mean", [str(folder / "near_claims.py")]))
    moved = folder.rename(folder.with_name("moved"))
    forget()
    sys.path.remove(str(folder))
    assert fingerprint(finding.find("near.mean", [str(moved / "near_claims.py")])) == before


def test_comments_of_widelimit_do_not_count(tmp_path, monkeypatch):
    text = '"""What it is."""\n\n\ndef f(x):\n    """Return it."""\n    return x + 1\n'
    said = {}
    for name, changed in {
        "same": text,
        "comment": text.replace("x + 1", "x + 1  # why"),
        "look": text.replace("x + 1", "(\n        x + 1\n    )"),
        "docstring": text.replace("Return it", "Return more"),
        "code": text.replace("x + 1", "x + 2"),
        "name": text.replace("def f", "def g"),
    }.items():
        (tmp_path / f"{name}.py").write_text(changed)
        said[name] = provenance._code(tmp_path / f"{name}.py")
    assert said["same"] == said["comment"] == said["look"] == said["docstring"]
    assert len(set(said.values())) == 3

    toy, asked = finding.find("toy.true", [TOY]), []
    monkeypatch.setattr(provenance, "_code", lambda file: asked.append(file) or "")
    monkeypatch.setattr(provenance, "_bytes", lambda file: asked.append(file.name) or "")
    fingerprint(toy)
    assert "toy_claims.py" in asked and files.file_of("widelimit.validate.harness.seeds") in asked
    assert all(isinstance(one, str) or "widelimit" in one.parts for one in asked)


FACTOR = 2.0


@dataclass
class Settings:
    width: int
    table: np.ndarray


class Simulation:
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, inputs, size, seeds, backend):
        return np.full((len(seeds), 2), self.rate)

    def method(self, *args):
        return self(*args)


def closing_over(value):
    def simulate(inputs, size, seeds, backend):
        return np.full((len(seeds), 2), value)

    return simulate


def with_default(value):
    def simulate(inputs, size, seeds, backend, extra=value):
        return np.full((len(seeds), 2), extra)

    return simulate


def named(value, monkeypatch):
    monkeypatch.setitem(globals(), "FACTOR", value)
    return by_name


def by_name(inputs, size, seeds, backend):
    return np.full((len(seeds), 2), helper())


def helper():
    return FACTOR


def typed(constant):
    scope = {"__name__": "session"}  # a notebook: there is no file
    exec(f"def simulate(inputs, size, seeds, backend):\n    return {constant}\n", scope)
    return scope["simulate"]


@pytest.mark.parametrize(
    "make",
    [
        lambda v, _: closing_over(v),
        lambda v, _: closing_over([{"a": (1, v)}]),
        lambda v, _: closing_over(np.array([1.0, v])),
        lambda v, _: closing_over(Settings(3, np.array([v]))),
        lambda v, _: closing_over(closing_over(v)),
        lambda v, _: with_default(v),
        lambda v, _: partial(closing_over(0), backend=v),
        lambda v, _: partial(closing_over(0), backend=partial(closing_over(v), 3)),
        lambda v, _: Simulation(v),
        lambda v, _: Simulation(v).method,
        lambda v, _: typed(v),
        named,
    ],
)
def test_what_is_bound_counts_by_value(make, monkeypatch):
    toy = finding.find("toy.true", [TOY])

    def found(value):
        with monkeypatch.context() as patch:
            return fingerprint(replace(toy, simulate=make(value, patch)))

    assert found(0.5) == found(0.5)
    assert found(0.5) != found(0.25)


def test_tensors_and_expressions_count_by_value():
    import sympy
    import torch

    toy = finding.find("toy.true", [TOY])
    for one, same, other in (
        (torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True), torch.zeros(3)),
        (sympy.Symbol("x") ** 2, sympy.Symbol("x") ** 2, sympy.Symbol("x") ** 3),
        ({1, 2}, {2, 1}, {1, 3}),
        (np.exp, np.exp, np.sin),
        (max, max, min),
    ):
        prints = [fingerprint(replace(toy, simulate=closing_over(value))) for value in (one, same, other)]
        assert prints[0] == prints[1] != prints[2]
