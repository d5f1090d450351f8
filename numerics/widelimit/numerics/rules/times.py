"""How long a rule takes, where its feedback comes to rest, and what its trajectories look like."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.results import pictured
from widelimit.numerics.rules import checks, formulas
from widelimit.theory import rules as theory
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray
_OTHERS = ("momentum", "adam", "hebb", "oja")


def passage_time(rule: str, share: Any, *, strength: Any, start: Any = 0.0, feedback: Any = None) -> Any:
    """Return the time at which the product w v is a share of the strength, without decay.

    sgd: log[x (s/u_0 - 1)/(1 - x)]/(2 s), infinite from zero; feedback_alignment from zero: k/(b s) F(x^(1/3)).

    Args:
        rule: sgd or feedback_alignment.
        share: x of w v = x s, from u_0/s to below 1; arrays broadcast.
        strength: s, positive.
        start: u_0, for sgd; feedback alignment has a closed form from zero alone.
        feedback: b, for feedback_alignment.

    Raises `ArgumentError` for numbers outside these ranges.

    >>> round(passage_time("sgd", 0.5, strength=1.7, start=0.01), 12)
    1.508793739683
    >>> round(passage_time("feedback_alignment", 0.5, strength=1.7, feedback=0.8), 12)  # no plateau
    0.962464116372
    """
    name = checks.rule(rule, ("sgd", "feedback_alignment"))
    x, s, u = _share(share), checks.positive("strength", strength), checks.non_negative("start", start)
    x, s, u = arguments.broadcast(share=x, strength=s, start=u)
    if name == "sgd":
        if feedback is not None:
            raise ArgumentError("feedback", "must be left out for sgd", feedback)
        if (x * s < u).any():
            raise ArgumentError(
                "share", "must not be below start / strength", share, "It is passed at time 0."
            )
        with np.errstate(divide="ignore"):
            found = np.where(u > 0, formulas.sgd_times()(s, np.where(u > 0, u, s / 2), x)[0], math.inf)
        return arguments.scalar(np.asarray(np.maximum(found, 0.0)))
    if u.any():
        raise ArgumentError(
            "start", "must be 0 for feedback_alignment", start, "Use `mode`, which integrates."
        )
    if feedback is None:
        raise ArgumentError("feedback", "must be given for feedback_alignment", None)
    b = np.abs(checks.near_one("feedback", arguments.finite("feedback", feedback)))
    x, s, b = arguments.broadcast(share=x, strength=s, feedback=b)
    unit = np.asarray(formulas.feedback_scales()(b, s)[1])
    root = np.cbrt(x)
    return arguments.scalar(np.asarray(unit * formulas.clock()(root, _remaining(x, root))[0]))


def _remaining(x: Array, root: Array) -> Array:
    """log(1 - x^(1/3)) from 1 - x = (1 - r)(1 + r + r^2), which keeps the digits of shares near 1."""
    return np.log1p(-x) - np.log1p(root * (1 + root))


def delay(strength: Any, start: Any) -> Any:
    """Return log(s/u_0)/(2 s), how long gradient descent waits on its plateau before it learns a mode (saxe2014exact).

    Args:
        strength: s, positive; arrays broadcast.
        start: u_0, positive and below s.

    Raises `ArgumentError` for numbers outside these ranges.

    >>> round(delay(1.7, 0.01), 12)
    1.510528952074
    """
    s, u = arguments.broadcast(
        strength=checks.positive("strength", strength), start=checks.positive("start", start)
    )
    if (u >= s).any():
        raise ArgumentError("start", "must be below the strength", start, "There is no plateau.")
    return arguments.scalar(np.asarray(formulas.sgd_times()(s, u, 0.5)[1]))


def resting_feedback(strength: Any, *, damping: Any) -> Any:
    """Return s/(s^2 + gamma), where the feedback of a weight s at rest ends by information alignment (kunin2020two).

    Where W follows as well, it is sqrt((alpha - gamma)/beta) whatever the strength: `alignment.coupled`.

    Args:
        strength: singular value of the weights, positive; arrays broadcast.
        damping: gamma, not negative (alpha = beta = 1).

    >>> resting_feedback(2.0, damping=1.0)
    0.4
    """
    s, held = checks.positive("strength", strength), checks.non_negative("damping", damping)
    s, held = arguments.broadcast(strength=s, damping=held)
    return arguments.scalar(np.asarray(formulas.rests()(s, held)[1]))


@pictured
@dataclass(frozen=True)
class Signature:
    """What gives a rule away.

    `exponent`: d log|.|/d log s of what `of` names, at the end; infinite where it grows for ever. `plateau`: whether a
    small start delays learning by the logarithm of its size. `scale_free`: whether the first steps are of one length,
    whatever the loss is multiplied with.
    """

    rule: str
    exponent: float
    of: str
    plateau: bool
    scale_free: bool


def signature(rule: str) -> Signature:
    """Return how the end of a trajectory scales with the strength of what is learnt, and how it starts.

    Args:
        rule: sgd, momentum, adam, feedback_alignment, kolen_pollack, information_alignment, hebb or oja. Momentum and
            Adam rest where gradient descent does. Feedback that does not vanish at the start leaves no plateau.

    >>> signature("feedback_alignment")
    Signature(rule='feedback_alignment', exponent=0.3333333333333333, of='first layer', plateau=False, scale_free=False)
    >>> signature("sgd").exponent, signature("sgd").plateau, signature("adam").scale_free
    (0.5, True, True)
    """
    name = checks.rule(rule, (*theory.MODE_RULES, *_OTHERS))
    if name in ("hebb", "oja"):  # e^(Ct) w_0, and the same over its norm
        return Signature(name, math.inf if name == "hebb" else 0.0, "weights", True, False)
    mode = name if name in theory.MODE_RULES else "sgd"
    begins = theory.flow(mode)[0].subs({theory.FIRST: 0, theory.SECOND: 0})
    of = "feedback" if name == "information_alignment" else "first layer"
    plateau = bool(begins == 0) and name != "adam"  # whose first steps have one length
    return Signature(name, float(theory.norm_exponent(mode)), of, plateau, name == "adam")


def adam(steps: Any, *, learning_rate: Any, gradient: Any, epsilon: Any = 1e-8) -> Any:
    """Return how far Adam moves a weight in its first steps, eta n/(1 + epsilon/|g|): eta n, whatever the loss's scale.

    Exact while the gradient is steady, for any beta_1 and beta_2.

    Args:
        steps: n, integers from 0; arrays broadcast.
        learning_rate: eta, positive.
        gradient: g, of any sign, not 0.
        epsilon: of Adam.

    >>> round(adam(10, learning_rate=1e-3, gradient=3e5), 12), round(adam(10, learning_rate=1e-3, gradient=1e-8), 12)
    (0.01, 0.005)
    """
    n = arguments.non_negative("steps", steps)
    if (n != np.floor(n)).any():
        raise ArgumentError("steps", "must be whole", steps)
    checks.near_one("steps", n, zero=True)
    rate, damping = checks.positive("learning_rate", learning_rate), checks.non_negative("epsilon", epsilon)
    g = np.abs(checks.near_one("gradient", arguments.finite("gradient", gradient)))
    n, rate, g, damping = arguments.broadcast(steps=n, learning_rate=rate, gradient=g, epsilon=damping)
    return arguments.scalar(np.asarray(formulas.adam()(rate, n, g, damping)))


def hebb(covariance: Any, start: Any, t: Any) -> Array:
    """Return e^(Ct) w_0, the weights at time t by Hebb's rule w' = C w.

    Args:
        covariance: C, (n, n), the mean of x x', symmetric without negative eigenvalues.
        start: w_0, (n,).
        t: times, finite; the result has their shape and (n,) behind it.

    Raises `DomainError` where weights grow beyond any float.

    >>> hebb([[2.0, 0.0], [0.0, 1.0]], [0.1, 0.1], 1.0).round(6).tolist()
    [0.738906, 0.271828]
    """
    values, vectors, along, times = _plane(covariance, start, t)
    with np.errstate(over="ignore", invalid="ignore"):
        parts = np.where(along == 0, 0.0, np.asarray(formulas.hebb()(along, values, times)))
        found = np.asarray(parts @ vectors.T)
    if not np.isfinite(found).all():
        raise DomainError(
            f"Weights grow beyond any float by t = {times.max():g}. Take an earlier time, or Oja's rule."
        )
    return found


def oja(covariance: Any, start: Any, t: Any) -> Array:
    """Return e^(Ct) w_0 / sqrt(1 + w_0'(e^(2Ct) - I) w_0), the weights at time t by Oja's rule w' = C w - (w'C w) w.

    They come to length 1 and the top eigenvector of C that they start with a part of (oja1982simplified).

    Args:
        covariance: C, (n, n), the mean of x x', symmetric without negative eigenvalues.
        start: w_0, (n,), of any length.
        t: times, finite; the result has their shape and (n,) behind it.

    Raises `ArgumentError` for other shapes or sizes outside 1e-30 to 1e30.

    >>> oja([[2.0, 0.0], [0.0, 1.0]], [0.1, 0.1], 1.0).round(6).tolist()
    [0.58418, 0.214908]
    """
    values, vectors, along, times = _plane(covariance, start, t)
    some = np.abs(along) > 0
    if not some.any():
        return np.zeros(np.broadcast_shapes(times.shape, along.shape))
    largest = values[some].max()
    values = np.minimum(values, largest)  # of those that the start has no part of
    terms = np.asarray(formulas.oja_term()(along, values, largest, times))
    total = terms.sum(-1, keepdims=True)
    parts = np.asarray(formulas.oja_component()(along, values, largest, times, total))
    return np.asarray(parts @ vectors.T)


def _plane(covariance: Any, start: Any, t: Any) -> tuple[Array, Array, Array, Array]:
    """Eigenvalues and eigenvectors of C, components of the start along them, and times with an axis behind."""
    from widelimit.numerics.alignment import checks as matrices

    w = arguments.vector("start", start)
    checks.near_one("start", w, zero=True)
    values, vectors = matrices.covariance(arguments.real("covariance", covariance), w.size)
    checks.near_one("covariance", values.max(keepdims=True))
    times = checks.near_one("t", arguments.non_negative("t", t), zero=True)
    return values, vectors, vectors.T @ w, times[..., None]


def _share(value: Any) -> Array:
    x = arguments.real("share", value)
    if not ((x > 1e-90) & (x < 1)).all():
        raise ArgumentError("share", "must be above 0 and below 1", value)
    return x
