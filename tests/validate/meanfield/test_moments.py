"""Moments against high precision, and vectors that have exactly the moments asked for."""

import mpmath
import pytest
import torch

from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.drawing.weights import Draws
from widelimit.validate.simulate.meanfield import moments


def draws(seeds=(1, 2, 3)):
    return Draws(seeds, Backend())


@pytest.mark.parametrize("one_minus_c", [0.5, 1e-3, 1e-8, 1e-14])
def test_pairs_have_exactly_the_prescribed_moments(one_minus_c):
    a, b = moments.pairs(draws(), 200, 4, q=0.7, one_minus_c=one_minus_c)
    found = moments.pair_moments(a, b)
    assert found.q_a.flatten().tolist() == pytest.approx([0.7] * 12, rel=1e-12)
    assert found.q_b.flatten().tolist() == pytest.approx([0.7] * 12, rel=1e-12)
    relative = 1e-11 + 1e-15 / one_minus_c**0.5  # rounding of the vectors themselves
    assert found.one_minus_c.flatten().tolist() == pytest.approx([one_minus_c] * 12, rel=relative)


def test_one_minus_c_against_fifty_digits():
    generator = torch.Generator().manual_seed(5)
    a = torch.randn(1, 60, 1, dtype=torch.float64, generator=generator)
    b = 1.3 * a + 1e-6 * torch.randn(1, 60, 1, dtype=torch.float64, generator=generator)
    with mpmath.workdps(50):
        u, v = (mpmath.matrix([mpmath.mpf(value) for value in t.flatten().tolist()]) for t in (a, b))
        exact = 1 - (u.T * v)[0] / mpmath.sqrt((u.T * u)[0] * (v.T * v)[0])
    found = moments.pair_moments(a, b).one_minus_c.item()
    assert found == pytest.approx(
        float(exact), rel=1e-3
    )  # of 3e-13, where 1 - c in doubles has an error of 1e-16
    close = a * (1 + 1e-9) + 1e-9 * torch.randn(1, 60, 1, dtype=torch.float64, generator=generator)
    with mpmath.workdps(50):
        v = mpmath.matrix([mpmath.mpf(value) for value in close.flatten().tolist()])
        exact = 1 - (u.T * v)[0] / mpmath.sqrt((u.T * u)[0] * (v.T * v)[0])
    assert moments.pair_moments(a, close).one_minus_c.item() == pytest.approx(float(exact), rel=1e-6)


@pytest.mark.parametrize("c", [0.35, 0.0, -0.2])
def test_family_and_cross_correlation(c):
    h = moments.family(moments.orthonormal(draws(), 100, 9), q=1.3, c=c)
    assert moments.length(h).flatten().tolist() == pytest.approx([1.3] * 24, rel=1e-12)
    assert moments.cross_correlation(h).tolist() == pytest.approx([c] * 3, rel=1e-12)
    # against a direct loop on vectors without a common correlation
    h = draws().normal(50, 4)
    pairs = [(i, j) for i in (0, 1) for j in (2, 3)]
    direct = [moments.pair_moments(h[..., i : i + 1], h[..., j : j + 1]).c.flatten() for i, j in pairs]
    assert torch.allclose(moments.cross_correlation(h), torch.stack(direct).mean(dim=0))


def test_too_few_neurons_are_refused():
    with pytest.raises(ArgumentError, match="`size` must be at least 9"):
        moments.orthonormal(draws(), 8, 9)
