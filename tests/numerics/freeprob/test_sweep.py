"""Free sums, products and powers with atoms of any size anywhere, against polynomials that share nothing with them."""

import time

import mpmath
import numpy as np
import pytest
from numpy.polynomial import Polynomial
from sympy import I, Rational

from widelimit.numerics import freeprob
from widelimit.theory import freeprob as symbolic
from widelimit.theory.errors import DomainError

HALF = Rational(1, 2)
Atoms = list[tuple[float, float]]


def silverstein(atoms: Atoms, ratio: float, x: float) -> float:
    """Density at x > 0 of sample covariances, ratio = p/n: from z = -1/u + ratio sum p d/(1 + d u), u = companion G."""
    kept = [(d, p) for d, p in atoms if d > 0]
    full = Polynomial([1.0])
    for d, _ in kept:
        full *= Polynomial([1.0, d])
    u = Polynomial([0.0, 1.0])
    equation = x * u * full + full
    for i, (d, p) in enumerate(kept):
        rest = Polynomial([1.0])
        for j, (e, _) in enumerate(kept):
            rest *= Polynomial([1.0, e]) if j != i else Polynomial([1.0])
        equation -= ratio * p * d * u * rest
    return max(0.0, equation.roots().imag.max()) / np.pi / ratio


def silverstein_edges(atoms: Atoms, ratio: float) -> np.ndarray:
    """Critical values of x(u) = -1/u + ratio sum p d/(1 + d u) at real u, among them all edges (in s = -1/u)."""
    # x(s) = s (1 + ratio sum p d/(s - d)); x'(s) = 1 - ratio sum p d^2/(s - d)^2
    kept = [(d, p) for d, p in atoms if d > 0]
    full = Polynomial([1.0])
    for d, _ in kept:
        full *= Polynomial([-d, 1.0]) ** 2
    slope = full
    for i, (d, p) in enumerate(kept):
        rest = Polynomial([1.0])
        for j, (e, _) in enumerate(kept):
            rest *= Polynomial([-e, 1.0]) ** 2 if j != i else Polynomial([1.0])
        slope = slope - ratio * p * d * d * rest
    s = slope.roots()
    s = s[np.abs(s.imag) < 1e-7 * (1 + np.abs(s))].real
    return np.sort([v * (1 + ratio * sum(p * d / (v - d) for d, p in kept)) for v in s])


def pastur(atoms: Atoms, variance: float, x: float) -> float:
    """Density of semicircle plus atoms: from w = x - variance sum p/(w - a), w = x - variance G; in forty digits."""
    with mpmath.workdps(40):
        full, sums = [mpmath.mpf(1)], [mpmath.mpf(0)]
        for a, p in atoms:  # prod (w - a) and sum of p prod of the others
            sums = _plus(_times(sums, a), [p * c for c in full])
            full = _times(full, a)
        equation = _plus(_times(full, x), [variance * c for c in sums])
        roots = mpmath.polyroots(equation, maxsteps=300, extraprec=200)
        return max(0.0, float(max(mpmath.im(w) for w in roots))) / np.pi / variance


def _times(polynomial: list, root: float) -> list:
    """The polynomial, highest power first, times (w - root)."""
    return [c - root * d for c, d in zip([*polynomial, 0], [0, *polynomial], strict=True)]


def _plus(first: list, second: list) -> list:
    size = max(len(first), len(second))
    padded = [[0] * (size - len(part)) + list(part) for part in (first, second)]
    return [c + d for c, d in zip(*padded, strict=True)]


def wishart(ratio: float) -> freeprob.SpectralLaw:
    return freeprob.law(symbolic.marchenko_pastur(ratio))


def inner(law: freeprob.SpectralLaw, count: int = 5) -> np.ndarray:
    """Points in every interval of support, away from its ends."""
    return np.concatenate(
        [low + (high - low) * np.linspace(0.0, 1.0, count + 2)[1:-1] for low, high in law.support]
    )


