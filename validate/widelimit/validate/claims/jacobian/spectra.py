"""Claims of 1711.04735 and 1802.09979: the spectrum of the input-output Jacobian, its moments, edges and atoms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from widelimit.validate.claims.jacobian import theory
from widelimit.validate.claims.jacobian.classes import UNIVERSALITY_BERNOULLI, UNIVERSALITY_SMOOTH
from widelimit.validate.claims.jacobian.gallery import GALLERY
from widelimit.validate.claims.jacobian.shared import (
    DOMAIN,
    ERF,
    FLOAT32,
    HARD,
    LINEAR,
    RELU,
    TANH,
    changed,
    deeper,
    derivation,
    derivation_at_width,
    named,
    plans,
    point,
    scale,
    simulated,
    wrong,
)
from widelimit.validate.claims.jacobian.speed import LEARNING_SPEED
from widelimit.validate.claims.jacobian.variants import RECTANGULAR, RESIDUAL, VARYING_Q
from widelimit.validate.claims.meanfield.shared import counterfactual
from widelimit.validate.harness.claim import Choice, Claim, Inputs, Integers, Interval

__all__ = ["CLAIMS", "GALLERY"]


def _levels(inputs: Inputs) -> Sequence[Inputs]:
    return tuple({"x": float(x)} for x in theory.PLACES)


def _is_misprinted(inputs: Inputs) -> bool:
    return inputs["activation"] == "linear" and inputs["weights"] == "gaussian" and int(inputs["depth"]) == 1


def _distribution_of(change: Callable[[Inputs], Inputs], inputs: Inputs) -> np.ndarray:
    """Another law's distribution function at this point's x."""
    return np.asarray(theory.law(change(inputs)).cdf(np.array(theory.PLACES)))


def _no_isometry(inputs: Inputs) -> np.ndarray:
    return np.zeros(1)


def _gaussian_spread_missing(inputs: Inputs) -> np.ndarray:
    """The variance law without the contribution of the weights."""
    return theory.spread(inputs) - int(inputs["depth"])


MOMENTS = Claim(
    id="jacobian.moments",
    title="Moments of the Jacobian's spectrum",
    statement="The moments of J J^T follow from S = S_WW^L S_DD^L by Lagrange inversion.",
    paper="arXiv:1711.04735, eqs. (17)-(22); arXiv:1802.09979, section 2.4",
    domain=DOMAIN,
    plans=plans(
        [point(RELU, 2, "gaussian"), point(TANH, 6, "orthogonal")],
        [
            point(RELU, 6, "gaussian"),
            point(HARD, 8, "gaussian"),
            point(ERF, 8, "orthogonal"),
            point(RELU, 8, "orthogonal"),
        ],
        # m_3/m_1^3 of six Gaussian ReLU layers is 0.5 % off first order at width 400
        reference=(400, 500, 640),
        closer=0.0165,  # m_1 of deep ReLU networks fluctuates most
    ),
    predict=theory.ratios,
    predict_at=theory.ratios_at,
    simulate=partial(simulated, "moments", 0, 3),
    rows=named("log m1", "m2/m1^2", "m3/m1^3"),
    derivation=derivation_at_width,
    margin=0.08,
    scale=scale,
    quantity="moments of squared singular values",
    observable="traces of powers of the Gram matrix of one network",
    float32=FLOAT32,
    counterfactuals=wrong(theory.ratios, 0.08),
)

DISTRIBUTION = Claim(
    id="jacobian.distribution",
    title="Distribution of the singular values",
    statement="The law of the squared singular values is the one whose S-transform is S_WW^L S_DD^L, on "
    "its physical branch.",
    paper="arXiv:1711.04735, sections 2.4-2.5; arXiv:1802.09979, section 2",
    domain=DOMAIN,
    plans=plans(
        [point(TANH, 4, "orthogonal"), point(LINEAR, 1, "gaussian")],
        [point(TANH, 16, "gaussian"), point(ERF, 16, "orthogonal"), point(RELU, 4, "orthogonal")],
        pilot=24,
        most=64,
        reference=(250, 500, 1000),
    ),
    predict=theory.distribution,
    simulate=partial(simulated, "distribution", 0, len(theory.PLACES)),
    rows=_levels,
    curve=theory.distribution_curve,
    derivation=derivation,
    margin=0.02,
    scale=scale,
    valid=theory.smooth_above_zero,
    quantity="P(lambda <= x)",
    observable="share of squared singular values of one network at or below x",
    float32=FLOAT32,
    counterfactuals=(
        *wrong(theory.distribution, 2 * 0.02, _distribution_of),  # told apart by the whole margin
        counterfactual(
            "misprinted M-transform",
            "a published Marchenko-Pastur transform without the factor of its root",
            theory.distribution,
            theory.misprinted_distribution,
            0.02,
            floor=1.0,
            only=_is_misprinted,
        ),
    ),
)

LARGEST = Claim(
    id="jacobian.largest",
    title="Largest singular value",
    statement="The largest squared singular value tends to the top of the support, e L/p for deep "
    "Gaussian ReLU networks.",
    paper="arXiv:1711.04735, eqs. (23)-(26)",
    domain=DOMAIN,
    plans=plans(
        [point(RELU, 3, "gaussian"), point(TANH, 4, "orthogonal")],
        [point(ERF, 8, "orthogonal"), point(HARD, 8, "gaussian")],
        target=0.035,
        closer=0.0125,
    ),
    predict=theory.largest,
    simulate=partial(simulated, "largest", 0, 1),
    derivation=derivation,
    exponent=2 / 3,
    margin=0.05,
    scale=scale,
    quantity="log of the largest singular value",
    observable="spectral norm of J of one network",
    float32=FLOAT32,
    counterfactuals=wrong(theory.largest, 0.05),
)

ATOM = Claim(
    id="jacobian.atom",
    title="An atom above the bulk",
    statement="Orthogonal hard-tanh networks with L(1 - p) < 1 have an atom of mass 1 - L(1 - p) at p^-L "
    "above the bulk.",
    paper="arXiv:1711.04735, section 2.5.2; corrected: the maximum is the atom, not the bulk edge",
    domain=DOMAIN,
    plans=plans(
        [point(HARD, 8, "orthogonal")],
        [point(HARD, 4, "orthogonal"), point(HARD, 24, "orthogonal")],
        closer=0.0155,
    ),
    predict=theory.atom,
    simulate=partial(simulated, "atom", 0, 2),
    rows=named("mass of the atom", "log of the largest singular value"),
    derivation=derivation,
    margin=0.02,
    scale=scale,
    valid=lambda inputs: bool(theory.law(inputs).log_atoms) and theory.law(inputs).log_atoms[-1][0] > -1e300,
    quantity="mass of the atom, largest singular value",
    observable="share of squared singular values within 1e-9 of the largest",
    float32="an atom cannot be told from its neighbourhood",
    counterfactuals=(
        counterfactual(
            "bulk edge",
            "the edge of the continuous part taken for the maximum",
            theory.atom,
            theory.bulk_edge,
            0.02,
            floor=1.0,
        ),
    ),
)

RELU_NO_ISOMETRY = Claim(
    id="jacobian.relu-no-isometry",
    title="ReLU networks cannot be isometric",
    statement="For ReLU with orthogonal weights the normalised variance of the squared singular values "
    "is L, whatever sigma_w is.",
    paper="arXiv:1711.04735, section 2.5.1",
    domain={
        "sigma_w": Interval(0.5, 2.0, simplest=1.0),
        "depth": Integers(1, 8),
        "activation": Choice(("relu",)),
        "sigma_b": Interval(0.0, 0.3, simplest=0.0),
        "weights": Choice(("orthogonal",)),
        "q0": Choice((1.0,)),
    },
    plans=plans(
        [point({**RELU, "sigma_w": s}, 4, "orthogonal") for s in (1.0, 1.4142135623730951)],
        [point({**RELU, "sigma_w": s}, 8, "orthogonal") for s in (0.8, 1.6)],
        reference=(160, 240, 400),
        target=0.05,
        closer=0.01,
    ),
    predict=theory.spread,
    predict_at=theory.spread_at,
    simulate=partial(simulated, "spread", 1, 2),
    derivation=derivation_at_width,
    margin=0.08,
    scale=scale,
    quantity="variance of the squared singular values over their squared mean",
    observable="tr (J^T J)^2 / (tr J^T J)^2 N - 1 of one network",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "isometry",
            "variance zero, as for a linear orthogonal network",
            theory.spread,
            _no_isometry,
            0.08,
            floor=1.0,
        ),
        counterfactual(
            "L - 1 layers",
            "one layer less",
            theory.spread,
            partial(changed, theory.spread, theory.one_layer_less),
            0.08,
            floor=1.0,
            only=deeper,
        ),
    ),
)

ORTHOGONAL_NEEDED = Claim(
    id="jacobian.orthogonal-needed",
    title="Gaussian weights cannot be isometric",
    statement="With Gaussian weights the normalised variance is L mu_2/mu_1^2, at least L for every activation.",
    paper="arXiv:1711.04735, eq. (22); arXiv:1802.09979, eq. (28)",
    domain=DOMAIN | {"weights": Choice(("gaussian",))},
    plans=plans(
        [point(TANH, 4, "gaussian"), point(LINEAR, 4, "gaussian")],
        [point(HARD, 8, "gaussian"), point(ERF, 6, "gaussian")],
        reference=(300, 400, 500),
        target=0.035,
        closer=0.01,
        sizes=(96, 128, 160),
    ),
    predict=theory.spread,
    predict_at=theory.spread_at,
    simulate=partial(simulated, "spread", 1, 2),
    derivation=derivation_at_width,
    margin=0.08,
    scale=scale,
    quantity="variance of the squared singular values over their squared mean",
    observable="tr (J^T J)^2 / (tr J^T J)^2 N - 1 of one network",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "weights do not matter",
            "the variance law without the s_1 of the weights, as if they were orthogonal",
            theory.spread,
            _gaussian_spread_missing,
            0.08,
            floor=1.0,
        ),
    ),
)

CLAIMS: tuple[Claim, ...] = (
    MOMENTS,
    DISTRIBUTION,
    LARGEST,
    ATOM,
    RELU_NO_ISOMETRY,
    ORTHOGONAL_NEEDED,
    RECTANGULAR,
    VARYING_Q,
    RESIDUAL,
    UNIVERSALITY_SMOOTH,
    UNIVERSALITY_BERNOULLI,
    LEARNING_SPEED,
)
