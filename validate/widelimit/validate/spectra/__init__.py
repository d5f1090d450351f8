"""Spectra of torch modules; with all of `numerics.spectra` beside it, so that one import is enough.

weights       `of_module`: every weight matrix against noise, with outliers
tails         power laws of eigenvalues, with interval and goodness of fit
"""

from widelimit.numerics.spectra import (
    Cleaned,
    Outlier,
    SpectrumFit,
    TracyWidom,
    bbp,
    clean,
    fit,
    gavish_donoho,
    tracy_widom,
)
from widelimit.validate.spectra.tails import PowerTail, power_tail
from widelimit.validate.spectra.weights import ModuleSpectra, WeightSpectrum, of_module

__all__ = [
    "Cleaned",
    "ModuleSpectra",
    "Outlier",
    "PowerTail",
    "SpectrumFit",
    "TracyWidom",
    "WeightSpectrum",
    "bbp",
    "clean",
    "fit",
    "gavish_donoho",
    "of_module",
    "power_tail",
    "tracy_widom",
]
