"""Layers that subtract a mean and divide by a standard deviation: over units, or over the batch."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from widelimit.numerics.architecture import compiled, sampling
from widelimit.numerics.architecture.compiled import over_entries
from widelimit.numerics.architecture.positions import over_positions
from widelimit.numerics.architecture.rules import Place, rule
from widelimit.numerics.architecture.state import State
from widelimit.theory import architecture as theory
from widelimit.theory.errors import DomainError

_FLUCTUATION = 0.3  # of a batch's variance over units, relative, above which the large-batch rule is refused


@rule(theory.LayerNorm)
def _layer_norm(layer: theory.LayerNorm, s: State, place: Place) -> State:
    """Units behind the normalisation have a mean of zero over units and positions, and a variance of one.

    >>> from widelimit.numerics.architecture import kernels, rules, state
    >>> act, norm = theory.Act.of("relu"), theory.LayerNorm(affine=True)
    >>> net = theory.Architecture((theory.Dense(), act, norm, theory.Dense()))
    >>> nngp, ntk = kernels(net, [[1.0, 0.0], [1.0, 2.0]])
    >>> nngp.round(6).tolist(), ntk[0].round(6).tolist()
    ([[1.0, 0.375542], [0.375542, 1.0]], [4.466942, 2.175923])

    With positions, the mean of units at one of them need not be zero.

    >>> net = theory.Architecture((theory.Convolution(1), act, norm))
    >>> behind = rules.apply_all(net.layers, state.start(net, [[[1.0, 2.0]]], None))
    >>> behind.m1.round(6).tolist()
    [[-0.211213, 0.211213]]
    """
    one, two = (_statistics(q, m, layer, place) for q, m in ((s.q1, s.m1), (s.q2, s.m2)))
    rows, columns = ([_laid_out(part, s) for part in side] for side in (one, two))
    k = over_entries(compiled.normalised, s.k, rows, columns)
    theta = over_entries(compiled.rescaled, s.theta, rows[2:], columns[2:])
    if layer.affine:  # the shift; the gain waits for what follows
        theta = compiled.shifted(theta)
    (q1, m1), (q2, m2) = (
        (compiled.normalised(q, *side, *side), compiled.centred_mean(*side))
        for q, side in ((s.q1, one), (s.q2, two))
    )
    law = s.law and sampling.divided(s.law, one[1], one[2], gain=layer.affine, shift=layer.affine)
    return replace(s, k=k, theta=theta, q1=q1, q2=q2, m1=m1, m2=m2, gain=layer.affine, law=law)


def _statistics(
    q: np.ndarray, m: np.ndarray, layer: theory.LayerNorm, place: Place
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of units, those that are subtracted and the standard deviation, (inputs, positions) each."""
    mean, square = (m, q) if layer.each else (over_positions(m), over_positions(q))
    width = _width(square + layer.eps, mean, place)
    return m, np.broadcast_to(mean, m.shape), np.broadcast_to(width, m.shape)


def _width(square: np.ndarray, mean: np.ndarray, place: Place) -> np.ndarray:
    width = compiled.deviation(square, mean)
    if not (width > 0).all():  # NaN where rounding makes a variance negative
        raise DomainError(
            f"{place} meets an input whose units are all equal (a zero input?): its norm is undefined."
        )
    return width


@rule(theory.RMSNorm)
def _rms_norm(layer: theory.RMSNorm, s: State, place: Place) -> State:
    """Units of each position have a mean square of one behind the normalisation.

    >>> from widelimit.numerics.architecture import kernels
    >>> net = theory.Architecture((theory.Dense(3.0), theory.RMSNorm(), theory.Dense()))
    >>> kernels(net, [[1.0, 0.0], [3.0, 4.0]]).nngp.round(12).tolist()
    [[1.0, 0.6], [0.6, 1.0]]
    """
    one, two = (_width(q + layer.eps, np.zeros_like(q), place) for q in (s.q1, s.q2))
    return _divided(s, one, two, layer.affine, shift=False)


