"""Banks of simulated networks: what is recorded of them while they learn, cached by what made it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import cache
from widelimit.numerics.compile.cache import private
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.rules import observables

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.rules.training import Snapshot

Array = np.ndarray
_log = logging.getLogger(__name__)
_WORSE = 2.0  # times the loss at the start: it has diverged
_PIXELS = 10  # inputs that weights are recorded from where units are few
_MOST = 200_000_000  # weights in training at once, times steps


@by_value
@dataclass(frozen=True)
class Bank:
    """Recordings of simulated networks: `values` (networks, times, columns), their `rules` and `widths`.

    `columns`: names, ``measure.function.statistic.layer``. `units`: recorded in each layer, None for all. `noise`: on
    each recorded number, in its own standard deviations. `dropped`: networks by rule that diverged.
    """

    values: Array
    rules: tuple[str, ...]
    widths: tuple[int, ...]
    columns: tuple[str, ...]
    units: int | None
    noise: float
    steps: int
    dropped: Mapping[str, int]

    def __str__(self) -> str:
        networks, times, columns = self.values.shape
        each = ", ".join(f"{rule} {self.rules.count(rule)}" for rule in dict.fromkeys(self.rules))
        lost, widths = sum(self.dropped.values()), ", ".join(map(str, sorted(set(self.widths))))
        return (
            f"bank of {networks} networks ({each}; {lost} diverged and were dropped), widths {widths}, {self.steps} "
            f"steps, {times} snapshots of {columns} columns"
        )

    def of(self, chosen: Array) -> Bank:
        """Return the bank of some of its networks."""
        rows = np.flatnonzero(chosen) if np.asarray(chosen).dtype == bool else np.asarray(chosen)
        rules, widths = tuple(self.rules[k] for k in rows), tuple(self.widths[k] for k in rows)
        return replace(self, values=self.values[rows], rules=rules, widths=widths)

    def measured(self, *measures: str) -> Bank:
        """Return the bank of the raw columns of some measures: weight, act, change."""
        keep = [
            k for k, name in enumerate(self.columns) if name.split(".")[0] in measures and ".raw." in name
        ]
        return replace(self, values=self.values[:, :, keep], columns=tuple(self.columns[k] for k in keep))


def bank(
    networks: int = 40,
    *,
    widths: Sequence[int] = (50, 100),
    steps: int = 480,
    snapshots: int = 9,
    units: int | None = None,
    noise: float = 0.0,
    seed: int = 0,
    device: str = "cpu",
) -> Bank:
    """Train a bank of networks on digits, as many by each of four rules, or read it from the cache.

    Networks 64-n-n-10 with tanh learn for some steps of 32 images, at learning rates over a decade; those that diverge
    are dropped, as they would make a rule trivially known.

    Args:
        networks: of each rule, shared among the widths.
        widths: of both hidden layers.
        steps: of learning.
        snapshots: equally far apart, 2 or more.
        units: recorded in each layer; None for all.
        noise: added to each recorded number, in standard deviations of what is recorded.
        seed: of all draws.
        device: of torch.

    Raises `ArgumentError` for numbers outside these ranges.

    >>> small = bank(4, widths=(8,), steps=20, snapshots=2)
    >>> print(small)
    bank of 16 networks (adam 4, sgd 4, feedback_alignment 4, information_alignment 4; 0 diverged and were dropped), \
