"""Cycles: orbit, multipliers, the tongue in which forcing locks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.dynamics import principal
from widelimit.validate.report.look import BLUE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _cycle(result: Any, axes: Axes) -> None:
    """The orbit in the plane of its first principal axes; a locked one has points, not a curve."""
    orbit = np.asarray(result.orbit, float)
    place, name = principal(orbit)
    if result.kind != "locked":
        place = np.vstack([place, place[:1]])
    axes.plot(*place.T, "o" if result.kind == "locked" else "-", color=BLUE, ms=5)
    axes.plot(*place[0], "o", color=VERMILLION, ms=6, label="phase 0")
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel(f"{name} 1")
    axes.set_ylabel(f"{name} 2")
    axes.set_title(f"{result.kind}, period {float(result.period):.6g}")
    axes.legend()


def _tongue(result: Any, axes: Axes) -> None:
    """Forcing that locks the cycle: frequencies inside the tongue, over the strength of the forcing."""
    strength = np.linspace(0, 0.2, 50)
    rhythm = 2 * np.pi / float(result.period)
    half = np.array([float(result.half_width(one)) if one else 0.0 for one in strength])
    axes.fill_betweenx(strength, rhythm - half, rhythm + half, color=BLUE, alpha=0.3, lw=0, label="locked")
    axes.axvline(rhythm, color=SOFT, lw=0.8, ls=":")
    axes.set_xlabel("frequency of the forcing, radians per unit of time")
    axes.set_ylabel("strength of the forcing")
    axes.legend()


def _normal_form(result: Any, axes: Axes) -> None:
    """The circle that the normal form turns on, with a push in and its return."""
    radius, turn = float(result.radius), np.linspace(0, 2 * np.pi, 200)
    axes.plot(
        radius * np.cos(turn),
        radius * np.sin(turn),
        color=BLUE,
        label=f"frequency {float(result.frequency):.4g}",
    )
    rate = np.log(max(float(result.multiplier), 1e-300)) / (2 * np.pi)
    back = radius * (1 + 0.4 * np.exp(rate * turn))
    axes.plot(back * np.cos(turn), back * np.sin(turn), color=SOFT, lw=1, ls="--", label="back from a push")
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("real part")
    axes.set_ylabel("imaginary part")
    axes.legend()


PICTURES = {"Cycle": _cycle, "Entrainment": _tongue, "StuartLandau": _normal_form}
NO_PICTURE: dict[str, str] = {}
