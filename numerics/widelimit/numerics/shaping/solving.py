"""`shape`: the four numbers of a shaped activation, all solutions, the one with the largest scale first."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sympy import Float

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value, pictured
from widelimit.numerics.shaping import leaky, smooth
from widelimit.numerics.shaping.moments import SYMBOLS, Unit, unit
from widelimit.numerics.shaping.unit_maps import METHODS, Maps, target_of
from widelimit.theory import shaping as theory
from widelimit.theory.calculus.activation import CATALOGUE, Activation
from widelimit.theory.errors import ArgumentError, InfiniteMomentError

DEEPEST = 1_000_000  # layers: digits are lost in proportion to the depth, 1e-9 there
LEAST = 1e-7  # of a layer's target, for the same reason


@dataclass(frozen=True)
class Branch:
    """One solution: ``output_scale * (phi(input_scale * x + input_shift) + output_shift)`` and its maps."""

    input_scale: float
    input_shift: float
    output_scale: float
    output_shift: float
    maps: Maps


@by_value
@dataclass(frozen=True)
class Shaped:
    """A shaped activation, ``output_scale * (phi(input_scale * x + input_shift) + output_shift)``.

    `negative_slope` is the slope below 0 of a tailored leaky ReLU, None for others. `maps` are those of the shaped
    activation at variance 1; `branches` all solutions that were found, the largest `input_scale` first, which is the
    one chosen; `activation` the shaped activation; `base` what was shaped.
    """

    input_scale: float
    input_shift: float
    output_scale: float
    output_shift: float
    negative_slope: float | None
    maps: Maps
    branches: tuple[Branch, ...]
    base: Activation
    depth: int
    method: str
    target: float

    @cached_property
    def activation(self) -> Activation:
        """The shaped activation, as any solver takes it."""
        numbers = (self.input_scale, self.input_shift, self.output_scale, self.output_shift)
        names = (theory.ALPHA, theory.BETA, theory.GAMMA, theory.DELTA)
        phi = self.base if self.negative_slope is None else CATALOGUE["leaky_relu"](self.negative_slope)
        expr = theory.shaped(phi).subs(
            {name: Float(value) for name, value in zip(names, numbers, strict=True)}
        )
        return Activation(f"{self.base.name} shaped for {self.depth} layers", expr)


def shape(activation: str, *, depth: int, method: str = "dks", target: float | None = None) -> Shaped:
    """Shape an activation for a network of `depth` layers without shortcuts or normalisation.

    At variance 1 with weights of variance 1/fan-in, DKS asks for Q = Q' = 1, C(0) = 0 and C'(1) = zeta^(1/depth)
    (martens2021rapid); TAT for Q = Q' = C'(1) = 1 and C''(1) = tau/depth, or, for a leaky ReLU, for the slope with
    which independent inputs come to the correlation eta behind all layers (zhang2022deep). Accurate to 1e-10 at 100
    layers.

    Args:
        activation: a catalogue name or an expression in x; `leaky_relu` is tailored by its slope.
        depth: number of layers, at most a million.
        method: dks or tat.
        target: zeta > 1 (default 1.5), tau > 0 (default 0.3), or eta in (0, 1) for a leaky ReLU (default 0.9).

    Raises `ArgumentError` for a target out of range or out of reach (with the largest one in reach), for an activation
    that cannot be shaped, and for a plain ReLU with TAT; `InfiniteMomentError` for an activation that jumps, has a kink
    where a curvature is asked for, or grows too fast.

    >>> found = shape("tanh", depth=100)
    >>> round(found.input_scale, 9), round(found.input_shift, 9), len(found.branches)
    (0.090437945, 0.560106691, 2)
    >>> round(found.output_scale, 8), round(found.output_shift, 8), round(found.maps.slope**100, 9)
    (14.90252573, -0.50500438, 1.5)
    >>> from widelimit.numerics.shaping import maps
    >>> again = maps(found.activation)
    >>> round(again.length, 9), round(again.length_slope, 7), round(again.slope**100, 7)
    (1.0, 1.0, 1.5)
    >>> found = shape("leaky_relu", depth=50, method="tat")
    >>> round(found.negative_slope, 11), round(found.output_scale, 11), round(found.maps.overlap, 6)
    (0.4305229485, 1.29894778632, 0.087088)
    """
    phi = Activation.of(activation)
    layers = arguments.count("depth", depth)
    if layers > DEEPEST:
        raise ArgumentError("depth", f"must be at most {DEEPEST}", depth)
    method = arguments.choice("method", method, METHODS)
    if method == "tat" and (slope := leaky.slope_of(phi)) is not None:
        return _leaky(phi, slope, layers, target)
    whole = arguments.single("target", target_of(method, target))
    return _smooth(unit(phi), layers, method, whole)


def predict(
    activation: str = "tanh", depth: int = 100, method: str = "dks", target: float | None = None
) -> Shaped:
    """Shape an activation, as `shape` does.

    Args:
        activation: a catalogue name or an expression in x.
        depth: number of layers.
        method: dks or tat.
        target: zeta, tau or eta.

    >>> found = predict(depth=100)
    >>> round(found.input_scale, 9), round(found.input_shift, 9), round(found.output_scale, 4)
    (0.090437945, 0.560106691, 14.9025)
    """
    return shape(activation, depth=depth, method=method, target=target)


@functools.cache
def _targets() -> Compiled:
    names = (theory.ZETA, theory.TAU, theory.DEPTH)
    return compile((theory.dks_target(), theory.tat_target()), names, name="targets")


@functools.cache
def _shaped_maps() -> Compiled:
    return compile(theory.shaped_maps(), (theory.GAMMA, theory.DELTA, *SYMBOLS), name="shaped_maps")


def _smooth(made: Unit, depth: int, method: str, whole: float) -> Shaped:
    if method == "tat" and not made.smooth:
        raise InfiniteMomentError(
            f"{made.activation.name} has a kink, so that C''(1) is infinite and cannot be shaped by TAT. Use "
            "leaky_relu, whose slope is tailored, a smooth activation, or DKS."
        )
    layer = float(_targets()(whole, whole, float(depth))[METHODS.index(method)])
    if layer < LEAST:
        raise ArgumentError(
            "target",
            f"must ask each layer for {LEAST:g} at least",
            whole,
            f"It is shared by {depth} layers. Use a larger target or fewer layers.",
        )
    branches = _branches(made, method, layer)
    if not branches:
        raise _out_of_reach(made, depth, method, whole, layer)
    one = branches[0]
    return Shaped(
        one.input_scale, one.input_shift, one.output_scale, one.output_shift, None, one.maps, branches,
        made.activation, depth, method, whole,
    )  # fmt: skip


def _branches(made: Unit, method: str, target: float) -> tuple[Branch, ...]:
    found: list[Branch] = []
    for sign in (1,) if method == "dks" else (1, -1):
        pairs = smooth.solutions(made, smooth.Method(method, sign, target))
        if not len(pairs):
            continue
        moments = made.moments(pairs[:, 0], pairs[:, 1])
        gain, shift = smooth.output(method, sign)(*moments.values())
        with np.errstate(all="ignore"):
            maps = np.array(_shaped_maps()(gain, shift, *moments.values()))
        for k, (alpha, beta) in enumerate(pairs.tolist()):
            found.append(Branch(alpha, beta, float(gain[k]), float(shift[k]), Maps(*maps[:, k].tolist())))
    ranked = sorted(
        found,
        key=lambda b: (
            -round(float(np.log(b.input_scale)), 7),
            round(abs(b.input_shift), 7),
            b.input_shift < 0,
        ),
    )
    return tuple(ranked)


def _out_of_reach(made: Unit, depth: int, method: str, whole: float, layer: float) -> ArgumentError:
    most = smooth.largest(lambda target: bool(_branches(made, method, target)), layer)
    if most is None:
        return ArgumentError(
            "activation",
            f"must be one that {method} can shape",
            made.activation.name,
            "No scale and shift of its input meets the conditions: it is too close to a line, a square or a corner.",
        )
    reach = float(np.exp(np.minimum(depth * np.log1p(most), 700.0))) if method == "dks" else most * depth
    return ArgumentError(
        "target",
        f"must be at most about {reach:.4g} for {depth} layer{'s' * (depth > 1)} of {made.activation.name}",
        whole,
        "Input scales up to 20 were tried. Use more layers or a smaller target.",
    )


def _leaky(phi: Activation, slope: float, depth: int, target: Any) -> Shaped:
    if slope == 0:
        raise ArgumentError(
            "activation",
            "must have a slope to tailor",
            phi.name,
            "A plain ReLU has none: use leaky_relu, whose slope below 0 is then found.",
        )
    if not 0 < slope < 1:
        raise ArgumentError("activation", "must have a slope below 0 that lies between 0 and 1", phi.name)
    eta = 0.9 if target is None else target
    negative = leaky.solve(depth, eta)
    gain, kappa = leaky.numbers_()(negative)
    maps = Maps(1.0, 1.0, kappa * leaky.kink()(np.pi / 2)[0], 1.0, float("inf") if negative < 1 else 0.0)
    branch = Branch(1.0, 0.0, gain, 0.0, maps)
    return Shaped(1.0, 0.0, gain, 0.0, negative, maps, (branch,), phi, depth, "tat", float(eta))


@pictured
@dataclass(frozen=True)
class FarPoint:
    """A solution at great depth, to first order in one over the depth."""

    input_scale: float
    input_shift: float


def asymptotic(
    activation: Any, *, depth: Any, method: str = "dks", target: Any = None
) -> tuple[FarPoint, ...]:
    """Return what `shape` tends to at great depth: where the condition on phi', phi'' and phi''' holds, and the scale.

    DKS: phi''^2 + 2 phi' phi''' = 0 at the shift and sqrt(2 log(zeta)/depth) abs(phi'/phi'') for the scale; TAT:
    phi' phi''' = -+ phi''^2 / sqrt(2) and sqrt(tau/depth) abs(phi'/phi''). These are the starts of `shape`.

    Args:
        activation: a catalogue name or an expression in x.
        depth: number of layers.
        method: dks or tat.
        target: zeta > 1 (default 1.5), or tau > 0 (default 0.3).

    Raises `ArgumentError` as `shape` does; returns nothing for an activation without such points.

    >>> best = asymptotic("tanh", depth=100)[0]
    >>> round(best.input_shift, 9), round(best.input_scale, 9)  # artanh(1/2)
    (0.549306144, 0.090051664)
    >>> [round(one.input_shift, 6) for one in asymptotic("tanh", depth=100, method="tat", target=0.3)]
    [0.517752, -0.517752, 1.082446, -1.082446]
    >>> [round(one.input_scale, 6) for one in asymptotic("tanh", depth=100, method="tat", target=0.3)]
    [0.057538, 0.057538, 0.034487, 0.034487]
    """
    phi = Activation.of(activation)
    layers = arguments.count("depth", depth)
    method = arguments.choice("method", method, METHODS)
    whole = arguments.single("target", target_of(method, target))
    points = [
        FarPoint(alpha, beta)
        for sign in ((1,) if method == "dks" else (1, -1))
        for alpha, beta in smooth.far(phi, method, sign, whole, float(layers))
    ]
    return tuple(
        sorted(
            points,
            key=lambda p: (
                -round(float(np.log(p.input_scale)), 7),
                abs(round(p.input_shift, 7)),
                -p.input_shift,
            ),
        )
    )
