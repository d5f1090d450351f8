"""Bare matrix products: what a device can do, to hold simulations against."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Product:
    """A product of two square matrices: the best of several, in operations a second."""

    device: str
    precision: str
    width: int
    seconds: float

    @property
    def operations(self) -> float:
        """Floating-point operations a second."""
        return 2.0 * self.width**3 / self.seconds


def product(device: str, precision: str, width: int, repeats: int = 5) -> Product:
    """Time products on a device, after one that warms it up.

    >>> product("cpu", "float32", 64).operations > 0
    True
    """
    dtype = getattr(torch, precision)
    left, right = (torch.ones((width, width), dtype=dtype, device=device) for _ in range(2))
    best = float("inf")
    for repeat in range(repeats + 1):
        wait(device)
        start = time.perf_counter()
        left @ right
        wait(device)
        if repeat:
            best = min(best, time.perf_counter() - start)
    return Product(device, precision, width, max(best, 1e-9))


def wait(device: str) -> None:
    """Wait until a device has done all that it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
