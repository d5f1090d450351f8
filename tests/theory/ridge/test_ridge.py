"""Every step of the ridge derivations, the numbers of their results from elsewhere, and the table of conventions."""

import mpmath
import pytest
from sympy import Rational, Symbol

from widelimit.theory import ridge
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.errors import ArgumentError, DerivationError
from widelimit.theory.ridge import (
    SUMS,
    TERMS,
    alpha,
    kappa,
    margin,
    noise,
    over_spectrum,
    p,
    penalty_symbol,
    s,
    u,
)
from widelimit.theory.ridge.conventions import CONVENTIONS, penalty_from, table
from widelimit.theory.ridge.steps import both, on_three_scales, spectral


@pytest.fixture(scope="module")
def derivations():
    return {name: ridge.derive(name) for name in ridge.RESULTS}


def test_every_step_of_every_derivation_holds(derivations):
    steps = {(step.name, str(step.equation)): step for d in derivations.values() for step in d}
    assert len(steps) > 40
    checks = Derivation(
        "all of them", tuple(_renamed(step, k) for k, step in enumerate(steps.values()))
    ).check(dps=30, points=2)
    assert all(check.passed for check in checks)


def _renamed(step, number):
    from dataclasses import replace

    return replace(step, name=f"{step.name} {number}")


@pytest.mark.parametrize("name", ["test-error", "training-error", "bias-variance"])
def test_the_shown_equation_is_what_is_checked(derivations, name):
    # one per cent on the right side of the result turns the check red
    last = derivations[name].steps[-1]
    wrong = Step(
        last.name,
        last.equation,
        last.because,
        last.source,
        domain=last.domain,
        evaluate=lambda values, dps: (lambda sides: (sides[0], sides[1] * mpmath.mpf("1.01")))(
            last.evaluate(values, dps)
        ),
    )
    with pytest.raises(DerivationError, match=last.name):
        Derivation("wrong", (wrong,)).check()


def test_a_wrong_formula_is_found():
    # a source of the noise error without the factor rho is refused, as is N in place of 1/N
    with pytest.raises(DerivationError):
        Derivation(
            "wrong",
            (spectral("x", over_spectrum(TERMS["fitted"]), over_spectrum(TERMS["fitted_twice"]), "no"),),
        ).check()


def test_derivations_print(derivations):
    for derivation in derivations.values():
        assert derivation.title in str(derivation)
        assert "\\begin{align*}" in derivation.latex()
        assert derivation.sources


def test_complementary_sums_are_complements():
    # sum p = 1: fitted + unfitted = 1, and so on; at a random point, to 30 digits
    values = dict.fromkeys((), None)
    pairs = [("fitted", "unfitted"), ("fitted_twice", "unfitted_twice")]
    for one, other in pairs:
        total = on_three_scales(over_spectrum(TERMS[one]) + over_spectrum(TERMS[other]))
        symbols = sorted(total.free_symbols, key=str)
        values = {symbol: Rational(k + 1, 10) for k, symbol in enumerate(symbols)}
        left, _ = both(total, total)(values, 30)
        assert abs(left - 1) < mpmath.mpf(10) ** -28
    between = TERMS["fitted"] - TERMS["fitted_twice"] - TERMS["between"]
    assert between.simplify() == 0


def test_slack_and_spare_agree_with_their_other_forms():
    point = {
        SUMS["fitted"]: 0.3,
        SUMS["unfitted"]: 0.7,
        SUMS["fitted_twice"]: 0.2,
        SUMS["unfitted_twice"]: 0.8,
        alpha: 0.6,
    }
    point[margin] = 1 - 1 / point[alpha]
    assert float(ridge.slack().subs(point)) == pytest.approx(
        float(ridge.slack_few_samples().subs(point)), rel=1e-14
    )
    assert float(ridge.spare().subs(point)) == pytest.approx(
        float(ridge.spare_few_samples().subs(point)), rel=1e-14
    )


def test_isotropic_ridge_is_the_root_of_the_quadratic_in_both_forms():
    for ratio, penalty in [(0.5, 0.01), (2.0, 0.3), (1.0, 1e-4)]:
        b = 1 - penalty - 1 / ratio
        root = max(mpmath.polyroots([1, b, -penalty]))
        for form in ridge.isotropic_ridge():
            value = form.subs({s: 1, margin: 1 - 1 / ratio, penalty_symbol: penalty})
            assert float(value) == pytest.approx(float(root), rel=1e-12)


def test_two_scale_gap_of_the_notes_and_by_minimisation():
    gap = ridge.two_scale_gap(1, Rational(1, 2), Rational(1, 10), Rational(1, 2)).evalf(20)
    assert float(gap) == pytest.approx(1.10838153, abs=1e-8)
    least = mpmath.findroot(
        lambda k: 1 / (1 + k) ** 3 + mpmath.mpf(0.01) / (mpmath.mpf(0.1) + k) ** 3,
        (-0.9, -0.2),
        solver="anderson",
    )
    value = 0.5 / (1 + least) ** 2 + 0.005 / (mpmath.mpf("0.1") + least) ** 2
    assert float(gap) == pytest.approx(float(value), rel=1e-12)


def test_test_error_of_ordinary_least_squares():
    # kappa = 0, alpha > 1: sigma^2 alpha/(alpha - 1), the exact N, P -> infinity limit of sigma^2 (N-1)/(N-P-1)
    error = (
        ridge.expected_error()
        .subs({SUMS["missed"]: 0, ridge.SPARE: ridge.spare()})
        .subs(SUMS["unfitted_twice"], 0)
    )
    assert float(error.subs({margin: Rational(1, 2), alpha: 2, noise: Rational(1, 10)})) == pytest.approx(0.2)


def test_conventions_translate_and_print():
    assert penalty_from("scikit-learn").subs(
        {Symbol("alpha_theirs", positive=True): 3, Symbol("N", positive=True): 6}
    ) == Rational(1, 2)
    assert len(table().splitlines()) == len(CONVENTIONS) + 2
    assert {c.source.split(";")[0] for c in CONVENTIONS} >= {
        "hastie2022surprises",
        "dobriban2018high",
        "wu2020optimal",
    }
    with pytest.raises(ArgumentError, match="must be one of"):
        penalty_from("nobody")


def test_unknown_result_is_refused():
    with pytest.raises(ArgumentError, match="test-error"):
        ridge.derive("test error")


def test_terms_are_positive_where_they_should_be():
    point = {s: 0.3, p: 0.2, u: 0.5, kappa: 0.7}
    assert all(float(term.subs(point)) > 0 for term in TERMS.values())
