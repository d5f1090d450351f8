r"""Mean-field theory of signal propagation in wide random networks.

Conventions: h = W phi(h_previous) + b with W_ij ~ N(0, sigma_w^2/fan_in), b ~ N(0, sigma_b^2); `sigma_w`, `sigma_b` are
standard deviations. q is the second moment of a pre-activation, c the correlation of two inputs at equal q,
epsilon = 1 - c. V = E phi^2, P = E phi'^2, P_2 = E phi''^2 with u ~ N(0, q).

Every function returns a SymPy expression in the symbols below: a closed form where the rules find one, else an
expression that holds `Expectation` nodes. `derive(activation)` collects them as a `Derivation`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from sympy import (
    Expr,
    Integral,
    Rational,
    S,
    Symbol,
    expand,
    factorial2,
    gamma,
    log,
    oo,
    pi,
    series,
    sin,
    sqrt,
)

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation, x
from widelimit.theory.calculus.gaussian.expectation import Expectation, weak_derivative
from widelimit.theory.calculus.gaussian.growth import require_finite
from widelimit.theory.calculus.gaussian.special import normal_density
from widelimit.theory.calculus.pieces import exponent, one_sided, split
from widelimit.theory.calculus.powers import absolute_moment
from widelimit.theory.errors import ArgumentError, DomainError, InfiniteMomentError

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
    """epsilon_l ~ coefficient * l**-power on the edge of chaos; the power is a whole number but for steep slopes."""

    power: Expr | int
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
    """Return P_2(q) = E phi''(u)^2; infinity where phi' jumps (phi'' then holds delta functions) or phi'' is too steep.

    >>> curvature_moment("sin"), curvature_moment("relu")
    (1/2 - exp(-2*q)/2, oo)
    """
    a = _continuous(activation)
    rough = a.derivative(2).deltas or any(r <= Rational(1, 2) for _, r, *_ in rough_slopes(a))
    return oo if rough else Expectation(a.derivative(2).expr ** 2, x, q).doit()


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

    A point with negative sigma_b^2 does not exist; where it exists sigma_b^2 grows with q (`critical_growth`), so that
    each sigma_b > 0 has one edge at most. chi_1 = 1 is not enough for the fixed point to be reached:
    see `critical_length_slope`.

    >>> critical_line("relu")
    CriticalLine(sigma_w_squared=2, sigma_b_squared=0)
    """
    v, p = second_moment(activation), slope_moment(activation)
    return CriticalLine(1 / p, q - v / p)


def critical_excess(activation: Kind) -> Expr:
    """Return q P - V = sigma_b^2 P on the edge of chaos, without the cancellation of `critical_line` at small q.

    Integrating E phi phi'/x by parts gives q P - V = q E(phi' - (phi - phi(0))/x)^2 - phi(0) (2 E phi - phi(0)): with
    phi(0) = 0 it is never negative, and 0 only where phi is linear on both sides of 0 (ReLU): such an edge of chaos
    meets sigma_b = 0 nowhere but in the limit q -> 0, see `critical_limit`.

    >>> critical_excess("leaky_relu(0.3)")
    0
    """
    a = _continuous(activation)
    origin = a.expr.subs(x, 0)
    bend = split(a.derivative(1).expr - (a.expr - origin) / x, x).map(_tidy)
    spread = q * Expectation(bend.expr**2, x, q) if any(e != 0 for e in bend.exprs) else S.Zero
    return spread - (origin * (2 * Expectation(a.expr, x, q) - origin) if origin != 0 else 0)


