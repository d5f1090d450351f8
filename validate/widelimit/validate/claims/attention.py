"""Softmax attention and transformer blocks at initialisation as falsifiable claims (arXiv:2403.02579 and others)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Integers, Interval
from widelimit.validate.harness.declare import declare, presets, table, wrong
from widelimit.validate.harness.declare.points import Points
from widelimit.validate.report.gallery import GalleryFigure
from widelimit.validate.simulate import attention as simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays = Mapping[str, np.ndarray]

NEW = "new (users' networks"
_LAYER: dict[str, Any] = {
    "tokens": Integers(3, 16),
    "rho": Interval(0.0, 0.8, simplest=0.3),
    "sigma_qk": Interval(0.5, 2.0, simplest=1.0),
    "sigma_vo": Interval(0.7, 1.3, simplest=1.0),
}
_STACK: dict[str, Any] = {
    **_LAYER,
    "rho": Interval(0.1, 0.95, simplest=0.2),
    "activation": Choice(("gelu", "relu", "silu")),
    "sigma_1": Interval(0.5, 1.5, simplest=1.0),
    "sigma_2": Interval(0.5, 1.5, simplest=1.0),
}


def _plans(points: Points, quick: int, target: float | None = None) -> Any:
    """Replicates by a budget, four times it for a `target` that is not quick; one holds twelve draws of its own."""
    more = 1 if target is None else 4
    none: tuple[tuple[int, ...], ...] = ((), (), ())
    return presets(
        points,
        none,
        pilot=(quick, 2 * quick, 4 * quick),
        most=(quick, 4 * quick * more, 8 * quick * more),
        block=(quick, quick, quick),
        within=(None, target, target),
    )


def _gram(inputs: Any) -> np.ndarray:
    return np.where(np.eye(int(inputs["tokens"]), dtype=bool), 1.0, float(inputs["rho"]))


def _scales(inputs: Any) -> dict[str, float]:
    return {"sigma_qk": float(inputs["sigma_qk"]), "sigma_vo": float(inputs["sigma_vo"])}


def _layer(inputs: Any, **more: Any) -> Any:
    from widelimit.numerics.attention import layer

    return layer(_gram(inputs), **{**_scales(inputs), **more})


def _moments(inputs: Any) -> list[float]:
    return [float(one) for one in _layer(inputs).covariance[0, :2]]


def _mixed(inputs: Any, within: float, across: float) -> list[float]:
    """sigma_vo^2 [rho + (1 - rho) S] of wrong overlaps."""
    rho, gain = float(inputs["rho"]), float(inputs["sigma_vo"]) ** 2
    return [gain * (rho + (1 - rho) * one) for one in (within, across)]


def _even(inputs: Any) -> list[float]:
    return _mixed(inputs, *([1 / int(inputs["tokens"])] * 2))


def _exponential(inputs: Any) -> list[float]:
    variance = float(inputs["sigma_qk"]) ** 2 * (1 - float(inputs["rho"]))
    many = int(inputs["tokens"])
    return _mixed(inputs, math.exp(variance) / many, math.exp(variance * float(inputs["rho"])) / many)


def _apart(inputs: Any, truth: np.ndarray) -> list[float]:
    return [truth[0], _even(inputs)[1]]


def _kernel(inputs: Any) -> list[float]:
    return [float(one) for one in _layer(inputs).ntk[0, :2]]


def _twice(inputs: Any) -> list[float]:
    return [2 * one for one in _moments(inputs)]


def _back(inputs: Any) -> Any:
    from widelimit.numerics.attention import gradient

    upstream = _gram({**inputs, "rho": inputs["g_cross"]})
    return gradient(_gram(inputs), upstream, **_scales(inputs))


def _pair(matrix: np.ndarray) -> list[float]:
    return [float(matrix[0, 0]), float(matrix[0, 1])]


def _distance(inputs: Any) -> Any:
    from widelimit.numerics.attention import collapse

    return collapse(
        correlation=float(inputs["rho"]), tokens=int(inputs["tokens"]), sigma_qk=float(inputs["sigma_qk"])
    )


def _masked(inputs: Any) -> list[float]:
    found = _layer(inputs, causal=True).covariance
    return [float(found[0, 2]), float(found[1, 1])]


def _cold(tokens: int) -> float:
    return math.sqrt(2 * math.log(tokens))


def _concentration(inputs: Any) -> float:
    from widelimit.numerics.attention import overlaps

    found = overlaps(logit_std=float(inputs["logit_std"]), tokens=int(inputs["tokens"]), correlation=0.0)
    return float(found.within)


def _block(inputs: Any, **more: Any) -> Any:
    from widelimit.numerics.attention import Block

    scales = {name: float(inputs[name]) for name in ("sigma_1", "sigma_2")}
    return Block(
        **{"norm": inputs["norm"], **_scales(inputs), "activation": inputs["activation"], **scales, **more}
    )


def _stack(inputs: Any, blocks: int | None = None, **more: Any) -> Any:
    from widelimit.numerics.attention import propagate

    count = int(inputs["blocks"]) if blocks is None else blocks
    return propagate(
        _block(inputs, **more), tokens=int(inputs["tokens"]), blocks=count, rho0=float(inputs["rho"])
    )


def _separation(inputs: Any) -> float:
    found, half = _stack(inputs).distance, 2 * (int(inputs["blocks"]) // 2)
    return math.log(found[-1] / found[half])


def _first(inputs: Any) -> float:
    """The factor of the first block in every block."""
    found, count = _stack(inputs, 1).distance, int(inputs["blocks"])
    return (count - count // 2) * math.log(found[-1] / found[0])


def _unhelped(inputs: Any) -> float:
    return -math.log(int(inputs["blocks"]) / (int(inputs["blocks"]) // 2))


def _one_block(inputs: Any) -> float:
    found = _stack(inputs, 1).distance
    return math.log(found[-1] / found[0])


def _homogeneous(inputs: Any, truth: np.ndarray) -> float:
    """chi_M = v_M, as it is for ReLU: the second branch keeps the angle."""
    from widelimit.numerics.attention import exponents

    found = exponents(_block(inputs))
    return float(truth[0]) - math.log((1 + found.chi_M) / (1 + found.v_M))


def _log_gradient(inputs: Any) -> float:
    return math.log(_stack(inputs).g[0])


def _without_length(inputs: Any) -> float:
    """G + F(G) for G + F(G)/q."""
    from widelimit.numerics.attention import exponents

    found, total = _stack(inputs), 0.0
    chi = exponents(_block(inputs)).chi_M
    for rho in found.rho[:-1:2]:
        one = _back({**inputs, "rho": float(rho), "g_cross": 0.0}).gradient[0, 0]
        total += math.log((1 + one) * (1 + chi))
    return total


def _copied(inputs: Any) -> float:
    from widelimit.numerics.attention import copied

    scales = {name: float(inputs[name]) for name in ("sigma_1", "sigma_2")}
    return math.log(copied(inputs["activation"], layers=int(inputs["layers"]), **scales)[-1])


def _anew(inputs: Any) -> float:
    from widelimit.numerics.attention import copied

    scales = {name: float(inputs[name]) for name in ("sigma_1", "sigma_2")}
    one = copied(inputs["activation"], layers=1, **scales)
    return math.log(1 + int(inputs["layers"]) * (one[1] - 1))


def _gated(inputs: Any) -> list[float]:
    from widelimit.numerics.attention import Block, propagate

    one, two, three = (float(inputs[f"sigma_{k}"]) for k in (1, 2, 3))
    block = Block("none", 0.0, 0.0, inputs["activation"], one, two, gate=three)
    q = float(inputs["q"])
    found = propagate(block, tokens=2, blocks=1, rho0=0.0, q0=q)
    return [float(found.q[-1]) - q, float(found.g[0]) - 1]


def _one_way(inputs: Any, truth: np.ndarray) -> list[float]:
    """The gradient without the way through W_3, which is the length over q."""
    return [truth[0], truth[1] - truth[0] / float(inputs["q"])]


def _zipf(inputs: Any) -> float:
    from widelimit.numerics.attention import zipf

    return float(zipf(int(inputs["vocabulary"])))


_POINTS = table("tokens rho sigma_qk sigma_vo", [(8, 0.3, 2.0, 1.0)], [(16, 0.6, 1.0, 1.2)])
LENGTH = declare(
    "attention.length-and-overlap",
    title="Softmax attention at any number of tokens and temperature",
    statement="q' = sigma_vo^2 [p + (q - p) S_2] and p' the same with S_rho, overlaps of rows of softmax weights.",
    paper=f"{NEW}, 2 and 3)",
    domain=_LAYER,
    rows={"length": lambda inputs: _moments(inputs)[0], "covariance": lambda inputs: _moments(inputs)[1]},
    simulate=simulate.moments,
    plans=_plans(_POINTS, 24),
    within=0.04,
    quantity="second moments behind the layer",
    observable="12 layers of 16 heads at width 256",
    wrong=(
        wrong("even weights", "S = 1/T", _even),
        wrong("many tokens", "S_2 = exp(a^2)/T, S_rho = exp(rho a^2)/T", _exponential),
        wrong("rows apart", "S_rho = 1/T", _apart, beyond=1.5),
    ),
)
_POINTS = table("tokens rho sigma_qk sigma_vo", [(4, 0.3, 2.0, 1.0)], [(6, 0.5, 1.0, 1.0)])
NTK = declare(
    "attention.ntk",
    title="The tangent kernel of softmax attention",
    statement="Theta' = 2 C' and what trained queries and keys add through the slope of the softmax.",
    paper=f"{NEW}, 12b)",
    domain={**_LAYER, "tokens": Integers(3, 8)},
    rows={"one token": lambda inputs: _kernel(inputs)[0], "two tokens": lambda inputs: _kernel(inputs)[1]},
    simulate=simulate.tangent,
    plans=_plans(_POINTS, 20),
    within=0.04,
    quantity="tangent kernel",
    observable="gradients of a random output of 12 layers of 16 heads at width 128",
    wrong=wrong("values alone", "2 C': queries and keys do not train", _twice),
)
_POINTS = table("tokens rho sigma_qk sigma_vo g_cross", [(8, 0.3, 2.0, 1.0, 0.4)], [(12, 0.6, 1.5, 1.0, 0.2)])
GRADIENT = declare(
    "attention.gradient",
    title="Half of the gradient goes through the softmax",
    statement="Gradients come through values, queries and keys: G' = sigma_vo^2 [S_2 G + (T - 1) S_rho G_x] + k [...].",
    paper=f"{NEW}, 10)",
    domain={**_LAYER, "g_cross": Interval(0.0, 0.5, simplest=0.0)},
    rows={
        "one token": lambda inputs: _pair(_back(inputs).gradient)[0],
        "two tokens": lambda inputs: _pair(_back(inputs).gradient)[1],
    },
    simulate=simulate.gradients,
    plans=_plans(_POINTS, 20),
    within=0.05,
    scale=lambda predicted: np.full_like(predicted, predicted[0]),
    quantity="products of gradients in front of the layer",
    observable="12 layers of 16 heads at width 256",
    wrong=(
        wrong("values alone", "moment tables of the value path", lambda inputs: _pair(_back(inputs).values)),
        wrong(
            "no keys",
            "queries and values",
            lambda inputs: _pair(_back(inputs).values + _back(inputs).queries),
        ),
        wrong(
            "tokens alone",
            "no products of two tokens' gradients",
            lambda inputs: _pair(_back({**inputs, "g_cross": 0.0}).gradient),
            only=lambda g_cross: g_cross >= 0.2,
        ),
    ),
)
_POINTS = table("tokens rho sigma_qk sigma_vo", [(4, 0.8, 1.0, 1.0)], [(4, 0.9, 1.0, 1.0)])
COLLAPSE = declare(
    "attention.cubic-collapse",
    title="Without skips tokens become equal at a cubic rate",
    statement="1 - rho' tends to (beta q)^2 (T - 1)/T^2 (1 - rho)^3.",
    paper="arXiv:2103.03404, theorem 2.2 (the exponent); constant new",
    domain={**_LAYER, "tokens": Integers(3, 6), "rho": Interval(0.75, 0.95, simplest=0.8)},
    rows=lambda inputs: _distance(inputs).distance,
    simulate=simulate.distance,
    plans=_plans(_POINTS, 20),
    within=0.1,
    quantity="1 - rho behind the layer",
    observable="12 layers of 16 heads at width 256",
    wrong=(
        wrong(
            "quadratic",
            "(1 - rho)^2",
            lambda inputs: _distance(inputs).leading / (1 - float(inputs["rho"])),
        ),
        wrong(
            "constant 1/T",
            "1/T for (T - 1)/T^2",
            lambda inputs, truth: truth * int(inputs["tokens"]) / (int(inputs["tokens"]) - 1),
        ),
    ),
)
_POINTS = table("tokens rho sigma_qk sigma_vo", [(6, 0.3, 2.0, 1.0)], [(10, 0.5, 1.0, 1.0)])
CAUSAL = declare(
    "attention.causal",
    title="A causal mask",
    statement="C'_1k = sigma_vo^2 [p + (q - p)/k] at every temperature; row i sees i tokens.",
    paper=f"{NEW}, 8)",
    domain=_LAYER,
    rows={"first and third": lambda inputs: _masked(inputs)[0], "second": lambda inputs: _masked(inputs)[1]},
    simulate=simulate.causal,
    plans=_plans(_POINTS, 24),
    within=0.05,
    quantity="second moments behind the layer",
    observable="12 layers of 16 heads at width 256",
    wrong=(
        wrong("no mask", "every token sees all", lambda inputs: _moments(inputs)[::-1]),
        wrong(
            "first row even",
            "1/i for the overlap of row 1 with row k",
            lambda inputs, truth: [float(inputs["sigma_vo"]) ** 2, truth[1]],
        ),
    ),
)
_POINTS = table("tokens logit_std", [(64, 5.768), (16, 2.355)], [(1024, 7.447)])
ENTROPY = declare(
    "attention.entropy-collapse",
    title="Weights concentrate slowly",
    statement="S_2 is an integral at every T; the random-energy formula 1 - a_c/a is far from it at real T.",
    paper="arXiv:2505.24333 (the transition); integral new",
    domain={"tokens": Integers(8, 512), "logit_std": Interval(1.0, 8.0, simplest=2.0)},
    rows=_concentration,
    simulate=simulate.entropy,
    plans=_plans(_POINTS, 16),
    within=0.02,
    quantity="E sum_j A_ij^2",
    observable="softmax of Gaussian logits",
    wrong=(
        wrong(
            "random energies",
            "1 - sqrt(2 log T)/a above the threshold, else 0",
            lambda tokens, logit_std: max(1 - _cold(tokens) / logit_std, 0.0),
        ),
        wrong(
            "threshold sqrt(log T)",
            "1 - sqrt(log T)/a",
            lambda tokens, logit_std: max(1 - _cold(tokens) / math.sqrt(2) / logit_std, 0.0),
        ),
    ),
)
_NAMES = "tokens rho sigma_qk sigma_vo activation sigma_1 sigma_2 blocks norm"
_POINTS = table(
    _NAMES,
    [(16, 0.9, 1.0, 1.0, "relu", 1.0, 2**0.5, 8, "pre")],
    [(16, 0.9, 1.0, 1.0, "gelu", 1.0, 2**0.5, 8, "pre")],
)
POWER = declare(
    "attention.pre-ln-power",
    title="Pre-LN stacks forget as a power of depth",
    statement="1 - rho ~ l^-s, s = 1 - chi_M/(v_A + v_M): no depth scale.",
    paper="arXiv:2403.02579 (the angle exponent); power law new",
    domain={**_STACK, "blocks": Integers(4, 8), "norm": Choice(("pre",))},
    rows=_separation,
    simulate=simulate.separations,
    plans=_plans(_POINTS, 6, 0.025),
    within=0.06,
    scale=1.0,
    quantity="log of 1 - rho behind the stack over that behind its half",
    observable="12 stacks of 8 heads at width 128",
    wrong=(
        wrong("exponential", "every block has the factor of the first", _first),
        wrong("no second branch", "s = 1 without chi_M", _unhelped),
    ),
)
_POINTS = table(
    _NAMES.replace("blocks ", ""),
    [(16, 0.95, 0.5, 0.7, "gelu", 0.7, 4.65, "post")],
    [(16, 0.95, 1.0, 0.7, "gelu", 1.0, 4.0, "post")],
)
ANGLE = declare(
    "attention.post-ln-angle",
    title="Post-LN blocks have a depth scale",
    statement="(1 - rho')/(1 - rho) = (1 + chi_M)/((1 + v_A)(1 + v_M)) per block.",
    paper="arXiv:2403.02579, the angle exponent",
    domain={
        **_STACK,
        "rho": Interval(0.93, 0.97, simplest=0.95),
        "sigma_2": Interval(0.5, 5.0, simplest=1.0),
        "norm": Choice(("post",)),
    },
    rows=_one_block,
    simulate=simulate.angle,
    plans=_plans(_POINTS, 16),
    within=0.035,
    scale=1.0,
    quantity="log of (1 - rho')/(1 - rho)",
    observable="12 blocks of 16 heads at width 256",
    wrong=wrong(
        "homogeneous",
        "chi_M = v_M, which holds for ReLU",
        _homogeneous,
        only=lambda activation: activation != "relu",
        beyond=1.2,
    ),
)
_POINTS = table(
    _NAMES,
    [
        (8, 0.2, 2.0, 1.0, "gelu", 2**0.5, 2**0.5, 2, "pre"),
        (8, 0.2, 2.0, 1.0, "gelu", 2**0.5, 2**0.5, 2, "post"),
    ],
    [(8, 0.2, 1.0, 1.0, "relu", 1.0, 1.0, 4, "pre")],
)
BLOCK = declare(
    "attention.block-gradient",
    title="Gradients through transformer blocks",
    statement="Pre-LN: G + F(G)/q per branch; Post-LN: (G + F(G)) over the length that the norm divides by.",
    paper=f"{NEW}, 15); arXiv:2002.04745",
    domain={**_STACK, "blocks": Integers(1, 4), "norm": Choice(("pre", "post"))},
    rows=_log_gradient,
    simulate=simulate.stack_gradients,
    plans=_plans(_POINTS, 5),
    within=0.12,
    scale=1.0,
    quantity="log of squared gradients in front over those behind",
    observable="12 stacks of 16 heads at width 256",
    wrong=(
        wrong(
            "the other norm",
            "Pre-LN's formula for Post-LN",
            lambda inputs: math.log(_stack({**inputs, "norm": "pre"}).g[0]),
            only=lambda norm: norm == "post",
        ),
        wrong("no length", "G + F(G)", _without_length, only=lambda norm: norm == "pre"),
    ),
)
_POINTS = table(
    "activation sigma_1 sigma_2 layers",
    [("relu", 1.0, 1.0, 16)],
    [("gelu", 1.4, 1.0, 12), ("relu", 1.0, 1.0, 32)],
)
COPIED = declare(
    "attention.copied-layers",
    title="Layers that are copies add up",
    statement="Equal layers write correlated branches: lengths grow as the square of depth.",
    paper=f"{NEW}, 19)",
    domain={
        "activation": Choice(("gelu", "relu")),
        "sigma_1": Interval(0.7, 1.5, simplest=1.0),
        "sigma_2": Interval(0.7, 1.5, simplest=1.0),
        "layers": Integers(4, 16),
    },
    rows=_copied,
    simulate=simulate.copies,
    plans=_plans(_POINTS, 16),
    within=0.1,
    scale=1.0,
    quantity="log of the stream's mean square",
    observable="12 stacks at width 256",
    wrong=wrong("drawn anew", "independent layers: the length grows as the depth", _anew),
)
_POINTS = table(
    "activation q sigma_1 sigma_2 sigma_3", [("silu", 1.5, 1.2, 1.0, 1.1)], [("gelu", 1.0, 1.0, 1.2, 1.0)]
)
GATED = declare(
    "attention.gated",
    title="Gated layers",
    statement="K' = (sigma_2 sigma_3)^2 K T_phi, and gradients come through the activation and through the gate.",
    paper=f"{NEW}, 13)",
    domain={
        "activation": Choice(("silu", "gelu", "relu")),
        "q": Interval(0.5, 2.0, simplest=1.0),
        **{f"sigma_{k}": Interval(0.7, 1.4, simplest=1.0) for k in (1, 2, 3)},
    },
    rows={"length": lambda inputs: _gated(inputs)[0], "gradient": lambda inputs: _gated(inputs)[1]},
    simulate=simulate.gated,
    plans=_plans(_POINTS, 24),
    within=0.07,
    quantity="second moment behind, squared gradient in front",
    observable="12 layers at width 256",
    wrong=wrong("one way", "chi without the gate's own path", _one_way),
)
_POINTS = table("vocabulary", [2000], [30522])
ZIPF = declare(
    "attention.zipf",
    title="How often words repeat",
    statement="Two words of a text are the same with probability (pi^2/6)/(log V + gamma)^2.",
    paper=f"{NEW}, 9)",
    domain={"vocabulary": Integers(100, 5000)},
    rows=_zipf,
    simulate=simulate.words,
    plans=_plans(_POINTS, 24),
    within=0.03,
    quantity="share of equal pairs",
    observable="100,000 pairs of words",
    wrong=wrong("all words alike", "1/V", lambda vocabulary: 1 / vocabulary),
)
CLAIMS = (LENGTH, NTK, GRADIENT, COLLAPSE, CAUSAL, ENTROPY, POWER, ANGLE, BLOCK, COPIED, GATED, ZIPF)

# --- the gallery ---------------------------------------------------------------------------------------------------

_COUNTS = ((8, "#0072b2"), (64, "#009e73"), (4096, "#d55e00"))
_DEPTH = 12
_NORMS = (("pre", "#0072b2", "Pre-LN"), ("post", "#d55e00", "Post-LN"))
_SHOWN = {"tokens": 8, "rho": 0.2, "sigma_qk": 1.0, "sigma_vo": 1.0, "activation": "gelu",
          "sigma_1": 2**0.5, "sigma_2": 2**0.5, "blocks": _DEPTH}  # fmt: skip


def _concentrations(preset: str) -> Arrays:
    from widelimit.numerics.attention import overlaps
    from widelimit.validate.harness.backend import Backend

    share = np.linspace(0.02, 3.0, 75)
    dots = np.array([0.5, 1.0, 1.5, 2.0, 2.5])
    found: dict[str, np.ndarray] = {"share": share, "dots": dots}
    for count, _ in _COUNTS:
        std = _cold(count)
        found[f"within-{count}"] = overlaps(logit_std=share * std, tokens=count, correlation=0.0).within
        found[f"drawn-{count}"] = np.array(
            [
                simulate.entropy({"tokens": count, "logit_std": x * std}, 1, 5, Backend())[0]
                for x in dots.tolist()
            ]
        )
    return found


def _draw_concentrations(arrays: Arrays, axes: Axes) -> None:
    for count, colour in _COUNTS:
        axes.plot(arrays["share"], arrays[f"within-{count}"], color=colour, label=f"T = {count}")
        axes.plot(arrays["dots"], arrays[f"drawn-{count}"], "o", color=colour, markersize=4)
    frozen = np.where(arrays["share"] > 1, 1 - 1 / arrays["share"], 0.0)
    axes.plot(arrays["share"], frozen, "--", color="#666666", label="random energies")
    axes.set(xlim=(0, 3), ylim=(0, 1), xlabel="a / sqrt(2 log T)", ylabel="E sum_j A_ij^2")
    axes.legend()


def _stacks(preset: str) -> Arrays:
    from widelimit.validate.harness.backend import Backend

    found: dict[str, np.ndarray] = {
        "depth": np.arange(2 * _DEPTH + 1) / 2,
        "dots": np.arange(0, _DEPTH + 1, 2),
    }
    for norm, _, _ in _NORMS:
        stack = _stack({**_SHOWN, "norm": norm})
        found[f"rho-{norm}"], found[f"g-{norm}"] = stack.rho, stack.g
        found[f"drawn-{norm}"] = simulate.correlations({**_SHOWN, "norm": norm}, 1, 7, Backend())[::2]
    return found


def _draw_stacks(arrays: Arrays, axes: Axes) -> None:
    for norm, colour, label in _NORMS:
        axes.plot(arrays["depth"], arrays[f"rho-{norm}"], color=colour, label=f"{label}: correlation")
        axes.plot(arrays["dots"], arrays[f"drawn-{norm}"], "o", color=colour, markersize=4)
        growth = arrays[f"g-{norm}"] / arrays[f"g-{norm}"].max()
        axes.plot(arrays["depth"], growth, ":", color=colour, label=f"{label}: gradient")
    axes.set(xlim=(0, _DEPTH), ylim=(0, 1.02), xlabel="blocks", ylabel="correlation; squared gradient")
    axes.legend(loc="center", bbox_to_anchor=(0.48, 0.4), fontsize="small", ncols=2)


GALLERY = (
    GalleryFigure(
        "concentration",
        "Softmax weights concentrate slowly",
        "Overlap of a row of softmax weights with itself against the standard deviation of logits, in units of the "
        "threshold of random energies; dots: drawn logits. The dashed limit is far from real numbers of tokens.",
        "dong2021attention",
        _concentrations,
        _draw_concentrations,
    ),
    GalleryFigure(
        "stacks",
        "What norms make of tokens and gradients",
        "Correlation of two of eight tokens through twelve GELU blocks, and squared gradients over their largest; "
        "dots: drawn stacks of width 128.",
        "cowsik2024geometric",
        _stacks,
        _draw_stacks,
    ),
)
