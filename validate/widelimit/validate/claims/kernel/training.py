"""Training of wide networks as falsifiable claims: outputs, drift of the kernel, linearisation (arXiv:1902.06720)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from widelimit.validate.claims.kernel.shared import FEATURES, NETWORK, network, point, scale_of_kernel
from widelimit.validate.harness.claim import Claim, Counterfactual, Inputs, Integers, Interval, Plan, Preset
from widelimit.validate.simulate import kernel as simulate

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_TRAIN, _TEST = 6, 3
_X = simulate.data(_TRAIN + _TEST, FEATURES, seed=11)
_Y = np.sign(_X[:_TRAIN, 0])
_STEPS = 40


def _rate(inputs: Inputs) -> float:
    """The learning rate, which a point gives."""
    return float(inputs["rate"])


def _stable(inputs: Inputs) -> bool:
    """Whether the infinite network learns at this rate, neither close to the largest stable one nor hardly."""
    from widelimit.numerics import kernel

    activation, sigma_w, sigma_b, depth = network(inputs)
    theta = kernel.nngp_ntk(
        _X[:_TRAIN], activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth
    ).ntk
    return 0.2 < _rate(inputs) * float(np.linalg.eigvalsh(theta)[-1]) < 0.6


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


_RATE = {"rate": Interval(0.01, 0.1, simplest=0.05)}
_TRAINED = (
    {**point("relu", 1.4, 0.3, 1), "rate": 0.0525},
    {**point("tanh", 1.5, 0.3, 2), "rate": 0.0569},
)
_ERF = {**point("erf", 1.5, 0.2, 2), "rate": 0.0429}
TRAINING = Claim(
    id="kernel.training-dynamics",
    title="Training of wide networks",
    statement="Gradient descent moves the outputs by Theta(x, X) Theta^-1 (1 - (1 - eta Theta)^k) (y - f_0).",
    paper="arXiv:1902.06720, eq. (9)",
    domain=NETWORK | _RATE,
    valid=_stable,
    plans={
        "quick": Plan(_TRAINED, (48, 96, 192), pilot=8, most=24, block=8),
        "reference": Plan((*_TRAINED, _ERF), (128, 256, 512), pilot=16, most=840, block=8, within=0.015),
        "deep": Plan((*_TRAINED, _ERF), (256, 512, 1024, 2048), pilot=16, most=256, block=32),
    },
    predict=training,
    simulate=simulate_training,
    rows=tests,
    margin=0.1,
    scale=scale_of_kernel,
    quantity="change of the output at a test input",
    observable="f_k(x) - f_0(x) after 40 steps",
    counterfactuals=(
        Counterfactual("readout alone", "only the readout trains: the NNGP kernel in place of the tangent kernel",
                       _training_of_readout),
    ),
)  # fmt: skip

# The next two claims train alike but not the same networks: seeds belong to a claim, so that each stands on draws of
# its own and neither depends on the other having been run.
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


_EXPONENT_DOMAIN = (
    NETWORK | _RATE | {"width": Integers(64, 512)}
)  # no limit: the exponent is that of finite widths
_ONE = {**point("tanh", 1.5, 0.3, 1), "width": 64, "rate": 0.0763}
_TWO = {**point("erf", 1.3, 0.2, 2), "width": 128, "rate": 0.0713}
_EXPONENT_PLANS: dict[Preset, Plan] = {
    "quick": Plan((_ONE,), (), pilot=8, most=24, block=4),
    "reference": Plan((_ONE, _TWO, {**_ONE, "width": 256}), (), pilot=16, most=128, block=4, within=0.05),
    "deep": Plan((_ONE, _TWO, {**_TWO, "width": 512}), (), pilot=16, most=192, block=8),
}
_ROOT = "the 1/sqrt(N) of the general bound taken for the rate"
_TWO_WIDTHS = (
    "An exponent between two widths, which are not followed to infinity: the next order of 1/N is part of it."
)
DRIFT = Claim(
    id="kernel.ntk-drift",
    title="Drift of the tangent kernel in training",
    statement="The relative change of the tangent kernel over training falls like 1/N.",
    paper="arXiv:1902.06720, section 2.4",
    domain=_EXPONENT_DOMAIN,
    valid=_stable,
    plans=_EXPONENT_PLANS,
    predict=_one,
    simulate=simulate_drift,
    margin=0.2,
    quantity="exponent of the drift in the width",
    observable="log of the ratio of drifts at widths N and 4 N, over log 4",
    counterfactuals=(Counterfactual("square root", _ROOT, _half),),
    notes=_TWO_WIDTHS,
)
LINEARISATION = Claim(
    id="kernel.linearisation",
    title="Distance to the linearised network",
    statement="The distance of a trained network to its linearisation at birth falls like 1/N.",
    paper="arXiv:1902.06720, theorem 2.1 (bound 1/sqrt(N)) and section 3",
    domain=_EXPONENT_DOMAIN,
    valid=_stable,
    plans=_EXPONENT_PLANS,
    predict=_one,
    simulate=simulate_linearisation,
    margin=0.2,
    quantity="exponent of the distance in the width",
    observable="log of the ratio of root-mean-square distances at widths N and 4 N, over log 4",
    counterfactuals=(Counterfactual("square root", _ROOT, _half),),
    notes=_TWO_WIDTHS,
)
