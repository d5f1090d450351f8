"""Balanced codes: errors over an argument, autocovariances in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from widelimit.validate.pictures.kit import bars, swept

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _one(result: Any, axes: Axes) -> None:
    """Errors of one network: squared bias, and fluctuations of one unit's worth."""
    parts = {
        "bias²": float(result.bias) ** 2,
        "N Var in time": result.variance,
        "N Var between networks": result.quenched_variance,
    }
    bars(axes, parts)
    axes.set_title(f"{result.phase}: loop gain {float(result.loop_gain):.4g}")


def _correlations(result: Any, axes: Axes, x: Any = None) -> None:
    """Autocovariances of a unit and of its rate over the lags `x` that they were asked for."""
    swept("units", "rates", y_label="autocovariance")(result, axes, x, "lag, membrane times")


PICTURES = {
    "Coding": swept("bias", "variance", "unit_variance", one=_one),
    "StrongBalance": swept("drive", "gain", "noise_coefficient", "chaos_coefficient", "unit_variance"),
    "CriticalBalance": swept("balance", "loop_gain", "frequency", log="y"),
    "Best": swept("balance", "variance", log="y"),
    "Oscillation": swept("amplitude", "estimate_amplitude", "estimate_rms", "frequency"),
    "Correlations": _correlations,
}
NO_PICTURE: dict[str, str] = {}
