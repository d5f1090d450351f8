"""NNGP and tangent kernels as falsifiable claims (arXiv:1711.00165, 1806.07572, 1902.06720)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from widelimit.validate.claim import Choice, Claim, Counterfactual, Inputs, Integers, Interval, Plan, Preset
from widelimit.validate.claims.compositions import CONV, RESIDUAL
from widelimit.validate.claims.kernel_digits import CLASSES, DIGITS
from widelimit.validate.claims.kernel_evolution import GALLERY, IMPROVEMENT, VELOCITY
from widelimit.validate.simulate import kernel as simulate

if TYPE_CHECKING:
    from widelimit.theory.derivation import Derivation
    from widelimit.validate.backend import Backend

__all__ = ["CLAIMS", "GALLERY"]

_ACTIVATIONS = ("relu", "erf", "tanh", "leaky_relu(0.3)", "gelu", "sin", "hard_tanh")
NETWORK: dict[str, Interval | Integers | Choice] = {
    "activation": Choice(_ACTIVATIONS),
    "sigma_w": Interval(0.8, 2.0, simplest=1.0),
    "sigma_b": Interval(0.05, 1.0, simplest=0.5),
    "depth": Integers(1, 3),
}
_FEATURES = 6
_POINTS = simulate.data(3, _FEATURES, seed=7)
_UPPER = np.triu_indices(3)


def network(inputs: Inputs) -> tuple[str, float, float, int]:
    """(activation, sigma_w, sigma_b, depth)."""
    return str(inputs["activation"]), float(inputs["sigma_w"]), float(inputs["sigma_b"]), int(inputs["depth"])


def derivation(inputs: Inputs) -> Derivation:
    """The recursion for the point's activation."""
    from widelimit.theory import kernel as theory

    return theory.derive(str(inputs["activation"]))


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


def ntk(inputs: Inputs) -> np.ndarray:
    """The tangent kernel of the six pairs."""
    return _theory(inputs)[1][_UPPER]


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


def _scale_of_kernel(predicted: np.ndarray) -> np.ndarray:
    """Off-diagonal entries may be small; errors are judged against the largest entry."""
    return np.full_like(predicted, np.abs(predicted).max())


def point(activation: str, sigma_w: float, sigma_b: float, depth: int) -> Inputs:
    """A point of the domain."""
    return {"activation": activation, "sigma_w": sigma_w, "sigma_b": sigma_b, "depth": depth}


_QUICK = (point("relu", 1.4, 0.3, 2), point("leaky_relu(0.3)", 1.5, 0.2, 1), point("tanh", 1.5, 0.3, 2))
_MORE = (
    point("erf", 1.3, 0.5, 3),
    point("gelu", 1.5, 0.2, 2),
    point("x*tanh(x)", 1.2, 0.3, 1),
    point("sin", 1.5, 0.1, 2),
)
_PLANS: dict[Preset, Plan] = {
    "quick": Plan(_QUICK, (64, 128, 256), pilot=16, most=256, block=32),
    "reference": Plan(_QUICK + _MORE, (128, 256, 512), pilot=32, most=512, block=32),
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
    plans=_PLANS,
    predict=nngp,
    simulate=simulate_nngp,
    rows=pairs,
    derivation=derivation,
    margin=_KERNEL_MARGIN,
    scale=_scale_of_kernel,
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
    simulate=simulate_ntk,
    rows=pairs,
    derivation=derivation,
    margin=_KERNEL_MARGIN,
    scale=_scale_of_kernel,
    quantity="Theta of a pair of inputs",
    observable="sum over all parameters of products of exact derivatives, standard-normal parametrisation",
    counterfactuals=(
        Counterfactual("frozen readout", "gradients of the last layer left out", _ntk_of_frozen_readout),
        Counterfactual("ReLU for leaky ReLU", _LEAKY, _ntk_of_relu, _is_leaky),
    ),
)

# --- fluctuation at birth -----------------------------------------------------------------------------------------

_NETWORKS = 48  # per replicate: a variance needs many


def fluctuation(inputs: Inputs) -> np.ndarray:
    """Width times variance over squared mean of Theta(x, x), one hidden layer."""
    from widelimit.numerics.kernel_band import single_layer_fluctuation

    return np.array([single_layer_fluctuation(*_at_unit_input(inputs))])


