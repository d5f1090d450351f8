r"""What one layer does: maps of lengths, correlations and gradients, their slopes and depth scales, dropout.

Conventions: h = W phi(h_previous) + b with W_ij ~ N(0, sigma_w^2/fan_in), b ~ N(0, sigma_b^2); `sigma_w`, `sigma_b` are
standard deviations. q is the second moment of a pre-activation, c the correlation of two inputs at equal q,
epsilon = 1 - c. V = E phi^2, P = E phi'^2, P_2 = E phi''^2 with u ~ N(0, q).

Every function returns a SymPy expression in the symbols below: a closed form where the rules find one, else an
expression that holds `Expectation` nodes. `derive(activation)` collects them as a `Derivation`.
"""

from __future__ import annotations

from dataclasses import replace

from sympy import Expr, Symbol, collect, expand, factor, log, sqrt

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation, x
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.meanfield.moments import (
    ANY,
    ByMoments,
    Kind,
    c,
    epsilon,
    nodes,
    product_moment,
    q,
    q_1,
    q_2,
    second_moment,
    second_moment_slope,
    slope_moment,
    slope_product,
    unequal_product_moment,
    y,
)

sigma_w = Symbol("sigma_w", positive=True)
sigma_b = Symbol("sigma_b", nonnegative=True)
keep = Symbol("rho", positive=True)  # probability that dropout keeps a unit
layer = Symbol("l", positive=True)
width_ratio = Symbol("alpha", positive=True)  # N_{l+1}/N_l
gradient = Symbol("g", positive=True)  # E (dE/dh)^2 one layer above
gradient_overlap = Symbol("g_12", real=True)  # E (dE/dh_1)(dE/dh_2) one layer above
distance = Symbol("D", nonnegative=True)  # E (phi_1 - phi_2)^2
gap = Symbol("gap", real=True)  # E phi_1 phi_2 at c = 1 less that at c
second_1, second_2 = Symbol("V_1", positive=True), Symbol("V_2", positive=True)  # E phi^2 of two inputs
next_1, next_2 = Symbol("q'_1", positive=True), Symbol("q'_2", positive=True)  # their lengths one layer on
ASSUMPTIONS = (
    "the widths of all hidden layers go to infinity",
    "weights and biases are independent, centred, with variances sigma_w^2/fan-in and sigma_b^2",
)


def length_map(activation: Kind) -> Expr:
    """Return q' = sigma_w^2 V(q) + sigma_b^2 (poole2016exponential)."""
    return sigma_w**2 * second_moment(activation) + sigma_b**2


def length_slope(activation: Kind) -> Expr:
    """Return dq'/dq = sigma_w^2 (E phi'^2 + E phi phi''): chi_1 plus what the curvature adds.

    >>> length_slope("relu")
    sigma_w**2/2
    """
    return sigma_w**2 * second_moment_slope(activation)


def chi_1(activation: Kind) -> Expr:
    """Return chi_1 = sigma_w^2 E phi'^2, the slope of the correlation map at c = 1 (schoenholz2017deep)."""
    return sigma_w**2 * slope_moment(activation)


def covariance_map(activation: Kind) -> Expr:
    """Return sigma_w^2 E phi(u_1) phi(u_2) + sigma_b^2 for inputs of second moments q_1, q_2 and correlation c."""
    return sigma_w**2 * unequal_product_moment(activation) + sigma_b**2


def correlation_map(activation: Kind) -> Expr:
    """Return c' = (sigma_w^2 C(q, c) + sigma_b^2)/q, both inputs at the fixed point q of the length map."""
    return (sigma_w**2 * product_moment(activation) + sigma_b**2) / q


def correlation_slope(activation: Kind) -> Expr:
    """Return dc'/dc = sigma_w^2 E phi'(u_1) phi'(u_2) at any c (schoenholz2017deep)."""
    return sigma_w**2 * slope_product(activation)


def defect_map(activation: Kind) -> Expr:
    """Return epsilon' = c'(1) - c'(1 - epsilon) = sigma_w^2/(2 q) E (phi(u_1) - phi(u_2))^2, as a node.

    The map of epsilon = 1 - c without cancellation near c = 1: C = V - E (phi(u_1) - phi(u_2))^2/2, and at the fixed
    point q of the length map c = 1 stays. Of moments alone the mean square is `distance`.
    """
    here = replace(ANY, C=ANY.V - distance / 2)
    lost = expand(correlation_map(replace(ANY, C=ANY.V)) - correlation_map(here))
    if isinstance(activation, ByMoments):
        return lost
    a = Activation.of(activation)
    difference = a.expr - a.expr.subs(x, y)
    return lost.xreplace({distance: Expectation(difference**2, (x, y), (q, q, 1 - epsilon))})


