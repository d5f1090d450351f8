"""What a module of claims imports: `Claim` and its records (`harness.claim`), `declare` and its (`harness.declare`)."""

from widelimit.validate.harness.claim import (
    Choice,
    Claim,
    Counterfactual,
    Inputs,
    Integers,
    Interval,
    Plan,
    Preset,
    Scalar,
)
from widelimit.validate.harness.declare import (
    altered,
    another,
    declare,
    instead,
    largest,
    presets,
    row,
    spend,
    table,
    wrong,
)

__all__ = [
    "Choice",
    "Claim",
    "Counterfactual",
    "Inputs",
    "Integers",
    "Interval",
    "Plan",
    "Preset",
    "Scalar",
    "altered",
    "another",
    "declare",
    "instead",
    "largest",
    "presets",
    "row",
    "spend",
    "table",
    "wrong",
]
