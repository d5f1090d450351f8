"""Steps and evidence of ridge regression at a finite number of samples.

The evidence of the correction to log det is Wick's theorem; that of every mean solves the equation of eta with its
sources numerically and differentiates log(1 - gamma)/2 by finite differences, which know nothing of `sizes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

import mpmath
from sympy import Eq, Expr, Integer, Rational, Symbol, diff, log, oo, sqrt, symbols

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.calculus.precision import Values, evaluate
from widelimit.theory.ridge import formulas as r
from widelimit.theory.ridge import sizes as z
from widelimit.theory.ridge.formulas import RATIO, RHO, SLOPE, alpha, kappa, noise
from widelimit.theory.ridge.steps import power_sum, scales, spectral
from widelimit.theory.ridge.test_error import ASSUMPTIONS, effective_ridge_steps, penalty_of_kappa

BAI = "bai2004clt, theorem 1.1"
_ORDERS = 4  # moments that Wick's theorem is asked for: 105 pairings
_LOST = 12  # digits that second differences lose


def in_sums(expression: Expr) -> Rewritten:
    """Write the names of `sizes`, `RHO`, `SLOPE` and `RATIO` out in sums over the spectrum."""
    few = r.effective_ridge_slope_few_samples()
    forms = {SLOPE: few, RHO: 1 - few, RATIO: r.effective_ridge_ratio_few_samples()}
    bend = {
        r.MISSED_BEND: r.over_spectrum(-r.TERMS["missed_slope"].diff(kappa) / 3),
        r.FITTED_BEND: r.over_spectrum(-r.TERMS["fitted_slope"].diff(kappa) / 3),
    }
    angle = {z.ANGLE: r.over_spectrum(z.ANGLE_TERM)}
    return r.in_full(expression.subs(z.NAMED).subs(forms).subs(bend).subs(angle))


def _penalty(values: Values) -> Any:
    p, s = scales(values)
    at = values[kappa]
    return at * (1 - mpmath.fsum(w * x / (x + at) for w, x in zip(p, s, strict=True)) / values[alpha])


# --- log det: Wick's theorem


@lru_cache(maxsize=8)
def twisted_pairings(order: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Pairings of the factors of tr (X^T X)^k that are of the order next to the planar ones.

    Each as the number of its free sums over samples, and how many factors Sigma each of its traces has.
    """
    found = []
    for pairs in _matchings(tuple(range(2 * order))):
        rows, columns = (
            _Classes(order),
            _Classes(order),
        )  # sample k: factors 2k, 2k + 1; dimension k: 2k + 1, 2k + 2
        for one, two in pairs:
            rows.join(one // 2, two // 2)
            columns.join((one + 1) // 2 % order, (two + 1) // 2 % order)
        if rows.count() + columns.count() == order:
            found.append((rows.count(), columns.sizes()))
    return tuple(found)


def _matchings(left: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], ...]]:
    if not left:
        yield ()
        return
    for k in range(1, len(left)):
        for rest in _matchings(left[1:k] + left[k + 1 :]):
            yield ((left[0], left[k]), *rest)


class _Classes:
    """Indices that pairings make equal."""

    def __init__(self, size: int) -> None:
        self.name = list(range(size))

    def join(self, one: int, two: int) -> None:
        old, new = self.name[one], self.name[two]
        self.name = [new if name == old else name for name in self.name]

    def count(self) -> int:
        return len(set(self.name))

    def sizes(self) -> tuple[int, ...]:
        return tuple(self.name.count(name) for name in set(self.name))


def wick_shift(values: Values, dps: int) -> Any:
    """Return sum_k (-1)^(k+1) m_k/(k lambda^k), m_k what the mean of tr C^k exceeds its planar part by."""
    ratio, penalty, total = values[alpha], _penalty(values), mpmath.mpf(0)
    for order in range(2, _ORDERS + 1):
        moment = mpmath.fsum(
            mpmath.fprod(power_sum(values, size) / ratio for size in sizes)
            for _, sizes in twisted_pairings(order)
        )
        total += (-1) ** (order + 1) * moment / (order * penalty**order)
    return total


# --- means: differences of log(1 - gamma)/2 with sources


