"""Kernels of infinitely wide networks: NNGP and tangent kernel, what training does with them, their finite-width band.

kernels   `nngp_ntk` of data, `predict` of a trained network
maps      E phi phi and E phi' phi' of two correlated pre-activations, for any activation: which of the forms below
recursion    both kernels one layer on, compiled from `theory.kernel`
layers    what acts on a block of entries; closed forms
angle, angle_table    functions of the angle alone (homogeneous activations), tabulated ones
series    series in the correlation
dynamics  gradient flow in the kernel's eigenbasis
band      fluctuation and drift of tangent kernels at finite width
"""

from widelimit.numerics.kernel.kernels import (
    Kernels,
    Pair,
    available_memory,
    inputs,
    nngp_ntk,
    predict,
    predict_from_numbers,
)

__all__ = [
    "Kernels",
    "Pair",
    "available_memory",
    "inputs",
    "nngp_ntk",
    "predict",
    "predict_from_numbers",
]
