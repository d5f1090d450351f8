"""Learning rules as falsifiable claims (arXiv:2010.11765, 1312.6120, 2011.12428).

linear     trajectories of linear networks and neurons, momentum, Adam
banks      what recordings of networks tell
gallery    figures
"""

from widelimit.validate.claims.rules import banks, linear
from widelimit.validate.claims.rules.gallery import GALLERY

CLAIMS = (*linear.CLAIMS, *banks.CLAIMS)

__all__ = ["CLAIMS", "GALLERY"]
