"""Means at a finite number of samples: exact Wishart moments, Bayes' rule, drawn data, the Tracy-Widom law."""

import numpy as np
import pytest
from scipy.special import airy

from widelimit.numerics import ridge
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.theory.ridge import sizes

TWO = {"eigenvalues": [1.0, 0.1], "weights": [0.25, 0.75], "signal": [0.8, 0.2], "noise": 0.1}


@pytest.mark.parametrize("ratio", [1.5, 4.0])
def test_least_squares_has_the_exact_mean_of_an_inverse_wishart_matrix(ratio):
    # E tr (X^T X)^-1 = P/(N - P - 1), and residuals of N - P samples
    off = []
    for samples in (300, 3000):
        dimensions = samples / ratio
        found = ridge.at_samples(2.0, signal=1.0, noise=0.3, sample_ratio=ratio, samples=samples)
        exact = 0.3 * dimensions / (samples - dimensions - 1)
        off.append(abs(found.variance_of_noise - exact))
        assert off[-1] < 0.1 * abs(found.limit.variance_of_noise - exact)
        assert found.test_error == pytest.approx(0.3 + found.variance_of_noise)
        assert found.training_error == pytest.approx(0.3 * (samples - dimensions) / samples)
        assert found.degrees_of_freedom == pytest.approx(1.0)
    assert off[1] == pytest.approx(off[0] / 100, rel=0.05)  # the next order


def test_interpolation_has_the_exact_mean_of_the_other_gram_matrix():
    # N < P: noise adds N/(P - N - 1); fits miss a random projection, 1 - N/P of the signal, (1 - N/P)^2 in the mean
    for samples in (100, 1000):
        found = ridge.at_samples(1.0, signal=0.7, noise=0.3, sample_ratio=0.4, samples=samples)
        exact = 0.3 * samples / (samples / 0.4 - samples - 1)
        assert abs(found.variance_of_noise - exact) < 3 / samples * abs(found.limit.variance_of_noise - exact)
        assert found.bias == pytest.approx(0.7 * 0.6**2)
        assert found.bias + found.variance_of_inputs == pytest.approx(0.7 * 0.6)
        assert found.training_error == pytest.approx(0.0, abs=1e-14)


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_the_best_penalty_of_an_isotropic_target_is_that_of_bayes_at_any_size(ratio):
    found = ridge.optimal_at_samples(1.0, signal=0.8, noise=0.4, sample_ratio=ratio, samples=40)
    assert found.penalty == pytest.approx(0.4 / (ratio * 0.8), rel=1e-5)
    assert abs(found.test_error / found.limit.test_error - 1) > 1e-4


def drawn(samples, dimensions, penalty, times, seed):
    """Test error, training error, cross-validation and degrees of freedom of drawn inputs, over all targets at once."""
    generator = np.random.default_rng(seed)
    strong = dimensions // 4
    s = np.repeat([1.0, 0.1], [strong, dimensions - strong])
    w2 = np.repeat([0.8 / strong, 0.2 / (dimensions - strong)], [strong, dimensions - strong]) / s
    x = generator.standard_normal((times, samples, dimensions)) * np.sqrt(s)
    gram = x.transpose(0, 2, 1) @ x / samples
    fit = np.linalg.solve(
        gram + penalty * np.eye(dimensions), x.transpose(0, 2, 1) / samples
    )  # weights from labels
    missed = np.eye(dimensions) - fit @ x
    hat = x @ fit
    new = 0.1 + (missed**2 * s[:, None] * w2).sum((1, 2)) + 0.1 * (fit**2 * s[:, None]).sum((1, 2))
    train = ((x @ missed) ** 2 * w2).sum((1, 2)) + 0.1 * ((np.eye(samples) - hat) ** 2).sum((1, 2))
    freedom = np.trace(hat, axis1=1, axis2=2)
    scores = train / samples / (1 - freedom / samples) ** 2
    bias = (np.diagonal(missed.mean(0)) ** 2 * s * w2).sum()
    return np.array([new, train / samples, scores, freedom / dimensions]), bias


