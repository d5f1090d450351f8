"""What is measured on networks as they learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.ssl.networks import (
    Setting,
    State,
    isotropic,
    learn,
    normals,
    orthogonal,
    ruled,
    trace,
)

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

Inputs = Mapping[str, Any]
TIMES = (1.0, 3.0)  # at which invariants and commutators are looked at


def _setting(inputs: Inputs, **more: Any) -> Setting:
    return Setting(decay=float(inputs["weight_decay"]), rate=float(inputs.get("predictor_rate", 1.0)), **more)


def _start(inputs: Inputs, seeds: Sequence[int], backend: Backend, size: int, blur: float) -> State:
    """All modes alike: rotated W, W_p a multiple of the identity; both blurred."""
    import torch

    noise = normals(seeds, backend, 3, size, size)
    eye = torch.eye(size, dtype=backend.dtype, device=backend.device)
    online = inputs["covariance"] ** 0.5 * orthogonal(noise[:, 0]) + blur * noise[:, 1]
    symmetric = (noise[:, 2] + noise[:, 2].mT) / 2
    return State(online, inputs["predictor"] * eye + blur * symmetric)


def _columns(*values: torch.Tensor) -> np.ndarray:
    return np.stack([one.cpu().numpy() for one in values], axis=-1)


def invariants(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Share of W W' - W_p' W_p/alpha_p that is left, and the angle between what its two parts gained.

    Signal, noise, start and a moving target are random, and nothing of it commutes.
    """
    setting = _setting(inputs, ema=0.5)
    drawn = normals(seeds, backend, 5, 6, 6) / 6**0.5
    moments = (drawn[:, 0] @ drawn[:, 0].mT, drawn[:, 1] @ drawn[:, 1].mT)
    state = State(drawn[:, 2, :4], 0.7 * drawn[:, 3, :4, :4], drawn[:, 4, :4])

    def parts(state: State) -> tuple[torch.Tensor, torch.Tensor]:
        return state.online @ state.online.mT, state.predictor.mT @ state.predictor / setting.rate

    first, found, before = parts(state), [], 0
    for time in TIMES:
        state = learn(state, moments, setting, 1 / size, round(time * size) - before)
        before = round(time * size)
        now = parts(state)
        start, left = first[0] - first[1], now[0] - now[1]
        found.append((left * start).sum((-2, -1)) / (start**2).sum((-2, -1)))
        forgotten = float(np.exp(-2 * setting.decay * time))
        one, other = (after - forgotten * begin for after, begin in zip(now, first, strict=True))
        lengths = ((one**2).sum((-2, -1)) * (other**2).sum((-2, -1))).sqrt()
        found.append(((one * other).sum((-2, -1)) / lengths).acos())
    return _columns(*found)


