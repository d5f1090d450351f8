"""Layers whose positions are tokens: softmax attention of many heads, by samples of its logits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from widelimit.numerics.architecture.rules import Place, rule
from widelimit.numerics.architecture.sampling import BATCHES, error_of, root
from widelimit.numerics.architecture.state import State
from widelimit.numerics.attention.layers import contracted
from widelimit.numerics.attention.sampling import softmax
from widelimit.theory import architecture as theory
from widelimit.theory.errors import DomainError

_SAMPLES = (256, 2**14)  # of logits, fewest and most
_PRODUCTS = 2**32  # of triples of positions in samples, above the fewest


@rule(theory.Attention)
def _attention(layer: theory.Attention, s: State, place: Place) -> State:
    """Both kernels behind attention; with logits of zero every token reads the mean of all.

    >>> from widelimit.numerics.architecture import kernels
    >>> net = theory.Architecture((theory.Attention(1e-9), theory.GlobalAveragePool()))
    >>> nngp, ntk = kernels(net, [[[2.0, 0.0], [0.0, 2.0]]])
    >>> nngp.round(6).tolist(), ntk.round(6).tolist()
    ([[1.0]], [[2.0]])
    """
    if len(s.positions) != 1:
        raise DomainError(
            f"{place} needs one dimension of positions, tokens, but the units have {s.positions}."
        )
    inputs, tokens = len(s.q1), s.positions[0]
    k, theta = s.k[0], s.theta[0]
    size = len(k)
    count = int(np.clip(_PRODUCTS // size**3, *_SAMPLES))
    random = np.random.default_rng([len(place.path), *place.path, size])
    half = root(k)
    gain, scale = layer.sigma_vo**2, (layer.sigma_vo * layer.sigma_qk) ** 2
    own = 2.0 * layer.trained
    after, tangent = [], []
    for _ in range(BATCHES):
        total = np.zeros((2, size, size))
        for _ in range(count // BATCHES):
            logits = layer.sigma_qk * (half @ random.standard_normal((size, size)) @ half.T)
            rows = _rows(logits, inputs, tokens, layer.causal)
            seen, queries, keys = (one[0] for one in contracted(rows[None], k, theta))
            total[0] += gain * seen
            total[1] += gain * (own * seen + rows @ theta @ rows.T) + scale * (
                (own * k + theta) * queries + k * keys
            )
        after.append(total[0] / (count // BATCHES))
        tangent.append(total[1] / (count // BATCHES))
    found, other = np.mean(after, axis=0), np.mean(tangent, axis=0)
    q = np.diagonal(found).reshape(inputs, tokens).copy()
    error = max(error_of(after), error_of(tangent))
    return replace(
        s, k=found[None], theta=other[None], q1=q, q2=q.copy(), m1=np.zeros_like(q), m2=np.zeros_like(q), gaussian=True,
        averaged_gain=False, error=s.error + error,
    )  # fmt: skip


def _rows(logits: np.ndarray, inputs: int, tokens: int, causal: bool) -> np.ndarray:
    """Softmax weights of every token over those of its own input, as one matrix over all positions."""
    out = np.zeros_like(logits)
    for first in range(0, inputs * tokens, tokens):
        own = slice(first, first + tokens)
        out[own, own] = softmax(logits[own, own], causal)
    return out
