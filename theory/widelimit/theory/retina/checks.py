"""What the names in the derivation stand for, by numbers: sums over counts, small ensembles, quadratures."""

from __future__ import annotations

from itertools import product
from typing import Any

import mpmath

from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.retina import noise, sampling, subunits


def _normal(function: Any, *breaks: Any) -> Any:
    """Mean of a function of a standard normal, by quadrature with breaks."""
    ends = sorted(
        {mpmath.mpf(-15), *(mpmath.mpf(b) for b in breaks), mpmath.mpf(-3), mpmath.mpf(3), mpmath.mpf(15)}
    )
    return mpmath.quad(lambda z: function(z) * mpmath.npdf(z), ends)


def softplus_average(values: Values, dps: int) -> Any:
    """Return E x f(kappa x) of x ~ N(0, s^2) and f = log(1 + exp)."""
    scale, gain = numbers(values, dps, sampling.SCALE, sampling.GAIN)
    return _normal(lambda z: scale * z * mpmath.log1p(mpmath.exp(gain * scale * z)))


def exponential(values: Values, dps: int) -> Any:
    """Return E exp(y), y ~ N(0, q)."""
    (variance,) = numbers(values, dps, sampling.DRIVE_VARIANCE)
    return _normal(lambda z: mpmath.exp(mpmath.sqrt(variance) * z))


def error_square(values: Values, dps: int) -> Any:
    """Return the mean square of the slope 2/sqrt(pi) exp(-y^2) of erf."""
    (variance,) = numbers(values, dps, sampling.DRIVE_VARIANCE)
    return 4 / mpmath.pi * _normal(lambda z: mpmath.exp(-2 * variance * z**2))


def rectified_slope(values: Values, dps: int) -> Any:
    """Return E z [z - t]_+, by Stein the mean slope of a rectifier with the threshold t."""
    (threshold,) = numbers(values, dps, subunits.FIRST)
    return mpmath.quad(
        lambda z: z * (z - threshold) * mpmath.npdf(z), [threshold, threshold + 3, threshold + 14]
    )


def error_slope(values: Values, dps: int) -> Any:
    """Return E z erf(sigma z/(c sqrt 2)) / sigma."""
    width, deviation = numbers(values, dps, subunits.WIDTH, subunits.DRIVE_DEVIATION)
    return _normal(lambda z: z * mpmath.erf(deviation * z / (width * mpmath.sqrt(2)))) / deviation


def counts(rate: Any, function: Any) -> Any:
    """Mean of a function of a Poisson count."""
    most = int(rate + 60 + 12 * mpmath.sqrt(rate))
    return mpmath.fsum(function(k) * mpmath.exp(-rate) * rate**k / mpmath.factorial(k) for k in range(most))


def mixture(values: Values, dps: int) -> Any:
    """Return the variance of a Poisson count whose rate is f_0 + d or f_0 - d, d^2 = v_f."""
    mean, variance = numbers(values, dps, sampling.RATE, sampling.RATE_VARIANCE)
    rates = (mean - mpmath.sqrt(variance), mean + mpmath.sqrt(variance))
    first, second = (
        mpmath.fsum(counts(r, lambda k, p=p: mpmath.mpf(k) ** p) for r in rates) / 2 for p in (1, 2)
    )
    return second - first**2


def off_filter(values: Values, dps: int) -> Any:
    """Return the variance of (1/n) sum x_i (r_i - E r) over x_i = +- s and independent r_i = E r +- sd."""
    scale, variance, samples = numbers(
        values, dps, sampling.SCALE, sampling.RESPONSE_VARIANCE, sampling.SAMPLES
    )
    n = int(samples)

    def square(signs: tuple[int, ...]) -> Any:
        return (
            scale * mpmath.sqrt(variance) * sum(a * b for a, b in zip(signs[:n], signs[n:], strict=True)) / n
        ) ** 2

    return over_signs(square, 2 * n)


def angle(values: Values, dps: int) -> Any:
    """Return the cosine between e_1 and a vector whose first entry is sqrt(n SNR), the other P - 1 being 1."""
    dimensions, samples, snr = numbers(values, dps, sampling.DIMENSIONS, sampling.SAMPLES, sampling.SNR)
    along = mpmath.sqrt(samples * snr)
    vector = [along] + [mpmath.mpf(1)] * (int(dimensions) - 1)
    return along / mpmath.sqrt(mpmath.fsum(v * v for v in vector))


def score(values: Values, dps: int) -> Any:
    """Return the mean square of d log p(r)/du over Poisson counts of mean f(u), df its slope."""
    rate, slope = numbers(values, dps, sampling.LOCAL_RATE, sampling.LOCAL_SLOPE)
    return counts(rate, lambda k: (slope * (k / rate - 1)) ** 2)


def curvature(values: Values, dps: int) -> Any:
    """Return the inverse mean curvature of n log-likelihoods along a filter's entry that stands across it.

    x = +- s there, independent of the drive; the second derivative of f - r log f has the mean x^2 f'^2/f.
    """
    scale, samples, information = numbers(values, dps, sampling.SCALE, sampling.SAMPLES, sampling.INFORMATION)
    return 1 / (samples * over_signs(lambda signs: (signs[0] * scale) ** 2 * information, 1))


