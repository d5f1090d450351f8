"""Jacobians of finite width: the derivation checks itself, and Wick's sums are those of a chi-squared number."""

import pytest
from sympy import expand

from widelimit.theory.errors import ArgumentError
from widelimit.theory.jacobian import finite, finite_orthogonal, finite_orthogonal_steps, finite_steps


def test_the_derivation_checks_itself():
    assert all(one.passed for one in finite_steps.derive().check(dps=20, points=2))


def test_the_derivation_for_orthogonal_weights_checks_itself():
    assert all(one.passed for one in finite_orthogonal_steps.derive().check(dps=20, points=2))


def test_rotations_of_a_multiple_of_one_add_nothing():
    """G = t: W G W^T is t whatever W is, and tr (t D)^k is known."""
    same = {finite.t[k]: finite.t[0] ** (k + 1) for k in (1, 2)}
    same |= {finite.overlap[k]: finite.t[0] ** (k + 1) for k in (0, 1, 2)}
    for order, moment in zip((1, 2, 3), finite.M, strict=True):
        assert (
            expand(
                finite_orthogonal.planar(order).subs(same)
                - (finite.sigma_w**2 * finite.t[0]) ** order * moment
            )
            == 0
        )
        assert expand((finite_orthogonal.twisted(order) + finite_orthogonal.coupled(order)).subs(same)) == 0


@pytest.mark.parametrize("order", [1, 2, 3])
def test_one_column_is_chi_squared(order):
    """Z of n x 1, D and G of one: (Z'Z)^k, whose mean is n (n + 2) ... (n + 2 k - 2)."""
    for n in (1, 2, 5):
        known = dict.fromkeys(finite.sums, n) | dict.fromkeys(finite.traces, 1)
        right = 1
        for k in range(order):
            right *= n + 2 * k
        assert finite.wick(order).subs(known) == right


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_limit_and_the_next_order_are_those_of_the_exact_sum(order):
    n = 10**6
    exact = finite.wick(order).subs(
        {s: n * m for s, m in zip((*finite.sums, *finite.traces), (*finite.M, *finite.t), strict=True)}
    )
    values = dict(zip((*finite.M, *finite.t), (1, 2, 5, 3, 7, 4), strict=True)) | {finite.sigma_w: 1}
    found = (finite.planar(order) + finite.twisted(order) / n).subs(values)
    assert abs(exact.subs(values) / n ** (order + 1) - found) < 1e3 / n**2


@pytest.mark.parametrize(
    "function",
    [
        finite.wick,
        finite.planar,
        finite.twisted,
        finite.coupled,
        finite_orthogonal.planar,
        finite_orthogonal.twisted,
        finite_orthogonal.coupled,
    ],
)
@pytest.mark.parametrize("order", [0, 4, True, 2.0, "2", None])
def test_orders_that_are_none_are_refused(function, order):
    with pytest.raises(ArgumentError, match="`order` must"):
        function(order)
