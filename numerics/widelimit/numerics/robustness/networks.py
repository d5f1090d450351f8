"""Deep random networks under attack, and slopes of saturated layers."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from sympy import Expr

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.robustness.gains import log_gain
from widelimit.theory import robustness as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError
from widelimit.theory.meanfield import sigma_b as SIGMA_B
from widelimit.theory.meanfield import sigma_w as SIGMA_W


def network_flip_fraction(
    activation: str | Activation | Expr,
    *,
    sigma_w: Any,
    sigma_b: Any = 0.0,
    depth: Any,
    inputs: Any,
    radius: Any,
) -> Any:
    """Return the share of inputs x ~ N(0, I) whose output a small l_inf attack on a wide random network flips.

    erf(epsilon sqrt(n) sqrt(2/pi) sigma_w sqrt(prod chi_l) / sqrt(2 q_{L+1})), chi_l = sigma_w^2 E phi'^2 over the L
    hidden layers and the linear readout q_{L+1}: to first order in epsilon. In the chaotic phase the argument grows by
    sqrt(chi_1) a layer. At finite width the product of chi fluctuates by L/N.

    Args:
        activation: a catalogue name or an expression in x.
        sigma_w: scale of all weights, readout included, positive; all that follow broadcast.
        sigma_b: of all biases.
        depth: L, hidden layers, at least 1.
        inputs: n.
        radius: epsilon, in units of the inputs' standard deviation; not negative.

    Raises `ArgumentError` for numbers outside these ranges, `DomainError` where signals die or explode.

    >>> round(network_flip_fraction("tanh", sigma_w=1.5, sigma_b=0.0, depth=4, inputs=800, radius=0.01), 12)
    0.266382002735
    """
    phi = Activation.of(activation)
    w, b = arguments.positive("sigma_w", sigma_w), arguments.non_negative("sigma_b", sigma_b)
    for name, one in (("sigma_w", w), ("sigma_b", b)):
        arguments.squared(name, one)
    layers, n = _whole("depth", depth), _whole("inputs", inputs)
    move = arguments.non_negative("radius", radius)
    w, b, layers, n, move = arguments.broadcast(sigma_w=w, sigma_b=b, depth=layers, inputs=n, radius=move)
    keys = list(zip(w.ravel().tolist(), b.ravel().tolist(), layers.ravel().astype(int).tolist(), strict=True))
    gains = {key: log_gain(phi, *key) for key in dict.fromkeys(keys)}
    gain = np.array([gains[key] for key in keys]).reshape(w.shape)
    with np.errstate(over="ignore", under="ignore"):
        found = _flip()(*(np.ascontiguousarray(one, dtype=float) for one in (move, w, n, gain)))
    return arguments.scalar(np.asarray(found).reshape(w.shape))


def _whole(name: str, value: Any) -> np.ndarray:
    array = arguments.positive(name, value)
    if (wrong := (array < 1) | (array != np.floor(array)) | (array > 2**53)).any():
        must = "must be whole numbers of at least 1 and at most 2^53"
        raise ArgumentError(name, must, float(np.asarray(array)[wrong].flat[0]))
    return array


def saturation_bound(weights: Sequence[Any], *, margin: Any, activation: str = "tanh") -> Any:
    """Return a bound on |dy/dx| of a network all of whose pre-activations are `margin` or more in size.

    prod |W_l| times the largest slope there, once for every hidden layer; for tanh that is sech^2 m <= 4 exp(-2 m).

    Args:
        weights: of all layers from the input to the readout, each a matrix or its spectral norm; two or more.
        margin: m, least size of a pre-activation in hidden layers; not negative, may be an array.
        activation: "tanh", "sigmoid" or "erf", whose slopes fall with the size of the pre-activation.

    Raises `ArgumentError` for fewer than two layers, a negative margin or another activation.

    >>> round(saturation_bound([2.0, 3.0, 1.0], margin=2.0), 12), round(6 * math.cosh(2) ** -4, 12)
    (0.029949234315, 0.029949234315)
    """
    arguments.choice("activation", activation, theory.SATURATING)
    norms = _norms(weights)
    margins = arguments.non_negative("margin", margin)
    slope = np.asarray(_slope(activation)(margins))
    if min(norms) == 0:
        return arguments.scalar(np.zeros_like(slope))
    total = np.full(slope.shape, math.fsum(map(math.log, norms)))
    found = np.zeros_like(slope)
    alive = slope > 0
    with np.errstate(over="ignore", under="ignore"):
        depth = np.full(slope.shape, len(norms) - 1.0)
        found[alive] = _bound()(total[alive], depth[alive], slope[alive])
    if np.isinf(found).any():
        raise ArgumentError("weights", "must have norms whose product a float holds", but="have not")
    return arguments.scalar(found)


def _norms(weights: Any) -> list[float]:
    help = "Such as [first.weight, second.weight, readout.weight], or their spectral norms."
    if isinstance(weights, str | bytes | dict):
        raise ArgumentError("weights", "must be a list of matrices or norms", weights, help)
    try:
        parts = list(weights)
    except TypeError:
        raise ArgumentError("weights", "must be a list of matrices or norms", weights, help) from None
    found = []
    for one in parts:
        array = arguments.real("weights", one, help)
        if array.ndim == 0:
            found.append(arguments.non_negative_number("weights", array, help))
        elif array.ndim == 2 and array.size:
            size = float(np.abs(array).max())
            found.append(size * float(np.linalg.norm(array / size, 2)) if size else 0.0)
        else:
            raise ArgumentError(
                "weights", "must be matrices or norms", but=f"one has shape {array.shape}", help=help
            )
    if len(found) < 2:
        raise ArgumentError("weights", "must have two layers or more", but=f"has {len(found)}", help=help)
    if not all(map(math.isfinite, found)):
        raise ArgumentError("weights", "must have finite norms", but="have not")
    return found


def saturated_gain(sigma_w: Any, *, sigma_b: Any = 0.0, activation: str = "tanh") -> Any:
    """Return what chi_1 of a random network comes to at large sigma_w: for tanh sigma_w (4/3) / sqrt(2 pi).

    Saturation by large random weights makes gradients grow, against the reading that saturated units have none.

    Args:
        sigma_w: scale of the weights, positive.
        sigma_b: of the biases.
        activation: "tanh", "sigmoid" or "erf".

    Raises `ArgumentError` for numbers outside these ranges or another activation.

    >>> round(saturated_gain(10.0), 6), round(saturated_gain(30.0), 6)
    (5.31923, 15.957691)
    """
    arguments.choice("activation", activation, theory.SATURATING)
    w, b = arguments.positive("sigma_w", sigma_w), arguments.non_negative("sigma_b", sigma_b)
    w, b = arguments.broadcast(sigma_w=w, sigma_b=b)
    for name, one in (("sigma_w", w), ("sigma_b", b)):
        arguments.squared(name, one)
    return arguments.scalar(np.asarray(_gain(activation)(w, b)))


@functools.cache
def _flip() -> Compiled:
    formula = theory.between().subs({theory.LOW: -theory.REACH, theory.HIGH: theory.REACH})
    symbols = (theory.RADIUS, SIGMA_W, theory.INPUTS, theory.LOG_GAIN)
    return compile(formula.subs(theory.REACH, theory.network_reach()), symbols, name="network_flip")


@functools.cache
def _slope(activation: str) -> Compiled:
    return compile(theory.saturated_slope(activation), (theory.MARGIN,), name="saturated_slope")


@functools.cache
def _bound() -> Compiled:
    symbols = (theory.LOG_NORM, theory.DEPTH, theory.SLOPE)
    return compile(theory.saturation_bound(), symbols, name="saturation_bound")


@functools.cache
def _gain(activation: str) -> Compiled:
    kind = {
        theory.SQUARED_SLOPES: theory.slope_integral(activation),
        theory.ENDS: theory.end_square(activation),
    }
    return compile(theory.saturated_gain().subs(kind), (SIGMA_W, SIGMA_B), name="saturated_gain")
