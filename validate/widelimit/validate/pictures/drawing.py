"""`draw`: from a result to the function that draws it, and to axes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from widelimit.theory.errors import ArgumentError, PictureError
from widelimit.validate.report.look import style
from widelimit.validate.report.scales import tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Draw = Callable[..., None]
_SELF = 2  # parameters that every function has: the result and the axes


def draw(result: Any, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw a result on axes, or on a new figure of pyplot's, and return the axes.

    Raises `PictureError` for a result without a picture, and `ArgumentError` for axes that are none, or an option that
    its picture does not have. Axes that were given keep what they show.

    >>> from widelimit.numerics import meanfield
    >>> draw(meanfield.solve("tanh", sigma_w=1.5, sigma_b=0.1), color="red")
    Traceback (most recent call last):
        ...
    widelimit.theory.errors.ArgumentError: Argument `color` must be no option here, but is 'red'. ...
    """
    make = function_of(type(result))
    known = list(inspect.signature(make).parameters)[_SELF:]
    for name, value in options.items():
        if name not in known:
            help = f"It takes {', '.join(known)}." if known else "It takes none."
            raise ArgumentError(name, "must be no option here", value, help)
    with style():
        own = ax is None
        axes = _new() if ax is None else _checked(ax)
        try:
            make(result, axes, **options)
        except BaseException:
            if own:
                _close(axes)
            raise
        if own:
            tidy(axes)
    return axes


def function_of(cls: type) -> Draw:
    """The function that draws results of a class; `PictureError` says why there is none."""
    found = _named(cls, "PICTURES")
    if found is None:
        because = reason_against(cls)
        why = f": {because}" if because else ""
        raise PictureError(f"A `{cls.__name__}` has no picture{why}; print it to see its numbers.")
    make: Draw = found
    return make


def reason_against(cls: type) -> str | None:
    """Why results of a class have no picture; None where they have one, or where nobody has thought of it."""
    reason: str | None = _named(cls, "NO_PICTURE")
    return reason


def _named(cls: type, which: str) -> Any:
    for one in cls.__mro__:
        parts = one.__module__.split(".")
        if parts[0] == "widelimit" and len(parts) > 2 and one.__name__ in (known := table(parts[2], which)):
            return known[one.__name__]
    return None


@cache
def table(room: str, name: str) -> dict[str, Any]:
    """A table of the module that draws the results of a room; empty where there is none."""
    module = f"{__package__}.{room}"
    return dict(getattr(import_module(module), name, {})) if find_spec(module) else {}


def _new() -> Axes:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(layout="constrained")
    figure.set_facecolor("white")  # ink on a dark notebook could not be read
    return axes


def _close(axes: Axes) -> None:
    from matplotlib import pyplot

    pyplot.close(axes.get_figure(root=True))


def _checked(ax: Any) -> Axes:
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise ArgumentError("ax", "must be Matplotlib's axes", ax, "Leave it out for a figure of its own.")
    return ax