# square shapes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["multiply", "law, floats", "law, rationals"])
def test_a_square_sample_covariance_of_two_populations(way):
    half = 0.5 if way == "law, floats" else HALF
    atoms = [(1, half), (4, half)]
    if way == "multiply":
        law = freeprob.multiply([(1.0, 0.5), (4.0, 0.5)], wishart(1))
    else:
        law = freeprob.law(symbolic.marchenko_pastur(1) * symbolic.mixture(atoms))
    assert law.support[0] == pytest.approx((0.0, 12.2424874698), abs=1e-9) and law.error < 1e-12
    assert law.density([1.0, 5.0]) == pytest.approx([0.1908200733, 0.0494032170], abs=1e-10)
    assert law.density([1.0, 5.0]) == pytest.approx(
        [silverstein([(1.0, 0.5), (4.0, 0.5)], 1.0, x) for x in (1.0, 5.0)], abs=1e-12
    )


@pytest.mark.parametrize("ratio", [0.99, 1.0, 1.01])
def test_three_populations_next_to_the_square_shape(ratio):
    atoms = [(x, 1 / 3) for x in (1.0, 4.0, 9.0)]
    law = freeprob.multiply(atoms, wishart(ratio))
    x = np.array([0.01, 0.3, 2.0, 7.0, 20.0])
    assert law.density(x) == pytest.approx([silverstein(atoms, ratio, v) for v in x], rel=1e-9)
    assert law.largest == pytest.approx(silverstein_edges(atoms, ratio)[-1], rel=1e-12)
    assert dict(law.atoms).get(0.0, 0.0) == pytest.approx(max(0.0, 1 - 1 / ratio), abs=1e-14)
    assert law.error < 1e-11


@pytest.mark.parametrize(
    ("ratio", "off"),
    [
        *[(2.0, d) for d in (0.0, 1e-4, 1e-8, -1e-8, 2e-12)],
        *[(r, 0.0) for r in (10.0, 1000.0, 1 / (1 - 1e-6), 1 / (1 - 1e-8))],
        (1000.0, -1e-8),
        (1 / (1 - 1e-6), 2e-12),
    ],
)
def test_both_factors_have_nearly_the_same_mass_at_zero(ratio, off):
    """Where the two zeta go to zero together; what is left of u(u + d) at u = -d/2 is the lower edge."""
    zero = 1 - 1 / ratio
    atoms = [(0.0, zero + off), (1.0, (1 - zero) / 2), (3.0, (1 - zero) / 2 - off)]
    law = freeprob.multiply(atoms, wishart(ratio))
    assert law.error < 1e-12 and law.atoms == ((0.0, pytest.approx(max(zero, zero + off), abs=1e-15)),)
    x = np.array([0.01, 1.0, 5.0])
    assert law.density(x) == pytest.approx([silverstein(atoms, ratio, v) for v in x], rel=1e-11)
    middle = sum(
        p / d for d, p in atoms if d > 0
    )  # E 1/x off zero; of Marchenko and Pastur's law 1/(c (c - 1))
    edge = off**2 * (1 - zero) / zero / 4 / (middle / (ratio * (ratio - 1)))
    assert law.smallest == 0.0 and law.support[0][0] == pytest.approx(edge, rel=1e-3, abs=1e-26)


def test_laws_with_the_same_mass_at_zero_and_densities_down_to_it():
    """Of two free projections of rank 1/2 times themselves; moments of S(m)^2, S = (1 + m)^2/(1/2 + m)^2."""
    projections = freeprob.multiply([(0.0, 0.5), (1.0, 0.5)], [(0.0, 0.5), (1.0, 0.5)])
    law = freeprob.multiply(projections, projections)
    assert law.error < 1e-10 and law.atoms == ((0.0, 0.5),)
    # z(m) = (1 + m)/(m S^2) = (1/2 + m)^4/(m (1 + m)^3), stationary at the upper edge
    slope = 4 * Polynomial([0.0, 1.0]) * Polynomial([1.0, 1.0]) - Polynomial([0.5, 1.0]) * Polynomial(
        [1.0, 4.0]
    )
    top = max(v.real for v in slope.roots())
    assert law.largest == pytest.approx((0.5 + top) ** 4 / top / (1 + top) ** 3, rel=1e-12)
    x = 0.2
    equation = Polynomial([0.5, 1.0]) ** 4 - x * Polynomial([0.0, 1.0]) * Polynomial([1.0, 1.0]) ** 3
    assert law.density(x) == pytest.approx(equation.roots().imag.max() / np.pi / x, rel=1e-10)


