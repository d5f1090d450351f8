"""Rules of views: positions and units are numbered anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from widelimit.validate.network.graph.programs import Step
from widelimit.validate.network.graph.states import (
    Atom,
    Axes,
    Measured,
    State,
    chosen,
    grid,
    permuted,
    reshaped,
    spread,
    taken,
)
from widelimit.validate.network.graph.walking import Done, Pull, Walk, key, rule, unchanged


def state_of(value: Any, what: str = "this operation") -> State:
    """The value, if it is a state."""
    if not isinstance(value, State):
        raise Measured(f"{what} of something else than units")
    return value


@rule(
    "contiguous",
    "clone",
    "detach",
    "alias",
    "to",
    "_to_copy",
    "type_as",
    "float",
    "lift_fresh_copy",
    "detach_",
    "dropout_",
)
def _same(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    back: tuple[tuple[str, Pull], ...] = () if step.op.startswith("detach") else ((key(step, 0), unchanged),)
    return Done(args[0], back, "the same numbers")


@rule(
    "view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "_unsafe_view", "view_as", "reshape_as"
)
def _view(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state = state_of(args[0], step.op)
    axes = reshaped(state.axes, step.shape or ())
    function = state.function
    return Done(replace(state, axes=axes, function=function), ((key(step, 0), unchanged),), "numbered anew")


@rule("permute", "transpose", "t", "movedim", "swapaxes", "mT", "adjoint")
def _permute(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state = state_of(args[0], step.op)
    order = np.arange(len(state.axes))
    if step.op == "permute":
        order = order[list(args[1])]
    elif step.op == "movedim":
        order = np.moveaxis(order.reshape([1] * 0 + [len(order)]), 0, 0)
        source = np.atleast_1d(args[1]) % len(order)
        destination = np.atleast_1d(args[2]) % len(order)
        rest = [one for one in range(len(order)) if one not in source]
        for where, what in sorted(zip(destination, source, strict=True)):
            rest.insert(where, what)
        order = np.array(rest)
    else:
        a, b = (args[1], args[2]) if len(args) > 2 else (-2, -1) if len(order) > 1 else (0, 0)
        order[[a, b]] = order[[b, a]]
    at = _positions(state, list(order))
    back = np.argsort(at)
    return Done(
        permuted(state, list(order)), ((key(step, 0), lambda g: g[np.ix_(back, back)]),), "numbered anew"
    )


def _positions(state: State, order: list[int]) -> np.ndarray:
    starts = np.cumsum([0, *(len(axis) for axis in state.axes)])
    atoms = [place for one in order for place in range(starts[one], starts[one + 1])]
    return grid(state.axes, "p").transpose(atoms).ravel()


def along(step: Step, state: State, axis: int, index: np.ndarray, drop: bool = False) -> Done:
    """Take places along an axis, which holds units alone or positions alone."""
    axis %= len(state.axes)
    inside = {atom.kind for atom in state.axes[axis] if atom.size > 1}
    if len(inside) > 1:
        raise Measured("an axis of units and positions, of which a part is taken")
    kind = inside.pop() if inside else "p"
    new = () if drop else (Atom(kind, len(index)),)
    axes = (*state.axes[:axis], *([] if drop else [new]), *state.axes[axis + 1 :])
    sizes = [int(np.prod([a.size for a in one if a.kind == kind], initial=1)) for one in state.axes]
    held = np.take(np.arange(int(np.prod(sizes))).reshape(sizes), index, axis=axis).ravel()
    name, count = key(step, 0), state.positions
    if kind == "u":
        share = len(held) / state.width
        return Done(chosen(state, axes, held), ((name, lambda g: share * g),), "some of the units")
    return Done(taken(state, axes, held), ((name, scattered(held, count)),), "some of the positions")


def scattered(index: np.ndarray, count: int) -> Pull:
    """Gradients of positions that were taken, at the positions they were taken from."""
    live = index >= 0

    def pull(g: np.ndarray) -> np.ndarray:
        matrix = np.zeros((len(index), count))
        matrix[np.flatnonzero(live), index[live]] = 1.0
        return matrix.T @ g @ matrix

    def unique(g: np.ndarray) -> np.ndarray:
        out = np.zeros((count, count))
        out[np.ix_(index[live], index[live])] = g[np.ix_(live, live)]
        return out

    return unique if len(np.unique(index[live])) == live.sum() else pull


@rule("select")
def _select(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state = state_of(args[0], step.op)
    size = state.shape[args[1]]
    return along(step, state, args[1], np.array([args[2] % size]), drop=True)


@rule("slice")
def _slice(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state = state_of(args[0], step.op)
    given: list[Any] = [*args[1:], *(0, None, None, 1)[len(args) - 1 :]]
    dim, start, end, jump = given
    index = np.arange(state.shape[dim])[slice(start, end, jump)]
    if len(index) == state.shape[dim]:
        return Done(state, ((key(step, 0), unchanged),), "all of it")
    return along(step, state, dim, index)


@rule("split", "split_with_sizes", "chunk", "unbind", "tensor_split")
def _split(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state = state_of(args[0], step.op)
    dim = kwargs.get("dim", args[-1] if len(args) > (1 if step.op == "unbind" else 2) else 0)
    size = state.shape[dim]
    if step.op == "unbind":
        parts = [np.array([i]) for i in range(size)]
    elif step.op == "chunk":
        step_size = -(-size // args[1])
        parts = [np.arange(i, min(size, i + step_size)) for i in range(0, size, step_size)]
    elif isinstance(args[1], tuple):
        ends = np.cumsum(args[1])
        parts = [np.arange(end - n, end) for end, n in zip(ends, args[1], strict=True)]
    elif step.op == "split":
        parts = [np.arange(i, min(size, i + args[1])) for i in range(0, size, args[1])]
    else:
        raise Measured("tensor_split")
    done = [along(step, state, dim, part, drop=step.op == "unbind") for part in parts]
    return Done(Parts(tuple(done), key(step, 0)), (), "parts")


class Parts(tuple):
    """Parts of a tensor, with the way back of each."""

    origin: str
    done: tuple[Done, ...]

    def __new__(cls, done: tuple[Done, ...], origin: str) -> Parts:
        """Parts by what their rules gave, and the key of the whole."""
        self = super().__new__(cls, [one.value for one in done])
        self.done, self.origin = done, origin
        return self


@rule("getitem")
def _getitem(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    held = walk.known[key(step, 0)]
    if not isinstance(held, Parts):
        raise Measured("a part of what is measured")
    return held.done[args[1]]


@rule("expand", "expand_as", "broadcast_to")
def _expand(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    return repeated(step, state_of(args[0], step.op), step.shape or ())


def repeated(step: Step, state: State, shape: tuple[int, ...]) -> Done:
    """A state repeated along axes, and the way back."""
    new = spread(state, shape)
    places = spread(replace(state, gram=np.diag(np.arange(state.positions) + 0.0), draw=None), shape).gram
    index = np.rint(np.diagonal(places)).astype(int)
    return Done(new, ((key(step, 0), scattered(index, state.positions)),), "repeated")


@rule("repeat_interleave")
def _interleave(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state = state_of(args[0], step.op)
    times, dim = args[1], (args[2] if len(args) > 2 else kwargs.get("dim"))
    if not isinstance(times, int) or dim is None:
        raise Measured("repeated by numbers that are no constant")
    dim %= len(state.axes)
    axes: Axes = (*state.axes[:dim], (*state.axes[dim], Atom("p", 1)), *state.axes[dim + 1 :])
    sizes = [atom.size if atom.kind == "p" else 1 for axis in axes for atom in axis]
    place = sum(len(axis) for axis in axes[: dim + 1]) - 1
    held = np.repeat(np.arange(state.positions).reshape(sizes), times, axis=place).ravel()
    axes = (*axes[:dim], (*axes[dim][:-1], Atom("p", times)), *axes[dim + 1 :])
    return Done(taken(state, axes, held), ((key(step, 0), scattered(held, state.positions)),), "repeated")


@rule("roll", "flip")
def _roll(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state = state_of(args[0], step.op)
    dims = args[2] if step.op == "roll" and len(args) > 2 else args[1]
    if (step.op == "roll" and len(args) < 3) or any(a.kind == "u" for d in dims for a in state.axes[d]):
        raise Measured("units that change places")
    sizes = [int(np.prod([a.size for a in one if a.kind == "p"], initial=1)) for one in state.axes]
    held = np.arange(state.positions).reshape(sizes)
    held = np.roll(held, args[1], axis=dims) if step.op == "roll" else np.flip(held, axis=dims)
    index = held.ravel()
    return Done(
        taken(state, state.axes, index), ((key(step, 0), scattered(index, state.positions)),), "numbered anew"
    )
