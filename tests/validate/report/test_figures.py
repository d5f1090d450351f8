"""Figures as lean SVG: valid XML, no state left behind, the same bytes each time, and true to the numbers."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.validate.report.paths import places

from widelimit.validate.report import gallery as galleries
from widelimit.validate.report.figures import drawn
from widelimit.validate.report.gallery import figures_of
from widelimit.validate.report.look import BLUE, PALETTE, blank, style
from widelimit.validate.report.strips import WIDTH, place
from widelimit.validate.report.svg import fragment, standalone


def square(axes):
    axes.plot([0, 1, 2], [0, 1, 4], color=BLUE)
    axes.errorbar([0, 1, 2], [0, 1, 4], yerr=0.2, fmt="o", color="k")
    axes.imshow(np.eye(3), extent=(0, 1, 3, 4))
    axes.set_title("a < b & $q^*_1$")


@pytest.fixture(scope="module")
def svg():
    return drawn(square, "p1", "title", "squares").svg


def test_fragment_is_xml_of_one_figure(svg):
    root = ElementTree.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert root.find("{http://www.w3.org/2000/svg}title").text == "squares"
    ids = re.findall(r' id="([^"]*)"', svg)
    assert all(name.startswith("p1-") for name in ids)
    assert set(re.findall(r"#(p1-\d+)", svg)) == set(ids)


def test_two_figures_share_no_identifier(svg):
    other = drawn(square, "p2", "title", "squares").svg
    assert not set(re.findall(r' id="([^"]*)"', svg)) & set(re.findall(r' id="([^"]*)"', other))


def test_the_same_figure_is_the_same_text(svg):
    assert drawn(square, "p1", "title", "squares").svg == svg


def test_points_land_where_the_axes_put_them():
    with style():
        figure, axes = blank(200, 100)
        axes.plot([0, 1, 2], [0, 1, 4], color=BLUE)
        text = fragment(figure, "p", "line")
        expected = axes.transData.transform([(0, 0), (1, 1), (2, 4)])
    path = re.search(r'stroke="var\(--blue\)"[^>]* d="M([^"]*)"', text)[1]
    found = np.array(places("M" + path))
    # Decimals are cut to a tenth of a pixel; SVG counts downwards from the top.
    np.testing.assert_allclose(found, np.c_[expected[:, 0], 100 - expected[:, 1]], atol=0.06)


def test_the_palette_is_themed_and_foreign_colours_stay():
    def two(axes):
        axes.plot([0, 1], color=BLUE)
        axes.plot([1, 0], color="#123456")

    text = drawn(two, "p", "t", "a").svg
    assert 'stroke="var(--blue)"' in text and 'stroke="#123456"' in text


def test_standalone_follows_the_readers_mode(svg):
    text = standalone(svg)
    ElementTree.fromstring(text.encode())
    assert PALETTE["ink"][0] in text and PALETTE["ink"][1] in text


def test_drawing_leaves_no_global_state(svg):
    import matplotlib

    before = dict(matplotlib.rcParams)
    drawn(square, "p", "t", "a")
    assert dict(matplotlib.rcParams) == before


def contrast(first, second):
    """WCAG's ratio of relative luminances."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", [0, 1])
def test_contrast_on_both_papers(mode):
    paper = PALETTE["paper"][mode]
    for name in ("ink", "soft"):
        assert contrast(PALETTE[name][mode], paper) >= 4.5, name  # WCAG AA for text
    for name in ("blue", "vermillion", "green"):
        assert contrast(PALETTE[name][mode], paper) >= 3.0, name  # and for graphics


def test_strip_is_linear_inside_the_margin_and_bounded_outside():
    assert place(0.5) - place(0) == pytest.approx((place(1) - place(0)) / 2)
    assert place(1) < place(10) < place(1000) == place(1e9) <= WIDTH
    assert place(-3) == pytest.approx(WIDTH - place(3))


CALLS = []


def compute(preset):
    CALLS.append(preset)
    return {"y": np.arange(3.0)}


def compute_longer(preset):
    CALLS.append(preset)
    return {"y": np.arange(4.0)}


def figure(name, made_by, shown="y"):
    return galleries.GalleryFigure(
        name, "A line", "caption", "key, fig. 1", made_by, lambda arrays, axes: axes.plot(arrays[shown])
    )


def test_gallery_computes_once_and_survives_failures(tmp_path, monkeypatch, caplog):
    CALLS.clear()
    made = figure("line", compute), figure("bad", compute, "none")
    monkeypatch.setattr(galleries, "figures_of", lambda topic: made)
    assert [f.name for f, _ in galleries.gallery(["toy"], "quick", tmp_path)] == ["line"]
    assert "toy.bad failed" in caplog.text
    assert len(CALLS) == 2
    galleries.gallery(["toy"], "quick", tmp_path)
    assert len(CALLS) == 2, "arrays are kept in the folder"
    (tmp_path / "gallery" / "toy.line.quick.npz").write_bytes(b"cut")
    assert len(galleries.gallery(["toy"], "quick", tmp_path)) == 1 and len(CALLS) == 3


def test_a_figure_is_computed_again_by_other_code(tmp_path, monkeypatch):
    """Else a page shows what a solver said before it was mended, or arrays that do not fit how they are drawn."""
    CALLS.clear()
    for made_by in (compute, compute_longer, compute_longer):
        monkeypatch.setattr(galleries, "figures_of", lambda topic, by=made_by: (figure("line", by),))
        galleries.gallery(["toy"], "quick", tmp_path)
    assert len(CALLS) == 2
    with np.load(tmp_path / "gallery" / "toy.line.quick.npz") as file:
        assert file["y"].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_the_gallery_of_a_topic_is_found_where_its_claims_are():
    assert figures_of("meanfield") and figures_of("ridge") and figures_of("jacobian")
    assert figures_of("batchnorm") == () == figures_of("no-such-topic")
