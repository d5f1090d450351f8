"""The phase of a block that is repeated, with shortcuts and normalisations in it: how near inputs part, block by block.

Two inputs whose units have variance q and differ by a small squared distance D go through the block as q' and chi D:
1 - c' = (chi q/q') (1 - c). Where q settles, the factor does too, and differences shrink or grow exponentially; where
the stream grows by the same amount v in every block (a shortcut beside a normalised branch), they change as a power of
depth, and there is no depth scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.architecture import joining, normalising, positions, units
from widelimit.numerics.architecture.compiled import about_batch, averaged, rescaled
from widelimit.numerics.architecture.rules import applied, settled
from widelimit.numerics.architecture.state import State, numeric, sampled, unmixed
from widelimit.numerics.results import pictured
from widelimit.theory import architecture as theory
from widelimit.theory.errors import ConvergenceError, DomainError, InfiniteMomentError

RULES_OF = (units, positions, normalising, joining)  # each registers its kinds of layers
_TRAINED = {"trained_w": False, "trained_b": False, "trained": False, "affine": False}
_PASSES, _SAME = 2000, 1e-12
_PATIENCE, _GROWING = 60, 0.3  # passes, and their number times relative growth, behind which it does not end
_SMALLEST = 1e-90
_LARGE = (1e6, 1e8)  # variances of a stream far behind its start
_ALIKE, _CRITICAL = 0.01, 1e-6  # relative, of what is the same at both; of factors that are 1


@pictured
@dataclass(frozen=True)
class BlockPhase:
    """What a repeated block does to near inputs, many blocks behind the start.

    `q`: variance of units in front of a block (of their differences from the mean over the batch, where a batch
    normalises), inf where it grows for ever; `growth`: q behind over q in front; `chi`: factor on squared distances and
    gradients; `factor` = chi/growth, on 1 - c. `xi_c`: depth scale in blocks, -1/ln factor, inf where differences
    change as a power of depth or not at all. `power`: s of 1 - c ~ l^(-s), nan where there is none. `phase`: "ordered"
    if inputs become alike, "chaotic" if they part, "critical" between.
    """

    q: float
    growth: float
    chi: float
    factor: float
    xi_c: float
    power: float
    phase: str


def repeated(block: theory.Architecture, q: float = 1.0) -> BlockPhase:
    """Return what `block`, repeated, does to near inputs of mean square `q`.

    Convolutions act as in the bulk, far from edges; batches are large, of inputs as far from each other as from any
    other. For a hidden layer, (Act, Dense), the factor is chi_1 of mean-field theory (schoenholz2017deep, eq. (5)); for
    a shortcut beside LayerNorm, activation and weights the power is 1 - chi_M/v_M.

    Raises `DomainError` for blocks that pool or flatten, read sequences, or make other units than they read;
    `ArgumentError` for a `q` that is no positive number; `ConvergenceError` where variances do not settle.

    >>> from widelimit.theory.architecture import Act, Architecture, Dense, LayerNorm, Residual
    >>> branch = (LayerNorm(), Dense(2**0.5), Act.of("gelu"), Dense(2**0.5))
    >>> pre, post = Architecture((Residual(branch),)), Architecture((Residual(branch[1:]), LayerNorm()))
    >>> round(repeated(pre).power, 6), round(repeated(post).factor, 6), repeated(post).phase
    (-0.061753, 1.040041, 'chaotic')
    """
    block = numeric(block)
    start = arguments.single("q", arguments.near_one("q", arguments.positive("q", q)))
    layers = tuple(_of_phase(layer, place) for place, layer in enumerate(block.layers))
    plain = replace(block, layers=layers)
    if sampled(plain, gaussian=unmixed(plain)):
        raise DomainError(
            "The block ends with an activation behind its sum, so that units are not Gaussian from block to block: its "
            "phase is not known. numerics.residual.post_activation has what such blocks do behind batch normalisation."
        )
    whole = any(isinstance(layer, theory.BatchNorm) for layer in plain.walk())
    return _settling(plain, start, whole)


@dataclass(frozen=True)
class _Once:
    """One pass: size of the units behind the block, their covariance with another input, and both factors."""

    q: float
    p: float
    growth: float
    chi: float


def _of_phase(layer: theory.Layer, place: int) -> theory.Layer:
    """A layer with nothing to train, and convolutions as dense layers."""
    if isinstance(layer, theory.Convolution):
        return theory.Dense(layer.sigma_w, layer.sigma_b, None, False, False)
    if isinstance(layer, theory.Residual):
        return theory.Residual(tuple(_of_phase(inner, place) for inner in layer.branch))
    if isinstance(layer, theory.Attention):
        raise DomainError(
            f"Layer {place} (Attention) mixes tokens: numerics.attention.exponents has the phase of transformer blocks."
        )
    if (
        isinstance(layer, theory.Flatten | theory.GlobalAveragePool | theory.AveragePool | theory.MaxPool)
        or layer.reads_sequences
    ):
        raise DomainError(
            f"Layer {place} ({type(layer).__name__}) does not belong to a block that can be repeated: its phase is "
            "not known. Take the layers between such layers."
        )
    held = {one.name for one in fields(layer)}
    changes: dict[str, Any] = {name: value for name, value in _TRAINED.items() if name in held}
    return replace(layer, **changes) if changes else layer


def _through(block: theory.Architecture, q: float, p: float, whole: bool) -> _Once:
    """Send two inputs of variance q and covariance p, with derivatives by themselves alone, through a block."""
    k, theta = np.array([[[q, p], [p, q]]]), np.eye(2)[None]
    each, zero = np.full((2, 1), q), np.zeros((2, 1))
    start = State(k, theta, each, each.copy(), zero, zero.copy(), (), False, True, gaussian=True)
    held = {-1: start}
    for place, (layer, reads) in enumerate(zip(block.layers, block.feeds, strict=True)):
        states = tuple(held[one] for one in reads)
        held[place] = _one(layer, states, (place,))
    end = settled(held[len(block.layers) - 1])
    after, common = float(end.k[0, 0, 0]), float(end.k[0, 0, 1])
    before, behind = (q - p, after - common) if whole else (q, after)
    if not behind > 0:
        raise DomainError("Units behind the block are all alike: it has no phase.")
    return _Once(after, common, behind / before, float(end.theta[0, 0, 0]))


def _one(layer: theory.Layer, states: tuple[State, ...], path: tuple[int, ...]) -> State:
    """A layer on two inputs of a large batch, whose means are those of unlike pairs."""
    if isinstance(layer, theory.Residual):
        branch = states[0]
        for number, inner in enumerate(layer.branch):
            branch = _one(inner, (branch,), (*path, number))
        return applied(theory.Add(), (states[0], branch), path)
    if not isinstance(layer, theory.BatchNorm):
        return applied(layer, states, path)
    s = states[0]
    common = float(s.k[0, 0, 1])
    k = np.asarray(about_batch(s.k, common, common, common))
    width = math.sqrt(averaged(float(np.trace(k[0])), 2) + layer.eps)
    if not width > 0:
        raise DomainError("A batch of inputs that are alike is normalised: it has no deviation.")
    k, theta = (np.asarray(rescaled(one, width, width)) for one in (k, s.theta))
    each = np.diagonal(k[0])[:, None].copy()
    return replace(s, k=k, theta=theta, q1=each, q2=each.copy())


def _settling(block: theory.Architecture, q: float, whole: bool) -> BlockPhase:
    """Of variances that come to rest, or grow for ever."""
    p, once = 0.0, _through(block, q, 0.0, whole)
    for number in range(1, _PASSES):
        rest = abs(once.q - q) <= _SAME * q and (not whole or abs(once.p - p) <= _SAME * once.q)
        q, p = once.q, once.p if whole else 0.0
        if rest:
            return _exponential(once, q)
        if number >= _PATIENCE and (once.growth - 1) * number > _GROWING:
            return _growing(block, once, whole)
        if q > _LARGE[1]:
            return _growing(block, once, whole)
        if q < _SMALLEST:
            break
        once = _through(block, q, p, whole)
    raise ConvergenceError(
        f"The variance of the repeated block does not settle within {_PASSES} passes ({q:.3g} after them). Use other "
        "scales."
    )


def _growing(block: theory.Architecture, last: _Once, whole: bool) -> BlockPhase:
    """Of streams that grow for ever; by `last` alone where the block cannot be computed far behind the start."""
    try:
        far = [_through(block, large, 0.0, whole) for large in _LARGE]
    except (ConvergenceError, InfiniteMomentError):
        return _power(math.nan, last.chi / last.growth)
    added = [(one.growth - 1) * large for one, large in zip(far, _LARGE, strict=True)]
    if abs(far[0].growth - far[1].growth) <= _ALIKE * (far[1].growth - 1):
        return _exponential(far[1], math.inf)
    if abs(added[0] - added[1]) > _ALIKE * abs(added[1]):
        return _power(math.nan, last.chi / last.growth)
    powers = [1 - (one.chi - 1) * large / more for one, large, more in zip(far, _LARGE, added, strict=True)]
    steady = abs(powers[0] - powers[1]) <= _ALIKE * max(1.0, abs(powers[1]))
    return _power(powers[0], 1.0) if steady else _power(math.nan, last.chi / last.growth)


def _power(power: float, factor: float) -> BlockPhase:
    """Differences that change as a power of depth, or (nan) as no power: then they grow where `factor` is above 1."""
    grows = power < 0 if math.isfinite(power) else factor > 1
    name = "critical" if abs(power) <= 10 * _CRITICAL else "chaotic" if grows else "ordered"
    return BlockPhase(math.inf, 1.0, 1.0, 1.0, math.inf, power, name)


def _exponential(one: _Once, q: float) -> BlockPhase:
    factor = one.chi / one.growth
    near = abs(factor - 1) <= _CRITICAL
    name = "critical" if near else "ordered" if factor < 1 else "chaotic"
    scale = math.inf if near else 0.0 if factor <= 0 else 1 / abs(math.log(factor))
    return BlockPhase(q, one.growth, one.chi, factor, scale, math.nan, name)
