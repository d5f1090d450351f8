"""Derivations are shown with the names of earlier steps, and set so that browsers set them well."""

import pickle
from xml.dom.minidom import parseString

import pytest
from sympy import Derivative, Eq, Function, Symbol, exp, sin, sqrt, symbols, tanh

from widelimit.theory import meanfield, ridge
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.mathml import mathml
from widelimit.theory.calculus.naming import shown

x, y, q, q_1, c, rho, s = symbols("x y q q_1 c rho s", positive=True)
V, C = Function("V"), Function("C")
SECOND = Expectation(tanh(x) ** 2, x, q)


def equations(*pairs):
    return [(Eq(left, right, evaluate=False), "identity") for left, right in pairs]


def test_a_function_is_named_at_any_argument():
    at_q1, bound = Expectation(tanh(x) ** 2, x, q_1), Expectation(tanh(x) ** 2, x, 2 * q + 1)
    (_, second) = shown(equations((V(q), SECOND), (s, at_q1 / bound + Derivative(SECOND, q))))
    assert second.right == V(q_1) / V(2 * q + 1) + Derivative(V(q), q)
    assert second.right.xreplace(
        {V(q_1): at_q1, V(2 * q + 1): bound, V(q): SECOND}
    ) == at_q1 / bound + Derivative(SECOND, q)


def test_an_argument_that_stands_twice_has_to_be_the_same():
    product = Expectation(tanh(x) * tanh(y), (x, y), (q, q, c))
    other = Expectation(tanh(x) * tanh(y), (x, y), (q, q_1, c))
    first, same, unequal = shown(equations((C(q, c), product), (s, product.xreplace({c: 1}) + 1), (s, other)))
    assert (same.right, unequal.right) == (C(q, 1) + 1, other) and first.right == product


def test_names_of_several_kinds():
    long = sin(exp(q) + 1) + q
    assert shown(equations((s, long), (c, 1 / long)))[1].right == 1 / s
    assert shown(equations((1 - rho, long), (c, 2 / long), (c, 3 * (1 - long))))[1].right == 2 / (1 - rho)
    sums = q + sin(exp(q))
    assert shown(equations((s, sums), (c, exp(-sums))))[1].right == exp(-s)


@pytest.mark.parametrize("name", ["1+eta'", "dE/dlambda", "M x"])
def test_names_that_need_brackets_name_nothing(name):
    long = sin(exp(q) + 1)
    assert shown(equations((Symbol(name), long), (c, 2 * long)))[1].right == 2 * long


def test_what_is_said_twice_or_in_a_limit_names_nothing():
    long = sin(exp(q) + 1)
    twice = shown(equations((s, long), (s, 2 * long), (c, 3 * long)))
    assert twice[2].right == 3 * long
    limit = [(Eq(s, long, evaluate=False), "limit"), (Eq(c, 3 * long, evaluate=False), "identity")]
    assert shown(limit)[1].right == 3 * long
    own = shown(equations((s, long), (long, sin(exp(q) + 1))))
    assert own[1].left == own[1].right == long, "an equation is not renamed into nothing"


def test_what_a_long_equation_repeats_has_a_letter_behind_it():
    many = Expectation(sin(x) * exp(-(x**2)) * tanh(x) ** 3, x, q + q_1)
    long = many**2 + sqrt(many + 1) + exp(q * many) / (many - rho)
    (found,) = shown(equations((s, long)))
    ((letter, meaning),) = found.where
    assert (
        meaning == many and found.right.xreplace({letter: many}) == long and not found.right.has(Expectation)
    )
    step = Step(
        "made",
        Eq(s, long, evaluate=False),
        "as is",
        domain={q: (1, 2), q_1: (1, 2), rho: (3, 4)},
        kind="notation",
    )
    derivation = Derivation("Made", (step,))
    assert f", where {letter} = E[" in str(derivation) and r"\text{where }" in derivation.latex()
    tree = parseString(derivation.step_mathml("made"))
    assert len(tree.getElementsByTagName("mtr")) == 2 and derivation.check()[0].passed
    assert pickle.loads(pickle.dumps(derivation)).shown == derivation.shown


def length(one):
    return len(str(one.left)) + len(str(one.right))


def test_shipped_derivations_are_shorter_and_say_the_same():
    """851 and 742 characters were the longest."""
    for derivation, longest, name in (
        (meanfield.derive("tanh"), 600, "defect-map-unequal"),
        (ridge.derive("optimal-penalty"), 350, "error-bend"),
    ):
        lengths = {step.name: length(one) for step, one in zip(derivation, derivation.shown, strict=True)}
        assert max(lengths.values()) == lengths[name] < longest
    text = str(meanfield.derive("tanh"))
    assert "V(q)/P(q)" in text and "C(q, 1) = V(q)" in text


# --- MathML ---------------------------------------------------------------------------------------------------------


def test_power_and_index_stand_on_one_letter():
    assert mathml(Symbol("q_star") ** 2) == "<msubsup><mi>q</mi><mi>star</mi><mn>2</mn></msubsup>"
    assert "<msubsup>" not in mathml((q + 1) ** 2) and "<msup>" in mathml((q + 1) ** 2)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("q_{l+1}", "<mrow><mi>l</mi><mo>+</mo><mn>1</mn></mrow>"),
        ("q_{12,l+1}", "<mrow><mn>12</mn><mo>,</mo><mi>l</mi><mo>+</mo><mn>1</mn></mrow>"),
        ("q_{ab}", "<mi>ab</mi>"),
        ("q_12", "<mn>12</mn>"),
    ],
)
def test_indices_are_rows_of_their_parts(name, index):
    text = mathml(Symbol(name))
    assert index in text or index.replace("mn>", "mi>") in text
    assert "l+1" not in text and "{" not in text
    parseString(f"<math>{text}</math>")


def test_no_bracket_stretches_inside_an_index():
    tree = parseString(f"<math>{mathml(Expectation(tanh(x), x, q))}</math>")
    (index,) = (node.childNodes[1] for node in tree.getElementsByTagName("msub"))
    fences = [mo for mo in index.getElementsByTagName("mo") if mo.firstChild.data in "()[]"]
    assert len(fences) == 2 and all(mo.getAttribute("stretchy") == "false" for mo in fences)
    others = [
        mo for mo in tree.getElementsByTagName("mo") if mo.firstChild.data in "()[]" and mo not in fences
    ]
    assert others and not any(mo.hasAttribute("stretchy") for mo in others)


@pytest.mark.parametrize("name", ["<b>", "a&b", "a+<b>", 'x"y', "{{", "l+", "+1", "\x00"])
def test_hostile_names_stay_text(name):
    text = mathml(Symbol(name))
    if "\x00" not in text:
        tree = parseString(f"<math>{text}</math>")
        assert not tree.getElementsByTagName("b")
