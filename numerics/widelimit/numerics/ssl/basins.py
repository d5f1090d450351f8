"""Which starts survive: the border of the basin, and the smallest predictor that a moving target forgives."""

from __future__ import annotations

from typing import Any

import numpy as np

from widelimit.numerics.ssl import loops, settings, terms
from widelimit.numerics.ssl.points import roots, saddle
from widelimit.theory.errors import ConvergenceError

Array = np.ndarray
_NEARLY_ZERO = 1e-10  # of a target's scale


def basin(
    *,
    predictor: Any,
    weight_decay: Any,
    augmentation: Any,
    signal: Any = 1.0,
    target_scale: Any = 1.0,
    predictor_rate: Any = 1.0,
) -> Any:
    """Return s_c(p0): a mode that starts with the predictor p0 survives if its covariance is above s_c.

    The border is the stable manifold of the unstable fixed point, followed away from it, where errors shrink. It falls
    up to p_+ (a larger predictor needs less), is finite at p0 = 0 (a zero predictor does not collapse), and rises
    beyond p_+, where a predictor first shrinks the network. Infinite where weight decay is above the critical one.

    Args:
        predictor: eigenvalue of the predictor at the start, of either sign.
        weight_decay, augmentation, signal, target_scale, predictor_rate: as in `fixed_points`; the target keeps its
            ratio to the online network.

    >>> border = basin(predictor=[0.0, 0.01, 0.1], weight_decay=0.04, augmentation=0.5)
    >>> border.round(13).tolist()
    [0.0043251250022, 0.0035806355099, 0.0004734049157]
    """
    given = settings.start("predictor", predictor, signed=True)
    m = settings.modes(
        weight_decay, augmentation, signal, target_scale, predictor_rate, "learned", 0.5,
        dead=False, predictor=given,
    )  # fmt: skip
    stops = m.further["predictor"]
    _, low = roots(m)
    found = np.full(m.shape, np.inf)
    free = m.alive & (m.decay == 0)  # s - p^2/alpha_p is conserved, and p = 0 is the only way to die
    found[free] = np.asarray(terms.LEARNED(np.minimum(stops, 0.0), m.rate))[free]
    here = m.alive & (m.decay > 0)
    if here.any():
        found[here] = _manifold(m, low, stops, here)
    return settings.number(found)


def _manifold(m: settings.Modes, low: Array, stops: Array, here: Array) -> Array:
    """Follow log s along the border in p, from p_- to where it is asked for."""
    at = low[here]
    logs = np.log(np.asarray(terms.LEARNED(low, m.rate))[here])
    slopes = np.asarray(terms.BORDER(low, *m.constants))[here]
    rows = (m.rate, np.ones(m.shape), m.signal, m.spread, m.decay, m.power, np.zeros(m.shape), m.target)
    constants = np.stack([one[here] for one in rows])
    out = np.empty(at.size)
    loops.along(loops.BORDER, at, logs, slopes, stops[here], constants, out)
    return _exponential(out)


def critical_predictor(
    *,
    weight_decay: Any,
    augmentation: Any,
    ema_rate: Any = None,
    target_scale: Any = 1.0,
    signal: Any = 1.0,
    rule: str = "learned",
    exponent: Any = 0.5,
) -> Any:
    """Return the smallest predictor on the parabola s = p^2/alpha_p from which a mode survives.

    With a target that keeps its ratio it is p_-. With one that is a moving average, `target_scale` is where it starts:
    at 1 the answer is p_- for any rate; one that starts at zero has to grow first, and asks for the more predictor the
    slower it is; a target below some rate leaves no such start. Infinite also above the critical weight decay.

    Args:
        ema_rate: beta of the average, (1 - momentum) per unit of time. Default: a target that keeps its ratio.
        target_scale: the target over the online network, at time 0 with `ema_rate`.
        weight_decay, augmentation, signal, rule, exponent: as in `fixed_points`.

    >>> given = dict(weight_decay=0.04, augmentation=0.5)
    >>> critical_predictor(ema_rate=[0.05, 0.4, 2.0], target_scale=0.0, **given).round(10).tolist()
    [0.0752181138, 0.0471569911, 0.0436464661]
    >>> round(critical_predictor(ema_rate=0.4, **given), 12), round(critical_predictor(target_scale=0.8, **given), 12)
    (0.042740070431, 0.055848155989)
    """
    if ema_rate is None:
        m = settings.modes(weight_decay, augmentation, signal, target_scale, 1.0, rule, exponent)
        return settings.number(np.where(m.alive, roots(m)[1], np.inf))
    from_scale = settings.scale("target_scale", target_scale, zero=True)
    ema = settings.scale("ema_rate", ema_rate)
    m = settings.modes(
        weight_decay, augmentation, signal, 1.0, 1.0, rule, exponent, dead=False,
        ema_rate=ema, from_scale=from_scale,
    )  # fmt: skip
    low = roots(m)[1]
    found = np.where(m.alive, 0.0, np.inf)
    here = m.alive & (low > 0)
    if here.any():
        down = saddle(m, low, m.further["ema_rate"])[1].real
        slopes = (np.asarray(terms.DIRECTION(down, low, m.power, *m.constants)) / low)[here]
        rows = (m.rate, m.further["ema_rate"], m.signal, m.spread, m.decay, m.power, np.ones(m.shape))
        constants = np.stack([one[here] for one in rows])
        found[here] = _from_target(np.log(low[here]), slopes, m.further["from_scale"][here], constants)
    return settings.number(found)


def _from_target(logs: Array, slopes: Array, stops: Array, constants: Array) -> Array:
    """Follow log p along the stable manifold in tau, from 1 to where the target starts.

    Towards tau = 0 with a large p it is tau = k/p + beta/(c p^2): for a positive k no start at tau = 0 is large enough.
    """
    out, near = np.empty(logs.size), np.maximum(stops, _NEARLY_ZERO)
    loops.along(loops.MANIFOLD, np.ones(logs.size), logs, slopes, near, constants, out)
    found = _exponential(out)
    if (stops >= _NEARLY_ZERO).all():
        return found
    _, ema, signal, spread = constants[:4]
    with np.errstate(over="ignore", divide="ignore"):
        kept = near - ema / ((signal + spread) * found**2)
    short = stops < _NEARLY_ZERO
    loops.along(
        loops.MANIFOLD, np.ones(logs.size), logs, slopes, np.where(kept < 0, stops, near), constants, out
    )
    return np.where(short & (kept >= 0), np.inf, _exponential(out))


def _exponential(logs: Array) -> Array:
    if np.isnan(logs).any():
        raise ConvergenceError(
            "The border of the basin takes more than 100000 steps from the fixed point to this start: "
            "rates are too different. Choose a start nearer to the fixed points."
        )
    with np.errstate(under="ignore", over="ignore"):
        return np.exp(logs)
