"""Chance, jitter, windows, rates and surrogates against mpmath, scipy and worked values."""

import math
import time

import mpmath
import numpy as np
import pytest
from scipy import integrate, signal, stats

from widelimit.numerics import spiking
from widelimit.theory.errors import ArgumentError, DomainError

A, B = 0.010, 0.005
KERNEL = {"decay": A, "rise": B}


def test_poisson():
    found = spiking.poisson_loss(12, 20, **KERNEL)
    assert found.mean == pytest.approx(1.4133333333e-6, rel=1e-10)
    assert found.variance == pytest.approx(1.4687407407e-13, rel=1e-10)
    assert spiking.poisson_loss(0, 0).variance == 0.0
    grid = spiking.poisson_loss([5.0, 12.0], [[20.0], [1.0]], **KERNEL)
    assert grid.mean.shape == (2, 2) and grid.mean[0, 1] == found.mean
    rng = np.random.default_rng(0)
    seconds = 10.0
    losses = [
        spiking.van_rossum(
            *(np.sort(rng.uniform(0, seconds, rng.poisson(rate * seconds))) for rate in (12, 20))
        )
        for _ in range(1500)
    ]
    assert abs(np.mean(losses) - seconds * found.mean) < 4 * np.std(losses) / math.sqrt(
        1500
    ) + 2e-3 * np.mean(losses)
    assert np.var(losses) == pytest.approx(seconds * found.variance, rel=0.15)


def test_jitter():
    assert spiking.jitter_loss(0.004, **KERNEL) == pytest.approx(7.5329348637773e-9, rel=1e-12)
    for a, b, s in [
        (0.01, 0.005, 1e-3),
        (0.01, 0.005, 1e-7),
        (0.01, 0.01, 3e-3),
        (0.01, 0.009999, 0.05),
        (1.0, 1e-3, 0.2),
        (1.0, 1e-3, 1e-5),
        (2.0, 1.0, 50.0),
    ]:
        with mpmath.workdps(50):
            m, n, j = mpmath.mpf(a), mpmath.mpf(b), mpmath.mpf(s)
            n = n * (1 - mpmath.mpf(10) ** -20) if a == b else n

            def decayed(t, j=j):
                z = j / (t * mpmath.sqrt(2))
                return t * mpmath.exp(z * z) * mpmath.erfc(z)

            zero = (m * n) ** 2 / (2 * (m + n))
            exact = float(zero * (1 - (decayed(m) - decayed(n)) / (m - n)))
        found = spiking.jitter_loss(s, decay=a, rise=b)
        assert found == pytest.approx(exact, rel=1e-12), (a, b, s)
        assert spiking.timing_precision(found, decay=a, rise=b) == pytest.approx(s, rel=1e-9)
    assert spiking.jitter_loss(0.0) == 0.0 and spiking.timing_precision(0.0) == 0.0
    assert spiking.jitter_loss([0.0, 1e300]).tolist() == pytest.approx([0.0, (A * B) ** 2 / 0.03], rel=1e-12)
    drawn = np.random.default_rng(1).normal(0, 0.004, 400_000)
    lag = np.abs(drawn)
    cost = (A * B) ** 2 / (2 * (A * A - B * B)) * (A - B - A * np.exp(-lag / A) + B * np.exp(-lag / B))
    assert abs(cost.mean() - spiking.jitter_loss(0.004)) < 4 * cost.std() / math.sqrt(cost.size)


