"""What ``widelimit predict TOPIC --plot`` draws: the picture of the result, or the prediction over one of its options.

A prediction that is a few numbers is no picture. What is one is how it changes: `SWEPT` names for each such topic the
option that is varied, around the value that was given (marked), and the numbers that are drawn.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from widelimit.theory.errors import InputError, PictureError
from widelimit.validate.pictures.drawing import draw, table
from widelimit.validate.pictures.kit import bars, lines
from widelimit.validate.pictures.notation import symbol
from widelimit.validate.report.look import SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PLACES = 21
_SPAN = 4.0  # the option goes from the value over this to the value times this


class Swept(NamedTuple):
    """The option that is varied, the numbers that are drawn over it, logarithmic axes, and its largest value."""

    option: str
    names: tuple[str, ...]
    log: str = "x"
    most: float = np.inf
    span: float = _SPAN


SWEPT = {
    "coding": Swept("balance", ("bias", "variance"), "xy"),
    "rules": Swept("t", ("first", "second", "product"), ""),
    "synapses": Swept("learning_rate", ("importance",)),
    "walkback": Swept("contraction", ("entropy_production", "gap"), "y", 0.99, 2.0),
    "robustness": Swept("radius", ("flip_fraction",)),
    "retina": Swept("gain", ("cosine", "likelihood_cosine")),
    "spiking": Swept("jitter", ("jitter_loss", "poisson_mean"), "xy"),
    "attention": Swept("sigma_qk", ("q", "p", "gradient"), ""),
    "cycles": Swept("strength", ("half_width",), ""),
}
LIKE = {
    "gru": ("Boundaries", ("snic", "hopf", "torus", "bogdanov_takens"))
}  # numbers that another result has too
BARS = {"pruning": ("magnitude", "random", "synflow")}  # numbers of one kind, beside each other


def picture(
    topic: str, function: Callable[..., Any], given: Mapping[str, Any], result: Any
) -> Callable[[Axes], Any]:
    """Return the function that draws a topic's prediction on axes."""
    known = result if isinstance(result, Mapping) else vars(result)
    if topic in SWEPT and set(SWEPT[topic].names) <= set(known):
        return lambda axes: _sweep(axes, topic, function, given)
    if topic in BARS and set(BARS[topic]) <= set(known):
        return lambda axes: bars(axes, {name: known[name] for name in BARS[topic]}, log=True)
    if topic in LIKE and set(LIKE[topic][1]) <= set(known):
        make = table(topic, "PICTURES")[LIKE[topic][0]]
        return lambda axes: make(SimpleNamespace(**known), axes)
    if isinstance(result, Mapping):
        raise PictureError(f"These numbers of {topic} have no picture. Leave out --plot, or --save them.")
    return lambda axes: draw(result, axes)


def _sweep(axes: Axes, topic: str, function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    how = SWEPT[topic]
    middle = given.get(how.option, inspect.signature(function).parameters[how.option].default)
    if not isinstance(middle, int | float) or not middle > 0:
        raise PictureError(f"The picture of {topic} is drawn over --{how.option}, which has to be positive.")
    places = np.geomspace(middle / how.span, min(middle * how.span, how.most), _PLACES)
    rows: dict[str, list[float]] = {name: [] for name in how.names}
    for place in places:
        try:
            found: Any = function(**{**given, how.option: float(place)})
        except InputError:  # outside the theory, there is no curve
            found = dict[str, Any]()
        for name, row in rows.items():
            value = found.get(name) if isinstance(found, Mapping) else getattr(found, name)
            row.append(float("nan") if value is None else float(value))
    lines(
        axes,
        places,
        {symbol(name, topic): row for name, row in rows.items()},
        x_label=symbol(how.option, topic),
        log=how.log,
    )
    axes.axvline(float(middle), color=SOFT, lw=0.8, ls=":")
