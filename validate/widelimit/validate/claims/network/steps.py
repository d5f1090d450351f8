"""What the first step of training changes, against width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Interval
from widelimit.validate.harness.declare import at_size, declare, table, wrong
from widelimit.validate.simulate.network import steps as simulate

if TYPE_CHECKING:
    from widelimit.theory.calculus.derivation import Derivation


def _derive(inputs: Mapping[str, Any]) -> Derivation:
    from widelimit.theory.network import derive_first_step

    return derive_first_step()


_STANDARD = {"sgd": (0.5, 1.0), "adam": (1.0, 1.5)}  # powers of hidden units and of the output


def _standard(parametrisation: str) -> bool:
    return parametrisation == "standard"


def _swapped(optimiser: str) -> np.ndarray:
    return np.array(_STANDARD["sgd" if optimiser == "adam" else "adam"])


def _without(parametrisation: str, optimiser: str) -> np.ndarray:
    """Powers under one rate for all layers where there are several, and the other way round."""
    return np.zeros(2) if parametrisation == "standard" else np.array(_STANDARD[optimiser])


MU_P = declare(
    "network.mu-p",
    title="How the first step moves with the width",
    statement="One step moves hidden units like N^(1/2) and the output like N under gradient descent, like N and "
    "N^(3/2) under Adam, in the standard parametrisation; under mu-P neither moves with the width.",
    paper="arXiv:2203.03466 (appendix F, coordinate check); powers and what is left of the width: new",
    domain={
        "activation": Choice(("tanh", "erf_s")),
        "sigma_w": Interval(0.8, 2.0, simplest=1.0),
        "parametrisation": Choice(("standard", "mu-p")),
        "optimiser": Choice(("sgd", "adam")),
    },
    solver="network.first_step",
    rows={"hidden": "hidden_exponent", "output": "output_exponent"},
    finite=at_size({"hidden": "hidden_slope", "output": "output_slope"}, width=lambda size: size),
    simulate=simulate.powers,
    points=table(
        "activation sigma_w parametrisation optimiser",
        [("tanh", 1.5, "standard", "sgd"), ("tanh", 1.0, "standard", "adam"), ("tanh", 1.0, "mu-p", "sgd")],
        [("erf_s", 1.2, "mu-p", "adam")],
    ),
    sizes=(100, 200, 400),
    exponent=0.5,  # Adam's output by its own weights is a root of the width behind the rest
    within=0.05,
    scale=1.0,
    noise=2.2,
    derivation=_derive,
    quantity="power of the width",
    observable="log2 of the ratio of changes at 2 N and at N, drawn networks of two hidden layers, one input",
    wrong=(
        wrong("swapped", "the powers of the other optimiser", _swapped, only=_standard),
        wrong("the other parametrisation", "rates of one mistaken for the other's", _without),
        wrong(
            "own weights of the output alone",
            "Adam's output moves like N, as its own weights move it",
            lambda: np.array([1.0, 1.0]),
            only=lambda parametrisation, optimiser: (parametrisation, optimiser) == ("standard", "adam"),
        ),
    ),
)
CLAIMS = (MU_P,)
