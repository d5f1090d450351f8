"""Derivations: what the check of every step found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from widelimit.validate.report.look import BLUE, GREEN, PURPLE, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.theory.calculus.derivation import Derivation

_COLOURS = {"identity": BLUE, "limit": PURPLE, "derived": GREEN, "notation": SOFT}


def _derivation(result: Derivation, axes: Axes, dps: int = 30) -> None:
    """Relative error of both sides of each step at `dps` digits; of limits at the end of their approach."""
    found = result.check(dps=dps)
    for kind, colour in _COLOURS.items():
        rows = [(k, one) for k, one in enumerate(found) if one.kind == kind]
        if rows:
            errors = [math.log10(max(one.worst_relative_error, 10.0 ** -(dps + 5))) for _, one in rows]
            axes.plot(errors, [k for k, _ in rows], "o", color=colour, ms=6, label=kind)
    axes.axvline(-dps, color=SOFT, lw=0.8, ls=":")
    axes.set_yticks(range(len(found)), [one.name for one in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xlabel("log10 of the relative error between both sides")
    axes.legend()


PICTURES = {"Derivation": _derivation}
NO_PICTURE: dict[str, str] = {}
