"""Users' own modules of claims, whatever is wrong with them: one sentence with file, line and claim, exit status 2."""

import sys
from pathlib import Path

import pytest

from widelimit.theory.errors import ArgumentError
from widelimit.validate.cli import main
from widelimit.validate.harness import finding
from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Interval, Plan

TOY = str(Path(__file__).parents[1] / "toy_claims.py")
HEAD = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("toy_of_users", {TOY!r})
toy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toy)
import numpy as np
claim = toy.claim
"""
BODY_STARTS = HEAD.count("\n") + 1


def refused(capsys, argv, *words):
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("widelimit: ") and err.count("\n") == 1 and "Traceback" not in err
    for word in words:
        assert word in err, err


def on(path, *more):
    return [
        "validate",
        "toy.*",
        "--claims-from",
        str(path),
        "--out",
        str(path) + ".out",
        "--jobs",
        "1",
        *more,
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x = 1\ndef f(:\n", ["line 2", "is no Python: invalid syntax"]),
        ("x = 1\x00\n", ["is no Python"]),
        (b"# -*- coding: nonsense -*-\n", ["is no Python", "nonsense"]),
        (b"x = '\xff'\n", ["is no Python"]),
        ("\n\n1 / 0\n", ["line 3", "raises ZeroDivisionError: division by zero"]),
        ("import sys\nsys.exit(7)\n", ["line 2", "ends the program (sys.exit(7))"]),
        ("raise SystemExit\n", ["line 1", "ends the program"]),
        ("def f():\n    return f()\nf()\n", ["line 2", "RecursionError"]),
        ("raise MemoryError\n", ["line 1", "MemoryError"]),
        ("import no_such_module_at_all\n", ["line 1", "ModuleNotFoundError", "no_such_module_at_all"]),
        ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E\n", ["line 3", "raises E"]),
        ("raise ValueError('two\\nlines \\x1b[31m')\n", ["ValueError: two lines \ufffd[31m"]),
        ("", ["must expose CLAIMS"]),
        ("CLAIMS = None\n", ["must expose CLAIMS"]),
        ("CLAIMS = 5\n", ["Argument `CLAIMS` must be a tuple of claims", "of type int"]),
        ("CLAIMS = 'text'\n", ["of type str"]),
        ("CLAIMS = {}\n", ["of type dict"]),
        ("CLAIMS = ('not a claim',)\n", ["holds 'not a claim'"]),
        ("CLAIMS = ()\n", ["Argument `claims` must match a claim"]),
    ],
)
def test_modules_that_cannot_be_imported(capsys, tmp_path, content, words):
    path = tmp_path / "mine.py"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(capsys, on(path), *words)
    assert str(path) not in sys.modules and not Path(str(path) + ".out").exists()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("CLAIMS = claim('one')", ["Write CLAIMS = (claim,)."]),
        ("CLAIMS = [claim('one'), claim('one')]", ["toy.one is twice"]),
        ("CLAIMS = [claim('a b')]", [f"line {BODY_STARTS}", "Argument `id`", "'toy.a b'"]),
        ("CLAIMS = [claim('one', title=5)]", [f"line {BODY_STARTS}", "Argument `title` must be", "is 5"]),
        ("CLAIMS = [claim('one', predict=3)]", ["Argument `predict` must be a function"]),
        ("CLAIMS = [claim('one', margin=float('nan'))]", ["Argument `margin` must be a positive number"]),
        ("CLAIMS = [claim('one', margin=10**400)]", ["Argument `margin`"]),
        (
            "CLAIMS = [claim('one', plans={'fast': toy.Plan(toy.POINTS, ())})]",
            ["quick, reference, deep", "'fast'"],
        ),
        (
            "CLAIMS = [claim('one', plans={'quick': toy.Plan(({'a': [1]},), ())})]",
            ["Argument `points`", "[1]"],
        ),
        ("CLAIMS = [claim('one', plans={'quick': toy.Plan({'a': 1}, ())})]", ["a comma behind a single one"]),
        (
            "CLAIMS = [claim('one', plans={'quick': toy.Plan(({'a': float('inf')},), ())})]",
            ["finite numbers"],
        ),
        ("CLAIMS = [claim('one', counterfactuals=(toy.OFF, toy.OFF))]", ["names that differ"]),
        ("CLAIMS = [claim('one', domain={'a': (0, 1)})]", ["Argument `domain`", "Interval"]),
    ],
)
def test_claims_that_cannot_be_made(capsys, tmp_path, body, words):
    path = tmp_path / "mine.py"
    path.write_text(HEAD + body)
    refused(capsys, on(path), *words)


def failing(role, body, what, more=0, arguments="i", change=None):
    """A claim whose function of this role does something; `more`: lines below its head that the message names."""
    change = change or f"{role.strip('`')}=f"
    return f"def f({arguments}):\n    {body}\nCLAIMS = [claim('one', {change})]", role, what, more


OFF = "counterfactuals=[toy.Counterfactual('off', '', f)]"
RUNS = {
    "raises": failing(
        "`predict`", "return 1 / 0", "raised ZeroDivisionError: division by zero, at a=1.0, b=2.", 1
    ),
    "exits": failing("`predict`", "raise SystemExit(1)", "raised SystemExit: 1", 1),
    "recursion": failing("`predict`", "return f(i)", "raised RecursionError", 1),
    "key": failing("`predict`", "return i['none']", "raised KeyError: 'none'", 1),
    "shape": failing("`predict`", "return np.ones(3)", "shape (3,), but `rows` names 2"),
    "nan": failing("`predict`", "return [1, np.nan]", "not finite"),
    "text": failing("`predict`", "return ['a', 'b']", "returned text"),
    "none": failing("`predict`", "return None", "NoneType"),
    "complex": failing("`predict`", "return [1j, 2]", "returned complex numbers"),
    "ragged": failing("`predict`", "return [1, [2]]", "no array of numbers"),
    "rows": failing("`rows`", "return 5", "returned int"),
    "label": failing("`rows`", "return [{'a': []}] * 2", "must map names to numbers"),
    "scale": failing("`scale`", "return -i", "positive numbers"),
    "wrong": failing("`off.predict`", "return [1]", "shape (1,)", change=OFF),
    "simulate": failing(
        "`simulate`",
        "raise OSError('no file')",
        "raised OSError: no file, at a=1.0, b=2, size 200.",
        1,
        "i, n, s, b",
    ),
    "samples": failing("`simulate`", "return 'text'", "returned text", 0, "i, n, s, b"),
    "columns": failing("`simulate`", "return np.ones((len(s), 3))", "3 numbers a replicate", 0, "i, n, s, b"),
}


@pytest.mark.parametrize("case", RUNS)
def test_functions_of_a_claim_that_fail(capsys, tmp_path, case):
    body, role, what, more = RUNS[case]
    path = tmp_path / "mine.py"
    path.write_text(HEAD + body)
    place = f"`f` in {path}, line {BODY_STARTS + more})"
    refused(capsys, on(path), "Claim toy.one cannot be used", role, place, what)


def test_falsify_tells_the_same(capsys, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(HEAD + "def f(i):\n    return i.none\nCLAIMS = [claim('one', valid=f)]")
    argv = ["falsify", "toy.one", "--claims-from", str(path), "--device", "cpu", "--budget", "2"]
    refused(
        capsys, argv, "Claim toy.one", "`valid`", f"`f` in {path}, line {BODY_STARTS + 1})", "AttributeError"
    )


def test_a_claim_of_ours_that_fails_is_a_bug_of_ours(capsys, monkeypatch, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(HEAD + RUNS["raises"][0])
    monkeypatch.setattr("widelimit.validate.harness.faults.ours", lambda function: True)
    assert main(on(path)) == 3
    assert "This is a bug of widelimit, not your input: Claim toy.one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("absent.py", ["absent.py is not there"]),
        ("folder", ["folder is a folder"]),
        ("folder.py", ["folder.py is a folder"]),
        ("claims.txt", ["is a file of another kind"]),
        ("a..b", ["'a..b'"]),
        (".relative", ["'.relative'"]),
        ("", ["''"]),
        ("no such module", ["'no such module'"]),
        ("math", ["must expose CLAIMS"]),
        ("antigravity_of_nobody.claims", ["antigravity_of_nobody"]),
    ],
)
def test_places_without_claims(capsys, tmp_path, monkeypatch, place, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "claims.txt").write_text("CLAIMS = ()")
    refused(capsys, ["validate", "toy.*", "--claims-from", place], *words)


def test_modules_by_name_fail_alike(capsys, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "users_broken.py").write_text("x = 1\n1 / 0\n")
    refused(capsys, ["list", "--claims-from", "users_broken"], "users_broken, line 2,", "ZeroDivisionError")


def test_ids_that_clash_with_ours(capsys, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        HEAD + "import dataclasses\nCLAIMS = [dataclasses.replace(claim('x'), id='meanfield.dropout')]"
    )
    argv = ["validate", "meanfield.dropout", "--claims-from", str(path)]
    refused(capsys, argv, "meanfield.dropout is in widelimit.validate.claims.meanfield and in", str(path))


def test_what_a_module_prints_does_not_spoil_json(capsys, tmp_path):
    import json

    path = tmp_path / "mine.py"
    path.write_text(HEAD + "print('hello')\nCLAIMS = [claim('one')]")
    assert main(["list", "--json", "--claims-from", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "toy.one" in [one["id"] for one in json.loads(out)["claims"]] and err == "hello\n"


def test_a_topic_of_a_users_own_is_a_pattern():
    assert [claim.id for claim in finding.load("toy", TOY)][:2] == ["toy.true", "toy.false"]


def test_texts_are_cleaned_when_a_claim_is_made():
    made = finding.find("toy.true", [TOY])
    from dataclasses import replace

    odd = replace(made, title="a\nb\tc \x1b\x00\udc80", statement="x" * 10**6, notes="\u202eevil")
    assert (
        odd.title == "a b c \ufffd\ufffd\ufffd" and len(odd.statement) == 4000 and odd.notes == "\ufffdevil"
    )
    assert Counterfactual("a\x07", "b\x1b", abs).name == "a\ufffd"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Plan(points=5, sizes=()),
        lambda: Plan(points=(), sizes=(1.5,)),
        lambda: Plan(points=(), sizes=(), pilot=True),
        lambda: Plan(points=({1: 2},), sizes=()),
        lambda: Interval("0", 1.0),
        lambda: Choice(()),
        lambda: Choice("ab"),
        lambda: Counterfactual("a", "b", 5),
        lambda: Claim("a.b", "", "", "", [], {}, abs, abs, ()),
        lambda: Claim("a.b", "", "", "", {}, {}, abs, abs, (), location="mode"),
        lambda: Claim("", "", "", "", {}, {}, abs, abs, ()),
    ],
)
def test_records_of_other_kinds_are_refused(make):
    with pytest.raises(ArgumentError, match=r"Argument `\w+` must"):
        make()


def test_numbers_of_numpy_in_points_become_pythons():
    import numpy as np

    (point,) = Plan(points=({"a": np.float64(1.5), "n": np.int64(3)},), sizes=()).points
    assert [type(value) for value in point.values()] == [float, int]
