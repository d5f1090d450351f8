"""Convolutional cells: their steps written out by hand, what theory says of them, and bad input."""

import math

import pytest
import torch

from widelimit.numerics import meanfield
from widelimit.theory.errors import ArgumentError, NoFixedPointError
from widelimit.validate.recurrence import ConvBypass, ReciprocalGated, unrolled


def windows(x, weight):
    """A convolution by hand: patches times weights."""
    k = weight.shape[-1]
    patches = torch.nn.functional.unfold(x, k, padding=k // 2)
    return (weight.flatten(1) @ patches).view(x.shape)


def test_a_bypass_steps_as_written():
    torch.manual_seed(0)
    cell = ConvBypass(3, 5, keep=0.7, sigma_w=1.4, sigma_b=0.2, dtype=torch.float64)
    x, h = torch.randn(2, 2, 3, 6, 7, dtype=torch.float64)
    right = 0.7 * h + 0.3 * (windows(h.tanh(), cell.recur.weight) + cell.recur.bias.view(3, 1, 1) + x)
    assert torch.allclose(cell(x, h), right, atol=1e-12)
    assert torch.allclose(unrolled(cell, x, 2), cell(x, cell(x)), atol=0)


def test_a_reciprocal_cell_steps_as_written():
    torch.manual_seed(1)
    cell = ReciprocalGated(3, sigma_w=2.0, output="tanh", offset=0.5, multiplier=2.0, dtype=torch.float64)
    x, h, c = torch.randn(3, 2, 3, 5, 5, dtype=torch.float64)
    seen = {"hh": h, "ch": c, "hc": h, "cc": c}
    factor = {n: 0.5 + 2 * torch.sigmoid(windows(z, getattr(cell, n).weight)) for n, z in seen.items()}
    found = cell(x, (h, c))
    assert torch.allclose(found[0], torch.tanh(factor["ch"] * x + factor["hh"] * h), atol=1e-12)
    assert torch.allclose(found[1], torch.tanh(factor["hc"] * x + factor["cc"] * c), atol=1e-12)


def test_a_cell_rests_where_theory_says():
    torch.manual_seed(2)
    cell = ReciprocalGated(96, sigma_w=0.25, dtype=torch.float64)
    x = torch.randn(1, 96, 12, 12, dtype=torch.float64)
    with torch.no_grad():
        h = unrolled(cell, x, 30)
    size = float((x**2).mean())
    middle = h[..., 3:-3, 3:-3]  # windows at the border are cut
    right = cell.expected(size).q_star / size
    assert float((middle**2).mean() / (x[..., 3:-3, 3:-3] ** 2).mean()) == pytest.approx(right, rel=0.04)
    assert cell.expected(size).gate_variance == pytest.approx(0.25**2 * cell.expected(size).q_star, rel=0.02)
    with pytest.raises(NoFixedPointError):
        ReciprocalGated(8, sigma_w=1.0).expected(1.0)


def test_a_bypass_is_expected_to_be_what_it_was_drawn_as():
    torch.manual_seed(3)
    found = ConvBypass(64, keep=0.8, sigma_w=0.9, sigma_b=0.3).expected()
    layer = meanfield.solve("tanh", sigma_w=0.9, sigma_b=0.3)
    assert found.radius == pytest.approx(0.8 + 0.2 * math.sqrt(layer.chi_1), abs=0.01)
    assert ConvBypass(64, keep=0.8, sigma_w=0.9).expected().radius == pytest.approx(0.98, abs=2e-3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ConvBypass(3, keep=1.0),
        lambda: ConvBypass(3, keep=math.nan),
        lambda: ConvBypass(0),
        lambda: ConvBypass(3, 4),
        lambda: ConvBypass(3, activation="gelu"),
        lambda: ConvBypass(3)(torch.zeros(2, 4, 8, 8)),
        lambda: ConvBypass(3)(torch.zeros(2, 3, 8)),
        lambda: ConvBypass(3)("image"),
        lambda: ReciprocalGated(3, output="relu"),
        lambda: ReciprocalGated(3, sigma_w=-1.0),
        lambda: ReciprocalGated(3)(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)),
        lambda: ReciprocalGated(3, output="tanh").expected(1.0),
        lambda: unrolled(torch.nn.Linear(2, 2), torch.zeros(1, 3, 4, 4), 2),
        lambda: unrolled(ConvBypass(3), torch.zeros(1, 3, 4, 4), 0),
    ],
)
def test_bad_input(call):
    with pytest.raises(ArgumentError):
        call()
