"""Two inputs in networks of finite width: `theory.meanfield.pair_widths` along the recursion of infinite width.

Expectations of derivatives of phi come from Hermite coefficients (Mehler's series, differentiated): with
phi(sqrt(q) z) = sum_n a_n h_n(z), E phi^(i)(u_1) phi^(j)(u_2) = q_1^(-i/2) q_2^(-j/2) sum_n sqrt((n+i)! (n+j)!)/n!
a_{n+i} b_{n+j} c^n, kinks and jumps of phi included.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.compile.pair import projected
from widelimit.numerics.meanfield.maps import Maps
from widelimit.numerics.results import by_value
from widelimit.theory import meanfield as theory

Array = np.ndarray
FEW, MANY = 128, 512  # Hermite coefficients
_RESOLVED = (
    1e-3  # of a sum's size: what its last eighth may weigh, for a correction that is itself of order 1/N
)
_SMALL = 0.8  # correlations up to which few coefficients are enough


@by_value
@dataclass(frozen=True)
class Correlations:
    """N times the mean's correction and N times the variance over networks of a layer's own correlation, (layers,).

    `covariance`: N times the correction of the covariance.

    NaN from the first layer on in which inputs are so alike (or a length so small) that the series is not resolved.
    """

    shift: Array
    spread: Array
    covariance: Array


@dataclass(frozen=True)
class _Formulas:
    lengths: Compiled  # of one input: sigma_w, rho, V, dV, d2V, E phi^4, a, v -> a', v'
    covariance: Compiled  # sigma_w, rho, V_1, V_2, dV_1, dV_2, moments, a, v -> a'_12, v'
    held: Compiled  # U, v -> v
    sample: Compiled  # q_1, r, q_2 -> Gamma
    correlation: Compiled  # q_1, q_2, c, a, v -> shift, spread


_LENGTHS = ("11,11", "22,22")
_BOTH = tuple(both for both in theory.PAIRS if both not in _LENGTHS)


@functools.cache
def formulas() -> _Formulas:
    """Compile the theory's formulas, once a process."""
    a, v = list(theory.shifts.values()), list(theory.spreads.values())
    any_ = theory.ANY
    spreads, held, gamma = (
        theory.covariance_spread_map(),
        theory.held_spreads(),
        theory.sample_covariances(),
    )
    named = [theory.second_1, theory.second_2, theory.second_slope_1, theory.second_slope_2]
    named += [*theory.mixed.values(), *theory.powers.values()]
    return _Formulas(
        compile(
            (theory.length_shift_map(any_), theory.length_spread_map(any_)),
            [theory.sigma_w, theory.keep, any_.V, any_.slope, any_.D, any_.F, theory.shift, theory.spread],
            name="widths",
        ),
        compile(
            (theory.covariance_shift_map(), *(spreads[both] for both in _BOTH)),
            [theory.sigma_w, theory.keep, *named, *a, *v],
            name="pairwidths",
        ),
        compile(tuple(held[b] for b in theory.PAIRS), [*theory.held.values(), *v], name="held"),
        compile(
            tuple(gamma[b] for b in theory.PAIRS), [theory.q_1, theory.covariance, theory.q_2], name="gamma"
        ),
        compile(
            (theory.correlation_shift(), theory.correlation_spread()),
            [theory.q_1, theory.q_2, theory.c, *a, *v],
            name="correlation",
        ),
    )


@by_value
@dataclass(frozen=True)
class Lengths:
    """V, dV/dq, d^2V/dq^2 and E phi^4 of one input in each layer, each (layers,)."""

    q: Array
    second: Array
    slope: Array
    curvature: Array
    fourth: Array


