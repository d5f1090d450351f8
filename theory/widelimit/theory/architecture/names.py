"""Names of the kernels behind numbered layers, as functions of positions, for equations that people read."""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr, Function, Integer, Sum, Symbol

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.kernel import PAIR_SYMBOLS

A, B = Symbol("a", integer=True), Symbol("b", integer=True)
SHIFT, SHIFT2 = Symbol("s", integer=True), Symbol("t", integer=True)
NOW = Symbol("t", integer=True, positive=True)
POSITIONS = Symbol("n", integer=True, positive=True)
BATCH = Symbol("B", integer=True, positive=True)


@dataclass(frozen=True)
class Below:
    """What stands in front of a layer: kernels K and Theta with the number `before`, which the layer reads.

    `after` numbers those behind the layer, `last` those at the end of its own inner layers (`before` without any).
    `gained`: whether a trained gain of the layer in front has not been counted yet. `joined`: the numbers of all that a
    layer reads that reads several.
    """

    before: int
    after: int
    last: int
    gained: bool = False
    joined: tuple[int, ...] = ()

    def kernel(self, name: str, a: Expr = A, b: Expr = B) -> Rewritten:
        """Return K or Theta in front of the layer, of positions a and b."""
        return Function(f"{name}_{self.before}")(a, b)

    def both(self, a: Expr = A, b: Expr = B) -> tuple[Rewritten, Rewritten]:
        """Return K and Theta in front of the layer."""
        return self.kernel("K", a, b), self.kernel("Theta", a, b)

    def of_branch(self) -> tuple[Rewritten, Rewritten]:
        """Return K and Theta behind the inner layers."""
        return Function(f"K_{self.last}")(A, B), Function(f"Theta_{self.last}")(A, B)

    def of_all(self, name: str) -> list[Rewritten]:
        """Return K or Theta of everything that the layer reads."""
        return [Function(f"{name}_{number}")(A, B) for number in self.joined or (self.before,)]

    @property
    def new(self) -> Rewritten:
        """K behind the layer."""
        return Function(f"K_{self.after}")(A, B)

    def units(self, name: str) -> tuple[Rewritten, Rewritten]:
        """Return variances q or means m of units of both inputs, each at its position."""
        return Function(f"{name}_{self.before}")(A), Function(f"{name}'_{self.before}")(B)

    def over_positions(self, name: str) -> tuple[Rewritten, Rewritten]:
        """Return the sums of the same over all positions."""
        return tuple(Sum(Function(f"{name}{dash}_{self.before}")(A), (A, 1, POSITIONS)) for dash in ("", "'"))


def shown(value: object) -> Rewritten:
    """Return a scale as it is shown: whole numbers without a point."""
    number = exact.plain("value", value)
    return Integer(int(number)) if number.is_number and float(number).is_integer() else number


def at_pair(node: Expr, q: Expr, q2: Expr, rho: Expr) -> Rewritten:
    """Return an expectation over a pair at variances q, q2 and correlation rho, in closed form where there is one."""
    return node.doit().subs(dict(zip(PAIR_SYMBOLS, (q, q2, rho), strict=True)), simultaneous=True)
