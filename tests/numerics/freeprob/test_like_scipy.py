"""Laws with SciPy's verbs: draws, densities, quantiles, entropies; laws of arrays; tests by linear statistics."""

import math

import numpy as np
import pytest
from scipy import stats

from widelimit.numerics import freeprob
from widelimit.theory import freeprob as symbolic
from widelimit.theory.errors import ArgumentError, DomainError, WidelimitError


@pytest.fixture(scope="module")
def wigner():
    return freeprob.law(symbolic.semicircle())


@pytest.fixture(scope="module")
def wide():
    return freeprob.law(symbolic.marchenko_pastur(2.0))


def goe(n, random):
    a = random.standard_normal((n, n))
    return np.linalg.eigvalsh((a + a.T) / np.sqrt(2 * n))


def wishart(n, p, random):
    x = random.standard_normal((n, p))
    return (
        np.linalg.eigvalsh(x.T @ x / n) if p <= n else np.r_[np.zeros(p - n), np.linalg.eigvalsh(x @ x.T / n)]
    )


def test_the_semicircle_is_scipys(wigner):
    theirs = stats.semicircular(scale=2.0)
    x = np.linspace(-2.2, 2.2, 9)
    assert wigner.pdf(x) == pytest.approx(theirs.pdf(x), abs=1e-12)
    p = np.array([0.01, 0.3, 0.5, 0.9])
    assert wigner.ppf(p) == pytest.approx(theirs.ppf(p), abs=1e-9)
    assert (wigner.mean, wigner.var) == (0.0, pytest.approx(theirs.var(), rel=1e-12))
    assert wigner.entropy == pytest.approx(math.log(2 * math.pi) - 0.5, abs=1e-10)


def test_draws_are_independent_and_repeat(wigner, wide):
    draws = wigner.rvs(2000, seed=3)
    assert stats.kstest(draws, stats.semicircular(scale=2.0).cdf).pvalue > 1e-3  # these are independent
    assert (draws == wigner.rvs(2000, seed=3)).all()
    assert (draws == wigner.rvs(2000, np.random.default_rng(3))).all()
    assert wigner.rvs(0, 1).shape == (0,)
    assert (wide.rvs(4000, 1) == 0).mean() == pytest.approx(0.5, abs=0.03)  # the atom
    assert wide.entropy == -np.inf


@pytest.mark.parametrize(
    "named", [{"n": -1}, {"n": 10**400}, {"n": 2.5}, {"seed": "1"}, {"seed": -1}, {"n": True}]
)
def test_draws_of_no_number_are_refused(wigner, named):
    with pytest.raises(ArgumentError):
        wigner.rvs(**named)


def test_an_array_becomes_a_law():
    values = np.random.default_rng(0).exponential(size=40)
    law = freeprob.empirical(values)
    assert law.mean == pytest.approx(values.mean(), rel=1e-12)
    assert law.var == pytest.approx(values.var(), rel=1e-10)
    assert law.cdf(np.median(values)) == pytest.approx(0.5, abs=0.026)
    noisy = freeprob.add(freeprob.empirical([0.0, 4.0]), freeprob.law(symbolic.semicircle()))
    assert noisy.var == pytest.approx(5.0, rel=1e-9)  # variances add


@pytest.mark.parametrize("bad", [[], [1.0, float("nan")], [1e300], "1", [[1.0]], [True, 1.0], None])
def test_what_is_no_array_of_eigenvalues_is_refused(bad):
    with pytest.raises(ArgumentError, match="`eigenvalues`"):
        freeprob.empirical(bad)


def test_p_values_are_uniform_under_the_law(wigner, wide):
    random = np.random.default_rng(0)
    for law, draw in ((wigner, lambda: goe(80, random)), (wide, lambda: wishart(50, 100, random))):
        chances = np.array([law.test(draw()).p_value for _ in range(200)])
        for level in (0.05, 0.5):
            allowed = 3.5 * math.sqrt(level * (1 - level) / 200) + 0.02  # and what 1/N is worth
            assert np.mean(chances < level) == pytest.approx(level, abs=allowed)


def test_independent_numbers_of_the_law_are_no_eigenvalues(wigner):
    # they scatter like sqrt(N), and eigenvalues like 1
    assert wigner.test(wigner.rvs(400, 2)).p_value < 1e-10


def test_a_per_cent_of_scale_is_seen_with_replicates(wigner):
    random = np.random.default_rng(1)
    rows = np.array([goe(100, random) for _ in range(20)])
    right = wigner.test(rows)
    assert right.replicates == 20
    assert right.p_value > 1e-3
    assert wigner.test(1.02 * rows).p_value < 1e-6
    # T_2 of N eigenvalues: 2 (x/2)^2 - 1, of mean -N/2 + 1/2
    assert right.expected[1] == pytest.approx(-50 + 0.5, rel=1e-9)
    assert right.sums[1] == pytest.approx(np.mean((rows**2).sum(1) / 2 - 100), rel=1e-9)


def test_other_laws_and_other_spectra_are_refused(wigner, wide):
    with pytest.raises(DomainError, match="no test"):
        freeprob.law(symbolic.fuss_catalan(2)).test([1.0, 2.0])
    with pytest.raises(ArgumentError, match="must have a share"):
        wide.test([1.0, 2.0, 3.0, 1.5])
    for bad in ([1.0], [1.0, float("nan")], "x", None, np.ones((2, 2, 2))):
        with pytest.raises(WidelimitError):
            wigner.test(bad)
    for bad in (0, 21, 1.5, True):
        with pytest.raises(ArgumentError, match="`orders`"):
            wigner.test([0.1, -0.1], orders=bad)


def test_fluctuations_check_themselves():
    assert all(step.passed for step in symbolic.derive_fluctuations().check(dps=15, points=2))
