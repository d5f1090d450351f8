"""Functions called by the names of their parameters: with the inputs of a point, and with what is given besides.

One rule for all that a declaration names: a solver, a reader of its result, a condition, a derivation gets those inputs
of the point that its signature names; ``inputs``, without a default, is the whole mapping. A parameter that has a
default and is no input keeps the default.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import Any

from widelimit.theory.errors import ArgumentError
from widelimit.theory.topics import EXTENDS, TOPICS
from widelimit.validate.harness.claim import Inputs, Integers, Interval

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_MEMORY = 256  # results of solvers kept, so that rows and wrong theories of a point share one


@lru_cache(maxsize=1024)
def parameters(function: Callable[..., Any]) -> Mapping[str, bool]:
    """Return the names that a function can be called by, each with whether it has to be given.

    >>> parameters(lambda sigma_w, keep=1.0: None)
    {'sigma_w': True, 'keep': False}
    """
    found = inspect.signature(function).parameters.values()
    return {one.name: one.default is one.empty for one in found if one.kind in _NAMED}


def bound(
    role: str, function: Callable[..., Any], inputs: Inputs, given: Mapping[str, Any], skip: int = 0
) -> dict[str, Any]:
    """Return the arguments of a function by name: what its signature names of the inputs and of `given`.

    `role` is what the function is called in the declaration; the first `skip` parameters are left out. Raises
    `ArgumentError` for a parameter that nothing fits.

    >>> bound("valid", lambda depth: depth > 2, {"depth": 3, "sigma_w": 1.0}, {})
    {'depth': 3}
    """
    asked = dict(list(parameters(function).items())[skip:])
    whole = {"inputs": inputs} if asked.get("inputs") else {}  # a solver may have an option of that name
    known = {**whole, **inputs, **given}
    for name, needed in asked.items():
        if needed and name not in known:
            raise ArgumentError(
                role,
                "must ask for inputs of the point by their names",
                but=f"{_name(function)} asks for `{name}`, and the point has {', '.join(inputs) or 'none'}",
                help="Name it in `points`, or give it in `given`.",
            )
    return {name: known[name] for name in asked if name in known}


def call(role: str, function: Callable[..., Any], inputs: Inputs, *leading: Any, **given: Any) -> Any:
    """Call a function with `leading` arguments, and by name with what it asks for (`bound`).

    >>> call("rows", lambda result, depth: result[depth], {"depth": 1, "sigma_w": 1.0}, (5, 6))
    6
    """
    return function(*leading, **bound(role, function, inputs, given, len(leading)))


def typed(inputs: Inputs, domain: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs as numbers of their domain's kind: an interval holds floats, integers are whole.

    >>> typed({"sigma_w": 2, "activation": "tanh"}, {"sigma_w": Interval(0.5, 3.0)})
    {'sigma_w': 2.0, 'activation': 'tanh'}
    """
    kinds: dict[type, Callable[[Any], Any]] = {Interval: float, Integers: int}
    return {
        name: kinds[kind](value) if (kind := type(domain.get(name))) in kinds else value
        for name, value in inputs.items()
    }


@dataclass(frozen=True)
class Solver:
    """What a claim's numbers are read from: a function, or the name of one of `widelimit.numerics`, found when called.

    `given` maps further parameters to constants, or to functions of the inputs.

    >>> Solver("residual.predict", {"depth": 1})({"activation": "linear", "sigma_w": 1.0}).second_moment
    [1.0, 2.0]
    """

    of: str | Callable[..., Any]
    given: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.of, str) and self.of.partition(".")[0] in (*TOPICS, *EXTENDS):
            return
        if not callable(self.of):
            help = 'Such as "residual.predict".'
            raise ArgumentError(
                "solver", "must be a function, or name one of a topic of numerics", self.of, help
            )

    @property
    def function(self) -> Callable[..., Any]:
        """The function itself."""
        return self.of if callable(self.of) else _numerics(self.of)

    def __call__(self, inputs: Inputs) -> Any:
        """Solve at a point."""
        function = self.function
        names = parameters(function)
        for name in self.given:
            if name not in names:
                has = f"It has {', '.join(names)}."
                raise ArgumentError("given", f"must name parameters of {_name(function)}", name, has)
        given = {
            name: call("given", value, inputs) if callable(value) else value
            for name, value in self.given.items()
        }
        arguments = tuple(bound("solver", function, inputs, given).items())
        return _remembered(function, arguments) if _hashable(arguments) else function(**dict(arguments))


@lru_cache(maxsize=_MEMORY)
def _remembered(function: Callable[..., Any], arguments: tuple[tuple[str, Any], ...]) -> Any:
    return function(**dict(arguments))


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


class Told:
    """What a declaration is made of, told by the module and the function that it comes from.

    A failure then counts as the module's that declares, and names its line (`harness.faults`).
    """

    def told(self, home: str, functions: Iterable[Any]) -> None:
        """Take the name of the module that declares, and the first of what may be functions of its own."""
        if home:
            object.__setattr__(self, "__module__", home)
        for function in functions:
            if callable(function):
                object.__setattr__(self, "__wrapped__", function)
                return


def _numerics(name: str) -> Callable[..., Any]:
    room, _, rest = name.partition(".")
    found: Any = import_module(f"widelimit.numerics.{room}")
    for part in rest.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise ArgumentError("solver", "must name a function of widelimit.numerics", name)
    return found


def _name(function: Callable[..., Any]) -> str:
    return f"`{getattr(function, '__name__', type(function).__name__)}`"
