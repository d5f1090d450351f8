"""Forgetting between two data sets of a linear model (or last-layer features), before any training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.files import door as files
from widelimit.numerics.results import by_value
from widelimit.numerics.synapses import curvature
from widelimit.numerics.synapses.tasks import cost, held
from widelimit.theory.errors import ArgumentError

_STRENGTHS = tuple(np.geomspace(1e-3, 1e3, 25).tolist())


@by_value
@dataclass(frozen=True)
class Forecast:
    """Losses above each task's least, at each of `strengths` of the penalty: `forgetting` of the first, `new_loss`.

    `best_strength` has the least `total` of both; `joint_total` is that of training on both data sets at once, and
    `fine_tuning` the forgetting without a penalty. `importance`: what the penalty weighs parameters by.
    """

    strengths: np.ndarray
    forgetting: np.ndarray
    new_loss: np.ndarray
    total: np.ndarray
    best_strength: float
    joint_total: float
    fine_tuning: float
    importance: np.ndarray


def forecast(
    x_a: Any, y_a: Any, x_b: Any, y_b: Any, *, strengths: Any = None, method: str = "ewc"
) -> Forecast:
    """Return what a linear model with squared loss forgets of a first data set while it learns a second.

    The losses are |X w - y|^2 / (2 n), summed over outputs; the penalty is (strength/2) sum_k F_k (w_k - w_A,k)^2 with
    F the diagonal of the first data set's second moments ("ewc"), or all of them ("laplace"). No training is done.

    Args:
        x_a: first inputs or features, (samples, parameters): an array, or a file (.npy, .npz, text, Parquet).
        y_a: first targets, (samples,) or (samples, outputs).
        x_b: second inputs.
        y_b: second targets.
        strengths: of the penalty; default 25 from 0.001 to 1,000.
        method: ewc or laplace.

    Raises `ArgumentError` for shapes that do not fit, or fewer samples in the second set than parameters where its
    minimum is not unique and the penalty does not hold the rest.

    >>> x = np.eye(2)
    >>> found = forecast(x, [1.0, 0.0], x * [2.0, 1.0], [0.0, 1.0], strengths=[0.0, 1.0])
    >>> found.forgetting.round(6), round(found.fine_tuning, 6)
    (array([0.5   , 0.2225]), 0.5)
    """
    one, two = _task("a", x_a, y_a), _task("b", x_b, y_b)
    if one[0].shape != two[0].shape or one[1].shape[1] != two[1].shape[1]:
        raise ArgumentError(
            "x_b", "must have as many parameters and outputs as the first", but=f"has {len(two[0])}"
        )
    kind = arguments.choice("method", method, ("ewc", "laplace"))
    asked = arguments.non_negative("strengths", _STRENGTHS if strengths is None else strengths)
    grid = np.atleast_1d(asked)
    weights = one[0] if kind == "laplace" else np.diag(np.diag(one[0]))
    costs = np.array([_costs(one, two, strength * weights) for strength in grid])
    total = costs.sum(1)
    joint = sum(_costs(one, two, one[0]))
    free = _costs(one, two, 0 * weights)[0]
    kept = one[0] if kind == "laplace" else np.diag(one[0]).copy()
    return Forecast(grid, costs[:, 0], costs[:, 1], total, float(grid[total.argmin()]), joint, free, kept)


Task = tuple[np.ndarray, np.ndarray]  # second moments, and the least optimum of each output in columns


def _costs(one: Task, two: Task, penalty: np.ndarray) -> tuple[float, float]:
    old = new = 0.0
    for first, second in zip(one[1].T, two[1].T, strict=True):
        if penalty.any():
            moved, missed = held(two[0], second, penalty, first, "x_b")
        else:  # descent from the first optimum moves where the second task has curvature only
            values, vectors = curvature.eigen(two[0])
            moving = vectors[:, values > 0]
            moved = moving @ (moving.T @ (second - first))
            missed = moved - (second - first)
        old += cost(one[0], moved)
        new += cost(two[0], missed)
    return old, new


def _task(name: str, x: Any, y: Any) -> Task:
    x, y = (
        files.numbers(f"{letter}_{name}", one) if isinstance(one, str | Path) else one
        for letter, one in (("x", x), ("y", y))
    )
    inputs = arguments.real(f"x_{name}", x)
    if inputs.ndim != 2 or not inputs.size:
        raise ArgumentError(
            f"x_{name}", "must be of shape (samples, parameters)", but=f"has shape {inputs.shape}"
        )
    targets = arguments.real(f"y_{name}", y)
    if targets.ndim not in (1, 2) or len(targets) != len(inputs):
        must = f"must have {len(inputs)} rows, one for each sample"
        raise ArgumentError(f"y_{name}", must, but=f"has shape {targets.shape}")
    moments = inputs.T @ inputs / len(inputs)
    if not targets.size:
        raise ArgumentError(f"y_{name}", "must not be empty", but=f"has shape {targets.shape}")
    targets = targets.reshape(len(inputs), -1)
    return moments, np.linalg.lstsq(inputs, targets, rcond=None)[0]


def predict(
    curvature: float = 1.0,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    noise: float = 0.0,
    x_a: str | None = None,
    y_a: str | None = None,
    x_b: str | None = None,
    y_b: str | None = None,
    method: str = "ewc",
) -> dict[str, Any]:
    """Return the importance that synaptic intelligence gives a parameter; or what is forgotten between two data sets.

    Args:
        curvature: of the loss along the parameter, positive.
        learning_rate: of the descent, positive and below 2 / curvature.
        momentum: of the descent.
        noise: standard deviation of its gradient's noise.
        x_a: a file of first inputs or features (samples, parameters); then what a linear model forgets of them.
        y_a: a file of first targets.
        x_b: a file of second inputs.
        y_b: a file of second targets.
        method: of the penalty between the data sets, ewc or laplace.

    Returns omega over the squared displacement, and what noise adds to omega in a step of SGD and of Adam. With data:
    by strength of the penalty, the forgetting and both losses; the best strength; fine tuning and joint training.

    >>> found = predict(1.0, noise=0.5)
    >>> round(found["importance"], 6), round(found["sgd_noise"], 6), round(found["adam_noise"], 6)
    (0.526316, 0.026316, 0.005)
    """
    from widelimit.numerics.synapses.noise import adam_noise_rate, noisy_path_integral
    from widelimit.numerics.synapses.paths import diagonal

    sets = {"x_a": x_a, "y_a": y_a, "x_b": x_b, "y_b": y_b}
    if missing := [name for name, path in sets.items() if path is None]:
        if len(missing) < len(sets):
            raise ArgumentError(missing[0], "must be given with the other data", None)
        alone = diagonal(curvature, learning_rate=learning_rate, momentum=momentum)
        sgd = noisy_path_integral(curvature, 0.0, learning_rate=learning_rate, noise=noise, steps=None)
        return {
            "importance": alone,
            "sgd_noise": sgd,
            "adam_noise": adam_noise_rate(noise, learning_rate=learning_rate),
        }
    found = forecast(*sets.values(), method=method)
    return {
        "strength": found.strengths.tolist(),
        "forgetting": found.forgetting.tolist(),
        "new_loss": found.new_loss.tolist(),
        "best_strength": found.best_strength,
        "best_total": float(found.total.min()),
        "joint_total": found.joint_total,
        "fine_tuning": found.fine_tuning,
    }
