"""Flow through cuts of wide networks whose activations are not homogeneous, so that it is not conserved."""

from __future__ import annotations

import functools

import numpy as np
from sympy import Expr

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.meanfield import propagate
from widelimit.numerics.meanfield.maps import maps
from widelimit.theory import pruning as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import DomainError
from widelimit.theory.meanfield import ANY, q

Array = np.ndarray


def flow_shares(
    activation: str | Activation | Expr, *, depth: int, sigma_w: float = 1.0, q0: float = 1.0
) -> Array:
    """Return the scores w dR/dw of each layer over the flow out, R = |y|^2/2, of wide networks without biases.

    ``prod_l q_l V'(q_l)/V(q_l)`` over the activations behind a layer, with q_{l+1} = sigma_w^2 V(q_l) and V the mean
    square of the activation; shape (depth,), from the first layer to the last, whose share is 1. All are 1 where the
    activation is homogeneous (ReLU): that is when scores are conserved. Pruning by scores that a bounded activation
    makes smaller in early layers prunes these first.

    Args:
        activation: of all layers but the last.
        depth: layers of weights.
        sigma_w: standard deviation of weights times the root of their fan-in.
        q0: length of the first pre-activations.

    Raises `DomainError` where an activation passes nothing on.

    >>> flow_shares("tanh", depth=3, sigma_w=1.5).round(8).tolist()
    [0.22292642, 0.48349713, 1.0]
    >>> flow_shares("leaky_relu(0.2)", depth=3).tolist()
    [1.0, 1.0, 1.0]
    """
    layers = arguments.count("depth", depth)
    w = arguments.positive_number("sigma_w", sigma_w)
    start = arguments.positive_number("q0", q0)
    lengths = propagate(activation, sigma_w=w, q0=start, depth=layers).q[: layers - 1]
    (mean_square, _, slope), _ = maps(activation).moments(lengths)
    if not (mean_square > 0).all():
        raise DomainError("An activation that is zero passes no flow on, so that there is none to share.")
    passed = np.broadcast_to(_passed()(lengths, mean_square, slope), lengths.shape)
    return np.append(np.cumprod(passed[::-1])[::-1], 1.0)


@functools.cache
def _passed() -> Compiled:
    return compile(theory.flow_passed(ANY), (q, ANY.V, ANY.slope), name="flow_passed")
