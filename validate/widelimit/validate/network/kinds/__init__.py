"""Kinds of layers, each registered with how it is read, drawn, rebuilt and tested (`registry.Kind`).

weighted        dense layers and convolutions
pointwise       activations and dropout
normalisation   over units, groups of channels, or the batch
positions       flattening and pooling
residual        shortcuts around a branch
joining         sums of branches, and units side by side
tokens          attention
recurrent       the last step of a recurrent layer
tensors         what readers of weights share
"""

from widelimit.validate.network.kinds import (
    joining,
    normalisation,
    pointwise,
    positions,
    recurrent,
    residual,
    tokens,
    weighted,
)
from widelimit.validate.network.registry import KINDS

FILES = (weighted, pointwise, normalisation, positions, residual, recurrent, joining, tokens)

__all__ = ["FILES", "KINDS"]
