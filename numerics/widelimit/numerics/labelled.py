"""`Labelled`: an `xarray.Dataset` over a grid whose `.plot()` is a picture.

It is a dataset in every way: selections of it are such again, ``.plot.scatter`` and the like are xarray's. What is new
is that ``.plot(ax=None, what=None)`` may be called.
"""

from __future__ import annotations

from typing import Any

import xarray
from xarray.plot.accessor import DatasetPlotAccessor

from widelimit.numerics import results


class Plots(DatasetPlotAccessor):
    """xarray's pictures of a dataset, and ours, when it is called."""

    __slots__ = ()

    def __call__(self, ax: Any = None, **options: Any) -> Any:
        """Draw one variable (`what`) on axes, and return them."""
        return results.plot(self._ds, ax, **options)


class Labelled(xarray.Dataset):
    """A dataset that draws itself.

    >>> grid = Labelled({"y": ("x", [1.0, 2.0])}, {"x": [0.0, 1.0]})
    >>> type(grid.sel(x=[1.0])).__name__, float(grid.y.sum())
    ('Labelled', 3.0)
    """

    __slots__ = ()

    @property
    def plot(self) -> Plots:  # type: ignore[override]
        """Call it for our picture; its methods are xarray's."""
        return Plots(self)
