"""Balanced networks: worked values, mpmath's integrals over spectra, simulations by others, and bad input."""

import itertools
import math
import time

import mpmath
import numpy as np
import pytest
from scipy import integrate, optimize, special

from widelimit.numerics import coding
from widelimit.theory.errors import ArgumentError, DomainError, NoFixedPointError, WidelimitError

SIGMA = 0.75


def test_worked_values_without_disorder():
    p = coding.solve("tanh", balance=4.0, noise=SIGMA, signal=0.2)
    assert p.drive == pytest.approx(0.1894297297799, rel=1e-12)
    assert p.estimate == pytest.approx(0.152642567555, rel=1e-11)
    assert p.gain == pytest.approx(0.7947420444885, rel=1e-12)
    assert p.variance == pytest.approx(0.04438235180908, rel=1e-12)
    assert p.bias == pytest.approx(0.2 - p.estimate, rel=1e-12)
    assert (p.phase, p.stable, p.quenched_variance, p.amplitude) == ("static", True, 0.0, 0.0)
    late = coding.solve("tanh", balance=[4.0, 8.0, 12.0], noise=SIGMA, delay=0.1)
    assert late.variance == pytest.approx([0.06203042248589, 0.05021862315886, 0.05466410494365], rel=1e-12)


def test_worked_values_with_disorder():
    p = coding.solve("erf_s", balance=8.0, noise=SIGMA, disorder=1.6)
    assert p.unit_variance == pytest.approx(1.163867912, rel=1e-9)
    assert p.gain == pytest.approx(0.59462749125, rel=1e-10)
    assert p.variance == pytest.approx(0.03454659796, rel=1e-9)
    q = coding.solve("erf_s", balance=4.0, noise=0.5, disorder=1.2, signal=0.5)
    assert q.drive == pytest.approx(0.5428952900, rel=1e-9)
    assert q.unit_variance == pytest.approx(0.6769435365, rel=1e-9)
    assert q.frozen_variance == pytest.approx(0.4648609342, rel=1e-9)
    assert q.gain == pytest.approx(0.6222879569, rel=1e-9)
    assert q.quenched_variance == pytest.approx(0.0156169001, rel=1e-8)
    assert q.variance == pytest.approx(0.0215908, rel=2e-6)
    assert coding.correlation("erf_s", times=0.0, noise=SIGMA, disorder=1.6).rates == pytest.approx(
        0.44746762989, rel=1e-10
    )


def spectrum(phi, balance, sigma, delay, signal=0.0):
    """N Var by mpmath-like quadrature of its own: c_k by Gauss and Hermite, the spectrum by panels of omega."""
    z, w = special.roots_hermitenorm(160)
    w = w / w.sum()
    d0 = sigma**2 / 2
    m = 0.0
    for _ in range(500):
        m += 0.05 * (balance * (signal - w @ phi(m + math.sqrt(d0) * z)) - m)
    step = 1e-5
    gain = w @ (phi(m + step + math.sqrt(d0) * z) - phi(m - step + math.sqrt(d0) * z)) / (2 * step)
    shares = [
        (w @ (special.hermitenorm(k)(z) * phi(m + math.sqrt(d0) * z))) ** 2 / math.factorial(k)
        for k in range(1, 24)
    ]
    edges = np.linspace(0, 4000, 40001)
    x, v = np.polynomial.legendre.leggauss(8)
    om = (edges[:-1, None] + 0.05 * (1 + x)).ravel()
    weight = np.tile(0.05 * v, edges.size - 1)
    loop = 1 / np.abs(1 + balance * gain * np.exp(-1j * om * delay) / (1 + 1j * om)) ** 2 - 1
    return sum(
        c * (1 + float(weight @ (2 * k / (k * k + om * om) * loop)) / math.pi)
        for k, c in enumerate(shares, 1)
    )


