"""Steps and evidence of the Jacobian's moments at finite width.

The evidence of one layer has G = t times the identity and slopes phi'(h)^2 = 1 + c h^2/K: all averages over its rows
are polynomials, so that the mean of tr G'^k is known exactly at every N, and followed to infinity. That of the overlaps
is a linear network, whose u is J^T J x: its overlaps are the next moment of its own spectrum, Fuss-Catalan numbers.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mpmath
from sympy import Eq, Expr, Integer, Symbol, expand, factorial2, oo, sqrt

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.ensembles import over_gaussian
from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.jacobian import finite as f
from widelimit.theory.jacobian.laws import depth, sigma_w

ASSUMPTIONS = (
    "weights are Gaussian, and all layers have N units",
    "the first pre-activations have the length K exactly",
)
_WIDTH, _CURVE, _OVERLAP = Symbol("N", positive=True), Symbol("c", positive=True), f.overlap[0]
_SCALE = f.t[0]


def derive() -> Derivation:
    """Return the moments of Jacobians of finite width, checked.

    >>> [step.name for step in derive()][:2]
    ['wick-2', 'wick-3']
    """
    steps = [
        Step(
            f"wick-{order}",
            Eq(Symbol(f"E_tr_ZDZG_{order}"), _in_entries(f.wick(order)), evaluate=False),
            "Sum over the pairings of Gaussian factors: planar ones, and those with a twist or a handle. The check "
            "integrates over the entries of 2 x 2 matrices with the eigenvalues a of D and b of G.",
            "hanlon1992combinatorial",
            domain=dict.fromkeys((_A, _B, _C, _D), (0.5, 2.0)),
            left=partial(traced, order),
        )
        for order in (2, 3)
    ]
    steps += [
        Step(
            f"moment-{order}",
            Eq(Symbol(f"delta_t_{order}"), _of_layer(order), evaluate=False),
            "N times what a layer adds to the mean: fluctuations of its own slopes, twisted pairings, and rows of W J "
            "that are correlated with the pre-activation. The check has slopes 1 + c z^2, and N exact.",
            "hanlon1992combinatorial",
            ASSUMPTIONS,
            {_SCALE: (1.0, 2.0), _OVERLAP: (0.2, 0.9), _CURVE: (0.1, 0.9), sigma_w: (0.7, 1.3)},
            "limit",
            (_WIDTH, oo, 1),
            left=partial(excess, order),
        )
        for order in f.ORDERS
    ]
    steps += [
        Step(
            f"overlap-{order}",
            Eq(Symbol(f"beta_{order}"), _of_linear(order), evaluate=False),
            "Non-crossing partitions of the rows. A linear network has u = J'Jx up to its length: its overlaps are the "
            "moments of its own spectrum, one order further, Fuss-Catalan numbers of every depth.",
            "nica2006lectures, lecture 18",
            ASSUMPTIONS,
            {depth: (1, 9)},
            left=partial(fuss_catalan, order),
        )
        for order in f.ORDERS
    ]
    steps += [
        Step(
            f"ratio-{order}",
            Eq(Symbol(f"r_{order}"), _of_scaled(order), evaluate=False),
            "What one network shows, with the scale of its Jacobian in the first alone: log m_1, m_2/m_1^2, m_3/m_1^3. "
            "The check has the squared singular values of linear networks, Fuss-Catalan numbers, times a scale.",
            "nica2006lectures, lecture 18",
            domain={depth: (1, 9), _SCALE: (1.5, 3.0)},
            left=partial(ratio, order),
        )
        for order in f.ORDERS
    ]
    return Derivation("Moments of the Jacobian at finite width", tuple(steps), ASSUMPTIONS)


_A, _B, _C, _D = (Symbol(name, positive=True) for name in ("a_1", "a_2", "b_1", "b_2"))


def _in_entries(expr: Expr) -> Expr:
    """Traces of 2 x 2 matrices by their eigenvalues."""
    return expr.subs(
        {s: one**k + two**k for names, one, two in ((f.sums, _A, _B), (f.traces, _C, _D))
         for k, s in zip(f.ORDERS, names, strict=True)}
    )  # fmt: skip


def traced(order: int, values: Values, dps: int) -> Any:
    """Return the mean of tr (Z' D Z G)^k over 2 x 2 Gaussian Z by quadrature, exact for polynomials."""
    a, b, c, d = numbers(values, dps, _A, _B, _C, _D)

    def of(*z: Any) -> Any:
        matrix = mpmath.matrix([z[:2], z[2:]])
        product = matrix.T * mpmath.diag([a, b]) * matrix * mpmath.diag([c, d])
        power = product**order
        return power[0, 0] + power[1, 1]

    return over_gaussian(of, [[int(i == j) for j in range(4)] for i in range(4)], 4)


def _averages() -> dict[Any, Expr]:
    """Moments of d = 1 + c z^2 and their tilts, by those of z, and of G = t: t_k = t^k, beta_k = b t^k-1."""

    def mean(expr: Expr) -> Expr:
        poly = expand(expr).as_poly(f.z)
        return sum((c * factorial2(k - 1) for (k,), c in poly.terms() if k % 2 == 0), Integer(0))

    d = 1 + _CURVE * f.z**2
    units = zip(f.averages(), f.integrands(), strict=True)
    found: dict[Any, Expr] = {
        name: mean(one.subs(f.slope, sqrt(d))) for name, one in units if not one.has(f.f)
    }  # of slopes alone
    found |= dict(zip(f.mu, (*(found[m] for m in f.M), *(found[m] for m in f.mu[3:])), strict=True))
    found |= {f.t[k]: _SCALE ** (k + 1) for k in (1, 2)}
    found |= {f.overlap[k]: _OVERLAP * _SCALE**k for k in (1, 2)}
    return found


def _of_layer(order: int) -> Expr:
    """Excess of a layer: half the second derivatives by its own M times their covariance, and what `excess` says."""
    planar, own = f.planar(order), f.own_covariance()
    total = f.excess()[order]
    for i, a in enumerate(f.M):
        for j, b in enumerate(f.M):
            total += planar.diff(a, b) * own[i + 1, j + 1] / 2
    return total.subs(_averages(), simultaneous=True)


def excess(order: int, values: Values, dps: int) -> Any:
    """Return N (E t_k' - F_k) exactly: rows are independent, and their squared lengths a square and a chi-squared."""
    t, b, c, weight, n = numbers(values, dps, _SCALE, _OVERLAP, _CURVE, sigma_w, _WIDTH)

    def mean(function: Any) -> Any:  # of z and of the component along u, given z: sqrt(b) z + sqrt(t - b) y
        return over_gaussian(
            lambda z, y: function(1 + c * z**2, (mpmath.sqrt(b) * z + mpmath.sqrt(t - b) * y) ** 2),
            [[1, 0], [0, 1]],
            9,
        )

    rest = [1, (n - 1) * t, (n - 1) * (n + 1) * t**2, (n - 1) * (n + 1) * (n + 3) * t**3]  # of t chi^2_{n-1}

    def norm(power: int, x: Any) -> Any:
        return mpmath.fsum(mpmath.binomial(power, k) * x ** (power - k) * rest[k] for k in range(power + 1))

    q, side = mean(lambda d, x: d * x), mean(lambda d, x: d) * t  # E d g g' along u and across it
    m1, m2, m3 = (mean(lambda d, x, k=k: d**k) for k in (1, 2, 3))
    if order == 1:
        found, limit = n * mean(lambda d, x: d * norm(1, x)), m1 * t
    elif order == 2:
        found = n * (n - 1) * (q**2 + (n - 1) * side**2) + n * mean(lambda d, x: d**2 * norm(2, x))
        limit = m1**2 * t**2 + m2 * t**2
    else:
        found = n * (n - 1) * (n - 2) * (q**3 + (n - 1) * side**3) + n * mean(lambda d, x: d**3 * norm(3, x))
        # E d^2 |g|^2 g'Qg: the square along u times q, the rest times side
        found += (
            3 * n * (n - 1) * mean(lambda d, x: d**2 * (q - side) * x * norm(1, x) + d**2 * side * norm(2, x))
        )
        limit = (m1**3 + 3 * m1 * m2 + m3) * t**3
    scale = weight ** (2 * order)
    return n * scale * (found / n ** (order + 1) - limit)


def _of_linear(order: int) -> Expr:
    """The overlap behind one more layer of a linear network of unit weights whose t_k and beta_k are known."""
    known: dict[Any, Any] = {sigma_w: 1, f.sigma_b: 0, f.square: 1}
    known |= dict.fromkeys((*f.M, *f.along, *f.energy), 1) | dict.fromkeys(f.tilt, 0)
    for k in f.ORDERS:
        known |= {f.t[k - 1]: _fuss(k, depth), f.overlap[k - 1]: _fuss(k + 1, depth)}
    return f.overlap_map()[order - 1].subs(known, simultaneous=True)


def _fuss(order: int, layers: Expr) -> Expr:
    """Fuss-Catalan numbers binom((L + 1) k, k)/(L k + 1), as polynomials of L."""
    total: Expr = Integer(1)
    for j in range(order - 1):
        total *= (order * (layers + 1) - j) / Integer(j + 2)
    return total


def _of_scaled(order: int) -> Expr:
    """`statistics` of Fuss-Catalan numbers times powers of a scale."""
    known = {one: _SCALE**k * _fuss(k, depth) for k, one in zip(f.ORDERS, f.t, strict=True)}
    return f.statistics()[order - 1].subs(known, simultaneous=True)


def ratio(order: int, values: Values, dps: int) -> Any:
    """Return the logarithm of the scale, or a Fuss-Catalan number binom((L + 1) k, k)/(L k + 1)."""
    layers, scale = numbers(values, dps, depth, _SCALE)
    return (
        mpmath.log(scale)
        if order == 1
        else mpmath.binomial((layers + 1) * order, order) / (layers * order + 1)
    )


def fuss_catalan(order: int, values: Values, dps: int) -> Any:
    """Return the moment of order k + 1 of L + 1 layers: binom((L + 2)(k + 1), k + 1)/((L + 1)(k + 1) + 1)."""
    (layers,) = numbers(values, dps, depth)
    k = order + 1
    return mpmath.binomial((layers + 2) * k, k) / ((layers + 1) * k + 1)
