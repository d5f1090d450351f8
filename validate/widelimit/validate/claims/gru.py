"""Gated recurrent units as dynamical systems, as falsifiable claims (arXiv:1906.01005)."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Interval, Plan
from widelimit.validate.harness.declare import declare, instead, table, wrong
from widelimit.validate.report.gallery import GalleryFigure
from widelimit.validate.simulate import gru as simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays = Mapping[str, np.ndarray]
PAPER = "arXiv:1906.01005"


def _weak(gain: float, angle: float) -> Any:
    from widelimit.numerics.gru import oscillation

    return oscillation(gain, angle).weak


def _frequency(gain: float, angle: float) -> float:
    return 2 * math.pi / float(_weak(gain, angle).period)


def _strong(angle: float) -> Any:
    from widelimit.numerics.gru import oscillation

    return oscillation(50.0, angle).strong


def _passage(gain: float) -> float:
    from widelimit.numerics.gru import boundaries

    return float(boundaries(gain).snic_period)


def _kinds(second: float) -> list[float]:
    from widelimit.numerics.gru import portrait

    found = []
    for logits in ([0.0, 0.0], [-3.0, 3.0]):
        seen = portrait(
            {
                "U_r": np.zeros((2, 2)),
                "U_z": np.zeros((2, 2)),
                "U_h": [[3.2, -3.0], [3.0, second]],
                "b_z": logits,
            }
        )
        origin = int(np.abs(seen.fixed_points).max(1).argmin())
        found.append(-1.0 if seen.kinds[origin] == "sink" else 1.0)
    return found


def _next(network: int) -> np.ndarray:
    from widelimit.numerics.cells import read

    return np.asarray(read(simulate.drawn(network)).step([0.5, -0.5]))


def _reset_first(network: int) -> np.ndarray:
    """The papers' form of the same weights: the reset gate multiplies the state, not the product."""
    from widelimit.numerics.cells import read

    drawn = simulate.drawn(network)
    blocks = np.split(drawn["weight_hh"], 3)
    biases = np.split(drawn["bias_hh"] + drawn["bias_ih"], 3)
    cell = {f"U_{k}": one for k, one in zip("rzh", blocks, strict=True)}
    return np.asarray(
        read(cell | {f"b_{k}": one for k, one in zip("rzh", biases, strict=True)}).step([0.5, -0.5])
    )


