"""What the names in the derivation stand for, by numbers: logits of two values summed exactly, weights of signs.

The integrals over rows hold for any law of logits that is independent over tokens. Here a token's logits in two rows
are (x, y), each 0 or 1, with a law of four points: means over rows are sums over all tokens' values, and integrands
are sums of t^j s^k exp(-alpha t - beta s), each of which has an integral of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import product
from typing import Any

import mpmath
from sympy import Expr, Integer, Poly, Rational, Symbol, factorial, log, symbols

from widelimit.theory.attention import blocks as b
from widelimit.theory.attention import layer_gradients as lg
from widelimit.theory.attention import maps as m
from widelimit.theory.attention import overlaps as o
from widelimit.theory.calculus.ensembles import over_gaussian, over_signs
from widelimit.theory.calculus.precision import Values, evaluate, numbers

LAW = {(0, 0): Rational(3, 10), (0, 1): Rational(1, 5), (1, 0): Rational(1, 10), (1, 1): Rational(2, 5)}
OTHER_ANGLE = Symbol("v", real=True)
Matrix = list[list[Any]]


# --- rows of weights over tokens whose logits have two values --------------------------------------------------------


def _rows(shared: int, further: int) -> tuple[tuple[Any, list[Any], list[Any]], ...]:
    return _all_rows(shared, further, mpmath.mp.prec)


@lru_cache(maxsize=32)
def _all_rows(shared: int, further: int, precision: int) -> tuple[tuple[Any, list[Any], list[Any]], ...]:
    return tuple(_each(shared, further))


def _each(shared: int, further: int) -> Iterator[tuple[Any, list[Any], list[Any]]]:
    """All rows A over `shared` tokens and B over `further` more besides, with their probabilities; A ends in zeros."""
    second = {y: LAW[0, y] + LAW[1, y] for y in (0, 1)}
    e = mpmath.e
    for pairs in product(LAW, repeat=shared):
        for rest in product(second, repeat=further):
            chance = mpmath.mpf(1)
            for pair in pairs:
                chance *= mpmath.mpf(LAW[pair].p) / LAW[pair].q
            for y in rest:
                chance *= mpmath.mpf(second[y].p) / second[y].q
            a = [e**x for x, _ in pairs]
            c = [e**y for _, y in pairs] + [e**y for y in rest]
            first, other = mpmath.fsum(a), mpmath.fsum(c)
            yield chance, [one / first for one in a] + [mpmath.mpf(0)] * further, [one / other for one in c]


def slope(row: Sequence[Any]) -> Matrix:
    """J = diag(A) - A A' of a row of weights."""
    return [
        [(one if i == j else 0) - one * other for j, other in enumerate(row)] for i, one in enumerate(row)
    ]


def _trace(left: Matrix, right: Matrix) -> Any:
    """Trace of a product of symmetric matrices."""
    return mpmath.fsum(x * y for rows in zip(left, right, strict=True) for x, y in zip(*rows, strict=True))


def _product(left: Matrix, right: Matrix) -> Matrix:
    size = len(left)
    return [
        [mpmath.fsum(left[i][k] * right[k][j] for k in range(size)) for j in range(size)] for i in range(size)
    ]


def shared_weight(values: Values, dps: int, within: bool = False) -> Any:
    """E sum_j A_j B_j of two rows, or of a row and itself."""
    shared, further = _tokens(values)
    return mpmath.fsum(
        chance * mpmath.fsum(x * y for x, y in zip(a, a if within else c, strict=True))
        for chance, a, c in _rows(shared, further)
    )


def shared_slope(values: Values, dps: int, within: bool = False) -> Any:
    """E tr J_A J_B."""
    shared, further = _tokens(values)
    total = mpmath.mpf(0)
    for chance, a, c in _rows(shared, further):
        left, right = slope(a), slope(a if within else c)
        total += chance * mpmath.fsum(
            x * y for rows in zip(left, right, strict=True) for x, y in zip(*rows, strict=True)
        )
    return total


def token(values: Values, dps: int, first: int, second: int, slopes: bool = False) -> Any:
    """E A_m B_n, or E (J_A J_B)_mn, of two tokens by their places, behind all that both rows see where negative."""
    shared, further = _tokens(values)
    total = mpmath.mpf(0)
    for chance, a, c in _rows(shared, further):
        total += chance * (_product(slope(a), slope(c))[first][second] if slopes else a[first] * c[second])
    return total


