"""Nodes of the trapezoidal rule for Gaussian expectations of functions without kinks.

Its error falls like exp(-a/step), a being set by the nearest singularity off the real line: halving the step doubles
the digits, and keeps all nodes. Steps that are multiples of each other are blind to the same oscillations: `Lattice`
says besides whether a function is, between its nodes, what the nodes make of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import mpmath
from mpmath import mpf

UNIT = (
    mpf(1) / 64
)  # standard deviations; nodes are odd multiples of it, and none is 0, where a function may be 0/0
STRIDES = (16, 8, 4, 2)  # steps, in units
BETWEEN = tuple(mpf(z) / 1000 for z in (-2143, -1259, -613, -181, 397, 877, 1721))  # places that are no nodes


def halvings(reach: mpf) -> Iterator[tuple[mpf, range]]:
    """Yield steps, each half of the last, and the nodes that each adds up to `reach`, in units.

    >>> [(float(step), nodes) for step, nodes in halvings(mpf(1))][:2]
    [(0.25, range(-63, 65, 16)), (0.125, range(-55, 65, 16))]
    """
    last = int(reach / UNIT)
    for stride in STRIDES:
        first = stride == STRIDES[0]
        offset, apart = (1, stride) if first else (1 + stride, 2 * stride)
        start = offset - (last + offset) // apart * apart
        yield stride * UNIT, range(start, last + 1, apart)


def agree(value: mpf, before: mpf, size: mpf, dps: int) -> bool:
    """Return whether two rules, one half as fine as the other, show that the finer has all `dps` digits of `size`.

    They agree to 3/4 of the digits, which leaves an error beyond all of them; so it does for Gauss rules of orders 3:4.

    >>> agree(mpf(1), mpf(1) + mpf(10) ** -14, mpf(1), 15), agree(mpf(1), mpf(1) + mpf(10) ** -8, mpf(1), 15)
    (True, False)
    """
    return bool(abs(value - before) <= mpf(10) ** (-dps * 3 // 4 - 1) * size)


class Lattice:
    """What a function without kinks times the density of N(0, 1) is at the nodes so far, as steps are halved."""

    def __init__(self, f: Callable[[mpf], mpf], root: mpf) -> None:
        self.f, self.root = f, root
        self.terms: dict[int, mpf] = {}

    def add(self, nodes: range) -> tuple[mpf, ...]:
        """Take in the nodes of a step; return the function there."""
        values = at(self.f, self.root, nodes, mpmath.mp.prec)
        weighted = zip(nodes, values, density(nodes, mpmath.mp.prec), strict=True)
        self.terms |= {k: value * weight for k, value, weight in weighted}
        return values

    def resolves(self, dps: int) -> bool:
        """Return whether the band-limited function through all nodes is the function at `BETWEEN`, to half the digits.

        Where the step is fine enough for a sum with `dps` digits, it is so to 3/4 of them.
        """
        places = sorted(self.terms)
        terms, step = [self.terms[k] for k in places], places[1] - places[0]
        largest = max(map(abs, terms))
        for z in BETWEEN:
            t = (z / UNIT - places[0]) / step
            through = (
                mpmath.fsum((-1) ** j * v / (t - j) for j, v in enumerate(terms))
                * mpmath.sinpi(t)
                / mpmath.pi
            )
            if abs(through - self.f(self.root * z) * mpmath.npdf(z)) > mpf(10) ** (-dps / 2) * largest:
                return False
        return True


@lru_cache(maxsize=1024)
def at(f: Callable[[mpf], mpf], root: mpf, nodes: range, prec: int) -> tuple[mpf, ...]:
    """Return f(root z) at nodes z.

    >>> [float(value) for value in at(lambda x: x * x, mpf(2), range(-64, 65, 64), 53)]
    [4.0, 0.0, 4.0]
    """
    with mpmath.workprec(prec):
        return tuple(f(root * UNIT * k) for k in nodes)


@lru_cache(maxsize=64)
def density(nodes: range, prec: int) -> tuple[mpf, ...]:
    """Return the density of N(0, 1) at nodes."""
    with mpmath.workprec(prec):
        return tuple(mpmath.npdf(UNIT * k) for k in nodes)
