r"""The support of a free sum, product or power, from real values of the subordination functions.

At a point z off the support both functions are real, and :math:`(\omega_1,\omega_2)` is the Denjoy-Wolff point of
:math:`\omega_1\mapsto z+h_2(z+h_1(\omega_1))`, h = F - id. Of all real fixed points it alone has a slope below one:

    sums       :math:`h_1'(\omega_1)h_2'(\omega_2)<1` with :math:`F_1(\omega_1)=F_2(\omega_2)=F`,
               :math:`z=\omega_1+\omega_2-F`
    products   :math:`\kappa_1\kappa_2<1`, :math:`\kappa=|d\log k/d\log\zeta|`, :math:`k=(1+m)/(m\zeta)`, with
               :math:`M_1(\zeta_1)=M_2(\zeta_2)=m` and :math:`z=\zeta_1\zeta_2m/(1+m)>0`
    powers     :math:`h'(\omega)<1/(t-1)` with :math:`z=\omega-(t-1)h`

(Belinschi and Bercovici 2007). So the complement of the support is the image of those real arcs, and nothing has to be
scanned: for every pair of gaps of the two laws the arc is a curve over one real parameter, along which each h' falls
and then rises (Pick functions have a non-negative Schwarzian derivative). Between the two lowest points each factor is
monotone, which bounds their product on any piece: pieces are halved until all are decided. What is as narrow as the
cluster that an eigenvalue of mass 1e-6 makes, or a gap that is about to close, cannot hide.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from widelimit.numerics.compile.cache import njit
from widelimit.numerics.freeprob.cauchy import Measure, raw

SUM, PRODUCT, POWER = 0, 1, 2
_REACH, _FAR = 40.0, 80.0  # of the parameter, a logarithm, to either side: of products, and of sums
_TIGHT, _FINE = (
    1e-9,
    1e-13,
)  # pieces of the parameter below this are not halved, and those where the test turns
_MOST = 6000  # values along one arc
_LEAST = (
    -1e-13
)  # logarithm of the product of both slopes from which on it is below one: arcs where it is one are no gaps
_HARD = 1e-60  # next to a hard edge of a sum; closer panels show less than rounding of the mass
_EPS = float(np.finfo(float).eps)

# Columns of a piece: a gap (left, right) with the masses of atoms at its ends, the class of its transform (for sums the
# sign of G; for products 1: m > 0, -1: m < -1, 0: between), the range of the parameter, whether zeta -> 0+ at its end.
_LEFT, _RIGHT, _MASS_LEFT, _MASS_RIGHT, _CLASS, _FIRST, _LAST, _ZERO = range(8)


@njit(cache=True, nogil=True, error_model="numpy")
def _level(product, kind, v):
    """Value of the transform (G or m) at parameter v, and 1 + m."""
    if not product:
        return kind * math.exp(-v), 0.0
    small = math.exp(-v)
    if kind > 0:
        return small, 1.0 + small
    if kind < 0:
        return -1.0 - small, -small
    return -1.0 / (1.0 + math.exp(v)), 1.0 / (1.0 + small)


@njit(cache=True, nogil=True, error_model="numpy")
def _at(product, measure, x):
    """Transform q (G or m), 1 + m, its slope -dq/dx, Var r (products: Var x r), and E x r (sums)."""
    g, m, spread, spread_x, square, product_square = raw(measure, complex(x, 0.0))
    if not product:
        return g.real, 0.0, square.real, spread.real, m.real
    return m.real, x * g.real, product_square.real, spread_x.real, 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _logarithm(value):
    return math.log(max(abs(value), 1e-300))


@njit(cache=True, nogil=True, error_model="numpy")
def _invert(product, measure, piece, q0, one0, bounds):
    """The x in a gap at which the transform, which falls there, is q0; and log h', and -h."""
    left, right = piece[_LEFT], piece[_RIGHT]
    low, high = left, right
    if math.isinf(left) or math.isinf(right):  # F lies between x - largest and x - mean
        w = bounds[0] / q0
        if math.isinf(right):
            low, high = max(left, w + bounds[1]), w + bounds[3]
        else:
            low, high = w + bounds[2], min(right, w + bounds[1])
        margin = 1e-9 * (abs(bounds[3] - bounds[2]) + 1e-6 * abs(w))
        low, high = max(left, low - margin), min(right, high + margin)
    x = 0.5 * (low + high)
    finite = not (math.isinf(left) or math.isinf(right))
    direct = finite and abs(q0) * (right - left) < 4.0 * bounds[0]
    y = x
    q = one = spread = moment = 0.0
    width = high - low
    for k in range(120):
        q, one, slope, spread, moment = _at(product, measure, x)
        gap = one - one0 if (product and one0 < 0.5 and one0 > -0.5) else q - q0
        if gap == 0.0:
            break
        if gap > 0:
            low = x
        else:
            high = x
        if not direct and q * q0 > 0:
            y = x + gap / slope * (q / q0)
        else:
            y = x + gap / slope
        if high - low <= 2 * _EPS * max(abs(low), abs(high)):
            break
        short = abs(y - x) <= 2 * _EPS * abs(x)
        if short and abs(gap) < 0.1 * abs(q0 if one0 == 0.0 or abs(one0) > 0.5 else one0):
            break
        if short or not (low < y < high) or (k > 3 and k % 3 == 0 and high - low > 0.1 * width):
            y = 0.5 * (low + high)
            if y <= low or y >= high:
                break
        if k % 3 == 0:
            width = high - low
        x = y
    if direct:  # next to a zero of the transform its value there is rounding
        q, one = q0, one0
    offset = 0.0 if product else moment / q
    bend = _logarithm(spread) - _logarithm(q) - _logarithm(one if product else q)
    mass = 0.0
    if piece[_MASS_LEFT] > 0 and abs(x - left) <= 8 * _EPS * abs(left):
        mass, x = piece[_MASS_LEFT], left
    if piece[_MASS_RIGHT] > 0 and abs(x - right) <= 8 * _EPS * abs(right):
        mass, x = piece[_MASS_RIGHT], right
    if mass > 0:
        bend, offset = math.log(max((1.0 - mass) / mass, 1e-300)), x
    elif abs(x - bounds[1]) > 1e4 * (
        bounds[3] - (0.0 if product else bounds[2])
    ):  # differences lose their digits
        bend = math.log(max(bounds[4], 1e-300)) + (2.0 if not product else 1.0) * math.log(abs(q0))
    return x, bend, offset


