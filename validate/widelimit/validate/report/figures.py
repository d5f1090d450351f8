"""The figures of a claim: theory against simulation, residuals, and the approach to the limit.

Each panel is an SVG of its own, so that the page can set three side by side on a desk and one below the other on a
phone without shrinking the type. `panels` draws the default figures from an outcome alone, or the topic's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from widelimit.validate.harness.outcome import ClaimOutcome, RowOutcome
from widelimit.validate.harness.text import clean
from widelimit.validate.report import labels
from widelimit.validate.report.failures import Failures
from widelimit.validate.report.look import (
    BLUE,
    GREEN,
    INK,
    LINE,
    ORANGE,
    PURPLE,
    SOFT,
    VERMILLION,
    blank,
    plain,
    style,
)
from widelimit.validate.report.numbers import SUPERSCRIPTS
from widelimit.validate.report.svg import fragment

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.validate.harness.claim import Claim

_MOST_CURVES = 6
_MOST_ROWS = 14  # in a forest plot
_CONVERGING = 3  # rows shown on the way to their limit
_WRONG = (VERMILLION, ORANGE, PURPLE)  # counterfactuals


@dataclass(frozen=True)
class Panel:
    """One picture: its SVG, and what it shows in a line of text (also for those who cannot see it)."""

    svg: str
    title: str
    alt: str


def panels(
    outcome: ClaimOutcome, claim: Claim | None, prefix: str, failures: Failures | None = None
) -> tuple[Panel, ...]:
    """Draw theory against simulation: the claim's own figure, or curves, or a forest of single numbers.

    What cannot be drawn is left out and told in `failures`.
    """
    failures = Failures() if failures is None else failures
    if claim is not None and claim.figure is not None:
        own = failures.attempt(
            f"The figure of {outcome.id} (a plain one is shown)",
            partial(drawn, partial(claim.figure, outcome), f"{prefix}a", claim.title, outcome.title),
            None,
            claim.figure,
        )
        if own is not None:
            return (own,)
    return _tried(_default(outcome, claim, prefix), outcome, failures)


def _tried(
    panels: Sequence[Callable[[], Panel]], outcome: ClaimOutcome, failures: Failures
) -> tuple[Panel, ...]:
    """Draw panels; one that fails is left out."""
    made = [failures.attempt(f"A figure of {outcome.id}", panel, None) for panel in panels]
    return tuple(panel for panel in made if panel is not None)


def _default(outcome: ClaimOutcome, claim: Claim | None, prefix: str) -> list[Callable[[], Panel]]:
    groups, titles = labels.by_point(outcome), labels.titles(outcome)
    quantity = claim.quantity if claim is not None else ""
    curves = [(rows, title) for rows, title in zip(groups, titles, strict=True) if labels.axis(rows)]
    if curves:
        return [
            partial(
                drawn,
                partial(curve, rows=rows, quantity=quantity, colours=colours_of(outcome)),
                f"{prefix}a{index}",
                title,
                f"{outcome.title}, {title}: theory as a line, simulation with intervals, over "
                f"{labels.symbol(labels.axis(rows) or '')}",
            )
            for index, (rows, title) in enumerate(curves[:_MOST_CURVES])
        ]
    rows = outcome.rows[:_MOST_ROWS]
    height = 58 + 30 * len(rows)
    return [
        partial(
            drawn,
            partial(forest, outcome=outcome, rows=rows),
            f"{prefix}a",
            "Measured minus predicted, in margins",
            f"{outcome.title}: each measured number with its interval, in units of the margin",
            height=max(236, height),
        ),
        partial(
            drawn,
            partial(against, rows=outcome.rows),
            f"{prefix}b",
            "Measured against predicted",
            f"{outcome.title}: measured numbers against predicted ones, with the line of equality",
        ),
    ]


def evidence(outcome: ClaimOutcome, prefix: str, failures: Failures | None = None) -> tuple[Panel, ...]:
    """Draw the residuals and, for claims with a limit, the approach to it; tell in `failures` what fails."""
    out = [
        partial(
            drawn,
            partial(residuals, outcome=outcome),
            f"{prefix}r",
            "Residuals",
            f"{outcome.title}: residuals of all {len(outcome.rows)} numbers in standard errors",
        )
    ]
    if any(len(row.sizes) > 1 for row in outcome.rows):
        out.append(
            partial(
                drawn,
                partial(convergence, outcome=outcome),
                f"{prefix}n",
                f"Convergence in {labels.symbol(outcome.size_name)}",
                f"{outcome.title}: deviation from theory against {outcome.size_name} to the power "
                f"−{outcome.exponent:g}, extrapolated to the limit",
            )
        )
    return _tried(out, outcome, Failures() if failures is None else failures)


def drawn(draw: Callable[[Axes], Any], prefix: str, title: str, alt: str, height: float = 236) -> Panel:
    """Draw one panel on axes of its own."""
    with style():
        figure, axes = blank(height=height)
        draw(axes)
    return Panel(fragment(figure, prefix, clean(alt)), title, alt)


def colours_of(outcome: ClaimOutcome) -> dict[str, str]:
    """One colour for each counterfactual of a claim, the same in all its panels; grey when colours run out."""
    names = [one.name for one in outcome.counterfactuals]
    return dict(zip(names, [*_WRONG, *[SOFT] * len(names)], strict=False))


def curve(
    axes: Axes,
    rows: Sequence[RowOutcome],
    quantity: str = "",
    colours: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Theory as a line over the rows' label, simulation as intervals, wrong theories dashed."""
    name = labels.axis(rows) or "row"
    rows = sorted(rows, key=lambda row: row.label[name])
    x = [float(row.label[name]) for row in rows]
    theory, data = [row.predicted for row in rows], [row.measured for row in rows]
    wrong: dict[str, list[tuple[float, float]]] = {}
    for place, row in zip(x, rows, strict=True):
        for one in row.counterfactuals:
            wrong.setdefault(one.name, []).append((place, one.predicted))
    for what, pairs in wrong.items():
        axes.plot(*zip(*pairs, strict=True), ls=(0, (4, 2)), lw=1.1, color=colours.get(what, SOFT))
    axes.plot(x, theory, color=BLUE, zorder=3)
    axes.errorbar(
        x,
        data,
        yerr=_bars(rows),
        fmt="o",
        ms=3,
        color=INK,
        elinewidth=0.9,
        capsize=0,
        zorder=4,
    )
    shown = [*theory, *data, *(row.low for row in rows), *(row.high for row in rows)]
    _limits(axes, [v for v in shown if math.isfinite(v)], [v for pairs in wrong.values() for _, v in pairs])
    axes.set_xlabel(plain(labels.symbol(name)))
    if quantity:
        axes.set_ylabel(plain(_cut(quantity, 34)))
    _whole_ticks(axes, x)


