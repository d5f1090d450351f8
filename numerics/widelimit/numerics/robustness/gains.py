"""Log gains of deep random networks, a microsecond-scale loop over layers: moments come from a table in log q.

V(q) = E phi^2 and P(q) = E phi'^2 are smooth in log q, whatever the kinks of phi. On each stretch of log q that a
network visits they are interpolated by Chebyshev polynomials from quadrature, once, and the interpolation is checked
between its nodes; where it fails the check quadrature itself is asked.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field

import numpy as np

from widelimit.numerics.meanfield.layers import layer
from widelimit.numerics.meanfield.maps import Maps, maps
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import DomainError

_WIDTH, _NODES = 0.5, 16  # of a stretch of log q
_ERROR = 2e-14  # relative, between nodes
_SETTLED = 1e-15  # relative change of q from which it stays
_SMALL, _LARGE = 1e-200, 1e200  # lengths beyond which phi is a power to all digits
_DEGREES = np.arange(_NODES)
_AT = np.cos(np.pi * (_DEGREES + 0.5) / _NODES)  # Chebyshev nodes
_TO_SERIES = 2 / _NODES * np.cos(np.outer(_DEGREES, np.pi * (_DEGREES + 0.5) / _NODES))
_TO_SERIES[0] /= 2
_BETWEEN = np.array([-0.97, -0.31, 0.12, 0.86])


@by_value
@dataclass
class Moments:
    """V and P of one activation, by stretches of log q: a series each, or None where quadrature has to do."""

    functions: Maps
    stretches: dict[int, np.ndarray | None] = field(default_factory=dict)

    def at(self, q: float) -> tuple[float, float]:
        """Return V and P at one length."""
        place = math.log(q) / _WIDTH
        index = math.floor(place)
        if index not in self.stretches:
            self.stretches[index] = self._interpolated(index)
        series = self.stretches[index]
        if series is None:
            values, _ = self.functions.moments(np.array([q]))
            return float(values[0, 0]), float(values[1, 0])
        v, p = series @ np.cos(_DEGREES * math.acos(max(-1.0, min(1.0, 2 * (place - index) - 1))))
        return float(v), float(p)

    def _interpolated(self, index: int) -> np.ndarray | None:
        values, _ = self.functions.moments(_lengths(index, np.concatenate([_AT, _BETWEEN])))
        series = values[:2, :_NODES] @ _TO_SERIES.T
        found = series @ np.cos(np.outer(_DEGREES, np.arccos(_BETWEEN)))
        truth = values[:2, _NODES:]
        good = np.isfinite(values[:2]).all() and (np.abs(found - truth) <= _ERROR * np.abs(truth)).all()
        return series if good else None


def _lengths(index: int, at: np.ndarray) -> np.ndarray:
    return np.exp(_WIDTH * (index + (at + 1) / 2))


@functools.lru_cache(maxsize=32)
def moments(activation: Activation) -> Moments:
    """Return the table of one activation, empty at first."""
    return Moments(maps(activation))


def log_gain(activation: Activation, w: float, b: float, depth: int) -> float:
    """Return the sum of log chi over the hidden layers less log q of the output; inputs have mean square 1.

    Followed as -log q_1 plus log chi_l - log(q_{l+1}/q_l) for each layer, which stays finite where lengths die or
    explode: there phi is a power and every layer adds the same. Raises `DomainError` where it has no value.
    """
    table, compiled = moments(activation), layer()
    scale, noise = (float(one) for one in compiled.length(w, b, 1.0))
    slope = float(compiled.slopes(w, 1.0, 1.0, 0.0)[0])  # chi at P = 1, which chi is proportional to
    q = scale + noise
    total = -math.log(q)
    for at in range(depth):
        v, p = table.at(q)
        after = scale * v + noise
        if not (0 < after < math.inf):
            ends = "dies" if after == 0 else "explodes"
            raise DomainError(
                f"The signal {ends} in hidden layer {at + 1} at sigma_w = {w:g}, sigma_b = {b:g}. Use fewer layers or "
                "other scales."
            )
        if p <= 0:
            return -math.inf  # no gradient comes through
        step = math.log(slope * p) - math.log(after / q)
        if abs(after - q) <= _SETTLED * q or not _SMALL < q < _LARGE:
            return total + (depth - at) * step
        total, q = total + step, after
    return total
