"""The derivation of synaptic intelligence checks itself; special cases by hand."""

from sympy import Rational, simplify

from widelimit.theory import synapses as t


def test_the_derivation_checks_itself():
    found = t.derive()
    assert all(step.passed for step in found.check(dps=15, points=2))
    assert {"zenke2017continual", "benzing2022unifying"} <= set(found.sources)


def test_special_cases():
    flow = t.path_entry().subs(
        {t.RATE: 0, t.MOMENTUM: 0, t.FIRST: 2, t.SECOND: 2, t.START_A: 3, t.START_B: 3}
    )
    assert flow == 9  # lambda d^2 / 2
    one = t.path_entry().subs(
        {t.FIRST: t.CURVATURE, t.SECOND: t.CURVATURE, t.START_A: t.START, t.START_B: t.START}
    )
    assert simplify(one / t.START**2 - t.diagonal_importance()) == 0
    assert t.diagonal_importance().subs({t.MOMENTUM: 0, t.RATE: 1, t.CURVATURE: 1}) == 1  # one step
    assert t.joint_price().subs(t.ASPECT, Rational(1, 2)) == Rational(3, 16)
