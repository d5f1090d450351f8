"""Linear units under attack: the share of inputs that change sides, the accuracy that is left, the best weights."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import robustness as theory
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_CLOSE = 0.1  # t (1 + u) up to which Hermite's series has its digits
_NAMED = {"linf": math.inf, "l2": 2.0, "l1": 1.0}
_FAR = 40.0  # standard deviations: beyond, no float holds the density


def flip_fraction(
    weights: Any, *, radius: Any, input_std: Any = 1.0, bias: Any = 0.0, norm: str | float = "linf"
) -> Any:
    """Return the share of inputs x ~ N(0, s^2 I) of which an attack changes the sign of w . x + c.

    P(|y| < epsilon |w|_q), which is Phi((epsilon |w|_q - c)/(s |w|_2)) + Phi((epsilon |w|_q + c)/(s |w|_2)) - 1, with q
    the dual power of the attack's norm (nayebi2017biologically). Of an l_2 attack it does not depend on the weights.

    Args:
        weights: w of a unit, (N,), or of several, (..., N).
        radius: epsilon of the attack, not negative; broadcasts with the units, as do the next two.
        input_std: s, positive.
        bias: c.
        norm: of the attack: "linf", "l2", "l1", or any p from 1 to infinity, as a number or text such as "l3".

    Raises `ArgumentError` for units whose weights are all zero, a negative radius, or p below 1.

    >>> w = [0.5, -1, 2, 0, 0.25]
    >>> round(flip_fraction(w, radius=0.3), 14)
    0.37451640638355
    >>> f"{flip_fraction(w, radius=1e-12, bias=1.5):.12e}"  # a small share has its digits too
    '1.050397342831e-12'
    >>> flip_fraction(w, radius=[0.1, 0.3], norm="l2").round(6)
    array([0.079656, 0.235823])
    """
    w, size = scaled_weights(weights)
    power = power_of(norm)
    move = arguments.non_negative("radius", radius)
    std, c = arguments.positive("input_std", input_std), np.abs(arguments.real("bias", bias))
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        dual, length, move, std, c = arguments.broadcast(
            weights=_dual_norm(w, power), length=_length(w), radius=move, input_std=std, bias=c / size
        )
        flat = (np.ascontiguousarray(one, dtype=float).ravel() for one in (move, dual, std, length, c))
        t, u = _edges()(*flat)
    if (lost := ~(np.isfinite(t) | np.isfinite(u))).any():
        help = "Both the radius and the bias are infinite beside it."
        raise ArgumentError("input_std", "must be larger here", float(std.ravel()[lost][0]), help)
    return arguments.scalar(_between(t, u).reshape(move.shape))


def _between(t: Array, u: Array) -> Array:
    """P(u - t < z < u + t) with all its digits."""
    with np.errstate(over="ignore", invalid="ignore"):
        close = (u < _FAR) & (t * (1 + u) < _CLOSE)
    low, high = u - t, u + t
    around = ~close & (low < 0)
    found = np.empty_like(t)
    for where, formula, given in (
        (close, _near, (t, u)),
        (around, _middle, (low, high)),
        (~close & ~around, _tails, (low, high)),
    ):
        if where.any():
            found[where] = formula()(*(one[where] for one in given))
    return found


def adversarial_accuracy(
    weights: Any, mean: Any, *, radius: Any, input_std: Any, norm: str | float = "linf"
) -> Any:
    """Return the accuracy of sign(w . x) on classes N(mu, s^2 I) and N(-mu, s^2 I) whose inputs are attacked.

    Phi((w . mu - epsilon |w|_q) / (s |w|_2)).

    Args:
        weights: w, (..., N).
        mean: mu, (..., N); its leading axes broadcast with those of the weights, and with the next two.
        radius: epsilon, not negative.
        input_std: s, positive.
        norm: of the attack, as for `flip_fraction`.

    Raises `ArgumentError` for weights that are all zero, shapes that do not fit, a negative radius, or p below 1.

    >>> round(adversarial_accuracy([1.0, 1.0], [0.5, 0.5], radius=0.25, input_std=0.5), 12)  # Phi(1/sqrt 2)
    0.760249938907
    """
    w, _ = scaled_weights(weights)
    power = power_of(norm)
    mu = _rows("mean", mean)
    if mu.shape[-1] != w.shape[-1]:
        raise ArgumentError(
            "mean", f"must have {w.shape[-1]} entries, as the weights have", but=f"has {mu.shape[-1]}"
        )
    move, std = arguments.non_negative("radius", radius), arguments.positive("input_std", input_std)
    both = arguments.broadcast(weights=w, mean=mu)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        overlap = (both[0] * both[1]).sum(-1)
        dual, length, overlap, move, std = arguments.broadcast(
            weights=_dual_norm(w, power), length=_length(w), mean=overlap, radius=move, input_std=std
        )
        flat = (np.ascontiguousarray(one, dtype=float).ravel() for one in (move, dual, std, length, overlap))
        missing = np.asarray(_deficit()(*flat))
    if np.isnan(missing).any():
        raise ArgumentError(
            "mean", "must be such that w . mu less what the attack moves is a float", but="is not"
        )
    return arguments.scalar(np.asarray(_accuracy()(missing)).reshape(move.shape))


def best_weights(mean: Any, *, radius: Any) -> Array:
    """Return weights that keep the most accuracy under an l_inf attack: sign(mu) (|mu| - epsilon)_+.

    Where the radius is above every entry of mu no weights do better than chance; the best are then those of the largest
    entry alone.

    Args:
        mean: mu, (..., N).
        radius: epsilon, not negative; broadcasts with the leading axes of mu.

    Raises `ArgumentError` for a mean that is zero (both classes are one) or a negative radius.

    >>> best_weights([1.0, -0.5, 0.1], radius=0.2)
    array([ 0.8, -0.3,  0. ])
    >>> best_weights([1.0, -0.5, 0.1], radius=2.0)
    array([1., 0., 0.])
    """
    mu = _rows("mean", mean)
    if not mu.any(-1).all():
        raise ArgumentError("mean", "must not be zero", but="is", help="Both classes are one.")
    move = arguments.non_negative("radius", radius)[..., None]
    mu, move = arguments.broadcast(mean=mu, radius=move)
    found = np.asarray(_soft()(np.ascontiguousarray(mu), np.ascontiguousarray(move)))
    largest = np.arange(mu.shape[-1]) == np.abs(mu).argmax(-1)[..., None]
    alone = np.where(largest, np.sign(mu), 0.0)
    return np.where(found.any(-1, keepdims=True), found, alone)


def best_accuracy(mean: Any, *, radius: Any, input_std: Any) -> Any:
    """Return the accuracy of the best linear weights under an l_inf attack, Phi(|(|mu| - epsilon)_+|_2 / s).

    >>> round(best_accuracy([1.0, -0.5, 0.1], radius=0.2, input_std=0.5), 12)  # Phi(sqrt(.73) / .5)
    0.956256068029
    """
    return adversarial_accuracy(best_weights(mean, radius=radius), mean, radius=radius, input_std=input_std)


def _rows(name: str, value: Any) -> Array:
    array = arguments.real(name, value)
    if array.ndim == 0 or not array.size:
        raise ArgumentError(name, "must be a list of one number or more", but=f"has shape {array.shape}")
    return array


def scaled_weights(value: Any) -> tuple[Array, Array]:
    """Return weights over the largest of their unit, and that."""
    array = _rows("weights", value)
    size = np.abs(array).max(-1)
    if (size == 0).any():
        raise ArgumentError("weights", "must not be all zero", but="are", help="Such a unit has no sides.")
    return array / size[..., None], size


def power_of(norm: Any) -> float:
    """Return the p of an l_p norm that is named or numbered."""
    if isinstance(norm, str) and norm in _NAMED:
        return _NAMED[norm]
    help = 'Such as "linf", "l2", or a number from 1 to infinity.'
    value: Any = norm
    if isinstance(norm, str):
        try:
            value = float(norm[1:]) if norm[:1] == "l" else math.nan
        except ValueError:
            value = math.nan
        if math.isnan(value):
            raise ArgumentError("norm", "must name an l_p norm", norm, help)
    p = arguments.single("norm", arguments.real("norm", value, help, infinite=True))
    if p < 1:
        raise ArgumentError("norm", "must have p of at least 1", norm, help)
    return p


def _dual_norm(w: Array, power: float) -> Array:
    sizes = np.abs(w)  # at most 1
    if power == 1:
        return np.asarray(sizes.max(-1))
    if math.isinf(power):
        return np.asarray(sizes.sum(-1))
    q = float(_dual()(power))
    return np.asarray((sizes**q).sum(-1) ** (1 / q))


def _length(w: Array) -> Array:
    return np.asarray(np.sqrt((w * w).sum(-1)))


@functools.cache
def _dual() -> Compiled:
    return compile(theory.dual_power(), (theory.POWER,), name="dual_power")


@functools.cache
def _edges() -> Compiled:
    symbols = (theory.RADIUS, theory.DUAL, theory.STD, theory.LENGTH, theory.BIAS)
    return compile((theory.reach(), theory.offset()), symbols, name="edges")


@functools.cache
def _near() -> Compiled:
    return compile(theory.between_near(), (theory.REACH, theory.OFFSET), name="between_near")


@functools.cache
def _middle() -> Compiled:
    return compile(theory.between(), (theory.LOW, theory.HIGH), name="between")


@functools.cache
def _tails() -> Compiled:
    return compile(theory.between_tails(), (theory.LOW, theory.HIGH), name="between_tails")


@functools.cache
def _deficit() -> Compiled:
    symbols = (theory.RADIUS, theory.DUAL, theory.STD, theory.LENGTH, theory.OVERLAP)
    return compile(theory.deficit(), symbols, name="deficit")


@functools.cache
def _accuracy() -> Compiled:
    return compile(theory.accuracy(), (theory.DEFICIT,), name="accuracy")


@functools.cache
def _soft() -> Compiled:
    return compile(theory.soft_threshold(), (theory.MEAN, theory.RADIUS), name="soft_threshold")
