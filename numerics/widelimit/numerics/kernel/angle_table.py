"""The quadrature behind the angle map: T and Tdot of all pairs of a few scales, at all angles, together.

With c = cos(angle), u = s (sqrt|c| t + sqrt(1-|c|) z) and v = s' (+-sqrt|c| t + sqrt(1-|c|) z'), where t, z, z' are
independent standard normal. Given t, u and v are independent: T = E_t F(t, s) F(+-t, s') with the activation smoothed
over z, F(t, s) = E_z phi(s (sqrt|c| t + sqrt(1-|c|) z)). So each scale is smoothed once for each angle, and all
pairs of scales are one matrix product; the angle pi - angle has the same F with t reversed.
"""

from __future__ import annotations

import math

import numpy as np

from widelimit.numerics import threads
from widelimit.numerics.compile import compile
from widelimit.numerics.compile.features import features
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.errors import ConvergenceError
from widelimit.theory.kernel import slope

_REACHES = (
    9.5,
    13.0,
    19.0,
    27.0,
)  # where the normal density is cut, as far as the activation makes it necessary
_WIDEST = 1.5  # panel of the normal density: 16 nodes integrate it to rounding
_PANELS = 4000  # more than this: norms and features too far apart
_GROWTH = 3.0  # of panels away from a feature
_NODE, _WEIGHT = np.polynomial.legendre.leggauss(16)


class Table:
    """Pair expectations of functions and of their slopes, in order: T and Tdot of each."""

    def __init__(self, *activations: Activation) -> None:
        expressions = tuple(e for one in activations for e in (one.expr, slope(one)))
        self._count = len(expressions)
        self._compiled = compile(expressions, (X,), name="smoothed")
        found = features(expressions, X)
        self._kinks = np.array(found.kinks)
        self._spots = [(m, w) for m, w in found.spots if math.isfinite(w)]

    def at(self, scales: np.ndarray, angles: np.ndarray) -> np.ndarray:
        """(expectations, scales, scales, angles), for angles that lie symmetrically about pi/2."""
        count, half = len(angles), (len(angles) + 1) // 2
        out = np.empty((self._count, len(scales), len(scales), count))
        order = np.argsort(angles)
        reach = self._reach(float(scales.max()))

        def work(part: slice) -> None:
            for k in range(part.start, part.stop):
                smoothed, weight = self._smoothed(scales, float(angles[order[k]]), reach)
                weighted = smoothed * weight
                out[..., order[k]] = weighted @ smoothed.swapaxes(1, 2)
                out[..., order[count - 1 - k]] = weighted @ smoothed[..., ::-1].swapaxes(1, 2)

        threads.each(work, [slice(k, k + 1) for k in range(half)])
        return out

    def _reach(self, scale: float) -> float:
        """Where the density times the squares of phi and phi' is rounding beside their size at one deviation."""
        for reach in _REACHES:
            size, near = (
                np.abs(self._values(scale * end * np.array([-1.0, 1.0]))).max(axis=1) for end in (reach, 1.0)
            )
            if (size * math.exp(-(reach**2) / 4) <= 1e-9 * np.maximum(near, 1e-3 * near.max())).all():
                return reach
        raise ConvergenceError(
            f"The expectations of this activation at the variance {scale**2:.3g} reach past {_REACHES[-1]} standard "
            "deviations: it grows too fast for a quadrature. Reduce sigma_w, sigma_b or the norms of the inputs."
        )

    def _values(self, x: np.ndarray) -> np.ndarray:
        """Functions and slopes, (expectations, ...)."""
        with np.errstate(all="ignore"):
            values = self._compiled.evaluate(np.ascontiguousarray(x).reshape(-1))[0]
        return values.reshape(self._count, *x.shape)

    def _smoothed(self, scales: np.ndarray, angle: float, reach: float) -> tuple[np.ndarray, np.ndarray]:
        """F of functions and slopes, (expectations, scales, nodes), and weights of the nodes t, which are symmetric."""
        common, blur = math.sqrt(math.cos(angle)), math.sqrt(2) * math.sin(angle / 2)
        edges = self._edges(scales * common, blur / common, reach)
        t, weight = _rule(np.concatenate([-edges[:0:-1], edges])[None])
        out = np.empty((self._count, len(scales), t.size))
        for k, scale in enumerate(scales):
            out[:, k] = self._blurred(scale * common * t[0], scale * blur, reach)
        return out, weight[0]

    def _blurred(self, mean: np.ndarray, deviation: float, reach: float) -> np.ndarray:
        """E f(mean + deviation z), (expectations, means), by panels cut at kinks and graded at features."""
        steps = np.linspace(-reach, reach, math.ceil(2 * reach / _WIDEST) + 1)
        marks = [self._kinks]
        for place, width in self._spots:
            size = width
            while size < _WIDEST * deviation:  # wider ones the steps resolve
                marks.append(place + np.array([-size, size]))
                size *= _GROWTH
        special = (np.concatenate(marks) - mean[:, None]) / deviation
        edges = np.concatenate([np.broadcast_to(steps, (mean.size, steps.size)), special], axis=1)
        z, weight = _rule(np.sort(np.clip(edges, -reach, reach), axis=1))
        return np.einsum("kmz,mz->km", self._values(mean[:, None] + deviation * z), weight)

    def _edges(self, units: np.ndarray, blur: float, reach: float) -> np.ndarray:
        """Panels in t from 0 up, graded towards the places where a smoothed function turns, with the width it has."""
        marks = [(kink, 0.0) for kink in self._kinks] + self._spots
        turns = [(abs(m) / u, max(blur, w / u)) for m, w in marks for u in units if abs(m) < 2 * reach * u]
        places, widths = np.array(turns).reshape(-1, 2).T
        edges = [0.0]
        while edges[-1] < reach:
            ahead = places - edges[-1]
            room = np.where(ahead > 0, 0.5 * ahead, -ahead)
            edges.append(edges[-1] + min(_WIDEST, float(np.maximum(widths, room).min(initial=_WIDEST))))
            if len(edges) > _PANELS:
                raise ConvergenceError(
                    f"The kernel of this activation needs more than {_PANELS} panels at {len(units)} different norms. "
                    "Bring the inputs to similar norms."
                )
        return np.append(edges[:-1], reach)


def _rule(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the normal density on panels between `edges` (rows, edges), both (rows, nodes)."""
    half = 0.5 * np.diff(edges, axis=1)[..., None]
    z = (0.5 * (edges[:, 1:] + edges[:, :-1])[..., None] + half * _NODE).reshape(len(edges), -1)
    weight = (half * _WEIGHT).reshape(len(edges), -1)
    return z, weight * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
