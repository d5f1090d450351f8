"""Whether a matrix of weights is what theory assumes: centred noise, independent from entry to entry.

`matrix_finding(matrix, alpha)` says in words what is against it, "" if nothing is. The tests of signs keep the
probability of a false alarm below `alpha` for independent entries of any symmetric law; those of sizes and of sums of
squared cosines use gamma laws fitted to their mean and variance, and are safe for light tails (normal,
uniform, truncated normal) only:

mean, rows, columns   sums over roots of sums of squares; given the sizes of the entries their signs are independent,
                      so that such a ratio is sub-Gaussian (P(|r| > t) <= 2 exp(-t^2/2)) for every number of entries
neighbours, mirror    the same of products of an entry with its neighbour or its mirror image: smooth, Toeplitz or
                      symmetric matrices, and of entries of two layers: copies
rows against rows     squared cosines between rows: too large together (low rank, trained weights), too small together
                      (orthogonal), too large for one pair (a row repeated)
sizes                 mean squares of rows and of columns against what the kurtosis allows (rows of another scale),
                      and of each against the rest, by Fisher's F with as many degrees of freedom
kurtosis              few large entries that make up a unit's sum: it is not Gaussian then
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from widelimit.numerics.results import by_value

FALSE_ALARM = 1e-6  # of one network in which every weight is noise
LARGEST = 1024  # rows and columns that are looked at
GRAM = 1024  # of the shorter side, in the matrix of cosines
FEW = 0.25  # (kurtosis - 3) / fan-in above which a unit's sum is one of few weights
OTHER_SIZE = 1.3  # ratio of mean squares that matters
ZEROS = 0.05  # share of entries that are exactly zero
PREFIX, SAMPLE, FEWEST = (
    2**18,
    256,
    8,
)  # entries in which numbers of another layer are looked for, and how many
_ORTHONORMAL = 1e-3  # cosines of rows of an orthogonal matrix in single precision are below


@dataclass(frozen=True)
class Finding:
    """`text`: what is wrong, "" for nothing; `orthogonal`: a random rotation."""

    text: str = ""
    orthogonal: bool = False


def matrix_finding(matrix: np.ndarray, alpha: float, lag: int = 1) -> Finding:
    """What is against centred independent noise in a matrix (fan-out, fan-in); `lag` columns lie side by side too.

    >>> matrix_finding(np.eye(300), 1e-9).text
    'is a multiple of the identity'
    >>> matrix_finding(np.random.default_rng(1).uniform(-1, 1, (300, 200)), 1e-9)
    Finding(text='', orthogonal=False)
    """
    shape = structure(matrix)
    if shape:
        return Finding(shape)
    z = _unit(_cut(matrix))
    y = z * z
    kurtosis = float(np.mean(y * y))
    cosines, orthogonal = _cosines(z, alpha, kurtosis)
    heavy = _heavy(
        z.size, kurtosis, matrix.shape[1], alpha
    )  # of which rows and columns differ in size anyway
    sizes = (heavy,) if heavy else (_scales(y, alpha, "row"), _scales(y.T, alpha, "column"))
    found = (
        _mean(z, alpha), _diagonal(z, alpha), cosines, _sums(z, y, alpha, "row"), _sums(z.T, y.T, alpha, "column"),
        _neighbours(z, alpha, lag), *sizes,
    )  # fmt: skip
    text = ", and ".join([each for each in found if each][:2])
    return Finding(text, orthogonal and not text)


def vector_finding(vector: np.ndarray, alpha: float) -> str:
    """What is against centred independent noise in biases; all zero is none of it.

    >>> vector_finding(np.full(50, 0.1), 1e-9)
    'holds the number 0.1 alone'
    """
    if not vector.any():
        return ""
    if vector.size > 2 and (vector == vector[0]).all():
        return f"holds the number {vector[0]:.3g} alone"
    z = _unit(vector[None, : LARGEST**2].astype(float))
    return _mean(z, alpha) or _heavy(z.size, float(np.mean(z**4)), 1, alpha)


def copies(one: np.ndarray, two: np.ndarray, alpha: float) -> bool:
    """Whether two lists of entries, as far as both go, are not independent of one another."""
    length = min(one.size, two.size)
    a, b = _unit(one.ravel()[:length]), _unit(two.ravel()[:length])
    return bool(abs(ratio(a * b)) > edge(alpha))


@by_value
@dataclass(frozen=True)
class Numbers:
    """The sizes of a tensor's entries, each once and in order, to see whether another one holds them as well.

    `bits` of their mantissas and the share of `repeats` say how often two numbers are equal by chance.
    """

    sizes: np.ndarray
    bits: int
    repeats: float

    @classmethod
    def of(cls, values: np.ndarray) -> Numbers:
        """Of the first `PREFIX` entries, zeros left out."""
        live = np.abs(values.ravel()[:PREFIX])
        live = live[live > 0]
        sizes = np.unique(live)
        mantissas = np.frexp(sizes)[0]
        bits = next((k for k in (8, 11, 24) if not (np.ldexp(mantissas, k) % 1).any()), 53)
        return cls(sizes, bits, 1 - sizes.size / max(1, live.size))


def taken(one: Numbers, two: Numbers, alpha: float) -> bool:
    """Whether numbers of the shorter list are taken from the longer one, in whatever order and with whatever signs.

    >>> a = np.random.default_rng(0).standard_normal((40, 30))
    >>> taken(Numbers.of(a), Numbers.of(-a[::-1, 3]), 1e-9)
    True
    """
    few, many = sorted((one, two), key=lambda each: each.sizes.size)
    if few.sizes.size < FEWEST:
        return False
    sample = few.sizes[:: -(-few.sizes.size // SAMPLE)]
    places = np.searchsorted(many.sizes, sample).clip(max=many.sizes.size - 1)
    found = int(np.sum(many.sizes[places] == sample))
    chance = min(1.0, 4 * many.sizes.size * 2.0**-few.bits + 3 * max(few.repeats, many.repeats))
    enough = found >= max(4, 0.1 * sample.size)
    return enough and float(stats.binom.sf(found - 1, sample.size, chance)) < alpha


def edge(alpha: float) -> float:
    """The t at which the bound 2 exp(-t^2/2) is alpha."""
    return math.sqrt(2.0 * math.log(2.0 / alpha))


def ratio(terms: np.ndarray) -> float:
    """Sum over root of the sum of squares."""
    flat = terms.ravel()
    size = math.sqrt(float(flat @ flat))
    return float(flat.sum()) / size if size > 0 else 0.0


def structure(matrix: np.ndarray) -> str:
    """Structure that is there exactly or not at all: constant, identity, diagonal, permutation, sparse."""
    if matrix.size < 2:
        return "" if matrix.any() else "holds zero alone"
    first = matrix.flat[0]
    if (matrix.size > 7 and (matrix == first).all()) or not matrix.any():
        return f"holds {'zero' if first == 0 else f'the number {first:.3g}'} alone"
    rows, columns = matrix.shape
    zeros = 1.0 - np.count_nonzero(matrix) / matrix.size
    if min(rows, columns) > 1 and zeros * matrix.size >= matrix.size - min(rows, columns):
        diagonal = np.diagonal(matrix)
        if np.count_nonzero(diagonal) == np.count_nonzero(matrix):
            return "is a multiple of the identity" if (diagonal == diagonal[0]).all() else "is diagonal"
    if zeros > ZEROS and zeros * matrix.size >= 2:
        return f"is sparse: {100 * zeros:.3g} per cent of its entries are zero"
    return ""


def _cut(matrix: np.ndarray) -> np.ndarray:
    """The matrix, of very large ones rows and columns here and there."""
    rows, columns = (slice(None, None, max(1, n // LARGEST)) for n in matrix.shape)
    return matrix[rows, columns].astype(float)


def _unit(values: np.ndarray) -> np.ndarray:
    """With a mean square of 1, without overflow."""
    largest = float(np.abs(values).max())
    z = values / largest if largest > 0 else values
    size = math.sqrt(float(np.mean(z * z)))
    return z / size if size > 0 else z


def _mean(z: np.ndarray, alpha: float) -> str:
    if abs(ratio(z)) <= edge(alpha):
        return ""
    return f"is not centred: the mean of its entries is {float(z.mean()):.3g} of their size"


def _diagonal(z: np.ndarray, alpha: float) -> str:
    """Identity plus noise."""
    if z.shape[0] != z.shape[1] or abs(ratio(np.diagonal(z))) <= edge(alpha):
        return ""
    return f"has a diagonal that is not centred, with the mean {float(np.diagonal(z).mean()):.3g} of its entries' size"


def _sums(z: np.ndarray, y: np.ndarray, alpha: float, name: str) -> str:
    """Sums of rows: one that is too large, all of them too large or too small together."""
    sizes = np.sqrt(np.sum(y, axis=1))
    live = sizes > 0
    r = np.sum(z[live], axis=1) / sizes[live]
    if r.size == 0:
        return ""
    worst = int(np.argmax(np.abs(r)))
    if abs(r[worst]) > edge(alpha / r.size):
        return f"has a {name} ({np.flatnonzero(live)[worst]}) that is not centred"
    total, n = float(np.sum(r**2)), r.size
    excess = total / n
    if excess > 1 and -0.5 * n * (excess - 1 - math.log(excess)) < math.log(
        alpha
    ):  # Chernoff's bound, chi-squared
        return f"has {name}s that are not centred: their means scatter {math.sqrt(excess):.3g} times as wide as chance"
    low = max(float(stats.chi2.cdf(total, n)), 0.5**n)  # entries of one size may well sum to zero
    if excess < 1 and z.shape[1] > 1 and low < alpha:
        return f"has {name}s that sum to zero: their means scatter {math.sqrt(excess):.3g} times as wide as chance"
    return ""


def _cosines(z: np.ndarray, alpha: float, kurtosis: float) -> tuple[str, bool]:
    """Squared cosines between the rows of the shorter side, and whether they vanish as those of a random rotation."""
    name, rows = ("row", z) if z.shape[0] <= z.shape[1] else ("column", z.T)
    k, n = rows.shape
    if k < 2 or n < 4:
        return "", False
    chosen = rows[np.sort(np.random.default_rng(0).permutation(k)[:GRAM])]
    sizes = np.sqrt(np.sum(chosen**2, axis=1))
    u = chosen[sizes > 0] / sizes[sizes > 0][:, None]
    k = len(u)
    if k < 2:
        return "", False
    cosines = u @ u.T
    upper = np.triu_indices(k, 1)
    squares = n * cosines[upper] ** 2
    total, pairs = float(squares.sum()), squares.size
    fourth = float(np.mean(np.square(u * u)))
    variance = n**2 * (n * fourth**2 + 3 * n * (1 / n - fourth) ** 2 / (n - 1)) - 1
    scatter = max(variance, 0.5)
    shape = pairs / scatter
    if float(stats.gamma.sf(total, shape, scale=scatter)) < alpha:
        return (
            f"has {name}s that are correlated (low rank, or trained): squared cosines between them are "
            f"{total / pairs:.3g} times those of chance"
        ), False
    worst = int(np.argmax(squares))
    i, j = upper[0][worst], upper[1][worst]
    if abs(ratio(u[i] * u[j])) > edge(alpha / pairs) or (n > 48 and abs(cosines[i, j]) > 0.999):
        return f"has two {name}s with the correlation {cosines[i, j]:.3g}", False
    if k > 5 and float(stats.gamma.cdf(total, shape, scale=scatter)) < alpha:
        longest = 3 * max(z.shape) / (max(z.shape) + 2)
        rotation = np.max(np.abs(cosines[upper])) < _ORTHONORMAL
        if rotation and abs(kurtosis - longest) < 1 + 6 * math.sqrt(24 / z.size):
            return "", True
        return f"has {name}s that are closer to orthogonal than chance and no random rotation", False
    return "", False


def _neighbours(z: np.ndarray, alpha: float, lag: int) -> str:
    """Products of neighbouring entries, and of mirror images."""
    rows, columns = z.shape
    for down, right in {(0, 1), (1, 0), (1, 1), (1, -1), (0, lag)}:
        if down < rows and abs(right) < columns:
            here = z[: rows - down, max(0, -right) : columns - max(0, right)]
            there = z[down:, max(0, right) : columns - max(0, -right)]
            if abs(r := ratio(here * there)) > edge(alpha):
                correlation = r / math.sqrt(here.size)
                return f"has neighbouring entries with the correlation {correlation:.3g}"
    if rows == columns > 3:
        upper = np.triu_indices(rows, 1)
        if abs(r := ratio(z[upper] * z.T[upper])) > edge(alpha):
            return f"is {'anti' if r < 0 else ''}symmetric, wholly or in part"
    return ""


def _scales(y: np.ndarray, alpha: float, name: str) -> str:
    return _sizes(y, alpha, name) or _one_size(y, alpha, name)


def _sizes(y: np.ndarray, alpha: float, name: str) -> str:
    """Mean squares of the rows: more scatter than the kurtosis of independent entries gives; `y` the squares."""
    m, n = y.shape
    if m < 2:
        return ""
    means = y.mean(axis=1)
    deviations = np.square(y - 1)
    second, fourth = float(deviations.mean()), float(np.mean(deviations * deviations))
    scatter, expected = float(np.mean((means - 1) ** 2)), second / n
    variance = ((fourth - second**2) / n**3 + 2 * second**2 / n**2) / m
    if scatter - expected < max(0.05, 0.5 * expected) or variance <= 0:
        return ""
    shape = expected**2 / variance
    if float(stats.gamma.sf(scatter, shape, scale=expected / shape)) > alpha:
        return ""
    return f"has {name}s of different scales: their mean squares scatter by {100 * math.sqrt(scatter):.3g} per cent"


def _one_size(y: np.ndarray, alpha: float, name: str) -> str:
    """One row of another scale than the rest; the kurtosis is that within rows, which no scale of a row changes."""
    m, n = y.shape
    if m < 2 or n < 4:
        return ""
    means = y.mean(axis=1)
    live = means > 0
    within = np.mean(np.square(y[live]), axis=1) / means[live] ** 2
    freedom = 2 * n / (max(3.0, float(within.mean()) * (n + 2) / n) - 1)
    rest = (means.sum() - means) / (m - 1)
    ratios = np.divide(means, rest, out=np.full(m, np.inf), where=rest > 0)
    chance = np.minimum(
        stats.f.sf(ratios, freedom, freedom * (m - 1)), stats.f.cdf(ratios, freedom, freedom * (m - 1))
    )
    chance[(ratios < OTHER_SIZE) & (ratios > 1 / OTHER_SIZE)] = 1.0
    worst = int(np.argmin(chance))
    if 2 * m * chance[worst] >= alpha:
        return ""
    times = math.sqrt(float(ratios[worst]))
    return (
        f"has a {name} ({worst}) of another scale: its entries are {times:.3g} times as large as the others"
    )


def _heavy(count: int, kurtosis: float, fan_in: int, alpha: float) -> str:
    """Few large entries: a unit's sum is then no Gaussian, and the mean square no estimate of the scale."""
    highest = edge(alpha / count)
    if kurtosis < 3 + highest**4 / count + 8 * math.sqrt(24 / count) or (kurtosis - 3) / fan_in < FEW:
        return ""
    return f"has few large entries: a kurtosis of {kurtosis:.3g} at a fan-in of {fan_in}"
