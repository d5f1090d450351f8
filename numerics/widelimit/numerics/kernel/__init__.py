"""Kernels of infinitely wide networks: NNGP and tangent kernel, what training does with them, their finite-width band.

kernels   `nngp_ntk` of data, `predict` of a trained network
gradients `nngp_gradient`: derivatives with respect to the scales of each layer
maps      E phi phi and E phi' phi' of two correlated pre-activations, for any activation: which of the forms below
recursion    both kernels one layer on, compiled from `theory.kernel`
estimators   `NNGPKernel` and `NTKRegressor` for scikit-learn
layers    what acts on a block of entries; closed forms
angle, angle_table    functions of the angle alone (homogeneous activations), tabulated ones
series    series in the correlation
dynamics  gradient flow in the kernel's eigenbasis
widths    `at_width`: mean kernels of networks of finite width
band      fluctuation and drift of tangent kernels at finite width
"""

from typing import Any

from widelimit.numerics.kernel.gradients import KernelGradient, nngp_gradient
from widelimit.numerics.kernel.kernels import (
    Kernels,
    Pair,
    available_memory,
    inputs,
    nngp_ntk,
    predict,
    predict_from_numbers,
)
from widelimit.numerics.kernel.widths import KernelsAtWidth, at_width

__all__ = [
    "KernelGradient",
    "Kernels",
    "KernelsAtWidth",
    "Pair",
    "at_width",
    "available_memory",
    "inputs",
    "nngp_gradient",
    "nngp_ntk",
    "predict",
    "predict_from_numbers",
]


def __getattr__(name: str) -> Any:
    if name in ("NNGPKernel", "NTKRegressor"):  # the only ones that need scikit-learn
        from widelimit.numerics.kernel import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