def critical_growth(activation: Kind) -> Expr:
    """Return d sigma_b^2/d log q along the edge of chaos: q/(2 n^2) (E (x phi' - n phi)^2/V + n (n - 1)), n = q P/V.

    From d V/d log q = E x phi phi' and d P/d log q = E (x^2/q - 1) phi'^2/2. As sigma_b^2 = q (1 - 1/n), it is at least
    sigma_b^2/2 wherever the edge exists (n >= 1): no activation has two edges of chaos at one sigma_b > 0, and only
    one that is linear on both sides of 0 has several at sigma_b = 0.

    >>> critical_growth("relu"), critical_growth("x**2")
    (0, q/4)
    """
    a = _continuous(activation)
    v, p, slope = second_moment(a), slope_moment(a), a.derivative(1).expr
    degree = q * p / v
    steep = Expectation(x**2 * slope**2, x, q).doit()
    bent = Expectation(x * a.expr * slope, x, q).doit()
    return expand((q / (2 * degree**2)) * ((steep - 2 * degree * bent) / v + 2 * degree**2 - degree))


def _tidy(e: Expr) -> Expr:
    """Return the expression, or its expanded form where that is a constant (0 on a linear piece)."""
    plain = expand(e)
    return plain if not plain.has(x) else e


@dataclass(frozen=True)
class CriticalLimit:
    """The edge of chaos as sigma_b -> 0, where q* -> 0."""

    sigma_w_squared: Expr
    decay: DecayLaw


