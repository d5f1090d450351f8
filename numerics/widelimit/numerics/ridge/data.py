"""Ridge theory of a data set: its population estimated, its learning curve and best penalty predicted.

    read       matrix, frame or file -> numbers, with every complaint that a table can earn (tables)
    decompose  one eigendecomposition of the smaller Gram matrix                          (sample)
    population covariance eigenvalues, signal on each and noise, free of sampling bias     (sample)
    solve      test error for any number of samples and penalty; the best penalty          (ridge_solve, ridge_penalty)

Nothing is fitted twice: the error on each row of the fit to the others follows from the one fit. Beyond that the theory
assumes that only the joint second moments of inputs and target matter (Gaussian equivalence): on digits, their random
features and their products, predictions for other numbers of samples are within about five per cent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.ridge import kernel, serial
from widelimit.numerics.ridge.penalty import optimal_penalty
from widelimit.numerics.ridge.posterior import Population, draws
from widelimit.numerics.ridge.rows import observations
from widelimit.numerics.ridge.sample import Sample, centred, decompose, refuse_extremes
from widelimit.numerics.ridge.solving import solved
from widelimit.numerics.ridge.spectrum import Spectrum
from widelimit.numerics.ridge.tables import Loaded, load
from widelimit.theory.errors import ArgumentError

if TYPE_CHECKING:
    import xarray

Array = np.ndarray
_NO_FIT = 1e12  # of the largest eigenvalue: the penalty that stands for an infinite one


@by_value
@dataclass(frozen=True)
class DataTheory:
    """The population behind a data set, and what ridge regression will do on it.

    samples, features, rank: of the data (rank after centring); copies of a row, of which there are `copies`, are no
    samples (`rows`). eigenvalues, multiplicities, signal: of the population covariance, decreasing. noise:
    label-noise variance, with everything that is not linear in the inputs or not resolved by so few samples; signal
    and noise are means over all that the data leave possible (`posterior`), and so the noise is never estimated
    to be nothing because it could be little. penalty: the best lambda for this many samples (scikit-learn's `alpha`
    is samples times this) by relative errors over all that is possible (`posterior`); infinite where the data
    show no signal and the best fit is none. test_error, unexplained: predicted with it. Fewer than 18 rows cannot tell
    their own variance within a factor of four, and what is predicted from them is cautious: 11 times the mean at 5
    rows, twice at 10 (`posterior.Population.caution`). test_error_interval: holds the error of the fit with a chance of
    95 per cent or more (measured: 92 to 100 per cent). Standard errors come from populations drawn from those possible.
    dependence: chance that independent rows have such errors in such an order; `rows_independent` is False below one in
    a thousand.
    """

    samples: int
    features: int
    rank: int
    penalty: float
    test_error: float
    unexplained: float
    noise: float
    eigenvalues: Array
    multiplicities: Array
    signal: Array
    constant_features: tuple[int, ...]
    intercept: bool
    sample: Sample = field(repr=False)
    population: Population = field(repr=False)
    test_error_interval: tuple[float, float] = (0.0, math.inf)
    copies: int = 0
    dependence: float = 1.0
    redrawn: int = 64
    seed: int = 0

    @cached_property
    def _draws(self) -> tuple[Array, Array]:
        resolved = self.population.resolved
        return draws(self.population.posteriors[0], resolved, resolved.levels[0], self.redrawn, self.seed)

    @property
    def rows_independent(self) -> bool:
        """Whether nothing speaks against independent rows, as all predictions take them to be."""
        return self.dependence >= serial.FALSE_ALARM

    @property
    def spectrum(self) -> Spectrum:
        """The population spectrum with its signal, for `solve`, `learning_curve`, `phase_transitions` ..."""
        return Spectrum(self.eigenvalues, self.multiplicities / self.multiplicities.sum(), self.signal)

    @property
    def eigenvalue_standard_errors(self) -> Array:
        """``s sqrt(2/(n multiplicity))``, the sampling error of a group of eigenvalues well apart from the others."""
        return self.eigenvalues * np.sqrt(2 / (self.sample.samples * np.maximum(self.multiplicities, 1.0)))

    @property
    def noise_standard_error(self) -> float:
        """Standard error of `noise`."""
        return float(self._draws[1].std(ddof=1))

    @property
    def signal_standard_error(self) -> float:
        """Standard error of the total signal variance: of the variance of y (Gaussian) and of `noise`."""
        total = float(self.signal.sum()) + self.noise
        return float(np.hypot(total * np.sqrt(2 / self.sample.samples), self.noise_standard_error))

    @property
    def test_error_standard_error(self) -> float:
        """Standard error of `test_error`."""
        return float(self.learning_curve(penalty=self.penalty).test_error_standard_error.item())

    @property
    def penalty_interval(self) -> tuple[float, float]:
        """Interval of best penalties between the 16th and the 84th percentile of possible populations."""
        found = []
        for signal, noise in zip(*self._draws, strict=True):
            spectrum = Spectrum(self.eigenvalues, self.spectrum.weights, signal)
            found.append(
                optimal_penalty(spectrum, noise=noise, sample_ratio=self.ratio(self.samples)).penalty
            )
        best = (
            np.sort(found) * self.sample.samples / self.samples
        )  # infinite ones are not interpolated between
        last = best.size - 1
        return float(best[math.floor(0.16 * last)]), float(best[math.ceil(0.84 * last)])

    def best_penalty(self, samples: ArrayLike) -> Any:
        """Best penalty for training sets of these sizes."""
        number = arguments.real("samples", samples)
        best = self.population.penalty(self.ratio(number))
        return arguments.scalar(np.asarray(best * (number - self.intercept) / number))

    def ratio(self, samples: ArrayLike) -> Any:
        """Samples (less one for the intercept) per population dimension."""
        number = arguments.real("samples", samples)
        least = 2 if self.intercept else 1
        if (number < least).any():
            raise ArgumentError("samples", f"must be at least {least}", float(number.min()))
        return arguments.scalar((number - self.intercept) / self.multiplicities.sum())

    def _above_the_edge(self, number: Array, penalty: Array) -> None:
        """Refuse penalties below the edge in the caller's terms: his samples and his penalty."""
        least = float(penalty.min())
        if least >= 0:
            return
        spectrum = self.spectrum
        inside = np.atleast_1d(self.ratio(number)) / spectrum.rank_fraction
        edge = kernel.edges(spectrum.eigenvalues, spectrum.weights, inside)[1]
        edge = edge * (number - self.intercept) / number
        if least <= edge.max():
            worst = int(edge.argmax())
            where = f"must be above the spectral edge {edge[worst]:.9g} of {number[worst]:g} samples"
            raise ArgumentError("penalty", where, least)

    def learning_curve(
        self, *, samples: ArrayLike | None = None, penalty: ArrayLike | None = None
    ) -> xarray.Dataset:
        """Predict errors on a grid of training-set sizes and penalties (default: this data set's, the best).

        A dataset over `samples` and `penalty` with `test_error`, its standard error, `training_error`, `unexplained`,
        `effective_ridge`, `bias`, `variance` and `resolved`: whether the data resolve the effective ridge reached
        there; where they do not (more samples and less penalty than they can speak about) errors are extrapolated.
        """
        from widelimit.numerics.labelled import Labelled

        number = np.atleast_1d(arguments.real("samples", self.samples if samples is None else samples))
        given = self.penalty if penalty is None else penalty
        lam = np.atleast_1d(arguments.real("penalty", given, infinite=True))
        inside = np.atleast_1d(self.ratio(number))
        # the intercept leaves N - 1 samples, in whose normalisation the same loss has the penalty lambda N/(N - 1)
        effective = lam[None, :] * (number / (number - self.intercept))[:, None]
        none = np.isposinf(effective)  # no fit at all, to rounding
        effective = np.where(none, _NO_FIT * self.eigenvalues[0] * (1 + 1 / inside[:, None]), effective)
        ratio, grid = np.broadcast_arrays(inside[:, None], arguments.finite("penalty", effective))
        self._above_the_edge(number, lam)
        values = solved(self.spectrum, np.full(ratio.shape, self.noise), ratio, grid)
        # the mean of N samples adds E/N: for Gaussian data it is independent of the fit
        own = self.population.caution * (1 + self.intercept / number)[:, None]
        kappa = values["effective_ridge"]
        values["effective_ridge"] = np.where(none, np.inf, kappa)
        missing = (kappa[..., None] / (self.eigenvalues + kappa[..., None])) ** 2
        draws = (missing @ self._draws[0].T + self._draws[1]) / (1 - values["rho"])[..., None]
        floor = self.population.resolved.kappa[0] if self.rank >= self.sample.samples else -np.inf
        kept = ("training_error", "effective_ridge", "bias", "variance")
        data = {
            "test_error": own * values["test_error"],
            "test_error_standard_error": own * draws.std(-1, ddof=1),
            "unexplained": own * values["unexplained"],
            **{name: values[name] for name in kept},
            "resolved": kappa >= floor * (1 - 1e-6),
        }
        axes = ("samples", "penalty")
        return Labelled(
            {name: (axes, np.array(value)) for name, value in data.items()},
            coords={"samples": number, "penalty": lam},
            attrs={"noise": self.noise, "features": self.features},
        )


