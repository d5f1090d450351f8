"""What the claims about learning kernels measure, apart from the claims, whose words and figures can change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.harness.claim import Inputs

EPOCHS = 10  # for which the kernel is followed
_LATE = 4  # the epoch whose kernel is compared with that at birth
_REST = 1e-9  # per epoch: rounding


def velocities(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """How many times slower the kernel turns at the fifth epoch, and how its pace changes from then on."""
    from widelimit.validate.simulate.kernel.evolution import turn

    out = []
    for seed in seeds:
        run = turn(inputs, seed, backend, EPOCHS)
        middle = (run.epochs[1:] + run.epochs[:-1]) / 2
        pace = [
            run.velocity[(middle > low) & (middle < low + 2.0)].mean() for low in (2.0, 4.0, EPOCHS - 2.0)
        ]
        fifth = run.velocity[np.argmin(np.abs(middle - 5.0))] + _REST
        out.append([run.velocity[0] / fifth, pace[1] / pace[0], pace[2] / pace[1]])
    return np.array(out)


def gain(learned: Mapping[int, float], test: int) -> float:
    """Error linearised at birth over error linearised at epoch 4, one test error added to both."""
    return float((learned[0] + 1.0 / test) / (learned[_LATE] + 1.0 / test))


def improvement(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """`gain` of each network."""
    from widelimit.validate.simulate.kernel.evolution import learn

    test = int(inputs["test"])
    runs = (learn(inputs, seed, backend, _LATE, (0, _LATE)) for seed in seeds)
    return np.array([[gain(run.linearised, test)] for run in runs])
