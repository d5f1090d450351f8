"""The curve in the complex plane on which the sample covariance lives, walked without solving a complex equation.

height   v at a given a: one over `squares` is concave and increasing, so that Newton's method from below cannot fail
bulks    the intervals of a where v > 0, from the gaps between eigenvalues in which `squares` falls below T
ranks    integrals of eigenvalue and cross-validated eigenvalue over each unit of mass, from the top

Gauss-Legendre panels in theta, a = middle + half cos(theta), resolve square roots at the edges. The mass between two
places is known in closed form (`theory.representation.rank`), so that a panel is split until its quadrature of the mass
is right: nothing is believed that is not checked. Machine code follows this file and the compiled formulas.
"""

from __future__ import annotations

import math

import numpy as np

from widelimit.numerics.compile import compile
from widelimit.numerics.compile.cache import njit
from widelimit.theory.representation import crossvalidation as theory

NODES = 10
_ORDER = NODES  # Legendre polynomials that a panel is expanded in
_MOST = 200  # steps of a root; about ten are taken
_DEEPEST = 60  # halvings of a panel
_PANELS = 20  # for each eigenvalue of Sigma, at most; one or two are needed
TOLERANCE = 1e-9  # of the mass of a panel, which is of order one

_POINT = (theory.SCALE, theory.SIGNAL, theory.PLACE, theory.HEIGHT)
_T = theory.TERMS
_ON_CURVE = (theory.SUMS["steep"], theory.SUMS["tilt"], theory.SUMS["sample"], theory.SUMS["signal"])
condition = compile([_T["squares"], _T["steep"]], _POINT[:1] + _POINT[2:], name="cvpca_condition").njit
slope_terms = compile(
    [_T["squares"], _T["squares"].diff(theory.PLACE)], _POINT[:1] + _POINT[2:], name="cvpca_gap"
).njit
summands = compile([_T["steep"], _T["tilt"], _T["sample"], _T["signal"]], _POINT, name="cvpca_summands").njit
observed = compile(
    [theory.sample_eigenvalue(), theory.cross_validated(), theory.density() * theory.sample_slope()],
    (*_ON_CURVE, theory.STIMULI, theory.PLACE, theory.HEIGHT),
    name="cvpca_observed",
).njit
angle = compile(theory.angle(), (theory.SCALE, theory.PLACE, theory.HEIGHT), name="cvpca_angle").njit
counted = compile(
    theory.rank(),
    (theory.SUMS["angles"], theory.UNITS, theory.STIMULI, theory.EIGENVALUE, theory.PLACE, theory.HEIGHT),
    name="cvpca_rank",
).njit
sample_eigenvalue = compile(
    theory.sample_eigenvalue(),
    (theory.SUMS["sample"], theory.STIMULI, theory.PLACE, theory.HEIGHT),
    name="cvpca_sample",
).njit

_X, _W = np.polynomial.legendre.leggauss(NODES)
_P = np.polynomial.legendre.legvander(_X, _ORDER - 1)
# coefficients of a function's Legendre series from its values at the nodes
_EXPAND = (_P * _W[:, None]).T * (np.arange(_ORDER)[:, None] + 0.5)
_SUMMING = {"reassoc", "contract", "nsz"}  # sums may be reordered into vector lanes


@njit(nogil=True, error_model="numpy", fastmath=_SUMMING)
def squares(a, v, s, m):
    """Sum of s^2/|u - s|^2 and minus its derivative in v^2."""
    value = slope = 0.0
    for i in range(s.size):
        f, g = condition(s[i], a, v)
        value += m[i] * f
        slope += m[i] * g
    return value, slope


@njit(nogil=True, error_model="numpy", fastmath=_SUMMING)
def on_axis(a, s, m):
    """Sum of s^2/(a - s)^2 and its derivative in a."""
    value = slope = 0.0
    for i in range(s.size):
        f, g = slope_terms(s[i], a, 0.0)
        value += m[i] * f
        slope += m[i] * g
    return value, slope


@njit(nogil=True, error_model="numpy")
def height(a, s, m, stimuli):
    """v at which the squares add up to the number of stimuli; 0 outside of the bulks."""
    w = 0.0
    for i in range(s.size):
        w = max(w, m[i] * s[i] ** 2 / stimuli - (a - s[i]) ** 2)  # where one eigenvalue alone gives as much
    for _step in range(_MOST):
        value, slope = squares(a, math.sqrt(w), s, m)
        if value <= stimuli:
            break
        more = value * (value - stimuli) / (stimuli * slope)
        w += more
        if more <= 1e-15 * w:
            break
    return math.sqrt(w)


