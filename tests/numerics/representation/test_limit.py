"""The limit of cross-validated PCA against independent numbers: sum rules, closed laws, cubic equations, draws."""

import math

import numpy as np
import pytest
from scipy import integrate

from widelimit.numerics import representation
from widelimit.theory.errors import ArgumentError

POWER = np.arange(1, 501.0) ** -1.04


def fitted(values, first, last):
    n = np.arange(first, last + 1)
    return -np.polyfit(np.log(n), np.log(values[first - 1 : last]), 1, w=n**-0.5)[0]


def test_a_true_exponent_of_1_04():
    found = representation.expected_cvpca(POWER, noise=0.02, stimuli=400)
    assert found.cross_validated.shape == found.sample.shape == (400,)
    assert found.cross_validated[[29, 99]] == pytest.approx([0.029106, 0.0111250], rel=5e-5)
    assert found.sample[29] == pytest.approx(0.095613, rel=5e-5)
    assert fitted(found.cross_validated, 11, 100) == pytest.approx(0.8881, abs=5e-5)
    assert fitted(found.sample, 11, 100) == pytest.approx(0.4212, abs=5e-5)


@pytest.mark.parametrize("stimuli", [50, 200, 333, 2000])
@pytest.mark.parametrize("noise", [0.0, 0.01, 3.0])
def test_traces_are_kept(stimuli, noise):
    signal = np.arange(1, 201.0) ** -1.3
    found = representation.expected_cvpca(signal, noise=noise, stimuli=stimuli)
    sample, crossed = (signal + noise).sum(), signal.sum()
    digits = 1e-7 if stimuli == signal.size else 1e-8  # at a hard edge rounding counts
    assert found.sample.sum() == pytest.approx(sample, rel=digits)
    assert found.cross_validated.sum() == pytest.approx(crossed, rel=digits)
    assert (np.diff(found.sample) < 0).all()


def test_isotropic_signal_and_noise_follow_marchenko_and_pastur():
    units, stimuli = 100, 250
    found = representation.expected_cvpca(np.ones(units), noise=0.5, stimuli=stimuli)
    ratio, scale = units / stimuli, 1.5
    low, high = scale * (1 - math.sqrt(ratio)) ** 2, scale * (1 + math.sqrt(ratio)) ** 2

    def density(x):
        return units * math.sqrt(max((high - x) * (x - low), 0.0)) / (2 * math.pi * ratio * x * scale)

    upper = high
    for rank in range(3):  # the mean of x over each unit of mass, its ends by bisection
        below, above = low, upper
        for _ in range(50):
            middle = (below + above) / 2
            mass = integrate.quad(density, middle, upper, epsabs=1e-12)[0]
            below, above = (middle, above) if mass > 1 else (below, middle)
        mean = integrate.quad(lambda x: x * density(x), middle, upper, epsabs=1e-12)[0]
        assert found.sample[rank] == pytest.approx(mean, rel=1e-7)
        assert found.cross_validated[rank] == pytest.approx(mean / 1.5, rel=1e-7)
        upper = middle


def test_two_scales_against_the_published_form_by_roots_of_a_cubic():
    """x Im[k tr L/S/(S + k)]/Im[k tr 1/(S + k)], k from the polynomial of the effective ridge, integrated over x."""
    counts, scales, signal = np.array([30.0, 70.0]), np.array([2.0, 0.5]), np.array([1.6, 0.1])
    stimuli = 150.0
    flat = np.repeat(signal, counts.astype(int))
    found = representation.expected_cvpca(
        flat, noise=np.repeat(scales - signal, counts.astype(int)), stimuli=150
    )

    def at(x):
        # u prod(u - s) + (u/T) sum m s prod_other(u - s) = x prod(u - s)
        both = np.poly(scales)
        poly = np.polysub(np.polymul([1.0, 0.0], both), x * both)
        for i in range(2):
            poly = np.polyadd(poly, counts[i] * scales[i] / stimuli * np.array([1.0, -scales[1 - i], 0.0]))
        roots = np.roots(poly)
        kappa = -roots[np.argmax(roots.imag)]
        down = (kappa * (counts / (scales + kappa)).sum()).imag
        up = (kappa * (counts * signal / scales / (scales + kappa)).sum()).imag
        return abs(down) / x / np.pi, (x * up / down if down else 0.0)

    grid = np.geomspace(0.005, 5.0, 3001)
    rho, cv = np.array([at(x) for x in grid]).T
    mass = integrate.cumulative_trapezoid(rho[::-1], -grid[::-1], initial=0.0)
    crossed = integrate.cumulative_trapezoid((rho * cv)[::-1], -grid[::-1], initial=0.0)
    assert mass[-1] == pytest.approx(100, rel=1e-4)
    expected = np.diff(np.interp(np.arange(101), mass, crossed))
    assert found.cross_validated[:99] == pytest.approx(expected[:99], rel=4e-3)


