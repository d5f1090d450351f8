"""Claims about data with several features: which survive, and what a floor under the predictor does."""

from __future__ import annotations

from functools import partial

import numpy as np

from widelimit.validate.claims.ssl.modes import PAPER, derivation, plans
from widelimit.validate.harness.claim import Choice, Interval
from widelimit.validate.harness.declare import declare, presets, row, table, wrong
from widelimit.validate.simulate.ssl import digits, measured

SIGNAL = (1.0, 0.9, 0.5, 0.4, 0.3, 0.6)
SPREAD = (1.0, 4.0, 0.1, 1.0, 0.02, 0.3)


def _apart(weight_decay: float) -> bool:
    """Whether no feature is so near its threshold that it would take longer than networks are followed."""
    ratio = np.array(SIGNAL) ** 2 / (np.array(SIGNAL) + np.array(SPREAD)) / (4 * weight_decay)
    return bool((np.abs(ratio - 1) > 0.1).all())


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
    valid=_apart,
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


DIGITS = declare(
    "ssl.digits",
    title="Nonlinear encoders of digits",
    statement=(
        "Eigenspaces of predictor and features align while a ReLU encoder learns (commutator five times smaller); "
        "without predictor or without stop-gradient features collapse (below 1 %); DirectPred is within 3 points of a "
        "learned predictor."
    ),
    paper=f"{PAPER}, figures 2-4 and table 2, at the scale of digits",
    domain={"steps": Choice((350, 500))},
    rows={"alignment": 5.0, "no predictor": 0.01, "no stop-gradient": 0.01, "accuracy": -0.03},
    compare={"alignment": "at least", "no predictor": "at most", "no stop-gradient": "at most", "accuracy": "at least"},
    simulate=digits.measured,
    plans=presets(table("steps", [350], []), ((), (), ()), pilot=(8, 8, 16), most=(8, 16, 32), block=(8, 8, 16)),
    within=0.01,
    scale=np.ones_like,
    quantity="factor of the commutator; spread of features over that at the start; gain in accuracy",
    observable="a two-layer encoder of width 64 on digits shifted by a pixel, with noise",
    notes=(
        "Alignment and collapse at a weight decay of 0.03, accuracy (5 nearest neighbours, held-out digits) at 0.005. "
        "At 0.03 few dimensions survive, training lowers the accuracy under either rule, and DirectPred, which moves "
        "first, was 4.6 points behind (8 seeds, standard error 0.7) after 350 steps."
    ),
    size_name="",
    derivation=derivation("flow"),
    wrong=(
        wrong("nothing aligns", "the commutator stays as large as it was", lambda truth: np.array([1.0, *truth[1:]])),
        wrong("nothing collapses", "the spread of features stays",
              lambda truth: np.array([truth[0], 1.0, 1.0, truth[3]])),
        wrong("no learning by a rule", "chance, seven tenths below", lambda truth: np.array([*truth[:3], -0.7])),
    ),
)  # fmt: skip

DATA_CLAIMS = (FILTER, EPSILON, DIGITS)
