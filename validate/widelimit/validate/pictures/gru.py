"""Phase portraits of small cells; borders and cycles of the plane of gated units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.errors import PictureError
from widelimit.validate.pictures.kit import plane
from widelimit.validate.report.look import BLUE, GREEN, INK, LINE, ORANGE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.numerics.gru import Boundaries, Portrait

_KINDS = (("sink", "o", BLUE, BLUE), ("source", "o", VERMILLION, "none"), ("saddle", "X", INK, INK))


def _portrait(result: Portrait, axes: Axes) -> None:
    """Two units: flow, nullclines, fixed points, cycles. Other numbers: the eigenvalues at the fixed points."""
    if result.cell.state_size != 2:
        plane(axes, result.eigenvalues, unit=result.time == "step", label="eigenvalues at fixed points")
        return
    flow = result.plot
    x, velocity = np.asarray(flow.axis), np.asarray(flow.velocity)
    speed = np.log10(np.linalg.norm(velocity, axis=-1) + 1e-6)
    axes.streamplot(
        x,
        x,
        velocity[..., 0],
        velocity[..., 1],
        color=LINE,
        linewidth=0.4 + 0.8 * (speed > -2),
        density=1.1,
        arrowsize=0.7,
    )
    for k, colour in ((0, GREEN), (1, ORANGE)):
        axes.contour(x, x, velocity[..., k], levels=[0.0], colors=[colour], linewidths=1)
        axes.plot([], [], color=colour, lw=1, label=f"unit {k + 1} rests")
    for cycle in result.limit_cycles:
        states = np.vstack([cycle.states, cycle.states[:1]])
        axes.plot(
            *states.T[:2],
            color=BLUE if cycle.stable else VERMILLION,
            lw=2,
            label=f"cycle, period {cycle.period:.4g}",
        )
    kinds = np.asarray(result.kinds)
    for kind, mark, edge, face in _KINDS:
        chosen = np.asarray(result.fixed_points)[kinds == kind]
        if len(chosen):
            axes.plot(
                *chosen.T[:2],
                mark,
                color=edge,
                mfc=face,
                ms=7,
                ls="none",
                label=f"{len(chosen)} {kind}{'s' * (len(chosen) > 1)}",
            )
    axes.set_xlabel("unit 1")
    axes.set_ylabel("unit 2")
    axes.set_aspect("equal")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _boundaries(result: Boundaries, axes: Axes) -> None:
    """Borders on the circle of angles, what is between them named."""
    names = (
        ("snic", "corners end"),
        ("bogdanov_takens", "double zero"),
        ("hopf", "Hopf"),
        ("torus", "torus of the map"),
    )
    low = 0.0
    snic, hopf = float(result.snic), float(result.hopf)
    spans = ((low, snic, "corners", BLUE), (snic, hopf, "cycle", VERMILLION), (hopf, np.pi, "rest", SOFT))
    for start, end, label, colour in spans:
        if np.isfinite(start) and np.isfinite(end) and end > start:
            axes.axvspan(start, end, color=colour, alpha=0.2, lw=0)
            axes.text((start + end) / 2, 0.5, label, ha="center", va="center", fontsize=10)
    shown = False
    for name, said in names:
        place = float(getattr(result, name))
        if np.isfinite(place):
            shown = True
            axes.axvline(place, color=INK, lw=1)
            axes.annotate(
                f"{said} {place:.4g}",
                (place, 1.0),
                (3, -4),
                textcoords="offset points",
                rotation=90,
                va="top",
                fontsize=9,
            )
    if not shown:
        raise PictureError("None of these borders exists at this gain: there is nothing to be drawn.")
    axes.set_xlim(0, np.pi)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_xlabel("angle of the rotation")


def _circles(result: Any, axes: Axes) -> None:
    """Orbits as circles of their mean radius, by the ways in which it is known."""
    turn = np.linspace(0, 2 * np.pi, 200)
    shown = {"root mean square": result.radius, "harmonic balance": result.describing}
    for (name, radius), colour, style in zip(shown.items(), (BLUE, VERMILLION), ("-", "--"), strict=True):
        value = float(np.asarray(radius).ravel()[0])
        if np.isfinite(value) and value > 0:
            axes.plot(
                value * np.cos(turn), value * np.sin(turn), style, color=colour, label=f"{name} {value:.4g}"
            )
    if not axes.lines:
        raise PictureError("Nothing turns here: there is no circle to be drawn.")
    axes.plot([0], [0], "o", color=VERMILLION, mfc="none", ms=6)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("unit 1")
    axes.set_ylabel("unit 2")
    axes.legend()


def _biases(result: Any, axes: Axes) -> None:
    """Double zeros in the plane of biases."""
    axes.plot(*np.asarray(result.biases, float).T, "o", color=BLUE)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("bias 1")
    axes.set_ylabel("bias 2")


def _homoclinic(result: Any, axes: Axes) -> None:
    """The period next to the homoclinic orbit: a logarithm of the distance to it."""
    distance = np.geomspace(1e-8, 1e-1, 80)
    axes.semilogx(distance, -np.log(distance) / abs(float(result.lambda_u)), color=BLUE)
    axes.set_xlabel("distance of the bias from the homoclinic orbit")
    axes.set_ylabel("period, up to a constant")


def _cycle(result: Any, axes: Axes) -> None:
    """The states of a limit cycle: a closed curve of the first two units."""
    states = np.asarray(result.states, float)
    axes.plot(*np.vstack([states, states[:1]]).T[:2], color=BLUE)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("unit 1")
    axes.set_ylabel("unit 2")
    axes.set_title(f"period {result.period:.4g}")


PICTURES = {
    "Portrait": _portrait,
    "Boundaries": _boundaries,
    "Oscillation": _circles,
    "Circle": _circles,
    "Vanilla": _circles,
    "DoubleZero": _biases,
    "Homoclinic": _homoclinic,
    "LimitCycle": _cycle,
}
NO_PICTURE = {
    "Cycle": "it is three numbers of an approximation",
    "Plot": "it is what the picture of a portrait is made of",
    "Proof": "it is a few intervals; draw the homoclinic orbit that it proves",
}