def population(rng: np.random.Generator) -> Atoms:
    """From 2 to 8 atoms, some at zero, over up to eight decades."""
    count = int(rng.integers(2, 9))
    x = 10 ** rng.uniform(-rng.choice([0.5, 2, 4]), rng.choice([0.5, 2, 4]), count)
    if rng.random() < 0.25:
        x[0] = 0.0
    p = rng.dirichlet(np.ones(count)) if rng.random() < 0.7 else np.full(count, 1 / count)
    return list(zip(x.tolist(), p.tolist(), strict=True))


def check_population(seed: int) -> float:
    """One random population times Marchenko and Pastur's law; returns the CPU seconds that it took."""
    rng = np.random.default_rng(seed)
    atoms, ratio = population(rng), float(rng.choice([1.0, 0.99, 1.01, 0.5, 2.0, rng.uniform(0.5, 2.0)]))
    begin = time.process_time()
    law = freeprob.multiply(atoms, wishart(ratio))
    spent = time.process_time() - begin
    assert law.error < 1e-9
    zero = max(1 - sum(p for d, p in atoms if d > 0), 1 - 1 / ratio, 0.0)
    assert dict(law.atoms).get(0.0, 0.0) == pytest.approx(zero, abs=1e-12)
    x = inner(law)
    x = x[x > 0]
    if max(d for d, _ in atoms) < 1e3 * min(
        d for d, _ in atoms if d > 0
    ):  # where roots in floats have digits left
        exact = np.array([silverstein(atoms, ratio, v) for v in x])
        assert np.all(np.abs(law.density(x) - exact) < 1e-6 * exact + 1e-9 * exact.max())
        turns = silverstein_edges(atoms, ratio)
        for edge in np.ravel(law.support):
            assert edge < 1e-12 or np.abs(turns - edge).min() < 1e-6 * edge
    assert law.moment(2) == pytest.approx(
        sum(p * d * d for d, p in atoms) + ratio * sum(p * d for d, p in atoms) ** 2, rel=1e-12
    )
    return spent


def test_a_few_random_populations():
    for seed in range(6):
        check_population(seed)


@pytest.mark.sweep
def test_two_hundred_random_populations():
    check_population(0)  # compiles
    spent = [check_population(seed) for seed in range(100, 300)]
    assert max(spent) < 1.0 and np.median(spent) < 0.2


# spikes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mass", [1e-6, 1e-4, 0.01, 0.1])
@pytest.mark.parametrize("variance", [0.05, 1.0, 1.00001])
@pytest.mark.parametrize("place", [-10.0, 30.0])
def test_a_small_mass_far_from_the_rest_plus_a_semicircle(mass, variance, place):
    atoms = [(0.0, 1 - mass), (place, mass)]
    law = freeprob.add(freeprob.law(symbolic.semicircle(variance)), atoms)
    assert len(law.support) == 2 and law.error < 1e-9
    between = 0.5 * place
    assert law.cdf(between) == pytest.approx(mass if place < 0 else 1 - mass, abs=2e-15)
    x = inner(law)
    assert law.density(x) == pytest.approx([pastur(atoms, variance, v) for v in x], rel=1e-6)
    spike = law.support[0 if place < 0 else 1]
    assert np.mean(spike) == pytest.approx(
        place + variance * (1 - mass) / place, abs=variance / abs(place) ** 2
    )
    assert np.ptp(spike) == pytest.approx(4 * np.sqrt(mass * variance), rel=0.05)


def test_a_spike_times_a_wishart_matrix():
    atoms = [(1.0, 0.999), (30.0, 0.001)]
    law = freeprob.multiply(wishart(0.1), atoms)
    assert len(law.support) == 2 and law.error < 1e-12
    assert law.cdf(10.0) == pytest.approx(0.999, abs=1e-12)
    turns = silverstein_edges(atoms, 0.1)
    assert all(np.abs(turns - edge).min() < 1e-9 for edge in np.ravel(law.support))
    x = inner(law)
    assert law.density(x) == pytest.approx([silverstein(atoms, 0.1, v) for v in x], rel=1e-8)


