"""What a data set says about its own population, free of the bias of sample eigenvalues.

One eigendecomposition of the Gram matrix ``K = X X^T/n`` gives, at every penalty,

    kappa = 1/(tr(K + lambda)^-1/n)              effective ridge (Marchenko-Pastur)
    df1   = n (1 - lambda/kappa)                 population degrees of freedom at kappa
    E     = mean over rows of (r_i/(1 - h_i))^2  squared error on each row of the fit to the others
    B + sigma^2 = (1 - rho) E

with residuals r and leverages h, for the population, not the sample, down to the kappa that n samples resolve. For
Gaussian inputs 1 - h_i is lambda/kappa for all rows and E the generalised cross-validation score of `theory.ridge`;
inputs of heavy tails (images, products of features) have rows of much larger leverage, and with their own it stays
right. A covariance spectrum is then the non-negative measure whose df1 agrees at all kappa (a convex problem), the
signal on it and the noise the non-negative numbers whose B + sigma^2 agree. Signal on eigenvalues far below the
resolved kappa acts as noise and is counted there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.optimize import nnls

from widelimit.numerics.results import by_value
from widelimit.numerics.ridge_spectrum import Spectrum
from widelimit.theory.errors import ArgumentError, ConvergenceError

Array = np.ndarray
_NEGLIGIBLE = 1e-11  # of the largest sample eigenvalue: rounding of a zero
_ROWS_PER_E = 6  # fitted effective ridges per factor e
_ATOMS_PER_E = 8  # candidate eigenvalues per factor e
_BLOCKS = 512  # of rows, whose mean errors are told apart
_ROWS = 4096  # at a time
_SPIKES = 24  # largest sample eigenvalues that get a candidate of their own


@by_value
@dataclass(frozen=True)
class Sample:
    """Centred data in the eigenbasis of its Gram matrix: all that ridge regression and its theory use of it.

    `squares` l_i > 0: eigenvalues of ``X^T X/n``, decreasing. `samples` n: degrees of freedom, one fewer than rows
    where the data were centred. `projections` u_i.y: components of y on the left singular vectors.
    """

    inputs: Array
    target: Array
    squares: Array
    samples: int
    directions: Array  # right singular vectors as columns, or left ones where `dual`
    projections: Array
    dual: bool

    @property
    def rank(self) -> int:
        """Number of non-zero sample eigenvalues."""
        return self.squares.size

    @property
    def features(self) -> int:
        """Columns of the data."""
        return self.inputs.shape[1]

    def weights(self, penalty: float) -> Array:
        """Ridge weights at this penalty."""
        root = np.sqrt(self.samples * self.squares)
        gain = self.projections * root / (self.samples * (self.squares + penalty))
        return self.inputs.T @ (self.directions @ (gain / root)) if self.dual else self.directions @ gain

    def left_out(self, penalties: Array) -> Array:
        """Squared error at each penalty on each row of the fit to all other rows, averaged over at most 512 blocks.

        ``(r_i/(1 - h_i))^2`` with residuals r and leverages h (Allen 1974): exact, and no fit but the one. Rows of the
        result belong to penalties; the intercept is fitted to the other rows too.
        """
        rows = self.target.size
        shrunk = penalties / (self.squares[:, None] + penalties)
        complete = self.rank == self.samples  # every row is fitted without a penalty
        sums, count = np.zeros((_BLOCKS, penalties.size)), np.zeros(_BLOCKS)
        for start in range(0, rows, _ROWS):
            part = slice(start, start + _ROWS)
            left = self._left(part)
            leverage = left**2
            residual = (left * self.projections) @ shrunk
            kept = leverage @ shrunk  # 1 - h
            if not complete:
                residual += (self.target[part] - left @ self.projections)[:, None]
                kept += np.maximum(0.0, self.samples / rows - leverage.sum(1))[:, None]
            block = np.arange(start, start + left.shape[0]) % _BLOCKS
            np.add.at(sums, block, (residual / kept) ** 2)
            np.add.at(count, block, 1.0)
        used = count > 0
        return (sums[used] / count[used, None]).T * (count[used] / count[used].mean())

    def _left(self, part: slice) -> Array:
        """Rows of the left singular vectors."""
        if self.dual:
            return self.directions[part]
        return self.inputs[part] @ (self.directions / np.sqrt(self.samples * self.squares))


def decompose(x: Array, y: Array, samples: int) -> Sample:
    """Eigendecompose the smaller of the two Gram matrices of centred data."""
    n, features = x.shape
    dual = n < features
    _check_memory(min(n, features), n, features)
    gram = x @ x.T if dual else x.T @ x
    squares, vectors = scipy.linalg.eigh(gram / samples, overwrite_a=True, driver="evd")
    keep = np.flatnonzero(squares > _NEGLIGIBLE * squares[-1] * max(1.0, gram.shape[0] / 100))[::-1][:samples]
    squares, vectors = squares[keep], vectors[:, keep]
    components = vectors.T @ (y if dual else x.T @ y)
    if not dual:
        components = components / np.sqrt(samples * squares)
    return Sample(x, y, squares, samples, vectors, components, dual)


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
class Resolved:
    """Population functions at the effective ridges that a sample resolves, in increasing kappa."""

    penalty: Array
    kappa: Array
    fitted: Array  # df1
    spare: Array  # 1 - rho at n samples
    residual: Array  # B + sigma^2
    residual_error: Array  # its standard error
    blocks: Array  # as many stand-ins for independent measurements of it


def resolve(sample: Sample) -> Resolved:
    """Evaluate the population functions on penalties spread evenly in log."""
    low, high = 1e-2 * sample.squares[-1], 1e2 * sample.squares[0]
    penalty = np.exp(np.linspace(np.log(low), np.log(high), 2 + int(_ROWS_PER_E * np.log(high / low))))
    zeros = sample.samples - sample.rank
    inverse = 1 / (sample.squares + penalty[:, None])
    kappa = sample.samples / (inverse.sum(1) + zeros / penalty)
    shares, rest = kappa[:, None] * inverse, kappa / penalty  # no units, whose powers could overflow
    second = (shares**2).sum(1) + zeros * rest**2
    spare = sample.samples / second
    # errors on new data, less what the error of the intercept adds to them
    rows = sample.target.size
    blocks = sample.left_out(penalty) * spare[:, None] / (1 + (rows - sample.samples) / rows)
    residual = blocks.mean(1)
    # rows share a fit, so that their errors are not independent: for Gaussian data the variance of their mean is that
    # of sum c/(l + lambda)^2, c the squared components of y, larger than 1/n by what unequal summands cost
    fourth = (shares**4).sum(1) + zeros * rest**4
    shared = np.sqrt(sample.samples * fourth) / second
    blocks = residual[:, None] + shared[:, None] * (blocks - residual[:, None])
    return Resolved(
        penalty,
        kappa,
        sample.samples * (1 - penalty / kappa) if zeros == 0 else _fitted(sample, penalty, kappa),
        spare,
        residual,
        blocks.std(1, ddof=1) / np.sqrt(blocks.shape[1]),
        blocks,
    )


def _fitted(sample: Sample, penalty: Array, kappa: Array) -> Array:
    # n (1 - lambda/kappa) = sum l/(l + lambda), without the cancellation at small penalties
    return (sample.squares / (sample.squares + penalty[:, None])).sum(1)


def spectrum_of(sample: Sample, resolved: Resolved) -> tuple[Array, Array]:
    """Population eigenvalues (decreasing) and their multiplicities, by non-negative least squares on df1."""
    atoms = _candidates(sample, resolved.kappa)
    # relative residuals of df1 and one row for the trace, which is unbiased
    rows = atoms / (atoms + resolved.kappa[:, None]) / resolved.fitted[:, None]
    rows = np.vstack([rows, atoms / sample.squares.sum()])
    count = _non_negative(rows, np.ones(rows.shape[0]))
    kept = count > 1e-9 * count.sum()
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


def signal_of(atoms: Array, resolved: Resolved, residual: Array) -> tuple[Array, float]:
    """Signal on each eigenvalue and noise, by non-negative least squares on B + sigma^2.

    Penalties of small test error count most, so that where no such population fits (inputs with heavy tails) the best
    penalty is still that of the data. Maximum likelihood of the components of y would do better on Gaussian data with
    fewer samples than dimensions, and much worse on images, whose components have other tails.
    """
    error = resolved.residual / resolved.spare  # what a fit at this penalty costs, at n samples
    weight = (error.min() / error) ** 2 / np.maximum(resolved.residual_error, 1e-12 * resolved.residual.max())
    columns = (resolved.kappa[:, None] / (atoms + resolved.kappa[:, None])) ** 2
    rows = np.column_stack([columns, np.ones(residual.size)]) * weight[:, None]
    found = _non_negative(rows, residual * weight)
    return found[:-1], float(found[-1])


def _non_negative(rows: Array, target: Array) -> Array:
    scale = np.sqrt((rows**2).sum(0))
    try:
        return nnls(rows / scale, target, maxiter=30 * rows.shape[1])[0] / scale
    except RuntimeError:
        raise ConvergenceError(
            "The non-negative least squares behind the population spectrum did not finish."
        ) from None


def population(sample: Sample) -> tuple[Spectrum, float, float, Resolved]:
    """Spectrum with its signal, number of dimensions, noise, and the functions they were fitted to."""
    resolved = resolve(sample)
    atoms, count = spectrum_of(sample, resolved)
    signal, noise = signal_of(atoms, resolved, resolved.residual)
    return Spectrum(atoms, count / count.sum(), signal), float(count.sum()), noise, resolved


def resampled(resolved: Resolved, atoms: Array, times: int, seed: int) -> tuple[Array, Array]:
    """Signals (one row each) and noises refitted to reweighted rows: the Bayesian bootstrap (Rubin 1981)."""
    random = np.random.default_rng(seed)
    weights = random.exponential(1.0, (times, resolved.blocks.shape[1]))
    weights /= weights.sum(1, keepdims=True)
    found = [signal_of(atoms, resolved, resolved.blocks @ weight) for weight in weights]
    return np.array([signal for signal, _ in found]).reshape(times, atoms.size), np.array(
        [noise for _, noise in found]
    )
