"""What recordings of a cell tell: filters, their accuracy, ceilings of models, noise inside, adaptation.

sta, history                             a filter with standard errors from a recording            (filters)
sta_accuracy, overfitting                how well n samples tell a filter, and what a fit overfits  (sampling)
linear_ceiling, nonlinear_ceiling        what one filter can explain of a cell of subunits         (subunits)
variability, pool, fano_maximum          noise before a rectifier                                   (noise)
reliability, normalized_correlation, fano_curve    what repeats tell                               (repeats)
adaptation, static_gain                  adaptation to contrast, and the control without            (contrast)
contrast_change                          of two recordings, with that control subtracted            (change)
cell                                     all of it from a recording of your own                     (recording)

What callers pass is checked in `checks`; the theory's formulas are compiled in `formulas`.
"""

from widelimit.numerics.retina.change import ContrastChange, contrast_change
from widelimit.numerics.retina.contrast import Adaptation, adaptation, static_gain
from widelimit.numerics.retina.filters import Filter, history, sta
from widelimit.numerics.retina.noise import FanoMaximum, Variability, fano_maximum, pool, variability
from widelimit.numerics.retina.recording import Cell, Nonlinearity, cell, predict
from widelimit.numerics.retina.repeats import (
    FanoCurve,
    Reliability,
    fano_curve,
    normalized_correlation,
    reliability,
)
from widelimit.numerics.retina.sampling import Accuracy, overfitting, sta_accuracy
from widelimit.numerics.retina.subunits import Ceiling, linear_ceiling, nonlinear_ceiling

__all__ = [
    "Accuracy",
    "Adaptation",
    "Ceiling",
    "Cell",
    "ContrastChange",
    "FanoCurve",
    "FanoMaximum",
    "Filter",
    "Nonlinearity",
    "Reliability",
    "Variability",
    "adaptation",
    "cell",
    "contrast_change",
    "fano_curve",
    "fano_maximum",
    "history",
    "linear_ceiling",
    "nonlinear_ceiling",
    "normalized_correlation",
    "overfitting",
    "pool",
    "predict",
    "reliability",
    "sta",
    "sta_accuracy",
    "static_gain",
    "variability",
]
