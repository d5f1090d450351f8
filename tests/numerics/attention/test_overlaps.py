"""Overlaps of rows of softmax weights against sums, quadratures and draws of their own."""

import math
import time
import warnings

import numpy as np
import pytest
from scipy.special import expit

from widelimit.numerics.attention import overlaps
from widelimit.numerics.attention.shares import row_overlaps
from widelimit.theory.errors import ArgumentError, WidelimitError


def parts(found):
    return [found.within, found.across, found.within_slope, found.across_slope]


def of_two(std, rho):
    """T = 2: the logistic function of a Gaussian pair, on a dense lattice."""
    z = np.linspace(-9, 9, 3601)
    weight = np.exp(-(z**2) / 2)
    weight /= weight.sum()
    first = expit(std * math.sqrt(2) * z)
    coarse = z[::4], weight[::4] * 4
    second = expit(std * math.sqrt(2) * (rho * z[:, None] + math.sqrt(1 - rho**2) * coarse[0]))
    mean = second @ coarse[1]
    slope = (second * (1 - second)) @ coarse[1]
    return [
        weight @ (first**2 + (1 - first) ** 2),
        weight @ (first * mean + (1 - first) * (1 - mean)),
        4 * weight @ (first * (1 - first)) ** 2,
        4 * weight @ (first * (1 - first) * slope),
    ]


def drawn(std, tokens, rho, rows, seed):
    """Means of 1/2 (overlap), and of slopes, over rows of their own, with standard errors."""
    rng = np.random.default_rng(seed)
    g = rng.standard_normal((rows, tokens))
    h = rho * g + math.sqrt(1 - rho**2) * rng.standard_normal((rows, tokens))
    a, b = (np.exp(std * one) for one in (g, h))
    a, b = a / a.sum(1, keepdims=True), b / b.sum(1, keepdims=True)
    found = []
    for x, y in ((a, a), (a, b)):
        s = (x * y).sum(1)
        slope = s - (x * x * y).sum(1) - (x * y * y).sum(1) + s**2
        found.append((s, slope))
    columns = np.stack([found[0][0], found[1][0], found[0][1], found[1][1]])
    return columns.mean(1), columns.std(1) / math.sqrt(rows)


@pytest.mark.parametrize(
    "std, tokens, rho, worked",
    [
        (1.0, 8, 0.3, [0.232313447232, 0.15214058506, 0.134522284600, 0.09696422174]),
        (2.0, 32, 0.6, [0.228374297723, 0.11189395895, 0.100083911079, 0.05219001819]),
    ],
)
def test_worked_values(std, tokens, rho, worked):
    found = overlaps(logit_std=std, tokens=tokens, correlation=rho)
    assert parts(found) == pytest.approx(worked, rel=1e-10)
    assert found.error < 1e-8


@pytest.mark.parametrize("std", [1e-3, 0.1, 0.7, 1.5, 4.0])
@pytest.mark.parametrize("rho", [-0.95, -0.3, 0.0, 0.4, 0.99])
def test_two_tokens_are_a_logistic_function(std, rho):
    found = overlaps(logit_std=std, tokens=2, correlation=rho)
    assert parts(found) == pytest.approx(of_two(std, rho), rel=1e-9)


@pytest.mark.parametrize(
    "std, tokens, rho",
    [(0.5, 3, -0.45), (1.0, 5, 0.8), (3.0, 64, 0.5), (8.0, 16, 0.9), (25.0, 6, -0.15), (10.0, 16, 0.0025)],
)
def test_many_rows_drawn(std, tokens, rho):
    rows = 1_500_000 // tokens
    mean, error = drawn(std, tokens, rho, rows, 7)
    found = np.array(parts(overlaps(logit_std=std, tokens=tokens, correlation=rho)))
    assert (np.abs(found - mean) < 4 * error).all()


@pytest.mark.parametrize("std, tokens, rho", [(10.0, 16, 0.0025), (10.0, 200, 0.0016), (20.0, 1000, 5e-4)])
def test_rows_that_share_little(std, tokens, rho):
    """Independent rows: S = 1/T and R = tr (E J)^2 = (1 - S_2)^2/(T - 1), E J symmetric in tokens; dS/drho = a^2 R."""
    one, other = (overlaps(logit_std=std, tokens=tokens, correlation=sign * rho) for sign in (1, -1))
    slope = (1 - one.within) ** 2 / (tokens - 1)
    assert (one.across + other.across) / 2 == pytest.approx(1 / tokens, rel=2e-3)
    assert (one.across - other.across) / (2 * rho) == pytest.approx(std**2 * slope, rel=2e-3)
    assert (one.across_slope + other.across_slope) / 2 == pytest.approx(slope, rel=2e-3)


@pytest.mark.parametrize("std, tokens", [(0.2, 3), (1.3, 17), (6.0, 1000), (30.0, 65536)])
def test_one_row_by_a_dense_sum(std, tokens):
    z = np.linspace(-11, 11, 4001)
    weight = np.exp(-(z**2) / 2)
    weight /= weight.sum()
    centre = -min(math.log(tokens) + std**2 / 2, std * math.sqrt(2 * math.log(tokens)))
    u = np.linspace(centre - 30 - 3 * std, 5 + 7 * std, 1501)
    z, weight = z[::2], weight[::2] * 2
    t = np.exp(np.minimum(u[:, None] + std * z, 20.0))
    m0, m2 = np.exp(-t) @ weight, (t**2 * np.exp(-t)) @ weight
    dense = tokens * np.sum(m2 * m0 ** (tokens - 1)) * (u[1] - u[0])
    assert overlaps(logit_std=std, tokens=tokens, correlation=0.1).within == pytest.approx(dense, rel=2e-9)


