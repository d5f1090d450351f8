"""Cosines and largest steps of Gaussian layers, without drawing them."""

from __future__ import annotations

from typing import Any

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.alignment import checks, formulas, noise
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_NODES = 400  # of Marchenko and Pastur's law
_FAR = 1e30  # beyond which gamma/beta over sigma_w^2 makes B parallel to W^T to all digits


def cosine(
    rule: str,
    *,
    aspect: Any = 1.0,
    sigma_w: Any = 1.0,
    ratio: Any = None,
    fan_in: Any = None,
    inputs: str = "white",
    centred: bool = False,
) -> Any:
    """The cosine of the feedback at rest and W^T for wide Gaussian layers, entries of W of variance sigma_w^2/fan_in.

    information: Marchenko and Pastur's law of the singular values decides, by ratio = gamma/beta and aspect. mirror: 1
    for white inputs; of inputs behind a ReLU that are not centred, 1/2 over the root of the mean squared eigenvalue of
    their second moment: pi/sqrt(fan_in) in wide layers. The others reach W^T itself: 1.

    Args:
        rule: one of the five rules.
        aspect: outputs over inputs, m/n.
        sigma_w: standard deviation of the weights times the root of the fan-in.
        ratio: gamma/beta of information, which needs it.
        fan_in: number of inputs, which the mirror needs behind a ReLU.
        inputs: "white", or "relu" for max(u, 0) of white u. Information loses nothing by the inputs' mean: only their
            variance in the other directions counts, in wide layers.
        centred: whether means are taken off the inputs.

    Raises `ArgumentError` for what is missing or not positive.

    >>> round(cosine("information", aspect=0.5, ratio=0.1), 12), round(cosine("mirror", inputs="relu", fan_in=100), 13)
    (0.798329733736, 0.3010901515538)
    """
    name = checks.rule(rule)
    kind = arguments.choice("inputs", inputs, ("white", "relu"))
    middle = arguments.flag("centred", centred)
    r, s = checks.scales("aspect", aspect), checks.scales("sigma_w", sigma_w)
    z = None if ratio is None else checks.scales("ratio", ratio, zero=True)
    n = None if fan_in is None else arguments.positive("fan_in", fan_in)
    if n is not None and (n != np.floor(n)).any():
        raise ArgumentError("fan_in", "must be a whole number of inputs", float(n[n != np.floor(n)].flat[0]))
    if name == "information":
        if z is None:
            raise ArgumentError("ratio", "must be given for information", None, "Pass gamma/beta.")
        return arguments.scalar(
            _information(*arguments.broadcast(aspect=r, sigma_w=s, ratio=z), relu=kind == "relu")
        )
    named = {"aspect": r, "sigma_w": s, **({} if n is None else {"fan_in": n})}
    shape = arguments.broadcast(**named)[0].shape
    if name == "mirror" and kind == "relu" and not middle:
        if n is None:
            raise ArgumentError("fan_in", "must be given for the mirror behind a ReLU", None)
        return arguments.scalar(np.array(np.broadcast_to(formulas.relu()(n)[0], shape)))
    return arguments.scalar(np.ones(shape))


def _information(r: Array, s: Array, z: Array, *, relu: bool) -> Array:
    if relu:
        z = z / formulas.relu()(1.0)[1]  # B depends on gamma/beta over the variance of the inputs
    wide = r > 1  # as many singular values as inputs, which are those of the transpose at its own scale
    aspect, sigma = np.where(wide, 1 / r, r), np.where(wide, s * np.sqrt(r), s)
    scaled = z / sigma**2
    z = np.where(scaled > _FAR, _FAR * sigma**2, z)
    square = (z == 0) & (aspect == 1)  # E 1/s^2 is infinite
    found = np.asarray(formulas.information_cosine()(np.where(square, 0.5, aspect), sigma, z))
    return np.clip(np.where(square, 0.0, found), 0.0, 1.0)


