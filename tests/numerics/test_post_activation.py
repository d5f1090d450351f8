"""Post-activation networks: counts of walks, sums in closed form, a simulated walk, and bad input."""

import math

import numpy as np
import pytest
from mpmath import mp

from widelimit.numerics import residual
from widelimit.theory.errors import ArgumentError
from widelimit.theory.residual import walks


def test_worked_values():
    found = residual.post_activation(15)
    assert found.zeros[8] == pytest.approx(0.1854705810547, rel=1e-12)
    assert found.second_moment[8] == pytest.approx(6.74511996, rel=1e-9)
    assert found.open[0, 15] == pytest.approx(0.21218215814, rel=1e-10)
    deep = residual.post_activation(12)
    assert (deep.zeros[12], deep.second_moment[12]) == pytest.approx((0.1550, 10.19), rel=1e-3)


def test_all_entries_against_sums():
    blocks = 20
    found = residual.post_activation(blocks)
    u = [math.comb(2 * n, n) / 4**n for n in range(blocks + 2)]
    for l in range(blocks + 1):  # noqa: E741 - the paper's letter
        n = l + 1
        assert found.zeros[l] == pytest.approx(u[n], rel=1e-13)
        mean = sum((2 * math.pi * k) ** -0.5 for k in range(1, n + 1))
        crossed = [(j, k) for j in range(1, n) for k in range(1, n) if j + k <= n]
        square = n / 2 + sum(1 / (2 * math.pi * math.sqrt(j * k)) for j, k in crossed)
        assert (found.mean[l], found.second_moment[l]) == pytest.approx((mean, square), rel=1e-12)
        for top in range(blocks + 1):
            want = sum(u[k] * u[top + 1 - k] for k in range(n + 1)) if top >= l else 0.0
            assert found.open[l, top] == pytest.approx(want, rel=1e-12, abs=1e-15)
    assert np.diag(found.open) == pytest.approx(1.0, rel=1e-12)
    far = residual.post_activation(400).open[99, 399]
    assert far == pytest.approx(2 / math.pi * math.asin(math.sqrt(100 / 400)), rel=5e-3)


def test_a_simulated_walk():
    random = np.random.default_rng(0)
    x, places = np.zeros(200_000), []
    for _ in range(6):
        x = np.maximum(0, x + random.standard_normal(x.size))
        places.append(x)
    found = residual.post_activation(5)
    assert float((x == 0).mean()) == pytest.approx(found.zeros[5], abs=4e-3)
    assert float((x**2).mean()) == pytest.approx(found.second_moment[5], rel=0.02)
    alive = np.all([one > 0 for one in places[3:]], axis=0)
    assert float(alive.mean()) == pytest.approx(found.open[2, 5], abs=5e-3)


def test_counted_walks_do_not_depend_on_the_steps():
    assert [walks.zeros(n) for n in (1, 2, 3)] == [
        pytest.approx(math.comb(2 * n, n) / 4**n) for n in (1, 2, 3)
    ]


def test_scales_of_fixup_and_growth_behind_batch_normalisation():
    assert residual.fixup_scale(64, 3) == pytest.approx(64 ** (-1 / 4), rel=1e-13)
    np.testing.assert_allclose(residual.normalised(50), np.arange(1.0, 52.0), rtol=1e-12)
    assert residual.normalised(0).tolist() == [1.0]


@pytest.mark.parametrize("blocks", [-1, 1.5, "3", True, 10**400, 10**6, None, [3]])
def test_bad_numbers_of_blocks(blocks):
    with pytest.raises(ArgumentError):
        residual.post_activation(blocks)
    if blocks != 10**6:
        with pytest.raises(ArgumentError):
            residual.normalised(blocks)


@pytest.mark.parametrize("given", [(0, 2), (4, 1), (4.0, 2), (10**400, 2), (4, 10**400), (True, 2)])
def test_bad_branches(given):
    with pytest.raises(ArgumentError):
        residual.fixup_scale(*given)


def test_a_network_without_blocks_is_its_stem():
    found = residual.post_activation(0)
    assert found.zeros.tolist() == [0.5] and found.open.tolist() == [[1.0]]
    assert found.second_moment.tolist() == [0.5]


@pytest.mark.parametrize(("sigma_v", "sigma_a"), [(1e-300, 0.0), (3e-200, 4e-200), (0.7, 0.2)])
def test_the_exponent_of_tanh_at_any_scale(sigma_v, sigma_a):
    found = residual.predict(sigma_b=407, sigma_v=sigma_v, sigma_a=sigma_a, depth=1).exponent
    with mp.workdps(30):
        v, a = mp.mpf(sigma_v), mp.mpf(sigma_a)
        assert found == pytest.approx(
            float(4 * mp.sqrt(2 / mp.pi) / 3 * v**2 / mp.sqrt(v**2 + a**2)), rel=1e-14
        )
