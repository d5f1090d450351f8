"""Noise, ceilings, accuracy and adaptation against worked values, high precision, quadrature and sampling."""

import math

import mpmath
import numpy as np
import pytest
from scipy import integrate
from scipy.stats import norm

from widelimit.numerics import retina
from widelimit.theory.errors import ArgumentError, InfiniteMomentError, WidelimitError

K = np.array([[1, 0.2, 0, 0], [0, 1, 0.5, 0], [0, -0.3, 0, 1]])
A = np.array([1, 0.6, 0.8])


def test_worked_values():
    found = retina.adaptation(contrast=[0.5, 1, 2], feedback=2, threshold=-0.5)
    assert found.gain == pytest.approx([0.5394706988, 0.4389461236, 0.3856485151], abs=1e-10)
    assert found.recovery == pytest.approx([0.4810140397, 0.5325119167, 0.5645580515], abs=1e-10)
    cell = retina.sta_accuracy("exp(-1+0.7*x)", gain=1, dimensions=60, samples=4000)
    assert cell.cosine == pytest.approx(0.96088151920615, abs=1e-14)
    assert cell.variance_ratio == pytest.approx(1.2971953352, abs=1e-10)
    assert retina.linear_ceiling(K, A, np.eye(4)).explained == pytest.approx(0.7102290334137, abs=1e-13)
    most = retina.fano_maximum()
    assert (most.ratio, most.drive) == pytest.approx((0.86559853, -0.31806604), abs=5e-9)
    assert most.critical_noise == pytest.approx(1.15526998, abs=5e-9)
    assert retina.overfitting(40, 1500) == pytest.approx(0.01367, abs=5e-6)


@pytest.mark.parametrize("q", [-40.0, -7.0, -3.01, -2.99, -1.0, 0.0, 1e-8, 2.0, 9.0, 60.0])
def test_moments_of_rectified_noise_to_all_digits(q):
    with mpmath.workdps(400):
        x = mpmath.mpf(q)
        mean = x * mpmath.ncdf(x) + mpmath.npdf(x)
        square = (x * x + 1) * mpmath.ncdf(x) + x * mpmath.npdf(x)
        variance = square - mean**2
        fano = float(variance / mean)
        mean, variance = float(mean), float(variance)
    found = retina.variability(2 * q, 2.0)
    assert found.mean == pytest.approx(2 * mean, rel=2e-12)
    assert found.variance == pytest.approx(4 * variance, rel=2e-12)
    assert found.fano == pytest.approx(2 * fano, rel=1e-13)
    assert found.counted_fano == pytest.approx(1 + 2 * fano, rel=1e-13)


def test_fano_far_from_threshold():
    far = retina.variability([1e12, -1e12], 3.0)
    assert far.fano == pytest.approx([9e-12, 18e-12], rel=1e-12)
    assert far.mean[1] == 0 and far.variance[1] == 0
    grid = np.linspace(-30, 30, 4001)
    assert (retina.variability(grid, retina.fano_maximum().critical_noise * (1 - 1e-9)).fano < 1).all()
    assert retina.variability(-0.318066 * 1.2, 1.2).fano > 1


def test_pooled_cells():
    rng = np.random.default_rng(0)
    w, u, eta = np.array([0.5, 1.0, 2.0]), np.array([0.3, -0.5, 1.0]), np.array([0.5, 1.0, 0.2])
    draws = np.maximum(u + eta * rng.standard_normal((400_000, 3)), 0) @ w
    found = retina.pool(w, u, eta)
    assert found.mean == pytest.approx(draws.mean(), rel=5e-3)
    assert found.variance == pytest.approx(draws.var(), rel=1e-2)


