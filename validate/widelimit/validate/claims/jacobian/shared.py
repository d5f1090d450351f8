"""What the claims about Jacobians share: points, plans, the simulated statistics and the usual wrong theories."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.jacobian import theory
from widelimit.validate.claims.jacobian.theory import PLACES
from widelimit.validate.claims.meanfield.shared import counterfactual
from widelimit.validate.harness.claim import Choice, Inputs, Integers, Interval, Plan, Preset, Scalar

if TYPE_CHECKING:
    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.validate.harness.backend import Backend

Prediction = Callable[[Inputs], np.ndarray]
FLOAT32 = "moments keep five digits; singular values below 1e-6 of the largest are lost, so distributions need float64"
DOMAIN: dict[str, Interval | Integers | Choice] = {
    "activation": Choice(("tanh", "erf_s", "hard_tanh", "relu", "shifted_relu", "sin")),
    "sigma_w": Interval(0.8, 1.5, simplest=1.0),
    "sigma_b": Interval(0.05, 0.4, simplest=0.1),
    "depth": Integers(1, 8),
    "weights": Choice(("orthogonal", "gaussian")),
    "q0": Interval(0.2, 3.0, simplest=1.0),
}
TANH: Inputs = {
    "activation": "tanh",
    "sigma_w": 1.1517,
    "sigma_b": 0.06911,
    "q0": 0.2,
}  # on the edge of chaos where pre-activations have the length q0, which they keep; that of the input is given as well
ERF: Inputs = {"activation": "erf_s", "sigma_w": 1.129626, "sigma_b": 0.06245, "q0": 0.2}
HARD: Inputs = {"activation": "hard_tanh", "sigma_w": 1.01292, "sigma_b": 0.063602, "q0": 0.2}
RELU: Inputs = {"activation": "relu", "sigma_w": 2**0.5, "sigma_b": 0.0, "q0": 1.0}
LINEAR: Inputs = {"activation": "linear", "sigma_w": 1.0, "sigma_b": 0.0, "q0": 1.0}


_ENOUGH = 1500  # replicates of each size that a target may cost


def point(base: Inputs, depth: int, weights: str, **more: Scalar) -> Inputs:
    """One point of a plan."""
    return {**base, "depth": depth, "weights": weights, **more}


def plans(
    quick: Sequence[Inputs],
    more: Sequence[Inputs] = (),
    pilot: int = 24,
    most: int = 144,
    reference: tuple[int, ...] = (100, 200, 400),
    reference_draws: tuple[int, int] = (32, 192),
    target: float | None = None,
    closer: float | None = None,
    sizes: tuple[int, ...] = (48, 96, 160),
) -> Mapping[Preset, Plan]:
    """Quick runs stay below width 200, reference runs at 400 where they need many draws, deep runs reach 4,000.

    `pilot` and `most` are those of quick runs, `reference_draws` those of reference runs. `target`: how close quick
    runs are to look, for as many replicates as that takes; reference runs twice as close, or `closer`. `sizes` are
    those of quick runs: where the theory speaks of each, they have to be large enough for its first order.
    """
    every = (*quick, *more)
    closer = closer or (None if target is None else target / 2)
    most = most if target is None else _ENOUGH
    draws = reference_draws if closer is None else (reference_draws[0], _ENOUGH)
    return {
        "quick": Plan(tuple(quick), sizes, pilot=pilot, most=most, block=16, within=target),
        "reference": Plan(every, reference, *draws, block=16, within=closer),
        "deep": Plan(every, (500, 1000, 2000, 4000), pilot=8, most=24, block=4),
    }


def scale(predicted: np.ndarray) -> np.ndarray:
    """Margins are relative, and absolute below one (logarithms, probabilities)."""
    return np.maximum(np.abs(predicted), 1.0)


def derivation(inputs: Inputs) -> Derivation:
    """The derivation behind the prediction."""
    from widelimit.theory.jacobian import derive

    return derive(str(inputs["activation"]), weights=str(inputs["weights"]))


def derivation_at_width(inputs: Inputs) -> Derivation:
    """The same, and what finite width adds to the moments."""
    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.theory.jacobian import finite_orthogonal_steps, finite_steps

    steps = finite_steps if inputs["weights"] == "gaussian" else finite_orthogonal_steps
    limit, finite = derivation(inputs), steps.derive()
    return Derivation(limit.title, (*limit.steps, *finite.steps), (*limit.assumptions, *finite.assumptions))


def named(*names: str) -> Callable[[Inputs], Sequence[Inputs]]:
    """Rows of fixed names."""
    return partial(_rows, names)


def _rows(names: Sequence[str], inputs: Inputs) -> Sequence[Inputs]:
    return tuple({"statistic": name} for name in names)


def simulated(
    measure: str, first: int, last: int, inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend
) -> np.ndarray:
    """Columns first ... last - 1 of a measure of simulate.jacobian."""
    from widelimit.validate.simulate import jacobian

    chosen: jacobian.Measure = jacobian.moments
    if measure == "distribution":
        chosen = jacobian.distribution(PLACES)
    elif measure == "atom":
        chosen = jacobian.atom
    elif measure == "largest":
        chosen = jacobian.largest
    found = jacobian.spectrum_statistics(inputs, float(inputs["q0"]), size, seeds, backend, chosen)
    return found[:, first:last] - (1.0 if measure == "spread" else 0.0)


def changed(predict: Prediction, change: Callable[[Inputs], Inputs], inputs: Inputs) -> np.ndarray:
    """The prediction at altered inputs."""
    return predict(change(inputs))


def deeper(inputs: Inputs) -> bool:
    """Is there a layer to leave out?"""
    return int(inputs["depth"]) > 1


def wrong(predict: Prediction, margin: float, at: Callable[..., np.ndarray] | None = None) -> tuple:
    """The neighbouring ensemble and the law of one layer less; `at(change, inputs)` predicts at altered inputs."""
    at = at or partial(changed, predict)
    return (
        counterfactual(
            "neighbouring ensemble",
            "orthogonal weights taken for Gaussian ones, or the reverse",
            predict,
            partial(at, theory.other_ensemble),
            margin / 2,
            floor=1.0,
        ),
        counterfactual(
            "L - 1 layers",
            "the power of S that belongs to one layer less",
            predict,
            partial(at, theory.one_layer_less),
            margin / 2,
            floor=1.0,
            only=deeper,
        ),
    )
