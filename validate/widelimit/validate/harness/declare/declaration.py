"""`declare`: a claim in about 25 lines, wrong theories included."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.theory.topics import TOPICS
from widelimit.validate.harness.claim import Claim, Compare, Counterfactual, Inputs, Plan, Preset
from widelimit.validate.harness.claim_checks import comparison
from widelimit.validate.harness.declare.calls import Solver, Told, call, typed
from widelimit.validate.harness.declare.points import Points, spend
from widelimit.validate.harness.declare.rows import Index, Row, Rows
from widelimit.validate.harness.declare.theories import (
    Applies,
    AtSize,
    Finite,
    Prediction,
    Wrong,
    WrongPrediction,
    at_size,
)
from widelimit.validate.harness.replicates import Replicates

if TYPE_CHECKING:
    from widelimit.theory.calculus.derivation import Derivation

OF_THE_TOPIC = "of the topic"


def declare(
    id: str,
    *,
    title: str,
    statement: str,
    paper: str,
    domain: Mapping[str, Any],
    rows: Any,
    simulate: Callable[..., Any],
    within: float,
    points: Points | None = None,
    solver: str | Callable[..., Any] | None = None,
    given: Mapping[str, Any] | None = None,
    over: Index | None = None,
    named: str = "quantity",
    sizes: Sequence[int] = (),
    noise: float = 1.0,
    target: float | None = None,
    closer: float | None = None,
    plans: Mapping[Preset, Plan] | None = None,
    start: Callable[[Inputs], Mapping[str, Any]] | None = None,
    wrong: Wrong | Sequence[Wrong] = (),
    scale: float | Callable[[np.ndarray], np.ndarray] | None = None,
    valid: Callable[..., bool] | None = None,
    derivation: Callable[[Inputs], Derivation] | str | None = OF_THE_TOPIC,
    finite: Finite | str | None = None,
    exponent: float = 1.0,
    compare: Compare | Mapping[str, Compare] = "equal",
    **more: Any,
) -> Claim:
    """Declare a claim in short; the result is a plain `Claim`.

    Args:
        id: ``topic.name``.
        title: a few words for the report.
        statement: what the paper says.
        paper: the paper and its equation.
        domain: inputs and where they may lie.
        rows: what is predicted: an attribute of the solver's result, a function of the result and of inputs that its
            signature names, a number, or a mapping of names to those (and to `row(...)`).
        simulate: ``(inputs, size, seed, backend) -> numbers`` of one replicate; with a parameter `seeds`, of all.
        points: a `table`, unless `plans` are given.
        within: the margin of agreement relative to the scale, which replicates are planned to resolve.
        solver: ``"topic.function"`` of `widelimit.numerics`, or a function; gets the inputs that its signature names.
        given: further arguments of the solver: constants, or functions of inputs.
        over: an index that arrays in rows are spread over: ``{"layer": "depth"}`` counts from 1 to the input `depth`;
            values, or a function of inputs, do as well.
        named: what the report calls the names of rows.
        sizes: sizes of the quick preset; none where the claim has no limit. The others multiply them.
        noise: standard deviation of one replicate over the scale, times the square root of its size.
        target: how close quick runs are to look, where that is closer than `within`; the others look twice as close.
        closer: how many times as close the others look as quick runs do, in place of that.
        plans: plans by preset in place of what `points`, `sizes`, `within` and `noise` come to.
        start: ``(inputs) -> mapping`` of further arguments of `simulate`.
        wrong: wrong theories, each a `wrong(...)`.
        scale: what `within` is relative to: a function of the prediction, or a number below which the margin is
            absolute; default: the size of the prediction.
        valid: at which points of the domain the theory speaks, a function of inputs that its signature names.
        derivation: a function of the inputs; default: ``theory.<topic>.derive`` with the inputs that it names.
        finite: how the rows are predicted at a size: an `at_size(...)`, or the solver's parameter that takes the size
            ("width").
        exponent: bias ~ size^-exponent.
        compare: "equal"; "at least" or "at most" for one-sided statements; or a mapping of the names of rows to those,
            the others being equal.
        **more: other fields of `Claim`: quantity, observable, location, size_name, float32, figure, notes.

    Raises `ArgumentError`, here or when the claim is first asked, for what does not fit together.
    """
    if plans is None and not isinstance(points, Points):
        raise ArgumentError("points", "must be a table(...)", points, "Or pass `plans`.")
    listed = (wrong,) if isinstance(wrong, Wrong) else tuple(wrong)
    for one in listed:
        if not isinstance(one, Wrong):
            raise ArgumentError("wrong", "must hold wrong(...) theories", one)
    asked = Solver(solver, given or {}) if solver is not None else None
    frame = inspect.currentframe()
    caller = frame.f_back if frame is not None else None
    home = "" if caller is None else str(caller.f_globals.get("__name__", ""))
    prediction = Prediction(asked, Rows.of(rows, over, named), domain, home)
    measure = Floor(float(scale)) if isinstance(scale, int | float) else scale
    if points is not None and plans is None:
        plans = spend(
            points, sizes, within=within, noise=noise, exponent=exponent, target=target, closer=closer
        )
    more = {"curve": _between(prediction), **more}
    return Claim(
        id=id,
        title=title,
        statement=statement,
        paper=paper,
        domain=domain,
        plans=plans or {},
        predict=prediction,
        simulate=Replicates(simulate, start),
        counterfactuals=tuple(_counterfactual(one, prediction, within, measure) for one in listed),
        rows=Labels(prediction),
        derivation=_derivation(id) if isinstance(derivation, str) else derivation,
        predict_at=_finite(finite, prediction),
        exponent=exponent,
        compare=compare if isinstance(compare, str) else _sides(compare, prediction),
        margin=within,
        scale=measure,
        valid=Valid(valid, domain, home),
        **more,
    )


@dataclass(frozen=True)
class Floor:
    """A scale: the size of what is predicted, at least `least`, so that the margin is absolute below it."""

    least: float

    def __call__(self, predicted: np.ndarray) -> np.ndarray:
        """Return the scale of each number."""
        return np.maximum(np.abs(predicted), self.least)


def largest(predicted: np.ndarray) -> np.ndarray:
    """A scale: errors of all numbers of a point are judged against the largest.

    >>> largest(np.array([1.0, -4.0])).tolist()
    [4.0, 4.0]
    """
    return np.full_like(predicted, np.abs(predicted).max())


@dataclass(frozen=True)
class Between(Told):
    """The prediction along an index whose values the solver is given: at any other values, for the figures."""

    prediction: Prediction

    def __post_init__(self) -> None:
        self.told(self.prediction.home, ())

    def __call__(self, inputs: Inputs, values: np.ndarray) -> np.ndarray:
        """Predict one row of a point, named by the inputs where there are several."""
        rows, solver = self.prediction.rows, self.prediction.solver
        name = str(inputs[rows.named]) if rows.named in inputs else ""
        (axis,) = rows.rows[name].over
        index = {axis: tuple(float(value) for value in values)}
        assert solver is not None
        asked = Solver(solver.of, {**solver.given, **index})
        other = Rows({name: Row(rows.rows[name].read, index)}, rows.named)
        return Prediction(asked, other, self.prediction.domain, self.prediction.home)(inputs)


def _between(prediction: Prediction) -> Between | None:
    """Ask between the values of an index, if every row's is one that the solver is given as it stands."""
    given = {} if prediction.solver is None else prediction.solver.given
    for one in prediction.rows.rows.values():
        values = [given.get(name) for name in one.over]
        fixed = [of for of in one.over.values() if not callable(of) and not isinstance(of, str)]
        if len(values) != 1 or len(fixed) != 1 or callable(values[0]) or values[0] is None:
            return None
        if np.shape(values[0]) != np.shape(fixed[0]) or not np.array_equal(values[0], fixed[0]):
            return None
    return Between(prediction)


