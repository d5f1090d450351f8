"""Two inputs through the layers: lengths q_1, q_2 and eps = 1 - c, which keeps its digits next to c = 1.

With q' = (sigma_w^2/rho) V(q) + sigma_b^2 for both inputs and D = E (phi(sqrt(q_1) z) - phi(sqrt(q_2) z))^2,

    sqrt(q_1' q_2') eps' = sigma_w^2 (gap(eps) + D/2 + (1/rho - 1)(V_1 + V_2)/2) - (sqrt(q_1') - sqrt(q_2'))^2/2,

every term of which is exact to rounding where the two inputs meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Expr

from widelimit.numerics import arguments
from widelimit.numerics.meanfield_correlations import TERMS
from widelimit.numerics.meanfield_maps import Maps, maps
from widelimit.numerics.results import by_value
from widelimit.theory.activation import Activation
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray
SETTLED = 2e-16  # relative change of q below which the length has reached its fixed point


@by_value
@dataclass(frozen=True)
class Propagation:
    """Per layer, index 0 the inputs: q (of the first input), q_2, c, one_minus_c, and chi.

    chi[l] = (sigma_w^2/keep) E phi'(sqrt(q[l]) z)^2 is the factor of the squared gradient between layers l and l + 1;
    `gradient` its running product: E|dE/dh^0|^2 = gradient[L] E|dE/dh^L|^2 for layers of equal width.
    """

    q: Array
    q_2: Array
    c: Array
    one_minus_c: Array
    chi: Array
    gradient: Array


def propagate(
    activation: str | Activation | Expr,
    *,
    sigma_w: float,
    sigma_b: float = 0.0,
    q0: Any = 1.0,
    c0: float = 0.0,
    depth: int,
    keep: float = 1.0,
    one_minus_c0: float | None = None,
) -> Propagation:
    """Lengths and correlation of two inputs over `depth` layers (1606.05340, eqs. 3 and 5; dropout: 1611.01232).

    q0: second moment of the first-layer pre-activations, one number or a pair. c0: their correlation;
    `one_minus_c0` gives 1 - c0 instead where it is below rounding. Raises `DomainError` when a length overflows.

    >>> p = propagate("relu", sigma_w=2**0.5, q0=1.0, c0=0.0, depth=2)
    >>> p.q.round(12).tolist(), float(p.c[1].round(12))
    ([1.0, 1.0, 1.0], 0.318309886184)
    """
    w = float(_one("sigma_w", arguments.non_negative("sigma_w", sigma_w)))
    b = float(_one("sigma_b", arguments.non_negative("sigma_b", sigma_b)))
    rho = float(_one("keep", arguments.probability("keep", keep)))
    layers = arguments.count("depth", depth)
    start = arguments.positive("q0", q0)
    if start.shape not in ((), (1,), (2,)):
        raise ArgumentError("q0", "must be one number or a pair", q0)
    c = float(_one("c0", arguments.correlation("c0", c0)))
    eps = (
        1 - c
        if one_minus_c0 is None
        else float(_one("one_minus_c0", arguments.within("one_minus_c0", one_minus_c0, 0, 2)))
    )
    first, second = float(start.reshape(-1)[0]), float(start.reshape(-1)[-1])
    functions = maps(activation)
    table = np.empty((4, layers + 1))
    state = _Pair(functions, w, b, rho)
    here = (first, second, eps)
    for layer in range(layers + 1):
        after, chi = state.step(*here)
        table[:, layer] = (*here, chi)
        if layer < layers and not all(np.isfinite(after)):
            raise DomainError(
                f"The length of {functions.activation.name} overflows in layer {layer + 1} at sigma_w = {w:g}, "
                f"sigma_b = {b:g}. Use a smaller sigma_w or fewer layers."
            )
        here = after
    with np.errstate(over="ignore", under="ignore"):
        gradient = np.concatenate([[1.0], np.cumprod(table[3, :-1])])
    return Propagation(table[0], table[1], 1 - table[2], table[2], table[3], gradient)


def _one(name: str, array: Array) -> Array:
    if array.ndim:
        raise ArgumentError(name, "must be one number here", array.tolist())
    return array


class _Pair:
    """One step of the recursion; keeps what does not change once the lengths have settled."""

    def __init__(self, functions: Maps, w: float, b: float, rho: float) -> None:
        self._functions, self._w2, self._s, self._bias, self._rho = functions, w * w, w * w / rho, b * b, rho
        self._lengths: tuple[float, float] | None = None
        self._known: tuple[Any, ...] = ()
        self._pairs: dict[int, Any] = {}

    def step(self, q1: float, q2: float, eps: float) -> tuple[tuple[float, float, float], float]:
        """Return (q_1', q_2', eps') and chi at q_1."""
        if (q1, q2) != self._lengths:
            self._prepare(q1, q2)
        new1, new2, distance, noise, chi = self._known
        if not (np.isfinite(new1) and np.isfinite(new2)):
            return (np.inf, np.inf, np.inf), chi
        scale = np.sqrt(new1) * np.sqrt(new2)
        if scale == 0:
            return (new1, new2, eps), chi
        new = (self._w2 * self._gap(eps) + distance + noise) / scale if q1 > 0 and q2 > 0 else noise / scale
        return (new1, new2, float(min(max(new, 0.0), 2.0))), chi

    def _prepare(self, q1: float, q2: float) -> None:
        pair = np.array([q1, q2])
        (v, p, _), _ = self._functions.moments(pair)
        new = self._s * v + self._bias
        settled = np.abs(new - pair) <= SETTLED * pair
        new = np.where(settled, pair, new)
        distance = 0.0
        if q1 != q2 and np.isfinite(new).all():
            _, apart = self._functions.joint(q1, q2)
            distance = (
                self._w2 * apart / 2 - ((new[0] - new[1]) / (np.sqrt(new[0]) + np.sqrt(new[1]))) ** 2 / 2
            )
        noise = self._w2 * (1 / self._rho - 1) * (v[0] + v[1]) / 2
        self._lengths, self._pairs = (q1, q2), {}
        self._known = (float(new[0]), float(new[1]), float(distance), float(noise), float(self._s * p[0]))

    def _gap(self, eps: float) -> float:
        """cov(0) - cov(eps) by the cheapest method that is right."""
        assert self._lengths is not None
        at = np.array([eps])
        q1 = np.array([self._lengths[0]])
        q2 = q1 if self._lengths[0] == self._lengths[1] else np.array([self._lengths[1]])
        if eps == 0:
            return 0.0
        for terms in (0,) if self._functions.closed else TERMS:
            if terms not in self._pairs:
                self._pairs[terms] = self._functions.pairs(q1, q2, terms)
            if self._pairs[terms].accurate(at)[0]:
                return float(self._pairs[terms].gap(at)[0])
        return float(self._functions.conditioned(q1, q2).gap(at)[0])
