"""`predict`: one mode by one rule, for the command line."""

from __future__ import annotations

from dataclasses import dataclass

from widelimit.numerics import arguments
from widelimit.numerics.results import pictured
from widelimit.numerics.rules import checks
from widelimit.numerics.rules.modes import mode
from widelimit.numerics.rules.times import signature
from widelimit.theory import rules as theory


@pictured
@dataclass(frozen=True)
class Prediction:
    """Weights of a mode at a time (`first`, `second`, `product`), how they were computed, and the rule's signature.

    `learnt`: the share of the strength that the product has come to.
    """

    rule: str
    first: float
    second: float
    product: float
    learnt: float
    method: str
    exponent: float
    plateau: bool


def predict(
    rule: str = "feedback_alignment",
    t: float = 1.0,
    strength: float = 1.0,
    start: float = 0.0,
    feedback: float | None = None,
    decay: float = 0.0,
) -> Prediction:
    """Return the weights of a linear mode at time t of learning by a rule.

    Args:
        rule: sgd, feedback_alignment, kolen_pollack or information_alignment.
        t: steps times learning rate.
        strength: singular value of what is learnt.
        start: product of both weights at time 0.
        feedback: backward weight, 1 unless given; sgd has none.
        decay: of the weights.

    >>> round(predict("feedback_alignment", 1.2, 1.7, feedback=0.8).learnt, 6)
    0.695061
    """
    for name, one in (("strength", strength), ("start", start), ("decay", decay), ("feedback", feedback)):
        if one is not None:
            arguments.finite_number(name, one)
    arguments.single("t", arguments.real("t", t, infinite=True))
    name = checks.rule(rule, theory.MODE_RULES)
    back = 1.0 if feedback is None and name != "sgd" else feedback
    found = mode(name, t, strength=strength, start=start, feedback=back, decay=decay)
    told = signature(name)
    v, w, u = (float(one) for one in (found.first, found.second, found.product))
    return Prediction(name, v, w, u, u / float(strength), found.method, told.exponent, told.plateau)
