"""Gated recurrent units as dynamical systems: borders of oscillation, cycles, double zeros, circles of the map.

compiled     the theory's formulas as functions of floats; what callers pass, checked
borders      `boundaries`: saddle-nodes, Hopf, torus, Bogdanov-Takens
points       `bogdanov_takens`, `circle` and `vanilla`
oscillating  `oscillation`: the cycle in continuous time
complete     all fixed points of up to three units, with proof
portraits    `portrait`: those, limit cycles, and what leads where
loops        `homoclinic`: where a saddle's manifolds meet
proven       `homoclinic_proof`: that they do, by interval arithmetic
command      `predict`
"""

from widelimit.numerics.gru.borders import Boundaries, boundaries
from widelimit.numerics.gru.command import predict
from widelimit.numerics.gru.loops import Homoclinic, homoclinic
from widelimit.numerics.gru.oscillating import Cycle, Oscillation, oscillation
from widelimit.numerics.gru.points import Circle, DoubleZero, Vanilla, bogdanov_takens, circle, vanilla
from widelimit.numerics.gru.portraits import LimitCycle, Plot, Portrait, portrait
from widelimit.numerics.gru.proven import Proof, homoclinic_proof

__all__ = [
    "Boundaries",
    "Circle",
    "Cycle",
    "DoubleZero",
    "Homoclinic",
    "LimitCycle",
    "Oscillation",
    "Plot",
    "Portrait",
    "Proof",
    "Vanilla",
    "bogdanov_takens",
    "boundaries",
    "circle",
    "homoclinic",
    "homoclinic_proof",
    "oscillation",
    "portrait",
    "predict",
    "vanilla",
]
