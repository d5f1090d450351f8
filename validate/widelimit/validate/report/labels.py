"""Names of inputs as a paper would set them: ``sigma_w`` is σ_w, and what never varies is said once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from widelimit.validate.harness.outcome import ClaimOutcome, RowOutcome
from widelimit.validate.harness.text import clean
from widelimit.validate.report.numbers import number

SYMBOLS = {
    "sigma_w": "σ_w",
    "sigma_b": "σ_b",
    "sample_ratio": "α",
    "penalty": "λ",
    "chi_1": "χ₁",
    "q0": "q⁰",
    "c0": "c⁰",
    "one_minus_c0": "1 − c⁰",
    "sigma_v": "σ_v",
    "q_star": "q*",
    "c_star": "c*",
    "xi_c": "ξ_c",
    "xi_q": "ξ_q",
    "xi_grad": "ξ_grad",
    "feature_ratio": "ψ",
    "keep": "ρ",
}
_BARE = (
    "activation",
    "weights",
    "quantity",
    "data",
    "which",
    "kind",
    "statistic",
)  # values that name themselves


_LONGEST = 80  # characters of a name or a value


def symbol(name: str) -> str:
    """Return the paper's symbol of an input, or its name with spaces.

    >>> symbol("sigma_w"), symbol("filter_size")
    ('σ_w', 'filter size')
    """
    return SYMBOLS.get(name, clean(name, _LONGEST).replace("_", " "))


def said(inputs: Mapping[str, Any], names: Sequence[str] | None = None) -> str:
    """Print inputs in one line.

    >>> said({"activation": "tanh", "sigma_w": 1.5, "layer": 3})
    'tanh, σ_w = 1.5, layer = 3'
    """
    chosen = inputs if names is None else {name: inputs[name] for name in names if name in inputs}
    return ", ".join(_one(name, value) for name, value in chosen.items())


def _one(name: str, value: Any) -> str:
    if isinstance(value, str) and name in _BARE:
        return clean(value.rsplit("/", 1)[-1], _LONGEST) if name == "data" else value_name(value)
    shown = number(value) if isinstance(value, (int, float)) else str(value)
    return f"{symbol(name)} = {clean(shown, _LONGEST)}"


def value_name(value: str) -> str:
    """Return a name from a catalogue as it is said: spaces for underscores, other than in front of an index.

    >>> value_name("hard_tanh"), value_name("erf_s"), value_name("my_data.csv")
    ('hard tanh', 'erf_s', 'my_data.csv')
    """
    spaced = re.sub(r"(?<=[a-z])_(?=[a-z]{2,}(?![\w.]))", " ", value)
    return clean(spaced, _LONGEST)


def named(row: RowOutcome, varying: Sequence[str]) -> str:
    """Name a number of a claim: its own label, then the inputs that tell points apart."""
    label, text = said(row.label), said(point_inputs(row), varying)
    return f"{label}: {text}" if label and text else label or text


def by_point(claim: ClaimOutcome) -> list[tuple[RowOutcome, ...]]:
    """Group the rows of a claim by point, in the order of the points."""
    groups: dict[int, list[RowOutcome]] = {}
    for row in claim.rows:
        groups.setdefault(row.point, []).append(row)
    return [tuple(groups[point]) for point in sorted(groups)]


def point_inputs(row: RowOutcome) -> dict[str, Any]:
    """The inputs of a row's point, without the row's own label."""
    return {name: value for name, value in row.inputs.items() if name not in row.label}


def varying(claim: ClaimOutcome) -> tuple[list[str], dict[str, Any]]:
    """Return the names of the inputs that differ between the points of a claim, and those that all share."""
    points = [point_inputs(rows[0]) for rows in by_point(claim)]
    names = list(dict.fromkeys(name for point in points for name in point))
    shared = {
        name: points[0][name]
        for name in names
        if len(points) > 1 and all(name in point and point[name] == points[0][name] for point in points)
    }
    return [name for name in names if name not in shared], shared


def titles(claim: ClaimOutcome) -> list[str]:
    """One title a point, of the inputs that tell points apart."""
    names, _ = varying(claim)
    return [said(point_inputs(rows[0]), names) or "all inputs" for rows in by_point(claim)]


def axis(rows: Sequence[RowOutcome]) -> str | None:
    """The label along which the rows of a point form a curve, if they do: one number, three rows or more."""
    names = list(rows[0].label)
    if len(rows) < 3 or len(names) != 1:
        return None
    values = [row.label.get(names[0]) for row in rows]
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    return names[0] if numeric and len(set(values)) == len(values) else None
