"""Derivatives of fixed points against mpmath's, of fixed points that it solves for itself."""

import numpy as np
import pytest
from mpmath import acos, asin, diff, erf, exp, findroot, fsum, log, mpf, npdf, pi, sqrt, tanh, workdps

from widelimit.numerics import meanfield
from widelimit.numerics.meanfield import gradient
from widelimit.theory.errors import DomainError, NoFixedPointError, WidelimitError


def average(f, q):
    """E f(x), x ~ N(0, q), of a smooth f by the trapezoidal rule: 1e-30 for tanh at q < 1."""
    h = mpf(1) / 8
    return fsum(h * npdf(k * h) * f(sqrt(q) * k * h) for k in range(-96, 97))


# E phi^2 and E phi(u) phi(v), by hand (Williams 1997; Cho and Saul 2009; truncated moments)
VARIANCE = {
    "erf": lambda q: 2 / pi * asin(2 * q / (1 + 2 * q)),
    "relu": lambda q: q / 2,
    "hard_tanh": lambda q: q * erf(1 / sqrt(2 * q)) - sqrt(2 * q / pi) * exp(-1 / (2 * q)) + 1 - erf(1 / sqrt(2 * q)),
    "tanh": lambda q: average(lambda x: tanh(x) ** 2, q),
}  # fmt: skip
SLOPE = {
    "erf": lambda q: 4 / pi / sqrt(1 + 4 * q),
    "relu": lambda q: mpf(1) / 2,
    "hard_tanh": lambda q: erf(1 / sqrt(2 * q)),
    "tanh": lambda q: average(lambda x: (1 - tanh(x) ** 2) ** 2, q),
}
PRODUCT = {
    "erf": lambda q, c: 2 / pi * asin(2 * c * q / (1 + 2 * q)),
    "relu": lambda q, c: q * (sqrt(1 - c**2) + (pi - acos(c)) * c) / (2 * pi),
}


def state(name, w, b, keep, near, c_near=None):
    """q*, chi_1, dq'/dq, xi_q, xi_grad and, from `c_near`, c* and xi_c."""
    w, b, keep = mpf(w), mpf(b), mpf(keep)
    s, v = w**2 / keep, VARIANCE[name]
    q = findroot(lambda q: s * v(q) + b**2 - q, near)
    found = {"q_star": q, "chi_1": s * SLOPE[name](q), "length_slope": s * diff(v, q)}
    found["xi_q"], found["xi_grad"] = -1 / log(abs(found["length_slope"])), -1 / log(found["chi_1"])
    if c_near is not None:
        product = PRODUCT[name]
        c = findroot(lambda c: (w**2 * product(q, c) + b**2) / q - c, c_near)
        found["c_star"] = c
        found["correlation_slope"] = w**2 * diff(lambda c: product(q, c), c) / q
        found["xi_c"] = -1 / log(found["correlation_slope"])
    return found


CASES = [
    ("erf", 2.0, 0.3, 1.0), ("erf", 1.4, 0.2, 0.9), ("relu", 1.1, 0.3, 0.8), ("hard_tanh", 1.7, 0.3, 1.0),
    ("tanh", 1.1, 0.3, 1.0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "w", "b", "keep"), CASES)
def test_against_mpmath(name, w, b, keep):
    found = gradient(name, sigma_w=w, sigma_b=b, keep=keep)
    turned = name in PRODUCT and found.value.c_star < 1
    near = (found.value.q_star, found.value.c_star if turned else None)
    at = {"w": w, "b": b, "keep": keep}
    with workdps(30):
        for key, slopes in (("w", found.sigma_w), ("b", found.sigma_b), ("keep", found.keep)):
            step = mpf(10) ** -8
            low, high = (state(name, **{**at, key: mpf(at[key]) + side * step}, near=near[0], c_near=near[1])
                         for side in (-1, 1))  # fmt: skip
            for field in low:
                want = float((high[field] - low[field]) / (2 * step))  # to about step^2
                assert getattr(slopes, field) == pytest.approx(want, rel=1e-11), field


