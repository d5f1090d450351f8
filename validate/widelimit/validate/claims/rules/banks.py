"""Empirical claims: what recordings of networks tell about the rule that trained them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Integers, Plan, Preset
from widelimit.validate.harness.declare import declare, row, wrong

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

PAPER = "arXiv:2010.11765"


def _drawn(name: str, *arguments: Any) -> np.ndarray:
    """Ask a simulation, whose room imports torch, when it is needed."""
    found: np.ndarray = getattr(import_module("widelimit.validate.simulate.rules.banks"), name)(*arguments)
    return found


def _permutation(inputs: Mapping[str, Any], size: int, seed: int, backend: Backend) -> np.ndarray:
    return _drawn("permutation", inputs, size, seed, backend)


def _ahead(inputs: Mapping[str, Any], size: int, seed: int, backend: Backend) -> np.ndarray:
    return _drawn("ahead", inputs, size, seed, backend)


def _other_width(inputs: Mapping[str, Any], size: int, seed: int, backend: Backend) -> np.ndarray:
    return _drawn("other_width", inputs, size, seed, backend)


def _lost_to_noise(inputs: Mapping[str, Any], size: int, seed: int, backend: Backend) -> np.ndarray:
    return _drawn("lost_to_noise", inputs, size, seed, backend)


def _plans(point: Mapping[str, Any], pilot: int = 4, most: int = 8) -> dict[Preset, Plan]:
    """Networks take seconds to train: no quick look."""
    return {
        "reference": Plan((point,), (), pilot=pilot, most=most, block=2),
        "deep": Plan((point,), (), pilot=2 * pilot, most=4 * most, block=4),
    }


_BANK: dict[str, Any] = {
    "scale": 1.0,
    "derivation": None,
    "observable": "networks 64-50-50-10 on digits, 160 steps, rates over a decade, six snapshots; each left out once",
}

IDENTIFIABLE = declare(
    "rules.identifiable",
    title="Rules can be told from what is recorded",
    statement="Weights, activations and their changes tell four rules apart better than chance (permutation test).",
    paper=f"{PAPER}, figure 2 (there 1,056 networks)",
    domain={"networks": Integers(10, 80)},
    rows={"weights": row(0.0), "activations": row(0.0), "changes": row(0.0)},
    simulate=_permutation,
    plans=_plans({"networks": 20}),
    within=0.05,
    quantity="share of 400 permutations that are told as well",
    **_BANK,
    wrong=wrong(
        "labels shuffled", "rules leave no trace: shares are uniform", lambda: np.array([0.5, 0.5, 0.5])
    ),
)
AHEAD = declare(
    "rules.activity-over-weights",
    title="Activations of ten units tell more than their weights",
    statement="Of ten recorded units a layer, activations tell rules apart better than the weights between the units.",
    paper=f"{PAPER}, figure 5",
    domain={"networks": Integers(10, 80), "units": Integers(5, 20)},
    rows=0.03,
    compare="at least",
    simulate=_ahead,
    plans=_plans({"networks": 30, "units": 10}, most=10),
    within=0.03,
    quantity="accuracy by activations less that by weights",
    **_BANK,
    wrong=wrong("far ahead", "by forty points, as if weights were at chance", lambda: 0.4),
    notes="One-sided. The floor less the margin is 0: agreement rejects that both are equal. Not extrapolated in the "
    "number of networks: by its root, from 20, 40 and 80 a rule, that sharp, about twenty times the training.",
)
WIDTHS = declare(
    "rules.held-out-width",
    title="Rules are told across widths",
    statement="Learnt from networks of two widths, rules are told with an accuracy above 0.4 at twice the wider one.",
    paper=f"{PAPER}, section 4 (there architectures)",
    domain={"width": Choice((25, 50))},
    rows=0.4,
    compare="at least",
    simulate=_other_width,
    plans=_plans({"width": 25}, pilot=3, most=6),
    within=0.05,
    quantity="accuracy by activations on the widest networks",
    **_BANK,
    wrong=wrong("nothing lost", "as if widths did not matter, at 98 in 100", lambda: 0.98),
)
NOISE = declare(
    "rules.noise-robustness",
    title="Activations lose less to noise than weights",
    statement="Noise as large as the signal costs accuracy by activations no more than accuracy by weights.",
    paper=f"{PAPER}, figure 5",
    domain={"networks": Integers(10, 80)},
    rows=0.0,
    compare="at least",
    simulate=_lost_to_noise,
    plans=_plans({"networks": 20}, most=10),
    within=0.03,
    quantity="accuracy lost by weights less that lost by activations",
    **_BANK,
    wrong=wrong("weights at chance", "weights lose forty points more", lambda: 0.4),
    notes="Empirical; a pilot at this scale has activations lose more, so that disagreement is expected and a finding: "
    "the paper's networks are residual and convolutional, its units many more.",
)  # fmt: skip
CLAIMS = (IDENTIFIABLE, AHEAD, WIDTHS, NOISE)