@pytest.mark.parametrize(("samples", "dimensions", "penalty"), [(20, 40, 0.1), (40, 20, 0.02), (32, 32, 0.2)])
def test_means_of_drawn_data(samples, dimensions, penalty):
    found = ridge.at_samples(**TWO, sample_ratio=samples / dimensions, samples=samples, penalty=penalty)
    rows, bias = drawn(samples, dimensions, penalty, 4000, seed=1)
    error = rows.std(1) / 4000**0.5
    names = ("test_error", "training_error", "cross_validation", "degrees_of_freedom")
    at = np.array([getattr(found, name) for name in names])
    limit = np.array([getattr(found.limit, name.replace("cross_validation", "test_error")) for name in names])
    # the next order is the square of this one, relative to the number itself
    assert (np.abs(rows.mean(1) - at) < 4 * error + (at - limit) ** 2 / limit).all()
    assert (np.abs(rows.mean(1) - limit) > 8 * error).any()
    assert bias == pytest.approx(found.bias, rel=0.01) and bias != pytest.approx(found.limit.bias, rel=0.01)


def test_arrays_units_and_zero_eigenvalues():
    at = {"sample_ratio": [0.5, 2.0], "samples": [50, 200], "penalty": 0.1}
    many = ridge.at_samples(**TWO, **at)
    for k in range(2):
        one = ridge.at_samples(
            **TWO, sample_ratio=at["sample_ratio"][k], samples=at["samples"][k], penalty=0.1
        )
        assert one.test_error == pytest.approx(many.test_error[k], rel=1e-14)
    # eigenvalues and penalty in other units; as many dimensions again that inputs do not vary along
    scaled = {**TWO, "eigenvalues": [1e-3, 1e-4]}
    assert ridge.at_samples(**scaled, **{**at, "penalty": 1e-4}).test_error == pytest.approx(
        many.test_error, rel=1e-12
    )
    padded = {
        "eigenvalues": [1, 0.1, 0],
        "weights": [0.125, 0.375, 0.5],
        "signal": [0.8, 0.2, 0],
        "noise": 0.1,
    }
    half = ridge.at_samples(**padded, **{**at, "sample_ratio": [0.25, 1.0]})
    assert half.test_error == pytest.approx(many.test_error, rel=1e-12)
    assert half.training_error == pytest.approx(many.training_error, rel=1e-12)


def test_what_the_expansion_does_not_reach_is_refused():
    with pytest.raises(DomainError, match="Ask for more samples"):
        ridge.at_samples(1.0, signal=1.0, noise=0.1, sample_ratio=1.01, samples=100)
    with pytest.raises(DomainError):
        ridge.at_samples(1.0, signal=1.0, noise=0.1, sample_ratio=1.0, samples=1000)
    with pytest.raises(DomainError, match="best penalty in the limit is 0"):
        ridge.optimal_at_samples(1.0, signal=1.0, noise=0.0, sample_ratio=2.0, samples=100)
    for samples in (0, -3, np.inf):
        with pytest.raises(ArgumentError, match="samples"):
            ridge.at_samples(**TWO, sample_ratio=0.5, samples=samples)


# --- the spectrum


