"""Gaussian moments of an activation, of which every formula of the theory is made: V = E phi^2, P = E phi'^2, ...

Each is asked for by an activation, and comes as a closed form where the rules find one, else as an expression with
`Expectation` nodes; or by `ByMoments`, and comes as the symbol there. A formula of `ANY` is that of every activation:
a solver compiles it once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from sympy import Expr, Symbol

from widelimit.theory.calculus.activation import Activation, x
from widelimit.theory.calculus.gaussian.expectation import Expectation, weak_derivative
from widelimit.theory.calculus.gaussian.growth import require_finite
from widelimit.theory.errors import InfiniteMomentError

y = Symbol("y", real=True)  # the second input's pre-activation
q = Symbol("q", positive=True)
q_1, q_2 = Symbol("q_1", positive=True), Symbol("q_2", positive=True)
c = Symbol("c", real=True)
epsilon = Symbol("epsilon", positive=True)  # 1 - c


@dataclass(frozen=True)
class ByMoments:
    """An activation of which only its moments are known, under names (`ANY`) or as other expressions.

    >>> from dataclasses import replace
    >>> second_moment(replace(ANY, V=q**2))
    q**2
    """

    V: Expr  # E phi^2
    P: Expr  # E phi'^2
    K: Expr  # E phi phi''
    C: Expr  # E phi(u_1) phi(u_2)
    S: Expr  # E phi'(u_1) phi'(u_2)
    E: Expr  # q P - V
    slope: Expr | None = None  # dV/dq, if it has a name: else P + K
    D: Expr | None = None  # d^2 V/dq^2
    F: Expr | None = None  # E phi^4


ANY = ByMoments(
    V=Symbol("V", positive=True),
    P=Symbol("P", positive=True),
    **{name: Symbol(name, real=True) for name in "KCSE"},
    slope=Symbol("dV", real=True),
    D=Symbol("d2V", real=True),
    F=Symbol("F", positive=True),
)
Kind: TypeAlias = "str | Activation | Expr | ByMoments"


def second_moment(activation: Kind) -> Expr:
    """Return V(q) = E phi(u)^2 (poole2016exponential); `InfiniteMomentError` if it is infinite for some q.

    >>> second_moment("relu")
    q/2
    """
    return _moment(activation, "V")


def slope_moment(activation: Kind) -> Expr:
    """Return P(q) = E phi'(u)^2.

    >>> slope_moment("erf_s")
    1/sqrt(pi*q + 1)
    """
    return _moment(activation, "P")


def curvature_overlap(activation: Kind) -> Expr:
    """Return E phi(u) phi''(u), delta functions at kinks included.

    >>> curvature_overlap("hard_tanh")
    -sqrt(2)*exp(-1/(2*q))/(sqrt(pi)*sqrt(q))
    """
    return _moment(activation, "K")


def second_moment_slope(activation: Kind) -> Expr:
    """Return dV/dq = E phi'^2 + E phi phi'', by Price's theorem and Stein's (price1958useful, stein1981estimation).

    >>> second_moment_slope("relu")
    1/2
    """
    if isinstance(activation, ByMoments) and activation.slope is not None:
        return activation.slope
    return slope_moment(activation) + curvature_overlap(activation)


def second_moment_curvature(activation: Kind) -> Expr:
    """Return V''(q) = E phi^2 (z^4 - 6 z^2 + 3)/(4 q^2), u = sqrt(q) z: the density differentiated, not phi.

    >>> second_moment_curvature("x**2"), second_moment_curvature("relu")
    (6, 0)
    """
    return _moment(activation, "D")


def fourth_moment(activation: Kind) -> Expr:
    """Return E phi(u)^4.

    >>> fourth_moment("relu")
    3*q**2/2
    """
    if not isinstance(activation, ByMoments):
        a = Activation.of(activation)
        require_finite(a.expr**4, x, f"fourth moment of the activation {a}", _where_finite.get())
    return _moment(activation, "F")


def product_moment(activation: Kind) -> Expr:
    """Return C(q, c) = E phi(u_1) phi(u_2).

    >>> product_moment("erf")
    2*asin(2*c*q/(2*q + 1))/pi
    """
    return _moment(activation, "C")


def slope_product(activation: Kind) -> Expr:
    """Return E phi'(u_1) phi'(u_2).

    >>> slope_product("relu")
    asin(c)/(2*pi) + 1/4
    """
    return _moment(activation, "S")


def unequal_product_moment(activation: Kind) -> Expr:
    """Return E phi(u_1) phi(u_2) for second moments q_1, q_2 and correlation c.

    >>> unequal_product_moment("linear")
    c*sqrt(q_1)*sqrt(q_2)
    """
    return activation.C if isinstance(activation, ByMoments) else _unequal(Activation.of(activation), 0)


def unequal_slope_product(activation: Kind) -> Expr:
    """Return E phi'(u_1) phi'(u_2) for second moments q_1, q_2 and correlation c.

    >>> unequal_slope_product("sin").subs(c, 0)
    exp(-q_1/2 - q_2/2)
    """
    return activation.S if isinstance(activation, ByMoments) else _unequal(continuous(activation), 1)


def continuous(activation: str | Activation | Expr) -> Activation:
    """Return an activation whose slope has a second moment (`InfiniteMomentError` if phi jumps or is too steep)."""
    a = Activation.of(activation)
    jumps = a.derivative(1).deltas
    if jumps:
        where = ", ".join(str(b) for b, _ in jumps)
        raise InfiniteMomentError(
            f"The activation {a} jumps at x = {where}: the second moment of its slope is infinite."
        )
    if a.steep:
        place, rate = a.steep[0]
        raise InfiniteMomentError(
            f"The slope of {a} grows like {abs(x - place) ** rate} at x = {place}: its second moment, and with it "
            "chi_1, is infinite. Use an activation with a bounded slope."
        )
    return a


def _unequal(a: Activation, order: int) -> Expr:
    _refuse_infinite(a)
    return _unequal_product(a, order)


@lru_cache(maxsize=256)
def _unequal_product(a: Activation, order: int) -> Expr:
    f = a.derivative(order).expr if order else a.expr
    return Expectation(f * f.subs(x, y), (x, y), (q_1, q_2, c)).doit()


_where_finite = ContextVar("_where_finite", default=False)


@contextmanager
def where_finite() -> Iterator[None]:
    """Within it, moments that are infinite from some variance on are formulas for the variances below.

    A solver that knows where it is may use them: exp(x**2/16) has moments for q < 4. Outside, such an activation is
    refused with `InfiniteMomentError`, as one without moments at any variance is everywhere.
    """
    token = _where_finite.set(True)
    try:
        yield
    finally:
        _where_finite.reset(token)


def _refuse_infinite(a: Activation) -> None:
    somewhere = _where_finite.get()
    require_finite(a.expr**2, x, f"second moment of the activation {a}", somewhere)
    if not a.derivative(1).deltas:
        require_finite(a.derivative(1).expr ** 2, x, f"second moment of the slope of {a}", somewhere)


def nodes(activation: str | Activation | Expr) -> dict[str, Expectation]:
    """Return the unevaluated expectations: V, C, D = V'', F = E phi^4; of a continuous phi P, K = E phi phi'', S."""
    a = Activation.of(activation)
    _refuse_infinite(a)
    return _nodes(a)


@lru_cache(maxsize=256)
def _nodes(a: Activation) -> dict[str, Expectation]:
    phi = a.expr
    found = {
        "V": Expectation(phi**2, x, q),
        "C": Expectation(phi * phi.subs(x, y), (x, y), (q, q, c)),
        "D": Expectation(phi**2 * (x**4 / q**2 - 6 * x**2 / q + 3) / (4 * q**2), x, q),
        "F": Expectation(phi**4, x, q),
    }
    if not a.derivative(1).deltas and not a.steep:
        slope = a.derivative(1).expr
        found["P"] = Expectation(slope**2, x, q)
        found["S"] = Expectation(slope * slope.subs(x, y), (x, y), (q, q, c))
        # E phi phi'' = E u phi phi'/q - P (Stein), where phi'' is no function next to a pole of phi'
        whole = not a.derivative(2).divergent
        found["K"] = Expectation(
            phi * weak_derivative(slope, x) if whole else x * phi * slope / q - slope**2, x, q
        )
    return found


class _Lazy(dict[str, Expr]):
    """Closed forms of `nodes`, found when asked for."""

    def __init__(self, a: Activation) -> None:
        super().__init__()
        self.nodes = nodes(a)

    def __missing__(self, key: str) -> Expr:
        self[key] = self.nodes[key].doit()
        return self[key]


def _moment(activation: Kind, name: str) -> Expr:
    if isinstance(activation, ByMoments):
        return getattr(activation, name)
    a = Activation.of(activation) if name in "VCDF" else continuous(activation)
    _refuse_infinite(a)
    return _lazy(a)[name]


@lru_cache(maxsize=256)
def _lazy(a: Activation) -> _Lazy:
    return _Lazy(a)
