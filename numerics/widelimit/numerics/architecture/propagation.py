"""NNGP and tangent kernels of any `Architecture` on data, layer by layer on arrays.

`kernels(architecture, x1, x2)` is the entry. Between layers travels a `State`: both kernels over (input,
position) pairs,
the variances and the means of units. Two layouts of positions:

diagonal   (P, n1, n2): only covariances of equal positions, all that `Flatten` needs
full       (1, n1 P, n2 P): covariances of all pairs of positions, where something pools over positions
"""

from __future__ import annotations

from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.architecture import joining, normalising, positions, tokens, units
from widelimit.numerics.architecture.rules import apply_graph, settled
from widelimit.numerics.architecture.state import State, numeric, sampled, start
from widelimit.numerics.kernel import Kernels
from widelimit.theory import architecture as theory
from widelimit.theory.errors import ArgumentError, DomainError

__all__ = ["State", "kernels"]

RULES_OF = (units, positions, normalising, joining, tokens)  # each registers its kinds of layers


def kernels(architecture: theory.Architecture, x1: Any, x2: Any = None) -> Kernels:
    """NNGP and tangent kernel of `architecture` per output, (n1, n2); see ``theory.architecture.recursion``.

    Inputs are (n, features), (n, channels, length), (n, channels, height, width) for convolutions, as in torch, or
    (n, time, features) where the first layer is recurrent; three dimensions of positions are read as two are. x2=None
    stands for x1. The tangent kernel is that of
    standard-normal parameters; those that the architecture calls frozen have no part in it.

    Activations behind sums with units that are not Gaussian (residual networks of the first kind), maxima over
    positions and attention are computed by samples of units or logits: `method` says so, and `error` counts two
    standard errors of them in.

    Raises `ArgumentError` for inputs that do not fit the first layer, `DomainError`, naming the layer, where the
    infinite-width rule does not hold.

    >>> from widelimit.theory.architecture import mlp
    >>> nngp, ntk = kernels(mlp("relu", sigma_w=2**0.5, depth=1), [[1.0, 0.0], [0.0, 1.0]])
    >>> ntk.round(6).tolist()
    [[2.0, 0.31831], [0.31831, 2.0]]

    What ``theory.architecture.recursion`` writes is what is computed: two layers of weights and a shortcut.

    >>> from widelimit.theory.architecture import Architecture, Dense, Residual, recursion
    >>> linear = Architecture((Dense(2.0), Residual((Dense(3.0),))))
    >>> written = {}
    >>> for rule in recursion(linear):
    ...     written[rule.nngp.lhs] = rule.nngp.rhs.subs(written)
    >>> print(rule.nngp.lhs, written[rule.nngp.lhs], kernels(linear, [[0.5]]).nngp)
    K_3(a, b) 40*K_0(a, b) [[10.]]
    """
    architecture = numeric(architecture)
    samples = sampled(architecture) or any(isinstance(one, theory.Attention) for one in architecture.walk())
    if x2 is not None and (samples or any(layer.averages_positions for layer in architecture.walk())):
        return _slice_of_all(architecture, x1, x2)  # variances behind pooling need each set's own kernel
    state = start(architecture, x1, x2)
    state = settled(apply_graph(architecture, state))
    if state.positions:
        raise DomainError(
            f"The network ends with positions {state.positions}: add Flatten or GlobalAveragePool and a dense layer."
        )
    return Kernels(
        state.k[0], state.theta[0], "composition, samples" if samples else "composition", state.error
    )


def _slice_of_all(architecture: theory.Architecture, x1: Any, x2: Any) -> Kernels:
    a, b = arguments.finite("x1", x1), arguments.finite("x2", x2)
    if a.shape[1:] != b.shape[1:]:
        raise ArgumentError(
            "x2", f"must have inputs of the shape of `x1`, {a.shape[1:]}", but=f"has {b.shape[1:]}"
        )
    both = kernels(architecture, np.concatenate([a, b]))
    n1 = len(a)
    return Kernels(both.nngp[:n1, n1:], both.ntk[:n1, n1:], both.method, both.error)
