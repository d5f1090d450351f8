"""Numbers that lie on no curve: a line each in units of the margin, and measured against predicted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from widelimit.validate.harness.outcome import ClaimOutcome, RowOutcome
from widelimit.validate.report import labels
from widelimit.validate.report.look import BLUE, GREEN, INK, SOFT, VERMILLION
from widelimit.validate.report.scales import about_zero, bars, lines, open_end, plain_lines
from widelimit.validate.report.words import greek

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LETTERS = 50  # in a line of a label
_LINE, _BAR = 12.5, 17.0  # pixels of a line of text, and of the bar below it
_VARY = 3  # different predictions that a plot over predictions needs


def names(outcome: ClaimOutcome, rows: Sequence[RowOutcome]) -> list[list[str]]:
    """The label of each row, in lines."""
    varying, _ = labels.varying(outcome)
    return [lines(greek(labels.named(row, varying)), _LETTERS) for row in rows]


def height(outcome: ClaimOutcome, rows: Sequence[RowOutcome]) -> float:
    """Pixels that a forest of these rows takes."""
    return 56 + sum(_LINE * len(text) + _BAR for text in names(outcome, rows))


def forest(axes: Axes, outcome: ClaimOutcome, rows: Sequence[RowOutcome]) -> None:
    """One line a number: the interval of measured minus predicted in margins, wrong theories as crosses.

    An arrow is the end that a one-sided interval does not have; the band, where numbers may lie.
    """
    y = 0.0
    reach = 2.0
    spans = []
    for row, text in zip(rows, names(outcome, rows), strict=True):
        unit = row.margin or 1.0
        (below,), (above,) = bars([row])
        middle = (row.measured - row.predicted) / unit
        axes.text(0, y, plain_lines(text), transform=axes.get_yaxis_transform(), fontsize=9.5, color=SOFT,
                  va="top", linespacing=1.2)  # fmt: skip
        bar = y + _LINE * len(text) + _BAR / 2 - 1
        axes.plot([middle - below / unit, middle + above / unit], [bar, bar], color=INK, lw=1.1)
        axes.plot([middle], [bar], "o", ms=4, color=INK)
        if end := open_end(row):
            axes.annotate("", (middle, bar), xytext=(16 * end, 0), textcoords="offset points",
                          arrowprops={"arrowstyle": "<-", "color": INK, "lw": 1.1})  # fmt: skip
        wrong = [(one.predicted - row.predicted) / unit for one in row.counterfactuals]
        axes.plot(wrong, [bar] * len(wrong), "x", ms=5, mew=1.4, color=VERMILLION)
        spans.append((bar, row.compare))
        far = [middle, middle - below / unit, middle + above / unit, *wrong]
        reach = max([reach, *(abs(value) for value in far if math.isfinite(value))])
        y += _LINE * len(text) + _BAR
    for bar, compare in spans:
        low, high = {"at least": (-1.0, 1e9), "at most": (-1e9, 1.0)}.get(compare, (-1.0, 1.0))
        axes.plot([0, 0], [bar - _BAR / 2 + 2, bar + _BAR / 2 - 1], color=BLUE, lw=1.4, zorder=0.5)
        axes.fill_betweenx([bar - _BAR / 2 + 2, bar + _BAR / 2 - 1], low, high, color=GREEN, alpha=0.14, lw=0)
    about_zero(axes.xaxis, reach, 1.5)
    axes.set_ylim(y + 2, -2)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("measured − predicted, in margins")


def comparable(rows: Sequence[RowOutcome]) -> list[RowOutcome]:
    """The rows that a plot over predictions says something about: those of one value, if values vary at all."""
    equal = [row for row in rows if row.compare == "equal"]
    different: list[float] = []
    for value in sorted(row.predicted for row in equal):
        if not different or value - different[-1] > 1e-3 * max(abs(value), abs(different[-1])):
            different.append(value)
    return equal if len(different) >= _VARY else []


def against(axes: Axes, rows: Sequence[RowOutcome]) -> None:
    """Measured over predicted, with the line of equality; logarithmic where numbers span decades."""
    x, y = [row.predicted for row in rows], [row.measured for row in rows]
    if min(x + y) > 0 and max(x) > 30 * min(x):
        axes.set_xscale("log")
        axes.set_yscale("log")
    low, high = min(x + y), max(x + y)
    pad = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    ends = [low * 0.8, high * 1.25] if axes.get_xscale() == "log" else [low - pad, high + pad]
    axes.plot(ends, ends, color=BLUE)
    axes.errorbar(x, y, yerr=bars(rows), fmt="o", ms=3.5, color=INK, elinewidth=0.9)
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_xlabel("predicted")
    axes.set_ylabel("measured")
