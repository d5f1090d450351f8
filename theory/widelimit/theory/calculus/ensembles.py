"""Averages that owe nothing to a formula under test: small ensembles, summed exactly or by quadrature with mpmath.

Second moments over independent signs are those over any centred weights of variance 1, so that a layer of a few units
whose weights run through all signs shows what a wide random layer does on average. Gaussian averages are Gauss-Hermite
sums, exact for polynomials and exponentially close for analytic functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import permutations, product
from typing import Any

import mpmath


def signs(count: int) -> Iterator[tuple[int, ...]]:
    """Run through all 2^count vectors of signs.

    >>> list(signs(1))
    [(-1,), (1,)]
    """
    return product((-1, 1), repeat=count)


def over_signs(function: Callable[[tuple[int, ...]], Any], count: int) -> Any:
    """Return the mean of a function of `count` independent signs, exactly.

    >>> print(over_signs(lambda s: (s[0] + 2 * s[1]) ** 2, 2))
    5.0
    """
    return mpmath.fsum(function(one) for one in signs(count)) / 2**count


@lru_cache(maxsize=64)
def _hermite(nodes: int, precision: int) -> tuple[tuple[Any, Any], ...]:
    """Nodes and weights of N(0, 1), by the eigenvectors of the Jacobi matrix of Hermite's polynomials."""
    with mpmath.workprec(precision + 20):
        matrix = mpmath.zeros(nodes)
        for k in range(1, nodes):
            matrix[k, k - 1] = matrix[k - 1, k] = mpmath.sqrt(k)
        values, vectors = mpmath.eigsy(matrix)
        return tuple((values[k], vectors[0, k] ** 2) for k in range(nodes))


def over_gaussian(function: Callable[..., Any], covariance: Sequence[Sequence[Any]], nodes: int = 40) -> Any:
    """Return the mean of a function of centred Gaussians by Gauss-Hermite nodes at mpmath's precision.

    `covariance`: one row for each argument. The number of evaluations is `nodes` to the power of its rank.

    >>> print(mpmath.nstr(over_gaussian(lambda u, v: u * v, [[1, 0.5], [0.5, 1]], 4), 6))
    0.5
    """
    root = _root(covariance)
    rule = _hermite(nodes, mpmath.mp.prec)
    size = len(root)
    used = [column for column in range(size) if any(row[column] for row in root)]
    total = mpmath.mpf(0)
    for point in product(rule, repeat=len(used)):
        weight = mpmath.fprod(w for _, w in point)
        values = [
            mpmath.fsum(row[column] * z for column, (z, _) in zip(used, point, strict=True)) for row in root
        ]
        total += weight * function(*values)
    return total


def _root(covariance: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Cholesky's factor of a matrix that may be singular."""
    size = len(covariance)
    a = [[mpmath.mpmathify(entry) for entry in row] for row in covariance]
    root = [[mpmath.mpf(0)] * size for _ in range(size)]
    for j in range(size):
        pivot = a[j][j] - mpmath.fsum(root[j][k] ** 2 for k in range(j))
        root[j][j] = mpmath.sqrt(pivot) if pivot > mpmath.eps * abs(a[j][j]) else mpmath.mpf(0)
        for i in range(j + 1, size):
            rest = a[i][j] - mpmath.fsum(root[i][k] * root[j][k] for k in range(j))
            root[i][j] = rest / root[j][j] if root[j][j] else mpmath.mpf(0)
    return root


Cycles = tuple[tuple[int, ...], ...]


def planar_pairings(order: int) -> Iterator[tuple[Cycles, Cycles]]:
    """Run through the pairings that Wick's theorem leaves of ``tr (X X^T)^order`` as X grows in both directions.

    A pairing is a permutation s of the factors: the cycles of s are free sums over columns of X, those of
    ``s^-1 c``, c the cyclic shift, over its rows. Those with ``order + 1`` cycles in all survive. Returns both kinds.

    >>> [len(list(planar_pairings(order))) for order in (1, 2, 3, 4)]  # Catalan's numbers
    [1, 2, 5, 14]
    """
    for one in permutations(range(order)):
        back = tuple(one.index((k + 1) % order) for k in range(order))
        columns, rows = _cycles(one), _cycles(back)
        if len(columns) + len(rows) == order + 1:
            yield columns, rows


def _cycles(permutation: Sequence[int]) -> Cycles:
    left, found = set(range(len(permutation))), []
    while left:
        cycle, at = [], min(left)
        while at in left:
            left.remove(at)
            cycle.append(at)
            at = permutation[at]
        found.append(tuple(cycle))
    return tuple(found)
