"""Symbolic laws against combinatorics, published closed forms and one another."""

from dataclasses import replace
from math import comb

import pytest
from sympy import Eq, Rational, Symbol, binomial, cancel, exp, expand, simplify, sqrt, symbols, together

from widelimit.theory import freeprob
from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.errors import ArgumentError, DerivationError, DomainError
from widelimit.theory.freeprob import Law, algebraic, derivations, g, m, noncrossing_partitions, z
from widelimit.theory.freeprob.series import cumulants_from_moments, moments_from_cumulants

HALF = Rational(1, 2)


@pytest.mark.parametrize("factors", [1, 2, 3, 7])
def test_fuss_catalan_numbers(factors):
    law = freeprob.fuss_catalan(factors)
    assert law.moments(6) == tuple(Rational(comb((factors + 1) * k, k), factors * k + 1) for k in range(1, 7))


def test_moments_are_sums_over_non_crossing_partitions():
    cumulants = symbols("k1:6")
    by_partitions = []
    for n in range(1, 6):
        total = 0
        for partition in noncrossing_partitions(n):
            term = 1
            for block in partition:
                term *= cumulants[len(block) - 1]
            total += term
        by_partitions.append(expand(total))
    assert moments_from_cumulants(cumulants, 5) == by_partitions
    assert cumulants_from_moments(by_partitions, 5) == list(cumulants)
    assert [sum(1 for _ in noncrossing_partitions(n)) for n in range(8)] == [1, 1, 2, 5, 14, 42, 132, 429]


@pytest.mark.parametrize(
    "law",
    [
        freeprob.marchenko_pastur(3),
        freeprob.free_poisson(2, 3),
        freeprob.bernoulli(Rational(1, 3)),
        freeprob.mixture([(1, HALF), (4, HALF)]),
        freeprob.point_mass(2),
    ],
    ids=lambda law: law.name,
)
def test_transforms_belong_to_the_moments(law):
    moments = law.moments(5)
    t = Symbol("t", positive=True)
    series = simplify(law.M.subs(z, 1 / t)).series(t, 0, 6).removeO()
    assert [simplify(series.coeff(t, k)) for k in range(1, 6)] == list(moments)
    assert simplify(law.R.series(g, 0, 3).removeO().coeff(g, 1) - law.cumulants(2)[1]) == 0
    # G(R(g) + 1/g) = g and M(z(m)) = m at a point
    point = Rational(1, 50)
    assert abs(complex(law.G.subs(z, law.R.subs(g, point) + 1 / point).evalf(30)) - 0.02) < 1e-15
    assert abs(complex(law.M.subs(z, law.inverse.subs(m, point)).evalf(30)) - 0.02) < 1e-15


def test_marchenko_pastur_of_any_ratio():
    c = Symbol("c", positive=True)
    narayana = [sum(Rational(comb(k, r) * comb(k, r + 1), k) * c**r for r in range(k)) for k in (1, 2, 3, 4)]
    assert [
        simplify(a - b) for a, b in zip(freeprob.marchenko_pastur(c).moments(4), narayana, strict=True)
    ] == [0] * 4
    assert freeprob.marchenko_pastur(5).atoms == ((0, Rational(4, 5)),)
    assert freeprob.marchenko_pastur(HALF).support[0] == ((1 - sqrt(2) / 2) ** 2, (1 + sqrt(2) / 2) ** 2)


def test_sums_products_and_powers():
    mp, semi = freeprob.marchenko_pastur(), freeprob.semicircle()
    assert (semi + semi).moments(4) == (0, 2, 0, 8)
    assert (mp * mp).moments(4) == (1, 3, 12, 55) == (mp**2).moments(4)
    assert (2 * mp).moments(3) == (2, 8, 40)
    assert mp.shift(1).moments(2) == (2, 5)
    assert semi.shift(3).S is not None and (semi.shift(3) * mp).moments(2) == (3, 19)
    # a compressed projection: free Jacobi law, whose first moment is the trace of the projection
    assert freeprob.bernoulli(HALF).compress(HALF).moments(2) == (HALF, Rational(3, 8))
    assert (freeprob.arcsine().cumulants(4)) == (0, 2, 0, -2)
    two_points = freeprob.mixture([(1, HALF), (-1, HALF)])
    assert (two_points + two_points).moments(6) == freeprob.arcsine().moments(6)


