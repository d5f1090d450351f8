"""Shaped activations as falsifiable claims (arXiv:2110.01765, arXiv:2203.08120, arXiv:2101.08692)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Integers, Plan
from widelimit.validate.harness.declare import declare, row, table, wrong
from widelimit.validate.report.gallery import GalleryFigure
from widelimit.validate.simulate import shaping as simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays = Mapping[str, np.ndarray]

DKS, TAT, NF = "arXiv:2110.01765", "arXiv:2203.08120", "arXiv:2101.08692"
SMOOTH = Choice(("tanh", "softplus", "gelu", "erf"))
_PUBLISHED = {"relu": 1.7139588594, "gelu": 1.7015043497, "silu": 1.7881293297}  # the table that is copied
_ZETA = 1.5
_NAMES = ("Q", "Q'", "C(0)", "C'(1)")


def _shape(activation: str, depth: int, method: str = "dks") -> Any:
    from widelimit.numerics.shaping import shape

    return shape(activation, depth=depth, method=method)


def _numbers(inputs: Mapping[str, Any]) -> dict[str, Any]:
    found = _shape(inputs["activation"], inputs["depth"], inputs.get("method", "dks"))
    return {"numbers": (found.input_scale, found.input_shift, found.output_scale, found.output_shift)}


def _asked(activation: str, depth: int, method: str) -> list[float]:
    maps = _shape(activation, depth, method).maps
    return [maps.length, maps.length_slope / maps.length, maps.overlap, maps.slope]


def _scaled_only(activation: str) -> list[float]:
    """The plain activation times what makes Q = 1."""
    from widelimit.numerics.shaping import maps

    one = maps(activation)
    return [1.0, one.length_slope / one.length, one.overlap, one.slope]


def _map(depth: int) -> np.ndarray:
    from widelimit.numerics.shaping import limit_map

    return np.asarray(limit_map(np.array(simulate.PAIRS), target=_ZETA))


def _leaky(inputs: Mapping[str, Any]) -> dict[str, Any]:
    found = _shape("leaky_relu", inputs["depth"], "tat")
    return {"slope": found.negative_slope, "gain": found.output_scale}


def _by_habit(depth: int) -> float:
    """C(0) behind all layers with the slope 0.01 that leaky ReLU has by habit."""
    from widelimit.numerics.shaping.leaky import numbers_, overlap_behind

    return 1 - overlap_behind(numbers_()(0.01)[1], depth)


def _gain(activation: str) -> Any:
    from widelimit.numerics.shaping import variance_gain

    return variance_gain(activation)


def _published(activation: str) -> list[float]:
    gain = _PUBLISHED[activation]
    found = _gain(activation)
    return [gain, found.chi_1 * (gain / found.gain) ** 2]


TARGETS = declare(
    "shaping.targets",
    title="What shaped activations are shaped for",
    statement="A layer keeps lengths (Q = Q' = 1), and maps correlations as its share of the whole network's map asks.",
    paper=f"{DKS}, section 7; {TAT}, section 4",
    domain={"activation": SMOOTH, "depth": Integers(5, 200), "method": Choice(("dks", "tat"))},
    rows=_asked,
    over={"quantity": _NAMES},
    simulate=simulate.layer,
    start=_numbers,
    points=table(
        "activation depth method",
        [("tanh", 20, "dks"), ("gelu", 10, "tat")],
        [("softplus", 100, "dks"), ("erf", 50, "tat")],
    ),
    within=0.01,
    noise=0.01,
    scale=1.0,
    quantity="maps of a layer",
    observable="means over 40,000 units of one layer",
    wrong=wrong("scaled only", "the plain activation with the gain that makes Q = 1", _scaled_only),
)
LIMIT_MAP = declare(
    "shaping.limit-map",
    title="One map for all activations",
    statement="Deep networks shaped by DKS map correlations by c / (c + zeta (1 - c)), whatever the activation.",
    paper="new (depth limit)",
    domain={"activation": SMOOTH, "depth": Integers(20, 60)},
    rows=_map,
    over={"correlation": simulate.PAIRS},
    simulate=simulate.whole,
    start=_numbers,
    points=table("activation depth", [("tanh", 20)], [("softplus", 30), ("gelu", 40)]),
    within=0.012,
    noise=0.01,
    scale=1.0,
    quantity="correlation behind all layers",
    observable="pairs of inputs of given correlation, layers of 10,000 units",
    wrong=wrong(
        "power",
        "c^zeta, which has the same ends and slope at 1",
        lambda depth: np.array(simulate.PAIRS) ** _ZETA,
    ),
)
LEAKY = declare(
    "shaping.leaky",
    title="Tailored leaky ReLU",
    statement="The slope below zero whose kinks bring independent inputs to the correlation 0.9 behind all layers.",
    paper=f"{TAT}, section 4",
    domain={"depth": Integers(15, 60)},
    rows=0.9,
    simulate=simulate.leaky,
    start=_leaky,
    points=table("depth", [40], [20]),
    within=0.02,
    noise=0.01,
    quantity="C(0) of the whole network",
    observable="two orthogonal inputs, layers of 10,000 units",
    wrong=wrong("by habit", "the slope 0.01, at any depth", _by_habit),
)
NF_GAIN = declare(
    "shaping.nf-gain",
    title="Gains of standardised weights",
    statement="Weights that sum to zero in each unit keep lengths with the gain (Var phi)^(-1/2).",
    paper=f"{NF}, section 4, whose published constants are estimates",
    domain={"activation": Choice(("relu", "gelu", "silu"))},
    solver="shaping.variance_gain",
    rows={"gain": "gain", "chi_1": "chi_1"},
    simulate=simulate.gains,
    points=table("activation", ["relu", "gelu"], ["silu"]),
    within=1e-4,
    noise=5e-5,
    derivation=None,
    quantity="gain, and slope of the correlation map",
    observable="sums over 90,000 points",
    wrong=wrong("published constants", "the widely copied table, 0.03 to 0.06 % high", _published),
)
_DEPTHS = tuple({"activation": "tanh", "depth": depth, "edge": 1.02} for depth in (100, 30))
TRAINS_DEEP = declare(
    "shaping.trains-deep",
    title="A hundred layers of tanh without shortcuts",
    statement="Shaped by DKS they learn digits in 200 steps, where torch's default stays near chance.",
    paper=f"{DKS}, section 1 (there ImageNet; here digits)",
    domain={"activation": Choice(("tanh",)), "depth": Choice((30, 100)), "edge": Choice((1.02,))},
    rows={
        "shaped, Gaussian": row(0.2),
        "shaped, orthogonal": row(0.2),
        "edge of chaos": row(0.0),
        "default": row(0.3),
    },
    compare={
        "shaped, Gaussian": "at least",
        "shaped, orthogonal": "at least",
        "edge of chaos": "at least",
        "default": "at most",
    },
    simulate=simulate.learnt,
    start=_numbers,
    plans={
        "reference": Plan(_DEPTHS, (), 10, 10, 2),
        "deep": Plan(_DEPTHS, (), 16, 16, 4),
    },
    within=0.1,
    scale=1.0,
    derivation=None,
    quantity="accuracy over that of the default; the default's own",
    observable="500 test images; width 64, better of two rates of Adam; Gaussian and orthogonal weights apart",
    notes="Empirical: margins are ten points of accuracy. Found: shaped networks with Gaussian weights learn at 30 "
    "layers (.70 over the default) and not at 100, where their depth is 1.6 times their width and products of Gaussian "
    "matrices scatter; with orthogonal weights they learn at both.",
    wrong=wrong("all alike", "shaping and default learn alike", lambda: np.array([0.0, 0.0, 0.0, 0.9])),
)
CLAIMS = (TARGETS, LIMIT_MAP, LEAKY, NF_GAIN, TRAINS_DEEP)

# --- the gallery ---------------------------------------------------------------------------------------------------

_DRAWN = (("tanh", "#0072b2"), ("softplus", "#d55e00"), ("gelu", "#009e73"))


def _maps_of_networks(preset: str) -> Arrays:
    import torch

    from widelimit.numerics.shaping import limit_map
    from widelimit.validate.harness.backend import Backend

    c, backend = np.linspace(0.0, 1.0, 41), Backend()
    given = torch.tensor(c[::8], dtype=backend.dtype)
    found: dict[str, np.ndarray] = {"c": c, "limit": np.asarray(limit_map(c))}
    for name, _ in _DRAWN:
        phi, _ = simulate.applied(name, _numbers({"activation": name, "depth": 25})["numbers"])
        found[name] = simulate.behind(phi, given, 25, 0, backend).numpy()
    return found


def _draw_maps(arrays: Arrays, axes: Axes) -> None:
    axes.plot(arrays["c"], arrays["limit"], "-", color="#6b6f73", label=r"$c/(c+\zeta(1-c))$")
    for name, colour in _DRAWN:
        axes.plot(arrays["c"][::8], arrays[name], "o", color=colour, markersize=4, label=f"{name}, 25 layers")
    axes.plot(arrays["c"], arrays["c"], ":", color="#6b6f73", linewidth=0.8)
    axes.set(xlabel="correlation of the inputs", ylabel="correlation behind all layers")
    axes.legend()


GALLERY = (
    GalleryFigure(
        "shaped-maps",
        "One map for all shaped activations",
        "Correlation behind 25 layers of 10,000 units, drawn with activations shaped by DKS with zeta = 1.5 (points), "
        "and the limit of many layers (line); dotted: the identity.",
        "martens2021rapid",
        _maps_of_networks,
        _draw_maps,
    ),
)
