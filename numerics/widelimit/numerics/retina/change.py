"""Two recordings of one cell at two contrasts: how its gain changes beyond what its nonlinearity makes of contrast."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.retina.filters import by_drive, lagged, sta
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray
_FEWEST = 400  # bins of a recording
_BLOCKS = 20  # of the jackknife, of each recording
_CURVE = 100  # samples behind a point of the nonlinearity, at least


@by_value
@dataclass(frozen=True)
class ContrastChange:
    """Change of a cell's linear gain from one recording to another.

    `gain`: cov(u, r)/var(u) of response and drive u, the stimulus along the filter (of unit length), in each recording;
    `contrast`: the deviation of u; `change`: ln(gain_2/gain_1). `static`: what of it a cell without memory shows, whose
    nonlinearity is that of the recording of larger contrast; `adaptation` = change - static, `standard_error` of it by
    the jackknife over blocks of time.
    """

    contrast: tuple[float, float]
    gain: tuple[float, float]
    change: float
    static: float
    adaptation: float
    standard_error: float

    @property
    def z(self) -> float:
        """Return `adaptation` in standard errors."""
        return self.adaptation / self.standard_error if self.standard_error > 0 else math.nan


def contrast_change(first: Any, second: Any, *, lags: int = 1) -> ContrastChange:
    """Return how a cell's gain changes between two contrasts, with the static control subtracted.

    A saturating nonlinearity loses gain at high contrast although nothing adapts. So the nonlinearity is read off the
    recording with more contrast and applied to the stimulus of the other; the gain of that is what a static cell would
    have. Filters are found in one half of both recordings and used on the other half. For stimuli that are white, and
    filters that are the same in both but for their size.

    Args:
        first, second: pairs (stimulus, response) of arrays or files, as `cell` takes them; white stimuli of different
            standard deviations.
        lags: frames of the stimulus, up to the bin's own, that a response may depend on.

    Raises `ArgumentError` for what is no pair, stimuli of different shapes or of the same contrast, or fewer than 400
    bins; `DomainError` where a gain is not positive, so that it has no logarithm.

    >>> rng = np.random.default_rng(0)
    >>> def recording(contrast):  # erf saturates, nothing adapts
    ...     x = contrast * rng.standard_normal((20_000, 8))
    ...     return x, rng.poisson(2 + 2 * np.tanh(x @ np.full(8, 0.5)))
    >>> found = contrast_change(recording(0.5), recording(1.5))
    >>> found.change < -0.5, abs(found.z) < 3
    (True, True)
    """
    depth = arguments.count("lags", lags)
    x, r = zip(
        *(_recording(name, one, depth) for name, one in (("first", first), ("second", second))), strict=True
    )
    if x[0].shape[1] != x[1].shape[1]:
        raise ArgumentError("second", f"must have {x[0].shape[1]} numbers a bin, as first", x[1].shape[1])
    drives = _drives(x, r)
    spread = [float(u.std()) for u in drives]
    if max(spread) < 1.05 * min(spread):
        raise ArgumentError(
            "second", "must have another contrast than first", but=f"has {spread[1]:.4g} for {spread[0]:.4g}"
        )
    more = int(spread[1] > spread[0])
    loud, quiet = (drives[more], r[more]), (drives[1 - more], r[1 - more])
    whole = _gains(loud, quiet)
    if not min(whole) > 0:
        raise DomainError("A gain is not positive: the recordings are too short to see the filter.")
    sign = 1.0 if more else -1.0  # of the change from less contrast to more
    change, static, adaptation = (sign * one for one in _logarithms(whole))
    variance = sum(_jackknife(loud, quiet, which) for which in (0, 1))
    gain = (whole[1], whole[0]) if more else (whole[0], whole[1])
    return ContrastChange((spread[0], spread[1]), gain, change, static, adaptation, math.sqrt(variance))


def _recording(name: str, pair: Any, lags: int) -> tuple[Array, Array]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ArgumentError(name, "must be a pair (stimulus, response)", pair)
    x, r = lagged(pair[0], pair[1], lags)
    if len(r) < _FEWEST:
        raise ArgumentError(name, f"must have {_FEWEST} bins or more", but=f"has {len(r)}")
    return np.asarray(x, float).reshape(len(x), -1), r


def _drives(x: tuple[Array, ...], r: tuple[Array, ...]) -> list[Array]:
    """What filters of the other half make of both stimuli; filters are sums of those that both recordings show."""
    drives = [np.empty(len(one)) for one in r]
    for half in (0, 1):
        found = []
        for rows, one in zip(x, r, strict=True):
            train = _halves(len(one))[half]
            if (one[train] == one[train][0]).all():
                raise ArgumentError("response", "must vary in both halves of a recording", but="does not")
            average = sta(rows[train], one[train]).filter
            found.append(average * len(one) / rows[train].var())
        k = found[0] + found[1]
        k = k / np.linalg.norm(k)
        for rows, drive in zip(x, drives, strict=True):
            test = _halves(len(drive))[1 - half]
            drive[test] = rows[test] @ k
    return drives


def _halves(count: int) -> tuple[slice, slice]:
    return slice(0, count // 2), slice(count // 2, None)


def _gains(loud: tuple[Array, Array], quiet: tuple[Array, Array]) -> tuple[float, float, float]:
    """Gain at more contrast and at less, and what the nonlinearity at more makes of the stimulus at less."""
    drive, response = loud
    _, centres, means = by_drive(drive, response, max(8, min(80, len(drive) // _CURVE)))
    return _gain(drive, response), _gain(*quiet), _gain(quiet[0], np.interp(quiet[0], centres, means))


def _gain(drive: Array, response: Array) -> float:
    away = drive - drive.mean()
    return float(away @ response / (away @ away))


def _logarithms(gains: tuple[float, float, float]) -> tuple[float, float, float]:
    """The change from less contrast to more, that of a static cell, and what is left."""
    more, less, control = (math.log(one) for one in gains)
    return more - less, more - control, control - less


def _jackknife(loud: tuple[Array, Array], quiet: tuple[Array, Array], which: int) -> float:
    """Variance of the adaptation by leaving out blocks of one recording; the filter stays."""
    both = [loud, quiet]
    count, found = len(both[which][0]), []
    for part in np.array_split(np.arange(count), _BLOCKS):
        keep = np.ones(count, bool)
        keep[part] = False
        left = list(both)
        left[which] = (both[which][0][keep], both[which][1][keep])
        gains = _gains(left[0], left[1])
        if not min(gains) > 0:
            return math.inf
        found.append(_logarithms(gains)[2])
    return float((_BLOCKS - 1) * np.var(found))
