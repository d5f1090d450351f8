"""SuperSpike, spike distances and surrogate gradients as falsifiable claims (arXiv:1705.11146)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Integers, Interval, Plan, Preset
from widelimit.validate.harness.declare import declare, presets, table, wrong
from widelimit.validate.report.gallery import GalleryFigure
from widelimit.validate.simulate import spiking as simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays = Mapping[str, np.ndarray]

PAPER = "arXiv:1705.11146"
_KERNEL: dict[str, Any] = {
    "decay": Interval(0.006, 0.03, simplest=0.01),
    "rise": Interval(0.001, 0.005, simplest=0.005),
}


def _distance(decay: float, rise: float) -> float:
    from widelimit.numerics.spiking import van_rossum

    return van_rossum(simulate.FIRST, simulate.SECOND, decay=decay, rise=rise)


def _zero(decay: float, rise: float) -> float:
    from widelimit.numerics.spiking import van_rossum

    return 2 * van_rossum([0.0], [], decay=decay, rise=rise)  # C(0)


def _without_mean(rate_a: float, rate_b: float, decay: float, rise: float) -> list[float]:
    """The mean drive of a difference of rates left out of the loss; the variance of its noise alone."""
    from widelimit.numerics.spiking import poisson_loss

    even = poisson_loss((rate_a + rate_b) / 2, (rate_a + rate_b) / 2, decay=decay, rise=rise)
    total = (rate_a + rate_b) * _zero(decay, rise) ** 2 / 4
    return [even.mean, even.variance - total]


def _small_jitter(jitter: float, decay: float, rise: float) -> float:
    return decay * rise * jitter**2 / (4 * (decay + rise))


def _jitter(jitter: float, decay: float, rise: float) -> float:
    from widelimit.numerics.spiking import jitter_loss

    return float(jitter_loss(jitter, decay=decay, rise=rise))


def _rate(drive: float, noise: float, refractory: float) -> float:
    from widelimit.numerics.spiking import firing_rate

    return float(firing_rate(drive, threshold=10.0, tau=0.01, refractory=refractory, noise=noise))


def _louder(inputs: Any) -> float:
    return _rate(float(inputs["drive"]), float(inputs["noise"]) * 2**0.5, float(inputs["refractory"]))


def _implied(surrogate: str, slope: float) -> list[float]:
    from widelimit.numerics.spiking import surrogate as found

    unit = found(surrogate, slope)
    return [unit.scale, float(unit.firing_probability(0.5 / slope))]


def _logistic(inputs: Any) -> list[float]:
    """The same scale, and logistic noise of that slope."""
    name, slope = str(inputs["surrogate"]), float(inputs["slope"])
    return [_implied(name, slope)[0], _implied("sigmoid", slope)[1]]


def _twice(inputs: Any) -> list[float]:
    found = _implied(str(inputs["surrogate"]), float(inputs["slope"]))
    return [found[0] / 2, found[1]]


def _unbiased(gain: float) -> list[float]:
    return [_two_layers(gain).gradient[0]] * 2


def _as_true(weight: float, target: float) -> list[float]:
    """C' in place of C(0) - C: a surrogate that followed the true gradient."""
    found = _sharp(weight, target)
    return [found.gradient, found.gradient]


def _not_reset(weight: float, target: float) -> list[float]:
    found = _sharp(weight, target)
    return [2 * found.surrogate_gradient, found.gradient]


def _two_layers(gain: float) -> Any:
    from widelimit.numerics.spiking import two_layer_bias

    return two_layer_bias(simulate.POTENTIALS, gain * np.array(simulate.OUTGOING))


def _sharp(weight: float, target: float) -> Any:
    from widelimit.numerics.spiking import sharp_limit

    return sharp_limit(weight, target=target, threshold=1.0, decay=2.0, rise=1.0)


