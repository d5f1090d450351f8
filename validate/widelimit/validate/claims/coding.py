"""Predictive coding in balanced networks as falsifiable claims (arXiv:2006.14178)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Interval, Plan, Preset
from widelimit.validate.harness.declare import declare, presets, spend, table, wrong
from widelimit.validate.harness.declare.points import Points
from widelimit.validate.report.gallery import GalleryFigure
from widelimit.validate.simulate import coding as simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays = Mapping[str, np.ndarray]

PAPER = "arXiv:2006.14178"
_BALANCE = Interval(1.0, 40.0, simplest=4.0)
_NOISE = Interval(0.3, 3.0, simplest=0.75)
_DELAY = Interval(0.05, 1.0, simplest=0.1)
_STEP = Choice((0.005, 0.01, 0.02, 0.05))
_NAMES = ("balance", "noise", "disorder", "delay", "signal")


def _solved(inputs: Any, **changed: float) -> Any:
    """The theory of what is simulated; Euler's step is late by half of itself where there is a delay."""
    from widelimit.numerics.coding import solve

    given = {name: float(inputs[name]) for name in _NAMES if name in inputs} | changed
    if given.get("delay"):
        given["delay"] += float(inputs.get("step", 0.0)) / 2
    return solve("tanh", **given)


def _euler(inputs: Any, found: Any) -> float:
    """What Euler's step adds to the variance of a loop without delay."""
    late = float(inputs.get("delay", 0.0)) > 0
    return 1.0 if late else 1 / (1 - (1 + found.loop_gain) * float(inputs["step"]) / 2)


def _variance(inputs: Any) -> float:
    found = _solved(inputs)
    return found.variance * _euler(inputs, found)


def _linear(inputs: Any) -> float:
    """A^2 Delta_0/a, the first mode alone."""
    found = _solved(inputs)
    return found.gain**2 * found.unit_variance / (1 + found.loop_gain)


def _gain_only(inputs: Any) -> float:
    found = _solved(inputs)
    return found.gain * float(inputs["noise"]) ** 2 / (2 * float(inputs["balance"]))


def _strong(inputs: Any) -> float:
    return float(inputs["balance"]) * _variance(inputs)


def _undisturbed(inputs: Any) -> float:
    return float(inputs["balance"]) * _variance({**inputs, "disorder": 0.0})


def _fall(inputs: Any) -> float:
    b = float(inputs["balance"])
    low, high = (_solved(inputs, balance=one).variance for one in (b, 2 * b))
    return float(np.log2(high / low))


def _superclassical(ratio: float, noise: float, signal: float) -> float:
    from widelimit.numerics.coding import strong_balance

    found = strong_balance("tanh", noise=noise, signal=signal)
    return found.noise_coefficient / ratio / (1 - simulate.RESOLVED * found.gain / 2)


def _superclassical_gain(ratio: float, noise: float, signal: float) -> float:
    from widelimit.numerics.coding import strong_balance

    return strong_balance("tanh", noise=noise, signal=signal).gain * noise**2 / (2 * ratio)


def _motion(inputs: Any, **changed: float) -> float:
    """Delta(0) - Delta(4): half the mean square of what a unit moves in four units of time."""
    from widelimit.numerics.coding import correlation

    given = {name: float(inputs[name]) for name in ("balance", "disorder", "signal")} | changed
    first, later = correlation("tanh", times=[0.0, simulate.LAG], **given).units
    return float(first - later)


def _still(inputs: Any) -> bool:
    from widelimit.numerics.coding import chaos_onset

    at = {name: float(inputs[name]) for name in ("signal", "balance")}
    return float(inputs["disorder"]) < float(chaos_onset("tanh", **at))


def _swings(inputs: Any) -> float:
    from widelimit.numerics.coding import oscillation

    found = oscillation(
        "tanh",
        balance=float(inputs["balance"]),
        delay=float(inputs["delay"]) + float(inputs["step"]) / 2,
        noise=float(inputs["noise"]),
    )
    return found.estimate_rms


def _soft(gain: float, balance: float) -> float:
    """rms of x_hat by the law near a threshold G_c = gain, 2 sqrt(1 - G_c/b) G_c/(b sqrt(2))."""
    return 2 * np.sqrt(max(1 - gain / balance, 0.0)) * gain / balance / np.sqrt(2)


