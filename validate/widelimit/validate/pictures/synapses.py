"""Continual learning: what is forgotten at which strength, and which parameters were important."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.kit import bars, lines, matrix, swept
from widelimit.validate.report.look import BLUE, GREEN, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _forecast(result: Any, axes: Axes) -> None:
    """Losses of both tasks over the strength of the penalty; dotted: training on both at once."""
    curves = {"old task, forgotten": result.forgetting, "new task": result.new_loss, "both": result.total}
    lines(
        axes,
        result.strengths,
        curves,
        x_label="strength of the penalty",
        y_label="loss above the least",
        log="x",
    )
    axes.axhline(float(result.joint_total), color=SOFT, ls=":", lw=1)
    axes.axvline(float(result.best_strength), color=GREEN, ls="--", lw=1)


def _importance(result: Any, axes: Axes) -> None:
    """Importances of the parameters, largest first."""
    found = np.sort(np.asarray(result.importance, float).ravel())[::-1]
    lines(
        axes,
        np.arange(1, found.size + 1),
        {"importance": found},
        x_label="parameter, most important first",
        log="y" if (found > 0).any() else "",
    )


def _tail(result: Any, axes: Axes) -> None:
    """The share of starts whose importance exceeds x: its law for large x."""
    x = np.geomspace(1, 1e6, 60) * max(float(np.ravel(result.coefficient)[0]), 1e-12) ** 2
    share = float(np.ravel(result.coefficient)[0]) / np.sqrt(x)
    lines(axes, x, {"P(|Ω| > x)": share}, x_label="x", log="xy")


def _price(result: Any, axes: Axes) -> None:
    parts = {
        "old task, forgotten": result.forgetting,
        "new task": result.new_loss,
        "both": result.total,
        "both, joint optimum": result.joint_total,
    }
    bars(axes, parts, x_label="loss above the least")


def _two(result: Any, axes: Axes) -> None:
    parts = {
        "old task, forgotten": result.forgetting, "... at the joint optimum": result.joint_forgetting,
        "new task": result.new_loss, "... at the joint optimum ": result.joint_new_loss,
    }  # fmt: skip
    bars(axes, parts, x_label="loss above the least")


def _sequence(result: Any, axes: Axes) -> None:
    """Losses of every task (columns) after every task (rows)."""
    matrix(axes, result.losses, "loss above the least")
    axes.set_xlabel("task")
    axes.set_ylabel("after task")


def _tracker(result: Any, axes: Axes) -> None:
    """Path integrals of an optimiser's parameters so far, largest first."""
    values = np.concatenate([np.asarray(part.detach().cpu(), float).ravel() for part in result.path_integral])
    found = np.sort(np.abs(values))[::-1]
    axes.loglog(np.arange(1, found.size + 1), np.maximum(found, 1e-300), color=BLUE)
    axes.set_xlabel("parameter, largest first")
    axes.set_ylabel("|path integral|")


PICTURES = {
    "Forecast": _forecast,
    "Importance": _importance,
    "Tail": _tail,
    "RandomTasks": swept("forgetting", "new_loss", "total", "joint_total", one=_price),
    "TwoTasks": _two,
    "Sequence": _sequence,
    "Tracker": _tracker,
}
NO_PICTURE: dict[str, str] = {}
