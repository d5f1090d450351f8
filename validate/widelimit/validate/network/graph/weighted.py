"""Rules of layers with weights: a dense layer, convolutions of any geometry, embeddings."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from widelimit.validate.network.graph.programs import Ref, Step
from widelimit.validate.network.graph.states import (
    Atom,
    Axes,
    Measured,
    Samples,
    State,
    laid_out,
    mixed,
    room,
    source,
)
from widelimit.validate.network.graph.tensors import mean_square
from widelimit.validate.network.graph.walking import Done, Parameter, Walk, key, rule


def bias_of(value: Any) -> float:
    """Mean square of biases."""
    if value is None:
        return 0.0
    if isinstance(value, torch.Tensor):
        return mean_square(value)
    if isinstance(value, Parameter):
        return value.square
    raise Measured("biases that are computed")


@rule("linear")
def _linear(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    weight = args[1]
    shape = weight.shape
    bias = bias_of(args[2] if len(args) > 2 else kwargs.get("bias"))
    return dense(walk, step, args[0], weight, (shape[0], shape[1]), bias)


@rule("matmul", "mm", "bmm")
def _matmul(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    one, two = args[0], args[1]
    if isinstance(two, Parameter) and len(two.shape) == 2:
        return dense(walk, step, one, two, (two.shape[1], two.shape[0]), 0.0)
    if isinstance(one, torch.Tensor) and isinstance(two, State):
        return _between_positions(step, one, two)
    from widelimit.validate.network.graph.attention import product

    return product(walk, step, one, two)


def _between_positions(step: Step, matrix: torch.Tensor, state: State) -> Done:
    """A matrix of fixed numbers that adds up positions, as that of a graph does."""
    inside = [{a.kind for a in axis if a.size > 1} for axis in state.axes]
    if len(inside) < 2 or "p" in inside[-1] or any("u" in one for one in inside[:-1]) or matrix.ndim < 2:
        raise Measured("a product with fixed numbers that mixes units")
    lead = state.shape[:-2]
    if np.broadcast_shapes(lead, tuple(matrix.shape[:-2])) != lead:
        raise Measured("a product with fixed numbers that repeats positions")
    blocks = matrix.double().expand(*lead, *matrix.shape[-2:]).reshape(-1, *matrix.shape[-2:])
    full = torch.block_diag(*blocks).numpy()
    axes = (*state.axes[:-2], (Atom("p", matrix.shape[-2]),), state.axes[-1])
    return Done(
        mixed(state, axes, full),
        ((key(step, 1), lambda g: full.T @ g @ full),),
        "weighted sums over positions",
    )


@rule("einsum")
def _einsum(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    text, operands = args[0].replace(" ", ""), args[1]
    inputs, _, out = text.partition("->")
    letters = inputs.split(",")
    if (
        len(operands) != 2
        or not out
        or "." in text
        or any(len(set(one)) != len(one) for one in (*letters, out))
    ):
        raise Measured(f"einsum {text}")
    one, two = operands
    keys = [one.key for one in step.args[1]]
    if isinstance(two, Parameter) and len(two.shape) == 2:
        inner = set(letters[0]) & set(letters[1])
        last = letters[0][-1]
        free = letters[1].replace(last, "")
        if inner != {last} or len(free) != 1 or out != letters[0][:-1] + free:
            raise Measured(f"einsum {text}")
        size = dict(zip(letters[1], two.shape, strict=True))
        placed = replace(step, args=(Ref(keys[0]), Ref(keys[1])))
        return dense(walk, placed, one, two, (size[free], size[last]), 0.0)
    from widelimit.validate.network.graph.attention import contracted

    return contracted(walk, step, operands, keys, letters, out)


@rule("addmm")
def _addmm(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    if kwargs.get("alpha", 1) != 1 or kwargs.get("beta", 1) != 1 or not isinstance(args[2], Parameter):
        raise Measured("a product of matrices that is no layer")
    done = dense(walk, step, args[1], args[2], (args[2].shape[1], args[2].shape[0]), bias_of(args[0]))
    return replace(done, pulls=((key(step, 1), done.pulls[0][1]),) if done.pulls else ())


def dense(walk: Walk, step: Step, x: Any, weight: Any, shape: tuple[int, int], bias: float) -> Done:
    """Weights (fan-out, fan-in) on the last axis; positions that stand in it are averaged."""
    square = walk.weight(step, weight)
    out, fan_in = shape
    why = f"weights of sigma_w^2 = {square * fan_in:.4g}"
    if isinstance(x, torch.Tensor):
        if not x.is_floating_point():
            raise Measured("whole numbers in front of weights")
        axes: Axes = tuple((Atom("p", n),) for n in x.shape[:-1])
        room(axes)
        rows = x.detach().double().reshape(-1, fan_in).numpy()
        return Done(source(step.key, (*axes, (Atom("u", out),)), square * rows @ rows.T + bias), (), why)
    if not isinstance(x, State):
        raise Measured("weights on weights")
    last, name = x.axes[-1], key(step, 0)
    if any(atom.kind == "u" for axis in x.axes[:-1] for atom in axis):
        return _across(step, x, square, bias, out, why)
    inner = int(np.prod([a.size for a in last if a.kind == "p"], initial=1))
    outer = x.positions // inner
    blocks = x.gram.reshape(outer, inner, outer, inner)
    gram = square * (fan_in / inner) * np.einsum("iaja->ij", blocks) + bias
    if isinstance(weight, Parameter) and weight.centred:
        total = x.mean.reshape(outer, inner).mean(axis=1)
        gram = gram - square * fan_in * np.outer(total, total)
    axes = (*x.axes[:-1], (Atom("u", out),))

    def pull(g: np.ndarray) -> np.ndarray:
        if inner == 1:
            return square * out * g
        back = np.zeros((outer, inner, outer, inner))
        at = np.arange(inner)
        back[:, at, :, at] = square * out * g
        return back.reshape(x.gram.shape)

    return Done(source(step.key, axes, gram), ((name, pull),), why)


def _across(step: Step, x: State, square: float, bias: float, out: int, why: str) -> Done:
    """Weights over positions (Mixer): what comes out are positions, each with weights of its own."""
    last = x.axes[-1]
    if any(atom.kind == "u" for atom in last):
        raise Measured("weights over units and positions at once")
    inner = int(np.prod([a.size for a in last], initial=1))
    outer = x.positions // inner
    axes = (*x.axes[:-1], (Atom("p", out),))
    room(axes)
    blocks = x.gram.reshape(outer, inner, outer, inner)
    summed = square * np.einsum("iaja->ij", blocks)
    eye = np.eye(out)
    gram = np.einsum("ij,ab->iajb", summed, eye).reshape(outer * out, outer * out)
    own = np.einsum("ij,ab->iajb", np.full((outer, outer), bias), eye).reshape(gram.shape)
    new = source(step.key, axes, gram)
    centred = new.draw
    assert centred is not None

    def draw(samples: Samples) -> np.ndarray:
        noise = samples.generator(f"{step.key} bias").standard_normal((1, 1, out)) * np.sqrt(bias)
        return centred(samples) + np.broadcast_to(noise, (1, outer, out)).reshape(1, -1)

    def pull(g: np.ndarray) -> np.ndarray:
        total = square * np.einsum("iaja->ij", g.reshape(outer, out, outer, out))
        return np.einsum("ij,ab->iajb", total, np.eye(inner)).reshape(x.gram.shape)

    state = replace(
        new, gram=gram + own, scatter=own if bias else None, draw=draw, gaussian=not bias or inner > 0
    )
    return Done(
        state,
        ((key(step, 0), pull),),
        f"{why} over positions: units stay, positions are mixed (error 1/{inner})",
    )


@rule("embedding")
def _embedding(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    weight, index = args[0], args[1]
    if not isinstance(index, torch.Tensor) or not isinstance(weight, Parameter):
        raise Measured("an embedding of what is computed")
    square = walk.weight(step, weight)
    ids = index.reshape(-1).numpy()
    axes: Axes = (*((Atom("p", n),) for n in index.shape), (Atom("u", weight.shape[1]),))
    room(axes)
    gram = square * (ids[:, None] == ids[None, :])
    padding = args[2] if len(args) > 2 else -1
    if padding >= 0:
        gram = gram * (ids != padding)[:, None] * (ids != padding)[None, :]
    return Done(source(step.key, axes, gram.astype(float)), (), f"rows of variance {square:.4g}")


def _pair(value: Any, count: int) -> list[int]:
    found = list(value) if isinstance(value, tuple | list) else [value]
    return [int(one) for one in (found * count if len(found) == 1 else found)]


def taps(
    sizes: list[int], kernel: list[int], stride: list[int], pad: list[int], dilation: list[int]
) -> tuple[np.ndarray, list[int]]:
    """Which position each tap of a filter reads, (taps, positions out), -1 for padding; and the sizes behind it.

    >>> taps([4], [3], [1], [1], [1])[0].tolist()
    [[-1, 0, 1, 2], [0, 1, 2, 3], [1, 2, 3, -1]]
    """
    out = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(sizes, kernel, stride, pad, dilation, strict=True)
    ]
    rows = []
    for offsets in itertools.product(*(range(k) for k in kernel)):
        at = [
            np.arange(o) * s + t * d - p
            for o, s, t, d, p in zip(out, stride, offsets, dilation, pad, strict=True)
        ]
        rows.append(_flat(at, sizes))
    return np.array(rows), out


def taps_back(
    sizes: list[int],
    kernel: list[int],
    stride: list[int],
    pad: list[int],
    dilation: list[int],
    more: list[int],
) -> tuple[np.ndarray, list[int]]:
    """The same of a transposed convolution."""
    out = [
        (n - 1) * s - 2 * p + d * (k - 1) + m + 1
        for n, k, s, p, d, m in zip(sizes, kernel, stride, pad, dilation, more, strict=True)
    ]
    rows = []
    for offsets in itertools.product(*(range(k) for k in kernel)):
        at = []
        for o, s, t, d, p in zip(out, stride, offsets, dilation, pad, strict=True):
            reach = np.arange(o) + p - t * d
            at.append(np.where(reach % s == 0, reach // s, -1))
        rows.append(_flat(at, sizes))
    return np.array(rows), out


def _flat(at: list[np.ndarray], sizes: list[int]) -> np.ndarray:
    """Places in each dimension as one number, -1 where one of them is outside."""
    flat, good = np.zeros([1] * len(at), dtype=int), np.ones([1] * len(at), dtype=bool)
    for place, (where, size) in enumerate(zip(at, sizes, strict=True)):
        shape = [1] * len(at)
        shape[place] = len(where)
        where = where.reshape(shape)
        good = good & (where >= 0) & (where < size)
        flat = flat * size + where
    return np.where(good, flat, -1).ravel()


def batched(rows: np.ndarray, batch: int, count: int) -> np.ndarray:
    """Taps of one input, for every input of a batch: (taps, batch * positions)."""
    shift = (np.arange(batch) * count)[None, :, None]
    return np.where(rows[:, None, :] < 0, -1, rows[:, None, :] + shift).reshape(len(rows), -1)


def convolved(gram: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Sum over taps of second moments at the positions that they read."""
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for at in rows:
        live = np.flatnonzero(at >= 0)
        total[np.ix_(live, live)] += gram[np.ix_(at[live], at[live])]
    return total


