r"""Mean-field theory of signal propagation in wide random networks.

Conventions: h = W phi(h_previous) + b with W_ij ~ N(0, sigma_w^2/fan_in), b ~ N(0, sigma_b^2); `sigma_w`, `sigma_b` are
standard deviations. q is the second moment of a pre-activation, c the correlation of two inputs at equal q,
epsilon = 1 - c. V = E phi^2, P = E phi'^2, P_2 = E phi''^2 with u ~ N(0, q).

Every function returns a SymPy expression in the symbols below: a closed form where the rules find one, else an
expression that holds `Expectation` nodes. `derive(activation)` collects them as a `Derivation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from sympy import Expr, Integral, Rational, S, Symbol, factorial2, log, oo, pi, series, sqrt

from widelimit.theory import exact
from widelimit.theory.activation import Activation, x
from widelimit.theory.derivation import Derivation
from widelimit.theory.errors import ArgumentError, DomainError, InfiniteMomentError
from widelimit.theory.expectation import Expectation, weak_derivative
from widelimit.theory.growth import require_finite
from widelimit.theory.special import normal_density

y = Symbol("y", real=True)  # the second input's pre-activation
q = Symbol("q", positive=True)
q_1, q_2 = Symbol("q_1", positive=True), Symbol("q_2", positive=True)
c = Symbol("c", real=True)
epsilon = Symbol("epsilon", positive=True)  # 1 - c
sigma_w = Symbol("sigma_w", positive=True)
sigma_b = Symbol("sigma_b", nonnegative=True)
keep = Symbol("rho", positive=True)  # probability that dropout keeps a unit
layer = Symbol("l", positive=True)
width_ratio = Symbol("alpha", positive=True)  # N_{l+1}/N_l
gradient = Symbol("g", positive=True)  # E (dE/dh)^2 one layer above
gradient_overlap = Symbol("g_12", real=True)  # E (dE/dh_1)(dE/dh_2) one layer above

Kind: TypeAlias = "str | Activation | Expr"
ASSUMPTIONS = (
    "the widths of all hidden layers go to infinity",
    "weights and biases are independent, centred, with variances sigma_w^2/fan-in and sigma_b^2",
)


@dataclass(frozen=True)
class CriticalLine:
    """The edge of chaos chi_1 = 1, explicit in its fixed point q."""

    sigma_w_squared: Expr
    sigma_b_squared: Expr


@dataclass(frozen=True)
class DecayLaw:
    """epsilon_l ~ coefficient * l**-power on the edge of chaos."""

    power: int
    coefficient: Expr


def second_moment(activation: Kind) -> Expr:
    """Return V(q) = E phi(u)^2 (poole2016exponential); `InfiniteMomentError` if it is infinite for some q.

    >>> second_moment("relu")
    q/2
    """
    a = Activation.of(activation)
    return _moments(a)["V"]


def slope_moment(activation: Kind) -> Expr:
    """Return P(q) = E phi'(u)^2.

    >>> slope_moment("erf_s")
    1/sqrt(pi*q + 1)
    """
    return _moments(_continuous(activation))["P"]


def curvature_moment(activation: Kind) -> Expr:
    """Return P_2(q) = E phi''(u)^2; infinity where phi' jumps, because phi'' then holds delta functions.

    >>> curvature_moment("sin"), curvature_moment("relu")
    (1/2 - exp(-2*q)/2, oo)
    """
    a = _continuous(activation)
    return oo if a.derivative(2).deltas else Expectation(a.derivative(2).expr ** 2, x, q).doit()


def curvature_overlap(activation: Kind) -> Expr:
    """Return E phi(u) phi''(u), delta functions at kinks included.

    >>> curvature_overlap("hard_tanh")
    -sqrt(2)*exp(-1/(2*q))/(sqrt(pi)*sqrt(q))
    """
    return _moments(_continuous(activation))["K"]


def product_moment(activation: Kind) -> Expr:
    """Return C(q, c) = E phi(u_1) phi(u_2).

    >>> product_moment("erf")
    2*asin(2*c*q/(2*q + 1))/pi
    """
    return _moments(Activation.of(activation))["C"]


def slope_product(activation: Kind) -> Expr:
    """Return E phi'(u_1) phi'(u_2).

    >>> slope_product("relu")
    asin(c)/(2*pi) + 1/4
    """
    return _moments(_continuous(activation))["S"]


def unequal_product_moment(activation: Kind) -> Expr:
    """Return E phi(u_1) phi(u_2) for second moments q_1, q_2 and correlation c."""
    return _unequal(Activation.of(activation), 0)


def unequal_slope_product(activation: Kind) -> Expr:
    """Return E phi'(u_1) phi'(u_2) for second moments q_1, q_2 and correlation c."""
    return _unequal(_continuous(activation), 1)


def length_map(activation: Kind) -> Expr:
    """Return q' = sigma_w^2 V(q) + sigma_b^2 (poole2016exponential)."""
    return sigma_w**2 * second_moment(activation) + sigma_b**2


