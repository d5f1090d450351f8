"""Rules of pooling, padding and resizing: operations on positions that do the same to every unit."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from widelimit.validate.network.graph.programs import Step
from widelimit.validate.network.graph.states import Atom, Axes, Measured, Samples, State, mixed, room
from widelimit.validate.network.graph.views import state_of
from widelimit.validate.network.graph.walking import Done, Walk, key, rule, unchanged

_SAMPLES = (96, 1024)  # of the places of maxima, for gradients, fewest and most
_NUMBERS = 2**24  # of pairs in them, at most


@rule(
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_bilinear2d", "upsample_linear1d",
    "pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d",
    "_upsample_nearest_exact2d",
)  # fmt: skip
def _linear(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state = state_of(args[0], step.op)
    if step.op in ("pad", "constant_pad_nd") and not any(args[1]):
        return Done(state, ((key(step, 0), unchanged),), "no padding")
    batch, count, sizes, axes = _laid(step, state)
    eye = torch.eye(count, dtype=torch.float64).reshape(1, count, *sizes)
    zero = step.call(torch.zeros_like(eye[:, :1]), *args[1:], **kwargs)
    if zero.abs().max() > 0:
        raise Measured("a padding that is not zero")
    one = step.call(eye, *args[1:], **kwargs).reshape(count, -1).numpy().T
    matrix = np.kron(np.eye(batch), one)
    return Done(
        mixed(state, axes, matrix),
        ((key(step, 0), lambda g: matrix.T @ g @ matrix),),
        "weighted sums over positions",
    )


def _laid(step: Step, state: State) -> tuple[int, int, list[int], Axes]:
    """Inputs, positions of an input, their sizes, and the axes of what comes out, of a state (batch, units, ...)."""
    inside = [{a.kind for a in axis if a.size > 1} for axis in state.axes]
    if len(inside) < 3 or "p" in inside[1] or any("u" in one for i, one in enumerate(inside) if i != 1):
        raise Measured("positions that are no image")
    batch = math.prod(a.size for a in state.axes[0])
    sizes = [math.prod(a.size for a in axis) for axis in state.axes[2:]]
    shape = step.shape or ()
    axes: Axes = (state.axes[0], state.axes[1], *((Atom("p", n),) for n in shape[2:]))
    if shape[1] != state.width:
        raise Measured("padding of units")
    room(axes)
    return batch, math.prod(sizes), sizes, axes


@dataclass(frozen=True)
class Routed:
    """The way back through maxima over positions: to the places that they are taken from, (samples, outputs)."""

    where: Callable[[], np.ndarray]
    positions: int

    def __call__(self, g: np.ndarray) -> np.ndarray:
        """Return the moments at those places, in the mean."""
        where = self.where()
        return moved(g, where, np.ones((len(where), 1)), self.positions)


@rule("max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool2d")
def _max(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state = state_of(args[0], step.op)
    before = state.draw
    if before is None:
        raise Measured("the largest of units whose law is not known")
    batch, _, sizes, axes = _laid(step, state)

    def run(values: torch.Tensor) -> torch.Tensor:
        laid = values.reshape(len(values), batch, *sizes)
        return step.call(laid, *args[1:], **kwargs).reshape(len(values), -1)

    def draw(samples: Samples) -> np.ndarray:
        return run(torch.from_numpy(before(samples))).numpy()

    values = before(Samples(state.positions))
    have, want = np.mean(values**2, axis=0), np.diagonal(state.gram)
    values = values * np.sqrt(np.divide(want, have, out=np.ones_like(want), where=have > 0))
    out = run(torch.from_numpy(values)).numpy()
    few = int(np.clip(_NUMBERS // out.shape[1] ** 2, *_SAMPLES))
    where = functools.cache(lambda: _places(torch.from_numpy(values[:few]), run))

    new = replace(
        state,
        axes=axes,
        gram=out.T @ out / len(out),
        mean=out.mean(axis=0),
        gaussian=False,
        draw=draw,
        function=None,
    )
    return Done(new, ((key(step, 0), Routed(where, state.positions)),), "maxima of sampled units")


def moved(g: np.ndarray, where: np.ndarray, slopes: np.ndarray, positions: int) -> np.ndarray:
    """Moments of gradients times slopes at positions that are others in each sample, (samples, outputs), in the mean.

    >>> moved(np.ones((1, 1)), np.array([[0], [0], [2], [1]]), np.ones((4, 1)), 3).diagonal().tolist()
    [0.5, 0.25, 0.25]
    """
    total = np.zeros((positions, positions))
    for at, slope in zip(where, slopes, strict=False):
        np.add.at(total, (at[:, None], at[None, :]), g * np.outer(slope, slope))
    return total / len(where)


def _places(values: torch.Tensor, run: Any) -> np.ndarray:
    """Which position each maximum is taken from: positions are ranked, so that values name them."""
    found = []
    for row in values:
        order = torch.argsort(row)
        rank = torch.empty_like(row)
        rank[order] = torch.arange(len(row), dtype=row.dtype)
        found.append(order[run(rank[None])[0].long()].numpy())
    return np.array(found)
