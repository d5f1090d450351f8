"""Steps and evidence of the Jacobian's moments at finite width for orthogonal weights.

The evidence is exact at every N, and followed to infinity: Weingarten's sum over pairs of pairings of the entries of a
Haar matrix V, with every D and G between them cut into what V reaches and what the fixed directions w and x do; and
moments of coordinates on a sphere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import combinations
from typing import Any

import mpmath
from sympy import Eq, Expr, Function, Integer, Rational, Symbol, expand, factorial2, oo

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.jacobian import finite as f
from widelimit.theory.jacobian import finite_orthogonal as o
from widelimit.theory.jacobian.laws import sigma_w

ASSUMPTIONS = (
    "weights are Haar orthogonal, and all layers have N units",
    "the first pre-activations have the length K exactly",
)
SOURCE = "collins2006integration"
_WIDTH, _CURVE = Symbol("N", positive=True), Symbol("c", positive=True)
_LIMIT = (_WIDTH, oo, 1)
_DIRECTIONS = dict.fromkeys((*f.M, *f.t, *f.overlap), (0.5, 2.0)) | dict.fromkeys(
    (*f.tilt, f.share), (0.2, 0.9)
)
Pairing = tuple[tuple[int, int], ...]


def derive() -> Derivation:
    """Return the moments of Jacobians of finite width and orthogonal weights, checked.

    >>> [step.name for step in derive()][:2]
    ['limit-1', 'limit-2']
    """
    names = (*_DIRECTIONS, sigma_w)
    where = _DIRECTIONS | {sigma_w: (0.7, 1.3)}
    steps = [
        Step(
            f"limit-{order}",
            Eq(Function("lim")(Symbol(f"t_{order}")), o.layer_map()[order], evaluate=False),
            "Moments of a free product. The check is Weingarten's sum, exact at every N.",
            SOURCE,
            ASSUMPTIONS,
            where,
            "limit",
            _LIMIT,
            left=partial(traced, order, names),
        )
        for order in f.ORDERS
    ]
    steps += [
        Step(
            f"moment-{order}",
            Eq(Symbol(f"delta_t_{order}"), o.excess()[order], evaluate=False),
            "N times what rotations add to the limit: the next order of Weingarten's sum, and slopes that know W x.",
            SOURCE,
            ASSUMPTIONS,
            where,
            "limit",
            _LIMIT,
            left=partial(excess, order, names),
        )
        for order in f.ORDERS
    ]
    ends = {**where, **dict.fromkeys((*f.along, *f.energy, f.square), (0.5, 2.0))}
    steps += [
        Step(
            f"overlap-{order}",
            Eq(Symbol(f"beta_{order}"), o.overlap_map()[order - 1], evaluate=False),
            "The same sum with x' at both ends in place of a trace.",
            SOURCE,
            ASSUMPTIONS,
            ends,
            "limit",
            _LIMIT,
            left=partial(overlap, order, tuple(ends)),
        )
        for order in f.ORDERS
    ]
    sphere = {_CURVE: (0.1, 0.9), f.share: (0.2, 0.9)}
    steps += [
        Step(
            f"own-shift-{k}",
            Eq(Symbol(f"delta_M_{k}"), _of_polynomials(o.own_shift()[k]), evaluate=False),
            "The sum of squares of what W makes is fixed. The check has slopes 1 + c z^2, and N exact.",
            assumptions=ASSUMPTIONS,
            domain=sphere,
            kind="limit",
            limit=_LIMIT,
            left=partial(shift_on_sphere, k),
        )
        for k in (2, 3)  # slopes of degree two have none
    ]
    steps += [
        Step(
            f"own-covariance-{j}-{k}",
            Eq(Symbol(f"Cov_{j}{k}"), _of_polynomials(o.own_covariance()[j, k]), evaluate=False),
            "Without what the sum of squares explains: the projection on z^2 - 1.",
            assumptions=ASSUMPTIONS,
            domain=sphere,
            kind="limit",
            limit=_LIMIT,
            left=partial(covariance_on_sphere, j, k),
        )
        for j, k in ((1, 1), (1, 2), (2, 3))
    ]
    return Derivation(
        "Moments of the Jacobian at finite width, orthogonal weights", tuple(steps), ASSUMPTIONS
    )


# Weingarten's sum -----------------------------------------------------------------------------------------------


class _Matrix:
    """D or G by its traces and by what vectors see of its powers; P is the projection off the direction w."""

    def __init__(self, traces: list[Any], seen: Mapping[tuple[str, str], list[Any]]) -> None:
        self.traces, self.seen = traces, seen

    def between(self, left: str, powers: tuple[int, ...], right: str) -> Any:
        """Return left' A^a P A^b P ... right."""
        if len(powers) == 1:
            return self.seen[left, right][powers[0]]
        first, second, *rest = powers
        through = self.between(left, (first + second, *rest), right)
        return through - self.seen[left, "w"][first] * self.between("w", powers[1:], right)

    def around(self, powers: tuple[int, ...]) -> Any:
        """Return tr A^a P A^b P ... P."""
        first, *rest = powers
        if not rest:
            return self.traces[first] - self.seen["w", "w"][first]
        return self.around((first + rest[0], *rest[1:])) - self.between("w", (*rest, first), "w")