HOPF = declare(
    "gru.hopf-frequency",
    title="The cycle to second order",
    statement="Frequency and transverse exponent in delta = 1 - 1/(g cos theta), to second order.",
    paper=f"{PAPER}, section 3; second order is new",
    domain={"gain": Interval(1.45, 1.55, simplest=1.5), "angle": Interval(0.74, 0.8, simplest=0.78)},
    rows={
        "frequency": _frequency,
        "exponent": lambda gain, angle: float(_weak(gain, angle).floquet_exponent),
    },
    simulate=simulate.weakly,
    points=table("gain angle", [(1.5, 0.78)], [(1.45, 0.74)]),
    sizes=(8, 16, 32),
    within=0.02,
    noise=1e-3,
    size_name="steps a unit of time",
    quantity="of the cycle",
    observable="Euler's rule; the area between three neighbours",
    wrong=wrong(
        "first order", "exponent -2 (g cos theta - 1)(1 - z)",
        lambda gain, angle: np.array([math.tan(angle) / 2, 1 - gain * math.cos(angle)]),
    ),
)  # fmt: skip
TORUS = declare(
    "gru.torus",
    title="The trained map turns where the equation rests",
    statement="Beyond |lambda| = |1 - s + s g exp(i theta)| = 1 the map has an invariant circle, of known radius and "
    "rotation to second order in |lambda| - 1.",
    paper=f"{PAPER}; new for the map",
    domain={"gain": Interval(1.49, 1.55, simplest=1.5), "angle": Interval(1.28, 1.3, simplest=1.3)},
    solver="gru.circle",
    rows={"radius": "weak_radius", "rotation": "weak_rotation"},
    simulate=simulate.circle,
    points=table("gain angle", [(1.55, 1.28)], [(1.5, 1.3)]),
    within=0.008,
    noise=1e-3,
    quantity="of the circle",
    observable="400 steps of sixteen starts",
    notes="At the distances 0.0065 and 0.036 from the border the first order is 0.6 % and 3.5 % off in the radius, "
    "0.4 % and 2.4 % in the rotation; the second 0.01 % and 0.4 %, 2e-6 and 3e-4, which a run without noise sees.",
    wrong=(
        wrong("Hopf's angle", "rest beyond arccos(1/g)", lambda: np.array([0.0, 0.0])),
        wrong("first order", "a rotation by arg lambda", instead(radius="radius", rotation="rotation")),
    ),
)
SNIC = declare(
    "gru.snic",
    title="The period at the lower end of the band",
    statement="T sqrt(theta - theta_c) tends to 4 pi/sqrt(|mu a|): four ghosts of saddle-nodes.",
    paper=f"{PAPER}; constant new",
    domain={"gain": Interval(1.3, 2.5, simplest=1.5)},
    rows=_passage,
    simulate=simulate.ghost,
    points=table("gain", [1.5], [2.0]),
    sizes=(25, 50, 100),
    exponent=0.5,
    within=0.03,
    noise=1e-3,
    size_name="1/(theta - theta_c)",
    quantity="T sqrt(theta - theta_c)",
    observable="the period by fourth-order steps",
    wrong=wrong("a finite period", "as at a Hopf bifurcation", lambda: 0.0),
)
SIGN = declare(
    "gru.sign-limit",
    title="The cycle at infinite gain",
    statement="T = 4 log cot(theta - pi/4)/(1 - z), and the transverse exponent is z - 1 exactly.",
    paper="new",
    domain={"angle": Interval(0.95, 1.2, simplest=1.05)},
    rows={
        "period": lambda angle: float(_strong(angle).period),
        "exponent": lambda angle: float(_strong(angle).floquet_exponent),
    },
    simulate=simulate.steep,
    points=table("angle", [1.05], [1.2]),
    sizes=(8, 16, 32),
    within=0.05,
    noise=1e-3,
    size_name="gain",
    quantity="of the cycle",
    observable="fourth-order steps; the area between three neighbours",
    wrong=wrong(
        "trace alone", "exponent -2 (1 - z), which forgets the jumps of the sign",
        lambda angle: np.array([float(_strong(angle).period), -1.0]),
    ),
)  # fmt: skip
GATES = declare(
    "gru.update-gate",
    title="The update gate moves no fixed point, but may turn a sink",
    statement="Fixed points and saddles do not depend on the update gate; sink against source may.",
    paper=f"{PAPER}, section 2; the flip is new",
    domain={"second": Interval(-1.5, 0.0, simplest=-1.0)},
    rows={
        "gates alike": lambda second: _kinds(second)[0],
        "gates apart": lambda second: _kinds(second)[1],
        "moved": lambda: 0.0,
    },
    simulate=simulate.gates,
    points=table("second", [-1.0], [-0.5]),
    within=0.01,
    scale=1.0,
    noise=1e-13,
    quantity="growth (1) or decay (-1) beside the origin; its motion",
    observable="400 fourth-order steps of a cell with its gates",
    wrong=wrong(
        "stability does not depend on z either", "a sink stays one",
        lambda: np.array([-1.0, -1.0, 0.0]),
    ),
)  # fmt: skip
RESET = declare(
    "gru.reset-form",
    title="torch's reset gate acts after the product",
    statement="n = tanh(W x + b + r (W h + b)): the papers' form U (r h) gives other states of the same weights.",
    paper=f"{PAPER}, eq. (1); torch.nn.GRUCell",
    domain={"network": Choice((0, 1, 2))},
    rows=_next,
    over={"unit": (1, 2)},
    simulate=simulate.torch_form,
    points=table("network", [0], [1, 2]),
    within=1e-6,
    scale=1.0,
    noise=1e-13,
    quantity="next state",
    observable="a GRUCell of torch",
    wrong=wrong("reset before the product", "the papers' form", _reset_first),
)
_AT = {"gain": 2.0, "angle": math.pi / 6}
_KNOWN = 3e-5  # distance of the bias at which the cycle is known


@functools.cache
def _born() -> tuple[Any, float, float]:
    """The homoclinic orbit; period and multiplier of the cycle at a bias `_KNOWN` below its own."""
    from widelimit.numerics import cycles
    from widelimit.numerics.gru import homoclinic

    orbit = homoclinic(**_AT, bias_2=-0.16, bracket=(-1.0945, -1.0940))
    c, s = 4 * math.cos(_AT["angle"]), 4 * math.sin(_AT["angle"])
    still, biases = np.zeros((2, 2)), (orbit.bias_1 - _KNOWN, -0.16)
    cell = {"U_r": still, "U_z": still, "U_h": [[c, -s], [s, c]], "b_h": biases}
    found = cycles.find(cell, start=[0.312, -0.876], time="continuous")
    return orbit, float(found.period) / 2, float(found.multipliers[1])


