"""NNGP and tangent kernels of fully connected networks on data, and what training with them predicts.

`nngp_ntk` computes both matrices in one pass over blocks of rows; `predict` diagonalises the tangent kernel once and
reads off mean and covariance of trained networks at any time. Whole architectures are in ``architecture``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numba import types

from widelimit.numerics import arguments, costs, threads
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.kernel.dynamics import Dynamics, Prediction, diagonalise
from widelimit.numerics.kernel.layers import Behind, Block, Layer
from widelimit.numerics.kernel.maps import pair_map
from widelimit.numerics.kernel.recursion import close_kernel, next_kernel
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, DomainError

_BLOCK = 1 << 15  # kernel entries that a thread works on at a time: both blocks stay in its cache
_PANEL = 256  # rows of inner products that a thread works on at a time
HE = math.sqrt(2.0)  # sigma_w for relu, he2015delving
_SECONDS = 1e-3  # of a layer, with two inputs
_NEAR = 1e-6  # correlations this close to +-1 are recomputed from differences of the inputs


@by_value
@dataclass(frozen=True)
class Kernels:
    """Both kernels; unpacks as ``nngp, ntk = kernels``.

    `nngp`, `ntk`: (n1, n2), per output. `method`: closed form, series or angle (``maps``). `error`: a bound on
    what truncation leaves out of an expectation, relative to it (0 for closed forms).
    """

    nngp: np.ndarray
    ntk: np.ndarray
    method: str = ""
    error: float = 0.0

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.nngp, self.ntk))


def nngp_ntk(
    x1: Any,
    x2: Any = None,
    *,
    activation: str | Activation = "relu",
    sigma_w: Any = HE,
    sigma_b: Any = 0.0,
    depth: int = 1,
    out: str | Path | None = None,
    memory: float | None = None,
) -> Kernels:
    """NNGP and neural tangent kernel of a network with `depth` hidden layers and a linear readout.

    K^1 = Theta^1 = sigma_w^2 x.x'/n_0 + sigma_b^2 and, `depth` times, K' = sigma_w^2 E phi(u) phi(v) + sigma_b^2,
    Theta' = K' + sigma_w^2 E phi'(u) phi'(v) Theta with (u, v) ~ N(0, K). Weights have variance sigma_w^2 / fan-in;
    the tangent kernel is that of the standard-normal parametrisation. Source: jacot2018neural, theorem 1;
    lee2018deep, eq. (5).

    `x1`: (n1, n_0), `x2`: (n2, n_0) or None for `x1` itself (half the work, exactly symmetric result).
    `activation`: a catalogue name, an expression in x, or an `Activation`. `sigma_w`, `sigma_b`: one number for all
    layers, or depth + 1 of them, from the first layer of weights to the readout. `out`: a folder; the kernels are then
    computed into memory-mapped files ``nngp.npy`` and ``ntk.npy`` in it. `memory`: bytes that the two matrices may
    take without `out` (default: what the machine has available).

    Raises `ArgumentError` for inputs of different widths or matrices that do not fit, `InfiniteMomentError` for an
    activation that jumps or grows too fast.

    >>> x = [[1.0, 0.0], [0.0, 1.0]]
    >>> nngp, ntk = nngp_ntk(x, activation="relu", sigma_w=2**0.5, sigma_b=0.0, depth=1)
    >>> nngp.round(6).tolist()  # |x|^2/n_0 = 1/2; orthogonal inputs: T = sqrt(q q') / (2 pi)
    [[1.0, 0.31831], [0.31831, 1.0]]
    >>> ntk.round(6).tolist()
    [[2.0, 0.31831], [0.31831, 2.0]]
    """
    x1 = inputs("x1", x1)
    symmetric = x2 is None
    x2 = x1 if symmetric else inputs("x2", x2)
    if x1.shape[1] != x2.shape[1]:
        raise ArgumentError(
            "x2", f"must have as many columns as `x1`, {x1.shape[1]}", but=f"has {x2.shape[1]}"
        )
    depth = costs.affordable("depth", arguments.count("depth", depth, least=0), seconds=_SECONDS)
    sw2, sb2 = scales(depth, sigma_w, sigma_b)
    pairs = pair_map(Activation.of(activation))
    nngp, ntk = _allocate(x1.shape[0], x2.shape[0], out, memory)

    with np.errstate(over="ignore"):  # an overflow is told below
        s1 = np.einsum("ij,ij->i", x1, x1) / x1.shape[1]
        s2 = s1 if symmetric else np.einsum("ij,ij->i", x2, x2) / x2.shape[1]
    q1, q2 = next_kernel(s1, sw2[0], sb2[0]), next_kernel(s2, sw2[0], sb2[0])
    layers: list[Layer] = []
    v1, v2 = q1, q2
    for w, b in zip(sw2[1:], sb2[1:], strict=True):
        layer = pairs.at(v1, None if symmetric else v2)
        layers.append(layer)
        with np.errstate(over="ignore"):
            v1, v2 = next_kernel(layer.v1, w, b), next_kernel(layer.v2, w, b)
        if not (np.isfinite(v1).all() and np.isfinite(v2).all()):
            raise DomainError(
                f"The variances overflow in layer {len(layers)}: this activation amplifies without bound at sigma_w = "
                f"{sigma_w}. Reduce sigma_w or the depth."
            )

    def beside(rows: slice) -> slice:
        """The columns to be computed; those to the left follow by symmetry."""
        return slice(rows.start if symmetric else 0, x2.shape[0])

    def multiply(rows: slice) -> None:
        columns = beside(rows)
        np.matmul(x1[rows], x2[columns].T, out=nngp[rows, columns])

    def work(rows: slice) -> None:
        columns = beside(rows)
        c, theta = nngp[rows, columns], ntk[rows, columns]
        _first_layer(c, x1[rows], x2[columns], q1[rows], q2[columns], sw2[0], sb2[0])
        theta[...] = c
        for layer, w, b in zip(layers, sw2[1:], sb2[1:], strict=True):
            layer.advance(Block(c, theta, rows, columns), Behind(w, b, 1.0))
        if not (np.isfinite(c).all() and np.isfinite(theta).all()):
            raise DomainError(
                f"The kernels of {pairs.activation.name} overflow at sigma_w = {sigma_w}. Reduce it, or the depth."
            )
        if symmetric:
            width = rows.stop - rows.start
            for matrix in (nngp, ntk):
                corner = matrix[rows, rows]
                corner[...] = np.triu(corner) + np.triu(corner, 1).T
                matrix[rows.stop :, rows] = matrix[rows, rows.start + width :].T

    threads.each(multiply, _bands(x1.shape[0], _PANEL))
    threads.each(work, _bands(x1.shape[0], max(1, min(64, _BLOCK // x2.shape[0]))))
    return Kernels(nngp, ntk, pairs.method, max((layer.error for layer in layers), default=0.0))


def variances(x: Any, *, activation: str | Activation, sigma_w: Any, sigma_b: Any, depth: int) -> np.ndarray:
    """Return the diagonal of the NNGP kernel alone, (n,): no matrix is made.

    >>> variances([[3.0, 4.0]], activation="relu", sigma_w=2.0, sigma_b=0.0, depth=1).round(9).tolist()
    [100.0]
    """
    rows = inputs("x", x)
    sw2, sb2 = scales(arguments.count("depth", depth, least=0), sigma_w, sigma_b)
    pairs = pair_map(Activation.of(activation))
    with np.errstate(over="ignore"):
        found = next_kernel(np.einsum("ij,ij->i", rows, rows) / rows.shape[1], sw2[0], sb2[0])
        for w, b in zip(sw2[1:], sb2[1:], strict=True):
            found = next_kernel(pairs.at(found, None).v1, w, b)
    if not np.isfinite(found).all():
        raise DomainError(f"The variances overflow at sigma_w = {sigma_w}. Reduce it, or the depth.")
    return np.asarray(found)


def scales(depth: int, sigma_w: Any, sigma_b: Any) -> tuple[list[float], list[float]]:
    """Return sigma_w^2 and sigma_b^2 of all depth + 1 layers of weights, from one number for all or one for each.

    >>> scales(1, [1.0, 2.0], 0.5)
    ([1.0, 4.0], [0.25, 0.25])
    """
    found = []
    for name, value, check in (
        ("sigma_w", sigma_w, arguments.positive),
        ("sigma_b", sigma_b, arguments.non_negative),
    ):
        squares = arguments.squared(name, check(name, value))
        if squares.size != 1 and squares.shape != (depth + 1,):
            raise ArgumentError(
                name, f"must be one number, or {depth + 1} (depth + 1)", but=f"has shape {squares.shape}"
            )
        found.append(np.broadcast_to(squares.reshape(-1), depth + 1).tolist())
    return found[0], found[1]


def _bands(rows: int, height: int) -> list[slice]:
    return [slice(i, min(i + height, rows)) for i in range(0, rows, height)]


def inputs(name: str, value: Any) -> np.ndarray:
    """Check a data matrix: (n, n_0), n and n_0 at least 1, finite."""
    array = arguments.finite(name, value)
    if array.ndim != 2 or 0 in array.shape:
        raise ArgumentError(
            name,
            "must be a matrix, one input a row",
            but=f"has shape {array.shape}",
            help="Reshape it to (n, features).",
        )
    return np.ascontiguousarray(array)


_A2 = types.Array(types.float64, 2, "A")
_C2 = types.Array(types.float64, 2, "C")
_C1 = types.Array(types.float64, 1, "C")
_next, _close = next_kernel.njit, close_kernel.njit


@njit(types.void(_A2, _C2, _C2, _C1, _C1, types.float64, types.float64), nogil=True, cache=True)
def _first_layer(c, x1, x2, q1, q2, sw2, sb2):
    """Turn inner products into K^1; near +-1 the correlation comes from differences, exact for equal inputs."""
    n0 = x1.shape[1]
    for i in range(c.shape[0]):
        for j in range(c.shape[1]):
            value = _next(c[i, j] / n0, sw2, sb2)
            mean = 0.5 * (q1[i] + q2[j])
            if mean - value < _NEAR * mean:
                distance = 0.0
                for k in range(n0):
                    distance += (x1[i, k] - x2[j, k]) ** 2
                value = _close(mean, sw2, distance / n0)
            elif sb2 == 0.0 and mean + value < _NEAR * mean:
                distance = 0.0
                for k in range(n0):
                    distance += (x1[i, k] + x2[j, k]) ** 2
                value = -_close(mean, sw2, distance / n0)
            c[i, j] = value


def _allocate(
    n1: int, n2: int, out: str | Path | None, memory: float | None
) -> tuple[np.ndarray, np.ndarray]:
    if out is not None:
        if not isinstance(out, str | os.PathLike):
            raise ArgumentError("out", "must be the path of a folder", out)
        folder = Path(out)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArgumentError(
                "out", "must be a folder that can be written", but=f"is {folder}: {error.strerror}"
            ) from None
        nngp, ntk = (
            np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=np.float64, shape=(n1, n2))
            for name in ("nngp", "ntk")
        )
        return nngp, ntk
    needed, limit = 16.0 * n1 * n2, available_memory() if memory is None else _bytes(memory)
    if needed > limit:
        raise ArgumentError(
            "x1",
            f"must give kernels that fit the memory, {limit / 2**30:.3g} GiB",
            but=f"two {n1} x {n2} matrices take {needed / 2**30:.3g} GiB",
            help="Pass `out`, a folder, to compute them in blocks into memory-mapped files.",
        )
    return np.empty((n1, n2)), np.empty((n1, n2))


def _bytes(memory: float) -> float:
    return arguments.non_negative_number("memory", memory, infinite=True)


def available_memory() -> float:
    """Bytes that can be allocated without swapping, as far as the system tells."""
    try:
        with open("/proc/meminfo") as lines:
            return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return 0.5 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def predict(
    x_train: Any,
    y_train: Any,
    x_test: Any,
    *,
    activation: str | Activation = "relu",
    sigma_w: float = math.sqrt(2.0),
    sigma_b: float = 0.0,
    depth: int = 1,
    time: Any = math.inf,
    learning_rate: float | None = None,
    steps: Any = None,
    loss: Literal["sum", "mean"] = "sum",
    kernel: Literal["ntk", "nngp"] = "ntk",
    jitter: float | None = None,
    noise: float = 0.0,
) -> Prediction:
    """Mean and covariance over wide networks trained on (x_train, y_train), at test inputs.

    Gradient flow on half the summed (`loss="mean"`: averaged) squared error, up to `time` (a number or an array;
    infinity is the end of training); with `learning_rate` and `steps`, gradient descent instead. All layers train,
    in the standard-normal parametrisation (`kernel="ntk"`), or the readout alone (`kernel="nngp"`, whose end of
    training is the posterior of the Gaussian process). Source: lee2019wide, eqs. (14) to (16).

    `x_train`: (m, n_0), `y_train`: (m,) or (m, outputs), `x_test`: (tests, n_0). Times that are arrays come
    first in the
    result's shapes. The kernel is diagonalised once for all times. `jitter`: see `Prediction.jitter`.
    `noise`: variance of independent noise in the targets. With kernel="nngp" the end of training is then the posterior
    of the Gaussian process with that noise (of the function: add `noise` to the variance of a new target); with
    kernel="ntk" it is kernel ridge regression, its covariance that of networks each trained on targets with noise of
    its own and held back to its start (``dynamics``). A jitter only keeps the kernel regular: it is no noise.

    Raises `ArgumentError` and `DomainError` for inputs that do not fit, or steps that diverge.

    >>> p = predict([[1.0, 0.0]], [1.0], [[1.0, 0.0], [0.0, 1.0]], sigma_b=0.1, time=[0.0, float("inf")])
    >>> p.mean[:, 0, 0].tolist()  # nothing learned at time 0, the target reached at the end
    [0.0, 1.0]
    """
    dynamics = _dynamics(
        x_train, y_train, x_test, activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth, loss=loss,
        kernel=kernel, jitter=jitter, noise=noise,
    )  # fmt: skip
    if (learning_rate is None) != (steps is None):
        missing = "steps" if steps is None else "learning_rate"
        raise ArgumentError(missing, "must be given for discrete training", but="is missing")
    if learning_rate is None:
        return dynamics.flow(time)
    return dynamics.steps(learning_rate, steps)


def _dynamics(
    x_train: Any,
    y_train: Any,
    x_test: Any,
    *,
    loss: Literal["sum", "mean"],
    kernel: str,
    jitter: float | None,
    noise: float,
    **network: Any,
) -> Dynamics:
    arguments.choice("kernel", kernel, ("ntk", "nngp"))
    train = nngp_ntk(x_train, **network)
    cross = nngp_ntk(x_test, x_train, **network)
    test = nngp_ntk(x_test, **network)
    chosen, chosen_cross = (train.ntk, cross.ntk) if kernel == "ntk" else (train.nngp, cross.nngp)
    return diagonalise(
        chosen, train.nngp, y_train, test_ntk=chosen_cross, test_nngp=cross.nngp, test_test_nngp=test.nngp, loss=loss,
        jitter=jitter, noise=noise,
    )  # fmt: skip


@by_value
@dataclass(frozen=True)
class Pair:
    """Kernels of two inputs, NNGP and tangent; `correlation` of the outputs, None where one of them is always 0."""

    nngp_11: float
    nngp_22: float
    nngp_12: float
    ntk_11: float
    ntk_22: float
    ntk_12: float
    correlation: float | None
    method: str
    error: float


def predict_from_numbers(
    activation: str = "relu",
    sigma_w: float = math.sqrt(2.0),
    sigma_b: float = 0.0,
    depth: int = 1,
    moment_1: float = 1.0,
    moment_2: float = 1.0,
    overlap: float = 0.5,
) -> Pair:
    """NNGP and tangent kernel of two inputs given by their inner products (what ``widelimit predict kernel`` prints).

    Args:
        activation: a catalogue name or an expression in x.
        sigma_w: standard deviation of the weights times the root of the fan-in.
        sigma_b: standard deviation of the biases.
        depth: number of hidden layers; a linear readout follows.
        moment_1: mean square of the components of the first input.
        moment_2: mean square of the components of the second input.
        overlap: mean product of the components of both inputs.

    >>> pair = predict_from_numbers("relu", sigma_w=2**0.5, sigma_b=0.1**0.5, moment_2=0.64, overlap=0.4584346588300162)
    >>> round(pair.ntk_12, 10)
    1.9658702046
    """
    first, second = (
        arguments.positive_number(n, v) for n, v in (("moment_1", moment_1), ("moment_2", moment_2))
    )
    bound = math.sqrt(first * second)
    mixed = arguments.number_within("overlap", overlap, -bound, bound)
    x = np.array(
        [[math.sqrt(first), 0.0], [mixed / math.sqrt(first), math.sqrt(max(0.0, second - mixed**2 / first))]]
    )
    got = nngp_ntk(x * math.sqrt(2.0), activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth)
    entries = [float(matrix[i, j]) for matrix in got for i, j in ((0, 0), (1, 1), (0, 1))]
    size = math.sqrt(entries[0]) * math.sqrt(entries[1])
    correlation = entries[2] / size if size > 0 else None
    k11, k22, k12, t11, t22, t12 = entries
    return Pair(k11, k22, k12, t11, t22, t12, correlation, got.method, got.error)
