"""A report as text for a terminal, and as JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from widelimit.validate.harness.text import clean
from widelimit.validate.report.machine import strict

Report = Any  # of `records`, whose reports write themselves by this file


def number(value: float) -> str:
    """A number in four digits, a dash for none.

    >>> number(0.123456), number(float("nan"))
    ('0.1235', '-')
    """
    return "-" if math.isnan(value) else f"{value:.4g}"


def both(value: float, error: float) -> str:
    """A measured number with its standard error."""
    return number(value) if math.isnan(error) else f"{number(value)} ({error:.2g})"


def text(report: Report) -> str:
    """Three sentences, then a line a layer."""
    head = (
        "layer",
        "operation",
        "",
        "q",
        "measured",
        "rho",
        "measured",
        "g",
        "measured",
        "verdict",
        "measured beside derived",
    )
    rows = [head] + [
        (
            clean(one.name, 44), clean(one.op, 28), one.method,
            number(one.q_predicted), both(one.q_measured, one.q_error),
            number(one.rho_predicted), both(one.rho_measured, one.rho_error),
            number(one.g_predicted), both(one.g_measured, one.g_error), one.verdict, one.within,
        )
        for one in report.layers
    ]  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    table = [
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    scale = number(float(report.xi_c))
    power = "" if math.isnan(report.xi_c.power) else f", power {report.xi_c.power:.3g}"
    covered = f"{100 * report.graph.coverage:.0f} per cent of the operations derived, {report.draws} draws"
    level = (
        f"a layer disagrees beyond {100 * report.tolerance:.0f} per cent and errors at level {report.level:g} over "
        f"all layers, and is inconclusive beyond those of one number at {report.doubt:g}"
    )
    condition = f"tangent kernel on this batch: condition number {number(report.kernel_condition)}" + (
        f" ({clean(report.kernel_reason, 120)})" if report.kernel_reason else ""
    )
    lines = [
        report.answer, report.limits, report.change, "", *table, "",
        f"depth {report.depth}, depth scale xi_c {scale} layers{power}, trainable depth "
        f"{number(report.trainable_depth)}",
        condition, f"{covered}; {level}", *(f"Note: {clean(one)}" for one in report.warnings),
    ]  # fmt: skip
    return "\n".join(lines)


def json_text(report: Report) -> str:
    """Strict JSON: infinity as text, what is not defined as null."""
    return json.dumps(strict(report.to_dict()), indent=1, allow_nan=False)
