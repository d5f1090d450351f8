"""The edge of chaos chi_1 = 1, explicit in q: sigma_w^2 = 1/P(q), sigma_b^2 = q - V(q)/P(q).

The difference is compiled in the form of `theory.meanfield.critical_excess`, which keeps its digits down to q = 0, and
the end of the edge at sigma_b = 0 is a limit that theory knows (`critical_limit`): no small q stands for it.

No activation has two edges at one sigma_b > 0: along the edge sigma_b^2 grows with q, at least as its root
(`theory.meanfield.critical_growth`). What is looked for is therefore one crossing.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Expr

from widelimit.numerics import arguments
from widelimit.numerics.meanfield.layers import layer
from widelimit.numerics.meanfield.lengths import GRID
from widelimit.numerics.meanfield.maps import Maps, maps
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, ConvergenceError, NoFixedPointError

Array = np.ndarray
ROUNDING = 1e-13
DECADE = 64  # steps of GRID


@by_value
@dataclass(frozen=True)
class CriticalLine:
    """Points of the edge of chaos; floats, or arrays.

    `stable` says whether the length map is stable there (length_slope < 1); where it is not, the recursion leaves
    q_star and the edge is never seen (swish, GELU). Near the edge inputs drift together as
    eps = 1 - c ~ decay_coefficient / l**decay_power: power 1 for smooth phi (beta), 2 with kinks. Points that do not
    exist (arrays only) have exists=False and inf in their fields. `growth` = d sigma_b^2/d log q_star along the edge,
    at least sigma_b^2/2 (`theory.meanfield.critical_growth`).

    At sigma_b = 0 the edge ends at q_star = 0, and every field is the limit there: length_slope is 1, `stable` is that
    of the edge nearby (as wherever length_slope is 1 to rounding): the recursion falls towards 0, or it runs away.
    `solutions` lists the q_star of a scalar request by sigma_b, `solutions_sigma_w` and `solutions_stable` what belongs
    to it: no activation has two (`theory.meanfield.critical_growth`).
    """

    q_star: Any
    sigma_w: Any
    sigma_b: Any
    length_slope: Any
    stable: Any
    decay_power: Any
    decay_coefficient: Any
    exists: Any
    growth: Any
    solutions: tuple[float, ...] = ()
    solutions_sigma_w: tuple[float, ...] = ()
    solutions_stable: tuple[bool, ...] = ()


def critical_line(
    activation: str | Activation | Expr, *, q_star: Any = None, sigma_b: Any = None
) -> CriticalLine:
    """Edge of chaos by q_star (explicit) or by sigma_b (the q that solves it: there is one at most).

    ``sigma_w^2 = 1/P(q)``, ``sigma_b^2 = q - V(q)/P(q)``, P = E phi'^2 (1611.01232, section 3). sigma_b = 0 gives the
    limit q* = 0 with sigma_w^2 = 2/(phi'(0-)^2 + phi'(0+)^2) where phi(0) = 0 (1 for tanh and elu); where every q is on
    the edge (ReLU), q_star = 1 is returned. An activation that is flat at 0, such as x**2, has no edge there.
    Raises `NoFixedPointError` for a scalar request without solution and `ArgumentError` if not exactly one of q_star,
    sigma_b is given.

    >>> line = critical_line("tanh", sigma_b=0.05**0.5)
    >>> round(line.q_star, 12), round(line.sigma_w**2, 12), line.stable
    (0.570047881641, 1.760954639607, True)
    >>> round(line.length_slope, 8), round(line.decay_coefficient, 8), round(line.growth, 8)
    (0.51818648, 6.17112614, 0.10310813)
    >>> critical_line("tanh", sigma_b=0).sigma_w
    1.0
    >>> f"{critical_line('tanh', sigma_b=1e-20).q_star:.6g}"  # sigma_b^2 = 4 q^3/3
    '4.21716e-14'
    >>> round(critical_line("hard_tanh", q_star=0.5).decay_coefficient, 8)
    233.04942091
    """
    if (q_star is None) == (sigma_b is None):
        raise ArgumentError(
            "q_star", "or `sigma_b` must be given", but="both or none are", help="Pass exactly one of them."
        )
    functions = maps(activation)
    if q_star is not None:
        q = arguments.non_negative("q_star", q_star)
        columns = _line(functions, q.reshape(-1).astype(float))
        return _shaped(functions, columns, q.shape, _at("q_star", q), ())
    b = arguments.non_negative("sigma_b", sigma_b)
    biases = b.reshape(-1).astype(float)
    every = _solutions(functions, biases)
    columns = _line(functions, np.array([_preferred(functions, found) for found in every]))
    # what was asked for, not what rounding makes of q - V/P
    columns["sigma_b"] = np.where(columns["exists"], biases, np.inf)
    return _shaped(functions, columns, b.shape, _at("sigma_b", b), () if b.shape else tuple(every[0]))


def _at(name: str, value: Array) -> str:
    return f"{name} = {float(value):g}" if value.ndim == 0 else name


def _shaped(
    functions: Maps, columns: dict[str, Any], shape: tuple[int, ...], at: str, solutions: tuple[float, ...]
) -> CriticalLine:
    """Return arrays of the shape of the request, or the numbers of a scalar one, which must exist."""
    if shape:
        shaped: dict[str, Any] = {name: value.reshape(shape) for name, value in columns.items()}
        return CriticalLine(**shaped)
    if not columns["exists"][0]:
        raise NoFixedPointError(
            f"The activation {functions.activation.name} has no edge of chaos at {at}: no finite sigma_w > 0 "
            "gives chi_1 = 1 together with sigma_b**2 >= 0. Try another value, or scan q_star with an array."
        )
    numbers: dict[str, Any] = {name: value[0].item() for name, value in columns.items()}
    if not solutions:
        return CriticalLine(**numbers)
    every = _line(functions, np.array(solutions))
    weights, stable = every["sigma_w"].tolist(), every["stable"].tolist()
    return CriticalLine(
        **numbers, solutions=solutions, solutions_sigma_w=tuple(weights), solutions_stable=tuple(stable)
    )


def _line(functions: Maps, q: Array) -> dict[str, Any]:
    there = np.isfinite(q)
    ends = there & (q == 0)
    at = np.where(there & ~ends, q, 1.0)
    (v, p, slope), _ = functions.moments(at)
    w2, b2, length = layer().edge(at, p, functions.excess.evaluate(at, missing=True)[0][0], slope)
    with np.errstate(all="ignore"):
        b2 = np.where((b2 < 0) & (b2 >= -ROUNDING * (at + v * w2)), 0.0, b2)
        length = np.where(np.abs(length - 1) <= ROUNDING, 1.0, length)
    coefficient = functions.decay.evaluate(at, missing=True)[0][0]
    growth = functions.growth.evaluate(at, missing=True)[0][0]
    stable = length < 1
    if (level := there & (length == 1)).any():  # rounding: as on the edge nearby
        stable = np.where(level, _falls(functions), stable)
    if ends.any():
        weights, law = functions.formulas.end or (np.inf, np.inf)
        w2, b2 = np.where(ends, weights, w2), np.where(ends, 0.0, b2)
        length, coefficient = np.where(ends, 1.0, length), np.where(ends, law, coefficient)
        stable = np.where(ends, _falls(functions), stable)
    there = there & np.isfinite(w2) & (w2 > 0) & (b2 >= 0)
    columns = {
        "q_star": q,
        "sigma_w": np.sqrt(np.where(there, w2, np.inf)),
        "sigma_b": np.sqrt(np.where(there, b2, np.inf)),
        "length_slope": length,
        "decay_power": np.full(q.shape, functions.formulas.decay_power),
        "decay_coefficient": coefficient,
        "growth": np.where(ends, 0.0, growth),
    }
    columns = {name: np.where(there, value, np.inf) for name, value in columns.items()}
    return {**columns, "stable": there & stable, "exists": there}


@functools.lru_cache(maxsize=64)
def _grid(functions: Maps) -> tuple[Array, bool]:
    """Return sigma_b^2 on `GRID` (NaN where it is not known), and whether the edge attracts as q -> 0."""
    (_, p, slope), errors = functions.rough_moments(GRID)
    (excess,), (uncertain,) = functions.excess.evaluate(GRID, missing=True)
    with np.errstate(all="ignore"):
        _, bias, drift = layer().edge(GRID, p, excess, slope)
        bias, drift = np.where(np.isfinite(uncertain + errors[1]), bias, np.nan), drift - 1
    known = np.isfinite(drift) & (np.abs(drift) > ROUNDING)
    return np.where(np.isfinite(bias), bias, np.nan), bool(known.any() and drift[known.argmax()] < 0)


def _falls(functions: Maps) -> bool:
    """Say whether dq'/dq is below 1 along the edge next to its end at q = 0."""
    return _grid(functions)[1]


