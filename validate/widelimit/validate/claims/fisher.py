"""Fisher information of wide networks as falsifiable claims (arXiv:1806.01316, 1810.03785)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Inputs, Integers, Interval, Plan
from widelimit.validate.simulate import fisher as simulate

if TYPE_CHECKING:
    from widelimit.numerics.fisher import Statistics
    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.validate.harness.backend import Backend

NETWORK: dict[str, Interval | Integers | Choice] = {
    "activation": Choice(("relu", "tanh", "erf", "gelu")),
    "sigma_w": Interval(0.8, 2.0, simplest=1.0),
    "sigma_b": Interval(0.2, 1.0, simplest=0.5),
    "depth": Integers(1, 4),
    "samples": Integers(5, 60),
}
_OUTPUTS = 2
_WIDE = 1e9  # of the limit, where samples spread nothing


def derivation(inputs: Inputs) -> Derivation:
    """The statistics for the point's activation."""
    from widelimit.theory import fisher as theory

    return theory.derive(str(inputs["activation"]))


def statistics(inputs: Inputs, outputs: int = _OUTPUTS) -> Statistics:
    """Mean-field statistics in the limit of infinite width."""
    from widelimit.numerics import fisher

    return fisher.predict(
        str(inputs["activation"]), sigma_w=float(inputs["sigma_w"]), sigma_b=float(inputs["sigma_b"]),
        depth=int(inputs["depth"]), width=_WIDE, samples=int(inputs["samples"]), outputs=outputs,
    )  # fmt: skip


def _blocks(inputs: Inputs) -> np.ndarray:
    """Mean-field largest eigenvalues of the layers' blocks, over the width."""
    from widelimit.numerics import fisher

    run = fisher.propagation(
        str(inputs["activation"]), sigma_w=float(inputs["sigma_w"]), sigma_b=float(inputs["sigma_b"]),
        widths=[1.0] * (int(inputs["depth"]) + 1), input_moment=1.0, input_overlap=0.0,
    )  # fmt: skip
    samples = int(inputs["samples"])
    return ((samples - 1) * run.forward_pair * run.backward_pair + run.forward * run.backward) / samples


def spectrum(inputs: Inputs) -> np.ndarray:
    """Mean times width, second moment."""
    s = statistics(inputs)
    return np.array([s.mean * _WIDE, s.second_moment])


def largest(inputs: Inputs) -> np.ndarray:
    """Largest over width."""
    return np.array([statistics(inputs).largest / _WIDE])


def whole_over_block(inputs: Inputs) -> np.ndarray:
    """Largest eigenvalue of the whole matrix over that of its largest block."""
    blocks = _blocks(inputs)
    return np.array([blocks.sum() / blocks.max()])


def moments(inputs: Inputs) -> Sequence[Inputs]:
    """The names of the two rows."""
    return ({"moment": "mean x width"}, {"moment": "second"})


