"""Leaky integrate-and-fire neurons on a grid of time steps, with a surrogate derivative of their spikes.

A spike in a step counts 1. Traces decay exactly by exp(-dt/tau) a step. The potential is the sum of w alpha over input
spikes (two traces in a row) less the threshold for every spike of its own, which fades with the membrane.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from widelimit.numerics import arguments
from widelimit.numerics.spiking.settings import two_constants

_DENSE = 2000  # steps: up to here a filter is a matrix


@dataclass(frozen=True)
class Kernel:
    """Two exponentials in a row: `decay` and `rise` in seconds, on steps of `step` seconds.

    Curves are those of alpha/b, without a unit, so that a potential does not have to be read in seconds.
    """

    decay: float = 0.010
    rise: float = 0.005
    step: float = 0.001

    def __post_init__(self) -> None:
        two_constants(self.decay, self.rise)
        arguments.positive_number("step", self.step)

    @property
    def factors(self) -> tuple[float, float]:
        """What both traces keep of themselves in a step."""
        return math.exp(-self.step / self.decay), math.exp(-self.step / self.rise)

    @property
    def gain(self) -> float:
        """The change of the second trace in a step, for each unit of the first: exact for a spike at the step's end."""
        slow, fast = self.factors
        if math.isclose(self.decay, self.rise, rel_tol=1e-9):
            return self.step * slow / self.rise
        return (slow - fast) * self.decay / (self.decay - self.rise)


def filtered(spikes: Tensor, kernel: Kernel) -> Tensor:
    """Return alpha/b of spikes, causally along the last but one axis: (batch, time, units), at the ends of steps.

    Exact: at the time of a spike it is 0, k steps behind it alpha(k dt)/b.

    >>> spikes = torch.zeros(1, 40, 1, dtype=torch.float64)
    >>> spikes[0, 3] = 1.0
    >>> curve = filtered(spikes, Kernel(0.010, 0.005, 0.001))[0, :, 0]
    >>> round(float(curve[13]), 6), round(2 * (math.exp(-1) - math.exp(-2)), 6)
    (0.465088, 0.465088)
    """
    steps = spikes.shape[1]
    if steps <= _DENSE:
        lags = torch.arange(steps, device=spikes.device)
        lags = lags[:, None] - lags
        response = torch.as_tensor(_response(kernel, steps), dtype=spikes.dtype, device=spikes.device)
        return torch.where(lags > 0, response[lags.clamp(min=0)], 0.0) @ spikes
    slow, fast = kernel.factors
    first = second = torch.zeros_like(spikes[:, 0])
    found = []
    for now in spikes.unbind(1):
        second = fast * second + kernel.gain * first
        first = slow * first + now
        found.append(second)
    return torch.stack(found, 1)


def _response(kernel: Kernel, steps: int) -> list[float]:
    """What a spike leaves k steps behind it: both traces, followed from it."""
    slow, fast = kernel.factors
    first, second, found = 1.0, 0.0, []
    for _ in range(steps):
        found.append(second)
        second = fast * second + kernel.gain * first
        first = slow * first
    return found


def fire(
    drive: Tensor, kernel: Kernel, threshold: float, slope: float, reset_in_graph: bool = False
) -> tuple[Tensor, Tensor]:
    """Return spikes and potentials less the threshold of neurons with a drive (batch, time, units).

    A spike takes the threshold off the potential, from the next step on and fading with the decay.
    """
    keep = kernel.factors[0]
    after = torch.zeros_like(drive[:, 0])  # what spikes of its own took off
    learning = torch.is_grad_enabled() and drive.requires_grad
    fired, above = [], []
    for now in (drive - threshold).unbind(1):
        u = now - after
        spike: Tensor = _Spike.apply(u, slope) if learning else (u > 0).to(u.dtype)
        after = keep * (after + threshold * (spike if reset_in_graph else spike.detach()))
        fired.append(spike)
        above.append(u)
    return torch.stack(fired, 1), torch.stack(above, 1)


class _Spike(torch.autograd.Function):
    """A step whose derivative is beta/(1 + beta |u|)^2, the surrogate of the published code."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(u)
        ctx.slope = slope
        return (u > 0).to(u.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (u,) = ctx.saved_tensors
        return gradients[0] * surrogate(u, ctx.slope), None


def surrogate(u: Tensor, slope: float) -> Tensor:
    """Return beta/(1 + beta |u|)^2, u the potential less the threshold."""
    return slope / (1 + slope * u.abs()) ** 2


class Neurons(torch.nn.Module):
    """One layer of leaky integrate-and-fire neurons with double exponential synapses.

    Call it with spikes (batch, time, inputs); it returns spikes and potentials less the threshold (batch, time, units).
    The input of a step reaches the potential in the next one. After a spike the neuron is reset: its threshold is taken
    off its potential, and the rest fades with the decay.

    Args:
        inputs: number of inputs.
        units: number of neurons.
        kernel: of synapse and membrane.
        threshold: at which a neuron fires, against weights times alpha/b.
        slope: beta of the surrogate.
        reset_in_graph: whether gradients also go through the reset; SuperSpike's rule leaves it out.
        generator: for the first weights, N(0, scale^2/inputs).
        scale: of those.
    """

    def __init__(
        self,
        inputs: int,
        units: int,
        *,
        kernel: Kernel | None = None,
        threshold: float = 1.0,
        slope: float = 10.0,
        reset_in_graph: bool = False,
        scale: float = 1.0,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        arguments.count("inputs", inputs), arguments.count("units", units)
        for name, value in (("threshold", threshold), ("slope", slope), ("scale", scale)):
            arguments.positive_number(name, value)
        drawn = torch.randn((units, inputs), generator=generator, dtype=dtype)
        self.weight = torch.nn.Parameter(drawn * scale / math.sqrt(inputs))
        self.kernel = Kernel() if kernel is None else kernel
        self.threshold, self.slope, self.reset_in_graph = threshold, slope, reset_in_graph

    def forward(self, spikes: Tensor) -> tuple[Tensor, Tensor]:
        """Return spikes and potentials less the threshold."""
        return self.driven(filtered(spikes, self.kernel))

    def driven(self, traces: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same from inputs that are filtered already."""
        drive = traces @ self.weight.mT
        return fire(drive, self.kernel, self.threshold, self.slope, self.reset_in_graph)
