"""What infinite width says of dense layers one behind the other: the law of their Jacobian, the trace of their Hessian.

Each layer has its own scales, widths and activation, and an input its own mean square: lengths q_l are those that the
input has at each layer, not those of a fixed point. The law is `jacobian.spectrum`'s for layers that differ.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.freeprob.spectral import SpectralLaw, remembered
from widelimit.numerics.jacobian import layered
from widelimit.numerics.jacobian.layered import Layer
from widelimit.numerics.meanfield.maps import maps
from widelimit.numerics.spectra.formulas import compiled
from widelimit.theory import spectra as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import DomainError
from widelimit.theory.kernel import SIGMA_W

_FAR = 1e30  # of lengths, either way


@dataclass(frozen=True)
class DenseStage:
    """phi(W x + b): W of variance sigma_w^2/fan_in, or an orthogonal one of the same entries; phi None is none.

    weights, biases: whether they are trained.
    """

    sigma_w: float
    sigma_b: float
    fan_in: int
    fan_out: int
    activation: Activation | None = None
    orthogonal: bool = False
    weights: bool = True
    biases: bool = True


@dataclass(frozen=True)
class _Point:
    """One layer at one input: v of what it reads, q of its pre-activations, E phi'^2 and dV/dq without kinks."""

    below: float
    length: float
    slopes: float
    slope: float


def _points(stages: Sequence[DenseStage], moment: float) -> list[_Point]:
    found: list[_Point] = []
    below = moment
    for number, one in enumerate(stages, 1):
        q = one.sigma_w**2 * below + one.sigma_b**2
        if not (q == 0.0 or 1 / _FAR < q < _FAR):
            raise DomainError(f"The pre-activations of layer {number} have the variance {q:.3g}.")
        above, slopes, slope = q, 1.0, 1.0
        if one.activation is not None:
            above, slopes, slope = (float(v) for v in maps(one.activation).moments(np.array([q]))[0][:, 0])
            slope -= float(_kinks(one.activation)(q)) if q > 0 else 0.0
        found.append(_Point(below, q, slopes, slope))
        below = above
    return found


@remembered
def jacobian_law(stages: Sequence[DenseStage], moment: float) -> SpectralLaw:
    """Return the law of eigenvalues of J'J, J the outputs by an input whose components have this mean square.

    All of its N_0 eigenvalues count: where layers are narrower than the input, some are zero. Raises `DomainError`
    where lengths leave the range of floats, `InfiniteMomentError` for slopes without a fourth moment,
    `ConvergenceError` where the law is not resolved.

    >>> law = jacobian_law([DenseStage(1.0, 0.0, 100, 50), DenseStage(1.0, 0.0, 50, 100)], 1.0)
    >>> [round(law.moment(k), 9) for k in (1, 2)], law.atoms
    ([1.0, 4.0], ((0.0, 0.5),))
    """
    first = stages[0].fan_in
    layers: list[Layer] = []
    for one, point in zip(stages, _points(stages, moment), strict=True):
        phi, before, after = one.activation, first / one.fan_in, first / one.fan_out
        variance = 2 * float(np.log(one.sigma_w)) + float(np.log(before / after))
        layers.append(Layer(phi, point.length if phi else 0.0, variance, one.orthogonal, before, after))
    layers = _without_rotations(layers)
    return layered.law(layers, "Jacobian of dense layers")


def _without_rotations(layers: list[Layer]) -> list[Layer]:
    """Leave out what only scales, and scale the first of the others, or one rotation alone."""
    kept = [one for one in layers if not one.rotates] or layers[:1]
    total = sum(one.variance for one in layers) - sum(one.variance for one in kept[1:])
    return [kept[0]._replace(variance=total), *kept[1:]] if len(kept) < len(layers) else kept


def mean_curvature(
    stages: Sequence[DenseStage], moments: Sequence[float], *, residuals: bool = True
) -> float:
    """Return the mean eigenvalue of the Hessian of the mean of |f|^2/2 over inputs of these mean squares.

    By `theory.spectra.layer_trace`, over all trained weights and biases; without what kinks add, which programs
    do not see either. residuals: False leaves out f times the second derivatives of f, and what stays is the
    Fisher matrix of Gaussian outputs. In the mean over Gaussian weights it is exact for one hidden layer, for more at
    infinite width. Raises `DomainError` for activations that jump, and where lengths leave the range of floats.

    >>> stages = [DenseStage(1.0, 0.0, 10, 40, Activation.of("relu")), DenseStage(2**0.5, 0.0, 40, 1)]
    >>> round(mean_curvature(stages, [1.0]) * (11 * 40 + 41), 9)  # 10 + 1 of the first layer, 40/2 + 1 of the readout
    32.0
    """
    size = sum(one.fan_out * (one.fan_in * one.weights + one.biases) for one in stages)
    total, outputs = 0.0, float(stages[-1].fan_out)
    for moment, times in zip(*np.unique(moments, return_counts=True), strict=True):
        points = _points(stages, float(moment))
        gain, above = 1.0, 1.0  # sigma_w of the weights above, 1 where there are none
        for one, point in zip(reversed(stages), reversed(points), strict=True):
            gain = float(_below()(above, point.slope if residuals else point.slopes, gain))
            above = one.sigma_w
            trace = _trace()(outputs, gain, float(one.fan_in * one.weights), point.below, float(one.biases))
            total += int(times) * float(trace)
    return total / len(moments) / size


@functools.lru_cache(maxsize=64)
def _kinks(phi: Activation) -> Compiled:
    return compile(theory.kink_share(phi), (theory.LENGTH,), name="kink_share")


_trace = compiled(
    "trace", (theory.OUTPUTS, theory.GAIN, theory.FAN_IN, theory.ACTIVITY, theory.BIASES), theory.layer_trace
)
_below = compiled("below", (SIGMA_W, theory.SLOPE, theory.GAIN), theory.gain_below)
