"""Claims about fixed points and rates: where lengths and correlations settle, how fast, and how gradients grow."""

from __future__ import annotations

import math
from typing import Any

from widelimit.validate.claims.meanfield import measured, plans, started, theory
from widelimit.validate.claims.meanfield.shared import FLOAT32, NETWORK, bounded, derivation
from widelimit.validate.claims.meanfield.theory import farther
from widelimit.validate.harness.claim import Choice, Inputs, Integers, Interval
from widelimit.validate.harness.declare import altered, declare, instead, row, wrong

_SOLVED: dict[str, Any] = {"solver": theory.solution, "derivation": derivation}
_GELU = "gelu"


def _settles(inputs: Inputs) -> bool:
    """Whether the burn-in leaves less than 0.2 % of the distance from the start; of 1 - c less than is read."""
    found = theory.solution(inputs)
    burn = int(inputs["depth"]) - int(inputs["window"])
    far = max(6 * float(found.xi_q), (6 if theory.chaotic(inputs) else 8) * float(found.xi_c))
    return bounded(inputs) and bool(found.stable) and burn > far


def _near_unstable_edge(inputs: Inputs) -> bool:
    if inputs["activation"] != _GELU:
        return False
    line = theory.edge(_GELU, float(inputs["sigma_b"]))
    return not bool(line.stable) and abs(float(line.sigma_w) / float(inputs["sigma_w"]) - 1) < 1e-4


FIXED_POINT = declare(
    "meanfield.fixed-point",
    title="Fixed points of length and correlation",
    statement="Deep networks forget their inputs: q and c settle at the stable fixed points q*, c* of the maps.",
    paper="arXiv:1606.05340, section 2; arXiv:1611.01232, section 3",
    domain=NETWORK
    | {
        "q0": Interval(0.5, 3.0, simplest=1.0),
        "c0": Interval(0.1, 0.9, simplest=0.5),
        "depth": Integers(50, 60),
        "window": Integers(10, 15),
    },
    rows={"q*": "q_star", "c*": "c_star"},
    simulate=measured.fixed_point,
    plans=plans.FIXED_POINT,
    # 3 % of 0.5 or of what is predicted if larger: where lengths are small or slopes near 1 (GELU), one network wanders
    # by ten per cent and more. A missing bias or an unstable fixed point is off by 15 % and more.
    within=0.03,
    scale=0.5,
    location="median",  # a narrow GELU network now and then leaves the basin of its stable fixed point
    valid=_settles,
    quantity="q* and c*",
    observable="lengths, and correlations of 64 pairs, averaged over the last layers of a network",
    float32=FLOAT32,
    wrong=(
        wrong(
            "neighbouring activation",
            "the fixed points of an activation of the same kind (arctan for tanh)",
            altered(farther),
        ),
        wrong("no biases", "the fixed points without biases", altered(sigma_b=0.0)),
        wrong(
            "c = 1 in every phase",
            "the fixed point of two equal inputs taken for stable where chi_1 > 1: inputs come apart",
            instead({"c*": 1.0}),
            only=theory.chaotic,
        ),
        wrong(
            "GELU's critical q taken as stable",
            "q where chi_1 = 1 for GELU, although the slope of the length map is above 1 there: networks leave it",
            instead({"q*": lambda found, sigma_b: theory.edge(_GELU, sigma_b).q_star, "c*": 1.0}),
            only=_near_unstable_edge,
        ),
    ),
    **_SOLVED,
)


def _has_scales(inputs: Inputs) -> bool:
    """Away from the edge, where xi_c diverges, and from c* next to 1 or 0, where a change of c has no room."""
    found = theory.solution(inputs)
    if not (bounded(inputs) and bool(found.stable) and float(found.length_slope) > 0.05):
        return False
    near = 2 * theory.DELTA
    room = near < float(found.c_star) < 1 - near if theory.chaotic(inputs) else True
    return room and 2 < float(found.xi_c) < 20 and float(found.chi_1) < 2


def _log_chi(found: Any) -> float:
    """The rate at which squared gradients grow a layer towards the input."""
    return math.log(float(found.chi_1))


