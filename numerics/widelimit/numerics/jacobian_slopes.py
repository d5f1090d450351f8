r"""The law of d = phi'(sqrt(q) z)^2, z ~ N(0, 1), as nodes on a contour below the real axis.

:math:`E f(d)=\int f(\phi'(x)^2)e^{-x^2/2q}dx/\sqrt{2\pi q}`. A sum over real nodes has poles at every node, and deep
networks come close to the axis: the sum then shows false gaps. So each smooth piece on which d is monotone is
integrated along a path of complex x on which d runs below the real axis, leaving it at an angle at both ends:

    finite piece       x = left + (right - left)/(1 + exp(-tau))
    half-infinite      x = end +- (c log(1 + exp(tau)))^(1/k)     k = 1 exponential tails of d, k = 2 Gaussian ones

with tau = t +- i angle. The trapezoid rule in t converges geometrically for every zeta in the closed upper half plane,
uniformly up to the axis: the path keeps away from the negative axis too. Constant pieces are atoms. A path is
taken only if d stays in the lower half plane along it and the sum agrees with the real line at points where
the real line is accurate.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr as normal_cdf
from sympy import Add, Expr, Function, Integer, Symbol, cosh, erf, exp, factor, pi, sign, sqrt, tanh

from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.freeprob.products import Slopes
from widelimit.theory.activation import Activation
from widelimit.theory.errors import ConvergenceError, InfiniteMomentError

REACH = 13.0  # standard deviations: the mass beyond is 1e-38, so that E 1/(zeta - d) has its digits at small zeta too
REST = 60.0  # of tau: paths come within exp(-60) of their ends
ANGLES = (0.8, 0.5, 0.3, 0.15, 0.08)
AGREEMENT = 3e-12
PROBES = np.array([0.03, 0.2, 0.5, 0.9, 1.05, 1.5, 0.1, 0.001]) * np.exp(
    1j * np.array([1.3, 1.4, 1.2, 1.1, 0.9, 0.5, 3.0, 3.1])
)
MOST = 20_000  # nodes of one piece
_x = Symbol("x")


@dataclass(frozen=True)
class Piece:
    """An interval between kinks with the compiled (phi'^2, d phi'^2/dx) of complex x, or a constant."""

    low: float
    high: float
    curve: Compiled | None
    constant: float


@lru_cache(maxsize=64)
def slope_pieces(activation: Activation) -> tuple[Piece, ...]:
    """Split phi'^2 at its kinks and compile every smooth part."""
    regular = activation.derivative(1).regular
    ends = [-np.inf, *(float(b) for b in regular.breaks), np.inf]
    pieces = []
    for low, high, expr in zip(ends, ends[1:], regular.exprs, strict=False):
        slope = _relative(expr.xreplace({regular.variable: _x}))
        if not slope.has(_x):
            pieces.append(Piece(low, high, None, float(slope) ** 2))
        else:
            square = slope**2
            pieces.append(
                Piece(low, high, compile([square, square.diff(_x)], [_x], name="slope", dtype=complex), 0.0)
            )
    return tuple(pieces)


class ndtr(Function):
    """The normal distribution function, under the name of compiled code; SymPy would turn erfc(-u) into 2 - erfc(u)."""

    def fdiff(self, argindex: int = 1) -> Expr:
        """The normal density."""
        return exp(-(self.args[0] ** 2) / 2) / sqrt(2 * pi)


def _relative(expr: Expr) -> Expr:
    """Rewrite a slope so that it keeps its digits where it is small.

    1 - tanh^2 becomes 1/cosh^2, 1 +- tanh(u) becomes 2/(1 + exp(-+2u)), 1 +- erf(u) becomes 2 ndtr(+-sqrt(2) u).
    """
    for node in expr.atoms(tanh):
        symbol = Symbol("u")
        argument = node.args[0]
        product, plus, minus = Integer(1), 0, 0
        for part in factor(expr.xreplace({node: symbol})).as_ordered_factors():
            base, exponent = part.as_base_exp()
            if base in (symbol + 1, symbol - 1, 1 - symbol) and exponent.is_Integer:
                plus += int(exponent) if base == symbol + 1 else 0
                minus += 0 if base == symbol + 1 else int(exponent)
                product *= (-1) ** exponent if base == symbol - 1 else 1
            else:
                product *= part
        pairs = min(plus, minus)
        expr = product.xreplace({symbol: node}) * cosh(argument) ** (-2 * pairs)
        expr *= (2 / (1 + exp(-2 * argument))) ** (plus - pairs)
        expr *= (2 / (1 + exp(2 * argument))) ** (minus - pairs)
    return expr.replace(lambda e: isinstance(e, Add) and e.has(erf), _complementary)


