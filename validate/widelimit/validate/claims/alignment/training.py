"""What the papers found in training, at the size of digits: tested as it is stated, not derived."""

from __future__ import annotations

from typing import Any

from widelimit.validate.claims.alignment import shared
from widelimit.validate.claims.alignment.shared import AKROUT, KUNIN
from widelimit.validate.harness.claim import Inputs, Integers, Interval, Plan
from widelimit.validate.harness.declare import declare, table, wrong
from widelimit.validate.simulate import alignment as simulate

_PIXELS = 61  # that are not the same in all images of digits

GAPS = declare(
    "alignment.digits",
    title="The gap to backpropagation widens with depth",
    statement="The test error's gap to backpropagation grows with depth under feedback and information alignment; "
    "a mirror that sees rectified activity as it is learns worse than one whose inputs are centred.",
    paper=f"{KUNIN}, figures 3 and 4; {AKROUT} (found in training, not derived)",
    domain={"epochs": Integers(8, 15)},
    rows={
        "feedback alignment": 0.5,
        "information alignment": 0.5,
        "mirror's loss": 0.05,
    },
    simulate=simulate.gaps,
    points=None,
    plans={
        "reference": Plan(({"epochs": 10},), (), pilot=5, most=5, block=5),
        "deep": Plan(({"epochs": 15},), (), pilot=8, most=8, block=8),
    },
    compare="at least",
    within=0.2,
    scale=1.0,
    valid=lambda: False,  # a minute a point: nothing to draw at random
    quantity="rank correlation of the gap with 2, 4, 8 hidden layers; test error, plain less centred, at 4",
    observable="networks 64-128xL-10 with ReLU on digits, ten epochs of Adam",
    float32="always single precision: whether a network learns does not depend on the seventh digit",
    derivation=None,
    wrong=wrong(
        "depth and mean do not matter",
        "the same gap at all depths, the same error with and without the mean",
        lambda: (0.0, 0.0, 0.0),
        beyond=1.0,
    ),
    notes="One-sided, with margins fixed before: of three depths in the right order in most networks the mean rank "
    "correlation is 1/2 or more. Only the direction of the feedback is used, its length being that of the weights.",
)  # fmt: skip


def _rates(inputs: Inputs) -> dict[str, Any]:
    """Nine tenths of the largest step, and twice it."""
    from widelimit.numerics import alignment

    largest = alignment.largest_step(
        "information", fan_in=_PIXELS, fan_out=inputs["fan_out"], sigma_w=inputs["sigma_w"], beta=inputs["beta"],
        gamma=inputs["gamma"],
    )  # fmt: skip
    return {"rates": (0.9 * largest, 2.0 * largest)}


DIVERGENCE = declare(
    "alignment.divergence",
    title="Twice the largest step diverges",
    statement="Information alignment diverges at twice the step of the formula, and does not at nine tenths of it.",
    paper=f"{KUNIN}, section 5 (that it has to be tuned for each architecture)",
    domain={
        "fan_out": Integers(60, 200), "sigma_w": Interval(0.7, 1.6, simplest=1.0),
        "beta": Interval(0.5, 1.5, simplest=1.0), "gamma": Interval(0.2, 1.0, simplest=0.3),
    },
    rows={"at 0.9": 0.0, "at 2": 1.0},
    simulate=simulate.divergence,
    start=_rates,
    points=table("fan_out sigma_w beta gamma", [(128, 1.0, 1.0, 0.3)], [(80, 1.5, 0.6, 0.5)]),
    within=0.2,
    noise=0.2,
    scale=1.0,
    quantity="share of layers that diverge",
    observable="drawn layers on whitened digits, 60 steps with all images",
    derivation=shared.derivation("noise"),
    wrong=wrong(
        "mean eigenvalue",
        "sigma_w^2 in place of the edge: a safe step many times as large",
        lambda fan_out, sigma_w, beta, gamma: (
            0.0,
            float(_rates({"fan_out": fan_out, "sigma_w": sigma_w, "beta": beta, "gamma": gamma})["rates"][1]
                  > 2 / (gamma + beta * sigma_w**2)),
        ),
    ),
)  # fmt: skip

CLAIMS = (DIVERGENCE, GAPS)
