"""Fourier modes of the covariance between positions in wide convolutional networks."""

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
