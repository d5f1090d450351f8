"""Passes over large tensors that make no copies of them, and random orders that read memory in lines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

_CHUNK = 2**15  # numbers that are converted at once, so that they stay in the cache
_LINES = 64  # rows and columns, below which an order is drawn number by number
_WORDS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # of as many bytes as a number


def mean_square(value: torch.Tensor) -> float:
    """The mean square of a tensor's numbers, summed in double precision.

    >>> mean_square(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float16))
    4.666666666666667
    """
    parts = value.detach().reshape(-1).split(_CHUNK)
    return math.fsum(float(one.double().square().sum()) for one in parts) / value.numel()


def finite(value: torch.Tensor) -> bool:
    """Whether all numbers are finite: the least and the largest are, nan being both.

    >>> finite(torch.tensor([1.0, math.nan])), finite(torch.tensor([-math.inf, 1.0])), finite(torch.ones(2))
    (False, False, True)
    """
    return value.numel() == 0 or all(math.isfinite(float(one)) for one in value.detach().aminmax())


def constant(value: torch.Tensor) -> bool:
    """Whether all numbers are one; a few of them tell it of most tensors.

    >>> constant(torch.ones(200)), constant(torch.arange(200))
    (True, False)
    """
    flat = value.detach().reshape(-1)
    return bool((flat[:_LINES] == flat[0]).all()) and bool((flat == flat[0]).all())


def shuffled(value: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """The numbers of a tensor in another order, with other signs.

    Many numbers are laid out in rows, each shifted by a distance of its own, and the rows put in a random order; then
    columns likewise. What shared a row or a column is anywhere then, at a tenth of the cost of an order of all numbers.

    >>> old = torch.arange(1.0, 65537.0)
    >>> new = shuffled(old, np.random.default_rng(0))
    >>> bool(torch.equal(new.abs().sort().values, old)), 32000 < int((new < 0).sum()) < 33500
    (True, True)
    """
    flat = value.detach().reshape(-1)
    held = flat.view(_WORDS[flat.element_size()]).numpy()
    count = held.size
    columns = next((k for k in range(math.isqrt(count), _LINES - 1, -1) if count % k == 0), 0)
    if columns:
        held = held.reshape(-1, columns)
        for _ in range(2):
            held = np.ascontiguousarray(_shifted(held, random).T)
        held = held.reshape(-1)
    else:
        held = held[random.permutation(count)]
    bits = np.unpackbits(np.frombuffer(random.bytes(-(-count // 8)), np.uint8), count=count)
    for start in range(0, count, _CHUNK):  # the first bit of a number is its sign
        part = held[start : start + _CHUNK]
        part ^= bits[start : start + _CHUNK].astype(part.dtype) << (8 * part.itemsize - 1)
    return torch.from_numpy(held).view(flat.dtype).reshape(value.shape)


def _shifted(rows: Any, random: np.random.Generator) -> np.ndarray:
    """Rows in another order, each turned by a random distance."""
    count, length = rows.shape
    out = np.empty_like(rows)
    places, distances = random.permutation(count).tolist(), random.integers(length, size=count).tolist()
    for row, place, distance in zip(rows, places, distances, strict=True):
        out[place, : length - distance] = row[distance:]
        out[place, length - distance :] = row[:distance]
    return out
