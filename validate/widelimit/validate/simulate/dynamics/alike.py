"""Networks of three architectures that were trained alike: what they compute, and how alike their trajectories are."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.dynamics.trained import SOLVED
from widelimit.validate.simulate.dynamics.training import (
    BLOCKS,
    Networks,
    Training,
    flip_flop,
    outputs,
    trained,
)

if TYPE_CHECKING:
    from torch import Tensor

    from widelimit.validate.harness.backend import Backend

Array = np.ndarray
_NETS, _UNITS, _COMPONENTS = 4, 16, 6
_CORNERS = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
_PULSES = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])


def universal(inputs: Any, size: int, seed: int, backend: Backend) -> Array:
    """Of four networks of each architecture that hold two bits: (share with the commonest graph, how they differ).

    The graph has the states that pulses have set, named by what is read out of them after 40 steps of silence, and an
    edge for each pulse, to where it leads. The second number is the mean squared canonical correlation of the first six
    principal components of two networks of one architecture, less that of two of different ones, on the same inputs.
    """
    import torch

    generator = torch.Generator().manual_seed(seed % 2**31 + 1)
    x, _, _ = flip_flop(generator, 1, 40, 30)
    graphs: list[Any] = []
    paths: list[tuple[str, Array]] = []
    for kind in BLOCKS:
        asked = Training(kind, "flip-flop", _UNITS, steps=400, nets=_NETS, seed=seed % 2**31, length=20)
        nets = trained(asked)
        p = {name: torch.tensor(array) for name, array in nets.weights.items()}
        with torch.no_grad():
            h = outputs(kind, p, x.expand(_NETS, -1, -1, -1)).double().numpy()
            read = _after_pulses(kind, p, nets)
        for net in np.flatnonzero(nets.loss < SOLVED["flip-flop"]):
            graphs.append(tuple(map(tuple, np.sign(read[net]).astype(int).tolist())))
            paths.append((kind, _components(h[net].reshape(-1, _UNITS))))
    if not paths:
        return np.array([0.0, 0.0])
    same = max(graphs.count(one) for one in graphs) / len(graphs)
    return np.array([same, _closer(paths)])


def _after_pulses(kind: str, p: dict[str, Tensor], nets: Networks) -> Array:
    """What is read out 40 steps after each of four pulses that follow 40 steps of silence at each of four corners."""
    import torch

    first = np.repeat(_CORNERS, len(_PULSES), 0)
    second = np.tile(_PULSES, (len(_CORNERS), 1))
    x = torch.zeros(_NETS, len(first), 82, 2)
    x[:, :, 0], x[:, :, 41] = torch.from_numpy(first).float(), torch.from_numpy(second).float()
    h = outputs(kind, p, x)
    out = [
        h[net].numpy()[:, [40, 81]] @ nets.readout(net)[:, :-1].T + nets.readout(net)[:, -1]
        for net in range(_NETS)
    ]
    return np.stack(out).reshape(_NETS, -1, 2)


def _components(h: Array) -> Array:
    """Orthonormal courses of the first principal components."""
    return np.asarray(np.linalg.svd(h, full_matrices=False)[0][:, :_COMPONENTS])


def _closer(paths: list[tuple[str, Array]]) -> float:
    """Mean squared canonical correlation of pairs of one architecture less that of the other pairs."""
    found: dict[bool, list[float]] = {True: [], False: []}
    for (kind, one), (other_kind, other) in combinations(paths, 2):
        cosines = np.linalg.svd(one.T @ other, compute_uv=False)
        found[kind == other_kind].append(float((cosines**2).mean()))
    return float(np.mean(found[True]) - np.mean(found[False])) if all(found.values()) else 0.0
