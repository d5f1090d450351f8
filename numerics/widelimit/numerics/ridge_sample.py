"""What a data set says about its own population, free of the bias of sample eigenvalues.

One eigendecomposition of the Gram matrix ``K = X X^T/n`` gives, at every penalty,

    kappa = 1/(tr(K + lambda)^-1/n)            effective ridge                     (Marchenko-Pastur)
    df1   = n (1 - lambda/kappa)               population degrees of freedom at kappa
    B + sigma^2 = sum c_i/(l_i + lambda)^2 / sum 1/(l_i + lambda)^2, c_i = (v_i.y)^2   (cross-validation times 1 - rho)

for the population, not the sample, down to the kappa that n samples resolve. A covariance spectrum is then the
non-negative measure whose df1 agrees at all kappa (a convex problem), the signal on it and the noise the non-negative
numbers whose B + sigma^2 agree. Signal on eigenvalues far below the resolved kappa acts as noise and is counted there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.optimize import nnls

from widelimit.numerics.ridge_spectrum import Spectrum
from widelimit.theory.errors import ArgumentError, ConvergenceError

Array = np.ndarray
_NEGLIGIBLE = 1e-11  # of the largest sample eigenvalue: rounding of a zero
_ROWS_PER_E = 6  # fitted effective ridges per factor e
_ATOMS_PER_E = 8  # candidate eigenvalues per factor e
_SPIKES = 24  # largest sample eigenvalues that get a candidate of their own


@dataclass(frozen=True, eq=False)
class Sample:
    """Centred data in the eigenbasis of its Gram matrix: all that ridge regression and its theory use of it.

    `squares` l_i > 0: eigenvalues of ``X^T X/n``, decreasing. `powers` c_i: squared components of y on the
    left singular
    vectors. `samples` n: degrees of freedom left by the intercept. `rest`: squared norm of y outside the span of X.
    """

    squares: Array
    powers: Array
    samples: int
    features: int
    rest: float
    directions: Array  # right singular vectors as columns, or left ones where `dual`
    projections: Array  # u_i.y, with sign
    dual: bool

    @property
    def rank(self) -> int:
        """Number of non-zero sample eigenvalues."""
        return self.squares.size

    def weights(self, x: Array, penalty: float) -> Array:
        """Ridge weights of the centred features `x` at this penalty."""
        root = np.sqrt(self.samples * self.squares)
        gain = self.projections * root / (self.samples * (self.squares + penalty))
        return x.T @ (self.directions @ (gain / root)) if self.dual else self.directions @ gain


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
    powers = components**2
    rest = max(0.0, float(y @ y - powers.sum())) if squares.size < samples else 0.0
    return Sample(squares, powers, samples, features, rest, vectors, components, dual)


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


@dataclass(frozen=True, eq=False)
class Resolved:
    """Population functions at the effective ridges that a sample resolves, in increasing kappa."""

    penalty: Array
    kappa: Array
    fitted: Array  # df1
    spare: Array  # 1 - rho at n samples
    residual: Array  # B + sigma^2
    residual_error: Array  # its standard error, from Gaussian components of y
    mixing: Array  # residual = mixing @ (powers, rest/zeros): rows add up to 1


def resolve(sample: Sample) -> Resolved:
    """Evaluate the population functions on penalties spread evenly in log."""
    low, high = 1e-2 * sample.squares[-1], 1e2 * sample.squares[0]
    penalty = np.exp(np.linspace(np.log(low), np.log(high), 2 + int(_ROWS_PER_E * np.log(high / low))))
    zeros = sample.samples - sample.rank
    inverse = 1 / (sample.squares + penalty[:, None])
    kappa = sample.samples / (inverse.sum(1) + zeros / penalty)
    second = (inverse**2).sum(1) + zeros / penalty**2
    mixing = np.column_stack([inverse**2, zeros / penalty**2]) / second[:, None]
    powers = np.append(sample.powers, sample.rest / zeros if zeros else 0.0)
    # the powers are m chi^2_1, of variance 2 m^2 = (2/3) E c^2; the zeros share one power of many degrees of freedom
    spread = 2 / 3 * powers**2
    spread[-1] = 2 * powers[-1] ** 2 / zeros if zeros else 0.0
    return Resolved(
        penalty,
        kappa,
        sample.samples * (1 - penalty / kappa) if zeros == 0 else _fitted(sample, penalty, kappa),
        sample.samples / (kappa**2 * second),
        mixing @ powers,
        np.sqrt(mixing**2 @ spread),
        mixing,
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
        shifted = (
            (1 / (own - others)).sum() + zeros / own
        ) / sample.samples  # 1/kappa at penalty -l_k without l_k
        if shifted * own > 0.5 and np.isfinite(shifted):
            spikes.append(1 / shifted)
    return np.unique(np.concatenate([grid, spikes]))[::-1]


def signal_of(atoms: Array, resolved: Resolved, residual: Array) -> tuple[Array, float]:
    """Signal on each eigenvalue and noise, by non-negative least squares on B + sigma^2.

    Maximum likelihood of the single powers does better on Gaussian data with fewer samples than dimensions, and much
    worse on images, whose powers have other tails: averages over many of them do not care.
    """
    weight = 1 / np.maximum(resolved.residual_error, 1e-12 * resolved.residual.max())
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


def resampled(sample: Sample, resolved: Resolved, atoms: Array, times: int, seed: int) -> tuple[Array, Array]:
    """Signals (one row each) and noises refitted to redrawn components of y.

    Each power c_i is multiplied by a gamma variable of mean 1 and variance 2/3, so that it varies as a Gaussian
    component of unknown variance does: E c^2 = 3 m^2 makes that 2 m^2 on average.
    """
    random = np.random.default_rng(seed)
    zeros = sample.samples - sample.rank
    powers = np.append(sample.powers, sample.rest / zeros if zeros else 0.0)
    draws = random.gamma(1.5, 2 / 3, (times, powers.size))
    if zeros:
        draws[:, -1] = random.chisquare(zeros, times) / zeros
    found = [signal_of(atoms, resolved, resolved.mixing @ (powers * draw)) for draw in draws]
    return np.array([signal for signal, _ in found]).reshape(times, atoms.size), np.array(
        [noise for _, noise in found]
    )