def critical_limit(activation: Kind) -> CriticalLimit | None:
    """Return the end of the edge of chaos at sigma_b = 0, q* = 0, from the slopes of phi on both sides of 0.

    phi(0) = 0 and P -> (phi'(0-)^2 + phi'(0+)^2)/2, the inverse of sigma_w^2. Correlations decay as those of the leaky
    ReLU with these slopes; where they are equal, phi is linear in the limit and the coefficient infinite. None: there
    is no such end, because phi(0) is not 0 or because the slope at 0 is 0 (then sigma_w -> oo) or infinite.

    >>> critical_limit("elu")
    CriticalLimit(sigma_w_squared=1, decay=DecayLaw(power=1, coefficient=oo))
    """
    a = _continuous(activation)
    slope = a.pieces.diff()
    below = sum(1 for b in slope.breaks if b.is_negative)
    above = sum(1 for b in slope.breaks if not b.is_positive)
    left, right = (one_sided(slope.exprs[k], x, S.Zero, side) for k, side in ((below, -1), (above, 1)))
    if a.expr.subs(x, 0) != 0 or left.is_infinite or right.is_infinite or left == right == 0:
        return None
    p = (left**2 + right**2) / 2
    if left == right:
        power = 1 / _roughness(a)
        return CriticalLimit(1 / p, DecayLaw(power, oo))
    s = Rational(2, 3) * sqrt(q / pi) * (right - left) ** 2 * normal_density(S.Zero, q) / p
    return CriticalLimit(1 / p, DecayLaw(2, 4 / s**2))


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
    Jumps J_k of phi' at b_k: epsilon' = epsilon - s epsilon^(3/2) with `kink_coefficient` s, so (4/s^2)/l^2. Slopes
    that change like abs(x - b)**r with -1/2 < r < 1/2: epsilon' = epsilon - s epsilon^(1 + h) with h = r + 1/2, so
    (h s l)^(-1/h). At r = 1/2 (abs(x)**1.5) P_2 diverges and epsilon_l falls faster than 1/l by a logarithm only:
    power 1 with the coefficient 0.

    >>> decay_law("relu")
    DecayLaw(power=2, coefficient=9*pi**2/2)
    """
    a = _continuous(activation)
    h = _roughness(a)
    if h < 1:
        return DecayLaw(1 / h, (h * kink_coefficient(a)) ** (-1 / h))
    p_2 = curvature_moment(a)
    if p_2 == 0:
        raise DomainError(f"The activation {a} is linear: on its edge of chaos correlations do not change.")
    return DecayLaw(1, 2 * slope_moment(a) / (q * p_2))


def kink_coefficient(activation: Kind) -> Expr:
    """Return s in epsilon' = epsilon - s epsilon^(1 + h), h = r + 1/2 for the roughest change abs(x - b)**r of phi'.

    Where u_1 and u_2 lie next to b_k, of density p_q(b_k), phi'_1 - phi'_2 is a function of scale
    u_2 - u_1 ~ N(0, 2 q epsilon), so that its mean square is C_k p_q(b_k) E|u_2 - u_1|^(2h), C_k = `rough_square`;
    half of it over P, integrated in epsilon, is s epsilon^(1 + h). A jump J_k (h = 1/2) has C_k = J_k^2, and
    s = 2/3 sqrt(q/pi) sum_k J_k^2 p_q(b_k)/P(q).

    >>> kink_coefficient("relu")
    2*sqrt(2)/(3*pi)
    """
    a = _continuous(activation)
    h = _roughness(a)
    if h >= 1:
        raise DomainError(f"The slope of {a} does not jump; see decay_law.")
    weight = sum(
        rough_square(r, below, above) * normal_density(b, q)
        for b, r, below, above in rough_slopes(a)
        if r + Rational(1, 2) == h
    )
    return weight * absolute_moment(2 * h, 2 * q) / (2 * (1 + h) * slope_moment(a))


@exact.takes(r=exact.plain, below=exact.plain, above=exact.plain)
def rough_square(r: Expr, below: Expr, above: Expr) -> Expr:
    """Return the integral over m of (f(m + 1/2) - f(m - 1/2))^2, f = below*(-m)**r left of 0, above*m**r right of it.

    Each side alone gives Gamma(r + 1)^2/(Gamma(2 r + 2) sin(pi (r + 1/2))), the two together -2 B(r + 1, r + 1)
    (mandelbrot1968fractional); -1/2 < r < 1/2.

    >>> rough_square(S.Zero, S(2), S(5))
    9
    """
    if not r.free_symbols and not (r.is_real and abs(r) < Rational(1, 2)):
        raise ArgumentError("r", "must lie between -1/2 and 1/2", r)
    alone = gamma(r + 1) ** 2 / (gamma(2 * r + 2) * sin(pi * (r + Rational(1, 2))))
    together = gamma(r + 1) ** 2 / gamma(2 * r + 2)
    return (below**2 + above**2) * alone - 2 * below * above * together


@lru_cache(maxsize=256)
def rough_slopes(a: Activation) -> tuple[tuple[Expr, Expr, Expr, Expr], ...]:
    """Return (b, r, below, above): next to b, phi' is a constant plus below or above times abs(x - b)**r, r <= 1/2.

    A jump has r = 0 and the two limits. Points where phi' is smoother are left out.
    """
    slope, bend = a.pieces.diff(), a.pieces.diff().diff()
    jumps, poles = dict(slope.jumps()), slope.poles()
    found: list[tuple[Expr, Expr, Expr, Expr]] = []
    for k, b in enumerate(slope.breaks):
        if b in jumps and b not in poles:
            found.append((b, S.Zero, S.Zero, jumps[b]))
            continue
        if b not in poles and b not in bend.poles():
            continue
        sides = [_growth(slope.exprs[k + side], b, 2 * side - 1, b in poles) for side in (0, 1)]
        r = min(rate for rate, _ in sides)
        if r <= Rational(1, 2):
            found.append((b, r, *(size if rate == r else S.Zero for rate, size in sides)))
    return tuple(found)


def _growth(slope: Expr, b: Expr, side: int, pole: bool) -> tuple[Expr, Expr]:
    """Return (r, size) where phi', without its value at b if that is finite, is size*abs(x - b)**r next to b."""
    rest = slope if pole else slope - one_sided(slope, x, b, side)
    if rest == 0:
        return oo, S.Zero
    r = exponent(rest, x, b, side)
    if not r.is_finite or r > Rational(1, 2):
        return r, S.Zero
    return r, one_sided(rest * (side * (x - b)) ** -r, x, b, side)


def _roughness(a: Activation) -> Expr:
    """Return h = r + 1/2 of the roughest change of phi', 1 where there is none below 1."""
    return min([r + Rational(1, 2) for _, r, *_ in rough_slopes(a)] + [S.One])