def _at_unit_input(inputs: Inputs) -> tuple[str, float, float, float]:
    return str(inputs["activation"]), float(inputs["sigma_w"]), float(inputs["sigma_b"]), 1.0


def simulate_fluctuation(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """From 48 networks a replicate, each drawn from its own child of the seed."""
    x = np.ones((1, 4))
    out = []
    for seed in seeds:
        children = np.random.SeedSequence(seed).generate_state(_NETWORKS, np.uint32).tolist()
        theta = simulate.kernels_at_birth(x, (*_at_unit_input(inputs)[:3], 1), size, children, backend)[1][
            :, 0, 0
        ]
        out.append(size * theta.var(ddof=1) / theta.mean() ** 2)
    return np.array(out)[:, None]


def _fluctuation_of_frozen_readout(inputs: Inputs) -> np.ndarray:
    from widelimit.numerics.kernel_band import single_layer_fluctuation

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
        "reference": Plan(_BIRTH, (64, 128, 256), pilot=64, most=512, block=32),
        "deep": Plan(_BIRTH, (64, 128, 256, 512), pilot=64, most=1024, block=64),
    },
    predict=fluctuation,
    simulate=simulate_fluctuation,
    margin=0.25,
    quantity="N Var / mean^2 of Theta(x, x)",
    observable="the same over 48 networks a replicate",
    counterfactuals=(
        Counterfactual("readout of fixed size", "readout weights of +-1, whose squares do not fluctuate",
                       _fluctuation_of_frozen_readout),
    ),
)  # fmt: skip

# --- training -----------------------------------------------------------------------------------------------------

_TRAIN, _TEST = 6, 3
_X = simulate.data(_TRAIN + _TEST, _FEATURES, seed=11)
_Y = np.sign(_X[:_TRAIN, 0])
_STEPS = 40


def _rate(inputs: Inputs) -> float:
    """A fifth of the largest stable rate of the infinite network."""
    from widelimit.numerics import kernel

    activation, sigma_w, sigma_b, depth = network(inputs)
    theta = kernel.nngp_ntk(
        _X[:_TRAIN], activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth
    ).ntk
    return 0.4 / float(np.linalg.eigvalsh(theta)[-1])


def _predict_training(inputs: Inputs, kind: Literal["ntk", "nngp"] = "ntk") -> np.ndarray:
    from widelimit.numerics import kernel

    activation, sigma_w, sigma_b, depth = network(inputs)
    got = kernel.predict(
        _X[:_TRAIN], _Y, _X[_TRAIN:], activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth,
        learning_rate=_rate(inputs), steps=_STEPS, kernel=kind,
    )  # fmt: skip
    return got.mean[:, 0]


def training(inputs: Inputs) -> np.ndarray:
    """A_t y at the test inputs."""
    return _predict_training(inputs)


def _training_of_readout(inputs: Inputs) -> np.ndarray:
    return _predict_training(inputs, "nngp")


def tests(inputs: Inputs) -> Sequence[Inputs]:
    """The test inputs."""
    return tuple({"test": k + 1} for k in range(_TEST))


