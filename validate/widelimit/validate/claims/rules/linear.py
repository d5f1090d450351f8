"""Claims about trajectories: linear networks by two rules, Kolen and Pollack's, Oja's, momentum, Adam."""

from __future__ import annotations

from typing import Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Integers, Interval
from widelimit.validate.harness.declare import declare, table, wrong
from widelimit.validate.simulate.rules import linear as simulate

PAPER = "arXiv:2010.11765"
_EXACT = 1e-6
STEP = "steps per unit of time"
_START = np.array([0.2, 0.3, 0.4])


def _other(strength: float, t: float) -> float:
    """Feedback alignment from zero through a weight as large as what is learnt."""
    from widelimit.numerics import rules

    return float(rules.mode("feedback_alignment", t, strength=strength, feedback=strength**0.5).product)


def _gained(inputs: Any) -> Any:
    """w/v^2 by feedback alignment; if the weights were as large as each other, as by gradient descent."""
    from widelimit.numerics import rules

    found = rules.mode(
        "feedback_alignment", inputs["t"], strength=inputs["strength"], feedback=inputs["feedback"]
    )
    return {"feedback": found.second / found.first**2, "descent": 1 / found.first}


def _kolen_pollack(strength: float, decay: float, t: float) -> tuple[float, float]:
    """What is left of w - b, and w^2 at the end."""
    from widelimit.numerics import rules

    now = rules.mode("kolen_pollack", t, strength=strength, start=0.04, feedback=0.7, decay=decay)
    end = rules.mode("sgd", np.inf, strength=strength, start=0.04, decay=decay)  # with w = b
    return (now.second - now.feedback) / (0.2 - 0.7), end.second**2


def _neuron(t: float, length: float) -> np.ndarray:
    from widelimit.numerics import rules

    return rules.oja(np.diag(simulate.SPECTRUM), length * _START, t)


def _hebb(t: float, length: float) -> np.ndarray:
    from widelimit.numerics import rules

    return rules.hebb(np.diag(simulate.SPECTRUM), length * _START, t)


def _without_turns(steps: int, curvature: float, learning_rate: float, momentum: float) -> float:
    """x_n with real roots T/2 +- |imaginary part|, started alike."""
    from widelimit.numerics import rules

    root = rules.momentum(curvature, learning_rate=learning_rate, momentum=momentum).roots[0]
    one, two = root.real + abs(root.imag), root.real - abs(root.imag)
    second = 1 - learning_rate * curvature
    share = (second - two) / (one - two) if one != two else 1.0
    return float(share * one**steps + (1 - share) * two**steps)


