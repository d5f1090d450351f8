"""Matrices of finite size: exact moments against chi-squared numbers, corrections against small ensembles."""

from math import prod

import pytest
from sympy import Rational, expand, limit, symbols

from widelimit.theory.errors import ArgumentError
from widelimit.theory.freeprob import finite, genus
from widelimit.theory.freeprob.fluctuations import RATIO

p, n = genus.DIMENSION, genus.SAMPLES


def chi_squared(order, samples):
    """Moments of the mean of squares of so many Gaussians."""
    return Rational(prod(samples + 2 * k for k in range(order)), samples**order)


@pytest.mark.parametrize("order", range(1, 6))
def test_a_covariance_of_one_variable_is_chi_squared(order):
    for samples in (1, 3, 7):
        assert genus.wishart_moment(order).subs({p: 1, n: samples}) == chi_squared(order, samples)


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 2), (2, 2), (1, 4), (3, 2)])
def test_covariances_of_one_variable_are_those_of_chi_squared(first, second):
    for samples in (1, 4):
        right = chi_squared(first + second, samples) - chi_squared(first, samples) * chi_squared(
            second, samples
        )
        assert genus.wishart_covariance(first, second).subs({p: 1, n: samples}) == right


def test_rows_and_columns_change_places():
    """tr (X X')^k = tr (X'X)^k: n^k times the moment is the same polynomial of p and n exchanged."""
    a, b = symbols("a b")
    for order in range(1, 6):
        moment = expand(genus.wishart_moment(order) * n**order)
        assert expand(moment.subs({p: a, n: b}) - moment.subs({p: b, n: a})) == 0


@pytest.mark.parametrize("order", range(1, 6))
def test_shifts_are_the_next_order_of_exact_moments(order):
    moment = expand(genus.wishart_moment(order).subs(p, RATIO * n))
    assert expand(moment.coeff(n, 0) - genus.wishart_moment_shift(order)) == 0


@pytest.mark.parametrize(
    ("first", "second"), [(1, 1), (1, 2), (2, 1), (2, 2), (1, 3), (2, 3), (1, 4), (4, 1)]
)
def test_scatter_is_the_leading_order_of_exact_covariances(first, second):
    exact = genus.wishart_covariance(first, second).subs(p, RATIO * n)
    assert expand(limit(expand(exact), n, "oo") - genus.wishart_moment_covariance(first, second)) == 0


def test_the_derivation_checks_itself():
    checks = finite.derive().check(dps=20, points=2)
    assert {check.kind for check in checks} == {"identity", "limit"}


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (genus.wishart_moment, (6,), "order"),
        (genus.wishart_moment, (0,), "order"),
        (genus.wishart_moment, (True,), "order"),
        (genus.wishart_moment, ("2",), "order"),
        (genus.wishart_moment, (2.5,), "order"),
        (genus.wishart_moment_shift, (10**6,), "order"),
        (genus.wishart_moment_shift, (201,), "order"),
        (genus.wishart_covariance, (3, 3), "first + second"),
        (genus.wishart_covariance, (1, 0), "second"),
        (genus.wishart_moment_covariance, (None, 1), "first"),
        (genus.wishart_moment_covariance, (1, 10**6), "second"),
        (genus.wishart_moment_covariance, (31, 1), "first"),
    ],
)
def test_orders_that_are_none_are_refused(function, arguments, name):
    with pytest.raises(ArgumentError) as caught:
        function(*arguments)
    assert f"Argument `{name}` must" in str(caught.value)
