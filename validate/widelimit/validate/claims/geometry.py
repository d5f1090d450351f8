"""Curves of inputs in wide networks as falsifiable claims (arXiv:1606.05340, 1606.05336)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Inputs, Integers, Interval, Plan
from widelimit.validate.simulate import geometry as simulate

if TYPE_CHECKING:
    from widelimit.numerics.geometry import Circle
    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.validate.harness.backend import Backend

SMOOTH: dict[str, Interval | Integers | Choice] = {
    "activation": Choice(("tanh", "erf", "sin")),
    "sigma_w": Interval(1.5, 3.0, simplest=2.0),
    "sigma_b": Interval(0.1, 0.5, simplest=0.5),
    "depth": Integers(1, 3),
}


def derivation(inputs: Inputs) -> Derivation:
    """Length, curvature and Gauss map for the point's activation."""
    from widelimit.theory import geometry as theory

    return theory.derive(str(inputs["activation"]))


def circle(inputs: Inputs) -> Circle:
    """The circle at the length fixed point."""
    from widelimit.numerics import geometry

    return geometry.predict(
        str(inputs["activation"]), sigma_w=float(inputs["sigma_w"]), sigma_b=float(inputs["sigma_b"]),
        depth=int(inputs["depth"]),
    )  # fmt: skip


def layers(inputs: Inputs) -> Sequence[Inputs]:
    """Layers behind the first."""
    return tuple({"layer": k + 1} for k in range(int(inputs["depth"])))


def metric(inputs: Inputs) -> np.ndarray:
    """g of every layer behind the first."""
    return np.array(circle(inputs).metric[1:])


def curvature(inputs: Inputs) -> np.ndarray:
    """N kappa^2 of every layer behind the first."""
    return np.array(circle(inputs).curvature)[1:]


def _simulated(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend, row: int) -> np.ndarray:
    q = circle(inputs).q_star
    return np.array([simulate.circle(inputs, q, size, seed, backend)[row, 1:] for seed in seeds])


