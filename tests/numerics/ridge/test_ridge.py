"""Effective ridge and errors against mpmath roots, the worked values of the notes, and simulated fits."""

import mpmath
import numpy as np
import pytest
import scipy.optimize

from widelimit.numerics import ridge
from widelimit.numerics.ridge import kernel
from widelimit.theory.errors import ArgumentError, ConvergenceError, DomainError, InputError

TWO = {"eigenvalues": [1, 0.01], "weights": [0.1, 0.9]}
SPECTRA = {
    "two scales": ([1.0, 0.01], [0.1, 0.9]),
    "far apart": ([1.0, 1e-7], [0.1, 0.9]),
    "one": ([2.5], [1.0]),
    "power law": (np.arange(1, 41.0) ** -2.5, np.full(40, 1 / 40)),
}


def oracle(s, p, u, noise, alpha, penalty, dps=40):
    """kappa, test and training error by bisection of the defining equation in `dps` digits."""
    with mpmath.workdps(dps):
        s, p, u = ([mpmath.mpf(float(x)) for x in row] for row in (s, p, u))
        p = [x / mpmath.fsum(p) for x in p]
        alpha, penalty, noise = map(mpmath.mpf, (alpha, penalty, noise))

        def penalty_at(k):
            return k * (1 - mpmath.fsum(w * x / (x + k) for w, x in zip(p, s, strict=True)) / alpha)

        low, high = penalty, penalty + mpmath.fsum(w * x for w, x in zip(p, s, strict=True)) / alpha
        if penalty == 0 and alpha >= 1:
            low = high = mpmath.mpf(0)
        else:
            if penalty == 0:
                low = mpmath.mpf(10) ** -60
            low, high = mpmath.log(low), mpmath.log(high)
            for _ in range(int(4 * dps)):
                middle = (low + high) / 2
                low, high = (middle, high) if penalty_at(mpmath.e**middle) < penalty else (low, middle)
            low = mpmath.e**low
        rho = mpmath.fsum(w * (x / (x + low)) ** 2 for w, x in zip(p, s, strict=True)) / alpha
        missed = mpmath.fsum(v * (low / (x + low)) ** 2 for v, x in zip(u, s, strict=True))
        error = (missed + noise) / (1 - rho)
        slack = penalty / low if low else 1 - 1 / alpha
        return float(low), float(error), float(slack**2 * error)


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("alpha", [0.03, 0.5, 1.0, 1.0 + 1e-9, 7.0])
@pytest.mark.parametrize("penalty", [1e-12, 1e-9, 1e-3, 2.0])
def test_roots_and_errors_against_mpmath(name, alpha, penalty):
    s, p = SPECTRA[name]
    u = np.linspace(1, 2, len(s))
    point = ridge.solve(s, p, u, 0.1, sample_ratio=alpha, penalty=penalty)
    kappa, error, train = oracle(s, p, u, 0.1, alpha, penalty)
    assert point.effective_ridge == pytest.approx(kappa, rel=1e-12)
    assert point.test_error == pytest.approx(error, rel=1e-12)
    assert point.training_error == pytest.approx(train, rel=1e-11)
    assert point.steps < 20


@pytest.mark.parametrize("alpha", [0.05, 0.6, 0.999, 1.5, 30.0])
def test_ridgeless_against_mpmath(alpha):
    s, p = SPECTRA["two scales"]
    point = ridge.solve(s, p, [0.3, 0.7], 0.2, sample_ratio=alpha, penalty=0.0)
    kappa, error, _ = oracle(s, p, [0.3, 0.7], 0.2, alpha, 0)
    assert point.effective_ridge == pytest.approx(kappa, rel=1e-12, abs=1e-300)
    # 1/(1 - rho) magnifies rounding of the sample ratio near 1
    assert point.test_error == pytest.approx(error, rel=1e-11)
    assert point.interpolates == (alpha < 1)
    if alpha > 1:
        assert point.test_error == pytest.approx(0.2 * alpha / (alpha - 1), rel=1e-13)
        assert point.training_error == pytest.approx(0.2 * (1 - 1 / alpha), rel=1e-12)


