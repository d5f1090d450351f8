"""Fisher information of wide networks: its eigenvalue statistics, bounds by the Jacobian, and what they allow.

`predict` gives the mean-field statistics, `jacobian_bound` the bounds layer by layer and for the whole matrix.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.kernel_maps import moments
from widelimit.numerics.results import by_value
from widelimit.theory import fisher as theory
from widelimit.theory.activation import Activation
from widelimit.theory.errors import ArgumentError


@by_value
@dataclass(frozen=True)
class Statistics:
    """Eigenvalues of the Fisher matrix, weights only, of a network with `outputs` units above `depth` hidden layers.

    `mean`, `second_moment` (mean of the squares) and `largest` are over all eigenvalues; the largest is `outputs`-fold.
    `bulk` is the eigenvalue of the other non-zero ones, `condition_number` = largest / bulk (infinite if kappa_1 =
    kappa_2). Above `largest_learning_rate` = 2 / largest gradient descent on the mean squared loss is unstable.
    `bias_share`: how much bias gradients would add to the trace, relative to it.
    """

    kappa_1: float
    kappa_2: float
    alpha: float
    parameters: float
    mean: float
    second_moment: float
    largest: float
    bulk: float
    condition_number: float
    largest_learning_rate: float
    bias_share: float


@by_value
@dataclass(frozen=True)
class Propagation:
    """Forward and backward statistics per layer; entry l-1 of each list belongs to the weights of layer l.

    `forward` (of the activities below the weights) and `backward` for one input, `_pair` for two different ones.
    """

    widths: np.ndarray
    forward: np.ndarray
    forward_pair: np.ndarray
    backward: np.ndarray
    backward_pair: np.ndarray


@functools.cache
def _formulas() -> Compiled:
    t = theory
    expressions = (
        t.parameters(),
        t.mean(),
        t.second_moment(),
        t.outlier(),
        t.bulk(),
        t.largest_learning_rate(),
    )
    return compile(expressions, (t.KAPPA_1, t.KAPPA_2, t.ALPHA, t.WIDTH, t.OUTPUTS, t.SAMPLES), name="fisher")


def propagation(
    activation: str | Activation,
    *,
    sigma_w: Any,
    sigma_b: Any,
    widths: Any,
    input_moment: float,
    input_overlap: float,
) -> Propagation:
    """Run the statistics up and down a network with `widths` (input, hidden layers ...), karakida2019universal
    eqs. (6-10). `sigma_w`, `sigma_b`: numbers, or one for each weighted layer, the readout last.
    """
    phi = Activation.of(activation)
    moment = float(arguments.positive("input_moment", input_moment))
    overlap = float(arguments.within("input_overlap", input_overlap, -moment, moment))
    widths = arguments.positive("widths", arguments.vector("widths", widths))
    sw2 = _each_layer("sigma_w", arguments.positive("sigma_w", sigma_w), len(widths)) ** 2
    sb2 = _each_layer("sigma_b", arguments.non_negative("sigma_b", sigma_b), len(widths)) ** 2
    forward, forward_pair, slopes, slopes_pair = [moment], [overlap], [], []
    for w, b, above in zip(sw2[:-1], sb2[:-1], sw2[1:], strict=True):
        q = w * forward[-1] + b
        layer = moments(phi, q, (w * forward_pair[-1] + b) / q)
        forward.append(layer.v)
        forward_pair.append(layer.t)
        slopes.append(above * layer.p)
        slopes_pair.append(above * layer.tdot)
    backward = np.append(np.cumprod(slopes[::-1])[::-1], 1.0)
    backward_pair = np.append(np.cumprod(slopes_pair[::-1])[::-1], 1.0)
    return Propagation(widths, np.array(forward), np.array(forward_pair), backward, backward_pair)


def _each_layer(name: str, value: np.ndarray, layers: int) -> np.ndarray:
    if value.shape not in ((), (layers,)):
        raise ArgumentError(
            name,
            f"must be a number or {layers} of them, one for each weighted layer",
            but=f"has shape {value.shape}",
        )
    return np.broadcast_to(value, (layers,))


def predict(
    activation: str | Activation = "relu",
    sigma_w: float = math.sqrt(2.0),
    sigma_b: float = 0.0,
    depth: int = 3,
    width: float = 1000.0,
    samples: int = 100,
    outputs: int = 1,
    input_moment: float = 1.0,
    input_overlap: float = 0.0,
    widths: list[float] | None = None,
) -> Statistics:
    """Mean, second moment and largest eigenvalue of the Fisher matrix (karakida2019universal, theorems 1, 3, 4).

    mean = kappa_1 C / M, second moment = alpha C ((T-1)/T kappa_2^2 + kappa_1^2 / T),
    largest = alpha M ((T-1)/T kappa_2 + kappa_1 / T), F = 1/T sum_t sum_k grad f_k grad f_k' in the standard
    parametrisation (weights of variance sigma_w^2 / fan-in).

    Args:
        activation: a catalogue name or an expression in x.
        sigma_w: standard deviation of the weights times the root of the fan-in.
        sigma_b: standard deviation of the biases.
        depth: number of hidden layers; a linear output layer follows.
        width: width M of the input and of all hidden layers.
        samples: number T of independent inputs.
        outputs: number C of outputs, small against the width.
        input_moment: mean square of an input's components.
        input_overlap: mean product of the components of two inputs.
        widths: widths of input and hidden layers, depth + 1 numbers, instead of `width`.

    >>> s = predict("relu", sigma_w=2**0.5, sigma_b=0.1**0.5, depth=3, width=800.0, samples=60, outputs=2)
    >>> round(s.kappa_1, 6), round(s.kappa_2, 6), round(s.largest, 2)
    (1.433333, 0.428906, 1069.55)
    """
    depth = arguments.count("depth", depth)
    chosen = [float(arguments.positive("width", width))] * (depth + 1) if widths is None else widths
    if len(chosen) != depth + 1:
        raise ArgumentError(
            "widths", f"must hold {depth + 1} numbers, input and hidden layers", but=f"holds {len(chosen)}"
        )
    samples, outputs = arguments.count("samples", samples), arguments.count("outputs", outputs)
    run = propagation(
        activation,
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        widths=chosen,
        input_moment=input_moment,
        input_overlap=input_overlap,
    )
    return statistics(run, samples=samples, outputs=outputs)


def statistics(run: Propagation, *, samples: int, outputs: int) -> Statistics:
    """The same from what `propagation` found: `samples` inputs and `outputs` outputs (`predict` has the equations)."""
    scale = float(run.widths[-1])
    ratio = run.widths / scale
    alpha = float(np.sum(ratio[1:] * ratio[:-1]))
    kappa_1 = float(np.sum(ratio * run.backward * run.forward)) / alpha
    kappa_2 = float(np.sum(ratio * run.backward_pair * run.forward_pair)) / alpha
    parameters, mean, second, largest, bulk, rate = _formulas()(
        kappa_1, kappa_2, alpha, scale, outputs, samples
    )
    biases = float(np.sum(run.backward)) / (alpha * scale * kappa_1)
    condition = largest / bulk if bulk > 0 else math.inf
    return Statistics(
        kappa_1, kappa_2, alpha, parameters, mean, second, largest, bulk, condition, rate, biases
    )


@by_value
@dataclass(frozen=True)
class JacobianBound:
    """Bounds of Fisher eigenvalues by Jacobians; entry l-1 belongs to the weights of layer l.

    `layers`: lambda_max(F_l) <= E[|x|^2 sigma_max(J_l)^2], rigorous for the block of a layer. `decoupled`:
    lambda_max(E x x') E sigma_max(J_l)^2, mean field; it can fall a few per cent short of the true block.
    `largest_block` bounds the *block-diagonal*
    Fisher matrix. `whole` = sum of `layers` bounds the *whole* matrix, which is about `depth` times larger than the
    largest block. `largest_learning_rate` = 2 / whole is safe, hence low.
    """

    layers: np.ndarray
    decoupled: np.ndarray
    largest_block: float
    whole: float
    largest_learning_rate: float


def jacobian_bound(
    activation: str | Activation = "tanh",
    *,
    sigma_w: Any,
    sigma_b: Any = 0.0,
    depth: int,
    width: float = 1000.0,
    samples: int,
    weights: str = "gaussian",
    input_moment: float = 1.0,
    input_overlap: float = 0.0,
    square: bool = False,
    widths: Any = None,
) -> JacobianBound:
    """Bound the largest Fisher eigenvalue, per layer and for the whole matrix, from the Jacobians above each layer.

    lambda_max(F_l) <= E[|x^(l-1)|^2 sigma_max(J_l)^2] and lambda_max(F) <= sum_l lambda_max(F_l)
    (sokol2018information; the sum is needed, the largest block alone bounds only the block-diagonal matrix).
    J_l is the derivative of the outputs by the pre-activations of layer l: with few outputs
    sigma_max^2 is the backward variance; `square=True` takes `width` outputs and the edge of the Jacobian's spectrum
    (``jacobian.spectrum``, at the fixed point of the variance, which inputs of another length reach layer by layer),
    for `weights` gaussian or orthogonal. `sigma_w`, `sigma_b`: numbers, or one for each weighted layer, the readout
    last (without `square`).
    """
    depth = arguments.count("depth", depth)
    samples = arguments.count("samples", samples)
    run = propagation(
        activation, sigma_w=sigma_w, sigma_b=sigma_b, widths=[width] * (depth + 1) if widths is None else
        widths, input_moment=input_moment,
        input_overlap=input_overlap,
    )  # fmt: skip
    largest = run.backward
    if square:
        w, b = (
            arguments.single(n, arguments.finite(n, v))
            for n, v in (("sigma_w", sigma_w), ("sigma_b", sigma_b))
        )
        largest = _edges(activation, float(w), float(b), depth, weights)
    layers = run.widths * run.forward * largest
    decoupled = run.widths * ((samples - 1) * run.forward_pair + run.forward) / samples * largest
    whole = float(layers.sum())
    return JacobianBound(layers, decoupled, float(layers.max()), whole, 2.0 / whole)


def _edges(
    activation: str | Activation, sigma_w: float, sigma_b: float, depth: int, weights: str
) -> np.ndarray:
    """Largest squared singular values of the Jacobians from the output (level depth + 1) down to layer 1."""
    from widelimit.numerics import jacobian

    above = [
        jacobian.spectrum(activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=above, weights=weights).largest
        for above in range(1, depth + 1)
    ]
    return np.array([*above[::-1], 1.0])
