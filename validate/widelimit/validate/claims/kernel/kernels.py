"""NNGP and tangent kernels as falsifiable claims (arXiv:1711.00165, 1806.07572, 1902.06720)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.kernel.digits import CLASSES, DIGITS
from widelimit.validate.claims.kernel.evolution import GALLERY, IMPROVEMENT, VELOCITY
from widelimit.validate.claims.kernel.shared import FEATURES, NETWORK, network, point, scale_of_kernel
from widelimit.validate.claims.kernel.training import DRIFT, LINEARISATION, TRAINING
from widelimit.validate.harness.claim import Claim, Counterfactual, Inputs, Plan, Preset
from widelimit.validate.simulate import kernel as simulate

if TYPE_CHECKING:
    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.validate.harness.backend import Backend

__all__ = ["CLAIMS", "GALLERY"]

_POINTS = simulate.data(3, FEATURES, seed=7)
_UPPER = np.triu_indices(3)


def derivation(inputs: Inputs) -> Derivation:
    """The recursion for the point's activation."""
    from widelimit.theory import kernel as theory

    return theory.derive(str(inputs["activation"]))


def derivation_at_width(inputs: Inputs) -> Derivation:
    """The same, and what finite width adds to the tangent kernel."""
    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.theory.kernel import finite_steps

    limit, finite = derivation(inputs), finite_steps.derive()
    return Derivation(limit.title, (*limit.steps, *finite.steps), (*limit.assumptions, *finite.assumptions))


def _theory(inputs: Inputs, **changed: object) -> tuple[np.ndarray, np.ndarray]:
    from widelimit.numerics import kernel

    activation, sigma_w, sigma_b, depth = network({**inputs, **changed})  # type: ignore[dict-item]
    got = kernel.nngp_ntk(_POINTS, activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth)
    return got.nngp, got.ntk


def pairs(inputs: Inputs) -> Sequence[Inputs]:
    """The six pairs of three inputs."""
    return tuple({"pair": f"{i + 1}-{j + 1}"} for i, j in zip(*_UPPER, strict=True))


def nngp(inputs: Inputs) -> np.ndarray:
    """The NNGP kernel of the six pairs."""
    return _theory(inputs)[0][_UPPER]


def nngp_at(inputs: Inputs, size: int) -> np.ndarray:
    """The mean over networks of this width of the same, to order 1/width: hidden layers are no Gaussian process yet."""
    from widelimit.numerics import meanfield

    activation, sigma_w, sigma_b, depth = network(inputs)
    first = sigma_w**2 * _POINTS @ _POINTS.T / FEATURES + sigma_b**2
    found = []
    for i, j in zip(*_UPPER, strict=True):
        lengths = first[i, i], first[j, j]
        mine = meanfield.propagate(
            activation, sigma_w=sigma_w, sigma_b=sigma_b, q0=lengths, c0=first[i, j] / (lengths[0] * lengths[1]) ** 0.5,
            depth=depth, width=size,
        ).at_width  # fmt: skip
        if mine is not None:
            found.append((mine.mean if i == j else mine.covariance)[0, -1])
    return np.array(found)


def ntk(inputs: Inputs) -> np.ndarray:
    """The tangent kernel of the six pairs."""
    return _theory(inputs)[1][_UPPER]


@lru_cache(maxsize=64)
def _tangent_shift(activation: str, sigma_w: float, sigma_b: float, depth: int) -> np.ndarray:
    from widelimit.numerics import kernel

    scales = {"sigma_w": sigma_w, "sigma_b": sigma_b}
    return kernel.at_width(_POINTS, activation=activation, **scales, depth=depth, width=1).ntk_correction[0]


def ntk_at(inputs: Inputs, size: int) -> np.ndarray:
    """The mean over networks of this width of the same, to order 1/width."""
    return ntk(inputs) + _tangent_shift(*network(inputs))[_UPPER] / size


