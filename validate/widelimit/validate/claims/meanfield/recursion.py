"""Claims about the recursion layer by layer: lengths, correlations, dropout, and decay at the edge of chaos."""

from __future__ import annotations

from typing import Any

import numpy as np

from widelimit.validate.claims.meanfield import measured, plans, theory
from widelimit.validate.claims.meanfield.shared import FLOAT32, NETWORK, bounded, derivation
from widelimit.validate.claims.meanfield.theory import Critical, Mistake, altered, neighbour
from widelimit.validate.harness.claim import Choice, Inputs, Integers, Interval
from widelimit.validate.harness.declare import altered as at
from widelimit.validate.harness.declare import another, at_size, declare, instead, row, wrong

_LAYERS: dict[str, Any] = {
    "solver": theory.history,
    "over": {"layer": "depth"},
    "finite": at_size(),
    "valid": bounded,
    "derivation": derivation,
    "float32": FLOAT32,
}
_START = Interval(0.1, 5.0, simplest=1.0)

LENGTH_MAP = declare(
    "meanfield.length-map",
    title="Length map",
    statement="The mean square of the pre-activations follows q' = sigma_w^2 E phi(sqrt(q) z)^2 + sigma_b^2.",
    paper="arXiv:1606.05340, eq. (3)",
    domain=NETWORK | {"q0": _START, "depth": Integers(1, 6)},
    rows="q",
    simulate=measured.lengths,
    plans=plans.LENGTH_MAP,
    within=0.02,  # theory is right to order 1/N^2, a few in ten thousand at width 64
    quantity="q at layer l",
    observable="N^-1 sum_i (h_i^l)^2, averaged over 16 inputs of a network",
    wrong=(
        wrong(
            "neighbouring activation",
            "the length map of a nearly identical activation (tanh for erf_s, leaky ReLU for ReLU)",
            at(neighbour),
        ),
        wrong("no biases", "the variance of the biases left out of the recursion", at(sigma_b=0.0)),
        wrong(
            "sigma_w read as a variance",
            "sigma_w in place of sigma_w^2",
            at(sigma_w=lambda sigma_w: sigma_w**0.5),
        ),
    ),
    **_LAYERS,
)
CORRELATION_MAP = declare(
    "meanfield.correlation-map",
    title="Correlation map",
    statement="The correlation of two inputs follows c' = (sigma_w^2 E phi(u_1) phi(u_2) + sigma_b^2)/sqrt(q_1' q_2').",
    paper="arXiv:1606.05340, eq. (5)",
    domain=NETWORK
    | {"q0": _START, "one_minus_c0": Interval(0.01, 0.8, simplest=0.5), "depth": Integers(1, 6)},
    rows="c",
    simulate=measured.correlations,
    plans=plans.CORRELATION_MAP,
    within=0.02,  # correlations of a network fluctuate more than lengths; one near 0 is known to 0.002
    scale=0.1,
    quantity="c at layer l",
    observable="h_1.h_2 / (|h_1| |h_2|), averaged over 8 pairs of a network",
    wrong=(
        wrong(
            "neighbouring activation", "the correlation map of a nearly identical activation", at(neighbour)
        ),
        wrong(
            "biases of their own",
            "sigma_b^2 on the diagonal only, as if the two inputs met different biases",
            another(theory.wrong_history, mistake=Mistake(covariance_bias=0.0)),
        ),
        wrong(
            "length not updated",
            "the covariance divided by the lengths of the layer before, right at q* only",
            another(theory.wrong_history, mistake=Mistake(stale_length=True)),
        ),
    ),
    **_LAYERS,
)
DROPOUT = declare(
    "meanfield.dropout",
    title="Dropout moves the correlation fixed point away from 1",
    statement="With keep probability rho, q' = (sigma_w^2/rho) E phi^2 + sigma_b^2, while the covariance of two inputs "
    "with masks of their own gets no 1/rho: two equal inputs come apart.",
    paper="arXiv:1611.01232, section 5",
    domain=NETWORK | {"keep": Interval(0.5, 0.95, simplest=0.5), "depth": Integers(1, 6)},
    given={"inputs": theory.equal_inputs},
    rows={"q": "q", "c": "c"},
    simulate=measured.dropout,
    plans=plans.DROPOUT,
    within=0.02,  # masks add little noise to a mean over 16 inputs; 1/keep in the wrong place is off by 10 % and more
    quantity="q and c at layer l",
    observable="lengths and correlation of the pre-activations of one input seen through two sets of masks",
    wrong=(
        wrong(
            "1/keep on the off-diagonal",
            "the covariance divided by keep as the lengths are, as if the two inputs shared their masks",
            another(theory.wrong_history, inputs=theory.equal_inputs, mistake=Mistake(covariance_keep=1.0)),
        ),
        wrong("no dropout", "dropout left out of the theory", at(keep=1.0)),
        wrong("neighbouring activation", "the recursion of a nearly identical activation", at(neighbour)),
    ),
    **_LAYERS,
)


