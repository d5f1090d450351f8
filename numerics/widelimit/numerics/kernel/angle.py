"""Kernels of a kinked activation without a closed form, by interpolation in the angle arccos(rho).

Seen as a function of rho, T has a branch point at rho = 1 ((1 - rho)^(3/2) at a kink), so that Hermite series
converge slowly. In the angle arccos(rho) it is smooth up to both ends: a Chebyshev interpolant converges fast. Its
nodes, `angle_table`, are the only points where a quadrature runs; their number does not depend on the data.
A kink away from 0 is the exception: at two different norms T changes within an angle of the distance between the
kink's places in units of the norms. The hinges sum_k w_k max(x - k, 0), with all kinks of the activation, have T in
closed form, and only the difference to theirs is interpolated.
The scales sqrt(q) are nodes themselves where the inputs have few norms; many norms are interpolated as well, in
asinh(sqrt(q)), which is linear below 1 and a logarithm above.
"""

from __future__ import annotations

import functools

import numpy as np
from numba import types
from scipy import fft
from sympy import Max

from widelimit.numerics.compile.cache import njit
from widelimit.numerics.kernel.angle_table import Table
from widelimit.numerics.kernel.layers import (
    ALONE,
    Behind,
    Block,
    PairMap,
    Prepare,
    closed_map,
    correlation,
    floored,
)
from widelimit.numerics.kernel.recursion import next_both
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.errors import ConvergenceError

TINY = 1e-300
ACCURACY = 1e-10  # of the interpolant, relative to its largest value
_ANGLES = (24, 72, 216, 648)  # each three times the last, whose nodes are every third of its own
_SCALES = (12, 20, 32, 48)  # nodes in sqrt(q), where there are more norms than the last of them
_SAME = 1e-13  # scales this close are one norm, seen through rounding


@functools.lru_cache(maxsize=64)
def prepare(activation: Activation) -> Prepare:
    """Compile the quadrature and return what builds an `AngleLayer` from variances."""
    hinges = _hinges(activation)
    if hinges is None:
        return functools.partial(AngleLayer, Table(activation), None)
    return functools.partial(AngleLayer, Table(activation, hinges.activation), hinges)


def _hinges(activation: Activation) -> PairMap | None:
    """The part that has all the activation's kinks, unless they are all at 0, where angles see no norms."""
    kinks = activation.derivative(2).deltas
    if all(place == 0 for place, _ in kinks):
        return None
    return closed_map(Activation.of(sum(weight * Max(X - place, 0) for place, weight in kinks)))


class AngleLayer:
    """T and Tdot by Chebyshev interpolation; `_one` and `_two` hold each input's weights of the scale nodes."""

    def __init__(
        self, table: Table, hinges: PairMap | None, q1: np.ndarray, q2: np.ndarray | None = None
    ) -> None:
        self._q1, self._q2 = floored(q1, q2)
        self._hinges = None if hinges is None else hinges.at(self._q1, None if q2 is None else self._q2)
        s1, s2 = np.sqrt(self._q1), np.sqrt(self._q2)
        norms = _distinct(np.concatenate([s1, s2]))
        if norms.size <= _SCALES[-1]:
            self._one, self._two = (_nearest(norms, s) for s in (s1, s2))
            self._t, self._tdot, self.error, _ = _in_angle(table, norms)
        else:
            low, high = np.arcsinh(norms[[0, -1]])
            self._t, self._tdot, self.error = _in_both(table, float(low), float(high))
            count = self._t.shape[0]
            self._one, self._two = (
                np.ascontiguousarray(
                    np.polynomial.chebyshev.chebvander(
                        np.clip((2 * np.arcsinh(s) - low - high) / (high - low), -1, 1), count - 1
                    )
                )
                for s in (s1, s2)
            )
        self.v1 = self._variance(self._one)
        self.v2 = self.v1 if q2 is None else self._variance(self._two)
        if self._hinges is not None:
            self.v1, self.v2 = self.v1 + self._hinges.v1, self.v2 + self._hinges.v2

    def _variance(self, weights: np.ndarray) -> np.ndarray:
        at_zero_angle = self._t @ (-1.0) ** np.arange(self._t.shape[2])
        return np.einsum("na,ab,nb->n", weights, at_zero_angle, weights)

    def advance(self, block: Block, behind: Behind = ALONE) -> None:
        """See `Layer.advance`."""
        c, theta, rows, columns = block
        two = self._two[columns]
        known, known_dot = np.zeros_like(c), np.zeros_like(c)
        if self._hinges is not None:
            known[...], known_dot[...] = c, 1.0
            self._hinges.advance(Block(known, known_dot, rows, columns))
        for local, i in enumerate(range(*rows.indices(self._q1.size))):
            t, tdot = (
                np.ascontiguousarray(np.einsum("a,abk->kb", self._one[i], f) @ two.T)
                for f in (self._t, self._tdot)
            )
            _advance(
                c[local], theta[local], t, tdot, known[local], known_dot[local], self._q1[i], self._q2[columns],
                *behind,
            )  # fmt: skip