WORKED = [
    (0.05, 1e-3, 1.316135, 0.373846, 0.675399, 1.732762, 1.204080),
    (0.5, 0.0, 0.012431, 0.552861, 0.223981, 0.910517, 0.567249),
    (2.0, 1e-3, 0.001762, 0.375093, 0.160029, 0.195939, 0.177984),
]


@pytest.mark.parametrize(("alpha", "penalty", "kappa", "rho", "big", "small", "half"), WORKED)
def test_worked_values_of_two_scales(alpha, penalty, kappa, rho, big, small, half):
    for signal, error in (([1, 0], big), ([0, 1], small), ([0.5, 0.5], half)):
        point = ridge.solve(**TWO, signal=signal, noise=0.1, sample_ratio=alpha, penalty=penalty)
        assert point.test_error == pytest.approx(error, abs=6e-7)
    assert point.effective_ridge == pytest.approx(kappa, abs=6e-7)
    assert point.rho == pytest.approx(rho, abs=6e-7)


def test_worked_values_of_one_and_three_scales():
    assert ridge.solve(1, signal=1, noise=0.1, sample_ratio=0.5, penalty=1e-2).test_error == pytest.approx(
        0.696266, abs=6e-7
    )
    three = ridge.solve(
        [1, 0.01, 1e-4], [0.1, 0.3, 0.6], [0.5, 0.3, 0.15], 0.05, sample_ratio=[0.05, 0.2, 0.7, 1.5]
    )
    assert three.unexplained == pytest.approx([1.146951, 0.936043, 0.397439, 0.15], abs=6e-7)


def test_the_parts_add_up():
    point = ridge.solve(
        **TWO, signal=[0.4, 0.6], noise=0.3, sample_ratio=np.geomspace(0.02, 20, 50), penalty=1e-3
    )
    assert point.test_error == pytest.approx(0.3 + point.bias + point.variance, rel=1e-13)
    assert point.variance == pytest.approx(point.variance_of_inputs + point.variance_of_noise, rel=1e-13)
    assert point.unexplained == pytest.approx(point.test_error / 1.3, rel=1e-14)
    assert (np.diff(point.bias) < 0).all()  # more samples, less bias, at every peak of the error too


def test_negative_penalty_down_to_the_edge():
    s, p = np.array([1, 0.1]), np.array([0.1, 0.9])
    for alpha in (0.5, 2.0):
        edge = kernel.edges(s, p, np.array([alpha]))[1][0]
        penalties = edge * np.array([0.2, 0.9, 1 - 1e-6])
        got = ridge.solve(s, p, [1, 0], 0.1, sample_ratio=alpha, penalty=penalties)
        back = got.effective_ridge * (1 - (p * s / (s + got.effective_ridge[:, None])).sum(1) / alpha)
        assert back == pytest.approx(penalties, rel=1e-13)
        assert (got.rho < 1).all()
        assert (got.effective_ridge > -0.1).all()
    assert kernel.edges(s, p, np.array([0.5]))[1][0] == pytest.approx(-0.0195393, abs=5e-8)


@pytest.mark.parametrize("alpha", [0.2, 0.5, 3.0])
def test_isotropic_edge_in_closed_form(alpha):
    edge = kernel.edges(np.ones(1), np.ones(1), np.array([alpha]))[1][0]
    assert edge == pytest.approx(-((1 - alpha**-0.5) ** 2), rel=1e-13)


def test_penalty_at_or_below_the_edge_is_refused_by_name():
    with pytest.raises(
        ArgumentError, match=r"`penalty` must be above the spectral edge -0.0195393379 at sample_ratio 0.5"
    ):
        ridge.solve([1, 0.1], [0.1, 0.9], [1, 0], sample_ratio=0.5, penalty=-0.02)
    with pytest.raises(ArgumentError, match="spectral edge"):
        ridge.solve(1, signal=1, sample_ratio=1.0, penalty=-1e-12)


