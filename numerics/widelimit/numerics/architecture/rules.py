"""What each layer does to a `State`: the rules of ``theory.architecture.recursion`` on arrays."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from widelimit.numerics.architecture.state import State
from widelimit.numerics.compile import compile
from widelimit.numerics.kernel.maps import pair_map
from widelimit.numerics.kernel.recursion import next_kernel, next_recurrent, next_recurrent_tangent, weighted
from widelimit.theory import architecture as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.errors import DomainError, InfiniteMomentError

_FLUCTUATION = 0.3  # of a batch's variance over units, relative, above which the large-batch rule is refused


def apply_all(layers: tuple[theory.Layer, ...], state: State, path: tuple[int, ...]) -> State:
    """Send a state through layers; `path` numbers the layers around them, for messages."""
    for number, layer in enumerate(layers):
        where = ".".join(map(str, (*path, number)))
        if not isinstance(layer, theory.Act | theory.Residual):
            state = settled(state)
        name = f"Layer {where} ({type(layer).__name__})"
        with np.errstate(over="ignore", invalid="ignore"):
            state = _RULES[type(layer)](layer, state, name, (*path, number))
        if not (np.isfinite(state.k).all() and np.isfinite(state.theta).all()):
            raise DomainError(
                f"{name}: the kernels grow beyond the largest float here. Use smaller scales, or fewer layers."
            )
    return state


def settled(s: State) -> State:
    """Add the trained gain where units are averaged: E u v = k."""
    return replace(s, theta=s.theta + s.k, gain=False) if s.gain else s


def _dense(layer: theory.Dense, s: State, name: str, path: tuple[int, ...]) -> State:
    if s.positions:
        raise DomainError(
            f"{name} meets positions {s.positions}: put Flatten or GlobalAveragePool before it."
        )
    return _affine(s, layer)


def _affine(s: State, layer: theory.Dense | theory.Convolution) -> State:
    sw2, sb2 = layer.sigma_w**2, layer.sigma_b**2
    k, theta = weighted(s.k, s.theta, sw2, sb2, trained=(layer.trained_w, layer.trained_b))
    return replace(
        s, k=k, theta=theta, q1=next_kernel(s.q1, sw2, sb2), q2=next_kernel(s.q2, sw2, sb2), m1=np.zeros_like(s.m1),
        m2=np.zeros_like(s.m2), gaussian=True,
    )  # fmt: skip


def _convolution(layer: theory.Convolution, s: State, name: str, path: tuple[int, ...]) -> State:
    if len(s.positions) != layer.dimensions:
        raise DomainError(
            f"{name} needs {layer.dimensions} dimension(s) of positions, but the units have {s.positions}."
        )
    if layer.padding == "circular" and layer.size > min(s.positions):
        raise DomainError(
            f"{name} of size {layer.size} wraps around more than once on positions {s.positions}."
        )
    average = functools.partial(_filter, positions=s.positions, layer=layer)
    if s.full:
        p = s.positions
        rows, columns = s.q1.shape[0], s.q2.shape[0]

        def smooth(m: np.ndarray) -> np.ndarray:
            return average(m.reshape(rows, *p, columns, *p), axes=(1, 2 + len(p))).reshape(m.shape)

    else:

        def smooth(m: np.ndarray) -> np.ndarray:
            return average(m.reshape(*s.positions, *m.shape[1:]), axes=(0,)).reshape(m.shape)

    def along(m: np.ndarray) -> np.ndarray:
        return average(m.reshape(m.shape[0], *s.positions), axes=(1,)).reshape(m.shape)

    smoothed = replace(s, k=smooth(s.k), theta=smooth(s.theta), q1=along(s.q1), q2=along(s.q2))
    return _affine(smoothed, layer)


def _filter(
    m: np.ndarray, *, positions: tuple[int, ...], layer: theory.Convolution, axes: tuple[int, ...]
) -> np.ndarray:
    """Mean over the filter's points of m shifted along its blocks of position axes, which start at `axes`, together."""
    half, d = layer.size // 2, len(positions)
    total = np.zeros_like(m)
    for shift in np.ndindex(*(layer.size,) * d):
        moved = m
        for dimension, offset in enumerate(shift):
            for axis in axes:
                moved = _shift(moved, half - offset, axis + dimension, layer.padding)
        total += moved
    return total / layer.size**d


def _shift(m: np.ndarray, by: int, axis: int, padding: str) -> np.ndarray:
    if by == 0:
        return m
    moved = np.roll(m, by, axis)
    if padding == "zeros":
        edge: list[slice] = [slice(None)] * m.ndim
        edge[axis] = slice(0, by) if by > 0 else slice(by, None)
        moved[tuple(edge)] = 0.0
    return moved


