"""Feedback at rest beside the way it is found today: steps of the flow until nothing moves.

``pytest tests/benchmarks/test_bench_alignment.py --benchmark-enable``.
"""

import numpy as np

from widelimit.numerics import alignment

W = np.array([[1, 0.5, -0.3], [0.2, -1, 0.8]])
C = np.diag([2, 1, 0.5])


def stepped(steps=60_000, rate=1e-3):
    b = np.zeros((3, 2))
    for _ in range(steps):
        b = b + rate * (C @ W.T - 0.5 * b @ W @ C @ W.T - 0.2 * b)
    return b


def test_steps_of_the_flow(benchmark):
    benchmark.pedantic(stepped, rounds=1)


def test_fixed_point(benchmark):
    found = benchmark(alignment.fixed_point, "information", W, covariance=C, alpha=1, beta=0.5, gamma=0.2)
    assert np.allclose(found.backward, stepped(30_000), atol=1e-6)


def test_map_of_cosines(benchmark):
    r, z = np.linspace(0.1, 3, 100)[:, None], np.geomspace(0.01, 10, 100)
    assert benchmark(lambda: alignment.cosine("information", aspect=r, ratio=z)).shape == (100, 100)
