"""Datasets over a grid: what `meanfield.phase_diagram` and its like return, drawn with their own axes' names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.errors import ArgumentError, PictureError
from widelimit.validate.pictures.kit import COLOURS
from widelimit.validate.pictures.notation import symbol
from widelimit.validate.report.look import INK, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What is drawn of a dataset unless the reader asks for something else: the first of these that it has.
_FIRST = ("phase", "collapses", "test_error", "lower")
_FEW = 6  # curves of one picture


def dataset(result: Any, axes: Axes, what: str | None = None) -> None:
    """Draw one variable, `what`: words as regions, numbers over one axis as curves, over two long ones as colours."""
    name = _chosen(result, what)
    variable = result[name]
    dims = variable.dims
    if variable.ndim == 1:
        axes.plot(result[dims[0]].values, variable.values.astype(float), "o-", ms=3, color=COLOURS[0])
        _labels(axes, dims[0], name)
    elif variable.ndim != 2:
        raise PictureError(
            f"`{name}` has {variable.ndim} axes; a picture has two. Select a part with `.sel(...)`."
        )
    elif variable.dtype.kind in "UOSb":
        _regions(axes, variable, name)
    elif min(variable.shape) <= _FEW or max(variable.shape) <= 2:
        _curves(axes, result, variable, name)
    else:
        _colours(axes, variable, name)


def _chosen(result: Any, what: str | None) -> str:
    names = list(result.data_vars)
    if what is None:
        found = next((name for name in _FIRST if name in names), names[0] if names else None)
        if found is None:
            raise PictureError("This dataset has no variables: there is nothing to be drawn.")
        return str(found)
    if what not in names:
        raise ArgumentError("what", f"must be one of {', '.join(map(str, names))}", what)
    return what


def _labels(axes: Axes, x: Any, y: str) -> None:
    axes.set_xlabel(symbol(str(x)))
    axes.set_ylabel(symbol(y))


def _regions(axes: Axes, variable: Any, name: str) -> None:
    """Regions of words, over the first axis to the right; a word stands in the middle of its region."""
    from matplotlib.colors import ListedColormap

    said = variable.values.astype(str)
    if variable.dtype.kind == "b":
        said = np.where(variable.values, name, f"not {name}")
    words = sorted(map(str, np.unique(said)))
    code = np.searchsorted(words, said)
    x, y = (variable[dim].values.astype(float) for dim in variable.dims)
    colours = ListedColormap([_tint(COLOURS[k % len(COLOURS)]) for k in range(len(words))])
    axes.pcolormesh(_ends(x), _ends(y), code.T, cmap=colours, vmin=-0.5, vmax=len(words) - 0.5)
    for k, word in enumerate(words):
        rows, columns = np.nonzero(code == k)
        middle = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
        axes.text(x[rows[middle]], y[columns[middle]], word, ha="center", va="center", color=INK, fontsize=10)
    _labels(axes, variable.dims[0], str(variable.dims[1]))
    axes.set_title(symbol(name))


def _ends(places: np.ndarray) -> np.ndarray:
    """Where the cells around places end: halfway between them; a single one is as wide as it is far from zero."""
    if places.size == 1:
        half = abs(places[0]) / 2 or 0.5
        return np.array([places[0] - half, places[0] + half])
    middle = (places[1:] + places[:-1]) / 2
    return np.concatenate([[2 * places[0] - middle[0]], middle, [2 * places[-1] - middle[-1]]])


def _tint(colour: str, share: float = 0.35) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb

    return tuple(1 - share * (1 - part) for part in to_rgb(colour))


def _curves(axes: Axes, result: Any, variable: Any, name: str) -> None:
    """A curve for each place of the shorter axis."""
    long, short = sorted(variable.dims, key=lambda dim: -variable.sizes[dim])
    if variable.sizes[long] == variable.sizes[short]:
        long, short = variable.dims
    x = result[long].values.astype(float)
    error = result.get(f"{name}_standard_error")
    for k, place in enumerate(result[short].values[:_FEW]):
        y = variable.isel({short: k}).transpose(long).values.astype(float)
        y = np.where(np.isfinite(y), y, np.nan)
        axes.plot(
            x,
            y,
            color=COLOURS[k],
            marker="o" if x.size < 12 else "",
            ms=3,
            label=f"{symbol(str(short))} = {place:.4g}",
        )
        if error is not None:
            spread = error.isel({short: k}).values.astype(float)
            axes.fill_between(x, y - spread, y + spread, color=COLOURS[k], alpha=0.2, lw=0)
    values = variable.values[np.isfinite(variable.values.astype(float))]
    if values.size and values.min() > 0 and values.max() / values.min() > 30:
        axes.set_yscale("log")
    if x.min() > 0 and x.max() / x.min() > 30:
        axes.set_xscale("log")
    _labels(axes, long, name)
    axes.legend()


def _colours(axes: Axes, variable: Any, name: str) -> None:
    x, y = (variable[dim].values.astype(float) for dim in variable.dims)
    values = np.where(np.isfinite(variable.values.astype(float)), variable.values.astype(float), np.nan)
    image = axes.pcolormesh(_ends(x), _ends(y), values.T, cmap="viridis")
    figure = axes.get_figure()
    if figure is not None:
        figure.colorbar(image, ax=axes, label=symbol(name))
    if name == "chi_1":
        axes.contour(x, y, values.T, levels=[1.0], colors=[SOFT])
    _labels(axes, variable.dims[0], str(variable.dims[1]))


PICTURES = {"Labelled": dataset}
NO_PICTURE: dict[str, str] = {}