def potential(values: Values, tau: Any, eps: Any, scale: int | None = None, more: Any = 0) -> Any:
    """Return log(1 - gamma)/2 with sources tau Sigma, and eps along the signal or on the dimensions of one scale.

    Weights of the signal are ``w^2 = alpha u/(p s)/N``; eps is taken times N, so that N drops out. `more` is added to
    the penalty.
    """
    p, s = scales(values)
    ratio = values[alpha]
    penalty = _penalty(values) + more
    signal = [values[symbol] * ratio / (w * x) for symbol, w, x in zip(_SIGNALS, p, s, strict=True)]
    along = signal if scale is None else [int(k == scale) for k in range(len(s))]

    def shrunk(eta: Any) -> list[Any]:
        return [x * eta / (penalty + eps * d + x * (eta + tau)) for x, d in zip(s, along, strict=True)]

    def excess(eta: Any) -> Any:
        return eta + mpmath.fsum(w * q for w, q in zip(p, shrunk(eta), strict=True)) / ratio - 1

    eta = mpmath.findroot(excess, _penalty(values) / values[kappa])
    gamma = mpmath.fsum(w * q**2 for w, q in zip(p, shrunk(eta), strict=True)) / ratio
    return mpmath.log(1 - gamma) / 2


_SIGNALS = symbols("u_1:4", positive=True)


def _exact(function: Callable[[Values], Any], values: Values, dps: int) -> Any:
    """Evaluate with digits to spare for differences."""
    with mpmath.workdps(2 * dps + _LOST):
        return function({symbol: evaluate(symbol, values, mpmath.mp.dps) for symbol in values})


def mean_freedom(values: Values, dps: int) -> Any:
    """Return -lambda dL/dlambda."""
    return _exact(
        lambda at: -_penalty(at) * mpmath.diff(lambda x: potential(at, 0, 0, None, x), 0), values, dps
    )


def mean_missed(values: Values, dps: int) -> Any:
    """Return the shift of sum_j u_j (lambda R_jj)^2: twice the mean of lambda R_jj times its shift."""

    def of(at: Values) -> Any:
        p, s = scales(at)
        k, ratio, penalty = at[kappa], at[alpha], _penalty(at)
        return mpmath.fsum(
            2
            * at[u]
            * k
            / (x + k)
            * penalty
            * ratio
            / w
            * mpmath.diff(lambda e, j=j: potential(at, 0, e, j), 0)
            for j, (u, w, x) in enumerate(zip(_SIGNALS, p, s, strict=True))
        )

    return _exact(of, values, dps)


def mean_signal(values: Values, dps: int) -> Any:
    """Return -lambda^2 d^2 L/(dtau deps)."""
    return _exact(
        lambda at: -(_penalty(at) ** 2) * mpmath.diff(lambda t, e: potential(at, t, e), (0, 0), (1, 1)),
        values,
        dps,
    )


def mean_noise(values: Values, dps: int) -> Any:
    """Return sigma2 d/dlambda (lambda dL/dtau)."""

    def of(at: Values) -> Any:
        penalty = _penalty(at)
        first = mpmath.diff(lambda t: potential(at, t, 0), 0)
        second = mpmath.diff(lambda t, x: potential(at, t, 0, None, x), (0, 0), (1, 1))
        return at[noise] * (first + penalty * second)

    return _exact(of, values, dps)


def mean_residual(values: Values, dps: int) -> Any:
    """Return -sigma2 lambda^2 d^2 L/dlambda^2 + lambda^2 d/dlambda (lambda dL/deps)."""

    def of(at: Values) -> Any:
        penalty = _penalty(at)
        noisy = -at[noise] * mpmath.diff(lambda x: potential(at, 0, 0, None, x), 0, 2)
        first = mpmath.diff(lambda e: potential(at, 0, e), 0)
        second = mpmath.diff(lambda e, x: potential(at, 0, e, None, x), (0, 0), (1, 1))
        return penalty**2 * (noisy + first + penalty * second)

    return _exact(of, values, dps)


# --- edges: the singularities of dL/dlambda and of N/kappa there

_STEP = Symbol("1/N", real=True)
_K = Symbol("k", real=True)  # kappa less that of the edge
_EDGE, _SECOND, _THIRD, _FOURTH = symbols("kappa_c lambda_2 lambda_3 lambda_4", real=True)


