"""What is recorded of a network: seven statistics of three functions of weights, activations and their changes.

A column of a table is named by measure, function, statistic and layer, ``act.abs.mean.2``; the function may be left out
where it is raw.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from widelimit.theory.errors import ArgumentError

Array = np.ndarray
MEASURES = {"weight": 3, "act": 2, "change": 2}  # and the layers of a network of the bank that have them
FUNCTIONS = ("raw", "abs", "sq")
STATISTICS = ("norm", "mean", "median", "q3", "var", "skew", "kurtosis")
_ALSO = {
    "weights": "weight", "activation": "act", "activations": "act", "activity": "act", "gradavg": "change",
    "variance": "var", "skewness": "skew", "square": "sq", "squared": "sq", "absolute": "abs",
}  # fmt: skip


def columns(functions: Sequence[str] = FUNCTIONS) -> tuple[str, ...]:
    """Return the names of all columns of a bank, of some functions.

    >>> columns()[0], len(columns())
    ('weight.raw.norm.1', 147)
    """
    return tuple(
        f"{measure}.{function}.{statistic}.{layer}"
        for measure, layers in MEASURES.items()
        for layer in range(1, layers + 1)
        for function in functions
        for statistic in STATISTICS
    )


def column(name: str) -> str:
    """Return the full name of a column, whatever separates its words and stands first.

    >>> column("layer 2, activation, third quartile"), column("Weight_abs_mean_1")
    ('act.raw.q3.2', 'weight.abs.mean.1')

    Raises `ArgumentError` for a word that is none of them, or a name without measure, statistic and layer.
    """
    text = re.sub(r"third[\s_.-]*quartile", "q3", name.lower())
    words = [word for word in re.split(r"[^a-z0-9]+", text) if word and word != "layer"]
    found = {"function": "raw"}
    for word in words:
        said = _ALSO.get(word, word)
        layer = re.fullmatch(r"(?:l|layer)?([0-9]{1,4})", said)
        for kind, known in (("measure", MEASURES), ("function", FUNCTIONS), ("statistic", STATISTICS)):
            if said in known:
                found[kind] = said
                break
        else:
            if layer is None:
                raise ArgumentError("table", f"must name known statistics ({_known()})", name)
            found["layer"] = str(int(layer[1]))
    missing = [kind for kind in ("measure", "statistic", "layer") if kind not in found]
    if missing:
        raise ArgumentError(
            "table", f"must name measure, statistic and layer of each column ({_known()})", name
        )
    if not 1 <= int(found["layer"]) <= MEASURES[found["measure"]]:
        most = MEASURES[found["measure"]]
        raise ArgumentError(
            "table", f"must name layers of the bank, for {found['measure']} 1 to {most}", name
        )
    return ".".join(found[kind] for kind in ("measure", "function", "statistic", "layer"))


def _known() -> str:
    return "; ".join(", ".join(words) for words in (MEASURES, FUNCTIONS, STATISTICS))


def summaries(values: Array, functions: Sequence[str] = FUNCTIONS) -> Array:
    """Return all statistics of functions of the entries of some networks, (networks, entries) -> (networks, 21).

    norm: root of the sum of squares; q3: third quartile; skew and kurtosis of the standardised entries (3 of a
    Gaussian); of entries that are all alike, both are 0.

    >>> summaries(np.array([[3.0, -4.0]]))[0, :5].tolist()
    [5.0, -0.5, -0.5, 1.25, 12.25]
    """
    x = np.asarray(values, np.float64)
    made = {"raw": lambda: x, "abs": lambda: np.abs(x), "sq": lambda: x * x}
    return np.concatenate([_of(made[name]()) for name in functions], axis=1)


def _of(x: Array) -> Array:
    mean = x.mean(1, keepdims=True)
    away = x - mean
    squares = away * away
    square = squares.mean(1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        third = (squares * away).mean(1) / square**1.5
        fourth = (squares * squares).mean(1) / square**2
    alike = square <= 1e-30 * (1 + mean[:, 0] ** 2)
    median, upper = _quantiles(x, (0.5, 0.75))
    norm = np.sqrt((x * x).sum(1))
    skew, kurtosis = np.where(alike, 0.0, third), np.where(alike, 0.0, fourth)
    return np.stack([norm, mean[:, 0], median, upper, square, skew, kurtosis], axis=1)


def _quantiles(x: Array, shares: Sequence[float]) -> list[Array]:
    """Quantiles by linear interpolation, from one partial sort."""
    last = x.shape[1] - 1
    places = [share * last for share in shares]
    near = sorted({int(p) for p in places} | {min(int(p) + 1, last) for p in places})
    parts = np.partition(x, near, axis=1)
    found = []
    for place in places:
        low = int(place)
        high = min(low + 1, last)
        found.append(parts[:, low] + (place - low) * (parts[:, high] - parts[:, low]))
    return found
