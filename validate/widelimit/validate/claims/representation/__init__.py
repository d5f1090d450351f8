"""Claims about spectra of representations.

crossvalidation  cross-validated PCA: its bias, one direction, the corrected exponent
spectra          kernels on spheres, smoothness, few stimuli
"""

from widelimit.validate.claims.representation import crossvalidation, spectra

CLAIMS = (*spectra.CLAIMS, *crossvalidation.CLAIMS)
