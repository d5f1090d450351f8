"""What the ridge claims share: the two-scale population of a point, plans, wrong theories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.errors import InputError
from widelimit.validate.harness.claim import Choice, Counterfactual, Inputs, Interval, Plan, Preset

if TYPE_CHECKING:
    from widelimit.theory.calculus.derivation import Derivation

PAPER = "Mel & Ganguli, ICML 2021"
Prediction = Callable[[Inputs], np.ndarray]

QUICK, REFERENCE, DEEP = (40, 80, 160), (80, 160, 320), (200, 400, 800, 1600)

# fractions and sample ratios that make whole numbers of dimensions and samples at every size
TWO_SCALES: dict[str, Any] = {
    "fraction": Choice((0.5, 0.25, 0.1)),
    "separation": Interval(0.02, 0.9, simplest=0.1),
    "share": Interval(0.0, 1.0, simplest=0.5),
    "noise": Interval(0.02, 1.0, simplest=0.1),
}
SAMPLES = Choice((0.5, 2.0, 0.25, 0.75, 1.0, 1.5, 3.0))


def point(fraction: float, separation: float, share: float, noise: float, **more: Any) -> Inputs:
    """Eigenvalue 1 on a fraction of the dimensions, `separation` on the others; signal shares likewise."""
    return {"fraction": fraction, "separation": separation, "share": share, "noise": noise, **more}


def spectrum(inputs: Inputs) -> dict[str, Any]:
    """The arguments of `numerics.ridge.solve` that describe a point's population."""
    fraction, share = float(inputs["fraction"]), float(inputs["share"])
    return {
        "eigenvalues": [1.0, float(inputs["separation"])],
        "weights": [fraction, 1 - fraction],
        "signal": [share, 1 - share],
        "noise": float(inputs["noise"]),
    }


def samples(inputs: Inputs, size: int) -> int:
    """Training samples at `size` dimensions."""
    return max(1, round(float(inputs["sample_ratio"]) * size))


def presets(
    quick: Sequence[Inputs],
    more: Sequence[Inputs] = (),
    *,
    most: tuple[int, int, int] = (384, 320, 512),
    sizes: tuple[tuple[int, ...], ...] = (QUICK, REFERENCE, DEEP),
) -> dict[Preset, Plan]:
    """Plans of the three presets; `reference` and `deep` visit `more` points too."""
    everything = (*quick, *more)
    return {
        "quick": Plan(tuple(quick), sizes[0], pilot=32, most=most[0], block=32),
        "reference": Plan(everything, sizes[1], pilot=48, most=most[1], block=32),
        "deep": Plan(everything, sizes[2], pilot=64, most=most[2], block=64),
    }


def derivation(result: str) -> Callable[[Inputs], Derivation]:
    """The derivation of a result, whatever the point."""
    from functools import partial

    return partial(_derive, result)


def _derive(result: str, inputs: Inputs) -> Derivation:
    from widelimit.theory.ridge import derive

    return derive(result)


def shuffled(inputs: Inputs) -> Inputs:
    """The same point with the target's signal moved to the other scale."""
    return {**inputs, "share": 1 - float(inputs["share"])}


def isotropic(inputs: Inputs) -> Inputs:
    """One eigenvalue, the mean, in place of two: signal and noise as they are."""
    return {**inputs, "isotropic": True}


def wrong(
    name: str,
    explanation: str,
    right: Prediction,
    change: Callable[[Inputs], Inputs],
    margin: float,
    *,
    predict: Prediction | None = None,
    floor: float = 1e-9,
) -> Counterfactual:
    """The prediction at a changed point, where it is off by three margins of max(|truth|, floor) in some row."""
    other = predict or right

    def prediction(inputs: Inputs) -> np.ndarray:
        return other(change(inputs))

    def applies(inputs: Inputs) -> bool:
        truth = right(inputs)
        try:
            said = prediction(inputs)
        except InputError:  # the wrong theory has nothing to say here: a penalty below its edge
            return False
        return bool(np.max(np.abs(said - truth) / np.maximum(np.abs(truth), floor)) > 3 * margin)

    return Counterfactual(name, explanation, prediction, applies)


def population(inputs: Inputs) -> dict[str, Any]:
    """`spectrum`, or its isotropic stand-in where a wrong theory asks for that."""
    given = spectrum(inputs)
    if inputs.get("isotropic"):
        mean = float(np.dot(given["eigenvalues"], given["weights"]))
        return {"eigenvalues": [mean], "weights": [1.0], "signal": [1.0], "noise": given["noise"]}
    return given
