"""Claims about fixed points and rates: where lengths and correlations settle, how fast, and how gradients grow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.meanfield import plans, theory
from widelimit.validate.claims.meanfield.shared import (
    FLOAT32,
    NETWORK,
    architecture,
    bounded,
    counterfactual,
    derivation,
    where_defined,
)
from widelimit.validate.claims.meanfield.theory import altered, farther
from widelimit.validate.harness.claim import Choice, Claim, Inputs, Integers, Interval

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

# --- meanfield.fixed-point ----------------------------------------------------------------------------------------

# 3 % of 0.5 or of what is predicted if larger: where lengths are small or slopes near 1 (GELU), one network wanders
# by ten per cent and more. A missing bias or an unstable fixed point is off by 15 % and more.
_FIXED_MARGIN = 0.03
_FIXED_FLOOR = 0.5
_GELU = "gelu"


def fixed_point_rows(inputs: Inputs) -> Sequence[Inputs]:
    """q*, and c* where inputs stay apart."""
    return tuple({"quantity": name} for name in ("q*", "c*"))[: 2 if theory.chaotic(inputs) else 1]


def simulate_fixed_point(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """q and c averaged over the last `window` layers, from a start that is neither."""
    from widelimit.validate.simulate.meanfield import settled

    found = settled(
        architecture(inputs),
        size,
        seeds,
        backend,
        q0=float(inputs["q0"]),
        c0=float(inputs["c0"]),
        window=int(inputs["window"]),
    )
    return found[:, : len(fixed_point_rows(inputs))]


@where_defined
def _settles(inputs: Inputs) -> bool:
    """Whether the burn-in leaves less than 0.2 % of the distance from the start."""
    found = theory.solution(inputs)
    burn = int(inputs["depth"]) - int(inputs["window"])
    scale = max(float(found.xi_q), float(found.xi_c) if theory.chaotic(inputs) else 0.0)
    return bounded(inputs) and bool(found.stable) and burn > 6 * scale


def _fixed_point_of_neighbour(inputs: Inputs) -> np.ndarray:
    return _same_rows(farther(inputs), inputs)


def _fixed_point_without_bias(inputs: Inputs) -> np.ndarray:
    return _same_rows(altered(inputs, sigma_b=0.0), inputs)


def _unstable(inputs: Inputs) -> np.ndarray:
    """The solution of chi_1 = 1 for GELU taken for a fixed point that networks settle at."""
    line = theory.edge(_GELU, float(inputs["sigma_b"]))
    return np.array([float(line.q_star), 1.0])[: len(fixed_point_rows(inputs))]


def _near_unstable_edge(inputs: Inputs) -> bool:
    if inputs["activation"] != _GELU:
        return False
    line = theory.edge(_GELU, float(inputs["sigma_b"]))
    return not bool(line.stable) and abs(float(line.sigma_w) / float(inputs["sigma_w"]) - 1) < 1e-4


def _same_rows(wrong: Inputs, inputs: Inputs) -> np.ndarray:
    found = theory.solution(wrong)
    return np.array([found.q_star, found.c_star])[: len(fixed_point_rows(inputs))]


FIXED_POINT = Claim(
    id="meanfield.fixed-point",
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
    plans=plans.FIXED_POINT,
    predict=theory.fixed_points,
    simulate=simulate_fixed_point,
    rows=fixed_point_rows,
    derivation=derivation,
    margin=_FIXED_MARGIN,
    scale=lambda predicted: np.maximum(np.abs(predicted), _FIXED_FLOOR),
    location="median",  # a narrow GELU network now and then leaves the basin of its stable fixed point
    valid=_settles,
    quantity="q* and c*",
    observable="lengths, and correlations of 64 pairs, averaged over the last layers of a network",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "neighbouring activation",
            "the fixed points of an activation of the same kind (arctan for tanh)",
            theory.fixed_points,
            _fixed_point_of_neighbour,
            _FIXED_MARGIN,
            floor=_FIXED_FLOOR,
        ),
        counterfactual(
            "no biases",
            "the fixed points without biases",
            theory.fixed_points,
            _fixed_point_without_bias,
            _FIXED_MARGIN,
            floor=_FIXED_FLOOR,
        ),
        counterfactual(
            "GELU's critical q taken as stable",
            "q where chi_1 = 1 for GELU, although the slope of the length map is above 1 there: networks leave it",
            theory.fixed_points,
            _unstable,
            _FIXED_MARGIN,
            floor=_FIXED_FLOOR,
            only=_near_unstable_edge,
        ),
    ),
)

# --- meanfield.depth-scale ----------------------------------------------------------------------------------------

# 5 % of a rate: followed over 0.6 xi_c layers, that is 3 % of what is left of a change of c, and 0.5 % of the slope.
_RATE_MARGIN = 0.05
_DELTA, _STRETCH = 0.06, 0.02  # changes of c and q that are followed: cubic terms are below 0.3 %
_TINY = 1e-8  # 1 - c in the ordered phase: kinks shift the rate by sqrt(1 - c)
_BURN = 2
_LENGTH_LAYERS = 2  # xi_q is one or two layers


def rate_rows(inputs: Inputs) -> Sequence[Inputs]:
    """The two inverse depth scales."""
    return ({"quantity": "1/xi_c"}, {"quantity": "1/xi_q"})


def simulate_rates(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """1/xi_c and 1/xi_q of networks that start at the fixed point, changed a little.

    In the chaotic phase c is followed for 0.6 xi_c layers, by when half the change is left; in the ordered phase, where
    1 - c shrinks within each network to rounding without noise taking over, for 2 xi_c.
    """
    from widelimit.validate.simulate.meanfield import rate_of_merging, rates_of_return

    found = theory.solution(inputs)
    q_star, chaotic = float(found.q_star), theory.chaotic(inputs)
    layers = int(np.clip(round(0.6 * float(found.xi_c)), 3, 8)) if chaotic else 1
    back = rates_of_return(
        architecture(inputs, depth=max(layers, _LENGTH_LAYERS)),
        size,
        seeds,
        backend,
        q0=q_star,
        c0=float(found.c_star) if chaotic else 0.5,
        delta=_DELTA,
        stretch=_STRETCH,
        layers_c=layers,
        layers_q=_LENGTH_LAYERS,
    )
    if not chaotic:
        depth = _BURN + int(np.clip(round(2 * float(found.xi_c)), 6, 20))
        deep = architecture(inputs, depth=depth)
        back[:, 0] = rate_of_merging(deep, size, seeds, backend, q0=q_star, one_minus_c0=_TINY, burn=_BURN)
    return back


@where_defined
def _has_scales(inputs: Inputs) -> bool:
    """Away from the edge, where xi_c diverges, and from c* next to 1 or 0, where a change of c has no room."""
    found = theory.solution(inputs)
    if not (bounded(inputs) and bool(found.stable) and float(found.length_slope) > 0.05):
        return False
    room = 2 * _DELTA < float(found.c_star) < 1 - 2 * _DELTA if theory.chaotic(inputs) else True
    return room and 2 < float(found.xi_c) < 20 and float(found.chi_1) < 2


def _rates_of_neighbour(inputs: Inputs) -> np.ndarray:
    return theory.rates(farther(inputs))


def _slope_at_one(inputs: Inputs) -> np.ndarray:
    return np.array([-theory.log_chi(inputs), theory.rates(inputs)[1]])


def _chi_for_length(inputs: Inputs) -> np.ndarray:
    return np.array([theory.rates(inputs)[0], -theory.log_chi(inputs)])


def _unsquared_rates(inputs: Inputs) -> np.ndarray:
    return theory.rates(inputs) + math.log(float(inputs["sigma_w"]))


DEPTH_SCALE = Claim(
    id="meanfield.depth-scale",
    title="Depth scales of correlation and length",
    statement="Changes of c and q die out as exp(-l/xi_c) and exp(-l/xi_q), with "
    "1/xi_c = -log(sigma_w^2 E phi' phi') at c* and 1/xi_q = -log(sigma_w^2 E[phi'^2 + phi phi'']).",
    paper="arXiv:1611.01232, eqs. (8) and (12)",
    domain=NETWORK,
    plans=plans.DEPTH_SCALE,
    predict=theory.rates,
    simulate=simulate_rates,
    rows=rate_rows,
    derivation=derivation,
    margin=_RATE_MARGIN,
    valid=_has_scales,
    quantity="inverse depth scales",
    observable="-log of what is left of a small change of c, or q, over the number of layers",
    float32="refused in effect: 1 - c starts at 1e-8 in the ordered phase, below what single precision resolves",
    counterfactuals=(
        counterfactual(
            "slope at c = 1 in the chaotic phase",
            "chi_1 in place of the slope of the correlation map at c* < 1",
            theory.rates,
            _slope_at_one,
            _RATE_MARGIN,
        ),
        counterfactual(
            "chi_1 for the length",
            "the term E phi phi'' left out of the slope of the length map",
            theory.rates,
            _chi_for_length,
            _RATE_MARGIN,
        ),
        counterfactual(
            "sigma_w not squared",
            "slopes with sigma_w in place of sigma_w^2",
            theory.rates,
            _unsquared_rates,
            _RATE_MARGIN,
        ),
        counterfactual(
            "neighbouring activation",
            "the depth scales of an activation of the same kind (arctan for tanh)",
            theory.rates,
            _rates_of_neighbour,
            _RATE_MARGIN,
        ),
    ),
)

# --- meanfield.gradient-norm --------------------------------------------------------------------------------------

# 5 % of a rate, as for depth scales: 1.3 % of chi_1 where it is 1.3.
_GRADIENT_MARGIN = 0.05
_STEP = 6  # layers between rows
_COVARIANCE_AT = 2  # the covariance of two inputs is lost in noise farther back


def gradient_rows(inputs: Inputs) -> Sequence[Inputs]:
    """Log norms at multiples of six layers from the output; in the chaotic phase the covariance of two inputs too."""
    rows: list[Inputs] = [{"quantity": "log norm", "distance": d} for d in _distances(inputs)]
    if theory.chaotic(inputs):
        rows.append({"quantity": "covariance", "distance": _COVARIANCE_AT})
    return tuple(rows)


def _distances(inputs: Inputs) -> tuple[int, ...]:
    return tuple(range(_STEP, int(inputs["distance"]) + 1, _STEP))


def gradients(inputs: Inputs) -> np.ndarray:
    """d log chi_1 at each distance d, and the slope of the correlation map at c* to the power 2."""
    return _gradients(inputs, theory.log_chi(inputs))


def _gradients(inputs: Inputs, log_chi: float, log_slope: float | None = None) -> np.ndarray:
    rows = [d * log_chi for d in _distances(inputs)]
    if theory.chaotic(inputs):
        log_slope = -theory.rates(inputs)[0] if log_slope is None else log_slope
        rows.append(math.exp(_COVARIANCE_AT * log_slope))
    return np.array(rows)


def simulate_gradients(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Random output vectors sent back through networks that run at q* and c*."""
    from widelimit.validate.simulate.meanfield import gradient_statistics

    found = theory.solution(inputs)
    chaotic = theory.chaotic(inputs)
    distances = _distances(inputs)
    measured = gradient_statistics(
        architecture(inputs, depth=distances[-1] + 1),
        size,
        seeds,
        backend,
        q0=float(found.q_star),
        one_minus_c0=float(found.one_minus_c_star) if chaotic else 1.0,
        distances=(_COVARIANCE_AT, *distances),
    )
    return np.column_stack([measured.log_norm[:, 1:], measured.covariance[:, :1][:, : int(chaotic)]])