widths 8, 20 steps, 2 snapshots of 147 columns
    """
    from widelimit.validate.harness.backend import Backend

    chosen = _widths(widths)
    each = arguments.count("networks", networks, least=2 * len(chosen)) // len(chosen)
    many, seen = arguments.count("steps", steps), arguments.count("snapshots", snapshots, least=2)
    if seen > many:
        raise ArgumentError("snapshots", "must not be more than the steps", snapshots)
    if (cost := 4 * each * max(chosen) * (max(chosen) + 74)) > _MOST:
        raise ArgumentError(
            "networks", f"must have at most {_MOST:.0e} weights at once", but=f"has {cost:.1e}"
        )
    view = _units(units), arguments.non_negative_number("noise", noise)
    number, backend = arguments.count("seed", seed, least=0), Backend.choose(device)
    room = cache.sources("widelimit.validate.rules", "banks", "training", "observables")
    key = json.dumps([each, chosen, many, seen, view, number, backend.name, room])
    name = f"bank-{cache.digest(key)}.npz"
    if (body := private.read(name)) is not None:
        return _unpacked(body, many, view)
    _log.info("training a bank of %d networks, %d steps", 4 * each * len(chosen), many)
    (found,) = observed(each, chosen, many, [view], number, backend, seen)
    private.write(name, _packed(found))
    return found


def observed(
    networks: int,
    widths: Sequence[int],
    steps: int,
    views: Sequence[tuple[int | None, float]],
    seed: int,
    backend: Backend,
    snapshots: int = 9,
    functions: Sequence[str] = observables.FUNCTIONS,
) -> list[Bank]:
    """Train one bank, not cached, and return what several views (units, noise) see of it, of some functions."""
    names = observables.columns(functions)
    made = [
        _train(networks, width, steps, snapshots, views, seed + 7919 * width, backend.name, functions)
        for width in widths
    ]
    return [_joined([one[k] for one in made], steps, view, names) for k, view in enumerate(views)]


def _widths(value: Any) -> list[int]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not 0 < len(value) <= 100:
        raise ArgumentError("widths", "must be a list of 1 to 100 integers", value)
    return [arguments.count("widths", width, least=2) for width in value]


def _units(value: Any) -> int | None:
    return None if value is None else arguments.count("units", value, least=2)


def _packed(one: Bank) -> bytes:
    file = io.BytesIO()
    about = json.dumps([one.rules, one.widths, dict(one.dropped)])
    np.savez_compressed(file, values=one.values, about=np.frombuffer(about.encode(), np.uint8))
    return file.getvalue()


def _unpacked(body: bytes, steps: int, view: tuple[int | None, float]) -> Bank:
    with np.load(io.BytesIO(body), allow_pickle=False) as file:
        values, about = file["values"], json.loads(file["about"].tobytes())
    rules, widths, dropped = about
    units, level = view
    return Bank(values, tuple(rules), tuple(widths), observables.columns(), units, level, steps, dropped)


def _train(
    each: int, width: int, steps: int, snapshots: int, views: Any, seed: int, device: str, functions: Any
) -> list[tuple[Array, Array, int]]:
    """For each view the recordings (networks, times, columns) of one width, and which networks diverged."""
    import torch

    from widelimit.validate.rules.training import trained

    noise = np.random.default_rng(seed)
    rows: list[list[Array]] = [[] for _ in views]
    before = loss = None
    with torch.no_grad(), _one_thread():
        for now in trained(each, width, steps, snapshots, seed, torch.device(device)):
            if before is not None:
                for place, (units, level) in enumerate(views):
                    rows[place].append(_record(now, before, units, level, noise, functions))
            before, first = now, now.loss if loss is None else loss
            loss = first
    assert before is not None and loss is not None
    bad = ~(before.loss <= _WORSE * loss).cpu().numpy()
    stacked = [np.stack(one, axis=1) for one in rows]
    lost = bad | ~np.isfinite(stacked[0]).all((1, 2))
    return [(one, lost, width) for one in stacked]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Small products are not worth threads, which wait for each other where cores are busy."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _record(
    now: Snapshot,
    before: Snapshot,
    units: int | None,
    level: float,
    noise: np.random.Generator,
    functions: Any,
) -> Array:
    """All columns of one snapshot, (networks, columns)."""
    parts = []
    for layer, w in enumerate(now.weights):
        into = slice(None) if units is None else (_inputs(units) if layer == 0 else slice(units))
        parts.append(w[:, : (units if layer < 2 else None)][:, :, into])
    parts += [a[:, :, :units] for a in now.activations]
    parts += [(a - b)[:, :, :units] for a, b in zip(now.activations, before.activations, strict=True)]
    found = []
    for part in parts:
        x = part.reshape(len(part), -1).cpu().numpy().astype(np.float64)
        if level:
            x = x + level * x.std(1, keepdims=True) * noise.standard_normal(x.shape)
        found.append(observables.summaries(x, functions))
    return np.concatenate(found, axis=1)


def _inputs(units: int) -> list[int]:
    """Pixels in the middle of the image, which vary."""
    from widelimit.validate.rules.training import digits

    varied = np.argsort(-digits()[0].std(0))
    return [int(k) for k in varied[: min(units, 64)]]


def _joined(parts: Sequence[tuple[Array, Array, int]], steps: int, view: Any, names: tuple[str, ...]) -> Bank:
    """One bank of several widths, networks in the order of their rules, without those that diverged."""
    from widelimit.validate.rules.training import RULES, labels

    said = np.array([rule for values, _, _ in parts for rule in labels(len(values) // len(RULES))])
    values, lost = np.concatenate([one for one, _, _ in parts]), np.concatenate([bad for _, bad, _ in parts])
    widths = np.array([width for one, _, width in parts for _ in one])
    dropped = {rule: int((lost & (said == rule)).sum()) for rule in RULES if (lost & (said == rule)).any()}
    order = [k for rule in RULES for k in np.flatnonzero((said == rule) & ~lost)]
    units, level = view
    said, widths = said[order], widths[order]
    return Bank(
        values[order], tuple(said.tolist()), tuple(widths.tolist()), names, units, level, steps, dropped
    )
