"""Derivations print, and their checks can fail."""

from xml.dom.minidom import parseString

import mpmath
import pytest
from sympy import (
    Derivative,
    Eq,
    Function,
    Integral,
    Max,
    Rational,
    S,
    Symbol,
    cos,
    exp,
    oo,
    pi,
    sin,
    sqrt,
    symbols,
    tanh,
)

from widelimit.theory import Derivation, Expectation, Step
from widelimit.theory.calculus.derivation import draw
from widelimit.theory.calculus.ensembles import over_gaussian, over_signs
from widelimit.theory.calculus.mathml import mathml
from widelimit.theory.calculus.precision import evaluate
from widelimit.theory.errors import ArgumentError, DerivationError

x, y, c = symbols("x y c", real=True)
q, t = symbols("q t", positive=True)
n = Symbol("n", integer=True, positive=True)
PAIR = Expectation(tanh(x) * tanh(y), (x, y), (q, q, c))
SLOPES = Expectation((1 - tanh(x) ** 2) * (1 - tanh(y) ** 2), (x, y), (q, q, c))


def step(left, right, /, **options):
    return Step(options.pop("name", "step"), Eq(left, right, evaluate=False), "because", **options)


def check(*steps):
    return Derivation("test", steps).check(dps=30, points=2)


def test_identity_of_price_is_checked_and_one_per_cent_is_seen():
    domain = {q: (0.3, 1), c: (-0.5, 0.5)}
    (outcome,) = check(step(Derivative(PAIR, c), q * SLOPES, domain=domain))
    assert outcome.passed and outcome.worst_relative_error < 1e-25 and outcome.points == 2
    with pytest.raises(DerivationError, match="'step' of 'test' fails"):
        check(step(Derivative(PAIR, c), Rational(101, 100) * q * SLOPES, domain=domain))


def test_limits_are_checked_with_their_order():
    assert check(step(sin(t), t, kind="limit", limit=(t, S.Zero, 2)))[0].passed
    assert check(step(sqrt(t**2 + t), t, kind="limit", limit=(t, oo, 1)))[0].passed
    for wrong in (
        step(sin(t), t * Rational(101, 100), kind="limit", limit=(t, S.Zero, 2)),
        step(t + t**2, t, kind="limit", limit=(t, S.Zero, 2)),  # the ratio approaches one, but as slowly as t
    ):
        with pytest.raises(DerivationError):
            check(wrong)


def test_notation_must_be_finite_and_a_name():
    symbol = Symbol("V")
    assert check(step(symbol, q**2, kind="notation", domain={q: (1, 2)}))[0].passed
    with pytest.raises(DerivationError):
        check(step(symbol, oo, kind="notation"))
    with pytest.raises(DerivationError, match="no value"):
        check(step(symbol, Function("f")(q), kind="notation", domain={q: (1, 2)}))
    with pytest.raises(DerivationError, match="no value"):
        check(step(symbol, q * t, kind="notation", domain={q: (1, 2)}))
    with pytest.raises(ArgumentError, match="name alone on the left"):
        step(2 * symbol, q, kind="notation")


def _square(values, dps):
    return over_signs(lambda s: (s[0] * values[q] + s[1]) ** 2, 2) - 1


def test_a_name_is_evaluated_by_what_it_stands_for():
    domain = {q: (1, 2)}
    assert check(step(Symbol("V"), q**2, domain=domain, left=_square))[0].passed
    with pytest.raises(DerivationError):
        check(step(Symbol("V"), Rational(101, 100) * q**2, domain=domain, left=_square))
    with pytest.raises(DerivationError, match="no value"):
        check(step(Symbol("V"), q**2, domain=domain))
    assert check(step(q**2, Symbol("V"), domain=domain, right=_square))[0].passed


def _squared(earlier):
    first = earlier["first"]
    return Eq(first.lhs**2, first.rhs**2, evaluate=False)


def test_a_derived_step_is_computed_from_earlier_ones():
    first = step(sin(2 * t), 2 * sin(t) * cos(t), name="first", domain={t: (0, 1)})
    second = step(
        sin(2 * t) ** 2, 4 * sin(t) ** 2 * cos(t) ** 2, kind="derived", by=_squared, domain={t: (0, 1)}
    )
    assert [one.kind for one in check(first, second)] == ["identity", "derived"]
    wrong = step(sin(2 * t) ** 2, 4 * sin(t) ** 2, kind="derived", by=_squared, domain={t: (0, 1)})
    with pytest.raises(DerivationError, match="'step'"):
        check(first, wrong)
    other = step(sin(3 * t) ** 2, 4 * sin(t) ** 2, kind="derived", by=_squared, domain={t: (0, 1)})
    with pytest.raises(DerivationError, match="was derived"):
        check(first, other)


