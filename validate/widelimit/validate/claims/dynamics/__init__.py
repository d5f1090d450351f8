"""Claims about recurrent dynamics.

networks    trained ones: canonical correlations of chance, flip-flops, lines
gallery     fixed points of a trained flip-flop
"""

from widelimit.validate.claims.dynamics import networks

CLAIMS = networks.CLAIMS

__all__ = ["CLAIMS"]
