"""The edge of chaos at and near sigma_b = 0, steep slopes, several roots and costs, against expansions and mpmath."""

import math

import mpmath as mp
import numpy as np
import pytest

from widelimit.numerics import meanfield
from widelimit.theory import meanfield as theory
from widelimit.theory.errors import ArgumentError, DomainError, InfiniteMomentError, NoFixedPointError

KINKED = "max(x,0)+0.5*(exp(min(x,0))-1)"

# the slopes of phi on both sides of 0, and whether the length map falls along the edge nearby (sign of E phi phi'')
ENDS = [
    ("elu", 1, 1, 1, True),
    ("gelu", 0.5, 0.5, 1, False),
    ("silu", 0.5, 0.5, 1, False),
    ("tanh", 1, 1, 1, True),
    ("hard_tanh", 1, 1, 2, True),  # a kink, but not at 0
    (KINKED, 0.5, 1, 2, True),
]


@pytest.mark.parametrize(("name", "left", "right", "power", "stable"), ENDS, ids=[row[0] for row in ENDS])
def test_the_edge_ends_in_the_slopes_at_zero(name, left, right, power, stable):
    line = meanfield.critical_line(name, sigma_b=0)
    assert line.q_star == 0 and line.solutions == (0.0,) and line.length_slope == 1
    assert line.sigma_w == pytest.approx(math.sqrt(2 / (left**2 + right**2)), rel=1e-15)
    s = 2 / 3 * (right - left) ** 2 / (math.sqrt(2) * math.pi) / ((left**2 + right**2) / 2)
    assert line.decay_coefficient == (pytest.approx(4 / s**2, rel=1e-14) if s else math.inf)
    assert line.decay_power == power and line.stable is stable
    near = meanfield.critical_line(name, sigma_b=1e-4)
    assert near.sigma_w == pytest.approx(line.sigma_w, rel=1e-2) and near.stable is stable


def test_the_published_values_of_the_issue():
    line = meanfield.critical_line(KINKED, sigma_b=0)
    assert (round(line.sigma_w, 10), line.decay_power, round(line.decay_coefficient, 4)) == (
        1.2649110641,
        2,
        1110.3305,
    )


def elu_line(q):
    """sigma_b^2 and sigma_w^2 of elu by completed squares, in digits enough for the cancellation."""
    with mp.workdps(60):
        q = mp.mpf(q)
        root = mp.sqrt(q)
        low = mp.exp(2 * q) * mp.ncdf(-2 * root)
        v = q / 2 + low - 2 * mp.exp(q / 2) * mp.ncdf(-root) + mp.mpf(1) / 2
        p = mp.mpf(1) / 2 + low
        return float(mp.sqrt(q - v / p)), float(mp.sqrt(1 / p))


@pytest.mark.parametrize("q", [1e-10, 1e-6, 1e-3, 0.3])
def test_elu_at_small_q_against_sixty_digits(q):
    sigma_b, sigma_w = elu_line(q)
    line = meanfield.critical_line("elu", q_star=q)
    assert line.sigma_b == pytest.approx(sigma_b, rel=1e-9) and line.sigma_w == pytest.approx(
        sigma_w, rel=1e-13
    )
    back = meanfield.critical_line("elu", sigma_b=sigma_b)
    assert back.q_star == pytest.approx(q, rel=1e-8) and len(back.solutions) == 1
    p = meanfield.solve("elu", sigma_w=sigma_w * 0.999, sigma_b=sigma_b)  # V(q) of elu cancels at small q
    with mp.workdps(60):
        s, b = mp.mpf(sigma_w * 0.999) ** 2, mp.mpf(sigma_b) ** 2

        def excess(x):
            root = mp.sqrt(x)
            v = (
                x / 2
                + mp.exp(2 * x) * mp.ncdf(-2 * root)
                - 2 * mp.exp(x / 2) * mp.ncdf(-root)
                + mp.mpf(1) / 2
            )
            return s * v + b - x

        exact = mp.findroot(excess, (p.q_star, p.q_star * 1.001))
    assert p.q_star == pytest.approx(float(exact), rel=1e-11)


