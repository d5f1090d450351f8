"""Derivatives of overlaps against mpmath's, differences of the overlaps themselves, and sums over two tokens."""

from dataclasses import fields

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from widelimit.numerics.attention import overlaps, overlaps_gradient
from widelimit.numerics.attention.tuning import OverlapsSlopes
from widelimit.theory.calculus.ensembles import over_gaussian
from widelimit.theory.errors import ArgumentError

NAMES = [one.name for one in fields(OverlapsSlopes)]


def parts(found):
    return np.array([getattr(found, name) for name in NAMES])


def difference(function, at, step):
    """Of the fourth order."""
    near = [function(at + k * step) for k in (-2, -1, 1, 2)]
    return (8 * (near[2] - near[1]) - (near[3] - near[0])) / (12 * step)


def of_two(std, rho):
    """Overlaps of two tokens by the logistic function, at mpmath's precision."""

    def mean(function, correlation):
        one = 2 * std**2
        return over_gaussian(function, [[one, correlation * one], [correlation * one, one]], 22)

    def logistic(z):
        return 1 / (1 + mpmath.exp(-z))

    def overlap(x, y):
        s, r = logistic(x), logistic(y)
        return s * r + (1 - s) * (1 - r)

    def slope(x, y):
        s, r = logistic(x), logistic(y)
        return 4 * s * (1 - s) * r * (1 - r)

    one = [mean(f, mpf(1)) for f in (overlap, slope)]
    two = [mean(f, rho) for f in (overlap, slope)]
    return mpmath.matrix([one[0], two[0], one[1], two[1], one[0] - two[0]])


@pytest.mark.parametrize("rho", [0.4, -0.6])
def test_two_tokens_by_mpmath(rho):
    found, step = overlaps_gradient(logit_std=0.3, tokens=2, correlation=rho), mpf(10) ** -10
    with mpmath.workdps(30):
        std, shared = mpf(0.3), mpf(rho)
        by_std = (of_two(std + step, shared) - of_two(std - step, shared)) / (2 * step)
        by_rho = (of_two(std, shared + step) - of_two(std, shared - step)) / (2 * step)
    assert parts(found.logit_std) == pytest.approx([float(one) for one in by_std], rel=1e-10)
    assert parts(found.correlation) == pytest.approx([float(one) for one in by_rho], rel=1e-10)


def test_one_row_by_mpmath():
    """S_2 and R_2 = S_2 - 2 S_3 + E (sum A^2)^2 by the integrals of users' networks, 3, differentiated by a and T."""

    def row(std, tokens):
        h = mpf(1) / 4
        m = [[over_gaussian(lambda x, u=u, j=j: mpmath.exp(j * (u + x) - mpmath.exp(u + x)), [[std**2]], 24)
              for j in range(5)] for u in (h * k for k in range(-160, 20))]  # fmt: skip
        s2 = tokens * sum(h * one[2] * one[0] ** (tokens - 1) for one in m)
        s3 = tokens / 2 * sum(h * one[3] * one[0] ** (tokens - 1) for one in m)
        own = tokens / 6 * sum(h * one[4] * one[0] ** (tokens - 1) for one in m)
        pairs = tokens * (tokens - 1) / 6 * sum(h * one[2] ** 2 * one[0] ** (tokens - 2) for one in m)
        return mpmath.matrix([s2, s2 - 2 * s3 + own + pairs])

    found = overlaps_gradient(logit_std=0.5, tokens=5, correlation=0.2)
    with mpmath.workdps(25):
        std, tokens, step = mpf(0.5), mpf(5), mpf(10) ** -8
        by_std = (row(std + step, tokens) - row(std - step, tokens)) / (2 * step)
        by_tokens = (row(std, tokens + step) - row(std, tokens - step)) / (2 * step)
    for slopes, want in ((found.logit_std, by_std), (found.tokens, by_tokens)):
        assert [slopes.within, slopes.within_slope] == pytest.approx([float(x) for x in want], rel=1e-9)


@pytest.mark.parametrize(
    "std, tokens, rho",
    [(0.05, 5, 0.4), (0.3, 4, -0.2), (2.0, 32, 0.6), (6.0, 64, 0.9), (25.0, 6, -0.1), (1.5, 65536, 0.2)],
)
def test_differences_of_overlaps(std, tokens, rho):
    """Differences have the rounding of overlaps, 1e-11, over their step; where logits are small even less changes."""
    found = overlaps_gradient(logit_std=std, tokens=tokens, correlation=rho)
    by_std = difference(
        lambda x: parts(overlaps(logit_std=x, tokens=tokens, correlation=rho)), std, 3e-3 * std
    )
    by_rho = difference(lambda x: parts(overlaps(logit_std=std, tokens=tokens, correlation=x)), rho, 1e-3)
    assert parts(found.logit_std) == pytest.approx(by_std, rel=3e-8, abs=1e-12)
    assert parts(found.correlation) == pytest.approx(by_rho, rel=1e-7, abs=1e-12)


def test_equal_rows_and_even_weights():
    """At rho = 1 rows are one; at a = 0 nothing depends on rho, and S = 1/T, R = (T - 1)/T^2 only on T."""
    same = overlaps_gradient(logit_std=1.3, tokens=6, correlation=1.0)
    assert same.logit_std.across == pytest.approx(same.logit_std.within, rel=1e-10)
    assert same.tokens.across_slope == pytest.approx(same.tokens.within_slope, rel=1e-10)
    assert same.correlation.gap == pytest.approx(-(1.3**2) * same.value.within_slope, rel=1e-10)
    assert (same.logit_std.gap, same.tokens.gap) == (0.0, 0.0)
    even = overlaps_gradient(logit_std=0.0, tokens=7, correlation=0.5)
    assert not parts(even.logit_std).any() and not parts(even.correlation).any()
    want = [-1 / 49, -1 / 49, 2 / 343 - 1 / 49, 2 / 343 - 1 / 49, 0]
    assert parts(even.tokens) == pytest.approx(want, rel=1e-9, abs=1e-20)


def test_arrays_and_refusals():
    found = overlaps_gradient(logit_std=[[0.5], [1.0]], tokens=8, correlation=[0.1, 0.3, 0.5])
    assert found.correlation.across.shape == (2, 3)
    one = overlaps_gradient(logit_std=1.0, tokens=8, correlation=0.3)
    assert found.logit_std.across[1, 1] == one.logit_std.across
    with pytest.raises(ArgumentError, match="logit_std"):
        overlaps_gradient(logit_std=-1.0, tokens=8, correlation=0.3)
