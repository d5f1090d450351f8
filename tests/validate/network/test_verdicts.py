"""Verdicts of a report's layers: what many layers may scatter, what one may, and what more draws would decide."""

from dataclasses import replace

import pytest
from scipy import stats

from widelimit.validate.network import report
from widelimit.validate.network.graph import judging
from widelimit.validate.network.graph.records import NAN, Layer
from widelimit.validate.network.reporting import _judged, _undecided

DRAWS = 8


def layer(name, off=0.0, error=0.1, number="g"):
    """A layer with one number that is off by a share of 1, and two that are right."""
    held = {"q_predicted": 1.0, "q_measured": 1.0, "q_error": 0.1, "rho_predicted": 0.5, "rho_measured": 0.5}
    held |= {"rho_error": 0.1, "g_predicted": 1.0, "g_measured": 1.0, "g_error": 0.1, "chi": NAN}
    held |= {f"{number}_measured": held[f"{number}_predicted"] + off, f"{number}_error": error}
    return Layer(name, "linear", "derived", **held, verdict="measured")


@pytest.mark.parametrize("number", ["q", "rho", "g"])
def test_forty_per_cent_at_four_standard_errors_is_no_agreement(number):
    """Student's t of 7 degrees: 2.365 at 5 per cent for one number, 10.6 at 1 per cent for 300 of them."""
    rest = [layer(f"right {n}") for n in range(98)]
    off, far = layer("off", 0.4, 0.1, number), layer("far", 0.4, 0.02, number)
    found = {one.name: one.verdict for one in _judged([*rest, off, far], DRAWS)}
    assert found["off"] == "inconclusive" and found["far"] == "disagrees"
    assert {found[one.name] for one in rest} == {"agrees"}
    assert stats.t.isf(0.05 / 2, 7) == pytest.approx(2.365, abs=1e-3)
    assert stats.t.isf(0.01 / 600, 7) == pytest.approx(judging.threshold(judging.LEVEL, 300, DRAWS))


def test_small_deviations_agree_however_well_they_are_known():
    assert [one.verdict for one in _judged([layer("a", 0.04, 1e-4)], DRAWS)] == ["agrees"]
    assert [one.verdict for one in _judged([layer("a", 0.2, 0.1)], DRAWS)] == [
        "agrees"
    ]  # 1.5 errors beyond 5 %


def test_a_sentence_says_how_many_draws_would_decide():
    layers = [*(layer(f"right {n}") for n in range(99)), layer("off", 0.4)]
    (said,) = _undecided(_judged(layers, DRAWS), DRAWS)
    assert "first off" in said and "draws=32 would decide" in said
    for draws, decides in ((8, False), (16, False), (32, True)):
        far = stats.t.isf(0.01 / 600, draws - 1) * 0.1 * (8 / draws) ** 0.5
        assert (far < 0.4 - 0.05) == decides
    assert not _undecided(_judged(layers[:-1], DRAWS), DRAWS)


def test_measured_layers_have_no_other_verdict():
    known = replace(layer("a", 0.9), method="measured")
    assert _judged([known], DRAWS)[0].verdict == "measured"


def test_a_page_counts_what_is_undecided(tmp_path):
    import torch

    torch.manual_seed(0)
    found = report(torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Tanh()), torch.randn(4, 64))
    doubtful = replace(found, layers=(replace(found.layers[0], verdict="inconclusive"), *found.layers[1:]))
    pages = []
    for one in (doubtful, found):
        one.to_html(tmp_path / "page.html")
        pages.append((tmp_path / "page.html").read_text())
    assert doubtful.agrees and "1 is undecided" in pages[0] and "undecided" not in pages[1]
    assert 'class="tag inconclusive"' in pages[0]
    assert doubtful.to_dict()["layers"][0]["verdict"] == "inconclusive"