def _continuous(activation: Kind) -> Activation:
    """Return an activation whose slope has a second moment (`InfiniteMomentError` if phi jumps or is too steep)."""
    a = Activation.of(activation)
    jumps = a.derivative(1).deltas
    if jumps:
        where = ", ".join(str(b) for b, _ in jumps)
        raise InfiniteMomentError(
            f"The activation {a} jumps at x = {where}: the second moment of its slope is infinite."
        )
    if a.steep:
        place, rate = a.steep[0]
        raise InfiniteMomentError(
            f"The slope of {a} grows like {abs(x - place) ** rate} at x = {place}: its second moment, and with it "
            "chi_1, is infinite. Use an activation with a bounded slope."
        )
    return a


def _unequal(a: Activation, order: int) -> Expr:
    _refuse_infinite(a)
    return _unequal_product(a, order)


@lru_cache(maxsize=256)
def _unequal_product(a: Activation, order: int) -> Expr:
    f = a.derivative(order).expr if order else a.expr
    return Expectation(f * f.subs(x, y), (x, y), (q_1, q_2, c)).doit()


_where_finite = ContextVar("_where_finite", default=False)


@contextmanager
def where_finite() -> Iterator[None]:
    """Within it, moments that are infinite from some variance on are formulas for the variances below.

    A solver that knows where it is may use them: exp(x**2/16) has moments for q < 4. Outside, such an activation is
    refused with `InfiniteMomentError`, as one without moments at any variance is everywhere.
    """
    token = _where_finite.set(True)
    try:
        yield
    finally:
        _where_finite.reset(token)


def _refuse_infinite(a: Activation) -> None:
    somewhere = _where_finite.get()
    require_finite(a.expr**2, x, f"second moment of the activation {a}", somewhere)
    if not a.derivative(1).deltas:
        require_finite(a.derivative(1).expr ** 2, x, f"second moment of the slope of {a}", somewhere)


def nodes(activation: Kind) -> dict[str, Expectation]:
    """Return the unevaluated expectations: V, C and, for a continuous phi, P, K = E phi phi'' and S."""
    a = Activation.of(activation)
    _refuse_infinite(a)
    return _nodes(a)


@lru_cache(maxsize=256)
def _nodes(a: Activation) -> dict[str, Expectation]:
    phi = a.expr
    found = {
        "V": Expectation(phi**2, x, q),
        "C": Expectation(phi * phi.subs(x, y), (x, y), (q, q, c)),
    }
    if not a.derivative(1).deltas and not a.steep:
        slope = a.derivative(1).expr
        found["P"] = Expectation(slope**2, x, q)
        found["S"] = Expectation(slope * slope.subs(x, y), (x, y), (q, q, c))
        # E phi phi'' = E u phi phi'/q - P (Stein), where phi'' is no function next to a pole of phi'
        whole = not a.derivative(2).divergent
        found["K"] = Expectation(
            phi * weak_derivative(slope, x) if whole else x * phi * slope / q - slope**2, x, q
        )
    return found


class _Lazy(dict[Any, Any]):
    """Closed forms of `nodes`, found when asked for."""

    def __init__(self, a: Activation) -> None:
        super().__init__()
        self.nodes = _nodes(a)

    def __missing__(self, key: str) -> Expr:
        self[key] = self.nodes[key].doit()
        return self[key]


def _moments(a: Activation) -> _Lazy:
    _refuse_infinite(a)
    return _lazy(a)


@lru_cache(maxsize=256)
def _lazy(a: Activation) -> _Lazy:
    return _Lazy(a)


def _gaussian(polynomial: Expr, order: int) -> Expr:
    """Return E of a polynomial up to q**order: E x^(2k) = (2k - 1)!! q^k."""
    expanded = polynomial.expand()
    return sum((expanded.coeff(x, 2 * k) * factorial2(2 * k - 1) * q**k for k in range(order + 1)), S.Zero)
