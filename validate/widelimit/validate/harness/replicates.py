"""The loop over seeds, written once: from a function of one replicate to what a claim's `simulate` is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.harness.claim import Inputs


@dataclass(frozen=True)
class Replicates:
    """One row of numbers for each seed.

    `simulate(inputs, size, seed, backend)` returns the numbers of one replicate; a function with a parameter `seeds`
    takes all of them and returns a row each. `start(inputs)` returns further arguments by name, such as the fixed point
    that networks start from: worked out once for all seeds.
    """

    simulate: Callable[..., Any]
    start: Callable[[Inputs], Mapping[str, Any]] | None = None

    def __call__(self, inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
        """Simulate one replicate for each seed."""
        further = {} if self.start is None else self.start(inputs)
        if "seeds" in inspect.signature(self.simulate).parameters:
            return self.simulate(inputs, size, seeds, backend, **further)
        return np.array([np.ravel(self.simulate(inputs, size, seed, backend, **further)) for seed in seeds])

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """The function of one replicate: whose fault a failure is, is told by where it stands."""
        return self.simulate
