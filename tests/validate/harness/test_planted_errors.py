"""An error planted in the theory of a claim is seen by its quick run: nothing that is simulated knows the theory.

Each case runs the claim's quick plan at one point (at most `replicates`), with the theory as it stands and with an
error planted in a solver of `widelimit.numerics`: a best penalty times 1.5, an edge five per cent off, another phase.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from importlib import import_module

import numpy as np
import pytest

from widelimit.validate.claims.meanfield import theory as meanfield
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.declare import calls
from widelimit.validate.harness.finding import find
from widelimit.validate.harness.statistics import judge
from widelimit.validate.harness.statistics.limit import extrapolate


@dataclass(frozen=True)
class Planted:
    """An error in what a function of numerics returns, and the rows of the claim's first quick point that see it."""

    claim: str
    where: str
    change: Callable
    seen: tuple[int, ...]
    replicates: int = 16
    point: int = 0
    sizes: tuple[int, ...] = ()  # other than the plan's: smaller ones see less, and cost less


def more(**factors: float) -> Callable:
    """Fields of a result, times a factor each."""

    def changed(result):
        return replace(result, **{name: getattr(result, name) * factor for name, factor in factors.items()})

    return changed


def modes(factor: float) -> Callable:
    """Every Fourier mode's factor a layer, times this."""
    return lambda result: replace(result, factor=[factor * one for one in result.factor])


def fields(**values: float) -> Callable:
    """Fields of a result, as given."""
    return lambda result: replace(result, **values)


CASES = [
    Planted("ridge.optimal-penalty", "ridge.optimal_penalty", more(penalty=1.5), (0,), 16, point=1),
    Planted("ridge.negative-penalty", "ridge.optimal_penalty", more(penalty=1.5), (0,), 64),
    Planted("convolution.modes", "convolution.predict", modes(1.1), (0,), 16, sizes=(16, 32, 64)),
    Planted("fisher.jacobian-bound", "fisher.blocks", lambda blocks: blocks**1.5, (0,), 16),
    Planted(
        "fisher.learning-rate", "fisher.predict", more(largest_learning_rate=1.5), (0,), 12, 0, (24, 48, 96)
    ),
    Planted(
        "meanfield.critical-decay",
        "meanfield.critical_line",
        more(sigma_w=1.05),
        (0,),
        16,
        sizes=(48, 96, 192),
    ),
    Planted("meanfield.fixed-point", "meanfield.solve", fields(c_star=0.5), (1,), 8, 1, (48, 96, 192)),
    Planted("ridge.alignment", "ridge.optimal_penalty", more(test_error=1.1), (0, 2), 96),
]


def forget() -> None:
    """Results of solvers are remembered by function and arguments."""
    calls._remembered.cache_clear()
    for remembered in (meanfield._solution, meanfield._history, meanfield.edge):
        remembered.cache_clear()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.claim)
def test_a_planted_error_is_seen(case, monkeypatch):
    claim = find(case.claim)
    plan = claim.plans["quick"]
    inputs = plan.points[case.point]
    sizes = case.sizes or plan.sizes
    samples = [claim.simulate(inputs, size, range(case.replicates), Backend()) for size in sizes or (0,)]
    estimate = extrapolate(samples, sizes, claim.exponent, location=claim.location)

    def verdicts() -> list[str]:
        forget()
        predicted = claim.predict(inputs)
        scale = np.abs(predicted) if claim.scale is None else claim.scale(predicted)
        found = judge(estimate, predicted, claim.margin * scale)
        return [found.verdict(row) for row in range(len(predicted))]

    right = verdicts()
    assert all(right[row] in ("agrees", "differs") for row in case.seen), right
    room, _, name = case.where.rpartition(".")
    module = import_module(f"widelimit.numerics.{room}")
    solver = getattr(module, name)

    @wraps(solver)
    def planted(*args, **more):
        return case.change(solver(*args, **more))

    monkeypatch.setattr(module, name, planted)
    wrong = verdicts()
    monkeypatch.undo()
    forget()
    assert all(wrong[row] in ("disagrees", "inconclusive") for row in case.seen), wrong
