"""What the doors of activations read, in every spelling, and how fast they refuse the rest."""

import copy
import math
import pickle
import random
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import (
    Abs,
    Dummy,
    Function,
    Lambda,
    Max,
    Piecewise,
    Poly,
    Rational,
    Symbol,
    erf,
    exp,
    floor,
    log,
    oo,
    pi,
    sin,
    sqrt,
    tan,
    tanh,
)  # fmt: skip

from widelimit.theory.calculus.activation import CATALOGUE, Activation, x
from widelimit.theory.calculus.budget import Exhausted, within
from widelimit.theory.calculus.catalogue import ALIASES, find
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.errors import ArgumentError, ParseError, WidelimitError

READ = {
    "x^2": x**2, "-x^2 + 1": 1 - x**2, "2^-x": 2**-x, "np.tanh(x)": tanh(x), "numpy.tanh(x)*x": x * tanh(x),
    "math.exp(-x**2)": exp(-(x**2)), "torch.relu(x)": Max(0, x), "F.relu(x, inplace=True)": Max(0, x),
    "F.gelu(x)": x * (1 + erf(x / sqrt(2))) / 2, "torch.nn.functional.gelu(x)": x * (1 + erf(x / sqrt(2))) / 2,
    "jnp.where(x > 0, x, 0)": Piecewise((x, x > 0), (0, True)), "lambda x: x*tanh(x)": x * tanh(x),
    "lambda h: abs(h)": Abs(x), "where(x > 0, x, 0.1*x)": Piecewise((x, x > 0), (x / 10, True)),
    "x if x > 0 else x/10": Piecewise((x, x > 0), (x / 10, True)), "x² − √2·x": x**2 - sqrt(2) * x, "π*x": pi * x,
    "x³/3": x**3 / 3, "nn.LeakyReLU(0.2)(x)": Piecewise((x, x > 0), (x / 5, True)), "x.tanh()": tanh(x),
    "x.clamp(min=0)": Max(0, x), "np.clip(x, None, 1)": -Max(-1, -x), "Max(0, x)": Max(0, x),
    "Piecewise((x, x > 0), (0, True))": Piecewise((x, x > 0), (0, True)),
    "scipy.special.expit(x)": (1 + tanh(x / 2)) / 2,
    "elu(x, alpha=2)": Piecewise((x, x > 0), (2 * (exp(x) - 1), True)),
    "(x > 0)*x": x * Piecewise((1, x > 0), (0, True)),
    "where((x > -1) & (x < 1), x, 0)": Piecewise((x, (x > -1) & (x < 1)), (0, True)), "np.pi*x": pi * x,
    "cos(x)": sin(x + pi / 2),
}  # fmt: skip
NAMES = {
    "ReLU": "relu", "nn.ReLU()": "relu", "nn.ReLU": "relu", "torch.nn.SiLU()": "swish", "F.gelu": "gelu",
    "Hardtanh": "hard_tanh",
    "hard-tanh": "hard_tanh", "jax.nn.gelu": "gelu_tanh", "nn.GELU(approximate='tanh')": "gelu_tanh", "np.tanh": "tanh",
    "jax.nn.silu": "swish", "LogSigmoid": "log_sigmoid", "hard silu": "hard_swish", "math.tanh": "tanh",
}  # fmt: skip
REFUSED = {
    "2x": r"needs its '\*'", "x(x+1)": r"x\*\(", "tanh x": "brackets", "|x|": "abs", "y = tanh(x)": "right side",
    "tanh(x": "brackets do not match", "x // 2": "'//'", "x % 2": "'%'", "x @ x": "'@'", "[x]": "A list",
    "x == 0": "'=='",
    "not x": "conditions", "~x": "conditions", "x and 1": "conditions", "lambda x, y: x": "one argument",
    "х + 1": "CYRILLIC",
    "torch.max(x, 0)": "dimension", "softmax(x)": "other units", "softmax": "other units",
    "floor(x)": "jumps without end",
    "nn.gelu(x)": "two ways", "tf.nn.leaky_relu(x)": "between versions", "softplus(-1)": "must be positive",
    "hardtanh(2, 1)": "must be above", "celu(0)": "must not be zero", "elu(beta=1)": "alpha",
    "threshold": "needs a parameter",
    "log(x + 20)": "real and finite|logarithm", "sqrt(x + 20)": "real and finite",
    "1/(x**2 - 400)": "undefined at x = -20",
    "log((x - 1/3)**2)": "logarithm of zero", "abs(sin(x))": "changes sign", "np.inf*x": "real and finite",
}  # fmt: skip
ENDLESS = [
    "exp(exp(exp(exp(x))))", "10**10**10*x", "x**(10**9)", "(((x**64+1)**64+1)**64+1)**64",
    "abs((x+1)**64*(x-2)**63-3)",
    "abs(" * 30 + "x" + "-1)" * 30, "max(" * 25 + "x" + ",x**2-1)" * 25, "relu(x**20-x+1/7)", "sin(exp(exp(x)))",
    "relu((x**2-2)*(x**3-3)*(x**5-5))", "tanh(" * 40 + "x" + "**2)" * 40, "x**64*exp(x**64)", "exp(-exp(exp(exp(x))))",
    "abs(" + "*".join(f"(x-{k})" for k in range(20)) + ")", "log(1+exp(" * 10 + "x" + "))" * 10, "sinh(sinh(sinh(x)))",
    "gelu(" * 9 + "x" + ")" * 9, "mish(" * 5 + "x" + ")" * 5, "where(x>0," * 20 + "x" + ",x/2)" * 20,
]  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_reads(text):
    found, right = Activation.of(text).expr, READ[text]
    for point in (-2.3, -0.4, 0.7, 1.9):
        assert float(found.subs(x, point)) == pytest.approx(float(right.subs(x, point)), abs=1e-14)


