"""What the claim about learning speed measures: races on digits, apart from the claim, whose words can change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.harness.claim import Inputs
    from widelimit.validate.simulate.jacobian.training import Start

_GIVE_UP = (
    12.0  # times the steps of orthogonal networks; a median asks only on which side of ten a ratio lies
)


def ratios(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Steps of Gaussian tanh and of ReLU networks over those of orthogonal tanh networks, a row for each seed."""
    from widelimit.validate.simulate.jacobian.training import Race, steps_to_loss

    depth, width, most = (int(inputs[name]) for name in ("depth", "width", "steps"))
    race = Race(depth=depth, width=width, steps=most, give_up=_GIVE_UP)
    steps = steps_to_loss(starts(inputs), race, seeds, backend)
    return steps[:, 1:] / steps[:, :1]


def starts(inputs: Inputs) -> tuple[Start, Start, Start]:
    """Orthogonal tanh, Gaussian tanh and ReLU networks, each at its edge of chaos."""
    from widelimit.validate.simulate.jacobian.training import Start

    sigma_w, sigma_b = float(inputs["sigma_w"]), float(inputs["sigma_b"])
    return (
        Start("tanh", sigma_w, sigma_b, "orthogonal"),
        Start("tanh", sigma_w, sigma_b, "gaussian"),
        Start("relu", 2**0.5, 0.0, "gaussian"),
    )