def test_transpose_swaps_j_and_its_transpose():
    tall = freeprob.marchenko_pastur(2)  # X X^T / n, twice as many rows as columns
    other = tall.transpose(2)
    assert other.moments(3) == tuple(2 * v for v in tall.moments(3))
    assert other.atoms == () and other.transpose(HALF).atoms == tall.atoms


@pytest.mark.parametrize(
    "law",
    [
        freeprob.marchenko_pastur() * freeprob.marchenko_pastur(2),
        freeprob.semicircle() + freeprob.marchenko_pastur(),
        freeprob.arcsine().shift(3) * freeprob.marchenko_pastur(),
    ],
    ids=["MP MP", "SC+MP", "shifted arcsine MP"],
)
def test_polynomial_vanishes_on_the_moment_series(law):
    polynomial = law.polynomial
    t = Symbol("t")
    order = 8
    curve = sum(v * t ** (k + 1) for k, v in enumerate(law.moments(order)))
    cleared = expand(polynomial.subs(z, 1 / t) * t**12)
    series = expand(cleared.subs(m, curve))
    lowest = min(k for k in range(30) if series.coeff(t, k) != 0)
    trivial = min(k for k in range(30) if expand(cleared.subs(m, curve * (1 + t))).coeff(t, k) != 0)
    assert lowest >= trivial + order - 2


def test_edges_and_atoms():
    assert [edge[1] for edge in freeprob.fuss_catalan(2).edges()] == [0, Rational(27, 4)]
    p = Rational(9, 10)
    power = freeprob.bernoulli(p) ** 5
    assert dict(power.atoms) == {0: 1 - p, 1: 1 - 5 * (1 - p)}
    assert Law.of(S=((1 + m) / (m + p)) ** 5).find_atoms() == ((0, Rational(1, 10)), (1, HALF))
    both = freeprob.bernoulli(p) * freeprob.bernoulli(Rational(4, 5))
    assert dict(both.atoms) == {0: Rational(1, 5), 1: Rational(7, 10)}
    total = freeprob.bernoulli(p) + freeprob.bernoulli(Rational(4, 5))
    assert {x: a for x, a in total.atoms if a} == {1: Rational(1, 10), 2: Rational(7, 10)}


def test_brownian_motion_has_laguerre_moments():
    t = Symbol("t", positive=True)
    found = freeprob.multiplicative_brownian(t).moments(4)
    laguerre = [
        sum(binomial(k, k - 1 - j) * (k * t) ** j / _factorial(j) for j in range(k)) / k for k in (1, 2, 3, 4)
    ]
    assert [simplify(a - b) for a, b in zip(found, laguerre, strict=True)] == [0] * 4


def _factorial(j):
    return 1 if j < 2 else j * _factorial(j - 1)


@pytest.mark.parametrize("name", sorted(derivations.LAWS))
def test_derivations_check_themselves(name):
    assert all(step.passed for step in derivations.derive(name).check(dps=20, points=2))


def test_refusals():
    with pytest.raises(DomainError, match=r"S\(0\)"):
        Law.of(S=1 / m)
    with pytest.raises(DomainError, match=r"S\(0\)"):
        Law.of(S=-1 / (1 + m))
    with pytest.raises(DomainError, match="mean"):
        (freeprob.semicircle() * freeprob.marchenko_pastur()).moments(2)
    with pytest.raises(ArgumentError, match="given"):
        Law.of(S=1 / (1 + m), R=g)
    with pytest.raises(ArgumentError, match="sum to one"):
        freeprob.mixture([(1, HALF)])
    with pytest.raises(ArgumentError, match="`exponent`"):
        freeprob.marchenko_pastur() ** HALF
    with pytest.raises(ArgumentError, match="`fraction_kept`"):
        freeprob.marchenko_pastur().compress(2)
    with pytest.raises(ArgumentError, match="`ratio`"):
        freeprob.marchenko_pastur(-1)
    assert Law.of(S=exp(-m)).polynomial is None


