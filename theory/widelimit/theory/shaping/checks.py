"""What the names of shaped activations stand for, by numbers: sums over equidistant points and Hermite's coefficients.

The correlation map of phi is ``sum a_k^2 c^k`` with a_k its coefficients in normalised Hermite polynomials, so that
``C'(1) = sum k a_k^2`` and ``C''(1) = sum k (k - 1) a_k^2`` without any derivative of phi.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import mpmath
from sympy import Expr, Symbol

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.layers import by_number, mean_square, over_unit
from widelimit.theory.calculus.precision import Values, evaluate, numbers
from widelimit.theory.shaping import formulas as f

LAYERS = Symbol("L", integer=True, positive=True)
ETA = Symbol("eta", positive=True)
STEP, DEGREES = 0.4, 32  # enough for 30 digits at an input scale of 0.2
Function = Callable[[Any], Any]


def mean(function: Function) -> Any:
    """Return the mean of a function of one Gaussian of variance 1, smooth over a distance of 0.4."""
    return mpmath.fsum(weight * function(z) for z, weight in _points(STEP, mpmath.mp.prec))


@lru_cache(maxsize=16)
def _points(step: Any, precision: int) -> list[tuple[Any, Any]]:
    """Equidistant points with weights of N(0, 1), out to where these fall below the precision."""
    with mpmath.workprec(precision):
        reach = int(mpmath.sqrt(2 * precision * mpmath.log(2)) / step) + 1
        step = mpmath.mpf(step)
        return [(k * step, step * mpmath.npdf(k * step)) for k in range(-reach, reach + 1)]


@lru_cache(maxsize=4)
def _hermite(precision: int) -> list[list[Any]]:
    """Normalised Hermite polynomials at these points, a row a degree."""
    with mpmath.workprec(precision):
        places = [z for z, _ in _points(STEP, precision)]
        rows = [[mpmath.mpf(0)] * len(places), [mpmath.mpf(1)] * len(places)]
        for k in range(DEGREES):
            down, up = mpmath.sqrt(k), mpmath.sqrt(k + 1)
            rows.append(
                [
                    (z * at - down * below) / up
                    for z, at, below in zip(places, rows[-1], rows[-2], strict=True)
                ]
            )
        return rows[1:-1]


def coefficients(function: Function) -> list[Any]:
    """Return a_0, a_1, ...: coefficients in Hermite polynomials of mean square 1."""
    values = [weight * function(z) for z, weight in _points(STEP, mpmath.mp.prec)]
    return [mpmath.fdot(values, row) for row in _hermite(mpmath.mp.prec)]


def map_slopes(function: Function) -> tuple[Any, Any, Any]:
    """Return Q, C'(1) and C''(1) by Hermite's coefficients."""
    squares = [a**2 for a in coefficients(function)]
    total = mpmath.fsum(squares)
    first = mpmath.fsum(k * s for k, s in enumerate(squares)) / total
    return total, first, mpmath.fsum(k * (k - 1) * s for k, s in enumerate(squares)) / total


def length_slope(function: Function) -> Any:
    """Return the slope at q = 1 of the mean square of phi(sqrt(q) x), by differences."""
    return mpmath.diff(lambda q: mean(lambda z: function(mpmath.sqrt(q) * z) ** 2), 1)


# --- an activation with its four numbers


def unit(activation: Activation, values: Values, dps: int) -> Function:
    """Return gamma (phi(alpha z + beta) + delta) as a function of numbers."""
    alpha, beta, gamma, delta = numbers(values, dps, f.ALPHA, f.BETA, f.GAMMA, f.DELTA)
    phi, _ = by_number(activation.expr, dps)
    return lambda z: gamma * (phi(alpha * z + beta) + delta)


def total(activation: Activation, values: Values, dps: int) -> Any:
    """Q of a shaped activation."""
    return mean(lambda z: unit(activation, values, dps)(z) ** 2)


def length_rate(activation: Activation, values: Values, dps: int) -> Any:
    """Q' of a shaped activation."""
    return length_slope(unit(activation, values, dps))


def apart(activation: Activation, values: Values, dps: int) -> Any:
    """C(0): the mean product behind two independent units over the mean square."""
    function = unit(activation, values, dps)
    return mean(function) ** 2 / mean(lambda z: function(z) ** 2)


def first(activation: Activation, values: Values, dps: int) -> Any:
    """C'(1) of a shaped activation."""
    return map_slopes(unit(activation, values, dps))[1]


def second(activation: Activation, values: Values, dps: int) -> Any:
    """C''(1) of a shaped activation."""
    return map_slopes(unit(activation, values, dps))[2]


# --- shaped by conditions: mean 0 (DKS), or slope 1 (TAT)


def _inner(activation: Activation, values: Values, dps: int) -> Function:
    alpha, beta = numbers(values, dps, f.ALPHA, f.BETA)
    phi, _ = by_number(activation.expr, dps)
    return lambda z: phi(alpha * z + beta)


