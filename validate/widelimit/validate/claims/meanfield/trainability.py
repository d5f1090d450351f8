"""The empirical rule of 1611.01232 that networks train up to a depth of about 6 xi_c: measured, not derived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.meanfield import theory
from widelimit.validate.claims.meanfield.plans import point
from widelimit.validate.claims.meanfield.shared import derivation
from widelimit.validate.harness.claim import Claim, Counterfactual, Inputs, Integers, Interval, Plan

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

PHASES = ("ordered", "chaotic")
VARIANCES = {"ordered": (0.8, 1.0, 1.2), "chaotic": (2.5, 4.0, 8.0)}  # sigma_w^2, xi_c from 2 to 12
DEPTHS = (6, 9, 13, 20, 30, 45, 68, 100)
RULE = 6.0

_MARGIN = 0.25  # what "about" can bear, in the paper's "about 6 xi_c"


def trainability_rows(inputs: Inputs) -> Sequence[Inputs]:
    """In each phase the power of xi_c by which the trainable depth grows, and its ratio to xi_c."""
    return tuple(
        {"phase": phase, "quantity": name} for phase in PHASES for name in ("power of xi_c", "depth / xi_c")
    )


def trainability(inputs: Inputs) -> np.ndarray:
    """Power 1 and ratio 6, in both phases."""
    return np.array([1.0, RULE] * len(PHASES))


def simulate_trainability(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Train networks of every depth and sigma_w; fit the failing depths as a power of xi_c in each phase."""
    from widelimit.validate.simulate.meanfield.training import Training, failing_depth, trained_loss

    training = Training(int(inputs["steps"]), int(inputs["batch"]), float(inputs["rate"]))
    spreads = [float(v**0.5) for phase in PHASES for v in VARIANCES[phase]]
    sigma_b, width = float(inputs["sigma_b"]), int(inputs["neurons"])
    depths = [d for d in DEPTHS if d <= int(inputs["deepest"])]
    losses = [
        trained_loss(str(inputs["activation"]), spreads, sigma_b, d, width, seeds, training, backend)
        for d in depths
    ]
    failing = np.minimum(failing_depth(depths, np.array(losses)), depths[-1])  # (seeds, spreads)
    scales = [float(theory.solution(theory.altered(inputs, sigma_w=w)).xi_c) for w in spreads]
    columns = []
    for group in np.split(np.arange(len(spreads)), len(PHASES)):
        x, y = np.log(np.array(scales)[group]), np.log(failing[:, group])
        columns += [np.polyfit(x, y.T, 1)[0], np.exp((y - x).mean(axis=1))]
    return np.column_stack(columns)


def _without_growth(inputs: Inputs) -> np.ndarray:
    return np.array([0.0, RULE] * len(PHASES))


def _squared(inputs: Inputs) -> np.ndarray:
    return np.array([2.0, RULE] * len(PHASES))


TRAINABILITY = Claim(
    id="meanfield.trainability",
    title="Trainable depth grows with xi_c",
    statement="Networks can be trained up to a depth of about 6 xi_c, as far as correlations of inputs reach.",
    paper="arXiv:1611.01232, section 5 (an empirical rule, not derived)",
    domain={"rate": Interval(0.02, 0.1, simplest=0.05), "steps": Integers(300, 1000)},
    plans={
        "reference": Plan(
            (point("tanh", 1.0, neurons=100, steps=300, batch=128, rate=0.05, deepest=100),),
            sizes=(),
            pilot=6,
            most=6,
            block=2,
        ),
        "deep": Plan(
            (point("tanh", 1.0, neurons=256, steps=1000, batch=128, rate=0.05, deepest=100),),
            sizes=(),
            pilot=4,
            most=8,
            block=4,
        ),
    },
    predict=trainability,
    simulate=simulate_trainability,
    rows=trainability_rows,
    derivation=derivation,
    margin=_MARGIN,
    size_name="",
    quantity="growth of the trainable depth",
    observable="depth at which the cross-entropy on digits after training crosses half of log 10",
    float32="always single precision: whether a network learns does not depend on the seventh digit",
    notes="Tested against the paper's number, with a quarter of it for 'about'. A reference run at width 100, of 300 "
    "steps, found 8.3 xi_c in the ordered phase and 4.4 xi_c in the chaotic one, which grow as xi_c^0.6 and xi_c^0.8: "
    "the order of magnitude carries over, the number does not, as the rule depends on how long one trains. sigma_w of "
    "the point is not used: each replicate trains networks of six sigma_w and eight depths, the deepest beyond 8 xi_c "
    "of them all; where even that one learns, it counts as the depth that fails.",
    counterfactuals=(
        Counterfactual("no growth", "a trainable depth that does not depend on xi_c", _without_growth),
        Counterfactual("growth by the square", "a trainable depth that grows as xi_c squared", _squared),
    ),
)
