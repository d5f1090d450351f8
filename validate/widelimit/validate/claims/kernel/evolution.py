"""The tangent kernel while a network learns, and what it is worth: claims and figures of arXiv:2010.15110.

They are empirical, of ResNets and other networks on CIFAR. Here perceptrons learn digits, and the sum or the parity of
two digits, where the kernel at birth is poor: a disagreement says that a claim does not carry over to these networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.kernel.turning import EPOCHS, improvement, velocities
from widelimit.validate.harness.claim import (
    Choice,
    Claim,
    Compare,
    Counterfactual,
    Inputs,
    Integers,
    Interval,
    Plan,
)
from widelimit.validate.report.gallery import GalleryFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays = Mapping[str, np.ndarray]

_FALL = 5.0  # times slower, at least, after the fast turn at first

_POINTS: tuple[Inputs, ...] = (
    {"task": "digits", "train": 1000, "test": 797, "width": 256, "depth": 2},
    {"task": "sum", "train": 8000, "test": 2000, "width": 256, "depth": 2},
    {"task": "parity", "train": 8000, "test": 2000, "width": 256, "depth": 3},
)
_WIDE = tuple(
    {**point, "width": 1024, "train": min(16 * int(point["train"]), 20000)} for point in _POINTS[1:]
)
_DOMAIN: Mapping[str, Interval | Integers | Choice] = {
    "task": Choice(("digits", "sum", "parity")),
    "train": Integers(200, 20000),
    "test": Integers(300, 2000),
    "width": Integers(64, 1024),
    "depth": Integers(1, 3),
}


def _enough_images(inputs: Inputs) -> bool:
    return inputs["task"] != "digits" or int(inputs["train"]) + int(inputs["test"]) <= 1797


def _one(inputs: Inputs) -> np.ndarray:
    return np.ones(1)


# --- velocity -----------------------------------------------------------------------------------------------------


def _velocity_rows(inputs: Inputs) -> Sequence[Inputs]:
    return (
        {"measure": "first over fifth epoch"},
        {"measure": "middle over early pace"},
        {"measure": "late over middle pace"},
    )


def _falls_and_stays(inputs: Inputs) -> np.ndarray:
    return np.array([_FALL, 1.0, 1.0])


def _sides(inputs: Inputs) -> Sequence[Compare]:
    return ("at least", "equal", "equal")


def _same_pace(inputs: Inputs) -> np.ndarray:
    return np.ones(3)


def _comes_to_rest(inputs: Inputs) -> np.ndarray:
    return np.array([_FALL, 0.0, 0.0])


VELOCITY = Claim(
    id="kernel.velocity",
    title="Velocity of the kernel in training",
    statement="The tangent kernel turns fast at first; within five epochs its velocity falls to a plateau.",
    paper="arXiv:2010.15110, abstract and section 3 (there: ResNets on CIFAR)",
    domain=_DOMAIN,
    plans={
        "reference": Plan(_POINTS, (), pilot=8, most=24, block=2),
        "deep": Plan(_POINTS + _WIDE, (), pilot=16, most=96, block=4),
    },
    predict=_falls_and_stays,
    simulate=velocities,
    rows=_velocity_rows,
    compare=_sides,
    location="median",
    margin=0.2,
    valid=_enough_images,
    quantity="velocity of the kernel",
    observable="1 - cosine of kernels 0.4 epochs apart over 0.4: the first over that at epoch 5, at least five; its "
    "mean over epochs 4 to 6 by that over 2 to 4, and over 8 to 10 by that over 4 to 6",
    float32="what is counted are images; kernels are compared in double precision",
    notes="The sum and the parity of two digits are learned, without training errors, after about eight epochs.",
    counterfactuals=(
        Counterfactual("steady rotation", "a kernel that turns at the same pace in all epochs", _same_pace),
        Counterfactual("rest", "a kernel that stands still after its transient", _comes_to_rest),
    ),
)

# --- performance --------------------------------------------------------------------------------------------------


def _three(inputs: Inputs) -> np.ndarray:
    return np.full(1, 3.0)


IMPROVEMENT = Claim(
    id="kernel.learned-kernel",
    title="The learned kernel against the one at birth",
    statement="Linearised after four epochs a network makes a third of the errors, or fewer, of one linearised at "
    "birth.",
    paper="arXiv:2010.15110, abstract and section 4 (there: ResNets on CIFAR)",
    domain=_DOMAIN,
    plans={
        "reference": Plan(_POINTS, (), pilot=8, most=24, block=1),
        "deep": Plan(_POINTS + _WIDE, (), pilot=16, most=48, block=2),
    },
    predict=_three,
    simulate=improvement,
    compare="at least",
    margin=0.15,
    location="median",
    valid=_enough_images,
    quantity="errors linearised at birth over errors linearised at epoch 4",
    observable="errors on test images of f + J dw, dw trained for 20 epochs",
    float32="errors are counts of images",
    counterfactuals=(Counterfactual("kernel at birth", "a kernel that does not learn", _one),),
    notes="One-sided: the median factor is to be three or more. One digit is read well by the kernel at birth, which "
    "leaves little to gain: there the claim does not carry over.",
)

# --- figures ------------------------------------------------------------------------------------------------------

_AT = (0, 1, 2, 4, 8)
_NETWORKS = {"quick": 1, "reference": 2, "deep": 8}
_COLOURS = {"digits": "#0072b2", "sum": "#009e73", "parity": "#d55e00"}
_NAMES = {"digits": "one digit", "sum": "sum of two digits modulo ten", "parity": "are both even or both odd"}


def _shown(preset: str) -> tuple[Inputs, ...]:
    if preset != "quick":
        return _POINTS
    return tuple({**point, "train": min(int(point["train"]), 500), "width": 64} for point in _POINTS)


def compute_velocity(preset: str) -> Arrays:
    """Velocity of the kernel by epoch: geometric mean over networks."""
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.simulate.kernel.evolution import turn

    arrays: dict[str, np.ndarray] = {}
    for inputs in _shown(preset):
        runs = [turn(inputs, seed, Backend(), EPOCHS) for seed in range(_NETWORKS[preset])]
        name = str(inputs["task"])
        arrays[f"{name}|epoch"] = (runs[0].epochs[1:] + runs[0].epochs[:-1]) / 2
        arrays[f"{name}|velocity"] = np.exp(np.mean([np.log(run.velocity + 1e-12) for run in runs], axis=0))
    return arrays


def _draw_velocity(arrays: Arrays, axes: Axes) -> None:
    for name, colour in _COLOURS.items():
        axes.semilogy(arrays[f"{name}|epoch"], arrays[f"{name}|velocity"], color=colour, label=_NAMES[name])
    axes.set(xlabel="epoch", ylabel="velocity of the kernel per epoch")
    axes.legend()


def compute_linearised(preset: str) -> Arrays:
    """Test errors of networks by epoch, and of their linearisations at some epochs: means over networks."""
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.simulate.kernel.evolution import learn

    arrays: dict[str, np.ndarray] = {"at": np.array(_AT)}
    for inputs in _shown(preset):
        runs = [learn(inputs, seed, Backend(), EPOCHS, _AT) for seed in range(_NETWORKS[preset])]
        name = str(inputs["task"])
        arrays[f"{name}|error"] = np.mean([run.error for run in runs], axis=0)
        arrays[f"{name}|linearised"] = np.mean([[run.linearised[k] for k in _AT] for run in runs], axis=0)
    return arrays


def _draw_linearised(arrays: Arrays, axes: Axes) -> None:
    for name, colour in _COLOURS.items():
        axes.semilogy(arrays[f"{name}|error"], color=colour, label=_NAMES[name])
        axes.semilogy(arrays["at"], arrays[f"{name}|linearised"], "o--", ms=4, lw=0.8, color=colour)
    axes.set(xlabel="epoch", ylabel="share of test images wrong")
    axes.legend()


GALLERY: tuple[GalleryFigure, ...] = (
    GalleryFigure(
        "kernel-velocity",
        "Velocity of the tangent kernel in training",
        "1 - cosine of kernels 0.4 epochs apart, over 0.4; perceptrons learn three tasks made of digits. The kernel "
        "comes to rest once the training images are learned.",
        "fort2020deep, on the velocity of the kernel",
        compute_velocity,
        _draw_velocity,
    ),
    GalleryFigure(
        "linearised-networks",
        "Networks linearised along training",
        "Lines: test errors of networks; dots: of their linearisations at that epoch, trained on. The kernel at birth "
        "is poor where digits must be combined, and good where one digit is read.",
        "fort2020deep, on linearised training",
        compute_linearised,
        _draw_linearised,
    ),
)
