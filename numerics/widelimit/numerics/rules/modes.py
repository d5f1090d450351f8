"""Trajectories of a linear mode by four rules: closed forms where there are some, else the flow integrated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.rules import checks, formulas
from widelimit.theory import rules as theory
from widelimit.theory.errors import ArgumentError, ConvergenceError, WidelimitError

Array = np.ndarray
_ROUNDS = 60  # of Newton's method, which takes under ten
_EVALUATIONS = 20_000  # of a flow
_STIFF = 2_000.0  # relaxations, beyond which steps of an explicit method would be limited by its stability
_ACCURACY = 1e-12


@by_value
@dataclass(frozen=True)
class Mode:
    """Weights of a mode at time t.

    `first`: v, of the layer below, which learns by what the feedback brings back; `second`: w, of the layer above;
    `product`: w v, which learns the strength; `feedback`: b (w itself by gradient descent). `method`: "closed form", or
    "integrated" where there is none.
    """

    first: Any
    second: Any
    product: Any
    feedback: Any
    method: str


def mode(
    rule: str, t: Any, *, strength: Any, start: Any = 0.0, feedback: Any = None, decay: Any = 0.0
) -> Mode:
    """Return the weights of a linear mode at time t of learning by a rule, for the loss (s - w v)^2 / 2.

    sgd has w v = u = s e^(2st)/(e^(2st) - 1 + s/u_0), with s - lambda for s in it where weights decay (saxe2014exact);
    feedback_alignment from zero t = k/(b s) F(v/k), k = (2bs)^(1/3), w = v^2/(2b). All else is integrated to 12 digits:
    starts of feedback alignment beyond zero, its decay, Kolen and Pollack's rule, whose w - b falls exactly as
    exp(-lambda t), and information alignment.

    Args:
        rule: sgd, feedback_alignment, kolen_pollack or information_alignment; fa, kp and ia are short for them.
        t: times, steps times learning rate; infinite ones where there is a closed form. Arrays broadcast.
        strength: s, positive.
        start: u_0, the product at time 0, at which both weights are its root.
        feedback: b, or b at time 0 where it learns; must be given for all rules but sgd, which has none.
        decay: lambda, of both weights and of a feedback that follows them; of the feedback alone (gamma) for
            information_alignment, which has alpha = beta = 1.

    Raises `ArgumentError` for numbers outside these ranges or sizes outside 1e-30 to 1e30, `ConvergenceError` where a
    flow takes too many steps.

    >>> found = mode("feedback_alignment", 1.2, strength=1.7, feedback=0.8)
    >>> round(found.first, 11), round(found.second, 12), found.method
    (1.23650894753, 0.955596485819, 'closed form')
    >>> round(mode("sgd", 2.0, strength=1.7, start=0.01).product, 11)
    1.43070185185
    >>> found = mode("information_alignment", 1.0, strength=1.7, start=0.1, feedback=0.5, decay=0.2)
    >>> round(found.first, 8), round(found.second, 8), round(found.feedback, 8)
    (1.01718807, 1.07288349, 0.7193556)
    >>> rest = mode("kolen_pollack", 200.0, strength=1.7, feedback=0.5, decay=0.2)  # all end at sqrt(s - lambda)
    >>> round(rest.first**2, 9), round(rest.second**2, 9), round(rest.feedback**2, 9)
    (1.5, 1.5, 1.5)
    """
    name = checks.rule(rule, theory.MODE_RULES)
    times, s = checks.times(t), checks.positive("strength", strength)
    u, held = checks.non_negative("start", start), checks.non_negative("decay", decay)
    b = _feedback(name, feedback)
    times, s, u, b, held = arguments.broadcast(t=times, strength=s, start=u, feedback=b, decay=held)
    closed = name == "sgd" or (name == "feedback_alignment" and not u.any() and not held.any())
    if name == "sgd":
        found = _descended(times, s, u, held)
    elif closed:
        found = _from_zero(times, s, b)
    else:
        found = _integrated(name, times, s, u, b, held)
    v, w, back = found
    first, second, product, carried = (arguments.scalar(np.asarray(one)) for one in (v, w, v * w, back))
    return Mode(first, second, product, carried, "closed form" if closed else "integrated")


def _feedback(name: str, value: Any) -> Array:
    if name == "sgd":
        if value is not None:
            help = "Gradient descent brings errors back by the weights themselves."
            raise ArgumentError("feedback", "must be left out for sgd", value, help)
        return np.asarray(1.0)
    if value is None:
        raise ArgumentError("feedback", f"must be given for {name}", None, "Pass the backward weight b.")
    return checks.near_one("feedback", arguments.finite("feedback", value))


def _descended(t: Array, s: Array, u: Array, held: Array) -> tuple[Array, Array, Array]:
    ends = np.isinf(t)
    moving = np.asarray(formulas.sgd_product()(s, u, held, np.where(ends, 0.0, t)))
    rest = np.asarray(formulas.rests()(np.maximum(s, held), held)[0]) ** 2
    product = np.where(ends, np.where(u > 0, rest, 0.0), moving)
    root = np.sqrt(product)
    return root, root, root


def _from_zero(t: Array, s: Array, b: Array) -> tuple[Array, Array, Array]:
    size = np.abs(b)
    end, unit = (np.asarray(one) for one in formulas.feedback_scales()(size, s))
    v = end * share(t / unit)
    w = np.asarray(formulas.feedback_second()(v, size))
    return np.sign(b) * v, np.sign(b) * w, b


def share(clock: Any) -> Array:
    """Return x with F(x) = clock, for clocks from 0 to infinity: Newton's method in z = log(1 - x).

    F is concave and falls in z with slopes between -1 and -1/3, so that Newton's steps from z = -clock come down on
    the root from above without passing it; digits of 1 - x are kept.
    """
    wanted = np.asarray(clock, float)
    capped = np.minimum(wanted, 1e6)  # beyond, x is 1 to all digits
    z = -capped
    for _ in range(_ROUNDS):
        value, slope = (np.asarray(one) for one in formulas.clock()(-np.expm1(z), z))
        step = (value - capped) / slope
        z = np.minimum(z - step, 0.0)
        if (np.abs(step) <= 4e-16 * np.abs(z)).all():
            break
    return np.asarray(-np.expm1(z))


def _integrated(name: str, t: Array, s: Array, u: Array, b: Array, held: Array) -> tuple[Array, Array, Array]:
    if np.isinf(t).any():
        help = "There is no closed form of where this goes: pass a late time."
        raise ArgumentError("t", f"must be finite for {name} with this start", math.inf, help)
    cases = np.stack([s, u, b, held], axis=-1).reshape(-1, 4)
    flat, found = t.reshape(-1), np.zeros((3, t.size))
    which, place = np.unique(cases, axis=0, return_inverse=True)
    for k, case in enumerate(which):
        chosen = np.flatnonzero(place.reshape(-1) == k)
        found[:, chosen] = _course(name, flat[chosen], *case.tolist())
    v, w, back = found.reshape(3, *t.shape)
    return v, w, back


def _course(name: str, t: Array, s: float, u: float, b: float, held: float) -> Array:
    """v, w, b of one mode at some times, (3, times)."""
    root = math.sqrt(u)
    start = np.array([root, root, b])
    last = float(t.max())
    if last == 0:
        return np.repeat(start[:, None], len(t), axis=1)
    scale = math.sqrt(s)
    tolerance = 1e-14 * np.array([scale, scale, max(abs(b), scale)])
    fast = last * max(s, b * b, held, u)
    ordered, back = np.unique(t, return_inverse=True)
    options: dict[str, Any] = {"t_eval": ordered, "rtol": _ACCURACY, "atol": tolerance}
    method = "DOP853" if fast < _STIFF else "Radau"  # an implicit method at late times
    try:
        with np.errstate(all="ignore"):
            done = solve_ivp(_counted(name, s, held), (0.0, last), start, method=method, **options)
        failed = "" if done.success and np.isfinite(done.y).all() else str(done.message)
    except (ValueError, np.linalg.LinAlgError) as error:
        if isinstance(error, WidelimitError):
            raise
        failed = str(error)
    if failed:
        raise ConvergenceError(
            f"The flow of {name} could not be followed to t = {last:g} ({failed}). Take an earlier time, or units in "
            "which strength and feedback are near 1."
        )
    found = done.y[:, back.reshape(-1)]
    if name == "kolen_pollack":  # exactly
        found[2] = found[1] - (root - b) * np.asarray(formulas.imbalance()(held, t))
    return np.asarray(found)


def _counted(name: str, s: float, held: float) -> Callable[[float, Array], list[float]]:
    """The flow as a function that gives up."""
    moved = formulas.flow(name).njit
    left = [_EVALUATIONS]

    def flow(_: float, y: Array) -> list[float]:
        left[0] -= 1
        if left[0] < 0:
            raise ConvergenceError(
                f"The flow of {name} takes more than {_EVALUATIONS} evaluations: it has fast and slow parts. Take an "
                "earlier time, or a feedback nearer to the root of the strength."
            )
        return list(moved(y[0], y[1], y[2], s, held))

    return flow
