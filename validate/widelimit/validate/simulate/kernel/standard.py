"""Networks in the standard parametrisation: weights that carry their scale, and the gradients of each layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from widelimit.numerics.results import by_value

if TYPE_CHECKING:
    import torch


@by_value
@dataclass
class StandardNet:
    """Weights that carry their scale; `depth` hidden layers, a linear output layer."""

    weights: list[torch.Tensor]
    biases: list[torch.Tensor]
    phi: Callable[[torch.Tensor], torch.Tensor]
    slope: Callable[[torch.Tensor], torch.Tensor]

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
        """Return outputs (T, C), the pre-activations and the inputs of every layer."""
        hidden, inputs = [], []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            inputs.append(x)
            h = x @ weight.T + bias
            hidden.append(h)
            x = self.phi(h)
        return hidden[-1], hidden, inputs

    def backward(self, hidden: list[torch.Tensor]) -> list[torch.Tensor]:
        """Derivatives of each output by the pre-activations of each layer, (C, T, width)."""
        import torch

        samples, outputs = hidden[-1].shape
        delta = [
            torch.eye(outputs, dtype=hidden[-1].dtype, device=hidden[-1].device)[:, None].expand(
                -1, samples, -1
            )
        ]
        for weight, h in zip(self.weights[:0:-1], hidden[-2::-1], strict=True):
            delta.append((delta[-1] @ weight) * self.slope(h))
        return delta[::-1]

    def blocks(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The Gram matrix of each layer's weight gradients over T, (CT, CT)."""
        _, hidden, inputs = self.forward(x)
        out = []
        for z, d in zip(inputs, self.backward(hidden), strict=True):
            flat = d.reshape(-1, d.shape[-1])
            out.append((flat @ flat.T) * (z @ z.T).repeat(d.shape[0], d.shape[0]) / len(x))
        return out

    def descend(self, x: torch.Tensor, targets: torch.Tensor, rate: float, steps: int) -> list[float]:
        """Losses along gradient descent of the weights on half the mean squared error, until they grow tenfold."""
        losses = []
        for _ in range(steps):
            f, hidden, inputs = self.forward(x)
            residual = (f - targets) / len(x)
            losses.append(float((f - targets).square().sum()) / (2 * len(x)))
            if (
                not losses[-1] <= 10 * losses[0]
            ):  # diverging; further on it may settle at another, flatter place
                break
            deltas = self.backward(hidden)
            for weight, z, d in zip(self.weights, inputs, deltas, strict=True):
                weight -= rate * (residual.T[:, :, None] * d).sum(0).T @ z
        return losses
