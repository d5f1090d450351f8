"""Recurrent networks as falsifiable claims (arXiv:1806.05394)."""

from __future__ import annotations

from widelimit.validate.harness.claim import Choice, Integers, Interval
from widelimit.validate.harness.declare import altered, declare, instead, largest, table, wrong
from widelimit.validate.simulate import recurrence as simulate

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
CLAIMS = (GATED, TIED)
