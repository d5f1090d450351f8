"""Claims about recurrent dynamics.

random      random ones: covariances, Lyapunov exponents, noise, rank one
networks    trained ones: canonical correlations of chance, flip-flops, lines
gallery     fixed points of a trained flip-flop; correlations of chance
"""

from widelimit.validate.claims.dynamics import networks, random
from widelimit.validate.claims.dynamics.gallery import GALLERY

CLAIMS = (*random.CLAIMS, *networks.CLAIMS)

__all__ = ["CLAIMS", "GALLERY"]
