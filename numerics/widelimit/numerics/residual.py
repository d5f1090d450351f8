"""Residual networks: second moments and gradients layer by layer, the rates they approach, and open shortcuts."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import residual as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.errors import ArgumentError
from widelimit.theory.kernel import SIGMA_B, SIGMA_W


@by_value
@dataclass(frozen=True)
class Residual:
    """Moments and gradients of a residual network, layer by layer.

    `second_moment` is p_l = E x^2 for l = 0 .. depth; `gradient` the mean square gradient at layer l over that at the
    top; `log_gradient_ratio` the log of the gradient at the bottom over that at the top. For tanh, `linear_rate` is the
    limit of p_l / l and `exponent` the A of the asymptote A sqrt(depth) of `log_gradient_ratio`; for ReLU, `base` is
    the factor B per block. They are None for other activations.
    """

    second_moment: list[float]
    gradient: list[float]
    log_gradient_ratio: float
    exponent: float | None
    base: float | None
    linear_rate: float | None = None


@functools.lru_cache(maxsize=64)
def _block(activation: Activation) -> Compiled:
    expressions = (theory.next_second_moment(activation), theory.gradient_factor(activation))
    inner = {theory.Q: theory.inner_variance()}
    variables = (theory.P, SIGMA_W, SIGMA_B, theory.SIGMA_V, theory.SIGMA_A)
    return compile(tuple(e.subs(inner) for e in expressions), variables, name="block")


@functools.cache
def _rates() -> Compiled:
    return compile(
        (theory.tanh_exponent(), theory.relu_base(), theory.tanh_linear_rate()),
        (SIGMA_W, theory.SIGMA_V, theory.SIGMA_A),
        name="rates",
    )


def predict(
    activation: str = "tanh",
    sigma_w: float = 1.0,
    sigma_b: float = 0.0,
    sigma_v: float = 1.0,
    sigma_a: float = 0.0,
    depth: int = 50,
    p0: float = 1.0,
) -> Residual:
    """Iterate x' = x + V phi(W x + b) + a in mean field (yang2017mean, theorems 2 and 5).

    p' = p + sigma_v^2 E phi^2 + sigma_a^2 at inner variance sigma_w^2 p + sigma_b^2; gradients grow by
    1 + sigma_v^2 sigma_w^2 E phi'^2 per block from top to bottom. V = 1, a = 0 is sigma_v = 1, sigma_a = 0.

    Args:
        activation: a catalogue name or an expression in x.
        sigma_w: scale of the inner weights, whose variance is sigma_w^2 / width.
        sigma_b: standard deviation of the inner biases.
        sigma_v: scale of the outer weights.
        sigma_a: standard deviation of the outer biases.
        depth: number of blocks.
        p0: mean square of the components at the start.

    >>> out = predict("relu", sigma_w=2**0.5, depth=3)
    >>> [round(p, 9) for p in out.second_moment], out.base
    ([1.0, 2.0, 4.0, 8.0], 2.0)
    >>> out = predict("tanh", sigma_v=2.0, sigma_a=1.0, depth=1)
    >>> out.linear_rate, round(out.exponent, 12)  # 16/3 sqrt(2/(5 pi))
    (5.0, 1.903065723896)
    """
    phi = Activation.of(activation)
    sw, sv = (arguments.positive_number(n, v) for n, v in (("sigma_w", sigma_w), ("sigma_v", sigma_v)))
    sb, sa = (arguments.non_negative_number(n, v) for n, v in (("sigma_b", sigma_b), ("sigma_a", sigma_a)))
    block = _block(phi)
    slow = any(e.has(Expectation) for e in block.expressions)
    depth = costs.affordable(
        "depth", arguments.count("depth", depth), memory=200.0, seconds=2e-3 if slow else 2e-5
    )
    moments, logs = [arguments.positive_number("p0", p0)], []
    for _ in range(depth):
        after, factor = block(moments[-1], sw, sb, sv, sa)
        if not math.isfinite(after):
            raise ArgumentError(
                "depth",
                f"must be at most {len(moments) - 1} here",
                depth,
                "The second moment overflows in the next block. Use smaller scales or fewer blocks.",
            )
        moments.append(after)
        logs.append(math.log(factor))
    total = math.fsum(logs)
    gradient, above = [1.0], 0.0
    for value in reversed(logs):
        above += value
        gradient.append(math.exp(above) if above < 709 else math.inf)
    _, base, rate = _rates()(sw, sv, sa)
    scale = 2.0 ** math.frexp(max(sv, sa))[1]  # the exponent grows like both; squares of tiny ones underflow
    exponent = _rates()(sw, sv / scale, sa / scale)[0] * scale
    saturates = phi == Activation.of("tanh")
    return Residual(
        moments,
        gradient[::-1],
        total,
        exponent if saturates else None,
        base if phi == Activation.of("relu") else None,
        rate if saturates else None,
    )


@by_value
@dataclass(frozen=True)
class PostActivation:
    """Units of a post-activation network behind l blocks, l = 0 .. blocks; l = 0 is behind the stem.

    `zeros` is the share of units that are zero, `mean` E x, `second_moment` E x^2, and `open[l, L]` the probability
    that a unit's shortcut is open from behind block l to behind block L, l <= L (0 below the diagonal, where there is
    none).
    """

    zeros: np.ndarray
    mean: np.ndarray
    second_moment: np.ndarray
    open: np.ndarray


@functools.cache
def _walk() -> Compiled:
    names = (theory.STEP, theory.CROSSED)
    return compile((theory.zeros_ratio(), theory.mean_step(), theory.square_step()), names, name="walk")


@functools.cache
def _open() -> Compiled:
    return compile(theory.open_term(), (theory.LAST, theory.AFTER), name="open_term")


def post_activation(blocks: int) -> PostActivation:
    """Units of x' = ReLU(x + b), b behind batch normalisation and the stem ReLU of a normalised unit: ResNets of 2015.

    Each unit is a reflected random walk of n = l + 1 steps: zeros C(2n, n) / 4^n, E x = sum (2 pi k)^(-1/2),
    E x^2 = n/2 + sum of 1/(2 pi sqrt(j k)) over j + k <= n, and a shortcut that stays open with the probability
    sum over k <= n of u_k u_(N - k), N = L + 1: gradients fade along shortcuts like (2/pi) arcsin sqrt(n/N), by no
    exponential.

    Args:
        blocks: number of blocks behind the stem.

    Raises `ArgumentError` for a number of blocks that is no whole number, or whose table would not fit.

    >>> found = post_activation(15)
    >>> round(float(found.zeros[8]), 12), round(float(found.second_moment[8]), 8), round(float(found.open[0, 15]), 10)
    (0.185470581055, 6.74511996, 0.2121821581)
    """
    count = costs.affordable(
        "blocks", arguments.count("blocks", blocks, least=0), memory=24.0, power=2, each="block"
    )
    step = np.arange(1.0, count + 2)
    ratio, mean, _ = _walk()(step, 0.0)
    zeros = np.concatenate([[1.0], np.cumprod(ratio)])
    crossed = np.concatenate([[0.0], np.convolve(mean, mean)[:count]])
    square = _walk()(step, crossed)[2]
    n, k = np.indices((count + 1, count + 2))
    left = np.maximum(n + 1 - k, 0)  # steps behind step k, for a walk of n + 1 of them
    terms = np.where(k <= n + 1, _open()(zeros[k], zeros[left]), 0.0)
    return PostActivation(
        zeros[1:], np.cumsum(mean), np.cumsum(square), np.triu(np.cumsum(terms, axis=1)[:, 1:].T)
    )


@functools.cache
def _scales() -> tuple[Compiled, Compiled]:
    return (
        compile(theory.fixup_scale(), (theory.BRANCHES, theory.LAYERS), name="fixup_scale"),
        compile(theory.normalised_growth(), (theory.BLOCK,), name="normalised_growth"),
    )


def fixup_scale(branches: int, layers: int = 2) -> float:
    """Return Fixup's scale L^(-1/(2 m - 2)) for all but the last layer of each of L branches of m layers.

    The last layer of each branch starts at zero (zhang2019fixup, section 3).

    Args:
        branches: number of branches L.
        layers: layers of a branch m, at least 2.

    Raises `ArgumentError` for numbers that are none.

    >>> fixup_scale(16, 2), fixup_scale(16, 3)
    (0.25, 0.5)
    """
    count, depth = arguments.count("branches", branches), arguments.count("layers", layers, least=2)
    for name, value in (("branches", count), ("layers", depth)):
        if value > 10**15:
            raise ArgumentError(name, "must be at most 10**15", value)
    return float(_scales()[0](float(count), float(depth)))


def normalised(blocks: int) -> np.ndarray:
    """Return E x^2 = 1 + l behind l blocks, l = 0 .. blocks, of a pre-activation network with batch normalisation.

    Mean square gradients behind l blocks over those at the top are the ratio of this at the top and at l (de2020batch).

    Args:
        blocks: number of blocks.

    Raises `ArgumentError` for a number that is none.

    >>> [round(float(one), 12) for one in normalised(3)]
    [1.0, 2.0, 3.0, 4.0]
    """
    count = costs.affordable("blocks", arguments.count("blocks", blocks, least=0), memory=24.0, each="block")
    growth = np.asarray(_scales()[1](np.arange(float(count)))) if count else np.empty(0)
    return np.concatenate([[1.0], np.cumprod(growth)])
