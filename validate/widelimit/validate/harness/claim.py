"""What a falsifiable statement is: prediction, measurement, domain, finite-size law and a wrong theory to reject.

A `Claim` is a plain record. Topics build claims (``validate/claims/<topic>.py`` exposes ``CLAIMS``); `run` draws its
cells of work from them, `statistics` turns samples into verdicts, `report` prints them. Inputs are flat mappings of
JSON scalars, so that a cell can be hashed, stored and sent to another machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from widelimit.validate.harness import claim_checks as checks

if TYPE_CHECKING:
    import numpy as np

    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.validate.harness.backend import Backend

Scalar = float | int | str | bool
Inputs = Mapping[str, Scalar]
Preset = Literal["quick", "reference", "deep"]
Compare = Literal["equal", "at least", "at most"]


@dataclass(frozen=True)
class Interval:
    """Real numbers from `low` to `high`; Hypothesis shrinks towards `simplest`."""

    low: float
    high: float
    simplest: float | None = None

    def __post_init__(self) -> None:
        checks.interval(self.low, self.high, self.simplest)


@dataclass(frozen=True)
class Integers:
    """Whole numbers from `low` to `high`, both included."""

    low: int
    high: int

    def __post_init__(self) -> None:
        checks.integers(self.low, self.high)


@dataclass(frozen=True)
class Choice:
    """One of the named options; Hypothesis shrinks towards the first."""

    options: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", checks.options(self.options))


@dataclass(frozen=True)
class Counterfactual:
    """A wrong theory that the same run must reject: `predict` has the shape of the claim's own prediction.

    `applies` says at which inputs it differs from the truth at all (default: everywhere). `predict_at(inputs, size)` is
    what it says of a finite system, where that is not off from the right prediction as its limit is. Such a theory is
    asked where it is two margins off at the largest size of the plan.
    """

    name: str
    explanation: str
    predict: Callable[[Inputs], np.ndarray]
    applies: Callable[[Inputs], bool] = lambda _inputs: True
    predict_at: Callable[[Inputs, int], np.ndarray] | None = None

    def __post_init__(self) -> None:
        checks.functions(self, "predict", "applies")
        checks.functions(self, "predict_at", needed=False)
        checks.texts(self, "counterfactual", name=checks.LINE, explanation=checks.PARAGRAPH)


@dataclass(frozen=True)
class Plan:
    """How much a preset spends on a claim.

    `points`: the inputs to visit. `sizes`: the sizes N (three or more, or empty where the claim has no limit; two or
    more where the theory predicts each size). `within`: how close theory and measurement are to be compared, relative
    to the scale: the target that replicates are planned to resolve; the claim's margin by default. `pilot`: replicates
    of each size that tell how much they scatter, and so how many it takes. `most`: a budget, what so many replicates
    of each size would cost; sizes get shares of it by what they cost and are worth (`statistics.stages`). `block`:
    replicates of the largest size in a cell of work.
    """

    points: tuple[Inputs, ...]
    sizes: tuple[int, ...]
    pilot: int = 8
    most: int = 32
    block: int = 8
    within: float | None = None

    def __post_init__(self) -> None:
        if self.within is not None:
            checks.positive("within", self.within)
        object.__setattr__(self, "points", checks.points(self.points))
        object.__setattr__(self, "sizes", checks.sizes(self.sizes))
        for name in ("pilot", "most", "block"):
            checks.count(name, getattr(self, name))


@dataclass(frozen=True)
class Infinite:
    """The limit, taken for what a system of any size shows."""

    predict: Callable[[Inputs], np.ndarray]

    @property
    def __wrapped__(self) -> Callable[[Inputs], np.ndarray]:
        """Whose fault a failure is, is told by where the prediction stands."""
        return self.predict

    def __call__(self, inputs: Inputs, size: int) -> np.ndarray:
        """Predict the limit."""
        return self.predict(inputs)


@dataclass(frozen=True)
class Claim:
    """A falsifiable statement of a paper.

    `predict(inputs)` returns the k predicted numbers of a point, in the limit. `rows(inputs)` names them: k mappings
    that are merged into the inputs in the report (``{"layer": 3}``). `simulate(inputs, size, seeds, backend)`
    returns one row of k numbers for each seed, a replicate of the finite system each, independent of one another;
    it must give the same numbers for the same seed however seeds are split into calls.
    `predict_at(inputs, size)`: the same k numbers of a finite system, of error O(size^-2 exponent). Where there is one,
    every size is compared with its own prediction and all sizes are pooled, without extrapolation; the limit itself,
    taken for a finite size, is then one more wrong theory to reject where it differs ("infinite width").
    `exponent`: bias ~ size^-exponent. `margin`: agreement means that the limit lies within margin * scale of the
    prediction, `scale(predicted)` being |predicted| by default (relative margin).
    `compare`: "equal", or for one-sided statements "at least" or "at most" what is predicted; a function of the inputs
    where rows differ. The test is then one-sided, and numbers beyond the prediction on the right side are no deviation.
    `location`: the statistic of the replicates that is compared, the mean, or the median where tails are heavy.
    `valid(inputs)`: which points of the domain the theory speaks about (Hypothesis draws are filtered by it).
    `curve(inputs, values)`: what is predicted at other values of the one number that labels the rows, for the figures;
    `inputs` also hold the row's other labels.
    `measured_inputs`: further numbers that the prediction starts from and that the report should show.

    All of it is checked when the claim is made: what is of another kind raises `ArgumentError`. In texts, breaks become
    spaces, and what can be neither seen nor encoded becomes "\ufffd"; what is longer than a page is cut.
    """

    id: str
    title: str
    statement: str
    paper: str
    domain: Mapping[str, Interval | Integers | Choice]
    plans: Mapping[Preset, Plan]
    predict: Callable[[Inputs], np.ndarray]
    simulate: Callable[[Inputs, int, Sequence[int], Backend], np.ndarray]
    counterfactuals: tuple[Counterfactual, ...]
    rows: Callable[[Inputs], Sequence[Inputs]] = lambda _inputs: ({},)
    derivation: Callable[[Inputs], Derivation] | None = None
    predict_at: Callable[[Inputs, int], np.ndarray] | None = None
    exponent: float = 1.0
    margin: float = 0.02
    scale: Callable[[np.ndarray], np.ndarray] | None = None
    location: Literal["mean", "median"] = "mean"
    compare: Compare | Callable[[Inputs], Sequence[Compare]] = "equal"
    valid: Callable[[Inputs], bool] = lambda _inputs: True
    size_name: str = "width"
    quantity: str = ""
    observable: str = ""
    float32: str = ""
    curve: Callable[[Inputs, np.ndarray], np.ndarray] | None = None
    figure: Callable[[Any, Any], None] | None = None
    notes: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.identifier(self.id)
        checks.texts(self, "claim", **_TEXTS)
        checks.functions(self, "predict", "simulate", "rows", "valid")
        checks.functions(self, "derivation", "scale", "curve", "figure", "predict_at", needed=False)
        checks.mapping("domain", self.domain, str, (Interval, Integers, Choice))
        checks.mapping("plans", self.plans, str, (Plan,))
        if unknown := set(self.plans) - set(get_args(Preset)):
            checks.refuse("plans", f"must have presets of {', '.join(get_args(Preset))}", sorted(unknown)[0])
        wrong = checks.sequence("counterfactuals", self.counterfactuals, Counterfactual)
        name = f"infinite {self.size_name}"
        if self.predict_at is not None and name not in [one.name for one in wrong]:
            why = f"the limit, taken for what a finite {self.size_name} shows"
            wrong = (*wrong, Counterfactual(name, why, self.predict, predict_at=Infinite(self.predict)))
        object.__setattr__(self, "counterfactuals", wrong)
        checks.unique("counterfactuals", [one.name for one in wrong])
        checks.positive("exponent", self.exponent)
        checks.positive("margin", self.margin)
        if self.location not in ("mean", "median"):
            checks.refuse("location", "must be mean or median", self.location)
        if not callable(self.compare):
            checks.comparison(self.compare)

    @property
    def topic(self) -> str:
        """The part of the id before the dot."""
        return self.id.split(".", 1)[0]


_TEXTS = {
    **dict.fromkeys(("title", "quantity", "size_name"), checks.LINE),
    **dict.fromkeys(("statement", "paper", "observable", "float32", "notes"), checks.PARAGRAPH),
}
