"""Derivatives of the moments of squared singular values by sigma_w, sigma_b, depth and dropout, at the fixed point."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from sympy import Expr, Symbol

from widelimit.numerics import arguments, meanfield
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.jacobian.closed import ENSEMBLES
from widelimit.numerics.results import by_value
from widelimit.theory import jacobian as theory
from widelimit.theory import meanfield as lengths
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ConvergenceError, DomainError
from widelimit.theory.jacobian import gradients as formulas

_PARAMETERS: dict[str, Symbol | None] = {
    "sigma_w": theory.sigma_w, "sigma_b": None, "depth": theory.depth, "keep": lengths.keep,
}  # fmt: skip


@by_value
@dataclass(frozen=True)
class JacobianMoments:
    """Of the squared singular values of J: three moments, their variance, and that over the squared mean."""

    mean: float
    second_moment: float
    third_moment: float
    variance: float
    variance_ratio: float


@by_value
@dataclass(frozen=True)
class JacobianGradient:
    """`value`, and its derivatives by `sigma_w`, `sigma_b`, `depth` (as if layers were a real number) and `keep`."""

    value: JacobianMoments
    sigma_w: JacobianMoments
    sigma_b: JacobianMoments
    depth: JacobianMoments
    keep: JacobianMoments


def gradient(
    activation: str | Activation | Expr,
    *,
    sigma_w: float,
    sigma_b: float = 0.0,
    depth: float,
    keep: float = 1.0,
    weights: str = "orthogonal",
) -> JacobianGradient:
    """Return the moments of J J^T of layers at the fixed point q* of lengths, and their derivatives.

    m_k in mu_k = E phi'(u)^2k, u ~ N(0, q*) (`moments`), and the chain rule along q*, which moves by the implicit
    function theorem (`meanfield.gradient`). Where no mu_k depends on q (ReLU), no fixed point is needed. Dropout keeps
    a share `keep` of the units behind every layer, divided by it: mu_k is keep^(1 - 2k) E phi'^2k, and lengths settle
    with sigma_w^2/keep.

    Raises `ArgumentError` for scales or a depth that are not positive, `DomainError` for moments beyond the range of
    floats, and what `meanfield.gradient` raises.

    >>> found = gradient("relu", sigma_w=2**0.5, depth=8, weights="gaussian")
    >>> round(found.value.variance, 9), round(found.sigma_w.mean, 9), round(found.depth.variance, 9)
    (16.0, 11.313708499, 2.0)
    >>> found = gradient("erf_s", sigma_w=1.2, sigma_b=0.3, depth=4)  # mean (sigma_w^2/sqrt(1 + pi q*))^4
    >>> round(found.value.mean, 9), round(found.sigma_b.mean, 9)
    (0.627321196, -1.77803338)
    """
    phi = Activation.of(activation)
    kind = arguments.choice("weights", weights, ENSEMBLES)
    sw = arguments.positive_number("sigma_w", sigma_w)
    sb = arguments.non_negative_number("sigma_b", sigma_b)
    layers = arguments.positive_number("depth", depth)
    rho = arguments.single("keep", arguments.probability("keep", keep))
    slopes = _slopes(phi)
    q, moves = 1.0, dict.fromkeys(_PARAMETERS, 0.0)
    if any(one.has(theory.q) for one in slopes.expressions):
        found = meanfield.gradient(phi, sigma_w=sw, sigma_b=sb, keep=rho)
        q = max(float(found.value.q_star), 1e-280)
        moves |= {name: getattr(found, name).q_star for name in ("sigma_w", "sigma_b", "keep")}
    values, errors = slopes.evaluate(np.array([q]))
    if not (errors <= 1e-6 * (np.abs(values) + 1e-3)).all():
        raise ConvergenceError(
            f"Moments of the slope of {phi.name} at q = {q:g} are not resolved. Use other scales."
        )
    known = (*values[:, 0], sw, layers, rho)
    with np.errstate(all="ignore"):
        each = {"value": _observed(kind)(*known, 0.0)} | {
            name: _changes(name, kind)(*known, move) for name, move in moves.items()
        }
    if not np.isfinite(list(each.values())).all():
        raise DomainError(
            f"Moments of {layers:g} layers leave the range of floats. Take fewer layers, or a critical sigma_w."
        )
    return JacobianGradient(**{name: JacobianMoments(*map(float, row)) for name, row in each.items()})


def _symbols() -> list[Symbol]:
    return [
        *formulas.MOMENTS,
        *formulas.MOVES,
        theory.sigma_w,
        theory.depth,
        lengths.keep,
        lengths.length_move,
    ]


@functools.lru_cache(maxsize=64)
def _slopes(phi: Activation) -> Compiled:
    """mu_k and d mu_k/dq, k = 1 to 3, of q."""
    each = [theory.slope_moment(phi, k) for k in (1, 2, 3)]
    return compile([*each, *formulas.slope_moment_changes(phi)], [theory.q], name="jacobian_slopes")


@functools.cache
def _observed(weights: str) -> Compiled:
    return compile(formulas.observables(weights), _symbols(), name=f"jacobian_{weights}")


@functools.cache
def _changes(name: str, weights: str) -> Compiled:
    return compile(
        formulas.changes(_PARAMETERS[name], weights), _symbols(), name=f"jacobian_{weights}_{name}"
    )
