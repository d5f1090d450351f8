"""What the names on the left of the kernels' derivation mean, by numbers that owe nothing to its formulas.

A layer of two units is summed over all signs of its weights; training is followed step by step.
"""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Expr, Symbol, symbols

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.layers import by_number, over_unit
from widelimit.theory.calculus.precision import Values, evaluate, numbers
from widelimit.theory.kernel.formulas import (
    D1,
    D2,
    DISTANCE,
    DK,
    INPUT,
    MEAN,
    P2,
    Q1,
    Q2,
    RATE,
    READOUT,
    RHO,
    S1,
    S2,
    SIGMA_B,
    SIGMA_V,
    SIGMA_W,
    STEP_SIZE,
    STEPS,
    TDOT,
    THETA,
    TIME,
    TRAINED_B,
    TRAINED_W,
    V2,
    VP,
    K,
    P,
    T,
    V,
)  # fmt: skip


def of_inputs(s: Symbol, values: Values, dps: int) -> Any:
    """E h h' of one unit that reads two inputs x = (1, 1), x' = (1, 2 s - 1), over signs of weights and bias."""
    overlap, w, b = numbers(values, dps, s, SIGMA_W, SIGMA_B)
    x = ((1, 1), (1, 2 * overlap - 1))
    scale = w / mpmath.sqrt(2)

    def product(sign: tuple[int, ...]) -> Any:
        one, two = (scale * (sign[0] * x[k][0] + sign[1] * x[k][1]) + b * sign[2] for k in (0, 1))
        return one * two

    return over_signs(product, 3)


def of_close_inputs(values: Values, dps: int) -> Any:
    """E h h' of a unit that reads two numbers with these means, over signs of weight and bias."""
    mean, distance, w, b = numbers(values, dps, MEAN, DISTANCE, SIGMA_W, SIGMA_B)
    half = mpmath.sqrt(distance) / 2
    middle = mpmath.sqrt((mean - b**2) / w**2 - half**2)  # so that q and q' average to `mean`
    one, two = middle + half, middle - half
    return over_signs(lambda sign: (w * sign[0] * one + b * sign[1]) * (w * sign[0] * two + b * sign[1]), 2)


def _means(f: Expr, values: Values, dps: int) -> tuple[Any, Any]:
    """E f(u) f(v) of a pair, and E f(u) E f(v) of independent units, by quadrature."""
    u, v = symbols("u_0 v_0", real=True)
    joint = Expectation(f.subs(X, u) * f.subs(X, v), (u, v), (Q1, Q2, RHO))
    apart = Expectation(f, X, Q1) * Expectation(f, X, Q2)
    return evaluate(joint, values, dps), evaluate(apart, values, dps)


def of_layer(phi: Activation, values: Values, dps: int) -> Any:
    """E h h' behind a layer of two units with independent pre-activations, over signs of weights and bias."""
    same, other = _means(phi.expr, values, dps)
    w, b = numbers(values, dps, SIGMA_W, SIGMA_B)

    def product(sign: tuple[int, ...]) -> Any:
        weights = [w * one / mpmath.sqrt(2) for one in sign[:2]]
        below = mpmath.fsum(
            weights[i] * weights[j] * (same if i == j else other) for i in (0, 1) for j in (0, 1)
        )
        return below + (b * sign[2]) ** 2

    return over_signs(product, 3)


def of_change(values: Values, dps: int) -> Any:
    """The change of sigma_w^2 T by differences, T linear in log q_1, log q_2 and the correlation K / sqrt(q_1 q_2)."""
    with mpmath.workdps(3 * dps):
        w, first, second, tdot = numbers(values, 3 * dps, SIGMA_W, S1, S2, TDOT)
        entry, moved, one, two, q1, q2 = numbers(values, 3 * dps, K, DK, D1, D2, Q1, Q2)

        def kernel(step: Any) -> Any:
            a, b = q1 * mpmath.exp(step * one), q2 * mpmath.exp(step * two)
            rho = (entry + step * moved) / mpmath.sqrt(a * b)
            t = first * mpmath.log(a) + second * mpmath.log(b) + tdot * mpmath.sqrt(q1 * q2) * rho
            return w**2 * t

        step = mpmath.mpf(10) ** (-dps)
        return (kernel(step) - kernel(-step)) / (2 * step)


