"""`van_rossum`: how far two spike trains are apart; `distances`: the same for all pairs of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from widelimit.numerics import threads
from widelimit.numerics.spiking import loops, pairs
from widelimit.numerics.spiking.settings import DECAY, RISE, train, two_constants
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_BLOCKS = 1e10  # rises that trains may last: blocks of time are counted


def van_rossum(first: Any, second: Any, *, decay: Any = DECAY, rise: Any = RISE) -> float:
    """Return L = 1/2 int (alpha * (S_1 - S_2))^2 dt of two spike trains, in s^3.

    The distance of vanrossum2001novel with the kernel of zenke2018superspike, alpha(t) = ab/(a - b) (exp(-t/a) -
    exp(-t/b)), not normalised. Time grows with the number of spikes. Equal trains have 0, exactly; an empty one leaves
    the other's own integral. elephant's distance, of one exponential exp(-t/a) and squared, is 4 L/(a b^2) as the rise
    goes to 0.

    Args:
        first, second: spike times in seconds, in order; arrays, quantities of neo, or names of files (text, .npy) of
            one column.
        decay: a, in seconds.
        rise: b, in seconds, at most the decay; where both are the same alpha is t exp(-t/a).

    Raises `ArgumentError` for times that are negative, out of order or no numbers, or a rise above the decay.

    >>> round(van_rossum([0.010, 0.035, 0.090], [0.012, 0.033], decay=0.010, rise=0.005) * 1e8, 9)
    4.778852689
    """
    a, b = two_constants(decay, rise)
    x, y = _quick("first", first), _quick("second", second)
    found, good = loops.loss(x, y, a, b)
    if not good:  # of an array that was not looked at before
        train("first", first), train("second", second)
    return float(found)


def distances(trains: Sequence[Any], *, decay: Any = DECAY, rise: Any = RISE) -> Array:
    """Return the losses between all pairs of trains, a symmetric matrix with zeros on its diagonal.

    Args:
        trains: a list of trains, each as `van_rossum` takes them.
        decay: a, in seconds.
        rise: b, in seconds.

    Raises `ArgumentError` as `van_rossum` does, or for no trains.

    >>> (distances([[0.01, 0.03], [0.02, 0.05], []], decay=0.010, rise=0.005) * 1e8).round(6)
    array([[ 0.      ,  7.16627 , 10.436291],
           [ 7.16627 ,  0.      ,  9.142462],
           [10.436291,  9.142462,  0.      ]])
    """
    a, b = two_constants(decay, rise)
    if isinstance(trains, str) or not isinstance(trains, Sequence | np.ndarray) or len(trains) == 0:
        raise ArgumentError("trains", "must be a list of one train or more", trains)
    every = [train(f"trains[{k}]", one) for k, one in enumerate(trains)]
    ends = np.cumsum([one.size for one in every])
    starts = ends - [one.size for one in every]
    first, second = np.triu_indices(len(every), 1)
    out, times = np.zeros(first.size), np.concatenate(every)
    if times.size and times.max() > _BLOCKS * b:
        raise ArgumentError("trains", "must end within 1e10 rises", but=f"go on to {times.max():g} s")
    block, single = np.zeros(times.size, dtype=np.int64), np.zeros(len(every))
    here, own = np.empty((times.size, 2)), np.empty((times.size, 2))
    pairs.prepare(times, starts, ends, a, b, block, here, own)
    pairs.alone(times, starts, ends, a, b, single)

    def work(part: slice) -> None:
        pairs.between(
            times, starts, ends, first[part], second[part], a, b, block, here, own, single, out[part]
        )

    if first.size:
        work(slice(0, 1))  # compile before the threads start
        threads.each(work, threads.chunks(first.size, smallest=max(1, 100_000 // max(1, times.size))))
    found = np.zeros((len(every), len(every)))
    found[first, second] = found[second, first] = out
    return found


def _quick(name: str, value: Any) -> Array:
    """A train; a plain array of floats is checked on the way, by the loop."""
    if (
        type(value) is np.ndarray
        and value.dtype == np.float64
        and value.ndim == 1
        and value.flags.c_contiguous
    ):
        return value
    return train(name, value)