def settled(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Mean eigenvalues of predictor and covariance while networks learn from batches of 64 views."""
    import torch

    count, width, batch = len(seeds), 4, 64
    spread = float(inputs["augmentation"]) ** 0.5
    generators = [backend.generator(seed + 1) for seed in seeds]
    options: dict[str, Any] = {"dtype": backend.dtype, "device": backend.device}
    eye = torch.eye(width, **options)

    def moments() -> tuple[torch.Tensor, torch.Tensor]:
        draws = torch.stack([torch.randn(3, batch, width, generator=one, **options) for one in generators])
        first, second = (draws[:, 0] + spread * draws[:, k] for k in (1, 2))
        cross = second.mT @ first / batch
        return cross, first.mT @ first / batch - cross

    start = 0.6 * eye.expand(count, width, width)
    state = State(
        start / float(inputs["predictor_rate"]) ** 0.5, start
    )  # what decays at 2 eta would take long
    sums: list[torch.Tensor] = []

    def seen(number: int, state: State) -> None:
        if number >= 10 * size:
            sums.append(torch.stack([trace(state.predictor), trace(state.online @ state.online.mT)], dim=-1))

    learn(state, moments, _setting(inputs), 1 / size, 30 * size, seen)
    return torch.stack(sums).mean(0).cpu().numpy()


def passage(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Time at which the mean eigenvalue of the predictor passes `stop`."""
    at = {"covariance": float(inputs["start"]) ** 2, "predictor": float(inputs["start"])}
    return _crossing(inputs, at, [float(inputs["stop"])], size, seeds, backend)[:, 0, None]


def _crossing(
    inputs: Inputs,
    at: Inputs,
    stops: Sequence[float],
    size: int,
    seeds: Sequence[int],
    backend: Backend,
    most: float = 4000.0,
) -> np.ndarray:
    """Times at which the mean eigenvalue of the predictor passes each of `stops`, between steps by a line."""
    state = _start(at, seeds, backend, 4, 1e-4)
    moments = isotropic(len(seeds), 4, float(inputs["augmentation"]), backend)
    setting, found = _setting(inputs), np.full((len(seeds), len(stops)), np.nan)
    before = trace(state.predictor).cpu().numpy()
    for number in range(round(most * size)):
        state = learn(state, moments, setting, 1 / size, 1)
        now = trace(state.predictor).cpu().numpy()
        for k, stop in enumerate(stops):
            passes = np.isnan(found[:, k]) & ((before - stop) * (now - stop) <= 0)
            share = (stop - before) / np.where(now == before, 1.0, now - before)
            found[passes, k] = (number + share[passes]) / size
        if not np.isnan(found).any():
            return found
        before = now
    return found


def waits(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend, critical: float) -> np.ndarray:
    """Time of collapse from near 0.6 over `size`, at an excess decay of 1/size^2; what doubling the size adds, twice.

    The second number is by how much more the last doubling of the size has added than the one before.
    """
    times = []
    begin = 0.6 + 0.1 * normals(seeds, backend, 3, 1, 1).tanh()
    for k, root in enumerate((size, size // 2, size // 4)):
        at = {"covariance": begin[:, k] ** 2, "predictor": begin[:, k]}
        given = {**inputs, "weight_decay": critical * (1 + root**-2)}
        times.append(_crossing(given, at, [0.1], 3, seeds, backend)[:, 0])
    return np.stack([times[0] / size, (times[0] - times[1]) / (times[1] - times[2])], axis=-1)


def commutators(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Norm of [F, W_p] over that at the start, with a predictor that stays symmetric."""
    import torch

    state = _start(inputs, seeds, backend, 6, 1e-3)
    moments = isotropic(len(seeds), 6, float(inputs["augmentation"]), backend)

    def norm(state: State) -> torch.Tensor:
        covariance = state.online @ state.online.mT
        return torch.linalg.matrix_norm(covariance @ state.predictor - state.predictor @ covariance)

    first, found, before = norm(state), [], 0
    for time in TIMES:
        state = learn(state, moments, _setting(inputs, symmetric=True), 1 / size, round(time * size) - before)
        before = round(time * size)
        found.append(norm(state) / first)
    return _columns(*found)


def features(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend, *, data: Any) -> np.ndarray:
    """The predictor along each feature, after learning from `size` samples of two views; `data`: (x, x_a) of each."""
    import torch

    x, spread = (torch.tensor(one, dtype=backend.dtype, device=backend.device) for one in data)
    width = len(x)
    drawn = normals(seeds, backend, 3, size, width)
    rotation = orthogonal(normals([seed + 1 for seed in seeds], backend, width, width))
    clean = (drawn[:, 0] * x**0.5) @ rotation
    views = [clean + (drawn[:, k] * spread**0.5) @ rotation for k in (1, 2)]
    cross = views[0].mT @ views[1] / size
    cross = (cross + cross.mT) / 2
    both = sum(view.mT @ view for view in views) / (2 * size)
    setting = _setting(inputs, power=float(inputs["exponent"]))
    state = learn(State(0.8 * rotation, rotation), (cross, both - cross), setting, 0.2, 1500)
    found = ruled(state.online.mT, setting)  # of W' W: along directions of the inputs
    return torch.diagonal(rotation @ found @ rotation.mT, dim1=-2, dim2=-1).cpu().numpy()


def floors(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Covariances of a large and of a small mode at the end, under DirectPred with a floor.

    Isotropic data and a start of 0.49 and 1e-6: nothing is random, so that all replicates are the same.
    """
    import torch

    setting = _setting(inputs, power=0.5, floor=float(inputs["epsilon"]))
    online = torch.diag(torch.tensor([0.7, 1e-3], dtype=backend.dtype, device=backend.device))[None]
    moments = isotropic(1, 2, float(inputs["augmentation"]), backend)
    state = learn(State(online, online), moments, setting, 0.5, 1600)
    values = torch.linalg.eigvalsh(state.online @ state.online.mT).flip(-1).cpu().numpy()
    return np.repeat(values, len(seeds), axis=0)
