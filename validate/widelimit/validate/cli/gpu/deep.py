"""Claims of the deep preset, sized by a time budget: fewer replicates and points, never other sizes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from widelimit.validate.cli.gpu.timing import wait
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.claim import Claim, Plan
from widelimit.validate.harness.running.points import COST
from widelimit.validate.harness.seeds import seed_of
from widelimit.validate.harness.text import told

# Spectra of width 4,000 and learning at width 400 are what the preset is for.
CLAIMS = ("jacobian.distribution", "jacobian.moments", "jacobian.learning-speed", "meanfield.length-map")
_FEWEST = 4  # replicates a size that say anything of their scatter


@dataclass(frozen=True)
class Sized:
    """What a budget buys of a claim's deep plan; `plan` is None where it buys too little, and `why` says so."""

    claim: str
    seconds_each: float
    plan: Plan | None
    why: str = ""


def sized(claim: Claim, budget: float, backend: Backend) -> Sized:
    """Time one replicate at the largest size, then take what the budget (in seconds) buys of the plan.

    All points, with as many replicates as that leaves each; else fewer points; else nothing.
    """
    plan = claim.plans.get("deep")
    if plan is None or not plan.points:
        return Sized(claim.id, 0.0, None, "it has no deep plan")
    own = backend if claim.float32 else replace(backend, precision="float64")
    largest = max(plan.sizes, default=0)
    try:
        each = _seconds(claim, plan, largest, own)
    except Exception as error:  # a device that cannot is a finding
        return Sized(claim.id, 0.0, None, told(error))
    sizes = plan.sizes or (1,)
    a_replicate = each * sum((size / max(sizes)) ** COST for size in sizes)
    return Sized(claim.id, each, *_bought(plan, max(0.0, budget - 2 * each), a_replicate))


def _bought(plan: Plan, budget: float, a_replicate: float) -> tuple[Plan | None, str]:
    """The plan that fits, and a word where it is not the whole one."""
    for points in range(len(plan.points), 0, -1):
        count = min(plan.most, int(budget / (points * max(a_replicate, 1e-9))))
        if count >= _FEWEST:
            less = points < len(plan.points) or count < plan.most
            why = f"{points} of {len(plan.points)} points, {count} of {plan.most} replicates" if less else ""
            pilot = min(plan.pilot, count)
            if count < plan.most:
                pilot = count  # one stage, of a known length
            small = min(plan.block, count)
            return replace(plan, points=plan.points[:points], pilot=pilot, most=count, block=small), why
    return None, f"{_FEWEST} replicates of one point would take {_FEWEST * a_replicate:.0f} s"


def _seconds(claim: Claim, plan: Plan, size: int, backend: Backend) -> float:
    """One replicate at the first point, after one at the smallest size that compiles and loads."""
    inputs = plan.points[0]
    small = min(plan.sizes, default=0)
    claim.simulate(inputs, small, [seed_of(claim.id, inputs, small, 0)], backend)
    wait(backend.name)
    start = time.perf_counter()
    claim.simulate(inputs, size, [seed_of(claim.id, inputs, size, 0)], backend)
    wait(backend.name)
    return time.perf_counter() - start


def cut(claims: Sequence[Claim], plans: Sequence[Sized]) -> list[Claim]:
    """The claims with the plans that were bought, as the deep preset."""
    return [
        replace(claim, plans={"deep": one.plan}) for claim, one in zip(claims, plans, strict=True) if one.plan
    ]
