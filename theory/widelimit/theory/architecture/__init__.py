"""Networks as compositions of layers, and what each layer does to the two kernels.

An `Architecture` is a tuple of layers from input to output, or a graph of them. `recursion` writes its NNGP and
tangent kernels symbolically, `derive` shows why each rule holds,
``widelimit.numerics.architecture`` computes them, ``widelimit.validate.network`` builds and reads torch modules.

Every weighted layer has weights of variance sigma_w^2 / fan-in and biases of variance sigma_b^2; its rule is
K' = sigma_w^2 A[K] + sigma_b^2 and Theta' = K' + sigma_w^2 A[Theta], A the average over the filter; of the K' in Theta'
only the terms of trained parameters count. An
activation turns K
into T and Theta into Tdot Theta, which needs Gaussian units: an activation has to follow a weighted layer.

layers     the kinds of layers, each with its rule; `Architecture`, `mlp`
wiring     which layers read which, and whether sums have kernels that add
formulas   what layers without weights do, entry by entry
names      names of kernels behind numbered layers
writing    `recursion`: a network's kernels, layer by layer
steps      `derive`: why the rules hold
evidence   what the names on the left of its equations mean, by small networks
"""

from widelimit.theory.architecture.formulas import (
    about_batch,
    about_means,
    added,
    averaged,
    batch_fluctuation,
    centred_mean,
    deviation,
    dropped,
    filtered,
    gained,
    pooled,
    rescaled,
    shifted,
    unit_mean,
    windowed,
)
from widelimit.theory.architecture.layers import (
    Act,
    Add,
    Affine,
    Architecture,
    Attention,
    AveragePool,
    BatchNorm,
    Concatenate,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    LayerNorm,
    MaxPool,
    Padding,
    Recurrent,
    Residual,
    RMSNorm,
    mlp,
    per_dimension,
)
from widelimit.theory.architecture.steps import derive
from widelimit.theory.architecture.wiring import Origins, apart, origins
from widelimit.theory.architecture.writing import (
    Rule,
    recursion,
)

__all__ = [
    "Act",
    "Add",
    "Affine",
    "Architecture",
    "Attention",
    "AveragePool",
    "BatchNorm",
    "Concatenate",
    "Convolution",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePool",
    "Layer",
    "LayerNorm",
    "MaxPool",
    "Origins",
    "Padding",
    "RMSNorm",
    "Recurrent",
    "Residual",
    "Rule",
    "about_batch",
    "about_means",
    "added",
    "apart",
    "averaged",
    "batch_fluctuation",
    "centred_mean",
    "derive",
    "deviation",
    "dropped",
    "filtered",
    "gained",
    "mlp",
    "origins",
    "per_dimension",
    "pooled",
    "recursion",
    "rescaled",
    "shifted",
    "unit_mean",
    "windowed",
]
