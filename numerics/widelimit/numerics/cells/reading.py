"""Users' cells: a torch module, a cell of torch or a dictionary of arrays becomes a `Cell`, by names of attributes.

    weight_hh_l0  weight_ih_l0  bias_hh_l0  bias_ih_l0     nn.RNN, nn.GRU, nn.LSTM, and their state_dict
    weight_hh     weight_ih     bias_hh     bias_ih        cells
    U_r U_z U_h   b_r b_z b_h                              a GRU in the papers' form, h' = z h + (1 - z) n

Modules and dictionaries in which one recurrent layer lies deeper are searched for it. torch is not imported.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.cells.cell import KINDS, MOST, Cell, constant
from widelimit.theory.errors import ArgumentError, PrecisionWarning

Array = np.ndarray
Getter = Callable[[str], Any]
_BLOCKS = {1: "rnn", 3: "gru", 4: "lstm"}
_PAPER = ("U_r", "U_z", "U_h")
_COARSE = ("bfloat16", "float16", "float8")
_PASS = (
    "Pass a torch RNN, GRU, LSTM or cell, its state_dict, or arrays named weight_hh, weight_ih, bias_hh and bias_ih "
    "(U_r, U_z, U_h, b_r, b_z, b_h for a GRU in the papers' form)."
)


def read(cell: Any, *, inputs: Any = None) -> Cell:
    """Return a recurrent cell at a constant input.

    Args:
        cell: torch module, cell, dictionary of arrays (`module.state_dict()`), or a `Cell`.
        inputs: the constant input vector, zeros if left out.

    Raises `ArgumentError` for what is none of these, several layers, both directions, projections, ReLU units (which
    have no box that holds all fixed points), weights that are not finite or do not fit each other, and inputs of
    another length. Warns (`PrecisionWarning`) of weights of 16 bits or less: what is computed is that of the rounded
    weights.

    >>> read({"weight_hh": [[1.5]], "bias_hh": [0.1]}).kind
    'rnn'
    >>> read({"U_r": [[0]], "U_z": [[0]], "U_h": [[3.0]]}).step([0.5])
    array([0.56757448])
    """
    if isinstance(cell, Cell):
        return cell if inputs is None else replace(cell, inputs=constant(inputs, cell.input_weights.shape[1]))
    get, end = _found(cell)
    if end is None:
        kind, weights, inward, biases = _paper(get)
    else:
        kind, weights, inward, biases = _torch(get, end)
    return Cell(kind, weights, inward, biases, constant(inputs, inward.shape[1]))


def _found(cell: Any) -> tuple[Getter, str | None]:
    """A getter of the entries of the one recurrent layer, and how their names end; None for the papers' form."""
    if isinstance(cell, Mapping):
        return _in_mapping(cell)
    modules = [cell]
    if not _has(cell, "weight_hh_l0") and not _has(cell, "weight_hh"):
        try:
            modules = [m for _, m in cell.named_modules() if _has(m, "weight_hh_l0") or _has(m, "weight_hh")]
        except Exception:  # no module
            raise _nothing(cell) from None
    if len(modules) != 1:
        raise _nothing(cell) if not modules else _several([type(m).__name__ for m in modules])
    (module,) = modules
    _refuse_structure(lambda name: getattr(module, name, None))
    return (lambda name: getattr(module, name, None)), "_l0" if _has(module, "weight_hh_l0") else ""


def _in_mapping(cell: Mapping[Any, Any]) -> tuple[Getter, str | None]:
    names = [name for name in cell if isinstance(name, str)]
    if all(name in names for name in _PAPER):
        return cell.get, None
    ends = [
        (n[: -len(key)], end) for end in ("_l0", "") for n in names if n.endswith(key := "weight_hh" + end)
    ]
    ends = [(prefix, end) for prefix, end in ends if not prefix or prefix.endswith(".")]
    if not ends:
        raise _nothing(cell)
    if len(ends) > 1:
        raise _several([prefix + "weight_hh" + end for prefix, end in ends])
    ((prefix, end),) = ends

    def get(name: str) -> Any:
        return cell.get(prefix + name)

    for key, what in (("weight_hh_l1", "layers"), (f"weight_hh{end}_reverse", "directions")):
        if get(key) is not None:
            raise _too_many(what, key)
    if get(f"weight_hr{end}") is not None:
        raise _projected(f"has `weight_hr{end}`")
    _refuse_structure(get)
    return get, end


def _refuse_structure(get: Getter) -> None:
    if isinstance(layers := get("num_layers"), int) and layers > 1:
        raise _too_many("layers", f"num_layers={layers}")
    if get("bidirectional") is True:
        raise _too_many("directions", "bidirectional=True")
    if isinstance(size := get("proj_size"), int) and size > 0:
        raise _projected(f"has proj_size={size}")
    if "relu" in (get("nonlinearity"), str(get("mode")).lower().removeprefix("rnn_")):
        raise ArgumentError(
            "cell",
            "must have bounded units",
            but="is a ReLU network",
            help="Its states are unbounded: no box holds all fixed points, so nothing can be certified. Use tanh.",
        )


