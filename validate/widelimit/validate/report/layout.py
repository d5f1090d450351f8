"""Where the axes of a panel lie: as large as their labels leave room for, found by measuring once.

Matplotlib's constrained layout measures every label twice, and solves equations for grids of axes; nearly all panels
have axes alone. Those with several (colour scales), of fixed aspect or with titles above are left to it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.layout_engine import ConstrainedLayoutEngine

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

USUAL = (46.0, 42.0, 7.0, 7.0)  # pixels that labels take on the left, below, on the right and above
_PAD = 3.0  # pixels between what is drawn and the edge
_SMALLEST = 0.1  # share of the figure that is left to the axes at least
_SAME = 0.1  # of the figure: by so much axes may change without being measured again
CSS = 72  # pixels an inch of figures whose sizes are CSS pixels


def guess(width: float, height: float) -> dict[str, float]:
    """Where axes lie in most figures of so many pixels, as arguments of a grid of Matplotlib's.

    >>> guess(460, 420)["left"], guess(460, 420)["bottom"]
    (0.1, 0.1)
    """
    left, bottom, right, top = USUAL
    return {
        "left": min(0.4, left / width),
        "bottom": min(0.4, bottom / height),
        "right": 1 - right / width,
        "top": 1 - top / height,
    }


class Snug(ConstrainedLayoutEngine):
    """The layout of a figure with one pair of axes, and of legends below them; constrained layout for all others."""

    def execute(self, fig: Any) -> None:
        """Place the axes. They are measured again only where labels take much more or less room than is usual."""
        renderer = RendererSVG(fig.bbox.width, fig.bbox.height, io.StringIO())
        if not _alone(fig, renderer):
            super().execute(fig)
            return
        (axes,) = fig.axes
        for _ in range(2):
            before = axes.get_position(original=True)
            axes.set_position(found := _room(fig, axes, renderer), which="original")
            if abs(found[2] - before.width) < _SAME and abs(found[3] - before.height) < _SAME:
                return


def _alone(figure: Figure, renderer: RendererSVG) -> bool:
    """Whether one pair of axes fills a figure in CSS pixels, its shape free, and legends of the figure stand below."""
    if figure.dpi != CSS or len(figure.axes) != 1 or figure.axes[0].get_aspect() != "auto":
        return False
    if figure.texts or figure.subfigs or figure.get_suptitle():
        return False
    middle = figure.bbox.height / 2
    return all(one.get_window_extent(renderer).y1 < middle for one in figure.legends)


def _room(figure: Figure, axes: Axes, renderer: RendererSVG) -> tuple[float, float, float, float]:
    """Left, bottom, width and height of the axes, as shares of the figure, so that all labels lie inside it."""
    place = axes.get_position(original=True).transformed(figure.transFigure)
    taken = axes.get_tightbbox(renderer, for_layout_only=True) or place
    legends = sum(one.get_window_extent(renderer).height + 2 * _PAD for one in figure.legends)
    width, height = figure.bbox.width, figure.bbox.height
    left, right = place.x0 - taken.x0 + _PAD, taken.x1 - place.x1 + _PAD
    below, above = place.y0 - taken.y0 + _PAD + legends, taken.y1 - place.y1 + _PAD
    return (
        left / width,
        below / height,
        max(_SMALLEST, 1 - (left + right) / width),
        max(_SMALLEST, 1 - (below + above) / height),
    )