def from_data(
    X: Any,
    y: Any = None,
    *,
    target: str | int | None = None,
    intercept: bool = True,
    standardize: bool = False,
    redrawn: int = 64,
    seed: int = 0,
) -> DataTheory:
    """Estimate the population behind inputs `X` (samples x features) and targets `y`; predict its learning curve.

    `X`: an array, a pandas frame, or the path of a file (text of any dialect, ``.gz`` too, ``.npy``, ``.npz`` or
    ``.parquet``; a first column that only names the rows is left out, `files.text`). `y`: targets, or the path of their
    file; without it, `target` names the column of `X` that holds them (default: the last). `standardize` divides
    features by their standard deviation first; penalties and eigenvalues then refer to the divided ones.
    `redrawn` populations that the data leave possible (seed `seed`) give the standard errors. Rows must be independent:
    a `DependenceWarning` tells where errors on neighbouring rows resemble each other, and copies count as one row.

    Raises `ArgumentError` for fewer than three samples, X and y of different length, text, missing or infinite
    entries, a constant target, features that are all constant (single constant ones are set aside and listed), and for
    a Gram matrix larger than the free memory (the message says how large).

    >>> random = np.random.default_rng(0)
    >>> X = random.standard_normal((4000, 20)); y = X[:, 0] + 0.5 * random.standard_normal(4000)
    >>> theory = from_data(X, y)
    >>> abs(theory.noise - 0.25) < 3 * theory.noise_standard_error
    True
    """
    intercept = arguments.flag("intercept", intercept)
    standardize = arguments.flag("standardize", standardize)
    data = load(X, y, target)
    draws = arguments.count("redrawn", redrawn, 2), arguments.count("seed", seed, 0)
    sample, constant, copies = _decomposed(data, intercept, standardize, "X")
    theory = _theory(sample, intercept, constant, copies, *draws)
    serial.warn(theory.dependence, stacklevel=2)
    return theory