def _torch(get: Getter, end: str) -> tuple[str, Array, Array, Array]:
    weights = _matrix(f"weight_hh{end}", get)
    rows, d = weights.shape
    if not d or rows % d or rows // d not in _BLOCKS:
        raise _wrong(
            f"`weight_hh{end}` has shape {weights.shape}, which is no RNN (d, d), GRU (3d, d) or LSTM (4d, d)"
        )
    inward = np.zeros((rows, 0)) if get(f"weight_ih{end}") is None else _matrix(f"weight_ih{end}", get)
    if len(inward) != rows:
        raise _wrong(f"`weight_ih{end}` has {len(inward)} rows, `weight_hh{end}` {rows}")
    biases = np.stack([_bias(f"bias_{side}{end}", get, rows) for side in ("ih", "hh")])
    return _BLOCKS[rows // d], weights, inward, biases


def _paper(get: Getter) -> tuple[str, Array, Array, Array]:
    blocks = [_matrix(name, get) for name in _PAPER]
    d = blocks[0].shape[1]
    if not d or any(block.shape != (d, d) for block in blocks):
        raise _wrong("U_r, U_z, U_h have shapes " + ", ".join(str(block.shape) for block in blocks))
    inward = [get(f"W_{gate}") for gate in "rzh"]
    into = np.zeros((3 * d, 0))
    if any(block is not None for block in inward):
        parts = [_matrix(f"W_{gate}", get) for gate in "rzh"]
        if any(part.shape != (d, parts[0].shape[1]) for part in parts):
            raise _wrong("W_r, W_z, W_h have shapes " + ", ".join(str(part.shape) for part in parts))
        into = np.concatenate(parts)
    hidden = np.concatenate([_bias(f"b_{gate}", get, d) for gate in "rzh"])
    return KINDS[2], np.concatenate(blocks), into, np.stack([np.zeros(3 * d), hidden])


def _matrix(name: str, get: Getter) -> Array:
    value = get(name)
    if value is None:
        raise _wrong(f"`{name}` is missing")
    array = _array(name, value)
    if array.ndim != 2:
        raise _wrong(f"`{name}` has shape {array.shape}, and should be a matrix")
    return array


def _bias(name: str, get: Getter, size: int) -> Array:
    value = get(name)
    if value is None:
        return np.zeros(size)
    array = _array(name, value)
    if array.shape != (size,):
        raise _wrong(f"`{name}` has shape {array.shape}, and should have ({size},)")
    return array


def _array(name: str, value: Any) -> Array:
    """One entry as floats, with what is wrong said of the argument `cell`."""
    if any(kind in str(getattr(value, "dtype", "")) for kind in _COARSE):
        warnings.warn(
            f"`{name}` has type {value.dtype}: fixed points move with the rounding of weights; what follows is that "
            "of the rounded ones.",
            PrecisionWarning,
            stacklevel=4,
        )
    try:
        array = arguments.real(name, value)
    except ArgumentError as error:
        raise ArgumentError("cell", "must hold finite numbers", but=f"has: {error}") from None
    if np.abs(array).max(initial=0.0) > MOST:
        raise _wrong(f"`{name}` holds {np.abs(array).max():.3g}, and should not exceed {MOST:g}")
    return np.ascontiguousarray(array)


def _has(module: Any, name: str) -> bool:
    try:
        return getattr(module, name, None) is not None
    except Exception:  # an object whose attributes raise is no cell
        return False


def _wrong(what: str) -> ArgumentError:
    return ArgumentError("cell", "must have weights that fit each other", but=f"is one in which {what}")


def _nothing(cell: Any) -> ArgumentError:
    if isinstance(cell, Mapping):
        keys = ", ".join(str(key)[:30] for key in list(cell)[:6]) or "nothing"
        return ArgumentError("cell", "must be a recurrent cell", but=f"holds {keys}", help=_PASS)
    return ArgumentError("cell", "must be a recurrent cell", cell, _PASS)


def _several(names: list[str]) -> ArgumentError:
    help = "Pass the one that is meant."
    return ArgumentError(
        "cell", "must hold one recurrent layer", but="holds " + ", ".join(names[:6]), help=help
    )


def _too_many(what: str, has: str) -> ArgumentError:
    one = {"layers": "one layer", "directions": "one direction"}[what]
    help = "Pass each layer by itself." if what == "layers" else "Pass the weights of one direction."
    return ArgumentError("cell", f"must have {one}", but=f"has {has}", help=help)


def _projected(has: str) -> ArgumentError:
    return ArgumentError("cell", "must have no projections", but=has, help="Train with proj_size=0.")
