"""The feedback of one layer at rest, its way there, and its noise: two decompositions, no steps in time."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.alignment import checks, formulas, noise
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import alignment as theory
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_EPSILON = float(np.finfo(float).eps)


@by_value
@dataclass(frozen=True)
class FixedPoint:
    """Feedback at rest.

    `backward`: B (inputs by outputs). `cosine`: of the angle between B and W^T, tr(B W)/(|B| |W|). `rates`: how fast
    the entries come to rest, in units of flow time, ascending; directions of rate 0 stay where they start.
    `largest_step`: the learning rate beyond which B diverges, with batches of `batch` Gaussian inputs in the mean
    square, else in the mean. `floor`: E|B - B*|^2 at the given learning rate and batch, inf beyond the largest step;
    None where they are not given. `pseudo_inverse`: whether gamma = 0 met a singular W C W^T, so that B is the limit
    from gamma above 0 (and from B = 0), built from a pseudo-inverse.
    """

    backward: Array
    cosine: float
    rates: Array
    largest_step: float
    floor: float | None
    pseudo_inverse: bool = False


@by_value
@dataclass(frozen=True)
class Bases:
    """Eigenvalues and bases of C (left) and of W C W^T (right); `image` = C W^T in the right basis."""

    modes: Array
    left: Array
    squares: Array
    right: Array
    image: Array

    @classmethod
    def of(cls, w: Array, covariance: Any) -> Bases:
        """Decompose C, and W C^(1/2), whose small singular values keep their digits."""
        modes, left = checks.covariance(covariance, w.shape[1])
        root = left * np.sqrt(modes)
        u, s, vt = np.linalg.svd(w @ root, full_matrices=True)
        rank = len(s)
        squares, image = np.zeros(len(w)), np.zeros(w.shape[::-1])
        s = np.where(s > max(w.shape) * _EPSILON * s[0], s, 0.0)  # nothing passes there but rounding
        squares[:rank], image[:, :rank] = s**2, (root @ vt[:rank].T) * s
        return cls(modes, left, squares, u, image)


def fixed_point(
    rule: str,
    weights: Any,
    *,
    covariance: Any = None,
    alpha: Any,
    beta: Any = None,
    gamma: Any = 0.0,
    learning_rate: Any = None,
    batch: Any = None,
) -> FixedPoint:
    """Feedback B at rest under a local rule, W fixed (kunin2020two, akrout2019deep; `theory.alignment.flow`).

    symmetric: (beta/alpha) W^T. mirror: (beta/alpha) C W^T. activation: (beta/alpha) W^T. information:
    alpha C W^T (beta W C W^T + gamma)^-1. kolen_pollack: W^T.

    Args:
        rule: symmetric, mirror, activation, information or kolen_pollack.
        weights: W, a row for each output, a column for each input.
        covariance: C, the mean of x x^T over inputs, not centred; default: white inputs, C = 1.
        alpha: positive. Decay of symmetric and mirror (of weights in kolen_pollack), strength of sparse in activation,
            of amp in information.
        beta: positive. Strength of self or amp; in information, of null. Not needed for kolen_pollack.
        gamma: decay in information, not negative.
        learning_rate: size of the steps, for the floor of the noise.
        batch: inputs in each step, for the floor and for the largest step.

    Raises `ArgumentError` for matrices whose shapes do not fit, a covariance that is not symmetric or has negative
    eigenvalues, coefficients that are not positive.

    >>> b = fixed_point("information", [[1, .5, -.3], [.2, -1, .8]], covariance=np.diag([2, 1, .5]), alpha=1, beta=.5,
    ...                 gamma=.2)
    >>> round(b.cosine, 12), round(float(b.backward[0, 0]), 12), b.rates.round(3).tolist()
    (0.913702097737, 1.535834756174, [0.874, 1.373])
    >>> mirror = fixed_point("mirror", [[1, .5, -.3], [.2, -1, .8]], covariance=np.diag([2, 1, .5]), alpha=1, beta=1,
    ...                      learning_rate=0.1, batch=8)
    >>> round(mirror.cosine, 12), round(mirror.floor, 12)
    (0.899099952804, 0.121875)
    """
    name, w = checks.rule(rule), checks.weights(weights)
    given = checks.coefficients(name, alpha, beta, gamma)
    step = None if learning_rate is None else checks.coefficient("learning_rate", learning_rate)
    drawn = None if batch is None else arguments.count("batch", batch)
    if step is not None and drawn is None:
        raise ArgumentError("batch", "must be given with a learning rate", None, "Batches make the noise.")
    bases = Bases.of(w, covariance)
    rest = Rest.of(name, w, bases, given)
    rates, noisy = rest.rates, rest.noisy
    if not rates.max() > 0:
        raise ArgumentError("weights", "must pass some of the inputs' variance", but="lets none through")
    moving = rates > 0
    if drawn is None:
        largest = float(formulas.largest_step().njit(float(rates.max())))
    else:
        largest = noise.stable_step(rates[moving], noisy[moving], drawn)
    floor = None
    if step is not None and drawn is not None:
        floor = _floor(name, w, rest, bases, given, step, drawn) if step < largest else math.inf
    cosine = cosine_of(rest.backward, w)
    return FixedPoint(rest.backward, cosine, np.sort(rates), largest, floor, rest.pseudo_inverse)


def trajectory(
    rule: str,
    weights: Any,
    backward: Any,
    t: Any,
    *,
    covariance: Any = None,
    alpha: Any,
    beta: Any = None,
    gamma: Any = 0.0,
) -> Array:
    """B(t) from B(0) = `backward` in closed form: b_* + (b_0 - b_*) exp(-rho t) for every entry in the eigenbases.

    Args:
        rule: one of the five rules.
        weights: W, outputs by inputs.
        backward: B at time 0, inputs by outputs.
        t: times, steps times learning rate; an array gives B for each, with its shape in front.
        covariance, alpha, beta, gamma: as for `fixed_point`.

    >>> b = trajectory("symmetric", [[1.0, 2.0]], [[0.0], [0.0]], [0.0, 1.0], alpha=1.0, beta=2.0)
    >>> b[:, :, 0].round(6)
    array([[0.      , 0.      ],
           [1.264241, 2.528482]])
    """
    name, w = checks.rule(rule), checks.weights(weights)
    start = checks.feedback(backward, w)
    times = arguments.non_negative("t", t)
    given = checks.coefficients(name, alpha, beta, gamma)
    costs.affordable("t", max(times.size, 1), memory=8.0 * w.size, each="time")
    bases = Bases.of(w, covariance)
    at_rest = Rest.of(name, w, bases, given)
    rest, rates = at_rest.backward, at_rest.rates
    left = name == "activation"  # entries are those in the basis of C; else in that of W C W^T
    basis = bases.left if left else bases.right
    turned = [basis.T @ b if left else b @ basis for b in (rest, start)]
    rho = np.broadcast_to(rates[:, None] if left else rates, start.shape)
    if name not in ("activation", "information"):
        turned, rho, basis = [rest, start], np.full(start.shape, rates[0]), np.eye(w.shape[0])
    found = np.asarray(formulas.course()(turned[0], turned[1], rho, times[..., None, None]))
    return basis @ found if left else found @ basis.T


def cosine_of(backward: Array, w: Array) -> float:
    """tr(B W)/(|B| |W|); 0 where B vanishes."""
    b, w = backward / max(np.abs(backward).max(), 1e-300), w / np.abs(w).max()
    norm = float(np.linalg.norm(b) * np.linalg.norm(w))
    return float(np.clip(np.sum(b.T * w) / norm, -1.0, 1.0)) if norm > 0 else 0.0


@by_value
@dataclass(frozen=True)
class Rest:
    """B at rest, rates and noisy rates of its entries, and whether a pseudo-inverse stood in."""

    backward: Array
    rates: Array
    noisy: Array
    pseudo_inverse: bool = False

    @classmethod
    def of(cls, name: str, w: Array, bases: Bases, given: tuple[float, ...]) -> Rest:
        """Ask theory once: for the modes of C, or for those of W C W^T in information."""
        entry = formulas.entry(name)
        if name == "information":
            gamma = given[2]
            still = bases.squares == 0
            safe = np.where(still, 1.0, bases.squares) if gamma == 0 else bases.squares
            rates, noisy, gain = entry(1.0, safe, *given)
            if gamma == 0:
                rates, noisy = np.where(still, 0.0, rates), np.where(still, 0.0, noisy)
            gain = np.where(still, 0.0, gain)  # nothing comes through these directions
            return cls((bases.image * gain) @ bases.right.T, rates, noisy, bool(gamma == 0 and still.any()))
        dead = bases.modes == 0
        rates, noisy, gain = (np.asarray(one) for one in entry(np.where(dead, 1.0, bases.modes), 0.0, *given))
        if name == "mirror":
            gain = np.where(dead, 0.0, gain)
        if name == "activation":
            rates, noisy = np.where(dead, 0.0, rates), np.where(dead, 0.0, noisy)
        else:
            rates, noisy = rates[:1], noisy[:1]  # one for all entries
        return cls((bases.left * gain) @ (bases.left.T @ w.T), rates, noisy)


def _floor(
    name: str, w: Array, rest: Rest, bases: Bases, given: tuple[float, ...], step: float, batch: int
) -> float:
    """E|B - B*|^2 of fluctuations at rest."""
    coefficient = theory.residual(name)
    if coefficient == 0:
        return 0.0
    covariance = (bases.left * bases.modes) @ bases.left.T
    left_over = residual(name, rest.backward @ w, given)
    put_in = noise.put_in(left_over, w, bases.right, covariance, batch)
    rates, noisy = (np.broadcast_to(one, put_in.shape) for one in (rest.rates, rest.noisy))
    moving = rates > 0
    return noise.floor(rates[moving], noisy[moving], put_in[moving], step, batch)


def residual(name: str, product: Array, given: tuple[float, ...]) -> Array:
    """P of what is left at rest, alpha - beta B W or beta, for a matrix `product` = B W."""
    diagonal, slope = _residual(name)(*given[:2])
    return diagonal * np.eye(len(product)) + slope * product


@functools.cache
def _residual(name: str) -> Compiled:
    """P as a multiple of 1 and of B W."""
    whole = theory.residual(name)
    product = theory.rules.B * theory.rules.W
    slope = whole.coeff(product)
    return compile((whole.subs(theory.rules.B, 0), slope), (theory.ALPHA, theory.BETA), name="residual")