def test_the_peak_is_infinite_with_noise_and_nothing_without():
    loud = ridge.solve(**TWO, signal=[1, 0], noise=0.1, sample_ratio=1.0)
    assert (loud.test_error, loud.training_error, loud.bias) == (np.inf, 0.0, 0.0)
    quiet = ridge.solve(**TWO, signal=[1, 0], noise=0.0, sample_ratio=1.0)
    assert quiet.test_error == 0.0
    # the limit it stands for: kappa = sqrt(lambda/m), 1 - rho = 2 sqrt(lambda m), m = mean(1/s)
    near = ridge.solve(**TWO, signal=[1, 0], noise=0.1, sample_ratio=1.0, penalty=1e-12)
    m = 0.1 + 0.9 / 0.01
    assert near.test_error == pytest.approx(0.1 / (2 * np.sqrt(1e-12 * m)), rel=1e-4)


def test_scalars_in_floats_out_and_arrays_broadcast():
    point = ridge.solve(1, signal=1, noise=0.1, sample_ratio=2, penalty=0)
    assert all(type(v) in (float, bool, int) for v in vars(point).values())
    grid = ridge.solve(1, signal=1, noise=0.1, sample_ratio=np.ones((3, 1)) * 2, penalty=[0.0, 0.1])
    assert grid.test_error.shape == (3, 2)
    assert grid.test_error[0, 0] == point.test_error


def test_equal_eigenvalues_are_grouped_and_zero_ones_lower_the_rank():
    parts = ridge.solve(
        [1, 1, 0.1, 0.1], signal=[0.2, 0.3, 0.1, 0.4], noise=0.1, sample_ratio=0.7, penalty=0.01
    )
    whole = ridge.solve([1, 0.1], signal=[0.5, 0.5], noise=0.1, sample_ratio=0.7, penalty=0.01)
    assert parts.test_error == pytest.approx(whole.test_error, rel=1e-14)
    half = ridge.solve([1, 0], signal=[1, 0], noise=0.1, sample_ratio=0.4, penalty=0.01)
    alone = ridge.solve(1, signal=1, noise=0.1, sample_ratio=0.8, penalty=0.01)
    assert half.test_error == pytest.approx(alone.test_error, rel=1e-14)
    assert half.overdetermined is False


def test_a_hundred_thousand_eigenvalues():
    s = np.geomspace(1e-3, 1, 100_000)
    got = ridge.solve(s, signal=s / s.sum(), noise=0.1, sample_ratio=[0.5, 1.0, 2.0], penalty=1e-12)
    # the same law as a continuum: s = 10^(-3 q)
    law = ridge.Spectrum.from_quantile(lambda q: 10 ** (-3 * q), lambda x: x / (0.999 / np.log(1000)))
    continuous = ridge.solve(law, noise=0.1, sample_ratio=[0.5, 1.0, 2.0], penalty=1e-12)
    # the grid ends on both ends: mean(1/s) differs by the end points' half weights
    assert got.test_error == pytest.approx(continuous.test_error, rel=1e-4)
    assert got.steps.max() < 10


def test_learning_curve_is_a_labelled_grid():
    curve = ridge.learning_curve(
        **TWO, signal=[1, 0], noise=0.1, sample_ratio=[0.05, 0.5, 2], penalty=[0, 1e-3]
    )
    assert curve.test_error.dims == ("sample_ratio", "penalty")
    assert float(curve.test_error.sel(sample_ratio=0.5, penalty=0)) == pytest.approx(0.223981, abs=6e-7)
    assert set(ridge.RidgeSolution.__dataclass_fields__) - {"penalty"} == set(curve.data_vars)


