"""The report of a run: strict JSON that reads back, a page that is well formed, self-contained and hard to fool."""

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from widelimit.theory.errors import ArgumentError, StoreError
from widelimit.validate import report
from widelimit.validate.harness.outcome import (
    ClaimOutcome,
    CounterfactualOutcome,
    CounterfactualRow,
    RowOutcome,
    RunOutcome,
    SizeSummary,
)
from widelimit.validate.report import machine, model, numbers
from widelimit.validate.report.references import bibliography, mentioned, spelled
from widelimit.validate.report.words import words

HOSTILE = '<script>alert(1)</script> & "quotes" | pipe'


def row(point, layer, *, verdict="agrees", error=0.01, off=0.3, **changes):
    predicted = 1.0 / layer
    measured = predicted + off * error
    sizes = tuple(SizeSummary(n, 8, measured + 0.5 / n, error) for n in (100, 200, 400))
    values = {
        "inputs": {"activation": "tanh", "sigma_w": 1.0 + point, "layer": layer},
        "predicted": predicted,
        "measured": measured,
        "standard_error": error,
        "low": measured - 3 * error,
        "high": measured + 3 * error,
        "degrees_of_freedom": 20.0,
        "margin": 0.1,
        "slope": 0.5,
        "slope_error": 0.2,
        "p_equivalence": 1e-9,
        "p_difference": 0.4,
        "verdict": verdict,
        "resolution": 0.05,
        "needed_replicates": None,
        "sizes": sizes,
        "counterfactuals": (CounterfactualRow("no square", predicted + 0.4, 1e-12, True),),
        "point": point,
        "label": {"layer": layer},
    }
    return RowOutcome(**(values | changes))


def claim(id="made.up", rows=None, **changes):
    values = {
        "title": "Length map of sigma_w^2",
        "statement": "q' = sigma_w^2 V(q)",
        "paper": "arXiv:1611.01232, eq. (3)",
        "verdict": "agrees",
        "too_weak": False,
        "resolution": 0.05,
        "level": 0.05,
        "margin": 0.1,
        "rows": tuple(rows or [row(p, layer) for p in range(2) for layer in range(1, 5)]),
        "counterfactuals": (CounterfactualOutcome("no square", "sigma_w for its square", True, 8, 8),),
        "seconds": 12.0,
        "replicates": 192,
    }
    return ClaimOutcome(id=id, **(values | changes))


def run(*claims, **manifest):
    about = {"device": "cpu", "seed": 0, "seconds": 12.5, "versions": {"widelimit": "0.1.0"}, "warnings": []}
    return RunOutcome(claims or (claim(),), about | manifest, "quick", 0.05)


class Checker(HTMLParser):
    """Collects identifiers and links, and sees that every element is closed."""

    VOID = ("meta", "br", "link", "img", "hr", "input")

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        self.links += [attributes[k] for k in ("href", "src", "xlink:href") if k in attributes]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        self.text.append(data)


def checked(path):
    checker = Checker()
    checker.feed(path.read_text())
    checker.close()
    assert not checker.open
    return checker


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    single = claim("made.single", [row(p, 1, label={}) for p in range(3)], title="Single numbers")
    exact = claim(
        "made.exact", [row(0, 1, error=0.0, sizes=(), label={}, slope_error=0.0)], counterfactuals=()
    )
    return report.write(run(claim(), single, exact), tmp_path_factory.mktemp("page"))


def test_page_is_one_well_formed_file(page):
    checker = checked(page)
    assert len(checker.ids) == len(set(checker.ids)), "identifiers of figures collide"
    for link in checker.links:
        assert link.startswith(("#", "https://arxiv.org/", "https://doi.org/")), link
        assert not link.startswith("#") or link[1:] in checker.ids, f"{link} leads nowhere"
    text = page.read_text()
    assert "@import" not in text and "url(http" not in text and "<script" not in text


def test_page_says_what_the_run_found(page):
    text = " ".join(checked(page).text)
    for part in (
        "3 claims",
        "How to read a verdict",
        "no square",
        "Wrong theories",
        "widelimit validate made.up",
    ):
        assert part in text
    assert "nan" not in text.lower().split()


def test_svg_text_is_text_and_themed(page):
    text = page.read_text()
    assert ">layer</text>" in text
    assert "var(--ink)" in text and "prefers-color-scheme:dark" in text


def test_hostile_words_are_escaped_everywhere(tmp_path):
    bad = claim(
        title=HOSTILE,
        statement=HOSTILE,
        paper=HOSTILE,
        notes=HOSTILE,
        rows=[row(0, n, inputs={"data": HOSTILE, "layer": n}, verdict="disagrees") for n in (1, 2, 3)],
        counterfactuals=(CounterfactualOutcome(HOSTILE, HOSTILE, False, 1, 0),),
    )
    path = report.write(run(bad, warnings=[HOSTILE], inputs=HOSTILE), tmp_path)
    checked(path)
    assert "<script" not in path.read_text()
    assert "\\| pipe" in (tmp_path / "report.md").read_text()


def test_json_has_the_promised_keys_and_no_nan(tmp_path):
    odd = row(0, 1, resolution=math.inf, low=-math.inf, high=math.inf, slope=math.nan, verdict="inconclusive")
    report.write(run(claim(rows=[odd, row(0, 2), row(0, 3)])), tmp_path)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    found = json.loads((tmp_path / "report.json").read_text(), parse_constant=refuse)
    assert found["schema"] == 1 and found["run"]["preset"] == "quick"
    (one,) = found["claims"]
    assert {"id", "paper", "verdict", "resolution", "level", "points", "counterfactuals"} <= one.keys()
    assert {"inputs", "predicted", "measured", "standard_error", "verdict"} <= one["points"][0].keys()
    assert one["points"][0]["resolution"] == "inf" and one["points"][0]["slope"] is None
    assert one["counterfactuals"][0]["name"] == "no square" and one["counterfactuals"][0]["rejected"] is True


