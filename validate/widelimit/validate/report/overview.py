"""``overview.svg``: the whole run in one picture, for a README or a slide."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from widelimit.validate.harness.outcome import RunOutcome
from widelimit.validate.report.look import BLUE, GREEN, INK, ORANGE, SOFT, VERMILLION, blank, plain, style
from widelimit.validate.report.svg import fragment, standalone

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"agrees": INK, "differs": BLUE, "disagrees": VERMILLION, "inconclusive": ORANGE}
_WIDTH, _ROW, _DENSE_ROW, _MANY = 760, 34, 20, 20  # pixels; rows are dense from so many claims on
_REACH = 100.0  # margins; what lies beyond is drawn at the edge


def draw(outcome: RunOutcome) -> str:
    """Draw each measured number in units of its margin, a line a claim, with the wrong theories as crosses."""
    with style():
        row = _ROW if len(outcome.claims) < _MANY else _DENSE_ROW
        figure, axes = blank(_WIDTH, 74 + row * max(1, len(outcome.claims)))
        _draw(axes, outcome)
    alt = f"Measured minus predicted, in margins, of {len(outcome.claims)} claims; crosses are rejected wrong theories"
    return standalone(fragment(figure, "overview", alt))


def _draw(axes: Axes, outcome: RunOutcome) -> None:
    axes.axvspan(-1, 1, color=GREEN, alpha=0.14, lw=0)
    axes.axvline(0, color=BLUE, lw=1.2)
    names = []
    for place, claim in enumerate(outcome.claims):
        wrong = set()
        for row in claim.rows:
            if row.margin <= 0:
                continue
            axes.plot(
                [_clipped((row.measured - row.predicted) / row.margin)],
                [place - 0.12 + 0.24 * (row.point % 2)],
                "o",
                ms=3.2,
                mec="none",
                alpha=0.6 if row.verdict == "agrees" else 1.0,
                color=_COLOURS[row.verdict],
            )
            wrong |= {
                round(_clipped((c.predicted - row.predicted) / row.margin), 1)
                for c in row.counterfactuals
                if c.rejected
            }
        axes.plot(sorted(wrong), [place] * len(wrong), "x", ms=4, mew=1.1, color=VERMILLION, alpha=0.7)
        names.append(plain(f"{claim.id}: {claim.verdict}") + (" (too weak)" if claim.too_weak else ""))
    axes.set_xscale("symlog", linthresh=1.5, linscale=1.6)
    axes.set_xlim(-1.2 * _REACH, 1.2 * _REACH)
    ticks = (-100.0, -10.0, -1.0, 0.0, 1.0, 10.0, 100.0)
    axes.set_xticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
    axes.tick_params(axis="x", which="minor", bottom=False)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0, labelsize=10)
    axes.set_ylim(len(names) - 0.5, -0.6)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(
        "measured − predicted, in margins   (• measurement   × rejected wrong theory)", color=SOFT
    )


def _clipped(value: float) -> float:
    return math.copysign(min(abs(value), _REACH), value) if math.isfinite(value) else _REACH
