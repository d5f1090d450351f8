"""`Cell`: a recurrent cell as arrays, with its step, Jacobians and resting map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.cells import loops, units
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
KINDS = ("rnn", "gru", "gru-paper", "lstm")  # in the order of the codes of `loops`
MOST = 1e30  # of a weight or an input: products of more are no floats


@by_value
@dataclass(frozen=True)
class Cell:
    """A recurrent cell at a constant input, made by `read`.

    `kind`: "rnn" (tanh), "gru" (torch's form), "gru-paper" (reset before the product) or "lstm". `weights`: recurrent
    blocks on top of each other, (blocks d, d). `input_weights`: (blocks d, m). `biases`: input side, hidden side.
    `inputs`: the constant input. States are h, of `size` numbers, or (h, c) of an LSTM: `state_size` of them.

    `code`, `weights` and `offsets` are what the numba functions of `loops` take.
    """

    kind: str
    weights: Array
    input_weights: Array
    biases: Array
    inputs: Array

    @property
    def size(self) -> int:
        """Units d."""
        return int(self.weights.shape[1])

    @property
    def state_size(self) -> int:
        """Numbers in a state: d, or 2 d for an LSTM."""
        return self.size * (2 if self.kind == "lstm" else 1)

    @property
    def code(self) -> int:
        """The number of the kind in `loops`."""
        return KINDS.index(self.kind)

    @property
    def offsets(self) -> Array:
        """Drives without the recurrent part: W_in x + b_in, and the hidden bias."""
        with np.errstate(all="ignore"):
            return np.stack([self.input_weights @ self.inputs + self.biases[0], self.biases[1]])

    def at(self, inputs: Any) -> Cell:
        """Return the same cell at another constant input."""
        return replace(self, inputs=constant(inputs, self.input_weights.shape[1]))

    def step(self, states: Any, count: int = 1) -> Array:
        """Return the states after `count` steps from each row of `states`, or from one state."""
        rows = self.states("states", states)
        out = np.empty_like(rows)
        loops.steps(
            self.code, self.weights, self.offsets, rows, arguments.count("count", count, least=0), out
        )
        return out if np.ndim(states) == 2 else out[0]

    def jacobian(self, state: Any) -> Array:
        """Return the derivative of the next state by the state, (state_size, state_size)."""
        here = self.states("state", state)[0]
        out, jacobian = np.empty_like(here), np.empty((here.size, here.size))
        loops.step(self.code, self.weights, self.offsets, here, out, jacobian)
        return jacobian

    def input_jacobian(self, state: Any) -> Array:
        """Return the derivative of the next state by the input, (state_size, m)."""
        here, d = self.states("state", state)[0], self.size
        first, second = self.offsets
        blocks = self.input_weights.reshape(len(self.weights) // d, d, self.input_weights.shape[1])
        if self.kind == "rnn":
            return np.asarray(units.VANILLA(self.weights @ here + first + second)[1])[:, None] * blocks[0]
        drives = np.split(self.weights @ here[:d] + second, len(blocks))
        ins = np.split(first, len(blocks))
        if self.kind == "lstm":
            found = units.LSTM(*(a + b for a, b in zip(drives, ins, strict=True)), here[d:])
            parts = [
                sum(np.asarray(found[start + k])[:, None] * blocks[k] for k in range(4)) for start in (7, 2)
            ]
            return np.concatenate(parts)
        if self.kind == "gru":
            n, by_r, by_n, _ = units.CANDIDATE(drives[0] + ins[0], ins[2], drives[2])
            moved = by_r[:, None] * blocks[0] + by_n[:, None] * blocks[2]
        else:
            scaled, by_r, _ = units.RESET(drives[0] + ins[0], here)
            last = self.weights[2 * d :]
            n, by_n = units.VANILLA(last @ scaled + ins[2] + second[2 * d :])
            moved = by_n[:, None] * (blocks[2] + last @ (by_r[:, None] * blocks[0]))
        _, by_z, share, _ = units.NEXT(drives[1] + ins[1], n, here)
        return np.asarray(share[:, None] * moved + by_z[:, None] * blocks[1])

    def rest(self, h: Any) -> tuple[Array, Array, Array]:
        """Return T(h), dT/dh and the speed 1 - z (1 - f): see `loops.rest`. Fixed points are T(h) = h."""
        here = np.ascontiguousarray(arguments.vector("h", h))
        if here.size != self.size:
            raise ArgumentError("h", f"must have {self.size} numbers", but=f"has {here.size}")
        value, slope, speed = np.empty(self.size), np.empty((self.size, self.size)), np.empty(self.size)
        loops.rest(self.code, self.weights, self.offsets, here, value, slope, speed)
        return value, slope, speed

    def full(self, h: Array) -> Array:
        """Return the whole state of which h is the output at rest: h itself, or (h, c) of an LSTM, row by row."""
        if self.kind != "lstm":
            return h
        rows = np.atleast_2d(h)
        out = np.empty((len(rows), 2 * self.size))
        out[:, : self.size] = rows
        for row in out:
            loops.memory(self.weights, self.offsets, row[: self.size].copy(), row[self.size :])
        return out.reshape(*np.shape(h)[:-1], 2 * self.size)

    def states(self, name: str, value: Any) -> Array:
        """Return checked states as rows: (k, state_size), a single state as one row."""
        array = arguments.real(name, value)
        if array.ndim not in (1, 2) or array.shape[-1] != self.state_size or not array.size:
            what = f"{self.state_size} numbers" + (", h and then c" if self.kind == "lstm" else "")
            raise ArgumentError(name, f"must hold states of {what}", but=f"has shape {array.shape}")
        return np.ascontiguousarray(np.atleast_2d(array))


def constant(inputs: Any, size: int) -> Array:
    """Return a checked constant input of `size` numbers, zeros for None."""
    if inputs is None:
        return np.zeros(size)
    array = arguments.real("inputs", inputs)
    if array.ndim == 0 and size == 1:
        array = array.reshape(1)
    if array.shape != (size,):
        help = "It is one input vector, held constant."
        raise ArgumentError(
            "inputs",
            f"must have {size} numbers, as the cell has inputs",
            but=f"has shape {array.shape}",
            help=help,
        )
    if np.abs(array).max(initial=0.0) > MOST:
        raise ArgumentError("inputs", f"must not exceed {MOST:g}", float(np.abs(array).max()))
    return array
