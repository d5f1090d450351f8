"""What a local rule does to the feedback B, and to weights that move with it, from one batch.

Rows of x are inputs, y = x W^T the outputs without bias; leading dimensions are replicates. Nothing here is computed
from C or from a fixed point: a rule sees only what a layer sees.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from widelimit.numerics.alignment import checks

RULES = ("symmetric", "mirror", "activation", "information", "kolen_pollack")


@dataclass(frozen=True)
class Coefficients:
    """A rule and its coefficients, checked: alpha and beta positive, gamma not negative."""

    rule: str
    alpha: float = 1.0
    beta: float = 1.0
    gamma: float = 0.1

    def __post_init__(self) -> None:
        checks.rule(self.rule)
        for name in ("alpha", "beta", "gamma"):
            number = checks.coefficient(name, getattr(self, name), zero=name == "gamma")
            object.__setattr__(self, name, number)


def backward_change(given: Coefficients, x: Tensor, y: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """The change of B for each unit of learning rate: minus the gradient of the rule's primitives on the batch.

    Of kolen_pollack only the decay: its other part is the task's gradient of W.
    """
    alpha, beta = given.alpha, given.beta
    count = x.shape[-2]
    if given.rule == "symmetric":
        return beta * w.mT - alpha * b
    if given.rule == "mirror":
        return beta * (x.mT @ y) / count - alpha * b
    if given.rule == "activation":
        return x.mT @ (beta * y - alpha * (x @ b)) / count
    if given.rule == "information":
        return (alpha * x - beta * (y @ b.mT)).mT @ y / count - given.gamma * b
    return -alpha * b


def forward_change(given: Coefficients, x: Tensor, y: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """The change of W for each unit of learning rate, where it descends the same primitives (not of kolen_pollack)."""
    alpha, beta = given.alpha, given.beta
    count = x.shape[-2]
    if given.rule == "symmetric":
        return beta * b.mT - alpha * w
    back = x @ b  # B^T x, a row for each input
    if given.rule == "mirror":
        return beta * (back.mT @ x) / count - alpha * w
    if given.rule == "activation":
        return (beta * back - alpha * y).mT @ x / count
    if given.rule == "kolen_pollack":
        return -alpha * w
    return (alpha * back - beta * (y @ b.mT @ b)).mT @ x / count - given.gamma * w