@pytest.mark.parametrize(
    ("balance", "disorder", "signal"), [(2.0, 2.0, 0.3), (16.0, 3.5, 0.3), (0.5, 3.5, 0.1), (4.0, 6.0, 0.6)]
)
def test_chaos_with_a_signal_keeps_its_energy(balance, disorder, signal):
    """Delta falls from Delta_0 to Delta_inf in V' = g^2 C(Delta) - Delta: at rest there, and V the same at both ends.

    C by sums over equidistant points in two dimensions, which are exponentially exact.
    """
    found = coding.solve("tanh", balance=balance, disorder=disorder, signal=signal)
    assert found.phase == "chaotic"
    z = np.linspace(-9, 9, 361)
    w = np.exp(-(z**2) / 2)
    w = w / w.sum()
    start, rest = found.unit_variance, found.frozen_variance

    def force(delta):
        inner = np.tanh(found.drive + math.sqrt(delta) * z[:, None] + math.sqrt(start - delta) * z) @ w
        return disorder**2 * (inner**2 @ w) - delta

    assert force(rest) == pytest.approx(0, abs=1e-9 * start)
    energy = integrate.quad(force, rest, start, limit=200)[0]
    assert energy == pytest.approx(0, abs=1e-9 * start)
    mean = np.tanh(found.drive + math.sqrt(start) * z) @ w
    assert found.drive == pytest.approx(balance * (signal - mean), abs=1e-9)


def test_chaos_with_a_signal_varies_smoothly_with_disorder():
    """From the state without a signal on; wherever a grid of variances happens to lie."""
    disorder = np.linspace(1.6, 3.5, 39)
    found = coding.solve("tanh", balance=2.0, disorder=disorder, signal=0.3)
    assert (found.phase == "chaotic").all()
    assert (np.abs(np.diff(found.unit_variance, 2)) < 0.02).all()
    nearly = coding.solve("tanh", balance=2.0, disorder=[2.0, 3.0], signal=1e-4).unit_variance
    assert nearly == pytest.approx([1.924805413737, 5.446326083042], rel=1e-4)  # dynamics.random_network


@pytest.mark.parametrize(
    ("balance", "sigma", "delay", "signal"), [(3.0, 0.6, 0.2, 0.3), (0.5, 1.0, 1.0, 0.0)]
)
def test_delay_against_the_spectrum(balance, sigma, delay, signal):
    p = coding.solve("tanh", balance=balance, noise=sigma, delay=delay, signal=signal)
    assert p.variance == pytest.approx(spectrum(np.tanh, balance, sigma, delay, signal), rel=1e-6)


def test_loop_gain_of_one_and_short_delays_are_limits():
    gain = coding.solve("tanh", balance=1.0, noise=SIGMA).gain
    at, near = (
        coding.solve("tanh", balance=b / gain, noise=SIGMA, delay=0.3).variance for b in (1.0, 1.0 + 1e-7)
    )
    assert at == pytest.approx(near, rel=1e-6) and math.isfinite(at)
    short = coding.solve("tanh", balance=4.0, noise=SIGMA, delay=1e-9).variance
    assert short == pytest.approx(coding.solve("tanh", balance=4.0, noise=SIGMA).variance, rel=1e-7)


def test_a_delay_with_disorder_tends_to_both_limits():
    kind = {"balance": 4.0, "noise": SIGMA}
    free = coding.solve("tanh", disorder=1.3, **kind).variance
    assert coding.solve("tanh", disorder=1.3, delay=1e-9, **kind).variance == pytest.approx(free, rel=1e-7)
    weak = coding.solve("tanh", disorder=1e-3, delay=0.1, **kind).variance
    assert weak == pytest.approx(coding.solve("tanh", delay=0.1, **kind).variance, rel=1e-5)