@functools.lru_cache(maxsize=64)
def _mean(activation: Activation) -> Callable[[np.ndarray], np.ndarray]:
    from sympy import Symbol

    q = Symbol("q", positive=True)
    compiled = compile(Expectation(activation.expr, X, q).doit(), (q,), name="mean")
    return lambda variance: np.broadcast_to(compiled(np.maximum(variance, 1e-300)), variance.shape).copy()


def _activation(layer: theory.Act, s: State, name: str, path: tuple[int, ...]) -> State:
    if not s.gaussian:
        raise DomainError(f"{name} must follow a dense or convolution layer: its inputs are not Gaussian.")
    after = _pointwise(layer.activation, s)
    if not s.gain:
        return after
    try:  # the gain of a unit: E u phi'(u) v phi'(v)
        gained = _pointwise(Activation.of(X * theory.slope(layer.activation)), s).k
    except InfiniteMomentError:
        raise DomainError(
            f"{name}: {layer.activation.name} has a kink away from 0, where the tangent kernel behind a normalisation "
            "with a trained gain is not known. Use the normalisation without gain and shift."
        ) from None
    return replace(after, theta=after.theta + gained, gain=False)


def _pointwise(activation: Activation, s: State) -> State:
    pairs = pair_map(activation)
    k, theta = s.k.copy(), s.theta.copy()
    v1, v2 = np.empty_like(s.q1), np.empty_like(s.q2)
    error = s.error
    blocks = [(0, s.q1.ravel(), s.q2.ravel())] if s.full else [
        (p, np.ascontiguousarray(s.q1[:, p]), np.ascontiguousarray(s.q2[:, p])) for p in range(s.q1.shape[1])
    ]  # fmt: skip
    for p, q1, q2 in blocks:
        layer = pairs.at(q1, None if s.symmetric else q2)
        if (
            s.symmetric
        ):  # sums in another order differ by rounding, whose root a kink turns into an angle of 1e-8
            np.fill_diagonal(k[p], q1)
        layer.advance(k[p], theta[p], slice(0, q1.size), slice(0, q2.size), 1.0, 0.0, 0.0)
        if s.full:
            v1, v2 = layer.v1.reshape(s.q1.shape), layer.v2.reshape(s.q2.shape)
        else:
            v1[:, p], v2[:, p] = layer.v1, layer.v2
        error = max(error, layer.error)
    mean = _mean(activation)
    m1 = mean(s.q1)
    return replace(
        s,
        k=k,
        theta=theta,
        q1=v1,
        q2=v2,
        m1=m1,
        m2=m1 if s.symmetric else mean(s.q2),
        gaussian=False,
        error=error,
    )


def _dropout(layer: theory.Dropout, s: State, name: str, path: tuple[int, ...]) -> State:
    if layer.keep == 1.0:
        return s
    k, theta = s.k.copy(), s.theta.copy()
    if s.symmetric:  # the same unit of the same input meets its own mask
        for matrix in (*k, *theta):
            np.fill_diagonal(matrix, np.diagonal(matrix) / layer.keep)
    return replace(s, k=k, theta=theta, q1=s.q1 / layer.keep, q2=s.q2 / layer.keep, gaussian=False)


