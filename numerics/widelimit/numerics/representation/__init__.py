"""Spectra of representations in numbers: kernels, cross-validated PCA and its bias, exponents of recordings.

spectra      kernels on spheres, the bound of smoothness, the bias of few stimuli, robustness of a readout
codes        cross-validated PCA, power-law fits, the spectral penalty
networks     spectra of the kernels of topic `kernel`: any activation, depth, biases
limit        what PCA and cross-validated PCA find on average
curve        the same, inside: integrals along a curve in the complex plane
correction   the exponent behind a recording, with an interval
recordings   `read`: two repeats from .npy, .npz and .mat files
command      `predict`, for the command line
"""

from widelimit.numerics.representation.codes import (
    CrossValidatedPCA,
    PowerLawFit,
    cvpca,
    fit_exponent,
    spectral_penalty,
)
from widelimit.numerics.representation.command import (
    ExpectedExponents,
    RecordedExponent,
    predict,
)
from widelimit.numerics.representation.correction import (
    CorrectedExponent,
    corrected,
)
from widelimit.numerics.representation.limit import (
    ExpectedPCA,
    Spike,
    expected_cvpca,
    spike,
    spike_variance,
)
from widelimit.numerics.representation.networks import kink, network_spectrum
from widelimit.numerics.representation.recordings import read
from widelimit.numerics.representation.spectra import (
    KernelSpectrum,
    circle_slope,
    gradient_growth,
    kernel_spectrum,
    robust_accuracy,
    sampling_bias,
    sampling_bias_of,
    smoothness_bound,
)

__all__ = [
    "CorrectedExponent",
    "CrossValidatedPCA",
    "ExpectedExponents",
    "ExpectedPCA",
    "KernelSpectrum",
    "PowerLawFit",
    "RecordedExponent",
    "Spike",
    "circle_slope",
    "corrected",
    "cvpca",
    "expected_cvpca",
    "fit_exponent",
    "gradient_growth",
    "kernel_spectrum",
    "kink",
    "network_spectrum",
    "predict",
    "read",
    "robust_accuracy",
    "sampling_bias",
    "sampling_bias_of",
    "smoothness_bound",
    "spectral_penalty",
    "spike",
    "spike_variance",
]
