"""`predict`: a file of samples, or single spikes, as ``widelimit predict spectra`` prints them."""

from __future__ import annotations

from dataclasses import dataclass, fields

from widelimit.numerics.results import by_value
from widelimit.numerics.spectra.fitting import LEVEL, fit
from widelimit.numerics.spectra.outliers import Outlier, bbp, gavish_donoho
from widelimit.theory.errors import ArgumentError


@by_value
@dataclass(frozen=True)
class SpectrumSummary:
    """What `fit` finds, without the eigenvalues; see `SpectrumFit`."""

    noise: float
    noise_error: float
    ratio: float
    ratio_error: float
    spread: float
    components: int
    p_values: tuple[float, ...]
    outliers: tuple[float, ...]
    spikes: tuple[float, ...]
    spike_errors: tuple[float, ...]
    overlaps: tuple[float, ...]
    next_p_value: float
    edges: tuple[float, float]
    threshold: float
    detection_limit: float
    hard_threshold: float
    samples: float
    dimensions: int


@by_value
@dataclass(frozen=True)
class SpikePrediction:
    """What becomes of one population eigenvalue in unit noise: see `Outlier`; singular_threshold: `gavish_donoho`."""

    eigenvalue: float
    overlap: float
    threshold: float
    lower_threshold: float
    deviation: float
    singular_threshold: float


def predict(
    *,
    data: str | None = None,
    eigenvalues: list[float] | None = None,
    samples: float | None = None,
    family: str = "marchenko_pastur",
    level: float = LEVEL,
    spike: float | None = None,
    ratio: float | None = None,
) -> SpectrumSummary | SpikePrediction:
    """Fit noise and components of a matrix, or predict where a population eigenvalue shows.

    Parameters
    ----------
    data
        A file: one row a sample. Text (.csv, .tsv, .txt, also .gz) with a line of names or not; .npy, .npz, .parquet.
    eigenvalues
        In place of data: all eigenvalues of a covariance matrix.
    samples
        Beside eigenvalues: degrees of freedom. Fitted if left out.
    family
        marchenko_pastur: white noise; deformed: noise with a spread of its own.
    level
        Chance with which noise alone counts as a component.
    spike
        In place of data: a population eigenvalue in unit noise.
    ratio
        Beside spike: dimensions over samples.

    >>> predict(spike=3.0, ratio=1.0).eigenvalue
    4.5
    """
    if spike is None:
        if ratio is not None:
            raise ArgumentError("ratio", "must be left out where `spike` is", ratio)
        found = fit(data, eigenvalues=eigenvalues, samples=samples, family=family, level=level)
        values = {one.name: getattr(found, one.name) for one in fields(SpectrumSummary)}
        lists = ("p_values", "outliers", "spikes", "spike_errors", "overlaps")
        return SpectrumSummary(**{**values, **{name: tuple(values[name].tolist()) for name in lists}})
    if data is not None or eigenvalues is not None or samples is not None:
        raise ArgumentError("spike", "must be left out where `data` or `eigenvalues` are given", spike)
    if ratio is None:
        raise ArgumentError("ratio", "must be given beside `spike`", but="is missing")
    one: Outlier = bbp(spike, ratio)
    return SpikePrediction(
        one.eigenvalue,
        one.overlap,
        one.threshold,
        one.lower_threshold,
        one.deviation,
        gavish_donoho(ratio),
    )
