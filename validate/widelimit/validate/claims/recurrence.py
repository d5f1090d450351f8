"""Recurrent networks as falsifiable claims (arXiv:1806.05394, 1807.00053)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Integers, Interval, Plan
from widelimit.validate.harness.declare import altered, declare, instead, largest, table, wrong
from widelimit.validate.simulate import recurrence as simulate
from widelimit.validate.simulate.recurrence import digits

GATED = declare(
    "recurrence.gated",
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
    solver="recurrence.predict",
    rows={"E h^2": "memory", "q": "q_star", "chi_1": "chi_1"},
    simulate=simulate.gated,
    points=table(
        "sigma_w sigma_v input_moment bias_mean",
        [(6.88, 1.39, 0.46, 0.0)],
        [(3.0, 1.0, 1.0, 1.0), (2.0, 2.0, 0.5, -0.5)],
    ),
    sizes=(64, 128, 256),
    within=0.05,
    closer=2.5,
    noise=0.45,
    quantity="statistics of the stationary state",
    observable="averages over time, inputs and units; weights drawn afresh at each step",
    wrong=wrong(
        "no memory in the gradient",
        "E u^2 omitted, as in a published implementation",
        instead(chi_1="chi_1_without_gate"),
    ),
)

_OTHER = {"tied": "untied", "untied": "tied"}
TIED = declare(
    "recurrence.tied",
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
    solver="recurrence.two_time",
    given={"tied": lambda weights: weights == "tied"},
    rows={
        "covariance of successive times": lambda found: found.covariance[-1, -2],
        "variance": lambda found: found.variance[-1],
    },
    simulate=simulate.two_time,
    points=table(
        "activation sigma_w sigma_b steps start weights",
        [("tanh", 1.5, 0.4, 6, 1.0, "tied"), ("tanh", 1.5, 0.4, 6, 1.0, "untied")],
        [("relu", 1.2, 0.5, 4, 1.0, "tied"), ("erf", 2.0, 0.3, 10, 1.0, "untied")],
    ),
    sizes=(100, 200, 400),
    within=0.12,
    target=0.08,
    closer=3.4,
    noise=2.5,
    scale=largest,
    quantity="covariance of the last two times; variance",
    observable="N^-1 h_t.h_(t-1) and N^-1 |h_t|^2",
    wrong=wrong(
        "the other weights",
        "tied theory for untied weights, and the reverse",
        altered(weights=lambda weights: _OTHER[weights]),
        beyond=1.0,
    ),
)


def _bypass(keep: float, sigma_w: float, tied: bool = True) -> Any:
    from widelimit.numerics.recurrence import bypass

    return bypass("tanh", keep=keep, sigma_w=sigma_w, tied=tied)


_STEPS = 12
BYPASS = declare(
    "recurrence.bypass-tied",
    title="A bypass with tied weights",
    statement="With tied weights small states grow by l + (1 - l) sigma_w in the long run, whose edge is sigma_w = 1 "
    "for every l: the mean square after t steps is sum C(t, k)^2 l^(2(t-k)) ((1 - l) sigma_w)^(2k).",
    paper="arXiv:1807.00053, section 2.2; tied weights new",
    domain={"keep": Interval(0.3, 0.9, simplest=0.5), "sigma_w": Interval(0.7, 1.5, simplest=1.0)},
    rows=lambda keep, sigma_w: _bypass(keep, sigma_w).mean_square(_STEPS) ** (0.5 / _STEPS),
    simulate=simulate.bypassed,
    points=table("keep sigma_w", [(0.8, 1.2), (0.5, 0.9)], [(0.9, 1.5)]),
    sizes=(16, 32, 64),
    within=0.02,
    closer=1.1,
    noise=0.2,
    size_name="units",
    quantity="growth of the length per step",
    observable="12 steps of a tanh network from states of size 1e-4",
    wrong=wrong(
        "untied",
        "weights taken as fresh at each step: chi_1 = l^2 + (1 - l)^2 sigma_w^2",
        lambda keep, sigma_w: math.sqrt(_bypass(keep, sigma_w, tied=False).chi_1),
    ),
)
_OTHER_INPUTS = {"constant": "fresh", "fresh": "constant"}
RECIPROCAL = declare(
    "recurrence.reciprocal",
    title="Mean field of the reciprocal gated cell",
    statement="Q = s(v)(R + Q), plus R/2 where the input stays, and chi_1 = s + sigma_w^2 d (Q + R), v = sigma_w^2 Q.",
    paper="arXiv:1807.00053, section 2.3; mean field new",
    domain={
        "sigma_w": Interval(0.5, 4.0, simplest=1.0),
        "input_moment": Interval(0.3, 2.0, simplest=1.0),
        "inputs": Choice(("constant", "fresh")),
    },
    solver="recurrence.reciprocal_gated",
    rows={"E h^2": "q_star", "chi_1": "chi_1"},
    simulate=simulate.reciprocal,
    points=table(
        "sigma_w input_moment inputs", [(1.0, 1.0, "constant")], [(4.0, 1.0, "constant"), (2.0, 0.5, "fresh")]
    ),
    sizes=(16, 32, 64),
    within=0.08,
    closer=4.2,
    noise=0.9,
    size_name="units",
    quantity="mean square of states, growth of mean squares per step",
    observable="24 steps of four inputs, weights drawn afresh at each step",
    wrong=wrong(
        "the other input",
        "an input that stays taken as independent of the states, and the reverse",
        altered(inputs=lambda inputs: _OTHER_INPUTS[inputs]),
    ),
)


def _share_of_input(strength: float, tied: bool = True) -> float:
    from widelimit.numerics.recurrence import reciprocal_gated

    found = reciprocal_gated(sigma_w=np.sqrt([strength]), input_moment=1.0, tied=tied)
    return 1 / float(found.q_star[0])


RUNAWAY = declare(
    "recurrence.runaway",
    title="The reciprocal cell with tied weights runs away",
    statement="A cell with tied weights rests at sigma_w^2 R = v/(s (1 + 2 e^(v/2) + e^(2v))) up to a fold at 0.3136, "
    "and beyond it nowhere, though chi_1 of fresh weights is below 1.",
    paper="arXiv:1807.00053, section 2.3; fold new",
    domain={"strength": Interval(0.02, 2.0, simplest=0.1)},
    rows=_share_of_input,
    simulate=simulate.resting,
    valid=lambda strength: strength < 0.12 or strength > 1.0,
    points=table("strength", [0.07, 1.5], [0.04, 1.1]),
    sizes=(40, 80, 160),
    exponent=0.5,
    within=0.1,
    noise=0.6,
    scale=1.0,
    size_name="units",
    quantity="R/E h^2 at rest, 0 where nothing rests",
    observable="200 steps of one input",
    notes="Gates that are nearly shut amplify by 1/u, whose tail is heavy: of networks of 100 units some run away from "
    "half of the critical strength on.",
    wrong=wrong(
        "untied", "weights taken as fresh at each step", lambda strength: _share_of_input(strength, False)
    ),
)
_DEPTHS = ({"steps": 4}, {"steps": 12})
DEEP = declare(
    "recurrence.deep-in-time",
    title="Gates and a bypass inside a convolutional network",
    statement="At least seven in ten small convolutional networks with a reciprocal gated cell read digits better than "
    "those with a vanilla cell, with an LSTM, or without a cell, of equal parameters.",
    paper="arXiv:1807.00053, section 3",
    domain={"steps": Choice((4, 12))},
    rows={"over vanilla": 0.7, "over LSTM": 0.7, "over feedforward": 0.7},
    compare="at least",
    simulate=digits.better,
    plans={
        "reference": Plan(_DEPTHS, (), pilot=5, most=5, block=1),
        "deep": Plan(_DEPTHS, (), pilot=5, most=15, block=5),
    },
    within=0.1,
    scale=1.0,
    derivation=None,
    quantity="share of pairs of networks",
    observable="4 networks of a kind a replicate, 2,474 to 2,746 weights, 300 steps of Adam on 1,200 images",
    notes="Empirical. Rates of learning and the form of the gated cell that learned best (elu, factor 2 sigmoid) were "
    "chosen on other networks. Found: after 12 steps gated cells win, after 4 steps vanilla ones read better: "
    ".94 against .89 at the best rate of either, .77 against .71 at a third of it, .97 against .95 after 900 updates; "
    "at three times that rate both are unsteady.",
    wrong=(
        wrong("equal accuracy", "cells make no difference", lambda: np.full(3, 0.5), beyond=1.0),
        wrong(
            "as good without a cell",
            "a feedforward network is as good",
            lambda: np.array([0.7, 0.7, 0.5]),
            beyond=1.0,
        ),
    ),
)
CLAIMS = (GATED, TIED, BYPASS, RECIPROCAL, RUNAWAY, DEEP)
