"""What the names in the derivation stand for, by numbers: paths of a chain, Gaussian integrals, explicit walks."""

from __future__ import annotations

from itertools import product
from typing import Any

import mpmath

from widelimit.theory.calculus.ensembles import over_gaussian
from widelimit.theory.calculus.precision import Values, evaluate, numbers
from widelimit.theory.walkback import formulas as f


def _ring(there: Any, back: Any) -> list[list[Any]]:
    """A chain of three states on a ring; its stationary law is uniform."""
    rest = 1 - there - back
    return [[(rest, there, back)[(j - i) % 3] for j in range(3)] for i in range(3)]


def ring_paths(values: Values, dps: int) -> Any:
    """Return E log of a stationary path's probability over its reverse's, by all paths of two steps, halved."""
    there, back = numbers(values, dps, f.THERE, f.BACK)
    chain = _ring(there, back)
    total = mpmath.mpf(0)
    for path in product(range(3), repeat=3):
        ahead = chain[path[0]][path[1]] * chain[path[1]][path[2]] / 3
        reverse = chain[path[2]][path[1]] * chain[path[1]][path[0]] / 3
        total += ahead * mpmath.log(ahead / reverse)
    return total / 2


def ring_edges(values: Values, dps: int) -> Any:
    """Return the sum of the formula over all transitions of the ring."""
    there, back = numbers(values, dps, f.THERE, f.BACK)
    chain = _ring(there, back)
    third = mpmath.mpf(1) / 3
    return mpmath.fsum(
        evaluate(
            f.edge_entropy(),
            {f.STATIONARY_I: third, f.STATIONARY_J: third, f.THERE: chain[i][j], f.BACK: chain[j][i]},
            dps,
        )
        for i in range(3)
        for j in range(3)
    )


def backwards(values: Values, dps: int) -> Any:
    """Return E log T(s'|s) - log T(s|s') of one Gaussian coordinate whose ways there and back have residuals 1 and m.

    In n independent coordinates, of which the first carries all of the excess of m.
    """
    square, dimension = numbers(values, dps, f.SQUARE, f.DIMENSION)
    excess = square - (dimension - 1)

    def both(x: Any, y: Any) -> Any:  # residuals of the way there and back
        return mpmath.log(mpmath.npdf(x) / mpmath.npdf(y))

    first = over_gaussian(both, [[1, 0], [0, excess]], 8)
    return first + (dimension - 1) * over_gaussian(both, [[1, 0], [0, 1]], 8)


def gaussian_mean_log(values: Values, dps: int) -> Any:
    """Return the mean of log N(s; 0, c) over s of another variance, in n coordinates alike, by quadrature."""
    square, dimension, determinant = numbers(values, dps, f.SQUARE, f.DIMENSION, f.DETERMINANT)
    scale = mpmath.root(determinant, int(dimension))
    variance = square / dimension * scale
    one = over_gaussian(lambda s: mpmath.log(mpmath.npdf(s, 0, mpmath.sqrt(scale))), [[variance]], 8)
    return dimension * one


def _rotation(values: Values, dps: int) -> tuple[Any, Any]:
    size, angle = numbers(values, dps, f.CONTRACTION, f.ANGLE)
    matrix = size * mpmath.matrix(
        [[mpmath.cos(angle), -mpmath.sin(angle)], [mpmath.sin(angle), mpmath.cos(angle)]]
    )
    covariance = mpmath.eye(2)
    moved = mpmath.eye(2)
    for _ in range(int(dps / -mpmath.log(size**2, 10)) + 20):
        moved = matrix * moved * matrix.T
        covariance += moved
    return matrix, covariance


def residual_of_rotation(values: Values, dps: int) -> Any:
    """Return E |s - A s'|^2 of a rotation that shrinks, s' = A s + n, its covariance summed step by step."""
    matrix, covariance = _rotation(values, dps)
    back = mpmath.eye(2) - matrix * matrix
    whole = back * covariance * back.T + matrix * matrix.T
    return whole[0, 0] + whole[1, 1]


