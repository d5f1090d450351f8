"""Spectra on the sphere of the kernels that topic `kernel` computes: any activation, depth, biases, by quadrature."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from widelimit.numerics import arguments, costs, kernel
from widelimit.numerics.representation.spectra import (
    KernelSpectrum,
    exponents,
    harmonics,
    smoothness_bound,
    whole,
)
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import DomainError

Array = np.ndarray
_SMOOTHEST = 6  # derivatives that are looked at for a jump
_ROUNDING = 1e-13  # of a kernel's entries


def kink(activation: str | Activation) -> float:
    """Return the order of the first derivative that jumps: 0 a step, 1 ReLU, infinity where all are continuous.

    Raises `DomainError` where a slope is infinite, as that of a root.

    >>> kink("relu"), kink("x*abs(x)"), kink("tanh")
    (1.0, 2.0, inf)
    """
    phi = Activation.of(activation)
    if phi.is_smooth:
        return math.inf
    if phi.steep:
        raise DomainError(
            f"The slope of {phi.name} is infinite at a point: its kernel's exponent is not known."
        )
    return next((float(r) for r in range(_SMOOTHEST) if phi.derivative(r + 1).deltas), math.inf)


def network_spectrum(
    degrees: Any,
    *,
    dimension: int,
    activation: str | Activation = "relu",
    sigma_w: float = math.sqrt(2.0),
    sigma_b: float = 0.0,
    depth: int = 1,
    kernel_of: str = "nngp",
) -> KernelSpectrum:
    """Return eigenvalues of a network's kernel on the sphere, by degree, with `numerics.kernel` for its entries.

    Inputs have mean square one (length sqrt(d)); the kernels are those of `kernel.nngp_ntk`, which at one ReLU layer of
    sigma_w^2 = 2 are twice those of `kernel_spectrum`. The exponent by rank is that of the activation's kink at every
    depth (bietti2021deep), infinite for smooth activations. `error` bounds the eigenvalues' absolute errors: those
    below it are not known.

    Args:
        degrees: whole numbers from 0, in any order.
        dimension: d of the inputs; their manifold has D = d - 1 dimensions.
        activation: a catalogue name or an expression in x.
        sigma_w: scale of the weights, whose variance is sigma_w^2 over the fan-in.
        sigma_b: standard deviation of the biases.
        depth: number of hidden layers.
        kernel_of: nngp or ntk.

    >>> network_spectrum([0, 1, 2], dimension=3, activation="relu").eigenvalues.round(9).tolist()
    [0.75, 0.333333333, 0.046875]
    >>> network_spectrum([1], dimension=3, activation="tanh", sigma_w=1.5).exponent
    inf
    """
    which = arguments.choice("kernel_of", kernel_of, ("nngp", "ntk"))
    d, asked = (
        arguments.count("dimension", dimension, 2, "Inputs lie on a sphere."),
        whole("degrees", degrees),
    )
    phi = Activation.of(activation)
    most = costs.affordable("degrees", int(asked.max()) + 1, memory=2e4, seconds=1e-4, power=1, each="degree")
    counts = harmonics(most, d)
    nodes, weights = np.polynomial.legendre.leggauss(max(200, 2 * most + 100))
    angle = (nodes + 1) * math.pi / 2
    weight = weights * np.sin(angle) ** (d - 2)
    weight = weight / weight.sum()
    values = _entries(angle, d, which, phi, sigma_w, sigma_b, depth)
    found = _projected(values[0], weight, np.cos(angle), most, d)
    error = (_ROUNDING + values[1]) * float(np.abs(values[0]).max())
    shown = np.maximum(found[asked], 0.0)
    order = kink(phi)
    exponent = math.inf if math.isinf(order) else exponents(d - 1, int(order))[which == "ntk"]
    return KernelSpectrum(shown, counts[asked], float(exponent), float(smoothness_bound(d - 1)), error)


def _entries(
    angle: Array, d: int, which: str, phi: Activation, sigma_w: float, sigma_b: float, depth: int
) -> tuple[Array, float]:
    """A kernel between one input and others at these angles to it, and its relative error."""
    other = np.zeros((angle.size, d))
    other[:, 0], other[:, 1] = np.cos(angle), np.sin(angle)
    one = np.eye(1, d)
    size = math.sqrt(d)
    found = kernel.nngp_ntk(
        one * size, other * size, activation=phi, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth
    )
    return (found.ntk if which == "ntk" else found.nngp)[0], found.error


def _projected(values: Array, weight: Array, t: Array, most: int, d: int) -> Array:
    """Means over the sphere of values times Legendre's polynomials of degrees 0 to `most` in d dimensions."""
    before, now = np.ones_like(t), t
    out = np.empty(max(most, 1) + 1)
    out[0], out[1] = np.sum(weight * values), np.sum(weight * values * t)
    for k in range(1, most):
        before, now = now, ((2 * k + d - 2) * t * now - k * before) / (k + d - 2)
        out[k + 1] = np.sum(weight * values * now)
    return out