def simulate_metric(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """|dh/dt|^2 / N."""
    return _simulated(inputs, size, seeds, backend, 0)


def simulate_curvature(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """N times the squared extrinsic curvature."""
    return _simulated(inputs, size, seeds, backend, 1)


def growth(inputs: Inputs) -> np.ndarray:
    """Growth of a line's length in the last layer, and crossings per unit in the first: of two long
    independent inputs.
    """
    from widelimit.numerics import geometry

    n = 2  # any two orthogonal inputs of squared norm n stand for independent Gaussian ones
    ends = np.eye(n) * n**0.5
    line = geometry.line(
        ends[0], ends[1], activation=str(inputs["activation"]), sigma_w=float(inputs["sigma_w"]),
        sigma_b=float(inputs["sigma_b"]), depth=int(inputs["depth"]),
    )  # fmt: skip
    return np.array([line.length[-1] / line.length[-2], _crossings_at_zero(inputs, ends)])


def _crossings_at_zero(inputs: Inputs, ends: np.ndarray) -> float:
    """Angle between the ends in layer 1, biases included, over pi."""
    sw2, sb2 = float(inputs["sigma_w"]) ** 2, float(inputs["sigma_b"]) ** 2
    k = sw2 * ends @ ends.T / ends.shape[1] + sb2
    return float(np.arccos(k[0, 1] / np.sqrt(k[0, 0] * k[1, 1])) / np.pi)


def simulate_growth(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The same along 200 points of a line between two Gaussian inputs."""
    return np.array([simulate.growth(inputs, size, seed, backend) for seed in seeds])


def quantities(inputs: Inputs) -> Sequence[Inputs]:
    """The names of the two rows."""
    return ({"quantity": "growth of the length"}, {"quantity": "crossings per unit"})


def _published(inputs: Inputs) -> np.ndarray:
    return np.array(
        [float(inputs["sigma_w"]), growth(inputs)[1]]
    )  # sigma_w sqrt(k / (k + 1)) at large width k


def _is_relu(inputs: Inputs) -> bool:
    return inputs["activation"] == "relu"


def _without_stretch(inputs: Inputs) -> np.ndarray:
    return np.full(int(inputs["depth"]), circle(inputs).q_star)


def _bend_once(inputs: Inputs) -> np.ndarray:
    """E hdot^4 = g^2 instead of 3 g^2."""
    c = circle(inputs)
    values = [1.0 / c.q_star]
    for _ in range(int(inputs["depth"])):
        values.append((c.chi_2 or 0.0) / c.chi_1**2 + values[-1] / c.chi_1)
    return np.array(values[1:])


def point(activation: str, sigma_w: float, sigma_b: float, depth: int) -> Inputs:
    """A point of the domain."""
    return {"activation": activation, "sigma_w": sigma_w, "sigma_b": sigma_b, "depth": depth}


_QUICK, _MORE = (point("tanh", 2.0, 0.3, 2),), (point("erf", 2.5, 0.2, 3), point("tanh", 3.0, 0.3, 3))


def _plans(quick: tuple[Inputs, ...], more: tuple[Inputs, ...], sizes: tuple[int, ...]) -> dict:
    larger = tuple(3 * size // 2 for size in sizes)
    return {
        "quick": Plan(quick, sizes, pilot=12, most=96, block=12),
        "reference": Plan(quick + more, larger, pilot=36, most=240, block=12),
        "deep": Plan(quick + more, (*larger, 8 * sizes[-1]), pilot=24, most=384, block=32),
    }


LENGTH = Claim(
    id="geometry.length",
    title="Length of a circle of inputs",
    statement="Squared lengths grow by chi_1 per layer.",
    paper="arXiv:1606.05340, eq. (9)",
    domain=SMOOTH,
    plans=_plans(_QUICK, _MORE, (100, 200, 400)),
    predict=metric,
    simulate=simulate_metric,
    rows=layers,
    derivation=derivation,
    margin=0.1,
    quantity="g at layer l",
    observable="|dh/dt|^2 / N at eight angles",
    counterfactuals=(
        Counterfactual("no stretch", "the length kept, as at the edge of chaos", _without_stretch),
    ),
)
CURVATURE = Claim(
    id="geometry.curvature",
    title="Curvature of a circle of inputs",
    statement="N kappa^2 follows kappa^2' = 3 chi_2 / chi_1^2 + kappa^2 / chi_1.",
    paper="arXiv:1606.05340, eq. (9)",
    domain=SMOOTH,
    plans=_plans(_QUICK, _MORE, (100, 200, 400)),
    predict=curvature,
    simulate=simulate_curvature,
    rows=layers,
    derivation=derivation,
    margin=0.15,
    quantity="N kappa^2 at layer l",
    observable="N times the squared extrinsic curvature at eight angles",
    counterfactuals=(
        Counterfactual("bend of one direction", "E hdot^4 = g^2 in place of the Gaussian 3 g^2", _bend_once),
    ),
)
TRAJECTORY = Claim(
    id="geometry.trajectory",
    title="Growth of a trajectory and kinks crossed",
    statement="Lengths grow by sqrt(chi_1) per layer; a line crosses the kink of a unit angle/pi times.",
    paper="arXiv:1606.05336 (its lower bound's factor is the counterfactual)",
    domain=SMOOTH | {"activation": Choice(("relu", "tanh", "hard_tanh"))},
    plans=_plans(
        (point("relu", 1.6, 0.3, 2),),
        (point("tanh", 2.0, 0.3, 2), point("hard_tanh", 2.0, 0.3, 2)),
        (100, 200, 400),
    ),
    predict=growth,
    simulate=simulate_growth,
    rows=quantities,
    margin=0.06,
    quantity="factor of the length in the last layer; crossings of zero per unit in the first",
    observable="both along 200 points of a line between two Gaussian inputs",
    counterfactuals=(
        Counterfactual(
            "published factor",
            "the factor sigma_w sqrt(k/(k+1)) of a lower bound, read as ReLU's rate",
            _published,
            _is_relu,
        ),
    ),
)
CLAIMS = (LENGTH, CURVATURE, TRAJECTORY)
