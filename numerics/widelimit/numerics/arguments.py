"""What callers pass, checked once at the door: numbers become float arrays, anything else an `ArgumentError`.

Every checker takes the argument's name and value and returns a float64 array (0-d for a scalar); `scalar` goes
back the other way, so that scalars in give Python floats out. Numbers of Python, NumPy, SymPy and mpmath are read, and
arrays of them: lists, NumPy arrays, columns of pandas, xarray, tensors of torch. Text, booleans, NaN, complex numbers,
masked entries and numbers that no float holds are refused, never converted.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np

from widelimit.theory.calculus import exact
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_DIMENSIONS = 64  # of an array of NumPy, at most


def real(name: str, value: Any, help: str = "", *, infinite: bool = False) -> Array:
    """Return `value` as a float64 array of finite numbers (`infinite=True` lets infinities pass).

    >>> real("sigma_w", [1, 2.5])
    array([1. , 2.5])
    >>> real("sigma_w", float("nan"))
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ArgumentError: Argument `sigma_w` must be a number, but is NaN.
    """
    array = _numbers(name, value, help)
    if np.isnan(array).any():
        raise ArgumentError(
            name, "must be a number", value, help, but="is NaN" if array.ndim == 0 else "holds NaN"
        )
    if not infinite and np.isinf(array).any():
        raise ArgumentError(name, "must be finite", _offender(array, ~np.isfinite(array)), help)
    return array


def finite(name: str, value: Any, help: str = "") -> Array:
    """Return `value` as an array of finite numbers."""
    return real(name, value, help)


def positive(name: str, value: Any, help: str = "", *, infinite: bool = False) -> Array:
    """Return `value` as an array of numbers above zero."""
    array = real(name, value, help, infinite=infinite)
    return _require(name, array, array > 0, "must be positive", help)


def non_negative(name: str, value: Any, help: str = "", *, infinite: bool = False) -> Array:
    """Return `value` as an array of numbers not below zero."""
    array = real(name, value, help, infinite=infinite)
    return _require(name, array, array >= 0, "must not be negative", help)


def probability(name: str, value: Any, help: str = "") -> Array:
    """Return `value` as an array of numbers in (0, 1]: a keep probability, a fraction."""
    array = real(name, value, help)
    return _require(name, array, (array > 0) & (array <= 1), "must be above 0 and at most 1", help)


def squared(name: str, array: Array) -> Array:
    """Return the squares of a checked array of scales; those that leave the range of floats are an `ArgumentError`.

    >>> squared("sigma_w", finite("sigma_w", 1e200))
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ArgumentError: Argument `sigma_w` must have a square that a float holds, but is 1e+200.
    """
    with np.errstate(over="ignore", under="ignore"):
        square = array * array
    good = np.isfinite(square) & ((square > 1e-290) | (array == 0))
    _require(name, np.asarray(array), np.asarray(good), "must have a square that a float holds", "")
    return square


def near_one(name: str, array: Array, power: int = 30, help: str = "") -> Array:
    """Return a checked array whose entries are 0 or within 1e`power` of 1: formulas hold powers of them.

    >>> near_one("weight_decay", positive("weight_decay", 1e-40))
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ArgumentError: Argument `weight_decay` must lie between 1e-30 and 1e30, but is 1e-40. ...
    """
    size = np.abs(array)
    good = (array == 0) | ((size >= float(f"1e-{power}")) & (size <= float(f"1e{power}")))
    must = f"must lie between 1e-{power} and 1e{power}"
    return _require(name, array, np.asarray(good), must, help or "Choose units in which it is near 1.")


def within(name: str, value: Any, low: float, high: float, help: str = "") -> Array:
    """Return `value` as an array of numbers in the closed interval [low, high]."""
    array = real(name, value, help)
    return _require(name, array, (array >= low) & (array <= high), f"must lie in [{low:g}, {high:g}]", help)


def correlation(name: str, value: Any, help: str = "") -> Array:
    """Return `value` as an array of correlations, numbers in [-1, 1]."""
    return within(name, value, -1.0, 1.0, help)


def single(name: str, array: Array) -> float:
    """Return the one number of a checked array; more of them are an `ArgumentError`.

    >>> single("penalty", finite("penalty", 0.1))
    0.1
    """
    if array.ndim != 0:
        raise ArgumentError(name, "must be a single number here", but=f"has shape {array.shape}")
    return float(array)


def finite_number(name: str, value: Any, help: str = "") -> float:
    """Return `value` as one finite number."""
    return single(name, finite(name, value, help))


def positive_number(name: str, value: Any, help: str = "", *, infinite: bool = False) -> float:
    """Return `value` as one number above zero.

    >>> positive_number("sigma_w", [1.0, 2.0])
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ArgumentError: Argument `sigma_w` must be a single number here, but has shape (2,).
    """
    return single(name, positive(name, value, help, infinite=infinite))


def non_negative_number(name: str, value: Any, help: str = "", *, infinite: bool = False) -> float:
    """Return `value` as one number not below zero."""
    return single(name, non_negative(name, value, help, infinite=infinite))


def number_within(name: str, value: Any, low: float, high: float, help: str = "") -> float:
    """Return `value` as one number in the closed interval [low, high]."""
    return single(name, within(name, value, low, high, help))


def count(name: str, value: Any, least: int = 1, help: str = "") -> int:
    """Return `value` as an integer of at least `least`: a depth, a number of terms.

    >>> count("depth", 0)
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ArgumentError: Argument `depth` must be an integer of at least 1, but is 0.
    """
    must = f"must be an integer of at least {least}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral | np.integer):
        raise ArgumentError(name, must, value, help)
    if (number := operator.index(value)) < least:
        raise ArgumentError(name, must, value, help)
    return number


def vector(name: str, value: Any, help: str = "") -> Array:
    """Return `value` as a non-empty one-dimensional array of finite numbers."""
    array = real(name, value, help)
    if array.ndim != 1 or array.size == 0:
        raise ArgumentError(name, "must be a non-empty list of numbers", value, help)
    return array


def increasing(name: str, value: Any, help: str = "") -> Array:
    """Return `value` as a strictly increasing one-dimensional array: the axis of a grid."""
    array = vector(name, np.atleast_1d(real(name, value, help)), help)
    if (np.diff(array) <= 0).any():
        raise ArgumentError(name, "must be strictly increasing", value, help)
    return array


def flag(name: str, value: Any, help: str = "") -> bool:
    """Return `value` if it is True or False, NumPy's included: the text 'False' would count as true."""
    return exact.flag(name, bool(value) if isinstance(value, np.bool_) else value, help)


