"""Derivatives of signal propagation: their derivation checks itself and notices a wrong formula; three kinds of phi."""

import pytest
from sympy import DiracDelta

from widelimit.theory import Derivation, meanfield
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.precision import evaluate
from widelimit.theory.errors import DerivationError
from widelimit.theory.meanfield import gradient_steps as steps
from widelimit.theory.meanfield import moments as m


@pytest.mark.parametrize("name", ["sin", "relu", "elu"])
def test_derivation_checks_itself(name):
    assert all(outcome.passed for outcome in meanfield.derive_gradients(name).check(dps=15, points=1))


@pytest.mark.parametrize("formula", ["length_change", "defect_change"])
def test_a_wrong_formula_is_noticed(formula, monkeypatch):
    right = getattr(steps.g, formula)
    monkeypatch.setattr(steps.g, formula, lambda parameter: 1.01 * right(parameter))
    wrong = [s for s in meanfield.derive_gradients("sin") if s.name.startswith(formula.replace("_", "-"))]
    for step in wrong:
        with pytest.raises(DerivationError):
            Derivation("wrong", (step,)).check(dps=15, points=1)


def test_kinks_without_closed_form_are_differentiated_by_the_density():
    found = [*meanfield.moment_slopes("Max(tanh(x), 0)"), *meanfield.pair_slopes("Max(tanh(x), 0)")]
    assert all(one.has(Expectation) and not one.has(DiracDelta) for one in found)
    # half of tanh is that of one side: dP/dq of both is that of tanh over 2
    at = {m.q: 0.7}
    both = evaluate(meanfield.moment_slopes("tanh")[0], at, 15)
    assert abs(evaluate(found[0], at, 15) - both / 2) < 1e-12


@pytest.mark.parametrize("name", ["hard_tanh", "gelu"])
def test_closed_forms_and_expectations_agree(name):
    at = {m.q: 0.7, m.c: 0.4}
    for slopes in (meanfield.moment_slopes, meanfield.pair_slopes):
        for closed, node in zip(slopes(name), slopes(name, closed=False), strict=True):
            assert not closed.has(Expectation)
            assert abs(evaluate(closed, at, 15) - evaluate(node, at, 15)) < 1e-12
