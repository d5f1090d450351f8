"""What the names in the derivation stand for, by numbers: quadratures of curves, trains on a ring, passages by flux."""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import lambdify

from widelimit.theory.calculus.precision import Values, evaluate, numbers
from widelimit.theory.spiking import gradients as g
from widelimit.theory.spiking import kernels as k
from widelimit.theory.spiking import rates as r
from widelimit.theory.spiking import statistics as s
from widelimit.theory.spiking import surrogates as u

_TAIL = 2.5  # time constants for each digit


def _alpha(a: Any, b: Any, t: Any) -> Any:
    """Of two leaky integrators in a row, one after the other: int exp(-(t - x)/a) exp(-x/b) dx."""
    return a * b / (a - b) * (mpmath.exp(-t / a) - mpmath.exp(-t / b)) if t > 0 else mpmath.mpf(0)


def _ends(a: Any, dps: int, *breaks: Any) -> list[Any]:
    return [mpmath.mpf(0), *breaks, a, 4 * a, 12 * a, _TAIL * (dps + 5) * a]


def convolved(values: Values, dps: int) -> Any:
    """Return the second integrator's potential, the first one's as its input."""
    a, b, t = numbers(values, dps, k.DECAY, k.RISE, k.TIME)
    return mpmath.quad(lambda x: mpmath.exp(-(t - x) / a - x / b), [0, t])


def overlapping(values: Values, dps: int) -> Any:
    """Return the integral of alpha(t) alpha(t + D)."""
    a, b, lag = numbers(values, dps, k.DECAY, k.RISE, k.LAG)
    return mpmath.quad(lambda t: _alpha(a, b, t) * _alpha(a, b, t + lag), _ends(a, dps))


def at_once(values: Values, dps: int) -> Any:
    """Return the integral of alpha squared."""
    return overlapping({**values, k.LAG: 0}, dps)


def slope_of_overlap(values: Values, dps: int) -> Any:
    """Return the integral of alpha(t) alpha'(t + D)."""
    a, b, lag = numbers(values, dps, k.DECAY, k.RISE, k.LAG)

    def speed(t: Any) -> Any:
        return a * b / (a - b) * (mpmath.exp(-t / b) / b - mpmath.exp(-t / a) / a)

    return mpmath.quad(lambda t: _alpha(a, b, t) * speed(t + lag), _ends(a, dps))


def _curve(values: Values, dps: int) -> tuple[Any, Any]:
    a, b, e, f = numbers(values, dps, k.DECAY, k.RISE, k.EXPONENTIAL, k.FILTERED)
    return a, lambda t: (f * mpmath.exp(-t / b) + e * _alpha(a, b, t)) ** 2


def energy_to_come(values: Values, dps: int) -> Any:
    """Return the integral of the squared curve over all times."""
    a, curve = _curve(values, dps)
    return mpmath.quad(curve, _ends(a, dps))


def shrunk(values: Values, dps: int) -> Any:
    """Return the integral of the slope of exp(-x/a) up to t."""
    a, t = numbers(values, dps, k.DECAY, k.TIME)
    return mpmath.quad(lambda x: -mpmath.exp(-x / a) / a, [0, t])


def risen(values: Values, dps: int) -> Any:
    """Return the integral of exp(-(1/b - 1/a) x) up to t."""
    a, b, t = numbers(values, dps, k.DECAY, k.RISE, k.TIME)
    return mpmath.quad(lambda x: mpmath.exp(-(1 / b - 1 / a) * x), [0, t])


def changes(which: int, values: Values, dps: int) -> Any:
    """Return the change of E or F, by E' = -E/a, F' = E - F/b as a matrix exponential."""
    a, b, e, f, t = numbers(values, dps, k.DECAY, k.RISE, k.EXPONENTIAL, k.FILTERED, k.TIME)
    moved = mpmath.expm(mpmath.matrix([[-1 / a, 0], [1, -1 / b]]) * t) * mpmath.matrix([e, f])
    return moved[which] - (e, f)[which]


def changes_by_formula(which: int, values: Values, dps: int) -> Any:
    """Return the same by the formula, at the X, Y and d of a time t."""
    a, b, t = numbers(values, dps, k.DECAY, k.RISE, k.TIME)
    gap = 1 / b - 1 / a
    at = {k.GAP: gap, k.SHRUNK: mpmath.expm1(-t / a), k.RISEN: -mpmath.expm1(-gap * t) / gap}
    return evaluate(k.trace_changes()[which], {**values, **at}, dps)