@dataclass(frozen=True)
class Valid(Told):
    """Whether a theory speaks about a point; it does not where it has no answer."""

    condition: Callable[..., bool] | None
    domain: Mapping[str, Any]
    home: str = ""

    def __post_init__(self) -> None:
        self.told(self.home, [self.condition])

    def __call__(self, inputs: Inputs) -> bool:
        """Ask the condition."""
        try:
            return self.condition is None or bool(call("valid", self.condition, typed(inputs, self.domain)))
        except DomainError:
            return False


@dataclass(frozen=True)
class Labels(Told):
    """What names the numbers of a point."""

    prediction: Prediction

    def __post_init__(self) -> None:
        self.told(self.prediction.home, ())

    def __call__(self, inputs: Inputs) -> tuple[Inputs, ...]:
        """Name the numbers of a point."""
        return self.prediction.rows.labels(typed(inputs, self.prediction.domain))


@dataclass(frozen=True)
class Sides(Told):
    """How each number of a point is compared, by the name of its row."""

    named: Mapping[str, Compare]
    prediction: Prediction

    def __post_init__(self) -> None:
        self.told(self.prediction.home, ())

    def __call__(self, inputs: Inputs) -> tuple[Compare, ...]:
        """Compare the numbers of a point."""
        at, rows = typed(inputs, self.prediction.domain), self.prediction.rows.rows
        return tuple(
            self.named.get(name, "equal")
            for name, one in rows.items()
            if one.shown(at)
            for _ in one.labels(at)
        )


def _sides(named: Any, prediction: Prediction) -> Sides:
    if not isinstance(named, Mapping):
        raise ArgumentError("compare", "must be equal, at least or at most, or map rows to those", named)
    for name, one in named.items():
        comparison(one)
        if name not in prediction.rows.rows:
            must = f"must name rows, which are {', '.join(prediction.rows.rows)}"
            raise ArgumentError("compare", must, name)
    return Sides(dict(named), prediction)


def _finite(finite: Any, prediction: Prediction) -> AtSize | None:
    if isinstance(finite, str):
        finite = at_size(**{finite: _size})
    if finite is not None and not isinstance(finite, Finite):
        raise ArgumentError("finite", "must be an at_size(...), or name a parameter of the solver", finite)
    return None if finite is None else AtSize(prediction, finite)


def _size(size: int) -> int:
    return size


def _counterfactual(one: Wrong, right: Prediction, margin: float, scale: Any) -> Counterfactual:
    said = WrongPrediction(one.theory, right)
    return Counterfactual(one.name, one.explanation, said, Applies(said, margin, scale, one.only, one.beyond))


def _derivation(id: str) -> Callable[[Inputs], Derivation] | None:
    topic = id.partition(".")[0]
    known = topic in TOPICS and find_spec(f"widelimit.theory.{topic}") is not None
    return partial(_derive, topic) if known else None


def _derive(topic: str, inputs: Inputs) -> Derivation:
    return call("derivation", import_module(f"widelimit.theory.{topic}").derive, inputs)
