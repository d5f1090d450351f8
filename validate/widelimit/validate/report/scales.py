"""What the panels' axes share: intervals as bars, limits that outliers cannot flatten, ticks that do not overprint."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from widelimit.validate.harness.outcome import RowOutcome
from widelimit.validate.report.look import plain
from widelimit.validate.report.words import greek

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

_LETTER = 0.56  # mean width of a letter over its size, in the fonts that browsers take
_FLAT = 4.0  # how many times everything else one number may reach before it is drawn on a logarithmic scale
_BETWEEN = 6.0  # pixels between two labels of ticks
_DECADE = 10.0
_EDGE = 1e-3  # pixels; a tick that is set farther out would move the limits


def lines(text: str, letters: int) -> list[str]:
    """Break a text into lines of so many letters; nothing of it is left out.

    >>> lines("tanh, σ_w = 1.5, depth = 5", 18)
    ['tanh, σ_w = 1.5,', 'depth = 5']
    """
    return textwrap.wrap(text, letters, break_on_hyphens=False) or [""]


def written(text: str, letters: int = 0) -> str:
    """Return a text as Matplotlib has to be given it: Greek letters set, in lines where `letters` says how long."""
    return plain_lines(lines(greek(text), letters)) if letters else plain(greek(text))


def plain_lines(parts: Iterable[str]) -> str:
    """Join lines of text from outside, as Matplotlib has to be given them."""
    return "\n".join(map(plain, parts))


def bars(rows: Sequence[RowOutcome]) -> tuple[list[float], list[float]]:
    """How far intervals reach below and above what was measured; not at all where a one-sided one has no end."""
    below = [max(0.0, row.measured - row.low) for row in rows]
    above = [max(0.0, row.high - row.measured) for row in rows]
    sides = [[length if math.isfinite(length) else 0.0 for length in side] for side in (below, above)]
    return sides[0], sides[1]


def open_end(row: RowOutcome) -> int:
    """Where an interval has no end: 1 above, -1 below, 0 nowhere."""
    if math.isinf(row.low) == math.isinf(row.high):
        return 0
    return 1 if math.isinf(row.high) else -1


def fit(axes: Axes, shown: Sequence[float], wrong: Sequence[float] = ()) -> None:
    """Set the vertical limits for theory and data, and as much of wrong theories as does not flatten them."""
    shown = [value for value in shown if math.isfinite(value)]
    low, high = (min(shown), max(shown)) if shown else (0.0, 1.0)
    if low > 0 and high > 30 * low:
        axes.set_yscale("log")
        low = min([low, *(v for v in wrong if v > low / _DECADE)])
        high = max([high, *(v for v in wrong if v < high * _DECADE)])
        axes.set_ylim(low / 1.3, high * 1.3)
        return
    span = (high - low) or abs(high) or 1.0
    low = min([low, *(v for v in wrong if v > low - 0.8 * span)])
    high = max([high, *(v for v in wrong if v < high + 0.8 * span)])
    axes.set_ylim(low - 0.07 * span, high + 0.07 * span)


def whole(axes: Axes, x: Sequence[float]) -> None:
    """Put ticks at whole numbers, where all places are."""
    from matplotlib.ticker import MaxNLocator

    if all(float(value).is_integer() for value in x):
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def tick(value: float) -> str:
    """Print the number at a tick.

    >>> tick(-0.0), tick(-20.0), tick(0.05), tick(1e6)
    ('0', '−20', '0.05', '10⁶')
    """
    from widelimit.validate.report.numbers import power_of_ten

    if value == 0:
        return "0"
    exponent = math.log10(abs(value))
    if abs(exponent) > 4 and abs(exponent - round(exponent)) < 1e-9:
        return ("−" if value < 0 else "") + power_of_ten(round(exponent))
    return f"{value:g}".replace("-", "−")


def about_zero(axis: Axis, reach: float, inner: float, typical: float | None = None) -> bool:
    """Set an axis about zero: linear, or linear up to `inner` and logarithmic beyond, where one number is far off.

    Returns whether it is logarithmic beyond `inner`. `typical`: how far most numbers reach.
    """
    far = reach > _FLAT * max(inner, typical or 0.0)
    top = 1.15 * max(reach, inner)
    axes: Any = axis.axes
    set_scale, set_limits, set_ticks = (
        (axes.set_xscale, axes.set_xlim, axes.set_xticks)
        if axis is axes.xaxis
        else (axes.set_yscale, axes.set_ylim, axes.set_yticks)
    )
    if far:
        from matplotlib.ticker import NullLocator

        set_scale("symlog", linthresh=inner, linscale=1.6)
        outer = [_DECADE**k for k in range(-3, 12) if 1.5 * inner <= _DECADE**k <= top]
        near = [_round_down(inner)]
        sides = [*near, *outer[:: max(1, -(-len(outer) // 2))]]
        set_ticks(both := [*(-value for value in reversed(sides)), 0.0, *sides], [tick(v) for v in both])
        axis.set_minor_locator(NullLocator())
    set_limits(-top, top)
    return far


def _round_down(value: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above a value.

    >>> _round_down(3.7), _round_down(0.51), _round_down(1.0)
    (2.0, 0.5, 1.0)
    """
    power = _DECADE ** math.floor(math.log10(value) + 1e-12)
    return float(next(step * power for step in (5, 2, 1) if step * power <= value * (1 + 1e-9)))


