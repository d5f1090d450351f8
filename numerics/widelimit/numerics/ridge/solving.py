"""Effective ridge, errors and their parts: `solve` for points, `learning_curve` for labelled grids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.ridge import kernel
from widelimit.numerics.ridge.spectrum import Spectrum
from widelimit.numerics.ridge.status import BELOW_EDGE, CERTIFIED
from widelimit.theory.errors import ArgumentError, ConvergenceError

if TYPE_CHECKING:
    import xarray

_REMOTE = 1e40  # of the largest eigenvalue: an effective ridge above which nothing is learnt, to rounding
_NOTHING = 1e-300  # of the same: a penalty that is none


@by_value
@dataclass(frozen=True)
class RidgeSolution:
    """What ridge regression does at each sample ratio and penalty: floats, or arrays of the shape of the arguments.

    penalty: as given. effective_ridge: kappa, the penalty that would shrink the population covariance as much.
    test_error: mean squared error on new data, label noise included; `unexplained` is the same over the total label
    variance. test_error = noise + bias + variance, variance = variance_of_inputs + variance_of_noise.
    degrees_of_freedom: df1/P, the fraction of (non-zero) dimensions that are fitted. rho: df2/N, 1 at a peak.
    interpolates: the training error is zero. overdetermined: more samples than non-zero dimensions.
    steps: sums over the spectrum that the certified root took.
    """

    penalty: Any
    effective_ridge: Any
    test_error: Any
    training_error: Any
    unexplained: Any
    bias: Any
    variance: Any
    variance_of_inputs: Any
    variance_of_noise: Any
    degrees_of_freedom: Any
    rho: Any
    interpolates: Any
    overdetermined: Any
    steps: Any


def solve(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    signal: ArrayLike | None = None,
    noise: ArrayLike = 0.0,
    *,
    sample_ratio: ArrayLike,
    penalty: ArrayLike = 0.0,
) -> RidgeSolution:
    """Errors of ridge regression in high dimension with this covariance spectrum and target.

    ``lambda = kappa (1 - df1/N)``, ``E = (B + sigma^2)/(1 - rho)``, ``B = sum_j u_j (kappa/(s_j + kappa))^2``,
    ``df1 = sum s/(s + kappa)``, ``rho = sum (s/(s + kappa))^2/N`` over the P dimensions
    (Mel & Ganguli 2021; `theory.ridge.derive("test-error")`).

    `eigenvalues`: distinct covariance eigenvalues, or a `Spectrum` (densities, mixtures, power laws). `weights`: the
    fraction of dimensions at each (default equal). `signal`: the total signal variance carried by each eigenvalue.
    `noise`: the label-noise variance. `sample_ratio`: N/P, P counting dimensions of eigenvalue zero too. `penalty`:
    lambda of the loss ``(1/N) sum of squares + lambda |w|^2``, down to the (negative) spectral edge; scikit-learn's
    `alpha` is N lambda. `noise`, `sample_ratio` and `penalty` broadcast.

    Every root is bracketed and its residual is at rounding level; otherwise `ConvergenceError`. `ArgumentError` for
    bad spectra and for a penalty at or below the edge, which the message names. At sample_ratio 1 and penalty 0 the
    test error is infinite if there is noise.

    >>> point = solve([1, 0.01], [0.1, 0.9], signal=[1, 0], noise=0.1, sample_ratio=0.5, penalty=0.0)
    >>> round(point.effective_ridge, 6), round(point.test_error, 6), point.interpolates
    (0.012431, 0.223981, True)
    """
    spectrum = with_signal(eigenvalues, weights, signal)
    sigma2, ratio, lam = arguments.broadcast(
        noise=arguments.non_negative("noise", noise),
        sample_ratio=arguments.positive("sample_ratio", sample_ratio),
        penalty=arguments.finite("penalty", penalty),
    )
    values = solved(spectrum, sigma2, ratio, lam)
    return RidgeSolution(penalty=_plain(lam), **{name: _plain(value) for name, value in values.items()})


def with_signal(
    eigenvalues: ArrayLike | Spectrum, weights: ArrayLike | None, signal: ArrayLike | None
) -> Spectrum:
    """Make a spectrum; a list of eigenvalues needs a signal."""
    if signal is None and not isinstance(eigenvalues, Spectrum):
        help = "Pass the total signal variance carried by each eigenvalue."
        raise ArgumentError("signal", "must be given", help=help, but="is missing")
    return Spectrum.of(eigenvalues, weights, signal)


def solved(
    spectrum: Spectrum, noise: np.ndarray, ratio: np.ndarray, penalty: np.ndarray
) -> dict[str, np.ndarray]:
    """Solve arrays of one shape; the keys are the fields of `RidgeSolution` but `penalty`."""
    total = spectrum.total_signal + noise
    if (total == 0).any():
        raise ArgumentError("signal", "must carry some variance where there is no noise", 0.0)
    shape, (inside, unit) = ratio.shape, spectrum.in_units()
    with np.errstate(over="ignore"):
        lam = np.where(np.abs(penalty) < _NOTHING * unit, 0.0, penalty / unit)
        flat = [
            np.ascontiguousarray(a, dtype=float).ravel() for a in (ratio / spectrum.rank_fraction, lam, noise)
        ]
        remote = (
            np.maximum(flat[1], 0.0) + inside.mean / flat[0]
        )  # kappa where it is far above all eigenvalues
    far = remote > _REMOTE
    alpha, near = np.where(far, 1.0, flat[0]), np.where(far & (flat[1] >= 0), 1.0, flat[1])
    out, status = kernel.solve_all(inside.eigenvalues, inside.weights, inside.signal, alpha, near, flat[2])
    _nothing_learnt(inside, out, status, far & (flat[1] >= 0), remote, *flat)
    _refuse(spectrum, status, flat[0], np.ravel(penalty))
    with np.errstate(over="ignore"):
        out[kernel.FIELDS.index("effective_ridge")] *= unit
    got = {name: row.reshape(shape) for name, row in zip(kernel.FIELDS, out, strict=True)}
    fitted, steps = got.pop("fitted"), got.pop("steps")
    return got | {
        "unexplained": got["test_error"] / total,
        "variance": got["variance_of_inputs"] + got["variance_of_noise"],
        "degrees_of_freedom": fitted,
        "interpolates": (penalty == 0) & (ratio < spectrum.rank_fraction),
        "overdetermined": ratio > spectrum.rank_fraction,
        "steps": steps.astype(int),
    }


def _nothing_learnt(
    spectrum: Spectrum, out: np.ndarray, status: np.ndarray, far: np.ndarray, remote: np.ndarray,
    ratio: np.ndarray, penalty: np.ndarray, noise: np.ndarray,
) -> None:  # fmt: skip
    """Fill in problems whose effective ridge is so far above all eigenvalues that nothing is learnt, to rounding."""
    total = spectrum.total_signal + noise[far]
    with np.errstate(invalid="ignore", over="ignore"):
        unfitted = np.where(np.isinf(remote[far]) & (penalty[far] > 0), 1.0, penalty[far] / remote[far])
        mean = spectrum.mean / remote[far]
        second = float(spectrum.weights @ spectrum.eigenvalues**2) / remote[far] ** 2
        values = {
            "effective_ridge": remote[far], "test_error": total, "training_error": unfitted**2 * total,
            "bias": np.full(total.shape, spectrum.total_signal), "fitted": mean,
            "rho": np.minimum(1.0, np.nan_to_num(second / ratio[far], posinf=0.0)), "steps": np.zeros(total.shape),
        }  # fmt: skip
    for name, row in zip(kernel.FIELDS, out, strict=True):
        row[far] = values.get(name, 0.0)
    status[far] = CERTIFIED


def _refuse(spectrum: Spectrum, status: np.ndarray, ratio: np.ndarray, penalty: np.ndarray) -> None:
    if (below := status == BELOW_EDGE).any():
        first = int(np.flatnonzero(below)[0])
        edge = kernel.edges(spectrum.eigenvalues, spectrum.weights, ratio[first : first + 1])[1][0]
        given = ratio[first] * spectrum.rank_fraction
        where = f"must be above the spectral edge {edge:.9g} at sample_ratio {given:.6g}"
        help = "There the smallest non-zero eigenvalue of the sample covariance cancels the penalty."
        raise ArgumentError("penalty", where, float(penalty[first]), help)
    if (status != CERTIFIED).any():
        first = int(np.flatnonzero(status != CERTIFIED)[0])
        raise ConvergenceError(
            f"No certified effective ridge at sample_ratio {ratio[first]:g}, penalty {penalty[first]:g}; "
            "eigenvalues may span more than floating point holds."
        )


def learning_curve(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    signal: ArrayLike | None = None,
    noise: float = 0.0,
    *,
    sample_ratio: ArrayLike,
    penalty: ArrayLike = 0.0,
) -> xarray.Dataset:
    """Solve on the grid of a list of sample ratios and a list of penalties; arguments as for `solve`.

    Returns a dataset with coordinates `sample_ratio` and `penalty` and the fields of `RidgeSolution` as variables.

    >>> curve = learning_curve([1.0], signal=[1.0], noise=0.1, sample_ratio=[0.5, 2.0], penalty=[0.0, 0.1])
    >>> float(curve.test_error.sel(sample_ratio=2.0, penalty=0.0))
    0.2
    """
    from widelimit.numerics.labelled import Labelled

    spectrum = with_signal(eigenvalues, weights, signal)
    ratio = np.atleast_1d(arguments.positive("sample_ratio", sample_ratio))
    lam = np.atleast_1d(arguments.finite("penalty", penalty))
    if ratio.ndim != 1 or lam.ndim != 1:
        raise ArgumentError("sample_ratio", "must be a list, as must `penalty`", but="has more dimensions")
    sigma2 = arguments.non_negative_number("noise", noise)
    grid = np.broadcast_arrays(ratio[:, None], lam[None, :])
    values = solved(spectrum, np.full(grid[0].shape, sigma2), *grid)
    axes = ("sample_ratio", "penalty")
    data = {
        name: (axes, np.ascontiguousarray(np.broadcast_to(value, grid[0].shape)))
        for name, value in values.items()
    }
    described = {
        "noise": sigma2,
        "signal": spectrum.total_signal,
        "distinct_eigenvalues": spectrum.eigenvalues.size,
    }
    return Labelled(data, coords={"sample_ratio": ratio, "penalty": lam}, attrs=described)


def _plain(value: np.ndarray) -> Any:
    return arguments.scalar(np.asarray(value))