def test_a_power_next_to_one():
    """Nearly all stays in the atoms; t - 1 of mass moves to the zeros b of G, into semicircles of width 4 sqrt(...)."""
    atoms, t = [(-1.0, 0.3), (0.0, 0.3), (2.0, 0.4)], 1.0001
    law = freeprob.power(atoms, t)
    assert np.array(law.atoms) == pytest.approx(
        np.array([(t * x, t * a - (t - 1)) for x, a in atoms]), abs=1e-12
    )
    assert len(law.support) == 2 and law.error < 1e-12
    assert law.cdf(-0.3) - 0.29993 == pytest.approx(1e-4, abs=1e-12)
    # z(w) = t w - (t - 1)/G(w): edges where dz/dw = 0, i.e. t G^2 + (t - 1) G' = 0
    top = sum(
        (a * Polynomial.fromroots([y for y, _ in atoms if y != x]) for x, a in atoms), Polynomial([0.0])
    )
    bottom = Polynomial.fromroots([x for x, _ in atoms])
    slope = t * top**2 + (t - 1) * (top.deriv() * bottom - top * bottom.deriv())
    w = slope.roots()
    w = w[np.abs(w.imag) < 1e-9].real
    turns = t * w - (t - 1) * bottom(w) / top(w)
    assert all(np.abs(turns - edge).min() < 1e-9 for edge in np.ravel(law.support))


@pytest.mark.parametrize("variance", [1.00001, 1.001, 0.99999, 0.999, 1.0])
def test_gaps_that_just_close_and_just_open(variance):
    signs = [(-1.0, 0.5), (1.0, 0.5)]
    law = freeprob.law(symbolic.semicircle(variance) + symbolic.mixture(signs))
    assert len(law.support) == (2 if variance < 1 else 1) and law.error < 1e-11
    assert law.density(0.0) == pytest.approx(
        np.sqrt(max(0.0, variance - 1)) / variance / np.pi, abs=1e-4 if variance == 1 else 1e-10
    )
    x = np.array([-1.5, -1e-3, 1e-4, 0.2, 2.0])
    assert law.density(x) == pytest.approx([pastur(signs, variance, v) for v in x], rel=1e-6, abs=1e-9)
    if variance < 1:  # critical points of w - + variance w/(w^2 - 1)
        square = (2 + variance - np.sqrt(8 * variance + variance**2)) / 2
        gap = np.sqrt(square) * (1 + variance / (square - 1))
        assert law.support[1][0] == pytest.approx(gap, rel=1e-4)


# atoms that just vanish --------------------------------------------------------------------------------------------


def test_atoms_that_just_vanish_at_both_edges():
    """{1, 4} times {1, 4}, halves: an eigenvalue is one of 1, 16 or a root of x^2 - (1 + ... ) with arcsine angles."""
    law = freeprob.multiply([(1.0, 0.5), (4.0, 0.5)], [(1.0, 0.5), (4.0, 0.5)])
    assert law.support == (pytest.approx((1.0, 16.0), rel=1e-12),) and law.error < 1e-10
    # two planes at an angle: trace of A^(1/2) B A^(1/2) is 8 + 9 c, c = cos(angle)^2 arcsine on [0, 1], determinant 16
    angle = (np.arange(200_000) + 0.5) * np.pi / 400_000
    trace = 8 + 9 * np.cos(angle) ** 2
    root = np.sqrt(np.maximum(trace**2 - 64, 0))
    values = np.concatenate(((trace + root) / 2, (trace - root) / 2))
    for x in (1.5, 3.0, 4.0, 5.0, 12.0):
        assert law.cdf(x) == pytest.approx((values <= x).mean(), abs=1e-5)


def test_what_is_wrong_with_an_s_transform_that_is_negative_at_zero():
    with pytest.raises(DomainError, match="is negative or not real at 0, but S"):
        freeprob.law(S=-1 / (1 + symbolic.m))
    with pytest.raises(DomainError, match="not real near 0"):
        freeprob.law(S=(1 + I * symbolic.m) / (1 + symbolic.m))


def test_a_small_mass_beside_laws_without_a_closed_transform():
    """Sums of sampled laws: the spike keeps its mass, the first moments are exact."""
    base = freeprob.add(freeprob.law(symbolic.semicircle()), [(-1.0, 0.5), (1.0, 0.5)])
    law = freeprob.add(base, [(0.0, 1 - 1e-3), (30.0, 1e-3)])
    assert len(law.support) == 2 and law.cdf(15.0) == pytest.approx(0.999, abs=1e-11) and law.error < 1e-9


