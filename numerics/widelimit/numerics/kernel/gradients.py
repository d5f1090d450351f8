"""Derivatives of NNGP kernels with respect to the scales of every layer, by the chain rule, never by differences.

Per parameter, the change of every entry and of every variance is carried from layer to layer (`theory.kernel`,
`kernel_change`). What an activation does to changes comes from its Hermite coefficients where it is smooth, else from
the closed form of its kernel, differentiated by SymPy.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import types
from sympy import Expr

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.compile.cancellation import cancels_from
from widelimit.numerics.kernel import kernels, series
from widelimit.numerics.kernel.layers import ROUNDING, SMALLEST
from widelimit.numerics.kernel.recursion import next_kernel
from widelimit.numerics.results import by_value
from widelimit.theory import kernel as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray
_SECONDS = 1e-3  # of a layer, with two inputs


class Pairs(NamedTuple):
    """T, Tdot and both `stretch` of all pairs of inputs; V and dV/d log q of the rows and of the columns."""

    t: Array
    tdot: Array
    s1: Array
    s2: Array
    rows: tuple[Array, Array]
    columns: tuple[Array, Array]


Acting = Callable[[Array, Array, Array], Pairs]  # of variances of rows and columns, and correlations


@by_value
@dataclass(frozen=True)
class KernelGradient:
    """`nngp`: (n1, n2); `sigma_w`, `sigma_b`: its derivatives by the scales of each layer, (depth + 1, n1, n2).

    Where one number is the scale of all layers, the derivative with respect to it is the sum over the first axis.
    """

    nngp: Array
    sigma_w: Array
    sigma_b: Array


def nngp_gradient(
    x1: Any,
    x2: Any = None,
    *,
    activation: str | Activation = "relu",
    sigma_w: Any = kernels.HE,
    sigma_b: Any = 0.0,
    depth: int = 1,
) -> KernelGradient:
    """Return the NNGP kernel and its derivatives with respect to sigma_w and sigma_b of every layer.

    dK' = 2 K'_w dsigma_w / sigma_w + 2 sigma_b dsigma_b + sigma_w^2 [S_1 d_1 + S_2 d_2 + Tdot (dK - K (d_1 + d_2)/2)],
    d_i the change of log q_i, S_i = E u phi'(u) phi(v) / 2. Memory is 8 (2 depth + 4) n1 n2 bytes.

    Args: as of `nngp_ntk`.

    Raises `ArgumentError` for inputs that do not fit, `DomainError` for an activation with kinks whose kernel has no
    closed form, and for inputs on one ray where a closed form is 0/0.

    >>> found = nngp_gradient([[1.0, 0.0], [0.6, 0.8]], activation="relu", sigma_w=1.5, sigma_b=0.0, depth=2)
    >>> bool(np.allclose(found.sigma_w.sum(0), 6 * found.nngp / 1.5))  # three factors sigma_w^2
    True
    """
    x1 = kernels.inputs("x1", x1)
    x2 = x1 if x2 is None else kernels.inputs("x2", x2)
    if x1.shape[1] != x2.shape[1]:
        raise ArgumentError(
            "x2", f"must have as many columns as `x1`, {x1.shape[1]}", but=f"has {x2.shape[1]}"
        )
    layers = costs.affordable("depth", arguments.count("depth", depth, least=0), seconds=_SECONDS)
    sw2, sb2 = kernels.scales(layers, sigma_w, sigma_b)
    needed, limit = 8.0 * (2 * layers + 8) * len(x1) * len(x2), kernels.available_memory()
    if needed > limit:
        help = "Ask for fewer inputs at a time."
        but = f"take {needed / 2**30:.3g} GiB"
        raise ArgumentError(
            "x1", f"must give derivatives that fit the memory, {limit / 2**30:.3g} GiB", but=but, help=help
        )
    phi = Activation.of(activation)
    acting = _acting(phi)
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow is told below
        state = _State(x1, x2, len(sw2))
        state.behind(0, sw2[0], sb2[0])
        for layer in range(1, layers + 1):
            state.finite(phi)
            state.through(acting)
            state.behind(layer, sw2[layer], sb2[layer])
    state.finite(phi)
    return KernelGradient(state.k, state.dk[:, 0], state.dk[:, 1])


class _State:
    """Entries `k` for each pair, variances `q` of rows and columns; their changes by each layer's sigma_w and sigma_b.

    `dk`: (layers, 2, n1, n2); `dq`: (layers, 2, n).
    """

    def __init__(self, x1: Array, x2: Array, layers: int) -> None:
        width = x1.shape[1]
        self.k = x1 @ x2.T / width
        self.q = [np.einsum("ij,ij->i", x, x) / width for x in (x1, x2)]
        self.dk = np.zeros((layers, 2, *self.k.shape))
        self.dq = [np.zeros((layers, 2, len(x))) for x in (x1, x2)]

    def finite(self, phi: Activation) -> None:
        """Raise `DomainError` where something has overflown."""
        if not all(np.isfinite(one).all() for one in (self.k, self.dk, *self.q, *self.dq)):
            raise DomainError(f"The kernels of {phi.name} overflow. Reduce sigma_w, or the depth.")

    def behind(self, layer: int, sw2: float, sb2: float) -> None:
        """Pass a layer of weights: everything by `next_kernel`, and the layer's own parameters begin to count."""
        w, b = math.sqrt(sw2), math.sqrt(sb2)
        for value, change in ((self.k, self.dk), *zip(self.q, self.dq, strict=True)):
            change[:layer] *= sw2
            change[layer, 0] = 2 * w * value
            change[layer, 1] = 2 * b
        self.k = np.asarray(next_kernel(self.k, sw2, sb2))
        self.q = [np.asarray(next_kernel(q, sw2, sb2)) for q in self.q]

    def through(self, acting: Acting) -> None:
        """Pass an activation: T in place of entries, V in place of variances."""
        one, two = (np.maximum(q, SMALLEST) for q in self.q)
        rho = self.k / (np.sqrt(one)[:, None] * np.sqrt(two))
        rho = np.where(np.abs(rho) > 1 - ROUNDING, np.sign(rho), rho)
        found = acting(one, two, rho)
        change = _change()
        for layer in range(len(self.dk)):
            for which in (0, 1):
                d1, d2 = self.dq[0][layer, which] / one, self.dq[1][layer, which] / two
                self.dk[layer, which] = change(
                    found.s1, found.s2, found.tdot, self.dk[layer, which], self.k, d1[:, None], d2[None, :]
                )
                self.dq[0][layer, which], self.dq[1][layer, which] = found.rows[1] * d1, found.columns[1] * d2
        self.k, self.q = found.t, [found.rows[0], found.columns[0]]


