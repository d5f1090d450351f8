"""Chains of finitely many states: stationary law, entropy production, and the gap of a walk from any data."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import walkback as theory
from widelimit.theory.errors import ArgumentError, DomainError

_ROUNDING = 1e-9


@by_value
@dataclass(frozen=True)
class Chain:
    """`stationary`: pi; `entropy_production` per step at stationarity, in nats.

    `gap`: the sum of h(q_t) over the steps of a walk from the data, h(q) the relative entropy of a step to its time
    reversal, at stationarity steps times the entropy production; `bound`: sum_i data_i log pi_i less the gap, which is
    the bound of variational walkback with the stationary law as prior.
    """

    stationary: np.ndarray
    entropy_production: float
    gap: float
    bound: float


def chain(matrix: Any, *, data: Any = None, steps: int = 1) -> Chain:
    """Return stationary law, entropy production and the bound's gap of a chain with transition probabilities T_ij.

    Args:
        matrix: T, (n, n); rows sum to 1, from every state every other one can be reached.
        data: the law that the walk starts from, default the stationary one.
        steps: K, of the walk.

    Raises `ArgumentError` for a matrix that is no such chain or data that are no law, `DomainError` where some
    transition has no way back: the entropy production is infinite.

    >>> found = chain([[0.6, 0.3, 0.1], [0.1, 0.6, 0.3], [0.3, 0.1, 0.6]], steps=4)
    >>> round(found.entropy_production, 12), round(found.gap, 12)  # 0.2 log 3 a step
    (0.219722457734, 0.878889830934)
    """
    t = _transitions(matrix)
    count = arguments.count("steps", steps)
    size = len(t)
    system = np.eye(size) - t.T
    system[-1] = 1.0
    law = np.linalg.solve(system, np.eye(size)[-1])
    law = np.clip(law, 1e-300, None) / law.sum()
    start = law if data is None else _law(data, size)
    some = t > 0
    if (some != some.T).any():
        i, j = np.argwhere(some & ~some.T)[0]
        raise DomainError(f"State {i} goes to {j}, but not back: the entropy production is infinite.")
    edges = np.zeros_like(t)
    i, j = np.nonzero(some)
    edges[i, j] = _edge()(law[i], law[j], t[i, j], t[j, i])
    each = edges.sum(1) / law  # relative entropy of a step from a state to its reverse
    total, here = 0.0, start
    for _ in range(count):
        total += float(here @ each)
        here = here @ t
    produced = float(edges.sum())
    gap = count * produced if data is None else total
    return Chain(law, max(produced, 0.0), max(gap, 0.0), float(start @ np.log(law)) - gap)


def _transitions(value: Any) -> np.ndarray:
    t = arguments.non_negative("matrix", value)
    if t.ndim != 2 or t.shape[0] != t.shape[1] or len(t) < 2:
        raise ArgumentError(
            "matrix", "must be a square matrix of two states or more", but=f"has shape {t.shape}"
        )
    sums = t.sum(1)
    if np.abs(sums - 1).max() > _ROUNDING:
        row = int(np.abs(sums - 1).argmax())
        raise ArgumentError("matrix", "must have rows that sum to 1", but=f"has {sums[row]:.6g} in row {row}")
    parts, _ = connected_components(csr_array(t > 0), directed=True, connection="strong")
    if parts > 1:
        help = "States that are left for ever have no stationary probability."
        raise ArgumentError(
            "matrix", "must reach every state from every other", but=f"has {parts} classes", help=help
        )
    return t / sums[:, None]


def _law(value: Any, size: int) -> np.ndarray:
    law = arguments.non_negative("data", value)
    if law.shape != (size,):
        raise ArgumentError("data", f"must have {size} probabilities", but=f"has shape {law.shape}")
    if abs(law.sum() - 1) > _ROUNDING:
        raise ArgumentError("data", "must sum to 1", but=f"sums to {law.sum():.6g}")
    return law / law.sum()


@functools.cache
def _edge() -> Compiled:
    t = theory
    return compile(t.edge_entropy(), (t.STATIONARY_I, t.STATIONARY_J, t.THERE, t.BACK), name="edge_entropy")
