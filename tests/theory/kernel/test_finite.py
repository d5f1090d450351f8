"""Tangent kernels of finite width: the derivation checks itself."""

from widelimit.theory.kernel import finite_steps


def test_the_derivation_checks_itself():
    assert all(one.passed for one in finite_steps.derive().check(dps=20, points=3))
