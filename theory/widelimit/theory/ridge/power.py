"""Power-law spectra ``s_k = k^-a`` with signal ``u_k = k^-b``: exponents, prefactors, and the crossover to noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import mpmath
from sympy import (
    Derivative,
    Eq,
    Expr,
    Integer,
    Integral,
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
from widelimit.theory.ridge.steps import MEL, both, number

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


def _numeric(
    left: Callable[..., Any], rhs: Expr, symbols_: tuple[Symbol, ...]
) -> Callable[[Mapping[Symbol, Any], int], Any]:
    return partial(_numerically, left, rhs, symbols_)


def _numerically(
    left: Callable[..., Any],
    rhs: Expr,
    symbols_: tuple[Symbol, ...],
    values: Mapping[Symbol, Any],
    dps: int,
) -> tuple[mpmath.mpf, mpmath.mpf]:
    with mpmath.workdps(dps + 10):
        numbers = [number(values[symbol]) for symbol in symbols_]
        return left(*numbers), lambdify(symbols_, rhs, "mpmath")(*numbers)


def _step(
    name: str,
    lhs: Expr,
    rhs: Expr,
    because: str,
    source: str,
    box: Mapping[Symbol, tuple[float, float]] = BOX,
    **more: Any,
) -> Step:
    used = (lhs.free_symbols | rhs.free_symbols) & set(box)
    return Step(
        name,
        Eq(lhs, rhs, evaluate=False),
        because,
        source,
        domain={v: box[v] for v in sorted(used, key=str)},
        **more,
    )


def _degrees(exponent: mpmath.mpf, penalty: mpmath.mpf) -> mpmath.mpf:
    # the sum itself: head term by term, tail by Euler and Maclaurin
    head = int(4 * penalty ** (-1 / exponent)) + 20
    return mpmath.fsum(1 / (1 + penalty * mpmath.mpf(n) ** exponent) for n in range(1, head)) + mpmath.sumem(
        lambda n: 1 / (1 + penalty * n**exponent), [head, mpmath.inf], tol=mpmath.mpf(10) ** -15
    )


def _missed(exponent: mpmath.mpf, other: mpmath.mpf, penalty: mpmath.mpf) -> mpmath.mpf:
    def term(n: mpmath.mpf) -> mpmath.mpf:
        power = mpmath.mpf(n) ** exponent
        return power**2 * mpmath.mpf(n) ** -other * penalty**2 / (1 + penalty * power) ** 2

    head = 300
    tail = mpmath.quad(lambda y: term(mpmath.e**y) * mpmath.e**y, [mpmath.log(head), 8, 12, 20, 40])
    last = term(mpmath.mpf(head))  # Euler and Maclaurin, first two corrections
    slope = mpmath.diff(term, head)
    return mpmath.fsum(term(mpmath.mpf(n)) for n in range(1, head)) + tail + last / 2 - slope / 12


def _degrees_integral(exponent: mpmath.mpf, penalty: mpmath.mpf) -> mpmath.mpf:
    def integrand(y: mpmath.mpf) -> mpmath.mpf:  # over y = log k
        return mpmath.e**y / (1 + penalty * mpmath.e ** (y * exponent))

    return mpmath.quad(integrand, [-80, 0, 5, 80])


def _bias_integral(exponent: mpmath.mpf, other: mpmath.mpf, penalty: mpmath.mpf) -> mpmath.mpf:
    def integrand(y: mpmath.mpf) -> mpmath.mpf:
        mode = mpmath.e ** (y * (2 * exponent - other + 1)) * penalty**2
        return mode / (1 + penalty * mpmath.e ** (y * exponent)) ** 2

    return mpmath.quad(integrand, [-60, 0, 5, 20, 60, 160, 320])


def _derivation() -> Derivation:
    fitted = prefactor() * ridge ** (-1 / a)
    law = (prefactor() / N) ** a
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
                evaluate=_numeric(_degrees_integral, fitted, (a, ridge)),
            ),
            _step(
                "degrees-of-freedom",
                Sum(1 / (1 + ridge * k**a), (k, 1, oo)),
                fitted,
                "The sum over eigenvalues is the integral up to a bounded remainder, and both grow as kappa falls.",
                BORDELON,
                kind="limit",
                limit=(ridge, Integer(0), 0.4),  # -1/2 of a sum that grows as kappa^(-1/a), a near 2.5
                evaluate=_numeric(_degrees, fitted, (a, ridge)),
            ),
            _step(
                "df2",
                fitted + ridge * Derivative(fitted, ridge),
                (1 - 1 / a) * fitted,
                "df2 = df1 + kappa d df1/d kappa, so rho = 1 - 1/a without a penalty.",
                BORDELON,
                evaluate=both(fitted + ridge * diff(fitted, ridge), (1 - 1 / a) * fitted),
            ),
            _step(
                "bias",
                Integral(q_integrand, (k, 0, oo)),
                bias_prefactor() * ridge ** ((b - 1) / a),
                "The squared bias for b < 2a + 1.",
                f"{BORDELON}; {CUI}",
                evaluate=_numeric(_bias_integral, bias_prefactor() * ridge ** ((b - 1) / a), (a, b, ridge)),
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
                evaluate=_numeric(_missed, steep_bias(), (a, b, ridge)),
                box=_STEEP,
            ),
            _step(
                "ridgeless",
                fitted.subs(ridge, law),
                N,
                "Without a penalty df1 = N: kappa = (c/N)^a, so that B ~ N^-mu.",
                f"{BORDELON}; {CUI}",
                evaluate=both(fitted.subs(ridge, law), N),
            ),
            _step(
                "plateau",
                noise * (1 - 1 / a) / (1 - (1 - 1 / a)),
                plateau(),
                "Noise is fitted by sigma2 rho/(1 - rho): a plateau that more samples do not lower.",
                CUI,
                evaluate=both(noise * (1 - 1 / a) / (1 - (1 - 1 / a)), plateau()),
            ),
            _step(
                "crossover",
                crossover() ** (-ell * mu / a),
                noise * crossover() ** (ell / a - 1),
                "With lambda ~ N^-ell, ell < a, kappa ~ lambda: bias falls as N^(-ell mu/a), noise only as "
                "sigma2 N^(ell/a - 1). They meet at N ~ sigma^(-2/(ell mu/a + ell/a - 1)), without a penalty (as "
                "ell = a) at sigma^(-2/mu); for ell below a/(1 + mu) never.",
                CUI,
                evaluate=both(crossover() ** (-ell * mu / a), noise * crossover() ** (ell / a - 1)),
                box=BOX | {ell: (1.9, 2.2)},
            ),
            _step(
                "best-exponent",
                1 - best_exponent() / a,
                best_exponent() * mu / a,
                "Both fall alike at ell = a/(1 + mu), where the excess falls as N^(-mu/(1 + mu)).",
                CUI,
                evaluate=both(1 - best_exponent() / a, best_exponent() * mu / a),
            ),
        ),
        (
            "s_k = k^-a with a > 1, u_k = k^-b with b > 1",
            "N is large but much smaller than the dimension",
            f"notation: {MEL}",
        ),
    )


DERIVATIONS = MappingProxyType({"power-law": _derivation})