@functools.cache
def _change() -> Compiled:
    t = theory
    bare = t.kernel_change().subs(t.SIGMA_W, 1)  # the weights behind come later
    return compile(bare, (t.S1, t.S2, t.TDOT, t.DK, t.K, t.D1, t.D2), name="kernel_change")


@functools.lru_cache(maxsize=64)
def _acting(phi: Activation) -> Acting:
    if phi.is_smooth:
        return functools.partial(_by_series, phi)
    if not theory.is_closed(theory.pair(phi)[0]):
        raise DomainError(
            f"The kernel of {phi.name} has kinks and no closed form: its derivatives are not available. Use a smooth "
            "activation, or one such as relu."
        )
    t, tdot = theory.pair(phi)
    first = theory.stretch(phi)
    second = first.subs({theory.Q1: theory.Q2, theory.Q2: theory.Q1}, simultaneous=True)
    whole = compile((t, tdot, first, second), theory.PAIR_SYMBOLS, name="pair_and_stretch")
    same, same_dot, opposite, opposite_dot = theory.equal_pair(phi)

    def half_slope(one: Expr) -> Expr:
        return theory.Q1 * one.diff(theory.Q1) / 2

    equal = (same, same_dot, half_slope(same), opposite, opposite_dot, half_slope(opposite))
    return functools.partial(_closed, phi, whole, compile(equal, (theory.Q1,), name="equal_and_slope"))


def _closed(phi: Activation, whole: Compiled, equal: Compiled, one: Array, two: Array, rho: Array) -> Pairs:
    if max(one.max(), two.max()) >= cancels_from(phi.expr, X, True):
        raise DomainError(
            f"The closed form of the kernel of {phi.name} loses its digits at these variances: reduce sigma_w."
        )
    with np.errstate(all="ignore"):
        found = np.array(
            [np.broadcast_to(part, rho.shape) for part in whole(one[:, None], two[None, :], rho)]
        )
    for sign, first in ((1, 0), (-1, 3)):
        rows, columns = np.nonzero((rho == sign) & ((found != found) | np.isinf(found)).any(0))
        if not rows.size:
            continue
        if (np.abs(one[rows] / two[columns] - 1) > 1e-9).any():
            raise DomainError(
                f"Derivatives of the kernel of {phi.name} are 0/0 for inputs on one ray: leave one out."
            )
        t, tdot, slope = (np.broadcast_to(part, rows.shape) for part in equal(one[rows])[first : first + 3])
        found[:, rows, columns] = t, tdot, slope, slope
    alone = [tuple(np.broadcast_to(part, q.shape) for part in equal(q)) for q in (one, two)]
    by_rows, by_columns = ((part[0], 2 * part[2]) for part in alone)
    return Pairs(found[0], found[1], found[2], found[3], by_rows, by_columns)


def _by_series(phi: Activation, one: Array, two: Array, rho: Array) -> Pairs:
    """By Mehler's formula; those of u phi'(u)/2 are d a_n / d log q = (n a_n + sqrt((n + 1)(n + 2)) a_{n+2}) / 2."""
    q = np.concatenate([one, two])
    a = series.expansion(phi, q)
    n = np.arange(a.shape[0] - 2)[:, None]
    moved = (n * a[:-2] + np.sqrt((n + 1.0) * (n + 2)) * a[2:]) / 2
    a = a[:-2]
    a1, a2, m1, m2 = a[:, : one.size], a[:, one.size :], moved[:, : one.size], moved[:, one.size :]
    t, tdot, s1, s2 = (np.zeros(rho.shape) for _ in range(4))
    parts = [np.ascontiguousarray(part) for part in (a1, a2, m1, m2, rho)]
    _horner(*parts, t, tdot, s1, s2)
    tdot /= np.sqrt(one)[:, None] * np.sqrt(two)
    by_rows, by_columns = (((c**2).sum(0), 2 * (c * m).sum(0)) for c, m in ((a1, m1), (a2, m2)))
    return Pairs(t, tdot, s1, s2, by_rows, by_columns)


_C2 = types.Array(types.float64, 2, "C")


@njit(types.void(*[_C2] * 9), nogil=True, error_model="numpy", cache=True)
def _horner(a1, a2, m1, m2, rho, t, tdot, s1, s2):
    """T, its slope in rho, and both stretches, row by row."""
    for i in range(rho.shape[0]):
        for n in range(a1.shape[0] - 1, -1, -1):
            left, moved = a1[n, i], m1[n, i]
            for j in range(rho.shape[1]):
                x = rho[i, j]
                tdot[i, j] = tdot[i, j] * x + t[i, j]
                t[i, j] = t[i, j] * x + left * a2[n, j]
                s1[i, j] = s1[i, j] * x + moved * a2[n, j]
                s2[i, j] = s2[i, j] * x + left * m2[n, j]
