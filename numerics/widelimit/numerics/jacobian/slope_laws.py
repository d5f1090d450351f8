r"""The law of d = phi'(sqrt(q) z)^2, z ~ N(0, 1), as nodes on a contour below the real axis.

:math:`E f(d)=\int f(\phi'(x)^2)e^{-x^2/2q}dx/\sqrt{2\pi q}`.

    pieces     phi'^2 between the kinks of phi; constant pieces are atoms
    here                each piece cut where d turns; moments that must exist; the support
    contours   each cut piece as nodes and weights
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr as normal_cdf

from widelimit.numerics.compile import Compiled
from widelimit.numerics.freeprob.products import Slopes
from widelimit.numerics.jacobian.contours import REACH, contour
from widelimit.numerics.jacobian.pieces import Piece, slope_pieces
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ConvergenceError, DomainError, InfiniteMomentError

__all__ = ["Piece", "slope_law", "slope_pieces", "vanished", "vanishes"]


@lru_cache(maxsize=512)
def slope_law(activation: Activation, q: float) -> Slopes:
    """Law of phi'(sqrt(q) z)^2. Raises InfiniteMomentError where E phi'^4 is infinite or phi jumps."""
    derivative = activation.derivative(1)
    if derivative.deltas or derivative.higher:
        raise InfiniteMomentError(
            f"The activation {activation} jumps, so that its slope is no function and its Jacobian has no law. Use a "
            "continuous activation."
        )
    if q < 1e-13:  # the slope at zero, on either side
        sides = _value(slope_pieces(activation), np.array([-1e-12, 1e-12]))
        return Slopes.of_atoms(
            [(float(v), 0.5) for v in sides] if sides[0] != sides[1] else [(float(sides[0]), 1.0)]
        )
    scale = float(np.sqrt(q))
    cut = REACH * scale
    nodes: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    atoms: dict[float, float] = {}
    components: list[tuple[float, float]] = []
    unbounded, error = False, 0.0
    pieces = slope_pieces(activation)
    even = _is_even(pieces, scale)
    for piece in pieces:
        low, high = (max(piece.low, 0.0) if even else piece.low), piece.high
        if high <= low:
            continue
        double = 2.0 if even else 1.0
        if piece.curve is None:
            mass = double * float(normal_cdf(high / scale) - normal_cdf(low / scale))
            if mass > 0.0:
                atoms[piece.constant] = atoms.get(piece.constant, 0.0) + mass
            continue
        begin, end = max(low, -cut), min(high, cut)
        if end <= begin:
            continue
        _require_moments(activation, piece, q, cut)
        for left, right in _monotone(piece.curve, begin, end, scale):
            x, w, missed = contour(piece.curve, left, right, scale)
            nodes.append(x)
            weights.append(double * w)
            error = max(error, missed)
            ends = sorted(float(piece.curve(complex(v))[0].real) for v in (left, right))
            if abs(left) == cut or abs(right) == cut:
                ends, grows = _far(piece, ends, right, cut)
                unbounded |= grows
            components.append((ends[0], ends[1]))
    for location, mass in atoms.items():
        nodes.append(np.array([location], dtype=complex))
        weights.append(np.array([mass], dtype=complex))
        components.append((location, location))
    total = sum(w.sum().real for w in weights)
    if abs(total - 1.0) > 1e-8:
        raise ConvergenceError(f"The slope law of {activation} at q = {q} was found with mass {total}.")
    return Slopes(
        np.concatenate(nodes),
        np.concatenate(weights),
        tuple(sorted(atoms.items())),
        _merged(components),
        unbounded,
        max(error, abs(total - 1.0)),
        tuple(sorted({end for component in components for end in component})),
    )


def vanished(activation: Activation, q: float) -> DomainError:
    """The refusal of slopes that no float holds."""
    return DomainError(
        f"The slopes of {activation} at q = {q:.6g} fall below any float within {REACH:g} standard deviations, where "
        "their law cannot be followed. Use a less steep activation, or a smaller sigma_w or sigma_b."
    )


def vanishes(activation: Activation, q: float) -> bool:
    """Whether slopes that are not zero are none in floats, at either end of the Gaussian."""
    ends = REACH * float(np.sqrt(q)) * np.array([-1.0, 1.0])
    with np.errstate(all="ignore"):
        found = np.abs(_value(slope_pieces(activation), ends))
    flat = [piece.constant == 0.0 for piece in slope_pieces(activation) if piece.curve is None]
    return bool((found < 1e-290).any() and not any(flat))


def _is_even(pieces: tuple[Piece, ...], scale: float) -> bool:
    """Whether phi'(-x)^2 = phi'(x)^2, tried at a few points."""
    x = scale * np.array([0.13, 0.71, 1.9, 3.3])
    left, right = _value(pieces, -x), _value(pieces, x)
    breaks = [p.low for p in pieces[1:]]
    return bool(np.allclose(left, right, rtol=1e-13, atol=0)) and np.allclose(
        breaks, [-b for b in reversed(breaks)]
    )


def _value(pieces: tuple[Piece, ...], x: np.ndarray) -> np.ndarray:
    result = np.empty(x.shape)
    for piece in pieces:
        here = (x >= piece.low) & (x <= piece.high)
        result[here] = piece.constant if piece.curve is None else piece.curve(x[here].astype(complex))[0].real
    return result


def _require_moments(activation: Activation, piece: Piece, q: float, cut: float) -> None:
    """E phi'^2k is finite unless phi' grows like exp(x^2/(4kq)) or faster; k = 2 is needed, up to 4 to check a law."""
    assert piece.curve is not None
    for side in (-1.0, 1.0):
        if np.isfinite(piece.high if side > 0 else piece.low):
            continue
        points = side * cut * np.array([1.0, 1.2, 1.5])
        with np.errstate(all="ignore"):
            d = np.abs(piece.curve(points.astype(complex))[0])
            if not np.isfinite(d).all():  # a factor overflows where the slope vanishes
                nearer = np.abs(piece.curve((points[-1] * np.linspace(0.0, 1.0, 600)[1:]).astype(complex))[0])
                known = nearer[np.isfinite(nearer)]
                if known.size and known[-1] < 1e-100:
                    raise vanished(activation, q)
        for k in (2, 3, 4):
            with np.errstate(all="ignore"):
                rate = k * np.log(np.maximum(d, 1e-300)) - points**2 / (2 * q)
            if np.isfinite(d).all() and rate[-1] <= rate[0]:
                continue
            consequence = (
                "its Jacobian has no variance and no law that this theory describes"
                if k == 2
                else f"its Jacobian has an infinite moment of order {k}, and laws are verified by the first four"
            )
            raise InfiniteMomentError(
                f"The activation {activation} has an infinite E phi'(sqrt(q) z)^{2 * k} at q = {q:.6g}, so "
                f"{consequence}. Use an activation whose slope grows more slowly."
            )


def _monotone(curve: Compiled, begin: float, end: float, scale: float) -> list[tuple[float, float]]:
    """Cut [begin, end] where d phi'^2/dx vanishes."""
    width = end - begin
    grid = np.unique(
        np.concatenate(
            (
                np.linspace(begin, end, 401),
                begin + width * np.geomspace(1e-6, 1, 60),
                end - width * np.geomspace(1e-6, 1, 60),
            )
        )
    )
    grid = np.concatenate((grid, np.arange(max(begin, -40.0), min(end, 40.0), 0.1)))
    grid = np.unique(np.clip(grid, begin, end))
    d, rate = (part.real for part in curve(grid.astype(complex)))
    rate = np.where(
        np.abs(rate) * min(scale, 1.0) < 1e-13 * np.abs(d), 0.0, rate
    )  # flat to rounding: no turn
    turns = np.flatnonzero(rate[:-1] * rate[1:] < 0)

    def slope(point: float) -> float:
        return float(curve(complex(point))[1].real)

    cuts = [float(brentq(slope, grid[i], grid[i + 1], xtol=1e-300, rtol=1e-15)) for i in turns]
    exact = (rate[1:-1] == 0) & (rate[:-2] * rate[2:] < 0)
    cuts += [float(g) for g in grid[1:-1][exact]]
    cuts = sorted({begin, *cuts, end})
    return [(a, b) for a, b in itertools.pairwise(cuts) if b - a > 1e-12 * width]


