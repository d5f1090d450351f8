"""A user's recurrent matrix of rates, read as a balanced code: feedback along a readout, and random weights besides."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sympy import Expr

from widelimit.numerics import arguments, coding
from widelimit.numerics.files.door import numbers
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray
_LEAST = 20  # neurons
_STRAY = 4.0  # standard errors within which a remainder looks like independent weights


@by_value
@dataclass(frozen=True)
class RateNetwork:
    """A matrix W = -(b/N) w w' + g J, and what the code is worth.

    `balance` b and `disorder` g with their standard errors; `iid`, whether the remainder looks like independent weights
    of one variance, and `evidence`, how many standard errors its largest singular value (beyond 2 g), its symmetry, its
    mean, and the spread of its rows' and columns' variances lie from that; `code`, what `coding.solve` says of the
    network; `mean_square_error` of x_hat at its size, bias, fluctuations and differences between networks together;
    `stable_delay`, from which on its loop oscillates (inf if it never does); `best_balance` at the delay given (inf
    without one, None where nothing fluctuates).
    """

    size: int
    balance: float
    balance_error: float
    disorder: float
    disorder_error: float
    iid: bool
    evidence: dict[str, float]
    code: coding.Coding
    mean_square_error: float
    stable_delay: float
    best_balance: float | None


def rate_network(
    W: Any,
    readout: Any,
    *,
    activation: str | Activation | Expr | Callable[..., Any] = "tanh",
    noise: float = 0.0,
    delay: float = 0.0,
    signal: float = 0.0,
) -> RateNetwork:
    """Read dh/dt = -h + W phi(h(t - d)) + b w x + noise as a balanced code of x_hat = (1/N) sum_i w_i phi(h_i).

    b is what W feeds back along the readout, -w'Ww/N; its standard error g/sqrt(N) and that of g are those of
    independent weights.

    Args:
        W: the recurrent matrix, (neurons, neurons): an array, a tensor, or a file (.npy, .npz, text).
        readout: w, one sign (+1 or -1) for each neuron, or a file of them.
        activation: rates of h, as a name or an increasing expression in x.
        noise: sigma of each neuron.
        delay: of the recurrent input, in units of the membrane constant.
        signal: x.

    Raises `ArgumentError` for other shapes, readouts that are no signs, fewer than twenty neurons, or a matrix that
    does not oppose its readout.

    >>> rng = np.random.default_rng(0)
    >>> w = rng.choice([-1.0, 1.0], 300)
    >>> W = -4 / 300 * np.outer(w, w) + 0.8 * rng.standard_normal((300, 300)) / 300**0.5
    >>> found = rate_network(W, w, noise=0.75, delay=0.1)
    >>> abs(found.balance - 4) < 3 * found.balance_error, round(found.disorder, 2), found.iid
    (True, 0.8, True)
    """
    w = arguments.vector("readout", _given("readout", readout))
    matrix = arguments.real("W", _given("W", W))
    count = w.size
    if matrix.shape != (count, count):
        raise ArgumentError(
            "W",
            f"must be of shape ({count}, {count}), as the readout has {count} entries",
            but=f"has shape {matrix.shape}",
        )
    if count < _LEAST:
        raise ArgumentError("W", f"must have {_LEAST} neurons or more", but=f"has {count}")
    if not (np.abs(w) == 1).all():
        raise ArgumentError("readout", "must hold +1 and -1 only", float(w[np.abs(w) != 1][0]), "Scale it.")
    if np.abs(matrix).max() > 1e6:
        raise ArgumentError("W", "must hold entries of at most 1e6 in size", float(np.abs(matrix).max()))
    balance = -float(w @ matrix @ w) / count
    rest = matrix + balance / count * np.outer(w, w)
    disorder, error = _disorder(rest)
    spread = disorder / math.sqrt(count)
    if not balance > 0:
        raise ArgumentError(
            "W",
            "must oppose its readout: -w'Ww/N is the balance",
            but=f"has {balance:.4g} there",
            help="Check the sign of W, and that rows are the receiving neurons.",
        )
    evidence = _evidence(rest, disorder)
    return _judged(
        count, (balance, spread), (disorder, error), evidence,
        {"activation": activation, "noise": noise, "delay": delay, "signal": signal},
    )  # fmt: skip


def _given(name: str, value: Any) -> Any:
    return numbers(name, value) if isinstance(value, str | Path) else value


def _disorder(rest: Array) -> tuple[float, float]:
    """g and its standard error, from the remainder's mean square and kurtosis."""
    count = len(rest)
    square = float((rest**2).sum()) / count * count**2 / (count**2 - 1)
    if square < 1e-20:
        return 0.0, 0.0
    kurtosis = float((rest**4).mean() / (rest**2).mean() ** 2)
    g = math.sqrt(square)
    return g, g * math.sqrt(max(kurtosis - 1, 0.0)) / (2 * count)


def _evidence(rest: Array, g: float) -> dict[str, float]:
    """How far a remainder is from independent weights, in standard errors."""
    names = ("largest", "symmetry", "mean", "rows", "columns")
    if g < 1e-10:
        return dict.fromkeys(names, 0.0)
    count = len(rest)
    x = rest * math.sqrt(count) / g  # entries of variance 1
    upper = np.triu_indices(count, 1)
    pairs = x[upper] * x.T[upper]
    square = x**2
    noise = math.sqrt(float(square.var()) / count)  # of the mean square of a row
    largest = float(np.linalg.norm(x / math.sqrt(count), 2))
    width = 2 ** (4 / 3) * count ** (-2 / 3) / 2  # of the largest singular value about 2 (Tracy and Widom)

    def spread(axis: int) -> float:
        means = square.mean(axis)
        return float((means.var(ddof=1) / noise**2 - 1) * math.sqrt((count - 1) / 2)) if noise else 0.0

    return {
        "largest": (largest - 2) / width,
        "symmetry": float(pairs.sum() / math.sqrt(pairs.size)),
        "mean": float(x.sum() / count),
        "rows": spread(1),
        "columns": spread(0),
    }


def _judged(
    count: int,
    balance: tuple[float, float],
    disorder: tuple[float, float],
    evidence: dict[str, float],
    given: dict[str, Any],
) -> RateNetwork:
    g = disorder[0] if disorder[0] >= 1e-6 else 0.0
    code = coding.solve(balance=balance[0], disorder=g, **given)
    best: float | None = math.inf
    if given["delay"]:
        try:
            best = coding.optimal_balance(size=count, disorder=g, **given).balance
        except DomainError:
            best = None
    return RateNetwork(
        size=count,
        balance=balance[0],
        balance_error=balance[1],
        disorder=disorder[0],
        disorder_error=disorder[1],
        iid=all(abs(value) < _STRAY for name, value in evidence.items() if name != "largest")
        and evidence["largest"] < _STRAY,
        evidence=evidence,
        code=code,
        mean_square_error=float(code.bias**2 + (code.variance + code.quenched_variance) / count),
        stable_delay=coding.stable_delay(code.loop_gain),
        best_balance=best,
    )
