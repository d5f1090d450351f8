"""Small convolutional networks that read images of 8 x 8 pixels, of several kinds and about as many weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from widelimit.validate.recurrence import ConvBypass, ReciprocalGated

CHANNELS = {"gated": 8, "vanilla": 16, "lstm": 6, "feedforward": 8}  # 2,474 to 2,746 weights
_LAYERS = 4


class ConvLstm(nn.Module):
    """A convolutional LSTM: four gates, each of them a convolution of input and state, forgetting biased to keep."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
        """Return the next (h, c)."""
        h, c = state or (torch.zeros_like(x), torch.zeros_like(x))
        i, f, g, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class Reader(nn.Module):
    """Sixteen places of `CHANNELS` features each, a cell that is unrolled on them or four layers, a linear readout.

    `kind`: "gated" is the reciprocal gated cell, whose gates let all of the input pass at first (factor 2 sigmoid, a
    bypass) and whose output is elu; "vanilla" a tanh network; "lstm"; "feedforward" four tanh layers, whatever `steps`.
    What is read out is the mean over places.
    """

    def __init__(self, kind: str, steps: int) -> None:
        super().__init__()
        channels = CHANNELS[kind]
        self.kind, self.steps = kind, steps
        self.features, self.readout = nn.Conv2d(1, channels, 3, stride=2, padding=1), nn.Linear(channels, 10)
        if kind == "feedforward":
            self.layers = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(_LAYERS))
        elif kind == "gated":
            self.cell: Any = ReciprocalGated(channels, sigma_w=1.0, output="elu", offset=0.0, multiplier=2.0)
        else:
            self.cell = ConvLstm(channels) if kind == "lstm" else ConvBypass(channels, keep=0.0)

    def forward(self, images: Tensor) -> Tensor:
        """Return the readout of each image, (images, 10)."""
        x = torch.relu(self.features(images))
        if self.kind == "feedforward":
            for layer in self.layers:
                x = torch.tanh(layer(x))
            return self.readout(x.mean((-2, -1)))
        state: Any = None
        for _ in range(self.steps):
            state = self.cell(x, state)
        h = torch.tanh(state) if self.kind == "vanilla" else state[0]
        return self.readout(h.mean((-2, -1)))
