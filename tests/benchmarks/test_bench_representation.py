"""The limit of cross-validated PCA beside draws of it, and kernel spectra, in one run.

``pytest tests/benchmarks/test_bench_representation.py --benchmark-enable``.
"""

import time

import numpy as np
import pytest

from widelimit.numerics import representation

SPECTRUM, NOISE, STIMULI = np.arange(1, 401.0) ** -1.04, 0.02, 300


def drawn(count):
    """Mean of cross-validated PCA over draws, by singular vectors, as experimenters do it."""
    rng, total = np.random.default_rng(0), 0.0
    for _ in range(count):
        signal = rng.standard_normal((STIMULI, SPECTRUM.size)) * np.sqrt(SPECTRUM)
        one, other = (signal + NOISE**0.5 * rng.standard_normal(signal.shape) for _ in range(2))
        _, _, axes = np.linalg.svd(one, full_matrices=False)
        total = total + ((one @ axes.T) * (other @ axes.T)).sum(axis=0) / STIMULI
    return total / count


def expected():
    return representation.expected_cvpca(SPECTRUM, noise=NOISE, stimuli=STIMULI)


def seconds(function, *arguments, times=1):
    function(*arguments)
    start = time.process_time()
    for _ in range(times):
        function(*arguments)
    return (time.process_time() - start) / times


def test_the_limit_is_fifty_times_faster_than_sixty_draws():
    assert 60 * seconds(drawn, 1, times=3) > 50 * seconds(expected, times=10)


def test_a_recording_of_ten_thousand_units_takes_a_fraction_of_a_second():
    spectrum = np.arange(1, 10_001.0) ** -1.04
    once = seconds(lambda: representation.expected_cvpca(spectrum, noise=0.005, stimuli=2800))
    assert once < 1.0  # 0.12 alone on a core


def test_kernels_to_degree_a_thousand_take_a_millisecond():
    degrees = np.arange(1001)
    once = seconds(lambda: representation.kernel_spectrum(degrees, dimension=10, kernel="ntk"), times=50)
    assert once < 1e-3


@pytest.mark.benchmark(group="cross-validated PCA, 400 units, 300 stimuli")
def test_limit(benchmark):
    benchmark(expected)


@pytest.mark.benchmark(group="cross-validated PCA, 400 units, 300 stimuli")
def test_one_draw(benchmark):
    benchmark(drawn, 1)
