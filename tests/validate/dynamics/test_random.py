"""Simulated random networks against their own matrices."""

import numpy as np
import pytest
from scipy.linalg import expm

from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate.dynamics import random
from widelimit.validate.simulate.kernel import normals


def test_a_difference_from_rest_grows_as_the_matrix_says():
    """Below g = 1 states fade, and a difference that starts at time 20 obeys v' = (W - 1) v."""
    size, g, seed = 12, 0.7, 3
    found = random.separation({"g": g}, size, seed, Backend())
    normal = normals(seed, Backend())
    weights = g / size**0.5 * normal(2, size, size).numpy()
    normal(2, size, 2)
    right = []
    for matrix, start in zip(weights - np.eye(size), normal(2, size, 1).numpy(), strict=True):
        lengths = [np.linalg.norm(expm(time * matrix) @ start) for time in (10, 30)]
        right.append(np.log(lengths[1] / lengths[0]) / 20)
    assert found == pytest.approx(np.mean(right), rel=2e-3)  # steps of 1/2
    assert found < -0.1
