"""Wrong theories in short: altered inputs, other attributes of the same result, another solver, or a formula.

Each is a small record with ``predict(right, inputs)``, `right` being the claim's own prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.validate.harness.claim import Inputs
from widelimit.validate.harness.declare.calls import Solver, Told, call, typed
from widelimit.validate.harness.declare.rows import Reader, Rows

Scale = Callable[[np.ndarray], np.ndarray]
_BEYOND = 3.0  # margins; closer to the truth than that a wrong theory is no other one for a claim to reject
_FLOOR = 1e-9


@dataclass(frozen=True)
class Prediction(Told):
    """What a claim predicts: rows read off a solver's result, if it has a solver; `home` is the module that says so."""

    solver: Solver | None
    rows: Rows
    domain: Mapping[str, Any] = field(default_factory=dict)
    home: str = ""

    def __post_init__(self) -> None:
        solver = [] if self.solver is None else [self.solver.of]
        self.told(self.home, [*solver, *(one.read for one in self.rows.rows.values())])

    def __call__(self, inputs: Inputs) -> np.ndarray:
        """Predict at a point."""
        return self.at(inputs, inputs)

    def at(self, inputs: Inputs, shown: Inputs) -> np.ndarray:
        """Predict at altered inputs the rows that the point `shown` has."""
        at = typed(inputs, self.domain)
        result = () if self.solver is None else (self.solver(at),)
        return self.rows.read(result, at, typed(shown, self.domain))


@by_value
@dataclass(frozen=True)
class Finite:
    """How the rows of a claim are predicted at a size: what `at_size` says of it."""

    given: Mapping[str, Any] = field(default_factory=dict)
    solver: Solver | None = None
    rows: Any = None


def at_size(rows: Any = None, /, *, solver: str | Callable[..., Any] | None = None, **given: Any) -> Finite:
    """Say how a claim's rows are predicted at a finite size, in terms of ``size`` beside the inputs.

    Args:
        rows: where they are read instead: a reader of the single row, or a mapping of names to readers, which may ask
            for `size` by name; rows that it does not name are read as before.
        solver: another solver, with `given` alone for its further arguments.
        **given: further arguments of the solver: constants, or functions of ``size`` and of inputs by their names.

    >>> at_size(width=lambda size: size).given["width"](64)
    64
    """
    return Finite(given, None if solver is None else Solver(solver, given), rows)


@dataclass(frozen=True)
class AtSize(Told):
    """What a claim predicts at a size: the prediction with the solver and the readers of a `Finite`."""

    right: Prediction
    finite: Finite

    def __post_init__(self) -> None:
        self.told(self.right.home, [getattr(self.right, "__wrapped__", None)])
        self.prediction()  # a reader of a row that is not there is refused when the claim is made

    def prediction(self) -> Prediction:
        """The prediction at inputs that have ``size`` among them."""
        right, finite = self.right, self.finite
        solver = finite.solver
        if solver is None and right.solver is not None:
            solver = Solver(right.solver.of, {**right.solver.given, **finite.given})
        readers = finite.rows
        if readers is not None and not isinstance(readers, Mapping):
            readers = {"": readers}
        rows = right.rows if readers is None else right.rows.instead(readers, "finite")
        return Prediction(solver, rows, right.domain, right.home)

    def __call__(self, inputs: Inputs, size: int) -> np.ndarray:
        """Predict at a point and a size."""
        return self.prediction().at({**inputs, "size": size}, inputs)


@dataclass(frozen=True)
class Altered:
    """The right theory at other inputs."""

    change: Callable[[Inputs], Inputs] | None
    inputs: Mapping[str, Any]

    def predict(self, right: Prediction, inputs: Inputs) -> np.ndarray:
        """Predict at the altered inputs."""
        start = dict(inputs if self.change is None else self.change(inputs))
        changes = {
            name: call("altered", value, start) if callable(value) else value
            for name, value in self.inputs.items()
        }
        return right.at({**start, **changes}, inputs)


def altered(change: Callable[[Inputs], Inputs] | None = None, /, **inputs: Any) -> Altered:
    """Take the right theory at other inputs for the theory: a dropped term, a neighbouring ensemble.

    Args:
        change: a function of the inputs that returns others.
        **inputs: inputs to replace (or to add, where the solver has such a parameter), each by a value, or by a
            function of the inputs that its signature names.

    >>> altered(sigma_b=0.0, sigma_w=lambda sigma_w: sigma_w**0.5).inputs["sigma_b"]
    0.0
    """
    return Altered(change, inputs)


@dataclass(frozen=True)
class Instead:
    """Other attributes of the same result."""

    readers: Mapping[str, Reader]

    def predict(self, right: Prediction, inputs: Inputs) -> np.ndarray:
        """Read the other attributes."""
        return Prediction(right.solver, right.rows.instead(self.readers), right.domain)(inputs)