def tracy_widom_mean():
    """Mean of the real law by Ferrari and Spohn's determinant: P(x < t) = det(1 - Ai((x + y)/2 + t)/2), x, y > 0."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    x, w = 8 * (nodes + 1), 8 * weights
    t = np.linspace(-10, 6, 641)
    root = np.sqrt(w[:, None] * w)
    law = [np.linalg.det(np.eye(60) - root * airy((x[:, None] + x) / 2 + one)[0] / 2) for one in t]
    return 6 - np.trapezoid(law, t)  # int t dF by parts; F(-10) is 1e-21, 1 - F(6) 1e-6


def test_the_constant_is_the_mean_of_the_tracy_widom_law():
    assert float(sizes.TRACY_WIDOM_MEAN) == pytest.approx(tracy_widom_mean(), abs=2e-5)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_the_largest_eigenvalue_is_centred_as_johnstone_and_ma_do(ratio):
    for samples in (200, 2000):
        n, p = samples, samples / ratio
        centre = (np.sqrt(n - 0.5) + np.sqrt(p - 0.5)) ** 2
        scale = (np.sqrt(n) + np.sqrt(p)) * (n**-0.5 + p**-0.5) ** (1 / 3)
        right = (centre + scale * float(sizes.TRACY_WIDOM_MEAN)) / n
        bulk = ridge.hessian_gaps(1.0, sample_ratio=ratio, samples=samples)
        assert np.isnan(bulk.lower[0]) == (ratio == 1.0)  # where the least eigenvalue is at a hard edge
        found = bulk.upper[0]
        limit = ridge.hessian_gaps(1.0, sample_ratio=ratio).upper[0]
        assert abs(found - right) < 2 * samples ** (-4 / 3)
        assert abs(limit - right) > 1.5 * samples ** (-2 / 3)


def test_edges_of_a_gap_are_means_of_drawn_eigenvalues():
    generator, samples, dimensions = np.random.default_rng(2), 180, 120
    s = np.repeat([1.0, 0.1], [30, 90])
    x = generator.standard_normal((500, samples, dimensions)) * np.sqrt(s)
    values = np.linalg.eigvalsh(x.transpose(0, 2, 1) @ x / samples)[:, ::-1]
    own = {"eigenvalues": [1, 0.1], "weights": [0.25, 0.75], "sample_ratio": 1.5}
    found, limit = ridge.hessian_gaps(**own, samples=samples), ridge.hessian_gaps(**own)
    for column, at, far in (
        (0, found.upper[0], limit.upper[0]),
        (29, found.lower[0], limit.lower[0]),
        (30, found.upper[1], limit.upper[1]),
        (119, found.lower[1], limit.lower[1]),
    ):
        mean, error = values[:, column].mean(), values[:, column].std() / 500**0.5
        assert abs(mean - at) < 4 * error + 0.15 * abs(at - far)  # N^(-2/3) is a thirtieth
        assert abs(mean - far) > 8 * error
    table = ridge.hessian_gaps([1, 0.1], [0.25, 0.75], sample_ratio=[0.5, 1.5], samples=samples)
    assert (float(table.lower[1, 0]), float(table.upper[1, 0])) == (found.upper[1], found.lower[0])
    with pytest.raises(DomainError, match="Ask for more samples"):
        ridge.hessian_gaps(
            [1, 0.1], [0.5, 0.5], sample_ratio=1.2, samples=100
        )  # just above the threshold, 1.108


def test_shares_are_integrals_of_the_density_and_counts_of_drawn_eigenvalues():
    own = ([1.0, 0.1], [0.5, 0.5])
    x = np.geomspace(0.004, 4.5, 20001)
    for ratio in (0.75, 2.0):
        density = ridge.hessian_density(x, *own, sample_ratio=ratio)
        above = np.trapezoid(density, x) - np.concatenate(
            [[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(x))]
        )
        for place in (4000, 9000, 14000):
            assert ridge.hessian_share(x[place], *own, sample_ratio=ratio) == pytest.approx(
                above[place], abs=2e-5
            )
    generator, samples, dimensions = np.random.default_rng(3), 30, 40
    drawn = generator.standard_normal((20_000, samples, dimensions)) * np.sqrt(np.repeat([1.0, 0.1], 20))
    values = np.linalg.eigvalsh(drawn @ drawn.transpose(0, 2, 1) / samples)
    for place in (0.6, 1.2):
        counts = (values > place).sum(1)
        at = ridge.hessian_share(place, *own, sample_ratio=0.75, samples=samples) * dimensions
        limit = ridge.hessian_share(place, *own, sample_ratio=0.75) * dimensions
        assert abs(counts.mean() - at) < 0.25 * abs(at - limit) + 4 * counts.std() / 20_000**0.5
        assert abs(counts.mean() - limit) > 8 * counts.std() / 20_000**0.5
