"""Shaped activations: the one that was shaped, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.report.look import BLUE, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.theory.calculus.activation import Activation

_REACH = 3.0  # standard deviations of the units


def _shaped(result: Any, axes: Axes) -> None:
    """Both activations over three standard deviations of the units, which have variance one."""
    places = np.linspace(-_REACH, _REACH, 241)
    axes.plot(places, _values(result.base, places), color=SOFT, ls="--", label="as it was")
    axes.plot(
        places, _values(result.activation, places), color=BLUE, label=f"shaped for depth {result.depth}"
    )
    axes.set_xlabel("pre-activation")
    axes.set_ylabel("activation")
    axes.legend()


def _values(activation: Activation, places: np.ndarray) -> np.ndarray:
    from widelimit.numerics.compile import compile
    from widelimit.theory.calculus.activation import x

    return np.asarray(compile(activation.expr, (x,))(places), float)


PICTURES = {"Shaped": _shaped}
NO_PICTURE = {
    "FarPoint": "it is two numbers",
    "Maps": "it is five numbers, of which some may be infinite",
    "VarianceGain": "it is two numbers",
    "Branch": "it is one solution of several, two numbers",
}
