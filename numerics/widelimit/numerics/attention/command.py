"""`predict`: one layer and one stack, for the command line."""

from __future__ import annotations

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.attention.blocks import Block, exponents, propagate
from widelimit.numerics.attention.gradients import gradient
from widelimit.numerics.attention.layers import layer
from widelimit.numerics.attention.shares import token_correlation, whole
from widelimit.theory.errors import ArgumentError

_MOST = 2000  # tokens, whose Gram matrix is written out


def predict(
    tokens: int = 8,
    rho: float = 0.3,
    sigma_qk: float = 1.0,
    sigma_vo: float = 1.0,
    blocks: int = 4,
    norm: str = "pre",
    activation: str = "gelu",
    sigma_1: float = 1.4142135623730951,
    sigma_2: float = 1.4142135623730951,
) -> dict[str, float]:
    """Return what one layer of softmax attention does to exchangeable tokens, and what a stack of blocks does.

    Args:
        tokens: T, 2 or more.
        rho: correlation of two tokens of mean square 1.
        sigma_qk: sigma_Q sigma_K, scales of weights of variance sigma^2 over fan-in.
        sigma_vo: sigma_V sigma_O.
        blocks: of the stack.
        norm: "pre", "post" or "none".
        activation: of the second branch.
        sigma_1: scale of its first layer.
        sigma_2: scale of its second layer.

    >>> found = predict(8, 0.2, sigma_qk=2.0, blocks=2)
    >>> round(found["stack_q"], 8), round(found["stack_gradient"], 8), round(found["power"], 8)
    (5.80887745, 9.27003916, 0.31155638)
    """
    count = int(arguments.single("tokens", whole("tokens", tokens, 2)))
    if count > _MOST:
        raise ArgumentError("tokens", f"must be at most {_MOST} here", tokens, "Use `attention.overlaps`.")
    correlation = token_correlation("rho", rho, count)
    gram = np.where(np.eye(count, dtype=bool), 1.0, correlation)
    one = layer(gram, sigma_qk=sigma_qk, sigma_vo=sigma_vo)
    back = gradient(gram, np.eye(count), sigma_qk=sigma_qk, sigma_vo=sigma_vo)
    block = Block(norm, sigma_qk, sigma_vo, activation, sigma_1, sigma_2)
    stack = propagate(block, tokens=count, blocks=blocks, rho0=correlation)
    found = {
        "q": float(one.covariance[0, 0]),
        "p": float(one.covariance[0, 1]),
        "ntk": float(one.ntk[0, 0]),
        "ntk_cross": float(one.ntk[0, 1]),
        "gradient": float(back.gradient[0, 0]),
        "gradient_values": float(back.values[0, 0]),
        "stack_q": float(stack.q[-1]),
        "stack_rho": float(stack.rho[-1]),
        "stack_gradient": float(stack.g[0]),
        "stack_gradient_cross": float(stack.g_cross[0]),
    }
    if norm != "none":
        long = exponents(block)
        found["power" if norm == "pre" else "angle"] = long.power if norm == "pre" else long.angle
    return found
