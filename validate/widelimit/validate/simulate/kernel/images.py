"""Classification tasks made of the digits that scikit-learn brings: one digit, the sum or the parity of two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from widelimit.numerics.results import by_value

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_POOL = 1200  # images that training pairs are made of; test pairs are made of the 597 others


@by_value
@dataclass(frozen=True)
class Task:
    """Images (n, features) of mean 0 and variance 1 over all pixels, their classes, and how many are trained on."""

    images: torch.Tensor
    labels: torch.Tensor
    train: int
    classes: int


def task(name: str, train: int, test: int, generator: torch.Generator, backend: Backend) -> Task:
    """``"digits"``: which digit; ``"sum"``: the sum of two digits modulo ten; ``"parity"``: are both even or both odd.

    Pairs lie side by side, 128 pixels; the images of training and of test pairs are different ones.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = (data.data - data.data.mean()) / data.data.std()
    images = torch.as_tensor(pixels, device=backend.device, dtype=backend.dtype)
    digits = torch.as_tensor(data.target, device=backend.device, dtype=torch.long)
    order = torch.randperm(len(images), generator=generator, device=backend.device)
    if name == "digits":
        chosen = order[: train + test]
        return Task(images[chosen], digits[chosen], train, 10)

    def draw(pool: torch.Tensor, number: int) -> torch.Tensor:
        return pool[torch.randint(len(pool), (2, number), generator=generator, device=backend.device)]

    one, two = torch.cat([draw(order[:_POOL], train), draw(order[_POOL:], test)], dim=1)
    pairs, total = torch.cat([images[one], images[two]], dim=1), digits[one] + digits[two]
    if name == "sum":
        return Task(pairs, total % 10, train, 10)
    if name == "parity":
        return Task(pairs, total % 2, train, 2)
    raise ValueError(f"There is no task {name!r}; there are digits, sum and parity.")