def _far(piece: Piece, ends: list[float], right: float, cut: float) -> tuple[list[float], bool]:
    """Extend the component of a piece that was cut off to the limit of d at infinity, if d tends there steadily."""
    assert piece.curve is not None
    side = 1.0 if right == cut else -1.0
    if not np.isfinite(piece.high if side > 0 else piece.low):
        points = side * max(cut, 1.0) * np.linspace(1.0, 8.0, 200)
        with np.errstate(all="ignore"):
            values = piece.curve(points.astype(complex))[0].real
        values = values[np.isfinite(values)]
        steps = np.diff(values) * np.sign(values[-1] - values[0])
        if (steps < -1e-12 * np.abs(values[1:])).any():  # it turns: what lies beyond has no weight
            return ends, False
        here, far = float(values[0]), float(values[-1])
        if far > 1.05 * here and far > ends[1]:
            return ends, True
        limit = 0.0 if far < 0.95 * here else far
        return [min(ends[0], limit), max(ends[1], limit)], False
    return ends, False


def _merged(components: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    merged: list[tuple[float, float]] = []
    top = max(high for _, high in components)
    for low, high in sorted(components):
        low = 0.0 if low < 1e-25 * top < high else low  # a zero of the slope, to rounding
        if merged and low <= merged[-1][1] * (1 + 1e-12):
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)
