"""The derivation checks itself; formulas at values from outside of it."""

import pickle

import pytest
from sympy import N, Rational, binomial, cot, pi

from widelimit.theory import representation
from widelimit.theory.representation import codes, kernels
from widelimit.theory.representation import crossvalidation as cv


def test_every_step_holds():
    derivation = representation.derive()
    assert all(one.passed for one in derivation.check(dps=20, points=2))
    assert pickle.loads(pickle.dumps(derivation)) == derivation
    assert "1 + 2/D" in str(derivation)


@pytest.mark.parametrize("d", [3, 4, 7])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_harmonics_are_counted_as_in_books(d, k):
    expected = Rational(2 * k + d - 2, k) * binomial(k + d - 3, k - 1)
    assert representation.multiplicity().subs({kernels.INPUTS: d, kernels.DEGREE: k}) == expected


@pytest.mark.parametrize("D, plain, tangent", [(2, Rational(5, 2), Rational(3, 2)), (3, 2, Rational(4, 3))])
def test_exponents_of_relu(D, plain, tangent):
    at = {kernels.DIMENSION: D, kernels.POWER: 1}
    assert representation.kernel_exponent().subs(at) == plain
    assert representation.tangent_exponent().subs(at) == tangent
    bound = representation.smoothness_bound().subs(kernels.DIMENSION, D)
    assert tangent < bound < plain or (D, plain) == (2, Rational(5, 2))


def test_no_bias_of_few_stimuli_at_exponent_two():
    at = {codes.RANK: 10, codes.STIMULI: 100}
    assert representation.sampling_bias().subs({**at, codes.EXPONENT: 2}) == 0
    found = representation.sampling_bias().subs({**at, codes.EXPONENT: 3})
    assert N(found + Rational(1, 10) * pi / 3 * cot(pi / 3)) == 0


def test_a_spike_at_its_threshold_has_no_signal():
    threshold = representation.spike_threshold()
    assert representation.spike_cross_validated().subs(cv.SPIKE, threshold).simplify() == 0
