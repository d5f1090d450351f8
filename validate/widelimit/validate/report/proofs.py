"""The evidence behind a verdict: residuals in standard errors, and the approach to the limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from widelimit.validate.harness.outcome import ClaimOutcome, RowOutcome
from widelimit.validate.report import labels
from widelimit.validate.report.look import BLUE, GREEN, INK, LINE, ORANGE, PURPLE, SOFT, VERMILLION
from widelimit.validate.report.numbers import SUPERSCRIPTS
from widelimit.validate.report.scales import about_zero, bars, lines, open_end, plain_lines, whole, written
from widelimit.validate.report.words import greek

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CONVERGING = 3  # rows shown on the way to their limit
_LETTERS = 50  # in a line of the legend
_LEAST = 3.0  # standard errors that the axis of residuals reaches at least
_COLOURS = {"agrees": INK, "differs": BLUE, "disagrees": VERMILLION, "inconclusive": ORANGE}
_MARKS = {"agrees": "o", "differs": "s", "disagrees": "X", "inconclusive": "D"}
_ROWS = (INK, PURPLE, ORANGE)


def residuals(axes: Axes, outcome: ClaimOutcome) -> None:
    """(measured − predicted)/standard error of each number, inside the interval that multiplicity leaves.

    Beyond what intervals allow the scale is logarithmic where a number is far out. Triangles are one-sided: no number
    that lies where they point is a deviation.
    """
    rows = outcome.rows
    exact = [row.standard_error <= 0 for row in rows]
    values = [0.0 if one else row.residual for row, one in zip(rows, exact, strict=True)]
    ends = [_reach(row) for row in rows]
    x = list(range(1, len(values) + 1))
    within = max([_LEAST, *(r for pair in ends for r in pair if math.isfinite(r))])
    far = max([within, *(abs(v) for v in values if math.isfinite(v))])
    about_zero(axes.yaxis, far, within)
    edge = 2 * far
    below, above = ([max(-edge, -low) for low, _ in ends], [min(edge, high) for _, high in ends])
    axes.fill_between(x, below, above, step="mid", color=SOFT, alpha=0.16, lw=0)
    axes.axhline(0, color=BLUE, lw=1.2)
    for verdict, colour in _COLOURS.items():
        for side, mark in ((0, _MARKS[verdict]), (1, "^"), (-1, "v")):
            chosen = [i for i, row in enumerate(rows) if (row.verdict, _side(row)) == (verdict, side)]
            if chosen:
                axes.plot(
                    [x[i] for i in chosen], [values[i] for i in chosen], mark, ms=3 + bool(side), color=colour
                )
    edges = [i + 0.5 for i in range(1, len(x)) if rows[i].point != rows[i - 1].point]
    if len(edges) < len(x) - 1:
        for at in edges:
            axes.axvline(at, color=LINE, lw=0.7, zorder=0)
    axes.set_xlim(0.5, len(x) + 0.5)
    axes.set_xlabel("predicted numbers, point by point" if edges else "predicted numbers")
    axes.set_ylabel("residual / standard error")
    whole(axes, x)


def _side(row: RowOutcome) -> int:
    return {"at least": 1, "at most": -1}.get(row.compare, 0)


def _reach(row: RowOutcome) -> tuple[float, float]:
    """How far a residual may lie below and above zero; on the right side of a bound, anywhere."""
    if row.standard_error <= 0:
        return 0.0, 0.0
    (below,), (above,) = bars([row])
    reach = max(below, above) / row.standard_error
    return (math.inf if _side(row) < 0 else reach), (math.inf if _side(row) > 0 else reach)


def converging(outcome: ClaimOutcome) -> list[RowOutcome]:
    """The rows, one a point at most, whose dependence on size is seen best."""
    best = []
    for rows in labels.by_point(outcome):
        able = [row for row in rows if len(row.sizes) > 1 and row.slope_error > 0]
        if able:
            best.append(max(able, key=lambda row: abs(row.slope) / row.slope_error))
    best.sort(key=lambda row: -abs(row.slope) / row.slope_error)
    return best[:_CONVERGING] or [row for row in outcome.rows if len(row.sizes) > 1][:1]


def legend(outcome: ClaimOutcome) -> list[list[str]]:
    """What the converging rows are called, in lines."""
    varying, _ = labels.varying(outcome)
    return [lines(greek(labels.named(row, varying)), _LETTERS) for row in converging(outcome)]


def height(outcome: ClaimOutcome) -> float:
    """Pixels of the panel of convergence: its legend stands below the axes, where no data are."""
    return 236 + 8 + sum(13.0 * len(text) for text in legend(outcome))


def convergence(axes: Axes, outcome: ClaimOutcome) -> None:
    """Deviation from theory over size^-exponent, with the fitted line and the limit's interval at infinity."""
    chosen, power = converging(outcome), outcome.exponent
    axes.axhspan(-100 * outcome.margin, 100 * outcome.margin, color=GREEN, alpha=0.14, lw=0)
    axes.axhline(0, color=BLUE, lw=1.2)
    extent: set[int] = set()
    shown: list[float] = []
    handles = []
    for row, colour in zip(chosen, _ROWS, strict=False):
        unit = row.margin / outcome.margin / 100 if outcome.margin and row.margin else 1.0
        extent |= {size.size for size in row.sizes}
        limit = (row.measured - row.predicted) / unit
        means = [(size.mean - row.predicted) / unit for size in row.sizes]
        errors = [size.standard_error / unit for size in row.sizes]
        places = [size.size**-power for size in row.sizes]
        end = max(places)
        line = _finite(row, power) or [(0.0, row.measured), (end, row.measured + row.slope * end)]
        axes.plot([x for x, _ in line], [(y - row.predicted) / unit for _, y in line], color=colour, lw=1.0)
        axes.errorbar(places, means, yerr=errors, fmt="o", ms=3, color=colour, elinewidth=0.9)
        (below,), (above,) = bars([row])
        sides = [[below / unit], [above / unit]]
        handles.append(axes.errorbar([0.0], [limit], yerr=sides, fmt="s", ms=4, color=colour, elinewidth=1.4))
        if side := open_end(row):
            axes.annotate("", (0.0, limit), xytext=(0, 14 * side), textcoords="offset points",
                          arrowprops={"arrowstyle": "<-", "color": colour, "lw": 1.2})  # fmt: skip
        shown += [m - e for m, e in zip(means, errors, strict=True)]
        shown += [m + e for m, e in zip(means, errors, strict=True)]
        shown += [limit - sides[0][0], limit + sides[1][0]]
    sizes = sorted(extent)
    axes.set_xticks([0.0, *(size**-power for size in sizes)], ["∞", *(str(size) for size in sizes)])
    axes.set_xlim(-0.06 * sizes[0] ** -power, 1.06 * sizes[0] ** -power)
    axes.set_xlabel(f"{written(labels.symbol(outcome.size_name))} N, on the scale {_power(power)}")
    axes.set_ylabel("off by, % of scale" if outcome.margin else "off by")
    _frame(axes, shown, 100 * outcome.margin)
    _below(axes, handles, [plain_lines(text) for text in legend(outcome)])