def _first_order(balance: float, delay: float) -> float:
    return _soft(np.pi / (2 * delay), balance)


def _full_gain(inputs: Any) -> float:
    return _swings({**inputs, "noise": 0.0})


def _first_mode(inputs: Any) -> float:
    """A^2 Delta_0 v_1: what a linear network of the same loop gain and delay lets pass."""
    from widelimit.numerics.coding import solve

    found, sigma = _solved(inputs), float(inputs["noise"])
    delay = float(inputs["delay"]) + float(inputs["step"]) / 2
    return found.gain**2 * solve("linear", balance=found.loop_gain, noise=sigma, delay=delay).variance


def _ratio(inputs: Any) -> float:
    return _solved(inputs).variance / _solved(inputs, balance=float(inputs["other"])).variance


def _longer(
    points: Points, sizes: tuple[int, ...], *, within: float, noise: float, closer: float = 1.0
) -> dict[Preset, Plan]:
    """Plans without a quick one: half a minute is what the smallest run takes that can reject a wrong theory."""
    return {
        name: plan
        for name, plan in spend(points, sizes, within=within, noise=noise, closer=closer).items()
        if name != "quick"
    }


BIAS = declare(
    "coding.bias",
    title="Bias of a balanced code",
    statement="x - x_hat = m/b, where m = b (x - E phi(m + sigma z/sqrt(2))).",
    paper=f"{PAPER}, mean field",
    domain={"balance": _BALANCE, "noise": _NOISE, "signal": Interval(0.1, 0.6, simplest=0.2)},
    solver="coding.solve",
    given={"activation": "tanh"},
    rows="bias",
    simulate=simulate.bias,
    points=table("balance noise signal", [(4.0, 0.75, 0.5)], [(16.0, 0.75, 0.2)]),
    sizes=(20, 40, 80),
    within=0.03,
    noise=0.15,
    size_name="neurons",
    quantity="x - x_hat",
    observable="mean of eight copies over five units of time, tanh",
    wrong=wrong("linear rates", "x/(1 + b)", lambda signal, balance: signal / (1 + balance)),
)
NOISE = declare(
    "coding.noise-scaling",
    title="Balance suppresses noise as 1/b",
    statement="N Var x_hat = sum over Hermite modes k of (c_k^2/k!) (1 + k a)/(a (a + k)), a = 1 + b A.",
    paper=f"{PAPER}, scaling with balance; all orders new",
    domain={"balance": _BALANCE, "noise": _NOISE, "step": _STEP},
    rows=lambda inputs: _variance(inputs),
    simulate=simulate.fluctuations,
    points=table("balance noise step", [(4.0, 3.0, 0.02)], [(4.0, 1.0, 0.02), (16.0, 1.0, 0.005)]),
    sizes=(20, 40, 80),
    within=0.06,
    closer=2.5,
    noise=0.4,
    size_name="neurons",
    quantity="N Var x_hat",
    observable="64 copies over two units of time, tanh; Euler's factor 1/(1 - a dt/2) is in the prediction",
    wrong=(
        wrong("linear", "A^2 Delta_0/a", lambda inputs: _linear(inputs)),
        wrong("A for B/A", "A sigma^2/(2 b)", lambda inputs: _gain_only(inputs)),
    ),
)
CHAOS = declare(
    "coding.chaos-scaling",
    title="Balance suppresses chaos as 1/b^2",
    statement="Without noise N Var x_hat falls towards b^-2: by how much where b doubles.",
    paper=f"{PAPER}, scaling with balance",
    domain={"balance": _BALANCE, "disorder": Interval(1.4, 2.5, simplest=2.0), "step": _STEP},
    rows=lambda inputs: _fall(inputs),
    simulate=simulate.fall,
    points=table("balance disorder step", [(8.0, 2.0, 0.05)], [(4.0, 2.0, 0.05)]),
    sizes=(20, 40, 80),
    within=0.13,
    closer=2.5,
    noise=0.5,
    size_name="neurons",
    quantity="log2 of the ratio of N E x_hat^2 at 2b and b",
    observable="four networks, tanh, at both balances",
    wrong=wrong("exponent -1", "chaos is suppressed as noise is", lambda: -1.0),
)
LAW = declare(
    "coding.disorder-free-law",
    title="One law of noise for all disorder",
    statement="b N Var x_hat tends to sigma^2 B/(2 A), which knows the disorder through Delta_0 alone.",
    paper=f"{PAPER}, scaling with balance",
    domain={
        "balance": _BALANCE, "noise": _NOISE, "disorder": Interval(0.3, 2.0, simplest=1.2), "step": _STEP,
    },
    rows=lambda inputs: _strong(inputs),
    simulate=simulate.strong,
    plans=_longer(
        table("balance noise disorder step", [(8.0, 0.5, 2.0, 0.02), (8.0, 0.75, 1.6, 0.02)]),
        (20, 40, 80),
        within=0.12,
        noise=2.2,
    ),
    within=0.12,
    size_name="neurons",
    quantity="b N Var x_hat",
    observable="four networks, tanh; Euler's factor 1/(1 - a dt/2) is in the prediction",
    wrong=wrong("Delta_0 = sigma^2/2", "disorder left out", lambda inputs: _undisturbed(inputs)),
)  # fmt: skip
SUPER = declare(
    "coding.superclassical",
    title="Errors below the classical limit",
    statement="With b = beta N the variance of x_hat falls as N^-2: N^2 Var tends to sigma^2 B/(2 beta A).",
    paper=f"{PAPER}, superclassical scaling",
    domain={
        "ratio": Interval(0.05, 0.5, simplest=0.1),
        "noise": _NOISE,
        "signal": Interval(0.0, 0.5, simplest=0.2),
    },
    rows=_superclassical,
    simulate=simulate.superclassical,
    points=table("ratio noise signal", [(0.5, 1.5, 0.2)], [(0.5, 0.75, 0.2), (0.2, 1.0, 0.2)]),
    sizes=(15, 30, 60),
    within=0.085,
    closer=2.5,
    noise=0.2,
    size_name="neurons",
    quantity="N^2 Var x_hat",
    observable="64 copies, tanh, steps of a tenth of 1/(1 + b), whose factor is in the prediction",
    wrong=(
        wrong("classical", "N Var x_hat in place of N^2 Var", lambda truth: 50 * truth),
        wrong("A for B/A", "A sigma^2/(2 beta)", _superclassical_gain),
    ),
)
ONSET = declare(
    "coding.chaos-onset",
    title="Signals suppress chaos",
    statement="Without noise units rest where g^2 E phi'^2 is below 1 at Delta_0 = g^2 E phi^2, and move beyond by "
    "Delta(0) - Delta(tau) of dynamic mean field.",
    paper=f"{PAPER}, chaos",
    domain={
        "balance": _BALANCE, "disorder": Interval(1.2, 3.5, simplest=1.6), "signal": Interval(0.3, 0.7, simplest=0.6),
        "units": Choice((400, 80)),
    },
    rows=lambda inputs: _motion(inputs),
    simulate=simulate.motion,
    valid=lambda inputs: inputs["units"] == 400 or _still(inputs),
    plans=presets(
        table("balance disorder signal units", [(16.0, 1.8, 0.7, 80)], [(4.0, 3.5, 0.3, 400)]),
        ((), (), ()),
        pilot=(8, 16, 16),
        most=(16, 48, 64),
        block=(8, 8, 8),
        within=(None, 0.06, 0.06),
    ),
    within=0.15,
    scale=1.0,
    quantity="half the mean square of the motion in four units of time",
    observable="four networks, tanh, from time 30 to 42, steps of 1/20",
    notes="What moves is compared at one lag: the variance in a window leaves out what is slower than the window. "
    "Small networks move too little, of balance 4 at disorder 3.5 by a third at 100 units and by 4 % at 400; rest has "
    "no such shift.",
    wrong=wrong(
        "the other side of the onset",
        "units that rest move as without a signal (g_c = 1), and units that move rest",
        lambda inputs: _motion(inputs, signal=0.0) if _still(inputs) else 0.0,
        beyond=2.5,
    ),
)  # fmt: skip
_LATE: dict[str, Any] = {
    "domain": {
        "balance": _BALANCE,
        "delay": _DELAY,
        "noise": Interval(0.0, 1.0, simplest=0.0),
        "step": _STEP,
    },
    "rows": lambda inputs: _swings(inputs),
    "simulate": simulate.swings,
    "size_name": "neurons",
    "scale": 0.3,
    "quantity": "rms of x_hat",
    "observable": "time 18 to 30, tanh; half a step is added to the delay of the prediction",
}
HOPF = declare(
    "coding.hopf",
    title="Where delayed balance oscillates",
    statement="The loop oscillates beyond b A = sqrt(1 + omega^2), omega cos omega d + sin omega d = 0.",
    paper=f"{PAPER}, delays",
    points=table("balance delay noise step", [(4.2, 0.5, 0.75, 0.02)], [(3.5, 0.5, 0.0, 0.02)]),
    sizes=(50, 100, 200),
    exponent=0.5,
    within=0.2,
    closer=3.0,
    noise=0.3,
    wrong=(
        wrong("pi/(2d)", "the threshold without its second term", _first_order),
        wrong(
            "A = 1",
            "noise does not lower the gain",
            lambda inputs: _full_gain(inputs),
            only=lambda noise: noise > 0,
        ),
    ),
    **_LATE,
)
OSCILLATION = declare(
    "coding.oscillation",
    title="How far delayed balance swings",
    statement="b a_1(R)/R = G_c, a_1 the first Fourier coefficient of rates smoothed by noise.",
    paper=f"{PAPER}, delays; amplitude new",
    points=table("balance delay noise step", [(30.0, 0.1, 0.75, 0.01)], [(20.0, 0.1, 0.0, 0.01)]),
    sizes=(50, 100, 200),
    within=0.02,
    noise=0.1,
    wrong=wrong(
        "noise left out",
        "rates that are not smoothed",
        lambda inputs: _full_gain(inputs),
        only=lambda noise: noise > 0,
    ),
    **_LATE,
)
DELAYED = declare(
    "coding.delay-variance",
    title="Noise of a delayed code",
    statement="N Var x_hat = sum over Hermite modes of (c_k^2/k!) v_k, v_k in closed form.",
    paper="new",
    domain={"balance": _BALANCE, "noise": _NOISE, "delay": _DELAY, "step": _STEP},
    rows=lambda inputs: _variance(inputs),
    simulate=simulate.fluctuations,
    points=table(
        "balance noise delay step", [(2.0, 3.0, 0.5, 0.02)], [(2.0, 1.0, 0.5, 0.02), (8.0, 1.0, 0.1, 0.01)]
    ),
    sizes=(20, 40, 80),
    within=0.05,
    noise=0.4,
    size_name="neurons",
    quantity="N Var x_hat",
    observable="64 copies over two units of time, tanh; half a step is added to the delay of the prediction",
    wrong=wrong("linear", "the first mode alone, A^2 Delta_0 v_1", lambda inputs: _first_mode(inputs)),
)
BEST = declare(
    "coding.optimal-balance",
    title="With a delay the best balance is not the largest",
    statement="N Var x_hat is least at about half of the balance at which the loop oscillates.",
    paper=f"{PAPER}, delays; optimum new",
    domain={"balance": _BALANCE, "other": _BALANCE, "noise": _NOISE, "delay": _DELAY, "step": _STEP},
    rows=lambda inputs: _ratio(inputs),
    simulate=simulate.against_best,
    plans=_longer(
        table("balance other noise delay step", [(3.6, 2.0, 0.75, 0.5, 0.02), (16.0, 8.7, 0.75, 0.1, 0.01)]),
        (20, 40, 80),
        within=0.14,
        noise=0.8,
        closer=1.8,
    ),
    within=0.14,
    size_name="neurons",
    quantity="N Var x_hat over that at the best balance",
    observable="24 copies from time 12 to 22, tanh, at both balances",
    wrong=wrong("as large as stable", "more balance never hurts below the threshold", lambda: 1.0),
)
CLAIMS = (BIAS, NOISE, CHAOS, LAW, SUPER, ONSET, HOPF, OSCILLATION, DELAYED, BEST)

