"""What the names in the derivation stand for, by numbers: integrals of densities, searches, small exact ensembles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath

from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.precision import Values, evaluate, numbers
from widelimit.theory.meanfield import sigma_b, sigma_w
from widelimit.theory.robustness import formulas as f

_FAR = 60  # where slopes of tanh are below 1e-50


def dual(values: Values, dps: int) -> Any:
    """Return the power q at which (1 + .7^q)^(1/q) is the largest w . delta over |delta|_p = 1, w = (1, .7)."""
    power = numbers(values, dps, f.POWER)[0]
    w = mpmath.mpf("0.7")

    def gain(share: Any) -> Any:  # delta = (share, 1 - share)^(1/p)
        return share ** (1 / power) + w * (1 - share) ** (1 / power)

    best = gain(_root(lambda share: mpmath.diff(gain, share), (0.01, 0.999), dps))
    return _root(lambda q: (1 + w**q) ** (1 / q) - best, (1.01, 20), dps)


def _root(function: Callable[[Any], Any], between: tuple[Any, Any], dps: int) -> Any:
    """A root between two numbers, to digits enough for a maximum there."""
    with mpmath.workdps(2 * dps + 20):
        ends = tuple(mpmath.mpf(one) for one in between)
        return mpmath.findroot(function, ends, solver="anderson", tol=mpmath.mpf(10) ** (-2 * dps))


def flips(values: Values, dps: int) -> Any:
    """Return the probability that y ~ N(c, s^2 |w|^2) lies within epsilon |w|_q of zero, by quadrature."""
    radius, norm, std, length, bias = numbers(values, dps, f.RADIUS, f.DUAL, f.STD, f.LENGTH, f.BIAS)
    move = radius * norm
    return mpmath.quad(lambda y: mpmath.npdf(y, bias, std * length), mpmath.linspace(-move, move, 4))


def right(values: Values, dps: int) -> Any:
    """Return the probability that y ~ N(m, s^2 |w|^2) is above epsilon |w|_q, by quadrature."""
    radius, norm, std, length, mean = numbers(values, dps, f.RADIUS, f.DUAL, f.STD, f.LENGTH, f.OVERLAP)
    deviation = std * length
    ends = [radius * norm + k * 2 * deviation for k in range(16)]
    return mpmath.quad(lambda y: mpmath.npdf(y, mean, deviation), ends)


def best_weight(values: Values, dps: int) -> Any:
    """Return the first weight of the direction that stands an attack best, found by search; mu = (mu, -1.2).

    Scaled so that the other weight is -(1.2 - epsilon).
    """
    mean, radius = numbers(values, dps, f.MEAN, f.RADIUS)
    other = mpmath.mpf("1.2")

    def kept(w: Any) -> Any:  # of weights (w, -1): (w . mu - epsilon |w|_1) / |w|_2
        return (w * mean + other - radius * (abs(w) + 1)) / mpmath.sqrt(w**2 + 1)

    return _root(lambda w: mpmath.diff(kept, w), (2 * mean, mean / 1000), dps) * (other - radius)


def _density(law: str, shape: Any) -> Callable[[Any], Any]:
    """Density of |w|, not normalised."""
    if law == "laplace":
        return lambda w: mpmath.exp(-w)
    if law == "generalized_gaussian":
        return lambda w: mpmath.exp(-(w**shape))
    if law == "student":
        return lambda w: (1 + w**2 / shape) ** (-(shape + 1) / 2)
    return lambda w: mpmath.exp(-(w**2) / 2)


def moment(values: Values, dps: int, *, law: str) -> Any:
    """Return E |w|^r of a law by quadrature."""
    order = numbers(values, dps, f.ORDER)[0]
    shape = numbers(values, dps, f.SHAPE)[0] if f.SHAPE in values else None
    density = _density(law, shape)
    ends = [0, 1, 4, mpmath.inf] if law == "student" else [0, 1, 3, 8, 20, 60, 200, 800]
    with mpmath.workdps(dps + 10):
        whole = mpmath.quad(density, ends)
        found = mpmath.quad(lambda w: w**order * density(w), ends) / whole
    return shape * found if law == "sparse" else found


def _two_points(mean: Any, square: Any) -> tuple[Any, Any]:
    """Two numbers, equally likely, of a mean and a mean square."""
    apart = mpmath.sqrt(square - mean**2)
    return mean - apart, mean + apart


def ratio_of_two(values: Values, dps: int) -> Any:
    """Return |w|_1 / (sqrt(N) |w|_2) of weights of which half have one size and half another."""
    one, two = _two_points(*numbers(values, dps, f.M_1, f.M_2))
    return (one + two) / (mpmath.sqrt(2) * mpmath.sqrt(one**2 + two**2))


def kurtosis_of_two(values: Values, dps: int) -> Any:
    """Return N |w|_4^4 / |w|_2^4 of the same."""
    one, two = _two_points(*numbers(values, dps, f.M_2, f.M_4))
    return 2 * (one**2 + two**2) / (one + two) ** 2


_SHARE = mpmath.mpf(1) / 4  # of the larger weights


def ratio_of_many(values: Values, dps: int) -> Any:
    """Return E |w|_1 / (sqrt(N) |w|_2) of N signs, of which each is beta times larger with probability 1/4, exactly."""
    large, size = numbers(values, dps, f.SHAPE, f.SIZE)
    count = int(size)
    width = int(mpmath.sqrt(2 * dps * count)) + 5  # binomials beyond are below 10^-dps
    middle = count // 4
    low, high = max(0, middle - width), min(count, middle + width)
    weight = mpmath.binomial(count, low) * _SHARE**low * (1 - _SHARE) ** (count - low)
    total = mpmath.mpf(0)
    for k in range(low, high + 1):
        total += weight * (count - k + k * large) / mpmath.sqrt(count * (count - k + k * large**2))
        weight *= (count - k) * _SHARE / ((k + 1) * (1 - _SHARE))
    return total


def expanded_ratio(values: Values, dps: int) -> Any:
    """Return the formula at the moments of the same law."""
    large, size = numbers(values, dps, f.SHAPE, f.SIZE)
    moments = {one: 1 - _SHARE + _SHARE * large**k for k, one in enumerate((f.M_1, f.M_2, f.M_3, f.M_4), 1)}
    return evaluate(f.finite_ratio(), {**moments, f.SIZE: size}, dps)


def sparse_signs(values: Values, dps: int) -> Any:
    """Return E |w| / sqrt(E w^2) of signs of density 1/k, whose kurtosis is k."""
    density = 1 / numbers(values, dps, f.KURTOSIS)[0]
    return density / mpmath.sqrt(density)


def with_outliers(values: Values, dps: int) -> Any:
    """Return rho of signs of which a share 1/N is so much larger that the kurtosis is k."""
    wanted, size = numbers(values, dps, f.KURTOSIS, f.SIZE)
    share = 1 / size

    def moments(large: Any) -> list[Any]:
        return [1 - share + share * large**k for k in (1, 2, 4)]

    def excess(large: Any) -> Any:
        _, square, fourth = moments(large)
        return fourth / square**2 - wanted

    first, square, _ = moments(mpmath.findroot(excess, mpmath.root((wanted - 1) / share, 4)))
    return first / mpmath.sqrt(square)


def output_reach(values: Values, dps: int) -> Any:
    """Return epsilon times the l_1 norm of the gradient over the deviation of the output, of a linear network.

    Two layers with sign weights: all signs summed give the variance of a gradient's entry, whose size as a Gaussian is
    integrated. chi is sigma_w^2 for slopes of 1, so that the output has q = sigma_w^2 exp(-G).
    """
    radius, inputs, gain, weight = numbers(values, dps, f.RADIUS, f.INPUTS, f.LOG_GAIN, sigma_w)

    def entry(signs: tuple[int, ...]) -> Any:  # sum_j v_j W_ji
        return (weight**2 / mpmath.sqrt(2 * inputs) * (signs[0] * signs[1] + signs[2] * signs[3])) ** 2

    deviation = mpmath.sqrt(over_signs(entry, 4))
    size = 2 * mpmath.quad(lambda g: g * mpmath.npdf(g, 0, deviation), [k * 2 * deviation for k in range(16)])
    return radius * inputs * size / mpmath.sqrt(weight**2 * mpmath.exp(-gain))


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "sigmoid": lambda u: 1 / (1 + mpmath.exp(-u)),
}


def slope_at(values: Values, dps: int, *, activation: str) -> Any:
    """Return the slope of an activation at -m, by differences."""
    margin = numbers(values, dps, f.MARGIN)[0]
    with mpmath.workdps(2 * dps):
        return mpmath.diff(_FUNCTIONS[activation], -margin)


def chain(values: Values, dps: int) -> Any:
    """Return the derivative of L units in a row, x -> w phi(... phi(w x)), each of slope S: L + 1 weights."""
    log_norm, slope, depth = numbers(values, dps, f.LOG_NORM, f.SLOPE, f.DEPTH)
    weight = mpmath.root(mpmath.exp(log_norm), int(depth) + 1)
    found = weight
    for _ in range(int(depth)):
        found = weight * slope * found
    return found


def squared_slopes(values: Values, dps: int, *, activation: str) -> Any:
    """Return the integral of phi'^2 by quadrature."""
    phi = _FUNCTIONS[activation]
    return 2 * mpmath.quad(lambda u: mpmath.diff(phi, u) ** 2, [0, 1, 3, 8, 20, _FAR])