def brute(filters, weights, covariance, thresholds):
    """Var r by quadrature over pairs of subunits, and the whitened average."""
    c = filters @ covariance @ filters.T
    sd = np.sqrt(np.diag(c))
    t = np.asarray(thresholds) / sd
    means = sd * (norm.pdf(t) - t * norm.sf(t))
    total = 0.0
    for i, j in np.ndindex(len(sd), len(sd)):
        rho = c[i, j] / (sd[i] * sd[j])
        if rho > 1 - 1e-12:
            value = integrate.quad(
                lambda y, i=i, j=j: (y - t[i]) * max(y - t[j], 0) * norm.pdf(y), t[i], t[i] + 14
            )[0]
        else:
            left = math.sqrt(1 - rho**2)

            def inner(y, rho=rho, left=left, i=i, j=j):
                q = (rho * y - t[j]) / left
                return (y - t[i]) * left * (q * norm.cdf(q) + norm.pdf(q)) * norm.pdf(y)

            value = integrate.quad(inner, t[i], t[i] + 14, epsabs=1e-13)[0]
        total += weights[i] * weights[j] * (sd[i] * sd[j] * value - means[i] * means[j])
    k = (weights * norm.sf(t)) @ filters
    return k @ covariance @ k / total, total


@pytest.mark.parametrize("thresholds", [0.0, [0.4, -0.3, 1.0], [2.0, 1.5, -2.0]])
def test_linear_ceiling_by_quadrature(thresholds):
    rng = np.random.default_rng(1)
    root = rng.standard_normal((4, 4))
    c = root @ root.T / 4 + 0.1 * np.eye(4)
    found = retina.linear_ceiling(K, A, c, thresholds)
    explained, total = brute(K, A, c, np.broadcast_to(thresholds, 3))
    assert found.explained == pytest.approx(explained, rel=1e-9)
    assert found.variance == pytest.approx(total, rel=1e-9)
    best = retina.nonlinear_ceiling(K, A, c, thresholds)
    k, sd = found.filter, math.sqrt(found.filter @ c @ found.filter)
    slopes = K @ c @ k / sd
    rest = np.sqrt(np.einsum("jp,pq,jq->j", K, c, K) - slopes**2)
    theta = np.broadcast_to(thresholds, 3)

    def curve(z):
        m = slopes * z - theta
        return A @ (m * norm.cdf(m / rest) + rest * norm.pdf(m / rest))

    first, second = (
        integrate.quad(lambda z, p=p: curve(z) ** p * norm.pdf(z), -9, 9, epsabs=1e-12)[0] for p in (1, 2)
    )
    assert best.explained == pytest.approx((second - first**2) / total, rel=1e-8)
    assert best.explained > found.explained


def test_same_and_opposite_filters():
    k = np.array([[1.0, 2.0], [-1.0, -2.0], [2.0, 4.0]])
    found = retina.linear_ceiling(k, [1.0, 0.5, 2.0], np.eye(2), [0.3, 0.2, -0.4])
    x = np.random.default_rng(0).standard_normal(2_000_000) * math.sqrt(5)
    r = np.maximum(x - 0.3, 0) + 0.5 * np.maximum(-x - 0.2, 0) + 2 * np.maximum(2 * x + 0.4, 0)
    assert found.variance == pytest.approx(r.var(), rel=5e-3)
    on_off = retina.linear_ceiling(k[:2], 1.0, 2.0)
    assert on_off.explained == 0 and not on_off.filter.any()
    assert retina.nonlinear_ceiling(k[:2], 1.0, 2.0, filter=k[0]).explained == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "f", "slope"),
    [
        ("softplus(x)", lambda y: np.logaddexp(0, y), lambda y: 1 / (1 + np.exp(-y))),
        ("exp(0.5*x)", lambda y: np.exp(y / 2), lambda y: np.exp(y / 2) / 2),
        ("relu(x) + 0.1", lambda y: np.maximum(y, 0) + 0.1, lambda y: (y > 0) * 1.0),
    ],
)
def test_accuracy_by_quadrature(text, f, slope):
    s, kappa = 1.3, 0.8
    sd = s * kappa

    def mean(g):
        return sum(
            integrate.quad(lambda z: g(sd * z) * norm.pdf(z), *ends, epsabs=1e-13)[0]
            for ends in ((-12, 0), (0, 12))
        )

    e, variance, d = mean(f), mean(lambda y: f(y) ** 2) - mean(f) ** 2, mean(slope)
    told = mean(lambda y: slope(y) ** 2 / f(y))
    total = variance + e
    found = retina.sta_accuracy(text, gain=kappa, dimensions=30, samples=500, input_std=s)
    snr = sd**2 * d**2 / total
    assert found.snr == pytest.approx(snr, rel=1e-9)
    assert found.cosine == pytest.approx((1 + 29 / (500 * snr)) ** -0.5, rel=1e-9)
    assert found.variance_ratio == pytest.approx(total * told / d**2, rel=1e-9)
    assert found.likelihood_cosine == pytest.approx((1 + 29 / (500 * sd**2 * told)) ** -0.5, rel=1e-9)
    assert found.length == pytest.approx(s**2 * kappa * d, rel=1e-9)
    assert found.standard_error == pytest.approx(s * math.sqrt(total / 500), rel=1e-9)
    back = retina.sta_accuracy(
        text, gain=kappa, dimensions=30, samples=round(found.samples_for(0.9)), input_std=s
    )
    assert back.cosine == pytest.approx(0.9, abs=2e-4)