def _centred(activation: Activation, values: Values, dps: int) -> Function:
    """The activation with mean 0 and mean square 1."""
    inner = _inner(activation, values, dps)
    middle = mean(inner)
    scale = mpmath.sqrt(mean(lambda z: (inner(z) - middle) ** 2))
    return lambda z: (inner(z) - middle) / scale


def _tailored(activation: Activation, sign: int, values: Values, dps: int) -> Function:
    """The activation with mean square 1 and C'(1) = 1, whose mean has this sign."""
    inner = _inner(activation, values, dps)
    squares = [a**2 for a in coefficients(inner)]
    steep = mpmath.fsum(k * s for k, s in enumerate(squares))
    offset = sign * mpmath.sqrt(steep - mpmath.fsum(squares[1:]))
    middle = mean(inner)
    return lambda z: (inner(z) - middle + offset) / mpmath.sqrt(steep)


def dks_value(what: str, activation: Activation, values: Values, dps: int) -> Any:
    """The gain, the shift, Q' - 1 or C'(1) - 1 of an activation with mean 0 and mean square 1."""
    inner, function = _inner(activation, values, dps), _centred(activation, values, dps)
    if what == "shift":
        return -mean(inner)
    if what == "gain":
        return (function(1) - function(0)) / (inner(1) - inner(0))
    return (length_slope(function) if what == "length" else map_slopes(function)[1]) - 1


def tat_value(what: str, sign: int, activation: Activation, values: Values, dps: int) -> Any:
    """The gain, the shift, Q' - 1 or C''(1) of an activation with mean square 1 and C'(1) = 1."""
    inner, function = _inner(activation, values, dps), _tailored(activation, sign, values, dps)
    gain = (function(1) - function(0)) / (inner(1) - inner(0))
    if what == "gain":
        return gain
    if what == "shift":
        return function(0) / gain - inner(0)
    return length_slope(function) - 1 if what == "length" else map_slopes(function)[2]


def with_moments(shown: Expr, activation: Activation, values: Values, dps: int) -> Any:
    """An expression in the moments of the remainder, these by quadrature of the theory's integrands."""
    alpha, beta = numbers(values, dps, f.ALPHA, f.BETA)
    found = _moments(activation, alpha, beta, dps)
    return evaluate(shown, {**values, **found}, dps)


@lru_cache(maxsize=64)
def _moments(activation: Activation, alpha: Any, beta: Any, dps: int) -> dict[Any, Any]:
    inner, _ = by_number(activation.expr, dps)
    at = {
        f.ALPHA: alpha,
        f.BETA: beta,
        f.MEAN: mean(lambda z: inner(alpha * z + beta)),
        f.LINEAR: mean(lambda z: z * inner(alpha * z + beta)),
    }
    parts = dict(zip((f.SQUARE, f.STEEP, f.SECOND, f.CROSS, f.TILT), f.integrands(activation), strict=True))
    parts[f.BENT] = f.bending(activation)
    means = {symbol: mean(_at(part, at, dps)) for symbol, part in parts.items()}
    return {f.MEAN: at[f.MEAN], f.LINEAR: at[f.LINEAR], **means}


def _at(part: Expr, values: Values, dps: int) -> Function:
    known = {symbol: evaluate(value, {}, dps) for symbol, value in values.items()}
    names = sorted(known, key=str)
    return lambda z: evaluate(part, {X: z, **{n: known[n] for n in names}}, dps)


# --- great depth


def composed(kind: str, values: Values, dps: int) -> Any:
    """The map of D layers of c + (zeta^(1/D) - 1)(c^2 - c), or of c + tau (1 - c)^2 / (2 D), layer by layer."""
    c, zeta, tau = numbers(values, dps, f.C, f.ZETA, f.TAU)
    depth = int(values[f.DEPTH])
    step = zeta ** (mpmath.mpf(1) / depth) - 1 if kind == "dks" else tau / (2 * depth)
    for _ in range(depth):
        c += step * (c * c - c if kind == "dks" else (1 - c) ** 2)
    return c


def shared_curvature(values: Values, dps: int) -> Any:
    """The C''(1) of each of L maps of slope 1 whose composition has the curvature tau, by differences at 1."""
    (tau,) = numbers(values, dps, f.TAU)
    layers, trial = int(values[LAYERS]), mpmath.mpf(1) / 10

    def whole(c: Any) -> Any:
        for _ in range(layers):
            c += trial * (1 - c) ** 2 / 2
        return c

    with mpmath.workdps(3 * dps + 20):
        return tau * trial / mpmath.diff(whole, 1, 2)


def by_layers(values: Values, dps: int) -> Any:
    """What is shown, at a depth of L layers."""
    return evaluate(f.tat_target(), {f.TAU: values[f.TAU], f.DEPTH: values[LAYERS]}, dps)


