"""The NNGP kernel as a function of autograd, differentiable in the scales of every layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from widelimit.numerics import arguments
from widelimit.numerics.kernel import nngp_gradient, nngp_ntk
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.validate.autograd import through

_FIXED = "must not require a gradient: the kernel is differentiated by its scales alone"


def nngp(
    x1: Any,
    x2: Any = None,
    *,
    sigma_w: Any,
    sigma_b: Any = 0.0,
    activation: str = "relu",
    depth: int = 1,
) -> Tensor:
    """Return the NNGP kernel as a tensor that autograd differentiates by `sigma_w` and `sigma_b`.

    K^1 = sigma_w^2 x.x'/n_0 + sigma_b^2 and, `depth` times, K' = sigma_w^2 E phi(u) phi(v) + sigma_b^2; see
    `numerics.kernel.nngp_ntk`. Derivatives are exact (`numerics.kernel.nngp_gradient`), of first order.

    Args:
        x1: inputs (n1, features), arrays or tensors; not differentiated.
        x2: others (n2, features), or None for `x1` itself.
        sigma_w: of all layers, or a tensor (depth + 1,), from the first layer of weights to the readout.
        sigma_b: likewise.
        activation: a catalogue name or an expression in x.
        depth: hidden layers.

    Raises `ArgumentError` for inputs that require a gradient, and what `nngp_gradient` raises.

    >>> w = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    >>> k = nngp([[1.0, 0.0], [0.6, 0.8]], sigma_w=w, depth=2)
    >>> k.sum().backward()
    >>> round(float(w.grad * 1.5 / k.sum().detach()), 12)  # three factors sigma_w^2
    6.0
    """
    given = [("x1", x1), ("x2", x2)]
    for name, value in given:
        if isinstance(value, Tensor) and value.requires_grad:
            raise ArgumentError(name, _FIXED, but="does")
    rows = [one.detach().cpu().numpy() if isinstance(one, Tensor) else one for _, one in given]
    w, b = _scale("sigma_w", sigma_w), _scale("sigma_b", sigma_b)
    layers = arguments.count("depth", depth, least=0)
    for name, one in (("sigma_w", w), ("sigma_b", b)):
        if one.ndim and one.shape != (layers + 1,):
            must, but = f"must be one number, or {layers + 1} (depth + 1)", f"has shape {tuple(one.shape)}"
            raise ArgumentError(name, must, but=but)

    def evaluate(w: np.ndarray, b: np.ndarray) -> tuple[Any, Any]:
        network: dict[str, Any] = {"activation": activation, "depth": layers, "sigma_w": w, "sigma_b": b}
        if not learnt:
            return (nngp_ntk(rows[0], rows[1], **network).nngp,), ()
        found = nngp_gradient(rows[0], rows[1], **network)
        each = (
            (found.sigma_w, w),
            (found.sigma_b, b),
        )  # where one scale is that of all layers, it has their sum
        return (found.nngp,), [(part if scale.ndim else part.sum(0),) for part, scale in each]

    learnt = w.requires_grad or b.requires_grad
    return through(evaluate, {"sigma_w": w, "sigma_b": b}, ["nngp"])[0]


def log_likelihood(kernel: Tensor, y: Any, *, noise: Any) -> Tensor:
    """Return the log marginal likelihood of targets under a Gaussian process, differentiable in `kernel` and `noise`.

    ``-y' (K + s I)^-1 y/2 - log det(K + s I)/2 - n log(2 pi)/2``, summed over the columns of y, s the variance `noise`.

    Raises `ArgumentError` for shapes that do not fit, `DomainError` where K + s I is not positive definite.

    >>> k = torch.eye(2, dtype=torch.float64)
    >>> round(float(log_likelihood(k, [1.0, 0.0], noise=1.0)), 9)  # -1/4 - log 2 - log(2 pi)
    -2.781024247
    """
    if not isinstance(kernel, Tensor) or kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1]:
        raise ArgumentError("kernel", "must be a square tensor", kernel)
    targets = torch.as_tensor(y).to(kernel)
    if targets.ndim not in (1, 2) or len(targets) != len(kernel):
        raise ArgumentError("y", f"must have {len(kernel)} rows", but=f"has shape {tuple(targets.shape)}")
    targets = targets.reshape(len(kernel), -1)
    variance = _scale("noise", noise).to(kernel)
    factor, failed = torch.linalg.cholesky_ex(kernel + variance * torch.eye(len(kernel)).to(kernel))
    if failed.item():
        raise DomainError(
            "The kernel plus noise is not positive definite: give more noise, or leave out inputs that are there twice."
        )
    white = torch.linalg.solve_triangular(factor, targets, upper=False)
    half = factor.diagonal().log().sum() + len(kernel) * math.log(2 * math.pi) / 2
    return -(white**2).sum() / 2 - targets.shape[1] * half


def _scale(name: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        if not value.is_floating_point() or value.ndim > 1:
            raise ArgumentError(
                name,
                "must be a number or a vector of floats",
                but=f"is {value.dtype} of shape {tuple(value.shape)}",
            )
        return value
    return torch.as_tensor(arguments.non_negative(name, value))
