r"""Cauchy transforms of laws in numbers, at every point of the closed upper half plane, as compiled code reads them.

A `Measure` is one of, or the sum of:

    atoms       :math:`\sum_ja_j/(\omega-x_j)`
    quadratic   :math:`R(g)=(a+bg)/(1+dg)` (semicircle, Marchenko-Pastur, free Poisson laws, shifted): G in closed form
    panels      the panels of a `SpectralLaw`: Gauss-Legendre sums, corrected next to the support

A Gauss sum over :math:`f(t)/(\omega-x(t))` fails where :math:`x(t_0)=\omega` lies near a panel. The integrand has a
simple pole there, for which the error of the rule is known: with u the panel's variable in [-1, 1] it is the residue
times
:math:`\log\frac{u_0+1}{u_0-1}-\sum_jw_j/(u_0-u_j)`. So the sum is as good on the support as far from it.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from widelimit.numerics.compile.cache import njit
from widelimit.numerics.freeprob.panels import ORDER

__all__ = ["Measure", "evaluate", "of_atoms", "of_panels", "of_quadratic", "quotient", "raw"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(ORDER)
_TO_COEFFICIENTS = (np.polynomial.legendre.legvander(_NODES, ORDER - 1) * _WEIGHTS[:, None]).T * (
    np.arange(ORDER) + 0.5
)[:, None]
_HIT = 3e-5  # the distance of a pole from a node, in u, below which their terms are taken together
_FAR = (
    1.45  # half the length of the ellipse (in u) outside of which Gauss-Legendre sums of this order are exact
)


class Measure(NamedTuple):
    """What compiled code knows of a law. Only the names matter to Python; numba sees a tuple.

    `quadratic` holds (a, b, d, low edge, high edge, mass at zero that is left out), or nothing. A row of
    `panels` is (left, right, shape, low, high, offset): y = low + (high - low) sin(t/2)^2 (shape 0), the same
    of pi - t (shape 2), high - (t - offset)^2 (shape 1).
    `coefficients` are the Legendre coefficients of dmass/dt, `masses` and `places` (x) those of its nodes.
    `logarithmic`: x = exp(y), else x = y, already moved by `shift`; with exp it is not.
    """

    nodes: np.ndarray
    weights: np.ndarray
    quadratic: np.ndarray
    panels: np.ndarray
    coefficients: np.ndarray
    masses: np.ndarray
    places: np.ndarray
    logarithmic: float
    shift: float


def of_atoms(atoms: Sequence[tuple[float, float]], shift: float = 0.0) -> Measure:
    """The measure of finitely many atoms (location, mass)."""
    x, a = np.array([pair for pair in atoms if pair[1] > 0], dtype=float).reshape(-1, 2).T
    none = np.zeros((0, ORDER))
    places, masses = np.ascontiguousarray(x - shift), np.ascontiguousarray(a)
    return Measure(places, masses, np.zeros(0), np.zeros((0, 6)), none, none, none, 0.0, 0.0)


def of_quadratic(a: float, b: float, d: float, shift: float = 0.0) -> Measure:
    """The law with R-transform (a + b g)/(1 + d g), supported on a - d -+ 2 sqrt(b - a d) and perhaps an atom.

    The transform of the moved law is (a - shift + (b - shift d) g)/(1 + d g).
    """
    a, b = a - shift, b - shift * d
    half = 2.0 * math.sqrt(b - a * d)
    low, high = a - d - half, a - d + half
    if b == 0.0 and d < 0.0:  # the lower edge may be next to zero
        low = (a + d) ** 2 / high
    return of_atoms(())._replace(quadratic=np.array([a, b, d, low, high, 0.0]))


def of_panels(
    rows: np.ndarray,
    values: np.ndarray,
    atoms: Sequence[tuple[float, float]],
    logarithmic: bool,
    shift: float = 0.0,
) -> Measure:
    """The law of `panels` rows with dmass/dt at the Legendre nodes, and atoms."""
    half = 0.5 * (rows[:, 1] - rows[:, 0])[:, None]
    t = 0.5 * (rows[:, 1] + rows[:, 0])[:, None] + half * _NODES
    y = np.array([[_coordinate(row, place) for place in places] for row, places in zip(rows, t, strict=True)])
    return of_atoms(atoms, shift)._replace(
        panels=rows,
        coefficients=np.ascontiguousarray(values @ _TO_COEFFICIENTS.T),
        masses=np.ascontiguousarray(half * _WEIGHTS * values),
        places=np.exp(y) if logarithmic else y,
        logarithmic=float(logarithmic),
        shift=shift,
    )


def without_zero(measure: Measure) -> tuple[Measure, float]:
    """The measure without its atom at zero, and the mass of that."""
    kept = measure.nodes != 0.0
    mass = float(measure.weights[~kept].sum())
    quadratic = measure.quadratic
    if quadratic.size:
        a, b, d = quadratic[:3]
        if b == 0.0 and d < 0.0 < a < -d:
            mass = float((a + d) / d)
            quadratic = np.append(quadratic[:5], mass)
    inner = measure._replace(nodes=measure.nodes[kept], weights=measure.weights[kept], quadratic=quadratic)
    return inner, mass


@njit(cache=True, nogil=True, error_model="numpy")
def quotient(a, b):
    """a / b, which is zero where b is: compiled complex division would raise."""
    size = b.real * b.real + b.imag * b.imag
    if size == 0.0 or not math.isfinite(size):
        scale = max(abs(b.real), abs(b.imag))
        return a / scale / (b / scale) if 0.0 < scale < math.inf else 0j
    return a * b.conjugate() / size


@njit(cache=True, nogil=True, error_model="numpy")
def _resolvent(omega, x):
    """1/(omega - x), large where omega hits x."""
    u, v = omega.real - x, omega.imag
    inverse = 1.0 / (u * u + v * v + 1e-300)
    return complex(u * inverse, -v * inverse)


@njit(cache=True, nogil=True, error_model="numpy")
def _coordinate(panel, t):
    """Return y of t."""
    if panel[2] == 1:
        return panel[4] - (t - panel[5]) ** 2
    half = 0.5 * t if panel[2] == 0 else 0.5 * (np.pi - t)
    return panel[3] + (panel[4] - panel[3]) * np.sin(half) ** 2


@njit(cache=True, nogil=True, error_model="numpy")
def _preimage(panel, y):
    """Return the complex t of y, in shapes 0 and 2 that of sin(t/2)^2 before t is turned round."""
    if panel[2] == 1:
        return cmath.sqrt(panel[4] - y)
    width = panel[4] - panel[3]
    below, above = (y - panel[3]) / width, (panel[4] - y) / width
    if abs(below) < abs(above):
        return 2.0 * cmath.asin(cmath.sqrt(below))
    return np.pi - 2.0 * cmath.asin(cmath.sqrt(above))


@njit(cache=True, nogil=True, error_model="numpy")
def _expm1(x):
    """exp(x) - 1 with its digits, for complex x."""
    if abs(x) > 0.5:
        return cmath.exp(x) - 1.0
    return 2.0 * cmath.exp(0.5 * x) * cmath.sinh(0.5 * x)


@njit(cache=True, nogil=True, error_model="numpy")
def _speed(panel, t):
    """Return dy/dt and its derivative at complex t (with its sign)."""
    if panel[2] == 1:
        return -2.0 * (t - panel[5]), -2.0 + 0j
    width = panel[4] - panel[3]
    sign = 1.0 if panel[2] == 0 else -1.0
    turned = t if panel[2] == 0 else np.pi - t
    return sign * 0.5 * width * cmath.sin(turned), 0.5 * width * cmath.cos(turned)


@njit(cache=True, nogil=True, error_model="numpy")
def _pole(panel, coefficients, t0, side, skipped):
    """Error of the rule for the pole at t0 divided by dx/dy, and the derivative of that by y.

    `side`: the sign of Im t0 above the axis, where t0 itself is real. `skipped`: a node left out of the rule, or -1.
    """
    half, middle = 0.5 * (panel[1] - panel[0]), 0.5 * (panel[1] + panel[0])
    u = (t0 - middle) / half
    if abs(u.real) > _FAR or abs(u.imag) > 1.05:
        return 0j, 0j, False
    before, here = 0j, 1.0 + 0j
    dbefore, dhere = 0j, 0j
    f, df = coefficients[0] + 0j, 0j
    for k in range(1, ORDER):
        after = ((2 * k - 1) * u * here - (k - 1) * before) / k
        dafter = dbefore + (2 * k - 1) * here
        before, here, dbefore, dhere = here, after, dhere, dafter
        f += coefficients[k] * here
        df += coefficients[k] * dhere
    top, bottom = u + 1.0, u - 1.0
    ratio = quotient(top, bottom)
    angle = math.atan2(ratio.imag, ratio.real)
    if u.imag == 0.0 and abs(u.real) < 1.0:
        angle = -side * np.pi
    kernel = complex(math.log(abs(ratio) + 1e-300), angle)
    slope = quotient(1.0 + 0j, top) - quotient(1.0 + 0j, bottom)
    for j in range(ORDER):
        if j == skipped:
            continue
        # the same difference as in `_difference`, with which it nearly cancels
        inverse = quotient(half + 0j, t0 - (middle + half * _NODES[j]))
        kernel -= _WEIGHTS[j] * inverse
        slope += _WEIGHTS[j] * inverse * inverse
    speed, turn = _speed(panel, t0)
    value = quotient(f * kernel, speed)
    rate = quotient((df * kernel + f * slope) / half - value * turn, speed)
    return value, quotient(rate, speed), True


@njit(cache=True, nogil=True, error_model="numpy")
def _difference(panel, t0, t):
    """y(t) - y(t0) with its digits; t0 as `_preimage` returns it."""
    if panel[2] == 1:
        away = t - panel[5]
        return -(away - t0) * (away + t0)
    turned = t if panel[2] == 0 else np.pi - t
    return (panel[4] - panel[3]) * cmath.sin(0.5 * (turned - t0)) * cmath.sin(0.5 * (turned + t0))


@njit(cache=True, nogil=True, error_model="numpy")
def _place(panel, start, which):
    """The variable of a pole: 0 that on the panel's side, 1 and 2 its mirror images at t = 0 and t = pi."""
    if panel[2] == 1:
        return panel[5] + (start if which == 0 else -start)
    turned = start if which == 0 else (-start if which == 1 else 2 * np.pi - start)
    return turned if panel[2] == 0 else np.pi - turned


