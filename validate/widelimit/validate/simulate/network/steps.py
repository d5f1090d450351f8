"""The first step of training in drawn networks of two widths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import functions, normals

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_RATE = 1e-7  # so small that changes are linear in it


def powers(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Powers of the width, from `size` to its double, of the changes of hidden units and of the output, a row a seed.

    Two networks f = w_3 phi(W_2 phi(W_1 x)) take one step up the gradient of f at one input; their rates and the scale
    of w_3 are those of the parametrisation, as in users' optimisers.
    """
    found = []
    for seed in seeds:
        normal = normals(seed, backend)
        small, large = (_changes(inputs, width, normal) for width in (size, 2 * size))
        found.append([math.log2(b / a) for a, b in zip(small, large, strict=True)])
    return np.array(found)


def _changes(inputs: Any, width: int, normal: Any) -> tuple[float, float]:
    """Root mean square change of the second layer's units, and change of the output, per unit of the rate."""
    phi, slope = functions(str(inputs["activation"]))
    scale, mup = float(inputs["sigma_w"]), inputs["parametrisation"] == "mu-p"
    w1, w2 = scale * normal(width, 1), scale / math.sqrt(width) * normal(width, width)
    w3 = scale / (width if mup else math.sqrt(width)) * normal(1, width)
    rates = (1.0, 1.0, 1.0)
    adam = inputs["optimiser"] == "adam"
    if mup:
        rates = (1.0, 1 / width, 1 / width) if adam else (float(width), 1.0, 1 / width)

    def run(a: Any, b: Any, c: Any) -> tuple[Any, Any, Any]:
        first = a[:, 0]
        second = b @ phi(first)
        return first, second, c[0] @ phi(second)

    first, second, output = run(w1, w2, w3)
    above = w3[0] * slope(second)
    below = slope(first) * (w2.T @ above)
    steps = [below[:, None], above[:, None] * phi(first)[None], phi(second)[None]]
    if adam:
        steps = [one.sign() for one in steps]
    moved = (w + _RATE * r * g for w, r, g in zip((w1, w2, w3), rates, steps, strict=True))
    _, after, changed = run(*moved)
    return float((after - second).square().mean().sqrt()) / _RATE, float(changed - output) / _RATE
