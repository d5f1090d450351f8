"""Moments, free cumulants and S-transform coefficients: exact conversions of truncated power series.

A series is a list of SymPy expressions (exact rationals or symbols), lowest order first. Moments and cumulants are
listed from order one: ``[m_1, m_2, ...]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sympy import Expr, Integer, catalan, expand

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.exact import plain
from widelimit.theory.errors import ArgumentError, DomainError

Series = list[Expr]
_MOST_POINTS = 20  # of partitions that somebody may want to list


def multiply(a: Sequence[Expr], b: Sequence[Expr], order: int) -> Series:
    """Product of two series, `order` terms.

    >>> multiply([1, 1], [1, 1], 3)
    [1, 2, 1]
    """
    return [
        expand(sum((a[i] * b[n - i] for i in range(n + 1) if i < len(a) and n - i < len(b)), Integer(0)))
        for n in range(order)
    ]


def power(a: Sequence[Expr], exponent: Expr, order: int) -> Series:
    """Real or symbolic power of a series that starts with a non-zero constant.

    From ``a b' = exponent a' b`` for ``b = a**exponent``.

    >>> power([1, 1], -1, 4)
    [1, -1, 1, -1]
    """
    a = [plain("a", c) for c in a] + [Integer(0)] * max(0, order - len(a))
    result = [a[0] ** exponent]
    for n in range(1, order):
        total = sum(((exponent * k - (n - k)) * a[k] * result[n - k] for k in range(1, n + 1)), Integer(0))
        result.append(expand(total / (n * a[0])))
    return result


def moments_from_s(s: Sequence[Expr], order: int) -> Series:
    r"""Lagrange inversion: :math:`m_k = \frac1k [m^{k-1}] ((1+m)/S(m))^k`.

    >>> moments_from_s([1, -1, 1, -1], 4)  # S = 1/(1 + m), Marchenko-Pastur of ratio one: Catalan numbers
    [1, 2, 5, 14]
    """
    if plain("s", s[0]).is_zero:
        raise DomainError("An S-transform that vanishes at 0 belongs to no law with a finite mean.")
    ratio = multiply([Integer(1), Integer(1)], power(s, Integer(-1), order), order)
    return [expand(power(ratio, Integer(k), k)[k - 1] / k) for k in range(1, order + 1)]


def s_from_moments(moments: Sequence[Expr], order: int) -> Series:
    r"""Coefficients of :math:`S(m) = \chi(m)(1+m)/m`, where :math:`\chi` inverts :math:`\sum_k m_k t^k`.

    >>> s_from_moments([1, 2, 5, 14], 4)
    [1, -1, 1, -1]
    """
    if plain("moments", moments[0]).is_zero:
        raise DomainError(
            "The S-transform needs a mean that is not zero. Shift the law, or use its R-transform."
        )
    psi = [plain("moments", c) for c in moments[:order]]  # psi(t) / t
    chi = [expand(power(psi, Integer(-k), k)[k - 1] / k) for k in range(1, order + 1)]  # chi(m) / m
    return multiply([Integer(1), Integer(1)], chi, order)


def moments_from_cumulants(cumulants: Sequence[Expr], order: int) -> Series:
    r"""The moment-cumulant formula :math:`m_n=\sum_{\pi\in NC(n)}\prod_{V\in\pi}\kappa_{|V|}`, summed by first block.

    The block of the first element has `s` members; the gaps between them hold independent non-crossing partitions:
    :math:`m_n=\sum_s\kappa_s[t^{n-s}](1+\sum_k m_kt^k)^s`.

    >>> moments_from_cumulants([0, 1, 0, 0, 0, 0], 6)  # semicircle: aerated Catalan numbers
    [0, 1, 0, 2, 0, 5]
    """
    moments: Series = [Integer(1)]
    for n in range(1, order + 1):
        total: Expr = Integer(0)
        block: Series = [Integer(1)]
        for s in range(1, n + 1):
            block = multiply(block, moments, n)
            if s <= len(cumulants):
                total += plain("cumulants", cumulants[s - 1]) * (block[n - s] if n - s < len(block) else 0)
        moments.append(expand(total))
    return moments[1:]


def cumulants_from_moments(moments: Sequence[Expr], order: int) -> Series:
    """Free cumulants, the inverse of `moments_from_cumulants`.

    >>> cumulants_from_moments([1, 2, 5, 14], 4)  # free Poisson of rate one
    [1, 1, 1, 1]
    """
    full: Series = [Integer(1), *(plain("moments", c) for c in moments[:order])]
    powers: list[Series] = [[Integer(1)]]
    for _ in range(order):
        powers.append(multiply(powers[-1], full, order + 1))
    cumulants: Series = []
    for n in range(1, order + 1):
        known = sum((cumulants[s - 1] * powers[s][n - s] for s in range(1, n)), Integer(0))
        cumulants.append(expand(full[n] - known))
    return cumulants


@exact.takes(n=exact.order(0))
def noncrossing_partitions(n: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """All non-crossing partitions of ``0, ..., n - 1``, one after the other; there are Catalan(n) of them.

    Raises ArgumentError for n above 20: of 20 points there are 6.6e9, more than an hour's list.

    >>> sum(1 for _ in noncrossing_partitions(5))
    42
    """
    size = exact.whole("n", n, 0)
    if size > _MOST_POINTS:
        raise ArgumentError(
            "n",
            f"must be at most {_MOST_POINTS}",
            n,
            f"There are (2n)!/(n! (n + 1)!) partitions of n points, {catalan(_MOST_POINTS)} of {_MOST_POINTS}.",
        )
    return _partitions(tuple(range(size)))


def _partitions(items: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], ...]]:
    if not items:
        yield ()
        return
    yield from _with_block((items[0],), items[1:])


def _with_block(block: tuple[int, ...], rest: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Close the first element's block, or let it take rest[i]; what lies between is partitioned by itself."""
    for tail in _partitions(rest):
        yield (block, *tail)
    for i, item in enumerate(rest):
        for between in _partitions(rest[:i]):
            for partition in _with_block((*block, item), rest[i + 1 :]):
                yield (partition[0], *between, *partition[1:])