def of_gradients(values: Values, dps: int) -> Any:
    """The sum over parameters of products of derivatives in a layer of two units, over signs of its weights.

    Derivatives by the layer's own weights and bias are sigma_w phi(u_i) / sqrt(2) and sigma_b; products of phi average
    to T. Those by parameters below reach both units, with a kernel Theta within a unit and, made up, Theta / 3 between
    the two; products of phi' average to Tdot within a unit and, made up, to Tdot / 7 between the two.
    """
    w, b, t, tdot, theta, has_w, has_b = numbers(
        values, dps, SIGMA_W, SIGMA_B, T, TDOT, THETA, TRAINED_W, TRAINED_B
    )
    own = mpmath.fsum((w / mpmath.sqrt(2)) ** 2 * t for _ in range(2)) * has_w + b**2 * has_b

    def below(sign: tuple[int, ...]) -> Any:
        weights = [w * one / mpmath.sqrt(2) for one in sign]
        return mpmath.fsum(
            weights[i] * weights[j] * (tdot * theta if i == j else tdot / 7 * theta / 3)
            for i in (0, 1)
            for j in (0, 1)
        )

    return own + over_signs(below, 2)


def of_recurrent(values: Values, dps: int) -> Any:
    """E h h' of a unit that reads one unit, whose products average to T, and two inputs (1, 1) and (1, 2 S - 1)."""
    w, v, b, t, overlap = numbers(values, dps, SIGMA_W, SIGMA_V, SIGMA_B, T, INPUT)
    second = 2 * overlap - 1

    def product(sign: tuple[int, ...]) -> Any:
        one, two = (v / mpmath.sqrt(2) * (sign[0] + sign[1] * x) + b * sign[2] for x in (1, second))
        return one * two + (w * sign[3]) ** 2 * t

    return over_signs(product, 4)


def of_recurrent_gradients(values: Values, dps: int) -> Any:
    """Products of derivatives of such a unit: by input weights x_i sigma_v / sqrt(2), the rest as in a layer."""
    v, overlap, trained = numbers(values, dps, SIGMA_V, INPUT, TRAINED_W)
    by_inputs = mpmath.fsum((v / mpmath.sqrt(2)) ** 2 * x for x in (1, 2 * overlap - 1))
    return of_gradients(values, dps) + trained * by_inputs


def of_one(phi: Activation, f: Expr, sign: int, values: Values, dps: int) -> Any:
    """E f(u) f(+-u) over u ~ N(0, q_1), integrated between the kinks of phi."""
    with mpmath.workdps(dps + 5):
        function, breaks = by_number(f, dps, phi.derivative(1).expr)
        (q,) = numbers(values, dps, Q1)
        ends = {*breaks, *(-place for place in breaks)}
        return over_unit(lambda u: function(u) * function(sign * u), q, ends)


def flowed(values: Values, dps: int) -> Any:
    """e(t) of e' = -lambda e, e(0) = 1, by its Taylor series at 0."""
    total = term = mpmath.mpf(1)
    step = mpmath.fprod(numbers(values, dps, RATE, TIME))
    for k in range(1, 40 + 4 * dps):
        term *= -step / k
        total += term
    return total


def descended(values: Values, dps: int) -> Any:
    """The error after k steps against the gradient of lambda e^2 / 2, from 1."""
    rate, size = numbers(values, dps, RATE, STEP_SIZE)
    error = mpmath.mpf(1)
    for _ in range(int(values[STEPS])):
        error -= size * (rate * error)
    return error


def rate_of_steps(values: Values, dps: int) -> Any:
    """The rate at which an error falls to what k steps leave of it, in the time k."""
    return -mpmath.log(descended(values, dps)) / int(values[STEPS])


def widest_step(values: Values, dps: int) -> Any:
    """The step size at which one step turns an error into its negative, by bisection."""
    (rate,) = numbers(values, dps, RATE)
    low, high = 1 / rate, 5 / rate
    for _ in range(4 * (dps + 5)):
        middle = (low + high) / 2
        low, high = (middle, high) if abs(1 - middle * rate) < 1 else (low, middle)
    return (low + high) / 2


def over_units(values: Values, dps: int) -> Any:
    """N Var Theta / (E Theta)^2 of N = 2 units, each one of them all pairs of moments that the values name.

    A unit's Theta_i = phi_i^2 + W_i^2 phi'_i^2 q enters by its first two moments alone.
    """
    w, b, q, v, p, v2, p2, vp, fourth = numbers(values, dps, SIGMA_W, SIGMA_B, Q1, V, P, V2, P2, VP, READOUT)

    def moment(*powers: tuple[int, int]) -> Any:
        """E of a product of phi^(2 a) (W phi')^(2 b) q^b over powers (a, b)."""
        a, c = (sum(one[k] for one in powers) for k in (0, 1))
        return {(1, 0): v, (0, 1): p, (2, 0): v2, (0, 2): p2 * fourth, (1, 1): vp}[a, c] * q**c

    parts = ((1, 0), (0, 1))
    first = mpmath.fsum(moment(one) for one in parts)
    square = mpmath.fsum(moment(one, two) for one in parts for two in parts)
    units = 2
    pairs = [square if i == j else first**2 for i in range(units) for j in range(units)]
    variance = (w**2 / units) ** 2 * (mpmath.fsum(pairs) - (units * first) ** 2)
    return units * variance / (b**2 + w**2 / units * units * first) ** 2
