"""Wide convolutional networks: Fourier modes of the covariance between positions, zero padding, depthwise filters."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.kernel.maps import moments
from widelimit.numerics.kernel.recursion import pulled
from widelimit.numerics.results import by_value
from widelimit.theory import convolution as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError


@by_value
@dataclass(frozen=True)
class Modes:
    """Modes k = 0 .. positions // 2 of the covariance around a fixed point.

    `multiplier` lambda_k of the filter, `slope` the factor of the pointwise map, `factor` = slope * lambda_k per layer,
    `depth_scale` = -1 / log |factor| (infinite on the edge, negative where a mode grows, 0 where it is erased).
    """

    wave_number: list[int]
    slope: float
    multiplier: list[float]
    factor: list[float]
    depth_scale: list[float]


@functools.lru_cache(maxsize=64)
def _multiplier(size: int, kind: str) -> Compiled:
    return compile(
        theory.mode_multiplier(theory.filter_weight(size, kind)), (theory.K, theory.N), name="mode"
    )


@functools.cache
def _uniform() -> Compiled:
    return compile(theory.uniform_multiplier(), (theory.K, theory.N, theory.HALF), name="uniform")


@functools.cache
def _factor() -> Compiled:
    return compile(theory.mode_factor(), (theory.CHI, theory.LAMBDA), name="factor")


@functools.cache
def _depth_scale() -> Compiled:
    return compile(theory.depth_scale(), (theory.FACTOR,), name="depth_scale")


def _multipliers(size: int, kind: str, waves: np.ndarray, positions: int) -> np.ndarray:
    """Return lambda_k: a uniform filter's in its summed form, which is 0/0 at k = 0, others by their points."""
    summed = 1 if kind == "uniform" else waves.size  # how many of the first modes are computed point by point
    found = np.ones(waves.size)
    found[:summed] = _multiplier(size, kind)(waves[:summed], float(positions))
    if summed < waves.size:
        found[summed:] = _uniform()(waves[summed:], float(positions), size // 2)
    return np.where(np.abs(found) < 1e-15, 0.0, found)


def predict(
    activation: str = "tanh",
    sigma_w: float = 1.5,
    sigma_b: float = 0.05,
    positions: int = 16,
    filter_size: int = 3,
    kind: str = "uniform",
    q: float | None = None,
    c: float | None = None,
) -> Modes:
    """Decay of the Fourier modes of the covariance per layer (xiao2018dynamical, eq. (2.11)).

    factor_k = sigma_w^2 E phi'(u) phi'(v) * lambda_k at the fixed point (q, c) of the dense network with the
    same scales,
    lambda_k = sum_beta v_beta cos(2 pi k beta / positions); periodic boundaries.

    Args:
        activation: a catalogue name or an expression in x.
        sigma_w: scale of the weights, of variance sigma_w^2 v_beta / channels.
        sigma_b: standard deviation of the biases.
        positions: number of positions, periodic.
        filter_size: points of the filter, odd.
        kind: uniform, or delta for delta-orthogonal initialisation, whose modes all decay alike.
        q: variance of the fixed point (default: solved).
        c: correlation of the fixed point (default: solved).

    >>> modes = predict("relu", sigma_w=2**0.5, sigma_b=0.0, positions=4, filter_size=3, q=1.0, c=1.0)
    >>> [round(value, 9) for value in modes.factor]
    [1.0, 0.333333333, -0.333333333]
    >>> round(modes.depth_scale[1], 9)  # 1 / log 3
    0.910239227
    """
    phi = Activation.of(activation)
    positions = costs.affordable(
        "positions", arguments.count("positions", positions, least=2), memory=300.0, each="position"
    )
    filter_size = costs.affordable(
        "filter_size", arguments.count("filter_size", filter_size), seconds=1e-3, power=2, each="point"
    )
    kind = arguments.choice("kind", kind, ("uniform", "delta"))
    sigma_w = arguments.positive_number("sigma_w", sigma_w)
    sigma_b = arguments.non_negative_number("sigma_b", sigma_b)
    if q is None or c is None:
        from widelimit.numerics import meanfield

        point = meanfield.solve(phi, sigma_w=sigma_w, sigma_b=sigma_b)
        q = float(point.q_star) if q is None else q
        c = float(point.c_star) if c is None else c
    layer = moments(
        phi,
        arguments.positive_number("q", q),
        arguments.single("c", arguments.correlation("c", c)),
    )
    slope = float(pulled(layer.tdot, sigma_w**2))
    waves = np.arange(positions // 2 + 1)
    multiplier = _multipliers(filter_size, kind, waves, positions)
    factor = _factor()(slope, multiplier)
    scale = np.where(np.abs(factor) == 1.0, np.inf, _depth_scale()(factor))
    return Modes(waves.tolist(), slope, multiplier.tolist(), factor.tolist(), scale.tolist())


@by_value
@dataclass(frozen=True)
class Coverage:
    """Share of a filter's taps that meet positions: q' / (sigma_w^2 q) of constant inputs.

    `share` at each output, `mean` over them. Of several dimensions the shares multiply.
    """

    share: np.ndarray
    mean: float


@functools.cache
def _covered() -> Compiled:
    return compile(theory.covered_share(), (theory.HALF, theory.N), name="covered_share")


def coverage(
    positions: int, filter_size: int, *, stride: int = 1, dilation: int = 1, padding: int = 0
) -> Coverage:
    """Return what zero padding leaves of the mean square of constant inputs, output by output, in one dimension.

    The share of taps s with ``a stride + s dilation - padding`` inside; any filter size, even ones too. For odd sizes,
    half of it as padding and stride 1 the mean is 1 - w (w + 1) / ((2 w + 1) n).

    Args:
        positions: number of positions n of the input.
        filter_size: number of taps.
        stride: positions from one output to the next.
        dilation: positions from one tap to the next.
        padding: zeros on each side.

    Raises `ArgumentError` for numbers that are none, or a filter that is larger than the padded input.

    >>> found = coverage(8, 3, padding=1)
    >>> round(float(found.share[0]), 6), round(found.mean, 12)  # 11/12
    (0.666667, 0.916666666667)
    """
    n = costs.affordable("positions", arguments.count("positions", positions), memory=200.0, each="position")
    size = costs.affordable(
        "filter_size", arguments.count("filter_size", filter_size), memory=200.0, each="tap"
    )
    stride, dilation = arguments.count("stride", stride), arguments.count("dilation", dilation)
    padding = costs.affordable(
        "padding", arguments.count("padding", padding, least=0), memory=200.0, each="zero"
    )
    span = n + 2 * padding - dilation * (size - 1) - 1
    if span < 0:
        raise ArgumentError(
            "filter_size", f"must fit into {n + 2 * padding} padded positions", filter_size,
            "A filter spans dilation * (size - 1) + 1 of them.",
        )  # fmt: skip
    outputs = span // stride + 1
    costs.affordable("filter_size", outputs * size, memory=16.0, each="tap of an output")
    place = np.arange(outputs)[:, None] * stride + np.arange(size) * dilation - padding
    share = ((place >= 0) & (place < n)).mean(1)
    plain = stride == dilation == 1 and size % 2 == 1 and padding == size // 2 <= n
    mean = float(_covered()(float(padding), float(n))) if plain else float(share.mean())
    return Coverage(share, mean)


@functools.cache
def _kurtosis() -> Compiled:
    return compile(theory.depthwise_kurtosis(), (theory.SPREAD, theory.TAPS), name="depthwise_kurtosis")


def depthwise_kurtosis(spread: float, taps: int) -> float:
    """Return the kurtosis 3 (1 + s / t) of units behind a depthwise filter of t taps over independent inputs.

    Second moments of depthwise convolutions are those of full ones, but their units are no Gaussians: a dense layer
    repairs that, an activation right behind does not.

    Args:
        spread: relative variance s of a squared input, E x^4 / (E x^2)^2 - 1: 2 for Gaussians, 5 behind ReLU.
        taps: number of taps of the filter.

    Raises `ArgumentError` for numbers out of range.

    >>> round(depthwise_kurtosis(5.0, 9), 12)  # 14/3
    4.666666666667
    """
    s = arguments.single("spread", arguments.near_one("spread", arguments.non_negative("spread", spread)))
    count = arguments.count("taps", taps)
    if count > 10**15:
        raise ArgumentError("taps", "must be at most 10**15", taps)
    return float(_kurtosis()(s, float(count)))
