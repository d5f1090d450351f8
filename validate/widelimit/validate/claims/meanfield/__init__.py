"""The mean-field theory of signal propagation as falsifiable claims (arXiv:1606.05340, 1611.01232, 1902.06853).

The claims are in `recursion` (layer by layer), `scales` (fixed points and rates) and
`trainability`; predictions in `theory`, the points that presets visit in `plans` (`shared` by all), figures in
`gallery`, measurements in `measured` (`started` where networks start at the theory's fixed point) and
`simulate.meanfield`. Where a claim is about rates, networks start at the
fixed point that theory predicts: a wrong theory starts them elsewhere, and they show other rates than it says.

Finite width shifts every mean by O(1/N): q and c of one network fluctuate by O(N^-1/2) around the recursion with
mean zero, and reach the next layer's mean through the curvature of the maps, squared. So `exponent` is 1 throughout.
"""

from __future__ import annotations

from widelimit.validate.claims.meanfield.gallery import GALLERY
from widelimit.validate.claims.meanfield.recursion import CORRELATION_MAP, CRITICAL_DECAY, DROPOUT, LENGTH_MAP
from widelimit.validate.claims.meanfield.scales import DEPTH_SCALE, FIXED_POINT, GRADIENT_NORM
from widelimit.validate.claims.meanfield.trainability import TRAINABILITY

__all__ = ["CLAIMS", "GALLERY"]

CLAIMS = (
    LENGTH_MAP,
    CORRELATION_MAP,
    FIXED_POINT,
    DEPTH_SCALE,
    GRADIENT_NORM,
    DROPOUT,
    CRITICAL_DECAY,
    TRAINABILITY,
)
