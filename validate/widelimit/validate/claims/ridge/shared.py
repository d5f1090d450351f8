"""What the ridge claims share: the population of two scales, sizes and replicates, wrong theories, derivations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
FINITE_SIZES = (
    (80, 120, 160),
    (80, 120, 160),
    (200, 400, 800),
)  # where each size has a prediction of its own

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


def counted(sample_ratio: float, size: int) -> int:
    """Training samples at `size` dimensions."""
    return max(1, round(sample_ratio * size))


def samples(inputs: Inputs, size: int) -> int:
    """Training samples at `size` dimensions of a point that has a sample ratio."""
    return counted(float(inputs["sample_ratio"]), size)


# the same for solvers that know finite sizes: dimensions and samples as many as are drawn
AT_SIZE: dict[str, Any] = POPULATION | {
    "weights": lambda fraction, size: (round(fraction * size) / size, 1 - round(fraction * size) / size),
    "sample_ratio": lambda sample_ratio, size: counted(sample_ratio, size) / size,
    "samples": lambda sample_ratio, size: counted(sample_ratio, size),
}
_SEEN = 0.1  # of the test error: larger corrections of order 1/N leave some of the next order
_LEAST_SIZE = 80  # of all plans


def expands(
    fraction: float, separation: float, share: float, noise: float, sample_ratio: float, penalty: float = 0.01
) -> bool:
    """Whether the least size of the plans is large enough for what theory says of it; else there is `DomainError`."""
    from widelimit.numerics import ridge

    found = ridge.at_samples(
        (1.0, separation),
        (fraction, 1 - fraction),
        (share, 1 - share),
        noise,
        sample_ratio=sample_ratio,
        samples=counted(sample_ratio, _LEAST_SIZE),
        penalty=penalty,
    )
    return bool(abs(found.test_error - found.limit.test_error) < _SEEN * found.limit.test_error)


def plans(
    points: Points,
    most: tuple[int, int, int] = (384, 320, 512),
    sizes: Any = SIZES,
    target: float | None = None,
) -> Mapping[Preset, Plan]:
    """Plan the presets.

    `target`: how close quick runs are to look, the others twice as close, where `most` allows it.
    """
    aims = (None,) * 3 if target is None else (target, target / 2, target / 2)
    return presets(points, sizes, pilot=(32, 48, 64), most=most, block=(32, 32, 64), within=aims)


def derivation(*results: str) -> Callable[[Inputs], Derivation]:
    """The derivations of some results, one after the other under the first title, whatever the point."""
    return partial(_derive, results)


def _derive(results: Sequence[str], inputs: Inputs) -> Derivation:
    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.theory.ridge import derive

    found = [derive(result) for result in results]
    steps = {step.name: step for one in found for step in one}
    assumed = dict.fromkeys(assumption for one in found for assumption in one.assumptions)
    return Derivation(found[0].title, tuple(steps.values()), tuple(assumed))


def shuffled(other: str = "other scale") -> Any:
    """The target's signal moved to the other scale."""
    return wrong("shuffled", f"the signal sits on the {other}", altered(share=lambda share: 1 - share))


def isotropic(explanation: str = "one eigenvalue, the mean, for correlated data") -> Any:
    """One eigenvalue, the mean, in place of two: signal and noise as they are."""
    return wrong("isotropic", explanation, altered(isotropic=True))
