"""Oscillations and the best balance of predictive codes beside what one writes today: Brent's method on quadrature.

``pytest tests/benchmarks/test_bench_coding.py --benchmark-enable``. The baselines run on few points: 10 of the 10,000.
"""

import math

import numpy as np
import pytest
from scipy import integrate, optimize, special

from widelimit.numerics import coding

SIGMA, DELAY, SIGNAL = 0.75, 0.1, 0.3
GAIN = 16.35055392597  # at which a loop of this delay starts to oscillate
RNG = np.random.default_rng(0)
POINTS = np.linspace(24, 80, 10_000), RNG.uniform(0.2, 1.2, 10_000), RNG.uniform(-0.6, 0.6, 10_000)
Z, W = special.roots_hermitenorm(40)
W = W / W.sum()


def rate(h, sigma):
    return W @ np.tanh(h + sigma / math.sqrt(2) * Z)


def swing(balance, sigma, signal):
    """R with b a_1 = G R, about the centre m = b (x - a_0) of each R."""

    def harmonic(m, r, k):
        return integrate.quad(lambda p: rate(m + r * math.cos(p), sigma) * math.cos(k * p), 0, math.pi)[0]

    def excess(r):
        m = optimize.brentq(lambda m: m - balance * (signal - harmonic(m, r, 0) / math.pi), -balance, balance)
        return balance * harmonic(m, r, 1) * 2 / math.pi / r - GAIN

    return optimize.brentq(excess, 0.01, 2 * balance / GAIN)


@pytest.mark.benchmark(group="oscillations about a signal")
def test_oscillations_ours_10000_points(benchmark):
    b, sigma, x = POINTS
    benchmark(coding.solve, "tanh", balance=b, noise=sigma, delay=DELAY, signal=x)


@pytest.mark.benchmark(group="oscillations about a signal")
def test_oscillations_brent_10_points(benchmark):
    chosen = [part[5_000:10_000:500] for part in POINTS]
    got = benchmark.pedantic(lambda: [swing(*map(float, one)) for one in zip(*chosen, strict=True)], rounds=1)
    b, sigma, x = chosen
    ours = coding.solve("tanh", balance=b, noise=sigma, delay=DELAY, signal=x)
    assert ours.amplitude == pytest.approx(got, rel=1e-8)


@pytest.mark.benchmark(group="the best balance")
def test_best_balance_ours(benchmark):
    benchmark(coding.optimal_balance, "tanh", delay=DELAY, noise=SIGMA, signal=SIGNAL, size=1000)


@pytest.mark.benchmark(group="the best balance")
def test_best_balance_by_solving_at_each(benchmark):
    def error(log_balance):
        p = coding.solve("tanh", balance=math.exp(log_balance), noise=SIGMA, delay=DELAY, signal=SIGNAL)
        return p.variance / 1000 + p.bias**2

    top = math.log(coding.critical_balance("tanh", delay=DELAY, noise=SIGMA, signal=SIGNAL).balance)
    tight = {"xatol": 1e-9}
    got = benchmark.pedantic(
        lambda: optimize.minimize_scalar(error, bounds=(0.0, top), method="bounded", options=tight), rounds=3
    )
    ours = coding.optimal_balance("tanh", delay=DELAY, noise=SIGMA, signal=SIGNAL, size=1000)
    assert ours.balance == pytest.approx(math.exp(got.x), rel=1e-6)
    assert ours.mean_square_error == pytest.approx(got.fun, rel=1e-12)
