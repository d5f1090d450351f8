"""Spectral laws: density, edges and atoms, with a histogram of eigenvalues of the reader's own behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.errors import ArgumentError
from widelimit.validate.pictures.kit import plane
from widelimit.validate.report.look import BLUE, INK, LINE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.numerics.freeprob import LawSummary, SpectralLaw

_PLACES = 400  # in each interval of the support
_TALL = 0.999  # quantile of the density that still fits: hard edges have no highest point
_WIDE = 200.0  # upper end over median, beyond which the axis is logarithmic


def law(result: SpectralLaw, axes: Axes, eigenvalues: Any = None, singular: bool = False) -> None:
    """Draw a law: its density over each interval, atoms as stems of their mass (right axis), edges as ticks.

    `eigenvalues`: numbers of the reader's, shown as a histogram behind it. `singular`: draw the law of the square
    roots; eigenvalues are then singular values.
    """
    if singular and result.smallest < -1e-12:
        raise ArgumentError("singular", "must be false for a law below zero", True, "It has no square roots.")
    ends = [
        (max(low, 0.0) ** 0.5, max(high, 0.0) ** 0.5) if singular else (low, high)
        for low, high in result.support
    ]
    density = result.singular if singular else result.density
    far = _far(result, ends)
    if eigenvalues is not None:
        _histogram(axes, eigenvalues, far)
    heights = []
    for low, high in ends:
        x = _places(low, high, far)
        with np.errstate(all="ignore"):
            y = np.asarray(density(x), float) * (x * np.log(10) if far else 1.0)
        good = np.isfinite(y)
        heights.append(y[good])
        axes.plot(x[good], y[good], color=BLUE)
        axes.fill_between(x[good], y[good], color=BLUE, alpha=0.15, lw=0)
    atoms = [(abs(at) ** 0.5 if singular else at, mass) for at, mass in result.atoms]
    _finish(axes, heights, atoms)
    if far:
        axes.set_xscale("log")
    axes.set_xlabel("singular value" if singular else "eigenvalue")
    axes.set_ylabel("density of its log10" if far else "density")


def _far(result: SpectralLaw, ends: list[tuple[float, float]]) -> bool:
    """Whether the law spreads over orders of magnitude."""
    if not ends or result.smallest < 0:
        return False
    middle = float(result.quantile(0.5))
    return middle > 0 and result.largest / middle > _WIDE


def _places(low: float, high: float, log: bool) -> np.ndarray:
    """Places of an interval, dense at both its ends, where densities are steep."""
    share = (1 - np.cos(np.linspace(0, np.pi, _PLACES))) / 2
    if log:
        start = max(low, high * 1e-9)
        return start * (high / start) ** share
    return low + (high - low) * share


def _histogram(axes: Axes, eigenvalues: Any, log: bool) -> None:
    given = np.asarray(eigenvalues, float).ravel()
    if not given.size or not np.isfinite(given).all():
        raise ArgumentError("eigenvalues", "must be finite numbers, one or more", eigenvalues)
    bins = int(np.clip(2 * given.size ** (1 / 3), 8, 80))
    if log:  # the area above log10 is one
        given = given[given > 0]
        heights, ends = np.histogram(np.log10(given), bins=bins, density=True)
        name = f"{given.size} eigenvalues"
        axes.stairs(heights, 10.0**ends, fill=True, color=LINE, edgecolor="none", label=name)
        return
    axes.hist(given, bins=bins, density=True, color=LINE, edgecolor="none", label=f"{given.size} eigenvalues")


def _finish(axes: Axes, heights: list[np.ndarray], atoms: list[tuple[float, float]]) -> None:
    tall = np.concatenate(heights) if heights else np.array([])
    if tall.size:
        inside = tall[(tall > 0)]
        top = float(np.quantile(inside, _TALL)) if inside.size else 1.0
        middle = float(np.median(inside)) if inside.size else 1.0
        bars = max(
            (patch.get_height() for patch in axes.patches if hasattr(patch, "get_height")), default=0.0
        )
        axes.set_ylim(0, 1.08 * max(min(top, 8 * middle), bars))
    if atoms:
        _stems(axes, atoms, alone=not tall.size)
    if axes.get_legend_handles_labels()[1]:
        axes.legend()


def _stems(axes: Axes, atoms: list[tuple[float, float]], alone: bool) -> None:
    """Atoms have a mass and no density: where both are shown, mass has the right axis."""
    where = axes if alone else axes.twinx()
    x, mass = np.array(atoms, float).T
    where.vlines(x, 0, mass, color=VERMILLION, lw=2)
    where.plot(x, mass, "o", color=VERMILLION, ms=5)
    where.set_ylim(0, 1.1 * max(mass.max(), 1e-12))
    where.set_ylabel("mass of atoms", color=VERMILLION)
    where.spines["right"].set_visible(not alone)
    if alone:
        axes.set_xlabel("eigenvalue")


def summary(result: LawSummary, axes: Axes) -> None:
    """The law itself; where it does not fit into floats, its support, atoms, mean and median in a line."""
    whole = result.law()
    if whole is not None and result.support is not None:
        law(whole, axes)
        return
    told = result.support or ()
    for low, high in told:
        axes.plot([low, high], [0, 0], color=BLUE, lw=10, solid_capstyle="butt", alpha=0.5)
    for at, mass in result.atoms or ():
        axes.plot([at], [0], "o", color=VERMILLION, ms=5 + 12 * mass**0.5)
        axes.annotate(
            f"mass {mass:.3g}", (at, 0), (0, 12), textcoords="offset points", ha="center", fontsize=9.5
        )
    if result.mean is not None and result.variance is not None:
        axes.errorbar([result.mean], [0.35], xerr=max(result.variance, 0.0) ** 0.5, fmt="s", color=INK, ms=5)
        axes.annotate(
            "mean ± s.d.", (result.mean, 0.35), (0, 8), textcoords="offset points", ha="center", fontsize=9.5
        )
    if result.median is not None:
        axes.plot([result.median], [-0.35], "D", color=SOFT, ms=5)
        axes.annotate(
            "median", (result.median, -0.35), (0, -16), textcoords="offset points", ha="center", fontsize=9.5
        )
    axes.set_ylim(-1, 1)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.1)
    axes.set_xlabel("eigenvalue")


def _slopes(result: Any, axes: Axes) -> None:
    """Nodes of the contour in the complex plane: areas are weights."""
    plane(axes, result.nodes, unit=False, label="nodes")


PICTURES = {"SpectralLaw": law, "LawSummary": summary, "Slopes": _slopes}
NO_PICTURE: dict[str, str] = {}
