"""Kernels on real images: digits learned by kernels and by networks, example by example."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Inputs, Integers, Interval, Plan
from widelimit.validate.simulate import kernel

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_TRAIN, _TEST, _STEPS = 24, 8, 4


@functools.lru_cache(maxsize=8)
def images(digits: str) -> tuple[np.ndarray, np.ndarray]:
    """Centred images of two digits, mean square 1, the first 24 to train on, and +-1 as labels: ``"3-8"``."""
    from sklearn.datasets import load_digits

    data = load_digits()
    one, two = (int(digit) for digit in digits.split("-"))
    rows = np.concatenate(
        [np.flatnonzero(data.target == digit)[: (_TRAIN + _TEST) // 2] for digit in (one, two)]
    )
    half = (_TRAIN + _TEST) // 2
    order = np.arange(_TRAIN + _TEST).reshape(2, half).T.ravel()  # the two digits in turn
    x = data.data[rows[order]]
    x = x - x.mean(axis=0)
    return x / np.sqrt((x**2).mean()), np.where(data.target[rows[order]] == one, 1.0, -1.0)


def _network(inputs: Inputs) -> tuple[str, float, float, int]:
    return str(inputs["activation"]), float(inputs["sigma_w"]), float(inputs["sigma_b"]), int(inputs["depth"])


def _rate(inputs: Inputs) -> float:
    """The learning rate, which a point gives."""
    return float(inputs["rate"])


def _stable(inputs: Inputs) -> bool:
    """Whether the infinite network learns at this rate, neither close to the largest stable one nor hardly."""
    from widelimit.numerics.kernel import nngp_ntk

    activation, sigma_w, sigma_b, depth = _network(inputs)
    x, _ = images(str(inputs["digits"]))
    theta = nngp_ntk(x[:_TRAIN], activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth).ntk
    return 0.3 < _rate(inputs) * float(np.linalg.eigvalsh(theta)[-1]) < 0.9


def _outputs(inputs: Inputs, kind: str) -> np.ndarray:
    from widelimit.numerics.kernel import predict

    activation, sigma_w, sigma_b, depth = _network(inputs)
    x, y = images(str(inputs["digits"]))
    got = predict(
        x[:_TRAIN], y[:_TRAIN], x[_TRAIN:], activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth,
        learning_rate=_rate(inputs), steps=_STEPS, kernel="ntk" if kind == "ntk" else "nngp",
    )  # fmt: skip
    return got.mean[:, 0]


def by_ntk(inputs: Inputs) -> np.ndarray:
    """Outputs at the test images by the tangent kernel."""
    return _outputs(inputs, "ntk")


def by_nngp(inputs: Inputs) -> np.ndarray:
    """The same by the NNGP kernel: the readout alone learns."""
    return _outputs(inputs, "nngp")


def examples(inputs: Inputs) -> Sequence[Inputs]:
    """The test images with their labels."""
    _, y = images(str(inputs["digits"]))
    return tuple({"image": k + 1, "label": int(label)} for k, label in enumerate(y[_TRAIN:]))


def by_networks(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Outputs of trained networks at the test images, less their outputs at birth."""
    x, y = images(str(inputs["digits"]))
    rate = _rate(inputs)
    runs = (
        kernel.train(
            x, y[:_TRAIN], _network(inputs), size, seed, backend, rate=rate, steps=_STEPS, centred=True
        )
        for seed in seeds
    )
    return np.array([run.moved[_TRAIN:] for run in runs])


def _largest(predicted: np.ndarray) -> np.ndarray:
    return np.full_like(predicted, np.abs(predicted).max())


