"""Special spectra and the landscape: one eigenvalue, separated scales, gaps of the Hessian, aligned signals."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import mpmath
from sympy import Eq, Expr, Integer, Rational, Symbol, cbrt, diff, symbols

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.precision import evaluate
from widelimit.theory.ridge.formulas import (
    alpha,
    isotropic_ridge,
    kappa,
    margin,
    noise,
    penalty_symbol,
    two_scale_gap,
)
from widelimit.theory.ridge.steps import MEL, spectral
from widelimit.theory.ridge.test_error import (
    ASSUMPTIONS,
    effective_ridge_steps,
    error_steps,
    penalty_of_kappa,
    rho_of_kappa,
)

E, F = symbols("E F", real=True)
s1, s2, p1, p2, u1 = symbols("s_1 s_2 p_1 p_2 u_1", positive=True)
r, a = symbols("r a", positive=True)  # ratio of neighbouring scales; position inside a scale
BOX: Mapping[Symbol, tuple[float, float]] = MappingProxyType(
    {
        s1: (1.0, 2.0),
        s2: (0.1, 0.8),
        p1: (0.1, 0.5),
        p2: (0.2, 0.5),
        u1: (0.2, 1.0),
        alpha: (0.3, 3.0),
        noise: (0.05, 0.5),
    }
    | {kappa: (0.2, 1.5), penalty_symbol: (0.01, 1.0)}
)


def plain(
    name: str,
    lhs: Expr,
    rhs: Expr,
    because: str,
    *,
    source: str = MEL,
    where: Expr | None = None,
    **more: Any,
) -> Step:
    """Make a step without sums; `where` is what a left side that is only a name stands for."""
    used = (lhs if where is None else where).free_symbols | rhs.free_symbols
    box = {**BOX, **more.pop("domain", {})}
    domain = {symbol: box[symbol] for symbol in sorted(used, key=str)}
    left = None if where is None else partial(meaning, where)
    return Step(name, Eq(lhs, rhs, evaluate=False), because, source, domain=domain, left=left, **more)


def meaning(stands_for: Expr, values: Mapping[Symbol, Any], dps: int) -> Any:
    """Evaluate what a name stands for."""
    return evaluate(stands_for, values, dps)


def _isotropic() -> Derivation:
    direct, reciprocal = (e.subs(margin, 1 - 1 / alpha) for e in isotropic_ridge())
    s = Symbol("s", positive=True)
    box = {s: (0.3, 2.0)}
    risk = (u1 * (kappa / (s + kappa)) ** 2 + noise) / (1 - (s / (s + kappa)) ** 2 / alpha)
    few = s * (1 / alpha - 1)
    return Derivation(
        "One covariance eigenvalue",
        (
            plain(
                "quadratic",
                penalty_symbol,
                kappa * (1 - s / (s + kappa) / alpha),
                "The effective ridge of a single eigenvalue solves a quadratic equation.",
                where=(kappa**2 + kappa * s * (1 - 1 / alpha)) / (s + kappa),
                domain=box,
            ),
            plain(
                "effective-ridge",
                penalty_symbol,
                direct * (1 - s / (s + direct) / alpha),
                "Its positive root.",
                domain=box,
            ),
            plain(
                "both-forms",
                direct,
                reciprocal,
                "Multiply by the other root: no cancellation for alpha > 1.",
                domain=box,
            ),
            plain(
                "ridgeless-few-samples",
                E,
                u1 * (1 - alpha) + noise / (1 - alpha),
                "Penalty to zero with alpha < 1, kappa = s (1/alpha - 1): the minimum-norm interpolator.",
                source="hastie2022surprises",
                where=risk.subs(kappa, few),
                domain=box | {alpha: (0.2, 0.9)},
            ),
            plain(
                "ridgeless-many-samples",
                E,
                noise * alpha / (alpha - 1),
                "Penalty to zero with alpha > 1, kappa = 0: ordinary least squares, whatever the spectrum.",
                source="hastie2022surprises",
                where=risk.subs(kappa, 0),
                domain=box | {alpha: (1.2, 4.0)},
            ),
            plain(
                "test-error",
                E,
                (u1 * kappa**2 + noise * (s + kappa) ** 2) / ((s + kappa) ** 2 - s**2 / alpha),
                "E = (B + sigma2)/(1 - rho) at any penalty.",
                where=risk,
                domain=box,
            ),
        ),
        ASSUMPTIONS,
    )


_THREE = (Rational(1, 10), Rational(3, 10), Rational(3, 5))  # fractions of the scales 1, r, r^2 in the check
_SHARES, _NOISE_SHARE = (Rational(1, 2), Rational(3, 10), Rational(3, 20)), Rational(1, 20)


_S_D, _BELOW = Symbol("s_d"), Symbol("f_>d")
_F_D, _F_N, _P_D = symbols("f_d f_n p_d", positive=True)
_SECOND_OF_THREE: Mapping[Expr, Expr] = {  # what the names of a scale are in the check, which looks at the second
    _F_D: _SHARES[1], _BELOW: _SHARES[2], _F_N: _NOISE_SHARE, _P_D: _THREE[1], _S_D: r,
    a: (alpha - _THREE[0]) / _THREE[1],
}  # fmt: skip


def _second_of_three(expression: Expr) -> Expr:
    return expression.subs(_SECOND_OF_THREE)


def _three_scales(kind: str, values: Mapping[Symbol, Any], dps: int) -> mpmath.mpf:
    """What three scales 1, r, r^2 give in full, by the root of df1 = N."""
    ratio, samples = (mpmath.mpf(values[x].p) / values[x].q for x in (r, alpha))
    scales = [ratio**k for k in range(3)]
    p, f, (f_noise,) = ([mpmath.mpf(x.p) / x.q for x in row] for row in (_THREE, _SHARES, (_NOISE_SHARE,)))

    def free(t: mpmath.mpf) -> mpmath.mpf:  # df1/P less alpha at kappa = e^t
        return mpmath.fsum(w / (1 + mpmath.e**t / s) for w, s in zip(p, scales, strict=True)) - samples

    ends = (mpmath.log(scales[2]), mpmath.log(scales[0]))
    root = mpmath.e ** mpmath.findroot(free, ends, solver="anderson")
    if kind == "kappa":
        return root
    rho = mpmath.fsum(w * (s / (s + root)) ** 2 for w, s in zip(p, scales, strict=True)) / samples
    missed = mpmath.fsum(x * (root / (s + root)) ** 2 for x, s in zip(f, scales, strict=True))
    return (missed + f_noise) / (1 - rho)


def _separated() -> Derivation:
    ridge = _S_D * (1 - a) / a
    error = alpha / (_P_D * a * (1 - a)) * (_F_N + _BELOW + _F_D * (1 - a) ** 2)

    domain = {alpha: (0.15, 0.35), r: (0.001, 0.01)}
    return Derivation(
        "Separated scales",
        (
            *effective_ridge_steps(),
            Step(
                "effective-ridge-of-a-scale",
                Eq(kappa, ridge, evaluate=False),
                "Between A_(d-1) and A_d, A_d = p_1 + ... + p_d, write a = (alpha - A_(d-1))/p_d. "
                "Scales above are fitted, scales "
                "below not yet, so df1 = N reads A_(d-1) + p_d s_d/(s_d + kappa) = alpha: an "
                "isotropic problem of ratio a.",
                MEL,
                domain=domain,
                kind="limit",
                limit=(r, Integer(0), 1),
                left=partial(_three_scales, "kappa"),
                written=_second_of_three,
            ),
            Step(
                "unexplained-variance",
                Eq(F, error, evaluate=False),
                "Put it into F = (B + f_n)/(1 - rho): scales below are missed entirely and act as noise f_>d, rho = "
                "(A_(d-1) + p_d a^2)/alpha. F has a peak at every cumulative fraction A_d, where a reaches 0 or 1.",
                MEL,
                domain=domain,
                kind="limit",
                limit=(r, Integer(0), 1),
                left=partial(_three_scales, "error"),
                written=_second_of_three,
            ),
        ),
        (
            *ASSUMPTIONS,
            "s_1 >> s_2 >> ..., penalty to zero",
            "the check has scales 1, r, r^2 on 10, 30 and 60 % of the dimensions",
        ),
    )


def _gap() -> Derivation:
    x, width, A, B = symbols("x Delta A B", positive=True)
    best = width * cbrt(A) / (cbrt(A) + cbrt(B))
    box = {x: (0.1, 0.4), width: (0.5, 1.0), A: (0.1, 1.0), B: (0.01, 0.5)}
    rho_two = (p1 * s1**2 / (s1 + kappa) ** 2 + p2 * s2**2 / (s2 + kappa) ** 2) / alpha
    slope_at_best = diff(A / x**2 + B / (width - x) ** 2, x)
    return Derivation(
        "Gaps of the loss landscape",
        (
            *effective_ridge_steps(),
            spectral(
                "edges",
                Symbol("lambda'"),
                1 - rho_of_kappa(),
                "Outside the spectrum of X^T X/N the transform is real, so x = -lambda(kappa) with "
                "kappa real and increasing: "
                "edges are where rho = 1, and between two poles a gap is open if rho < 1 somewhere.",
                source="silverstein1995analysis",
                where={Symbol("lambda'"): diff(penalty_of_kappa(), kappa)},
                domain={kappa: (-0.08, -0.02)},
            ),
            plain(
                "two-scales",
                Symbol("rho"),
                (p1 * s1**2 / (s1 + kappa) ** 2 + p2 * s2**2 / (s2 + kappa) ** 2) / alpha,
                "For two scales: A/x^2 + B/(Delta - x)^2 over alpha with x = s_1 + kappa, Delta = "
                "s_1 - s_2, A = p_1 s_1^2, "
                "B = p_2 s_2^2.",
                where=(A / x**2 + B / (width - x) ** 2).subs(
                    {A: p1 * s1**2, B: p2 * s2**2, x: s1 + kappa, width: s1 - s2}
                )
                / alpha,
                domain={kappa: (-0.95, -0.85)},
            ),
            plain(
                "least",
                A / best**3,
                B / (width - best) ** 3,
                "The least value is where A/x^3 = B/(Delta - x)^3.",
                domain=box,
            ),
            plain(
                "threshold",
                Symbol("alpha_gap"),
                two_scale_gap(s1, p1, s2, p2),
                "rho falls below 1 there once alpha exceeds this. The bulk above the gap holds "
                "exactly the fraction p_1 of the "
                "dimensions (exact separation).",
                source=f"{MEL}; bai1999exact",
                where=(alpha * rho_two).subs(
                    kappa, best.subs({A: p1 * s1**2, B: p2 * s2**2, width: s1 - s2}) - s1
                ),
            ),
        ),
        (*ASSUMPTIONS, f"the derivative {slope_at_best} vanishes at the least value"),
    )


def _alignment() -> Derivation:
    two = (u1 * (kappa / (s1 + kappa)) ** 2 + noise) / (
        1 - (p1 * (s1 / (s1 + kappa)) ** 2 + p2 * (s2 / (s2 + kappa)) ** 2) / alpha
    )
    one = (u1 * (kappa / (s1 + kappa)) ** 2 + noise) / (1 - (s1 / (s1 + kappa)) ** 2 / (alpha / p1))
    ridge = kappa * (1 - 1 / (1 + kappa) / alpha)
    return Derivation(
        "Sample complexity of an aligned target",
        (
            *effective_ridge_steps(),
            *error_steps(),
            plain(
                "as-if-isotropic",
                two,
                one,
                "With the signal on a fraction p_1 of strong directions and the others much weaker, "
                "test error at effective "
                "ridge kappa is that of an isotropic problem with alpha/p_1 samples per dimension; "
                "so is its least value over "
                "penalties: 1/p_1 times fewer samples are needed.",
                kind="limit",
                limit=(s2, Integer(0), 2),
                domain={alpha: (1.0, 3.0), s2: (0.001, 0.01)},
            ),
            plain(
                "isotropic-optimum",
                E,
                alpha * kappa,
                "That least value, for s = |w| = 1: at penalty sigma2/alpha, E = alpha kappa.",
                where=((kappa / (1 + kappa)) ** 2 + alpha * ridge) / (1 - 1 / (1 + kappa) ** 2 / alpha),
            ),
        ),
        (
            *ASSUMPTIONS,
            "the signal is on the leading scale only, whose eigenvalue is much larger than the others",
        ),
    )


DERIVATIONS = MappingProxyType(
    {"isotropic": _isotropic, "separated-scales": _separated, "hessian-gap": _gap, "alignment": _alignment}
)
