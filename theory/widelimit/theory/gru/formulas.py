"""Gated recurrent units whose gates rest: a rotation of the plane with a squashing function, in closed form.

h' = z h + (1 - z) n with n = tanh(U_h (r h) + b_h): gates z, r that do not depend on h are numbers, U_h = rho R(theta)
turns by theta, and only g = r rho counts. In continuous time dh/dt = (1 - z)(tanh(g R(theta) h + b) - h); a map of step
Delta is h' = h + s (tanh(g R h + b) - h) with s = Delta (1 - z); the trained network has Delta = 1. Angles in radians.
"""

from __future__ import annotations

from sympy import Expr, I, Symbol, atan, atan2, atanh, cos, exp, log, pi, sin, sqrt, tan, tanh

GAIN = Symbol("g", positive=True)
ANGLE = Symbol("theta", positive=True)
GATE = Symbol("z", positive=True)  # the update gate, which keeps the old state
STEP = Symbol("Delta", positive=True)
SHARE = Symbol("s", positive=True)  # Delta (1 - z), what a step of the map replaces
EIGENVALUE = Symbol("lambda", real=True)  # of the differential equation
ONSET = Symbol("delta", positive=True)  # 1 - 1/(g cos theta)
AMPLITUDE = Symbol("A", positive=True)
PHASE = Symbol("p", real=True)
SIZE = Symbol("y", positive=True)  # |g R h| of a fixed point
H1, H2 = Symbol("h_1", real=True), Symbol("h_2", real=True)
B1, B2 = Symbol("b_1", real=True), Symbol("b_2", real=True)
PUSH = Symbol("m", positive=True)  # |mu a| of a saddle-node
SIGN = Symbol("varsigma", integer=True)  # of a Bogdanov-Takens point, 1 or -1
GROWTH, NU = Symbol("lambda_u", positive=True), Symbol("nu", positive=True)
DISTANCE, RETURN = Symbol("x", positive=True), Symbol("alpha", real=True)
CONSTANT = Symbol("c", real=True)


def map_eigenvalue() -> Expr:
    """Return 1 + Delta lambda, of the map at a fixed point where lambda is that of the differential equation.

    >>> map_eigenvalue().subs({STEP: 1, EIGENVALUE: -2})
    -1
    """
    return 1 + STEP * EIGENVALUE


def velocity() -> tuple[Expr, Expr]:
    """Return tanh(g R(theta) h + b) - h, the velocity in units of 1/(1 - z)."""
    g, t = GAIN, ANGLE
    first = tanh(g * (cos(t) * H1 - sin(t) * H2) + B1) - H1
    return first, tanh(g * (sin(t) * H1 + cos(t) * H2) + B2) - H2


def trace() -> Expr:
    """Return (1 - z)[g cos(theta) sum_i (1 - n_i^2) - 2], n = tanh(g R h + b): the divergence of the velocity.

    The mean over a cycle is its transverse exponent.
    """
    one, other = velocity()
    return (1 - GATE) * (GAIN * cos(ANGLE) * (2 - (one + H1) ** 2 - (other + H2) ** 2) - 2)


def hopf_angle() -> Expr:
    """Return arccos(1/g): beyond it the origin is stable.

    Written as arctan(sqrt((g - 1)(g + 1))), which keeps its digits near g = 1.

    >>> hopf_angle().subs(GAIN, 2)
    pi/3
    """
    return atan(sqrt((GAIN - 1) * (GAIN + 1)))


def onset() -> Expr:
    """Return delta = 1 - 1/(g cos(theta)), the distance from the Hopf bifurcation."""
    return (GAIN * cos(ANGLE) - 1) / (GAIN * cos(ANGLE))


def weak_square() -> Expr:
    """Return g^2 R^2 = 4 delta + 16 delta^2/3 of the cycle, R its root mean square radius, to second order."""
    return 4 * ONSET + 16 * ONSET**2 / 3


def weak_frequency() -> Expr:
    """Return (1 - z)(tan(theta) - delta^2/(6 sin(2 theta))), radians per unit of time, to second order."""
    return (1 - GATE) * (tan(ANGLE) - ONSET**2 / (6 * sin(2 * ANGLE)))


def weak_exponent() -> Expr:
    """Return (1 - z)(-2 delta + 2 delta^2/3), the transverse exponent to second order."""
    return (1 - GATE) * (-2 * ONSET + 2 * ONSET**2 / 3)


def harmonic() -> Expr:
    """Return tanh(A cos p) cos(p)/pi, whose integral over 2 pi is a_1(A), the describing function of tanh."""
    return tanh(AMPLITUDE * cos(PHASE)) * cos(PHASE) / pi


