"""`propagate` and `exponents`: stacks of transformer blocks, forwards and backwards, at any depth."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sympy import Expr

from widelimit.numerics import arguments, costs
from widelimit.numerics.attention.layers import next_covariance
from widelimit.numerics.attention.requests import logit_variance
from widelimit.numerics.attention.shares import COLDEST, at, token_correlation, whole
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.kernel.maps import moments
from widelimit.numerics.results import by_value
from widelimit.theory import attention as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError

NORMS = ("pre", "post", "none")
_CLOSE = 1e-7  # 1 - rho, below which the second branch is taken to first order in it
_LARGEST = 1e140  # of second moments, whose products are taken


@by_value
@dataclass(frozen=True)
class Block:
    """A transformer block: x = w x + attention(x), then x = w x + W_2 phi(W_1 x), each branch with a norm or without.

    Args:
        norm: "pre" (in front of each branch), "post" (behind each sum) or "none".
        sigma_qk, sigma_vo: scales of attention, see `layer`.
        activation: phi, a catalogue name or an expression in x.
        sigma_1, sigma_2: scales of W_1 and W_2; weights have the variance sigma^2 over fan-in.
        gate: sigma_3 of a gate, W_2 (phi(W_1 x) * W_3 x); None for none.
        residual: w, the weight of skips.

    Raises `ArgumentError` for negative scales or an unknown norm.

    >>> Block("pre", 2.0, 1.0, "gelu", 2**0.5, 2**0.5).gate is None
    True
    """

    norm: str
    sigma_qk: float
    sigma_vo: float
    activation: str | Activation | Expr
    sigma_1: float
    sigma_2: float
    gate: float | None = None
    residual: float = 1.0

    def __post_init__(self) -> None:
        arguments.choice("norm", self.norm, NORMS)
        for name in ("sigma_qk", "sigma_vo", "sigma_1", "sigma_2", "residual"):
            scale(name, getattr(self, name))
        if self.gate is not None:
            scale("gate", self.gate)
        Activation.of(self.activation)


def scale(name: str, value: Any) -> float:
    """Return a scale of weights as a number."""
    number = arguments.non_negative_number(name, value)
    return float(arguments.near_one(name, np.asarray(number)))


@by_value
@dataclass(frozen=True)
class Propagation:
    """A stack of blocks, (2 blocks + 1,) each: index 0 the input, then behind every branch.

    `q`: mean square of the stream's units; `rho`: correlation of two tokens, `distance` 1 - rho with digits of its own;
    `g`: mean square of gradients at these places, `g_cross`: products of two tokens' gradients.
    """

    q: np.ndarray
    rho: np.ndarray
    g: np.ndarray
    g_cross: np.ndarray
    distance: np.ndarray


@by_value
@dataclass(frozen=True)
class Exponents:
    """What a stack does in the long run to tokens that are nearly equal.

    `angle`: log of the factor of 1 - rho per block (0 for Pre-LN); `power`: s of 1 - rho ~ depth^-s (NaN for Post-LN);
    `phase`: "ordered" where tokens become equal, "chaotic" where they do not, "critical" between. `gradient_mean` and
    `gradient_difference`: for Post-LN the log of a block's factor on the mean over tokens of gradients, and on
    differences between tokens; for Pre-LN the power of depth with which they grow. `v_A`, `v_M`, `chi_M`: what branches
    add at unit length, and the second one's factor on gradients.
    """

    angle: float
    power: float
    phase: str
    gradient_mean: float
    gradient_difference: float
    v_A: float
    v_M: float
    chi_M: float


class _Branch(NamedTuple):
    """Second moments that a branch adds (length, difference of length and covariance), and its factors on gradients."""

    length: float
    difference: float
    back: tuple[float, float, float, float]  # G from G, G from G_x, G_x from G, G_x from G_x


def propagate(
    block: Block, *, tokens: Any, blocks: Any, rho0: Any, q0: Any = 1.0, g: Any = 1.0, g_cross: Any = 0.0
) -> Propagation:
    """Propagate exchangeable tokens through a stack of blocks, and gradients back through it (users' networks, 15).

    Pre-LN: q' = w^2 q + v, G' = w^2 G + F(G)/q; Post-LN: everything over the length w^2 q + v. Branches have
    independent weights in every block; width, heads and head dimension are infinite.

    Args:
        block: a `Block`.
        tokens: T, 2 or more.
        blocks: number of blocks.
        rho0: correlation of two tokens at the input, above -1/(T - 1) and at most 1.
        q0: mean square of their units.
        g: mean square of gradients behind the last block.
        g_cross: the product of two tokens' gradients there, from -g/(T - 1) to g.

    Raises `ArgumentError` for numbers outside these ranges, logits beyond 100 standard deviations, or lengths beyond
    floats.

    >>> block = Block("pre", 2.0, 1.0, "gelu", 2**0.5, 2**0.5)
    >>> found = propagate(block, tokens=8, blocks=2, rho0=0.2)
    >>> [round(float(one), 8) for one in (found.q[-1], found.rho[-1], found.g[0], found.g_cross[0])]
    [5.80887745, 0.49062302, 9.27003916, 0.19453534]
    """
    if not isinstance(block, Block):
        raise ArgumentError("block", "must be a Block", block)
    t = int(arguments.single("tokens", whole("tokens", tokens, 2)))
    count = costs.affordable(
        "blocks", arguments.count("blocks", blocks), memory=2000, seconds=0.01, each="block"
    )
    rho = token_correlation("rho0", rho0, t)
    q = float(arguments.near_one("q0", np.asarray(arguments.positive_number("q0", q0))))
    above = float(arguments.near_one("g", np.asarray(arguments.non_negative_number("g", g))))
    beside = arguments.number_within("g_cross", g_cross, -above / (t - 1), above)
    lengths, differences, branches = [q], [q * (1 - rho)], []
    for step in range(2 * count):
        made = _attention if step % 2 == 0 else _second
        branch, inside = _branch(block, made, t, lengths[-1], differences[-1])
        after = _sums()(block.residual, lengths[-1], branch.length)
        apart = _sums()(block.residual, differences[-1], branch.difference)
        if not 0 < after < _LARGEST:
            help = "The stream's length grows or falls from block to block: use fewer blocks, a norm or other scales."
            raise ArgumentError("blocks", f"must be at most {step // 2} here", count, help)
        divided = inside  # Pre-LN: gradients that come through the branch's norm
        if block.norm == "post":
            new = _normed()(block.residual, lengths[-1], branch.length, differences[-1], branch.difference)
            after, apart, divided = 1.0, new, after
        lengths.append(after)
        differences.append(min(max(apart, 0.0), after * t / (t - 1)))
        branches.append((branch, divided))
    gradients = [(above, beside)]
    for branch, divided in reversed(branches):
        gradients.append(_back(block, branch, divided, *gradients[-1]))
    whole_, beside_ = np.array(gradients[::-1]).T
    q_, apart_ = np.array(lengths), np.array(differences)
    if not np.isfinite(whole_).all():
        raise ArgumentError("blocks", "must be fewer here", count, "Gradients leave the range of floats.")
    return Propagation(q_, 1 - apart_ / q_, whole_, beside_, apart_ / q_)


def exponents(block: Block) -> Exponents:
    """Return the depth scales of a stack of nearly equal tokens (cowsik2024geometric; users' networks, 16 and 17).

    Post-LN: (1 - rho')/(1 - rho) = w^2/(w^2 + v_A) (w^2 + chi_M)/(w^2 + v_M) per block. Pre-LN, w = 1: 1 - rho ~ l^-s,
    s = 1 - chi_M/(v_A + v_M), a power law without a depth scale.

    Raises `ArgumentError` for a block without norms (its lengths have no limit), a Pre-LN block with w other than 1, or
    one whose branches are all 0.

    >>> found = exponents(Block("pre", 2.0, 1.0, "gelu", 2**0.5, 2**0.5))
    >>> round(found.power, 10), found.phase, round(found.v_M, 10)
    (0.3115563834, 'ordered', 1.8441657442)
    >>> round(found.gradient_mean, 8), round(found.gradient_difference, 8)
    (1.04004057, 0.68844362)
    >>> found = exponents(Block("post", 2.0, 1.0, "gelu", 2**0.5, 2**0.5))
    >>> round(found.angle, 10), round(found.gradient_mean, 8)
    (-0.6538874621, 0.03925972)
    """
    if not isinstance(block, Block):
        raise ArgumentError("block", "must be a Block", block)
    if block.norm == "none":
        help = "Without norms lengths have no limit: see `propagate`."
        raise ArgumentError("block", "must have norms, `norm` 'pre' or 'post'", but="has none", help=help)
    v_a = block.sigma_vo**2
    v_m, _, chi, _ = _second_moments(block, 1.0, 1.0)
    if block.norm == "post":
        if block.residual == 0:
            raise ArgumentError("block", "must have skips, `residual` above 0", but="has none")
        angle, mean = _post()(block.residual, v_a, v_m, chi)
        return Exponents(angle, math.nan, _phase(angle), mean, angle, v_a, v_m, chi)
    if block.residual != 1:
        help = "Lengths then grow or settle exponentially: see `propagate`."
        raise ArgumentError(
            "block", "must have a `residual` of 1 where `norm` is 'pre'", but="has not", help=help
        )
    if v_a + v_m == 0:
        raise ArgumentError("block", "must have a branch that is not 0", but="has none")
    power, mean, difference = _pre()(v_a, v_m, chi)
    return Exponents(0.0, power, _phase(-power), mean, difference, v_a, v_m, chi)


def _phase(growth: float) -> str:
    if abs(growth) < 1e-12:
        return "critical"
    return "ordered" if growth < 0 else "chaotic"


def _branch(block: Block, made: Any, tokens: int, length: float, difference: float) -> tuple[_Branch, float]:
    """A branch at what it reads, and the length that its norm has divided by (1 without a norm in front)."""
    if block.norm == "pre":
        return made(block, tokens, 1.0, difference / length), length
    return made(block, tokens, length, difference), 1.0


def _attention(block: Block, tokens: int, length: float, difference: float) -> _Branch:
    std = math.sqrt(float(logit_variance(block.sigma_qk, length, length - difference)))
    if difference < 1e-8 * length:  # the difference has the digits
        std = block.sigma_qk * math.sqrt(length * difference)
    if not std <= COLDEST:
        but = f"gives logits of a standard deviation of {std:.3g}"
        raise ArgumentError(
            "block", f"must keep logits below {COLDEST:g}", but=but, help="Use a smaller sigma_qk."
        )
    apart = difference / length
    within, across, slope, slope_across, _, gap = at(std, tokens, 1 - apart, apart)
    covariance = next_covariance()
    new = covariance(block.sigma_vo, length, length - difference, within)
    change = covariance(block.sigma_vo, difference, 0.0, gap)
    point = (
        block.sigma_vo,
        block.sigma_qk,
        length,
        length - difference,
        tokens,
        within,
        across,
        slope,
        slope_across,
    )
    one, other = _gradients()(*point, 1.0, 0.0), _gradients()(*point, 0.0, 1.0)
    return _Branch(new, change, (one[0], other[0], one[1], other[1]))


def _second(block: Block, _tokens: int, length: float, difference: float) -> _Branch:
    apart = difference / length
    v, t, chi, chi_across = _second_moments(block, length, 1 - apart)
    change = v - t
    if apart < _CLOSE:  # dT/dp is the factor on gradients
        change = (chi + chi_across) / 2 * difference
    return _Branch(v, change, (chi, 0.0, 0.0, chi_across))


def _second_moments(block: Block, length: float, correlation: float) -> tuple[float, float, float, float]:
    """Length and covariance that the second branch adds, and its factors on G and on G_x."""
    phi = Activation.of(block.activation)
    inner = block.sigma_1**2 * length
    if inner == 0 or block.sigma_2 == 0:
        inner = max(inner, 1e-100)
    found = moments(phi, inner, correlation)
    same = _mlp(block, length, found.v, found.p)
    across = _mlp(block, length * correlation, found.t, found.tdot)
    return same[0], across[0], same[1], across[1]


def _mlp(block: Block, covariance: float, dual: float, steep: float) -> tuple[float, float]:
    if block.gate is None:
        return _plain()(block.sigma_1, block.sigma_2, dual, steep)
    return _gated()(block.sigma_1, block.sigma_2, block.gate, covariance, dual, steep)


def _back(block: Block, branch: _Branch, divided: float, g: float, g_cross: float) -> tuple[float, float]:
    """Gradients in front of a branch and its skip."""
    back = branch.back
    through = back[0] * g + back[1] * g_cross, back[2] * g + back[3] * g_cross
    pairs = zip((g, g_cross), through, strict=True)
    if block.norm == "post":
        one, other = (_sums()(block.residual, old, new) / divided for old, new in pairs)
    else:
        one, other = (_pre_back()(block.residual, old, new, divided) for old, new in pairs)
    return one, other


@functools.cache
def _sums() -> Compiled:
    t = theory
    return compile(t.residual_sum(), (t.SKIP, t.OLD, t.NEW), name="residual_sum")


@functools.cache
def _normed() -> Compiled:
    t = theory
    names = (t.SKIP, t.OLD_LENGTH, t.NEW_LENGTH, t.OLD, t.NEW)
    return compile(t.normalised(), names, name="normalised")


@functools.cache
def _pre_back() -> Compiled:
    t = theory
    return compile(t.pre_gradient(), (t.SKIP, t.OLD, t.NEW, t.Q), name="pre_gradient")


@functools.cache
def _gradients() -> Compiled:
    t = theory
    keys = t.key_gradient()
    formulas = (
        t.value_gradient() + t.query_gradient() + keys,
        t.value_gradient_cross() + t.query_gradient_cross() + t.key_gradient_cross().subs(t.KEYS, keys),
    )
    rows = (t.S2, t.S_RHO, t.R2, t.R_RHO)
    names = (t.SIGMA_VO, t.BETA, t.Q, t.P, t.TOKENS, *rows, t.G, t.G_CROSS)
    return compile(formulas, names, name="both_gradients")


@functools.cache
def _plain() -> Compiled:
    t = theory
    return compile(
        (t.mlp_covariance(), t.mlp_slope()), (t.SIGMA_1, t.SIGMA_2, t.DUAL, t.DUAL_SLOPE), name="mlp"
    )


@functools.cache
def _gated() -> Compiled:
    t = theory
    names = (t.SIGMA_1, t.SIGMA_2, t.SIGMA_3, t.COVARIANCE, t.DUAL, t.DUAL_SLOPE)
    return compile((t.gated_covariance(), t.gated_slope()), names, name="gated")


@functools.cache
def _post() -> Compiled:
    t = theory
    names = (t.SKIP, t.LENGTH_A, t.LENGTH_M, t.CHI_M)
    return compile((t.post_angle(), t.post_gradient_mean()), names, name="post")


@functools.cache
def _pre() -> Compiled:
    t = theory
    formulas = (t.pre_power(), t.pre_gradient_mean(), t.pre_gradient_difference())
    return compile(formulas, (t.LENGTH_A, t.LENGTH_M, t.CHI_M), name="pre")