def _periods(bias: float) -> list[float]:
    """The homoclinic bias, and the period by the law that the cycle at `_KNOWN` fixes, its multiplier included.

    A turn maps x as alpha x^nu does, so that its multiplier is alpha nu x^(nu - 1): with alpha = 1/nu it is x^(nu - 1).
    """
    orbit, period, multiplier = _born()
    nu = -orbit.lambda_s / orbit.lambda_u
    x = multiplier ** (1 / (nu - 1))
    law = {
        "constant": period + math.log(x) / orbit.lambda_u,
        "back": 1 / nu,
        "scale": _KNOWN / (x - x**nu / nu),
    }
    return [1000 * (orbit.bias_1 + 1.09), float(orbit.period(bias, **law))]


def _bare(bias: float) -> list[float]:
    orbit, period, _ = _born()
    return [1000 * (orbit.bias_1 + 1.09), period - math.log((orbit.bias_1 - bias) / _KNOWN) / orbit.lambda_u]


def _root(bias: float) -> list[float]:
    orbit, period, _ = _born()
    return [1000 * (orbit.bias_1 + 1.09), period * math.sqrt(_KNOWN / (orbit.bias_1 - bias))]


HOMOCLINIC = declare(
    "gru.homoclinic",
    title="A cycle that ends at a saddle",
    statement="At gain 2, angle pi/6, b_2 = -0.16 the cycle ends at b_1 = -1.09423668; its period is -log(x)/lambda_u, "
    "x - alpha x^nu proportional to the distance, nu = -lambda_s/lambda_u.",
    paper=f"{PAPER}, section 4; place and law new",
    domain={"bias": Interval(-1.0943, -1.09424, simplest=-1.094242)},
    rows={
        "end of the cycle above -1.09, in thousandths": lambda bias: _periods(bias)[0],
        "period": lambda bias: _periods(bias)[1],
    },
    simulate=simulate.homoclinic,
    plans={
        "quick": Plan(({"bias": -1.094242},), (), pilot=4, most=4, block=4),
        "reference": Plan(({"bias": -1.094242}, {"bias": -1.09426}), (), pilot=16, most=16, block=16),
        "deep": Plan(({"bias": -1.094242}, {"bias": -1.09426}), (), pilot=32, most=32, block=16),
    },
    within=0.003,
    quantity="of the cycle; time of dh/dt = n - h",
    observable="whether a state stays at 32 biases, twice; one period by fourth-order steps",
    notes="The law's two constants are those of one cycle, 3e-5 away: its period and its multiplier. At the nearer "
    "bias the cycle takes 38.3253, continued in 12 digits: the law is 0.06 % high, and 13 turns in steps of 0.4 are "
    "0.04 % low.",
    wrong=(
        wrong("bare logarithm", "-log(distance)/lambda_u from the same cycle", _bare),
        wrong("a saddle-node on the cycle", "a period that grows like a root of 1/distance", _root),
    ),
)
NO_LINE = declare(
    "gru.no-line",
    title="Two units keep no sum",
    statement="At least nine in ten GRUs of two units that have learned to add up words forget the sum in silence: "
    "they come to isolated states, and none has a continuous attractor.",
    paper=f"{PAPER}, section 5",
    domain={"words": Choice((20,))},
    rows=0.9,
    compare="at least",
    scale=1.0,
    simulate=simulate.forgotten,
    plans={
        "reference": Plan(({"words": 20},), (), pilot=3, most=3, block=1),
        "deep": Plan(({"words": 20},), (), pilot=3, most=6, block=3),
    },
    within=0.1,
    derivation=None,
    quantity="share of the solved networks",
    observable="8 networks a replicate, 400 steps of Adam; solved: loss below 0.004; 3,000 steps of silence",
    notes="Empirical.",
    wrong=wrong("a continuous attractor", "every sum is kept: an eigenvalue of exactly 1", lambda: -0.5),
)
CLAIMS = (HOPF, TORUS, SNIC, SIGN, GATES, RESET, HOMOCLINIC, NO_LINE)

