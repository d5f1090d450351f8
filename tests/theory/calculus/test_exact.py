"""The door of numbers: what becomes exact, what is refused and in which words; parameters of laws with names."""

from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from sympy import Float, I, Integer, Rational, Symbol, exp, nan, oo, pi, sqrt, zoo

from widelimit.theory import batchnorm, freeprob
from widelimit.theory.calculus import exact
from widelimit.theory.errors import ArgumentError, DomainError, shown

A = Symbol("a", positive=True)
EXACT = [
    (1, Integer(1)), (Fraction(1, 3), Rational(1, 3)), (Decimal("0.1"), Rational(1, 10)), (0.5, Float(0.5)),
    (np.float32(0.5), Float(0.5)), (np.int8(3), Integer(3)), (np.array(2.0), Float(2)), (sqrt(2), sqrt(2)),
    (mpmath.mpf("0.5"), Float(0.5)), (pi / 3, pi / 3), (Integer(10) ** 300, Integer(10) ** 300),
    (1e-320, Float(1e-320)),
]  # fmt: skip
WRONG = [
    ("1/2", "must be a real number, but is '1/2'. Text is not evaluated"), (b"1", "Text is not evaluated"),
    (True, "must be a real number, but is True"), (np.True_, "must be a real number"), (None, "but is None"),
    ([1], "must be a real number"), (np.array([1.0]), "must be a real number"), (1j, "must be a real number"),
    (I, "must be a real number, but is I"), (sqrt(-2), "must be a real number"), (A, "must be a real number, but is a"),
    (nan, "must be a number, but is NaN"), (float("nan"), "is NaN"), (Decimal("NaN"), "is NaN"),
    (oo, "must be finite"), (zoo, "must be finite"), (float("inf"), "must be finite"), (10**400, "must be finite"),
    (Decimal("1e99999999"), "must be finite"), (Fraction(10**400), "must be finite"),
    (Float("1e400"), "must be finite"),
    (exp(exp(exp(exp(5)))), "must be finite"), (10**5000, "must be finite"), (object(), "must be a real number"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "right"), EXACT, ids=lambda v: str(v)[:20])
def test_numbers_become_exact(value, right):
    assert exact.number("a", value) == right


@pytest.mark.parametrize(("value", "words"), WRONG, ids=lambda v: shown(v, 20))
def test_everything_else_gets_the_sentence(value, words):
    with pytest.raises(ArgumentError, match=r"^Argument `a` ") as caught:
        exact.number("a", value)
    assert words in str(caught.value)


def test_symbols_where_they_are_meant():
    assert exact.number("a", A / 2, symbols=True) == A / 2
    with pytest.raises(ArgumentError):
        exact.number("a", A * zoo, symbols=True)
    with pytest.raises(ArgumentError, match="positive"):
        exact.positive("a", -A, symbols=True)


LAWS = {
    "semicircle": [(-1, "positive"), (0, "positive"), (nan, "NaN")], "arcsine": [(-1, "positive"), (oo, "finite")],
    "marchenko_pastur": [(-1, "positive"), (float("nan"), "NaN"), (0, "positive"), (10**400, "finite"), ("2", "Text")],
    "free_poisson": [(-1, "positive"), (0, "positive"), (float("inf"), "finite")],
    "bernoulli": [(0, "0, 1"), (1.5, "0, 1")],
    "point_mass": [(oo, "finite"), (I, "real number"), (None, "real number")], "haar_orthogonal": [(0, "positive")],
    "fuss_catalan": [(0.5, "at least 1"), (-3, "at least 1")],
    "multiplicative_brownian": [(0, "positive"), (-1, "positive")],
    "wishart_product": [([], "at least one"), ([1, -1], "positive"), ("12", "list"), (3, "list"), ([1, nan], "NaN")],
    "mixture": [
        ([(1, 0.5), (2, 0.4)], "sum to one, but they sum to 0.9"), ([(1, 2), (2, -1)], "not negative"),
        ([(1, nan)], "NaN"),
        ([(1, 1, 1)], "pairs"), ([1, 2], "pairs"), ("ab", "pairs"), ({1: 1}, "pairs"), ([(oo, 1)], "finite"),
        ([], "sum to one"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [(n, v, w) for n, cases in LAWS.items() for v, w in cases],
    ids=lambda v: shown(v, 20),
)
def test_parameters_that_belong_to_no_law(name, value, words):
    with pytest.raises(ArgumentError, match=r"^Argument `\w+` must") as caught:
        getattr(freeprob, name)(value)
    assert words in str(caught.value)


def test_laws_of_numbers_of_every_kind():
    half = freeprob.marchenko_pastur(Rational(1, 2))
    for ratio in (Fraction(1, 2), 0.5, np.float64(0.5), Decimal("0.5"), mpmath.mpf("0.5")):
        assert [float(v) for v in freeprob.marchenko_pastur(ratio).moments(4)] == [
            float(v) for v in half.moments(4)
        ]
    assert freeprob.free_poisson(2, -1).support[0][0] < freeprob.free_poisson(2, -1).support[0][1]
    assert freeprob.mixture([(1, 0.5), (1, 0.5)]).atoms == ((1, 1.0),)
    assert freeprob.semicircle(A).variance == A
    assert batchnorm.linear_factor(Fraction(7, 2)) == 3
    with pytest.raises(DomainError, match="above 3"):
        batchnorm.linear_factor(3)


def test_what_a_message_shows():
    assert "cannot be printed" in shown(10**5000)
    assert "\n" not in shown(np.eye(3))
