"""What the names on the left of the rules mean, by small layers: masks and weights of all signs, parameters moved.

Nothing here knows a formula of this room. A mean over units is a sum over a few of them whose products have the mean
that is asked for; a derivative is a central difference with more digits than the check asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import mpmath

from widelimit.theory.architecture.formulas import (
    ALL,
    BRANCH,
    CENTRE1,
    CENTRE2,
    COLUMN,
    COUNT,
    COUNT2,
    D1,
    D2,
    DIMENSIONS,
    KEEP,
    M1,
    M2,
    ROW,
    SAME,
    SIZE,
    SQUARE,
    SQUARES,
    TOTAL,
    TRACE,
    K,
)
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.ensembles import over_gaussian, over_signs
from widelimit.theory.calculus.layers import by_number, over_unit
from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.kernel import INPUT, Q1, SIGMA_B, SIGMA_V, SIGMA_W, THETA


def of_units(phi: Activation, values: Values, dps: int) -> Any:
    """E phi(u), by quadrature between the kinks; what is nothing beside its digits is 0, as for odd phi."""
    function, breaks = by_number(phi.expr, dps, phi.derivative(1).expr)
    (q,) = numbers(values, dps, Q1)
    return mpmath.chop(over_unit(function, q, breaks), tol=mpmath.mpf(10) ** -dps)


def of_masks(values: Values, dps: int) -> Any:
    """E of a product K of two units behind their masks, which are one mask or two."""
    k, p = numbers(values, dps, K, KEEP)
    total = mpmath.mpf(0)
    for first, second in product((0, 1), repeat=2):
        masks = (first, first) if values[SAME] else (first, second)
        weight = mpmath.fprod(p if mask else 1 - p for mask in (first, second))
        total += weight * (masks[0] * k / p) * (masks[1] / p)
    return total


def of_branch(values: Values, dps: int) -> Any:
    """E of (x + s y)(x' + s y') over the sign of a branch's last weights, with x x' = K and y y' = K_branch."""
    one, two = numbers(values, dps, K, BRANCH)
    return over_signs(lambda s: (1 + s[0] * 3) * (one + s[0] * two / 3), 1)


def of_vector(values: Values, dps: int) -> Any:
    """E h h' of a unit that reads n entries x_a = a, y_a with weights of variance 1/n; the sum of x_a y_a is S."""
    (total,), n = numbers(values, dps, TOTAL), int(values[COUNT])
    return _read([(a + 1, total / n / (a + 1)) for a in range(n)], n)


def of_filter(values: Values, dps: int) -> Any:
    """The same for the k^dimensions points of a filter, weights of variance one over their number."""
    (total,), points = numbers(values, dps, TOTAL), int(values[SIZE]) ** int(values[DIMENSIONS])
    return _read([(a + 1, total / points / (a + 1)) for a in range(points)], points)


def _read(pairs: Sequence[tuple[Any, Any]], fan_in: int) -> Any:
    scale = 1 / mpmath.sqrt(fan_in)

    def both(sign: tuple[int, ...]) -> Any:
        return mpmath.fprod(
            scale * mpmath.fsum(s * pair[k] for s, pair in zip(sign, pairs, strict=True)) for k in (0, 1)
        )

    return over_signs(both, len(pairs))


def of_averages(values: Values, dps: int) -> Any:
    """The product of the averages over n positions of x_a = a and y_b = c b; the sum of all x_a y_b is S."""
    (total,), n = numbers(values, dps, TOTAL), int(values[COUNT])
    x = [mpmath.mpf(a + 1) for a in range(n)]
    y = [total * one / mpmath.fsum(x) ** 2 for one in x]
    return mpmath.fsum(x) / n * (mpmath.fsum(y) / n)


def of_windows(values: Values, dps: int) -> Any:
    """The product of the averages over n positions of x_a = a and over n' of y_b = c b; S sums all x_a y_b."""
    (total,), n, m = numbers(values, dps, TOTAL), int(values[COUNT]), int(values[COUNT2])
    x, y = [mpmath.mpf(a + 1) for a in range(n)], [mpmath.mpf(b + 1) for b in range(m)]
    scale = total / mpmath.fsum(x) / mpmath.fsum(y)
    return mpmath.fsum(x) / n * (mpmath.fsum(scale * one for one in y) / m)