def _tokens(values: Values) -> tuple[int, int]:
    if o.ROW_I in values:
        return int(values[o.ROW_I]), int(values[o.ROW_K]) - int(values[o.ROW_I])
    return int(values[o.TOKENS]), int(values.get(o.FURTHER, 0))


def with_rows(formula: Callable[[], Expr], values: Values, dps: int, within: bool = False) -> Any:
    """A formula at the overlaps of these rows."""
    known = {
        m.OVERLAP: shared_weight(values, dps, within),
        o.SLOPES: shared_slope(values, dps, within),
        m.S2: shared_weight(values, dps, True),
        m.S_RHO: shared_weight(values, dps),
        m.R2: shared_slope(values, dps, True),
        m.R_RHO: shared_slope(values, dps),
    }
    return evaluate(formula(), {**values, **known}, dps)


# --- their integrals -------------------------------------------------------------------------------------------------

_T, _S = symbols("t s", positive=True)
_X = symbols("x_0 x_1")  # exp(-t), exp(-e t)
_Y = symbols("y_0 y_1")


@cache
def _averages() -> dict[Symbol, Expr]:
    """What the symbols of the integrands are for this law, with powers of e as a symbol."""
    e = Symbol("e_1")

    def mean(j: int, k: int) -> Expr:
        return sum(
            (p * (_T * e**x) ** j * _X[x] * (_S * e**y) ** k * _Y[y] for (x, y), p in LAW.items()), Integer(0)
        )

    def first(j: int) -> Expr:
        return sum((p * (_T * e**x) ** j * _X[x] for (x, _), p in LAW.items()), Integer(0))

    def second(j: int) -> Expr:
        return sum((p * (_S * e**y) ** j * _Y[y] for (_, y), p in LAW.items()), Integer(0))

    return {
        o.P10: mean(1, 0), o.P01: mean(0, 1), o.P11: mean(1, 1), o.M1: first(1), o.M2: first(2),
        o.LOG_SECOND: log(second(0)), o.FIRST: second(1),
    }  # fmt: skip


def integrated(formula: Callable[[], Expr], values: Values, dps: int, within: bool = False) -> Any:
    """The integral of an integrand over u, or over u and v, for this law: term by term."""
    e = Symbol("e_1")
    inside = sum(
        (p * _X[x] * (1 if within else _Y[y]) for (x, y), p in LAW.items()),
        Integer(0),
    )
    expr = formula().subs({symbol: value for symbol, value in values.items() if symbol.is_integer})
    expr = expr.subs({**_averages(), o.LOG: log(inside)})
    terms = Poly(expr.expand(), _T, _S, *_X, *_Y, e).terms()
    total = mpmath.mpf(0)
    for (j, k, x0, x1, y0, y1, power), share in terms:
        one = mpmath.mpf(share.p) / share.q * mpmath.e**power
        for degree, zero, unit in ((j, x0, x1), (k, y0, y1)):
            if degree:
                one *= int(factorial(degree - 1)) / (zero + unit * mpmath.e) ** degree
        total += one
    return total


# --- maps ------------------------------------------------------------------------------------------------------------


def common_logits(values: Values, dps: int) -> Any:
    """Half of the variance of a difference of two logits x_1' M x_j beta / d in a plane, over signs M."""
    beta, q, p = numbers(values, dps, m.BETA, m.Q, m.P)
    rho = p / q
    x = [mpmath.sqrt(2 * q), mpmath.mpf(0)]
    y = [mpmath.sqrt(2 * q) * rho, mpmath.sqrt(2 * q * (1 - rho**2))]

    def squared(signs: tuple[int, ...]) -> Any:
        logits = [sum(x[i] * signs[2 * i + j] * z[j] for i in (0, 1) for j in (0, 1)) for z in (x, y)]
        return ((logits[0] - logits[1]) * beta / 2) ** 2 / 2

    return over_signs(squared, 4)