def test_erf_closed_forms():
    b, sigma, x = 5.0, 0.9, 0.3
    p = coding.solve("erf_s", balance=b, noise=sigma, signal=x)
    d = mpmath.mpf(sigma) ** 2 / 2
    wide = 1 + mpmath.pi * d / 2

    def decoded(m):
        return mpmath.erf(mpmath.sqrt(mpmath.pi) * m / (2 * mpmath.sqrt(wide)))

    m = mpmath.findroot(lambda m: m - b * (x - decoded(m)), 0.3)
    a = mpmath.exp(-mpmath.pi * m**2 / (4 * wide)) / mpmath.sqrt(wide)
    assert p.drive == pytest.approx(float(m), rel=1e-13)
    assert p.gain == pytest.approx(float(a), rel=1e-13)

    def slope(r):  # dC/d rho
        up, down = 1 + mpmath.pi * d * (1 + r) / 2, 1 + mpmath.pi * d * (1 - r) / 2
        return d * mpmath.exp(-mpmath.pi * m**2 / (2 * up)) / mpmath.sqrt(up * down)

    loop = 1 + b * a  # N Var = C_0/a^2 + (1 - 1/a^2) int -exp(-a tau) C', rho = exp(-tau)
    rates = mpmath.quad(slope, [0, 1])
    falling = mpmath.quad(lambda r: slope(r) * r**loop, [0, 1])
    assert p.variance == pytest.approx(float(rates / loop**2 + (1 - 1 / loop**2) * falling), rel=1e-12)


def test_thresholds():
    p = coding.critical_balance("tanh", delay=0.1, noise=SIGMA)
    assert p.loop_gain == pytest.approx(16.35055392597, rel=1e-12)
    assert p.frequency == pytest.approx(16.31994527215, rel=1e-12)
    assert p.balance == pytest.approx(20.1518196589, rel=1e-11)
    assert p.frequency * math.cos(0.1 * p.frequency) + math.sin(0.1 * p.frequency) == pytest.approx(
        0, abs=1e-11
    )
    d = 1e-4
    assert d * coding.critical_balance("tanh", delay=d).loop_gain == pytest.approx(
        math.pi / 2 + 2 / math.pi * d, abs=1e-7
    )
    assert coding.critical_balance("tanh", delay=0.0).balance == math.inf
    with_signal = coding.critical_balance("tanh", delay=0.1, noise=SIGMA, signal=0.5)
    at = coding.solve("tanh", balance=with_signal.balance, noise=SIGMA, delay=0.1, signal=0.5)
    assert at.loop_gain == pytest.approx(with_signal.loop_gain, rel=1e-10)
    assert with_signal.balance > p.balance  # signals lower the gain


def test_beyond_the_threshold():
    gc = 16.35055392597
    p = coding.solve("tanh", balance=1.05 * gc, delay=0.1)
    assert (p.variance, p.stable, p.phase) == (math.inf, False, "oscillating")
    q = coding.oscillation("tanh", balance=1.05 * gc, delay=0.1)
    assert p.amplitude == q.amplitude
    # a_1 by quadrature of its own
    a1 = (
        integrate.quad(lambda t: math.tanh(q.amplitude * math.cos(t)) * math.cos(t), 0, math.pi)[0]
        * 2
        / math.pi
    )
    assert 1.05 * gc * a1 / q.amplitude == pytest.approx(gc, rel=1e-9)
    assert q.estimate_rms == pytest.approx(0.3037, abs=2e-4)  # delay equation by Heun's steps: .3032
    near = coding.oscillation("tanh", balance=1.0001 * gc, delay=0.1)
    assert near.amplitude == pytest.approx(2 * math.sqrt(1 - 1 / 1.0001), rel=1e-3)
    assert coding.oscillation("tanh", balance=0.9 * gc, delay=0.1).amplitude == 0.0


def smooth(h, spread):
    """E tanh(h + s z) and its slope in h, by Gauss and Hermite's rule with 120 nodes."""
    z, w = np.polynomial.hermite_e.hermegauss(120)
    rates = np.tanh(np.asarray(h)[..., None] + spread * z)
    return rates @ (w / w.sum()), (1 - rates**2) @ (w / w.sum())


def test_oscillations_about_signals_have_both_harmonics_right():
    """b a_1 = G R and m = b (x - a_0) at every point of an array, and of one oscillation."""
    balance, signal = np.array([24.0, 30.0, 55.0]), np.array([0.2, -0.3, 0.5])
    gain, phases = 16.35055392597, 2 * np.pi * (np.arange(400) + 0.5) / 400
    sizes = coding.solve("tanh", balance=balance, delay=0.1, noise=SIGMA, signal=signal).amplitude
    for b, x, size in zip(balance, signal, sizes, strict=True):
        one = coding.oscillation("tanh", balance=b, delay=0.1, noise=SIGMA, signal=x)
        assert one.amplitude == pytest.approx(size, rel=1e-10)
        rates, _ = smooth(one.centre + size * np.cos(phases), SIGMA / 2**0.5)
        assert b * 2 * (rates * np.cos(phases)).mean() / size == pytest.approx(gain, rel=1e-9)
        assert b * (x - rates.mean()) == pytest.approx(one.centre, rel=1e-9)


