"""Entropy production of transition operators, the bound of variational walkback, and schedules.

entropy_production, diffusion_entropy_production    of linear-Gaussian operators and diffusions   (gaussian)
bound                                               of a walk away from data, by any temperatures  (gaussian)
chain                                               the same of a chain of finitely many states    (chains)
annealing_cost, steps_for                           what a schedule costs, and how long it has to be (annealing)
fit                                                 an operator from a trajectory of your own      (data)
"""

from widelimit.numerics.walkback.annealing import annealing_cost, steps_for
from widelimit.numerics.walkback.chains import Chain, chain
from widelimit.numerics.walkback.data import Fit, fit, predict
from widelimit.numerics.walkback.gaussian import (
    Bound,
    bound,
    diffusion_entropy_production,
    entropy_production,
)

__all__ = [
    "Bound",
    "Chain",
    "Fit",
    "annealing_cost",
    "bound",
    "chain",
    "diffusion_entropy_production",
    "entropy_production",
    "fit",
    "predict",
    "steps_for",
]
