"""How fixed points, slopes and depth scales change with sigma_w, sigma_b and the keep probability.

A fixed point moves by the implicit function theorem (`calculus.implicit`), everything else by the chain rule along
with it. Formulas are those of `formulas` for `ANY`, their moments as functions of q and epsilon = 1 - c; what a
moment's own derivative is, an activation says: by Price's theorem where phi is smooth, from its closed form where it
has one, else by the derivative of the density.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sympy import Add, Derivative, DiracDelta, Expr, Function, Integer, S, Symbol, expand

from widelimit.theory.calculus import exact, implicit
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.gaussian.expectation import Expectation, score
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.theory.meanfield import formulas as m
from widelimit.theory.meanfield.moments import ANY, c, epsilon, nodes, q

PARAMETERS = (m.sigma_w, m.sigma_b, m.keep)
length_move = Symbol("dq", real=True)  # d q*/d parameter
defect_move = Symbol("depsilon", real=True)  # d epsilon*/d parameter
gap_slope = Symbol("gap_q", real=True)  # d gap/dq at fixed c
slope_moment_slope = Symbol("P_q", real=True)
slope_product_slope = Symbol("S_q", real=True)  # at fixed c
slope_product_decay = Symbol("S_epsilon", real=True)

_V, _W, _P = (Function(name)(q) for name in ("V", "W", "P"))  # W is dV/dq
_S, _GAP = Function("S")(q, epsilon), Function("gap")(q, epsilon)
_MOVING = replace(ANY, V=_V, P=_P, S=_S, slope=_W)
_NAMES = {
    Derivative(_V, q): ANY.slope,
    Derivative(_W, q): ANY.D,
    Derivative(_P, q): slope_moment_slope,
    Derivative(_S, q): slope_product_slope,
    Derivative(_S, epsilon): slope_product_decay,
    Derivative(_GAP, q): gap_slope,
    Derivative(_GAP, epsilon): q * ANY.S,  # Price
    _V: ANY.V,
    _W: ANY.slope,
    _P: ANY.P,
    _S: ANY.S,
    _GAP: m.gap,
}


def _named(formula: Expr) -> Expr:
    """Put symbols in place of moments and their derivatives."""
    by_depth = sorted(_NAMES, key=lambda one: not isinstance(one, Derivative))
    for one in by_depth:
        formula = formula.xreplace({one: _NAMES[one]})
    return formula


@exact.takes(parameter=implicit.symbol)
def length_change(parameter: Symbol) -> Expr:
    """Return d q*/d parameter = F_theta/(1 - F_q) of q* = F(q*) = sigma_w^2/rho V(q*) + sigma_b^2.

    >>> print(length_change(m.sigma_b))
    2*sigma_b/(-dV*sigma_w**2/rho + 1)
    """
    image = m.dropout_length_map(_MOVING)
    return _named(implicit.fixed_point(image, q, {parameter: Integer(1)}))


@exact.takes(parameter=implicit.symbol)
def defect_change(parameter: Symbol) -> Expr:
    """Return d epsilon*/d parameter, of epsilon* = 1 - c* = sigma_w^2/q gap(q, epsilon*) + 1 - c'(1).

    The gap is V(q) - C(q, c); it changes with epsilon by q E phi'(u_1) phi'(u_2) (Price) and with q by `gap_slope`.
    `length_move` stands for d q*/d parameter.

    >>> print(defect_change(m.sigma_b).subs(m.keep, 1).factor())
    -dq*sigma_w**2*(-gap + gap_q*q)/(q**2*(S*sigma_w**2 - 1))
    """
    lost = m.defect_map(ANY).subs(m.distance, 2 * _GAP) + 1 - m.dropout_correlation_at_one(_MOVING)
    return _named(implicit.fixed_point(lost, epsilon, _with_length(parameter)))


@exact.takes(parameter=implicit.symbol)
def slope_changes(parameter: Symbol) -> tuple[Expr, Expr, Expr, Expr]:
    """Return the changes of chi_1, dq'/dq, dc'/dc at c* and the factor of two inputs' gradient covariance there.

    >>> print(slope_changes(m.sigma_b)[0])
    P_q*dq*sigma_w**2/rho
    """
    equal = {m.gradient_overlap: 1, m.width_ratio: 1}
    each = (
        m.dropout_chi_1(_MOVING),
        m.with_dropout(m.length_slope(_MOVING)),
        m.correlation_slope(_MOVING),
        m.gradient_overlap_map(_MOVING).subs(equal),
    )
    changes = {**_with_length(parameter), epsilon: defect_move}
    chi, length, correlation, overlap = (_named(implicit.along(one, changes)) for one in each)
    return chi, length, correlation, overlap


@exact.takes(slope=implicit.symbol, move=implicit.symbol)
def depth_change(slope: Symbol, move: Symbol) -> Expr:
    """Return how xi = -1/log(slope) changes where the slope changes by `move`.

    >>> print(depth_change(m.gradient, m.distance))
    D/(g*log(g)**2)
    """
    return implicit.along(m.depth_scale(slope), {slope: move})


def _with_length(parameter: Symbol) -> Mapping[Symbol, Expr]:
    return {parameter: S.One, q: length_move}


@exact.takes(closed=exact.flag)
def moment_slopes(activation: str | Activation, *, closed: bool = True) -> tuple[Expr, Expr]:
    """Return dP/dq and d^2 V/dq^2; `closed=False`: as expectations, for variances where closed forms lose digits.

    >>> moment_slopes("sin")[0]
    -exp(-2*q)
    """
    a, known = Activation.of(activation), nodes(activation)
    v = known["V"]
    if closed and not (form := v.doit()).has(Expectation):
        curvature = form.diff(q, 2)
    else:
        curvature = v.diff(q, 2) if a.is_smooth else known["D"]
    return moment_change(known["P"], q, closed), curvature


@exact.takes(closed=exact.flag)
def pair_slopes(activation: str | Activation, *, closed: bool = True) -> tuple[Expr, Expr, Expr]:
    """Return dC/dq and dS/dq at fixed c, and dS/dc, of q and c; `closed` as in `moment_slopes`.

    >>> pair_slopes("relu")[1:]
    (0, 1/(2*pi*sqrt(1 - c**2)))
    """
    known = nodes(activation)
    wanted = (("C", q), ("S", q), ("S", c))
    by_q, slope_by_q, slope_by_c = (moment_change(known[name], symbol, closed) for name, symbol in wanted)
    return by_q, slope_by_q, slope_by_c


def _expectation(name: str, value: object) -> Expectation:
    if not isinstance(value, Expectation):
        raise ArgumentError(name, "must be an `Expectation`", value)
    return value


@exact.takes(node=_expectation, symbol=implicit.symbol, closed=exact.flag)
def moment_change(node: Expectation, symbol: Symbol, closed: bool = True) -> Expr:
    """Return the derivative of an expectation by a variance or a correlation, without delta functions.

    From its closed form where it has one (and `closed`), by Price's theorem, or by the derivative of the density.
    """
    if closed and not (form := node.doit()).has(Expectation):
        return form.diff(symbol)
    if (moved := _by_price(node, symbol)) is not None:
        return moved
    one = Expectation(S.One, node.variables, node.covariance)
    parts: list[Expr] = []
    for index, moment in enumerate(node.covariance):
        if not moment.has(symbol):
            continue
        for term in Add.make_args(expand(score(one, index).integrand)):
            outside, inside = term.as_independent(*node.variables, as_Add=False)
            weighted = Expectation(node.integrand * inside, node.variables, node.covariance)
            parts.append(outside * moment.diff(symbol) * weighted)
    return Add(*parts)


def _by_price(node: Expectation, symbol: Symbol) -> Expr | None:
    """The derivative of the integrand under the expectation, unless it has delta functions or is none."""
    try:
        moved: Expr = node.diff(symbol)
    except DomainError:
        return None
    return None if moved.has(DiracDelta) else moved
