"""Terminals, pipes, encodings, closed and full streams: the command line says what it has to say, or ends quietly."""

import json
import os
import subprocess
import sys

import pytest

from widelimit.theory.topics import TOPICS
from widelimit.validate.cli import main, output, tables

RUN = "import sys; from widelimit.validate.cli import main; sys.exit(main())"


def started(*words, **environment):
    """Run a command in a process of its own; environment values of None are removed."""
    merged = os.environ | {name: value for name, value in environment.items() if value is not None}
    for name in [name for name, value in environment.items() if value is None]:
        merged.pop(name, None)
    return subprocess.run([sys.executable, "-c", RUN, *words], capture_output=True, env=merged, check=False)


@pytest.mark.parametrize("command", ["predict", "derive"])
def test_without_a_topic_the_topics_are_listed(capsys, command):
    assert main([command]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(TOPICS)
    assert all(len(line.split()) > 3 for line in lines[2:]), "each says what it is"


def test_topics_as_json(capsys):
    assert main(["predict", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["topics"] == list(TOPICS)


@pytest.mark.parametrize("command", ["predict", "derive"])
@pytest.mark.parametrize(
    ("words", "says"), [(["kernels"], "kernel?"), (["--activation", "tanh"], "is missing")]
)
def test_unknown_and_missing_topics_say_what_to_do(capsys, command, words, says):
    assert main([command, *words]) == 2
    err = capsys.readouterr().err
    assert "Argument `topic` must" in err and says in err and err.count("\n") == 1


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("widelimit ")


def test_numbers_in_a_pipe_are_what_float_reads(capsys):
    assert main(["predict", "meanfield", "--activation", "tanh", "--sigma-w", "1.5", "--sigma-b", "0.1"]) == 0
    found = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert float(found["xi_grad"]) == pytest.approx(-8.23866005)
    assert float(found["q_star"]) == pytest.approx(0.8133223269)
    assert main(["predict", "meanfield", "--activation", "linear", "--sigma-w", "1", "--sigma-b", "0"]) == 0
    text = capsys.readouterr().out
    assert text.isascii() and float(
        dict(line.split(None, 1) for line in text.splitlines())["xi_grad"]
    ) == float("inf")


@pytest.mark.parametrize("value", [-1.5e-9, 2.5e12, float("inf"), -float("inf"), 0.0, -0.25, 1 / 3, 7, -7])
def test_cells_and_translated_numbers_read_back(value):
    assert float(tables.cell(value, exact=True)) == pytest.approx(value, rel=1e-9)
    assert float(output.ascii_numbers(tables.cell(value))) == pytest.approx(value, rel=1e-9)


def test_a_terminal_sees_true_signs(monkeypatch, capsys):
    monkeypatch.setattr(output, "terminal", lambda stream: True)
    assert main(["predict", "meanfield", "--activation", "tanh", "--sigma-w", "1.5", "--sigma-b", "0.1"]) == 0
    assert "−8.23866005" in capsys.readouterr().out


def test_json_is_ascii_and_strict(capsys):
    assert tables.json_text({"a": "σ"}) == '{\n  "a": "\\u03c3"\n}'


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None},
        {"COLUMNS": "0"},
        {"COLUMNS": "1", "NO_COLOR": "1", "TERM": "dumb"},
    ],
    ids=str,
)
def test_encodings_and_narrow_terminals(environment):
    done = started("validate", "--help", **environment)
    assert done.returncode == 0 and b"Traceback" not in done.stderr and done.stdout, done.stderr
    if environment.get("PYTHONIOENCODING") == "ascii":
        assert done.stdout.isascii()
        done = started("derive", "σ…", **environment)
        assert done.returncode == 2 and done.stderr.startswith(b"widelimit: ") and done.stderr.isascii()


@pytest.mark.parametrize(
    ("words", "redirection", "status"),
    [
        ("predict", ">&-", 0),
        ("predict", ">&- 2>&-", 0),
        ("lits", "2>&-", 2),
        ("lits", "2>/dev/full", 2),
        ("predict", ">/dev/full", 2),
        ("--help", ">/dev/full", 2),
        ("predict", "| true", 0),
        ("--help", "| true", 0),
    ],
)
def test_streams_that_are_closed_or_full(words, redirection, status):
    shell = f'set -o pipefail; "{sys.executable}" -c "{RUN}" {words} {redirection}'
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert done.stderr.count("\n") <= 1 and "Exception" not in done.stderr


def test_an_unknown_level_of_logging_is_refused(capsys, monkeypatch):
    monkeypatch.setenv("WIDELIMIT_LOG", "verbose")
    assert main(["list"]) == 2
    assert "`WIDELIMIT_LOG` must be one of DEBUG, INFO" in capsys.readouterr().err


HEAVY = "{'torch', 'numba', 'scipy', 'matplotlib', 'xarray', 'sklearn', 'jinja2', 'pybtex', 'loky', 'h5py'}"


@pytest.mark.parametrize(
    ("code", "also"),
    [
        ("from widelimit.validate.cli import main; main(['--help'])", "{'numpy'}"),
        ("from widelimit.validate.cli import main; main(['--version'])", "{'numpy'}"),
        ("from widelimit.validate.cli import main; main(['predict'])", "{'numpy'}"),
        ("import widelimit.theory", "{'numpy'}"),
        ("import widelimit.numerics, widelimit.validate", "{'numpy'}"),
    ],
)
def test_starting_imports_nothing_heavy(code, also):
    probe = f"{code}; import sys; print('HEAVY', sorted(({HEAVY} | {also}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("HEAVY []"), done.stdout[-200:]


def test_listing_imports_neither_torch_nor_pictures():
    code = (
        "from widelimit.validate.cli import main; main(['list']); import sys;"
        "print('HEAVY', sorted({'torch', 'matplotlib', 'xarray', 'jinja2', 'pybtex', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("HEAVY []"), done.stdout[-200:]


def test_the_bibliography_does_not_search_installed_packages(monkeypatch):
    """Pybtex finds a printer by name through all entry points of all packages: nine seconds for forty titles."""
    import importlib.metadata
    import time

    from widelimit.validate.report import references

    scans = []
    whole = importlib.metadata.entry_points
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda **wanted: scans.append(wanted) or whole(**wanted)
    )
    for cached in (references.bibliography, references._backend):
        cached.cache_clear()
    start = time.process_time()
    assert len(references.bibliography()) > 30
    assert not scans
    assert time.process_time() - start < 2.0  # a fifth of a second, tenfold for a busy machine
