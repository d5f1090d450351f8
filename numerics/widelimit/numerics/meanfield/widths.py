"""Lengths of networks of finite width: `theory.meanfield.widths` along the lengths of infinite width."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.meanfield.maps import Maps
from widelimit.numerics.results import by_value
from widelimit.theory import meanfield as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.growth import too_fast, widest
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
ANY, Q = theory.ANY, theory.q


@by_value
@dataclass(frozen=True)
class AtWidth:
    """A length at each of several widths N and in each layer, arrays (widths, depth + 1), to order 1/N.

    mean: its average over networks, the infinitely wide network's plus `correction`, of error O(1/N^2).
    deviation: its standard deviation from network to network; `sample_deviation` that of the mean square of the layer's
    own N pre-activations, which is what a single network shows. Both are leading orders, of error O(1/N) of
    themselves: trust them where they are well below `mean`.
    """

    width: Array
    mean: Array
    correction: Array
    deviation: Array
    sample_deviation: Array


@dataclass(frozen=True)
class _Formulas:
    step: Compiled  # sigma_w, rho, V, dV/dq, d^2V/dq^2, E phi^4, a, v -> a', v'
    sample: Compiled  # q, v, N -> variance of a layer's own mean square


@functools.cache
def _formulas() -> _Formulas:
    return _Formulas(
        compile(
            (theory.length_shift_map(ANY), theory.length_spread_map(ANY)),
            [theory.sigma_w, theory.keep, ANY.V, ANY.slope, ANY.D, ANY.F, theory.shift, theory.spread],
            name="widths",
        ),
        compile(theory.sample_length_variance(), [Q, theory.spread, theory.width], name="sample"),
    )


@functools.lru_cache(maxsize=64)
def _moments(phi: Activation) -> tuple[Compiled, Compiled]:
    """d^2V/dq^2 and E phi^4 as closed forms, and by quadrature, of q."""
    with theory.where_finite():
        closed = (theory.second_moment_curvature(phi), theory.fourth_moment(phi))
        nodes = theory.nodes(phi)
    integrals = (nodes["D"], nodes["F"])
    return compile(closed, [Q], name="fourths"), compile(integrals, [Q], name="fourths")


def moments(functions: Maps, q: Array) -> Array:
    """Return d^2V/dq^2 and E phi^4 of an activation at lengths q, (2, n); `InfiniteMomentError` where one is infinite.

    >>> from widelimit.numerics.meanfield.maps import maps
    >>> moments(maps("relu"), np.array([2.0])).tolist()
    [[0.0], [6.0]]
    """
    phi = functions.activation
    if (largest := float(q.max())) >= (bound := float(widest(phi.expr**4, X))):
        raise too_fast(phi.name, largest, bound, "E phi^4, and with it the spread over networks, is")
    closed, integrals = _moments(phi)
    low, high = functions.formulas.trusted
    found = np.empty((2, q.size))
    # of length zero: phi(0)^4; the curvature multiplies a spread of zero
    found[0], found[1] = 0.0, float(phi.expr.subs(X, 0)) ** 4
    some = q > 0
    good = some & (q >= low) & (q <= high)
    for compiled, rows in ((closed, good), (integrals, some & ~good)):
        if rows.any():
            found[:, rows] = compiled.evaluate(np.ascontiguousarray(q[rows]))[0]
    return found


def at_width(functions: Maps, weight: float, keep: float, width: Array, q: Array, settled: int) -> AtWidth:
    """Follow a_l and v_l along the lengths q_l of the infinitely wide network, constant from layer `settled` on."""
    layers = min(q.size - 1, settled + 1)
    (v, _, slope), _ = functions.moments(q[: layers + 1])
    curvature, fourth = moments(functions, q[: layers + 1])
    step = _formulas().step.njit
    shift, spread = np.zeros((2, q.size))
    for layer in range(q.size - 1):
        k = min(layer, layers)
        shift[layer + 1], spread[layer + 1] = step(
            weight, keep, v[k], slope[k], curvature[k], fourth[k], shift[layer], spread[layer]
        )
    n = width[:, None]
    rows = [
        np.ascontiguousarray(np.broadcast_to(one, (width.size, q.size))).ravel() for one in (q, spread, n)
    ]
    sample = _formulas().sample.evaluate(*rows)[0].reshape(width.size, q.size)
    return AtWidth(width, q + shift / n, shift / n, np.sqrt(spread / n), np.sqrt(sample))


def widths(value: Any) -> Array:
    """Return widths as a one-dimensional array of whole numbers from 1 on.

    >>> widths(256).tolist()
    [256.0]
    """
    array = arguments.vector("width", np.atleast_1d(arguments.positive("width", value)))
    if (array != np.floor(array)).any():
        raise ArgumentError("width", "must be whole numbers of units", value)
    return array
