"""Where the unstable directions of fixed points lead, and whether two such graphs are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from widelimit.numerics.cells import Cell
from widelimit.numerics.dynamics import newton

Array = np.ndarray
Edges = tuple[tuple[int, int], ...]
_STEPS = 20_000


def connections(cell: Cell, states: Array, index: Array, unique: Array) -> Edges:
    """Pairs (i, j): one of the two ways out of point i, which has one unstable direction, comes to rest at point j.

    -1 for j where it does not, in twenty thousand steps. Points of higher index are left in all directions of a plane
    or more, of which no two are special.
    """
    centres = np.ascontiguousarray(states[:, : cell.size])
    balls = np.minimum(unique, 1e-3)
    found = set()
    for i in np.flatnonzero(index == 1):
        for start in ways_out(cell, states[i], float(unique[i])):
            end = newton.follow(
                cell.code, cell.weights, cell.offsets, start, centres, balls, len(centres), _STEPS
            )
            if end != i:
                found.add((int(i), int(end)))
    return tuple(sorted(found))


def ways_out(cell: Cell, state: Array, unique: float) -> list[Array]:
    """States next to a point on both sides along its unstable direction; none where it has not exactly one."""
    values, vectors = np.linalg.eig(cell.jacobian(state))
    if (np.abs(values) > 1).sum() != 1:
        return []
    direction = np.ascontiguousarray(vectors[:, np.argmax(np.abs(values))].real)
    direction *= min(0.3 * unique, 1e-3) / np.abs(direction).max()
    return [state + direction, state - direction]


def same_graph(one: tuple[Sequence[int], Edges], other: tuple[Sequence[int], Edges]) -> bool:
    """Whether two graphs with labelled vertices, (labels, edges), are the same but for the numbers of the vertices.

    Labels are refined by those of the neighbours until nothing changes; what still looks alike is tried.

    >>> same_graph(((0, 0, 1), ((2, 0), (2, 1))), ((1, 0, 0), ((0, 1), (0, 2))))
    True
    >>> same_graph(((0, 0, 1), ((2, 0), (2, 1))), ((1, 0, 0), ((0, 1),)))
    False
    """
    return _match(_Graph(*one), _Graph(*other))


class _Graph:
    """Colours of vertices (-1 is none) and their neighbours both ways."""

    def __init__(self, labels: Sequence[int], edges: Edges) -> None:
        self.colours: list[object] = [("label", int(label)) for label in labels]
        self.out: list[list[int]] = [[] for _ in labels]
        self.back: list[list[int]] = [[] for _ in labels]
        self.lost = [0] * len(self.colours)
        for i, j in edges:
            if j < 0:
                self.lost[i] += 1
            else:
                self.out[i].append(j)
                self.back[j].append(i)
        self.colours = list(zip(self.colours, self.lost, strict=True))

    def refined(self, colours: list[object]) -> list[object]:
        """Colours by those of the neighbours, as often as there are vertices."""
        for _ in range(len(colours)):
            shown = [repr(colour) for colour in colours]
            new = [
                (c, sorted(shown[k] for k in self.out[i]), sorted(shown[k] for k in self.back[i]))
                for i, c in enumerate(shown)
            ]
            short: list[object] = [hash(repr(c)) for c in new]
            if len(set(short)) == len(set(colours)):
                return short
            colours = short
        return colours


def _match(one: _Graph, other: _Graph) -> bool:
    if len(one.colours) != len(other.colours):
        return False
    return _paired(one, one.colours, other, other.colours)


def _paired(one: _Graph, first: list[object], other: _Graph, second: list[object]) -> bool:
    first, second = one.refined(first), other.refined(second)
    counts = Counter(first)
    if counts != Counter(second):
        return False
    alike = [colour for colour in first if counts[colour] > 1]
    if not alike:
        place = {colour: k for k, colour in enumerate(second)}
        moved = [place[colour] for colour in first]
        return all(
            sorted(moved[k] for k in one.out[i]) == sorted(other.out[moved[i]]) for i in range(len(first))
        )
    i = first.index(min(alike, key=lambda colour: (counts[colour], repr(colour))))
    for j in (k for k, colour in enumerate(second) if colour == first[i]):
        singled_first, singled_second = list(first), list(second)
        singled_first[i] = singled_second[j] = "this one"
        if _paired(one, singled_first, other, singled_second):
            return True
    return False