def linear_std(values: Values, dps: int) -> Any:
    """Standard deviation of Q . K / d_h with d_h components of signs, times beta."""
    beta, head = numbers(values, dps, m.BETA, m.HEAD)
    size = int(head)

    def squared(signs: tuple[int, ...]) -> Any:
        return (sum(signs[i] * signs[size + i] for i in range(size)) / head) ** 2

    return beta * mpmath.sqrt(over_signs(squared, 2 * size))


def mixed_values(values: Values, dps: int) -> Any:
    """sigma_vo^2 sum_jl A_j B_l C_jl of two rows over three tokens that overlap by S."""
    vo, q, p, overlap = numbers(values, dps, m.SIGMA_VO, m.Q, m.P, m.OVERLAP)
    first = [mpmath.mpf(7) / 10, mpmath.mpf(2) / 10, mpmath.mpf(1) / 10]
    # (a, b, 1 - a - b) with b = 1/5 whose product with `first` is S
    share = (overlap - first[1] / 5 - first[2] * 4 / 5) / (first[0] - first[2])
    second = [share, mpmath.mpf(1) / 5, mpmath.mpf(4) / 5 - share]
    return vo**2 * mpmath.fsum(
        first[j] * second[k] * (q if j == k else p) for j in range(3) for k in range(3)
    )


def next_distance(values: Values, dps: int) -> Any:
    """1 - p'/q' by the sums of `mixed_values`."""
    delta, gap, s2 = numbers(values, dps, m.DISTANCE, m.GAP, m.S2)
    point = {m.SIGMA_VO: 1, m.Q: 1, m.P: 1 - delta}
    p, q = (mixed_values({**point, m.OVERLAP: one}, dps) for one in (s2 - gap, s2))
    return 1 - p / q


def logistic(z: Any) -> Any:
    """The first of two softmax weights."""
    return 1 / (1 + mpmath.exp(-z))


def overlap_growth(values: Values, dps: int, slopes: bool = False) -> Any:
    """The derivative in rho of S_rho of two tokens, or a^2 R_rho, by Gauss-Hermite sums over both logits."""
    std, rho = numbers(values, dps, o.LOGIT_STD, m.RHO)

    def mean(function: Callable[[Any, Any], Any], correlation: Any) -> Any:
        one = 2 * std**2
        return over_gaussian(function, [[one, correlation * one], [correlation * one, one]], 14)

    def overlap(x: Any, y: Any) -> Any:
        s, r = logistic(x), logistic(y)
        return s * r + (1 - s) * (1 - r)

    def slope_(x: Any, y: Any) -> Any:
        s, r = logistic(x), logistic(y)
        return 4 * s * (1 - s) * r * (1 - r)

    if slopes:
        return evaluate(o.overlap_growth(), {**values, o.SLOPES: mean(slope_, rho)}, dps)
    return mpmath.diff(lambda c: mean(overlap, c), rho)


def near_collapse(values: Values, dps: int) -> Any:
    """1 - rho' of three equal tokens but for rho, with logits of signs: a small perturbation of uniform weights."""
    beta, q, count, delta = numbers(values, dps, m.BETA, m.Q, o.TOKENS, m.DISTANCE)
    size, std = int(count), beta * q * mpmath.sqrt(delta)
    with mpmath.workdps(3 * dps + 20):
        sigma, kappa = mpmath.sqrt(1 - delta), mpmath.sqrt(delta)

        def overlaps(signs: tuple[int, ...]) -> tuple[Any, Any]:
            rows = []
            for own in (signs[size : 2 * size], signs[2 * size :]):
                raised = [
                    mpmath.exp(std * (sigma * g + kappa * h)) for g, h in zip(signs[:size], own, strict=True)
                ]
                rows.append([one / mpmath.fsum(raised) for one in raised])
            return (
                mpmath.fsum(x * x for x in rows[0]),
                mpmath.fsum(x * y for x, y in zip(*rows, strict=True)),
            )

        every = [overlaps(signs) for signs in product((-1, 1), repeat=3 * size)]
        total_2 = mpmath.fsum(one for one, _ in every) / len(every)
        total_rho = mpmath.fsum(one for _, one in every) / len(every)
        return delta * (total_2 - total_rho) / (1 - delta + delta * total_2)