def _complementary(total: Expr) -> Expr:
    constant, rest = total.as_coeff_Add()
    for term in Add.make_args(rest):
        weight, function = term.as_coeff_Mul()
        if isinstance(function, erf) and constant and abs(weight) == abs(constant):
            return 2 * constant * ndtr(sign(weight * constant) * sqrt(2) * function.args[0]) + rest - term
    return total


@lru_cache(maxsize=512)
def slope_law(activation: Activation, q: float) -> Slopes:
    """Law of phi'(sqrt(q) z)^2. Raises InfiniteMomentError where E phi'^4 is infinite."""
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
            x, w, missed = _contour(piece.curve, left, right, scale)
            nodes.append(x)
            weights.append(double * w)
            error = max(error, missed)
            ends = sorted(float(piece.curve(complex(v))[0].real) for v in (left, right))
            if abs(left) == cut or abs(right) == cut:
                ends, grows = _far(piece, ends, left, right, cut)
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


def _gauss(x: np.ndarray, scale: float) -> np.ndarray:
    return np.exp(-0.5 * (x / scale) ** 2) / (np.sqrt(2 * np.pi) * scale)


def _contour(
    curve: Compiled, left: float, right: float, scale: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Nodes d and weights of one monotone piece, and how far they miss the real line at points that both can do."""
    first, last = (float(curve(complex(v))[0].real) for v in (left, right))
    real = _real_line(curve, left, right, scale)
    if abs(last - first) < 1e-9 * max(abs(first), abs(last)):
        return real[0], real[1], 0.0
    top = max(first, last)
    probes = top * PROBES
    reference = _cauchy(probes, *real)
    side = -1.0 if last > first else 1.0  # side of the x axis on which d lies below its own
    best = (np.inf, real)
    for angle in ANGLES:
        for path in _paths(left, right, scale):
            found = _follow(curve, path, side * angle, scale, top)
            if found is None:
                continue
            missed = float(np.abs(_cauchy(probes, *found) - reference).max())
            if missed < AGREEMENT:
                return found[0], found[1], missed
            if missed < best[0]:
                best = (missed, found)
    if best[0] > 1e-9:
        return real[0], real[1], 1e-9
    return best[1][0], best[1][1], best[0]


Path = tuple[Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]], float, float, float]


def _paths(left: float, right: float, scale: float) -> list[Path]:
    """Maps (end, x - end and dx/dtau of tau, first t, last t, direction of x in t) to try, the cheapest first."""
    cut = REACH * scale
    if abs(left) < cut and abs(right) < cut:
        width = right - left

        def lens(tau: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            below, above = _logistic(tau), _logistic(-tau)
            first = tau.real < 0
            return np.where(first, left, right), width * np.where(first, below, -above), width * below * above

        return [(lens, -REST, REST, 1.0)]
    direction, end, length = (1.0, left, right - left) if right >= cut else (-1.0, right, right - left)
    paths: list[Path] = []
    for halving in range(9):
        for power in (1, 2):
            c = (0.5 * scale) ** power * 0.5**halving

            def path(
                tau: np.ndarray, c: float = c, power: int = power
            ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
                root = (c * _softplus(tau)) ** (1.0 / power)
                rate = direction * c / power * _logistic(tau) / root ** (power - 1)
                return np.full(tau.shape, end), direction * root, rate

            paths.append((path, -REST * power, length**power / c, direction))
    return paths


def _softplus(tau: np.ndarray) -> np.ndarray:
    """log(1 + exp(tau)) without overflow; log1p of numpy loses the real part of small complex numbers."""
    flip = tau.real > 0
    small = np.exp(np.where(flip, -tau, tau))
    size = 0.5 * np.log1p(small.real * (2.0 + small.real) + small.imag**2)
    return np.where(flip, tau, 0.0) + size + 1j * np.arctan2(small.imag, 1.0 + small.real)


def _logistic(tau: np.ndarray) -> np.ndarray:
    """1/(1 + exp(-tau)) without overflow."""
    flip = tau.real > 0
    small = np.exp(np.where(flip, -tau, tau))
    return np.where(flip, 1.0, small) / (1.0 + small)


def _follow(
    curve: Compiled, path: Path, angle: float, scale: float, top: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Trapezoid rule along a path; None where d leaves the lower half plane."""
    function, begin, end, direction = path
    step = abs(angle) * 2 * np.pi / 33
    tau = np.arange(np.ceil(begin / step), np.floor(end / step) + 1) * step + 1j * direction * angle
    if tau.size > MOST:
        return None
    ends, offset, rate = function(tau)
    x = ends + offset
    with np.errstate(all="ignore"):
        d = _near_zeros(curve(x)[0], curve, ends, offset, top)
        weights = step * direction * rate * _gauss(x, scale)
    keep = np.abs(weights) * top > 1e-18 * np.abs(d)  # small d matter where zeta is small
    if not (np.isfinite(d[keep]).all() and np.isfinite(weights).all()) or np.abs(weights).max() > 10:
        return None
    d, weights = d[keep], weights[keep]
    if (d.imag > 1e-13 * np.abs(d) + 1e-15 * top).any() or (d.real < -0.2 * np.abs(d)).any():
        return None
    return d.real + 1j * np.minimum(d.imag, 0.0), weights


def _near_zeros(
    d: np.ndarray, curve: Compiled, ends: np.ndarray, offset: np.ndarray, top: float
) -> np.ndarray:
    """Next to an end where the slope has a zero d = (K + K' offset) offset^p: there x itself has lost the offset.

    At x = 0 it has not, and d is left alone if its power is seen.
    """
    reach = 1e-6 * max(1.0, float(np.abs(ends).max()))
    for end in np.unique(ends):
        if float(np.abs(curve(complex(end))[0])) > 1e-25 * top:
            continue
        steps = reach * np.array([-1.0, 1.0, -2.0, 2.0])
        near = curve((end + steps).astype(complex))[0].real
        if not (near > 0).all():
            continue
        seen = 0.5 * float(np.log2(near[2:] / near[:2]).mean())
        power = max(2, 2 * round(seen))
        if end == 0.0 and abs(2 * seen - power) < 1e-6:
            continue
        here = (ends == end) & (np.abs(offset) < reach)
        sides = near[:2] / steps[:2] ** power
        d[here] = (sides.mean() + np.diff(sides) / (2 * reach) * offset[here]) * offset[here] ** power
    return d


def _cauchy(zeta: np.ndarray, nodes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (nodes / (zeta[:, None] - nodes)) @ weights


def _real_line(curve: Compiled, left: float, right: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre panels on the real piece, graded towards its ends."""
    u, w = np.polynomial.legendre.leggauss(16)
    width = right - left
    cuts = np.unique(
        np.concatenate(([0.0], np.geomspace(1e-5, 0.5, 12), 1 - np.geomspace(1e-5, 0.5, 12), [1.0]))
    )
    count = np.ceil(3 * width / min(scale, 1.0))
    inner = np.arange(count + 1) / count
    cuts = np.unique(np.concatenate((cuts, inner))) * width + left
    half, middle = 0.5 * np.diff(cuts)[:, None], 0.5 * (cuts[1:] + cuts[:-1])[:, None]
    x = (middle + half * u).ravel()
    weights = (half * w).ravel() * _gauss(x, scale)
    return curve(x.astype(complex))[0].astype(complex), weights.astype(complex)


def _far(piece: Piece, ends: list[float], left: float, right: float, cut: float) -> tuple[list[float], bool]:
    """Extend the component of a piece that was cut off to the limit of d at infinity, if d tends there steadily."""
    assert piece.curve is not None
    side = 1.0 if right == cut else -1.0
    if not np.isfinite(piece.high if side > 0 else piece.low):
        points = side * max(cut, 1.0) * np.linspace(1.0, 8.0, 200)
        with np.errstate(all="ignore"):
            values = np.array([float(piece.curve(complex(point))[0].real) for point in points])
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