def _distinct(scales: np.ndarray) -> np.ndarray:
    ordered = np.unique(scales)
    return ordered[np.append(True, np.diff(ordered) > _SAME * ordered[1:])]


def _nearest(norms: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """One-hot rows: which of `norms` each scale is."""
    index = np.clip(np.searchsorted(norms, scales * (1 + _SAME), side="right") - 1, 0, norms.size - 1)
    return np.eye(norms.size)[index]


def _in_angle(
    table: Table, scales: np.ndarray, least: int = 0
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Chebyshev coefficients in the angle of each pair of `scales`, refined until the last quarter is small beside
    the largest value of T and of Tdot, and these two over all pairs.
    """
    values = np.empty((0,))
    for count in (k for k in _ANGLES if k >= least):
        values = _refined(table, scales, count, values)
        # judged pair by pair: norms can differ by orders of magnitude
        size = np.abs(values[:2]).max(axis=3, initial=TINY)
        rough = values[:2] - values[2:] if len(values) > 2 else values
        t, tdot = both = np.array([_chebyshev(value, (2,)) for value in rough])
        rest = float(np.max(np.abs(both[..., 3 * count // 4 :]).max(axis=3) / size))
        if rest < ACCURACY:
            return t, tdot, rest, size.max(axis=(1, 2))
    raise ConvergenceError(
        f"The kernel of this activation needs more than {_ANGLES[-1]} angles at the variance {scales[-1] ** 2:.3g} "
        f"(reached {rest:.1e}). Reduce sigma_w, sigma_b or the norms of the inputs."
    )


def _refined(table: Table, scales: np.ndarray, count: int, before: np.ndarray) -> np.ndarray:
    """The table at `count` angles, given it at a third of them or not at all."""
    angles = _angles(count)
    if not before.size:
        return table.at(scales, angles)
    values = np.empty((*before.shape[:3], count))
    new = np.arange(count) % 3 != 1
    values[..., ~new] = before
    values[..., new] = table.at(scales, angles[new])
    return values


def _in_both(table: Table, low: float, high: float) -> tuple[np.ndarray, np.ndarray, float]:
    """The same for all scales between sinh(low) and sinh(high)."""
    angles = 0
    for count in _SCALES:
        nodes = np.cos(np.pi * (np.arange(count) + 0.5) / count)
        scales = np.sinh(0.5 * (low + high) + 0.5 * (high - low) * nodes)
        t, tdot, error, size = _in_angle(table, scales, angles)
        angles = t.shape[2]
        t, tdot = both = np.array([_chebyshev(c, (0, 1)) for c in (t, tdot)])
        rest = float(np.max(np.abs(both[:, 3 * count // 4 :]).max(axis=(1, 2, 3)) / size))
        if rest < ACCURACY:
            return t, tdot, max(error, rest)
    raise ConvergenceError(
        f"The kernel of this activation needs more than {_SCALES[-1]} norms between the variances "
        f"{np.sinh(low) ** 2:.3g} and {np.sinh(high) ** 2:.3g} (reached {rest:.1e}). Bring the inputs to similar norms."
    )


def _angles(count: int) -> np.ndarray:
    return 0.5 * np.pi * (1 + np.cos(np.pi * (np.arange(count) + 0.5) / count))


def _chebyshev(values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Chebyshev coefficients of values at the nodes along `axes`."""
    for axis in axes:
        values = fft.dct(values, type=2, axis=axis) / values.shape[axis]
        index: list[slice | int] = [slice(None)] * 3
        index[axis] = 0
        values[tuple(index)] *= 0.5
    return values


_R1 = types.Array(types.float64, 1, "A")
_C2 = types.Array(types.float64, 2, "C")
_F = types.float64
_both = next_both.njit


@njit(
    types.void(_R1, _R1, _C2, _C2, _R1, _R1, _F, _R1, _F, _F, _F), nogil=True, error_model="numpy", cache=True
)
def _advance(c, theta, t, tdot, known, known_dot, q1, q2, sw2, sb2, train):
    """Clenshaw's rule in the angle along one row; t[k], tdot[k] are the coefficients of each column, for what T and
    Tdot have beside the `known`.
    """
    for j in range(c.size):
        x = 2.0 * np.arccos(correlation(c[j], q1, q2[j])) / np.pi - 1.0
        value, value_before, slope, slope_before = 0.0, 0.0, 0.0, 0.0
        for k in range(t.shape[0] - 1, 0, -1):
            value, value_before = 2.0 * x * value - value_before + t[k, j], value
            slope, slope_before = 2.0 * x * slope - slope_before + tdot[k, j], slope
        c[j], theta[j] = _both(
            known[j] + x * value - value_before + t[0, j],
            known_dot[j] + x * slope - slope_before + tdot[0, j],
            theta[j], sw2, sb2, train, train,
        )  # fmt: skip
