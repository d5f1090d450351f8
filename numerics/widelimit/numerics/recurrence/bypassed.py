"""A bypass around a recurrent layer: what it keeps, where its edge of chaos is, how long it remembers."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Expr

from widelimit.numerics import arguments, costs, meanfield
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import recurrence as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.errors import ArgumentError, DomainError, NoFixedPointError

Array = np.ndarray
_MOST_STEPS = 10**5


@by_value
@dataclass(frozen=True)
class Bypass:
    """State of h' = l h + (1 - l)(W phi(h) + b); floats, or arrays of the broadcast shape.

    `q_star` = E h^2, with tied weights that of the state at rest; `chi_1` the growth of a perturbation's mean square a
    step, with tied weights in the long run: `radius`^2. `radius`: growth of its length a step. `edge`: the sigma_w at
    which that is 1, inf where none does it. `time_scale`: steps over which mean squares fade, -1/log chi_1; with tied
    weights those over which a state at rest keeps a perturbation, 1/(1 - radius); negative where they grow, inf at the
    edge. `slope`: the growth per step of lengths without bypass, at this state. `stable`: whether q_star attracts.
    """

    q_star: Any
    chi_1: Any
    edge: Any
    time_scale: Any
    radius: Any
    slope: Any
    stable: Any
    keep: Any
    tied: bool

    def mean_square(self, steps: int) -> Any:
        """Return by what a perturbation's mean square has grown after `steps` steps.

        Fresh weights: chi_1^t; tied: sum C(t, k)^2 l^(2(t-k)) ((1 - l) slope)^(2k), above radius^(2t)/(t + 1). Raises
        `ArgumentError` for steps that are no count, `DomainError` where growth leaves the range of floats.

        >>> found = bypass("tanh", keep=0.5, sigma_w=0.9, tied=True)
        >>> round(found.mean_square(2), 8), round(found.radius, 8)
        (0.30600625, 0.95)
        """
        t = arguments.count("steps", steps)
        if t > _MOST_STEPS:
            raise ArgumentError("steps", f"must be at most {_MOST_STEPS}", steps)
        if not self.tied:
            with np.errstate(over="ignore"):
                grown = np.asarray(self.chi_1, float) ** t
        else:
            pairs = np.broadcast(np.asarray(self.keep, float), np.asarray(self.slope, float))
            costs.affordable("steps", pairs.size * t, memory=40.0, seconds=3e-8, each="step")
            k = np.arange(t + 1.0)
            sums = [
                math.fsum(_term().evaluate(*map(np.ascontiguousarray, np.broadcast_arrays(k, t, a, b)))[0][0])
                for a, b in pairs
            ]
            grown = np.array(sums).reshape(pairs.shape)
        if not np.isfinite(grown).all():
            raise DomainError(
                f"A perturbation of {steps} steps grows beyond the range of floats: take fewer steps."
            )
        return arguments.scalar(grown)


@functools.cache
def _factor() -> Compiled:
    return compile(theory.bypass_scale(), (theory.KEEP,), name="bypass_scale")


@functools.cache
def _fresh() -> Compiled:
    """chi_1, and 1 minus it."""
    return compile(
        (theory.bypass_growth(), theory.bypass_loss()), (theory.KEEP, theory.LAYER), name="bypass_fresh"
    )


@functools.cache
def _tied() -> Compiled:
    """The radius, and steps that a perturbation is kept."""
    return compile(
        (theory.tied_radius(), theory.tied_loss(), theory.tied_time_scale()),
        (theory.KEEP, theory.SLOPE),
        name="bypass_tied",
    )


@functools.cache
def _term() -> Compiled:
    return compile(
        theory.tied_term(), (theory.TERM, theory.STEPS, theory.KEEP, theory.SLOPE), name="tied_term"
    )


@functools.cache
def _fading() -> Compiled:
    return compile(theory.time_scale(), (theory.LOSS,), name="time_scale")


def bypass(
    activation: str | Activation | Expr, *, keep: Any, sigma_w: Any, sigma_b: Any = 0.0, tied: bool = False
) -> Bypass:
    """Solve the mean field of h' = l h + (1 - l)(W phi(h) + b) (1807.00053 in its simplest form), l = `keep`.

    Fresh weights: q = l^2 q + (1 - l)^2 (sigma_w^2 E phi^2 + sigma_b^2), chi_1 = l^2 + (1 - l)^2 sigma_w^2 E phi'^2, an
    edge of chaos at sigma_w^2 E phi'^2 = (1 + l)/(1 - l). Tied weights: perturbations of the state at rest, h = W
    phi(h) + b, grow by l + (1 - l) sigma_w sqrt(E phi'^2): the edge is that of the network without bypass.

    Args:
        activation: a catalogue name or an expression in x.
        keep: l, the share of the state that is kept, from 0 to below 1. Arrays broadcast.
        sigma_w: standard deviation of the weights times the root of the width.
        sigma_b: standard deviation of the biases.
        tied: whether the weights are the same at each step.

    Raises `ArgumentError` for numbers out of range, `NoFixedPointError` where a scalar request has no finite q_star
    (arrays: inf), `DomainError` for tied weights where phi has a kink at the state of rest h = 0.

    >>> fresh = bypass("tanh", keep=0.8, sigma_w=2.0)
    >>> fresh.q_star, round(fresh.chi_1, 10), round(fresh.edge, 10), round(fresh.time_scale, 8)
    (0.0, 0.8, 3.0, 4.48142012)
    >>> round(bypass("tanh", keep=0.8, sigma_w=4.0, sigma_b=0.3).q_star, 10)
    0.4917394245
    >>> tied = bypass("tanh", keep=0.8, sigma_w=0.95, tied=True)
    >>> tied.q_star, round(tied.radius, 10), tied.edge, round(tied.time_scale, 8)
    (0.0, 0.99, 1.0, 100.0)
    """
    phi, tied = Activation.of(activation), arguments.flag("tied", tied)
    kept = arguments.within("keep", keep, 0, 1)
    if (kept == 1).any():
        raise ArgumentError("keep", "must be below 1", 1.0, "A state that is kept whole never changes.")
    given = arguments.broadcast(
        keep=kept,
        sigma_w=arguments.near_one("sigma_w", arguments.non_negative("sigma_w", sigma_w)),
        sigma_b=arguments.near_one("sigma_b", arguments.non_negative("sigma_b", sigma_b)),
    )
    shape, size = given[0].shape, given[0].size
    costs.affordable("keep", size, memory=800.0, seconds=5e-6, each="point")
    share, w, b = (np.array(one, float).reshape(-1) for one in given)
    factor = np.ones(size) if tied else _factor().evaluate(share)[0][0]
    q, layer, stable = _layer(phi, factor * w, factor * b, tied)
    if not shape and not math.isfinite(q[0]):
        raise NoFixedPointError(
            f"The variance has no finite fixed point for {phi.name} at keep = {share[0]:g}, sigma_w = {w[0]:g}, "
            f"sigma_b = {b[0]:g}: activity grows without bound. Use a smaller sigma_w or sigma_b."
        )
    edge = _edge(phi, factor * b, tied) / factor
    if tied:
        slope = np.sqrt(layer)
        radius, loss, time = _tied().evaluate(share, slope)[0]
        chi, time = radius**2, np.where(loss == 0, math.inf, time)
        stable = radius < 1
    else:
        chi, loss = _fresh().evaluate(share, layer)[0]
        slope, radius = np.sqrt(layer) / factor, np.sqrt(chi)
        time = np.array([_scale(one) for one in loss])
    names = ("q_star", "chi_1", "edge", "time_scale", "radius", "slope", "stable", "keep")
    parts = (q, chi, edge, time, radius, slope, stable, share)
    found = {
        name: arguments.scalar(np.asarray(one).reshape(shape)) for name, one in zip(names, parts, strict=True)
    }
    return Bypass(**found, tied=tied)


def _layer(phi: Activation, w: Array, b: Array, tied: bool) -> tuple[Array, Array, Array]:
    """Return q_star and chi_1 of layers, and whether q_star attracts; with tied weights of h = 0 where that rests."""
    slope = _slope_at_rest(phi) if tied else None
    still = (b == 0) & (slope is not None)
    q, chi, stable = np.zeros(w.size), np.zeros(w.size), np.ones(w.size, bool)
    if slope is not None:
        if still.any() and math.isnan(slope):
            raise DomainError(
                f"The activation {phi.name} has a kink at the state of rest h = 0, where tied weights have no "
                "linear theory. Pass a positive `sigma_b`, or tied=False."
            )
        chi[still] = (w[still] * slope) ** 2
    if not still.all():
        found = meanfield.solve(phi, sigma_w=w[~still], sigma_b=b[~still])
        q[~still], chi[~still], stable[~still] = found.q_star, found.chi_1, found.stable
    return q, chi, stable


@functools.lru_cache(maxsize=64)
def _slope_at_rest(phi: Activation) -> float | None:
    """|phi'(0)| where h = 0 is at rest without biases, NaN at a kink, None where phi(0) is not 0."""
    if any(kink == 0 for kink in phi.kinks):
        return math.nan
    if phi.expr.subs(X, 0) != 0:
        return None
    return abs(float(phi.expr.diff(X).subs(X, 0)))


def _edge(phi: Activation, b: Array, tied: bool) -> Array:
    """Return the sigma_w of the edge of chaos of a layer with biases b; inf where there is none."""
    slope = _slope_at_rest(phi) if tied else None
    out = np.empty(b.size)
    for value in np.unique(b):
        if slope is not None and value == 0:
            out[b == value] = 1 / slope if slope else math.inf
        else:
            (out[b == value],) = meanfield.critical_line(phi, sigma_b=np.array([value])).sigma_w
    return out


def _scale(loss: float) -> float:
    """-1/log(1 - loss): inf where nothing is lost, 0 where everything is."""
    if loss == 0.0:
        return math.inf
    return float(_fading()(loss)) if loss < 1 else 0.0
