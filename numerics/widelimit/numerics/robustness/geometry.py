"""Information geometry of a classifier's inputs: what a small shift of the logits changes of the probabilities."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import robustness as theory
from widelimit.theory.errors import ArgumentError


def divergence(probabilities: Any, shift: Any) -> Any:
    """Return KL(p || p') in nats, to second order in a shift of the logits: half of the shift's variance under p.

    With a shift J delta, J the Jacobian of the logits, it is delta' F delta / 2 with the input Fisher matrix F = J'
    (diag p - p p') J, whose rank is at most the number of classes less one.

    Args:
        probabilities: p, (..., classes), not negative, of sum 1.
        shift: of the logits, (..., classes).

    Raises `ArgumentError` for probabilities that are none, or shapes that do not fit.

    >>> round(divergence([0.5, 0.3, 0.2], [0.1, -0.2, 0.15]), 12)
    0.01055
    """
    p, a = arguments.non_negative("probabilities", probabilities), arguments.real("shift", shift)
    for name, one in (("probabilities", p), ("shift", a)):
        if one.ndim == 0 or one.shape[-1] < 2:
            raise ArgumentError(name, "must have two classes or more", but=f"has shape {one.shape}")
    if not np.allclose(p.sum(-1), 1, rtol=0, atol=1e-6):
        raise ArgumentError(
            "probabilities", "must sum to 1", but="do not", help="Pass softmax of the logits."
        )
    p, a = arguments.broadcast(probabilities=p, shift=a)
    arguments.squared("shift", np.abs(a).max())
    p = p / p.sum(-1, keepdims=True)
    a = a - (p * a).sum(
        -1, keepdims=True
    )  # a constant shift changes nothing; without it squares do not cancel
    mean, square = (np.asarray((p * a**k).sum(-1)) for k in (1, 2))
    return arguments.scalar(np.maximum(np.asarray(_divergence()(mean, square)), 0.0))


@functools.cache
def _divergence() -> Compiled:
    return compile(theory.divergence(), (theory.SHIFT_MEAN, theory.SHIFT_SQUARE), name="divergence")
