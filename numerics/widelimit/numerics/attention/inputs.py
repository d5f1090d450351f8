"""Tokens of words and positions, what averaging alone does to them, and stacks whose layers are copies."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.attention.blocks import scale
from widelimit.numerics.attention.requests import logit_variance
from widelimit.numerics.attention.shares import COLDEST, at, token_correlation, whole
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.kernel.layers import Block as Entries
from widelimit.numerics.kernel.maps import pair_map
from widelimit.numerics.results import by_value
from widelimit.theory import attention as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError

_SUMMED = 1000  # words, below which frequencies are summed
_LARGEST = 1e200


@by_value
@dataclass(frozen=True)
class Collapse:
    """`distance`: 1 - rho' behind attention without skip; `leading`: what it is for nearly equal tokens."""

    distance: float
    leading: float


def embedding(ids: Any, *, sigma_e: Any, sigma_p: Any = 0.0) -> np.ndarray:
    """Return the Gram matrix of embedded words with positions: C_ij = sigma_e^2 [id_i = id_j] + sigma_p^2 [i = j].

    Args:
        ids: the words, integers, (T,).
        sigma_e: standard deviation of the components of embeddings (torch: 1).
        sigma_p: that of positions.

    Raises `ArgumentError` for ids that are no list of integers, or negative deviations.

    >>> embedding([5, 7, 5], sigma_e=1.0, sigma_p=0.5)
    array([[1.25, 0.  , 1.  ],
           [0.  , 1.25, 0.  ],
           [1.  , 0.  , 1.25]])
    """
    words = arguments.vector("ids", ids)
    if (words != np.floor(words)).any():
        raise ArgumentError("ids", "must be integers", float(words[words != np.floor(words)][0]))
    costs.affordable("ids", words.size, memory=48.0, power=2, each="token")
    same = (words[:, None] == words).astype(float)
    return np.asarray(
        _embedded()(scale("sigma_e", sigma_e), scale("sigma_p", sigma_p), same, np.eye(words.size))
    )


def zipf(vocabulary: Any) -> Any:
    """Return how often two words of a text are the same if the v-th word has a frequency of ~ 1/v: sum_v f_v^2.

    The mean correlation of tokens is sigma_e^2/(sigma_e^2 + sigma_p^2) times it. About (pi^2/6)/(log V + gamma)^2.

    Args:
        vocabulary: V, integers of 1 or more; arrays broadcast.

    >>> round(zipf(50257), 9)
    0.01265235
    """
    words = whole("vocabulary", vocabulary, 1)
    found = np.asarray(_zipf()(np.maximum(words, 1.0)), dtype=float)
    flat = found.reshape(-1).copy()
    for k, count in enumerate(words.reshape(-1)):
        if count < _SUMMED:
            share = 1 / np.arange(1, int(count) + 1)
            flat[k] = float((share**2).sum() / share.sum() ** 2)
    return arguments.scalar(flat.reshape(words.shape))


def collapse(*, correlation: Any, tokens: Any, sigma_qk: Any, q: Any = 1.0) -> Collapse:
    """Return how far apart two tokens are behind attention without skip, 1 - rho' (dong2021attention; constant new).

    (1 - rho)(S_2 - S_rho)/(rho + (1 - rho) S_2), which tends to (sigma_qk q)^2 (T - 1)/T^2 (1 - rho)^3.

    Args:
        correlation: rho of two of the tokens, from 0 to 1.
        tokens: T, 2 or more.
        sigma_qk: scale of logits.
        q: mean square of the tokens' components.

    >>> found = collapse(correlation=0.99, tokens=16, sigma_qk=1.0)
    >>> round(found.distance / found.leading, 6)
    1.016981
    """
    rho = arguments.number_within("correlation", correlation, 0.0, 1.0)
    count = int(arguments.single("tokens", whole("tokens", tokens, 2)))
    beta = scale("sigma_qk", sigma_qk)
    length = float(arguments.near_one("q", np.asarray(arguments.positive_number("q", q))))
    std = math.sqrt(float(logit_variance(beta, length, length * rho)))
    if std > COLDEST:
        raise ArgumentError("sigma_qk", f"must keep logits below {COLDEST:g}", but=f"gives {std:.3g}")
    within, _, _, _, _, gap = at(std, count, rho)
    distance, leading = _collapse()(beta, length, count, 1 - rho, gap, within)
    return Collapse(distance, leading)