@pytest.mark.parametrize("text", NAMES)
def test_names_in_every_spelling(text):
    assert Activation.of(text) == Activation.of(NAMES[text])


@pytest.mark.parametrize("text", REFUSED)
def test_says_what_to_write_instead(text):
    with pytest.raises(WidelimitError, match=REFUSED[text]) as caught:
        Activation.of(text)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 300
    assert not any(word in message for word in ("BinOp", "ast.", "Subscript", "Compare", "_Traced", "Load"))


@pytest.mark.parametrize("text", ENDLESS, ids=lambda text: text[:30])
def test_ends_within_a_second(text):
    start = time.process_time()
    try:
        Activation.of(text)
    except ParseError as error:
        assert "\n" not in str(error) and len(str(error)) < 400
    assert time.process_time() - start < 2  # half of that on a machine of its own


@pytest.mark.parametrize(
    "symbol", [Symbol("x"), Symbol("x", positive=True), Symbol("x", complex=True), Dummy("x"), x], ids=repr
)
def test_any_symbol_called_x(symbol):
    assert Activation.of(symbol * tanh(symbol)).expr == x * tanh(x)
    assert Activation.of(Max(0, Symbol("x"))).name == "relu"
    assert Activation.of(sqrt(Symbol("x") ** 2)).expr == Abs(x)


def test_sympy_objects():
    t = Symbol("t")
    assert Activation.of(Lambda(t, t**2)).expr == x**2
    assert Activation.of(Poly(x**2 + 1, x)).expr == x**2 + 1
    assert Activation.of(tanh) == Activation.of("tanh")
    for wrong in (floor(x), tan(x), Function("f")(x), 1 / x, log(x), x * oo, Symbol("q"), sqrt(x - 3)):
        with pytest.raises(ParseError):
            Activation.of(wrong)
    for wrong in (3, None, x > 0, [x], {"x"}, b"relu"):
        with pytest.raises(ArgumentError, match="`activation` must be"):
            Activation.of(wrong)


