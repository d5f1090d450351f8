"""Spectral laws, ours beside the walk down the imaginary axis that users write today."""

import numpy as np
import pytest
from sympy.abc import m

from widelimit.numerics import freeprob


def walk(x, shift=1e-8, steps=60):
    """MP x MP by Newton on its cubic, from large Im z down at every x (accuracy limited by the final shift)."""
    density = np.empty(x.size)
    for i, point in enumerate(x):
        root = None
        for height in np.geomspace(1e2, shift, steps):
            z = point + 1j * height
            root = 1 / z if root is None else root
            for _ in range(20):
                value = (1 + root) * (1 + root / 5) ** 2 - z * root
                slope = (1 + root / 5) ** 2 + 0.4 * (1 + root) * (1 + root / 5) - z
                root -= value / slope
                if abs(value / slope) < 1e-13:
                    break
        density[i] = -root.imag / np.pi / point
    return density


def ours(x):
    return freeprob.law(S=1 / (1 + m / 5) ** 2).density(x)


@pytest.fixture(scope="module")
def points():
    law = freeprob.law(S=1 / (1 + m / 5) ** 2)
    return np.linspace(*law.support[0], 302)[1:-1]


@pytest.mark.benchmark(group="Marchenko-Pastur x Marchenko-Pastur, ratio 0.2, 300 points")
def test_ours(benchmark, points):
    density = benchmark(ours, points)
    assert np.isfinite(density).all()


@pytest.mark.benchmark(group="Marchenko-Pastur x Marchenko-Pastur, ratio 0.2, 300 points")
def test_walk_down_the_imaginary_axis(benchmark, points):
    density = benchmark.pedantic(walk, (points,), rounds=1)
    assert np.abs(density - ours(points)).max() < 1e-4


@pytest.mark.benchmark(group="Fuss-Catalan")
@pytest.mark.parametrize("factors", [4, 10, 100, 1000])
def test_fuss_catalan(benchmark, factors):
    law = benchmark(freeprob.law, S=(1 + m) ** -factors)
    assert abs(law.mass - 1) < 1e-8


@pytest.mark.benchmark(group="hard edge")
def test_hard_edge(benchmark):
    law = benchmark(freeprob.law, S=(1 + m) ** -2)
    assert abs(law.mass - 1) < 1e-8