def from_file(path: str, target: str | None, standardize: bool) -> DataTheory:
    """`from_data` for the command line, where the file is called `data`."""
    standardize = arguments.flag("standardize", standardize)
    sample, constant, copies = _decomposed(load(path, None, target, "data"), True, standardize, "data")
    theory = _theory(sample, True, constant, copies, 64, 0)
    serial.warn(theory.dependence, stacklevel=2)
    return theory


def _decomposed(
    data: Loaded, intercept: bool, standardize: bool, name: str
) -> tuple[Sample, tuple[int, ...], int]:
    """Set copies of rows aside, centre, drop constant features and eigendecompose."""
    x, y = data.inputs, data.targets
    target = "y" if data.column is None else "target"
    rows = observations(x, y)
    copies = x.shape[0] - rows.kept.size
    x, y = x[rows.kept], y[rows.kept]
    if x.shape[0] < 3:
        some = f" and {copies} copies" if copies else ""
        raise ArgumentError(name, "must have at least three samples", but=f"has {x.shape[0]}{some}")
    if np.ptp(y) == 0 and (intercept or not y.any()):
        what = "is constant" if data.column is None else f"column {data.column} is constant"
        raise ArgumentError(target, "must vary", but=what)
    x, y = centred(x, rows.weight, intercept)[0], centred(y, rows.weight, intercept)[0]
    refuse_extremes(name, x)
    refuse_extremes(target, y)
    spread = np.sqrt((x**2).mean(0))
    varies = spread > 1e-13 * spread.max(initial=0.0)
    if not varies.any():
        raise ArgumentError(name, "must have a feature that varies", but="has constant features only")
    if standardize:
        x = x / np.where(varies, spread, 1.0)
    sample = decompose(x, y, x.shape[0] - intercept, rows.weight)
    return sample, tuple(np.flatnonzero(~varies).tolist()), copies


def _theory(
    sample: Sample, intercept: bool, constant: tuple[int, ...], copies: int, redrawn: int, seed: int
) -> DataTheory:
    population = Population.of(sample)
    spectrum, noise = population.spectrum(), population.posteriors[0].noise
    best = population.choice()
    own = sample.grown
    return DataTheory(
        samples=sample.samples + intercept,
        features=sample.features,
        rank=sample.rank,
        penalty=best.penalty * sample.samples / (sample.samples + intercept),
        test_error=own * best.test_error,
        unexplained=own * best.unexplained,
        noise=noise,
        eigenvalues=spectrum.eigenvalues,
        multiplicities=population.multiplicities,
        signal=spectrum.signal,
        constant_features=constant,
        intercept=intercept,
        sample=sample,
        population=population,
        test_error_interval=population.interval(own * best.test_error, best.effective_ridge),
        copies=copies,
        dependence=serial.dependence(sample, [best.penalty]),
        redrawn=redrawn,
        seed=seed,
    )
