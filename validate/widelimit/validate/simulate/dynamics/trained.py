"""What networks that were trained in torch do afterwards: where they come to rest, and what they keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.dynamics.training import (
    Networks,
    Training,
    flip_flop,
    outputs,
    sentiment,
    trained,
)

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

Array = np.ndarray
NETS = 8  # of a replicate
SOLVED = {"flip-flop": 0.05, "sentiment": 0.004}  # losses fixed before any network was analysed
_UNITS, _STEPS = 16, {"flip-flop": 500, "sentiment": 400}
_LENGTH = {"flip-flop": 20, "sentiment": 25}


def asked(kind: str, task: str, seed: int) -> Training:
    """The training of a replicate."""
    return Training(
        kind, task, units=_UNITS, steps=_STEPS[task], nets=NETS, seed=seed % 2**31, length=_LENGTH[task]
    )


def flip_flops(inputs: Any, size: int, seed: int, backend: Backend) -> Array:
    """Of eight networks that hold two bits, the share of the solved ones that rest at four states, one a corner.

    States that inputs lead to are left alone for 600 steps; where they end is counted.
    """
    nets = trained(asked(str(inputs["architecture"]), "flip-flop", seed))
    solved = np.flatnonzero(nets.loss < SOLVED["flip-flop"])
    right = [_rests_at_corners(str(inputs["architecture"]), nets, int(net), seed) for net in solved]
    return np.array([float(np.mean(right)) if right else 0.0])


def _rests_at_corners(kind: str, nets: Networks, net: int, seed: int) -> bool:
    import torch

    generator = torch.Generator().manual_seed(seed % 2**31 + 1)
    x, _, _ = flip_flop(generator, 1, 100, 25)
    still = torch.cat([x, torch.zeros(1, 100, 600, 2)], 2)
    p = {name: torch.tensor(array[net : net + 1]) for name, array in nets.weights.items()}
    with torch.no_grad():
        ends = outputs(kind, p, still)[0, :, -2:].double().numpy()
    if np.abs(ends[:, 1] - ends[:, 0]).max() > 1e-4:
        return False  # not at rest
    kept: list[Array] = []
    for end in ends[:, 1]:
        if all(np.abs(end - other).max() > 1e-2 for other in kept):
            kept.append(end)
    readout = nets.readout(net)
    corners = {tuple(np.sign(readout[:, :-1] @ end + readout[:, -1])) for end in kept}
    return len(kept) == 4 and len(corners) == 4


def lines(inputs: Any, size: int, seed: int, backend: Backend) -> Array:
    """Of eight networks that add up words, the share of the solved ones with one slow direction along what they keep.

    Between sums that inputs lead to, the state that is left alone must forget along one direction only: the spread of
    states of one sum, after five steps at rest, is below a fifth of the distance between neighbouring sums; and what is
    read out after 25 more steps must be within half a word of the sum.
    """
    nets = trained(asked(str(inputs["architecture"]), "sentiment", seed))
    solved = np.flatnonzero(nets.loss < SOLVED["sentiment"])
    right = [_keeps_sums(str(inputs["architecture"]), nets, int(net), seed) for net in solved]
    return np.array([float(np.mean(right)) if right else 0.0])


def _keeps_sums(kind: str, nets: Networks, net: int, seed: int) -> bool:
    import torch

    generator = torch.Generator().manual_seed(seed % 2**31 + 1)
    x, aim, _ = sentiment(generator, 1, 300, 15)
    still = torch.cat([x, torch.zeros(1, 300, 25, 2)], 2)
    p = {name: torch.tensor(array[net : net + 1]) for name, array in nets.weights.items()}
    with torch.no_grad():
        h = outputs(kind, p, still)[0].double().numpy()
    sums = np.round(10 * aim[0, :, -1, 0].numpy()).astype(int)
    common = [s for s in range(-3, 4) if (sums == s).sum() >= 5]
    centres = np.array([h[sums == s, 20].mean(0) for s in common])
    across = [
        np.linalg.norm(h[sums == s, 20] - c, axis=1).mean() for s, c in zip(common, centres, strict=True)
    ]
    along = np.linalg.norm(np.diff(centres, axis=0), axis=1).mean()
    readout = nets.readout(net)
    late = (h[:, -1] @ readout[0, :-1] + readout[0, -1])[np.abs(sums) <= 3]
    kept = np.abs(10 * late - sums[np.abs(sums) <= 3]).mean()
    return bool(np.mean(across) < 0.2 * along * len(common) and kept < 0.5)
