"""`widelimit predict dynamics --cell model.pt --trajectories states.npy`: fixed points of a trained network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from widelimit.numerics import dynamics
from widelimit.numerics.dynamics import FixedPoints, RandomNetwork
from widelimit.numerics.files import read
from widelimit.numerics.files.door import numbers, opened
from widelimit.numerics.files.table import Unreadable
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError

_SUFFIXES = (".pt", ".pth", ".npz")


@by_value
@dataclass(frozen=True)
class Trained:
    """Fixed points of a trained network: how many, with how many unstable directions each, and how sure.

    `states`, `radii`, `residuals`, `index`, `graph`: as `dynamics.fixed_points`. `moduli` and `time_constants` are
    those of each point's slowest three modes. `slow_points`: states at which the network nearly rests.
    """

    kind: str
    units: int
    points: int
    sinks: int
    saddles: int
    index: np.ndarray
    radii: np.ndarray
    residuals: np.ndarray
    moduli: np.ndarray
    time_constants: np.ndarray
    graph: tuple[tuple[int, int], ...]
    slow_points: int
    slowest: float
    states: np.ndarray


def predict(
    activation: str = "tanh",
    g: float = 2.0,
    time: str = "continuous",
    noise: float = 0.0,
    *,
    cell: str | None = None,
    trajectories: str | None = None,
    inputs: list[float] | None = None,
) -> RandomNetwork | Trained:
    """Return what a random network does by itself, or the fixed points of a trained one, from files.

    Args:
        activation: of a random network; a catalogue name or an expression in x.
        g: of a random network, the standard deviation of weights times sqrt(N).
        time: of a random network, "continuous" or "step".
        noise: of a random network, sigma.
        cell: a file of a trained network: a state_dict saved by torch (.pt, .pth), or arrays by torch's names (.npz).
        trajectories: a file of states that it visits, (k, d) or (trials, steps, d): .npy, .npz, .csv.
        inputs: the constant input that its fixed points are asked at, zeros if left out.

    Raises `ArgumentError` for files that cannot be read or are no recurrent network; of the random network's arguments
    none is read where a cell is given.
    """
    if cell is None:
        for name, value in (("trajectories", trajectories), ("inputs", inputs)):
            if value is not None:
                raise ArgumentError("cell", f"must be given with `{name}`", but="is missing")
        return dynamics.predict(activation, g, time, noise)
    if trajectories is None:
        help = "Pass a file of states that the network visits: fixed points are searched for from there."
        raise ArgumentError("trajectories", "must be given with `cell`", but="is missing", help=help)
    found = dynamics.fixed_points(weights(cell), starts=numbers("trajectories", trajectories), inputs=inputs)
    return _told(found)


def weights(path: str | Path) -> dict[str, Any]:
    """Return the weights in a file by name: of torch's files nothing but tensors is unpickled.

    Raises `ArgumentError` for another kind of file, one that is not there or damaged, or one that holds a whole module.
    """
    found = opened("cell", path, formats=_SUFFIXES, of=_kind, reader=_weights)
    if not isinstance(found, dict):
        raise ArgumentError("cell", "must hold arrays by name", but=f"holds a {type(found).__name__}")
    return {str(name): value for name, value in found.items()}


def _kind(path: Path) -> str:
    return path.suffix.lower() if path.suffix.lower() in _SUFFIXES else ""


def _weights(path: Path) -> Any:
    if _kind(path) == ".npz":
        return read(path)
    import torch

    with path.open("rb") as file:  # what is not there is said by the door
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged archive or a pickle of other things raises many kinds
            what = (str(error).splitlines() or [type(error).__name__])[0][:100]
            help = "save module.state_dict(), as a whole module is code, which is never run"
            raise Unreadable(
                f"holds no tensors that torch reads with weights_only ({what}): {help}"
            ) from None


def _told(found: FixedPoints) -> Trained:
    slow = found.slow.speeds
    return Trained(
        kind=found.cell.kind,
        units=found.cell.size,
        points=len(found),
        sinks=len(found.sinks),
        saddles=int((found.index > 0).sum()),
        index=found.index,
        radii=found.radii,
        residuals=found.residuals,
        moduli=np.abs(found.eigenvalues[:, :3]),
        time_constants=found.time_constants[:, :3],
        graph=found.graph,
        slow_points=len(slow),
        slowest=float(slow.min()) if len(slow) else float("inf"),
        states=found.states,
    )