@njit(cache=True, nogil=True, error_model="numpy")
def _lowest(product, measure, piece, bounds, first, last):
    """Where h' is smallest along an arc: golden section."""
    ratio = 0.6180339887498949
    a, b = first, last
    left, right = a + (1.0 - ratio) * (b - a), a + ratio * (b - a)
    at_left = at_right = math.nan
    for _ in range(40):
        v = left if math.isnan(at_left) else right
        q, one = _level(product, piece[_CLASS], v)
        value = _invert(product, measure, piece, q, one, bounds)[1]
        if math.isnan(at_left):
            at_left = value
            if math.isnan(at_right):
                continue
        else:
            at_right = value
        if at_left < at_right:
            b, right, at_right = right, left, at_left
            left, at_left = a + (1.0 - ratio) * (b - a), math.nan
        else:
            a, left, at_left = left, right, at_right
            right, at_right = a + ratio * (b - a), math.nan
    return 0.5 * (a + b)


@njit(cache=True, nogil=True, error_model="numpy")
def _place(mode, one, piece1, bounds1, two, piece2, bounds2, power, v):
    """Return z (products: log z), log of both factors of the test, at parameter v of an arc."""
    q, rest = _level(mode == PRODUCT, piece1[_CLASS], v)
    x1, b1, o1 = _invert(mode == PRODUCT, one, piece1, q, rest, bounds1)
    if mode == POWER:
        return x1 + (power - 1.0) * o1, b1, math.log(power - 1.0)
    x2, b2, o2 = _invert(mode == PRODUCT, two, piece2, q, rest, bounds2)
    if mode == SUM:
        return (x2 + o1 if abs(x1) > abs(x2) else x1 + o2), b1, b2
    if piece1[_CLASS] == 0:
        w = v
    else:
        w = piece1[_CLASS] * (math.log1p(math.exp(v)) if v < 700 else v)
    return math.log(abs(x1)) + math.log(abs(x2)) - w, b1, b2


@njit(cache=True, nogil=True, error_model="numpy")
def _vanishes(piece1, piece2, last):
    """Whether z goes to zero at the last parameter: one zeta -> 0+ where m reaches minus the rank; both, at m = -1."""
    one, two = piece1[_ZERO] > 0 and piece1[_LAST] <= last, piece2[_ZERO] > 0 and piece2[_LAST] <= last
    return (one and two) if piece1[_CLASS] < 0 else ((one or two) and piece1[_CLASS] == 0)