def test_large_numbers_of_tokens_have_the_exponential_laws_of_the_note():
    std = 0.3 * math.sqrt(2 * math.log(65536))
    found = overlaps(logit_std=std, tokens=65536, correlation=0.5)
    assert found.within * 65536 / math.exp(std**2) - 1 == pytest.approx(-0.0013, abs=3e-4)
    assert found.across * 65536 / math.exp(std**2 / 2) == pytest.approx(1, abs=5e-4)


@pytest.mark.parametrize("tokens, value", [(64, 0.607), (1024, 0.574), (65536, 0.551)])
def test_entropy_collapse_is_logarithmically_slow(tokens, value):
    std = 2 * math.sqrt(2 * math.log(tokens))
    assert overlaps(logit_std=std, tokens=tokens, correlation=0.0).within == pytest.approx(value, abs=6e-4)


def test_even_weights_and_equal_rows():
    found = overlaps(logit_std=[0.0, 1e-300, 1e-7], tokens=16, correlation=0.4)
    assert found.within == pytest.approx([1 / 16] * 3, rel=1e-13)
    assert found.within_slope == pytest.approx([15 / 256] * 3, rel=1e-10)
    same = overlaps(logit_std=2.0, tokens=8, correlation=1.0)
    assert (same.within, same.within_slope, same.gap) == (same.across, same.across_slope, 0.0)


@pytest.mark.parametrize(
    "std, apart", [(1e-4, 0.5), (0.05, 0.1), (0.09, 0.9), (0.3, 0.1), (1.0, 1e-9), (0.3, 0.2)]
)
def test_the_gap_keeps_its_digits(std, apart):
    """Two tokens: the difference of two lattices' summands, none of which cancels: 1/2 (tanh - tanh')^2 / 2."""
    z = np.linspace(-8.5, 8.5, 681)
    weight = np.exp(-(z**2) / 2)
    weight /= weight.sum()
    rho = 1 - apart
    mean = std * math.sqrt(2) * math.sqrt((1 + rho) / 2) * z[:, None]
    half = std * math.sqrt(2) * math.sqrt(apart / 2) * z
    apart_ = np.sinh(half) / np.cosh((mean + half) / 2) / np.cosh((mean - half) / 2)  # tanh(x/2) - tanh(y/2)
    exact = weight @ (apart_**2 / 4) @ weight
    assert overlaps(logit_std=std, tokens=2, correlation=rho).gap == pytest.approx(
        exact, rel=3e-7 if apart < 1e-6 else 2e-8
    )


def test_rows_of_different_lengths():
    shares, slopes = row_overlaps(1.2, 6, 0.4, 0.6)
    rng = np.random.default_rng(3)
    count = 200_000
    g = rng.standard_normal((count, 6))
    h = 0.4 * g + math.sqrt(1 - 0.16) * rng.standard_normal((count, 6))
    for i, k in ((1, 1), (1, 4), (3, 3), (2, 6), (4, 5), (5, 6)):
        a, b = np.exp(1.2 * (g[:, :i])), np.exp(1.2 * (g if i == k else h)[:, :k])
        a, b = a / a.sum(1, keepdims=True), b / b.sum(1, keepdims=True)
        b = b[:, :i]
        s = (a * b).sum(1)
        slope = s - (a * a * b).sum(1) - (a * b * b).sum(1) + s**2
        for found, one in ((shares, s), (slopes, slope)):
            assert abs(found[i - 1, k - 1] - one.mean()) <= 4 * one.std() / math.sqrt(count) + 1e-12
    assert (shares == shares.T).all()


def test_arguments_broadcast():
    found = overlaps(logit_std=[[1.0], [2.0]], tokens=[4, 8, 16], correlation=0.2)
    assert found.within.shape == found.error.shape == (2, 3)
    assert found.across[1, 2] == overlaps(logit_std=2.0, tokens=16, correlation=0.2).across


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, 1e3, 10**400, "1", True, None, [[1], [2, 3]]])
def test_bad_logits(value):
    with pytest.raises(ArgumentError, match="`logit_std`"):
        overlaps(logit_std=value, tokens=4, correlation=0.0)


@pytest.mark.parametrize("value", [1, 0, -3, 2.5, math.nan, math.inf, 10**400, "4", True, 1e300])
def test_bad_tokens(value):
    with pytest.raises(ArgumentError, match="`tokens`"):
        overlaps(logit_std=1.0, tokens=value, correlation=0.0)


@pytest.mark.parametrize(
    "tokens, value", [(2, -1.0), (4, -1 / 3), (8, -0.2), (8, 1.0 + 1e-12), (8, math.nan), (8, "x")]
)
def test_bad_correlations(tokens, value):
    with pytest.raises(ArgumentError, match="`correlation`"):
        overlaps(logit_std=1.0, tokens=tokens, correlation=value)


def test_extremes_are_numbers_or_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for std in (0, 1e-300, 1e-9, 1e-3, 20.0, 1e300):
            for tokens in (2, 3, 10**12):
                for rho in (-0.3, 0, 1e-300, 1 - 1e-16, 1):
                    try:
                        found = overlaps(logit_std=std, tokens=tokens, correlation=rho)
                    except WidelimitError:
                        continue
                    assert all(0 <= one <= 1 for one in parts(found))
                    assert found.within >= found.across * (1 - 1e-9)
                    assert 0 <= found.gap <= 1


def test_a_point_takes_less_than_five_milliseconds():
    overlaps(logit_std=1.0, tokens=8, correlation=0.3)
    start = time.process_time()
    for k in range(10):
        overlaps(logit_std=1.0 + 0.01 * k, tokens=9, correlation=0.31)
    assert (time.process_time() - start) / 10 < 5e-3