def test_draws_agree():
    units, stimuli, noise = 120, 90, 0.05
    signal = np.arange(1, units + 1.0) ** -1.2
    found = representation.expected_cvpca(signal, noise=noise, stimuli=stimuli)
    rng, drawn = np.random.default_rng(5), []
    for _ in range(60):
        shared = rng.standard_normal((stimuli, units)) * np.sqrt(signal)
        one, other = (shared + math.sqrt(noise) * rng.standard_normal(shared.shape) for _ in range(2))
        _, _, axes = np.linalg.svd(one, full_matrices=False)
        drawn.append(((one @ axes.T) * (other @ axes.T)).sum(axis=0) / stimuli)
    mean, error = np.mean(drawn, axis=0), np.std(drawn, axis=0, ddof=1) / math.sqrt(60)
    off = (mean - found.cross_validated) / error
    assert np.sqrt(np.mean(off[3:] ** 2)) < 1.35 and np.abs(off).max() < 4.5
    naive = (mean - signal[:stimuli]) / error  # as if cross-validation were unbiased
    assert np.sqrt(np.mean(naive[3:] ** 2)) > 4


def test_noise_as_number_vector_and_matrix():
    signal, noise = np.arange(1, 41.0) ** -1.1, np.linspace(0.3, 0.1, 40)
    vector = representation.expected_cvpca(signal, noise=noise, stimuli=60)
    matrix = representation.expected_cvpca(signal, noise=np.diag(noise), stimuli=60)
    assert matrix.cross_validated == pytest.approx(vector.cross_validated, rel=1e-8)
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((40, 40)))[0]
    turned = representation.expected_cvpca(signal, noise=rotation * noise @ rotation.T, stimuli=60)
    assert turned.cross_validated.sum() == pytest.approx(signal.sum(), rel=1e-8)
    assert abs(turned.cross_validated[5] / vector.cross_validated[5] - 1) > 1e-3


def test_order_and_units_do_not_matter():
    mixed = np.random.default_rng(1).permutation(POWER)
    one = representation.expected_cvpca(POWER, noise=0.02, stimuli=100)
    assert representation.expected_cvpca(mixed, noise=0.02, stimuli=100) == one
    large = representation.expected_cvpca(POWER * 1e40, noise=0.02e40, stimuli=100)
    assert large.cross_validated == pytest.approx(one.cross_validated * 1e40, rel=1e-9)


def test_directions_without_variance_are_empty():
    found = representation.expected_cvpca([1.0, 0.5, 0.0, 0.0, 0.0], noise=0.0, stimuli=4)
    assert found.sample[2:].tolist() == [0.0, 0.0] and found.sample[:2].sum() == pytest.approx(1.5)
    assert representation.expected_cvpca(np.zeros(4), noise=0.0, stimuli=3).sample.tolist() == [0, 0, 0]


def test_a_hard_edge_where_units_are_as_many_as_stimuli():
    found = representation.expected_cvpca(np.arange(1, 101.0) ** -1.0, noise=0.1, stimuli=100)
    assert found.sample.sum() == pytest.approx((np.arange(1, 101.0) ** -1.0).sum() + 10, rel=1e-7)