def instead(reader: Reader | Mapping[str, Reader] | None = None, /, **readers: Reader) -> Instead:
    """Read some rows from elsewhere: by name (in a mapping where it is no word), or the single row that has none.

    >>> instead(chi_1="chi_1_without_gate").readers
    {'chi_1': 'chi_1_without_gate'}
    >>> instead({"log p": "exponent"}).readers
    {'log p': 'exponent'}
    """
    if reader is None or isinstance(reader, Mapping):
        return Instead({**(reader or {}), **readers})
    return Instead({"": reader, **readers})


@dataclass(frozen=True)
class Another:
    """Another solver, or other parameters of it."""

    solver: Solver
    rows: Rows | None

    def predict(self, right: Prediction, inputs: Inputs) -> np.ndarray:
        """Solve the other theory."""
        return Prediction(self.solver, self.rows or right.rows, right.domain)(inputs)


def another(solver: str | Callable[..., Any], rows: Any = None, **given: Any) -> Another:
    """Ask another solver, with `given` parameters; `rows` are read from its result, default: those of the claim.

    >>> another("meanfield.solve", "chi_1").solver.of
    'meanfield.solve'
    """
    return Another(Solver(solver, given), None if rows is None else Rows.of(rows, None, ""))


@dataclass(frozen=True)
class Formula:
    """A function of inputs, of the `truth` and of the solver's `result`, as its signature names them."""

    function: Callable[..., Any]

    def predict(self, right: Prediction, inputs: Inputs) -> np.ndarray:
        """Evaluate the formula; a single number stands for every row."""
        at = typed(inputs, right.domain)
        given: dict[str, Any] = {"truth": right(inputs)}
        if right.solver is not None:
            given["result"] = right.solver(at)
        found = np.asarray(call("wrong", self.function, at, **given), dtype=np.float64)
        return np.full_like(given["truth"], found) if found.ndim == 0 else found


Theory = Altered | Instead | Another | Formula


@dataclass(frozen=True)
class Wrong:
    """A wrong theory as it is declared."""

    name: str
    explanation: str
    theory: Theory
    only: Callable[..., bool] | None = None
    beyond: float = _BEYOND


def wrong(
    name: str,
    explanation: str,
    theory: Any,
    *,
    only: Callable[..., bool] | None = None,
    beyond: float = _BEYOND,
) -> Wrong:
    """Declare a wrong theory that the same run must reject.

    It applies where it differs from the truth by more than `beyond` margins in some row, and where `only` holds.

    Args:
        name: its name in the report.
        explanation: what it gets wrong.
        theory: `altered(...)`, `instead(...)`, `another(...)`, or a function of inputs, `truth` and `result`.
        only: at which points it is asked at all, a function of inputs.
        beyond: how many margins it has to be away from the truth to be another theory.

    >>> wrong("no explosion", "gradients kept", lambda: 1.0).name
    'no explosion'
    """
    if not isinstance(theory, Theory):
        if not callable(theory):
            must = "must be altered(...), instead(...), another(...) or a function"
            raise ArgumentError("theory", must, theory)
        theory = Formula(theory)
    return Wrong(name, explanation, theory, only, beyond)


@dataclass(frozen=True)
class WrongPrediction(Told):
    """What a wrong theory predicts at a point."""

    theory: Theory
    right: Prediction

    def __post_init__(self) -> None:
        formula = self.theory.function if isinstance(self.theory, Formula) else None
        self.told(self.right.home, [formula, getattr(self.right, "__wrapped__", None)])

    def __call__(self, inputs: Inputs) -> np.ndarray:
        """Predict at a point."""
        return self.theory.predict(self.right, inputs)


@dataclass(frozen=True)
class Applies(Told):
    """Whether a wrong theory is another one at a point: `beyond` margins away from the truth in some row."""

    wrong: WrongPrediction
    margin: float
    scale: Scale | None
    only: Callable[..., bool] | None
    beyond: float

    def __post_init__(self) -> None:
        self.told(self.wrong.right.home, [getattr(self.wrong, "__wrapped__", None), self.only])

    def __call__(self, inputs: Inputs) -> bool:
        """Compare at a point; where the wrong theory has nothing to say, it does not apply."""
        right = self.wrong.right
        if self.only is not None and not call("only", self.only, typed(inputs, right.domain)):
            return False
        truth = right(inputs)
        try:
            said = self.wrong(inputs)
        except DomainError:
            return False
        scale = np.maximum(np.abs(truth), _FLOOR) if self.scale is None else self.scale(truth)
        near = np.max(np.abs(said - truth) / scale) <= self.beyond * self.margin
        return not bool(near)  # NaN is not near: it is for the run to refuse
