"""Local rules of alignment as symbols: what is derived checks itself, and what is shown are the published flows."""

import mpmath
import pytest
from sympy import Rational

from widelimit.theory import alignment
from widelimit.theory.alignment import matrices, rules
from widelimit.theory.errors import ArgumentError, DomainError


@pytest.mark.parametrize("result", alignment.RESULTS)
def test_every_step_checks_itself(result):
    checks = alignment.derive(result).check(dps=30, points=2)
    assert all(one.passed for one in checks)


@pytest.mark.parametrize("result", alignment.RESULTS)
def test_derivations_print(result):
    derivation = alignment.derive(result)
    assert derivation.title in str(derivation)
    assert derivation.mathml().startswith("<math") and "align" in derivation.latex()


def test_rates_and_values_at_rest_are_those_of_the_table():
    a, b, g = alignment.ALPHA, alignment.BETA, alignment.GAMMA
    c, mu = alignment.MODE, alignment.IMAGE
    assert {rule: alignment.rate(rule) for rule in alignment.RULES} == {
        "symmetric": a,
        "mirror": a,
        "activation": a * c,
        "information": g + b * mu,
        "kolen_pollack": a,
    }
    assert {rule: alignment.fixed_point(rule) for rule in alignment.RULES} == {
        "symmetric": b / a,
        "mirror": b * c / a,
        "activation": b / a,
        "information": a * c / (b * mu + g),
        "kolen_pollack": 1,
    }


def test_without_the_factor_of_two_of_the_published_code_no_flow_descends_its_primitives():
    """The code's decay has no 1/2: its coefficient counts twice."""
    values = {alignment.ALPHA: Rational(7, 10), alignment.BETA: 1, alignment.GAMMA: Rational(1, 5)}
    published = -2 * alignment.ALPHA * rules.B + alignment.BETA * rules.WT
    descended = matrices.descends("symmetric", False, values, 20)
    assert abs(matrices.shown(published, values, 20) - descended) > 0.1
    assert mpmath.almosteq(matrices.shown(alignment.flow("symmetric"), values, 20), descended, 1e-15)


def test_unknown_rules_and_results_are_refused():
    with pytest.raises(ArgumentError, match="rule"):
        alignment.flow("hebbian")
    with pytest.raises(ArgumentError, match="result"):
        alignment.derive("speed")


def test_what_has_no_flow_or_invariant_says_so():
    with pytest.raises(DomainError, match="follow the task"):
        alignment.forward_flow("kolen_pollack")
    for rule in ("activation", "kolen_pollack"):
        with pytest.raises(DomainError, match="no invariant"):
            alignment.decay(rule)


def test_activation_has_no_invariant_unless_inputs_are_white():
    """(W W^T - B^T B)' + 2 alpha (W C W^T - B^T C B) = 0: closed only where C is a multiple of 1."""
    balance = alignment.balance_flow("activation")
    w, wt, b, bt, c = rules.W, rules.WT, rules.B, rules.BT, rules.C
    told = 2 * alignment.ALPHA * (bt * c * b - w * c * wt)
    assert (balance - told).expand() == 0


def test_the_small_step_limit_of_common_variance_is_continuous():
    from widelimit.theory.alignment import signals

    at = {signals.STEPS: 7, signals.STEP: Rational(1, 10), signals.NOISE: 2}
    none = alignment.common().subs({**at, signals.DECAY: 0})
    little = alignment.common().subs({**at, signals.DECAY: Rational(1, 10**18)})
    assert abs(float(little / none) - 1) < 1e-15
    for fading in (Rational(4999999, 10**7), Rational(5000001, 10**7)):  # either side of where the forms meet
        found = alignment.common().subs({**at, signals.DECAY: 10 * fading})
        summed = sum((1 - fading) ** (2 * k) for k in range(7)) * Rational(4, 100)
        assert abs(float(found / summed) - 1) < 1e-14