def convolved_numbers(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The same of fixed numbers (P, channels), of which there may be more than pairs can be kept of."""
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for at in rows:
        read = np.where((at >= 0)[:, None], values[np.maximum(at, 0)], 0.0)
        total += read @ read.T
    return total / values.shape[1]


def spread_back(g: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """The same for gradients: every position gets those of the taps that read it."""
    total = np.zeros((count, count))
    for at in rows:
        live = np.flatnonzero(at >= 0)
        total[np.ix_(at[live], at[live])] += g[np.ix_(live, live)]
    return total


@rule("conv1d", "conv2d", "conv3d")
def _conv(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    given: list[Any] = [*args, *(None, 1, 0, 1, 1)[len(args) - 2 :]]
    x, weight, bias, stride, pad, dilation, groups = given
    count = len(weight.shape) - 2
    kernel = list(weight.shape[2:])
    dilation = _pair(dilation, count)
    if isinstance(pad, str):
        if pad == "same" and any(d * (k - 1) % 2 for d, k in zip(dilation, kernel, strict=True)):
            raise Measured("an even filter with padding='same'")
        pad = [d * (k - 1) // 2 if pad == "same" else 0 for d, k in zip(dilation, kernel, strict=True)]
    gram, axes, before = _channels(x, count)
    sizes = [int(np.prod([a.size for a in axis], initial=1)) for axis in axes[2:]]
    rows, out = taps(sizes, kernel, _pair(stride, count), _pair(pad, count), dilation)
    return _filtered(walk, step, gram, axes, before, weight, bias, int(groups), rows, out, weight.shape[0])


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _conv_transpose(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    given: list[Any] = [*args, *(None, 1, 0, 0, 1, 1)[len(args) - 2 :]]
    x, weight, bias, stride, pad, more, groups, dilation = given
    count = len(weight.shape) - 2
    gram, axes, before = _channels(x, count)
    sizes = [int(np.prod([a.size for a in axis], initial=1)) for axis in axes[2:]]
    rows, out = taps_back(
        sizes,
        list(weight.shape[2:]),
        _pair(stride, count),
        _pair(pad, count),
        _pair(dilation, count),
        _pair(more, count),
    )
    return _filtered(
        walk, step, gram, axes, before, weight, bias, int(groups), rows, out, weight.shape[1] * int(groups)
    )


def _channels(x: Any, count: int) -> tuple[np.ndarray, Axes, State | None]:
    """Second moments over channels (axis 1) of what a convolution reads; of fixed numbers themselves, (P, channels)."""
    if isinstance(x, torch.Tensor):
        if x.ndim != count + 2:
            raise Measured("a convolution without a batch")
        axes: Axes = tuple((Atom("u" if i == 1 else "p", n),) for i, n in enumerate(x.shape))
        return laid_out(x.detach().double().numpy(), axes), axes, None
    if not isinstance(x, State) or len(x.axes) != count + 2:
        raise Measured("a convolution without a batch")
    inside = [{atom.kind for atom in axis if atom.size > 1} for axis in x.axes]
    if "p" in inside[1] or any("u" in one for place, one in enumerate(inside) if place != 1):
        raise Measured("a convolution whose channels are no units")
    return x.gram, x.axes, x


def _filtered(
    walk: Walk, step: Step, gram: np.ndarray, axes: Axes, before: State | None, weight: Any, bias: Any,
    groups: int, rows: np.ndarray, out: list[int], channels: int,
) -> Done:  # fmt: skip
    square, offset = walk.weight(step, weight), bias_of(bias)
    batch = int(np.prod([a.size for a in axes[0]], initial=1))
    count = len(gram) // batch
    read = int(np.prod([a.size for a in axes[1]], initial=1))
    rows = batched(rows, batch, count)
    shape: Axes = (axes[0], (Atom("u", channels),), *((Atom("p", n),) for n in out))
    room(shape)
    summed = convolved_numbers(gram, rows) if before is None else convolved(gram, rows)
    if isinstance(weight, Parameter) and weight.centred and before is not None:
        total = np.where(rows < 0, 0.0, before.mean[np.maximum(rows, 0)]).sum(axis=0)
        summed = summed - np.outer(total, total) / len(rows)
    new = source(step.key, shape, square * (read // groups) * summed + offset)
    why = f"weights of sigma_w^2 = {square * len(rows) * (read // groups):.4g}"
    few = groups > 1 and (before is None or read // groups < 8)
    why = f"{why}, {read // groups} channel(s) a group" if few else why
    if before is None:
        return Done(replace(new, gaussian=False, draw=None) if few else new, (), why)
    done = Done(
        new, ((key(step, 0), lambda g: square * (channels // groups) * spread_back(g, rows, len(gram))),), why
    )  # fmt: skip
    if not few:
        return done
    return _few(step, done, before, weight, offset, rows, read // groups, channels // groups)


def _few(
    step: Step, done: Done, before: State, weight: Any, offset: float, rows: np.ndarray, read: int, write: int
) -> Done:
    """Units that add up few channels (depthwise) are not Gaussian: their law is that of filters on samples.

    Nor are gradients behind independent of the filter: slopes and deviations of the unit know it.
    """
    inner = before.draw
    if inner is None:
        return replace(done, value=replace(done.value, gaussian=False, draw=None))

    def filters(samples: Samples, count: int) -> np.ndarray:
        """Weights (count, channels, taps), the first ones the same whatever their count."""
        return _entries(weight, samples.generator(step.key, b"filters"), (count, read, len(rows)))

    def draw(samples: Samples) -> np.ndarray:
        values = inner(samples)
        shift = samples.generator(step.key, b"biases").standard_normal((len(values), 1)) * np.sqrt(offset)
        total, weights = np.repeat(shift, rows.shape[1], axis=1), filters(samples, len(values))
        for channel in range(read):  # others are those of other samples
            held = np.roll(values, channel, axis=0)
            for tap, at in enumerate(rows):
                live = at >= 0
                total[:, live] += weights[:, channel, tap, None] * held[:, at[live]]
        return total

    def each(g: np.ndarray) -> np.ndarray:
        weights = np.sqrt(write) * filters(Samples(before.positions), len(g))[:, 0]
        back = np.zeros((len(g), before.positions))
        for tap, at in enumerate(rows):
            live = at >= 0
            back[:, at[live]] += weights[:, tap, None] * g[:, live]
        return back

    return replace(done, value=replace(done.value, gaussian=False, draw=draw), each=each, own=True)


def _entries(weight: Any, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Weights drawn from all numbers that they take in draws; normal ones for fixed numbers."""
    if not isinstance(weight, Parameter):
        return random.standard_normal(shape) * np.sqrt(mean_square(weight))
    held = np.concatenate([one.detach().double().numpy().ravel() for one in weight.values])
    return np.asarray(held[random.integers(0, len(held), shape)])
