"""Claims about starts: which survive, with a target that moves, and how eigenspaces align."""

from __future__ import annotations

import numpy as np

from widelimit.validate.claims.ssl.modes import PAPER, STEP, derivation, plans
from widelimit.validate.harness.claim import Interval
from widelimit.validate.harness.declare import another, declare, instead, table, wrong
from widelimit.validate.simulate.ssl import measured, searched

_COARSE = ((2, 4, 8), (4, 8, 16), (8, 16, 32))
_FINE = ((4, 8, 16), (8, 16, 32), (16, 32, 64))

BASIN = declare(
    "ssl.basin",
    title="Which starts survive",
    statement="The basin ends at the stable manifold of the unstable fixed point; a zero predictor may live.",
    paper=f"{PAPER}, figure 4; the border is new",
    domain={"predictor": Interval(0.0, 0.12, simplest=0.0), "weight_decay": Interval(0.03, 0.06, simplest=0.04),
            "augmentation": Interval(0.3, 0.6, simplest=0.5)},
    solver="ssl.basin",
    rows=lambda border: np.log(border),
    simulate=searched.critical_covariance,
    plans=plans(table("predictor weight_decay augmentation", [(0.0, 0.04, 0.5)], [(0.1, 0.04, 0.5), (0.05, 0.05, 0.3)]),
                _COARSE, most=(8, 32, 64)),
    within=0.02,
    scale=np.ones_like,
    quantity="log of the least covariance",
    observable="a search by networks",
    size_name=STEP,
    derivation=derivation("basin"),
    wrong=wrong(
        "p_- alone", "the covariance of the unstable fixed point, whatever the predictor",
        another("ssl.fixed_points", lambda found: np.log(found.covariance_unstable)),
    ),
)  # fmt: skip

EMA = declare(
    "ssl.ema-basin",
    title="A target that starts at zero",
    statement="With a moving average that starts at zero the least predictor exceeds p_- the more, the slower it is.",
    paper=f"{PAPER}, section 3.2; the border is new",
    domain={"ema_rate": Interval(0.05, 1.0, simplest=0.4), "weight_decay": Interval(0.03, 0.05, simplest=0.04),
            "augmentation": Interval(0.3, 0.6, simplest=0.5)},
    solver="ssl.critical_predictor",
    given={"target_scale": 0.0},
    rows=lambda least: least,
    simulate=searched.critical_start,
    plans=plans(table("ema_rate weight_decay augmentation", [(0.1, 0.04, 0.5)], [(0.4, 0.04, 0.5), (0.2, 0.05, 0.3)]),
                _FINE, most=(8, 32, 64)),
    within=0.02,
    quantity="least predictor on the parabola",
    observable="a search by networks",
    size_name=STEP,
    derivation=derivation("basin"),
    wrong=wrong("the target's start does not matter", "p_-", another("ssl.fixed_points", "predictor_unstable")),
)  # fmt: skip

ALIGNMENT = declare(
    "ssl.alignment",
    title="Eigenspaces align",
    statement="With L = [F, W_p], L' = -K L - L K and K = c (alpha_p F/2 + W_p^2) - tau W_p + 3/2 eta.",
    paper=f"{PAPER}, theorem 3 of its appendix",
    domain={"predictor": Interval(0.1, 0.5, simplest=0.3), "covariance": Interval(0.1, 0.6, simplest=0.2),
            "weight_decay": Interval(0.02, 0.1, simplest=0.08), "augmentation": Interval(0.2, 1.0, simplest=0.5),
            "predictor_rate": Interval(0.5, 2.0, simplest=1.0)},
    solver="ssl.trajectory",
    given={"t": measured.TIMES},
    rows={f"at {time:g}": lambda found, k=k: found.misalignment[k] ** 2 for k, time in enumerate(measured.TIMES)},
    simulate=measured.commutators,
    plans=plans(table("predictor covariance weight_decay augmentation predictor_rate",
                      [(0.3, 0.2, 0.08, 0.5, 1.0)], [(0.5, 0.6, 0.1, 0.3, 2.0)])),
    within=0.02,
    quantity="norm of the commutator over that at the start",
    observable="norm of [F, W_p]",
    size_name=STEP,
    derivation=derivation("flow"),
    wrong=(
        wrong("no weight decay in K", "K without 3/2 eta",
              lambda truth, weight_decay: truth * np.exp(3 * weight_decay * np.array(measured.TIMES))),
        wrong("half the rate", "L' = -K L", instead({
            f"at {time:g}": lambda found, k=k: found.misalignment[k] for k, time in enumerate(measured.TIMES)
        })),
    ),
)  # fmt: skip

BASIN_CLAIMS = (BASIN, EMA, ALIGNMENT)
