"""What the names in the derivation stand for, by numbers: losses differentiated, flows integrated, laws summed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import mpmath

from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.precision import Values, evaluate, numbers
from widelimit.theory.rules import formulas as f

_PLANE = (f.EIGENVALUE, f.LARGEST, f.COMPONENT, f.TIME)
_OTHER = mpmath.mpf("0.5")  # the start along the other eigenvector; exact


def _error(strength: Any, through: Any) -> Any:
    """The error signal: minus the slope of (s - y)^2/2 in y."""
    return -mpmath.diff(lambda y: (strength - y) ** 2 / 2, through)


def first_flow(values: Values, dps: int, *, rule: str) -> Any:
    """Minus the slope of the loss in v (through b in place of w where the rule has feedback), less decay."""
    s, v, w, b, decay = numbers(values, dps, f.STRENGTH, f.FIRST, f.SECOND, f.FEEDBACK, f.DECAY)
    with mpmath.workdps(2 * dps + 10):
        if rule == "sgd":
            return -mpmath.diff(lambda y: (s - w * y) ** 2 / 2, v) - decay * v
        lost = 0 if rule == "information_alignment" else decay * v
        return b * _error(s, w * v) - lost


def second_flow(values: Values, dps: int) -> Any:
    """Minus the slope of the loss in w and of lambda w^2/2."""
    s, v, w, decay = numbers(values, dps, f.STRENGTH, f.FIRST, f.SECOND, f.DECAY)
    with mpmath.workdps(2 * dps + 10):
        return -mpmath.diff(lambda y: (s - y * v) ** 2 / 2 + decay * y**2 / 2, w)


def feedback_flow(values: Values, dps: int) -> Any:
    """Minus the slope in b of what information alignment descends: -b w + (b w)^2/2 + lambda b^2/2."""
    w, b, decay = numbers(values, dps, f.SECOND, f.FEEDBACK, f.DECAY)
    with mpmath.workdps(2 * dps + 10):
        return -mpmath.diff(lambda y: -y * w + (y * w) ** 2 / 2 + decay * y**2 / 2, b)


def _integrated(flow: Callable[..., Sequence[Any]], start: Sequence[Any], time: Any, dps: int) -> Any:
    """A flow followed from `start` by Taylor's series."""
    with mpmath.workdps(dps + 15):
        return mpmath.odefun(lambda _, y: list(flow(*y)), 0, list(start))(time)


def passage(values: Values, dps: int) -> Any:
    """Time that u' = 2 u (s - u) takes from u_0 to x s, by quadrature."""
    s, start, share = numbers(values, dps, f.STRENGTH, f.START, f.SHARE)
    points = [start, (start * share * s) ** mpmath.mpf("0.5"), share * s]
    return mpmath.quad(lambda u: 1 / (2 * u * (s - u)), points)


def half_way(values: Values, dps: int) -> Any:
    """Time that it takes to s/2, by quadrature in log u."""
    s, start = numbers(values, dps, f.STRENGTH, f.START)
    with mpmath.workdps(dps + 10):
        points = mpmath.linspace(mpmath.log(start), mpmath.log(s / 2), 9)
        return mpmath.quad(lambda y: 1 / (2 * (s - mpmath.exp(y))), points)


def invariant(values: Values, dps: int) -> Any:
    """What w gains from v = 0, by quadrature of dw/dv = v e/(b e)."""
    v, b = numbers(values, dps, f.FIRST, f.FEEDBACK)
    return mpmath.quad(lambda y: y / b, [0, v])


def feedback_rest(values: Values, dps: int) -> Any:
    """Where the error vanishes on v^2/(2 b) v = s, by bisection."""
    s, b = numbers(values, dps, f.STRENGTH, f.FEEDBACK)
    return mpmath.findroot(lambda v: s - v**2 / (2 * b) * v, (0, 2 + 2 * b * s), solver="anderson")


def clock(values: Values, dps: int) -> Any:
    """The integral of 1/(1 - y^3) from 0 to x."""
    (x,) = numbers(values, dps, f.SHARE)
    return mpmath.quad(lambda y: 1 / (1 - y**3), [0, x / 2, x])


def printed_clock(values: Values, dps: int) -> Any:
    """The same antiderivative as it is printed."""
    (x,) = numbers(values, dps, f.SHARE)
    root = mpmath.sqrt(3)
    whole = -mpmath.log(1 - x) / 3 + mpmath.log(1 + x + x**2) / 6 + mpmath.atan((2 * x + 1) / root) / root
    return whole - mpmath.pi / (6 * root)