VAN_ROSSUM = declare(
    "spiking.van-rossum",
    title="The distance of two spike trains",
    statement="Half the integral of the squared filtered difference is a sum over pairs of spikes.",
    paper=f"{PAPER}; M. van Rossum, Neural Computation 13, 751 (2001)",
    domain=_KERNEL,
    rows=_distance,
    simulate=simulate.van_rossum,
    points=table("decay rise", [(0.01, 0.005)], [(0.02, 0.002)]),
    within=1e-3,
    noise=1e-4,
    quantity="loss (s^3)",
    observable="integral on a grid of 1/200 of the rise",
    wrong=(
        wrong(
            "normalised kernel",
            "alpha over its integral",
            lambda truth, decay, rise: truth / (decay * rise) ** 2,
        ),
        wrong("elephant's factor", "4 L/a", lambda truth, decay: 4 * truth / decay),
    ),
)
POISSON = declare(
    "spiking.poisson-loss",
    title="The loss that chance makes",
    statement="Independent Poisson trains are apart by (R C(0) + (d ab)^2)/2 a second; so is the variance closed.",
    paper="new (shot noise)",
    domain={
        **_KERNEL,
        "rate_a": Interval(1.0, 30.0, simplest=5.0),
        "rate_b": Interval(20.0, 80.0, simplest=60.0),
    },
    solver="spiking.poisson_loss",
    rows={"mean": "mean", "variance": "variance"},
    simulate=simulate.poisson,
    points=table("rate_a rate_b", [(5.0, 60.0)], [(12.0, 40.0)], decay=0.01, rise=0.005),
    within=0.1,
    closer=2.5,
    noise=0.095,
    quantity="a second",
    observable="250 pairs of trains of 4 s, on a ring",
    wrong=wrong(
        "equal rates", "the difference of rates dropped, and the variance from R^2 alone", _without_mean
    ),
)
JITTER = declare(
    "spiking.jitter",
    title="What jitter costs",
    statement="A spike moved by N(0, s^2) costs C(0) - E C(D), by scaled error functions of s/a and s/b.",
    paper="new",
    domain={**_KERNEL, "jitter": Interval(0.001, 0.02, simplest=0.004)},
    rows=_jitter,
    simulate=simulate.jitter,
    points=table("jitter", [0.008, 0.02], [0.004], decay=0.01, rise=0.005),
    within=0.04,
    noise=0.07,
    quantity="loss per spike (s^3)",
    observable="300 moved spikes",
    wrong=wrong("small jitter", "ab s^2/(4 (a + b)), its first term", _small_jitter),
)
RATE = declare(
    "spiking.rate",
    title="Firing rates with noise",
    statement="A leaky integrate-and-fire neuron with white noise fires at Siegert's rate.",
    paper="A. Siegert, Physical Review 81, 617 (1951)",
    domain={
        "drive": Interval(5.0, 14.0, simplest=8.0),
        "noise": Interval(3.0, 8.0, simplest=5.0),
        "refractory": Interval(0.0, 0.01, simplest=0.005),
    },
    rows=_rate,
    simulate=simulate.rate,
    plans=presets(
        table("drive noise", [(8.0, 5.0)], [(12.0, 4.0)], refractory=0.005),
        ((20, 40, 80), (40, 80, 160), (80, 160, 320)),
        pilot=(8, 8, 8),
        most=(16, 32, 32),
        block=(8, 8, 8),
    ),
    exponent=0.5,
    within=0.06,
    size_name="steps to a membrane constant",
    quantity="rate (Hz)",
    observable="800 neurons for .1 s; crossings between steps are missed",
    wrong=(
        wrong("no refractory time", "t_ref = 0", lambda drive, noise: _rate(drive, noise, 0.0)),
        wrong("louder noise", "sigma sqrt(2 tau) dW", lambda inputs: _louder(inputs)),
    ),
)
SURROGATE = declare(
    "spiking.surrogate-noise",
    title="The noise that a surrogate stands for",
    statement="A surrogate is Z times the slope of the probability to fire under noise of density s/Z; 2/beta for the "
    "fast sigmoid.",
    paper=f"{PAPER}, the surrogate; law new",
    domain={
        "surrogate": Choice(("fast_sigmoid", "sigmoid", "arctan", "triangle")),
        "slope": Interval(0.5, 10.0, simplest=1.0),
    },
    solver=_implied,
    rows={"scale": lambda result: result[0], "probability": lambda result: result[1]},
    simulate=simulate.surrogate,
    points=table(
        "surrogate slope", [("fast_sigmoid", 2.0)], [("sigmoid", 2.0), ("arctan", 1.0), ("triangle", 4.0)]
    ),
    within=0.02,
    noise=0.016,
    observable="shares of 200,000 draws that fire",
    wrong=(
        wrong("beta", "Z = 1/beta, one side of the surrogate", lambda inputs: _twice(inputs)),
        wrong("logistic noise", "probabilities of a logistic unit", lambda inputs: _logistic(inputs)),
    ),
)
THREE_FACTOR = declare(
    "spiking.three-factor",
    title="Three factors are the gradient of one layer without its reset",
    statement="Autograd through a discretised layer is the rule's update where the reset is detached; with the reset "
    "in its graph it is another one.",
    paper=f"{PAPER}, the rule",
    domain={"inputs": Integers(10, 60)},
    rows={"detached": 0.0, "reset in the graph": 0.05},
    compare={"reset in the graph": "at least"},
    simulate=simulate.three_factor,
    points=table("inputs", [40], [20]),
    within=1e-6,
    scale=1.0,
    noise=1e-9,
    quantity="distance of both updates over their sizes",
    observable="two patterns of 250 steps, three neurons",
    plans={
        preset: Plan(({"inputs": 40},), (), pilot=4, most=8, block=4)
        for preset in ("quick", "reference", "deep")
    },
    notes="The first row is algebra: its margin comes from arithmetic.",
    wrong=wrong("reset in the graph", "the rule differs by what the reset adds", lambda: [0.5, 0.05]),
)
SHARP = declare(
    "spiking.sharp-limit",
    title="A surrogate gradient is no gradient",
    statement="In the sharp limit the fast sigmoid says (epsilon/U')(C(0) - C)/beta of a spike, never negative; the "
    "true gradient C' epsilon/U' changes its sign where the spike is on time.",
    paper=f"{PAPER}, the surrogate; limit new",
    domain={"weight": Interval(3.0, 6.0, simplest=4.0), "target": Interval(0.05, 4.0, simplest=2.0)},
    solver=_sharp,
    rows={"surrogate": "surrogate_gradient", "true": "gradient"},
    simulate=simulate.sharp,
    points=table("weight target", [(4.0, 2.0), (2.2, 0.1)], [(4.0, 1.0)]),
    sizes=(100_000, 200_000, 400_000),
    within=0.01,
    noise=1.0,
    size_name="slope of the surrogate",
    quantity="dL/dw",
    observable="one spike, kernel of decay 2 and rise 1, on grids",
    wrong=(
        wrong("the true gradient", "C' for C(0) - C", _as_true),
        wrong("not reset", "both sides of the threshold, a factor of 2", _not_reset),
    ),
)
TWO_LAYERS = declare(
    "spiking.two-layer-bias",
    title="Surrogate gradients of two layers are biased",
    statement="The slope of a firing probability stands for a difference over a spike: exact for one stochastic layer, "
    "biased for two.",
    paper="new",
    domain={"gain": Interval(2.0, 5.0, simplest=3.0)},
    solver=_two_layers,
    rows={"surrogate": lambda result: result.surrogate[0], "true": lambda result: result.gradient[0]},
    simulate=simulate.two_layers,
    points=table("gain", [4.0], [3.0]),
    within=0.04,
    noise=0.016,
    quantity="derivative by the first unit's potential",
    observable="200,000 draws of logistic noise, four units and one",
    wrong=wrong("no bias", "both are the true derivative", _unbiased),
)
UNIFORM = declare(
    "spiking.uniform-feedback",
    title="Uniform feedback is blind to errors that cancel",
    statement="Where the errors of two outputs cancel at all times, uniform feedback changes no hidden weight.",
    paper=f"{PAPER}, uniform feedback; algebra",
    domain={"hidden": Integers(8, 32)},
    rows=0.0,
    simulate=simulate.uniform_feedback,
    points=table("hidden", [16], [8]),
    within=1e-6,
    scale=1.0,
    noise=1e-9,
    derivation=None,
    quantity="hidden update, uniform over symmetric feedback",
    observable="two outputs, each with the other's spikes as target",
    wrong=wrong("symmetric", "as large as that of symmetric feedback", lambda: 1.0),
)