def forest(axes: Axes, outcome: ClaimOutcome, rows: Sequence[RowOutcome]) -> None:
    """One line a number: the interval of measured minus predicted in margins, wrong theories as crosses."""
    names, _ = labels.varying(outcome)
    axes.axvspan(-1, 1, color=GREEN, alpha=0.14, lw=0)
    axes.axvline(0, color=BLUE, lw=1.4)
    for place, row in enumerate(rows):
        unit = row.margin or 1.0
        (below,), (above,) = _bars([row])
        middle = (row.measured - row.predicted) / unit
        low, high = middle - below / unit, middle + above / unit
        axes.plot([low, high], [place, place], color=INK, lw=1.1)
        axes.plot([middle], [place], "o", ms=4, color=INK)
        wrong = [(one.predicted - row.predicted) / unit for one in row.counterfactuals]
        axes.plot(wrong, [place] * len(wrong), "x", ms=5, mew=1.4, color=VERMILLION)
        text = labels.said(labels.point_inputs(row), names)
        label = labels.said(row.label)
        text = f"{label}: {text}" if label and text else label or text
        axes.text(
            0,
            place - 0.27,
            plain(_cut(text, 58)),
            transform=axes.get_yaxis_transform(),
            fontsize=8,
            color=SOFT,
        )
    axes.set_xscale("symlog", linthresh=1.5, linscale=1.2)
    reach = max([2.0, *(abs(value) for value in axes.dataLim.intervalx if math.isfinite(value))])
    axes.set_xlim(-1.25 * reach, 1.25 * reach)
    _margin_ticks(axes, reach)
    axes.set_ylim(len(rows) - 0.4, -0.75)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("measured − predicted, in margins")


