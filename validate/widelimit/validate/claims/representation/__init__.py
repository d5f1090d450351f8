"""Claims about spectra of representations.

crossvalidation  cross-validated PCA: its bias, one direction, the corrected exponent
spectra          kernels on spheres, smoothness, few stimuli
digits           a network whose spectrum is penalised
gallery          raw against corrected exponents; spectra and what is read of them
"""

from widelimit.validate.claims.representation import crossvalidation, digits, spectra
from widelimit.validate.claims.representation.gallery import GALLERY

CLAIMS = (*spectra.CLAIMS, *crossvalidation.CLAIMS, *digits.CLAIMS)

__all__ = ["CLAIMS", "GALLERY"]