def energy_between(values: Values, dps: int) -> Any:
    """Return the integral of the squared curve up to a time t."""
    (t,) = numbers(values, dps, k.TIME)
    return mpmath.quad(_curve(values, dps)[1], [0, t])


def lost_in_time(values: Values, dps: int) -> Any:
    """Return the formula for the energy lost where the changes are those of a time t."""
    at = dict(zip((k.CHANGE_E, k.CHANGE_F), (changes(which, values, dps) for which in (0, 1)), strict=True))
    return evaluate(k.energy_lost(), {**values, **at}, dps)


def _window(values: Values, dps: int, sign: int) -> Any:
    a, b, lag = numbers(values, dps, k.DECAY, k.RISE, k.LAG)
    factor = a * b / (a - b)

    def twice(t: Any) -> Any:  # alpha * alpha, of two double poles
        slow, fast = mpmath.exp(-t / a), mpmath.exp(-t / b)
        return factor**2 * (t * slow + t * fast - 2 * factor * (slow - fast))

    if sign > 0:
        return mpmath.quad(lambda t: _alpha(a, b, t) * twice(t + lag), _ends(a, dps))
    return mpmath.quad(lambda t: _alpha(a, b, t + lag) * twice(t), _ends(a, dps))


def window_after(values: Values, dps: int) -> Any:
    """Return the integral of the target's kernel and alpha * alpha, the target behind."""
    return _window(values, dps, 1)


def window_before(values: Values, dps: int) -> Any:
    """Return the same, the target before."""
    return _window(values, dps, -1)


def _ring(values: Values, dps: int) -> tuple[Any, Any, Any, Any]:
    """Length of a ring of time, and C(0), the mean of C and its variance over it, for spikes anywhere."""
    a, b = numbers(values, dps, k.DECAY, k.RISE)
    length = 3 * a  # any: the loss's moments are polynomials in these four
    scale = (a * b) ** 2 / (2 * (a**2 - b**2))

    def once(lag: Any) -> Any:
        return scale * (a * mpmath.exp(-lag / a) - b * mpmath.exp(-lag / b))

    ends = _ends(a, dps)
    mean = 2 * mpmath.quad(once, ends) / length
    square = 2 * mpmath.quad(lambda lag: once(lag) ** 2, ends) / length
    return length, once(mpmath.mpf(0)), mean, square - mean**2


def square_of_overlap(values: Values, dps: int) -> Any:
    """Return the integral of C squared over all lags."""
    length, _, mean, variance = _ring(values, dps)
    return (variance + mean**2) * length


def _trains(values: Values, dps: int) -> tuple[Any, Any]:
    """Mean and variance of the loss of Poisson trains on a ring, over its length, summed over numbers of spikes.

    Given those numbers spikes lie anywhere, lags between any two of them are independent in pairs: the loss has a mean
    n C(0)/2 + m ((n1 - n2)^2 - n)/2 and a variance n (n - 1) v/2.
    """
    length, zero, mean, variance = _ring(values, dps)
    rates = [rate * length for rate in numbers(values, dps, s.RATE_A, s.RATE_B)]
    weights = []
    for rate in rates:
        most = int(4 * rate + 1.2 * dps + 5)
        weights.append([mpmath.exp(-rate) * rate**n / mpmath.factorial(n) for n in range(most)])
    first = second = spread = mpmath.mpf(0)
    for n1, p1 in enumerate(weights[0]):
        for n2, p2 in enumerate(weights[1]):
            n, p = n1 + n2, p1 * p2
            loss = (n * zero + mean * ((n1 - n2) ** 2 - n)) / 2
            first += p * loss
            second += p * loss**2
            spread += p * n * (n - 1) * variance / 2
    return first / length, (second - first**2 + spread) / length


def mean_of_trains(values: Values, dps: int) -> Any:
    """Return the mean loss of Poisson trains on a ring over its length."""
    return _trains(values, dps)[0]


def variance_of_trains(values: Values, dps: int) -> Any:
    """Return the variance of the same over its length."""
    return _trains(values, dps)[1]


