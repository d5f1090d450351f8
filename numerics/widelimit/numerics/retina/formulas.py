"""The formulas of the theory, compiled where they are asked for."""

from __future__ import annotations

import functools

from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import retina as t
from widelimit.theory.calculus.activation import Activation, x


@functools.lru_cache(maxsize=64)
def moments(activation: Activation) -> Compiled:
    """E f and E f' by the variance of the drive."""
    wanted = (t.rate_mean(activation), t.rate_slope(activation))
    return compile(wanted, (t.DRIVE_VARIANCE,), name="rate_moments")


@functools.lru_cache(maxsize=64)
def slope_square(activation: Activation) -> Compiled:
    """E f'^2 by the variance of the drive."""
    return compile(t.slope_square(activation), (t.DRIVE_VARIANCE,), name="slope_square")


@functools.lru_cache(maxsize=64)
def variance(activation: Activation) -> Compiled:
    """Var f about its mean, by the variance of the drive and that mean."""
    return compile(t.rate_variance(activation), (t.DRIVE_VARIANCE, t.RATE), name="rate_variance")


@functools.lru_cache(maxsize=64)
def local(activation: Activation) -> Compiled:
    """f and f' at a drive."""
    return compile((activation.expr, activation.derivative(1).expr), (x,), name="rate")


@functools.cache
def density() -> Compiled:
    """f'^2/f by f and f'."""
    return compile(t.information_density(), (t.LOCAL_RATE, t.LOCAL_SLOPE), name="information_density")


@functools.cache
def counted() -> Compiled:
    """Var r by E f and Var f."""
    return compile(t.counted_variance(), (t.RATE, t.RATE_VARIANCE), name="counted_variance")


@functools.cache
def quality() -> Compiled:
    """SNR and length of the average by s, kappa, E f' and Var r."""
    variables = (t.SCALE, t.GAIN, t.SLOPE, t.RESPONSE_VARIANCE)
    return compile((t.signal_to_noise(), t.sta_length()), variables, name="quality")


@functools.cache
def cosine() -> Compiled:
    """The cosine by P, n and SNR."""
    return compile(t.expected_cosine(), (t.DIMENSIONS, t.SAMPLES, t.SNR), name="expected_cosine")


@functools.cache
def samples() -> Compiled:
    """Samples by P, SNR and the cosine."""
    return compile(t.samples_needed(), (t.DIMENSIONS, t.SNR, t.COSINE), name="samples_needed")


@functools.cache
def off_filter() -> Compiled:
    """Variance of the average's entries by s, Var r and n."""
    return compile(
        t.off_filter_variance(), (t.SCALE, t.RESPONSE_VARIANCE, t.SAMPLES), name="off_filter_variance"
    )


@functools.cache
def likelihood() -> Compiled:
    """Ratio of variances, SNR and variance of maximum likelihood by s, kappa, E f', Var r, I and n."""
    variables = (t.SCALE, t.GAIN, t.SLOPE, t.RESPONSE_VARIANCE, t.INFORMATION, t.SAMPLES)
    wanted = (t.variance_ratio(), t.likelihood_snr(), t.likelihood_variance())
    return compile(wanted, variables, name="likelihood")


@functools.cache
def excess() -> Compiled:
    """(P + 1)/(2 n)."""
    return compile(t.excess_likelihood(), (t.DIMENSIONS, t.SAMPLES), name="excess_likelihood")


@functools.cache
def tail() -> Compiled:
    """Mean and Fano factor of [z - y]_+ for y >= 3."""
    return compile((t.tail_mean(), t.tail_fano()), (t.BELOW,), name="tail")


@functools.cache
def middle() -> Compiled:
    """Mean and variance of [z - y]_+ for y from 0 to 3."""
    wanted = (t.rectified_mean(), t.rectified_variance())
    return compile(tuple(e.subs(t.RATIO, -t.BELOW) for e in wanted), (t.BELOW,), name="middle")


@functools.cache
def high() -> Compiled:
    """Mean and variance of [q + z]_+ for q > 0."""
    return compile((t.rectified_mean(), t.high_variance()), (t.RATIO,), name="high")


@functools.cache
def fano_slope() -> Compiled:
    """Derivative of the Fano factor of [q + z]_+ by q."""
    fano = t.rectified_variance() / t.rectified_mean()
    return compile(fano.diff(t.RATIO), (t.RATIO,), name="fano_slope")


@functools.cache
def counted_fano() -> Compiled:
    """1 + F."""
    return compile(t.counted_fano(), (t.FANO,), name="counted_fano")


@functools.cache
def power() -> Compiled:
    """Signal power by T, V and v."""
    return compile(t.signal_power(), (t.TRIALS, t.MEAN_VARIANCE, t.TRIAL_VARIANCE), name="signal_power")


@functools.cache
def ceiling() -> Compiled:
    """Ceiling by signal power and V."""
    return compile(t.ceiling(), (t.SIGNAL, t.MEAN_VARIANCE), name="ceiling")


@functools.cache
def passing() -> Compiled:
    """P(z > t)."""
    return compile(t.passing(), (t.FIRST,), name="passing")


@functools.cache
def product() -> Compiled:
    """E [y - t_1]_+ [z - t_2]_+ by thresholds and correlation."""
    return compile(t.rectified_product(), (t.FIRST, t.SECOND, t.CORRELATION), name="rectified_product")


@functools.cache
def reflected() -> Compiled:
    """The same at -rho, from that with -t_2 at rho."""
    variables = (t.FIRST, t.SECOND, t.CORRELATION, t.PRODUCT)
    return compile(t.reflected_product(), variables, name="reflected_product")


@functools.cache
def recovery() -> Compiled:
    """Time of recovery by tau, w and Phi."""
    return compile(t.recovery(), (t.TAU, t.FEEDBACK, t.PASSED), name="recovery")


@functools.cache
def static_gain() -> Compiled:
    """Gain of a static error function by its width and the deviation of its drive."""
    return compile(t.static_gain(), (t.WIDTH, t.DRIVE_DEVIATION), name="static_gain")
