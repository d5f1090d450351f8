"""`derive`: from the loss of two views to flows, fixed points, times, basins and thresholds."""

from __future__ import annotations

from collections.abc import Callable

from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.errors import ArgumentError
from widelimit.theory.ssl.borders import basin
from widelimit.theory.ssl.filters import filter_
from widelimit.theory.ssl.flows import flow
from widelimit.theory.ssl.modes import modes
from widelimit.theory.ssl.times import time

_GROUPS: dict[str, Callable[[], Derivation]] = {
    "modes": modes,
    "flow": flow,
    "time": time,
    "basin": basin,
    "filter": filter_,
}
RESULTS = tuple(_GROUPS)


def derive(result: str = "modes") -> Derivation:
    """Derive a group of results of non-contrastive learning.

    Args:
        result: modes (fixed points of a mode), flow (of matrices: invariant, alignment, what the stop-gradient does),
            time (to learn, to collapse), basin (which starts survive), filter (any data, rules for the predictor).

    >>> derive("modes")["critical"].equation.rhs
    tau**2*x**2/(4*x + 4*x_a)
    """
    if not isinstance(result, str) or result not in _GROUPS:
        raise ArgumentError("result", f"must be one of {', '.join(RESULTS)}", result)
    return _GROUPS[result]()