def test_windows():
    found = spiking.plasticity_window([-0.010, 0.0, 0.008, 0.020], **KERNEL)
    assert found == pytest.approx(
        [0.927904501e-12, 2.083333333e-12, 2.946460935e-12, 2.579212364e-12], rel=1e-9
    )
    step = 1e-5
    t = np.arange(0, 0.4, step)
    for a, b in ((0.01, 0.005), (0.01, 0.0099), (0.01, 0.001)):
        alpha = a * b / (a - b) * (np.exp(-t / a) - np.exp(-t / b))
        twice = signal.fftconvolve(alpha, alpha)[: t.size] * step
        for lag in (-0.02, -0.003, 0.0, 0.004, 0.03):
            shift = round(lag / step)
            kernel = np.r_[np.zeros(max(shift, 0)), alpha[max(-shift, 0) :], np.zeros(max(-shift, 0))][
                : t.size
            ]
            exact = np.sum(kernel * twice) * step
            assert spiking.plasticity_window(lag, decay=a, rise=b) == pytest.approx(exact, rel=2e-5), (
                a,
                b,
                lag,
            )
    alike = spiking.plasticity_window([0.0, 0.01], decay=0.01, rise=0.01)  # u e^-u and u^3 e^-u/6, by hand
    by_hand = [24 / (6 * 2**5), math.exp(-1) / 6 * (24 / 32 + 3 * 6 / 16 + 3 * 2 / 8 + 1 / 4)]
    assert alike == pytest.approx([1e-10 * one for one in by_hand], rel=1e-12)
    seam = spiking.plasticity_window([-0.01, 0.0, 0.02], decay=0.015, rise=0.01 * (1 + 1e-9))
    assert seam == pytest.approx(
        spiking.plasticity_window([-0.01, 0.0, 0.02], decay=0.015, rise=0.01 * (1 - 1e-9)), rel=1e-7
    )
    lags = np.linspace(-0.05, 0.1, 301)
    assert 0 < lags[np.argmax(spiking.plasticity_window(lags))] < 0.03
    assert (spiking.plasticity_window([-1e6, 1e6, -1e300, 1.7e308]) == 0).all()


def siegert(mu, sigma, theta, reset, tau, rest):
    """By mpmath, with the error function written out."""
    with mpmath.workdps(18):
        low, high = (mpmath.mpf(x - mu) / sigma for x in (reset, theta))
        cuts = [low, *(x for x in (-8, -3, -1, 0, 1, 3, 8) if low < x < high), high]
        whole = mpmath.quad(lambda u: mpmath.exp(u * u) * mpmath.erfc(-u), cuts)
        return float(1 / (rest + tau * mpmath.sqrt(mpmath.pi) * whole))


def test_rates():
    neuron = {"threshold": 10.0, "tau": 0.010, "refractory": 0.005}
    assert spiking.firing_rate(15.0, **neuron) == pytest.approx(62.554, rel=1e-5)
    assert spiking.firing_rate([12.0, 8.0], noise=[4.0, 5.0], **neuron) == pytest.approx(
        [52.287489512, 33.916903698], rel=1e-10
    )
    assert spiking.firing_rate([10.0, 9.0, -5.0], **neuron).tolist() == [0, 0, 0]
    assert spiking.firing_rate(-1e6, noise=0.1, **neuron) == 0.0
    for mu, sigma in [
        (12, 4),
        (8, 5),
        (0, 2),
        (-30, 15),
        (10, 1),
        (11, 0.3),
        (40, 2),
        (300, 2),
        (9.9, 100.0),
        (5, 0.8),
        (2, 0.35),
        (1e4, 1.0),
    ]:
        for reset in (0.0, 9.9):
            found = spiking.firing_rate(mu, reset=reset, noise=sigma, **neuron)
            assert found == pytest.approx(siegert(mu, sigma, 10.0, reset, 0.010, 0.005), rel=1e-11), (
                mu,
                sigma,
                reset,
            )
    quiet = spiking.firing_rate(15.0, **neuron)
    assert spiking.firing_rate(15.0, noise=1e-6, **neuron) == pytest.approx(quiet, rel=1e-9)
    mu = np.random.default_rng(0).uniform(0, 20, 100_000)
    spiking.firing_rate(mu[:5000], noise=4.0, **neuron)
    start = time.process_time()
    spiking.firing_rate(mu, noise=4.0, **neuron)
    assert time.process_time() - start < 0.15  # .03 alone


