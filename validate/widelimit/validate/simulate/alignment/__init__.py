"""Drawn batches and drawn layers under local rules of feedback.

layer     one layer: feedback at rest, its noise, the largest step, both sides moving
wide      Gaussian layers and networks: cosines and error signals
training  networks that learn digits with local feedback; feedback with too large a step
"""

from widelimit.validate.simulate.alignment.layer import (
    decoder,
    floor,
    left_over,
    pollack,
    resting,
    singular_values,
)
from widelimit.validate.simulate.alignment.wide import deep, information, mirror, step

__all__ = [
    "decoder", "deep", "floor", "information", "left_over", "mirror", "pollack", "resting", "singular_values", "step",
]  # fmt: skip
