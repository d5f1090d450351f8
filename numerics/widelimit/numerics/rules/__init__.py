"""Learning rules: trajectories of a mode by each, and how well statistics of networks tell them apart.

mode                                weights of a linear mode at any time, by rule                   (modes)
passage_time, delay, signature      how long it takes, and what gives a rule away                   (times)
resting_feedback, adam, hebb, oja   other closed forms (times)
momentum, descent                   roots and trajectories of the heavy ball (heavy_ball)
accuracy, from_pilots, variance_error   best accuracy by recorded units; what two pilots say about more (telling)
predict                             one mode, for the command line (prediction)

`formulas` compiles what theory states; `checks` is for what callers pass.
"""

from widelimit.numerics.rules.heavy_ball import Momentum, descent, momentum
from widelimit.numerics.rules.modes import Mode, mode
from widelimit.numerics.rules.prediction import Prediction, predict
from widelimit.numerics.rules.telling import Pilots, accuracy, from_pilots, variance_error
from widelimit.numerics.rules.times import (
    Signature,
    adam,
    delay,
    hebb,
    oja,
    passage_time,
    resting_feedback,
    signature,
)

__all__ = [
    "Mode",
    "Momentum",
    "Pilots",
    "Prediction",
    "Signature",
    "accuracy",
    "adam",
    "delay",
    "descent",
    "from_pilots",
    "hebb",
    "mode",
    "momentum",
    "oja",
    "passage_time",
    "predict",
    "resting_feedback",
    "signature",
    "variance_error",
]
