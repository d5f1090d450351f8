"""The phase of a plain network whose layers may differ: chi_1 layer by layer.

A network of one kind of layer is ordered or chaotic by chi_1 at the fixed point of its length map. Layers that differ
have no such point; the stack of all of them, repeated, has one. Around it the variances q_1, ..., q_L come back to
themselves, each layer has its chi_1 there, and their product says whether a small difference between two inputs
shrinks or grows from one stack to the next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from widelimit.numerics import meanfield
from widelimit.numerics.architecture.compiled import dropped
from widelimit.numerics.architecture.state import numeric
from widelimit.numerics.kernel.maps import moments
from widelimit.numerics.kernel.recursion import next_kernel, pulled
from widelimit.numerics.results import by_value
from widelimit.theory import architecture as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ConvergenceError, DomainError

_LARGEST, _LEAST = 1e14, 1e-14  # variances that stand for infinity and zero
_PASSES = 500
_SAME = 1e-12


@by_value
@dataclass(frozen=True)
class StackPhase:
    """`chi_1` and variance `q` of each hidden layer, (layers,), in the repeated stack; `mean`: geometric, of chi_1.

    `phase`: "ordered" (mean < 1), "chaotic" (mean > 1), "critical" (1 within the tolerance), or else "unbounded" where
    variances grow for ever.
    """

    chi_1: np.ndarray
    q: np.ndarray
    mean: float
    phase: str


@dataclass(frozen=True)
class _Hidden:
    """Weights and the activation behind them; `keep` of the dropout behind that."""

    sw2: float
    sb2: float
    activation: Activation
    keep: float = 1.0


def phase(architecture: theory.Architecture, tolerance: float = meanfield.CRITICAL) -> StackPhase:
    """chi_1 = sigma_w^2 E phi'(u)^2 of each hidden layer, u ~ N(0, q) the units that its weights read, and the phase.

    q_(l+1) = sigma_w^2 E phi(u)^2 / keep + sigma_b^2, l counted around the stack; with layers of one kind this is the
    fixed point of schoenholz2017deep, eqs. (3) and (5). The readout, which no activation follows, has no part in
    it. `tolerance`: how close to 1 the mean of chi_1 has to be to be called critical.

    Raises `DomainError` for networks other than dense or convolution layers with activations, and dropout.

    >>> from widelimit.theory.architecture import mlp
    >>> phase(mlp("relu", sigma_w=1.0, depth=3)).chi_1.tolist()
    [0.5, 0.5, 0.5]
    """
    hidden = _hidden(numeric(architecture))
    if all(layer == hidden[0] for layer in hidden):
        one = hidden[0]
        point = meanfield.solve(
            one.activation, sigma_w=[math.sqrt(one.sw2)], sigma_b=math.sqrt(one.sb2), keep=one.keep
        )
        chi, q = (np.full(len(hidden), float(value[0])) for value in (point.chi_1, point.q_star))
    else:
        q = _around(hidden)
        read = [(hidden[k - 1], float(np.clip(q[k - 1], _LEAST, _LARGEST))) for k in range(len(hidden))]
        chi = np.array(
            [
                pulled(dropped(moments(below.activation, v).p, below.keep), one.sw2)
                for one, (below, v) in zip(hidden, read, strict=True)
            ]
        )
    with np.errstate(divide="ignore"):
        mean = float(np.exp(np.mean(np.log(chi))))
    if abs(mean - 1) <= tolerance:
        name = "critical"
    elif not np.isfinite(q).all():
        name = "unbounded"
    else:
        name = "ordered" if mean < 1 else "chaotic"
    return StackPhase(chi, q, mean, name)


def _hidden(architecture: theory.Architecture) -> list[_Hidden]:
    if architecture.inputs is not None:
        raise DomainError(
            "The phase is that of layers one behind the other; this network is a graph of layers."
        )
    found: list[_Hidden] = []
    weights: theory.Dense | theory.Convolution | None = None
    for layer in architecture:
        if isinstance(layer, theory.Dense | theory.Convolution):
            if weights is not None:
                raise DomainError(
                    "The phase is that of layers with an activation each; two meet without one."
                )
            weights = layer
        elif isinstance(layer, theory.Act) and weights is not None:
            found.append(_Hidden(weights.sigma_w**2, weights.sigma_b**2, layer.activation))
            weights = None
        elif isinstance(layer, theory.Dropout) and found and weights is None:
            last = found[-1]
            found[-1] = _Hidden(last.sw2, last.sb2, last.activation, last.keep * layer.keep)
        elif not isinstance(layer, theory.Flatten | theory.GlobalAveragePool):
            raise DomainError(
                "The phase is known for dense and convolution layers with activations and dropout; this network has "
                f"{type(layer).__name__} in a place where it is not."
            )
    if not found:
        raise DomainError("The network has no hidden layer: it has no phase.")
    return found


def _around(hidden: list[_Hidden]) -> np.ndarray:
    """The variances that come back to themselves when the stack is repeated, from inputs of mean square 1; 0 and
    infinity where they go there.
    """

    def stack(v: float) -> tuple[float, np.ndarray]:
        """From E phi^2 that the first layer reads to what the last one gives."""
        q = []
        for layer in hidden:
            q.append(float(next_kernel(v, layer.sw2, layer.sb2)))
            v = dropped(moments(layer.activation, min(q[-1], _LARGEST)).v, layer.keep)
        return v, np.array(q)

    v = 1.0
    for _ in range(_PASSES):
        once, q = stack(v)
        if q.max() > _LARGEST:
            return np.full(len(hidden), math.inf)
        if abs(once - v) <= _SAME * v:
            return q
        twice, _ = stack(once)
        slope = (twice - once) / (once - v)
        if -1 < slope < 1:
            v += (once - v) / (1 - slope)  # Steffensen
        else:  # led away from where it stands, or around it
            v = 2 * once if once > v and slope >= 1 else once / 2 if slope >= 1 else (once + v) / 2
        if v < _LEAST:
            return stack(0.0)[1]
    raise ConvergenceError(
        f"The variances of the repeated stack do not settle within {_PASSES} passes: it is next to a transition."
    )
