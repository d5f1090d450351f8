r"""Free sums, products and powers of laws that are given in numbers, by subordination.

Sum: :math:`G(z)=G_1(\omega_1)=G_2(\omega_2)` with :math:`\omega_1+\omega_2=z+1/G` (Voiculescu 1993, Biane 1998).
Product: :math:`M(z)=M_1(\zeta_1)=M_2(\zeta_2)` with :math:`\zeta_1\zeta_2=z(1+m)/m`, the equation of `products`.
Power: :math:`G_t(z)=G(\omega)` with :math:`z=t\omega-(t-1)/G(\omega)` (Belinschi and Bercovici 2004).
A law in numbers is a sum over nodes: the panels of its continuous part, and its atoms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.freeprob.cauchy import raw, without_zero
from widelimit.numerics.freeprob.closed import Direct
from widelimit.numerics.freeprob.continuation import Path
from widelimit.numerics.freeprob.equation import EQUAL
from widelimit.numerics.freeprob.halves import Known, half, known
from widelimit.numerics.freeprob.pairs import Pair
from widelimit.numerics.freeprob.real_curve import POWER, PRODUCT, SUM, Half, gaps
from widelimit.numerics.freeprob.series import EXACT, log_s_series, moments_of_log
from widelimit.numerics.freeprob.spectral import SpectralLaw, remembered
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.theory.freeprob.series import moments_from_cumulants

Given = SpectralLaw | Sequence[tuple[float, float]]
_CLOSED = 3e-13  # intervals of support below this, relative to the whole, are rounding of an atom's two sides
_BOTTOM = -32.0  # log z, from the mean, below which a gap may be what nearly equal masses at zero leave
_SMALL, _STEEP = 1e-120, 1e50  # a place next to zero, and a mean of 1/x there that is infinite
_ALMOST = 1e-7  # masses at zero closer than this leave a gap above it that rounding hides
_FINEST = 1e-40  # of the deviation: the scale of unknowns that count from a hard edge
_PRODUCT_EXACT = 8  # moments of products that are known exactly


@remembered
def multiply(first: Given, second: Given) -> SpectralLaw:
    """Free product of two laws on [0, oo), given as `SpectralLaw`s or as lists of (location, mass).

    >>> law = multiply([(0.0, 0.5), (1.0, 0.5)], [(0.0, 0.8), (1.0, 0.2)])  # two free projections
    >>> [round(float(x), 9) for x in law.support[0]], law.atoms
    ([0.1, 0.9], ((0.0, 0.8),))
    """
    parts = [known(name, law) for name, law in (("first", first), ("second", second))]
    for name, part in zip(("first", "second"), parts, strict=True):
        if part.smallest < 0:
            raise DomainError(
                f"A free product needs laws on [0, oo); the {name} one has negative values, down to {part.smallest:g}."
            )
        if part.largest <= 0:
            raise DomainError(f"A free product needs laws whose mean is not zero; that of the {name} one is.")
    zero = max(part.mass_at(0.0) for part in parts)
    atoms = [] if zero <= 0 else [(-np.inf, zero)]
    atoms += [
        (float(np.log(x) + np.log(y)), a + b - 1.0)
        for x, a in parts[0].atoms
        for y, b in parts[1].atoms
        if x > 0 and y > 0 and a + b > 1.0 + 1e-14
    ]
    series = -(
        log_s_series(parts[0].relative(_PRODUCT_EXACT)) + log_s_series(parts[1].relative(_PRODUCT_EXACT))
    )
    series[0] = sum(part.log_mean for part in parts)
    moments = moments_of_log(series, _PRODUCT_EXACT)
    if sum(a for _, a in atoms) > 1 - 1e-13:
        return SpectralLaw("free product", None, [], atoms, moments)
    parts.sort(key=lambda part: not part.discrete)
    halves = [half(part.scaled(float(np.exp(-part.log_mean))), product=True) for part in parts]  # to mean one
    centre = sum(part.log_mean for part in parts)
    path: Path
    if parts[0].point:
        path = Direct(halves[1].measure, True, centre)
        intervals = [
            _logarithms(low * parts[0].mean, high * parts[0].mean) for low, high in parts[1].intervals
        ]
    else:
        path = Pair(PRODUCT, halves[0], halves[1], scale=1.0, height=np.pi / 2, centre=centre)
        holes = gaps(PRODUCT, halves[0], halves[1], 0.0)
        holes = _bottomless(holes, halves[0], halves[1])
        intervals = [(low + centre, high + centre) for low, high in _between(holes, 1.0, open_below=True)]
    return SpectralLaw(
        "free product",
        path,
        intervals,
        atoms,
        moments,
        exact=_PRODUCT_EXACT,
        reaches_zero=bool(intervals and intervals[0][0] == -np.inf),
        inherited=max(part.error for part in parts),
    )


@remembered
def add(first: Given, second: Given) -> SpectralLaw:
    """Free sum of two laws on the line, given as `SpectralLaw`s or as lists of (location, mass).

    >>> law = add([(-1.0, 0.5), (1.0, 0.5)], [(-1.0, 0.5), (1.0, 0.5)])  # arcsine on [-2, 2]
    >>> [round(law.moment(k), 9) for k in (2, 4)]
    [2.0, 6.0]
    """
    parts = [known(name, law) for name, law in (("first", first), ("second", second))]
    cumulants = [a + b for a, b in zip(*(part.cumulants(EXACT) for part in parts), strict=True)]
    atoms = [
        (x + y, a + b - 1.0) for x, a in parts[0].atoms for y, b in parts[1].atoms if a + b > 1.0 + 1e-14
    ]
    parts.sort(key=lambda part: not part.discrete)
    return _line_law("free sum", SUM, parts, cumulants, atoms)


@remembered
def power(law: Given, exponent: float) -> SpectralLaw:
    """Free additive power: the law whose free cumulants are `exponent` (at least 1) times those of `law`.

    >>> kesten = power([(-1.0, 0.5), (1.0, 0.5)], 3.0)  # of the tree of degree 3 with doubled edges
    >>> round(kesten.largest**2, 9), kesten.atoms
    (8.0, ())
    """
    t = arguments.positive_number("exponent", exponent)
    if t < 1.0:
        raise ArgumentError("exponent", "must be at least 1", exponent, "Smaller powers need not be laws.")
    return _power(known("law", law), t, f"free power {t:g}")


@remembered
def compress(law: Given, kept: float) -> SpectralLaw:
    """Free compression: the law of a corner that keeps a share `kept` of rows and columns, in general position.

    >>> corner = compress([(0.0, 0.5), (1.0, 0.5)], 0.25)  # of a projection
    >>> [round(float(x), 9) for x in corner.support[0]]
    [0.066987298, 0.933012702]
    """
    share = arguments.number_within("kept", kept, 0.0, 1.0)
    if share == 0.0:
        raise ArgumentError("kept", "must be positive", kept)
    return _power(known("law", law).scaled(share), 1.0 / share, f"corner of {share:g}")


def _power(part: Known, t: float, name: str) -> SpectralLaw:
    cumulants = [t * c for c in part.cumulants(EXACT)]
    atoms = [(t * x, t * a - (t - 1.0)) for x, a in part.atoms if t * a - (t - 1.0) > 1e-14]
    return _line_law(name, POWER, [part], cumulants, atoms, t)


def _line_law(
    name: str,
    mode: int,
    parts: Sequence[Known],
    cumulants: Sequence[float],
    atoms: list[tuple[float, float]],
    t: float = 0.0,
) -> SpectralLaw:
    """The law of a sum or a power; inside, every part has mean zero."""
    values = [float(v) for v in moments_from_cumulants(cumulants, EXACT)]
    moments: Callable[[int], float] = lambda k: values[k - 1]  # noqa: E731
    if sum(a for _, a in atoms) > 1 - 1e-13:
        return SpectralLaw(name, None, [], atoms, moments, coordinate="linear")
    shifts = _edges(parts, t)
    hard = shifts is not None
    shifts = [part.mean for part in parts] if shifts is None else shifts
    halves = [half(part, False, shift) for part, shift in zip(parts, shifts, strict=True)]
    deviation = float(np.sqrt(cumulants[1]))
    span = sum(part.largest - part.smallest for part in parts)
    centre = max(t, 1.0) * sum(shifts)
    origin = centre if hard else 0.0
    path: Path
    if parts[0].point or t == 1.0:  # moved, or as it was
        move = float(cumulants[0]) - parts[-1].mean
        path = Direct(halves[-1].measure, False, centre)
        intervals = [(low + move, high + move) for low, high in parts[-1].intervals]
        origin = 0.0
    else:
        other = halves[1] if mode == SUM else None
        scale = _FINEST * deviation if hard else deviation
        path = Pair(mode, halves[0], other, scale, max(t, 1.0) * span, centre - origin, t, hard)
        holes = gaps(mode, halves[0], other, float(np.log(deviation)), t)
        move = centre - origin
        intervals = [(low + move, high + move) for low, high in _between(holes, span)]
        atoms = [(x - origin, a) for x, a in atoms]
    return SpectralLaw(
        name,
        path,
        intervals,
        atoms,
        moments,
        coordinate="linear",
        inherited=max(part.error for part in parts),
        origin=origin if hard else None,
    )


def _edges(parts: Sequence[Known], t: float) -> list[float] | None:
    """Where both parts have to be moved from to have a hard edge at zero, next to which floats are finer than anywhere.

    A density that is infinite at its edge keeps most of its height in a sum with a law that is nearly an atom: a mass
    of 1e-6 beside the atom rounds it off on a scale of 1e-12 (where it grows as x^(-1/2)) to 1e-30 (x^(-4/5)).
    """
    if len(parts) == 2 and parts[0].discrete and not parts[0].point and parts[1].hard:
        return [parts[0].heaviest, 0.0]
    if len(parts) == 1 and t > 1.0 and parts[0].hard:
        return [0.0]
    return None


def _logarithms(low: float, high: float) -> tuple[float, float]:
    return float(np.log(low)) if low > 0 else -np.inf, float(np.log(high))


def _bottomless(holes: np.ndarray, one: Half, two: Half) -> np.ndarray:
    r"""Gaps of a product, that next to zero put right where the masses a there are nearly equal.

    Equal ones leave none. With a difference d it ends where :math:`u(u+d)` is largest, at
    :math:`z=\frac{1-a}{4a}\frac{d^2}{c_1c_2}`, c = E 1/x off zero, which arcs as short as d do not show.
    """
    inner = [without_zero(half.measure) for half in (one, two)]
    (first, a), (second, b) = inner
    difference = abs(a - b)
    if min(a, b) <= 0.0 or difference > _ALMOST:
        return holes
    kept = holes[holes[:, 1] > _BOTTOM]
    slopes = [-raw(measure, complex(_SMALL, 0.0))[0].real for measure in (first, second)]
    if difference < EQUAL or not all(0.0 < c < _STEEP for c in slopes):
        return kept
    m = 0.5 * (a + b) - 1.0
    edge = np.log(-m / (1.0 + m) / 4.0 / (slopes[0] * slopes[1])) + 2.0 * np.log(difference)
    return np.vstack(([[-np.inf, edge]], kept[kept[:, 0] > edge]))


def _between(holes: np.ndarray, scale: float, open_below: bool = False) -> list[tuple[float, float]]:
    """Intervals of support between the gaps, without those that are rounding; gaps that are rounding become cuts."""
    lows, highs = holes[1:, 0].copy(), holes[:-1, 1].copy()
    if open_below and holes[0, 0] > -np.inf:
        lows, highs = holes[:, 0].copy(), np.concatenate(([-np.inf], highs))
    allowed = _CLOSED * np.maximum(scale, np.abs(lows))
    closed = np.flatnonzero(highs[1:] - lows[:-1] < allowed[1:])
    lows[closed] = highs[closed + 1] = 0.5 * (lows[closed] + highs[closed + 1])
    return [
        (float(low), float(high))
        for low, high, least in zip(highs, lows, allowed, strict=True)
        if high - low > least
    ]
