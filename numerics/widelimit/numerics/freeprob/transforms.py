r"""Laws from a user's S- or R-transform: the expression is compiled, the rest is found and checked.

S-transform: with t = (1 + m)/m, which is the subordinate of a point mass at one, :math:`\log z=\log t-\log S(1/(t-1))`.
R-transform: with :math:`\omega=1/G`, :math:`z=\omega+R(1/\omega)`. Both unknowns map the upper half plane into itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import sympy
from sympy import Expr, Symbol, cancel, diff, expand_log, log, sympify

from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.freeprob.build import detect_intervals
from widelimit.numerics.freeprob.continuation import Branch
from widelimit.numerics.freeprob.spectral import SpectralLaw
from widelimit.theory import freeprob as theory
from widelimit.theory.errors import ArgumentError, ConvergenceError, DomainError

_EXACT = 4  # moments taken from the Taylor series at zero


class SSystem:
    """The equation log z = log t - log S, one unknown log t."""

    coordinate = "log"

    def __init__(self, compiled: Compiled, mean: float) -> None:
        self.curve = compiled  # (log z, d log z / d log t) of t
        self.mean = mean
        self.noise = 1e-13

    def start(self, target: np.ndarray) -> np.ndarray:
        """t = 1 + 1/m with m = mean/z."""
        return np.log1p(np.exp(target) / self.mean)[None, :]

    def newton(self, state: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One Newton step; the imaginary part of log z is taken modulo 2 pi, next to the target."""
        value, slope = _evaluate(self.curve, np.exp(state[0]))
        residual = target - value
        residual = residual - 2j * np.pi * np.round(residual.imag / (2 * np.pi))
        move = residual / slope
        return (state[0] + move)[None, :], np.abs(move)

    def transform(self, state: np.ndarray) -> np.ndarray:
        """M = 1/(t - 1)."""
        with np.errstate(all="ignore"):
            return 1.0 / np.expm1(state[0])

    def physical(self, state: np.ndarray, target: np.ndarray) -> np.ndarray:
        """T in the closed upper half plane."""
        return np.isfinite(state[0]) & (state[0].imag > -1e-9) & (state[0].imag < np.pi + 1e-9)


