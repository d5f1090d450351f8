"""The kernels of a network, written out layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Eq, Function

from widelimit.theory.architecture.layers import Architecture, Layer
from widelimit.theory.architecture.names import A, B, Below
from widelimit.theory.calculus.equations import Equations


@dataclass(frozen=True)
class Rule(Equations):
    """What one layer does: `nngp` and `ntk` are equations for K and Theta behind it.

    `where`: the recursion in time of a recurrent layer; H and G are its kernels at a step, S(t) = x_t.x'_t / n.
    """

    layer: Layer
    nngp: Eq
    ntk: Eq
    where: tuple[Eq, ...] = ()

    def __str__(self) -> str:
        return (
            f"{type(self.layer).__name__}: {self.nngp.lhs} = {self.nngp.rhs}; {self.ntk.lhs} = {self.ntk.rhs}"
        )


def recursion(architecture: Architecture) -> tuple[Rule, ...]:
    """Write the kernels of `architecture` for two inputs, layer by layer.

    K_l(a, b) is the NNGP covariance of positions a of one input and b of the other behind layer l, Theta_l the tangent
    kernel, q_l(a), q'_l(b) the variances and m_l, m'_l the means of units (zero behind weighted layers). Layers of a
    residual branch are numbered on, from the same start as the shortcut; in a graph the number of a layer is its place.

    >>> from widelimit.theory.architecture import mlp
    >>> rules = recursion(mlp("relu", sigma_w=2, sigma_b=1, depth=1))
    >>> print(rules[-1])
    Dense: K_3(a, b) = 4*K_2(a, b) + 1; Theta_3(a, b) = K_3(a, b) + 4*Theta_2(a, b)
    """
    rules: list[Rule] = []
    numbers, gains = {-1: 0}, {-1: False}
    for place, (layer, reads) in enumerate(zip(architecture.layers, architecture.feeds, strict=True)):
        before = tuple(numbers[one] for one in reads)
        numbers[place] = _one(rules, layer, before, any(gains[one] for one in reads))
        gains[place] = layer.trains_gain
    return tuple(rules)


def _one(rules: list[Rule], layer: Layer, before: tuple[int, ...], gained: bool) -> int:
    """Append the rules of a layer, which reads the kernels numbered `before`; return its number."""
    last, carried = before[0], gained and layer.carries_gain
    for inner in layer.inner:
        last = _one(rules, inner, (last,), carried)
        carried = inner.trains_gain
    after = len(rules) + 1
    k, theta = layer.kernels(Below(before[0], after, last, gained, before))
    new, new_theta = (Function(f"{name}_{after}")(A, B) for name in ("K", "Theta"))
    rules.append(
        Rule(layer, Eq(new, k, evaluate=False), Eq(new_theta, theta, evaluate=False), layer.in_time())
    )
    return after
