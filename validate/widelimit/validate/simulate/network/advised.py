"""Deep networks trained as torch makes them, as advised, and as advised for another activation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import nn

    from widelimit.validate.harness.backend import Backend

_WIDTH, _STEPS, _RATES, _BATCH, _LAST = 64, 120, (3e-4, 3e-3), 64, 20


def losses(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Final training losses on digits less that with advice: of the default, and of advice for the other activation."""
    import torch

    from widelimit.validate.network import advise, report

    names = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}
    own = names.pop(str(inputs["activation"]))
    (other,) = names.values()
    example = torch.randn(4, _WIDTH, generator=torch.Generator().manual_seed(seed))
    with torch.random.fork_rng(devices=[]):
        made = {kind: _network(kind, int(inputs["depth"]), seed) for kind in (own, other)}
        advice = {kind: advise(report(net, example, draws=2, seed=seed)) for kind, net in made.items()}
        nets = (made[own], advice[own].apply(made[own]), advice[other].apply(made[own]))
        default, with_, wrong = (min(_trained(net, rate, seed) for rate in _RATES) for net in nets)
    return np.array([default - with_, wrong - with_])


def _network(kind: type[nn.Module], depth: int, seed: int) -> nn.Module:
    import torch
    from torch import nn

    torch.manual_seed(seed)
    parts = [part for _ in range(depth - 1) for part in (nn.Linear(_WIDTH, _WIDTH), kind())]
    return nn.Sequential(*parts, nn.Linear(_WIDTH, 10))


def _trained(module: nn.Module, rate: float, seed: int) -> float:
    """Mean loss of the last steps of Adam, on a copy."""
    import copy

    import torch
    from sklearn.datasets import load_digits

    data, net = load_digits(), copy.deepcopy(module)
    images = torch.as_tensor(data.data, dtype=torch.float32)
    images, labels = (images - images.mean()) / images.std(), torch.as_tensor(data.target)
    optimiser = torch.optim.Adam(net.parameters(), lr=rate)
    generator, found = torch.Generator().manual_seed(seed), []
    for _ in range(_STEPS):
        pick = torch.randint(len(labels), (_BATCH,), generator=generator)
        loss = torch.nn.functional.cross_entropy(net(images[pick]), labels[pick])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(float(loss.detach()))
    return float(np.mean(found[-_LAST:]))
