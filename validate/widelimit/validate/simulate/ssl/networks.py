"""Gradient steps of an online network W, a target W_a and a predictor W_p, many replicates at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from widelimit.numerics.results import by_value

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

Moments = tuple[Any, Any]  # signal and augmentation, replicates x features x features


@by_value
@dataclass(frozen=True)
class State:
    """Matrices of all replicates; `target` None: `scale` times the online network."""

    online: torch.Tensor
    predictor: torch.Tensor
    target: torch.Tensor | None = None


@by_value
@dataclass(frozen=True)
class Setting:
    """How they learn. `power`: the predictor is the covariance to that power, plus `floor` times its top eigenvalue."""

    decay: Any = 0.0
    rate: float = 1.0
    ema: float | None = None
    scale: float = 1.0
    power: float | None = None
    floor: float = 0.0
    symmetric: bool = False


def normals(seeds: Sequence[int], backend: Backend, *shape: int) -> torch.Tensor:
    """Standard normals of each replicate, from its own generator."""
    import torch

    options: dict[str, Any] = {"dtype": backend.dtype, "device": backend.device}
    return torch.stack([torch.randn(*shape, generator=backend.generator(seed), **options) for seed in seeds])


def orthogonal(gaussian: torch.Tensor) -> torch.Tensor:
    """Random rotations from Gaussian matrices."""
    import torch

    q, r = torch.linalg.qr(gaussian)
    return q * torch.sign(torch.diagonal(r, dim1=-2, dim2=-1))[..., None, :]


def ruled(online: torch.Tensor, setting: Setting) -> torch.Tensor:
    """The predictor that the covariance of features sets."""
    import torch

    covariance = online @ online.mT
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp_min(0.0)
    predicted = values ** float(setting.power or 1.0) + setting.floor * values[..., -1:]
    return (vectors * predicted[..., None, :]) @ vectors.mT


def step(state: State, moments: Moments, setting: Setting, length: float) -> State:
    """One step of gradient descent on half the mean square error, with the target as a constant."""
    signal, spread = moments
    w = state.online
    p = state.predictor if setting.power is None else ruled(w, setting)
    target = setting.scale * w if state.target is None else state.target
    back = target @ signal - p @ w @ (signal + spread)
    along = back @ w.mT
    if setting.symmetric:
        along = (along + along.mT) / 2
    decay = setting.decay
    online = w + length * (p.mT @ back - decay * w)
    predictor = p + length * (setting.rate * along - decay * p) if setting.power is None else p
    if state.target is not None and setting.ema is not None:
        return State(online, predictor, state.target + length * setting.ema * (w - state.target))
    return replace(state, online=online, predictor=predictor)


def learn(
    state: State,
    moments: Moments | Callable[[], Moments],
    setting: Setting,
    length: float,
    steps: int,
    seen: Callable[[int, State], Any] | None = None,
) -> State:
    """Take many steps; `moments` may be drawn anew for each, `seen` is told every state."""
    for number in range(steps):
        if seen is not None:
            seen(number, state)
        state = step(state, moments() if callable(moments) else moments, setting, length)
    return state


def isotropic(count: int, size: int, spread: float, backend: Backend, signal: float = 1.0) -> Moments:
    """Data that look alike in all directions."""
    import torch

    eye = torch.eye(size, dtype=backend.dtype, device=backend.device).expand(count, size, size)
    return signal * eye, spread * eye


def trace(matrix: torch.Tensor) -> torch.Tensor:
    """Mean of the diagonal."""
    import torch

    return torch.diagonal(matrix, dim1=-2, dim2=-1).mean(-1)