def _finite(row: RowOutcome, power: float) -> list[tuple[float, float]]:
    """The limit and the prediction of every size, moved by what was measured; nothing where sizes have none."""
    said = [(size.size**-power, size.predicted) for size in row.sizes if size.predicted is not None]
    moved = [(place, y + row.measured - row.predicted) for place, y in said]
    return sorted([(0.0, row.measured), *moved]) if said else []


def _frame(axes: Axes, shown: Sequence[float], margin: float) -> None:
    """Show all numbers, and the margin's band unless it is so wide that they would look alike."""
    low, high = min([0.0, *shown]), max([0.0, *shown])
    if margin < 6 * max(high, -low):
        low, high = min(low, -margin), max(high, margin)
    pad = 0.06 * (high - low) or 1.0
    axes.set_ylim(low - pad, high + pad)


def _below(axes: Axes, handles: Sequence[Any], texts: Sequence[str]) -> None:
    figure: Any = axes.figure
    figure.legend(handles, texts, loc="outside lower left", fontsize=9.5, handlelength=1, labelspacing=0.2,
                  borderaxespad=0.1)  # fmt: skip


def _power(exponent: float) -> str:
    text = f"-{exponent:g}"
    return (
        f"N{text.translate(SUPERSCRIPTS)}" if float(exponent).is_integer() else f"N^{text}".replace("-", "−")
    )
