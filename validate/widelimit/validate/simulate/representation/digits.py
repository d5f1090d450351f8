"""Networks that learn digits with and without a penalty on the spectrum of their hidden layer, and attacks on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

_TRAIN, _HIDDEN, _RATE, _STRENGTH = 1200, 200, 1e-2, 5.0
_RANKS = (11, 150)


def trained(seed: int, exponent: float | None, steps: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    """A hidden tanh layer and a readout (64-200-10) after so many steps of Adam on all training images."""
    import torch

    from widelimit.validate.representation import regulariser

    images, labels = _digits()
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.nn.Sequential(torch.nn.Linear(64, _HIDDEN), torch.nn.Tanh())
    readout = torch.nn.Linear(_HIDDEN, 10)
    weights = [*hidden.parameters(), *readout.parameters()]
    for one in weights:
        bound = 1 / (64 if one.shape[-1:] == (64,) else _HIDDEN) ** 0.5
        torch.nn.init.uniform_(one, -bound, bound, generator=generator)
    optimiser = torch.optim.Adam(weights, lr=_RATE)
    for _ in range(steps):
        activity = hidden(images[:_TRAIN])
        loss = torch.nn.functional.cross_entropy(readout(activity), labels[:_TRAIN])
        if exponent is not None:
            loss = loss + regulariser(activity, exponent=exponent, strength=_STRENGTH)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return hidden, readout


def spectrum_exponent(hidden: torch.nn.Module) -> float:
    """The exponent of the hidden layer's spectrum over training images, ranks 11 to 150, weights 1/n."""
    import torch

    with torch.no_grad():
        activity = hidden(_digits()[0][:_TRAIN]).double()
    values = torch.linalg.eigvalsh(torch.cov(activity.T)).flip(0).numpy()
    n = np.arange(_RANKS[0], _RANKS[1] + 1)
    return float(-np.polyfit(np.log(n), np.log(values[_RANKS[0] - 1 : _RANKS[1]]), 1, w=n**-0.5)[0])


def attacked_accuracy(network: tuple[torch.nn.Module, torch.nn.Module], size: float) -> float:
    """Accuracy on test images under one signed gradient step of a size (FGSM)."""
    import torch

    hidden, readout = network
    images, labels = (one[_TRAIN:] for one in _digits())
    images = images.clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(readout(hidden(images)), labels)
    (slope,) = torch.autograd.grad(loss, images)
    with torch.no_grad():
        found = readout(hidden(images + size * slope.sign())).argmax(dim=1)
    return float((found == labels).double().mean())


def half_size(network: tuple[torch.nn.Module, torch.nn.Module]) -> float:
    """The size of attack at which a network is right half of the time, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if attacked_accuracy(network, middle) > 0.5 else (low, middle)
    return (low + high) / 2


def regularised(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Exponent of a penalised network, and what it gains over one without penalty where that is right half the time."""
    steps = int(inputs["steps"])
    plain, penalised = trained(seed, None, steps), trained(seed, float(inputs["wanted"]), steps)
    epsilon = half_size(plain)
    gain = attacked_accuracy(penalised, epsilon) - attacked_accuracy(plain, epsilon)
    return np.array([spectrum_exponent(penalised[0]), gain])


def _digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Images (0 to 1) and labels of scikit-learn's digits, in an order of their own."""
    import torch
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return torch.tensor(images / 16.0, dtype=torch.float32)[order], torch.tensor(labels)[order]
