"""Small matrices with which equations of matrices are checked: what descends the primitives, what is at rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import mpmath
from sympy import Add, Expr, Mul, Pow, Symbol

from widelimit.theory.alignment.rules import ALPHA, BETA, BT, GAMMA, WT, B, C, W
from widelimit.theory.calculus.ensembles import signs
from widelimit.theory.calculus.precision import SPARE, Values, evaluate, numbers

Matrix = Any  # of mpmath

COEFFICIENTS = {ALPHA: (0.5, 2.0), BETA: (0.5, 2.0), GAMMA: (0.1, 1.0)}
_WEIGHTS = [[1, 0.5, -0.25], [0.25, -1, 0.75]]
_FEEDBACK = [[0.5, 1], [-1, 0.25], [0.75, 0.5]]
_ROOT = [[1, 0.5, 0], [0, 0.75, 0.25], [0.5, 0, 1]]  # x = root s, of signs s


def matrices() -> dict[Symbol, Matrix]:
    """W (2 x 3), B and C by their symbols; C is neither diagonal nor white."""
    w, b, root = (mpmath.matrix(rows) for rows in (_WEIGHTS, _FEEDBACK, _ROOT))
    return {W: w, WT: w.T, B: b, BT: b.T, C: root * root.T}


def inputs() -> list[Matrix]:
    """Equally probable inputs of second moment C."""
    root = mpmath.matrix(_ROOT)
    return [root * mpmath.matrix(list(s)) for s in signs(3)]


def product(expr: Expr, values: Values, dps: int, known: Mapping[Symbol, Matrix] | None = None) -> Matrix:
    """An expression in symbols of matrices, as it is shown, at numbers; a number in a sum is a multiple of 1."""
    known = matrices() if known is None else known
    if expr in known:
        return known[expr]
    if expr.is_commutative:
        return evaluate(expr, values, dps)
    parts = [product(one, values, dps, known) for one in expr.args]
    if isinstance(expr, Mul):
        return reduce(lambda left, right: left * right, parts)
    if isinstance(expr, Add):
        size = next(part.rows for part in parts if isinstance(part, mpmath.matrix))
        whole = mpmath.zeros(size, next(part.cols for part in parts if isinstance(part, mpmath.matrix)))
        for part in parts:
            whole += part if isinstance(part, mpmath.matrix) else part * mpmath.eye(size)
        return whole
    assert isinstance(expr, Pow) and expr.exp.is_Integer, expr
    return product(expr.base, values, dps, known) ** int(expr.exp)


def probed(matrix: Matrix) -> Any:
    """One number of a matrix in which every entry has a weight of its own."""
    return mpmath.fsum(
        matrix[i, j] * mpmath.sqrt(2 + 3 * i + 7 * j) for i in range(matrix.rows) for j in range(matrix.cols)
    )


def shown(expr: Expr, values: Values, dps: int) -> Any:
    """The right side of a step: the expression that is shown, by numbers."""
    return probed(product(expr, values, dps))


def loss(rule: str, w: Matrix, b: Matrix, values: Values, dps: int) -> Any:
    """The primitives of a rule, averaged over `inputs`; nothing is multiplied out."""
    alpha, beta, gamma = numbers(values, dps, ALPHA, BETA, GAMMA)

    def square(m: Matrix) -> Any:
        return mpmath.fsum(entry**2 for entry in m)

    decay = (square(w) + square(b)) / 2
    drawn = inputs()
    count = len(drawn)
    amp = -mpmath.fsum((x.T * (b * (w * x)))[0] for x in drawn) / count
    if rule == "symmetric":
        self_ = -mpmath.fsum((b * w)[k, k] for k in range(b.rows))
        return alpha * decay + beta * self_
    if rule == "mirror":
        return alpha * decay + beta * amp
    if rule == "activation":
        sparse = mpmath.fsum(square(w * x) + square(b.T * x) for x in drawn) / (2 * count)
        return alpha * sparse + beta * amp
    null = mpmath.fsum(square(b * (w * x)) for x in drawn) / (2 * count)
    return alpha * amp + beta * null + gamma * decay


def descent(rule: str, forward: bool, w: Matrix, b: Matrix, values: Values, dps: int) -> Matrix:
    """Minus the gradient of `loss` by W or B: central differences of a quadratic function, which are exact."""
    if rule == "kolen_pollack":  # W and B^T take the same steps: their difference decays
        return alpha_of(values, dps) * (w.T - b)
    moved = w if forward else b
    found = mpmath.zeros(moved.rows, moved.cols)
    for i in range(moved.rows):
        for j in range(moved.cols):
            sides = []
            for step in (1, -1):
                other = moved.copy()
                other[i, j] += step
                at = (other, b) if forward else (w, other)
                sides.append(loss(rule, *at, values, dps))
            found[i, j] = -(sides[0] - sides[1]) / 2
    return found


def alpha_of(values: Values, dps: int) -> Any:
    """The decay of weights."""
    return numbers(values, dps, ALPHA)[0]


def descends(rule: str, forward: bool, values: Values, dps: int) -> Any:
    """What a flow means: the descent of the primitives, at the matrices of this module."""
    known = matrices()
    return probed(descent(rule, forward, known[W], known[B], values, dps))


def rests(rule: str, values: Values, dps: int) -> Any:
    """Where the descent of B vanishes, by solving linear equations for its entries."""
    known = matrices()
    return probed(_root_of(lambda b: descent(rule, False, known[W], b, values, dps), 3, 2))


def _root_of(function: Callable[[Matrix], Matrix], rows: int, columns: int) -> Matrix:
    """The root of an affine map of matrices."""
    start = function(mpmath.zeros(rows, columns))
    size = rows * columns
    slopes = mpmath.zeros(size, size)
    for k in range(size):
        unit = mpmath.zeros(rows, columns)
        unit[k // columns, k % columns] = 1
        moved = function(unit) - start
        for i in range(size):
            slopes[i, k] = moved[i // columns, i % columns]
    solved = mpmath.lu_solve(slopes, -mpmath.matrix([start[i // columns, i % columns] for i in range(size)]))
    found = mpmath.zeros(rows, columns)
    for k in range(size):
        found[k // columns, k % columns] = solved[k]
    return found


def decodes(values: Values, dps: int) -> Any:
    """E[x y^T] (E[y y^T])^-1 of y = W x + noise of variance gamma/beta, noise and x running through their signs."""
    beta, gamma = numbers(values, dps, BETA, GAMMA)
    w = matrices()[W]
    with mpmath.workdps(dps + SPARE):
        scale = mpmath.sqrt(gamma / beta)
        cross, own, count = mpmath.zeros(3, 2), mpmath.zeros(2, 2), 0
        for x in inputs():
            for s in signs(2):
                y = w * x + scale * mpmath.matrix(list(s))
                cross, own, count = cross + x * y.T, own + y * y.T, count + 1
        return probed((cross / count) * mpmath.inverse(own / count))
