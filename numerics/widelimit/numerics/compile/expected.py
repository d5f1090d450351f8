"""Compiled expressions that contain Gaussian expectations: quadrature feeds the compiled rest.

An expression F(arguments, E_1, E_2, ...) is taken apart: expectations over the same Gaussians become one group
whose integrands are compiled together and share their nodes; the rest, with symbols in their place, is compiled as
usual. Errors of the expectations go through the derivatives of the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from sympy import Expr, Symbol

from widelimit.numerics import threads
from widelimit.numerics.compile import cache
from widelimit.numerics.compile.features import Features, features
from widelimit.numerics.compile.pair import pair
from widelimit.numerics.compile.printing import complement
from widelimit.numerics.compile.quadrature import gaussian
from widelimit.numerics.compile.request import KINKS, Evaluates, Make, Request
from widelimit.theory.calculus.gaussian import Expectation
from widelimit.theory.errors import ConvergenceError, InfiniteMomentError, InputError, shown

Array = np.ndarray
SMALLEST = 64  # rows of quadrature worth a thread of their own


def needed(expressions: Sequence[Expr]) -> bool:
    """Say whether an expression contains an expectation."""
    return any(e.has(Expectation) for e in expressions)


@dataclass(frozen=True)
class Kernel:
    """Compiled integrands of one Gaussian variable and of some of the arguments."""

    compiled: Evaluates
    parameters: tuple[int, ...]
    features: Features

    def at(self, flat: Sequence[Array]) -> Any:
        """Return the integrand that quadrature calls; its rows are the rows of the arguments `flat`."""
        extra = [flat[index] for index in self.parameters]

        def integrand(x: Array, rows: Array) -> Array:
            values = [
                np.ascontiguousarray(np.broadcast_to(e[rows].reshape(-1, *[1] * (x.ndim - 1)), x.shape))
                for e in extra
            ]
            columns = [np.ascontiguousarray(x).reshape(-1), *(value.reshape(-1) for value in values)]
            return self.compiled.evaluate(*columns)[0].reshape(-1, *x.shape)

        return integrand


@dataclass(frozen=True)
class Single:
    """Expectations over one Gaussian of the same variance."""

    symbols: tuple[Symbol, ...]
    kernel: Kernel
    variance: Evaluates

    def evaluate(self, flat: Sequence[Array]) -> tuple[Array, Array]:
        """Return values and errors, (symbols, rows)."""
        (q,) = self.variance.evaluate(*flat)[0]
        _refuse(q < 0, "variance", q)
        return gaussian(self.kernel.at(flat), q, self.kernel.features)


@dataclass(frozen=True)
class Product:
    """One expectation of f(x) g(y) over two correlated Gaussians."""

    symbols: tuple[Symbol, ...]
    kernels: tuple[Kernel, Kernel]
    covariance: Evaluates  # q_x, q_y, c, 1 - c, 1 + c

    def evaluate(self, flat: Sequence[Array]) -> tuple[Array, Array]:
        """Return values and errors, (1, rows)."""
        q_x, q_y, c, below, above = self.covariance.evaluate(*flat)[0]
        _refuse((q_x < 0) | (q_y < 0), "variance", np.minimum(q_x, q_y))
        _refuse(np.minimum(below, above) < -1e-12, "correlation", c)
        f, g = (kernel.at(flat) for kernel in self.kernels)
        distance = np.clip(np.minimum(below, above), 0.0, 1.0)
        same = self.kernels[0] is self.kernels[1]
        shapes = (self.kernels[0].features, self.kernels[1].features)
        value, error = pair(f, f if same else g, q_x, q_y, np.clip(c, -1, 1), shapes, distance)
        return value[None], error[None]


def _refuse(bad: Array, what: str, value: Array) -> None:
    if bad.any() or np.isnan(value).any():
        raise InputError(
            f"A Gaussian expectation was asked for at the {what} {value[bad | np.isnan(value)][0]:g}."
        )


@dataclass(frozen=True)
class Plan:
    """How to evaluate a request: groups of expectations, then the rest."""

    request: Request
    groups: tuple[Single | Product, ...]
    rest: Evaluates
    symbols: tuple[Symbol, ...]
    make: Make

    @cached_property
    def _sensitivity(self) -> Evaluates:
        slopes = [e.diff(symbol) for e in self.rest.expressions for symbol in self.symbols]
        request = self.request
        return self.make(request.rewritten(slopes, (*request.arguments, *self.symbols), "sensitivity"))

    def evaluate(self, flat: Sequence[Array], missing: bool) -> tuple[Array, Array]:
        """Return values and error bounds, (expressions, rows)."""
        count = flat[0].size if flat else 1
        if count == 0:
            return np.empty((len(self.request.expressions), 0)), np.empty((len(self.request.expressions), 0))

        def work(part: slice) -> tuple[Array, Array]:
            piece = [array[part] for array in flat]
            got = [group.evaluate(piece) for group in self.groups]
            return np.concatenate([value for value, _ in got]), np.concatenate([error for _, error in got])

        parts = threads.chunks(count, SMALLEST)
        if len(parts) > 1:  # compile before the threads start
            work(slice(0, 1))
        done = threads.each(work, parts)
        values, errors = (np.concatenate([entry[k] for entry in done], axis=1) for k in (0, 1))
        lost = ~np.isfinite(values)
        if lost.any() and not missing:
            index, row = np.argwhere(lost)[0]
            where = ", ".join(f"{s} = {a[row]:g}" for s, a in zip(self.request.arguments, flat, strict=True))
            raise InfiniteMomentError(
                f"The Gaussian expectation {self._shown(index)} does not exist or overflows at {where}. "
                "Use an activation that grows more slowly, or smaller variances."
            )
        if not missing and (coarse := ~lost & ~np.isfinite(errors)).any():
            index, row = np.argwhere(coarse)[0]
            where = ", ".join(f"{s} = {a[row]:g}" for s, a in zip(self.request.arguments, flat, strict=True))
            raise ConvergenceError(unresolved(self._shown(index), where))
        columns = (*flat, *np.ascontiguousarray(values))
        with np.errstate(all="ignore"):
            out = self.rest.evaluate(*columns)[0]
            slopes = self._sensitivity.evaluate(*columns)[0].reshape(len(out), len(self.symbols), count)
            bound = np.where(slopes == 0, 0.0, np.abs(slopes) * errors).sum(axis=1)
        out[:, lost.any(axis=0)] = bound[:, lost.any(axis=0)] = np.inf
        return out, bound

    def _shown(self, index: int) -> str:
        return shown(str(_expectations(self.request.expressions)[index]), 120)


def unresolved(what: str, where: str) -> str:
    """What to say of an expectation whose integrand oscillates too often to be followed."""
    return (
        f"The Gaussian expectation {what} is not resolved at {where}: its integrand oscillates too often there. "
        "Use smaller variances, or an activation whose moments have a closed form."
    )


def _expectations(expressions: Sequence[Expr]) -> list[Expr]:
    found: dict[Expr, None] = {}
    for expr in expressions:
        walk = sympy.preorder_traversal(expr)
        for node in walk:
            if isinstance(node, Expectation):
                found.setdefault(node)
                walk.skip()
    return sorted(found, key=lambda node: (len(node.variables), sympy.srepr(node)))


def plan(request: Request, make: Make) -> Plan:
    """Take a request apart into groups of expectations and the rest, each compiled by `make`."""
    if request.complex_:
        raise InputError("Gaussian expectations are compiled for real arguments only.")
    nodes = _expectations(request.expressions)
    symbols = tuple(Symbol(f"_e{index}", real=True) for index in range(len(nodes)))
    table = dict(zip(nodes, symbols, strict=True))
    groups: list[Single | Product] = []
    singles: dict[tuple, list[Expr]] = {}
    for node in nodes:
        if len(node.variables) == 1:
            singles.setdefault((node.variables, tuple(node.covariance)), []).append(node)
    for index, ((variables, (q,)), members) in enumerate(singles.items()):
        kernel = _kernel(
            request, make, [node.integrand for node in members], variables[0], f"integrand{index}"
        )
        variance = make(request.rewritten([q], request.arguments, f"variance{index}"))
        groups.append(Single(tuple(table[node] for node in members), kernel, variance))
    for index, node in enumerate(node for node in nodes if len(node.variables) == 2):
        groups.append(_product(request, make, node, table[node], index))
    ordered = tuple(symbol for group in groups for symbol in group.symbols)
    rest = request.rewritten(
        [e.xreplace(table) for e in request.expressions], (*request.arguments, *ordered), "rest"
    )
    return Plan(request, tuple(groups), make(rest), ordered, make)


def _kernel(request: Request, make: Make, integrands: Sequence[Expr], x: Symbol, name: str) -> Kernel:
    fixed = Symbol("_x", real=True)  # one name for the bound variable, whatever it was: a stable key
    integrands, x = [e.xreplace({x: fixed}) for e in integrands], fixed
    free = set().union(*(e.free_symbols for e in integrands)) - {x}
    used = [index for index, symbol in enumerate(request.arguments) if symbol in free]
    compiled = make(request.rewritten(integrands, (x, *(request.arguments[i] for i in used)), name))
    here = cache.sources("widelimit.numerics", "compile/features"), cache.sources("widelimit.theory", KINKS)
    key = cache.digest("features", *here, sympy.srepr(tuple(integrands)), sympy.srepr(x))
    return Kernel(compiled, tuple(used), cache.remembered(key, lambda: features(integrands, x), Features))


def _product(request: Request, make: Make, node: Expr, symbol: Symbol, index: int) -> Product:
    x, y = node.variables
    q_x, q_y, c = node.covariance
    f, g = separated(node.integrand, x, y)
    first = _kernel(request, make, [f], x, f"first{index}")
    same = g.xreplace({y: x}) == f
    kernels = (first, first if same else _kernel(request, make, [g], y, f"second{index}"))
    needs = [q_x, q_y, c, complement(c, -1), complement(c, 1)]
    return Product(
        (symbol,), kernels, make(request.rewritten(needs, request.arguments, f"covariance{index}"))
    )


def separated(integrand: Expr, x: Symbol, y: Symbol) -> tuple[Expr, Expr]:
    """Write an integrand as f(x) g(y); `InputError` if it is no product.

    >>> x, y = sympy.symbols("x y")
    >>> separated(2 * sympy.tanh(x) * sympy.tanh(y), x, y)
    (2*tanh(x), tanh(y))
    >>> separated(x * y + x**2 * y, x, y)
    (x*(x + 1), y)
    >>> separated(x * y + x + y + 1, x, y)
    (x + 1, y + 1)
    """
    f, g = sympy.S.One, sympy.S.One
    for gathered in (lambda one: one, sympy.factor_terms, sympy.factor):
        factors = sympy.Mul.make_args(gathered(integrand))
        if not any(one.has(x) and one.has(y) for one in factors):
            break
    for factor in factors:
        if factor.has(x) and factor.has(y):
            raise InputError(
                f"The integrand {shown(str(integrand))} is no product of a function of {x} and one of {y}."
            )
        if factor.has(y):
            g *= factor
        else:
            f *= factor
    return f, g
