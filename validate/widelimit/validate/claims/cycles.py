"""Stable limit cycles as falsifiable claims (10.1109/IEEECONF44664.2019.9049080)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Interval, Plan
from widelimit.validate.harness.declare import declare, row, table, wrong
from widelimit.validate.report.gallery import GalleryFigure
from widelimit.validate.simulate import cycles as simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.numerics.cycles import Cycle

Arrays = Mapping[str, np.ndarray]
PAPER = "10.1109/IEEECONF44664.2019.9049080"
_DOMAIN: dict[str, Any] = {
    "gain": Interval(1.4, 1.7, simplest=1.5),
    "angle": Interval(0.5, 0.75, simplest=0.7),
}


def _cycle(gain: float, angle: float) -> Cycle:
    from widelimit.numerics.cycles import find

    c, s = 2 * gain * math.cos(angle), 2 * gain * math.sin(angle)
    still = np.zeros((2, 2))
    return find({"U_r": still, "U_z": still, "U_h": [[c, -s], [s, c]]}, start=[0.5, 0.0], time="continuous")


def _at(samples: np.ndarray, phase: float) -> np.ndarray:
    """Periodic samples at a phase, by their Fourier series."""
    modes = np.fft.rfft(samples, axis=0) / len(samples)
    weights = np.where(np.arange(len(modes)) == 0, 1.0, 2.0)[:, None]
    return np.asarray(np.real(np.exp(1j * phase * np.arange(len(modes))) @ (weights * modes)))


def _kept(gain: float, angle: float) -> list[float]:
    """|f||w_0| where the cycle crosses the first axis upwards, and the log of the other singular value a turn."""
    from scipy.optimize import brentq

    found = _cycle(gain, angle)
    height = found.orbit[:, 1]
    k = int(np.flatnonzero((height < 0) & (np.roll(height, -1) >= 0))[0])
    step = 2 * math.pi / len(height)
    phase = brentq(lambda p: float(_at(found.orbit, p)[1]), k * step, (k + 1) * step, xtol=1e-13)
    velocity, response = _at(found.velocities, phase), found.phase_response(phase) / found.frequency
    kept = float(np.linalg.norm(velocity) * np.linalg.norm(response))
    return [kept, math.log(float(found.multipliers[1])) - math.log(kept) / 6]


def _coupling(gain: float, angle: float) -> float:
    from widelimit.numerics.cycles import entrainment

    return entrainment(_cycle(gain, angle), [1.0, 0.0]).coupling


NEUTRAL = declare(
    "cycles.neutral-direction",
    title="One direction is kept for ever",
    statement="dh(t)/dh(0) along a cycle has one singular value |f(h(t))||w_0|; the others die like multipliers.",
    paper=f"{PAPER}, section II",
    domain=_DOMAIN,
    rows={
        "kept": lambda gain, angle: _kept(gain, angle)[0],
        "lost": lambda gain, angle: _kept(gain, angle)[1],
    },
    simulate=simulate.spread,
    points=table("gain angle", [(1.5, 0.7)], [(1.7, 0.6)]),
    sizes=(2, 3, 4),
    exponent=4.0,
    within=0.01,
    noise=1e-3,
    size_name="steps a unit of time",
    quantity="singular value, and log of the other one a turn",
    observable="four neighbours over six turns of fourth-order steps",
    wrong=wrong(
        "two neutral directions", "nothing dies on a cycle",
        lambda gain, angle: np.array([_kept(gain, angle)[0], 0.0]),
    ),
)  # fmt: skip
ENTRAINMENT = declare(
    "cycles.entrainment",
    title="A driven cycle forgets its phase",
    statement="Locked by a forcing of strength epsilon without detuning, phases come together at the rate epsilon K.",
    paper=f"{PAPER}; the loss is new there",
    domain=_DOMAIN,
    rows=_coupling,
    simulate=simulate.locked,
    points=table("gain angle", [(1.5, 0.7)], [(1.7, 0.6)]),
    sizes=(40, 80, 160),
    within=0.03,
    noise=1e-3,
    size_name="1/epsilon",
    quantity="rate over epsilon",
    observable="two phases under a forcing of the first unit",
    wrong=wrong("neutral for ever", "the direction along the cycle survives driving", lambda: 0.0),
)
_STARTS = ("cycle", "focus", "chaos")
_TRAINED = tuple({"initialisation": one} for one in _STARTS)
MEMORY = declare(
    "cycles.long-memory",
    title="Cycles learn over long delays",
    statement="At least seven in ten networks that start from cycles learn to give back a number 160 steps later, and "
    "at least seven in ten that start from foci or from chaos do not.",
    paper=f"{PAPER}, section 5",
    domain={"initialisation": Choice(_STARTS)},
    rows={
        "share that learns": row(0.7, only=lambda initialisation: initialisation == "cycle"),
        "share that does not": row(0.7, only=lambda initialisation: initialisation != "cycle"),
    },
    compare="at least",
    simulate=simulate.memory,
    plans={
        "reference": Plan(_TRAINED, (), pilot=5, most=5, block=1),
        "deep": Plan(_TRAINED, (), pilot=5, most=15, block=5),
    },
    within=0.1,
    scale=1.0,
    derivation=None,
    quantity="share of the networks",
    observable="8 tanh networks of 16 units a replicate, 150 steps of Adam; learned: nine tenths of the variance",
    notes="Empirical. Delay and shares were chosen on other networks: after 120 steps foci still learn in half of the "
    "cases, after 200 one cycle in four does not.",
    wrong=wrong("the same learning curves", "no start is better than another", lambda: -0.5),
)
CLAIMS = (NEUTRAL, ENTRAINMENT, MEMORY)

# --- the gallery ---------------------------------------------------------------------------------------------------


def _responses(preset: str) -> Arrays:
    phases = np.linspace(0, 2 * math.pi, 181)
    return {"phase": phases} | {
        f"{angle:g}": _cycle(1.5, angle).phase_response(phases) for angle in (0.3, 0.5, 0.7)
    }


def _draw_responses(arrays: Arrays, axes: Axes) -> None:
    for angle, colour in (("0.3", "#d55e00"), ("0.5", "#009e73"), ("0.7", "#0072b2")):
        axes.plot(arrays["phase"], arrays[angle][:, 0], color=colour, label=f"angle {angle}")
        axes.plot(arrays["phase"], arrays[angle][:, 1], color=colour, linestyle="--")
    axes.axhline(0.0, color="#999999", linewidth=0.6)
    axes.set(xlim=(0, 2 * math.pi), xlabel="phase, radians", ylabel="phase response $Z$")
    axes.legend(fontsize="small")


GALLERY = (
    GalleryFigure(
        "responses", "What a gradient keeps along a cycle",
        "Phase responses of both units (second one dashed), gain 1.5: next to the saddle-nodes (angle 0.15) a kick "
        "counts only where the cycle is slow.",
        "sokol2019adjoint", _responses, _draw_responses,
    ),
)  # fmt: skip
