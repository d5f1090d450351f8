"""The edge of chaos chi_1 = 1, explicit in q: sigma_w^2 = 1/P(q), sigma_b^2 = q - V(q)/P(q)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Expr

from widelimit.numerics import arguments
from widelimit.numerics.meanfield_lengths import GRID
from widelimit.numerics.meanfield_maps import Maps, maps
from widelimit.numerics.quadrature import TINY
from widelimit.numerics.results import by_value
from widelimit.theory.activation import Activation
from widelimit.theory.errors import ArgumentError, NoFixedPointError

Array = np.ndarray
ROUNDING = 1e-13


@by_value
@dataclass(frozen=True)
class CriticalLine:
    """Points of the edge of chaos; floats, or arrays.

    `stable` says whether the length map is stable there (length_slope < 1); where it is not, the recursion leaves
    q_star and the edge is never seen (swish, GELU). Near the edge inputs drift together as
    eps = 1 - c ~ decay_coefficient / l**decay_power: power 1 for smooth phi (beta), 2 with kinks. Points that do not
    exist (arrays only) have exists=False and inf in their fields. `solutions` lists every q_star of a scalar request
    by sigma_b.
    """

    q_star: Any
    sigma_w: Any
    sigma_b: Any
    length_slope: Any
    stable: Any
    decay_power: Any
    decay_coefficient: Any
    exists: Any
    solutions: tuple[float, ...] = ()


def critical_line(
    activation: str | Activation | Expr, *, q_star: Any = None, sigma_b: Any = None
) -> CriticalLine:
    """Edge of chaos by q_star (explicit) or by sigma_b (every q that solves it; a stable one is preferred).

    ``sigma_w^2 = 1/P(q)``, ``sigma_b^2 = q - V(q)/P(q)``, P = E phi'^2 (1611.01232, section 3). sigma_b = 0 gives the
    limit: q* = 0 and sigma_w = 1/|phi'(0)| for tanh; where every q is on the edge (ReLU), q_star = 1 is returned.
    Raises `NoFixedPointError` for a scalar request without solution and `ArgumentError` if not exactly one of q_star,
    sigma_b is given.

    >>> line = critical_line("tanh", sigma_b=0.05**0.5)
    >>> round(line.q_star, 12), round(line.sigma_w**2, 12), line.stable
    (0.570047881641, 1.760954639607, True)
    """
    if (q_star is None) == (sigma_b is None):
        raise ArgumentError(
            "q_star", "or `sigma_b` must be given", but="both or none are", help="Pass exactly one of them."
        )
    functions = maps(activation)
    if q_star is not None:
        q = arguments.non_negative("q_star", q_star)
        flat = q.reshape(-1).astype(float)
        solutions: tuple[float, ...] = ()
        shape = q.shape
    else:
        b = arguments.non_negative("sigma_b", sigma_b)
        shape = b.shape
        every = [_solutions(functions, float(value)) for value in b.reshape(-1)]
        flat = np.array([_preferred(functions, found) for found in every])
        solutions = tuple(every[0]) if not shape else ()
    columns = _line(functions, flat)
    if sigma_b is not None:  # what was asked for, not what rounding makes of q - V/P
        columns["sigma_b"] = np.where(columns["exists"], b.reshape(-1), np.inf)
    if not shape:
        if not columns["exists"][0]:
            at = f"q_star = {flat[0]:g}" if q_star is not None else f"sigma_b = {float(b):g}"
            raise NoFixedPointError(
                f"The activation {functions.activation.name} has no edge of chaos at {at}: no sigma_w gives chi_1 = 1 "
                "together with sigma_b**2 >= 0. Try another value, or scan q_star with an array."
            )
        return CriticalLine(**{name: value[0].item() for name, value in columns.items()}, solutions=solutions)
    return CriticalLine(**{name: value.reshape(shape) for name, value in columns.items()}, solutions=())


def _line(functions: Maps, q: Array) -> dict[str, Array]:
    there = np.isfinite(q)
    (v, p, slope), _ = functions.moments(np.where(there, q, 1.0))
    with np.errstate(all="ignore"):
        w2, b2 = 1 / p, np.maximum(q, TINY) - v / p  # the moments at 0 are those at TINY
        b2 = np.where(np.abs(b2) <= ROUNDING * (q + v / p), 0.0, b2)
        there = there & np.isfinite(w2) & (b2 >= 0)
        length = np.where(np.abs(w2 * slope - 1) <= ROUNDING, 1.0, w2 * slope)
    at = np.maximum(np.where(there, q, 1.0), TINY)
    (coefficient,) = functions.decay.evaluate(at, missing=True)[0]
    columns = {
        "q_star": q,
        "sigma_w": np.sqrt(np.where(there, w2, np.inf)),
        "sigma_b": np.sqrt(np.where(there, b2, np.inf)),
        "length_slope": length,
        "decay_power": np.full(q.shape, float(functions.formulas.decay_power)),
        "decay_coefficient": coefficient,
    }
    columns = {name: np.where(there, value, np.inf) for name, value in columns.items()}
    return {**columns, "stable": there & (length < 1), "exists": there}


def _solutions(functions: Maps, sigma_b: float) -> list[float]:
    """Return every q with q - V/P = sigma_b^2 (inf-free); [0] or [1] for the limits at sigma_b = 0."""
    target = sigma_b**2
    (v, p, _), _ = functions.moments(GRID)
    with np.errstate(all="ignore"):
        excess = GRID - v / p - target
    good = np.isfinite(excess)
    if target == 0 and (np.abs(excess[good]) <= ROUNDING * GRID[good]).all():
        return [1.0]
    found = []
    if target == 0 and functions.table.v_zero == 0:
        found.append(0.0)
        excess = np.where(np.abs(excess) < 1e-12 * GRID, 0.0, excess)  # rounding, not a root
    sign = np.sign(excess)
    cells = np.flatnonzero(good[1:] & good[:-1] & (sign[1:] * sign[:-1] < 0))
    found += [_bisect(functions, target, GRID[left], GRID[left + 1]) for left in cells]
    return found


def _bisect(functions: Maps, target: float, low: float, high: float) -> float:
    from scipy.optimize import brentq

    def excess(q: float) -> float:
        (v, p, _), _ = functions.moments(np.array([q]))
        return float(q - v[0] / p[0] - target)

    return float(brentq(excess, low, high, xtol=1e-300, rtol=4 * np.finfo(float).eps))


def _preferred(functions: Maps, found: list[float]) -> float:
    """Return the smallest solution where the length map is stable, else the smallest, else inf."""
    if not found:
        return np.inf
    (_, p, slope), _ = functions.moments(np.array(found))
    stable = np.flatnonzero(slope / p < 1)
    return found[int(stable[0])] if stable.size else found[0]
