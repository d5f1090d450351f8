"""Mean-field solvers beside what one writes today: scipy's quad and brentq, one point at a time.

The baseline runs on a few points of the same grid; its time for the whole grid is that per point times 40,000.
"""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.optimize import brentq

from widelimit.numerics import meanfield
from widelimit.numerics.meanfield.lengths import fixed_points
from widelimit.numerics.meanfield.maps import maps

W, B = np.linspace(0.5, 4, 200), np.linspace(0, 2, 200)
POINTS = [(1.0, 0.5), (2.0, 0.1), (3.5, 1.5)]


def average(f, q):
    return quad(lambda z: f(math.sqrt(q) * z) * math.exp(-z * z / 2), -10, 10, epsabs=1e-13, epsrel=1e-12)[
        0
    ] / math.sqrt(2 * math.pi)


def scipy_length(w, b):
    q = brentq(lambda q: w * w * average(lambda x: math.tanh(x) ** 2, q) + b * b - q, 1e-9, 50, xtol=1e-13)
    average(lambda x: math.cosh(x) ** -4, q)
    average(lambda x: -2 * math.tanh(x) ** 2 / math.cosh(x) ** 2, q)


def scipy_correlation(w, b, q):
    def image(c):
        def integrand(t, z):
            u, v = math.sqrt(q) * z, math.sqrt(q) * (c * z + math.sqrt(1 - c * c) * t)
            return math.tanh(u) * math.tanh(v) * math.exp(-(z * z + t * t) / 2)

        return dblquad(integrand, -8, 8, -8, 8, epsabs=1e-9)[0] / (2 * math.pi)

    return brentq(lambda c: (w * w * image(c) + b * b) / q - c, 0.0, 0.99, xtol=1e-8)


def test_lengths_ours_grid_of_40000(benchmark):
    functions = maps("tanh")
    w, b = (np.ascontiguousarray(a).ravel() for a in np.broadcast_arrays(W[:, None], B[None, :]))
    fixed_points(functions.moments, functions.table, w[:2] ** 2, b[:2] ** 2)
    benchmark.pedantic(lambda: fixed_points(functions.moments, functions.table, w**2, b**2), rounds=5)


def test_lengths_scipy_three_points(benchmark):
    benchmark.pedantic(lambda: [scipy_length(*point) for point in POINTS], rounds=3)


def test_correlations_ours_grid_of_40000(benchmark):
    meanfield.solve("tanh", sigma_w=2.0, sigma_b=0.1)
    benchmark.pedantic(lambda: meanfield.solve("tanh", sigma_w=W[:, None], sigma_b=B[None, :]), rounds=3)


def test_correlations_scipy_one_point(benchmark):
    p = meanfield.solve("tanh", sigma_w=2.0, sigma_b=0.5)
    c = benchmark.pedantic(lambda: scipy_correlation(2.0, 0.5, p.q_star), rounds=1)
    assert c == pytest.approx(p.c_star, abs=1e-7)


PROGRAM = """
import sys, time
from widelimit.numerics import meanfield
start = time.perf_counter()
meanfield.solve(sys.argv[1], sigma_w=1.1, sigma_b=0.2)
print(time.perf_counter() - start)
"""


@pytest.mark.parametrize("process", ["first", "next"])
def test_new_parsed_activation(benchmark, tmp_path, process):
    environment = {**os.environ, "WIDELIMIT_CACHE": str(tmp_path)}

    def run():
        command = [sys.executable, "-c", PROGRAM, "tanh(x) + x/(3 + x**2)"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        benchmark.extra_info["first solve, seconds after imports"] = float(done.stdout)

    if process == "next":
        run()
    benchmark.pedantic(run, rounds=1)
    print(benchmark.extra_info)