@pytest.mark.parametrize(
    ("name", "coefficient", "power"),
    [("tanh", 4 / 3, 3), ("silu", 1 / 4, 2), ("exp(x)-1", 1 / 4, 2), ("elu", 1 / 8, 2)],
)
def test_small_biases_approach_the_limit(name, coefficient, power):
    # sigma_b^2 = q E (phi' - phi/x)^2/P = coefficient q^power from phi = a x + b x^2 + c x^3: (b/a)^2 or 4/3 (tanh)
    for sigma_b in (1e-5, 1e-7, 1e-9, 1e-30):
        q = (sigma_b**2 / coefficient) ** (1 / power)
        line = meanfield.critical_line(name, sigma_b=sigma_b)
        assert line.solutions == (line.q_star,)
        assert line.q_star == pytest.approx(q, rel=3 * math.sqrt(q) + 3e-5)


def test_flat_and_shifted_activations_have_no_edge_at_zero():
    for name in ("x**2", "x**3", "abs(x)**1.5", "softplus", "abs(x)**0.7"):
        with pytest.raises(NoFixedPointError, match="sigma_b = 0"):
            meanfield.critical_line(name, sigma_b=0)
    line = meanfield.critical_line("x**2", sigma_b=[0.0, 0.1])
    assert line.exists.tolist() == [False, True] and line.sigma_w[0] == math.inf
    assert line.q_star[1] == pytest.approx(0.04)  # V/P = 3 q^2/(4 q): sigma_b^2 = q/4
    cos = meanfield.critical_line("cos(x)", sigma_b=0)  # q = coth q
    assert cos.q_star == pytest.approx(1.1996786402577338, rel=1e-14) and cos.exists


def test_linear_on_both_sides_every_q_is_on_the_edge():
    for name, slopes in (("relu", (0, 1)), ("leaky_relu(0.3)", (0.3, 1)), ("linear", (1, 1))):
        line = meanfield.critical_line(name, sigma_b=0)
        assert line.q_star == 1 and line.sigma_w == pytest.approx(math.sqrt(2 / np.square(slopes).sum()))
        with pytest.raises(NoFixedPointError):
            meanfield.critical_line(name, sigma_b=1e-9)


def moment(p):
    """E abs(z)^p."""
    return 2 ** (p / 2) * math.gamma((p + 1) / 2) / math.sqrt(math.pi)


@pytest.mark.parametrize("p", [0.7, 1.2, 1.5, 2.5])
def test_powers_without_bias_have_closed_fixed_points(p):
    # V = q^p m_2p, P = p^2 q^(p - 1) m_(2p - 2): chi_1 = p^2/(2 p - 1) at the fixed point, whatever sigma_w
    point = meanfield.solve(f"abs(x)**{p}", sigma_w=1.1, sigma_b=0, q0=1.0) if p < 1 else None
    if point:
        assert point.q_star == pytest.approx((1.21 * moment(2 * p)) ** (1 / (1 - p)), rel=1e-12)
        assert point.chi_1 == pytest.approx(p * p / (2 * p - 1), rel=1e-12)
        assert point.length_slope == pytest.approx(p, rel=1e-11)
    line = meanfield.critical_line(f"abs(x)**{p}", sigma_b=0.1)  # sigma_b^2 = q (1 - 1/p)^2
    assert line.q_star == pytest.approx(0.01 / (1 - 1 / p) ** 2, rel=1e-12)
    weights = 1 / (p * p * line.q_star ** (p - 1) * moment(2 * p - 2))
    assert line.sigma_w == pytest.approx(math.sqrt(weights), rel=1e-12)
    half = meanfield.critical_line(f"max(x,0)**{p}", sigma_b=0.1)
    assert half.sigma_w == pytest.approx(math.sqrt(2 * weights), rel=1e-12)


def test_the_power_of_the_issue():
    point = meanfield.solve("abs(x)**1.5", sigma_w=1, sigma_b=0.1)
    assert (round(point.q_star, 10), round(point.chi_1, 10)) == (0.0121325431, 0.1977418084)