@where_defined
def _settled_gradients(inputs: Inputs) -> bool:
    found = theory.solution(inputs)
    return bounded(inputs) and bool(found.stable) and 0.05 < abs(math.log(float(found.chi_1))) < 1


def _gradients_unsquared(inputs: Inputs) -> np.ndarray:
    shift = math.log(float(inputs["sigma_w"]))
    return _gradients(inputs, theory.log_chi(inputs) - shift)


def _gradients_by_xi_c(inputs: Inputs) -> np.ndarray:
    return _gradients(inputs, theory.rates(inputs)[0])


def _gradients_of_neighbour(inputs: Inputs) -> np.ndarray:
    other = farther(inputs)
    return _gradients(inputs, theory.log_chi(other), -theory.rates(other)[0])


def _covariance_by_chi(inputs: Inputs) -> np.ndarray:
    return _gradients(inputs, theory.log_chi(inputs), theory.log_chi(inputs))


GRADIENT_NORM = Claim(
    id="meanfield.gradient-norm",
    title="Gradients grow by chi_1 a layer",
    statement="Squared gradients grow by chi_1 = sigma_w^2 E phi'^2 a layer towards the input, the covariance "
    "of the gradients of two inputs by the slope of the correlation map.",
    paper="arXiv:1611.01232, eqs. (16) to (18)",
    domain=NETWORK | {"distance": Choice((6, 12))},
    plans=plans.GRADIENT_NORM,
    predict=gradients,
    simulate=simulate_gradients,
    rows=gradient_rows,
    derivation=derivation,
    margin=_GRADIENT_MARGIN,
    valid=_settled_gradients,
    quantity="log of squared gradients, and their covariance, d layers before the output",
    observable="log(|delta^(L-d)|^2 / |delta^L|^2) over 16 inputs of a network",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "chi_1 without the square",
            "sigma_w in place of the weight variance sigma_w^2",
            gradients,
            _gradients_unsquared,
            _GRADIENT_MARGIN,
        ),
        counterfactual(
            "xi_c for xi_grad in the chaotic phase",
            "the depth scale of correlations taken for that of gradients: equal in size in the ordered phase only",
            gradients,
            _gradients_by_xi_c,
            _GRADIENT_MARGIN,
            only=theory.chaotic,
        ),
        counterfactual(
            "chi_1 for two inputs",
            "chi_1 in place of the slope at c* for the covariance of the gradients of two inputs",
            gradients,
            _covariance_by_chi,
            _GRADIENT_MARGIN,
            only=theory.chaotic,
        ),
        counterfactual(
            "neighbouring activation",
            "chi_1 of an activation of the same kind (arctan for tanh)",
            gradients,
            _gradients_of_neighbour,
            _GRADIENT_MARGIN,
        ),
    ),
)
