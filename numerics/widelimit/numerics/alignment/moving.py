"""Weights and feedback both moving, signals through layers, Kolen and Pollack's rule with noise, estimated weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.alignment import checks, formulas
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray


def coupled(
    rule: str, singular_values: Any, t: Any, *, alpha: Any, beta: Any = None, gamma: Any = 0.0
) -> Any:
    """Singular values of W at time t where W and B move together from B = W^T, for white inputs.

    symmetric, mirror, activation: s = s_0 exp((beta - alpha) t), which grows or dies unless alpha = beta. information:
    s' = (alpha - gamma) s - beta s^3, so that W becomes sqrt((alpha - gamma)/beta) times a partial isometry where
    alpha > gamma, and vanishes elsewhere.

    Args:
        rule: symmetric, mirror, activation or information.
        singular_values: at time 0.
        t: times, steps times learning rate, which may be infinite; broadcasts with the singular values.
        alpha, beta, gamma: as for `fixed_point`.

    Raises `DomainError` where singular values outgrow any float, and for kolen_pollack, whose weights follow the task.

    >>> round(coupled("information", 0.2, 3.0, alpha=1.0, beta=0.5, gamma=0.6), 13)
    0.541963517676
    >>> coupled("information", [0.2, 3.0], np.inf, alpha=1.0, beta=0.25, gamma=0.75).tolist()
    [1.0, 1.0]
    """
    name = checks.rule(rule)
    given = checks.coefficients(name, alpha, beta, gamma)
    start = checks.scales("singular_values", singular_values, zero=True)
    times = arguments.non_negative("t", t, infinite=True)
    start, times = arguments.broadcast(singular_values=start, t=times)
    g, h = (float(one) for one in formulas.growth(name)(*given))
    ends = np.isinf(times)
    with np.errstate(over="ignore", invalid="ignore"):
        square = np.asarray(formulas.squared_value()(start, g, h, np.where(ends, 0.0, times)))
    found = np.where(start == 0, 0.0, np.sqrt(np.where(ends, 0.0, square)))
    if ends.any():
        found = np.where(ends & (start > 0), _end(start, g, h), found)
    if not np.isfinite(found).all():
        raise DomainError(
            f"Singular values grow beyond any float: alpha = {given[0]:g} is below beta = {given[1]:g}. Take alpha = "
            "beta, or an earlier time."
        )
    return arguments.scalar(np.asarray(found))


def _end(start: Array, g: float, h: float) -> Array:
    """Where singular values come to after infinite time."""
    if g > 0:
        return np.broadcast_to(formulas.resting_value()(g, h) if h > 0 else np.inf, start.shape)
    return start if g == 0 and h == 0 else np.zeros_like(start)


def invariant(rule: str, t: Any, *, alpha: Any, gamma: Any = 0.0) -> Any:
    """exp(-2 kappa t), what is left at time t of W W^T - B^T B while both move; for inputs and batches of any kind.

    kappa is alpha for symmetric and mirror, gamma for information. Raises `DomainError` for the other rules.

    >>> round(invariant("information", 2.0, alpha=1.0, gamma=0.25), 12)
    0.367879441171
    """
    name = checks.rule(rule)
    a, _, g = checks.coefficients(name, alpha, 1.0, gamma)
    times = arguments.non_negative("t", t)
    return arguments.scalar(np.asarray(formulas.imbalance(name)(a, g, times)))


def depth(cosines: Any) -> float:
    """Cosine of the error signal below several layers with the true one: the product of the layers' cosines.

    For wide layers, linear or with ReLU masks that both signals share, whose errors are independent; `scatter` is what
    one network of some width deviates by.

    Args:
        cosines: of each layer's feedback with its transposed weights.

    >>> round(depth([0.9] * 6), 6)
    0.531441
    """
    return _through(_layers(cosines), 1.0, 1.0)[0]


def scatter(cosines: Any, *, width: Any, active: Any = 1.0) -> float:
    """Standard deviation of `depth` from one network to the next, for one error signal in layers of some width.

    A cosine over N units scatters like a correlation of N samples, by (1 - cos^2)/sqrt(N); layers below pass that on
    times their own cosine. It grows with depth while signals are alike, and comes to rest when nothing is left of them.

    Args:
        cosines: of each layer, in the order in which the signal passes them, the topmost first.
        width: units of a layer.
        active: share of the units whose mask lets signals pass, 1/2 for ReLU; below the last layer all are counted.

    >>> round(scatter([0.9] * 4, width=100), 6)
    0.077394
    """
    layers = _layers(cosines)
    units = arguments.positive_number("width", width)
    share = arguments.single("active", arguments.probability("active", active))
    return float(np.sqrt(_through(layers, share * units, units)[1]))


def _layers(cosines: Any) -> Array:
    """Cosines of layers, checked."""
    layers = arguments.vector("cosines", cosines)
    arguments.correlation("cosines", layers)
    costs.affordable("cosines", layers.size, seconds=2e-5)
    return layers


def _through(layers: Array, masked: float, last: float) -> tuple[float, float]:
    """Cosine and its variance below all layers; variance is that of masked units but below the last layer."""
    found, variance = 1.0, 0.0
    for k, one in enumerate(layers, 1):
        units = last if k == layers.size else masked
        found, variance = formulas.below().njit(float(one), found, variance, units)
    return float(found), float(variance)


def kolen_pollack(steps: Any, *, learning_rate: Any, decay: Any, noise: Any, initial: Any) -> Any:
    """Cosine of B and W^T after some steps of Kolen and Pollack's rule, entries starting apart (akrout2019deep).

    k/(k + a^(2t) v_0), a = 1 - learning_rate decay, k = learning_rate^2 noise^2 (1 - a^(2t))/(1 - a^2).

    Args:
        steps: number of steps.
        learning_rate: size of the steps.
        decay: of the weights.
        noise: standard deviation of the shared gradients, an entry.
        initial: variance of the entries of W and of B at the start.

    Raises `ArgumentError` for a learning rate times decay of 2 or more, at which weights diverge.

    >>> round(kolen_pollack(10, learning_rate=0.1, decay=0.0, noise=1.0, initial=0.1), 12)
    0.5
    """
    t = arguments.non_negative("steps", steps)
    if (t != np.floor(t)).any() or (t > 1e15).any():
        wrong = t[(t != np.floor(t)) | (t > 1e15)]
        raise ArgumentError("steps", "must be a whole number from 0 to 1e15", float(wrong.flat[0]))
    eta, decays = checks.scales("learning_rate", learning_rate), checks.scales("decay", decay, zero=True)
    scatter, start = checks.scales("noise", noise, zero=True), checks.scales("initial", initial, zero=True)
    t, eta, decays, scatter, start = arguments.broadcast(
        steps=t, learning_rate=eta, decay=decays, noise=scatter, initial=start
    )
    if (eta * decays >= 2).any():
        raise ArgumentError(
            "learning_rate",
            "must be below 2/decay",
            float(eta[eta * decays >= 2].flat[0]),
            "Weights diverge there.",
        )
    if ((start == 0) & ((scatter == 0) | (t == 0))).any():
        raise ArgumentError(
            "initial",
            "must be positive where nothing has moved yet",
            0.0,
            "Weights of zero have no direction.",
        )
    found = np.asarray(formulas.kolen_pollack()(t, eta, decays, scatter, start))
    return arguments.scalar(np.where((scatter == 0) | (t == 0), 0.0, np.where(start == 0, 1.0, found)))


def estimated(error: Any, sigma: Any = 1.0) -> Any:
    """Cosine of weights with estimates of them: 1/sqrt(1 + error^2/sigma^2), both standard deviations of an entry.

    >>> round(estimated(1.0), 12)
    0.707106781187
    """
    e, s = checks.scales("error", error, zero=True), checks.scales("sigma", sigma)
    e, s = arguments.broadcast(error=e, sigma=s)
    return arguments.scalar(np.asarray(formulas.estimated()(e, s)))


__all__ = ["coupled", "depth", "estimated", "invariant", "kolen_pollack", "scatter"]