@rule(theory.Affine)
def _affine(layer: theory.Affine, s: State, place: Place) -> State:
    """Units times a number; here with a trained gain and a shift.

    >>> from widelimit.numerics.architecture import kernels
    >>> net = theory.Architecture((theory.Dense(3.0), theory.Affine(2.0, trained=True)))
    >>> nngp, ntk = kernels(net, [[1.0]])
    >>> nngp.tolist(), ntk.tolist()
    ([[36.0]], [[73.0]])
    """
    one, two = (np.full_like(q, 1 / layer.factor) for q in (s.q1, s.q2))
    after = _divided(s, one, two, layer.trained, shift=layer.trained)
    return replace(after, theta=compiled.shifted(after.theta)) if layer.trained else after


def _divided(s: State, one: np.ndarray, two: np.ndarray, gain: bool, *, shift: bool) -> State:
    """Units of rows and columns divided by numbers (inputs, positions); `shift`: whether samples train one."""
    rows, columns = [_laid_out(one, s)], [_laid_out(two, s)]
    k, theta = (over_entries(compiled.rescaled, z, rows, columns) for z in (s.k, s.theta))
    q1, q2 = compiled.rescaled(s.q1, one, one), compiled.rescaled(s.q2, two, two)
    m1, m2 = compiled.centred_mean(s.m1, 0.0, one), compiled.centred_mean(s.m2, 0.0, two)
    law = s.law and sampling.divided(s.law, np.zeros_like(one), one, gain=gain, shift=shift)
    return replace(s, k=k, theta=theta, q1=q1, q2=q2, m1=m1, m2=m2, gain=gain, law=law)


def _laid_out(units: np.ndarray, s: State) -> np.ndarray:
    """Values (inputs, positions) as those of a kernel's rows or columns."""
    return units.reshape(1, -1) if s.full else units.T


@rule(theory.BatchNorm)
def _batch_norm(layer: theory.BatchNorm, s: State, place: Place) -> State:
    """The rule of large batches, here of orthogonal inputs; where units differ in their variance it is refused.

    >>> from widelimit.numerics.architecture import kernels
    >>> net = theory.Architecture((theory.Dense(), theory.BatchNorm(), theory.Dense()))
    >>> kernels(net, np.eye(40)).nngp[0, :2].round(6).tolist()
    [1.0, -0.025641]
    >>> kernels(net, np.eye(2))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.DomainError: Layer 1 (BatchNorm): ... of this batch of 2 fluctuates by 141 per cent, ...
    """
    if not s.symmetric:
        raise DomainError(f"{place} normalises over a batch: pass x1 alone, the batch.")
    if not s.gaussian:
        raise DomainError(f"{place} must follow a dense or convolution layer: its inputs are not Gaussian.")
    k, theta = (_about_batch(m) for m in (s.k, s.theta))
    trace = float(np.trace(k[0]))
    spread = compiled.batch_fluctuation(float(np.sum(k**2)), trace) if trace > 0 else math.inf
    if spread > _FLUCTUATION:
        raise DomainError(
            f"{place}: over units, the variance of this batch of {k.shape[1]} fluctuates by {100 * spread:.0f} per "
            "cent, too much for the large-batch rule. Pass more inputs, or less similar ones."
        )
    width = math.sqrt(compiled.averaged(trace, k.shape[1]) + layer.eps)
    k, theta = (compiled.rescaled(m, width, width) for m in (k, theta))
    q = np.diagonal(k[0]).reshape(s.q1.shape)
    if layer.affine:
        theta = compiled.shifted(theta)
    return replace(s, k=k, theta=theta, q1=q, q2=q, gain=layer.affine)


def _about_batch(m: np.ndarray) -> np.ndarray:
    """A kernel of units, or derivatives, about their means over the batch and its positions.

    >>> _about_batch(np.array([[[1.0, 0.0], [0.0, 1.0]]])).tolist()
    [[[0.5, -0.5], [-0.5, 0.5]]]
    """
    count = m.shape[1]
    rows, columns = (compiled.averaged(m.sum(axis=axis), count) for axis in (2, 1))
    everything = compiled.averaged(rows.sum(), count)
    return over_entries(compiled.about_batch, m, [rows], [columns, np.full(columns.shape, everything)])
