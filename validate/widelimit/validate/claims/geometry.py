"""Curves of inputs in wide networks as falsifiable claims (arXiv:1606.05340, 1606.05336)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from widelimit.theory.calculus.activation import Activation
from widelimit.validate.harness.claim import Choice, Integers, Interval
from widelimit.validate.harness.declare import declare, instead, row, table, wrong
from widelimit.validate.simulate import geometry as simulate

if TYPE_CHECKING:
    from widelimit.numerics.geometry import Circle

SMOOTH: dict[str, Interval | Integers | Choice] = {
    "activation": Choice(("tanh", "erf", "sin")),
    "sigma_w": Interval(1.5, 3.0, simplest=2.0),
    "sigma_b": Interval(0.1, 0.5, simplest=0.5),
    "depth": Integers(1, 3),
}
_NAMES = "activation sigma_w sigma_b depth"
_CIRCLE: dict[str, Any] = {
    "domain": SMOOTH | {"q": Interval(0.5, 5.0, simplest=1.0)},
    "paper": "arXiv:1606.05340, eq. (9)",
    "solver": "geometry.predict",
    "over": {"layer": "depth"},
    # circles of any radius: not of the one that theory says they keep
    "points": table(
        f"{_NAMES} q", [("tanh", 2.0, 0.3, 2, 2.0)], [("erf", 2.5, 0.2, 3, 4.0), ("tanh", 3.0, 0.3, 3, 3.0)]
    ),
    "sizes": (100, 200, 400),
}


def _bent_once(circle: Circle) -> list[float]:
    """E hdot^4 = g^2 in place of 3 g^2: a third of what each layer bends."""
    values = [1.0 / circle.q[0]]
    for stretch, bend in zip(circle.stretch, circle.bend or [], strict=True):
        values.append(bend / stretch**2 + values[-1] / stretch)
    return values[1:]


def _kinked(activation: str) -> bool:
    return bool(Activation.of(activation).kinks)


LENGTH = declare(
    "geometry.length",
    title="Length of a circle of inputs",
    statement="Squared lengths grow by chi_1 per layer.",
    rows=lambda circle: circle.metric[1:],
    simulate=simulate.metric,
    within=0.1,
    target=0.035,
    closer=2.5,
    noise=1.3,
    quantity="g at layer l",
    observable="|dh/dt|^2 / N at eight angles",
    wrong=wrong(
        "no stretch",
        "the length kept, as at the edge of chaos",
        instead(lambda circle, depth: [circle.metric[0]] * depth),
    ),
    **_CIRCLE,
)
CURVATURE = declare(
    "geometry.curvature",
    title="Curvature of a circle of inputs",
    statement="N kappa^2 follows kappa^2' = 3 chi_2 / chi_1^2 + kappa^2 / chi_1.",
    rows=lambda circle: circle.curvature[1:],
    simulate=simulate.curvature,
    within=0.15,
    target=0.08,
    closer=4.2,
    noise=2.5,
    quantity="N kappa^2 at layer l",
    observable="N times the squared extrinsic curvature at eight angles",
    wrong=wrong(
        "bend of one direction", "E hdot^4 = g^2 in place of the Gaussian 3 g^2", instead(_bent_once)
    ),
    **_CIRCLE,
)
TRAJECTORY = declare(
    "geometry.trajectory",
    title="Growth of a trajectory and kinks crossed",
    statement="Lengths grow by sqrt(chi_1) per layer; a line crosses a kink at the rate of Rice's formula.",
    paper="arXiv:1606.05336 (its lower bound's factor is the counterfactual)",
    domain=SMOOTH | {"activation": Choice(("relu", "tanh", "hard_tanh"))},
    solver="geometry.line",
    # any two orthogonal inputs of squared norm n stand for long independent Gaussian ones
    given={"start": (2**0.5, 0.0), "end": (0.0, 2**0.5)},
    rows={
        "growth of the length": lambda line: line.length[-1] / line.length[-2],
        "crossings per unit": row(lambda line: line.crossings[0], only=_kinked),
    },
    derivation=None,
    simulate=simulate.growth,
    points=table(_NAMES, [("relu", 1.6, 0.3, 2)], [("tanh", 2.0, 0.3, 2), ("hard_tanh", 2.0, 0.3, 2)]),
    sizes=(100, 200, 400),
    within=0.06,
    target=0.04,
    closer=2.5,
    noise=1.2,
    quantity="factor of the length in the last layer; kinks crossed per unit in the first",
    observable="both along 200 points of a line between two Gaussian inputs",
    wrong=wrong(
        "published factor",
        "the factor sigma_w sqrt(k/(k+1)) of a lower bound, read as ReLU's rate",
        instead({"growth of the length": lambda line, sigma_w: sigma_w}),  # at large width k
        only=lambda activation: activation == "relu",
    ),
)
CLAIMS = (LENGTH, CURVATURE, TRAJECTORY)
