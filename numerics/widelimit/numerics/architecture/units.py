"""Layers that act on units one by one: weights, activations, dropout, residual branches, recurrent layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from widelimit.numerics.architecture import compiled, sampling
from widelimit.numerics.architecture.joining import summed
from widelimit.numerics.architecture.rules import Place, apply_all, rule, settled
from widelimit.numerics.architecture.state import State
from widelimit.numerics.kernel.layers import Block
from widelimit.numerics.kernel.maps import pair_map
from widelimit.numerics.kernel.recursion import next_kernel, next_recurrent, next_recurrent_tangent, weighted
from widelimit.theory import architecture as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.errors import DomainError, InfiniteMomentError
from widelimit.theory.kernel import slope


@rule(theory.Dense)
def _dense(layer: theory.Dense, s: State, place: Place) -> State:
    if s.positions:
        raise DomainError(
            f"{place} meets positions {s.positions}: put Flatten or GlobalAveragePool before it."
        )
    return behind_weights(s, layer)


def behind_weights(s: State, layer: theory.Dense | theory.Convolution) -> State:
    """Return what weights and biases make of units whose kernels are those of `s`."""
    sw2, sb2 = layer.sigma_w**2, layer.sigma_b**2
    k, theta = weighted(s.k, s.theta, sw2, sb2, trained=(layer.trained_w, layer.trained_b))
    return replace(
        s, k=k, theta=theta, q1=next_kernel(s.q1, sw2, sb2), q2=next_kernel(s.q2, sw2, sb2), m1=np.zeros_like(s.m1),
        m2=np.zeros_like(s.m2), gaussian=True, averaged_gain=False,
    )  # fmt: skip


@rule(theory.Act)
def _activation(layer: theory.Act, s: State, place: Place) -> State:
    law = sampling.law_of(s, place.path)
    if law is not None and not (s.gaussian and s.law is None):
        return by_samples(s, sampling.applied(layer.activation, law))
    if not s.gaussian:
        raise DomainError(f"{place} must follow a dense or convolution layer: its inputs are not Gaussian.")
    if s.averaged_gain:
        raise DomainError(
            f"{place} follows a normalisation with a trained gain, but not at once: its tangent kernel is not known. "
            "Use the normalisation without gain and shift, or freeze them."
        )
    after = _pointwise(layer.activation, s)
    if law is not None:
        after = replace(after, law=sampling.applied(layer.activation, law))
    if not s.gain:
        return after
    try:  # the gain of a unit: E u phi'(u) v phi'(v)
        of_gain = _pointwise(Activation.of(X * slope(layer.activation)), s).k
    except InfiniteMomentError:
        raise DomainError(
            f"{place}: {layer.activation.name} has a kink away from 0, where the tangent kernel behind a normalisation "
            "with a trained gain is not known. Use the normalisation without gain and shift."
        ) from None
    return replace(after, theta=compiled.gained(after.theta, of_gain), gain=False)


def by_samples(s: State, law: sampling.Known) -> State:
    """Return units that are none of a Gaussian law, by samples of them, in place of those of `s`."""
    k, theta, means, error = sampling.moments(law())
    q = np.diagonal(k).reshape(len(s.q1), -1).copy()
    mean = means.reshape(q.shape)
    return replace(
        s, k=k[None], theta=theta[None], q1=q, q2=q.copy(), m1=mean, m2=mean.copy(), gaussian=False, gain=False,
        averaged_gain=False, error=s.error + error, law=law,
    )  # fmt: skip


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
        layer.advance(Block(k[p], theta[p]))
        if s.full:
            v1, v2 = layer.v1.reshape(s.q1.shape), layer.v2.reshape(s.q2.shape)
        else:
            v1[:, p], v2[:, p] = layer.v1, layer.v2
        error = max(error, layer.error)
    m1 = _mean(activation, s.q1)
    m2 = m1 if s.symmetric else _mean(activation, s.q2)
    return replace(s, k=k, theta=theta, q1=v1, q2=v2, m1=m1, m2=m2, gaussian=False, error=error)


def _mean(activation: Activation, variance: np.ndarray) -> np.ndarray:
    mean = compiled.unit_mean(activation)
    return np.broadcast_to(mean(np.maximum(variance, 1e-300)), variance.shape).copy()


@rule(theory.Dropout)
def _dropout(layer: theory.Dropout, s: State, place: Place) -> State:
    """Masks of two inputs are independent: only a unit's own square, on the diagonal, meets one mask twice.

    >>> from widelimit.numerics.architecture import kernels
    >>> net = theory.Architecture((theory.Dropout(0.5), theory.Dense()))
    >>> kernels(net, [[1.0, 1.0], [1.0, 0.0]]).nngp.tolist()
    [[2.0, 0.5], [0.5, 1.0]]
    """
    if layer.keep == 1.0:
        return s
    k, theta = s.k.copy(), s.theta.copy()
    if s.symmetric:
        for matrix in (*k, *theta):
            np.fill_diagonal(matrix, compiled.dropped(np.diagonal(matrix), layer.keep))
    q1, q2 = (compiled.dropped(q, layer.keep) for q in (s.q1, s.q2))
    return replace(s, k=k, theta=theta, q1=q1, q2=q2, gaussian=False)


@rule(theory.Residual)
def _residual(layer: theory.Residual, s: State, place: Place) -> State:
    """Kernels of shortcut and branch add; here both are 1.

    >>> from widelimit.numerics.architecture import kernels
    >>> net = theory.Architecture((theory.Dense(), theory.Residual((theory.Dense(),))))
    >>> kernels(net, [[1.0]]).nngp.tolist()
    [[2.0]]
    """
    branch = settled(apply_all(layer.branch, s, place.path), (*place.path, len(layer.branch)))
    s = settled(s, place.path)
    if branch.positions != s.positions:
        raise DomainError(f"{place}: the branch turns positions {s.positions} into {branch.positions}.")
    return summed((s, branch), place.path)


@rule(theory.Recurrent)
def _recurrent(layer: theory.Recurrent, s: State, place: Place) -> State:
    if place.path != (0,):
        raise DomainError(f"{place} reads a sequence and must be the first layer.")
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
