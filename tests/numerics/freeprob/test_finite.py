"""Mean shares of eigenvalues of matrices of finite size: closed forms, and matrices drawn here."""

import numpy as np
import pytest

from widelimit.numerics import freeprob
from widelimit.numerics.freeprob.finite import cdf_at
from widelimit.theory import freeprob as theory
from widelimit.theory.errors import ArgumentError, DomainError

SIGNS = [(-1.0, 0.5), (1.0, 0.5)]
ONE_FOUR = [(1.0, 0.5), (4.0, 0.5)]
SIZE = 100


def correction(law, x, **given):
    return SIZE * (cdf_at(law, x, SIZE, **given) - law.cdf(x))


def of_gaussian(x, middle, half):
    """Both edges gain a quarter, the arcsine law between them loses a half (bai2004clt, johansson1998)."""
    return 0.25 - 0.5 * (0.5 + np.arcsin((x - middle) / half) / np.pi)


def test_sums_and_corners_of_gaussian_matrices_are_gaussian_matrices():
    half = freeprob.law(theory.semicircle(0.5))
    x = np.array([-1.7, -0.4, 0.0, 1.1])
    assert np.allclose(correction(freeprob.add(half, half), x), of_gaussian(x, 0, 2), atol=1e-7)
    corner = freeprob.compress(freeprob.law(theory.semicircle()), 0.25)  # on [-1, 1]
    assert np.allclose(correction(corner, x / 2), of_gaussian(x / 2, 0, 1), atol=1e-7)
    assert np.allclose(correction(freeprob.law(theory.semicircle()), x), of_gaussian(x, 0, 2), atol=1e-9)
    assert np.allclose(correction(half, x / 2, gaussian=False), 0, atol=1e-12)


def test_rows_of_a_sample_covariance_are_a_sample_covariance():
    ratio = 1 / 6  # a third of the variables of a matrix of ratio 1/2
    whole = freeprob.law(theory.marchenko_pastur(0.5))
    x = 1 + ratio + 2 * ratio**0.5 * np.array([-0.8, -0.1, 0.6])
    right = of_gaussian(x, 1 + ratio, 2 * ratio**0.5)
    assert np.allclose(
        correction(freeprob.multiply(whole, [(0.0, 2 / 3), (1.0, 1 / 3)]), x), right, atol=1e-6
    )
    assert np.allclose(correction(freeprob.compress(whole, 1 / 3), x), right, atol=1e-6)


def drawn(first, second, size, draws, product):
    """Eigenvalues of A rotated plus, or times, B."""
    generator = np.random.default_rng(5)
    a, b = (np.repeat([x for x, _ in law], [round(w * size) for _, w in law]) for law in (first, second))
    for _ in range(draws):
        q, r = np.linalg.qr(generator.normal(size=(size, size)))
        q *= np.sign(np.diag(r))
        turned = (q * a) @ q.T
        yield np.linalg.eigvalsh(b[:, None] ** 0.5 * turned * b**0.5 if product else turned + np.diag(b))


@pytest.mark.parametrize("product", [False, True])
def test_counts_are_those_of_rotated_matrices(product):
    law, size, draws = (freeprob.multiply if product else freeprob.add), 40, 1500
    one = ONE_FOUR if product else SIGNS
    found = law(one, one)
    x = np.array([3.0, 5.0, 7.0]) if product else np.array([-0.8, 0.3, 0.9])
    counts = np.array([(e[:, None] <= x).sum(0) for e in drawn(one, one, size, draws, product)])
    excess = counts.mean(0) - size * found.cdf(x)
    error = counts.std(0) / draws**0.5
    c = size * (cdf_at(found, x, size) - found.cdf(x))
    assert (np.abs(c) > 4 * error).all()  # there is something to see
    assert (np.abs(excess - c) < 4 * error + 1 / size).all()


def test_outside_the_support_nothing_is_missing():
    found = freeprob.add(SIGNS, SIGNS)
    shares = cdf_at(found, [-np.inf, -3.0, 3.0, np.inf], 10)
    assert np.allclose(shares, [0, 0, 1, 1], atol=1e-9)
    assert cdf_at(freeprob.multiply(ONE_FOUR, ONE_FOUR), [-1.0, 0.0], 10).tolist() == [0, 0]
    assert cdf_at(freeprob.empirical([1.0, 2.0]), 1.0, 2) == 0.5


def test_where_a_gap_just_closes_the_limit_is_told():
    """Signs and a Gaussian matrix: half of the eigenvalues are negative, by symmetry, and c is odd."""
    cusp = freeprob.add(freeprob.law(theory.semicircle()), SIGNS)
    left, middle, right = correction(cusp, np.array([-0.5, 0.0, 0.5]))
    assert middle == 0 and abs(left + right) < 1e-6 < abs(left) < 0.25


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"size": 0}, "size"), ({"size": -3}, "size"), ({"size": 2.5}, "size"), ({"size": True}, "size"),
        ({"size": "9"}, "size"), ({"size": 10**400}, "size"), ({"x": [[True]]}, "x"),
        ({"x": "1"}, "x"), ({"x": [0.0, np.nan]}, "x"), ({"x": None}, "x"), ({"gaussian": 1}, "gaussian"),
        ({"law": SIGNS}, "law"), ({"law": None}, "law"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(given, name):
    with pytest.raises(ArgumentError) as caught:
        cdf_at(**({"law": freeprob.add(SIGNS, SIGNS), "x": 0.0, "size": 10} | given))
    assert f"`{name}` must" in str(caught.value)


def test_laws_of_unknown_matrices_are_refused():
    with pytest.raises(DomainError, match="given by a transform"):
        cdf_at(freeprob.law(theory.fuss_catalan(2)), 1.0, 10)
    twice = freeprob.add(freeprob.add(SIGNS, SIGNS), SIGNS)
    with pytest.raises(DomainError, match="gaussian=False"):
        cdf_at(twice, 0.5, 10)
    assert 0 < cdf_at(twice, 0.5, 10, gaussian=False) < 1
