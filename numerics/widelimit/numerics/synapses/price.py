"""What a diagonal penalty costs in high dimension, where curvatures are independent Wishart matrices."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import synapses as theory


@by_value
@dataclass(frozen=True)
class RandomTasks:
    """`forgetting`: the old loss after the new task, for optima a unit vector apart; `new_loss` that of the new task.

    `total`: their sum; `joint_total`: that at the joint optimum, which a diagonal penalty does not reach.
    """

    forgetting: Any
    new_loss: Any
    total: Any
    joint_total: Any


def random_tasks(*, aspect: Any, strength: Any) -> RandomTasks:
    """Return what is forgotten and learnt behind a penalty 2 c O = strength * diag H_A in high dimension.

    H_A and H_B are independent Wishart matrices of mean I whose parameters are `aspect` times their samples; the
    diagonal of H_A is I. forgetting = E (h/(h + k))^2 / 2 = (1 - 2 k G - k^2 G')/2, new loss = k^2 (G + k G')/2, k the
    strength and G = E 1/(h + k) of the law of Marchenko and Pastur; joint optimum (1 - aspect/2)/4 for aspects up to 1.

    Args:
        aspect: parameters over samples, above 0 and at most 1 (beyond, curvatures are singular).
        strength: of the penalty, positive. Arrays broadcast.

    Raises `ArgumentError` for an aspect outside (0, 1] or a strength that is not positive.

    >>> found = random_tasks(aspect=0.5, strength=1.0)
    >>> round(found.forgetting, 12), round(found.new_loss, 12), found.joint_total
    (0.112884531005, 0.106339062591, 0.1875)
    """
    gamma = arguments.probability("aspect", aspect)
    kappa = arguments.near_one("strength", arguments.positive("strength", strength), 100)
    gamma, kappa = arguments.broadcast(aspect=gamma, strength=kappa)
    old, new, joint = (np.asarray(one) for one in _prices()(gamma, kappa))
    parts = (old, new, old + new, joint)
    return RandomTasks(*(arguments.scalar(one) for one in parts))


@functools.cache
def _prices() -> Compiled:
    t = theory
    known = {t.FITTED: t.fitted().subs(t.EDGE, t.edge()), t.EDGE: t.edge()}
    formulas = (t.forgetting_price().subs(known), t.new_loss_price().subs(known), t.joint_price())
    return compile(formulas, (t.ASPECT, t.PENALTY), name="prices")
