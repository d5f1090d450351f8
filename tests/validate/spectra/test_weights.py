"""Spectra of torch modules: noise as drawn, planted directions, shapes of layers, power laws, what is refused."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.theory.errors import ArgumentError
from widelimit.validate import spectra


def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 24, 3), nn.ReLU(), nn.ConvTranspose2d(24, 12, 2), nn.BatchNorm2d(12), nn.Flatten(),
        nn.Linear(300, 80), nn.Tanh(), nn.Linear(80, 4),
    )  # fmt: skip


def test_every_matrix_is_unfolded_and_named():
    found = spectra.of_module(net())
    assert [(one.name, one.shape) for one in found] == [
        ("0.weight", (24, 27)), ("2.weight", (12, 96)), ("5.weight", (80, 300))
    ]  # fmt: skip
    assert list(found.skipped) == ["7.weight"]
    table = found.table
    assert table.layer.values.tolist() == [one.name for one in found]
    assert table.rows.values.tolist() == [24, 12, 80]
    assert "5.weight" in str(found)
    assert found["5.weight"] is found[2]


def test_untrained_weights_are_noise_of_the_variance_they_were_drawn_with():
    layer = spectra.of_module(net())["5.weight"]
    assert layer.noise.components == 0
    assert abs(layer.noise.noise - 1 / (3 * 300)) < 4 * layer.noise.noise_error
    assert layer.noise.ratio == 80 / 300
    values = np.linalg.svd(net()[5].weight.detach().double().numpy(), compute_uv=False)
    assert layer.eigenvalues == pytest.approx(values**2 / 300, rel=1e-9)
    assert layer.norm == pytest.approx(values[0], rel=1e-9)
    assert layer.stable_rank == pytest.approx((values**2).sum() / values[0] ** 2, rel=1e-9)


def test_a_planted_direction_stands_out():
    torch.manual_seed(1)
    layer = nn.Linear(200, 100)
    u, v = torch.randn(100), torch.randn(200)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(100, 200) + 40 * torch.outer(u / u.norm(), v / v.norm()))
    found = spectra.of_module(layer)[0].noise
    assert found.components == 1
    assert found.spikes[0] == pytest.approx(1 + 40**2 / 200, rel=0.1)


def test_shared_weights_count_once():
    module = nn.Sequential(nn.Embedding(50, 30), nn.Linear(30, 50, bias=False))
    module[1].weight = module[0].weight
    assert len(spectra.of_module(module)) == 1


def test_recurrent_cells_and_attention():
    found = spectra.of_module(nn.ModuleDict({"cell": nn.GRU(10, 20), "heads": nn.MultiheadAttention(16, 2)}))
    names = [one.name for one in found]
    assert {"cell.weight_ih_l0", "cell.weight_hh_l0", "heads.in_proj_weight"} <= set(names)


def test_power_laws_with_intervals():
    random = np.random.default_rng(3)
    inside = 0
    for _ in range(20):
        found = spectra.power_tail(random.pareto(2.0, 400) + 1)  # density x^-3
        inside += found.interval[0] <= 3.0 <= found.interval[1]
    assert inside >= 15
    assert found.error == pytest.approx((found.alpha - 1) / math.sqrt(found.count), rel=1e-12)


def test_the_start_of_a_tail_can_be_given():
    x = np.random.default_rng(1).pareto(1.5, 500) + 1
    for start in (1.5, 2.0, 3.0):
        found = spectra.power_tail(x, start=start)
        tail = x[x >= start]
        assert (found.count, found.start) == (tail.size, tail.min())
        assert found.alpha == pytest.approx(1 + tail.size / np.log(tail / tail.min()).sum(), rel=1e-12)
        shares = 1 - (np.sort(tail) / tail.min()) ** (1 - found.alpha)
        steps = np.arange(tail.size + 1) / tail.size
        gap = max(np.abs(shares - steps[1:]).max(), np.abs(shares - steps[:-1]).max())
        assert found.distance == pytest.approx(gap, rel=1e-10)
    for bad in (0.0, -1.0, float("nan"), "x", x.max()):
        with pytest.raises(ArgumentError, match="`start`"):
            spectra.power_tail(x, start=bad)


def test_heavy_tails_are_told_from_light_ones():
    heavy = spectra.power_tail(np.random.default_rng(0).pareto(1.5, 1000) + 1)
    assert heavy.p_value > 0.02
    assert heavy.alpha == pytest.approx(2.5, abs=0.3)


def test_low_ranks_and_zeros_have_no_noise():
    layer = nn.Linear(20, 10)
    with torch.no_grad():
        layer.weight.zero_()
    found = spectra.of_module(layer)[0]
    assert found.noise is None
    assert found.stable_rank == 0.0
    assert np.isnan(spectra.of_module(layer).table.variance.values).all()


@pytest.mark.parametrize("bad", [None, "net", 3, nn.ReLU(), nn.Linear(3, 2), nn.LazyLinear(20)])
def test_what_has_no_matrices_is_refused(bad):
    with pytest.raises(ArgumentError, match="`module`"):
        spectra.of_module(bad)


def test_weights_that_are_not_finite_are_refused():
    layer = nn.Linear(20, 10)
    with torch.no_grad():
        layer.weight[0, 0] = float("nan")
    with pytest.raises(ArgumentError, match="finite weights"):
        spectra.of_module(layer)


@pytest.mark.parametrize(
    "bad", [[], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0], [float("nan")] * 9, None, "x", [-1.0] * 9]
)
def test_power_laws_of_nothing_are_refused(bad):
    with pytest.raises(ArgumentError, match="`eigenvalues`"):
        spectra.power_tail(bad)


def test_a_tail_of_numbers_that_differ_by_rounding_is_refused():
    with pytest.raises(ArgumentError, match="must differ by more than rounding"):
        spectra.power_tail(1 + 3e-16 * np.arange(6))