class RSystem:
    """The equation z = omega + R(1/omega), in units of the standard deviation around the mean."""

    coordinate = "linear"

    def __init__(self, compiled: Compiled, mean: float, deviation: float) -> None:
        self.curve = compiled  # (z, dz/domega) of omega
        self.mean, self.deviation = mean, deviation
        self.noise = 1e-13

    def start(self, target: np.ndarray) -> np.ndarray:
        """Omega = z - mean - variance/z."""
        centred = target - self.mean
        return (centred - self.deviation**2 / centred)[None, :]

    def newton(self, state: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One Newton step."""
        value, slope = _evaluate(self.curve, state[0])
        move = (target - value) / slope
        return (state[0] + move)[None, :], np.abs(move) / (
            self.deviation + 0.5 * np.abs(state[0] - self.mean)
        )

    def transform(self, state: np.ndarray) -> np.ndarray:
        """G = 1/omega."""
        return 1.0 / state[0]

    def physical(self, state: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Im omega at least Im z: G is a Cauchy transform of a law of this mean."""
        return np.isfinite(state[0]) & (state[0].imag >= target.imag * (1 - 1e-9) - 1e-9 * self.deviation)


class ExplicitSystem:
    """A Cauchy transform in closed form, analytic off the real axis: there is nothing to solve."""

    coordinate = "linear"
    noise = 1e-14

    def __init__(self, compiled: Compiled) -> None:
        self.cauchy = compiled

    def start(self, target: np.ndarray) -> np.ndarray:
        """The state is z itself."""
        return target[None, :]

    def newton(self, state: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nothing to correct."""
        return target[None, :], np.zeros(target.size)

    def transform(self, state: np.ndarray) -> np.ndarray:
        """G, from above where z is real."""
        return np.asarray(self.cauchy(state[0].real + 1j * np.maximum(state[0].imag, 0.0)))

    def physical(self, state: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Always."""
        return np.ones(target.size, dtype=bool)


def law_from_cauchy(law: theory.Law) -> SpectralLaw:
    """Law of a symbolic `Law` with Cauchy transform and support in closed form."""
    assert law.G is not None and law.support is not None
    values = [float(v) for v in law.moments(_EXACT)]
    compiled = compile(law.G, [theory.z], name="cauchy", dtype=complex)
    branch = Branch(ExplicitSystem(compiled), 0.0, 1.0)
    intervals = [(float(a), float(b)) for a, b in law.support]
    atoms = [(float(x), float(a)) for x, a in law.atoms or ()]
    return SpectralLaw(
        law.name, branch, intervals, atoms, lambda k: values[k - 1], coordinate="linear", known=_EXACT
    )


def law_from_s(S: Expr, name: str = "") -> SpectralLaw:
    """Law on [0, oo) whose S-transform is `S`, an expression in the symbol m."""
    S = _checked("S", S, theory.m)
    curve = _compiled_s(S)
    coefficients = _taylor(lambda m: -_log_s(S)(m), "S")
    mean = float(np.exp(coefficients[0]))
    moments = _moments_of_log(coefficients)
    system = SSystem(curve, mean)
    spread = float(np.exp(moments(2) - 2 * moments(1)))
    if spread < 1.0 - 1e-9:
        raise DomainError(
            f"The S-transform {S} is not that of a law: it implies a second moment of {spread:.4g} "
            f"squared means, less than "
            "one. Check that S decreases at 0."
        )
    zero = _zero_mass(curve)
    atoms = [(-np.inf, zero)] if zero > 0 else []
    positive = _positive_atom(curve)
    if positive is not None:
        atoms.append(positive)
    name = name or f"S = {S}"
    if sum(a for _, a in atoms) > 1 - 1e-9:
        return SpectralLaw(name, None, [], atoms, moments, known=_EXACT)
    branch = Branch(system, float(np.log(1e3 * mean * spread)), np.pi / 2)
    try:
        intervals = _intervals(curve, branch)
        return SpectralLaw(name, branch, intervals, atoms, moments, tolerance=1e-8, known=_EXACT)
    except (ConvergenceError, DomainError, IndexError):
        intervals = detect_intervals(branch, None, float(np.log(mean)), zero, None)
        return SpectralLaw(name, branch, intervals, atoms, moments, known=_EXACT)


def law_from_r(R: Expr, name: str = "") -> SpectralLaw:
    """Law on the line whose R-transform is `R`, an expression in the symbol g."""
    R = _checked("R", R, theory.g)
    cumulants = _taylor(compile(R, [theory.g], name="r_transform", dtype=complex), "R")
    mean, variance = float(cumulants[0]), float(cumulants[1])
    if variance <= 0:
        if np.abs(cumulants[1:]).max() < 1e-12:
            return SpectralLaw(
                name or f"R = {R}", None, [], [(mean, 1.0)], lambda k: mean**k, coordinate="linear"
            )
        raise DomainError(f"The R-transform {R} is not that of a law: its variance R'(0) is {variance:.4g}.")
    deviation = float(np.sqrt(variance))
    curve = _compiled_r(R)
    values = [float(v) for v in _moments_of_cumulants(cumulants)]
    system = RSystem(curve, mean, deviation)
    branch = Branch(system, mean, 100.0 * deviation)
    atoms = _line_atom(curve, deviation)
    low, high = (_outer_edge(curve, deviation, sign, mean) for sign in (-1.0, 1.0))
    intervals = _line_intervals(branch, low, high)
    return SpectralLaw(
        name or f"R = {R}",
        branch,
        intervals,
        atoms,
        lambda k: values[k - 1],
        coordinate="linear",
        known=_EXACT,
    )


# compiling ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=128)
def _compiled_s(S: Expr) -> Compiled:
    t = Symbol("t")
    terms = expand_log(log(S), force=True)
    terms = terms.replace(
        lambda e: isinstance(e, log) and e.args[0].is_rational_function(theory.m),
        lambda e: log(cancel(e.args[0].subs(theory.m, 1 / (t - 1)))),
    ).subs(theory.m, 1 / (t - 1))
    terms = sympy.Add(*(cancel(a) if a.is_rational_function(t) else a for a in sympy.Add.make_args(terms)))
    curve = log(t) - terms
    return compile([curve, sympy.together(t * diff(curve, t))], [t], name="s_curve", dtype=complex)


@lru_cache(maxsize=128)
def _log_s(S: Expr) -> Compiled:
    return compile(expand_log(log(S), force=True), [theory.m], name="log_s", dtype=complex)


@lru_cache(maxsize=128)
def _compiled_r(R: Expr) -> Compiled:
    w = Symbol("w")
    curve = w + sympy.together(R.subs(theory.g, 1 / w))
    return compile([curve, diff(curve, w)], [w], name="r_curve", dtype=complex)


def _checked(name: str, expression: Expr, symbol: Symbol) -> Expr:
    if isinstance(expression, str):
        raise ArgumentError(
            name, f"must be a SymPy expression in {symbol}", expression, "Text is not evaluated."
        )
    expression = sympify(expression)
    if not isinstance(expression, Expr):
        raise ArgumentError(name, f"must be a SymPy expression in {symbol}", expression)
    renamed = {s: symbol for s in expression.free_symbols if s.name == symbol.name}
    expression = expression.xreplace(renamed)
    if extra := expression.free_symbols - {symbol}:
        raise ArgumentError(
            name, f"must have no symbol but {symbol}", expression, f"Substitute numbers for {extra}."
        )
    if expression.has(sympy.nan, sympy.oo, sympy.zoo):
        raise ArgumentError(name, "must be finite", expression)
    return expression


# series -------------------------------------------------------------------------------------------------------------


def _taylor(function: Callable, name: str, order: int = _EXACT) -> np.ndarray:
    """Taylor coefficients at zero by Cauchy's formula on the circle that agrees best with half its radius."""
    count = 64
    angles = np.exp(2j * np.pi * np.arange(count) / count)
    results = []
    for radius in 0.5 ** np.arange(1, 14):
        with np.errstate(all="ignore"):
            try:
                values = np.asarray(function(radius * angles)) * np.ones(count)
            except ZeroDivisionError:
                values = np.full(count, np.nan)
        if np.isfinite(values).all():
            results.append((np.fft.fft(values) / count)[: order + 1] / radius ** np.arange(order + 1))
        else:
            results.append(np.full(order + 1, np.nan))
    scores = [np.abs(a - b).max() / max(np.abs(a).max(), 1e-300) for a, b in itertools.pairwise(results)]
    if not np.isfinite(scores).any() or np.nanmin(scores) > 1e-6:
        raise DomainError(
            f"The {name}-transform is not analytic at 0, so the law has no moments"
            + (" or its mean is zero: give its R-transform." if name == "S" else ".")
        )
    best = results[int(np.nanargmin(scores))]
    if np.abs(best.imag).max() > 1e-8 * max(1.0, np.abs(best).max()):
        raise DomainError(f"The {name}-transform is not real near 0, so it belongs to no law.")
    return best.real


def _moments_of_log(coefficients: np.ndarray) -> Callable[[int], float]:
    """Lagrange inversion from the series of log(1/S)."""
    from widelimit.numerics.freeprob.build import _exp_series

    exponent = coefficients[:_EXACT].copy()
    log_mean = exponent[0]
    powers = np.arange(1, _EXACT)
    exponent[1:] += -((-1.0) ** powers) / powers
    exponent[0] = 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        values = [np.log(_exp_series(k * exponent, k)[k - 1] / k) for k in range(1, _EXACT + 1)]
    if not np.isfinite(values).all():
        raise DomainError(
            "The S-transform implies a negative moment of a positive law, so it belongs to no law."
        )
    return lambda k: k * log_mean + float(values[k - 1])


def _moments_of_cumulants(cumulants: np.ndarray) -> list[float]:
    from widelimit.theory.freeprob.series import moments_from_cumulants

    return moments_from_cumulants([float(c) for c in cumulants[:_EXACT]], _EXACT)


# atoms and edges of S -----------------------------------------------------------------------------------------------


def _real(curve: Compiled, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return _evaluate(curve, t.astype(complex))


def _evaluate(curve: Compiled, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and slopes, NaN at a pole (where compiled complex division raises)."""
    with np.errstate(all="ignore"):
        try:
            value, slope = curve.evaluate(np.ascontiguousarray(t, dtype=complex))[0]
        except ZeroDivisionError:
            pairs = [_single(curve, point) for point in t]
            value, slope = np.array(pairs).T
    return np.asarray(value), np.asarray(slope)


def _single(curve: Compiled, point: complex) -> tuple[complex, complex]:
    try:
        return curve(point)
    except ZeroDivisionError:
        return complex(np.nan, np.nan), complex(np.nan, np.nan)


def _zero_mass(curve: Compiled) -> float:
    """At z -> 0- t rises to -a/(1 - a), where t/S vanishes: follow t up from -oo while |z| falls."""
    points = -np.geomspace(1e8, 1e-14, 800)
    value, slope = _real(curve, points)
    bad = ~np.isfinite(value) | ~(slope.real > 0)
    if not bad.any():
        return 0.0
    first = int(np.argmax(bad))
    if first == 0:
        raise DomainError("The S-transform belongs to no law: z(m) does not rise along the negative axis.")
    inside, outside = points[first - 1], points[first]
    for _ in range(200):
        middle = 0.5 * (inside + outside)
        if middle in (inside, outside):
            break
        value, slope = _real(curve, np.array([middle]))
        if np.isfinite(value[0]) and slope[0].real > 0:
            inside = middle
        else:
            outside = middle
    mass = inside / (inside - 1.0)
    return float(mass) if mass > 1e-12 else 0.0


def _positive_atom(curve: Compiled) -> tuple[float, float] | None:
    """At an atom m is infinite, t = 1, and log z = log x + a (t - 1) + ... on both sides."""
    estimates = []
    for h in (1e-3, 5e-4):
        value, _ = _real(curve, np.array([1 - h, 1 + h]))
        if not np.isfinite(value).all() or np.abs(np.exp(1j * value.imag) - 1).max() > 1e-9:
            return None
        estimates.append(((value[1] - value[0]).real / (2 * h), value.real.mean()))
    (coarse, low), (fine, high) = estimates
    mass, location = (4 * fine - coarse) / 3, (4 * high - low) / 3
    if not 1e-9 < mass <= 1 + 1e-9 or abs(fine - coarse) > 1e-3:
        return None
    return float(location), float(min(mass, 1.0))


def _intervals(curve: Compiled, branch: Branch) -> list[tuple[float, float]]:
    """Complement of the images of the segments of real t on which z is positive and rises with t.

    Only segments that lie on the physical branch count (a transform may have others).
    """

    def good(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slope = _real(curve, points)
        with np.errstate(invalid="ignore"):
            rises = slope.real * np.sign(points) > 0
            return value.real, np.isfinite(value) & (np.abs(np.exp(1j * value.imag) - 1) < 1e-9) & rises

    forbidden = []
    grid = np.concatenate((np.geomspace(1e-30, 0.5, 300), 1 - np.geomspace(0.5, 1e-12, 240)[1:]))
    negative = -np.geomspace(1e6, 1e-30, 900)
    segments = []
    for points, outer in ((negative, False), (grid, False), (1 + np.geomspace(1e-12, 1e12, 480), True)):
        value, fine = good(points)
        runs = np.flatnonzero(np.diff(np.concatenate(([False], fine, [False])).astype(int)))
        segments += [
            (points, value, outer, first, last) for first, last in zip(runs[::2], runs[1::2] - 1, strict=True)
        ]
    on_branch = _on_branch(branch, [(p[a : b + 1], v[a : b + 1]) for p, v, _, a, b in segments])
    for (points, value, outer, first, last), physical in zip(segments, on_branch, strict=True):
        if physical:
            bottom = value[first] if first else (value[0] if outer or points is negative else -np.inf)
            top = value[last] if last < points.size - 1 else (np.inf if outer else value[last])
            if first:
                bottom = _turn(good, points[first - 1], points[first])
            if points is negative:  # next to where z leaves zero
                bottom = -np.inf if bottom < value[last] - 25.0 else bottom
            if last < points.size - 1:
                top = _turn(good, points[last + 1], points[last])
            forbidden.append((bottom, top))
    intervals, begin = [], -np.inf
    for low, high in sorted(forbidden):
        if low > begin + 1e-9 * max(1.0, abs(low)):
            intervals.append((begin, low))
        begin = max(begin, high)
    if not np.isinf(begin):
        raise ConvergenceError("No upper edge was found on the real axis.")
    return [interval for interval in intervals if np.isfinite(interval[1])]


def _on_branch(branch: Branch, segments: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[bool]:
    """Whether the physical branch takes these real t at these log z, segment by segment, at three points of each."""
    picks = []
    for _, value in segments:
        inside = np.flatnonzero((value < branch.reach) & (value > branch.reach - 500.0))
        near = inside[value[inside] > branch.reach - 50.0]
        inside = near if near.size else inside
        picks.append(
            inside[[inside.size // 4, inside.size // 2, (3 * inside.size) // 4]] if inside.size else inside
        )
    values = np.concatenate([value[pick] for (_, value), pick in zip(segments, picks, strict=True)])
    taken = np.exp(branch.descend(values)[0][0]) if values.size else values
    found, begin = [], 0
    for (points, _), pick in zip(segments, picks, strict=True):
        t = points[pick]
        near = np.abs(taken[begin : begin + t.size] - t) < 1e-6 * np.abs(t)
        found.append(bool(near.sum() > 1) if t.size else bool(points[-1] > 1.0))
        begin += t.size
    return found


def _turn(good: Callable, outside: float, inside: float) -> float:
    """Value at the end of a run, between a point outside it and one inside, cut into 32 parts at a time."""
    for _ in range(40):
        points = np.linspace(outside, inside, 33)[1:-1]
        fine = good(points)[1]
        first = int(np.argmax(fine)) if fine.any() else points.size
        closer = (points[first - 1] if first else outside, points[first] if fine.any() else inside)
        if closer == (outside, inside) or closer[0] == closer[1]:
            break
        outside, inside = closer
    return float(good(np.array([inside]))[0][0])


# atoms and edges of R -----------------------------------------------------------------------------------------------


def _line_atom(curve: Compiled, deviation: float) -> list[tuple[float, float]]:
    """At an atom omega = 0 and z = x + a omega + ... on both sides."""
    estimates = []
    for h in (1e-3 * deviation, 5e-4 * deviation):
        value, _ = _real(curve, np.array([-h, h]))
        if not np.isfinite(value).all() or np.abs(value.imag).max() > 1e-9 * deviation:
            return []
        estimates.append(((value[1] - value[0]).real / (2 * h), value.real.mean()))
    (coarse, low), (fine, high) = estimates
    mass, location = (4 * fine - coarse) / 3, (4 * high - low) / 3
    if not 1e-9 < mass <= 1 + 1e-9 or abs(fine - coarse) > 1e-3:
        return []
    return [(float(location), float(min(mass, 1.0)))]


def _outer_edge(curve: Compiled, deviation: float, sign: float, mean: float) -> float:
    """First point, coming from infinity on one side, where z(omega) turns back."""
    points = sign * deviation * np.geomspace(1e8, 1e-10, 900)
    value, slope = _real(curve, points)
    with np.errstate(invalid="ignore"):
        bad = ~np.isfinite(value) | ~(slope.real > 0) | (np.abs(value.imag) > 1e-9 * np.abs(value))
    if not bad.any():
        return float(value[-1].real)
    first = int(np.argmax(bad))

    def good(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        v, s = _real(curve, point)
        return v.real, np.isfinite(v) & (s.real > 0)

    return _turn(good, points[first], points[first - 1]) if first else mean


def _line_intervals(branch: Branch, low: float, high: float) -> list[tuple[float, float]]:
    """Subintervals of (low, high) with positive density."""
    from widelimit.numerics.freeprob.build import _density, _edge

    floor = 1e-9 / (high - low)
    grid = low + (high - low) * np.sin(np.pi / 2 * np.linspace(0, 1, 402)[1:-1]) ** 2
    positive = _density(branch, grid) > floor
    changes = np.flatnonzero(positive[1:] != positive[:-1])
    edges = [_edge(branch, grid[i], grid[i + 1], bool(positive[i]), floor) for i in changes]
    edges = ([low] if positive[0] else []) + edges + ([high] if positive[-1] else [])
    return list(zip(edges[::2], edges[1::2], strict=True))
