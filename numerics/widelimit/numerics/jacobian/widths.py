"""Moments of the Jacobian of networks of finite width: `theory.jacobian.finite` along the infinitely wide network."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Expr, Integer, sqrt

from widelimit.numerics import arguments, costs, meanfield
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.jacobian.closed import ENSEMBLES
from widelimit.numerics.meanfield.widths import behind, widths
from widelimit.numerics.results import by_value
from widelimit.theory import jacobian as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.gaussian.growth import require_finite
from widelimit.theory.calculus.implicit import taylor
from widelimit.theory.errors import ArgumentError, ConvergenceError, DomainError
from widelimit.theory.jacobian import finite, finite_orthogonal
from widelimit.theory.meanfield.formulas import sigma_b

Array = np.ndarray
_FORMULAS = {"gaussian": finite, "orthogonal": finite_orthogonal}


@by_value
@dataclass(frozen=True)
class JacobianAtWidth:
    """Moments m_1, m_2, m_3 of J J^T of one network at each of several widths N, (widths, 3), to order 1/N.

    moments: averages over networks, those of the infinitely wide one plus `correction`, of error O(1/N^2); `deviation`
    their standard deviation from network to network, to leading order. `ratios`, with the same two: log m_1,
    m_2/m_1^2 and m_3/m_1^3 of one network, which scatter less. Trust all where corrections are small; they grow with
    depth/width.
    """

    width: Array
    moments: Array
    correction: Array
    deviation: Array
    ratios: Array
    ratios_correction: Array
    ratios_deviation: Array


def at_width(
    activation: str | Activation | Expr,
    *,
    sigma_w: float,
    sigma_b: float = 0.0,
    depth: int,
    width: Any,
    weights: str = "orthogonal",
    q0: float | None = None,
) -> JacobianAtWidth:
    """Return the first three moments of J J^T of networks whose input and layers all have `width` units.

    q0: second moment of the first layer's pre-activations, which the input's length fixes; default q*. width: one
    number or several. Gaussian weights by Wick's theorem, orthogonal ones by Weingarten's; both with what the slopes
    know of the weights, and with the scatter of a layer's own slopes and lengths (`theory.jacobian.finite`).

    Raises `ArgumentError` for wrong arguments, `NoFixedPointError` where q* is not finite and no q0 is given,
    `InfiniteMomentError` where E phi'^12 or E phi^4 is infinite, `DomainError` for slopes that jump or moments that no
    float holds.

    >>> found = at_width("linear", sigma_w=1.0, depth=1, width=[10, 100], weights="gaussian", q0=1.0)
    >>> found.moments.round(9).tolist()  # of a real Wishart matrix: 1, 2 + 1/N, 5 + 6/N
    [[1.0, 2.1, 5.6], [1.0, 2.01, 5.06]]
    >>> for weights in ("gaussian", "orthogonal"):
    ...     found = at_width("tanh", sigma_w=1.2, sigma_b=0.1, depth=4, width=50, weights=weights)
    ...     print(found.ratios[0].round(6).tolist(), found.ratios_correction[0].round(6).tolist())
    [-0.026537, 5.9012, 50.311956] [-0.03811, 0.266737, 5.524378]
    [0.004783, 1.6403, 3.208484] [-0.006789, 0.005837, 0.03447]
    """
    phi = Activation.of(activation)
    sw = arguments.positive_number("sigma_w", sigma_w)
    sb = arguments.non_negative_number("sigma_b", sigma_b)
    layers = arguments.count("depth", depth)
    kind = arguments.choice("weights", weights, ENSEMBLES)
    n = widths(width)
    costs.affordable("depth", layers, memory=1, seconds=2e-4)
    if q0 is None:
        length = float(meanfield.solve(phi, sigma_w=sw, sigma_b=sb).q_star)
        if not length:
            raise ArgumentError("q0", "must be given here", but="is not, and lengths shrink to zero")
    else:
        length = arguments.positive_number("q0", q0)
        if length < sb**2:
            raise ArgumentError(
                "q0", f"must be at least sigma_b^2 = {sb**2:g}", q0, "Biases alone give that."
            )
    chain = _Chain(phi, sw, sb, kind, length)
    with np.errstate(all="ignore"):
        for _ in range(layers):
            chain.layer()
        moments, ratios = (chain.observed(one) for one in ("moments", "ratios"))
    if not (np.isfinite(moments).all() and np.isfinite(ratios).all()):
        raise DomainError(
            f"Moments of {layers} layers leave the range of floats. Take fewer layers, or a critical sigma_w."
        )
    return JacobianAtWidth(n, *_over(moments, n), *_over(ratios, n))


def _over(known: Array, n: Array) -> tuple[Array, Array, Array]:
    """Means, corrections and deviations at widths n from the limit, N times the shift and N times the variance."""
    limit, shift, variance = known
    correction = shift / n[:, None]
    return limit + correction, correction, np.sqrt(np.maximum(variance, 0.0) / n[:, None])


class _Chain:
    """K and the moments t of the layers so far: limits, N times shifts of means, N times covariances; the overlaps."""

    def __init__(self, phi: Activation, sw: float, sb: float, kind: str, length: float) -> None:
        self.phi, self.sw, self.sb, self.kind = phi, sw, sb, kind
        self.state = np.array([length, 1.0, 1.0, 1.0])
        self.shift, self.covariance = np.zeros(4), np.zeros((4, 4))
        self.overlaps = np.full(3, 1.0 if kind == "orthogonal" else 1 - sb**2 / length)
        self._known: tuple[float, Array] | None = None

    def layer(self) -> None:
        """Add one layer: second-order Taylor of the limit's map in the layer's own means and the t below."""
        length, share = self.state[0], 1 - self.sb**2 / self.state[0]
        averages = self._averages(length)
        found = _layer(self.kind)(self.sw, self.sb, share, *averages, *self.state[1:], *self.overlaps)
        values, first, second, excess, overlaps, own_shift, own = _split(np.array(found))
        slope, curvature = averages[1:12:3] / (2 * length), averages[2:12:3] / (4 * length**2)  # by K
        carry = np.zeros((7, 4))  # of S, M and t by K and t
        carry[:4, 0], carry[4:, 1:] = slope, np.eye(3)
        around = carry @ self.covariance @ carry.T
        around[:4, :4] += own
        moved = carry @ self.shift
        moved[:4] += own_shift + curvature * self.covariance[0, 0] / 2
        shift, self.covariance = behind(first, second, moved, around)
        self.shift = shift + excess
        self.state, self.overlaps = values, overlaps

    def observed(self, name: str) -> Array:
        """Limit, N times the shift and N times the variance of three functions of the t, (3, 3)."""
        found = np.array(_observed(name)(*self.state[1:]))
        values, first, second = found[:3], found[3:12].reshape(3, 3), found[12:].reshape(3, 3, 3)
        shift, covariance = behind(first, second, self.shift[1:], self.covariance[1:, 1:])
        return np.array([values, shift, np.diagonal(covariance)])

    def _averages(self, length: float) -> Array:
        """What `finite.integrands` are at a length; those of the layer before where it has settled."""
        if self._known is not None and abs(self._known[0] - length) <= 1e-14 * length:
            return self._known[1]
        values, errors = _averages(self.phi).evaluate(np.array([length]))
        if not (errors[:, 0] <= 1e-7 * _sizes(values[:, 0])).all():
            raise ConvergenceError(
                f"Moments of {self.phi} and its slope at the length {length:g} are not resolved. Use other scales."
            )
        self._known = length, values[:, 0]
        return self._known[1]


def _sizes(averages: Array) -> Array:
    """What each average would be of without signs, roughly: tilted ones of the plain ones, by Cauchy and Schwarz."""
    sizes = np.abs(averages)
    sizes[:12] = np.repeat(sizes[:12:3], 3)
    sizes[-3:] = np.sqrt(sizes[13] * np.array([1.0, sizes[6], sizes[16]]))  # E phi^2 phi'^2 times E phi'^4k
    return sizes + 1e-280


@functools.lru_cache(maxsize=64)
def _averages(phi: Activation) -> Compiled:
    """`finite.integrands` of one activation by quadrature, of q."""
    slope = phi.derivative(1)
    theory.slope_moment(phi, 1)  # refuses slopes that are no functions
    for power, one, name in ((4, phi.expr, "phi"), (12, slope.expr, "phi'")):
        require_finite(one**power, X, f"E {name}^{power} of {phi}")
    known = {finite.f: phi.expr, finite.slope: slope.expr, finite.z: X / sqrt(theory.q)}
    each = [one.subs(known, simultaneous=True) for one in finite.integrands()]
    return compile([Expectation(one, X, theory.q) for one in each], [theory.q], name="jacobian_averages")


@functools.cache
def _layer(kind: str) -> Compiled:
    """sigma_w, sigma_b, share of K, averages, t, overlaps -> what `_split` takes apart."""
    made = _FORMULAS[kind]
    variables = (*finite.OWN, *finite.t)
    same = {finite.mean_square: finite.square} | dict(zip(finite.mu[:3], finite.M, strict=True))
    results = [
        *taylor(made.layer_map(), variables),
        *made.excess(),
        *made.overlap_map(),
        *(
            finite_orthogonal.own_shift() if kind == "orthogonal" else [Integer(0)] * 4
        ),  # Gaussian rows are independent
        *made.own_covariance().subs(same),
    ]
    symbols = [
        theory.sigma_w, sigma_b, finite.share,
        *finite.averages(), *finite.t, *finite.overlap,
    ]  # fmt: skip
    return compile(results, symbols, name=f"jacobian_width_{kind}")


def _split(found: Array) -> tuple[Array, Array, Array, Array, Array, Array, Array]:
    """Values, Jacobian (4, 7) and Hessian (4, 7, 7) of the layer's map; excess, overlaps, own shift and covariance."""
    parts = np.split(found, np.cumsum([4, 28, 196, 4, 3, 4]))
    values, first, second, excess, overlaps, own_shift, own = parts
    return (
        values,
        first.reshape(4, 7),
        second.reshape(4, 7, 7),
        excess,
        overlaps,
        own_shift,
        own.reshape(4, 4),
    )


@functools.cache
def _observed(name: str) -> Compiled:
    """t -> values, first and second derivatives of what one network shows."""
    functions = {"moments": finite.t, "ratios": finite.statistics()}[name]
    return compile(taylor(functions, finite.t), finite.t, name=f"jacobian_{name}_at_width")
