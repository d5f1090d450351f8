"""Cells of known filters under Gaussian stimuli: what averages, fits, repeats and recurrence make of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.simulate.kernel import normals

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

_CELLS = 24  # fitted together in a replicate
_DRAWS = 40_000
_DIMENSIONS = 12  # of the stimuli of cells with subunits
FRAMES, _SIDE, _PATCH = 3, 8, 5
_STEPS, _RATE = 500, 5e-3


def length(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The spike-triggered average along the filter, from 40,000 bins."""
    from widelimit.validate.harness.drawing.functions import activation_function

    f = activation_function(str(inputs["activation"]))
    u = float(inputs["input_std"]) * normals(seed, backend)(_DRAWS)
    r = f(float(inputs["gain"]) * u)
    return np.array([float((u * (r - r.mean())).sum()) / (_DRAWS - 1)])


def _recorded(
    inputs: Any, size: int, seed: int, backend: Backend, cells: int = _CELLS
) -> tuple[Any, Any, Any]:
    """White stimuli of many cells, their Poisson counts, and their rates."""
    import torch

    p, gain = int(inputs["dimensions"]), float(inputs["gain"])
    x = normals(seed, backend)(cells, size, p)
    drive = gain * x[..., 0] - 1
    rate = drive.exp() if inputs["activation"] == "exp" else torch.nn.functional.softplus(drive)
    return x, torch.poisson(rate, generator=backend.generator(seed + 1)), rate