def two_tokens(values: Values, dps: int) -> Any:
    """sigma_vo^2 sum_jl A_ij A_kl C_jl of two tokens over a law of two logits that are +-1 and mostly alike."""
    vo, entry, spread, both = numbers(values, dps, m.SIGMA_VO, m.ENTRY, m.SPREAD, m.BOTH)
    low = 1 / (1 + mpmath.e)  # weight of the first token at a logit of -1, 1 - low at 1
    # E s s' = alike (low^2 + high^2)/2 + (1 - alike) low high
    high = 1 - low
    alike = (both - low * high) / ((low**2 + high**2) / 2 - low * high)
    gram = [[entry + spread / 3, entry], [entry, entry + 2 * spread / 3]]  # C_11 + C_22 - 2 C_12 = D
    total = mpmath.mpf(0)
    for s, chance_s in ((low, 0.5), (high, 0.5)):
        for r in (low, high):
            chance = chance_s * (alike if r == s else 1 - alike)
            a, c = (s, 1 - s), (r, 1 - r)
            total += chance * mpmath.fsum(a[j] * c[k] * gram[j][k] for j in (0, 1) for k in (0, 1))
    return vo**2 * total


def two_logits(values: Values, dps: int) -> Any:
    """Cov(delta_i, delta_k) of differences of logits of two tokens in a plane, over signs."""
    beta, row, spread = numbers(values, dps, m.BETA, m.ROW, m.SPREAD)
    x_i, x_k = [mpmath.sqrt(2), mpmath.mpf(0)], [mpmath.sqrt(2) * row, mpmath.mpf(3)]  # x_i . x_k / 2 = C_ik
    apart = [mpmath.sqrt(spread), mpmath.sqrt(spread)]  # x_1 - x_2, of square D times 2

    def both(signs: tuple[int, ...]) -> Any:
        found = [
            sum(x[i] * signs[2 * i + j] * apart[j] for i in (0, 1) for j in (0, 1)) * beta / 2
            for x in (x_i, x_k)
        ]
        return found[0] * found[1]

    return over_signs(both, 4)


_TOKENS_IN_PLANE = ((1.0, 0.25), (-0.5, 1.5), (0.75, 0.5))


def _plane() -> Matrix:
    points = [[mpmath.mpf(x) for x in point] for point in _TOKENS_IN_PLANE]
    return [[(x[0] * y[0] + x[1] * y[1]) / 2 for y in points] for x in points]


def hot(values: Values, dps: int) -> Any:
    """C'_12 of three tokens in a plane, over signs of their logits' matrix, whose odd orders vanish."""
    vo, beta = numbers(values, dps, m.SIGMA_VO, m.BETA)
    gram, points = _plane(), _TOKENS_IN_PLANE

    def mixed(signs: tuple[int, ...]) -> Any:
        rows = []
        for x in points[:2]:
            logits = [
                beta * sum(x[i] * signs[2 * i + j] * y[j] for i in (0, 1) for j in (0, 1)) / 2 for y in points
            ]
            raised = [mpmath.exp(one) for one in logits]
            rows.append([one / mpmath.fsum(raised) for one in raised])
        return mpmath.fsum(rows[0][j] * rows[1][k] * gram[j][k] for j in range(3) for k in range(3))

    return vo**2 * over_signs(mixed, 4)


def hot_formula(values: Values, dps: int) -> Any:
    """The formula at the sums of that Gram matrix."""
    gram = _plane()
    means = [mpmath.fsum(row) / 3 for row in gram]
    mean = mpmath.fsum(means) / 3
    centred = [[gram[i][j] - means[i] - means[j] + mean for j in range(3)] for i in range(3)]
    own = mpmath.fsum(centred[j][j] for j in range(3)) / 3
    known = {
        m.MEAN: mean,
        m.ROW: gram[0][1],
        m.ROWS: (gram[0][0] + gram[1][1]) / 2,
        m.SQUARES: mpmath.fsum(one**2 for row in centred for one in row) / 9,
        m.SKEW: mpmath.fsum((centred[j][j] - own) * means[j] for j in range(3)) / 3,
    }
    return evaluate(m.hot_covariance(), {**values, **known}, dps)


def uniform(values: Values, dps: int, slopes: bool = False) -> Any:
    """The same sums of even rows."""
    i, k = int(values[o.ROW_I]), int(values[o.ROW_K])
    size = max(i, k)
    a, c = ([mpmath.mpf(1) / n] * n + [mpmath.mpf(0)] * (size - n) for n in (i, k))
    if not slopes:
        return mpmath.fsum(x * y for x, y in zip(a, c, strict=True))
    return mpmath.fsum(
        x * y for rows in zip(slope(a), slope(c), strict=True) for x, y in zip(*rows, strict=True)
    )