@njit(cache=True, nogil=True, error_model="numpy")
def _arc(mode, one, piece1, bounds1, low1, two, piece2, bounds2, low2, power, out, count):
    """Append the images of the good parts of one arc to `out`: rows of (low, high).

    `low1`, `low2`: where the slopes of both laws are smallest.
    """
    product = mode == PRODUCT
    first, last = piece1[_FIRST], piece1[_LAST]
    if mode != POWER:
        first, last = max(first, piece2[_FIRST]), min(last, piece2[_LAST])
    if not first < last:
        return count
    one_low, two_low = min(max(low1, first), last), min(max(low2, first), last)
    ahead = np.empty(
        (200, 4)
    )  # points not yet reached, the next one on top: v, z and the logarithms of both factors
    for k in range(4):
        v = (
            last
            if k == 0
            else (max(one_low, two_low) if k == 1 else (min(one_low, two_low) if k == 2 else first))
        )
        z, b1, b2 = _place(mode, one, piece1, bounds1, two, piece2, bounds2, power, v)
        ahead[k, 0], ahead[k, 1], ahead[k, 2], ahead[k, 3] = v, z, b1, b2
    u, begin, u1, u2 = ahead[3, 0], ahead[3, 1], ahead[3, 2], ahead[3, 3]
    at, size, good, seen = begin, 3, u1 + u2 < _LEAST, 0
    while size > 0:
        v, z, v1, v2 = ahead[size - 1, 0], ahead[size - 1, 1], ahead[size - 1, 2], ahead[size - 1, 3]
        turns = (v1 + v2 < _LEAST) != good
        # monotone factors bound their product; on short pieces they are nearly straight, which bounds it closer
        change, net = abs(v1 - u1) + abs(v2 - u2), abs(v1 - u1 + v2 - u2)
        depth = abs(0.5 * (u1 + u2 + v1 + v2) - _LEAST) - 0.5 * net
        doubt = (change - net) * min(0.5, change + v - u) > depth
        middle = 0.5 * (u + v)
        fine = v - u > (_FINE if turns else _TIGHT) and (turns or seen < _MOST)
        if (turns or doubt) and fine and u < middle < v and size < 199:
            seen += 1
            z, b1, b2 = _place(mode, one, piece1, bounds1, two, piece2, bounds2, power, middle)
            ahead[size, 0], ahead[size, 1], ahead[size, 2], ahead[size, 3] = middle, z, b1, b2
            size += 1
            continue
        if turns and good:  # z is stationary where the product is one
            if count >= out.shape[0]:
                return count
            out[count, 0], out[count, 1] = min(begin, at), max(begin, at)
            count += 1
        if turns:
            good, begin = not good, z
        u, at, u1, u2 = v, z, v1, v2
        size -= 1
    if good and count < out.shape[0]:
        if product and _vanishes(piece1, piece2, last):
            at = -math.inf
        out[count, 0], out[count, 1] = min(begin, at), max(begin, at)
        count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _lows(product, measure, pieces, bounds):
    lows = np.empty(pieces.shape[0])
    for i in range(lows.size):
        lows[i] = _lowest(product, measure, pieces[i], bounds, pieces[i, _FIRST], pieces[i, _LAST])
    return lows


@njit(cache=True, nogil=True, error_model="numpy")
def _images(mode, one, pieces1, bounds1, two, pieces2, bounds2, power):
    out = np.empty((pieces1.shape[0] * pieces2.shape[0] * 40 + 40, 2))
    count = np.int64(0)  # a plain 0 has a type of its own, which `_arc` would be compiled for as well
    product = mode == PRODUCT
    lows1, lows2 = _lows(product, one, pieces1, bounds1), _lows(product, two, pieces2, bounds2)
    for i in range(pieces1.shape[0]):
        for j in range(pieces2.shape[0]):
            if mode != POWER:
                if pieces1[i, _CLASS] != pieces2[j, _CLASS]:
                    continue
                between = mode == PRODUCT and pieces1[i, _CLASS] == 0
                if between and (pieces1[i, _LEFT] < 0) == (pieces2[j, _LEFT] < 0):  # one zeta is negative
                    continue
            if count > out.shape[0] - 2:
                return out[:count]
            count = _arc(
                mode,
                one,
                pieces1[i],
                bounds1,
                lows1[i],
                two,
                pieces2[j],
                bounds2,
                lows2[j],
                power,
                out,
                count,
            )
    return out[:count]


