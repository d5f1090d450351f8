"""Spike trains, neurons and spiking networks, simulated: integrals on grids, drawn trains, steps of neurons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import normals

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

FIRST, SECOND = (0.010, 0.035, 0.090), (0.012, 0.033)  # spikes of two trains, in seconds
POTENTIALS, OUTGOING = (0.5, -0.3, 0.8, -1.0), (1.0, -0.6, 0.8, -0.5)  # of a small first layer
_DRAWS, _PAIRS, _SECONDS, _BIN = 300, 250, 4.0, 5e-4
_NEURONS, _SAMPLES = 800, 200_000


def alpha(t: torch.Tensor, a: float, b: float) -> torch.Tensor:
    """The kernel of a spike at 0."""
    return a * b / (a - b) * ((-t / a).exp() - (-t / b).exp()) * (t > 0)


def _constants(inputs: Any) -> tuple[float, float]:
    return float(inputs["decay"]), float(inputs["rise"])


def _uniform(seed: int, backend: Backend) -> Any:
    import torch

    generator = backend.generator(seed)
    return lambda *shape: torch.rand(shape, generator=generator, device=backend.device, dtype=backend.dtype)


def van_rossum(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Half the integral of the squared filtered difference of two trains, on a grid that starts anywhere."""
    import torch

    a, b = _constants(inputs)
    step = b / 200
    grid = torch.arange(0, (0.1 + 40 * a) / step, dtype=backend.dtype, device=backend.device)
    t = (grid + _uniform(seed, backend)(1)) * step
    curve = torch.zeros_like(t)
    for sign, train in ((1, FIRST), (-1, SECOND)):
        for one in train:
            curve += sign * alpha(t - one, a, b)
    return np.array([float((curve**2).sum() * step / 2)])


