"""Verdicts of a run, and what an audit of one planted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.errors import PictureError
from widelimit.validate.report.look import BLUE, GREEN, LINE, ORANGE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.validate.harness.audit import Audit
    from widelimit.validate.harness.outcome import ClaimOutcome, RunOutcome

VERDICTS = {"agrees": BLUE, "differs": ORANGE, "disagrees": VERMILLION, "inconclusive": SOFT}
_MOST = 40  # rows by name


def _claim(result: ClaimOutcome, axes: Axes) -> None:
    """Each measured number minus its prediction, in margins, with its interval; the band counts as agreement."""
    rows = result.rows[:_MOST]
    if not rows:
        raise PictureError("This claim has no rows: nothing was measured.")
    places = np.arange(len(rows))[::-1]
    axes.axvspan(-1, 1, color=LINE, alpha=0.5, lw=0)
    axes.axvline(0, color=SOFT, lw=0.8)
    for place, row in zip(places, rows, strict=True):
        margin = row.margin or 1.0
        middle = (row.measured - row.predicted) / margin
        ends = [np.clip((end - row.predicted) / margin, -50, 50) for end in (row.low, row.high)]
        axes.plot(ends, [place, place], color=VERDICTS.get(row.verdict, SOFT), lw=1.4)
        axes.plot([np.clip(middle, -50, 50)], [place], "o", color=VERDICTS.get(row.verdict, SOFT), ms=4)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("measured minus predicted, in margins")
    axes.set_title(f"{result.id}: {result.verdict}" + (" (too weak)" if result.too_weak else ""))


def _run(result: RunOutcome, axes: Axes) -> None:
    """A line a claim: every number in margins, beside the name and coloured by its verdict."""
    claims = result.claims[:_MOST]
    if not claims:
        raise PictureError("This run has no claims.")
    places = np.arange(len(claims))[::-1]
    axes.axvspan(-1, 1, color=LINE, alpha=0.5, lw=0)
    for place, claim in zip(places, claims, strict=True):
        values = [(row.measured - row.predicted) / (row.margin or 1.0) for row in claim.rows]
        axes.plot(
            np.clip(values, -3, 3),
            np.full(len(values), place),
            "o",
            color=VERDICTS.get(claim.verdict, SOFT),
            ms=3.5,
        )
    axes.set_yticks(places, [claim.id for claim in claims])
    axes.set_xlim(-3.2, 3.2)
    axes.set_xlabel("measured minus predicted, in margins")
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.set_figheight(max(2.5, 0.25 * len(claims) + 1))


def _audit(result: Audit, axes: Axes) -> None:
    """Errors that were planted, by size: caught or missed."""
    for k, one in enumerate(result.planted):
        axes.plot([abs(one.size)], [k], "o", color=GREEN if one.caught else VERMILLION, ms=6)
    axes.set_xscale("log")
    axes.set_yticks(range(len(result.planted)), [one.verdict for one in result.planted])
    axes.set_xlabel("size of the planted error; green: caught")


def _search(result: Any, axes: Axes) -> None:
    """The rows of the counterexample that a search found."""
    if result.counterexample is None or not result.rows:
        raise PictureError(
            f"No counterexample was found in {result.tried} points: there is nothing to be drawn."
        )
    for k, row in enumerate(result.rows):
        axes.errorbar(
            [row.measured],
            [k],
            xerr=[[row.measured - row.low], [row.high - row.measured]],
            fmt="o",
            color=BLUE,
            ms=4,
        )
        axes.plot([row.predicted], [k], "x", color=VERMILLION, ms=7)
    axes.set_yticks([])
    axes.set_xlabel("measured with interval; cross: predicted")


PICTURES = {"ClaimOutcome": _claim, "RunOutcome": _run, "Audit": _audit, "FalsifyOutcome": _search}
NO_PICTURE = {
    "RowOutcome": "it is one line of its claim's picture",
    "SizeSummary": "it is one point of its row's convergence",
    "CounterfactualRow": "it is one line of its claim's table",
    "CounterfactualOutcome": "it is one line of its claim's table",
    "Fit": "it is a chi^2",
    "Planted": "it is one point of its audit's picture",
}
