"""Axes lie where Matplotlib's constrained layout, which measures everything twice, would put them."""

import numpy as np
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine

from widelimit.validate.report.layout import Snug
from widelimit.validate.report.look import blank, style
from widelimit.validate.report.scales import tidy
from widelimit.validate.report.svg import fragment

SAME = 1.0  # pixels


def wide_labels(axes):
    axes.plot([0, 1], [-123456.5, 654321.5])
    axes.set_ylabel("two lines\nof a label")
    axes.set_xlabel("x")


def logarithmic(axes):
    axes.loglog([1e-3, 1e4], [2.0, 3e6])
    axes.set_xlabel("x")


def legend_below(axes):
    (line,) = axes.plot([0, 1, 2], [0, 1, 4])
    axes.set_xlabel("x")
    axes.figure.legend([line, line], ["one", "another"], loc="outside lower left")


def text_outside(axes):
    axes.plot([0, 1])
    axes.annotate("beside the axes", (1.0, 0.5), xycoords="axes fraction")


def scale_beside(axes):
    axes.figure.colorbar(axes.imshow(np.eye(3), aspect="auto"), ax=axes)


def titled(axes):
    axes.plot([0, 1])
    axes.set_title("above")


def place(draw, engine):
    with style():
        figure, axes = blank()
        draw(axes)
        for one in figure.axes:
            tidy(one, fixed=len(figure.axes) == 1)
        engine.execute(figure)
        return np.array(axes.get_position().transformed(figure.transFigure).extents)


@pytest.mark.parametrize("draw", [wide_labels, logarithmic, legend_below, text_outside, scale_beside, titled])
def test_axes_lie_where_the_slower_layout_puts_them(draw):
    np.testing.assert_allclose(place(draw, Snug()), place(draw, ConstrainedLayoutEngine()), atol=SAME)


def test_everything_lies_inside_the_picture():
    with style():
        figure, axes = blank()
        wide_labels(axes)
        tidy(axes, fixed=True)
        figure.get_layout_engine().execute(figure)
        taken = axes.get_tightbbox(None)
    assert taken.x0 >= 0 and taken.y0 >= 0
    assert taken.x1 <= figure.bbox.width and taken.y1 <= figure.bbox.height


def test_fixed_ticks_are_those_that_were_seen_and_move_no_limit():
    with style():
        _, axes = blank()
        axes.plot([0.03, 0.97], [0.1, 7.3])
        before = (*axes.get_xlim(), *axes.get_ylim())
        tidy(axes)
        said = [text.get_text() for text in axes.get_xticklabels()]
        tidy(axes, fixed=True)
        assert (*axes.get_xlim(), *axes.get_ylim()) == before
        low, high = axes.get_xlim()
        assert all(low <= tick <= high for tick in axes.get_xticks())
        fixed = [text.get_text() for text in axes.get_xticklabels()]
    assert [one for one in said if one in fixed] == fixed and len(fixed) >= 3


def test_a_power_of_ten_beside_an_axis_stays():
    with style():
        figure, axes = blank()
        axes.plot([0, 1], [1e7, 9e7])
        tidy(axes, fixed=True)
        text = fragment(figure, "p", "a")
    assert ">1e7<" in text and ">90000000<" not in text