def test_both_harmonics_of_600_random_oscillations():
    """As above with noise, signals and delays drawn at random; erf averaged over noise is an erf."""
    rng, count = np.random.default_rng(3), 600
    noise, signal, delay = (
        rng.uniform(0.05, 1.5, count),
        rng.uniform(-0.8, 0.8, count),
        rng.uniform(0.05, 0.3, count),
    )
    gain = coding.critical_balance("erf_s", delay=delay).loop_gain
    balance = gain * np.exp(rng.uniform(math.log(1.2), math.log(12.0), count))
    p = coding.solve("erf_s", balance=balance, delay=delay, noise=noise, signal=signal)
    rows = np.flatnonzero(p.phase == "oscillating")
    size, b, x = p.amplitude[rows], balance[rows], signal[rows]
    assert rows.size >= 500 and np.isfinite(size).all()
    wide = 1 + np.pi * noise[rows, None] ** 2 / 4
    phases = np.pi * (np.arange(400) + 0.5) / 400
    centre = p.drive[rows]
    low, high = -b * np.abs(x), b * np.abs(x)
    for _ in range(60):  # the one root of m = b (x - a_0)
        h = centre[:, None] + size[:, None] * np.cos(phases)
        rates = special.erf(math.sqrt(math.pi) / 2 * h / np.sqrt(wide))
        slope = (np.exp(-np.pi / 4 * h**2 / wide) / np.sqrt(wide)).mean(axis=1)
        off = centre / b + rates.mean(axis=1) - x
        low, high = np.where(off <= 0, centre, low), np.where(off > 0, centre, high)
        after = centre - off / (1 / b + slope)
        centre = np.where((after >= low) & (after <= high), after, (low + high) / 2)
        if (np.abs(off) < 1e-14).all():
            break
    assert np.abs(off).max() < 1e-13
    assert b * 2 * (rates * np.cos(phases)).mean(axis=1) / size == pytest.approx(gain[rows], rel=1e-9)


@pytest.mark.parametrize("rate", ["erf_s", "clip"])
def test_large_oscillations_of_many_networks_at_once(rate):
    """b a_1 = G R for 60 noises and balances up to 300 times the threshold; averages over noise in closed form."""
    rng = np.random.default_rng(0)
    noise, balance = rng.uniform(0.0, 1.5, 60), np.exp(rng.uniform(3.5, 9.0, 60))
    noise[:5] = 0.0
    text = "erf_s" if rate == "erf_s" else "Min(1, Max(-1, x))"
    p = coding.solve(text, balance=balance, delay=0.1, noise=noise)
    assert (p.phase == "oscillating").all()

    def smoothed(h, spread):
        if rate == "erf_s":
            return special.erf(math.sqrt(math.pi) / 2 * h / math.sqrt(1 + math.pi * spread**2 / 2))
        if spread == 0:
            return np.clip(h, -1, 1)

        def ramp(u):  # E max(0, u + s z)
            return u * special.ndtr(u / spread) + spread * np.exp(-((u / spread) ** 2) / 2) / math.sqrt(
                2 * math.pi
            )

        return -1 + ramp(h + 1) - ramp(h - 1)

    for b, s, r in list(zip(balance, noise, p.amplitude, strict=True))[:12]:
        steps = (math.inf, 16, 8, 4, 2, 1, 0, -1, -2, -4, -8, -16, -math.inf)
        edges = [math.acos(min(1, max(-1, v / r))) for v in steps]

        def first(t, s=s, r=r):
            return float(smoothed(r * math.cos(t), s / 2**0.5) * math.cos(t))

        parts = [integrate.quad(first, *ends, epsabs=1e-14)[0] for ends in itertools.pairwise(edges)]
        a1 = 2 / math.pi * sum(parts)
        assert b * a1 / r == pytest.approx(16.35055392597, rel=1e-10)


