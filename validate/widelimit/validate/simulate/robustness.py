"""Units and networks that are drawn or trained, and attacked: flips, ratios of norms, accuracies on digits."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import normals

if TYPE_CHECKING:
    import torch
    from torch import nn

    from widelimit.validate.harness.backend import Backend

_INPUTS, _SAMPLES = 300, 2000
_TEST, _RADIUS = 497, 0.1
_BATCH, _RATE, _WIDTH = 100, 1e-2, 100


def weights(law: str, count: int, seed: int, backend: Backend) -> torch.Tensor:
    """Draw weights of a law: "laplace", "student" (5 degrees of freedom), "signs:P" (density P), else Gaussian."""
    import torch

    normal, generator = normals(seed, backend), backend.generator(seed + 1)

    def uniform() -> torch.Tensor:
        return torch.rand(count, generator=generator, dtype=backend.dtype, device=backend.device)

    if law == "laplace":
        return -torch.log1p(-uniform()) * normal(count).sign()
    if law == "student":
        return normal(count) / (normal(5, count) ** 2).mean(0).sqrt()
    if law.startswith("signs:"):
        return (uniform() < float(law[6:])).to(backend.dtype) * normal(count).sign()
    return normal(count)


def unit(inputs: Any, backend: Backend) -> torch.Tensor:
    """The weights of the unit under attack, the same for all replicates."""
    return weights(str(inputs["law"]), _INPUTS, 11, backend)


def flips(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Share of Gaussian inputs whose side an l_inf attack changes."""
    w, normal = unit(inputs, backend), normals(seed, backend)
    bias = float(inputs["bias"]) * float(w.norm())
    x = normal(_SAMPLES, _INPUTS)
    y = x @ w + bias
    attacked = (x - float(inputs["radius"]) * y.sign()[:, None] * w.sign()) @ w + bias
    return np.array([float((attacked.sign() != y.sign()).double().mean())])


def means(backend: Backend) -> torch.Tensor:
    """The mean of one of two classes; the other has its negative."""
    return 0.15 * normals(12, backend)(_INPUTS)


