"""Best penalties, jumps, peaks and gaps: worked values, exact results, brute force over grids, simulated spectra."""

import numpy as np
import pytest
import scipy.optimize

from widelimit.numerics import ridge
from widelimit.numerics.ridge import kernel
from widelimit.theory.errors import ArgumentError

JUMP = {"eigenvalues": [1, 0.01], "weights": [0.1, 0.9], "signal": [0.5, 0.49], "noise": 0.01}
THREE = ([1, 1e-2, 1e-4], [0.1, 0.3, 0.6], [0.5, 0.3, 0.15], 0.05)


def test_worked_negative_penalty():
    best = ridge.optimal_penalty([1, 0.1], [0.1, 0.9], [1, 0], sample_ratio=0.5)
    assert best.penalty == pytest.approx(-0.0145291, abs=6e-8)
    assert best.test_error == pytest.approx(0.0200941, abs=6e-8)
    none = ridge.solve([1, 0.1], [0.1, 0.9], [1, 0], sample_ratio=0.5)
    assert none.effective_ridge == pytest.approx(0.11916594, abs=6e-9)
    assert none.test_error == pytest.approx(0.0243509, abs=6e-8)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.99, 1.0, 2.0, 20.0])
@pytest.mark.parametrize("noise", [1e-3, 0.3, 10.0])
def test_isotropic_targets_are_exact_for_any_spectrum(alpha, noise):
    random = np.random.default_rng(int(alpha * 100))
    s, p, w2 = random.gamma(1, 1, 60) + 1e-3, random.dirichlet(np.full(60, 5.0)), 0.7
    best = ridge.optimal_penalty(s, p, w2 * p * s, noise, sample_ratio=alpha)
    assert best.penalty == pytest.approx(noise / (alpha * w2), rel=1e-11)
    assert best.test_error == pytest.approx(alpha * best.effective_ridge * w2, rel=1e-12)  # E = N kappa w^2
    assert best.minima == 1


@pytest.mark.parametrize("seed", range(6))
def test_best_penalty_beats_a_fine_grid(seed):
    random = np.random.default_rng(seed)
    s, p = 10 ** random.uniform(-4, 0, 4), random.dirichlet(np.ones(4))
    u, noise, alpha = random.dirichlet(np.ones(4)), 10 ** random.uniform(-4, 0), random.uniform(0.1, 2)
    best = ridge.optimal_penalty(s, p, u, noise, sample_ratio=alpha)
    edge = kernel.edges(np.sort(s)[::-1], p[np.argsort(-s)], np.array([alpha]))[1][0]
    grid = np.concatenate([np.geomspace(1e-12, 1e3, 3000), np.linspace(edge * 0.999, -1e-12, 500)])
    errors = ridge.solve(s, p, u, noise, sample_ratio=alpha, penalty=grid).test_error
    # the grid itself is 1 % coarse: E is quadratic there
    assert best.test_error <= errors.min() * (1 + 1e-12)
    assert best.test_error == pytest.approx(errors.min(), rel=1e-3)


def test_two_minima_exactly_between_the_spinodals():
    def count(a):
        return len(ridge.minima(**JUMP, sample_ratio=a))

    # the notes give .23724 and .26884 to five digits
    assert [count(a) for a in (0.23723, 0.23725, 0.25, 0.26883, 0.26885)] == [1, 2, 2, 2, 1]


def test_the_jump():
    found = ridge.phase_transitions(**JUMP, low=0.05, high=2.0)
    (jump,) = found.jumps
    assert jump.sample_ratio == pytest.approx(0.2497857, abs=6e-8)
    assert jump.test_error == pytest.approx(0.651635, abs=6e-7)
    assert (jump.penalty_below, jump.penalty_above) == pytest.approx((0.231640, 0.0082767), rel=1e-5)
    one, two = ridge.minima(**JUMP, sample_ratio=jump.sample_ratio)
    assert one.test_error == pytest.approx(two.test_error, rel=1e-12)


def test_interval_of_negative_penalties():
    found = ridge.phase_transitions([1, 0.1], [0.1, 0.9], [1, 0], 1e-3, low=0.02, high=2.0)
    ((low, high),) = found.negative
    assert low == 0.02
    # at the crossing penalty zero is stationary
    best = ridge.optimal_penalty([1, 0.1], [0.1, 0.9], [1, 0], 1e-3, sample_ratio=high)
    assert abs(best.penalty) < 1e-12
    around = ridge.optimal_penalty(
        [1, 0.1], [0.1, 0.9], [1, 0], 1e-3, sample_ratio=[high * 0.99, high * 1.01]
    ).penalty
    assert around[0] < 0 < around[1]
    # noise, or a misaligned target, makes the best penalty positive everywhere
    assert not ridge.phase_transitions([1, 0.1], [0.1, 0.9], [1, 0], 1.0, high=2.0).negative
    assert not ridge.phase_transitions([1, 0.1], [0.1, 0.9], [0, 1], 1e-3, high=2.0).negative


