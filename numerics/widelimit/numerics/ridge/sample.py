"""What a data set says about its own population, free of the bias of sample eigenvalues.

One eigendecomposition of the Gram matrix ``K = X X^T/n`` gives, at every penalty,

    kappa = 1/(tr(K + lambda)^-1/n)              effective ridge (Marchenko-Pastur)
    df1   = n (1 - lambda/kappa)                 population degrees of freedom at kappa
    E     = mean over rows of (r_i/(1 - h_i))^2  squared error on each row of the fit to the others
    B + sigma^2 = (1 - rho) E

with residuals r and leverages h, for the population, not the sample, down to the kappa that n samples resolve. For
Gaussian inputs 1 - h_i is lambda/kappa for all rows and E the generalised cross-validation score of `theory.ridge`;
inputs of heavy tails (images, products of features) have rows of much larger leverage, and with their own it stays
right. A covariance spectrum is then the non-negative measure whose df1 agrees at all kappa (a convex problem); how
B + sigma^2 divides into signal and noise is the matter of `posterior`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.optimize import nnls

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError, ConvergenceError

Array = np.ndarray
_NEGLIGIBLE = 1e-11  # of the largest sample eigenvalue: rounding of a zero
_ROWS_PER_E = 6  # fitted effective ridges per factor e
_ATOMS_PER_E = 8  # candidate eigenvalues per factor e
_EXTREME = 1e30  # terms of the theory hold up to eighth powers of it
_ROWS = 4096  # at a time
_SPIKES = 24  # largest sample eigenvalues that get a candidate of their own
_DIMENSION = 0.5  # the smallest eigenvalues are left out where together they make up less of one


@by_value
@dataclass(frozen=True)
class Sample:
    """Centred data in the eigenbasis of their Gram matrix: all that ridge regression and its theory use of them.

    `squares` l_i > 0: eigenvalues of ``X^T X/n``, decreasing. `samples` n: degrees of freedom, one fewer than rows
    where the data were centred. `projections` u_i.y: components of each target on the left singular vectors. Rows
    with a weight are multiplied by its root; `weight` adds up to the number of rows that they stand for.
    """

    inputs: Array
    target: Array  # rows x targets
    squares: Array
    samples: int
    directions: Array  # right singular vectors as columns, or left ones where `dual`
    projections: Array  # rank x targets
    dual: bool
    weight: Array | None = None
    counts: bool = False  # weights say how many equal rows one row stands for

    @property
    def rank(self) -> int:
        """Number of non-zero sample eigenvalues."""
        return self.squares.size

    @property
    def features(self) -> int:
        """Columns of the data."""
        return self.inputs.shape[1]

    @property
    def rows(self) -> int:
        """How many rows the data stand for."""
        return self.target.shape[0] if self.weight is None else round(float(self.weight.sum()))

    @property
    def grown(self) -> float:
        """Factor of a test error that comes from the error of the intercept."""
        return 1 + (self.rows - self.samples) / self.rows

    def weights(self, penalty: float, target: int = 0) -> Array:
        """Ridge weights at this penalty."""
        root = np.sqrt(self.samples * self.squares)
        gain = self.projections[:, target] * root / (self.samples * (self.squares + penalty))
        return self.inputs.T @ (self.directions @ (gain / root)) if self.dual else self.directions @ gain

    def left_out(self, penalties: Array, target: int = 0) -> Array:
        """Squared error at each penalty (first axis) on each row of the fit to all other rows.

        ``(r_i/(1 - h_i))^2`` with residuals r and leverages h (Allen 1974): exact, and no fit but the one; the
        intercept is fitted to the other rows too. Of a row that stands for several one is left out.
        """
        return np.asarray(self.errors_left_out(penalties, target).T ** 2)

    def mean_left_out(self, penalties: Array) -> tuple[Array, Array]:
        """Mean over rows of `left_out` for each target, and the covariance over penalties of that mean."""
        sums = np.zeros((self.target.shape[1], penalties.size))
        products = np.zeros((self.target.shape[1], penalties.size, penalties.size))
        for part, targets in self._parts(penalties):
            weight = np.ones(1) if self.weight is None else self.weight[part]
            power = weight if self.counts else weight**2
            for k, error in enumerate(targets):
                square = error**2
                sums[k] += (weight[:, None] * square).sum(0)
                products[k] += (power[:, None] * square).T @ square
        mean = sums / self.rows
        spread = products / self.rows - mean[:, :, None] * mean[:, None, :]
        return mean, spread / max(1, self.rows - 1)

    def errors_left_out(self, penalties: Array, target: int = 0) -> Array:
        """Errors, with their signs, on rows (first axis) at penalties; see `left_out`."""
        return np.concatenate([targets[target] for _, targets in self._parts(penalties)])

    def _parts(self, penalties: Array) -> Iterator[tuple[slice, list[Array]]]:
        """Errors on left-out rows for all targets, so many rows at a time."""
        shrunk = penalties / (self.squares[:, None] + penalties)
        intercept = self.rows - self.samples
        complete = self.rank == self.target.shape[0] - intercept  # every row is fitted without a penalty
        for start in range(0, self.target.shape[0], _ROWS):
            part = slice(start, start + _ROWS)
            target, left = self.target[part], self._left(part)
            leverage = left**2
            weight = np.ones(target.shape[0]) if self.weight is None else self.weight[part]
            share = 1 / weight if self.counts else np.ones(target.shape[0])  # of a row that is left out
            kept = share[:, None] * (leverage @ shrunk)  # 1 - h
            if not complete or self.counts:
                none = 1 - intercept * share * weight / self.rows - share * leverage.sum(1)
                kept += np.maximum(0.0, none)[:, None]
            targets = []
            for k in range(target.shape[1]):
                residual = (left * self.projections[:, k]) @ shrunk
                if not complete:
                    residual += (target[:, k] - left @ self.projections[:, k])[:, None]
                targets.append(residual / kept / np.sqrt(weight)[:, None])
            yield part, targets

    def _left(self, part: slice) -> Array:
        """Rows of the left singular vectors."""
        if self.dual:
            return self.directions[part]
        return self.inputs[part] @ (self.directions / np.sqrt(self.samples * self.squares))


def centred(values: Array, weight: Array | None, intercept: bool) -> tuple[Array, Array]:
    """Values less their mean (where there is an intercept) times root weights, and the mean."""
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused next
        mean = np.average(values, 0, weight) if intercept else np.zeros(values.shape[1:])
        values = values - mean
    if weight is not None:
        values = values * np.sqrt(weight).reshape((-1,) + (1,) * (values.ndim - 1))
    return values, np.asarray(mean)


def refuse_extremes(name: str, values: Array) -> None:
    """Refuse numbers whose powers floating point does not hold."""
    with np.errstate(over="ignore", invalid="ignore"):
        largest = float(np.sqrt((values**2).mean(0)).max(initial=0.0))
    small = 0 < float(np.abs(values).max(initial=0.0)) < 1 / _EXTREME
    if small or not largest <= _EXTREME:
        raise ArgumentError(
            name, f"must have a spread between {1 / _EXTREME:g} and {_EXTREME:g}", largest, "Rescale it."
        )


def decompose(
    x: Array, y: Array, samples: int, weight: Array | None = None, *, counts: bool = False
) -> Sample:
    """Eigendecompose the smaller of the two Gram matrices of centred data (rows already times root weights)."""
    y = y if y.ndim == 2 else y[:, None]
    n, features = x.shape
    dual = n < features
    _check_memory(min(n, features), n, features)
    gram = x @ x.T if dual else x.T @ x
    squares, vectors = scipy.linalg.eigh(gram / samples, overwrite_a=True, driver="evd")
    keep = np.flatnonzero(squares > _NEGLIGIBLE * squares[-1] * max(1.0, gram.shape[0] / 100))[::-1][:samples]
    squares, vectors = squares[keep], vectors[:, keep]
    components = vectors.T @ (y if dual else x.T @ y)
    if not dual:
        components = components / np.sqrt(samples * squares)[:, None]
    return Sample(x, y, squares, samples, vectors, components, dual, weight, counts)


def _check_memory(size: int, n: int, features: int) -> None:
    need = 3 * 8 * size**2  # the matrix, its eigenvectors, work space
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return
    if need > free:
        raise ArgumentError(
            "X",
            "must have a Gram matrix that fits in memory",
            help="Use fewer features (random projections keep the theory valid) or a subset of the samples.",
            but=f"has {n} rows and {features} columns: {size} x {size} numbers take {need / 2**30:.1f} GiB with work "
            f"space and {free / 2**30:.1f} GiB are free",
        )


@by_value
@dataclass(frozen=True)
class Level:
    """``B + sigma^2`` of one target at the resolved effective ridges, as measured."""

    residual: Array
    relative: Array  # its relative standard error
    rows: Array  # correlations, between effective ridges, of the errors on rows


@by_value
@dataclass(frozen=True)
class Resolved:
    """Population functions at the effective ridges that a sample resolves, in increasing kappa; a level a target."""

    penalty: Array
    kappa: Array
    fitted: Array  # df1
    ridge_slope: Array  # 1 - rho at n samples
    parts: Array  # kappas x components of y: the weight of each in the level, of unit norm
    zeros: int  # the last part stands for this many components outside the span of the inputs
    gaussian: Array  # relative standard error of a level where rows are Gaussian
    levels: tuple[Level, ...]


def resolve(sample: Sample) -> Resolved:
    """Evaluate the population functions on penalties spread evenly in log."""
    low, high = 1e-2 * sample.squares[-1], 1e2 * sample.squares[0]
    penalty = np.exp(np.linspace(np.log(low), np.log(high), 2 + int(_ROWS_PER_E * np.log(high / low))))
    zeros = sample.samples - sample.rank
    inverse = 1 / (sample.squares + penalty[:, None])
    kappa = sample.samples / (inverse.sum(1) + zeros / penalty)
    shares, rest = kappa[:, None] * inverse, kappa / penalty  # no units, whose powers could overflow
    # the level is a mean of squared components of y: independent for Gaussian data, so that the variance of the mean
    # is that of n independent rows times what unequal weights cost
    parts = np.column_stack([shares**2, np.sqrt(zeros) * rest**2])
    norm, second = np.sqrt((parts**2).sum(1)), (shares**2).sum(1) + zeros * rest**2
    gaussian = np.sqrt(2) * norm / second
    ridge_slope = sample.samples / second
    # errors on new data, less what the error of the intercept adds to them; a row never tells less than Gaussian ones
    clean = ridge_slope / sample.grown
    levels = []
    for mean, covariance in zip(*sample.mean_left_out(penalty), strict=True):
        error = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        relative = error / np.where(mean > 0, mean, 1.0) * np.sqrt(sample.samples) * norm / second
        scale = np.where(error > 0, error, 1.0)
        levels.append(
            Level(mean * clean, np.maximum(relative, gaussian), covariance / scale[:, None] / scale)
        )
    fitted = (
        sample.samples * (1 - penalty / kappa)
        if zeros == 0
        # the same without the cancellation at small penalties
        else (sample.squares / (sample.squares + penalty[:, None])).sum(1)
    )
    return Resolved(
        penalty, kappa, fitted, ridge_slope, parts / norm[:, None], zeros, gaussian, tuple(levels)
    )


def spectrum_of(sample: Sample, resolved: Resolved) -> tuple[Array, Array]:
    """Population eigenvalues (decreasing) and their multiplicities, by non-negative least squares on df1."""
    atoms = _candidates(sample, resolved.kappa)
    # relative residuals of df1 and one row for the trace, which is unbiased
    rows = atoms / (atoms + resolved.kappa[:, None]) / resolved.fitted[:, None]
    rows = np.vstack([rows, atoms / sample.squares.sum()])
    count = non_negative(rows, np.ones(rows.shape[0]))
    kept = count > 1e-9 * count.sum()
    # a fraction of a dimension below all others is sampling error, but could hold any amount of signal
    kept &= np.cumsum(count[::-1])[::-1] >= min(_DIMENSION, 0.5 * count.sum())
    return atoms[kept], count[kept]


def _candidates(sample: Sample, kappa: Array) -> Array:
    top = 1.2 * sample.squares[0]
    bottom = (
        0.9 * sample.squares[-1] if sample.rank < sample.samples else kappa[0] / 4
    )  # what lies lower is not resolved
    grid = np.exp(np.arange(np.log(bottom), np.log(top), 1 / _ATOMS_PER_E))
    spikes = []
    zeros = sample.samples - sample.rank
    for k in range(min(_SPIKES, sample.rank - 1)):
        others = np.delete(sample.squares, k)
        own = sample.squares[k]
        with np.errstate(divide="ignore"):  # equal eigenvalues are no spikes
            # 1/kappa at penalty -l_k without l_k
            shifted = ((1 / (own - others)).sum() + zeros / own) / sample.samples
        if shifted * own > 0.5 and np.isfinite(shifted):
            spikes.append(1 / shifted)
    return np.unique(np.concatenate([grid, spikes]))[::-1]


def non_negative(rows: Array, target: Array) -> Array:
    """Non-negative least squares with columns scaled to one."""
    scale = np.sqrt((rows**2).sum(0))
    try:
        return nnls(rows / scale, target, maxiter=30 * rows.shape[1])[0] / scale
    except RuntimeError:
        raise ConvergenceError(
            "The non-negative least squares behind the population spectrum did not finish."
        ) from None
