"""What the names in Fisher derivations stand for, by matrices and networks small enough to be written out.

Nothing here knows a formula of `formulas` or `spread`: eigenvalues come from the Gram matrix of the gradients itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath
from sympy import Symbol

Values = Mapping[Symbol, Any]


def named(values: Values) -> dict[str, Any]:
    """The values by the names of their symbols, as numbers of mpmath."""
    return {symbol.name: mpmath.mpmathify(value) for symbol, value in values.items()}


def levels(values: Values) -> list[Any]:
    """Eigenvalues, in increasing order, of the T x T Gram matrix of one output's gradients over T.

    Gradients have alpha M kappa_1 on the diagonal of their products, alpha M kappa_2 off it.
    """
    v = named(values)
    size = int(v["T"])
    scale = v["alpha"] * v["M"] / size
    gram = mpmath.matrix(size, size)
    for s in range(size):
        for t in range(size):
            gram[s, t] = scale * v["kappa_1" if s == t else "kappa_2"]
    return sorted(mpmath.eigsy(gram, eigvals_only=True))


def largest(values: Values, dps: int) -> Any:
    """The largest of `levels`."""
    return levels(values)[-1]


def condition_number(values: Values, dps: int) -> Any:
    """The largest of `levels` over the smallest."""
    found = levels(values)
    return found[-1] / found[0]


def learning_rate(values: Values, dps: int) -> Any:
    """The rate at which the fastest mode, multiplied by 1 - eta lambda each step, turns to growth."""
    top = levels(values)[-1]
    return mpmath.findroot(lambda eta: abs(1 - eta * top) - 1, (1.5 / top, 3 / top), solver="illinois")
