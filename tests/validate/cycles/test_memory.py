"""How networks start that are to remember: turns, gains and chaos."""

import numpy as np
import torch

from widelimit.validate.simulate import cycles


def test_turns_have_the_gains_and_angles_that_they_are_said_to_have():
    for kind, low, high in (("cycle", 1.0, 1.2), ("focus", 0.9, 0.9)):
        weights = cycles._started(kind, torch.Generator().manual_seed(0)).double().numpy()
        values = np.linalg.eigvals(weights)
        assert (np.abs(values) > low - 1e-6).all() and (np.abs(values) < high + 1e-6).all()
        angles = np.abs(np.angle(values))
        assert (angles > 0.2 * np.pi - 1e-6).all() and (angles < 0.4 * np.pi + 1e-6).all()


def test_chaos_has_independent_weights_of_variance_four_over_n():
    weights = cycles._started("chaos", torch.Generator().manual_seed(0))
    assert abs(float((weights**2).mean()) * 16 / 4 - 1) < 0.1
