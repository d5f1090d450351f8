"""What acts on a block of kernel entries: the records, what all of them share, and closed forms of T and Tdot.

A `Layer` is an activation prepared at the variances of one layer. Its `advance` works in place on blocks and releases
the interpreter lock, so that blocks run in threads.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numba import types
from sympy import oo

from widelimit.numerics.compile import compile
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.kernel.recursion import next_both, next_kernel
from widelimit.theory import kernel as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.growth import too_fast, widest

_PAIR = types.FunctionType(types.UniTuple(types.float64, 2)(types.float64, types.float64, types.float64))
_EQUAL = types.FunctionType(types.UniTuple(types.float64, 4)(types.float64))
_A2 = types.Array(types.float64, 2, "A")
_C1 = types.Array(types.float64, 1, "C")
_F = types.float64
_TWO = types.UniTuple(_F, 2)
_both = next_both.njit

SMALLEST = 1e-100  # a variance below is one of zero: its correlations are 0/0, taken at this variance instead
ROUNDING = 2.0**-51  # correlations this close to 1 are 1: inputs on one ray, seen through rounding


class Block(NamedTuple):
    """Entries of both kernels, `c` and `theta` (rows, columns), and where they stand; by default these are all."""

    c: np.ndarray
    theta: np.ndarray
    rows: slice = slice(None)
    columns: slice = slice(None)


class Behind(NamedTuple):
    """The layer of weights behind an activation: variances of its weights (times the fan-in) and of its biases.

    `train`: 1 if both train, else 0.
    """

    sw2: float
    sb2: float
    train: float


ALONE = Behind(1.0, 0.0, 0.0)  # nothing behind: T, and Tdot times theta


class Layer(Protocol):
    """An activation at the variances `q1` of the rows and `q2` of the columns.

    `v1`, `v2`: the variances E phi^2 behind it; `error`: a bound on what its T and Tdot leave out, relative to them.
    """

    v1: np.ndarray
    v2: np.ndarray
    error: float

    def advance(self, block: Block, behind: Behind = ALONE) -> None:
        """Replace both kernels by those behind the activation and a layer of weights, in place.

        See ``theory.kernel.next_kernel`` and ``next_tangent``.
        """


Prepare = Callable[[np.ndarray, np.ndarray | None], Layer]  # from q1 and q2 (None: q1 again)


@dataclass(frozen=True)
class PairMap:
    """The activation's action on kernels: `at(q1, q2)` prepares it for the variances of one layer (q2=None: q1)."""

    activation: Activation
    method: str
    at: Prepare = field(repr=False)


def guarded(activation: Activation, method: str, at: Prepare) -> PairMap:
    """A map that refuses variances at which E phi^2 is infinite, and knows that phi(0) = 0 stays 0."""
    bound = widest(activation.expr**2, X)
    if bound is not oo:
        at = functools.partial(_finite, at, activation.name, float(bound))
    if activation.expr.subs(X, 0) == 0:
        at = functools.partial(_with_zeros, at)
    return PairMap(activation, method, at)


def closed_map(activation: Activation) -> PairMap | None:
    """The map of an activation whose T and Tdot theory knows in closed form, None for others."""
    t, tdot = theory.pair(activation)
    if not (theory.is_closed(t) and theory.is_closed(tdot)):
        return None
    pair = compile((t, tdot), theory.PAIR_SYMBOLS, name="pair")
    equal = compile(theory.equal_pair(activation), (theory.Q1,), name="equal")
    return guarded(activation, "closed form", functools.partial(ClosedLayer, pair.njit, equal.njit))


