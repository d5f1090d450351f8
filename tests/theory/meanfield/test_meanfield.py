"""The mean-field theory: worked values of the literature and of independent integrations, identities, decay laws."""

from pathlib import Path
from xml.dom.minidom import parseString

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Integral, Rational, S, erf, exp, oo, pi, sqrt

from widelimit.theory import Activation, meanfield
from widelimit.theory import meanfield as m
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.errors import DomainError, InfiniteMomentError

NAMES = [  # one of each kind of closed form and of quadrature; tests/theory/test_catalogue.py has the others
    "linear", "relu", "leaky_relu", "hard_tanh", "shifted_relu", "erf", "erf_s", "tanh", "arctan", "sin", "sigmoid",
    "softplus", "elu", "gelu", "swish", "abs", "monomial(2)",
]  # fmt: skip
BIBLIOGRAPHY = Path(m.__file__).parents[1] / "references.bib"


def number(expr, **values):
    """Evaluate at named symbols; sw2 and sb2 are variances."""
    table = {"q": m.q, "c": m.c, "eps": m.epsilon, "rho": m.keep}
    point = {table[k]: S(v) for k, v in values.items() if k in table}
    if "sw2" in values:
        point[m.sigma_w**2] = S(values["sw2"])
    if "sb2" in values:
        point[m.sigma_b**2] = S(values["sb2"])
    return expr.subs(point).evalf(20)


# phi, sigma_w^2, sigma_b^2, q*, chi_1, xi_q, c*, xi_c: computed by two independent integrations
WORKED = [
    ("tanh", "1.3", ".05", "0.3153164774853", "0.8801635098832", "1.785236631543", None, "7.83406926846"),
    (
        "tanh",
        "2.5",
        ".05",
        "1.0639583774168",
        "1.1335156987043",
        "1.179872916479",
        "0.4468042323441",
        "11.79559751587",
    ),
    (
        "tanh",
        "4.0",
        ".05",
        "2.1954939280346",
        "1.3424024144452",
        "0.873293371960",
        "0.1650649620223",
        "6.98027353298",
    ),
    ("erf_s", "2.5", ".05", "1.1719802449930", "1.1553928072277", None, "0.3858291534804", "10.46345207342"),
    ("hard_tanh", "2.0", ".05", "1.130041986244", "1.306286239686", None, "0.31891159476", "7.670500211"),
]


@pytest.mark.parametrize("row", WORKED, ids=lambda row: f"{row[0]}-{row[1]}")
def test_worked_values(row):
    name, sw2, sb2, q_star, chi, xi_q, c_star, xi_c = row
    at = {"sw2": sw2, "sb2": sb2, "q": q_star}
    assert abs(number(m.length_map(name), **at) - S(q_star)) < 3e-13
    assert abs(number(m.chi_1(name), **at) - S(chi)) < 3e-12
    if xi_q:
        assert abs(number(m.depth_scale(m.length_slope(name)), **at) - S(xi_q)) < 1e-10
    if c_star:
        assert abs(number(m.correlation_map(name), c=c_star, **at) - S(c_star)) < 1e-11
        slope = m.correlation_slope(name)
        assert abs(number(m.depth_scale(slope), c=c_star, **at) - S(xi_c)) < 1e-7
    else:
        assert abs(number(m.depth_scale(m.chi_1(name)), **at) - S(xi_c)) < 1e-10


def test_worked_values_of_gradients():
    for sw2, q_star, xi in (
        ("2.5", "1.0639583774168", "-7.9793150218"),
        ("4.0", "2.1954939280346", "-3.3960371367"),
    ):
        assert abs(number(m.depth_scale(m.chi_1("tanh")), sw2=sw2, q=q_star) - S(xi)) < 1e-9
    below = m.gradient_map("relu").subs({m.gradient: 3, m.width_ratio: 2, m.sigma_w: 2})
    assert below == 12  # 3 * 2 * 2^2/2
    overlap = m.gradient_overlap_map("relu").subs(
        {m.gradient_overlap: 3, m.width_ratio: 2, m.sigma_w: 2, m.c: 0}
    )
    assert overlap == 6  # a quarter of the plane instead of half the line


EDGE = [
    ("tanh", "0.570047881640764", "1.760954639606739"),
    ("erf_s", "0.5879783678033", "1.6873614078675"),
    ("hard_tanh", "0.4638639694320056", "1.165544689635881"),
]


@pytest.mark.parametrize("row", EDGE, ids=lambda row: row[0])
def test_worked_edge_of_chaos(row):
    name, q_star, sw2 = row
    line = m.critical_line(name)
    assert abs(number(line.sigma_w_squared, q=q_star) - S(sw2)) < 1e-12
    assert abs(number(line.sigma_b_squared, q=q_star) - S("0.05")) < 1e-12
    assert number(m.critical_length_slope(name), q=q_star) < 1