def choice(name: str, value: Any, options: Iterable[str], help: str = "") -> str:
    """Return `value` if it is one of `options`."""
    allowed = tuple(options)
    if not isinstance(value, str) or value not in allowed:
        raise ArgumentError(name, "must be one of " + ", ".join(map(repr, allowed)), value, help)
    return value


def broadcast(**arguments: Array) -> tuple[Array, ...]:
    """Broadcast checked arrays against each other; shapes that do not fit are an `ArgumentError`.

    >>> a, b = broadcast(sigma_w=np.ones((3, 1)), sigma_b=np.zeros(2))
    >>> a.shape
    (3, 2)
    """
    try:
        return tuple(np.broadcast_arrays(*arguments.values()))
    except ValueError:
        shapes = ", ".join(f"`{name}` {np.shape(value)}" for name, value in arguments.items())
        last = list(arguments)[-1]
        raise ArgumentError(
            last, "must broadcast with the other arguments", but=f"the shapes are {shapes}"
        ) from None


def scalar(array: Array) -> Any:
    """Turn a 0-d array into its Python value and leave any other array alone."""
    return array.item() if array.ndim == 0 else array


def _numbers(name: str, value: Any, help: str) -> Array:
    must = "must be a real number or an array of them"
    if isinstance(value, str | bytes | bytearray | memoryview) or _holds_booleans(value):
        raise ArgumentError(name, must, value, help)
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ArgumentError(name, must, but="has masked entries", help=help or "Drop or fill them.")
    try:
        array = np.asarray(_at_hand(value))
        if array.dtype == object:  # SymPy numbers, Fractions, mpf, whole numbers beyond 2**64; nothing else
            items = [_exact(name, item, must, help) for item in array.flat]
            array = np.array(items, dtype=np.float64).reshape(array.shape)
        if array.dtype.kind not in "iuf":
            raise TypeError
        with np.errstate(over="ignore"):  # a long double that no float holds is infinite, and refused as that
            return array.astype(np.float64)
    except ArgumentError:
        raise
    except Exception:  # whatever a foreign container raises when asked for its numbers
        raise ArgumentError(name, must, value, help) from None


def _at_hand(value: Any) -> Any:
    """A torch tensor as an array in memory, whatever its device, precision and gradient; anything else as it is."""
    if type(value).__module__.partition(".")[0] != "torch" or not hasattr(value, "detach"):
        return value
    if not value.is_floating_point() or str(value.dtype) in ("torch.float64", "torch.float32"):
        return value.detach().cpu().numpy()
    return value.detach().cpu().double().numpy()


def _exact(name: str, item: Any, must: str, help: str) -> float:
    """One entry of an array of objects as a float; NaN and infinity are refused later, in the words for arrays."""
    if isinstance(item, float):
        return item
    try:
        return float(exact.number(name, item, infinite=True))
    except ArgumentError as error:
        if "is NaN" in str(error):
            return float("nan")
        if "must be finite" in str(error):
            return float("-inf") if item < 0 else float("inf")
        raise ArgumentError(name, must, item, help) from None


def _holds_booleans(value: Any) -> bool:
    """Whether a list holds True or False, which NumPy would count as one and zero."""
    if isinstance(value, bool | np.bool_):
        return True
    if not isinstance(value, list | tuple):
        return False
    level: list[Any] = list(value)
    for _ in range(_DIMENSIONS):
        if any(isinstance(item, bool | np.bool_) for item in level):
            return True
        level = [inner for item in level if isinstance(item, list | tuple) for inner in item]
        if not level:
            return False
    return False


def _require(name: str, array: Array, good: Array, must: str, help: str) -> Array:
    if not good.all():
        raise ArgumentError(name, must, _offender(array, ~good), help)
    return array


def _offender(array: Array, bad: Array) -> float:
    return float(array[bad].flat[0])
