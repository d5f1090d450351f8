"""The derivation of attention checks itself; worked values by hand."""

import math

import pytest
from sympy import Matrix, Rational, cos, expand, simplify, sin, symbols

from widelimit.theory import attention as t


def test_the_derivation_checks_itself():
    found = t.derive()
    assert all(step.passed for step in found.check(dps=15, points=2))
    assert {"dong2021attention", "cowsik2024geometric", "noci2022signal"} <= set(found.sources)


def test_values_keep_the_mean_of_gradients_whatever_the_weights():
    mean = t.value_gradient() + (t.TOKENS - 1) * t.value_gradient_cross()
    assert simplify(mean - t.SIGMA_VO**2 * (t.G + (t.TOKENS - 1) * t.G_CROSS)) == 0


def test_keys_give_nothing_to_the_mean():
    assert (
        simplify(t.key_gradient() + (t.TOKENS - 1) * t.key_gradient_cross().subs(t.KEYS, t.key_gradient()))
        == 0
    )


def test_relu_stacks_have_the_powers_of_the_note():
    """chi_M = v_M for ReLU, so that s = v_A/(v_A + v_M): 1/2 and 4/5 (users' networks, result 16)."""
    relu = {t.LENGTH_M: 1, t.CHI_M: 1}
    assert t.pre_power().subs({**relu, t.LENGTH_A: 1}) == Rational(1, 2)
    assert t.pre_power().subs({**relu, t.LENGTH_A: 4}) == Rational(4, 5)
    assert t.pre_gradient_mean().subs({**relu, t.LENGTH_A: 4}) == 1


@pytest.mark.parametrize("words", [30522, 50257])
def test_zipf_is_the_sum_over_all_words(words):
    total = math.fsum(1 / v for v in range(1, words + 1))
    exact = math.fsum(1 / v**2 for v in range(1, words + 1)) / total**2
    assert float(t.zipf_overlap().subs(t.VOCABULARY, words)) == pytest.approx(exact, rel=1e-13)


def test_what_a_plane_adds_to_the_correlation_of_logits():
    """The mean of [q'R(a)'R(b)k] [p'R(c)'R(d)l] over components, E q_m p_n = E k_m l_n = [m = n]."""
    a, b, c, d = symbols("a b c d", real=True)

    def turn(angle):
        return Matrix([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])

    one, two = turn(a).T * turn(b), turn(c).T * turn(d)
    mean = sum(one[m, n] * two[m, n] for m in range(2) for n in range(2)) / 2
    found = sum(f.subs(t.ANGLE, b - a) * f.subs(t.ANGLE, d - c) for f in t.turned_parts())
    assert simplify(expand(mean - found, trig=True)) == 0
