"""The command line: exit statuses, one sentence for each bad request, JSON that is JSON, and what Ctrl-C leaves."""

import errno
import importlib
import inspect
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from widelimit.theory.errors import InternalError
from widelimit.theory.topics import TOPICS
from widelimit.validate.cli import main, options, progress

TOY = str(Path(__file__).parents[1] / "toy_claims.py")
EXECUTABLE = [sys.executable, "-c", "import sys; from widelimit.validate.cli import main; sys.exit(main())"]


def toy(name, out, *more):
    return [
        "validate",
        name,
        "--claims-from",
        TOY,
        "--jobs",
        "1",
        "--device",
        "cpu",
        "--out",
        str(out),
        *more,
    ]


def refused(capsys, argv, *words):
    """Run a command that must be refused in one clear sentence."""
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("widelimit: ") and err.count("\n") == 1 and "Traceback" not in err
    for word in words:
        assert word in err, err
    return err


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from widelimit.validate.cli import main; main(['--help']);"
        "heavy = {'torch', 'numba', 'scipy', 'matplotlib', 'xarray', 'sklearn', 'jinja2', 'numpy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]"), done.stdout[-200:]
    for command in ("list", "derive", "predict", "validate", "falsify", "report"):
        assert command in done.stdout


def test_list_knows_every_topic(capsys):
    assert main(["list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["topics"] == list(TOPICS)
    ids = [claim["id"] for claim in found["claims"]]
    assert "meanfield.length-map" in ids and len(ids) == len(set(ids))
    assert main(["list"]) == 0
    assert "meanfield.length-map" in capsys.readouterr().out


def test_predict_prints_one_flat_object(capsys):
    argv = ["predict", "meanfield", "--activation", "tanh", "--sigma-w", str(math.sqrt(2.5))]
    assert main([*argv, "--sigma-b", str(math.sqrt(0.05)), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # The worked values of the signal-propagation notes, from two independent integrations.
    expected = {
        "q_star": 1.0639583774168,
        "chi_1": 1.1335156987043,
        "xi_q": 1.179872916479,
        "c_star": 0.4468042323441,
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9), name
    assert found["phase"] == "chaotic" and found["stable"] is True


def test_predict_writes_infinity_as_text(capsys):
    assert (
        main(["predict", "meanfield", "--activation", "linear", "--sigma-w", "1", "--sigma-b", "0", "--json"])
        == 0
    )
    text = capsys.readouterr().out
    found = json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    assert float(found["xi_grad"]) == math.inf


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("verb", ["predict", "derive"])
def test_every_option_of_a_topic_says_what_it_is(topic, verb, capsys):
    assert main([verb, topic, "--help"]) == 0
    options = re.findall(r"│ --(\S+) [A-Z]+(?:\.{3})?  +(.*?) *│", capsys.readouterr().out)
    room = importlib.import_module(f"widelimit.{'theory' if verb == 'derive' else 'numerics'}.{topic}")
    assert options or not inspect.signature(getattr(room, verb)).parameters
    for name, text in options:
        assert text and not text.startswith("[default"), name


def test_predict_for_people(capsys):
    assert main(["predict", "meanfield", "--activation", "x*tanh(x)", "--sigma-w", "0.8"]) == 0
    assert "q_star" in capsys.readouterr().out


def test_topic_help_lists_its_own_options(capsys):
    assert main(["predict", "meanfield", "--help"]) == 0
    assert "--sigma-w" in capsys.readouterr().out


def test_derive(capsys, monkeypatch):
    from widelimit.theory import meanfield

    whole = meanfield.derive("relu")
    short = replace(whole, steps=whole.steps[:2])  # checking all of them takes longer than a test may
    monkeypatch.setattr(meanfield, "derive", lambda activation: short)
    assert main(["derive", "meanfield", "--activation", "relu", "--check"]) == 0
    out = capsys.readouterr().out
    assert "worst relative error" in out and short.steps[1].name in out
    assert main(["derive", "meanfield", "--activation", "relu", "--format", "latex"]) == 0
    assert r"\begin{align*}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["predict", "meanfeild"], ["Did you mean meanfield?"]),
        (["predict", "meanfield", "--activation", "tanhh"], ["tanhh", "tanh"]),
        (["predict", "meanfield", "--activation", "__import__('os')"], ["__import__"]),
        (["predict", "meanfield", "--activation", "x.__class__"], []),
        (["predict", "meanfield", "--activation", "x**(10**9)"], []),
        (["predict", "meanfield", "--activation", "exp(x**2)"], []),
        (["predict", "meanfield", "--activation", "+".join(["x"] * 5000)], []),
        (["predict", "meanfield", "--activation", "(" * 3000 + "x" + ")" * 3000], []),
        (
            ["predict", "meanfield", "--sigma-w", "-1"],
            ["Argument `sigma_w` must not be negative, but is -1.0."],
        ),
        (["predict", "meanfield", "--sigma-w", "nan"], ["Argument `sigma_w` must", "NaN"]),
        (
            ["predict", "meanfield", "--sigma-w", "big"],
            ["Argument `sigma_w` must be a number, but is 'big'."],
        ),
        (["predict", "meanfield", "--sigma", "1"], ["--sigma-w"]),
        (["predict", "jacobian", "--depth", "2.5"], ["Argument `depth` must be a whole number", "2.5"]),
        (["predict", "ridge", "--samples", "2.5"], ["Argument `samples` must hold whole numbers", "2.5"]),
        (
            ["validate", "meanfield.dropout", "--jobs", "1.5"],
            ["Argument `jobs` must be a whole number", "1.5"],
        ),
        (["predict", "meanfield", "--activation", "relu", "--sigma-w", "2"], ["fixed point"]),
        (["validate", "meanfield.lenght-map"], ["meanfield.length-map"]),
        (["validate", "--preset", "fast"], ["quick", "fast"]),
        (["validate", "--seed", "x"], ["Argument `seed` must be a whole number"]),
        (["falsify", "meanfield.nothing"], ["meanfield."]),
        (["derive", "meanfield", "--format", "pdf"], ["latex"]),
        (["lits"], ["list"]),
        (["validate", "toy.true", "--claims-from", "no_such_module"], ["no_such_module"]),
    ],
    ids=lambda value: " ".join(value)[:44] if isinstance(value, list) else "",
)
def test_wrong_requests(capsys, argv, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    refused(capsys, argv, *words)


@pytest.mark.parametrize(
    ("content", "word"),
    [("1,2\n3,four\n", "four"), ("1,2,3\n", "row"), ("1,2\nnan,4\n", "nan"), ("", "")],
    ids=["text", "one-row", "nan", "empty"],
)
def test_bad_input_files(capsys, tmp_path, content, word):
    path = tmp_path / "data.csv"
    path.write_text(content)
    refused(
        capsys,
        ["validate", "meanfield.length-map", "--inputs", str(path), "--out", str(tmp_path / "out")],
        word,
    )
    assert not (tmp_path / "out" / "index.html").exists()


def test_no_cuda(capsys, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused(capsys, ["validate", "toy.true", "--claims-from", TOY, "--device", "cuda"], "CUDA")


def test_folder_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("in the way")
    refused(capsys, toy("toy.true", tmp_path / "file"), "Argument `out`", "file")


def test_validate_writes_the_page_and_says_where(capsys, tmp_path):
    assert main(toy("toy.true", tmp_path)) == 0
    out, _ = capsys.readouterr()
    last = out.strip().splitlines()[-1]
    assert last == str(tmp_path / "index.html") and Path(last).is_file()
    assert "agrees" in out and "1/1" in out


def test_a_false_claim_exits_with_1_and_report_repeats_it(capsys, tmp_path):
    assert main(toy("toy.false", tmp_path, "--json")) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["claims"][0]["verdict"] == "disagrees"
    page = (tmp_path / "index.html").read_text()
    (tmp_path / "index.html").unlink()
    assert main(["report", str(tmp_path)]) == 1
    assert (tmp_path / "index.html").read_text() == page
    capsys.readouterr()
    path = tmp_path / "report.json"
    path.write_text(path.read_text()[:500])
    refused(capsys, ["report", str(tmp_path)], "cannot be read", "report.json")
    refused(capsys, ["report", str(tmp_path / "nothing")], "report.json")
    assert main(toy("toy.false", tmp_path, "--quiet")) == 1, "stored cells bring the report back"
    assert json.loads(path.read_text())["run"]["cells"]["computed"] == 0


def test_falsify(capsys):
    argv = ["--claims-from", TOY, "--device", "cpu", "--budget", "12", "--json", "--quiet"]
    assert main(["falsify", "toy.half-true", *argv]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["counterexample"]["a"] > 2.0
    assert main(["falsify", "toy.exact", *argv]) == 0
    assert json.loads(capsys.readouterr().out)["counterexample"] is None


def test_a_users_claim_that_fails_is_not_our_bug(capsys, tmp_path):
    assert main(toy("toy.failing", tmp_path)) == 2
    assert f"in {TOY}, line " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (
            ZeroDivisionError("by design"),
            3,
            "bug of widelimit, not your input: ZeroDivisionError: by design (",
        ),
        (ValueError("two\nlines\x1b"), 3, "ValueError: two lines\ufffd (test_cli.py, line "),
        (RecursionError("too deep"), 3, "RecursionError: too deep"),
        (SystemExit(1), 3, "SystemExit: 1"),
        (MemoryError(), 3, "Memory ran out."),
        (OSError(errno.ENOTDIR, "no folder", "x"), 3, "NotADirectoryError"),
        (
            OSError(errno.ENOSPC, "No space left on device", "x"),
            2,
            "The machine refuses: no space left on device: x.",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "x"),
            2,
            "The machine refuses: permission denied: x.",
        ),
        (InternalError("Odd."), 3, "This is a bug of widelimit, not your input: Odd."),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (BrokenPipeError(), 0, ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_whatever_is_raised_ends_with_one_sentence_and_a_status(capsys, monkeypatch, error, status, words):
    def raising(*args, **more):
        raise error

    monkeypatch.setattr("widelimit.validate.cli.output.abandon", lambda: None)
    monkeypatch.setattr("widelimit.validate.cli.options.topic_function", raising)
    assert main(["predict", "meanfield"]) == status
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == bool(words) and "Traceback" not in err


def test_the_traceback_is_there_for_those_who_ask(tmp_path):
    code = (
        "import sys; from widelimit.validate.cli import main, theory\n"
        "theory.options.topic_function = None\n"
        "sys.exit(main(['predict', 'meanfield']))"
    )
    for level, there in (("", False), ("debug", True)):
        environment = os.environ | {"WIDELIMIT_LOG": level}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        assert done.returncode == 3 and ("Traceback" in done.stderr) is there, done.stderr


SLOW = """
import importlib.util
from functools import partial

from widelimit.validate.claim import Plan

spec = importlib.util.spec_from_file_location("toy_of_slow", {toy!r})
toy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toy)
plan = Plan(toy.POINTS[:1], toy.SIZES, pilot=8, most=8, block=8)
CLAIMS = (toy.claim("steady", simulate=partial(toy.slow, seconds=1.0), plans={{"quick": plan}}),)
"""


def test_interrupt_keeps_what_is_done(tmp_path):
    claims, out = tmp_path / "claims.py", tmp_path / "out"
    claims.write_text(SLOW.format(toy=TOY))
    command = [*EXECUTABLE, *toy("toy.steady", out)]
    command[command.index(TOY)] = str(claims)
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (out / "manifest.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.6)  # one of three cells is done, the second under way
    os.kill(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert "Traceback" not in err and "run the same command again" in err
    again = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert again.returncode in (0, 1), again.stderr
    assert json.loads((out / "report.json").read_text())["run"]["cells"]["reused"] >= 1


def test_options_come_from_any_function():
    def function(
        activation: str, *, depth: int = 3, spectrum: "list[float] | None" = None, deep: bool = False
    ):
        """Something.

        Args:
            depth: how deep.
        """

    assert options.bind(function, [], "x") == {"activation": "tanh"}
    tokens = ["--activation", "relu", "--depth", "5", "--spectrum", "1", "2.5", "--deep"]
    assert options.bind(function, tokens, "x") == {
        "activation": "relu",
        "depth": 5,
        "spectrum": [1.0, 2.5],
        "deep": True,
    }


def test_progress_lines_are_rare_and_say_how_long(capsys):
    times = iter([0.0, 1.0, 25.0, 25.0, 26.0])
    watch = progress._lines(lambda: next(times))
    watch(1, 10, "first", 1.0)
    watch(5, 10, "second", 25.0)
    watch(6, 10, "third", 26.0)
    assert capsys.readouterr().err == "5/10 cells, about 25 s left: second\n"


def test_predict_writes_a_picture_and_numbers(tmp_path, capsys):
    picture, table = tmp_path / "p.svg", tmp_path / "n.csv"
    command = ["predict", "meanfield", "--sigma-w", "1.5", "--plot", str(picture), "--save", str(table)]
    assert main(command) == 0
    assert picture.read_text().count("<svg") == 1 and "squared gradient" in picture.read_text()
    names, values = (line.split(",") for line in table.read_text().splitlines()[:2])
    q_star = float(dict(zip(names, values, strict=True))["q_star"])
    assert q_star == pytest.approx(0.8133223269, abs=1e-10)
    assert "q_star" in capsys.readouterr().out  # what is printed stays


@pytest.mark.parametrize(
    "option, name, must",
    [
        ("--plot", "p.gif", "Argument `plot` must end in .svg, .png or .pdf, but is"),
        ("--save", "n.xlsx", "Argument `save` must end in .csv, but is"),
        ("--save", "none/n.csv", "Argument `save` must lie in a folder that exists"),
    ],
)
def test_predict_refuses_files_that_it_cannot_write_before_it_computes(tmp_path, capsys, option, name, must):
    assert main(["predict", "meanfield", option, str(tmp_path / name)]) == 2
    assert must in capsys.readouterr().err and not list(tmp_path.iterdir())
