"""`clean`: a covariance matrix with the eigenvectors of the sample and better eigenvalues, and its risk.

    clip        eigenvalues inside the bulk of `fit` become their mean
    linear      all move towards the mean by one share (Ledoit and Wolf 2004)
    nonlinear   each becomes the mean of Sigma along its eigenvector (Ledoit and Peche), from the sample's density
                smoothed by a kernel (Ledoit and Wolf 2020); the linear ones where those differ less than a kernel errs,
                or, of few features, where rows that were left out prefer them

Risks are E tr (C - Sigma)^2/p, predicted from the same data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from scipy.optimize import isotonic_regression

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.spectra import fitting
from widelimit.numerics.spectra.formulas import compiled
from widelimit.numerics.spectra.reading import Samples, centred
from widelimit.theory import spectra as theory

Array = np.ndarray
METHODS = ("clip", "linear", "nonlinear")
_WIDTH = -1 / 3  # power of n that a kernel's relative width is
_KERNEL = 12.0  # mean squared error of the kernel's eigenvalues over m_2 n^(-4/3): 11 to 15, measured
_DOUBT = 1.5  # kernels' errors within which linear and nonlinear eigenvalues are not told apart
_FEW = 300  # features up to which left-out rows decide as well: there eigendecompositions are cheap, kernels rough
_FOLDS = 4
_ROWS = 256  # at a time
_ZERO = 1e-11
_END = np.sqrt(5.0)


@by_value
@dataclass(frozen=True)
class Cleaned:
    """A covariance matrix after cleaning.

    covariance: of all features, rows and columns of zeros for those that do not vary. eigenvalues: the cleaned ones, in
    decreasing order of the sample's, which are in sample_eigenvalues. risk: predicted E tr (C - Sigma)^2/p, and
    sample_risk the same of the sample covariance itself; gaussian_risk: what that is for Gaussian rows. samples:
    degrees of freedom. shrinkage: share of the mean that all eigenvalues have got where they are linear in the
    sample's, else NaN. constant_features: set aside.
    """

    covariance: Array
    eigenvalues: Array
    sample_eigenvalues: Array
    risk: float
    sample_risk: float
    gaussian_risk: float
    shrinkage: float
    samples: int
    method: str
    constant_features: tuple[int, ...] = ()


def clean(data: Any, method: str = "nonlinear") -> Cleaned:
    """Return a covariance matrix nearer to the population's than the sample covariance is.

    Args:
        data: rows are samples, columns features: an array, a frame or a file; it is centred.
        method: `clip`, `linear` or `nonlinear`.

    The risk is that of new data: the mean squared distance, entries summed, over the number of features. Raises
    `ArgumentError` for rows with missing entries, fewer than three rows, no feature that varies, and another method.

    >>> random = np.random.default_rng(0)
    >>> x = random.standard_normal((120, 60)) * np.repeat([1.0, 3.0], 30)
    >>> sigma = np.diag(np.repeat([1.0, 9.0], 30))
    >>> found = clean(x)
    >>> error = np.sum((found.covariance - sigma) ** 2) / 60
    >>> round(found.sample_risk), round(error / found.risk), error < 0.7 * np.sum((np.cov(x.T) - sigma) ** 2) / 60
    (13, 1, np.True_)
    >>> round(found.risk, 6), round(found.gaussian_risk, 6)
    (3.025955, 13.478165)
    >>> linear = clean(x, "linear")
    >>> round(linear.shrinkage, 6), round(linear.risk, 6)
    (0.4345, 7.52981)
    >>> few = random.standard_normal((160, 320)) * np.repeat([1.0, 5.0], 160)
    >>> round(float(clean(few).eigenvalues[-1]), 6)
    4.808133
    """
    method = arguments.choice("method", method, METHODS)
    return _cleaned(centred("data", data), method)


def of_rows(rows: Array, freedom: int, method: str) -> Cleaned:
    """`clean` of rows that are centred already, or whose mean is known to be zero."""
    return _cleaned(Samples(rows, np.zeros(rows.shape[1]), ()), method, freedom)


def _cleaned(table: Samples, method: str, freedom: int | None = None) -> Cleaned:
    n = table.freedom if freedom is None else freedom
    scale = float((table.rows**2).mean()) or 1.0
    rows = table.rows / np.sqrt(scale)
    size = rows.shape[1]
    values, vectors = _decompose(rows, n)
    moments = _moments(rows, values, n)
    linear = moments.share * moments.mean + (1 - moments.share) * values
    smooth = nonlinear(values, n)
    doubt = _DOUBT * _KERNEL * moments.square * n ** (-4 / 3)
    worth = doubt < float(((smooth - linear) ** 2).mean()) and (size > _FEW or _wins(rows))
    own = smooth if worth else linear
    new = {"linear": lambda: linear, "nonlinear": lambda: own, "clip": lambda: _clipped(values, n)}[method]()
    risk = moments.risk if new is linear else _risk(new, own, moments)
    matrix = _matrix(new, vectors, size)
    whole = np.zeros((size + len(table.constant),) * 2)
    varies = np.setdiff1d(np.arange(whole.shape[0]), table.constant)
    whole[np.ix_(varies, varies)] = matrix * scale
    return Cleaned(
        whole,
        new * scale,
        values * scale,
        risk * scale**2,
        moments.scatter * scale**2,
        moments.gaussian * scale**2,
        moments.share if new is linear else float("nan"),
        n,
        method,
        table.constant,
    )


def _wins(rows: Array) -> bool:
    """Whether nonlinear eigenvalues lose less than linear ones on rows that were left out."""
    if rows.shape[0] < 4 * _FOLDS:
        return False
    total = 0.0
    for fold in range(_FOLDS):
        test = rows[fold::_FOLDS]
        train = np.delete(rows, np.s_[fold::_FOLDS], axis=0)
        n = train.shape[0]
        values, vectors = _decompose(train, n)
        if not values[0] > 0:
            return False
        moments = _moments(train, values, n)
        linear = moments.share * moments.mean + (1 - moments.share) * values
        seen = np.full(values.size, 0.0)
        count = vectors.shape[1]
        seen[:count] = ((test @ vectors) ** 2).mean(0)
        if count < values.size:
            seen[count:] = ((test**2).sum(1).mean() - seen[:count].sum()) / (values.size - count)
        one, two = (float((new**2 - 2 * new * seen).sum()) for new in (nonlinear(values, n), linear))
        total += one - two
    return total < 0


def _decompose(rows: Array, freedom: int) -> tuple[Array, Array]:
    """Eigenvalues, decreasing, zeros included; vectors of those that are not zero, as columns."""
    n, p = rows.shape
    dual = n < p
    gram = rows @ rows.T if dual else rows.T @ rows
    found, vectors = scipy.linalg.eigh(gram / freedom, overwrite_a=True, driver="evd")
    keep = np.flatnonzero(found > _ZERO * found[-1])[::-1][: min(p, freedom)]
    values = np.zeros(p)
    values[: keep.size] = found[keep]
    vectors = vectors[:, keep]
    if dual:
        vectors = rows.T @ vectors / np.sqrt(freedom * found[keep])
    return values, vectors


def _matrix(new: Array, vectors: Array, size: int) -> Array:
    """The matrix with these eigenvalues; all directions without a vector have the last."""
    rest = float(new[-1]) if vectors.shape[1] < size else 0.0
    kept = new[: vectors.shape[1]] - rest
    found = (vectors * kept) @ vectors.T
    found[np.diag_indices(size)] += rest
    return (found + found.T) / 2


@by_value
@dataclass(frozen=True)
class _Moments:
    """Mean eigenvalue m_1, population m_2, a, b, the share of the mean, and the risk of that mixture."""

    mean: float
    square: float
    scatter: float
    gaussian: float
    share: float
    risk: float


def _moments(rows: Array, values: Array, n: int) -> _Moments:
    """a + b of the sample, and b by the scatter of its rows, which asks for no Gaussians (Ledoit and Wolf)."""
    size = values.size
    mean, second = float(values.mean()), float((values**2).mean())
    both = second - mean**2
    fourth = float((((rows**2).sum(1)) ** 2).sum()) / size
    scatter = min(max(0.0, (fourth / n - second) / n), both)
    square = min(max(float(_second_from()(float(n), second, float(size), mean)), mean**2), second)
    gaussian = float(_scatter()(square, float(size), mean, float(n)))
    scatter = scatter or min(gaussian, both)
    if both <= 0:
        return _Moments(mean, mean**2, gaussian, gaussian, 1.0, 0.0)
    share, risk = (float(one) for one in _mixture()(both - scatter, scatter))
    return _Moments(mean, mean**2 + both - scatter, scatter, gaussian, share, risk)


def _risk(new: Array, oracle: Array, moments: _Moments) -> float:
    """m_2 - 2 mean (d delta) + mean d^2, and what a kernel's own error adds."""
    found = moments.square - float((2 * new * oracle - new**2).mean())
    return max(found, 0.0)


