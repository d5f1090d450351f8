"""Gradient growth by batch normalisation."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import batchnorm as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, DomainError


@by_value
@dataclass(frozen=True)
class BatchNorm:
    """`factor`: growth of the mean square gradient per layer; `batch`: the batch size it is for (None: infinite).

    `explosion`: the factor to the power of `depth`, inf beyond the range of floats. `length_growth`: growth per layer
    of a relative deviation in the length of one input; `stable`: whether it is at most 1, so that the batch stays at
    the symmetric fixed point that the factor is for. `variance`: Var phi, what the next normalisation divides by.
    """

    factor: float
    batch: int | None
    explosion: float
    length_growth: float = 1.0
    stable: bool = True
    variance: float = 1.0


ROUNDING = 1e-12  # of the growth of lengths


@functools.lru_cache(maxsize=64)
def _growth(activation: Activation) -> Compiled:
    t = theory
    formulas = (t.variance(activation), t.gradient_factor(activation), t.length_growth(activation))
    return compile(formulas, (), name="growth")


def predict(activation: str = "relu", batch: int | None = None, depth: int = 1) -> BatchNorm:
    """Growth of gradients per layer with batch normalisation before `activation` (yang2019mean, theorem 3.9).

    E phi'^2 / Var phi for large batches, at least 1; (B - 2) / (B - 3) for linear networks at batch size B. At batch
    size 8 the limit is 23 per cent below the growth of a ReLU network: state the batch.

    Args:
        activation: a catalogue name or an expression in x.
        batch: batch size, above 3; only for the linear activation. Default: infinite.
        depth: number of layers for `explosion`.

    Where the result is not `stable` (x**2: a relative deviation in length doubles every layer) a real network leaves
    the symmetric fixed point, and its gradients grow by another factor.

    Raises `DomainError` for a constant activation, `ArgumentError` for a finite batch of a nonlinear network.

    >>> round(predict("relu").factor, 10), predict("linear", batch=8).factor
    (1.4669422069, 1.2)
    >>> p = predict("x**2", depth=10)
    >>> round(p.variance, 12), round(p.length_growth, 12), p.stable, round(p.explosion, 6)
    (2.0, 2.0, False, 1024.0)
    """
    phi = Activation.of(activation)
    depth = arguments.count("depth", depth)
    if batch is not None:
        if phi != Activation.of("linear"):
            raise ArgumentError(
                "batch",
                "must be left out for nonlinear activations",
                batch,
                "The limit of large batches is known.",
            )
        factor = float(theory.linear_factor(arguments.count("batch", batch, least=4)))
        return BatchNorm(factor, batch, _power(factor, depth))  # linear networks keep relative lengths
    variance, factor, growth = _growth(phi)()
    if not variance > 0:
        raise DomainError(f"{phi.name} is constant: nothing is left to normalise.")
    return BatchNorm(factor, None, _power(factor, depth), growth, growth <= 1 + ROUNDING, variance)


def _power(factor: float, depth: int) -> float:
    try:
        return factor**depth
    except OverflowError:
        return math.inf
