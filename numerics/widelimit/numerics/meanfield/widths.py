"""Networks of finite width: `theory.meanfield.widths` and `pair_widths` along the recursion of infinite width."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.meanfield import pair_widths
from widelimit.numerics.meanfield.maps import Maps
from widelimit.numerics.meanfield.pair_widths import Lengths
from widelimit.numerics.results import by_value
from widelimit.theory import meanfield as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.growth import too_fast, widest
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
Q = theory.q


@by_value
@dataclass(frozen=True)
class AtWidth:
    """A length and a correlation at each of several widths N and in each layer, (widths, depth + 1), to order 1/N.

    mean: its average over networks, the infinitely wide network's plus `correction`, of error O(1/N^2).
    deviation: its standard deviation from network to network; `sample_deviation` that of the mean square of the layer's
    own N pre-activations, which is what a single network shows. Both are leading orders, of error O(1/N) of
    themselves: trust them where they are well below `mean`.
    c: the average over networks of the correlation of a layer's own pre-activations of two inputs, that of infinite
    width plus `c_correction`; `c_deviation` its standard deviation. `covariance`, with its correction: the average of
    their covariance, sqrt(q q_2) c at infinite width. NaN from the first layer on in which the inputs are so alike that
    a series of a few hundred terms does not resolve how they scatter (1 - c below some hundredths where phi has kinks).
    """

    width: Array
    mean: Array
    correction: Array
    deviation: Array
    sample_deviation: Array
    c: Array
    c_correction: Array
    c_deviation: Array
    covariance: Array
    covariance_correction: Array


@functools.cache
def _sample() -> Compiled:
    """q, v, N -> variance of a layer's own mean square."""
    return compile(theory.sample_length_variance(), [Q, theory.spread, theory.width], name="sample")


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


def at_width(
    functions: Maps,
    weight: float,
    keep: float,
    width: Array,
    lengths: tuple[Array, Array],
    eps: Array,
    held: Array,
) -> AtWidth:
    """Follow mean and spread along the infinitely wide network: both lengths and eps = 1 - c in each layer.

    `held` has the entries of the Gram matrix that each layer was made to have, (depth + 1, 3); 0 where none.
    """
    q, other = lengths
    changes = (q[1:] != q[:-1]) | (other[1:] != other[:-1]) | (eps[1:] != eps[:-1])
    layers = (
        int(np.flatnonzero(changes)[-1]) + 2 if changes.any() else 1
    )  # the last of them stands for all that follow
    one = _lengths(functions, q[:layers])
    two = one if other is q else _lengths(functions, other[:layers])
    shift, spread, left = _follow(one, weight, keep, held)
    n = width[:, None]
    rows = [np.ascontiguousarray(np.broadcast_to(x, (width.size, q.size))).ravel() for x in (q, left, n)]
    sample = _sample().evaluate(*rows)[0].reshape(width.size, q.size)
    pair = pair_widths.correlations(functions, weight, keep, one, two, eps[:layers], held)
    return AtWidth(
        width,
        q + shift / n,
        shift / n,
        np.sqrt(spread / n),
        np.sqrt(np.maximum(sample, 0.0)),
        1 - eps + pair.shift / n,
        pair.shift / n,
        np.sqrt(np.maximum(pair.spread, 0.0) / n),
        (1 - eps) * np.sqrt(q * other) + pair.covariance / n,
        pair.covariance / n,
    )


def _lengths(functions: Maps, q: Array) -> Lengths:
    (v, _, slope), _ = functions.moments(q)
    return Lengths(q, v, slope, *moments(functions, q))


def _follow(one: Lengths, weight: float, keep: float, held: Array) -> tuple[Array, Array, Array]:
    """a and v of one input in each layer, and what of v is left where the layer's length is held."""
    made, last = pair_widths.formulas(), one.q.size - 1
    a, v, left = np.zeros((3, len(held)))
    for layer, bound in enumerate(held):
        k = min(layer, last)
        left[layer] = made.held.njit(*bound, v[layer], 0.0, 0.0, 0.0, 0.0, 0.0)[0]
        if layer + 1 < len(held):
            a[layer + 1], v[layer + 1] = made.lengths.njit(
                weight,
                keep,
                one.second[k],
                one.slope[k],
                one.curvature[k],
                one.fourth[k],
                a[layer],
                left[layer],
            )
    return a, v, left


def behind(first: Array, second: Array, shift: Array, covariance: Array) -> tuple[Array, Array]:
    """Return N times the shifts of means and N times the covariances behind a map, to order 1/N.

    `first` (k, n) and `second` (k, n, n) are the map's derivatives at the limit: its mean moves with the shifts of what
    goes in, and with half its covariances.

    >>> shift, covariance = behind(np.array([[2.0]]), np.array([[[3.0]]]), np.array([1.0]), np.array([[4.0]]))
    >>> shift.tolist(), covariance.tolist()
    ([8.0], [[16.0]])
    """
    return first @ shift + np.einsum("iab,ab->i", second, covariance) / 2, first @ covariance @ first.T


def widths(value: Any) -> Array:
    """Return widths as a one-dimensional array of whole numbers from 1 on.

    >>> widths(256).tolist()
    [256.0]
    """
    array = arguments.vector("width", np.atleast_1d(arguments.positive("width", value)))
    if (array != np.floor(array)).any():
        raise ArgumentError("width", "must be whole numbers of units", value)
    return array
