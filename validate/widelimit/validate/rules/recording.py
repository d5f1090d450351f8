"""`record`: the statistics that `identify` reads, of a user's torch network while it learns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from widelimit.numerics import arguments
from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.copies import evaluated
from widelimit.validate.harness.running import atomic
from widelimit.validate.rules import observables

Array = np.ndarray
_LAYERS = observables.MEASURES["weight"]
Layer = nn.Linear | nn.Conv1d | nn.Conv2d
_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d)


class Recorder:
    """Statistics of a network at the times of `snapshot`; made by `record`.

    `layers`: names of the three layers that are recorded; `table`: column -> numbers, a row for each snapshot but the
    first, which changes are counted from; `write(path)` makes a CSV of it.
    """

    def __init__(self, module: nn.Module, x: Tensor, layers: Sequence[str] | None) -> None:
        self._module, self._x = module, x
        known = {name: one for name, one in module.named_modules() if isinstance(one, _KINDS)}
        self.layers = _called(module, x, known) if layers is None else _named(layers, known)
        if len(self.layers) != _LAYERS:
            raise ArgumentError(
                "module",
                f"must have {_LAYERS} layers nn.Linear, nn.Conv1d or nn.Conv2d that run once each",
                but=f"has {len(self.layers)}: {', '.join(self.layers) or 'none'}",
                help=f"Name {_LAYERS} of them by `layers`, the first two hidden, as in the bank's networks.",
            )
        self._linear = [known[name] for name in self.layers]
        self._before: list[Array] | None = None
        self._times: list[float] = []
        self._rows: list[Array] = []

    def snapshot(self, time: float | None = None) -> None:
        """Record what the network is now; `time` (of any unit, default: one more than before) must rise."""
        last = self._times[-1] if self._times else -1.0
        when = last + 1 if time is None else arguments.finite_number("time", time)
        if self._times and not when > last:
            raise ArgumentError("time", f"must be later than {last:g}, of the last snapshot", time)
        now = self._activities()
        if self._before is not None:
            weights = [one.weight.detach().cpu().double().numpy() for one in self._linear]
            changes = [after - before for after, before in zip(now, self._before, strict=True)]
            parts = [observables.summaries(part.reshape(1, -1))[0] for part in (*weights, *now, *changes)]
            self._rows.append(np.concatenate(parts))
        self._before = now
        self._times.append(when)

    @property
    def table(self) -> dict[str, Array]:
        """Return columns of numbers, for `identify`."""
        if not self._rows:
            help = "The first tells what changes are counted from; every later one is a row."
            raise ArgumentError("recorder", "must have two snapshots or more", but="has fewer", help=help)
        values = np.array(self._rows)
        return {
            "time": np.array(self._times[1:]),
            **dict(zip(observables.columns(), values.T, strict=True)),
        }

    def write(self, path: str | Path) -> None:
        """Write the table as a CSV, whole or not at all."""
        table = self.table
        text = io.StringIO(newline="")
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(table)
        lines.writerows([repr(float(entry)) for entry in row] for row in zip(*table.values(), strict=True))
        atomic.write_bytes(Path(path), text.getvalue().encode())

    def _activities(self) -> list[Array]:
        """What enters the second and the third layer: the activities of both hidden ones."""
        seen: dict[int, Tensor] = {}

        def keep(place: int, _: nn.Module, given: tuple[Tensor, ...]) -> None:
            seen[place] = given[0].detach()

        hooks = [
            one.register_forward_pre_hook(partial(keep, place)) for place, one in enumerate(self._linear[1:])
        ]
        try:
            with _still(self._module):
                self._module(self._x)
        finally:
            for hook in hooks:
                hook.remove()
        if len(seen) < _LAYERS - 1:
            raise ArgumentError("layers", "must run when the module does", but="some do not")
        return [seen[place].cpu().double().numpy() for place in range(_LAYERS - 1)]


def record(module: nn.Module, x: Tensor, *, layers: Sequence[str] | None = None) -> Recorder:
    """Return a recorder of the statistics by which `identify` tells the rule that trains a network.

    Call its `snapshot()` before and while the network learns; then `identify(recorder.table)`. The module is run in
    evaluation mode on the same examples each time and left as it was: parameters, buffers, modes, random numbers.

    Args:
        module: with three layers nn.Linear, nn.Conv1d or nn.Conv2d that run once each; activities are what enters the
            second and the third. The bank's are linear: `identify` says whether a recording lies inside it.
        x: examples that are not learnt, a batch of the module's inputs.
        layers: names of the three, where there are more, in their order.

    Raises `ArgumentError` for a module with other layers, or one that does not run on `x`.

    >>> net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))
    >>> recorder = record(net, torch.eye(4))
    >>> for _ in range(3):
    ...     recorder.snapshot()
    ...     net[0].weight.data *= 1.1
    >>> recorder.layers, recorder.table["time"].tolist(), len(recorder.table)
    (('0', '2', '4'), [1.0, 2.0], 148)
    """
    if not isinstance(module, nn.Module):
        raise ArgumentError("module", "must be a torch module", module)
    if not isinstance(x, Tensor) or x.ndim < 2 or not len(x):
        raise ArgumentError("x", "must be a batch of inputs, a torch tensor", x)
    return Recorder(module, x, layers)


def _called(module: nn.Module, x: Tensor, known: dict[str, Layer]) -> tuple[str, ...]:
    """Names of layers in the order in which they run."""
    order: list[str] = []
    hooks = [
        one.register_forward_pre_hook(lambda _, __, name=name: order.append(name))
        for name, one in known.items()
    ]
    try:
        with _still(module):
            module(x)
    except WRONG as error:
        text = " ".join(str(error).split())[:200]
        raise ArgumentError(
            "x", "must be inputs that the module takes", but=f"running it raises: {text}"
        ) from None
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(order)


# What torch modules raise for inputs of another shape, type or device.
WRONG = (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError)


def _named(layers: Sequence[str], known: dict[str, Layer]) -> tuple[str, ...]:
    for name in layers:
        if name not in known:
            raise ArgumentError("layers", f"must be among {', '.join(known) or 'none'}", name)
    if len(set(layers)) < len(layers):
        raise ArgumentError("layers", "must be different ones", list(layers))
    return tuple(layers)


@contextmanager
def _still(module: nn.Module) -> Iterator[None]:
    """Evaluation mode, no gradients, and afterwards the modes and random numbers of before."""
    with torch.random.fork_rng(devices=[]), torch.no_grad(), evaluated(module):
        yield
