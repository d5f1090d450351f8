"""Recurrent cells inside small convolutional networks that learn digits, several networks of a kind at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

Array = np.ndarray
_NETS, _UPDATES, _BATCH, _LEARNT = 4, 300, 32, 1200
_OTHERS = ("vanilla", "lstm", "feedforward")
_RATES = {  # of Adam by unrolled steps: the best of 0.003, 0.01 and 0.03 on other networks
    4: {"gated": 1e-2, "vanilla": 1e-2, "lstm": 3e-2, "feedforward": 1e-2},
    12: {"gated": 1e-2, "vanilla": 3e-3, "lstm": 1e-2, "feedforward": 1e-2},
}


def better(inputs: Any, size: int, seed: int, backend: Backend) -> Array:
    """Of four networks with gated cells, shares that read more images right than vanilla, LSTM and feedforward ones.

    Networks are paired: those of a pair learn from the same 1,200 images in the same order and read the other 597.
    Equals count as half.
    """
    steps = int(inputs["steps"])
    gated, *others = (accuracies(kind, steps, seed, backend) for kind in ("gated", *_OTHERS))
    return np.array([float(((gated > one) + 0.5 * (gated == one)).mean()) for one in others])


def accuracies(
    kind: str, steps: int, seed: int, backend: Backend, *, nets: int = _NETS, updates: int = _UPDATES
) -> Array:
    """Train networks of a kind (`nets.Reader`) and return the shares of new images that they read right."""
    import torch
    from torch.func import functional_call, stack_module_state, vmap

    from widelimit.validate.simulate.recurrence.nets import Reader

    images, labels = _digits(backend)
    generator = torch.Generator().manual_seed(seed % 2**31)
    order = torch.stack([torch.randperm(len(labels), generator=generator) for _ in range(nets)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**31)
        readers = [Reader(kind, steps).to(backend.device) for _ in range(nets)]
    weights = stack_module_state(readers)[0]
    read = vmap(lambda own, shown: functional_call(readers[0], own, (shown,)))
    optimiser = torch.optim.Adam(weights.values(), lr=_RATES[steps][kind])
    for update in range(updates):
        if update == round(0.7 * updates):
            optimiser.param_groups[0]["lr"] *= 0.2
        draw = torch.randint(0, _LEARNT, (nets, _BATCH), generator=generator)
        shown = order.gather(1, draw).to(backend.device)
        chance = read(weights, images[shown]).log_softmax(-1)
        optimiser.zero_grad()
        (-chance.gather(-1, labels[shown][..., None]).sum() / _BATCH).backward()
        for one in weights.values():  # each network is clipped by itself
            assert one.grad is not None
            one.grad /= one.grad.flatten(1).norm(dim=1).clamp(min=1.0).view(-1, *([1] * (one.dim() - 1)))
        optimiser.step()
    new = order[:, _LEARNT:].to(backend.device)
    with torch.no_grad():
        right = read(weights, images[new]).argmax(-1) == labels[new]
    return np.asarray(right.double().mean(1).cpu().numpy())


def _digits(backend: Backend) -> tuple[torch.Tensor, torch.Tensor]:
    """Scikit-learn's 1,797 images of 8 x 8 pixels between 0 and 1, and what they show."""
    import torch
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.as_tensor(data.images[:, None] / 16, dtype=torch.float32, device=backend.device)
    return images, torch.as_tensor(data.target, device=backend.device)
