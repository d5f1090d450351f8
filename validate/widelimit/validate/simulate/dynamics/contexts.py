"""Networks that add up one of two signals, by context: what they keep, and which signal reaches what they keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.dynamics.training import Networks, Training, context, outputs, trained

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

Array = np.ndarray
NETS = 8  # of a replicate
SOLVED = 0.006  # a twentieth of the variance that is asked for, fixed before any network was analysed
_UNITS, _STEPS, _LENGTH = 16, 500, 25
_TRIALS, _SILENT = 40, 10


@dataclass(frozen=True)
class Context:
    """Steps at states that trials of one context lead to: the states, and medians over them.

    `memory` of the slowest mode in steps, which may fade or grow; `overlaps` of its left vector with what the signal
    that is asked for does in a step, and with what the other does; `kicks`, the sizes of both.
    """

    states: Array
    memory: float
    overlaps: Array
    kicks: Array

    @property
    def selects(self) -> bool:
        """Whether the left vector overlaps three times as much with the signal that is asked for."""
        return bool(self.overlaps[0] > 3 * self.overlaps[1])

    @property
    def moved(self) -> bool:
        """Whether the other signal moves the state, at least a third as far."""
        return bool(self.kicks[1] > self.kicks[0] / 3)


def integrators(inputs: Any, size: int, seed: int, backend: Backend) -> Array:
    """Of eight networks that add up one signal, shares of the solved ones: that select, are moved by both, have lines.

    That holds in both contexts. Lines: in each context the slowest mode lasts longer than a trial, and states of one
    context are further from those of the other than three times what parts neighbours among them. Vanilla networks,
    which forget within a trial, are not asked for lines.
    """
    kind = str(inputs["architecture"])
    nets = trained(Training(kind, "context", _UNITS, _STEPS, NETS, seed % 2**31, _LENGTH))
    found = [contexts(kind, nets, int(net), seed) for net in np.flatnonzero(nets.loss < SOLVED)]
    rows = [
        [all(one.selects for one in both) for both in found],
        [all(one.moved for one in both) for both in found],
        [
            all(one.memory > _LENGTH for one in both) and apart(*(one.states for one in both))
            for both in found
        ],
    ]
    return np.array([float(np.mean(row)) if row else 0.0 for row in rows[: 2 if kind == "rnn" else 3]])


def contexts(kind: str, nets: Networks, net: int, seed: int) -> tuple[Context, Context]:
    """One network in both contexts, at states ten steps of silence after trials."""
    import torch

    p = {name: torch.tensor(array[net : net + 1]).double() for name, array in nets.weights.items()}
    generator = torch.Generator().manual_seed(seed % 2**31 + 1)
    found = []
    for which in range(2):
        x, _, _ = context(generator, 1, _TRIALS, _LENGTH)
        x[..., 2:] = torch.eye(2)[which]
        silence = x[:, :, :_SILENT] * torch.tensor([0.0, 0.0, 1.0, 1.0])
        shown = torch.cat([x, silence], 2).double()
        with torch.no_grad():
            h = outputs(kind, p, shown)[0, :, -1]
        found.append(_context(h, *linearised(kind, p, shown[0, :, -1], h), [which, 1 - which]))
    return found[0], found[1]


def _context(h: Any, jacobians: Array, into: Array, order: list[int]) -> Context:
    """Medians over states of a step's Jacobians in state and inputs; `order`: the signal asked for, the other one."""
    values, right = np.linalg.eig(jacobians)
    every = np.arange(len(values))
    top = np.abs(values).argmax(1)
    left = np.linalg.inv(right)[every, top]
    memory = 1 / np.abs(np.log(np.abs(values[every, top])))
    overlaps = np.abs(np.einsum("ti,tij->tj", left, into))[:, order]
    kicks = np.linalg.norm(into, axis=1)[:, order]
    return Context(h.numpy(), float(np.median(memory)), np.median(overlaps, 0), np.median(kicks, 0))


def linearised(kind: str, p: Any, x: Any, h: Any) -> tuple[Array, Array]:
    """Jacobians of a step in the state and in the inputs, at states h with inputs x; no LSTM, whose state has c too."""
    import torch

    h, x = h.clone().requires_grad_(), x.clone().requires_grad_()
    after = outputs(kind, p, x[None, :, None], h)[0, :, 0]
    rows = [torch.autograd.grad(after[:, i].sum(), (h, x), retain_graph=True) for i in range(h.shape[1])]
    of_state, of_inputs = (torch.stack([row[k] for row in rows], 1).numpy() for k in range(2))
    return of_state, of_inputs


def apart(one: Array, other: Array) -> bool:
    """Whether the median state of one set is further from another set than three times from its neighbour in its own.

    >>> line = np.stack([np.arange(5.0), np.zeros(5)], 1)
    >>> apart(line, line + [0.0, 4.0]), apart(line, line + [0.0, 2.0])
    (True, False)
    """
    from scipy.spatial.distance import cdist

    within = np.sort(cdist(one, one), 1)[:, 1]
    return bool(np.median(cdist(one, other).min(1)) > 3 * np.median(within))