DEPTH_SCALE = declare(
    "meanfield.depth-scale",
    title="Depth scales of correlation and length",
    statement="Changes of c and q die out as exp(-l/xi_c) and exp(-l/xi_q), with "
    "1/xi_c = -log(sigma_w^2 E phi' phi') at c* and 1/xi_q = -log(sigma_w^2 E[phi'^2 + phi phi'']).",
    paper="arXiv:1611.01232, eqs. (8) and (12)",
    domain=NETWORK,
    rows={"1/xi_c": lambda found: 1 / found.xi_c, "1/xi_q": lambda found: 1 / found.xi_q},
    simulate=started.rates,
    plans=plans.DEPTH_SCALE,
    # 5 % of a rate: followed over 0.6 xi_c layers, that is 3 % of what is left of a change of c, and 0.5 % of the slope
    within=0.05,
    valid=_has_scales,
    quantity="inverse depth scales",
    observable="-log of what is left of a small change of c, or q, over the number of layers",
    float32="refused in effect: 1 - c starts at 1e-8 in the ordered phase, below what single precision resolves",
    wrong=(
        wrong(
            "slope at c = 1 in the chaotic phase",
            "chi_1 in place of the slope of the correlation map at c* < 1",
            instead({"1/xi_c": lambda found: -_log_chi(found)}),
        ),
        wrong(
            "chi_1 for the length",
            "the term E phi phi'' left out of the slope of the length map",
            instead({"1/xi_q": lambda found: -_log_chi(found)}),
        ),
        wrong(
            "sigma_w not squared",
            "slopes with sigma_w in place of sigma_w^2",
            lambda truth, sigma_w: truth + math.log(sigma_w),
        ),
        wrong(
            "neighbouring activation",
            "the depth scales of an activation of the same kind (arctan for tanh)",
            altered(farther),
        ),
    ),
    **_SOLVED,
)


def _has_gradients(inputs: Inputs) -> bool:
    found = theory.solution(inputs)
    return bounded(inputs) and bool(found.stable) and 0.05 < abs(_log_chi(found)) < 1


def _norms(rate: float, inputs: Inputs) -> list[float]:
    """Logs of squared gradients that grow at a rate per layer."""
    return [distance * rate for distance in theory.distances(inputs)]


GRADIENT_NORM = declare(
    "meanfield.gradient-norm",
    title="Gradients grow by chi_1 a layer",
    statement="Squared gradients grow by chi_1 = sigma_w^2 E phi'^2 a layer towards the input, the covariance "
    "of the gradients of two inputs by the slope of the correlation map.",
    paper="arXiv:1611.01232, eqs. (16) to (18)",
    domain=NETWORK | {"distance": Choice((6, 12))},
    rows={
        "log norm": row(
            lambda found, inputs: _norms(_log_chi(found), inputs), over={"distance": theory.distances}
        ),
        "covariance": row(
            lambda found: math.exp(-theory.COVARIANCE_AT / found.xi_c),
            over={"distance": (theory.COVARIANCE_AT,)},
            only=theory.chaotic,
        ),
    },
    simulate=started.gradients,
    plans=plans.GRADIENT_NORM,
    within=0.05,  # of a rate, as for depth scales: 1.3 % of chi_1 where it is 1.3
    valid=_has_gradients,
    quantity="log of squared gradients, and their covariance, d layers before the output",
    observable="log(|delta^(L-d)|^2 / |delta^L|^2) over 16 inputs of a network",
    float32=FLOAT32,
    wrong=(
        wrong(
            "chi_1 without the square",
            "sigma_w in place of the weight variance sigma_w^2",
            instead(
                {
                    "log norm": lambda found, sigma_w, inputs: _norms(
                        _log_chi(found) - math.log(sigma_w), inputs
                    )
                }
            ),
        ),
        wrong(
            "xi_c for xi_grad in the chaotic phase",
            "the depth scale of correlations taken for that of gradients: equal in size in the ordered phase only",
            instead({"log norm": lambda found, inputs: _norms(1 / found.xi_c, inputs)}),
            only=theory.chaotic,
        ),
        wrong(
            "chi_1 for two inputs",
            "chi_1 in place of the slope at c* for the covariance of the gradients of two inputs",
            instead(covariance=lambda found: math.exp(theory.COVARIANCE_AT * _log_chi(found))),
            only=theory.chaotic,
        ),
        wrong(
            "neighbouring activation",
            "chi_1 of an activation of the same kind (arctan for tanh)",
            altered(farther),
        ),
    ),
    **_SOLVED,
)