# any R-transform, any shift ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exponent", "atoms", "top"),
    [
        (1, [(-1, HALF), (1, HALF)], None),
        (Rational(3, 2), [(-1, HALF), (1, HALF)], np.sqrt(2.0)),  # signs to t: +-2 sqrt(t - 1)
        (1, [(0, Rational(3, 10)), (1, Rational(7, 10))], None),
        (Rational(6, 5), [(0, Rational(3, 10)), (1, Rational(7, 10))], None),
    ],
)
def test_an_r_transform_of_several_atoms(exponent, atoms, top):
    """Of a law to the free power t: atoms of mass t a - (t - 1) at t x (Belinschi and Bercovici 2004)."""
    law = freeprob.law(R=exponent * symbolic.mixture(atoms).R)
    t = float(exponent)
    expected = [(t * float(x), t * float(a) - (t - 1)) for x, a in atoms]
    assert np.array(law.atoms) == pytest.approx(np.array(expected), abs=1e-9) and law.error < 1e-9
    if top is not None:
        assert law.support[-1][1] == pytest.approx(top, rel=1e-9)


def test_a_product_moved_by_a_number():
    law = symbolic.marchenko_pastur(1) * symbolic.mixture([(1, HALF), (4, HALF)])
    moved = freeprob.law(law.shift(1))
    assert moved.support[0] == pytest.approx((1.0, 13.2424874698), abs=1e-9)
    assert moved.density([2.0, 6.0]) == pytest.approx([0.1908200733, 0.0494032170], abs=1e-10)


# five hundred sums and products ------------------------------------------------------------------------------------


def check_spike(seed: int) -> float:
    """A law with a small mass anywhere plus a semicircle, or times Marchenko and Pastur's law; the CPU seconds."""
    rng = np.random.default_rng(seed)
    mass, place = 10 ** rng.uniform(-6, -1), 10 ** rng.uniform(-1, 1.5)
    if seed % 2:
        variance = 10 ** rng.uniform(-2, 0.5)
        atoms = [(0.0, 1 - mass), (place * rng.choice([-1, 1]), mass)]
        begin = time.process_time()
        law = freeprob.add(freeprob.law(symbolic.semicircle(variance)), atoms)
        spent = time.process_time() - begin
        x = inner(law, 3)
        exact = np.array([pastur(atoms, variance, v) for v in x])
        assert law.variance == pytest.approx(variance + mass * (1 - mass) * place**2, rel=1e-11)
    else:
        ratio = float(rng.choice([0.1, 0.5, 1.0, 2.0]))
        atoms = [(1.0, 1 - mass), (place, mass)]
        begin = time.process_time()
        law = freeprob.multiply(wishart(ratio), atoms)
        spent = time.process_time() - begin
        x = inner(law, 3)
        exact = np.array([silverstein(atoms, ratio, v) for v in x])
        assert law.moment(1) == pytest.approx(1 - mass + mass * place, rel=1e-12)
    assert law.error < 1e-8
    assert np.all(np.abs(law.density(x) - exact) < 1e-6 * exact + 1e-9 * exact.max())
    return spent


@pytest.mark.parametrize(("mass", "place"), [(1e-6, 5.0), (1e-5, -3.0)])
def test_a_tiny_mass_beside_a_density_that_is_infinite_at_its_edges(mass, place):
    """Arcsine law plus a spike: to first order in the mass the cluster lies where F(z) = sqrt(z^2 - 4) is the place.

    Its edges turn into peaks as high as one over the mass, which floats resolve only to the error that is stated.
    """
    law = freeprob.add(freeprob.law(symbolic.arcsine()), [(0.0, 1 - mass), (place, mass)])
    assert len(law.support) == 2 and law.error < 1e-6
    middle = np.sign(place) * np.sqrt(place**2 + 4)  # F(middle) = place
    assert np.mean(law.support[0 if place < 0 else 1]) == pytest.approx(middle, abs=30 * mass)
    assert law.cdf(0.5 * (middle + 2 * np.sign(place))) == pytest.approx(
        mass if place < 0 else 1 - mass, abs=law.error
    )
    assert law.density([0.3, 1.5]) == pytest.approx(
        [1 / np.pi / np.sqrt(4 - x * x) for x in (0.3, 1.5)], rel=50 * mass
    )


def test_twenty_random_spikes():
    for seed in range(20):
        check_spike(seed)


@pytest.mark.sweep
def test_five_hundred_random_spikes():
    check_spike(0)  # compiles
    spent = [check_spike(seed) for seed in range(1000, 1500)]
    assert max(spent) < 2.0 and np.median(spent) < 0.2