def of_spread(values: Values, dps: int) -> Any:
    """The root mean square about their mean of two units m_mean +- e; e such that their mean square is q_mean."""
    square, centre = numbers(values, dps, SQUARE, CENTRE1)
    with mpmath.workdps(dps + 10):
        apart = mpmath.findroot(
            lambda e: over_signs(lambda s: (centre + s[0] * e) ** 2, 1) - square, (1, 2), solver="anderson"
        )
        units = [centre + sign * apart for sign in (-1, 1)]
        mean = mpmath.fsum(units) / 2
        return mpmath.sqrt(mpmath.fsum((x - mean) ** 2 for x in units) / 2)


def about_means(values: Values, dps: int) -> Any:
    """E (x - m_mean)(x' - m'_mean) over units x = m + s, x' = m' + s c with E x x' = K."""
    k, m, m2, centre, centre2 = numbers(values, dps, K, M1, M2, CENTRE1, CENTRE2)
    along = k - m * m2
    return over_signs(lambda s: (m + s[0] - centre) * (m2 + s[0] * along - centre2), 1)


def about_batch(values: Values, dps: int) -> Any:
    """E (h - h_mean)(h' - h_mean) over units, h_mean their mean over the batch, with the products that are named."""
    k, row, column, everything = numbers(values, dps, K, ROW, COLUMN, ALL)
    root = mpmath.sqrt(everything)

    def centred(s: tuple[int, ...]) -> Any:
        mean = root * s[0]
        one = row / root * s[0] + s[1]
        two = column / root * s[0] + (k - row * column / everything) * s[1]
        return (one - mean) * (two - mean)

    return over_signs(centred, 2)


def of_divided(values: Values, dps: int) -> Any:
    """E of the product of units s/d and s K/d'."""
    k, d, d2 = numbers(values, dps, K, D1, D2)
    return over_signs(lambda s: (s[0] / d) * (s[0] * k / d2), 1)


def of_centred_unit(values: Values, dps: int) -> Any:
    """E (x - m_mean)/d over units x = m + s."""
    m, centre, d = numbers(values, dps, M1, CENTRE1, D1)
    return over_signs(lambda s: (m + s[0] - centre) / d, 1)


Groups = Sequence[tuple[Any, Any]]  # how many, of which value


def _standardised(groups: Groups, mine: Any) -> Any:
    """What a normalisation over groups of equal values makes of one of them."""
    count = mpmath.fsum(many for many, _ in groups)
    mean = mpmath.fsum(many * x for many, x in groups) / count
    square = mpmath.fsum(many * (x - mean) ** 2 for many, x in groups) / count
    return (mine - mean) / mpmath.sqrt(square)


def _slope(function: Callable[[Any], Any], dps: int) -> Any:
    """Derivative at 0, by a central difference with three times the digits."""
    with mpmath.workdps(3 * dps + 10):
        step = mpmath.mpf(10) ** (-dps)
        return (function(step) - function(-step)) / (2 * step)