def _simulated(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    return np.array([simulate.spectrum(inputs, size, seed, backend, _OUTPUTS) for seed in seeds])


def simulate_spectrum(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Both moments over all parameters."""
    return _simulated(inputs, size, seeds, backend)[:, :2]


def simulate_largest(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Mean of the outliers over the width."""
    return _simulated(inputs, size, seeds, backend)[:, 2:3]


def simulate_whole_over_block(
    inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend
) -> np.ndarray:
    """The ratio of the two largest eigenvalues, one output."""
    return np.array([simulate.spectrum(inputs, size, seed, backend, 1)[3:] for seed in seeds])


def learning_rate(inputs: Inputs) -> np.ndarray:
    """The critical learning rate times lambda_max over 2."""
    return np.ones(1)


def simulate_learning_rate(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The rate at which training beside a minimum begins to diverge, times half the largest eigenvalue."""
    return np.array([[simulate.critical_rate(inputs, size, seed, backend)] for seed in seeds])


def _uncorrelated_spectrum(inputs: Inputs) -> np.ndarray:
    s = statistics(inputs)
    return np.array([s.mean * _WIDE, s.alpha * _OUTPUTS * s.kappa_1**2 / int(inputs["samples"])])


def _uncorrelated_largest(inputs: Inputs) -> np.ndarray:
    s = statistics(inputs)
    return np.array([s.alpha * s.kappa_1 / int(inputs["samples"])])


def _block_alone(inputs: Inputs) -> np.ndarray:
    return np.ones(1)


def _rate_of_block(inputs: Inputs) -> np.ndarray:
    return whole_over_block(inputs)


def point(activation: str, sigma_w: float, sigma_b: float, depth: int, samples: int) -> Inputs:
    """A point of the domain."""
    return {
        "activation": activation,
        "sigma_w": sigma_w,
        "sigma_b": sigma_b,
        "depth": depth,
        "samples": samples,
    }


_QUICK = (point("relu", 1.41421, 0.31623, 3, 20), point("tanh", 1.5, 0.5, 2, 20))
_ALL = (
    *_QUICK,
    point("relu", 1.41421, 0.31623, 3, 60),
    point("erf", 1.3, 0.4, 4, 40),
    point("gelu", 1.6, 0.3, 2, 30),
)


def _plans(most: int, sizes: tuple[int, ...] = (100, 200, 400)) -> dict:
    larger = tuple(3 * size // 2 for size in sizes)
    return {
        "quick": Plan(_QUICK, sizes, pilot=8, most=most, block=8),
        "reference": Plan(_ALL, larger, pilot=16, most=max(48, most), block=8),
        "deep": Plan(_ALL, (*larger, 4 * sizes[-1]), pilot=16, most=4 * most, block=16),
    }


_NO_PAIRS = Counterfactual(
    "independent gradients",
    "gradients of different samples taken as uncorrelated: kappa_2 = 0",
    _uncorrelated_spectrum,
)
SPECTRUM = Claim(
    id="fisher.spectrum",
    title="Moments of the Fisher spectrum",
    statement="The mean eigenvalue is kappa_1 C / M, the mean square alpha C ((T-1)/T kappa_2^2 + kappa_1^2/T).",
    paper="arXiv:1806.01316, theorems 1 and 3",
    domain=NETWORK,
    plans=_plans(120),
    predict=spectrum,
    simulate=simulate_spectrum,
    rows=moments,
    derivation=derivation,
    margin=0.12,
    quantity="moment of the eigenvalues",
    observable="the same over all weights, from the Gram matrix of exact gradients",
    counterfactuals=(_NO_PAIRS,),
)
LARGEST = Claim(
    id="fisher.largest",
    title="Largest Fisher eigenvalue",
    statement="lambda_max = alpha M ((T-1)/T kappa_2 + kappa_1/T), C-fold.",
    paper="arXiv:1806.01316, theorem 4",
    domain=NETWORK,
    plans=_plans(24),
    predict=largest,
    simulate=simulate_largest,
    derivation=derivation,
    margin=0.1,
    quantity="largest eigenvalue over the width",
    observable="mean of the C largest eigenvalues over the width",
    counterfactuals=(Counterfactual("independent gradients", _NO_PAIRS.explanation, _uncorrelated_largest),),
)
BOUND = Claim(
    id="fisher.jacobian-bound",
    title="The whole Fisher matrix and its blocks",
    statement="The largest eigenvalue of the whole matrix is the sum over its layers' blocks, not their maximum.",
    paper="arXiv:1810.03785 (bound of the block-diagonal matrix)",
    domain=NETWORK,
    plans=_plans(16),
    predict=whole_over_block,
    simulate=simulate_whole_over_block,
    margin=0.1,
    quantity="lambda_max(F) / max_l lambda_max(F_l)",
    observable="the same, one output",
    counterfactuals=(
        Counterfactual(
            "maximum over layers", "the bound of the block-diagonal matrix taken for the whole", _block_alone
        ),
    ),
)
LEARNING_RATE = Claim(
    id="fisher.learning-rate",
    title="Largest stable learning rate",
    statement="Gradient descent on the mean squared loss diverges above 2 / lambda_max.",
    paper="arXiv:1806.01316, section 4",
    domain=NETWORK,
    plans=_plans(16, (40, 80, 160)),
    predict=learning_rate,
    simulate=simulate_learning_rate,
    derivation=derivation,
    margin=0.05,
    quantity="critical learning rate times lambda_max / 2",
    observable="bisection between shrinking and growing loss; targets 1e-4 from the outputs along the outlier",
    counterfactuals=(
        Counterfactual(
            "largest block", "the largest block's eigenvalue in place of the whole matrix's", _rate_of_block
        ),
    ),
)
CLAIMS = (SPECTRUM, LARGEST, BOUND, LEARNING_RATE)
