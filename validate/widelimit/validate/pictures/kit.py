"""What many pictures are made of: curves over an argument, eigenvalues in the plane, bars, matrices, number lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.errors import ArgumentError, PictureError
from widelimit.validate.pictures.notation import symbol
from widelimit.validate.report.look import BLUE, GREEN, INK, LINE, ORANGE, PURPLE, SKY, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.validate.pictures.drawing import Draw

Array = np.ndarray
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, SOFT)
_FEW = 12  # points that are marked on a curve


def lines(
    axes: Axes,
    x: Any,
    curves: Mapping[str, Any],
    *,
    x_label: str,
    y_label: str = "",
    log: str = "",
) -> None:
    """Draw one curve or several over the same places; `log`: axes that are logarithmic, "x", "y" or "xy".

    What is not finite is left out. A logarithmic axis leaves out what is not positive.
    """
    places = np.asarray(x, float)
    for colour, (label, y) in zip(_cycled(len(curves)), curves.items(), strict=True):
        values = np.asarray(y, float)
        good = np.isfinite(values) & np.isfinite(places)
        for letter, one in (("x", places), ("y", values)):
            if letter in log:
                good &= one > 0
        mark = "o" if good.sum() <= _FEW else ""
        shown = np.where(good, values, np.nan)
        axes.plot(places, shown, color=colour, marker=mark, ms=4, label=label if len(curves) > 1 else None)
        y_label = y_label or (label if len(curves) == 1 else "")
    if "x" in log and (places > 0).any():
        axes.set_xscale("log")
    if "y" in log and any((np.asarray(y, float) > 0).any() for y in curves.values()):
        axes.set_yscale("log")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    if len(curves) > 1:
        axes.legend()


def swept(*names: str, log: str = "", y_label: str = "", one: Draw | None = None) -> Draw:
    """Make a picture of results that are numbers or arrays: the named attributes over the argument that was an array.

    A result does not know its arguments: `x` hands them in, with `label`; without it points are numbered. Of arrays
    with two axes the first attribute is shown as a matrix. A single number is drawn by `one`, or has no picture.
    """

    def curve(result: Any, axes: Axes, x: Any = None, label: str = "") -> None:
        arrays = {name: np.asarray(getattr(result, name)) for name in names}
        first = next(iter(arrays.values()))
        if first.ndim == 0:
            if one is None:
                kind = type(result).__name__
                help = "Solve for an array of arguments, and hand it to `plot(x=...)`."
                raise PictureError(f"This `{kind}` is a single point, which is no picture. {help}")
            one(result, axes)
        elif first.ndim == 1:
            places = _places(x, first.size)
            topic = topic_of(result)
            shown = {
                symbol(name, topic): value for name, value in arrays.items() if value.shape == first.shape
            }
            lines(axes, places, shown, x_label=_name(label, x), y_label=y_label, log=log)
        else:
            name = names[0]
            matrix(axes, first.reshape(first.shape[0], -1), symbol(name, topic_of(result)))

    return curve


def _places(x: Any, size: int) -> Array:
    if x is None:
        return np.arange(size)
    places = np.asarray(x, float).squeeze()
    if places.shape != (size,):
        raise ArgumentError("x", f"must hold {size} numbers, one a point", but=f"has shape {places.shape}")
    return places


def topic_of(result: Any) -> str:
    """The topic that a result belongs to, by the module of its class."""
    parts = type(result).__module__.split(".")
    return parts[2] if len(parts) > 2 else ""


def _name(label: str, x: Any) -> str:
    return label or ("point" if x is None else "x")


def _cycled(count: int) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(count)]


def bars(axes: Axes, values: Mapping[str, Any], *, x_label: str = "", log: bool = False) -> None:
    """Draw numbers that can be compared, one bar below the other, the first on top; each with its value."""
    from widelimit.validate.report.numbers import number

    shown = {
        label: float(value) for label, value in values.items() if value is not None and np.isfinite(value)
    }
    if not shown:
        raise PictureError("None of these numbers is finite: there is nothing to be drawn.")
    places = np.arange(len(shown))[::-1]
    values_ = np.array(list(shown.values()))
    logarithmic = log and bool((values_ > 0).all())
    if logarithmic:  # there is no zero that a bar could start from
        axes.scatter(values_, places, color=_cycled(len(shown)), s=45)
        axes.set_xscale("log")
        axes.grid(axis="x")
        axes.set_axisbelow(True)
    else:
        axes.barh(places, values_, color=_cycled(len(shown)), height=0.6)
        axes.axvline(0, color=SOFT, lw=0.6)
    for place, value in zip(places, values_, strict=True):
        at = (value if logarithmic else max(value, 0.0), place)
        told = number(float(value), 4)
        axes.annotate(told, at, (7, 0), textcoords="offset points", va="center", fontsize=9.5, color=INK)
    axes.set_yticks(places, list(shown))
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.25)
    axes.set_xlabel(x_label)


def matrix(axes: Axes, values: Any, label: str) -> None:
    """Draw a matrix as colours, blue below and red above zero where both signs occur, with their scale beside it."""
    table = np.asarray(values, float)
    finite = table[np.isfinite(table)]
    if finite.size and finite.min() < 0 < finite.max():
        top = float(np.abs(finite).max())
        image = axes.imshow(table, aspect="auto", vmin=-top, vmax=top, cmap="RdBu_r")
    else:
        image = axes.imshow(table, aspect="auto", cmap="viridis")
    figure = axes.get_figure()
    if figure is not None:
        figure.colorbar(image, ax=axes, label=label)


def plane(axes: Axes, values: Any, *, unit: bool, label: str = "eigenvalues") -> None:
    """Draw eigenvalues in the complex plane, with the unit circle of a map or the imaginary axis of a flow."""
    found = np.asarray(values, complex).ravel()
    found = found[np.isfinite(found)]
    if unit:
        turn = np.linspace(0, 2 * np.pi, 200)
        axes.plot(np.cos(turn), np.sin(turn), color=SOFT, lw=0.8)
        grows = np.abs(found) > 1
    else:
        axes.axvline(0, color=SOFT, lw=0.8)
        grows = found.real > 0
    for chosen, colour, name in ((~grows, BLUE, "decay"), (grows, VERMILLION, "grow")):
        if chosen.any():
            axes.plot(found[chosen].real, found[chosen].imag, "o", color=colour, ms=5, label=name)
    axes.axhline(0, color=LINE, lw=0.6)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel(f"real part of {label}")
    axes.set_ylabel("imaginary part")
    if grows.any() and not grows.all():
        axes.legend()
