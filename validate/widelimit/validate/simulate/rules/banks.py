"""How well recordings of drawn networks tell the rules apart that trained them; a bank of networks a replicate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.rules.banks import Bank, observed
from widelimit.validate.rules.telling import left_out, transferred

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

Inputs = Mapping[str, Any]
View = tuple[int | None, float]
MEASURES = ("weight", "act", "change")
_WIDTH, _STEPS, _SNAPSHOTS = 50, 160, 6
_PERMUTED = 400


def _seen(inputs: Inputs, views: list[View], seed: int, backend: Backend, width: int = _WIDTH) -> list[Bank]:
    each = int(inputs["networks"])
    return observed(each, (width,), _STEPS, views, seed % 2**31, backend, _SNAPSHOTS, ("raw",))


def _told(bank: Bank, measure: str, permuted: int = 0) -> np.ndarray:
    """Accuracy on networks left out, by one observable; behind it those of permuted labels."""
    one = bank.measured(measure)
    return left_out(one.values.reshape(len(one.values), -1), np.array(one.rules), permuted)


def permutation(inputs: Inputs, size: int, seed: int, backend: Backend) -> np.ndarray:
    """For each observable the share of permutations of the labels that are told as well as the rules are."""
    (bank,) = _seen(inputs, [(None, 0.0)], seed, backend)
    found = [_told(bank, measure, _PERMUTED) for measure in MEASURES]
    return np.array([float((1 + (one[1:] >= one[0]).sum()) / len(one)) for one in found])


def ahead(inputs: Inputs, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Accuracy by activations less that by weights, of a few recorded units."""
    (bank,) = _seen(inputs, [(int(inputs["units"]), 0.0)], seed, backend)
    return np.array([_told(bank, "act")[0] - _told(bank, "weight")[0]])


def other_width(inputs: Inputs, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Accuracy by activations on networks of twice the width of the wider ones that were learnt from."""
    width = int(inputs["width"])
    parts = [
        _seen({"networks": count}, [(None, 0.0)], seed + k, backend, wide)[0].measured("act")
        for k, (count, wide) in enumerate(((12, width), (12, 2 * width), (8, 4 * width)))
    ]
    rows = [one.values.reshape(len(one.values), -1) for one in parts]
    learnt, rules = np.concatenate(rows[:2]), np.array(parts[0].rules + parts[1].rules)
    return np.array([transferred(learnt, rules, rows[2], np.array(parts[2].rules))])


def lost_to_noise(inputs: Inputs, size: int, seed: int, backend: Backend) -> np.ndarray:
    """What accuracy by weights loses to noise of their own size, less what accuracy by activations does."""
    clean, noisy = _seen(inputs, [(None, 0.0), (None, 1.0)], seed, backend)
    weights, activations = (_told(clean, name)[0] - _told(noisy, name)[0] for name in ("weight", "act"))
    return np.array([weights - activations])
