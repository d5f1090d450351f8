"""What draws of a network give: moments of every tensor and of the gradients in it, and their scatter over draws."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from widelimit.numerics.results import by_value
from widelimit.validate.network.graph.programs import Program, Step, untouched
from widelimit.validate.network.graph.states import LARGEST, Axes, laid_out


@by_value
@dataclass
class Draws:
    """Over draws, by key of step: `q` mean squares, `p` mean products of pairs, `g` mean squares of gradients.

    `grams`, `means`, `gradients`: sums of moments (P, P), where they were asked for; `count` of draws.
    """

    q: dict[str, list[float]] = field(default_factory=dict)
    p: dict[str, list[float]] = field(default_factory=dict)
    g: dict[str, list[float]] = field(default_factory=dict)
    grams: dict[str, np.ndarray] = field(default_factory=dict)
    means: dict[str, np.ndarray] = field(default_factory=dict)
    gradients: dict[str, np.ndarray] = field(default_factory=dict)
    count: int = 0


def measure(
    program: Program, states: list[dict[str, torch.Tensor]], example: list[torch.Tensor], axes: dict[str, Axes],
    grams: set[str], gradients: set[str], *, seed: int, backward: bool,
) -> Draws:  # fmt: skip
    """Run every draw. `axes`: roles of the axes of tensors that are looked at; `grams`, `gradients`: where all
    pairs are kept.
    """
    out = Draws()
    with untouched():
        for number, state in enumerate(states):
            torch.manual_seed(seed_of(seed, number))
            _one(program, state, example, axes, grams, gradients, backward, out)
            out.count += 1
    return out


def _one(
    program: Program, state: dict[str, Any], example: list[torch.Tensor], axes: dict[str, Axes], grams: set[str],
    gradients: set[str], backward: bool, out: Draws,
) -> None:  # fmt: skip
    held: dict[str, torch.Tensor] = {}

    def see(step: Step, value: Any, env: Any) -> Any:
        if step.key in axes and isinstance(value, torch.Tensor):
            _seen(step.key, value, axes[step.key], step.key in grams, out)
            if backward and value.requires_grad:
                held[step.key] = value
        return value

    fresh = program.fresh(state)
    for name in program.parameters:
        fresh[name].requires_grad_(backward and fresh[name].is_floating_point())
    with torch.set_grad_enabled(backward):
        env = program.run(fresh, example, see)
    if backward:
        _gradients(env[program.output], held, axes, gradients, out)


def _seen(key: str, value: torch.Tensor, axes: Axes, gram: bool, out: Draws) -> None:
    rows = laid_out(value.detach().double().cpu().numpy(), axes)
    if not np.isfinite(rows).all() and not np.isneginf(rows).any():
        raise NotFinite(key)
    q, p = moments(rows)
    out.q.setdefault(key, []).append(q)
    out.p.setdefault(key, []).append(p)
    if gram and len(rows) <= LARGEST:
        out.grams[key] = out.grams.get(key, 0) + rows @ rows.T / rows.shape[1]
        out.means[key] = out.means.get(key, 0) + rows.mean(axis=1)


class NotFinite(Exception):
    """A tensor with numbers that are not finite, by its key."""


def moments(rows: np.ndarray) -> tuple[float, float]:
    """Mean square, and mean product over pairs of different positions, of numbers (P, units).

    >>> moments(np.array([[1.0, 1.0], [1.0, -1.0]]))
    (1.0, 0.0)
    """
    count = len(rows)
    square = float(np.mean(rows**2))
    if count < 2:
        return square, math.nan
    total = rows.sum(axis=0)
    return square, float((total @ total) / rows.shape[1] - count * square) / (count * (count - 1))


def _gradients(
    output: torch.Tensor,
    held: dict[str, torch.Tensor],
    axes: dict[str, Axes],
    gradients: set[str],
    out: Draws,
) -> None:
    if not output.requires_grad or not held:
        return
    cotangent = cotangents(output)
    found = torch.autograd.grad(output, list(held.values()), cotangent, allow_unused=True)
    for key, value in zip(held, found, strict=True):
        if value is None:
            continue
        rows = laid_out(value.double().cpu().numpy(), axes[key])
        out.g.setdefault(key, []).append(float(np.mean(rows**2)))
        if key in gradients and len(rows) <= LARGEST:
            out.gradients[key] = out.gradients.get(key, 0) + rows @ rows.T / rows.shape[1]


def cotangents(output: torch.Tensor) -> torch.Tensor:
    """Independent normal numbers, of mean square 1 exactly: that of one draw would scale all its gradients."""
    found = torch.randn(output.shape, dtype=torch.float64)
    return (found / found.square().mean().sqrt()).to(output.dtype)


def seed_of(seed: int, number: int) -> int:
    """Of torch's generator, of which 32 bits count."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def mean_error(values: list[float], logarithms: bool) -> tuple[float, float]:
    """Mean over draws and its standard error; of logarithms, a geometric mean, where all are positive.

    >>> mean_error([1.0, 4.0], True)[0]
    2.0
    """
    array = np.array(values)
    if not len(array) or not np.isfinite(array).all():
        return math.nan, math.nan
    if logarithms and (array > 0).all():
        array = np.log(array)
        mean = math.exp(float(array.mean()))
        scale = mean
    else:
        mean, scale = float(array.mean()), 1.0
    error = float(array.std(ddof=1)) / math.sqrt(len(array)) * scale if len(array) > 1 else math.nan
    return mean, error
