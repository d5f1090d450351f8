"""The explorer: one page with sliders, no server. Its numbers are the library's, printed when the page is built.

A slider has as many places as the grid; the page looks numbers up and computes none, so that what it shows is what
`meanfield.solve` and `jacobian.spectrum` returned, to the digits shown.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from widelimit.theory.errors import WidelimitError

TEMPLATE = Path(__file__).parents[1] / "explorer.html"
DIGITS = 6
AXES: dict[str, list[Any]] = {
    "activation": ["tanh", "hard_tanh", "relu", "gelu"],
    "sigma_w": [round(0.6 + 0.2 * k, 1) for k in range(10)],
    "sigma_b": [0.0, 0.1, 0.3],
    "keep": [1.0, 0.9, 0.7],
    "depth": [2, 8, 32],
}
NUMBERS = ("q_star", "c_star", "chi_1", "xi_q", "xi_c", "xi_grad")
SHARES = [round(0.02 + 0.04 * k, 2) for k in range(25)]  # quantiles of a law


def page(*, laws: bool = True) -> str:
    """The page as HTML, with its data inside."""
    data = {
        "axes": AXES,
        "numbers": NUMBERS,
        "points": points(),
        "shares": SHARES,
        "laws": spectra() if laws else {},
    }
    text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    return TEMPLATE.read_text(encoding="utf-8").replace("/*DATA*/", text)


def shown(value: float) -> str:
    """Print a number to the digits of the page.

    >>> shown(1.06395837), shown(float("inf")), shown(1e-9)
    ('1.06396', 'infinite', '1e-09')
    """
    if np.isnan(value):
        return "not defined"
    return "infinite" if np.isinf(value) and value > 0 else f"{value:.{DIGITS}g}"


def points() -> dict[str, list[str]]:
    """The phase and the numbers of `meanfield.solve` at every place, by a key of the places' indices."""
    from widelimit.numerics import meanfield

    found = {}
    w, b, keep = (np.array(AXES[name]) for name in ("sigma_w", "sigma_b", "keep"))
    for a, activation in enumerate(AXES["activation"]):
        grid = meanfield.solve(
            activation, sigma_w=w[:, None, None], sigma_b=b[None, :, None], keep=keep[None, None, :]
        )
        for place in np.ndindex(w.size, b.size, keep.size):
            numbers = [shown(float(getattr(grid, name)[place])) for name in NUMBERS]
            found[_key(a, *place)] = [str(grid.phase[place]), *numbers]
    return found


def spectra() -> dict[str, list[Any]]:
    """Of every law of an orthogonal network's Jacobian: mean, largest (squared) singular value, quantiles (log10 s)."""
    from widelimit.numerics import jacobian

    found = {}
    for place in np.ndindex(*(len(AXES[name]) for name in ("activation", "sigma_w", "sigma_b", "depth"))):
        a, w, b, d = place
        given = {name: AXES[name][k] for name, k in (("sigma_w", w), ("sigma_b", b), ("depth", d))}
        try:
            law = jacobian.spectrum(AXES["activation"][a], weights="orthogonal", **given)
            logs = np.asarray(law.log_quantile(np.array(SHARES)), float) / (2 * np.log(10))
            told = [shown(float(np.exp(law.log_moment(1)))), shown(float(np.exp(law.log_largest)))]
        except (
            WidelimitError
        ):  # no fixed point, or beyond what a solver promises: the page says that there is none
            continue
        found[_key(*place)] = [*told, [None if np.isinf(one) else round(float(one), 3) for one in logs]]
    return found


def _key(*place: int) -> str:
    return "-".join(map(str, place))