# --- the gallery ---------------------------------------------------------------------------------------------------


def _diagram(preset: str) -> Arrays:
    from widelimit.numerics.coding import critical_balance, optimal_balance, phase_diagram

    delays, balances = np.linspace(0.02, 0.5, 25), np.geomspace(1.0, 60.0, 41)
    found = phase_diagram("tanh", balance=balances, delay=delays, noise=0.75)
    best = [optimal_balance("tanh", delay=d, noise=0.75).balance for d in delays.tolist()]
    return {
        "delay": delays,
        "balance": balances,
        "variance": found.variance.values.astype(float),
        "hopf": critical_balance("tanh", delay=delays, noise=0.75).balance,
        "best": np.array(best),
    }


def _draw_diagram(arrays: Arrays, axes: Axes) -> None:
    error = np.where(np.isfinite(arrays["variance"]), arrays["variance"], np.nan)
    shown = axes.pcolormesh(
        arrays["delay"], arrays["balance"], np.log10(error), cmap="viridis", shading="nearest", vmax=0.0
    )
    axes.figure.colorbar(shown, ax=axes, label="log10 N Var x_hat")
    axes.plot(arrays["delay"], arrays["hopf"], color="#d55e00", label="oscillates beyond (Hopf)")
    axes.plot(arrays["delay"], arrays["best"], color="white", linestyle="--", label="least error")
    axes.set(yscale="log", xlabel="delay over membrane constant", ylabel="balance b", ylim=(1, 60))
    axes.legend(loc="upper right", frameon=True, facecolor="0.7", framealpha=1.0)  # a white line is in it


