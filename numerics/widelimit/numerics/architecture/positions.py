"""Layers that sum over positions: convolutions, flattening, pooling."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from widelimit.numerics.architecture import compiled
from widelimit.numerics.architecture.rules import Place, rule
from widelimit.numerics.architecture.state import State
from widelimit.numerics.architecture.units import behind_weights
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
    if layer.padding == "circular" and layer.size > min(s.positions):
        raise DomainError(
            f"{place} of size {layer.size} wraps around more than once on positions {s.positions}."
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
    return behind_weights(smoothed, layer)


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
    return compiled.filtered(total, layer.size, d)


def _shift(m: np.ndarray, by: int, axis: int, padding: str) -> np.ndarray:
    if by == 0:
        return m
    moved = np.roll(m, by, axis)
    if padding == "zeros":
        edge: list[slice] = [slice(None)] * m.ndim
        edge[axis] = slice(0, by) if by > 0 else slice(by, None)
        moved[tuple(edge)] = 0.0
    return moved


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