def rest_gain() -> Expr:
    """Return the gain at which y (cos p, sin p) is g R(theta) h of a fixed point h without biases."""
    return SIZE / sqrt(tanh(SIZE * cos(PHASE)) ** 2 + tanh(SIZE * sin(PHASE)) ** 2)


def rest_angle() -> Expr:
    """Return the angle theta of that fixed point; its maximum over p at one gain is the lower end of oscillation."""
    return PHASE - atan2(tanh(SIZE * sin(PHASE)), tanh(SIZE * cos(PHASE)))


def saddle_node() -> Expr:
    """Return mu a of a saddle-node at h: mu = w.dv/dtheta, a = w.B(q, q)/2, of its null vectors with w.q = 1.

    Time in units of 1/(1 - z); y' = mu (theta - theta_c) + a y^2 along q. Digits are kept where h_2 saturates.
    """
    c, s = GAIN * cos(ANGLE), GAIN * sin(ANGLE)
    d1, d2 = 1 - H1**2, 1 - H2**2
    q1, q2 = 1 - c * d2, s * d2
    w1, w2 = c * d2 - 1, s * d1
    push = w1 * d1 * (-s * H1 - c * H2) + w2 * d2 * (c * H1 - s * H2)
    bend = -w1 * H1 * d1 * (c * q1 - s * q2) ** 2 - w2 * H2 * d2 * (s * q1 + c * q2) ** 2
    return push * bend / (w1 * q1 + w2 * q2) ** 2


def snic_constant() -> Expr:
    """Return 4 pi/sqrt(|mu a|): the period is that over sqrt(theta - theta_c), past four ghosts of saddle-nodes."""
    return 4 * pi / sqrt(PUSH)


def sign_period() -> Expr:
    """Return 4 log(cot(theta - pi/4))/(1 - z), the period at infinite gain, pi/4 < theta < pi/2."""
    c, s = cos(ANGLE), sin(ANGLE)  # the cotangent is (s + c)/(s - c)
    return 4 * log((s + c) / (s - c)) / (1 - GATE)


def sign_crossing() -> Expr:
    """Return 2 cos(theta), where the cycle at infinite gain crosses the axes of R(theta) h."""
    return 2 * cos(ANGLE)


def sign_exponent() -> Expr:
    """Return z - 1, the transverse exponent at infinite gain."""
    return GATE - 1


def torus_angle() -> Expr:
    """Return the angle at which |1 - s + s g exp(i theta)| = 1, the Neimark-Sacker bifurcation of the map.

    cos(theta) = (2 - s - s g^2)/(2 (1 - s) g), by the tangent of half the angle; there is one while s (1 + g) < 2.
    """
    s, g = SHARE, GAIN
    return 2 * atan(sqrt((g - 1) * (2 - s + s * g) / ((g + 1) * (2 - s - s * g))))


def torus_modulus() -> Expr:
    """Return |lambda|, lambda = 1 - s + s g exp(i theta)."""
    s, g = SHARE, GAIN
    return sqrt((1 - s) ** 2 + 2 * s * (1 - s) * g * cos(ANGLE) + s**2 * g**2)


def torus_rotation() -> Expr:
    """Return arg lambda, radians a step."""
    return atan2(SHARE * GAIN * sin(ANGLE), 1 - SHARE + SHARE * GAIN * cos(ANGLE))


def torus_square() -> Expr:
    """Return R^2 = 4 |lambda|(|lambda| - 1)/(s g^3 [(1 - s) cos(theta) + s g]) of the invariant circle, first order."""
    s, g, size = SHARE, GAIN, torus_modulus()
    excess = s * (s * (1 + g**2) - 2 + 2 * (1 - s) * g * cos(ANGLE)) / (1 + size)  # |lambda| - 1
    return 4 * size * excess / (s * g**3 * ((1 - s) * cos(ANGLE) + s * g))


def _bend() -> tuple[Expr, Expr]:
    """Return real and imaginary part of beta, w'/w = lambda - (s g/4) exp(i theta) X + beta X^2 on the circle.

    X = g^2 |w|^2. beta = s g exp(i theta)/12 + s^2 g^2/(48 (lambda^3 - conj lambda)): the second part is what the term
    conj(w)^3 of the map comes to when it is transformed away, which it can be unless lambda^4 = 1.
    """
    s, g = SHARE, GAIN
    x, y = 1 - s + s * g * cos(ANGLE), s * g * sin(ANGLE)
    real, imaginary = x**3 - 3 * x * y**2 - x, 3 * x**2 * y - y**3 + y
    weight = s**2 * g**2 / (48 * (real**2 + imaginary**2))
    return s * g * cos(ANGLE) / 12 + weight * real, s * g * sin(ANGLE) / 12 - weight * imaginary


