"""Claims about recurrent dynamics.

networks    trained ones: canonical correlations of chance, flip-flops, lines
gallery     fixed points of a trained flip-flop; correlations of chance
"""

from widelimit.validate.claims.dynamics import networks
from widelimit.validate.claims.dynamics.gallery import GALLERY

CLAIMS = networks.CLAIMS

__all__ = ["CLAIMS", "GALLERY"]