_RELU: Inputs = {
    "activation": "relu",
    "sigma_w": 1.4,
    "sigma_b": 0.1,
    "depth": 1,
    "digits": "3-8",
    "rate": 0.0275,
}
_TANH: Inputs = {
    "activation": "tanh",
    "sigma_w": 1.5,
    "sigma_b": 0.2,
    "depth": 2,
    "digits": "4-9",
    "rate": 0.0205,
}
DIGITS = Claim(
    id="kernel.digits",
    title="Digits, example by example",
    statement="Trained networks classify each test image as the tangent kernel says.",
    paper="arXiv:1902.06720, eq. (9), on real images",
    domain={
        "activation": Choice(("relu", "tanh", "erf")),
        "sigma_w": Interval(1.2, 1.8, simplest=1.5),
        "sigma_b": Interval(0.1, 0.5, simplest=0.5),
        "depth": Integers(1, 2),
        "digits": Choice(("3-8", "4-9", "0-1")),
        "rate": Interval(0.002, 0.05, simplest=0.01),
    },
    valid=_stable,
    plans={
        "quick": Plan((_RELU, _TANH), (64, 128, 256), pilot=8, most=96, block=8, within=0.07),
        "reference": Plan((_RELU, _TANH), (128, 256, 512), pilot=16, most=1200, block=8, within=0.01),
        "deep": Plan((_RELU, _TANH), (256, 512, 1024, 2048), pilot=16, most=96, block=16),
    },
    predict=by_ntk,
    simulate=by_networks,
    rows=examples,
    margin=0.1,
    scale=_largest,
    quantity="output at a test image",
    observable="f_k(x) - f_0(x) after 4 steps on 24 images",
    counterfactuals=(Counterfactual("NNGP", "the kernel of a network whose readout alone learns", by_nngp),),
)

# --- class decisions ----------------------------------------------------------------------------------------------

_ENSEMBLE = 16  # networks a replicate


def _share(inputs: Inputs, kind: Literal["ntk", "nngp"]) -> np.ndarray:
    """P(f > 0) of the Gaussian process that an ensemble of trained networks is."""
    from scipy.special import ndtr

    from widelimit.numerics.kernel import predict

    activation, sigma_w, sigma_b, depth = _network(inputs)
    x, y = images(str(inputs["digits"]))
    got = predict(
        x[:_TRAIN], y[:_TRAIN], x[_TRAIN:], activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth,
        learning_rate=_rate(inputs), steps=_STEPS, kernel=kind,
    )  # fmt: skip
    return np.asarray(ndtr(got.mean[:, 0] / got.deviation))


def share_by_ntk(inputs: Inputs) -> np.ndarray:
    """The share of networks that call an image the first digit, all layers trained."""
    return _share(inputs, "ntk")


def _share_by_nngp(inputs: Inputs) -> np.ndarray:
    return _share(inputs, "nngp")


def _unanimous(inputs: Inputs) -> np.ndarray:
    return np.where(share_by_ntk(inputs) > 0.5, 1.0, 0.0)


def share_of_networks(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The same of 16 trained networks a replicate, each drawn from its own child of the seed."""
    x, y = images(str(inputs["digits"]))
    rate, out = _rate(inputs), []
    for seed in seeds:
        children = np.random.SeedSequence(seed).generate_state(_ENSEMBLE, np.uint32).tolist()
        outputs = [
            kernel.trained_outputs(
                x, y[:_TRAIN], _network(inputs), size, child, backend, rate=rate, steps=_STEPS
            )[_TRAIN:]
            for child in children
        ]
        out.append(np.mean(np.array(outputs) > 0, axis=0))
    return np.array(out)


def _is_tanh(inputs: Inputs) -> bool:
    return inputs["activation"] == "tanh"  # for the ReLU network both kernels decide alike within the margin


CLASSES = Claim(
    id="kernel.digits-classes",
    title="Digits, decision by decision",
    statement="The share of trained networks that call an image one digit is P(f > 0) of their Gaussian process.",
    paper="arXiv:1902.06720, eqs. (14) to (16), on real images",
    domain=DIGITS.domain,
    valid=_stable,
    plans={
        "reference": Plan((_RELU, _TANH), (48, 96, 192), pilot=48, most=2000, block=16, within=0.0138),
        "deep": Plan((_RELU, _TANH), (128, 256, 512, 1024), pilot=64, most=256, block=16),
    },
    predict=share_by_ntk,
    simulate=share_of_networks,
    rows=examples,
    margin=0.1,
    scale=np.ones_like,
    quantity="share of networks for the first digit",
    observable="networks whose output after 4 steps on 24 images is positive",
    counterfactuals=(
        Counterfactual("NNGP", "networks whose readout alone learns", _share_by_nngp, _is_tanh),
        Counterfactual("one classifier", "all networks decide as their mean does", _unanimous),
    ),
)
