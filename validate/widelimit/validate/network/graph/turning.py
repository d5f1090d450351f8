"""Rotary positions: units of a head that are turned in planes, by angles that belong to a token.

However it is written (halves, neighbours, complex numbers), the part of the program between Gaussian units and those
that attention reads is run on unit vectors, and is a rotation if what comes out says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from widelimit.numerics.results import by_value
from widelimit.validate.network.graph.programs import Step, filled, refs
from widelimit.validate.network.graph.states import Axes, State, laid_out
from widelimit.validate.network.graph.walking import Walk

_STEPS = 64  # operations that a rotation is looked for in
_EXACT = 1e-4


@by_value
@dataclass(frozen=True)
class Turned:
    """`root`: key of the Gaussian tensor; `state`: what it is; `angles` (tokens, planes); `planes`: the unit that each
    unit is turned with; `inside`: keys from the root on.
    """

    root: str
    state: State
    angles: np.ndarray
    planes: tuple[int, ...]
    inside: frozenset[str]


def turned(walk: Walk, name: str, at: np.ndarray, head: int, inputs: int) -> Turned | None:
    """The rotation that a tensor comes from, None if it comes from none.

    `at`: the positions of the tensor that stand for those of the root; `head`: units of a head; `inputs` of the batch.
    """
    found = _root(walk, name)
    if found is None:
        return None
    root, steps = found
    before, after = walk.known[root], walk.known[name]
    positions, width = before.positions, before.width
    if len(at) != positions or width % head or positions % inputs:
        return None
    heads = width // head

    def run(values: np.ndarray) -> np.ndarray:
        out = _run(walk, steps, root, _placed(values.reshape(positions, width), before.axes), name)
        return laid_out(out.detach().numpy(), after.axes)[at].reshape(positions, -1, head)

    try:
        matrices = _matrices(run, positions, heads, head)
        trial = np.random.default_rng(0).standard_normal((positions, heads, head))
        given = run(trial)
    except Exception:  # whatever torch says of numbers that the module never meets
        return None
    if given.shape != trial.shape or not np.allclose(
        given, np.einsum("puv,phv->phu", matrices, trial), atol=_EXACT
    ):
        return None
    laid = matrices.reshape(inputs, -1, head, head)
    if not np.allclose(laid, laid[:1], atol=_EXACT) or (partner := _partners(laid[0])) is None:
        return None
    angles = _angles(laid[0], partner)
    inside = frozenset(one.key for one in steps)
    return None if angles is None else Turned(root, before, angles, tuple(partner.tolist()), inside)


def _root(walk: Walk, name: str) -> tuple[str, list[Step]] | None:
    """The last Gaussian tensor that all of a tensor is made of, and the operations from it on, in order."""
    order = {step.key: place for place, step in enumerate(walk.program.steps)}
    open_, passed = {name}, []
    while len(passed) < _STEPS:
        last = max(open_, key=lambda key: order.get(key, -1))
        if len(open_) == 1 and passed and walk.known[last].gaussian:
            return last, sorted(passed, key=lambda step: order[step.key])
        if last not in order:
            return None
        step = walk.program.steps[order[last]]
        passed.append(step)
        open_ = (open_ - {last}) | {
            one for one in refs((step.args, step.kwargs)) if not isinstance(walk.known[one], torch.Tensor)
        }
        if not open_ or not all(_followed(walk.known[one]) for one in open_):
            return None
    return None


def _followed(value: Any) -> bool:
    return isinstance(value, State) or (
        isinstance(value, tuple) and all(isinstance(one, State) for one in value)
    )


def _run(walk: Walk, steps: list[Step], root: str, value: torch.Tensor, name: str) -> torch.Tensor:
    env = {**walk.known, root: value}
    with torch.no_grad():
        for step in steps:
            env[step.key] = step.call(*filled(step.args, env), **filled(step.kwargs, env))
    return env[name]  # type: ignore[no-any-return]


def _placed(rows: np.ndarray, axes: Axes) -> torch.Tensor:
    """Numbers (positions, units) as a tensor with these axes: the way back from `laid_out`."""
    atoms = [atom for axis in axes for atom in axis]
    order = [i for kind in "pu" for i, atom in enumerate(atoms) if atom.kind == kind]
    laid = rows.reshape([atoms[i].size for i in order]).transpose(np.argsort(order))
    shape = [math.prod(atom.size for atom in axis) for axis in axes]
    return torch.from_numpy(np.ascontiguousarray(laid.reshape(shape), dtype=np.float32))


def _matrices(run: Any, positions: int, heads: int, head: int) -> np.ndarray:
    """What a token's units become, (positions, out, in): every head is given another unit vector."""
    out = np.zeros((positions, head, head))
    for start in range(0, head, heads):
        units = (start + np.arange(heads)) % head
        given = np.zeros((positions, heads, head))
        given[:, np.arange(heads), units] = 1.0
        out[:, :, units] = run(given)[:, :heads].swapaxes(1, 2)
    return out


def _partners(matrices: np.ndarray) -> np.ndarray | None:
    """Which unit every unit is turned with, those that are left alone two by two; None for other matrices."""
    head = matrices.shape[-1]
    beside = np.abs(matrices).max(axis=0) * (1 - np.eye(head))
    partner = np.where(beside.max(axis=1) > _EXACT, beside.argmax(axis=1), -1)
    still = np.flatnonzero(partner < 0)
    if len(still) % 2:
        return None
    partner[still[::2]], partner[still[1::2]] = still[1::2], still[::2]
    return None if (partner[partner] != np.arange(head)).any() else partner


def _angles(matrices: np.ndarray, partner: np.ndarray) -> np.ndarray | None:
    """Angles (tokens, planes) of rotations in planes of two units each; None for other matrices."""
    head = matrices.shape[-1]
    one = np.array([u for u in range(head) if u < partner[u]])
    two = partner[one]
    cosines, sines = matrices[:, one, one], matrices[:, two, one]
    built = np.zeros_like(matrices)
    built[:, one, one] = built[:, two, two] = cosines
    built[:, two, one], built[:, one, two] = sines, -sines
    if not np.allclose(built, matrices, atol=_EXACT) or not np.allclose(
        cosines**2 + sines**2, 1, atol=_EXACT
    ):
        return None
    return np.asarray(np.arctan2(sines, cosines))