@njit(nogil=True, error_model="numpy")
def edge(low, high, rising, s, m, stimuli):
    """Where the squares on the axis are the number of stimuli, between two places of a monotonic stretch."""
    at = 0.5 * (low + high)
    for _ in range(_MOST):
        value, slope = on_axis(at, s, m)
        if (value > stimuli) == rising:
            high = at
        else:
            low = at
        if high - low <= 4e-16 * max(abs(low), abs(high)):
            break
        after = at + 2.0 * value / slope * (math.sqrt(value / stimuli) - 1.0)  # Newton on value^(-1/2)
        if not low < after < high:
            after = 0.5 * (low + high)
        elif abs(after - at) <= 2e-16 * abs(at):
            break
        at = after
    return at


@njit(nogil=True, error_model="numpy")
def valley(low, high, s, m, stimuli):
    """A place between two eigenvalues where the squares are below the number of stimuli; NaN where there is none."""
    bottom, top = low, high
    for _ in range(_MOST):
        at = 0.5 * (low + high)
        value, slope = on_axis(at, s, m)
        if value < stimuli:
            return at
        # convex: no lower than its tangent at the far end of what is left
        if slope > 0.0:
            high = at
            if value + slope * (low - at) >= stimuli:
                return np.nan
        else:
            low = at
            if value + slope * (high - at) >= stimuli:
                return np.nan
        if high - low <= 1e-15 * max(abs(bottom), abs(top)):
            return np.nan
    return np.nan


@njit(nogil=True, error_model="numpy")
def bulks(s, m, stimuli):
    """Intervals of a, from the top, and how many eigenvalues of Sigma stand above the lower end of each."""
    count, total = s.size, m.sum()
    low, high, above = np.empty(count), np.empty(count), np.empty(count)
    far = math.sqrt(total / stimuli)
    high[0] = edge(s[0], s[0] * (1.0 + 1.01 * far), False, s, m, stimuli)
    found, passed = 0, 0.0
    for i in range(count - 1):
        passed += m[i]
        gap = s[i] - s[i + 1]
        # two neighbours alone: at least 8 times the smaller numerator over the squared gap
        if 8.0 * min(m[i] * s[i] ** 2, m[i + 1] * s[i + 1] ** 2) >= stimuli * gap * gap:
            continue
        at = valley(s[i + 1], s[i], s, m, stimuli)
        if at == at:
            low[found], above[found] = edge(at, s[i], True, s, m, stimuli), passed
            found += 1
            high[found] = edge(s[i + 1], at, False, s, m, stimuli)
    if total == stimuli:
        low[found] = 0.0
    else:
        low[found] = edge(-s[0] * (1.0 + 1.01 * far), s[-1], True, s, m, stimuli)
    above[found] = total
    found += 1
    return low[:found], high[:found], above[:found]


@njit(nogil=True, error_model="numpy", fastmath=_SUMMING)
def place(a, v, s, m, signal, stimuli):
    """x, cv(x) and eigenvalues per unit of a."""
    steep = tilt = sample = found = 0.0
    for i in range(s.size):
        b, c, d, e = summands(s[i], signal[i], a, v)
        steep += m[i] * b
        tilt += m[i] * c
        sample += m[i] * d
        found += m[i] * e
    return observed(steep, tilt, sample, found, stimuli, a, v)


@njit(nogil=True, error_model="numpy")
def rank_at(a, v, s, m, total, stimuli):
    """Number of sample eigenvalues above the one at a + iv."""
    angles = sample = 0.0
    for i in range(s.size):
        angles += m[i] * angle(s[i], a, v)
        sample += m[i] * s[i] / ((a - s[i]) ** 2 + v * v)
    return counted(angles, total, stimuli, sample_eigenvalue(sample, stimuli, a, v), a, v)


@njit(nogil=True, error_model="numpy")
def along(low, high, theta):
    """a = middle + half cos(theta), with the digits of its distance from the nearer end."""
    if theta > 0.5 * math.pi:
        return low + (high - low) * math.cos(0.5 * theta) ** 2
    return high - (high - low) * math.sin(0.5 * theta) ** 2