def _sum(order: int, n: Any, slopes: _Matrix, gram: _Matrix, ends: bool) -> Any:
    """The mean of tr (D W G W')^k, or of p' W G W' (D W G W')^(k-1) p, over V of n - 1 dimensions.

    Slots 0 ... 2k - 1 are the factors W; each is V or w x'.
    """
    count = 2 * order
    between = [(2 * i, 2 * i + 1, 1) for i in range(order)]
    if ends:
        around = [(-1, 0, 0), *((2 * i - 1, 2 * i, 1) for i in range(1, order)), (count - 1, -2, 0)]
    else:
        around = [((2 * i - 1) % count, 2 * i, 1) for i in range(order)]
    total = mpmath.mpf(0)
    for chosen in (some for r in range(0, count + 1, 2) for some in combinations(range(count), r)):
        every = list(_pairings(chosen))
        of_slopes = [_contract(slopes, around, one) for one in every]
        of_gram = [_contract(gram, between, one) for one in every]
        total += mpmath.fsum(
            weingarten(_cosets(one, two), n - 1) * a * b
            for one, a in zip(every, of_slopes, strict=True)
            for two, b in zip(every, of_gram, strict=True)
        )
    return total


def weingarten(cosets: tuple[int, ...], n: Any) -> Any:
    """Weingarten's function of the orthogonal group by the coset type of two pairings, of up to six points.

    >>> weingarten((1, 1), 3)  # 4/(3 2 5)
    mpf('0.13333333333333333')
    """
    n = mpmath.mpf(n)
    two, three = n * (n - 1) * (n + 2), n * (n - 1) * (n - 2) * (n + 2) * (n + 4)
    known = {
        (): lambda: mpmath.mpf(1),
        (1,): lambda: 1 / n,
        (1, 1): lambda: (n + 1) / two,
        (2,): lambda: -1 / two,
        (1, 1, 1): lambda: (n**2 + 3 * n - 2) / three,
        (2, 1): lambda: -(n + 2) / three,
        (3,): lambda: 2 / three,
    }
    return known[cosets]()


def _pairings(points: tuple[int, ...]) -> Iterator[Pairing]:
    if not points:
        yield ()
    for i in range(1, len(points)):
        for rest in _pairings(points[1:i] + points[i + 1 :]):
            yield ((points[0], points[i]), *rest)


def _partners(pairing: Pairing) -> dict[int, int]:
    return {a: b for one, two in pairing for a, b in ((one, two), (two, one))}


def _cosets(one: Pairing, two: Pairing) -> tuple[int, ...]:
    """Half the lengths of the loops of two pairings laid on each other, longest first."""
    first, second, left, found = _partners(one), _partners(two), {a for pair in one for a in pair}, []
    while left:
        start = here = min(left)
        length = 0
        while not length or here != start:
            left -= {here, first[here]}
            here, length = second[first[here]], length + 1
        found.append(length)
    return tuple(sorted(found, reverse=True))


def _contract(matrix: _Matrix, edges: list[tuple[int, int, int]], pairing: Pairing) -> Any:
    """Follow the chains and loops that pairs of slots make of the matrices; slots without partner end in w, -1 and
    -2 in p."""
    beside = {a: (b, power) for one, two, power in edges for a, b in ((one, two), (two, one))}
    partner, left, product = _partners(pairing), set(beside), mpmath.mpf(1)
    for start in sorted(left - set(partner)) + sorted(partner):
        if start not in left:
            continue
        here, powers = start, []
        while True:
            after, power = beside[here]
            powers.append(power)
            left -= {here, after}
            here = partner.get(after, after)
            if after not in partner or here == start:
                break
        if start in partner:
            product *= matrix.around(tuple(powers))
        else:
            names = ["p" if one < 0 else "w" for one in (start, here)]
            product *= matrix.between(names[0], tuple(powers), names[1])
    return product


def _values(values: Values, dps: int, names: tuple[Symbol, ...]) -> tuple[Any, dict[Symbol, Any]]:
    """N and the values of names; those that the limit does not depend on, and that so have none, are one half."""
    n, *rest = numbers({**dict.fromkeys(names, Rational(1, 2)), **values}, dps, _WIDTH, *names)
    return n, dict(zip(names, rest, strict=True))


def _matrices(values: Values, dps: int, names: tuple[Symbol, ...]) -> tuple[Any, Any, _Matrix, _Matrix]:
    """N, the values of the names, and both matrices at a size N."""
    n, at = _values(values, dps, names)
    share, root = at[f.share], mpmath.sqrt(at[f.share])
    seen = [mpmath.mpf(1), *(at[m] + share * at[w] for m, w in zip(f.M, f.tilt, strict=True))]
    own: dict[tuple[str, str], list[Any]] = {("w", "w"): seen}
    if f.along[0] in at:
        tilted = [root * mpmath.sqrt(n) * at[one] for one in f.along]
        own |= {("w", "p"): tilted, ("p", "w"): tilted, ("p", "p"): [n * at[one] for one in f.energy]}
    slopes = _Matrix([n, *(n * at[m] for m in f.M)], own)
    gram = _Matrix(
        [n, *(n * at[one] for one in f.t)], {("w", "w"): [mpmath.mpf(1), *(at[b] for b in f.overlap)]}
    )
    return n, at, slopes, gram