def embedding(values: Values, dps: int) -> Any:
    """Mean of (sigma_e e_v + sigma_p e_i)(sigma_e e_w + sigma_p e_j) over signs, words and places being one or two."""
    e, p, same, here = numbers(values, dps, m.SIGMA_E, m.SIGMA_P, m.SAME, m.HERE)
    word, place = (0 if same else 1), (2 if here else 3)
    return over_signs(lambda s: (e * s[0] + p * s[2]) * (e * s[word] + p * s[place]), 4)


def turned(values: Values, dps: int) -> Any:
    """Mean of q'R(u) k q'R(v) k per component, q and k in a plane with components of signs."""
    angles = numbers(values, dps, m.ANGLE, OTHER_ANGLE)

    def both(s: tuple[int, ...]) -> Any:
        along, across = s[0] * s[2] + s[1] * s[3], s[1] * s[2] - s[0] * s[3]
        first, second = (along * mpmath.cos(one) + across * mpmath.sin(one) for one in angles)
        return first * second / 2

    return over_signs(both, 4)


def zipf(values: Values, dps: int) -> Any:
    """The sum itself."""
    count = int(values[m.VOCABULARY])
    total = mpmath.fsum(mpmath.mpf(1) / v for v in range(1, count + 1))
    return mpmath.fsum(mpmath.mpf(1) / v**2 for v in range(1, count + 1)) / total**2


# --- gradients and tangent kernels of these rows ---------------------------------------------------------------------


def _gram(diagonal: Any, beside: Any, size: int) -> Matrix:
    return [[diagonal if i == j else beside for j in range(size)] for i in range(size)]


def _pairs(values: Values) -> Iterator[tuple[int, int, Any, list[Any], list[Any]]]:
    """Every pair of rows i, k with the rows that stand for them: all rows of one law, any two as A and B."""
    size, _ = _tokens(values)
    for i in range(size):
        for k in range(size):
            for chance, a, c in _rows(size, 0):
                yield i, k, chance, a, (a if i == k else c)


def path(values: Values, dps: int, way: str, cross: bool = False) -> Any:
    """What comes through values, queries or keys to a token, or to two, by the sums over rows of any Gram matrices."""
    vo, beta, q, p, g, g_cross = numbers(values, dps, m.SIGMA_VO, m.BETA, m.Q, m.P, m.G, m.G_CROSS)
    size, _ = _tokens(values)
    first, second = (0, 1) if cross else (0, 0)
    gram, upstream = _gram(q, p, size), _gram(g, g_cross, size)
    total = mpmath.mpf(0)
    for i, k, chance, a, c in _pairs(values):
        if way == "values":
            total += chance * upstream[i][k] * a[first] * c[second]
        elif way == "keys":
            inner = _product(_product(slope(a), gram), slope(c))[first][second]
            total += chance * beta**2 * gram[i][k] * upstream[i][k] * inner
        elif (i, k) == (first, second):
            inner = _product(_product(_product(slope(a), gram), slope(c)), gram)
            total += chance * beta**2 * upstream[i][k] * mpmath.fsum(inner[j][j] for j in range(size))
    return vo**2 * total


def with_keys(values: Values, dps: int) -> Any:
    """The share of two tokens in the keys' gradient, at the keys' gradient of one."""
    return evaluate(m.key_gradient_cross(), {**values, m.KEYS: path(values, dps, "keys")}, dps)


def tangent(values: Values, dps: int) -> Any:
    """Theta'_ik, i not k, by the sums over rows: values and outputs, queries and keys, and what comes from below."""
    vo, beta, q, p, t, t_cross = numbers(values, dps, m.SIGMA_VO, m.BETA, m.Q, m.P, m.THETA, m.THETA_CROSS)
    size, _ = _tokens(values)
    gram, below = _gram(q, p, size), _gram(t, t_cross, size)
    total = mpmath.mpf(0)
    for chance, a, c in _rows(size, 0):
        for j in range(size):
            for k in range(size):
                total += (
                    chance * a[j] * c[k] * (2 * gram[j][k] + below[j][k])
                )  # W_V and W_O; below through values
        inner = _product(_product(slope(a), gram), slope(c))
        for j in range(size):
            for k in range(size):
                logits = 2 * p * gram[j][k] + t_cross * gram[j][k] + p * below[j][k]
                total += chance * beta**2 * inner[j][k] * logits
    return vo**2 * total


