r"""Sample covariances of finite size: exact moments by Wick's theorem, and their first corrections in closed form.

W = X X'/n with X of p x n independent standard Gaussians. Every pairing of the 2k factors of :math:`tr(XX')^k`
identifies rows and columns, and adds p to the power of how many rows are left, times n to that of columns: the planar
ones are the Marchenko-Pastur law, those with a twist or a handle add powers of 1/n (hanlon1992combinatorial). They are
the evidence of the laws in `fluctuations`, moment by moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

from sympy import Add, Expr, Integer, Rational, Symbol, binomial, expand, sqrt

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.freeprob.fluctuations import RATIO

SAMPLES = Symbol("n", integer=True, positive=True)
DIMENSION = Symbol("p", integer=True, positive=True)
MOST_PAIRED = 5  # orders in all: 945 pairings
MOST_SHIFTED, MOST_COVARIED = 200, 30  # orders of closed sums, which take a second or two there


@exact.takes(order=exact.order(1, MOST_PAIRED))
def wishart_moment(order: int) -> Rewritten:
    """Return the mean of tr W^k, a polynomial in the dimension p and 1/n, exactly, for k up to 5.

    >>> wishart_moment(2)
    p + p**2/n + p/n
    """
    return _paired((order,))


@exact.takes(first=exact.order(1, MOST_PAIRED - 1), second=exact.order(1, MOST_PAIRED - 1))
def wishart_covariance(first: int, second: int) -> Rewritten:
    """Return the covariance of tr W^j and tr W^k, exactly, for j + k up to 5.

    >>> wishart_covariance(1, 1), wishart_covariance(1, 2)
    (2*p/n, 4*p/n + 4*p**2/n**2 + 4*p/n**2)
    """
    exact.order(1, MOST_PAIRED)("first + second", first + second)
    return expand(_paired((first, second)) - _paired((first,)) * _paired((second,)))


@exact.takes(order=exact.order(1, MOST_SHIFTED))
def wishart_moment_shift(order: int) -> Rewritten:
    r"""Return what the mean of tr W^k exceeds p times the law's moment by as p = c n grows (bai2004clt, eq. 1.22).

    k is at most 200. :math:`\frac14[(1-\sqrt c)^{2k}+(1+\sqrt c)^{2k}]-\frac12\sum_j\binom kj^2c^j`.

    >>> wishart_moment_shift(2), wishart_moment_shift(3)
    (c, 3*c**2 + 3*c)
    """
    ends = sum(((1 + sign * sqrt(RATIO)) ** (2 * order) for sign in (-1, 1)), Integer(0))
    rest = Add(*(binomial(order, j) ** 2 * RATIO**j for j in range(order + 1)))
    return expand(ends / 4 - rest / 2)


@exact.takes(first=exact.order(1, MOST_COVARIED), second=exact.order(1, MOST_COVARIED))
def wishart_moment_covariance(first: int, second: int) -> Rewritten:
    """Return the limit of the covariance of tr W^j and tr W^k as p = c n grows (bai2004clt, eq. 1.23).

    Each of j and k up to 30.

    >>> wishart_moment_covariance(1, 1), wishart_moment_covariance(1, 2)
    (2*c, 4*c**2 + 4*c)
    """
    c = RATIO
    total: Expr = Integer(0)
    for one in range(first):
        for two in range(second + 1):
            inner = Add(
                *(
                    step
                    * binomial(2 * first - 1 - one - step, first - 1)
                    * binomial(2 * second - 1 - two + step, second - 1)
                    for step in range(1, first - one + 1)
                )
            )
            powers = c ** (first + second - one - two) * (1 - c) ** (one + two)
            total += binomial(first, one) * binomial(second, two) * inner * powers
    return expand(2 * total)


@lru_cache(maxsize=32)
def _paired(orders: tuple[int, ...]) -> Expr:
    """Mean of a product of traces of (X X')^k over n^k: the sum over all pairings of their factors."""
    rows, columns, start = [], [], 0
    for order in orders:  # factors X_ij, X_i'j in turn: the rows of a trace close a circle
        for k in range(order):
            rows += [start + k, start + (k + 1) % order]
            columns += [start + k, start + k]
        start += order
    counts = Counter(
        (_left(rows, pairing, start), _left(columns, pairing, start))
        for pairing in _pairings(range(2 * start))
    )
    terms = (times * DIMENSION**p * SAMPLES ** (n - start) for (p, n), times in sorted(counts.items()))
    return Add(*(Rational(1) * term for term in terms))


def _left(labels: Sequence[int], pairing: Sequence[tuple[int, int]], count: int) -> int:
    """How many of `count` indices are left free where paired factors share theirs."""
    parent = list(range(count))

    def root(k: int) -> int:
        while parent[k] != k:
            k = parent[k]
        return k

    for one, two in pairing:
        parent[root(labels[one])] = root(labels[two])
    return len({root(k) for k in range(count)})


def _pairings(places: Sequence[int]) -> Iterator[tuple[tuple[int, int], ...]]:
    if not places:
        yield ()
        return
    first, *others = places
    for k, other in enumerate(others):
        for rest in _pairings(others[:k] + others[k + 1 :]):
            yield ((first, other), *rest)