def entropy_of_rotation(values: Values, dps: int) -> Any:
    """Return half of that less the dimension: the relative entropy of a step and its reverse."""
    return (residual_of_rotation(values, dps) - 2) / 2


def diffusion(values: Values, dps: int) -> Any:
    """Return the entropy production of short steps of a diffusion in the plane over their length, towards none.

    B = [[b, w], [-w, b]] and Q = 1, whose stationary covariance is 1/b: tr B'B Sigma = 2 (b^2 + w^2)/b, tr B = 2 b.
    """
    drive, trace = numbers(values, 3 * dps, f.DRIVE, f.TRACE)
    with mpmath.workdps(4 * dps):
        b = trace / 2
        w = mpmath.sqrt(b * drive / 2 - b**2)
        step = mpmath.mpf(10) ** (-dps - 5)
        size = mpmath.exp(-b * step)  # the exact transition: exp(-b dt) R(w dt)
        back = 1 + size**4 - 2 * size**2 * mpmath.cos(2 * w * step)
        covariance, noise = 1 / b, (1 - size**2) / b
        return ((2 * back * covariance + 2 * size**2 * noise) / noise - 2) / 2 / step


def steady_variance(values: Values, dps: int) -> Any:
    """Return S_t (1 - a^2) / T_t after many steps of S' = a^2 S + T'."""
    size, factor = numbers(values, dps, f.CONTRACTION, f.FACTOR)
    variance, temperature = 1 / (1 - size**2), mpmath.mpf(1)
    for _ in range(int(2 * dps / mpmath.log(factor / size**2, 10)) + 20):
        temperature *= factor
        variance = size**2 * variance + temperature
    return variance * (1 - size**2) / temperature


def steady_excess(values: Values, dps: int) -> Any:
    """Return the same less one."""
    return steady_variance(values, dps) - 1


def log_excess(values: Values, dps: int) -> Any:
    """Return - log(1 - x) - x with three times the digits."""
    (lag,) = numbers(values, 3 * dps, f.LAG)
    with mpmath.workdps(3 * dps):
        return -mpmath.log(1 - lag) - lag


def annealed_step(values: Values, dps: int) -> Any:
    """Return what a step loses in the long run: log r / 2 less the heat E(s'^2 - s^2) (1 - a^2) / (2 T')."""
    size, factor = numbers(values, dps, f.CONTRACTION, f.FACTOR)
    ratio = steady_variance(values, dps) / (1 - size**2)  # S over T
    there = (
        ratio * (1 + size**4) / factor + size**2 - 2 * size**2 * ratio / factor
    ) - 1  # E (s - a s')^2 / T' - 1
    return mpmath.log(factor) / 2 + there / 2


def annealed_end(values: Values, dps: int) -> Any:
    """Return the relative entropy of a Gaussian of variance rho to one of variance 1, by quadrature."""
    rho = steady_variance(values, dps)

    def both(s: Any) -> Any:
        return mpmath.log(mpmath.npdf(s, 0, mpmath.sqrt(rho)) / mpmath.npdf(s))

    return over_gaussian(both, [[rho]], 8)


def steps_of_gap(values: Values, dps: int) -> Any:
    """Return the number of steps K at which K times the cost of a step of factor R^(1/K) is the gap."""
    size, ratio, gap = numbers(values, dps, f.CONTRACTION, f.RATIO, f.GAP)

    def cost(steps: Any) -> Any:
        at = {f.CONTRACTION: size, f.FACTOR: mpmath.exp(mpmath.log(ratio) / steps)}
        return steps * evaluate(f.annealing_cost(), at, 2 * dps + 10)

    with mpmath.workdps(2 * dps + 10):
        start = mpmath.log(ratio) ** 2 / (4 * gap)
        return mpmath.findroot(
            lambda steps: cost(steps) / gap - 1, (start, 2 * start), solver="anderson", tol=10 ** (-dps)
        )
