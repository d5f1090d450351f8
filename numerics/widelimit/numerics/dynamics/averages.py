"""Gaussian averages about a drive: E f(m + sqrt(D) z) as theory states them, at many (m, D) together.

Theory writes an average about a drive as an `Expectation` of f(m + x). Here f is compiled by itself, with its kinks and
scales, and the quadrature is moved to m, or to -m where theory has -m + x.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy
from sympy import Expr, Symbol

from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.compile.features import Features, features
from widelimit.numerics.compile.quadrature import gaussian
from widelimit.theory.calculus.gaussian import Expectation
from widelimit.theory.errors import ConvergenceError, InfiniteMomentError

Array = np.ndarray
_x = Symbol("x", real=True)


class Function:
    """Functions of one number, compiled together, as quadrature wants them: f(x, rows) -> (k, *x.shape)."""

    def __init__(self, expressions: Sequence[Expr], variable: Symbol) -> None:
        moved = [e.xreplace({variable: _x}) for e in expressions]
        self.compiled: Compiled = compile(moved, (_x,), name="about_drive")
        self.features: Features = features(moved, _x)

    def __call__(self, x: Array, rows: Array) -> Array:
        """Values at the points x, whatever row they belong to."""
        return self.compiled.evaluate(np.ascontiguousarray(x, float).reshape(-1))[0].reshape(-1, *x.shape)


class Averages:
    """Expressions of theory that hold averages about `drive` over the variance `variance`, as a function.

    Called with arrays of drives and variances, and of the `others` symbols, all of one length; returns an array with a
    row for each expression. Raises `InfiniteMomentError` where an average does not exist.
    """

    def __init__(
        self, expressions: Sequence[Expr], drive: Symbol, variance: Symbol, others: Sequence[Symbol] = ()
    ) -> None:
        nodes = sorted({n for e in expressions for n in e.atoms(Expectation)}, key=sympy.srepr)
        names = {node: Symbol(f"_a{k}", real=True) for k, node in enumerate(nodes)}
        self._groups: list[tuple[int, Function]] = []
        order: list[Symbol] = []
        for sign in (1, -1, 0):
            members = [(n, f) for n in nodes for s, f in [_about(n, drive, variance)] if s == sign]
            if members:
                self._groups.append((sign, Function([f for _, f in members], members[0][0].variables[0])))
                order += [names[n] for n, _ in members]
        rest = [e.xreplace(names) for e in expressions]
        self._rest = compile(rest, (drive, variance, *others, *order), name="from_averages")

    def __call__(self, drive: Array, variance: Array, *others: Array) -> Array:
        """Values, (expressions, rows)."""
        if drive.size == 0:
            return np.empty((len(self._rest.expressions), 0))
        found = []
        for sign, function in self._groups:
            with np.errstate(over="ignore"):
                values, errors = gaussian(function, variance, function.features, sign * drive)
            _known(values, errors)
            found.append(values)
        columns = np.concatenate(found) if found else np.empty((0, drive.size))
        flat = [np.array(np.broadcast_to(a, drive.shape), float) for a in (drive, variance, *others)]
        return self._rest.evaluate(*flat, *np.ascontiguousarray(columns))[0]


def _about(node: Expectation, drive: Symbol, variance: Symbol) -> tuple[int, Expr]:
    """The sign of the drive in an average, and its integrand about zero."""
    (x,), (q,) = node.variables, node.covariance
    assert q == variance
    for sign in (1, -1):
        moved = node.integrand.subs(x, x - sign * drive)
        if node.integrand.has(drive) and not moved.has(drive):
            return sign, moved
    assert not node.integrand.has(drive)
    return 0, node.integrand


def _known(values: Array, errors: Array) -> None:
    if not np.isfinite(values).all():
        raise InfiniteMomentError(
            "A Gaussian average of this activation does not exist or overflows at the variance that the network has. "
            "Use an activation that grows more slowly, or less noise."
        )
    if not np.isfinite(errors).all():
        raise ConvergenceError(
            "A Gaussian average of this activation oscillates too often to be resolved. Use less noise."
        )


__all__ = ["Averages", "Function"]
