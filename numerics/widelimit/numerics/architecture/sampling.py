"""Units that are not Gaussian, by samples of them: activations behind sums with shortcuts, maxima over positions.

Behind weights units are Gaussian fields over inputs and positions, of which samples are drawn (`law_of`), with their
second moments exactly; functions of them, sums of independent ones and maxima are those of the samples. A unit's
derivatives are products of what came from the weights before it, the same for all units, and of its own slopes: the
tangent kernel is the sum over all ways (`Way`) of the first times the mean product of the second.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from widelimit.numerics.architecture.state import Law, State, Way
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.compile.cache import njit
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.kernel import slope

_COUNT = (2**11, 2**17)  # samples, fewest and most
_PRODUCTS = 2**29  # of pairs of positions in samples, above the fewest
BATCHES = 8  # of samples, whose scatter is the error
_WHITE = 8  # samples a position, above which they get their second moments exactly

Known = Callable[[], Law]


def law_of(s: State, path: tuple[int, ...]) -> Known | None:
    """Return what draws samples of units, None where their law is not known; `path` seeds those of Gaussian units."""
    if s.law is not None or not s.sampling or not s.gaussian or s.averaged_gain:
        return s.law
    return functools.cache(lambda: _gaussian(s, path, _count(s.k.shape[1])))


def _count(positions: int) -> int:
    return int(np.clip(_PRODUCTS // positions**2, *_COUNT))


def _gaussian(s: State, path: tuple[int, ...], count: int) -> Law:
    """Samples of a Gaussian field; a trained gain that is pending multiplies the unit itself."""
    k, theta = s.k[0], s.theta[0]
    random = np.random.default_rng([len(path), *path, len(k)])
    units = random.standard_normal((count, len(k)))
    if count >= _WHITE * len(k):
        units = units @ np.linalg.inv(np.linalg.cholesky(units.T @ units / count)).T
    units = units @ root(k).T
    return _with_gain(Law(units, (Way(theta, np.ones_like(units)),)), s.gain)


def root(k: np.ndarray) -> np.ndarray:
    """Return R with R R^T = k, of a matrix that is positive semidefinite up to rounding."""
    values, vectors = np.linalg.eigh((k + k.T) / 2)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _with_gain(law: Law, gain: bool, shift: bool = False) -> Law:
    """The same units with a trained gain, and a trained shift, of each."""
    ones = np.ones((law.units.shape[1],) * 2)
    more = [Way(ones, law.units)] if gain else []
    more += [Way(ones, np.ones_like(law.units))] if shift else []
    return Law(law.units, (*law.ways, *more))


def divided(law: Known, centre: np.ndarray, width: np.ndarray, *, gain: bool, shift: bool) -> Known:
    """Units about numbers, divided by others, at all inputs and positions; then a trained gain and shift."""

    def known() -> Law:
        before, by = law(), width.ravel()
        ways = tuple(replace(one, slopes=one.slopes / by) for one in before.ways)
        return _with_gain(Law((before.units - centre.ravel()) / by, ways), gain, shift)

    return functools.cache(known)


def added(states: tuple[State, ...], path: tuple[int, ...]) -> Known | None:
    """What draws samples of sums of independent units; None where all are Gaussian, or the law of one is not known."""
    laws = [law_of(one, (*path, place)) for place, one in enumerate(states)]
    if all(one.gaussian and one.law is None for one in states) or any(one is None for one in laws):
        return None

    def known() -> Law:
        held = [one() for one in laws if one is not None]
        count = min(len(one.units) for one in held)
        ways = (
            replace(way, slopes=way.slopes[:count], at=None if way.at is None else way.at[:count])
            for one in held
            for way in one.ways
        )
        return Law(sum(one.units[:count] for one in held), tuple(ways))  # type: ignore[arg-type]

    return functools.cache(known)


@functools.lru_cache(maxsize=64)
def _functions(activation: Activation) -> tuple[Compiled, Compiled]:
    first, second = activation.expr, slope(activation)
    return compile(first, (X,), name="phi"), compile(second, (X,), name="slope")


def applied(activation: Activation, law: Known) -> Known:
    """What draws samples of an activation of units."""

    def known() -> Law:
        before, (phi, steep) = law(), _functions(activation)
        slopes = np.broadcast_to(steep(before.units), before.units.shape)
        ways = tuple(replace(one, slopes=one.slopes * slopes) for one in before.ways)
        return Law(np.broadcast_to(phi(before.units), before.units.shape), ways)

    return functools.cache(known)


def largest(law: Known, windows: np.ndarray, inputs: int) -> Known:
    """What draws samples of maxima over windows, (windows, positions) of 0 and 1, of every input."""
    reach = int(windows.sum(axis=1).max())
    taps = np.argsort(-windows, axis=1, kind="stable")[:, :reach]
    inside = np.take_along_axis(windows, taps, axis=1) > 0

    def known() -> Law:
        before, count = law(), windows.shape[1]
        values = before.units.reshape(len(before.units), inputs, count)
        best = np.argmax(np.where(inside, values[:, :, taps], -np.inf), axis=-1)
        place = np.take_along_axis(taps[None, None], best[..., None], axis=-1)[..., 0]
        at = (place + count * np.arange(inputs)[:, None]).reshape(len(values), -1)
        ways = tuple(
            Way(one.fresh, np.take_along_axis(one.slopes, at, axis=1),
                at if one.at is None else np.take_along_axis(one.at, at, axis=1))
            for one in before.ways
        )  # fmt: skip
        return Law(np.take_along_axis(before.units, at, axis=1), ways)

    return functools.cache(known)


def moments(law: Law) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return K and Theta of sampled units, their means, and two standard errors, relative to the largest entries."""
    parts = np.array_split(np.arange(len(law.units)), BATCHES)
    k = [law.units[one].T @ law.units[one] / len(one) for one in parts]
    theta = [tangent(law, one) for one in parts]
    error = max(error_of(k), error_of(theta))
    return np.mean(k, axis=0), np.mean(theta, axis=0), law.units.mean(axis=0), error


def tangent(law: Law, rows: np.ndarray) -> np.ndarray:
    """Theta of some of the samples."""
    total = np.zeros((law.units.shape[1],) * 2)
    for one in law.ways:
        slopes = np.ascontiguousarray(one.slopes[rows])
        if one.at is None:
            total += one.fresh * (slopes.T @ slopes) / len(rows)
        else:
            total += _gathered(one.fresh, slopes, np.ascontiguousarray(one.at[rows]))
    return total


@njit(cache=True)
def _gathered(fresh: np.ndarray, slopes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The mean over samples of fresh[at_a, at_b] slope_a slope_b."""
    count, width = slopes.shape
    total = np.zeros((width, width))
    for s in range(count):
        for a in range(width):
            row, steep = at[s, a], slopes[s, a]
            if steep != 0.0:
                for b in range(a + 1):
                    total[a, b] += fresh[row, at[s, b]] * steep * slopes[s, b]
    for a in range(width):
        for b in range(a):
            total[b, a] = total[a, b]
    return total / count


def error_of(parts: list[np.ndarray]) -> float:
    """Two standard errors of the mean of independent parts, relative to its largest entry."""
    scale = float(np.abs(np.mean(parts, axis=0)).max())
    return 2 * float(np.std(parts, axis=0, ddof=1).max()) / len(parts) ** 0.5 / scale if scale > 0 else 0.0
