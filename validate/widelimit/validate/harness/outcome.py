"""What a run found out: plain records that `statistics` fills, `dataset` keeps and `report` prints.

A `RunOutcome` holds one `ClaimOutcome` for each claim, which holds one `RowOutcome` for each predicted
number of each point, with its sizes and counterfactuals. All of it is numbers, strings and tuples, so that
it can be printed, written as JSON and compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from widelimit.numerics.results import by_value
from widelimit.validate.harness.claim import Compare, Inputs

Verdict = Literal["agrees", "differs", "disagrees", "inconclusive"]
MEANINGS: Mapping[Verdict, str] = {
    "agrees": "within the margin, and the interval contains the prediction",
    "differs": "within the margin, but the interval excludes the prediction: a small deviation that is really there, "
    "of a finite size, an approximation or an empirical rule; no failure",
    "disagrees": "the interval excludes the prediction, which is not shown to lie within the margin",
    "inconclusive": "the interval contains the prediction, but is too wide for the margin; more replicates would "
    "decide",
}


@by_value
@dataclass(frozen=True)
class SizeSummary:
    """The replicates of one row at one size: `mean` is the claim's location statistic (mean or median).

    `predicted` is what the theory says of this size, None where it speaks of the limit alone.
    """

    size: int
    replicates: int
    mean: float
    standard_error: float
    predicted: float | None = None


@by_value
@dataclass(frozen=True)
class CounterfactualRow:
    """What the same data say of a wrong theory at one row: its prediction, and whether it is rejected."""

    name: str
    predicted: float
    p_value: float
    rejected: bool


@by_value
@dataclass(frozen=True)
class RowOutcome:
    """One predicted number at one point, and what was measured.

    `inputs` are the point's inputs merged with the row's label; `point` counts the points of the claim from
    0 and `label` is the row's own part. `measured` is the limit (mean or median where the claim has none),
    `low` and `high` its confidence interval at the level `confidence`, which is what multiplicity leaves: the row
    differs or disagrees where it excludes the prediction. `compare` says how: "equal", or one-sided ("at least",
    "at most"; one end of the interval is then infinite). `margin` is absolute. `within` is the smallest margin,
    relative to the claim's scale, that the row would pass. `slope` is the fitted coefficient
    of size^-exponent (0 without a limit). Where the theory predicts every size, `measured` is the prediction plus what
    the sizes are off by, all of them pooled, and `free` with its `free_error` the limit by extrapolation alone, as a
    check (None elsewhere). `resolution` is relative to the claim's scale. `lack_of_fit` is
    the p-value of the finite-size law (1 where there are fewer than three sizes); where the run rejects
    that law, `flagged` is set and the interval is widened by `systematic`, which is then `shift`: how far the next
    order would move the limit. `needed_replicates` would decide an inconclusive row (None where replicates cannot, or
    none are needed). `scale` is what margin and resolution are relative to. Rows can be judged again from what they
    hold (`judging`).
    """

    inputs: Inputs
    predicted: float
    measured: float
    standard_error: float
    low: float
    high: float
    degrees_of_freedom: float
    margin: float
    slope: float
    slope_error: float
    p_equivalence: float
    p_difference: float
    verdict: Verdict
    resolution: float
    needed_replicates: int | None
    sizes: tuple[SizeSummary, ...]
    counterfactuals: tuple[CounterfactualRow, ...] = ()
    confidence: float = 0.95
    lack_of_fit: float = 1.0
    systematic: float = 0.0
    flagged: bool = False
    point: int = 0
    label: Inputs = field(default_factory=dict)
    shift: float = 0.0
    scale: float = 0.0
    within: float = float("inf")
    compare: Compare = "equal"
    free: float | None = None
    free_error: float | None = None

    @property
    def residual(self) -> float:
        """Measured minus predicted, in standard errors (infinite where exact data differ)."""
        difference = self.measured - self.predicted
        if self.standard_error > 0:
            return difference / self.standard_error
        return 0.0 if difference == 0 else float("inf") * (1 if difference > 0 else -1)


@by_value
@dataclass(frozen=True)
class CounterfactualOutcome:
    """Whether the run tells a wrong theory from the data: rejected if it disagrees at one row or more."""

    name: str
    explanation: str
    rejected: bool
    rows_tested: int
    rows_rejected: int


@by_value
@dataclass(frozen=True)
class Fit:
    """A sum of squares of `numbers` residuals over their errors, `chi2` per degree of freedom (1 is expected).

    `degrees`: of how many independent numbers it is worth, as rows that share networks are correlated. `p_value`:
    two-sided, and `off` where the page's level rejects it (Benjamini and Hochberg over its claims).
    """

    chi2: float
    numbers: int
    degrees: float
    p_value: float
    off: bool = False


@by_value
@dataclass(frozen=True)
class ClaimOutcome:
    """The verdict on one claim: `disagrees` if any row does, else `inconclusive` if any row is, else `differs` if any
    row does, else `agrees`.

    `too_weak`: a counterfactual survived (or there is none), so that the verdict means nothing.
    `resolution`: the relative error that would have been rejected at whichever row it occurred (the worst
    row); `best_resolution`: at the sharpest row. `within`: the smallest margin, relative to the scale, at which all
    rows would pass together. `residuals` and `law`: whether residuals, and deviations from the finite-size law, are
    what their errors account for; None where that is not known. `level` is the run's level, `margin` the claim's own
    (relative to its scale), `replicates` all that were simulated.
    """

    id: str
    title: str
    statement: str
    paper: str
    verdict: Verdict
    too_weak: bool
    resolution: float
    level: float
    margin: float
    rows: tuple[RowOutcome, ...]
    counterfactuals: tuple[CounterfactualOutcome, ...]
    seconds: float
    replicates: int
    notes: str = ""
    best_resolution: float = 0.0
    exponent: float = 1.0
    size_name: str = "width"
    location: str = "mean"
    observable: str = ""
    within: float = float("inf")
    residuals: Fit | None = None
    law: Fit | None = None

    @property
    def points(self) -> int:
        """How many points of the domain were visited."""
        return len({row.point for row in self.rows})


@by_value
@dataclass(frozen=True)
class RunOutcome:
    """All claims of a run, and its manifest: versions, device, seed, git state, level, times, warnings."""

    claims: tuple[ClaimOutcome, ...]
    manifest: Mapping[str, Any]
    preset: str
    level: float

    @property
    def disagrees(self) -> bool:
        """Whether any claim disagrees (the command line's exit status 1)."""
        return any(claim.verdict == "disagrees" for claim in self.claims)


@by_value
@dataclass(frozen=True)
class FalsifyOutcome:
    """What a search for a counterexample found.

    `tried` points were judged and `skipped` ones lay where the theory says nothing. `counterexample` is the
    simplest point that disagreed, also with fresh replicates, with its `rows`; None if none did. A true
    claim yields a counterexample with probability at most `level`, over the whole search.
    """

    claim: str
    tried: int
    skipped: int
    level: float
    seconds: float
    counterexample: Inputs | None = None
    rows: tuple[RowOutcome, ...] = ()
