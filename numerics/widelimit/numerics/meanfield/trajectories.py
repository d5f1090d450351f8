"""Two inputs through the layers: lengths q_1, q_2 and eps = 1 - c, which keeps its digits next to c = 1.

`theory.meanfield.dropout_length_map` for each input, `unequal_defect_map` for both, every term of which is exact to
rounding where the two inputs meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Expr

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile.quadrature import TINY
from widelimit.numerics.meanfield import loops
from widelimit.numerics.meanfield.correlations import TERMS
from widelimit.numerics.meanfield.layers import layer
from widelimit.numerics.meanfield.maps import Maps, maps
from widelimit.numerics.meanfield.pairs import NODES, WEIGHTS, Closed
from widelimit.numerics.meanfield.widths import AtWidth, at_width, widths
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray
BLOCK = 4096  # layers whose Hermite coefficients are held at once
SLOW, COMPILED = (
    500,
    10_000,
)  # layers by array quadrature after which, and left for which, scalar code is compiled


@by_value
@dataclass(frozen=True)
class Propagation:
    """Per layer, index 0 the inputs: q (of the first input), q_2, c, one_minus_c, and chi.

    chi[l] = (sigma_w^2/keep) E phi'(sqrt(q[l]) z)^2 is the factor of the squared gradient between layers l and l + 1;
    `gradient` its running product: E|dE/dh^0|^2 = gradient[L] E|dE/dh^L|^2 for layers of equal width. `at_width`: q and
    c at the finite widths that were asked for.
    """

    q: Array
    q_2: Array
    c: Array
    one_minus_c: Array
    chi: Array
    gradient: Array
    at_width: AtWidth | None = None


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
    width: Any = None,
    weights: str = "gaussian",
    given: bool = False,
) -> Propagation:
    """Lengths and correlation of two inputs over `depth` layers (1606.05340, eqs. 3 and 5; dropout: 1611.01232).

    q0: second moment of the first-layer pre-activations, one number or a pair. c0: their correlation;
    `one_minus_c0` gives 1 - c0 instead where it is below rounding. width: units of every hidden layer, one number or
    several; `at_width` then has the first input's lengths and the correlation there, mean and spread over networks to
    order 1/width. There `weights` tells "gaussian" from "orthogonal" ones, and `given` pre-activations that have q0 and
    c0 themselves from those of a layer of random weights and biases on inputs, for which q0 and c0 are means. Raises
    `DomainError` when a length overflows.

    >>> p = propagate("relu", sigma_w=2**0.5, q0=1.0, c0=0.0, depth=2)
    >>> p.q.round(12).tolist(), float(p.c[1].round(12))
    ([1.0, 1.0, 1.0], 0.318309886184)
    >>> apart = propagate("erf", sigma_w=1.5, sigma_b=0.1, q0=(1.0, 2.0), c0=0.3, depth=1)
    >>> float(apart.c[1].round(12)), float(apart.gradient[1].round(12))
    (0.274654209647, 1.281172578151)
    >>> near = propagate("erf", sigma_w=1.5, sigma_b=0.1, q0=(1.0, 1.001), one_minus_c0=1e-5, depth=1)
    >>> f"{near.one_minus_c[1]:.8g}"
    '1.2151855e-05'
    >>> mine = propagate("relu", sigma_w=2**0.5, depth=3, width=256).at_width
    >>> mine.mean[0].round(9).tolist(), mine.deviation[0].round(9).tolist()
    ([1.0, 1.0, 1.0, 1.0], [0.0, 0.139754249, 0.197642354, 0.242061459])
    >>> mine.sample_deviation[0].round(9).tolist()
    [0.088388348, 0.165359457, 0.216506351, 0.257694102]
    >>> propagate("tanh", sigma_w=1.5, sigma_b=0.1, depth=3, width=256).at_width.correction[0].round(8).tolist()
    [0.0, 0.0, -0.00044232, -0.00076312]
    >>> pair = {"sigma_w": 1.5, "sigma_b": 0.1, "c0": 0.5, "depth": 2, "width": 30}
    >>> for weights in ("gaussian", "orthogonal"):
    ...     mine = propagate("tanh", **pair, weights=weights, given=True).at_width
    ...     print(mine.c_correction[0].round(8).tolist(), mine.c_deviation[0, 1:].round(8).tolist())
    [0.0, -0.00590469, -0.00956351] [0.15414613, 0.2140954]
    [0.0, -0.00023199, -0.00039796] [0.06509664, 0.08879034]
    """
    units = None if width is None else widths(width)
    orthogonal = arguments.choice("weights", weights, ("gaussian", "orthogonal")) == "orthogonal"
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
    # seven columns of numbers a layer; a layer costs from a tenth of a microsecond (closed forms) up
    costs.affordable("depth", layers, memory=9 * 8, seconds=2e-6)
    functions = maps(activation)
    path = _Path(functions, w, b, rho, layers)
    path.follow_lengths(first, second)
    eps_path = path.follow_correlation(eps)
    with np.errstate(over="ignore", under="ignore"):
        gradient = np.concatenate([[1.0], np.cumprod(path.factor[:-1])])
    finite = None
    if units is not None:
        entries = np.stack([path.q1, (1 - eps_path) * np.sqrt(path.q1 * path.q2), path.q2], axis=1)
        held = entries - b**2 if orthogonal else np.zeros_like(entries)  # products go through; biases scatter
        if arguments.flag("given", given):
            held[0] = entries[0]
        finite = at_width(functions, w, rho, units, (path.q1, path.q2), eps_path, held)
    return Propagation(path.q1, path.q2, 1 - eps_path, eps_path, path.chi, gradient, finite)


def _one(name: str, array: Array) -> Array:
    if array.ndim:
        raise ArgumentError(name, "must be one number here", array.tolist())
    return array


class _Path:
    """The recursion of one request: first the lengths of both inputs over all layers, then eps = 1 - c along them."""

    def __init__(self, functions: Maps, w: float, b: float, rho: float, depth: int) -> None:
        self.functions, self.depth = functions, depth
        self.compiled, self.w, self.rho = layer(), w, rho
        self.s, self.bias = self.compiled.length(w, b, rho)
        self.where = f"sigma_w = {w:g}, sigma_b = {b:g}"

    def follow_lengths(self, first: float, second: float) -> None:
        """Find q, V and P of both inputs in every layer; `settled` is the layer from which nothing changes."""
        self.q1, self.v1, p1, last = self._lengths(first)
        self.q2, self.v2, _, also = (self.q1, self.v1, p1, last) if first == second else self._lengths(second)
        self.chi, _, _, self.factor = self.compiled.slopes(self.w, self.rho, p1, 0.0)
        self.settled = max(last, also)

    def _lengths(self, start: float) -> tuple[Array, Array, Array, int]:
        q, v, p = np.empty((3, self.depth + 1))
        q[0], layer, steps = start, 0, 0
        low, high = self.functions.formulas.trusted
        fast = self.functions.moments_are_closed
        while layer < q.size:
            if fast and low <= q[layer] <= high:
                layer = loops.lengths(
                    self.functions.njit_moments, q, v, p, layer, self.s, self.bias, low, high
                )
            elif steps > SLOW and q.size - layer > COMPILED:
                layer = loops.lengths(
                    self.functions.njit_integrals, q, v, p, layer, self.s, self.bias, -np.inf, np.inf
                )
            else:
                (v[layer], p[layer], _), _ = (
                    row[:, 0] for row in self.functions.moments(q[layer : layer + 1])
                )
                new = self.s * v[layer] + self.bias
                layer, steps = layer + 1, steps + 1
                if layer < q.size:
                    q[layer] = (
                        q[layer - 1] if abs(new - q[layer - 1]) <= loops.SETTLED * q[layer - 1] else new
                    )
            if layer < q.size and not np.isfinite(q[layer]):
                self._refuse(layer)
            if layer < q.size and q[layer] == q[layer - 1]:
                for column in (q, v, p):
                    column[layer:] = column[layer - 1]
                return q, v, p, layer - 1
        if not np.isfinite(q).all():
            self._refuse(int(np.flatnonzero(~np.isfinite(q))[0]))
        return q, v, p, self.depth

    def _refuse(self, layer: int) -> None:
        raise DomainError(
            f"The length of {self.functions.activation.name} overflows in layer {layer} at {self.where}. "
            "Use a smaller sigma_w or fewer layers."
        )

    def follow_correlation(self, start: float) -> Array:
        """Return eps in every layer."""
        eps = np.empty(self.depth + 1)
        eps[0], layer = start, 0
        different = np.flatnonzero(self.q1 != self.q2)
        if different.size:  # two lengths: layer by layer
            last = int(different[-1]) + 1
            costs.affordable("depth", last, seconds=4e-3)
            while layer < min(last, self.depth):
                eps[layer + 1] = self._step(layer, eps[layer])
                layer += 1
        while layer < self.depth:
            layer = self._equal(eps, layer)
        return eps

    def _equal(self, eps: Array, layer: int) -> int:
        """Follow eps from a layer on in which both lengths are equal; return the layer reached."""
        stop = self.depth if layer >= self.settled else min(self.depth, self.settled, layer + BLOCK)
        count = 1 if layer >= self.settled else stop - layer
        rows = slice(layer, layer + count)
        q = self.q1[rows].copy()
        new_q = np.append(self.q1, self.q1[-1])[rows.start + 1 : rows.stop + 1]
        weight, noise = self.compiled.equal(
            self.w, self.rho, self.v1[rows], np.where(new_q > 0, new_q, np.nan)
        )
        at = np.maximum(q, TINY)
        for terms in (0,) if self.functions.closed_at(at) else TERMS:
            pairs = self.functions.pairs(at, at, terms)
            if isinstance(pairs, Closed):
                return layer + _closed(pairs, eps[layer : stop + 1], q, weight, noise)
            got = int(
                loops.series(
                    pairs.products, pairs.tail, pairs.moment, pairs.spread, eps, q, weight, noise,
                    layer, layer, stop,
                )
            )  # fmt: skip
            if got > layer:
                return got
        # rough phi and inputs next to each other
        costs.affordable("depth", self.depth - layer, seconds=4e-3)
        eps[layer + 1] = self._step(layer, eps[layer])
        return layer + 1

    def _step(self, layer: int, eps: float) -> float:
        """Return eps one layer on, by the cheapest method that is right for any lengths."""
        q1, q2 = float(self.q1[layer]), float(self.q2[layer])
        new1, new2 = float(self.q1[layer + 1]), float(self.q2[layer + 1])
        if new1 == 0 or new2 == 0:
            return eps
        distance = self.functions.joint(q1, q2)[1] if q1 != q2 else 0.0
        seconds = (float(self.v1[layer]), float(self.v2[layer]))
        new = self.compiled.step(self.w, self.rho, self._gap(q1, q2, eps), distance, *seconds, new1, new2)
        return float(min(max(new, 0.0), 2.0))

    def _gap(self, one: float, two: float, eps: float) -> float:
        """cov(0) - cov(eps) by the cheapest method that is right."""
        if eps == 0:
            return 0.0
        at, q1 = np.array([eps]), np.array([one])
        q2 = q1 if one == two else np.array([two])
        for terms in (0,) if self.functions.closed_at(np.array([one, two])) else TERMS:
            pairs = self.functions.pairs(q1, q2, terms)
            if pairs.accurate(at)[0]:
                return float(pairs.gap(at)[0])
        return float(self.functions.conditioned(q1, q2).gap(at)[0])


def _closed(pairs: Closed, eps: Array, q: Array, weight: Array, noise: Array) -> int:
    return int(
        loops.closed(
            pairs.functions.njit, eps, q, pairs.at_one, weight, noise, NODES, WEIGHTS, 0, eps.size - 1
        )
    )
