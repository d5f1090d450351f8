"""Where the unstable manifold of a saddle leaves a small box, proven by cones.

In coordinates y = P^-1 (h - s), P the float eigenvectors at an approximate saddle s, let the box |y_i| <= a be such
that trajectories leave it through y_1 = +-a alone and enter through y_2 = +-a, and let every Jacobian G in it satisfy

    G_21 + (G_22 - G_11) L - G_12 L^2 < 0 < G_11 - |G_12| L  (and with -L),    G_22 + |G_21|/L < 0.

Then differences of solutions stay in the cone |dy_2| <= L |dy_1| and grow there, and shrink outside of it: the box
holds one fixed point, a saddle, and the points whose past stays in the box are the graph y_2 = w(y_1) of a function
with |w(x) - w(x')| <= L |x - x'|, which depends continuously on the field (Zgliczynski 2009).
"""

from __future__ import annotations

import math

import numpy as np

from widelimit.numerics import intervals as iv
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.orbits.taylor import turned, velocity

add, sub, mul, scale, div, up, down = iv.add, iv.sub, iv.mul, iv.scale, iv.div, iv.up, iv.down
_STEEP = 4.0  # of the cone: wider than the narrowest that could do, so that the second condition holds too


@njit(nogil=True, error_model="numpy")
def _inverse(p):
    """Enclose the inverse of a matrix of floats, (2, 2, 2)."""
    one, other = mul(p[0, 0], p[0, 0], p[1, 1], p[1, 1]), mul(p[0, 1], p[0, 1], p[1, 0], p[1, 0])
    size = sub(one[0], one[1], other[0], other[1])
    out = np.empty((2, 2, 2))
    for i in range(2):
        for j in range(2):
            value = p[1 - j, 1 - i] if i == j else -p[i, j]
            out[0, i, j], out[1, i, j] = div(value, value, size[0], size[1])
    return out


@njit(nogil=True, error_model="numpy")
def _product(a, b):
    """Enclose the product of two interval matrices."""
    out = np.empty((2, a.shape[1], b.shape[2]))
    for i in range(a.shape[1]):
        for j in range(b.shape[2]):
            low, high = 0.0, 0.0
            for k in range(a.shape[2]):
                p, q = mul(a[0, i, k], a[1, i, k], b[0, k, j], b[1, k, j])
                low, high = add(low, high, p, q)
            out[0, i, j], out[1, i, j] = low, high
    return out


@njit(nogil=True, error_model="numpy")
def _around(centre, p, y):
    """Enclose s + P y for all y of a box (2, 2)."""
    out = np.empty((2, 2))
    for i in range(2):
        low, high = centre[i], centre[i]
        for j in range(2):
            one, other = scale(p[i, j], y[0, j], y[1, j])
            low, high = add(low, high, one, other)
        out[0, i], out[1, i] = low, high
    return out


@njit(nogil=True, error_model="numpy")
def _slopes(field, sign, box):
    """Enclose the Jacobian of the velocity in a box."""
    out = np.empty((2, 2, 2))
    for i in range(2):
        low, high = field[0, i, 2], field[1, i, 2]
        for j in range(2):
            one, other = mul(field[0, i, j], field[1, i, j], box[0, j], box[1, j])
            low, high = add(low, high, one, other)
        low, high = iv.tanh_slope(low, high)
        for j in range(2):
            one, other = mul(low, high, field[0, i, j], field[1, i, j])
            if i == j:
                one, other = sub(one, other, 1.0, 1.0)
            out[0, i, j], out[1, i, j] = scale(sign, one, other)
    return out


@njit(nogil=True, error_model="numpy")
def _most(low, high):
    return max(abs(low), abs(high))


