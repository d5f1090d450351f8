"""Gradients through maxima: they go to the largest of a window, which has passed the activation in front of it."""

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.validate.network import report
from widelimit.validate.network.graph.backward import _routed, _Way


class Block(nn.Module):
    """What comes in, and a branch of two convolutions, through a ReLU."""

    def __init__(self, units):
        super().__init__()
        self.one, self.two = (nn.Conv2d(units, units, 3, padding=1, bias=False) for _ in range(2))
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(x + self.two(self.relu(self.one(x))))


class Stem(nn.Module):
    """As residual networks begin: convolution, ReLU, maxima, and blocks whose shortcut starts right behind them."""

    def __init__(self, units, *further):
        super().__init__()
        self.first = nn.Conv2d(3, units, 3, padding=1, bias=False)
        self.body = nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, 2, 1), *further, Block(units))
        self.last = nn.Linear(units, 10)
        for one in self.modules():
            if isinstance(one, nn.Conv2d):
                nn.init.kaiming_normal_(one.weight)

    def forward(self, x):
        return self.last(self.body(self.first(x)).mean((2, 3)))


@pytest.mark.parametrize("further", [(), (nn.MaxPool2d(2),)], ids=["one", "two in a row"])
def test_a_shortcut_behind_maxima_remembers_their_places(further):
    """The largest of nine is hardly ever cut off by ReLU: half of the gradients are lost at other places only."""
    torch.manual_seed(0)
    found = report(Stem(64, *further), torch.randn(3, 3, 8, 8), draws=24)
    first = found.layers[0]
    assert first.name == "first" and first.verdict == "agrees"
    assert first.g_measured == pytest.approx(first.g_predicted, rel=0.1, abs=3 * first.g_error)
    assert first.g_error < 0.12 * first.g_predicted


def brute(drawn, where, positions):
    """Gradients of single units at the places of the maxima, and their moments."""
    out = np.zeros((len(drawn), positions))
    for sample, (values, places) in enumerate(zip(drawn, where, strict=True)):
        for value, place in zip(values, places, strict=True):
            out[sample, place] += value
    return out, out.T @ out / len(out)


def test_routed_samples_are_sums_at_places():
    rng = np.random.default_rng(0)
    where, drawn = rng.integers(0, 5, (40, 3)), rng.standard_normal((64, 3))
    value = drawn.T @ drawn / 64
    found = _routed(_Way(value, value, drawn=drawn), where, 5)
    out, moments = brute(drawn[:40], where, 5)
    assert np.allclose(found.drawn, out) and np.allclose(found.value, moments)


def test_routed_moments_meet_slopes_sample_by_sample():
    """Fresh gradients are independent of the unit: their moments meet slopes at the place of each sample."""
    rng = np.random.default_rng(1)
    where, slopes, root = (
        rng.integers(0, 5, (400, 3)),
        rng.standard_normal((500, 3)),
        rng.standard_normal((3, 3)),
    )
    fresh = root.T @ root
    found = _routed(_Way(fresh, fresh, lambda: slopes), where, 5)
    want = np.zeros((5, 5))
    for places, slope in zip(where, slopes[:400], strict=True):
        hot = np.eye(5)[places]  # (outputs, positions)
        want += hot.T @ (fresh * np.outer(slope, slope)) @ hot / 400
    assert np.allclose(found.value, want) and np.allclose(found.slopes(), slopes[:400])
    outer = rng.integers(0, 7, (300, 5))
    twice = _routed(found, outer, 7)
    assert np.array_equal(twice.at, np.take_along_axis(outer, where[:300], axis=1))
