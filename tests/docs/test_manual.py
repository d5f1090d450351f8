"""The manual: its pages come from the objects that they are about, its tutorials run, and its links hold."""

import doctest
import importlib
import json
import pkgutil
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import docs.manual
import numpy as np
import pytest
from docs.manual import docstrings, explorer, path, site, topics, tutorials

from widelimit.theory.topics import TOPICS
from widelimit.validate.report import gallery

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ROOT = Path(__file__).parents[2]


def test_examples_of_the_writers_are_true():
    for found in pkgutil.iter_modules(docs.manual.__path__, "docs.manual."):
        if not found.name.endswith("__main__"):
            assert doctest.testmod(importlib.import_module(found.name)).failed == 0, found.name


def test_every_topic_has_a_page():
    assert topics.names() == TOPICS


def test_a_page_has_equations_functions_numbers_claims_and_sources():
    from widelimit.theory import batchnorm
    from widelimit.validate.harness.finding import load

    page = topics.page("batchnorm")
    for step in batchnorm.derive("relu"):
        assert f"**{step.name}**" in page
    assert "<math" in page and "### predict" in page and "$ widelimit predict batchnorm" in page
    for claim in load("batchnorm.*"):
        assert f"<code>{claim.id}</code>" in page
        assert topics.verdicts()[claim.id]["verdict"] in page
    assert 'href="../references.html#' in page and "<svg" in page


def test_a_topic_shows_the_figures_that_the_committed_report_has():
    from widelimit.validate.report.gallery import figures_of

    shown = topics._figures("meanfield", draft=True)
    for figure in figures_of("meanfield"):
        if topics.redrawn("meanfield", figure.name):
            assert shown.count(f'id="g-meanfield-{figure.name}-0"') == 1
            assert docstrings.marked(figure.title) in shown
    assert shown.count("<figure>") == shown.count("<svg") >= 1
    assert topics._figures("batchnorm", draft=True) == ""  # it redraws none


def test_a_figure_that_the_report_has_not_is_computed_but_for_a_draft(monkeypatch):
    from widelimit.validate.report.gallery import GalleryFigure

    figure = GalleryFigure(
        "line",
        "A line",
        "It rises.",
        "schoenholz2017deep",
        lambda preset: {"y": np.arange(3.0)},
        lambda arrays, axes: axes.plot(arrays["y"]),
    )
    monkeypatch.setattr(topics, "figures_of", lambda topic: (figure,))
    monkeypatch.setattr(gallery, "figures_of", lambda topic: (figure,))
    assert topics._figures("meanfield", draft=True) == ""
    shown = topics._figures("meanfield", draft=False)
    assert "<b>A line</b> It rises." in shown and "<svg" in shown and "references.html#" in shown


def test_what_pages_refer_to_is_in_the_list_of_references():
    listed = topics.references()
    cited = set(re.findall(r'references\.html#(\w+)"', topics.page("batchnorm")))
    assert cited and all(f'<li id="{key}">' in listed for key in cited)


def test_text_of_a_docstring_is_no_markup():
    said = docstrings.prose("Return a*b where a < 1.\n\n<script>alert(1)</script>")
    assert "<script>" not in said and "a &lt; 1" in said


def test_pages_show_sections_of_the_readme():
    readme = (ROOT / "README.md").read_text()
    for page in (ROOT / "docs" / "text").glob("*.md"):
        assert "{{section" not in site.filled(page.read_text(), readme)
    with pytest.raises(ValueError, match="has no section 'No such'"):
        site.filled("{{section: No such}}", readme)


def test_the_path_of_a_formula_is_printed_by_the_code():
    page = path.page()
    assert "Max(0, x)" in page and "E[tanh(x)**2; x ~ N(0, q)]" in page and "def function(q)" in page
    value = re.search(r"V\(0\.8\) = (\S+)\n\s+(\S+)", page[page.index("`tanh`") :])
    assert value is not None and float(value[1]) == pytest.approx(float(value[2]), abs=1e-14)


