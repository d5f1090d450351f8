"""Two inputs at finite width in theory: what is known of Gaussian pairs, and steps that see one per cent."""

import pytest
from sympy import Rational, simplify

from widelimit.theory import meanfield as theory
from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.errors import DerivationError
from widelimit.theory.meanfield import pair_width_steps, pair_widths


def sampled(formula):
    """A formula of K for the sample covariances of N Gaussian pairs, in terms of c."""
    at = {symbol: theory.sample_covariances()[both] for both, symbol in theory.spreads.items()}
    at |= dict.fromkeys(theory.shifts.values(), 0)
    return simplify(
        formula.subs(at).subs(theory.covariance, theory.c * (theory.q_1 * theory.q_2) ** Rational(1, 2))
    )


def test_a_sample_correlation_is_fisher_s():
    c = theory.c
    assert simplify(sampled(theory.correlation_shift()) + c * (1 - c**2) / 2) == 0
    assert simplify(sampled(theory.correlation_spread()) - (1 - c**2) ** 2) == 0


def test_linear_layers_add_what_samples_scatter_by():
    """phi(x) = x without biases or dropout: K' = sigma_w^2 times a sample covariance of N pairs."""
    r, q_1, q_2 = theory.covariance, theory.q_1, theory.q_2
    names = {theory.mixed[i, j]: 0 for i, j in theory.mixed} | {theory.mixed[0, 0]: r, theory.mixed[1, 1]: 1}
    names |= {theory.second_1: q_1, theory.second_2: q_2, theory.keep: 1}
    names |= {theory.second_slope_1: 1, theory.second_slope_2: 1}
    names |= {
        theory.powers[3, 1]: 3 * q_1 * r,
        theory.powers[1, 3]: 3 * q_2 * r,
        theory.powers[2, 2]: q_1 * q_2 + 2 * r**2,
    }
    gamma = theory.sample_covariances()
    for both, spread in theory.covariance_spread_map().items():
        rest = spread.subs(names) / theory.sigma_w**4 - theory.spreads[both] - gamma[both]
        assert simplify(rest) == 0
    assert simplify(theory.covariance_shift_map().subs(names) - theory.sigma_w**2 * theory.shifts["12"]) == 0


def scaled(value):
    more = Rational(101, 100)
    return {key: one * more for key, one in value.items()} if isinstance(value, dict) else value * more


@pytest.mark.parametrize(
    "name",
    [
        "covariance_shift_map",
        "covariance_spread_map",
        "sample_covariances",
        "held_spreads",
        "correlation_shift",
        "correlation_spread",
    ],
)
def test_one_per_cent_is_seen(name, monkeypatch):
    Derivation("right", tuple(pair_width_steps.steps())).check(dps=15, points=1)
    right = getattr(pair_widths, name)
    monkeypatch.setattr(pair_widths, name, lambda: scaled(right()))
    with pytest.raises(DerivationError):
        Derivation("wrong", tuple(pair_width_steps.steps())).check(dps=15, points=1)
