"""What the names in the derivation stand for, by numbers: explicit cells, roots, quadrature, differences."""

from __future__ import annotations

from typing import Any

import mpmath

from widelimit.theory.calculus.precision import Values, evaluate, numbers
from widelimit.theory.gru import formulas as f

_Pair = tuple[Any, Any]


def _turned(gain: Any, angle: Any, h: _Pair) -> _Pair:
    c, s = gain * mpmath.cos(angle), gain * mpmath.sin(angle)
    return c * h[0] - s * h[1], s * h[0] + c * h[1]


def _logistic(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


def cell(gain: Any, angle: Any, h: _Pair, b: _Pair = (0, 0), gate: Any = 0.5, step: Any = 1) -> _Pair:
    """Return one step of a GRU with all of its gates: U_h = 2 g R, b_r = 0, b_z the gate's logit, U_z = U_r = 0."""
    b_z = mpmath.log(gate / (1 - mpmath.mpf(gate)))
    reset, keep = _logistic(0), _logistic(b_z)
    turned = _turned(2 * gain, angle, (reset * h[0], reset * h[1]))
    return tuple(
        x + step * (1 - keep) * (mpmath.tanh(y + bias) - x) for x, y, bias in zip(h, turned, b, strict=True)
    )


def _velocity(gain: Any, angle: Any, h: _Pair, b: _Pair = (0, 0)) -> _Pair:
    after = cell(gain, angle, h, b)
    return 2 * (after[0] - h[0]), 2 * (after[1] - h[1])


def _jacobian(gain: Any, angle: Any, h: _Pair, b: _Pair = (0, 0)) -> Any:
    columns = [
        [mpmath.diff(lambda x, i=i: _velocity(gain, angle, (x, h[1]), b)[i], h[0]) for i in (0, 1)],
        [mpmath.diff(lambda x, i=i: _velocity(gain, angle, (h[0], x), b)[i], h[1]) for i in (0, 1)],
    ]
    return mpmath.matrix(columns).T


def slope_of_map(values: Values, dps: int) -> Any:
    """Return the derivative of a GRU of one unit with gates that move, at a fixed point whose ODE has lambda."""
    eigenvalue, step = numbers(values, dps, f.EIGENVALUE, f.STEP)
    rest, weight, bias = mpmath.mpf("0.3"), mpmath.mpf("0.7"), mpmath.mpf("-0.2")
    open_ = 1 - _logistic(weight * rest + bias)
    slope = (1 + eigenvalue / open_) / (1 - rest**2)
    shift = mpmath.atanh(rest) - slope * rest

    def after(h: Any) -> Any:
        return h + step * (1 - _logistic(weight * h + bias)) * (mpmath.tanh(slope * h + shift) - h)

    return mpmath.diff(after, rest)


def component(index: int, values: Values, dps: int) -> Any:
    """Return a component of the velocity from one step of a GRU."""
    g, t, h1, h2, b1, b2 = numbers(values, dps, f.GAIN, f.ANGLE, f.H1, f.H2, f.B1, f.B2)
    return _velocity(g, t, (h1, h2), (b1, b2))[index]


def divergence(values: Values, dps: int) -> Any:
    """Return (1 - z) times the trace of the numerical Jacobian."""
    g, t, z, h1, h2, b1, b2 = numbers(values, dps, f.GAIN, f.ANGLE, f.GATE, f.H1, f.H2, f.B1, f.B2)
    with mpmath.workdps(2 * dps + 20):
        jacobian = _jacobian(g, t, (h1, h2), (b1, b2))
    return (1 - z) * (jacobian[0, 0] + jacobian[1, 1])


def loses_stability(values: Values, dps: int) -> Any:
    """Return the angle at which the eigenvalues of the origin cross the imaginary axis."""
    (g,) = numbers(values, dps, f.GAIN)

    def real_part(angle: Any) -> Any:
        with mpmath.workdps(2 * dps + 20):
            jacobian = _jacobian(g, angle, (mpmath.mpf(0), mpmath.mpf(0)))
            trace = jacobian[0, 0] + jacobian[1, 1]
            square = trace**2 / 4 - mpmath.det(jacobian)
            return trace / 2 + mpmath.re(mpmath.sqrt(mpmath.mpc(square)))

    return mpmath.findroot(real_part, (0.5, 1.0), tol=10 ** (-dps - 5))


def margin(values: Values, dps: int) -> Any:
    """Return the trace of the origin's linear part over that plus two."""
    g, t = numbers(values, dps, f.GAIN, f.ANGLE)
    with mpmath.workdps(2 * dps + 20):
        jacobian = _jacobian(g, t, (mpmath.mpf(0), mpmath.mpf(0)))
        trace = jacobian[0, 0] + jacobian[1, 1]
    return trace / (trace + 2)


def describing(values: Values, dps: int) -> Any:
    """Return the describing function as an integral over the amplitude, not the phase."""
    (size,) = numbers(values, dps, f.AMPLITUDE)

    def part(t: Any) -> Any:  # x = 1 - t^2 is the cosine of the phase; the substitution takes the root away
        x = 1 - t**2
        return mpmath.tanh(size * x) * x / mpmath.sqrt(2 - t**2)

    return 8 / mpmath.pi * mpmath.quad(part, [0, 1])


def over_phases(values: Values, dps: int) -> Any:
    """Return the integral of the formula over 2 pi, by a rule that is exponentially exact for periodic functions."""
    (size,) = numbers(values, dps, f.AMPLITUDE)
    count = 12 * dps
    return (
        2
        * mpmath.pi
        / count
        * mpmath.fsum(
            evaluate(f.harmonic(), {f.AMPLITUDE: size, f.PHASE: 2 * mpmath.pi * k / count}, dps)
            for k in range(count)
        )
    )


def _ratio(values: Values, dps: int) -> Any:
    size, p = numbers(values, dps, f.SIZE, f.PHASE)
    y = size * mpmath.expj(p)
    return y / mpmath.mpc(mpmath.tanh(y.real), mpmath.tanh(y.imag))  # y = g exp(i theta) h, h = tanh y


def gain_at_rest(values: Values, dps: int) -> Any:
    """Return the modulus of y/h, in complex numbers."""
    return abs(_ratio(values, dps))


def angle_at_rest(values: Values, dps: int) -> Any:
    """Return its argument."""
    return mpmath.arg(_ratio(values, dps))


def singular_gain(angle: Any, h: _Pair) -> Any:
    """Return the gain at which 1 - g cos(theta)(d_1 + d_2) + g^2 d_1 d_2 vanishes, for slopes d_i = 1 - h_i^2."""
    d1, d2 = 1 - h[0] ** 2, 1 - h[1] ** 2
    half = mpmath.cos(angle) * (d1 + d2) / 2
    return (half - mpmath.sqrt(half**2 - d1 * d2)) / (d1 * d2)


def saddle_node(values: Values, dps: int) -> Any:
    """Return mu a by differences along numerical null vectors; the biases make h a fixed point."""
    t, h1, h2 = numbers(values, dps, f.ANGLE, f.H1, f.H2)
    with mpmath.workdps(3 * dps + 30):
        g, h = singular_gain(t, (h1, h2)), (h1, h2)
        turned = _turned(g, t, h)
        b = mpmath.atanh(h1) - turned[0], mpmath.atanh(h2) - turned[1]
        jacobian = _jacobian(g, t, h, b)
        q = jacobian[0, 1], -jacobian[0, 0]
        w = jacobian[1, 0], -jacobian[0, 0]

        def along(velocity: _Pair) -> Any:
            return (w[0] * velocity[0] + w[1] * velocity[1]) / (w[0] * q[0] + w[1] * q[1])

        push = mpmath.diff(lambda angle: along(_velocity(g, angle, h, b)), t)
        bend = mpmath.diff(lambda x: along(_velocity(g, t, (h1 + x * q[0], h2 + x * q[1]), b)), 0, 2)
    return push * bend / 2


def ghosts(values: Values, dps: int) -> Any:
    """Return four times the time that y' = 1 + m y^2 takes from -infinity to infinity."""
    (push,) = numbers(values, dps, f.PUSH)
    return 4 * mpmath.quad(lambda y: 1 / (1 + push * y**2), [-mpmath.inf, 0, mpmath.inf])


def _quarter(angle: Any, start: Any) -> _Pair:
    """From (a, 0) through a quadrant with R(theta) sign(u) as its target: where it comes out, and when."""
    target = mpmath.cos(angle) - mpmath.sin(angle), mpmath.cos(angle) + mpmath.sin(angle)
    time = mpmath.log((start - target[0]) / -target[0])
    return target[1] * (1 - mpmath.exp(-time)), time


def _settled(values: Values, dps: int) -> _Pair:
    (angle,) = numbers(values, dps, f.ANGLE)
    start = mpmath.mpf(1)
    for _ in range(40 * dps):
        start, last = _quarter(angle, start)[0], start
        if abs(start - last) < mpmath.mpf(10) ** (-dps - 8):
            break
    return start, angle


def crossing(values: Values, dps: int) -> Any:
    """Return where the flow at infinite gain crosses the axes after many turns."""
    return _settled(values, dps)[0]


def period(values: Values, dps: int) -> Any:
    """Return four times the time in a quadrant, over 1 - z."""
    start, angle = _settled(values, dps)
    (z,) = numbers(values, dps, f.GATE)
    return 4 * _quarter(angle, start)[1] / (1 - z)


def exponent(values: Values, dps: int) -> Any:
    """Return the log of the derivative of the return map over the time in a quadrant."""
    start, angle = _settled(values, dps)
    (z,) = numbers(values, dps, f.GATE)
    slope = mpmath.diff(lambda a: _quarter(angle, a)[0], start)
    return mpmath.log(slope) / _quarter(angle, start)[1] * (1 - z)


def _multiplier(values: Values, dps: int) -> Any:
    g, t, s = numbers(values, dps, f.GAIN, f.ANGLE, f.SHARE)
    return 1 - s + s * g * mpmath.expj(t)


def torus(values: Values, dps: int) -> Any:
    """Return the angle at which the multiplier leaves the unit circle."""
    g, s = numbers(values, dps, f.GAIN, f.SHARE)
    start = mpmath.pi / 2 * 0.9
    return mpmath.findroot(lambda t: abs(1 - s + s * g * mpmath.expj(t)) ** 2 - 1, start, tol=10 ** (-dps))


def modulus(values: Values, dps: int) -> Any:
    """Return the modulus of the multiplier."""
    return abs(_multiplier(values, dps))


def rotation(values: Values, dps: int) -> Any:
    """Return its argument."""
    return mpmath.arg(_multiplier(values, dps))


def circle(excess: Any, values: Values, dps: int) -> Any:
    """Return R^2 where |1 - s + s g exp(i theta)(1 - X/4)| = 1, X = g^2 R^2, just below the bifurcation."""
    g, s, gap = numbers(values, dps, f.GAIN, f.SHARE, excess)
    t = torus(values, dps) - gap
    size = mpmath.findroot(
        lambda x: (abs(1 - s + s * g * mpmath.expj(t) * (1 - x / 4)) ** 2 - 1) / gap,
        (0, gap),
        tol=10 ** (-dps),
    )
    return size / g**2


def _on_circle(values: Values, dps: int) -> _Pair:
    """Return X of the circle to second order and w'/w there, in complex numbers and with the map's own coefficients.

    Those of |u|^2 u and |u|^4 u are the first harmonic of tanh(A cos p) over A, in powers of A^2; that of conj(u)^3 is
    the harmonic of -3 turns of the complex tanh, over A^3.
    """
    g, t, s = numbers(values, dps, f.GAIN, f.ANGLE, f.SHARE)
    with mpmath.workdps(3 * dps + 30):
        multiplier = 1 - s + s * g * mpmath.expj(t)
        count = 64

        def turn(size: Any, harmonic: int) -> Any:
            phases = [2 * mpmath.pi * k / count for k in range(count)]
            parts = [
                mpmath.mpc(mpmath.tanh(size * mpmath.cos(p)), mpmath.tanh(size * mpmath.sin(p)))
                * mpmath.expj(-harmonic * p)
                for p in phases
            ]
            return mpmath.re(mpmath.fsum(parts)) / count

        series = mpmath.taylor(lambda size: turn(size, 1), 0, 5, h=mpmath.mpf(10) ** (-dps / 2 - 4))
        cubic, quintic = series[3], series[5]
        across = mpmath.taylor(lambda size: turn(size, -3), 0, 3, h=mpmath.mpf(10) ** (-dps / 2 - 4))[3]
        pull = s * g * mpmath.expj(t) * cubic
        shift = s * mpmath.conj(g * mpmath.expj(t)) ** 3 * across  # of conj(w)^3
        bend = s * g * mpmath.expj(t) * quintic
        bend += 3 * abs(shift) ** 2 / (multiplier**3 - mpmath.conj(multiplier)) / g**4
        excess, first = abs(multiplier) ** 2 - 1, 2 * mpmath.re(mpmath.conj(multiplier) * pull)
        second = abs(pull) ** 2 + 2 * mpmath.re(mpmath.conj(multiplier) * bend)
        size = -excess / first - second * excess**2 / first**3
        return size, multiplier + pull * size + bend * size**2


def circle_square(values: Values, dps: int) -> Any:
    """Return R^2 = X/g^2 of the circle to second order."""
    (g,) = numbers(values, dps, f.GAIN)
    return _on_circle(values, dps)[0] / g**2


def circle_rotation(values: Values, dps: int) -> Any:
    """Return the argument of w'/w on the circle to second order."""
    return mpmath.arg(_on_circle(values, dps)[1])


def four_cycle(values: Values, dps: int) -> Any:
    """Return the gain at which four steps of the map at theta = pi/2 lead (A, A) back to itself."""
    (size,) = numbers(values, dps, f.AMPLITUDE)

    def missed(gain: Any) -> Any:
        h: _Pair = (size, size)
        for _ in range(4):
            h = tuple(mpmath.tanh(x) for x in _turned(gain, mpmath.pi / 2, h))
        return h[0] - size

    return mpmath.findroot(missed, (1.05, 3), solver="anderson", tol=10 ** (-dps - 5))


def slope_at(which: int, values: Values, dps: int) -> Any:
    """Return the larger (1) or smaller (-1) slope with vanishing trace and determinant."""
    g, t = numbers(values, dps, f.GAIN, f.ANGLE)
    roots = mpmath.polyroots([1, -2 / (g * mpmath.cos(t)), 1 / g**2], extraprec=2 * dps + 60)
    return (max if which > 0 else min)(mpmath.re(root) for root in roots)


def last_angle(values: Values, dps: int) -> Any:
    """Return the angle at which the larger slope reaches 1."""
    (g,) = numbers(values, dps, f.GAIN)
    return mpmath.findroot(lambda t: (1 + mpmath.sin(t)) / mpmath.cos(t) - g, 2 * mpmath.atan(g) - 1.6)


def bias(index: int, values: Values, dps: int) -> Any:
    """Return the bias at which the velocity vanishes."""
    g, t, h1, h2 = numbers(values, dps, f.GAIN, f.ANGLE, f.H1, f.H2)

    def left(b: Any) -> Any:
        return _velocity(g, t, (h1, h2), (b, b))[index]

    start = mpmath.atanh((h1, h2)[index]) - _turned(g, t, (h1, h2))[index]
    return mpmath.findroot(left, (start - 0.1, start + 0.1), tol=10 ** (-2 * dps))


def bt_coefficient(index: int, values: Values, dps: int) -> Any:
    """Return a or b from a numerical Jordan basis and second differences; h has the slopes of the point."""
    g, t, sign = numbers(values, dps, f.GAIN, f.ANGLE, f.SIGN)
    with mpmath.workdps(4 * dps + 30):
        ends = [(1 + way * mpmath.sin(t)) / (g * mpmath.cos(t)) for way in (sign, -sign)]
        h: _Pair = (mpmath.sqrt(1 - ends[0]), -mpmath.sqrt(1 - ends[1]))
        turned = _turned(g, t, h)
        b = mpmath.atanh(h[0]) - turned[0], mpmath.atanh(h[1]) - turned[1]
        a = _jacobian(g, t, h, b)
        size = mpmath.sqrt(a[0, 0] ** 2 + a[0, 1] ** 2)
        q0 = a[0, 1] / size, -a[0, 0] / size
        q1 = mpmath.mpf(0), 1 / size  # A q1 = q0
        dual = mpmath.matrix([[q0[0], q1[0]], [q0[1], q1[1]]]) ** -1

        def bent(x: _Pair, y: _Pair) -> _Pair:
            def at(i: int, u: Any, v: Any) -> Any:
                return _velocity(g, t, (h[0] + u * x[0] + v * y[0], h[1] + u * x[1] + v * y[1]), b)[i]

            return tuple(mpmath.diff(lambda u, v, i=i: at(i, u, v), (0, 0), (1, 1)) for i in (0, 1))

        def on(row: int, v: _Pair) -> Any:
            return dual[row, 0] * v[0] + dual[row, 1] * v[1]

        if index == 0:
            return on(1, bent(q0, q0)) / 2
        return on(0, bent(q0, q0)) + on(1, bent(q0, q1))


def passage(values: Values, dps: int) -> Any:
    """Return c plus the time that x' = lambda_u x takes from x to 1, by quadrature."""
    x, c, growth = numbers(values, dps, f.DISTANCE, f.CONSTANT, f.GROWTH)
    return c + mpmath.quad(lambda y: 1 / (growth * y), [x, mpmath.sqrt(x), 1])


def offset(values: Values, dps: int) -> Any:
    """Return mu from the way of a cycle past a linear saddle: in at distance x, out at y, back at mu + alpha y = x."""
    x, back, nu = numbers(values, dps, f.DISTANCE, f.RETURN, f.NU)
    time = mpmath.quad(lambda y: 1 / y, [x, mpmath.sqrt(x), 1])
    return x - back * mpmath.exp(-nu * time)
