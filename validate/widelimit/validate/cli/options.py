"""Options that a topic declares: the keyword parameters of its own function become ``--key value``."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from widelimit.theory.errors import ArgumentError
from widelimit.theory.topics import TOPICS


def _whole(type_: Any, tokens: Sequence[Any]) -> Any:
    """Cyclopts would take 2.5 for 2; nobody means that."""
    numbers = [int(token.value) for token in tokens]
    return numbers[0] if type_ is int else numbers


Whole = Annotated[int, Parameter(converter=_whole)]

# What a command line can say, by the first word of a parameter's annotation that it knows.
_TYPES: dict[str, Any] = {
    "list[float]": list[float],
    "list[int]": Annotated[list[int], Parameter(converter=_whole)],
    "list[str]": list[str],
    "str": str,
    "Literal": str,
    "float": float,
    "int": Whole,
    "bool": bool,
}
_FALLBACK = {"activation": "tanh"}  # for functions that ask for an activation without a default


# topics whose command reads files of torch, which no solver imports
_DOORS = {("dynamics", "predict"): "widelimit.validate.dynamics"}


def topics(floor: str) -> list[str]:
    """The topics that stand on a floor."""
    return [one for one in TOPICS if find_spec(f"widelimit.{floor}.{one}")]


def summary(topic: str, floor: str) -> str:
    """What the module of a topic says of itself in its first line, read without importing it.

    >>> summary("ridge", "theory").split()[0]
    'Ridge'
    """
    spec = find_spec(f"widelimit.{floor}.{topic}")
    source = Path(spec.origin).read_bytes() if spec is not None and spec.origin else b""
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def topic_function(topic: str, floor: str, name: str) -> Callable[..., Any]:
    """Find a function of a topic, such as ``predict`` of ``widelimit.numerics.meanfield``.

    >>> topic_function("meanfeild", "numerics", "predict")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    widelimit.theory.errors.ArgumentError: Argument `topic` must be one of ..., but is 'meanfeild'. ...
    """
    known = topics(floor)
    if topic not in known:
        near = get_close_matches(topic, known, n=1, cutoff=0.4)
        help = f"Did you mean {near[0]}?" if near else "See `widelimit list`."
        raise ArgumentError("topic", f"must be one of {', '.join(known)}", topic, help)
    module = import_module(_DOORS.get((topic, name), f"widelimit.{floor}.{topic}"))
    # a topic whose function takes data may have another one of numbers for the command line
    function = getattr(module, f"{name}_from_numbers", None) or getattr(module, name, None)
    if function is None:
        raise ArgumentError("topic", f"must have something to {name}", topic)
    return function


def bind(function: Callable[..., Any], tokens: Sequence[str], usage: str) -> dict[str, Any]:
    """Read ``--key value`` tokens as keyword arguments of `function`; ``--help`` prints its options.

    Raises cyclopts' errors for tokens that fit no parameter.

    >>> def predict(activation: str = "tanh", sigma_w: float = 1.5): ...
    >>> bind(predict, ["--sigma-w", "2"], "predict meanfield")
    {'sigma_w': 2.0}
    """
    parameters = [
        parameter.replace(
            kind=inspect.Parameter.KEYWORD_ONLY,
            annotation=_type(parameter),
            default=_FALLBACK.get(name, parameter.empty)
            if parameter.default is parameter.empty
            else parameter.default,
        )
        for name, parameter in inspect.signature(function).parameters.items()
    ]
    given: dict[str, Any] = {}

    def command(**values: Any) -> None:
        given.update(values)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = _help(function)
    app = App(
        name=usage,
        help_format="plaintext",
        version_flags=[],
        print_error=False,
        exit_on_error=False,
        default_parameter=Parameter(consume_multiple=True, negative=()),
        result_action="return_value",
    )
    app.default(command)
    app(list(tokens))
    unsaid = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    return {name: _FALLBACK[name] for name in unsaid if name in _FALLBACK} | given


def _type(parameter: inspect.Parameter) -> Any:
    text = parameter.annotation if isinstance(parameter.annotation, str) else str(parameter.annotation)
    found = next((_TYPES[name] for name in _TYPES if re.search(rf"(?<!\w){re.escape(name)}", text)), str)
    return found if parameter.default is not None else found | None


def _help(function: Callable[..., Any]) -> str:
    """Take the summary and the parameters of a docstring; examples are no help on a command line."""
    text = inspect.getdoc(function) or ""
    return text.split("\n    >>>")[0].split("\n>>>")[0].split("\nRaises")[0]
