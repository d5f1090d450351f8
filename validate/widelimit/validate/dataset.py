"""The labelled results of a run as ``results.nc``: every sample and every verdict, for whoever wants to go
on.

One group for each claim. Its samples have dimensions (point, size, replicate, row), with NaN where a point
took fewer replicates than another; what was concluded has dimensions (point, row). Open it with
``xarray.open_datatree``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate import atomic
from widelimit.validate.outcome import ClaimOutcome
from widelimit.validate.verdicts import Measured

if TYPE_CHECKING:
    import xarray

NAME = "results.nc"
_NUMBERS = (
    "predicted",
    "measured",
    "standard_error",
    "low",
    "high",
    "margin",
    "slope",
    "resolution",
    "p_equivalence",
    "p_difference",
    "lack_of_fit",
)


def write(
    folder: Path,
    outcomes: Sequence[ClaimOutcome],
    measured: Sequence[Measured],
    manifest: Mapping[str, Any],
) -> Path:
    """Write ``results.nc``, whole or not at all."""
    import xarray

    groups: dict[str, Any] = {"/": xarray.Dataset(attrs={"manifest": json.dumps(manifest)})}
    for outcome in outcomes:
        own = [one for one in measured if one.point.claim.id == outcome.id]
        groups[outcome.id] = dataset(outcome, own)
    # By way of memory: where the disk is full, HDF5 ends the process.
    content = xarray.DataTree.from_dict(groups).to_netcdf(None, engine="h5netcdf")
    return atomic.write_bytes(folder / NAME, bytes(content))


def dataset(outcome: ClaimOutcome, measured: Sequence[Measured]) -> xarray.Dataset:
    """One claim's samples and conclusions; points with fewer rows, sizes or replicates are padded with NaN."""
    import xarray

    sizes = sorted({size for one in measured for size in one.point.sizes})
    points, rows = len(measured), max(len(one.point.predicted) for one in measured)
    most = max(len(samples) for one in measured for samples in one.samples)
    samples = np.full((points, len(sizes), most, rows), np.nan)
    numbers = {name: np.full((points, rows), np.nan) for name in _NUMBERS}
    verdicts = np.full((points, rows), "", dtype=object)
    labels = np.full((points, rows), "", dtype=object)
    for index, one in enumerate(measured):
        for size, values in zip(one.point.sizes, one.samples, strict=True):
            samples[index, sizes.index(size), : len(values), : values.shape[1]] = values
        for column, row in enumerate(row for row in outcome.rows if row.point == one.point.index):
            for name, target in numbers.items():
                target[index, column] = getattr(row, name)
            verdicts[index, column] = row.verdict
            labels[index, column] = json.dumps(dict(row.label))
    over = ("point", "row")
    return xarray.Dataset(
        {
            "samples": (("point", "size", "replicate", "row"), samples),
            **{name: (over, values) for name, values in numbers.items()},
            "verdict": (over, verdicts.astype(str)),
            "label": (over, labels.astype(str)),
        },
        coords={
            "point": [one.point.index for one in measured],
            "size": sizes,
            "inputs": ("point", [json.dumps(dict(one.point.inputs)) for one in measured]),
        },
        attrs={
            "claim": outcome.id,
            "title": outcome.title,
            "paper": outcome.paper,
            "verdict": outcome.verdict,
            "size_name": outcome.size_name,
            "exponent": outcome.exponent,
            "location": outcome.location,
        },
    )