def test_ensembles():
    with mpmath.workdps(40):
        mean = over_gaussian(lambda u, v: mpmath.exp(u + v), [[1, Rational(1, 2)], [Rational(1, 2), 1]], 40)
        assert abs(mean - mpmath.exp(mpmath.mpf(3) / 2)) < 1e-24
        singular = over_gaussian(lambda u, v: (u - 2 * v) ** 2 + u**2, [[4, 2], [2, 1]], 3)
        assert abs(singular - 4) < 1e-35
        assert over_signs(lambda s: s[0] * s[1] + 3, 2) == 3


def test_a_derived_step_without_its_premises_is_told():
    alone = step(sin(2 * t) ** 2, sin(t), kind="derived", by=_squared, domain={t: (0, 1)})
    with pytest.raises(DerivationError, match="'first', which does not stand before it"):
        check(alone)


def test_precision_knows_integrals_and_derivatives():
    assert abs(evaluate(Integral(q * t, (t, 0, q)), {q: 2}, 30) - 4) < 1e-27
    node = Expectation(x**2 * tanh(x) ** 2, x, t)
    inside = evaluate(Integral(node, (t, 1, Rational(5, 4))), {}, 10)
    ends, middle = (
        [evaluate(node, {t: v}, 10) for v in vs] for vs in ((1, Rational(5, 4)), (Rational(9, 8),))
    )
    assert abs(inside - (sum(ends) + 4 * middle[0]) / 24) < 1e-6  # Simpson
    assert (
        abs(evaluate(Derivative(q * sin(q), q), {q: 1}, 30) - evaluate(sin(q) + q * cos(q), {q: 1}, 30))
        < 1e-28
    )
    assert abs(evaluate(q, {q: 0.3}, 30) - evaluate(Rational(3, 10), {}, 30)) < 1e-29


def test_a_seed_gives_a_symbol_the_same_values_in_every_step():
    one, other = step(q, t, domain={q: (0, 1), t: (0, 1)}), step(t, q, domain={n: (1, 9), q: (0, 1)})
    assert [p[q] for p in draw(one, 4, 0)] == [p[q] for p in draw(other, 4, 0)]
    assert all(p[q] != p[t] for p in draw(one, 4, 0))


def test_points_are_repeatable_and_inside():
    one = step(q, t, domain={q: (0.25, 0.5), n: (2, 5)})
    assert draw(one, 5, 3) == draw(one, 5, 3) != draw(one, 5, 4)
    assert all(
        Rational(1, 4) < p[q] < Rational(1, 2) and 2 <= p[n] <= 5 and p[n].is_Integer for p in draw(one, 9, 0)
    )


def test_wrong_steps_are_refused():
    with pytest.raises(ArgumentError, match="`kind`"):
        step(q, t, kind="guess")
    with pytest.raises(ArgumentError, match="`limit`"):
        step(q, q, kind="limit")
    with pytest.raises(ArgumentError, match="`by`"):
        step(q, t, kind="derived")
    with pytest.raises(ArgumentError, match="two sides that could differ"):
        step(q + t, t + q)
    with pytest.raises(ArgumentError, match="`equation`"):
        Step("name", q, "because")
    with pytest.raises(ArgumentError, match="`steps`"):
        Derivation("test", (step(q, t), step(q, t)))
    with pytest.raises(ArgumentError, match="`steps`"):
        Derivation("test", ())


def test_printing():
    d = Derivation(
        "A title",
        (
            step(Derivative(PAIR, c), q * SLOPES, name="price", source="price1958useful; poole2016exponential, eq. (3)",
                 assumptions=("finite moments",)),
            step(sin(t), t, name="small", kind="limit", limit=(t, S.Zero, 2)),
        ),
        ("width is infinite",),
    )  # fmt: skip
    text = str(d)
    assert text.startswith("A title\n=======\nAssuming width is infinite.\n\n1. price\n")
    assert "[price1958useful; poole2016exponential, eq. (3)]" in text and "sin(t) ~ t" in text
    assert r"\mathbb{E}_{x, y \sim \mathcal{N}(0, q, q; c)}" in d.latex() == d._repr_latex_()
    tree = parseString(d.mathml())
    assert tree.documentElement.tagName == "math" and len(tree.getElementsByTagName("mtr")) == 2
    parseString(d.step_mathml("small"))
    assert d.sources == ("price1958useful", "poole2016exponential")
    assert d["small"].name == "small" and d.result == d["small"].equation and len(d) == 2
    with pytest.raises(KeyError):
        d["missing"]


def test_mathml_is_xml_whatever_is_printed():
    relu = Expectation(Max(x, 0).diff(x) * Max(x, -1), x, q)
    for expr in (relu, Integral(exp(-(x**2)), (x, -oo, oo)), Derivative(relu, q), x < pi, Max(x, 0) >= 1):
        parseString(f"<math>{mathml(expr)}</math>")