def test_accuracy_at_its_edges():
    kink = retina.sta_accuracy("relu(x)", gain=1, dimensions=10, samples=100)
    assert math.isinf(kink.variance_ratio) and kink.likelihood_cosine == 1  # a kink at 0 tells the drive
    even = retina.sta_accuracy("x**2", gain=1, dimensions=10, samples=100)
    assert even.cosine == 0 and math.isinf(even.samples_for(0.5)) and even.samples_for(0) == 0
    exact = retina.sta_accuracy("x", gain=1, dimensions=5, samples=40, noise="none")
    assert exact.snr == pytest.approx(1) and math.isinf(exact.variance_ratio)
    noisy = retina.sta_accuracy("x", gain=2, dimensions=5, samples=40, noise=3.0)
    assert noisy.snr == pytest.approx(4 / 7) and noisy.variance_ratio == pytest.approx(7 / 3)
    wide = retina.sta_accuracy("softplus(x)", gain=300, dimensions=5, samples=40)
    assert wide.variance_ratio > 1 and np.isfinite(wide.variance_ratio)
    many = retina.sta_accuracy("exp(x)", gain=[0.1, 0.5], dimensions=[[5], [50]], samples=1000)
    assert (
        many.cosine.shape == (2, 2)
        and retina.sta_accuracy("exp(x)", gain=1, dimensions=1, samples=9).cosine == 1
    )
    weak = retina.sta_accuracy("exp(x)", gain=1e-9, dimensions=2, samples=10, noise="none")
    assert weak.snr == pytest.approx(1, rel=1e-6)  # nothing cancels in the variance


def test_adaptation_solves_its_balance():
    rng = np.random.default_rng(0)
    s, b = 10 ** rng.uniform(-3, 3, 300), rng.uniform(-5, 5, 300)
    w = np.concatenate([rng.uniform(-0.99, 0, 100), 10 ** rng.uniform(-3, 6, 200)])
    found = retina.adaptation(contrast=s, feedback=w, threshold=b, tau=2.0)
    q = (w * found.state + b) / s
    back = retina.variability(-(w * found.state + b), s).mean
    assert found.state == pytest.approx(back, rel=1e-6, abs=1e-12)
    assert found.gain == pytest.approx(norm.sf(q), rel=1e-6, abs=1e-300)
    assert found.recovery == pytest.approx(2 / (1 + w * found.gain), rel=1e-12)
    same = retina.adaptation(contrast=[0.1, 1, 10], feedback=2, threshold=0).gain
    assert same == pytest.approx([same[0]] * 3, rel=1e-12)
    assert np.diff(retina.adaptation(contrast=[0.5, 1, 2], feedback=2, threshold=0.5).gain).min() > 0
    control = retina.static_gain([0.5, 2.0], 0.7, gain=1.5)
    assert control == pytest.approx(
        [math.sqrt(2 / math.pi) / math.hypot(0.7, 1.5 * s) for s in (0.5, 2.0)], rel=1e-14
    )


EYE = np.eye(2)


def test_empty_grids_and_single_numbers():
    assert retina.sta_accuracy("exp(x)", gain=[], dimensions=3, samples=9).cosine.shape == (0,)
    with pytest.raises(ArgumentError, match="`filter` must be 2 numbers"):
        retina.nonlinear_ceiling(EYE, 1.0, 1.0, filter=1.0)


