"""What is to be compiled, and what comes out, as far as the parts of the compiler know each other.

`compiler` makes `Compiled` of a `Request`. An expression with expectations is taken apart by `expected`, whose pieces
are requests of their own: it is handed what makes them (`Make`) and knows no more of the result than `Evaluates`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import sympy
from sympy import Expr, Symbol

from widelimit.numerics.compile import cache

KINKS = "calculus/pieces"  # tells the quadrature of generated code where the kinks are


@dataclass(frozen=True)
class Request:
    """What is to be compiled, with argument names that Python accepts."""

    expressions: tuple[Expr, ...]
    arguments: tuple[Symbol, ...]
    name: str
    complex_: bool
    single: bool

    @cached_property
    def key(self) -> str:
        """The hash that names the generated module."""
        parts = (sympy.srepr(self.expressions), sympy.srepr(self.arguments), self.name, str(self.complex_))
        made_by = cache.sources("widelimit.numerics", "compile"), cache.sources("widelimit.theory", KINKS)
        return cache.digest(*made_by, *parts)

    def rewritten(self, expressions: Sequence[Expr], arguments: Sequence[Symbol], name: str) -> Request:
        """Return a request for other expressions, compiled in the same way."""
        return Request(tuple(expressions), tuple(arguments), f"{self.name}_{name}", self.complex_, False)


class Evaluates(Protocol):
    """What a request becomes: see `compiler.Compiled`."""

    @property
    def expressions(self) -> tuple[Expr, ...]:
        """The expressions that were compiled."""

    def evaluate(self, *flat: np.ndarray, missing: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return (values, error bounds), both (expressions, n), at one-dimensional arguments of equal length."""


Make = Callable[[Request], Evaluates]
