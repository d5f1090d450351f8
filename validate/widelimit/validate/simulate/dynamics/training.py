"""Recurrent networks trained in torch, many seeds at once; what was trained is kept by content in the cache folder.

All seeds of an architecture are one batch of matrices, so that they cost little more than one of them. The key of a
file is what was asked for and the source of this file.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.numerics.compile.cache import digest, private
from widelimit.numerics.results import by_value

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray
BLOCKS = {"rnn": 1, "gru": 3, "lstm": 4}
_NAMES = ("weight_hh", "weight_ih", "bias_hh", "bias_ih", "readout")


@dataclass(frozen=True)
class Training:
    """What is trained: `kind` of cell, `task`, `units`, `steps` of Adam at `rate`, on `batch` trials of `length`."""

    kind: str
    task: str
    units: int
    steps: int
    nets: int
    seed: int
    length: int = 25
    batch: int = 32
    rate: float = 1e-2


@by_value
@dataclass(frozen=True)
class Networks:
    """Weights of all nets (first axis), with torch's names, and the `loss` of each at the end."""

    weights: dict[str, Array]
    loss: Array

    def cell(self, net: int) -> dict[str, Array]:
        """Weights of one net, as `numerics.cells.read` takes them."""
        return {name: self.weights[name][net].astype(float) for name in _NAMES[:4]}

    def readout(self, net: int) -> Array:
        """Weights of the readout and its bias in the last column, (outputs, units + 1)."""
        return np.asarray(self.weights["readout"][net].astype(float))


def trained(asked: Training) -> Networks:
    """Train networks, or read those that were trained before."""
    key = digest("trained networks", repr(asked), Path(__file__).read_text()) + ".trained"
    kept = private.read(key)
    if kept is not None:
        with np.load(io.BytesIO(kept), allow_pickle=False) as arrays:
            return Networks({name: arrays[name] for name in _NAMES}, arrays["loss"])
    found = _train(asked)
    out = io.BytesIO()
    np.savez(out, loss=found.loss, **found.weights)  # type: ignore[arg-type]  # names are ours, none a keyword's
    private.write(key, out.getvalue())
    return found


def _train(asked: Training) -> Networks:
    import torch

    generator = torch.Generator().manual_seed(asked.seed)
    draw = TASKS[asked.task]
    some, aims, _ = draw(generator, asked.nets, 2, asked.length)
    parameters = _initial(asked, some.shape[-1], aims.shape[-1], generator)
    optimiser = torch.optim.Adam(parameters.values(), lr=asked.rate)
    loss = torch.zeros(asked.nets)
    for step in range(asked.steps):
        for group in optimiser.param_groups:
            group["lr"] = asked.rate * (1.0 if step < 0.7 * asked.steps else 0.2)
        x, aim, weight = draw(generator, asked.nets, asked.batch, asked.length)
        loss = _loss(asked.kind, parameters, x, aim, weight)
        optimiser.zero_grad()
        loss.sum().backward()
        for one in parameters.values():  # each net is clipped by itself
            assert one.grad is not None
            size = one.grad.flatten(1).norm(dim=1).clamp(min=1.0)
            one.grad /= size.view(-1, *([1] * (one.dim() - 1)))
        optimiser.step()
    with torch.no_grad():
        x, aim, weight = draw(generator, asked.nets, 4 * asked.batch, asked.length)
        loss = _loss(asked.kind, parameters, x, aim, weight)
    return Networks({name: one.detach().numpy() for name, one in parameters.items()}, loss.numpy())


def _initial(asked: Training, inputs: int, outputs: int, generator: Any) -> dict[str, Tensor]:
    import torch

    rows, d, bound = BLOCKS[asked.kind] * asked.units, asked.units, 1 / math.sqrt(asked.units)
    shapes = {
        "weight_hh": (rows, d),
        "weight_ih": (rows, inputs),
        "bias_hh": (rows,),
        "bias_ih": (rows,),
        "readout": (outputs, d + 1),
    }
    return {
        name: ((2 * torch.rand((asked.nets, *shape), generator=generator) - 1) * bound).requires_grad_()
        for name, shape in shapes.items()
    }


def _loss(kind: str, p: dict[str, Tensor], x: Tensor, aim: Tensor, weight: Tensor) -> Tensor:
    """Mean square error of each net, over the steps that count."""
    out = read_out(p["readout"], outputs(kind, p, x))
    return ((out - aim) ** 2 * weight).sum((1, 2, 3)) / (weight.sum((1, 2, 3)) * aim.shape[-1])


