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
from widelimit.validate.network.graph.states import Axes, State
from widelimit.validate.network.graph.walking import Unknown, Walk

_STEPS = 64  # operations that a rotation is looked for in
_EXACT = 1e-4


@by_value
@dataclass(frozen=True)
class Turned:
    """`root`: key of the Gaussian tensor; `state`: what it is; `angles` (tokens, planes); `planes`: the unit that each
    unit is turned with; `inside`: keys from the root on; `sizes`: batch, heads, units of a head; `shares`: how many
    heads one head of the root serves; `square` of a number that the units are multiplied by as well.
    """

    root: str
    state: State
    angles: np.ndarray
    planes: tuple[int, ...]
    inside: frozenset[str]
    sizes: tuple[int, int, int]
    shares: int
    square: float


def turned(walk: Walk, name: str, across: bool) -> Turned | None:
    """The rotation that a tensor (batch, heads, tokens, units) comes from, None if it comes from none.

    `across`: its last two axes are exchanged.
    """
    found = _root(walk, name)
    if found is None:
        return None
    root, steps = found
    before = walk.known[root]
    try:
        run = _Run(walk, steps, root, name, across)
        batch, shown, tokens, head = run.shape
        heads, rest = divmod(before.width, head)
        if rest or shown % heads or before.positions != batch * tokens:
            return None
        matrices = _matrices(run, heads, head)
        trial = np.random.default_rng(0).standard_normal((batch, tokens, heads, head))
        expected = np.einsum("tuv,bthv->bthu", matrices, trial)
        given, shares = run(trial), shown // heads
    except Exception:  # whatever torch says of numbers that the module never meets
        return None
    copied = np.repeat(expected, shares, axis=2), np.tile(expected, (1, 1, shares, 1))
    if not any(np.allclose(given, one, atol=_EXACT) for one in copied):
        return None
    square = float(np.sum(matrices**2)) / (tokens * head)
    matrices = matrices / math.sqrt(square or 1.0)
    partner = _partners(matrices)
    angles = None if partner is None else _angles(matrices, partner)
    if partner is None or angles is None:
        return None
    inside = frozenset(one.key for one in steps)
    return Turned(root, before, angles, tuple(partner.tolist()), inside, (batch, shown, head), shares, square)


class _Run:
    """The operations from a root on, of numbers (batch, tokens, heads, units) in it, and the same behind them."""

    def __init__(self, walk: Walk, steps: list[Step], root: str, name: str, across: bool) -> None:
        self._env, self._steps, self._root, self._name, self._across = walk.known, steps, root, name, across
        self._axes = walk.known[root].axes
        batch, heads, one, two = steps[-1].shape or ()
        self.shape = (batch, heads, two, one) if across else (batch, heads, one, two)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        rows = values.reshape(values.shape[0] * values.shape[1], -1)
        env = {**self._env, self._root: _placed(rows, self._axes)}
        with torch.no_grad():
            for step in self._steps:
                env[step.key] = step.call(*filled(step.args, env), **filled(step.kwargs, env))
        out = env[self._name].numpy()
        out = out.swapaxes(-1, -2) if self._across else out
        return np.asarray(out.transpose(0, 2, 1, 3), dtype=float)


def _root(walk: Walk, name: str) -> tuple[str, list[Step]] | None:
    """The last Gaussian tensor that all of a tensor is made of, and the operations from it on, in order."""
    order = {step.key: place for place, step in enumerate(walk.program.steps)}
    open_: set[str] = {name}
    passed: list[Step] = []
    while len(passed) < _STEPS:
        last = max(open_, key=lambda key: order.get(key, -1))
        value = walk.known[last]
        if len(open_) == 1 and passed and isinstance(value, State) and value.gaussian:
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
    return isinstance(value, State | Unknown) or (isinstance(value, tuple) and all(map(_followed, value)))


def _placed(rows: np.ndarray, axes: Axes) -> torch.Tensor:
    """Numbers (positions, units) as a tensor with these axes: the way back from `laid_out`."""
    atoms = [atom for axis in axes for atom in axis]
    order = [i for kind in "pu" for i, atom in enumerate(atoms) if atom.kind == kind]
    laid = rows.reshape([atoms[i].size for i in order]).transpose(np.argsort(order))
    shape = [math.prod(atom.size for atom in axis) for axis in axes]
    return torch.from_numpy(np.ascontiguousarray(laid.reshape(shape), dtype=np.float32))


def _matrices(run: _Run, heads: int, head: int) -> np.ndarray:
    """What a token's units become, (tokens, out, in): every head is given another unit vector."""
    batch, shown, tokens, _ = run.shape
    out = np.zeros((tokens, head, head))
    for start in range(0, head, heads):
        units = (start + np.arange(heads)) % head
        given = np.zeros((batch, tokens, heads, head))
        given[:, :, np.arange(heads), units] = 1.0
        shares = shown // heads
        behind = run(given)[0]
        same = np.allclose(behind[:, :shares], behind[:, :1])
        out[:, :, units] = (behind[:, ::shares] if same else behind[:, :heads]).swapaxes(1, 2)
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
