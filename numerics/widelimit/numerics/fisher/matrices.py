"""Fisher information of wide networks: its eigenvalue statistics, bounds by the Jacobian, and what they allow.

depths   activities, gradients and their products for two inputs, layer by layer
here                 `predict`: mean, second moment, the two levels and the largest eigenvalue
spread        how far finite width spreads the levels
bound         `jacobian_bound`: bounds layer by layer and for the whole matrix
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.fisher.bound import JacobianBound, jacobian_bound, learning_rate
from widelimit.numerics.fisher.depths import SECONDS, Propagation, named, propagation, require_possible
from widelimit.numerics.fisher.spread import Spread, spread
from widelimit.numerics.results import by_value
from widelimit.theory import fisher as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, DomainError

__all__ = [
    "JacobianBound",
    "Propagation",
    "Spread",
    "Statistics",
    "jacobian_bound",
    "predict",
    "propagation",
    "statistics",
]

NEGLIGIBLE = 0.05  # shift of the outlier by the spread below which theorem 4 stands as it is: other terms of 1/M matter


@by_value
@dataclass(frozen=True)
class Statistics:
    """Eigenvalues of the Fisher matrix, weights only, of a network with `outputs` units above `depth` hidden layers.

    `mean` and `second_moment` (mean of the squares) are over all eigenvalues. Wide networks have two levels besides
    zero, each once for every output: `outlier`, along the mean over samples, and `bulk`, samples - 1 times across it.
    `condition_number` is the larger over the smaller (infinite where one is zero).

    `largest` is the largest eigenvalue at this width, in the mean over networks: the outlier where it stands clear of
    the bulk; else, as for centred inputs (kappa_2 <= 0), the upper edge of the bulk, which finite width spreads by
    some 2 sqrt(samples / width). It is that of one output; the outputs of a network differ, and `top` is the largest
    eigenvalue of all, about (1 + sqrt(outputs / width))^2 a layer larger.
    `largest_learning_rate` = 2 / top is that of all outputs together: gradient descent on the loss
    1/(2 T) sum_t |f(x_t) - y_t|^2, whose Hessian near a minimum is F, is stable below it and diverges above. Rates
    scale with the loss: without the 1/2 they halve; ``torch.nn.MSELoss``, which has none and averages over outputs as
    well, is stable below outputs / top.
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
    outlier: float
    top: float


@functools.cache
def _formulas() -> Compiled:
    t = theory
    expressions = (t.parameters(), t.mean(), t.second_moment(), t.outlier(), t.bulk(), t.largest())
    return compile(expressions, (t.KAPPA_1, t.KAPPA_2, t.ALPHA, t.WIDTH, t.OUTPUTS, t.SAMPLES), name="fisher")


@functools.cache
def _layers() -> tuple[Compiled, Compiled, Compiled]:
    t = theory
    shares = (t.BELOW_RATIO, t.ALPHA, t.BACKWARD, t.FORWARD)
    return (
        compile(t.layer_weights(), (t.WIDTH_RATIO, t.BELOW_RATIO), name="layer_weights"),
        compile(t.layer_share(), shares, name="layer_share"),
        compile(t.bias_share(), (t.BACKWARD_SUM, t.ALPHA, t.WIDTH, t.KAPPA_1), name="bias_share"),
    )


