"""Spectra of your own matrices: noise and what stands above it.

fitting      `fit`: noise, ratio, components with p-values, spikes, overlaps
cleaning     `clean`: covariance matrices with better eigenvalues, and their risk
estimators   `CleanedCovariance`: the same as a scikit-learn estimator
outliers     `bbp`: where a population eigenvalue shows; `gavish_donoho`: when a singular value is worth keeping
edge_laws    `tracy_widom`: laws of the largest eigenvalue, by Fredholm determinants
predicting   `predict`
stacks       dense layers at infinite width: the law of their Jacobian, the trace of their Hessian
formulas     edges and threshold, compiled in one place
reading      tables and eigenvalues as they are handed in
"""

from __future__ import annotations

from typing import Any

from widelimit.numerics.spectra.cleaning import Cleaned, clean
from widelimit.numerics.spectra.edge_laws import TracyWidom, tracy_widom
from widelimit.numerics.spectra.fitting import SpectrumFit, fit
from widelimit.numerics.spectra.outliers import Outlier, bbp, gavish_donoho
from widelimit.numerics.spectra.predicting import SpectrumSummary, SpikePrediction, predict

__all__ = [
    "Cleaned",
    "Outlier",
    "SpectrumFit",
    "SpectrumSummary",
    "SpikePrediction",
    "TracyWidom",
    "bbp",
    "clean",
    "fit",
    "gavish_donoho",
    "predict",
    "tracy_widom",
]


def __getattr__(name: str) -> Any:
    if name == "CleanedCovariance":  # the only one that needs scikit-learn
        from widelimit.numerics.spectra.estimators import CleanedCovariance

        return CleanedCovariance
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