def _other_edge(inputs: Inputs) -> Inputs:
    """The point for the activation whose edge of chaos is taken for this one's."""
    return altered(inputs, activation="leaky_relu(0.2)" if inputs["activation"] == "relu" else "hard_tanh")


def _at_another_edge(inputs: Inputs) -> Critical:
    sigma_w = theory.critical(_other_edge(inputs))["sigma_w"]
    there = theory.history(altered(theory.critical(inputs), sigma_w=sigma_w))
    return Critical(float(sigma_w), measured.scaled(there.one_minus_c))


def _other_law(found: Critical, inputs: Inputs) -> np.ndarray:
    """1/l for a kinked activation, 1/l^2 for a smooth one, both from the true value at the first row's layer."""
    power = -2.0 + theory.edge(str(inputs["activation"]), float(inputs["sigma_b"])).decay_power
    rows = np.arange(1, len(found.merging) + 1)
    return found.merging[0] * rows**power


CRITICAL_DECAY = declare(
    "meanfield.critical-decay",
    title="Decay at the edge of chaos",
    statement="Where chi_1 = 1, 1 - c decays by a power of depth: beta/l for smooth activations, "
    "9 pi^2/(2 l^2) for ReLU. At finite depth l (1 - c^l) follows the recursion that these laws are the limits of.",
    paper="arXiv:1902.06853, propositions 2 and 3; arXiv:1805.08266",
    domain={
        "activation": Choice(("tanh", "erf_s", "sin", "arctan")),
        "sigma_b": Interval(0.1, 0.5, simplest=0.25),
        "one_minus_c0": Interval(0.1, 0.9, simplest=0.5),
        "depth": Integers(4, 16),
        "weights": Choice(("gaussian", "orthogonal")),
    },
    solver=theory.critical_history,
    rows={
        "sigma_w of the edge": "sigma_w",
        "l (1 - c)": row(
            "merging", over={"layer": lambda depth: range(measured.READ, depth + 1, measured.READ)}
        ),
    },
    derivation=derivation,
    simulate=measured.decay,
    plans=plans.CRITICAL_DECAY,
    # 5 %, and half of it for the edge itself: 1 - c of one network is a product of a random factor a layer, so that it
    # fluctuates by six per cent at width 400 and layer 8; wrong edges and laws are off by 20 % and more
    within=0.05,
    scale=lambda predicted: np.abs(predicted) * np.append(0.5, np.ones(len(predicted) - 1)),
    quantity="sigma_w of the edge; l (1 - c) at layer l",
    observable="sigma_w at which a small change of the input keeps its size in a network, by false position; there, "
    "l (1 - h_1.h_2 / (|h_1| |h_2|)), averaged over 24 pairs of the same network",
    float32=FLOAT32,
    wrong=(
        wrong(
            "edge of chaos of the neighbouring activation",
            "sigma_w of the edge of hard tanh, where this activation is not critical",
            another(_at_another_edge),
        ),
        wrong(
            "decay of the neighbouring activation",
            "the recursion of hard tanh (for ReLU: of leaky ReLU with slope 0.2) at its own edge",
            at(_other_edge),
        ),
        wrong(
            "the other decay law",
            "1/l^2 for smooth activations, 1/l for ReLU, from the first row on",
            instead({"l (1 - c)": _other_law}),
        ),
    ),
)