def test_more_samples_than_dimensions_never_want_a_negative_penalty():
    best = ridge.optimal_penalty([1, 0.1], [0.1, 0.9], [1, 0], [1e-6, 0.1], sample_ratio=1.5)
    assert (best.penalty > 0).all()
    clean = ridge.optimal_penalty([1, 0.1], [0.1, 0.9], [1, 0], 0.0, sample_ratio=1.5)
    assert (clean.penalty, clean.test_error) == (0.0, 0.0)


def test_without_signal_nothing_is_fitted():
    best = ridge.optimal_penalty([1, 0.1], [0.1, 0.9], [0, 0], 0.3, sample_ratio=0.5)
    assert (best.penalty, best.test_error) == (np.inf, 0.3)


def test_worked_peaks_and_valleys():
    found = ridge.peaks(*THREE)
    assert found.peak_ratio == pytest.approx([0.1015, 0.3927, 1.0], abs=6e-5)
    assert found.peak_error[:2] == pytest.approx([1.7186, 1.0755], abs=6e-5)
    assert found.peak_error[2] == np.inf
    assert found.valley_ratio[-2:] == pytest.approx([0.2607, 0.7543], abs=6e-5)
    assert found.valley_error[-2:] == pytest.approx([0.8467, 0.3842], abs=6e-5)


@pytest.mark.parametrize("penalty", [0.0, 1e-6, 1e-3])
def test_peaks_are_those_of_the_curve(penalty):
    ratios = np.geomspace(0.02, 0.97 if penalty == 0 else 5, 4001)
    errors = ridge.solve(*THREE, sample_ratio=ratios, penalty=penalty).test_error
    rising = np.diff(errors) > 0
    turns = np.flatnonzero(rising[1:] != rising[:-1]) + 1
    found = ridge.peaks(*THREE, penalty=penalty, low=0.02, high=ratios[-1])
    everywhere = np.sort(np.concatenate([found.peak_ratio, found.valley_ratio]))
    assert everywhere == pytest.approx(ratios[turns], rel=3e-3)  # two steps of the grid
    assert found.peak_ratio == pytest.approx(ratios[[k for k in turns if rising[k - 1]]], rel=3e-3)


def test_one_decade_of_separation_rounds_a_peak_away():
    near = ridge.peaks([1, 0.1], [0.1, 0.9], [0.5, 0.5], 0.05, low=0.03)
    apart = ridge.peaks([1, 0.01], [0.1, 0.9], [0.5, 0.5], 0.05, low=0.03)
    assert len(near.peak_ratio) == 1  # alpha = 1 only
    assert len(apart.peak_ratio) == 2


def test_gap_threshold_against_minimisation():
    random = np.random.default_rng(3)
    s, p = np.sort(10 ** random.uniform(-2, 0, 4))[::-1], random.dirichlet(np.ones(4))
    found = ridge.gap_thresholds(s, p)
    for d in range(3):
        got = scipy.optimize.minimize_scalar(
            lambda k: (p * s**2 / (s + k) ** 2).sum(),
            bounds=(-s[d] * (1 - 1e-9), -s[d + 1] * (1 + 1e-9)),
            method="bounded",
            options={"xatol": 1e-14},
        )
        assert found[d] == pytest.approx(got.fun, rel=1e-9)
    assert ridge.gap_thresholds([1, 0.1], [0.5, 0.5])[0] == pytest.approx(1.10838153, abs=6e-9)
    assert ridge.gap_thresholds([1, 0.1, 0], [0.25, 0.25, 0.5])[0] == pytest.approx(1.10838153 / 2, abs=6e-9)


@pytest.mark.parametrize("alpha", [0.8, 1.5, 4.0])
def test_edges_and_counts_of_a_simulated_hessian(alpha):
    s, p, P = np.array([1, 0.1]), np.array([0.4, 0.6]), 600
    X = np.random.default_rng(1).standard_normal((int(alpha * P), P)) * np.sqrt(np.repeat(s, [240, 360]))
    values = np.linalg.eigvalsh(X.T @ X / X.shape[0])[::-1][: min(P, X.shape[0])]
    gaps = ridge.hessian_gaps(s, p, sample_ratio=alpha)
    assert len(gaps.fractions) == (2 if alpha > ridge.gap_thresholds(s, p)[0] else 1)
    start = 0
    for low, high, fraction in zip(gaps.lower, gaps.upper, gaps.fractions, strict=True):
        bulk = values[start : start + round(fraction * P)]
        # edges fluctuate as P^(-2/3), 1.4 % at P = 600
        assert bulk.max() == pytest.approx(high, rel=0.05)
        assert bulk.min() == pytest.approx(low, rel=0.08)
        start += bulk.size
    assert start == min(P, X.shape[0])


