"""Compiled expressions against mpmath, across processes, from nopython code, and where they must refuse."""

import os
import subprocess
import sys

import mpmath
import numpy as np
import pytest
from numba import njit
from sympy import I, LambertW, Max, Rational, Symbol, acos, asin, erf, exp, log, pi, sqrt, symbols, tanh, zeta

from widelimit.numerics.compile import cache, compile
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.gaussian.special import BivariateNormalCDF
from widelimit.theory.errors import InfiniteMomentError, InputError

x, y = symbols("x y", real=True)
q, eps, lam = Symbol("q", positive=True), Symbol("epsilon", positive=True), Symbol("lambda", positive=True)


@pytest.mark.parametrize("distance", [1e-15, 1e-12, 1e-6, 0.3, 1.7])
def test_correlations_next_to_one_keep_their_digits(distance):
    f = compile(
        [acos(1 - eps), asin(q * (1 - eps) / (1 + q)), BivariateNormalCDF(q, -q / 3, 1 - eps)], [q, eps]
    )
    exact = f.mpmath(40)(0.7, distance)
    for value, reference in zip(f(0.7, distance), exact, strict=True):
        assert value == pytest.approx(float(reference), rel=4e-15, abs=2e-16)


def test_cancelling_sums_keep_their_digits():
    f = compile(
        [exp(x) - 1, log(1 + x), 1 - erf(10 * x), x / (1 + exp(-x)), log(1 + exp(x)), sqrt(1 - (1 - x) ** 2)],
        [x],
    )
    for point in (1e-13, 0.5, 1.9):
        for value, reference in zip(f(point), f.mpmath(60)(point), strict=True):
            assert value == pytest.approx(float(reference), rel=2e-14)
    assert np.isfinite(f(800.0)[3:5]).all() and np.isfinite(f(-800.0)[3:5]).all()


@pytest.mark.parametrize(("sign", "point"), [(1, -8.0), (-1, 8.0), (1, -30.0)])
def test_the_far_tail_of_an_error_function(sign, point):
    x = Symbol("x")
    assert compile(1 + sign * erf(x / sqrt(2)), [x])(point) == pytest.approx(
        float(2 * mpmath.ncdf(sign * mpmath.mpf(point))), rel=1e-12
    )


def test_broadcasting_names_and_single_results():
    f = compile(lam * q + eps, [lam, q, eps])  # `lambda` is no name for Python
    out = f(np.ones((3, 1)), np.arange(4.0), 0.5)
    assert out.shape == (3, 4) and out[0, 3] == 3.5
    assert isinstance(f(1, 2, 3), float) and f.error(1, 2, 3) == 0.0
    big = np.linspace(0, 1, 100_000)
    assert np.array_equal(f(2.0, big, 0.0), 2 * big)  # several threads


def test_usable_by_name_in_nopython_code():
    f = compile([q**2, q * eps], [q, eps])

    @njit
    def caller(a):
        first, second = f(a, 2.0)
        return first + second

    assert caller(3.0) == 15.0
    assert f.njit(3.0, 2.0) == (9.0, 6.0)


def test_complex_arguments():
    z = Symbol("z")
    f = compile(sqrt(z + I) * LambertW(z), [z], dtype=complex)
    with mpmath.workdps(20):
        expected = complex(mpmath.sqrt(mpmath.mpc(-1, 3)) * mpmath.lambertw(mpmath.mpc(-1, 2)))
    assert f(-1 + 2j) == pytest.approx(expected, rel=1e-14)


def test_expectations_become_quadrature_with_a_bound():
    f = compile([lam * Expectation(tanh(x) ** 2, x, q), Expectation(Max(tanh(x), 0), x, q)], [q, lam])
    for point in (1e-12, 0.4, 30.0, 1e8):
        with mpmath.workdps(25):
            root = mpmath.sqrt(point)
            cuts = sorted({0, *(mpmath.mpf(3) ** k / root for k in range(-3, 12)), 3, 6, 12})
            cuts = [z for z in cuts if z <= 12]
            square = 2 * mpmath.quad(lambda z, root=root: mpmath.tanh(root * z) ** 2 * mpmath.npdf(z), cuts)
            half = mpmath.quad(lambda z, root=root: mpmath.tanh(root * z) * mpmath.npdf(z), cuts)
        values, bounds = f(point, 3.0), f.error(point, 3.0)
        for value, bound, exact in zip(values, bounds, (3 * square, half), strict=True):
            assert abs(value - float(exact)) <= bound + 1e-15 * value  # the last rounding is float(exact)
            assert bound < 1e-13 * value


