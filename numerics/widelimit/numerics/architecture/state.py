"""What travels between the layers of an architecture, and how it starts from data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.kernel import available_memory
from widelimit.numerics.results import by_value
from widelimit.theory import architecture as theory
from widelimit.theory.errors import ArgumentError

_LARGEST = 1e140  # of an input
_SHAPES = (
    "(n, features)", "(n, channels, length)", "(n, channels, height, width)",
    "(n, channels, depth, height, width)",
)  # fmt: skip


@by_value
@dataclass(frozen=True)
class State:
    """Kernels behind a layer.

    `k`, `theta`: (P, n1, n2) in the diagonal layout, (1, n1 P, n2 P) in the full one. `q1`, `m1`: (n1, P) variances and
    means of units; `q2`, `m2` the same of the second inputs. `positions`: the spatial shape, () for vectors.
    `gaussian`: whether units are Gaussian, so that an activation may follow. `gain`: whether theta still lacks the
    trained gain of a normalisation, u v for each unit: k on average, but an activation has the same unit's slope.
    `averaged_gain`: whether such a gain was counted on average since the last weights: no activation may follow.
    `sampling`: whether samples of units are needed in this network; `law` draws those of units that are not Gaussian,
    or have met a trained gain, where it is known.
    """

    k: np.ndarray
    theta: np.ndarray
    q1: np.ndarray
    q2: np.ndarray
    m1: np.ndarray
    m2: np.ndarray
    positions: tuple[int, ...]
    full: bool
    symmetric: bool
    gaussian: bool
    error: float = 0.0
    gain: bool = False
    averaged_gain: bool = False
    sampling: bool = False
    law: Callable[[], Law] | None = None


@by_value
@dataclass(frozen=True)
class Way:
    """A part of the tangent kernel: derivatives of mean products `fresh`, (inputs and positions)^2, times `slopes`.

    `slopes`: (samples, P) of the same units as `Law.units`; `at`: (samples, P), the row of `fresh` that each has, None
    for its own.
    """

    fresh: np.ndarray
    slopes: np.ndarray
    at: np.ndarray | None = None


@by_value
@dataclass(frozen=True)
class Law:
    """Samples of units at all inputs and positions, `units` (samples, P), and the ways derivatives took to them."""

    units: np.ndarray
    ways: tuple[Way, ...]


def numeric(architecture: theory.Architecture) -> theory.Architecture:
    """The same with floats for its scales; `ArgumentError` for what is none, symbols included."""
    if not isinstance(architecture, theory.Architecture):
        raise ArgumentError("architecture", "must be an Architecture", architecture)
    return theory.Architecture(tuple(_numeric(layer) for layer in architecture), architecture.inputs)


def _first(architecture: theory.Architecture) -> theory.Layer:
    """The first layer that reads the inputs."""
    return next(
        layer for layer, reads in zip(architecture.layers, architecture.feeds, strict=True) if -1 in reads
    )


def _numeric(layer: theory.Layer) -> theory.Layer:
    if isinstance(layer, theory.Residual):
        return theory.Residual(tuple(_numeric(inner) for inner in layer.branch))
    names = [one.name for one in fields(layer) if one.type in ("float", float)]
    numbers: Any = {n: arguments.finite_number(n, getattr(layer, n)) for n in names}
    return replace(layer, **numbers) if numbers else layer


def sampled(architecture: theory.Architecture, *, gaussian: bool = False) -> bool:
    """Whether samples of units are needed: maxima are taken, or activations follow units that are not Gaussian.

    `gaussian`: whether what goes in is.

    >>> dense, relu = theory.Dense(), theory.Act.of("relu")
    >>> sampled(theory.Architecture((dense, relu, dense))), sampled(theory.Architecture((dense, relu, relu)))
    (False, True)
    """
    return _flow(architecture, gaussian)[1]


def unmixed(block: theory.Architecture) -> bool:
    """Whether units behind a block are Gaussian where those in front of it are."""
    return _flow(block, True)[0]


def _flow(architecture: theory.Architecture, gaussian: bool) -> tuple[bool, bool]:
    """Whether units behind are Gaussian, and whether samples are needed."""
    held, needed = {-1: gaussian}, False
    for place, (layer, reads) in enumerate(zip(architecture.layers, architecture.feeds, strict=True)):
        before = all(held[one] for one in reads)
        if layer.inner:
            needed = needed or _flow(theory.Architecture(layer.inner), before)[1]
        if isinstance(layer, theory.Act):
            needed = needed or not before
        needed = needed or layer.samples
        plain = not isinstance(layer, theory.Act | theory.Dropout | theory.Recurrent | theory.Concatenate)
        narrow = isinstance(layer, theory.Convolution) and layer.depthwise
        held[place] = not narrow if layer.weighted else before and plain and not layer.samples
    return held[len(architecture.layers) - 1], needed


def start(architecture: theory.Architecture, x1: Any, x2: Any) -> State:
    """The kernels of the data themselves, checked against the first layer; x2=None stands for x1."""
    first = _first(architecture)
    symmetric = x2 is None
    a = _moderate("x1", x1)
    b = a if symmetric else _moderate("x2", x2)
    if first.reads_sequences:
        _dimensions("x1", a, 3, "(n, time, features)")
        _dimensions("x2", b, 3, "(n, time, features)")
        if a.shape[1] != b.shape[1]:
            raise ArgumentError(
                "x2", f"must have as many time steps as `x1`, {a.shape[1]}", but=f"has {b.shape[1]}"
            )
        _same_width(a.shape[2], b.shape[2])
        a, b = a.transpose(0, 2, 1), b.transpose(0, 2, 1)  # time takes the place of positions
    else:
        spatial = next((layer.dimensions for layer in architecture.walk() if layer.dimensions), 0)
        if isinstance(first, theory.Flatten) and not spatial:
            a, b = (z.reshape(len(z), -1) if z.ndim > 2 and len(z) else z for z in (a, b))
        shape = _SHAPES[spatial]
        _dimensions("x1", a, 2 + spatial, shape)
        _dimensions("x2", b, 2 + spatial, shape)
        _same_width(a.shape[1], b.shape[1])
        if a.shape[2:] != b.shape[2:]:
            raise ArgumentError(
                "x2", f"must have the positions of `x1`, {a.shape[2:]}", but=f"has {b.shape[2:]}"
            )
    positions = () if first.reads_sequences else a.shape[2:]
    channels, count = a.shape[1], math.prod(a.shape[2:])
    a, b = a.reshape(len(a), channels, count), b.reshape(len(b), channels, count)
    full = bool(positions) and (architecture.pools or sampled(architecture))
    needed = 8.0 * 6 * len(a) * len(b) * count * (count if full else 1)
    if needed > available_memory():
        raise ArgumentError(
            "x1", f"must fit the memory, {available_memory() / 2**30:.3g} GiB", but=f"needs {needed / 2**30:.3g} GiB",
            help="Pass fewer inputs at a time (blocks of x1 against x2), or Flatten instead of pooling.",
        )  # fmt: skip
    if full:
        left, right = (z.transpose(0, 2, 1).reshape(-1, channels) for z in (a, b))
        k = (left @ right.T / channels)[None]
    else:
        k = np.matmul(a.transpose(2, 0, 1), b.transpose(2, 1, 0)) / channels
    q1, q2 = (np.einsum("ncp,ncp->np", z, z) / channels for z in (a, b))
    m1, m2 = (z.mean(axis=1) for z in (a, b))
    sampling = symmetric and sampled(architecture)
    return State(
        k, np.zeros_like(k), q1, q2, m1, m2, positions, full, symmetric, gaussian=False, sampling=sampling
    )


def _moderate(name: str, value: Any) -> np.ndarray:
    """Finite numbers whose squares, and sums of them, are floats."""
    array = arguments.finite(name, value)
    if array.size and np.abs(array).max() > _LARGEST:
        raise ArgumentError(name, f"must hold numbers below {_LARGEST:g}", float(np.abs(array).max()))
    return array


def _dimensions(name: str, value: np.ndarray, dimensions: int, shape: str) -> None:
    if value.ndim != dimensions or 0 in value.shape:
        raise ArgumentError(name, f"must have the shape {shape}", but=f"has shape {value.shape}")


def _same_width(one: int, two: int) -> None:
    if one != two:
        raise ArgumentError("x2", f"must have as many features as `x1`, {one}", but=f"has {two}")