def floored(q1: np.ndarray, q2: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Variances of rows and columns (None: those of the rows), at least `SMALLEST`."""
    q1 = np.maximum(q1, SMALLEST)
    return q1, q1 if q2 is None else np.maximum(q2, SMALLEST)


def _finite(
    at: Prepare,
    name: str,
    bound: float,
    q1: np.ndarray,
    q2: np.ndarray | None = None,
) -> Layer:
    largest = max(float(q.max()) for q in (q1, q2) if q is not None)
    if largest >= bound:
        raise too_fast(name, largest, bound, "E phi^2, and with it the kernels, are")
    return at(q1, q2)


def _with_zeros(at: Prepare, q1: np.ndarray, q2: np.ndarray | None = None) -> Layer:
    layer = at(q1, q2)
    zero1 = q1 < SMALLEST
    zero2 = zero1 if q2 is None else q2 < SMALLEST
    return ZeroLayer(layer, zero1, zero2) if zero1.any() or zero2.any() else layer


class ZeroLayer:
    """A layer some of whose inputs have a variance of zero (`zero1`, `zero2`), where phi(0) = 0: T is 0 for them."""

    def __init__(self, layer: Layer, zero1: np.ndarray, zero2: np.ndarray) -> None:
        self._layer, self._zero1, self._zero2 = layer, zero1, zero2
        self.error = layer.error
        self.v1, self.v2 = np.where(zero1, 0.0, layer.v1), np.where(zero2, 0.0, layer.v2)

    def advance(self, block: Block, behind: Behind = ALONE) -> None:
        """See `Layer.advance`."""
        self._layer.advance(block, behind)
        zero = self._zero1[block.rows, None] | self._zero2[block.columns]
        alone = next_kernel(0.0, behind.sw2, behind.sb2)
        block.theta[zero] += behind.train * (alone - block.c[zero])
        block.c[zero] = alone


@njit(_F(_F, _F, _F), inline="always", error_model="numpy", cache=True)
def correlation(c, q1, q2):
    """c / sqrt(q1 q2), within [-1, 1], and exactly 1 where rounding alone keeps it from 1."""
    rho = c / math.sqrt(q1 * q2)
    if rho > 1.0 - ROUNDING:
        rho = 1.0
    elif rho < -1.0 + ROUNDING:
        rho = -1.0
    return rho


@njit(_TWO(_PAIR, _EQUAL, _F, _F, _F), inline="always", error_model="numpy", cache=True)
def _pair(pair, equal, q1, q2, rho):
    """T and Tdot; where the closed form is 0/0, at rho = +-1 with q1 = q2, those of equal or opposite inputs."""
    t, tdot = pair(q1, q2, rho)
    if not (math.isfinite(t) and math.isfinite(tdot)) and abs(rho) == 1.0:
        same, slope, opposite, opposite_slope = equal(math.sqrt(q1) * math.sqrt(q2))
        if rho > 0.0:
            t, tdot = same, slope
        else:
            t, tdot = opposite, opposite_slope
    return t, tdot


@njit(types.void(_PAIR, _EQUAL, _A2, _A2, _C1, _C1, _F, _F, _F), nogil=True, error_model="numpy", cache=True)
def _advance(pair, equal, c, theta, q1, q2, sw2, sb2, train):
    for i in range(c.shape[0]):
        for j in range(c.shape[1]):
            t, tdot = _pair(pair, equal, q1[i], q2[j], correlation(c[i, j], q1[i], q2[j]))
            c[i, j], theta[i, j] = _both(t, tdot, theta[i, j], sw2, sb2, train, train)


@njit(types.void(_PAIR, _EQUAL, _C1, _C1), nogil=True, error_model="numpy", cache=True)
def _variance(pair, equal, q, out):
    for i in range(q.size):
        t, _ = _pair(pair, equal, q[i], q[i], 1.0)
        out[i] = t


class ClosedLayer:
    """T and Tdot by their closed forms.

    The variances come from the same expressions at rho = 1, so that equal inputs keep a correlation of exactly 1.
    """

    error = 0.0

    def __init__(self, pair: Any, equal: Any, q1: np.ndarray, q2: np.ndarray | None = None) -> None:
        self._pair, self._equal = pair, equal
        self._q1, self._q2 = floored(q1, q2)
        self.v1 = self._v(self._q1)
        self.v2 = self.v1 if q2 is None else self._v(self._q2)

    def _v(self, q: np.ndarray) -> np.ndarray:
        out = np.empty_like(q)
        _variance(self._pair, self._equal, q, out)
        return out

    def advance(self, block: Block, behind: Behind = ALONE) -> None:
        """See `Layer.advance`."""
        q1, q2 = self._q1[block.rows], self._q2[block.columns]
        _advance(self._pair, self._equal, block.c, block.theta, q1, q2, *behind)