@functools.cache
def _condition_number() -> Compiled:
    t = theory
    return compile(t.condition_number(), (t.KAPPA_1, t.KAPPA_2, t.SAMPLES), name="condition_number")


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
    inputs: str = "auto",
) -> Statistics:
    """Mean, second moment and largest eigenvalue of the Fisher matrix (karakida2019universal, theorems 1, 3, 4).

    mean = kappa_1 C / M, second moment = alpha C ((T-1)/T kappa_2^2 + kappa_1^2 / T),
    outlier = alpha M ((T-1)/T kappa_2 + kappa_1 / T), bulk = alpha M (kappa_1 - kappa_2) / T,
    F = 1/T sum_t sum_k grad f_k grad f_k' in the standard parametrisation (weights of variance sigma_w^2 / fan-in).

    Args:
        activation: a catalogue name or an expression in x.
        sigma_w: standard deviation of the weights times the root of the fan-in.
        sigma_b: standard deviation of the biases.
        depth: number of hidden layers; a linear output layer follows.
        width: width M of the input and of all hidden layers.
        samples: number T of inputs.
        outputs: number C of outputs, small against the width.
        input_moment: mean square of an input's components.
        input_overlap: mean product of the components of two inputs, at least -input_moment / (samples - 1).
        widths: widths of input and hidden layers, depth + 1 numbers, instead of `width`.
        inputs: whether all pairs overlap by exactly input_overlap ("equal") or as Gaussian inputs do ("gaussian"),
            which spreads the bulk further; "auto": equal where the input is wide enough for that many samples.

    Raises `ArgumentError` for an overlap that so many inputs cannot have, `DomainError` where no float holds the
    eigenvalues, `InfiniteMomentError` where E phi'^4 is infinite.

    >>> s = predict("relu", sigma_w=2**0.5, sigma_b=0.1**0.5, depth=3, width=800.0, samples=60, outputs=2)
    >>> round(s.kappa_1, 6), round(s.kappa_2, 6), round(s.largest, 2)
    (1.433333, 0.428906, 1069.55)
    >>> s.parameters, round(s.mean, 8), round(s.second_moment, 6), round(s.bias_share, 8)
    (1920000.0, 0.00358333, 1.290813, 0.00116279)
    >>> round(s.bulk, 4), round(s.condition_number, 4), round(s.largest_learning_rate, 9)
    (40.1771, 26.621, 0.001815119)

    Fifty centred inputs share nothing: finite width spreads their one level.

    >>> s = predict("tanh", sigma_w=1.5, depth=2, width=200.0, samples=50, outputs=3)
    >>> round(s.outlier, 4), round(s.largest, 4), round(s.top, 4)
    (6.7043, 11.3887, 12.9157)
    >>> predict(input_overlap=-0.02, samples=100)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    widelimit.theory.errors.ArgumentError: Argument `input_overlap` must be at least -0.010101 = ...
    """
    depth = costs.affordable("depth", arguments.count("depth", depth), seconds=SECONDS)
    chosen = [arguments.positive_number("width", width)] * (depth + 1) if widths is None else widths
    if np.ndim(chosen) != 1 or len(chosen) != depth + 1:
        raise ArgumentError(
            "widths",
            f"must hold {depth + 1} numbers, input and hidden layers",
            but=f"holds {np.shape(chosen)[0] if np.ndim(chosen) else 'one number'}",
        )
    samples, outputs = (
        arguments.count("samples", samples),
        arguments.count("outputs", outputs),
    )
    run = propagation(
        activation,
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        widths=chosen,
        input_moment=input_moment,
        input_overlap=input_overlap,
    )
    return statistics(run, samples=samples, outputs=outputs, inputs=inputs)


def statistics(run: Propagation, *, samples: int, outputs: int, inputs: str = "auto") -> Statistics:
    """The same from what `propagation` found: `samples` inputs and `outputs` outputs (`predict` has the equations).

    Raises `ArgumentError` for an overlap that so many inputs cannot have, `DomainError` where no float holds the
    eigenvalues, `InfiniteMomentError` where E phi'^4 is infinite.

    >>> run = propagation(
    ...     "erf", sigma_w=1.4, sigma_b=0.3, widths=[300.0, 200.0, 400.0], input_moment=1.0, input_overlap=0.2
    ... )
    >>> s = statistics(run, samples=50, outputs=1)
    >>> round(s.alpha, 4), round(s.kappa_1, 4), round(s.kappa_2, 4), round(s.largest, 2)
    (0.875, 1.6425, 0.2483, 96.67)
    """
    samples, outputs = (
        arguments.count("samples", samples),
        arguments.count("outputs", outputs),
    )
    require_possible(run, samples)
    scale = float(run.widths[-1])
    ratio = run.widths / scale
    weights, share, by_biases = _layers()
    alpha = float(np.sum(weights(ratio[1:], ratio[:-1])))
    kappa_1 = float(np.sum(share(ratio, alpha, run.backward, run.forward)))
    kappa_2 = float(np.sum(share(ratio, alpha, run.backward_pair, run.forward_pair)))
    parameters, mean, second, outlier, bulk, wide = _formulas()(
        kappa_1, kappa_2, alpha, scale, outputs, samples
    )
    if not (math.isfinite(second) and second > 0):
        raise DomainError(
            f"The Fisher matrix of {named(run.activations)} with {len(run.lengths)} hidden layers has eigenvalues that "
            f"no float holds (mean square {second:.3g}). Change `sigma_w` or the depth."
        )
    found = spread(run, samples, outputs, inputs)
    clear = found.outlier is not None and found.outlier < outlier * (1 + NEGLIGIBLE)
    largest = wide if clear or samples == 1 else max(found.edge, found.outlier or 0.0)
    biases = float(by_biases(np.sum(run.backward), alpha, scale, kappa_1))
    condition = _condition(kappa_1, kappa_2, samples, outlier, bulk)
    top = largest * found.outputs
    return Statistics(
        kappa_1, kappa_2, alpha, parameters, mean, second, largest, bulk, condition, learning_rate()(top), biases,
        outlier, top,
    )  # fmt: skip


def _condition(kappa_1: float, kappa_2: float, samples: int, outlier: float, bulk: float) -> float:
    """The larger of the two levels over the smaller: 1 where there is one sample, infinite where a level is zero."""
    if samples == 1:
        return 1.0
    return float(_condition_number()(kappa_1, kappa_2, samples)) if min(outlier, bulk) > 0 else math.inf
