"""The reciprocal gated cell: how large its states are, how perturbations grow, and where activity runs away."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq, elementwise
from sympy import Expr

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.compile.quadrature import TINY
from widelimit.numerics.results import by_value
from widelimit.theory import recurrence as theory
from widelimit.theory.errors import ArgumentError, NoFixedPointError
from widelimit.theory.kernel import SIGMA_W

Array = np.ndarray
INPUTS = ("constant", "fresh")
_TIGHT = {"xatol": 0.0, "xrtol": 4e-16, "fatol": 0.0, "frtol": 0.0}
_AVERAGES: dict[Any, Expr] = {theory.PASSED: theory.passed_share(), theory.STEEP: theory.gate_steepness()}
_STRENGTH = theory.rest_strength().subs(_AVERAGES)


@by_value
@dataclass(frozen=True)
class Reciprocal:
    """State of a reciprocal gated cell with weights of one variance; floats, or arrays of the broadcast shape.

    `q_star` = E h^2 = E c^2; `chi_1`: growth of a perturbation's mean square in a step. `spectral`: with tied weights
    what has to be below 1 for the rest to be stable, None with fresh ones. `runaway`: the sigma_w^2 R beyond which
    nothing rests, inf with fresh weights; `strength` is the sigma_w^2 R at hand. `gate_variance` of the gates'
    pre-activations, `passed` = E (1 - u)^2.
    """

    q_star: Any
    chi_1: Any
    spectral: Any
    runaway: float
    strength: Any
    gate_variance: Any
    passed: Any

    def mode(self, profile: Any) -> Any:
        """Return the growth of a perturbation of wave number kappa in a convolutional cell with fresh weights.

        |s + sigma_w^2 d (Q + R) v|, v = `profile` the transform of the kernel's profile of variances at kappa, which is
        1 at kappa = 0; weights of variance sigma_w^2/(k^2 C). Raises `ArgumentError` for a profile outside [-1, 1].

        >>> cell = reciprocal_gated(sigma_w=1.0, input_moment=1.0)
        >>> cell.mode(1.0) == cell.chi_1, round(cell.mode(1 / 3), 8)
        (True, 0.32839459)
        """
        hat = arguments.within("profile", profile, -1, 1)
        gates = np.broadcast_arrays(*map(np.asarray, (self.gate_variance, self.strength, hat)))
        found = _mode().evaluate(*(np.array(one, float).reshape(-1) for one in gates))[0][0]
        return arguments.scalar(found.reshape(hat.shape if not gates[0].shape else gates[0].shape))


@by_value
@dataclass(frozen=True)
class Unequal:
    """State of a cell whose weights differ in variance: E h^2, E c^2, the growth of mean squares and its matrix."""

    hidden: float
    cell: float
    chi_1: float
    matrix: Array


@functools.cache
def _excess() -> dict[str, Compiled]:
    """E h'^2 - E h^2 in units of R = 1, of E h^2 and the strength sigma_w^2 R, by kind of input."""
    v = {theory.GATE: SIGMA_W * theory.MEMORY, theory.R: 1, theory.INPUT_PASSED: theory.PASSED}
    fresh = theory.next_state() - theory.MEMORY
    kinds = {"fresh": fresh, "constant": fresh + theory.constant_input_gain()}
    return {
        name: compile(
            kind.subs({theory.INPUT_PASSED: theory.PASSED}).subs(_AVERAGES).subs(v),
            (theory.MEMORY, SIGMA_W),
            name=f"reciprocal_{name}",
        )
        for name, kind in kinds.items()
    }


# growth depends on sigma_w^2 Q = v and sigma_w^2 R alone: sigma_w = 1, Q = v, R = the strength
_UNITS = {SIGMA_W: 1, theory.MEMORY: theory.GATE}


@functools.cache
def _growth() -> Compiled:
    """chi_1 of fresh and of tied weights, the spectral condition and s, of a gate's variance and the strength."""
    fresh = theory.kept_growth() + theory.crossed_growth()
    parts = (fresh, theory.rest_growth(), theory.rest_spectral(), theory.PASSED)
    return compile(
        tuple(one.subs(_UNITS).subs(_AVERAGES) for one in parts),
        (theory.GATE, theory.R),
        name="reciprocal_growth",
    )


@functools.cache
def _mode() -> Compiled:
    return compile(
        theory.mode_growth().subs(_UNITS).subs(_AVERAGES),
        (theory.GATE, theory.R, theory.PROFILE),
        name="reciprocal_mode",
    )


@functools.cache
def _rest() -> Compiled:
    """sigma_w^2 R of a gate's variance at rest."""
    return compile(_STRENGTH, (theory.GATE,), name="reciprocal_rest")


