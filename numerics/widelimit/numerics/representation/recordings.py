"""Recordings from files: two repeats of the same stimuli, as NumPy and MATLAB keep them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from widelimit.numerics import files
from widelimit.numerics.files import matlab
from widelimit.numerics.files.door import opened
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
FORMATS = (".npy", ".npz", ".mat")
_PAIRS = (("first", "second"), ("repeat1", "repeat2"), ("repeat_1", "repeat_2"), ("x1", "x2"))
_HELP = "The first axis is the repeat, the second the stimulus, the third the unit."


def read(recording: Any) -> tuple[Array, Array]:
    """Return the two repeats (stimuli x units) of a recording: an array of shape (2, stimuli, units), or its file.

    Files: .npy; .npz and .mat with one such array, or with two arrays stimuli x units called first and second. Nothing
    is unpickled. Raises `ArgumentError` for what is no such recording.

    >>> one, other = read(np.zeros((2, 5, 3)))
    >>> one.shape
    (5, 3)
    """
    found = _file(recording) if isinstance(recording, str | Path) else recording
    try:
        if isinstance(found, dict):
            found = _chosen({str(name): np.asarray(one) for name, one in found.items()})
        array = np.asarray(found)
    except ArgumentError:
        raise
    except Exception:  # whatever a foreign container raises when asked for its numbers
        raise ArgumentError("recording", "must be an array or a file", recording, _HELP) from None
    if array.dtype.kind not in "iufb":
        raise ArgumentError("recording", "must hold real numbers", but=f"has entries of type {array.dtype}")
    if array.ndim != 3 or array.shape[0] != 2:
        must = "must have the shape (2, stimuli, units)"
        raise ArgumentError("recording", must, but=f"has shape {array.shape}", help=_HELP)
    values = array.astype(np.float64)
    return values[0], values[1]


def _file(recording: str | Path) -> Any:
    return opened("recording", recording, formats=FORMATS, of=_format, reader=_arrays)


def _format(path: Path) -> str:
    suffix = path.suffix.lower()
    return suffix if suffix in FORMATS else ""


def _arrays(path: Path) -> Any:
    return matlab.arrays(path) if _format(path) == ".mat" else files.read(path)


def _chosen(arrays: dict[str, Array]) -> Array:
    """The recording among the arrays of a file: the only one of its shape, or two repeats by name."""
    whole = [one for one in arrays.values() if one.ndim == 3 and one.shape[0] == 2]
    if len(whole) == 1:
        return whole[0]
    named = {name.lower(): one for name, one in arrays.items()}
    for one, other in _PAIRS:
        if whole or one not in named or other not in named:
            continue
        if named[one].ndim == 2 and named[one].shape == named[other].shape:
            return np.stack([named[one], named[other]])
    listed = ", ".join(f"{name} {one.shape}" for name, one in list(arrays.items())[:8])
    must = "must hold one array of shape (2, stimuli, units), or two called first and second"
    raise ArgumentError("recording", must, but=f"holds {listed}")
