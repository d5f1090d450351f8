"""Theory as a curve: over what labels the rows of a point, or over an input that tells points apart.

A curve is drawn dense where the theory can be asked between what was simulated, by `Claim.curve` along labels and by
`Claim.predict` along inputs; else through the simulated places, which it marks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from widelimit.validate.harness.outcome import ClaimOutcome, RowOutcome
from widelimit.validate.report import labels
from widelimit.validate.report.look import BLUE, INK, SOFT
from widelimit.validate.report.scales import bars, fit, open_end, whole, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.validate.harness.claim import Claim

DENSE = 61  # places of a smooth curve
_SECONDS = 2.0  # of CPU for one curve; what takes longer is drawn through the simulated places
_LETTERS = 34  # in a line beside the vertical axis
_FEWEST = 3  # points that make a curve over an input

Smooth = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Line:
    """Rows that lie on one curve: over `axis`, at `inputs` otherwise; `between(x)` asks the theory elsewhere."""

    axis: str
    title: str
    rows: tuple[RowOutcome, ...]
    between: Callable[[Sequence[float]], Sequence[float]] | None = None

    @property
    def x(self) -> tuple[float, ...]:
        """Where was simulated."""
        return tuple(float(row.inputs[self.axis]) for row in self.rows)


def over_labels(outcome: ClaimOutcome, claim: Claim | None) -> list[Line]:
    """Lines through rows of a point that one number among their labels tells apart: three rows or more."""
    found = []
    for rows, title in zip(labels.by_point(outcome), labels.titles(outcome), strict=True):
        groups: dict[tuple[str, tuple[Any, ...]], list[RowOutcome]] = {}
        for row in rows:
            if (number := _number_among(row.label)) is not None:
                others = tuple((key, value) for key, value in row.label.items() if key != number)
                groups.setdefault((number, others), []).append(row)
        for (name, same), group in groups.items():
            if len({row.label[name] for row in group}) == len(group) >= _FEWEST:
                ordered = tuple(sorted(group, key=partial(_labelled, name)))
                inputs = {**labels.point_inputs(group[0]), **dict(same)}
                said = labels.said(dict(same))
                between = None if claim is None or claim.curve is None else _along_labels(claim, inputs)
                found.append(Line(name, f"{said}: {title}" if said else title, ordered, between))
    return found


def _labelled(name: str, row: RowOutcome) -> float:
    return float(row.label[name])


def _number_among(label: Mapping[str, Any]) -> str | None:
    """The one number that labels a row, if there is one and no more."""
    numbers = [name for name, value in label.items() if _numeric(value)]
    return numbers[0] if len(numbers) == 1 else None


def _along_labels(claim: Claim, inputs: Mapping[str, Any]) -> Callable[[Sequence[float]], Sequence[float]]:
    import numpy as np

    def between(x: Sequence[float]) -> Sequence[float]:
        assert claim.curve is not None
        return tuple(np.ravel(np.asarray(claim.curve(inputs, np.asarray(x)), dtype=float)))

    return between


def over_inputs(outcome: ClaimOutcome, claim: Claim | None) -> list[Line]:
    """Lines through points that differ in one number among their inputs, the last such one: three points or more."""
    names = list(dict.fromkeys(name for row in outcome.rows for name in labels.point_inputs(row)))
    for name in reversed(names):
        groups: dict[tuple[Any, ...], list[tuple[int, RowOutcome]]] = {}
        place: dict[int, int] = {}
        for row in outcome.rows:
            index = place[row.point] = place.get(row.point, -1) + 1
            if _numeric(row.inputs.get(name)):
                same = tuple((key, value) for key, value in row.inputs.items() if key != name)
                groups.setdefault(same, []).append((index, row))
        made = [_line(name, group, claim) for group in groups.values() if _curved(name, group)]
        if made:
            return made
    return []


def _numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _curved(name: str, group: Sequence[tuple[int, RowOutcome]]) -> bool:
    values = {row.inputs[name] for _, row in group}
    return len(values) == len(group) >= _FEWEST and len({index for index, _ in group}) == 1


def _line(name: str, group: Sequence[tuple[int, RowOutcome]], claim: Claim | None) -> Line:
    rows = tuple(sorted((row for _, row in group), key=lambda row: row.inputs[name]))
    index = group[0][0]
    said = {key: value for key, value in rows[0].inputs.items() if key != name}
    between = None if claim is None else _along_inputs(claim, labels.point_inputs(rows[0]), name, index)
    return Line(name, labels.said(said), rows, between)


def _along_inputs(
    claim: Claim, inputs: Mapping[str, Any], name: str, index: int
) -> Callable[[Sequence[float]], Sequence[float]]:
    import numpy as np

    def between(x: Sequence[float]) -> Sequence[float]:
        kind = int if isinstance(inputs[name], int) else float
        found = []
        for value in x:
            at = {**inputs, name: kind(value)}
            found.append(float(np.ravel(claim.predict(at))[index]) if claim.valid(at) else math.nan)
        return found

    return between


def dense(line: Line) -> Smooth | None:
    """Ask the theory between the places that were simulated; None where it cannot be asked, or takes too long.

    Whole numbers stay whole. What the theory says at simulated places is what the run was judged by, so a curve that
    misses it (of an earlier version's claim) is not drawn.
    """
    if line.between is None:
        return None
    x = line.x
    places = _places(x)
    try:
        again = [float(value) for value in line.between(x)]  # the first time also compiles
        start = time.process_time()
        line.between(x[:1])
        if (time.process_time() - start) * len(places) > _SECONDS:
            return None
        values = [float(value) for value in line.between(places)]
    except (
        Exception
    ):  # of a theory that has nothing to say there, or of a user's claim: the plain curve is left
        return None
    said = [row.predicted for row in line.rows]
    reach = max(map(abs, said)) or 1.0
    if any(not abs(a - b) <= 1e-6 * reach for a, b in zip(again, said, strict=True)):
        return None
    return tuple(places), tuple(values)


def _places(x: Sequence[float]) -> list[float]:
    """Between the first and the last place: even, or even in logarithms where places span decades."""
    low, high = min(x), max(x)
    if all(value.is_integer() for value in x) and high - low <= DENSE:
        return [float(value) for value in range(int(low), int(high) + 1)]
    steps = [k / (DENSE - 1) for k in range(DENSE)]
    if low > 0 and high > 30 * low:
        return sorted({*x, *(low * (high / low) ** step for step in steps)})
    return sorted({*x, *(low + (high - low) * step for step in steps)})


def curve(
    axes: Axes,
    line: Line,
    quantity: str = "",
    colours: Mapping[str, str] = MappingProxyType({}),
    smooth: Smooth | None = None,
) -> None:
    """Theory as a line, dense where `smooth` is given, simulation as intervals, wrong theories dashed."""
    rows, x = line.rows, line.x
    theory, data = [row.predicted for row in rows], [row.measured for row in rows]
    wrong: dict[str, list[tuple[float, float]]] = {}
    for place, row in zip(x, rows, strict=True):
        for one in row.counterfactuals:
            wrong.setdefault(one.name, []).append((place, one.predicted))
    for what, pairs in wrong.items():
        axes.plot(*zip(*pairs, strict=True), ls=(0, (4, 2)), lw=1.1, color=colours.get(what, SOFT))
    if smooth is not None:
        axes.plot(*smooth, color=BLUE, zorder=3)
    else:
        axes.plot(x, theory, color=BLUE, zorder=3, marker="o", ms=6, mfc="none", mew=1.0)
    shown = [*theory, *data, *(row.low for row in rows), *(row.high for row in rows)]
    if min(x) > 0 and max(x) > 30 * min(x):
        axes.set_xscale("log")
    fit(axes, shown, [v for pairs in wrong.values() for _, v in pairs])
    _measured(axes, x, rows)
    axes.set_xlabel(written(labels.symbol(line.axis)))
    if quantity:
        axes.set_ylabel(written(quantity, _LETTERS))
    whole(axes, x) if axes.get_xscale() == "linear" else None


def _measured(axes: Axes, x: Sequence[float], rows: Sequence[RowOutcome]) -> None:
    """Intervals; an arrow where a one-sided one has no end."""
    below, above = bars(rows)
    axes.errorbar(x, [row.measured for row in rows], yerr=(below, above), fmt="o", ms=3, color=INK,
                  elinewidth=0.9, capsize=0, zorder=4)  # fmt: skip
    for place, row in zip(x, rows, strict=True):
        if end := open_end(row):
            axes.annotate("", (place, row.measured), xytext=(0, 14 * end), textcoords="offset points",
                          arrowprops={"arrowstyle": "<-", "color": INK, "lw": 0.9})  # fmt: skip