def solved_scale(kind: str, activation: Activation, values: Values, dps: int) -> Any:
    """The alpha at which C'(1) of mean 0 (DKS), or C''(1) of slope 1 (TAT), is what a layer is asked for.

    By one step of Newton's, in logarithms, from the alpha D^(-1/2): both quantities are squares of alpha there.
    """
    depth = values[f.DEPTH]
    start = evaluate(depth, {}, dps) ** (-mpmath.mpf(1) / 2)
    at = {**values, f.ALPHA: start}
    if kind == "dks":
        goal, found = values[f.ZETA] ** (1 / depth) - 1, dks_value("slope", activation, at, dps)
    else:
        goal, found = values[f.TAU] / depth, tat_value("curvature", 1, activation, at, dps)
    return start * mpmath.sqrt(evaluate(goal, {}, dps) / found)


# --- leaky ReLU, and weights that sum to zero


def leaky(values: Values, dps: int) -> Function:
    """x above 0, s x below."""
    (slope,) = numbers(values, dps, f.NEGATIVE)
    return lambda u: u if u > 0 else slope * u


def leaky_gain(values: Values, dps: int) -> Any:
    """What makes the mean square of a leaky unit 1."""
    return 1 / mpmath.sqrt(over_unit(lambda u: leaky(values, dps)(u) ** 2, 1, (0,)))


def leaky_pair(values: Values, dps: int) -> Any:
    """The correlation behind two leaky units of correlation cos(theta): the mean over a circle of directions."""
    (angle,) = numbers(values, dps, f.ANGLE)
    unit_ = leaky(values, dps)
    half = mpmath.pi / 2
    ends = sorted({-half, half - angle, half, 3 * half - angle, 3 * half})

    def product(turn: Any) -> Any:
        return unit_(mpmath.cos(turn)) * unit_(mpmath.cos(turn + angle))

    return leaky_gain(values, dps) ** 2 * mpmath.quad(product, ends) / mpmath.pi


def solved_slope(values: Values, dps: int) -> Any:
    """The slope between 0 and 1 of the leaky unit whose map at 0 is kappa / pi, by bisection."""
    (kappa,) = numbers(values, dps, f.KAPPA)
    low, high = mpmath.mpf(0), mpmath.mpf(1)
    for _ in range(int(mpmath.mp.prec)):
        middle = (low + high) / 2
        mean_, square = (1 - middle) / mpmath.sqrt(2 * mpmath.pi), (1 + middle**2) / 2
        low, high = (middle, high) if mean_**2 / square > kappa / mpmath.pi else (low, middle)
    return low


def spread(activation: Activation, values: Values, dps: int) -> Any:
    """Mean square of what two units with the weights s and -s, over sqrt(2), send on: their mean is gone."""
    function = _sampled(activation, dps)
    return mpmath.fsum(w * p * (a - b) ** 2 / 2 for w, a in function for p, b in function)


def centred_slope(activation: Activation, values: Values, dps: int) -> Any:
    """Mean square of gradients through phi and weights that sum to zero, scaled to keep the length of signals."""
    return mean_square(activation.derivative(1).expr, 1, dps) / spread(activation, values, dps)


def with_spread(shown: Expr, activation: Activation, values: Values, dps: int) -> Any:
    """An expression in the mean and the variance of phi at variance 1, these by sums over equidistant points."""
    middle = mpmath.fsum(w * a for w, a in _sampled(activation, dps))
    return evaluate(shown, {**values, f.MEAN: middle, f.VARIANCE: spread(activation, values, dps)}, dps)


def unit_gain(values: Values, dps: int) -> Any:
    """The factor that takes outputs of the variance v to a mean square of 1, over both signs."""
    (variance,) = numbers(values, dps, f.VARIANCE)
    return 1 / mpmath.sqrt(over_signs(lambda s: (s[0] * mpmath.sqrt(variance)) ** 2, 1))


def _sampled(activation: Activation, dps: int) -> list[tuple[Any, Any]]:
    """Weights and values of a smooth activation at equidistant points, exact far beyond the digits asked for."""
    phi, _ = by_number(activation.expr, dps)
    return [(weight, phi(z)) for z, weight in _points(4 / (dps + 10), int(3.4 * (dps + 5)))]


def time_of_gap(values: Values, dps: int) -> Any:
    """The integral of 1/h from 0 to eta, h by its form in the correlation."""
    (eta,) = numbers(values, dps, ETA)

    def rate(c: Any) -> Any:
        return mpmath.pi / (mpmath.sqrt(1 - c * c) - c * mpmath.acos(c))

    return mpmath.quad(rate, [0, eta])


def time_of_angle(shown: Expr, values: Values, dps: int) -> Any:
    """The integral of what is shown from arccos(eta) to pi/2."""
    (eta,) = numbers(values, dps, ETA)
    return mpmath.quad(lambda t: evaluate(shown, {f.ANGLE: t}, dps), [mpmath.acos(eta), mpmath.pi / 2])
