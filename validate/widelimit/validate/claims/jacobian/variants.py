"""Claims about Jacobians of networks whose layers differ: in width, in the length of their input, by a shortcut."""

from __future__ import annotations

from functools import partial

import numpy as np

from widelimit.validate.claims.jacobian import theory
from widelimit.validate.claims.jacobian.shared import (
    DOMAIN,
    ERF,
    FLOAT32,
    RELU,
    TANH,
    changed,
    named,
    plans,
    point,
    scale,
    simulated,
)
from widelimit.validate.claims.meanfield.shared import counterfactual
from widelimit.validate.harness.claim import Choice, Claim, Inputs, Integers, Interval

RECTANGULAR = Claim(
    id="jacobian.rectangular",
    title="Layers of different widths",
    statement="With widths N_l the variance of J^T J is sum_l (N_0/N_l) mu_2/mu_1^2, in units of its squared mean.",
    paper="arXiv:2111.00841, theorem 2",
    domain=DOMAIN | {"shape": Choice(("1 2 1", "1 0.5 1", "1 2 0.5"))},
    plans=plans(
        [point(TANH, 3, "gaussian", shape="1 0.5 1 0.5")],
        [
            point(RELU, 3, "gaussian", shape="1 2 0.5 1"),
            point(ERF, 3, "gaussian", shape="1 1.5 1 2"),
            point(TANH, 3, "orthogonal", shape="1 2 1 0.5"),
        ],
        target=0.035,
        closer=0.012,
    ),
    predict=theory.ratios,
    simulate=partial(simulated, "moments", 0, 3),
    rows=named("log m1", "m2/m1^2", "m3/m1^3"),
    margin=0.08,
    scale=scale,
    valid=lambda inputs: len(str(inputs["shape"]).split()) == int(inputs["depth"]) + 1,
    quantity="moments of squared singular values",
    observable="traces of powers of the Gram matrix of one network",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "square layers",
            "all widths equal",
            theory.ratios,
            partial(changed, theory.ratios, theory.square),
            0.08,
            floor=1.0,
        ),
    ),
)

VARYING_Q = Claim(
    id="jacobian.varying-q",
    title="Layers away from the fixed point",
    statement="Started away from q*, each layer contributes the S-transform of its own length.",
    paper="arXiv:1802.09979, section 2.2 (assumes q*); product rule of free S-transforms",
    domain=DOMAIN | {"q0": Interval(0.5, 6.0, simplest=1.0)},
    plans=plans(
        [point(TANH, 3, "orthogonal", q0=3.0)],
        [point(ERF, 4, "gaussian", q0=4.0)],
        reference=(300, 400, 500),
        target=0.045,
        closer=0.01,
    ),
    predict=theory.ratios,
    predict_at=theory.ratios_at,
    simulate=partial(simulated, "moments", 0, 3),
    rows=named("log m1", "m2/m1^2", "m3/m1^3"),
    margin=0.05,
    scale=scale,
    valid=lambda inputs: float(inputs["q0"]) > float(inputs["sigma_b"]) ** 2,
    quantity="moments of squared singular values",
    observable="traces of powers of the Gram matrix of one network",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "all layers at q*",
            "the fixed point's slopes at every layer",
            theory.ratios,
            partial(changed, theory.ratios, theory.at_fixed_point),
            0.05,
            floor=1.0,
        ),
    ),
)


def _ordinary_branch(inputs: Inputs) -> np.ndarray:
    """The branch's variance dropped: m_2/m_1^2 = 1."""
    return np.array([theory.residual(inputs)[0], 1.0])


RESIDUAL = Claim(
    id="jacobian.residual",
    title="Residual networks",
    statement="J = prod (1 + D W) with sigma_w^2 E phi'^2 = c/L has m_1 -> e^c and m_2/m_1^2 -> 1 + 2c "
    "for every activation.",
    paper="arXiv:1809.08848, eqs. (20)-(25); compared at finite L, where both are exact",
    domain={
        "activation": Choice(("tanh", "erf_s", "relu")),
        "sigma_w": Interval(0.1, 0.5, simplest=0.25),
        "sigma_b": Interval(0.0, 0.0001, simplest=0.0),
        "depth": Integers(2, 16),
        "weights": Choice(("gaussian",)),
        "q0": Interval(0.3, 3.0, simplest=1.0),
        "branch": Choice((True,)),
    },
    plans=plans(
        [point({"activation": "relu", "sigma_w": 0.3, "sigma_b": 0.0}, 10, "gaussian", q0=1.0, branch=True)],
        [point({"activation": "tanh", "sigma_w": 0.35, "sigma_b": 0.0}, 12, "gaussian", q0=1.0, branch=True)],
    ),
    predict=theory.residual,
    simulate=partial(simulated, "moments", 0, 2),
    rows=named("log m1", "m2/m1^2"),
    margin=0.03,
    scale=scale,
    quantity="moments of squared singular values",
    observable="traces of powers of the Gram matrix of one network x + phi(W x)",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "isometric branches",
            "the variance that the branches add left out",
            theory.residual,
            _ordinary_branch,
            0.03,
            floor=1.0,
        ),
    ),
)
