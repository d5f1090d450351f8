"""What the ridge claims share: the population of two scales, sizes and replicates, wrong theories, derivations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Inputs, Interval, Plan, Preset
from widelimit.validate.harness.declare import altered, presets, wrong
from widelimit.validate.harness.declare.points import Points

if TYPE_CHECKING:
    from widelimit.theory.calculus.derivation import Derivation

PAPER = "Mel & Ganguli, ICML 2021"
SIZES = ((40, 80, 160), (80, 160, 320), (200, 400, 800, 1600))

# eigenvalue 1 on a fraction of the dimensions, `separation` on the others, with a share of the signal on the first;
# fractions and sample ratios that make whole numbers of dimensions and samples at every size
NAMES = "fraction separation share noise"
TWO_SCALES: dict[str, Any] = {
    "fraction": Choice((0.5, 0.25, 0.1)),
    "separation": Interval(0.02, 0.9, simplest=0.1),
    "share": Interval(0.0, 1.0, simplest=0.5),
    "noise": Interval(0.02, 1.0, simplest=0.1),
}
SAMPLES = Choice((0.5, 2.0, 0.25, 0.75, 1.0, 1.5, 3.0))


def _eigenvalues(fraction: float, separation: float, isotropic: bool = False) -> tuple[float, ...]:
    return (float(np.dot([1.0, separation], [fraction, 1 - fraction])),) if isotropic else (1.0, separation)


# what solvers of `numerics.ridge` are given; a point that is `isotropic` has one eigenvalue, the mean, in place of two
SPECTRUM: dict[str, Any] = {
    "eigenvalues": _eigenvalues,
    "weights": lambda fraction, isotropic=False: (1.0,) if isotropic else (fraction, 1 - fraction),
}
POPULATION: dict[str, Any] = SPECTRUM | {
    "signal": lambda share, isotropic=False: (1.0,) if isotropic else (share, 1 - share),
}


def samples(inputs: Inputs, size: int) -> int:
    """Training samples at `size` dimensions."""
    return max(1, round(float(inputs["sample_ratio"]) * size))


def plans(
    points: Points,
    most: tuple[int, int, int] = (384, 320, 512),
    sizes: Any = SIZES,
    copies: int = 1,
    target: float | None = None,
) -> Mapping[Preset, Plan]:
    """Plan the presets; a replicate of several data sets (`copies`) needs as many fewer for the pilot.

    `target`: how close quick runs are to look, the others twice as close, where `most` allows it.
    """
    pilot, block = (tuple(max(8, count // copies) for count in of) for of in ((32, 48, 64), (32, 32, 64)))
    aims = (None,) * 3 if target is None else (target, target / 2, target / 2)
    return presets(points, sizes, pilot=pilot, most=most, block=block, within=aims)


def derivation(result: str) -> Callable[[Inputs], Derivation]:
    """The derivation of a result, whatever the point."""
    return partial(_derive, result)


def _derive(result: str, inputs: Inputs) -> Derivation:
    from widelimit.theory.ridge import derive

    return derive(result)


def shuffled(other: str = "other scale") -> Any:
    """The target's signal moved to the other scale."""
    return wrong("shuffled", f"the signal sits on the {other}", altered(share=lambda share: 1 - share))


def isotropic(explanation: str = "one eigenvalue, the mean, for correlated data") -> Any:
    """One eigenvalue, the mean, in place of two: signal and noise as they are."""
    return wrong("isotropic", explanation, altered(isotropic=True))