def tidy(axes: Axes, fixed: bool = False) -> None:
    """Give logarithmic axes few labels of whole numbers, and leave out labels of ticks that would overprint.

    `fixed`: nobody will zoom into them, so that ticks need not be found again whenever something is measured or drawn.
    """
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            _logarithmic(axis)
        if axis.get_visible():
            _thin(axes, axis, fixed)


def _logarithmic(axis: Axis) -> None:
    """Ticks at 1, 2 and 5 times powers of ten where there is room, at powers alone where an axis spans many."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    low, high = sorted(axis.get_view_interval())
    decades = math.log10(high / low)
    if type(axis.get_major_locator()).__name__ == "FixedLocator":  # somebody has chosen them
        axis.set_minor_formatter(NullFormatter())
        return
    steps = (1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [s * _DECADE**k for k in powers for s in steps if low * 0.999 <= s * _DECADE**k <= high * 1.001]
    if len(found) < 2:  # less than a factor of 2.5
        linear = _few(low, high)
        found = linear or [low, high]
    found = found[:: max(1, -(-len(found) // 7))]
    axis.set_major_locator(FixedLocator(found))
    axis.set_major_formatter(FuncFormatter(_three_digits))
    axis.set_minor_locator(NullLocator())


def _three_digits(value: float, _place: int | None = None) -> str:
    return tick(float(f"{value:.3g}"))


def _few(low: float, high: float) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    return [float(value) for value in MaxNLocator(3).tick_values(low, high) if low <= value <= high]


def _thin(axes: Axes, axis: Axis, fixed: bool) -> None:
    """Empty every label that would touch the one before it, as near as widths of letters are known without drawing."""
    horizontal = axis is axes.xaxis
    figure: Any = axes.figure
    box = axes.get_position()
    width, height = figure.get_size_inches() * figure.dpi
    length = float((width - 62) if horizontal else (height - 48)) if box.width > 0.5 else 0.5 * float(width)
    places = [float(place) for place in axis.get_majorticklocs()]
    formatter = axis.get_major_formatter()
    texts = formatter.format_ticks(places)
    shown = axis.get_transform().transform(places)
    low, high = axis.get_transform().transform(sorted(axis.get_view_interval()))
    if not (high - low) or len(places) < 2:
        return
    size = 9.5
    kept: list[tuple[float, float]] = []
    empty = list(texts)
    order = sorted(range(len(places)), key=lambda i: (not _round(texts[i]), shown[i]))
    seen = []
    for index in order:
        at = length * float((shown[index] - low) / (high - low))
        if not -1 <= at <= length + 1:
            continue
        if -_EDGE <= at <= length + _EDGE:
            seen.append(index)
        long = _LETTER * size * len(_bare(texts[index])) if horizontal else size
        span = (at - long / 2 - _BETWEEN / 2, at + long / 2 + _BETWEEN / 2)
        if all(span[1] <= other[0] or span[0] >= other[1] for other in kept):
            kept.append(span)
        else:
            empty[index] = ""
    if fixed and not formatter.get_offset():  # a power of ten beside the axis would be lost
        seen = sorted(seen)
        axis.set_ticks([places[i] for i in seen], labels=[empty[i] for i in seen])
    elif empty != list(texts):
        axis.set_ticks(places, labels=empty)


def _round(text: str) -> bool:
    """Labels that stay where others have to go."""
    return text in ("0", "∞", "1", "−1", "10⁰")


def _bare(text: str) -> str:
    """The letters of a label, without the signs of mathematics."""
    return text.replace("$", "").replace("\\mathdefault", "").replace("{", "").replace("}", "")
