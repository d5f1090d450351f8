"""The page as it is seen: type that can be read, nothing cut, symbols as symbols, what matters first."""

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.validate.made_outcomes import checked, claim, row, run

from widelimit.validate import report
from widelimit.validate.harness.claim import Claim, Counterfactual, Interval, Plan
from widelimit.validate.harness.outcome import CounterfactualOutcome, CounterfactualRow
from widelimit.validate.report import about, curves, forests, labels, model, numbers, proofs
from widelimit.validate.report.figures import drawn, evidence, panels
from widelimit.validate.report.lead import lead, topics
from widelimit.validate.report.look import blank, style
from widelimit.validate.report.words import words

SVG = "{http://www.w3.org/2000/svg}"
LONG = (
    "a quantity with a name that goes on for so long that no axis of a small figure could hold it in one line"
)


def single(point, value, **changes):
    """A number without a label, at a point of its own."""
    at = {"activation": "hard_tanh", "sigma_w": 1.25, "sigma_b": 0.05, "case": f"number {point}"}
    sizes = tuple(replace(s, mean=value + 0.5 / s.size) for s in row(0, 1).sizes)
    changed = {"inputs": at, "label": {}, "predicted": value, "measured": value + 0.003,
               "low": value - 0.03, "high": value + 0.03, "sizes": sizes} | changes  # fmt: skip
    return row(point, 1, **changed)


@pytest.fixture(scope="module")
def outcome():
    off = single(2, 1.0, measured=1.0 - 1.72, low=-0.75, high=-0.69, verdict="disagrees")
    flat = claim("made.flat", [single(0, 1.0), single(1, 1.0), off], title=LONG, verdict="disagrees")
    small = claim(
        "other.small", [single(k, 0.2 * 1.9**k) for k in range(7)], title="Small", verdict="differs"
    )
    return run(claim(), flat, small, seconds=61.0, git={"commit": "abc", "changed": False})


@pytest.fixture(scope="module")
def page(outcome, tmp_path_factory):
    return report.write(outcome, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def html(page):
    return page.read_text()


def pictures(html):
    """The figures of a page, in the namespace that a parser of HTML gives them."""
    found = re.findall(r"<svg (viewBox.*?</svg>)", html, re.S)
    return [ElementTree.fromstring(f'<svg xmlns="{SVG[1:-1]}" {text}') for text in found]


def letters(element):
    return "".join(element.itertext())


def test_figures_have_names_of_their_own_and_no_namespaces(html):
    assert "xmlns" not in html
    own = [
        (set(re.findall(r' id="([^"]+)"', text)), set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)))
        for text in re.findall(r"<svg viewBox.*?</svg>", html, re.S)
    ]
    names = [name for ids, _ in own for name in ids]
    assert len(names) == len(set(names)) > 5
    for ids, used in own:
        assert {one or other for one, other in used} == ids


# --- type ---------------------------------------------------------------------------------------------------------


def test_no_type_below_nine_pixels_where_panels_have_a_column_of_their_own(html):
    """Columns are 20rem = 320 pixels or more, which is the width of a panel: nothing is shrunk at 1400."""
    found = pictures(html)
    assert len(found) >= 7
    assert "minmax(min(100%,20rem),1fr)" in html
    for picture in found:
        assert float(picture.get("viewBox").split()[2]) <= 320
        sizes = [float(e.get("font-size")) for e in picture.iter() if e.get("font-size")]
        assert min(sizes) >= 9


def test_small_type_of_a_topics_own_figure_is_raised():
    text = drawn(lambda axes: axes.text(0.5, 0.5, "$q_0$ and 5", fontsize=5), "p", "t", "a").svg
    assert min(float(size) for size in re.findall(r'font-size="([\d.]+)"', text)) >= 9


def test_nothing_is_cut_with_an_ellipsis(html):
    for picture in pictures(html):
        for text in picture.iter(f"{SVG}text"):
            assert "…" not in letters(text)


def test_long_names_are_told_whole():
    made = claim("made.flat", [single(0, 1.0, inputs={"a": LONG.replace(" ", "-")[:75], "sigma_w": 1.0})])
    (forest, *_), (legend,) = panels(made, None, "p"), evidence(made, "q")
    for panel in (forest, legend):
        said = "".join(letters(t) for t in ElementTree.fromstring(panel.svg).iter(f"{SVG}text"))
        assert LONG.replace(" ", "-")[:75] in said and "σw = 1" in said.replace("\n", " ")


