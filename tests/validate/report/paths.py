"""The places that a path of SVG leads through, by the grammar of SVG."""

import re

_TAKES = {"m": 2, "l": 2, "h": 1, "v": 1, "q": 4, "c": 6, "z": 0}


def places(data: str) -> list[tuple[float, float]]:
    """The end of every command of a path."""
    x = y = 0.0
    start = (x, y)
    found = []
    for command, numbers in re.findall(r"([A-Za-z])([^A-Za-z]*)", data):
        values = [float(one) for one in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", numbers)]
        kind = command.lower()
        assert len(values) == _TAKES[kind], (command, numbers)
        if kind == "z":
            x, y = start
            continue
        base = (0.0, 0.0) if command.isupper() else (x, y)
        if kind == "h":
            x = base[0] + values[0]
        elif kind == "v":
            y = base[1] + values[0]
        else:
            x, y = base[0] + values[-2], base[1] + values[-1]
        if kind == "m":
            start = (x, y)
        found.append((x, y))
    return found