def test_spikes():
    found = representation.spike([4.0, 1.2, 3.0], noise=1.0, aspect=[2.0, 2.0, 0.5])
    assert found.cross_validated == pytest.approx([3.5, 0.0, 3 - 0.5 / 3])
    assert found.sample == pytest.approx([5 * 1.5, (1 + math.sqrt(2)) ** 2, 4 * (1 + 0.5 / 3)])
    assert found.seen.tolist() == [True, False, True]
    assert representation.spike_variance(3.5, noise=1.0, aspect=2.0) == pytest.approx(4.0)


def test_a_spike_is_the_first_rank_of_the_limit():
    units, stimuli = 4000, 2000
    signal = np.zeros(units)
    signal[0] = 4.0
    found = representation.expected_cvpca(signal, noise=1.0, stimuli=stimuli)
    alone = representation.spike(4.0, noise=1.0, aspect=units / stimuli)
    assert found.cross_validated[0] == pytest.approx(alone.cross_validated, rel=5e-3)
    assert found.sample[0] == pytest.approx(alone.sample, rel=5e-3)


def test_bias_of_few_stimuli():
    found = representation.sampling_bias([40, 40], exponent=[1.5, 3.0], stimuli=400)
    assert found == pytest.approx([0.1 * math.pi / 1.5 / math.sqrt(3), -0.1 * math.pi / 3 / math.sqrt(3)])
    summed = representation.sampling_bias_of(np.arange(1, 601.0) ** -3.0, stimuli=400)
    assert summed[39] == pytest.approx(found[1], rel=0.15)  # the sum is over whole ranks
    # without noise PCA itself has the bias
    limit = representation.expected_cvpca(np.arange(1, 3001.0) ** -3.0, noise=0.0, stimuli=4000).sample
    ranks = np.arange(20, 61)
    off = np.mean(limit[ranks - 1] * ranks**3.0 - 1)
    assert off == pytest.approx(
        np.mean(representation.sampling_bias(ranks, exponent=3.0, stimuli=4000)), rel=0.1
    )


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda r: r.expected_cvpca([1.0, -1.0], noise=0.1, stimuli=10),
            "`eigenvalues` must not be negative",
        ),
        (lambda r: r.expected_cvpca([], noise=0.1, stimuli=10), "`eigenvalues` must be a non-empty list"),
        (lambda r: r.expected_cvpca([1.0], noise=-0.1, stimuli=10), "`noise` must not be negative"),
        (
            lambda r: r.expected_cvpca([1.0], noise=0.1, stimuli=2),
            "`stimuli` must be an integer of at least 3",
        ),
        (lambda r: r.expected_cvpca([1.0], noise=0.1, stimuli=10.5), "`stimuli` must be an integer"),
        (
            lambda r: r.expected_cvpca([1.0, 0.5], noise=[1.0] * 3, stimuli=10),
            "`noise` must be a number, 2 numbers",
        ),
        (lambda r: r.expected_cvpca([1.0, 0.5], noise=np.eye(3), stimuli=10), "`noise` must have 2 rows"),
        (lambda r: r.expected_cvpca([1.0, 0.5], noise=[[1, 0.5], [0, 1]], stimuli=9), "must be a symmetric"),
        (
            lambda r: r.expected_cvpca([1.0, 0.5], noise=[[1, 2], [2, 1]], stimuli=9),
            "an eigenvalue below zero",
        ),
        (lambda r: r.expected_cvpca([float("nan")], noise=0.1, stimuli=9), "`eigenvalues` must be a number"),
        (lambda r: r.expected_cvpca([1e200], noise=0.1, stimuli=9), "`eigenvalues` must be below 1e150"),
        (lambda r: r.spike(1.0, noise=0.0, aspect=1.0), "`noise` must be positive"),
        (lambda r: r.sampling_bias(3, exponent=1.0, stimuli=9), "`exponent` must be above 1"),
        (lambda r: r.sampling_bias_of([1.0, 1.0], stimuli=9), "`eigenvalues` must all differ"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ArgumentError) as caught:
        call(representation)
    assert message in str(caught.value)