def _moved_edge() -> Expr:
    """Return kappa^2 lambda'''/(6 lambda''), by which lambda at an edge is moved, times N."""
    return _EDGE**2 * _THIRD / (6 * _SECOND)


def edge_residue(values: Values, dps: int) -> Any:
    """Return (dL/dlambda - 1/(4 (lambda - lambda_c))) kappa^2 dlambda/dkappa, k from the edge."""
    with mpmath.workdps(3 * dps):
        k, edge, two, three, four = (
            evaluate(x, values, mpmath.mp.dps) for x in (_K, _EDGE, _SECOND, _THIRD, _FOURTH)
        )
        past = two * k**2 / 2 + three * k**3 / 6 + four * k**4 / 24
        slope = two * k + three * k**2 / 2 + four * k**3 / 6
        curvature = two + three * k + four * k**2 / 2
        return (curvature / (2 * slope**2) - 1 / (4 * past)) * (edge + k) ** 2 * slope


_SIDES = MappingProxyType({"largest": 1, "least": -1})


@exact.takes(side=exact.plain)
def white_move(side: Expr) -> Rewritten:
    """Return the mean of the outermost eigenvalue of white samples less its edge, as their sizes alone give it.

    The centre ``(sqrt(N - 1/2) +- sqrt(P - 1/2))^2/N``, expanded, and the scale to the power of N that it has.
    """
    root = sqrt(1 / alpha)
    scale = abs(1 + side * root) ** Rational(4, 3) / root ** Rational(1, 3)
    centre = -1 - side * (root + 1 / root) / 2
    return side * z.TRACY_WIDOM_MEAN * scale * z.SAMPLES ** Rational(-2, 3) + centre / z.SAMPLES


@exact.takes(expression=exact.plain, side=exact.plain)
def white(expression: Expr, side: Expr) -> Rewritten:
    """Return an expression of sums over the spectrum for the spectrum of one scale, 1, at an edge of its bulk."""
    sums = {r.SUMS[name]: term for name, term in r.TERMS.items()}
    sums[r.FITTED_BEND] = -r.TERMS["fitted_slope"].diff(kappa) / 3
    alone = {r.s: Integer(1), r.p: Integer(1), r.u: Integer(0)}
    return expression.subs(sums).subs(alone).subs(kappa, -1 - side / sqrt(alpha))


def _white_steps() -> Iterator[Step]:
    for name, side in _SIDES.items():
        yield Step(
            f"{name}-eigenvalue",
            Eq(white_move(Integer(side)), z.edge_move(Integer(side)), evaluate=False),
            f"For samples of one scale that is what sizes less a half give for the {name} eigenvalue.",
            "johnstone2001distribution, theorem 1.1; ma2012accuracy",
            domain={alpha: (1.5, 4.0), z.SAMPLES: (50.0, 500.0)},
            written=partial(white, side=Integer(side)),
        )


