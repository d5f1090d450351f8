"""Dead units and open shortcuts of post-activation networks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Integers
from widelimit.validate.harness.declare import declare, table, wrong
from widelimit.validate.report.gallery import GalleryFigure
from widelimit.validate.simulate.network import walks as simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.theory.calculus.derivation import Derivation

Arrays = Mapping[str, np.ndarray]
_WALK = "new (reflected walks)"


def _units(blocks: int) -> list[float]:
    from widelimit.numerics.residual import post_activation

    found = post_activation(blocks)
    return [float(found.zeros[-1]), float(found.second_moment[-1])]


def _open(blocks: int, start: int) -> float:
    from widelimit.numerics.residual import post_activation

    return float(post_activation(blocks).open[start, blocks])


def _normal_tail(blocks: int) -> list[float]:
    """Zeros of a Gaussian of variance 1 around sqrt(l), that is cut off at zero."""
    return [math.erfc(math.sqrt(blocks / 2)) / 2, _units(blocks)[1]]


def _derive(inputs: Mapping[str, Any]) -> Derivation:
    from widelimit.theory.residual import derive

    return derive()


DEAD_UNITS = declare(
    "network.dead-units",
    title="Dead units of post-activation networks",
    statement="Behind l blocks C(2 l + 2, l + 1) / 4^(l + 1) of the units are zero, and E x^2 grows like l.",
    paper=_WALK,
    domain={"blocks": Integers(2, 16)},
    rows=_units,
    over={"quantity": ("zeros", "mean square")},
    simulate=simulate.dead_units,
    points=table("blocks", [8], [4, 12]),
    sizes=(64, 96, 160),
    within=0.04,
    noise=0.3,
    derivation=_derive,
    quantity="units behind the last block",
    observable="dense networks, two layers with batch normalisation a branch, batches of 3/2 of the width",
    wrong=(
        wrong(
            "half",
            "half of the units are zero, as behind a layer",
            lambda blocks: np.array([0.5, _units(blocks)[1]]),
        ),
        wrong("Gaussian", "a Gaussian around sqrt(l) that is cut off", _normal_tail),
    ),
)
OPEN = declare(
    "network.open-shortcut",
    title="Shortcuts that stay open",
    statement="A shortcut is open from behind block l to behind block L like (2/pi) arcsin sqrt((l + 1)/(L + 1)).",
    paper=_WALK,
    domain={"blocks": Integers(4, 16), "start": Integers(0, 3)},
    rows=_open,
    simulate=simulate.open_shortcuts,
    points=table("blocks start", [(8, 0)], [(8, 3), (15, 0)]),
    sizes=(64, 96, 160),
    within=0.04,
    noise=0.1,
    derivation=_derive,
    quantity="probability that a shortcut is open",
    observable="units of dense networks that no block in between sets to zero",
    wrong=wrong(
        "halved by each block",
        "half of the paths are closed by each",
        lambda blocks, start: 0.5 ** (blocks - start),
    ),
)
CLAIMS = (DEAD_UNITS, OPEN)

# --- the gallery ---------------------------------------------------------------------------------------------------

_BLOCKS = 16


def _walked(preset: str) -> Arrays:
    from widelimit.numerics.residual import post_activation
    from widelimit.validate.harness.backend import Backend

    theory = post_activation(_BLOCKS)
    alive = [x > 0 for x in simulate.places(_BLOCKS, 160, 1, Backend())]
    path, measured = alive[-1], [1.0]
    for one in reversed(alive[:-1]):
        measured.append(float(path.double().mean()))
        path = path & one
    return {
        "block": np.arange(_BLOCKS + 1),
        "zeros": theory.zeros,
        "open": theory.open[:, -1],
        "zeros-measured": np.array([1 - float(one.double().mean()) for one in alive]),
        "open-measured": np.array(measured[::-1]),
    }


def _draw_walked(arrays: Arrays, axes: Axes) -> None:
    names = (("zeros", "#d55e00", "units that are zero"), ("open", "#0072b2", "shortcuts open to the end"))
    for name, colour, label in names:
        axes.plot(arrays["block"], arrays[name], "-", color=colour, label=label)
        axes.plot(arrays["block"], arrays[f"{name}-measured"], "o", color=colour, markersize=4)
    halved = 0.5 ** (_BLOCKS - arrays["block"])
    axes.plot(arrays["block"], halved, ":", color="#6b6f73", label="half a block")
    axes.set(xlabel="behind block", ylabel="share", ylim=(0, 1.02))
    axes.legend()


GALLERY = (
    GalleryFigure(
        "open-shortcuts",
        "Shortcuts fade, but not exponentially",
        "Post-activation network of 16 blocks: lines by the theory of reflected walks, points one dense network of "
        "width 160; dotted: if each block closed half of the paths.",
        "he2016deep",
        _walked,
        _draw_walked,
    ),
)
