"""Adaptation of a rectified cell to contrast by recurrent inhibition, and what a static cell does without any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.retina import checks, formulas
from widelimit.numerics.retina.noise import standard
from widelimit.theory.errors import ArgumentError, ConvergenceError

Array = np.ndarray
_STEPS = 400


@by_value
@dataclass(frozen=True)
class Adaptation:
    """`state`: m at rest; `gain`: E[r z]/s, the linear gain; `recovery`: time constant of m, in the unit of tau."""

    state: Any
    gain: Any
    recovery: Any


def adaptation(*, contrast: Any, feedback: Any, threshold: Any, tau: Any = 1) -> Adaptation:
    """Return the adapted state of tau dm/dt = -m + r, r = [s z - w m - b]_+ with white z ~ N(0, 1).

    m = s pdf(q) - (w m + b) Phi(-q) with q = (w m + b)/s, gain Phi(-q), recovery tau/(1 + w Phi(-q)). The gain does not
    depend on s for b = 0, rises with it for b > 0, and falls - adaptation - for b < 0, a tonic drive.

    Args:
        contrast: s, standard deviation of the input; arrays broadcast.
        feedback: w, strength of the inhibition; above -1 (negative: excitation).
        threshold: b.
        tau: time constant of the feedback.

    Raises `ArgumentError` for a contrast or tau that is not positive, or a feedback of -1 or less.

    >>> found = adaptation(contrast=[0.5, 1.0, 2.0], feedback=2.0, threshold=-0.5)
    >>> found.gain.round(10).tolist()
    [0.5394706988, 0.4389461236, 0.3856485151]
    >>> found.recovery.round(10).tolist()  # 1/(1 + 2 gain)
    [0.4810140397, 0.5325119167, 0.5645580515]
    """
    s, t = checks.scale("contrast", contrast), checks.scale("tau", tau)
    w, b = checks.level("feedback", feedback), checks.level("threshold", threshold)
    if (w <= -1).any():
        help = "Excitation of the cell's own strength has no single state."
        raise ArgumentError("feedback", "must be above -1", float(w[w <= -1].flat[0]), help)
    s, w, b, t = arguments.broadcast(contrast=s, feedback=w, threshold=b, tau=t)
    q, mean = _rest(w, b / s)
    gain = np.asarray(formulas.passing()(q))
    parts = (s * mean, gain, np.asarray(formulas.recovery()(t, w, gain)))
    return Adaptation(*(arguments.scalar(np.asarray(one)) for one in parts))


def static_gain(contrast: Any, width: Any, *, gain: Any = 1) -> Any:
    """Return E f'(u) of f(u) = erf(u/(c sqrt 2)), u of deviation s kappa: sqrt(2/pi)/sqrt(c^2 + s^2 kappa^2).

    The control: it falls with contrast although nothing adapts. Only what falls beyond it is adaptation.

    Args:
        contrast: s; arrays broadcast.
        width: c of the nonlinearity.
        gain: kappa of the filter.

    Raises `ArgumentError` for numbers that are not positive.

    >>> round(static_gain(1.0, 1.0), 9)  # 1/sqrt(pi)
    0.564189584
    """
    s, c, k = (checks.scale(n, v) for n, v in (("contrast", contrast), ("width", width), ("gain", gain)))
    s, c, k = arguments.broadcast(contrast=s, width=c, gain=k)
    return arguments.scalar(np.asarray(formulas.static_gain()(c, s * k)))


def _rest(feedback: Array, threshold: Array) -> tuple[Array, Array]:
    """Solve q = b + w H(q), H(q) = E [z - q]_+, in units of s: Newton from b, which nears the root from one side."""
    w, b = np.atleast_1d(feedback), np.atleast_1d(threshold)
    q = b.astype(float).copy()
    for _ in range(_STEPS):
        mean = standard(-q)[0]
        passed = np.asarray(formulas.passing()(q))
        step = (q - b - w * mean) / (1 + w * passed)
        q = q - step
        if (np.abs(step) <= 4e-16 * np.maximum(np.abs(q), 1.0)).all():
            break
    else:
        if (np.abs(step) > 1e-12 * np.maximum(np.abs(q), 1.0)).any():
            raise ConvergenceError("The adapted state was not found: Newton's steps do not shrink.")
    mean = standard(-q)[0]
    return q.reshape(np.shape(threshold)), mean.reshape(np.shape(threshold))