def jittered(values: Values, dps: int) -> Any:
    """Return the mean of C(0) - C(D) over Gaussian D, by quadrature."""
    a, b, jitter = numbers(values, dps, k.DECAY, k.RISE, s.JITTER)
    scale = (a * b) ** 2 / (2 * (a**2 - b**2))

    def cost(lag: Any) -> Any:
        saved = a * mpmath.exp(-lag / a) - b * mpmath.exp(-lag / b)
        return 2 * mpmath.npdf(lag, 0, jitter) * scale * (a - b - saved)

    return mpmath.quad(cost, [x * jitter for x in (0, 1, 3, 6, 10, 20)])


def by_frequency(values: Values, dps: int) -> Any:
    """Return the integral of the density over frequencies."""
    a, b, jitter = numbers(values, dps, k.DECAY, k.RISE, s.JITTER)
    density = lambdify((s.FREQUENCY, k.DECAY, k.RISE, s.JITTER), s.jitter_density(), "mpmath")

    def part(log: Any) -> Any:  # omega = exp(log)
        frequency = mpmath.exp(log)
        return frequency * density(frequency, a, b, jitter)

    with mpmath.workdps(dps + 3):
        step, centre = mpmath.mpf(2) / (dps + 5), -mpmath.log(jitter)
        reach = int((dps + 3) * mpmath.log(10) / 2 / step)
        return step * mpmath.fsum(part(centre + step * j) for j in range(-reach, reach))


def time_to_threshold(values: Values, dps: int) -> Any:
    """Return one over the time that tau V' = mu - V takes from reset to threshold, and rests before."""
    mu, theta, reset, tau, rest = numbers(values, dps, r.DRIVE, r.THRESHOLD, r.RESET, r.TAU, r.REFRACTORY)
    return 1 / (rest + mpmath.quad(lambda v: tau / (mu - v), [reset, theta]))


def mean_passage(values: Values, dps: int) -> Any:
    """Return one over the mean passage time of the diffusion, by its backward equation, sigma = 1.

    T' = -w of (w' + 2 (mu - V) w = 2) in units of tau: a double integral over Gaussians, without error functions.
    """
    mu, theta, reset, tau, rest = numbers(values, dps, r.DRIVE, r.THRESHOLD, r.RESET, r.TAU, r.REFRACTORY)

    def slope(v: Any) -> Any:  # 2 int_0^oo exp((v - mu)^2 - (v - x - mu)^2) dx
        return 2 * mpmath.quad(lambda x: mpmath.exp(2 * x * (v - mu) - x * x), [0, 1, 3, 10, 20])

    with mpmath.workdps(dps):
        return 1 / (rest + tau * mpmath.quad(slope, [reset, theta]))


def siegert(values: Values, dps: int) -> Any:
    """Return the rate by the formula and the integral of its passage, sigma = 1."""
    mu, theta, reset = numbers(values, dps, r.DRIVE, r.THRESHOLD, r.RESET)
    with mpmath.workdps(dps):
        whole = mpmath.quad(
            lambda v: evaluate(r.passage_density(), {r.DISTANCE: v}, dps), [mu - theta, mu - reset]
        )
    return evaluate(r.noisy_rate(), {**values, r.PASSAGE: whole}, dps)


def passage_out(values: Values, dps: int) -> Any:
    """Return the integral of the passage from v to 2v."""
    (v,) = numbers(values, dps, r.DISTANCE)
    return mpmath.quad(lambda x: evaluate(r.passage_density(), {r.DISTANCE: x}, dps), [v, 2 * v])


def passage_both(values: Values, dps: int) -> Any:
    """Return the integral of exp(v^2) erfc(v) from -v to v."""
    (v,) = numbers(values, dps, r.DISTANCE)
    return mpmath.quad(lambda x: mpmath.exp(x * x) * mpmath.erfc(x), [-v, v])


def passage_far(values: Values, dps: int) -> Any:
    """Return the difference of the series between 2v and v."""
    (v,) = numbers(values, dps, r.DISTANCE)
    ends = (evaluate(r.passage_far(), {r.DISTANCE: x}, dps) for x in (v, 2 * v))
    low, high = ends
    return high - low


