"""Gaussian expectations by quadrature in mpmath: the oracle that closed forms are judged by.

One variable: the trapezoidal rule for functions without kinks, with steps halved until two agree. Else, and where they
do not, panels of a Gauss-Legendre rule, split at kinks and halved wherever a panel is not resolved, so that neither a
wide nor a narrow Gaussian is missed. Two variables: Mehler's series in the correlation, with Hermite coefficients by
the same rules, or near c = 1 the tensor product of panels in (x, y). Two rules must agree, else the panels are halved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from operator import mul
from typing import Any

import mpmath
from mpmath import mpf
from mpmath.libmp import to_fixed

from widelimit.theory.calculus.gaussian import lattice
from widelimit.theory.errors import ConvergenceError, InfiniteMomentError

Function = Callable[[mpf], mpf]
GUARD = 10  # digits beyond those asked for
PLAIN = mpf(4)  # the largest standard deviation at which nodes are close enough to see all of an activation
TAIL = 3  # digits beyond those asked for of Mehler's series
MEHLER = mpf("0.93")  # the largest |c| at which Mehler's series is the faster way


@dataclass(frozen=True)
class Branched:
    """A function of one number: `functions[i]` holds between `breaks[i - 1]` and `breaks[i]`."""

    breaks: tuple[mpf, ...]
    functions: tuple[Callable[[mpf], mpf], ...]

    def __call__(self, point: mpf) -> mpf:
        """Evaluate at a point."""
        return self.functions[sum(1 for b in self.breaks if b < point)](point)


Products = Sequence[tuple[Branched, Branched]]  # f(x) g(y) as their two factors
Resolved = Callable[[], bool]  # whether a rule shows all there is of its functions
Sum = tuple[mpf, mpf, Resolved]  # value, the scale of its rounding


@lru_cache(maxsize=64)
def legendre(n: int, prec: int) -> tuple[tuple[mpf, mpf], ...]:
    """Return nodes and weights of the n-point Gauss-Legendre rule on [-1, 1]."""
    with mpmath.workprec(prec + 20):
        rule = []
        for i in range(n):
            t = mpmath.cos(mpmath.pi * (i + mpf(3) / 4) / (n + mpf(1) / 2))
            done = False
            while True:
                p, previous = mpf(1), mpf(0)
                for k in range(n):
                    p, previous = ((2 * k + 1) * t * p - k * previous) / (k + 1), p
                slope = n * (t * p - previous) / (t * t - 1)
                if done:
                    break
                step = p / slope
                t -= step
                done = abs(step) < mpmath.ldexp(1, -(prec // 2) - 8)  # Newton has doubled the digits
            rule.append((t, 2 / ((1 - t * t) * slope**2)))
        return tuple(rule)


def expectation(f: Branched, q: mpf, dps: int) -> mpf:
    """Return E f(x), x ~ N(0, q), to `dps` digits (relative to E|f|)."""
    with mpmath.workdps(dps + GUARD):
        if q == 0:
            return f(mpf(0))
        if not f.breaks and q <= PLAIN**2 and (value := _trapezoid(f, q, dps)) is not None:
            return value
        return mpmath.fsum(value for _, _, value in _resolved(f, q, 3 * mpmath.sqrt(q), dps))


def _trapezoid(f: Branched, q: mpf, dps: int) -> mpf | None:
    """Return E f(x) for a function without kinks, or None where the finest two steps still differ."""
    root, before = mpmath.sqrt(q), None
    known = lattice.Lattice(f.functions[0], root)
    for step, nodes in lattice.halvings(_reach(f, q, dps) / root):
        known.add(nodes)
        terms = known.terms.values()
        value, size = step * mpmath.fsum(terms), step * mpmath.fsum(terms, absolute=True)
        if before is not None and lattice.agree(value, before, size, dps) and known.resolves(dps):
            return value
        before = value
    return None


def expectation_pair(
    products: Sequence[tuple[Branched, Branched]],
    qx: mpf,
    qy: mpf,
    c: mpf,
    dps: int,
    general: Callable[..., Any] | None = None,
) -> mpf:
    """Return the sum of E f(x) g(y) over `products`, or E general(x, y), for Gaussians with correlation c.

    `general` takes its breaks from the products.
    """
    with mpmath.workdps(dps + GUARD):
        mehler = general is None and abs(c) <= MEHLER
        sums = _mehler(products, qx, qy, c, dps) if mehler else _tensors(products, qx, qy, c, dps, general)
        before = None
        for value, size, resolved in sums:
            if before is not None and lattice.agree(value, before, size, dps) and resolved():
                return value
            before = value
        raise ConvergenceError(
            f"A bivariate Gaussian expectation was not resolved to {dps} digits at c = {c}."
        )


def _mehler(products: Products, qx: mpf, qy: mpf, c: mpf, dps: int) -> Iterator[Sum]:
    """Sum Mehler's series E f g = sum_n c^n f_n g_n over Hermite coefficients.

    By Cauchy and Schwarz the terms from n on are at most |c|^n |f| |g|, so their number is known beforehand.
    """
    count = 2 + int(mpmath.ceil((dps + TAIL) / -mpmath.log10(abs(c)))) if c else 1
    lefts, rights = (list(dict.fromkeys(side)) for side in zip(*products, strict=True))
    same = lefts == rights and qx == qy
    powers = [mpf(1)]
    for _ in range(count - 1):
        powers.append(powers[-1] * c)
    smooth = not any(f.breaks for f in (*lefts, *rights)) and max(qx, qy) <= PLAIN**2
    for rule in (_on_lattice, _on_panels) if smooth else (_on_panels,):
        ours, others = rule(lefts, qx, count, dps), rule(rights, qy, count, dps)
        for left, resolves in ours:
            right, too = (left, resolves) if same else next(others)
            value, size = mpf(0), mpf(0)
            for f, g in products:
                (u, size_u), (v, size_v) = left[f], right[g]
                value += mpmath.fdot(powers, [a * b for a, b in zip(u, v, strict=True)])
                size += mpmath.sqrt(size_u * size_v)
            yield value, size or mpf(1), lambda: resolves() and too()  # noqa: B023 - asked before the next


Coefficients = dict[Branched, tuple[list[mpf], mpf]]  # E f(x) h_n(x/sqrt(q)) for n < count, and E f^2


def _on_lattice(
    functions: Sequence[Branched], q: mpf, count: int, dps: int
) -> Iterator[tuple[Coefficients, Resolved]]:
    """Yield the coefficients of functions without kinks by the trapezoidal rule, steps halved from one to the next."""
    root = mpmath.sqrt(q)
    known = {f: lattice.Lattice(f.functions[0], root) for f in functions}
    reach = max(_reach(f, q, dps) for f in functions) / root
    sums: Coefficients = {f: ([mpf(0)] * count, mpf(0)) for f in functions}
    for step, nodes in lattice.halvings(reach):
        z = [lattice.UNIT * k for k in nodes]
        values = {f: known[f].add(nodes) for f in functions}
        more = _hermite(values, z, [mpf(1)] * len(z), count)
        sums = {
            f: ([a + b for a, b in zip(sums[f][0], more[f][0], strict=True)], sums[f][1] + more[f][1])
            for f in functions
        }
        scaled = {f: ([step * a for a in found], step * size) for f, (found, size) in sums.items()}
        yield scaled, lambda: all(one.resolves(dps) for one in known.values())


def _always() -> bool:
    """Panels are resolved when they are made."""
    return True


def _on_panels(
    functions: Sequence[Branched], q: mpf, count: int, dps: int
) -> Iterator[tuple[Coefficients, Resolved]]:
    """Yield the coefficients by rules of orders 3 : 4 in turn on panels, which are halved after each pair."""
    root = mpmath.sqrt(q)
    widest = min(mpf(3), 40 / mpmath.sqrt(count))  # resolves the oscillation of the last Hermite function
    panels = _panels(functions, q, widest * root, dps)
    for attempt in range(6):
        if attempt in (2, 4):
            panels = _halved(panels)
        rule = legendre(_order(dps) * (3, 4)[attempt % 2] // 4, mpmath.mp.prec)
        points = [((a + b) / 2 + (b - a) / 2 * t, w * (b - a) / 2) for a, b in panels for t, w in rule]
        values = {f: [f(p) for p, _ in points] for f in functions}
        yield _hermite(values, [p / root for p, _ in points], [w / root for _, w in points], count), _always


def _hermite(
    values: Mapping[Branched, Sequence[mpf]], z: Sequence[mpf], weights: Sequence[mpf], count: int
) -> Coefficients:
    """Return sums of f(x) h_n(z) over nodes z = x/sqrt(q) for n < count, h_n the orthonormal Hermite polynomials.

    The recurrence runs on Hermite functions h_n exp(-z^2/4) in fixed point: they are bounded, and integers are fast.
    """
    reach = max(abs(z[0]), abs(z[-1]))
    # Beyond the turning point the recurrence amplifies rounding by up to exp(z^2/4).
    bits = mpmath.mp.prec + int(reach**2 / 4 * mpf("1.45")) + 20
    with mpmath.workprec(bits):
        norm = 1 / mpmath.sqrt(2 * mpmath.pi)
        half = [mpmath.exp(-(point**2) / 4) for point in z]
        scaled = [w * norm * h for w, h in zip(weights, half, strict=True)]
        factors = {
            f: [to_fixed((w * v)._mpf_, bits) for w, v in zip(scaled, of, strict=True)]
            for f, of in values.items()
        }
        sizes = {
            f: mpmath.fsum(w * h * v**2 for w, h, v in zip(scaled, half, of, strict=True))
            for f, of in values.items()
        }
        roots = [to_fixed(mpmath.sqrt(n)._mpf_, bits) for n in range(count + 1)]
        inverse = [0, *(to_fixed((1 / mpmath.sqrt(n))._mpf_, bits) for n in range(1, count + 1))]
        fixed = [to_fixed(point._mpf_, bits) for point in z]
        here = [to_fixed(h._mpf_, bits) for h in half]
    before = [0] * len(fixed)
    found: dict[Branched, list[mpf]] = {f: [] for f in values}
    for n in range(count):
        for f, factor in factors.items():
            found[f].append(mpmath.ldexp(mpf(sum(map(mul, factor, here))), -2 * bits))
        up, down = inverse[n + 1], roots[n] * inverse[n + 1] >> bits
        following = [
            ((zi * hi >> bits) * up - bi * down) >> bits
            for zi, hi, bi in zip(fixed, here, before, strict=True)
        ]
        before, here = here, following
    return {f: (found[f], sizes[f]) for f in values}


def _tensors(
    products: Products, qx: mpf, qy: mpf, c: mpf, dps: int, general: Callable[..., Any] | None
) -> Iterator[Sum]:
    """Integrate over the plane on panels as wide as the density is across its ridge."""
    widths = [mpf("4.5") * mpmath.sqrt(q * (1 - c * c)) for q in (qx, qy)]
    xs = _panels([f for f, _ in products], qx, widths[0], dps)
    ys = _panels([g for _, g in products], qy, widths[1], dps)
    for attempt in range(6):
        if attempt in (2, 4):
            xs, ys = _halved(xs), _halved(ys)
        order = _order(dps) * (3, 4)[attempt % 2] // 4
        yield *_tensor(products, xs, ys, qx, qy, c, order, general), _always


def integral(f: Function, cuts: Sequence[mpf], dps: int) -> mpf:
    """Integrate a smooth function to `dps` digits (relative to the integral of |f|) over panels between cuts."""
    n, waiting = _order(dps), [(a, b, _plain(f, a, b, _order(dps))) for a, b in pairwise(cuts)]
    tolerance = mpf(10) ** (-dps - 3) * mpmath.fsum(abs(part) for *_, part in waiting)
    total = mpf(0)
    for _ in range(4000):
        if not waiting:
            return total
        a, b, coarse = waiting.pop()
        middle = (a + b) / 2
        left, right = _plain(f, a, middle, n), _plain(f, middle, b, n)
        if abs(left + right - coarse) <= tolerance:
            total += left + right
        else:
            waiting += [(a, middle, left), (middle, b, right)]
    raise ConvergenceError(f"An integral was not resolved to {dps} digits.")


def _plain(f: Function, a: mpf, b: mpf, n: int) -> mpf:
    centre, half = (a + b) / 2, (b - a) / 2
    rule = legendre(n, mpmath.mp.prec)
    return half * mpmath.fdot((w for _, w in rule), [f(centre + half * t) for t, _ in rule])


def _order(dps: int) -> int:
    return dps + 4


def _panel(g: Callable[[mpf], mpf], a: mpf, b: mpf, q: mpf, n: int) -> mpf:
    centre, half = (a + b) / 2, (b - a) / 2
    points = [centre + half * t for t, _ in legendre(n, mpmath.mp.prec)]
    values = [g(point) * mpmath.exp(-point * point / (2 * q)) for point in points]
    area = mpmath.fdot((w for _, w in legendre(n, mpmath.mp.prec)), values)
    return area * half / mpmath.sqrt(2 * mpmath.pi * q)


def _reach(f: Branched, q: mpf, dps: int) -> mpf:
    """Return how far out the integrand matters, which is further for functions that grow fast."""
    root = mpmath.sqrt(q)
    reach = root * mpmath.sqrt(2 * mpmath.log(10) * (dps + GUARD))

    def size(point: mpf) -> mpf:
        return max(abs(f(point)), abs(f(-point))) * mpmath.exp(-point * point / (2 * q))

    peak = max(size(root * k / 4) for k in range(1, 13)) or mpf(1)
    for _ in range(40):
        here = size(reach)
        peak = max(peak, here)
        if here <= peak * mpf(10) ** (-dps - 5) and here >= size(reach * mpf("1.05")):
            return reach
        reach *= mpf("1.25")
    raise InfiniteMomentError(f"The Gaussian expectation at variance {mpmath.nstr(q, 6)} does not exist.")


def _resolved(f: Branched, q: mpf, widest: mpf, dps: int) -> list[tuple[mpf, mpf, mpf]]:
    """Return panels (low, high, integral) on which one Gauss-Legendre rule resolves f times the density."""
    reach = _reach(f, q, dps)
    cuts = sorted({-reach, mpf(0), reach} | {b for b in f.breaks if abs(b) < reach})
    waiting = []
    for low, high in pairwise(cuts):
        count = int(mpmath.ceil((high - low) / widest))
        g = f.functions[sum(1 for b in f.breaks if b < (low + high) / 2)]
        for k in range(count):
            a, b = low + (high - low) * k / count, low + (high - low) * (k + 1) / count
            waiting.append((a, b, g, _panel(g, a, b, q, _order(dps))))
    tolerance = mpf(10) ** (-dps - 3) * (mpmath.fsum(abs(part) for *_, part in waiting) or 1)
    done = []
    while waiting:
        a, b, g, coarse = waiting.pop()
        middle = (a + b) / 2
        left, right = (_panel(g, *ends, q, _order(dps)) for ends in ((a, middle), (middle, b)))
        if abs(left + right - coarse) <= tolerance:
            done.append((a, b, left + right))
            continue
        if len(waiting) + len(done) > 2000:
            raise ConvergenceError(
                f"A Gaussian expectation was not resolved to {dps} digits at variance {q}."
            )
        waiting += [(a, middle, g, left), (middle, b, g, right)]
    return done


def _panels(functions: Sequence[Branched], q: mpf, widest: mpf, dps: int) -> list[tuple[mpf, mpf]]:
    """Return panels that resolve every one of the functions."""
    ends: set[mpf] = set()
    for f in dict.fromkeys(functions):
        ends |= {end for low, high, _ in _resolved(f, q, widest, dps) for end in (low, high)}
    return list(pairwise(sorted(ends)))


def _halved(panels: list[tuple[mpf, mpf]]) -> list[tuple[mpf, mpf]]:
    return [half for a, b in panels for half in ((a, (a + b) / 2), ((a + b) / 2, b))]


def _tensor(
    products: Products,
    xs: Any,
    ys: Any,
    qx: mpf,
    qy: mpf,
    c: mpf,
    order: int,
    general: Callable[..., Any] | None,
) -> tuple[mpf, mpf]:
    """Sum over pairs of nodes; also return the sum of absolute values, the scale of rounding.

    The kernel exp(-(u^2 - 2 c u v + v^2)/(2(1 - c^2))) needs no exponential per pair: with v = centre + half*t its
    mixed factor is exp(k u centre) exp(k u half t), and the second is shared by all panels of equal width.
    """
    rx, ry = mpmath.sqrt(qx), mpmath.sqrt(qy)
    scale = 1 / (2 * (1 - c * c))
    rule = legendre(order, mpmath.mp.prec)
    columns = []  # (centre, half, nodes y, one list of weighted values per product)
    for a, b in ys:
        centre, half = (a + b) / 2, (b - a) / 2
        points = [centre + half * t for t, _ in rule]
        weights = [
            w * half * mpmath.exp(-((y / ry) ** 2) * scale) for y, (_, w) in zip(points, rule, strict=True)
        ]
        rights = dict.fromkeys(g for _, g in products)
        table = {g: [w * g(y) for w, y in zip(weights, points, strict=True)] for g in rights}
        columns.append((centre / ry, half / ry, points, weights, table))
    spread = mpmath.sqrt(1 - c * c) * max(
        xs[-1][1] / rx, ys[-1][1] / ry
    )  # beyond it the density is negligible
    total, size = mpf(0), mpf(0)
    for a, b in xs:
        centre, half = (a + b) / 2, (b - a) / 2
        for t, w in rule:
            x = centre + half * t
            u = x / rx
            lefts = {f: f(x) for f in dict.fromkeys(f for f, _ in products)}
            shared: dict[mpf, list[mpf]] = {}
            row = w * half * mpmath.exp(-u * u * scale)
            for middle, width, points, weights, table in columns:
                if abs(c * u - middle) - width > spread:
                    continue
                if width not in shared:
                    shared[width] = [mpmath.exp(2 * scale * c * u * width * s) for s, _ in rule]
                outer = row * mpmath.exp(2 * scale * c * u * middle)
                if general is None:
                    sums = {g: mpmath.fdot(shared[width], values) for g, values in table.items()}
                    parts = [lefts[f] * sums[g] for f, g in products]
                else:
                    values = [p * general(x, y) for p, y in zip(weights, points, strict=True)]
                    parts = [mpmath.fdot(shared[width], values)]
                total += outer * mpmath.fsum(parts)
                size += abs(outer) * mpmath.fsum(parts, absolute=True)
    norm = 2 * mpmath.pi * rx * ry * mpmath.sqrt(1 - c * c)
    return total / norm, (size or mpf(1)) / norm