def _empirical(
    inputs: dict[str, Any], reference: tuple[int, int], deep: tuple[int, int]
) -> dict[Preset, Plan]:
    return {
        "reference": Plan((inputs,), (), pilot=reference[0], most=reference[1], block=8),
        "deep": Plan((inputs,), (), pilot=deep[0], most=deep[1], block=8),
    }


LEARNING = declare(
    "spiking.learning",
    title="SuperSpike learns spike times",
    statement="One neuron of 100 inputs learns five target spikes: the loss falls tenfold or more in 200 updates.",
    paper=f"{PAPER}, one neuron",
    domain={"inputs": Choice((100,))},
    rows=1.0,
    compare="at least",
    simulate=simulate.learning,
    plans=_empirical({"inputs": 100}, (8, 24), (16, 48)),
    within=0.1,
    scale=1.0,
    derivation=None,
    quantity="log10 of the loss before over after",
    observable="frozen Poisson inputs of 10 Hz, 500 steps of 1 ms",
    notes="Empirical: a mean of logarithms over networks; a pilot of eight: 1.2(2).",
    wrong=wrong("no learning", "a loss that has to fall a thousandfold", lambda: 3.0),
)
FEEDBACK = declare(
    "spiking.feedback",
    title="Symmetric feedback is best where outputs conflict",
    statement="Two outputs behind four hidden neurons learn at least as well by symmetric as by random or by uniform "
    "feedback.",
    paper=f"{PAPER}, feedback",
    domain={"hidden": Choice((4,))},
    rows={"random": 0.0, "uniform": 0.0},
    compare="at least",
    simulate=simulate.feedback,
    plans=_empirical({"hidden": 4}, (8, 24), (24, 48)),
    within=0.3,
    scale=1.0,
    derivation=None,
    quantity="log of the last loss over that by symmetric feedback",
    observable="50 frozen Poisson inputs, five spikes an output, 200 updates",
    notes="Empirical. A pilot of 12 networks: random over symmetric 1.1(4), uniform over random -.4(4): that "
    "uniform is the worst was not seen at this scale, and is not claimed.",
    wrong=wrong("hopeless", "other feedback leaves losses e^4 times as large", lambda: [4.0, 4.0]),
)
CLAIMS = (
    VAN_ROSSUM, POISSON, JITTER, RATE, SURROGATE, THREE_FACTOR, SHARP, TWO_LAYERS, UNIFORM, LEARNING, FEEDBACK,
)  # fmt: skip

