"""Variational walkback as falsifiable claims (arXiv:1711.02282)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Integers, Interval, Plan, Preset
from widelimit.validate.harness.declare import declare, table, wrong
from widelimit.validate.report.gallery import GalleryFigure
from widelimit.validate.simulate import walkback as simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays = Mapping[str, np.ndarray]

PAPER = "arXiv:1711.02282"
_TURN: dict[str, Any] = {
    "contraction": Interval(0.3, 0.9, simplest=0.8),
    "angle": Interval(0.1, 1.5, simplest=0.6),
}


def _matrix(inputs: Any) -> np.ndarray:
    from widelimit.validate.harness.backend import Backend

    return simulate.operator(inputs, Backend()).numpy()


def _produced(inputs: Any) -> float:
    from widelimit.numerics.walkback import entropy_production

    return float(entropy_production(_matrix(inputs), np.eye(2)))


def _gap(inputs: Any) -> float:
    return int(inputs["steps"]) * _produced(inputs)


def _fewer(inputs: Any) -> float:
    return (int(inputs["steps"]) - 1) * _produced(inputs)


def _diffusion(pull: float, turn: float) -> float:
    from widelimit.numerics.walkback import diffusion_entropy_production

    return diffusion_entropy_production([[pull, turn], [-turn, pull]], np.eye(2))


def _chain(inputs: Any) -> Any:
    import torch

    from widelimit.numerics.walkback import chain
    from widelimit.validate.harness.backend import Backend

    generator = Backend().generator(11)
    weights = (0.1 + torch.rand((4, 4), generator=generator, dtype=torch.float64)).numpy()
    weights = weights + weights.T
    t = weights / weights.sum(1, keepdims=True)
    return chain(t, data=simulate.start(inputs), steps=int(inputs["steps"]))


def _divergence(inputs: Any) -> float:
    """K times the relative entropy of the data to the stationary law, taken off once more."""
    found, data = _chain(inputs), np.array(simulate.start(inputs))
    return float(found.bound) - int(inputs["steps"]) * float(data @ np.log(data / found.stationary))


def _scheduled(inputs: Any, shift: int = 0) -> float:
    from widelimit.numerics.walkback import bound

    heats = float(inputs["factor"]) ** (np.arange(1, int(inputs["steps"]) + 1) - shift)
    return bound(_matrix(inputs), np.eye(2), data=np.eye(2), prior=4 * np.eye(2), temperatures=heats).bound


def _cost(contraction: float, factor: float) -> float:
    from widelimit.numerics.walkback import annealing_cost

    return float(annealing_cost(contraction, factor=factor))


def _flat(inputs: Any) -> float:
    return _scheduled({**inputs, "factor": 1.0})


GAP = declare(
    "walkback.gap",
    title="The bound loses the entropy production",
    statement="At stationarity E log pi less the bound of K steps is K times the entropy production.",
    paper=f"{PAPER}, section 4; identity new",
    domain={**_TURN, "steps": Integers(2, 8)},
    rows=lambda inputs: _gap(inputs),
    simulate=simulate.lost,
    points=table("contraction angle steps", [(0.8, 0.6, 4)], [(0.5, 1.0, 6)]),
    within=0.02,
    noise=0.03,
    quantity="E log pi - bound",
    observable="4,000 walks of A = a R(p), D = I",
    wrong=(
        wrong("one step less", "(K - 1) times the entropy production", _fewer),
        wrong("tight", "no gap", lambda: 0.0),
    ),
)
ROTATION = declare(
    "walkback.rotation",
    title="Entropy production of a rotation",
    statement="A = a R(p), D = I produce 4 a^2 sin^2 p / (1 - a^2) nats a step.",
    paper="new",
    domain=_TURN,
    rows=lambda inputs: _produced(inputs),
    simulate=simulate.rotation,
    points=table("contraction angle", [(0.8, 0.6)], [(0.5, 1.2), (0.9, 0.2)]),
    within=0.02,
    noise=0.02,
    quantity="entropy production a step",
    observable="log ratios along 4,000 walks of forty steps",
    wrong=wrong("half", "2 a^2 sin^2 p / (1 - a^2)", lambda truth: truth / 2),
)
DIFFUSION = declare(
    "walkback.diffusion",
    title="Entropy production of a diffusion",
    statement="dx = - B x dt + sqrt(2 Q) dW produces tr(B' Q^-1 B Sigma) - tr B.",
    paper="new",
    domain={"pull": Interval(0.5, 2.0, simplest=1.0), "turn": Interval(0.3, 2.0, simplest=1.0)},
    rows=_diffusion,
    simulate=simulate.diffusion,
    points=table("pull turn", [(1.0, 1.0)], [(0.5, 0.7)]),
    sizes=(20, 40, 80),
    within=0.04,
    noise=0.25,
    size_name="steps a unit of time",
    quantity="entropy production rate",
    observable="log ratios of Euler steps along 4,000 walks",
    wrong=wrong(
        "friction alone",
        "tr(B' Q^-1 B Sigma) without tr B",
        lambda pull, turn: 2 * (pull**2 + turn**2) / pull,
    ),
)
ANY_DATA = declare(
    "walkback.any-data",
    title="Reversible operators lose nothing, whatever the data",
    statement="Where T is reversible the bound is E log pi for every law of the data.",
    paper=f"{PAPER}, section 4",
    domain={"share": Interval(0.3, 0.9, simplest=0.7), "steps": Integers(2, 6)},
    solver=_chain,
    rows="bound",
    simulate=simulate.any_data,
    points=table("share steps", [(0.7, 4)], [(0.9, 6)]),
    within=0.02,
    noise=0.01,
    quantity="bound",
    observable="4,000 sampled walks of a chain of four states",
    wrong=wrong(
        "data cost",
        "K times the relative entropy of the data besides",
        lambda inputs: _divergence(inputs),
    ),
)
SCHEDULE = declare(
    "walkback.schedule",
    title="The bound of a schedule",
    statement="Second moments followed through a schedule of temperatures give the bound exactly.",
    paper=f"{PAPER}, algorithm 1; closed form new",
    domain={**_TURN, "factor": Interval(1.05, 1.5, simplest=1.3), "steps": Integers(2, 6)},
    rows=lambda inputs: _scheduled(inputs),
    simulate=simulate.scheduled,
    points=table("contraction angle factor steps", [(0.8, 0.6, 1.5, 6)], [(0.6, 0.3, 1.5, 6)]),
    within=0.02,
    noise=0.03,
    quantity="bound",
    observable="4,000 walks from N(0, I), scored by N(0, 4 I)",
    wrong=(
        wrong("one temperature", "no schedule", _flat),
        wrong(
            "temperatures a step late", "T_{t-1} for T_t", lambda inputs: _scheduled(inputs, 1), beyond=1.5
        ),
    ),
)
ANNEALING = declare(
    "walkback.annealing",
    title="Annealing costs entropy",
    statement="A reversible operator whose temperature grows by r a step loses "
    "(log r - (1 - a^2)(1 - 1/r)/(1 - a^2/r))/2 a step.",
    paper="new (Clausius)",
    domain={"contraction": Interval(0.3, 0.9, simplest=0.8), "factor": Interval(1.1, 1.6, simplest=1.3)},
    rows=_cost,
    simulate=simulate.annealed,
    points=table("contraction factor", [(0.8, 1.3)], [(0.5, 1.5)]),
    within=0.04,
    noise=0.06,
    quantity="nats a step and dimension",
    observable="4,000 walks in their own steady state",
    wrong=wrong("free", "reversible operators lose nothing, at any schedule", lambda: 0.0),
)
_TRAINED: dict[str, Any] = {
    "simulate": simulate.trained,
    "scale": 1.0,
    "derivation": None,
    "quantity": "entropy production after over before training",
    "observable": "tanh 64-64 in the plane, three blobs, K = 6, factor 1.3, 600 steps of Adam",
    "notes": "Empirical. An earlier pilot of another network: .003(1) by the bound, .061(1) by the L1 loss.",
}


def _plans(objective: str) -> dict[Preset, Plan]:
    point = ({"objective": objective},)
    return {
        "reference": Plan(point, (), pilot=4, most=24, block=4),
        "deep": Plan(point, (), pilot=8, most=16, block=4),
    }


LEARNING = declare(
    "walkback.learning",
    title="The bound teaches reversibility",
    statement="Training by the bound drives the entropy production below two per cent of its start.",
    paper=f"{PAPER}, section 4",
    domain={"objective": Choice(("bound",))},
    rows=0.02,
    compare="at most",
    plans=_plans("bound"),
    within=0.01,
    wrong=wrong("no learning", "entropy production stays", lambda: -0.1),
    **_TRAINED,
)
RELEASED = declare(
    "walkback.released-loss",
    title="The released code's loss does not teach it",
    statement="The L1 reconstruction of the released code leaves two per cent of the entropy production or more.",
    paper=f"{PAPER}, released code",
    domain={"objective": Choice(("released",))},
    rows=0.02,
    compare="at least",
    plans=_plans("released"),
    within=0.01,
    wrong=wrong("more than at the start", "training by it makes operators less reversible", lambda: 1.5),
    **_TRAINED,
)
CLAIMS = (GAP, ROTATION, DIFFUSION, ANY_DATA, SCHEDULE, ANNEALING, LEARNING, RELEASED)

# --- the gallery ---------------------------------------------------------------------------------------------------

_CONTRACTIONS = ((0.5, "#0072b2"), (0.7, "#009e73"), (0.9, "#d55e00"))


def _costs(preset: str) -> Arrays:
    from widelimit.numerics.walkback import annealing_cost
    from widelimit.validate.harness.backend import Backend

    factors, dots = np.linspace(1.0, 2.0, 81), np.array([1.15, 1.4, 1.7, 2.0])
    found: dict[str, np.ndarray] = {"factor": factors, "dots": dots}
    for size, _ in _CONTRACTIONS:
        found[f"cost-{size}"] = annealing_cost(size, factor=factors)
        found[f"drawn-{size}"] = np.array(
            [simulate.annealed({"contraction": size, "factor": r}, 1, 3, Backend())[0] for r in dots.tolist()]
        )
    return found


def _draw_costs(arrays: Arrays, axes: Axes) -> None:
    for size, colour in _CONTRACTIONS:
        axes.plot(arrays["factor"], arrays[f"cost-{size}"], color=colour, label=f"a = {size:g}")
        axes.plot(arrays["dots"], arrays[f"drawn-{size}"], "o", color=colour, markersize=4)
    axes.set(xlim=(1, 2.05), xlabel="factor of the temperature a step", ylabel="nats a step and dimension")
    axes.legend()


GALLERY = (
    GalleryFigure(
        "annealing",
        "Annealing costs entropy, although the operator is reversible",
        "What the bound loses in a step whose temperature grows by a factor, for three contractions; dots: 4,000 walks "
        "in their own steady state.",
        "goyal2017variational",
        _costs,
        _draw_costs,
    ),
)
