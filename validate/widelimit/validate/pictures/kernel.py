"""Kernels as matrices, pairs as ellipses, outputs of ensembles with their scatter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.errors import ArgumentError
from widelimit.validate.pictures.kit import COLOURS, bars, matrix
from widelimit.validate.report.look import BLUE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.numerics.kernel.dynamics import Prediction
    from widelimit.numerics.kernel.kernels import Kernels, Pair

_MOST = 8  # outputs that are drawn


def _kernels(result: Kernels, axes: Axes, what: str = "ntk") -> None:
    """The tangent kernel as a matrix, or with `what="nngp"` the other."""
    if what not in ("nngp", "ntk"):
        raise ArgumentError("what", "must be nngp or ntk", what)
    if getattr(result, what) is None:
        what = "nngp"
    matrix(axes, getattr(result, what), f"{what.upper()} of two inputs")
    axes.set_xlabel("input")
    axes.set_ylabel("input")


def _pair(result: Pair, axes: Axes) -> None:
    """Outputs of two inputs: the ellipse of one standard deviation over networks at birth, and the tangent kernel's."""
    for name, colour in (("nngp", BLUE), ("ntk", VERMILLION)):
        a, b, c = (float(np.asarray(getattr(result, f"{name}_{k}"))) for k in ("11", "22", "12"))
        turn = np.linspace(0, 2 * np.pi, 200)
        values, vectors = np.linalg.eigh([[a, c], [c, b]])
        curve = vectors @ (np.sqrt(np.maximum(values, 0))[:, None] * np.array([np.cos(turn), np.sin(turn)]))
        axes.plot(*curve, color=colour, label={"nngp": "NNGP", "ntk": "tangent kernel"}[name])
    axes.axhline(0, color=SOFT, lw=0.6)
    axes.axvline(0, color=SOFT, lw=0.6)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("first input")
    axes.set_ylabel("second input")
    axes.legend()


def _prediction(result: Prediction, axes: Axes) -> None:
    """Outputs at the test inputs, mean and standard deviation of the ensemble; of several times the last."""
    mean, spread = np.asarray(result.mean, float), np.asarray(result.deviation, float)
    mean = mean.reshape(-1, *mean.shape[-2:])[-1] if mean.ndim > 1 else mean[:, None]
    spread = spread.reshape(-1, spread.shape[-1])[-1]
    places = np.arange(len(mean))
    for k in range(min(mean.shape[1], _MOST)):
        axes.errorbar(places, mean[:, k], yerr=spread, fmt="o", color=COLOURS[k % len(COLOURS)], ms=4, lw=1)
    axes.set_xlabel("test input")
    axes.set_ylabel("output, mean and standard deviation")


def _dynamics(result: Any, axes: Axes) -> None:
    """Rates of learning, fastest first."""
    rates = np.sort(np.asarray(result.rates, float))[::-1]
    axes.semilogy(np.arange(1, rates.size + 1), np.where(rates > 0, rates, np.nan), "o", color=BLUE, ms=4)
    axes.set_xlabel("mode")
    axes.set_ylabel("rate of learning")


def _gradient(result: Any, axes: Axes, what: str = "sigma_w", layer: int = -1) -> None:
    """The derivative of the kernel by the scale of one layer's weights (the last), or biases, as a matrix."""
    if what not in ("sigma_w", "sigma_b"):
        raise ArgumentError("what", "must be sigma_w or sigma_b", what)
    parts = np.asarray(getattr(result, what), float)
    if not -len(parts) <= layer < len(parts):
        raise ArgumentError("layer", f"must be one of {len(parts)} layers", layer)
    matrix(axes, parts[layer], f"derivative of the NNGP by {what}")
    axes.set_xlabel("input")
    axes.set_ylabel("input")


def _moments(result: Any, axes: Axes) -> None:
    """Gaussian moments beside each other."""
    bars(axes, {"E φ²": result.v, "E φ'²": result.p, "E φ φ": result.t, "E φ' φ'": result.tdot})


PICTURES = {
    "Kernels": _kernels,
    "Pair": _pair,
    "Prediction": _prediction,
    "Dynamics": _dynamics,
    "Moments": _moments,
    "KernelGradient": _gradient,
}
NO_PICTURE = {
    "Band": "its parts are matrices; draw them by `Kernels`",
    "KernelsAtWidth": "matrices at each width; draw those of the limit by `Kernels`",
}