def test_oscillations_far_beyond_the_threshold_switch_between_the_largest_rates():
    """tanh is a square wave but where h crosses zero: mean 2/pi asin(m/R), a_1 4/pi sqrt(1 - m^2/R^2)."""
    signals = [0.0, 0.3, 0.9, -0.99]
    p = coding.solve("tanh", balance=1e6, delay=0.1, signal=signals)
    r = 4 / math.pi * 1e6 / 16.35055392597

    def mean(angle, x):
        return 2 / math.pi * angle - (x - r * math.cos(angle) * math.sin(angle) / 1e6)

    for x, size in zip(signals, p.amplitude, strict=True):
        angle = optimize.brentq(mean, -1.57, 1.57, args=(x,), xtol=1e-15)
        assert size == pytest.approx(r * math.cos(angle), rel=1e-8 / math.cos(angle) ** 4)  # kinks next to R


def test_the_threshold_with_a_signal_is_that_of_its_own_drive():
    for x in (0.2, -0.5):
        b = coding.critical_balance("tanh", delay=0.1, noise=SIGMA, signal=x).balance
        m = optimize.brentq(lambda m, b=b, x=x: m - b * (x - smooth(m, SIGMA / 2**0.5)[0]), -9, 9, xtol=1e-14)
        assert b * smooth(m, SIGMA / 2**0.5)[1] == pytest.approx(16.35055392597, rel=1e-10)


def test_the_best_balance():
    p = coding.optimal_balance("tanh", delay=0.1, noise=SIGMA)
    assert p.balance == pytest.approx(8.706194, abs=1e-6)
    assert p.variance == pytest.approx(0.0500137645733, rel=1e-11)
    short = coding.optimal_balance("tanh", delay=1e-4, noise=SIGMA)
    assert short.variance == pytest.approx(short.leading, rel=1e-3)
    z, w = special.roots_hermitenorm(80)
    square = w @ (1 - np.tanh(math.sqrt(0.28125) * z) ** 2) ** 2 / w.sum()
    assert short.leading == pytest.approx(3.0638 * 0.28125 * square * 1e-4, rel=1e-4)
    assert coding.solve("tanh", balance=short.balance, noise=SIGMA).loop_gain * 1e-4 == pytest.approx(
        0.739085, rel=2e-3
    )
    small = coding.optimal_balance("tanh", delay=0.1, noise=SIGMA, signal=0.3, size=100)
    wide = coding.optimal_balance("tanh", delay=0.1, noise=SIGMA, signal=0.3, size=10_000)
    alone = coding.optimal_balance("tanh", delay=0.1, noise=SIGMA, signal=0.3)
    assert alone.balance < small.balance < wide.balance  # the bias is not divided by N


def test_500_random_best_balances_are_the_least_of_all_balances():
    """By `solve` alone: no balance up to the threshold does better, and the slope of the error vanishes there."""
    rng, count = np.random.default_rng(4), 500
    sigma, x = rng.uniform(0.1, 1.5, count), rng.uniform(-0.6, 0.6, count) * (rng.random(count) < 0.8)
    delay, size = np.exp(rng.uniform(math.log(1e-3), 1.0, count)), np.exp(rng.uniform(3.0, 14.0, count))
    names = np.array(["tanh", "erf_s", "tanh(3*x)", "softplus"])[np.arange(count) % 4]
    best = [
        coding.optimal_balance(str(name), delay=d, noise=s, signal=y, size=n if k % 3 else None)
        for k, (name, d, s, y, n) in enumerate(zip(names, delay, sigma, x, size, strict=True))
    ]
    step = 0.01
    shares = np.linspace(-12.0, 14.0, 27)
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        given = {"delay": delay[rows, None], "noise": sigma[rows, None], "signal": x[rows, None]}
        top = coding.critical_balance(name, **given).balance
        counted = (rows % 3 > 0)[:, None]

        def error(balance, name=name, given=given, rows=rows, counted=counted):
            p = coding.solve(name, balance=balance, **given)
            return p.variance / np.where(counted, size[rows, None], 1.0) + np.where(counted, p.bias**2, 0.0)

        b, variance, total = (
            np.array([getattr(best[k], field) for k in rows])[:, None]
            for field in ("balance", "variance", "mean_square_error")
        )
        assert coding.solve(name, balance=b, **given).variance == pytest.approx(variance, rel=1e-9)
        least = error(b)
        assert least == pytest.approx(np.where(counted, total, variance), rel=1e-9)
        assert (error(top / (1 + np.exp(-shares))) >= least * (1 - 1e-9)).all()
        y = np.log(b / (top - b)) + step * np.arange(-3, 4)
        f = error(top / (1 + np.exp(-y)))
        slope = f @ np.array([-1, 9, -45, 0, 45, -9, 1]) / (60 * step)
        bend = f @ np.array([2, -27, 270, -490, 270, -27, 2]) / (180 * step**2)
        assert (bend > 0).all()
        assert (np.abs(slope / bend) * (1 - b / top)[:, 0]).max() < 1e-9  # what log b is off