@njit(cache=True, nogil=True, error_model="numpy")
def _poles(panel, coefficients, logarithmic, t0, y0, node):
    """Sum of `_pole` over all poles next to a panel, and whether there is one.

    The map from t to y has mirror images of t0; with x = exp(y) there are those of y0 + 2 pi i k, too.
    """
    c = dc = 0j
    found = False
    for k in range(200 if logarithmic else 1):
        any_near = False
        for sign in (-1, 1):
            if k == 0 and sign == 1:
                continue
            start = t0 if k == 0 else _preimage(panel, y0 + sign * k * 2j * np.pi)
            for which in range(3 if panel[2] != 1 else 2):
                place = _place(panel, start, which)
                side = (1.0 if which == 0 else -1.0) * (1.0 if panel[2] == 0 else -1.0)
                skipped = node if k == 0 and which == 0 else -1
                value, rate, near = _pole(panel, coefficients, place, side, skipped)
                if near:
                    any_near = True
                    c += value
                    dc += rate
        found = found or any_near
        if k > 0 and not any_near:
            break
    return c, dc, found


@njit(cache=True, nogil=True, error_model="numpy")
def _at_node(panel, coefficients, logarithmic, place, t):
    """Difference quotient of F = f q between the pole at `place` and the node t next to it.

    f = dmass/dt and q = x'(t_0)(t_0 - t)/(x_0 - x): the node's term of the rule together with that of its correction,
    each of which is large, from the series of F at the pole.
    """
    half, middle = 0.5 * (panel[1] - panel[0]), 0.5 * (panel[1] + panel[0])
    u = (place - middle) / half
    here, before, dhere, dbefore, ddhere, ddbefore = 1.0 + 0j, 0j, 0j, 0j, 0j, 0j
    f = df = ddf = 0j
    for k in range(ORDER):
        f += coefficients[k] * here
        df += coefficients[k] * dhere / half
        ddf += coefficients[k] * ddhere / (half * half)
        after = ((2 * k + 1) * u * here - k * before) / (k + 1)
        dafter, ddafter = dbefore + (2 * k + 1) * here, ddbefore + (2 * k + 1) * dhere
        before, here, dbefore, dhere, ddbefore, ddhere = here, after, dhere, dafter, ddhere, ddafter
    speed, turn = _speed(panel, place)
    second = quotient(turn, speed)
    third = 0j if panel[2] == 1 else -1.0 + 0j
    if logarithmic:
        second, third = second + speed, third + 3.0 * turn + speed * speed
    q, qq = -0.5 * second, 0.25 * second * second - third / 6.0
    return df + f * q + (0.5 * ddf + df * q + f * qq) * (t - place)


