"""What a layer does to lengths, correlations and gradients, compiled once for all activations.

The formulas of `theory.meanfield` are asked for with `ANY`, whose moments are symbols: what comes in is what `Maps`
knows of one activation, as numbers. Where an algorithm needs a map in the form a y + b (fixed points look for y in
q = a V(q) + b), a and b are read off the formula.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from sympy import Expr, Symbol

from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import meanfield as theory
from widelimit.theory.errors import InternalError

ANY = theory.ANY
W, B, RHO, Q = theory.sigma_w, theory.sigma_b, theory.keep, theory.q
GAP, APART = theory.gap, theory.distance
_SECOND, _NEXT = (theory.second_1, theory.second_2), (theory.next_1, theory.next_2)


def affine(formula: Expr, symbol: Symbol) -> tuple[Expr, Expr]:
    """Return (a, b) of a formula a symbol + b.

    >>> affine(theory.length_map(ANY), ANY.V)
    (sigma_w**2, sigma_b**2)
    """
    slope, rest = formula.diff(symbol), formula.subs(symbol, 0)
    if slope.has(symbol):
        raise InternalError(f"The formula {formula} is not linear in {symbol}.")
    return slope, rest


@dataclass(frozen=True)
class Layer:
    """Compiled formulas; the comments name arguments and results."""

    length: Compiled  # sigma_w, sigma_b, rho -> (a, b) of q' = a V + b
    slopes: (
        Compiled  # sigma_w, rho, P, dV/dq -> chi_1, length slope, chi_1 and factor of gradients of one mask
    )
    defect: Compiled  # sigma_w, rho, q, V -> (a, b) of eps' = a gap + b at the fixed point q
    correlation_slope: Compiled  # sigma_w, E phi' phi' -> dc'/dc, factor of the covariance of gradients
    step: Compiled  # sigma_w, rho, gap, D, V_1, V_2, q_1', q_2' -> eps' for two lengths
    equal: Compiled  # sigma_w, rho, V, q' -> (a, b) of eps' = a gap + b where both lengths are the same
    depth: Compiled  # |slope| -> depth scale
    edge: Compiled  # q, P, sigma_b^2 P, dV/dq -> sigma_w^2, sigma_b^2, length slope


@functools.cache
def layer() -> Layer:
    """Return the formulas of the theory, compiled."""
    one_layer = {theory.gradient: 1, theory.gradient_overlap: 1, theory.width_ratio: 1}  # of equal widths
    gradient = theory.with_dropout(theory.gradient_map(ANY)).subs(one_layer)
    # E (phi_1 - phi_2)^2 is twice what the product moment loses
    away, rest = affine(theory.defect_map(ANY).subs(APART, 2 * GAP), GAP)
    moved = rest + 1 - theory.dropout_correlation_at_one(ANY)
    unequal = theory.unequal_defect_map(ANY)
    same = {APART: 0, _SECOND[1]: _SECOND[0], _NEXT[1]: _NEXT[0]}
    line = theory.critical_line(ANY)
    slope = Symbol("slope", positive=True)
    return Layer(
        length=compile(affine(theory.dropout_length_map(ANY), ANY.V), [W, B, RHO], name="length"),
        slopes=compile(
            (
                theory.dropout_chi_1(ANY),
                theory.with_dropout(theory.length_slope(ANY)),
                theory.chi_1(ANY),
                gradient,
            ),
            [W, RHO, ANY.P, ANY.slope],
            name="slopes",
        ),
        defect=compile((away, moved), [W, RHO, Q, ANY.V], name="defect"),
        correlation_slope=compile(
            (theory.correlation_slope(ANY), theory.gradient_overlap_map(ANY).subs(one_layer)),
            [W, ANY.S],
            name="correlation_slope",
        ),
        step=compile(unequal, [W, RHO, GAP, APART, *_SECOND, *_NEXT], name="step"),
        equal=compile(affine(unequal.subs(same), GAP), [W, RHO, _SECOND[0], _NEXT[0]], name="equal"),
        depth=compile(theory.depth_scale(slope), [slope], name="depth"),
        edge=compile(
            (line.sigma_w_squared, theory.critical_bias(ANY), theory.critical_length_slope(ANY)),
            [Q, ANY.P, ANY.E, ANY.slope],
            name="edge",
        ),
    )
