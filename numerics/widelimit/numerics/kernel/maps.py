"""How one activation acts on a block of kernel entries: T = E phi(u) phi(v) and Tdot = E phi'(u) phi'(v).

(u, v) is Gaussian with variances q1, q2 and correlation rho. Three ways, the first that applies is taken:

closed form   theory knows T and Tdot; the compiled pair of expressions is called entry by entry
series        smooth phi: Hermite coefficients of each input instead of a quadrature for each pair (`series`)
angle         kinked phi without a closed form: a Chebyshev interpolant in the angle arccos(rho) (`angle`)

A `Layer` is a map prepared at the variances of one layer; its `advance` works in place on blocks and releases the
interpreter lock, so that blocks run in threads.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numba import types
from sympy import oo

from widelimit.numerics.compile import compile
from widelimit.numerics.compile.cache.code import njit
from widelimit.theory import kernel as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.growth import widest
from widelimit.theory.errors import InfiniteMomentError

_LOG = logging.getLogger(__name__)
_PAIR = types.FunctionType(types.UniTuple(types.float64, 2)(types.float64, types.float64, types.float64))
_EQUAL = types.FunctionType(types.UniTuple(types.float64, 4)(types.float64))
_A2 = types.Array(types.float64, 2, "A")
_C1 = types.Array(types.float64, 1, "C")
_F = types.float64
_TWO = types.UniTuple(_F, 2)

SMALLEST = 1e-100  # a variance below is one of zero: its correlations are 0/0, taken at this variance instead
ROUNDING = 2.0**-51  # correlations this close to 1 are 1: inputs on one ray, seen through rounding


class Layer(Protocol):
    """An activation at the variances `q1` of the rows and `q2` of the columns.

    `v1`, `v2`: the variances E phi^2 behind it; `error`: a bound on what its T and Tdot leave out, relative to them.
    """

    v1: np.ndarray
    v2: np.ndarray
    error: float

    def advance(
        self,
        c: np.ndarray,
        theta: np.ndarray,
        rows: slice,
        columns: slice,
        sw2: float,
        sb2: float,
        train: float,
    ) -> None:
        """Replace c by sw2 T + sb2 and theta by train * (new c) + sw2 Tdot theta, in place."""


@dataclass(frozen=True)
class PairMap:
    """The activation's action on kernels: `at(q1, q2)` prepares it for the variances of one layer (q2=None: q1)."""

    activation: Activation
    method: str
    at: Callable[[np.ndarray, np.ndarray | None], Layer] = field(repr=False)


@functools.lru_cache(maxsize=64)
def pair_map(activation: Activation) -> PairMap:
    """Choose how `activation` acts on kernels and compile what that needs (kept for the process)."""
    from widelimit.numerics.kernel import angle, series

    t, tdot = theory.pair(activation)
    if theory.is_closed(t) and theory.is_closed(tdot):
        compiled = compile((t, tdot), theory.PAIR_SYMBOLS, name="pair")
        equal = compile(theory.equal_pair(activation), (theory.Q1,), name="equal")
        method = "closed form"
        at: Callable[[np.ndarray, np.ndarray | None], Layer] = functools.partial(
            ClosedLayer, compiled.njit, equal.njit
        )
    elif activation.is_smooth:
        method, at = "series", series.prepare(activation)
    else:
        method, at = "angle", angle.prepare(activation)
    _LOG.debug("kernels of %s: %s", activation.name, method)
    bound = widest(activation.expr**2, X)
    if bound is not oo:
        at = functools.partial(_finite, at, activation.name, float(bound))
    if activation.expr.subs(X, 0) == 0:
        at = functools.partial(_with_zeros, at)
    return PairMap(activation, method, at)


def _finite(
    at: Callable[[np.ndarray, np.ndarray | None], Layer],
    name: str,
    bound: float,
    q1: np.ndarray,
    q2: np.ndarray | None = None,
) -> Layer:
    largest = max(float(q.max()) for q in (q1, q2) if q is not None)
    if largest >= bound:
        where = f"from {bound:.6g} on" if bound else "whatever it is"
        raise InfiniteMomentError(
            f"The activation {name} grows too fast for units of the variance {largest:.6g}: E phi^2, and with it the "
            f"kernels, are infinite {where}. Reduce sigma_w, sigma_b, the depth or the norms of the inputs."
        )
    return at(q1, q2)


def _with_zeros(
    at: Callable[[np.ndarray, np.ndarray | None], Layer], q1: np.ndarray, q2: np.ndarray | None = None
) -> Layer:
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

    def advance(
        self,
        c: np.ndarray,
        theta: np.ndarray,
        rows: slice,
        columns: slice,
        sw2: float,
        sb2: float,
        train: float,
    ) -> None:
        """See `Layer.advance`."""
        self._layer.advance(c, theta, rows, columns, sw2, sb2, train)
        zero = self._zero1[rows, None] | self._zero2[columns]
        theta[zero] += train * (sb2 - c[zero])
        c[zero] = sb2


@dataclass(frozen=True)
class Moments:
    """V = E phi(u)^2 and P = E phi'(u)^2 at variance q, T = E phi(u) phi(v) and Tdot = E phi'(u) phi'(v) at
    correlation c.
    """

    v: float
    p: float
    t: float
    tdot: float


def moments(activation: Activation, q: float, c: float = 1.0) -> Moments:
    """The expectations of one layer for two inputs of variance `q` and correlation `c`."""
    variance = np.array([q, q])
    layer = pair_map(activation).at(variance, None)
    t = np.array([[q, c * q], [c * q, q]])
    tdot = np.ones((2, 2))
    layer.advance(t, tdot, slice(0, 2), slice(0, 2), 1.0, 0.0, 0.0)
    return Moments(float(t[0, 0]), float(tdot[0, 0]), float(t[0, 1]), float(tdot[0, 1]))


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
            new = sw2 * t + sb2
            c[i, j] = new
            theta[i, j] = train * new + sw2 * tdot * theta[i, j]


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
        self._q1 = np.maximum(q1, SMALLEST)
        self._q2 = self._q1 if q2 is None else np.maximum(q2, SMALLEST)
        self.v1 = self._v(self._q1)
        self.v2 = self.v1 if q2 is None else self._v(self._q2)

    def _v(self, q: np.ndarray) -> np.ndarray:
        out = np.empty_like(q)
        _variance(self._pair, self._equal, q, out)
        return out

    def advance(
        self,
        c: np.ndarray,
        theta: np.ndarray,
        rows: slice,
        columns: slice,
        sw2: float,
        sb2: float,
        train: float,
    ) -> None:
        """See `Layer.advance`."""
        _advance(self._pair, self._equal, c, theta, self._q1[rows], self._q2[columns], sw2, sb2, train)
