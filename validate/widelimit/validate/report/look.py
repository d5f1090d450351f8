"""How the report's figures look: Okabe and Ito's colours for light and dark paper, thin axes, one type size."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from widelimit.validate.harness.text import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by all common kinds of colour vision: name -> (on light, on dark paper).
PALETTE: dict[str, tuple[str, str]] = {
    "blue": ("#0072b2", "#56b4e9"),
    "orange": ("#e69f00", "#f0b429"),
    "green": ("#009e73", "#2bc49a"),
    "vermillion": ("#d55e00", "#ff8a4c"),
    "purple": ("#cc79a7", "#dd94bd"),
    "sky": ("#56b4e9", "#8fd0f5"),
    "yellow": ("#b8a800", "#f0e442"),
    "ink": ("#1d1f21", "#e9e7e2"),
    "soft": ("#6b6f73", "#a3a29d"),
    "line": ("#d4d2cc", "#403f3b"),
    "paper": ("#fffffe", "#191a1c"),
}
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, YELLOW, INK, SOFT, LINE, PAPER = (
    pair[0] for pair in PALETTE.values()
)
_NAMES = {pair[0]: name for name, pair in PALETTE.items()} | {
    "#000000": "ink",
    "#ffffff": "paper",
    "#808080": "soft",
}

STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "widelimit",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "patch.linewidth": 0.8,
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
    "axes.unicode_minus": True,
    "axes.formatter.limits": (-4, 5),
    "axes.formatter.use_mathtext": False,
}


def style() -> Any:
    """Return the context in which the report's figures are drawn: type sizes, thin axes, Okabe-Ito colour cycle."""
    import matplotlib
    from cycler import cycler

    colours = [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, SOFT]
    settings: dict[Any, Any] = {**STYLE, "axes.prop_cycle": cycler(color=colours)}
    return _quietly(matplotlib.rc_context(settings))


@contextmanager
def _quietly(settings: Any) -> Iterator[None]:
    """Letters that the measuring font lacks are set by the reader's browser: no reason to warn."""
    with settings, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        warnings.filterwarnings("ignore", "Matplotlib currently does not support", UserWarning)
        yield


def plain(text: str) -> str:
    r"""Return a text from outside as Matplotlib has to be given it, to write it and not to set it as mathematics.

    >>> print(plain("costs $5, or $\\frac$"))
    costs \$5, or \$\frac\$
    """
    return clean(text).replace("$", r"\$")


WIDTH, HEIGHT = (
    320,
    236,
)  # pixels of a panel: a column of the page is no narrower at 1400, so that type is not shrunk


def blank(width: float = WIDTH, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """Make an empty figure of so many CSS pixels and its axes; call it inside `style()`.

    >>> with style():
    ...     figure, axes = blank(200, 100)
    >>> figure.get_size_inches().tolist()
    [2.7777777777777777, 1.3888888888888888]
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    from widelimit.validate.report.layout import CSS, Snug, guess

    figure = Figure(figsize=(width / CSS, height / CSS), dpi=CSS, layout=Snug())
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot(figure.add_gridspec(1, 1, **guess(width, height))[0])


def css_variables(mode: int) -> str:
    """Return the palette as CSS declarations, for light (0) or dark (1) paper.

    >>> css_variables(0).startswith("--blue:#0072b2;")
    True
    """
    return ";".join(f"--{name}:{pair[mode]}" for name, pair in PALETTE.items())


def themed(colour: str) -> str:
    """Return the CSS variable of one of the palette's light colours; any other colour as it is.

    >>> themed("#0072b2"), themed("#123456")
    ('var(--blue)', '#123456')
    """
    name = _NAMES.get(colour)
    return f"var(--{name})" if name else colour