def against(axes: Axes, rows: Sequence[RowOutcome]) -> None:
    """Measured over predicted, with the line of equality; logarithmic where numbers span decades."""
    x, y = [row.predicted for row in rows], [row.measured for row in rows]
    if min(x + y) > 0 and max(x) > 30 * min(x):
        axes.set_xscale("log")
        axes.set_yscale("log")
    low, high = min(x + y), max(x + y)
    pad = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    ends = [low * 0.8, high * 1.25] if axes.get_xscale() == "log" else [low - pad, high + pad]
    axes.plot(ends, ends, color=BLUE, label="theory")
    axes.errorbar(x, y, yerr=_bars(rows), fmt="o", ms=3.5, color=INK, elinewidth=0.9, label="simulation")
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_xlabel("predicted")
    axes.set_ylabel("measured")
    axes.legend(loc="upper left")


def residuals(axes: Axes, outcome: ClaimOutcome) -> None:
    """(measured − predicted)/standard error of each number, inside the interval that multiplicity leaves."""
    values, reach = [], []
    for row in outcome.rows:
        error = row.standard_error
        values.append(row.residual if error > 0 else 0.0)
        reach.append(max(*_bars([row]))[0] / error if error > 0 else 0.0)
    x = list(range(1, len(values) + 1))
    axes.fill_between(x, [-r for r in reach], reach, step="mid", color=SOFT, alpha=0.16, lw=0)
    axes.axhline(0, color=BLUE, lw=1.2)
    colours = {"agrees": INK, "differs": BLUE, "disagrees": VERMILLION, "inconclusive": ORANGE}
    marks = {"agrees": "o", "differs": "s", "disagrees": "X", "inconclusive": "D"}
    for verdict, colour in colours.items():
        chosen = [i for i, row in enumerate(outcome.rows) if row.verdict == verdict]
        if chosen:
            axes.plot(
                [x[i] for i in chosen],
                [values[i] for i in chosen],
                marks[verdict],
                ms=3,
                color=colour,
                label=verdict,
            )
    edges = [i + 0.5 for i in range(1, len(x)) if outcome.rows[i].point != outcome.rows[i - 1].point]
    if len(edges) < len(x) - 1:
        for edge in edges:
            axes.axvline(edge, color=LINE, lw=0.7, zorder=0)
    axes.set_xlim(0.5, len(x) + 0.5)
    axes.set_xlabel("predicted numbers, point by point" if edges else "predicted numbers")
    axes.set_ylabel("residual / standard error")
    _whole_ticks(axes, x)


def convergence(axes: Axes, outcome: ClaimOutcome) -> None:
    """Deviation from theory over size^-exponent, with the fitted line and the limit's interval at 0."""
    chosen = _converging(outcome)
    power = outcome.exponent
    axes.axhspan(-100 * outcome.margin, 100 * outcome.margin, color=GREEN, alpha=0.14, lw=0)
    axes.axhline(0, color=BLUE, lw=1.2)
    names, _ = labels.varying(outcome)
    extent: set[int] = set()
    for row, colour in zip(chosen, (INK, PURPLE, ORANGE), strict=False):
        unit = row.margin / outcome.margin / 100 if outcome.margin and row.margin else 1.0

        def off(value: float, row: RowOutcome = row, unit: float = unit) -> float:
            return (value - row.predicted) / unit

        places = [size.size**-power for size in row.sizes]
        extent |= {size.size for size in row.sizes}
        ends = [0.0, max(places)]
        line = _finite(row, power) or [(end, row.measured + row.slope * end) for end in ends]
        axes.plot([end for end, _ in line], [off(y) for _, y in line], color=colour, lw=1.0)
        axes.errorbar(
            places,
            [off(size.mean) for size in row.sizes],
            yerr=[size.standard_error / unit for size in row.sizes],
            fmt="o",
            ms=3,
            color=colour,
            elinewidth=0.9,
        )
        axes.errorbar(
            [0.0],
            [off(row.measured)],
            yerr=[[side / unit for side in part] for part in _bars([row])],
            fmt="s",
            ms=4,
            color=colour,
            elinewidth=1.4,
            label=plain(
                _cut(" ".join(filter(None, [labels.said(row.label), labels.said(row.inputs, names)])), 46)
            ),
        )
    sizes = sorted(extent)
    axes.set_xticks([0.0, *(size**-power for size in sizes)], ["∞", *(str(size) for size in sizes)])
    axes.set_xlim(-0.06 * sizes[0] ** -power, 1.06 * sizes[0] ** -power)
    axes.set_xlabel(f"{plain(labels.symbol(outcome.size_name))} N, on the scale {_power(power)}")
    axes.set_ylabel("off by, % of scale" if outcome.margin else "off by")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.3 * (high - low))  # room for the legend
    axes.legend(loc="upper left", fontsize=8, handlelength=1, labelspacing=0.25, borderaxespad=0.1)