def test_json_reads_back_to_the_same_report(tmp_path):
    outcome = run(claim(rows=[row(0, n, resolution=math.inf) for n in (1, 2, 3)]))
    report.write(outcome, tmp_path)
    again = report.read(tmp_path)
    assert machine.dump(again) == machine.dump(outcome)
    pairs = zip(again.claims[0].rows, outcome.claims[0].rows, strict=True)
    assert all(
        (a.predicted, a.measured, a.inputs, a.label) == (b.predicted, b.measured, b.inputs, b.label)
        for a, b in pairs
    )
    assert again.claims[0].rows[0].resolution == math.inf
    page = (tmp_path / "index.html").read_bytes()
    report.write(again, tmp_path)
    assert (tmp_path / "index.html").read_bytes() == page, "a report is the same whenever it is written"


@pytest.mark.parametrize("damage", ["cut", "schema", "binary", "keys"])
def test_damaged_json_is_one_sentence(tmp_path, damage):
    report.write(run(), tmp_path)
    path = tmp_path / "report.json"
    text = path.read_text()
    path.write_bytes(
        {
            "cut": text[: len(text) // 2].encode(),
            "schema": text.replace('"schema": 1', '"schema": 99').encode(),
            "binary": b"\xff\xfe\x00",
            "keys": text.replace('"predicted"', '"foretold"').encode(),
        }[damage]
    )
    with pytest.raises(StoreError, match=r"cannot be read"):
        report.read(tmp_path)


def test_missing_json_is_the_users_side(tmp_path):
    with pytest.raises(ArgumentError, match=r"Argument `folder` must hold report\.json"):
        report.read(tmp_path / "nowhere")


def test_markdown_names_what_needs_a_look(tmp_path):
    bad = claim(
        verdict="disagrees",
        rows=[row(0, 1, verdict="disagrees"), row(0, 2)],
        too_weak=True,
        counterfactuals=(CounterfactualOutcome("survivor", "too close", False, 2, 0),),
    )
    report.write(run(bad), tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "**disagrees** (too weak to mean anything)" in text
    assert "survives: survivor" in text and "0/1" in text


def test_long_claims_show_a_choice_with_the_worst(tmp_path):
    rows = [row(0, n + 1, off=0.1) for n in range(200)]
    rows[77] = replace(rows[77], measured=rows[77].predicted + 5 * 0.01)
    view = model.page(run(claim(rows=rows)), tmp_path).claims[0]
    assert len(view.rows) <= model.ROWS_SHOWN
    assert any(shown.residual == "+5.0" for shown in view.rows)


def test_summary_counts():
    first, second = model.summary(run(claim(), claim("made.two", verdict="disagrees", too_weak=True)))
    assert "2 claims" in first and "16 predicted numbers" in first and "up to size 400" in first
    assert "1 agrees" in second and "1 disagrees" in second and "none are inconclusive" in second
    assert "1 claim is too weak" in second


def test_command_repeats_the_settings():
    outcome = run(claim(), seed=7, inputs="my data.csv")
    text = model.command(outcome.claims[0], replace(outcome, level=0.01))
    assert "--seed 7" in text and "--level 0.01" in text and "--inputs 'my data.csv'" in text


def test_real_claims_bring_their_derivation(tmp_path):
    rows = [row(0, n, inputs={"activation": "relu", "sigma_w": 1.0, "layer": n}) for n in (1, 2, 3)]
    path = report.write(
        run(claim("meanfield.length-map", rows), claim("meanfield.correlation-map", rows)), tmp_path
    )
    text = path.read_text()
    assert text.count('<details class="derivation">') == 1, "one derivation is printed once and linked"
    assert "<math" in text and "printed under meanfield.length-map" in text
    checked(path)


def test_bibliography_is_complete_enough_to_print():
    known = bibliography()
    assert known["poole2016exponential"].link == "https://arxiv.org/abs/1606.05340"
    assert all(r.authors and r.title and r.year.isdigit() for r in known.values())
    assert [r.key for r in mentioned("see poole2016exponential")] == ["poole2016exponential"]
    assert spelled("poole2016exponential, eq. (5)").startswith("Poole et al., 2016, eq")


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.0639583, 0.0012, "1.0640(12)"),
        (12345.678, 0.0, "12346"),
        (0.1, 0.0996, "0.10(10)"),
        (5.0, 30.0, "5(30)"),
        (math.nan, 0.1, "not defined"),
        (-2.5e-7, 3e-9, "−2.500(30) × 10⁻⁷"),
    ],
)
def test_numbers_with_errors(value, error, text):
    assert numbers.measured(value, error) == text


def test_words_escape_before_they_typeset():
    assert words("<b>q_star^2</b>") == "&lt;b&gt;q<sub>star</sub><sup>2</sup>&lt;/b&gt;"
    assert words("my_file_name.csv") == "my_file_name.csv"


def test_report_stays_small(page):
    # Sixty claims in under 3 MB leave 50 kB each, with the JSON.
    size = page.stat().st_size + (page.parent / "report.json").stat().st_size
    assert size < 3 * 50_000
    assert not re.search(r"\d\.\d{4,}", "".join(re.findall(r' d="([^"]*)"', page.read_text())))