def test_hastie_et_al_ridgeless_isotropic():
    for gamma in (0.4, 2.5):
        excess = ridge.solve(1, signal=1.7, noise=0.3, sample_ratio=1 / gamma).test_error - 0.3
        theirs = 0.3 * gamma / (1 - gamma) if gamma < 1 else 1.7 * (1 - 1 / gamma) + 0.3 / (gamma - 1)
        assert excess == pytest.approx(theirs, rel=1e-12)


def test_bordelon_canatar_kernel_equation():
    # kappa_B = N kappa solves kappa_B = lambda_B + sum kappa_B s/(kappa_B + N s), lambda_B = N lambda, here P = 100
    s, n, penalty = np.linspace(0.1, 2, 100), 37, 0.02
    kappa = n * ridge.solve(s, signal=s, sample_ratio=n / 100, penalty=penalty).effective_ridge
    assert kappa == pytest.approx(n * penalty + (kappa * s / (kappa + n * s)).sum(), rel=1e-13)


def test_simulated_gaussian_data_agree():
    random = np.random.default_rng(7)
    P, N, penalty, noise = 200, 120, 0.02, 0.1
    s = np.where(np.arange(P) < 20, 1.0, 0.05)
    w = random.standard_normal(P)
    w *= np.sqrt(1 / (s @ w**2))
    errors = []
    for _ in range(40):
        X = random.standard_normal((N, P)) * np.sqrt(s)
        y = X @ w + np.sqrt(noise) * random.standard_normal(N)
        fit = X.T @ np.linalg.solve(X @ X.T + N * penalty * np.eye(N), y)
        errors.append(s @ (fit - w) ** 2 + noise)
    theory = ridge.solve(s, signal=s * w**2, noise=noise, sample_ratio=N / P, penalty=penalty).test_error
    # three standard errors and a finite-size bias of order 1/N
    assert abs(np.mean(errors) - theory) < 3 * np.std(errors) / 40**0.5 + 2 * theory / N


BAD = [
    ({"eigenvalues": [1, -0.1], "signal": [1, 0]}, "`eigenvalues` must not be negative, but is -0.1"),
    ({"eigenvalues": [1, float("nan")], "signal": [1, 0]}, "`eigenvalues` must be a number"),
    ({"eigenvalues": [], "signal": []}, "`eigenvalues` must be a non-empty list"),
    ({"eigenvalues": [0, 0], "signal": [0, 0]}, "`eigenvalues` must not all be zero"),
    ({"eigenvalues": "1,2", "signal": [1, 0]}, "`eigenvalues` must be a real number"),
    (
        {"eigenvalues": [1, 0.1], "weights": [0.5, 0.4], "signal": [1, 0]},
        "`weights` must add up to 1, but add up to 0.9",
    ),
    ({"eigenvalues": [1, 0.1], "weights": [1.5, -0.5], "signal": [1, 0]}, "`weights` must not be negative"),
    (
        {"eigenvalues": [1, 0.1], "weights": [1], "signal": [1, 0]},
        "`weights` must have one entry for each eigenvalue",
    ),
    ({"eigenvalues": [1, 0.1], "signal": [1]}, "`signal` must have one entry for each eigenvalue"),
    ({"eigenvalues": [1, 0.1]}, "`signal` must be given"),
    ({"eigenvalues": [1, 0.1], "signal": [0, 0]}, "`signal` must carry some variance"),
    ({"eigenvalues": [1, 0.0], "signal": [1, 0.5]}, "`signal` must be zero where an eigenvalue is zero"),
    ({"eigenvalues": [1], "signal": [1], "noise": -0.1}, "`noise` must not be negative"),
    ({"eigenvalues": [1], "signal": [1], "sample_ratio": 0}, "`sample_ratio` must be positive"),
    ({"eigenvalues": [1], "signal": [1], "penalty": float("nan")}, "`penalty` must be a number"),
    ({"eigenvalues": [1], "signal": [1], "sample_ratio": [1, 2], "penalty": [1, 2, 3]}, "must broadcast"),
]