def circle_square() -> Expr:
    """Return R^2 of the invariant circle to second order in |lambda| - 1, the root X of |w'/w| = 1 over g^2."""
    s, g = SHARE, GAIN
    x, y = 1 - s + s * g * cos(ANGLE), s * g * sin(ANGLE)
    real, imaginary = _bend()
    excess = s * (s * (1 + g**2) - 2 + 2 * (1 - s) * g * cos(ANGLE))  # |lambda|^2 - 1
    pull = s * g * ((1 - s) * cos(ANGLE) + s * g) / 2
    curve = s**2 * g**2 / 16 + 2 * (x * real + y * imaginary)
    return (excess / pull + curve * excess**2 / pull**3) / g**2


def circle_rotation() -> Expr:
    """Return the rotation on the invariant circle to second order, radians a step: arg(w'/w)."""
    s, g, size = SHARE, GAIN, GAIN**2 * circle_square()
    real, imaginary = _bend()
    return atan2(
        s * g * sin(ANGLE) * (1 - size / 4) + imaginary * size**2,
        1 - s + s * g * cos(ANGLE) * (1 - size / 4) + real * size**2,
    )


def vanilla_square() -> Expr:
    """Return R^2 = 4 (g - 1)/g^3 of h' = tanh(g R(theta) h), to first order, at every angle without resonance."""
    return 4 * (GAIN - 1) / GAIN**3


def four_cycle_gain() -> Expr:
    """Return artanh(A)/A, the gain at which h' = tanh(g R(pi/2) h) has the exact cycle (+-A, +-A)."""
    return atanh(AMPLITUDE) / AMPLITUDE


def bt_angle() -> Expr:
    """Return 2 arctan(g) - pi/2, the largest angle with Bogdanov-Takens points; g = tan(pi/4 + theta/2) there."""
    return 2 * atan((GAIN - 1) / (GAIN + 1))


def bt_slope() -> Expr:
    """Return (1 +- sin(theta))/(g cos(theta)), the slope 1 - h_1^2 of a Bogdanov-Takens point; h_2 has the other."""
    return (1 + SIGN * sin(ANGLE)) / (GAIN * cos(ANGLE))


def bias() -> tuple[Expr, Expr]:
    """Return b = artanh(h) - g R(theta) h, the biases that make h a fixed point."""
    g, t = GAIN, ANGLE
    return atanh(H1) - g * (cos(t) * H1 - sin(t) * H2), atanh(H2) - g * (sin(t) * H1 + cos(t) * H2)


def bt_coefficients() -> tuple[Expr, Expr]:
    """Return (a, b) of y' = x, x' = ... + a y^2 + b x y at a Bogdanov-Takens point, |q_0| = 1 (-q_0: minus both).

    With alpha = +-sin(theta), beta = -tan(theta)(1 + alpha) the linear part is ((alpha, beta), (., -alpha)),
    q_0 = k (beta, -alpha), q_1 = k (0, 1).
    """
    alpha = SIGN * sin(ANGLE)
    k = 1 / sqrt((tan(ANGLE) * (1 + alpha)) ** 2 + alpha**2)
    first, second = GAIN * sin(ANGLE) * H1, GAIN * cos(ANGLE) * H2
    a = k * alpha * (first - alpha * second / (1 - alpha))
    b = 2 * k * ((1 + alpha) * first + alpha * second)
    return a, b


def homoclinic_gap() -> Expr:
    """Return mu = x - alpha x^nu, the distance of a bias from the homoclinic one (in units of the first return).

    x is how far from the saddle's stable manifold the cycle comes in, nu = |lambda_s|/lambda_u.
    """
    return DISTANCE - RETURN * DISTANCE**NU


def homoclinic_period() -> Expr:
    """Return c - log(x)/lambda_u, the period of a cycle that passes a saddle at distance x."""
    return CONSTANT - log(DISTANCE) / GROWTH


def _expansion() -> Expr:
    """tanh of both parts of u = A exp(i p), to fifth order: resonant terms and those that turn otherwise."""
    turn = exp(I * PHASE)
    a = AMPLITUDE
    return (a - a**3 / 4 + a**5 / 12) * turn + (a**5 / 24 - a**3 / 12) * turn ** (-3) + a**5 * turn**5 / 120