def test_surrogates():
    slope = 25.0
    assert spiking.surrogate("fast_sigmoid", slope).scale == pytest.approx(0.08, rel=1e-15)
    scales = {"sigmoid": 1.0, "arctan": 1.0, "triangle": 1 / slope, "gaussian": 1.0, "box": 2 * slope}
    variances = {
        "sigmoid": math.pi**2 / (3 * slope**2), "triangle": 1 / (6 * slope**2), "gaussian": 1 / slope**2,
        "box": slope**2 / 3, "fast_sigmoid": math.inf, "arctan": math.inf,
    }  # fmt: skip
    for name, variance in variances.items():
        unit = spiking.surrogate(name, slope)
        assert unit.noise_variance == pytest.approx(variance, rel=1e-14)
        assert unit.scale == pytest.approx(scales.get(name, 0.08), rel=1e-14)
        size = slope if name == "box" else 1 / slope
        u = size * np.array([-40.0, -1.7, -0.6, 0.0, 0.3, 0.9, 5.0])
        p, density = unit.firing_probability(u), unit.noise_density(u)
        for low, high, k in zip(u[:-1], u[1:], range(6), strict=True):
            kinks = [x for x in (-size, 0.0, size) if low < x < high]
            area = integrate.quad(unit.noise_density, low, high, points=kinks or None, limit=200)[0]
            assert p[k + 1] - p[k] == pytest.approx(area, rel=1e-8, abs=1e-12), name
        assert (np.diff(p) >= 0).all() and p[3] == 0.5 and (density >= 0).all()
    tail = spiking.surrogate("fast_sigmoid", 1.0).firing_probability(-1e12)
    assert tail == pytest.approx(0.5e-12, rel=1e-11)  # no difference of nearly equal numbers
    assert spiking.surrogate("arctan", 1.0).firing_probability(-1e12) == pytest.approx(
        2 / (math.pi**2 * 1e12), rel=1e-11
    )
    assert spiking.surrogate("sigmoid", 2.0).firing_probability(1.0) == pytest.approx(
        stats.logistic.cdf(2.0), rel=1e-14
    )
    for name in variances:
        extreme = spiking.surrogate(name, 1e12).firing_probability([-1e300, 1e300])
        assert extreme[0] >= 0 and extreme[0] < 1e-100 and extreme[1] == 1
    assert spiking.surrogate("fast_sigmoid", slope).gradient_scale(4) == pytest.approx(0.08**4, rel=1e-14)
    assert spiking.surrogate("arctan", 3.0).gradient_scale(100) == 1.0


def test_two_layers_by_differences():
    rng = np.random.default_rng(5)
    u, w, level, step = rng.normal(size=5), rng.normal(size=5) * 2, 0.4, 1e-5

    def expected(u):
        total = 0.0
        for bits in range(32):
            s = (bits >> np.arange(5)) & 1
            weight = np.prod(np.where(s, stats.logistic.cdf(1.5 * u), stats.logistic.cdf(-1.5 * u)))
            total += weight * stats.logistic.cdf(1.5 * (s @ w - level))
        return total

    found = spiking.two_layer_bias(u, w, threshold=level, surrogate="sigmoid", slope=1.5)
    numeric = [(expected(u + step * e) - expected(u - step * e)) / (2 * step) for e in np.eye(5)]
    assert found.gradient == pytest.approx(numeric, rel=1e-7, abs=1e-10)
    assert found.probability == pytest.approx(expected(u), rel=1e-13)
    assert found.bias == pytest.approx(found.surrogate - found.gradient)
    smooth = spiking.two_layer_bias(u, 1e-4 * w, threshold=level, slope=1.5)  # small weights: no bias
    assert smooth.surrogate == pytest.approx(smooth.gradient, rel=1e-3)