@functools.cache
def _fold() -> tuple[float, float]:
    """The gates' variance at the fold, and sigma_w^2 R there."""
    elasticity = compile(theory.rest_elasticity().subs(_AVERAGES), (theory.GATE,), name="reciprocal_fold")
    v = brentq(lambda one: float(elasticity(one)) - 1, 0.1, 3.0, xtol=1e-15, rtol=1e-15)
    return v, float(_rest()(v))


def reciprocal_gated(
    *, sigma_w: Any, input_moment: Any, inputs: str = "constant", tied: bool = False
) -> Reciprocal:
    """Solve the mean field of h' = (1 - u(W_ch c)) x + (1 - u(W_hh h)) h, c likewise (1807.00053), identity outputs.

    With v = sigma_w^2 Q, s(v) = E (1 - u)^2, d(v) = E u'^2 over N(0, v). Fresh weights: Q = s (R + Q), plus R/2 where
    the input stays the same, chi_1 = s + sigma_w^2 d (Q + R). Tied weights, constant input: the state at rest,
    sigma_w^2 R = v/(s (1 + 2 e^(v/2) + e^(2v))), which has none beyond the fold at 0.3136.

    Args:
        sigma_w: standard deviation of all recurrent weights times the root of the width. Arrays broadcast.
        input_moment: mean square R of the input's components.
        inputs: "constant", one input for all steps as an image is, or "fresh", independent at each step.
        tied: whether the weights are the same at each step.

    Raises `ArgumentError` for numbers out of range and for fresh inputs to tied weights, of which no theory is known;
    `NoFixedPointError` beyond the fold (arrays: q_star = inf, the others inf beside it).

    >>> cell = reciprocal_gated(sigma_w=1.0, input_moment=1.0)
    >>> round(cell.q_star, 6), round(cell.chi_1, 6), cell.runaway
    (1.135087, 0.390278, inf)
    >>> tied = reciprocal_gated(sigma_w=0.5, input_moment=1.0, tied=True)
    >>> round(tied.q_star, 6), round(tied.spectral, 6), round(tied.chi_1, 6), round(tied.runaway, 12)
    (1.486931, 0.215698, 0.301369, 0.313632483017)
    >>> round(reciprocal_gated(sigma_w=1.0, input_moment=1.0, inputs="fresh").q_star, 6)
    0.369227
    """
    kind, tied = arguments.choice("inputs", inputs, INPUTS), arguments.flag("tied", tied)
    if tied and kind == "fresh":
        raise _no_theory()
    given = arguments.broadcast(
        sigma_w=arguments.near_one("sigma_w", arguments.non_negative("sigma_w", sigma_w)),
        input_moment=arguments.near_one("input_moment", arguments.positive("input_moment", input_moment)),
    )
    shape = given[0].shape
    costs.affordable("sigma_w", given[0].size, memory=200.0, seconds=2e-4, each="point")
    w, r = (np.array(one, float).reshape(-1) for one in given)
    strength = w * w * r
    runaway = _fold()[1] if tied else math.inf
    if tied and not shape and strength[0] > runaway:
        raise NoFixedPointError(
            f"Activity runs away at sigma_w^2 R = {strength[0]:g}: with tied weights nothing rests beyond "
            f"{runaway:.11f}. Use a sigma_w below {math.sqrt(runaway / r[0]):.6g}."
        )
    size = _at_rest(strength) if tied else _balance(kind, strength)
    v = np.where(np.isfinite(size), strength * size, 0.0)
    fresh, own, spectral, passed = _growth().evaluate(np.maximum(v, TINY), strength)[0]
    beyond = ~np.isfinite(size)
    found = (
        r * size, np.where(beyond, math.inf, own if tied else fresh),
        np.where(beyond, math.inf, spectral) if tied else None, runaway, strength,
        np.where(beyond, math.inf, v), np.where(beyond, math.inf, passed),
    )  # fmt: skip
    shaped: list[Any] = [
        arguments.scalar(one.reshape(shape)) if isinstance(one, np.ndarray) else one for one in found
    ]
    return Reciprocal(*shaped)


def _no_theory() -> ArgumentError:
    help = "With tied weights states remember what they were gated by; fresh inputs have a theory with tied=False."
    return ArgumentError("inputs", "must be 'constant' with tied weights", "fresh", help)


def _balance(kind: str, strength: Array) -> Array:
    """Return E h^2/R with fresh weights: its step has a slope below .57, so that there is one."""
    excess = _excess()[kind]

    def over(size: Array, a: Array) -> Array:
        flat = np.broadcast_arrays(size, a)
        return excess.evaluate(*(np.array(one, float).reshape(-1) for one in flat))[0][0].reshape(size.shape)

    low, high = (0.3, 1.1) if kind == "fresh" else (0.9, 2.1)
    small = np.maximum(strength, TINY)
    found = elementwise.find_root(
        over, (np.full(small.shape, low), np.full(small.shape, high)), args=(small,), tolerances=_TIGHT
    )
    return np.asarray(found.x)