def traced(order: int, names: tuple[Symbol, ...], values: Values, dps: int) -> Any:
    """Return the mean of t_k' at a size N, given D and G."""
    n, at, slopes, gram = _matrices(values, dps, names)
    return at[sigma_w] ** (2 * order) * _sum(order, n, slopes, gram, False) / n


def excess(order: int, names: tuple[Symbol, ...], values: Values, dps: int) -> Any:
    """Return N times what that mean exceeds the moment of the free product by."""
    with mpmath.workdps(2 * dps + 10):
        n, at = _values(values, 2 * dps, names)
        m, t, s = [at[x] for x in f.M], [at[x] for x in f.t], at[sigma_w]
        free = {  # by free cumulants of a product: Nica and Speicher, lecture 14
            1: m[0] * t[0],
            2: m[1] * t[0] ** 2 + m[0] ** 2 * t[1] - m[0] ** 2 * t[0] ** 2,
            3: m[2] * t[0] ** 3
            + 3 * m[0] * m[1] * t[0] * (t[1] - t[0] ** 2)
            + m[0] ** 3 * (t[2] - 3 * t[0] * t[1] + 2 * t[0] ** 3),
        }[order]
        return n * (traced(order, names, values, 2 * dps) - s ** (2 * order) * free)


def overlap(order: int, names: tuple[Symbol, ...], values: Values, dps: int) -> Any:
    """Return the overlap x'(J'J'^T)^k x'/x'x' of the next layer at a size N, given D and G."""
    n, at, slopes, gram = _matrices(values, dps, names)
    return at[sigma_w] ** (2 * order) * _sum(order, n, slopes, gram, True) / (n * at[f.square])


# on a sphere ----------------------------------------------------------------------------------------------------


def _of_polynomials(expr: Expr) -> Expr:
    """A formula of own means for slopes 1 + c z^2, whose Gaussian averages are polynomials of c."""

    def mean(of: Expr) -> Expr:
        poly = expand(of).as_poly(f.z)
        return sum((a * factorial2(k - 1) for (k,), a in poly.terms() if k % 2 == 0), Integer(0))

    d, z = 1 + _CURVE * f.z**2, f.z
    known: dict[Any, Expr] = {m: mean(d**k) for k, m in enumerate(f.mu, 1)}
    known |= {w: mean(d**k * (z**2 - 1)) for k, w in zip(f.ORDERS, f.tilt, strict=True)}
    known |= {x: mean(d**k * (z**4 - 6 * z**2 + 3)) for k, x in zip(f.ORDERS, f.quartic, strict=True)}
    return expr.subs(known, simultaneous=True)


def _mean_on_sphere(order: int, other: int, c: Any, r: Any, n: Any) -> Any:
    """E d(z_1)^j d(z_2)^k of two units, z = sqrt(r) y + sqrt(1 - r) b, y on the sphere of radius sqrt(N)."""

    def in_squares(power: int) -> list[Any]:  # E_b d^k as a polynomial of y^2
        found = [mpmath.mpf(0)] * (power + 1)
        for k in range(power + 1):
            for j in range(k + 1):
                noise = mpmath.fac2(2 * (k - j) - 1) * (1 - r) ** (k - j)
                found[j] += mpmath.binomial(power, k) * c**k * mpmath.binomial(2 * k, 2 * j) * r**j * noise
        return found

    half = mpmath.mpf(1) / 2
    return mpmath.fsum(
        a * b * n ** (i + j) * mpmath.rf(half, i) * mpmath.rf(half, j) / mpmath.rf(n / 2, i + j)
        for i, a in enumerate(in_squares(order))
        for j, b in enumerate(in_squares(other))
    )


def shift_on_sphere(order: int, values: Values, dps: int) -> Any:
    """Return N (E M_k - mu_k)."""
    with mpmath.workdps(2 * dps + 10):
        c, r, n = numbers(values, 2 * dps, _CURVE, f.share, _WIDTH)
        gauss = mpmath.fsum(
            mpmath.binomial(order, k) * c**k * mpmath.fac2(2 * k - 1) for k in range(order + 1)
        )
        return n * (_mean_on_sphere(order, 0, c, r, n) - gauss)


def covariance_on_sphere(order: int, other: int, values: Values, dps: int) -> Any:
    """Return N Cov(M_j, M_k): of one unit with itself, and of two that share the sphere."""
    with mpmath.workdps(2 * dps + 10):
        c, r, n = numbers(values, 2 * dps, _CURVE, f.share, _WIDTH)
        alone = [_mean_on_sphere(k, 0, c, r, n) for k in (order, other, order + other)]
        two = _mean_on_sphere(order, other, c, r, n)
        return alone[2] + (n - 1) * two - n * alone[0] * alone[1]