def test_cells_show_what_a_notebook_would(tmp_path):
    lesson = tmp_path / "lesson.py"
    lesson.write_text("# %% [markdown]\n# # A title\n# %%\nprint('said')\n1 + 1\n# %%\nx = 3\n")
    page, notebook = tutorials.rendered(lesson)
    assert "# A title" in page and "```text\nsaid\n```" in page and "```text\n2\n```" in page
    cells = json.loads(notebook)["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code", "code"]
    assert [len(cell["outputs"]) for cell in cells[1:]] == [2, 0]


def test_a_tutorial_that_fails_fails(tmp_path):
    lesson = tmp_path / "lesson.py"
    lesson.write_text("# %%\nassert 1 == 2\n")
    with pytest.raises(AssertionError):
        tutorials.rendered(lesson)


def test_there_are_eight_tutorials():
    found = tutorials.lessons()
    assert len(found) == 8
    assert all(tutorials.cells(one.read_text())[0].source.startswith("# ") for one in found)


@pytest.mark.slow
@pytest.mark.parametrize("lesson", tutorials.lessons(), ids=lambda one: one.stem)
def test_tutorials_run(lesson):
    page, notebook = tutorials.rendered(lesson)
    assert "<svg" in page and json.loads(notebook)["nbformat"] == 4


# the explorer ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    """The explorer on a few places of its grid, laws included."""
    axes = {
        "activation": ["tanh", "relu"], "sigma_w": [1.0, 1.4], "sigma_b": [0.1], "keep": [1.0, 0.9], "depth": [2, 8],
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explorer, "AXES", axes)
        return explorer.page()


def seen(page, tmp_path, script):
    """The document after a script has moved sliders, as a browser has it."""
    moved = page.replace("{activation: 0, sigma_w: 4, sigma_b: 1, keep: 0, depth: 1}", "{}")
    file = tmp_path / "explorer.html"
    file.write_text(moved.replace("</html>", f"<script>{script}</script></html>"))
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    done = subprocess.run(
        [*command, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=120
    )
    return done.stdout


def cell(dom, name):
    found = re.search(rf'id="{name}"[^>]*>([^<]*)<', dom)
    assert found is not None, name
    return found[1]


def move(**places):
    steps = [
        f"document.getElementById('{name}').value={k};"
        f"document.getElementById('{name}').dispatchEvent(new Event('input'));"
        for name, k in places.items()
    ]
    return "".join(steps)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: the explorer was not opened in a browser")
def test_sliders_show_the_librarys_numbers(small, tmp_path):
    from widelimit.numerics import jacobian, meanfield

    dom = seen(small, tmp_path, move(activation=0, sigma_w=1, sigma_b=0, keep=1, depth=1))
    point = meanfield.solve("tanh", sigma_w=1.4, sigma_b=0.1, keep=0.9)
    assert cell(dom, "phase") == point.phase
    for name in explorer.NUMBERS:
        assert cell(dom, name) == explorer.shown(float(getattr(point, name))), name
    law = jacobian.spectrum("tanh", sigma_w=1.4, sigma_b=0.1, depth=8, weights="orthogonal")
    assert f'data-mean="{law.mean:.6g}"' in dom and f'data-largest="{law.largest:.6g}"' in dom
    assert 'meanfield.solve("tanh", sigma_w=1.4, sigma_b=0.1, keep=0.9)' in dom
    assert re.search(r'<path d="M[\d. L]+"', dom)
    other = seen(small, tmp_path, move(activation=1, sigma_w=0, sigma_b=0, keep=0, depth=0))
    assert cell(other, "chi_1") == "0.5" and cell(other, "activation-shown") == "relu"  # sigma_w^2 / 2


def test_the_explorers_line_of_python_is_true(small):
    assert "jacobian.spectrum(${given}, depth=" in small  # the call of `explorer.spectra`, word by word


@pytest.mark.slow
@pytest.mark.skipif(find_spec("sphinx") is None, reason="Sphinx is not installed: `make docs` installs it")
def test_the_site_builds_without_a_warning(tmp_path):
    first = site.build(tmp_path, draft=True)
    assert first.is_file() and (first.parent / "explorer.html").is_file()