def test_kinks_that_hide_in_roots():
    # sqrt(x^2 + x^4) = abs(x) sqrt(1 + x^2): V = q + 3 q^2, slope (1 + 2 x^2)/sqrt(1 + x^2) times sign(x)
    q = 0.3
    line = meanfield.critical_line("sqrt(x**2+x**4)", q_star=q)
    with mp.workdps(20):
        p = mp.quad(
            lambda z: (1 + 2 * q * z * z) ** 2 / (1 + q * z * z) * mp.npdf(z), mp.linspace(-12, 12, 13)
        )
    assert line.sigma_w == pytest.approx(float(1 / mp.sqrt(p)), rel=1e-12)
    assert line.sigma_b**2 == pytest.approx(q - (q + 3 * q * q) / float(p), rel=1e-11)
    assert line.length_slope == pytest.approx((1 + 6 * q) / float(p), rel=1e-11) and line.decay_power == 2


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("sqrt(abs(x))", "x = 0"),
        ("sign(x)*sqrt(abs(x))", "x = 0"),
        ("abs(x)**(1/3)", "x = 0"),
        ("sign(x)", "x = 0"),
        ("exp(-sqrt(abs(x)))", "x = 0"),
        ("sqrt(abs(x-1))", "x = 1"),
    ],
)
def test_infinite_slopes_are_refused_by_every_function(name, where):
    requests = (
        lambda: meanfield.solve(name, sigma_w=1.0),
        lambda: meanfield.critical_line(name, sigma_b=0.1),
        lambda: meanfield.propagate(name, sigma_w=1.0, depth=2),
        lambda: meanfield.phase_diagram(name, sigma_w=[1.0, 2.0], sigma_b=[0.1]),
    )
    for request in requests:
        with pytest.raises(InfiniteMomentError, match=where):
            request()


def test_a_steep_slope_away_from_zero_is_refused():
    with pytest.raises(DomainError, match="infinite at x = 1"):
        meanfield.solve("abs(x-1)**0.7", sigma_w=1.0)


@pytest.mark.parametrize("p", [mp.mpf("0.7"), mp.mpf("1.2"), mp.mpf("1.4")])
def test_decay_of_steep_slopes_against_hypergeometric_functions(p):
    """E phi'(u) phi'(v) of sign(x) abs(x)^p is p^2 q^r E abs(uv)^r: 2F1(-r/2, -r/2; 1/2; c^2) of its value at c = 0."""
    law = theory.decay_law(f"sign(x)*abs(x)**{float(p)}")
    s = mp.mpf(str(theory.kink_coefficient(f"sign(x)*abs(x)**{float(p)}").subs(theory.q, 1).evalf(20)))
    with mp.workdps(150):
        r = p - 1
        h = r + mp.mpf(1) / 2
        even = lambda c: mp.hyp2f1(-r / 2, -r / 2, mp.mpf(1) / 2, c * c)  # noqa: E731
        e = mp.mpf(10) ** -60
        lost = (1 - even(1 - e) / even(1)) / e**h / (1 + h)
    assert float(lost / s) == pytest.approx(1, rel=1e-5)  # corrections e^(1 - h), e^h
    assert float(law.power) == pytest.approx(float(1 / h))
    assert float(law.coefficient.subs(theory.q, 1)) == pytest.approx(float((h * s) ** (-1 / h)), rel=1e-12)


def test_moments_that_end_at_a_variance_are_used_below_it():
    point = meanfield.solve("exp(x**2/16)", sigma_w=0.1, sigma_b=1.6)
    root = mp.findroot(lambda q: mp.mpf("2.56") + mp.mpf("0.01") / mp.sqrt(1 - q / 4) - q, 2.57)
    assert point.q_star == pytest.approx(float(root), rel=1e-14) and point.stable
    for name, at in (("exp(x**2/16)", {"sigma_w": 2.0, "sigma_b": 1.6}), ("exp(x**4)", {"sigma_w": 0.1})):
        with pytest.raises(InfiniteMomentError):
            meanfield.solve(name, **at)


