"""How many weights are kept after each round of pruning."""

from __future__ import annotations

import functools

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import pruning as theory
from widelimit.theory.errors import ArgumentError

KINDS = ("exponential", "linear")


def schedule(compression: float, *, iterations: int = 100, kind: str = "exponential") -> np.ndarray:
    """Return the share of weights kept after each of n rounds: rho^(-k/n), or 1 - (1 - 1/rho) k/n.

    Args:
        compression: rho, weights before over weights after, at least 1.
        iterations: rounds n.
        kind: exponential or linear.

    Raises `ArgumentError` for a compression below 1, or a number of rounds that is none.

    >>> schedule(16, iterations=4)
    array([0.5   , 0.25  , 0.125 , 0.0625])
    >>> schedule(4, iterations=3, kind="linear")
    array([0.75, 0.5 , 0.25])
    """
    rho = arguments.positive_number("compression", compression)
    if rho < 1:
        raise ArgumentError("compression", "must be at least 1", compression, "It is N / N_kept.")
    rounds = costs.affordable(
        "iterations", arguments.count("iterations", iterations), memory=64.0, each="round"
    )
    kind = arguments.choice("kind", kind, KINDS)
    exponential, linear = _shares()(rho, np.arange(1.0, rounds + 1), float(rounds))
    return np.asarray(exponential if kind == "exponential" else linear)


@functools.cache
def _shares() -> Compiled:
    formulas = (theory.kept_fraction(), theory.kept_fraction_linear())
    return compile(formulas, (theory.COMPRESSION, theory.ROUND, theory.ROUNDS), name="kept_fraction")
