"""What the mean-field claims measure from networks that start at the fixed point of theory: rates and gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.meanfield.measured import architecture
from widelimit.validate.claims.meanfield.theory import COVARIANCE_AT, DELTA, chaotic, solution
from widelimit.validate.claims.meanfield.theory import distances as layers_back
from widelimit.validate.harness.claim import Inputs

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_STRETCH = 0.02  # change of q that is followed; with DELTA for c, cubic terms are below 0.3 %
_TINY = 1e-8  # 1 - c in the ordered phase: kinks shift the rate by sqrt(1 - c)
_BURN = 2
_LENGTH_LAYERS = 2  # xi_q is one or two layers


def rates(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Measure 1/xi_c and 1/xi_q of networks that start at the fixed point, changed a little.

    In the chaotic phase c is followed for 0.6 xi_c layers, by when half the change is left; in the ordered phase, where
    1 - c shrinks within each network to rounding without noise taking over, for 2 xi_c.
    """
    from widelimit.validate.simulate.meanfield import rate_of_merging, rates_of_return

    found, apart = solution(inputs), chaotic(inputs)
    q_star = float(found.q_star)
    layers = int(np.clip(round(0.6 * float(found.xi_c)), 3, 8)) if apart else 1
    back = rates_of_return(
        architecture(inputs, depth=max(layers, _LENGTH_LAYERS)),
        size,
        seeds,
        backend,
        q0=q_star,
        c0=float(found.c_star) if apart else 0.5,
        delta=DELTA,
        stretch=_STRETCH,
        layers_c=layers,
        layers_q=_LENGTH_LAYERS,
    )
    if not apart:
        depth = _BURN + int(np.clip(round(2 * float(found.xi_c)), 6, 20))
        deep = architecture(inputs, depth=depth)
        back[:, 0] = rate_of_merging(deep, size, seeds, backend, q0=q_star, one_minus_c0=_TINY, burn=_BURN)
    return back


def gradients(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Send random output vectors back through networks that run at q* and c*."""
    from widelimit.validate.simulate.meanfield import gradient_statistics

    found, apart = solution(inputs), chaotic(inputs)
    distances = layers_back(inputs)
    measured = gradient_statistics(
        architecture(inputs, depth=distances[-1] + 1),
        size,
        seeds,
        backend,
        q0=float(found.q_star),
        one_minus_c0=float(found.one_minus_c_star) if apart else 1.0,
        distances=(COVARIANCE_AT, *distances),
    )
    return np.column_stack([measured.log_norm[:, 1:], measured.covariance[:, :1][:, : int(apart)]])
