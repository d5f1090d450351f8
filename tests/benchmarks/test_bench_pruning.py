"""When magnitude pruning empties a layer: one quadrature beside two thousand drawn networks (`--benchmark-enable`)."""

from itertools import pairwise

import numpy as np

from widelimit.numerics import pruning

WIDTHS = [784, 300, 100, 10]
DRAWS = 2000


def drawn(draws=DRAWS):
    """Mean log compression at which the first layer is empty, by sorting every weight of every network."""
    rng = np.random.default_rng(1)
    logs = []
    for _ in range(draws):
        layers = [np.abs(rng.standard_normal(a * b)) * (2 / a) ** 0.5 for a, b in pairwise(WIDTHS)]
        threshold = min(layer.max() for layer in layers)
        kept = sum(int((layer >= threshold).sum()) for layer in layers)
        logs.append(np.log(sum(layer.size for layer in layers) / kept))
    return float(np.mean(logs)), float(np.std(logs) / np.sqrt(draws))


def test_two_thousand_networks(benchmark):
    mean, error = benchmark.pedantic(drawn, rounds=1, args=(200,))
    theory = pruning.critical_compression(WIDTHS).log_mean
    assert abs(mean - theory) < 4 * error


def test_one_quadrature(benchmark):
    assert benchmark(lambda: pruning.critical_compression(WIDTHS).geometric_mean) > 1