def _layer_norm(layer: theory.LayerNorm, s: State, name: str, path: tuple[int, ...]) -> State:
    means, deviations = [], []
    for q, m in ((s.q1, s.m1), (s.q2, s.m2)):
        mean = m.mean(axis=1, keepdims=True)
        variance = q.mean(axis=1, keepdims=True) - mean**2
        if variance.min() <= 0:
            raise DomainError(
                f"{name} meets an input whose units are all equal (a zero input?): its norm is undefined."
            )
        means.append(np.broadcast_to(mean, m.shape))
        deviations.append(np.broadcast_to(np.sqrt(variance), m.shape))

    def pairs(one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """Products of the values (inputs, positions) of both sets, in the layout of the kernels."""
        return np.outer(one, two)[None] if s.full else one.T[:, :, None] * two.T[:, None, :]

    scale = pairs(*deviations)
    k = (s.k - pairs(s.m1, means[1]) - pairs(means[0], s.m2 - means[1])) / scale
    theta = s.theta / scale + (1.0 if layer.affine else 0.0)  # the shift; the gain waits for what follows
    (q1, m1), (q2, m2) = (
        ((q - 2 * m * mean + mean**2) / deviation**2, (m - mean) / deviation)
        for q, m, mean, deviation in zip((s.q1, s.q2), (s.m1, s.m2), means, deviations, strict=True)
    )
    return replace(s, k=k, theta=theta, q1=q1, q2=q2, m1=m1, m2=m2, gain=layer.affine)


def _batch_norm(layer: theory.BatchNorm, s: State, name: str, path: tuple[int, ...]) -> State:
    if not s.symmetric:
        raise DomainError(f"{name} normalises over a batch: pass x1 alone, the batch.")
    if not s.gaussian:
        raise DomainError(f"{name} must follow a dense or convolution layer: its inputs are not Gaussian.")
    k, theta = (_centre(m[0]) for m in (s.k, s.theta))
    trace = float(np.trace(k))
    spread = math.sqrt(2 * float(np.sum(k**2))) / trace if trace > 0 else math.inf
    if spread > _FLUCTUATION:
        raise DomainError(
            f"{name}: over units, the variance of this batch of {len(k)} fluctuates by {100 * spread:.0f} per "
            f"cent, too much "
            "for the large-batch rule. Pass more inputs, or less similar ones."
        )
    v = trace / len(k)
    q = (np.diagonal(k) / v).reshape(s.q1.shape)
    theta = theta / v + (1.0 if layer.affine else 0.0)
    return replace(s, k=(k / v)[None], theta=theta[None], q1=q, q2=q, gain=layer.affine)


def _centre(m: np.ndarray) -> np.ndarray:
    return m - m.mean(axis=0) - m.mean(axis=1)[:, None] + m.mean()


def _residual(layer: theory.Residual, s: State, name: str, path: tuple[int, ...]) -> State:
    branch = settled(apply_all(layer.branch, s, path))
    s = settled(s)
    if branch.positions != s.positions:
        raise DomainError(f"{name}: the branch turns positions {s.positions} into {branch.positions}.")
    return replace(
        branch, k=s.k + branch.k, theta=s.theta + branch.theta, q1=s.q1 + branch.q1, q2=s.q2 + branch.q2,
        m1=s.m1, m2=s.m2, gaussian=s.gaussian,
    )  # fmt: skip


def _flatten(layer: theory.Flatten, s: State, name: str, path: tuple[int, ...]) -> State:
    if not s.positions:
        return s
    if s.full:
        n1, n2, p = s.q1.shape[0], s.q2.shape[0], s.q1.shape[1]
        k, theta = (np.einsum("iaja->ij", m[0].reshape(n1, p, n2, p))[None] / p for m in (s.k, s.theta))
    else:
        k, theta = (m.mean(axis=0, keepdims=True) for m in (s.k, s.theta))
    q1, q2, m1, m2 = (z.mean(axis=1, keepdims=True) for z in (s.q1, s.q2, s.m1, s.m2))
    return replace(s, k=k, theta=theta, q1=q1, q2=q2, m1=m1, m2=m2, positions=(), full=False)


def _pool(layer: theory.GlobalAveragePool, s: State, name: str, path: tuple[int, ...]) -> State:
    if not s.positions:
        raise DomainError(f"{name} needs positions to average over.")
    n1, n2, p = s.q1.shape[0], s.q2.shape[0], s.q1.shape[1]
    k, theta = (m[0].reshape(n1, p, n2, p).mean(axis=(1, 3))[None] for m in (s.k, s.theta))
    q1 = q2 = np.diagonal(k[0])[:, None].copy()
    m1, m2 = s.m1.mean(axis=1, keepdims=True), s.m2.mean(axis=1, keepdims=True)
    return replace(s, k=k, theta=theta, q1=q1, q2=q2, m1=m1, m2=m2, positions=(), full=False)


def _recurrent(layer: theory.Recurrent, s: State, name: str, path: tuple[int, ...]) -> State:
    if path != (0,):
        raise DomainError(f"{name} reads a sequence and must be the first layer.")
    sw2, sv2, sb2 = layer.sigma_w**2, layer.sigma_v**2, layer.sigma_b**2
    n1, n2 = s.q1.shape[0], s.q2.shape[0]
    zero = np.zeros((1, n1, n2))
    current = State(zero, zero, np.zeros((n1, 1)), np.zeros((n2, 1)), np.zeros((n1, 1)), np.zeros((n2, 1)), (), False,
                    s.symmetric, True)  # fmt: skip
    for t in range(s.k.shape[0]):
        trained = (float(layer.trained),) * 2
        current = replace(
            current,
            k=next_recurrent(current.k, sw2, sv2, s.k[t], sb2),
            theta=next_recurrent_tangent(current.k, 1.0, current.theta, sw2, sv2, s.k[t], sb2, *trained),
            q1=next_recurrent(current.q1, sw2, sv2, s.q1[:, t : t + 1], sb2),
            q2=next_recurrent(current.q2, sw2, sv2, s.q2[:, t : t + 1], sb2),
        )
        current = _pointwise(layer.activation, current)
    return current


_RULES: dict[type, Callable[[Any, State, str, tuple[int, ...]], State]] = {
    theory.Dense: _dense,
    theory.Convolution: _convolution,
    theory.Act: _activation,
    theory.Dropout: _dropout,
    theory.LayerNorm: _layer_norm,
    theory.BatchNorm: _batch_norm,
    theory.Residual: _residual,
    theory.Flatten: _flatten,
    theory.GlobalAveragePool: _pool,
    theory.Recurrent: _recurrent,
}
