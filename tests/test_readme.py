"""The README cannot rot: its Python blocks run, its commands print what it says, its links lead somewhere."""

import doctest
import re
import shlex
from pathlib import Path

import pytest
import yaml

from widelimit.validate.cli import main

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
MADE = "reports/"  # written by a run, not by hand


def blocks(language):
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", TEXT, flags=re.DOTALL | re.MULTILINE)
    return [re.sub(rf"(?m)^{indent}", "", body) for indent, body in found]


def test_examples_print_what_they_say():
    names: dict = {}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for number, block in enumerate(blocks("python")):
        if ">>>" in block:
            test = doctest.DocTestParser().get_doctest(block, names, f"block {number}", "README.md", 0)
            runner.run(test, clear_globs=False)
            names = test.globs
        else:
            exec(compile(block, f"README block {number}", "exec"), names)
    assert runner.tries > 10 and not runner.failures


def test_the_worked_claim_agrees(tmp_path, capsys):
    path = tmp_path / "semicircle.py"
    (block,) = [b for b in blocks("python") if "CLAIMS" in b]
    path.write_text(block)
    argv = ["validate", "semicircle.*", "--claims-from", str(path), "--out", str(tmp_path / "out")]
    assert main([*argv, "--jobs", "1", "--device", "cpu", "--quiet"]) == 0
    assert re.search(r"fourth-moment\s+agrees\s.*1/1", capsys.readouterr().out)


@pytest.mark.parametrize("block", blocks("console"), ids=lambda block: block.splitlines()[0][:50])
def test_commands_print_what_they_say(block, capsys):
    first, *expected = block.splitlines()
    assert first.startswith("$ widelimit ")
    main(shlex.split(first)[2:])
    out, err = capsys.readouterr()
    want = "\n".join(expected) + "\n"
    assert doctest.OutputChecker().check_output(want, out + err, doctest.ELLIPSIS), out + err


def test_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#]+)\)", TEXT):
        if not link.startswith(("http", MADE)):
            assert (ROOT / link).exists(), link


def test_commands_of_the_table_exist():
    from widelimit.validate.cli import app

    for name in re.findall(r"^\| `widelimit (\w+)", TEXT, flags=re.MULTILINE):
        assert name in app


def test_citation_is_complete():
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= found.keys()  # what the format requires
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)[1]
    assert found["version"] == version