def ends(values: Values, dps: int, *, activation: str) -> Any:
    """Return the mean square of an activation far out, where it is within 1e-50 of its limits."""
    phi = _FUNCTIONS[activation]
    return (phi(mpmath.mpf(1000)) ** 2 + phi(mpmath.mpf(-1000)) ** 2) / 2


def tanh_gain(values: Values, dps: int) -> Any:
    """Return chi_1 = sigma_w^2 E sech^4 at the fixed point of q = sigma_w^2 E tanh^2 + sigma_b^2, by quadrature."""
    weight, noise = numbers(values, dps, sigma_w, sigma_b)

    def rare(power: int, q: Any) -> Any:  # E sech^power of N(0, q)
        found = mpmath.quad(
            lambda u: mpmath.sech(u) ** power * mpmath.exp(-(u**2) / (2 * q)), [0, 1, 3, 8, 20, _FAR]
        )
        return 2 * found / mpmath.sqrt(2 * mpmath.pi * q)

    q = weight**2 + noise**2
    for _ in range(4):  # each leaves 1/sigma_w of the error
        q = weight**2 * (1 - rare(2, q)) + noise**2
    return weight**2 * rare(4, q)


_CHANCES = (mpmath.mpf(1) / 2, mpmath.mpf(3) / 10, mpmath.mpf(1) / 5)
_SHIFTS = (1, -2, mpmath.mpf(3) / 2)


def exact_divergence(values: Values, dps: int) -> Any:
    """Return KL(p || p') of three classes whose logits are shifted by (1, -2, 3/2) s."""
    scale = numbers(values, dps, f.REACH)[0]
    with mpmath.workdps(4 * dps):
        shifts = [scale * one for one in _SHIFTS]
        norm = mpmath.fsum(p * mpmath.exp(one) for p, one in zip(_CHANCES, shifts, strict=True))
        return mpmath.log(norm) - mpmath.fsum(p * one for p, one in zip(_CHANCES, shifts, strict=True))


def half_variance(values: Values, dps: int) -> Any:
    """Return the formula at the mean and mean square of these shifts."""
    scale = numbers(values, dps, f.REACH)[0]
    moments = [
        mpmath.fsum(p * (scale * one) ** k for p, one in zip(_CHANCES, _SHIFTS, strict=True)) for k in (1, 2)
    ]
    return evaluate(f.divergence(), {f.SHIFT_MEAN: moments[0], f.SHIFT_SQUARE: moments[1]}, dps)
