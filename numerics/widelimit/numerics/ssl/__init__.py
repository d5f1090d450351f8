"""Non-contrastive self-supervised learning: fixed points, collapse, and which weight decay your own views survive.

    fixed_points, phase_diagram, collapse_rates, direct_pred, moving_target   where modes settle   (points)
    trajectory               modes as they learn or collapse                                 (trajectories)
    passage_time, bottleneck_time   how long that takes                                             (times)
    basin, critical_predictor       which starts survive                                           (basins)
    collapse_threshold       the weight decay beyond which any data collapse                     (matrices)
    from_views               the same from two arrays of views of your own                          (views)
    settings, terms, loops   arguments, what theory states compiled, inner loops

Conventions: `theory.ssl`. All rates are per unit of time, steps times the encoder's learning rate, for half the mean
square error as loss. ``x`` is the `signal`, ``x_a`` the `augmentation`, ``c = x + x_a``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from widelimit.numerics.results import by_value
from widelimit.numerics.ssl.basins import basin, critical_predictor
from widelimit.numerics.ssl.matrices import collapse_threshold
from widelimit.numerics.ssl.points import (
    CollapseRates,
    DirectPred,
    FixedPoints,
    MovingTarget,
    collapse_rates,
    direct_pred,
    fixed_points,
    moving_target,
    phase_diagram,
)
from widelimit.numerics.ssl.times import bottleneck_time, passage_time
from widelimit.numerics.ssl.trajectories import Trajectory, trajectory
from widelimit.numerics.ssl.views import Views, from_views
from widelimit.theory.errors import ArgumentError

__all__ = [
    "CollapseRates", "DirectPred", "FixedPoints", "MovingTarget", "Prediction", "Trajectory", "ViewPrediction", "Views",
    "basin", "bottleneck_time", "collapse_rates", "collapse_threshold", "critical_predictor", "direct_pred",
    "fixed_points", "from_views", "moving_target", "passage_time", "phase_diagram", "predict", "trajectory",
]  # fmt: skip


@by_value
@dataclass(frozen=True)
class Prediction:
    """One mode: its fixed points and eigenvalues (`FixedPoints`), times and borders.

    least_covariance: what a mode that starts without a predictor needs to survive (`basin` at 0; None for a rule, which
    has no such start); least_predictor: the smallest on the parabola that survives (`critical_predictor`);
    time_to_learn: from twice p_- to 0.9 p_+, infinite where p_- is zero or nothing is learned; bottleneck: how long
    collapse waits just above the critical weight decay, infinite below.
    """

    predictor: float
    predictor_unstable: float
    covariance: float
    critical_weight_decay: float
    collapses: bool
    tangent: float
    transverse: float
    alignment_rate: float
    largest_learning_rate: float
    least_covariance: float | None
    least_predictor: float
    time_to_learn: float
    bottleneck: float


@by_value
@dataclass(frozen=True)
class ViewPrediction:
    """What `from_views` finds, without its matrices."""

    samples: int
    features: int
    critical_weight_decay: float
    dimensions: int | None
    thresholds: tuple[float, ...]


def predict(
    *,
    view1: str | None = None,
    view2: str | None = None,
    weight_decay: float | None = None,
    augmentation: float | None = None,
    signal: float = 1.0,
    target_scale: float = 1.0,
    predictor_rate: float = 1.0,
    ema_rate: float | None = None,
    rule: str = "learned",
    exponent: float = 0.5,
) -> Prediction | ViewPrediction:
    """Predict non-contrastive learning: of one mode, or which weight decay two files of views survive.

    Parameters
    ----------
    view1
        A file of features (.npy, .npz, .csv ...), samples x features: one augmentation of each sample.
    view2
        Another augmentation of the same samples, row by row.
    weight_decay
        Weight decay per unit of time, steps times learning rate. With views it may be left out.
    augmentation
        Without views: the variance that augmentation adds along the mode.
    signal
        The variance of the mean views along the mode.
    target_scale
        The target network over the online one; with ema_rate at the start.
    predictor_rate
        The predictor's learning rate over the encoder's.
    ema_rate
        The rate at which the target follows, (1 - momentum) per unit of time. A constant ratio if left out.
    rule
        learned, direct (predictor = covariance to a power), directpred or directcopy.
    exponent
        The power of the rule direct.
    """
    if view1 is not None or view2 is not None:
        return _of_views(view1, view2, weight_decay, augmentation)
    for name, value in (("weight_decay", weight_decay), ("augmentation", augmentation)):
        if value is None:
            help = "Pass weight_decay and augmentation, or two files as view1 and view2."
            raise ArgumentError(name, "must be given where there are no views", help=help, but="is missing")
    given: dict[str, Any] = {"weight_decay": weight_decay, "augmentation": augmentation, "signal": signal}
    ruled = {**given, "rule": rule, "exponent": exponent}
    settled = 1.0 if ema_rate is not None else target_scale  # a moving target ends as the network itself
    p = fixed_points(**ruled, target_scale=settled, predictor_rate=predictor_rate)
    here = {**ruled, "target_scale": settled}
    learns = not p.collapses and 2 * p.predictor_unstable < 0.9 * p.predictor and p.predictor_unstable > 0
    alive = settled > 0 and signal > 0
    return Prediction(
        predictor=p.predictor,
        predictor_unstable=p.predictor_unstable,
        covariance=p.covariance,
        critical_weight_decay=p.critical_weight_decay,
        collapses=p.collapses,
        tangent=float(p.eigenvalues[0]),
        transverse=float(p.eigenvalues[1]),
        alignment_rate=p.alignment_rate,
        largest_learning_rate=p.largest_learning_rate,
        least_covariance=basin(predictor=0.0, **given, target_scale=settled, predictor_rate=predictor_rate)
        if rule == "learned" and alive
        else None,
        least_predictor=critical_predictor(**ruled, ema_rate=ema_rate, target_scale=target_scale),
        time_to_learn=passage_time(2 * p.predictor_unstable, 0.9 * p.predictor, **here)
        if learns
        else float("inf"),
        bottleneck=bottleneck_time(**here) if alive else float("inf"),
    )


def _of_views(
    view1: str | None, view2: str | None, weight_decay: float | None, augmentation: float | None
) -> ViewPrediction:
    for name, value in (("view1", view1), ("view2", view2)):
        if value is None:
            raise ArgumentError(name, "must be given with the other view", but="is missing")
    if augmentation is not None:
        raise ArgumentError("augmentation", "must be left out with views, which show it", augmentation)
    found = from_views(view1, view2, weight_decay=weight_decay)
    return ViewPrediction(
        found.samples, found.features, found.critical_weight_decay, found.dimensions,
        tuple(float(one) for one in found.thresholds),
    )  # fmt: skip
