"""`find`: the cycle that a start leads to, in continuous time or of the map itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.cells import Cell, read
from widelimit.numerics.cycles import maps
from widelimit.numerics.orbits import AtRestError, Closed, close, settle
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray
TIMES = ("step", "continuous")
PIECES = 64
_FINE = 512  # pieces for cycles with corners
_TAIL = 1e-9  # of the last quarter of the spectrum of responses


@by_value
@dataclass(frozen=True)
class Cycle:
    """A cycle of a recurrent cell.

    `kind`: "cycle" in continuous time; of the map "invariant circle", or "locked", a periodic orbit. `period` in units
    of time or steps, 2 pi over the rotation of a circle. `orbit` (n, state): states at equal phases, from `start` on.
    `multipliers`: of a period, largest first: 1 of a cycle or a circle, less of a locked orbit; `exponents`:
    log|multiplier|/period. `neutral`: w_0, what a gradient at the first state of the orbit keeps for ever, w_0.f = 1
    with the velocity f. `gradient_bound`: the largest |f(h(t))||w_0|, the one singular value of dh(t)/dh(0) that does
    not decay. `responses` (n, state): phase responses Z at the same phases, Z.f = 2 pi/period; NaN where locked.
    `velocities` (n, state): f along the orbit.
    """

    kind: str
    period: float
    orbit: Array
    multipliers: Array
    exponents: Array
    neutral: Array
    gradient_bound: float
    responses: Array
    velocities: Array

    @property
    def frequency(self) -> float:
        """2 pi/period."""
        return 2 * math.pi / self.period

    @property
    def neutral_directions(self) -> int:
        """How many directions neither grow nor die: multipliers of modulus 1, to six digits."""
        return int((np.abs(np.abs(self.multipliers) - 1) < 1e-6).sum())

    def phase_response(self, phase: Any) -> Array:
        """Return Z at phases in radians from the first state of the orbit: (..., state), by its Fourier series.

        Raises `DomainError` for a locked orbit: it has no phase that is kept.
        """
        if self.kind == "locked":
            raise DomainError("A locked orbit has no phase response: every perturbation of it dies.")
        phases = arguments.real("phase", phase)
        modes = np.fft.rfft(self.responses, axis=0) / len(self.responses)
        turns = np.exp(1j * phases[..., None] * np.arange(len(modes)))
        weights = np.where(np.arange(len(modes)) == 0, 1.0, 2.0)[:, None]
        return np.asarray(np.real(turns @ (weights * modes)))


def find(cell: Any, *, start: Any, inputs: Any = None, time: str = "step") -> Cycle:
    """Return the stable cycle that a start leads to, with multipliers and phase response.

    In continuous time, dh/dt = step(h) - h, period and start are found by Newton's method with an integrator of order
    sixteen; multipliers are those of the monodromy. Of the map rotation and exponents are weighted averages over the
    orbit (they converge faster than any power), and the response is what the adjoint settles on.

    Args:
        cell: a torch RNN, GRU or LSTM, a cell, or a dictionary of arrays.
        start: one state, (units,); of an LSTM h and then c.
        inputs: one constant input vector, zeros if left out.
        time: "step", the trained map, or "continuous".

    Raises `ArgumentError` for a start that falls into a fixed point (named), or other shapes; `ConvergenceError` for
    one that does neither in the time it is given; `DomainError` where the map is chaotic.

    >>> turn = {"weight_hh": [[1.5, -1.5], [1.5, 1.5]]}
    >>> found = find(turn, start=[0.5, 0.0], time="continuous")
    >>> found.kind, round(found.period, 9), found.neutral_directions
    ('cycle', 6.46688538, 1)
    """
    known = arguments.choice("time", time, TIMES)
    given = read(cell, inputs=inputs)
    states = given.states("start", start)
    if len(states) != 1:
        raise ArgumentError("start", "must be one state", but=f"holds {len(states)}")
    try:
        if known == "continuous":
            return _resolved(given, settle(given, states[0], PIECES))
        return Cycle(**maps.attractor(given, states[0]))
    except AtRestError as rest:
        point = np.array2string(rest.state, precision=6, separator=", ")
        help = "Start elsewhere; numerics.gru.portrait shows what there is in up to three dimensions."
        raise ArgumentError(
            "start", "must lead to a cycle", but=f"falls into the fixed point {point}", help=help
        ) from None


def _resolved(cell: Cell, found: Closed) -> Cycle:
    """The cycle with as many samples as its responses ask for."""
    made = _continuous(cell, found)
    modes = np.abs(np.fft.rfft(made.responses, axis=0)).max(1)
    if modes[3 * len(modes) // 4 :].max() > _TAIL * modes.max():
        finer = close(cell, found.states[0], found.period, _FINE)
        return made if finer is None else _continuous(cell, finer)
    return made


def _continuous(cell: Cell, found: Closed) -> Cycle:
    orbit, period = found.states[:-1], found.period
    velocities = cell.step(orbit) - orbit
    monodromy = found.monodromy
    values, vectors = np.linalg.eig(monodromy.T)
    order = np.argsort(-np.abs(values))
    best = int(np.abs(values - 1).argmin())
    order = np.array([best, *(k for k in order if k != best)])
    multipliers = values[order]
    multipliers = multipliers.real if np.abs(multipliers.imag).max() == 0 else multipliers
    covector = np.real(vectors[:, best])
    covector = covector / (covector @ velocities[0])
    adjoint = np.empty_like(orbit)
    here = covector
    for k in range(len(orbit) - 1, -1, -1):
        here = here @ found.transfers[k]
        adjoint[k] = here / (here @ velocities[k])
    with np.errstate(divide="ignore"):
        exponents = np.log(np.abs(multipliers)) / period
    bound = float(np.linalg.norm(velocities, axis=1).max() * np.linalg.norm(adjoint[0]))
    return Cycle(
        "cycle",
        period,
        orbit,
        multipliers,
        exponents,
        adjoint[0],
        bound,
        2 * math.pi / period * adjoint,
        velocities,
    )
