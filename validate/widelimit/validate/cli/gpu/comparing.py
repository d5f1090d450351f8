"""Samples of claims' simulations on two devices, on the same seeds.

From the same draws they have to agree to rounding, replicate by replicate; from each device's own draws, which differ,
their means have to agree within their errors (Welch's test, at a level over all numbers).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from widelimit.validate.cli.gpu.draws import SameDraws
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.claim import Claim
from widelimit.validate.harness.seeds import seed_of
from widelimit.validate.harness.text import told

LEVEL = 0.01  # of any false alarm over a whole comparison of own draws
ROUNDING = {"float64": 1e-6, "float32": 3e-2}  # of the largest sample; long products and training amplify it
_REPLICATES = 6


@dataclass(frozen=True)
class Compared:
    """One claim on two devices: `apart` is relative, from the same draws; `p_value` the smallest, from own draws."""

    claim: str
    module: str
    size: int
    numbers: int
    apart: float
    p_value: float
    seconds: tuple[float, float]
    problem: str = ""

    def agrees(self, many: int, precision: str = "float64") -> bool:
        """Whether both devices say the same, as one of `many` numbers compared."""
        same = self.apart <= ROUNDING[precision] and self.p_value >= LEVEL / max(1, many)
        return not self.problem and same


def chosen(claims: Iterable[Claim]) -> list[Claim]:
    """Order claims: one of each module of simulations first, so that little time sees all of them."""
    first: dict[str, Claim] = {}
    rest = [claim for claim in claims if first.setdefault(module(claim), claim) is not claim]
    return [*first.values(), *rest]


def module(claim: Claim) -> str:
    """The room of a claim's simulation, by the function that it calls."""
    function: Any = claim.simulate
    for name in ("simulate", "func", "__wrapped__"):
        function = getattr(function, name, function)
    return str(getattr(function, "__module__", claim.topic))


def compare(claim: Claim, first: Backend, second: Backend, replicates: int = _REPLICATES) -> Compared:
    """Simulate a claim's first quick point at its smallest size on both devices; what fails is told, not raised."""
    plan = claim.plans.get("quick") or next(iter(claim.plans.values()))
    inputs, size = plan.points[0], min(plan.sizes, default=0)
    seeds = [seed_of(claim.id, inputs, size, k) for k in range(replicates)]
    backends = [one if claim.float32 else replace(one, precision="float64") for one in (first, second)]
    try:
        shared = [_samples(claim, inputs, size, seeds, one, SameDraws())[0] for one in backends]
        own = [_samples(claim, inputs, size, seeds, one, None) for one in backends]
    except Exception as error:  # a device that cannot is a finding of the comparison
        nothing = (math.nan, math.nan)
        return Compared(claim.id, module(claim), size, 0, math.nan, math.nan, nothing, told(error))
    apart, p_value = _apart(*shared), _welch(own[0][0], own[1][0])
    seconds = (own[0][1], own[1][1])
    return Compared(claim.id, module(claim), size, shared[0].shape[1], apart, p_value, seconds)


def _samples(
    claim: Claim, inputs: Any, size: int, seeds: Sequence[int], backend: Backend, mode: SameDraws | None
) -> tuple[np.ndarray, float]:
    start = time.perf_counter()
    if mode is None:
        found = np.asarray(claim.simulate(inputs, size, seeds, backend), dtype=float)
    else:
        with mode:
            found = np.asarray(claim.simulate(inputs, size, seeds, backend), dtype=float)
    return found, time.perf_counter() - start


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference over the largest sample of the same number.

    >>> _apart(np.array([[1.0, 2.0]]), np.array([[1.0, 2.5]]))
    0.2
    """
    if one.shape != other.shape:
        return math.inf
    scale = np.maximum(np.abs(one).max(0), np.abs(other).max(0))
    off = np.abs(one - other).max(0)
    return float(np.max(np.divide(off, scale, out=np.zeros_like(off), where=scale > 0), initial=0.0))


def _welch(one: np.ndarray, other: np.ndarray) -> float:
    """The smallest p-value of equal means over the numbers, times how many there are; 1 where nothing scatters."""
    from scipy.stats import t

    mean = np.abs(one.mean(0) - other.mean(0))
    parts = [samples.var(0, ddof=1) / len(samples) for samples in (one, other)]
    error = np.sqrt(parts[0] + parts[1])
    off = np.divide(mean, error, out=np.zeros_like(mean), where=error > 0)
    exact = (error <= 1e-12 * np.abs(one).max(0)) & (mean <= 1e-6 * np.abs(one).max(0))
    smallest = 2 * t.sf(np.where(exact, 0.0, off), min(len(one), len(other)) - 1).min()
    return float(min(1.0, smallest * one.shape[1]))


def all_of(
    claims: Iterable[Claim], first: Backend, second: Backend, until: float, replicates: int = _REPLICATES
) -> Iterator[Compared]:
    """Compare claims one after the other until a time of `time.monotonic`."""
    for claim in chosen(claims):
        if time.monotonic() >= until:
            return
        yield compare(claim, first, second, replicates)
