"""Attacks on a classifier in an l_inf ball: each returns which inputs it has broken.

Points are judged by the classifier itself, in its own precision; inputs that it gets wrong without any attack count as
broken. Gradients may come from a copy in another precision, from stabilised backward passes, or from another module.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from widelimit.numerics.results import by_value
from widelimit.validate.robustness.smoothed import stabilised

Loss = Callable[[Tensor, Tensor], Tensor]
_AT_ONCE = 2**22  # numbers of a batch
_PACE = 2.5  # steps of an iterated attack come to so many radii


def cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    """Return the loss that a network is trained by, of each input."""
    return functional.cross_entropy(z, y, reduction="none")


def margin(z: Tensor, y: Tensor) -> Tensor:
    """Return by how much the best other logit is above that of the label."""
    own = z.gather(1, y[:, None])[:, 0]
    return z.scatter(1, y[:, None], -torch.inf).amax(1) - own


LOSSES: dict[str, Loss] = {"loss": cross_entropy, "logits": margin}


@by_value
@dataclass(frozen=True)
class Target:
    """A classifier, inputs with their labels, and the ends of what each number of an input may become."""

    module: nn.Module
    x: Tensor
    y: Tensor
    low: Tensor
    high: Tensor
    radius: float

    @classmethod
    def of(
        cls, module: nn.Module, x: Tensor, y: Tensor, radius: float, box: tuple[float, float] | None
    ) -> Target:
        """Return the target of an l_inf attack of a radius, inside a box if there is one."""
        low, high = x - radius, x + radius
        if box is not None:
            low, high = low.clamp(min=box[0]), high.clamp(max=box[1])
        return cls(module, x, y, low, high, radius)

    def only(self, rows: Tensor) -> Target:
        """Return the target of some of the inputs."""
        return Target(self.module, self.x[rows], self.y[rows], self.low[rows], self.high[rows], self.radius)

    def kept(self, points: Tensor) -> Tensor:
        """Return points moved into the ball and the box."""
        return torch.minimum(torch.maximum(points.to(self.x.dtype), self.low), self.high)

    def excess(self, points: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the margin of the best other logit at points, in batches."""
        y = self.y if y is None else y
        each = max(1, _AT_ONCE // max(1, points[0].numel()))
        with torch.no_grad():
            parts = [
                margin(self.module(one), other)
                for one, other in zip(points.split(each), y.split(each), strict=True)
            ]
        return torch.nan_to_num(torch.cat(parts), nan=-torch.inf)

    def wrong(self, points: Tensor) -> Tensor:
        """Return which points the classifier gets wrong: another class is the first of the largest."""
        each = max(1, _AT_ONCE // max(1, points[0].numel()))
        with torch.no_grad():
            guesses = torch.cat([self.module(one).argmax(1) for one in points.split(each)])
        return guesses != self.y


def gradient(
    module: nn.Module, points: Tensor, y: Tensor, loss: Loss, dtype: torch.dtype, spread: float | None = None
) -> Tensor:
    """Return the gradient of a loss at points, in a precision, by a stabilised backward pass if a spread is given."""
    each = max(1, _AT_ONCE // max(1, points[0].numel()))
    parts = []
    for one, other in zip(points.split(each), y.split(each), strict=True):
        at = one.to(dtype).detach().requires_grad_()
        context = contextlib.nullcontext() if spread is None else stabilised(spread)
        with torch.enable_grad(), context:
            total = loss(module(at), other).sum()
        (found,) = torch.autograd.grad(total, at)
        parts.append(torch.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0))
    return torch.cat(parts)


def fgsm(target: Target, module: nn.Module, loss: Loss, dtype: torch.dtype) -> Tensor:
    """Return which inputs one step along the sign of the gradient breaks; sign(0) = 0."""
    slope = gradient(module, target.x, target.y, loss, dtype).sign()
    points = target.kept(target.x + target.radius * slope.to(target.x.dtype))
    return target.wrong(target.x) | target.wrong(points)


def iterated(
    target: Target,
    module: nn.Module,
    loss: Loss,
    dtype: torch.dtype,
    steps: int,
    spread: float | None = None,
) -> Tensor:
    """Return which inputs projected gradient ascent breaks on its way; gradients may be another module's."""
    broken = target.wrong(target.x)
    points, pace = target.x.clone(), _PACE * target.radius / steps
    for _ in range(steps):
        rows = (~broken).nonzero()[:, 0]
        if not len(rows):
            break
        alive = target.only(rows)
        slope = gradient(module, points[rows], alive.y, loss, dtype, spread).sign()
        points[rows] = alive.kept(points[rows] + pace * slope.to(points.dtype))
        broken[rows] = alive.wrong(points[rows])
    return broken


def spsa(target: Target, generator: torch.Generator, steps: int, pairs: int) -> Tensor:
    """Return which inputs ascent along gradients estimated from values alone breaks: simultaneous perturbations.

    Margins at pairs of points in random directions of signs, a radius apart, estimate the gradient of the margin
    averaged over the ball: plateaus of a saturated network have none, their averages have.
    """
    broken = target.wrong(target.x)
    points, pace = target.x.clone(), _PACE * target.radius / steps
    for _ in range(steps):
        rows = (~broken).nonzero()[:, 0]
        if not len(rows):
            break
        for some in rows.split(max(1, _AT_ONCE // (2 * pairs * target.x[0].numel()))):
            alive = target.only(some)
            slope = _estimated(alive, points[some], generator, pairs)
            points[some] = alive.kept(points[some] + pace * slope.sign())
            broken[some] = alive.wrong(points[some])
    return broken


def _estimated(target: Target, points: Tensor, generator: torch.Generator, pairs: int) -> Tensor:
    shape = (pairs, *points.shape)
    signs = _signs(shape, generator, points)
    ends = [
        torch.minimum(torch.maximum(points + k * target.radius * signs, target.low), target.high)
        for k in (1, -1)
    ]
    both = torch.stack(ends).flatten(0, 2)
    values = target.excess(both, target.y.repeat(2 * pairs)).clamp(-1e30, 1e30).view(2, pairs, len(points))
    change = (values[0] - values[1]).view(pairs, len(points), *[1] * (points.dim() - 1))
    return (change * signs).mean(0)


def random_search(target: Target, generator: torch.Generator, queries: int) -> Tensor:
    """Return which inputs a random search over the corners of the ball breaks, from values of the margin alone.

    Blocks of coordinates get new signs, fewer with time, and are kept where the margin does not fall.
    """
    broken = target.wrong(target.x)
    points = target.kept(target.x + target.radius * _signs(target.x.shape, generator, target.x))
    best = target.excess(points)
    broken |= target.wrong(points)
    size = target.x[0].numel()
    for query in range(queries):
        rows = (~broken).nonzero()[:, 0]
        if not len(rows):
            break
        alive = target.only(rows)
        share = max(0.5 * (1 - query / queries) ** 2, 1.0 / size)
        chosen = (
            torch.rand(alive.x.shape, generator=generator, dtype=torch.float64).to(alive.x.device) < share
        )
        fresh = alive.kept(alive.x + target.radius * _signs(alive.x.shape, generator, alive.x))
        trial = torch.where(chosen, fresh, points[rows])
        value = alive.excess(trial)
        better = value >= best[rows]
        points[rows[better]], best[rows[better]] = trial[better], value[better]
        broken[rows] = alive.wrong(trial)
    return broken


def _signs(shape: tuple[int, ...] | torch.Size, generator: torch.Generator, like: Tensor) -> Tensor:
    drawn = torch.randint(2, tuple(shape), generator=generator)
    return (2 * drawn - 1).to(device=like.device, dtype=like.dtype)