def averaging(*, tokens: Any, layers: Any, rho0: Any, sigma_vo: Any, weight: Any, q0: Any = 1.0) -> float:
    """Return the correlation of tokens behind layers x + weight * attention(x) of even weights, without norms.

    q - p stays, p_L = p_0 + m_0 [(1 + weight^2 sigma_vo^2)^L - 1], m_0 the mean of the Gram matrix: a weight of
    1/sqrt L keeps tokens apart at any depth (noci2022signal).

    >>> round(averaging(tokens=8, layers=20, rho0=0.2, sigma_vo=1.0, weight=20**-0.5), 6)
    0.465237
    """
    t = int(arguments.single("tokens", whole("tokens", tokens, 2)))
    count = arguments.count("layers", layers, 0)
    rho = token_correlation("rho0", rho0, t)
    q = float(arguments.near_one("q0", np.asarray(arguments.positive_number("q0", q0))))
    vo, alpha = scale("sigma_vo", sigma_vo), scale("weight", weight)
    p, mean = q * rho, q * rho + q * (1 - rho) / t
    growth = min(count, 10**15) * math.log1p((vo * alpha) ** 2)
    if growth > math.log(_LARGEST):
        return 1.0 if mean > 0 else rho
    after = _growth()(alpha, vo**2, min(count, 10**15), p, mean)
    return float(after / (after + q - p))


def copied(activation: Any, *, sigma_1: Any, sigma_2: Any, layers: Any, q0: Any = 1.0) -> np.ndarray:
    """Return the mean square of the stream behind 0 .. L Pre-LN layers x + W_2 phi(W_1 x/|x|) that are copies of one.

    ``torch.nn.TransformerEncoder`` copies its layer, so that all start equal. What layers add is then correlated,
    b_i . b_k = sigma_2^2 T_phi at the correlation of the stream at depths i and k; lengths grow as the square of depth.

    Args:
        activation: a catalogue name or an expression in x.
        sigma_1, sigma_2: scales of the two weight matrices.
        layers: L.
        q0: mean square of the input's components.

    >>> [round(float(q), 2) for q in copied("relu", sigma_1=1.0, sigma_2=1.0, layers=16)[[0, 1, 16]]]
    [1.0, 1.5, 109.97]
    """
    phi = Activation.of(activation)
    one, two = scale("sigma_1", sigma_1), scale("sigma_2", sigma_2)
    count = costs.affordable("layers", arguments.count("layers", layers), memory=16.0, seconds=2e-5, power=2)
    start = float(arguments.near_one("q0", np.asarray(arguments.positive_number("q0", q0))))
    gram = np.full((count + 1, count + 1), start)  # of the stream at two depths
    added = np.zeros((count, count))
    inner = max(one**2, 1e-100)
    for layer in range(count):
        past = slice(layer + 1)
        rho = gram[layer, past] / np.sqrt(gram[layer, layer] * np.diag(gram)[past])
        rho[-1] = 1.0
        dual = inner * np.minimum(rho, 1.0)[None]
        pair_map(phi).at(np.full(1, inner), np.full(layer + 1, inner)).advance(
            Entries(dual, np.ones_like(dual))
        )
        added[layer, past] = added[past, layer] = _plain()(two, dual[0])
        sums = added[:, past][past].cumsum(1)
        after = gram[layer + 1]
        after[1 : layer + 2] = start + sums.sum(0)
        gram[: layer + 2, layer + 1] = after[: layer + 2]
        if not after[layer + 1] < _LARGEST:
            raise ArgumentError(
                "layers", f"must be at most {layer} here", count, "Lengths leave the range of floats."
            )
    return np.diag(gram).copy()


@functools.cache
def _embedded() -> Compiled:
    t = theory
    return compile(t.embedded(), (t.SIGMA_E, t.SIGMA_P, t.SAME, t.HERE), name="embedded")


@functools.cache
def _zipf() -> Compiled:
    return compile(theory.zipf_overlap(), (theory.VOCABULARY,), name="zipf")


@functools.cache
def _collapse() -> Compiled:
    t = theory
    names = (t.BETA, t.Q, t.TOKENS, t.DISTANCE, t.GAP, t.S2)
    return compile((t.next_distance(), t.cubic_collapse()), names, name="collapse")


@functools.cache
def _growth() -> Compiled:
    t = theory
    return compile(t.uniform_growth(), (t.ALPHA, t.LENGTH_A, t.BLOCKS, t.START, t.START_MEAN), name="growth")


@functools.cache
def _plain() -> Compiled:
    return compile(theory.mlp_covariance(), (theory.SIGMA_2, theory.DUAL), name="mlp_covariance")