@njit(cache=True, nogil=True, error_model="numpy")
def _parameter(product, kind, q, one):
    """The parameter of a value of the transform, the inverse of `_level`."""
    if not product or kind > 0:
        return -math.log(abs(q)) if q != 0.0 else math.inf
    if kind < 0:
        return -math.log(-one) if one != 0.0 else math.inf
    if one <= 0.0:
        return -math.inf
    return math.log(one) - math.log(-q) if q != 0.0 else math.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _pieces(product, measure, ends, masses, unit):
    """Rows of pieces: every gap between consecutive `ends` (low, high), in every class that its values reach.

    `masses`: those of ends that are isolated atoms, else zero. `unit`: what the parameter is counted from.
    """
    n = ends.shape[0]
    rows = np.zeros((3 * n + 6, 8))
    reach = _REACH if product else _FAR
    count = 0
    scale = max(abs(ends[n - 1, 1]), abs(ends[0, 0]))
    for k in range(-1 if not product else -2, n):
        # gaps: below all, between, above all; for products the first is cut at zero
        left = -math.inf if k <= -1 and not (product and k == -1) else (0.0 if k == -1 else ends[k, 1])
        right = 0.0 if (product and k == -2) else (math.inf if k == n - 1 else ends[k + 1, 0])
        if not left < right:
            continue
        mass_left = masses[k] if k >= 0 else 0.0
        mass_right = masses[k + 1] if (k + 1 < n and not (product and k == -2)) else 0.0
        # values at both ends, from inside
        if math.isinf(left):
            upper, upper_one = -0.0, 1.0
        elif mass_left > 0:
            upper, upper_one = math.inf, math.inf
        else:
            close = 1e-140 if product else _HARD
            x = close if left == 0.0 else left + 4 * _EPS * scale
            upper, upper_one, _, _, _ = _at(product, measure, x)
        if math.isinf(right):
            lower, lower_one = 0.0, 1.0
        elif mass_right > 0:
            lower, lower_one = -math.inf, -math.inf
        else:
            close = 1e-140 if product else _HARD
            x = -close if right == 0.0 else right - 4 * _EPS * scale
            lower, lower_one, _, _, _ = _at(product, measure, x)
        for kind in range(-1, 2):
            if kind == 0 and not product:
                continue
            # the part of (lower, upper) in this class, as a range of the parameter, which grows towards the class's
            # end at zero (for m < -1: at -1; between: at 0)
            if kind > 0:
                if upper <= 0.0 or math.isinf(left):
                    continue
                first = -math.inf if math.isinf(upper) else _parameter(product, kind, upper, upper_one)
                last = _parameter(product, kind, max(lower, 0.0), lower_one)
            elif kind < 0 and not product:
                if lower >= 0.0 or math.isinf(right):
                    continue
                first = -math.inf if math.isinf(lower) else _parameter(product, kind, lower, lower_one)
                last = _parameter(product, kind, min(upper, 0.0), upper_one)
            elif kind < 0:
                if lower_one >= 0.0 or math.isinf(right):
                    continue
                first = -math.inf if math.isinf(lower) else _parameter(product, kind, lower, lower_one)
                last = _parameter(product, kind, upper, min(upper_one, 0.0))
            else:
                if upper_one <= 0.0 or lower >= 0.0 or (upper > 0.0 and lower >= 0.0) or math.isinf(right):
                    continue
                first = _parameter(product, kind, lower, max(lower_one, 0.0))
                last = _parameter(product, kind, min(upper, 0.0), upper_one)
            first, last = max(first, unit - reach), min(last, unit + reach)
            if first < last:
                zero = 1.0 if product and k == -1 else 0.0
                row = rows[count]
                row[_LEFT], row[_RIGHT], row[_MASS_LEFT], row[_MASS_RIGHT] = (
                    left,
                    right,
                    mass_left,
                    mass_right,
                )
                row[_CLASS], row[_FIRST], row[_LAST], row[_ZERO] = kind, first, last, zero
                count += 1
    return rows[:count]


class Half(NamedTuple):
    """One of the two laws: its measure, and what the real line knows of it.

    `ends`: the closed intervals of its support that the transform sees, points included, in order; `masses`: of the
    points. `bounds`: (1, mean, least, largest, variance) for sums; for products those of x dmu/mean, with the mean in
    place of 1 and relative variance.
    """

    measure: Measure
    ends: np.ndarray
    masses: np.ndarray
    bounds: np.ndarray


@njit(cache=True, nogil=True, error_model="numpy")
def _complement(mode, one, two, alone, unit, power):
    """Images of all arcs of two laws; the power of one (`alone`) has no second piece to choose."""
    pieces1 = _pieces(mode == PRODUCT, one.measure, one.ends, one.masses, unit)
    pieces2 = _pieces(mode == PRODUCT, two.measure, two.ends, two.masses, unit)
    if alone:
        pieces2 = pieces2[:1]
    return _images(mode, one.measure, pieces1, one.bounds, two.measure, pieces2, two.bounds, power)


def gaps(mode: int, one: Half, two: Half | None, unit: float, power: float = 0.0) -> np.ndarray:
    """Intervals of the complement of the support, rows of (low, high) in increasing order, merged where they touch.

    In the coordinate of the law: z for sums and powers, log z for products. `unit`: logarithm of the scale of sums.
    """
    other = one if two is None else two
    found: np.ndarray = _complement(mode, one, other, two is None, unit, power)
    found = found[np.argsort(found[:, 0])]
    merged: list[list[float]] = []
    for low, high in found:
        if merged and low <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], high)
        else:
            merged.append([low, high])
    return np.array(merged).reshape(-1, 2)
