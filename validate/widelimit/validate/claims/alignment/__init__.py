"""Local rules of feedback as falsifiable claims (arXiv:2003.01513, 1904.05391).

shared     layers that claims start from; derivations by name
layers     one layer: fixed point, decoder, noise, invariant, isometry, Kolen and Pollack
wide       Gaussian layers: cosines, largest step, depth
training   digits: the gap to backpropagation, steps that diverge
gallery    figures
"""

from widelimit.validate.claims.alignment import layers, training, wide
from widelimit.validate.claims.alignment.gallery import GALLERY

CLAIMS = (*layers.CLAIMS, *wide.CLAIMS, *training.CLAIMS)

__all__ = ["CLAIMS", "GALLERY"]
