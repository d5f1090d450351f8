"""Jacobian spectra as falsifiable claims.

spectra   moments, distribution, largest singular value and atom of a network's Jacobian
classes   universal limits at great depth
variants  rectangular layers, residual networks, varying q
speed     how much faster isometric networks learn
race      what `speed` measures
theory, shared    what claims predict; domains, plans and wrong theories that several use
gallery   figures of the papers
"""

from widelimit.validate.claims.jacobian.gallery import (
    GALLERY,
)
from widelimit.validate.claims.jacobian.spectra import (
    CLAIMS,
)

__all__ = [
    "CLAIMS",
    "GALLERY",
]