def _steps() -> tuple[Step, ...]:
    penalty = penalty_of_kappa()
    freedom, residual, missed, bare, epsilon = symbols(
        "delta_df1 delta_E_train delta_B delta_E_s delta_V_epsilon"
    )
    total, scored, bent = symbols("delta_E delta_E_cv lambda'''")
    equivalent = log(penalty) + in_sums(z.log_determinant())
    training = in_sums(z.training_shift())
    shifted = in_sums(r.training_error()) + _STEP * training
    quotient = shifted / (penalty / kappa - _STEP * in_sums(z.freedom_shift())) ** 2
    return (
        spectral(
            "log-determinant",
            Symbol("tr R/P"),
            r.over_spectrum(r.p * kappa / (r.s + kappa)) / penalty,
            "The equivalent of log det(C + lambda) is stationary in eta = lambda/kappa; its derivative by lambda is "
            "the trace of the resolvent R = (C + lambda)^-1, with a source on one dimension a diagonal element of R.",
            where={Symbol("tr R/P"): diff(equivalent, kappa) / diff(penalty, kappa)},
        ),
        spectral(
            "log-determinant-shift",
            Symbol("L"),
            in_sums(z.log_determinant_shift()),
            "For real Gaussian inputs the mean of log det exceeds its equivalent by log(1 - rho)/2 + O(1/N). With a "
            "matrix A, diagonal with Sigma, in place of lambda the spectrum is that of Sigma A^-1. The check: Wick's "
            "pairings with one twist, moment by moment.",
            source=BAI,
            kind="limit",
            limit=(kappa, oo, _ORDERS - 1),
            left=wick_shift,
        ),
        spectral(
            "degrees-of-freedom-shift",
            freedom,
            in_sums(z.freedom_shift()),
            "Degrees of freedom are P - lambda tr R: -lambda dL/dlambda.",
            source=BAI,
            left=mean_freedom,
        ),
        spectral(
            "bias-shift",
            missed,
            in_sums(z.bias_shift()),
            "The fit averaged over training sets is off by lambda R_jj w_j: sources on one dimension each.",
            source=BAI,
            left=mean_missed,
        ),
        spectral(
            "signal-error-shift",
            bare,
            in_sums(z.signal_shift()),
            "lambda^2 w^T R Sigma R w is -lambda^2 times the derivative of log det by a source along Sigma and one "
            "along w w^T, of which the diagonal alone is left by the mean.",
            source=BAI,
            left=mean_signal,
        ),
        spectral(
            "noise-error-shift",
            epsilon,
            in_sums(z.noise_shift()),
            "sigma2 d/dlambda (lambda tr Sigma R)/N, where tr Sigma R is the derivative by a source along Sigma.",
            source=BAI,
            left=mean_noise,
        ),
        spectral(
            "test-error-shift",
            total,
            in_sums(z.error_shift()),
            "N samples err by E + delta_E/N on average, up to O(1/N^2).",
            source=BAI,
            where={total: in_sums(z.bias_shift()) + in_sums(z.inputs_shift()) + in_sums(z.noise_shift())},
        ),
        spectral(
            "training-error-shift",
            residual,
            training,
            "Noise leaves sigma2 lambda^2 tr (K + lambda)^-2/N, the signal lambda^2 d/dlambda (lambda w^T R w).",
            source=BAI,
            left=mean_residual,
        ),
        spectral(
            "cross-validation-shift",
            scored,
            in_sums(z.cross_validation_shift()),
            "The training error over (1 - df1/N)^2, of which both move; what scatters is of higher order.",
            source=BAI,
            where={scored: diff(quotient, _STEP).subs(_STEP, 0)},
        ),
        Step(
            "edge-residue",
            Eq(Symbol("residue"), _moved_edge(), evaluate=False),
            "Near an edge dL/dlambda is 1/(4 (lambda - lambda_c)), which the Tracy-Widom law has too, and a square "
            "root that N/kappa has if lambda_c is moved by this over N.",
            "ma2012accuracy; johnstone2012fast",
            domain={_EDGE: (0.5, 2.0), _SECOND: (0.5, 2.0), _THIRD: (0.5, 2.0), _FOURTH: (-1.0, 1.0)},
            kind="limit",
            limit=(_K, Integer(0), 1),
            left=edge_residue,
        ),
        spectral(
            "edge-shift",
            Symbol("delta_x"),
            in_sums(z.edge_shift()),
            "The same for an edge x = -lambda of X^T X/N: eigenvalues next to it are at x + delta_x/N, and scatter by "
            "the Tracy-Widom law times edge-scale N^(-2/3).",
            source="ma2012accuracy",
            where={Symbol("delta_x"): -(kappa**2) * diff(penalty, kappa, 3) / (6 * diff(penalty, kappa, 2))},
        ),
        spectral(
            "edge-scale",
            bent,
            in_sums(z.edge_scale()) ** 3,
            "The density N Im(1/kappa)/pi is a square root that the Tracy-Widom law continues: kappa^4 |lambda''|/2.",
            source="lee2016tracy",
            where={bent: kappa**4 * abs(diff(penalty, kappa, 2)) / 2},
        ),
        *_white_steps(),
    )


DERIVATIONS: Mapping[str, Callable[[], Derivation]] = MappingProxyType(
    {
        "finite-samples": lambda: Derivation(
            "Ridge regression with a finite number of samples",
            (*effective_ridge_steps(), *_steps()),
            (*ASSUMPTIONS, "means over training sets, up to O(1/N^2); P = N/alpha dimensions"),
        )
    }
)