def unequal_defect_map(activation: Kind) -> Expr:
    """Return epsilon' = 1 - c' for lengths q_1, q_2, without cancellation where the two inputs meet, dropout included.

    sqrt(q_1' q_2') epsilon' = sigma_w^2 (gap + D/2 + (1/rho - 1)(V_1 + V_2)/2) - (sqrt(q_1') - sqrt(q_2'))^2/2 with
    `gap`, by how much E phi(u_1) phi(u_2) has fallen from c = 1 to c, and D = E (phi(sqrt(q_1) z) -
    phi(sqrt(q_2) z))^2, here `distance`. Of moments alone the lengths one layer on are `next_1`, `next_2`.

    >>> print(unequal_defect_map(ANY).subs({keep: 1, distance: 0, next_1: q, next_2: q}))
    gap*sigma_w**2/q
    """
    product = (second_1 + second_2 - distance) / 2 - gap
    mean = with_dropout(length_map(replace(ANY, V=(second_1 + second_2) / 2)))
    lost = collect(expand(mean - covariance_map(replace(ANY, C=product))), (second_1, second_2), factor)
    apart = ((next_1 - next_2) / (sqrt(next_1) + sqrt(next_2))) ** 2 / 2
    found = (lost - apart) / sqrt(next_1 * next_2)
    return found if isinstance(activation, ByMoments) else found.xreplace(_two_inputs(activation))


def _two_inputs(activation: str | Activation | Expr) -> dict[Symbol, Expr]:
    """Return what the names in `unequal_defect_map` are for an activation: nodes, and lengths one layer on."""
    a = Activation.of(activation)
    f, g = a.expr, a.expr.subs(x, y)
    product, squares = (Expectation(e, (x, y), (q_1, q_2, c)) for e in (f * g, (f - g) ** 2))
    length = with_dropout(length_map(a))
    return {
        second_1: nodes(a)["V"].subs(q, q_1),
        second_2: nodes(a)["V"].subs(q, q_2),
        distance: squares.subs(c, 1),
        gap: product.subs(c, 1) - product,
        next_1: length.subs(q, q_1),
        next_2: length.subs(q, q_2),
    }


@exact.takes(slope=exact.plain)
def depth_scale(slope: Expr) -> Expr:
    """Return xi = -1/log(slope): a perturbation shrinks as exp(-l/xi).

    With `length_slope` it is xi_q, with `correlation_slope` at the fixed point xi_c, with `chi_1` the gradient's
    xi_grad (positive: vanishing, negative: exploding), which equals xi_c in the ordered phase only.
    """
    return -1 / log(slope)


def gradient_map(activation: Kind) -> Expr:
    """Return the mean squared gradient one layer below: g alpha chi_1 (schoenholz2017deep)."""
    return gradient * width_ratio * chi_1(activation)


def gradient_overlap_map(activation: Kind) -> Expr:
    """Return the gradient covariance of two inputs one layer below: g_12 alpha dc'/dc."""
    return gradient_overlap * width_ratio * correlation_slope(activation)


@exact.takes(formula=exact.plain)
def with_dropout(formula: Expr) -> Expr:
    """Return a formula of one input under inverted dropout: sigma_w^2/rho stands in place of sigma_w^2.

    A unit is kept with probability rho and divided by it, which raises mean squares by 1/rho. Products of two inputs
    with masks of their own stay as they are.

    >>> with_dropout(sigma_w**2 + sigma_b)
    sigma_b + sigma_w**2/rho
    """
    return formula.subs(sigma_w, sigma_w / sqrt(keep))


def dropout_length_map(activation: Kind) -> Expr:
    """Return q' = sigma_w^2/rho V(q) + sigma_b^2: inverted dropout raises the diagonal by 1/rho.

    >>> dropout_length_map("relu")
    q*sigma_w**2/(2*rho) + sigma_b**2
    """
    return with_dropout(length_map(activation))


def dropout_correlation_at_one(activation: Kind) -> Expr:
    """Return c'(1) = 1 - (1 - rho)/(rho q) sigma_w^2 V(q) < 1: dropout moves the fixed point away from c = 1."""
    return 1 - (1 - keep) / (keep * q) * sigma_w**2 * second_moment(activation)


def dropout_chi_1(activation: Kind) -> Expr:
    """Return the gradient factor under dropout, sigma_w^2/rho P(q)."""
    return with_dropout(chi_1(activation))