def _finite(row: RowOutcome, power: float) -> list[tuple[float, float]]:
    """The limit and the prediction of every size, moved by what was measured; nothing where sizes have none."""
    said = [(size.size**-power, size.predicted) for size in row.sizes if size.predicted is not None]
    moved = [(place, y + row.measured - row.predicted) for place, y in said]
    return sorted([(0.0, row.measured), *moved]) if said else []


def _bars(rows: Sequence[RowOutcome]) -> tuple[list[float], list[float]]:
    """How far intervals reach below and above what was measured; not at all where a one-sided one has no end."""
    below = [max(0.0, row.measured - row.low) for row in rows]
    above = [max(0.0, row.high - row.measured) for row in rows]
    return tuple([length if math.isfinite(length) else 0.0 for length in side] for side in (below, above))  # type: ignore[return-value]


def _converging(outcome: ClaimOutcome) -> list[RowOutcome]:
    """The rows, one a point at most, whose dependence on size is seen best."""
    best = []
    for rows in labels.by_point(outcome):
        able = [row for row in rows if len(row.sizes) > 1 and row.slope_error > 0]
        if able:
            best.append(max(able, key=lambda row: abs(row.slope) / row.slope_error))
    best.sort(key=lambda row: -abs(row.slope) / row.slope_error)
    return best[:_CONVERGING] or [row for row in outcome.rows if len(row.sizes) > 1][:1]


def _limits(axes: Axes, shown: Sequence[float], wrong: Sequence[float]) -> None:
    """Fit theory and data, and as much of the wrong theories as does not flatten them."""
    low, high = min(shown), max(shown)
    if low > 0 and high > 30 * low:
        axes.set_yscale("log")
        low, high = (
            min([low, *(v for v in wrong if v > low / 10)]),
            max([high, *(v for v in wrong if v < high * 10)]),
        )
        axes.set_ylim(low / 1.3, high * 1.3)
        return
    span = (high - low) or abs(high) or 1.0
    low = min([low, *(v for v in wrong if v > low - 0.8 * span)])
    high = max([high, *(v for v in wrong if v < high + 0.8 * span)])
    axes.set_ylim(low - 0.07 * span, high + 0.07 * span)


def _whole_ticks(axes: Axes, x: Sequence[float]) -> None:
    from matplotlib.ticker import MaxNLocator

    if all(float(value).is_integer() for value in x):
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def _power(exponent: float) -> str:
    text = f"-{exponent:g}"
    return (
        f"N{text.translate(SUPERSCRIPTS)}" if float(exponent).is_integer() else f"N^{text}".replace("-", "−")
    )


def _margin_ticks(axes: Axes, reach: float) -> None:
    from matplotlib.ticker import NullLocator

    outer = [10.0**k for k in range(1, 9) if 10.0**k <= 1.25 * reach][-1:]
    ticks = [*(-value for value in outer), -1.0, 0.0, 1.0, *outer]
    axes.set_xticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
