"""A linear-Gaussian operator fitted to a trajectory: how irreversible are these data at least?"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.files.door import numbers
from widelimit.numerics.results import by_value
from widelimit.numerics.walkback.annealing import annealing_cost
from widelimit.numerics.walkback.gaussian import entropy_production
from widelimit.theory import walkback as theory
from widelimit.theory.errors import ArgumentError

_BLOCKS = 20  # of the jackknife


@by_value
@dataclass(frozen=True)
class Fit:
    """`transition`, `noise`: of s' = A s + n by least squares about the mean; `entropy_production` per step, in nats.

    `standard_error`: by leaving out one of twenty stretches at a time; `bias` of the estimate by the same, which is
    subtracted. The entropy production of the whole process is at least that of its linear-Gaussian part.
    """

    transition: np.ndarray
    noise: np.ndarray
    entropy_production: float
    standard_error: float
    bias: float


def fit(trajectory: Any) -> Fit:
    """Fit a linear-Gaussian operator to a trajectory, and return its entropy production.

    Args:
        trajectory: (times, dimensions), equally spaced; or a file of it (.npy, .npz, text).

    Raises `ArgumentError` for other shapes, constant coordinates, fewer times than twenty for each dimension, or a
    fitted operator without a stationary state (a trend).

    >>> rng = np.random.default_rng(0)
    >>> x = np.zeros((4000, 2))
    >>> for t in range(1, 4000):
    ...     x[t] = [[0.6, 0.3], [-0.2, 0.5]] @ x[t - 1] + rng.standard_normal(2)
    >>> found = fit(x)
    >>> truth = entropy_production([[0.6, 0.3], [-0.2, 0.5]], np.eye(2))
    >>> abs(found.entropy_production - truth) < 4 * found.standard_error
    True
    """
    given = numbers("trajectory", trajectory) if isinstance(trajectory, str | Path) else trajectory
    array = arguments.real("trajectory", given)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or len(array) < 20 * (array.shape[1] + 1):
        must = "must be of shape (times, dimensions) with twenty times or more for each dimension"
        raise ArgumentError("trajectory", must, but=f"has shape {array.shape}")
    spread = array.std(0)
    if (spread == 0).any():
        raise ArgumentError(
            "trajectory", "must move in every coordinate", but=f"does not in {int(spread.argmin())}"
        )
    scaled = (array - array.mean(0)) / spread
    before, after = scaled[:-1], scaled[1:]
    blocks = np.array_split(np.arange(len(before)), _BLOCKS)
    whole = [
        (before[one].T @ before[one], after[one].T @ before[one], after[one].T @ after[one]) for one in blocks
    ]
    sums = [np.sum(part, axis=0) for part in zip(*whole, strict=True)]
    full = _produced(sums, len(before))
    left = []
    for one, block in zip(whole, blocks, strict=True):
        rest = [total - part for total, part in zip(sums, one, strict=True)]
        left.append(_produced(rest, len(before) - len(block))[2])
    mean = float(np.mean(left))
    bias = (_BLOCKS - 1) * (mean - full[2])
    error = float(np.sqrt((_BLOCKS - 1) / _BLOCKS * np.sum((np.array(left) - mean) ** 2)))
    back = np.diag(spread)
    transition = back @ full[0] @ np.linalg.inv(back)
    return Fit(transition, back @ full[1] @ back, max(full[2] - bias, 0.0), error, float(bias))


def _produced(sums: list[np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray, float]:
    inside, across, outside = sums
    a = np.linalg.solve(inside, across.T).T
    d = (outside - a @ across.T) / count
    try:
        return a, d, float(entropy_production(a, (d + d.T) / 2))
    except ArgumentError as error:
        help = "Take out trends, or coordinates that follow from others."
        must = "must have a linear fit with a stationary state"
        raise ArgumentError("trajectory", must, but=f"has none ({error})", help=help) from None


def predict(
    contraction: float = 0.8,
    angle: float = 0.6,
    factor: float = 1.1,
    steps: int = 10,
    trajectory: str | None = None,
) -> dict[str, float]:
    """Return entropy production and annealing cost of an operator that turns and shrinks the plane, A = a R(p), D = I.

    Args:
        contraction: a, from above 0 to below 1.
        angle: p, in radians.
        factor: of the temperature in a step.
        steps: of the walk.
        trajectory: a file (.npy, .npz, text) of (times, dimensions); then the entropy production of its linear fit.

    >>> found = predict(0.8, 0.6, factor=1.3)
    >>> round(found["entropy_production"], 6), round(found["residual"], 6), round(found["annealing"], 6)
    (2.267172, 6.534345, 0.987279)
    """
    if trajectory is not None:
        found = fit(trajectory)
        return {"entropy_production": found.entropy_production, "standard_error": found.standard_error}
    a, p = (
        arguments.number_within("contraction", contraction, 1e-12, 1 - 1e-12),
        arguments.finite_number("angle", angle),
    )
    count = arguments.count("steps", steps)
    produced, residual = _rotation()(a, p)
    annealed = 2 * count * annealing_cost(a, factor=factor)
    return {
        "entropy_production": produced,
        "gap": count * produced,
        "residual": residual,
        "annealing": annealed,
    }


@functools.cache
def _rotation() -> Compiled:
    formulas = (theory.rotation_entropy(), theory.rotation_residual())
    return compile(formulas, (theory.CONTRACTION, theory.ANGLE), name="rotation")
