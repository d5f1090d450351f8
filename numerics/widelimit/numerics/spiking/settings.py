"""Time constants and trains, checked at the door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.files.door import numbers
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
DECAY, RISE = 0.01, 0.005  # seconds, as published
LEAST, MOST = 1e-12, 1e12  # of times and rates: formulas hold their eighth powers


def moderate(name: str, value: Any, help: str = "") -> Array:
    """Return positive numbers whose powers a float holds, between 1e-12 and 1e12."""
    array = arguments.positive(name, value, help)
    good = (array >= LEAST) & (array <= MOST)
    if not good.all():
        must = f"must lie between {LEAST:g} and {MOST:g}"
        raise ArgumentError(
            name, must, float(array[~good].flat[0]), help or "Choose units in which it is near 1."
        )
    return array


def constants(decay: Any, rise: Any) -> tuple[Array, Array]:
    """Return decay and rise of the kernel, in seconds, as arrays that broadcast; decay is at least rise."""
    a, b = moderate("decay", decay), moderate("rise", rise)
    wide, narrow = arguments.broadcast(decay=a, rise=b)
    if (wide < narrow).any():
        place = np.argmax(wide < narrow)
        raise ArgumentError(
            "decay",
            "must be at least `rise`",
            but=f"is {wide.flat[place]:g} with a rise of {narrow.flat[place]:g}",
            help="Swap them; where both are the same the kernel is t exp(-t/a).",
        )
    return a, b


def two_constants(decay: Any, rise: Any) -> tuple[float, float]:
    """Return decay and rise as two single numbers."""
    if type(decay) is float and type(rise) is float and LEAST <= rise <= decay <= MOST:
        return decay, rise
    a, b = constants(decay, rise)
    return arguments.single("decay", a), arguments.single("rise", b)


def train(name: str, value: Any) -> Array:
    """Return the times of a train in seconds: sorted numbers from 0 on, as many as there are, none included.

    Reads arrays and lists; quantities with units (neo, quantities, pint) and objects that hold such `times`; files of
    text or NumPy that hold one column or one row.
    """
    array = _one(name, _times(value) if not isinstance(value, str | Path) else numbers(name, value))
    times = np.ascontiguousarray(
        arguments.non_negative(name, array, "Spike times are in seconds, from 0 on.")
    )
    falls = np.diff(times) < 0
    if falls.any():
        place = int(np.argmax(falls))
        raise ArgumentError(
            name,
            "must hold times in order",
            but=f"has {times[place + 1]:g} behind {times[place]:g}",
            help="Sort them: numpy.sort(times).",
        )
    return times


def _times(value: Any) -> Any:
    """The numbers of a train in seconds, by what the object can do: a quantity converts itself."""
    if isinstance(value, np.ndarray) and not hasattr(value, "rescale"):
        return value
    found = value
    if not hasattr(value, "rescale") and not isinstance(value, list | tuple):
        found = getattr(value, "times", value)
    for method in ("rescale", "to"):
        convert = getattr(found, method, None)
        if callable(convert) and hasattr(found, "magnitude"):
            try:
                return np.asarray(convert("s").magnitude)
            except Exception as error:  # whatever a library of units raises for another dimension
                raise ArgumentError(
                    "times", "must be convertible to seconds", but=f"cannot be converted ({error})"
                ) from None
    return found


def _one(name: str, value: Any) -> Any:
    """One row or one column as a list of numbers."""
    shape = np.shape(value) if isinstance(value, np.ndarray) else None
    if shape is not None and len(shape) == 2 and 1 in shape:
        return value.reshape(-1)
    array = value if shape is not None else arguments.real(name, value)
    if array.ndim != 1:
        must = "must be a list of spike times (in a file: one column)"
        raise ArgumentError(name, must, but=f"has shape {array.shape}")
    return array


def duration_of(value: Any) -> float | None:
    """How long a train was recorded, in seconds, where it knows (neo's `t_stop`); None where it does not."""
    end = getattr(value, "t_stop", None)
    if end is None:
        return None
    try:
        return float(np.asarray(end.rescale("s").magnitude if hasattr(end, "rescale") else end))
    except Exception:  # not neo's: then it does not know
        return None
