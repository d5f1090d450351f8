"""Networks of finite width: how far one draw lies from the mean, and what the first step of training changes.

width_variance   relative variance of the lengths of drawn networks, layer by layer; `predict` for the command line
first_step       coordinate check: changes of units and outputs, and their powers of the width
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value, pictured
from widelimit.theory import network as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.growth import too_fast, widest
from widelimit.theory.errors import ArgumentError
from widelimit.theory.kernel import SIGMA_B, SIGMA_W


@pictured
@dataclass(frozen=True)
class WidthVariance:
    """Lengths |x_l|^2 / N_l behind the layers of a network, and how they scatter from draw to draw.

    `length` is the mean of an infinitely wide network for each layer, `spread` N times the relative variance that a
    layer adds, `variance` the relative variance of the length behind it, `error` the root of the last one: the relative
    error bar of a single draw.
    """

    length: tuple[float, ...]
    spread: tuple[float, ...]
    variance: tuple[float, ...]
    error: float


@functools.lru_cache(maxsize=64)
def _layer(activation: Activation) -> Compiled:
    formulas = (
        theory.length(activation), theory.spread(activation), theory.sensitivity(activation), theory.Q,
    )  # fmt: skip
    inner = {theory.Q: theory.inner_variance()}
    return compile(tuple(f.subs(inner) for f in formulas), (theory.LENGTH, SIGMA_W, SIGMA_B), name="layer")


@functools.cache
def _next() -> Compiled:
    names = (theory.VARIANCE, theory.SENSITIVITY, theory.SPREAD, theory.WIDTH)
    return compile(theory.next_variance(), names, name="next_variance")


def width_variance(
    activation: str = "relu",
    width: int = 100,
    depth: int = 1,
    sigma_w: float = 2**0.5,
    sigma_b: float = 0.0,
    q0: float = 1.0,
) -> WidthVariance:
    """Return the relative variance of |x_l|^2 over draws of the weights, x_l = phi(W x_{l-1} + b) with N units a layer.

    A layer adds (E phi^4 / (E phi^2)^2 - 1)/N, and deviations are passed on by d log V'/d log V: 5/N for a layer of
    ReLU and (1 + 5/N)^depth - 1 behind several, exactly; for others to first order in 1/N.

    Args:
        activation: a catalogue name or an expression in x, continuous.
        width: number of units N of each layer.
        depth: number of layers.
        sigma_w: scale of the weights, of variance sigma_w^2 / fan-in.
        sigma_b: standard deviation of the biases.
        q0: mean square of the inputs' components.

    Raises `ArgumentError` for arguments out of range, or where lengths overflow or vanish, `InfiniteMomentError` for an
    activation that grows too fast or jumps.

    >>> found = width_variance("relu", width=64, depth=4)
    >>> round(found.variance[0] * 64, 9), round(found.variance[-1], 4)
    (5.0, 0.3511)
    """
    phi = Activation.of(activation)
    width = arguments.count("width", width)
    if width > 10**15:
        raise ArgumentError("width", "must be at most 10**15", width)
    layers = costs.affordable("depth", arguments.count("depth", depth), memory=200.0, seconds=2e-3)
    scales = {
        "sigma_w": arguments.positive("sigma_w", sigma_w),
        "sigma_b": arguments.non_negative("sigma_b", sigma_b),
        "q0": arguments.positive("q0", q0),
    }
    sw, sb, below = (arguments.single(n, arguments.near_one(n, v)) for n, v in scales.items())
    bound, layer, following = float(widest(phi.expr**4, X)), _layer(phi), _next()
    lengths, spreads, variances, variance = [], [], [], 0.0
    for number in range(layers):
        with np.errstate(all="ignore"):
            length, spread, sensitivity, inner = layer(below, sw, sb)
        if not inner < bound:
            raise too_fast(phi.name, inner, bound, "E phi^4 is")
        if not (1e-280 < length < 1e280 and math.isfinite(spread)):
            raise ArgumentError(
                "depth",
                f"must be at most {number} here",
                depth,
                "The lengths overflow or vanish in the next layer. Use other scales or fewer layers.",
            )
        variance = following(variance, sensitivity, spread, float(width))
        lengths.append(length)
        spreads.append(spread)
        variances.append(variance)
        below = length
    return WidthVariance(tuple(lengths), tuple(spreads), tuple(variances), math.sqrt(variance))


predict = width_variance


@by_value
@dataclass(frozen=True)
class FirstStep:
    """What the first step changes, per unit of an infinitesimal rate.

    `hidden`: root mean square change of the second hidden layer's pre-activations; `output`: change of the output.
    `hidden_slope`, `output_slope`: their powers of the width from it to its double; `hidden_exponent` and
    `output_exponent` at infinite width.
    """

    hidden: float
    output: float
    hidden_slope: float
    output_slope: float
    hidden_exponent: float
    output_exponent: float


def first_step(
    activation: str | Activation = "tanh",
    width: int = 1000,
    sigma_w: float = 1.0,
    parametrisation: str = "standard",
    optimiser: str = "sgd",
    inputs: int = 1,
) -> FirstStep:
    """Return what one step on the gradient of f changes, f = w_3 phi(W_2 phi(W_1 x)): a coordinate check on paper.

    In the standard parametrisation one rate moves hidden units like N^(1/2) and outputs like N under gradient descent,
    like N and N^(3/2) under Adam, whose first step is the sign of the gradient; in mu-P (yang2022tensor) nothing moves
    with the width. To leading order in it path by path (`theory.network`).

    Args:
        activation: a catalogue name or an expression in x, without jumps.
        width: N of both hidden layers.
        sigma_w: scale of the weights, of variance sigma_w^2 / fan-in.
        parametrisation: "standard" (one rate, output weights like the others), or "mu-p" (output weights of variance
            sigma_w^2/N^2; rates N, 1, 1/N of the three layers under gradient descent, 1, 1/N, 1/N under Adam).
        optimiser: "sgd" or "adam".
        inputs: components of x, all of size 1.

    Raises `ArgumentError` for arguments out of range, `InfiniteMomentError` for an activation that jumps.

    >>> for optimiser in ("sgd", "adam"):
    ...     found = first_step("tanh", width=100, sigma_w=1.5, optimiser=optimiser)
    ...     print(round(found.hidden, 6), round(found.output, 6))
    5.392867 96.04405
    67.570762 522.206189
    >>> found = first_step("relu", width=10**6, optimiser="adam")
    >>> found.hidden_exponent, found.output_exponent, round(found.output_slope, 3)
    (1.0, 1.5, 1.499)
    """
    phi = Activation.of(activation)
    count = arguments.count("width", width)
    if count > 10**15:
        raise ArgumentError("width", "must be at most 10**15", width)
    scale = arguments.single("sigma_w", arguments.near_one("sigma_w", arguments.positive("sigma_w", sigma_w)))
    way = arguments.choice("parametrisation", parametrisation, theory.PARAMETRISATIONS)
    kind = arguments.choice("optimiser", optimiser, theory.OPTIMISERS)
    components = arguments.count("inputs", inputs)
    first, second = _gradient_moments(phi, scale**2), None
    if first[0] > 0:
        second = _gradient_moments(phi, scale**2 * first[0])
    if second is None or not all(math.isfinite(one) and one > 0 for one in (*first, *second)):
        raise ArgumentError(
            "sigma_w", "must leave units and gradients that floats hold", scale, "Use another scale."
        )
    moments = (*first, second[0], second[1], second[2], second[3])

    def at(size: float) -> tuple[float, float]:
        square, output = _changes(way, kind)(size, scale, float(components), *moments)
        return math.sqrt(square), output

    here, double = at(float(count)), at(2.0 * count)
    hidden, out = (math.log2(b / a) for a, b in zip(here, double, strict=True))
    square, output = theory.first_step(way, kind)
    powers = float(theory.power(square)) / 2, float(theory.power(output))
    return FirstStep(here[0], here[1], hidden, out, *powers)


def _gradient_moments(phi: Activation, q: float) -> tuple[float, ...]:
    """E phi^2, E |phi|, E phi'^2, E |phi'| and E phi'^4 at q."""
    return tuple(float(one) for one in _step_moments(phi)(q))


@functools.lru_cache(maxsize=64)
def _step_moments(phi: Activation) -> Compiled:
    return compile(theory.step_moments(phi), (theory.Q,), name="step_moments")


@functools.cache
def _changes(parametrisation: str, optimiser: str) -> Compiled:
    names = (theory.WIDTH, SIGMA_W, theory.D, *theory.STEP_MOMENTS)
    return compile(theory.first_step(parametrisation, optimiser), names, name="first_step")
