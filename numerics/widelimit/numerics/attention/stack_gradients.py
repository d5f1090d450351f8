"""`propagate_gradient`: derivatives of a stack of blocks by the scales of its weights, its input and its gradients.

Every formula of `blocks` is compiled with its derivatives by all symbols; numbers carry their derivatives by all
arguments from block to block, forwards and back. Overlaps move as `tuning` says, an activation's moments as
`meanfield.gradients` does.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from sympy import Expr, Symbol

from widelimit.numerics import arguments
from widelimit.numerics.attention import rows
from widelimit.numerics.attention.blocks import Block, Propagation, propagate
from widelimit.numerics.attention.shares import at
from widelimit.numerics.attention.tuning import moves
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.kernel.maps import moments
from widelimit.numerics.meanfield.gradients import pair_moves
from widelimit.numerics.results import by_value
from widelimit.theory import attention as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
SCALES = ("sigma_qk", "sigma_vo", "sigma_1", "sigma_2", "gate", "residual")
ARGUMENTS = (*SCALES, "rho0", "q0", "g", "g_cross")


@by_value
@dataclass(frozen=True)
class PropagationSlopes:
    """Derivatives of the fields of `Propagation` by one argument, (2 blocks + 1,) each."""

    q: Array
    rho: Array
    g: Array
    g_cross: Array
    distance: Array


@by_value
@dataclass(frozen=True)
class PropagationGradient:
    """`value`: what `propagate` returns; its derivatives by the block's scales, which all blocks share, and by the
    input's and the gradients' moments.
    """

    value: Propagation
    sigma_qk: PropagationSlopes
    sigma_vo: PropagationSlopes
    sigma_1: PropagationSlopes
    sigma_2: PropagationSlopes
    gate: PropagationSlopes
    residual: PropagationSlopes
    rho0: PropagationSlopes
    q0: PropagationSlopes
    g: PropagationSlopes
    g_cross: PropagationSlopes


class Varied(NamedTuple):
    """A number and its derivatives by all `ARGUMENTS`."""

    value: float
    moves: Array


def propagate_gradient(
    block: Block,
    *,
    tokens: Any,
    blocks: Any,
    rho0: Any,
    q0: Any = 1.0,
    g: Any = 1.0,
    g_cross: Any = 0.0,
    **scales: Any,
) -> PropagationGradient:
    """Return `propagate` and its exact derivatives by all arguments but numbers of tokens and of blocks.

    Arguments are as of `propagate`, and so is what is raised; `scales` take the place of the block's own (`sigma_qk`,
    `sigma_vo`, `sigma_1`, `sigma_2`, `gate`, `residual`), for `validate.autograd.differentiable`. Derivatives by a gate
    that is not there are 0. At rho0 = 1 those by it are from below, and infinite or nan where the activation has kinks.

    >>> block = Block("pre", 2.0, 1.0, "gelu", 2**0.5, 2**0.5)
    >>> found = propagate_gradient(block, tokens=8, blocks=2, rho0=0.2)
    >>> round(float(found.sigma_2.q[2]), 8), round(float(found.sigma_qk.rho[1]), 8)
    (2.60804421, -0.02212015)
    """
    if not isinstance(block, Block):
        raise ArgumentError("block", "must be a Block", block)
    for name, one in scales.items():
        if name not in SCALES:
            raise ArgumentError(name, f"must be one of {', '.join(SCALES)}", but="is no scale of a block")
        given_: dict[str, Any] = {name: arguments.single(name, arguments.real(name, one))}
        block = replace(block, **given_)
    rho0, q0, g, g_cross = (
        arguments.single(name, arguments.real(name, one))
        for name, one in (("rho0", rho0), ("q0", q0), ("g", g), ("g_cross", g_cross))
    )
    value = propagate(block, tokens=tokens, blocks=blocks, rho0=rho0, q0=q0, g=g, g_cross=g_cross)
    given = (
        block.sigma_qk, block.sigma_vo, block.sigma_1, block.sigma_2,
        0.0 if block.gate is None else block.gate, block.residual, rho0, q0, g, g_cross,
    )  # fmt: skip
    one = np.eye(len(ARGUMENTS))
    start = {name: Varied(float(x), one[k]) for k, (name, x) in enumerate(zip(ARGUMENTS, given, strict=True))}
    stack = _Stack(block, float(tokens), start)
    for step in range(len(value.q) - 1):
        stack.forward(step % 2 == 0, value.q[step + 1], value.q[step + 1] * value.distance[step + 1])
    return stack.gradient(value)


class _Passed(NamedTuple):
    """A branch that was passed: what its gradients depend on, and the length that its norm has divided by."""

    attention: bool
    known: tuple[Any, ...]
    divided: Varied | None


class _Stack:
    """The stream on its way: its length and the difference of length and covariance, at all places behind."""

    def __init__(self, block: Block, tokens: float, start: dict[str, Varied]) -> None:
        self.block, self.tokens, self.start = block, tokens, start
        q0, rho0 = start["q0"], start["rho0"]
        (difference,) = _rule("input")(q0, rho0)
        self.lengths, self.differences, self.passed = [q0], [difference], list[_Passed]()

    def forward(self, attention: bool, after: float, difference: float) -> None:
        """Pass a branch; `after` and `difference` are the values behind it."""
        block, w = self.block, self.start["residual"]
        length, apart = self.lengths[-1], self.differences[-1]
        inside = (length, apart)
        divided = None
        if block.norm == "pre":
            (ratio,) = _rule("ratio")(apart, length)
            inside, divided = (_fixed(1.0), ratio), length
        branch = self._attention if attention else self._second
        new, change, known = branch(*inside)
        (total,) = _rule("sum")(w, length, new)
        (rest,) = _rule("sum")(w, apart, change)
        if block.norm == "post":
            (rest,) = _rule("normalised")(w, length, new, apart, change)
            total, divided = _fixed(1.0), total
        self.lengths.append(Varied(after, total.moves))
        self.differences.append(Varied(difference, rest.moves))
        self.passed.append(_Passed(attention, known, divided))

    def _attention(self, length: Varied, apart: Varied) -> tuple[Varied, Varied, tuple[Any, ...]]:
        beta, vo = self.start["sigma_qk"], self.start["sigma_vo"]
        (variance,) = _rule("logits")(beta, length, apart)
        (defect,) = _rule("ratio")(apart, length)
        std = math.sqrt(max(variance.value, 0.0))
        tokens = int(self.tokens)
        within, across, slope, slope_across, _, gap = at(std, tokens, 1 - defect.value, defect.value)
        hot = max(std, rows.HOTTEST)  # S is a function of a^2
        by_std, by_rho, _ = moves(hot, tokens, 1 - defect.value, defect.value)
        each = [
            Varied(one, by_std[k] / (2 * hot) * variance.moves - by_rho[k] * defect.moves)
            for k, one in enumerate((within, across, slope, slope_across, gap))
        ]
        new, change = _rule("attention")(vo, length, apart, each[0], each[4])
        return new, change, (vo, beta, length, apart, _fixed(self.tokens), *each[:4])

    def _second(self, length: Varied, apart: Varied) -> tuple[Varied, Varied, tuple[Any, ...]]:
        block, start = self.block, self.start
        (inner,) = _rule("inner")(start["sigma_1"], length)
        (defect,) = _rule("ratio")(apart, length)
        q = max(inner.value, 1e-100)
        phi = Activation.of(block.activation)
        found = moments(phi, q, 1 - defect.value)
        moved = pair_moves(phi, np.array([q]), np.array([defect.value]))
        c_epsilon = -q * found.tdot
        dual = (
            Varied(found.v, moved.V_q[0] * inner.moves),
            Varied(found.p, moved.P_q[0] * inner.moves),
            Varied(found.t, moved.C_q[0] * inner.moves + c_epsilon * defect.moves),
            Varied(found.tdot, moved.S_q[0] * inner.moves + _times(moved.S_epsilon[0], defect.moves)),
        )
        scales: tuple[Varied, ...] = (start["sigma_1"], start["sigma_2"])
        if block.gate is not None:
            scales = (*scales, start["gate"])
        kind = "plain" if block.gate is None else "gated"
        new, change, chi, across = _rule(kind)(*scales, length, apart, *dual)
        return new, change, (chi, across)

    def gradient(self, value: Propagation) -> PropagationGradient:
        """Walk back, and gather everything by argument."""
        g, cross = self.start["g"], self.start["g_cross"]
        all_, crosses = [g], [cross]
        for step, passed in reversed(list(enumerate(self.passed))):
            if passed.attention:
                new, new_cross = _rule("gradients")(*passed.known, g, cross)
            else:
                new, new_cross = _rule("slopes")(*passed.known, g, cross)
            w, kind = (
                self.start["residual"],
                "sum" if self.block.norm == "none" else f"{self.block.norm} back",
            )
            more = () if passed.divided is None else (passed.divided,)
            (g,), (cross,) = (_rule(kind)(w, old, one, *more) for old, one in ((g, new), (cross, new_cross)))
            g, cross = Varied(value.g[step], g.moves), Varied(value.g_cross[step], cross.moves)
            all_.append(g)
            crosses.append(cross)
        ratios = [_rule("ratio")(a, b)[0] for a, b in zip(self.differences, self.lengths, strict=True)]
        found = [
            np.array([one.moves for one in each])
            for each in (self.lengths, ratios, all_[::-1], crosses[::-1])
        ]
        q, distance, gs, gx = found
        slopes = {
            name: PropagationSlopes(q[:, k], -distance[:, k], gs[:, k], gx[:, k], distance[:, k])
            for k, name in enumerate(ARGUMENTS)
        }
        return PropagationGradient(value, **slopes)


def _fixed(value: float) -> Varied:
    return Varied(value, np.zeros(len(ARGUMENTS)))


def _times(slope: float, moved: Array) -> Array:
    """What does not move has no part, even where its factor is infinite."""
    return np.array([slope * one if one else 0.0 for one in moved])


class _Rule:
    """Formulas with their derivatives by all of their symbols."""

    def __init__(self, formulas: tuple[Expr, ...], symbols: tuple[Symbol, ...], name: str) -> None:
        self.count = len(formulas)
        slopes = [one.diff(symbol) for one in formulas for symbol in symbols]
        self.compiled: Compiled = compile([*formulas, *slopes], symbols, name=f"carried_{name}")

    def __call__(self, *given: Varied) -> tuple[Varied, ...]:
        """The values of the formulas, and how they move with those of their symbols."""
        moved = np.array([one.moves for one in given])
        with np.errstate(all="ignore"):
            found = np.array(self.compiled(*(one.value for one in given)), dtype=float)
            slopes = found[self.count :].reshape(self.count, len(given), 1)
            parts = np.where((slopes == 0) | (moved == 0), 0.0, slopes * moved)  # what stays has no part
            total = parts.sum(axis=1)
        return tuple(Varied(float(found[k]), total[k]) for k in range(self.count))


@functools.cache
def _rule(name: str) -> _Rule:
    t, gap, apart = theory, theory.GAP, theory.DISTANCE
    v, p, c, s = (Symbol(one, real=True) for one in ("V", "P_phi", "C_phi", "S_phi"))
    rows_ = (t.S2, t.S_RHO, t.R2, t.R_RHO)
    near = {t.P: t.Q - apart}  # differences in place of covariances

    def mlp(covariance: Expr, slope: Expr) -> tuple[Expr, ...]:
        own = {t.COVARIANCE: t.Q, t.DUAL: v, t.DUAL_SLOPE: p}
        other = {t.COVARIANCE: t.Q - apart, t.DUAL: c, t.DUAL_SLOPE: s}
        here, there = covariance.subs(own), covariance.subs(other)
        return here, here - there, slope.subs(own), slope.subs(other)

    gradients = (
        t.value_gradient() + t.query_gradient() + t.key_gradient(),
        t.value_gradient_cross()
        + t.query_gradient_cross()
        + t.key_gradient_cross().subs(t.KEYS, t.key_gradient()),
    )
    chi, across = Symbol("chi", real=True), Symbol("chi_x", real=True)
    return {
        "input": lambda: _Rule((t.Q * (1 - t.RHO),), (t.Q, t.RHO), name),
        "ratio": lambda: _Rule((apart / t.Q,), (apart, t.Q), name),
        "sum": lambda: _Rule((t.residual_sum(),), (t.SKIP, t.OLD, t.NEW), name),
        "normalised": lambda: _Rule(
            (t.normalised(),), (t.SKIP, t.OLD_LENGTH, t.NEW_LENGTH, t.OLD, t.NEW), name
        ),
        "logits": lambda: _Rule((t.logit_variance().subs(near).expand(),), (t.BETA, t.Q, apart), name),
        "attention": lambda: _Rule(
            (t.next_covariance().subs({**near, t.OVERLAP: t.S2}), t.SIGMA_VO**2 * apart * gap),
            (t.SIGMA_VO, t.Q, apart, t.S2, gap),
            name,
        ),
        "inner": lambda: _Rule((t.SIGMA_1**2 * t.Q,), (t.SIGMA_1, t.Q), name),
        "plain": lambda: _Rule(
            mlp(t.mlp_covariance(), t.mlp_slope()), (t.SIGMA_1, t.SIGMA_2, t.Q, apart, v, p, c, s), name
        ),
        "gated": lambda: _Rule(
            mlp(t.gated_covariance(), t.gated_slope()),
            (t.SIGMA_1, t.SIGMA_2, t.SIGMA_3, t.Q, apart, v, p, c, s),
            name,
        ),
        "gradients": lambda: _Rule(
            tuple(one.subs(near) for one in gradients),
            (t.SIGMA_VO, t.BETA, t.Q, apart, t.TOKENS, *rows_, t.G, t.G_CROSS),
            name,
        ),
        "slopes": lambda: _Rule((chi * t.G, across * t.G_CROSS), (chi, across, t.G, t.G_CROSS), name),
        "pre back": lambda: _Rule((t.pre_gradient(),), (t.SKIP, t.OLD, t.NEW, t.Q), name),
        "post back": lambda: _Rule((t.residual_sum() / t.Q,), (t.SKIP, t.OLD, t.NEW, t.Q), name),
    }[name]()
