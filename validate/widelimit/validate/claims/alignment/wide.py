"""Gaussian layers: cosines of information alignment and of the mirror, the largest step, signals through layers."""

from __future__ import annotations

import math

from widelimit.validate.claims.alignment import shared
from widelimit.validate.claims.alignment.shared import AKROUT, KUNIN
from widelimit.validate.harness.claim import Choice, Integers, Interval
from widelimit.validate.harness.declare import declare, table, wrong
from widelimit.validate.simulate import alignment as simulate

COSINE = declare(
    "alignment.information-cosine",
    title="Cosine of information alignment",
    statement="cos(B, W^T) = (1 - zG)/sqrt(sigma_w^2 (G + zG')), G the resolvent of Marchenko and Pastur's law.",
    paper=f"{KUNIN} (derived here)",
    domain={
        "aspect": Interval(0.3, 2.0, simplest=1.0), "sigma_w": Interval(0.7, 1.6, simplest=1.0),
        "ratio": Interval(0.03, 1.0, simplest=0.1),
    },
    solver="alignment.cosine",
    given={"rule": "information"},
    rows=lambda cosine: cosine,
    simulate=simulate.information,
    points=table("aspect sigma_w ratio", [(0.5, 1.0, 0.1), (1.0, 2**0.5, 0.05)], [(1.6, 1.2, 0.3)]),
    sizes=(50, 100, 200),
    size_name="fan-in",
    within=0.01,
    noise=0.15,
    quantity="cosine of B and W^T",
    observable="of B that solves its linear equations for drawn weights",
    derivation=shared.derivation("cosine"),
    wrong=wrong("mean of the squares", "all singular values alike", lambda: 1.0),
)  # fmt: skip

MIRROR = declare(
    "alignment.mirror-relu",
    title="The weight mirror behind a ReLU",
    statement="The mirror's cosine falls as pi/sqrt(fan-in) on rectified inputs, and is 1 on centred ones.",
    paper=f"{AKROUT} (derived here)",
    domain={"fan_in": Integers(30, 200)},
    solver="alignment.cosine",
    given={"rule": "mirror", "inputs": "relu"},
    rows={"as they are": lambda cosine: cosine, "centred": 1.0},
    simulate=simulate.mirror,
    points=table("fan_in", [50], [100, 200], samples_per_input=40),
    sizes=(50, 100, 200),
    size_name="outputs",
    within=0.03,
    noise=0.25,
    quantity="cosine of B and W^T",
    observable="of the mean of x y^T over rectified inputs and of y = W x",
    derivation=shared.derivation("cosine"),
    wrong=wrong("centred", "the mean of the inputs forgotten", lambda: 1.0),
)

STEP = declare(
    "alignment.step",
    title="Largest step of information alignment",
    statement="eta [gamma + beta sigma_w^2 (1 + sqrt(m/n))^2] < 2: the safe step depends on shape and gain.",
    paper=f"{KUNIN}, section 5 (derived here)",
    domain={
        "aspect": Interval(0.3, 2.0, simplest=1.0), "sigma_w": Interval(0.7, 1.6, simplest=1.0),
        "beta": Interval(0.5, 1.5, simplest=1.0), "gamma": Interval(0.0, 1.0, simplest=0.1),
    },
    solver="alignment.largest_step",
    given={"rule": "information", "fan_in": 10_000, "fan_out": lambda aspect: round(10_000 * aspect)},
    rows=lambda step: step,
    simulate=simulate.step,
    points=table(
        "aspect sigma_w beta gamma",
        [(1.0, 1.0, 1.0, 0.1)],
        [(0.4, 1.4, 0.8, 0.5), (1.8, 0.9, 1.2, 0.2)],
        too_large=1.5,
    ),
    sizes=(60, 120, 240),
    exponent=2 / 3,  # fluctuations of an edge
    size_name="fan-in",
    within=0.03,
    noise=0.3,
    quantity="largest learning rate",
    observable="from the speed at which feedback diverges with a learning rate of 1.5",
    derivation=shared.derivation("noise"),
    wrong=wrong(
        "mean eigenvalue",
        "sigma_w^2 for the edge of the spectrum",
        lambda sigma_w, beta, gamma: 2 / (gamma + beta * sigma_w**2),
    ),
)  # fmt: skip

DEPTH = declare(
    "alignment.depth",
    title="Error signals through layers",
    statement="The cosine of the fed-back signal with the true one is the product of the layers' cosines.",
    paper=f"{KUNIN}, figure 4 (derived here)",
    domain={
        "layers": Integers(2, 8), "cosine": Interval(0.6, 0.95, simplest=0.9), "activation": Choice(("linear", "relu")),
    },
    solver="alignment.depth",
    given={"cosines": lambda layers, cosine: (cosine,) * layers},
    rows=lambda found: found,
    simulate=simulate.deep,
    points=table(
        "layers cosine activation", [(6, 0.9, "relu")], [(6, 0.7, "linear"), (4, 0.8, "relu")]
    ),
    sizes=(64, 128, 256),
    within=0.04,
    noise=1.0,
    scale=1.0,
    quantity="cosine of the error signal",
    observable="below all layers, mean over sixteen drawn inputs and signals",
    derivation=shared.derivation("signals"),
    wrong=[
        wrong("constant", "every layer as aligned as the last", lambda cosine: cosine),
        wrong("angles add", "the angle grows by the same in every layer", lambda cosine, layers: math.cos(
            min(math.pi, layers * math.acos(cosine))
        )),
    ],
)  # fmt: skip

CLAIMS = (COSINE, MIRROR, STEP, DEPTH)
