"""What theory knows of a tensor: `State`, second moments of its units over pairs of inputs and positions.

Each axis of a tensor is a row of `Atom`s: exchangeable units ("u"), over which moments are averages, or positions
("p": inputs of the batch, tokens, pixels). `gram` (P, P) holds E x_i x_j over units, `mean` (P,) E x_i, for positions
in the order in which they stand in the tensor, the last axis fastest. `sources` are the independent Gaussian fields
that the units are functions of; `draw` gives samples of units (rows) at all positions, from samples of the sources.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from sympy import Expr

from widelimit.numerics.results import by_value

LARGEST = 2304  # positions whose pairs are kept
_UNITS = (1024, 16384)  # samples of a unit, fewest and most
_NUMBERS = 2**20  # of samples, at most


class Atom(NamedTuple):
    """A factor of an axis: "u" for units, "p" for positions, and its size."""

    kind: str
    size: int


Axes = tuple[tuple[Atom, ...], ...]
Draw = Callable[["Samples"], np.ndarray]


class Measured(Exception):
    """An operation that theory has no rule for, and why."""


@by_value
@dataclass(frozen=True)
class Pointwise:
    """A function of one variable of a state: as an expression (None where it has none), and as torch runs it."""

    root: State
    key: str
    expr: Expr | None
    call: Callable[[torch.Tensor], torch.Tensor]


@by_value
@dataclass(frozen=True)
class State:
    """See the module. `gaussian`: units are centred Gaussian fields; `units`: which units of each source stand here, in
    which order; `scatter`: (P, P) second moments of unit means that are random themselves, None for none; `function`:
    how it comes from one Gaussian state.
    """

    axes: Axes
    gram: np.ndarray
    mean: np.ndarray
    gaussian: bool
    sources: dict[str, bytes]
    draw: Draw | None = None
    units: np.ndarray | None = None
    scatter: np.ndarray | None = None
    function: Pointwise | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        return tuple(math.prod(atom.size for atom in axis) for axis in self.axes)

    @property
    def positions(self) -> int:
        """How many inputs and positions."""
        return len(self.gram)

    @property
    def width(self) -> int:
        """How many units."""
        return math.prod(atom.size for axis in self.axes for atom in axis if atom.kind == "u")

    @property
    def centred(self) -> np.ndarray:
        """Second moments about the means over units."""
        out = self.gram - np.outer(self.mean, self.mean)
        return out if self.scatter is None else out - self.scatter


class Samples:
    """Samples of sources, each drawn once, so that all that is made of one source is made of the same samples."""

    def __init__(self, positions: int, seed: int = 0) -> None:
        self.count = int(np.clip(_NUMBERS // max(1, positions), *_UNITS))
        self._seed = seed
        self._held: dict[tuple[str, bytes], np.ndarray] = {}

    def gaussian(self, source: str, units: bytes, gram: np.ndarray) -> np.ndarray:
        """Units (count, P) of a centred Gaussian field with second moments `gram`."""
        if (source, units) not in self._held:
            self._held[source, units] = self.generator(source, units).standard_normal(
                (self.count, len(gram))
            ) @ root(gram)
        return self._held[source, units]

    def generator(self, source: str, units: bytes = b"") -> np.random.Generator:
        """Random numbers that belong to a source."""
        text = hashlib.blake2b(source.encode() + b"|" + units, digest_size=8).digest()
        return np.random.default_rng([self._seed, int.from_bytes(text, "little")])


def root(gram: np.ndarray) -> np.ndarray:
    """R with R^T R = gram, of a matrix that is positive semidefinite up to rounding."""
    values, vectors = np.linalg.eigh((gram + gram.T) / 2)
    return (vectors * np.sqrt(np.maximum(values, 0.0))).T


def tag(units: np.ndarray) -> bytes:
    """A short name of an ordered set of units."""
    return hashlib.blake2b(np.ascontiguousarray(units, dtype=np.int64).tobytes(), digest_size=8).digest()


def limited(gram: np.ndarray) -> np.ndarray:
    """Pairs that are few enough to keep."""
    if not np.isfinite(gram).all():
        raise Measured("second moments beyond the largest float")
    return gram


def room(axes: Axes) -> None:
    """Raise `Measured` for more positions than pairs are kept of."""
    count = math.prod(atom.size for axis in axes for atom in axis if atom.kind == "p")
    if count > LARGEST:
        raise Measured(f"{count} inputs and positions; pairs are kept of {LARGEST} at most")


def source(key: str, axes: Axes, gram: np.ndarray) -> State:
    """A new Gaussian source, what comes out of weights that nothing else has met."""
    units = np.arange(math.prod(atom.size for axis in axes for atom in axis if atom.kind == "u"))
    name = tag(units)
    gram = limited((gram + gram.T) / 2)
    return State(
        axes, gram, np.zeros(len(gram)), True, {key: name},
        lambda samples: samples.gaussian(key, name, gram), units,
    )  # fmt: skip


def taken(state: State, axes: Axes, index: np.ndarray) -> State:
    """The same units at other positions: `index` (P') of positions, -1 for zeros."""
    room(axes)
    hole = index < 0
    at = np.where(hole, 0, index)

    def pick(matrix: np.ndarray) -> np.ndarray:
        out = matrix[np.ix_(at, at)]
        out[hole] = 0.0
        out[:, hole] = 0.0
        return out

    def draw(samples: Samples) -> np.ndarray:
        assert before is not None
        values = before(samples)[:, at]
        values[:, hole] = 0.0
        return values

    before = state.draw
    return replace(
        state,
        axes=axes,
        gram=pick(state.gram),
        mean=np.where(hole, 0.0, state.mean[at]),
        scatter=None if state.scatter is None else pick(state.scatter),
        draw=None if before is None else draw,
        function=None,
    )


def mixed(state: State, axes: Axes, matrix: np.ndarray) -> State:
    """Weighted sums over positions, `matrix` (P', P) of fixed numbers."""
    room(axes)
    before = state.draw
    scatter = state.scatter
    return replace(
        state,
        axes=axes,
        gram=matrix @ state.gram @ matrix.T,
        mean=matrix @ state.mean,
        scatter=None if scatter is None else matrix @ scatter @ matrix.T,
        draw=None if before is None else (lambda samples: before(samples) @ matrix.T),
        function=None,
    )


def chosen(state: State, axes: Axes, units: np.ndarray) -> State:
    """Some of the units: `units` are their places among all, in order."""
    if state.units is None:
        raise Measured("units of several kinds, of which some are taken")
    held = state.units[units]
    name = tag(held)
    before, old = state.draw, set(state.sources.values())
    if len(old) != 1:
        raise Measured("units of several kinds, of which some are taken")

    def draw(samples: Samples) -> np.ndarray:
        assert before is not None
        return before(_Renamed(samples, name))

    return replace(
        state, axes=axes, sources=dict.fromkeys(state.sources, name), units=held,
        draw=None if before is None else draw, function=None,
    )  # fmt: skip


class _Renamed(Samples):
    """Samples of other units of the same sources."""

    def __init__(self, samples: Samples, name: bytes) -> None:
        self.count, self._samples, self._name = samples.count, samples, name

    def gaussian(self, source: str, units: bytes, gram: np.ndarray) -> np.ndarray:
        return self._samples.gaussian(source, self._name, gram)

    def generator(self, source: str, units: bytes = b"") -> np.random.Generator:
        return self._samples.generator(source, units + self._name)


def reshaped(axes: Axes, shape: tuple[int, ...]) -> Axes:
    """The atoms of a tensor regrouped into another shape; positions keep their order."""
    queue = [atom for axis in axes for atom in axis if atom.size != 1]
    out: list[tuple[Atom, ...]] = []
    for size in shape:
        axis: list[Atom] = []
        left = size
        while left > 1:
            if not queue:
                raise Measured("a view that theory cannot follow")
            atom = queue.pop(0)
            if left % atom.size == 0:
                axis.append(atom)
                left //= atom.size
            elif atom.size % left == 0:
                axis.append(Atom(atom.kind, left))
                queue.insert(0, Atom(atom.kind, atom.size // left))
                left = 1
            else:
                raise Measured("a view that theory cannot follow")
        out.append(tuple(axis))
    if queue:
        raise Measured("a view that theory cannot follow")
    return tuple(out)


def grid(axes: Axes, kind: str) -> np.ndarray:
    """Numbers of positions (or units) laid out as the axes' atoms of that kind, of the others one place each.

    Shape: one dimension an atom.
    """
    sizes = [atom.size if atom.kind == kind else 1 for axis in axes for atom in axis]
    return np.arange(math.prod(sizes)).reshape(sizes)


def permuted(state: State, order: list[int]) -> State:
    """The axes in another order."""
    axes = tuple(state.axes[one] for one in order)
    starts = np.cumsum([0, *(len(axis) for axis in state.axes)])
    atoms = [place for one in order for place in range(starts[one], starts[one + 1])]
    index = grid(state.axes, "p").transpose(atoms).ravel()
    units = grid(state.axes, "u").transpose(atoms).ravel()
    moved = taken(state, axes, index) if (np.diff(index) != 1).any() else replace(state, axes=axes)
    if (np.diff(units) == 1).all():
        return moved
    if state.units is None:
        return moved
    held = state.units[units]
    if len(set(state.sources.values())) > 1:
        return replace(moved, units=None)
    name = tag(held)
    before = moved.draw
    return replace(
        moved, units=held, sources=dict.fromkeys(moved.sources, name), function=None,
        draw=None if before is None else (lambda samples: before(_Renamed(samples, name))),
    )  # fmt: skip


def apart(one: State, two: State) -> bool:
    """Whether two states are made of different sources, or of different units of one."""
    for key in one.sources.keys() & two.sources.keys():
        if one.sources[key] == b"?" or two.sources[key] == b"?":
            raise Measured("tensors that depend on one another in a way that theory does not follow")
        if one.sources[key] == two.sources[key]:
            return False
        if one.units is not None and two.units is not None:
            if len(one.units) == len(two.units) and (one.units == two.units).any():
                raise Measured("units that are the same in part")
            continue
        raise Measured("tensors that share units in a way that theory does not follow")
    return True


def fill(axes: Axes, shape: tuple[int, ...]) -> list[int]:
    """Which axes of a tensor have to be repeated to get a shape (their sizes are 1 there)."""
    own = tuple(math.prod(atom.size for atom in axis) for axis in axes)
    return [place for place, (have, want) in enumerate(zip(own, shape, strict=True)) if have != want]


def spread(state: State, shape: tuple[int, ...], like: Axes | None = None) -> State:
    """Repeated along axes of size 1, and new ones in front, until the shape is reached (torch's broadcasting)."""
    axes: list[tuple[Atom, ...]] = [()] * (len(shape) - len(state.axes)) + list(state.axes)
    held = grid(tuple(axes), "p").reshape([math.prod(a.size for a in axis if a.kind == "p") for axis in axes])
    for place in fill(tuple(axes), shape):
        if like is not None and any(atom.kind == "u" for atom in like[place]):
            raise Measured("one number for all units")
        axes[place] = (Atom("p", shape[place]),)
        held = np.repeat(held, shape[place], axis=place)
    out = tuple(axes)
    index = held.ravel()
    if len(index) == state.positions and (index == np.arange(len(index))).all():
        return replace(state, axes=out)
    return taken(state, out, index)


def kinds(axes: Axes) -> tuple[tuple[Atom, ...], ...]:
    """Axes with neighbouring atoms of one kind put together."""
    out = []
    for axis in axes:
        merged: list[Atom] = []
        for atom in axis:
            if atom.size == 1:
                continue
            if merged and merged[-1].kind == atom.kind:
                merged[-1] = Atom(atom.kind, merged[-1].size * atom.size)
            else:
                merged.append(atom)
        out.append(tuple(merged))
    return tuple(out)


def empirical(key: str, axes: Axes, gram: np.ndarray, mean: np.ndarray, sources: dict[str, bytes]) -> State:
    """What was measured: no more than moments, and no independence of what it was made of."""
    return State(axes, gram, mean, False, {**dict.fromkeys(sources, b"?"), key: b"?"}, None, None, None)


def side_by_side(key: str, states: list[State], dim: int) -> State:
    """Units of several tensors side by side along an axis: moments are averages, weighted by how many."""
    counts = np.array([one.width for one in states], dtype=float)
    share = counts / counts.sum()
    gram = sum(w * one.gram for w, one in zip(share, states, strict=True))
    mean = sum(w * one.mean for w, one in zip(share, states, strict=True))
    size = sum(one.shape[dim] for one in states)
    axes = (*states[0].axes[:dim], (Atom("u", size),), *states[0].axes[dim + 1 :])
    draws = [one.draw for one in states]
    places = np.cumsum(share)[:-1]

    def draw(samples: Samples) -> np.ndarray:
        cuts = np.rint(places * samples.count).astype(int)
        pieces = np.split(np.arange(samples.count), cuts)
        return np.concatenate([d(samples)[at] for d, at in zip(draws, pieces, strict=True)])  # type: ignore[misc]

    keys = [
        next(iter(one.sources)) if len(one.sources) == 1 and one.units is not None else "" for one in states
    ]
    alike = all(
        one.gaussian and np.allclose(one.gram, gram, rtol=1e-9, atol=1e-12 * np.abs(gram).max())
        for one in states
    )
    units = None
    if alike and len(set(keys)) == 1 and keys[0]:  # units of one source in another order
        units = np.concatenate([one.units for one in states])
        sources = {keys[0]: tag(units)}
    else:
        sources = {**{name: b"?" for one in states for name in one.sources}, f"{key} joined": b"joined"}
    return State(
        axes, gram, mean, bool(alike), sources, None if any(d is None for d in draws) else draw, units
    )


def laid_out(value: Any, axes: Axes) -> np.ndarray:
    """A tensor's numbers as (P, units), for axes that say which are which."""
    array = np.asarray(value, dtype=float)
    sizes = [atom.size for axis in axes for atom in axis]
    atoms = [atom for axis in axes for atom in axis]
    order = [i for i, atom in enumerate(atoms) if atom.kind == "p"] + [
        i for i, atom in enumerate(atoms) if atom.kind == "u"
    ]
    count = math.prod(atom.size for atom in atoms if atom.kind == "p")
    return array.reshape(sizes).transpose(order).reshape(count, -1)
