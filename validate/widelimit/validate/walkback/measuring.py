"""`measure`: how irreversible a learnt transition operator is, and what its walkback bound loses to that."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from widelimit.numerics import arguments
from widelimit.numerics.results import pictured
from widelimit.theory.errors import ArgumentError

Operator = Callable[[Tensor], tuple[Tensor, Tensor]]
_LEAST = 30.0  # of log standard deviations: beyond, a density is no number


@pictured
@dataclass(frozen=True)
class Walk:
    """The bound on data: `bound`, its standard error `bound_error`, `terms` of each step and `end`, E log p(s_K)."""

    bound: float
    bound_error: float
    terms: tuple[float, ...]
    end: float


@pictured
@dataclass(frozen=True)
class Measured:
    """`entropy_production` per step in nats, on the module's own walk at temperature 1, with its `standard_error`.

    `path`: steps of each path that it was summed along, of `chains` paths. `moved`: by how many standard errors the
    mean square of the states changed over the paths; a walk that has not settled moves by many. `walk`: the bound on
    data, None where no data were given. `housekeeping`: entropy production times the steps of the walk, what the bound
    loses at stationarity; what is lost besides is annealing and the data's own relaxation.
    """

    entropy_production: float
    standard_error: float
    path: int
    chains: int
    moved: float
    walk: Walk | None
    housekeeping: float | None


def measure(
    module: Operator,
    start: Any,
    *,
    data: Any = None,
    temperatures: Sequence[float] = (1.0,),
    prior: Callable[[Tensor], Tensor] | None = None,
    path: int = 100,
    burn_in: int = 200,
    chains: int = 2000,
    seed: int = 0,
) -> Measured:
    """Measure entropy production and walkback bound of a Gaussian transition operator.

    The log ratio log T(s'|s) - log T(s|s') is summed along paths: of each step it has a deviation near 1 whatever the
    entropy production, which telescopes along a path.

    Args:
        module: takes states (batch, dimensions), returns mean and log standard deviation of the next ones, each of that
            shape (the second may broadcast).
        start: states to start the module's own walk from, (batch, dimensions).
        data: states to walk away from for the bound, (batch, dimensions).
        temperatures: T_1 ... T_K of that walk, factors of the variance.
        prior: log density of s_K, a function (batch, dimensions) -> (batch,); needed with data.
        path: steps that the ratio is summed along.
        burn_in: steps before that; twenty relaxation times or more.
        chains: paths.
        seed: of the walk.

    Raises `ArgumentError` for states or outputs of other shapes, outputs that are not finite, or data without a prior.
    """
    _, generator, own = measured(module, start, path=path, burn_in=burn_in, chains=chains, seed=seed)
    if data is None:
        return own
    with torch.no_grad():
        walk = _walk(module, _states("data", data), temperatures, prior, generator)
    return replace(own, walk=walk, housekeeping=own.entropy_production * len(walk.terms))


def measured(
    module: Operator, start: Any, *, path: int, burn_in: int, chains: int, seed: int
) -> tuple[Tensor, torch.Generator, Measured]:
    """Walk, and return where the chains end, the generator, and the entropy production that was found."""
    states = _states("start", start)
    steps, before = arguments.count("path", path), arguments.count("burn_in", burn_in, least=0)
    count = arguments.count("chains", chains, least=2)
    generator = torch.Generator(device=states.device).manual_seed(arguments.count("seed", seed, least=0))
    with torch.no_grad():
        chosen = torch.randint(len(states), (count,), generator=generator, device=states.device)
        here = states[chosen]
        for _ in range(before):
            here = walked(module, here, generator)
        first, total = here.square().sum(1), torch.zeros(count, dtype=torch.float64, device=states.device)
        for _ in range(steps):
            here, ratio = _step(module, here, 1.0, generator)
            total += ratio
    change = (here.square().sum(1) - first).double()
    spread = float(change.std()) / math.sqrt(count)
    moved = abs(float(change.mean())) / spread if spread > 0 else 0.0
    each = total / steps
    produced, error = float(each.mean()), float(each.std()) / math.sqrt(count)
    return here, generator, Measured(produced, error, steps, count, moved, None, None)


def walked(module: Operator, here: Tensor, generator: torch.Generator) -> Tensor:
    """The next states at temperature 1."""
    with torch.no_grad():
        return _step(module, here, 1.0, generator)[0]


def _walk(
    module: Operator, data: Tensor, temperatures: Sequence[float], prior: Any, generator: torch.Generator
) -> Walk:
    heats = arguments.positive("temperatures", list(temperatures)).tolist()
    if prior is None:
        help = "Such as torch.distributions.MultivariateNormal(mean, covariance).log_prob."
        raise ArgumentError("prior", "must be given with data", but="is missing", help=help)
    here, parts = data, []
    for heat in heats:
        here, ratio = _step(module, here, heat, generator)
        parts.append(-ratio)
    end = prior(here)
    if not isinstance(end, Tensor) or end.shape != (len(here),) or not bool(torch.isfinite(end).all()):
        raise ArgumentError("prior", f"must return {len(here)} finite log densities", end)
    # walks with opposite noise from the same data would not help: the bound is even in a walk, and data scatter more
    total = end.double() + torch.stack(parts).sum(0)
    error = float(total.std()) / math.sqrt(len(total)) if len(total) > 1 else math.inf
    return Walk(
        float(total.mean()), error, tuple(float(one.mean()) for one in parts), float(end.double().mean())
    )


def _step(module: Operator, here: Tensor, heat: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The next states, and log T(s'|s) - log T(s|s') of each."""
    mean, log_sd = _moments(module, here)
    noise = torch.randn(here.shape, generator=generator, device=here.device, dtype=here.dtype)
    after = mean + math.sqrt(heat) * log_sd.exp() * noise
    back, back_sd = _moments(module, after)
    ahead = -(noise.square() / 2 + log_sd).sum(1)
    behind = -(((here - back) / back_sd.exp()).square() / (2 * heat) + back_sd).sum(1)
    return after, (ahead - behind).double()


def _moments(module: Operator, here: Tensor) -> tuple[Tensor, Tensor]:
    found = module(here)
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise ArgumentError("module", "must return mean and log standard deviation", found)
    mean, log_sd = (torch.as_tensor(one, dtype=here.dtype, device=here.device) for one in found)
    if mean.shape != here.shape:
        must = f"must return means of shape {tuple(here.shape)}"
        raise ArgumentError("module", must, but=f"returns {tuple(mean.shape)}")
    try:
        log_sd = log_sd.expand(here.shape)
    except RuntimeError:
        must = f"must return log standard deviations of shape {tuple(here.shape)}"
        raise ArgumentError("module", must, but=f"returns {tuple(log_sd.shape)}") from None
    if (
        not bool(torch.isfinite(mean).all() and torch.isfinite(log_sd).all())
        or float(log_sd.abs().max()) > _LEAST
    ):
        raise ArgumentError(
            "module", "must return finite numbers", but="leaves their range: the walk runs away"
        )
    return mean, log_sd


def _states(name: str, value: Any) -> Tensor:
    states = value if isinstance(value, Tensor) else torch.from_numpy(arguments.real(name, value))
    if states.dim() != 2 or not states.numel() or not states.is_floating_point():
        raise ArgumentError(
            name, "must be of shape (batch, dimensions)", but=f"has shape {tuple(states.shape)}"
        )
    if not bool(torch.isfinite(states).all()):
        raise ArgumentError(name, "must be finite numbers", but="holds NaN or infinity")
    return states.detach()