def _at_rest(strength: Array) -> Array:
    """Return E h^2/R at rest with tied weights, on the branch that comes from strength 0; inf beyond the fold."""
    top, most = _fold()
    out = np.full(strength.shape, math.inf)
    inside = (strength <= most) & (strength > 0)
    out[strength == 0] = 1.0

    # v between the strength (E h^2 is never below R) and the fold
    def over(v: Array, a: Array) -> Array:
        return _rest().evaluate(v.reshape(-1))[0][0].reshape(v.shape) / a - 1

    a = strength[inside]
    found = elementwise.find_root(over, (0.5 * a, np.full(a.shape, top)), args=(a,), tolerances=_TIGHT)
    out[inside] = np.where(found.status == 0, found.x, top) / a
    return out


def _single(name: str, array: Array) -> float:
    return arguments.single(name, arguments.near_one(name, array))


@functools.cache
def _parts() -> Compiled:
    """s and d of a gate's variance."""
    return compile(tuple(_AVERAGES.values()), (theory.GATE,), name="reciprocal_gates")


@functools.cache
def _state() -> Compiled:
    """E h'^2 with fresh inputs and what a constant one adds, of s_x, s, Q and R; and both kinds of growth."""
    return compile(
        (theory.next_state(), theory.constant_input_gain(), theory.kept_growth(), theory.crossed_growth()),
        (theory.INPUT_PASSED, theory.PASSED, theory.STEEP, SIGMA_W, theory.MEMORY, theory.R),
        name="reciprocal_state",
    )


def reciprocal_unequal(
    *,
    hidden: float,
    cell_to_hidden: float,
    hidden_to_cell: float,
    cell: float,
    input_moment: float,
    inputs: str = "constant",
) -> Unequal:
    """Solve the mean field of a reciprocal gated cell with fresh weights whose four gates differ in variance.

    Q_h = s(v_ch) R + s(v_hh) Q_h (+ R/2), Q_c likewise; mean squares of perturbations grow by the matrix of
    s(v_hh) + sigma_hh^2 d(v_hh) Q_h and sigma_ch^2 d(v_ch) R, the same for c; chi_1 is its largest eigenvalue.

    Args:
        hidden, cell_to_hidden: sigma of W_hh and W_ch, in the gates of h.
        hidden_to_cell, cell: sigma of W_hc and W_cc, in the gates of c.
        input_moment: mean square R of the input's components.
        inputs: "constant" or "fresh", as for `reciprocal_gated`.

    Raises `ArgumentError` for numbers out of range.

    >>> found = reciprocal_unequal(hidden=0.5, cell_to_hidden=2.0, hidden_to_cell=1.0, cell=1.0, input_moment=1.0)
    >>> round(found.hidden, 6), round(found.cell, 6), round(found.chi_1, 6)
    (1.163994, 1.136338, 0.390768)
    """
    kind = arguments.choice("inputs", inputs, INPUTS)
    names, given = (
        ("hidden", "cell_to_hidden", "hidden_to_cell", "cell"),
        (hidden, cell_to_hidden, hidden_to_cell, cell),
    )
    sigmas = [
        _single(name, arguments.non_negative(name, one)) for name, one in zip(names, given, strict=True)
    ]
    r = _single("input_moment", arguments.positive("input_moment", input_moment))
    hh, ch, hc, cc = (s * math.sqrt(r) for s in sigmas)  # in units of R = 1

    def side(own: float, other: float, q: float, beside: float) -> tuple[float, ...]:
        gates = np.maximum([own**2 * q, other**2 * beside], TINY)
        (s, s_x), (d, d_x) = _parts().evaluate(gates)[0]
        state, gain, kept, _ = _state()(s_x, s, d, own, q, 1.0)
        crossed = _state()(s_x, s, d_x, other, q, 1.0)[3]
        return float(state) + (float(gain) if kind == "constant" else 0.0), float(kept), float(crossed)

    h = c = 1.0
    for _ in range(200):
        before = h, c
        h, c = side(hh, ch, h, c)[0], side(cc, hc, c, h)[0]
        if abs(h - before[0]) + abs(c - before[1]) <= 4e-16 * (h + c):
            break
    upper, lower = side(hh, ch, h, c), side(cc, hc, c, h)
    matrix = np.array([upper[1:], lower[:0:-1]])
    return Unequal(r * h, r * c, float(np.abs(np.linalg.eigvals(matrix)).max()), matrix)