@njit(cache=True, nogil=True, error_model="numpy")
def _sums(panel, coefficients, masses, places, logarithmic, x0, y0, t0, node):
    """Integrals over one panel: of r = 1/(x0 - x), x r, r^2, x r^2. `node`: one that the pole all but hits, or -1."""
    c, dc, near = _poles(panel, coefficients, logarithmic, t0, y0, node)
    half, middle = 0.5 * (panel[1] - panel[0]), 0.5 * (panel[1] + panel[0])
    g = m = g2 = m2 = 0j
    for j in range(ORDER):
        x = places[j]
        if j == node:
            speed, _ = _speed(panel, _place(panel, t0, 0))
            t = middle + half * _NODES[j]
            step = _at_node(panel, coefficients, logarithmic, _place(panel, t0, 0), t)
            g -= half * _WEIGHTS[j] * quotient(step, speed * x0 if logarithmic else speed)
            continue
        if near:  # differences that agree with those in the corrections
            apart = _difference(panel, t0, middle + half * _NODES[j])
            r = quotient(-1.0 + 0j, x0 * _expm1(apart) if logarithmic else apart)
        else:
            r = _resolvent(x0, x)
        wr = masses[j] * r
        g += wr
        m += wr * x
        g2 += wr * r
        m2 += wr * r * x
    if not near:
        return g, m, g2, m2
    if logarithmic:  # c and dc are those of the integral of 1/(y0 - y)
        rate = quotient(dc, x0)  # compiled division by a square that underflows would raise
        away = quotient(c, x0)
        return g + away, m + c, g2 - quotient(rate - away, x0), m2 - rate
    return g + c, m + x0 * c, g2 - dc, m2 - (c + x0 * dc)


