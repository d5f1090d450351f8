"""Spectra of torch modules; with all of `numerics.spectra` beside it, so that one import is enough.

weights       `of_module`: every weight matrix against noise, with outliers
comparing     `compare`: tangent kernel, Fisher matrix, Jacobian and Hessian of a finite module beside its limit
limits        dense layers in a row: what infinite width says of Jacobian and Hessian
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
from widelimit.validate.spectra.comparing import Comparison, compare
from widelimit.validate.spectra.limits import LimitLaw
from widelimit.validate.spectra.tails import PowerTail, power_tail
from widelimit.validate.spectra.weights import ModuleSpectra, WeightSpectrum, of_module

__all__ = [
    "Cleaned",
    "Comparison",
    "LimitLaw",
    "ModuleSpectra",
    "Outlier",
    "PowerTail",
    "SpectrumFit",
    "TracyWidom",
    "WeightSpectrum",
    "bbp",
    "clean",
    "compare",
    "fit",
    "gavish_donoho",
    "of_module",
    "power_tail",
    "tracy_widom",
]
