"""Fixed points, phases and depth scales against the notes' worked values, closed forms and an independent oracle."""

import math

import numpy as np
import pytest
from mpmath import mp

from widelimit.numerics import meanfield
from widelimit.theory.errors import ArgumentError, InfiniteMomentError, NoFixedPointError, ParseError


def oracle():
    import importlib.util
    from pathlib import Path

    spec = importlib.util.spec_from_file_location(
        "meanfield_oracle", Path(__file__).with_name("meanfield_oracle.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ORACLE = oracle()

# signal-propagation notes: values found by two independent integrations, as many digits as printed
WORKED = [
    ("tanh", 1.3, 0.3153164774853, 0.8801635098832, 1.785236631542, 1.0, 7.83406926846, 7.8340692685),
    (
        "tanh",
        2.5,
        1.0639583774168,
        1.1335156987043,
        1.179872916479,
        0.4468042323441,
        11.79559751587,
        -7.9793150218,
    ),
    (
        "tanh",
        4.0,
        2.1954939280346,
        1.3424024144452,
        0.873293371960,
        0.1650649620223,
        6.98027353298,
        -3.3960371367,
    ),
    ("erf_s", 2.5, 1.1719802449930, 1.1553928072277, None, 0.3858291534804, 10.46345207342, None),
    ("hard_tanh", 2.0, 1.130041986244, 1.306286239686, None, 0.31891159476, 7.670500211, None),
]


@pytest.mark.parametrize("row", WORKED, ids=lambda row: f"{row[0]}-{row[1]}")
def test_worked_values(row):
    name, sw2, q, chi, xi_q, c, xi_c, xi_grad = row
    p = meanfield.solve(name, sigma_w=math.sqrt(sw2), sigma_b=math.sqrt(0.05))
    assert p.q_star == pytest.approx(q, rel=1e-12)
    assert p.chi_1 == pytest.approx(chi, rel=1e-12)
    assert p.c_star == pytest.approx(c, abs=1e-11)  # printed to 11 digits
    assert p.xi_c == pytest.approx(xi_c, rel=1e-9)
    if xi_q is not None:
        assert p.xi_q == pytest.approx(xi_q, rel=1e-11)
        assert p.xi_grad == pytest.approx(xi_grad, rel=1e-10)
    assert p.stable and p.phase == ("ordered" if chi < 1 else "chaotic")
    assert p.error < 1e-13 * p.q_star


@pytest.mark.parametrize(
    ("keep", "q", "at_one", "c", "xi_c"),
    [
        (0.99, 0.580982316159, 0.990860611392, 0.765782888592, 14.479628673),
        (0.90, 0.693523347432, 0.907209562617, 0.356413775096, 4.666900368),
    ],
)
def test_worked_dropout(keep, q, at_one, c, xi_c):
    at = {"sigma_w": math.sqrt(1.7609546396067), "sigma_b": math.sqrt(0.05), "keep": keep}
    p = meanfield.solve("tanh", **at)
    assert p.q_star == pytest.approx(q, rel=1e-11)
    assert p.c_star == pytest.approx(c, rel=1e-11)
    assert p.xi_c == pytest.approx(xi_c, rel=1e-9)
    assert meanfield.propagate("tanh", **at, q0=p.q_star, c0=1.0, depth=1).c[1] == pytest.approx(
        at_one, rel=1e-11
    )


@pytest.mark.parametrize(
    ("name", "q", "sw2"),
    [
        ("tanh", 0.570047881640764, 1.760954639606739),
        ("erf_s", 0.5879783678033, 1.6873614078675),
        ("hard_tanh", 0.4638639694320056, 1.165544689635881),
    ],
)
def test_worked_edge_of_chaos(name, q, sw2):
    line = meanfield.critical_line(name, sigma_b=math.sqrt(0.05))
    assert line.q_star == pytest.approx(q, rel=1e-12)
    assert line.sigma_w**2 == pytest.approx(sw2, rel=1e-12)
    assert line.stable and line.solutions == (line.q_star,)
    back = meanfield.critical_line(name, q_star=q)
    assert back.sigma_b**2 == pytest.approx(0.05, rel=1e-11)
    p = meanfield.solve(name, sigma_w=line.sigma_w, sigma_b=line.sigma_b)
    assert p.phase == "critical" and p.xi_c == p.xi_grad == math.inf and p.c_star == 1.0


def test_edge_of_chaos_small_q_and_decay():
    line = meanfield.critical_line("tanh", q_star=0.0259209482112542)
    assert line.sigma_w**2 == pytest.approx(1.05, rel=1e-13)
    assert line.sigma_b**2 == pytest.approx(2.01052133883e-5, rel=1e-9)  # q - V/P cancels three digits
    assert meanfield.critical_line("tanh", sigma_b=math.sqrt(0.05)).decay_coefficient == pytest.approx(
        6.17112614217
    )
    relu = meanfield.critical_line("relu", sigma_b=0.0)
    assert relu.sigma_w**2 == pytest.approx(2) and relu.decay_power == 2
    assert relu.decay_coefficient == pytest.approx(9 * math.pi**2 / 2)
    limit = meanfield.critical_line("tanh", sigma_b=0.0)
    assert (limit.q_star, limit.sigma_w) == (0.0, 1.0)
    with pytest.raises(NoFixedPointError, match="no edge of chaos"):
        meanfield.critical_line("relu", sigma_b=0.1)


@pytest.mark.parametrize("name", ["gelu", "swish"])
def test_edge_of_chaos_is_unstable_where_phi_is_not_odd(name):
    line = meanfield.critical_line(name, sigma_b=np.array([0.05, 0.2, 0.3]))
    assert not line.stable.any()
    assert ((line.length_slope > 1.04) & (line.length_slope < 1.11)).all()  # the notes: 4-10 per cent above 1
    for sigma_w, sigma_b, q in zip(line.sigma_w, line.sigma_b, line.q_star, strict=True):
        p = meanfield.solve(name, sigma_w=sigma_w, sigma_b=sigma_b)
        assert p.stable and p.q_star < q  # the stable one lies below
        assert p.fixed_points[1] == pytest.approx(q, rel=1e-10)
        with pytest.raises(NoFixedPointError, match="choose a smaller q0"):
            meanfield.solve(name, sigma_w=sigma_w, sigma_b=sigma_b, q0=2 * q)


@pytest.mark.parametrize(
    ("name", "sigma_w", "sigma_b"),
    [
        ("tanh", 4.0, 0.0),
        ("tanh", 50.0, 0.1),
        ("tanh", 1.01, 0.0),
        ("x*tanh(x)", 0.9, 0.3),
        ("swish", 1.4, 0.2),
        ("hard_tanh", 70.0, 0.5),
        ("sin", 2.0, 0.4),
    ],
)
def test_length_fixed_point_against_oracle(name, sigma_w, sigma_b):
    p = meanfield.solve(name, sigma_w=sigma_w, sigma_b=sigma_b)
    v, slope = ORACLE.moments(name, p.q_star)
    residual = abs(float(sigma_w**2 * v + sigma_b**2 - p.q_star)) / abs(1 - p.length_slope)
    assert residual <= 1e-12 * p.q_star + p.error
    assert p.chi_1 == pytest.approx(float(sigma_w**2 * slope), rel=1e-12)
    h = mp.mpf(p.q_star) * mp.mpf("1e-6")  # central difference of the oracle: error about 1e-12
    up, down = ORACLE.moments(name, p.q_star + h)[0], ORACLE.moments(name, p.q_star - h)[0]
    assert p.length_slope == pytest.approx(float(sigma_w**2 * (up - down) / (2 * h)), rel=1e-9, abs=1e-11)


@pytest.mark.parametrize(("sigma_w", "sigma_b"), [(1.4, 0.1), (2.2, 0.7)])
def test_correlation_fixed_point_against_oracle(sigma_w, sigma_b):
    p = meanfield.solve("tanh", sigma_w=sigma_w, sigma_b=sigma_b)
    phi, slope, _ = ORACLE.PHI["tanh"]
    image = (sigma_w**2 * ORACLE.pair(phi, p.q_star, p.c_star) + sigma_b**2) / p.q_star
    assert float(image) == pytest.approx(p.c_star, abs=1e-11)
    factor = float(sigma_w**2 * ORACLE.pair(slope, p.q_star, p.c_star))
    assert p.correlation_slope == pytest.approx(factor, rel=1e-9)
    assert p.xi_c == pytest.approx(-1 / math.log(factor), rel=1e-8)


def test_correlation_near_the_edge_keeps_its_digits():
    # erf_s has the closed map c' = (s (2/pi) asin(a c) + b)/q: solve it in 40 digits just above chi_1 = 1
    line = meanfield.critical_line("erf_s", sigma_b=0.3)
    sigma_w = line.sigma_w * (1 + 1e-7)
    p = meanfield.solve("erf_s", sigma_w=sigma_w, sigma_b=0.3)
    with mp.workdps(40):
        s, b = mp.mpf(sigma_w) ** 2, mp.mpf(0.3) ** 2
        ratio = lambda q: (mp.pi * q / 2) / (1 + mp.pi * q / 2)  # noqa: E731
        q = mp.findroot(lambda q: s * 2 / mp.pi * mp.asin(ratio(q)) + b - q, p.q_star)
        eps = mp.findroot(
            lambda e: (s * 2 / mp.pi * (mp.asin(ratio(q)) - mp.asin(ratio(q) * (1 - e))) / q - e) / e,
            p.one_minus_c_star,
        )
    assert 1e-8 < float(eps) < 1e-5
    assert p.one_minus_c_star == pytest.approx(float(eps), rel=1e-6)  # conditioning: 1e-15 / (chi_1 - 1)


def test_grid_agrees_with_points_and_oracle():
    w, b = np.linspace(0.5, 4, 8), np.linspace(0, 2, 5)
    d = meanfield.phase_diagram("tanh", sigma_w=w, sigma_b=b)
    assert d.q_star.dims == ("sigma_w", "sigma_b")
    for i, j in [(0, 0), (1, 0), (3, 0), (7, 0), (2, 1), (5, 2), (7, 4)]:
        one = meanfield.solve("tanh", sigma_w=w[i], sigma_b=b[j])
        for name in ("q_star", "c_star", "chi_1", "length_slope", "xi_c"):
            assert d[name].values[i, j] == pytest.approx(getattr(one, name), rel=1e-12, abs=1e-14)
        if one.q_star > 0:
            v, _ = ORACLE.moments("tanh", one.q_star)
            assert float(w[i] ** 2 * v + b[j] ** 2) == pytest.approx(one.q_star, rel=1e-12)


def test_degenerate_cases():
    zero = meanfield.solve("tanh", sigma_w=0.5)
    assert (zero.q_star, zero.c_star, zero.chi_1, zero.phase) == (0.0, 1.0, 0.25, "ordered")
    assert zero.xi_c == pytest.approx(1 / math.log(4))
    relu = meanfield.solve("relu", sigma_w=math.sqrt(2), q0=3.0)
    assert (relu.q_star, relu.phase, relu.xi_q) == (3.0, "critical", math.inf)
    assert meanfield.solve("linear", sigma_w=1.0).phase == "critical"
    constant = meanfield.solve("tanh", sigma_w=0.0, sigma_b=0.3)
    assert (constant.q_star, constant.chi_1, constant.xi_c) == (pytest.approx(0.09), 0.0, 0.0)
    assert meanfield.solve("tanh", sigma_w=2.0).c_star == 0.0  # odd phi without bias
    formula = meanfield.solve("relu", sigma_w=1.2, sigma_b=0.4)
    assert formula.q_star == pytest.approx(0.16 / (1 - 0.72), rel=1e-14)


@pytest.mark.parametrize(
    "name, size", [("tanh", 1e150), ("tanh", 1e20), ("hard_tanh", 1e75), ("log(1 + x**2)", 1e9)]
)
def test_fixed_points_beyond_the_grid_are_refused_by_its_end(name, size):
    """Averages that grow by less than q have one at any scale: it is not said that there is none."""
    with pytest.raises(NoFixedPointError, match=r"too far beyond 1e\+14"):
        meanfield.solve(name, sigma_w=size, sigma_b=0.1)


def test_no_finite_fixed_point():
    for at in ({"sigma_w": 1.5}, {"sigma_w": math.sqrt(2), "sigma_b": 0.1}, {"sigma_w": 3.0, "sigma_b": 0.1}):
        with pytest.raises(NoFixedPointError, match="no finite fixed point"):
            meanfield.solve("relu", **at)
    p = meanfield.solve("relu", sigma_w=[1.0, 1.5], sigma_b=0.1)
    assert p.phase.tolist() == ["ordered", "unbounded"] and p.q_star[1] == math.inf
    with pytest.raises(InfiniteMomentError):
        meanfield.solve("exp(x**2)", sigma_w=1.5)


@pytest.mark.parametrize("value", [-1.0, float("nan"), "1.5", None, True, [1.0, -2.0], math.inf])
def test_bad_sigma_w(value):
    with pytest.raises(ArgumentError, match="Argument `sigma_w` must"):
        meanfield.solve("tanh", sigma_w=value)


def test_bad_requests():
    with pytest.raises(ParseError, match="tanh"):
        meanfield.solve("tanhh", sigma_w=1.0)
    with pytest.raises(ArgumentError, match="keep"):
        meanfield.solve("tanh", sigma_w=1.0, keep=0.0)
    with pytest.raises(ArgumentError, match="broadcast"):
        meanfield.solve("tanh", sigma_w=[1.0, 2.0], sigma_b=[0.1, 0.2, 0.3])
    with pytest.raises(ArgumentError, match="q_star"):
        meanfield.critical_line("tanh")


def test_propagate_relu_law_and_closed_map():
    p = meanfield.propagate("relu", sigma_w=math.sqrt(2), q0=1.0, c0=0.0, depth=3)
    c = 0.0
    for layer in range(3):  # 1606.05340: c' = (sqrt(1 - c^2) + (pi - acos c) c)/pi
        c = (math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c) / math.pi
        assert p.c[layer + 1] == pytest.approx(c, rel=1e-14)
    far = meanfield.propagate("relu", sigma_w=math.sqrt(2), q0=1.0, one_minus_c0=1e-12, depth=1)
    assert far.one_minus_c[1] == pytest.approx(1e-12 - 2 * math.sqrt(2) / (3 * math.pi) * 1e-18, rel=1e-13)


@pytest.mark.parametrize("name", ["tanh", "erf_s", "relu"])
def test_propagate_reaches_the_fixed_point_from_unequal_lengths(name):
    at = {"sigma_w": 1.3, "sigma_b": 0.3}
    p = meanfield.propagate(name, **at, q0=(0.3, 2.0), c0=0.5, depth=60)
    s = meanfield.solve(name, **at)
    assert p.q[-1] == pytest.approx(s.q_star, rel=1e-3) and p.chi[-1] == pytest.approx(s.chi_1, rel=1e-2)
    assert p.one_minus_c[-1] / p.one_minus_c[-2] == pytest.approx(s.chi_1, rel=0.02)
    assert p.gradient[2] == pytest.approx(p.chi[0] * p.chi[1])


def test_unequal_lengths_one_layer():
    # erf, closed: E erf(u1) erf(u2) = (2/pi) asin(2 c sqrt(q1 q2)/sqrt((1 + 2 q1)(1 + 2 q2)))
    q1, q2, c = 0.7, 0.70001, 0.999
    p = meanfield.propagate("erf", sigma_w=1.5, sigma_b=0.2, q0=(q1, q2), c0=c, depth=1)
    with mp.workdps(40):

        def f(a, b, r):
            return 2.25 * 2 / mp.pi * mp.asin(2 * r * mp.sqrt(a * b) / mp.sqrt((1 + 2 * a) * (1 + 2 * b)))

        b = mp.mpf(0.2) ** 2
        lengths = [f(mp.mpf(q), mp.mpf(q), 1) + b for q in (q1, q2)]
        eps = 1 - (f(mp.mpf(q1), mp.mpf(q2), mp.mpf(c)) + b) / mp.sqrt(lengths[0] * lengths[1])
    assert p.one_minus_c[1] == pytest.approx(float(eps), rel=1e-11)


def test_predict_is_solve():
    assert meanfield.predict("tanh", sigma_w=2.0, sigma_b=0.1) == meanfield.solve(
        "tanh", sigma_w=2.0, sigma_b=0.1
    )


@pytest.mark.parametrize(
    ("name", "q0", "product"),  # E phi phi at c = .6 by Gauss-Legendre, panels broken at the kink
    [("elu", 17.0, 5.5583751128546), ("elu", 64.0, 20.9319293595876), ("elu", 1e4, 3372.38081483053),
     ("selu", 64.0, 22.9277), ("selu", 200.0, 72.0711)],
)  # fmt: skip
def test_exponential_pieces_keep_their_digits_at_large_lengths(name, q0, product):
    """The closed form loses exp(q/2): elu from q = 200 on came out as -100.5."""
    after = meanfield.propagate(name, sigma_w=1.0, sigma_b=0.0, depth=1, q0=q0, c0=0.6)
    assert after.q[1] * after.c[1] == pytest.approx(product, rel=1e-11 if name == "elu" else 2e-6)
