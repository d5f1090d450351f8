"""What a start leads to under the map itself: an invariant circle, or a locked orbit.

Averages over the orbit are weighted by exp(-1/(t (1 - t))), t the share of it that has passed: for motion on a circle
they converge faster than any power of the number of steps (Das, Sander, Yorke, Nonlinearity 30, 4111, 2017).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from widelimit.numerics.cells import Cell, loops
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.orbits import AtRestError
from widelimit.theory.errors import ConvergenceError, DomainError

Array = np.ndarray
STEPS = 6_000
MODES = 48
POINTS = 128
_LONGEST = 300  # locked orbits
_ROUNDS = 7
_CHAOS = 2e-3
_FLAT = 2e-7


@njit(nogil=True, error_model="numpy")
def _run(code, weights, offsets, start, states, jacobians):
    here = start.copy()
    for k in range(states.shape[0]):
        states[k] = here
        after = np.empty(here.size)
        loops.step(code, weights, offsets, here, after, jacobians[k])
        here = after
    return here


@njit(nogil=True, error_model="numpy")
def _growth(jacobians, bump):
    """Return Lyapunov exponents: weighted means of the logs of the diagonals of QR's triangles."""
    size = jacobians.shape[1]
    q = np.eye(size)
    for k in range(200):
        q, _ = np.linalg.qr(np.dot(jacobians[k], np.ascontiguousarray(q)))
    total = np.zeros(size)
    for k in range(200, jacobians.shape[0]):
        q, r = np.linalg.qr(np.dot(jacobians[k], np.ascontiguousarray(q)))
        for i in range(size):
            total[i] += bump[k] * math.log(max(abs(r[i, i]), 1e-300))
    return total / bump[200:].sum()


def attractor(cell: Cell, start: Array) -> dict[str, Any]:
    """Return the fields of a `Cycle`.

    Raises `AtRestError` for a fixed point, `DomainError` for chaos, `ConvergenceError` where it is neither yet.
    """
    here, count = start, 2_000
    for _ in range(_ROUNDS):
        here = cell.step(here, count)
        after = cell.step(here)
        if float(np.abs(after - here).max()) < 1e-12:
            raise AtRestError(after)
        states, jacobians = np.empty((STEPS, here.size)), np.empty((STEPS, here.size, here.size))
        _run(cell.code, cell.weights, cell.offsets, here, states, jacobians)
        gaps = np.abs(states[1 : _LONGEST + 1] - here).max(1)
        back = np.flatnonzero(gaps < 1e-11)
        if back.size:
            return _locked(states, jacobians, int(back[0]) + 1)
        exponents = _growth(jacobians, _bump(STEPS))
        if exponents[0] > _CHAOS:
            raise DomainError(
                f"The map is chaotic here: the largest Lyapunov exponent is {exponents[0]:.3g} a step."
            )
        if abs(exponents[0]) < _FLAT:
            found = _circle(states, jacobians, exponents)
            if found is not None:
                return found
        count *= 2
    raise ConvergenceError(
        "The map comes neither to rest, nor to a locked orbit, nor to a circle in the steps that it is given. Pass "
        "another start, or move the weights away from the border."
    )


def _bump(count: int) -> Array:
    t = (np.arange(count) + 0.5) / count
    weight = np.exp(-1 / (t * (1 - t)))
    return weight / weight.sum()


def _locked(states: Array, jacobians: Array, period: int) -> dict[str, Any]:
    whole = np.eye(states.shape[1])
    for one in jacobians[:period]:
        whole = one @ whole
    values, right = np.linalg.eig(whole)
    order = np.argsort(-np.abs(values))
    values = values[order]
    vectors, left = np.real(right[:, order[0]]), None
    others, covectors = np.linalg.eig(whole.T)
    left = np.real(covectors[:, int(np.abs(others - values[0]).argmin())])
    orbit, moved = states[:period], [vectors / np.linalg.norm(vectors)]
    for one in jacobians[: period - 1]:
        moved.append(one @ moved[-1])
    left = left / (left @ moved[0])
    largest = max(float(np.linalg.norm(one)) for one in moved)
    with np.errstate(divide="ignore"):
        exponents = np.log(np.abs(values)) / period
    return {
        "kind": "locked",
        "period": float(period),
        "orbit": orbit,
        "multipliers": values.real if np.abs(values.imag).max() == 0 else values,
        "exponents": exponents,
        "neutral": left,
        "gradient_bound": largest * float(np.linalg.norm(left)),
        "responses": np.full(orbit.shape, math.nan),
        "velocities": np.array(moved),
    }


def _rotation(states: Array) -> float:
    """Radians a step of the projection onto the plane in which the orbit is widest, about its middle."""
    centred = states - states.mean(0)
    _, _, axes = np.linalg.svd(centred[:1000], full_matrices=False)
    flat = centred @ axes[:2].T
    angles = np.arctan2(flat[:, 1], flat[:, 0])
    turns = np.diff(angles) % (2 * math.pi)
    bump = _bump(len(turns))
    mean = float(bump @ turns)
    return mean if mean <= math.pi else mean - 2 * math.pi


def _circle(states: Array, jacobians: Array, exponents: Array) -> dict[str, Any] | None:
    """The circle as Fourier series of the phase, which grows by the rotation in every step; None if they do not fit."""
    rotation = abs(_rotation(states))
    keep = len(states) - 1_000  # the adjoint settles over the last thousand
    bump = _bump(keep)
    phases = rotation * np.arange(keep)
    modes = np.arange(-MODES, MODES + 1)
    turns = np.exp(-1j * np.outer(phases, modes)) * bump[:, None]
    series = turns.T @ states[:keep]
    check = np.real(np.exp(1j * np.outer(phases[:200], modes)) @ series)
    if float(np.abs(check - states[:200]).max()) > 1e-5:
        return None
    tangents = np.real(np.exp(1j * np.outer(phases, modes)) @ (1j * modes[:, None] * series))
    covector = np.ones(states.shape[1])
    adjoint = np.empty((keep, states.shape[1]))
    for k in range(len(states) - 1, -1, -1):
        covector = covector @ jacobians[k]
        covector = covector / np.linalg.norm(covector)
        if k < keep:
            adjoint[k] = covector / (covector @ tangents[k])
    answers = turns.T @ adjoint
    at = np.exp(1j * np.outer(2 * math.pi * np.arange(POINTS) / POINTS, modes))
    velocities = rotation * np.real(at @ (1j * modes[:, None] * series))
    responses = np.real(at @ answers)
    period = 2 * math.pi / rotation
    neutral = adjoint[0] / rotation
    return {
        "kind": "invariant circle",
        "period": period,
        "orbit": np.real(at @ series),
        "multipliers": np.exp(exponents * period),
        "exponents": exponents,
        "neutral": neutral,
        "gradient_bound": float(np.linalg.norm(velocities, axis=1).max() * np.linalg.norm(neutral)),
        "responses": responses,
        "velocities": velocities,
    }