def resolved(inputs: Inputs) -> bool:
    """Whether inputs stay so far apart that the theory says what finite width does to them."""
    from widelimit.theory.errors import ConvergenceError

    try:
        _tangent_shift(*network(inputs))
    except ConvergenceError:
        return False
    return bool(np.isfinite(nngp_at(inputs, 100)).all())


def simulate_nngp(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The covariance of the output over the readout's weights, hidden layers as drawn."""
    return simulate.kernels_at_birth(_POINTS, network(inputs), size, seeds, backend)[0][:, *_UPPER]


def simulate_ntk(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The product of exact gradients."""
    return simulate.kernels_at_birth(_POINTS, network(inputs), size, seeds, backend)[1][:, *_UPPER]


def _readout_without_scale(inputs: Inputs) -> np.ndarray:
    sw2, sb2 = float(inputs["sigma_w"]) ** 2, float(inputs["sigma_b"]) ** 2
    return (nngp(inputs) - sb2) / sw2 + sb2


def _nngp_of_relu(inputs: Inputs) -> np.ndarray:
    return _theory(inputs, activation="relu")[0][_UPPER]


def _ntk_of_relu(inputs: Inputs) -> np.ndarray:
    return _theory(inputs, activation="relu")[1][_UPPER]


def _ntk_of_frozen_readout(inputs: Inputs) -> np.ndarray:
    return ntk(inputs) - nngp(inputs)


def _is_leaky(inputs: Inputs) -> bool:
    return str(inputs["activation"]).startswith("leaky_relu")


def _readout_matters(inputs: Inputs) -> bool:
    return abs(float(inputs["sigma_w"]) - 1.0) > 0.2


_QUICK = (point("relu", 1.4, 0.3, 2), point("leaky_relu(0.3)", 1.5, 0.2, 1), point("tanh", 1.5, 0.3, 2))
_MORE = (
    point("erf", 1.3, 0.5, 3),
    point("gelu", 1.5, 0.2, 2),
    point("x*tanh(x)", 1.2, 0.3, 1),
    point("sin", 1.5, 0.1, 2),
)
_NNGP_PLANS: dict[Preset, Plan] = {  # theory speaks of each width
    "quick": Plan(_QUICK, (64, 96, 128), pilot=16, most=512, block=32, within=0.03),
    "reference": Plan(_QUICK + _MORE, (64, 128, 256), pilot=32, most=4096, block=32, within=0.01),
    "deep": Plan(_QUICK + _MORE, (256, 512, 1024), pilot=32, most=4096, block=64, within=0.005),
}
_PLANS: dict[Preset, Plan] = {
    "quick": Plan(_QUICK, (64, 128, 256), pilot=16, most=512, block=32, within=0.05),
    "reference": Plan(_QUICK + _MORE, (128, 192, 256), pilot=32, most=4096, block=32, within=0.01),
    "deep": Plan(_QUICK + _MORE, (256, 512, 1024, 2048), pilot=32, most=512, block=64),
}
_KERNEL_MARGIN = (
    0.06  # of the largest entry: what a hundred networks of width 256 leave, below any counterfactual
)

_LEAKY = "the recursion of ReLU for a leaky ReLU"
NNGP = Claim(
    id="kernel.nngp",
    title="Gaussian process kernel",
    statement="Outputs of wide random networks are Gaussian with covariance K' = sigma_w^2 E phi phi + sigma_b^2.",
    paper="arXiv:1711.00165, eq. (5)",
    domain=NETWORK,
    plans=_NNGP_PLANS,
    predict=nngp,
    predict_at=nngp_at,
    simulate=simulate_nngp,
    rows=pairs,
    valid=resolved,
    derivation=derivation,
    margin=_KERNEL_MARGIN,
    scale=scale_of_kernel,
    quantity="K of a pair of inputs",
    observable="sigma_w^2 x.x'/N + sigma_b^2 of the last hidden layer",
    counterfactuals=(
        Counterfactual("readout variance", "weights of the readout with variance 1/N instead of sigma_w^2/N",
                       _readout_without_scale, _readout_matters),
        Counterfactual("ReLU for leaky ReLU", _LEAKY, _nngp_of_relu, _is_leaky),
    ),
)  # fmt: skip

NTK = Claim(
    id="kernel.ntk",
    title="Neural tangent kernel",
    statement="The product of gradients of wide random networks is Theta' = K' + sigma_w^2 E phi' phi' Theta.",
    paper="arXiv:1806.07572, theorem 1",
    domain=NETWORK,
    plans=_PLANS,
    predict=ntk,
    predict_at=ntk_at,
    simulate=simulate_ntk,
    rows=pairs,
    valid=resolved,
    derivation=derivation_at_width,
    margin=_KERNEL_MARGIN,
    scale=scale_of_kernel,
    quantity="Theta of a pair of inputs",
    observable="sum over all parameters of products of exact derivatives, standard-normal parametrisation",
    counterfactuals=(
        Counterfactual("frozen readout", "gradients of the last layer left out", _ntk_of_frozen_readout),
        Counterfactual("ReLU for leaky ReLU", _LEAKY, _ntk_of_relu, _is_leaky),
    ),
)

# --- fluctuation at birth -----------------------------------------------------------------------------------------

_NETWORKS = 200  # per replicate: a variance needs many


def fluctuation(inputs: Inputs) -> np.ndarray:
    """Width times variance over squared mean of Theta(x, x), one hidden layer."""
    from widelimit.numerics.kernel.band import single_layer_fluctuation

    return np.array([single_layer_fluctuation(*_at_unit_input(inputs))])


def _at_unit_input(inputs: Inputs) -> tuple[str, float, float, float]:
    return str(inputs["activation"]), float(inputs["sigma_w"]), float(inputs["sigma_b"]), 1.0


def simulate_fluctuation(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """From 200 networks a replicate."""
    network = str(inputs["activation"]), float(inputs["sigma_w"]), float(inputs["sigma_b"])
    drawn = (
        simulate.tangent_of_one_layer(np.ones(4), network, size, _NETWORKS, seed, backend) for seed in seeds
    )
    return np.array([[size * theta.var(ddof=1) / theta.mean() ** 2] for theta in drawn])


def _fluctuation_of_frozen_readout(inputs: Inputs) -> np.ndarray:
    from widelimit.numerics.kernel.band import single_layer_fluctuation

    return np.array([single_layer_fluctuation(*_at_unit_input(inputs), readout_fourth_moment=1.0)])


_BIRTH: tuple[Inputs, ...] = (
    {"activation": "relu", "sigma_w": 1.4142, "sigma_b": 0.0},
    {"activation": "tanh", "sigma_w": 1.5, "sigma_b": 0.3},
)
FLUCTUATION = Claim(
    id="kernel.ntk-fluctuation",
    title="Fluctuation of the tangent kernel at birth",
    statement="With one hidden layer N Var(Theta) / (E Theta)^2 tends to a constant, 3 for ReLU without biases.",
    paper="arXiv:1806.07572; variance of a sum over N independent units",
    domain={k: NETWORK[k] for k in ("activation", "sigma_w", "sigma_b")},
    plans={
        "quick": Plan(_BIRTH, (32, 64, 128), pilot=16, most=64, block=8),
        "reference": Plan(_BIRTH, (64, 128, 256), pilot=544, most=1088, block=64),
        "deep": Plan(_BIRTH, (64, 128, 256, 512), pilot=1024, most=4096, block=64),
    },
    predict=fluctuation,
    simulate=simulate_fluctuation,
    margin=0.1,
    quantity="N Var / mean^2 of Theta(x, x)",
    observable="the same over 200 networks a replicate",
    counterfactuals=(
        Counterfactual("readout of fixed size", "readout weights of +-1, whose squares do not fluctuate",
                       _fluctuation_of_frozen_readout),
    ),
)  # fmt: skip

CLAIMS = (
    NNGP,
    NTK,
    FLUCTUATION,
    TRAINING,
    DRIFT,
    LINEARISATION,
    DIGITS,
    CLASSES,
    VELOCITY,
    IMPROVEMENT,
)