def test_worked_decay_and_dropout():
    law = m.decay_law("tanh")
    assert law.power == 1 and abs(number(law.coefficient, q="0.570047881640764") - S("6.17112614217")) < 1e-10
    for rho, q_bar, at_one, c_star, xi in (
        (".99", "0.580982316159", "0.990860611392", "0.765782888592", "14.479628673"),
        (".90", "0.693523347432", "0.907209562617", "0.356413775096", "4.666900368"),
    ):
        at = {"rho": rho, "q": q_bar, "sw2": "1.7609546396067", "sb2": ".05"}
        assert abs(number(m.dropout_length_map("tanh"), **at) - S(q_bar)) < 2e-12
        assert abs(number(m.dropout_correlation_at_one("tanh"), **at) - S(at_one)) < 3e-12
        assert abs(number(m.correlation_map("tanh"), c=c_star, **at) - S(c_star)) < 1e-11
        assert abs(number(m.depth_scale(m.correlation_slope("tanh")), c=c_star, **at) - S(xi)) < 1e-6
    assert m.dropout_chi_1("relu") == m.sigma_w**2 / (2 * m.keep)


def test_small_q_series():
    line = m.critical_series("tanh", 4)
    q_star = "0.0259209482112542"
    assert abs(number(line.sigma_w_squared, q=q_star) - S("1.05")) < 1e-5
    assert abs(number(line.sigma_b_squared, q=q_star) / S("2.01052133883e-5") - 1) < 0.03  # next term: O(q^2)
    small = number(m.critical_line("tanh").sigma_b_squared, q="0.001")
    assert abs(number(line.sigma_b_squared, q="0.001") / small - 1) < 1e-4
    exact = m.critical_line("erf_s")
    series = m.critical_series("erf_s", 6)
    for half in range(2):
        a, b = (getattr(which, ("sigma_w_squared", "sigma_b_squared")[half]) for which in (exact, series))
        assert abs(number(a - b, q="0.001")) < 1e-16
    assert m.critical_series("hard_tanh").sigma_w_squared == 1  # corrections are exp(-1/(2 q))
    with pytest.raises(DomainError, match="kink at 0"):
        m.critical_series("relu")
    with pytest.raises(DomainError, match="vanishes"):
        m.critical_series("monomial(2)")


def test_closed_forms_of_the_table():
    q, c = m.q, m.c
    theta = mpmath.acos(mpmath.mpf("0.3"))
    relu = (mpmath.sin(theta) + (mpmath.pi - theta) * mpmath.cos(theta)) / (2 * mpmath.pi) * 2
    assert abs(number(m.product_moment("relu"), q=2, c="0.3") - relu) < 1e-14
    assert m.length_map("relu") == m.sigma_b**2 + m.sigma_w**2 * q / 2
    assert m.slope_moment("leaky_relu(0.2)") == (1 + Rational(1, 25)) / 2
    assert (m.slope_product("erf_s") ** -2 - ((1 + pi * q / 2) ** 2 - (pi * q * c / 2) ** 2)).expand() == 0
    assert m.critical_line("relu") == m.CriticalLine(S(2), S.Zero)
    assert m.critical_length_slope("relu") == 1
    unequal = m.covariance_map("erf").subs({m.q_1: q, m.q_2: q})
    assert (unequal - m.correlation_map("erf") * q).simplify() == 0
    assert m.unequal_slope_product("relu") == m.slope_product("relu")


@pytest.mark.parametrize(
    ("name", "sb"), [("gelu", "0.05"), ("gelu", "0.2"), ("gelu", "0.3"), ("swish", "0.2")]
)
def test_swish_and_gelu_run_away_on_their_edge(name, sb):
    """Where the line meets a small sigma_b, dq'/dq is 4 to 10 per cent above one."""
    line = m.critical_line(name)
    target = float(sb) ** 2
    low, high = 1e-3, 3.0
    for _ in range(12):
        middle = (low * high) ** 0.5
        above = line.sigma_b_squared.subs(m.q, middle).evalf(6) > target
        low, high = (low, middle) if above else (middle, high)
    slope = number(m.critical_length_slope(name), q=low)
    assert 1.03 < slope < 1.11


def iterate(defect, start, layers):
    epsilon = mpmath.mpf(start)
    for _ in range(layers):
        epsilon = defect(epsilon)
    return epsilon