def tangent_formula(values: Values, dps: int) -> Any:
    """The formula at the overlaps of these rows and at the covariance behind them."""
    known = {
        m.COVARIANCE: with_rows(m.next_covariance, values, dps),
        m.ROW: values[m.P],
        m.THETA_ROWS: values[m.THETA_CROSS],
    }
    return with_rows(m.next_tangent, {**values, **known}, dps)


def mixed(left: Sequence[Any], matrix: Sequence[Sequence[Any]], right: Sequence[Any]) -> Any:
    """A M B' of two rows."""
    size = range(len(left))
    return mpmath.fsum(left[j] * right[k] * matrix[j][k] for j in size for k in size)


def layer_entry(values: Values, dps: int, tangent: bool) -> Any:
    """The formula at the sums over rows that `tangent` and `mixed_values` are made of."""
    q, p, theta, cross = numbers(values, dps, m.Q, m.P, m.THETA, m.THETA_CROSS)
    size = int(values[o.TOKENS])
    gram, below = _gram(q, p, size), _gram(theta, cross, size)
    total = dict.fromkeys((lg.SUM, lg.SUM_THETA, lg.PATHS, lg.PATHS_THETA), mpmath.mpf(0))
    for chance, a, c in _rows(size, 0):
        inner = _product(_product(slope(a), gram), slope(c))
        total[lg.SUM] += chance * mixed(a, gram, c)
        total[lg.SUM_THETA] += chance * mixed(a, below, c)
        total[lg.PATHS] += chance * _trace(inner, gram)
        total[lg.PATHS_THETA] += chance * _trace(inner, below)
    known = {**values, **total, m.ROW: p, m.THETA_ROWS: cross}
    return evaluate(lg.layer_entries()[tangent], known, dps)


def covariance_entry(values: Values, dps: int) -> Any:
    """sigma_vo^2 [p + (q - p) S], by the overlap of these rows."""
    known = {m.OVERLAP: shared_weight(values, dps)}
    return mixed_values({**values, **known}, dps)


# --- blocks ----------------------------------------------------------------------------------------------------------


def beside(values: Values, dps: int, normed: bool = False) -> Any:
    """E (w x + y)(w x' + y') of a stream (x, x') and a branch (y, y') of covariances X, Y; over lengths if normed."""
    names = (b.SKIP, b.OLD, b.NEW) + ((b.OLD_LENGTH, b.NEW_LENGTH) if normed else ())
    w, *moments = numbers(values, dps, *names)
    lengths = moments[2:] if normed else [abs(moments[0]) + 1, abs(moments[1]) + 1]
    x, y = (_gram(length, moment, 2) for length, moment in zip(lengths, moments[:2], strict=False))
    covariance = [[*row, 0, 0] for row in x] + [[0, 0, *row] for row in y]
    product_ = over_gaussian(lambda a, c, d, e: (w * a + d) * (w * c + e), covariance, 3)
    if not normed:
        return product_
    return product_ / over_gaussian(lambda a, c, d, e: (w * a + d) ** 2, covariance, 3)


def through_norm(values: Values, dps: int) -> Any:
    """w^2 X + Y (d/dx x/sqrt q)^2, the derivative of one of many components at length q."""
    w, old, new, q = numbers(values, dps, b.SKIP, b.OLD, b.NEW, m.Q)
    root = mpmath.diff(lambda x: x / mpmath.sqrt(q), 1)
    return w**2 * old + new * root**2


