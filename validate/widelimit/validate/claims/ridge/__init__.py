"""Ridge regression in high dimension as falsifiable claims (Mel & Ganguli, ICML 2021).

The claims are in `errors` (errors and their parts), `curves` (peaks, alignment), `penalties` (best
penalties), `landscape` (gaps of the Hessian),
`scaling` (power laws, random features) and `real` (images and patients); figures in `gallery`, what
several use in `shared`.

Data are Gaussian with two covariance scales unless a claim says otherwise. Means over draws are off by O(1/N), which
theory knows (`ridge.at_samples`): every size is compared with its own prediction. Errors are exact averages over label
noise and signs of the target, given the inputs; those of fits to the same inputs are compared wherever a difference is
claimed.
"""

from __future__ import annotations

from widelimit.validate.claims.ridge.curves import CURVE_CLAIMS
from widelimit.validate.claims.ridge.errors import ERROR_CLAIMS
from widelimit.validate.claims.ridge.gallery import GALLERY
from widelimit.validate.claims.ridge.landscape import LANDSCAPE_CLAIMS
from widelimit.validate.claims.ridge.penalties import PENALTY_CLAIMS
from widelimit.validate.claims.ridge.real import REAL_CLAIMS
from widelimit.validate.claims.ridge.scaling import SCALING_CLAIMS

__all__ = ["CLAIMS", "GALLERY"]

CLAIMS = (*ERROR_CLAIMS, *CURVE_CLAIMS, *PENALTY_CLAIMS, *LANDSCAPE_CLAIMS, *SCALING_CLAIMS, *REAL_CLAIMS)
