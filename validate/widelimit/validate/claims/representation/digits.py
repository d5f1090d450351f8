"""What the spectral penalty does to a network that learns digits (arXiv:2012.04729)."""

from __future__ import annotations

import numpy as np

from widelimit.validate.harness.claim import Interval, Plan
from widelimit.validate.harness.declare import declare, wrong
from widelimit.validate.simulate.representation import digits as simulate

_POINT = {"wanted": 1.0, "steps": 250}
REGULARISER = declare(
    "representation.regulariser",
    title="A penalty that imposes an exponent",
    statement=(
        "The hidden layer of a network that learns digits takes the exponent that its penalty asks for, and resists "
        "attacks that halve the accuracy of the network without."
    ),
    paper="arXiv:2012.04729, section 4 (empirical)",
    domain={"wanted": Interval(1.0, 2.0, simplest=1.0), "steps": Interval(200, 400)},
    rows={"exponent": lambda wanted: wanted, "gain in accuracy": 0.0},
    compare={"gain in accuracy": "at least"},
    simulate=simulate.regularised,
    plans={
        "reference": Plan((_POINT,), (), pilot=8, most=8, block=4),
        "deep": Plan((_POINT, {**_POINT, "wanted": 2.0}), (), pilot=8, most=16, block=4),
    },
    within=0.15,
    scale=lambda predicted: np.where(predicted > 0, 1.0, 0.1),
    derivation=None,
    quantity="exponent of ranks 11 to 150; accuracy under attack less that of the plain network",
    observable="networks 64-200-10 with tanh, 250 steps of Adam on 1,200 images, attacked by one signed gradient step",
    notes=(
        "An exponent of 2, which the network has without a penalty, resists better still where it is imposed: "
        "accuracies of 0.50, 0.61 and 0.70 under the attack (none, 1, 2; the same order in each of four seeds). That "
        "the exponent 1 is special is not seen here."
    ),
    wrong=wrong(
        "no effect",
        "the exponent of a network without penalty, near 2, and no resistance",
        lambda wanted: np.array([wanted + 1.0, 0.0]),
    ),
)
CLAIMS = (REGULARISER,)
