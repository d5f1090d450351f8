"""Networks that add up one of two signals, by context: what they keep, and which signal reaches what they keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.simulate.dynamics.training import Networks, Training, context, outputs, trained

if TYPE_CHECKING:
    from torch import Tensor

    from widelimit.validate.harness.backend import Backend

Array = np.ndarray
NETS = 8  # of a replicate
SOLVED = 0.006  # a twentieth of the variance that is asked for, fixed before any network was analysed
_UNITS, _STEPS, _LENGTH = 16, 500, 25
_TRIALS, _SILENT = 40, 10


@by_value
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
        state = torch.zeros(
            _TRIALS, (2 if kind == "lstm" else 1) * p["weight_hh"].shape[-1], dtype=shown.dtype
        )
        with torch.no_grad():
            for now in shown[0].unbind(1):
                state = stepped(kind, p, now, state)
        found.append(_context(state, *linearised(kind, p, shown[0, :, -1], state), [which, 1 - which]))
    return found[0], found[1]


def _context(states: Any, jacobians: Array, into: Array, order: list[int]) -> Context:
    """Medians over states of a step's Jacobians in state and inputs; `order`: the signal asked for, the other one."""
    values, right = np.linalg.eig(jacobians)
    every = np.arange(len(values))
    top = np.abs(values).argmax(1)
    left = np.linalg.inv(right)[every, top]
    memory = 1 / np.abs(np.log(np.abs(values[every, top])))
    overlaps = np.abs(np.einsum("ti,tij->tj", left, into))[:, order]
    kicks = np.linalg.norm(into, axis=1)[:, order]
    return Context(states.numpy(), float(np.median(memory)), np.median(overlaps, 0), np.median(kicks, 0))


def stepped(kind: str, p: dict[str, Tensor], x: Tensor, state: Tensor) -> Tensor:
    """States of one network (states, units) a step later, of an LSTM h and c side by side, with inputs x."""
    import torch

    if kind != "lstm":
        return outputs(kind, p, x[None, :, None], state)[0, :, 0]
    h, c = state.chunk(2, -1)
    from_state, from_inputs = (
        one @ p[f"weight_{end}"][0].T + p[f"bias_{end}"][0] for one, end in ((h, "hh"), (x, "ih"))
    )
    i, f, g, o = (from_state + from_inputs).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.cat([torch.sigmoid(o) * torch.tanh(c), c], -1)


def linearised(kind: str, p: dict[str, Tensor], x: Tensor, state: Tensor) -> tuple[Array, Array]:
    """Jacobians of a step in the state and in the inputs, at states with inputs x, both (states, ...)."""
    import torch

    state, x = state.clone().requires_grad_(), x.clone().requires_grad_()
    after = stepped(kind, p, x, state)
    rows = [
        torch.autograd.grad(after[:, i].sum(), (state, x), retain_graph=True) for i in range(state.shape[1])
    ]
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
