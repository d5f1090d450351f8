"""Ridge regression in high dimension as falsifiable claims (Mel & Ganguli, ICML 2021).

The claims are in `ridge_errors` (errors and their parts), `ridge_curves` (peaks, alignment), `ridge_penalties` (best
penalties), `ridge_landscape` (gaps of the Hessian),
`ridge_scaling` (power laws, random features) and `ridge_real` (images and patients); figures in `ridge_gallery`.

Data are Gaussian with two covariance scales unless a claim says otherwise. Means over draws are off by
O(1/N); errors of
fits on the same draws are compared wherever a difference is claimed.
"""

from __future__ import annotations

from widelimit.validate.claims.ridge_curves import CURVE_CLAIMS
from widelimit.validate.claims.ridge_errors import ERROR_CLAIMS
from widelimit.validate.claims.ridge_gallery import GALLERY
from widelimit.validate.claims.ridge_landscape import LANDSCAPE_CLAIMS
from widelimit.validate.claims.ridge_penalties import PENALTY_CLAIMS
from widelimit.validate.claims.ridge_real import REAL_CLAIMS
from widelimit.validate.claims.ridge_scaling import SCALING_CLAIMS

__all__ = ["CLAIMS", "GALLERY"]

CLAIMS = (*ERROR_CLAIMS, *CURVE_CLAIMS, *PENALTY_CLAIMS, *LANDSCAPE_CLAIMS, *SCALING_CLAIMS, *REAL_CLAIMS)
