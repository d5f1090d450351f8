"""Ridge regression in high dimension: learning curves, best penalty, phases, and the same for a data set of your own.

    solve, learning_curve     errors for a spectrum, target, noise, sample ratio and penalty     (solving)
    optimal_penalty, minima   best penalty, negative where that is best; all local minima        (penalty)
    sensitivity               what more samples or another penalty would change            (derivatives)
    gradient, optimal_gradient    derivatives by noise, sample ratio and penalty              (gradients)
    peaks, phase_transitions  where the learning curve turns, the landscape splits, penalties jump (phases)
    hessian_gaps, gap_thresholds, hessian_density, hessian_share   the spectrum of the loss landscape  (gaps)
    at_samples, optimal_at_samples    means at a finite number of samples, to order 1/N        (sizes)
    random_features           ridge on random features of the inputs                            (features)
    from_data                 population and learning curve behind inputs X and targets y          (data)
    Spectrum                  densities, mixtures, power laws                                   (spectrum)
    AsymptoticRidge           a scikit-learn estimator that picks its penalty from the theory     (estimator)
    kernel, loops, terms, status      inner loops over a spectrum, from the summands that theory states
    tables, rows, serial      data as given: files and frames, copies of rows, rows in a series
    sample, posterior         what a sample tells of spectrum, signal and noise

Conventions: `theory.ridge` and `theory.ridge_conventions`. All formulas are compiled from `theory.ridge`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.ridge.data import DataTheory, from_data, from_file
from widelimit.numerics.ridge.derivatives import Sensitivity, sensitivity
from widelimit.numerics.ridge.features import FeatureSolution, feature_moments, random_features
from widelimit.numerics.ridge.gaps import (
    HessianGaps,
    gap_thresholds,
    hessian_density,
    hessian_gaps,
    hessian_share,
)
from widelimit.numerics.ridge.gradients import (
    BestPenaltyGradient,
    BestPenaltySlopes,
    RidgeGradient,
    RidgeSlopes,
    gradient,
    optimal_gradient,
)
from widelimit.numerics.ridge.penalty import BestPenalty, Minimum, minima, optimal_penalty
from widelimit.numerics.ridge.phases import Jump, Peaks, PhaseTransitions, peaks, phase_transitions
from widelimit.numerics.ridge.power import PowerLaw, power_law
from widelimit.numerics.ridge.sizes import RidgeAtSamples, at_samples, optimal_at_samples
from widelimit.numerics.ridge.solving import RidgeSolution, learning_curve, solve
from widelimit.numerics.ridge.spectrum import Spectrum
from widelimit.theory.errors import ArgumentError

__all__ = [
    "BestPenalty",
    "BestPenaltyGradient",
    "BestPenaltySlopes",
    "DataPrediction",
    "DataTheory",
    "FeatureSolution",
    "HessianGaps",
    "Jump",
    "Minimum",
    "Peaks",
    "PhaseTransitions",
    "PowerLaw",
    "RidgeAtSamples",
    "RidgeGradient",
    "RidgeSlopes",
    "RidgeSolution",
    "Sensitivity",
    "Spectrum",
    "at_samples",
    "feature_moments",
    "from_data",
    "gap_thresholds",
    "gradient",
    "hessian_density",
    "hessian_gaps",
    "hessian_share",
    "learning_curve",
    "minima",
    "optimal_at_samples",
    "optimal_gradient",
    "optimal_penalty",
    "peaks",
    "phase_transitions",
    "power_law",
    "predict",
    "random_features",
    "sensitivity",
    "solve",
]  # fmt: skip

_CURVE_POINTS = 12  # training-set sizes of a predicted learning curve


@by_value
@dataclass(frozen=True)
class DataPrediction:
    """What the theory says about a data set.

    samples, features, rank: of the data; copies: rows equal to others, which are not counted. penalty: the best one for
    this many samples, alpha what scikit-learn's Ridge calls it (samples times penalty). test_error (with its standard
    error) and unexplained: predicted with it. best_error_low, best_error_high: at the best penalty the error lies
    between them with a chance of 95 per cent. rows_independent: whether rows look independent in their order, as all of
    this takes them to be (also False where they are merely sorted).
    noise, signal: estimated label-noise and signal variance. curve_samples, curve_penalty, curve_test_error,
    curve_standard_error: the learning curve, at the best penalty for each number of samples or at the one given.
    """

    samples: int
    features: int
    rank: int
    penalty: float
    alpha: float
    test_error: float
    test_error_standard_error: float
    unexplained: float
    best_error_low: float
    best_error_high: float
    copies: int
    rows_independent: bool
    noise: float
    noise_standard_error: float
    signal: float
    signal_standard_error: float
    curve_samples: tuple[int, ...]
    curve_penalty: tuple[float, ...]
    curve_test_error: tuple[float, ...]
    curve_standard_error: tuple[float, ...]


def predict(
    *,
    data: str | None = None,
    target: str | None = None,
    eigenvalues: list[float] | None = None,
    weights: list[float] | None = None,
    signal: list[float] | None = None,
    noise: float = 0.0,
    sample_ratio: float | None = None,
    penalty: float | None = None,
    samples: list[int] | None = None,
    standardize: bool = False,
) -> RidgeSolution | DataPrediction:
    """Predict ridge regression: for a data file, or for a covariance spectrum.

    Parameters
    ----------
    data
        A file: one row a sample. Predicts its learning curve and its best penalty.
        Text (.csv, .tsv, .txt, also .gz) of any separator, with a line of names or not; .npy, .npz or .parquet.
    target
        The column to be predicted: its name, or its number (from 0) where columns have none. The last if left out.
    eigenvalues
        Without data: the distinct covariance eigenvalues.
    weights
        The fraction of dimensions at each eigenvalue. Equal if left out.
    signal
        The signal variance that each eigenvalue carries in all.
    noise
        The variance of the label noise.
    sample_ratio
        Samples per dimension, N/P.
    penalty
        lambda of the loss (1/N) sum of squares + lambda |w|^2. The best one if left out.
    samples
        With data: the training-set sizes of the learning curve. Up to the size of the data if left out.
    standardize
        With data: divide every feature by its standard deviation first.
    """
    if data is not None:
        if eigenvalues is not None or sample_ratio is not None:
            raise ArgumentError(
                "data", "must be left out where `eigenvalues` or `sample_ratio` are given", data
            )
        return _predict_data(data, target, penalty, samples, standardize)
    if eigenvalues is None or sample_ratio is None:
        help = "Pass a data file, or eigenvalues, signal and sample_ratio."
        missing = "eigenvalues" if eigenvalues is None else "sample_ratio"
        raise ArgumentError(missing, "must be given where `data` is not", help=help, but="is missing")
    if penalty is None:
        penalty = optimal_penalty(eigenvalues, weights, signal, noise, sample_ratio=sample_ratio).penalty
        if not np.isfinite(penalty):
            raise ArgumentError("signal", "must carry some variance for a best penalty to exist", 0.0)
    return solve(eigenvalues, weights, signal, noise, sample_ratio=sample_ratio, penalty=penalty)


def _predict_data(
    data: str, target: str | None, penalty: float | None, samples: list[int] | None, standardize: bool
) -> DataPrediction:
    theory = from_file(data, target, standardize)
    lowest = min(theory.samples, max(4, theory.samples // 64))
    default = np.unique(np.geomspace(lowest, theory.samples, _CURVE_POINTS).round().astype(int))
    sizes = default if samples is None else np.atleast_1d(arguments.real("samples", samples))
    best = theory.best_penalty(sizes) if penalty is None else np.full(sizes.shape, float(penalty))
    rows = [theory.learning_curve(samples=n, penalty=p) for n, p in zip(sizes, best, strict=True)]
    own = theory.penalty if penalty is None else float(penalty)
    at = theory.learning_curve(penalty=own)
    return DataPrediction(
        samples=theory.samples,
        features=theory.features,
        rank=theory.rank,
        penalty=own,
        alpha=own * theory.samples,
        test_error=at.test_error.item(),
        test_error_standard_error=at.test_error_standard_error.item(),
        unexplained=at.unexplained.item(),
        best_error_low=theory.test_error_interval[0],
        best_error_high=theory.test_error_interval[1],
        copies=theory.copies,
        rows_independent=theory.rows_independent,
        noise=theory.noise,
        noise_standard_error=theory.noise_standard_error,
        signal=float(theory.signal.sum()),
        signal_standard_error=theory.signal_standard_error,
        curve_samples=tuple(int(n) for n in sizes),
        curve_penalty=tuple(float(p) for p in best),
        curve_test_error=tuple(row.test_error.item() for row in rows),
        curve_standard_error=tuple(row.test_error_standard_error.item() for row in rows),
    )


def __getattr__(name: str) -> Any:
    if name == "AsymptoticRidge":  # the only one that needs scikit-learn
        from widelimit.numerics.ridge.estimator import AsymptoticRidge

        return AsymptoticRidge
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
