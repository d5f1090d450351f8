"""Claims about data with several features: which survive, and what a floor under the predictor does."""

from __future__ import annotations

from functools import partial

import numpy as np

from widelimit.validate.claims.ssl.modes import PAPER, derivation, plans
from widelimit.validate.harness.claim import Choice, Interval
from widelimit.validate.harness.declare import declare, row, table, wrong
from widelimit.validate.simulate.ssl import measured

SIGNAL = (1.0, 0.9, 0.5, 0.4, 0.3, 0.6)
SPREAD = (1.0, 4.0, 0.1, 1.0, 0.02, 0.3)


def _without(inputs: object, truth: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return np.where(kept, np.where(truth > 0, truth, 0.3), 0.0)


FILTER = declare(
    "ssl.snr-filter",
    title="A filter for signal over noise",
    statement="With W_p = F^a a feature survives if x^2/(x + x_a) > 4 eta, at the same predictor for any a.",
    paper="arXiv:2110.04947, theorem 2, in closed form",
    domain={"weight_decay": Interval(0.05, 0.09, simplest=0.06), "exponent": Choice((0.5, 1.0))},
    solver="ssl.fixed_points",
    given={"signal": SIGNAL, "augmentation": SPREAD, "rule": "direct"},
    rows={"p": row("predictor", over={"feature": range(1, len(SIGNAL) + 1)})},
    simulate=partial(measured.features, data=(SIGNAL, SPREAD)),
    plans=plans(
        table("weight_decay exponent", [(0.06, 0.5)], [(0.06, 1.0), (0.09, 1.0)]),
        ((2000, 4000, 8000), (4000, 8000, 16000), (8000, 16000, 32000)),
        most=(16, 48, 64),
    ),
    within=0.03,
    scale=np.ones_like,
    quantity="predictor along a feature, 0 for those that are lost",
    observable="along the directions of the population, after learning from samples",
    size_name="samples",
    derivation=derivation("filter"),
    wrong=(
        wrong("signal alone", "a feature survives if x > 4 eta",
              lambda truth, weight_decay: _without(None, truth, np.array(SIGNAL) > 4 * weight_decay)),
        wrong("share of the signal", "a feature survives if x/(x + x_a) > 4 eta",
              lambda truth, weight_decay: _without(
                  None, truth, np.array(SIGNAL) / (np.array(SIGNAL) + np.array(SPREAD)) > 4 * weight_decay)),
    ),
)  # fmt: skip

EPSILON = declare(
    "ssl.epsilon",
    title="A floor that leaves no mode behind",
    statement="With W_p = F^(1/2) + epsilon s_max small modes grow if epsilon > p_-/(p_+ - p_-)^2; all end at s_max.",
    paper=f"{PAPER}, section 4; the threshold is new",
    domain={"epsilon": Choice((0.1, 0.2, 0.05, 0.3)), "weight_decay": Choice((0.04,)), "augmentation": Choice((0.5,))},
    solver="ssl.direct_pred",
    rows={"largest": "largest", "small": lambda found: found.largest * found.survives},
    simulate=measured.floors,
    plans=plans(table("epsilon weight_decay augmentation", [(0.1, 0.04, 0.5), (0.2, 0.04, 0.5)], [(0.3, 0.04, 0.5)]),
                ((), (), ()), most=(8, 16, 32)),
    within=0.01,
    scale=np.ones_like,
    quantity="covariance of a large and of a small mode at the end",
    observable="eigenvalues of the covariance",
    size_name="",
    derivation=derivation("filter"),
    wrong=wrong(
        "epsilon of released code", "epsilon times the root of s_max, which the code's epsilon is in units of",
        lambda epsilon: _normalised(epsilon),
    ),
)  # fmt: skip


def _normalised(epsilon: float) -> np.ndarray:
    from widelimit.numerics import ssl

    p = ssl.fixed_points(weight_decay=0.04, augmentation=0.5)
    root = p.predictor / (1 + epsilon)
    return np.array([root**2, root**2 * (epsilon * root > p.predictor_unstable)])


DATA_CLAIMS = (FILTER, EPSILON)
