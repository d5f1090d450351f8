"""Random networks against closed forms, the worked values of independent solvers, and linear algebra of whole grids."""

import math
import time

import numpy as np
import pytest
from scipy import integrate, linalg

from widelimit.numerics.dynamics import euler, noise_edge, random_network, rank_one
from widelimit.numerics.dynamics.correlation import Path, solve
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, DomainError, NoFixedPointError, WidelimitError

CONTINUOUS = [  # g, variance, E phi^2, half time, Lyapunov exponent: tables of independent solvers
    (1.5, 0.747686380553, 0.342093488684, 7.84605548, 0.0467462),
    (2.0, 1.924805413737, 0.513178065978, 5.36101882, 0.1124581),
    (3.0, 5.446326083042, 0.680579481121, 4.08365870, 0.2354610),
    (5.0, 16.9640457024, 0.810753250577, 3.45476758, 0.4336976),
]
DISCRETE = [  # g, variance, largest, mean, dimension, entropy
    (1.5, 0.7933540426, 0.0652172119, -0.71434567, 0.16581209, 0.002795211),
    (2.0, 2.1214735682, 0.1547242298, -1.14902254, 0.25755527, 0.010683089),
    (3.0, 6.3053914788, 0.3102493151, -2.27280502, 0.28772072, 0.025196444),
    (5.0, 20.699366844, 0.5324279416, -4.90677137, 0.24648173, 0.039082117),
]


@pytest.mark.parametrize(("g", "variance", "rate", "half", "exponent"), CONTINUOUS)
def test_continuous_time(g, variance, rate, half, exponent):
    found = random_network(g)
    assert found.variance == pytest.approx(variance, rel=1e-11)
    assert found.rate_variance == pytest.approx(rate, rel=1e-11)
    assert found.half_time == pytest.approx(half, rel=1e-8)
    assert found.lyapunov == pytest.approx(exponent, abs=6e-8)
    assert found.mean_lyapunov == -1.0


@pytest.mark.parametrize(("g", "variance", "largest", "mean", "dimension", "entropy"), DISCRETE)
def test_discrete_time(g, variance, largest, mean, dimension, entropy):
    found = random_network(g, time="step")
    assert found.variance == pytest.approx(variance, rel=1e-10)
    assert found.lyapunov == pytest.approx(largest, abs=1e-10)
    assert found.mean_lyapunov == pytest.approx(mean, abs=6e-9)
    assert found.dimension == pytest.approx(dimension, abs=6e-9)
    assert found.entropy == pytest.approx(entropy, abs=6e-10)
    assert found.spectrum(1.0) == found.lyapunov


def test_the_spectrum_integrates_to_its_mean():
    found = random_network(2.0, time="step")
    u, w = np.polynomial.legendre.leggauss(80)
    t = 0.5 * (1 + u)
    assert float((found.spectrum(t**3) * 3 * t**2) @ w / 2) == pytest.approx(found.mean_lyapunov, abs=1e-6)
    assert (np.diff(found.spectrum(np.linspace(0.01, 1, 50))) > 0).all()


def test_slopes_that_vanish_leave_exponents_of_minus_infinity():
    found = random_network(3.0, activation="hard_tanh", time="step")
    dead = math.erfc(1 / math.sqrt(2 * found.variance))  # beyond the kinks
    assert found.spectrum(0.999 * dead) == -math.inf
    assert math.isfinite(found.spectrum(1.001 * dead))
    assert found.mean_lyapunov == -math.inf


def test_the_linear_network_is_an_ornstein_uhlenbeck_process():
    g, sigma = 0.6, 0.75
    found = random_network(g, activation="linear", noise=sigma)
    rate = math.sqrt(1 - g**2)  # Delta'' = (1 - g^2) Delta, Delta'(0) = -sigma^2/2
    assert found.variance == pytest.approx(sigma**2 / (2 * rate), rel=1e-11)
    tau = np.array([0.0, 0.3, 2.0, 9.0])
    assert found.autocorrelation(tau) == pytest.approx(found.variance * np.exp(-rate * tau), rel=1e-9)
    assert found.tail_rate == pytest.approx(rate, rel=1e-10)
    assert found.lyapunov == pytest.approx(g - 1, abs=1e-10)