@pytest.mark.parametrize(("a", "b"), [(A, B), (0.012, 0.004), (0.01, 0.01)])
def test_the_sharp_limit(a, b):
    def alpha(t):
        return t * math.exp(-t / a) if a == b else a * b / (a - b) * (math.exp(-t / a) - math.exp(-t / b))

    def loss(weight, target):
        time = spiking.sharp_limit(weight, target=target, decay=a, rise=b).spike_time
        assert weight * alpha(time) == pytest.approx(1.0, rel=1e-9)
        return spiking.van_rossum([time], [target], decay=a, rise=b)

    for target in (0.0005, 0.004, 0.02):
        found = spiking.sharp_limit(900.0, target=target, slope=100.0, decay=a, rise=b)
        numeric = (loss(900.1, target) - loss(899.9, target)) / 0.2
        assert found.gradient == pytest.approx(numeric, rel=1e-4)
        assert found.loss == pytest.approx(loss(900.0, target), rel=1e-9)
        assert found.surrogate_gradient > 0 and (found.gradient > 0) == (found.spike_time < target)
        step = 1e-7
        speed = 900 * (alpha(found.spike_time + step) - alpha(found.spike_time - step)) / (2 * step)
        pull = alpha(found.spike_time) / speed * found.loss / 100.0
        assert found.surrogate_gradient == pytest.approx(pull, rel=1e-6)
    with pytest.raises(DomainError, match="there is no spike"):
        spiking.sharp_limit(100.0, target=0.01, decay=a, rise=b)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: spiking.poisson_loss(-1, 2), "`rate_a` must not be negative"),
        (lambda: spiking.poisson_loss(1, 1e200), "`rate_b` must be at most"),
        (lambda: spiking.poisson_loss(1, 1, decay=1, rise=2), "`decay` must be at least `rise`"),
        (lambda: spiking.poisson_loss([1, 2], [1, 2, 3]), "must broadcast"),
        (lambda: spiking.jitter_loss(-0.1), "`jitter` must not be negative"),
        (lambda: spiking.timing_precision(-1e-9), "`loss_per_spike` must not be negative"),
        (lambda: spiking.plasticity_window(math.nan), "`lag` must be a number"),
        (lambda: spiking.firing_rate(15, threshold=10, tau=0), "`tau` must be positive"),
        (
            lambda: spiking.firing_rate(15, threshold=10, tau=1, refractory=-1),
            "`refractory` must not be negative",
        ),
        (
            lambda: spiking.firing_rate(15, threshold=10, tau=1, reset=10),
            "`reset` must be below the threshold",
        ),
        (lambda: spiking.firing_rate(15, threshold=10, tau=1, noise=-1), "`noise` must not be negative"),
        (lambda: spiking.firing_rate(15, threshold=10, tau=1, noise=1e-300), "`noise` must lie between"),
        (lambda: spiking.firing_rate(1e300, threshold=10, tau=1), "`drive` must be at most"),
        (lambda: spiking.surrogate("relu", 1), "`name` must be one of"),
        (lambda: spiking.surrogate("box", 0), "`slope` must be positive"),
        (lambda: spiking.surrogate("box", 1).gradient_scale(-1), "`depth` must be an integer"),
        (lambda: spiking.surrogate("box", 1).firing_probability("x"), "`u` must be a real number"),
        (lambda: spiking.two_layer_bias([0.0] * 19, [0.0] * 19), "`potentials` must be 18 or fewer"),
        (lambda: spiking.two_layer_bias([0.0], [1.0, 2.0]), "`weights` must be 1 numbers"),
        (lambda: spiking.sharp_limit(900.0, target=-1), "`target` must not be negative"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


def test_what_no_jitter_makes():
    with pytest.raises(DomainError, match=r"is no jitter: it is at least C\(0\)"):
        spiking.timing_precision(1e-7, decay=A, rise=B)
    with pytest.raises(DomainError, match="leaves the range of floats"):
        spiking.surrogate("fast_sigmoid", 25.0).gradient_scale(100_000)