def layer_of_signs(values: Values, dps: int, gate: bool, back: bool) -> Any:
    """A unit behind W_2 phi(W_1 x), or its squared derivative by x, with hidden units that have T_phi and Tdot_phi."""
    names = (b.SIGMA_1, b.SIGMA_2, b.DUAL, b.DUAL_SLOPE) + ((b.SIGMA_3, b.COVARIANCE) if gate else ())
    known = {b.SIGMA_1: 1, b.DUAL: 1, b.DUAL_SLOPE: 1, **values}
    s1, s2, dual, steep, *rest = numbers(known, dps, *names)
    s3, k = rest if gate else (mpmath.mpf(1), mpmath.mpf(1))
    phi, slope_ = mpmath.sqrt(dual), mpmath.sqrt(steep)

    # two hidden units with values +-phi and slopes; W_2 (2 signs), W_1 (2), W_3 (2), values of phi (2)
    def unit(signs: tuple[int, ...]) -> Any:
        out = mpmath.mpf(0)
        for n in (0, 1):
            w2, w1, w3, f = (signs[4 * n + j] for j in range(4))
            hidden = f * phi
            if back and gate:
                out += (
                    w2 * s2 * (w1 * s1 * slope_ * f * s3 * mpmath.sqrt(k) + w3 * s3 * hidden) / mpmath.sqrt(2)
                )
            elif back:
                out += w2 * s2 * w1 * s1 * slope_ / mpmath.sqrt(2)
            else:
                out += w2 * s2 * hidden * (w3 * s3 * mpmath.sqrt(k) if gate else 1) / mpmath.sqrt(2)
        return out**2

    return over_signs(unit, 8)


def averaging_stack(values: Values, dps: int) -> Any:
    """p after L layers of q' = q + alpha^2 v m, p' = p + alpha^2 v m, m = p + (q - p)/T, with q - p = T (m_0 - p_0)."""
    alpha, v, p, mean = numbers(values, dps, b.ALPHA, b.LENGTH_A, b.START, b.START_MEAN)
    difference = mean - p  # (q - p)/T
    for _ in range(int(values[b.BLOCKS])):
        p += alpha**2 * v * (p + difference)
    return p


def _stacks(values: Mapping[Symbol, Any], dps: int) -> tuple[Any, ...]:
    return numbers(values, dps, b.LENGTH_A, b.LENGTH_M, b.CHI_M)


def post_step(values: Values, dps: int) -> Any:
    """log of (1 - rho')/(1 - rho) of one Post-LN block, from a tiny 1 - rho."""
    v_a, v_m, chi = _stacks(values, dps)
    w = numbers(values, dps, b.SKIP)[0] ** 2
    with mpmath.workdps(3 * dps):
        delta = mpmath.mpf(10) ** (-2 * dps)
        p = (w * (1 - delta) + v_a) / (w + v_a)
        p = (w * p + v_m - chi * (1 - p)) / (w + v_m)
        return mpmath.log((1 - p) / delta)


def post_gradient_step(values: Values, dps: int) -> Any:
    """log of the factor on G + (T - 1) G_x of one Post-LN block with equal tokens: values keep the mean, v_A times."""
    v_a, v_m, chi = _stacks(values, dps)
    w = numbers(values, dps, b.SKIP)[0] ** 2
    tokens, g, g_cross = 3, mpmath.mpf(2), mpmath.mpf(1) / 2
    start = g + 2 * g_cross
    g, g_cross = (w + chi) / (w + v_m) * g, (w + chi) / (w + v_m) * g_cross
    mean = (g + (tokens - 1) * g_cross) / tokens  # uniform weights: every token gets v_A times the mean
    g, g_cross = (w * g + v_a * mean) / (w + v_a), (w * g_cross + v_a * mean) / (w + v_a)
    return mpmath.log((g + (tokens - 1) * g_cross) / start)


def pre_step(values: Values, dps: int, way: str) -> Any:
    """The power of depth of 1 - rho, or of gradients, of Pre-LN blocks: slope between two depths, towards infinity."""
    v_a, v_m, chi = _stacks(values, dps)
    depth = numbers(values, dps, b.BLOCKS)[0]

    def growth(length: Any) -> Any:  # of a block whose stream has this length
        if way == "distance":  # q - p gains chi (1 - rho) from the second branch alone; q gains both
            return (1 + chi / (length + v_a)) * length / (length + v_a + v_m)
        gain = 1 + chi / (length + v_a)
        return gain * (1 + v_a / length) if way == "mean" else gain

    length = depth * (v_a + v_m)
    rate = mpmath.log(growth(length)) / mpmath.log(1 + 1 / depth)
    return -rate if way == "distance" else rate