@pytest.mark.parametrize("alpha", [0.7, 2.0])
def test_density_holds_the_mass_of_each_bulk(alpha):
    s, p = [1, 0.05], [0.4, 0.6]
    gaps = ridge.hessian_gaps(s, p, sample_ratio=alpha)
    for low, high, fraction in zip(gaps.lower, gaps.upper, gaps.fractions, strict=True):
        angle = (
            (np.arange(800) + 0.5) / 800 * np.pi
        )  # midpoint rule in an angle: square-root edges become smooth
        x = (low + high) / 2 + (high - low) / 2 * np.cos(angle)
        mass = (
            ridge.hessian_density(x, s, p, sample_ratio=alpha)
            @ np.sin(angle)
            * np.pi
            / 800
            * (high - low)
            / 2
        )
        assert mass == pytest.approx(fraction, rel=1e-6)
    outside = (gaps.lower[:-1] + gaps.upper[1:]) / 2
    outside = np.concatenate([outside, gaps.upper[:1] * 1.05, gaps.lower[-1:] * 0.9])
    assert ridge.hessian_density(outside, s, p, sample_ratio=alpha) == pytest.approx(0, abs=1e-9)


def test_density_of_marchenko_and_pastur():
    x, alpha = np.array([0.3, 1.0, 2.0]), 2.0
    low, high = (1 - alpha**-0.5) ** 2, (1 + alpha**-0.5) ** 2
    law = alpha * np.sqrt((high - x) * (x - low)) / (2 * np.pi * x)
    assert ridge.hessian_density(x, 1.0, sample_ratio=alpha) == pytest.approx(law, rel=1e-12)


def test_bad_requests():
    with pytest.raises(ArgumentError, match="`high` must be above `low`"):
        ridge.peaks(1, signal=1, noise=0.1, low=2, high=1)
    with pytest.raises(ArgumentError, match="`penalty` must not be negative"):
        ridge.peaks(1, signal=1, noise=0.1, penalty=-0.1)
    with pytest.raises(ArgumentError, match="`sample_ratio` must be positive"):
        ridge.optimal_penalty(1, signal=1, sample_ratio=-1)
    with pytest.raises(ArgumentError, match="`x` must be positive"):
        ridge.hessian_density([0.0], 1.0, sample_ratio=2)


def test_gaps_on_a_list_of_sample_ratios():
    # edges are where lambda(kappa) is stationary: found by a scan over real kappa between the poles
    s, p, ratios = np.array([3.0, 0.4, 0.03, 0.0]), np.array([0.1, 0.2, 0.3, 0.4]), [0.4, 1.0, 3.0]
    grid = ridge.hessian_gaps(s, p, sample_ratio=ratios)
    assert dict(grid.sizes) == {"sample_ratio": 3, "gap": 2}
    assert grid.above.values == pytest.approx([1 / 6, 1 / 2])
    for ratio in ratios:
        one = ridge.hessian_gaps(s, p, sample_ratio=ratio)
        row = grid.sel(sample_ratio=ratio)
        assert int(row.open.sum()) == one.lower.size - 1
        assert float(row.largest) == one.upper[0]
        assert float(row.smallest) == one.lower[-1]
        for gap in (1, 2):
            kappa = np.linspace(-s[gap - 1], -s[gap], 200_001)[1:-1, None]
            slope = 1 - (p * (s / (s + kappa)) ** 2).sum(1) / ratio
            x = -kappa[:, 0] * (1 - (p * s / (s + kappa)).sum(1) / ratio)
            assert bool(row.open.sel(gap=gap)) == bool((slope > 0).any())
            if (slope > 0).any():
                # the gap is what x covers where lambda increases
                edges = x[slope > 0].min(), x[slope > 0].max()
                assert edges == pytest.approx(
                    [float(row.lower.sel(gap=gap)), float(row.upper.sel(gap=gap))], rel=1e-4
                )
            else:
                assert np.isnan(row.lower.sel(gap=gap))


def test_lists_are_refused_where_one_number_is_meant():
    for call in (
        lambda: ridge.peaks([1, 0.1], signal=[1, 1], noise=[0.1, 0.2]),
        lambda: ridge.minima([1, 0.1], signal=[1, 1], noise=0.1, sample_ratio=[0.5, 1]),
        lambda: ridge.phase_transitions([1, 0.1], signal=[1, 1], low=[0.1, 0.2]),
        lambda: ridge.hessian_density(1.0, [1, 0.1], sample_ratio=[0.5, 1]),
    ):
        with pytest.raises(ArgumentError, match=r"must be a single number here, but has shape \(2,\)"):
            call()