# --- the gallery ---------------------------------------------------------------------------------------------------

_STEEP = ((30.0, "#56b4e9"), (300.0, "#0072b2"))


def _gradients(preset: str) -> Arrays:
    from widelimit.validate.harness.backend import Backend

    lags = np.linspace(0.02, 3.0, 120)
    found = [_sharp(4.0, float(target)) for target in lags]
    arrays = {
        "target": lags - found[0].spike_time,
        "true": np.array([one.gradient for one in found]),
        "surrogate": np.array([one.surrogate_gradient for one in found]),
        "loss": np.array([one.loss for one in found]),
    }
    dots = np.array([0.05, 0.3, 0.8, 1.4, 2.0, 2.7])
    arrays["dots"] = dots - found[0].spike_time
    for slope, _ in _STEEP:
        drawn = [
            simulate.sharp({"weight": 4.0, "target": t}, int(slope), 5, Backend()) for t in dots.tolist()
        ]
        arrays[f"drawn-{slope:g}"] = np.array(drawn)[:, 0]
    arrays["differences"] = np.array(drawn)[:, 1]
    return arrays


def _draw_gradients(arrays: Arrays, axes: Axes) -> None:
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.plot(arrays["target"], arrays["true"], color="#d55e00", label="true gradient")
    axes.plot(arrays["dots"], arrays["differences"], "s", color="#d55e00", markersize=4)
    axes.plot(arrays["target"], arrays["surrogate"], color="#0072b2", label="surrogate, times its slope")
    for slope, colour in _STEEP:
        axes.plot(
            arrays["dots"],
            arrays[f"drawn-{slope:g}"],
            "o",
            color=colour,
            markersize=4,
            label=f"grid, slope {slope:g}",
        )
    axes.set(xlabel="target less spike time (rises of the kernel)", ylabel="dL/dw")
    axes.legend()


def _windows(preset: str) -> Arrays:
    from widelimit.numerics.spiking import plasticity_window

    lags = np.linspace(-0.04, 0.08, 241)
    found: dict[str, np.ndarray] = {"lag": 1e3 * lags}
    for rise in (0.001, 0.005, 0.010):
        window = plasticity_window(lags, decay=0.010, rise=rise)
        found[f"{rise:g}"] = window / window.max()
    return found


def _draw_windows(arrays: Arrays, axes: Axes) -> None:
    for (name, values), colour in zip(
        list(arrays.items())[1:], ("#009e73", "#0072b2", "#d55e00"), strict=True
    ):
        axes.plot(arrays["lag"], values, color=colour, label=f"rise {1e3 * float(name):g} ms")
    axes.axvline(0, color="0.6", linewidth=0.8)
    axes.set(xlabel="target behind the input spike (ms)", ylabel="weight change over its peak")
    axes.legend()


GALLERY = (
    GalleryFigure(
        "no-gradient",
        "A surrogate gradient is no gradient",
        "dL/dw of one spike against its target. The true gradient changes its sign where the spike is on time; the "
        "surrogate says 'less of this spike' on both sides. Lines: limits; dots and squares: grids.",
        "zenke2018superspike",
        _gradients,
        _draw_gradients,
    ),
    GalleryFigure(
        "window",
        "The plasticity window of SuperSpike",
        "Weight change of a silent neuron by the time between an input spike and a target spike; decay 10 ms.",
        "zenke2018superspike",
        _windows,
        _draw_windows,
    ),
)