def _scalings(preset: str) -> Arrays:
    from widelimit.numerics.coding import solve
    from widelimit.validate.harness.backend import Backend

    b, dots = np.geomspace(1.0, 100.0, 41), np.array([1.0, 4.0, 16.0])
    noisy = solve("tanh", balance=b, noise=0.75, signal=0.2).variance
    chaos = np.array([solve("tanh", balance=one, disorder=1.6).variance for one in b.tolist()])
    drawn = [
        simulate.fluctuations(
            {"balance": one, "noise": 0.75, "signal": 0.2, "step": 0.01}, 100, [3], Backend()
        )[0, 0]
        for one in dots.tolist()
    ]
    return {"balance": b, "noise": noisy, "chaos": chaos, "dots": dots, "drawn": np.array(drawn)}


def _draw_scalings(arrays: Arrays, axes: Axes) -> None:
    axes.plot(arrays["balance"], arrays["noise"], color="#0072b2", label="noise .75, x = .2")
    axes.plot(arrays["dots"], arrays["drawn"], "o", color="#0072b2", markersize=4)
    axes.plot(arrays["balance"], arrays["chaos"], color="#d55e00", label="chaos, g = 1.6")
    axes.set(xscale="log", yscale="log", xlabel="balance b", ylabel="N Var x_hat")
    axes.legend()


