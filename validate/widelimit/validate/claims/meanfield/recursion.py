"""Claims about the recursion layer by layer: lengths, correlations, dropout, and decay at the edge of chaos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.meanfield import plans, theory
from widelimit.validate.claims.meanfield.shared import (
    FLOAT32,
    NETWORK,
    bounded,
    counterfactual,
    derivation,
    layers,
    statistics,
)
from widelimit.validate.claims.meanfield.theory import Mistake, altered, neighbour
from widelimit.validate.harness.claim import Choice, Claim, Inputs, Integers, Interval

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

# --- meanfield.length-map -----------------------------------------------------------------------------------------

# 2 %: three times the standard error that a network of width 1,000 leaves after 64 replicates, and far below what any
# counterfactual is off by.
_LENGTH_MARGIN = 0.02


def lengths(inputs: Inputs) -> np.ndarray:
    """q^1, ..., q^depth."""
    return theory.history(inputs).q


def simulate_lengths(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """q of every layer."""
    return statistics(inputs, size, seeds, backend).q


def _lengths_of_neighbour(inputs: Inputs) -> np.ndarray:
    return lengths(neighbour(inputs))


def _lengths_without_bias(inputs: Inputs) -> np.ndarray:
    return lengths(altered(inputs, sigma_b=0.0))


def _lengths_unsquared(inputs: Inputs) -> np.ndarray:
    return lengths(altered(inputs, sigma_w=float(inputs["sigma_w"]) ** 0.5))


LENGTH_MAP = Claim(
    id="meanfield.length-map",
    title="Length map",
    statement="The mean square of the pre-activations follows q' = sigma_w^2 E phi(sqrt(q) z)^2 + sigma_b^2.",
    paper="arXiv:1606.05340, eq. (3)",
    domain=NETWORK | {"q0": Interval(0.1, 5.0, simplest=1.0), "depth": Integers(1, 6)},
    plans=plans.LENGTH_MAP,
    predict=lengths,
    simulate=simulate_lengths,
    rows=layers,
    derivation=derivation,
    margin=_LENGTH_MARGIN,
    valid=bounded,
    quantity="q at layer l",
    observable="N^-1 sum_i (h_i^l)^2, averaged over 16 inputs of a network",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "neighbouring activation",
            "the length map of a nearly identical activation (tanh for erf_s, leaky ReLU for ReLU)",
            lengths,
            _lengths_of_neighbour,
            _LENGTH_MARGIN,
        ),
        counterfactual(
            "no biases",
            "the variance of the biases left out of the recursion",
            lengths,
            _lengths_without_bias,
            _LENGTH_MARGIN,
        ),
        counterfactual(
            "sigma_w read as a variance",
            "sigma_w in place of sigma_w^2",
            lengths,
            _lengths_unsquared,
            _LENGTH_MARGIN,
        ),
    ),
)

# --- meanfield.correlation-map ------------------------------------------------------------------------------------

# 3 %: correlations of a network fluctuate more than lengths, by 3 to 6 % at width 500 once a chaotic network has
# spread its inputs.
_CORRELATION_MARGIN = 0.03


def correlations(inputs: Inputs) -> np.ndarray:
    """c^1, ..., c^depth."""
    return theory.history(inputs).c


def simulate_correlations(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """c of every layer."""
    return statistics(inputs, size, seeds, backend).c


def _correlations_of_neighbour(inputs: Inputs) -> np.ndarray:
    return correlations(neighbour(inputs))


def _diagonal_bias(inputs: Inputs) -> np.ndarray:
    return theory.wrong_history(inputs, Mistake(covariance_bias=0.0)).c


def _stale_length(inputs: Inputs) -> np.ndarray:
    return theory.wrong_history(inputs, Mistake(stale_length=True)).c


CORRELATION_MAP = Claim(
    id="meanfield.correlation-map",
    title="Correlation map",
    statement="The correlation of two inputs follows c' = (sigma_w^2 E phi(u_1) phi(u_2) + sigma_b^2)/sqrt(q_1' q_2').",
    paper="arXiv:1606.05340, eq. (5)",
    domain=NETWORK
    | {
        "q0": Interval(0.1, 5.0, simplest=1.0),
        "one_minus_c0": Interval(0.01, 0.8, simplest=0.5),
        "depth": Integers(1, 6),
    },
    plans=plans.CORRELATION_MAP,
    predict=correlations,
    simulate=simulate_correlations,
    rows=layers,
    derivation=derivation,
    margin=_CORRELATION_MARGIN,
    scale=lambda predicted: np.maximum(np.abs(predicted), 0.1),  # a correlation near 0 is known to 0.003
    valid=bounded,
    quantity="c at layer l",
    observable="h_1.h_2 / (|h_1| |h_2|), averaged over 8 pairs of a network",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "neighbouring activation",
            "the correlation map of a nearly identical activation",
            correlations,
            _correlations_of_neighbour,
            _CORRELATION_MARGIN,
            floor=0.1,
        ),
        counterfactual(
            "biases of their own",
            "sigma_b^2 on the diagonal only, as if the two inputs met different biases",
            correlations,
            _diagonal_bias,
            _CORRELATION_MARGIN,
            floor=0.1,
        ),
        counterfactual(
            "length not updated",
            "the covariance divided by the lengths of the layer before, right at q* only",
            correlations,
            _stale_length,
            _CORRELATION_MARGIN,
            floor=0.1,
        ),
    ),
)

# --- meanfield.dropout --------------------------------------------------------------------------------------------

# 2 %: masks add little noise to a mean over 16 inputs, and 1/keep in the wrong place is off by 10 % and more.
_DROPOUT_MARGIN = 0.02


def dropout_rows(inputs: Inputs) -> Sequence[Inputs]:
    """Length and correlation, one row each a layer."""
    return tuple({"quantity": name, **row} for name in ("q", "c") for row in layers(inputs))


def dropout(inputs: Inputs) -> np.ndarray:
    """q^1, ..., then c^1, ..., of two equal inputs whose masks are independent."""
    found = theory.history(_equal_inputs(inputs))
    return np.concatenate([found.q, found.c])


def simulate_dropout(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """q and c of every layer, masks drawn anew for each network, layer, neuron and input."""
    found = statistics(_equal_inputs(inputs), size, seeds, backend)
    return np.concatenate([found.q, found.c], axis=1)


def _equal_inputs(inputs: Inputs) -> Inputs:
    return altered(inputs, one_minus_c0=0.0)


def _wrong_dropout(inputs: Inputs, mistake: Mistake) -> np.ndarray:
    found = theory.wrong_history(_equal_inputs(inputs), mistake)
    return np.concatenate([found.q, found.c])


def _covariance_divided(inputs: Inputs) -> np.ndarray:
    return _wrong_dropout(inputs, Mistake(covariance_keep=1.0))


def _no_dropout(inputs: Inputs) -> np.ndarray:
    return dropout(altered(inputs, keep=1.0))


def _dropout_of_neighbour(inputs: Inputs) -> np.ndarray:
    return dropout(neighbour(inputs))


DROPOUT = Claim(
    id="meanfield.dropout",
    title="Dropout moves the correlation fixed point away from 1",
    statement="With keep probability rho, q' = (sigma_w^2/rho) E phi^2 + sigma_b^2, while the covariance of two inputs "
    "with masks of their own gets no 1/rho: two equal inputs come apart.",
    paper="arXiv:1611.01232, section 5",
    domain=NETWORK | {"keep": Interval(0.5, 0.95, simplest=0.5), "depth": Integers(1, 6)},
    plans=plans.DROPOUT,
    predict=dropout,
    simulate=simulate_dropout,
    rows=dropout_rows,
    derivation=derivation,
    margin=_DROPOUT_MARGIN,
    valid=bounded,
    quantity="q and c at layer l",
    observable="lengths and correlation of the pre-activations of one input seen through two sets of masks",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "1/keep on the off-diagonal",
            "the covariance divided by keep as the lengths are, as if the two inputs shared their masks",
            dropout,
            _covariance_divided,
            _DROPOUT_MARGIN,
        ),
        counterfactual("no dropout", "dropout left out of the theory", dropout, _no_dropout, _DROPOUT_MARGIN),
        counterfactual(
            "neighbouring activation",
            "the recursion of a nearly identical activation",
            dropout,
            _dropout_of_neighbour,
            _DROPOUT_MARGIN,
        ),
    ),
)

# --- meanfield.critical-decay -------------------------------------------------------------------------------------

# 5 %: 1 - c of one network is a product of a random factor a layer, so it fluctuates by ten per cent at width 500 and
# layer 16; wrong edges and wrong laws are off by 20 % and more at the last layers.
_DECAY_MARGIN = 0.05
_READ = 4  # one row every so many layers


def _critical(inputs: Inputs) -> Inputs:
    """The point at its own edge of chaos: sigma_w from theory, networks started at q*."""
    line = theory.edge(str(inputs["activation"]), float(inputs["sigma_b"]))
    return altered(inputs, sigma_w=float(line.sigma_w), q0=float(line.q_star))


def decay_rows(inputs: Inputs) -> Sequence[Inputs]:
    """Every fourth layer."""
    return layers(inputs)[_READ - 1 :: _READ]


def decay(inputs: Inputs) -> np.ndarray:
    """l (1 - c^l) by the exact recursion at the edge of chaos; tends to beta for smooth activations."""
    return _scaled(theory.history(_critical(inputs)).one_minus_c)


def simulate_decay(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """l (1 - c^l), 1 - c from the difference of the two pre-activations."""
    return _scaled(statistics(_critical(inputs), size, seeds, backend).one_minus_c)


def _scaled(one_minus_c: np.ndarray) -> np.ndarray:
    return (one_minus_c * np.arange(1, one_minus_c.shape[-1] + 1))[..., _READ - 1 :: _READ]


def _other_edge(inputs: Inputs) -> Inputs:
    """The point for the activation whose edge of chaos is taken for this one's."""
    other = "leaky_relu(0.2)" if inputs["activation"] == "relu" else "hard_tanh"
    return altered(inputs, activation=other)