def length_slope(activation: Kind) -> Expr:
    """Return dq'/dq = sigma_w^2 (E phi'^2 + E phi phi''): chi_1 plus what the curvature adds.

    >>> length_slope("relu")
    sigma_w**2/2
    """
    return sigma_w**2 * (slope_moment(activation) + curvature_overlap(activation))


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
    """Return epsilon' = sigma_w^2/(2 q) E (phi(u_1) - phi(u_2))^2 at c = 1 - epsilon, as a node.

    The map of epsilon = 1 - c without cancellation near c = 1. At the length fixed point it equals
    1 - c'(1 - epsilon) exactly, and `defect_integral`.
    """
    a = Activation.of(activation)
    difference = a.expr - a.expr.subs(x, y)
    return sigma_w**2 / (2 * q) * Expectation(difference**2, (x, y), (q, q, 1 - epsilon))


def defect_slope(activation: Kind) -> Expr:
    """Return d epsilon'/d epsilon = sigma_w^2 E phi'(u_1) phi'(u_2) at c = 1 - epsilon."""
    return correlation_slope(activation).subs(c, 1 - epsilon)


def defect_integral(activation: Kind) -> Expr:
    """Return epsilon' as the integral of `defect_slope` from 0 to epsilon: positive terms only."""
    t = Symbol("t", positive=True)
    return Integral(defect_slope(activation).subs(epsilon, t), (t, 0, epsilon))


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


def dropout_length_map(activation: Kind) -> Expr:
    """Return q' = sigma_w^2/rho V(q) + sigma_b^2: inverted dropout raises the diagonal by 1/rho."""
    return sigma_w**2 / keep * second_moment(activation) + sigma_b**2


def dropout_correlation_map(activation: Kind) -> Expr:
    """Return c' = (sigma_w^2 C(q, c) + sigma_b^2)/q with q the fixed point of `dropout_length_map`.

    Masks of two inputs are independent, so nothing is raised off the diagonal.
    """
    return correlation_map(activation)


def dropout_correlation_at_one(activation: Kind) -> Expr:
    """Return c'(1) = 1 - (1 - rho)/(rho q) sigma_w^2 V(q) < 1: dropout moves the fixed point away from c = 1."""
    return 1 - (1 - keep) / (keep * q) * sigma_w**2 * second_moment(activation)


def dropout_chi_1(activation: Kind) -> Expr:
    """Return the gradient factor under dropout, sigma_w^2/rho P(q)."""
    return chi_1(activation) / keep


def critical_line(activation: Kind) -> CriticalLine:
    """Return the edge of chaos by its fixed point: sigma_w^2 = 1/P(q), sigma_b^2 = q - V(q)/P(q).

    A point with negative sigma_b^2 does not exist. chi_1 = 1 is not enough for the fixed point to be reached:
    see `critical_length_slope`.

    >>> critical_line("relu")
    CriticalLine(sigma_w_squared=2, sigma_b_squared=0)
    """
    v, p = second_moment(activation), slope_moment(activation)
    return CriticalLine(1 / p, q - v / p)


def critical_length_slope(activation: Kind) -> Expr:
    """Return dq'/dq on the edge of chaos, 1 + E phi phi''/P: the fixed point is stable where it is below 1.

    Above 1 (swish and GELU at small sigma_b) the length map runs away from its fixed point.
    """
    return 1 + curvature_overlap(activation) / slope_moment(activation)


@exact.takes(order=exact.order(1))
def critical_series(activation: Kind, order: int = 3) -> CriticalLine:
    """Return the edge of chaos up to q**order for small q, for activations that are smooth at 0.

    Kinks elsewhere add terms smaller than every power of q.

    >>> critical_series("tanh")
    CriticalLine(sigma_w_squared=34*q**3/3 - 3*q**2 + 2*q + 1, sigma_b_squared=4*q**3/3)
    """
    if not isinstance(order, int) or not 1 <= order <= 12:
        raise ArgumentError("order", "must be a whole number from 1 to 12", order)
    a = _continuous(activation)
    if any(b.is_zero for b in a.kinks):
        raise DomainError(f"The activation {a} has a kink at 0 and no Taylor series there.")
    here = next(e for e, high in zip(a.pieces.exprs, (*a.pieces.breaks, oo), strict=True) if high > 0)
    taylor = series(here, x, 0, 2 * order + 2).removeO()
    v, p = (_gaussian(f, order) for f in (taylor**2, taylor.diff(x) ** 2))
    if p.subs(q, 0) == 0:
        raise DomainError(f"The slope of {a} vanishes at 0: the edge of chaos does not reach q = 0.")

    def cut(e: Expr) -> Expr:
        return series(e, q, 0, order + 1).removeO()

    return CriticalLine(cut(1 / p), cut(q - v / p))


