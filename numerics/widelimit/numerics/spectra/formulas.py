"""The theory's formulas, each compiled when it is first asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import spectra as theory


def compiled(name: str, symbols: Any, *formulas: Any) -> Callable[[], Compiled]:
    """Return what compiles functions of `theory` at its first call: of one, or of several at once."""

    @functools.cache
    def build() -> Compiled:
        made = tuple(one() for one in formulas)
        return compile(made if len(made) > 1 else made[0], symbols, name=name)

    return build


edges = compiled(  # of the bulk: ratio, spread and noise -> lower and upper
    "edges",
    (theory.RATIO, theory.SPREAD, theory.NOISE),
    functools.partial(theory.bulk_edge, -1),
    theory.bulk_edge,
)
hard = compiled("hard", (theory.RATIO,), theory.hard_threshold)
