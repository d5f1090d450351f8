"""Attention: Gram matrices of tokens behind a layer, stacks of blocks, overlaps of rows of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.errors import ArgumentError
from widelimit.validate.pictures.kit import bars, lines, matrix, swept
from widelimit.validate.report.look import SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _layer(result: Any, axes: Axes, what: str = "covariance") -> None:
    """The Gram matrix of the tokens behind the layer, or with `what="ntk"` its tangent kernel."""
    if what not in ("covariance", "ntk"):
        raise ArgumentError("what", "must be covariance or ntk", what)
    matrix(axes, getattr(result, what), {"covariance": "E x'_m · x'_n / d", "ntk": "tangent kernel"}[what])
    axes.set_xlabel("token")
    axes.set_ylabel("token")


def _gradient(result: Any, axes: Axes) -> None:
    """Products of the tokens' gradients in front of the layer."""
    matrix(axes, result.gradient, "E g_m · g_n / d")
    axes.set_xlabel("token")
    axes.set_ylabel("token")


def _sequences(result: Any, axes: Axes, what: str = "covariance") -> None:
    """The Gram matrix of all positions behind attention, or with `what="overlaps"` what their rows share."""
    if what not in ("covariance", "overlaps"):
        raise ArgumentError("what", "must be covariance or overlaps", what)
    _positions(axes, getattr(result, what), {"covariance": "E x'_m · x'_n / d", "overlaps": "overlap"}[what])


def _backwards(result: Any, axes: Axes, what: str = "values") -> None:
    """Products of gradients of all positions in front of values, or with `what` of "queries" or "keys"."""
    if what not in ("queries", "keys", "values"):
        raise ArgumentError("what", "must be queries, keys or values", what)
    _positions(axes, getattr(result, what), f"E g_m · g_n / d, {what}")


def _positions(axes: Axes, values: Any, title: str) -> None:
    count = values.shape[0] * values.shape[1]
    matrix(axes, values.reshape(count, count), title)
    axes.set_xlabel("token, sequence by sequence")
    axes.set_ylabel("token, sequence by sequence")


def _stack(result: Any, axes: Axes) -> None:
    """Length, distance of two tokens and squared gradients, branch after branch."""
    places = np.arange(len(np.asarray(result.q)))
    curves = {"q": result.q, "1 − ρ": result.distance, "squared gradient": result.g}
    lines(axes, places, curves, x_label="branch", log="y")


def _exponents(result: Any, axes: Axes) -> None:
    """How two nearly equal tokens part or merge with depth: by a factor a block, or by a power of depth."""
    blocks = np.arange(1, 101)
    if float(result.angle) != 0:
        lines(
            axes,
            blocks,
            {"1 − ρ": float(result.angle) * blocks / np.log(10)},
            x_label="block",
            y_label="log10 of 1 − ρ",
        )
    else:
        lines(
            axes,
            blocks,
            {"1 − ρ": -float(result.power) * np.log10(blocks)},
            x_label="block",
            y_label="log10 of 1 − ρ",
        )
        axes.set_xscale("log")
    axes.axhline(0, color=SOFT, lw=0.6)
    axes.set_title(str(result.phase))


def _collapse(result: Any, axes: Axes) -> None:
    bars(axes, {"1 − ρ behind attention": result.distance, "its leading order": result.leading})


def _overlaps(result: Any, axes: Axes) -> None:
    bars(
        axes,
        {
            "within a row": result.within,
            "of two rows": result.across,
            "slope, within": result.within_slope,
            "slope, of two": result.across_slope,
        },
    )


PICTURES = {
    "Layer": _layer,
    "Gradient": _gradient,
    "Sequences": _sequences,
    "Backwards": _backwards,
    "Propagation": _stack,
    "Exponents": _exponents,
    "Collapse": _collapse,
    "Overlaps": swept("within", "across", "within_slope", "across_slope", one=_overlaps),
}
NO_PICTURE = {
    "OverlapsGradient": "draw its `value`; derivatives are numbers by argument",
    "LayerGradient": "draw its `value`; derivatives are matrices by argument",
    "LayerSlopes": "derivatives are matrices by argument; draw the `value` beside them",
    "SequencesGradient": "draw its `value`; derivatives are matrices by argument",
    "SequencesSlopes": "derivatives are matrices by argument; draw the `value` beside them",
    "PropagationGradient": "draw its `value`; derivatives are numbers by argument",
    "PropagationSlopes": "derivatives are numbers by argument; draw the `value` beside them",
    "OverlapsSlopes": "derivatives are numbers by argument; draw the `value` beside them",
}