@njit(cache=True, nogil=True, error_model="numpy")
def _panel(panel, coefficients, masses, places, logarithmic, x0, y0):
    """The same where x0 may be as close to a node as it likes, and how far above it slopes have to be taken, or 0."""
    t0 = _preimage(panel, y0)
    half, middle = 0.5 * (panel[1] - panel[0]), 0.5 * (panel[1] + panel[0])
    u = (_place(panel, t0, 0) - middle) / half
    node: Any = np.int64(-1)  # a plain -1 has a type of its own, which `_sums` would be compiled for as well
    if abs(u.imag) < _HIT and abs(u.real) < 1.0:
        for j in range(ORDER):
            if abs(u - _NODES[j]) < _HIT:
                node = j
    g, m, g2, m2 = _sums(panel, coefficients, masses, places, logarithmic, x0, y0, t0, node)
    if node < 0:
        return g, m, g2, m2, 0.0
    speed, _ = _speed(panel, _place(panel, t0, 0))
    aside = 2 * _HIT * half * abs(speed) * (abs(x0) if logarithmic else 1.0)
    return g, x0 * g - masses.sum(), g2, m2, aside


@njit(cache=True, nogil=True, error_model="numpy")
def _without_atom(a, d, omega, root):
    """Transform of the law with R = a/(1 + d g), d < 0, without its atom of mass 1 + a/d at zero.

    (omega G - mass) is a root v of d v^2 + (omega + a + d) v + omega a/d = 0, of which both forms appear here.
    """
    centre = omega + a + d
    if (centre * root.conjugate()).real > 0:
        return quotient(-2.0 * a + 0j, d * (centre + root))
    return quotient(root - centre, 2.0 * d * omega)