SGD = declare(
    "rules.sgd-mode",
    title="Gradient descent learns a mode by a logistic law",
    statement="u = s e^(2st)/(e^(2st) - 1 + s/u_0) for the product of both weights along a singular mode.",
    paper="arXiv:1312.6120, eq. (9)",
    domain={"strength": Interval(1.0, 2.5, simplest=1.7), "start": Interval(0.01, 0.2, simplest=0.05),
            "t": Interval(0.8, 2.0, simplest=1.2)},
    solver="rules.mode",
    given={"rule": "sgd"},
    rows="product",
    simulate=simulate.descended,
    points=table("strength start t", [(1.7, 0.05, 1.0)], [(2.2, 0.1, 0.7), (1.2, 0.1, 1.5)]),
    sizes=(20, 40, 80),
    within=0.04,
    noise=0.6,
    size_name=STEP,
    quantity="product of both weights along a mode",
    observable="linear networks 6-5-5, three modes, batches of 32",
    wrong=wrong("feedback alignment", "its law from zero, b = sqrt s", lambda strength, t: _other(strength, t)),
)  # fmt: skip
INVARIANT = declare(
    "rules.feedback-invariant",
    title="What feedback alignment conserves",
    statement="w - v^2/(2 b) is an invariant: from zero w = v^2/(2 b) all the way.",
    paper="arXiv:2011.12428, section 3",
    domain={"strength": Interval(0.8, 2.5, simplest=1.7), "feedback": Interval(0.4, 1.5, simplest=0.8),
            "t": Interval(0.3, 3.0, simplest=1.0)},
    solver=_gained,
    rows=lambda result: result["feedback"],
    simulate=simulate.gained,
    points=table("strength feedback t", [(1.7, 0.8, 1.2)], [(0.9, 1.4, 2.0)]),
    within=_EXACT,
    noise=1e-9,
    quantity="w/v^2",
    observable="linear networks 6-5-5 by fixed feedback with the teacher's output modes, three modes",
    wrong=wrong("w^2 - v^2", "gradient descent's invariant: w = v", lambda result: result["descent"]),
)  # fmt: skip
EXPONENT = declare(
    "rules.norm-exponent",
    title="How large weights become gives the rule away",
    statement="At the end the first layer's weights go as s^(1/3) by feedback alignment from zero, s^(1/2) by descent.",
    paper="new (arXiv:2011.12428 has the fixed point)",
    domain={"rule": Choice(("feedback_alignment", "sgd")), "least": Interval(0.3, 1.0, simplest=0.5),
            "feedback": Interval(0.5, 1.2, simplest=0.8)},
    solver="rules.signature",
    rows="exponent",
    simulate=simulate.slopes,
    points=table("rule least feedback", [("feedback_alignment", 0.5, 0.8)],
                 [("sgd", 0.5, 0.8), ("feedback_alignment", 1.0, 1.2)]),
    within=1e-4,
    noise=1e-6,
    quantity="log-log slope of weights on strengths",
    observable="four modes, a factor of two apart",
    wrong=wrong("the other rule", "1/2 by feedback alignment, 1/3 by descent",
                lambda rule: 0.5 if rule == "feedback_alignment" else 1 / 3),
)  # fmt: skip
KOLEN = declare(
    "rules.kolen-pollack",
    title="Kolen and Pollack's rule aligns at the rate of decay",
    statement="|w - b| = exp(-lambda t) |w_0 - b_0| exactly, and all weights end at sqrt(s - lambda).",
    paper="J. Kolen and J. Pollack, IEEE ICNN (1994); the end is new",
    domain={"strength": Interval(1.0, 2.0, simplest=1.5), "decay": Interval(0.1, 0.5, simplest=0.3),
            "t": Interval(0.5, 4.0, simplest=1.0)},
    rows={"left": lambda strength, decay, t: _kolen_pollack(strength, decay, t)[0],
          "end": lambda strength, decay, t: _kolen_pollack(strength, decay, t)[1]},
    simulate=simulate.kolen_pollack,
    points=table("strength decay t", [(1.5, 0.3, 1.0)], [(1.0, 0.5, 2.0)]),
    within=_EXACT,
    noise=1e-8,
    quantity="|W - B'| over its start; largest squared singular value of W at a late time",
    observable="drawn networks 6-5-5, both layers and feedback moving",
    wrong=wrong("rate 2 lambda", "exp(-2 lambda t)", lambda truth: np.array([truth[0] ** 2, truth[1]])),
)  # fmt: skip
OJA = declare(
    "rules.oja",
    title="Oja's rule in closed form",
    statement="w = e^(Ct) w_0/sqrt(1 + w_0'(e^(2Ct) - I) w_0).",
    paper="E. Oja, Journal of Mathematical Biology 15, 267 (1982); closed form by Riccati's equation",
    domain={"t": Interval(0.5, 3.0, simplest=1.0), "length": Interval(0.5, 2.0, simplest=1.0)},
    rows={"weight": lambda t, length: _neuron(t, length)},
    over={"axis": (1, 2, 3)},
    simulate=simulate.neurons,
    points=table("t length", [(2.0, 1.0)], [(3.0, 0.5)]),
    sizes=(40, 80, 160),
    within=0.04,
    noise=0.5,
    size_name=STEP,
    quantity="weight along an eigenvector",
    observable="100 neurons on drawn Gaussian inputs",
    wrong=wrong("Hebb", "e^(Ct) w_0", lambda t, length: _hebb(t, length)),
)  # fmt: skip
MOMENTUM = declare(
    "rules.momentum",
    title="Momentum oscillates between two learning rates",
    statement="Roots of x^2 - (1 + b - eta l) x + b, complex for (1 - sqrt b)^2 < eta l < (1 + sqrt b)^2.",
    paper=f"{PAPER} (rule); classical",
    domain={"steps": Integers(5, 60), "curvature": Interval(0.5, 2.0, simplest=1.0),
            "learning_rate": Interval(0.02, 0.5, simplest=0.1), "momentum": Interval(0.6, 0.95, simplest=0.9)},
    solver="rules.descent",
    rows=lambda result: result,
    simulate=simulate.heavy_ball,
    points=table("steps curvature learning_rate momentum", [(50, 0.8, 0.01, 0.9)], [(20, 1.5, 0.3, 0.8)]),
    within=1e-9,
    noise=1e-13,
    scale=0.01,
    quantity="x after some steps from 1",
    observable="torch's SGD with momentum on a quadratic loss",
    wrong=wrong("real roots", "the same sum and gap of roots, without oscillation",
                lambda steps, curvature, learning_rate, momentum: _without_turns(
                    steps, curvature, learning_rate, momentum)),
)  # fmt: skip
ADAM = declare(
    "rules.adam",
    title="Adam's first steps are free of the loss's scale",
    statement="Weights move eta n in n first steps, whatever the loss is multiplied with.",
    paper="arXiv:1412.6980, section 2.1",
    domain={"steps": Integers(3, 30), "learning_rate": Choice((1e-3, 1e-2)), "decades": Interval(-4.0, 4.0)},
    solver="rules.adam",
    given={"gradient": lambda decades: 2.0 * 10.0**decades},
    rows=lambda result: result,
    simulate=simulate.adams,
    points=table("steps learning_rate decades", [(10, 1e-3, 2.0)], [(20, 1e-2, -3.0)]),
    within=1e-9,
    noise=1e-12,
    quantity="mean distance of weights",
    observable="200 weights by torch's Adam on a linear loss",
    wrong=wrong("gradient descent", "eta n |g|: in proportion to the loss",
                lambda truth, decades: truth * 2.0 * 10.0**decades),
)  # fmt: skip
CLAIMS = (SGD, INVARIANT, EXPONENT, KOLEN, OJA, MOMENTUM, ADAM)
