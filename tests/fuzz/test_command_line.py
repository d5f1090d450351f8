"""The command line, tried with words of all kinds: a status of 0, 1 or 2, one sentence where it is 2, and no traceback.

As in `test_functions`, WIDELIMIT_FUZZ is the number of examples of a search by hand.
"""

import importlib.util
import inspect
import io
import os
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from widelimit.theory.topics import TOPICS
from widelimit.validate.cli import main, options

EXAMPLES = int(os.environ.get("WIDELIMIT_FUZZ", "0"))
SHORT = {"predict": 30, "derive": 20, "rest": 40}
TOY = str(Path(__file__).parents[1] / "validate" / "toy_claims.py")

WORDS = (
    *(
        "",
        "0",
        "-1",
        "1",
        "2",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "1e-400",
        "0x10",
        "1_000",
        "１",
        "9" * 400,
        "1,2",
        "[1]",
    ),
    *(
        "relu",
        "tanh",
        "x**3",
        "1/x",
        "exp(x**2)",
        "x^2",
        "σ",
        "text",
        "x" * 5000,
        "(" * 400,
        "__import__('os')",
    ),
    *(
        "a\x1b[31mb",
        "\udc80",
        "\u202eevil",
        "a\nb",
        "--",
        "-",
        "--json",
        "--help",
        "-h",
        "--version",
        "--nope",
        "*",
        "/",
    ),
    *(
        "orthogonal",
        "gaussian",
        "1.5",
        "true",
        "None",
        "{}",
        "'",
        '"',
        "\\",
        "%s",
        "{x}",
        "$HOME",
        "~",
        ".",
        "..",
    ),
)
FILES = {
    "empty.json": b"",
    "data.csv": b"a,b\n1,2\n3,4\n5,6\n",
    "broken.csv": b"a,b\n1\n\xff\xfe",
    "header.npy": b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 2), }"
    + b" " * 44
    + b"\n",
    "claims.py": b"CLAIMS = 5\n",
    "exits.py": b"import sys\nsys.exit(7)\n",
    "folder/report.json": b'{"schema": 1, "run": {}, "claims": []}',
    "binary/report.json": b"\x00\xff",
    "deep/report.json": b"[" * 100_000,
}


def judge():
    path = Path(__file__).with_name("judge.py")
    spec = importlib.util.spec_from_file_location("fuzz_judge_of_commands", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory):
    """A folder with odd files in it, from which commands are given."""
    folder, before = tmp_path_factory.mktemp("fuzz"), Path.cwd()
    for name, content in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    os.chdir(folder)
    yield folder
    os.chdir(before)


word = st.one_of(st.sampled_from(WORDS), st.sampled_from(WORDS), st.text(max_size=8), st.floats().map(str))
path = st.one_of(st.sampled_from([*FILES, *{name.split("/")[0] for name in FILES}]), st.sampled_from(WORDS))


@st.composite
def of_topics(draw, command, floor):
    """A command about a topic: options of its own, with values that are right, odd, or missing."""
    topic = draw(st.sampled_from(TOPICS))
    names = [
        name.replace("_", "-")
        for name in inspect.signature(options.topic_function(topic, floor, command)).parameters
    ]
    words = [command, topic]
    for _ in range(draw(st.integers(0, 3)) if names else 0):
        words += ["--" + draw(st.sampled_from(names)), *draw(st.lists(st.one_of(word, path), max_size=2))]
    return [*words, *draw(st.lists(st.sampled_from(["--json", "--format", "latex", "--topic"]), max_size=1))]


@st.composite
def of_runs(draw):
    """A run, a search or a report, of a claim that takes no time, with options of all kinds."""
    command = draw(st.sampled_from(["validate", "falsify", "report", "list"]))
    words = [command]
    if command in ("validate", "falsify"):
        words += [draw(st.sampled_from(["toy.exact", "toy.exact", "toy.none", "", "[", "toy.exact\x1b"]))]
        words += [
            "--claims-from",
            TOY,
            "--device",
            "cpu",
            "--quiet",
            *(["--jobs", "1"] if command == "validate" else []),
        ]
    if command == "report":
        words += [draw(path)]
    names = (
        "--preset",
        "--level",
        "--seed",
        "--precision",
        "--budget",
        "--seconds",
        "--jobs",
        "--device",
        "--json",
    )
    for _ in range(draw(st.integers(0, 2))):
        words += [draw(st.sampled_from(names)), *draw(st.lists(word, max_size=1))]
    if draw(st.booleans()):
        words += [draw(st.sampled_from(["--claims-from", "--inputs", "--out"])), draw(path)]
    return words


def wrong(words, check):
    """What is wrong with how a command ended, or None."""
    out, err, start, compiler = io.StringIO(), io.StringIO(), time.process_time(), check.Compiler()
    try:
        with (
            check.event.install_listener("numba:compiler_lock", compiler),
            check.limited(compiler),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            status = main(words)
    except BaseException as error:
        return f"lets {type(error).__name__} out: {error}"
    told = err.getvalue()
    if time.process_time() - start - compiler.taken > check.SECONDS:
        return "takes more than 30 s"
    if status not in (0, 1, 2) or "Traceback" in told:
        return f"ends with {status}: {told[:300]}"
    sentences = [line for line in told.splitlines() if line.startswith("widelimit: ")]
    return f"says {told[:300]!r}" if status == 2 and len(sentences) != 1 else None


def search(strategy, short):
    """Try commands; return all that is wrong, each with the first words at which it is."""
    found, check = {}, judge()

    @settings(
        max_examples=EXAMPLES or short,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def tried(words):
        what = wrong(words, check)
        if what is None or what in found:
            return
        found[what] = f"widelimit {words!r:.300} {what}"
        if log := os.environ.get("WIDELIMIT_FUZZ_LOG"):
            with open(log, "a", encoding="utf-8") as file:
                file.write(found[what].encode("unicode_escape").decode() + "\n")

    tried()
    if EXAMPLES and (log := os.environ.get("WIDELIMIT_FUZZ_LOG")):
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"tried {EXAMPLES} commands, found {len(found)}\n")
    return list(found.values())


@pytest.mark.parametrize(("command", "floor"), [("predict", "numerics"), ("derive", "theory")])
def test_topics_from_the_command_line(command, floor):
    found = search(of_topics(command, floor), SHORT[command])
    assert not found, "\n".join(found)


def test_runs_from_the_command_line():
    found = search(of_runs(), SHORT["rest"])
    assert not found, "\n".join(found)