def test_no_list_of_partitions_that_never_ends():
    with pytest.raises(ArgumentError, match="`n` must be at most 20"):
        noncrossing_partitions(21)
    with pytest.raises(ArgumentError, match="whole number"):
        noncrossing_partitions(-1)


def test_the_polynomial_of_a_free_sum():
    """Signs plus semicircle: w^3 - z w^2 + (v - 1) w + z = 0, w = z - v G (Pastur), with G = (1 + m)/z."""
    law = freeprob.mixture([(-1, HALF), (1, HALF)]) + freeprob.semicircle(2)
    G = (1 + m) / z
    w = z - 2 * G
    expected = expand(together((w * (w**2 - 1) - (z * (w**2 - 1) - 2 * w)) * z**3))
    ratio = cancel(expected / law.polynomial)
    assert ratio.is_rational_function(z) and not ratio.has(m) and ratio != 0


def test_the_polynomial_of_signs_plus_signs_is_that_of_the_arcsine_law():
    signs = freeprob.mixture([(-1, HALF), (1, HALF)])
    total = algebraic.total(signs.polynomial, signs.polynomial, [0, 2, 0, 6, 0, 20])
    assert cancel(total / ((1 + m) ** 2 * (z**2 - 4) - z**2)).is_number  # G^2 (z^2 - 4) = 1


def test_atoms_of_a_corner():
    """A corner of share t of a law with an atom of mass a keeps (a - (1 - t))/t of it; of two atoms, each its own."""
    law = freeprob.mixture([(1, Rational(2, 3)), (5, Rational(1, 3))])
    half = Rational(1, 2)
    assert law.compress(half).atoms == ((1, Rational(1, 3)),)
    assert law.compress(Rational(3, 4)).atoms == ((1, Rational(5, 9)), (5, Rational(1, 9)))
    assert law.compress(Rational(1, 3)).atoms == ()


def test_powers_of_a_law_without_an_s_transform():
    """Moments of a law given by its moments' polynomial only: S to the power, by hand from m_1 to m_3.

    log S = -log m_1 - (m_2/m_1^2 - 1) m + ...: a power p multiplies log m_1 and the relative variance.
    """
    base = freeprob.marchenko_pastur(HALF) + freeprob.mixture([(1, HALF), (3, HALF)])
    assert base.S is None
    mean, second = base.moments(2)
    power = Rational(3, 2)
    raised = base**power
    assert raised.moments(1)[0] == mean**power
    relative = simplify(raised.moments(2)[1] / raised.moments(1)[0] ** 2 - 1)
    assert relative == simplify(power * (second / mean**2 - 1))


@pytest.mark.parametrize("name", freeprob.LAWS)
def test_steps_of_named_laws_evaluate_what_they_show(name):
    derivation = freeprob.derive(name)
    derivation.check(dps=20, points=1)
    for step in derivation:
        if step.equation.rhs == 0:  # odd moments of even laws
            continue
        wrong = replace(
            step, equation=Eq(step.equation.lhs, Rational(101, 100) * step.equation.rhs, evaluate=False)
        )
        with pytest.raises(DerivationError, match="fails its check"):
            Derivation("wrong", (wrong,)).check(dps=15, points=1)


def test_moments_of_the_matrices_behind_laws():
    # published: Fuss-Catalan 1, 3, 12, 55; Biane 1997: 1, 1 + t, 1 + 3t + 3t^2/2; Narayana at ratio 2: 1, 3, 11, 45
    from widelimit.theory.freeprob import meaning

    assert [meaning.wishart(k, (1, 1)) for k in (1, 2, 3, 4)] == [1, 3, 12, 55]
    assert [meaning.brownian(k, 2) for k in (1, 2, 3)] == [1, 3, 13]
    assert [meaning.wishart(k, (2,)) for k in (1, 2, 3, 4)] == [1, 3, 11, 45]
    assert [float(meaning.wigner(k)) for k in (2, 3, 4)] == pytest.approx([1, 0, 2])
