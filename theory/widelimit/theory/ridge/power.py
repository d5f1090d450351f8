"""Power-law spectra ``s_k = k^-a`` with signal ``u_k = k^-b``: exponents, prefactors, and the crossover to noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import mpmath
from sympy import (
    Eq,
    Expr,
    Integer,
    Integral,
    Rational,
    Sum,
    Symbol,
    diff,
    gamma,
    lambdify,
    oo,
    pi,
    sin,
    symbols,
    zeta,
)

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.ridge.formulas import noise
from widelimit.theory.ridge.steps import MEL

BORDELON = "bordelon2020spectrum"
CUI = "cui2021generalization"
a, b = symbols("a b", positive=True)
k, x, N, ell, mu = symbols("k x N ell mu", positive=True)
ridge = Symbol("kappa", positive=True)
BOX = {
    a: (2.3, 2.7),
    b: (1.5, 2.5),
    ridge: (0.001, 0.01),
    N: (10.0, 100.0),
    ell: (0.5, 1.5),
    noise: (0.05, 0.5),
    mu: (0.5, 3.0),
}
_STEEP = {a: (1.2, 1.4), b: (5.2, 5.6), ridge: (0.001, 0.01)}  # b > 3a + 1


def prefactor() -> Expr:
    """``c = (pi/a)/sin(pi/a)``: degrees of freedom ``df1 = c kappa^(-1/a)``."""
    return (pi / a) / sin(pi / a)


def degrees_of_freedom() -> Expr:
    """``df1 = c kappa^(-1/a)`` to leading order."""
    return prefactor() * ridge ** (-1 / a)


def ridgeless() -> Expr:
    """Effective ridge without a penalty, where df1 = N: ``kappa = (c/N)^a``."""
    return (prefactor() / N) ** a


def gentle_bias() -> Expr:
    """Squared bias for b < 2a + 1: ``I kappa^((b-1)/a)``."""
    return bias_prefactor() * ridge ** ((b - 1) / a)


def bias_prefactor() -> Expr:
    """``I = Gamma(q) Gamma(2 - q)/a``, ``q = 2 - (b - 1)/a``: squared bias ``I kappa^((b-1)/a)`` for b < 2a + 1."""
    q = 2 - (b - 1) / a
    return gamma(q) * gamma(2 - q) / a


def steep_bias() -> Expr:
    """Squared bias for b > 2a + 1: the leading modes are missed alike, ``zeta(b - 2a) kappa^2``."""
    return zeta(b - 2 * a) * ridge**2


def crossover() -> Expr:
    """Samples from which noise outweighs bias, penalties ``N^-ell`` with ``a/(1 + mu) < ell <= a``.

    ``sigma^(-2/(ell mu/a + ell/a - 1))``; without a penalty that is ell = a, ``sigma^(-2/mu)``.
    """
    return noise ** (-1 / (ell * mu / a + ell / a - 1))


def plateau() -> Expr:
    """Excess error of the ridgeless fit with noise, ``sigma2 (a - 1)``: it never goes away."""
    return noise * (a - 1)


def best_exponent() -> Expr:
    """``lambda ~ N^-ell`` with ``ell = a/(1 + mu)`` balances bias and noise; the excess is ``N^(-mu/(1 + mu))``."""
    return a / (1 + mu)


def _over_log(integrand: Expr, values: Mapping[Symbol, Any], dps: int) -> mpmath.mpf:
    """Integrate over k from 0 to infinity, on the scale of log k on which powers are smooth."""
    f = _function(integrand, values)
    with mpmath.workdps(dps):
        return mpmath.quad(lambda y: f(mpmath.e**y) * mpmath.e**y, [-80, 0, 5, 20, 80, 160, 320])


def _added_up(term: Expr, values: Mapping[Symbol, Any], dps: int) -> mpmath.mpf:
    """Sum over k from 1: the first terms one by one, the rest by Euler and Maclaurin."""
    f, slope, third = (_function(diff(term, k, order), values) for order in (0, 1, 3))
    head = 40
    with mpmath.workdps(dps):
        start = mpmath.log(head)
        tail = mpmath.quad(lambda y: f(mpmath.e**y) * mpmath.e**y, [start, 8, 12, 20, 40, 80])
        corrections = f(head) / 2 - slope(head) / 12 + third(head) / 720
        return mpmath.fsum(f(mpmath.mpf(n)) for n in range(1, head)) + tail + corrections


def _function(expression: Expr, values: Mapping[Symbol, Any]) -> Callable[[Any], Any]:
    found: Callable[[Any], Any] = lambdify(
        k, expression.subs({v: Rational(x) for v, x in values.items()}), "mpmath"
    )
    return found


def _step(
    name: str,
    lhs: Expr,
    rhs: Expr,
    because: str,
    source: str,
    box: Mapping[Symbol, tuple[float, float]] = BOX,
    **more: Any,
) -> Step:
    """Make a step; integrals and sums over k on the left are evaluated as they stand there."""
    used = (lhs.free_symbols | rhs.free_symbols) & set(box)
    left: Any = None
    if isinstance(lhs, Integral):
        left = partial(_over_log, lhs.function)
    elif isinstance(lhs, Sum):
        left = partial(_added_up, lhs.function)
    domain = {v: box[v] for v in sorted(used, key=str)}
    return Step(name, Eq(lhs, rhs, evaluate=False), because, source, domain=domain, left=left, **more)


def _derivation() -> Derivation:
    fitted = degrees_of_freedom()
    law = ridgeless()
    q_integrand = k ** (2 * a - b) * ridge**2 / (1 + ridge * k**a) ** 2
    return Derivation(
        "Power-law spectra",
        (
            _step(
                "degrees-of-freedom-integral",
                Integral(1 / (1 + ridge * k**a), (k, 0, oo)),
                fitted,
                "Substitute t = kappa k^a: a beta function.",
                BORDELON,
            ),
            _step(
                "degrees-of-freedom",
                Sum(1 / (1 + ridge * k**a), (k, 1, oo)),
                fitted - Rational(1, 2),
                "The sum over eigenvalues is the integral and zeta(0) = -1/2, up to terms that vanish with kappa.",
                BORDELON,
                kind="limit",
                limit=(ridge, Integer(0), 1),
            ),
            _step(
                "df2",
                Integral(1 / (1 + ridge * k**a) ** 2, (k, 0, oo)),
                (1 - 1 / a) * fitted,
                "df2 = df1 + kappa d df1/d kappa, so rho = 1 - 1/a without a penalty.",
                BORDELON,
            ),
            _step(
                "bias",
                Integral(q_integrand, (k, 0, oo)),
                gentle_bias(),
                "The squared bias for b < 2a + 1.",
                f"{BORDELON}; {CUI}",
            ),
            _step(
                "steep-bias",
                Sum(k ** (2 * a - b) * ridge**2 / (1 + ridge * k**a) ** 2, (k, 1, oo)),
                steep_bias(),
                "For b > 2a + 1 the leading modes carry the bias, so that B ~ kappa^(mu/a) with mu = min(b - 1, 2a).",
                f"{BORDELON}; {CUI}",
                kind="limit",
                limit=(
                    ridge,
                    Integer(0),
                    0.5,
                ),  # the next order is kappa, or kappa^((b - 1)/a - 2), above 0.5 here
                box=_STEEP,
            ),
            _step(
                "ridgeless",
                Sum(1 / (1 + law * k**a), (k, 1, oo)),
                N,
                "Without a penalty df1 = N: kappa = (c/N)^a, so that B ~ N^-mu.",
                f"{BORDELON}; {CUI}",
                kind="limit",
                limit=(N, oo, 1),
            ),
            _step(
                "plateau",
                noise * (1 - 1 / a) / (1 - (1 - 1 / a)),
                plateau(),
                "Noise is fitted by sigma2 rho/(1 - rho): a plateau that more samples do not lower.",
                CUI,
            ),
            _step(
                "crossover",
                crossover() ** (-ell * mu / a),
                noise * crossover() ** (ell / a - 1),
                "With lambda ~ N^-ell, ell < a, kappa ~ lambda: bias falls as N^(-ell mu/a), noise only as "
                "sigma2 N^(ell/a - 1). They meet at N ~ sigma^(-2/(ell mu/a + ell/a - 1)), without a penalty (as "
                "ell = a) at sigma^(-2/mu); for ell below a/(1 + mu) never.",
                CUI,
                box=BOX | {ell: (1.9, 2.2)},
            ),
            _step(
                "best-exponent",
                1 - best_exponent() / a,
                best_exponent() * mu / a,
                "Both fall alike at ell = a/(1 + mu), where the excess falls as N^(-mu/(1 + mu)).",
                CUI,
            ),
        ),
        (
            "s_k = k^-a with a > 1, u_k = k^-b with b > 1",
            "N is large but much smaller than the dimension",
            f"notation: {MEL}",
        ),
    )


DERIVATIONS = MappingProxyType({"power-law": _derivation})