def angle_of_average(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """n tan^2 of the angle between average and filter, mean over cells."""
    x, r, _ = _recorded({"activation": "exp", **inputs}, size, seed, backend, 2 * _CELLS)
    return np.array([size * float(_slant((x * (r - r.mean(1, keepdim=True))[..., None]).sum(1)).mean())])


def gain_of_likelihood(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean tan^2 of the average over that of the maximum-likelihood filter."""
    x, r, _ = _recorded(inputs, size, seed, backend)
    average = _slant((x * (r - r.mean(1, keepdim=True))[..., None]).sum(1))
    fitted = _slant(likelihood(x, r, str(inputs["activation"]))[:, :-1])
    return np.array([float(average.mean() / fitted.mean())])


def _slant(filters: torch.Tensor) -> torch.Tensor:
    """tan^2 of the angle to the first axis."""
    return (filters[:, 1:] ** 2).sum(1) / filters[:, 0] ** 2


def likelihood(x: torch.Tensor, r: torch.Tensor, activation: str, steps: int = 8) -> torch.Tensor:
    """Filters and levels (last) of maximum likelihood of Poisson counts, by Fisher scoring: a batch of GLMs."""
    import torch

    design = torch.cat([x, torch.ones_like(x[..., :1])], dim=-1)
    level = r.mean(1)
    start = level.log() if activation == "exp" else torch.log(torch.expm1(level))
    theta = torch.zeros_like(design[:, 0])
    theta[:, -1] = start
    for _ in range(steps):
        drive = (design @ theta[..., None])[..., 0].clamp(-12, 12)
        if activation == "exp":
            mean = slope = drive.exp()
        else:
            mean, slope = torch.nn.functional.softplus(drive), drive.sigmoid()
        score = (design * ((r / mean - 1) * slope)[..., None]).sum(1)
        told = design.transpose(1, 2) @ (design * (slope**2 / mean)[..., None])
        theta = theta + torch.linalg.solve(told, score[..., None])[..., 0]
    return theta


def overfitted(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """n times the training log-likelihood above the truth, and the truth's above the test one, of exponential GLMs."""
    import torch

    inputs = {**inputs, "activation": "exp"}
    x, r, rate = _recorded(inputs, size, seed, backend)
    theta = likelihood(x, r, "exp")
    fresh, counts, true = _recorded(inputs, size, seed + 7, backend)
    found = []
    for stimuli, response, mean in ((x, r, rate), (fresh, counts, true)):
        drive = (torch.cat([stimuli, torch.ones_like(stimuli[..., :1])], dim=-1) @ theta[..., None])[..., 0]
        gap = response * (drive - mean.log()) - drive.exp() + mean
        found.append(float(gap.sum(1).mean()))
    return np.array([found[0], -found[1]])


def cell(inputs: Any, backend: Backend) -> tuple[Any, Any, Any]:
    """Three subunits with thresholds: filters, weights, thresholds."""
    import torch

    k = normals(3, backend)(3, _DIMENSIONS)
    weights = torch.tensor([1.0, 0.6, 0.8], dtype=backend.dtype, device=backend.device)
    thresholds = float(inputs["threshold"]) * torch.tensor([-2.0, 3.0, 5.0], dtype=backend.dtype)
    return k / k.norm(dim=1, keepdim=True) * 2, weights, thresholds.to(backend.device)


def root(ensemble: str, backend: Backend) -> torch.Tensor:
    """A root of the stimulus' covariance: white, or with variances that fall along mixed axes ("coloured")."""
    import torch

    if ensemble == "white":
        return torch.eye(_DIMENSIONS, dtype=backend.dtype, device=backend.device)
    axes, _ = torch.linalg.qr(normals(4, backend)(_DIMENSIONS, _DIMENSIONS))
    falling = torch.arange(1, _DIMENSIONS + 1, dtype=backend.dtype, device=backend.device) ** -0.7
    return 2 * axes * falling


def _answers(inputs: Any, ensemble: str, size: int, seed: int, backend: Backend) -> tuple[Any, Any]:
    k, weights, thresholds = cell(inputs, backend)
    x = normals(seed, backend)(size, _DIMENSIONS) @ root(ensemble, backend).T
    return x, (x @ k.T - thresholds).relu() @ weights


def _fitted(x: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
    """The best linear filter, by least squares."""
    import torch

    x, away = x - x.mean(0), r - r.mean()
    return torch.linalg.solve(x.T @ x, x.T @ away)


def explained(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Share of the variance that least squares explains of stimuli of its own."""
    x, r = _answers(inputs, str(inputs["ensemble"]), size, seed, backend)
    fresh, truth = _answers(inputs, str(inputs["ensemble"]), _DRAWS // 4, seed + 7, backend)
    error = truth - truth.mean() - (fresh - fresh.mean(0)) @ _fitted(x, r)
    return np.array([1 - float(error.square().mean() / truth.var())])


def between_bins(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Share of the variance between 200 bins of what one filter sees, less what their noise adds."""
    x, r = _answers(inputs, str(inputs["ensemble"]), _DRAWS, seed, backend)
    k, weights, _ = cell(inputs, backend)
    bins, each = 200, _DRAWS // 200
    sorted_ = r[(x @ (weights @ k)).argsort()].reshape(bins, each)
    within = float(sorted_.var(1).mean())
    between = float(sorted_.mean(1).var()) - within / each
    return np.array([between / (between + within)])


def rotation(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Cosine between the best linear filters under white and coloured stimuli."""
    one, two = (
        _fitted(*_answers(inputs, ensemble, size, seed + k, backend))
        for k, ensemble in enumerate(("white", "coloured"))
    )
    return np.array([float(one @ two / (one.norm() * two.norm()))])


def transferred(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Share of the variance under coloured stimuli behind the best linear filters of coloured and of white ones."""
    import torch

    x, r = _answers(inputs, "coloured", _DRAWS // 2, seed + 7, backend)
    found = []
    for k, ensemble in enumerate(("coloured", "white")):
        seen = x @ _fitted(*_answers(inputs, ensemble, _DRAWS // 2, seed + k, backend))
        found.append(float(torch.corrcoef(torch.stack([seen, r]))[0, 1]) ** 2)
    return np.array(found)


def rectified(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Fano factor of rectified noise over 40,000 trials."""
    r = (float(inputs["drive"]) + float(inputs["noise"]) * normals(seed, backend)(_DRAWS)).relu()
    return np.array([float(r.var() / r.mean())])


def adapted(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """State and linear gain of 1,000 cells with feedback, `size` steps of new noise a time constant."""
    import torch

    normal = normals(seed, backend)
    s, w, b = (float(inputs[name]) for name in ("contrast", "feedback", "threshold"))
    m = torch.zeros(1000, dtype=backend.dtype, device=backend.device)
    state = gain = 0.0
    for step in range(8 * size):
        z = normal(1000)
        r = (s * z - w * m - b).relu()
        if step >= 4 * size:
            state += float(m.mean()) / (4 * size)
            gain += float((r * z).mean()) / (4 * size * s)
        m = m + (r - m) / size
    return np.array([state, gain])


def repeated(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Signal power from pairs of trials, and the correlation of the signal with the mean over trials."""
    import torch

    normal, count = normals(seed, backend), int(inputs["trials"])
    signal = float(inputs["signal"]) * normal(_DRAWS)
    trials = signal + float(inputs["noise"]) * normal(count, _DRAWS)
    pair = trials[:2] - trials[:2].mean(1, keepdim=True)
    both = torch.stack([signal, trials.mean(0)])
    return np.array([float((pair[0] * pair[1]).mean()), float(torch.corrcoef(both)[0, 1])])


def models(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Networks, linear-nonlinear models and GLMs trained on a cell of rectified subunits, a row a seed.

    The test correlation of the network less that of the LN model, and less that of the GLM; and the network's gap
    between training and test less the LN model's. 1/f stimuli of 3 frames of 8 x 8, Poisson counts.
    """
    rough = replace(backend, precision="float32")
    data = _Data.drawn(int(inputs["samples"]), seeds, rough)
    trained = {
        name: _Model.drawn(name, seeds, rough).learn(data.x, data.r) for name in ("network", "ln", "glm")
    }
    right = {name: one.correlation(data.test, data.truth) for name, one in trained.items()}
    network, ln = (
        trained[name].correlation(data.x, data.r) - trained[name].correlation(data.test, data.counts)
        for name in ("network", "ln")
    )
    found = [right["network"] - right["ln"], right["network"] - right["glm"], network - ln]
    return np.stack(found, axis=1)


@by_value
@dataclass
class _Data:
    """Stimuli (seeds, bins, frames, side, side) and counts; those of a test, with true rates and counts."""

    x: torch.Tensor
    r: torch.Tensor
    test: torch.Tensor
    truth: torch.Tensor
    counts: torch.Tensor

    @staticmethod
    def drawn(n: int, seeds: Sequence[int], backend: Backend) -> _Data:
        import torch

        parts = []
        for seed in seeds:
            x = _pictures(n + 2000, normals(seed, backend))
            rate = _truth(x, normals(seed + 3, backend))
            parts.append((x, rate, torch.poisson(rate, generator=backend.generator(seed + 5))))
        x, rate, counts = (torch.stack(one) for one in zip(*parts, strict=True))
        return _Data(x[:, :n], counts[:, :n], x[:, n:], rate[:, n:], counts[:, n:])


def _pictures(count: int, normal: Any) -> torch.Tensor:
    """Pictures of variance 1, of amplitudes that fall as 1/f in space, and slow in time."""
    import torch

    x = normal(count, FRAMES, _SIDE, _SIDE)
    rows, across = torch.fft.fftfreq(_SIDE), torch.fft.rfftfreq(_SIDE)
    frequency = (rows[:, None] ** 2 + across[None, :] ** 2).sqrt().clamp(min=1 / _SIDE)
    smooth = torch.fft.irfft2(torch.fft.rfft2(x) / frequency.to(x), s=(_SIDE, _SIDE))
    mixed = smooth.cumsum(1)
    return mixed / mixed.std()


def _truth(x: torch.Tensor, normal: Any) -> torch.Tensor:
    """Rates of a cell: one patch of a filter at 16 places, rectified, weighted, summed."""
    import torch

    grid = torch.arange(_PATCH, dtype=x.dtype) - _PATCH // 2
    near = torch.exp(-(grid[:, None] ** 2 + grid[None, :] ** 2) / 1.5)
    wide = torch.exp(-(grid[:, None] ** 2 + grid[None, :] ** 2) / 6.0)
    spot = near / near.sum() - wide / wide.sum()
    time = torch.tensor([-0.4, 0.3, 1.0], dtype=x.dtype)
    kernel = (time[:, None, None] * spot)[None].to(x)
    parts = torch.nn.functional.conv2d(x, kernel / kernel.norm()).flatten(1)
    parts = (parts / parts.std() - 0.5).relu()
    weights = normal(parts.shape[1]).abs()
    drive = parts @ (weights / weights.norm())
    return drive / drive.mean()  # one count a bin


@by_value
@dataclass
class _Model:
    """A batch of models of one kind, one a seed, trained by Adam on the Poisson likelihood."""

    kind: str
    weights: list[torch.Tensor]

    @staticmethod
    def drawn(kind: str, seeds: Sequence[int], backend: Backend) -> _Model:
        import torch

        size = FRAMES * _SIDE * _SIDE
        places = (_SIDE - _PATCH + 1) ** 2
        shapes: list[tuple[int, ...]] = [(size,), (1,)]
        scales = [0.1 / math.sqrt(size), 0.0]
        if kind == "network":
            shapes = [(4, FRAMES, _PATCH, _PATCH), (4,), (4 * places,), (1,)]
            scales = [1 / math.sqrt(FRAMES * _PATCH**2), 0.0, 1 / math.sqrt(4 * places), 0.0]
        each = []
        for seed in seeds:
            normal = normals(seed + 11, backend)
            each.append([s * normal(*shape) for s, shape in zip(scales, shapes, strict=True)])
        return _Model(kind, [torch.stack(part).requires_grad_() for part in zip(*each, strict=True)])

    def drive(self, x: torch.Tensor) -> torch.Tensor:
        """What goes into the last nonlinearity, (seeds, bins)."""
        import torch

        if self.kind != "network":
            k, level = self.weights
            return (x.flatten(2) @ k[..., None])[..., 0] + level
        kernel, shift, top, level = self.weights
        seeds, bins = x.shape[:2]
        merged = x.transpose(0, 1).reshape(bins, seeds * FRAMES, _SIDE, _SIDE)
        h = torch.nn.functional.conv2d(merged, kernel.flatten(0, 1), shift.flatten(), groups=seeds).relu()
        h = h.reshape(bins, seeds, -1).transpose(0, 1)
        return (h @ top[..., None])[..., 0] + level

    def rate(self, x: torch.Tensor) -> torch.Tensor:
        """Rates: exponential for the GLM, softplus for the others."""
        import torch

        drive = self.drive(x)
        return drive.clamp(max=6).exp() if self.kind == "glm" else torch.nn.functional.softplus(drive)

    def learn(self, x: torch.Tensor, r: torch.Tensor) -> _Model:
        """Train on batches of 256 bins."""
        import torch

        optimiser = torch.optim.Adam(self.weights, lr=_RATE)
        n = x.shape[1]
        order = torch.Generator().manual_seed(1)
        for _ in range(_STEPS):
            chosen = torch.randint(n, (min(256, n),), generator=order).to(x.device)
            rate = self.rate(x[:, chosen])
            loss = (rate - r[:, chosen] * (rate + 1e-6).log()).mean(1).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return self

    def correlation(self, x: torch.Tensor, target: torch.Tensor) -> np.ndarray:
        """Correlation with a target, one number a seed."""
        import torch

        with torch.no_grad():
            y, z = self.rate(x).double(), target.double()
            y, z = y - y.mean(1, keepdim=True), z - z.mean(1, keepdim=True)
            return ((y * z).sum(1) / (y.norm(dim=1) * z.norm(dim=1))).cpu().numpy()
