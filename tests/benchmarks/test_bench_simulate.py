"""Simulating 16 networks of width 1000 and depth 50 against bare torch matrix products of the same shapes.

``pytest tests/benchmarks/test_bench_simulate.py --benchmark-enable``. Each of 800 layers multiplies a 1000 x 1000
matrix by the 16 input vectors of a network (8 pairs), in double precision. Two comparisons, in one run:

- *weights given*: every side multiplies by matrices that are already there (a ring of eight, more than a cache holds).
  The baseline is `torch.bmm` alone. Ours adds biases, activations and the statistics of every layer.
- *weights drawn*: every side draws fresh weights. The baseline is `torch.randn` and `torch.bmm`; ours draws in single
  precision, multiplies in double, and adds what it adds above.
"""

import pytest
import torch

from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.drawing import networks
from widelimit.validate.harness.drawing.weights import GaussianWeights
from widelimit.validate.simulate.meanfield import PAIRS, forward_statistics

WIDTH, DEPTH, NETWORKS = 1000, 50, 16
COLUMNS = 2 * PAIRS
SPEC = networks.Architecture("tanh", sigma_w=1.5, sigma_b=0.2, depth=DEPTH)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def ring():
    return [torch.randn(1, WIDTH, WIDTH, dtype=torch.float64) for _ in range(8)]


def products(matrix):
    for _ in range(NETWORKS):
        x = torch.randn(1, WIDTH, COLUMNS, dtype=torch.float64)
        for layer in range(DEPTH):
            x = torch.bmm(matrix(layer), x)
            if layer % 10 == 9:
                x = x / x.norm()  # keeps the numbers finite, which the timing of a product needs


def simulate():
    return forward_statistics(SPEC, WIDTH, range(NETWORKS), Backend(), q0=1.0)


@pytest.mark.benchmark(group="simulate 16 networks, width 1000, depth 50: weights given")
def test_bench_products_weights_given(benchmark, ring):
    benchmark.pedantic(products, args=(lambda layer: ring[layer % 8],), rounds=3)


@pytest.mark.benchmark(group="simulate 16 networks, width 1000, depth 50: weights given")
def test_bench_simulate_weights_given(benchmark, ring, monkeypatch):
    turn = iter(range(10**9))

    def given(ensemble, draws, fan_out, fan_in, sigma_w, out=None):
        return GaussianWeights(ring[next(turn) % 8], sigma_w / fan_in**0.5)

    monkeypatch.setattr(networks, "weights", given)
    benchmark.pedantic(simulate, rounds=3)


@pytest.mark.benchmark(group="simulate 16 networks, width 1000, depth 50: weights drawn")
def test_bench_products_weights_drawn(benchmark):
    benchmark.pedantic(
        products, args=(lambda layer: torch.randn(1, WIDTH, WIDTH, dtype=torch.float64),), rounds=3
    )


@pytest.mark.benchmark(group="simulate 16 networks, width 1000, depth 50: weights drawn")
def test_bench_simulate_weights_drawn(benchmark):
    statistics = benchmark.pedantic(simulate, rounds=3)
    assert statistics.q.shape == (NETWORKS, DEPTH)
