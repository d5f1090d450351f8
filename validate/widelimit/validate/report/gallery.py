"""Figures of papers, redrawn: a topic's ``claims/<topic>.py`` may expose ``GALLERY: tuple[GalleryFigure, ...]``.

`compute` does the work once; its arrays are kept in the run's folder (``gallery/<topic>.<name>.npz``), from where
``widelimit report`` draws them again while the code that made them is the same, and beside compiled code (`kept`), from
where the next run has them. `draw` puts them on axes. A gallery figure shows; it does not decide.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from widelimit.validate.harness.provenance import code as provenance
from widelimit.validate.harness.running import atomic
from widelimit.validate.report import kept
from widelimit.validate.report.failures import Failures
from widelimit.validate.report.figures import Panel, drawn

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

Arrays = Mapping[str, "np.ndarray"]
_CODE = "made by"  # beside the arrays of a file
_UNREADABLE = (OSError, ValueError, zipfile.BadZipFile, EOFError)


@dataclass(frozen=True)
class GalleryFigure:
    """A figure of a paper that a topic redraws.

    `name`: for the file, such as "phase-diagram". `source`: key and figure, "schoenholz2017deep, fig. 2".
    `compute(preset)`: the arrays behind it, by name; seconds under "quick". `draw(arrays, axes)`: one panel.
    """

    name: str
    title: str
    caption: str
    source: str
    compute: Callable[[str], Arrays]
    draw: Callable[[Arrays, Axes], Any]


def gallery(
    topics: Iterable[str], preset: str, folder: Path, failures: Failures | None = None
) -> list[tuple[GalleryFigure, Panel]]:
    """Draw the gallery figures of the topics; one that fails is left out and told in `failures`."""
    out = []
    failures = Failures() if failures is None else failures
    for topic in topics:
        for figure in figures_of(topic):
            make = partial(_panel, figure, topic, preset, folder)
            panel = failures.attempt(f"Gallery figure {topic}.{figure.name}", make, None)
            if panel is not None:
                out.append((figure, panel))
    return out


def _panel(figure: GalleryFigure, topic: str, preset: str, folder: Path) -> Panel:
    arrays = _arrays(figure, topic, preset, folder)
    make = partial(
        drawn, partial(figure.draw, arrays), f"g-{topic}-{figure.name}", figure.title, figure.caption
    )
    if not _ours(figure.draw):
        return make()
    name = kept.key("figure", topic, figure.name, _hash(arrays))
    stored = kept.recall(name)
    if stored is not None:
        return Panel(*json.loads(stored))
    panel = make()
    kept.keep(name, json.dumps(astuple(panel)).encode())
    return panel


def _hash(arrays: Arrays) -> str:
    hasher = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        hasher.update(repr((name, values.dtype.str, values.shape)).encode() + values.tobytes())
    return hasher.hexdigest()


def _ours(function: Callable[..., Any]) -> bool:
    """Whether a function is one of this installation's, whose code `kept.code` hashes."""
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__module__", "")).startswith("widelimit.")


def figures_of(topic: str) -> tuple[GalleryFigure, ...]:
    """The figures that a topic redraws; none for a topic that is not ours."""
    name = f"widelimit.validate.claims.{topic}"
    if not topic.isidentifier() or find_spec(name) is None:
        return ()
    return tuple(getattr(import_module(name), "GALLERY", ()))


def _arrays(figure: GalleryFigure, topic: str, preset: str, folder: Path) -> Arrays:
    """The arrays that the run's folder has, or those of an earlier run by the same code; computed if there are none."""
    path = folder / "gallery" / f"{topic}.{figure.name}.{preset}.npz"
    made_by = provenance.made_by(figure.compute)
    try:
        arrays, by = _read(path)
        if by in ("", made_by):
            return arrays
    except _UNREADABLE:
        pass
    name = kept.key("arrays", topic, figure.name, preset) if _ours(figure.compute) else ""
    stored = kept.recall(name) if name else None
    if stored is None:
        arrays, stored = _computed(figure, preset, made_by)
        if name:
            kept.keep(name, stored)
    else:
        arrays, _ = _read(io.BytesIO(stored))
    atomic.write_bytes(path, stored)
    return arrays


def _read(file: Path | io.BytesIO) -> tuple[Arrays, str]:
    """Arrays, and a hash of the code that made them; empty where that was not kept: those are taken as they are."""
    import numpy as np

    with np.load(file, allow_pickle=False) as stored:
        arrays = dict(stored)
    return arrays, str(arrays.pop(_CODE, ""))


def _computed(figure: GalleryFigure, preset: str, made_by: str) -> tuple[Arrays, bytes]:
    import numpy as np

    from widelimit.validate.harness.running.cells import (
        one_thread,  # cells know claims, and claims their figures
    )

    with one_thread():  # as in a run: small networks lose by sharing
        arrays = {name: np.asarray(values) for name, values in figure.compute(preset).items()}
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays, **{_CODE: np.array(made_by)})  # type: ignore[arg-type]
    return arrays, stream.getvalue()
