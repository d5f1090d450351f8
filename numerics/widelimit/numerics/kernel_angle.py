"""Kernels of a kinked activation without a closed form, by interpolation in (sqrt q1, sqrt q2, angle).

Seen as a function of rho, T has a branch point at rho = 1 ((1 - rho)^(3/2) at a kink), so that Hermite series
converge slowly. In the angle arccos(rho) it is smooth up to both ends: a Chebyshev interpolant converges fast. Its
nodes are the only points where a two-dimensional quadrature runs; their number does not depend on the data.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import numpy as np
from numba import njit, types
from scipy import fft

from widelimit.numerics.compile import compile
from widelimit.numerics.kernel_maps import SMALLEST, Layer, correlation
from widelimit.theory import kernel as theory
from widelimit.theory.activation import Activation
from widelimit.theory.errors import ConvergenceError

ACCURACY = 1e-10  # of the interpolant, relative to its largest value
_ANGLES = (24, 48, 96, 192)
_SCALES = (1, 6, 10, 16, 24)  # nodes in sqrt(q); 1 serves inputs of one norm

Pair = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@functools.lru_cache(maxsize=64)
def prepare(activation: Activation) -> Callable[[np.ndarray, np.ndarray | None], Layer]:
    """Compile the two-dimensional quadrature and return what builds an `AngleLayer` from variances."""
    return functools.partial(AngleLayer, compile(theory.pair(activation), theory.PAIR_SYMBOLS, name="pair"))


class AngleLayer:
    """T and Tdot by Chebyshev interpolation; `_one` and `_two` hold each input's Chebyshev polynomials of sqrt(q)."""

    def __init__(self, pair: Pair, q1: np.ndarray, q2: np.ndarray | None = None) -> None:
        self._q1 = np.maximum(q1, SMALLEST)
        self._q2 = self._q1 if q2 is None else np.maximum(q2, SMALLEST)
        scales = np.sqrt(np.concatenate([self._q1, self._q2]))
        self._low, self._high = float(scales.min()), float(scales.max())
        self._t, self._tdot, self.error = self._interpolate(pair)
        self._one, self._two = self._polynomials(self._q1), self._polynomials(self._q2)
        self.v1 = self._variance(self._one)
        self.v2 = self.v1 if q2 is None else self._variance(self._two)

    def _interpolate(self, pair: Pair) -> tuple[np.ndarray, np.ndarray, float]:
        """Refine until the last quarter of the coefficients is small in each direction."""
        one_norm = self._high - self._low <= 1e-12 * self._high
        sizes = itertools.product((1,) if one_norm else _SCALES[1:], _ANGLES)
        scale_nodes, angle_nodes = next(sizes)
        while True:
            coefficients = self._coefficients(pair, scale_nodes, angle_nodes)
            largest = [np.abs(c).max() for c in coefficients]
            cut_scale, cut_angle = (max(2, 3 * k // 4) for k in (scale_nodes, angle_nodes))
            rest_scale = (
                0.0
                if one_norm
                else max(np.abs(c[cut_scale:]).max() / m for c, m in zip(coefficients, largest, strict=True))
            )
            rest_angle = max(
                np.abs(c[:, :, cut_angle:]).max() / m for c, m in zip(coefficients, largest, strict=True)
            )
            if max(rest_scale, rest_angle) < ACCURACY:
                return coefficients[0], coefficients[1], max(rest_scale, rest_angle)
            if rest_angle >= ACCURACY and angle_nodes < _ANGLES[-1]:
                angle_nodes = next(k for k in _ANGLES if k > angle_nodes)
            elif rest_scale >= ACCURACY and scale_nodes < _SCALES[-1]:
                scale_nodes = next(k for k in _SCALES if k > scale_nodes)
            else:
                raise ConvergenceError(
                    f"The kernel of this activation needs more than {scale_nodes} x {scale_nodes} x "
                    f"{angle_nodes} nodes "
                    f"between the variances {self._low**2:.3g} and {self._high**2:.3g} (reached "
                    f"{max(rest_scale, rest_angle):.1e}). Bring the inputs to similar norms."
                )

    def _coefficients(self, pair: Pair, scale_nodes: int, angle_nodes: int) -> tuple[np.ndarray, np.ndarray]:
        nodes = np.cos(np.pi * (np.arange(scale_nodes) + 0.5) / scale_nodes)
        q = (0.5 * (self._low + self._high) + 0.5 * (self._high - self._low) * nodes) ** 2
        angle = 0.5 * np.pi * (1 + np.cos(np.pi * (np.arange(angle_nodes) + 0.5) / angle_nodes))
        row, column = np.triu_indices(scale_nodes)
        values = pair(q[row][:, None], q[column][:, None], np.cos(angle)[None, :])
        return tuple(_chebyshev(value, row, column, scale_nodes) for value in values)  # type: ignore[return-value]

    def _polynomials(self, q: np.ndarray) -> np.ndarray:
        """T_a at each input's sqrt(q), (inputs, scale nodes)."""
        width = self._high - self._low
        count = self._t.shape[0]
        s = np.zeros_like(q) if count == 1 else (2 * np.sqrt(q) - self._low - self._high) / width
        return np.ascontiguousarray(np.polynomial.chebyshev.chebvander(np.clip(s, -1, 1), count - 1))

    def _variance(self, polynomials: np.ndarray) -> np.ndarray:
        at_zero_angle = self._t @ np.ones(self._t.shape[2])
        return np.einsum("na,ab,nb->n", polynomials, at_zero_angle, polynomials)

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
        two = self._two[columns]
        for local, i in enumerate(range(*rows.indices(self._q1.size))):
            t, tdot = (
                np.ascontiguousarray(np.einsum("a,abk->kb", self._one[i], f) @ two.T)
                for f in (self._t, self._tdot)
            )
            _advance(c[local], theta[local], t, tdot, self._q1[i], self._q2[columns], sw2, sb2, train)


def _chebyshev(values: np.ndarray, row: np.ndarray, column: np.ndarray, n: int) -> np.ndarray:
    """Chebyshev coefficients of values at the nodes, symmetric in the first two directions."""
    full = np.empty((n, n, values.shape[1]))
    full[row, column] = values
    full[column, row] = values
    for axis in range(3):
        full = fft.dct(full, type=2, axis=axis) / full.shape[axis]
        index: list[slice | int] = [slice(None)] * 3
        index[axis] = 0
        full[tuple(index)] *= 0.5
    return full


_R1 = types.Array(types.float64, 1, "A")
_C2 = types.Array(types.float64, 2, "C")
_F = types.float64


@njit(types.void(_R1, _R1, _C2, _C2, _F, _R1, _F, _F, _F), nogil=True, error_model="numpy", cache=True)
def _advance(c, theta, t, tdot, q1, q2, sw2, sb2, train):
    """Clenshaw's rule in the angle along one row; t[k], tdot[k] are the coefficients of each column."""
    for j in range(c.size):
        x = 2.0 * np.arccos(correlation(c[j], q1, q2[j])) / np.pi - 1.0
        value, value_before, slope, slope_before = 0.0, 0.0, 0.0, 0.0
        for k in range(t.shape[0] - 1, 0, -1):
            value, value_before = 2.0 * x * value - value_before + t[k, j], value
            slope, slope_before = 2.0 * x * slope - slope_before + tdot[k, j], slope
        new = sw2 * (x * value - value_before + t[0, j]) + sb2
        c[j] = new
        theta[j] = train * new + sw2 * (x * slope - slope_before + tdot[0, j]) * theta[j]
