"""`schedule`: how many steps of which temperatures a learnt operator needs, so that its bound loses what is wanted.

Two losses pull apart. Each step costs the module's entropy production, however slow the walk; annealing costs less the
more steps it is spread over. The second is that of a linear operator with the correlations of the module's own walk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from widelimit.numerics import arguments
from widelimit.numerics.results import pictured
from widelimit.numerics.walkback import annealing
from widelimit.theory.errors import ArgumentError
from widelimit.validate.walkback.measuring import Measured, Operator, measured, walked

_MOST_STEPS = 100_000
_LEAST_CORRELATION = 1e-6  # of a direction that is forgotten in a step: annealing costs it next to nothing


@pictured
@dataclass(frozen=True)
class Schedule:
    """`temperatures` T_1 ... T_K, and the `gap` in nats that the bound is predicted to lose, with its `standard_error`.

    `gap` is `housekeeping`, K times the entropy production, and `annealing`, to which the end of the walk belongs.
    `least_gap`: what the best schedule of all loses, with `best_steps`. `contractions`: correlations of one step of the
    module's walk, one a direction. `measured`: its entropy production, and how it was found.
    """

    temperatures: tuple[float, ...]
    gap: float
    standard_error: float
    housekeeping: float
    annealing: float
    least_gap: float
    best_steps: int
    contractions: tuple[float, ...]
    measured: Measured


def schedule(
    module: Operator,
    start: Any,
    *,
    ratio: float,
    gap: float,
    path: int = 100,
    burn_in: int = 200,
    chains: int = 2000,
    seed: int = 0,
) -> Schedule:
    """Return the shortest geometric schedule whose bound loses no more than `gap`.

    gap(K) = K EP + sum_i [K g(a_i, r) + e(a_i, r)], r = ratio^(1/K), with g and e of `annealing_cost`
    (arXiv:1711.02282): K EP is measured on the module's walk, a_i are correlations of its neighbouring states. For a
    linear module and walks in their own steady state it is exact; others are taken for linear as far as annealing goes.

    Args:
        module: takes states (batch, dimensions), returns mean and log standard deviation of the next ones.
        start: states to start the module's own walk from, (batch, dimensions).
        ratio: of the last temperature to that of the data, above 1.
        gap: nats that may be lost, positive.
        path: steps that entropy production is summed along.
        burn_in: steps before that.
        chains: paths.
        seed: of the walk.

    Raises `ArgumentError` for a gap that no number of steps meets: the least one is told.
    """
    whole = arguments.number_within("ratio", ratio, 1.0, 1e30)
    wanted = float(arguments.positive("gap", arguments.finite_number("gap", gap)))
    here, generator, found = measured(module, start, path=path, burn_in=burn_in, chains=chains, seed=seed)
    contractions = _correlations(here, walked(module, here, generator))
    steps = np.unique(np.geomspace(1, _MOST_STEPS, 2000).astype(int))
    kept = max(found.entropy_production, 0.0) * steps
    lost = _annealing(contractions, whole, steps)
    total = kept + lost
    best = int(total.argmin())
    if total[best] > wanted:
        must = f"must be at least {total[best]:.4g}, what the best schedule loses ({steps[best]} steps)"
        help = "Entropy production of the module is lost in every step: train it to be reversible."
        raise ArgumentError("gap", must, wanted, help)
    first = int(np.argmax(total <= wanted))
    count = int(steps[first])
    error = count * found.standard_error
    heats = tuple((whole ** (np.arange(1, count + 1) / count)).tolist())
    return Schedule(
        heats,
        float(total[first]),
        float(error),
        float(kept[first]),
        float(lost[first]),
        float(total[best]),
        int(steps[best]),
        tuple(contractions.tolist()),
        found,
    )


def _annealing(contractions: np.ndarray, ratio: float, steps: np.ndarray) -> np.ndarray:
    """What a geometric schedule costs a reversible operator of these contractions, for each number of steps."""
    factors = ratio ** (1 / steps[:, None])
    each = annealing.annealing_cost(contractions, factor=factors)
    last = annealing.end_cost(contractions, factor=factors)
    return np.asarray(steps * np.sum(each, axis=1) + np.sum(last, axis=1))


def _correlations(here: torch.Tensor, after: torch.Tensor) -> np.ndarray:
    """Sizes of the correlations between neighbouring states, a number for each direction of the whitened states."""
    x, y = (one.double() - one.double().mean(0) for one in (here, after))
    spread, vectors = np.linalg.eigh((x.T @ x / len(x)).numpy())
    if spread.min() <= 1e-12 * spread.max():
        raise ArgumentError("module", "must move every direction of its states", but="leaves one at rest")
    white = vectors / np.sqrt(spread)
    across = white.T @ (x.T @ y / len(x)).numpy() @ white
    sizes = np.abs(np.linalg.eigvalsh((across + across.T) / 2))
    return np.clip(sizes, _LEAST_CORRELATION, 1 - 1e-9)
