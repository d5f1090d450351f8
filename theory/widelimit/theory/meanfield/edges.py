"""The edge of chaos chi_1 = 1: where it runs, where it ends, and how correlations decay on it as powers of depth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sympy import Expr, Rational, S, cancel, expand, factorial2, gamma, oo, pi, series, sin

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation, x
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.gaussian.special import normal_density
from widelimit.theory.calculus.pieces import exponent, one_sided, split
from widelimit.theory.calculus.powers import absolute_moment
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.theory.meanfield.moments import (
    ANY,
    ByMoments,
    Kind,
    continuous,
    q,
    second_moment,
    second_moment_slope,
    slope_moment,
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


def curvature_moment(activation: str | Activation | Expr) -> Expr:
    """Return P_2(q) = E phi''(u)^2; infinity where phi' jumps (phi'' then holds delta functions) or phi'' is too steep.

    >>> curvature_moment("sin"), curvature_moment("relu")
    (1/2 - exp(-2*q)/2, oo)
    """
    a = continuous(activation)
    rough = a.derivative(2).deltas or any(r <= Rational(1, 2) for _, r, *_ in rough_slopes(a))
    return oo if rough else Expectation(a.derivative(2).expr ** 2, x, q).doit()


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
    if isinstance(activation, ByMoments):
        return activation.E
    a = continuous(activation)
    origin = a.expr.subs(x, 0)
    bend = split(a.derivative(1).expr - (a.expr - origin) / x, x).map(_tidy)
    spread = q * Expectation(bend.expr**2, x, q) if any(e != 0 for e in bend.exprs) else S.Zero
    return spread - (origin * (2 * Expectation(a.expr, x, q) - origin) if origin != 0 else 0)


def critical_bias(activation: Kind) -> Expr:
    """Return sigma_b^2 on the edge of chaos as `critical_excess` over P, with all its digits where V is q P nearly.

    >>> critical_bias("sin").subs(q, 1).n(6), critical_line("sin").sigma_b_squared.subs(q, 1).n(6)
    (0.238406, 0.238406)
    """
    a = activation if isinstance(activation, ByMoments) else continuous(activation)
    bias = critical_line(ANY).sigma_b_squared.subs(ANY.V, q * ANY.P - ANY.E)
    return cancel(bias).subs({ANY.E: critical_excess(a), ANY.P: slope_moment(a)})


def critical_growth(activation: str | Activation | Expr) -> Expr:
    """Return d sigma_b^2/d log q along the edge of chaos: q/(2 n^2) (E (x phi' - n phi)^2/V + n (n - 1)), n = q P/V.

    From d V/d log q = E x phi phi' and d P/d log q = E (x^2/q - 1) phi'^2/2. As sigma_b^2 = q (1 - 1/n), it is at least
    sigma_b^2/2 wherever the edge exists (n >= 1): no activation has two edges of chaos at one sigma_b > 0, and only
    one that is linear on both sides of 0 has several at sigma_b = 0.

    >>> critical_growth("relu"), critical_growth("x**2")
    (0, q/4)
    """
    a = continuous(activation)
    v, slope = second_moment(a), a.derivative(1).expr
    bend = split(x * slope - a.expr, x).map(_tidy).expr
    more = critical_excess(a).doit() / v  # n - 1; with it nothing cancels at small q
    square, overlap = (Expectation(e, x, q).doit() if e != 0 else S.Zero for e in (bend**2, a.expr * bend))
    return q / (2 * (1 + more) ** 2) * ((square - 2 * more * overlap) / v + more**2 + more * (1 + more))


def _tidy(e: Expr) -> Expr:
    """Return the expression, or its expanded form where that is a constant (0 on a linear piece)."""
    plain = expand(e)
    return plain if not plain.has(x) else e


@dataclass(frozen=True)
class CriticalLimit:
    """The edge of chaos as sigma_b -> 0, where q* -> 0."""

    sigma_w_squared: Expr
    decay: DecayLaw


def critical_limit(activation: str | Activation | Expr) -> CriticalLimit | None:
    """Return the end of the edge of chaos at sigma_b = 0, q* = 0, from the slopes of phi on both sides of 0.

    phi(0) = 0 and P -> (phi'(0-)^2 + phi'(0+)^2)/2, the inverse of sigma_w^2. Correlations decay as those of the leaky
    ReLU with these slopes; where they are equal, phi is linear in the limit and the coefficient infinite. None: there
    is no such end, because phi(0) is not 0 or because the slope at 0 is 0 (then sigma_w -> oo) or infinite.

    >>> critical_limit("elu")
    CriticalLimit(sigma_w_squared=1, decay=DecayLaw(power=1, coefficient=oo))
    """
    a = continuous(activation)
    slope = a.pieces.diff()
    below = sum(1 for b in slope.breaks if b.is_negative)
    above = sum(1 for b in slope.breaks if not b.is_positive)
    left, right = (one_sided(slope.exprs[k], x, S.Zero, side) for k, side in ((below, -1), (above, 1)))
    if a.expr.subs(x, 0) != 0 or left.is_infinite or right.is_infinite or left == right == 0:
        return None
    p = (left**2 + right**2) / 2
    if left == right:
        return CriticalLimit(1 / p, DecayLaw(1 / _roughness(a), oo))
    h = Rational(1, 2)
    lost = _lost(h, rough_square(S.Zero, S.Zero, right - left) * normal_density(S.Zero, q), p)
    return CriticalLimit(1 / p, _decay(h, lost))


def critical_length_slope(activation: Kind) -> Expr:
    """Return dq'/dq on the edge of chaos, dV/dq / P = 1 + E phi phi''/P: the fixed point is stable where it is below 1.

    Above 1 (swish and GELU at small sigma_b) the length map runs away from its fixed point.
    """
    return second_moment_slope(activation) / slope_moment(activation)


@exact.takes(order=exact.order(1))
def critical_series(activation: str | Activation | Expr, order: int = 3) -> CriticalLine:
    """Return the edge of chaos up to q**order for small q, for activations that are smooth at 0.

    Kinks elsewhere add terms smaller than every power of q.

    >>> critical_series("tanh")
    CriticalLine(sigma_w_squared=34*q**3/3 - 3*q**2 + 2*q + 1, sigma_b_squared=4*q**3/3)
    """
    if not isinstance(order, int) or not 1 <= order <= 12:
        raise ArgumentError("order", "must be a whole number from 1 to 12", order)
    a = continuous(activation)
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


def decay_law(activation: str | Activation | Expr) -> DecayLaw:
    """Return how epsilon_l falls on the edge of chaos, at the fixed point q of the line.

    Smooth phi: epsilon' = epsilon - epsilon^2 q P_2/(2 P), so beta/l with beta = 2 P/(q P_2) (hayou2019impact).
    Jumps J_k of phi' at b_k: epsilon' = epsilon - s epsilon^(3/2) with `kink_coefficient` s, so (4/s^2)/l^2. Slopes
    that change like abs(x - b)**r with -1/2 < r < 1/2: epsilon' = epsilon - s epsilon^(1 + h) with h = r + 1/2, so
    (h s l)^(-1/h). At r = 1/2 (abs(x)**1.5) P_2 diverges and epsilon_l falls faster than 1/l by a logarithm only:
    power 1 with the coefficient 0.

    >>> decay_law("relu")
    DecayLaw(power=2, coefficient=9*pi**2/2)
    """
    a = continuous(activation)
    h = _roughness(a)
    if h < 1:
        return _decay(h, kink_coefficient(a))
    p_2 = curvature_moment(a)
    if p_2 == 0:
        raise DomainError(f"The activation {a} is linear: on its edge of chaos correlations do not change.")
    return DecayLaw(1, 2 * slope_moment(a) / (q * p_2))


def kink_coefficient(activation: str | Activation | Expr) -> Expr:
    """Return s in epsilon' = epsilon - s epsilon^(1 + h), h = r + 1/2 for the roughest change abs(x - b)**r of phi'.

    Where u_1 and u_2 lie next to b_k, of density p_q(b_k), phi'_1 - phi'_2 is a function of scale
    u_2 - u_1 ~ N(0, 2 q epsilon), so that its mean square is C_k p_q(b_k) E|u_2 - u_1|^(2h), C_k = `rough_square`;
    half of it over P, integrated in epsilon, is s epsilon^(1 + h). A jump J_k (h = 1/2) has C_k = J_k^2, and
    s = 2/3 sqrt(q/pi) sum_k J_k^2 p_q(b_k)/P(q).

    >>> kink_coefficient("relu")
    2*sqrt(2)/(3*pi)
    """
    a = continuous(activation)
    h = _roughness(a)
    if h >= 1:
        raise DomainError(f"The slope of {a} does not jump; see decay_law.")
    weight = sum(
        rough_square(r, below, above) * normal_density(b, q)
        for b, r, below, above in rough_slopes(a)
        if r + Rational(1, 2) == h
    )
    return _lost(h, weight, slope_moment(a))


def _lost(h: Expr, weight: Expr, p: Expr) -> Expr:
    """Return s: half the mean square of phi'_1 - phi'_2 over P, integrated in epsilon to s epsilon^(1 + h)."""
    return weight * absolute_moment(2 * h, 2 * q) / (2 * (1 + h) * p)


def _decay(h: Expr, s: Expr) -> DecayLaw:
    """Return the solution of d epsilon/dl = -s epsilon^(1 + h) at large l."""
    return DecayLaw(1 / h, (h * s) ** (-1 / h))


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


def _gaussian(polynomial: Expr, order: int) -> Expr:
    """Return E of a polynomial up to q**order: E x^(2k) = (2k - 1)!! q^k."""
    expanded = polynomial.expand()
    return sum((expanded.coeff(x, 2 * k) * factorial2(2 * k - 1) * q**k for k in range(order + 1)), S.Zero)
