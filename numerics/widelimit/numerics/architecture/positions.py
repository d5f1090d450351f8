"""Layers that sum over positions: convolutions, flattening, pooling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from widelimit.numerics.architecture import compiled
from widelimit.numerics.architecture.rules import Place, rule
from widelimit.numerics.architecture.sampling import largest, law_of
from widelimit.numerics.architecture.state import State
from widelimit.numerics.architecture.units import behind_weights, by_samples
from widelimit.theory import architecture as theory
from widelimit.theory.errors import DomainError


@rule(theory.Convolution)
def _convolution(layer: theory.Convolution, s: State, place: Place) -> State:
    """Both kernels of averages over the filter; here one of its three points is not zero.

    >>> from widelimit.numerics.architecture import kernels
    >>> net = theory.Architecture((theory.Convolution(3, 3.0, padding="zeros"), theory.Flatten()))
    >>> kernels(net, [[[1.0]]]).nngp.tolist()
    [[3.0]]
    """
    if len(s.positions) != layer.dimensions:
        raise DomainError(
            f"{place} needs {layer.dimensions} dimension(s) of positions, but the units have {s.positions}."
        )
    if layer.padding == "circular" and layer.pad is None and max(layer.sizes) > min(s.positions):
        raise DomainError(
            f"{place} of size {layer.size} wraps around more than once on positions {s.positions}."
        )
    taps, positions = _taps(layer, s.positions, place)
    smooth, along = _sums(s, taps, layer)
    behind = replace(
        s, k=smooth(s.k), theta=smooth(s.theta), q1=along(s.q1), q2=along(s.q2), positions=positions
    )
    behind = replace(behind, m1=np.zeros_like(behind.q1), m2=np.zeros_like(behind.q2))
    return replace(behind_weights(behind, layer), gaussian=not layer.depthwise)


def _taps(
    layer: theory.Convolution, positions: tuple[int, ...], place: Place
) -> tuple[np.ndarray, tuple[int, ...]]:
    """The position that each point of the filter reads, (points, outputs), -1 outside; and the outputs' positions.

    >>> _taps(theory.Convolution(2, padding="zeros", stride=2, pad=1), (3,), Place((0,), ""))[0].tolist()
    [[-1, 1], [0, 2]]
    """
    steps = [theory.per_dimension(z, layer.dimensions) for z in (layer.stride, layer.dilation)]
    rows, shape = [], layer.behind(positions)
    each = zip(shape, layer.sizes, positions, layer.pads, *steps, strict=True)
    for count, size, n, pad, stride, dilation in each:
        most = {"circular": n, "reflect": n - 1}.get(layer.padding, pad)
        if count < 1 or pad > most:
            raise DomainError(f"{place} does not fit {n} positions with {pad} more on both sides.")
        at = np.arange(count) * stride + np.arange(size)[:, None] * dilation - pad
        rows.append(_inside(at, n, layer.padding))
    return _together(rows, positions), shape


def _inside(at: np.ndarray, n: int, padding: str) -> np.ndarray:
    """Positions that stand outside brought inside, or -1 for zeros."""
    if padding == "circular":
        return at % n
    if padding == "replicate":
        return np.clip(at, 0, n - 1)
    if padding == "reflect":
        return np.where(at < 0, -at, np.where(at >= n, 2 * n - 2 - at, at))
    return np.where((at < 0) | (at >= n), -1, at)


def _together(rows: list[np.ndarray], positions: tuple[int, ...]) -> np.ndarray:
    """Places in each dimension, (points, outputs) each, as places among all positions."""
    flat = np.zeros((1, 1), dtype=int)
    for at, n in zip(rows, positions, strict=True):
        inner = flat[:, None, :, None] * n + at[None, :, None, :]
        gone = (flat < 0)[:, None, :, None] | (at < 0)[None, :, None, :]
        flat = np.where(gone, -1, inner).reshape(len(flat) * len(at), -1)
    return flat


def _sums(s: State, taps: np.ndarray, layer: theory.Convolution) -> tuple[Any, Any]:
    """Functions that average over the filter: kernels at pairs of positions, and variances."""
    points, outputs = taps.shape
    p, n1, n2 = s.q1.shape[1], s.q1.shape[0], s.q2.shape[0]

    def along(m: np.ndarray) -> np.ndarray:
        return compiled.filtered(sum(_read(m, at, 1) for at in taps), points, 1)

    def smooth(m: np.ndarray) -> np.ndarray:
        if not s.full:
            return compiled.filtered(sum(_read(m, at, 0) for at in taps), points, 1)
        total = np.zeros((n1, outputs, n2, outputs))
        for at in taps:
            total += _read(_read(m[0].reshape(n1, p, n2, p), at, 1), at, 3)
        return compiled.filtered(total, points, 1).reshape(1, n1 * outputs, n2 * outputs)

    return smooth, along


def _read(m: np.ndarray, at: np.ndarray, axis: int) -> np.ndarray:
    """Entries at these places of an axis, zeros at -1."""
    out = np.take(m, np.maximum(at, 0), axis=axis)
    if (at < 0).any():
        out[(slice(None),) * axis + (at < 0,)] = 0.0
    return out


@rule(theory.Flatten)
def _flatten(layer: theory.Flatten, s: State, place: Place) -> State:
    """The mean over equal positions.

    >>> from widelimit.numerics.architecture import kernels
    >>> net = theory.Architecture((theory.Convolution(1), theory.Flatten()))
    >>> kernels(net, [[[1.0, 3.0]]]).nngp.tolist()
    [[5.0]]
    """
    if not s.positions:
        return s
    p = s.q1.shape[1]
    if s.full:
        n1, n2 = s.q1.shape[0], s.q2.shape[0]
        each, slopes = (np.einsum("iaja->aij", m[0].reshape(n1, p, n2, p)) for m in (s.k, s.theta))
    else:
        each, slopes = s.k, s.theta
    k, theta = (compiled.averaged(m.sum(axis=0, keepdims=True), p) for m in (each, slopes))
    alike = np.allclose(each, k) and all(np.allclose(q, q[:, :1]) for q in (s.q1, s.q2))
    q1, q2, m1, m2 = (over_positions(z) for z in (s.q1, s.q2, s.m1, s.m2))
    gaussian = s.gaussian and alike  # units of several variances are none of one Gaussian law
    return replace(
        s, k=k, theta=theta, q1=q1, q2=q2, m1=m1, m2=m2, positions=(), full=False, gaussian=gaussian
    )


def over_positions(units: np.ndarray) -> np.ndarray:
    """Return the mean (inputs, 1) of an array (inputs, positions)."""
    return compiled.averaged(units.sum(axis=1, keepdims=True), units.shape[1])


@rule(theory.GlobalAveragePool)
def _pool(layer: theory.GlobalAveragePool, s: State, place: Place) -> State:
    """The mean over all pairs of positions.

    >>> from widelimit.numerics.architecture import kernels
    >>> net = theory.Architecture((theory.Convolution(1), theory.GlobalAveragePool()))
    >>> kernels(net, [[[1.0, 3.0]]]).nngp.tolist()
    [[4.0]]
    """
    if not s.positions:
        raise DomainError(f"{place} needs positions to average over.")
    n1, n2, p = s.q1.shape[0], s.q2.shape[0], s.q1.shape[1]
    k, theta = (compiled.pooled(m[0].reshape(n1, p, n2, p).sum(axis=(1, 3)), p)[None] for m in (s.k, s.theta))
    q1 = q2 = np.diagonal(k[0])[:, None].copy()
    m1, m2 = over_positions(s.m1), over_positions(s.m2)
    return replace(s, k=k, theta=theta, q1=q1, q2=q2, m1=m1, m2=m2, positions=(), full=False)


@rule(theory.AveragePool)
def _average_pool(layer: theory.AveragePool, s: State, place: Place) -> State:
    """The mean over all pairs of positions of two windows.

    >>> from widelimit.numerics.architecture import kernels
    >>> net = theory.Architecture((theory.Convolution(1), theory.AveragePool(2), theory.Flatten()))
    >>> kernels(net, [[[1.0, 3.0, 0.0, 2.0]]]).nngp.tolist()
    [[2.5]]
    """
    if len(s.positions) != layer.dimensions:
        raise DomainError(
            f"{place} needs {layer.dimensions} dimension(s) of positions, but the units have {s.positions}."
        )
    window, count, positions = _windows(layer, s.positions, place)
    n1, n2, p, outputs = s.q1.shape[0], s.q2.shape[0], s.q1.shape[1], len(count)

    def pooled(m: np.ndarray) -> np.ndarray:
        half = np.tensordot(window, m[0].reshape(n1, p, n2, p), axes=(1, 1))  # outputs, n1, n2, p
        total = np.tensordot(half, window, axes=(3, 1)).transpose(1, 0, 2, 3)
        return compiled.windowed(total, count[:, None, None], count).reshape(1, n1 * outputs, n2 * outputs)

    k, theta = pooled(s.k), pooled(s.theta)
    q1 = q2 = np.diagonal(k[0]).reshape(n1, outputs).copy()
    m1, m2 = (compiled.averaged(m @ window.T, count) for m in (s.m1, s.m2))
    return replace(s, k=k, theta=theta, q1=q1, q2=q2, m1=m1, m2=m2, positions=positions)


@rule(theory.MaxPool)
def _max_pool(layer: theory.MaxPool, s: State, place: Place) -> State:
    """The largest units of windows, by samples of them; here of two independent ones, whose mean square is 1.

    >>> from widelimit.numerics.architecture import kernels
    >>> net = theory.Architecture((theory.Convolution(1), theory.MaxPool(2), theory.Flatten()))
    >>> x = np.array([[[2.0**0.5, 0.0], [0.0, 2.0**0.5]]])
    >>> nngp, ntk = kernels(net, x)
    >>> nngp.round(1).tolist(), ntk.round(6).tolist()
    ([[1.0]], [[1.0]])
    """
    if len(s.positions) != layer.dimensions:
        raise DomainError(
            f"{place} needs {layer.dimensions} dimension(s) of positions, but the units have {s.positions}."
        )
    windows, _, positions = _windows(layer.windows, s.positions, place)
    law = law_of(s, place.path)
    if law is None:
        raise DomainError(
            f"{place} takes the largest of units whose law is not known: it must follow weights, or activations, sums "
            "and normalisations behind them."
        )
    return replace(by_samples(s, largest(law, windows, len(s.q1))), positions=positions)


def _windows(
    layer: theory.AveragePool, positions: tuple[int, ...], place: Place
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Which positions stand in each window, (windows, positions) of 0 and 1, how many count, and windows' positions."""
    window, count, shape = np.ones((1, 1)), np.ones(1), layer.behind(positions)
    settings = (theory.per_dimension(one, layer.dimensions) for one in (layer.size, layer.pad))
    for many, n, stride, size, pad in zip(shape, positions, layer.strides, *settings, strict=True):
        if layer.outputs is not None:
            first, last = np.arange(many) * n // many, -(-(np.arange(many) + 1) * n // many)
            counted = last - first
        else:
            if many < 1:
                raise DomainError(f"{place} with windows of {size} does not fit {n} positions.")
            first = np.arange(many) * stride - pad
            last = first + size
            counted = np.full(many, size) if layer.counts_pads else np.minimum(last, n) - np.maximum(first, 0)
        at = np.arange(n)
        inside = ((at >= first[:, None]) & (at < last[:, None])).astype(float)
        window, count = np.kron(window, inside), np.kron(count, counted.astype(float))
    return window, count, shape