def test_callables_of_python():
    assert Activation.of(lambda h: h * abs(h)).expr == x * Abs(x)
    assert Activation.of(math.tanh) == Activation.of("tanh")
    for wrong in (
        lambda h: h if h > 0 else 0,
        lambda h: math.exp(h),
        lambda h: h * random.random(),
        lambda: 1,
        print,
    ):
        with pytest.raises(ParseError, match=r"Write|write|is random|uses"):
            Activation.of(wrong)
    with pytest.raises(ParseError, match="must depend on"):
        Activation.of(lambda h: 3)


@pytest.mark.parametrize("name", [*CATALOGUE, *ALIASES])
def test_every_name_works_or_asks_for_a_parameter(name):
    try:
        a = Activation.of(name)
    except ParseError as error:
        assert "needs a parameter" in str(error)
        return
    assert a.name == find(name).name
    for twin in (pickle.loads(pickle.dumps(a)), copy.deepcopy(a), copy.copy(a)):
        assert twin == a and hash(twin) == hash(a) and twin.kinks == a.kinks


def test_expectations_travel():
    node = Expectation(tanh(x) ** 2, x, Symbol("q", positive=True))
    for twin in (pickle.loads(pickle.dumps(node)), copy.deepcopy(node)):
        assert twin == node and hash(twin) == hash(node)


def test_kinks_at_roots_that_have_no_short_form():
    a = Activation.of("relu(x**3 - x + 0.1)")
    assert [float(k) for k in a.kinks] == pytest.approx([-1.0466805318, 0.1010312579, 0.9456492739], abs=1e-9)
    assert [float(w) for _, w in a.derivative(2).deltas] == pytest.approx(
        [abs(3 * float(k) ** 2 - 1) for k in a.kinks]
    )


def test_slopes_beside_a_root_of_fractional_power():
    a = Activation.of("abs(x)**1.5")
    left, right = a.derivative(1).regular.exprs
    assert left.subs(x, 0) == right.subs(x, 0) == 0 and float(left.subs(x, -4)) == -3


def test_the_budget_stops_at_the_same_place():
    def endless():
        total = 0
        while True:
            total += abs(-1)

    with pytest.raises(Exhausted):
        within(10_000, endless)
    assert within(10_000, lambda: Rational(1, 2)) == Rational(1, 2)


CALLED = ["tanh", "exp", "relu", "abs", "log", "sqrt", "gelu", "np.sin", "F.elu", "sign"]
GRAMMAR = st.recursive(
    st.sampled_from(["x", "1", "2", "0.5", "1/3", "pi", "e"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/^"), inner).map(lambda t: f"({t[0]}{t[1]}{t[2]})"),
        st.tuples(st.sampled_from(CALLED), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, st.sampled_from("<>"), inner, inner).map(lambda t: f"where({t[0]}{t[1]}{t[2]}, {t[3]}, x)"),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(
    GRAMMAR | st.text(max_size=30) | st.text(alphabet="x0123456789.+-*/^()<>=, lambdnpt:'\"[]{}", max_size=40)
)
def test_nothing_but_a_sentence(text):
    start = time.process_time()
    try:
        found = Activation.of(text)
    except WidelimitError as error:
        assert "\n" not in str(error)
    else:
        assert found.expr.free_symbols == {x}
    if (
        time.process_time() - start >= 2
    ):  # once more where nothing is remembered and nothing else is collected
        assert alone(text) < 2


def alone(text):
    """CPU seconds that reading a text takes in a process of its own."""
    code = (
        "import sys, time; from widelimit.theory.calculus.activation import Activation; "
        "from widelimit.theory.errors import WidelimitError\n"
        "Activation.of('tanh(x)'); start = time.process_time()\n"
        "try: Activation.of(sys.argv[1])\n"
        "except WidelimitError: pass\n"
        "print(time.process_time() - start)"
    )
    done = subprocess.run([sys.executable, "-c", code, text], capture_output=True, text=True, check=True)
    return float(done.stdout)
