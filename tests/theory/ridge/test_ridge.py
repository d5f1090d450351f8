"""Every step of the ridge derivations, the numbers of their results from elsewhere, and the table of conventions."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from sympy import Eq, Rational, Symbol, symbols

from widelimit.theory import ridge
from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.calculus.precision import evaluate
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
from widelimit.theory.ridge.steps import on_three_scales, spectral


@pytest.fixture(scope="module")
def derivations():
    return {name: ridge.derive(name) for name in ridge.RESULTS}


def test_every_step_of_every_derivation_holds(derivations):
    steps = {(step.name, str(step.equation)): step for d in derivations.values() for step in d}
    assert len(steps) > 40
    checks = Derivation(
        "all of them", tuple(_renamed(step, k) for k, step in enumerate(steps.values()))
    ).check(dps=20, points=2)
    assert all(check.passed for check in checks)


def _renamed(step, number):
    return replace(step, name=f"{step.name} {number}")


def test_what_is_shown_is_what_is_evaluated(derivations):
    # one per cent on the right side that is shown, and nothing else, turns the check of every step red
    steps = {(step.name, str(step.equation)): step for d in derivations.values() for step in d}
    for step in steps.values():
        assert step.kind in ("identity", "limit", "derived")
        assert step.right is None  # evaluated as it is shown
        wrong = replace(
            step, equation=Eq(step.equation.lhs, Rational(101, 100) * step.equation.rhs, evaluate=False)
        )
        with pytest.raises(DerivationError, match="fails its check"):
            Derivation("wrong", (wrong,)).check(dps=15, points=1)


@pytest.mark.parametrize("alpha_", [0.5, 2.0])
def test_companion_transform_is_that_of_a_large_matrix(derivations, alpha_):
    # the shown z(m) at the m of one Gram matrix of 1500 samples returns z to the fluctuations, 1/N
    generator, samples = np.random.default_rng(0), 1500
    dimensions = int(samples / alpha_)
    scales = np.repeat(
        [1.5, 0.5, 0.1], [dimensions // 5, dimensions // 5, dimensions - 2 * (dimensions // 5)]
    )
    x = generator.standard_normal((samples, dimensions)) * np.sqrt(scales)
    values = np.linalg.eigvalsh(x @ x.T / samples)
    step = derivations["effective-ridge"]["marchenko-pastur"]
    written = step.written(step.equation.rhs)
    point = dict(zip(symbols("s_1:4", positive=True), (1.5, 0.5, 0.1), strict=True))
    point |= dict(zip(symbols("p_1:3", positive=True), (0.2, 0.2), strict=True)) | {alpha: alpha_}
    for z in (-1.0, -0.2):
        m = float(np.mean(1 / (values - z)))
        got = float(written.subs({**point, Symbol("m", real=True): m}))
        assert got == pytest.approx(z, rel=5 / samples / abs(z))


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
        assert abs(evaluate(total, values, 30) - 1) < mpmath.mpf(10) ** -28
    between = TERMS["fitted"] - TERMS["fitted_twice"] - TERMS["between"]
    assert between.simplify() == 0


def test_ratio_and_slope_agree_with_their_other_forms():
    point = {
        SUMS["fitted"]: 0.3,
        SUMS["unfitted"]: 0.7,
        SUMS["fitted_twice"]: 0.2,
        SUMS["unfitted_twice"]: 0.8,
        alpha: 0.6,
    }
    point[margin] = 1 - 1 / point[alpha]
    assert float(ridge.effective_ridge_ratio().subs(point)) == pytest.approx(
        float(ridge.effective_ridge_ratio_few_samples().subs(point)), rel=1e-14
    )
    assert float(ridge.effective_ridge_slope().subs(point)) == pytest.approx(
        float(ridge.effective_ridge_slope_few_samples().subs(point)), rel=1e-14
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
        .subs({SUMS["missed"]: 0, ridge.SLOPE: ridge.effective_ridge_slope()})
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