def largest_step(
    rule: str,
    *,
    fan_in: Any,
    fan_out: Any,
    sigma_w: Any = 1.0,
    alpha: Any = 1.0,
    beta: Any = 1.0,
    gamma: Any = 0.0,
    batch: Any = None,
) -> Any:
    """The learning rate beyond which the feedback of a Gaussian layer with white inputs diverges.

    information: 2/(gamma + beta sigma_w^2 (1 + sqrt(fan_out/fan_in))^2), so that it has to be tuned again for each
    shape of layer and falls as weights grow. The others: 2/alpha. With batches of `batch` Gaussian inputs in the mean
    square: activation 2/(alpha (1 + (fan_in + 1)/batch)), information from Marchenko and Pastur's law.

    Args:
        rule: one of the five rules.
        fan_in: number of inputs.
        fan_out: number of outputs.
        sigma_w: standard deviation of the weights times the root of the fan-in.
        alpha, beta, gamma: as for `fixed_point`.
        batch: inputs in each step; default: all there are.

    >>> largest_step("information", fan_in=512, fan_out=512, gamma=0.1)
    0.48780487804878053
    >>> largest_step("activation", fan_in=100, fan_out=10, batch=1)
    0.0196078431372549
    """
    name = checks.rule(rule)
    n, m = (_whole(*pair) for pair in (("fan_in", fan_in), ("fan_out", fan_out)))
    scales = [checks.scales(*pair) for pair in (("sigma_w", sigma_w), ("alpha", alpha), ("beta", beta))]
    g = checks.scales("gamma", gamma, zero=True)
    drawn = None if batch is None else _whole("batch", batch)
    named = dict(
        zip(("fan_in", "fan_out", "sigma_w", "alpha", "beta", "gamma"), (n, m, *scales, g), strict=True)
    )
    if drawn is not None:
        named["batch"] = drawn
    n, m, s, a, b, g, *rest = arguments.broadcast(**named)
    k = rest[0] if rest else np.ones_like(n)
    information, activation = (np.asarray(one) for one in formulas.steps_for_white()(m / n, s, a, b, g, n, k))
    if name == "information":
        return arguments.scalar(information if drawn is None else _in_batches(n, m, s, a, b, g, k))
    if name == "activation" and drawn is not None:
        return arguments.scalar(activation)
    rate = formulas.entry(name)(1.0, 0.0, a, b, g)[0]
    return arguments.scalar(np.array(np.broadcast_to(formulas.largest_step()(rate), n.shape)))


def _whole(name: str, value: Any) -> Array:
    array = arguments.positive(name, value)
    if (array != np.floor(array)).any() or (array > 1e12).any():
        wrong = array[(array != np.floor(array)) | (array > 1e12)]
        raise ArgumentError(name, "must be a whole number from 1 to 1e12", float(wrong.flat[0]))
    return array


def _in_batches(*values: Array) -> Array:
    """One root for each point."""
    costs.affordable("batch", max(values[0].size, 1), seconds=2e-3, each="point")
    found = [_in_batch(*(float(v) for v in point)) for point in zip(*(v.flat for v in values), strict=True)]
    return np.array(found).reshape(values[0].shape)


def _in_batch(n: float, m: float, s: float, a: float, b: float, g: float, k: float) -> float:
    """Eigenvalues of W W^T by Marchenko and Pastur's law, at Chebyshev's nodes; those that are zero pass nothing on."""
    r, scale = (m / n, s) if m <= n else (n / m, s * np.sqrt(m / n))
    theta = (np.arange(_NODES) + 0.5) * np.pi / _NODES
    x = 1 + r + 2 * np.sqrt(r) * np.cos(theta)
    count = min(n, m) * 2 * np.sin(theta) ** 2 / (x * _NODES)
    squares = scale**2 * x
    rates, noisy, _ = formulas.entry("information")(1.0, squares, a, b, g)
    whole = noise.stable_step(np.asarray(rates), np.asarray(noisy), int(k), count)
    edge = float(formulas.edge()(r, scale))
    return min(whole, float(formulas.largest_step()(formulas.entry("information")(1.0, edge, a, b, g)[0])))
