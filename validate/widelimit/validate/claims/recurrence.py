"""Recurrent networks as falsifiable claims (arXiv:1806.05394)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Inputs, Integers, Interval, Plan
from widelimit.validate.simulate import recurrence as simulate

if TYPE_CHECKING:
    from widelimit.numerics.recurrence import Gated
    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.validate.harness.backend import Backend


def derivation(inputs: Inputs) -> Derivation:
    """The gated mean field and the vanilla one."""
    from widelimit.theory import recurrence as theory

    return theory.derive(str(inputs.get("activation", "tanh")))


def _solve(inputs: Inputs) -> Gated:
    from widelimit.numerics import recurrence

    names = ("sigma_w", "sigma_v", "input_moment", "bias_mean")
    return recurrence.predict(**{name: float(inputs[name]) for name in names})


def gated(inputs: Inputs) -> np.ndarray:
    """E h^2, q_star, chi_1."""
    point = _solve(inputs)
    return np.array([point.memory, point.q_star, point.chi_1])


def gated_rows(inputs: Inputs) -> Sequence[Inputs]:
    """Names of the three rows."""
    return ({"quantity": "E h^2"}, {"quantity": "q"}, {"quantity": "chi_1"})


def simulate_gated(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Averages over the later half of forty steps, fresh weights at each."""
    return np.array([simulate.gated(inputs, size, seed, backend) for seed in seeds])


def _without_gate(inputs: Inputs) -> np.ndarray:
    point = _solve(inputs)
    return np.array([point.memory, point.q_star, point.chi_1_without_gate])


def two_time(inputs: Inputs, tied: bool = True) -> np.ndarray:
    """Covariance at the last two times, variance at the last."""
    from widelimit.numerics import recurrence

    out = recurrence.two_time(
        str(inputs["activation"]), sigma_w=float(inputs["sigma_w"]), sigma_b=float(inputs["sigma_b"]),
        start=float(inputs["start"]), steps=int(inputs["steps"]), tied=tied,
    )  # fmt: skip
    return np.array([out.covariance[-1, -2], out.variance[-1]])


def two_time_rows(inputs: Inputs) -> Sequence[Inputs]:
    """Names of the two rows."""
    return ({"quantity": "covariance of successive times"}, {"quantity": "variance"})


def simulate_two_time(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """From a network with tied or untied weights."""
    tied = str(inputs["weights"]) == "tied"
    return np.array([simulate.two_time(inputs, size, seed, backend, tied=tied) for seed in seeds])


def two_time_of_weights(inputs: Inputs) -> np.ndarray:
    """The theory of the point's kind of weights."""
    return two_time(inputs, tied=inputs["weights"] == "tied")


def _other_weights(inputs: Inputs) -> np.ndarray:
    return two_time(inputs, tied=inputs["weights"] != "tied")


def _largest(predicted: np.ndarray) -> np.ndarray:
    return np.full_like(predicted, np.abs(predicted).max())


def _gated_point(sigma_w: float, sigma_v: float, input_moment: float, bias_mean: float) -> Inputs:
    return {"sigma_w": sigma_w, "sigma_v": sigma_v, "input_moment": input_moment, "bias_mean": bias_mean}


def _vanilla_point(activation: str, sigma_w: float, sigma_b: float, steps: int, weights: str) -> Inputs:
    return {
        "activation": activation,
        "sigma_w": sigma_w,
        "sigma_b": sigma_b,
        "steps": steps,
        "start": 1.0,
        "weights": weights,
    }


_GATED_QUICK = (_gated_point(6.88, 1.39, 0.46, 0.0),)
_GATED_ALL = (*_GATED_QUICK, _gated_point(3.0, 1.0, 1.0, 1.0), _gated_point(2.0, 2.0, 0.5, -0.5))
GATED = Claim(
    id="recurrence.gated",
    title="Mean field of a gated network",
    statement=(
        "A minimalRNN has Q = R E(1-u)^2 / (1 - E u^2) and gradients that grow by E u^2 + "
        "sigma_w^2 (Q+R) E u'^2."
    ),
    paper="arXiv:1806.05394, eqs. (4), (5), (9)",
    domain={
        "sigma_w": Interval(0.5, 7.0, simplest=1.0),
        "sigma_v": Interval(0.5, 2.0, simplest=1.0),
        "input_moment": Interval(0.2, 1.5, simplest=1.0),
        "bias_mean": Interval(-1.0, 2.0, simplest=0.0),
    },
    plans={
        "quick": Plan(_GATED_QUICK, (64, 128, 256), pilot=8, most=24, block=8),
        "reference": Plan(_GATED_ALL, (96, 192, 384), pilot=12, most=48, block=8),
        "deep": Plan(_GATED_ALL, (256, 512, 1024), pilot=16, most=192, block=16),
    },
    predict=gated,
    simulate=simulate_gated,
    rows=gated_rows,
    derivation=derivation,
    margin=0.05,
    quantity="statistics of the stationary state",
    observable="averages over time, inputs and units; weights drawn afresh at each step",
    counterfactuals=(
        Counterfactual(
            "no memory in the gradient", "E u^2 omitted, as in a published implementation", _without_gate
        ),
    ),
)
_VANILLA_QUICK = (_vanilla_point("tanh", 1.5, 0.4, 6, "tied"), _vanilla_point("tanh", 1.5, 0.4, 6, "untied"))
_VANILLA_ALL = (
    *_VANILLA_QUICK,
    _vanilla_point("relu", 1.2, 0.5, 4, "tied"),
    _vanilla_point("erf", 2.0, 0.3, 10, "untied"),
)
TIED = Claim(
    id="recurrence.tied",
    title="Memory of tied and untied weights",
    statement="With tied weights successive times correlate as two inputs do; with fresh weights they are independent.",
    paper="arXiv:2006.10246",
    domain={
        "activation": Choice(("tanh", "relu", "erf")),
        "sigma_w": Interval(0.8, 1.8, simplest=1.0),
        "sigma_b": Interval(0.3, 0.8, simplest=0.5),
        "steps": Integers(2, 10),
        "start": Interval(0.5, 2.0, simplest=1.0),
        "weights": Choice(("tied", "untied")),
    },
    plans={
        "quick": Plan(_VANILLA_QUICK, (100, 200, 400), pilot=16, most=96, block=16),
        "reference": Plan(_VANILLA_ALL, (200, 400, 800), pilot=32, most=256, block=16),
        "deep": Plan(_VANILLA_ALL, (400, 800, 1600), pilot=32, most=512, block=16),
    },
    predict=two_time_of_weights,
    simulate=simulate_two_time,
    rows=two_time_rows,
    derivation=derivation,
    margin=0.12,
    scale=_largest,
    quantity="covariance of the last two times; variance",
    observable="N^-1 h_t.h_(t-1) and N^-1 |h_t|^2",
    counterfactuals=(
        Counterfactual(
            "the other weights", "tied theory for untied weights, and the reverse", _other_weights
        ),
    ),
)
CLAIMS = (GATED, TIED)
