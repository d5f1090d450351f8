"""Claims about the two universality classes of deep critical orthogonal networks (1802.09979)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from widelimit.validate.claims.jacobian import theory
from widelimit.validate.claims.jacobian.shared import DOMAIN, FLOAT32, named, point, scale, simulated
from widelimit.validate.claims.meanfield.shared import counterfactual
from widelimit.validate.harness.claim import Claim, Inputs, Integers, Interval, Plan


def _class_ratios(name: str, strength: float) -> np.ndarray:
    from widelimit.numerics import jacobian

    found = {"smooth": jacobian.smooth_class, "bernoulli": jacobian.bernoulli_class}[name](strength)
    return theory.ratios_of(found)


def class_prediction(name: str, inputs: Inputs) -> np.ndarray:
    """Normalised second and third moment of a universality class at s_0^2."""
    return _class_ratios(name, float(inputs["strength"]))[1:3]


def class_prediction_at(name: str, inputs: Inputs, size: int) -> np.ndarray:
    """The same and what finite width adds at this depth, to order 1/width."""
    return class_prediction(name, inputs) + theory.correction(inputs, size)[1:3]


_CLASS_DOMAIN = DOMAIN | {
    "q0": Interval(0.01, 3.0, simplest=1.0),
    "strength": Interval(0.1, 0.5, simplest=0.25),
    "depth": Integers(64, 256),
}


def _class_claim(
    name: str, other: str, title: str, statement: str, points: Sequence[Inputs], more: Sequence[Inputs]
) -> Claim:
    predict = partial(class_prediction, name)
    return Claim(
        id=f"jacobian.universality-{name}",
        title=title,
        statement=statement,
        paper="arXiv:1802.09979, section 4",
        domain=_CLASS_DOMAIN,
        plans={
            "quick": Plan(tuple(points), (32, 64, 96), pilot=24, most=128, block=16),
            "reference": Plan((*points, *more), (64, 128, 256), pilot=16, most=300, block=16, within=0.015),
            "deep": Plan((*points, *more), (256, 512, 1024, 2048), pilot=8, most=24, block=4),
        },
        predict=predict,
        predict_at=partial(class_prediction_at, name),
        simulate=partial(simulated, "moments", 1, 3),
        rows=named("m2/m1^2", "m3/m1^3"),
        margin=0.06,  # finite depth: the third moment at L = 64 is 2 % below its limit for smooth activations
        scale=scale,
        valid=lambda inputs: (
            False
        ),  # sigma_w and sigma_b belong to one depth and strength: Hypothesis cannot draw them
        quantity="normalised moments",
        observable="traces of powers of the Gram matrix of one network",
        float32=FLOAT32,
        counterfactuals=(
            counterfactual(
                f"{other} class",
                "the other universality class",
                predict,
                partial(class_prediction, other),
                0.04,
                floor=1.0,
            ),
        ),
        notes="Classes are limits of great depth: at L = 64 the third moment of smooth networks lies 2 % below that of "
        "their class, of piecewise linear ones 0.03 %. More replicates do not bring them nearer.",
    )


def _doubly_scaled(activation: str, sigma_w: float, sigma_b: float, q0: float) -> Inputs:
    return point(
        {"activation": activation, "sigma_w": sigma_w, "sigma_b": sigma_b, "q0": q0},
        64,
        "orthogonal",
        strength=0.25,
    )


UNIVERSALITY_SMOOTH = _class_claim(
    "smooth",
    "bernoulli",
    "Universality of smooth activations",
    "At fixed s_0^2 = L (mu_2/mu_1^2 - 1), deep critical orthogonal networks of smooth activations share "
    "S = exp(-s_0^2 m).",
    [_doubly_scaled("tanh", 1.0235568303325902, 0.0041772602159892095, 0.024672)],
    [_doubly_scaled("erf_s", 1.0233326040423403, 0.004669956467788098, 0.030764)],
)
UNIVERSALITY_BERNOULLI = _class_claim(
    "bernoulli",
    "smooth",
    "Universality of piecewise linear activations",
    "At fixed s_0^2, deep critical orthogonal networks whose slopes are 0 or 1 share S = exp(-s_0^2 m/(1 + m)).",
    [_doubly_scaled("hard_tanh", 1.0019512213675872, 0.01985308811060775, 0.1199908)],
    [_doubly_scaled("shifted_relu", 1.001951221367588, 0.010646915130905987, 0.035296)],
)
