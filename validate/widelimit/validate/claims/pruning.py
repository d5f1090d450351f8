"""Synaptic flow and the collapse of layers as falsifiable claims (arXiv:2006.05467)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Integers, Interval
from widelimit.validate.harness.declare import declare, presets, row, table, wrong
from widelimit.validate.report.gallery import GalleryFigure
from widelimit.validate.simulate import pruning as simulate
from widelimit.validate.simulate.pruning import units

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays = Mapping[str, np.ndarray]

PAPER = "arXiv:2006.05467"
_EXACT = 1e-10  # a law of conservation: nothing but rounding in float64
WIDTHS = Choice(("10-40-7-25-3", "20-20-20-5", "64-100-100-10"))


def counts(widths: str) -> list[int]:
    """Weights of each layer."""
    return [a * b for a, b in pairwise(units(widths))]


def _layers(widths: str) -> range:
    return range(1, len(units(widths)))


def _bias_share(widths: str, sigma_b: float) -> list[float]:
    """What biases of standard deviation sigma_b carry from each layer on, in the mean of ReLU networks by He.

    The mean square 1 of the inputs doubles to 2 and then keeps its size; each bias adds sigma_b^2.
    """
    depth = len(units(widths)) - 1
    return [sigma_b**2 * (depth - k) / (2 + sigma_b**2 * depth) for k in range(depth)]


def _shares(activation: str, sigma_w: float, depth: int) -> np.ndarray:
    from widelimit.numerics.pruning import flow_shares

    return flow_shares(activation, sigma_w=sigma_w, depth=depth)[:-1]


def _magnitude(widths: str) -> Any:
    from widelimit.numerics.pruning import critical_compression

    return critical_compression(units(widths))


def _equal_scales(widths: str) -> float:
    from widelimit.numerics.pruning.magnitude import Layers

    sizes = np.array(counts(widths), dtype=float)
    return math.log(sizes.sum()) - Layers(sizes, np.ones_like(sizes)).log_kept()[1]


def _survival(widths: str, kept: int) -> float:
    from widelimit.numerics.pruning import survival

    return float(survival(units(widths), kept))


def _independent(widths: str, kept: int) -> float:
    """Survival if each layer were empty or not by itself."""
    sizes = counts(widths)
    total = sum(sizes)
    alone = [1 - math.comb(total - n, kept) / math.comb(total, kept) for n in sizes]
    return math.prod(alone)


def _flow(widths: str) -> Any:
    from widelimit.numerics.pruning import total_flow

    return total_flow(units(widths))


def _by_random(widths: str) -> float:
    from widelimit.numerics.pruning import critical_compression

    return critical_compression(units(widths), method="random").log_mean


def _synflow(widths: str) -> Any:
    from widelimit.numerics.pruning import critical_compression

    return critical_compression(units(widths), method="synflow")


CONSERVATION = declare(
    "pruning.conservation",
    title="Conservation of flow",
    statement="Scores w dR/dw of a cut, with those of the biases behind it, sum to the flow out of the network.",
    paper=f"{PAPER}, theorems 1 and 2",
    domain={
        "widths": WIDTHS,
        "activation": Choice(("relu", "leaky_relu(0.2)", "linear")),
        "sigma_b": Interval(0.1, 1.0, simplest=0.5),
    },
    rows=lambda widths: np.ones(len(_layers(widths))),
    over={"layer": _layers},
    simulate=simulate.cuts,
    points=table(
        "widths activation sigma_b",
        [("10-40-7-25-3", "relu", 0.5), ("20-20-20-5", "leaky_relu(0.2)", 0.3)],
        [("64-100-100-10", "linear", 1.0)],
    ),
    within=_EXACT,
    noise=1e-13,
    quantity="scores of a cut over the flow out",
    observable="weights of a layer and biases from there on, 16 inputs, R = |y|^2 / 2",
    wrong=wrong(
        "biases ignored",
        "weights alone carry the flow, so that biases add their share to it",
        lambda widths, sigma_b: 1 + np.array(_bias_share(widths, sigma_b)),
    ),
)
LOST = declare(
    "pruning.flow-lost",
    title="Flow where activations are not homogeneous",
    statement="The scores of a cut are the flow out times the elasticities q V'(q)/V(q) of the activations behind it.",
    paper=f"new (theorem 1 of {PAPER} without its assumption)",
    domain={
        "activation": Choice(("tanh", "erf", "gelu")),
        "sigma_w": Interval(1.2, 2.0),
        "depth": Integers(2, 5),
    },
    rows=_shares,
    over={"layer": lambda depth: range(1, depth)},
    simulate=simulate.shares,
    points=table(
        "activation sigma_w depth", [("tanh", 1.5, 4)], [("gelu", 1.5, 3), ("erf", 2.0, 3), ("tanh", 1.2, 5)]
    ),
    sizes=(24, 48, 96),
    within=0.05,
    target=0.045,
    noise=0.8,
    quantity="scores of a layer over the flow out",
    observable="w dR/dw summed over a layer and over 16 networks, R = |y|^2 / 2",
    wrong=wrong(
        "taken for homogeneous",
        "scores are conserved, as they are for ReLU",
        lambda depth: np.ones(depth - 1),
    ),
)
LAYER_TOTAL = declare(
    "pruning.layer-total",
    title="Equal totals of synaptic flow",
    statement="The scores of every layer sum to R = 1' prod abs(W) 1.",
    paper=f"{PAPER}, section 6",
    domain={"widths": WIDTHS},
    rows=lambda widths: np.ones(len(_layers(widths))),
    over={"layer": _layers},
    simulate=simulate.sizes_of_flow,
    points=table("widths", ["10-40-7-25-3"], ["64-100-100-10"]),
    within=_EXACT,
    noise=1e-13,
    quantity="sum of scores over R",
    observable="abs(w) dR/dabs(w) summed over a layer",
    wrong=wrong(
        "equal means",
        "the mean score of a weight is the same in all layers",
        lambda widths: np.array(counts(widths)) / np.mean(counts(widths)),
    ),
)
BATCHNORM = declare(
    "pruning.batchnorm",
    title="Flow and batch normalisation",
    statement="In training, weights before batch normalisation carry no flow; its gain and shift carry all of it.",
    paper="new (scale invariance)",
    domain={"inputs": Choice((8, 30)), "units": Choice((5, 20)), "batch": Choice((16, 64))},
    rows={"weights before": 0.0, "gain and shift": 1.0},
    simulate=simulate.normalised,
    points=table("inputs units batch", [(8, 5, 16)], [(30, 20, 64)]),
    within=_EXACT,
    noise=1e-13,
    scale=1.0,
    quantity="scores over the flow behind",
    observable="sums of w dR/dw for a random quadratic reward",
    wrong=wrong(
        "weights carry it", "the unit law as if the normalisation were linear", lambda: np.array([1.0, 1.0])
    ),
)
FLOW_SIZE = declare(
    "pruning.flow-size",
    title="Size of the flow",
    statement="E R = n_0 prod n_l sqrt(2 gain / (pi n_{l-1})), exactly.",
    paper="new (independence of the layers)",
    domain={"widths": WIDTHS},
    solver=_flow,
    rows="mean",
    simulate=simulate.total_flow,
    points=table("widths", ["10-40-7-25-3"], ["64-100-100-10"]),
    within=0.01,
    noise=0.02,
    quantity="E R",
    observable="1' prod abs(W) 1, mean of 200 networks",
    wrong=wrong(
        "mean size sigma",
        "E abs(w) = sigma in place of sigma sqrt(2/pi)",
        lambda widths, truth: truth * (math.pi / 2) ** ((len(units(widths)) - 1) / 2),
    ),
)
MAGNITUDE = declare(
    "pruning.magnitude-collapse",
    title="Collapse by magnitude",
    statement="The threshold at collapse is the least of the layers' largest weights; the others keep truncated "
    "binomial numbers.",
    paper="new (order statistics)",
    domain={"widths": WIDTHS},
    solver=_magnitude,
    rows="log_mean",
    simulate=simulate.collapse_by_magnitude,
    points=table("widths", ["10-40-7-25-3"], ["20-20-20-5", "64-100-100-10"]),
    within=0.01,
    noise=0.012,
    quantity="E log rho at collapse",
    observable="mean of 200 networks",
    wrong=wrong("equal scales", "the same standard deviation in all layers", _equal_scales),
)
RANDOM = declare(
    "pruning.random-collapse",
    title="Collapse at random",
    statement="The probability that K random weights leave no layer empty, by inclusion and exclusion.",
    paper="new (inclusion and exclusion)",
    domain={"widths": Choice(("10-40-7-25-3", "5-5-5-5-5-5")), "kept": Choice((6, 8, 10))},
    rows=_survival,
    simulate=simulate.survivors,
    points=table("widths kept", [("10-40-7-25-3", 6)], [("5-5-5-5-5-5", 6), ("5-5-5-5-5-5", 8)]),
    within=0.01,
    noise=0.03,
    scale=1.0,
    quantity="probability that no layer is empty",
    observable="share of 200 networks",
    wrong=wrong("independent layers", "each layer is empty or not by itself", _independent),
)
MAXIMAL = declare(
    "pruning.maximal",
    title="SynFlow reaches the largest compression",
    statement="Positive, conserved scores that are renewed after every round leave each layer a weight up to "
    "rho = N / L.",
    paper=f"{PAPER}, theorem 3",
    domain={"widths": Choice(("10-40-7-25-3", "20-20-20-5")), "iterations": Choice((20, 100))},
    solver=_synflow,
    rows="log_mean",
    simulate=simulate.compression_of_synflow,
    points=table("widths iterations", [("10-40-7-25-3", 20)], [("20-20-20-5", 100)]),
    within=_EXACT,
    noise=1e-13,
    quantity="log rho at collapse",
    observable="least number of weights that SynFlow leaves without an empty layer",
    wrong=(
        wrong(
            "as by magnitude",
            "collapse where magnitude pruning has it",
            lambda widths: _magnitude(widths).log_mean,
        ),
        wrong("as at random", "collapse where random pruning has it", _by_random),
    ),
)
ACCURACY = declare(
    "pruning.accuracy",
    title="Accuracy after pruning at initialisation",
    statement="At high compression SynFlow's networks learn where those by magnitude or at random stay at chance.",
    paper=f"{PAPER}, figure 6 (there ImageNet and CIFAR; here digits)",
    domain={"compression": Choice((100, 320))},
    rows={"gain of SynFlow": row(0.0), "magnitude": row(0.1), "random": row(0.1)},
    compare={"gain of SynFlow": "at least"},
    simulate=simulate.accuracies,
    plans=presets(
        table("compression", [320], [100]),
        ((), (), ()),
        pilot=(4, 8, 8),
        most=(4, 16, 32),
        block=(4, 8, 8),
    ),
    within=0.05,
    scale=1.0,
    derivation=None,
    quantity="accuracy",
    observable="500 test images; MLP 64-100-100-10, 400 steps of Adam; gain: over the better of the other two",
    notes="Empirical: margins are five points of accuracy.",
    wrong=wrong("all learn", "as without pruning: nine images of ten", lambda: np.array([0.0, 0.9, 0.9])),
)
CLAIMS = (CONSERVATION, LOST, LAYER_TOTAL, BATCHNORM, FLOW_SIZE, MAGNITUDE, RANDOM, MAXIMAL, ACCURACY)

# --- the gallery ---------------------------------------------------------------------------------------------------

_DRAWN = "64-100-100-10"
_METHODS = (("random", "#6b6f73"), ("magnitude", "#d55e00"), ("synflow", "#0072b2"))


def _survivors_by_layer(preset: str) -> Arrays:
    from widelimit.numerics.pruning import critical_compression
    from widelimit.validate import pruning
    from widelimit.validate.harness.backend import Backend

    widths = units(_DRAWN)
    net = simulate.network({"widths": _DRAWN}, 1, Backend())
    total = sum(counts(_DRAWN))
    rhos = np.unique(total // np.unique(np.geomspace(3, total, 40).astype(int)))
    found: dict[str, np.ndarray] = {"rho": rhos}
    for name, _ in _METHODS:
        made = [
            pruning.synflow(net, rho, iterations=30, input_shape=(widths[0],))
            if name == "synflow"
            else getattr(pruning, name)(net, rho)
            for rho in rhos.tolist()
        ]
        kept = np.array([list(one.kept.values()) for one in made])
        found[name] = (kept / np.array(counts(_DRAWN))).min(1)
        found[f"{name}-theory"] = np.array([critical_compression(widths, method=name).median])
    return found


def _draw_survivors(arrays: Arrays, axes: Axes) -> None:
    for name, colour in _METHODS:
        alive = arrays[name] > 0
        axes.plot(arrays["rho"][alive], arrays[name][alive], "o-", color=colour, markersize=3, label=name)
        axes.axvline(float(arrays[f"{name}-theory"][0]), color=colour, linestyle="--", linewidth=0.9)
    axes.set(xscale="log", yscale="log", xlabel="compression $\\rho$", ylabel="kept in the emptiest layer")
    axes.legend()


GALLERY = (
    GalleryFigure(
        "layer-collapse",
        "Where a layer is empty",
        "Share of weights kept in the layer that keeps the least, of one network 64-100-100-10; a curve ends where a "
        "layer is empty. Dashed: the compression at collapse by theory, medians over networks.",
        "tanaka2020pruning",
        _survivors_by_layer,
        _draw_survivors,
    ),
)
