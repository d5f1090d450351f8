"""Words of matrices by numbers: what a product of symbols that do not commute is, at small matrices of mpmath.

A small exact ensemble of views stands for the data: three samples of three dimensions, each seen at its mean plus or
minus a deviation, independently for either view. The loss is its average; it is quadratic in each matrix, so that
central differences of it are exact.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import mpmath
from sympy import Expr, Symbol
from sympy.core.function import AppliedUndef

from widelimit.theory.calculus.precision import Values, evaluate
from widelimit.theory.ssl import formulas as t

Matrices = Mapping[Symbol, Any]


def drawn(rows: int, columns: int, seed: int) -> Any:
    """Return a matrix of short decimals; the same seed gives the same.

    >>> drawn(1, 2, 3).rows
    1
    """
    generator = random.Random(seed)
    return mpmath.matrix(
        [[mpmath.mpf(generator.randint(-90, 90)) / 100 for _ in range(columns)] for _ in range(rows)]
    )


MEANS, DEVIATIONS = [(3, 1, 11 + k) for k in range(3)], [(3, 1, 31 + k) for k in range(3)]


def ensemble() -> tuple[list[Any], list[Any]]:
    """Return the means and the deviations of the samples."""
    return [drawn(*one) for one in MEANS], [drawn(*one) for one in DEVIATIONS]


def moments() -> tuple[Any, Any]:
    """Return X and X_a of the ensemble."""
    means, deviations = ensemble()
    return tuple(sum((v * v.T for v in part[1:]), part[0] * part[0].T) / 3 for part in (means, deviations))


def loss(predictor: Any, encoder: Any, target: Any) -> Any:
    """Return half the mean square of W_p W x_1 - W_a x_2 over the ensemble."""
    total = mpmath.mpf(0)
    for mean, deviation in zip(*ensemble(), strict=True):
        for one in (-1, 1):
            for other in (-1, 1):
                gap = predictor * (encoder * (mean + one * deviation)) - target * (mean + other * deviation)
                total += mpmath.fsum(entry**2 for entry in gap)
    return total / 24


def gradient(function: Callable[[Any], Any], at: Any) -> Any:
    """Return the gradient of a quadratic function of a matrix, by central differences, which are exact."""
    found = mpmath.matrix(at.rows, at.cols)
    for i in range(at.rows):
        for j in range(at.cols):
            up, down = at.copy(), at.copy()
            up[i, j] += 1
            down[i, j] -= 1
            found[i, j] = (function(up) - function(down)) / 2
    return found


def network(values: Values, dps: int, *, isotropic: bool = False) -> dict[Symbol, Any]:
    """Return numbers for all symbols of a word: matrices drawn once, the other symbols as at a point of a step.

    With `isotropic` the data are ``x`` and ``x_a`` times the identity, the predictor is symmetric, the target tau W.
    """
    encoder, predictor, target = drawn(2, 3, 1), drawn(2, 2, 2), drawn(2, 3, 3)
    signal, spread = moments()
    known = {symbol: evaluate(symbol, values, dps) for symbol in values}
    if isotropic:
        predictor = (predictor + predictor.T) / 2
        target = known[t.TAU] * encoder
        signal, spread = (known[symbol] * mpmath.eye(3) for symbol in (t.SIGNAL, t.SPREAD))
    return known | {
        t.W: encoder, t.WT: encoder.T, t.WP: predictor, t.WPT: predictor.T, t.WA: target,
        t.X: signal, t.XA: spread, t.F: encoder * encoder.T,
    }  # fmt: skip


def value(word: Expr, at: Matrices) -> Any:
    """Return what a word is, as a matrix or a number; ``tr`` of a word is its trace.

    >>> print(mpmath.nstr(value(t.W * t.WT - t.F, network({}, 15))[0, 1], 3))
    0.0
    """
    if word.is_number:
        return mpmath.mpmathify(word.evalf(mpmath.mp.dps))
    if isinstance(word, AppliedUndef):
        inside = value(word.args[0], at)
        return mpmath.fsum(inside[i, i] for i in range(inside.rows))
    if word.is_Symbol:
        return at[word]
    if word.is_Pow:
        base, power = value(word.args[0], at), word.args[1]
        return base ** (int(power) if power.is_Integer else value(power, at))
    parts = [value(part, at) for part in word.args]
    total = parts[0]
    for part in parts[1:]:
        total = total * part if word.is_Mul else _sum(total, part)
    return total


def _sum(one: Any, other: Any) -> Any:
    """A number among matrices stands for as many times the identity."""
    if isinstance(one, mpmath.matrix) and not isinstance(other, mpmath.matrix):
        return one + other * mpmath.eye(one.rows)
    if isinstance(other, mpmath.matrix) and not isinstance(one, mpmath.matrix):
        return other + one * mpmath.eye(other.rows)
    return one + other


def probe(matrix: Any) -> Any:
    """Return one number of a matrix that depends on all its entries.

    >>> print(probe(mpmath.matrix([[1, 0], [0, 1]])) > 0)
    True
    """
    if not isinstance(matrix, mpmath.matrix):
        return matrix
    return mpmath.fsum(
        matrix[i, j] * mpmath.sqrt(2 + 3 * i + 5 * j) for i in range(matrix.rows) for j in range(matrix.cols)
    )
