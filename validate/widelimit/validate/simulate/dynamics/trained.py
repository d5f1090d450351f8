"""What networks that were trained in torch do afterwards: where they come to rest, and what they keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.dynamics.training import (
    Networks,
    Training,
    flip_flop,
    outputs,
    rate_input,
    sentiment,
    trained,
)

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

Array = np.ndarray
NETS = 8  # of a replicate
SOLVED = {"flip-flop": 0.05, "sentiment": 0.004, "sine": 0.05}  # losses fixed before any network was analysed
_UNITS, _STEPS = 16, {"flip-flop": 500, "sentiment": 400, "sine": 500}
_LENGTH = {"flip-flop": 20, "sentiment": 25, "sine": 40}


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
    kept = distinct(ends[:, 1], 1e-2)
    readout = nets.readout(net)
    corners = {tuple(np.sign(readout[:, :-1] @ end + readout[:, -1])) for end in kept}
    return len(kept) == 4 and len(corners) == 4


def distinct(states: Array, near: float) -> list[Array]:
    """Those of several states that are no nearer than `near` to one that was kept before."""
    kept: list[Array] = []
    for state in states:
        if all(np.abs(state - other).max() > near for other in kept):
            kept.append(state)
    return kept


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


def sines(inputs: Any, size: int, seed: int, backend: Backend) -> Array:
    """Of eight networks that draw sines, the share of the solved ones that do it by cycles around an unstable focus.

    At each of two rates a network that has been told it for 200 steps must go on turning at that rate to within a
    tenth, and the fixed point that Newton's method finds from the middle of the turn must have a leading pair of
    eigenvalues that oscillates and grows.
    """
    kind = str(inputs["architecture"])
    nets = trained(asked(kind, "sine", seed))
    solved = np.flatnonzero(nets.loss < SOLVED["sine"])
    right = [all(_turns(kind, nets, int(net), rate) for rate in (0.38, 0.5)) for net in solved]
    return np.array([float(np.mean(right)) if right else 0.0])


def _turns(kind: str, nets: Networks, net: int, rate: float) -> bool:
    import torch

    p = {name: torch.tensor(array[net : net + 1]).double() for name, array in nets.weights.items()}
    told = torch.full((1, 1, 500, 1), rate_input(rate), dtype=torch.float64)
    with torch.no_grad():
        h = outputs(kind, p, told)[0, 0, 200:]
    readout = nets.readout(net)[0]
    out = h.numpy() @ readout[:-1] + readout[-1]
    up = np.flatnonzero((out[:-1] < 0) & (out[1:] >= 0))
    if len(up) < 3 or abs(2 * np.pi * (len(up) - 1) / (up[-1] - up[0]) / rate - 1) > 0.1:
        return False
    state, jacobian = _rest(kind, p, told[:, :, :1], h.mean(0))
    values = torch.linalg.eigvals(jacobian)
    top = values[values.abs().argmax()]
    return state and bool(top.abs() > 1) and bool(top.imag.abs() > 1e-6)


def _rest(kind: str, p: dict[str, Any], told: Any, h: Any) -> tuple[bool, Any]:
    """Whether Newton's method with a line search on the speed comes to rest from h, and the Jacobian where it ends."""
    import torch

    def moved(state: Any) -> Any:
        return outputs(kind, p, told, state)[0, 0, 0] - state

    identity = torch.eye(len(h), dtype=h.dtype)
    for _ in range(40):
        jacobian, speed = torch.autograd.functional.jacobian(moved, h), moved(h)
        way, share = -torch.linalg.solve(jacobian, speed), 1.0
        while share > 1e-3 and moved(h + share * way).norm() > (1 - share / 4) * speed.norm():
            share /= 2
        h = h + share * way
    return bool(moved(h).norm() < 1e-9), jacobian + identity
