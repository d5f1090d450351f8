"""Bounds of the largest Fisher eigenvalue from the Jacobians of the outputs above each layer.

The block of a layer is at most |x|^2 sigma_max(J)^2 in the mean over inputs x, J the derivative of the C outputs by the
layer's pre-activations. For several outputs sigma_max^2 is the upper edge of J J', a free product of the layers above:
z(m) = (1 + m)/m prod_l sigma_w^2 w_l zeta_l with w_l = (C / M_l) m = E d / (zeta_l - d), d = phi'^2
(pennington2018emergence).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline
from sympy import Symbol, log

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.fisher.depths import SECONDS, Propagation, propagation, require_possible
from widelimit.numerics.fisher.spread import activities
from widelimit.numerics.jacobian.slope_laws import slope_law
from widelimit.numerics.results import by_value
from widelimit.theory import fisher as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, InfiniteMomentError

_M = np.exp(
    np.arange(-16.0, 26.0, 0.02)
)  # where the edge is looked for; its least value there is off by 1e-5


@by_value
@dataclass(frozen=True)
class JacobianBound:
    """Bounds of Fisher eigenvalues, in the mean over networks; entry l-1 belongs to the weights of layer l.

    `layers`: lambda_max(F_l) <= E[|x|^2 sigma_max(J_l)^2], rigorous for the block of a layer. `decoupled`:
    lambda_max(E x x') E sigma_max(J_l)^2, mean field, the first factor with its spread at this width; it can fall a few
    per cent short of the true block.
    `largest_block` bounds the *block-diagonal*
    Fisher matrix. `whole` = sum of `layers` bounds the *whole* matrix, which is about `depth` times larger than the
    largest block. `largest_learning_rate` = 2 / whole, for all outputs and the loss of
    `Statistics`, is safe, hence low. `jacobians`: E sigma_max(J_l)^2.
    """

    layers: np.ndarray
    decoupled: np.ndarray
    largest_block: float
    whole: float
    largest_learning_rate: float
    jacobians: np.ndarray


def jacobian_bound(
    activation: str | Activation | Sequence[str | Activation] = "tanh",
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
    outputs: int = 1,
    biases: bool = True,
    inputs: str = "auto",
) -> JacobianBound:
    """Bound the largest Fisher eigenvalue, per layer and for the whole matrix, from the Jacobians above each layer.

    lambda_max(F_l) <= E[|x^(l-1)|^2 sigma_max(J_l)^2] and lambda_max(F) <= sum_l lambda_max(F_l)
    (sokol2018information; the sum is needed, the largest block alone bounds only the block-diagonal matrix).
    J_l is the derivative of the `outputs` outputs by the pre-activations of layer l: with one output sigma_max^2 is the
    backward variance, with several it is the upper edge of the spectrum of J_l J_l', which grows with outputs / width.
    `inputs`: equal, gaussian or auto, as in `predict`; it matters for `decoupled` alone.
    `activation`: one, or one for each hidden layer. `biases`: whether biases are
    parameters too; the input of each layer has then a component 1 more.
    `square=True` takes as many outputs as the last hidden layer has units, for `weights` gaussian or orthogonal; each
    layer sits at the length that the inputs have there. `sigma_w`, `sigma_b`: numbers, or one for each weighted layer,
    the readout last.

    Raises `ArgumentError` for wrong arguments, an overlap that so many inputs cannot have among them.

    >>> few, many = (
    ...     jacobian_bound("relu", sigma_w=2**0.5, depth=2, width=400.0, samples=30, outputs=c) for c in (1, 100)
    ... )
    >>> few.jacobians.round(3).tolist(), many.jacobians.round(3).tolist()
    ([1.0, 1.0, 1.0], [4.409, 2.914, 1.0])
    >>> round(many.whole, 2), round(many.largest_learning_rate, 9)
    (3337.71, 0.000599213)
    >>> jacobian_bound(
    ...     "tanh", sigma_w=1.2, depth=2, width=40.0, samples=30, square=True, weights="orthogonal"
    ... ).jacobians.round(4).tolist()
    [1.7029, 1.44, 1.0]
    """
    square, biases = arguments.flag("square", square), arguments.flag("biases", biases)
    depth = costs.affordable("depth", arguments.count("depth", depth), seconds=SECONDS)
    samples = arguments.count("samples", samples)
    outputs = arguments.count("outputs", outputs)
    kind = arguments.choice("weights", weights, ("orthogonal", "gaussian"))
    if kind == "orthogonal" and not square:
        raise ArgumentError("weights", "must be 'gaussian' without square=True", weights)
    run = propagation(
        activation, sigma_w=sigma_w, sigma_b=sigma_b, widths=[width] * (depth + 1) if widths is None else
        widths, input_moment=input_moment,
        input_overlap=input_overlap,
    )  # fmt: skip
    if len(run.widths) != depth + 1:
        raise ArgumentError(
            "widths",
            f"must hold {depth + 1} numbers, input and hidden layers",
            but=f"holds {len(run.widths)}",
        )
    require_possible(run, samples)
    if square:
        if kind == "orthogonal" and np.ptp(run.widths[1:]) > 0:
            raise ArgumentError(
                "widths", "must be equal for orthogonal weights", but=f"are {run.widths[1:].tolist()}"
            )
        outputs = max(2, round(float(run.widths[-1])))
    jacobians = largest_jacobians(run, outputs, kind)
    one = 1.0 if biases else 0.0
    norms = run.widths * run.forward + one
    layers = norms * jacobians
    decoupled = np.minimum(activities(run, samples, inputs) + one, norms) * jacobians
    whole = float(layers.sum())
    return JacobianBound(layers, decoupled, float(layers.max()), whole, learning_rate()(whole), jacobians)


@functools.cache
def learning_rate() -> Compiled:
    """The largest stable learning rate as a function of the largest eigenvalue."""
    eigenvalue = Symbol("lambda_max", positive=True)
    return compile(theory.largest_learning_rate(eigenvalue), (eigenvalue,), name="rate")


def largest_jacobians(run: Propagation, outputs: int, weights: str = "gaussian") -> np.ndarray:
    """Bound E sigma_max(J_l)^2, layer 1 up to the readout: the edge of the limit, or `outputs` backward variances.

    The latter is the sum of all squared singular values; it is exact for one output, and all that is left where slopes
    are unbounded. `weights` orthogonal: as many outputs as units in every hidden layer.
    """
    if outputs == 1:
        return run.backward
    above, found, gain = np.log1p(1.0 / _M), [1.0], _layer_gain(weights)
    for layer in range(len(run.lengths), 0, -1):
        if np.isfinite(above).any():
            w = outputs / run.widths[layer] * _M
            w_zeta = _w_zeta(run.activations[layer - 1], float(run.lengths[layer - 1]), w)
            above = above + gain(run.sigma_w2[layer] ** 0.5, w_zeta, w)
        found.append(min(float(np.exp(np.min(above))), float(outputs) * float(run.backward[layer - 1])))
    return np.array(found[::-1])


@functools.cache
def _layer_gain(weights: str) -> Compiled:
    return compile(log(theory.layer_gain(weights)), (theory.SIGMA_W, theory.W_ZETA, theory.W), name="gain")


def _w_zeta(activation: Activation, q: float, w: np.ndarray) -> np.ndarray:
    """w zeta where w = E d / (zeta - d), zeta above all d = phi'^2; infinite where there is none."""
    try:
        slopes = slope_law(activation, q)
    except InfiniteMomentError:
        return np.full(w.shape, np.inf)
    top = slopes.largest
    if slopes.unbounded or not 0.0 < top < np.inf:
        return np.full(w.shape, np.inf)
    zeta = top * (1.0 + np.exp(np.linspace(-25.0, 45.0, 1500)))
    parts = slopes.weights * slopes.nodes
    values = np.array([(parts / (point - slopes.nodes)).sum().real for point in zeta])
    good = np.concatenate(([True], np.diff(np.minimum.accumulate(values)) < 0)) & (values > 0)
    log_w, log_product = np.log(values[good])[::-1], np.log(values[good] * zeta[good])[::-1]
    inside = np.log(w)
    found = CubicSpline(log_w, log_product)(np.clip(inside, log_w[0], log_w[-1]))
    found = np.where(inside < log_w[0], np.log(slopes.moment(1)), found)  # w zeta -> E d
    return np.where(inside > log_w[-1], np.inf, np.exp(found))
