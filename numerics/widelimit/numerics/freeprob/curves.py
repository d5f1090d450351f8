r"""z as a compiled function of one unknown, on the branch that is continued from infinity.

    S-transform   log z of t = (1 + m)/m      t is the subordinate of a point mass at one
    R-transform   z of omega = 1/G

A root or a logarithm of a user's expression has a principal value that jumps on a cut, wherever that lies. Here every
base of a root is an unknown of its own, its logarithm: next to a known state it is the logarithm nearest to the known
one, so that a path which crosses a cut goes on. The branch at the start, :math:`z\to\infty`, is the principal one
there, which is the one with S(0) = 1/mean.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import sympy
from sympy import Expr, Symbol, cancel, diff, exp, expand_log, log

from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import freeprob as theory
from widelimit.theory.errors import DomainError

_MOST = 4  # bases of roots: real segments are looked at on every sheet
_t = Symbol("t")


class Curve:
    """Values and slopes of an expression in one variable, with `sheets`: the turns of every base on each sheet."""

    def __init__(self, value: Expr, slope: Expr, name: str) -> None:
        self._bases: list[Compiled] = []
        self._symbols: list[Symbol] = []
        self._known: dict[Expr, int] = {}
        self._orders: list[int] = []
        self._name = name
        value, slope = self._continued(value), sympy.together(self._continued(slope))
        if len(self._symbols) > _MOST:
            raise DomainError(
                f"The transform has more than {_MOST} different roots, too many to choose branches of."
            )
        self._both = compile([value, slope], [_t, *self._symbols], name=name, dtype=complex)
        self.sheets = list(itertools.product(*(range(order) for order in self._orders)))

    @property
    def roots(self) -> int:
        """How many bases there are."""
        return len(self._bases)

    def _continued(self, expression: Expr) -> Expr:
        """Replace roots and logarithms by functions of the logarithms of their bases, innermost first."""
        if not expression.has(_t) or expression.is_Atom:
            return expression
        if isinstance(
            expression, sympy.Add
        ):  # logs with whole weights are taken modulo 2 pi, like log z itself
            return sympy.Add(*(self._term(part) for part in expression.args))
        if isinstance(expression, sympy.Pow) and expression.exp.is_number and not expression.exp.is_integer:
            return exp(expression.exp * self._logarithm(expression.base, _order(expression.exp)))
        if isinstance(expression, log):
            return self._logarithm(expression.args[0], _order(None))
        return expression.func(*(self._continued(part) for part in expression.args))

    def _term(self, part: Expr) -> Expr:
        weight, rest = part.as_coeff_Mul()
        if isinstance(rest, log) and weight.is_integer and not rest.args[0].has(log):
            return weight * log(self._continued(rest.args[0]))
        if isinstance(rest, log):
            return weight * self._logarithm(rest.args[0], _order(weight))
        return self._continued(part)

    def _logarithm(self, base: Expr, order: int) -> Symbol:
        base = self._continued(base)
        base = sympy.factor(base) if base.is_rational_function(_t) else base  # keeps the digits of t - 1
        if base not in self._known:
            compiled = compile([base], [_t, *self._symbols], name=f"{self._name}_base", dtype=complex)
            self._known[base] = len(self._bases)
            self._bases.append(compiled)
            self._symbols.append(Symbol(f"log_base_{len(self._symbols)}"))
            self._orders.append(order)
        index = self._known[base]
        self._orders[index] = max(self._orders[index], order)
        return self._symbols[index]

    def logarithms(
        self, t: np.ndarray, near: np.ndarray | None = None, sheet: Sequence[int] = ()
    ) -> np.ndarray:
        """Logarithms of the bases, shape (roots, t.size): next to `near`, or principal ones with turns added."""
        found = np.empty((self.roots, t.size), dtype=complex)
        for k, base in enumerate(self._bases):
            with np.errstate(all="ignore"):
                raw = np.log(_at(base, [t, *found[:k]])[0])
                if near is not None:
                    turns = np.round((near[k] - raw).imag / (2 * np.pi))
                    found[k] = raw + 2j * np.pi * np.nan_to_num(turns)
                else:
                    found[k] = raw + 2j * np.pi * (sheet[k] if sheet else 0)
        return found

    def at(self, t: np.ndarray, logarithms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and slopes, NaN at a pole."""
        rows = _at(self._both, [t, *logarithms] if self.roots else [t])
        return rows[0], rows[1]

    def real(self, t: np.ndarray, sheet: Sequence[int] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Values and slopes at real t on one sheet."""
        t = t.astype(complex)
        return self.at(t, self.logarithms(t, sheet=sheet))


def _order(weight: Expr | None) -> int:
    """How many turns of a base give different values, as far as they are looked at on the real axis."""
    exact = None if weight is None else sympy.nsimplify(weight, rational=True)
    return int(exact.q) if exact is not None and exact.q <= 6 else 3


def _at(compiled: Compiled, arguments: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of values; NaN at a pole, where compiled complex division raises."""
    columns = [np.ascontiguousarray(part, dtype=complex) for part in arguments]
    with np.errstate(all="ignore"):
        try:
            return np.asarray(compiled.evaluate(*columns)[0])
        except ZeroDivisionError:
            return np.array([_single(compiled, point) for point in zip(*columns, strict=True)]).T


def _single(compiled: Compiled, point: Sequence[complex]) -> Sequence[complex]:
    try:
        found = compiled(*point)
    except ZeroDivisionError:
        found = (complex(np.nan, np.nan),) * len(compiled.expressions)
    return found if isinstance(found, tuple) else (found,)


@lru_cache(maxsize=128)
def s_curve(S: Expr) -> Curve:
    """Return log z and its slope in log t, for an S-transform in m."""
    terms = expand_log(log(_rationalised(S)), force=True)
    terms = terms.replace(
        lambda e: isinstance(e, log) and e.args[0].is_rational_function(theory.m),
        lambda e: log(cancel(e.args[0].subs(theory.m, 1 / (_t - 1)))),
    ).subs(theory.m, 1 / (_t - 1))
    terms = sympy.Add(*(cancel(a) if a.is_rational_function(_t) else a for a in sympy.Add.make_args(terms)))
    value = log(_t) - terms
    return Curve(value, _t * diff(value, _t), "s_curve")


def _rationalised(S: Expr) -> Expr:
    """S with the factors A + B sqrt(C) that vanish at m = -1 as (A^2 - B^2 C)/(A - B sqrt(C)).

    There is the low end of the support, where the difference of two equal numbers would have lost its digits.
    """
    result = sympy.Integer(1)
    for part in sympy.Mul.make_args(S):
        base, exponent = part.as_base_exp()
        roots = [
            node for node in base.atoms(sympy.Pow) if node.exp == sympy.Rational(1, 2) and node.has(theory.m)
        ]
        if len(roots) == 1 and base.subs(theory.m, -1).equals(0):
            root = Symbol("root")
            top, bottom = sympy.fraction(sympy.together(base.xreplace({roots[0]: root})))
            if top.is_polynomial(root) and sympy.degree(top, root) == 1 and not bottom.has(root):
                b, a = sympy.Poly(top, root).all_coeffs()
                exact = sympy.factor(sympy.expand(a**2 - b**2 * roots[0].base))
                part = (exact / (bottom * (a - b * roots[0]))) ** exponent
        result *= part
    return result


@lru_cache(maxsize=128)
def r_curve(R: Expr) -> Curve:
    """Return z and dz/domega, for an R-transform in g."""
    value = _t + sympy.together(R.subs(theory.g, 1 / _t))
    return Curve(value, diff(value, _t), "r_curve")


@lru_cache(maxsize=128)
def log_s(S: Expr) -> Compiled:
    """Return log S of m."""
    return compile(expand_log(log(S), force=True), [theory.m], name="log_s", dtype=complex)