# --- the gallery ---------------------------------------------------------------------------------------------------

_CASES = ((1.5, 0.1, (0.0, 0.0)), (1.5, 0.7, (0.0, 0.0)), (2.0, math.pi / 6, (-1.0955, -0.16)))
_COLOURS = {"sink": "#0072b2", "source": "#d55e00", "saddle": "#009e73"}
_SHAPES = {"sink": "o", "source": "s", "saddle": "X"}


def _portraits(preset: str) -> Arrays:
    from widelimit.numerics.gru import portrait

    out: dict[str, np.ndarray] = {}
    for k, (gain, angle, biases) in enumerate(_CASES):
        c, s = 2 * gain * math.cos(angle), 2 * gain * math.sin(angle)
        still = np.zeros((2, 2))
        found = portrait({"U_r": still, "U_z": still, "U_h": [[c, -s], [s, c]], "b_h": biases})
        out["axis"] = found.plot.axis
        out[f"velocity-{k}"] = found.plot.velocity
        for kind in _COLOURS:
            rows = [h for h, one in zip(found.fixed_points, found.kinds, strict=True) if one == kind]
            out[f"{kind}-{k}"] = np.array(rows).reshape(-1, 2)
        rings = [one.states for one in found.limit_cycles]
        out[f"ring-{k}"] = rings[0] if rings else np.zeros((0, 2))
    return out


def _draw_portraits(arrays: Arrays, axes: Axes) -> None:
    axis = arrays["axis"]
    for k in range(len(_CASES)):
        shift, velocity = 2.4 * k, arrays[f"velocity-{k}"]
        axes.streamplot(
            axis + shift,
            axis,
            velocity[..., 0],
            velocity[..., 1],
            color="#bbbbbb",
            linewidth=0.5,
            density=0.7,
            arrowsize=0.6,
        )
        for part, colour in ((0, "#cc79a7"), (1, "#e69f00")):
            axes.contour(axis + shift, axis, velocity[..., part], levels=[0.0], colors=colour, linewidths=1)
        ring = arrays[f"ring-{k}"]
        axes.plot(ring[:, 0] + shift, ring[:, 1], color="black", linewidth=1.6)
        for kind, colour in _COLOURS.items():
            here = arrays[f"{kind}-{k}"]
            axes.plot(
                here[:, 0] + shift,
                here[:, 1],
                _SHAPES[kind],
                color=colour,
                markersize=5,
                label=kind if k == 0 else None,
            )
    axes.set(aspect="equal", xlabel="$h_1$ (three cells beside each other)", ylabel="$h_2$", ylim=(-1.1, 1.1))
    axes.legend(loc="upper right", fontsize="small")


def _borders(preset: str) -> Arrays:
    from widelimit.numerics.gru import boundaries

    gain = np.linspace(1.005, 3.0, 120)
    found = boundaries(gain)
    return {
        "gain": gain, "snic": found.snic, "hopf": found.hopf, "torus": found.torus, "double": found.bogdanov_takens,
    }  # fmt: skip


def _draw_borders(arrays: Arrays, axes: Axes) -> None:
    gain = arrays["gain"]
    axes.fill_between(
        gain, arrays["snic"], arrays["hopf"], color="#56b4e9", alpha=0.25, label="cycle in continuous time"
    )
    for name, label, colour in (
        ("hopf", "Hopf", "#0072b2"), ("torus", "torus, of the trained map", "#d55e00"),
        ("snic", "saddle-nodes", "#009e73"), ("double", "Bogdanov-Takens points up to here", "#cc79a7"),
    ):  # fmt: skip
        axes.plot(gain, arrays[name], color=colour, label=label)
    axes.set(xlim=(1, 3), ylim=(0, math.pi), xlabel="gain g", ylabel="angle, radians")
    axes.legend(fontsize="small")


GALLERY = (
    GalleryFigure(
        "portraits", "Three cells of two units",
        "Four corners below the saddle-nodes, a cycle above, and a cycle beside a saddle just before it dies; all "
        "fixed points are proved. Coloured lines: nullclines.",
        "jordan2021gated", _portraits, _draw_portraits,
    ),
    GalleryFigure(
        "borders", "Where a rotation with a gain oscillates",
        "Borders of the differential equation, and of the trained map with update gate 1/2.",
        "jordan2021gated", _borders, _draw_borders,
    ),
)  # fmt: skip