def _over(name: str, values: Values, dps: int, power: int, top: Any = None) -> Any:
    """The integral of u^power s(u) up to `top`, by pieces; heavy tails by u = 1/x."""
    (slope,) = numbers(values, dps, u.SLOPE)
    size = slope if name == "box" else 1 / slope
    formula = lambdify((u.POTENTIAL, u.SLOPE), u.surrogate(name), "mpmath")

    def part(x: Any) -> Any:
        return x**power * formula(x, slope)

    far = -4 * size
    with mpmath.workdps(dps):
        if name in ("fast_sigmoid", "arctan"):
            low = mpmath.quad(lambda x: part(-1 / x) / x**2, [mpmath.mpf(10) ** (-dps - 2), -1 / far])
        elif name in ("triangle", "box"):
            low = mpmath.mpf(0)
        else:
            low = mpmath.quad(part, [-size * (3 * dps + 10), 3 * far, far])
        middle = [far, -size, mpmath.mpf(0), size, -far]
        if top is None:
            return low + mpmath.quad(part, middle) + (-1) ** power * low
        return low + mpmath.quad(part, [x for x in middle if x < top] + [top])


def scale_of(name: str, values: Values, dps: int) -> Any:
    """Return the integral of a surrogate."""
    return _over(name, values, dps, 0)


def probability_of(name: str, values: Values, dps: int) -> Any:
    """Return the share of that integral below a potential: how often noise of that density makes a unit fire."""
    (at,) = numbers(values, dps, u.POTENTIAL)
    return _over(name, values, dps, 0, at) / _over(name, values, dps, 0)


def variance_of(name: str, values: Values, dps: int) -> Any:
    """Return the second moment of that density."""
    return _over(name, values, dps, 2) / _over(name, values, dps, 0)


def through_layers(values: Values, dps: int) -> Any:
    """Return what a chain of units multiplies a gradient of expected spikes by, one layer after the other."""
    scale, depth = numbers(values, dps, u.SCALE, u.DEPTH)
    found = mpmath.mpf(1)
    for _ in range(int(depth)):
        found *= scale
    return found


def crossing(values: Values, dps: int) -> Any:
    """Return when w alpha(t) passes the threshold, by a search, a = 2 b."""
    b, w, level = numbers(values, dps, k.RISE, g.WEIGHT, g.LEVEL)
    a = 2 * b
    peak = mpmath.log(a / b) / (1 / b - 1 / a)
    return mpmath.findroot(
        lambda t: w * _alpha(a, b, t) - level, (0, peak), solver="anderson", tol=10 ** (-dps)
    )


def _moving(values: Values, dps: int) -> tuple[Any, ...]:
    """Time constants, epsilon and U' of a linear rise through the threshold, and the lag of the target."""
    return numbers(values, dps, k.DECAY, k.RISE, g.POTENTIAL_AT, g.SPEED, k.LAG)


def true_slope(values: Values, dps: int) -> Any:
    """Return the difference quotient of the loss where a weight moves the spike by -epsilon/U' of its change."""
    a, b, potential, speed, lag = _moving(values, 3 * dps)
    with mpmath.workdps(3 * dps):
        step = mpmath.mpf(10) ** (-dps)
        scale = (a * b) ** 2 / (2 * (a**2 - b**2))

        def loss(weight: Any) -> Any:  # a spike lag + moved behind its target
            moved = lag - weight * potential / speed
            return scale * (a - b - a * mpmath.exp(-moved / a) + b * mpmath.exp(-moved / b))

        return (loss(step) - loss(-step)) / (2 * step)


def pulled(values: Values, dps: int) -> Any:
    """Return the surrogate's integral over the way up to the threshold, times what deleting the spike would change.

    The potential rises at U' and is reset at the threshold: int s(U - theta) epsilon dt, times the derivative of the
    loss by the number of spikes at t*.
    """
    a, b, potential, speed, lag = _moving(values, dps)
    (slope,) = numbers(values, dps, u.SLOPE)
    formula = u.surrogate("fast_sigmoid")

    def part(x: Any) -> Any:  # u = (1 - 1/x) / slope, the whole way up
        below = (1 - 1 / x) / slope
        return evaluate(formula, {u.POTENTIAL: below, u.SLOPE: slope}, dps) / (slope * x**2)

    passed = mpmath.quad(part, [mpmath.mpf(10) ** (-2 * dps), 1]) * potential / speed
    scale = (a * b) ** 2 / (2 * (a**2 - b**2))
    more = scale * (a - b - a * mpmath.exp(-lag / a) + b * mpmath.exp(-lag / b))
    return passed * more
