"""A torch loss that pulls the spectrum of a layer towards a power law (Nassar et al. 2020)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from widelimit.numerics import arguments
from widelimit.theory.errors import ArgumentError

if TYPE_CHECKING:
    import torch


@functools.cache
def _formulas() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The target and the term of `theory.representation`, as functions of tensors."""
    from sympy import lambdify

    from widelimit.theory.representation import codes

    def larger(least: float, value: torch.Tensor) -> torch.Tensor:
        return value.clamp(min=least)

    target = lambdify(
        (codes.RANK, codes.ANCHOR, codes.ANCHORED, codes.EXPONENT), codes.penalty_target(), [{}]
    )
    return target, lambdify((codes.EXCESS,), codes.penalty_term(), [{"Max": larger}])


def regulariser(
    activations: torch.Tensor, *, anchor: int = 11, exponent: float = 1.0, strength: float = 1.0
) -> torch.Tensor:
    """Return a penalty on the spectrum of a batch of activations, to be added to a loss.

    strength/N times the sum over n > anchor of (r - 1)^2 + max(0, r - 1), r = lambda_n/gamma_n, with lambda_n the
    eigenvalues of the covariance over the batch of N units and gamma_n = lambda_anchor (anchor/n)^exponent. The
    eigenvalue at the anchor is not differentiated, and eigenvalues below zero, which are rounding, are skipped: as in
    the authors' code, but ranks count from 1. `numerics.representation.spectral_penalty` is the same in numbers.
    A batch smaller than the layer leaves eigenvalues at zero, which the penalty cannot lift: use more samples than
    units.

    Args:
        activations: samples x units (further dimensions are units), with or without a gradient.
        anchor: rank that the power law passes through.
        exponent: the wanted one.
        strength: factor of the penalty.

    Raises `ArgumentError` for fewer units than the anchor has ranks below it, fewer than three samples, and activations
    that are not finite or have no variance at the anchor.

    >>> import torch
    >>> x = torch.randn(200, 30, generator=torch.Generator().manual_seed(0)).requires_grad_()
    >>> loss = regulariser(x, anchor=5)
    >>> loss.backward()
    >>> bool(loss > 0), x.grad.shape
    (True, torch.Size([200, 30]))
    """
    import torch

    if not isinstance(activations, torch.Tensor) or not activations.is_floating_point():
        raise ArgumentError("activations", "must be a tensor of floats", type(activations).__name__)
    if activations.ndim < 2 or activations.shape[0] < 3:
        but = f"has shape {tuple(activations.shape)}"
        raise ArgumentError("activations", "must be three samples or more x units", but=but)
    flat = activations.flatten(1)
    start, units = arguments.count("anchor", anchor), flat.shape[1]
    alpha = arguments.non_negative_number("exponent", exponent)
    factor = arguments.non_negative_number("strength", strength)
    if start >= units:
        raise ArgumentError("anchor", f"must be below the number of units, {units}", start)
    if not bool(torch.isfinite(flat).all()):
        raise ArgumentError("activations", "must be finite", but="holds NaN or infinity")
    centred = flat - flat.mean(dim=0)
    values = torch.linalg.eigvalsh(centred.T @ centred / len(flat)).flip(0)
    anchored = values[start - 1].detach()
    if not float(anchored) > 0.0:
        help = "Use more samples than the anchor, or a lower anchor."
        raise ArgumentError("activations", "must have variance at the anchor", float(anchored), help)
    target, term = _formulas()
    ranks = torch.arange(start + 1, units + 1, device=flat.device, dtype=flat.dtype)
    beyond = values[start:]
    kept = beyond >= 0
    ratio = beyond[kept] / target(ranks, float(start), anchored, alpha)[kept]
    return factor / units * term(ratio).sum()
