"""The fixed point next to a state, by Newton's method on the resting map."""

from __future__ import annotations

import numpy as np

from widelimit.numerics.cells import Cell

Array = np.ndarray


def resting(cell: Cell, state: Array) -> Array | None:
    """Return the fixed point that Newton's method reaches from a state without long steps, None if it reaches none."""
    h = state[: cell.size].copy()
    for _ in range(40):
        value, slope, _ = cell.rest(h)
        miss = value - h
        try:
            change = np.linalg.solve(np.eye(h.size) - slope, miss)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(change).all() or np.abs(change).max() > 2:
            return None
        h = h + change
        if np.abs(change).max() < 1e-14:
            break
    value = cell.rest(h)[0]
    return cell.full(h) if np.abs(value - h).max() < 1e-12 else None