def test_onset_of_chaos():
    z, w = special.roots_hermitenorm(400)
    w = w / w.sum()

    def onset(x):
        def excess(d, square=False):
            h = optimize.brentq(lambda m: w @ np.tanh(m + math.sqrt(d) * z) - x, 0, 5, xtol=1e-15)
            rate = np.tanh(h + math.sqrt(d) * z)
            b = w @ (1 - rate**2) ** 2
            return b if square else d * b - w @ rate**2

        return excess(optimize.brentq(excess, 0.01, 8, xtol=1e-14), square=True) ** -0.5

    assert coding.chaos_onset("tanh", signal=0.2) == pytest.approx(onset(0.2), rel=1e-11)
    assert coding.chaos_onset("tanh", signal=0.2) == pytest.approx(
        1.40160947943, rel=2e-9
    )  # its last digits are off
    assert coding.chaos_onset("tanh", signal=0.5) == pytest.approx(2.10361761534, rel=1e-10)
    assert coding.chaos_onset("tanh", signal=0.0) == pytest.approx(1.0, rel=1e-9)
    finite = coding.chaos_onset("tanh", signal=0.5, balance=[4.0, 400.0, math.inf])
    assert 1 < finite[0] < finite[1] < finite[2]
    below, above = (
        coding.solve("tanh", balance=4.0, signal=0.5, disorder=s * finite[0]) for s in (0.97, 1.03)
    )
    assert (below.phase, below.variance, above.phase) == ("static", 0.0, "chaotic")
    assert below.quenched_variance > 0


def test_strong_balance():
    law = coding.strong_balance("tanh", noise=SIGMA, signal=0.2)
    p = coding.solve("tanh", balance=1e3, noise=SIGMA, signal=0.2)  # b = N/10 at N = 10^4
    assert 1e8 * p.bias**2 == pytest.approx(6.206688, rel=1e-6)
    assert 1e4 * p.variance == pytest.approx(2.367087, rel=1e-6)
    assert law.noise_coefficient / 0.1 == pytest.approx(2.3703, abs=5e-4)
    b = 1e6
    noisy = coding.strong_balance("tanh", noise=SIGMA, disorder=1.6)
    assert b * coding.solve("tanh", balance=b, noise=SIGMA, disorder=1.6).variance == pytest.approx(
        noisy.noise_coefficient, rel=1e-4
    )
    chaos = coding.strong_balance("tanh", disorder=1.6)
    assert b**2 * coding.solve("tanh", balance=b, disorder=1.6).variance == pytest.approx(
        chaos.chaos_coefficient, rel=1e-4
    )
    assert noisy.crossover > 0 and chaos.noise_coefficient == 0


def test_activations_that_are_not_odd_average_over_both_signs():
    """softplus decodes h/2 of either sign: a code of gain 1/2, with what its even part makes differ between units."""
    p = coding.solve("softplus", balance=4.0, noise=SIGMA, signal=0.3)
    assert p.gain == pytest.approx(0.5, rel=1e-12)
    assert p.estimate == pytest.approx(4 * 0.5 * 0.3 / (1 + 2), rel=1e-12)
    assert p.quenched_variance > 0


