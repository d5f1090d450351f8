"""Changes of gain between two contrasts: against the closed form of a cell that adapts, and one that does not."""

import math

import numpy as np
import pytest
from scipy import optimize, special, stats

from widelimit.numerics.retina import contrast_change
from widelimit.theory.errors import WidelimitError

FILTER = np.array([0.6, 0.0, -0.8, 0.0, 0.0, 0.0])


def recording(seed, contrast, rate, bins=10_000):
    rng = np.random.default_rng(seed)
    x = contrast * rng.standard_normal((bins, FILTER.size))
    return x, rng.poisson(rate(x @ FILTER))


def static(u):
    return 3 * (1 + special.erf(u / np.sqrt(2)))


def rested(contrast, feedback, threshold):
    """w m + b of tau m' = -m + E [s z - w m - b]_+, by a bracketed root."""

    def excess(m):
        q = (feedback * m + threshold) / contrast
        return contrast * (stats.norm.pdf(q) - q * stats.norm.sf(q)) - m

    return feedback * optimize.brentq(excess, 0, 10 * contrast + abs(threshold)) + threshold


def test_a_static_cell_does_not_adapt():
    """Its change is that of E f' = sqrt(2/pi)/sqrt(1 + s^2); thirty recordings scatter as their errors say."""
    found = [contrast_change(recording(k, 0.4, static), recording(99 + k, 1.6, static)) for k in range(30)]
    want = 0.5 * math.log((1 + 0.4**2) / (1 + 1.6**2))
    assert np.mean([one.static for one in found]) == pytest.approx(want, abs=0.01)
    assert np.mean([one.change for one in found]) == pytest.approx(want, abs=0.01)
    z = np.array([one.z for one in found])
    assert abs(z.mean()) < 3 / np.sqrt(30)
    assert 0.6 < z.std() < 1.5


def test_a_cell_with_feedback_adapts_as_theory_says():
    low, high, w, b = 0.5, 2.0, 2.0, -0.5
    below = {s: rested(s, w, b) for s in (low, high)}
    want = math.log(stats.norm.sf(below[high] / low) / stats.norm.sf(below[low] / low))
    found = contrast_change(
        *(
            recording(int(2 * s), s, lambda u, s=s: 4 * np.maximum(u - below[s], 0), 60_000)
            for s in (2.0, 0.5)
        )
    )
    assert found.contrast == pytest.approx((2.0, 0.5), rel=0.02)
    assert found.gain == pytest.approx([4 * stats.norm.sf(below[s] / s) for s in (2.0, 0.5)], rel=0.03)
    assert found.adaptation == pytest.approx(-want, abs=4 * found.standard_error)
    assert abs(found.adaptation) > 20 * found.standard_error
    assert found.change == pytest.approx(found.static + found.adaptation, abs=1e-12)


def test_lags_and_files(tmp_path):
    rng = np.random.default_rng(0)
    pairs = []
    for k, contrast in enumerate((0.5, 1.5)):
        x = contrast * rng.standard_normal((6000, 2))
        r = rng.poisson(np.exp(np.concatenate([[0.0], 0.6 * x[:-1, 0]]) - 0.5))  # the frame before
        np.save(tmp_path / f"x{k}.npy", x)
        np.save(tmp_path / f"r{k}.npy", r)
        pairs.append((tmp_path / f"x{k}.npy", tmp_path / f"r{k}.npy"))
    found = contrast_change(*pairs, lags=2)
    assert found.change == pytest.approx(0.18 * (1.5**2 - 0.5**2), abs=0.12)  # E f' = .6 exp(.18 s^2 - .5)
    assert abs(found.z) < 4


GOOD = recording(0, 0.5, static, 500)


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (GOOD, GOOD, "another contrast"), (GOOD, 3, "pair"), (GOOD, GOOD[:1], "pair"),
        (GOOD, recording(1, 1.0, static, 100), "400 bins"), (GOOD, (GOOD[0][:, :2], GOOD[1]), "6 numbers"),
        (GOOD, (2 * GOOD[0], GOOD[1] * 0), "response"), (GOOD, (2 * GOOD[0], GOOD[1][:-1]), "response"),
        (GOOD, (GOOD[0] * math.nan, GOOD[1]), "stimulus"), (GOOD, (GOOD[0] * 0, GOOD[1]), "stimulus"),
    ],
)  # fmt: skip
def test_bad_input(first, second, says):
    with pytest.raises(WidelimitError, match=says):
        contrast_change(first, second)