def test_symbols_are_set_as_symbols(html):
    """No underscore is left in text, but in code and in names of files."""
    shown = re.sub(r"<style.*?</style>|<code.*?</code>", "", html, flags=re.S)
    assert not re.findall(r"[^\s<>]*_[^\s<>]*(?=[^<>]*<)", re.sub(r"<[^>]*>", "<>", shown))
    assert re.search(r"σ<tspan[^>]*>w</tspan>", html)


@pytest.mark.parametrize(
    ("text", "set"),
    [
        ("q_star", "q<sub>star</sub>"),
        ("1/xi_c", "1/ξ<sub>c</sub>"),
        ("dq/dkappa_1", "dq/dκ<sub>1</sub>"),
        ("dh_t/dh_(t-1)", "dh<sub>t</sub>/dh<sub>t−1</sub>"),
        ("f_>d", "f<sub>&gt;d</sub>"),
        ("hard_tanh, erf_s", "hard tanh, erf<sub>s</sub>"),
        ("marchenko_pastur(1/2)", "marchenko pastur(1/2)"),
        ("my_file_name.csv", "my_file_name.csv"),
    ],
)
def test_formulas_in_words(text, set):
    assert words(text) == set


# --- axes ---------------------------------------------------------------------------------------------------------


def overlapping(axes):
    """Pairs of tick labels that touch, as Matplotlib draws them."""
    axes.figure.canvas.draw()
    out = []
    for axis in (axes.xaxis, axes.yaxis):
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        boxes = [
            t.label1.get_window_extent() for t in ticks if t.label1.get_text() and t.label1.get_visible()
        ]
        boxes = [box for box in boxes if axes.get_window_extent().padded(3).overlaps(box.padded(12))]
        out += [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    return out


@pytest.mark.parametrize("ends", [(0.14, 5.2), (0.2, 9.0), (1e-4, 3e3), (1.02, 1.9), (3e-9, 8e4)])
def test_logarithmic_ticks_do_not_overprint(ends):
    """Half a decade to thirteen; Matplotlib's own labels of minor ticks overprint at the first."""
    from widelimit.validate.report.scales import tidy

    with style():
        _, axes = blank()
        axes.plot(ends, ends)
        axes.set_xscale("log")
        axes.set_yscale("log")
        tidy(axes)
        assert not overlapping(axes)
        shown = [t.get_text() for t in axes.get_xticklabels() if t.get_text()]
    assert len(shown) >= 2


def test_ticks_of_many_sizes_do_not_overprint():
    sizes = tuple(replace(row(0, 1).sizes[0], size=n) for n in (1000, 2000, 4000, 8000, 16000))
    made = claim(rows=[row(p, n, sizes=sizes) for p in range(2) for n in (1, 2, 3)])
    from widelimit.validate.report.scales import tidy

    with style():
        _, axes = blank(height=300)
        proofs.convergence(axes, made)
        tidy(axes)
        assert not overlapping(axes)
        assert "∞" in [t.get_text() for t in axes.get_xticklabels()]


def test_one_number_far_out_does_not_flatten_the_others():
    """At -172 standard errors a linear axis leaves one pixel to the three that the others need."""
    rows = [row(0, n, off=(-1) ** n * 2.0) for n in range(1, 9)]
    rows[3] = row(0, 4, off=-172.0, verdict="disagrees")
    with style():
        _, axes = blank()
        proofs.residuals(axes, claim(rows=rows))
        low, high = axes.transData.transform([(1, -2.0), (1, 2.0)])[:, 1]
        bottom = axes.transData.transform([(1, -172.0)])[0, 1]
        assert axes.get_yscale() == "symlog"
        frame = axes.get_window_extent()
        assert high - low > 0.15 * frame.height
        assert frame.y0 <= bottom
        assert not overlapping(axes)
        _, axes = blank()
        proofs.residuals(axes, claim())
        assert axes.get_yscale() == "linear"


def test_residuals_are_drawn_where_they_could_show_a_trend(tmp_path):
    """Of one to three numbers the table says all that a plot would; the page's words follow."""
    few = [row(0, n, off=0.5 * n) for n in range(1, 4)]
    drawn_for = {
        count: [panel.title for panel in evidence(claim(rows=[*few, row(0, 4)][:count]), "q")]
        for count in (3, 4)
    }
    assert "Residuals" not in drawn_for[3] and "Residuals" in drawn_for[4]
    lone = replace(few[0], sizes=few[0].sizes[:1])
    assert evidence(claim(rows=[lone]), "q") == ()
    said = report.write(run(claim(rows=[lone])), tmp_path).read_text()
    assert "<h4>Residuals" not in said and "standard errors, with the interval" not in said


def test_a_plot_over_predictions_that_do_not_vary_is_left_out():
    """It would be one vertical line, or two."""
    flat = claim(rows=[single(k, 5.0 + (k % 2)) for k in range(6)])
    assert [p.title for p in panels(flat, None, "p")] == ["Measured minus predicted, in margins"]
    vary = claim(rows=[single(k, 5.0 + k) for k in range(6)])
    assert [p.title for p in panels(vary, None, "p")][1] == "Measured against predicted"
    bounds = claim(rows=[single(k, 5.0 + k, compare="at least", high=math.inf) for k in range(6)])
    assert len(panels(bounds, None, "p")) == 1, "a bound is not to be equal to what is measured"


def test_legends_stand_where_no_data_are():
    with style():
        figure, axes = blank(height=300)
        proofs.convergence(axes, claim())
        figure.canvas.draw()
        (legend,) = figure.legends
        assert axes.get_legend() is None
        assert legend.get_window_extent().y1 <= axes.get_window_extent().y0
        _, axes = blank()
        forests.against(axes, [single(k, 5.0 + k) for k in range(4)])
        assert axes.get_legend() is None


def test_one_sided_intervals_are_marked():
    bound = single(0, 2.0, compare="at least", high=math.inf, measured=4.0, low=3.0)
    plain = single(1, 2.0)
    with style():
        _, axes = blank(height=300)
        forests.forest(axes, claim(rows=[bound, plain]), [bound, plain])
        arrows = [a for a in axes.texts if getattr(a, "arrow_patch", None) is not None]
        assert len(arrows) == 1 and arrows[0].xyann[0] > 0, "an arrow upwards, where the interval has no end"
        _, axes = blank(height=300)
        proofs.residuals(axes, claim(rows=[bound, plain]))
        assert {line.get_marker() for line in axes.lines} >= {"^", "o"}
    view = model.page(run(claim(rows=[bound, plain])), __import__("pathlib").Path()).claims[0]
    assert view.one_sided


# --- dense curves ---------------------------------------------------------------------------------------------------


def parabola(inputs, values):
    return inputs["height"] * np.asarray(values) ** 2


def made_claim(**changes):
    """A claim whose truth is height * x^2 at three x."""
    places = (0.5, 1.0, 2.0)
    values = {
        "id": "made.curve", "title": "Parabola", "statement": "y = x^2", "paper": "none",
        "domain": {"height": Interval(0.1, 9.0)},
        "plans": {"quick": Plan(({"height": 2.0},), (10, 20, 40))},
        "predict": lambda inputs: parabola(inputs, places),
        "rows": lambda inputs: tuple({"x": x} for x in places),
        "simulate": lambda inputs, size, seeds, backend: np.zeros((len(seeds), 3)),
        "counterfactuals": (Counterfactual("none", "", lambda inputs: np.zeros(3)),),
        "curve": parabola,
    }  # fmt: skip
    return Claim(**(values | changes))


def curve_rows(height=2.0):
    return [
        row(
            0,
            1,
            inputs={"height": height, "x": x},
            label={"x": x},
            predicted=height * x**2,
            measured=height * x**2,
        )
        for x in (0.5, 1.0, 2.0)
    ]


def test_theory_is_dense_along_labels():
    outcome = claim("made.curve", curve_rows())
    (line,) = curves.over_labels(outcome, made_claim())
    x, y = curves.dense(line)
    assert len(x) > 50 and x[0] == 0.5 and x[-1] == 2.0
    np.testing.assert_allclose(y, 2.0 * np.square(x), rtol=1e-12)
    with style():
        _, axes = blank()
        curves.curve(axes, line, smooth=(x, y))
        assert max(len(one.get_xdata()) for one in axes.lines) == len(x)


def test_theory_that_cannot_be_asked_is_drawn_through_what_was_simulated():
    def fails(inputs, values):
        raise ValueError("nothing here")

    outcome = claim("made.curve", curve_rows())
    for asked in (
        None,
        made_claim(curve=None),
        made_claim(curve=fails),
        made_claim(curve=lambda i, v: 1.01 * parabola(i, v)),
    ):
        (line,) = curves.over_labels(outcome, asked)
        assert curves.dense(line) is None  # the last would miss the predictions that were judged


def test_theory_is_dense_along_the_last_input_that_tells_points_apart():
    asked = []

    def predict(inputs):
        asked.append(inputs["depth"])
        return np.array([2.0 ** -inputs["depth"]])

    rows = [
        row(k, 1, inputs={"activation": "tanh", "depth": d}, label={}, predicted=2.0**-d)
        for k, d in enumerate((2, 4, 9))
    ]
    whole = made_claim(predict=predict, rows=lambda inputs: ({},), curve=None)
    (line,) = curves.over_inputs(claim(rows=rows), whole)
    x, y = curves.dense(line)
    assert x == tuple(map(float, range(2, 10))), "whole numbers stay whole"
    assert y == tuple(2.0**-d for d in range(2, 10)) and all(isinstance(d, int) for d in asked)
    assert line.title == "tanh" and curves.over_inputs(claim(rows=rows[:2]), whole) == []


def test_rows_with_a_name_and_a_number_are_a_curve_a_name():
    rows = [
        row(0, n, inputs={"sigma_w": 1.0, "quantity": name, "layer": n}, label={"quantity": name, "layer": n})
        for name in ("q", "c") for n in (1, 2, 3)
    ]  # fmt: skip
    assert [line.title for line in curves.over_labels(claim(rows=rows), None)] == ["q: σ_w = 1", "c: σ_w = 1"]
    assert len(panels(claim(rows=rows), None, "p")) == 2


def test_shipped_curves_go_through_shipped_predictions():
    """Of every claim that has one, at its first point: the predictions are what the run is judged by."""
    from widelimit.validate.harness.finding import load

    curved = [one for one in load("ridge.*") + load("meanfield.critical-decay") if one.curve]
    assert len(curved) >= 5
    for one in curved:
        inputs = one.plans["quick"].points[0]
        rows = one.rows(inputs)
        name = next(k for k, v in rows[0].items() if isinstance(v, int | float))
        groups = {}
        for label, value in zip(rows, one.predict(inputs), strict=True):
            others = tuple((key, part) for key, part in label.items() if key != name)
            groups.setdefault(others, []).append((float(label[name]), value))
        for others, pairs in groups.items():
            places, values = np.transpose(pairs)
            found = one.curve({**inputs, **dict(others)}, places)
            np.testing.assert_allclose(found, values, rtol=1e-7, err_msg=one.id)


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_lead_names_first_what_disagrees_and_links_it(html, outcome):
    head = html[html.index('<p class="lead">') : html.index("<main>")]
    assert head.index("1 claim disagrees with simulation") < head.index("1 claim differs measurably")
    assert 'href="#made-flat"' in head and 'href="#other-small"' in head and 'href="#made-up"' not in head
    assert "1 claim agrees" in head
    many = run(*[claim(f"made.c{k}", verdict="differs") for k in range(20)])
    (found,) = lead(many).findings
    assert (len(found.claims), found.more) == (12, 8)
    assert lead(run(claim())).rest.startswith("No claim disagrees with simulation; 1 claim agrees")


def test_claims_stand_in_groups_with_counts(html, outcome):
    made, other = topics(outcome)
    assert (made.ids, made.tally) == (("made.up", "made.flat"), (("agrees", 1), ("disagrees", 1)))
    assert (other.name, other.tally) == ("other", (("differs", 1),))
    assert "2 claims: 1 agrees, 1 disagrees" in html


def test_contents_and_filter_need_no_script(page, html):
    checker = checked(page)
    contents = html[html.index("<nav") : html.index("</nav>")]
    for name in ("made-up", "made-flat", "other-small", "verdicts", "manifest", "topic-made"):
        assert f'href="#{name}"' in contents and name in checker.ids
    assert "position:sticky" in html and "<script" not in html
    for verdict in ("agrees", "differs", "disagrees"):
        assert f'id="show-{verdict}"' in html and f"body:has(#show-{verdict}:checked)" in html
    assert 'id="show-inconclusive"' not in html, "nothing to show"
    assert html.count('data-verdict="disagrees"') == 3, "a row, a section and a line of the contents"


def test_what_agrees_is_folded_and_not_printed(html):
    opened = dict(re.findall(r'<details class="claim" data-verdict="(\w+)"( open)?>', html))
    assert opened == {"agrees": "", "disagrees": " open", "differs": " open"}
    printed = html[html.index("@media print") :]
    assert ".claim:not([open])" in printed and "folded on the screen are left out" in html
    for name in ("made-up", "made-flat"):  # a link into a folded section opens it, if its target is inside
        assert html.index(f'<div class="body" id="{name}">') > html.index("</summary>")


def test_the_key_stands_before_the_table(html):
    assert html.index('class="key"') < html.index('<table class="verdicts">')


def test_wrong_theories_fit_a_phone(html):
    table = html[html.index('<table class="wrongs">') :]
    table = table[: table.index("</table>")]
    for name in ("Predicts", "Measured", "p", "Rejected"):
        assert f'data-label="{name}"' in table
    narrow = html[html.index("@media screen and (max-width:52rem)") :]
    assert ".wrongs tr{display:grid" in narrow.replace(".verdicts tr,", "")


def test_the_manifest_is_tables():
    found = dict(about.tables({"seed": 0, "git": {"commit": "abc", "changed": False}, "seconds": 3292.422,
                               "cells": {"all": 5, "computed": 5}, "started": "2026-11-22T09:42:15+00:00",
                               "odd": [{"a": 1}], "skipped": [], "claims": ["x.y"]}))  # fmt: skip
    assert found["Git"] == (("commit", "abc"), ("changed", "no"))
    assert found["Time"] == (("started", "2026-11-22 09:42:15 UTC"), ("seconds", "54 min 52 s"))
    assert found["Request"] == (("seed", "0"),) and found["Cells"][0] == ("all", "5")
    assert not any(sign in str(value) for rows in found.values() for _, value in rows for sign in "{}'[]")


@pytest.mark.parametrize(
    ("value", "text"), [(-0.04, "0.0"), (0.0, "0.0"), (-0.06, "−0.1"), (3.14, "+3.1"), (-172.3, "−172.3")]
)
def test_zero_has_no_sign(value, text):
    assert numbers.signed(value) == text


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (0.4216, 0.00098, "0.42160"),
        (1.0, 0.0017, "1.0000"),
        (12.0, 0.3, "12.00"),
        (0.5, 0.0, "0.5"),
        (3e-9, 1e-11, "3.000 × 10⁻⁹"),
    ],
)
def test_predictions_have_the_decimals_of_measurements(value, error, said):
    assert numbers.predicted_beside(value, error) == said
    if error:
        assert numbers.measured(value, error).split("(")[0] == said.split(" ")[0]


def test_both_ends_of_an_interval_have_the_same_decimals():
    assert numbers.interval(0.5, 1.25) == "0.50 … 1.25"
    assert numbers.interval(-0.7, 1.2345) == "−0.70 … 1.23"
    assert numbers.interval(1.0, 1.0) == "1 … 1" and numbers.interval(-math.inf, math.inf) == "−∞ … ∞"


def test_names_of_numbers_keep_every_input():
    made = claim(rows=[row(p, n) for p in range(2) for n in (1, 2)])
    assert labels.named(made.rows[0], ["sigma_w"]) == "layer = 1: σ_w = 1"


def test_the_lead_stays_plain_with_hostile_names(tmp_path):
    rows = [row(0, 1, verdict="disagrees", counterfactuals=(CounterfactualRow("a", 2.0, 0.1, True),))]
    wrong = (CounterfactualOutcome("a", "b", True, 1, 1),)
    bad = claim(title="<script>x</script>", verdict="disagrees", counterfactuals=wrong, rows=rows)
    checked(path := report.write(run(bad), tmp_path))
    assert "<script" not in path.read_text()
