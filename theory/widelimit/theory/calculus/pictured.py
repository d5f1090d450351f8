"""Results draw themselves and show themselves as tables, by a floor that they do not know.

Pictures and tables are made on the third floor, in ``widelimit.validate.pictures``, which is found by its name when
something is drawn: neither theory nor solvers import Matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

from widelimit.theory.errors import PictureError

T = TypeVar("T")
PICTURES = "widelimit.validate.pictures"


def pictured(cls: type[T]) -> type[T]:
    """Let a result draw itself, ``result.plot()``, and show itself as a table in a notebook.

    What a class defines itself stays: a portrait has a `plot` of its own.

    >>> @pictured
    ... class Point:
    ...     x = 1.0
    >>> Point().plot()
    Traceback (most recent call last):
        ...
    widelimit.theory.errors.PictureError: A `Point` has no picture; print it to see its numbers.
    """
    for function in (plot, _repr_html_):
        if function.__name__ not in vars(cls):
            setattr(cls, function.__name__, function)
    return cls


def plot(self: Any, ax: Any = None, **options: Any) -> Any:
    """Draw this result on Matplotlib's axes `ax`, or on a figure of its own, and return the axes.

    Options depend on what is drawn; a wrong one is answered by the list of the right ones. Raises `PictureError`
    where there is nothing to be seen (one number), or where ``widelimit.validate`` is not installed.
    """
    if find_spec(PICTURES) is None:
        help = "Install widelimit with its third floor, `widelimit.validate`, which draws."
        raise PictureError(f"A `{type(self).__name__}` cannot be drawn here: {PICTURES} is missing. {help}")
    return import_module(PICTURES).draw(self, ax, **options)


def _repr_html_(self: Any) -> str | None:
    """Show a table of symbols, values and meanings, or what ``repr`` says where the floor that writes it is missing."""
    if find_spec(PICTURES) is None:
        return None
    text: str = import_module(PICTURES).table(self)
    return text