def feedback_time(values: Values, dps: int) -> Any:
    """Time that v' = b (s - v^3/(2 b)) takes from 0 to x k, by quadrature."""
    s, b, x = numbers(values, dps, f.STRENGTH, f.FEEDBACK, f.SHARE)
    end = feedback_rest(values, dps)
    return mpmath.quad(lambda v: 1 / (b * s - v**3 / 2), [0, x * end / 2, x * end])


def kolen_pollack(values: Values, dps: int) -> Any:
    """What is left of w - b = 1/2 - 1/5 after a time, from v = 3/10: the flow is integrated."""
    s, decay, time = numbers(values, dps, f.STRENGTH, f.DECAY, f.TIME)

    def flow(v: Any, w: Any, b: Any) -> tuple[Any, ...]:
        e = s - v * w
        return b * e - decay * v, v * e - decay * w, v * e - decay * b

    starts = [mpmath.mpf(number) / 10 for number in (3, 5, 2)]
    _, w, b = _integrated(flow, starts, time, dps)
    return (w - b) / (starts[1] - starts[2])


def resting(values: Values, dps: int) -> Any:
    """Where all three weights rest, by Newton's method from 1/5 above."""
    s, decay = numbers(values, dps, f.STRENGTH, f.DECAY)
    start = mpmath.sqrt(s)

    def flow(v: Any, w: Any, b: Any) -> list[Any]:
        e = s - v * w
        return [b * e - decay * v, v * e - decay * w, v * e - decay * b]

    found = mpmath.findroot(
        flow, (start, start + mpmath.mpf("0.05"), start + mpmath.mpf("0.1")), tol=10 ** (-2 * dps)
    )
    return found[0]


def information(values: Values, dps: int) -> Any:
    """Where -b s + (b s)^2/2 + lambda b^2/2 is least, by the root of its slope."""
    s, decay = numbers(values, dps, f.STRENGTH, f.DECAY)
    with mpmath.workdps(2 * dps + 10):
        cost = lambda b: -b * s + (b * s) ** 2 / 2 + decay * b**2 / 2  # noqa: E731
        return mpmath.findroot(
            lambda b: mpmath.diff(cost, b), (0, 1 / s), solver="secant", tol=10 ** (-2 * dps)
        )


def exponent(values: Values, dps: int, *, rule: str) -> Any:
    """The slope of log |v| at the end over log s, from two strengths a factor of 16 apart."""
    (s,) = numbers(values, dps, f.STRENGTH)
    ends = []
    for strength in (s, 16 * s):
        if rule == "feedback_alignment":
            end = mpmath.findroot(lambda v, k=strength: k - v**3 / 2, 1 + strength / 2)
        elif rule == "information_alignment":  # W' = B' - B'B W - W/2, the same of B: the norm that both keep
            end = mpmath.findroot(lambda b, k=strength: b - b**3 - b / 2 + 0 * k, 0.8)
        else:
            end = mpmath.findroot(lambda v, k=strength: k - v**2, (0, 4 + 4 * strength), solver="anderson")
        ends.append(end)
    return mpmath.log(ends[1] / ends[0], 16)


def _heavy_ball(values: Values, dps: int) -> Any:
    """Position and velocity after a step, as a matrix."""
    beta, drop = numbers(values, dps, f.MOMENTUM, f.DROP)
    return mpmath.matrix([[1 - drop, beta], [-drop, beta]])


def root_sum(values: Values, dps: int) -> Any:
    """The sum of the eigenvalues of a step."""
    return mpmath.re(mpmath.fsum(mpmath.eig(_heavy_ball(values, dps), right=False)))


def root_gap(values: Values, dps: int) -> Any:
    """The squared difference of the eigenvalues of a step."""
    one, two = mpmath.eig(_heavy_ball(values, dps), right=False)
    return mpmath.re((one - two) ** 2)


def edge(values: Values, dps: int, *, place: int) -> Any:
    """The h at which the eigenvalues of a step meet, below 1 or above."""
    (beta,) = numbers(values, dps, f.MOMENTUM)

    def gap(drop: Any) -> Any:  # of a matrix [[a, b], [c, d]]: (a - d)^2 + 4 b c
        return (1 - drop - beta) ** 2 - 4 * beta * drop

    least = 1 + beta  # where it is least
    return mpmath.findroot(gap, ((0, least), (least, 6))[place], solver="anderson")


