r"""Real symmetric matrices of finite size: how many eigenvalues lie below x, to order one beside N F(x).

The mean of the number of eigenvalues up to x is N F(x) + c(x) + O(1/N) with
:math:`c(x)=-\frac1\pi Im\,H(x+i0)`, H being the mean of log det(z - matrix) less N times its limit. With
:math:`h(\omega)=1/G(\omega)-\omega` at the subordination functions (in logarithms for products, see
`numerics.freeprob.pairs`), a rotation drawn from the orthogonal group adds :math:`\frac12\log(1-h_1'h_2')`, and a
matrix that is Gaussian itself (symmetric, or a sample covariance) :math:`-\frac12\log(1+h')` at its own point, h of the
line. Of complex matrices there would be nothing: minus one half is what real ones have of the logarithm whose second
derivative is the covariance of two resolvents. |h_1' h_2'| < 1 above the axis, so that logarithms are the principal
ones.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mpmath
from sympy import Eq, Expr, Rational, Symbol, diff, log, oo

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.ensembles import over_gaussian
from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.freeprob import genus
from widelimit.theory.freeprob.fluctuations import RATIO
from widelimit.theory.freeprob.law import g

SLOPE_ONE, SLOPE_TWO = Symbol("h_1"), Symbol("h_2")  # h' of both parts
_V, _W, _SHARE = (Symbol(name, positive=True) for name in ("v", "w", "p"))
_K2, _L2 = (Symbol(name, positive=True) for name in ("kappa_A", "kappa_B"))
_N = Symbol("N", positive=True)
_REAL = ("real Gaussian entries",)
_ROTATED = ("a rotation of Haar's measure on the orthogonal group", "both spectra are given, or Gaussian")


def rotation_shift() -> Expr:
    """Return what a random rotation adds to the mean of log det(z - A - U B U'), of slopes h' of A and B.

    Of products in logarithms; of a corner that keeps a share s, with 1/s - 1 in place of the second slope.

    >>> rotation_shift()
    log(-h_1*h_2 + 1)/2
    """
    return log(1 - SLOPE_ONE * SLOPE_TWO) * Rational(1, 2)


def gaussian_shift() -> Expr:
    """Return what a Gaussian matrix adds, of its own slope h': symmetric, or a sample covariance.

    >>> gaussian_shift()
    -log(h_1 + 1)/2
    """
    return -log(1 + SLOPE_ONE) * Rational(1, 2)


def derive() -> Derivation:
    """Return the corrections of moments and distribution functions of real matrices of finite size, checked.

    >>> print(derive()["wishart-moment"].equation.lhs)
    E_tr_W_3
    """
    small = {genus.SAMPLES: (1, 2), genus.DIMENSION: (1, 2)}
    moments = [
        Step(
            "wishart-moment",
            Eq(Symbol("E_tr_W_3"), genus.wishart_moment(3), evaluate=False),
            "Wick's theorem: each of the 15 pairings counts the rows and columns that it leaves free. The check "
            "integrates over all entries of small matrices.",
            "hanlon1992combinatorial",
            _REAL,
            small,
            left=wishart_trace,
        ),
        Step(
            "wishart-covariance",
            Eq(Symbol("Cov_tr_W_tr_W_2"), genus.wishart_covariance(1, 2), evaluate=False),
            "The pairings that join both traces.",
            "hanlon1992combinatorial",
            _REAL,
            small,
            left=wishart_joint,
        ),
        *(
            Step(
                f"wishart-shift-{k}",
                Eq(Symbol(f"delta_m_{k}"), genus.wishart_moment_shift(k), evaluate=False),
                "The pairings with one twist, of any order; on the left the exact moment, less p times its limit.",
                "bai2004clt, theorem 1.1",
                _REAL,
                {RATIO: (0.2, 0.8)},
                "limit",
                (_N, oo, 1),
                left=partial(wishart_excess, k),
            )
            for k in (3, 5)
        ),
        Step(
            "wishart-scatter",
            Eq(Symbol("Cov_tr_W_2_tr_W_3"), genus.wishart_moment_covariance(2, 3), evaluate=False),
            "The planar pairings of two circles; on the left the exact covariance.",
            "bai2004clt, theorem 1.1",
            _REAL,
            {RATIO: (0.2, 0.8)},
            "limit",
            (_N, oo, 1),
            left=partial(wishart_scatter, 2, 3),
        ),
    ]
    return Derivation("Real matrices of finite size", (*moments, *_steps()), _ROTATED)


def _steps() -> tuple[Step, ...]:
    a, b = _V * g**2 / (1 - _V * g**2), _W * g**2 / (1 - _W * g**2)  # h' of semicircles, where G is g
    own = gaussian_shift()
    both = (
        own.subs(SLOPE_ONE, a) + own.subs(SLOPE_ONE, b) + rotation_shift().subs({SLOPE_ONE: a, SLOPE_TWO: b})
    )
    square = _SHARE**2 * _V * g**2
    kept = square / (1 - square)
    corner = own.subs(SLOPE_ONE, kept) + rotation_shift().subs({SLOPE_ONE: kept, SLOPE_TWO: 1 / _SHARE - 1})
    r = 1 / (1 - RATIO * g)
    turn = diff(r, g) * g**2
    sample = diff(own.subs(SLOPE_ONE, turn / (1 - turn)), g) / diff(r + 1 / g, g)
    fourth = -4 * _N**4 * rotation_shift().subs({SLOPE_ONE: _K2 / _N**2, SLOPE_TWO: _L2 / _N**2})
    return (
        Step(
            "sample-covariance",
            Eq(Symbol("delta_G"), sample, evaluate=False),
            "What the mean of tr (z - W)^-1 exceeds its limit by, at z = R(g) + 1/g, is the derivative of H.",
            "bai2004clt, theorem 1.1",
            _REAL,
            {RATIO: (0.2, 0.8), g: (0.05, 0.2)},
            left=sample_shift,
        ),
        Step(
            "sum-of-gaussians",
            Eq(log(1 - (_V + _W) * g**2) / 2, both, evaluate=False),
            "Two Gaussian matrices in general position are one of both variances: its shift is those of the parts, "
            "and of their rotation.",
            "mingo2013real, section 4",
            _ROTATED,
            {_V: (0.2, 1.0), _W: (0.2, 1.0), g: (0.1, 0.6)},
        ),
        Step(
            "corner-of-a-gaussian",
            Eq(log(1 - _SHARE * _V * g**2) / 2, corner, evaluate=False),
            "A corner of a Gaussian matrix is a smaller one. For corners the product of slopes is (1/s - 1) h'.",
            "mingo2013real, section 4",
            _ROTATED,
            {_V: (0.2, 1.0), _SHARE: (0.2, 0.9), g: (0.1, 0.6)},
        ),
        Step(
            "rotation",
            Eq(Symbol("delta_m_4"), fourth, evaluate=False),
            "H = -sum_k c_k/(k z^k), and h' = kappa_2/z^2 far off: a rotation first shows in the fourth moment. On the "
            "left twice the mean of tr A U B U' A U B U', exactly, by the inverse of the matrix of loops.",
            "mingo2013real, section 4; collins2006integration",
            _ROTATED,
            {_K2: (0.2, 1.0), _L2: (0.2, 1.0)},
            "limit",
            (_N, oo, 1),
            left=rotated_word,
        ),
    )


def wishart_trace(values: Values, dps: int) -> Any:
    """Return the mean of tr W^3 of p x n Gaussians, by quadrature over all of them (exact for polynomials)."""
    return _over_entries(lambda w: _trace(w**3), values)


def wishart_joint(values: Values, dps: int) -> Any:
    """Return the covariance of tr W and tr W^2 in the same way."""
    joint = _over_entries(lambda w: _trace(w) * _trace(w**2), values)
    return joint - _over_entries(_trace, values) * _over_entries(lambda w: _trace(w**2), values)


def _trace(matrix: Any) -> Any:
    return mpmath.fsum(matrix[k, k] for k in range(matrix.rows))


def _over_entries(function: Any, values: Values) -> Any:
    rows, columns = int(values[genus.DIMENSION]), int(values[genus.SAMPLES])
    count = rows * columns

    def of(*entries: Any) -> Any:
        x = mpmath.matrix([entries[k * columns : (k + 1) * columns] for k in range(rows)])
        return function(x * x.T / columns)

    unit = [[int(i == j) for j in range(count)] for i in range(count)]
    return over_gaussian(of, unit, 4)


def wishart_excess(order: int, values: Values, dps: int) -> Any:
    """Return the exact mean of tr W^k at n = N, p = c N (no whole number: it is a polynomial), less p times m_k."""
    ratio, size = numbers(values, dps, RATIO, _N)
    planar = mpmath.fsum(
        mpmath.binomial(order, k) * mpmath.binomial(order, k + 1) / order * ratio**k for k in range(order)
    )
    return _at(genus.wishart_moment(order), ratio, size, dps) - ratio * size * planar


def wishart_scatter(first: int, second: int, values: Values, dps: int) -> Any:
    """Return the exact covariance there."""
    ratio, size = numbers(values, dps, RATIO, _N)
    return _at(genus.wishart_covariance(first, second), ratio, size, dps)


def _at(expr: Expr, ratio: Any, size: Any, dps: int) -> Any:
    p, n = Symbol("p"), Symbol("n")
    free = expr.xreplace({genus.DIMENSION: p, genus.SAMPLES: n})
    return mpmath.fsum(
        mpmath.mpmathify(c.p) / c.q * (ratio * size) ** powers[p] * size ** powers[n]
        for c, powers in ((term.as_coeff_Mul()[0], term.as_powers_dict()) for term in free.as_ordered_terms())
    )


def sample_shift(values: Values, dps: int) -> Any:
    """Return Bai and Silverstein's correction of the resolvent, from the companion's transform u = -g/(1 + (1-c) g)."""
    ratio, at = numbers(values, dps, RATIO, g)
    u = -at / (1 + (1 - ratio) * at)
    return -ratio * u**3 / (1 + u) ** 3 / (1 - ratio * u**2 / (1 + u) ** 2) ** 2


def rotated_word(values: Values, dps: int) -> Any:
    """Return 2 E tr A U B U' A U B U' for tr A = tr B = 0, tr A^2 = N kappa_A, tr B^2 = N kappa_B.

    Pairings of the four U: of first indices they leave (tr A^2, tr A^2, (tr A)^2), of second ones ((tr B)^2, tr B^2,
    tr B^2); between them stands the inverse of N to the power of the loops of two pairings.
    """
    one, two, size = numbers(values, dps, _K2, _L2, _N)
    loops = mpmath.matrix(3, 3)
    for i in range(3):
        for j in range(3):
            loops[i, j] = size ** (2 if i == j else 1)
    inverse = loops**-1
    rows, columns = (size * one, size * one, 0), (0, size * two, size * two)
    return 2 * mpmath.fsum(rows[i] * inverse[i, j] * columns[j] for i in range(3) for j in range(3))