@njit(cache=True, nogil=True, error_model="numpy")
def raw(measure, omega):
    """With r = 1/(omega - x): E r, E x r, Var r, Var x r (without a conjugate), E r^2 and E x r^2.

    On the real line from above; x is the moved variable.
    """
    nodes, weights, quadratic, panels, coefficients, masses, places, logarithmic, shift = measure
    g = m = g2 = m2 = 0j
    for k in range(nodes.size):
        r = _resolvent(omega, nodes[k])
        wr, wx = weights[k] * r, weights[k] * r * nodes[k]
        g, m, g2, m2 = g + wr, m + wx, g2 + wr * r, m2 + wx * r
    if quadratic.size == 0 and panels.shape[0] == 0:  # the spread keeps its digits far away
        spread = spread_x = 0j
        for k in range(nodes.size):
            r = _resolvent(omega, nodes[k])
            spread += weights[k] * (r - g) * (r - g)
            spread_x += weights[k] * (nodes[k] * r - m) * (nodes[k] * r - m)
        return g, m, spread, spread_x, g2, m2
    if quadratic.size:
        a, b, d = quadratic[0], quadratic[1], quadratic[2]
        root = cmath.sqrt(omega - quadratic[3]) * cmath.sqrt(omega - quadratic[4])
        # (b - d z) g^2 - (z - a - d) g + 1 = 0: of the two forms of the root the one that loses nothing
        centre = omega - a - d
        if (centre * root.conjugate()).real > 0:
            q = quotient(2.0 + 0j, centre + root)
        else:
            q = quotient(centre - root, 2.0 * (b - d * omega))
        bottom = 1.0 + d * q
        moment = q * quotient(a + b * q, bottom)
        square = quotient(q * bottom, root)
        product = quotient(q * (a + b * q * (2.0 + d * q)), bottom * root)
        spread = quotient(q * q * (b - a * d) * square, bottom * bottom)
        spread_x = quotient((b * q - d * moment) * omega * product * omega * q, 2 * b * q + a - d * moment)
        if quadratic[5] > 0.0:
            q = _without_atom(a, d, omega, root)
        return q, moment, spread, spread_x, square, product
    x0 = omega + shift if logarithmic else omega
    y0 = cmath.log(x0) if logarithmic else omega
    p = q = p2 = q2 = 0j
    aside = 0.0
    for i in range(panels.shape[0]):
        one, two, three, four, away = _panel(
            panels[i], coefficients[i], masses[i], places[i], logarithmic > 0, x0, y0
        )
        p += one
        q += two
        p2 += three
        q2 += four
        aside = max(aside, away)
    if aside > 0.0:  # on a node: all slopes from one point beside it, which Newton's method does not mind
        p2 = 0j
        x1 = x0 + 1j * aside
        y1 = cmath.log(x1) if logarithmic else x1
        for i in range(panels.shape[0]):
            p2 += _sums(
                panels[i],
                coefficients[i],
                masses[i],
                places[i],
                logarithmic > 0,
                x1,
                y1,
                _preimage(panels[i], y1),
                np.int64(-1),
            )[2]
        q2 = x0 * p2 - p
    g += p
    g2 += p2
    m += q
    m2 += q2
    if logarithmic:
        m -= shift * p
        m2 -= shift * p2
    return g, m, g2 - g * g, omega * m2 - m * omega * g, g2, m2


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate(product, measure, state):
    """h and its slope. Sums: h = 1/G - omega. Products: log k = log((1 + m)/(m zeta)) of log zeta.

    The imaginary part of log((1 + m)/m) lies in [0, pi].
    """
    if not product:
        g, m, spread, _, _, _ = raw(measure, state)
        return -quotient(m, g), quotient(quotient(spread, g), g)
    zeta = cmath.exp(state)
    g, m, _, spread, _, _ = raw(measure, zeta)
    one = zeta * g
    ratio = quotient(one, m)
    angle = math.atan2(ratio.imag, ratio.real)
    if angle < -0.5 * np.pi:
        angle += 2 * np.pi
    size = abs(ratio)
    if size == 0.0:
        return complex(np.nan, np.nan), 0j
    return complex(math.log(size), angle) - state, quotient(quotient(spread, m), one)