@pytest.mark.parametrize(
    ("name", "q"), [("relu", 1), ("abs", 1), ("hard_tanh", "0.4638639694320056"), ("leaky_relu(0.3)", 2)]
)
def test_kinked_decay_by_iterating_the_integrated_slope(name, q):
    """epsilon' - epsilon at small epsilon is -s epsilon^(3/2); the slope is integrated, nothing cancels."""
    s = number(m.kink_coefficient(name), q=q)
    slope = m.slope_product(name) / m.slope_moment(name)
    e = mpmath.mpf(10) ** -7
    with mpmath.workdps(25):

        def missing(r):  # t = r^2 takes the root out of the integrand
            t = S(mpmath.nstr(r * r, 30)) if r else S.Zero
            value = 1 - slope.subs({m.c: 1 - t, m.q: S(q)}).evalf(25)
            return 2 * r * mpmath.mpf(str(value))

        lost = mpmath.quad(missing, [0, mpmath.sqrt(e)], method="gauss-legendre", maxdegree=3)
    assert abs(lost / e**1.5 / s - 1) < 2e-3
    assert m.decay_law(name).power == 2
    assert abs(number(m.decay_law(name).coefficient, q=q) * s**2 - 4) < 1e-12


def test_decay_laws_by_iteration():
    with mpmath.workdps(25):

        def relu(e):
            theta = 2 * mpmath.asin(mpmath.sqrt(e / 2))
            return e - (mpmath.sin(theta) - theta * mpmath.cos(theta)) / mpmath.pi

        depth = 20000
        assert abs(iterate(relu, "0.5", depth) * depth**2 / (9 * mpmath.pi**2 / 2) - 1) < 0.01

        def erf_s(e, q=1):
            a = mpmath.pi * q / 2 / (1 + mpmath.pi * q / 2)
            defect = mpmath.asin(a) - mpmath.asin(a * (1 - e))
            return defect * (2 / mpmath.pi) * mpmath.sqrt(1 + mpmath.pi * q) / q

        beta = number(m.decay_law("erf_s").coefficient, q=1)
        assert abs(iterate(erf_s, "0.1", depth) * depth / mpmath.mpf(str(beta)) - 1) < 0.01
    assert m.decay_law("relu") == m.DecayLaw(2, 9 * pi**2 / 2)
    assert m.decay_law("elu").power == 1  # phi'' jumps, phi' does not
    with pytest.raises(DomainError, match="linear"):
        m.decay_law("linear")
    with pytest.raises(DomainError, match="does not jump"):
        m.kink_coefficient("tanh")


def test_defect_forms():
    form = m.defect_map("relu")
    assert isinstance(form.atoms(Expectation).pop(), Expectation)
    slope = m.correlation_slope("relu").subs({m.sigma_w: sqrt(2), m.c: 1 - m.epsilon})
    integral = Integral(slope, (m.epsilon, 0, Rational(3, 10))).evalf(15)
    assert abs(number(form, q=1, sw2=2, eps="0.3") - integral) < 1e-12
    direct = 1 - (number(m.product_moment("relu"), q=1, c="0.7") + Rational(1, 2) * 0) * 2
    assert abs(number(form, q=1, sw2=2, eps="0.3") - direct) < 1e-12


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([n for n in NAMES if n not in ("tanh", "sigmoid", "softplus", "arctan", "swish")]),
    st.floats(0.05, 4),
)
def test_identities_of_closed_forms(name, q):
    """C(1) = V, S(1) = P, dC/dc = q S, dV/dq = P + K, by high-precision differences of the closed forms."""
    value = S(q)
    v, p, k = (number(f(name), q=value) for f in (m.second_moment, m.slope_moment, m.curvature_overlap))
    c = Rational(3, 10)
    h = Rational(1, 10**12)
    pair = m.product_moment(name).subs(m.q, Rational(str(q)))
    at_q = m.slope_product(name).subs({m.q: Rational(str(q)), m.c: c}).evalf(30)
    slope = (pair.subs(m.c, c + h).evalf(45) - pair.subs(m.c, c - h).evalf(45)) / (2 * h)
    assert abs(slope - q * at_q) < 1e-10 * (1 + abs(at_q))
    second = m.second_moment(name)
    exact = Rational(str(q))
    growth = (second.subs(m.q, exact + h).evalf(45) - second.subs(m.q, exact - h).evalf(45)) / (2 * h)
    assert abs(growth - p - k) < 1e-10 * (1 + abs(p) + abs(k))
    near = m.product_moment(name).subs({m.q: exact, m.c: 1 - Rational(1, 10**16)}).evalf(30)
    assert abs(near - v) < 1e-6 * (1 + abs(v))


