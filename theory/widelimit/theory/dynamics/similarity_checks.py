"""What the names in the steps on canonical correlations stand for: free projections, planes, quadratures."""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Symbol

from widelimit.theory.calculus.precision import Values, evaluate, numbers
from widelimit.theory.dynamics import similarity as f

MODE_1, MODE_2 = Symbol("b_1", positive=True), Symbol("b_2", positive=True)  # two temporal modes


def edge(values: Values, dps: int, upper: bool) -> Any:
    """Return the root of the end of the bulk: where the resolvent of a product of two free projections branches.

    It is the root of a quadratic with the discriminant (a + b - 2 a b - x)^2 - 4 a b (1 - a)(1 - b).
    """
    a, b = numbers(values, dps, f.FIRST, f.SECOND)
    middle, end = a + b - 2 * a * b, mpmath.mpf(1 if upper else 0)

    def branch(x: Any) -> Any:
        return (middle - x) ** 2 - 4 * a * b * (1 - a) * (1 - b)

    return mpmath.sqrt(mpmath.findroot(branch, (middle, end), solver="anderson", tol=mpmath.mpf(10) ** -dps))


def integrated(values: Values, dps: int, order: int) -> Any:
    """Return the integral of x^order times Wachter's density; of order 1 and 2 with the part at x = 1."""
    a, b = numbers(values, dps, f.FIRST, f.SECOND)
    ends = {f.LOWEST: edge(values, dps, False), f.HIGHEST: edge(values, dps, True)}
    low, high = (end**2 for end in ends.values())
    middle, half = (low + high) / 2, (high - low) / 2

    def at(angle: Any) -> Any:
        x = middle + half * mpmath.cos(angle)
        known = {f.FIRST: a, f.SECOND: b, f.SQUARE: x, **ends}
        return x**order * evaluate(f.similarity_density(), known, dps) * half * mpmath.sin(angle)

    met = max(mpmath.mpf(0), a + b - 1) / a if order else 0  # p + q - n of p directions lie in both spans
    nodes = dps + 25  # the integrand is periodic: the error of the trapezoidal rule falls exponentially
    return mpmath.pi / nodes * mpmath.fsum(at(mpmath.pi * k / nodes) for k in range(1, nodes)) + met


def spanned(values: Values, dps: int) -> Any:
    """Return how much of the first axis a random direction in the plane spans, of variances b_1 and b_2: E cos^2."""
    one, two = numbers(values, dps, MODE_1, MODE_2)

    def at(angle: Any) -> Any:
        along, across = one * mpmath.cos(angle) ** 2, two * mpmath.sin(angle) ** 2
        return along / (along + across)

    return mpmath.quad(at, mpmath.linspace(0, mpmath.pi, 5)) / mpmath.pi


def between(values: Values, dps: int) -> Any:
    """Return the mean squared cosine between two such directions, drawn independently."""
    one, two = numbers(values, dps, MODE_1, MODE_2)
    nodes = 200  # periodic integrands: the error of the trapezoidal rule falls like exp(-nodes)
    angles = [2 * mpmath.pi * k / nodes for k in range(nodes)]
    drawn = [(mpmath.sqrt(one) * mpmath.cos(t), mpmath.sqrt(two) * mpmath.sin(t)) for t in angles]
    unit = [(x * x / (x * x + y * y), x * y / (x * x + y * y), y * y / (x * x + y * y)) for x, y in drawn]
    mean = [mpmath.fsum(u[k] for u in unit) / nodes for k in range(3)]  # E of the projection on the direction
    return mean[0] ** 2 + 2 * mean[1] ** 2 + mean[2] ** 2