def adam(values: Values, dps: int) -> Any:
    """How far n steps of Adam go under a steady gradient, with its running means and their corrections."""
    rate, steps, g, damping = numbers(values, dps, f.RATE, f.STEPS, f.GRADIENT, f.DAMPING)
    one, two = mpmath.mpf("0.9"), mpmath.mpf("0.999")
    mean = square = place = mpmath.mpf(0)
    for n in range(1, int(steps) + 1):
        mean, square = one * mean + (1 - one) * g, two * square + (1 - two) * g**2
        place -= rate * (mean / (1 - one**n)) / (mpmath.sqrt(square / (1 - two**n)) + damping)
    return -place


def _turned(values: Values, dps: int) -> tuple[Any, ...]:
    """C of the plane with eigenvalues l, l_max along axes turned by 1, the start, and the first axis."""
    small, large, a, time = numbers(values, dps, *_PLANE)
    turn = mpmath.matrix([[mpmath.cos(1), -mpmath.sin(1)], [mpmath.sin(1), mpmath.cos(1)]])
    matrix = turn * mpmath.diag([small, large]) * turn.T
    return matrix, turn * mpmath.matrix([a, _OTHER]), turn[:, 0], time


def hebb(values: Values, dps: int) -> Any:
    """The component of expm(C t) w_0 along an axis."""
    matrix, start, axis, time = _turned(values, dps)
    return (axis.T * (mpmath.expm(matrix * time) * start))[0]


def oja(values: Values, dps: int) -> Any:
    """The same of w' = C w - (w'C w) w, integrated."""
    matrix, start, axis, time = _turned(values, dps)

    def flow(x: Any, y: Any) -> tuple[Any, Any]:
        moved = matrix * mpmath.matrix([x, y])
        held = x * moved[0] + y * moved[1]
        return moved[0] - held * x, moved[1] - held * y

    found = _integrated(flow, start, time, dps)
    return axis[0] * found[0] + axis[1] * found[1]


def oja_total(values: Values, dps: int) -> Any:
    """The formula with its sum over both axes."""
    small, large, a, time = numbers(values, dps, *_PLANE)
    total = mpmath.fsum(
        evaluate(f.oja_term(), {f.EIGENVALUE: value, f.COMPONENT: c, f.LARGEST: large, f.TIME: time}, dps)
        for value, c in ((small, a), (large, _OTHER))
    )
    at = {f.EIGENVALUE: small, f.COMPONENT: a, f.LARGEST: large, f.TIME: time, f.TOTAL: total}
    return evaluate(f.oja_component(), at, dps)


def best_guess(values: Values, dps: int) -> Any:
    """Half of the integral of the larger of two Gaussian densities: the share that the best guess gets right."""
    (apart,) = numbers(values, dps, f.DISTANCE)
    middle, far = apart / 2, mpmath.sqrt(2 * (dps + 15) * mpmath.log(10))
    return mpmath.quad(lambda y: mpmath.npdf(y, apart), [middle, apart, apart + far / 2, apart + far])


def separated(values: Values, dps: int) -> Any:
    """Squared difference of means over the variance of a network's mean over two units, all signs summed."""
    apart, between, noise, units = numbers(values, dps, f.DIFFERENCE, f.BETWEEN, f.NOISE, f.UNITS)
    count = int(units)

    def square(sign: tuple[int, ...]) -> Any:
        own = mpmath.sqrt(between) * sign[0]
        return (own + mpmath.sqrt(noise) * mpmath.fsum(sign[1:]) / count) ** 2

    return apart**2 / over_signs(square, 1 + count)


def spread_of_variance(values: Values, dps: int) -> Any:
    """Relative deviation of the mean square of m entries -1, 0, 1 with kurtosis kappa, over all that they can be."""
    kurtosis, units = numbers(values, dps, f.KURTOSIS, f.UNITS)
    some = 1 / kurtosis  # the chance of not being 0
    mean = square = mpmath.mpf(0)
    for entries in product((0, 1), repeat=int(units)):
        weight = mpmath.fprod(some if one else 1 - some for one in entries)
        found = mpmath.fsum(entries) / len(entries)
        mean, square = mean + weight * found, square + weight * found**2
    return mpmath.sqrt(square - mean**2) / mean