def _edge_of_neighbour(inputs: Inputs) -> np.ndarray:
    sigma_w = _critical(_other_edge(inputs))["sigma_w"]
    return _scaled(theory.history(altered(_critical(inputs), sigma_w=sigma_w)).one_minus_c)


def _decay_of_neighbour(inputs: Inputs) -> np.ndarray:
    return decay(_other_edge(inputs))


def _other_law(inputs: Inputs) -> np.ndarray:
    """1/l for a kinked activation, 1/l^2 for a smooth one, both from the true value at the first row's layer."""
    right = theory.history(_critical(inputs)).one_minus_c
    power = -3.0 + theory.edge(str(inputs["activation"]), float(inputs["sigma_b"])).decay_power
    depth = np.arange(1, len(right) + 1)
    return _scaled(right[_READ - 1] * (depth / _READ) ** power)


CRITICAL_DECAY = Claim(
    id="meanfield.critical-decay",
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
    plans=plans.CRITICAL_DECAY,
    predict=decay,
    simulate=simulate_decay,
    rows=decay_rows,
    derivation=derivation,
    margin=_DECAY_MARGIN,
    quantity="l (1 - c) at layer l",
    observable="l (1 - h_1.h_2 / (|h_1| |h_2|)), averaged over 8 pairs of a network",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "edge of chaos of the neighbouring activation",
            "sigma_w of the edge of hard tanh, where this activation is not critical",
            decay,
            _edge_of_neighbour,
            _DECAY_MARGIN,
        ),
        counterfactual(
            "decay of the neighbouring activation",
            "the recursion of hard tanh (for ReLU: of leaky ReLU with slope 0.2) at its own edge",
            decay,
            _decay_of_neighbour,
            _DECAY_MARGIN,
        ),
        counterfactual(
            "the other decay law",
            "1/l^2 for smooth activations, 1/l for ReLU, from the first row on",
            decay,
            _other_law,
            _DECAY_MARGIN,
        ),
    ),
)
