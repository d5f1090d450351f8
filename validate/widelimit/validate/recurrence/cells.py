"""Convolutional cells: a bypass, and the reciprocal gated cell."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from widelimit.numerics import arguments
from widelimit.numerics.recurrence import Bypass, Reciprocal, bypass, reciprocal_gated
from widelimit.theory.errors import ArgumentError

_OUTPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda a: a,
    "tanh": torch.tanh,
    "elu": nn.functional.elu,
}
_PHI = {"tanh": torch.tanh, "relu": torch.relu, "linear": _OUTPUTS["identity"]}


def _conv(channels: int, kernel: int, sigma_w: float, bias: bool, made: dict[str, Any]) -> nn.Conv2d:
    """A convolution that keeps the size, weights of variance sigma_w^2/(k^2 C)."""
    conv = nn.Conv2d(channels, channels, kernel, padding="same", bias=bias, **made)
    nn.init.normal_(conv.weight, std=sigma_w / math.sqrt(kernel**2 * channels))
    return conv


def _scale(*convs: nn.Conv2d) -> float:
    """The sigma_w of convolutions as they are now: the root of k^2 C times the mean square of their weights."""
    squares = [float((c.weight.detach().double() ** 2).mean()) * c.weight[0].numel() for c in convs]
    return math.sqrt(sum(squares) / len(squares))


def _image(name: str, x: Any, channels: int) -> Tensor:
    if not isinstance(x, Tensor) or x.dim() != 4 or x.shape[1] != channels or not x.is_floating_point():
        but = f"has shape {tuple(x.shape)}" if isinstance(x, Tensor) else f"is a {type(x).__name__}"
        raise ArgumentError(
            name, f"must be a tensor of real numbers (batch, {channels}, height, width)", but=but
        )
    return x


class ConvBypass(nn.Module):
    """A convolutional recurrent layer with a bypass, h' = l h + (1 - l)(W * phi(h) + b + x).

    Args:
        channels: of state and input.
        kernel_size: an odd number of pixels.
        keep: l, from 0 to below 1.
        activation: phi, "tanh", "relu" or "linear".
        sigma_w: weights are drawn with variance sigma_w^2/(k^2 C).
        sigma_b: standard deviation of the biases.
        device, dtype: of the parameters.

    Raises `ArgumentError` for numbers out of range. Weights are the same at each step: tied.

    >>> cell = ConvBypass(4, keep=0.5)
    >>> cell(torch.zeros(2, 4, 8, 8)).shape
    torch.Size([2, 4, 8, 8])
    """

    def __init__(
        self, channels: int, kernel_size: int = 3, *, keep: float = 0.8, activation: str = "tanh",
        sigma_w: float = 1.0, sigma_b: float = 0.0, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.channels, kernel = _sizes(channels, kernel_size)
        self.keep = arguments.number_within("keep", keep, 0, 1)
        if self.keep == 1:
            raise ArgumentError("keep", "must be below 1", keep, "A state that is kept whole never changes.")
        self.activation = arguments.choice("activation", activation, _PHI)
        scale = arguments.number_within("sigma_w", sigma_w, 0, 1e6)
        self.recur = _conv(self.channels, kernel, scale, True, {"device": device, "dtype": dtype})
        assert self.recur.bias is not None
        nn.init.normal_(self.recur.bias, std=arguments.number_within("sigma_b", sigma_b, 0, 1e6))

    def forward(self, x: Tensor, state: Tensor | None = None) -> Tensor:
        """Return the next state of an input and a state, zeros if left out."""
        x = _image("x", x, self.channels)
        h = torch.zeros_like(x) if state is None else _image("state", state, self.channels)
        return self.keep * h + (1 - self.keep) * (self.recur(_PHI[self.activation](h)) + x)

    def expected(self) -> Bypass:
        """Return what theory says of the weights as they are now, without an input: `numerics.recurrence.bypass`."""
        assert self.recur.bias is not None
        spread = float((self.recur.bias.detach().double() ** 2).mean()) ** 0.5
        scale = _scale(self.recur)
        return bypass(self.activation, keep=self.keep, sigma_w=scale, sigma_b=spread, tied=True)


class ReciprocalGated(nn.Module):
    """The reciprocal gated cell: a state h and a cell c, each of which gates the other's input and itself.

    h' = phi(f(W_ch * c) x + f(W_hh * h) h) and c' = phi(f(W_hc * h) x + f(W_cc * c) c) with the factor f = offset +
    multiplier sigmoid, which is 1 - sigmoid in the paper.

    Args:
        channels: of state, cell and input.
        kernel_size: an odd number of pixels.
        sigma_w: gates' weights are drawn with variance sigma_w^2/(k^2 C).
        output: phi, "identity", "tanh" or "elu".
        offset, multiplier: of the factor.
        device, dtype: of the parameters.

    Raises `ArgumentError` for numbers out of range.

    >>> cell = ReciprocalGated(4, sigma_w=0.3)
    >>> h, c = cell(torch.ones(2, 4, 8, 8))
    >>> h.shape, h[0, 0, 0, 0].item()
    (torch.Size([2, 4, 8, 8]), 0.5)
    """

    def __init__(
        self, channels: int, kernel_size: int = 3, *, sigma_w: float = 0.5, output: str = "identity",
        offset: float = 1.0, multiplier: float = -1.0, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.channels, kernel = _sizes(channels, kernel_size)
        self.output = arguments.choice("output", output, _OUTPUTS)
        self.offset = arguments.finite_number("offset", offset)
        self.multiplier = arguments.finite_number("multiplier", multiplier)
        scale = arguments.number_within("sigma_w", sigma_w, 0, 1e6)
        made = {"device": device, "dtype": dtype}
        self.hh, self.ch, self.hc, self.cc = (
            _conv(self.channels, kernel, scale, False, made) for _ in range(4)
        )

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Return the next (h, c) of an input and a state, zeros if left out."""
        x = _image("x", x, self.channels)
        if state is None:
            state = (torch.zeros_like(x), torch.zeros_like(x))
        if not isinstance(state, tuple | list) or len(state) != 2:
            raise ArgumentError(
                "state", "must be a pair of tensors (h, c)", but=f"is a {type(state).__name__}"
            )
        h, c = (_image("state", one, self.channels) for one in state)
        phi = _OUTPUTS[self.output]
        a = self._factor(self.ch(c)) * x + self._factor(self.hh(h)) * h
        b = self._factor(self.hc(h)) * x + self._factor(self.cc(c)) * c
        return phi(a), phi(b)

    def expected(self, input_moment: float) -> Reciprocal:
        """Return the state at rest that theory gives the weights as they are now, for inputs of mean square R.

        `numerics.recurrence.reciprocal_gated` with tied weights, which raises `NoFixedPointError` where activity runs
        away. Raises `ArgumentError` for a cell with another factor or output than the theory's.
        """
        if (self.offset, self.multiplier, self.output) != (1.0, -1.0, "identity"):
            help = "Theory is for output='identity', offset=1, multiplier=-1."
            raise ArgumentError("output", "must be 'identity', with the paper's factor", self.output, help)
        scale = _scale(self.hh, self.ch, self.hc, self.cc)
        return reciprocal_gated(sigma_w=scale, input_moment=input_moment, tied=True)

    def _factor(self, a: Tensor) -> Tensor:
        return self.offset + self.multiplier * torch.sigmoid(a)


def _sizes(channels: int, kernel_size: int) -> tuple[int, int]:
    kernel = arguments.count("kernel_size", kernel_size)
    if kernel % 2 == 0:
        raise ArgumentError("kernel_size", "must be odd", kernel_size, "So that a window has a middle.")
    return arguments.count("channels", channels), kernel


def unrolled(cell: ConvBypass | ReciprocalGated, x: Tensor, steps: int) -> Tensor:
    """Apply a cell to one input for `steps` steps from zeros, and return its last state h.

    Raises `ArgumentError` for another cell, or steps that are no count.

    >>> unrolled(ConvBypass(2, keep=0.5, sigma_w=0.0), torch.ones(1, 2, 4, 4), 3)[0, 0, 0]
    tensor([0.8750, 0.8750, 0.8750, 0.8750], grad_fn=<SelectBackward0>)
    """
    if not isinstance(cell, ConvBypass | ReciprocalGated):
        raise ArgumentError(
            "cell", "must be a ConvBypass or a ReciprocalGated", but=f"is a {type(cell).__name__}"
        )
    state: Any = None
    for _ in range(arguments.count("steps", steps)):
        state = cell(x, state)
    return state[0] if isinstance(state, tuple) else state