def test_moments_that_do_not_exist():
    for text in ("exp(x**2)", "exp(exp(x))", "exp(x**4)"):
        with pytest.raises(InfiniteMomentError, match="infinite"):
            m.length_map(text)
        with pytest.raises(InfiniteMomentError):
            meanfield.derive(text)
    with pytest.raises(InfiniteMomentError, match="jumps at x = 0"):
        m.chi_1("sign(x)")
    assert m.length_map("sign(x)") == m.sigma_w**2 + m.sigma_b**2
    assert m.curvature_moment("hard_tanh") is oo


@pytest.mark.parametrize("name", ["relu", "sin", "sign(x)", "elu"])
def test_derivations_check_themselves(name):
    d = meanfield.derive(name)
    assert all(outcome.passed for outcome in d.check(dps=30, points=1))


def test_a_derivation_without_closed_forms():
    checks = {s.name: s for s in meanfield.derive("tanh")}
    from widelimit.theory import Derivation

    chosen = [
        checks[k] for k in ("correlation-slope", "length-slope", "dropout-correlation-at-one", "stability")
    ]
    assert all(outcome.passed for outcome in Derivation("part", tuple(chosen)).check(dps=30, points=1))
    expansion = Derivation("limit", (checks["edge-expansion"],)).check(points=1)
    assert expansion[0].passed and expansion[0].kind == "limit"


@pytest.mark.parametrize("name", NAMES)
def test_every_derivation_prints(name):
    d = meanfield.derive(name)
    assert Activation.of(name).name in str(d)
    parseString(d.mathml())
    assert d.latex().startswith(r"\begin{align*}")
    entries = BIBLIOGRAPHY.read_text()
    assert all(f"{{{key}," in entries for key in d.sources)


@pytest.mark.parametrize("formula", ["length_map", "chi_1", "depth_scale", "critical_line", "decay_law"])
def test_a_formula_of_any_activation_is_that_of_each(formula):
    """Formulas of `ANY`, with an activation's moments put in, are those of the activation."""
    if formula == "depth_scale":
        assert m.depth_scale(m.chi_1(m.ANY)).subs(m.ANY.P, S.Half) == m.depth_scale(m.chi_1("relu"))
        return
    if formula == "decay_law":
        law = m.decay_law("hard_tanh")  # 4/s^2, s = 2/3 sqrt(q/pi) 2 p_q(1)/P, at q = 1/2
        s = Rational(4, 3) * sqrt(1 / (2 * pi)) * exp(-1) / sqrt(pi) / erf(1)
        assert abs(number(law.coefficient, q=Rational(1, 2)) * s.evalf(20) ** 2 - 4) < 1e-15
        return
    general, own = getattr(m, formula)(m.ANY), getattr(m, formula)("relu")
    moments = {m.ANY.V: m.second_moment("relu"), m.ANY.P: m.slope_moment("relu")}
    if formula == "critical_line":
        assert own == m.CriticalLine(
            general.sigma_w_squared.subs(moments), general.sigma_b_squared.subs(moments)
        )
    else:
        assert general.subs(moments) == own


def test_two_lengths_meet_without_cancellation():
    """erf: E phi phi is an arc sine; epsilon' of two lengths against 1 - c' in 40 digits, dropout included."""
    with mpmath.workdps(40):
        q1, q2, c, w2, b2, rho = (mpmath.mpf(v) for v in ("1.1", "1.3", "0.9", "2.25", "0.01", "0.8"))

        def product(a, b, r):
            return 2 / mpmath.pi * mpmath.asin(2 * r * mpmath.sqrt(a * b / ((1 + 2 * a) * (1 + 2 * b))))

        new = [w2 / rho * product(a, a, 1) + b2 for a in (q1, q2)]
        after = 1 - (w2 * product(q1, q2, c) + b2) / mpmath.sqrt(new[0] * new[1])
    point = {
        m.q_1: S("1.1"),
        m.q_2: S("1.3"),
        m.c: S("0.9"),
        m.sigma_w: S("1.5"),
        m.sigma_b: S("0.1"),
        m.keep: S("0.8"),
    }
    assert abs(m.unequal_defect_map("erf").subs(point).evalf(15) - S(str(after))) < 1e-13


def test_growth_keeps_its_digits_at_small_q():
    """tanh: sigma_b^2 = 4 q^3/3 - 8 q^4 + ..., so that d sigma_b^2/d log q = 4 q^3 - 32 q^4 + ..."""
    q = Rational(1, 10**6)
    assert abs(m.critical_growth("tanh").subs(m.q, q).evalf(15) / (4 * q**3 - 32 * q**4) - 1) < 1e-10