def test_erf_against_its_closed_form_and_a_run_of_the_second_order_equation():
    g, sigma = 1.6, 0.75
    found = random_network(g, activation="erf_s", noise=sigma)
    assert found.variance == pytest.approx(1.163867912, rel=1e-9)  # root of the closed energy
    d = found.variance
    share = (math.pi / 2) / (1 + math.pi * d / 2)

    def move(_t, y):  # Delta'' = Delta - g^2 (2/pi) asin(...)
        return [y[1], y[0] - g**2 * 2 / math.pi * math.asin(share * y[0])]

    run = integrate.solve_ivp(move, (0, 4), [d, -(sigma**2) / 2], rtol=1e-12, atol=1e-13, dense_output=True)
    for tau in (0.5, 1.5, 4.0):
        assert found.autocorrelation(tau) == pytest.approx(float(run.sol(tau)[0]), rel=1e-7)


def test_the_exponent_against_a_grid_of_finite_differences():
    g, sigma = 2.0, 0.75
    found = random_network(g, noise=sigma)
    path = Path(solve(Activation.of("tanh"), g, sigma), g, sigma)
    step = 0.01
    tau = step * (np.arange(4000) + 0.5)
    slope = path.balance.modes.slope(path.rho_at(tau)) / path.balance.variance
    diagonal = 2 / step**2 + 1 - g**2 * slope
    diagonal[0] -= 1 / step**2  # even at zero
    off = np.full(tau.size - 1, -1 / step**2)
    level = linalg.eigvalsh_tridiagonal(diagonal, off, select="i", select_range=(0, 0))[0]
    assert found.lyapunov == pytest.approx(-1 + math.sqrt(1 - level), abs=2e-5)


def test_the_zero_mode_of_chaos():
    """Without noise Delta' is a level of energy zero, one above the lowest: the well has a second state there."""
    g = 2.0
    path = Path(solve(Activation.of("tanh"), g, 0.0), g, 0.0)
    step = 0.01
    tau = step * (np.arange(6000) + 1)  # odd: vanishes at zero
    slope = path.balance.modes.slope(path.rho_at(tau)) / path.balance.variance
    off = np.full(tau.size - 1, -1 / step**2)
    level = linalg.eigvalsh_tridiagonal(2 / step**2 + 1 - g**2 * slope, off, select="i", select_range=(0, 0))[
        0
    ]
    assert level == pytest.approx(0.0, abs=1e-5)


def test_rest():
    assert random_network(0.7).variance == 0.0
    assert random_network(0.7).lyapunov == pytest.approx(-0.3, abs=1e-12)
    assert random_network(0.7, time="step").lyapunov == pytest.approx(math.log(0.7), rel=1e-12)
    assert random_network(1.0).variance == 0.0
    assert random_network(0.7).autocorrelation([0.0, 3.0]).tolist() == [0.0, 0.0]


def test_the_onset_of_chaos_is_smooth():
    """(g - 1)^2/2 is the limit of the exponent, g - 1 of the variance."""
    found = random_network(1.001)
    assert found.variance == pytest.approx(1e-3, rel=2e-3)
    assert found.lyapunov == pytest.approx(0.5e-6, rel=0.02)


def test_what_does_not_fade():
    found = random_network(0.9, activation="sigmoid", noise=0.3)
    assert 0 < found.frozen < found.variance
    assert found.autocorrelation(1e4) == pytest.approx(found.frozen, rel=1e-12)
    assert found.half_time == math.inf
    still = random_network(0.9, activation="sigmoid")
    assert still.frozen == still.variance > 0
    assert still.autocorrelation(5.0) == still.variance


def test_the_noise_edge():
    assert noise_edge(1.5).noise_variance == pytest.approx(0.186143746231, rel=1e-10)
    assert noise_edge(2.0).variance == pytest.approx(4.207895030949, rel=1e-10)
    at = random_network(2.0, noise=noise_edge(2.0).noise, time="step")
    assert at.lyapunov == pytest.approx(0.0, abs=1e-10)
    with pytest.raises(DomainError, match="not chaotic"):
        noise_edge(0.9)
    with pytest.raises(NoFixedPointError):
        noise_edge(1.2, activation="x + tanh(x)")


