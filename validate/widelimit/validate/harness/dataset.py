"""The labelled results of a run as ``results.nc``: every sample and every verdict, for whoever wants to go
on.

One group for each claim. Its samples have dimensions (point, size, replicate, row), with NaN where a point
took fewer replicates than another; what was concluded has dimensions (point, row). Open it with
``xarray.open_datatree``.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.outcome import ClaimOutcome
from widelimit.validate.harness.running import atomic
from widelimit.validate.harness.running.measure import Measured

if TYPE_CHECKING:
    import xarray

log = logging.getLogger(__name__)
NAME = "results.nc"
_NUMBERS = (
    "predicted",
    "measured",
    "standard_error",
    "low",
    "high",
    "margin",
    "slope",
    "within",
    "resolution",
    "p_equivalence",
    "p_difference",
    "lack_of_fit",
)

_CONCLUDED = (
    "low",
    "high",
    "within",
    "resolution",
    "p_equivalence",
    "p_difference",
)  # of all claims of a page together


def write(
    folder: Path,
    outcomes: Sequence[ClaimOutcome],
    measured: Sequence[Measured],
    manifest: Mapping[str, Any],
    keep: Collection[str] = (),
) -> Path:
    """Write ``results.nc``, whole or not at all, with the claims to `keep` of the file that is there."""
    import xarray

    groups: dict[str, Any] = {"/": xarray.Dataset(attrs={"manifest": json.dumps(manifest)})}
    earlier = _kept(folder / NAME, keep)
    for outcome in outcomes:
        own = [one for one in measured if one.point.claim.id == outcome.id]
        if own:
            groups[outcome.id] = dataset(outcome, own)
        elif outcome.id in earlier:
            groups[outcome.id] = _judged(earlier[outcome.id], outcome)
    # By way of memory: where the disk is full, HDF5 ends the process.
    content = xarray.DataTree.from_dict(groups).to_netcdf(None, engine="h5netcdf")
    return atomic.write_bytes(folder / NAME, bytes(content))


def _kept(path: Path, keep: Collection[str]) -> dict[str, Any]:
    """The groups of an earlier file; what cannot be read any more is left out, and told."""
    import xarray

    if not keep:
        return {}
    try:
        with xarray.open_datatree(io.BytesIO(path.read_bytes()), engine="h5netcdf") as tree:
            return {name: tree[name].to_dataset().load() for name in keep if name in tree.children}
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        log.warning("The samples of earlier runs are missing from %s: it cannot be read (%s).", path, error)
        return {}


def _judged(earlier: xarray.Dataset, outcome: ClaimOutcome) -> xarray.Dataset:
    """An earlier claim's samples, with what is concluded of them now."""
    place = {int(point): index for index, point in enumerate(earlier.point.values)}
    for name in set(_CONCLUDED) - set(earlier.data_vars):  # what earlier versions did not conclude
        earlier[name] = (("point", "row"), np.full(earlier.verdict.shape, np.nan))
    verdicts = earlier.verdict.values.astype(object)
    for index in place.values():
        verdicts[index] = ""
    for point, rows in groupby(outcome.rows, key=lambda row: row.point):
        for column, row in enumerate(rows):
            for name in _CONCLUDED:
                earlier[name].values[place[point], column] = getattr(row, name)
            verdicts[place[point], column] = row.verdict
    return earlier.assign(verdict=(("point", "row"), verdicts.astype(str))).assign_attrs(
        verdict=outcome.verdict
    )


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
