"""Points as a table, and what a preset spends on them from a target.

table     names once, rows of values: those of the quick preset, further ones for the others
presets   sizes, pilot, most and block of every preset by hand
spend     precision, sizes and scatter -> sizes, pilot, most and block of every preset, by one rule and no clock
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.claim import Inputs, Plan, Preset
from widelimit.validate.harness.claim_checks import positive
from widelimit.validate.harness.statistics import LEVEL
from widelimit.validate.harness.statistics.limit import quantile
from widelimit.validate.harness.statistics.stages import MISSED

# By preset: sizes over those declared; the probability with which a row of a true theory may miss being found to agree
# (5 % for all 1,000 rows of a page, as `run.PAGE`; 1 % a row is enough for a quick look); and the most replicates over
# those that the declared scatter asks for, as points that only larger presets visit may scatter more.
_GROWTH: Mapping[Preset, int] = {"quick": 1, "reference": 2, "deep": 4}
_MISSED: Mapping[Preset, float] = {"quick": 0.01, "reference": MISSED / 2000, "deep": MISSED / 2000}
_SPARE: Mapping[Preset, int] = {"quick": 1, "reference": 2, "deep": 2}
_CLOSER = 2.0  # than a target of the quick preset
_PILOT = (8, 32)  # a standard deviation is known to 27 % from 8, to 13 % from 32
_BLOCK = (8, 32)


@dataclass(frozen=True)
class Points:
    """The points of the quick preset, and those that the others visit besides."""

    quick: tuple[Inputs, ...]
    further: tuple[Inputs, ...] = ()

    def of(self, preset: str) -> tuple[Inputs, ...]:
        """The points of a preset."""
        return self.quick if preset == "quick" else self.quick + self.further


def table(names: str, quick: Sequence[Any], further: Sequence[Any] = (), /, **same: Any) -> Points:
    """Write points as rows of values under names.

    Args:
        names: names of inputs with spaces between them.
        quick: rows that every preset visits, each a tuple of values (of one name: the values themselves), or a mapping
            where a point has inputs of its own.
        further: rows that the reference and deep presets visit as well.
        **same: inputs that are the same in all rows.

    Raises `ArgumentError` for a row of another length than the names.

    >>> table("sigma_w depth", [(1.0, 3)], [(1.5, 5)], start=2.0).of("reference")
    ({'sigma_w': 1.0, 'depth': 3, 'start': 2.0}, {'sigma_w': 1.5, 'depth': 5, 'start': 2.0})
    """
    columns = re.split(r"[\s,]+", names.strip()) if names.strip() else []

    def read(row: Any) -> Inputs:
        if isinstance(row, Mapping):
            return {**row, **same}
        values = row if isinstance(row, tuple | list) else (row,)
        if len(values) != len(columns):
            must = f"must have rows of {len(columns)} values ({', '.join(columns)})"
            raise ArgumentError("table", must, row)
        return {**dict(zip(columns, values, strict=True)), **same}

    return Points(tuple(map(read, quick)), tuple(map(read, further)))


def presets(
    points: Points,
    sizes: Sequence[Sequence[int]],
    *,
    pilot: Sequence[int],
    most: Sequence[int],
    block: Sequence[int],
    within: Sequence[float | None] = (None, None, None),
) -> dict[Preset, Plan]:
    """Plan the three presets by hand, quick first: where a budget asks for other replicates than a precision does.

    `within` are targets (`Plan.within`), `most` then what they may cost.

    >>> sizes = ((10, 20, 40), (20, 40, 80), (40, 80, 160))
    >>> presets(table("a", [1.0]), sizes, pilot=(8, 8, 8), most=(16, 32, 64), block=(8, 8, 8))["deep"].most
    64
    """
    spent = zip(get_args(Preset), sizes, pilot, most, block, within, strict=True)
    return {name: Plan(points.of(name), tuple(size), *rest) for name, size, *rest in spent}


def spend(
    points: Points,
    sizes: Sequence[int],
    *,
    within: float,
    noise: float,
    exponent: float = 1.0,
    target: float | None = None,
    closer: float | None = None,
) -> dict[Preset, Plan]:
    """Plan all presets for a precision: `within`, or the `target` of the quick preset and half of it for the others.

    `closer`: how many times as close as the quick preset the others look, 1 by default, or 2 with a `target`.
    A preset multiplies `sizes` (1, 2 and 4). One replicate at size N scatters by ``noise / sqrt(N)`` of the scale (by
    `noise` where there are no sizes), so that `expected` replicates resolve `within`: they are the most of quick runs,
    twice as many those of the others, which ask for more certainty; a quarter is the pilot, whose variance then says
    how many it takes (Stein's rule). No clock is read: a run that was interrupted goes on with the same numbers.

    >>> spend(table("a", [1.0]), (64, 128, 256), within=0.05, noise=0.5)["quick"]
    Plan(points=({'a': 1.0},), sizes=(64, 128, 256), pilot=8, most=24, block=8, within=None)
    """
    for name, value in (
        ("within", within),
        ("noise", noise),
        ("exponent", exponent),
        ("target", target or within),
        ("closer", 1.0 if closer is None else closer),
    ):
        positive(name, value)
    if len(sizes) in (1, 2):
        raise ArgumentError("sizes", "must be three or more, or none where there is no limit", tuple(sizes))
    others = None if target is None and closer is None else (target or within) / (closer or _CLOSER)
    plans: dict[Preset, Plan] = {}
    for preset in get_args(Preset):
        larger = tuple(_GROWTH[preset] * size for size in sizes)
        aim = target if preset == "quick" else others
        count = expected(larger, within=aim or within, noise=noise, exponent=exponent, missed=_MISSED[preset])
        block = min(_BLOCK[1], max(_BLOCK[0], 2 ** int(math.log2(max(1.0, count / 8)))))
        pilot = _upwards(min(_PILOT[1], max(_PILOT[0], count / 4)), _PILOT[0])
        most = _upwards(
            max(3 * pilot, _SPARE[preset] * count), block
        )  # the second stage is twice the pilot or more
        plans[preset] = Plan(points.of(preset), larger, pilot=pilot, most=most, block=block, within=aim)
    return plans


def expected(
    sizes: Sequence[int], *, within: float, noise: float, exponent: float = 1.0, missed: float = 0.01
) -> float:
    """Replicates a size that resolve `within` in the limit, for a scatter of ``noise / sqrt(size)``.

    A true theory is then found to agree at a row, but for a probability of `missed`.

    >>> round(expected((64, 128, 256), within=0.05, noise=0.5), 1)
    13.3
    """
    n = np.asarray(sizes or (1,), dtype=np.float64)
    design = np.stack([np.ones_like(n), n**-exponent], axis=1)[:, : 2 if len(n) > 1 else 1]
    covariance = np.linalg.inv(design.T @ (design * (n / noise**2)[:, None]))
    reach = float(quantile(LEVEL, np.array(np.inf)) + quantile(missed, np.array(np.inf)))
    return float(covariance[0, 0]) * (reach / within) ** 2


def _upwards(value: float, step: int) -> int:
    return step * math.ceil(value / step)