def _clipped(values: Array, n: int) -> Array:
    """Bulk eigenvalues replaced by their mean, so that the trace stays."""
    if values.size < 3:
        return values.copy()
    count = fitting.fit(eigenvalues=values, samples=n).components
    new = values.copy()
    new[count:] = values[count:].mean()
    return new


def nonlinear(values: Array, n: int) -> Array:
    """Eigenvalues of the nonlinear estimator for sample eigenvalues (decreasing, zeros included) of n samples."""
    positive = values[values > _ZERO * values[0]]
    size = positive.size
    ratio = size / n
    width = float(n) ** _WIDTH
    real, imaginary = _smoothed(positive, positive, width)
    # between outliers the kernel's density is zero, and its pole can be anywhere: the true curve rises with x
    found = np.minimum(np.asarray(_shrunk()(positive, ratio, real, imaginary)), positive[0])
    found = isotonic_regression(found, increasing=False).x
    if size == values.size:
        return found
    inverse = float(_smoothed(np.zeros(1), positive, width, at_zero=True)[0][0])
    rest = float(_shrunk_zero()(values.size / n, inverse)) if values.size > n else float(found[-1])
    return np.concatenate([found, np.full(values.size - size, rest)])


def _smoothed(places: Array, values: Array, width: float, *, at_zero: bool = False) -> tuple[Array, Array]:
    """Real and imaginary parts of M(x + i0) by kernels of relative width; at zero: mean inverse instead."""
    real, imaginary = np.empty(places.size), np.empty(places.size)
    widths = width * values
    for start in range(0, places.size, _ROWS):
        part = slice(start, start + _ROWS)
        u = (places[part, None] - values) / widths
        u = np.where(
            np.abs(np.abs(u) - _END) < 1e-9, u * (1 + 2e-9), u
        )  # where the logarithm is infinite, times 0
        density, hilbert = (np.asarray(one) for one in _kernels()(u))
        resolvent = np.pi * (hilbert / widths).mean(1)  # - Re G
        if at_zero:
            real[part], imaginary[part] = resolvent, 0.0
            continue
        real[part] = -places[part] * resolvent - 1
        imaginary[part] = np.pi * places[part] * (density / widths).mean(1)
    return real, imaginary


_n, _p = theory.SAMPLES, theory.DIMENSIONS
_second_from = compiled("second_from", (_n, theory.SAMPLE_SQUARE, _p, theory.MEAN), theory.second_from)
_scatter = compiled("scatter", (theory.SQUARE, _p, theory.MEAN, _n), theory.sample_scatter)
_mixture = compiled("mixture", (theory.DISPERSION, theory.SCATTER), theory.intensity, theory.linear_risk)
_kernels = compiled("kernels", (theory.ARGUMENT,), theory.kernel_density, theory.kernel_hilbert)
_shrunk = compiled("shrunk", (theory.VALUE, theory.RATIO, theory.REAL, theory.IMAGINARY), theory.shrunk)
_shrunk_zero = compiled("shrunk_zero", (theory.RATIO, theory.INVERSE), theory.shrunk_zero)