def poisson(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean and variance a second of the same integral between Poisson trains, on a ring of time."""
    import torch

    a, b = _constants(inputs)
    count = round(_SECONDS / _BIN)
    generator = backend.generator(seed)
    rates = [torch.full((_PAIRS, count), float(inputs[name]) * _BIN) for name in ("rate_a", "rate_b")]
    one, other = (torch.poisson(rate.to(backend.device), generator=generator) for rate in rates)
    kernel = alpha(torch.arange(count, device=backend.device, dtype=torch.float32) * _BIN, a, b)
    curve = torch.fft.irfft(torch.fft.rfft(one - other) * torch.fft.rfft(kernel), n=count).double()
    loss = (curve**2).sum(1) * _BIN / 2
    return np.array([float(loss.mean()), float(loss.var())]) / _SECONDS


def jitter(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean loss of a spike and its copy moved by a Gaussian."""
    import torch

    a, b = _constants(inputs)
    moved = normals(seed, backend)(_DRAWS, 1) * float(inputs["jitter"])
    step = b / 25
    reach = 6 * float(inputs["jitter"])
    t = torch.arange(-reach, reach + 20 * a, step, device=backend.device, dtype=backend.dtype)[None]
    curve = alpha(t, a, b) - alpha(t - moved, a, b)
    return np.array([float((curve**2).sum(1).mean() * step / 2)])


def rate(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Spikes a second of neurons with white noise, threshold 10, `size` steps to their membrane constant of 10 ms."""
    import torch

    normal = normals(seed, backend)
    tau, rest = 0.01, float(inputs["refractory"])
    step = tau / size
    keep, drive = math.exp(-step / tau), float(inputs["drive"])
    spread = float(inputs["noise"]) * math.sqrt((1 - keep**2) / 2)
    v = normal(_NEURONS) * 0
    wait, spikes, first = torch.zeros_like(v), torch.zeros_like(v), round(0.05 / step)
    last = first + round(0.1 / step)
    silent = round(rest / step)
    for k in range(last):
        v = drive + keep * (v - drive) + spread * normal(_NEURONS)
        v = torch.where(wait > 0, 0.0, v)
        wait = wait - 1
        fired = v > 10.0
        v = torch.where(fired, 0.0, v)
        wait = torch.where(fired, float(silent), wait)
        if k >= first:
            spikes += fired
    return np.array([float(spikes.mean()) / ((last - first) * step)])


def noise(name: str, slope: float, uniform: Any) -> torch.Tensor:
    """Draw noise of the laws that surrogates stand for, by inversion."""
    u = uniform(_SAMPLES)
    if name == "fast_sigmoid":
        return (1 / (1 - uniform(_SAMPLES)) - 1) / slope * (2 * (u > 0.5) - 1)
    if name == "sigmoid":
        return (u / (1 - u)).log() / slope
    if name == "arctan":
        return (math.pi * (u - 0.5)).tan() * 2 / (math.pi * slope)
    return (u + uniform(_SAMPLES) - 1) / slope  # triangle


def surrogates(u: torch.Tensor, name: str, slope: float) -> torch.Tensor:
    """Surrogate derivatives as libraries write them."""
    if name == "fast_sigmoid":
        return 1 / (1 + slope * u.abs()) ** 2
    if name == "sigmoid":
        return slope * (slope * u).sigmoid() * (-slope * u).sigmoid()
    if name == "arctan":
        return slope / 2 / (1 + (math.pi * slope * u / 2) ** 2)
    return (1 - slope * u.abs()).clamp(min=0)


def surrogate(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """A surrogate over the slope of the share of units that fire, and that share, half a width above threshold."""
    import torch

    name, slope = str(inputs["surrogate"]), float(inputs["slope"])
    drawn, place, step = noise(name, slope, _uniform(seed, backend)), 0.5 / slope, 0.05 / slope
    high, low = (float((place + sign * step + drawn > 0).double().mean()) for sign in (1, -1))
    said = float(surrogates(torch.tensor(place, dtype=backend.dtype), name, slope))
    return np.array([said * 2 * step / (high - low), float((place + drawn > 0).double().mean())])


def two_layers(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean surrogate gradient of sampled spikes of two layers, and the slope of their expected spike, by one potential.

    Noise is logistic. Both sides of the difference see the same draws.
    """
    import torch

    gain, uniform = float(inputs["gain"]), _uniform(seed, backend)
    u = torch.tensor(POTENTIALS, dtype=backend.dtype, device=backend.device)
    w = gain * torch.tensor(OUTGOING, dtype=backend.dtype, device=backend.device)
    first = torch.stack([noise("sigmoid", 1.0, uniform) for _ in POTENTIALS], 1)
    last, step = noise("sigmoid", 1.0, uniform), 0.15

    def spikes(shift: float) -> Any:
        hidden = (u + first > 0).to(u.dtype)
        hidden[:, 0] = (u[0] + shift + first[:, 0] > 0).to(u.dtype)
        return hidden, hidden @ w

    _, v = spikes(0.0)
    said = surrogates(u[0], "sigmoid", 1.0) * w[0] * surrogates(v, "sigmoid", 1.0).mean()
    up, down = (float((spikes(shift)[1] + last > 0).double().mean()) for shift in (step, -step))
    return np.array([float(said), (up - down) / (2 * step)])


def sharp(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Surrogate gradient of one spike times its slope, and the slope of the loss by the weight, on grids.

    The kernel has decay 2 and rise 1, the threshold is 1, the surrogate's slope is `size`. Behind its spike the neuron
    is reset and stays away from the threshold.
    """
    import torch

    w, target = float(inputs["weight"]), float(inputs["target"])
    a, b = 2.0, 1.0
    uniform = _uniform(seed, backend)
    shift = float(uniform(1))
    t = (torch.arange(0, 12_000, dtype=backend.dtype, device=backend.device) + shift) * 5e-3

    def curve(at: float) -> torch.Tensor:
        return alpha(t - at, a, b)

    def passing(weight: float) -> float:
        low, high = 0.0, a * math.log(2.0)
        for _ in range(80):
            middle = (low + high) / 2
            above = weight * float(alpha(torch.tensor(middle, dtype=torch.float64), a, b)) > 1
            low, high = (low, middle) if above else (middle, high)
        return high

    def loss(weight: float) -> float:
        return float(((curve(target) - curve(passing(weight))) ** 2).sum() * 5e-3 / 2)

    time = passing(w)
    error = curve(target) - curve(time)
    edges = time * (1 - torch.logspace(0, -11, 201, dtype=torch.float64))  # close to the spike
    widths = edges[1:] - edges[:-1]
    places = edges[:-1] + widths * uniform(200).double()  # one anywhere in each
    later = t[None, ::6]
    back = (error[::6] * alpha(later - places[:, None], a, b)).sum(1) * 30e-3
    potential = alpha(places, a, b)
    slopes = surrogates(w * potential - 1, "fast_sigmoid", float(size))
    said = -float((slopes * potential * back * widths).sum())
    step = 1e-3 * w
    return np.array([said * size, (loss(w + step) - loss(w - step)) / (2 * step)])


def _patterns(
    count: int, steps: int, units: int, outputs: int, generator: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Frozen Poisson inputs of 10 Hz, and five target spikes of every output; steps are milliseconds."""
    import torch

    spikes = (torch.rand((count, steps, units), generator=generator) < 0.01).double()
    places = torch.rand((count, steps - 100, outputs), generator=generator).topk(5, dim=1).indices + 60
    return spikes, torch.zeros((count, steps, outputs), dtype=torch.float64).scatter_(1, places, 1.0)


def three_factor(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """How far autograd's gradient of one layer is from the rule's, without and with the reset in its graph."""
    import torch

    from widelimit.validate.spiking.neurons import Neurons, filtered
    from widelimit.validate.spiking.rule import changes

    spikes, target = _patterns(2, 250, int(inputs["inputs"]), 3, torch.Generator().manual_seed(seed))
    found = []
    for graph in (False, True):
        layer = Neurons(
            spikes.shape[2],
            3,
            scale=4.0,
            reset_in_graph=graph,
            generator=torch.Generator().manual_seed(seed + 1),
        )
        fired, _ = layer(spikes)
        error = filtered(target - fired, layer.kernel)
        (error.square().sum() * layer.kernel.step / 2).backward()
        traces, wanted = (filtered(one, layer.kernel) for one in (spikes, target))
        with torch.no_grad():
            (rule,), _ = changes([layer.weight], None, traces, wanted, layer)
        assert layer.weight.grad is not None
        sizes = layer.weight.grad.norm() + rule.norm()
        found.append(float((layer.weight.grad + rule).norm() / sizes))
    return np.array(found).round(9)  # beyond, it is arithmetic


def uniform_feedback(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Hidden updates by uniform over those by symmetric feedback, where two outputs should fire as the other does."""
    import torch

    from widelimit.validate.spiking.neurons import Neurons, filtered, fire
    from widelimit.validate.spiking.rule import changes

    generator = torch.Generator().manual_seed(seed)
    hidden = int(inputs["hidden"])
    spikes, _ = _patterns(1, 250, 60, 2, generator)
    like = Neurons(1, 1)
    drawn = [torch.randn(shape, generator=generator).double().abs() for shape in ((hidden, 60), (2, hidden))]
    weights = [0.4 * drawn[0], 8.0 * drawn[1] / hidden]
    trace = filtered(spikes, like.kernel)
    here = trace
    for weight in weights:
        fired, _ = fire(here @ weight.mT, like.kernel, like.threshold, like.slope)
        here = filtered(fired, like.kernel)
    uniform, symmetric = (
        changes(weights, back, trace, here.flip(2), like)[0][0]
        for back in (torch.ones((hidden, 2)).double(), None)
    )
    return np.array([float(uniform.norm() / symmetric.norm())])


def learning(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Log of the loss before over that after 200 updates of one layer, a network for each seed."""
    import torch

    from widelimit.validate.spiking.neurons import Neurons, filtered
    from widelimit.validate.spiking.rule import learnt

    like = Neurons(1, 1, slope=1.0)
    parts = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        spikes, target = _patterns(1, 500, 100, 1, generator)
        parts.append((spikes, target, 0.3 * torch.randn((1, 1, 100), generator=generator).double()))
    spikes, target, weight = (torch.cat(column) for column in zip(*parts, strict=True))
    history = learnt(
        [weight], None, filtered(spikes, like.kernel), filtered(target, like.kernel), like, 200, 6.0
    )
    return (history[0] / history[-20:].mean(0)).log10().numpy()[:, None]


def feedback(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Logs of last losses of two layers over those with symmetric feedback: random, uniform; a network a seed."""
    import torch

    from widelimit.validate.spiking.neurons import Neurons, filtered
    from widelimit.validate.spiking.rule import learnt

    like, hidden, drawn = Neurons(1, 1, slope=1.0), int(inputs["hidden"]), []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        spikes, target = _patterns(1, 300, 50, 2, generator)
        shapes = ((1, hidden, 50), (1, 2, hidden), (1, hidden, 2))
        drawn.append(
            (spikes, target, *(torch.randn(shape, generator=generator).double() for shape in shapes))
        )
    spikes, target, first, second, random = (torch.cat(column) for column in zip(*drawn, strict=True))
    traces, wanted = (filtered(one, like.kernel) for one in (spikes, target))
    last = []
    for back in (None, random, torch.ones_like(random)):
        weights = [0.4 * first, 3.0 * second / math.sqrt(hidden)]
        last.append(learnt(weights, back, traces, wanted, like, 200, 3.0)[-20:].mean(0))
    return torch.stack([(one / last[0]).log() for one in last[1:]], 1).numpy()
