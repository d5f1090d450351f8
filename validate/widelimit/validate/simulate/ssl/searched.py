"""Thresholds, found by networks that survive or collapse: a grid, refined where the two meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.ssl.networks import (
    Moments,
    Setting,
    State,
    isotropic,
    learn,
    normals,
    orthogonal,
    trace,
)

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

_GRID, _ROUNDS, _WIDTH = 12, 3, 2


def _search(
    low: float, high: float, at_low: bool, seeds: Sequence[int], backend: Backend,
    lives: Callable[[torch.Tensor], np.ndarray],
) -> np.ndarray:  # fmt: skip
    """Where networks no longer do as `at_low`, between `low` and `high`; one search a replicate, random grids."""
    import torch

    phase = np.array([np.random.default_rng(seed).random() for seed in seeds])
    left, right = np.full(len(seeds), low), np.full(len(seeds), high)
    every = np.arange(len(seeds))
    for _ in range(_ROUNDS):
        share = (np.arange(_GRID) + phase[:, None]) / _GRID
        grid = left[:, None] + (right - left)[:, None] * share
        tried = torch.tensor(grid.reshape(-1), dtype=backend.dtype, device=backend.device)
        same = np.cumprod(lives(tried).reshape(grid.shape) == at_low, axis=1).sum(1)
        ends = np.concatenate([left[:, None], grid, right[:, None]], axis=1)
        left, right = ends[every, same], ends[every, same + 1]
    return ((left + right) / 2)[:, None]


def _networks(online: torch.Tensor, predictor: torch.Tensor, seeds: Sequence[int], backend: Backend) -> State:
    """Rotated networks of equal modes, `_GRID` for each replicate."""
    import torch

    turn = orthogonal(normals(seeds, backend, _WIDTH, _WIDTH)).repeat_interleave(_GRID, dim=0)
    eye = torch.eye(_WIDTH, dtype=backend.dtype, device=backend.device)
    return State(online[:, None, None] * turn, predictor[:, None, None] * eye)


def _outcome(state: State, moments: Moments, setting: Setting, size: int) -> np.ndarray:
    """Which networks have a predictor to speak of after a time of 400, or as soon as all are decided."""
    for _ in range(20):
        state = learn(state, moments, setting, 1 / size, 20 * size)
        mean = trace(state.predictor)
        if bool(((mean > 0.3) | (mean < 0.01)).all()):
            break
    return (mean > 0.15).cpu().numpy()


def critical_decay(
    inputs: Mapping[str, Any], size: int, seeds: Sequence[int], backend: Backend
) -> np.ndarray:
    """The weight decay at which networks that start large no longer live after a time of 2000."""
    moments = isotropic(_GRID * len(seeds), _WIDTH, float(inputs["augmentation"]), backend)

    def lives(decay: torch.Tensor) -> np.ndarray:
        one = decay * 0 + 0.7
        setting = Setting(decay=decay[:, None, None], scale=float(inputs["target_scale"]))
        end = learn(_networks(one, one, seeds, backend), moments, setting, 1.0, 2000)
        return (trace(end.online @ end.online.mT) > 1e-3).cpu().numpy()

    return _search(0.0, 0.5, True, seeds, backend, lives)


def critical_covariance(
    inputs: Mapping[str, Any], size: int, seeds: Sequence[int], backend: Backend
) -> np.ndarray:
    """log of the covariance above which networks of a given predictor live; steps of length 1/size."""
    moments = isotropic(_GRID * len(seeds), _WIDTH, float(inputs["augmentation"]), backend)
    setting = Setting(decay=float(inputs["weight_decay"]))

    def lives(logs: torch.Tensor) -> np.ndarray:
        state = _networks((logs / 2).exp(), 0 * logs + float(inputs["predictor"]), seeds, backend)
        return _outcome(state, moments, setting, size)

    return _search(-9.0, 0.0, False, seeds, backend, lives)


def critical_start(
    inputs: Mapping[str, Any], size: int, seeds: Sequence[int], backend: Backend
) -> np.ndarray:
    """The predictor p, with covariance p^2 and a target at zero, above which networks live; steps of length 1/size."""
    import torch

    moments = isotropic(_GRID * len(seeds), _WIDTH, float(inputs["augmentation"]), backend)
    setting = Setting(decay=float(inputs["weight_decay"]), ema=float(inputs["ema_rate"]))

    def lives(p: torch.Tensor) -> np.ndarray:
        begin = _networks(p, p, seeds, backend)
        state = State(begin.online, begin.predictor, torch.zeros_like(begin.online))
        return _outcome(state, moments, setting, size)

    return _search(0.01, 0.3, False, seeds, backend, lives)
