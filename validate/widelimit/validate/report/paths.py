"""Paths of a figure in few characters: places in tenths of a pixel, told from the last place, none that a line passes.

`compact` prints what Matplotlib writes (absolute M, L, Q, C and z) in relative commands. Differences are taken of
places already rounded, so that errors do not add up along a path.
"""

from __future__ import annotations

import re

import numpy as np

_TOLERANCE = 0.06  # pixels; a place this near to the line between its neighbours is not told
_COMMANDS = re.compile(r"([MLQCzZ])([^MLQCzZ]*)")

Place = tuple[int, int]


def compact(data: str, dx: float = 0.0, dy: float = 0.0) -> str:
    """Return a path moved by (dx, dy), each place within a tenth of a pixel of the one given.

    >>> compact("M 10 20 L 11.04 20 L 12 20 L 12 25.5 L 13.2 24.96 z")
    'M10 20h2v5.5l1.2-.5z'
    """
    out: list[str] = []
    pen = start = (0, 0)
    line: list[tuple[float, float]] = []

    def drawn() -> None:
        nonlocal pen
        for place in _needed(line)[1:]:
            out.append(_step(pen, place))
            pen = place
        line.clear()

    for command, numbers in _COMMANDS.findall(data):
        values = [float(value) for value in numbers.split()]
        places = [(x + dx, y + dy) for x, y in zip(values[::2], values[1::2], strict=True)]
        if command == "L":
            line.extend(places if line else [(pen[0] / 10, pen[1] / 10), *places])
            continue
        drawn()
        if command in "zZ":
            out.append("z")
            pen = start
            continue
        rounded = [_tenths(place) for place in places]
        if command == "M":
            out.append("M" + _joined([*rounded[0]]))
            start = rounded[0]
            line.append(places[0])
        else:
            out.append(command.lower() + _joined([v for x, y in rounded for v in (x - pen[0], y - pen[1])]))
        pen = rounded[-1]
    drawn()
    return "".join(out)


def _needed(line: list[tuple[float, float]]) -> list[Place]:
    """The places of a line that a shorter one misses by more than the tolerance (Douglas and Peucker), rounded."""
    if len(line) < 3:
        return [_tenths(place) for place in line]
    places = np.array(line)
    kept = np.zeros(len(line), dtype=bool)
    kept[[0, -1]] = True
    spans = [(0, len(line) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        away = _distances(places[first + 1 : last], places[first], places[last])
        farthest = int(np.argmax(away))
        if away[farthest] > _TOLERANCE:
            middle = first + 1 + farthest
            kept[middle] = True
            spans += [(first, middle), (middle, last)]
    return [_tenths(place) for place in places[kept].tolist()]


def _distances(places: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distances of places from the straight piece between two."""
    along = end - start
    length = float(along @ along)
    share = np.clip((places - start) @ along / length, 0.0, 1.0) if length > 0 else np.zeros(len(places))
    return np.hypot(*(places - start - share[:, None] * along).T)


def _step(pen: Place, place: Place) -> str:
    x, y = place[0] - pen[0], place[1] - pen[1]
    if x == 0 and y == 0:
        return ""
    return f"v{_tenth(y)}" if x == 0 else f"h{_tenth(x)}" if y == 0 else "l" + _joined([x, y])


def _joined(tenths: list[int]) -> str:
    """Numbers in a row; a minus separates by itself."""
    first, *rest = map(_tenth, tenths)
    return first + "".join(text if text.startswith("-") else " " + text for text in rest)


def _tenths(place: tuple[float, float]) -> Place:
    return round(place[0] * 10), round(place[1] * 10)


def _tenth(value: int) -> str:
    whole, rest = divmod(abs(value), 10)
    text = f"{whole or ''}.{rest}" if rest else str(whole)
    return f"-{text}" if value < 0 else text