def read_out(readout: Tensor, h: Tensor) -> Tensor:
    """Readouts of outputs h, (nets, batch, steps, outputs)."""
    return h @ readout[:, None, :, :-1].transpose(-1, -2) + readout[:, None, None, :, -1]


def outputs(kind: str, p: dict[str, Tensor], x: Tensor, start: Tensor | None = None) -> Tensor:
    """Outputs h of all nets for inputs (nets, batch, steps, inputs): torch's cells, written for a batch.

    From rest, or from a state h of all of them (of an LSTM with c at rest).
    """
    import torch

    nets, batch, length, _ = x.shape
    d = p["weight_hh"].shape[-1]
    into = x @ p["weight_ih"][:, None].transpose(-1, -2) + p["bias_ih"][:, None, None]
    back, bias = p["weight_hh"].transpose(1, 2), p["bias_hh"][:, None]
    h, c, kept = x.new_zeros(nets, batch, d), x.new_zeros(nets, batch, d), []
    if start is not None:
        h = h + start
    for t in range(length):
        drive, now = torch.baddbmm(bias, h, back), into[:, :, t]
        if kind == "rnn":
            h = torch.tanh(drive + now)
        elif kind == "gru":
            gates = torch.sigmoid(drive[..., : 2 * d] + now[..., : 2 * d])
            n = torch.tanh(now[..., 2 * d :] + gates[..., :d] * drive[..., 2 * d :])
            h = n + gates[..., d:] * (h - n)
        else:
            i, f, g, o = (drive + now).chunk(4, -1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        kept.append(h)
    return torch.stack(kept, 2)


Task = Callable[[Any, int, int, int], "tuple[Tensor, Tensor, Tensor]"]


def flip_flop(
    generator: Any, nets: int, batch: int, length: int, bits: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    """Pulses of either sign on each of two lines; what is asked for is each line's last one."""
    import torch

    shape = (nets, batch, length, bits)
    signs = 2.0 * (torch.rand(shape, generator=generator) < 0.5) - 1
    x = signs * (torch.rand(shape, generator=generator) < 0.15)
    x[:, :, 0] = signs[:, :, 0]
    aim, last = torch.empty(shape), x[:, :, 0]
    for t in range(length):
        last = torch.where(x[:, :, t] != 0, x[:, :, t], last)
        aim[:, :, t] = last
    return x, aim, torch.ones(nets, batch, length, 1)


def sentiment(generator: Any, nets: int, batch: int, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Words of value -1, 0, 1 (one line each way); what is asked for is the sum so far, in units of ten words."""
    import torch

    values = torch.randint(-1, 2, (nets, batch, length, 1), generator=generator).float()
    x = torch.cat([values.clamp(min=0), (-values).clamp(min=0)], -1)
    return x, values.cumsum(2) / 10, torch.ones(nets, batch, length, 1)


def context(generator: Any, nets: int, batch: int, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Two noisy signals, and on two more lines which of them is asked for: the sum so far of that one, over ten.

    Signals are a mean of either sign and size 0.2 for the trial, and noise of standard deviation 0.5 at each step.
    """
    import torch

    shape = (nets, batch, 1, 2)
    means = 0.2 * (2.0 * (torch.rand(shape, generator=generator) < 0.5) - 1)
    signals = means + 0.5 * torch.randn((nets, batch, length, 2), generator=generator)
    first = (torch.rand((nets, batch, 1, 1), generator=generator) < 0.5).float()
    asked = torch.cat([first, 1 - first], -1).expand(nets, batch, length, 2)
    sums = (signals * asked).sum(-1, keepdim=True).cumsum(2)
    return torch.cat([signals, asked], -1), sums / 10, torch.ones(nets, batch, length, 1)


LOWEST_RATE, RATE_STEP, RATES = 0.2, 0.06, 8  # radians a step


def rate_input(rate: Any) -> Any:
    """What a network is told of a rate."""
    return 2.5 * (rate - 0.4)


def sine(generator: Any, nets: int, batch: int, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """A number that stays, one of eight; what is asked for is the sine of the rate that it stands for."""
    import torch

    number = torch.randint(0, RATES, (nets, batch, 1, 1), generator=generator)
    rate = LOWEST_RATE + RATE_STEP * number
    time = torch.arange(1, length + 1).view(1, 1, -1, 1)
    told = rate_input(rate).expand(nets, batch, length, 1).contiguous()
    return told, torch.sin(rate * time), torch.ones(nets, batch, length, 1)


TASKS: dict[str, Task] = {
    "flip-flop": flip_flop, "sentiment": sentiment, "context": context, "sine": sine,
}  # fmt: skip
