"""Drawn batches and drawn layers under local rules of feedback; torch is imported when one is drawn.

layer     one layer: feedback at rest, its noise, both sides moving, Kolen and Pollack's rule
wide      Gaussian layers and networks: cosines, the largest step, error signals
training  networks that learn digits with local feedback; feedback with too large a step
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from widelimit.validate.harness.backend import Backend

Inputs = Mapping[str, Any]
Seeds = Sequence[int]


def _drawn(where: str, *arguments: Any, **named: Any) -> np.ndarray:
    """Call a function of a file of this room."""
    file, _, name = where.partition(".")
    return getattr(import_module(f"{__name__}.{file}"), name)(*arguments, **named)


def resting(inputs: Inputs, size: int, seeds: Seeds, backend: Backend, **start: Any) -> np.ndarray:
    """Components of B along some matrices, averaged over the second half of training."""
    return _drawn("layer.resting", inputs, size, seeds, backend, **start)


def decoder(inputs: Inputs, size: int, seeds: Seeds, backend: Backend, **start: Any) -> np.ndarray:
    """The same components of the least-squares guess of x from y = W x + noise."""
    return _drawn("layer.decoder", inputs, size, seeds, backend, **start)


def floor(inputs: Inputs, size: int, seeds: Seeds, backend: Backend, **start: Any) -> np.ndarray:
    """E|B|^2 - |E B|^2 over the second half of training."""
    return _drawn("layer.floor", inputs, size, seeds, backend, **start)


def left_over(inputs: Inputs, size: int, seeds: Seeds, backend: Backend, **start: Any) -> np.ndarray:
    """What is left of W W^T - B^T B after some time of both moving."""
    return _drawn("layer.left_over", inputs, size, seeds, backend, **start)


def singular_values(inputs: Inputs, size: int, seeds: Seeds, backend: Backend, **start: Any) -> np.ndarray:
    """Singular values of W that began with B = W^T."""
    return _drawn("layer.singular_values", inputs, size, seeds, backend, **start)


def pollack(inputs: Inputs, size: int, seeds: Seeds, backend: Backend, **start: Any) -> np.ndarray:
    """Cosines of entries that take the same noisy steps and decay."""
    return _drawn("layer.pollack", inputs, size, seeds, backend, **start)


def information(inputs: Inputs, size: int, seeds: Seeds, backend: Backend, **start: Any) -> np.ndarray:
    """Cosine of the B that nothing moves any more, for drawn weights."""
    return _drawn("wide.information", inputs, size, seeds, backend, **start)


def mirror(inputs: Inputs, size: int, seeds: Seeds, backend: Backend, **start: Any) -> np.ndarray:
    """Cosines of the mirror behind a ReLU, as inputs are and centred."""
    return _drawn("wide.mirror", inputs, size, seeds, backend, **start)


def step(inputs: Inputs, size: int, seeds: Seeds, backend: Backend, **start: Any) -> np.ndarray:
    """The largest learning rate, read off how fast the feedback diverges."""
    return _drawn("wide.step", inputs, size, seeds, backend, **start)


def deep(inputs: Inputs, size: int, seeds: Seeds, backend: Backend, **start: Any) -> np.ndarray:
    """Mean cosine of error signals through several layers."""
    return _drawn("wide.deep", inputs, size, seeds, backend, **start)


def gaps(inputs: Inputs, size: int, seeds: Seeds, backend: Backend, **start: Any) -> np.ndarray:
    """Rank correlation of the gap to backpropagation with depth; what a mirror loses uncentred."""
    return _drawn("training.gaps", inputs, size, seeds, backend, **start)


def divergence(inputs: Inputs, size: int, seeds: Seeds, backend: Backend, **start: Any) -> np.ndarray:
    """Whether the feedback diverges at some learning rates."""
    return _drawn("training.divergence", inputs, size, seeds, backend, **start)
