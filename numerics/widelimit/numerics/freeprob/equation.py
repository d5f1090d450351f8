r"""The equation between the subordination functions of two laws, as one record, and Newton's method for it.

Unknowns and equations as in `pairs`. Where both laws of a product have (nearly) the same mass a at zero, both k are
:math:`-\frac a{(1-a)\zeta}` next to zero and no longer tell one :math:`\zeta` from the other. The second
equation is :math:`u_1=u_2` there, with :math:`u=1+m-a`, which is formed without the atom and so keeps its digits.
"""

from __future__ import annotations

import cmath
import math
from typing import NamedTuple

import numpy as np

from widelimit.numerics.compile.cache import njit
from widelimit.numerics.freeprob.cauchy import Measure, evaluate, quotient, raw, without_zero
from widelimit.numerics.freeprob.real_curve import POWER, PRODUCT, Half

_EPS = float(np.finfo(float).eps)
_ALIKE = 1e-3  # masses at zero further apart leave digits enough
EQUAL = 1e-12  # those closer than this are taken for equal: sums of masses are rounded
_NEAR = 0.5  # u below this share of 1 - a is next to zero


class Equation(NamedTuple):
    """All that the compiled functions of `pairs` know of a pair; numba sees a tuple.

    `mode`: of `real_curve`. `one`, `two`: the laws' transforms; of a power both are the same. `scale`: of the unknowns.
    `noise`: rounding of a correction. `inner_one`, `inner_two`: the laws without their atoms at zero, `zero` the larger
    mass of these, `less_one` and `less_two` what the two lack to it; `alike`: whether they are nearly equal.
    `fine`: whether all counts from a hard edge at zero, in floats of every size.
    """

    mode: int
    one: Measure
    two: Measure
    power: float
    scale: float
    noise: float
    inner_one: Measure
    inner_two: Measure
    zero: float
    less_one: float
    less_two: float
    alike: bool
    fine: bool


def of_pair(
    mode: int, one: Half, two: Half | None, power: float, scale: float, noise: float, fine: bool = False
) -> Equation:
    """The record of two laws (`two` None for powers), or of one."""
    other = one if two is None else two
    inner = [(half.measure, 0.0) for half in (one, other)]
    if mode == PRODUCT:
        inner = [without_zero(half.measure) for half in (one, other)]
    (first, a), (second, b) = inner
    alike = mode == PRODUCT and min(a, b) > 0.0 and abs(a - b) < _ALIKE
    zero = max(a, b)
    if abs(a - b) < EQUAL:
        a = b = zero
    return Equation(
        mode,
        one.measure,
        other.measure,
        power,
        scale,
        noise,
        first,
        second,
        zero,
        zero - a,
        zero - b,
        alike,
        fine,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _inner(measure, less, state):
    """u = 1 + m - a without cancellation, m, and their slope by log zeta."""
    zeta = cmath.exp(state)
    g, m, _, _, _, square = raw(measure, zeta)
    return zeta * g - less, m, -zeta * square


@njit(cache=True, nogil=True, error_model="numpy")
def _near_zero(equation, s1, s2):
    """Newton's move next to the common atom at zero, and the determinant of its equations; zero elsewhere."""
    u1, m1, d1 = _inner(equation.inner_one, equation.less_one, s1)
    u2, _, d2 = _inner(equation.inner_two, equation.less_two, s2)
    most = _NEAR * (1.0 - equation.zero)
    if not (0.0 < abs(u1) < most and 0.0 < abs(u2) < most):
        return u1, m1, 0j, 0j, 0j, 0j
    a1, a2 = quotient(d1, u1), quotient(d2, u2)
    one = equation.zero + u1
    ratio = quotient(one, m1)
    angle = math.atan2(ratio.imag, ratio.real)
    if angle < -0.5 * np.pi:
        angle += 2 * np.pi
    log = complex(math.log(abs(ratio)), angle)
    slope = quotient(d1, one) - quotient(d1, m1)
    return log, cmath.log(quotient(u2, u1)), a1, a2, slope, a2 * (1.0 - slope) + a1


@njit(cache=True, nogil=True, error_model="numpy")
def step(equation, s1, s2, target):
    """One Newton step and its size.

    Of the two unknowns the smaller one is kept and the other put into its equation: where one function has a pole
    (G = 0) the other unknown is large, and the curvatures of both functions, large each, nearly cancel in what they
    compose to.
    """
    scale, power = equation.scale, equation.power
    product = equation.mode == PRODUCT
    if equation.mode == POWER:
        h1, d1 = evaluate(product, equation.one, s1)
        x1 = quotient(target + (power - 1.0) * h1 - s1, 1.0 - (power - 1.0) * d1)
        return s1 + x1, s1 + x1, abs(x1) / (scale + 0.5 * abs(s1))
    if equation.alike:
        log, apart, a1, a2, _, determinant = _near_zero(equation, s1, s2)
        if determinant != 0j:
            x1 = quotient(a2 * (target + log - s1 - s2) + apart, determinant)
            x2 = quotient(a1 * x1 - apart, a2)
            return s1 + x1, s2 + x2, max(abs(x1), abs(x2))
    first = abs(s1) <= abs(s2)
    kept = s1 if first else s2
    h, d = evaluate(product, equation.one if first else equation.two, kept)
    put = target + h
    h, e = evaluate(product, equation.two if first else equation.one, put)
    move = quotient(target + h - kept, 1.0 - d * e)
    m1, m2 = (kept + move, put + d * move) if first else (put + d * move, kept + move)
    if product:
        return m1, m2, max(abs(m1 - s1), abs(m2 - s2))
    return m1, m2, max(abs(m1 - s1) / (scale + 0.5 * abs(s1)), abs(m2 - s2) / (scale + 0.5 * abs(s2)))


@njit(cache=True, nogil=True, error_model="numpy")
def doubt(equation, s1, s2):
    """What rounding leaves open of a state: large where the derivative of the equation vanishes."""
    _, d1 = evaluate(equation.mode == PRODUCT, equation.one, s1)
    if equation.mode == POWER:
        return _EPS / (abs(1.0 - (equation.power - 1.0) * d1) + 1e-300)
    if equation.alike:
        determinant = _near_zero(equation, s1, s2)[5]
        if determinant != 0j:
            return _EPS / abs(determinant)
    _, d2 = evaluate(equation.mode == PRODUCT, equation.two, s2)
    return _EPS / (abs(1.0 - d1 * d2) + 1e-300)
