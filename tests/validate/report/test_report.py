"""The report of a run: strict JSON that reads back, a page that is well formed, self-contained and hard to fool."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.validate.made_outcomes import checked, claim, row, run

from widelimit.theory.errors import ArgumentError, StoreError
from widelimit.validate import report
from widelimit.validate.cli import main, runs
from widelimit.validate.harness.outcome import (
    MEANINGS,
    CounterfactualOutcome,
    Fit,
)
from widelimit.validate.harness.running import manifest
from widelimit.validate.harness.statistics import LEVEL_MEANS
from widelimit.validate.report import html, machine, model, numbers, remarks, studio
from widelimit.validate.report.references import bibliography, mentioned, spelled
from widelimit.validate.report.words import words
from widelimit.validate.run import validate

HOSTILE = '<script>alert(1)</script> & "quotes" | pipe'


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


def test_usual_values_of_numbers_are_left_out_and_read_back():
    """What earlier versions wrote, every field of every number, reads as what is written now."""
    plain = row(0, 1)
    odd = replace(plain, flagged=True, shift=0.25, compare="at least", needed_replicates=7, free=0.5)
    outcome = run(claim(rows=[plain, odd]))
    short = json.loads(machine.dump(outcome))
    first, second = short["claims"][0]["points"]
    assert not {"flagged", "shift", "compare", "needed_replicates", "free"} & first.keys()
    assert (second["flagged"], second["shift"], second["compare"]) == (True, 0.25, "at least")
    assert (second["needed_replicates"], second["free"]) == (7, 0.5)
    for one in (first, second):
        one |= {
            key: value
            for key, value in {
                "needed_replicates": None, "lack_of_fit": 1.0, "systematic": 0.0, "flagged": False,
                "shift": 0.0, "compare": "equal", "free": None, "free_error": None,
            }.items()
            if key not in one
        }  # fmt: skip
    assert machine.parse(json.dumps(short)) == machine.parse(machine.dump(outcome))
    found = machine.parse(machine.dump(outcome)).claims[0].rows
    assert [one.needed_replicates for one in found] == [None, 7] and [one.free for one in found] == [
        None,
        0.5,
    ]


def test_json_has_the_promised_keys_and_no_nan(tmp_path):
    odd = row(0, 1, resolution=math.inf, low=-math.inf, high=math.inf, slope=math.nan, verdict="inconclusive")
    report.write(run(claim(rows=[odd, row(0, 2), row(0, 3)])), tmp_path)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    found = json.loads((tmp_path / "report.json").read_text(), parse_constant=refuse)
    assert found["schema"] == 2 and found["run"]["preset"] == "quick"
    (one,) = found["claims"]
    assert {
        "id",
        "paper",
        "verdict",
        "within",
        "resolution",
        "level",
        "points",
        "counterfactuals",
    } <= one.keys()
    assert {"inputs", "predicted", "measured", "standard_error", "verdict", "within"} <= one["points"][
        0
    ].keys()
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
            "schema": text.replace('"schema": 2', '"schema": 99').encode(),
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
    slow = model.summary(run(replace(claim(), seconds=60.0), replace(claim("made.two"), seconds=132.0)))[0]
    assert "16 predicted numbers in 3 min 12 s of simulation on" in slow
    assert "1 agrees" in second and "1 disagrees" in second and "none are inconclusive" in second
    assert "1 claim is too weak" in second


def test_lists_nested_too_deep_are_damage(tmp_path):
    (tmp_path / machine.NAME).write_text("[" * 100_000)
    with pytest.raises(StoreError, match="nested too deep"):
        machine.read(tmp_path)
    (tmp_path / manifest.NAME).write_text("[" * 100_000)
    assert manifest.read(tmp_path) is None


def test_a_claim_says_what_one_per_cent_would_take(tmp_path):
    """Noise falls as the root of what is simulated: four times as close takes sixteen times as much."""
    one = replace(claim(), within=0.04, seconds=60.0)
    assert remarks.sharper(one) == "1 % would take about 16 times the simulation, 16 min 0 s"
    bound = replace(one, rows=(replace(one.rows[0], compare="at least"), *one.rows[1:]))
    for other in (
        replace(one, within=0.01),
        replace(one, within=float("inf")),
        replace(one, verdict="differs"),
        bound,
    ):
        assert remarks.sharper(other) == ""
    assert remarks.sharper(one) in html.render(model.page(run(one), tmp_path))


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


OLD = Path(__file__).with_name("schema1.json")  # four claims of a reference report of schema 1


@pytest.fixture
def old(tmp_path):
    (tmp_path / "report.json").write_text(OLD.read_text())
    return tmp_path


def test_reports_of_schema_1_open_with_todays_verdicts(old):
    """The numbers are as they were; the verdicts follow from them by hand."""
    written = {one["id"]: one for one in json.loads(OLD.read_text())["claims"]}
    found = report.read(old)
    claims = {one.id: one for one in found.claims}
    assert list(claims) == list(written)
    for id, one in claims.items():
        for one_row, before in zip(one.rows, written[id]["points"], strict=True):
            assert (one_row.predicted, one_row.measured, one_row.compare) == (
                before["predicted"],
                before["measured"],
                "equal",
            )
            # between the margin and `within` the same verdict as between the interval and the margin in the old report
            held = before["verdict"] == "agrees"
            assert (one_row.verdict in ("agrees", "differs")) == held == (one_row.within <= one.margin)
            assert (one_row.verdict in ("differs", "disagrees")) == (
                not one_row.low <= one_row.predicted <= one_row.high
            )
        assert (one.residuals, one.law) == (None, None)  # correlations were not written
    rule = claims["meanfield.trainability"]  # was "agrees", with a margin of a half, 27 standard errors off
    assert rule.verdict == "differs" and rule.rows[1].residual > 26
    assert 0.4 < rule.within <= 0.5
    assert claims["jacobian.learning-speed"].verdict == "disagrees" and found.disagrees


def test_reports_of_schema_1_are_printed_again_in_schema_2(old, monkeypatch):
    monkeypatch.setattr(studio, "gallery", lambda *arguments: [])  # minutes, under the preset of the report
    report.write(report.read(old), old)
    checked(old / "index.html")
    assert json.loads((old / "report.json").read_text())["schema"] == 2
    again = report.read(old)
    assert again.manifest["warnings"].count(machine.JUDGED_AGAIN) == 1
    assert machine.dump(again) == (old / "report.json").read_text()
    assert machine.JUDGED_AGAIN in " ".join(checked(old / "index.html").text)


def test_what_differs_is_shown_explained_and_no_failure(tmp_path):
    rows = [row(0, 1), row(0, 2, verdict="differs", off=5.0), row(0, 3)]
    outcome = run(claim(rows=rows, verdict="differs", within=0.0123))
    assert not outcome.disagrees
    path = report.write(outcome, tmp_path)
    text, markdown = " ".join(checked(path).text), (tmp_path / "report.md").read_text()
    for said in (text, markdown):
        assert (
            "1 number differs: inside the margin of 10 %, but off by more than the noise, up to 5 %" in said
        )
        assert "1.2 %" in said
    assert 'class="badge differs"' in path.read_text() and "differs measurably" in text
    assert "**differs**" in markdown


@pytest.mark.parametrize(
    ("verdict", "status"), [("agrees", 0), ("differs", 0), ("inconclusive", 0), ("disagrees", 1)]
)
def test_only_a_disagreement_is_a_failure_on_the_command_line(tmp_path, capsys, verdict, status):
    outcome = run(claim(rows=[row(0, 1, verdict=verdict)], verdict=verdict, within=0.0123))
    (tmp_path / "report.json").write_text(machine.dump(outcome))
    assert main(["report", str(tmp_path)]) == status
    head, line = capsys.readouterr().out.splitlines()[:2]
    assert head.split()[:4] == ["claim", "verdict", "points", "within"]
    assert line.split()[:5] == ["made.up", verdict, "1", "1.2", "%"]


def test_fits_that_are_off_are_told_with_figures(tmp_path):
    off = Fit(chi2=19.75, numbers=12, degrees=4.21, p_value=3e-5, off=True)
    law = Fit(chi2=0.031, numbers=8, degrees=8.0, p_value=2e-4, off=True)
    path = report.write(run(claim(residuals=off, law=law)), tmp_path)
    text = " ".join("".join(checked(path).text).split())
    assert (
        "Residuals are larger than their errors account for: χ² is 19.8 per degree of freedom over 12 numbers, worth "
        "4.2 independent ones (p = 3 × 10⁻⁵, at a level of 5 %)." in text
    )
    assert "scatter less than their errors about a bias that falls as N" in text
    assert report.read(tmp_path).claims[0].residuals == off
    quiet = report.write(run(claim(residuals=replace(off, off=False))), tmp_path / "quiet")
    assert "larger than their errors" not in quiet.read_text()
    for said in (path, quiet):
        assert "<dt>χ² per degree of freedom</dt><dd>20</dd>" in said.read_text()


def test_one_sided_numbers_have_one_end(tmp_path):
    rows = [
        row(0, 1, compare="at least", high=math.inf, label={}),
        row(1, 1, compare="at least", low=-math.inf, label={}, verdict="disagrees"),
        row(2, 1, label={}),
    ]
    outcome = run(claim(rows=rows))
    views = model.page(outcome, tmp_path).claims[0].rows
    assert [view.predicted for view in views] == ["≥ 1", "≥ 1", "1.000"]  # as many decimals as 1.003(10)
    assert views[0].interval.startswith("≥ ") and views[1].interval.startswith("≤ ")
    assert "…" in views[2].interval
    checked(report.write(outcome, tmp_path))
    assert [one.compare for one in report.read(tmp_path).claims[0].rows] == ["at least", "at least", "equal"]


def test_the_level_means_one_thing(page):
    """The same sentence on the page, in the help of the command line, and in the README."""
    assert LEVEL_MEANS in " ".join(" ".join(checked(page).text).split())
    for function in (runs.validate, validate):
        assert LEVEL_MEANS in " ".join(function.__doc__.split())
    readme = Path(__file__).parents[3] / "README.md"
    assert LEVEL_MEANS in " ".join(readme.read_text(encoding="utf-8").split())


def test_every_verdict_is_explained_and_has_its_look(page):
    text = page.read_text()
    for verdict, meaning in MEANINGS.items():
        assert f'class="badge {verdict}"' in text and meaning in text
        assert f".{verdict}.badge::before" in text
