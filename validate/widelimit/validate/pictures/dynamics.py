"""Recurrent networks: fixed points, time constants, correlations, chaos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.errors import PictureError
from widelimit.validate.pictures.kit import lines, plane, swept
from widelimit.validate.report.look import BLUE, GREEN, INK, LINE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.numerics.dynamics import FixedPoints, RandomNetwork

_LAGS = 120


def principal(states: Any) -> tuple[np.ndarray, str]:
    """States in the plane of their first two principal axes, and how the axes are called."""
    given = np.asarray(states, float)
    if given.shape[1] <= 2:
        return np.pad(given, ((0, 0), (0, 2 - given.shape[1]))), "unit"
    centred = given - given.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    rows = axes[:2] if len(axes) > 1 else np.vstack([axes, np.zeros_like(axes)])
    return centred @ rows.T, "principal axis"


def _points(result: FixedPoints, axes: Axes) -> None:
    """Fixed points in the plane of their principal axes, coloured by unstable directions; arrows: saddles' ways."""
    if not len(result.states):
        raise PictureError("No fixed point was found: there is nothing to be drawn.")
    place, name = principal(result.states)
    for start, end in result.graph:
        if end >= 0:
            axes.annotate(
                "", place[end], place[start], arrowprops={"arrowstyle": "->", "color": SOFT, "lw": 0.8}
            )
    index = np.asarray(result.index)
    for value, colour in ((0, BLUE), (1, GREEN), (2, VERMILLION)):
        chosen = index == value if value < 2 else index >= 2
        if chosen.any():
            said = ("sink", "saddle of one way out", "more ways out")[value]
            axes.plot(
                *place[chosen].T, "o", color=colour, mfc=colour if value == 0 else "none", ms=6, label=said
            )
    axes.set_xlabel(f"{name} 1")
    axes.set_ylabel(f"{name} 2")
    axes.legend()


def _linear(result: Any, axes: Axes) -> None:
    """Eigenvalues of a step, with the unit circle."""
    plane(axes, result.eigenvalues, unit=True)


def _random(result: RandomNetwork, axes: Axes) -> None:
    """The autocorrelation of a unit in time."""
    half = float(result.half_time)
    reach = 6 * half if np.isfinite(half) and half > 0 else 20.0
    lags = np.linspace(0, max(reach, 5), _LAGS)
    if result.time == "step":
        lags = np.unique(lags.round())
    values = np.asarray(result.autocorrelation(lags), float)
    unit = "steps" if result.time == "step" else "membrane times"
    lines(axes, lags, {"autocorrelation": values}, x_label=f"lag, {unit}")
    axes.axhline(0, color=SOFT, lw=0.6)
    axes.set_title(f"g = {result.g:.4g}, largest Lyapunov exponent {float(result.lyapunov):.4g}")


def _similarity(result: Any, axes: Axes) -> None:
    """Canonical correlations in order."""
    found = np.asarray(result.correlations, float)
    lines(axes, np.arange(1, found.size + 1), {"canonical correlation": found}, x_label="pair")
    axes.set_ylim(0, 1.05)


def _line(result: Any, axes: Axes) -> None:
    """The chain of a line attractor in the plane of its first principal axes."""
    if not len(result.states):
        raise PictureError("There is no chain of slow points: there is nothing to be drawn.")
    place, name = principal(result.states)
    axes.plot(*place.T, "o-", color=BLUE, ms=4)
    axes.set_xlabel(f"{name} 1")
    axes.set_ylabel(f"{name} 2")
    axes.set_title(
        "a line attractor" if result.is_line else "no line attractor: " + ", ".join(result.fails)[:60]
    )


def _slow(result: Any, axes: Axes) -> None:
    """Slow points, the slower the darker."""
    place, name = principal(result.states)
    speed = np.asarray(result.speeds, float)
    image = axes.scatter(place[:, 0], place[:, 1], c=np.log10(np.maximum(speed, 1e-16)), cmap="viridis", s=20)
    figure = axes.get_figure()
    if figure is not None:
        figure.colorbar(image, ax=axes, label="log10 speed")
    axes.set_xlabel(f"{name} 1")
    axes.set_ylabel(f"{name} 2")


def _trained(result: Any, axes: Axes) -> None:
    """Fixed points of a trained network: time constants of their slowest modes, by unstable directions."""
    times = np.asarray(result.time_constants, float).reshape(len(result.index), -1)
    if not times.size:
        raise PictureError("No fixed point was found: there is nothing to be drawn.")
    index = np.asarray(result.index)
    for k in range(times.shape[1]):
        good = np.isfinite(times[:, k]) & (times[:, k] > 0)
        axes.plot(
            index[good] + 0.12 * (k - 1),
            times[good, k],
            "o",
            color=(INK, BLUE, LINE)[k % 3],
            ms=5,
            label=f"mode {k + 1}",
        )
    axes.set_yscale("log")
    axes.set_xticks(sorted(set(index.tolist())))
    axes.set_xlabel("unstable directions of the fixed point")
    axes.set_ylabel("time constant, steps")
    axes.legend()


PICTURES = {
    "FixedPoints": _points,
    "SlowPoints": _slow,
    "Linear": _linear,
    "Line": _line,
    "RandomNetwork": _random,
    "Similarity": _similarity,
    "RankOne": swept("kappa", "time_constant"),
    "NoiseEdge": swept("noise", "variance"),
    "Trained": _trained,
}
NO_PICTURE = {
    "Null": "it is what chance gives, a few numbers",
    "Stationary": "it is three numbers",
}