def _solutions(functions: Maps, biases: Array) -> list[list[float]]:
    """Return every q with q - V/P = sigma_b^2 per sigma_b; [0] or [1] for the limits at sigma_b = 0."""
    found: list[list[float]] = [[] for _ in biases]
    if functions.formulas.excess == 0:  # every q is on the edge, which is the one point sigma_b = 0
        return [[1.0] if b == 0 else [] for b in biases]
    grid, _ = _grid(functions)
    centred = functions.table.v_zero == 0
    rows, lows, highs = [], [], []
    for row, target in enumerate(biases**2):
        if target == 0 and centred:  # q - V/P > 0 at every q
            found[row] = [0.0] if functions.formulas.end else []
            continue
        if centred and grid[np.isfinite(grid).argmax()] > target:
            root = _below(functions, grid, target)
            found[row] += [] if root is None else [root]
        sign = np.sign(grid - target)
        cells = np.flatnonzero(sign[1:] * sign[:-1] < 0)
        found[row] += GRID[np.flatnonzero(sign == 0)].tolist()
        rows += [row] * cells.size
        lows += GRID[cells].tolist()
        highs += GRID[cells + 1].tolist()
    if rows:
        for row, q in zip(
            rows, _crossings(functions, biases[rows] ** 2, np.array(lows), np.array(highs)), strict=True
        ):
            found[row].append(float(q))
    return [sorted(one) for one in found]