def of_wide_layer(values: Values, dps: int) -> Any:
    """Theta behind the normalisation of n units, half at d and half at -d, of which each has parameters of its own.

    The other input has units at d' and -d', in all four combinations alike. A unit's parameters move the mean and the
    variance of all; their products of derivatives have the mean Theta.
    """
    theta, d, d2 = numbers(values, dps, THETA, D1, D2)
    n = int(values[COUNT])

    def derivative(width: Any, one: int, moved: int, own: bool) -> Any:
        """Of the unit with the sign `one` by the unit with the sign `moved`, itself or another one."""

        def output(by: Any) -> Any:
            groups = [(n // 2 - 1, moved * width), (1, moved * width + by), (n // 2, -moved * width)]
            return _standardised(groups, one * width + (by if own else 0))

        return _slope(output, dps)

    signs = list(product((-1, 1), repeat=2))
    total = mpmath.mpf(0)
    for one in signs:
        for moved in signs:
            others = n // 4 - (one == moved)
            total += others * mpmath.fprod(
                derivative(w, a, b, False) for w, a, b in zip((d, d2), one, moved, strict=True)
            )
        total += mpmath.fprod(derivative(w, a, a, True) for w, a in zip((d, d2), one, strict=True))
    return theta * total / len(signs)


def of_large_batch(values: Values, dps: int) -> Any:
    """Theta of one input behind the normalisation of a unit over n of them, half at d and half at -d.

    Two parameters move the inputs: this one by the vector g with g.g = K, the others so that the mean vector has
    K_row = g.g_mean and K_all = g_mean.g_mean.
    """
    k, row, everything, d = numbers(values, dps, K, ROW, ALL, D1)
    n = int(values[COUNT])
    own = (mpmath.sqrt(k), mpmath.mpf(0))
    mean = (row / own[0], mpmath.sqrt(everything - (row / own[0]) ** 2))

    def derivative(g: Any, g_mean: Any) -> Any:
        others = (n * g_mean - g) / (n - 1)

        def output(by: Any) -> Any:
            mine = d + by * g
            groups = [(1, mine), (n // 2 - 1, d + by * others), (n // 2, -d + by * others)]
            return _standardised(groups, mine)

        return _slope(output, dps)

    return mpmath.fsum(derivative(*pair) ** 2 for pair in zip(own, mean, strict=True))


def of_shift(values: Values, dps: int) -> Any:
    """Products of derivatives of z + b and z' + b by the shift b and by a parameter below, where they make Theta."""
    (theta,) = numbers(values, dps, THETA)
    return _products(dps, (lambda t, b: 1 + t + b, lambda t, b: 1 + theta * t + b), ((1, 0), (0, 1)))


def of_gain(values: Values, dps: int) -> Any:
    """Products of derivatives of g z and g z' by the gain g and by a parameter below; z z' is K."""
    k, theta = numbers(values, dps, K, THETA)
    return _products(
        dps, (lambda t, g: (1 + g) * (1 + t), lambda t, g: (1 + g) * (k + theta * t)), ((1, 0), (0, 1))
    )


def _products(dps: int, outputs: Sequence[Callable[..., Any]], directions: Sequence[tuple[int, ...]]) -> Any:
    """The sum over directions of products of the outputs' derivatives along them."""

    def derivative(output: Callable[..., Any], to: tuple[int, ...]) -> Any:
        return _slope(lambda by: output(*(by * one for one in to)), dps)

    return mpmath.fsum(mpmath.fprod(derivative(output, to) for output in outputs) for to in directions)


def of_gaussian_batch(values: Values, dps: int) -> Any:
    """Standard deviation over mean of u^2 + v^2, u and v Gaussian of variances with the sum trace and squares S_2."""
    squares, trace = numbers(values, dps, SQUARES, TRACE)
    apart = mpmath.sqrt(squares / 2 - trace**2 / 4)
    covariance = [[trace / 2 + apart, 0], [0, trace / 2 - apart]]
    first, second = (over_gaussian(lambda u, v, p=p: (u**2 + v**2) ** p, covariance, 6) for p in (1, 2))
    return mpmath.sqrt(second - first**2) / first


def of_network(tangent: bool, values: Values, dps: int) -> Any:
    """K or Theta of ``steps.NETWORK`` with two hidden units, over all signs of its weights and bias.

    One number x = 1 and another x' = S go through weights, a residual branch of weights and a readout, all linear.
    """
    s, w, b, v = numbers(values, dps, INPUT, SIGMA_W, SIGMA_B, SIGMA_V)
    half = 1 / mpmath.sqrt(2)

    def run(x: Any, z: Sequence[Any]) -> Any:
        hidden = [w * z[i] * x for i in (0, 1)]
        hidden = [
            hidden[i] + v * half * (z[2 + 2 * i] * hidden[0] + z[3 + 2 * i] * hidden[1]) for i in (0, 1)
        ]
        return w * half * (z[6] * hidden[0] + z[7] * hidden[1]) + b * z[8]

    def products(signs: tuple[int, ...]) -> Any:
        if not tangent:
            return run(1, signs) * run(s, signs)
        rows = []
        for k in range(len(signs)):  # linear in each parameter: one difference is its derivative
            up = [*signs[:k], signs[k] + 1, *signs[k + 1 :]]
            rows.append([run(x, up) - run(x, signs) for x in (1, s)])
        return mpmath.fsum(one * two for one, two in rows)

    return over_signs(products, 9)