def test_pair_expectation_and_oracle():
    f = compile(Expectation(tanh(x) * tanh(y), (x, y), (q, q, 1 - eps)), [q, eps])
    assert f(1.3, 0.4) == pytest.approx(float(f.mpmath(20)(1.3, 0.4)), rel=1e-13)


def test_refusals_name_the_culprit():
    with pytest.raises(InputError, match="zeta"):
        compile(zeta(q), [q])(2.0)
    with pytest.raises(InputError, match="`epsilon`"):
        compile(q + eps, [q])
    with pytest.raises(InputError, match="imaginary"):
        compile(I * q, [q])(1.0)
    with pytest.raises(InfiniteMomentError, match="q = 3"):
        compile(Expectation(exp(x**2), x, q), [q])(3.0)


def test_plain_arithmetic_is_not_compiled_and_has_the_same_floats():
    t, u = Symbol("t", real=True), Symbol("_u", real=True)
    expressions = [t, 3 * t / u - t**2 * u, (t + u + 1) ** 2 / 7, Rational(1, 3), 1 / u]
    f = compile(expressions, [t, u], name="plain")
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(2, 200))
    rows[1, 0] = 0.0  # NumPy would warn
    got = np.array(f(*rows))
    assert not f._module.fill.overloads
    compiled = np.array([f.njit(*row) for row in rows.T]).T
    assert np.array_equal(got, compiled, equal_nan=True)
    many = np.array(f(*np.tile(rows, 40)))
    assert f._module.fill.overloads and np.array_equal(many, np.tile(got, 40), equal_nan=True)
    assert not hasattr(compile([exp(t) * u], [t, u], name="plain")._module, "few")
    assert not hasattr(compile([t**3], [t], name="plain")._module, "few")  # NumPy's powers are not products


PROGRAM = """
import time
from sympy import *
from widelimit.numerics.compile import cache, compile
q = Symbol("q", positive=True)
f = compile([erf(q)/pi, q**3], [q])
f(1.0)
print(f._module.__file__, sum(f._module.fill.stats.cache_hits.values()))
"""


def test_machine_code_is_found_again_by_the_next_process(tmp_path):
    environment = {**os.environ, "WIDELIMIT_CACHE": str(tmp_path)}
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert runs[0][0] == runs[1][0] and runs[0][0].startswith(str(tmp_path))
    assert (runs[0][1], runs[1][1]) == ("0", "1")


def test_cache_folder_that_takes_no_files(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("WIDELIMIT_CACHE", str(blocked / "below"))
    assert compile(q + pi**3, [q], name="elsewhere")(1.0) == pytest.approx(1 + np.pi**3)
    assert cache.folder().is_dir()


def test_expectations_in_nopython_code():
    sigma = Symbol("sigma_t", positive=True)  # a name close to those of generated code
    single, kinked = Expectation(exp(sigma * x**2), x, q / 2), Expectation(Max(tanh(sigma * x), 0), x, q / 2)
    f = compile([lam * single, kinked], [q, lam, sigma])
    for point in (1e-12, 0.4):
        assert f.njit(point, 3.0, 1.3) == pytest.approx(f(point, 3.0, 1.3), rel=1e-14)
    assert f.njit(1.0, 3.0, 1.3)[0] == np.inf  # 2 sigma q/2 > 1
    g = compile(Expectation(tanh(x) * tanh(y), (x, y), (q, 2 * q, 1 - eps)), [q, eps])

    @njit
    def caller(a, b):
        return 1 + g(a, b)

    for a, b in ((0.4, 0.3), (3.0, 1e-6), (3.0, 1.9)):
        assert caller(a, b) - 1 == pytest.approx(g(a, b), rel=1e-12)


def test_a_sum_under_a_root_is_not_expanded():
    """(1 - g)^2 + 4 k g lost all digits next to g = 1 when its polynomial was expanded for factors that it has not."""
    gap, size = symbols("gap size", positive=True)
    root = compile(sqrt((1 - gap) ** 2 + 4 * size * gap), (gap, size))
    assert root(1.0, 1e-18) == pytest.approx(2e-9, rel=1e-14, abs=0)
    assert root(1 + 1e-9, 1e-18) == pytest.approx(float(np.hypot(1 - (1 + 1e-9), 2e-9)), rel=1e-9)
    square = compile(sqrt(1 - (1 - gap) ** 2), (gap,))
    assert square(1e-18) == pytest.approx(2**0.5 * 1e-9, rel=1e-14, abs=0)
