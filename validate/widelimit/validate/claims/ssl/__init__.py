"""Non-contrastive self-supervised learning as falsifiable claims (arXiv:2102.06810, 2110.04947).

modes   conserved quantities, fixed points, times
basins  which starts survive, moving targets, alignment of eigenspaces
data    features that survive, a floor under the predictor, digits
gallery figures
"""

from __future__ import annotations

from widelimit.validate.claims.ssl.basins import BASIN_CLAIMS
from widelimit.validate.claims.ssl.data import DATA_CLAIMS
from widelimit.validate.claims.ssl.gallery import GALLERY
from widelimit.validate.claims.ssl.modes import MODE_CLAIMS

__all__ = ["CLAIMS", "GALLERY"]

CLAIMS = (*MODE_CLAIMS, *BASIN_CLAIMS, *DATA_CLAIMS)