@pytest.mark.parametrize("size", [1e-300, 1e-25, 1e25, 1e29, 1e150, 1e300])
def test_extreme_units_are_answered_or_refused(size):
    x, r = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, -1.0]]), np.array([1.0, 0.0, 2.0, 1.0])
    trials = np.array([[1.0, 0, 2, 1], [1, 1, 2, 0]])
    calls = (
        lambda: retina.sta(x * size, r).standard_error,
        lambda: retina.sta(x, r * size).cosine,
        lambda: retina.reliability(trials * size).ceiling,
        lambda: retina.fano_curve(trials * size).noise,
        lambda: retina.adaptation(contrast=1 / size, feedback=size, threshold=-size).gain,
        lambda: retina.variability(size, 1 / size).fano,
        lambda: retina.linear_ceiling(x * size, 1.0, size).explained,
    )
    for call in calls:
        try:
            found = call()
        except ArgumentError as error:
            assert "must" in str(error)
        else:
            assert np.isfinite(found).all() and (np.asarray(found) >= 0).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: retina.variability(1.0, 0.0), "`noise` must be positive"),
        (lambda: retina.variability(1e40, 1.0), "`drive` must lie between"),
        (lambda: retina.pool([0.0, 0.0], 1.0, 1.0), "`weights`"),
        (lambda: retina.pool([1.0], -1e9, 1.0), "`drive` must leave a mean"),
        (lambda: retina.adaptation(contrast=0, feedback=1, threshold=0), "`contrast` must be positive"),
        (lambda: retina.adaptation(contrast=1, feedback=-1, threshold=0), "`feedback` must be above -1"),
        (lambda: retina.adaptation(contrast=1, feedback=1, threshold=0, tau=-1), "`tau` must be positive"),
        (lambda: retina.linear_ceiling(EYE, [1, 1], [[1, 1], [1, 1]]), "`covariance` must not be singular"),
        (lambda: retina.linear_ceiling(EYE, [1, 1], np.eye(3)), r"`covariance` must be of shape \(2, 2\)"),
        (lambda: retina.linear_ceiling(EYE, [1, 1, 1], 1.0), "`weights` must be 2"),
        (lambda: retina.linear_ceiling(EYE, [0, 0], 1.0), "`weights` must not all be 0"),
        (lambda: retina.linear_ceiling([[0.0, 0.0]], [1], 1.0), "`filters` must not be 0"),
        (lambda: retina.linear_ceiling([EYE[0], EYE[0]], [1, -1], 1.0), "must leave a response"),
        (lambda: retina.nonlinear_ceiling([EYE[0], -EYE[0]], [1, 1], 1.0), "`filter` must not be 0"),
        (lambda: retina.sta_accuracy("tanh", gain=1, dimensions=5, samples=10), "must not be negative"),
        (lambda: retina.sta_accuracy("exp(x)", gain=0, dimensions=5, samples=10), "`gain` must be positive"),
        (
            lambda: retina.sta_accuracy("exp(x)", gain=1, dimensions=0, samples=10),
            "`dimensions` must be whole",
        ),
        (lambda: retina.sta_accuracy("exp(x)", gain=1, dimensions=5, samples=1.5), "`samples` must be whole"),
        (lambda: retina.sta_accuracy("exp(x)", gain=1, dimensions=5, samples=9, noise="x"), "`noise`"),
        (lambda: retina.sta_accuracy("exp(x)", gain=1, dimensions=5, samples=9).samples_for(1.0), "below 1"),
        (lambda: retina.overfitting(-1, 5), "`dimensions`"),
        (lambda: retina.static_gain(1.0, 0.0), "`width` must be positive"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


@pytest.mark.parametrize("gain", [30.0, 1e10])
def test_moments_that_do_not_exist(gain):
    with pytest.raises((InfiniteMomentError, WidelimitError)):
        retina.sta_accuracy("exp(x)", gain=gain, dimensions=5, samples=10)
    with pytest.raises(InfiniteMomentError):
        retina.sta_accuracy("exp(x**2)", gain=1.0, dimensions=5, samples=10)