@njit(nogil=True, error_model="numpy")
def cone(field, sign, centre, p, size):
    """Return whether the conditions hold in the box, L, the fixed point in y (2, 2), and the interval matrix G."""
    y = np.full((2, 2), size)
    y[0] = -size
    two = np.empty((2, 2, 2))
    two[0], two[1] = p, p
    back = _inverse(p)
    g = _product(back, _product(_slopes(field, sign, _around(centre, p, y)), two))
    still = np.empty((2, 2))
    still[0], still[1] = centre, centre
    push = _product(back, velocity(field, sign, still).reshape(2, 2, 1))
    fixed = np.empty((2, 2))
    g12, g21 = _most(g[0, 0, 1], g[1, 0, 1]), _most(g[0, 1, 0], g[1, 1, 0])
    least = min(g[0, 0, 0], -g[1, 1, 1])
    steep = _STEEP * (g21 / least) + 1e-15 if least > 0.0 else math.inf
    if not (least > 0.0 and steep < 1e-2):
        return False, steep, fixed, g
    # leaves through y_1 = +-a, enters through y_2 = +-a
    out = down(down(g[0, 0, 0] * size) - up(up(g12 * size) + _most(push[0, 0, 0], push[1, 0, 0])))
    into = down(down(-g[1, 1, 1] * size) - up(up(g21 * size) + _most(push[0, 1, 0], push[1, 1, 0])))
    # differences: into the cone, growing there; shrinking outside
    gap = down(down(g[0, 0, 0] - g[1, 1, 1]) * steep)
    bends = up(g21 + up(up(g12 * steep) * steep))
    grows = down(g[0, 0, 0] - up(g12 * steep))
    shrinks = up(g[1, 1, 1] + up(g21 / steep))
    fine = out > 0.0 and into > 0.0 and gap > bends and grows > 0.0 and shrinks < 0.0
    # y* = -G^-1 push, by Cramer's rule
    one = mul(g[0, 0, 0], g[1, 0, 0], g[0, 1, 1], g[1, 1, 1])
    other = mul(g[0, 0, 1], g[1, 0, 1], g[0, 1, 0], g[1, 1, 0])
    det = sub(one[0], one[1], other[0], other[1])
    for i in range(2):
        k = 1 - i
        one = mul(g[0, i, k], g[1, i, k], push[0, k, 0], push[1, k, 0])
        other = mul(g[0, k, k], g[1, k, k], push[0, i, 0], push[1, i, 0])
        top = sub(one[0], one[1], other[0], other[1])
        fixed[0, i], fixed[1, i] = div(top[0], top[1], det[0], det[1])
        fixed[0, i], fixed[1, i] = max(fixed[0, i], -size), min(fixed[1, i], size)
    return fine, steep, fixed, g


@njit(nogil=True, error_model="numpy")
def departs(centre, p, size, steep, fixed, frame):
    """Enclose the point of the graph with y_1 = a by a parallelogram in a frame: (middle, reach)."""
    far = up(steep * (_most(size - fixed[0, 0], size - fixed[1, 0]) * (1.0 + 1e-15)))
    y = np.empty((2, 2))
    y[0, 0], y[1, 0] = size, size
    y[0, 1], y[1, 1] = down(fixed[0, 1] - far), up(fixed[1, 1] + far)
    middle = centre + size * p[:, 0] + 0.5 * (y[0, 1] + y[1, 1]) * p[:, 1]
    off = np.empty((2, 2))
    for i in range(2):
        low, high = sub(centre[i], centre[i], middle[i], middle[i])
        for j in range(2):
            one, other = scale(p[i, j], y[0, j], y[1, j])
            low, high = add(low, high, one, other)
        off[0, i], off[1, i] = low, high
    part = turned(frame, (off[0, 0], off[1, 0]), (off[0, 1], off[1, 1]))
    reach = np.empty(2)
    for k in range(2):
        reach[k] = _most(part[0, k], part[1, k])
    return middle, reach


@njit(nogil=True, error_model="numpy")
def resting(field, centre, p, fixed):
    """Enclose the fixed point and the two eigenvalues there, each (2, 2): Gershgorin's discs in the coordinates y."""
    box = _around(centre, p, fixed)
    two = np.empty((2, 2, 2))
    two[0], two[1] = p, p
    g = _product(_inverse(p), _product(_slopes(field, 1.0, box), two))
    rates = np.empty((2, 2))
    for i in range(2):
        far = _most(g[0, i, 1 - i], g[1, i, 1 - i])
        rates[0, i], rates[1, i] = down(g[0, i, i] - far), up(g[1, i, i] + far)
    return box, rates
