"""`track`: what an optimiser's steps do to the loss, parameter by parameter, without changing a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from widelimit.numerics import arguments
from widelimit.numerics.results import pictured
from widelimit.theory.errors import ArgumentError

Loss = Callable[[], Tensor]


@pictured
class Tracker:
    """Path integrals of an optimiser, made by `track`.

    After every step of the optimiser, for each of its parameters: ``path_integral``, omega = - sum g Delta, with the
    gradient that the step was taken with; ``displacement``, start less here. Parameters stand in the order in which the
    optimiser has them.

    With an `independent` loss the same is summed with that loss's gradient before each step (``independent_path``):
    what is left of omega where the step's own noise is not in the gradient.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, independent: Loss | None = None) -> None:
        self.optimizer = optimizer
        self.independent = independent
        self.steps = 0
        self.parameters = [one for group in optimizer.param_groups for one in group["params"]]
        self.path_integral = [torch.zeros_like(one, dtype=torch.float64) for one in self.parameters]
        self.independent_path = [one.clone() for one in self.path_integral]
        self._start = [one.detach().double().clone() for one in self.parameters]
        self._before: list[tuple[Tensor, Tensor | None, Tensor | None]] = []
        self._last: list[tuple[Tensor, Tensor | None]] = []
        self._bend = 0.0
        self._hooks = [
            optimizer.register_step_pre_hook(self._pre),
            optimizer.register_step_post_hook(self._post),
        ]

    @property
    def displacement(self) -> list[Tensor]:
        """Start less where the parameters are now."""
        return [
            start - one.detach().double() for start, one in zip(self._start, self.parameters, strict=True)
        ]

    def importance(self, damping: float = 1e-3) -> list[Tensor]:
        """Return Omega = omega / (Delta^2 + xi) of every parameter, negative ones set to 0 (zenke2017continual)."""
        xi = arguments.positive_number("damping", damping)
        pairs = zip(self.path_integral, self.displacement, strict=True)
        return [(omega / (moved**2 + xi)).clamp(min=0.0) for omega, moved in pairs]

    @property
    def total(self) -> float:
        """The sum of omega over all parameters: the loss lost, as the steps' own gradients tell it."""
        return float(sum(one.sum() for one in self.path_integral))

    @property
    def noise_share(self) -> float:
        """The share of the total that is the steps' own gradient noise: 1 less what an independent batch's sees.

        Raises `ArgumentError` where no independent loss was given.
        """
        if self.independent is None:
            help = "Such as track(optimizer, independent=lambda: loss(model(x), y))."
            raise ArgumentError(
                "independent", "must be a function that returns a loss", but="was not given", help=help
            )
        seen = float(sum(one.sum() for one in self.independent_path))
        return 1 - seen / self.total if self.total else 0.0

    def residual(self, first_loss: float, last_loss: float) -> float:
        """Return how far omega is from the identity sum omega = E(0) - E(T) + sum Delta' H Delta / 2.

        The last sum is measured as half of (g after - g before) . Delta, which is exact for a quadratic loss on a fixed
        batch; gradients after the last step have to be there (one more backward pass). The residual is 0 for any
        optimiser on such a loss; elsewhere it is what curvature changes along the way, and noise.
        """
        first, last = (
            arguments.finite_number(name, value)
            for name, value in (("first_loss", first_loss), ("last_loss", last_loss))
        )
        bend = self._bend + self._bent([one.grad for one in self.parameters])
        return self.total - (first - last) - bend

    def reset(self) -> Tracker:
        """Start again from here, as for a new task; the tracker is returned."""
        for one in (*self.path_integral, *self.independent_path):
            one.zero_()
        self._start = [one.detach().double().clone() for one in self.parameters]
        self._last, self._bend, self.steps = [], 0.0, 0
        return self

    def stop(self) -> None:
        """Take the hooks off the optimiser."""
        for hook in self._hooks:
            hook.remove()

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _pre(self, *_: Any) -> None:
        gradients = [
            None if one.grad is None else one.grad.detach().double().clone() for one in self.parameters
        ]
        self._bend += self._bent(gradients)
        others = self._others()
        places = [one.detach().double().clone() for one in self.parameters]
        self._before = list(zip(places, gradients, others, strict=True))

    def _others(self) -> list[Tensor | None]:
        if self.independent is None:
            return [None] * len(self.parameters)
        with torch.enable_grad():
            wanted = [one for one in self.parameters if one.requires_grad]
            parts = iter(torch.autograd.grad(self.independent(), wanted, allow_unused=True))
        found = [next(parts) if one.requires_grad else None for one in self.parameters]
        return [None if one is None else one.detach().double() for one in found]

    def _post(self, *_: Any) -> None:
        self._last = []
        for index, (one, (place, gradient, other)) in enumerate(
            zip(self.parameters, self._before, strict=True)
        ):
            moved = one.detach().double() - place
            if gradient is not None:
                self.path_integral[index] -= gradient * moved
            if other is not None:
                self.independent_path[index] -= other * moved
            self._last.append((moved, gradient))
        self._before = []
        self.steps += 1

    def _bent(self, now: list[Any]) -> float:
        """Half of (g now - g before the last step) times that step."""
        total = 0.0
        for (moved, before), gradient in zip(self._last, now, strict=False):
            if before is not None and gradient is not None:
                total += float(((gradient.detach().double() - before) * moved).sum()) / 2
        return total


def track(optimizer: torch.optim.Optimizer, independent: Loss | None = None) -> Tracker:
    """Record the path integrals of any torch optimiser, whose steps stay what they are.

    Args:
        optimizer: any of torch.optim, or of that interface (step hooks).
        independent: a function that returns the loss of an independent batch at the current parameters; called before
            every step. It tells what share of omega is noise.

    Raises `ArgumentError` for what is no optimiser.

    >>> w = torch.tensor([1.0, 1.0], dtype=torch.float64, requires_grad=True)
    >>> optimizer = torch.optim.SGD([w], lr=0.5)
    >>> tracker = track(optimizer)
    >>> for _ in range(200):
    ...     optimizer.zero_grad()
    ...     (w**2 * torch.tensor([0.5, 0.05])).sum().backward()
    ...     optimizer.step()
    >>> tracker.path_integral[0].numpy().round(6)  # lambda / (2 - eta lambda)
    array([0.666667, 0.051282])
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ArgumentError("optimizer", "must be a torch.optim.Optimizer", optimizer)
    if independent is not None and not callable(independent):
        raise ArgumentError("independent", "must be a function that returns a loss", independent)
    return Tracker(optimizer, independent)