def test_next_to_the_edge_of_chaos():
    """1 - c* of erf at 1e-4, where a difference of moments has half of its digits left."""
    edge = meanfield.critical_line("erf", sigma_b=0.3).sigma_w
    w = edge * (1 + 1e-4)
    found = gradient("erf", sigma_w=w, sigma_b=0.3)
    assert 1e-5 < found.value.one_minus_c_star < 1e-3
    with workdps(40):
        c, q = found.value.c_star, found.value.q_star
        step = mpf(10) ** -10
        low, high = (state("erf", w + side * step, 0.3, 1, q, c)["c_star"] for side in (-1, 1))
        want = float((high - low) / (2 * step))
    assert found.sigma_w.c_star == pytest.approx(want, rel=1e-8)  # 1 - c* is solved to 1e-13/(1 - c*)


def test_broadcasts_and_quadrature():
    many = gradient("tanh", sigma_w=np.array([0.9, 1.8])[:, None], sigma_b=[0.1, 0.2, 0.4], keep=0.95)
    one = gradient("tanh", sigma_w=1.8, sigma_b=0.2, keep=0.95)
    assert many.keep.xi_c.shape == many.value.xi_c.shape == (2, 3)
    assert many.keep.xi_c[1, 1] == pytest.approx(one.keep.xi_c, rel=1e-11)
    # a kink without closed form: max(tanh, 0) has half the moments of tanh at equal inputs
    half = gradient("Max(tanh(x), 0)", sigma_w=1.0, sigma_b=0.3)
    whole = gradient("tanh", sigma_w=0.5**0.5, sigma_b=0.3)
    assert half.sigma_w.chi_1 == pytest.approx(whole.sigma_w.chi_1 * 0.5**0.5, rel=1e-9)
    assert half.sigma_b.xi_q == pytest.approx(whole.sigma_b.xi_q, rel=1e-9)


def test_no_derivative():
    with pytest.raises(DomainError, match="slope 1"):
        gradient("relu", sigma_w=2**0.5, sigma_b=0.0)
    array = gradient("relu", sigma_w=[2**0.5, 1.0, 2.0], sigma_b=0.0)
    assert np.isnan(array.sigma_w.q_star).tolist() == [True, False, True]
    edge = meanfield.critical_line("tanh", sigma_b=0.2)
    found = gradient("tanh", sigma_w=edge.sigma_w, sigma_b=0.2)
    assert np.isnan([found.sigma_w.c_star, found.sigma_w.xi_c, found.sigma_w.xi_grad]).all()
    assert np.isfinite([found.sigma_w.q_star, found.sigma_w.chi_1, found.sigma_w.xi_q]).all()
    silent = gradient("tanh", sigma_w=0.8)
    assert (silent.sigma_w.q_star, silent.sigma_w.chi_1) == (0.0, pytest.approx(1.6, rel=1e-11))
    assert silent.sigma_w.c_star == 0 and np.isnan(silent.keep.c_star)


@pytest.mark.parametrize("wrong", [{"sigma_w": -1.0}, {"keep": 0.0}, {"q0": -1.0}, {"sigma_b": "1"}])
def test_bad_input(wrong):
    with pytest.raises(WidelimitError):
        gradient("tanh", **{"sigma_w": 1.0, **wrong})


@pytest.mark.parametrize("given", [{"sigma_w": 1e300}, {"sigma_w": 1.5, "keep": 1e-320}])
def test_scales_whose_squares_overflow_are_told_in_a_sentence(given):
    with pytest.raises(NoFixedPointError):
        gradient("tanh", sigma_b=0.1, **given)


@pytest.mark.parametrize("name", ["gelu", "swish", "x*tanh(x)", "gaussian"])
def test_products_of_x_with_a_function(name):
    """Against differences of `solve`, of the fourth order; their integrands are sums of products."""
    found = gradient(name, sigma_w=0.9, sigma_b=0.3)

    def at(w):
        value = meanfield.solve(name, sigma_w=w, sigma_b=0.3)
        return np.array([value.q_star, value.chi_1, value.length_slope, value.xi_q])

    step = 2e-3
    near = [at(0.9 + k * step) for k in (-2, -1, 1, 2)]
    want = (8 * (near[2] - near[1]) - (near[3] - near[0])) / (12 * step)
    slopes = found.sigma_w
    assert [slopes.q_star, slopes.chi_1, slopes.length_slope, slopes.xi_q] == pytest.approx(want, rel=1e-6)