def accuracy(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Accuracy of a linear unit on two attacked classes of Gaussian inputs."""
    import torch

    mu, normal = means(backend), normals(seed, backend)
    w = mu + 0.1 * unit(inputs, backend)
    label = normal(_SAMPLES).sign()
    x = label[:, None] * mu + normal(_SAMPLES, _INPUTS)
    attacked = x - float(inputs["radius"]) * label[:, None] * w.sign()
    right = torch.sign(attacked @ w) == label
    return np.array([float(right.double().mean())])


def ratios(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean of |w|_1 / (sqrt(N) |w|_2) over drawn units of N weights."""
    return np.array([_ratio(str(inputs["law"]), size, seed, backend, 20_000)])


def ratios_of_families(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The same of Student's law with five degrees of freedom, and of Laplace's."""
    return np.array([_ratio(law, size, seed, backend, 40_000) for law in ("student", "laplace")])


def ratio_of_signs(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The same of signs of density 1/k."""
    return np.array([_ratio(f"signs:{1 / float(inputs['kurtosis'])}", size, seed, backend, 40_000)])


def ratio_of_units(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The same of Laplace's law at a given number of weights, from half a million of them."""
    return np.array([_ratio("laplace", int(inputs["weights"]), seed, backend, 500_000)])


def _ratio(law: str, size: int, seed: int, backend: Backend, total: int) -> float:
    units = max(4, total // size)
    w = weights(law, units * size, seed, backend).view(units, size)
    w = w[w.any(1)]  # a unit without weights has no ratio
    return float((w.abs().sum(1) / (w.norm(dim=1) * math.sqrt(size))).mean())


def deep(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Share of Gaussian inputs that FGSM flips, for a drawn tanh network with as many inputs as units in each layer."""
    import torch

    normal = normals(seed, backend)
    w, b = float(inputs["sigma_w"]), float(inputs["sigma_b"])
    x = normal(200, size).requires_grad_()
    layers = [
        (normal(size, size) * (w / math.sqrt(size)), b * normal(size)) for _ in range(int(inputs["depth"]))
    ]
    read, shift = normal(size) * (w / math.sqrt(size)), b * normal(1)

    def output(h: torch.Tensor) -> torch.Tensor:
        for matrix, bias in layers:
            h = torch.tanh(h @ matrix.T + bias)
        return h @ read + shift

    y = output(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    with torch.no_grad():
        moved = output(x - float(inputs["reach"]) / math.sqrt(size) * y.sign()[:, None] * slope.sign())
    return np.array([float((moved.sign() != y.sign()).double().mean())])


def gain(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """By how much a drawn tanh layer stretches a small difference, squared, over sigma_w; sigma_w is the size.

    100 units; mean over eight layers behind four.
    """
    import torch

    normal, units, w = normals(seed, backend), 100, float(size)
    h, v, found = w * normal(units), normal(units), []
    for layer in range(12):
        matrix = normal(units, units) * (w / math.sqrt(units))
        after = matrix @ (v / torch.cosh(h) ** 2)
        h = matrix @ torch.tanh(h)
        if layer >= 4:
            found.append(float((after @ after) / (v @ v)))
        v = after / after.norm()
    return np.array([np.mean(found) / w])


def information(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """KL of the probabilities of a drawn classifier at inputs 1/size apart over that of its input Fisher matrix."""
    import torch

    from widelimit.validate.robustness import input_fisher

    net = drawn_classifier(seed, backend)
    normal = normals(seed + 1, backend)
    x, move = normal(40, 20), normal(40, 20)
    move = move / move.norm(dim=1, keepdim=True) / size
    with torch.no_grad():
        p, q = torch.log_softmax(net(x), 1), torch.log_softmax(net(x + move), 1)
    kl = (p.exp() * (p - q)).sum(1)
    form = torch.einsum("bi,bij,bj->b", move, input_fisher(net, x), move)
    return np.array([float(kl.sum() / form.sum())])


def drawn_classifier(seed: int, backend: Backend) -> nn.Module:
    """A random tanh network of 20 inputs and four classes."""
    import torch
    from torch import nn

    normal = normals(seed, backend)
    layers = (nn.Linear(20, 50), nn.Linear(50, 4))
    net = nn.Sequential(layers[0], nn.Tanh(), layers[1]).to(backend.device, backend.dtype)
    with torch.no_grad():
        for layer in layers:
            layer.weight.copy_(normal(*layer.weight.shape) * (1.5 / math.sqrt(layer.weight.shape[1])))
            layer.bias.zero_()
    return net.train(False)


def masked(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Accuracy of trained digit classifiers with pre-activations `scale` times larger, three numbers a seed.

    Under FGSM in float32, under the best of all attacks for each image, and the share of float32 gradients that are
    exactly zero.
    """
    rough = replace(backend, precision="float32")
    trained = train([0.0] * len(seeds), seeds, int(inputs["epochs"]), rough)
    images = int(inputs["images"])
    return np.array(
        [_under(net, data[2][:images], data[3][:images], float(inputs["scale"])) for net, data in trained]
    )


def _under(net: nn.Module, x: torch.Tensor, y: torch.Tensor, scale: float) -> list[float]:
    import torch

    from widelimit.validate.robustness import attacks

    target = attacks.Target.of(scaled(net, scale), x, y, _RADIUS, (0.0, 1.0))
    losses = attacks.LOSSES
    single = attacks.fgsm(target, target.module, losses["loss"], torch.float32)
    slope = attacks.gradient(target.module, x, y, losses["loss"], torch.float32)
    best = worst(target, net)
    return [1 - float(one.double().mean()) for one in (single, best)] + [float((slope == 0).double().mean())]


def worst(target: Any, plain: nn.Module | None = None) -> torch.Tensor:
    """Which images any of several attacks breaks: on loss and logits, stabilised, from the network before scaling."""
    import torch

    from widelimit.validate.robustness import attacks

    net, losses = target.module, attacks.LOSSES
    made = [attacks.iterated(target, net, loss, torch.float32, 20) for loss in losses.values()]
    made += [attacks.iterated(target, net, losses["logits"], torch.float32, 20, 3.0)]
    if plain is not None:
        made.append(attacks.iterated(target, plain, losses["logits"], torch.float32, 20))
    return torch.stack(made).any(0)


def scaled(net: nn.Module, scale: float) -> nn.Module:
    """A copy whose every pre-activation is `scale` times larger."""
    import copy

    import torch
    from torch import nn

    found = copy.deepcopy(net)
    with torch.no_grad():
        for one in found.modules():
            if isinstance(one, nn.Linear):
                one.weight.mul_(scale)
                one.bias.mul_(scale)
    return found


def penalised(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """What the saturation penalty changes: pairs of networks from the same start, two numbers a seed.

    Accuracy under FGSM and under the best of several attacks for each image: with the penalty less without.
    """
    return penalty_changes(inputs, seeds, backend)[:, :2]


def penalty_changes(inputs: Any, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The same, with the accuracy without attack and the kurtosis of the first layer's weights."""
    import torch

    from widelimit.validate.robustness import attacks

    rough = replace(backend, precision="float32")
    penalty = float(inputs["penalty"])
    trained = train(
        [0.0] * len(seeds) + [penalty] * len(seeds), list(seeds) * 2, int(inputs["epochs"]), rough
    )
    rows = []
    for net, (_, _, x, y) in trained:
        target = attacks.Target.of(net, x, y, _RADIUS, (0.0, 1.0))
        single = attacks.fgsm(target, net, attacks.LOSSES["loss"], torch.float32)
        broken = [single, worst(target), target.wrong(x)]
        w = net[0].weight.detach().double()  # type: ignore[index]
        kurtosis = float((w**4).mean() / (w**2).mean() ** 2)
        rows.append([1 - float(one.double().mean()) for one in broken] + [kurtosis])
    found = np.array(rows)
    return found[len(seeds) :] - found[: len(seeds)]


def train(
    penalties: Sequence[float], seeds: Sequence[int], epochs: int, backend: Backend
) -> list[tuple[nn.Module, tuple[torch.Tensor, ...]]]:
    """Train sigmoid networks 64-100-100-10 on digits in [0, 1], all as one batch; return each with its data.

    The loss is cross entropy plus a penalty times the mean slopes sigma (1 - sigma) of both hidden layers.
    """
    import torch

    data = [_split(seed, backend) for seed in seeds]
    layers = [_starts(64, _WIDTH, seeds, backend, 0), _starts(_WIDTH, _WIDTH, seeds, backend, 1),
              _starts(_WIDTH, 10, seeds, backend, 2)]  # fmt: skip
    strength = torch.tensor(penalties, dtype=backend.dtype, device=backend.device)
    optimiser = torch.optim.Adam([one for layer in layers for one in layer], lr=_RATE)
    orders = [backend.generator(seed + 2) for seed in seeds]
    images, labels = (torch.stack([one[k] for one in data]) for k in (0, 1))
    rows = torch.arange(len(seeds), device=backend.device)[:, None]
    for _ in range(epochs):
        order = torch.stack(
            [torch.randperm(images.shape[1], generator=one, device=backend.device) for one in orders]
        )
        for chosen in order.split(_BATCH, dim=1):
            z, slopes = (
                images[rows, chosen],
                torch.zeros(len(seeds), dtype=backend.dtype, device=backend.device),
            )
            for at, (weight, bias) in enumerate(layers):
                z = torch.baddbmm(bias[:, None], z, weight.transpose(1, 2))
                if at < 2:
                    z = torch.sigmoid(z)
                    slopes = slopes + (z * (1 - z)).mean((1, 2))
            fit = torch.nn.functional.cross_entropy(
                z.flatten(0, 1), labels[rows, chosen].flatten(), reduction="none"
            )
            loss = (fit.view(len(seeds), -1).mean(1) + strength * slopes).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return [(_network(layers, row), data[row]) for row in range(len(seeds))]


def _starts(
    below: int, above: int, seeds: Sequence[int], backend: Backend, layer: int
) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    scale = 1.5 * math.sqrt(2 / (below + above))
    drawn = [normals(seed + 10 + layer, backend)(above, below) * scale for seed in seeds]
    return torch.stack(drawn).requires_grad_(), torch.zeros_like(torch.stack(drawn)[:, :, 0]).requires_grad_()


def _network(layers: Sequence[tuple[torch.Tensor, torch.Tensor]], row: int) -> nn.Module:
    import torch
    from torch import nn

    parts: list[nn.Module] = []
    for weight, bias in layers:
        one = nn.Linear(weight.shape[2], weight.shape[1]).to(weight)
        with torch.no_grad():
            one.weight.copy_(weight[row])
            one.bias.copy_(bias[row])
        parts += [one, nn.Sigmoid()]
    return nn.Sequential(*parts[:-1]).train(False)


@functools.cache
def _shown() -> np.ndarray:
    """What the digits show."""
    from sklearn.datasets import load_digits

    return np.array(load_digits().target)


def _split(seed: int, backend: Backend) -> tuple[torch.Tensor, ...]:
    """Images and labels for training, images and labels for the test."""
    import torch

    from widelimit.validate.harness.inputs import digits

    images = torch.tensor(digits(), device=backend.device, dtype=backend.dtype)
    labels = torch.as_tensor(_shown(), device=backend.device)
    order = torch.randperm(len(labels), generator=backend.generator(seed), device=backend.device)
    test, rest = order[:_TEST], order[_TEST:]
    return images[rest], labels[rest], images[test], labels[test]