def decay_law(activation: Kind) -> DecayLaw:
    """Return how epsilon_l falls on the edge of chaos, at the fixed point q of the line.

    Smooth phi: epsilon' = epsilon - epsilon^2 q P_2/(2 P), so beta/l with beta = 2 P/(q P_2) (hayou2019impact).
    Jumps J_k of phi' at b_k: epsilon' = epsilon - s epsilon^(3/2) with `kink_coefficient` s, so (4/s^2)/l^2.

    >>> decay_law("relu")
    DecayLaw(power=2, coefficient=9*pi**2/2)
    """
    a = _continuous(activation)
    if a.derivative(2).deltas:
        return DecayLaw(2, 4 / kink_coefficient(a) ** 2)
    p_2 = curvature_moment(a)
    if p_2 == 0:
        raise DomainError(f"The activation {a} is linear: on its edge of chaos correlations do not change.")
    return DecayLaw(1, 2 * slope_moment(a) / (q * p_2))


def kink_coefficient(activation: Kind) -> Expr:
    """Return s in epsilon' = epsilon - s epsilon^(3/2): s = 2/3 sqrt(q/pi) sum_k J_k^2 p_q(b_k) / P(q).

    u_2 - u_1 ~ N(0, 2 q epsilon) steps over a kink of density p_q(b_k) with probability
    p_q(b_k) E|u_2 - u_1| = 2 p_q(b_k) sqrt(q epsilon/pi), and E (phi'_1 - phi'_2)^2 / 2 integrates to s.

    >>> kink_coefficient("relu")
    2*sqrt(2)/(3*pi)
    """
    a = _continuous(activation)
    deltas = a.derivative(2).deltas
    if not deltas:
        raise DomainError(f"The slope of {a} does not jump; see decay_law.")
    weight = sum(jump**2 * normal_density(b, q) for b, jump in deltas)
    return Rational(2, 3) * sqrt(q / pi) * weight / slope_moment(a)


def _continuous(activation: Kind) -> Activation:
    """Return an activation whose slope has a second moment (`InfiniteMomentError` if phi jumps)."""
    a = Activation.of(activation)
    jumps = a.derivative(1).deltas
    if jumps:
        where = ", ".join(str(b) for b, _ in jumps)
        raise InfiniteMomentError(
            f"The activation {a} jumps at x = {where}: the second moment of its slope is infinite."
        )
    return a


@lru_cache(maxsize=256)
def _unequal(a: Activation, order: int) -> Expr:
    nodes(a)  # refuses what has no moments
    f = a.derivative(order).expr if order else a.expr
    return Expectation(f * f.subs(x, y), (x, y), (q_1, q_2, c)).doit()


@lru_cache(maxsize=256)
def nodes(a: Activation) -> dict[str, Expectation]:
    """Return the unevaluated expectations: V, C and, for a continuous phi, P, K = E phi phi'' and S."""
    require_finite(a.expr**2, x, f"second moment of the activation {a}")
    phi = a.expr
    found = {
        "V": Expectation(phi**2, x, q),
        "C": Expectation(phi * phi.subs(x, y), (x, y), (q, q, c)),
    }
    if not a.derivative(1).deltas:
        slope = a.derivative(1).expr
        require_finite(slope**2, x, f"second moment of the slope of {a}")
        found["P"] = Expectation(slope**2, x, q)
        found["S"] = Expectation(slope * slope.subs(x, y), (x, y), (q, q, c))
        found["K"] = Expectation(phi * weak_derivative(slope, x), x, q)
    return found


def derive(activation: Kind) -> Derivation:
    """Return the theory of one activation as ordered, self-checking steps, from the length map to the decay law.

    Args:
        activation: a catalogue name or an expression in x.

    >>> print(derive("relu")["critical-line-weights"].equation.rhs)
    2
    """
    from widelimit.theory.meanfield_steps import steps  # built on the functions of this module

    a = Activation.of(activation)
    return Derivation(f"Signal propagation in wide random networks: {a}", steps(a), ASSUMPTIONS)


class _Lazy(dict):
    """Closed forms of `nodes`, found when asked for."""

    def __init__(self, a: Activation) -> None:
        super().__init__()
        self.nodes = nodes(a)

    def __missing__(self, key: str) -> Expr:
        self[key] = self.nodes[key].doit()
        return self[key]


@lru_cache(maxsize=256)
def _moments(a: Activation) -> _Lazy:
    return _Lazy(a)


def _gaussian(polynomial: Expr, order: int) -> Expr:
    """Return E of a polynomial up to q**order: E x^(2k) = (2k - 1)!! q^k."""
    expanded = polynomial.expand()
    return sum((expanded.coeff(x, 2 * k) * factorial2(2 * k - 1) * q**k for k in range(order + 1)), S.Zero)
