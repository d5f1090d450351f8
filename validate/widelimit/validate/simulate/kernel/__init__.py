"""Finite networks whose kernels are measured.

networks   drawn and trained networks in the tangent parametrisation
standard   networks in standard parametrisation, their gradients
evolution  networks while they learn images
images     the images
"""

from widelimit.validate.simulate.kernel.networks import (
    Net,
    Trained,
    data,
    draw,
    functions,
    kernels_at_birth,
    normals,
    tangent_of_one_layer,
    tensor,
    train,
    trained_outputs,
)

__all__ = [
    "Net",
    "Trained",
    "data",
    "draw",
    "functions",
    "kernels_at_birth",
    "normals",
    "tangent_of_one_layer",
    "tensor",
    "train",
    "trained_outputs",
]