@pytest.mark.parametrize(
    "wrong",
    [
        {"g": 0.0}, {"g": -1.0}, {"g": math.nan}, {"g": math.inf}, {"g": 1e300}, {"g": 10**400}, {"g": True},
        {"g": "2"}, {"g": [1.5, 2.0]}, {"noise": -0.1}, {"noise": math.inf}, {"noise": 1e-300}, {"time": "discrete"},
        {"time": None}, {"activation": "tanhh"}, {"activation": 3},
    ],
)  # fmt: skip
def test_bad_input(wrong):
    with pytest.raises(WidelimitError):
        random_network(**{"g": 1.5, **wrong})


def test_more_bad_input():
    with pytest.raises(NoFixedPointError, match="without bound"):
        random_network(1.2, activation="linear", noise=0.5)
    with pytest.raises(NoFixedPointError):
        random_network(1.5, activation="relu", noise=0.5)
    with pytest.raises(ArgumentError, match="whole spectrum"):
        random_network(1.5).spectrum(0.5)
    found = random_network(1.5, time="step")
    for bad in (0.0, 1.1, -0.2, math.nan):
        with pytest.raises(ArgumentError):
            found.spectrum(bad)
    with pytest.raises(ArgumentError, match="whole number of steps"):
        found.autocorrelation(0.5)


def test_euler_steps():
    """Tables of an iteration by Fourier transforms; an autoregressive process where the network is linear."""
    assert euler(2.0, step=0.2)[0] == pytest.approx(1.92476, abs=6e-6)
    assert euler(2.0, step=0.5)[0] == pytest.approx(1.92429, abs=6e-6)
    assert euler(2.0, step=1.0)[0] == pytest.approx(2.12147, abs=6e-6)
    fine = euler(2.0, step=0.1, noise=0.5)
    assert fine[0] == pytest.approx(random_network(2.0, noise=0.5).variance, rel=3e-2)
    alpha, g, sigma = 0.2, 0.6, 0.75
    angles = 2 * np.pi * np.arange(4096) / 4096
    z = np.exp(-1j * angles)
    power = alpha * sigma**2 / (np.abs(1 - (1 - alpha) * z) ** 2 - alpha**2 * g**2)
    found = euler(g, step=alpha, activation="linear", noise=sigma)
    assert found[:30] == pytest.approx(np.fft.ifft(power).real[:30], rel=1e-8)
    with pytest.raises(WidelimitError):
        euler(2.0, step=0.0)
    with pytest.raises(WidelimitError):
        euler(2.0, step=0.2, activation="relu")


def test_rank_one():
    z, w = np.polynomial.hermite_e.hermegauss(200)
    found = rank_one(2.0)
    slope = 1 - np.tanh(found.kappa * z) ** 2
    assert 2.0 * (w @ slope) / w.sum() == pytest.approx(1.0, rel=1e-9)
    assert (rank_one(0.9).kappa, rank_one(0.5).time_constant) == (0.0, pytest.approx(2.0, rel=1e-12))
    for bad in (0.0, -1.0, math.nan, 1e300, True, "2"):
        with pytest.raises(WidelimitError):
            rank_one(bad)


def test_speed():
    random_network(1.9), random_network(1.9, time="step")
    start = time.process_time()
    random_network(2.1)
    continuous = time.process_time() - start
    found = random_network(2.1, time="step")
    start = time.process_time()
    found.spectrum(np.linspace(0.1, 0.9, 50))
    assert continuous < 0.2  # 50 ms alone
    assert time.process_time() - start < 0.15  # 1 ms a quantile alone


@pytest.mark.parametrize("g", [1.001, 1.05, 1.3, 1.5, 3.0])
def test_weak_chaos_in_discrete_time(g):
    """Above small largest exponents 1 - t had no digits, and a bracket no change of sign: a foreign ValueError."""
    found = random_network(g, time="step")
    ends = np.linspace(0, 1, 40_001)[1:]
    exponents = found.spectrum(1 - ends + 1.25e-5)
    assert found.entropy == pytest.approx(np.maximum(exponents, 0).mean(), rel=1e-4)
    filled = np.cumsum(exponents) / exponents.size  # from the largest down: it is zero at the dimension
    assert np.interp(found.dimension, ends, filled) == pytest.approx(0, abs=2e-4 * found.entropy + 1e-9)


@pytest.mark.parametrize("g", [2.0, 5.0, 100.0])
def test_mean_exponent_where_slopes_fall_below_floats(g):
    found = random_network(g, activation="erf", time="step")
    q = found.variance
    assert found.mean_lyapunov == pytest.approx(np.log(g) - 0.5 - q + np.log(2 / np.sqrt(np.pi)), rel=1e-10)
