"""Trained recurrent networks, and correlations of trajectories that chance gives (arXiv:1907.08549, 1906.10720)."""

from __future__ import annotations

from typing import Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Interval, Plan, Preset
from widelimit.validate.harness.declare import declare, row, table, wrong
from widelimit.validate.simulate.dynamics import alike, contexts, signals, trained

_LONG = 8000  # samples in which the null has its limit at fixed ratios of signals to samples


def _null(factor: float) -> float:
    from widelimit.numerics.dynamics import cca_null

    return cca_null(_LONG, _LONG // 20, 3 * _LONG // 40, autocorrelation=lambda lag: factor**lag).mean_square


def _counted(factor: float) -> float:
    """Wachter's law in as many samples as are independent, (sum b)^2 / sum b^2 of n."""
    return min(1.0, 0.075 * (1 + factor**2) / (1 - factor**2))


NULL = declare(
    "dynamics.cca-null",
    title="Canonical correlations that chance gives smooth signals",
    statement="Independent signals of one autocorrelation have E r^2 = sum pi_k(p) pi_k(q) / p, "
    "pi_k = b_k/(b_k + kappa).",
    paper="arXiv:1907.08549 compares trajectories by r; the null is new",
    domain={"factor": Interval(0.0, 0.98, simplest=0.9)},
    rows=_null,
    simulate=signals.chance,
    points=table("factor", [0.9], [0.0, 0.5, 0.98]),
    sizes=(10, 20, 40),
    within=0.03,
    noise=0.11,
    size_name="signals p",
    quantity="mean squared canonical correlation",
    observable="p and 3p/2 AR(1) signals in 20 p samples",
    wrong=(
        wrong("white null", "q/n, as permutations of the samples say", lambda: 0.075),
        wrong("effective samples", "q over the number of independent samples", _counted),
    ),
)
_TRAINED: dict[str, Any] = {
    "rows": 0.9,
    "compare": "at least",
    "scale": 1.0,
    "within": 0.1,
    "derivation": None,
    "quantity": "share of the solved networks",
}


def _architectures(*kinds: str) -> dict[str, Any]:
    """Domain and plans: an architecture is a point, two batches of networks its replicates."""
    points = tuple({"architecture": kind} for kind in kinds)
    plans: dict[Preset, Plan] = {
        "reference": Plan(points, (), pilot=2, most=2, block=1),
        "deep": Plan(points, (), pilot=2, most=6, block=2),
    }
    return {"domain": {"architecture": Choice(kinds)}, "plans": plans}


FLIP_FLOP = declare(
    "dynamics.flip-flop",
    title="Two bits are held by four sinks",
    statement="At least nine in ten networks that solve the two-bit flip-flop rest at four states, one a corner.",
    paper="arXiv:1907.08549, section 3; Sussillo and Barak 2013",
    simulate=trained.flip_flops,
    observable="8 networks of 16 units a replicate, 500 steps of Adam; solved: loss below 0.05",
    notes="Empirical. The threshold was fixed before any network was analysed. After 300 steps three GRUs in "
    "sixteen were not yet at rest at four corners.",
    wrong=wrong("another number", "no network has one sink a corner", lambda: -0.5),
    **_architectures("rnn", "gru", "lstm"),
    **_TRAINED,
)
LINE = declare(
    "dynamics.line-attractor",
    title="Sums are kept along one line",
    statement="At least nine in ten gated networks that add up words forget in all directions but one, "
    "and keep the sum.",
    paper="arXiv:1906.10720, section 4",
    simulate=trained.lines,
    observable="8 networks of 16 units a replicate, 400 steps of Adam; solved: loss below 0.004",
    notes="Empirical; of gated cells. Of eight vanilla networks trained as long two kept sums so: they drift.",
    wrong=wrong("no line", "no network keeps a sum along one direction", lambda: -0.5),
    **_architectures("gru", "lstm"),
    **_TRAINED,
)
SINE = declare(
    "dynamics.sine",
    title="Sines are drawn by cycles around an unstable focus",
    statement="At least seven in ten networks that draw sines of a rate that they are told turn on a cycle of that "
    "rate, around a fixed point whose leading eigenvalues oscillate and grow.",
    paper="arXiv:1907.08549, section 4",
    simulate=trained.sines,
    observable="8 networks of 16 units a replicate, 500 steps of Adam; solved: loss below 0.05",
    notes="Empirical. The frequency of the linearisation itself is 10 to 50 % above that of the cycle: it is not "
    "within 10 % of it in most networks.",
    wrong=wrong("no oscillation", "leading eigenvalues that are real", lambda: -0.5),
    **_architectures("rnn", "gru"),
    **{**_TRAINED, "rows": 0.7},
)
UNIVERSAL = declare(
    "dynamics.universality",
    title="One graph, different trajectories",
    statement="Networks of three architectures that hold two bits have one graph of states and pulses, while "
    "trajectories of one architecture are more alike than those of two: their mean r^2 is at least .04 higher.",
    paper="arXiv:1907.08549, section 5",
    domain={"bits": Choice((2,))},
    rows={"share with the commonest graph": 0.9, "r^2 within an architecture less r^2 across": 0.04},
    compare="at least",
    scale=1.0,
    within=0.02,
    derivation=None,
    simulate=alike.universal,
    plans={
        "reference": Plan(({"bits": 2},), (), pilot=8, most=8, block=1),
        "deep": Plan(({"bits": 2},), (), pilot=8, most=16, block=2),
    },
    quantity="share of the solved networks; difference of means",
    observable="4 networks of 16 units an architecture, 400 steps of Adam; solved: loss below 0.05; 6 components",
    notes="Empirical. The null of chance is the same within and across, as inputs and samples are.",
    wrong=(
        wrong(
            "clusters by seed",
            "an architecture makes no difference",
            lambda: np.array([0.9, 0.0]),
            beyond=1.0,
        ),
        wrong("graphs differ", "no two networks have one graph", lambda: np.array([0.1, 0.04])),
    ),
)
_INTEGRATORS = tuple({"architecture": kind} for kind in ("gru", "lstm", "rnn"))


def _shares(architecture: str, selects: float, moved: float, lines: float) -> np.ndarray:
    return np.array([selects, moved, lines][: 2 if architecture == "rnn" else 3])


CONTEXT = declare(
    "dynamics.context",
    title="A line for each context, and a left vector that selects",
    statement="At least nine in ten networks that add up one of two signals, by context, move with both signals, but "
    "keep what the left vector of their slowest mode overlaps with: the signal that is asked for, three times as much "
    "as the other. Gated ones keep it along one line a context.",
    paper="arXiv:1907.08549, section 5; the mechanism: 10.1038/nature12742",
    domain={"architecture": Choice(("gru", "lstm", "rnn"))},
    rows={
        "share that selects": 0.9,
        "share that both move": 0.9,
        "share with two lines": row(0.9, only=lambda architecture: architecture != "rnn"),
    },
    compare="at least",
    scale=1.0,
    within=0.1,
    derivation=None,
    simulate=contexts.integrators,
    plans={
        "reference": Plan(_INTEGRATORS, (), pilot=3, most=3, block=1),
        "deep": Plan(_INTEGRATORS, (), pilot=3, most=6, block=3),
    },
    quantity="share of the solved networks",
    observable="8 networks of 16 units a replicate, 500 steps of Adam; solved: loss below 0.006",
    notes="Empirical. Thresholds were fixed on other networks. Vanilla networks select, too, but their slowest mode "
    "fades within a trial of 25 steps in most cases.",
    wrong=(
        wrong(
            "no selection",
            "both signals overlap alike",
            lambda architecture: _shares(architecture, 0, 0.9, 0.9),
        ),
        wrong(
            "closed inputs",
            "the other signal moves no network",
            lambda architecture: _shares(architecture, 0.9, 0, 0.9),
        ),
        wrong(
            "one line",
            "sums of both contexts are kept in the same states",
            lambda architecture: _shares(architecture, 0.9, 0.9, 0),
        ),
    ),
)
CLAIMS = (NULL, FLIP_FLOP, LINE, SINE, UNIVERSAL, CONTEXT)
