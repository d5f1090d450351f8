"""Backward passes through saturated functions as if arguments were small, and through steps as if there were none.

Forward passes stay what they are. What is saturated has a median argument c times what it should be; its slope is taken
at u/c (brendel2017comment). Steps (rounding, signs) pass gradients straight through. Functions are met as Python calls
them, so that modules and plain functions of torch are reached alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Slope = Callable[[Tensor], Tensor]


def _logistic(u: Tensor) -> Tensor:
    p = torch.sigmoid(u)
    return p * (1 - p)


def _tanh(u: Tensor) -> Tensor:
    return 1 - torch.tanh(u) ** 2


def _straight(u: Tensor) -> Tensor:
    return torch.ones_like(u)


_SLOPES: Mapping[Any, Slope] = {
    **dict.fromkeys((torch.sigmoid, Tensor.sigmoid, torch.special.expit), _logistic),
    **dict.fromkeys((functional.hardsigmoid,), _logistic),
    **dict.fromkeys((torch.tanh, Tensor.tanh, torch.erf, Tensor.erf, torch.special.erf), _tanh),
    **dict.fromkeys((functional.hardtanh, functional.softsign), _tanh),
    **dict.fromkeys(
        (torch.round, Tensor.round, torch.floor, Tensor.floor, torch.ceil, Tensor.ceil), _straight
    ),
    **dict.fromkeys((torch.trunc, Tensor.trunc, torch.sign, Tensor.sign, torch.sgn, Tensor.sgn), _straight),
}
_SOFTMAX = {torch.softmax, Tensor.softmax, functional.softmax}
_LOG_SOFTMAX = {torch.log_softmax, Tensor.log_softmax, functional.log_softmax}


class _Elementwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, function: Callable[[Tensor], Tensor], slope: Slope) -> Tensor:
        ctx.save_for_backward(u)
        ctx.slope = slope
        return function(u)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (u,) = ctx.saved_tensors
        return gradient * ctx.slope(u), None, None


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, function: Any, dim: int, scale: Tensor, log: bool) -> Tensor:
        ctx.save_for_backward(torch.softmax(u / scale, dim))
        ctx.dim, ctx.log = dim, log
        return function(u)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        (p,) = ctx.saved_tensors
        if ctx.log:
            found = gradient - p * gradient.sum(ctx.dim, keepdim=True)
        else:
            found = p * (gradient - (gradient * p).sum(ctx.dim, keepdim=True))
        return found, None, None, None, None


class stabilised(TorchFunctionMode):  # a context, named like one
    """Within this context backward passes are stabilised: of sigmoids, tanh, softmax and the like, and of steps.

    `spread`: what the median size of the argument of a saturated function is brought down to; never up.

    >>> u = torch.tensor([40.0, -110.0], requires_grad=True)
    >>> torch.sigmoid(u).sum().backward()
    >>> u.grad.tolist()
    [0.0, 0.0]
    >>> u.grad = None
    >>> with stabilised():
    ...     torch.sigmoid(u).sum().backward()
    >>> bool((u.grad > 0.01).all())
    True
    """

    def __init__(self, spread: float = 1.0) -> None:
        super().__init__()
        self.spread = spread

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of torch; those that saturate or step with a backward pass of their own."""
        given = dict(kwargs or {})
        u = args[0] if args else given.get("input")
        slope = _SLOPES.get(func)
        soft, log = func in _SOFTMAX, func in _LOG_SOFTMAX
        if not isinstance(u, Tensor) or not u.requires_grad or not (slope or soft or log):
            return func(*args, **given)
        given.pop("input", None)

        def function(v: Tensor) -> Tensor:
            return func(v, *args[1:], **given)

        if slope is not None:
            scale = self._scale(u.detach())
            return _Elementwise.apply(u, function, lambda v: slope(v / scale))
        dim = given.get("dim", args[1] if len(args) > 1 else None)
        if not isinstance(dim, int):
            return function(u)
        far = u.detach()
        return _Softmax.apply(u, function, dim, self._scale(far - far.amax(dim, keepdim=True)), log)

    def _scale(self, u: Tensor) -> Tensor:
        return (u.abs().median() / self.spread).clamp(min=1.0)