def fitted(values: Values, dps: int) -> Any:
    """Return by how much the training likelihood of P + 1 rates, each of its own bins, exceeds the truth, a bin."""
    dimensions, samples = numbers(values, dps, sampling.DIMENSIONS, sampling.SAMPLES)
    mean = samples / (dimensions + 1) / 8  # an eighth of a count a bin
    spread = 12 * mpmath.sqrt(mean) + 60
    low, high = max(0, int(mean - spread)), int(mean + spread)
    total, weight = mpmath.mpf(0), mpmath.exp(low * mpmath.log(mean) - mean - mpmath.loggamma(low + 1))
    for k in range(low, high):
        total += weight * ((k * mpmath.log(k / mean) if k else 0) - k + mean)
        weight *= mean / (k + 1)
    return (dimensions + 1) * total / samples


def product_of_two(values: Values, dps: int) -> Any:
    """Return E [y - t_1]_+ [z - t_2]_+ by quadrature over y, z given y being normal."""
    first, second, rho = numbers(values, dps, subunits.FIRST, subunits.SECOND, subunits.CORRELATION)
    return _two(first, second, rho)


def reflected(values: Values, dps: int) -> Any:
    """Return the same at -rho."""
    first, second, rho = numbers(values, dps, subunits.FIRST, subunits.SECOND, subunits.CORRELATION)
    return _two(first, second, -rho)


def opposite(values: Values, dps: int) -> Any:
    """Return E [y - t_1]_+ [z + t_2]_+ at rho: what `reflected_product` starts from."""
    first, second, rho = numbers(values, dps, subunits.FIRST, subunits.SECOND, subunits.CORRELATION)
    return _two(first, -second, rho)


def _two(first: Any, second: Any, rho: Any) -> Any:
    left = mpmath.sqrt(1 - rho**2)

    def inner(y: Any) -> Any:
        q = (rho * y - second) / left
        return (y - first) * left * (q * mpmath.ncdf(q) + mpmath.npdf(q)) * mpmath.npdf(y)

    return mpmath.quad(inner, [first, first + 1, first + 3, first + 6, first + 14])


def moment(order: int, values: Values, dps: int) -> Any:
    """Return E [q + z]_+^order by quadrature."""
    (q,) = numbers(values, dps, noise.RATIO)
    with mpmath.extraprec(40):
        ends = [0, max(mpmath.mpf(1), q), max(mpmath.mpf(1), q) + 4, max(mpmath.mpf(1), q) + 16]
        return mpmath.quad(lambda r: r**order * mpmath.npdf(r - q), ends)


def spread(values: Values, dps: int) -> Any:
    """Return the variance of [q + z]_+ by quadrature."""
    return moment(2, values, dps) - moment(1, values, dps) ** 2


def ratio_below(values: Values, dps: int) -> Any:
    """Return E [z - y]_+^2 / E [z - y]_+ by quadrature."""
    (below,) = numbers(values, dps, noise.BELOW)
    at = {noise.RATIO: -below}
    return moment(2, at, dps) / moment(1, at, dps)


def fano_below(values: Values, dps: int) -> Any:
    """Return the Fano factor of [z - y]_+ by quadrature."""
    (below,) = numbers(values, dps, noise.BELOW)
    at = {noise.RATIO: -below}
    return spread(at, dps) / moment(1, at, dps)


def counted(values: Values, dps: int) -> Any:
    """Return the Fano factor of Poisson counts whose rate is 1 + d or 1 - d, d^2 = F."""
    (factor,) = numbers(values, dps, noise.FANO)
    rates = (1 - mpmath.sqrt(factor), 1 + mpmath.sqrt(factor))
    first, second = (
        mpmath.fsum(counts(r, lambda k, p=p: mpmath.mpf(k) ** p) for r in rates) / 2 for p in (1, 2)
    )
    return (second - first**2) / first


def trials(values: Values, dps: int) -> Any:
    """Return (T V - v)/(T - 1) of two or three trials over two bins, on average over all signs of their noise.

    V - the variance over time of the mean over trials - is SP + N/T, v is SP + N; so SP comes back.
    """
    count, mean, single = numbers(values, dps, noise.TRIALS, noise.MEAN_VARIANCE, noise.TRIAL_VARIANCE)
    t = int(count)
    power = (single - mean) * t / (t - 1)  # N, of independent noise
    signal = [mpmath.sqrt(max(single - power, 0)) * s for s in (1, -1)]
    root = mpmath.sqrt(power)

    def square(signs: tuple[int, ...]) -> Any:  # of the mean over trials, over both bins
        return mpmath.fsum((s + root * sum(signs) / t) ** 2 for s in signal) / 2

    return over_signs(square, t) - power / t


def best_correlation(values: Values, dps: int) -> Any:
    """Return the correlation of a signal of variance SP with itself and independent noise of variance V - SP."""
    signal, mean = numbers(values, dps, noise.SIGNAL, noise.MEAN_VARIANCE)
    one, two = mpmath.sqrt(signal), mpmath.sqrt(mean - signal)
    both = [(a * one, a * one + b * two) for a, b in product((-1, 1), repeat=2)]
    cross, first, second = (
        mpmath.fsum(x * y for x, y in pairs) / 4
        for pairs in (both, [(x, x) for x, _ in both], [(y, y) for _, y in both])
    )
    return cross / mpmath.sqrt(first * second)


def relaxed(values: Values, dps: int) -> Any:
    """Return the time in which tau dm/dt = -m - w m Phi falls by e, from its solution."""
    tau, feedback, passed = numbers(values, dps, subunits.TAU, subunits.FEEDBACK, subunits.PASSED)
    rate = mpmath.diff(lambda m: (-m - feedback * m * passed) / tau, 1)
    return mpmath.findroot(lambda t: mpmath.exp(rate * t) - mpmath.exp(-1), tau / (1 + feedback))
