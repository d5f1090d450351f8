"""Importance of parameters, and how much of an old task a new one costs.

    importance              omega and Omega of a path of gradient descent on any quadratic loss    (paths)
    importance_tail         how heavy the tail of Omega is over starts                              (paths)
    noisy_path_integral     what gradient noise makes of omega                                      (noise)
    adam_noise_rate         the same under Adam                                                     (noise)
    two_tasks, sequence     forgetting behind quadratic penalties                                   (tasks)
    random_tasks            the same in high dimension                                              (price)
    forecast                the same for two data sets and a linear model, before any training      (data)

Matrices that come in are checked in `curvature`; `formulas` are those of theory, compiled.
"""

from widelimit.numerics.synapses.data import Forecast, forecast, predict
from widelimit.numerics.synapses.noise import adam_noise_rate, noisy_path_integral
from widelimit.numerics.synapses.paths import Importance, Tail, importance, importance_tail
from widelimit.numerics.synapses.price import RandomTasks, random_tasks
from widelimit.numerics.synapses.tasks import Sequence, TwoTasks, sequence, two_tasks

__all__ = [
    "Forecast",
    "Importance",
    "RandomTasks",
    "Sequence",
    "Tail",
    "TwoTasks",
    "adam_noise_rate",
    "forecast",
    "importance",
    "importance_tail",
    "noisy_path_integral",
    "predict",
    "random_tasks",
    "sequence",
    "two_tasks",
]