def test_several_stable_fixed_points_are_said_to_be():
    # V = E x^4 exp(-x^2/2) = 3 q^2/(1 + q)^(5/2)
    at = {"sigma_w": 3.0, "sigma_b": 0.01}
    high = meanfield.solve("x**2*exp(-x**2/4)", **at)
    low = meanfield.solve("x**2*exp(-x**2/4)", **at, q0=1e-3)
    assert high.several and low.several and low.stable and high.stable
    assert high.fixed_points == low.fixed_points and low.q_star < 1e-3 < 1 < high.q_star
    for q in high.fixed_points:
        assert 27 * q * q / (1 + q) ** 2.5 + 1e-4 == pytest.approx(q, rel=1e-11)
    assert not meanfield.solve("tanh", sigma_w=1.5, sigma_b=0.1).several


def test_depths_and_grids_that_cannot_end_are_refused():
    with pytest.raises(ArgumentError, match=r"depth.*at most.*TiB of memory"):
        meanfield.propagate("tanh", sigma_w=1.5, depth=10**12)
    axis = np.linspace(0.1, 2, 10**4)
    with pytest.raises(ArgumentError, match="memory"):
        meanfield.phase_diagram("tanh", sigma_w=axis, sigma_b=axis)


def test_a_hundred_thousand_layers():
    deep = meanfield.propagate("relu", sigma_w=math.sqrt(2), depth=10**5)
    assert deep.one_minus_c[-1] * 1e10 == pytest.approx(9 * math.pi**2 / 2, rel=2e-3)  # log corrections
    line = meanfield.critical_line("tanh", sigma_b=0.3)
    deep = meanfield.propagate("tanh", sigma_w=line.sigma_w, sigma_b=0.3, q0=line.q_star, c0=0.5, depth=10**5)
    assert deep.one_minus_c[-1] * 1e5 == pytest.approx(line.decay_coefficient, rel=2e-3)


def test_empty_requests_are_empty():
    assert meanfield.critical_line("tanh", q_star=[]).q_star.size == 0
    assert meanfield.solve("tanh", sigma_w=[], sigma_b=0.1).q_star.size == 0


GROWING = [
    "tanh",
    "gelu",
    "hard_tanh",
    "x+0.3*sin(7*x)",
    "abs(x)**1.5",
    "tanh(9*x)+0.1*x",
    "cos(x)+x",
    "x*exp(-x**2/2)",
]


@pytest.mark.parametrize("name", GROWING)
def test_no_activation_has_two_edges_at_one_bias(name):
    """sigma_b^2 grows along the edge, at least as sqrt(q), whatever the shape: small-scale bumps, shifts, kinks."""
    line = meanfield.critical_line(name, q_star=np.geomspace(0.02, 1e3, 200))
    squares = line.sigma_b[line.exists] ** 2
    there = np.flatnonzero(line.exists)
    assert (np.diff(there) == 1).all() and there[-1] == 199  # once the edge exists it goes on
    growth = np.diff(np.log(squares)) / np.log(line.q_star[there][1] / line.q_star[there][0])
    assert (growth >= 0.5 - 1e-9).all()
    middle = float(squares[squares.size // 2] ** 0.5)
    assert len(meanfield.critical_line(name, sigma_b=middle).solutions) == 1


@pytest.mark.parametrize("name", ["tanh", "hard_tanh", "cos(x)", "abs(x)**1.5"])
def test_growth_along_the_edge_against_differences(name):
    q, h = 0.7, 1e-4
    points = meanfield.critical_line(name, q_star=[q * math.exp(-h), q * math.exp(h)])
    if name != "cos(x)":  # does not exist at this q
        slope = float(np.diff(points.sigma_b**2)[0]) / (2 * h)
    else:
        slope = q + q / math.sinh(q) ** 2  # of q - coth q
    expected = float(theory.critical_growth(name).subs(theory.q, q).evalf(20))
    assert expected == pytest.approx(slope, rel=1e-7)
