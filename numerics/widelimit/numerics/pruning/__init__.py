"""How far a network can be pruned before a layer is empty, and how large the flow of its weights is.

collapse    `critical_compression` by magnitude, at random and by SynFlow; `predict`
magnitude   thresholds and weights kept of Gaussian layers
chance      `survival` and the whole curve of it, by inclusion and exclusion
flow        `total_flow` of abs(W), and where it leaves a format of numbers
shares      `flow_shares`: where activations are not homogeneous
schedules   `schedule`: how many weights are kept after each round
"""

from widelimit.numerics.pruning.chance import survival
from widelimit.numerics.pruning.collapse import Collapse, critical_compression, predict
from widelimit.numerics.pruning.flow import Flow, total_flow
from widelimit.numerics.pruning.schedules import schedule
from widelimit.numerics.pruning.shares import flow_shares

__all__ = [
    "Collapse",
    "Flow",
    "critical_compression",
    "flow_shares",
    "predict",
    "schedule",
    "survival",
    "total_flow",
]
