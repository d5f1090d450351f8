"""Signal propagation in numbers: fixed points, phases, depth scales, edges of chaos, trajectories through layers.

points        `solve` and `phase_diagram`: fixed points, slopes, depth scales, phase; `predict` for the command line
critical      `critical_line`: the edge of chaos and the power law there
gradients     `gradient`: derivatives of `solve` with respect to sigma_w, sigma_b and keep
trajectories  `propagate`: lengths, correlations and gradients layer by layer
widths, pair_widths    lengths and pairs of inputs at finite width, behind `propagate(..., width=)`
lengths, correlations    fixed points of the two maps
maps, pairs, loops   the maps themselves, compiled from `theory.meanfield`
"""

from widelimit.numerics.meanfield.critical import (
    CriticalLine,
    critical_line,
)
from widelimit.numerics.meanfield.gradients import (
    MeanFieldGradient,
    Slopes,
    gradient,
)
from widelimit.numerics.meanfield.points import (
    CRITICAL,
    MeanField,
    phase_diagram,
    predict,
    solve,
)
from widelimit.numerics.meanfield.trajectories import (
    Propagation,
    propagate,
)
from widelimit.numerics.meanfield.widths import (
    AtWidth,
)

__all__ = [
    "CRITICAL",
    "AtWidth",
    "CriticalLine",
    "MeanField",
    "MeanFieldGradient",
    "Propagation",
    "Slopes",
    "critical_line",
    "gradient",
    "phase_diagram",
    "predict",
    "propagate",
    "solve",
]
