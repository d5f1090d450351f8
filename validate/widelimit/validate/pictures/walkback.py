"""Walking back: what a bound loses step by step, stationary laws, schedules of temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.kit import lines, plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _bound(result: Any, axes: Axes) -> None:
    """What each step of the walk adds to the bound."""
    terms = np.asarray(result.terms, float).ravel()
    lines(axes, np.arange(1, terms.size + 1), {"added to the bound, nats": terms}, x_label="step of the walk")
    axes.set_title(f"bound {float(result.bound):.5g}, gap {float(result.gap):.4g} nats")


def _chain(result: Any, axes: Axes) -> None:
    """The stationary law, a bar a state."""
    law = np.asarray(result.stationary, float)
    axes.bar(np.arange(law.size), law, width=0.8)
    axes.set_xlabel("state")
    axes.set_ylabel("stationary probability")
    axes.set_title(f"entropy production {float(result.entropy_production):.4g} nats a step")


def _fit(result: Any, axes: Axes) -> None:
    """Modes of the fitted process: a pair off the real line turns, which is irreversible."""
    plane(axes, np.linalg.eigvals(np.asarray(result.transition, float)), unit=True, label="eigenvalues of A")
    axes.set_title(
        f"entropy production {float(result.entropy_production):.4g} ± {float(result.standard_error):.2g} nats a step"
    )


def _measured(result: Any, axes: Axes) -> None:
    """Entropy production with two standard errors; and what each step of the walk on data adds to the bound."""
    if result.walk is not None:
        terms = np.asarray(result.walk.terms, float).ravel()
        lines(
            axes,
            np.arange(1, terms.size + 1),
            {"added to the bound, nats": terms},
            x_label="step of the walk",
        )
        return
    value, error = float(result.entropy_production), float(result.standard_error)
    axes.errorbar([value], [0], xerr=[2 * error], fmt="o", ms=6)
    axes.axvline(0, lw=0.8, color="#6b6f73")
    axes.set_yticks([])
    axes.set_xlabel("entropy production, nats a step (bar: two standard errors); 0 is reversible")


def _schedule(result: Any, axes: Axes) -> None:
    """Temperatures along the walk."""
    found = np.asarray(result.temperatures, float)
    lines(axes, np.arange(1, found.size + 1), {"temperature": found}, x_label="step of the walk", log="y")
    axes.set_title(f"gap {float(result.gap):.4g} nats, of them annealing {float(result.annealing):.4g}")


def _walk(result: Any, axes: Axes) -> None:
    terms = np.asarray(result.terms, float).ravel()
    lines(axes, np.arange(1, terms.size + 1), {"added to the bound, nats": terms}, x_label="step of the walk")


PICTURES = {
    "Bound": _bound,
    "Chain": _chain,
    "Fit": _fit,
    "Measured": _measured,
    "Schedule": _schedule,
    "Walk": _walk,
}
NO_PICTURE: dict[str, str] = {}
