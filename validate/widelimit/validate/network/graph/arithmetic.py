"""Rules of sums, products and concatenations: of independent tensors, of one and the same units, with fixed numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from widelimit.validate.network.graph.functions import as_function, finish, number
from widelimit.validate.network.graph.programs import Step, refs
from widelimit.validate.network.graph.states import (
    Atom,
    Axes,
    Measured,
    Samples,
    State,
    apart,
    kinds,
    laid_out,
    mixed,
    side_by_side,
    source,
    spread,
    tag,
)
from widelimit.validate.network.graph.views import scattered, state_of
from widelimit.validate.network.graph.walking import (
    Done,
    Mask,
    Parameter,
    Pull,
    Scaled,
    Walk,
    key,
    rule,
    unchanged,
)

_SHARP = 0.05  # share of its scatter in the square of an average over units


@rule("add", "sub", "rsub")
def _add(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    one, two = args[0], args[1]
    alpha = float(kwargs.get("alpha", args[2] if len(args) > 2 else 1))
    sign = -alpha if step.op == "sub" else alpha
    from widelimit.validate.network.graph.attention import Logits, shifted

    if isinstance(one, Logits):
        return shifted(one, two, sign)
    if isinstance(two, Logits) and step.op == "add":
        return shifted(two, one, 1.0) if alpha == 1 else _refuse()
    if step.op == "rsub":
        return _affine(step, 0, state_of(one), -1.0, two) if _single(two) else _refuse()
    if isinstance(one, State) and _single(two):
        return _affine(step, 0, one, 1.0, sign * float(two))
    if isinstance(two, State) and _single(one):
        return _affine(step, 1, two, sign, float(one))
    return _sum(walk, step, one, two, 1.0, sign)


def _refuse() -> Done:
    raise Measured("a difference that is no state")


def _single(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, torch.Tensor) and value.numel() == 1)


def _affine(step: Step, place: int, state: State, factor: float, shift: float) -> Done:
    """factor * x + shift, with numbers."""
    factor, shift = float(factor), float(shift)
    if not (math.isfinite(factor) and math.isfinite(shift)):
        raise Measured(f"the numbers {factor}, {shift}")
    name = key(step, place)
    function = as_function(state, name)
    expr = None if function.expr is None else number(factor) * function.expr + number(shift)
    before, m, c = state.draw, state.mean, factor
    gram = c * c * state.gram + c * shift * (m[:, None] + m[None, :]) + shift**2
    new = replace(
        state, gram=gram, mean=c * m + shift, gaussian=state.gaussian and shift == 0,
        scatter=None if state.scatter is None else c * c * state.scatter,
        draw=None if before is None else (lambda samples: c * before(samples) + shift),
        function=replace(function, expr=expr, call=lambda t: c * function.call(t) + shift),
    )  # fmt: skip
    return Done(new, ((name, Scaled(c * c)),), "a number")


def _sum(walk: Walk, step: Step, one: Any, two: Any, a: float, b: float) -> Done:
    shape = step.shape or ()
    first, second = (_lifted(value, shape, other) for value, other in ((one, two), (two, one)))
    x, y = first.value, second.value
    pulls = _through(step, first, 0, one, a) + _through(step, second, 1, two, b)
    if kinds(x.axes) != kinds(y.axes):
        raise Measured("units of one tensor meet positions of another")
    if apart(x, y):
        cross = np.outer(x.mean, y.mean)
        gram = a * a * x.gram + b * b * y.gram + a * b * (cross + cross.T)
        return Done(_joined(x, y, gram, a, b), pulls, "second moments add: independent")
    f, h = as_function(x, "x"), as_function(y, "y")
    if _one_root(f, h, step, one, two):
        root = f if x.function is not None else h
        left = f if x.function is not None else replace(f, root=root.root, key=root.key)
        right = h if y.function is not None else replace(h, root=root.root, key=root.key)
        expr = (
            None
            if left.expr is None or right.expr is None
            else number(a) * left.expr + number(b) * right.expr
        )
        return finish(root, expr, lambda t: a * left.call(t) + b * right.call(t), x)
    values = _together(x, y)
    cross = values[0].T @ values[1] / len(values[0])
    gram = a * a * x.gram + b * b * y.gram + a * b * (cross + cross.T)
    return Done(_joined(x, y, gram, a, b), pulls, "second moments of sampled units: dependent")


def _one_root(f: Any, h: Any, step: Step, one: Any, two: Any) -> bool:
    """Whether both are functions of one tensor."""
    if not (isinstance(one, State) and isinstance(two, State)):
        return False
    left = f.key if one.function is not None else key(step, 0)
    right = h.key if two.function is not None else key(step, 1)
    return left == right


def _together(x: State, y: State) -> tuple[np.ndarray, np.ndarray]:
    if x.draw is None or y.draw is None:
        raise Measured("tensors that depend on one another, whose joint law is not known")
    samples = Samples(x.positions)
    return x.draw(samples), y.draw(samples)


def _joined(x: State, y: State, gram: np.ndarray, a: float, b: float) -> State:
    dx, dy = x.draw, y.draw
    same = x.units is not None and y.units is not None and np.array_equal(x.units, y.units)
    return State(
        x.axes, (gram + gram.T) / 2, a * x.mean + b * y.mean, x.gaussian and y.gaussian, _sources(x, y),
        None if dx is None or dy is None else (lambda samples: a * dx(samples) + b * dy(samples)),
        x.units if same else None, _scatters(x, y, a, b),
    )  # fmt: skip


def _sources(x: State, y: State) -> dict[str, bytes]:
    """Sources of both; of one that both are made of, by different units, nothing more is known."""
    both = {key: b"?" for key in x.sources.keys() & y.sources.keys() if x.sources[key] != y.sources[key]}
    return {**x.sources, **y.sources, **both}


def _scatters(x: State, y: State, a: float, b: float) -> np.ndarray | None:
    found = [c * c * one.scatter for one, c in ((x, a), (y, b)) if one.scatter is not None]
    return sum(found) if found else None  # type: ignore[return-value]


def _through(step: Step, lifted: Done, place: int, value: Any, factor: float) -> tuple[tuple[str, Pull], ...]:
    """The way back to an input that was repeated and multiplied."""
    if not isinstance(value, State):
        return ()
    inner = _way(lifted)
    if isinstance(inner, Scaled):
        return ((key(step, place), Scaled(factor**2 * inner.factor)),)
    return ((key(step, place), lambda g: factor**2 * inner(g)),)


def _lifted(value: Any, shape: tuple[int, ...], other: Any) -> Done:
    """A value as a state of the shape of the result."""
    like = other.axes if isinstance(other, State) and len(other.axes) == len(shape) else None
    if isinstance(value, State):
        if value.shape == shape:
            return Done(value)
        new = spread(value, shape, like)
        index = np.rint(np.diagonal(spread(_counted(value), shape, like).gram)).astype(int)
        return Done(new, (("", scattered(index, value.positions)),))
    if isinstance(value, Parameter):
        return Done(spread(_random(value), shape))
    if isinstance(value, torch.Tensor):
        return Done(_fixed_state(value, shape, like))
    raise Measured("a sum with something that is no tensor")


def _counted(state: State) -> State:
    return replace(
        state, gram=np.diag(np.arange(state.positions) + 0.0), draw=None, scatter=None, function=None
    )


def _random(value: Parameter) -> State:
    """A parameter that is added or joined: units on the axis that has them, independent numbers at every position.

    Positions with the same numbers, as of a token that is expanded to all inputs, are one.
    """
    sizes = value.shape
    place = 1 if len(sizes) == 4 else len(sizes) - 1
    axes: Axes = tuple((Atom("u" if i == place else "p", n),) for i, n in enumerate(sizes))
    rows = laid_out(value.values[0].detach().double().numpy(), axes)
    alike = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    return source(value.name, axes, value.square * (alike[:, None] == alike[None, :]))


def _fixed_state(value: torch.Tensor, shape: tuple[int, ...], like: Axes | None) -> State:
    """Fixed numbers as units: moments over them, samples are some of them."""
    if like is None:
        raise Measured("fixed numbers with nothing that says which of them are units")
    rows = laid_out(value.detach().double().expand(shape).numpy(), like)
    if not np.isfinite(rows).all():
        raise Measured("infinite numbers are added")
    name = f"fixed {tag(np.frombuffer(rows.tobytes(), dtype=np.int64)).hex()}"

    def draw(samples: Samples) -> np.ndarray:
        return rows.T[samples.generator(name).integers(0, rows.shape[1], samples.count)]

    return State(like, rows @ rows.T / rows.shape[1], rows.mean(axis=1), False, {name: b"fixed"}, draw, None)


@rule("neg")
def _neg(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    return _affine(step, 0, state_of(args[0]), -1.0, 0.0)


@rule("mul", "div")
def _mul(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    one, two = args[0], args[1]
    if step.op == "div":
        if kwargs.get("rounding_mode"):
            raise Measured("rounded quotients")
        if isinstance(two, torch.Tensor):
            two = 1 / two.double()
        elif isinstance(two, int | float):
            two = 1 / two
        else:
            raise Measured("a quotient of two random tensors")
    from widelimit.validate.network.graph.attention import Logits, Weights, rescaled

    if isinstance(one, Logits | Weights):
        return rescaled(step, one, two)
    if isinstance(two, Logits | Weights):
        return rescaled(step, two, one)
    if isinstance(one, Mask) and _single(two):
        return Done(replace(one, scale=one.scale * float(two)))
    if isinstance(one, State) and isinstance(two, Mask):
        return _dropped(step, 0, one, two)
    if isinstance(one, Mask) and isinstance(two, State):
        return _dropped(step, 1, two, one)
    if isinstance(one, State) and _single(two):
        return _affine(step, 0, one, float(two), 0.0)
    if isinstance(two, State) and _single(one):
        return _affine(step, 1, two, float(one), 0.0)
    if isinstance(one, State) and isinstance(two, State):
        return _product(step, one, two)
    place = 0 if isinstance(one, State) else 1
    state, other = (one, two) if place == 0 else (two, one)
    if isinstance(other, Parameter):
        if math.prod(other.shape) != max(other.shape, default=1):
            raise Measured("a product with weights")
        return _gained(step, place, state_of(state), other.square)
    if not isinstance(state, State) or not isinstance(other, torch.Tensor):
        raise Measured("a product with something that is no tensor")
    return _masked(step, place, state, other)


def _gained(step: Step, place: int, state: State, square: float) -> Done:
    """Times numbers of units that have a mean square, and nothing to do with the units."""
    new = replace(
        state, gram=square * state.gram, mean=np.zeros(state.positions), gaussian=False, draw=None, scatter=None,
        function=None,
    )  # fmt: skip
    return Done(new, ((key(step, place), lambda g: square * g),), "gains")


def _dropped(step: Step, place: int, state: State, mask: Mask) -> Done:
    """Times a mask: of whole inputs, as stochastic depth draws it, or of units."""
    if np.broadcast_shapes(state.shape, mask.shape) != state.shape:
        raise Measured("a mask that repeats units")
    entries = torch.arange(math.prod(mask.shape)).reshape(mask.shape).expand(state.shape)
    rows = laid_out(entries.numpy(), state.axes)
    same = np.zeros((len(rows), len(rows)))
    for column in rows.T[:: max(1, rows.shape[1] // 64)]:
        same += column[:, None] == column[None, :]
    same /= same.max()
    p, before = mask.keep, state.draw
    factors = mask.scale**2 * (p * same + p**2 * (1 - same))
    at = np.unique(rows[:, 0], return_inverse=True)[1]

    def draw(samples: Samples) -> np.ndarray:
        assert before is not None
        values = before(samples)
        kept = samples.generator(step.key).random((len(values), at.max() + 1)) < p
        return values * (mask.scale * kept[:, at])

    new = replace(
        state, gram=state.gram * factors, mean=mask.scale * p * state.mean, gaussian=False, function=None,
        draw=None if before is None else draw, scatter=None if state.scatter is None else state.scatter * factors,
        sources={**state.sources, step.key: b"mask"},
    )  # fmt: skip
    common = (rows == rows[:, :1]).all()
    whole = "of whole inputs, all units at once: one draw scatters by that" if common else "of units"
    scatter = math.sqrt((1 - p) / (p * (at.max() + 1))) if common else 0.0
    why = f"a mask {whole}; it keeps {p:.3g}"
    return Done(new, ((key(step, place), lambda g: g * factors),), why, scatter=scatter)


def _masked(step: Step, place: int, state: State, other: torch.Tensor) -> Done:
    """Times fixed numbers, of positions or of units too."""
    shape = step.shape or ()
    lifted = _lifted(state, shape, None)
    x = lifted.value
    rows = laid_out(other.detach().double().expand(shape).numpy(), x.axes)
    flat = bool(np.ptp(rows, axis=1).max(initial=0.0) <= 1e-12 * np.abs(rows).max(initial=1.0))
    factors = rows @ rows.T / rows.shape[1]
    inner = _way(lifted)
    before, at = x.draw, rows[:, 0]
    new = replace(
        x, gram=x.gram * factors, mean=x.mean * rows.mean(axis=1), gaussian=x.gaussian and flat, function=None,
        scatter=None if x.scatter is None else x.scatter * factors,
        draw=(lambda samples: before(samples) * at) if flat and before is not None else None,
    )  # fmt: skip
    return Done(new, ((key(step, place), lambda g: inner(g * factors)),), "times fixed numbers")


def _product(step: Step, one: State, two: State) -> Done:
    if one.shape == two.shape:
        f, h = as_function(one, key(step, 0)), as_function(two, key(step, 1))
        if f.key == h.key:
            root = f if one.function is not None else h
            expr = None if f.expr is None or h.expr is None else f.expr * h.expr
            return finish(root, expr, lambda t: f.call(t) * h.call(t), one)
    shape = step.shape or ()
    first, second = _lifted(one, shape, two), _lifted(two, shape, one)
    x, y = first.value, second.value
    if kinds(x.axes) != kinds(y.axes):
        raise Measured("units of one tensor meet positions of another")
    pulls = tuple(
        (key(step, place), (lambda g, inner=inner, k=other.gram: inner(g * k)))
        for place, inner, other in ((0, _way(first), y), (1, _way(second), x))
    )
    dx, dy = x.draw, y.draw
    draw = None if dx is None or dy is None else (lambda samples: dx(samples) * dy(samples))
    if apart(x, y):
        new = State(
            x.axes,
            x.gram * y.gram,
            x.mean * y.mean,
            False,
            _sources(x, y),
            draw,
            _same_units(x, y),
        )
        return Done(new, pulls, "second moments multiply: independent")
    u, v = _together(x, y)
    z = u * v
    new = State(x.axes, z.T @ z / len(z), z.mean(axis=0), False, _sources(x, y), draw, _same_units(x, y))
    return Done(new, pulls, "second moments of sampled units: dependent")


def _same_units(x: State, y: State) -> np.ndarray | None:
    return (
        x.units if x.units is not None and y.units is not None and np.array_equal(x.units, y.units) else None
    )


def _way(lifted: Done) -> Pull:
    return lifted.pulls[0][1] if lifted.pulls else unchanged


@rule("cat", "concat")
def _cat(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    parts = args[0]
    dim = kwargs.get("dim", args[1] if len(args) > 1 else 0) % len(step.shape or (1,))
    if not any(isinstance(one, State) for one in parts):
        raise Measured("weights that are joined")
    like = next(one for one in parts if isinstance(one, State))
    names = list(_names(step))
    states = [_part(one, like, dim) for one in parts]
    if any(kinds(_but(one.axes, dim)) != kinds(_but(like.axes, dim)) for one in states):
        raise Measured("tensors whose units stand on different axes are joined")
    units = [any(a.kind == "u" for a in one.axes[dim]) for one in states]
    if all(units) and not any(a.kind == "p" and a.size > 1 for one in states for a in one.axes[dim]):
        done = _units_joined(step, states, dim, names, parts)
        if not done.value.gaussian:
            _kept_apart(walk, step, states, names, parts)
        return done
    if any(units):
        raise Measured("units and positions are joined")
    return _positions_joined(step, states, dim, names, parts)


def _names(step: Step) -> Any:
    for one in step.args[0]:
        yield getattr(one, "key", "")


def _but(axes: Axes, dim: int) -> Axes:
    return (*axes[:dim], *axes[dim + 1 :])


def _part(value: Any, like: State, dim: int) -> State:
    if isinstance(value, State):
        return value
    if isinstance(value, Parameter):
        return _random(value)
    if isinstance(value, torch.Tensor):
        axes = tuple(
            (Atom("u" if any(a.kind == "u" for a in axis) else "p", n),)
            for axis, n in zip(like.axes, value.shape, strict=True)
        )
        return _fixed_state(value, tuple(value.shape), axes)
    raise Measured("something that is no tensor is joined")


def _units_joined(step: Step, states: list[State], dim: int, names: list[str], parts: Any) -> Done:
    """Units of several tensors side by side."""
    pulls = tuple((name, unchanged) for name, one in zip(names, parts, strict=True) if isinstance(one, State))
    return Done(side_by_side(step.key, states, dim), pulls, "units side by side")


def _kept_apart(walk: Walk, step: Step, states: list[State], names: list[str], parts: Any) -> None:
    """Note the parts of units of several laws, those of parts that were joined before among them."""
    found: list[Done] = []
    for one, name, given in zip(states, names, parts, strict=True):
        inner = walk.beside.get(name, (Done(one),))
        found += [
            Done(part.value, ((name, unchanged),) if isinstance(given, State) else ()) for part in inner
        ]
    walk.beside[step.key] = tuple(found)


def _positions_joined(step: Step, states: list[State], dim: int, names: list[str], parts: Any) -> Done:
    counts = [one.positions for one in states]
    starts = np.cumsum([0, *counts])
    total = np.zeros((starts[-1], starts[-1]))
    for i, one in enumerate(states):
        here = slice(starts[i], starts[i + 1])
        total[here, here] = one.gram
        for j in range(i):
            there = slice(starts[j], starts[j + 1])
            block = np.outer(one.mean, states[j].mean) if apart(one, states[j]) else _cross(one, states[j])
            total[here, there], total[there, here] = block, block.T
    order = _order(states, dim)
    axes = (*states[0].axes[:dim], (Atom("p", int(step.shape[dim])),), *states[0].axes[dim + 1 :])  # type: ignore[index]
    draws = [one.draw for one in states]
    sources = {name: units for one in states for name, units in one.sources.items()}
    new = State(
        axes, total[np.ix_(order, order)], np.concatenate([one.mean for one in states])[order],
        all(one.gaussian for one in states), sources,
        None if any(d is None for d in draws)
        else (lambda samples: np.concatenate([d(samples) for d in draws], axis=1)[:, order]),  # type: ignore[misc]
    )  # fmt: skip
    back = np.argsort(order)

    def pull(start: int, end: int) -> Pull:
        return lambda g: g[np.ix_(back, back)][start:end, start:end]

    pulls = tuple(
        (name, pull(starts[i], starts[i + 1]))
        for i, (name, one) in enumerate(zip(names, parts, strict=True))
        if isinstance(one, State)
    )
    return Done(new, pulls, "positions side by side")


def _cross(x: State, y: State) -> np.ndarray:
    if x.draw is None or y.draw is None:
        raise Measured("tensors that depend on one another, whose joint law is not known")
    samples = Samples(max(x.positions, y.positions))
    u, v = x.draw(samples), y.draw(samples)
    return u.T @ v / len(u)


def _order(states: list[State], dim: int) -> np.ndarray:
    """For every position behind, in order, its number among those of all parts, one part after the other."""
    found, start = [], 0
    for one in states:
        sizes = [math.prod(a.size for a in axis if a.kind == "p") for axis in one.axes]
        found.append(start + np.arange(one.positions).reshape(sizes))
        start += one.positions
    return np.concatenate(found, axis=dim).ravel()


@rule("stack")
def _stack(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    dim = kwargs.get("dim", args[1] if len(args) > 1 else 0) % len(step.shape or (1,))
    states = [state_of(one, "stack") for one in args[0]]
    if _interleaved(walk, step, states, dim):
        widened = [replace(one, axes=(*one.axes, (Atom("u", 1),))) for one in states]
        done = _units_joined(step, widened, dim, list(_names(step)), states)
        state = done.value
        if state.units is None:
            return done
        units = state.units.reshape(len(states), -1).T.ravel()
        return replace(
            done, value=replace(state, units=units, sources=dict.fromkeys(state.sources, tag(units)))
        )
    widened = [replace(one, axes=(*one.axes[:dim], (), *one.axes[dim:])) for one in states]
    return _positions_joined(step, widened, dim, list(_names(step)), states)


def _interleaved(walk: Walk, step: Step, states: list[State], dim: int) -> bool:
    """Whether units are stacked behind their own axis, and all that follows puts both axes together."""
    shape = step.shape or ()
    if dim != len(shape) - 1 or not all(any(a.kind == "u" for a in one.axes[-1]) for one in states):
        return False
    merged = (*shape[:-2], shape[-2] * shape[-1])
    takers = [one for one in walk.program.steps if step.key in refs((one.args, one.kwargs))]
    return bool(takers) and all(one.shape == merged for one in takers)


@rule("mean", "sum")
def _mean(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state = state_of(args[0], step.op)
    dims = args[1] if len(args) > 1 and args[1] else tuple(range(len(state.axes)))
    chosen = sorted({d % len(state.axes) for d in (dims if isinstance(dims, tuple) else (dims,))})
    keep = bool(args[2]) if len(args) > 2 else False
    inside = {a.kind for d in chosen for a in state.axes[d] if a.size > 1}
    outer = tuple(() if d in chosen else axis for d, axis in enumerate(state.axes))
    axes = outer if keep else tuple(axis for d, axis in enumerate(state.axes) if d not in chosen)
    matrix = _averages(state, chosen)
    if step.op == "sum":
        matrix = matrix * math.prod(a.size for d in chosen for a in state.axes[d] if a.kind == "p")
    if "u" not in inside:
        return Done(
            mixed(state, axes, matrix),
            ((key(step, 0), lambda g: matrix.T @ g @ matrix),),
            "averages over positions",
        )
    if any(a.kind == "u" for axis in axes for a in axis) or state.scatter is not None:
        raise Measured("an average over some of the units")
    factor = state.width if step.op == "sum" else 1
    value = factor * (matrix @ state.mean)
    scatter = factor**2 * float(np.mean(np.diagonal(state.centred))) / state.width
    square = float(np.mean(value**2))
    if not keep and scatter > _SHARP * square:
        raise Measured("an average of units that is random: it vanishes in wide networks")
    return Done(
        torch.from_numpy(value.reshape(step.shape or ())), (), "average over many units: a number",
        second=square + scatter,
    )  # fmt: skip


def _averages(state: State, dims: list[int]) -> np.ndarray:
    sizes = [math.prod(a.size for a in axis if a.kind == "p") for axis in state.axes]
    out = [1 if d in dims else n for d, n in enumerate(sizes)]
    flat = np.broadcast_to(np.arange(math.prod(out)).reshape(out), sizes).ravel()
    matrix = np.zeros((math.prod(out), state.positions))
    matrix[flat, np.arange(state.positions)] = math.prod(out) / state.positions
    return matrix