@njit(nogil=True, error_model="numpy")
def inside(coefficients, t):
    """Integral from -1 to t of a Legendre series."""
    before, now = 1.0, t
    total = coefficients[0] * (t + 1.0)
    for k in range(1, _ORDER):
        after = ((2 * k + 1) * t * now - k * before) / (k + 1)
        total += coefficients[k] * (after - before) / (2 * k + 1)
        before, now = now, after
    return total


@njit(nogil=True, error_model="numpy")
def crossing(coefficients, mass):
    """Where in [-1, 1] a panel has had so much of its mass."""
    low, high = -1.0, 1.0
    for _ in range(60):
        t = 0.5 * (low + high)
        if inside(coefficients, t) < mass:
            low = t
        else:
            high = t
        if high - low < 1e-13:
            break
    return 0.5 * (low + high)


@njit(nogil=True, error_model="numpy")
def ranks(s, m, signal, stimuli, most, nodes, expand, weights):
    """Integrals of x and cv(x) over each unit of mass from the top, and the largest error of a panel's mass."""
    total = m.sum()
    low, high, above = bulks(s, m, stimuli)
    sample, crossed = np.zeros(most), np.zeros(most)
    starts, ends = np.empty(_DEEPEST + 2), np.empty(_DEEPEST + 2)
    start_rank, end_rank = np.empty(_DEEPEST + 2), np.empty(_DEEPEST + 2)
    values, series = np.empty((3, NODES)), np.empty((3, NODES))
    rank, worst, left = 0, 0.0, _PANELS * (s.size + 50)
    for bulk in range(low.size):
        half = 0.5 * (high[bulk] - low[bulk])
        first = 0.0 if bulk == 0 else above[bulk - 1]
        starts[0], ends[0] = 0.0, math.pi
        start_rank[0], end_rank[0] = first, min(above[bulk], stimuli)
        depth = 0
        while depth >= 0:
            begin, end, done, upto = starts[depth], ends[depth], start_rank[depth], end_rank[depth]
            mass, reach = 0.0, 0.5 * (end - begin)
            for j in range(NODES):
                theta = begin + reach * (nodes[j] + 1.0)
                a = along(low[bulk], high[bulk], theta)
                v = height(a, s, m, stimuli)
                x, cv, each = place(a, v, s, m, signal, stimuli) if v > 0.0 else (0.0, 0.0, 0.0)
                each *= half * math.sin(theta) * reach
                values[0, j], values[1, j], values[2, j] = each, each * x, each * cv
                mass += weights[j] * each
            wrong = abs(mass - (upto - done))
            if wrong > TOLERANCE * max(1.0, upto - done) and depth < _DEEPEST and left > 0:
                left -= 1
                theta = begin + reach
                a = along(low[bulk], high[bulk], theta)
                between = rank_at(a, height(a, s, m, stimuli), s, m, total, stimuli)
                starts[depth], start_rank[depth] = theta, between
                starts[depth + 1], ends[depth + 1] = begin, theta
                start_rank[depth + 1], end_rank[depth + 1] = done, between
                depth += 1
                continue
            worst = max(worst, wrong)
            for k in range(3):
                for i in range(NODES):
                    series[k, i] = 0.0
                    for j in range(NODES):
                        series[k, i] += expand[i, j] * values[k, j]
            x_before = cv_before = 0.0
            while rank < most and upto >= rank + 1 - 1e-9:
                t = crossing(series[0], rank + 1 - done) if upto > rank + 1 + 1e-9 else 1.0
                x_now, cv_now = inside(series[1], t), inside(series[2], t)
                sample[rank] += x_now - x_before
                crossed[rank] += cv_now - cv_before
                x_before, cv_before = x_now, cv_now
                rank += 1
            if rank < most:
                sample[rank] += inside(series[1], 1.0) - x_before
                crossed[rank] += inside(series[2], 1.0) - cv_before
            depth -= 1
    return sample, crossed, worst


def per_rank(
    s: np.ndarray, m: np.ndarray, signal: np.ndarray, stimuli: float, most: int
) -> tuple[np.ndarray, ...]:
    """Sample eigenvalue and cross-validated one of each rank, with the largest error of a panel's mass."""
    return ranks(s, m, signal, stimuli, most, _X, _EXPAND, _W)