def correlations(
    functions: Maps, weight: float, keep: float, one: Lengths, two: Lengths, eps: Array, held: Array
) -> Correlations:
    """Follow both inputs; `held` has the Gram matrices U that layers were made with, (layers, 3).

    The last layer of `one`, `two` and `eps` stands for all that follow in `held`.
    """
    made, last = formulas(), len(eps) - 1
    moments, known = _moments(functions, one, two, 1 - eps)
    a, v = np.zeros(3), np.zeros(6)
    shift, spread, covariance = np.full((3, len(held)), np.nan)
    for layer, bound in enumerate(held):
        k = min(layer, last)
        if not known[k]:
            break
        covariance[layer] = a[1]
        c, q1, q2 = 1 - eps[k], one.q[k], two.q[k]
        left = np.array(made.held.njit(*bound, *v))
        sample = left + np.array(made.sample.njit(q1, c * np.sqrt(q1 * q2), q2))
        if one is two and eps[k] == 0:
            shift[layer], spread[layer] = 0.0, 0.0
        else:
            shift[layer], spread[layer] = made.correlation.njit(q1, q2, c, *a, *sample)
        rows = ((one, a[0], left[0]), (two, a[2], left[5]))
        lengths = [
            made.lengths.njit(
                weight, keep, n.second[k], n.slope[k], n.curvature[k], n.fourth[k], shifted, spread_
            )
            for n, shifted, spread_ in rows
        ]
        (a1, v1), (a2, v2) = lengths
        a12, *between = made.covariance.njit(
            weight, keep, one.second[k], two.second[k], one.slope[k], two.slope[k], *moments[k], *a, *left
        )
        v = np.array([v1, *between, v2])
        a = np.array([a1, a12, a2])
    return Correlations(shift, spread, covariance)


def _moments(functions: Maps, one: Lengths, two: Lengths, c: Array) -> tuple[Array, Array]:
    """The expectations that the theory names, (layers, names), and in which layers they are resolved."""
    value, _ = functions.integrands
    shape = functions.formulas.shape
    terms = FEW if np.abs(c).max(initial=0.0) <= _SMALL and not shape.kinks else MANY
    wanted = len(theory.mixed) + len(theory.powers)
    found, known = np.zeros((c.size, wanted)), np.zeros(c.size, bool)
    same = (c == 1) & (one.q == two.q)
    apart = np.flatnonzero(~same & (np.abs(c) < 1) & (one.q > 0) & (two.q > 0))
    if apart.size:
        columns = {}
        for power in (1, 2, 3):

            def raised(x: Array, rows: Array, power: int = power) -> Array:
                return value(x, rows) ** power

            first = projected(raised, one.q[apart], shape, terms)[0]
            second = first if one is two else projected(raised, two.q[apart], shape, terms)[0]
            columns[power] = first, second
        sums = [
            mehler(columns[1][0], columns[1][1], i, j, one.q[apart], two.q[apart], c[apart])
            for i, j in theory.mixed
        ]
        sums += [
            mehler(columns[i][0], columns[j][1], 0, 0, one.q[apart], two.q[apart], c[apart])
            for i, j in theory.powers
        ]
        found[apart] = np.stack([total for total, _ in sums], axis=1)
        known[apart] = np.all([good for _, good in sums], axis=0)
    # equal inputs: their lengths and their covariance move together, by the derivatives of the length
    for k in np.flatnonzero(same):
        alike = {(0, 0): one.second[k], (1, 1): one.slope[k], (4, 0): 4 * one.curvature[k]}
        found[k] = [alike.get(both, 0.0) for both in theory.mixed] + [one.fourth[k]] * len(theory.powers)
        known[k] = True
    return found, known


def mehler(a: Array, b: Array, i: int, j: int, q1: Array, q2: Array, c: Array) -> tuple[Array, Array]:
    """E phi^(i)(u_1) phi^(j)(u_2) of each row, and whether the series is resolved."""
    n = np.arange(a.shape[1] - max(i, j))
    rising = np.ones(n.size)
    for order in (i, j):
        for k in range(order):
            rising = rising * np.sqrt(n + k + 1)
    with np.errstate(under="ignore"):
        parts = rising * a[:, n + i] * b[:, n + j] * c[:, None] ** n
    scale = q1 ** (-i / 2) * q2 ** (-j / 2)
    size = np.abs(parts).sum(axis=1)
    end = np.abs(parts[:, -n.size // 8 :]).sum(axis=1)
    return scale * parts.sum(axis=1), end <= _RESOLVED * size
