"""A linear layer whose error signal returns through weights of its own, which a local rule aligns with W^T."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn

from widelimit.numerics import arguments
from widelimit.theory.errors import ArgumentError
from widelimit.validate.alignment.change import Coefficients, backward_change
from widelimit.validate.harness.copies import copied


class Linear(nn.Module):
    """A torch linear layer y = W x + b whose error signal returns by a feedback B of its own in place of W^T.

    In the backward pass inputs get ``B delta``; ``weight.grad`` and ``bias.grad`` are what backpropagation makes of the
    delta that arrives; ``feedback.grad`` is minus the change of B by the rule on the batch, so that any optimiser that
    descends gradients trains all three. A step of plain SGD follows the flow ``theory.alignment.flow(rule)`` for the
    time of its learning rate. In kolen_pollack both W and B^T get the task's gradient and decay by alpha. Freeze the
    feedback (``layer.feedback.requires_grad_(False)``) for feedback alignment by fixed random weights.

    Args:
        in_features: number of inputs.
        out_features: number of outputs.
        bias: whether a bias is added.
        rule: symmetric, mirror, activation, information or kolen_pollack.
        alpha, beta, gamma: coefficients of the rule (`numerics.alignment.fixed_point`); gamma is for information.
        centred: whether the rule sees inputs without their mean over the batch, which saves the mirror behind a ReLU.
        device, dtype: of the parameters.

    Raises `ArgumentError` for an unknown rule, for sizes and coefficients that are not positive.

    >>> layer = Linear(3, 2, rule="mirror")
    >>> layer.weight.shape, layer.feedback.shape
    (torch.Size([2, 3]), torch.Size([3, 2]))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rule: str,
        alpha: float = 1.0,
        beta: float = 1.0,
        gamma: float = 0.1,
        centred: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_features = arguments.count("in_features", in_features)
        self.out_features = arguments.count("out_features", out_features)
        self.given = Coefficients(rule, alpha, beta, gamma)
        self.centred = arguments.flag("centred", centred)
        made = {"device": device, "dtype": dtype}
        self.weight = nn.Parameter(torch.empty((self.out_features, self.in_features), **made))
        self.feedback = nn.Parameter(torch.empty((self.in_features, self.out_features), **made))
        self.bias = nn.Parameter(torch.empty(self.out_features, **made)) if bias else None
        self.reset_parameters()

    @property
    def rule(self) -> str:
        """The rule that aligns the feedback."""
        return self.given.rule

    def reset_parameters(self) -> None:
        """Draw weights and bias as ``torch.nn.Linear`` does, and the feedback as the weights, independently."""
        bound = 1 / math.sqrt(self.in_features)
        for one in (self.weight, self.feedback, *([] if self.bias is None else [self.bias])):
            nn.init.uniform_(one, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Return W x + b for inputs whose last dimension is `in_features`."""
        if x.shape[-1:] != (self.in_features,):
            raise ArgumentError(
                "x", f"must end in {self.in_features} features", but=f"has shape {tuple(x.shape)}"
            )
        return _Feedback.apply(x, self.weight, self.bias, self.feedback, self.given, self.centred)

    def cosine(self) -> float:
        """The cosine of the angle between B and W^T now."""
        b, w = self.feedback.detach(), self.weight.detach()
        return float((b.mT * w).sum() / (b.norm() * w.norm()))

    def extra_repr(self) -> str:
        """What `print` shows of the layer."""
        shown = f"in_features={self.in_features}, out_features={self.out_features}, rule={self.rule!r}"
        return shown + ("" if self.bias is not None else ", bias=False")


class _Feedback(torch.autograd.Function):
    """A linear map with a backward pass of its own; gradients of gradients are not defined."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        w: Tensor,
        bias: Tensor | None,
        b: Tensor,
        given: Coefficients,
        centred: bool,
    ) -> Tensor:
        ctx.save_for_backward(x, w, b)
        ctx.given, ctx.centred, ctx.biased = given, centred, bias is not None
        y = x @ w.mT
        return y if bias is None else y + bias

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        x, w, b = ctx.saved_tensors
        given: Coefficients = ctx.given
        needs = ctx.needs_input_grad
        down = delta @ b.mT if needs[0] else None
        rows, deltas = x.reshape(-1, x.shape[-1]), delta.reshape(-1, delta.shape[-1])
        task = deltas.mT @ rows
        pollack = given.rule == "kolen_pollack"
        up = (task + given.alpha * w if pollack else task) if needs[1] else None
        offset = deltas.sum(0) if ctx.biased and needs[2] else None
        aligned = None
        if needs[3]:
            seen = rows - rows.mean(0) if ctx.centred else rows
            aligned = -backward_change(given, seen, seen @ w.mT, w, b)
            aligned = aligned + task.mT if pollack else aligned
        return down, up, offset, aligned, None, None


def converted(
    module: nn.Module,
    *,
    rule: str,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 0.1,
    centred: bool = False,
) -> nn.Module:
    """A copy of a network with every ``torch.nn.Linear`` replaced by `Linear` of the same weights, feedback drawn anew.

    The first of them needs no feedback, as nothing is below; it has one all the same. The network itself stays as it
    is. Raises `ArgumentError` for what is no module, or a module without linear layers.

    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> converted(net, rule="mirror")[2]
    Linear(in_features=4, out_features=2, rule='mirror')
    """
    if not isinstance(module, nn.Module):
        raise ArgumentError("module", "must be a torch module", module)
    given = {"rule": rule, "alpha": alpha, "beta": beta, "gamma": gamma, "centred": centred}
    Coefficients(rule, alpha, beta, gamma)
    made: dict[nn.Module, nn.Module] = {}
    whole = copied(module)
    if type(whole) is nn.Linear:
        return _like(whole, given)
    for parent in list(whole.modules()):
        for name, child in list(parent._modules.items()):  # a layer in two places is found in both
            if type(child) is nn.Linear:
                if child not in made:
                    made[child] = _like(child, given)
                setattr(parent, name, made[child])
    if not made:
        raise ArgumentError(
            "module", "must have linear layers", but="has none", help="See `torch.nn.Linear`."
        )
    return whole


def _like(layer: nn.Linear, given: dict[str, Any]) -> Linear:
    """A layer of the same weights, modes and devices."""
    made = Linear(
        layer.in_features, layer.out_features, layer.bias is not None, **given,
        device=layer.weight.device, dtype=layer.weight.dtype,
    )  # fmt: skip
    made.weight = cast(nn.Parameter, layer.weight)
    made.register_parameter("bias", layer.bias)
    return made.train(layer.training)