_SIGNALS = (0.05, 0.2, 0.5, 0.8)


def _chaos_lines(preset: str) -> Arrays:
    from widelimit.numerics.coding import chaos_onset

    balances = np.geomspace(0.01, 100.0, 21)
    onsets = chaos_onset("tanh", signal=np.array(_SIGNALS), balance=balances[:, None])
    return {"balance": balances, "onset": onsets}


def _draw_chaos_lines(arrays: Arrays, axes: Axes) -> None:
    import matplotlib

    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.85, len(_SIGNALS)))
    for k, (signal, shade) in enumerate(zip(_SIGNALS, shades, strict=True)):
        axes.plot(arrays["onset"][:, k], arrays["balance"], color=shade, label=f"x = {signal}")
    axes.axvline(1.0, color="0.6", linestyle="--", linewidth=0.9, label="x = 0")
    axes.set(yscale="log", xlabel="disorder g", ylabel="balance b", xlim=(0.8, None))
    axes.annotate("at rest", (0.02, 0.9), xycoords="axes fraction")
    axes.annotate("chaotic", (0.72, 0.05), xycoords="axes fraction")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.12))


GALLERY = (
    GalleryFigure(
        "chaos",
        "Signals suppress chaos, if the code is balanced",
        "Disorder at which the static state of a network without noise turns chaotic (tanh), right of each line. The "
        "signal x that is decoded suppresses it, and the more so the better the code.",
        "kadmon2020predictive",
        _chaos_lines,
        _draw_chaos_lines,
    ),
    GalleryFigure(
        "diagram",
        "A delayed balanced code",
        "N times the variance of what is decoded, of balance and delay (tanh, noise .75); the line where the loop "
        "starts to oscillate, and the best balance.",
        "kadmon2020predictive",
        _diagram,
        _draw_diagram,
    ),
    GalleryFigure(
        "scaling",
        "Balance suppresses noise as 1/b and chaos as 1/b^2",
        "Lines: theory; dots: 64 copies of 100 neurons.",
        "kadmon2020predictive",
        _scalings,
        _draw_scalings,
    ),
)
