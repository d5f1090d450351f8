"""Non-contrastive learning beside today's ways, in one run (`--benchmark-enable`).

Basins: bisection of scipy's `solve_ivp`, one point of the border. Phase diagram: 200 x 200 fixed points.
"""

import math

import numpy as np
from scipy.integrate import solve_ivp

from widelimit.numerics import ssl

GIVEN = {"weight_decay": 0.04, "augmentation": 0.5}
POINTS = np.linspace(0.0, 0.5, 200)


def bisected():
    def flow(t, y):
        p, s = y
        return [s * (1 - 1.5 * p) - 0.04 * p, 2 * s * (p * (1 - 1.5 * p) - 0.04)]

    low, high = 1e-4, 1e-2
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        end = solve_ivp(flow, (0, 800), (0.0, middle), rtol=1e-9, atol=1e-12).y[1, -1]
        low, high = (low, middle) if end > 0.01 else (middle, high)
    return low


def test_basin_by_bisection(benchmark):
    assert abs(benchmark.pedantic(bisected, rounds=2) / 0.0043251250022 - 1) < 1e-6


def test_basin(benchmark):
    assert abs(benchmark(lambda: ssl.basin(predictor=0.0, **GIVEN)) / 0.0043251250022 - 1) < 1e-11


def test_basin_of_200_points(benchmark):
    assert benchmark(lambda: ssl.basin(predictor=POINTS, **GIVEN)).shape == (200,)


def test_phase_diagram(benchmark):
    axes = {"weight_decay": np.linspace(0, 0.3, 200), "augmentation": np.linspace(0, 2, 200)}
    assert benchmark(lambda: ssl.phase_diagram(**axes)).sizes["weight_decay"] == 200
