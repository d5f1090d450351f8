"""Spectra of your own matrices: noise and what stands above it.

fitting      `fit`: noise, ratio, components with p-values, spikes, overlaps
outliers     `bbp`: where a population eigenvalue shows; `gavish_donoho`: when a singular value is worth keeping
edge_laws    `tracy_widom`: laws of the largest eigenvalue, by Fredholm determinants
predicting   `predict`
reading      tables and eigenvalues as they are handed in
"""

from widelimit.numerics.spectra.edge_laws import TracyWidom, tracy_widom
from widelimit.numerics.spectra.fitting import SpectrumFit, fit
from widelimit.numerics.spectra.outliers import Outlier, bbp, gavish_donoho
from widelimit.numerics.spectra.predicting import SpectrumSummary, SpikePrediction, predict

__all__ = [
    "Outlier",
    "SpectrumFit",
    "SpectrumSummary",
    "SpikePrediction",
    "TracyWidom",
    "bbp",
    "fit",
    "gavish_donoho",
    "predict",
    "tracy_widom",
]