@pytest.mark.parametrize(("given", "message"), BAD)
def test_bad_input_is_named(given, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(").replace("`", "`")):
        ridge.solve(**{"sample_ratio": 0.5, "penalty": 0.1} | given)


def test_a_spectrum_takes_no_second_signal():
    with pytest.raises(ArgumentError, match="`weights` must be left out"):
        ridge.solve(ridge.Spectrum.of(1, signal=1), signal=1, sample_ratio=1.0)


def test_spectra_from_densities_and_mixtures():
    # Marchenko-Pastur law of ratio 1 as population: mean 1, mean of s/(s+1) = (3 - sqrt 5)/2 = 0.381966 (its transform)
    law = ridge.Spectrum.from_density(lambda x: np.sqrt((4 - x) / x) / (2 * np.pi), 0, 4)
    assert law.mean == pytest.approx(1.0, rel=1e-9)
    assert law.weights @ (law.eigenvalues / (law.eigenvalues + 1)) == pytest.approx(
        (3 - 5**0.5) / 2, rel=1e-9
    )
    tail = ridge.Spectrum.from_density(lambda x: np.exp(-x), 0, np.inf)
    # mean of s/(s+1) for the exponential law: 1 - e E_1(1)
    assert tail.weights @ (tail.eigenvalues / (tail.eigenvalues + 1)) == pytest.approx(
        float(1 - mpmath.e * mpmath.e1(1)), rel=1e-10
    )
    mixed = ridge.Spectrum.mixture(
        [(0.25, ridge.Spectrum.of([1, 0], signal=[1, 0])), (0.75, ridge.Spectrum.of(3, signal=2))]
    )
    assert mixed.rank_fraction == pytest.approx(0.875)
    assert mixed.eigenvalues.tolist() == [3, 1]
    assert mixed.signal.tolist() == [2, 1]


def test_bad_spectra_are_refused():
    Spectrum = ridge.Spectrum
    with pytest.raises(ArgumentError, match=r"must integrate to 1, but integrates to 0\.5"):
        Spectrum.from_density(lambda x: np.full_like(x, 0.5), 0, 1)
    with pytest.raises(ArgumentError, match="must be finite and not negative"):
        Spectrum.from_density(lambda x: x - 1, 0, 2)
    with pytest.raises(ArgumentError, match="`high` must be above `low`"):
        Spectrum.from_density(lambda x: x, 2, 1)
    with pytest.raises(ConvergenceError, match="did not settle"):
        Spectrum.from_density(lambda x: np.where(x < 0.3, 1 / 0.3, 0.0), 0, 1)
    with pytest.raises(ArgumentError, match="fractions that add up to 1"):
        Spectrum.mixture([(0.5, Spectrum.of(1))])


def test_power_law_spectrum_is_the_sum():
    a, b, P = 1.5, 2.0, 200_000
    law = ridge.Spectrum.power_law(P, a, b, exact=1000)
    k = np.arange(1.0, P + 1)
    whole = ridge.solve(k**-a, signal=k**-b, noise=0.01, sample_ratio=300 / P, penalty=[0, 1e-5])
    quick = ridge.solve(law, noise=0.01, sample_ratio=300 / P, penalty=[0, 1e-5])
    assert law.eigenvalues.size < 2000
    assert quick.test_error == pytest.approx(whole.test_error, rel=1e-7)


def test_power_law_prefactors_of_the_notes():
    # ridgeless, no noise: kappa = (c/N)^a and X = B/(1 - rho) = a I kappa^((b-1)/a)
    a, b, N, P = 1.5, 2.0, 1e6, 1e17
    got = ridge.solve(ridge.Spectrum.power_law(P, a, b), sample_ratio=N / P)
    c = (np.pi / a) / np.sin(np.pi / a)
    q = 2 - (b - 1) / a
    inner = float(mpmath.gamma(q) * mpmath.gamma(2 - q)) / a
    assert got.effective_ridge == pytest.approx((c / N) ** a, rel=1e-4)
    assert got.test_error == pytest.approx(a * inner * (c / N) ** (b - 1), rel=1e-3)


def test_variance_keeps_its_digits_where_penalties_are_large():
    # one eigenvalue, kappa from the quadratic formula in 50 digits; rho is 4e-6
    with mpmath.workdps(50):
        ratio, penalty, noise = mpmath.mpf(100), mpmath.mpf(50), mpmath.mpf("0.25")
        b = 1 - 1 / ratio - penalty
        kappa = (-b + mpmath.sqrt(b**2 + 4 * penalty)) / 2
        rho = 1 / (1 + kappa) ** 2 / ratio
        inputs, noisy = (float(x * rho / (1 - rho)) for x in ((kappa / (1 + kappa)) ** 2, noise))
    got = ridge.solve(1.0, signal=1.0, noise=0.25, sample_ratio=100, penalty=50)
    assert got.variance_of_inputs == pytest.approx(inputs, rel=1e-14)
    assert got.variance_of_noise == pytest.approx(noisy, rel=1e-14)
    assert got.rho == pytest.approx(float(rho), rel=1e-14)


def test_no_nan_in_silence_where_floating_point_ends():
    with pytest.raises(ConvergenceError, match=r"at sample_ratio 0\.6, penalty 0; eigenvalues may span more"):
        ridge.solve([1, 1e-300], signal=[1, 0], noise=0.1, sample_ratio=0.6, penalty=0)


def test_the_edge_is_zero_at_threshold():
    with pytest.raises(ArgumentError, match="above the spectral edge 0 at sample_ratio 1"):
        ridge.solve([1, 0.3], [0.3, 0.7], signal=[1, 0], noise=0.1, sample_ratio=1, penalty=-1e-20)


@pytest.mark.parametrize(("level", "exponent"), [(None, 1.0), (1.2, 1 / (1.2 / 1.5 + 1.2 / 1.5 - 1))])
def test_noise_takes_over_a_power_law_at_the_crossover(level, exponent):
    # s = k^-1.5, u = k^-2, mu = 1: noise equals bias at N ~ (sigma^2)^-exponent, penalty none or N^-level
    spectrum = ridge.Spectrum.power_law(1e16, 1.5, 2.0)

    def excess(log_n, noise):
        n = np.exp(log_n)
        got = ridge.solve(
            spectrum, noise=noise, sample_ratio=n / 1e16, penalty=0.0 if level is None else n**-level
        )
        return np.log((got.bias + got.variance_of_inputs) / got.variance_of_noise)

    meet = [scipy.optimize.brentq(excess, np.log(10), np.log(1e14), args=(noise,)) for noise in (1e-6, 1e-7)]
    assert (meet[1] - meet[0]) / np.log(10) == pytest.approx(exponent, rel=0.02)


@pytest.mark.parametrize(
    ("signal", "noise"),
    [(1e-300, 0.3), (1e-100, 0.3), (1e-31, 1.0), (1e-29, 1.0), (1.0, 1e-40), (1e300, 1e290)],
)
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_the_best_penalty_at_extreme_scales(signal, noise, scale):
    """Isotropic: sigma^2 / (N w^2) where w^2 s is the signal; N = 2 samples of one dimension."""
    best = ridge.optimal_penalty([scale], [1.0], [signal], noise, sample_ratio=2)
    log10 = np.log10(scale) + np.log10(noise) - np.log10(signal) - np.log10(2)
    if log10 < 308:
        assert np.log10(best.penalty) == pytest.approx(log10, abs=1e-9)
    else:
        assert best.penalty == np.inf
    assert noise <= best.test_error * (1 + 1e-12) and best.minima == 1


@pytest.mark.parametrize(("eigenvalues", "ratio"), [([1.0], 1e-300), ([1.0], 1e300), ([1.0, 1e-200], 0.5)])
def test_spreads_that_no_sample_shows_are_refused(eigenvalues, ratio):
    with pytest.raises(DomainError, match="within 1e"):
        ridge.optimal_penalty(eigenvalues, None, eigenvalues, 0.3, sample_ratio=ratio)
