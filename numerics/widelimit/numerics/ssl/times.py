"""How long it takes: from one predictor to another, and to collapse."""

from __future__ import annotations

from typing import Any

import numpy as np

from widelimit.numerics.ssl import settings, terms
from widelimit.numerics.ssl.points import roots
from widelimit.theory.errors import ArgumentError

Array = np.ndarray


def passage_time(
    start: Any,
    stop: Any,
    *,
    weight_decay: Any,
    augmentation: Any,
    signal: Any = 1.0,
    target_scale: Any = 1.0,
    rule: str = "learned",
    exponent: Any = 0.5,
) -> Any:
    """Time that a mode's predictor takes from `start` to `stop`, on the parabola s = p^2/alpha_p.

    p' = -c p (p - p_-)(p - p_+) by partial fractions, and the same integral where weight decay leaves no fixed point; a
    rule W_p = F^a is 2 a times as fast. It is infinite for a stop that is not on the way, or that is a fixed point.
    Time is in units of steps times the encoder's learning rate.

    Args:
        start, stop: eigenvalues of the predictor, positive.
        weight_decay, augmentation, signal, target_scale, rule, exponent: as in `fixed_points`.

    Raises `ArgumentError` for a start at p_-, from where a mode may go either way.

    >>> round(passage_time(0.05, 0.5, weight_decay=0.04, augmentation=0.5), 10)
    56.4420884942
    >>> passage_time([0.9, 0.03, 0.5], [0.63, 0.5, 0.01], weight_decay=0.04, augmentation=0.5).round(10).tolist()
    [5.7816096934, inf, inf]
    >>> round(passage_time(0.5, 0.1, weight_decay=0.2, augmentation=0.5), 9)
    29.725070201
    """
    m = settings.modes(
        weight_decay, augmentation, signal, target_scale, 1.0, rule, exponent, dead=False,
        start=settings.scale("start", start), stop=settings.scale("stop", stop),
    )  # fmt: skip
    first, last = m.further["start"], m.further["stop"]
    high, low = roots(m)
    stuck = m.alive & (low < high) & (np.abs(first - low) <= settings.SAME * low) & (first != last)
    if stuck.any():
        help = "A mode stays there, or leaves either way: start beside it."
        raise ArgumentError(
            "start", "must not be the unstable fixed point", float(first[stuck].flat[0]), help
        )
    upwards = (first > low) & (first < high)
    ahead = np.where(m.alive & upwards, last > first, last < first)
    short_of = np.where(upwards, high, np.where(first >= high, high, 0.0))
    reached = ahead & (~m.alive | np.where(upwards, last < short_of, last > short_of)) & (first != high)
    with np.errstate(all="ignore"):
        time = np.where(m.alive, _between_roots(m, first, last), _without_roots(m, first, last))
    return settings.number(np.where(first == last, 0.0, np.where(reached, time, np.inf)))


def _between_roots(m: settings.Modes, first: Array, last: Array) -> Array:
    """The time law with logarithms of ratios, each divided by what vanishes with it."""
    gap = np.maximum(m.gap, 0.0)
    low, high, low_excess, high_excess = terms.PASSAGE(first, last, gap, *m.constants)
    logs = (_over_excess(low, low_excess), _over_excess(high, high_excess))
    return np.asarray(terms.PASSED(*logs, first, last, m.power, gap, *m.constants))


def _over_excess(ratio: Array, excess: Array) -> Array:
    """log(y)/(y - 1), given both y and y - 1."""
    near = np.abs(excess) < 0.5
    safe = np.where(excess == 0, 1.0, excess)
    found = np.where(near, np.log1p(np.where(near, safe, 0.0)), np.log(np.where(near, 1.0, ratio))) / safe
    return np.where(excess == 0, 1.0, found)


def _without_roots(m: settings.Modes, first: Array, last: Array) -> Array:
    total = 2 * (m.signal + m.spread)
    ends = (total * p - m.target * m.signal for p in (first, last))
    gap = np.where(m.alive, -1.0, m.gap)
    decay = np.where(m.decay > 0, m.decay, 1.0)
    return np.asarray(terms.COLLAPSED(*ends, m.power, gap, m.target, m.signal, m.spread, decay))


def bottleneck_time(
    *,
    weight_decay: Any,
    augmentation: Any,
    signal: Any = 1.0,
    target_scale: Any = 1.0,
    rule: str = "learned",
    exponent: Any = 0.5,
) -> Any:
    """How long collapse waits just above the critical decay: pi/(p_c root(c (eta - eta_c))), p_c = tau x/(2 c).

    Training looks healthy that long, with the predictor near p_c. Leading order in eta/eta_c - 1; infinite where weight
    decay is not above the critical one. Arguments as in `fixed_points`.

    >>> round(bottleneck_time(weight_decay=(1 + 1e-4) / 6, augmentation=0.5), 6)
    1884.955592
    """
    m = settings.modes(weight_decay, augmentation, signal, target_scale, 1.0, rule, exponent, dead=False)
    gap = np.where(m.gap < 0, m.gap, -1.0)
    return settings.number(np.where(m.gap < 0, terms.BOTTLENECK(m.power, gap, *m.constants), np.inf))
