"""Look for a point of a claim's domain at which it is wrong, and shrink it to the simplest one.

Hypothesis draws points and shrinks what disagrees; each point is simulated and judged as a run of its own,
with replicates that are seeded by its hash, so that a search repeats exactly. Chance would make some of
many points disagree, and shrinking would chase it: a point counts as a counterexample only if it disagrees
at `level` and again, with fresh replicates, at ``1 / points``, with `points` the most that can be tried.
Points have independent replicates, so that a true claim yields a counterexample with probability at most
``points x level / points = level`` over the whole search.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.validate.harness import faults, requests
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.claim import Claim, Inputs, Plan, Preset
from widelimit.validate.harness.domains import inputs_strategy
from widelimit.validate.harness.finding import Source, sources
from widelimit.validate.harness.outcome import ClaimOutcome, FalsifyOutcome
from widelimit.validate.harness.running.cells import Cell, Done
from widelimit.validate.harness.running.executors import InProcess, drive
from widelimit.validate.harness.running.measure import measure
from widelimit.validate.harness.running.points import Place, predicted
from widelimit.validate.harness.seeds import digest
from widelimit.validate.harness.statistics import LEVEL
from widelimit.validate.harness.verdicts import conclude

BUDGET = 100
_CONFIRMING = 1  # the run seed of fresh replicates is the search's own plus 2^32 times this


def falsify(
    claim: str | Claim,
    budget: int = BUDGET,
    *,
    seconds: float | None = None,
    preset: Preset = "quick",
    device: str = "auto",
    level: float = LEVEL,
    seed: int = 0,
    claims_from: Sequence[str] = (),
    executor: Executor | None = None,
    progress: Callable[[int, int, Inputs, str], None] | None = None,
) -> FalsifyOutcome:
    """Search the domain of a claim (or of the claim of this id) for a counterexample.

    `budget` points at most are tried, and as many again to shrink what was found; none is begun after
    `seconds`. Sizes and replicates are those of the claim's plan for `preset`; inputs that its points have
    beyond the domain are kept as in the first point. `progress` is called with (points judged, budget,
    inputs, verdict). Raises `ArgumentError` for a claim without a domain or plan.
    """
    start = time.perf_counter()
    requests.check(preset, level, seed, executor, progress)
    if not isinstance(claim, str | Claim):
        raise ArgumentError(
            "claim", "must be the id of one claim, or a claim", claim, "See `widelimit list`."
        )
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 1:
        raise ArgumentError("budget", "must be a whole number of points, 1 or more", budget)
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and not (number and seconds > 0):
        raise ArgumentError("seconds", "must be positive", seconds)
    found: Source | Claim = claim if isinstance(claim, Claim) else _only(claim, claims_from)
    spec = found.claim() if isinstance(found, Source) else found
    plan = spec.plans.get(preset)
    if plan is None or not plan.points:
        raise ArgumentError("preset", f"must be one that {spec.id} has a plan for", preset)
    if not spec.domain:
        raise ArgumentError("claim", "must have a domain to search", spec.id)
    search = _Search(spec, found, plan, Backend.choose(device), level, seed, executor or InProcess())
    search.budget, search.progress = budget, progress
    search.deadline = float("inf") if seconds is None else start + seconds
    fixed = {name: value for name, value in plan.points[0].items() if name not in spec.domain}
    counterexample = _find(search, fixed, budget, seed)
    if search.failure is not None:
        raise search.failure
    rows = () if counterexample is None else search.confirmed[digest(counterexample)].rows
    elapsed = time.perf_counter() - start
    return FalsifyOutcome(
        spec.id, len(search.seen), len(search.outside), level, elapsed, counterexample, rows
    )


def _find(search: _Search, fixed: Inputs, budget: int, seed: int) -> Inputs | None:
    from hypothesis import HealthCheck, Phase, find, settings
    from hypothesis.errors import NoSuchExample, Unsatisfiable

    chosen = settings(
        max_examples=budget,
        database=None,
        deadline=None,
        derandomize=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    strategy = inputs_strategy(search.claim.domain, fixed, search.valid)
    try:
        return find(strategy, search.disagrees, settings=chosen, random=random.Random(seed))
    except NoSuchExample:
        return None
    except Unsatisfiable as error:
        raise ArgumentError("claim", "must have valid points in its domain", search.claim.id) from error


class _Search:
    """Judges points, each once, and remembers."""

    progress: Callable[[int, int, Inputs, str], None] | None = None
    budget = BUDGET
    deadline = float("inf")
    failure: Exception | None = None  # ends the search; Hypothesis would try to shrink it

    def __init__(
        self,
        claim: Claim,
        found: Source | Claim,
        plan: Plan,
        backend: Backend,
        level: float,
        seed: int,
        executor: Executor,
    ) -> None:
        self.claim, self.found, self.plan, self.backend = claim, found, plan, backend
        self.level, self.seed, self.executor = level, seed, executor
        self.seen: dict[str, bool] = {}
        self.outside: set[str] = set()
        self.confirmed: dict[str, ClaimOutcome] = {}

    def valid(self, inputs: Inputs) -> bool:
        """Whether the theory speaks about a point."""
        at = faults.said(inputs)
        return bool(faults.called(self.claim, "valid", self.claim.valid, inputs, at=at))

    def disagrees(self, inputs: Inputs) -> bool:
        """Whether the claim is wrong at this point, twice."""
        if self.failure is not None:
            return False
        key = digest(inputs)
        if key in self.seen or key in self.outside:
            return self.seen.get(key, False)
        allowed = 2 * self.budget if self.confirmed else self.budget
        if len(self.seen) >= allowed or time.perf_counter() > self.deadline:
            return False
        try:
            return self._disagrees(key, inputs, allowed)
        except DomainError:
            self.outside.add(key)
        except Exception as error:
            self.failure = error
        return False

    def _disagrees(self, key: str, inputs: Inputs, allowed: int) -> bool:
        verdict = self._judge(inputs, self.seed, self.level).verdict
        if verdict == "disagrees":
            fresh = self.seed + (_CONFIRMING << 32)
            second = self._judge(inputs, fresh, min(self.level, 1 / (2 * self.budget)))
            if second.verdict == "disagrees":
                self.confirmed[key] = second
            else:
                verdict = "inconclusive"
        self.seen[key] = verdict == "disagrees"
        if self.progress:
            requests.told(self.progress, len(self.seen), allowed, inputs, verdict)
        return self.seen[key]

    def _judge(self, inputs: Inputs, run_seed: int, level: float) -> ClaimOutcome:
        here = Place(self.found, self.plan, 0, inputs, self.backend, run_seed)
        told = predicted(here)
        results: dict[str, Done] = {}

        def compute(cells: Sequence[Cell]) -> Mapping[str, Done]:
            drive(self.executor, cells, lambda cell, done: results.__setitem__(cell.key, done))
            return results

        return conclude(measure([here], lambda: [told], compute, level), level)[0]


def _only(claim_id: str, claims_from: Sequence[str]) -> Source:
    """Where the one claim of this id is."""
    found = sources([claim_id], claims_from)
    if len(found) != 1:
        raise ArgumentError("claim", "must be the id of one claim", claim_id, "See `widelimit list`.")
    return found[0]
