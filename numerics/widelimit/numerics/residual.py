"""Residual networks: second moments and gradients layer by layer, and the rates they approach."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import residual as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.errors import ArgumentError
from widelimit.theory.kernel import SIGMA_B, SIGMA_W


@by_value
@dataclass(frozen=True)
class Residual:
    """Moments and gradients of a residual network, layer by layer.

    `second_moment` is p_l = E x^2 for l = 0 .. depth; `gradient` the mean square gradient at layer l over that at the
    top; `log_gradient_ratio` the log of the gradient at the bottom over that at the top. For tanh, `linear_rate` is the
    limit of p_l / l and `exponent` the A of the asymptote A sqrt(depth) of `log_gradient_ratio`; for ReLU, `base` is
    the factor B per block. They are None for other activations.
    """

    second_moment: list[float]
    gradient: list[float]
    log_gradient_ratio: float
    exponent: float | None
    base: float | None
    linear_rate: float | None = None


@functools.lru_cache(maxsize=64)
def _block(activation: Activation) -> Compiled:
    expressions = (theory.next_second_moment(activation), theory.gradient_factor(activation))
    inner = {theory.Q: theory.inner_variance()}
    variables = (theory.P, SIGMA_W, SIGMA_B, theory.SIGMA_V, theory.SIGMA_A)
    return compile(tuple(e.subs(inner) for e in expressions), variables, name="block")


@functools.cache
def _rates() -> Compiled:
    return compile(
        (theory.tanh_exponent(), theory.relu_base(), theory.tanh_linear_rate()),
        (SIGMA_W, theory.SIGMA_V, theory.SIGMA_A),
        name="rates",
    )


def predict(
    activation: str = "tanh",
    sigma_w: float = 1.0,
    sigma_b: float = 0.0,
    sigma_v: float = 1.0,
    sigma_a: float = 0.0,
    depth: int = 50,
    p0: float = 1.0,
) -> Residual:
    """Iterate x' = x + V phi(W x + b) + a in mean field (yang2017mean, theorems 2 and 5).

    p' = p + sigma_v^2 E phi^2 + sigma_a^2 at inner variance sigma_w^2 p + sigma_b^2; gradients grow by
    1 + sigma_v^2 sigma_w^2 E phi'^2 per block from top to bottom. V = 1, a = 0 is sigma_v = 1, sigma_a = 0.

    Args:
        activation: a catalogue name or an expression in x.
        sigma_w: scale of the inner weights, whose variance is sigma_w^2 / width.
        sigma_b: standard deviation of the inner biases.
        sigma_v: scale of the outer weights.
        sigma_a: standard deviation of the outer biases.
        depth: number of blocks.
        p0: mean square of the components at the start.

    >>> out = predict("relu", sigma_w=2**0.5, depth=3)
    >>> [round(p, 9) for p in out.second_moment], out.base
    ([1.0, 2.0, 4.0, 8.0], 2.0)
    >>> out = predict("tanh", sigma_v=2.0, sigma_a=1.0, depth=1)
    >>> out.linear_rate, round(out.exponent, 12)  # 16/3 sqrt(2/(5 pi))
    (5.0, 1.903065723896)
    """
    phi = Activation.of(activation)
    sw, sv = (arguments.positive_number(n, v) for n, v in (("sigma_w", sigma_w), ("sigma_v", sigma_v)))
    sb, sa = (arguments.non_negative_number(n, v) for n, v in (("sigma_b", sigma_b), ("sigma_a", sigma_a)))
    block = _block(phi)
    slow = any(e.has(Expectation) for e in block.expressions)
    depth = costs.affordable(
        "depth", arguments.count("depth", depth), memory=200.0, seconds=2e-3 if slow else 2e-5
    )
    moments, logs = [arguments.positive_number("p0", p0)], []
    for _ in range(depth):
        after, factor = block(moments[-1], sw, sb, sv, sa)
        if not math.isfinite(after):
            raise ArgumentError(
                "depth",
                f"must be at most {len(moments) - 1} here",
                depth,
                "The second moment overflows in the next block. Use smaller scales or fewer blocks.",
            )
        moments.append(after)
        logs.append(math.log(factor))
    total = math.fsum(logs)
    gradient, above = [1.0], 0.0
    for value in reversed(logs):
        above += value
        gradient.append(math.exp(above) if above < 709 else math.inf)
    exponent, base, rate = _rates()(sw, sv, sa)
    saturates = phi == Activation.of("tanh")
    return Residual(
        moments,
        gradient[::-1],
        total,
        exponent if saturates else None,
        base if phi == Activation.of("relu") else None,
        rate if saturates else None,
    )