def simulate_training(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """How far training moved the outputs at the test inputs; targets are set relative to the outputs at birth."""
    rate = _rate(inputs)
    runs = (
        simulate.train(_X, _Y, network(inputs), size, seed, backend, rate=rate, steps=_STEPS, centred=True)
        for seed in seeds
    )
    return np.array([run.moved[_TRAIN:] for run in runs])


_TRAINED = (point("relu", 1.4, 0.3, 1), point("tanh", 1.5, 0.3, 2))
TRAINING = Claim(
    id="kernel.training-dynamics",
    title="Training of wide networks",
    statement="Gradient descent moves the outputs by Theta(x, X) Theta^-1 (1 - (1 - eta Theta)^k) (y - f_0).",
    paper="arXiv:1902.06720, eq. (9)",
    domain=NETWORK,
    plans={
        "quick": Plan(_TRAINED, (48, 96, 192), pilot=8, most=24, block=8),
        "reference": Plan((*_TRAINED, point("erf", 1.5, 0.2, 2)), (128, 256, 512), pilot=16, most=96, block=8),
        "deep": Plan((*_TRAINED, point("erf", 1.5, 0.2, 2)), (256, 512, 1024, 2048), pilot=16, most=256, block=32),
    },
    predict=training,
    simulate=simulate_training,
    rows=tests,
    margin=0.1,
    scale=_scale_of_kernel,
    quantity="change of the output at a test input",
    observable="f_k(x) - f_0(x) after 40 steps",
    counterfactuals=(
        Counterfactual("readout alone", "only the readout trains: the NNGP kernel in place of the tangent kernel",
                       _training_of_readout),
    ),
)  # fmt: skip

_ENSEMBLE = 8  # networks of each width a replicate


def _one(inputs: Inputs) -> np.ndarray:
    return np.ones(1)


def _half(inputs: Inputs) -> np.ndarray:
    return np.full(1, 0.5)


def _exponents(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """log4 of the ratio of mean drift, and of mean distance to the linearisation, at widths N and 4 N."""
    width_of_point = int(inputs["width"])
    rate, out = _rate(inputs), []
    for seed in seeds:
        children = np.random.SeedSequence(seed).generate_state(2 * _ENSEMBLE, np.uint32).tolist()
        means = []
        for width, some in (
            (width_of_point, children[:_ENSEMBLE]),
            (4 * width_of_point, children[_ENSEMBLE:]),
        ):
            runs = [
                simulate.train(
                    _X, _Y, network(inputs), width, child, backend, rate=rate, steps=_STEPS, centred=True
                )
                for child in some
            ]
            gap = np.mean([np.sqrt(np.mean((run.moved - run.linearised) ** 2)) for run in runs])
            means.append((np.mean([run.drift for run in runs]), gap))
        out.append(np.log2(np.divide(means[0], means[1])) / 2)
    return np.array(out)


def simulate_drift(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The exponent of the kernel's drift."""
    return _exponents(inputs, size, seeds, backend)[:, :1]


def simulate_linearisation(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The exponent of the distance to the linearised network."""
    return _exponents(inputs, size, seeds, backend)[:, 1:]


_EXPONENT_DOMAIN = NETWORK | {"width": Integers(64, 512)}  # no limit: the exponent is that of finite widths
_ONE = {**point("tanh", 1.5, 0.3, 1), "width": 64}
_TWO = {**point("erf", 1.3, 0.2, 2), "width": 128}
_EXPONENT_PLANS: dict[Preset, Plan] = {
    "quick": Plan((_ONE,), (), pilot=8, most=24, block=4),
    "reference": Plan((_ONE, _TWO, {**_ONE, "width": 256}), (), pilot=16, most=96, block=4),
    "deep": Plan((_ONE, _TWO, {**_TWO, "width": 512}), (), pilot=16, most=192, block=8),
}
_ROOT = "the 1/sqrt(N) of the general bound taken for the rate"
DRIFT = Claim(
    id="kernel.ntk-drift",
    title="Drift of the tangent kernel in training",
    statement="The relative change of the tangent kernel over training falls like 1/N.",
    paper="arXiv:1902.06720, section 2.4",
    domain=_EXPONENT_DOMAIN,
    plans=_EXPONENT_PLANS,
    predict=_one,
    simulate=simulate_drift,
    margin=0.2,
    quantity="exponent of the drift in the width",
    observable="log of the ratio of drifts at widths N and 4 N, over log 4",
    counterfactuals=(Counterfactual("square root", _ROOT, _half),),
)
LINEARISATION = Claim(
    id="kernel.linearisation",
    title="Distance to the linearised network",
    statement="The distance of a trained network to its linearisation at birth falls like 1/N.",
    paper="arXiv:1902.06720, theorem 2.1 (bound 1/sqrt(N)) and section 3",
    domain=_EXPONENT_DOMAIN,
    plans=_EXPONENT_PLANS,
    predict=_one,
    simulate=simulate_linearisation,
    margin=0.2,
    quantity="exponent of the distance in the width",
    observable="log of the ratio of root-mean-square distances at widths N and 4 N, over log 4",
    counterfactuals=(Counterfactual("square root", _ROOT, _half),),
)

CLAIMS = (
    NNGP,
    NTK,
    FLUCTUATION,
    TRAINING,
    DRIFT,
    LINEARISATION,
    CONV,
    RESIDUAL,
    DIGITS,
    CLASSES,
    VELOCITY,
    IMPROVEMENT,
)
