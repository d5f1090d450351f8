"""Fourier modes of the covariance in convolutional networks as a falsifiable claim (arXiv:1806.05393)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Inputs, Integers, Interval, Plan
from widelimit.validate.simulate import convolution as simulate

if TYPE_CHECKING:
    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.validate.harness.backend import Backend


def derivation(inputs: Inputs) -> Derivation:
    """The decay of modes."""
    from widelimit.theory import convolution as theory

    return theory.derive(str(inputs["activation"]))


def _fixed_point(inputs: Inputs) -> tuple[float, float]:
    from widelimit.numerics import meanfield

    point = meanfield.solve(
        str(inputs["activation"]), sigma_w=float(inputs["sigma_w"]), sigma_b=float(inputs["sigma_b"])
    )
    return float(point.q_star), float(point.c_star)


def factor(inputs: Inputs) -> np.ndarray:
    """Slope of the correlation map times the filter's multiplier of the mode."""
    from widelimit.numerics import convolution

    q, c = _fixed_point(inputs)
    modes = convolution.predict(
        str(inputs["activation"]), sigma_w=float(inputs["sigma_w"]), sigma_b=float(inputs["sigma_b"]),
        positions=int(inputs["positions"]), filter_size=int(inputs["filter_size"]), q=q, c=c,
    )  # fmt: skip
    return np.array([modes.factor[int(inputs["wave"])]])


def simulate_factor(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Amplitude of a planted wave behind one layer over that before it."""
    q, c = _fixed_point(inputs)
    return np.array([simulate.convolution_modes(inputs, q, c, size, seed, backend) for seed in seeds])


def _dense(inputs: Inputs) -> np.ndarray:
    """The slope of the dense network, without the filter."""
    from widelimit.numerics import convolution

    q, c = _fixed_point(inputs)
    same = convolution.predict(
        str(inputs["activation"]), sigma_w=float(inputs["sigma_w"]), sigma_b=float(inputs["sigma_b"]),
        positions=int(inputs["positions"]), kind="delta", q=q, c=c,
    )  # fmt: skip
    return np.array([same.factor[int(inputs["wave"])]])


def valid(inputs: Inputs) -> bool:
    """A chaotic network, whose c_star < 1 leaves room for a wave, and a mode that the positions hold."""
    return int(inputs["wave"]) <= int(inputs["positions"]) // 2 and _fixed_point(inputs)[1] < 0.9


def point(activation: str, sigma_w: float, sigma_b: float, wave: int) -> Inputs:
    """A point of the domain."""
    return {
        "activation": activation,
        "sigma_w": sigma_w,
        "sigma_b": sigma_b,
        "positions": 12,
        "filter_size": 3,
        "wave": wave,
    }


_QUICK = (point("tanh", 1.8, 0.3, 1), point("tanh", 1.8, 0.3, 3))
_ALL = (*_QUICK, point("erf", 1.8, 0.3, 2), point("tanh", 2.5, 0.2, 2))
MODES = Claim(
    id="convolution.modes",
    title="Fourier modes of the covariance",
    statement="Around the fixed point, mode k of the covariance is multiplied by chi lambda_k per layer.",
    paper="arXiv:1806.05393, eq. (2.11)",
    domain={
        "activation": Choice(("tanh", "erf")),
        "sigma_w": Interval(1.6, 3.0, simplest=2.0),
        "sigma_b": Interval(0.2, 0.5, simplest=0.5),
        "positions": Integers(6, 16),
        "filter_size": Choice((3, 5)),
        "wave": Integers(1, 4),
    },
    plans={
        "quick": Plan(_QUICK, (2000, 4000, 8000), pilot=16, most=64, block=16),
        "reference": Plan(_ALL, (8000, 16000, 32000), pilot=32, most=512, block=32),
        "deep": Plan(_ALL, (16000, 32000, 64000), pilot=32, most=1024, block=32),
    },
    predict=factor,
    simulate=simulate_factor,
    derivation=derivation,
    margin=0.12,
    valid=valid,
    size_name="channels",
    quantity="factor of the mode in one layer",
    observable="amplitude of a planted wave of the covariance of two signals behind one layer over that before it",
    counterfactuals=(
        Counterfactual("dense network", "the slope without the filter's multiplier lambda_k", _dense),
    ),
)
CLAIMS = (MODES,)