def test_kinks_against_mpmath():
    p = coding.solve("hard_tanh", balance=4.0, noise=SIGMA, signal=0.2)
    root = math.sqrt(0.28125)
    cdf = special.ndtr
    assert p.gain == pytest.approx(cdf((1 - p.drive) / root) - cdf((-1 - p.drive) / root), rel=1e-12)
    assert p.drive == pytest.approx(4 * (0.2 - p.estimate), rel=1e-12)


def test_arrays_broadcast_and_nothing_fluctuates_without_noise():
    p = coding.solve("tanh", balance=[[1.0], [4.0]], signal=[0.0, 0.2, -0.2])
    assert p.drive.shape == (2, 3) and (p.variance == 0).all()
    assert p.drive[:, 1] == pytest.approx(-p.drive[:, 2], rel=1e-14)
    none = coding.solve("tanh", balance=0.0, signal=0.2, noise=SIGMA)
    assert (none.drive, none.bias, none.loop_gain) == (0.0, pytest.approx(0.2, rel=1e-12), 0.0)
    d = coding.phase_diagram("tanh", balance=[4.0, 30.0], delay=[0.0, 0.1], noise=SIGMA)
    assert d.phase.values.tolist() == [["static", "static"], ["static", "oscillating"]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"balance": -1.0}, {"balance": math.inf}, {"balance": 10**400}, {"balance": True}, {"balance": "4"},
        {"noise": -0.1}, {"noise": 1e-300}, {"noise": 1e300}, {"delay": -0.1}, {"delay": math.nan},
        {"disorder": -1.0}, {"signal": 1.0}, {"signal": -1.5}, {"signal": math.nan}, {"activation": "x*exp(-x**2)"},
        {"activation": "-tanh(x)"}, {"activation": "sign"}, {"activation": "cos(x)"}, {"activation": "tanhh"},
        {"balance": [1.0, 2.0], "noise": [1.0, 2.0, 3.0]},
    ],
)  # fmt: skip
def test_bad_input(wrong):
    with pytest.raises(WidelimitError):
        coding.solve(**{"activation": "tanh", "balance": 4.0, **wrong})


def test_more_bad_input():
    with pytest.raises(ArgumentError, match="largest rate"):
        coding.solve("tanh", balance=4.0, signal=1.0)
    with pytest.raises(NoFixedPointError, match="without bound"):
        coding.solve("relu", balance=4.0, disorder=1.6, noise=SIGMA)
    assert coding.solve("tanh", balance=4.0, disorder=0.9).variance == 0.0  # rest
    with pytest.raises(DomainError, match="for ever"):
        coding.optimal_balance("tanh", delay=0.0, noise=SIGMA)
    with pytest.raises(DomainError, match="fluctuates"):
        coding.optimal_balance("tanh", delay=0.1)
    with pytest.raises(ArgumentError):
        coding.oscillation("tanh", balance=4.0, delay=0.0)
    with pytest.raises(ArgumentError):
        coding.chaos_onset("tanh", signal=0.2, balance=0.0)
    unbounded = coding.solve("linear", balance=40.0, delay=0.1)
    assert (unbounded.phase, unbounded.amplitude) == ("oscillating", math.inf)


def test_speed():
    b = np.linspace(1, 15, 2000)
    coding.solve("tanh", balance=b[:10], noise=SIGMA, signal=0.2, delay=0.05)
    start = time.process_time()
    coding.solve("tanh", balance=b, noise=SIGMA, signal=0.2, delay=0.05)
    assert time.process_time() - start < 0.6  # 0.1 s alone: 10^4 points in half a second
    turning = {"balance": np.linspace(24, 80, 2000), "noise": SIGMA, "delay": 0.1, "signal": 0.2}
    coding.solve("tanh", **turning)
    start = time.process_time()
    coding.solve("tanh", **turning)
    assert time.process_time() - start < 0.15  # 0.04 s alone
    best = {"delay": 0.1, "noise": SIGMA, "signal": 0.3}
    coding.optimal_balance("tanh", **best)
    start = time.process_time()
    for _ in range(20):
        coding.optimal_balance("tanh", **best)
    assert time.process_time() - start < 20 * 0.015  # 4 ms each alone, 28 by drives at each balance