def _below(functions: Maps, grid: Array, target: float) -> float | None:
    """Return the root below the known part of `GRID`: of the small-q series, else of the power that the grid shows."""
    first = int(np.isfinite(grid).argmax())
    if functions.small is not None:
        terms = functions.small
        least = int(np.flatnonzero(terms)[0])
        q = (target / terms[least]) ** (1 / least)
        for _ in range(8):  # the next terms, as a factor
            q = (target / np.polyval(terms[least:][::-1], q)) ** (1 / least)
        return float(q) if q ** (terms.size - least) < ROUNDING else None
    if first:
        return None
    power = float(np.log(grid[DECADE] / grid[0]) / np.log(GRID[DECADE] / GRID[0]))
    nearest = round(4 * power) / 4
    return float(GRID[0] * (target / grid[0]) ** (1 / (nearest if abs(power - nearest) < 1e-3 else power)))


def _crossings(functions: Maps, target: Array, low: Array, high: Array) -> Array:
    """Return the roots of sigma_b^2(q) - target between low and high, many together (Ridders' method)."""

    def excess(q: Array, rows: Any) -> Array:
        (_, p, slope), _ = functions.moments(q)
        above = functions.excess.evaluate(np.ascontiguousarray(q), missing=True)[0][0]
        return layer().edge(q, p, above, slope)[1] - target[rows]

    low, high, everywhere = low.copy(), high.copy(), np.arange(target.size)
    f_low, f_high = excess(low, everywhere), excess(high, everywhere)
    q, active = 0.5 * (low + high), everywhere
    for _ in range(100):
        if active.size == 0:
            return q
        a, b, fa, fb = low[active], high[active], f_low[active], f_high[active]
        middle = 0.5 * (a + b)
        fm = excess(middle, active)
        new = middle + (middle - a) * np.sign(fa - fb) * fm / np.sqrt(fm * fm - fa * fb)
        fn = excess(new, active)
        done = (fn == 0) | (np.abs(new - q[active]) <= 4e-16 * new) | (b - a <= 4e-16 * b)
        q[active] = new
        for point, value in ((middle, fm), (new, fn)):
            inside = (point >= low[active]) & (point <= high[active])
            left = inside & (np.sign(value) == np.sign(f_low[active]))
            right = inside & ~left
            low[active[left]], f_low[active[left]] = point[left], value[left]
            high[active[right]], f_high[active[right]] = point[right], value[right]
        active = active[~done]
    raise ConvergenceError(f"An edge of chaos near q = {q[active[0]]:g} was not resolved in 100 steps.")


def _preferred(functions: Maps, found: list[float]) -> float:
    """Return the smallest solution where the length map is stable, else the smallest, else inf."""
    if not found:
        return np.inf
    stable = np.flatnonzero(_line(functions, np.array(found))["stable"])
    return found[int(stable[0])] if stable.size else found[0]
