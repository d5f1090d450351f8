"""Texts that are out to break a page do not: nothing runs, nothing is lost, and everything can be read again."""

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from widelimit.theory.errors import StoreError
from widelimit.validate import report
from widelimit.validate.cli import main
from widelimit.validate.harness import finding
from widelimit.validate.report import model
from widelimit.validate.report.failures import Failures
from widelimit.validate.run import validate

HERE = Path(__file__).parents[1]
HOSTILE, TOY = str(HERE / "hostile_claims.py"), str(HERE / "toy_claims.py")
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff\ufffe]")


class Elements(HTMLParser):
    """Collects elements and attributes: what a browser would act upon."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text.append(data)


def harmless(text):
    """See that a page has no element and no attribute that runs, and no character that cannot be seen."""
    found = Elements(text)
    assert not found.tags & {"script", "img", "iframe", "object", "embed", "form", "a:script"}
    for name, value in found.attributes:
        assert not name.startswith("on") and "javascript:" not in value.lower(), (name, value)
    assert not CONTROLS.search(text)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile")
    argv = [
        "validate",
        "hostile.*",
        "--claims-from",
        HOSTILE,
        "--out",
        str(path),
        "--jobs",
        "1",
        "--device",
        "cpu",
    ]
    assert main([*argv, "--quiet"]) == 0
    return path


def test_a_page_of_hostile_claims_is_whole_and_harmless(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    found = harmless(text)
    assert "math" in found.tags and "svg" in found.tags
    words = " ".join(found.text)
    assert "<script>alert(1)" in words and "漢字" in words, "it is printed letter by letter"
    assert (
        "The figure of hostile.figure (a plain one is shown) failed" in words
        and f"`figure` in {HOSTILE}, line" in words
    )
    assert text.count("--claims-from ") == 2 and "Measured: " in words and "Derivation: " in words
    assert len(text) < 150_000, "very long texts are cut"


def test_pictures_and_tables_of_hostile_claims(folder):
    text = (folder / "overview.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(text.encode())
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    assert not CONTROLS.search(markdown) and not re.search(r"<(?!/?(br|sub|sup)\b)", markdown)
    assert "\\[l\\]\\(javascript:x\\)" in markdown and "&#64;team" in markdown
    found = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert len(found["claims"]) == 2 and found["run"]["claims_from"] == [HOSTILE]


def test_report_writes_the_same_page_again(folder, capsys):
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert main(["report", str(folder), "--claims-from", HOSTILE]) == 0
    assert (folder / "index.html").read_text(encoding="utf-8") == page
    capsys.readouterr()
    assert main(["report", str(folder)]) == 0
    assert "--claims-from FILE" in capsys.readouterr().err, "a file that a report names is not run unasked"
    harmless((folder / "index.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy")
    return validate("toy.true", claims_from=[TOY], out=path, device="cpu", jobs=1, report=False)


BAD = '"><script>alert(1)</script> $x$ \x1b\udc80'


def test_manifest_values_are_harmless(outcome, tmp_path):
    manifest = {
        **outcome.manifest,
        "device_name": BAD,
        "inputs": BAD,
        BAD: BAD,
        "warnings": [BAD],
        "started": BAD,
    }
    path = report.write(replace(outcome, manifest={**manifest, "versions": {"widelimit": BAD}}), tmp_path)
    harmless(path.read_text(encoding="utf-8"))
    assert "<script" not in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_inputs_and_labels_are_harmless(outcome, tmp_path):
    (claim,) = outcome.claims
    rows = tuple(
        replace(row, inputs={"data": BAD, BAD: BAD, **row.inputs}, label={"which": BAD}) for row in claim.rows
    )
    rows = tuple(replace(row, inputs={**row.inputs, **row.label}) for row in rows)
    harmless(report.write(replace(outcome, claims=(replace(claim, rows=rows),)), tmp_path).read_text("utf-8"))


def edited(folder, change):
    path = folder / "report.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    change(found)
    path.write_text(json.dumps(found), encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f["claims"][0].update(verdict=BAD),
        lambda f: f["claims"][0]["points"][0].update(verdict=BAD),
        lambda f: f["claims"][0]["points"][0].update(predicted=BAD),
        lambda f: f["claims"][0]["points"][0].update(point=BAD),
        lambda f: f["claims"][0]["points"][0].update(margin=[1]),
        lambda f: f["claims"][0]["points"][0].update(inputs=BAD),
        lambda f: f["claims"][0]["points"][0].update(sizes=[[BAD, 1, 1, 1]]),
        lambda f: f["claims"][0]["points"][0].update(counterfactuals=[[BAD, BAD, BAD, BAD]]),
        lambda f: f["claims"][0].update(title=5),
        lambda f: f["claims"][0].update(points=5),
        lambda f: f["claims"][0].update(exponent=None),
        lambda f: f["claims"][0]["counterfactuals"][0].update(rejected=BAD),
        lambda f: f["run"].update(level=BAD),
        lambda f: f.update(run=BAD),
        lambda f: f.update(claims={"a": 1}),
    ],
)
def test_a_report_of_a_strangers_is_checked_before_it_is_printed(outcome, tmp_path, change):
    report.write(outcome, tmp_path)
    edited(tmp_path, change)
    with pytest.raises(StoreError, match="cannot be read"):
        report.read(tmp_path)


def test_strange_texts_in_a_strangers_report_are_harmless(outcome, tmp_path):
    report.write(outcome, tmp_path)

    def change(found):
        found["run"].update(preset=BAD, versions=BAD, warnings=BAD, started=5, seed=BAD, claims_from=[BAD])
        found["claims"][0].update(id=BAD, title=BAD, size_name=BAD)

    edited(tmp_path, change)
    harmless(report.write(report.read(tmp_path), tmp_path).read_text(encoding="utf-8"))


def bad(*args, **more):
    raise ZeroDivisionError("by design")


@pytest.mark.parametrize("part", ["_row", "strip", "labels.varying"])
def test_a_part_that_fails_does_not_take_the_page_with_it(outcome, tmp_path, monkeypatch, part):
    monkeypatch.setattr(f"widelimit.validate.report.model.{part}", bad)
    text = report.write(outcome, tmp_path).read_text(encoding="utf-8")
    harmless(text)
    assert "failed: ZeroDivisionError: by design." in html.unescape(text) and "toy.true" in text


@pytest.mark.parametrize("part", ["forest", "convergence"])
def test_a_figure_that_fails_does_not_either(outcome, tmp_path, monkeypatch, part):
    monkeypatch.setattr(f"widelimit.validate.report.figures.{part}", bad)
    text = report.write(outcome, tmp_path).read_text(encoding="utf-8")
    assert "A figure of toy.true failed: ZeroDivisionError: by design." in text and text.count("<figure") == 3


def test_nor_does_the_overview(outcome, tmp_path, monkeypatch):
    monkeypatch.setattr("widelimit.validate.report.overview._draw", bad)
    text = report.write(outcome, tmp_path).read_text(encoding="utf-8")
    assert (
        "The overview failed: ZeroDivisionError: by design." in text
        and not (tmp_path / "overview.svg").exists()
    )


@pytest.mark.parametrize(
    "derive", [bad, lambda inputs: "text", lambda inputs: exit(3)], ids=["raises", "text", "exits"]
)
def test_nor_a_derivation(outcome, tmp_path, derive):
    claim = replace(finding.find("toy.true", [TOY]), derivation=derive)
    text = report.write(outcome, tmp_path, [claim]).read_text(encoding="utf-8")
    assert "The derivation of toy.true failed (`" in text and "test_hostile.py, line" in text


def test_users_claims_bring_what_ours_do(outcome, tmp_path):
    from widelimit.theory import meanfield

    claim = replace(
        finding.find("toy.true", [TOY]),
        derivation=lambda inputs: meanfield.derive("linear"),
        figure=lambda found, axes: axes.plot(np.arange(3), color="#123456"),
    )
    observed = replace(outcome.claims[0], observable="two averages")
    page = model.page(replace(outcome, claims=(observed,)), tmp_path, [claim])
    (view,) = page.claims
    assert view.observable == "two averages" and view.derivation.steps and "#123456" in view.panels[0].svg
    assert view.command.endswith(f"--claims-from {TOY} --out reports/toy.true") and not view.failures


def test_claims_passed_as_objects_say_how_to_repeat_them(outcome):
    manifest = {**outcome.manifest, "claims_from": []}
    text = model.command(outcome.claims[0], replace(outcome, manifest=manifest), users=True)
    assert text.startswith("run.validate(claims=[claim]")


def test_failures_of_failures_are_told():
    class Odd(Exception):
        def __str__(self):
            raise ValueError

    def odd():
        raise Odd

    failures = Failures()
    assert failures.attempt("It", odd, 5) == 5 and failures.sentences == ["It failed: Odd."]
