"""Layers that claims start from, and derivations by the name of a result."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Inputs

if TYPE_CHECKING:
    from widelimit.theory.calculus.derivation import Derivation

KUNIN = "arXiv:2003.01513"
AKROUT = "arXiv:1904.05391"


@lru_cache(maxsize=64)
def layer(fan_in: int, fan_out: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights W, and a root of the inputs' second moment C in a random basis.

    Eigenvalues of C are a geometric series of mean 1, whose last is the first times ((1 - spread)/(1 + spread))^2.
    """
    generator = np.random.default_rng(1000 * fan_in + fan_out)
    w = generator.standard_normal((fan_out, fan_in)) / np.sqrt(fan_in)
    basis = np.linalg.qr(generator.standard_normal((fan_in, fan_in)))[0]
    modes = np.geomspace(1.0, ((1 - spread) / (1 + spread)) ** 2, fan_in)
    return w, basis * np.sqrt(modes / modes.mean())


def of(inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """Weights and root at a point."""
    return layer(int(inputs["fan_in"]), int(inputs["fan_out"]), float(inputs["spread"]))


def moment(inputs: Inputs) -> np.ndarray:
    """C at a point."""
    root = of(inputs)[1]
    return root @ root.T


def along(inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """Two matrices whose components of B are measured: W^T, and C W^T."""
    w, _ = of(inputs)
    return w.T, moment(inputs) @ w.T


def components(b: np.ndarray, inputs: Inputs) -> np.ndarray:
    """Components of B along `along`, over their own lengths."""
    return np.array([np.sum(b * one) / np.sum(one * one) for one in along(inputs)])


def _derive(result: str, inputs: Inputs) -> Derivation:
    from widelimit.theory import alignment

    return alignment.derive(result)


def derivation(result: str) -> Callable[[Inputs], Derivation]:
    """The derivation of a result, for any inputs."""
    return partial(_derive, result)


def start(inputs: Inputs) -> dict[str, Any]:
    """What a simulation of one layer starts from."""
    w, root = of(inputs)
    return {"weights": w, "root": root}


def start_along(inputs: Inputs) -> dict[str, Any]:
    """The same, with the matrices that B is compared with."""
    return {**start(inputs), "along": along(inputs)}
