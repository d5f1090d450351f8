"""Spike-triggered averages with standard errors, in one pass over a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments, costs, threads
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.results import by_value
from widelimit.numerics.retina import checks, formulas
from widelimit.numerics.retina.sampling import needed
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_ROWS = 768  # of a block that is looked at once


@by_value
@dataclass(frozen=True)
class Filter:
    """A cell's filter: `filter` and `standard_error`, in the stimulus' shape.

    `cosine`: expected, with the truth. `snr`: of one sample, as `sta_accuracy` has it; `samples` and `dimensions`.
    """

    filter: Array
    standard_error: Array
    cosine: float
    snr: float
    samples: int
    dimensions: int

    def samples_for(self, cosine: Any) -> Any:
        """Return the samples that a wanted cosine with the truth takes, by the SNR found here."""
        return needed(self.dimensions, self.snr, cosine)


def sta(stimulus: Any, response: Any, covariance: Any = None, *, ridge: float = 0.0) -> Filter:
    """Return the spike-triggered average sum_t x_t (r_t - mean r) / n, with standard errors.

    With a `covariance` of the stimulus it is whitened, C^-1 STA: the best linear filter. Standard errors are those of
    the mean of products (x - mean x)(r - mean r), valid along the filter and across it.

    Args:
        stimulus: one row for each bin, of any shape; an array, or a file (.npy, .npz, text, .h5).
        response: counts or rates, one for each bin.
        covariance: of the stimulus: a matrix, its diagonal, or one variance. The cost of whitened errors is that of a
            product of the stimulus with a matrix.
        ridge: added to the covariance's diagonal.

    Raises `ArgumentError` for lengths that differ, a constant response or stimulus, numbers that are not finite, or a
    singular covariance without ridge.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((20_000, 3))
    >>> found = sta(x, rng.poisson(np.exp(x @ [0.5, 0.0, -0.5] - 1)))
    >>> bool(abs(found.filter[1]) < 4 * found.standard_error[1]), found.cosine > 0.99
    (True, True)
    """
    rows, shape = checks.stimulus(stimulus)
    r = checks.response(response, len(rows))
    hold = float(arguments.near_one("ridge", np.asarray(arguments.non_negative_number("ridge", ridge))))
    away = r - r.mean()
    back = None
    if covariance is not None:
        size = rows.shape[1]
        costs.affordable("covariance", size, memory=32.0, seconds=1e-9, power=2, each="dimension")
        back = np.linalg.inv(checks.covariance("covariance", covariance, size, hold))
    sums = _summed(rows, away, back)
    checks.sound("stimulus", rows, sums)
    n = len(rows)
    mean, found = sums[0] / n, sums[2] / n
    products = (sums[4] - 2 * mean * sums[3] + mean**2 * (away @ away)) / n
    variance = np.maximum(products - found**2, 0.0) / n
    if not (sums[1] / n - mean**2 > 1e-24 * (sums[1] / n)).any():
        raise ArgumentError("stimulus", "must vary", but="is constant")
    total, count = float(variance.sum()), found.size
    length = max(float(found @ found) - total, 0.0)
    snr = length * count / (n * total) if total > 0 else float("inf")
    cosine = _expected(count, n, snr)
    return Filter(found.reshape(shape), np.sqrt(variance).reshape(shape), cosine, snr, n, count)


def history(stimulus: Any, lags: int) -> Array:
    """Return a stimulus with its last `lags` frames in each row, (bins - lags + 1, lags, ...), oldest first; a view.

    Responses to it are those from bin lags - 1 on.

    >>> history(np.arange(4.0)[:, None], 2)[:, :, 0].tolist()
    [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]
    """
    rows, shape = checks.stimulus(stimulus)
    depth = arguments.count("lags", lags)
    if depth > len(rows) - 1:
        raise ArgumentError("lags", f"must be at most {len(rows) - 1} here", lags)
    windows = np.lib.stride_tricks.sliding_window_view(rows, depth, axis=0)
    return np.moveaxis(windows, -1, 1).reshape(len(rows) - depth + 1, depth, *shape)


def lagged(stimulus: Any, response: Any, lags: int, *, counts: bool = False) -> tuple[Array, Array]:
    """Return the frames that each response may depend on, (bins, lags, ...), and the responses.

    One frame: (bins, ...). `counts`: whether negative responses are refused.
    """
    rows, shape = checks.stimulus(stimulus)
    r = checks.response(response, len(rows))
    if counts and (r < 0).any():
        raise ArgumentError("response", "must not hold negative counts", float(r[r < 0][0]))
    x = rows.reshape(len(rows), *shape)
    if lags > 1:
        x, r = history(x, lags), r[lags - 1 :]
        r = checks.response(r, len(r))
    return x, r


def by_drive(drive: Array, response: Array, bins: int) -> tuple[list[Array], Array, Array]:
    """Return bins of as many responses each, by their drive, as places; mean drives and mean responses in them."""
    parts = np.array_split(np.argsort(drive, kind="stable"), bins)
    centre, mean = (np.array([one[part].mean() for part in parts]) for one in (drive, response))
    return parts, centre, mean


def _expected(dimensions: int, samples: int, snr: float) -> float:
    if dimensions == 1 or snr == float("inf"):
        return 1.0
    return float(formulas.cosine()(dimensions, samples, snr)) if snr > 0 else 0.0


def _summed(rows: Array, away: Array, back: Array | None) -> Array:
    """Sums of v, v^2, v d, v d^2 and (v d)^2 over rows, v from the first row on (times `back`), d the response."""
    first = np.ascontiguousarray(rows[0], dtype=np.float64)

    def work(part: slice) -> Array:
        found = np.zeros((5, rows.shape[1]))
        for low in range(part.start, part.stop, _ROWS):
            here = slice(low, min(low + _ROWS, part.stop))
            block = np.ascontiguousarray(rows[here], dtype=np.float64)
            if back is not None:
                _add((block - first) @ back, away[here], np.zeros(len(first)), found)
            else:
                _add(block, away[here], first, found)
        return found

    _add(np.zeros((1, 1)), np.zeros(1), np.zeros(1), np.zeros((5, 1)))  # compiled before the threads start
    with np.errstate(over="ignore", invalid="ignore"):
        return np.sum(threads.each(work, threads.chunks(len(rows), 4 * _ROWS)), axis=0)


@njit(cache=True, nogil=True)
def _four(
    v0: float, v1: float, v2: float, v3: float, d0: float, d1: float, d2: float, d3: float
) -> tuple[float, float, float, float, float]:
    """The five sums over four rows, of one column."""
    t0, t1, t2, t3 = v0 * d0, v1 * d1, v2 * d2, v3 * d3
    return (
        (v0 + v1) + (v2 + v3),
        (v0 * v0 + v1 * v1) + (v2 * v2 + v3 * v3),
        (t0 + t1) + (t2 + t3),
        (t0 * d0 + t1 * d1) + (t2 * d2 + t3 * d3),
        (t0 * t0 + t1 * t1) + (t2 * t2 + t3 * t3),
    )


@njit(cache=True, nogil=True)
def _add(rows: Array, away: Array, first: Array, sums: Array) -> None:
    """Add a block of rows to the sums, twelve at once: what the sums cost is their way to the cache and back."""
    whole = rows.shape[0] - rows.shape[0] % 12
    for i in range(0, whole, 12):
        d0, d1, d2, d3 = away[i], away[i + 1], away[i + 2], away[i + 3]
        d4, d5, d6, d7 = away[i + 4], away[i + 5], away[i + 6], away[i + 7]
        d8, d9, d10, d11 = away[i + 8], away[i + 9], away[i + 10], away[i + 11]
        for j in range(rows.shape[1]):
            f = first[j]
            v0, v1, v2, v3 = rows[i, j] - f, rows[i + 1, j] - f, rows[i + 2, j] - f, rows[i + 3, j] - f
            v4, v5, v6, v7 = rows[i + 4, j] - f, rows[i + 5, j] - f, rows[i + 6, j] - f, rows[i + 7, j] - f
            v8, v9, v10, v11 = (
                rows[i + 8, j] - f,
                rows[i + 9, j] - f,
                rows[i + 10, j] - f,
                rows[i + 11, j] - f,
            )
            a = _four(v0, v1, v2, v3, d0, d1, d2, d3)
            b = _four(v4, v5, v6, v7, d4, d5, d6, d7)
            c = _four(v8, v9, v10, v11, d8, d9, d10, d11)
            sums[0, j] += a[0] + b[0] + c[0]
            sums[1, j] += a[1] + b[1] + c[1]
            sums[2, j] += a[2] + b[2] + c[2]
            sums[3, j] += a[3] + b[3] + c[3]
            sums[4, j] += a[4] + b[4] + c[4]
    for i in range(whole, rows.shape[0]):
        d = away[i]
        for j in range(rows.shape[1]):
            v = rows[i, j] - first[j]
            t = v * d
            sums[0, j] += v
            sums[1, j] += v * v
            sums[2, j] += t
            sums[3, j] += t * d
            sums[4, j] += t * t
