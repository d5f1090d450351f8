"""Whole networks as users write them, drawn and run (`drawn`); torch is imported when one is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from widelimit.validate.harness.backend import Backend


def agreement(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Mean square of what comes out, and of the gradient behind the first layer of sum(c * output), c normal."""
    from widelimit.validate.simulate.network import drawn

    return drawn.agreement(inputs, size, seeds, backend)
